async fn borrows(
    columns: &[&str],
    pair: (&str, u8),
    maybe: Option<&str>,
    text: Cow<'_, str>,
    nested: &&str,
) -> usize {
    let __cacheback_wait = {
        use ::cacheback::__private::{self as __cb, probes::*};
        let (
            __cacheback_0,
            __cacheback_1,
            __cacheback_2,
            __cacheback_3,
            __cacheback_4,
        ) = (columns, pair, maybe, text, nested);
        if let ::core::option::Option::Some(__cacheback_value) = __cb::hit(
            borrows::__cacheback_slot(),
            __cb::key(
                __cb::of::<
                    (
                        __cb::Slice<__cb::Ref<str>>,
                        (__cb::Ref<str>, __cb::Val<u8>),
                        ::core::option::Option<__cb::Ref<str>>,
                        __cb::CowOf<str>,
                        __cb::Nested<__cb::Ref<str>>,
                    ),
                >(),
                (
                    &__cacheback_0,
                    &__cacheback_1,
                    &__cacheback_2,
                    &__cacheback_3,
                    &__cacheback_4,
                ),
            ),
            __cb::Probe::<usize>::NEW.__cacheback_outcome(),
        ) {
            return __cacheback_value;
        }
        __cb::wait(
            borrows::entry(
                __cacheback_0,
                __cacheback_1,
                __cacheback_2,
                __cacheback_3,
                __cacheback_4,
            ),
        )
    };
    return __cacheback_wait.await;
}
#[doc(hidden)]
enum borrows {}
impl borrows {
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        use ::cacheback::__private as __cb;
        static SLOT: __cb::Slot = __cb::Slot::new(
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
        clippy::trivially_copy_pass_by_ref,
        clippy::missing_docs_in_private_items,
        clippy::single_call_fn,
        clippy::unused_async
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
    /// The entry of these arguments of [`borrows`](fn@borrows).
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
    fn entry(
        columns: &[&str],
        pair: (&str, u8),
        maybe: Option<&str>,
        text: Cow<'_, str>,
        nested: &&str,
    ) -> ::cacheback::Entry<usize> {
        let _ = borrows;
        use ::cacheback::__private::{self as __cb, probes::*};
        let __cacheback_probe = &__cb::Probe::<usize>::NEW;
        __cb::entry(
            Self::__cacheback_slot(),
            __cb::key(
                __cb::of::<
                    (
                        __cb::Slice<__cb::Ref<str>>,
                        (__cb::Ref<str>, __cb::Val<u8>),
                        ::core::option::Option<__cb::Ref<str>>,
                        __cb::CowOf<str>,
                        __cb::Nested<__cb::Ref<str>>,
                    ),
                >(),
                (&columns, &pair, &maybe, &text, &nested),
            ),
            __cb::Site::new(
                    __cb::of::<
                        (
                            __cb::Slice<__cb::Ref<str>>,
                            (__cb::Ref<str>, __cb::Val<u8>),
                            ::core::option::Option<__cb::Ref<str>>,
                            __cb::CowOf<str>,
                            __cb::Nested<__cb::Ref<str>>,
                        ),
                    >(),
                    __cacheback_probe.__cacheback_outcome(),
                    |__cacheback_args| __cb::Box::pin(async move {
                        let (
                            __cacheback_0,
                            __cacheback_1,
                            __cacheback_2,
                            __cacheback_3,
                            __cacheback_4,
                        ) = __cacheback_args.__cacheback_lend();
                        Self::__cacheback_body(
                                &__cacheback_0,
                                __cacheback_1,
                                __cacheback_2,
                                __cacheback_3,
                                &__cacheback_4,
                            )
                            .await
                    }),
                )
                .describe((&&__cacheback_probe).__cacheback_describe())
                .share((&__cacheback_probe).__cacheback_share())
                .empty_default(),
        )
    }
    /// The cache of [`borrows`](fn@borrows).
    #[must_use]
    fn cache() -> ::cacheback::CacheRef {
        ::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
