//! Messages: what a tier tells the processes of each other's changes.

use std::collections::HashMap;
use std::sync::Weak;

use super::{Bump, Scope, WireKey, WriteId};
use crate::base::panics::catch;
use crate::base::sync::Arc;
use crate::base::sync::plain::{AtomicU64, Mutex, Ordering, lock};
use crate::events;

/// A cache that is told of the changes of other processes.
pub(crate) trait Coherence: Send + Sync {
    /// A key was changed. `is_own`: by this process itself, which has made its changes of the key in the order of their
    /// numbers.
    fn changed(&self, news: &News, is_own: bool);
    /// All keys were changed.
    fn bumped(&self, change: Bump);
    /// Messages may have been lost: any value from before may be an old one.
    fn untrusted(&self);
    /// How many of its values have to be looked at before a hit serves them again: of many about so many.
    fn suspects(&self) -> u64;
    /// Some of the values that a hit would serve, drawn at random. Runs user code.
    fn samples(&self, most: usize) -> Vec<Sample>;
    /// Doubts this very value, if a hit would still serve it, and returns whether that is so. Runs user code.
    fn doubt(&self, sample: &Sample) -> bool;
}

/// A value that a hit would serve, by its number in the tier.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) key: WireKey,
    pub(crate) id: WriteId,
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    /// The encoded key.
    pub(crate) args: Arc<[u8]>,
    pub(crate) id: WriteId,
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The process that has made the change.
    pub(crate) origin: u64,
    pub(crate) scope: Arc<Scope>,
    pub(crate) content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Changed(News),
    Bumped(Bump),
}

/// The caches of one process that are told of messages.
#[derive(Default)]
pub(crate) struct Listeners {
    caches: Mutex<HashMap<Arc<str>, Vec<Listener>>>,
    /// How often messages may have been lost.
    losses: AtomicU64,
}

type Listener = (Arc<Scope>, Weak<dyn Coherence>);

/// Tells a cache something. It may be dropped here: a panic of the user's code makes no other cache deaf.
fn tell(listener: Arc<dyn Coherence>, told: impl FnOnce(&dyn Coherence)) {
    drop(catch(move || told(&*listener)));
}

impl Listeners {
    /// Adds a cache. It is forgotten when it is dropped.
    pub(crate) fn add(&self, scope: &Arc<Scope>, listener: Weak<dyn Coherence>) {
        let mut listeners = lock(&self.caches);
        let named = listeners.entry(Arc::clone(&scope.name)).or_default();
        named.retain(|(_, listener)| listener.strong_count() > 0);
        named.push((Arc::clone(scope), listener));
    }

    /// Tells the caches that a message concerns. `own`: the number of this process, which has made its own changes of
    /// all keys already. Runs user code.
    pub(crate) fn tell(&self, message: &Message, own: u64) {
        let Message { origin, scope, content } = message;
        for (listening, listener) in self.named(&scope.name) {
            match content {
                Content::Changed(news) if listening == *scope => {
                    tell(listener, |listener| listener.changed(news, *origin == own));
                }
                Content::Bumped(change) if *origin != own => {
                    tell(listener, |listener| listener.bumped(*change));
                }
                Content::Changed(_) | Content::Bumped(_) => tell(listener, |_| {}),
            }
        }
    }

    /// Tells all caches that messages may have been lost.
    pub(crate) fn untrusted(&self) {
        self.losses.fetch_add(1, Ordering::Relaxed);
        events::messages_lost();
        self.all().into_iter().for_each(|listener| tell(listener, |listener| listener.untrusted()));
    }

    /// How often messages may have been lost.
    pub(crate) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Relaxed)
    }

    /// All caches.
    pub(crate) fn all(&self) -> Vec<Arc<dyn Coherence>> {
        lock(&self.caches).values().flatten().filter_map(|(_, listener)| listener.upgrade()).collect()
    }

    fn named(&self, name: &str) -> Vec<(Arc<Scope>, Arc<dyn Coherence>)> {
        let listeners = lock(&self.caches);
        let named = listeners.get(name).into_iter().flatten();
        named.filter_map(|(scope, listener)| Some((Arc::clone(scope), listener.upgrade()?))).collect()
    }
}
