async fn alone(id: u32, names: &[&str]) -> Vec<String> {
    fn __cacheback_slot() -> &'static ::cacheback::__private::Slot {
        use ::cacheback::__private as __cb;
        static SLOT: __cb::Slot = __cb::Slot::new(
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
        clippy::trivially_copy_pass_by_ref,
        clippy::missing_docs_in_private_items,
        clippy::single_call_fn
    )]
    async fn __cacheback_body(id: u32, names: &[&str]) -> Vec<String> {
        let _ = id;
        let _ = names;
        names_of(id, names).await
    }
    let __cacheback_wait = {
        use ::cacheback::__private::{self as __cb, probes::*};
        #[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]
        let (id, names) = (id, names);
        let __cacheback_k1 = names.len();
        if let ::core::option::Option::Some(__cacheback_value) = __cb::hit(
            __cacheback_slot(),
            __cb::key(
                __cb::shapes((
                    __cb::of::<__cb::Val<u32>>(),
                    (&&__cb::computed(&__cacheback_k1)).__cacheback_shape(),
                )),
                (&id, &__cacheback_k1),
            ),
            __cb::Probe::<Vec<String>>::NEW.__cacheback_outcome(),
        ) {
            return __cacheback_value;
        }
        __cb::wait({
            let __cacheback_probe = &__cb::Probe::<Vec<String>>::NEW;
            __cb::entry_of(
                __cacheback_slot(),
                __cb::key(
                    __cb::shapes((
                        __cb::of::<__cb::Val<u32>>(),
                        (&&__cb::computed(&__cacheback_k1)).__cacheback_shape(),
                    )),
                    (&id, &__cacheback_k1),
                ),
                __cb::args(
                    __cb::of::<(__cb::Val<u32>, __cb::Slice<__cb::Ref<str>>)>(),
                    (&id, &names),
                ),
                __cb::Site::new(
                        __cb::of::<(__cb::Val<u32>, __cb::Slice<__cb::Ref<str>>)>(),
                        __cacheback_probe.__cacheback_outcome(),
                        |__cacheback_args| __cb::Box::pin(async move {
                            let (__cacheback_0, __cacheback_1) = __cacheback_args
                                .__cacheback_lend();
                            __cacheback_body(__cacheback_0, &__cacheback_1).await
                        }),
                    )
                    .describe((&&__cacheback_probe).__cacheback_describe())
                    .share((&__cacheback_probe).__cacheback_share())
                    .empty_default(),
            )
        })
    };
    return __cacheback_wait.await;
}
