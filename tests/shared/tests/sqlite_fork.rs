//! A process that forks while it uses a file: the child works without it, and the parent goes on.

#![cfg(target_os = "linux")]

use std::thread::sleep;
use std::time::Duration;

use cacheback::shared::{Sqlite, status};
use cacheback::{Source, cacheback};
use pollster::block_on;

#[path = "../../support/fork.rs"]
mod fork;

#[cacheback(shared, fetch_on_miss)]
async fn doubled(number: u64) -> u64 {
    number * 2
}

fn source(number: u64) -> Source {
    block_on(doubled::entry(number).lookup()).source
}

/// This test is alone in its program: no other may be inside of the library when it forks.
#[test]
fn a_forked_child_leaves_the_file_of_its_parent_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.sqlite");
    let file = || Sqlite::open(&path).map(|file| file.timeout(Duration::from_secs(5)));
    cacheback::configure().shared(file().unwrap()).apply().unwrap();
    assert_eq!(source(1), Source::Fetched);
    assert!(status()[0].connected);
    let entries = || {
        let db = rusqlite::Connection::open(&path).unwrap();
        db.query_row("SELECT count(*) FROM entries", (), |row| row.get::<_, i64>(0)).unwrap()
    };

    let ended = fork::in_a_child(|| {
        assert_eq!(source(1), Source::Local, "it has what its parent had");
        assert_eq!(source(2), Source::Fetched, "and works");
        assert!(!status()[0].connected);
        let refused = file().map(drop).unwrap_err().to_string();
        assert!(refused.contains("this process was forked from one that uses it"), "{refused}");
    });
    assert_eq!(ended, 0, "the child failed or hung");

    assert_eq!(entries(), 1, "the child has stored nothing");
    assert_eq!(source(3), Source::Fetched);
    while entries() < 2 {
        sleep(Duration::from_millis(1));
    }
}
