//! The source of an entry's values: the function with its arguments, or the closures of an object with a key.

use std::future::Future;
use std::panic::RefUnwindSafe;
use std::pin::Pin;
use std::time::Duration;

use crate::base::sync::Arc;
use crate::engine::{Cacheable, Engine, Keyed, SourceOf, Target};
use crate::outcome::Errors;
use crate::rules::policy::Policy;

pub(crate) type BoxFuture<R> = Pin<Box<dyn Future<Output = R> + Send>>;

/// The source of one entry. Every method from [`vary`](Source::vary) on runs user code, and so does the future of [`run`](Source::run).
pub(crate) trait Source<C: Cacheable>: Send + Sync + 'static {
    /// Whether there is a body to run where no caller brings one.
    fn can_run(&self) -> bool {
        true
    }
    /// One run of the body; what panics there panics in the future.
    fn run(self: Arc<Self>) -> BoxFuture<C::Return>;
    /// What this call alone knows of errors.
    fn errors(&self) -> Option<Errors<C::Return>> {
        None
    }
    /// The options as they hold for these arguments.
    fn vary(&self, policy: &mut Policy);
    /// Whether a caller waits where nothing is cached, where that is an expression: to be evaluated.
    fn waits_on_miss(&self) -> Option<Box<dyn FnOnce() -> bool + Send + '_>>;
    /// The longest that a caller waits, where that is an expression.
    fn wait(&self) -> Option<Duration>;
    /// What a caller gets while nothing is cached.
    fn empty(&self) -> Option<C::Return>;
}

/// A source with its key and its cache: all that an entry is, in one allocation.
pub(crate) trait BoundSource:
    Source<Self::C> + Keyed<<Self::C as Cacheable>::OwnedKey> + RefUnwindSafe
{
    type C: Cacheable;

    fn engine(&self) -> &Arc<Engine<Self::C>>;
    /// The key's hash, and the number of its node if one was seen.
    fn located(&self) -> (u64, Option<u64>);

    /// The key, as the engine takes it.
    fn target(self: &Arc<Self>) -> Target<<Self::C as Cacheable>::OwnedKey>
    where
        Self: Sized,
    {
        let (hash, node) = self.located();
        Target::new(hash, Arc::clone(self) as Arc<dyn Keyed<<Self::C as Cacheable>::OwnedKey>>, node)
    }

    /// The source, as the engine takes it.
    fn source(self: &Arc<Self>) -> SourceOf<Self::C>
    where
        Self: Sized,
    {
        Arc::clone(self) as SourceOf<Self::C>
    }
}
