async fn load(&self, id: u32, __cacheback_2: (u8, u8)) -> Result<u32, Error> {
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        use ::cacheback::__private as __cb;
        static SLOT: __cb::Slot = __cb::Slot::method(
            ::core::module_path!(),
            "load",
            |__cacheback_policy| __cacheback_policy.fetch_on_miss = true,
        );
        &SLOT
    }
    let __cacheback_wait = {
        use ::cacheback::__private::{self as __cb, probes::*};
        let __cacheback_marker = __cb::method::<Self, _>(|| ());
        let (__cacheback_0, __cacheback_1, __cacheback_2) = (self, id, __cacheback_2);
        if let ::core::option::Option::Some(__cacheback_value) = __cb::hit(
            __cacheback_slot().of(__cacheback_marker),
            __cb::key(
                __cb::of::<(__cb::Val<u32>, __cb::Val<(u8, u8)>)>(),
                (&__cacheback_1, &__cacheback_2),
            ),
            __cb::Probe::<Result<u32, Error>>::NEW.__cacheback_outcome(),
        ) {
            return __cacheback_value;
        }
        __cb::wait({
            let __cacheback_probe = &__cb::Probe::<Result<u32, Error>>::NEW;
            __cb::entry_of(
                __cacheback_slot().of(__cacheback_marker),
                __cb::key(
                    __cb::of::<(__cb::Val<u32>, __cb::Val<(u8, u8)>)>(),
                    (&__cacheback_1, &__cacheback_2),
                ),
                __cb::args(
                    __cb::of::<
                        (__cb::This<Self>, __cb::Val<u32>, __cb::Val<(u8, u8)>),
                    >(),
                    (&__cacheback_0, &__cacheback_1, &__cacheback_2),
                ),
                __cb::Site::new(
                        __cb::of::<
                            (__cb::This<Self>, __cb::Val<u32>, __cb::Val<(u8, u8)>),
                        >(),
                        __cacheback_probe.__cacheback_outcome(),
                        |__cacheback_args| __cb::Box::pin(async move {
                            let (__cacheback_0, __cacheback_1, __cacheback_2) = __cacheback_args
                                .__cacheback_lend();
                            if let ::core::option::Option::Some(__cacheback_returned) = ::core::option::Option::None::<
                                Result<u32, Error>,
                            > {
                                return __cacheback_returned;
                            }
                            let __cacheback_self: &Self = __cacheback_0;
                            #[allow(
                                clippy::shadow_reuse,
                                clippy::shadow_same,
                                clippy::shadow_unrelated
                            )]
                            let mut id: u32 = __cacheback_1;
                            #[allow(
                                clippy::shadow_reuse,
                                clippy::shadow_same,
                                clippy::shadow_unrelated
                            )]
                            let (a, _): (u8, u8) = __cacheback_2;
                            #[allow(clippy::diverging_sub_expression)]
                            let __cacheback_returned: Result<u32, Error> = {
                                id += a;
                                log!("{}", __cacheback_self.name);
                                if id == 0 {
                                    return Err(Error);
                                }
                                __cacheback_self.db.load(id).await
                            };
                            #[allow(unreachable_code)] return __cacheback_returned;
                        }),
                    )
                    .describe((&&__cacheback_probe).__cacheback_describe())
                    .share((&__cacheback_probe).__cacheback_share()),
            )
        })
    };
    return __cacheback_wait.await;
}
