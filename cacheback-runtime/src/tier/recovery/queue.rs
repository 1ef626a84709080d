//! The changes that the tier could not be told of, and those that it may lose.
//!
//! There is one entry a key, and one for all keys of a function or cache. A change waits there until the tier was told of
//! it. One that was told is *kept* until its connection has lasted for a while after it: if that is lost, so may be the
//! server, and another that takes over has not got the change.
//!
//! Nothing here reads a clock, takes a lock or waits.

use std::collections::{BTreeMap, HashMap, VecDeque};

use smallvec::SmallVec;

use super::parts::{Part, Parts};
use crate::base::clock::Moment;
use crate::base::sync::Arc;
use crate::tier::{Bump, Change, Scope, WireKey, WriteId};

mod kept;
pub(super) use kept::Told;

/// How much is queued, and how much is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) keys: usize,
    /// Of all values. Past it a value waits as the removal of the older one.
    pub(super) bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { keys: 10_000, bytes: 32 << 20 }
    }
}

/// What a key is found by.
pub(super) type Name = (Arc<Scope>, [u8; 16]);

pub(super) fn name(key: &WireKey) -> Name {
    (Arc::clone(&key.scope), key.hash)
}

#[derive(Default)]
pub(super) struct Queue {
    bounds: Bounds,
    slots: HashMap<Name, Slot>,
    /// The keys that wait, by their places.
    order: BTreeMap<Place, Name>,
    /// What waits for all keys of a name, by its turn.
    all: BTreeMap<u64, All>,
    /// The last changes of all keys of a name, whether or not they were told.
    made: HashMap<Arc<str>, Made>,
    /// The changes of all keys of a name that were sent as they were made, and are not answered, by their turns.
    flying: BTreeMap<u64, Arc<str>>,
    /// How many changes of single keys there are of that kind.
    flying_keys: usize,
    /// When changes were told that are kept, in this order.
    kept: VecDeque<(Moment, Name)>,
    /// Those whose connection was lost before its time, and is not back.
    held: VecDeque<(Moment, Name)>,
    /// The bytes of all values.
    bytes: usize,
    turns: u64,
    pub(super) counts: Counts,
    /// A name for which too many changes wait, unless it was told of already.
    crowded: Crowded,
}

/// What became of the changes that had to wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) recovered: u64,
    pub(super) yielded: u64,
    pub(super) overflowed: u64,
}

#[derive(Default)]
enum Crowded {
    #[default]
    No,
    Now(Arc<str>),
    Told,
}

/// The turn of a key's first change that waits. An invalidation of all keys gives some the same.
type Place = (u64, [u8; 16]);

/// One key.
struct Slot {
    key: WireKey,
    /// The turns of the changes that were sent as they were made, and are not answered.
    flying: SmallVec<[u64; 1]>,
    /// What waits is being delivered.
    is_sending: bool,
    /// How often that has failed.
    failures: u64,
    owed: Parts,
    kept: Parts,
    /// When the last of them was told.
    kept_at: Moment,
    /// The connection that all of them were told on.
    kept_on: u64,
    place: Option<Place>,
}

/// A change of all keys of a name that waits.
struct All {
    scope: Arc<Scope>,
    change: Bump,
    at: Moment,
    is_sending: bool,
    failures: u64,
}

#[derive(Clone, Copy, Default)]
struct Made {
    gone: Option<u64>,
    stale: Option<(u64, Moment)>,
}

/// The way that a change takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// It is sent now.
    Direct { turn: u64 },
    /// It waits for earlier ones, with all changes up to a turn that have to be told by then.
    Queued { turn: u64, until: u64 },
}

/// Something that is to be delivered. From now on it is being sent, until the queue is told how that ended.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there are few at a time, and most are keys")]
pub(super) enum Item {
    /// `over`: what is there with this number, or a lower one, is from before these changes, or from one of them.
    Key { key: WireKey, parts: Parts, over: Option<WriteId> },
    /// With its turn, and the moment when it was made.
    All(Arc<Scope>, Bump, u64, Moment),
}

/// How far a round has come, in turns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    all: u64,
    keys: u64,
}

/// The next step for one who wants a key's changes to be delivered.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "it is passed on at once")]
pub(super) enum Next {
    /// Nothing waits.
    Nothing,
    /// Another one sends it.
    Busy,
    Send(Item),
}

impl Slot {
    /// Begins to deliver what waits.
    fn begin(&mut self) -> Item {
        self.is_sending = true;
        let over = self.kept.whole.iter().chain(&self.kept.stale).filter_map(|part| part.known).max();
        Item::Key { key: self.key.clone(), parts: self.owed.clone(), over }
    }
}

impl Queue {
    #[cfg(test)]
    pub(super) fn with(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// The turn of the last change.
    pub(super) fn last_turn(&self) -> u64 {
        self.turns
    }

    fn turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    /// How many changes wait.
    pub(super) fn len(&self) -> usize {
        self.order.len() + self.all.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Nothing waits, and nothing is under way.
    pub(super) fn is_calm(&self) -> bool {
        self.is_empty() && self.flying.is_empty() && self.flying_keys == 0
    }

    /// Nothing waits, nothing is kept.
    pub(super) fn is_idle(&self) -> bool {
        self.is_empty() && self.kept.is_empty() && self.held.is_empty()
    }

    /// The name of a function or cache whose changes were too many. It is told once, until nothing waits any more.
    pub(super) fn crowded(&mut self) -> Option<Arc<str>> {
        match std::mem::take(&mut self.crowded) {
            Crowded::No => None,
            Crowded::Now(name) => {
                self.crowded = Crowded::Told;
                Some(name)
            }
            Crowded::Told => {
                self.crowded = Crowded::Told;
                None
            }
        }
    }

    /// A change is made now.
    pub(super) fn write(&mut self, key: &WireKey, change: &Change, now: Moment) -> Route {
        let (name, turn) = (name(key), self.turn());
        let is_owed = self.slots.get(&name).is_some_and(|slot| slot.is_sending || !slot.owed.is_empty());
        if is_owed || self.owes_all(&key.scope.name, u64::MAX) {
            self.owe(&name, key, Part { change: change.clone(), turn, at: now, known: None });
            return Route::Queued { turn, until: self.turns };
        }
        self.flying_keys += 1;
        self.change(&name, key, |slot| slot.flying.push(turn));
        Route::Direct { turn }
    }

    /// A change that was sent as it was made has been answered, with its number in the part, or will not be. Returns
    /// whether it waits now.
    pub(super) fn flown(&mut self, key: &WireKey, part: Part, told: Told<'_>) -> bool {
        let (name, turn) = (name(key), part.turn);
        self.flying_keys -= 1;
        self.change(&name, key, |slot| slot.flying.retain(|flying| *flying != turn));
        if part.known.is_some() {
            return self.told(&name, key, part, told);
        }
        // What was told since, after it.
        let mut parts = self.slots.get(&name).map_or_else(Parts::default, |slot| slot.kept.clone());
        parts.drop_before(turn);
        let is_over = parts.whole.is_some() || parts.stale.is_some() && !part.is_whole();
        if !is_over {
            self.owe(&name, key, part);
            parts.stale.into_iter().for_each(|stale| self.owe(&name, key, stale));
        }
        !is_over
    }

    /// A change was told: earlier ones need not be any more. Returns whether it is to be told again.
    fn told(&mut self, name: &Name, key: &WireKey, part: Part, told: Told<'_>) -> bool {
        self.change(name, key, |slot| {
            if matches!(part.change, Change::Invalidate { .. }) {
                slot.owed.stale.take_if(|stale| stale.turn < part.turn);
                if slot.owed.whole.as_ref().is_some_and(|whole| whole.turn < part.turn) {
                    slot.owed.add(part.clone());
                }
            } else {
                slot.owed.drop_before(part.turn);
            }
        });
        self.keep(name, key, part, told)
    }

    /// A change waits.
    fn owe(&mut self, name: &Name, key: &WireKey, part: Part) {
        let scope = &name.0;
        if self.is_cleared(&scope.name, part.turn) {
            return;
        }
        let is_new = self.slots.get(name).is_none_or(|slot| slot.owed.is_empty());
        if is_new && self.order.len() >= self.bounds.keys {
            let change =
                if matches!(part.change, Change::Invalidate { .. }) { Bump::Stale } else { Bump::Gone };
            self.counts.overflowed += 1;
            if let Crowded::No = self.crowded {
                self.crowded = Crowded::Now(Arc::clone(&scope.name));
            }
            let before = self.order.len();
            let turn = self.turn();
            self.owe_all(scope, change, turn, part.at);
            self.counts.overflowed += (before - self.order.len()) as u64;
            return;
        }
        let staled = self.made.get(&scope.name).and_then(|made| made.stale);
        let staled = staled.filter(|(turn, _)| *turn > part.turn);
        let part = self.bounded(part);
        self.change(name, key, |slot| {
            slot.owed.add(part);
            if let Some((turn, at)) = staled {
                cut(&mut slot.owed, turn, at);
            }
        });
    }

    /// The value of a change only if there is room for it.
    fn bounded(&self, part: Part) -> Part {
        let weight = match &part.change {
            Change::Set(payload) => payload.packed.bytes.len(),
            Change::Invalidate { .. } | Change::Remove { .. } => 0,
        };
        if self.bytes + weight > self.bounds.bytes { part.without_bytes() } else { part }
    }

    fn is_cleared(&self, name: &str, turn: u64) -> bool {
        self.made.get(name).is_some_and(|made| made.gone > Some(turn))
    }

    /// All keys of a scope are changed now.
    pub(super) fn bump(&mut self, scope: &Arc<Scope>, change: Bump, now: Moment) -> Route {
        let turn = self.turn();
        let is_owed = self.owes_all(&scope.name, u64::MAX)
            || self.slots.iter().any(|((other, _), slot)| {
                other.name == scope.name && (slot.is_sending || !slot.owed.is_empty())
            });
        if is_owed {
            self.owe_all(scope, change, turn, now);
            return Route::Queued { turn, until: self.turns };
        }
        self.note_made(scope, change, turn, now);
        self.flying.insert(turn, Arc::clone(&scope.name));
        Route::Direct { turn }
    }

    /// Such a change that was sent as it was made has been answered, or will not be.
    pub(super) fn bump_flown(
        &mut self,
        scope: &Arc<Scope>,
        change: Bump,
        turn: u64,
        at: Moment,
        is_told: bool,
    ) {
        self.flying.remove(&turn);
        if !is_told {
            self.owe_all(scope, change, turn, at);
        }
    }

    fn owe_all(&mut self, scope: &Arc<Scope>, change: Bump, turn: u64, at: Moment) {
        self.note_made(scope, change, turn, at);
        // It does what an earlier one would. One that is being sent may have come before what this one is to follow.
        self.all.retain(|_, all| {
            let is_covered = all.scope.name == scope.name && (all.change == change || change == Bump::Gone);
            !is_covered || all.is_sending
        });
        self.all.insert(turn, All { scope: Arc::clone(scope), change, at, is_sending: false, failures: 0 });
    }

    /// From here on the changes of single keys before it need not be told, or are to be told as stale.
    fn note_made(&mut self, scope: &Arc<Scope>, change: Bump, turn: u64, at: Moment) {
        let made = self.made.entry(Arc::clone(&scope.name)).or_default();
        match change {
            Bump::Gone => made.gone = made.gone.max(Some(turn)),
            Bump::Stale => made.stale = made.stale.max(Some((turn, at))),
        }
        let names = self.slots.keys().filter(|(other, _)| other.name == scope.name);
        for name in names.cloned().collect::<Vec<_>>() {
            self.change_known(&name, |slot| {
                for parts in [&mut slot.owed, &mut slot.kept] {
                    match change {
                        Bump::Gone => parts.drop_before(turn),
                        Bump::Stale => cut(parts, turn, at),
                    }
                }
            });
        }
    }

    fn owes_all(&self, name: &str, until: u64) -> bool {
        self.all.range(..=until).any(|(_, all)| *all.scope.name == *name)
    }

    /// The next step towards a key of which nothing up to this turn waits or is under way. What waits for all keys comes
    /// first.
    pub(super) fn next_of(&mut self, key: &WireKey, until: u64) -> Next {
        match self.next_of_all(&key.scope, until) {
            Next::Nothing => {}
            next => return next,
        }
        let Some(slot) = self.slots.get_mut(&name(key)) else { return Next::Nothing };
        if slot.flying.iter().any(|turn| *turn <= until) {
            return Next::Busy;
        }
        if slot.owed.first().is_none_or(|first| first > until) {
            return Next::Nothing;
        }
        if slot.is_sending || !slot.flying.is_empty() {
            return Next::Busy;
        }
        Next::Send(slot.begin())
    }

    /// The same for what waits for all keys of a scope. It does not overtake a change of one of them that is being sent.
    pub(super) fn next_of_all(&mut self, scope: &Scope, until: u64) -> Next {
        if self.flying.range(..=until).any(|(_, name)| *name == scope.name) {
            return Next::Busy;
        }
        let Some(turn) = self.all.range(..=until).find(|(_, all)| all.scope.name == scope.name) else {
            return Next::Nothing;
        };
        let turn = *turn.0;
        self.begin_all(turn).map_or(Next::Busy, Next::Send)
    }

    fn begin_all(&mut self, turn: u64) -> Option<Item> {
        let all = self.all.get_mut(&turn)?;
        let is_same = |name: &Name| name.0.name == all.scope.name;
        if all.is_sending || self.slots.iter().any(|(name, slot)| slot.is_sending && is_same(name)) {
            return None;
        }
        all.is_sending = true;
        Some(Item::All(Arc::clone(&all.scope), all.change, turn, all.at))
    }

    /// The next ones after the cursor, in their order. What waits for all keys of a name comes before the single keys.
    pub(super) fn batch(&mut self, cursor: &mut Cursor, most: usize) -> Vec<Item> {
        let turns: Vec<_> = self.all.range(cursor.all + 1..).map(|(turn, _)| *turn).take(most).collect();
        cursor.all = turns.last().copied().unwrap_or(cursor.all);
        let items: Vec<_> = turns.into_iter().filter_map(|turn| self.begin_all(turn)).collect();
        if !items.is_empty() {
            return items;
        }
        let places = self.order.range((cursor.keys + 1, [0; 16])..).take(most);
        let places: Vec<_> = places.map(|((turn, _), name)| (*turn, name.clone())).collect();
        cursor.keys = places.last().map_or(cursor.keys, |(turn, _)| *turn);
        let mut items = Vec::new();
        for (_, name) in places {
            if self.owes_all(&name.0.name, u64::MAX) {
                continue;
            }
            let slot = self.slots.get_mut(&name).filter(|slot| !slot.is_sending && slot.flying.is_empty());
            items.extend(slot.map(Slot::begin));
        }
        items
    }

    /// How often the delivery of a key, and of what waits for all keys of its scope, has failed.
    pub(super) fn failures(&self, scope: &Scope, key: Option<&WireKey>) -> u64 {
        let all = self.all.values().filter(|all| all.scope.name == scope.name);
        let of_all: u64 = all.map(|all| all.failures).sum();
        of_all + key.and_then(|key| self.slots.get(&name(key))).map_or(0, |slot| slot.failures)
    }

    /// An item was delivered. These of its parts hold, with their numbers; the others have yielded. Returns whether
    /// one of them is to be told again.
    pub(super) fn delivered(&mut self, item: &Item, holds: Parts, told: Told<'_>) -> bool {
        let mut waits = false;
        match item {
            Item::All(_, _, turn, _) => {
                self.counts.recovered += u64::from(self.all.remove(turn).is_some());
            }
            Item::Key { key, parts, .. } => {
                let name = name(key);
                self.change_known(&name, |slot| {
                    slot.is_sending = false;
                    slot.owed.drop_same(parts);
                });
                let is_news = parts.whole.iter().chain(&parts.stale).any(|part| part.known.is_none());
                // One that was told before, and was not lost, is no matter.
                self.counts.yielded += u64::from(holds.is_empty() && is_news);
                let sent = [&parts.whole, &parts.stale].map(|part| part.as_ref().and_then(|part| part.known));
                let held = [&holds.whole, &holds.stale].map(|part| part.as_ref().and_then(|part| part.known));
                // One that was told before, and was not lost, is no matter.
                let is_told = held.iter().zip(sent).any(|(held, sent)| held.is_some() && *held != sent);
                self.counts.recovered += u64::from(is_told);
                for part in [holds.whole, holds.stale].into_iter().flatten() {
                    waits |= self.keep(&name, key, part, told);
                }
            }
        }
        if self.is_empty() {
            self.crowded = Crowded::No;
        }
        waits
    }

    /// The tier does not take the value of an item, for want of room perhaps: it waits as the removal of the older one.
    pub(super) fn refused(&mut self, item: &Item) {
        let Item::Key { key, parts: Parts { whole: Some(sent), .. }, .. } = item else { return };
        self.change_known(&name(key), |slot| {
            if let Some(whole) = slot.owed.whole.take_if(|whole| whole.turn == sent.turn) {
                slot.owed.whole = Some(whole.without_bytes());
            }
        });
    }

    /// An item could not be delivered: it goes on waiting.
    pub(super) fn failed(&mut self, item: &Item) {
        match item {
            Item::All(_, _, turn, _) => {
                if let Some(all) = self.all.get_mut(turn) {
                    all.is_sending = false;
                    all.failures += 1;
                }
            }
            Item::Key { key, .. } => self.change_known(&name(key), |slot| {
                slot.is_sending = false;
                slot.failures += 1;
            }),
        }
    }

    /// The number that a change has got, if it holds.
    pub(super) fn number_of(&self, key: &WireKey, turn: u64) -> Option<WriteId> {
        let kept = &self.slots.get(&name(key))?.kept;
        kept.whole.iter().chain(&kept.stale).find(|part| part.turn == turn)?.known
    }

    fn change(&mut self, name: &Name, key: &WireKey, change: impl FnOnce(&mut Slot)) {
        self.slots.entry(name.clone()).or_insert_with(|| Slot {
            key: key.clone(),
            flying: SmallVec::new(),
            is_sending: false,
            failures: 0,
            owed: Parts::default(),
            kept: Parts::default(),
            kept_at: Moment::PAST,
            kept_on: 0,
            place: None,
        });
        self.change_known(name, change);
    }

    /// Changes a slot, if there is one, and all that depends on it.
    fn change_known(&mut self, name: &Name, change: impl FnOnce(&mut Slot)) {
        let Some(slot) = self.slots.get_mut(name) else { return };
        let before = slot.owed.weight() + slot.kept.weight();
        change(slot);
        self.bytes = self.bytes + slot.owed.weight() + slot.kept.weight() - before;
        let place = slot.owed.first().map(|turn| (turn, slot.key.hash));
        if slot.place != place {
            if let Some(old) = std::mem::replace(&mut slot.place, place) {
                self.order.remove(&old);
            }
            if let Some(new) = place {
                self.order.insert(new, name.clone());
            }
        }
        if slot.flying.is_empty() && !slot.is_sending && slot.owed.is_empty() && slot.kept.is_empty() {
            self.slots.remove(name);
        }
    }
}

/// All values of a name were made stale: so is one that waits, and an invalidation that waits need not be told.
fn cut(parts: &mut Parts, turn: u64, at: Moment) {
    parts.stale.take_if(|stale| stale.turn < turn && parts.whole.is_none());
    if let Some(Part { change: Change::Set(payload), turn: own, .. }) = &parts.whole {
        if *own < turn && parts.stale.as_ref().is_none_or(|stale| stale.turn < turn) {
            let change = Change::Invalidate { tombstone: payload.ages.lifetime };
            parts.stale = Some(Part { change, turn, at, known: None });
        }
    }
}

#[cfg(test)]
mod tests;
