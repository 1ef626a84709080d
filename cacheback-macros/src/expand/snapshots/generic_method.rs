pub(crate) async fn rows<'a, T: Row, const N: usize>(
    self: &Arc<Self>,
    table: &'a str,
    filter: impl Filter,
) -> [T; N]
where
    T: Send,
{
    let __cacheback_wait = {
        use ::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        let (__cacheback_0, __cacheback_1, __cacheback_2) = (self, table, filter);
        if let ::core::option::Option::Some(__cacheback_value) = ::cacheback::__private::hit(
            Self::__cacheback_rows_slot_in_a_trait_impl_write_handle_false(),
            ::cacheback::__private::shapes((
                ::cacheback::__private::PhantomData::<::cacheback::__private::Ref<str>>,
                ::cacheback::__private::by_val(&__cacheback_2),
            )),
            ::cacheback::__private::Probe::<[T; N]>::NEW.outcome(),
            ::cacheback::__private::method::<
                Self,
                _,
            >((
                ::cacheback::__private::PhantomData::<T>,
                ::cacheback::__private::PhantomData::<
                    ::cacheback::__private::constant::usize<N>,
                >,
                ::cacheback::__private::type_of(&__cacheback_2),
            )),
            (&__cacheback_1, &__cacheback_2),
        ) {
            return __cacheback_value;
        }
        ::cacheback::__private::wait(
            Self::rows_entry::<T, N>(__cacheback_0, __cacheback_1, __cacheback_2),
        )
    };
    __cacheback_wait.await
}
#[doc(hidden)]
fn __cacheback_rows_slot_in_a_trait_impl_write_handle_false() -> &'static ::cacheback::__private::Slot {
    static SLOT: ::cacheback::__private::Slot = ::cacheback::__private::Slot::method(
        ::core::module_path!(),
        "rows",
        |_| {},
    );
    &SLOT
}
#[doc(hidden)]
#[allow(
    clippy::fn_params_excessive_bools,
    clippy::large_types_passed_by_value,
    clippy::ref_option,
    clippy::too_many_arguments,
    clippy::trivially_copy_pass_by_ref
)]
async fn __cacheback_rows_body<'a, T: Row, const N: usize>(
    self: &Arc<Self>,
    table: &'a str,
    filter: impl Filter,
) -> [T; N]
where
    T: Send,
{
    self.load(table, filter).await
}
/// The entry of these arguments of [`rows`](Self::rows).
#[must_use]
#[allow(
    clippy::needless_pass_by_value,
    clippy::ptr_arg,
    clippy::wrong_self_convention,
    clippy::fn_params_excessive_bools,
    clippy::large_types_passed_by_value,
    clippy::ref_option,
    clippy::too_many_arguments,
    clippy::trivially_copy_pass_by_ref
)]
pub(crate) fn rows_entry<'a, T: Row, const N: usize>(
    self: &Arc<Self>,
    table: &'a str,
    filter: impl Filter,
) -> ::cacheback::Entry<[T; N]>
where
    T: Send,
{
    use ::cacheback::__private::{
        AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
        NoShareProbe as _, OpaqueProbe as _,
    };
    let __cacheback_probe = &::cacheback::__private::Probe::<[T; N]>::NEW;
    let __cacheback_site = ::cacheback::__private::Site::new(
        ::cacheback::__private::shapes((
            ::cacheback::__private::PhantomData::<
                ::cacheback::__private::Ref<Arc<Self>>,
            >,
            ::cacheback::__private::PhantomData::<::cacheback::__private::Ref<str>>,
            ::cacheback::__private::by_val(&filter),
        )),
        __cacheback_probe.outcome(),
        |__cacheback_args| ::cacheback::__private::Box::pin(async move {
            let (__cacheback_0, __cacheback_1, __cacheback_2) = &*__cacheback_args;
            Self::__cacheback_rows_body::<
                T,
                N,
            >(
                    ::cacheback::__private::lease::<
                        ::cacheback::__private::Ref<Arc<Self>>,
                    >(__cacheback_0),
                    ::cacheback::__private::lease::<
                        ::cacheback::__private::Ref<str>,
                    >(__cacheback_1),
                    ::cacheback::__private::lease::<
                        ::cacheback::__private::Val<_>,
                    >(__cacheback_2),
                )
                .await
        }),
    );
    let __cacheback_site = __cacheback_site.share((&__cacheback_probe).share());
    let __cacheback_site = __cacheback_site.describe(__cacheback_probe.describe());
    let __cacheback_site = __cacheback_site.empty_default();
    ::cacheback::__private::entry(
        Self::__cacheback_rows_slot_in_a_trait_impl_write_handle_false(),
        ::cacheback::__private::shapes((
            ::cacheback::__private::PhantomData::<::cacheback::__private::Ref<str>>,
            ::cacheback::__private::by_val(&filter),
        )),
        ::cacheback::__private::method::<
            Self,
            _,
        >((
            ::cacheback::__private::PhantomData::<T>,
            ::cacheback::__private::PhantomData::<
                ::cacheback::__private::constant::usize<N>,
            >,
            ::cacheback::__private::type_of(&filter),
        )),
        (&table, &filter),
        __cacheback_site,
        ::cacheback::__private::own_args(
            ::cacheback::__private::shapes((
                ::cacheback::__private::PhantomData::<
                    ::cacheback::__private::Ref<Arc<Self>>,
                >,
                ::cacheback::__private::PhantomData::<::cacheback::__private::Ref<str>>,
                ::cacheback::__private::by_val(&filter),
            )),
            (&self, &table, &filter),
        ),
    )
}
/// The cache of [`rows`](Self::rows).
#[must_use]
pub(crate) fn rows_cache() -> ::cacheback::CacheRef {
    ::cacheback::__private::cache_of_method::<
        Self,
    >(Self::__cacheback_rows_slot_in_a_trait_impl_write_handle_false())
}
