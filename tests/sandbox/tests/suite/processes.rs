//! How the processes of the sandbox end.

use crate::support::{Sandbox, are_gone, is_there};
use rustix::process::Signal;

#[tokio::test]
async fn ctrl_c_ends_every_process_and_leaves_no_file() {
    let mut sandbox = Sandbox::start(&[]).await;
    let processes = sandbox.processes();
    assert_eq!(processes.len(), 3, "two web processes and a worker");
    sandbox.signal(Signal::INT);
    assert!(sandbox.ended().await.success());
    are_gone(&processes).await;
    assert_eq!(std::fs::read_dir(sandbox.folder.path()).unwrap().count(), 0, "nothing is left of it");
}

#[tokio::test]
async fn no_process_outlives_a_sandbox_that_was_killed() {
    let mut sandbox = Sandbox::start(&[]).await;
    let processes = sandbox.processes();
    assert_eq!(processes.len(), 3);
    sandbox.signal(Signal::KILL);
    sandbox.ended().await;
    are_gone(&processes).await;
}

#[tokio::test]
async fn no_server_outlives_a_sandbox_that_was_killed() {
    if !is_there("redis-server", "CACHEBACK_NEEDS_SERVERS") {
        return;
    }
    let mut sandbox = Sandbox::start(&["--redis"]).await;
    let processes = sandbox.processes();
    assert_eq!(processes.len(), 5, "a server and its keeper too");
    sandbox.signal(Signal::KILL);
    sandbox.ended().await;
    are_gone(&processes).await;
}
