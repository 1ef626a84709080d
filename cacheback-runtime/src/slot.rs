//! One static a function: the caches of all its instantiations, and what the attribute says.
//!
//! A static inside a method can name neither `Self` nor a type parameter, so it is untyped: an append-only list in
//! which each instantiation finds its own by type. The first, nearly always the only one, is the head of the list.

use std::any::{Any, TypeId};
use std::marker::PhantomData;

use once_cell::sync::OnceCell;

use crate::engine::{Engine, ErasedCache};
use crate::key::KeyArgs;
use crate::outcome::Outcome;
use crate::policy::Policy;
use crate::sync::{Arc, OnceLock};

/// The untyped place of a cached function's caches.
pub struct Slot {
    name: &'static str,
    options: fn(&mut Policy),
    policy: OnceCell<Policy>,
    head: Link,
}

/// A place in the list of instantiations.
pub(crate) type Link = OnceLock<Box<Instance>>;

/// One instantiation: `typed` to be found by its types, `erased` for what needs none.
pub(crate) struct Instance {
    /// The type that is behind `typed`.
    id: TypeId,
    typed: Box<dyn Any + Send + Sync>,
    erased: Arc<dyn ErasedCache>,
    next: Link,
}

/// The cache of one instantiation; `M` tells `Self` and the generic arguments apart.
pub(crate) struct Typed<A: KeyArgs, O: Outcome, M> {
    pub(crate) engine: Arc<Engine<A, O>>,
    marker: PhantomData<fn() -> M>,
}

/// What a slot lends: with `test-util` an isolation may end while a call goes on.
#[cfg(feature = "test-util")]
pub(crate) type FoundEngine<A, O> = Arc<Engine<A, O>>;
#[cfg(not(feature = "test-util"))]
pub(crate) type FoundEngine<A, O> = &'static Arc<Engine<A, O>>;

impl Slot {
    /// A function's slot: its name, and the options that no argument changes.
    #[must_use]
    pub const fn new(name: &'static str, options: fn(&mut Policy)) -> Self {
        Self { name, options, policy: OnceCell::new(), head: OnceLock::new() }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The options, checked at their first use.
    ///
    /// # Panics
    ///
    /// Where they contradict each other: at each use.
    pub(crate) fn policy(&self) -> &Policy {
        let checked = self.policy.get_or_try_init(|| {
            let mut policy = Policy::default();
            (self.options)(&mut policy);
            policy.checked()
        });
        match checked {
            Ok(policy) => policy,
            Err(contradiction) => panic!("cacheback: function `{}`: {contradiction}", self.name),
        }
    }

    /// The cache of one instantiation.
    #[inline]
    pub(crate) fn engine<A: KeyArgs, O: Outcome, M: 'static>(&'static self) -> FoundEngine<A, O> {
        #[cfg(feature = "test-util")]
        {
            let own = self.isolated();
            let head = own.as_deref().unwrap_or(&self.head);
            Arc::clone(&self.walk::<A, O, M>(head).engine)
        }
        #[cfg(not(feature = "test-util"))]
        {
            let head = self.head.get().and_then(|instance| instance.typed::<Typed<A, O, M>>());
            &head.unwrap_or_else(|| self.walk::<A, O, M>(&self.head)).engine
        }
    }

    /// Every cache of the slot that the calling runtime sees.
    pub(crate) fn all(&'static self) -> Vec<Arc<dyn ErasedCache>> {
        #[cfg(feature = "test-util")]
        if let Some(head) = self.isolated() {
            return all(&head);
        }
        all(&self.head)
    }

    /// The list of the calling runtime's own caches, where it is isolated.
    #[cfg(feature = "test-util")]
    fn isolated(&'static self) -> Option<Arc<Link>> {
        crate::testing::isolated(std::ptr::from_ref(self) as usize)
    }

    #[cold]
    #[inline(never)]
    fn walk<'l, A: KeyArgs, O: Outcome, M: 'static>(&self, head: &'l Link) -> &'l Typed<A, O, M> {
        // Before the lock of the list: the options' expressions are the user's.
        let policy = *self.policy();
        let mut at = head;
        loop {
            let instance = at.get_or_init(|| {
                let engine = Engine::new(self.name, policy);
                let erased: Arc<dyn ErasedCache> = Arc::clone(&engine) as _;
                Box::new(Instance::new(Typed::<A, O, M> { engine, marker: PhantomData }, erased))
            });
            match instance.typed() {
                Some(typed) => return typed,
                None => at = &instance.next,
            }
        }
    }
}

impl Instance {
    fn new<T: Send + Sync + 'static>(typed: T, erased: Arc<dyn ErasedCache>) -> Self {
        Self { id: TypeId::of::<T>(), typed: Box::new(typed), erased, next: OnceLock::new() }
    }

    /// As `downcast_ref`, which would ask the value for its type through a pointer: eight instructions of each hit.
    #[allow(unsafe_code)]
    #[inline]
    fn typed<T: Send + Sync + 'static>(&self) -> Option<&T> {
        // SAFETY: `id` is the type of what is behind `typed`; both are set in `new` alone, and together.
        (self.id == TypeId::of::<T>()).then(|| unsafe { &*std::ptr::from_ref(&*self.typed).cast::<T>() })
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("name", &self.name).finish_non_exhaustive()
    }
}

fn all(head: &Link) -> Vec<Arc<dyn ErasedCache>> {
    let mut all = Vec::new();
    let mut at = head;
    while let Some(instance) = at.get() {
        all.push(Arc::clone(&instance.erased));
        at = &instance.next;
    }
    all
}
