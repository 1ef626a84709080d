async fn sales(db: &Db, region: &str, years: &[u16]) -> Vec<u64> {
    let __cacheback_wait = {
        use ::cacheback::__private::{self as __cb, probes::*};
        let (__cacheback_0, __cacheback_1, __cacheback_2) = (db, region, years);
        if let ::core::option::Option::Some(__cacheback_value) = __cb::hit(
            sales::__cacheback_slot(),
            __cb::key(
                __cb::of::<(__cb::Ref<str>, __cb::Ref<[u16]>)>(),
                (&__cacheback_1, &__cacheback_2),
            ),
            __cb::Probe::<Vec<u64>>::NEW.__cacheback_outcome(),
        ) {
            return __cacheback_value;
        }
        __cb::wait(sales::entry(__cacheback_0, __cacheback_1, __cacheback_2))
    };
    return __cacheback_wait.await;
}
#[doc(hidden)]
enum sales {}
impl sales {
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        use ::cacheback::__private as __cb;
        static SLOT: __cb::Slot = __cb::Slot::new(
                ::core::concat!(::core::module_path!(), "::", "sales"),
                |__cacheback_policy| __cacheback_policy.lifetime = __cb::seconds(600),
            )
            .shared(::core::option::Option::None);
        &SLOT
    }
    #[allow(
        clippy::fn_params_excessive_bools,
        clippy::large_types_passed_by_value,
        clippy::ref_option,
        clippy::too_many_arguments,
        clippy::trivially_copy_pass_by_ref,
        clippy::missing_docs_in_private_items,
        clippy::single_call_fn
    )]
    async fn __cacheback_body(db: &Db, region: &str, years: &[u16]) -> Vec<u64> {
        db.sales(region, years).await
    }
    /// The entry of these arguments of [`sales`](fn@sales).
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
    fn entry(db: &Db, region: &str, years: &[u16]) -> ::cacheback::Entry<Vec<u64>> {
        let _ = sales;
        use ::cacheback::__private::{self as __cb, probes::*};
        let __cacheback_probe = &__cb::Probe::<Vec<u64>>::NEW;
        __cb::shared_entry_of(
            Self::__cacheback_slot(),
            __cb::key(
                __cb::of::<(__cb::Ref<str>, __cb::Ref<[u16]>)>(),
                (&region, &years),
            ),
            __cb::args(
                __cb::of::<(__cb::Ref<Db>, __cb::Ref<str>, __cb::Ref<[u16]>)>(),
                (&db, &region, &years),
            ),
            __cb::Site::new(
                    __cb::of::<(__cb::Ref<Db>, __cb::Ref<str>, __cb::Ref<[u16]>)>(),
                    __cacheback_probe.__cacheback_outcome(),
                    |__cacheback_args| __cb::Box::pin(async move {
                        let (__cacheback_0, __cacheback_1, __cacheback_2) = __cacheback_args
                            .__cacheback_lend();
                        Self::__cacheback_body(
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
                    &Self::__cacheback_carriers(),
                    __cacheback_owned,
                ))
                .empty_default(),
            __cb::shared(
                    (&__cb::shared_parts((
                        __cb::shared_part(__cb::of::<__cb::Ref<str>>()),
                        __cb::shared_part(__cb::of::<__cb::Ref<[u16]>>()),
                    )))
                        .__cacheback_encoded(),
                    __cacheback_probe.__cacheback_outcome(),
                )
                .queue("default"),
        )
    }
    fn __cacheback_carriers() -> impl ::cacheback::__private::Carriers {
        use ::cacheback::__private::{self as __cb, probes::*};
        (
            __cb::provided(__cb::of::<__cb::Ref<Db>>(), "db"),
            (&__cb::carried_part(__cb::of::<__cb::Ref<str>>(), "region"))
                .__cacheback_carried(),
            (&__cb::carried_part(__cb::of::<__cb::Ref<[u16]>>(), "years"))
                .__cacheback_carried(),
        )
    }
    /// The cache of [`sales`](fn@sales).
    #[must_use]
    fn cache() -> ::cacheback::CacheRef {
        use ::cacheback::__private as __cb;
        __cb::queued_cache(
            Self::__cacheback_slot(),
            "default",
            || 0,
            Self::__cacheback_carriers(),
            |__cacheback_owned| {
                let (__cacheback_0, __cacheback_1, __cacheback_2) = __cb::lend(
                    __cb::of::<(__cb::Ref<Db>, __cb::Ref<str>, __cb::Ref<[u16]>)>(),
                    __cacheback_owned,
                );
                Self::entry(__cacheback_0, __cacheback_1, __cacheback_2)
            },
        )
    }
}
