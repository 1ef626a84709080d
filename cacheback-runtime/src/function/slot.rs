//! The static of a cached function: it holds the function's name, its options and its caches, one for each
//! instantiation.
//!
//! A static inside a method can name neither `Self` nor a type parameter. So it is untyped, and each instantiation
//! finds its own cache by type, in a list. For the same reason the static of a method learns the name of its type from
//! the first call.

use std::panic::RefUnwindSafe;

use once_cell::sync::OnceCell;

use super::instances::{Found, Instances, Shared};
use super::marker::{self, Marker};
use crate::base::sync::{Arc, AtomicBool, OnceLock, Ordering};
use crate::engine::{Cacheable, Definition, ErasedCache};
use crate::rules::policy::Policy;

/// The caches of a cached function, untyped.
pub struct Slot {
    name: Name,
    options: fn(&mut Policy),
    /// Boxed: it is large, and read only where an entry is made for the first time, or shown.
    policy: OnceCell<Box<Policy>>,
    instances: Instances,
    used: AtomicBool,
    /// The alias of the second tier, if its values are in one.
    tier: Option<Option<&'static str>>,
}

// The list of instances only grows, and its engines are unwind safe.
impl RefUnwindSafe for Slot {}

/// The name of the cache.
enum Name {
    Full(&'static str),
    /// The full name has the name of the type between the two, once the type is known.
    Method {
        module: &'static str,
        function: &'static str,
        full: OnceLock<&'static str>,
    },
}

impl Slot {
    /// The slot of a function with this name. `options` sets the options that depend on no argument.
    #[must_use]
    pub const fn new(name: &'static str, options: fn(&mut Policy)) -> Self {
        Self::named(Name::Full(name), options)
    }

    /// The slot of a function in an `impl`, named after its module, its type and itself.
    #[must_use]
    pub const fn method(module: &'static str, function: &'static str, options: fn(&mut Policy)) -> Self {
        Self::named(Name::Method { module, function, full: OnceLock::new() }, options)
    }

    const fn named(name: Name, options: fn(&mut Policy)) -> Self {
        Self {
            name,
            options,
            policy: OnceCell::new(),
            instances: Instances::new(),
            used: AtomicBool::new(false),
            tier: None,
        }
    }

    /// The values are in the second tier of this alias, or in the one without an alias.
    #[must_use]
    pub const fn shared(mut self, alias: Option<&'static str>) -> Self {
        self.tier = Some(alias);
        self
    }

    /// The alias of the second tier, if its values are in one.
    pub(crate) fn tier(&self) -> Option<Option<&'static str>> {
        self.tier
    }

    pub(crate) fn name(&self) -> &'static str {
        match &self.name {
            Name::Full(name) => name,
            Name::Method { function, full, .. } => full.get().unwrap_or(function),
        }
    }

    /// Tells the slot of a method the name of its type.
    pub(crate) fn learn_owner<M: Marker>(&self) {
        if let (Name::Method { module, function, full }, Some(owner)) = (&self.name, M::owner()) {
            full.get_or_init(|| format!("{module}::{}::{function}", marker::short_name(owner)).leak());
        }
    }

    /// The options, checked at their first use.
    ///
    /// # Panics
    ///
    /// If they contradict each other, at each use.
    pub(crate) fn policy(&self) -> &Policy {
        let checked = self.policy.get_or_try_init(|| {
            let mut policy = Policy::default();
            (self.options)(&mut policy);
            policy.checked().map(Box::new)
        });
        match checked {
            Ok(policy) => policy,
            Err(contradiction) => panic!("cacheback: function `{}`: {contradiction}", self.name()),
        }
    }

    /// The cache of one instantiation, for a hit; `None` before its first use.
    #[inline]
    pub(crate) fn find<C: Cacheable, M: Marker>(&'static self) -> Option<Found<C>> {
        self.instances.find::<C, M>()
    }

    /// The cache of one instantiation, for an entry. At its first use it is made from `definition`, which is called
    /// with the name and the options.
    pub(crate) fn find_or_init<C: Cacheable, M: Marker>(
        &'static self,
        definition: impl FnOnce(&'static str, Policy) -> Definition<C>,
    ) -> Shared<C> {
        self.instances.with(|instances| {
            let instance = instances.walk::<C, M>().unwrap_or_else(|end| {
                self.learn_owner::<M>();
                // Called before the list is locked, because the expressions of the options are user code.
                let policy = *self.policy();
                end.append::<C, M>(definition(self.name(), policy))
            });
            instance.shared()
        })
    }

    /// Whether this method is called for the first time.
    pub(crate) fn is_first_use(&self) -> bool {
        !self.used.load(Ordering::Relaxed) && !self.used.swap(true, Ordering::Relaxed)
    }

    /// The caches of the slot, as far as the calling runtime sees them.
    pub(crate) fn all(&'static self) -> Vec<Arc<dyn ErasedCache>> {
        self.instances.with(Instances::all)
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("name", &self.name()).finish_non_exhaustive()
    }
}
