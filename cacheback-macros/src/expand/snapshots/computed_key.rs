async fn search(
    db: &Arc<Db>,
    username: &str,
    limit: u32,
    __cacheback_3: u64,
) -> Vec<Tweet> {
    let __cacheback_wait = {
        use ::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        let __cacheback_k0 = username.to_lowercase();
        let (__cacheback_0, __cacheback_1, __cacheback_2, __cacheback_3) = (
            db,
            username,
            limit,
            __cacheback_3,
        );
        if let ::core::option::Option::Some(__cacheback_value) = ::cacheback::__private::hit(
            search::__cacheback_slot(),
            ::cacheback::__private::shapes((
                ::cacheback::__private::by_val(&__cacheback_k0),
                ::cacheback::__private::PhantomData::<::cacheback::__private::Val<u32>>,
            )),
            ::cacheback::__private::Probe::<Vec<Tweet>>::NEW.outcome(),
            ::cacheback::__private::PhantomData::<()>,
            (&__cacheback_k0, &__cacheback_2),
        ) {
            return __cacheback_value;
        }
        ::cacheback::__private::wait(
            search::entry(__cacheback_0, __cacheback_1, __cacheback_2, __cacheback_3),
        )
    };
    __cacheback_wait.await
}
#[doc(hidden)]
enum search {}
impl search {
    #[doc(hidden)]
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        static SLOT: ::cacheback::__private::Slot = ::cacheback::__private::Slot::new(
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
        clippy::trivially_copy_pass_by_ref
    )]
    async fn __cacheback_body(
        db: &Arc<Db>,
        username: &str,
        limit: u32,
        _trace: u64,
    ) -> Vec<Tweet> {
        db.search(username, limit).await
    }
    #[allow(deprecated)]
    fn __cacheback_function() {
        let _ = search;
    }
    /// The entry of these arguments of [`search`](fn@search).
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
        db: &Arc<Db>,
        username: &str,
        limit: u32,
        __cacheback_3: u64,
    ) -> ::cacheback::Entry<Vec<Tweet>> {
        let _ = Self::__cacheback_function;
        use ::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        let __cacheback_k0 = username.to_lowercase();
        let __cacheback_probe = &::cacheback::__private::Probe::<Vec<Tweet>>::NEW;
        let __cacheback_site = ::cacheback::__private::Site::new(
            ::cacheback::__private::PhantomData::<
                (
                    ::cacheback::__private::Ref<Arc<Db>>,
                    ::cacheback::__private::Ref<str>,
                    ::cacheback::__private::Val<u32>,
                    ::cacheback::__private::Val<u64>,
                ),
            >,
            __cacheback_probe.outcome(),
            |__cacheback_args| ::cacheback::__private::Box::pin(async move {
                let (__cacheback_0, __cacheback_1, __cacheback_2, __cacheback_3) = &*__cacheback_args;
                Self::__cacheback_body(
                        ::cacheback::__private::lease::<
                            ::cacheback::__private::Ref<Arc<Db>>,
                        >(__cacheback_0),
                        ::cacheback::__private::lease::<
                            ::cacheback::__private::Ref<str>,
                        >(__cacheback_1),
                        ::cacheback::__private::lease::<
                            ::cacheback::__private::Val<u32>,
                        >(__cacheback_2),
                        ::cacheback::__private::lease::<
                            ::cacheback::__private::Val<u64>,
                        >(__cacheback_3),
                    )
                    .await
            }),
        );
        let __cacheback_site = __cacheback_site.share((&__cacheback_probe).share());
        let __cacheback_site = __cacheback_site.describe(__cacheback_probe.describe());
        let __cacheback_site = __cacheback_site.empty_default();
        ::cacheback::__private::entry(
            Self::__cacheback_slot(),
            ::cacheback::__private::shapes((
                ::cacheback::__private::by_val(&__cacheback_k0),
                ::cacheback::__private::PhantomData::<::cacheback::__private::Val<u32>>,
            )),
            ::cacheback::__private::PhantomData::<()>,
            (&__cacheback_k0, &limit),
            __cacheback_site,
            ::cacheback::__private::own_args(
                ::cacheback::__private::PhantomData::<
                    (
                        ::cacheback::__private::Ref<Arc<Db>>,
                        ::cacheback::__private::Ref<str>,
                        ::cacheback::__private::Val<u32>,
                        ::cacheback::__private::Val<u64>,
                    ),
                >,
                (&db, &username, &limit, &__cacheback_3),
            ),
        )
    }
    /// The cache of [`search`](fn@search).
    #[must_use]
    fn cache() -> ::cacheback::CacheRef {
        ::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
