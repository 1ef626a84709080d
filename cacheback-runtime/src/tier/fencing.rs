//! The rules of a tier: what each operation makes of the state of one key.
//!
//! They are the same wherever that state is kept: [`Memory`](crate::shared) has it in a map, SQLite in rows. The scripts
//! of Redis are these rules in its own language: a change here is a change there.
//!
//! Nothing here reads a clock, takes a lock or waits.

use std::time::Duration;

use super::late::{Delivered, Lateness, Order, There};
use super::{
    Acquired, Ages, Bump, Bumped, Change, Lease, LeaseFor, Payload, Read, Release, Request, Stamp, Stored,
    Token, Tombstone, WireKey, WriteId, is_fresh,
};
use crate::base::clock::{Moment, nanos};
use crate::rules::queue::PATIENCE;

/// How long a lease lasts if nobody extends it.
pub(super) const LEASE: Duration = Duration::from_secs(5);
/// How often a process extends the leases that it has.
pub(super) const EXTEND: Duration = Duration::from_secs(2);

/// What a value is where it is kept.
pub(super) trait Contents {
    /// A value that comes in.
    fn of(payload: Payload, key: &WireKey) -> Self;

    /// That of its key. Another key with the same hash is another key.
    fn fingerprint(&self) -> u64;

    /// Whether it was made of a value of the same bytes and schema.
    fn is_of(&self, payload: &Payload, key: &WireKey) -> bool;
}

/// The state of one key: its envelope and its lease.
#[derive(Debug)]
pub(super) struct Entry<V> {
    pub(super) envelope: Option<Envelope<V>>,
    pub(super) lease: Option<Held>,
}

impl<V> Default for Entry<V> {
    fn default() -> Self {
        Self { envelope: None, lease: None }
    }
}

/// A value or a tombstone.
#[derive(Debug)]
pub(super) struct Envelope<V> {
    pub(super) id: WriteId,
    /// `None` in a tombstone.
    pub(super) value: Option<V>,
    /// The start of the fetch, or the moment of the change. If this was told late, it was made then, or later.
    pub(super) born: Moment,
    /// When it was last changed.
    pub(super) written: Moment,
    /// In nanoseconds.
    pub(super) lifetime: u64,
    /// In nanoseconds. Afterwards there is no envelope.
    pub(super) retention: u64,
    pub(super) stamp: Stamp,
}

/// A lease that was given out, or what is remembered of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) phase: Phase,
    pub(super) token: Token,
    pub(super) stamp: Stamp,
    /// The failures before this fetch, one after the other.
    pub(super) failures: u32,
    pub(super) since: Moment,
    pub(super) until: Moment,
    /// Another process has asked for it.
    pub(super) is_wanted: bool,
    /// The workers that have ended with it, one after the other.
    pub(super) deaths: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A process fetches the key.
    Running,
    /// The same, and it is a job of a worker.
    Working,
    /// A job waits for a worker.
    Queued,
    BackOff,
    /// There is no lease. The last one was that of a worker, which has not told its end.
    Lapsed,
}

/// The checks of a store, and of a late change. The tests break one at a time, and see that it is missed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checks {
    /// Another process has the lease.
    pub(super) fence: bool,
    /// There is another value than the one that was there when the lease was given.
    pub(super) write_id: bool,
    /// There is none, and the lease is gone, which every change would have ended.
    pub(super) strict_miss: bool,
    /// The scope was changed.
    pub(super) stamp: bool,
    /// What is there was written after a change that is delivered late.
    pub(super) late: bool,
}

impl Default for Checks {
    fn default() -> Self {
        Self { fence: true, write_id: true, strict_miss: true, stamp: true, late: true }
    }
}

/// A change that is to be made for one that comes late.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) change: Change,
    /// Nobody can tell whether it is the last one. Then it counts as a change by nobody, not even for its own process.
    pub(super) is_unsure: bool,
}

impl Delivered {
    /// The change was made, with this number.
    pub(super) fn made(is_unsure: bool, id: WriteId) -> Self {
        if is_unsure { Self::Unsure(id) } else { Self::Done(id) }
    }
}

/// A value that an operation has found.
#[derive(Debug)]
pub(super) struct Sighted<'e, V> {
    pub(super) id: WriteId,
    /// How long ago it was changed, or all values were.
    pub(super) written: Duration,
    pub(super) ages: Ages,
    // SQLite takes it out of what it has loaded.
    #[cfg_attr(not(any(feature = "test-util", all(test, cacheback_shuttle))), allow(dead_code))]
    pub(super) value: &'e V,
}

impl<V: Contents> Envelope<V> {
    fn new(payload: Payload, key: &WireKey, id: WriteId, stamp: Stamp, now: Moment) -> Self {
        let Ages { age, lifetime, retention } = payload.ages;
        Self {
            id,
            value: Some(V::of(payload, key)),
            born: Moment::from_bits(now.to_bits().saturating_sub(nanos(age))),
            written: now,
            lifetime: nanos(lifetime),
            retention: nanos(retention),
            stamp,
        }
    }

    /// Its value, unless the scope's values are gone since it was fetched.
    fn value(&self, key: &WireKey, scope: Stamp) -> Option<&V> {
        self.value
            .as_ref()
            .filter(|value| value.fingerprint() == key.fingerprint && self.stamp.gone >= scope.gone)
    }

    fn ages(&self, scope: Stamp, now: Moment) -> Ages {
        let age = now.since(self.born);
        let lifetime = if self.stamp.stale < scope.stale { self.lifetime.min(age) } else { self.lifetime };
        let [age, lifetime, retention] = [age, lifetime, self.retention].map(Duration::from_nanos);
        Ages { age, lifetime, retention }
    }

    fn sighted(&self, key: &WireKey, scope: Stamp, now: Moment) -> Option<Sighted<'_, V>> {
        let value = self.value(key, scope)?;
        let (ages, written) = (self.ages(scope, now), self.since(scope, now));
        Some(Sighted { id: self.id, written, ages, value })
    }
}

impl<V> Envelope<V> {
    /// Of a change that was made at `born`, or later.
    pub(super) fn tombstone(id: WriteId, stamp: Stamp, now: Moment, left: u64, born: Moment) -> Self {
        let retention = left.saturating_add(now.since(born));
        Self { id, value: None, born, written: now, lifetime: 0, retention, stamp }
    }

    /// How long ago it was changed, or all values were.
    fn since(&self, scope: Stamp, now: Moment) -> Duration {
        let last = self.written.max(moment(scope.stale)).max(moment(scope.gone));
        Duration::from_nanos(now.since(last))
    }

    pub(super) fn until(&self) -> Moment {
        self.born.plus(self.retention)
    }
}

impl Held {
    pub(super) fn is_fetch(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Working | Phase::Queued)
    }

    /// What is remembered of a lease whose time is over: the death of its worker, if one had it.
    fn lapsed(self) -> Option<Self> {
        let Self { phase: Phase::Working, deaths, until, .. } = self else { return None };
        let (deaths, until) = (deaths.saturating_add(1), until.plus(nanos(PATIENCE)));
        Some(Self { phase: Phase::Lapsed, failures: 0, is_wanted: false, deaths, until, ..self })
    }

    /// Extends a lease as its holder has done every two seconds since it was given, even if its time is over for one
    /// who looks only now: a test may have advanced the clock by a minute in one step.
    pub(super) fn extend(&mut self, now: Moment) {
        let step = nanos(EXTEND);
        let last = self.since.plus(now.since(self.since) / step * step);
        self.until = self.until.max(last.plus(nanos(LEASE)));
    }
}

impl Stamp {
    /// The versions of a scope after a change of all its keys, which was made at this moment.
    pub(super) fn bumped(mut self, change: Bump, made: Moment) -> Self {
        let version = match change {
            Bump::Stale => &mut self.stale,
            Bump::Gone => &mut self.gone,
        };
        *version = micros(made).max(*version + 1);
        self
    }
}

/// The tier's time as numbers have it.
pub(super) fn micros(now: Moment) -> u64 {
    now.to_bits() / 1_000
}

/// The moment of a change, by its number or version.
pub(super) fn moment(number: u64) -> Moment {
    Moment::from_bits(number.saturating_mul(1_000))
}

fn bumped(scope: Stamp, now: Moment) -> Bumped {
    let ago = |version| (version > 0).then(|| Duration::from_nanos(now.since(moment(version))));
    Bumped { stale: ago(scope.stale), gone: ago(scope.gone) }
}

/// An operation on one key: its state without anything whose time is over, and what it depends on.
pub(super) struct At<'e, V> {
    entry: &'e mut Entry<V>,
    key: &'e WireKey,
    scope: Stamp,
    now: Moment,
    floor: u64,
}

impl<'e, V: Contents> At<'e, V> {
    /// Begins an operation. `floor` is the least number of the next change; it rises above those that are forgotten now.
    pub(super) fn new(
        entry: &'e mut Entry<V>,
        key: &'e WireKey,
        scope: Stamp,
        now: Moment,
        floor: &mut u64,
    ) -> Self {
        entry.expire(now, floor);
        Self { entry, key, scope, now, floor: *floor }
    }

    /// The number of the envelope, whatever it is.
    fn id(&self) -> Option<WriteId> {
        self.entry.envelope.as_ref().map(|envelope| envelope.id)
    }

    /// The number of the next change.
    fn next_id(&self) -> WriteId {
        let after = self.id().map_or(0, |id| id.0 + 1);
        WriteId(after.max(self.floor).max(micros(self.now)))
    }

    pub(super) fn read(self, have: Option<WriteId>) -> Read<Sighted<'e, V>> {
        let Self { entry, key, scope, now, .. } = self;
        let bumped = bumped(scope, now);
        let Some(envelope) = &entry.envelope else { return Read::Missing { tombstone: None, bumped } };
        let Some(sighted) = envelope.sighted(key, scope, now) else {
            let is_cleared =
                envelope.value.as_ref().is_some_and(|value| value.fingerprint() == key.fingerprint);
            return if is_cleared {
                Read::Cleared(envelope.id)
            } else {
                let tombstone = Tombstone { id: envelope.id, written: Some(envelope.since(scope, now)) };
                Read::Missing { tombstone: Some(tombstone), bumped }
            };
        };
        if have == Some(envelope.id) { Read::Unchanged(sighted.ages) } else { Read::Found(sighted) }
    }

    pub(super) fn acquire(self, request: Request) -> Acquired<Sighted<'e, V>> {
        let Request { token, seen, ahead, is_awaited, purpose, job } = request;
        let id = self.id();
        let Self { entry, key, scope, now, .. } = self;
        let found = entry.envelope.as_ref().and_then(|envelope| envelope.sighted(key, scope, now));
        let is_wanted = |found: &Sighted<'_, V>| {
            let Ages { age, lifetime, .. } = found.ages;
            Some(found.id) > seen || ahead.is_some_and(|ahead| is_fresh(age, lifetime, ahead))
        };
        if let Some(found) = found.filter(is_wanted) {
            return Acquired::Newer(found);
        }
        let lease = entry.lease.as_mut().filter(|held| held.phase != Phase::Lapsed);
        let (is_free, mut is_lost) = (lease.is_none(), false);
        // A back-off keeps the token of the job that has failed, and is no lease for it.
        let is_own = |held: &Held| held.token == token && (job.is_none() || held.phase != Phase::BackOff);
        if let Some(held) = lease.filter(|held| !is_own(held)) {
            let is_void = held.stamp != scope;
            let is_queued = held.phase == Phase::Queued;
            let gives_way = match job {
                // A void one is no job any more, for a later reader enqueues another.
                Some(job) => is_queued && held.token == job && !is_void,
                None => is_void || is_awaited && matches!(held.phase, Phase::Queued | Phase::BackOff),
            };
            if !gives_way {
                held.is_wanted = true;
                let left = Duration::from_nanos(held.until.since(now));
                let queued = is_queued.then_some(held.token);
                return Acquired::Theirs { left, is_backoff: held.phase == Phase::BackOff, queued };
            }
            // No job waits any more: a worker may have ended with it before it began.
            is_lost = job.is_some() && purpose == LeaseFor::Queue;
        } else if job.is_some() && is_free && id != seen {
            // The key was changed since the job was enqueued.
            return Acquired::Theirs { left: Duration::ZERO, is_backoff: false, queued: None };
        }
        let (failures, deaths) = entry.lease.as_ref().map_or((0, 0), |held| (held.failures, held.deaths));
        let deaths = deaths.saturating_add(u32::from(is_lost));
        let (phase, lasts) = match purpose {
            LeaseFor::Fetch => (Phase::Running, LEASE),
            LeaseFor::Job => (Phase::Working, LEASE),
            LeaseFor::Queue => (Phase::Queued, PATIENCE),
        };
        let (stamp, since, until) = (scope, now, now.plus(nanos(lasts)));
        entry.lease = Some(Held { phase, token, stamp, failures, since, until, is_wanted: false, deaths });
        Acquired::Ours(Lease { token, seen: id, stamp, renews: seen.is_some(), deaths })
    }

    /// Stores a value, and returns whether the other processes are told.
    pub(super) fn store(self, lease: &Lease, value: Payload, checks: Checks) -> (Stored, bool) {
        let (held, scope) = (self.entry.lease.filter(|held| held.phase != Phase::Lapsed), self.scope);
        let is_held = held.is_some_and(|held| held.is_fetch() && held.token != lease.token);
        let is_outdated = scope.stale > lease.stamp.stale || scope.gone > lease.stamp.gone;
        let is_changed = self.id().is_some() && self.id() != lease.seen;
        if checks.fence && is_held || checks.stamp && is_outdated || checks.write_id && is_changed {
            return (Stored::Superseded, false);
        }
        let is_holder = held.is_some_and(|held| held.token == lease.token);
        if checks.strict_miss && self.id().is_none() && !is_holder {
            return (Stored::Unfenced, false);
        }
        let id = self.next_id();
        // Nobody else has an older value, or waits for this one: then nobody is told.
        let is_news = lease.renews || self.id().is_some() || held.is_some_and(|held| held.is_wanted);
        let stamp = if checks.stamp { lease.stamp } else { scope };
        self.entry.envelope = Some(Envelope::new(value, self.key, id, stamp, self.now));
        self.entry.lease = None;
        (Stored::Yes(id), is_news)
    }

    pub(super) fn release(self, token: Token, ending: Release) {
        let Self { entry, now, .. } = self;
        let Some(held) = entry.lease.as_mut().filter(|held| held.token == token) else { return };
        match ending {
            // Its worker was too late, and may have held up the whole machine.
            _ if held.phase == Phase::Lapsed => {}
            Release::BackOff { left, failures } if !left.is_zero() => {
                held.phase = Phase::BackOff;
                (held.failures, held.deaths) = (failures, 0);
                held.until = now.plus(nanos(left));
            }
            Release::Free | Release::BackOff { .. } => entry.lease = None,
        }
    }

    /// Changes the key by a change that was made at `born`, or later. The other processes are told.
    pub(super) fn write(self, change: Change, born: Moment) -> WriteId {
        let id = self.next_id();
        let Self { entry, key, scope, now, .. } = self;
        match change {
            Change::Set(value) => {
                entry.envelope = Some(Envelope::new(value, key, id, scope, now));
                entry.lease = None;
            }
            Change::Invalidate { tombstone } => {
                match entry.envelope.as_mut().filter(|envelope| envelope.value(key, scope).is_some()) {
                    Some(envelope) => {
                        (envelope.id, envelope.written) = (id, now);
                        envelope.lifetime = envelope.lifetime.min(now.since(envelope.born));
                    }
                    None => entry.bury(id, scope, now, tombstone, born),
                }
                entry.lease.take_if(|held| held.is_fetch());
            }
            Change::Remove { tombstone } => {
                entry.bury(id, scope, now, tombstone, born);
                entry.lease = None;
            }
        }
        id
    }

    /// The change that is to be made for one that was made a while ago, or what became of it if there is none. `doubt`: it
    /// may have been on its way for so long.
    pub(super) fn late(
        &self,
        change: Change,
        late: Lateness,
        doubt: Duration,
        checks: Checks,
    ) -> Result<Due, Delivered> {
        let Self { entry, key, scope, now, .. } = self;
        let (scope, now) = (*scope, *now);
        let there = entry.envelope.as_ref().map(|envelope| {
            let is_gone = envelope.value.is_some() && envelope.value(key, scope).is_none();
            let age = Duration::from_nanos(now.since(envelope.born.min(envelope.written)));
            There {
                id: envelope.id,
                written: Some(envelope.since(Stamp::default(), now)),
                age: (!is_gone).then_some(age),
            }
        });
        let order = there.map_or_else(|| late.over_nothing(), |there| late.order(there, doubt));
        // All values may have been changed since.
        let last = moment(scope.stale.max(scope.gone).saturating_add(1));
        let is_bumped = scope != Stamp::default()
            && Duration::from_nanos(now.since(last)) <= late.age.saturating_add(doubt);
        let order = if is_bumped && order == Order::After { Order::Unsure } else { order };
        // It was told before, and nobody has heard the answer.
        let is_there = |new: &Payload| {
            let value = entry.envelope.as_ref().and_then(|envelope| envelope.value(key, scope));
            value.is_some_and(|value| value.is_of(new, key))
        };
        match (order, there, change) {
            (Order::Unsure, Some(There { id, .. }), Change::Set(value)) if is_there(&value) => {
                Err(Delivered::Yielded(id))
            }
            (Order::Before, Some(There { id, .. }), _) if checks.late => Err(Delivered::Yielded(id)),
            (Order::Unsure, _, Change::Set(value)) if checks.late => {
                Ok(Due { change: Change::Remove { tombstone: value.ages.lifetime }, is_unsure: true })
            }
            (order, _, change) => Ok(Due { change, is_unsure: order == Order::Unsure }),
        }
    }
}

impl<V> Entry<V> {
    /// Drops what is past its time.
    pub(super) fn expire(&mut self, now: Moment, floor: &mut u64) {
        if let Some(envelope) = self.envelope.take_if(|envelope| now >= envelope.until()) {
            *floor = (*floor).max(envelope.id.0 + 1);
        }
        // Twice: what is remembered of it may be over, too.
        for _ in 0..2 {
            if let Some(held) = self.lease.filter(|held| now >= held.until) {
                self.lease = held.lapsed();
            }
        }
    }

    /// Leaves a tombstone. It lasts no shorter than one that was there before.
    fn bury(&mut self, id: WriteId, scope: Stamp, now: Moment, least: Duration, born: Moment) {
        let before = self.envelope.as_ref().filter(|envelope| envelope.value.is_none());
        let left = before.map_or(0, |tombstone| tombstone.until().since(now)).max(nanos(least));
        self.envelope = Some(Envelope::tombstone(id, scope, now, left, born));
    }
}

// The rules one by one, and the model of a fleet, run on every store of the state: see its own `tests`.
