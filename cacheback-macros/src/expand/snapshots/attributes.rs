#[allow(unused)]
/// Docs.
#[cfg(unix)]
#[must_use]
#[expect(dead_code)]
/**
 # Caching

 Answered from a cache: a value is fresh for 10 min, and after that it is refreshed in the background. While nothing is cached, a call gets the default of `&'static str` at once, not the value. To tell that from a value, call `other::entry(..).lookup().await`: its `status` is then `Status::Empty`. `other::entry(..)` takes the same arguments and reaches their entry, `other::cache()` the whole cache.
*/
pub(super) async fn r#match(#[allow(unused)] name: String) -> &'static str {
    let __cacheback_wait = {
        use ::cacheback::__private::{self as __cb, probes::*};
        let (__cacheback_0,) = (name,);
        if let ::core::option::Option::Some(__cacheback_value) = __cb::hit(
            other::__cacheback_slot(),
            __cb::key(__cb::of::<(__cb::Val<String>,)>(), (&__cacheback_0,)),
            __cb::Probe::<&'static str>::NEW.__cacheback_outcome(),
        ) {
            return __cacheback_value;
        }
        __cb::wait(other::entry(__cacheback_0))
    };
    return __cacheback_wait.await;
}
#[cfg(unix)]
#[doc(hidden)]
pub(super) enum other {}
#[cfg(unix)]
impl other {
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        use ::cacheback::__private as __cb;
        static SLOT: __cb::Slot = __cb::Slot::new(
            ::core::concat!(::core::module_path!(), "::", "match"),
            |_| {},
        );
        &SLOT
    }
    #[allow(
        clippy::fn_params_excessive_bools,
        clippy::large_types_passed_by_value,
        clippy::ref_option,
        clippy::too_many_arguments,
        clippy::trivially_copy_pass_by_ref,
        clippy::missing_docs_in_private_items,
        clippy::single_call_fn,
        clippy::unused_async
    )]
    #[allow(unused)]
    #[instrument(name = "match", skip(name))]
    async fn __cacheback_body(#[allow(unused)] name: String) -> &'static str {
        #![allow(x)]
        ""
    }
    /// The entry of these arguments of [`match`](fn@match).
    #[must_use]
    #[cold]
    #[allow(
        clippy::fn_params_excessive_bools,
        clippy::large_types_passed_by_value,
        clippy::ref_option,
        clippy::too_many_arguments,
        clippy::trivially_copy_pass_by_ref,
        clippy::needless_pass_by_value,
        clippy::ptr_arg
    )]
    #[allow(unused)]
    pub(super) fn entry(
        #[allow(unused)]
        name: String,
    ) -> ::cacheback::Entry<&'static str> {
        let _ = r#match;
        use ::cacheback::__private::{self as __cb, probes::*};
        let __cacheback_probe = &__cb::Probe::<&'static str>::NEW;
        __cb::entry(
            Self::__cacheback_slot(),
            __cb::key(__cb::of::<(__cb::Val<String>,)>(), (&name,)),
            __cb::Site::new(
                    __cb::of::<(__cb::Val<String>,)>(),
                    __cacheback_probe.__cacheback_outcome(),
                    |__cacheback_args| __cb::Box::pin(async move {
                        let (__cacheback_0,) = __cacheback_args.__cacheback_lend();
                        Self::__cacheback_body(__cacheback_0).await
                    }),
                )
                .describe((&&__cacheback_probe).__cacheback_describe())
                .share((&__cacheback_probe).__cacheback_share())
                .empty_default(),
        )
    }
    /// The cache of [`match`](fn@match).
    #[must_use]
    pub(super) fn cache() -> ::cacheback::CacheRef {
        ::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
