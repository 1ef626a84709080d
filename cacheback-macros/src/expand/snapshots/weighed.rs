async fn weighed() -> String {
    let __cacheback_wait = {
        use ::cacheback::__private::{self as __cb, probes::*};
        if let ::core::option::Option::Some(__cacheback_value) = __cb::hit(
            weighed::__cacheback_slot(),
            __cb::key(__cb::of::<()>(), ()),
            __cb::Probe::<String>::NEW.__cacheback_outcome(),
        ) {
            return __cacheback_value;
        }
        __cb::wait(weighed::entry())
    };
    return __cacheback_wait.await;
}
#[doc(hidden)]
enum weighed {}
impl weighed {
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        use ::cacheback::__private as __cb;
        static SLOT: __cb::Slot = __cb::Slot::new(
            ::core::concat!(::core::module_path!(), "::", "weighed"),
            |__cacheback_policy| {
                __cacheback_policy.max_bytes = ::core::option::Option::Some(67108864);
                __cacheback_policy.eviction = __cb::Eviction::Lru;
            },
        );
        &SLOT
    }
    #[allow(clippy::missing_docs_in_private_items, clippy::single_call_fn)]
    async fn __cacheback_body() -> String {
        body().await
    }
    /// The entry of these arguments of [`weighed`](fn@weighed).
    #[must_use]
    #[cold]
    fn entry() -> ::cacheback::Entry<String> {
        let _ = weighed;
        use ::cacheback::__private::{self as __cb, probes::*};
        let __cacheback_probe = &__cb::Probe::<String>::NEW;
        __cb::entry(
            Self::__cacheback_slot(),
            __cb::key(__cb::of::<()>(), ()),
            __cb::Site::new(
                    __cb::of::<()>(),
                    __cacheback_probe.__cacheback_outcome(),
                    |_| __cb::Box::pin(Self::__cacheback_body()),
                )
                .describe((&&__cacheback_probe).__cacheback_describe())
                .share((&__cacheback_probe).__cacheback_share())
                .empty_default()
                .weigh(|__cacheback_value| __cb::weighed(
                    __cacheback_value,
                    |text| text.len(),
                )),
        )
    }
    /// The cache of [`weighed`](fn@weighed).
    #[must_use]
    fn cache() -> ::cacheback::CacheRef {
        ::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
