#[allow(unused)]
/// Docs.
#[cfg(unix)]
#[must_use]
#[expect(dead_code)]
/**
 # Caching

 Answered from a cache: a value is fresh for 10 min, after that it is refreshed behind the callers' backs. While nothing is cached, a call gets the empty (default) value at once. `other::entry(..)` takes the same arguments and reaches their entry, `other::cache()` the whole cache.
*/
pub(super) async fn r#match(name: String) -> &'static str {
    let __cacheback_wait = {
        use ::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        let (__cacheback_0,) = (name,);
        if let ::core::option::Option::Some(__cacheback_value) = ::cacheback::__private::hit(
            other::__cacheback_slot(),
            ::cacheback::__private::PhantomData::<
                (::cacheback::__private::Val<String>,),
            >,
            ::cacheback::__private::Probe::<&'static str>::NEW.outcome(),
            ::cacheback::__private::PhantomData::<()>,
            (&__cacheback_0,),
        ) {
            return __cacheback_value;
        }
        ::cacheback::__private::wait(other::entry(__cacheback_0))
    };
    __cacheback_wait.await
}
#[cfg(unix)]
#[doc(hidden)]
pub(super) enum other {}
#[cfg(unix)]
impl other {
    #[doc(hidden)]
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        static SLOT: ::cacheback::__private::Slot = ::cacheback::__private::Slot::new(
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
        clippy::trivially_copy_pass_by_ref
    )]
    #[expect(unused)]
    #[instrument(name = "match", skip(name))]
    async fn __cacheback_body(#[allow(unused)] name: String) -> &'static str {
        #![allow(x)]
        ""
    }
    #[allow(deprecated)]
    fn __cacheback_function() {
        let _ = r#match;
    }
    /// The entry of these arguments of [`match`](fn@match).
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
    #[allow(unused)]
    pub(super) fn entry(name: String) -> ::cacheback::Entry<&'static str> {
        let _ = Self::__cacheback_function;
        use ::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        let __cacheback_probe = &::cacheback::__private::Probe::<&'static str>::NEW;
        let __cacheback_site = ::cacheback::__private::Site::new(
            ::cacheback::__private::PhantomData::<
                (::cacheback::__private::Val<String>,),
            >,
            __cacheback_probe.outcome(),
            |__cacheback_args| ::cacheback::__private::Box::pin(async move {
                let (__cacheback_0,) = &*__cacheback_args;
                Self::__cacheback_body(
                        ::cacheback::__private::lease::<
                            ::cacheback::__private::Val<String>,
                        >(__cacheback_0),
                    )
                    .await
            }),
        );
        let __cacheback_site = __cacheback_site.share((&__cacheback_probe).share());
        let __cacheback_site = __cacheback_site.describe(__cacheback_probe.describe());
        let __cacheback_site = __cacheback_site.empty_default();
        ::cacheback::__private::entry(
            Self::__cacheback_slot(),
            ::cacheback::__private::PhantomData::<
                (::cacheback::__private::Val<String>,),
            >,
            ::cacheback::__private::PhantomData::<()>,
            (&name,),
            __cacheback_site,
            ::cacheback::__private::args_of_key(),
        )
    }
    /// The cache of [`match`](fn@match).
    #[must_use]
    pub(super) fn cache() -> ::cacheback::CacheRef {
        ::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
