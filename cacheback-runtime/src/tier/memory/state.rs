//! The server of a [`Memory`](super::Memory) as a plain state machine: the scripts of a real server, each one a function
//! of the state, the time and a request.
//!
//! Nothing here reads a clock, takes a lock or waits. A change of these rules belongs into the scripts of every tier.

use std::collections::HashMap;
use std::time::Duration;

use crate::base::clock::{Moment, nanos};
use crate::base::sync::Arc;
use crate::tier::messages::{Content, News};
use crate::tier::{
    Acquired, Ages, Bump, Change, Found, Lease, Payload, Read, Release, Request, Scope, Stamp, Stored, Token,
    WireKey, WriteId, is_fresh,
};

/// How long a lease lasts if nobody extends it.
pub(super) const LEASE: Duration = Duration::from_secs(5);
/// How often a process extends the leases that it has.
pub(super) const EXTEND: Duration = Duration::from_secs(2);

/// The whole server.
#[derive(Debug)]
pub(super) struct State {
    keys: HashMap<Name, Entry>,
    scopes: HashMap<Arc<Scope>, Stamp>,
    /// The latest time that anybody has read.
    clock: Moment,
    /// Numbers below this one were given to changes that are forgotten by now. On a real server time has passed since
    /// then. A paused clock may stand still, and numbers are to grow all the same.
    floor: u64,
    /// The messages of the last operation, which are still to be sent.
    pub(super) outbox: Vec<(Arc<Scope>, Content)>,
    checks: Checks,
}

impl Default for State {
    fn default() -> Self {
        let (keys, scopes) = (HashMap::new(), HashMap::new());
        Self { keys, scopes, clock: Moment::PAST, floor: 1, outbox: Vec::new(), checks: Checks::default() }
    }
}

/// What a key is found by.
pub(super) type Name = (Arc<Scope>, [u8; 16]);

pub(super) fn name(key: &WireKey) -> Name {
    (Arc::clone(&key.scope), key.hash)
}

/// The state of one key: its envelope and its lease. A real server keeps each under a key of its own.
#[derive(Debug, Default)]
struct Entry {
    envelope: Option<Envelope>,
    lease: Option<Held>,
}

/// A value or a tombstone.
#[derive(Debug)]
struct Envelope {
    id: WriteId,
    /// `None` in a tombstone.
    value: Option<Value>,
    /// The start of the fetch, or the moment of the change.
    born: Moment,
    /// In nanoseconds.
    lifetime: u64,
    /// In nanoseconds. Afterwards there is no envelope.
    retention: u64,
    stamp: Stamp,
}

#[derive(Debug)]
struct Value {
    bytes: Vec<u8>,
    schema: u64,
    took: Duration,
    /// That of its key. Another key with the same hash is another key.
    fingerprint: u64,
}

/// A lease that was given out.
#[derive(Debug)]
struct Held {
    phase: Phase,
    token: Token,
    stamp: Stamp,
    /// The failures before this fetch, one after the other.
    failures: u32,
    since: Moment,
    until: Moment,
    /// Another process has asked for it.
    is_wanted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Queued,
    BackOff,
}

/// The checks of a store. The tests break one at a time, and see that it is missed.
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
}

impl Default for Checks {
    fn default() -> Self {
        Self { fence: true, write_id: true, strict_miss: true, stamp: true }
    }
}

impl Envelope {
    fn new(payload: Payload, key: &WireKey, id: WriteId, stamp: Stamp, now: Moment) -> Self {
        let Ages { age, lifetime, retention } = payload.ages;
        Self {
            id,
            value: Some(Value {
                bytes: payload.packed.bytes,
                schema: payload.schema,
                took: payload.took,
                fingerprint: key.fingerprint,
            }),
            born: Moment::from_bits(now.to_bits().saturating_sub(nanos(age))),
            lifetime: nanos(lifetime),
            retention: nanos(retention),
            stamp,
        }
    }

    fn tombstone(id: WriteId, stamp: Stamp, now: Moment, left: u64) -> Self {
        Self { id, value: None, born: now, lifetime: 0, retention: left, stamp }
    }

    fn until(&self) -> Moment {
        self.born.plus(self.retention)
    }

    /// Its value, unless the scope's values are gone since it was fetched.
    fn value(&self, key: &WireKey, scope: Stamp) -> Option<&Value> {
        self.value
            .as_ref()
            .filter(|value| value.fingerprint == key.fingerprint && self.stamp.gone >= scope.gone)
    }

    fn ages(&self, scope: Stamp, now: Moment) -> Ages {
        let age = now.since(self.born);
        let lifetime = if self.stamp.stale < scope.stale { self.lifetime.min(age) } else { self.lifetime };
        let [age, lifetime, retention] = [age, lifetime, self.retention].map(Duration::from_nanos);
        Ages { age, lifetime, retention }
    }

    fn found(&self, key: &WireKey, scope: Stamp, now: Moment) -> Option<Found> {
        let value = self.value(key, scope)?;
        let ages = self.ages(scope, now);
        let Value { schema, took, bytes, .. } = value;
        Some(Found { id: self.id, ages, schema: *schema, took: *took, bytes: bytes.clone() })
    }
}

impl Held {
    fn is_fetch(&self) -> bool {
        self.phase != Phase::BackOff
    }
}

/// An operation on one key: its state without anything whose time is over, and what it depends on.
struct At<'s> {
    entry: &'s mut Entry,
    scope: Stamp,
    now: Moment,
    floor: u64,
}

impl At<'_> {
    /// The number of the envelope, whatever it is.
    fn id(&self) -> Option<WriteId> {
        self.entry.envelope.as_ref().map(|envelope| envelope.id)
    }

    /// The number of the next change.
    fn next_id(&self) -> WriteId {
        let after = self.id().map_or(0, |id| id.0 + 1);
        WriteId(after.max(self.floor).max(micros(self.now)))
    }
}

/// The server's time as numbers have it.
fn micros(now: Moment) -> u64 {
    now.to_bits() / 1_000
}

impl State {
    #[cfg(test)]
    pub(super) fn with(checks: Checks) -> Self {
        Self { checks, ..Self::default() }
    }

    /// The server's time, told by a process: never earlier than before.
    pub(super) fn time(&mut self, now: Moment) -> Moment {
        self.clock = self.clock.max(now);
        self.clock
    }

    fn stamp(&self, scope: &Scope) -> Stamp {
        self.scopes.get(scope).copied().unwrap_or_default()
    }

    fn at(&mut self, key: &WireKey, now: Moment) -> At<'_> {
        let now = self.time(now);
        let scope = self.stamp(&key.scope);
        let entry = self.keys.entry(name(key)).or_default();
        expire(entry, now, &mut self.floor);
        At { entry, scope, now, floor: self.floor }
    }

    pub(super) fn read(&mut self, now: Moment, key: &WireKey, have: Option<WriteId>) -> Read {
        let at = self.at(key, now);
        let Some(envelope) = &at.entry.envelope else { return Read::Missing { tombstone: None } };
        if envelope.value(key, at.scope).is_none() {
            let is_cleared =
                envelope.value.as_ref().is_some_and(|value| value.fingerprint == key.fingerprint);
            return if is_cleared {
                Read::Cleared(envelope.id)
            } else {
                Read::Missing { tombstone: Some(envelope.id) }
            };
        }
        if have == Some(envelope.id) {
            return Read::Unchanged(envelope.ages(at.scope, at.now));
        }
        envelope.found(key, at.scope, at.now).map_or(Read::Missing { tombstone: None }, Read::Found)
    }

    pub(super) fn acquire(&mut self, now: Moment, key: &WireKey, request: Request) -> Acquired {
        let Request { token, seen, ahead, is_awaited, is_running } = request;
        let at = self.at(key, now);
        let found = at.entry.envelope.as_ref().and_then(|envelope| envelope.found(key, at.scope, at.now));
        let is_wanted = |found: &Found| {
            let Ages { age, lifetime, .. } = found.ages;
            Some(found.id) > seen || ahead.is_some_and(|ahead| is_fresh(age, lifetime, ahead))
        };
        if let Some(found) = found.filter(is_wanted) {
            return Acquired::Newer(found);
        }
        if let Some(held) = at.entry.lease.as_mut().filter(|held| held.token != token) {
            let is_void = held.stamp != at.scope;
            let gives_way = is_awaited && held.phase != Phase::Running;
            if !is_void && !gives_way {
                held.is_wanted = true;
                let left = Duration::from_nanos(held.until.since(at.now));
                return Acquired::Theirs { left, is_backoff: held.phase == Phase::BackOff };
            }
        }
        let failures = at.entry.lease.as_ref().map_or(0, |held| held.failures);
        let phase = if is_running { Phase::Running } else { Phase::Queued };
        let (since, until) = (at.now, at.now.plus(nanos(LEASE)));
        at.entry.lease =
            Some(Held { phase, token, stamp: at.scope, failures, since, until, is_wanted: false });
        Acquired::Ours(Lease { token, seen: at.id(), stamp: at.scope, renews: seen.is_some() })
    }

    pub(super) fn store(&mut self, now: Moment, key: &WireKey, lease: &Lease, value: Payload) -> Stored {
        let checks = self.checks;
        let at = self.at(key, now);
        let is_fetched = |held: &Held| held.is_fetch() && held.token != lease.token;
        let is_held = at.entry.lease.as_ref().is_some_and(is_fetched);
        let is_outdated = at.scope.stale > lease.stamp.stale || at.scope.gone > lease.stamp.gone;
        let is_changed = at.id().is_some() && at.id() != lease.seen;
        if checks.fence && is_held || checks.stamp && is_outdated || checks.write_id && is_changed {
            return Stored::Superseded;
        }
        let is_holder = at.entry.lease.as_ref().is_some_and(|held| held.token == lease.token);
        if checks.strict_miss && at.id().is_none() && !is_holder {
            return Stored::Unfenced;
        }
        let id = at.next_id();
        // Nobody else has an older value, or waits for this one: then nobody is told.
        let is_news =
            lease.renews || at.id().is_some() || at.entry.lease.as_ref().is_some_and(|held| held.is_wanted);
        let stamp = if checks.stamp { lease.stamp } else { at.scope };
        at.entry.envelope = Some(Envelope::new(value, key, id, stamp, at.now));
        at.entry.lease = None;
        if is_news {
            self.publish(key, id);
        }
        Stored::Yes(id)
    }

    pub(super) fn release(&mut self, now: Moment, key: &WireKey, token: Token, ending: Release) {
        let at = self.at(key, now);
        let Some(held) = at.entry.lease.as_mut().filter(|held| held.token == token) else { return };
        match ending {
            Release::BackOff { left, failures } if !left.is_zero() => {
                held.phase = Phase::BackOff;
                held.failures = failures;
                held.until = at.now.plus(nanos(left));
            }
            Release::Free | Release::BackOff { .. } => at.entry.lease = None,
        }
    }

    pub(super) fn write(&mut self, now: Moment, key: &WireKey, change: Change) -> WriteId {
        let at = self.at(key, now);
        let id = at.next_id();
        let At { entry, scope, now, .. } = at;
        match change {
            Change::Set(value) => {
                entry.envelope = Some(Envelope::new(value, key, id, scope, now));
                entry.lease = None;
            }
            Change::Invalidate { tombstone } => {
                match entry.envelope.as_mut().filter(|envelope| envelope.value(key, scope).is_some()) {
                    Some(envelope) => {
                        envelope.id = id;
                        envelope.lifetime = envelope.lifetime.min(now.since(envelope.born));
                    }
                    None => bury(entry, id, scope, now, tombstone),
                }
                entry.lease.take_if(|held| held.is_fetch());
            }
            Change::Remove { tombstone } => {
                bury(entry, id, scope, now, tombstone);
                entry.lease = None;
            }
        }
        self.publish(key, id);
        id
    }

    fn publish(&mut self, key: &WireKey, id: WriteId) {
        let news = News { args: Arc::clone(&key.args), id };
        self.outbox.push((Arc::clone(&key.scope), Content::Changed(news)));
    }

    pub(super) fn bump(&mut self, now: Moment, scope: &Scope, change: Bump) {
        let now = self.time(now);
        let mut stamp = self.stamp(scope);
        let version = match change {
            Bump::Stale => &mut stamp.stale,
            Bump::Gone => &mut stamp.gone,
        };
        *version = micros(now).max(*version + 1);
        let scope = Arc::new(scope.clone());
        self.scopes.insert(Arc::clone(&scope), stamp);
        self.outbox.push((scope, Content::Bumped(change)));
    }

    /// Extends a lease as its holder has done every two seconds since it was given, even if its time is over for one
    /// who looks only now: a test may have advanced the clock by a minute in one step. Returns whether there is such a
    /// lease.
    pub(super) fn extend(&mut self, now: Moment, name: &Name, token: Token) -> bool {
        let now = self.time(now);
        let lease = self.keys.get_mut(name).and_then(|entry| entry.lease.as_mut());
        let Some(held) = lease.filter(|held| held.is_fetch() && held.token == token) else { return false };
        let step = nanos(EXTEND);
        let last = held.since.plus(now.since(held.since) / step * step);
        held.until = held.until.max(last.plus(nanos(LEASE)));
        true
    }

    /// Drops everything whose time is over.
    pub(super) fn sweep(&mut self, now: Moment) {
        let now = self.time(now);
        let floor = &mut self.floor;
        self.keys.retain(|_, entry| {
            expire(entry, now, floor);
            entry.envelope.is_some() || entry.lease.is_some()
        });
    }

    /// Loses all keys, as `FLUSHALL` does. The versions of scopes stay: on a real server the processes write back those
    /// that they know.
    pub(super) fn flush(&mut self) {
        for envelope in self.keys.drain().filter_map(|(_, entry)| entry.envelope) {
            self.floor = self.floor.max(envelope.id.0 + 1);
        }
    }

    /// The number of leases of fetches.
    #[allow(dead_code)] // For the library's own tests.
    pub(super) fn leases(&mut self, now: Moment) -> usize {
        self.sweep(now);
        let held = |entry: &&Entry| entry.lease.as_ref().is_some_and(Held::is_fetch);
        self.keys.values().filter(held).count()
    }

    /// The number of keys that have a value, a tombstone or a lease.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}

/// Drops what is past its time.
fn expire(entry: &mut Entry, now: Moment, floor: &mut u64) {
    if let Some(envelope) = entry.envelope.take_if(|envelope| now >= envelope.until()) {
        *floor = (*floor).max(envelope.id.0 + 1);
    }
    entry.lease.take_if(|held| now >= held.until);
}

/// Leaves a tombstone. It lasts no shorter than one that was there before.
fn bury(entry: &mut Entry, id: WriteId, scope: Stamp, now: Moment, least: Duration) {
    let before = entry.envelope.as_ref().filter(|envelope| envelope.value.is_none());
    let left = before.map_or(0, |tombstone| tombstone.until().since(now)).max(nanos(least));
    entry.envelope = Some(Envelope::tombstone(id, scope, now, left));
}
