async fn expressions(user: &str, limit: u64, __cacheback_2: (u8, u8)) -> String {
    let __cacheback_wait = {
        use ::cacheback::__private::{self as __cb, probes::*};
        let (__cacheback_0, __cacheback_1, __cacheback_2) = (user, limit, __cacheback_2);
        if let ::core::option::Option::Some(__cacheback_value) = __cb::hit(
            expressions::__cacheback_slot(),
            __cb::key(
                __cb::of::<(__cb::Ref<str>, __cb::Val<u64>, __cb::Val<(u8, u8)>)>(),
                (&__cacheback_0, &__cacheback_1, &__cacheback_2),
            ),
            __cb::Probe::<String>::NEW.__cacheback_outcome(),
        ) {
            return __cacheback_value;
        }
        __cb::wait(expressions::entry(__cacheback_0, __cacheback_1, __cacheback_2))
    };
    return __cacheback_wait.await;
}
#[doc(hidden)]
enum expressions {}
impl expressions {
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        use ::cacheback::__private as __cb;
        static SLOT: __cb::Slot = __cb::Slot::new(
            ::core::concat!(::core::module_path!(), "::", "expressions"),
            |__cacheback_policy| {
                __cacheback_policy.max_stale = ::core::option::Option::Some(
                    __cb::seconds(3600),
                );
                __cacheback_policy.retention = __cb::span(KEEP);
                __cacheback_policy.max_refreshes = ::core::option::Option::Some(8);
                __cacheback_policy.jitter = 0.1;
                __cacheback_policy.capacity = 1000;
                __cacheback_policy.eviction = __cb::Eviction::TinyLfu;
                __cacheback_policy.varies = &["lifetime", "wait", "fetch_on_miss"];
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
        clippy::single_call_fn
    )]
    async fn __cacheback_body(user: &str, mut limit: u64, (a, b): (u8, u8)) -> String {
        let _ = user;
        let _ = limit;
        body(user, limit, a, b).await
    }
    /// The entry of these arguments of [`expressions`](fn@expressions).
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
        user: &str,
        limit: u64,
        __cacheback_2: (u8, u8),
    ) -> ::cacheback::Entry<String> {
        let _ = expressions;
        use ::cacheback::__private::{self as __cb, probes::*};
        let __cacheback_probe = &__cb::Probe::<String>::NEW;
        __cb::entry(
            Self::__cacheback_slot(),
            __cb::key(
                __cb::of::<(__cb::Ref<str>, __cb::Val<u64>, __cb::Val<(u8, u8)>)>(),
                (&user, &limit, &__cacheback_2),
            ),
            __cb::Site::new(
                    __cb::of::<(__cb::Ref<str>, __cb::Val<u64>, __cb::Val<(u8, u8)>)>(),
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
                .empty(|__cacheback_args| {
                    let (__cacheback_0, _, _) = __cacheback_args.__cacheback_lend();
                    #[allow(
                        clippy::shadow_reuse,
                        clippy::shadow_same,
                        clippy::shadow_unrelated
                    )]
                    let user: &str = __cacheback_0;
                    let _ = &user;
                    format!("{user}")
                })
                .vary(|__cacheback_args, __cacheback_policy| {
                    __cacheback_policy.lifetime = {
                        let (_, __cacheback_1, _) = __cacheback_args.__cacheback_lend();
                        #[allow(
                            clippy::shadow_reuse,
                            clippy::shadow_same,
                            clippy::shadow_unrelated
                        )]
                        let limit: u64 = __cacheback_1;
                        let _ = &limit;
                        minutes(limit)
                    };
                    __cacheback_policy.retention = __cb::span(KEEP);
                })
                .fetch_on_miss(|__cacheback_args| {
                    let (_, __cacheback_1, _) = __cacheback_args.__cacheback_lend();
                    #[allow(
                        clippy::shadow_reuse,
                        clippy::shadow_same,
                        clippy::shadow_unrelated
                    )]
                    let limit: u64 = __cacheback_1;
                    let _ = &limit;
                    limit > 3
                })
                .wait(|__cacheback_args| {
                    let (__cacheback_0, _, _) = __cacheback_args.__cacheback_lend();
                    #[allow(
                        clippy::shadow_reuse,
                        clippy::shadow_same,
                        clippy::shadow_unrelated
                    )]
                    let user: &str = __cacheback_0;
                    let _ = &user;
                    patience(user)
                }),
        )
    }
    /// The cache of [`expressions`](fn@expressions).
    #[must_use]
    fn cache() -> ::cacheback::CacheRef {
        ::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
