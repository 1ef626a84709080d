//! A call site: what the attribute made of one function, as plain function pointers, and one entry's arguments.

use std::marker::PhantomData;
use std::panic::RefUnwindSafe;
use std::time::Duration;

use crate::engine::{Engine, Keyed};
use crate::handle::Bound;
use crate::key::{ArgsOver, Form, KeyOver, KeyShape, Shape, Viewed};
use crate::origin::{BoxFuture, Origin};
use crate::outcome::{Describe, Describes, Empty, Outcome, Shares, Sharing};
use crate::policy::Policy;
use crate::slot::{SharedEngine, arc_of};
use crate::sync::Arc;

/// Something computed from the arguments `A` of a call.
type Over<A, T> = fn(&dyn Lends<A>) -> T;

/// What a function does with its arguments `A`, option by option.
pub struct Site<A: Form, O: Outcome> {
    body: fn(Lender<A>) -> BoxFuture<O::Return>,
    empty: Option<Over<A, O::Return>>,
    vary: Option<fn(&dyn Lends<A>, &mut Policy)>,
    fetch_on_miss: Option<Over<A, bool>>,
    wait: Option<Over<A, Duration>>,
    lifetime_for: Option<fn(&O::Value) -> Duration>,
    is_outage: Option<fn(&O::Error) -> bool>,
    retention_for: Option<fn(&O::Value) -> Duration>,
    weigh: Option<fn(&O::Value) -> u64>,
    share: Sharing<O::Error>,
    describe: Describe<O::Error>,
}

impl<A: Form, O: Outcome> Site<A, O> {
    /// A function with this body, and no option.
    // Generated code calls the methods below by plain names: no trait's method comes before an inherent one of a value
    // that is taken as it is. What takes a reference has a name that nobody else would use.
    #[must_use]
    pub fn new(_: PhantomData<A>, _: O, body: fn(Lender<A>) -> BoxFuture<O::Return>) -> Self {
        Self {
            body,
            empty: None,
            vary: None,
            fetch_on_miss: None,
            wait: None,
            lifetime_for: None,
            is_outage: None,
            retention_for: None,
            weigh: None,
            share: Sharing::Never,
            describe: Describe::UNSEEN,
        }
    }

    /// Shares and describes errors in the ways that the probes found.
    #[must_use]
    pub fn errors(mut self, shares: impl Shares<O>, describes: impl Describes<O>) -> Self {
        self.share = shares.sharing();
        self.describe = describes.describe();
        self
    }

    /// Shares errors as the attribute says, and describes them in the way that the probes found.
    #[must_use]
    pub fn share_err(mut self, copy: fn(&O::Error) -> O::Error, describes: impl Describes<O>) -> Self {
        self.share = Sharing::Copied(copy);
        self.describe = describes.describe();
        self
    }

    /// The empty answer is `Default::default()`, in `Ok` for a `Result`.
    #[must_use]
    pub fn empty_default(mut self) -> Self
    where
        O::Value: Empty,
    {
        self.empty = Some(|_| O::join(Ok(<O::Value as Empty>::empty())));
        self
    }

    /// The empty answer is this expression.
    #[must_use]
    pub fn empty(mut self, empty: fn(&dyn Lends<A>) -> O::Return) -> Self {
        self.empty = Some(empty);
        self
    }

    /// Options that are expressions, set anew for each fetch and each `set`.
    #[must_use]
    pub fn vary(mut self, vary: fn(&dyn Lends<A>, &mut Policy)) -> Self {
        self.vary = Some(vary);
        self
    }

    /// Whether a caller waits on a miss is an expression.
    #[must_use]
    pub fn fetch_on_miss(mut self, waits: fn(&dyn Lends<A>) -> bool) -> Self {
        self.fetch_on_miss = Some(waits);
        self
    }

    /// The longest wait is an expression.
    #[must_use]
    pub fn wait(mut self, wait: fn(&dyn Lends<A>) -> Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    /// A value has its own lifetime.
    #[must_use]
    pub fn lifetime_for(mut self, lifetime_for: fn(&O::Value) -> Duration) -> Self {
        self.lifetime_for = Some(lifetime_for);
        self
    }

    /// An error of the origin is an outage, or an answer.
    #[must_use]
    pub fn is_outage(mut self, is_outage: fn(&O::Error) -> bool) -> Self {
        self.is_outage = Some(is_outage);
        self
    }

    /// A value has its own retention.
    #[must_use]
    pub fn retention_for(mut self, retention_for: fn(&O::Value) -> Duration) -> Self {
        self.retention_for = Some(retention_for);
        self
    }

    /// A value counts this many bytes.
    #[must_use]
    pub fn weigh(mut self, weigh: fn(&O::Value) -> u64) -> Self {
        self.weigh = Some(weigh);
        self
    }

    /// This function with the arguments of a call, which are all of its key.
    pub(crate) fn with_key<W: Copy>(
        self,
        engine: SharedEngine<A, O>,
        key: Viewed<A, W>,
    ) -> Applied<A, A, O, KeyIsArgs>
    where
        A: KeyOver<W>,
    {
        self.applied(engine, key, KeyIsArgs)
    }

    /// This function with the arguments of a call, and its key.
    pub(crate) fn with<K: KeyOver<W>, W: Copy, X: Copy>(
        self,
        engine: SharedEngine<K, O>,
        key: Viewed<K, W>,
        args: Viewed<A, X>,
    ) -> Applied<K, A, O, OwnArgs<A>>
    where
        A: ArgsOver<X>,
    {
        self.applied(engine, key, OwnArgs(A::own(args.view)))
    }

    fn applied<K: KeyOver<W>, W: Copy, G>(
        self,
        engine: SharedEngine<K, O>,
        key: Viewed<K, W>,
        args: G,
    ) -> Applied<K, A, O, G> {
        let (hash, node) = engine.locate(key.view);
        Applied { engine, hash, node, key: K::own(key.view), args, site: self }
    }
}

/// A [`Site`]. Where a function takes this, what its arguments lack is not told a second time.
pub trait IsSite<A: Form, O: Outcome> {
    /// Itself.
    fn site(self) -> Site<A, O>;
}
impl<A: Form, O: Outcome> IsSite<A, O> for Site<A, O> {
    fn site(self) -> Self {
        self
    }
}

impl<A: Form, O: Outcome> std::fmt::Debug for Site<A, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").finish_non_exhaustive()
    }
}

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
pub(crate) struct OwnArgs<F: Shape>(F::Owned);

impl<A: Shape, F: Shape> OwnedArgs<A, F> for OwnArgs<F> {
    fn of_key<'o>(&'o self, _: &'o A::Owned) -> &'o F::Owned {
        &self.0
    }
}

/// What a body is lent its arguments from: it keeps them alive while it runs.
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

/// What owns arguments.
pub trait Lends<F: Form>: Send + Sync {
    /// All of them, as the body takes them.
    fn __cacheback_lend(&self) -> F::Lease<'_>;
}

/// One function with the arguments of a call, their key and its cache: all that an entry is, in one allocation. `F` are
/// the arguments, `A` is the key.
pub(crate) struct Applied<A: KeyShape, F: Form, O: Outcome, G> {
    pub(crate) engine: SharedEngine<A, O>,
    hash: u64,
    /// The number of the key's node, where one was seen.
    node: Option<u64>,
    key: A::Owned,
    args: G,
    site: Site<F, O>,
}

// A panic in the user's code leaves nothing half done: what is claimed is given back by `Drop`.
impl<A: KeyShape, F: Form, O: Outcome, G> RefUnwindSafe for Applied<A, F, O, G> {}

impl<A: KeyShape, F: Shape, O: Outcome, G: OwnedArgs<A, F>> Bound for Applied<A, F, O, G> {
    type A = A;
    type O = O;
    fn engine(&self) -> &Arc<Engine<A, O>> {
        arc_of(&self.engine)
    }
    fn located(&self) -> (u64, Option<u64>) {
        (self.hash, self.node)
    }
}

impl<A: KeyShape, F: Shape, O: Outcome, G: OwnedArgs<A, F>> Applied<A, F, O, G> {
    fn args(&self) -> &F::Owned {
        self.args.of_key(&self.key)
    }
}

impl<A: KeyShape, F: Shape, O: Outcome, G: OwnedArgs<A, F>> Keyed<A::Owned> for Applied<A, F, O, G> {
    fn key(&self) -> &A::Owned {
        &self.key
    }
}

impl<A: KeyShape, F: Shape, O: Outcome, G: OwnedArgs<A, F>> Lends<F> for Applied<A, F, O, G> {
    fn __cacheback_lend(&self) -> F::Lease<'_> {
        F::lease(self.args())
    }
}

impl<A: KeyShape, F: Shape, O: Outcome, G: OwnedArgs<A, F>> Origin<O> for Applied<A, F, O, G> {
    fn run(self: Arc<Self>) -> BoxFuture<O::Return> {
        (self.site.body)(Lender(self))
    }
    fn vary(&self, policy: &mut Policy) {
        if let Some(vary) = self.site.vary {
            vary(self, policy);
        }
    }
    fn waits_on_miss(&self) -> Option<Box<dyn FnOnce() -> bool + Send + '_>> {
        let waits = self.site.fetch_on_miss?;
        Some(Box::new(move || waits(self)))
    }
    fn wait(&self) -> Option<Duration> {
        self.site.wait.map(|wait| wait(self))
    }
    fn empty(&self) -> Option<O::Return> {
        self.site.empty.map(|empty| empty(self))
    }
    fn lifetime_for(&self, value: &O::Value) -> Option<Duration> {
        self.site.lifetime_for.map(|lifetime_for| lifetime_for(value))
    }
    fn is_outage(&self, error: &O::Error) -> bool {
        self.site.is_outage.is_none_or(|is_outage| is_outage(error))
    }
    fn retention_for(&self, value: &O::Value) -> Option<Duration> {
        self.site.retention_for.map(|retention_for| retention_for(value))
    }
    fn weigh(&self, value: &O::Value) -> Option<u64> {
        self.site.weigh.map(|weigh| weigh(value))
    }
    fn share(&self) -> Sharing<O::Error> {
        self.site.share
    }
    fn describe(&self) -> Describe<O::Error> {
        self.site.describe
    }
}
