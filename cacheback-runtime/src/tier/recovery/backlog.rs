//! What one process has still to tell the tier, and the task that tells it.

use std::pin::pin;
use std::sync::Weak;
use std::time::Duration;

use super::parts::{Part, Parts, before};
use super::queue::{Counts, Cursor, Item, Next, Queue};
use super::{Scope, Tier, all};
use crate::base::clock::Moment;
use crate::base::sync::{Arc, AtomicBool, AtomicU64, Mutex, MutexGuard, Notify, Ordering, lock};
use crate::base::tasks::{BoxFuture, Sleep, first, sleep};
use crate::events::{self, RateLimit};
use crate::tier::late::Delivered;
use crate::tier::messages::{Content, Listeners, Message, News};
use crate::tier::{Down, WireKey, WriteId};

mod flights;
use flights::Sending;
pub(super) use flights::{BumpFlight, Flight, Over};

/// The pauses between two attempts at a tier that can be asked and does not answer: from the first to the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];
/// So many deliveries are under way at once.
const BATCH: usize = 64;

/// What one process has still to tell.
pub(super) struct Backlog {
    pub(super) tier: Arc<dyn Tier>,
    listeners: Arc<Listeners>,
    state: Mutex<State>,
    /// Something waits, or is under way. Read without the lock.
    is_behind: AtomicBool,
    /// The number of the last connection that was noticed, and of the last move of keys, in one sum.
    connection: AtomicU64,
    /// Something was delivered, or could not be.
    moved: Notify,
    /// There is more to do for the task.
    more: Arc<Notify>,
    said: RateLimit,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) queue: Queue,
    /// There is a task that delivers.
    is_working: bool,
    /// What was logged of the changes that had to wait.
    logged: Counts,
}

/// The end of an attempt to deliver everything.
#[derive(Debug, PartialEq, Eq)]
enum Round {
    /// Nothing waits.
    Over,
    /// There is no connection.
    Down,
    /// The tier does not answer, or refuses something.
    Failed,
}

impl Backlog {
    pub(super) fn new(tier: Arc<dyn Tier>, listeners: Arc<Listeners>) -> Self {
        Self {
            tier,
            listeners,
            state: Mutex::default(),
            is_behind: AtomicBool::new(false),
            connection: AtomicU64::new(0),
            moved: Notify::new(),
            more: Arc::new(Notify::new()),
            said: RateLimit::default(),
        }
    }

    /// The state is about to be changed. What has changed is told by [`changed`](Self::changed).
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// The queue has changed.
    pub(super) fn changed(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let waiting = state.queue.len();
        self.is_behind.store(!state.queue.is_calm(), Ordering::SeqCst);
        let crowded = state.queue.crowded();
        let starts = !state.queue.is_idle() && !std::mem::replace(&mut state.is_working, true);
        let (now, logged) = (state.queue.counts, state.logged);
        if waiting == 0 {
            state.logged = now;
        }
        drop(state);
        if starts {
            let working = Working(Arc::downgrade(self));
            drop(self.tier.runtime().spawn(work(working, Arc::clone(&self.more))));
        }
        self.moved.notify_waiters();
        if let Some(name) = crowded {
            events::changes_overflowed(&name);
        }
        if waiting == 0 && (now.recovered, now.yielded) != (logged.recovered, logged.yielded) {
            events::changes_delivered(now.recovered - logged.recovered, now.yielded - logged.yielded);
        }
    }

    /// A change that was told is to be told again: its connection is another one by now.
    pub(super) fn waits_again(self: &Arc<Self>, state: MutexGuard<'_, State>) {
        self.changed(state);
        self.more.notify_one();
    }

    /// A change waits from now on.
    pub(super) fn waits(self: &Arc<Self>, state: MutexGuard<'_, State>) {
        let waiting = state.queue.len();
        self.changed(state);
        self.more.notify_one();
        if waiting > 0 && self.said.passes(Moment::now()) {
            events::changes_wait(waiting);
        }
    }

    /// Looks whether the connection is another one.
    pub(super) fn notice_connection(self: &Arc<Self>) {
        let number = self.tier.contact() + self.tier.moves();
        if self.connection.load(Ordering::SeqCst) >= number {
            return;
        }
        let mut state = self.state();
        state.queue.reconnected(&|contact, key| self.lost(contact, key));
        // Before anybody takes the connection for noticed, and reads.
        self.is_behind.store(true, Ordering::SeqCst);
        self.connection.fetch_max(number, Ordering::SeqCst);
        self.changed(state);
        self.more.notify_one();
    }

    /// When a connection was lost, or a key went over to the server of another one.
    pub(super) fn lost(&self, contact: u64, key: &WireKey) -> Option<Moment> {
        let has_moved =
            || self.tier.contact_of(key).is_some_and(|now| now != contact).then_some(Duration::ZERO);
        self.tier.lost(contact).or_else(has_moved).map(|lost| before(Moment::now(), lost))
    }

    /// A change is sent as it is made, after this.
    pub(super) fn flies(&self, state: MutexGuard<'_, State>) {
        self.is_behind.store(true, Ordering::SeqCst);
        drop(state);
    }

    /// Whether something is to be delivered before anything is read, or may be.
    pub(super) fn is_behind(self: &Arc<Self>) -> bool {
        self.notice_connection();
        self.is_behind.load(Ordering::SeqCst)
    }

    /// Delivers the changes of a key that were made until now. One that is under way may come to the tier after what is
    /// sent now, or too late to be made: it is waited for.
    pub(super) async fn settle_made(self: &Arc<Self>, key: &WireKey) -> Result<(), Down> {
        let until = self.state().queue.last_turn();
        self.settle(key, until).await
    }

    /// Delivers the changes of a key up to a turn.
    pub(super) async fn settle(self: &Arc<Self>, key: &WireKey, until: u64) -> Result<(), Down> {
        self.settle_by(|queue| queue.next_of(key, until), |queue| queue.failures(&key.scope, Some(key))).await
    }

    /// Delivers the changes of all keys of a scope.
    pub(super) async fn settle_all(self: &Arc<Self>, scope: &Arc<Scope>, until: u64) -> Result<(), Down> {
        self.settle_by(|queue| queue.next_of_all(scope, until), |queue| queue.failures(scope, None)).await
    }

    async fn settle_by(
        self: &Arc<Self>,
        next: impl Fn(&mut Queue) -> Next,
        failures: impl Fn(&Queue) -> u64,
    ) -> Result<(), Down> {
        let mut patience = None;
        loop {
            let moved = self.moved.notified();
            let (next, before) = {
                let mut state = self.state();
                (next(&mut state.queue), failures(&state.queue))
            };
            match next {
                Next::Nothing => return Ok(()),
                Next::Send(item) => self.send(item).await?,
                Next::Busy => {
                    // Those who are under way with it may have stopped to poll.
                    let patience = patience.get_or_insert_with(|| Box::pin(self.pause(self.tier.timeout())));
                    let has_moved = first(pin!(moved), patience).await.is_ok();
                    if !has_moved || failures(&self.state().queue) > before {
                        return Err(Down::TimedOut);
                    }
                }
            }
        }
    }

    /// Delivers an item. It is sent before this returns.
    fn send(self: &Arc<Self>, item: Item) -> BoxFuture<Result<(), Down>> {
        let over = match &item {
            Item::Key { key, .. } => Some(Over::now(&*self.tier, key)),
            Item::All(..) => None,
        };
        let mut sending =
            Sending { backlog: Arc::clone(self), item, over, is_refused: false, has_ended: false };
        match &sending.item {
            Item::All(scope, change, _, at) => {
                let reply = self.tier.bump(scope, *change, *at);
                Box::pin(async move {
                    reply.await?;
                    sending.end(Parts::default());
                    Ok(())
                })
            }
            Item::Key { key, parts, over } => {
                let (now, over) = (Moment::now(), *over);
                let Some(first) = parts.whole.as_ref().or(parts.stale.as_ref()) else {
                    unreachable!("something waits")
                };
                let change = parts.due(now).unwrap_or_else(|| first.change.clone());
                let reply = self.tier.deliver(key, change, first.late(over));
                Box::pin(async move {
                    let answer = reply.await;
                    sending.is_refused = answer.as_ref().is_err_and(Down::is_refusal);
                    let told = sending.backlog.rest(&sending.item, answer?, over).await?;
                    let Item::Key { key, .. } = &sending.item else { unreachable!("a key") };
                    let (news, holds) = told;
                    let (key, listeners) = (key.clone(), Arc::clone(&sending.backlog.listeners));
                    // Before those who wait for it read.
                    for (id, is_own) in news {
                        let news = News { args: Arc::clone(&key.args), id };
                        let (origin, scope) = (u64::from(!is_own), Arc::clone(&key.scope));
                        listeners.tell(&Message { origin, scope, content: Content::Changed(news) }, 0);
                    }
                    sending.end(holds);
                    Ok(())
                })
            }
        }
    }

    /// Goes on after the first part of a key was delivered. If a `set` or removal has yielded, an invalidation after it
    /// may still be later than what is there. Returns the numbers of which the caches are to be told, each with whether
    /// it is that of the change itself, and the parts that hold.
    async fn rest(
        &self,
        item: &Item,
        first: Delivered,
        over: Option<WriteId>,
    ) -> Result<(Vec<(WriteId, bool)>, Parts), Down> {
        let Item::Key { key, parts, .. } = item else { unreachable!("a key") };
        let known = |part: &Part, id| Part { known: Some(id), ..part.clone() };
        let there = match first {
            Delivered::Done(id) | Delivered::Unsure(id) => {
                let is_own = matches!(first, Delivered::Done(_));
                let part = |part: &Option<Part>| part.as_ref().map(|part| known(part, id));
                return Ok((
                    vec![(id, is_own)],
                    Parts { whole: part(&parts.whole), stale: part(&parts.stale) },
                ));
            }
            Delivered::Yielded(there) => there,
        };
        // It was told before, and was not lost.
        let own = |part: &Option<Part>, there| part.clone().filter(|part| part.known == Some(there));
        let whole = own(&parts.whole, there);
        let news = || if whole.is_some() { Vec::new() } else { vec![(there, false)] };
        let (Some(_), Some(stale)) = (&parts.whole, &parts.stale) else {
            let stale = own(&parts.stale, there);
            return Ok((if stale.is_some() { Vec::new() } else { news() }, Parts { whole, stale }));
        };
        let second = self.tier.deliver(key, stale.change.clone(), stale.late(over)).await?;
        Ok(match second {
            // What is there is stale from now on.
            Delivered::Done(id) | Delivered::Unsure(id) => {
                let mut news = news();
                news.push((id, whole.is_some() && matches!(second, Delivered::Done(_))));
                (news, Parts { whole, stale: Some(known(stale, id)) })
            }
            Delivered::Yielded(last) => {
                let stale = own(&parts.stale, last);
                // Its value goes with the invalidation, or with what came after it.
                let whole = whole.filter(|_| stale.is_some());
                (if stale.is_some() { Vec::new() } else { vec![(last, false)] }, Parts { whole, stale })
            }
        })
    }

    /// Completes when nothing waits any more.
    pub(super) async fn deliver_all(self: &Arc<Self>) {
        loop {
            let number = self.tier.contact();
            match self.round().await {
                Round::Over => return,
                Round::Down => self.tier.reconnected(number).await,
                Round::Failed => self.pause(PAUSES[0]).await,
            }
        }
    }

    /// Waits, whatever runtime the caller is on.
    fn pause(&self, span: Duration) -> Sleep {
        let runtime = self.tier.runtime();
        let _entered = runtime.enter();
        sleep(span)
    }

    /// Tries to deliver everything.
    async fn round(self: &Arc<Self>) -> Round {
        self.notice_connection();
        let mut cursor = Cursor::default();
        let mut has_moved = false;
        loop {
            let (items, is_through) = {
                let mut state = self.state();
                if state.queue.is_empty() {
                    return Round::Over;
                }
                if !self.tier.is_up() {
                    return Round::Down;
                }
                let before = cursor.clone();
                let items = state.queue.batch(&mut cursor, BATCH);
                (items, cursor == before)
            };
            if is_through {
                if !std::mem::take(&mut has_moved) {
                    // They are refused, or others deliver them.
                    return Round::Failed;
                }
                cursor = Cursor::default();
            }
            let sent = items.into_iter().map(|item| self.send(item)).collect();
            let mut is_silent = false;
            // Together: one that takes two round trips keeps no other back, for which somebody may wait.
            for answer in all(sent).await {
                match answer {
                    Ok(()) => has_moved = true,
                    Err(Down::Refused(_) | Down::Full(_)) => {}
                    Err(Down::Disconnected | Down::TimedOut) => is_silent = true,
                }
            }
            if is_silent {
                return if self.tier.is_up() { Round::Failed } else { Round::Down };
            }
        }
    }
}

/// Delivers what waits, as long as the tier is used.
async fn work(working: Working, more: Arc<Notify>) {
    let Working(backlog) = &working;
    let mut pause = PAUSES[0];
    loop {
        let waits = {
            let Some(backlog) = backlog.upgrade() else { return };
            let number = backlog.tier.contact();
            match backlog.round().await {
                // What is kept may have to be delivered again.
                Round::Over | Round::Down => {
                    pause = PAUSES[0];
                    backlog.tier.reconnected(number)
                }
                Round::Failed => {
                    let waits = sleep(pause);
                    pause = (pause * 2).min(PAUSES[1]);
                    Box::pin(waits)
                }
            }
        };
        if first(waits, Box::pin(more.notified())).await.is_err() {
            // Nobody is to be asked again at once who has just not answered.
            let is_up = backlog.upgrade().is_some_and(|backlog| backlog.tier.is_up());
            if is_up {
                sleep(PAUSES[0]).await;
            }
        }
    }
}

/// The task that delivers, until it ends with its runtime: then the next change starts another.
struct Working(Weak<Backlog>);

impl Drop for Working {
    fn drop(&mut self) {
        if let Some(backlog) = self.0.upgrade() {
            backlog.state().is_working = false;
        }
    }
}
