//! Two scripted runs, of what the origin has to bear: readers alone, and one fault.

use std::collections::BTreeMap;
use std::io;
use std::thread::sleep;
use std::time::Duration;

use crate::catalogue::{FUNCTIONS, function_of};
use crate::clock::now;
use crate::events::{Answer, Event, Lost, Micros, Reach, SECOND};
use crate::fleet::{Fleet, Place};
use crate::history::History;
use crate::log;
use crate::proxy::{Failure, Which};

/// All processes have every value that they read.
const WARM: Duration = Duration::from_secs(8);
/// Bodies are counted in spans of this length.
const SPAN: Micros = 10 * SECOND;
/// So many quiet spans come first.
const QUIET: Micros = 3;
/// After a fault there may be so many times the bodies of a quiet span.
const MOST: f64 = 1.1;
/// Of the bodies that are due in a span there have to be so many: otherwise the origin is dead, or nobody reads.
const LEAST: f64 = 0.5;
/// While each of four processes fetches for itself, there are so many times the bodies of a quiet span at least.
const LEAST_ALONE: f64 = 1.5;

fn wait(span: Micros) {
    sleep(Duration::from_micros(span));
}

/// A fleet of readers, and what it has logged.
fn play(fault: impl FnOnce(&Fleet) -> io::Result<Micros>) -> Result<(History, Micros), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let play = || {
        let fleet = Fleet::start(folder.path().to_owned(), None)?;
        fleet.order("hot")?;
        sleep(WARM);
        wait(QUIET * SPAN);
        let at = fault(&fleet)?;
        fleet.end()?;
        Ok(at)
    };
    let at = play().map_err(|error: io::Error| error.to_string())?;
    let events = log::read(folder.path()).map_err(|error| error.to_string())?;
    Ok((History::of(events), at))
}

/// How many bodies began in the span from here on.
fn bodies(history: &History, from: Micros) -> usize {
    history.bodies.values().flatten().filter(|body| (from..from + SPAN).contains(&body.at)).count()
}

/// How many bodies began in a quiet span before the fault, on average.
fn quiet_bodies(history: &History, fault: Micros) -> f64 {
    let all: usize = (1..=QUIET).map(|span| bodies(history, fault - span * SPAN)).sum();
    all as f64 / QUIET as f64
}

/// How many bodies are due in a span: one a lifetime of each key, if it is over within the span.
fn due_bodies() -> f64 {
    let functions = FUNCTIONS.iter().filter(|function| function.lifetime < SPAN);
    functions.map(|function| f64::from(function.keys) * SPAN as f64 / function.lifetime as f64).sum()
}

/// Whether the keys were fetched as ever before the fault and after it: no more often, and not hardly any more.
fn no_stampede(after: usize, quiet: f64) -> Result<(), String> {
    let (ratio, due) = (after as f64 / quiet.max(1.0), due_bodies());
    println!("that is {ratio:.2} of a quiet span, in which {due:.0} are due; {LEAST} to {MOST} are allowed");
    if quiet < LEAST * due {
        return Err(format!("{quiet:.0} bodies in a quiet span prove nothing"));
    }
    if ratio < LEAST {
        return Err("after the fault the origin is hardly asked any more".to_owned());
    }
    if ratio <= MOST { Ok(()) } else { Err("a stampede".to_owned()) }
}

/// Whether each process has fetched for itself during the cut.
fn was_cut(during: usize, quiet: f64) -> Result<(), String> {
    if during as f64 >= LEAST_ALONE * quiet {
        return Ok(());
    }
    Err(format!("{during} bodies during the cut: the processes were not cut off from each other"))
}

/// The server is cut off from all processes for ten seconds. In the ten seconds after that there are no more bodies than
/// in ten quiet ones, but for a tenth: the processes are soon connected, and until then each fetches for itself; what was
/// suspect is looked at, and most of it is trusted again.
pub(crate) fn cut() -> Result<(), String> {
    let (history, began) = play(|fleet| {
        let began = now();
        fleet.places().iter().for_each(|place| place.fail(Which::All, Failure::Cut));
        wait(SPAN);
        fleet.places().iter().for_each(Place::heal);
        let (what, reach) = ("Cut".to_owned(), Reach::Everything);
        fleet.log.write(&Event::Outage { from: began, to: now(), slot: None, reach, what });
        wait(SPAN + 5 * SECOND);
        Ok(began)
    })?;
    let healed = began + SPAN;
    let connected = history.events.iter().filter_map(|event| match event {
        Event::Linked { at, is_up: true, .. } if *at > began => Some(*at),
        _ => None,
    });
    let connected = connected.max().filter(|at| *at > healed).ok_or("the processes do not connect again")?;
    let quiet = quiet_bodies(&history, began);
    let [during, after, connected_all] = [began, healed, connected].map(|from| bodies(&history, from));
    println!("bodies in 10 s: quiet {quiet:.0}, cut off {during}, from the end of the cut on {after}");
    println!(
        "all are connected again {:.2} s after the end of the cut; bodies in the 10 s from then on: {connected_all}",
        (connected - healed) as f64 / 1e6
    );
    was_cut(during, quiet)?;
    no_stampede(after, quiet)
}

/// The server loses everything. The values of the processes answer, and each key is fetched by one of them when it is
/// due.
pub(crate) fn flush() -> Result<(), String> {
    let (history, flushed) = play(|fleet| {
        if fleet.server().run::<u64>("DBSIZE").map_err(io::Error::other)? == 0 {
            return Err(io::Error::other("the server has nothing to lose"));
        }
        let flushed = now();
        fleet.server().run::<()>("FLUSHALL").map_err(io::Error::other)?;
        fleet.log.write(&Event::Loss { at: now(), lost: Lost::Everything, what: "Flushed".to_owned() });
        wait(SPAN + SECOND);
        Ok(flushed)
    })?;
    let (quiet, after) = (quiet_bodies(&history, flushed), bodies(&history, flushed));
    let mut of_keys: BTreeMap<&str, usize> = BTreeMap::new();
    for (key, bodies) in &history.bodies {
        let lifetime = function_of(key).map_or(0, |function| function.lifetime);
        // With a tenth less, as the age of a value counts from before its body asks the origin.
        let first = flushed..flushed + lifetime - lifetime / 10;
        of_keys.insert(key, bodies.iter().filter(|body| first.contains(&body.at)).count());
    }
    let most = of_keys.values().copied().max().unwrap_or_default();
    let calls: Vec<_> = history.reads.iter().filter(|read| read.begin > flushed).collect();
    let waited = calls.iter().filter(|read| !matches!(read.answer, Answer::Fresh | Answer::Stale)).count();
    println!("bodies in 10 s: quiet {quiet:.0}, after the loss {after}");
    println!("most bodies of one key in the lifetime after the loss: {most}");
    println!("of {} calls after it, {waited} were not answered by a value that was there", calls.len());
    if calls.is_empty() {
        return Err("there were no calls after the loss".to_owned());
    }
    if most > 1 {
        return Err("more than one body of a key in a lifetime".to_owned());
    }
    if waited > 0 {
        return Err("a local value did not answer".to_owned());
    }
    no_stampede(after, quiet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_in_which_nothing_happens_fails() {
        assert!((due_bodies() - 180.0).abs() < 0.1);
        assert_eq!(no_stampede(180, 180.0), Ok(()));
        assert_eq!(no_stampede(196, 180.0), Ok(()));
        assert_eq!(no_stampede(204, 180.0), Err("a stampede".to_owned()));
        // A dead origin, from the beginning and after the fault, and readers who hardly read.
        assert!(no_stampede(0, 0.0).is_err());
        assert!(no_stampede(0, 180.0).is_err());
        assert!(no_stampede(40, 40.0).is_err());
    }

    #[test]
    fn a_cut_that_cuts_nobody_off_fails() {
        assert_eq!(was_cut(680, 180.0), Ok(()));
        assert!(was_cut(180, 180.0).is_err());
    }
}
