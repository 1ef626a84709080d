//! moka, as far as `store/eviction` uses it: a set of entries up to a total weight, from which entries are evicted if
//! they weigh more, and a listener that is called under a lock.

use std::marker::PhantomData;

use shuttle::rand::{Rng, thread_rng};

use crate::base::sync::{Arc, Mutex, lock};

type Weigher<K> = fn(&K, &()) -> u32;
type Listener<K> = Box<dyn Fn(Arc<K>, (), RemovalCause) + Send + Sync>;

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
    shared: Arc<Shared<K>>,
    types: PhantomData<fn() -> (V, S)>,
}

struct Shared<K> {
    /// In the order of their last use.
    entries: Mutex<Vec<K>>,
    /// Held while entries are evicted.
    maintenance: Mutex<()>,
    capacity: u64,
    policy: EvictionPolicy,
    weigher: Weigher<K>,
    listener: Listener<K>,
}

pub(crate) struct Builder<K> {
    capacity: u64,
    policy: EvictionPolicy,
    weigher: Weigher<K>,
    listener: Listener<K>,
}

impl<K, V, S> Clone for Cache<K, V, S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), types: PhantomData }
    }
}

impl<K: Copy + PartialEq> Cache<K, (), crate::base::hash::BuildAsIs> {
    pub(crate) fn builder() -> Builder<K> {
        Builder {
            capacity: u64::MAX,
            policy: EvictionPolicy::Any,
            weigher: |_, ()| 1,
            listener: Box::new(|_, (), _| {}),
        }
    }

    pub(crate) fn insert(&self, key: K, (): ()) {
        let mut entries = lock(&self.shared.entries);
        entries.retain(|entry| *entry != key);
        entries.push(key);
    }

    pub(crate) fn get(&self, key: &K) -> Option<()> {
        let mut entries = lock(&self.shared.entries);
        let at = entries.iter().position(|entry| entry == key)?;
        entries[at..].rotate_left(1);
        Some(())
    }

    pub(crate) fn invalidate(&self, key: &K) {
        lock(&self.shared.entries).retain(|entry| entry != key);
    }

    pub(crate) fn run_pending_tasks(&self) {
        let _maintenance = lock(&self.shared.maintenance);
        while let Some(evicted) = self.evict() {
            (self.shared.listener)(Arc::new(evicted), (), RemovalCause::Size);
        }
    }

    pub(crate) fn entry_count(&self) -> u64 {
        lock(&self.shared.entries).len() as u64
    }

    fn evict(&self) -> Option<K> {
        let mut entries = lock(&self.shared.entries);
        let weight: u64 = entries.iter().map(|entry| u64::from((self.shared.weigher)(entry, &()))).sum();
        (weight > self.shared.capacity).then(|| {
            let at = match self.shared.policy {
                EvictionPolicy::Lru => 0,
                EvictionPolicy::Any => thread_rng().gen_range(0..entries.len()),
            };
            entries.remove(at)
        })
    }
}

impl<K> Builder<K> {
    pub(crate) fn max_capacity(self, capacity: u64) -> Self {
        Self { capacity, ..self }
    }
    pub(crate) fn weigher(self, weigher: Weigher<K>) -> Self {
        Self { weigher, ..self }
    }
    pub(crate) fn eviction_policy(self, policy: EvictionPolicy) -> Self {
        Self { policy, ..self }
    }
    pub(crate) fn eviction_listener(
        self,
        listener: impl Fn(Arc<K>, (), RemovalCause) + Send + Sync + 'static,
    ) -> Self {
        Self { listener: Box::new(listener), ..self }
    }
    pub(crate) fn build_with_hasher<S>(self, _: S) -> Cache<K, (), S> {
        let Self { capacity, policy, weigher, listener } = self;
        let (entries, maintenance) = (Mutex::default(), Mutex::default());
        let shared = Shared { entries, maintenance, capacity, policy, weigher, listener };
        Cache { shared: Arc::new(shared), types: PhantomData }
    }
}
