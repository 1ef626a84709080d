//! The processes of the sandbox: this program, started again in another role.
//!
//! A process ends when its standard input does. The sandbox holds the other end of that pipe, which the system closes
//! even if the sandbox is killed: so no process is left behind.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::Notify;
use tokio::time::timeout;

/// A process that has not ended so long after it was asked to is killed.
const PATIENCE: Duration = Duration::from_secs(6);

/// A process, which is killed when it is dropped.
pub(crate) struct Process {
    pub(crate) name: String,
    /// The first line that it has printed.
    pub(crate) greeting: String,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts a process, and waits for the first line that it prints.
    pub(crate) async fn start(name: &str, arguments: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        // Ctrl-C reaches the sandbox alone, which ends the others in their order.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("its output")?);
        let greeting =
            output.lines().next_line().await?.with_context(|| format!("{name} has not started"))?;
        Ok(Self { name: name.to_owned(), greeting, child, stdin })
    }

    /// Its number. `None` if it has ended.
    pub(crate) fn pid(&mut self) -> Option<u32> {
        match self.child.try_wait() {
            Ok(None) => self.child.id(),
            _ => None,
        }
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    ///
    /// Returns an error if it had to be killed, or has ended with another code than 0.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        drop(self.stdin.take());
        let Ok(status) = timeout(PATIENCE, self.child.wait()).await else {
            self.child.kill().await?;
            bail!("{} had to be killed", self.name);
        };
        let status = status?;
        ensure!(status.success(), "{} has ended with {status}", self.name);
        Ok(())
    }

    /// Ends it in the midst of whatever it does.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// In a process of the sandbox: completes when it is to end. A process that has not ended a while later is ended.
pub(crate) async fn sandbox_ends() {
    let ended = Arc::new(Notify::new());
    let notify = Arc::clone(&ended);
    // A thread of its own, which needs no runtime that still runs.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        notify.notify_one();
        std::thread::sleep(PATIENCE);
        std::process::exit(1);
    });
    ended.notified().await;
}
