//! The ways in which a [`Memory`] fails, and the count of its operations. All but the link is for the library's own
//! tests.

#![allow(dead_code)] // The builds for users' tests have it as well, so that both are the same.

use std::time::Duration;

use super::{Memory, Server};
#[cfg(feature = "simulation")]
use super::{Message, Post};
use crate::base::clock::Moment;
use crate::base::sync::{Arc, Mutex, Ordering, lock};
#[cfg(feature = "simulation")]
use crate::tier::messages::{Content, News};
#[cfg(feature = "simulation")]
use crate::tier::{Scope, WriteId};

/// An operation of a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    Read,
    Acquire,
    Store,
    Release,
    Write,
    Bump,
    Enqueue,
    /// Any other operation of the queue.
    Queue,
}

/// The connection of all processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Link {
    #[default]
    Up,
    /// Nothing that is sent arrives.
    Hanging,
    /// There is none.
    Down,
}

/// An operation's effect, which returns its answer.
pub(super) type Work = Box<dyn FnOnce(&mut Server, Moment) -> Answer + Send>;
/// Hands the answer to the caller.
pub(super) type Answer = Box<dyn FnOnce() + Send>;

/// Where a gate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The operation has not arrived at the server.
    Request,
    /// The operation has taken effect, and its answer has not arrived.
    Answer,
}

pub(super) struct Faults {
    pub(super) link: Link,
    /// The moment of the last connection or disconnection.
    changed: Moment,
    /// When each of the connections before this one was lost, by their numbers. After them, this one.
    losses: Vec<Moment>,
    are_leases_left: bool,
    pub(super) loses_messages: bool,
    counts: [usize; 8],
    gates: Vec<Arc<Closed>>,
}

/// A closed gate, and the operations at it in their order.
struct Closed {
    operation: Operation,
    place: Place,
    held: Mutex<Vec<Held>>,
}

enum Held {
    Request(Work),
    Answer(Answer),
}

impl Default for Faults {
    fn default() -> Self {
        let (link, changed) = (Link::default(), Moment::PAST);
        Self {
            link,
            changed,
            losses: Vec::new(),
            are_leases_left: false,
            loses_messages: false,
            counts: [0; 8],
            gates: Vec::new(),
        }
    }
}

impl Faults {
    pub(super) fn set(&mut self, link: Link, now: Moment) {
        if (self.link == Link::Down) != (link == Link::Down) {
            self.changed = now;
        }
        if self.link == Link::Up && link != Link::Up {
            self.losses.push(now);
        }
        self.link = link;
    }

    /// The number of the last connection.
    pub(super) fn contact(&self) -> u64 {
        let before = if self.link == Link::Up { self.losses.len() } else { self.losses.len() - 1 };
        before as u64
    }

    /// How long ago a connection was lost.
    pub(super) fn lost(&self, number: u64, now: Moment) -> Option<Duration> {
        let lost = self.losses.get(number as usize)?;
        Some(Duration::from_nanos(now.since(*lost)))
    }

    /// Whether there is a connection, and another one than that of this number.
    pub(super) fn is_another(&self, number: u64) -> bool {
        self.link == Link::Up && self.contact() != number
    }

    pub(super) fn changed(&self) -> Moment {
        self.changed
    }

    pub(super) fn count(&mut self, operation: Operation) {
        self.counts[operation as usize] += 1;
    }

    /// Whether processes extend their leases.
    pub(super) fn extends(&self) -> bool {
        self.link == Link::Up && !self.are_leases_left
    }

    fn gate(&self, operation: Operation, place: Place) -> Option<&Closed> {
        self.gates.iter().map(|gate| &**gate).find(|gate| gate.operation == operation && gate.place == place)
    }

    /// Gives the work back if no gate holds it.
    pub(super) fn hold_before(&self, operation: Operation, work: Work) -> Option<Work> {
        let Some(gate) = self.gate(operation, Place::Request) else { return Some(work) };
        lock(&gate.held).push(Held::Request(work));
        None
    }

    /// Gives the answer back if no gate holds it.
    pub(super) fn hold_after(&self, operation: Operation, answer: Answer) -> Option<Answer> {
        let Some(gate) = self.gate(operation, Place::Answer) else { return Some(answer) };
        lock(&gate.held).push(Held::Answer(answer));
        None
    }
}

/// A closed gate: all operations of its kind wait at it, and their callers get no answer. When it is dropped, they are
/// lost, and later operations pass.
pub(crate) struct Gate {
    memory: Memory,
    closed: Arc<Closed>,
}

impl Gate {
    /// The number of operations that wait.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.closed.held).len()
    }

    /// Lets those that wait go on, in their order, and all later ones. A request that is past its time does nothing.
    pub(crate) fn open(self) {
        let now = Moment::now();
        let mut server = lock(&self.memory.server);
        let now = server.begin(now);
        server.faults.gates.retain(|gate| !Arc::ptr_eq(gate, &self.closed));
        let held = std::mem::take(&mut *lock(&self.closed.held));
        let go_on = |held| match held {
            Held::Request(work) => server.carry_out(self.closed.operation, now, work),
            Held::Answer(answer) => Some(answer),
        };
        let answers: Vec<_> = held.into_iter().filter_map(go_on).collect();
        drop(server);
        answers.into_iter().for_each(|answer| answer());
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let mut server = lock(&self.memory.server);
        server.faults.gates.retain(|gate| !Arc::ptr_eq(gate, &self.closed));
        let lost = std::mem::take(&mut *lock(&self.closed.held));
        drop(server);
        drop(lost);
    }
}

impl Memory {
    /// Closes a gate for all operations of a kind, of all clones.
    pub(crate) fn close(&self, operation: Operation, place: Place) -> Gate {
        let closed = Arc::new(Closed { operation, place, held: Mutex::default() });
        lock(&self.server).faults.gates.push(Arc::clone(&closed));
        Gate { memory: self.clone(), closed }
    }

    /// How many operations of a kind were begun, whatever became of them.
    pub(crate) fn count(&self, operation: Operation) -> usize {
        lock(&self.server).faults.counts[operation as usize]
    }

    /// How many fetches have the lease of their key.
    pub(crate) fn leases(&self) -> usize {
        let now = Moment::now();
        let mut server = lock(&self.server);
        let now = server.begin(now);
        server.state.leases(now)
    }

    /// Loses all values, tombstones and leases, as `FLUSHALL` does.
    pub(crate) fn flush_all(&self) {
        lock(&self.server).state.flush();
    }

    /// How many messages were sent and not read yet.
    pub(crate) fn unread(&self) -> usize {
        let server = lock(&self.server);
        server.inboxes.iter().map(|inbox| inbox.unread.load(Ordering::SeqCst)).sum()
    }

    /// Tells every process of a change of this function's, or cache's, key that nobody has made.
    #[cfg(feature = "simulation")]
    #[doc(hidden)]
    pub fn tell(&self, name: &str, args: &[u8], number: u64) {
        let scope = Arc::new(Scope { name: name.into(), instance: None });
        let content = Content::Changed(News { args: args.into(), id: WriteId(number) });
        // Of a process that there is not.
        lock(&self.server).post(&Post::Message(Message { origin: u64::MAX, scope, content }));
    }

    /// From now on no message arrives, until the processes are told that they may have missed some.
    pub(crate) fn lose_messages(&self) {
        lock(&self.server).faults.loses_messages = true;
    }

    /// Messages arrive again, and each process is told that it may have missed some.
    pub(crate) fn deliver_messages(&self) {
        lock(&self.server).faults.loses_messages = false;
        self.lose_track();
    }

    /// From now on nobody extends a lease, as if each process that has one was stopped. The leases lapse within five
    /// seconds.
    pub(crate) fn leave_leases(&self) {
        let now = Moment::now();
        let mut server = lock(&self.server);
        server.begin(now);
        server.faults.are_leases_left = true;
    }
}
