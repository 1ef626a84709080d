//! A SQLite file as the second tier of one machine.
//!
//! `settings` are the user's. `file` and `layout` are the file, and `trouble` is why it cannot be used. `rows` are the
//! state of a key in it, and `store` the operations on it, with `changes` of whole scopes and the messages. `room` bounds
//! it, and `clock` is its time. `jobs` are the queue as rows, `queue` the operations on it, and `takes` are workers that wait
//! for a job. `link` takes operations to the threads: `writer`, and `reader` with the ear. This file
//! turns the operations of a [`Tier`] into theirs.

use std::sync::Weak;
use std::time::{Duration, Instant};

use super::compress;
use super::late::{Delivered, Late, Lateness};
use super::messages::{Coherence, Listeners};
use super::queue::Queue;
use super::status::{Meter, TierStatus};
use super::{
    Acquired, Bump, Change, Down, Lease, LeaseFor, Packed, Payload, Read, Release, Reply, Request, Scope,
    Stored, Tier, Token, WireKey, WriteId,
};
use crate::base::clock::Moment;
use crate::base::process;
use crate::base::sync::Arc;
use crate::base::sync::plain::{OnceLock, lock};
use crate::base::tasks::{BoxFuture, Handle, own_runtime};

mod changes;
mod clock;
mod file;
mod jobs;
mod layout;
mod link;
mod mounts;
mod patience;
mod queue;
mod reader;
mod room;
mod rows;
mod settings;
mod store;
mod takes;
#[cfg(test)]
mod tests;
mod trouble;
mod values;
mod writer;
use link::{Concerns, Link, Place};
use room::Size;
pub use settings::{ByteCount, Sqlite};

impl Sqlite {
    pub(crate) fn open_tier(self) -> Arc<dyn Tier> {
        Arc::new(File { settings: Arc::new(self), listeners: Arc::default(), link: OnceLock::new() })
    }
}

/// The tier. Its threads are started when it is first used.
struct File {
    settings: Arc<Sqlite>,
    /// The caches that are told of messages.
    listeners: Arc<Listeners>,
    /// With the process that has started it.
    link: OnceLock<(u32, Arc<Link>)>,
}

impl File {
    /// The link of this process. A child of the process that has started it has none.
    fn link(&self) -> Option<&Arc<Link>> {
        let own = process::id();
        let (process, link) =
            self.link.get_or_init(|| (own, Arc::new(start(&self.settings, &self.listeners))));
        (*process == own).then_some(link)
    }

    /// Sends a change.
    fn change<T: Send + 'static>(
        &self,
        concerns: Concerns,
        size: Size,
        step: impl FnOnce(&store::Store, Place) -> rusqlite::Result<Result<T, Down>> + Send + 'static,
    ) -> Reply<T> {
        match self.link() {
            Some(link) => link.change(concerns, size, step),
            None => Box::pin(std::future::ready(Err(Down::Disconnected))),
        }
    }

    fn forget(&self, token: Token) {
        if let Some(link) = self.link() {
            lock(&link.shared.leases).remove(&token);
        }
    }
}

/// Starts the threads.
fn start(settings: &Arc<Sqlite>, listeners: &Arc<Listeners>) -> Link {
    let (link, ends) = Link::new(Arc::clone(settings), Arc::clone(listeners));
    let link::Ends { orders, questions } = ends;
    let shared = &link.shared;
    let (writes, reads, watches, listens) =
        (Arc::clone(shared), Arc::clone(shared), Arc::clone(shared), Arc::downgrade(shared));
    let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
        let thread = std::thread::Builder::new().name(format!("cacheback-{name}"));
        drop(thread.spawn(run).expect("cacheback: the system gives no thread for the second tier"));
    };
    spawn("writer", Box::new(move || writer::write(&writes, &orders)));
    spawn("reader", Box::new(move || reader::read(&reads, &questions)));
    spawn("watch", Box::new(move || watches.keep_watch()));
    spawn("ear", Box::new(move || reader::listen(&listens)));
    link
}

impl Tier for File {
    fn is_up(&self) -> bool {
        self.link().is_some_and(|link| link.shared.is_up())
    }

    fn contact(&self) -> u64 {
        self.link().map_or(0, |link| link.shared.life.contact())
    }

    fn contact_of(&self, _: &WireKey) -> Option<u64> {
        self.link()?.shared.connection()
    }

    fn lost(&self, contact: u64) -> Option<Duration> {
        self.link().map_or(Some(Duration::ZERO), |link| link.shared.life.lost_for(contact))
    }

    fn reconnected(&self, since: u64) -> BoxFuture<()> {
        match self.link() {
            Some(link) => link.shared.life.reconnected(since),
            None => Box::pin(std::future::pending()),
        }
    }

    fn runtime(&self) -> Handle {
        own_runtime().clone()
    }

    fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    fn status(&self) -> TierStatus {
        let status = match self.link() {
            Some(link) => link.shared.status(),
            None => Meter::default().status(false, Duration::ZERO, Vec::new(), Moment::PAST),
        };
        TierStatus { losses: self.listeners.losses(), ..status }
    }

    fn max_age(&self) -> Duration {
        self.settings.max_age
    }

    fn max_value_bytes(&self) -> usize {
        self.settings.longest()
    }

    fn pack(&self, bytes: Vec<u8>) -> Result<Packed, String> {
        compress::pack(self.settings.codec.as_deref(), bytes).map_err(|error| error.to_string())
    }

    fn read(&self, key: &WireKey, have: Option<WriteId>) -> Reply<Read> {
        let Some(link) = self.link() else { return Box::pin(std::future::ready(Err(Down::Disconnected))) };
        let (asked, key, settings) = (key.clone(), key.clone(), Arc::clone(&self.settings));
        let looked = link.look(key.hash, move |db, now| store::read(db, now, &asked, have));
        Box::pin(async move { Ok(values::read(looked.await?, &settings, &key)) })
    }

    fn acquire(&self, key: &WireKey, request: Request) -> Reply<Acquired> {
        let (asked, key, settings) = (key.clone(), key.clone(), Arc::clone(&self.settings));
        let shared = self.link().map(|link| Arc::clone(&link.shared));
        let acquired = self.change(Concerns::Key(key.hash), Size::SMALL, move |store, place| {
            store.acquire(place.now, &asked, request).map(Ok)
        });
        Box::pin(async move {
            let acquired = acquired.await?;
            let extends = request.purpose != LeaseFor::Queue;
            if let (Acquired::Ours(lease), Some(shared), true) = (&acquired, shared, extends) {
                lock(&shared.leases).insert(lease.token, key.hash);
            }
            Ok(values::acquired(acquired, &settings, &key))
        })
    }

    fn store(&self, key: &WireKey, lease: &Lease, value: Payload) -> Reply<Stored> {
        self.forget(lease.token);
        let (key, lease) = (key.clone(), *lease);
        let size = Size { bytes: value.packed.bytes.len() as u64, ..Size::SMALL };
        let since = Since::of(value.at);
        self.change(Concerns::Key(key.hash), size, move |store, place| {
            if !place.is_there {
                return Ok(Err(no_place()));
            }
            store.store(place.now, &key, &lease, value.aged(since.now())).map(Ok)
        })
    }

    fn release(&self, key: &WireKey, token: Token, ending: Release) {
        self.forget(token);
        let key = key.clone();
        // Sent now, and not waited for.
        drop(self.change(Concerns::Key(key.hash), Size::SMALL, move |store, place| {
            store.release(place.now, &key, token, ending).map(Ok)
        }));
    }

    fn write(&self, key: &WireKey, change: Change) -> Reply<WriteId> {
        let (key, size, since) = (key.clone(), size(&change), change.at().map(Since::of));
        self.change(Concerns::Key(key.hash), size, move |store, place| match change {
            // What is there is not to be taken for the present value.
            Change::Set(value) if !place.is_there => {
                store.write(place.now, &key, removal(&value))?;
                Ok(Err(no_place()))
            }
            change => {
                let waited = since.map_or(Duration::ZERO, Since::now);
                store.write(place.now, &key, change.aged(waited)).map(Ok)
            }
        })
    }

    fn deliver(&self, key: &WireKey, change: Change, late: Late) -> Reply<Delivered> {
        let (key, size, doubt) = (key.clone(), size(&change), self.settings.timeout);
        let (change, since) = (change.aged_until(late.at), Since::of(late.at));
        self.change(Concerns::Key(key.hash), size, move |store, place| {
            let change = match change {
                Change::Set(value) if !place.is_there => removal(&value),
                change => change,
            };
            let late = Lateness { age: since.now(), known: late.known, over: late.over };
            store.deliver(place.now, &key, change.aged(late.age), late, doubt).map(Ok)
        })
    }

    fn listen(&self, scope: &Arc<Scope>, listener: Weak<dyn Coherence>) {
        self.listeners.add(scope, listener);
        // The ear begins.
        let _ = self.link();
    }

    fn bump(&self, scope: &Arc<Scope>, change: Bump, at: Moment) -> Reply<()> {
        let (scope, since) = (Arc::clone(scope), Since::of(at));
        let size = Size { is_lasting: change == Bump::Gone, ..Size::SMALL };
        self.change(Concerns::All, size, move |store, place| {
            store.bump(place.now, &scope, change, since.now()).map(Ok)
        })
    }

    fn queue(&self) -> Option<&dyn Queue> {
        Some(self)
    }
}

/// How long ago something was, also for a thread that does not know the clock of the caller.
#[derive(Clone, Copy)]
struct Since {
    read: Instant,
    before: Duration,
}

impl Since {
    fn of(moment: Moment) -> Self {
        // In this order: time that passes between the two readings makes it older, never younger.
        let read = Instant::now();
        Self { read, before: Duration::from_nanos(Moment::now().since(moment)) }
    }

    fn now(self) -> Duration {
        self.before + self.read.elapsed()
    }
}

/// What a change costs. A removal is to survive a loss of power.
fn size(change: &Change) -> Size {
    match change {
        Change::Set(value) => Size { bytes: value.packed.bytes.len() as u64, ..Size::SMALL },
        Change::Invalidate { .. } => Size::SMALL,
        Change::Remove { .. } => Size { is_lasting: true, ..Size::SMALL },
    }
}

/// In place of a value for which there is no place.
fn removal(value: &Payload) -> Change {
    Change::Remove { tombstone: value.ages.lifetime.max(Duration::from_secs(600)) }
}

fn no_place() -> Down {
    Down::Full(room::NO_PLACE.to_owned())
}
