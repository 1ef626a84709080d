async fn expressions(user: &str, limit: u64, __cacheback_2: (u8, u8)) -> String {
    let __cacheback_wait = {
        use ::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        let (__cacheback_0, __cacheback_1, __cacheback_2) = (user, limit, __cacheback_2);
        if let ::core::option::Option::Some(__cacheback_value) = ::cacheback::__private::hit(
            expressions::__cacheback_slot(),
            ::cacheback::__private::PhantomData::<
                (
                    ::cacheback::__private::Ref<str>,
                    ::cacheback::__private::Val<u64>,
                    ::cacheback::__private::Val<(u8, u8)>,
                ),
            >,
            ::cacheback::__private::Probe::<String>::NEW.outcome(),
            ::cacheback::__private::PhantomData::<()>,
            (&__cacheback_0, &__cacheback_1, &__cacheback_2),
        ) {
            return __cacheback_value;
        }
        ::cacheback::__private::wait(
            expressions::entry(__cacheback_0, __cacheback_1, __cacheback_2),
        )
    };
    __cacheback_wait.await
}
#[doc(hidden)]
enum expressions {}
impl expressions {
    #[doc(hidden)]
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        static SLOT: ::cacheback::__private::Slot = ::cacheback::__private::Slot::new(
            ::core::concat!(::core::module_path!(), "::", "expressions"),
            |__cacheback_policy| {
                __cacheback_policy.max_stale = ::core::option::Option::Some(
                    ::cacheback::__private::Duration::new(3600, 0),
                );
                __cacheback_policy.retention = KEEP;
                __cacheback_policy.max_refreshes = ::core::option::Option::Some(8);
                __cacheback_policy.jitter = 0.1;
                __cacheback_policy.capacity = 1000;
                __cacheback_policy.eviction = ::cacheback::__private::Eviction::TinyLfu;
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
        clippy::trivially_copy_pass_by_ref
    )]
    async fn __cacheback_body(user: &str, mut limit: u64, (a, b): (u8, u8)) -> String {
        body(user, limit, a, b).await
    }
    #[allow(deprecated)]
    fn __cacheback_function() {
        let _ = expressions;
    }
    /// The entry of these arguments of [`expressions`](fn@expressions).
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
    fn entry(
        user: &str,
        limit: u64,
        __cacheback_2: (u8, u8),
    ) -> ::cacheback::Entry<String> {
        let _ = Self::__cacheback_function;
        use ::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        let __cacheback_probe = &::cacheback::__private::Probe::<String>::NEW;
        let __cacheback_site = ::cacheback::__private::Site::new(
            ::cacheback::__private::PhantomData::<
                (
                    ::cacheback::__private::Ref<str>,
                    ::cacheback::__private::Val<u64>,
                    ::cacheback::__private::Val<(u8, u8)>,
                ),
            >,
            __cacheback_probe.outcome(),
            |__cacheback_args| ::cacheback::__private::Box::pin(async move {
                let (__cacheback_0, __cacheback_1, __cacheback_2) = &*__cacheback_args;
                Self::__cacheback_body(
                        ::cacheback::__private::lease::<
                            ::cacheback::__private::Ref<str>,
                        >(__cacheback_0),
                        ::cacheback::__private::lease::<
                            ::cacheback::__private::Val<u64>,
                        >(__cacheback_1),
                        ::cacheback::__private::lease::<
                            ::cacheback::__private::Val<(u8, u8)>,
                        >(__cacheback_2),
                    )
                    .await
            }),
        );
        let __cacheback_site = __cacheback_site.share((&__cacheback_probe).share());
        let __cacheback_site = __cacheback_site.describe(__cacheback_probe.describe());
        let __cacheback_site = __cacheback_site
            .empty(|__cacheback_args| {
                let (__cacheback_0, _, _) = __cacheback_args;
                let user: &str = ::cacheback::__private::lease::<
                    ::cacheback::__private::Ref<str>,
                >(__cacheback_0);
                let _ = &user;
                format!("{user}")
            });
        let __cacheback_site = __cacheback_site
            .vary(|__cacheback_args, __cacheback_policy| {
                __cacheback_policy.lifetime = {
                    let (_, __cacheback_1, _) = __cacheback_args;
                    let limit: u64 = ::cacheback::__private::lease::<
                        ::cacheback::__private::Val<u64>,
                    >(__cacheback_1);
                    let _ = &limit;
                    minutes(limit)
                };
                __cacheback_policy.retention = KEEP;
            });
        let __cacheback_site = __cacheback_site
            .fetch_on_miss(|__cacheback_args| {
                let (_, __cacheback_1, _) = __cacheback_args;
                let limit: u64 = ::cacheback::__private::lease::<
                    ::cacheback::__private::Val<u64>,
                >(__cacheback_1);
                let _ = &limit;
                limit > 3
            });
        let __cacheback_site = __cacheback_site
            .wait(|__cacheback_args| {
                let (__cacheback_0, _, _) = __cacheback_args;
                let user: &str = ::cacheback::__private::lease::<
                    ::cacheback::__private::Ref<str>,
                >(__cacheback_0);
                let _ = &user;
                patience(user)
            });
        ::cacheback::__private::entry(
            Self::__cacheback_slot(),
            ::cacheback::__private::PhantomData::<
                (
                    ::cacheback::__private::Ref<str>,
                    ::cacheback::__private::Val<u64>,
                    ::cacheback::__private::Val<(u8, u8)>,
                ),
            >,
            ::cacheback::__private::PhantomData::<()>,
            (&user, &limit, &__cacheback_2),
            __cacheback_site,
            ::cacheback::__private::args_of_key(),
        )
    }
    /// The cache of [`expressions`](fn@expressions).
    #[must_use]
    fn cache() -> ::cacheback::CacheRef {
        ::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
