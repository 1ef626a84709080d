//! Where the values of one entry come from: the function with its arguments, as the engine sees it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::outcome::{Describe, Outcome, Sharing};
use crate::policy::Policy;
use crate::sync::Arc;

pub(crate) type BoxFuture<R> = Pin<Box<dyn Future<Output = R> + Send>>;

/// One entry's origin. Every method from [`run`](Origin::run) to [`weigh`](Origin::weigh) runs
/// user code.
pub(crate) trait Origin<O: Outcome>: Send + Sync + 'static {
    /// Whether there is a body to run where no caller brings one.
    fn can_run(&self) -> bool {
        true
    }
    /// One run of the body; what panics there panics in the future.
    fn run(self: Arc<Self>) -> BoxFuture<O::Return>;
    /// What a run returned, taken apart.
    fn split(&self, returned: O::Return) -> Result<O::Value, O::Error> {
        O::split(returned)
    }
    /// The options as they hold for these arguments.
    fn vary(&self, policy: &mut Policy);
    /// Whether a caller waits where nothing is cached, where that is an expression: to be evaluated.
    fn waits_on_miss(&self) -> Option<Box<dyn FnOnce() -> bool + Send + '_>>;
    /// The longest that a caller waits, where that is an expression.
    fn wait(&self) -> Option<Duration>;
    /// What a caller gets while nothing is cached.
    fn empty(&self) -> Option<O::Return>;
    /// This value's own lifetime.
    fn lifetime_for(&self, value: &O::Value) -> Option<Duration>;
    /// Whether this error says that the origin is down. One that does not is the answer of a healthy origin.
    fn is_outage(&self, error: &O::Error) -> bool;
    /// This value's own retention.
    fn retention_for(&self, value: &O::Value) -> Option<Duration>;
    /// How many bytes this value counts; `None`: values are not weighed.
    fn weigh(&self, value: &O::Value) -> Option<u64>;
    /// How an error is shared.
    fn share(&self) -> Sharing<O::Error>;
    /// How an error is described.
    fn describe(&self) -> Describe<O::Error>;
}
