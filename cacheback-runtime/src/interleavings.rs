//! The races, one by one: engine, flights, executor and store under [shuttle], which decides at each lock, atomic and
//! await which task goes on.
//!
//! A scenario runs the library's own code. Stand-ins in `base/shims` replace locks and atomics, runtime, tasks and
//! timers, and moka. The clock moves only by [`advance`](crate::base::shims::tasks::advance). papaya is the real one,
//! and each call of it is one step.
//!
//! A scenario is run again and again, each time in another order. At its end the [`Stage`](stage::Stage) asserts the
//! invariants: every caller was answered, no key is held, no place is taken, the store keeps nothing that no read
//! finds, and every key can be fetched again.
//!
//! How to run them, and how to repeat one run: `tests/README.md`.

mod fleet;
mod origin;
mod stage;

mod coherence;
mod ends;
mod eviction;
mod lapses;
mod moves;
mod queue;
mod reads;
mod recovery;
mod shared;
mod trials;
#[cfg(feature = "worker")]
mod workers;
mod writes;

use std::env;
use std::panic;
use std::path::PathBuf;
use std::sync::Once;

use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};

/// How often each scenario is run. In half of the runs the order is random at each step. In the other half there are
/// few switches between tasks, which finds other races.
const SCHEDULES: usize = 10_000;

/// The message of a panic on purpose.
pub(crate) const ON_PURPOSE: &str = "on purpose";

/// Runs a scenario under many schedules, or under the one in the file that `CACHEBACK_SCHEDULE` names.
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
        // Back-offs are random too: the same in each run.
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

/// The folder for schedules that failed.
fn schedules() -> PathBuf {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/schedules"));
    std::fs::create_dir_all(&folder).expect("a folder for schedules");
    folder
}

/// shuttle takes each panic for a failure and writes its schedule. This makes an exception of panics on purpose.
fn panics_on_purpose_are_silent() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        // shuttle sets its hook in its first run.
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
