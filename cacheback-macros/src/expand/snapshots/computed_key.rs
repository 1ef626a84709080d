async fn search(
    db: &Arc<Db>,
    username: &str,
    limit: u32,
    __cacheback_3: u64,
) -> Vec<Tweet> {
    let __cacheback_wait = {
        use ::cacheback::__private::{self as __cb, probes::*};
        #[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]
        let (db, username, limit, __cacheback_3) = (db, username, limit, __cacheback_3);
        {
            let __cacheback_k0 = username.to_lowercase();
            if let ::core::option::Option::Some(__cacheback_value) = __cb::hit(
                search::__cacheback_slot(),
                __cb::key(
                    __cb::shapes((
                        (&&__cb::computed(&__cacheback_k0)).__cacheback_shape(),
                        __cb::of::<__cb::Val<u32>>(),
                    )),
                    (&__cacheback_k0, &limit),
                ),
                __cb::Probe::<Vec<Tweet>>::NEW.__cacheback_outcome(),
            ) {
                return __cacheback_value;
            }
        }
        __cb::wait(search::entry(db, username, limit, __cacheback_3))
    };
    return __cacheback_wait.await;
}
#[doc(hidden)]
enum search {}
impl search {
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        use ::cacheback::__private as __cb;
        static SLOT: __cb::Slot = __cb::Slot::new(
            ::core::concat!(::core::module_path!(), "::", "search"),
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
        clippy::single_call_fn
    )]
    async fn __cacheback_body(
        db: &Arc<Db>,
        username: &str,
        limit: u32,
        _trace: u64,
    ) -> Vec<Tweet> {
        let _ = username;
        let _ = limit;
        db.search(username, limit).await
    }
    /// The entry of these arguments of [`search`](fn@search).
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
        db: &Arc<Db>,
        username: &str,
        limit: u32,
        __cacheback_3: u64,
    ) -> ::cacheback::Entry<Vec<Tweet>> {
        let _ = search;
        use ::cacheback::__private::{self as __cb, probes::*};
        let __cacheback_k0 = username.to_lowercase();
        let __cacheback_probe = &__cb::Probe::<Vec<Tweet>>::NEW;
        __cb::entry_of(
            Self::__cacheback_slot(),
            __cb::key(
                __cb::shapes((
                    (&&__cb::computed(&__cacheback_k0)).__cacheback_shape(),
                    __cb::of::<__cb::Val<u32>>(),
                )),
                (&__cacheback_k0, &limit),
            ),
            __cb::args(
                __cb::of::<
                    (__cb::Ref<Arc<Db>>, __cb::Ref<str>, __cb::Val<u32>, __cb::Val<u64>),
                >(),
                (&db, &username, &limit, &__cacheback_3),
            ),
            __cb::Site::new(
                    __cb::of::<
                        (
                            __cb::Ref<Arc<Db>>,
                            __cb::Ref<str>,
                            __cb::Val<u32>,
                            __cb::Val<u64>,
                        ),
                    >(),
                    __cacheback_probe.__cacheback_outcome(),
                    |__cacheback_args| __cb::Box::pin(async move {
                        let (
                            __cacheback_0,
                            __cacheback_1,
                            __cacheback_2,
                            __cacheback_3,
                        ) = __cacheback_args.__cacheback_lend();
                        Self::__cacheback_body(
                                __cacheback_0,
                                __cacheback_1,
                                __cacheback_2,
                                __cacheback_3,
                            )
                            .await
                    }),
                )
                .describe((&&__cacheback_probe).__cacheback_describe())
                .share((&__cacheback_probe).__cacheback_share())
                .empty_default(),
        )
    }
    /// The cache of [`search`](fn@search).
    #[must_use]
    fn cache() -> ::cacheback::CacheRef {
        ::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
