//! A call site: what the attribute made of one function, as plain function pointers, and one entry's arguments.

use std::marker::PhantomData;
use std::panic::RefUnwindSafe;
use std::time::Duration;

use crate::api::entry::Bound;
use crate::base::sync::Arc;
use crate::engine::source::{BoxFuture, Origin};
use crate::engine::{Closure, Definition, Engine, Keyed, Of, ValueOptions};
use crate::function::slot::{Instantiation, SharedEngine, arc_of};
use crate::key::{ArgsOver, Form, KeyOver, KeyShape, Shape, Viewed};
use crate::outcome::{Describe, Describes, Empty, Outcome, Shares, Sharing};
use crate::rules::policy::Policy;

/// Something computed from the arguments `A` of a call.
type Over<A, T> = fn(&dyn Lends<A>) -> T;

/// What a function does with its arguments `A`, and what its options say, one by one.
pub struct Site<A: Form, O: Outcome> {
    call: OfCall<A, O>,
    values: ValueOptions<O>,
    share: Sharing<O::Error>,
    describe: Describe<O::Error>,
}

/// What depends on the arguments of a call.
struct OfCall<A: Form, O: Outcome> {
    body: fn(Lender<A>) -> BoxFuture<O::Return>,
    empty: Option<Over<A, O::Return>>,
    vary: Option<fn(&dyn Lends<A>, &mut Policy)>,
    fetch_on_miss: Option<Over<A, bool>>,
    wait: Option<Over<A, Duration>>,
}

impl<A: Form, O: Outcome> Site<A, O> {
    /// A function with this body, and no option.
    // Generated code calls the methods below by plain names: no trait's method comes before an inherent one of a value
    // that is taken as it is. What takes a reference has a name that nobody else would use.
    #[must_use]
    pub fn new(_: PhantomData<A>, _: O, body: fn(Lender<A>) -> BoxFuture<O::Return>) -> Self {
        Self {
            call: OfCall { body, empty: None, vary: None, fetch_on_miss: None, wait: None },
            values: ValueOptions::NONE,
            share: Sharing::Never,
            describe: Describe::UNSEEN,
        }
    }

    /// Describes errors in the way that the probes found.
    #[must_use]
    pub fn describe(mut self, describes: impl Describes<O>) -> Self {
        self.describe = describes.describe();
        self
    }

    /// Shares errors in the way that the probes found.
    #[must_use]
    pub fn share(mut self, shares: impl Shares<O>) -> Self {
        self.share = shares.sharing();
        self
    }

    /// Shares errors as the attribute says.
    #[must_use]
    pub fn share_err(mut self, copy: fn(&O::Error) -> O::Error) -> Self {
        self.share = Sharing::Copied(copy);
        self
    }

    /// The empty answer is `Default::default()`, in `Ok` for a `Result`.
    #[must_use]
    pub fn empty_default(mut self) -> Self
    where
        O::Value: Empty,
    {
        self.call.empty = Some(|_| O::join(Ok(<O::Value as Empty>::empty())));
        self
    }

    /// The empty answer is this expression.
    #[must_use]
    pub fn empty(mut self, empty: fn(&dyn Lends<A>) -> O::Return) -> Self {
        self.call.empty = Some(empty);
        self
    }

    /// Options that are expressions, set anew for each fetch and each `set`.
    #[must_use]
    pub fn vary(mut self, vary: fn(&dyn Lends<A>, &mut Policy)) -> Self {
        self.call.vary = Some(vary);
        self
    }

    /// Whether a caller waits on a miss is an expression.
    #[must_use]
    pub fn fetch_on_miss(mut self, waits: fn(&dyn Lends<A>) -> bool) -> Self {
        self.call.fetch_on_miss = Some(waits);
        self
    }

    /// The longest wait is an expression.
    #[must_use]
    pub fn wait(mut self, wait: fn(&dyn Lends<A>) -> Duration) -> Self {
        self.call.wait = Some(wait);
        self
    }

    /// A value has its own lifetime.
    #[must_use]
    pub fn lifetime_for(mut self, lifetime_for: fn(&O::Value) -> Duration) -> Self {
        self.values.lifetime_for = Some(Closure::Function(lifetime_for));
        self
    }

    /// An error of the origin is an outage, or an answer.
    #[must_use]
    pub fn is_outage(mut self, is_outage: fn(&O::Error) -> bool) -> Self {
        self.values.is_outage = Some(Closure::Function(is_outage));
        self
    }

    /// A value has its own retention.
    #[must_use]
    pub fn retention_for(mut self, retention_for: fn(&O::Value) -> Duration) -> Self {
        self.values.retention_for = Some(Closure::Function(retention_for));
        self
    }

    /// A value counts this many bytes.
    #[must_use]
    pub fn weigh(mut self, weigh: fn(&O::Value) -> u64) -> Self {
        self.values.weigh = Some(Closure::Function(weigh));
        self
    }

    /// The cache of this instantiation, born here at its first use.
    fn engine<K: KeyShape, I: Instantiation>(&mut self, at: I) -> SharedEngine<Of<K, O>> {
        at.slot().find_or_init::<Of<K, O>, I::Marker>(|name, policy| Definition {
            name,
            policy,
            values: std::mem::replace(&mut self.values, ValueOptions::NONE),
            share: self.share,
            describe: self.describe,
        })
    }

    /// This function with the arguments of a call, which are all of its key.
    pub(crate) fn with_key<I: Instantiation, W: Copy>(
        mut self,
        at: I,
        key: Viewed<A, W>,
    ) -> Applied<A, A, O, KeyIsArgs>
    where
        A: KeyOver<W>,
    {
        let engine = self.engine(at);
        Applied::new(engine, key, KeyIsArgs, self.call)
    }

    /// This function with the arguments of a call, and its key.
    pub(crate) fn with<I: Instantiation, K: KeyOver<W>, W: Copy, X: Copy>(
        mut self,
        at: I,
        key: Viewed<K, W>,
        args: Viewed<A, X>,
    ) -> Applied<K, A, O, OwnArgs<A>>
    where
        A: ArgsOver<X>,
    {
        let engine = self.engine(at);
        Applied::new(engine, key, OwnArgs(A::own(args.view)), self.call)
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
    pub(crate) engine: SharedEngine<Of<A, O>>,
    hash: u64,
    /// The number of the key's node, where one was seen.
    node: Option<u64>,
    key: A::Owned,
    args: G,
    does: OfCall<F, O>,
}

// A panic in the user's code leaves nothing half done: what is claimed is given back by `Drop`.
impl<A: KeyShape, F: Form, O: Outcome, G> RefUnwindSafe for Applied<A, F, O, G> {}

impl<A: KeyShape, F: Shape, O: Outcome, G: OwnedArgs<A, F>> Bound for Applied<A, F, O, G> {
    type C = Of<A, O>;
    fn engine(&self) -> &Arc<Engine<Of<A, O>>> {
        arc_of(&self.engine)
    }
    fn located(&self) -> (u64, Option<u64>) {
        (self.hash, self.node)
    }
}

impl<A: KeyShape, F: Form, O: Outcome, G> Applied<A, F, O, G> {
    fn new<W: Copy>(engine: SharedEngine<Of<A, O>>, key: Viewed<A, W>, args: G, does: OfCall<F, O>) -> Self
    where
        A: KeyOver<W>,
    {
        let (hash, node) = engine.locate(key.view);
        Self { engine, hash, node, key: A::own(key.view), args, does }
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

impl<A: KeyShape, F: Shape, O: Outcome, G: OwnedArgs<A, F>> Origin<Of<A, O>> for Applied<A, F, O, G> {
    fn run(self: Arc<Self>) -> BoxFuture<O::Return> {
        (self.does.body)(Lender(self))
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
