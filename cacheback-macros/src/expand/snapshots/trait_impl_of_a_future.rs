#[allow(clippy::manual_async_fn)]
fn load(&self, ids: &[&str]) -> impl Future<Output = u32> + Send {
    async move {
        fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
            use ::cacheback::__private;
            static SLOT: __private::Slot = __private::Slot::method(
                ::core::module_path!(),
                "load",
                |_| {},
            );
            &SLOT
        }
        let __cacheback_wait = {
            use ::cacheback::__private::{self, probes::*};
            let __cacheback_marker = __private::method::<Self, _>(|| ());
            let (__cacheback_0, __cacheback_1) = (self, ids);
            if let ::core::option::Option::Some(__cacheback_value) = __private::hit(
                __cacheback_slot().of(__cacheback_marker),
                __private::key(
                    __private::of::<(__private::Slice<__private::Ref<str>>,)>(),
                    (&__cacheback_1,),
                ),
                __private::Probe::<u32>::NEW.outcome(),
            ) {
                return __cacheback_value;
            }
            __private::wait({
                let __cacheback_probe = &__private::Probe::<u32>::NEW;
                let __cacheback_site = __private::Site::new(
                    __private::of::<
                        (__private::This<Self>, __private::Slice<__private::Ref<str>>),
                    >(),
                    __cacheback_probe.outcome(),
                    |__cacheback_args| __private::Box::pin(async move {
                        let (__cacheback_0, __cacheback_1) = __cacheback_args.lend();
                        if let ::core::option::Option::Some(__cacheback_returned) = ::core::option::Option::None::<
                            u32,
                        > {
                            return __cacheback_returned;
                        }
                        let __cacheback_self: &Self = __cacheback_0;
                        let ids: &[&str] = &__cacheback_1;
                        let __cacheback_returned: u32 = (move || {
                            let n = ids.len();
                            async move { __cacheback_self.get(n).await }
                        })()
                            .await;
                        __cacheback_returned
                    }),
                );
                let __cacheback_site = __cacheback_site
                    .errors((&__cacheback_probe).share(), __cacheback_probe.describe());
                let __cacheback_site = __cacheback_site.empty_default();
                __private::entry_of(
                    __cacheback_slot().of(__cacheback_marker),
                    __private::key(
                        __private::of::<(__private::Slice<__private::Ref<str>>,)>(),
                        (&__cacheback_1,),
                    ),
                    __private::args(
                        __private::of::<
                            (
                                __private::This<Self>,
                                __private::Slice<__private::Ref<str>>,
                            ),
                        >(),
                        (&__cacheback_0, &__cacheback_1),
                    ),
                    __cacheback_site,
                )
            })
        };
        __cacheback_wait.await
    }
}
