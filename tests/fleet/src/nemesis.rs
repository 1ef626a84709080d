//! The nemesis: a random fault each second, by a seed. What it does it notes in the log of the parent, with the times that
//! the checker needs.
//!
//! Faults of one process and faults of all alternate in a way that leaves something to check: a fault of all, or a loss,
//! is in the first seconds of a [`CYCLE`] alone, and in each cycle one half of the processes has no faults of its own. (One
//! of those is slow, but within its time-out: so messages overtake the answers to operations.)

use std::io;
use std::sync::Mutex;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::catalogue::TIMEOUT;
use crate::clock::now;
use crate::events::{Event, Lost, MILLISECOND, Micros, Reach};
use crate::fleet::{Fleet, Place};
use crate::group::Group;
use crate::proxy::{Failure, Which};

const CYCLE: Duration = Duration::from_secs(20);
/// Faults of all are in the first part of a cycle.
const OF_ALL: Duration = Duration::from_secs(4);

/// Operations that are as late as this in milliseconds are still within their time-out.
const SLOW: u64 = TIMEOUT / MILLISECOND / 2;

/// What waits is told in so much time over a slow way.
const AFTERWARDS: Duration = Duration::from_secs(3);

/// A replica is behind its master by less than this.
const UNTOLD: Micros = 500 * MILLISECOND;

/// A fault of one process.
#[derive(Clone, Copy, Debug)]
enum OfOne {
    Stopped,
    Killed,
    Network(Which, Failure),
    /// The way to the server of this number, of a cluster. The others can be reached.
    NetworkTo(usize, Which, Failure),
    /// Every key is written while the process is cut off, and read in a rush when it is not any more. The way is slow
    /// then: it takes many round trips until all of it is told.
    CutAndWritten,
}

/// A fault of all.
#[derive(Clone, Copy, Debug)]
enum OfAll {
    ServerStopped,
    ServerKilled,
    Flushed,
    VersionsEvicted,
    Failover,
    /// A master of a group, the one of this number, is stopped or killed until its replica has taken its place.
    MasterLost {
        number: usize,
        kills: bool,
    },
}

impl OfOne {
    fn any(random: &mut Rng) -> Self {
        let which = if random.bool() { Which::All } else { Which::Messages };
        match random.u8(..12) {
            0 => Self::Stopped,
            1 => Self::Killed,
            2 | 3 => Self::Network(which, Failure::Cut),
            4 | 5 => Self::Network(which, Failure::BlackHole),
            6 => Self::Network(which, Failure::Latency(random.u64(20..700))),
            7 => Self::Network(which, Failure::Garbage),
            8 | 9 => Self::CutAndWritten,
            _ => Self::Network(Which::Messages, Failure::Astray),
        }
    }
}

impl OfOne {
    /// What can happen to a process of a group: to the servers of some it goes by itself.
    fn of_group(self, group: &Group, random: &mut Rng) -> Self {
        let servers = group.ports().len();
        match self {
            Self::Network(which, failure) if servers > 0 && random.bool() => {
                Self::NetworkTo(random.usize(..servers), which, failure)
            }
            _ if servers > 0 => self,
            Self::Killed | Self::Stopped => self,
            Self::Network(Which::Messages | Which::Operations, _) => Self::Killed,
            Self::Network(Which::All, _) | Self::NetworkTo(..) | Self::CutAndWritten => Self::Stopped,
        }
    }
}

impl Which {
    /// What does not reach a process while these connections fail.
    fn reach(self) -> Reach {
        match self {
            Self::All => Reach::Everything,
            Self::Messages => Reach::Messages,
            Self::Operations => Reach::Nothing,
        }
    }
}

impl OfAll {
    /// What can happen to a group in the place of a fault of one server.
    fn of_group(self, random: &mut Rng) -> Self {
        match self {
            Self::Flushed | Self::VersionsEvicted => self,
            _ => Self::MasterLost { number: random.usize(..8), kills: random.bool() },
        }
    }

    fn any(random: &mut Rng) -> Self {
        match random.u8(..6) {
            0 => Self::ServerStopped,
            1 => Self::ServerKilled,
            2 | 3 => Self::Flushed,
            4 => Self::VersionsEvicted,
            _ => Self::Failover,
        }
    }
}

/// Which of the places, and the server, have a fault: none has two at once.
struct Busy {
    places: Vec<bool>,
    server: bool,
}

/// Brings about faults for so long. When it returns, all are over.
pub(crate) fn rage(fleet: &Fleet, random: &mut Rng, lasts: Duration) -> io::Result<usize> {
    let busy = Mutex::new(Busy { places: vec![false; fleet.places().len()], server: false });
    let failed = Mutex::new(Ok(()));
    let (began, mut faults) = (Instant::now(), 0);
    thread::scope(|scope| {
        let (busy, failed) = (&busy, &failed);
        let mut last = None;
        while began.elapsed() < lasts {
            let elapsed = began.elapsed();
            let cycle = (elapsed.as_secs() / CYCLE.as_secs()) as usize;
            if last.replace(cycle) != Some(cycle) {
                let slow = 2 * random.usize(..fleet.places().len() / 2) + 1 - cycle % 2;
                let latency = Failure::Latency(random.u64(20..SLOW));
                let slow_until = (CYCLE - Duration::from_secs(1)).min(lasts - elapsed);
                scope.spawn(move || {
                    let is_slow = OfOne::Network(Which::Operations, latency);
                    if let Err(error) = is_slow.happen(fleet, &fleet.places()[slow], slow_until) {
                        *failed.lock().unwrap() = Err(error);
                    }
                });
            }
            let is_of_all = elapsed.as_millis() % CYCLE.as_millis() < OF_ALL.as_millis() && random.bool();
            // All that is random is drawn here, so that a seed draws the same faults again.
            let (of_all, of_one) = (OfAll::any(random), OfOne::any(random));
            let (of_all, of_one) = match fleet.group() {
                None => (of_all, of_one),
                Some(group) => (of_all.of_group(random), of_one.of_group(group, random)),
            };
            let (halves, first) = (fleet.places().len() / 2, random.usize(..fleet.places().len() / 2));
            let longest = if random.u8(..3) > 0 { 800 } else { 3_000 };
            let lasts = Duration::from_millis(random.u64(100..longest));
            let pause = Duration::from_millis(random.u64(700..1_300));
            let mut is_busy = busy.lock().unwrap();
            let places = (first..first + halves).map(|place| 2 * (place % halves) + cycle % 2);
            let free = places.into_iter().find(|place| !is_busy.places[*place]);
            if is_of_all && !std::mem::replace(&mut is_busy.server, true) {
                faults += 1;
                scope.spawn(move || {
                    if let Err(error) = of_all.happen(fleet, lasts.min(Duration::from_secs(2))) {
                        *failed.lock().unwrap() = Err(error);
                    }
                    busy.lock().unwrap().server = false;
                });
            } else if let Some(place) = free {
                is_busy.places[place] = true;
                faults += 1;
                scope.spawn(move || {
                    if let Err(error) = of_one.happen(fleet, &fleet.places()[place], lasts) {
                        *failed.lock().unwrap() = Err(error);
                    }
                    busy.lock().unwrap().places[place] = false;
                });
            }
            drop(is_busy);
            sleep(pause);
        }
    });
    failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).map(|()| faults)
}

impl OfOne {
    fn happen(self, fleet: &Fleet, place: &Place, lasts: Duration) -> io::Result<()> {
        let from = now();
        let mut reach = Reach::Everything;
        match self {
            Self::Stopped => {
                place.stop();
                sleep(lasts);
                place.go_on();
                fleet.log.write(&Event::Stalled { from, to: now(), slot: Some(place.slot) });
            }
            Self::Killed => {
                fleet.kill(place);
                sleep(lasts);
                fleet.start_again(place, "load")?;
            }
            Self::CutAndWritten => {
                place.fail(Which::All, Failure::Cut);
                place.order("dark")?;
                // Within its time-out: that is no outage.
                place.fail(Which::Operations, Failure::Latency(SLOW));
                let (what, to) = (format!("{self:?}"), now());
                fleet.log.write(&Event::Outage { from, to, slot: Some(place.slot), reach, what });
                sleep(AFTERWARDS);
                place.heal();
                return Ok(());
            }
            Self::Network(which, failure) => {
                reach = which.reach();
                place.fail(which, failure);
                sleep(lasts);
                place.heal();
            }
            Self::NetworkTo(server, which, failure) => {
                reach = which.reach();
                let proxy = &place.proxies[server];
                proxy.fail(which, failure);
                sleep(lasts);
                proxy.heal();
            }
        }
        let what = format!("{self:?}");
        fleet.log.write(&Event::Outage { from, to: now(), slot: Some(place.slot), reach, what });
        Ok(())
    }
}

impl OfAll {
    fn happen(self, fleet: &Fleet, lasts: Duration) -> io::Result<()> {
        let (from, server, what) = (now(), fleet.server(), format!("{self:?}"));
        let outage = |from| {
            let (reach, what) = (Reach::Everything, format!("{self:?}"));
            fleet.log.write(&Event::Outage { from, to: now(), slot: None, reach, what });
        };
        let all = || {
            fleet
                .group()
                .map_or_else(|| vec![server.clone()], |group| group.masters().into_iter().cloned().collect())
        };
        match self {
            Self::MasterLost { number, kills } => {
                let Some(group) = fleet.group() else { return Ok(()) };
                group.fail_over(number, kills)?;
                // What it has confirmed just before, it may have told nobody of.
                fleet.log.write(&Event::Loss { at: now(), lost: Lost::WritesSince(from - UNTOLD), what });
                outage(from);
            }
            Self::ServerStopped => {
                server.stop();
                sleep(lasts);
                server.go_on();
                outage(from);
            }
            Self::ServerKilled => {
                server.kill();
                fleet.log.write(&Event::Loss { at: now(), lost: Lost::Everything, what });
                sleep(lasts);
                server.start_again()?;
                outage(from);
            }
            Self::Flushed => {
                for server in all() {
                    server.run::<()>("FLUSHALL").map_err(io::Error::other)?;
                }
                fleet.log.write(&Event::Loss { at: now(), lost: Lost::Everything, what });
            }
            Self::VersionsEvicted => {
                for server in all() {
                    let names: Vec<String> = server.run("KEYS cb1:t:*").map_err(io::Error::other)?;
                    for name in names {
                        server.run::<()>(&format!("DEL {name}")).map_err(io::Error::other)?;
                    }
                }
                fleet.log.write(&Event::Loss { at: now(), lost: Lost::Versions, what });
            }
            Self::Failover => {
                let replica = server.replica()?;
                // From here on its master's writes are lost.
                let from = now();
                replica.run::<()>("REPLICAOF NO ONE").map_err(io::Error::other)?;
                sleep(lasts.min(Duration::from_millis(300)));
                fleet.lead_to(replica);
                server.kill();
                fleet.log.write(&Event::Loss { at: now(), lost: Lost::WritesSince(from), what });
                outage(from);
            }
        }
        Ok(())
    }
}
