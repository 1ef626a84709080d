//! The caches of one function, in a list that only grows. Each instantiation finds its own by type. The first is the
//! head of the list, and nearly always the only one.
//!
//! Engines mostly live as long as their function's static (`lasting`). With `test-util` they may be dropped
//! (`isolated`).

use std::any::TypeId;
use std::marker::PhantomData;

use super::marker::Marker;
use crate::base::sync::{Arc, OnceLock};
use crate::engine::{Cacheable, Definition, Engine, ErasedCache};

#[cfg(feature = "test-util")]
mod isolated;
#[cfg(not(feature = "test-util"))]
mod lasting;
#[cfg(feature = "test-util")]
use isolated as held;
#[cfg(not(feature = "test-util"))]
use lasting as held;

pub(crate) use held::{Found, Shared, arc_of};

/// The list, or its rest after some instance.
#[derive(Default)]
pub(crate) struct Instances(OnceLock<Box<Instance>>);

/// The cache of one instantiation.
pub(super) struct Instance {
    /// `TypeId` of `InstanceId<C, M>`.
    id: TypeId,
    /// The engine, to be found by its types.
    engine: held::Holder,
    /// The same engine, for the operations that need no types.
    erased: Arc<dyn ErasedCache>,
    next: Instances,
}

/// Identifies an instantiation. `M` stands for `Self` and the generic arguments.
type InstanceId<C, M> = PhantomData<(C, M)>;

impl Instances {
    pub(super) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The instance of these types. `Err` is the end of the list, if there is none.
    #[cold]
    #[inline(never)]
    pub(super) fn walk<C: Cacheable, M: Marker>(&self) -> Result<&Instance, &Self> {
        let id = TypeId::of::<InstanceId<C, M>>();
        let mut at = self;
        while let Some(instance) = at.0.get() {
            if instance.id == id {
                return Ok(instance);
            }
            at = &instance.next;
        }
        Err(at)
    }

    /// Appends an instance of these types to the list, unless another thread has just done so.
    pub(super) fn append<C: Cacheable, M: Marker>(&self, definition: Definition<C>) -> &Instance {
        let mut definition = Some(definition);
        let mut at = self;
        loop {
            let instance = at.0.get_or_init(|| {
                let Some(definition) = definition.take() else { unreachable!("an instance is made once") };
                Box::new(Instance::new::<C, M>(Engine::new(definition)))
            });
            if instance.is::<C, M>() {
                return instance;
            }
            at = &instance.next;
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<dyn ErasedCache>> {
        let mut all = Vec::new();
        let mut at = self;
        while let Some(instance) = at.0.get() {
            all.push(Arc::clone(&instance.erased));
            at = &instance.next;
        }
        all
    }
}

impl Instance {
    fn new<C: Cacheable, M: Marker>(engine: Arc<Engine<C>>) -> Self {
        let erased = Arc::clone(&engine);
        Self {
            id: TypeId::of::<InstanceId<C, M>>(),
            engine: held::Holder::new(engine),
            erased,
            next: Instances::new(),
        }
    }

    #[inline]
    fn is<C: Cacheable, M: Marker>(&self) -> bool {
        self.id == TypeId::of::<InstanceId<C, M>>()
    }

    /// The engine. The instance was found by these types.
    pub(super) fn shared<C: Cacheable>(&self) -> Shared<C> {
        self.engine.shared().unwrap_or_else(|| unreachable!("the instance was found by its types"))
    }
}
