async fn weighed() -> String {
    let __cacheback_wait = {
        use ::cacheback::__private::{self, probes::*};
        if let ::core::option::Option::Some(__cacheback_value) = __private::hit(
            weighed::__cacheback_slot(),
            __private::key(__private::of::<()>(), ()),
            __private::Probe::<String>::NEW.outcome(),
        ) {
            return __cacheback_value;
        }
        __private::wait(weighed::entry())
    };
    __cacheback_wait.await
}
#[doc(hidden)]
enum weighed {}
impl weighed {
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        use ::cacheback::__private;
        static SLOT: __private::Slot = __private::Slot::new(
            ::core::concat!(::core::module_path!(), "::", "weighed"),
            |__cacheback_policy| {
                __cacheback_policy.max_bytes = ::core::option::Option::Some(67108864);
                __cacheback_policy.eviction = __private::Eviction::Lru;
            },
        );
        &SLOT
    }
    #[allow(clippy::unused_async)]
    async fn __cacheback_body() -> String {
        body().await
    }
    /// The entry of these arguments of [`weighed`](fn@weighed).
    #[must_use]
    fn entry() -> ::cacheback::Entry<String> {
        let _ = weighed;
        use ::cacheback::__private::{self, probes::*};
        let __cacheback_probe = &__private::Probe::<String>::NEW;
        let __cacheback_site = __private::Site::new(
            __private::of::<()>(),
            __cacheback_probe.outcome(),
            |_| __private::Box::pin(Self::__cacheback_body()),
        );
        let __cacheback_site = __cacheback_site
            .errors((&__cacheback_probe).share(), __cacheback_probe.describe());
        let __cacheback_site = __cacheback_site.empty_default();
        let __cacheback_site = __cacheback_site
            .weigh(|__cacheback_value| __private::weighed(
                __cacheback_value,
                |text| text.len(),
            ));
        __private::entry(
            Self::__cacheback_slot(),
            __private::key(__private::of::<()>(), ()),
            __cacheback_site,
        )
    }
    /// The cache of [`weighed`](fn@weighed).
    #[must_use]
    fn cache() -> ::cacheback::CacheRef {
        ::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
