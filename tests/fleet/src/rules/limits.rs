//! No caller waits above his limit.

use super::Violation;
use crate::catalogue::{WRITE_LIMIT, function_of};
use crate::events::{Answer, Event, Micros, Outcome, Process};
use crate::history::History;

/// *No call fails with the tier, and none waits for it longer than `timeout` for each operation*, whatever becomes of it;
/// nor for a fetch longer than `wait`. So each call has a limit, in faults as well. The times in which its process did not
/// run at all do not count.
///
/// No call fails: the origin never does. Each call is answered, and each write returns.
pub(crate) fn check(history: &History, violations: &mut Vec<Violation>) {
    let waited = |process: Process, begin: Micros, end: Micros| {
        (end - begin).saturating_sub(history.outages.stalled(process.slot, begin, end))
    };
    let mut broken =
        |rule, key: &str, at, what| violations.push(Violation { rule, key: key.to_owned(), at, what });
    for read in &history.reads {
        let Some(function) = function_of(&read.key) else { continue };
        let waited = waited(read.process, read.begin, read.end);
        match read.answer {
            Answer::Failed => {
                broken(
                    "a call has failed",
                    &read.key,
                    read.end,
                    format!("{} was given an error", read.process),
                );
            }
            Answer::Unanswered => {
                broken("a call is not answered", &read.key, read.begin, format!("of {}", read.process));
            }
            _ if waited > function.limit => {
                let what = format!("{} has waited for {} ms", read.process, waited / 1_000);
                broken("a caller above his limit", &read.key, read.begin, what);
            }
            _ => {}
        }
    }
    let ended = history.ended.unwrap_or_default();
    for event in &history.events {
        let Event::WriteBegan { at, process, key, number, .. } = event else { continue };
        let write = history.writes.values().flatten().find(|write| write.number == *number);
        let end = match write.and_then(|write| write.end) {
            Some((end, Outcome::Done | Outcome::Unreachable)) => end,
            None if history.killed.contains_key(process) => continue,
            None => ended.max(*at),
        };
        let waited = waited(*process, *at, end);
        if waited > WRITE_LIMIT {
            let what = format!("the write {number} of {process} has taken {} ms", waited / 1_000);
            broken("a write above its limit", key, *at, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::by_hand::{began, killed, read, violations, write};
    use crate::events::{Answer, Change, Event, MILLISECOND};

    fn verdict(events: Vec<Event>) -> Vec<&'static str> {
        violations(events, |history, _, broken| super::check(history, broken))
    }

    fn slow(key: &str, took: u64) -> Event {
        let Event::Read(mut slow) = read(10_000, 1, key, Answer::Stale, None) else { unreachable!() };
        slow.end += took * MILLISECOND;
        Event::Read(slow)
    }

    const FINE: [&str; 0] = [];

    #[test]
    fn a_call_has_its_limit() {
        let above = ["a caller above his limit"];
        assert_eq!(verdict(vec![slow("at_once:1", 1_900)]), FINE);
        assert_eq!(verdict(vec![slow("at_once:1", 2_100)]), above);
        assert_eq!(verdict(vec![slow("long:1", 3_900)]), FINE);
        assert_eq!(verdict(vec![slow("long:1", 4_100)]), above);
        let stalled = |slot| Event::Stalled { from: 10_100_000, to: 15_000_000, slot };
        assert_eq!(verdict(vec![slow("long:1", 8_000), stalled(Some(1))]), FINE);
        assert_eq!(verdict(vec![slow("long:1", 8_000), stalled(None)]), FINE);
        assert_eq!(verdict(vec![slow("long:1", 8_000), stalled(Some(2))]), above);
        assert_eq!(verdict(vec![slow("long:1", 9_000), stalled(Some(1))]), above);
    }

    #[test]
    fn a_call_is_answered() {
        assert_eq!(verdict(vec![read(10_000, 1, "long:1", Answer::Failed, None)]), ["a call has failed"]);
        assert_eq!(
            verdict(vec![read(10_000, 1, "long:1", Answer::Unanswered, None)]),
            ["a call is not answered"]
        );
    }

    #[test]
    fn a_write_returns() {
        let above = ["a write above its limit"];
        assert_eq!(verdict(write(10_000, 12_000, 1, "long:1", Change::Set, 7)), FINE);
        assert_eq!(verdict(write(10_000, 13_000, 1, "long:1", Change::Set, 7)), above);
        let begun = || began(10_000, 1, "long:1", Change::Set, 7);
        assert_eq!(verdict(vec![begun(), Event::Ended { at: 11_000_000 }]), FINE);
        assert_eq!(verdict(vec![begun(), Event::Ended { at: 20_000_000 }]), above);
        assert_eq!(verdict(vec![begun(), killed(10_100, 1), Event::Ended { at: 20_000_000 }]), FINE);
    }
}
