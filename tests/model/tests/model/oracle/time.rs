//! Time: the events that it brings, and the moments at which something changes.

use super::calls::Waiting;
use super::fetches::{Cut, Stage};
use super::keys::Stored;
use super::{Oracle, Time};

impl Oracle {
    /// The next moment at which something happens by itself.
    pub(crate) fn next_event(&self) -> Option<Time> {
        let fetches = self.fetches.values().filter(|fetch| fetch.times_out()).map(|fetch| fetch.until);
        let limits = self.waiting.values().filter_map(|waiting| match waiting {
            Waiting::Call { limit, .. } => *limit,
            Waiting::Shutdown { limit, .. } => Some(*limit),
            Waiting::Refresh { .. } | Waiting::Settle => None,
        });
        fetches.chain(limits).min()
    }

    /// Time passes, and nothing happens by itself in between.
    pub(crate) fn pass_to(&mut self, now: Time) {
        self.now = now;
        let over = self.all(|fetch| fetch.stage == Stage::Running && now >= fetch.until);
        let late = self.all(|fetch| fetch.times_out() && now >= fetch.until);
        self.lapse(&over, Cut::TimedOut);
        // After the limit of a shutdown it ran only for its waiters anyway.
        for id in late {
            if let Some(fetch) = self.fetches.get_mut(&id) {
                fetch.stage = Stage::Lapsed(Cut::TimedOut);
            }
        }
        for (id, waiting) in self.waiting.clone() {
            match waiting {
                Waiting::Call { fetch, limit: Some(limit) } if now >= limit => {
                    let key = self.fetch(fetch).key;
                    self.waiting.remove(&id);
                    self.serve(id, key);
                }
                Waiting::Shutdown { limit, .. } if now >= limit && !self.limit_reached => self.reach_limit(),
                _ => {}
            }
        }
        self.end_the_abandoned();
        // A value that is gone leaves its back-off behind, as a record.
        self.doubt_records();
    }

    /// The moments from now on at which something changes for a key.
    pub(crate) fn edges(&self, key: usize) -> Vec<Time> {
        let known = &self.keys[key];
        let mut edges = Vec::new();
        if let Some(Stored { started, lifetime, retention, .. }) = known.value {
            let stale = self.options.max_stale.map(|max_stale| started + lifetime + max_stale);
            edges.extend([started + self.due_age(lifetime), started + lifetime]);
            edges.extend(stale);
            edges.push(started + retention);
        }
        edges.extend(known.backoff_ends.iter().flat_map(|(least, most)| [*least, *most]));
        edges.extend(
            self.breaker.trial(self.is_missing(key)).iter().flat_map(|(least, most)| [*least, *most]),
        );
        edges.extend(known.error.map(|kept| kept.until));
        edges.extend(
            self.fetches.values().filter(|fetch| fetch.key == key && fetch.is_running()).map(|f| f.until),
        );
        edges.retain(|edge| *edge > self.now && *edge < Time::MAX);
        edges.sort_unstable();
        edges.dedup();
        edges
    }

    /// The moment until which the answer of a call of this key is uncertain.
    pub(crate) fn doubt(&self, key: usize) -> Option<Time> {
        let known = &self.keys[key];
        let backoff_ends = known
            .backoff_ends
            .filter(|(least, most)| *least <= self.now && self.now < *most)
            .map(|(_, most)| most);
        let error = known.error.filter(|kept| kept.doubtful && self.now < kept.until).map(|kept| kept.until);
        let trial = self
            .breaker
            .trial(self.is_missing(key))
            .filter(|(least, most)| (*least..*most).contains(&self.now));
        backoff_ends.max(error).max(trial.map(|(_, most)| most))
    }
}
