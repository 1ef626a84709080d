//! Where the values of one entry come from: the function with its arguments, as the engine sees it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::base::sync::Arc;
use crate::engine::Cacheable;
use crate::outcome::Errors;
use crate::rules::policy::Policy;

pub(crate) type BoxFuture<R> = Pin<Box<dyn Future<Output = R> + Send>>;

/// One entry's origin. Every method from [`vary`](Origin::vary) on runs user code, and so does the future of [`run`](Origin::run).
pub(crate) trait Origin<C: Cacheable>: Send + Sync + 'static {
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
