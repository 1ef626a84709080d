//! One call of a function: its arguments, their key, and the cache.

use std::panic::RefUnwindSafe;
use std::time::Duration;

use super::instances::{Shared, arc_of};
#[cfg(feature = "shared")]
use super::queued::AnyArgs;
use crate::base::sync::Arc;
use crate::base::tasks::BoxFuture;
use crate::engine::source::{BoundSource, Source};
use crate::engine::{Engine, Keyed, Of};
use crate::key::{Form, KeyOver, KeyShape, Shape, Viewed};
use crate::outcome::Outcome;
use crate::rules::policy::Policy;

/// A value computed from the arguments `A` of a call.
type Over<A, T> = fn(&dyn Lends<A>) -> T;

/// The options that depend on the arguments of a call.
pub(super) struct OfArguments<A: Form, O: Outcome> {
    pub(super) body: fn(Lender<A>) -> BoxFuture<O::Return>,
    pub(super) empty: Option<Over<A, O::Return>>,
    pub(super) vary: Option<fn(&dyn Lends<A>, &mut Policy)>,
    pub(super) fetch_on_miss: Option<Over<A, bool>>,
    pub(super) wait: Option<Over<A, Duration>>,
    #[cfg_attr(not(feature = "shared"), allow(dead_code))]
    pub(super) carry: Option<Carry>,
}

/// Makes the bytes of a job's arguments.
#[cfg(feature = "shared")]
type Carry = fn(&AnyArgs) -> Result<Vec<Vec<u8>>, String>;
/// Without a second tier there are no workers.
#[cfg(not(feature = "shared"))]
type Carry = std::convert::Infallible;

/// The arguments `F` of a fetch whose key is `A`.
pub(crate) trait OwnedArgs<A: Shape, F: Shape>: Send + Sync + 'static {
    /// The arguments.
    fn of_key<'o>(&'o self, key: &'o A::Owned) -> &'o F::Owned;
}

/// The key is all arguments, in their order: the two are one.
pub(crate) struct KeyIsArgs;

impl<A: Shape> OwnedArgs<A, A> for KeyIsArgs {
    fn of_key<'o>(&'o self, key: &'o A::Owned) -> &'o A::Owned {
        key
    }
}

/// Arguments that are more, less or something else than the key.
pub(crate) struct OwnArgs<F: Shape>(pub(super) F::Owned);

impl<A: Shape, F: Shape> OwnedArgs<A, F> for OwnArgs<F> {
    fn of_key<'o>(&'o self, _: &'o A::Owned) -> &'o F::Owned {
        &self.0
    }
}

/// Lends a body its arguments, and keeps them alive while it runs.
pub struct Lender<F: Form>(Arc<dyn Lends<F>>);

impl<F: Form> Lender<F> {
    /// All arguments, as the body takes them.
    #[must_use]
    pub fn __cacheback_lend(&self) -> F::Lease<'_> {
        self.0.__cacheback_lend()
    }
}

impl<F: Form> std::fmt::Debug for Lender<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lender").finish_non_exhaustive()
    }
}

/// An owner of arguments.
pub trait Lends<F: Form>: Send + Sync {
    /// All of them, as the body takes them.
    fn __cacheback_lend(&self) -> F::Lease<'_>;
}

/// One function with the arguments of a call, their key and its cache: all that an entry is, in one allocation. `F` are
/// the arguments, `A` is the key.
pub(crate) struct Call<A: KeyShape, F: Form, O: Outcome, G> {
    pub(crate) engine: Shared<Of<A, O>>,
    hash: u64,
    /// The number of the key's node, if one was seen.
    node: Option<u64>,
    key: A::Owned,
    args: G,
    does: OfArguments<F, O>,
}

// A panic in the user's code leaves nothing half done: `Drop` gives claims back.
impl<A: KeyShape, F: Form, O: Outcome, G> RefUnwindSafe for Call<A, F, O, G> {}

impl<A: KeyShape, F: Shape, O: Outcome, G: OwnedArgs<A, F>> BoundSource for Call<A, F, O, G> {
    type C = Of<A, O>;
    fn engine(&self) -> &Arc<Engine<Of<A, O>>> {
        arc_of(&self.engine)
    }
    fn located(&self) -> (u64, Option<u64>) {
        (self.hash, self.node)
    }
}

impl<A: KeyShape, F: Form, O: Outcome, G> Call<A, F, O, G> {
    pub(super) fn new<W: Copy>(
        engine: Shared<Of<A, O>>,
        key: Viewed<A, W>,
        args: G,
        does: OfArguments<F, O>,
    ) -> Self
    where
        A: KeyOver<W>,
    {
        let (hash, node) = engine.locate(key.view);
        Self { engine, hash, node, key: A::own(key.view), args, does }
    }
}

impl<A: KeyShape, F: Shape, O: Outcome, G: OwnedArgs<A, F>> Call<A, F, O, G> {
    fn args(&self) -> &F::Owned {
        self.args.of_key(&self.key)
    }
}

impl<A: KeyShape, F: Shape, O: Outcome, G: OwnedArgs<A, F>> Keyed<A::Owned> for Call<A, F, O, G> {
    fn key(&self) -> &A::Owned {
        &self.key
    }
}

impl<A: KeyShape, F: Shape, O: Outcome, G: OwnedArgs<A, F>> Lends<F> for Call<A, F, O, G> {
    fn __cacheback_lend(&self) -> F::Lease<'_> {
        F::lease(self.args())
    }
}

impl<A: KeyShape, F: Shape, O: Outcome, G: OwnedArgs<A, F>> Source<Of<A, O>> for Call<A, F, O, G> {
    fn run(self: Arc<Self>) -> BoxFuture<O::Return> {
        (self.does.body)(Lender(self))
    }
    #[cfg(feature = "shared")]
    fn carried(&self) -> Option<Result<Vec<Vec<u8>>, String>> {
        self.does.carry.map(|carry| carry(self.args()))
    }
    fn varies(&self) -> bool {
        self.does.vary.is_some()
    }
    fn vary(&self, policy: &mut Policy) {
        if let Some(vary) = self.does.vary {
            vary(self, policy);
        }
    }
    fn waits_on_miss(&self) -> Option<Box<dyn FnOnce() -> bool + Send + '_>> {
        let waits = self.does.fetch_on_miss?;
        Some(Box::new(move || waits(self)))
    }
    fn wait(&self) -> Option<Duration> {
        self.does.wait.map(|wait| wait(self))
    }
    fn empty(&self) -> Option<O::Return> {
        self.does.empty.map(|empty| empty(self))
    }
}
