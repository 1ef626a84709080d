async fn load(&self, id: u32, __cacheback_2: (u8, u8)) -> Result<u32, Error> {
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        static SLOT: ::cacheback::__private::Slot = ::cacheback::__private::Slot::method(
            ::core::module_path!(),
            "load",
            |__cacheback_policy| {
                __cacheback_policy.fetch_on_miss = true;
            },
        );
        &SLOT
    }
    let __cacheback_wait = {
        use ::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        let __cacheback_marker = ::cacheback::__private::method::<Self, _>(|| ());
        let (__cacheback_0, __cacheback_1, __cacheback_2) = (self, id, __cacheback_2);
        if let ::core::option::Option::Some(__cacheback_value) = ::cacheback::__private::hit(
            __cacheback_slot(),
            ::cacheback::__private::PhantomData::<
                (::cacheback::__private::Val<u32>, ::cacheback::__private::Val<(u8, u8)>),
            >,
            ::cacheback::__private::Probe::<Result<u32, Error>>::NEW.outcome(),
            __cacheback_marker,
            (&__cacheback_1, &__cacheback_2),
        ) {
            return __cacheback_value;
        }
        ::cacheback::__private::wait({
            let __cacheback_probe = &::cacheback::__private::Probe::<
                Result<u32, Error>,
            >::NEW;
            let __cacheback_site = ::cacheback::__private::Site::new(
                ::cacheback::__private::PhantomData::<
                    (
                        ::cacheback::__private::This<Self>,
                        ::cacheback::__private::Val<u32>,
                        ::cacheback::__private::Val<(u8, u8)>,
                    ),
                >,
                __cacheback_probe.outcome(),
                |__cacheback_args| ::cacheback::__private::Box::pin(async move {
                    let (__cacheback_0, __cacheback_1, __cacheback_2) = &*__cacheback_args;
                    if let ::core::option::Option::Some(__cacheback_returned) = ::core::option::Option::None::<
                        Result<u32, Error>,
                    > {
                        return __cacheback_returned;
                    }
                    let __cacheback_self: &Self = ::cacheback::__private::lease::<
                        ::cacheback::__private::This<Self>,
                    >(__cacheback_0);
                    let mut id: u32 = ::cacheback::__private::lease::<
                        ::cacheback::__private::Val<u32>,
                    >(__cacheback_1);
                    let (a, _): (u8, u8) = ::cacheback::__private::lease::<
                        ::cacheback::__private::Val<(u8, u8)>,
                    >(__cacheback_2);
                    let __cacheback_returned: Result<u32, Error> = {
                        id += a;
                        log!("{}", __cacheback_self.name);
                        if id == 0 {
                            return Err(Error);
                        }
                        __cacheback_self.db.load(id).await
                    };
                    __cacheback_returned
                }),
            );
            let __cacheback_site = __cacheback_site.share((&__cacheback_probe).share());
            let __cacheback_site = __cacheback_site
                .describe(__cacheback_probe.describe());
            ::cacheback::__private::entry(
                __cacheback_slot(),
                ::cacheback::__private::PhantomData::<
                    (
                        ::cacheback::__private::Val<u32>,
                        ::cacheback::__private::Val<(u8, u8)>,
                    ),
                >,
                __cacheback_marker,
                (&__cacheback_1, &__cacheback_2),
                __cacheback_site,
                ::cacheback::__private::own_args(
                    ::cacheback::__private::PhantomData::<
                        (
                            ::cacheback::__private::This<Self>,
                            ::cacheback::__private::Val<u32>,
                            ::cacheback::__private::Val<(u8, u8)>,
                        ),
                    >,
                    (&__cacheback_0, &__cacheback_1, &__cacheback_2),
                ),
            )
        })
    };
    __cacheback_wait.await
}
