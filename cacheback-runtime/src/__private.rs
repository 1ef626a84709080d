//! All that generated code may name. Not part of the public API: anything here changes without notice.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

pub use std::boxed::Box;
pub use std::marker::PhantomData;
pub use std::time::Duration;

pub use crate::key::{CowOf, Nested, Ref, Slice, This, Val};
pub use crate::marker::constant;
pub use crate::outcome::{
    AnyOutcome, ByArcProbe, ByCloneProbe, DebugProbe, Describe, NoShareProbe, OpaqueProbe, Probe,
};
pub use crate::policy::{Eviction, Policy};
pub use crate::site::{KeyIsArgs, OwnArgs, OwnedArgs, Site};
pub use crate::slot::Slot;
pub use crate::weight::weighed;

use crate::cache::{self, CacheRef};
use crate::handle::Entry;
use crate::key::{Args, ArgsView, Argument, KeyArgs, KeyView, Shape, Shapes};
use crate::marker::{Generic, Marker, Method};
use crate::origin::BoxFuture;
use crate::outcome::Outcome;
use crate::sync::Arc;

/// The answer to a call where there is one at once and nothing is to be started.
// One of these a cached function: shared between functions of the same types it would cost each call 20 instructions.
#[inline(always)]
#[must_use]
pub fn hit<A: KeyArgs, O: Outcome, M: Marker, W: KeyView<A>>(
    slot: &'static Slot,
    _: PhantomData<A>,
    _: O,
    _: PhantomData<M>,
    view: W,
) -> Option<O::Return> {
    slot.engine::<A, O, M>().look(view)
}

/// The answer to a call that is no plain hit.
#[must_use]
pub fn wait<R: Send + 'static>(entry: Entry<R>) -> Wait<R> {
    Wait(Some(Box::new(entry.call())))
}

/// The future of [`wait`], boxed twice: one pointer is all that the caller's future has to hold. `None` only while it
/// is dropped.
pub struct Wait<R>(Option<Box<BoxFuture<R>>>);

impl<R> Future for Wait<R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<R> {
        match &mut self.0 {
            Some(wait) => (**wait).as_mut().poll(context),
            None => unreachable!("it is polled before it is dropped"),
        }
    }
}

/// Out of line: the caller's future is dropped after each hit too.
impl<R> Drop for Wait<R> {
    #[inline]
    fn drop(&mut self) {
        if let Some(wait) = self.0.take() {
            leave(wait);
        }
    }
}

#[cold]
#[inline(never)]
fn leave<R>(wait: Box<BoxFuture<R>>) {
    drop(wait);
}

impl<R> std::fmt::Debug for Wait<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wait").finish_non_exhaustive()
    }
}

/// The handle of all caches of a function.
#[must_use]
pub fn cache(slot: &'static Slot) -> CacheRef {
    CacheRef::of_function(slot)
}

/// The handle of all caches of a method of `S`.
#[must_use]
pub fn cache_of_method<S: ?Sized + 'static>(slot: &'static Slot) -> CacheRef {
    slot.learn_owner::<Method<S, ()>>();
    CacheRef::of_function(slot)
}

/// The instantiation of a free function. `G` is of its own for each: a tuple of [`PhantomData`], or a closure that
/// stands in the function.
#[must_use]
pub fn generic<G: 'static>(_: G) -> PhantomData<Generic<G>> {
    PhantomData
}

/// The instantiation of a function in an `impl` for `S`. `G` as for [`generic`].
#[must_use]
pub fn method<S: ?Sized + 'static, G: 'static>(_: G) -> PhantomData<Method<S, G>> {
    PhantomData
}

/// The type of an argument that has no name.
#[must_use]
pub fn type_of<T>(_: &T) -> PhantomData<T> {
    PhantomData
}

/// The entry of a key: the function's site, and its owned arguments.
#[must_use]
pub fn entry<A: KeyArgs, F: Args, O: Outcome, M: Marker, W: KeyView<A>>(
    slot: &'static Slot,
    _: PhantomData<A>,
    _: PhantomData<M>,
    view: W,
    site: Site<F, O>,
    args: impl OwnedArgs<A, F>,
) -> Entry<O::Return> {
    cache::list_function(slot);
    Entry::new(Arc::new(site.with(slot.shared_engine::<A, O, M>(), view, args)))
}

/// See [`KeyIsArgs`].
#[must_use]
pub fn args_of_key() -> KeyIsArgs {
    KeyIsArgs
}

/// Owns the arguments. See [`OwnArgs`].
pub fn own_args<F: Args, W: ArgsView<F>>(_: PhantomData<F>, view: W) -> OwnArgs<F> {
    OwnArgs::new(view.own())
}

/// Lends the body an argument.
pub fn lease<S: Shape>(owned: &S::Owned) -> S::Lease<'_> {
    S::lease(owned)
}

/// The shape of a computed key part.
#[must_use]
pub fn by_val<T: Argument>(_: &T) -> PhantomData<Val<T>> {
    PhantomData
}

/// The shape of a key of which some part is computed.
#[must_use]
pub fn shapes<S: Shapes>(_: S) -> PhantomData<S::Args> {
    PhantomData
}
