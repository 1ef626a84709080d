//! The races, looked at one by one: engine, flights, executor and store under [shuttle], which decides at each lock,
//! atomic and await who goes on.
//!
//! What runs is the library's own code. Stand-ins, all in here, are: locks and atomics (`sync`), runtime, tasks and
//! timers (`tasks`), the clock, which only [`advance`](tasks::advance) moves, and moka (`moka`). papaya is the real one,
//! each call of it one step.
//!
//! A scenario is run again and again, each time another way. At its end the [`Stage`](stage::Stage) asserts what
//! always holds: everybody was answered, no key is held, no place is taken, nothing is kept that nobody finds, and every
//! key can be fetched anew.
//!
//! How to run them, and how to repeat one run: `tests/README.md`.

mod stage;

mod ends;
mod eviction;
mod lapses;
mod moves;
mod queue;
mod reads;
mod trials;
mod writes;

use std::env;
use std::panic;
use std::path::PathBuf;
use std::sync::Once;

use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};

/// So often each scenario is run, half of the times in an order that is random at each step, half of them with few
/// changes between tasks, which finds other things.
const SCHEDULES: usize = 10_000;

/// A panic on purpose says this.
pub(crate) const ON_PURPOSE: &str = "on purpose";

/// Runs a scenario under many schedules, or under the one of `CACHEBACK_SCHEDULE`, a file.
fn explore(scenario: impl Fn() + Clone + Send + Sync + 'static) {
    panics_on_purpose_are_silent();
    if let Ok(file) = env::var("CACHEBACK_SCHEDULE") {
        let replay = ReplayScheduler::new_from_file(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        return run(replay, scenario);
    }
    let schedules = env::var("CACHEBACK_SCHEDULES").map_or(SCHEDULES, |text| text.parse().expect("a number"));
    run(RandomScheduler::new(schedules.div_ceil(2)), scenario.clone());
    for depth in [2, 3, 5] {
        run(PctScheduler::new(depth, schedules.div_ceil(6)), scenario.clone());
    }
}

fn run(scheduler: impl Scheduler + 'static, scenario: impl Fn() + Send + Sync + 'static) {
    Runner::new(scheduler, config()).run(move || {
        // Chance decides about back-offs too: the same one each time.
        fastrand::seed(1);
        scenario();
    });
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.silence_warnings = true;
    config.failure_persistence = FailurePersistence::File(Some(schedules()));
    config
}

/// Where a schedule that failed is written.
fn schedules() -> PathBuf {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/schedules"));
    std::fs::create_dir_all(&folder).expect("a folder for schedules");
    folder
}

/// shuttle takes each panic for a failure, and writes its schedule: not one that a scenario wants.
fn panics_on_purpose_are_silent() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        // Its hook is there from its first run on.
        Runner::new(RandomScheduler::new(1), config()).run(|| {});
        let failure = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let message = info.payload().downcast_ref::<String>();
            let on_purpose = message.is_some_and(|message| message.contains(ON_PURPOSE));
            if !on_purpose {
                failure(info);
            }
        }));
    });
}
