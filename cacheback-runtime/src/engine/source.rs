//! The source of an entry's values: a function with its arguments, or the closures of a cache object with a key.

use std::panic::RefUnwindSafe;
use std::time::Duration;

use crate::base::sync::Arc;
use crate::base::tasks::BoxFuture;
use crate::engine::{Cacheable, Engine, Keyed, SourceOf, Target};
use crate::outcome::Errors;
use crate::rules::policy::Policy;

/// The source of one entry. Every method from [`vary`](Source::vary) on runs user code, and so does the future of
/// [`run`](Source::run).
pub(crate) trait Source<C: Cacheable>: Send + Sync + 'static {
    /// Whether there is a body to run. A cache object without a fetcher has none, unless the call brings its own.
    fn can_run(&self) -> bool {
        true
    }
    /// Runs the body once. Its panics are panics of the future.
    fn run(self: Arc<Self>) -> BoxFuture<C::Return>;
    /// The arguments of a job, each encoded, or why they cannot be. `None`: the key is all.
    #[cfg(feature = "shared")]
    fn carried(&self) -> Option<Result<Vec<Vec<u8>>, String>> {
        None
    }
    /// How errors are told from values and described, if only this call knows it.
    fn errors(&self) -> Option<Errors<C::Return>> {
        None
    }
    /// Whether any option but those below depends on the arguments.
    fn varies(&self) -> bool;
    /// Sets the options that depend on the arguments.
    fn vary(&self, policy: &mut Policy);
    /// Whether a caller waits if nothing is cached, as a closure still to be called. `None` if the option depends on no
    /// argument.
    fn waits_on_miss(&self) -> Option<Box<dyn FnOnce() -> bool + Send + '_>>;
    /// The longest time that a caller waits. `None` if the option depends on no argument.
    fn wait(&self) -> Option<Duration>;
    /// The empty value, which a caller gets while nothing is cached. `None` if there is none.
    fn empty(&self) -> Option<C::Return>;
}

/// A source with its key and its cache: a whole entry, in one allocation.
pub(crate) trait BoundSource:
    Source<Self::C> + Keyed<<Self::C as Cacheable>::OwnedKey> + RefUnwindSafe
{
    type C: Cacheable;

    fn engine(&self) -> &Arc<Engine<Self::C>>;
    /// The key's hash, and the number of its node if one was found.
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
