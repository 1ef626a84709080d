async fn borrows(
    columns: &[&str],
    pair: (&str, u8),
    maybe: Option<&str>,
    text: Cow<'_, str>,
    nested: &&str,
) -> usize {
    let __cacheback_wait = {
        use ::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        let (
            __cacheback_0,
            __cacheback_1,
            __cacheback_2,
            __cacheback_3,
            __cacheback_4,
        ) = (columns, pair, maybe, text, nested);
        if let ::core::option::Option::Some(__cacheback_value) = ::cacheback::__private::hit(
            borrows::__cacheback_slot(),
            ::cacheback::__private::PhantomData::<
                (
                    ::cacheback::__private::Slice<::cacheback::__private::Ref<str>>,
                    (::cacheback::__private::Ref<str>, ::cacheback::__private::Val<u8>),
                    ::core::option::Option<::cacheback::__private::Ref<str>>,
                    ::cacheback::__private::CowOf<str>,
                    ::cacheback::__private::Nested<::cacheback::__private::Ref<str>>,
                ),
            >,
            ::cacheback::__private::Probe::<usize>::NEW.outcome(),
            ::cacheback::__private::PhantomData::<()>,
            (
                &__cacheback_0,
                &__cacheback_1,
                &__cacheback_2,
                &__cacheback_3,
                &__cacheback_4,
            ),
        ) {
            return __cacheback_value;
        }
        ::cacheback::__private::wait(
            borrows::entry(
                __cacheback_0,
                __cacheback_1,
                __cacheback_2,
                __cacheback_3,
                __cacheback_4,
            ),
        )
    };
    __cacheback_wait.await
}
#[doc(hidden)]
enum borrows {}
impl borrows {
    #[doc(hidden)]
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        static SLOT: ::cacheback::__private::Slot = ::cacheback::__private::Slot::new(
            ::core::concat!(::core::module_path!(), "::", "borrows"),
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
    async fn __cacheback_body(
        columns: &[&str],
        pair: (&str, u8),
        maybe: Option<&str>,
        text: Cow<'_, str>,
        nested: &&str,
    ) -> usize {
        columns.len()
    }
    #[allow(deprecated)]
    fn __cacheback_function() {
        let _ = borrows;
    }
    /// The entry of these arguments of [`borrows`](fn@borrows).
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
    fn entry(
        columns: &[&str],
        pair: (&str, u8),
        maybe: Option<&str>,
        text: Cow<'_, str>,
        nested: &&str,
    ) -> ::cacheback::Entry<usize> {
        let _ = Self::__cacheback_function;
        use ::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        let __cacheback_probe = &::cacheback::__private::Probe::<usize>::NEW;
        let __cacheback_site = ::cacheback::__private::Site::new(
            ::cacheback::__private::PhantomData::<
                (
                    ::cacheback::__private::Slice<::cacheback::__private::Ref<str>>,
                    (::cacheback::__private::Ref<str>, ::cacheback::__private::Val<u8>),
                    ::core::option::Option<::cacheback::__private::Ref<str>>,
                    ::cacheback::__private::CowOf<str>,
                    ::cacheback::__private::Nested<::cacheback::__private::Ref<str>>,
                ),
            >,
            __cacheback_probe.outcome(),
            |__cacheback_args| ::cacheback::__private::Box::pin(async move {
                let (
                    __cacheback_0,
                    __cacheback_1,
                    __cacheback_2,
                    __cacheback_3,
                    __cacheback_4,
                ) = &*__cacheback_args;
                Self::__cacheback_body(
                        &::cacheback::__private::lease::<
                            ::cacheback::__private::Slice<
                                ::cacheback::__private::Ref<str>,
                            >,
                        >(__cacheback_0),
                        ::cacheback::__private::lease::<
                            (
                                ::cacheback::__private::Ref<str>,
                                ::cacheback::__private::Val<u8>,
                            ),
                        >(__cacheback_1),
                        ::cacheback::__private::lease::<
                            ::core::option::Option<::cacheback::__private::Ref<str>>,
                        >(__cacheback_2),
                        ::cacheback::__private::lease::<
                            ::cacheback::__private::CowOf<str>,
                        >(__cacheback_3),
                        &::cacheback::__private::lease::<
                            ::cacheback::__private::Nested<
                                ::cacheback::__private::Ref<str>,
                            >,
                        >(__cacheback_4),
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
                (
                    ::cacheback::__private::Slice<::cacheback::__private::Ref<str>>,
                    (::cacheback::__private::Ref<str>, ::cacheback::__private::Val<u8>),
                    ::core::option::Option<::cacheback::__private::Ref<str>>,
                    ::cacheback::__private::CowOf<str>,
                    ::cacheback::__private::Nested<::cacheback::__private::Ref<str>>,
                ),
            >,
            ::cacheback::__private::PhantomData::<()>,
            (&columns, &pair, &maybe, &text, &nested),
            __cacheback_site,
            ::cacheback::__private::args_of_key(),
        )
    }
    /// The cache of [`borrows`](fn@borrows).
    #[must_use]
    fn cache() -> ::cacheback::CacheRef {
        ::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
