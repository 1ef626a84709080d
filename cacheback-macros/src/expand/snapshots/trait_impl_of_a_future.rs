#[allow(clippy::manual_async_fn)]
fn load(&self, ids: &[&str]) -> impl Future<Output = u32> + Send {
    return async move {
        fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
            use ::cacheback::__private as __cb;
            static SLOT: __cb::Slot = __cb::Slot::method(
                ::core::module_path!(),
                "load",
                |_| {},
            );
            &SLOT
        }
        let __cacheback_wait = {
            use ::cacheback::__private::{self as __cb, probes::*};
            let __cacheback_marker = __cb::method::<Self, _>(|| ());
            let (__cacheback_0, __cacheback_1) = (self, ids);
            if let ::core::option::Option::Some(__cacheback_value) = __cb::hit(
                __cacheback_slot().of(__cacheback_marker),
                __cb::key(
                    __cb::of::<(__cb::Slice<__cb::Ref<str>>,)>(),
                    (&__cacheback_1,),
                ),
                __cb::Probe::<u32>::NEW.__cacheback_outcome(),
            ) {
                return __cacheback_value;
            }
            __cb::wait({
                let __cacheback_probe = &__cb::Probe::<u32>::NEW;
                __cb::entry_of(
                    __cacheback_slot().of(__cacheback_marker),
                    __cb::key(
                        __cb::of::<(__cb::Slice<__cb::Ref<str>>,)>(),
                        (&__cacheback_1,),
                    ),
                    __cb::args(
                        __cb::of::<(__cb::This<Self>, __cb::Slice<__cb::Ref<str>>)>(),
                        (&__cacheback_0, &__cacheback_1),
                    ),
                    __cb::Site::new(
                            __cb::of::<
                                (__cb::This<Self>, __cb::Slice<__cb::Ref<str>>),
                            >(),
                            __cacheback_probe.__cacheback_outcome(),
                            |__cacheback_args| __cb::Box::pin(async move {
                                let (__cacheback_0, __cacheback_1) = __cacheback_args
                                    .__cacheback_lend();
                                if let ::core::option::Option::Some(__cacheback_returned) = ::core::option::Option::None::<
                                    u32,
                                > {
                                    return __cacheback_returned;
                                }
                                let __cacheback_self: &Self = __cacheback_0;
                                #[allow(
                                    clippy::shadow_reuse,
                                    clippy::shadow_same,
                                    clippy::shadow_unrelated
                                )]
                                let ids: &[&str] = &__cacheback_1;
                                #[allow(clippy::diverging_sub_expression)]
                                let __cacheback_returned: u32 = (move || {
                                    let n = ids.len();
                                    async move { __cacheback_self.get(n).await }
                                })()
                                    .await;
                                #[allow(unreachable_code)] return __cacheback_returned;
                            }),
                        )
                        .describe((&&__cacheback_probe).__cacheback_describe())
                        .share((&__cacheback_probe).__cacheback_share())
                        .empty_default(),
                )
            })
        };
        return __cacheback_wait.await;
    };
}
