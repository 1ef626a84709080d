//! A shutdown, as fetches start and end.

use std::time::Duration;

use shuttle::future::block_on;
use shuttle::rand::{Rng, thread_rng};

use super::explore;
use super::origin::Act;
use super::stage::{Stage, join};
use crate::api::shutdown::shutdown;
use crate::executor::Settings;

/// Longer than any scenario.
const LONG: Duration = Duration::from_secs(1_000_000);

/// When it returns, no fetch runs that nobody waits for, and none starts later. Callers who wait are answered.
#[test]
fn shutdown_against_start() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        let reader = stage.spawn(|stage| stage.get(1));
        let waiter = stage.spawn(|stage| stage.get(2));
        let ended = stage.spawn(|stage| {
            let ended = block_on(shutdown(LONG));
            let runs = stage.versions.runs(1);
            assert_eq!(stage.versions.live(1), 0, "a refresh still runs");
            assert_eq!(ended.aborted, 0);
            runs
        });
        assert_eq!((reader.join().unwrap(), waiter.join().unwrap()), (Ok(1), Ok(1)));
        let runs = ended.join().unwrap();
        assert_eq!(stage.get(1).map(|_| stage.versions.runs(1)), Ok(runs), "a refresh was started");
        stage.settle();
        let stats = stage.stats();
        assert!(stats.refused + stats.skipped >= u64::from(runs == 0));
        assert_eq!(stage.get(3), Ok(1), "a caller who waits is still served");
        stage.settle();
    });
}

/// There are refreshes in the queue. They are refused, or callers who wait take them over.
#[test]
fn shutdown_against_a_queue() {
    explore(|| {
        let settings = Settings { max_refreshes: 1, ..Settings::default() };
        let stage = Stage::with(|_| {}, settings).stale(&[1, 2]);
        stage.versions.write(2);
        let readers = [1, 2].map(|key| stage.spawn(move |stage| stage.get(key)));
        let waiter = stage.spawn(|stage| stage.refresh(2));
        let ended = stage.spawn(|_| block_on(shutdown(LONG)));
        assert!(join(readers).iter().all(Result::is_ok));
        assert_eq!(waiter.join().unwrap(), Ok(2));
        assert_eq!(ended.join().unwrap().aborted, 0);
        stage.settle();
        assert_eq!(stage.version(2), Some(2));
    });
}

/// At the limit a refresh is aborted and its key is free again. A caller who waits keeps the fetch alive.
#[test]
fn the_limit_of_a_shutdown_against_a_waiter() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        stage.versions.act(&[Act::Hold]);
        let _ = stage.get(1);
        stage.versions.await_begun(1);
        let waiter = stage.spawn(|stage| stage.refresh(1));
        let ended = stage.spawn(|_| block_on(shutdown(Duration::ZERO)));
        let gate = stage.spawn(|stage| stage.versions.let_go());
        assert_eq!(waiter.join().unwrap(), Ok(1));
        gate.join().unwrap();
        let ended = ended.join().unwrap();
        assert!(ended.finished + ended.aborted <= 2, "{ended:?}");
        stage.settle();
        assert_eq!(stage.versions.live(1), 0);
    });
}

/// The same with a refresh that nobody waits for, and that never ends by itself.
#[test]
fn the_limit_of_a_shutdown_against_a_refresh() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        stage.versions.act(&[Act::Hold]);
        let reader = stage.spawn(|stage| stage.get(1));
        if thread_rng().r#gen() {
            stage.versions.await_begun(1);
        }
        let ended = block_on(shutdown(Duration::ZERO));
        assert!(ended.finished + ended.aborted <= 1, "{ended:?}");
        assert_eq!(reader.join().unwrap(), Ok(1));
        stage.settle();
        assert_eq!(stage.version(1), Some(1));
    });
}
