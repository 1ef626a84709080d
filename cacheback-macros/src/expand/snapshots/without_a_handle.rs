async fn alone(id: u32, names: &[&str]) -> Vec<String> {
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        static SLOT: ::cacheback::__private::Slot = ::cacheback::__private::Slot::new(
            ::core::concat!(::core::module_path!(), "::", "alone"),
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
    async fn __cacheback_body(id: u32, names: &[&str]) -> Vec<String> {
        names_of(id, names).await
    }
    let __cacheback_wait = {
        use ::cacheback::__private::{
            AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
            NoShareProbe as _, OpaqueProbe as _,
        };
        let __cacheback_k1 = names.len();
        let (__cacheback_0, __cacheback_1) = (id, names);
        if let ::core::option::Option::Some(__cacheback_value) = ::cacheback::__private::hit(
            __cacheback_slot(),
            ::cacheback::__private::shapes((
                ::cacheback::__private::PhantomData::<::cacheback::__private::Val<u32>>,
                ::cacheback::__private::by_val(&__cacheback_k1),
            )),
            ::cacheback::__private::Probe::<Vec<String>>::NEW.outcome(),
            ::cacheback::__private::PhantomData::<()>,
            (&__cacheback_0, &__cacheback_k1),
        ) {
            return __cacheback_value;
        }
        ::cacheback::__private::wait({
            let __cacheback_probe = &::cacheback::__private::Probe::<Vec<String>>::NEW;
            let __cacheback_site = ::cacheback::__private::Site::new(
                ::cacheback::__private::PhantomData::<
                    (
                        ::cacheback::__private::Val<u32>,
                        ::cacheback::__private::Slice<::cacheback::__private::Ref<str>>,
                    ),
                >,
                __cacheback_probe.outcome(),
                |__cacheback_args| ::cacheback::__private::Box::pin(async move {
                    let (__cacheback_0, __cacheback_1) = &*__cacheback_args;
                    __cacheback_body(
                            ::cacheback::__private::lease::<
                                ::cacheback::__private::Val<u32>,
                            >(__cacheback_0),
                            &::cacheback::__private::lease::<
                                ::cacheback::__private::Slice<
                                    ::cacheback::__private::Ref<str>,
                                >,
                            >(__cacheback_1),
                        )
                        .await
                }),
            );
            let __cacheback_site = __cacheback_site.share((&__cacheback_probe).share());
            let __cacheback_site = __cacheback_site
                .describe(__cacheback_probe.describe());
            let __cacheback_site = __cacheback_site.empty_default();
            ::cacheback::__private::entry(
                __cacheback_slot(),
                ::cacheback::__private::shapes((
                    ::cacheback::__private::PhantomData::<
                        ::cacheback::__private::Val<u32>,
                    >,
                    ::cacheback::__private::by_val(&__cacheback_k1),
                )),
                ::cacheback::__private::PhantomData::<()>,
                (&__cacheback_0, &__cacheback_k1),
                __cacheback_site,
                ::cacheback::__private::own_args(
                    ::cacheback::__private::PhantomData::<
                        (
                            ::cacheback::__private::Val<u32>,
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
