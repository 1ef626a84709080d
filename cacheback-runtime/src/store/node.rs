//! One stored record of a key: a value, a kept error, or nothing but a back-off.

use crate::clock::Moment;
use crate::decide::Facts;
use crate::entry::Times;
use crate::events;
use crate::panics::caught;
use crate::sync::{Arc, AtomicU32, AtomicU64, Ordering};

/// What a node holds besides its times.
pub(crate) enum Content<V, X> {
    Value(V),
    /// An error that answers waiting callers until then; a write forgets it.
    Error {
        shared: X,
        until: AtomicU64,
    },
    /// The key is in back-off, or was asked to be left alone.
    Nothing,
}

/// A record of a key. Immutable but for a few numbers, which change under the key's lock and are read without it.
pub(crate) struct Node<K, V, X> {
    /// `None` only while it is dropped.
    key: Option<Arc<K>>,
    pub(crate) hash: u64,
    epoch: AtomicU64,
    pub(crate) stamp: u64,
    pub(crate) content: Content<V, X>,
    times: Times,
    /// The lifetime; `invalidate` cuts it.
    lifetime: AtomicU64,
    /// Until then a stale reader has nothing to start: a hint, the truth is in `rests_until` and with the flight.
    quiet_until: AtomicU64,
    rests_until: AtomicU64,
    failures: AtomicU32,
    /// How long past its rest the count of failures is kept, in nanoseconds.
    remembers: AtomicU64,
    residency: AtomicU64,
    recorded_at: AtomicU64,
}

impl<K, V, X> Node<K, V, X> {
    pub(crate) fn new(key: Arc<K>, hash: u64, stamp: u64, times: Times, content: Content<V, X>) -> Self {
        Self {
            key: Some(key),
            hash,
            epoch: AtomicU64::new(0),
            stamp,
            content,
            times,
            lifetime: AtomicU64::new(times.lifetime),
            quiet_until: AtomicU64::new(0),
            rests_until: AtomicU64::new(0),
            failures: AtomicU32::new(0),
            remembers: AtomicU64::new(0),
            residency: AtomicU64::new(0),
            recorded_at: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn key(&self) -> &Arc<K> {
        match &self.key {
            Some(key) => key,
            None => unreachable!("a node has its key until it is dropped"),
        }
    }

    pub(crate) fn times(&self) -> Times {
        Times { lifetime: self.lifetime.load(Ordering::Relaxed), ..self.times }
    }

    pub(crate) fn facts(&self) -> Facts {
        Facts {
            times: matches!(self.content, Content::Value(_)).then(|| self.times()),
            rests_until: Moment::from_bits(self.rests_until.load(Ordering::Relaxed)),
            error_until: match &self.content {
                Content::Error { until, .. } => Moment::from_bits(until.load(Ordering::Relaxed)),
                _ => Moment::PAST,
            },
        }
    }

    /// When the fetch began that made it, or when it was set.
    pub(crate) fn started(&self) -> Moment {
        self.times.started
    }

    /// The epoch in which it was put.
    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    pub(crate) fn set_epoch(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }

    /// A kept error answers nobody any more.
    pub(crate) fn forget_error(&self) {
        if let Content::Error { until, .. } = &self.content {
            until.store(Moment::PAST.to_bits(), Ordering::Relaxed);
        }
    }

    pub(crate) fn gone_at(&self) -> Moment {
        self.times.gone_at()
    }

    /// The value, where it is not past its retention.
    pub(crate) fn value(&self, now: Moment) -> Option<&V> {
        match &self.content {
            Content::Value(value) if self.times.age(now) < self.times.retention => Some(value),
            _ => None,
        }
    }

    pub(crate) fn has_value(&self, now: Moment) -> bool {
        self.value(now).is_some()
    }

    /// Ends the lifetime at the present age.
    pub(crate) fn cut_lifetime(&self, now: Moment) {
        self.lifetime.fetch_min(self.times.age(now), Ordering::Relaxed);
    }

    pub(crate) fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The key rests until then, after `failures` failed fetches in a row, which are remembered for `keep` nanoseconds
    /// more.
    pub(crate) fn rest(&self, until: Moment, failures: u32, keep: u64) {
        self.remembers.store(keep, Ordering::Relaxed);
        self.failures.store(failures, Ordering::Relaxed);
        self.rests_until.store(until.to_bits(), Ordering::Relaxed);
        self.hint(until);
    }

    /// What is left of a value past its retention: its back-off, where there is one.
    pub(crate) fn remains(&self, stamp: u64, now: Moment) -> Option<Self> {
        let failures = self.failures();
        let rests_until = self.facts().rests_until;
        let keep = self.remembers.load(Ordering::Relaxed);
        let until = rests_until.plus(keep);
        if !matches!(self.content, Content::Value(_)) || failures == 0 || until <= now {
            return None;
        }
        let times = Times { started: now, lifetime: 0, max_stale: 0, retention: until.since(now), ahead: 0 };
        let remains = Self::new(Arc::clone(self.key()), self.hash, stamp, times, Content::Nothing);
        remains.set_epoch(self.epoch());
        remains.set_residency(self.residency());
        remains.rest(rests_until, failures, keep);
        Some(remains)
    }

    /// Until then a stale reader has nothing to start.
    pub(crate) fn hint(&self, quiet_until: Moment) {
        self.quiet_until.store(quiet_until.to_bits(), Ordering::Relaxed);
    }

    /// Back to what the back-off alone says.
    pub(crate) fn hint_rest_only(&self) {
        self.quiet_until.store(self.rests_until.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn quiet_until(&self) -> Moment {
        Moment::from_bits(self.quiet_until.load(Ordering::Relaxed))
    }

    pub(crate) fn residency(&self) -> u64 {
        self.residency.load(Ordering::Relaxed)
    }

    pub(crate) fn set_residency(&self, residency: u64) {
        self.residency.store(residency, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn recorded_at(&self) -> u64 {
        self.recorded_at.load(Ordering::Relaxed)
    }

    pub(crate) fn record_at(&self, inserted: u64) {
        self.recorded_at.store(inserted, Ordering::Relaxed);
    }
}

/// A node is dropped wherever its last reader happens to be: on another caller's hit, in the eviction listener. A
/// user's `Drop` that panics must not reach them.
impl<K, V, X> Drop for Node<K, V, X> {
    fn drop(&mut self) {
        let content = std::mem::replace(&mut self.content, Content::Nothing);
        let key = self.key.take();
        for dropped in [caught(|| drop(content)), caught(|| drop(key))] {
            if dropped.is_err() {
                events::drop_panicked();
            }
        }
    }
}
