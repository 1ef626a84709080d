//! What a process has been told of, it does not serve in an older form as fresh.

use super::{Tally, Violation};
use crate::catalogue::TIMEOUT;
use crate::events::{Answer, Change, Lost, Made, Micros, Outcome, Process, Read};
use crate::history::{History, Write};
use crate::outages::LOST;

/// *What one process has changed, no other serves as fresh after one message. If the message is lost, it is no longer
/// than 4 s plus `timeout`.* The process that has made the change serves nothing older from its return on.
///
/// So: a fresh answer to a call has at least the version of each write of its key that was completed, and that the
/// caller's process must have known of when the call began. What is excused:
///
/// - A write that has not ended. One that the tier could not be told of holds in its process at once, and elsewhere when
///   it was delivered: *when the tier is back*, and if its process lives until then.
/// - A `set` that was not over when the other write began may have come after it, and then it stands.
/// - A server that loses all that it had, loses the writes that a process was not told of by then: *local values answer*.
///   In the same way the versions of a function are lost with their key, and `clear` with them. A failover loses the last
///   writes, and what was there before is there again.
///
/// An answer that a call has waited for (`Fetched`) is held against the same: a fetch that began before the change is not
/// joined any more once the change is known.
pub(crate) fn check(history: &History, tally: &mut Tally, violations: &mut Vec<Violation>) {
    for read in &history.reads {
        let Read { answer: answer @ (Answer::Fresh | Answer::Fetched), value: Some(value), .. } = read else {
            continue;
        };
        for write in history.writes_of(&read.key) {
            let Some(known) = known_by(history, write, read.process).filter(|known| *known <= read.begin)
            else {
                continue;
            };
            tally.writes_known += 1;
            if write.version <= value.version || may_have_come_later(history, value, write) {
                continue;
            }
            let ago = (read.begin - known) / 1_000;
            let Write { change, version, process, .. } = write;
            violations.push(Violation {
                rule: match answer {
                    Answer::Fresh => "older than a completed write, and served as fresh",
                    _ => "older than a completed write, and fetched",
                },
                key: read.key.clone(),
                at: read.begin,
                what: format!(
                    "{} was given version {} as `{answer:?}`, {ago} ms after it had to know of version {version} \
                     ({change:?} by {process})",
                    read.process, value.version
                ),
            });
            break;
        }
    }
}

/// From when on a process must know of a write. `None`: it need not.
fn known_by(history: &History, write: &Write, process: Process) -> Option<Micros> {
    let (end, outcome) = write.end?;
    let is_own = write.process == process;
    let known = match outcome {
        _ if is_own => end,
        Outcome::Done => history.outages.due(process.slot, end),
        Outcome::Unreachable => history.outages.due(process.slot, delivered_by(history, write, end)?),
    };
    let started = history.started.get(&process).copied().unwrap_or_default();
    let is_lost = history.losses.iter().any(|loss| match loss.lost {
        Lost::Everything => write.begin <= loss.at && loss.at < known,
        Lost::Versions => {
            let is_of_all = matches!(write.change, Change::Clear | Change::InvalidateAll);
            is_of_all && write.begin <= loss.at && (loss.at < known || loss.at < started)
        }
        Lost::WritesSince(since) => write.begin <= loss.at && since <= end,
    });
    (!is_lost).then_some(known.max(started))
}

/// When a change that waits is delivered at the latest. `None`: it is lost with its process.
fn delivered_by(history: &History, write: &Write, end: Micros) -> Option<Micros> {
    // Perhaps only its answer was lost, and the link is not known to be.
    let delivered = history.outages.due(write.process.slot, end) + LOST;
    let killed = history.killed.get(&write.process);
    killed.is_none_or(|killed| *killed > delivered).then_some(delivered)
}

/// Whether a value was set by a write that may have come after this one.
fn may_have_come_later(history: &History, value: &Made, write: &Write) -> bool {
    let is_origin = |own: &&Write| own.change == Change::Set && own.number == value.number;
    let Some(set) = history.writes_of(&value.key).iter().find(is_origin) else { return false };
    let at_the_latest = match set.end {
        Some((end, Outcome::Done)) => end,
        // It may have been sent, and carried out within its deadline.
        Some((end, Outcome::Unreachable)) => end + 2 * TIMEOUT,
        None => history.killed.get(&set.process).copied().unwrap_or(Micros::MAX).saturating_add(2 * TIMEOUT),
    };
    at_the_latest >= write.begin
}

#[cfg(test)]
mod tests {
    use super::super::by_hand::{
        began, body, ended, fresh, killed, loss, outage, read, set, started, violations, write,
    };
    use crate::events::{Answer, Change, Event, Lost, Outcome, Reach};

    const STALE: &[&str] = &["older than a completed write, and served as fresh"];
    const FINE: &[&str] = &[];

    /// Process 1 removes a value of version 0 from 10 s to 10.1 s. What if process 2 is given it so many milliseconds
    /// after that?
    fn given(at: u64, more: Vec<Event>) -> Vec<&'static str> {
        let removed = write(10_000, 10_100, 1, "long:1", Change::Remove, 7);
        let value = vec![body(1_000, 1, "long:1", 0, 5), fresh(10_100 + at, 2, "long:1", 0, 5)];
        violations([removed, value, more].concat(), super::check)
    }

    #[test]
    fn a_change_is_known_after_one_message() {
        assert_eq!(given(0, vec![]), FINE);
        assert_eq!(given(499, vec![]), FINE);
        assert_eq!(given(500, vec![]), STALE);
        // In the process that has made it, at once.
        let own = |at, version| {
            let removed = write(10_000, 10_100, 1, "long:1", Change::Remove, 7);
            violations([removed, vec![fresh(at, 1, "long:1", version, 9)]].concat(), super::check)
        };
        assert_eq!(own(10_050, 0), FINE);
        assert_eq!(own(10_100, 0), STALE);
        assert_eq!(own(10_100, 7), FINE);
        for change in [Change::Set, Change::Invalidate] {
            let changed = write(10_000, 10_100, 1, "long:1", change, 7);
            assert_eq!(
                violations([changed, vec![fresh(12_000, 2, "long:1", 0, 9)]].concat(), super::check),
                STALE
            );
        }
        // One of all keys of a function.
        for change in [Change::Clear, Change::InvalidateAll] {
            let changed = write(10_000, 10_100, 1, "cleared", change, 7);
            let events =
                [changed, vec![fresh(12_000, 2, "cleared:3", 0, 9), fresh(12_000, 2, "long:3", 0, 8)]];
            assert_eq!(violations(events.concat(), super::check), STALE);
        }
    }

    #[test]
    fn only_what_is_called_fresh_has_to_be() {
        let removed = || write(10_000, 10_100, 1, "long:1", Change::Remove, 7);
        for (answer, verdict) in [
            (Answer::Stale, FINE),
            (Answer::Empty, FINE),
            (Answer::Fresh, STALE),
            (Answer::Fetched, &["older than a completed write, and fetched"][..]),
        ] {
            let answered = read(12_000, 2, "long:1", answer, Some((0, 5)));
            assert_eq!(violations([removed(), vec![answered]].concat(), super::check), verdict, "{answer:?}");
        }
    }

    #[test]
    fn an_outage_excuses_until_it_is_made_up_for() {
        let cut = |slot| outage(10_050, 12_000, slot, Reach::Everything);
        assert_eq!(given(8_000, vec![cut(Some(2))]), FINE);
        assert_eq!(given(8_000, vec![cut(None)]), FINE);
        assert_eq!(given(8_000, vec![cut(Some(3))]), STALE);
        assert_eq!(given(9_400, vec![cut(Some(2))]), STALE);
        // Messages alone: the tier can be asked.
        let deaf = outage(10_050, 60_000, Some(2), Reach::Messages);
        assert_eq!(given(4_900, vec![deaf.clone()]), FINE);
        assert_eq!(given(5_000, vec![deaf]), STALE);
        // A process that began after the write has nothing from before.
        let value = vec![started(10_300, 2), cut(Some(2)), fresh(12_000, 2, "long:1", 0, 5)];
        let removed = write(10_000, 10_100, 1, "long:1", Change::Remove, 7);
        assert_eq!(violations([removed, value].concat(), super::check), FINE);
    }

    #[test]
    fn a_write_without_an_end_proves_nothing() {
        let fresh = || fresh(30_000, 2, "long:1", 0, 5);
        let begun = || began(10_000, 1, "long:1", Change::Remove, 7);
        assert_eq!(violations(vec![begun(), fresh()], super::check), FINE);
        assert_eq!(violations(vec![begun(), ended(10_100, 7, Outcome::Done), fresh()], super::check), STALE);
    }

    #[test]
    fn a_write_that_waits_is_delivered() {
        let told = |outcome| vec![began(10_000, 1, "long:1", Change::Remove, 7), ended(10_100, 7, outcome)];
        let verdict = |at, slot, more: Vec<Event>| {
            let value = vec![fresh(at, slot, "long:1", 0, 5)];
            violations([told(Outcome::Unreachable), more, value].concat(), super::check)
        };
        let cut = || outage(9_000, 12_000, Some(1), Reach::Everything);
        // In its own process it holds at once; elsewhere when it was delivered, after the outage of its process.
        assert_eq!(verdict(10_200, 1, vec![cut()]), STALE);
        assert_eq!(verdict(20_000, 2, vec![cut()]), FINE);
        assert_eq!(verdict(26_000, 2, vec![cut()]), STALE);
        assert_eq!(verdict(26_000, 2, vec![cut(), killed(12_500, 1)]), FINE);
        assert_eq!(verdict(26_000, 2, vec![cut(), killed(25_900, 1)]), STALE);
        assert_eq!(verdict(26_000, 2, vec![cut(), outage(24_000, 26_000, Some(2), Reach::Everything)]), FINE);
    }

    #[test]
    fn a_set_that_overlaps_may_stand() {
        let removed = || write(10_000, 10_100, 1, "long:1", Change::Remove, 7);
        let value = || vec![fresh(20_000, 2, "long:1", 6, 6)];
        let verdict = |set: Vec<Event>| violations([removed(), set, value()].concat(), super::check);
        assert_eq!(verdict(set(9_000, 9_900, 3, "long:1", 6)), STALE);
        assert_eq!(verdict(set(9_000, 10_050, 3, "long:1", 6)), FINE);
        assert_eq!(verdict(set(9_000, 15_000, 3, "long:1", 6)), FINE);
        let begun = |at| began(at, 3, "long:1", Change::Set, 6);
        assert_eq!(verdict(vec![begun(9_000), ended(9_100, 6, Outcome::Unreachable)]), FINE);
        assert_eq!(verdict(vec![begun(8_000), ended(8_100, 6, Outcome::Unreachable)]), STALE);
        assert_eq!(verdict(vec![begun(8_000), killed(8_100, 3)]), STALE);
        assert_eq!(verdict(vec![begun(8_000), killed(9_100, 3)]), FINE);
        // A body is older than each write that began after the value's version was there.
        assert_eq!(
            violations([removed(), vec![body(9_999, 3, "long:1", 6, 6)], value()].concat(), super::check),
            STALE
        );
    }

    #[test]
    fn what_a_server_has_lost_nobody_can_know() {
        // Lost before the message can have arrived, and after.
        assert_eq!(given(1_000, vec![loss(10_200, Lost::Everything)]), FINE);
        assert_eq!(given(1_000, vec![loss(10_600, Lost::Everything)]), STALE);
        assert_eq!(given(1_000, vec![loss(9_900, Lost::Everything)]), STALE);
        let cut = || outage(10_050, 12_000, Some(2), Reach::Everything);
        assert_eq!(given(15_000, vec![cut(), loss(11_000, Lost::Everything)]), FINE);
        assert_eq!(given(15_000, vec![cut()]), STALE);
        assert_eq!(given(15_000, vec![cut(), loss(11_000, Lost::Versions)]), STALE);
        // A failover.
        assert_eq!(given(15_000, vec![loss(10_300, Lost::WritesSince(10_050_000))]), FINE);
        assert_eq!(given(15_000, vec![loss(10_300, Lost::WritesSince(10_200_000))]), STALE);
        // The versions of a function.
        let cleared = || write(10_000, 10_100, 1, "cleared", Change::Clear, 7);
        let value = || vec![fresh(25_000, 2, "cleared:1", 0, 5)];
        let lost = |at| vec![loss(at, Lost::Versions)];
        assert_eq!(violations([cleared(), lost(10_200), value()].concat(), super::check), FINE);
        assert_eq!(violations([cleared(), lost(10_700), value()].concat(), super::check), STALE);
        // By a process that was not there yet.
        let later = vec![started(11_000, 2)];
        assert_eq!(
            violations([cleared(), lost(10_700), later.clone(), value()].concat(), super::check),
            FINE
        );
        assert_eq!(violations([cleared(), lost(11_700), later, value()].concat(), super::check), STALE);
    }
}
