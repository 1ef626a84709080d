//! A call site: what the attribute made of one function, as plain function pointers, and one entry's arguments.

use std::marker::PhantomData;
use std::time::Duration;

use crate::key::Args;
use crate::origin::{BoxFuture, Origin};
use crate::outcome::{Describe, Describes, Empty, Outcome, Shares, Sharing};
use crate::policy::Policy;
use crate::sync::Arc;

/// Something computed from the owned arguments `A` of a call.
type Over<A, T> = fn(&<A as Args>::Owned) -> T;

/// What a function does with its owned arguments `A`, option by option.
pub struct Site<A: Args, O: Outcome> {
    body: fn(Arc<A::Owned>) -> BoxFuture<O::Return>,
    empty: Option<Over<A, O::Return>>,
    vary: Option<fn(&A::Owned, &mut Policy)>,
    fetch_on_miss: Option<Over<A, bool>>,
    wait: Option<Over<A, Duration>>,
    lifetime_for: Option<fn(&O::Value) -> Duration>,
    weigh: Option<fn(&O::Value) -> u64>,
    share: Sharing<O::Error>,
    describe: Describe<O::Error>,
}

impl<A: Args, O: Outcome> Site<A, O> {
    /// A function with this body, and no option.
    #[must_use]
    pub fn new(_: PhantomData<A>, _: O, body: fn(Arc<A::Owned>) -> BoxFuture<O::Return>) -> Self {
        Self {
            body,
            empty: None,
            vary: None,
            fetch_on_miss: None,
            wait: None,
            lifetime_for: None,
            weigh: None,
            share: Sharing::Never,
            describe: Describe::Unseen,
        }
    }

    /// Shares errors in the way that the probes found.
    #[must_use]
    pub fn share<S: Shares<O>>(mut self, found: S) -> Self {
        self.share = found.sharing();
        self
    }

    /// Shares errors as the attribute says.
    #[must_use]
    pub fn share_err(mut self, copy: fn(&O::Error) -> O::Error) -> Self {
        self.share = Sharing::Copied(copy);
        self
    }

    /// Describes errors in the way that the probes found.
    #[must_use]
    pub fn describe<D: Describes<O>>(mut self, found: D) -> Self {
        self.describe = found.describe();
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
    pub fn empty(mut self, empty: fn(&A::Owned) -> O::Return) -> Self {
        self.empty = Some(empty);
        self
    }

    /// Options that are expressions, set anew for each fetch and each `set`.
    #[must_use]
    pub fn vary(mut self, vary: fn(&A::Owned, &mut Policy)) -> Self {
        self.vary = Some(vary);
        self
    }

    /// Whether a caller waits on a miss is an expression.
    #[must_use]
    pub fn fetch_on_miss(mut self, waits: fn(&A::Owned) -> bool) -> Self {
        self.fetch_on_miss = Some(waits);
        self
    }

    /// The longest wait is an expression.
    #[must_use]
    pub fn wait(mut self, wait: fn(&A::Owned) -> Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    /// A value has its own lifetime.
    #[must_use]
    pub fn lifetime_for(mut self, lifetime_for: fn(&O::Value) -> Duration) -> Self {
        self.lifetime_for = Some(lifetime_for);
        self
    }

    /// A value counts this many bytes.
    #[must_use]
    pub fn weigh(mut self, weigh: fn(&O::Value) -> u64) -> Self {
        self.weigh = Some(weigh);
        self
    }

    /// This function with these arguments.
    pub(crate) fn with(self, args: Arc<A::Owned>) -> Arc<dyn Origin<O>> {
        Arc::new(Call { site: self, args })
    }
}

impl<A: Args, O: Outcome> std::fmt::Debug for Site<A, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").finish_non_exhaustive()
    }
}

/// One function with one list of arguments.
struct Call<A: Args, O: Outcome> {
    site: Site<A, O>,
    args: Arc<A::Owned>,
}

impl<A: Args, O: Outcome> Origin<O> for Call<A, O> {
    fn run(&self) -> BoxFuture<O::Return> {
        (self.site.body)(Arc::clone(&self.args))
    }
    fn vary(&self, policy: &mut Policy) {
        if let Some(vary) = self.site.vary {
            vary(&self.args, policy);
        }
    }
    fn waits_on_miss(&self) -> Option<Box<dyn FnOnce() -> bool + Send + '_>> {
        let waits = self.site.fetch_on_miss?;
        Some(Box::new(move || waits(&self.args)))
    }
    fn wait(&self) -> Option<Duration> {
        self.site.wait.map(|wait| wait(&self.args))
    }
    fn empty(&self) -> Option<O::Return> {
        self.site.empty.map(|empty| empty(&self.args))
    }
    fn lifetime_for(&self, value: &O::Value) -> Option<Duration> {
        self.site.lifetime_for.map(|lifetime_for| lifetime_for(value))
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
