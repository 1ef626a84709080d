pub(crate) async fn rows<'a, T: Row, const N: usize>(
    self: &Arc<Self>,
    table: &'a str,
    filter: impl Filter,
) -> [T; N]
where
    T: Send,
{
    let __cacheback_wait = {
        use ::cacheback::__private::{self as __cb, probes::*};
        let (__cacheback_0, __cacheback_1, __cacheback_2) = (self, table, filter);
        if let ::core::option::Option::Some(__cacheback_value) = __cb::hit(
            Self::__cacheback_rows_slot_in_a_trait_impl_write_handle_false()
                .of(
                    __cb::method::<
                        Self,
                        _,
                    >((
                        __cb::PhantomData::<T>,
                        __cb::PhantomData::<__cb::constant::usize<N>>,
                        __cb::type_of(&__cacheback_2),
                    )),
                ),
            __cb::key(
                __cb::shapes((
                    __cb::of::<__cb::Ref<str>>(),
                    __cb::by_val(&__cacheback_2),
                )),
                (&__cacheback_1, &__cacheback_2),
            ),
            __cb::Probe::<[T; N]>::NEW.__cacheback_outcome(),
        ) {
            return __cacheback_value;
        }
        __cb::wait(Self::rows_entry::<T, N>(__cacheback_0, __cacheback_1, __cacheback_2))
    };
    return __cacheback_wait.await;
}
#[doc(hidden)]
#[forbid(dead_code)]
fn __cacheback_rows_slot_in_a_trait_impl_write_handle_false() -> &'static ::cacheback::__private::Slot {
    use ::cacheback::__private as __cb;
    static SLOT: __cb::Slot = __cb::Slot::method(::core::module_path!(), "rows", |_| {});
    &SLOT
}
#[doc(hidden)]
#[allow(dead_code)]
#[allow(
    clippy::fn_params_excessive_bools,
    clippy::large_types_passed_by_value,
    clippy::ref_option,
    clippy::too_many_arguments,
    clippy::trivially_copy_pass_by_ref,
    clippy::missing_docs_in_private_items,
    clippy::single_call_fn,
    clippy::needless_lifetimes,
    single_use_lifetimes,
    unused_lifetimes
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
#[forbid(dead_code)]
/// The entry of these arguments of [`rows`](Self::rows).
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
    clippy::wrong_self_convention,
    clippy::needless_lifetimes,
    single_use_lifetimes,
    unused_lifetimes
)]
pub(crate) fn rows_entry<'a, T: Row, const N: usize>(
    self: &Arc<Self>,
    table: &'a str,
    filter: impl Filter,
) -> ::cacheback::Entry<[T; N]>
where
    T: Send,
{
    use ::cacheback::__private::{self as __cb, probes::*};
    let __cacheback_probe = &__cb::Probe::<[T; N]>::NEW;
    __cb::entry_of(
        Self::__cacheback_rows_slot_in_a_trait_impl_write_handle_false()
            .of(
                __cb::method::<
                    Self,
                    _,
                >((
                    __cb::PhantomData::<T>,
                    __cb::PhantomData::<__cb::constant::usize<N>>,
                    __cb::type_of(&filter),
                )),
            ),
        __cb::key(
            __cb::shapes((__cb::of::<__cb::Ref<str>>(), __cb::by_val(&filter))),
            (&table, &filter),
        ),
        __cb::args(
            __cb::shapes((
                __cb::of::<__cb::Ref<Arc<Self>>>(),
                __cb::of::<__cb::Ref<str>>(),
                __cb::by_val(&filter),
            )),
            (&self, &table, &filter),
        ),
        __cb::Site::new(
                __cb::shapes((
                    __cb::of::<__cb::Ref<Arc<Self>>>(),
                    __cb::of::<__cb::Ref<str>>(),
                    __cb::by_val(&filter),
                )),
                __cacheback_probe.__cacheback_outcome(),
                |__cacheback_args| __cb::Box::pin(async move {
                    let (__cacheback_0, __cacheback_1, __cacheback_2) = __cacheback_args
                        .__cacheback_lend();
                    Self::__cacheback_rows_body::<
                        T,
                        N,
                    >(__cacheback_0, __cacheback_1, __cacheback_2)
                        .await
                }),
            )
            .describe((&&__cacheback_probe).__cacheback_describe())
            .share((&__cacheback_probe).__cacheback_share())
            .empty_default(),
    )
}
#[forbid(dead_code)]
/// The cache of [`rows`](Self::rows).
#[must_use]
pub(crate) fn rows_cache() -> ::cacheback::CacheRef {
    ::cacheback::__private::cache_of_method::<
        Self,
    >(Self::__cacheback_rows_slot_in_a_trait_impl_write_handle_false())
}
