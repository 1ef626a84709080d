/// A user.
#[cfg(unix)]
/**
 # Caching

 Answered from a cache: a value that is no longer fresh is refreshed in the background. While nothing is cached, a call gets `Self::nobody (id)` at once, not the value. To tell that from a value, call `self.user_entry(..).lookup().await`: its `status` is then `Status::Empty`. `self.user_entry(..)` takes the same arguments and reaches their entry, `Self::user_cache()` the whole cache.
*/
pub async fn user(&self, id: u64) -> Result<User, Error> {
    let __cacheback_wait = {
        use ::cacheback::__private::{self as __cb, probes::*};
        #[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]
        let (id,) = (id,);
        {
            let __cacheback_k0 = self.tenant;
            if let ::core::option::Option::Some(__cacheback_value) = __cb::hit(
                Self::__cacheback_user_slot_in_a_trait_impl_write_handle_false()
                    .of(__cb::method::<Self, _>(())),
                __cb::key(
                    __cb::shapes((
                        (&&__cb::computed(&__cacheback_k0)).__cacheback_shape(),
                        __cb::of::<__cb::Val<u64>>(),
                    )),
                    (&__cacheback_k0, &id),
                ),
                __cb::Probe::<Result<User, Error>>::NEW.__cacheback_outcome(),
            ) {
                return __cacheback_value;
            }
        }
        __cb::wait(Self::user_entry(self, id))
    };
    return __cacheback_wait.await;
}
#[cfg(unix)]
#[doc(hidden)]
#[forbid(dead_code)]
fn __cacheback_user_slot_in_a_trait_impl_write_handle_false() -> &'static ::cacheback::__private::Slot {
    use ::cacheback::__private as __cb;
    static SLOT: __cb::Slot = __cb::Slot::method(
        ::core::module_path!(),
        "user",
        |__cacheback_policy| {
            __cacheback_policy.varies = &["lifetime"];
        },
    );
    &SLOT
}
#[cfg(unix)]
#[doc(hidden)]
#[allow(dead_code)]
#[allow(
    clippy::fn_params_excessive_bools,
    clippy::large_types_passed_by_value,
    clippy::ref_option,
    clippy::too_many_arguments,
    clippy::trivially_copy_pass_by_ref,
    clippy::missing_docs_in_private_items,
    clippy::single_call_fn
)]
async fn __cacheback_user_body(&self, id: u64) -> Result<User, Error> {
    let _ = id;
    self.db.user(id).await
}
#[cfg(unix)]
#[forbid(dead_code)]
/// The entry of these arguments of [`user`](Self::user).
#[must_use]
#[cold]
#[allow(
    clippy::fn_params_excessive_bools,
    clippy::large_types_passed_by_value,
    clippy::ref_option,
    clippy::too_many_arguments,
    clippy::trivially_copy_pass_by_ref,
    clippy::needless_pass_by_value,
    clippy::ptr_arg,
    clippy::wrong_self_convention
)]
pub fn user_entry(&self, id: u64) -> ::cacheback::Entry<Result<User, Error>> {
    let _ = Self::user;
    use ::cacheback::__private::{self as __cb, probes::*};
    let __cacheback_k0 = self.tenant;
    let __cacheback_probe = &__cb::Probe::<Result<User, Error>>::NEW;
    __cb::entry_of(
        Self::__cacheback_user_slot_in_a_trait_impl_write_handle_false()
            .of(__cb::method::<Self, _>(())),
        __cb::key(
            __cb::shapes((
                (&&__cb::computed(&__cacheback_k0)).__cacheback_shape(),
                __cb::of::<__cb::Val<u64>>(),
            )),
            (&__cacheback_k0, &id),
        ),
        __cb::args(__cb::of::<(__cb::This<Self>, __cb::Val<u64>)>(), (&self, &id)),
        __cb::Site::new(
                __cb::of::<(__cb::This<Self>, __cb::Val<u64>)>(),
                __cacheback_probe.__cacheback_outcome(),
                |__cacheback_args| __cb::Box::pin(async move {
                    let (__cacheback_0, __cacheback_1) = __cacheback_args
                        .__cacheback_lend();
                    Self::__cacheback_user_body(__cacheback_0, __cacheback_1).await
                }),
            )
            .describe((&&__cacheback_probe).__cacheback_describe())
            .share((&__cacheback_probe).__cacheback_share())
            .empty(|__cacheback_args| {
                let (_, __cacheback_1) = __cacheback_args.__cacheback_lend();
                #[allow(
                    clippy::shadow_reuse,
                    clippy::shadow_same,
                    clippy::shadow_unrelated
                )]
                let id: u64 = __cacheback_1;
                let _ = &id;
                Self::nobody(id)
            })
            .vary(|__cacheback_args, __cacheback_policy| {
                __cacheback_policy.lifetime = {
                    let (__cacheback_0, _) = __cacheback_args.__cacheback_lend();
                    #[allow(
                        clippy::shadow_reuse,
                        clippy::shadow_same,
                        clippy::shadow_unrelated
                    )]
                    let __cacheback_self: &Self = __cacheback_0;
                    let _ = &__cacheback_self;
                    __cb::span(__cacheback_self.lifetime)
                };
            }),
    )
}
#[cfg(unix)]
#[forbid(dead_code)]
/// The cache of [`user`](Self::user).
#[must_use]
pub fn user_cache() -> ::cacheback::CacheRef {
    ::cacheback::__private::cache_of_method::<
        Self,
    >(Self::__cacheback_user_slot_in_a_trait_impl_write_handle_false())
}
