pub(crate) async fn load(id: u64) -> Result<User, Error> {
    let __cacheback_wait = {
        use crate::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        let (__cacheback_0,) = (id,);
        if let ::core::option::Option::Some(__cacheback_value) = crate::cacheback::__private::hit(
            load::__cacheback_slot(),
            crate::cacheback::__private::PhantomData::<
                (crate::cacheback::__private::Val<u64>,),
            >,
            crate::cacheback::__private::Probe::<Result<User, Error>>::NEW.outcome(),
            crate::cacheback::__private::PhantomData::<()>,
            (&__cacheback_0,),
        ) {
            return __cacheback_value;
        }
        crate::cacheback::__private::wait(load::entry(__cacheback_0))
    };
    __cacheback_wait.await
}
#[doc(hidden)]
pub(crate) enum load {}
impl load {
    #[doc(hidden)]
    fn __cacheback_slot() -> &'static crate::cacheback::__private::Slot {
        static SLOT: crate::cacheback::__private::Slot = crate::cacheback::__private::Slot::new(
            "users",
            |__cacheback_policy| {
                __cacheback_policy.cache_err = ::core::option::Option::Some(
                    crate::cacheback::__private::Duration::new(5, 0),
                );
                __cacheback_policy.fetch_on_miss = true;
            },
        );
        &SLOT
    }
    #[allow(
        clippy::fn_params_excessive_bools,
        clippy::large_types_passed_by_value,
        clippy::ref_option,
        clippy::too_many_arguments,
        clippy::trivially_copy_pass_by_ref
    )]
    async fn __cacheback_body(id: u64) -> Result<User, Error> {
        db::load(id).await
    }
    #[allow(deprecated)]
    fn __cacheback_function() {
        let _ = load;
    }
    /// The entry of these arguments of [`load`](fn@load).
    #[must_use]
    #[allow(
        clippy::needless_pass_by_value,
        clippy::ptr_arg,
        clippy::fn_params_excessive_bools,
        clippy::large_types_passed_by_value,
        clippy::ref_option,
        clippy::too_many_arguments,
        clippy::trivially_copy_pass_by_ref
    )]
    pub(crate) fn entry(id: u64) -> crate::cacheback::Entry<Result<User, Error>> {
        let _ = Self::__cacheback_function;
        use crate::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        let __cacheback_probe = &crate::cacheback::__private::Probe::<
            Result<User, Error>,
        >::NEW;
        let __cacheback_site = crate::cacheback::__private::Site::new(
            crate::cacheback::__private::PhantomData::<
                (crate::cacheback::__private::Val<u64>,),
            >,
            __cacheback_probe.outcome(),
            |__cacheback_args| crate::cacheback::__private::Box::pin(async move {
                let (__cacheback_0,) = &*__cacheback_args;
                Self::__cacheback_body(
                        crate::cacheback::__private::lease::<
                            crate::cacheback::__private::Val<u64>,
                        >(__cacheback_0),
                    )
                    .await
            }),
        );
        let __cacheback_site = __cacheback_site.share_err(|error: &Error| error.copy());
        let __cacheback_site = __cacheback_site.describe(__cacheback_probe.describe());
        let __cacheback_site = __cacheback_site.lifetime_for(|user| user.lifetime);
        crate::cacheback::__private::entry(
            Self::__cacheback_slot(),
            crate::cacheback::__private::PhantomData::<
                (crate::cacheback::__private::Val<u64>,),
            >,
            crate::cacheback::__private::PhantomData::<()>,
            (&id,),
            __cacheback_site,
            crate::cacheback::__private::args_of_key(),
        )
    }
    /// The cache of [`load`](fn@load).
    #[must_use]
    pub(crate) fn cache() -> crate::cacheback::CacheRef {
        crate::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
