async fn weighed() -> String {
    let __cacheback_wait = {
        use ::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        if let ::core::option::Option::Some(__cacheback_value) = ::cacheback::__private::hit(
            weighed::__cacheback_slot(),
            ::cacheback::__private::PhantomData::<()>,
            ::cacheback::__private::Probe::<String>::NEW.outcome(),
            ::cacheback::__private::PhantomData::<()>,
            (),
        ) {
            return __cacheback_value;
        }
        ::cacheback::__private::wait(weighed::entry())
    };
    __cacheback_wait.await
}
#[doc(hidden)]
enum weighed {}
impl weighed {
    #[doc(hidden)]
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        static SLOT: ::cacheback::__private::Slot = ::cacheback::__private::Slot::new(
            ::core::concat!(::core::module_path!(), "::", "weighed"),
            |__cacheback_policy| {
                __cacheback_policy.max_bytes = ::core::option::Option::Some(67108864);
                __cacheback_policy.eviction = ::cacheback::__private::Eviction::Lru;
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
    async fn __cacheback_body() -> String {
        body().await
    }
    #[allow(deprecated)]
    fn __cacheback_function() {
        let _ = weighed;
    }
    /// The entry of these arguments of [`weighed`](fn@weighed).
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
    fn entry() -> ::cacheback::Entry<String> {
        let _ = Self::__cacheback_function;
        use ::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        let __cacheback_probe = &::cacheback::__private::Probe::<String>::NEW;
        let __cacheback_site = ::cacheback::__private::Site::new(
            ::cacheback::__private::PhantomData::<()>,
            __cacheback_probe.outcome(),
            |_| ::cacheback::__private::Box::pin(Self::__cacheback_body()),
        );
        let __cacheback_site = __cacheback_site.share((&__cacheback_probe).share());
        let __cacheback_site = __cacheback_site.describe(__cacheback_probe.describe());
        let __cacheback_site = __cacheback_site.empty_default();
        let __cacheback_site = __cacheback_site
            .weigh(|__cacheback_value| ::cacheback::__private::weighed(
                __cacheback_value,
                |text| text.len(),
            ));
        ::cacheback::__private::entry(
            Self::__cacheback_slot(),
            ::cacheback::__private::PhantomData::<()>,
            ::cacheback::__private::PhantomData::<()>,
            (),
            __cacheback_site,
            ::cacheback::__private::args_of_key(),
        )
    }
    /// The cache of [`weighed`](fn@weighed).
    #[must_use]
    fn cache() -> ::cacheback::CacheRef {
        ::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
