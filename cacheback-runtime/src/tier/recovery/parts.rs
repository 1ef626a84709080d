//! What the tier is to be told of one key: of all its changes, those that matter.

use std::time::Duration;

use crate::base::clock::{Moment, nanos};
use crate::tier::late::Late;
use crate::tier::{Change, Payload, WriteId};

/// A value that could be told only after so long is told as a removal, unless it is fresh even longer. By then the
/// tombstone of a removal elsewhere may be gone, which would have been the later change.
const LONGEST: Duration = Duration::from_secs(600);

/// A change, and its place among all changes of this process.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) change: Change,
    pub(super) turn: u64,
    pub(super) at: Moment,
    /// It was told, and had this number.
    pub(super) known: Option<WriteId>,
}

/// The changes of a key that matter: the latest that says what the value is, and an invalidation after it. In which order
/// they are added does not matter.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    /// A `set` or a removal.
    pub(super) whole: Option<Part>,
    pub(super) stale: Option<Part>,
}

impl Part {
    pub(super) fn is_whole(&self) -> bool {
        !matches!(self.change, Change::Invalidate { .. })
    }

    pub(super) fn late(&self, over: Option<WriteId>) -> Late {
        Late { at: self.at, known: self.known, over }
    }

    /// The bytes that it keeps.
    fn weight(&self) -> usize {
        match &self.change {
            Change::Set(payload) => payload.packed.bytes.len(),
            Change::Invalidate { .. } | Change::Remove { .. } => 0,
        }
    }

    /// The same, without the bytes of a value: whoever needs it fetches it.
    pub(super) fn without_bytes(self) -> Self {
        let change = match self.change {
            Change::Set(payload) => removal(&payload),
            change => change,
        };
        Self { change, ..self }
    }
}

fn removal(payload: &Payload) -> Change {
    Change::Remove { tombstone: payload.ages.lifetime.max(LONGEST) }
}

impl Parts {
    pub(super) fn add(&mut self, part: Part) {
        if self.whole.as_ref().is_some_and(|whole| whole.turn > part.turn) {
            return;
        }
        if part.is_whole() {
            self.stale.take_if(|stale| stale.turn < part.turn);
            self.whole = Some(part);
        } else if self.stale.as_ref().is_none_or(|stale| stale.turn <= part.turn) {
            self.stale = Some(part);
        }
    }

    /// Drops those before a turn.
    pub(super) fn drop_before(&mut self, turn: u64) {
        self.whole.take_if(|part| part.turn < turn);
        self.stale.take_if(|part| part.turn < turn);
    }

    /// Drops those that are exactly in these.
    pub(super) fn drop_same(&mut self, told: &Self) {
        let is_in =
            |part: &Part, told: &Option<Part>| told.as_ref().is_some_and(|told| told.turn == part.turn);
        self.whole.take_if(|part| is_in(part, &told.whole));
        self.stale.take_if(|part| is_in(part, &told.stale));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.whole.is_none() && self.stale.is_none()
    }

    pub(super) fn weight(&self) -> usize {
        self.whole.as_ref().map_or(0, Part::weight)
    }

    /// The earliest turn of them.
    pub(super) fn first(&self) -> Option<u64> {
        self.whole.iter().chain(&self.stale).map(|part| part.turn).min()
    }

    /// The first of them as it is to be told now: the value, stale if it was invalidated.
    pub(super) fn due(&self, now: Moment) -> Option<Change> {
        let Some(Part { change: Change::Set(payload), at, .. }) = &self.whole else {
            return self.whole.as_ref().or(self.stale.as_ref()).map(|part| part.change.clone());
        };
        let age_at = |moment: Moment| {
            let since = Duration::from_nanos(moment.since(payload.at));
            payload.ages.age.saturating_add(since)
        };
        let mut ages = payload.ages;
        if let Some(stale) = &self.stale {
            ages.lifetime = ages.lifetime.min(age_at(stale.at));
        }
        let waited = Duration::from_nanos(now.since(*at));
        let is_over = age_at(now) >= ages.retention || waited > LONGEST.max(payload.ages.lifetime);
        Some(if is_over { removal(payload) } else { Change::Set(Payload { ages, ..payload.clone() }) })
    }
}

/// The moment so long before another.
pub(super) fn before(moment: Moment, span: Duration) -> Moment {
    Moment::from_bits(moment.to_bits().saturating_sub(nanos(span)))
}
