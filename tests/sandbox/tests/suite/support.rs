//! The sandbox, started by the command that its users type.

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::sleep;

/// What has not come about after so long will not. Nothing waits for as long if it does.
const PATIENCE: Duration = Duration::from_secs(60);

/// A sandbox. Its processes are killed with it, as one of the tests shows.
pub(crate) struct Sandbox {
    child: Child,
    /// What it prints is read to the end, or it could print no more.
    _output: Lines<BufReader<ChildStdout>>,
    /// Where it puts its temporary directory.
    pub(crate) folder: TempDir,
    /// The address of the page.
    pub(crate) url: String,
}

impl Sandbox {
    /// `cargo run --example sandbox -- --serve` and other arguments.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO"));
        command.args(["run", "--quiet", "--example", "sandbox", "--", "--serve"]).args(arguments);
        command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        command.env("TMPDIR", folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        // What cargo has set for this package is not for another one.
        for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_PKG")) {
            command.env_remove(variable);
        }
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = output.next_line().await.unwrap().expect("the sandbox has started");
        let place =
            first.find("http://127.0.0.1:").unwrap_or_else(|| panic!("no address on loopback: {first}"));
        Self { child, _output: output, folder, url: first[place..].to_owned() }
    }

    fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid().cast_signed()).unwrap(), signal).unwrap();
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap()
    }

    /// Its processes, and theirs.
    pub(crate) fn processes(&self) -> Vec<u32> {
        descendants(self.pid())
    }
}

/// The processes that a process has started, and those that they have.
pub(crate) fn descendants(pid: u32) -> Vec<u32> {
    let all = processes();
    let mut found = vec![pid];
    for place in 0.. {
        let Some(&parent) = found.get(place) else { break };
        found.extend(all.iter().filter(|process| process.parent == parent).map(|process| process.pid));
    }
    found.split_off(1)
}

/// Whether the program is on this machine. If not, says so; if `needed` is set in the environment, that is an error.
pub(crate) fn is_there(program: &str, needed: &str) -> bool {
    let there = std::process::Command::new(program).arg("--version").output();
    let there = there.is_ok_and(|output| output.status.success());
    if !there {
        let missing = format!("no `{program}` on this machine: a test of the sandbox is skipped");
        assert!(std::env::var_os(needed).is_none(), "{missing}");
        eprintln!("{missing}");
    }
    there
}

/// A process that has not ended.
struct Running {
    pid: u32,
    parent: u32,
}

/// All processes of this machine, by `/proc`.
fn processes() -> Vec<Running> {
    let stats = std::fs::read_dir("/proc").unwrap().flatten();
    let stats = stats.filter_map(|process| std::fs::read_to_string(process.path().join("stat")).ok());
    let running = stats.filter_map(|stat| {
        // The name stands in brackets, and may have spaces.
        let (head, tail) = stat.rsplit_once(')')?;
        let pid = head.split(' ').next()?.parse().ok()?;
        let mut tail = tail.split_whitespace();
        // A zombie has ended.
        let has_ended = tail.next()? == "Z";
        let parent = tail.next()?.parse().ok()?;
        (!has_ended).then_some(Running { pid, parent })
    });
    running.collect()
}

/// Waits until none of these processes runs.
pub(crate) async fn are_gone(pids: &[u32]) {
    wait_until("the processes have ended", async || {
        !processes().iter().any(|process| pids.contains(&process.pid))
    })
    .await;
}

/// Waits for something that comes about by itself.
pub(crate) async fn wait_until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}");
        sleep(Duration::from_millis(50)).await;
    }
}
