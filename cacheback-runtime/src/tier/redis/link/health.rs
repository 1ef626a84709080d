//! Whether a connection is still of use, by how its operations end.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::base::sync::plain::{Mutex, lock};

/// So many time-outs are a dead connection, if they are most of the operations of a second, or all of a longer time: an
/// idle link has one operation a second.
const TIMEOUTS: usize = 3;
const SILENCE: Duration = Duration::from_secs(4);
/// Operations are counted together in spans of this length.
const BUCKET: Duration = Duration::from_millis(250);

/// How the operations of one connection have ended of late.
#[derive(Default)]
pub(super) struct Health {
    /// Operations that ended, and those of them that timed out, in each [`BUCKET`] of time.
    recent: Mutex<VecDeque<(Instant, usize, usize)>>,
    pub(super) dead: Notify,
}

impl Health {
    /// Notes how an operation has ended, and whether the connection can still be used.
    pub(super) fn note(&self, timed_out: bool) {
        let now = Instant::now();
        let mut recent = lock(&self.recent);
        match recent.back_mut() {
            Some((began, all, late)) if now - *began < BUCKET => {
                *all += 1;
                *late += usize::from(timed_out);
            }
            _ => recent.push_back((now, 1, usize::from(timed_out))),
        }
        while recent.front().is_some_and(|(began, ..)| now - *began > SILENCE) {
            recent.pop_front();
        }
        if !timed_out {
            return;
        }
        let of = |span: Duration| {
            let ended = recent.iter().filter(move |(began, ..)| now - *began <= span);
            ended.fold((0, 0), |(all, late), bucket| (all + bucket.1, late + bucket.2))
        };
        let ((all, late), (all_of_silence, late_of_silence)) = (of(Duration::from_secs(1)), of(SILENCE));
        let is_dead = late >= TIMEOUTS && late * 2 > all
            || late_of_silence >= TIMEOUTS && late_of_silence == all_of_silence;
        drop(recent);
        if is_dead {
            self.dead.notify_one();
        }
    }
}
