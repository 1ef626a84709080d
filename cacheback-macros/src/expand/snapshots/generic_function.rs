pub async fn parse<'a, T, const N: usize>(
    text: &'a str,
    first: impl Into<T> + Clone,
) -> Vec<T>
where
    T: FromStr + Clone + Send + Sync + 'static,
{
    let __cacheback_wait = {
        use ::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        let (__cacheback_0, __cacheback_1) = (text, first);
        if let ::core::option::Option::Some(__cacheback_value) = ::cacheback::__private::hit(
            parse::__cacheback_slot(),
            ::cacheback::__private::shapes((
                ::cacheback::__private::PhantomData::<::cacheback::__private::Ref<str>>,
                ::cacheback::__private::by_val(&__cacheback_1),
            )),
            ::cacheback::__private::Probe::<Vec<T>>::NEW.outcome(),
            ::cacheback::__private::generic((
                ::cacheback::__private::PhantomData::<T>,
                ::cacheback::__private::PhantomData::<
                    ::cacheback::__private::constant::usize<N>,
                >,
                ::cacheback::__private::type_of(&__cacheback_1),
            )),
            (&__cacheback_0, &__cacheback_1),
        ) {
            return __cacheback_value;
        }
        ::cacheback::__private::wait(parse::entry::<T, N>(__cacheback_0, __cacheback_1))
    };
    __cacheback_wait.await
}
#[doc(hidden)]
pub enum parse {}
impl parse {
    #[doc(hidden)]
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        static SLOT: ::cacheback::__private::Slot = ::cacheback::__private::Slot::new(
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
        clippy::trivially_copy_pass_by_ref
    )]
    async fn __cacheback_body<'a, T, const N: usize>(
        text: &'a str,
        first: impl Into<T> + Clone,
    ) -> Vec<T>
    where
        T: FromStr + Clone + Send + Sync + 'static,
    {
        split::<N>(text).map(parse).collect()
    }
    /// The entry of these arguments of [`parse`](fn@parse).
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
    pub fn entry<'a, T, const N: usize>(
        text: &'a str,
        first: impl Into<T> + Clone,
    ) -> ::cacheback::Entry<Vec<T>>
    where
        T: FromStr + Clone + Send + Sync + 'static,
    {
        use ::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        let __cacheback_probe = &::cacheback::__private::Probe::<Vec<T>>::NEW;
        let __cacheback_site = ::cacheback::__private::Site::new(
            ::cacheback::__private::shapes((
                ::cacheback::__private::PhantomData::<::cacheback::__private::Ref<str>>,
                ::cacheback::__private::by_val(&first),
            )),
            __cacheback_probe.outcome(),
            |__cacheback_args| ::cacheback::__private::Box::pin(async move {
                let (__cacheback_0, __cacheback_1) = &*__cacheback_args;
                Self::__cacheback_body::<
                    T,
                    N,
                >(
                        ::cacheback::__private::lease::<
                            ::cacheback::__private::Ref<str>,
                        >(__cacheback_0),
                        ::cacheback::__private::lease::<
                            ::cacheback::__private::Val<_>,
                        >(__cacheback_1),
                    )
                    .await
            }),
        );
        let __cacheback_site = __cacheback_site.share((&__cacheback_probe).share());
        let __cacheback_site = __cacheback_site.describe(__cacheback_probe.describe());
        let __cacheback_site = __cacheback_site
            .empty(|__cacheback_args| {
                let (_, __cacheback_1) = __cacheback_args;
                let first = ::cacheback::__private::lease::<
                    ::cacheback::__private::Val<_>,
                >(__cacheback_1);
                let _ = &first;
                vec![first.clone().into()]
            });
        let __cacheback_site = __cacheback_site
            .vary(|_, __cacheback_policy| {
                __cacheback_policy.lifetime = { T::LIFETIME };
            });
        ::cacheback::__private::entry(
            Self::__cacheback_slot(),
            ::cacheback::__private::shapes((
                ::cacheback::__private::PhantomData::<::cacheback::__private::Ref<str>>,
                ::cacheback::__private::by_val(&first),
            )),
            ::cacheback::__private::generic((
                ::cacheback::__private::PhantomData::<T>,
                ::cacheback::__private::PhantomData::<
                    ::cacheback::__private::constant::usize<N>,
                >,
                ::cacheback::__private::type_of(&first),
            )),
            (&text, &first),
            __cacheback_site,
            ::cacheback::__private::args_of_key(),
        )
    }
    /// The cache of [`parse`](fn@parse).
    #[must_use]
    pub fn cache() -> ::cacheback::CacheRef {
        ::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
