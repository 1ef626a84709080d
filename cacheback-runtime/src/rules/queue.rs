//! Jobs for workers: which refreshes are handed over, and what becomes of a job that is delivered.

#![cfg_attr(not(feature = "worker"), allow(dead_code))] // Without it, no process is a worker.

use std::time::Duration;

use crate::rules::policy::Policy;

/// Without a heartbeat for so long, a worker counts as gone.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);
/// So many jobs of one function wait at most.
pub(crate) const BOUND: u64 = 10_000;
/// A job waits so long at most: afterwards its key is free, and the next reader enqueues it anew.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);
/// A job that has ended so many workers is not run once more.
pub(crate) const DEATHS: u32 = 3;
/// How long beyond its time-out a job may be under way before another worker takes it.
const GRACE: Duration = Duration::from_secs(15);
/// If its time-out depends on its arguments, it counts as so long.
const LONGEST: Duration = Duration::from_secs(3_600);
/// How long a worker keeps a job that has no place yet before it gives it back: well within the grace, as the job may still
/// run for its whole time-out.
const PLACE: Duration = Duration::from_secs(7);
/// The longest that a job waits to run alone: meanwhile no other begins.
const ALONE: Duration = Duration::from_secs(60);
/// A key backs off for so long if its job has failed and nothing else says for how long.
pub(crate) const FAILED: Duration = Duration::from_secs(1);

/// What is known of the queue of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueFacts {
    /// How long ago a worker of it has shown that it lives. `None`: never, or too long ago to be known.
    pub(crate) worker_seen: Option<Duration>,
    /// How many jobs wait.
    pub(crate) length: u64,
}

/// Why a refresh is not handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// No worker takes jobs of this function.
    NoWorker,
    /// Workers take jobs of the same queue, and none of this function.
    UnknownFunction,
    /// Workers take jobs of other versions of this function.
    OtherVersion,
    /// Too many jobs wait.
    Full,
    /// The queue has given no answer.
    Unreachable,
    /// There is no queue.
    NoQueue,
}

impl Kept {
    /// For a log line.
    pub(crate) fn why(self) -> &'static str {
        match self {
            Self::NoWorker => "no worker that serves it was seen in the last 15 s",
            Self::UnknownFunction => "the workers of its queue do not serve it",
            Self::OtherVersion => "the workers of its queue serve another version of it",
            Self::Full => "10,000 jobs of it wait already",
            Self::Unreachable => "its queue did not answer",
            Self::NoQueue => "the second tier has no queue for workers",
        }
    }
}

/// Whether a refresh may be handed to a worker. `facts` are `None` if the queue has given no answer.
pub(crate) fn hands_over(facts: Option<QueueFacts>) -> Result<(), Kept> {
    let Some(QueueFacts { worker_seen, length }) = facts else { return Err(Kept::Unreachable) };
    if worker_seen.is_none_or(|seen| seen >= HEARTBEAT) {
        return Err(Kept::NoWorker);
    }
    if length >= BOUND { Err(Kept::Full) } else { Ok(()) }
}

/// Why no worker takes jobs of a function, if it is known what the workers of its queue serve instead: for each such line,
/// whether it is of this function in another version.
pub(crate) fn nobody_serves(others: impl Iterator<Item = bool>) -> Kept {
    match others.max() {
        None => Kept::NoWorker,
        Some(false) => Kept::UnknownFunction,
        Some(true) => Kept::OtherVersion,
    }
}

/// How a delivered job is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handling {
    /// Beside others.
    Together,
    /// With no other job beside it: it may have ended a worker, and is not to take others with it.
    Alone,
    /// Not at all.
    Buried,
}

/// What becomes of a job that is delivered for so many times: earlier workers have ended, or were stopped, in its midst.
/// `deaths` counts the workers that have ended with the lease of its key, one after the other. They may have had other
/// jobs, which a reader has put on the queue for it since, and these had others beside them.
pub(crate) fn handling(deliveries: u32, deaths: u32) -> Handling {
    if deliveries > DEATHS || deaths >= DEATHS {
        Handling::Buried
    } else if deliveries > 1 || deaths > 1 {
        Handling::Alone
    } else {
        Handling::Together
    }
}

/// How long a job waits in its worker until it can run, before it goes back. `min_idle`: others take it for abandoned then.
pub(crate) fn patience(handling: Handling, min_idle: Duration) -> Duration {
    match handling {
        Handling::Together => PLACE,
        Handling::Alone => (min_idle / 2).min(ALONE),
        Handling::Buried => Duration::ZERO,
    }
}

/// A job that was taken so long ago, of a function with these options, is abandoned: another worker takes it.
pub(crate) fn min_idle(policy: &Policy) -> Duration {
    let varies = policy.varies.contains(&"refresh_timeout");
    // For whoever takes jobs, the arguments are still to be read.
    let longest = if varies { policy.refresh_timeout.max(LONGEST) } else { policy.refresh_timeout };
    longest.saturating_add(GRACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_is_handed_over_to_a_worker_that_lives() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let table = [
            (Some((seconds(0), 0)), Ok(())),
            (Some((seconds(14), 9_999)), Ok(())),
            (Some((seconds(15), 0)), Err(Kept::NoWorker)),
            (Some((None, 0)), Err(Kept::NoWorker)),
            (Some((seconds(0), 10_000)), Err(Kept::Full)),
            // A queue that nobody empties is no full one.
            (Some((None, 10_000)), Err(Kept::NoWorker)),
            (None, Err(Kept::Unreachable)),
        ];
        for (facts, expected) in table {
            let facts = facts.map(|(worker_seen, length)| QueueFacts { worker_seen, length });
            assert_eq!(hands_over(facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn what_workers_serve_instead_is_told() {
        let table: [(&[bool], Kept); 5] = [
            (&[], Kept::NoWorker),
            (&[false], Kept::UnknownFunction),
            (&[false, false], Kept::UnknownFunction),
            (&[true], Kept::OtherVersion),
            (&[false, true, false], Kept::OtherVersion),
        ];
        for (others, expected) in table {
            assert_eq!(nobody_serves(others.iter().copied()), expected, "{others:?}");
        }
    }

    #[test]
    fn a_job_that_ends_its_worker_runs_alone_twice_and_no_more() {
        let table = [
            (1, Handling::Together),
            (2, Handling::Alone),
            (3, Handling::Alone),
            (4, Handling::Buried),
            (5, Handling::Buried),
        ];
        for (deliveries, expected) in table {
            assert_eq!(handling(deliveries, 0), expected, "delivery {deliveries}");
        }
    }

    /// Each of its jobs is delivered once, if readers put another one on the queue before it is abandoned.
    #[test]
    fn a_key_that_ends_its_workers_is_run_alone_the_third_time_and_no_more() {
        let table = [
            (0, Handling::Together),
            (1, Handling::Together),
            (2, Handling::Alone),
            (3, Handling::Buried),
            (u32::MAX, Handling::Buried),
        ];
        for (deaths, expected) in table {
            assert_eq!(handling(1, deaths), expected, "{deaths} workers");
        }
        assert_eq!(handling(2, 1), Handling::Alone);
    }

    #[test]
    fn a_job_that_waits_to_run_goes_back_before_it_counts_as_abandoned() {
        for seconds in [15, 20, 75, 3_615] {
            let min_idle = Duration::from_secs(seconds);
            for handling in [Handling::Together, Handling::Alone, Handling::Buried] {
                let patience = patience(handling, min_idle);
                assert!(patience <= min_idle / 2 && patience <= ALONE, "{handling:?} {patience:?}");
            }
        }
        assert_eq!(patience(Handling::Alone, Duration::from_secs(20)), Duration::from_secs(10));
        assert_eq!(patience(Handling::Alone, Duration::MAX), Duration::from_secs(60));
        assert_eq!(patience(Handling::Together, Duration::MAX), Duration::from_secs(7));
    }

    #[test]
    fn a_job_is_abandoned_after_its_time_out_and_not_before() {
        for seconds in [0, 1, 60, 3_600] {
            let refresh_timeout = Duration::from_secs(seconds);
            let policy = Policy { refresh_timeout, ..Policy::default() };
            assert_eq!(min_idle(&policy), refresh_timeout + Duration::from_secs(15));
            let policy = Policy { varies: &["lifetime", "refresh_timeout"], ..policy };
            assert_eq!(min_idle(&policy), Duration::from_secs(3_615));
        }
        let policy = Policy { refresh_timeout: Duration::MAX, ..Policy::default() };
        assert_eq!(min_idle(&policy), Duration::MAX);
    }
}
