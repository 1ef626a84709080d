//! What a worker can serve: a queued function or cache, without its types.

use std::panic::RefUnwindSafe;

use crate::api::entry::Entry;
use crate::base::panics::catch;
use crate::base::sync::Arc;
use crate::base::tasks::BoxFuture;
use crate::engine::{Order, Queued, Verdict};
use crate::executor::context::Here;
use crate::function::instance::Instantiation;
use crate::function::marker::Marker;
use crate::function::queued::{AnyArgs, Carriers, Missing, Provisions};
use crate::function::slot::Slot;
use crate::rules::policy::Policy;
use crate::tier::Scope;
use crate::tier::queue::Line;

/// A queued function or cache.
#[cfg_attr(not(feature = "worker"), allow(dead_code))]
pub(crate) trait Serve: Send + Sync + RefUnwindSafe {
    fn name(&self) -> &'static str;
    fn policy(&self) -> Policy;
    /// Where its jobs are found. `None` if it is not queued, or has no tier.
    fn queued(&self) -> Option<Queued>;
    /// The arguments that a worker with these provisions lacks.
    fn missing(&self, provisions: &Provisions) -> Vec<Missing>;
    /// The refresh of these arguments, or why there is none. Runs user code.
    fn prepare(&self, args: Vec<Vec<u8>>, provisions: &Provisions) -> Result<Box<dyn Work>, String>;
}

/// A refresh that is ready to run.
#[cfg_attr(not(feature = "worker"), allow(dead_code))]
pub(crate) trait Work: Send {
    fn work(self: Box<Self>, order: Order) -> BoxFuture<Verdict>;
}

impl<R: Send + 'static> Work for Entry<R> {
    fn work(self: Box<Self>, order: Order) -> BoxFuture<Verdict> {
        (*self).into_work(order)
    }
}

/// A queued function.
pub(crate) struct ServedFunction<C: Carriers, R: 'static> {
    pub(crate) slot: &'static Slot,
    pub(crate) instance: Option<&'static str>,
    pub(crate) queue: &'static str,
    pub(crate) version: fn() -> u64,
    pub(crate) carriers: C,
    pub(crate) entry: fn(&AnyArgs) -> Entry<R>,
}

// It holds plain functions.
impl<C: Carriers, R> RefUnwindSafe for ServedFunction<C, R> {}

impl<C: Carriers, R: Send + 'static> ServedFunction<C, R> {
    pub(crate) fn new<I: Instantiation>(
        at: I,
        queue: &'static str,
        version: fn() -> u64,
        carriers: C,
        entry: fn(&AnyArgs) -> Entry<R>,
    ) -> Arc<Self> {
        let slot = at.slot();
        slot.learn_owner::<I::Marker>();
        Arc::new(Self { slot, instance: I::Marker::instance(), queue, version, carriers, entry })
    }
}

impl<C: Carriers, R: Send + 'static> Serve for ServedFunction<C, R> {
    fn name(&self) -> &'static str {
        self.slot.name()
    }
    fn policy(&self) -> Policy {
        *self.slot.policy()
    }
    fn queued(&self) -> Option<Queued> {
        let (here, alias) = (Here::find(self.name()), self.slot.tier()?);
        let tier = Arc::clone(here.executor.tiers.get(alias)?);
        let scope = Scope { name: self.name().into(), instance: self.instance.map(Into::into) };
        let line = Line::of(self.queue, &scope, (self.version)());
        Some(Queued { tier, line, scope: Arc::new(scope), alias })
    }
    fn missing(&self, provisions: &Provisions) -> Vec<Missing> {
        self.carriers.__cacheback_missing(provisions)
    }
    fn prepare(&self, args: Vec<Vec<u8>>, provisions: &Provisions) -> Result<Box<dyn Work>, String> {
        let prepared = catch(|| {
            let owned = self.carriers.__cacheback_decode(args, provisions)?;
            Ok(Box::new((self.entry)(&owned)) as Box<dyn Work>)
        });
        prepared.unwrap_or_else(|panic| Err(panic.message().to_owned()))
    }
}
