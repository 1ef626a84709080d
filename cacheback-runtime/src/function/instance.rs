//! The instantiation of a function that a call belongs to. Each has a cache of its own.

use std::marker::PhantomData;

use super::marker::Marker;
use super::slot::Slot;

/// One instantiation of a function. A function with a single one is named by its slot alone.
pub trait Instantiation: Copy {
    /// The type that tells it from the other instantiations.
    type Marker: Marker;
    /// The slot with the caches of all instantiations.
    fn slot(self) -> &'static Slot;
}

impl Instantiation for &'static Slot {
    type Marker = ();
    #[inline(always)]
    fn slot(self) -> &'static Slot {
        self
    }
}

/// One of several instantiations.
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

impl Slot {
    /// The instantiation with this marker.
    #[must_use]
    pub const fn of<M: Marker>(&'static self, marker: PhantomData<M>) -> InstanceOf<M> {
        InstanceOf(self, marker)
    }
}
