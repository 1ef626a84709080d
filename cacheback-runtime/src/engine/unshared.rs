//! What `shared` does, in a build that has no second tier: nothing.

use std::convert::Infallible;
use std::marker::PhantomData;

use super::fetch::Job;
use super::{Cacheable, Engine, FlightOf, FlightResult, NodeOf, Peeked, SharedOptions, SourceOf, Target};
use crate::base::sync::Arc;
use crate::base::tasks::BoxFuture;
use crate::executor::context::Here;
use crate::flight::Waiter;
use crate::outcome::error::Error;
use crate::rules::backoff::Backoff;
use crate::rules::policy::Policy;

/// No cache is shared.
pub(super) struct Shared<C>(Infallible, PhantomData<fn() -> C>);

impl<C: Cacheable> Shared<C> {
    pub(super) fn new(_: &str, options: SharedOptions<C::OwnedKey, C::Value>) -> Self {
        options.never()
    }
}

/// No key has a lease.
pub(super) struct HeldLease(Infallible);

/// No fetch is a worker's job.
pub(super) type HeldOrder = Infallible;

/// Nobody tells of anything, and nothing is suspect.
pub(super) type MessageEpoch = Infallible;
pub(super) type Look = Infallible;

/// Nobody is told of a write.
pub(crate) type Telling = Option<BoxFuture<Result<(), Error>>>;
pub(super) struct Message(Infallible);
pub(super) type Sent = Infallible;

impl Message {
    pub(super) fn send(self) -> Sent {
        self.0
    }
}

pub(super) async fn run<C: Cacheable>(job: Job<C>, _: Option<Box<Policy>>) {
    drop(job);
}

impl<C: Cacheable> Job<C> {
    pub(super) fn begin_consultation(self) {}

    #[inline]
    pub(super) fn lapse_lease(&self) {}

    pub(super) async fn cut_off(&self) {
        self.here.executor.limit_reached().await;
    }

    #[inline]
    pub(super) fn judge(&mut self, _: Option<&FlightResult<C>>, _: bool) {}

    #[inline]
    pub(super) fn is_unneeded(&mut self) {}

    #[inline]
    pub(super) fn end_lease(&mut self, _: Option<Backoff>) {
        if let Some(lease) = self.lease.take() {
            match lease.0 {}
        }
    }
}

impl<C: Cacheable> Engine<C> {
    #[inline]
    pub(super) fn can_consult(&self, _: &Here) -> bool {
        match &self.shared {
            Some(shared) => match shared.0 {},
            None => false,
        }
    }

    #[inline]
    pub(super) fn introduce(&self) {}

    #[inline]
    pub(super) fn is_doubted(_: &NodeOf<C>) -> bool {
        false
    }

    #[inline]
    pub(super) fn has_mark(_: &NodeOf<C>) -> bool {
        false
    }

    #[inline]
    pub(super) fn is_marked(&self, _: &NodeOf<C>) -> bool {
        false
    }

    #[inline]
    pub(super) fn is_suspect(&self, _: &NodeOf<C>) -> bool {
        false
    }

    #[inline]
    pub(super) fn begin_look(&self) -> Option<Look> {
        None
    }

    #[inline]
    pub(super) fn was_changed(&self, _: &FlightOf<C>) -> bool {
        false
    }

    #[inline]
    pub(super) fn doubt_if_changed(&self, _: &NodeOf<C>, _: &FlightOf<C>) {}

    #[inline]
    pub(super) fn suspect_if_untold(&self, _: &Target<C::OwnedKey>, _: u64, _: Option<MessageEpoch>) {}

    #[inline]
    pub(super) fn has_missed(&self, _: &Waiter<FlightResult<C>>, _: &FlightResult<C>) -> bool {
        false
    }

    #[inline]
    pub(crate) fn peek_there(
        self: &Arc<Self>,
        _: Target<C::OwnedKey>,
        _: SourceOf<C>,
    ) -> Option<BoxFuture<Option<Peeked<C::Value>>>> {
        None
    }

    #[inline]
    pub(super) fn message_of_set(&self, _: &Here, _: &Target<C::OwnedKey>, _: &NodeOf<C>) -> Option<Message> {
        None
    }

    #[inline]
    pub(super) fn message_of_invalidate(&self, _: &Here, _: &Target<C::OwnedKey>) -> Option<Message> {
        None
    }

    #[inline]
    pub(super) fn message_of_remove(&self, _: &Here, _: &Target<C::OwnedKey>) -> Option<Message> {
        None
    }

    #[inline]
    pub(super) fn telling(
        self: &Arc<Self>,
        sent: Option<Sent>,
        _: &Target<C::OwnedKey>,
        _: Option<u64>,
    ) -> Telling {
        match sent? {}
    }

    #[inline]
    pub(super) fn tell_all(self: &Arc<Self>, _: Bump) -> Telling {
        None
    }
}

/// A change of all values.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bump {
    Stale,
    Gone,
}

pub(crate) fn tell(_: &'static str, _: Option<&str>, _: Bump) -> Telling {
    None
}
