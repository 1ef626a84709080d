//! A function as the attribute describes it: plain function pointers, one for its body and one for each option.

use std::marker::PhantomData;
use std::time::Duration;

use super::call::{Call, KeyIsArgs, Lender, Lends, OfArguments, OwnArgs};
use super::instance::Instantiation;
use super::instances::Shared;
#[cfg(feature = "shared")]
use super::queued::AnyArgs;
use crate::base::tasks::BoxFuture;
use crate::engine::{Closure, Definition, Of, SharedOptions, ValueOptions};
use crate::key::{ArgsOver, Form, KeyOver, KeyShape, Viewed};
use crate::outcome::{Describe, Describes, Empty, Outcome, Shares, Sharing};
use crate::rules::policy::Policy;

/// A function of the arguments `A`: its body and its options.
pub struct Site<A: Form, O: Outcome> {
    arguments: OfArguments<A, O>,
    values: ValueOptions<O>,
    share: Sharing<O::Error>,
    describe: Describe<O::Error>,
}

impl<A: Form, O: Outcome> Site<A, O> {
    /// A function with this body, and no option.
    // Generated code calls the methods below by plain names: the compiler prefers an inherent method that takes `self` by
    // value to the method of any trait. A method that takes a reference has a name that nobody else would use.
    #[must_use]
    pub fn new(_: PhantomData<A>, _: O, body: fn(Lender<A>) -> BoxFuture<O::Return>) -> Self {
        Self {
            arguments: OfArguments {
                body,
                empty: None,
                vary: None,
                fetch_on_miss: None,
                wait: None,
                carry: None,
            },
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
        self.arguments.empty = Some(|_| O::join(Ok(<O::Value as Empty>::empty())));
        self
    }

    /// The empty answer is this expression.
    #[must_use]
    pub fn empty(mut self, empty: fn(&dyn Lends<A>) -> O::Return) -> Self {
        self.arguments.empty = Some(empty);
        self
    }

    /// Options that are expressions, set anew for each fetch and each `set`.
    #[must_use]
    pub fn vary(mut self, vary: fn(&dyn Lends<A>, &mut Policy)) -> Self {
        self.arguments.vary = Some(vary);
        self
    }

    /// An expression decides whether a caller waits on a miss.
    #[must_use]
    pub fn fetch_on_miss(mut self, waits: fn(&dyn Lends<A>) -> bool) -> Self {
        self.arguments.fetch_on_miss = Some(waits);
        self
    }

    /// An expression gives the longest wait.
    #[must_use]
    pub fn wait(mut self, wait: fn(&dyn Lends<A>) -> Duration) -> Self {
        self.arguments.wait = Some(wait);
        self
    }

    /// Workers run its refreshes, with arguments that become bytes in this way.
    #[cfg(feature = "shared")]
    #[must_use]
    pub fn queued(mut self, carry: fn(&AnyArgs) -> Result<Vec<Vec<u8>>, String>) -> Self {
        self.arguments.carry = Some(carry);
        self
    }

    /// A closure gives each value its own lifetime.
    #[must_use]
    pub fn lifetime_for(mut self, lifetime_for: fn(&O::Value) -> Duration) -> Self {
        self.values.lifetime_for = Some(Closure::Function(lifetime_for));
        self
    }

    /// A closure tells an outage from the answer of a healthy origin.
    #[must_use]
    pub fn is_outage(mut self, is_outage: fn(&O::Error) -> bool) -> Self {
        self.values.is_outage = Some(Closure::Function(is_outage));
        self
    }

    /// A closure gives each value its own retention.
    #[must_use]
    pub fn retention_for(mut self, retention_for: fn(&O::Value) -> Duration) -> Self {
        self.values.retention_for = Some(Closure::Function(retention_for));
        self
    }

    /// A closure counts the bytes of a value.
    #[must_use]
    pub fn weigh(mut self, weigh: fn(&O::Value) -> u64) -> Self {
        self.values.weigh = Some(Closure::Function(weigh));
        self
    }

    /// The cache of this instantiation, born here at its first use. Only then `shared` is called, which may run user code.
    fn engine<K: KeyShape, I: Instantiation>(
        &mut self,
        at: I,
        shared: impl FnOnce() -> Option<SharedOptions<K::Owned, O::Value>>,
    ) -> Shared<Of<K, O>> {
        at.slot().find_or_init::<Of<K, O>, I::Marker>(|name, policy| Definition {
            name,
            policy,
            values: std::mem::replace(&mut self.values, ValueOptions::NONE),
            share: self.share,
            describe: self.describe,
            shared: shared(),
        })
    }

    /// This function with the arguments of a call, which are all of its key.
    pub(crate) fn with_key<I: Instantiation, W: Copy>(
        mut self,
        at: I,
        key: Viewed<A, W>,
        shared: impl FnOnce() -> Option<SharedOptions<A::Owned, O::Value>>,
    ) -> Call<A, A, O, KeyIsArgs>
    where
        A: KeyOver<W>,
    {
        let engine = self.engine(at, shared);
        Call::new(engine, key, KeyIsArgs, self.arguments)
    }

    /// This function with the arguments of a call, and its key.
    pub(crate) fn with<I: Instantiation, K: KeyOver<W>, W: Copy, X: Copy>(
        mut self,
        at: I,
        key: Viewed<K, W>,
        args: Viewed<A, X>,
        shared: impl FnOnce() -> Option<SharedOptions<K::Owned, O::Value>>,
    ) -> Call<K, A, O, OwnArgs<A>>
    where
        A: ArgsOver<X>,
    {
        let engine = self.engine(at, shared);
        Call::new(engine, key, OwnArgs(A::own(args.view)), self.arguments)
    }
}

/// A [`Site`]. A function that takes this in its place does not make the compiler tell a second time what the arguments
/// lack.
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
