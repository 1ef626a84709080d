pub(crate) async fn load(id: u64) -> Result<User, Error> {
    let __cacheback_wait = {
        use crate::cacheback::__private::{self as __cb, probes::*};
        let (__cacheback_0,) = (id,);
        if let ::core::option::Option::Some(__cacheback_value) = __cb::hit(
            load::__cacheback_slot(),
            __cb::key(__cb::of::<(__cb::Val<u64>,)>(), (&__cacheback_0,)),
            __cb::Probe::<Result<User, Error>>::NEW.__cacheback_outcome(),
        ) {
            return __cacheback_value;
        }
        __cb::wait(load::entry(__cacheback_0))
    };
    return __cacheback_wait.await;
}
#[doc(hidden)]
pub(crate) enum load {}
impl load {
    fn __cacheback_slot() -> &'static crate::cacheback::__private::Slot {
        use crate::cacheback::__private as __cb;
        static SLOT: __cb::Slot = __cb::Slot::new(
            "users",
            |__cacheback_policy| {
                __cacheback_policy.fetch_on_miss = true;
                __cacheback_policy.cache_err = ::core::option::Option::Some(
                    __cb::seconds(5),
                );
            },
        );
        &SLOT
    }
    #[allow(clippy::missing_docs_in_private_items, clippy::single_call_fn)]
    async fn __cacheback_body(id: u64) -> Result<User, Error> {
        db::load(id).await
    }
    /// The entry of these arguments of [`load`](fn@load).
    #[must_use]
    #[cold]
    pub(crate) fn entry(id: u64) -> crate::cacheback::Entry<Result<User, Error>> {
        let _ = load;
        use crate::cacheback::__private::{self as __cb, probes::*};
        let __cacheback_probe = &__cb::Probe::<Result<User, Error>>::NEW;
        __cb::entry(
            Self::__cacheback_slot(),
            __cb::key(__cb::of::<(__cb::Val<u64>,)>(), (&id,)),
            __cb::Site::new(
                    __cb::of::<(__cb::Val<u64>,)>(),
                    __cacheback_probe.__cacheback_outcome(),
                    |__cacheback_args| __cb::Box::pin(async move {
                        let (__cacheback_0,) = __cacheback_args.__cacheback_lend();
                        Self::__cacheback_body(__cacheback_0).await
                    }),
                )
                .describe((&&__cacheback_probe).__cacheback_describe())
                .lifetime_for(|user| __cb::span(user.lifetime))
                .retention_for(|user| __cb::span(user.left))
                .share_err(|error: &Error| error.copy()),
        )
    }
    /// The cache of [`load`](fn@load).
    #[must_use]
    pub(crate) fn cache() -> crate::cacheback::CacheRef {
        crate::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
