//! moka, as far as `store/eviction` uses it: a set of entries up to a total weight, from which entries are evicted if
//! they weigh more, and a listener that is called under a lock.

use std::borrow::Borrow;
use std::marker::PhantomData;

use shuttle::rand::{Rng, thread_rng};

use crate::base::sync::{Arc, Mutex, MutexGuard, lock};

type Weigher<K, V> = fn(&K, &V) -> u32;
type Listener<K, V> = Box<dyn Fn(Arc<K>, V, RemovalCause) + Send + Sync>;

/// Why an entry was evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RemovalCause {
    Size,
}

/// Which entry is evicted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum EvictionPolicy {
    /// The one that was inserted or read the longest time ago.
    Lru,
    /// A random one. The real choice depends on more accesses than a scenario has.
    Any,
}

impl EvictionPolicy {
    pub(crate) fn lru() -> Self {
        Self::Lru
    }
    pub(crate) fn tiny_lfu() -> Self {
        Self::Any
    }
}

pub(crate) struct Cache<K, V, S> {
    shared: Arc<Shared<K, V>>,
    hasher: PhantomData<fn() -> S>,
}

struct Shared<K, V> {
    /// In the order of their last use.
    entries: Mutex<Vec<(K, V)>>,
    /// Held while entries are evicted.
    maintenance: Mutex<()>,
    /// The key of which the listener is being told. moka holds a lock of the key from before the eviction until then.
    evicted: Mutex<Option<K>>,
    capacity: u64,
    policy: EvictionPolicy,
    weigher: Weigher<K, V>,
    listener: Listener<K, V>,
}

pub(crate) struct Builder<K, V> {
    capacity: u64,
    policy: EvictionPolicy,
    weigher: Weigher<K, V>,
    listener: Listener<K, V>,
}

impl<K, V, S> Clone for Cache<K, V, S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), hasher: PhantomData }
    }
}

impl<K: Copy + PartialEq, V: Copy> Cache<K, V, crate::base::hash::BuildAsIs> {
    pub(crate) fn builder() -> Builder<K, V> {
        Builder {
            capacity: u64::MAX,
            policy: EvictionPolicy::Any,
            weigher: |_, _| 1,
            listener: Box::new(|_, _, _| {}),
        }
    }

    pub(crate) fn insert(&self, key: K, value: V) {
        let mut entries = self.entries_unless_evicted(&key);
        entries.retain(|(entry, _)| *entry != key);
        entries.push((key, value));
    }

    pub(crate) fn get<Q: PartialEq>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let mut entries = lock(&self.shared.entries);
        let at = entries.iter().position(|(entry, _)| entry.borrow() == key)?;
        entries[at..].rotate_left(1);
        entries.last().map(|(_, value)| *value)
    }

    pub(crate) fn contains_key<Q: PartialEq>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        lock(&self.shared.entries).iter().any(|(entry, _)| entry.borrow() == key)
    }

    pub(crate) fn invalidate<Q: PartialEq>(&self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.entries_unless_evicted(key).retain(|(entry, _)| entry.borrow() != key);
    }

    pub(crate) fn run_pending_tasks(&self) {
        let _maintenance = lock(&self.shared.maintenance);
        while let Some((evicted, value)) = self.evict() {
            (self.shared.listener)(Arc::new(evicted), value, RemovalCause::Size);
            *lock(&self.shared.evicted) = None;
        }
    }

    /// The entries, once no listener is being told of this key.
    fn entries_unless_evicted<Q: PartialEq>(&self, key: &Q) -> MutexGuard<'_, Vec<(K, V)>>
    where
        K: Borrow<Q>,
    {
        loop {
            let entries = lock(&self.shared.entries);
            if !lock(&self.shared.evicted).is_some_and(|evicted| evicted.borrow() == key) {
                return entries;
            }
            drop(entries);
            drop(lock(&self.shared.maintenance));
        }
    }

    pub(crate) fn entry_count(&self) -> u64 {
        lock(&self.shared.entries).len() as u64
    }

    fn evict(&self) -> Option<(K, V)> {
        let mut entries = lock(&self.shared.entries);
        let weigh = |(key, value): &(K, V)| u64::from((self.shared.weigher)(key, value));
        let weight: u64 = entries.iter().map(weigh).sum();
        (weight > self.shared.capacity).then(|| {
            let at = match self.shared.policy {
                EvictionPolicy::Lru => 0,
                EvictionPolicy::Any => thread_rng().gen_range(0..entries.len()),
            };
            let evicted = entries.remove(at);
            *lock(&self.shared.evicted) = Some(evicted.0);
            evicted
        })
    }
}

impl<K, V> Builder<K, V> {
    pub(crate) fn max_capacity(self, capacity: u64) -> Self {
        Self { capacity, ..self }
    }
    pub(crate) fn weigher(self, weigher: Weigher<K, V>) -> Self {
        Self { weigher, ..self }
    }
    pub(crate) fn eviction_policy(self, policy: EvictionPolicy) -> Self {
        Self { policy, ..self }
    }
    pub(crate) fn eviction_listener(
        self,
        listener: impl Fn(Arc<K>, V, RemovalCause) + Send + Sync + 'static,
    ) -> Self {
        Self { listener: Box::new(listener), ..self }
    }
    pub(crate) fn build_with_hasher<S>(self, _: S) -> Cache<K, V, S> {
        let Self { capacity, policy, weigher, listener } = self;
        let (entries, maintenance, evicted) = (Mutex::default(), Mutex::default(), Mutex::new(None));
        let shared = Shared { entries, maintenance, evicted, capacity, policy, weigher, listener };
        Cache { shared: Arc::new(shared), hasher: PhantomData }
    }
}
