//! Engines that live as long as their static.

use std::any::Any;

use super::{Instance, Instances};
use crate::base::sync::Arc;
use crate::engine::{Cacheable, Engine};
use crate::function::marker::Marker;

/// An engine as a hit gets it.
pub(crate) type Found<C> = &'static Engine<C>;
/// An engine as an entry gets it, which may start fetches. The entry need not count itself in the `Arc`.
pub(crate) type Shared<C> = &'static Arc<Engine<C>>;

pub(crate) fn arc_of<C: Cacheable>(engine: &Shared<C>) -> &'static Arc<Engine<C>> {
    engine
}

pub(super) struct Held {
    /// The `Arc` of it.
    shared: &'static (dyn Any + Send + Sync),
    /// The engine itself: a hit reaches it without a detour through the `Arc`.
    for_hits: &'static (dyn Any + Send + Sync),
}

impl Held {
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

    /// Works with the instances that the calling runtime sees: here, all.
    pub(in crate::function) fn with<R>(&'static self, work: impl FnOnce(&'static Self) -> R) -> R {
        work(self)
    }
}

impl Instance {
    /// The engine, if it is the one of these types. As `downcast_ref`, which would ask the engine for its type through a
    /// pointer: eight instructions of each hit.
    #[allow(unsafe_code)]
    #[inline]
    fn engine<C: Cacheable, M: Marker>(&self) -> Option<Found<C>> {
        // SAFETY: an instance is made by `new` alone, which sets the `id` of the types that its engine has.
        self.is::<C, M>().then(|| unsafe { &*std::ptr::from_ref(self.engine.for_hits).cast::<Engine<C>>() })
    }
}
