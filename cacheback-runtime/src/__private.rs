//! All that generated code may name. Not part of the public API: anything here changes without notice.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

pub use std::boxed::Box;
pub use std::marker::PhantomData;
pub use std::time::Duration;

pub use crate::function::definition::Site;
pub use crate::function::instance::Instantiation;
pub use crate::function::marker::constant;
pub use crate::function::slot::Slot;
pub use crate::function::span::span;
pub use crate::key::{Computed, CowOf, Nested, Ref, Slice, This, Val, computed};
pub use crate::outcome::weight::weighed;
pub use crate::outcome::{Describe, Probe};
pub use crate::rules::policy::{Eviction, Policy};

// The bounds of generated code, so that the compiler names them by a path that its reader has.
#[cfg(feature = "shared")]
pub use crate::function::queued::{
    AnyArgs, Carried, CarriedPart, Carrier, Carriers, Missing, Provided, Provisions, QueuedArgument, Rest,
    carried, carried_part, carry, provided,
};
#[cfg(feature = "shared")]
pub use crate::function::shared::{
    Encoded, SharedKey, SharedParts, SharedSite, SharedValue, shared_part, shared_parts,
};
pub use crate::function::span::Span;
pub use crate::key::{ArgsOver, Argument, Borrowed, Key, KeyOver, KeyShape, Own, Receiver, Shape, Shapes};
pub use crate::outcome::weight::Weight;
pub use crate::outcome::{Empty, Failure, Value};

use crate::api::cache::{self, CacheRef};
use crate::api::entry::Entry;
#[cfg(feature = "shared")]
use crate::api::serve::ServedFunction;
use crate::base::sync::Arc;
use crate::base::tasks::BoxFuture;
use crate::engine::Of;
use crate::function::definition::IsSite;
use crate::function::marker::{Generic, Method};
use crate::key::Viewed;
use crate::outcome::Outcome;

/// The traits whose methods are found on a [`Probe`] or a [`Computed`]: which of them are used depends on the types.
pub mod probes {
    #[cfg(feature = "shared")]
    pub use crate::function::queued::{CarriesPart as _, RefusesPart as _};
    #[cfg(feature = "shared")]
    pub use crate::function::shared::{EncodedKey as _, RefusedKey as _};
    pub use crate::key::{BorrowedPart as _, NestedPart as _};
    pub use crate::outcome::{
        AnyOutcome as _, BoxedProbe as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _,
        ErrorProbe as _, NoShareProbe as _, OpaqueProbe as _, SharedBoxProbe as _,
    };
}

/// A whole number of seconds, as most options of time are.
#[must_use]
pub const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The answer to a call, if there is one at once and nothing is to be started.
// Inlined, once for each cached function: a copy shared by functions of the same types costs each call 20 instructions.
// (Not in a build that is not optimised: there it would only take the compiler longer.)
#[cfg_attr(not(debug_assertions), inline(always))]
#[must_use]
pub fn hit<A: KeyOver<W>, O: Outcome, I: Instantiation, W: Copy>(
    at: I,
    key: Viewed<A, W>,
    _: O,
) -> Option<O::Return> {
    at.slot().find::<Of<A, O>, I::Marker>()?.look(key.view)
}

/// The answer to a call that is no plain hit.
// Out of line, so that functions of the same return type share it.
#[cold]
#[inline(never)]
#[must_use]
pub fn wait<R: 'static>(entry: Entry<R>) -> Wait<R> {
    Wait(Some(Box::new(AssertUnwindSafe(entry.call()))))
}

/// The future of [`wait`], boxed twice, so that the caller's future holds one pointer. It is `None` only while it is
/// dropped. A panic leaves nothing half done: `Drop` gives back what a call has claimed.
pub struct Wait<R>(Option<Box<Boxed<R>>>);

type Boxed<R> = AssertUnwindSafe<BoxFuture<R>>;

impl<R> Future for Wait<R> {
    type Output = R;

    // Out of line: each cached function would have a copy.
    #[cold]
    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<R> {
        match &mut self.0 {
            Some(wait) => wait.0.as_mut().poll(context),
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
fn leave<R>(wait: Box<Boxed<R>>) {
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

/// Shapes, as a value.
#[must_use]
pub fn of<A>() -> PhantomData<A> {
    PhantomData
}

/// The key of a call, if its parts can be one.
// The bound is here, so that what misses it is told at one place and once, and not by each function that takes the key.
#[must_use]
pub fn key<A: KeyOver<W>, W: Copy>(_: PhantomData<A>, view: W) -> Viewed<A, W> {
    Viewed::new(view)
}

/// The arguments of a call, if a fetch can own them.
#[must_use]
pub fn args<A: ArgsOver<W>, W: Copy>(_: PhantomData<A>, view: W) -> Viewed<A, W> {
    Viewed::new(view)
}

/// The entry of a key that is all arguments, in their order.
#[must_use]
pub fn entry<A: KeyOver<W>, O: Outcome, I: Instantiation, W: Copy>(
    at: I,
    key: Viewed<A, W>,
    site: impl IsSite<A, O>,
) -> Entry<O::Return> {
    cache::list_function(at.slot());
    Entry::new(Arc::new(site.site().with_key(at, key, || None)))
}

/// The entry of a key, and the arguments that go with it.
#[must_use]
pub fn entry_of<A: KeyOver<W>, F: ArgsOver<X>, O: Outcome, I: Instantiation, W: Copy, X: Copy>(
    at: I,
    key: Viewed<A, W>,
    args: Viewed<F, X>,
    site: impl IsSite<F, O>,
) -> Entry<O::Return> {
    cache::list_function(at.slot());
    Entry::new(Arc::new(site.site().with(at, key, args, || None)))
}

/// The site of a shared function with these keys, if its values can be shared.
#[cfg(feature = "shared")]
#[must_use]
pub fn shared<K, O: Outcome>(key: Encoded<K>, _: O) -> SharedSite<K, O::Value>
where
    O::Value: SharedValue,
{
    SharedSite::new(key)
}

/// The [`entry`] of a shared function.
#[cfg(feature = "shared")]
#[must_use]
pub fn shared_entry<A: KeyOver<W>, O: Outcome, I: Instantiation, W: Copy>(
    at: I,
    key: Viewed<A, W>,
    site: impl IsSite<A, O>,
    shared: SharedSite<A::Owned, O::Value>,
) -> Entry<O::Return> {
    cache::list_function(at.slot());
    Entry::new(Arc::new(site.site().with_key(at, key, || Some(shared.options::<I::Marker>()))))
}

/// The [`entry_of`] of a shared function.
#[cfg(feature = "shared")]
#[must_use]
pub fn shared_entry_of<A: KeyOver<W>, F: ArgsOver<X>, O: Outcome, I: Instantiation, W: Copy, X: Copy>(
    at: I,
    key: Viewed<A, W>,
    args: Viewed<F, X>,
    site: impl IsSite<F, O>,
    shared: SharedSite<A::Owned, O::Value>,
) -> Entry<O::Return> {
    cache::list_function(at.slot());
    Entry::new(Arc::new(site.site().with(at, key, args, || Some(shared.options::<I::Marker>()))))
}

/// The handle of all caches of a function whose refreshes workers run. A worker makes the entry of its arguments.
#[cfg(feature = "shared")]
#[must_use]
pub fn queued_cache<I: Instantiation, C: Carriers, R: Send + 'static>(
    at: I,
    queue: &'static str,
    version: fn() -> u64,
    carriers: C,
    entry: fn(&AnyArgs) -> Entry<R>,
) -> CacheRef {
    CacheRef::of_queued_function(at.slot(), ServedFunction::new(at, queue, version, carriers, entry))
}

/// Lends arguments that a worker owns.
#[cfg(feature = "shared")]
#[must_use]
pub fn lend<A: Shape>(_: PhantomData<A>, owned: &AnyArgs) -> A::Lease<'_> {
    let Some(owned) = owned.downcast_ref() else { unreachable!("they are those of the function") };
    A::lease(owned)
}

/// The shape of an argument whose type has no name.
#[must_use]
pub fn by_val<T: 'static>(_: &T) -> PhantomData<Val<T>> {
    PhantomData
}

/// The shape of a key of which some part is computed.
#[must_use]
pub fn shapes<S: Shapes>(_: S) -> PhantomData<S::Args> {
    PhantomData
}
