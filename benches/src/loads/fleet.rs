//! A fleet: what it asks of one server, from 1 to 10,000 processes.
//!
//! Simulated, with what each question and each message costs a real server.

use std::thread;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::runtime::Builder;

use super::callers::CALLERS;
use super::shared;
use crate::contenders::OURS;
use crate::contenders::shared::{Case, ours};
use crate::figure::Sink;
use crate::plan::Plan;
use crate::process;
use crate::server::{self, Server};
use crate::simulation::{self, Happened, World};
use crate::stats::median;

pub(crate) const NAME: &str = "fleet";
pub(crate) const SIZES: [usize; 9] = [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000];
pub(crate) const LIFETIME: Duration = Duration::from_secs(60);
pub(crate) const BODY: Duration = Duration::from_millis(200);
/// Calls of a process, each second.
pub(crate) const CALLS: f64 = 10.0;
pub(crate) const WAY: Duration = Duration::from_micros(300);
/// How often the data changes, if it does.
pub(crate) const CHANGES_EVERY: Duration = Duration::from_secs(20);
/// How often a subscription breaks, if it does.
pub(crate) const BREAKS_EVERY: Duration = Duration::from_secs(600);
/// How far a clock may be off, if it is.
pub(crate) const DRIFT: f64 = 200e-6;

/// The figures of a fleet. Those of a lifetime are of one key.
pub(crate) const BODIES: &str = "bodies a lifetime";
pub(crate) const COLD: &str = "bodies of the first lifetime";
pub(crate) const QUESTIONS: &str = "questions of a process a lifetime";
pub(crate) const MESSAGES: &str = "messages to a process a lifetime";
pub(crate) const LOOKS: &str = "looks, percent";
pub(crate) const STALE: &str = "stale, percent";
pub(crate) const OVERDUE_P99: &str = "past the lifetime, p99, ms";
pub(crate) const OUTDATED_MAX: &str = "outdated but fresh, worst, ms";

/// What one of them costs the server, in microseconds of its CPU.
pub(crate) const SERVER: &str = "server";
pub(crate) const QUESTION_COST: &str = "question";
pub(crate) const MESSAGE_COST: &str = "message";
/// With so many subscribers.
pub(crate) const SUBSCRIBERS: usize = 100;

/// What happens to the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    Changes,
    All,
}

impl Trouble {
    pub(crate) const ALL: [Self; 3] = [Self::None, Self::Changes, Self::All];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "nothing but time",
            Self::Changes => "changes",
            Self::All => "changes, lost messages, drifting clocks",
        }
    }

    fn world(self, processes: usize, lifetimes: u32) -> World {
        World {
            processes,
            lifetime: LIFETIME,
            body: BODY,
            calls: CALLS,
            way: WAY,
            drift: if self == Self::All { DRIFT } else { 0.0 },
            breaks_every: (self == Self::All).then_some(BREAKS_EVERY),
            changes_every: (self != Self::None).then_some(CHANGES_EVERY),
            // The first one is that of empty caches.
            length: LIFETIME * (lifetimes + 1),
        }
    }
}

pub(crate) fn case(trouble: Trouble, processes: usize) -> String {
    format!("{}|{processes}", trouble.name())
}

pub(super) fn parts(_: &Plan) -> Vec<String> {
    let mut parts: Vec<String> = Trouble::ALL.map(|trouble| trouble.name().to_owned()).to_vec();
    if server::is_there() {
        parts.push(SERVER.to_owned());
    } else {
        eprintln!("         no `redis-server` on this machine: what a fleet costs it is left out");
    }
    parts
}

pub(super) fn run(part: &str, plan: &Plan, sink: Sink) {
    match Trouble::ALL.into_iter().find(|trouble| trouble.name() == part) {
        Some(trouble) => simulate(trouble, plan, sink),
        None => measure(plan, sink),
    }
}

fn simulate(trouble: Trouble, plan: &Plan, sink: Sink) {
    process::works(OURS);
    for processes in SIZES {
        // Small fleets see fewer events in the same time.
        let lifetimes = plan.scaled(if processes < 1_000 { 400 } else { 40 }) as u32;
        let happened = simulation::run(trouble.world(processes, lifetimes), 1);
        report(&case(trouble, processes), processes, &happened, sink);
    }
    process::nobody_works();
}

fn report(case: &str, processes: usize, happened: &Happened, sink: Sink) {
    let lifetimes = happened.length.as_secs_f64() / LIFETIME.as_secs_f64();
    let put = |metric, value| sink.put(case, OURS, metric, value);
    let of_a_process = |count: u64| count as f64 / lifetimes / processes as f64;
    let percent = |count: u64| 100.0 * count as f64 / happened.samples as f64;
    put(BODIES, happened.bodies as f64 / lifetimes);
    put(COLD, happened.first_bodies as f64);
    put(QUESTIONS, of_a_process(happened.questions));
    put(MESSAGES, of_a_process(happened.delivered));
    put(LOOKS, percent(happened.looks));
    put(STALE, percent(happened.stale));
    let ms = |times: &Histogram<u64>, quantile| times.value_at_quantile(quantile) as f64 / 1e3;
    put(OVERDUE_P99, ms(&happened.overdue, 0.99));
    put(OUTDATED_MAX, ms(&happened.outdated, 1.0));
}

/// What the server pays for questions and messages.
fn measure(plan: &Plan, sink: Sink) {
    process::works(OURS);
    let put = |metric, values: &[f64]| sink.put(SERVER, OURS, metric, median(values));
    put(QUESTION_COST, &questions(plan));
    put(MESSAGE_COST, &messages(plan));
    process::nobody_works();
}

/// Refreshes of stale values of 1 KiB, each of which asks twice: one takes the lease, the other one stores.
fn questions(plan: &Plan) -> Vec<f64> {
    let mut server = Server::start();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let runtime = Builder::new_multi_thread().worker_threads(cores).enable_all().build().expect("a runtime");
    let subject = ours(Case::Refresh, &server.url(0));
    let cpu = shared::cpu_of_a_call(&runtime, &subject, Case::Refresh, CALLERS[1], plan, &mut server);
    cpu.into_iter().map(|of_a_refresh| of_a_refresh * 1e6 / 2.0).collect()
}

/// Messages of the size that a change of a key has, to many subscribers.
fn messages(plan: &Plan) -> Vec<f64> {
    const LENGTH: usize = 100;
    let mut server = Server::start();
    let client = redis::Client::open(server.url(0)).expect("an address");
    let subscribers: Vec<thread::JoinHandle<()>> = (0..SUBSCRIBERS)
        .map(|_| {
            let mut connection = client.get_connection().expect("a connection");
            thread::spawn(move || {
                let mut subscription = connection.as_pubsub();
                subscription.subscribe("messages").expect("a subscription");
                while subscription.get_message().is_ok_and(|message| message.get_payload_bytes() != b"end") {}
            })
        })
        .collect();
    let mut publisher = client.get_connection().expect("a connection");
    let mut publish = |payload: &[u8], times: usize| {
        let mut all = redis::pipe();
        (0..times).for_each(|_| {
            all.cmd("PUBLISH").arg("messages").arg(payload);
        });
        all.query::<Vec<usize>>(&mut publisher).expect("an answer")
    };
    while publish(b"is anybody missing?", 1) != [SUBSCRIBERS] {
        thread::sleep(Duration::from_millis(1));
    }
    let count = plan.scaled(400) as usize;
    let costs = (0..plan.rounds)
        .map(|_| {
            let before = server.counts();
            publish(&[b'.'; LENGTH], count);
            (server.counts() - before).cpu * 1e6 / (count * SUBSCRIBERS) as f64
        })
        .collect();
    publish(b"end", 1);
    subscribers.into_iter().for_each(|subscriber| subscriber.join().expect("a subscriber"));
    costs
}
