#[allow(clippy::manual_async_fn)]
fn load(&self, ids: &[&str]) -> impl Future<Output = u32> + Send {
    async move {
        fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
            static SLOT: ::cacheback::__private::Slot = ::cacheback::__private::Slot::method(
                ::core::module_path!(),
                "load",
                |_| {},
            );
            &SLOT
        }
        let __cacheback_wait = {
            use ::cacheback::__private::{
                AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
                NoShareProbe as _, OpaqueProbe as _,
            };
            let __cacheback_marker = ::cacheback::__private::method::<Self, _>(|| ());
            let (__cacheback_0, __cacheback_1) = (self, ids);
            if let ::core::option::Option::Some(__cacheback_value) = ::cacheback::__private::hit(
                __cacheback_slot(),
                ::cacheback::__private::PhantomData::<
                    (::cacheback::__private::Slice<::cacheback::__private::Ref<str>>,),
                >,
                ::cacheback::__private::Probe::<u32>::NEW.outcome(),
                __cacheback_marker,
                (&__cacheback_1,),
            ) {
                return __cacheback_value;
            }
            ::cacheback::__private::wait({
                let __cacheback_probe = &::cacheback::__private::Probe::<u32>::NEW;
                let __cacheback_site = ::cacheback::__private::Site::new(
                    ::cacheback::__private::PhantomData::<
                        (
                            ::cacheback::__private::This<Self>,
                            ::cacheback::__private::Slice<
                                ::cacheback::__private::Ref<str>,
                            >,
                        ),
                    >,
                    __cacheback_probe.outcome(),
                    |__cacheback_args| ::cacheback::__private::Box::pin(async move {
                        let (__cacheback_0, __cacheback_1) = &*__cacheback_args;
                        if let ::core::option::Option::Some(__cacheback_returned) = ::core::option::Option::None::<
                            u32,
                        > {
                            return __cacheback_returned;
                        }
                        let __cacheback_self: &Self = ::cacheback::__private::lease::<
                            ::cacheback::__private::This<Self>,
                        >(__cacheback_0);
                        let ids: &[&str] = &::cacheback::__private::lease::<
                            ::cacheback::__private::Slice<
                                ::cacheback::__private::Ref<str>,
                            >,
                        >(__cacheback_1);
                        let __cacheback_returned: u32 = (move || {
                            let n = ids.len();
                            async move { __cacheback_self.get(n).await }
                        })()
                            .await;
                        __cacheback_returned
                    }),
                );
                let __cacheback_site = __cacheback_site
                    .share((&__cacheback_probe).share());
                let __cacheback_site = __cacheback_site
                    .describe(__cacheback_probe.describe());
                let __cacheback_site = __cacheback_site.empty_default();
                ::cacheback::__private::entry(
                    __cacheback_slot(),
                    ::cacheback::__private::PhantomData::<
                        (
                            ::cacheback::__private::Slice<
                                ::cacheback::__private::Ref<str>,
                            >,
                        ),
                    >,
                    __cacheback_marker,
                    (&__cacheback_1,),
                    __cacheback_site,
                    ::cacheback::__private::own_args(
                        ::cacheback::__private::PhantomData::<
                            (
                                ::cacheback::__private::This<Self>,
                                ::cacheback::__private::Slice<
                                    ::cacheback::__private::Ref<str>,
                                >,
                            ),
                        >,
                        (&__cacheback_0, &__cacheback_1),
                    ),
                )
            })
        };
        __cacheback_wait.await
    }
}
