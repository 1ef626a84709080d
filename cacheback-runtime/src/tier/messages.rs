//! Messages: what a tier tells the processes of each other's changes.

use std::collections::HashMap;
use std::sync::Weak;

use super::{Bump, Scope, WriteId};
use crate::base::panics::catch;
use crate::base::sync::Arc;
use crate::base::sync::plain::{Mutex, lock};

/// A cache that is told of the changes of other processes.
pub(crate) trait Coherence: Send + Sync {
    /// A key was changed. `is_own`: by this process itself, which has made its changes of the key in the order of their
    /// numbers.
    fn changed(&self, news: &News, is_own: bool);
    /// All keys were changed.
    fn bumped(&self, change: Bump);
    /// Messages may have been lost: any value from before may be an old one.
    fn untrusted(&self);
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
pub(crate) struct Listeners(Mutex<HashMap<Arc<str>, Vec<Listener>>>);

type Listener = (Arc<Scope>, Weak<dyn Coherence>);

/// Tells a cache something. It may be dropped here: a panic of the user's code makes no other cache deaf.
fn tell(listener: Arc<dyn Coherence>, told: impl FnOnce(&dyn Coherence)) {
    drop(catch(move || told(&*listener)));
}

impl Listeners {
    /// Adds a cache. It is forgotten when it is dropped.
    pub(crate) fn add(&self, scope: &Arc<Scope>, listener: Weak<dyn Coherence>) {
        let mut listeners = lock(&self.0);
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
        let all: Vec<_> =
            lock(&self.0).values().flatten().filter_map(|(_, listener)| listener.upgrade()).collect();
        all.into_iter().for_each(|listener| tell(listener, |listener| listener.untrusted()));
    }

    fn named(&self, name: &str) -> Vec<(Arc<Scope>, Arc<dyn Coherence>)> {
        let listeners = lock(&self.0);
        let named = listeners.get(name).into_iter().flatten();
        named.filter_map(|(scope, listener)| Some((Arc::clone(scope), listener.upgrade()?))).collect()
    }
}
