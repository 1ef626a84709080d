pub async fn parse<'a, T, const N: usize>(
    text: &'a str,
    first: impl Into<T> + Clone + Hash + Eq + Send + Sync + 'static,
) -> Vec<T>
where
    T: FromStr + Clone + Send + Sync + 'static,
{
    let __cacheback_wait = {
        use ::cacheback::__private::{self as __cb, probes::*};
        let (__cacheback_0, __cacheback_1) = (text, first);
        if let ::core::option::Option::Some(__cacheback_value) = __cb::hit(
            parse::__cacheback_slot()
                .of(
                    __cb::generic((
                        __cb::PhantomData::<T>,
                        __cb::PhantomData::<__cb::constant::usize<N>>,
                        __cb::type_of(&__cacheback_1),
                    )),
                ),
            __cb::key(
                __cb::shapes((
                    __cb::of::<__cb::Ref<str>>(),
                    __cb::by_val(&__cacheback_1),
                )),
                (&__cacheback_0, &__cacheback_1),
            ),
            __cb::Probe::<Vec<T>>::NEW.__cacheback_outcome(),
        ) {
            return __cacheback_value;
        }
        __cb::wait(parse::entry::<T, N>(__cacheback_0, __cacheback_1))
    };
    return __cacheback_wait.await;
}
#[doc(hidden)]
#[cfg(not(doc))]
#[non_exhaustive]
pub enum parse {}
#[doc(hidden)]
#[cfg(doc)]
pub(crate) enum parse {}
impl parse {
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        use ::cacheback::__private as __cb;
        static SLOT: __cb::Slot = __cb::Slot::new(
            ::core::concat!(::core::module_path!(), "::", "parse"),
            |__cacheback_policy| {
                __cacheback_policy.varies = &["lifetime"];
            },
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
        clippy::unused_async,
        clippy::needless_lifetimes,
        single_use_lifetimes,
        unused_lifetimes
    )]
    async fn __cacheback_body<'a, T, const N: usize>(
        text: &'a str,
        first: impl Into<T> + Clone + Hash + Eq + Send + Sync + 'static,
    ) -> Vec<T>
    where
        T: FromStr + Clone + Send + Sync + 'static,
    {
        let _ = first;
        split::<N>(text).map(parse).collect()
    }
    /// The entry of these arguments of [`parse`](fn@parse).
    #[must_use]
    #[cold]
    #[allow(
        clippy::fn_params_excessive_bools,
        clippy::large_types_passed_by_value,
        clippy::ref_option,
        clippy::too_many_arguments,
        clippy::trivially_copy_pass_by_ref,
        clippy::needless_pass_by_value,
        clippy::ptr_arg,
        clippy::needless_lifetimes,
        single_use_lifetimes,
        unused_lifetimes
    )]
    pub fn entry<'a, T, const N: usize>(
        text: &'a str,
        first: impl Into<T> + Clone + Hash + Eq + Send + Sync + 'static,
    ) -> ::cacheback::Entry<Vec<T>>
    where
        T: FromStr + Clone + Send + Sync + 'static,
    {
        use ::cacheback::__private::{self as __cb, probes::*};
        let __cacheback_probe = &__cb::Probe::<Vec<T>>::NEW;
        __cb::entry(
            Self::__cacheback_slot()
                .of(
                    __cb::generic((
                        __cb::PhantomData::<T>,
                        __cb::PhantomData::<__cb::constant::usize<N>>,
                        __cb::type_of(&first),
                    )),
                ),
            __cb::key(
                __cb::shapes((__cb::of::<__cb::Ref<str>>(), __cb::by_val(&first))),
                (&text, &first),
            ),
            __cb::Site::new(
                    __cb::shapes((__cb::of::<__cb::Ref<str>>(), __cb::by_val(&first))),
                    __cacheback_probe.__cacheback_outcome(),
                    |__cacheback_args| __cb::Box::pin(async move {
                        let (__cacheback_0, __cacheback_1) = __cacheback_args
                            .__cacheback_lend();
                        Self::__cacheback_body::<T, N>(__cacheback_0, __cacheback_1)
                            .await
                    }),
                )
                .describe((&&__cacheback_probe).__cacheback_describe())
                .share((&__cacheback_probe).__cacheback_share())
                .empty(|__cacheback_args| {
                    let (_, __cacheback_1) = __cacheback_args.__cacheback_lend();
                    #[allow(
                        clippy::shadow_reuse,
                        clippy::shadow_same,
                        clippy::shadow_unrelated
                    )]
                    let first = __cacheback_1;
                    let _ = &first;
                    vec![first.clone().into()]
                })
                .vary(|_, __cacheback_policy| {
                    __cacheback_policy.lifetime = { __cb::span(T::LIFETIME) };
                }),
        )
    }
    /// The cache of [`parse`](fn@parse).
    #[must_use]
    pub fn cache() -> ::cacheback::CacheRef {
        ::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
