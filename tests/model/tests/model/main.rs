//! The library against a model of its contract: random sequences of calls, writes, faults and time, on a paused clock.
//!
//! `oracle` is the contract, `world` the real cache, and `case` is drawn at random. Both play the same case, step by
//! step, and are compared after each. A case that fails shrinks to a small one, which is printed, and which the next
//! run plays first.
//!
//! `PROPTEST_CASES` sets the number of cases.

use std::fmt::Debug;

use cacheback::testing;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};
use tokio::runtime::Builder;

mod case;
mod oracle;
mod world;
use case::{Case, End, How, Options, Step, case};
use oracle::{Answer, CallId, Oracle, Outcome, Time, Value};
use world::{Told, World};

const CASES: u32 = 6_000;

#[test]
fn promise_4_the_cache_does_what_its_contract_says() {
    let seeds = concat!(env!("CARGO_TARGET_TMPDIR"), "/model-failures.txt");
    let mut config = Config {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(seeds))),
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    let mut runner = TestRunner::new(config);
    if let Err(failure) = runner.run(&case(), |case| play(&case).map_err(TestCaseError::fail)) {
        panic!("{failure}\n(its seed is in {seeds})");
    }
}

/// Plays a case. `Err` says at which step cache and contract disagree, and how.
fn play(case: &Case) -> Result<(), String> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let _own = testing::isolate();
        fastrand::seed(case.chance);
        let mut play = Play::new(case);
        for (number, step) in case.steps.iter().enumerate() {
            play.step(step).await.map_err(|difference| format!("step {number}, {step:?}: {difference}"))?;
        }
        play.close().await.map_err(|difference| format!("at the end: {difference}"))
    })
}

/// A case that is played, by both.
struct Play {
    oracle: Oracle,
    world: World,
    options: Options,
    /// Numbers values, errors and panics.
    serial: usize,
    next_call: CallId,
    evicted: u64,
}

impl Play {
    fn new(case: &Case) -> Self {
        Self {
            oracle: Oracle::new(case.options),
            world: World::new(&case.options),
            options: case.options,
            serial: 0,
            next_call: 0,
            evicted: 0,
        }
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match *step {
            Step::Call { key, how } => {
                if how != How::Refresh {
                    self.pass_doubt(key).await?;
                }
                let id = self.call_id();
                self.oracle.call(id, key, how);
                self.world.call(id, key, how);
            }
            Step::Cancel { call } => {
                let Some(id) = nth(&self.oracle.waiting(), call) else { return Ok(()) };
                self.oracle.cancel(id);
                self.world.cancel(id);
            }
            Step::End { body, end } => {
                let Some(body) = nth(&self.oracle.running(), body) else { return Ok(()) };
                let outcome = self.outcome(end);
                self.oracle.end(body, outcome);
                self.world.end(body, outcome);
            }
            Step::Set { key, lasting, kept } => {
                let value = self.value(lasting, kept);
                self.oracle.set(key, value);
                self.world.set(key, value).await;
            }
            Step::SetEqual { key } => {
                let Some(value) = self.oracle.stored(key) else { return Ok(()) };
                self.oracle.set(key, value);
                self.world.set(key, value).await;
            }
            Step::Invalidate { key } => {
                self.pass_doubt(key).await?;
                self.oracle.invalidate(key);
                self.world.invalidate(key).await;
            }
            Step::InvalidateAll => {
                self.oracle.invalidate_all();
                self.world.invalidate_all().await;
            }
            Step::Take { key } => {
                let taken = self.oracle.take(key).map(|value| value.serial);
                same("the value that is taken", self.world.take(key).await, taken)?;
            }
            Step::Remove { key } => {
                self.oracle.remove(key);
                self.world.remove(key).await;
            }
            Step::Clear => {
                self.oracle.clear();
                self.world.clear().await;
            }
            Step::Pass(span) => return self.pass_to(self.oracle.now() + span).await,
            Step::PassTo { key, edge, beside } => {
                let Some(edge) = nth(&self.oracle.edges(key), edge) else { return Ok(()) };
                return self.pass_to(edge.saturating_add_signed(beside)).await;
            }
            Step::Settle => {
                let id = self.call_id();
                self.oracle.settle(id);
                self.world.settle(id);
            }
            Step::Shutdown { limit } => {
                let id = self.call_id();
                self.oracle.shutdown(id, limit);
                self.world.shutdown(id, limit);
            }
        }
        self.compare().await
    }

    /// Nothing is left: every body ends, every call is answered, and every key can be fetched again.
    async fn close(&mut self) -> Result<(), String> {
        while let Some(body) = self.oracle.running().first().copied() {
            let outcome = self.outcome(End::Value);
            self.oracle.end(body, outcome);
            self.world.end(body, outcome);
            self.compare().await?;
        }
        same("the calls that wait at the end", self.oracle.waiting(), Vec::new())?;
        self.step(&Step::Settle).await?;
        for key in 0..self.options.keys {
            let runs = self.oracle.counts().fetches;
            self.step(&Step::Call { key, how: How::Refresh }).await?;
            self.step(&Step::End { body: 0, end: End::Value }).await?;
            same("the runs of its body at the end", self.oracle.counts().fetches, runs + 1)?;
        }
        self.step(&Step::Clear).await?;
        self.step(&Step::Settle).await
    }

    async fn pass_to(&mut self, moment: Time) -> Result<(), String> {
        loop {
            let event = self.oracle.next_event().filter(|event| *event < moment);
            let next = event.unwrap_or(moment).max(self.oracle.now());
            self.world.pass_to(next).await;
            self.oracle.pass_to(next);
            self.compare().await.map_err(|difference| format!("at {next} ms: {difference}"))?;
            if event.is_none() {
                return Ok(());
            }
        }
    }

    /// Waits until the next answer is certain, if it depends on chance.
    async fn pass_doubt(&mut self, key: usize) -> Result<(), String> {
        while let Some(until) = self.oracle.doubt(key) {
            self.pass_to(until).await?;
        }
        Ok(())
    }

    /// Everything that can be seen of the cache is as the oracle says.
    async fn compare(&mut self) -> Result<(), String> {
        let Self { oracle, world, .. } = self;
        world.run_ready().await;

        let expected = oracle.answers();
        let mut answers = world.answers().await;
        for (id, expected) in &expected {
            let Some(told) = answers.remove(id) else {
                return Err(format!("call {id} hangs, and should be answered {expected:?}"));
            };
            let expected = match (told, *expected) {
                // The other calls do not tell their status. The counters do.
                (Told::Value(_), Answer::Call { returned, .. } | Answer::Refresh(returned)) => {
                    Told::Value(returned)
                }
                (_, expected) => Told::Answer(expected),
            };
            same(&format!("the answer of call {id}"), told, expected)?;
        }
        if let Some((id, told)) = answers.first_key_value() {
            return Err(format!("call {id} should wait, and was answered {told:?}"));
        }
        same("the calls that wait", world.waiting(), oracle.waiting())?;

        let mut began = world.began();
        let mut expected = oracle.begun();
        began.sort_unstable();
        expected.sort_unstable();
        same("the keys whose bodies began", began.iter().map(|(key, _)| *key).collect(), expected)?;
        for (key, body) in began {
            oracle.number(key, body);
        }
        let mut running = oracle.running();
        running.sort_unstable();
        same("the bodies that run", world.running(), running)?;

        // This comes first: counting brings the bound up to date.
        let kept = world.kept().await;
        if kept > self.options.capacity {
            return Err(format!("{kept} values are kept, and the capacity is {}", self.options.capacity));
        }
        let (counts, evicted) = world.counts();
        self.evictions(evicted).await?;
        let Self { oracle, world, .. } = self;
        for key in 0..self.options.keys {
            same(&format!("the value of key {key}"), world.peek(key).await, oracle.peek(key))?;
        }
        same("the counters", counts, oracle.counts())
    }

    /// Believes the evictions, if the cache was full and no newcomer was evicted.
    async fn evictions(&mut self, evicted: u64) -> Result<(), String> {
        let Self { oracle, world, .. } = self;
        let newcomers = oracle.just_stored();
        let before = std::mem::replace(&mut self.evicted, evicted);
        if evicted == before {
            return Ok(());
        }
        if self.options.keys <= self.options.capacity {
            return Err(format!("{} were evicted, and there is room", evicted - before));
        }
        let mut gone = Vec::new();
        for key in 0..self.options.keys {
            if oracle.peek(key).is_some() && world.peek(key).await.is_none() {
                gone.push(key);
            }
        }
        if gone.len() as u64 > evicted - before {
            return Err(format!("keys {gone:?} are gone, and {} were evicted", evicted - before));
        }
        if let Some(key) = gone.iter().find(|key| newcomers.contains(key)) {
            return Err(format!("key {key} was stored and evicted at once"));
        }
        oracle.evicted(&gone);
        Ok(())
    }

    fn outcome(&mut self, end: End) -> Outcome {
        match end {
            End::Value => Outcome::Value(self.value(None, None)),
            End::Lasting(span) => Outcome::Value(self.value(Some(span), None)),
            End::Kept(span) => Outcome::Value(self.value(None, Some(span))),
            End::Error => Outcome::Error(self.serial()),
            End::Panic => Outcome::Panic(self.serial()),
        }
    }

    fn value(&mut self, lasting: Option<Time>, kept: Option<Time>) -> Value {
        let lasting = lasting.filter(|_| self.options.has_lifetime_for());
        Value { serial: self.serial(), lasting, kept }
    }

    fn serial(&mut self) -> usize {
        self.serial += 1;
        self.serial
    }

    fn call_id(&mut self) -> CallId {
        self.next_call += 1;
        self.next_call
    }
}

/// The element of this number, where the count wraps.
fn nth<T: Copy>(all: &[T], number: usize) -> Option<T> {
    (!all.is_empty()).then(|| all[number % all.len()])
}

fn same<T: PartialEq + Debug>(what: &str, is: T, should: T) -> Result<(), String> {
    if is == should { Ok(()) } else { Err(format!("{what}: is {is:?}, should be {should:?}")) }
}
