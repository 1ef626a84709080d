//! The link to a file: operations on their way to the threads that carry them out, and back.
//!
//! A *writer* carries out everything that changes the file, in the order of the calls: what has gathered meanwhile goes
//! into one transaction. A *reader* looks at keys, unless a change of the key is on its way: then the look follows it. An
//! *ear* listens to the messages of other processes, and a *watch* ends operations whose time is up, whatever the disk
//! does.
//!
//! While the file cannot be used, or a thread has not come back from it in time, every operation fails at once.

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::room::{Room, Size};
use super::settings::Sqlite;
use super::store::Store;
use super::takes::Takes;
use super::trouble::Trouble;
use crate::base::clock::{Moment, nanos};
use crate::base::sync::Arc;
use crate::base::sync::plain::{AtomicBool, AtomicU64, Condvar, Mutex, Ordering, lock};
use crate::events::{self, RateLimit};
use crate::tier::life::Life;
use crate::tier::messages::Listeners;
use crate::tier::status::{Meter, TierStatus};
use crate::tier::{Down, Reply, Token};

/// What is done to the file, and then said to the caller.
pub(super) type Step = Box<dyn FnOnce(&Store, Place) -> rusqlite::Result<Answer> + Send>;
pub(super) type Answer = Box<dyn FnOnce() + Send>;
/// A look at the file. It answers by itself.
pub(super) type Look = Box<dyn FnOnce(&Connection, Moment) -> rusqlite::Result<()> + Send>;

/// When a step is carried out, and whether there is place for a value.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) now: Moment,
    pub(super) is_there: bool,
}

/// A change on its way.
pub(super) struct Order {
    pub(super) step: Step,
    pub(super) caller: Arc<dyn Caller>,
    pub(super) concerns: Concerns,
    pub(super) size: Size,
}

/// What an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Concerns {
    Key([u8; 16]),
    /// All keys of a scope.
    All,
    /// Jobs, and no key.
    Jobs,
}

/// A look on its way.
pub(super) struct Question {
    pub(super) look: Look,
    pub(super) caller: Arc<dyn Caller>,
}

/// Who has asked for an operation.
pub(super) trait Caller: Send + Sync {
    fn fail(&self, down: Down);
    /// It was answered.
    fn is_gone(&self) -> bool;
    fn deadline(&self) -> Instant;
}

pub(super) struct Call<T> {
    answer: Mutex<Option<oneshot::Sender<Result<T, Down>>>>,
    sent: Instant,
    deadline: Instant,
    link: Arc<Shared>,
}

impl<T> Call<T> {
    /// The first answer counts.
    pub(super) fn end(&self, answer: Result<T, Down>) {
        let Some(sender) = lock(&self.answer).take() else { return };
        self.link.meter.end(answer.as_ref().err(), self.sent.elapsed(), self.link.now());
        let _ = sender.send(answer);
    }
}

impl<T: Send> Caller for Call<T> {
    fn fail(&self, down: Down) {
        self.end(Err(down));
    }

    fn is_gone(&self) -> bool {
        lock(&self.answer).is_none()
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }
}

/// A thread that carries out operations.
#[derive(Clone, Copy)]
pub(super) enum Thread {
    Writer = 0,
    Reader = 1,
}

/// What the threads and the callers share.
pub(super) struct Shared {
    pub(super) settings: Arc<Sqlite>,
    /// By which the process knows its own messages.
    pub(super) origin: u64,
    pub(super) listeners: Arc<Listeners>,
    /// The file can be used, or is just being opened for the first time.
    is_up: AtomicBool,
    /// Its openings, one after the other. A thread that was not back in time ends one.
    pub(super) life: Life,
    /// The number of the last of them, if it has not ended.
    lives: Mutex<Option<u64>>,
    /// Whether it is open, and since when.
    connected: Mutex<(bool, Moment)>,
    /// Grows whenever the file is opened anew.
    pub(super) opening: AtomicU64,
    /// Why the file cannot be used any more, as another thread than the writer has found.
    trouble: Mutex<Option<Trouble>>,
    /// Since when each thread is busy with one step, in nanoseconds; zero if it is not.
    busy: [AtomicU64; 2],
    /// A thread was not back in time.
    is_stuck: AtomicBool,
    /// That it cannot be used was logged, and not yet that it can.
    is_told: AtomicBool,
    /// The last change has failed.
    is_failing: AtomicBool,
    /// Changes that are on their way, by key.
    changes: Mutex<Changes>,
    /// The leases of this process, with the hashes of their keys.
    pub(super) leases: Mutex<HashMap<Token, [u8; 16]>>,
    pub(super) takes: Takes,
    watched: Mutex<Watched>,
    wakes_watch: Condvar,
    opened: Instant,
    pub(super) meter: Meter,
    refusals: RateLimit,
    stalls: RateLimit,
}

#[derive(Default)]
struct Changes {
    keys: HashMap<[u8; 16], usize>,
    of_all: usize,
}

#[derive(Default)]
struct Watched {
    /// In the order of their deadlines, as all have the same time.
    callers: VecDeque<Arc<dyn Caller>>,
    /// The watch sleeps until somebody comes: not even until a deadline of before.
    is_asleep: bool,
    is_over: bool,
}

/// The link of a process. It is closed when it is dropped.
pub(super) struct Link {
    pub(super) shared: Arc<Shared>,
    orders: mpsc::Sender<Order>,
    questions: mpsc::Sender<Question>,
}

/// The other ends of a link.
pub(super) struct Ends {
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) questions: mpsc::Receiver<Question>,
}

impl Link {
    pub(super) fn new(settings: Arc<Sqlite>, listeners: Arc<Listeners>) -> (Self, Ends) {
        let ((orders, ordered), (questions, asked)) = (mpsc::channel(), mpsc::channel());
        let shared = Arc::new(Shared {
            settings,
            origin: Token::random().0 | 1,
            listeners,
            is_up: AtomicBool::new(true),
            life: Life::default(),
            lives: Mutex::default(),
            connected: Mutex::new((false, Moment::PAST)),
            opening: AtomicU64::new(0),
            trouble: Mutex::default(),
            busy: Default::default(),
            is_stuck: AtomicBool::new(false),
            is_told: AtomicBool::new(false),
            is_failing: AtomicBool::new(false),
            changes: Mutex::default(),
            leases: Mutex::default(),
            takes: Takes::default(),
            watched: Mutex::default(),
            wakes_watch: Condvar::new(),
            opened: Instant::now(),
            meter: Meter::default(),
            refusals: RateLimit::default(),
            stalls: RateLimit::default(),
        });
        (Self { shared, orders, questions }, Ends { orders: ordered, questions: asked })
    }

    /// Sends a change. It is carried out even if the answer is not waited for.
    pub(super) fn change<T: Send + 'static>(
        &self,
        concerns: Concerns,
        size: Size,
        step: impl FnOnce(&Store, Place) -> rusqlite::Result<Result<T, Down>> + Send + 'static,
    ) -> Reply<T> {
        let (call, reply) = self.call();
        if !self.shared.is_up() {
            call.end(Err(Down::Disconnected));
            return reply;
        }
        self.shared.count(concerns);
        let answered = Arc::clone(&call);
        let step: Step = Box::new(move |store, place| {
            let answer = step(store, place)?;
            Ok(Box::new(move || answered.end(answer)))
        });
        let order = Order { step, caller: Arc::clone(&call) as _, concerns, size };
        if let Err(unsent) = self.orders.send(order) {
            self.shared.uncount(unsent.0.concerns);
            call.end(Err(Down::Disconnected));
        }
        self.shared.watch(call);
        reply
    }

    /// Sends a look at a key.
    pub(super) fn look<T: Send + 'static>(
        &self,
        hash: [u8; 16],
        look: impl FnOnce(&Connection, Moment) -> rusqlite::Result<T> + Send + 'static,
    ) -> Reply<T> {
        if self.shared.is_on_its_way(hash) {
            return self.change(Concerns::Key(hash), Size::SMALL, move |store, place| {
                look(&store.db, place.now).map(Ok)
            });
        }
        self.ask(look)
    }

    /// Sends a look, which follows no change.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection, Moment) -> rusqlite::Result<T> + Send + 'static,
    ) -> Reply<T> {
        let (call, reply) = self.call();
        if !self.shared.is_up() {
            call.end(Err(Down::Disconnected));
            return reply;
        }
        let answered = Arc::clone(&call);
        let look: Look = Box::new(move |db, now| look(db, now).map(|answer| answered.end(Ok(answer))));
        if self.questions.send(Question { look, caller: Arc::clone(&call) as _ }).is_err() {
            call.end(Err(Down::Disconnected));
        }
        self.shared.watch(call);
        reply
    }

    fn call<T: Send + 'static>(&self) -> (Arc<Call<T>>, Reply<T>) {
        let (sender, answered) = oneshot::channel();
        let (sent, link) = (Instant::now(), Arc::clone(&self.shared));
        link.meter.begin();
        let deadline = sent + link.settings.timeout;
        let call = Arc::new(Call { answer: Mutex::new(Some(sender)), sent, deadline, link });
        (call, Box::pin(async move { answered.await.unwrap_or(Err(Down::Disconnected)) }))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        lock(&self.shared.watched).is_over = true;
        self.shared.wakes_watch.notify_all();
    }
}

impl Shared {
    pub(super) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Acquire) && !self.is_stuck.load(Ordering::Acquire)
    }

    pub(super) fn status(&self) -> TierStatus {
        let (now, (connected, since)) = (self.now(), *lock(&self.connected));
        let is_usable = connected && !self.is_stuck.load(Ordering::Acquire);
        self.meter.status(is_usable, Duration::from_nanos(now.since(since)), Vec::new(), now)
    }

    /// A message has arrived, so long after its change.
    pub(super) fn heard(&self, age: Duration) {
        self.meter.message(Some(age), self.now());
    }

    /// The time of the meter, which no test pauses.
    fn now(&self) -> Moment {
        Moment::from_bits(nanos(self.opened.elapsed()))
    }

    pub(super) fn room(&self) -> Room {
        Room::new(&self.settings.path, self.settings.max_bytes)
    }

    /// How long the lock of another process is waited for: less than an operation may take, so that it is told from a disk
    /// that does not answer.
    pub(super) fn for_locks(&self) -> Duration {
        self.settings.timeout * 3 / 4
    }

    fn place(&self) -> String {
        self.settings.path.display().to_string()
    }

    /// The file is open.
    pub(super) fn found(&self) {
        *lock(&self.trouble) = None;
        self.opening.fetch_add(1, Ordering::AcqRel);
        self.set_connected(true);
        self.is_told.store(false, Ordering::Release);
        events::tier_connected(&self.place());
    }

    /// The file cannot be used. It is said once.
    pub(super) fn lost(&self, why: &str) {
        self.set_connected(false);
        self.tell_loss(why);
    }

    fn tell_loss(&self, why: &str) {
        if !self.is_told.swap(true, Ordering::AcqRel) {
            events::tier_lost(&self.place(), false, why);
        }
    }

    fn set_connected(&self, connected: bool) {
        self.is_up.store(connected, Ordering::Release);
        self.note_life();
        let mut state = lock(&self.connected);
        if state.0 != connected {
            *state = (connected, self.now());
        }
    }

    fn note_life(&self) {
        let mut lives = lock(&self.lives);
        // Under the lock: who comes last has the last word.
        match (*lives, self.is_up()) {
            (None, true) => *lives = Some(self.life.connected()),
            (Some(number), false) => {
                *lives = None;
                self.life.lost(number);
            }
            (None, false) | (Some(_), true) => {}
        }
    }

    /// The number of the connection that there is.
    pub(super) fn connection(&self) -> Option<u64> {
        *lock(&self.lives)
    }

    /// Another thread than the writer has found that the file cannot be used any more.
    pub(super) fn report(&self, opening: u64, trouble: Trouble) {
        if self.opening.load(Ordering::Acquire) == opening {
            self.is_up.store(false, Ordering::Release);
            self.note_life();
            *lock(&self.trouble) = Some(trouble);
        }
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        lock(&self.trouble).take()
    }

    pub(super) fn refused(&self, why: &str) {
        if self.refusals.passes(self.now().plus(1)) {
            events::tier_refuses(&self.place(), why);
        }
    }

    /// A thread begins with a step.
    pub(super) fn begins(&self, thread: Thread) {
        self.busy[thread as usize].store(nanos(self.opened.elapsed()).max(1), Ordering::Release);
    }

    /// It is done. `is_well`: the file has answered.
    pub(super) fn ends(&self, thread: Thread, is_well: bool) {
        self.busy[thread as usize].store(0, Ordering::Release);
        if self.is_stuck.swap(false, Ordering::AcqRel) {
            self.note_life();
        }
        if let Thread::Writer = thread {
            self.is_failing.store(!is_well, Ordering::Release);
        }
        let is_well = is_well && !self.is_failing.load(Ordering::Acquire);
        if is_well && self.is_up() && self.is_told.swap(false, Ordering::AcqRel) {
            events::tier_connected(&self.place());
        }
    }

    fn count(&self, concerns: Concerns) {
        let mut changes = lock(&self.changes);
        match concerns {
            Concerns::Key(hash) => *changes.keys.entry(hash).or_default() += 1,
            Concerns::All => changes.of_all += 1,
            Concerns::Jobs => {}
        }
    }

    /// A change is on its way no more.
    pub(super) fn uncount(&self, concerns: Concerns) {
        let mut changes = lock(&self.changes);
        match concerns {
            Concerns::Key(hash) => {
                if let Some(left) = changes.keys.get_mut(&hash) {
                    *left -= 1;
                    if *left == 0 {
                        changes.keys.remove(&hash);
                    }
                }
            }
            Concerns::All => changes.of_all -= 1,
            Concerns::Jobs => {}
        }
    }

    fn is_on_its_way(&self, hash: [u8; 16]) -> bool {
        let changes = lock(&self.changes);
        changes.of_all > 0 || changes.keys.contains_key(&hash)
    }

    fn watch(&self, caller: Arc<dyn Caller>) {
        let mut watched = lock(&self.watched);
        // Whoever was answered need not be watched until his time is up.
        while watched.callers.front().is_some_and(|caller| caller.is_gone()) {
            watched.callers.pop_front();
        }
        watched.callers.push_back(caller);
        // Else it wakes before this deadline, which is later than those of before.
        let is_asleep = std::mem::take(&mut watched.is_asleep);
        drop(watched);
        if is_asleep {
            self.wakes_watch.notify_one();
        }
    }

    /// Ends operations whose time is up, until the link is closed.
    pub(super) fn keep_watch(&self) {
        let mut watched = lock(&self.watched);
        while !watched.is_over {
            let now = Instant::now();
            let mut late = Vec::new();
            while let Some(caller) = watched.callers.front() {
                if caller.deadline() > now && !caller.is_gone() {
                    break;
                }
                late.extend(watched.callers.pop_front().filter(|caller| !caller.is_gone()));
            }
            if !late.is_empty() {
                drop(watched);
                self.look_after_threads();
                late.iter().for_each(|caller| caller.fail(Down::TimedOut));
                watched = lock(&self.watched);
                continue;
            }
            let next = watched.callers.front().map(|caller| caller.deadline().saturating_duration_since(now));
            watched.is_asleep = next.is_none();
            let wait = next.unwrap_or(Duration::from_secs(3600));
            watched = self
                .wakes_watch
                .wait_timeout(watched, wait)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(watched, _)| watched);
        }
        // They know the link, too.
        watched.callers.clear();
    }

    /// Whether a thread has not come back from the disk in time.
    fn look_after_threads(&self) {
        let (now, limit) = (nanos(self.opened.elapsed()), nanos(self.settings.timeout));
        let is_busy = |since: &AtomicU64| {
            let since = since.load(Ordering::Acquire);
            since > 0 && now.saturating_sub(since) >= limit
        };
        let is_stuck = self.busy.iter().any(is_busy);
        let has_just_stuck = is_stuck && self.is_up() && !self.is_stuck.swap(true, Ordering::AcqRel);
        if has_just_stuck {
            self.note_life();
        }
        // A slow disk may do so again and again.
        if has_just_stuck && self.stalls.passes(self.now().plus(1)) {
            self.tell_loss("it has not answered in time");
        }
    }
}
