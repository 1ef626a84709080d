async fn nothing() {
    let __cacheback_wait = {
        use ::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        if let ::core::option::Option::Some(__cacheback_value) = ::cacheback::__private::hit(
            nothing::__cacheback_slot(),
            ::cacheback::__private::PhantomData::<()>,
            ::cacheback::__private::Probe::<()>::NEW.outcome(),
            ::cacheback::__private::PhantomData::<()>,
            (),
        ) {
            return __cacheback_value;
        }
        ::cacheback::__private::wait(nothing::entry())
    };
    __cacheback_wait.await
}
#[doc(hidden)]
enum nothing {}
impl nothing {
    #[doc(hidden)]
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        static SLOT: ::cacheback::__private::Slot = ::cacheback::__private::Slot::new(
            ::core::concat!(::core::module_path!(), "::", "nothing"),
            |_| {},
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
    async fn __cacheback_body() {}
    #[allow(deprecated)]
    fn __cacheback_function() {
        let _ = nothing;
    }
    /// The entry of these arguments of [`nothing`](fn@nothing).
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
    fn entry() -> ::cacheback::Entry<()> {
        let _ = Self::__cacheback_function;
        use ::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        let __cacheback_probe = &::cacheback::__private::Probe::<()>::NEW;
        let __cacheback_site = ::cacheback::__private::Site::new(
            ::cacheback::__private::PhantomData::<()>,
            __cacheback_probe.outcome(),
            |_| ::cacheback::__private::Box::pin(Self::__cacheback_body()),
        );
        let __cacheback_site = __cacheback_site.share((&__cacheback_probe).share());
        let __cacheback_site = __cacheback_site.describe(__cacheback_probe.describe());
        let __cacheback_site = __cacheback_site.empty_default();
        ::cacheback::__private::entry(
            Self::__cacheback_slot(),
            ::cacheback::__private::PhantomData::<()>,
            ::cacheback::__private::PhantomData::<()>,
            (),
            __cacheback_site,
            ::cacheback::__private::args_of_key(),
        )
    }
    /// The cache of [`nothing`](fn@nothing).
    #[must_use]
    fn cache() -> ::cacheback::CacheRef {
        ::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
