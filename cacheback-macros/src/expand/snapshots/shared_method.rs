async fn rows<T: Row>(&self, name: &str, ids: &[&str]) -> Result<Vec<T>, Error> {
    let __cacheback_wait = {
        use ::cacheback::__private::{self as __cb, probes::*};
        #[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]
        let (name, ids) = (name, ids);
        {
            let __cacheback_k0 = name.trim();
            if let ::core::option::Option::Some(__cacheback_value) = __cb::hit(
                Self::__cacheback_rows_slot_in_a_trait_impl_write_handle_false()
                    .of(__cb::method::<Self, _>((__cb::PhantomData::<T>,))),
                __cb::key(
                    __cb::shapes((
                        (&&__cb::computed(&__cacheback_k0)).__cacheback_shape(),
                        __cb::of::<__cb::Slice<__cb::Ref<str>>>(),
                    )),
                    (&__cacheback_k0, &ids),
                ),
                __cb::Probe::<Result<Vec<T>, Error>>::NEW.__cacheback_outcome(),
            ) {
                return __cacheback_value;
            }
        }
        __cb::wait(Self::rows_entry::<T>(self, name, ids))
    };
    return __cacheback_wait.await;
}
#[doc(hidden)]
#[forbid(dead_code)]
fn __cacheback_rows_slot_in_a_trait_impl_write_handle_false() -> &'static ::cacheback::__private::Slot {
    use ::cacheback::__private as __cb;
    static SLOT: __cb::Slot = __cb::Slot::method(
            ::core::module_path!(),
            "rows",
            |__cacheback_policy| __cacheback_policy.fetch_on_miss = true,
        )
        .shared(::core::option::Option::Some("sessions"));
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
    clippy::single_call_fn
)]
async fn __cacheback_rows_body<T: Row>(
    &self,
    name: &str,
    ids: &[&str],
) -> Result<Vec<T>, Error> {
    let _ = name;
    let _ = ids;
    self.db.rows(name, ids).await
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
    clippy::wrong_self_convention
)]
fn rows_entry<T: Row>(
    &self,
    name: &str,
    ids: &[&str],
) -> ::cacheback::Entry<Result<Vec<T>, Error>> {
    let _ = Self::rows::<T>;
    use ::cacheback::__private::{self as __cb, probes::*};
    let __cacheback_k0 = name.trim();
    let __cacheback_probe = &__cb::Probe::<Result<Vec<T>, Error>>::NEW;
    __cb::shared_entry_of(
        Self::__cacheback_rows_slot_in_a_trait_impl_write_handle_false()
            .of(__cb::method::<Self, _>((__cb::PhantomData::<T>,))),
        __cb::key(
            __cb::shapes((
                (&&__cb::computed(&__cacheback_k0)).__cacheback_shape(),
                __cb::of::<__cb::Slice<__cb::Ref<str>>>(),
            )),
            (&__cacheback_k0, &ids),
        ),
        __cb::args(
            __cb::of::<
                (__cb::This<Self>, __cb::Ref<str>, __cb::Slice<__cb::Ref<str>>),
            >(),
            (&self, &name, &ids),
        ),
        __cb::Site::new(
                __cb::of::<
                    (__cb::This<Self>, __cb::Ref<str>, __cb::Slice<__cb::Ref<str>>),
                >(),
                __cacheback_probe.__cacheback_outcome(),
                |__cacheback_args| __cb::Box::pin(async move {
                    let (__cacheback_0, __cacheback_1, __cacheback_2) = __cacheback_args
                        .__cacheback_lend();
                    Self::__cacheback_rows_body::<
                        T,
                    >(__cacheback_0, __cacheback_1, &__cacheback_2)
                        .await
                }),
            )
            .describe((&&__cacheback_probe).__cacheback_describe())
            .share((&__cacheback_probe).__cacheback_share()),
        __cb::shared(
                (&__cb::shared_parts((
                    __cb::shared_part(
                        (&&__cb::computed(&__cacheback_k0)).__cacheback_shape(),
                    ),
                    __cb::shared_part(__cb::of::<__cb::Slice<__cb::Ref<str>>>()),
                )))
                    .__cacheback_encoded(),
                __cacheback_probe.__cacheback_outcome(),
            )
            .alias("sessions")
            .version(|| SCHEMA),
    )
}
#[forbid(dead_code)]
/// The cache of [`rows`](Self::rows).
#[must_use]
fn rows_cache() -> ::cacheback::CacheRef {
    ::cacheback::__private::cache_of_method::<
        Self,
    >(Self::__cacheback_rows_slot_in_a_trait_impl_write_handle_false())
}
