//! A second tier in the memory of the process: the whole contract of a [`Tier`] without a server.
//!
//! `state` is the server as a state machine, `faults` are the ways in which it fails. This file is the way between
//! them and the processes: the time, the leases that are extended, and replies that do not come.

// Scenarios and simulations use a part of it.
#![cfg_attr(any(all(test, cacheback_shuttle), not(feature = "test-util")), allow(dead_code, unreachable_pub))]

use std::fmt;
use std::future::ready;
use std::sync::Weak;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::late::{Delivered, Late, Lateness};
use super::messages::{Coherence, Listeners, Message};
use super::queue::Queue;
use super::queue::state::Queues;
use super::status::{Meter, TierStatus};
use super::time_span::{self, TimeSpan};
use super::{
    Acquired, Bump, Change, Down, Lease, LeaseFor, Packed, Payload, Read, Release, Reply, Request, Scope,
    Stored, Tier, Token, WireKey, WriteId,
};
use crate::base::clock::{Moment, nanos};
use crate::base::sync::plain::Serial;
use crate::base::sync::{Arc, AtomicBool, AtomicUsize, Mutex, Notify, Ordering, lock, step};
use crate::base::tasks::{BoxFuture, Handle, Id, first, own_runtime, sleep};

pub(crate) mod faults;
mod queue;
pub(crate) mod state;
#[cfg(all(test, not(cacheback_shuttle)))]
mod tests;

use faults::{Answer, Faults, Link, Operation, Work};
use state::{By, Name, State};

/// A second tier in the memory of the process, for tests of shared functions (feature `test-util`).
///
/// It does what a server does, and needs none. Clones are the same tier: two runtimes with caches of their own
/// ([`isolate`](crate::testing::isolate)) that are given clones of it are two processes of a fleet.
///
/// # Time
///
/// Ages are measured by the tier's own clock. It is the latest time that any runtime had when it used the tier, so that
/// it also works if each runtime has a paused clock of its own.
///
/// A process has the lease of a key as long as it fetches it, because it extends the lease every two seconds. So it is
/// here, if a test advances the clock by a minute in one step as well: leases are extended while the runtime that has
/// taken them exists and the tier can be reached. The leases of a runtime that was dropped lapse after five seconds.
///
/// # Faults
///
/// Shared functions work without their tier, too. [`disconnect`](Self::disconnect) and [`hang`](Self::hang) show how.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// let tier = cacheback::shared::Memory::new();
/// tier.disconnect();
/// // ... calls of shared functions fetch for themselves ...
/// tier.reconnect();
/// ```
#[derive(Clone)]
pub struct Memory {
    server: Arc<Mutex<Server>>,
    timeout: Duration,
    max_value_bytes: usize,
    max_age: Duration,
    process: Arc<Process>,
    /// There is a connection again.
    back: Arc<Notify>,
    /// Notified when there are jobs.
    jobs: Arc<Notify>,
}

/// The tier as one process has it.
struct Process {
    /// By which it knows its own messages.
    number: u64,
    opened: Moment,
    meter: Meter,
}

impl Process {
    fn new(now: Moment) -> Arc<Self> {
        static PROCESSES: Serial = Serial::new();
        Arc::new(Self { number: PROCESSES.next(), opened: now, meter: Meter::default() })
    }
}

/// The state, and all that does not belong to a real server's.
#[derive(Default)]
struct Server {
    state: State,
    faults: Faults,
    leases: Vec<Taken>,
    /// The runtimes that have asked for a lease.
    holders: Vec<(Id, Holder)>,
    /// The processes that listen to messages.
    inboxes: Vec<Inbox>,
    queues: Queues,
    operations: u32,
}

/// The messages for a process, in their order.
struct Inbox {
    process: u64,
    sender: mpsc::UnboundedSender<Post>,
    listeners: Arc<Listeners>,
    /// How many posts it has not read yet.
    unread: Arc<AtomicUsize>,
}

/// What a process is told.
#[derive(Clone)]
enum Post {
    Message(Message),
    /// Messages may have been lost.
    Lost,
}

/// A lease that a process has taken.
struct Taken {
    name: Name,
    token: Token,
    /// `None` for a thread outside of any runtime, which lives as long as the process.
    holder: Option<Holder>,
}

/// A runtime that takes leases. It exists until a task on it is dropped.
#[derive(Clone)]
struct Holder(Arc<AtomicBool>);

impl Holder {
    fn exists(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Tells that a runtime has been dropped.
struct Farewell(Holder);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::SeqCst);
    }
}

/// So many operations after each other sweep once.
const SWEEP: u32 = 256;

impl Memory {
    /// An empty tier.
    #[must_use]
    pub fn new() -> Self {
        Self {
            server: Arc::new(Mutex::new(Server::default())),
            timeout: Duration::from_millis(100),
            max_value_bytes: 1 << 20,
            max_age: Duration::MAX,
            process: Process::new(Moment::PAST),
            back: Arc::default(),
            jobs: Arc::default(),
        }
    }

    pub(crate) fn open(self) -> Arc<dyn Tier> {
        let now = lock(&self.server).state.time(Moment::now());
        Arc::new(Self { process: Process::new(now), ..self })
    }

    /// Sets how long an operation waits for an answer while the tier [hangs](Self::hang). Default: 100 ms.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the longest value, in encoded bytes, that is shared. Default: 1 MiB (1,048,576 bytes).
    #[must_use]
    pub fn max_value_bytes(mut self, bytes: usize) -> Self {
        self.max_value_bytes = bytes;
        self
    }

    /// Sets the age at which values are gone there, at the latest, but for their lifetime: a [`Duration`], or a string such as
    /// `"1d"`. Default: the `retention` of each function.
    ///
    /// # Panics
    ///
    /// Panics if a string is not a time.
    #[must_use]
    pub fn max_age(mut self, age: impl TimeSpan) -> Self {
        self.max_age = time_span::max_age(age);
        self
    }

    /// Takes the tier away from all clones: operations fail at once, as if the server had been stopped. It keeps all
    /// values.
    pub fn disconnect(&self) {
        self.link(Link::Down);
    }

    /// Lets the tier answer nobody: an operation does nothing, and fails after the [time-out](Self::timeout), as if the
    /// network swallowed all that is sent.
    pub fn hang(&self) {
        self.link(Link::Hanging);
    }

    /// Ends [`disconnect`](Self::disconnect) and [`hang`](Self::hang).
    pub fn reconnect(&self) {
        self.link(Link::Up);
        self.lose_track();
    }

    /// Each process is told that it may have missed messages, as after a lost connection.
    fn lose_track(&self) {
        lock(&self.server).post(&Post::Lost);
    }

    fn link(&self, link: Link) {
        let now = Moment::now();
        let mut server = lock(&self.server);
        // Leases are extended up to here, and not while there is no link. Those that have lapsed meanwhile are lost.
        let now = server.begin(now);
        server.faults.set(link, now);
        server.state.sweep(now);
        drop(server);
        self.back.notify_waiters();
    }

    /// Begins an operation. It takes effect before this returns, unless a fault keeps it from that.
    fn send<T: Send + 'static>(
        &self,
        operation: Operation,
        work: impl FnOnce(&mut Server, Moment) -> T + Send + 'static,
    ) -> Reply<T> {
        self.send_made(operation, None, move |server, now, _| work(server, now))
    }

    /// The same with a change that was `made` at this moment of the process's clock: `work` is told how long ago that is.
    fn send_made<T: Send + 'static>(
        &self,
        operation: Operation,
        made: Option<Moment>,
        work: impl FnOnce(&mut Server, Moment, Duration) -> T + Send + 'static,
    ) -> Reply<T> {
        let (sender, answer) = oneshot::channel();
        self.process.meter.begin();
        let mut server = lock(&self.server);
        // Under the lock: nobody moves the server's clock between this reading and the operation.
        let now = Moment::now();
        let call = Call { process: Arc::clone(&self.process), sent: now };
        let age = made.map_or(0, |made| now.since(made));
        let now = server.begin(now);
        let made = Moment::from_bits(now.to_bits().saturating_sub(age));
        server.faults.count(operation);
        match server.faults.link {
            Link::Down => return Box::pin(ready(call.end(Err(Down::Disconnected)))),
            // Nobody will send an answer.
            Link::Hanging => drop(sender),
            Link::Up => {
                let deadline = now.plus(nanos(self.timeout));
                let process = self.process.number;
                let work: Work = Box::new(move |server, now| {
                    // As the scripts of a real server do: what comes too late changes nothing.
                    let age = Duration::from_nanos(now.since(made));
                    let answer = (now < deadline).then(|| work(server, now, age));
                    server.publish(process);
                    Box::new(move || drop(answer.map(|answer| sender.send(answer))))
                });
                let answer = server.carry_out(operation, now, work);
                drop(server);
                answer.into_iter().for_each(|answer| answer());
            }
        }
        let answer = within(self.timeout, answer);
        Box::pin(async move { call.end(answer.await) })
    }

    /// From now on nobody extends this lease, whether or not its end is told.
    fn forget(&self, token: Token) {
        let now = Moment::now();
        let mut server = lock(&self.server);
        server.begin(now);
        server.leases.retain(|taken| taken.token != token);
    }

    /// The calling runtime, as the holder of leases.
    fn holder(&self) -> Option<Holder> {
        let runtime = Handle::try_current().ok()?;
        let holder = Holder(Arc::new(AtomicBool::new(true)));
        {
            let mut server = lock(&self.server);
            server.holders.retain(|(_, holder)| holder.exists());
            let known = server.holders.iter().find(|(id, _)| *id == runtime.id());
            if let Some((_, known)) = known {
                return Some(known.clone());
            }
            server.holders.push((runtime.id(), holder.clone()));
        }
        let farewell = Farewell(holder.clone());
        drop(runtime.spawn(async move {
            let _farewell = farewell;
            std::future::pending::<()>().await;
        }));
        Some(holder)
    }
}

/// An operation, until it ends. One whose reply is dropped has no end.
struct Call {
    process: Arc<Process>,
    sent: Moment,
}

impl Call {
    fn end<T>(self, answer: Result<T, Down>) -> Result<T, Down> {
        let now = Moment::now();
        let took = Duration::from_nanos(now.since(self.sent));
        self.process.meter.end(answer.as_ref().err(), took, now);
        answer
    }
}

/// Waits for an answer. One that was given already needs no timer.
async fn within<T>(timeout: Duration, mut answer: oneshot::Receiver<T>) -> Result<T, Down> {
    // The answer is on its way.
    step();
    match answer.try_recv() {
        Ok(answer) => return Ok(answer),
        Err(oneshot::error::TryRecvError::Closed) => {
            sleep(timeout).await;
            return Err(Down::TimedOut);
        }
        Err(oneshot::error::TryRecvError::Empty) => {}
    }
    let mut limit = Box::pin(sleep(timeout));
    match first(answer, &mut limit).await {
        Ok(Ok(answer)) => Ok(answer),
        // The answer was lost: nobody knows it.
        Ok(Err(_)) => {
            limit.await;
            Err(Down::TimedOut)
        }
        Err(()) => Err(Down::TimedOut),
    }
}

impl Server {
    /// Sends the messages of an operation of this process.
    fn publish(&mut self, origin: u64) {
        for (scope, content, by) in std::mem::take(&mut self.state.outbox) {
            let origin = if by == By::Process { origin } else { u64::MAX };
            if !self.faults.loses_messages {
                self.post(&Post::Message(Message { origin, scope, content }));
            }
        }
    }

    /// Posts something to each process. A process whose runtime was dropped is forgotten.
    fn post(&mut self, post: &Post) {
        self.inboxes.retain(|inbox| {
            inbox.unread.fetch_add(1, Ordering::SeqCst);
            inbox.sender.send(post.clone()).is_ok()
        });
    }

    /// The listeners of a process. They are told in a task of the calling runtime.
    fn listeners(&mut self, of: &Arc<Process>) -> Arc<Listeners> {
        let process = of.number;
        if let Some(inbox) =
            self.inboxes.iter().find(|inbox| inbox.process == process && !inbox.sender.is_closed())
        {
            return Arc::clone(&inbox.listeners);
        }
        let (sender, mut posts) = mpsc::unbounded_channel();
        let listeners = Arc::new(Listeners::default());
        let unread = Arc::new(AtomicUsize::new(0));
        let (told, left, of) = (Arc::clone(&listeners), Arc::clone(&unread), Arc::clone(of));
        self.inboxes.push(Inbox { process, sender, listeners: Arc::clone(&listeners), unread });
        let runtime = Handle::try_current().unwrap_or_else(|_| own_runtime().clone());
        drop(runtime.spawn(async move {
            while let Some(post) = posts.recv().await {
                match post {
                    Post::Message(message) => {
                        // The clocks of processes may be paused, each for itself: nobody can tell its age.
                        of.meter.message(None, Moment::PAST);
                        told.tell(&message, process);
                    }
                    Post::Lost => told.untrusted(),
                }
                left.fetch_sub(1, Ordering::SeqCst);
            }
        }));
        listeners
    }

    /// The time of an operation, before which everything has happened that happens by itself.
    fn begin(&mut self, now: Moment) -> Moment {
        let now = self.state.time(now);
        if self.faults.extends() {
            let state = &mut self.state;
            self.leases.retain(|taken| {
                let exists = taken.holder.as_ref().is_none_or(Holder::exists);
                exists && state.extend(now, &taken.name, taken.token)
            });
        }
        self.operations = self.operations.wrapping_add(1);
        if self.operations % SWEEP == 0 {
            self.state.sweep(now);
        }
        now
    }

    /// Returns the answer, which is to be handed over without the lock, unless a gate holds it or the operation.
    fn carry_out(&mut self, operation: Operation, now: Moment, work: Work) -> Option<Answer> {
        let work = self.faults.hold_before(operation, work)?;
        let answer = work(self, now);
        self.faults.hold_after(operation, answer)
    }

    fn acquire(&mut self, now: Moment, key: &WireKey, request: Request, holder: Option<Holder>) -> Acquired {
        let answer = self.state.acquire(now, key, request);
        // A queued one waits for a worker, and nobody extends it.
        if matches!(answer, Acquired::Ours(_)) && request.purpose != LeaseFor::Queue {
            let name = state::name(key);
            // After a lost reply it is asked for again.
            self.leases.retain(|taken| taken.token != request.token || taken.name != name);
            self.leases.push(Taken { name, token: request.token, holder });
        }
        answer
    }
}

impl Tier for Memory {
    fn is_up(&self) -> bool {
        !matches!(lock(&self.server).faults.link, Link::Down)
    }

    fn contact(&self) -> u64 {
        lock(&self.server).faults.contact()
    }

    fn contact_of(&self, _: &WireKey) -> Option<u64> {
        let server = lock(&self.server);
        (server.faults.link == Link::Up).then(|| server.faults.contact())
    }

    fn lost(&self, contact: u64) -> Option<Duration> {
        let now = Moment::now();
        let mut server = lock(&self.server);
        let now = server.state.time(now);
        server.faults.lost(contact, now)
    }

    fn reconnected(&self, since: u64) -> BoxFuture<()> {
        let (server, back) = (Arc::clone(&self.server), Arc::clone(&self.back));
        Box::pin(async move {
            loop {
                let notified = back.notified();
                if lock(&server).faults.is_another(since) {
                    return;
                }
                notified.await;
            }
        })
    }

    fn runtime(&self) -> Handle {
        Handle::try_current().unwrap_or_else(|_| own_runtime().clone())
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn status(&self) -> TierStatus {
        let now = Moment::now();
        let mut server = lock(&self.server);
        let since = server.faults.changed().max(self.process.opened);
        let since = Duration::from_nanos(server.state.time(now).since(since));
        let connected = server.faults.link != Link::Down;
        let own = server.inboxes.iter().filter(|inbox| inbox.process == self.process.number);
        let losses = own.map(|inbox| inbox.listeners.losses()).sum();
        drop(server);
        TierStatus { losses, ..self.process.meter.status(connected, since, Vec::new(), now) }
    }

    fn max_value_bytes(&self) -> usize {
        self.max_value_bytes
    }

    fn max_age(&self) -> Duration {
        self.max_age
    }

    fn pack(&self, bytes: Vec<u8>) -> Result<Packed, String> {
        let raw_len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Ok(Packed { compression: 0, raw_len, bytes: Arc::new(bytes) })
    }

    fn read(&self, key: &WireKey, have: Option<WriteId>) -> Reply<Read> {
        let key = key.clone();
        self.send(Operation::Read, move |server, now| server.state.read(now, &key, have))
    }

    fn acquire(&self, key: &WireKey, request: Request) -> Reply<Acquired> {
        let (key, holder) = (key.clone(), self.holder());
        self.send(Operation::Acquire, move |server, now| server.acquire(now, &key, request, holder))
    }

    fn store(&self, key: &WireKey, lease: &Lease, value: Payload) -> Reply<Stored> {
        let (key, lease) = (key.clone(), *lease);
        self.forget(lease.token);
        self.send_made(Operation::Store, Some(value.at), move |server, now, waited| {
            server.state.store(now, &key, &lease, value.aged(waited))
        })
    }

    fn release(&self, key: &WireKey, token: Token, ending: Release) {
        let key = key.clone();
        self.forget(token);
        let release = move |server: &mut Server, now| server.state.release(now, &key, token, ending);
        drop(self.send(Operation::Release, release));
    }

    fn write(&self, key: &WireKey, change: Change) -> Reply<WriteId> {
        let key = key.clone();
        self.send_made(Operation::Write, change.at(), move |server, now, waited| {
            server.state.write(now, &key, change.aged(waited))
        })
    }

    fn deliver(&self, key: &WireKey, change: Change, late: Late) -> Reply<Delivered> {
        let (key, doubt, Late { at, known, over }) = (key.clone(), self.timeout, late);
        let change = change.aged_until(at);
        self.send_made(Operation::Write, Some(at), move |server, now, age| {
            server.state.deliver(now, &key, change.aged(age), Lateness { age, known, over }, doubt)
        })
    }

    fn listen(&self, scope: &Arc<Scope>, listener: Weak<dyn Coherence>) {
        let listeners = lock(&self.server).listeners(&self.process);
        listeners.add(scope, listener);
    }

    fn bump(&self, scope: &Arc<Scope>, change: Bump, at: Moment) -> Reply<()> {
        let scope = Arc::clone(scope);
        self.send_made(Operation::Bump, Some(at), move |server, now, age| {
            server.state.bump(now, &scope, change, age);
        })
    }

    fn queue(&self) -> Option<&dyn Queue> {
        Some(self)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (keys, link) = {
            let server = lock(&self.server);
            (server.state.len(), server.faults.link)
        };
        f.debug_struct("Memory").field("link", &link).field("keys", &keys).finish_non_exhaustive()
    }
}
