async fn nothing() {
    let __cacheback_wait = {
        use ::cacheback::__private::{self as __cb, probes::*};
        if let ::core::option::Option::Some(__cacheback_value) = __cb::hit(
            nothing::__cacheback_slot(),
            __cb::key(__cb::of::<()>(), ()),
            __cb::Probe::<()>::NEW.__cacheback_outcome(),
        ) {
            return __cacheback_value;
        }
        __cb::wait(nothing::entry())
    };
    return __cacheback_wait.await;
}
#[doc(hidden)]
enum nothing {}
impl nothing {
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        use ::cacheback::__private as __cb;
        static SLOT: __cb::Slot = __cb::Slot::new(
            ::core::concat!(::core::module_path!(), "::", "nothing"),
            |_| {},
        );
        &SLOT
    }
    #[allow(
        clippy::missing_docs_in_private_items,
        clippy::single_call_fn,
        clippy::unused_async
    )]
    async fn __cacheback_body() {}
    /// The entry of these arguments of [`nothing`](fn@nothing).
    #[must_use]
    #[cold]
    fn entry() -> ::cacheback::Entry<()> {
        let _ = nothing;
        use ::cacheback::__private::{self as __cb, probes::*};
        let __cacheback_probe = &__cb::Probe::<()>::NEW;
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
                .empty_default(),
        )
    }
    /// The cache of [`nothing`](fn@nothing).
    #[must_use]
    fn cache() -> ::cacheback::CacheRef {
        ::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
