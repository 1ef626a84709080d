//! What callers see while the tier is down, and how it comes back.

use std::time::{Duration, Instant};

use super::{Origin, Process};

/// The time-out of an operation, in milliseconds.
pub(crate) const TIMEOUT: u64 = 100;

pub(crate) fn process(origin: &Origin, url: &str) -> Process {
    Process::start(origin, url, &[&format!("timeout={TIMEOUT}")])
}

/// Asks for new keys until the tier is used again. Returns how long that took.
pub(crate) fn back(one: &mut Process, other: &mut Process) -> Duration {
    let began = Instant::now();
    for round in 0.. {
        one.ask(&format!("get long back{round}"));
        if other.ask(&format!("get long back{round}")).contains("Shared") {
            return began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(20), "the tier is not used again");
        std::thread::sleep(Duration::from_millis(20));
    }
    unreachable!("it is used again")
}

/// What callers see during an outage that `begin` brings about: what is cached is served as fast as ever, what is
/// missing is fetched, and nobody waits longer than the time-outs of its operations.
pub(crate) fn is_no_outage(name: &str, origin: &Origin, one: &mut Process, begin: impl FnOnce()) {
    assert_eq!(one.ask(&format!("get long {name}")), "Fetched Fetched 1");
    begin();
    let spin = one.send(&format!("spin long {name} 1500"));
    for call in 0..12 {
        let answer = one.send(&format!("get long {name}{call}")).answer();
        assert_eq!(answer.words, "Fetched Fetched 1", "{name}: what is missing is fetched");
        // A look, a lease and a store, each within its time-out, and some time to run.
        assert!(answer.took < Duration::from_millis(3 * TIMEOUT + 250), "{name}: {:?}", answer.took);
    }
    assert_eq!(origin.runs(name).len(), 1, "{name}");
    let spun = spin.answer().words;
    let slowest: u64 = spun.split(' ').nth(1).unwrap().parse().unwrap();
    // Messages may have been lost: then a look comes before the value, within the time-out of an operation.
    assert!(slowest < 1_000 * TIMEOUT + 50_000, "{name}: a hit took {slowest} us");
}
