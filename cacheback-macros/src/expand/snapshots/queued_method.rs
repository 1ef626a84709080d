pub async fn rows(&self, name: &str, __cacheback_2: (u32, u32)) -> Vec<Row> {
    let __cacheback_wait = {
        use ::cacheback::__private::{self as __cb, probes::*};
        #[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]
        let (name, __cacheback_2) = (name, __cacheback_2);
        {
            let __cacheback_k0 = self.tenant;
            let __cacheback_k1 = name.trim();
            if let ::core::option::Option::Some(__cacheback_value) = __cb::hit(
                Self::__cacheback_rows_slot_in_a_trait_impl_write_handle_false()
                    .of(__cb::method::<Self, _>(())),
                __cb::key(
                    __cb::shapes((
                        (&&__cb::computed(&__cacheback_k0)).__cacheback_shape(),
                        (&&__cb::computed(&__cacheback_k1)).__cacheback_shape(),
                    )),
                    (&__cacheback_k0, &__cacheback_k1),
                ),
                __cb::Probe::<Vec<Row>>::NEW.__cacheback_outcome(),
            ) {
                return __cacheback_value;
            }
        }
        __cb::wait(Self::rows_entry(self, name, __cacheback_2))
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
            |__cacheback_policy| __cacheback_policy.queue_fallback = false,
        )
        .shared(::core::option::Option::None);
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
async fn __cacheback_rows_body(&self, name: &str, (page, size): (u32, u32)) -> Vec<Row> {
    let _ = name;
    self.db.rows(name, page, size).await
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
pub fn rows_entry(
    &self,
    name: &str,
    __cacheback_2: (u32, u32),
) -> ::cacheback::Entry<Vec<Row>> {
    let _ = Self::rows;
    use ::cacheback::__private::{self as __cb, probes::*};
    let __cacheback_k0 = self.tenant;
    let __cacheback_k1 = name.trim();
    let __cacheback_probe = &__cb::Probe::<Vec<Row>>::NEW;
    __cb::shared_entry_of(
        Self::__cacheback_rows_slot_in_a_trait_impl_write_handle_false()
            .of(__cb::method::<Self, _>(())),
        __cb::key(
            __cb::shapes((
                (&&__cb::computed(&__cacheback_k0)).__cacheback_shape(),
                (&&__cb::computed(&__cacheback_k1)).__cacheback_shape(),
            )),
            (&__cacheback_k0, &__cacheback_k1),
        ),
        __cb::args(
            __cb::of::<(__cb::This<Self>, __cb::Ref<str>, __cb::Val<(u32, u32)>)>(),
            (&self, &name, &__cacheback_2),
        ),
        __cb::Site::new(
                __cb::of::<(__cb::This<Self>, __cb::Ref<str>, __cb::Val<(u32, u32)>)>(),
                __cacheback_probe.__cacheback_outcome(),
                |__cacheback_args| __cb::Box::pin(async move {
                    let (__cacheback_0, __cacheback_1, __cacheback_2) = __cacheback_args
                        .__cacheback_lend();
                    Self::__cacheback_rows_body(
                            __cacheback_0,
                            __cacheback_1,
                            __cacheback_2,
                        )
                        .await
                }),
            )
            .describe((&&__cacheback_probe).__cacheback_describe())
            .share((&__cacheback_probe).__cacheback_share())
            .queued(|__cacheback_owned| __cb::carry(
                &Self::__cacheback_rows_carriers(),
                __cacheback_owned,
            ))
            .empty_default(),
        __cb::shared(
                (&__cb::shared_parts((
                    __cb::shared_part(
                        (&&__cb::computed(&__cacheback_k0)).__cacheback_shape(),
                    ),
                    __cb::shared_part(
                        (&&__cb::computed(&__cacheback_k1)).__cacheback_shape(),
                    ),
                )))
                    .__cacheback_encoded(),
                __cacheback_probe.__cacheback_outcome(),
            )
            .version(|| SCHEMA)
            .queue("reports"),
    )
}
#[doc(hidden)]
#[allow(dead_code)]
fn __cacheback_rows_carriers() -> impl ::cacheback::__private::Carriers {
    use ::cacheback::__private::{self as __cb, probes::*};
    (
        __cb::carried(__cb::of::<__cb::This<Self>>(), "self"),
        __cb::carried(__cb::of::<__cb::Ref<str>>(), "name"),
        __cb::carried(__cb::of::<__cb::Val<(u32, u32)>>(), "argument 3"),
    )
}
#[forbid(dead_code)]
/// The cache of [`rows`](Self::rows).
#[must_use]
pub fn rows_cache() -> ::cacheback::CacheRef {
    use ::cacheback::__private as __cb;
    __cb::queued_cache(
        Self::__cacheback_rows_slot_in_a_trait_impl_write_handle_false()
            .of(__cb::method::<Self, _>(())),
        "reports",
        || SCHEMA,
        Self::__cacheback_rows_carriers(),
        |__cacheback_owned| {
            let (__cacheback_0, __cacheback_1, __cacheback_2) = __cb::lend(
                __cb::of::<(__cb::This<Self>, __cb::Ref<str>, __cb::Val<(u32, u32)>)>(),
                __cacheback_owned,
            );
            Self::rows_entry(__cacheback_0, __cacheback_1, __cacheback_2)
        },
    )
}
