//! When a server that was lost is tried again.
//!
//! As long as a process is not connected it fetches for itself. So the pauses between two tries are short: they
//! double, and grow with the outage then, to a part of its length. A fleet of thousands would be a burden to whatever
//! refuses it, if the outage was a long one. Half of each pause is left to chance, so that a fleet comes back over a
//! span and not in a moment.
//!
//! A try without an answer is given up soon: it may have fallen into a black hole, and the next one finds the server
//! as soon as it is back. But it may also wait in the crowd before a server that has just come back. If all of a fleet
//! began anew again and again nobody would get through, so each try has twice the time of the last.
//!
//! As soon as any connection of a tier is there again, the others are tried at once.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::tier::life::Life;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The pauses double up to this; and then they are such a part of the outage, as long as that is no more than a second.
const SHORT_PAUSE: Duration = Duration::from_millis(200);
const PART: u32 = 50;
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The first try has so much time, or that of some operations: it takes three round trips, with TLS five.
const FIRST_PATIENCE: Duration = Duration::from_millis(500);
const TRIPS: u32 = 5;
/// No try has more time than this. The advisor has as much.
pub(super) const CONNECTING: Duration = Duration::from_secs(2);

/// The tries since the last connection.
pub(super) struct Tries {
    /// When the first one failed.
    since: Option<Instant>,
    pause: Duration,
    first_patience: Duration,
    patience: Duration,
}

impl Tries {
    /// `limit`: the time that an operation may take.
    pub(super) fn new(limit: Duration) -> Self {
        let patience = limit.saturating_mul(TRIPS).clamp(FIRST_PATIENCE, CONNECTING);
        Self { since: None, pause: FIRST_PAUSE, first_patience: patience, patience }
    }

    /// How long the next try may take.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// It has taken longer.
    pub(super) fn timed_out(&mut self) {
        self.patience = (self.patience * 2).min(CONNECTING);
    }

    /// One was successful.
    pub(super) fn succeeded(&mut self) {
        (self.since, self.pause, self.patience) = (None, FIRST_PAUSE, self.first_patience);
    }

    /// How long to wait for the next one.
    pub(super) fn next_pause(&mut self) -> Duration {
        let outage = self.since.get_or_insert_with(Instant::now).elapsed();
        let pause = self.pause.max(outage / PART).min(LONGEST_PAUSE);
        self.pause = (self.pause * 2).min(SHORT_PAUSE);
        pause.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// Waits until then, or until there is another connection of the tier.
    pub(super) fn pause(&mut self, life: &Life) -> impl Future<Output = ()> + use<> {
        let pause = self.next_pause();
        let another = life.reconnected(life.contact());
        async move {
            tokio::select! {
                () = sleep(pause) => {}
                () = another => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_with_the_outage_and_are_left_to_chance() {
        let mut tries = Tries::new(100 * MILLISECOND);
        for _ in 0..2 {
            let began = Instant::now();
            let mut longest = [50, 100, 200].into_iter();
            let (mut shares, mut count) = (Vec::new(), 0);
            while began.elapsed() < Duration::from_secs(100) {
                let (pause, outage) = (tries.next_pause(), began.elapsed());
                let grown = (outage.as_millis() / 50).clamp(200, 1_000);
                let longest = longest.next().unwrap_or(u32::try_from(grown).unwrap());
                shares.push(pause.as_secs_f64() / (f64::from(longest) / 1_000.0));
                count += usize::from(outage < Duration::from_secs(10));
                sleep(pause).await;
            }
            shares.sort_by(f64::total_cmp);
            let (least, most) = (shares[0], shares[shares.len() - 1]);
            assert!((0.499..0.55).contains(&least) && (0.95..1.01).contains(&most), "{least} {most}");
            assert!((55..85).contains(&count), "{count} in the first ten seconds");
            tries.succeeded();
        }
    }

    #[test]
    fn each_try_without_an_answer_has_more_time_than_the_last() {
        for (limit, patience) in
            [(10, [500, 1_000, 2_000, 2_000]), (200, [1_000, 2_000, 2_000, 2_000]), (3_000, [2_000; 4])]
        {
            let mut tries = Tries::new(limit * MILLISECOND);
            for _ in 0..2 {
                for patience in patience {
                    assert_eq!(tries.patience(), patience * MILLISECOND);
                    tries.timed_out();
                }
                tries.succeeded();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_with_another_connection() {
        let life = Life::default();
        let number = life.connected();
        let mut tries = Tries::new(100 * MILLISECOND);
        tries.next_pause();
        let minute = Duration::from_secs(60);
        sleep(minute).await;
        let began = Instant::now();
        let pause = tokio::spawn(tries.pause(&life));
        sleep(MILLISECOND).await;
        life.lost(number);
        sleep(MILLISECOND).await;
        assert!(!pause.is_finished());
        life.connected();
        pause.await.unwrap();
        assert_eq!(began.elapsed(), 2 * MILLISECOND);
        // One that was there before ends none.
        tries.pause(&life).await;
        assert!(began.elapsed() >= 500 * MILLISECOND);
    }
}
