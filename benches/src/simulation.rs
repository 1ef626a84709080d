//! A fleet in simulated time: one key in many processes, and the server that they share.
//!
//! What a process and the server decide is decided by the library's own code (`cacheback_runtime::simulation`). This is
//! the world around them: callers, clocks that drift, ways that take time, subscriptions that break, and an origin
//! whose data changes. It is a discrete-event simulation: nothing takes any time but that which an event takes.
//!
//! Callers come as a Poisson process. So how long it takes until the next one comes does not depend on when the last one
//! came, and no event is needed for a read that changes nothing. What such reads get is seen by samples at random times.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use cacheback_runtime::simulation::{Answer, Holding, News, Next, Question, Served, Server, policy};
use hdrhistogram::Histogram;

use crate::zipf::Random;

/// A fleet and its troubles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    pub(crate) processes: usize,
    pub(crate) lifetime: Duration,
    /// How long the body of the function takes.
    pub(crate) body: Duration,
    /// Calls of a process, each second.
    pub(crate) calls: f64,
    /// The median of the way of a question, an answer or a message; one in a hundred takes ten times as long.
    pub(crate) way: Duration,
    /// The clock of a process is faster or slower by up to this share.
    pub(crate) drift: f64,
    /// A subscription breaks once in this time on average, and messages are lost until that is noticed: up to
    /// [`UNNOTICED`].
    pub(crate) breaks_every: Option<Duration>,
    /// The data of the origin changes once in this time on average, and the process that has changed it invalidates the
    /// key.
    pub(crate) changes_every: Option<Duration>,
    /// How long the simulation lasts.
    pub(crate) length: Duration,
}

/// A process looks every two seconds whether messages still arrive, and waits twice as long for one.
const UNNOTICED: Duration = Duration::from_secs(4);
/// How many random reads are looked at in all.
const SAMPLES: f64 = 200_000.0;

/// What has happened, after the first lifetime.
#[derive(Debug)]
pub(crate) struct Happened {
    /// Over how long.
    pub(crate) length: Duration,
    pub(crate) bodies: u64,
    /// Bodies of the first lifetime, which began with empty caches everywhere.
    pub(crate) first_bodies: u64,
    /// Questions that the server answered.
    pub(crate) questions: u64,
    /// Messages that arrived, each at one process.
    pub(crate) delivered: u64,
    pub(crate) samples: u64,
    /// Samples that would have waited for a look.
    pub(crate) looks: u64,
    /// Samples with a stale value.
    pub(crate) stale: u64,
    /// By how much the age of the value of a sample exceeded the lifetime, in microseconds.
    pub(crate) overdue: Histogram<u64>,
    /// For how long the value of a sample had been known to be changed when it was served as a fresh one, in
    /// microseconds, and 0 for all other samples.
    pub(crate) outdated: Histogram<u64>,
}

/// One thing that is going to happen.
enum Event {
    /// A caller comes, unless something has happened in this process since that was planned.
    Call {
        process: usize,
        plan: u64,
    },
    Question {
        process: usize,
        question: Question,
    },
    Answer {
        process: usize,
        answer: Answer,
    },
    Message {
        process: usize,
        news: News,
    },
    BodyEnds {
        process: usize,
        flight: u64,
        version: u64,
    },
    Change,
    Break {
        process: usize,
    },
    Mended {
        process: usize,
    },
    Sample,
}

struct Process {
    holding: Holding,
    /// Which of the planned calls counts.
    plan: u64,
    /// The clock: what it showed at the start, and its rate.
    offset: f64,
    rate: f64,
    /// When the last thing arrives that was sent: on a connection nothing overtakes.
    there: u64,
    back: u64,
    messages: u64,
    is_deaf: bool,
}

impl Process {
    fn clock(&self, now: u64) -> u64 {
        (self.offset + now as f64 * self.rate) as u64
    }

    /// The time at which its clock shows this. Rounded up: an event may come a little late, and never too early.
    fn time(&self, clock: u64) -> u64 {
        ((clock as f64 - self.offset) / self.rate).max(0.0) as u64 + 1_000
    }
}

struct Simulation {
    world: World,
    random: Random,
    now: u64,
    events: BinaryHeap<Reverse<(u64, u64)>>,
    /// What happens, by the number of the event.
    pending: HashMap<u64, Event>,
    number: u64,
    processes: Vec<Process>,
    server: Server,
    /// When the body of each value began.
    versions: Vec<u64>,
    changes: Vec<u64>,
    happened: Happened,
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

/// Runs a world from an empty cache on. The same seed gives the same events.
pub(crate) fn run(world: World, seed: u64) -> Happened {
    let mut simulation = Simulation::new(world, seed);
    let (first, last) = (nanos(world.lifetime), nanos(world.length));
    let mut is_counted = false;
    while let Some(Reverse((time, number))) = simulation.events.pop() {
        if time > last {
            break;
        }
        if !is_counted && time > first {
            let first_bodies = simulation.happened.bodies;
            let length = Duration::from_nanos(last - first);
            simulation.happened = Happened { first_bodies, ..Happened::nothing(length) };
            is_counted = true;
        }
        simulation.now = time;
        if let Some(event) = simulation.pending.remove(&number) {
            simulation.happens(event);
        }
    }
    simulation.happened
}

impl Simulation {
    fn new(world: World, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let options = policy(world.lifetime, world.lifetime * 100, Duration::ZERO);
        let processes = (0..world.processes)
            .map(|_| Process {
                holding: Holding::new(options),
                plan: 0,
                // A process has been running for up to a day.
                offset: 1e9 + random.unit() * 86_400e9,
                rate: 1.0 + (random.unit() * 2.0 - 1.0) * world.drift,
                there: 0,
                back: 0,
                messages: 0,
                is_deaf: false,
            })
            .collect();
        let mut simulation = Self {
            world,
            random,
            now: 0,
            events: BinaryHeap::new(),
            pending: HashMap::new(),
            number: 0,
            processes,
            server: Server::new(),
            versions: Vec::new(),
            changes: Vec::new(),
            happened: Happened::nothing(world.length),
        };
        for process in 0..world.processes {
            simulation.plan(process);
            simulation.plan_a_break(process);
        }
        simulation.plan_a_change();
        simulation.plan_a_sample();
        simulation
    }

    fn at(&mut self, time: u64, event: Event) {
        self.number += 1;
        self.events.push(Reverse((time, self.number)));
        self.pending.insert(self.number, event);
    }

    /// A random time, exponentially distributed.
    fn after(&mut self, mean: f64) -> u64 {
        (-mean * (1.0 - self.random.unit()).ln()) as u64
    }

    /// The time that one way takes: log-normal, with the 99th percentile at ten times the median.
    fn way(&mut self) -> u64 {
        let [u, v] = [1.0 - self.random.unit(), self.random.unit()];
        // By Box and Muller; 2.326 standard deviations are the 99th percentile.
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        (nanos(self.world.way) as f64 * (normal * 10f64.ln() / 2.326).exp()) as u64
    }

    /// Plans the next call that does something.
    fn plan(&mut self, process: usize) {
        let wait = self.after(1e9 / self.world.calls);
        let now = self.now;
        let one = &mut self.processes[process];
        one.plan += 1;
        let plan = one.plan;
        if let Some(from) = one.holding.acts_from(one.clock(now)) {
            let from = one.time(from).max(now);
            self.at(from + wait, Event::Call { process, plan });
        }
    }

    fn plan_a_break(&mut self, process: usize) {
        if let Some(mean) = self.world.breaks_every {
            let time = self.now + self.after(nanos(mean) as f64);
            self.at(time, Event::Break { process });
        }
    }

    fn plan_a_change(&mut self) {
        if let Some(mean) = self.world.changes_every {
            let time = self.now + self.after(nanos(mean) as f64);
            self.at(time, Event::Change);
        }
    }

    fn plan_a_sample(&mut self) {
        let time = self.now + self.after(nanos(self.world.length) as f64 / SAMPLES);
        self.at(time, Event::Sample);
    }

    fn ask(&mut self, process: usize, question: Question) {
        let arrives = self.now + self.way();
        let there = &mut self.processes[process].there;
        *there = arrives.max(*there + 1);
        let time = *there;
        self.at(time, Event::Question { process, question });
    }

    fn next(&mut self, process: usize, next: Next) {
        match next {
            Next::Ended => {}
            Next::Ask(question) => self.ask(process, question),
            Next::Body(flight) => {
                self.happened.bodies += 1;
                let version = self.versions.len() as u64;
                self.versions.push(self.now);
                let time = self.now + nanos(self.world.body);
                self.at(time, Event::BodyEnds { process, flight, version });
            }
        }
    }

    fn happens(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Call { process, plan } => {
                let random = self.random.next();
                let one = &mut self.processes[process];
                if one.plan != plan {
                    return;
                }
                let (_, question) = one.holding.read(one.clock(now), random);
                if let Some(question) = question {
                    self.ask(process, question);
                }
                self.plan(process);
            }
            Event::Question { process, question } => {
                self.happened.questions += 1;
                let (answer, news) = self.server.answer(now, question);
                let arrives = now + self.way();
                let back = &mut self.processes[process].back;
                *back = arrives.max(*back + 1);
                let time = *back;
                self.at(time, Event::Answer { process, answer });
                if let Some(news) = news {
                    self.publish(news);
                }
            }
            Event::Answer { process, answer } => {
                let random = self.random.next();
                let one = &mut self.processes[process];
                let (next, _) = one.holding.answered(one.clock(now), answer, random);
                self.next(process, next);
                self.plan(process);
            }
            Event::Message { process, news } => {
                let one = &mut self.processes[process];
                if !one.is_deaf {
                    one.holding.told(news);
                    self.happened.delivered += 1;
                    self.plan(process);
                }
            }
            Event::BodyEnds { process, flight, version } => {
                let one = &mut self.processes[process];
                if let Some(question) = one.holding.fetched(one.clock(now), flight, version) {
                    self.ask(process, question);
                }
                self.plan(process);
            }
            Event::Change => {
                self.changes.push(now);
                let process = (self.random.next() % self.processes.len() as u64) as usize;
                let random = self.random.next();
                let one = &mut self.processes[process];
                let (change, refresh) = one.holding.invalidate(one.clock(now), random);
                self.ask(process, change);
                if let Some(question) = refresh {
                    self.ask(process, question);
                }
                self.plan(process);
                self.plan_a_change();
            }
            Event::Break { process } => {
                self.processes[process].is_deaf = true;
                let unnoticed = (self.random.unit() * nanos(UNNOTICED) as f64) as u64;
                self.at(now + unnoticed, Event::Mended { process });
            }
            Event::Mended { process } => {
                let one = &mut self.processes[process];
                one.is_deaf = false;
                one.holding.lost_messages();
                self.plan(process);
                self.plan_a_break(process);
            }
            Event::Sample => {
                self.sample();
                self.plan_a_sample();
            }
        }
    }

    fn publish(&mut self, news: News) {
        for process in 0..self.processes.len() {
            let arrives = self.now + self.way();
            let messages = &mut self.processes[process].messages;
            *messages = arrives.max(*messages + 1);
            let time = *messages;
            self.at(time, Event::Message { process, news });
        }
    }

    /// A look at what a caller would get now.
    fn sample(&mut self) {
        let process = (self.random.next() % self.processes.len() as u64) as usize;
        let now = self.now;
        let one = &self.processes[process];
        let served = one.holding.peek(one.clock(now));
        let happened = &mut self.happened;
        happened.samples += 1;
        let (mut overdue, mut outdated) = (0, 0);
        match served {
            Served::Later => happened.looks += 1,
            Served::Empty => {}
            Served::Value { version, fresh } => {
                happened.stale += u64::from(!fresh);
                let began = self.versions[version as usize];
                overdue = (now - began).saturating_sub(nanos(self.world.lifetime));
                let changed = self.changes.partition_point(|&change| change < began);
                if let (true, Some(change)) = (fresh, self.changes.get(changed)) {
                    outdated = now - change;
                }
            }
        }
        happened.overdue.record(overdue / 1_000).expect("room");
        happened.outdated.record(outdated / 1_000).expect("room");
    }
}

impl Happened {
    fn nothing(length: Duration) -> Self {
        let histogram = || Histogram::new(3).expect("three digits");
        Self {
            length,
            bodies: 0,
            first_bodies: 0,
            questions: 0,
            delivered: 0,
            samples: 0,
            looks: 0,
            stale: 0,
            overdue: histogram(),
            outdated: histogram(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIMES: u32 = 50;

    fn quiet(processes: usize) -> World {
        World {
            processes,
            lifetime: Duration::from_secs(60),
            body: Duration::from_millis(200),
            calls: 10.0,
            way: Duration::from_micros(300),
            drift: 0.0,
            breaks_every: None,
            changes_every: None,
            length: Duration::from_secs(60) * (LIFETIMES + 1),
        }
    }

    #[test]
    fn a_quiet_fleet_runs_one_body_a_lifetime() {
        for processes in [1, 10, 100] {
            let happened = run(quiet(processes), 3);
            assert_eq!(happened.first_bodies, 1, "{processes}");
            // From the start of one body to that of the next it is a lifetime, and a little more.
            assert!((LIFETIMES - 1..=LIFETIMES).contains(&(happened.bodies as u32)), "{happened:?}");
            assert_eq!(happened.outdated.max(), 0, "{processes}");
        }
    }

    #[test]
    fn a_change_is_seen_after_the_way_of_a_message_and_a_lost_one_after_four_seconds() {
        let changing = World { changes_every: Some(Duration::from_secs(5)), ..quiet(30) };
        let told = run(changing, 3);
        assert!((1..100_000).contains(&told.outdated.max()), "{:?}", told.outdated.max());
        let lossy = World { breaks_every: Some(Duration::from_secs(30)), drift: 0.01, ..changing };
        let lost = run(lossy, 3);
        assert!((1_000_000..4_100_000).contains(&lost.outdated.max()), "{:?}", lost.outdated.max());
    }

    #[test]
    fn a_seed_gives_the_same_events_each_time() {
        let counts = |seed| {
            let world = World { changes_every: Some(Duration::from_secs(5)), ..quiet(10) };
            let Happened { bodies, questions, delivered, looks, .. } = run(world, seed);
            [bodies, questions, delivered, looks]
        };
        assert_eq!(counts(1), counts(1));
        assert_ne!(counts(1), counts(2));
    }
}
