//! Engines that live as long as their static.

use std::any::Any;

use super::{Instance, Instances};
use crate::base::sync::Arc;
use crate::engine::{Cacheable, Engine};
use crate::function::marker::Marker;

/// The engine for a hit.
pub(crate) type Found<C> = &'static Engine<C>;
/// The engine for an entry, which may start fetches. A reference to the `Arc`: the entry need not count itself in it.
pub(crate) type Shared<C> = &'static Arc<Engine<C>>;

pub(crate) fn arc_of<C: Cacheable>(engine: &Shared<C>) -> &'static Arc<Engine<C>> {
    engine
}

pub(super) struct Holder {
    /// The `Arc` of the engine.
    shared: &'static (dyn Any + Send + Sync),
    /// The engine itself, so that a hit need not go through the `Arc`.
    for_hits: &'static (dyn Any + Send + Sync),
}

impl Holder {
    pub(super) fn new<C: Cacheable>(engine: Arc<Engine<C>>) -> Self {
        let shared: &'static Arc<_> = Box::leak(Box::new(engine));
        Self { shared, for_hits: &**shared }
    }

    pub(super) fn shared<C: Cacheable>(&self) -> Option<Shared<C>> {
        self.shared.downcast_ref()
    }
}

impl Instances {
    #[inline]
    pub(in crate::function) fn find<C: Cacheable, M: Marker>(&'static self) -> Option<Found<C>> {
        match self.0.get()?.engine::<C, M>() {
            Some(engine) => Some(engine),
            None => self.walk::<C, M>().ok()?.engine::<C, M>(),
        }
    }

    /// Does `work` on the instances that the calling runtime sees: here, all of them.
    pub(in crate::function) fn with<R>(&'static self, work: impl FnOnce(&'static Self) -> R) -> R {
        work(self)
    }
}

impl Instance {
    /// The engine, if it is of these types. Does the same as `downcast_ref`, which would ask the engine for its type
    /// through a pointer and cost eight instructions more for each hit.
    #[allow(unsafe_code)]
    #[inline]
    fn engine<C: Cacheable, M: Marker>(&self) -> Option<Found<C>> {
        // SAFETY: only `new` makes an instance, and it takes `id` from the types of the engine.
        self.is::<C, M>().then(|| unsafe { &*std::ptr::from_ref(self.engine.for_hits).cast::<Engine<C>>() })
    }
}
