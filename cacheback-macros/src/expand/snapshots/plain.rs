/// Tweets of a user.
/**
 # Caching

 Answered from a cache: a value is fresh for 10 min, after that it is refreshed behind the callers' backs. While nothing is cached, a call gets the empty (default) value at once. `user_tweets::entry(..)` takes the same arguments and reaches their entry, `user_tweets::cache()` the whole cache.
*/
pub async fn user_tweets(username: &str, limit: u32) -> Vec<Tweet> {
    let __cacheback_wait = {
        use ::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        let (__cacheback_0, __cacheback_1) = (username, limit);
        if let ::core::option::Option::Some(__cacheback_value) = ::cacheback::__private::hit(
            user_tweets::__cacheback_slot(),
            ::cacheback::__private::PhantomData::<
                (::cacheback::__private::Ref<str>, ::cacheback::__private::Val<u32>),
            >,
            ::cacheback::__private::Probe::<Vec<Tweet>>::NEW.outcome(),
            ::cacheback::__private::PhantomData::<()>,
            (&__cacheback_0, &__cacheback_1),
        ) {
            return __cacheback_value;
        }
        ::cacheback::__private::wait(user_tweets::entry(__cacheback_0, __cacheback_1))
    };
    __cacheback_wait.await
}
#[doc(hidden)]
pub enum user_tweets {}
impl user_tweets {
    #[doc(hidden)]
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        static SLOT: ::cacheback::__private::Slot = ::cacheback::__private::Slot::new(
            ::core::concat!(::core::module_path!(), "::", "user_tweets"),
            |__cacheback_policy| {
                __cacheback_policy.lifetime = ::cacheback::__private::Duration::new(
                    600,
                    0,
                );
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
    async fn __cacheback_body(username: &str, limit: u32) -> Vec<Tweet> {
        twitter::timeline(username, limit).await
    }
    #[allow(deprecated)]
    fn __cacheback_function() {
        let _ = user_tweets;
    }
    /// The entry of these arguments of [`user_tweets`](fn@user_tweets).
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
    pub fn entry(username: &str, limit: u32) -> ::cacheback::Entry<Vec<Tweet>> {
        let _ = Self::__cacheback_function;
        use ::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        let __cacheback_probe = &::cacheback::__private::Probe::<Vec<Tweet>>::NEW;
        let __cacheback_site = ::cacheback::__private::Site::new(
            ::cacheback::__private::PhantomData::<
                (::cacheback::__private::Ref<str>, ::cacheback::__private::Val<u32>),
            >,
            __cacheback_probe.outcome(),
            |__cacheback_args| ::cacheback::__private::Box::pin(async move {
                let (__cacheback_0, __cacheback_1) = &*__cacheback_args;
                Self::__cacheback_body(
                        ::cacheback::__private::lease::<
                            ::cacheback::__private::Ref<str>,
                        >(__cacheback_0),
                        ::cacheback::__private::lease::<
                            ::cacheback::__private::Val<u32>,
                        >(__cacheback_1),
                    )
                    .await
            }),
        );
        let __cacheback_site = __cacheback_site.share((&__cacheback_probe).share());
        let __cacheback_site = __cacheback_site.describe(__cacheback_probe.describe());
        let __cacheback_site = __cacheback_site.empty_default();
        ::cacheback::__private::entry(
            Self::__cacheback_slot(),
            ::cacheback::__private::PhantomData::<
                (::cacheback::__private::Ref<str>, ::cacheback::__private::Val<u32>),
            >,
            ::cacheback::__private::PhantomData::<()>,
            (&username, &limit),
            __cacheback_site,
            ::cacheback::__private::args_of_key(),
        )
    }
    /// The cache of [`user_tweets`](fn@user_tweets).
    #[must_use]
    pub fn cache() -> ::cacheback::CacheRef {
        ::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
