//! A process that forks while it uses a server, with a change that waits: the child begins with connections of its own.

#![cfg(target_os = "linux")]

mod support;

use std::fs::File;
use std::thread;
use std::time::Duration;

use cacheback::shared::{Redis, TierStatus, status};
use cacheback::{Source, cacheback};
use pollster::block_on;
use support::{Server, wait_until};

#[path = "../../support/fork.rs"]
mod fork;

#[cacheback(shared, fetch_on_miss, lifetime = 600)]
async fn doubled(number: u64) -> u64 {
    number * 2
}

fn looked_up(number: u64) -> (u64, Source) {
    let looked = block_on(doubled::entry(number).lookup());
    (looked.value, looked.source)
}

fn tier() -> TierStatus {
    status().remove(0)
}

/// This test is alone in its program: no other may be inside of the library when it forks.
#[test]
fn a_forked_child_has_connections_of_its_own() {
    let Some(server) = Server::start(&[]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let [forked, listening] = ["forked", "listening"].map(|name| folder.path().join(name));
    let redis = Redis::new(&server.url()).unwrap().timeout(Duration::from_secs(1));
    cacheback::configure().shared(redis).apply().unwrap();
    assert_eq!(looked_up(1), (2, Source::Fetched));
    assert!(tier().connected);
    let stopped = 4;
    server.stop();
    block_on(doubled::entry(stopped).set(44)).unwrap_err();
    assert_eq!(tier().pending, 1);

    let ended = thread::scope(|scope| {
        // In the parent, and not inside of the library before the child is there.
        scope.spawn(|| {
            wait_until("there is no child", || forked.exists());
            server.go_on();
            wait_until("the child does not listen", || listening.exists());
            wait_until("the server is not back", || tier().connected && tier().pending == 0);
            block_on(doubled::entry(1).set(100)).unwrap();
        });
        fork::in_a_child(|| {
            assert_eq!(tier().pending, 0, "what waits is the parent's");
            File::create(&forked).unwrap();
            assert_eq!(looked_up(1), (2, Source::Local), "it has what its parent had");
            wait_until("it has no connection", || tier().connected);
            assert_eq!(looked_up(2), (4, Source::Fetched), "and works");
            wait_until("it does not listen", || tier().losses > 0);
            File::create(&listening).unwrap();
            wait_until("it does not hear of a change", || looked_up(1).0 == 100);
        })
    });
    assert_eq!(ended, 0, "the child failed or hung");
    assert_eq!(looked_up(2), (4, Source::Shared), "the child has stored it");
    assert_eq!(looked_up(stopped).0, 44, "and has not undone what waited");
}
