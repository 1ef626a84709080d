//! One stored record of a key: a value, a kept error, or nothing but a back-off.
//!
//! A hit touches what lies here side by side: hash, key, value and until when it is fresh. What few entries need, and
//! only once they are stale, failed or invalidated, is in a box of its own.

use std::hash::{Hash, Hasher};

use crate::base::clock::Moment;
use crate::base::panics::caught;
use crate::base::sync::{AtomicU32, AtomicU64, OnceBox, Ordering};
use crate::events::{self, Status};
use crate::rules::backoff::Backoff;
use crate::rules::decide::Facts;
use crate::rules::effect::Held;
use crate::rules::freshness::{Spans, State, Times};

/// What a node holds besides its key and its times.
pub(crate) enum Content<V, X> {
    /// A value, and when a hit of it was last told to moka. (Here it takes no room: the tag leaves some.)
    Value(V, Round),
    /// An error that answers waiting callers for a while; a write forgets it.
    Error(X),
    /// The key is in back-off, or was asked to be left alone.
    Nothing,
}

/// The round of insertions in which something happened.
#[derive(Default)]
pub(crate) struct Round(AtomicU32);

impl Round {
    /// Whether it did not happen in this round yet. From here on it did.
    #[inline]
    pub(super) fn is_first(&self, round: u32) -> bool {
        let first = self.0.load(Ordering::Relaxed) != round;
        if first {
            self.0.store(round, Ordering::Relaxed);
        }
        first
    }
}

struct Stored<K, V, X> {
    key: K,
    content: Content<V, X>,
}

/// A record of a key. Immutable but for a few numbers, which change under the key's lock and are read without it.
///
/// In this order: what a hit reads comes first and together, and is half of the time in one line of the processor's
/// cache.
#[repr(C)]
pub(crate) struct Node<K, V, X> {
    /// Its number in the store.
    pub(super) id: u64,
    /// Until then a reader has nothing to do but to take the value.
    fresh_until: AtomicU64,
    /// `None` only while it is dropped.
    stored: Option<Stored<K, V, X>>,
    /// Where the index has it: the key's hash, or near it.
    pub(super) at: u64,
    /// The number of the first node in its place: that of all that replaced it, one after the other.
    pub(super) life: u64,
    /// When the fetch began that made it, or when it was set.
    pub(crate) started: Moment,
    /// Says what it knows before `fresh_until` does: whoever reads that one first misses nothing here.
    more: OnceBox<More>,
}

/// What most nodes never need.
struct More {
    spans: Spans,
    /// `invalidate` cuts it.
    lifetime: AtomicU64,
    /// A stale reader has nothing to start until then. A hint: the truth is in `backoff_until` and with the flight.
    no_refresh_until: AtomicU64,
    backoff_until: AtomicU64,
    /// Until then a kept error answers.
    error_until: AtomicU64,
    /// How long past the back-off the number of failures is remembered, in nanoseconds.
    remembered: AtomicU64,
    failures: AtomicU32,
}

impl<K, V, X> Node<K, V, X> {
    /// A record that began at `times.started`. `standard` are the spans that most values of its store have.
    pub(crate) fn new(key: K, hash: u64, times: Times, standard: &Spans, content: Content<V, X>) -> Self {
        let fresh_until = match content {
            // Not for an instant: a hit's clock may be behind the one that began it.
            Content::Value(..) if times.quiet_age() == 0 => Moment::PAST,
            Content::Value(..) => times.quiet_until(),
            Content::Error(_) | Content::Nothing => Moment::PAST,
        };
        let node = Self {
            at: hash,
            id: 0,
            life: 0,
            started: times.started,
            fresh_until: AtomicU64::new(fresh_until.to_bits()),
            more: OnceBox::new(),
            stored: Some(Stored { key, content }),
        };
        if times.spans() != *standard || fresh_until == Moment::PAST {
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

    /// What tells it from every other node of its store, now and later.
    #[inline]
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The value, however old, and the round of its last hit.
    #[inline]
    pub(crate) fn cached(&self) -> Option<(&V, &Round)> {
        match &self.stored {
            Some(Stored { content: Content::Value(value, told), .. }) => Some((value, told)),
            _ => None,
        }
    }

    /// Whether a reader of the value has nothing else to do.
    #[inline]
    pub(crate) fn is_quiet(&self, now: Moment) -> bool {
        now.to_bits() < self.fresh_until.load(Ordering::Relaxed)
    }

    /// The answer to a reader who would start a refresh, if one is under way or the key is in back-off.
    #[inline]
    pub(crate) fn status_without_refresh(&self, now: Moment) -> Option<Status> {
        let more = self.more.get()?;
        if now.to_bits() >= more.no_refresh_until.load(Ordering::Relaxed) {
            return None;
        }
        match more.times(self.started).state(now) {
            State::Fresh => Some(Status::Fresh),
            State::Stale => Some(Status::Stale),
            State::TooStale | State::Missing => None,
        }
    }

    pub(crate) fn times(&self, standard: &Spans) -> Times {
        // In this order: see `more`.
        let fresh_until = Moment::from_bits(self.fresh_until.load(Ordering::Acquire));
        match self.more.get() {
            Some(more) => more.times(self.started),
            None => {
                let lifetime = fresh_until.since(self.started).saturating_add(standard.ahead);
                Times::of(self.started, lifetime, *standard)
            }
        }
    }

    /// Under the key's lock.
    fn more(&self, standard: &Spans) -> &More {
        self.more_of(self.times(standard))
    }

    fn more_of(&self, times: Times) -> &More {
        self.more.get_or_init(|| {
            Box::new(More {
                spans: times.spans(),
                lifetime: AtomicU64::new(times.lifetime),
                no_refresh_until: AtomicU64::new(0),
                backoff_until: AtomicU64::new(0),
                error_until: AtomicU64::new(0),
                remembered: AtomicU64::new(0),
                failures: AtomicU32::new(0),
            })
        })
    }

    /// One of the numbers that most nodes do not have.
    fn moment(&self, number: impl Fn(&More) -> &AtomicU64) -> Moment {
        self.more.get().map_or(Moment::PAST, |more| Moment::from_bits(number(more).load(Ordering::Relaxed)))
    }

    pub(crate) fn facts(&self, standard: &Spans) -> Facts {
        Facts {
            times: matches!(self.content(), Content::Value(..)).then(|| self.times(standard)),
            backoff_until: self.backoff_until(),
            broken_until: Moment::PAST,
            error_until: self.moment(|more| &more.error_until),
        }
    }

    pub(crate) fn backoff_until(&self) -> Moment {
        self.moment(|more| &more.backoff_until)
    }

    pub(crate) fn held(&self, now: Moment, standard: &Spans) -> Held {
        Held { value: self.has_value(now, standard).then_some(self.started), failures: self.failures() }
    }

    /// The kept error answers until then.
    pub(crate) fn keep_error(&self, until: Moment, standard: &Spans) {
        self.more(standard).error_until.store(until.to_bits(), Ordering::Relaxed);
    }

    /// A kept error answers nobody any more.
    pub(crate) fn forget_error(&self) {
        if let Some(more) = self.more.get() {
            more.error_until.store(Moment::PAST.to_bits(), Ordering::Relaxed);
        }
    }

    pub(crate) fn gone_at(&self, standard: &Spans) -> Moment {
        self.started.plus(self.retention(standard))
    }

    fn retention(&self, standard: &Spans) -> u64 {
        self.more.get().map_or(standard.retention, |more| more.spans.retention)
    }

    /// The value, where it is not past its retention.
    pub(crate) fn value(&self, now: Moment, standard: &Spans) -> Option<&V> {
        match self.content() {
            Content::Value(value, _) if now.since(self.started) < self.retention(standard) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn has_value(&self, now: Moment, standard: &Spans) -> bool {
        self.value(now, standard).is_some()
    }

    /// Ends the lifetime at the present age.
    pub(crate) fn cut_lifetime(&self, now: Moment, standard: &Spans) {
        self.more(standard).lifetime.fetch_min(now.since(self.started), Ordering::Relaxed);
        self.fresh_until.store(Moment::PAST.to_bits(), Ordering::Release);
    }

    pub(crate) fn failures(&self) -> u32 {
        self.more.get().map_or(0, |more| more.failures.load(Ordering::Relaxed))
    }

    /// The key is in back-off, and a stale reader has nothing to start until that ends.
    pub(crate) fn set_backoff(&self, backoff: Backoff, standard: &Spans) {
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

    /// A stale reader has nothing to start until then.
    pub(crate) fn set_no_refresh_until(&self, until: Moment, standard: &Spans) {
        self.more(standard).no_refresh_until.store(until.to_bits(), Ordering::Relaxed);
    }

    /// From here on the back-off alone keeps a stale reader from starting a fetch.
    pub(crate) fn reset_no_refresh(&self) {
        if let Some(more) = self.more.get() {
            more.no_refresh_until.store(more.backoff_until.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

impl More {
    #[inline]
    fn times(&self, started: Moment) -> Times {
        Times::of(started, self.lifetime.load(Ordering::Relaxed), self.spans)
    }
}

/// As the index replaces it: by where it is, and whose place it takes.
impl<K, V, X> Hash for Node<K, V, X> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.at);
    }
}
impl<K, V, X> PartialEq for Node<K, V, X> {
    fn eq(&self, other: &Self) -> bool {
        self.life == other.life
    }
}
impl<K, V, X> Eq for Node<K, V, X> {}

/// A node is dropped wherever its last reader happens to be: on another caller's hit, in the eviction listener. A
/// user's `Drop` that panics must not reach them.
impl<K, V, X> Drop for Node<K, V, X> {
    fn drop(&mut self) {
        let Some(Stored { key, content }) = self.stored.take() else { return };
        for dropped in [caught(|| drop(content)), caught(|| drop(key))] {
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

    /// Six words beside key, value and the tag that tells it from an error.
    #[test]
    fn a_small_record_is_small() {
        assert_eq!(size_of::<Small<u64>>(), 48 + 8 + 8 + 8);
        assert_eq!(size_of::<Small<[u8; 16]>>(), 48 + 8 + 16 + 8);
    }

    /// A hit's clock may be a tick behind the one by which a value began.
    #[test]
    fn without_a_lifetime_a_value_is_fresh_to_nobody() {
        let spans = Spans { max_stale: u64::MAX, retention: 1_000, ahead: 0 };
        let quiet = |lifetime| {
            let times = Times::of(Moment::from_bits(100), lifetime, spans);
            let node: Small<u64> = Node::new(1, 1, times, &spans, Content::Value(1, Round::default()));
            assert_eq!(node.times(&spans), times);
            node.is_quiet(Moment::from_bits(95))
        };
        assert!(!quiet(0) && quiet(1));
    }
}
