pub(crate) async fn rows<'a, T: Row, const N: usize>(
    self: &Arc<Self>,
    table: &'a str,
    filter: impl Filter,
) -> [T; N]
where
    T: Send,
{
    let __cacheback_wait = {
        use ::cacheback::__private::{self, probes::*};
        let (__cacheback_0, __cacheback_1, __cacheback_2) = (self, table, filter);
        if let ::core::option::Option::Some(__cacheback_value) = __private::hit(
            Self::__cacheback_rows_slot_in_a_trait_impl_write_handle_false()
                .of(
                    __private::method::<
                        Self,
                        _,
                    >((
                        __private::PhantomData::<T>,
                        __private::PhantomData::<__private::constant::usize<N>>,
                        __private::type_of(&__cacheback_2),
                    )),
                ),
            __private::key(
                __private::shapes((
                    __private::of::<__private::Ref<str>>(),
                    __private::by_val(&__cacheback_2),
                )),
                (&__cacheback_1, &__cacheback_2),
            ),
            __private::Probe::<[T; N]>::NEW.outcome(),
        ) {
            return __cacheback_value;
        }
        __private::wait(
            Self::rows_entry::<T, N>(__cacheback_0, __cacheback_1, __cacheback_2),
        )
    };
    __cacheback_wait.await
}
#[doc(hidden)]
fn __cacheback_rows_slot_in_a_trait_impl_write_handle_false() -> &'static ::cacheback::__private::Slot {
    use ::cacheback::__private;
    static SLOT: __private::Slot = __private::Slot::method(
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
    clippy::trivially_copy_pass_by_ref,
    clippy::unused_async
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
    clippy::fn_params_excessive_bools,
    clippy::large_types_passed_by_value,
    clippy::ref_option,
    clippy::too_many_arguments,
    clippy::trivially_copy_pass_by_ref,
    clippy::needless_pass_by_value,
    clippy::ptr_arg,
    clippy::wrong_self_convention
)]
pub(crate) fn rows_entry<'a, T: Row, const N: usize>(
    self: &Arc<Self>,
    table: &'a str,
    filter: impl Filter,
) -> ::cacheback::Entry<[T; N]>
where
    T: Send,
{
    use ::cacheback::__private::{self, probes::*};
    let __cacheback_probe = &__private::Probe::<[T; N]>::NEW;
    let __cacheback_site = __private::Site::new(
        __private::shapes((
            __private::of::<__private::Ref<Arc<Self>>>(),
            __private::of::<__private::Ref<str>>(),
            __private::by_val(&filter),
        )),
        __cacheback_probe.outcome(),
        |__cacheback_args| __private::Box::pin(async move {
            let (__cacheback_0, __cacheback_1, __cacheback_2) = __cacheback_args.lend();
            Self::__cacheback_rows_body::<
                T,
                N,
            >(__cacheback_0, __cacheback_1, __cacheback_2)
                .await
        }),
    );
    let __cacheback_site = __cacheback_site
        .errors((&__cacheback_probe).share(), __cacheback_probe.describe());
    let __cacheback_site = __cacheback_site.empty_default();
    __private::entry_of(
        Self::__cacheback_rows_slot_in_a_trait_impl_write_handle_false()
            .of(
                __private::method::<
                    Self,
                    _,
                >((
                    __private::PhantomData::<T>,
                    __private::PhantomData::<__private::constant::usize<N>>,
                    __private::type_of(&filter),
                )),
            ),
        __private::key(
            __private::shapes((
                __private::of::<__private::Ref<str>>(),
                __private::by_val(&filter),
            )),
            (&table, &filter),
        ),
        __private::args(
            __private::shapes((
                __private::of::<__private::Ref<Arc<Self>>>(),
                __private::of::<__private::Ref<str>>(),
                __private::by_val(&filter),
            )),
            (&self, &table, &filter),
        ),
        __cacheback_site,
    )
}
/// The cache of [`rows`](Self::rows).
#[must_use]
pub(crate) fn rows_cache() -> ::cacheback::CacheRef {
    ::cacheback::__private::cache_of_method::<
        Self,
    >(Self::__cacheback_rows_slot_in_a_trait_impl_write_handle_false())
}
