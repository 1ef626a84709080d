//! What may happen to the queue in a SQLite file: it is deleted, has no more room, and holds what nobody has put there.

mod support;

use std::fs;

use support::workers::{fetches, first, reads, serves, staffed, web, worker};
use support::{File, Origin, Process, wait_until};

/// Its lines are those of the new file.
#[test]
fn a_worker_goes_on_in_a_file_that_was_made_anew() {
    let (file, origin) = (File::new(), Origin::start());
    let mut web = web(&origin, &file.url());
    first(&mut web, "key");
    let _worker = worker(&origin, &file.url(), 4);
    staffed(&mut web, 1);
    reads(&mut web, "key", 2);
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(file.beside(end));
    }
    wait_until("the worker has no jobs in the new file", || {
        web.ask("get queued key");
        !["Unreachable", "done=0 "].iter().any(|word| web.ask("queues").contains(word))
            && web.ask("queues").contains("workers=1 ")
    });
}

/// It is dropped, and the worker goes on.
#[test]
fn a_job_of_another_version_that_lies_in_a_line_is_not_run() {
    let (file, origin) = (File::new(), Origin::start());
    let mut web = web(&origin, &file.url());
    let mut killed = serves(&origin, &file.url(), 4, "queued,queued_anew");
    staffed(&mut web, 1);
    killed.kill();
    for (function, key, waiting) in [("queued", "one", 1), ("queued_anew", "other", 2)] {
        web.ask(&format!("get {function} {key}"));
        let is_there = |lines: &str| lines.matches("length=1 under_way=0").count() == waiting;
        wait_until("the job does not wait", || is_there(&web.ask("queues")));
    }
    let sql = "UPDATE loads SET (sum, job) = (SELECT sum, job FROM loads ORDER BY number LIMIT 1)";
    assert_eq!(file.connection().execute(sql, ()).unwrap(), 2);
    let worker = serves(&origin, &file.url(), 4, "queued,queued_anew");
    worker.logs("it is of another version of the function");
    wait_until("it does not run the other one", || web.ask("queues").contains("done=1 "));
    assert_eq!(origin.runs("one").len(), 1);
}

/// Values keep most of the file, and what finds no room on the queue is fetched where it is asked for.
#[test]
fn jobs_have_a_part_of_the_file_and_no_more() {
    let (file, origin) = (File::new(), Origin::start());
    // The log of a small file is soon full, and a slow disk takes its time to carry it over.
    let options = ["timeout=5000", "max_bytes=4MiB"];
    let mut web = Process::start(&origin, &file.url(), &options);
    let mut killed = Process::start(&origin, &file.url(), &[&options[..], &["jobs=1"]].concat());
    killed.logs("worker started");
    staffed(&mut web, 1);
    // It counts as a worker for 15 s, and takes no job.
    killed.kill();
    let keys: Vec<_> = (0..20).map(|number| format!("{number}{}", "x".repeat(60_000))).collect();
    for key in &keys {
        web.ask(&format!("get queued {key}"));
        web.ask("settle");
    }
    web.logs("its jobs have all the room that they may have");
    let (jobs, fetched): (i64, _) = (
        file.connection().query_row("SELECT count(*) FROM jobs", (), |row| row.get(0)).unwrap(),
        fetches(&mut web),
    );
    assert_eq!(jobs, 13, "of 60,000 bytes in a quarter of three MiB");
    assert_eq!(fetched, format!("fetches={}", 20 - jobs));
    assert!(file.bytes() <= 4 << 20);
    assert!(file.is_whole());
}
