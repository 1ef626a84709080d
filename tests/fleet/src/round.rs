//! A round: a fleet of its own, faults, the time in which they heal, and the checks. A longer run is many of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::clock::now;
use crate::events::Event;
use crate::fleet::Fleet;
use crate::group::Kind;
use crate::history::History;
use crate::log;
use crate::nemesis;
use crate::rules::{Tally, check};
use crate::story;

/// Of each round, before and after the faults.
const WARM: Duration = Duration::from_secs(2);
/// What is left of the faults heals within so long, and each change that has waited is known to all: it is delivered,
/// and its message may be lost. Nothing is written meanwhile, which could hide that one was lost.
const HEALING: Duration = Duration::from_secs(14);
/// Each key is read by every process, and then again after its last write.
const CALM: Duration = Duration::from_secs(3);
const AFTER_LAST_WRITE: Duration = Duration::from_secs(4);
/// The faults of a round last so long: two cycles of the nemesis.
const FAULTS: Duration = Duration::from_secs(40);
/// So many broken promises of a round are told.
const TOLD: usize = 2;

/// Rounds for so many seconds, the first with this seed.
pub(crate) fn chaos(seconds: u64, seed: Option<u64>, kind: Option<Kind>) -> Result<(), String> {
    let lasts = Duration::from_secs(seconds);
    let (began, mut seed) = (Instant::now(), seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000)));
    let (mut all, mut rounds) = (Tally::default(), 0);
    let around = WARM + HEALING + CALM + AFTER_LAST_WRITE;
    while rounds == 0 || began.elapsed() + around + Duration::from_secs(5) < lasts {
        let left = lasts.saturating_sub(began.elapsed() + around);
        let (faults, tally) = round(seed, left.min(FAULTS), kind).map_err(|why| {
            format!("{why}\n\nrepeat it: cargo run --release -p cacheback-fleet -- {seconds} --seed {seed}")
        })?;
        println!("{:>5} s  seed {seed}: {faults} faults; {tally}", began.elapsed().as_secs());
        all.add(tally);
        (seed, rounds) = (seed + 1, rounds + 1);
    }
    println!("{rounds} rounds, and no promise was broken: {all}");
    Ok(())
}

fn round(seed: u64, lasts: Duration, kind: Option<Kind>) -> Result<(usize, Tally), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let faults = play(seed, lasts, folder.path(), kind)
        .map_err(|error| format!("the round of seed {seed} failed: {error}"));
    let events = log::read(folder.path()).map_err(|error| error.to_string())?;
    let history = History::of(events);
    match (faults, check(&history)) {
        (Ok(faults), Ok(tally)) => Ok((faults, tally)),
        (faults, Err(violations)) => {
            let mut why = format!("{} broken promises, seed {seed}\n", violations.len());
            let mut told = BTreeSet::new();
            for violation in &violations {
                if told.len() < TOLD && told.insert((violation.rule, &violation.key)) {
                    let _ = write!(why, "\n{}\n", story::tell(&history, violation));
                }
            }
            let mut rules: BTreeMap<_, usize> = BTreeMap::new();
            violations.iter().for_each(|violation| *rules.entry(violation.rule).or_default() += 1);
            let _ = writeln!(why, "\n{rules:?}");
            if let Err(error) = faults {
                why.push_str(&error);
            }
            let kept = folder.keep();
            Err(format!("{why}the logs are in {}", kept.display()))
        }
        (Err(error), Ok(_)) => {
            let kept = folder.keep();
            Err(format!("{error}; the logs are in {}", kept.display()))
        }
    }
}

fn play(seed: u64, lasts: Duration, folder: &std::path::Path, kind: Option<Kind>) -> std::io::Result<usize> {
    fs::create_dir_all(folder)?;
    let fleet = Fleet::start(folder.to_owned(), kind)?;
    fleet.order("load")?;
    sleep(WARM);
    let faults = nemesis::rage(&fleet, &mut Rng::with_seed(seed), lasts)?;
    fleet.order("read")?;
    sleep(HEALING);
    fleet.order("sweep")?;
    fleet.log.write(&Event::Calm { at: now() });
    sleep(CALM);
    fleet.places()[0].order("write")?;
    fleet.log.write(&Event::LastWritten { at: now() });
    sleep(AFTER_LAST_WRITE);
    fleet.end()?;
    Ok(faults)
}
