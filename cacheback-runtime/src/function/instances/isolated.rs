//! Engines of tests. An isolation has engines of its own, which are dropped when it ends, or with the last call in
//! them.

use std::any::Any;

use super::Instances;
use crate::base::sync::Arc;
use crate::engine::{Cacheable, Engine};
use crate::executor::testing;
use crate::function::marker::Marker;

/// The engine for a hit.
pub(crate) type Found<C> = Arc<Engine<C>>;
/// The engine for an entry, which may start fetches.
pub(crate) type Shared<C> = Arc<Engine<C>>;

pub(crate) fn arc_of<C: Cacheable>(engine: &Shared<C>) -> &Arc<Engine<C>> {
    engine
}

pub(super) struct Holder(Arc<dyn Any + Send + Sync>);

impl Holder {
    pub(super) fn new<C: Cacheable>(engine: Arc<Engine<C>>) -> Self {
        Self(engine)
    }

    pub(super) fn shared<C: Cacheable>(&self) -> Option<Shared<C>> {
        Arc::clone(&self.0).downcast().ok()
    }
}

impl Instances {
    pub(in crate::function) fn find<C: Cacheable, M: Marker>(&'static self) -> Option<Found<C>> {
        self.with(|instances| Some(instances.walk::<C, M>().ok()?.shared()))
    }

    /// Does `work` on the instances that the calling runtime sees: those of its isolation, if it has one.
    pub(in crate::function) fn with<R>(&'static self, work: impl FnOnce(&Self) -> R) -> R {
        let own: Option<Arc<Self>> = testing::isolated(std::ptr::from_ref(self) as usize);
        work(own.as_deref().unwrap_or(self))
    }
}
