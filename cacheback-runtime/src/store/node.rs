//! The stored record of a key: a value, a kept error, or nothing but a back-off.
//!
//! The fields that a hit reads lie side by side: place, end of the freshness, key and value. Fields that few entries
//! need, once they are stale, failed or invalidated, are in a box of their own.

use std::hash::{Hash, Hasher};

use super::place::PlaceNumber;
use crate::base::clock::Moment;
use crate::base::panics::catch;
use crate::base::sync::{AtomicU32, AtomicU64, OnceBox, Ordering};
use crate::events::{self, Status};
use crate::rules::backoff::Backoff;
use crate::rules::decide::Facts;
use crate::rules::effect::Held;
use crate::rules::freshness::{State, Times, Windows};

/// The content of a node, besides its key and its times.
pub(crate) enum Content<V, X> {
    /// A value, and the generation in which moka was last told of a hit. (The enum's tag leaves room for it.)
    Value(V, Generation),
    /// An error that answers callers who would wait, for a while. A write forgets it.
    Error(X),
    /// Nothing: the key is in back-off.
    Nothing,
}

/// A generation of insertions: see [`store`](super).
#[derive(Default)]
pub(crate) struct Generation(AtomicU32);

impl Generation {
    #[inline]
    pub(super) fn is(&self, generation: u32) -> bool {
        self.0.load(Ordering::Relaxed) == generation
    }

    pub(super) fn set(&self, generation: u32) {
        self.0.store(generation, Ordering::Relaxed);
    }
}

struct Stored<K, V, X> {
    key: K,
    content: Content<V, X>,
}

/// The record of a key. Immutable but for a few numbers, which change under the key's lock and are read without it.
///
/// The order of the fields matters: those that a hit reads come first and together, and lie half of the time in one
/// line of the processor's cache.
#[repr(C)]
pub(crate) struct Node<K, V, X> {
    /// The place in the index: the key's hash, or one derived from it.
    pub(super) at: u64,
    /// Until then a read of the value has no fetch to start.
    fresh_until: AtomicU64,
    /// `None` only while the node is dropped.
    stored: Option<Stored<K, V, X>>,
    /// Its number in the store.
    pub(super) id: u64,
    /// The number of its place. Each node that replaces another takes it over.
    pub(super) number: PlaceNumber,
    /// The start of the fetch that made it, or the moment of the `set`.
    pub(crate) started: Moment,
    /// Written before `fresh_until` (Release): a reader that sees `PAST` there (Acquire) also sees this.
    more: OnceBox<More>,
}

/// In the place of a change's number: there may have been one.
#[cfg(feature = "shared")]
const SUSPECT: u64 = 1;

/// The fields that most nodes never need.
struct More {
    windows: Windows,
    /// `invalidate` cuts it.
    lifetime: AtomicU64,
    /// Until then a stale read starts no refresh. A hint: `backoff_until` and the claims of the key decide.
    no_refresh_until: AtomicU64,
    backoff_until: AtomicU64,
    /// The version of the queue that has refused its last refresh; zero if none has, or if it has a flight since.
    refused_by: AtomicU64,
    /// Until then a kept error answers callers who would wait.
    error_until: AtomicU64,
    /// The time after the back-off for which the number of failures is remembered, in nanoseconds.
    remembered: AtomicU64,
    failures: AtomicU32,
    /// The number of the value in the second tier; zero if it has none.
    #[cfg(feature = "shared")]
    write_id: AtomicU64,
    /// The number of another process' change of the key, which may be a later one; [`SUSPECT`] if there may be one, and
    /// zero if nobody has told of any.
    #[cfg(feature = "shared")]
    doubted_by: AtomicU64,
}

impl<K, V, X> Node<K, V, X> {
    /// A record with these times. `standard` are the windows that most values of its store have.
    pub(crate) fn new(key: K, hash: u64, times: Times, standard: &Windows, content: Content<V, X>) -> Self {
        let fresh_until = match content {
            // Never fresh, not even for an instant: the clock of a hit may lag behind the one that gave `started`.
            Content::Value(..) if times.fast_path_age() == 0 => Moment::PAST,
            Content::Value(..) => times.fast_path_until(),
            Content::Error(_) | Content::Nothing => Moment::PAST,
        };
        let node = Self {
            at: hash,
            id: 0,
            number: PlaceNumber::new(0),
            started: times.started,
            fresh_until: AtomicU64::new(fresh_until.to_bits()),
            more: OnceBox::new(),
            stored: Some(Stored { key, content }),
        };
        if times.windows() != *standard || fresh_until == Moment::PAST {
            node.more_of(times);
        }
        node
    }

    #[inline]
    fn stored(&self) -> &Stored<K, V, X> {
        match &self.stored {
            Some(stored) => stored,
            None => unreachable!("a node has its key until it is dropped"),
        }
    }

    #[inline]
    pub(crate) fn key(&self) -> &K {
        &self.stored().key
    }

    #[inline]
    pub(crate) fn content(&self) -> &Content<V, X> {
        &self.stored().content
    }

    /// The number of the node. No other node of its store ever has the same.
    #[inline]
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The key, if it has a value.
    #[inline]
    pub(crate) fn value_key(&self) -> Option<&K> {
        match &self.stored {
            Some(Stored { key, content: Content::Value(..) }) => Some(key),
            _ => None,
        }
    }

    /// The value, however old, and the generation in which moka was last told of a hit.
    #[inline]
    pub(crate) fn cached(&self) -> Option<(&V, &Generation)> {
        match &self.stored {
            Some(Stored { content: Content::Value(value, last_touch), .. }) => Some((value, last_touch)),
            _ => None,
        }
    }

    /// Whether a read of the value has no fetch to start.
    #[inline]
    pub(crate) fn is_on_fast_path(&self, now: Moment) -> bool {
        now.to_bits() < self.fresh_until.load(Ordering::Relaxed)
    }

    /// The status of the value for a reader who would start a refresh, if one is under way or the key is in back-off.
    #[inline]
    pub(crate) fn status_without_refresh(&self, now: Moment) -> Option<Status> {
        let more = self.more.get()?;
        #[cfg(feature = "shared")]
        if more.doubted_by.load(Ordering::Relaxed) != 0 {
            return None;
        }
        if now.to_bits() >= more.no_refresh_until.load(Ordering::Relaxed) {
            return None;
        }
        status_at(more.times(self.started), now)
    }

    /// The status of the value for a reader who starts no refresh.
    pub(crate) fn status(&self, now: Moment, standard: &Windows) -> Option<Status> {
        status_at(self.times(standard), now)
    }

    pub(crate) fn times(&self, standard: &Windows) -> Times {
        // Read before `more`: see there.
        let fresh_until = Moment::from_bits(self.fresh_until.load(Ordering::Acquire));
        match self.more.get() {
            Some(more) => more.times(self.started),
            None => {
                let lifetime = fresh_until.since(self.started).saturating_add(standard.ahead);
                Times::of(self.started, lifetime, *standard)
            }
        }
    }

    /// The further fields, made now if need be. Under the key's lock.
    fn more(&self, standard: &Windows) -> &More {
        self.more_of(self.times(standard))
    }

    fn more_of(&self, times: Times) -> &More {
        self.more.get_or_init(|| {
            Box::new(More {
                windows: times.windows(),
                lifetime: AtomicU64::new(times.lifetime),
                no_refresh_until: AtomicU64::new(0),
                backoff_until: AtomicU64::new(0),
                refused_by: AtomicU64::new(0),
                error_until: AtomicU64::new(0),
                remembered: AtomicU64::new(0),
                failures: AtomicU32::new(0),
                #[cfg(feature = "shared")]
                write_id: AtomicU64::new(0),
                #[cfg(feature = "shared")]
                doubted_by: AtomicU64::new(0),
            })
        })
    }

    /// A moment that most nodes do not have.
    fn moment(&self, number: impl Fn(&More) -> &AtomicU64) -> Moment {
        self.more.get().map_or(Moment::PAST, |more| Moment::from_bits(number(more).load(Ordering::Relaxed)))
    }

    pub(crate) fn facts(&self, standard: &Windows) -> Facts {
        Facts {
            times: matches!(self.content(), Content::Value(..)).then(|| self.times(standard)),
            backoff_until: self.backoff_until(),
            broken_until: Moment::PAST,
            error_until: self.moment(|more| &more.error_until),
            is_unsure: false,
            is_suspect: false,
        }
    }

    pub(crate) fn backoff_until(&self) -> Moment {
        self.moment(|more| &more.backoff_until)
    }

    pub(crate) fn held(&self, now: Moment, standard: &Windows) -> Held {
        Held { value: self.has_value(now, standard).then_some(self.started), failures: self.failures() }
    }

    /// Sets how long the kept error answers callers who would wait.
    pub(crate) fn keep_error(&self, until: Moment, standard: &Windows) {
        self.more(standard).error_until.store(until.to_bits(), Ordering::Relaxed);
    }

    /// The kept error answers nobody any more.
    pub(crate) fn forget_error(&self) {
        if let Some(more) = self.more.get() {
            more.error_until.store(Moment::PAST.to_bits(), Ordering::Relaxed);
        }
    }

    pub(crate) fn gone_at(&self, standard: &Windows) -> Moment {
        self.started.plus(self.retention(standard))
    }

    fn retention(&self, standard: &Windows) -> u64 {
        self.more.get().map_or(standard.retention, |more| more.windows.retention)
    }

    /// The value, if it is not past its retention.
    pub(crate) fn value(&self, now: Moment, standard: &Windows) -> Option<&V> {
        match self.content() {
            Content::Value(value, _) if now.since(self.started) < self.retention(standard) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn has_value(&self, now: Moment, standard: &Windows) -> bool {
        self.value(now, standard).is_some()
    }

    /// Ends the lifetime at the age that the value has now.
    pub(crate) fn cut_lifetime(&self, now: Moment, standard: &Windows) {
        self.more(standard).lifetime.fetch_min(now.since(self.started), Ordering::Relaxed);
        self.fresh_until.store(Moment::PAST.to_bits(), Ordering::Release);
    }

    pub(crate) fn failures(&self) -> u32 {
        self.more.get().map_or(0, |more| more.failures.load(Ordering::Relaxed))
    }

    /// Puts the key in back-off: a stale read starts no refresh until it ends.
    pub(crate) fn set_backoff(&self, backoff: Backoff, standard: &Windows) {
        let more = self.more(standard);
        more.remembered.store(backoff.remembered, Ordering::Relaxed);
        more.failures.store(backoff.failures, Ordering::Relaxed);
        more.backoff_until.store(backoff.until.to_bits(), Ordering::Relaxed);
        more.no_refresh_until.store(backoff.until.to_bits(), Ordering::Relaxed);
    }

    /// The back-off of a value, if failures are still remembered at `now`.
    pub(crate) fn remembered_backoff(&self, now: Moment) -> Option<Backoff> {
        let more = self.more.get().filter(|_| matches!(self.content(), Content::Value(..)))?;
        let backoff = Backoff {
            until: self.backoff_until(),
            failures: self.failures(),
            remembered: more.remembered.load(Ordering::Relaxed),
        };
        (backoff.failures > 0 && now < backoff.forgotten_at()).then_some(backoff)
    }

    /// The number of the value in the second tier, if it has one.
    #[cfg(feature = "shared")]
    pub(crate) fn write_id(&self) -> Option<u64> {
        let id = self.more.get()?.write_id.load(Ordering::Relaxed);
        (id > 0).then_some(id)
    }

    /// The value has this number in the second tier.
    #[cfg(feature = "shared")]
    pub(crate) fn set_write_id(&self, id: u64, standard: &Windows) {
        self.more(standard).write_id.fetch_max(id, Ordering::Relaxed);
    }

    /// Another process has changed the key, by the change of this number (zero: nobody knows it): hits pass over the
    /// value from now on.
    #[cfg(feature = "shared")]
    pub(crate) fn doubt(&self, by: u64, standard: &Windows) {
        let by = if by == 0 { u64::MAX } else { by };
        self.more(standard).doubted_by.fetch_max(by, Ordering::Relaxed);
        self.fresh_until.store(Moment::PAST.to_bits(), Ordering::Release);
    }

    /// Another process may have changed the key: hits pass over the value from now on.
    #[cfg(feature = "shared")]
    pub(crate) fn suspect(&self, standard: &Windows) {
        self.more(standard).doubted_by.fetch_max(SUSPECT, Ordering::Relaxed);
        self.fresh_until.store(Moment::PAST.to_bits(), Ordering::Release);
    }

    /// The value is from the change of this number: no earlier one is a reason to doubt it. Under the key's lock.
    #[cfg(feature = "shared")]
    pub(crate) fn trust(&self, id: u64, standard: &Windows) {
        let Some(more) = self.more.get().filter(|_| self.is_doubted()) else { return };
        if more.doubted_by.load(Ordering::Relaxed) <= id {
            more.doubted_by.store(0, Ordering::Relaxed);
            self.fresh_until.store(self.times(standard).fast_path_until().to_bits(), Ordering::Release);
        }
    }

    /// Whether another process has changed the key.
    #[cfg(feature = "shared")]
    pub(crate) fn is_doubted(&self) -> bool {
        self.more.get().is_some_and(|more| more.doubted_by.load(Ordering::Relaxed) > SUSPECT)
    }

    /// Whether another process has changed the key, or may have.
    #[cfg(feature = "shared")]
    pub(crate) fn is_marked(&self) -> bool {
        self.more.get().is_some_and(|more| more.doubted_by.load(Ordering::Relaxed) != 0)
    }

    /// A stale read starts no refresh until then.
    pub(crate) fn set_no_refresh_until(&self, until: Moment, standard: &Windows) {
        let more = self.more(standard);
        more.no_refresh_until.store(until.to_bits(), Ordering::Relaxed);
        more.refused_by.store(0, Ordering::Relaxed);
    }

    /// This version of the queue has refused a refresh.
    pub(crate) fn set_refused_by(&self, version: u64, standard: &Windows) {
        self.more(standard).refused_by.store(version, Ordering::Relaxed);
    }

    pub(crate) fn is_refused_by(&self, version: u64) -> bool {
        self.more.get().is_some_and(|more| more.refused_by.load(Ordering::Relaxed) == version)
    }

    /// From here on only the back-off keeps a stale read from starting a refresh.
    pub(crate) fn reset_no_refresh(&self) {
        if let Some(more) = self.more.get() {
            more.no_refresh_until.store(more.backoff_until.load(Ordering::Relaxed), Ordering::Relaxed);
            more.refused_by.store(0, Ordering::Relaxed);
        }
    }
}

#[inline]
fn status_at(times: Times, now: Moment) -> Option<Status> {
    match times.state(now) {
        State::Fresh => Some(Status::Fresh),
        State::Stale => Some(Status::Stale),
        State::TooStale | State::Missing => None,
    }
}

impl More {
    #[inline]
    fn times(&self, started: Moment) -> Times {
        Times::of(started, self.lifetime.load(Ordering::Relaxed), self.windows)
    }
}

/// In the index, a node is hashed by its place, and equal to the node that it replaces.
impl<K, V, X> Hash for Node<K, V, X> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.at);
    }
}
impl<K, V, X> PartialEq for Node<K, V, X> {
    fn eq(&self, other: &Self) -> bool {
        self.shares_place_with(other)
    }
}
impl<K, V, X> Eq for Node<K, V, X> {}

/// A node is dropped by its last reader, whoever that is: the hit of another caller, or the eviction listener. They are
/// to see no panic of the user's `Drop`.
impl<K, V, X> Drop for Node<K, V, X> {
    fn drop(&mut self) {
        let Some(Stored { key, content }) = self.stored.take() else { return };
        for dropped in [catch(|| drop(content)), catch(|| drop(key))] {
            if dropped.is_err() {
                events::drop_panicked();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Small<V> = Node<u64, V, std::sync::Arc<()>>;

    /// Six words besides the key, the value and the tag of the content.
    #[test]
    fn a_small_record_is_small() {
        assert_eq!(size_of::<Small<u64>>(), 48 + 8 + 8 + 8);
        assert_eq!(size_of::<Small<[u8; 16]>>(), 48 + 8 + 16 + 8);
    }

    /// The clock of a hit may be a tick behind the one that gave the start of the value.
    #[test]
    fn a_value_without_a_lifetime_is_never_fresh() {
        let windows = Windows { max_stale: u64::MAX, retention: 1_000, ahead: 0 };
        let is_on_fast_path = |lifetime| {
            let times = Times::of(Moment::from_bits(100), lifetime, windows);
            let node: Small<u64> = Node::new(1, 1, times, &windows, Content::Value(1, Generation::default()));
            assert_eq!(node.times(&windows), times);
            node.is_on_fast_path(Moment::from_bits(95))
        };
        assert!(!is_on_fast_path(0) && is_on_fast_path(1));
    }
}
