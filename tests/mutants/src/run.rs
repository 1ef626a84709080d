//! The tests of the copy: built once, and run one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A binary with tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// `tests/suite`.
    Suite,
    /// The tests within the runtime, with those of SQLite and of queues.
    Runtime,
    /// `tests/real-clock/tests/runtimes.rs`.
    Runtimes,
    /// `tests/shared/tests/workers.rs`, over a real Redis.
    Servers,
    /// The program of `tests/fleet`: a test is its arguments.
    Fleet,
}

impl Target {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Suite => &["--test", "suite"],
            Self::Runtime => &["-p", "cacheback-runtime", "--lib", "--features", "sqlite,worker,test-util"],
            Self::Runtimes => &["-p", "cacheback-real-clock-tests", "--test", "runtimes"],
            Self::Servers => &["-p", "cacheback-shared-tests", "--test", "workers"],
            Self::Fleet => &["-p", "cacheback-fleet", "--bins"],
        }
    }

    /// Whether it is a program, and no binary with tests.
    fn is_program(self) -> bool {
        self == Self::Fleet
    }

    /// Whether it starts a `redis-server`, and takes its time.
    pub(crate) fn needs_server(self) -> bool {
        matches!(self, Self::Servers | Self::Fleet)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Suite => "tests/suite",
            Self::Runtime => "cacheback-runtime",
            Self::Runtimes => "tests/real-clock",
            Self::Servers => "tests/shared",
            Self::Fleet => "tests/fleet",
        })
    }
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    Hung,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "passes",
            Self::Failed => "fails",
            Self::Hung => "hangs",
        })
    }
}

pub(crate) struct Binaries(BTreeMap<Target, PathBuf>);

impl Binaries {
    /// Builds these targets of the workspace at `root`. Dependencies that `target_dir` has already are not built again.
    pub(crate) fn build(
        root: &Path,
        target_dir: &Path,
        targets: impl Iterator<Item = Target>,
    ) -> Result<Self, String> {
        let targets: BTreeSet<_> = targets.collect();
        let built = |target| Ok((target, build(root, target_dir, target)?));
        targets.into_iter().map(built).collect::<Result<_, String>>().map(Self)
    }

    /// Whether there is a test of this name.
    pub(crate) fn has(&self, target: Target, test: &str) -> bool {
        if target.is_program() {
            return true;
        }
        let listed = Command::new(&self.0[&target]).args([test, "--exact", "--list"]).output();
        listed.is_ok_and(|listed| String::from_utf8_lossy(&listed.stdout).contains(&format!("{test}: test")))
    }

    /// Runs one test with a mutation on, or with none.
    pub(crate) fn run(
        &self,
        target: Target,
        test: &str,
        mutation: Option<&str>,
        limit: Duration,
    ) -> io::Result<Outcome> {
        let mut command = Command::new(&self.0[&target]);
        match target.is_program() {
            true => command.args(test.split(' ')),
            false => command.args([test, "--exact"]),
        };
        command.stdout(Stdio::null()).stderr(Stdio::null()).env("CACHEBACK_NEEDS_SERVERS", "1");
        if let Some(mutation) = mutation {
            command.env("CACHEBACK_MUTANT", mutation);
        }
        let (mut child, began) = (command.spawn()?, Instant::now());
        loop {
            match child.try_wait()? {
                Some(status) if status.success() => return Ok(Outcome::Passed),
                Some(_) => return Ok(Outcome::Failed),
                None if began.elapsed() < limit => thread::sleep(Duration::from_millis(5)),
                None => {
                    child.kill()?;
                    child.wait()?;
                    return Ok(Outcome::Hung);
                }
            }
        }
    }
}

fn build(root: &Path, target_dir: &Path, target: Target) -> Result<PathBuf, String> {
    let mut command = Command::new(env!("CARGO"));
    match target.is_program() {
        true => command.arg("build"),
        false => command.args(["test", "--no-run"]),
    };
    command.args(target.arguments()).arg("--target-dir").arg(target_dir);
    // cargo tells packages of one name apart by their places in their workspaces, and would take those of the copy for
    // the originals. It keeps the output of a wrapped compiler apart. This wrapper only runs the compiler.
    command.env("RUSTC_WORKSPACE_WRAPPER", "env");
    let built = command.current_dir(root).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&built.stderr);
    if target.is_program() {
        // The next build in the same directory puts another program of that name into its place.
        let program = root.join("cacheback-fleet");
        let copied = built.status.success()
            && std::fs::copy(target_dir.join("debug/cacheback-fleet"), &program).is_ok();
        return copied.then_some(program).ok_or_else(|| format!("the mutated fleet does not build:\n{said}"));
    }
    // `Executable tests/suite/main.rs (/path/of/it)`.
    let executable = said.lines().find(|line| line.trim_start().starts_with("Executable "));
    let path = executable.and_then(|line| line.rsplit_once('(')?.1.strip_suffix(')'));
    path.map(|path| root.join(path)).ok_or_else(|| format!("the mutated library does not build:\n{said}"))
}
