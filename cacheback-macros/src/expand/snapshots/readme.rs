async fn user_tweets(username: &str) -> Vec<String> {
    let __cacheback_wait = {
        use ::cacheback::__private::{self as __cb, probes::*};
        let (__cacheback_0,) = (username,);
        if let ::core::option::Option::Some(__cacheback_value) = __cb::hit(
            user_tweets::__cacheback_slot(),
            __cb::key(__cb::of::<(__cb::Ref<str>,)>(), (&__cacheback_0,)),
            __cb::Probe::<Vec<String>>::NEW.__cacheback_outcome(),
        ) {
            return __cacheback_value;
        }
        __cb::wait(user_tweets::entry(__cacheback_0))
    };
    return __cacheback_wait.await;
}
#[doc(hidden)]
enum user_tweets {}
impl user_tweets {
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        use ::cacheback::__private as __cb;
        static SLOT: __cb::Slot = __cb::Slot::new(
            ::core::concat!(::core::module_path!(), "::", "user_tweets"),
            |__cacheback_policy| __cacheback_policy.lifetime = __cb::seconds(600),
        );
        &SLOT
    }
    #[allow(clippy::missing_docs_in_private_items, clippy::single_call_fn)]
    async fn __cacheback_body(username: &str) -> Vec<String> {
        twitter::timeline(username).await
    }
    /// The entry of these arguments of [`user_tweets`](fn@user_tweets).
    #[must_use]
    #[cold]
    fn entry(username: &str) -> ::cacheback::Entry<Vec<String>> {
        let _ = user_tweets;
        use ::cacheback::__private::{self as __cb, probes::*};
        let __cacheback_probe = &__cb::Probe::<Vec<String>>::NEW;
        __cb::entry(
            Self::__cacheback_slot(),
            __cb::key(__cb::of::<(__cb::Ref<str>,)>(), (&username,)),
            __cb::Site::new(
                    __cb::of::<(__cb::Ref<str>,)>(),
                    __cacheback_probe.__cacheback_outcome(),
                    |__cacheback_args| __cb::Box::pin(async move {
                        let (__cacheback_0,) = __cacheback_args.__cacheback_lend();
                        Self::__cacheback_body(__cacheback_0).await
                    }),
                )
                .describe((&&__cacheback_probe).__cacheback_describe())
                .share((&__cacheback_probe).__cacheback_share())
                .empty_default(),
        )
    }
    /// The cache of [`user_tweets`](fn@user_tweets).
    #[must_use]
    fn cache() -> ::cacheback::CacheRef {
        ::cacheback::__private::cache(Self::__cacheback_slot())
    }
}
