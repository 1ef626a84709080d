async fn nothing() {
    let __cacheback_wait = {
        use ::cacheback::__private::{self, probes::*};
        if let ::core::option::Option::Some(__cacheback_value) = __private::hit(
            nothing::__cacheback_slot(),
            __private::key(__private::of::<()>(), ()),
            __private::Probe::<()>::NEW.outcome(),
        ) {
            return __cacheback_value;
        }
        __private::wait(nothing::entry())
    };
    __cacheback_wait.await
}
#[doc(hidden)]
enum nothing {}
impl nothing {
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        use ::cacheback::__private;
        static SLOT: __private::Slot = __private::Slot::new(
            ::core::concat!(::core::module_path!(), "::", "nothing"),
            |_| {},
        );
        &SLOT
    }
    #[allow(clippy::unused_async)]
    async fn __cacheback_body() {}
    /// The entry of these arguments of [`nothing`](fn@nothing).
    #[must_use]
    fn entry() -> ::cacheback::Entry<()> {
        let _ = nothing;
        use ::cacheback::__private::{self, probes::*};
        let __cacheback_probe = &__private::Probe::<()>::NEW;
        let __cacheback_site = __private::Site::new(
            __private::of::<()>(),
            __cacheback_probe.outcome(),
            |_| __private::Box::pin(Self::__cacheback_body()),
        );
        let __cacheback_site = __cacheback_site
            .errors((&__cacheback_probe).share(), __cacheback_probe.describe());
        let __cacheback_site = __cacheback_site.empty_default();
        __private::entry(
            Self::__cacheback_slot(),
            __private::key(__private::of::<()>(), ()),
            __cacheback_site,
        )
    }
    /// The cache of [`nothing`](fn@nothing).
    #[must_use]
    fn cache() -> ::cacheback::CacheRef {
        ::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
