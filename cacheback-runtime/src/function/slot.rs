//! One static a function: the caches of all its instantiations, and what the attribute says.
//!
//! A static inside a method can name neither `Self` nor a type parameter, so it is untyped: an append-only list in
//! which each instantiation finds its own by type. The first, nearly always the only one, is the head of the list. For
//! the same reason a method's static learns the name of its type from the first call.

use std::any::{Any, TypeId};
use std::marker::PhantomData;
use std::panic::RefUnwindSafe;

use once_cell::sync::OnceCell;

use crate::base::sync::{Arc, AtomicBool, OnceLock, Ordering};
use crate::engine::{Cacheable, Definition, Engine, ErasedCache};
use crate::function::instance::{self, Marker};
use crate::rules::policy::Policy;

/// The untyped place of a cached function's caches.
pub struct Slot {
    name: Name,
    options: fn(&mut Policy),
    policy: OnceCell<Policy>,
    head: Link,
    used: AtomicBool,
}

// A list that only grows, of engines, which are.
impl RefUnwindSafe for Slot {}

/// What the cache is called.
enum Name {
    Full(&'static str),
    /// The type's name stands between the two, once it is known.
    Method {
        module: &'static str,
        function: &'static str,
        full: OnceLock<&'static str>,
    },
}

/// A place in the list of instantiations.
pub(crate) type Link = OnceLock<Box<Instance>>;

/// One instantiation: its engine, to be found by its types, and `erased` for what needs none.
pub(crate) struct Instance {
    /// `TypeId` of `Id<C, M>`.
    id: TypeId,
    #[cfg(feature = "test-util")]
    engine: Arc<dyn Any + Send + Sync>,
    /// The `Arc` of it, which lives as long as its static: an entry need not count itself there.
    #[cfg(not(feature = "test-util"))]
    engine: &'static (dyn Any + Send + Sync),
    /// The same again, for hits: reached without a detour through the `Arc`.
    #[cfg(not(feature = "test-util"))]
    for_hits: &'static (dyn Any + Send + Sync),
    erased: Arc<dyn ErasedCache>,
    next: Link,
}

/// Which of a function's caches: a slot alone where there is one.
pub trait Instantiation: Copy {
    /// What tells it from others.
    type Marker: Marker;
    /// Where they all are.
    fn slot(self) -> &'static Slot;
}

impl Instantiation for &'static Slot {
    type Marker = ();
    #[inline(always)]
    fn slot(self) -> &'static Slot {
        self
    }
}

/// The cache of one of several instantiations.
#[derive(Debug)]
pub struct InstanceOf<M>(&'static Slot, PhantomData<M>);

impl<M> Clone for InstanceOf<M> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M> Copy for InstanceOf<M> {}

impl<M: Marker> Instantiation for InstanceOf<M> {
    type Marker = M;
    #[inline(always)]
    fn slot(self) -> &'static Slot {
        self.0
    }
}

/// Names an instantiation: `M` tells `Self` and the generic arguments apart.
type Id<C, M> = PhantomData<(C, M)>;

/// What a slot lends: with `test-util` an isolation may end while a call goes on.
#[cfg(feature = "test-util")]
pub(crate) type FoundEngine<C> = Arc<Engine<C>>;
#[cfg(not(feature = "test-util"))]
pub(crate) type FoundEngine<C> = &'static Engine<C>;

/// The same, for what may start fetches.
#[cfg(feature = "test-util")]
pub(crate) type SharedEngine<C> = Arc<Engine<C>>;
#[cfg(not(feature = "test-util"))]
pub(crate) type SharedEngine<C> = &'static Arc<Engine<C>>;

/// The `Arc` of it, whichever it is.
pub(crate) fn arc_of<C: Cacheable>(engine: &SharedEngine<C>) -> &Arc<Engine<C>> {
    engine
}

impl Slot {
    /// A function's slot: its name, and the options that no argument changes.
    #[must_use]
    pub const fn new(name: &'static str, options: fn(&mut Policy)) -> Self {
        Self::named(Name::Full(name), options)
    }

    /// The slot of a function in an `impl`, named after its module, the type and itself.
    #[must_use]
    pub const fn method(module: &'static str, function: &'static str, options: fn(&mut Policy)) -> Self {
        Self::named(Name::Method { module, function, full: OnceLock::new() }, options)
    }

    const fn named(name: Name, options: fn(&mut Policy)) -> Self {
        Self { name, options, policy: OnceCell::new(), head: OnceLock::new(), used: AtomicBool::new(false) }
    }

    /// The instantiation that this marker tells from others.
    #[must_use]
    pub const fn of<M: Marker>(&'static self, marker: PhantomData<M>) -> InstanceOf<M> {
        InstanceOf(self, marker)
    }

    pub(crate) fn name(&self) -> &'static str {
        match &self.name {
            Name::Full(name) => name,
            Name::Method { function, full, .. } => full.get().unwrap_or(function),
        }
    }

    /// Tells a method's slot which type it is a method of.
    pub(crate) fn learn_owner<M: Marker>(&self) {
        if let (Name::Method { module, function, full }, Some(owner)) = (&self.name, M::owner()) {
            full.get_or_init(|| format!("{module}::{}::{function}", instance::short_name(owner)).leak());
        }
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
            Err(contradiction) => panic!("cacheback: function `{}`: {contradiction}", self.name()),
        }
    }

    /// The cache of one instantiation, for a hit; `None` before its first use.
    #[inline]
    pub(crate) fn find<C: Cacheable, M: Marker>(&'static self) -> Option<FoundEngine<C>> {
        #[cfg(feature = "test-util")]
        {
            let own = self.isolated();
            let head = own.as_deref().unwrap_or(&self.head);
            Some(walk::<C, M>(head).ok()?.shared())
        }
        #[cfg(not(feature = "test-util"))]
        match self.head.get()?.engine::<C, M>() {
            Some(engine) => Some(engine),
            None => walk::<C, M>(&self.head).ok()?.engine::<C, M>(),
        }
    }

    /// The cache of one instantiation, for an entry. At its first use it is born with this `definition`, which is given
    /// the name and the options.
    pub(crate) fn find_or_init<C: Cacheable, M: Marker>(
        &'static self,
        definition: impl FnOnce(&'static str, Policy) -> Definition<C::Outcome>,
    ) -> SharedEngine<C> {
        #[cfg(feature = "test-util")]
        let own = self.isolated();
        #[cfg(feature = "test-util")]
        let head = own.as_deref().unwrap_or(&self.head);
        #[cfg(not(feature = "test-util"))]
        let head = &self.head;
        let instance = walk::<C, M>(head).unwrap_or_else(|end| {
            self.learn_owner::<M>();
            // Before the lock of the list: the options' expressions are the user's.
            let policy = *self.policy();
            append::<C, M>(end, definition(self.name(), policy))
        });
        instance.shared()
    }

    /// Whether this is asked for the first time.
    pub(crate) fn is_first_use(&self) -> bool {
        !self.used.load(Ordering::Relaxed) && !self.used.swap(true, Ordering::Relaxed)
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
        crate::executor::testing::isolated(std::ptr::from_ref(self) as usize)
    }
}

/// The instance of these types; `Err` is the end of the list, which has none.
#[cold]
#[inline(never)]
fn walk<C: Cacheable, M: Marker>(head: &Link) -> Result<&Instance, &Link> {
    let id = TypeId::of::<Id<C, M>>();
    let mut at = head;
    while let Some(instance) = at.get() {
        if instance.id == id {
            return Ok(instance);
        }
        at = &instance.next;
    }
    Err(at)
}

/// Makes an instance at the end of the list, unless another thread just has.
fn append<C: Cacheable, M: Marker>(mut at: &Link, definition: Definition<C::Outcome>) -> &Instance {
    let id = TypeId::of::<Id<C, M>>();
    let mut definition = Some(definition);
    loop {
        let instance = at.get_or_init(|| {
            let Some(definition) = definition.take() else { unreachable!("an instance is made once") };
            Box::new(Instance::new::<C, M>(Engine::new(definition)))
        });
        if instance.id == id {
            return instance;
        }
        at = &instance.next;
    }
}

impl Instance {
    fn new<C: Cacheable, M: Marker>(engine: Arc<Engine<C>>) -> Self {
        let erased = Arc::clone(&engine);
        #[cfg(not(feature = "test-util"))]
        let engine: &'static Arc<_> = Box::leak(Box::new(engine));
        Self {
            id: TypeId::of::<Id<C, M>>(),
            #[cfg(not(feature = "test-util"))]
            for_hits: &**engine,
            erased,
            engine,
            next: OnceLock::new(),
        }
    }

    /// The engine, of an instance that was found by these types.
    fn shared<C: Cacheable>(&self) -> SharedEngine<C> {
        #[cfg(feature = "test-util")]
        let engine = Arc::clone(&self.engine).downcast().ok();
        #[cfg(not(feature = "test-util"))]
        let engine = self.engine.downcast_ref();
        engine.unwrap_or_else(|| unreachable!("it was found by its types"))
    }

    /// The engine, where it is the one of these types. As `downcast_ref`, which would ask the engine for its type
    /// through a pointer: eight instructions of each hit.
    #[cfg(not(feature = "test-util"))]
    #[allow(unsafe_code)]
    #[inline]
    fn engine<C: Cacheable, M: Marker>(&self) -> Option<&Engine<C>> {
        // SAFETY: an instance is made by `new` alone, which sets the `id` of the types that its engine has.
        (self.id == TypeId::of::<Id<C, M>>())
            .then(|| unsafe { &*std::ptr::from_ref(self.for_hits).cast::<Engine<C>>() })
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("name", &self.name()).finish_non_exhaustive()
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
