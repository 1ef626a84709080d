//! Which of a function's caches a call belongs to.

use std::marker::PhantomData;

use super::marker::Marker;
use super::slot::Slot;

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

impl Slot {
    /// The instantiation that this marker tells from others.
    #[must_use]
    pub const fn of<M: Marker>(&'static self, marker: PhantomData<M>) -> InstanceOf<M> {
        InstanceOf(self, marker)
    }
}
