//! Coherence: what this process does when another one has changed something.
//!
//! A message *marks* the value that is stored here, and fetches nothing: the value is *doubted*. If messages may have been
//! lost, all values are *suspect*. The next reader of either looks into the tier, and then the value is trusted again, or
//! replaced, or gone. If the tier cannot be asked, a doubted value is stale, as it is known to have been changed, and if the
//! tier has lost the key it is gone. A suspect one is as fresh as it was: most are not changed. Hits do not find what is
//! doubted or suspect, and cost nothing more for that.

use std::sync::Weak;
use std::time::Duration;

use super::super::fetch::Job;
use super::super::target::Lone;
use super::super::{Cacheable, Engine, FlightOf, FlightResult, NodeOf, Target};
use super::{Shared, Tier};
use crate::base::clock::{Moment, nanos};
use crate::base::panics::catch;
use crate::base::sync::plain::AtomicBool;
use crate::base::sync::{Arc, AtomicU64, Mutex, Notify, Ordering, lock};
use crate::events;
use crate::executor::context::Here;
use crate::flight::Waiter;
use crate::rules::freshness::State;
use crate::tier::messages::{Coherence, News, Sample};
use crate::tier::wire_key::wire_key;
use crate::tier::{Bump, WriteId};

/// So many looks at suspect values may be under way at once. Further callers get the value as a stale one.
const LOOKS: u64 = 64;
/// After a look without an answer there are none for so long.
const REST: Duration = Duration::from_secs(1);
/// Of a cache with more values than this, so many are looked at to tell how many are suspect.
const COUNTED: usize = 1_024;
/// Those who wait for messages do so in as many groups of keys.
const GROUPS: usize = 64;

/// What this process was told of.
pub(super) struct Told {
    /// Wake those who wait for the fetches of other processes, for the keys of one group each.
    arrived: Box<[Notify]>,
    /// How often everything became suspect.
    epoch: AtomicU64,
    /// How many looks at suspect values are under way.
    looks: Arc<AtomicU64>,
    /// A look has got no answer: until this moment nobody else looks.
    rests_until: AtomicU64,
    /// There may be values that are suspect or doubted.
    has_suspects: AtomicBool,
    /// The tier whose messages are listened to.
    tier: Mutex<Option<Weak<dyn Tier>>>,
}

/// How often everything had become suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct MessageEpoch(u64);

/// A look at a suspect value.
pub(in crate::engine) struct Look(Arc<AtomicU64>);

impl Drop for Look {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Default for Told {
    fn default() -> Self {
        Self {
            arrived: std::iter::repeat_with(Notify::default).take(GROUPS).collect(),
            epoch: AtomicU64::new(0),
            looks: Arc::new(AtomicU64::new(0)),
            rests_until: AtomicU64::new(Moment::PAST.to_bits()),
            has_suspects: AtomicBool::new(false),
            tier: Mutex::default(),
        }
    }
}

impl Told {
    fn arrived(&self, hash: u64) -> &Notify {
        // Not the bits that the index uses.
        &self.arrived[(hash >> 32) as usize % GROUPS]
    }

    fn epoch(&self) -> MessageEpoch {
        MessageEpoch(self.epoch.load(Ordering::SeqCst))
    }

    /// Completes with the next message, from now on, that may concern a key of this hash.
    pub(super) fn news(&self, hash: u64) -> impl Future<Output = ()> + Send + '_ {
        self.arrived(hash).notified()
    }

    /// Begins a look at a suspect value. `None`: too many are under way, or the last has got no answer.
    fn look(&self) -> Option<Look> {
        if Moment::now().to_bits() < self.rests_until.load(Ordering::Acquire) {
            return None;
        }
        let look = Look(Arc::clone(&self.looks));
        (self.looks.fetch_add(1, Ordering::AcqRel) < LOOKS).then_some(look)
    }

    /// A look at a suspect value has got no answer: further callers do not wait for one.
    pub(super) fn rest(&self) {
        self.rests_until.store(Moment::now().plus(nanos(REST)).to_bits(), Ordering::Release);
    }
}

impl<C: Cacheable> Shared<C> {
    /// Listens to the messages of this tier.
    pub(super) fn listen(&self, tier: &Arc<dyn Tier>) {
        let mut listening = lock(&self.told.tier);
        let is_same =
            listening.as_ref().is_some_and(|own| std::ptr::addr_eq(own.as_ptr(), Arc::as_ptr(tier)));
        if let (false, Some(engine)) = (is_same, self.engine.get()) {
            *listening = Some(Arc::downgrade(tier));
            tier.listen(&self.scope, Weak::clone(engine));
        }
    }
}

impl<C: Cacheable> Engine<C> {
    /// Whether another process has changed this value.
    pub(in crate::engine) fn is_doubted(node: &NodeOf<C>) -> bool {
        node.is_doubted()
    }

    /// Whether this value is doubted, or became suspect by itself.
    pub(in crate::engine) fn has_mark(node: &NodeOf<C>) -> bool {
        node.is_marked()
    }

    /// Whether another process has changed this value, or may have, and the tier could tell.
    pub(in crate::engine) fn is_suspect(&self, node: &NodeOf<C>) -> bool {
        node.is_doubted() || self.is_marked(node) && self.can_consult(&Here::find(self.name()))
    }

    /// Whether a value is doubted, or suspect.
    pub(in crate::engine) fn is_marked(&self, node: &NodeOf<C>) -> bool {
        node.is_marked() || !self.store.trusts(node)
    }

    /// Begins a look at a suspect value. `None`: there are too many, or nobody answers.
    pub(in crate::engine) fn begin_look(&self) -> Option<Look> {
        let look = self.shared.as_ref()?.told.look();
        if look.is_none() {
            events::count(&self.counters.looks_refused);
        }
        look
    }

    /// Whether the key was changed since the flight has read it. Under the key's lock.
    pub(in crate::engine) fn was_changed(&self, flight: &FlightOf<C>) -> bool {
        flight.unseen_by(None).is_some()
    }

    /// Doubts a node that is about to be put in, if its value was changed since it was read. Under the key's lock.
    pub(in crate::engine) fn doubt_if_changed(&self, node: &NodeOf<C>, flight: &FlightOf<C>) {
        let (Some(shared), Some(change)) = (&self.shared, flight.unseen_by(node.write_id())) else { return };
        node.doubt(change, &self.store.windows);
        shared.told.has_suspects.store(true, Ordering::SeqCst);
    }

    /// Marks a node that has just come in as a suspect one, if messages may have been lost since its value was read.
    /// Before it comes in that cannot be known: nobody takes the key's lock to say so.
    pub(in crate::engine) fn suspect_if_untold(
        &self,
        target: &Target<C::OwnedKey>,
        node: u64,
        epoch: Option<MessageEpoch>,
    ) {
        let (Some(shared), Some(epoch)) = (&self.shared, epoch) else { return };
        if shared.told.epoch() != epoch {
            self.store.with_node(target.hash, node, |node| node.suspect(&self.store.windows));
        }
    }

    /// Whether a caller who has joined a flight is to decide again, as its result may be older than a change that was
    /// told of before.
    pub(in crate::engine) fn has_missed(
        &self,
        waiter: &Waiter<FlightResult<C>>,
        result: &FlightResult<C>,
    ) -> bool {
        waiter.has_missed(result.number())
    }

    /// The answer to a write has come: the node has this number, and is not to be doubted for the message of it.
    pub(super) fn number(&self, target: &Target<C::OwnedKey>, node: u64, id: u64) {
        let windows = &self.store.windows;
        // Nodes are dropped after the lock.
        let _pins = self.store.pins();
        // Under the key's lock, as messages are.
        self.with_claims(target, |_, _| {
            self.store.with_node(target.hash, node, |node| {
                node.set_write_id(id, windows);
                node.trust(id, windows);
            });
            Ok(())
        });
    }
}

impl<C: Cacheable> Job<C> {
    /// It is about to read what is in the tier: all that this process was told of, it sees.
    pub(super) fn reads_now(&mut self, shared: &Shared<C>) {
        self.epoch = Some(shared.told.epoch());
        self.flight.reads_now();
    }
}

impl<C: Cacheable> Coherence for Engine<C> {
    fn changed(&self, news: &News, is_own: bool) {
        let Some(shared) = &self.shared else { return };
        let Ok(Ok(key)) = catch(|| (shared.options.key.decode)(&news.args)) else {
            // Of another version of the key's type, which no entry here has.
            return;
        };
        let target = self.target_of(key);
        shared.told.has_suspects.store(true, Ordering::SeqCst);
        let pins = self.store.pins();
        self.with_claims(&target, |claims, known| {
            let node = self.store.resident(target.hash, known, &pins)?;
            claims.note(news.id.0);
            let is_known = |node: &NodeOf<C>| {
                let (known, told) = (node.write_id(), Some(news.id.0));
                if is_own && known.is_none() {
                    // The answer to its write is still to come, or was lost.
                    node.set_write_id(news.id.0, &self.store.windows);
                    return true;
                }
                // A server that has lost a key, and whose clock was set back, gives lower numbers to later changes.
                known == told || is_own && known > told
            };
            if let Some(node) = node.filter(|node| !is_known(node)) {
                node.forget_error();
                node.doubt(news.id.0, &self.store.windows);
            }
            Ok(())
        });
        shared.told.arrived(target.hash).notify_waiters();
    }

    fn bumped(&self, change: Bump) {
        match change {
            Bump::Stale => self.invalidate_all(),
            Bump::Gone => self.clear(),
        }
    }

    fn untrusted(&self) {
        let Some(shared) = &self.shared else { return };
        shared.told.has_suspects.store(true, Ordering::SeqCst);
        // The epoch first: what is put in from here on is looked at again.
        shared.told.epoch.fetch_add(1, Ordering::SeqCst);
        self.store.suspect_all();
    }

    fn suspects(&self) -> u64 {
        let Some(shared) = &self.shared else { return 0 };
        // Before they are counted: what becomes suspect meanwhile is counted the next time.
        if !shared.told.has_suspects.swap(false, Ordering::SeqCst) {
            return 0;
        }
        let (now, pins) = (Moment::now(), self.store.pins());
        let marked = |node: &NodeOf<C>| node.has_value(now, &self.store.windows) && self.is_marked(node);
        let mut nodes = self.store.found(&pins);
        let seen = nodes.by_ref().take(COUNTED).filter(|node| marked(node)).count() as u64;
        let is_all = nodes.next().is_none();
        shared.told.has_suspects.fetch_or(seen > 0 || !is_all, Ordering::SeqCst);
        // They lie there by their hashes, which are a fair sample.
        if is_all { seen } else { seen * self.store.nodes_about() / COUNTED as u64 }
    }

    fn samples(&self, most: usize) -> Vec<Sample> {
        let Some(shared) = &self.shared else { return Vec::new() };
        let (now, pins) = (Moment::now(), self.store.pins());
        // Each of them with the same chance, in one pass (Knuth, The Art of Computer Programming 2, 3.4.2 R).
        let mut drawn: Vec<&NodeOf<C>> = Vec::new();
        let served = self.store.found(&pins).filter(|node| self.is_served(node, now));
        for (seen, node) in served.filter(|node| node.write_id().is_some()).enumerate() {
            match fastrand::usize(..=seen) {
                _ if drawn.len() < most => drawn.push(node),
                at if at < most => drawn[at] = node,
                _ => {}
            }
        }
        let sample = |node: &NodeOf<C>| {
            let key = wire_key(&shared.scope, &shared.options.key, node.key(), C::is_same_key).ok()?;
            Some(Sample { key, id: WriteId(node.write_id()?) })
        };
        drawn.into_iter().filter_map(|node| catch(|| sample(node)).ok().flatten()).collect()
    }

    fn doubt(&self, sample: &Sample) -> bool {
        let Some(shared) = &self.shared else { return false };
        let Ok(Ok(key)) = catch(|| (shared.options.key.decode)(&sample.key.args)) else { return false };
        let (hash, pin) = (self.hash_owned(&key), self.store.pin());
        let node = self.store.find(hash, |own| C::is_same_key(own, &key), &pin);
        let is_it = |node: &&NodeOf<C>| node.write_id() == Some(sample.id.0);
        let Some(node) = node.filter(is_it).filter(|node| self.is_served(node, Moment::now())) else {
            return false;
        };
        node.doubt(0, &self.store.windows);
        shared.told.has_suspects.store(true, Ordering::SeqCst);
        true
    }
}

impl<C: Cacheable> Engine<C> {
    /// Whether a hit would serve this node.
    fn is_served(&self, node: &NodeOf<C>, now: Moment) -> bool {
        let windows = &self.store.windows;
        let is_fresh = || node.times(windows).state(now) == State::Fresh;
        node.has_value(now, windows) && is_fresh() && !self.is_marked(node)
    }
}

impl<C: Cacheable> Engine<C> {
    /// A key by itself. Runs the user's `Hash` and `Eq`.
    fn target_of(&self, key: C::OwnedKey) -> Target<C::OwnedKey> {
        let hash = self.hash_owned(&key);
        let node = self.node_of(hash, |own| C::is_same_key(own, &key));
        Target::new(hash, Arc::new(Lone(key)), node)
    }
}
