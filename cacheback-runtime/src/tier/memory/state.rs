//! The server of a [`Memory`](super::Memory): the state of all keys, in a map. What an operation makes of a key's state
//! is decided in [`fencing`](crate::tier::fencing).
//!
//! Nothing here reads a clock, takes a lock or waits.

use std::collections::HashMap;
use std::time::Duration;

use crate::base::clock::{Moment, nanos};
use crate::base::sync::Arc;
use crate::tier::fencing::{At, Checks, Contents, Due, Entry, Held, Sighted};
use crate::tier::late::{Delivered, Lateness};
use crate::tier::messages::{Content, News};
use crate::tier::{
    Acquired, Bump, Change, Found, Lease, Payload, Read, Release, Request, Scope, Stamp, Stored, Token,
    WireKey, WriteId,
};

/// Who has made a change that is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The process of the operation.
    Process,
    /// No process: each of them doubts what it has.
    Nobody,
}

/// The whole server.
#[derive(Debug)]
pub(crate) struct State {
    keys: HashMap<Name, Entry<Value>>,
    /// By the name: all instantiations of a generic function have the same.
    scopes: HashMap<Arc<str>, Stamp>,
    /// The latest time that anybody has read.
    clock: Moment,
    /// Numbers below this one were given to changes that are forgotten by now. On a real server time has passed since
    /// then. A paused clock may stand still, and numbers are to grow all the same.
    floor: u64,
    /// The messages of the last operation, which are still to be sent.
    pub(crate) outbox: Vec<(Arc<Scope>, Content, By)>,
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

#[derive(Debug)]
struct Value {
    bytes: Arc<Vec<u8>>,
    schema: u64,
    took: Duration,
    fingerprint: u64,
}

impl Contents for Value {
    fn of(payload: Payload, key: &WireKey) -> Self {
        let Payload { packed, schema, took, .. } = payload;
        Self { bytes: packed.bytes, schema, took, fingerprint: key.fingerprint }
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn is_of(&self, payload: &Payload, _: &WireKey) -> bool {
        self.bytes == payload.packed.bytes && self.schema == payload.schema
    }
}

fn found(sighted: Sighted<'_, Value>) -> Found {
    let Sighted { id, written, ages, value: Value { bytes, schema, took, .. } } = sighted;
    Found { id, written: Some(written), ages, schema: *schema, took: *took, bytes: bytes.to_vec() }
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
        self.scopes.get(&scope.name).copied().unwrap_or_default()
    }

    fn at<'s>(&'s mut self, now: Moment, key: &'s WireKey) -> At<'s, Value> {
        let (now, scope) = (self.time(now), self.stamp(&key.scope));
        let entry = self.keys.entry(name(key)).or_default();
        At::new(entry, key, scope, now, &mut self.floor)
    }

    pub(crate) fn read(&mut self, now: Moment, key: &WireKey, have: Option<WriteId>) -> Read {
        self.at(now, key).read(have).map(found)
    }

    pub(crate) fn acquire(&mut self, now: Moment, key: &WireKey, request: Request) -> Acquired {
        self.at(now, key).acquire(request).map(found)
    }

    pub(crate) fn store(&mut self, now: Moment, key: &WireKey, lease: &Lease, value: Payload) -> Stored {
        let checks = self.checks;
        let (stored, is_news) = self.at(now, key).store(lease, value, checks);
        if let (Stored::Yes(id), true) = (stored, is_news) {
            self.publish(key, id, By::Process);
        }
        stored
    }

    pub(super) fn release(&mut self, now: Moment, key: &WireKey, token: Token, ending: Release) {
        self.at(now, key).release(token, ending);
    }

    pub(crate) fn write(&mut self, now: Moment, key: &WireKey, change: Change) -> WriteId {
        self.change(now, key, change, now, By::Process)
    }

    /// A change that was made at `born`, or later.
    fn change(&mut self, now: Moment, key: &WireKey, change: Change, born: Moment, by: By) -> WriteId {
        let id = self.at(now, key).write(change, born);
        self.publish(key, id, by);
        id
    }

    /// A change that was made a while ago. `doubt`: it may have been on its way for so long.
    pub(super) fn deliver(
        &mut self,
        now: Moment,
        key: &WireKey,
        change: Change,
        late: Lateness,
        doubt: Duration,
    ) -> Delivered {
        let checks = self.checks;
        match self.at(now, key).late(change, late, doubt, checks) {
            Ok(Due { change, is_unsure }) => {
                let by = if is_unsure { By::Nobody } else { By::Process };
                Delivered::made(is_unsure, self.change(now, key, change, late.since(now, doubt), by))
            }
            Err(delivered) => delivered,
        }
    }

    fn publish(&mut self, key: &WireKey, id: WriteId, by: By) {
        let news = News { args: Arc::clone(&key.args), id };
        self.outbox.push((Arc::clone(&key.scope), Content::Changed(news), by));
    }

    pub(super) fn bump(&mut self, now: Moment, scope: &Scope, change: Bump, age: Duration) {
        let now = self.time(now);
        let made = Moment::from_bits(now.to_bits().saturating_sub(nanos(age)));
        let stamp = self.stamp(scope).bumped(change, made);
        self.scopes.insert(Arc::clone(&scope.name), stamp);
        self.outbox.push((Arc::new(scope.clone()), Content::Bumped(change), By::Process));
    }

    /// Extends a lease, and returns whether there is one.
    pub(super) fn extend(&mut self, now: Moment, name: &Name, token: Token) -> bool {
        let now = self.time(now);
        let lease = self.keys.get_mut(name).and_then(|entry| entry.lease.as_mut());
        let Some(held) = lease.filter(|held| held.is_fetch() && held.token == token) else { return false };
        held.extend(now);
        true
    }

    /// Drops everything whose time is over.
    pub(super) fn sweep(&mut self, now: Moment) {
        let now = self.time(now);
        let floor = &mut self.floor;
        self.keys.retain(|_, entry| {
            entry.expire(now, floor);
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
        let held = |entry: &&Entry<Value>| entry.lease.as_ref().is_some_and(Held::is_fetch);
        self.keys.values().filter(held).count()
    }

    /// The number of keys that have a value, a tombstone or a lease.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}
