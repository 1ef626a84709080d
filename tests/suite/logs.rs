//! Log lines: levels and names, once where once is enough, and never an argument or a value.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use cacheback::{cacheback, settle, testing};
use tracing::subscriber::DefaultGuard;

use crate::support::{Source, advance, secs};

/// What was logged on this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn capture() -> (Self, DefaultGuard) {
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(move || writer.clone())
            .finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    /// The lines so far of one function, which are taken; none of them tells a secret.
    fn take(&self, function: &str) -> Vec<String> {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
        assert!(!text.contains("secret"), "{text}");
        text.lines().filter(|line| line.contains(function)).map(|line| line.trim().to_owned()).collect()
    }
}

#[cacheback(lifetime = 10, refresh_timeout = 5, skip(source))]
async fn logged(argument: &str, source: &Arc<Source>) -> Result<String, String> {
    source.run().await?;
    Ok(format!("the value of {argument}"))
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_once_a_back_off() {
    let _own = testing::isolate();
    let (lines, _guard) = Lines::capture();
    let source = Source::open();
    let entry = logged::entry("secret argument", &source);
    source.fail(true);
    for _ in 0..3 {
        entry.get_or_fetch().await.unwrap_err();
    }
    let told = lines.take("::logged");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("WARN cacheback: fetch failed"), "{told:?}");
    assert!(told[0].contains("run 1 failed"), "the cause: {told:?}");
    advance(secs(10)).await;
    entry.get_or_fetch().await.unwrap_err();
    assert_eq!(lines.take("::logged").len(), 1);
    source.fail(false);
    entry.get_or_fetch().await.unwrap();
    assert_eq!(lines.take("::logged"), [""; 0], "a success is silent");
}

#[tokio::test(start_paused = true)]
async fn time_outs_discards_and_panics() {
    #[cacheback(lifetime = 10, skip(source))]
    async fn panicking(argument: &str, source: &Arc<Source>) -> u64 {
        let _ = argument;
        source.run().await.expect("boldly")
    }
    let _own = testing::isolate();
    let (lines, _guard) = Lines::capture();
    let source = Source::gated();
    let entry = logged::entry("secret argument", &source);
    logged("secret argument", &source).await.unwrap();
    settle().await;
    let told = lines.take("::logged");
    assert!(told.len() == 1 && told[0].starts_with("WARN cacheback: fetch timed out"), "{told:?}");
    let refresh = tokio::spawn(entry.refresh());
    source.started(2).await;
    entry.remove().await.unwrap();
    source.release_all();
    refresh.await.unwrap().unwrap();
    let told = lines.take("::logged");
    assert!(told.len() == 1 && told[0].starts_with("DEBUG cacheback: fetch discarded"), "{told:?}");
    source.fail(true);
    panicking("secret argument", &source).await;
    settle().await;
    let told = lines.take("::panicking");
    assert!(told.len() == 1 && told[0].starts_with("ERROR cacheback: fetch panicked"), "{told:?}");
    assert!(told[0].contains("boldly"), "the cause: {told:?}");
}

#[tokio::test(start_paused = true)]
async fn refusals_and_slow_bodies_are_told_once() {
    let _own = testing::isolate();
    let (lines, _guard) = Lines::capture();
    let source = Source::gated();
    for id in 0..2_000 {
        logged(&format!("secret {id}"), &source).await.unwrap();
    }
    let told = lines.take("::logged");
    assert!(told.len() == 1 && told[0].starts_with("WARN cacheback: refreshes refused"), "{told:?}");
    logged::cache().clear().await.unwrap();
    source.release_all();
    settle().await;
    lines.take("::logged");

    #[cacheback(lifetime = 1, skip(source))]
    async fn slow(id: u64, source: &Arc<Source>) -> u64 {
        source.number().await + id
    }
    let source = Source::gated();
    for id in 0..3 {
        slow(id, &source).await;
    }
    source.started(3).await;
    advance(secs(2)).await;
    source.release_all();
    settle().await;
    let told = lines.take("::slow");
    assert!(told.len() == 1 && told[0].starts_with("WARN cacheback: a fetch takes longer"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn clamped_options_are_told() {
    #[cacheback(lifetime = std::time::Duration::from_secs(seconds), retention = 10)]
    async fn clamped(seconds: u64) -> u64 {
        seconds
    }
    let _own = testing::isolate();
    let (lines, _guard) = Lines::capture();
    for _ in 0..5 {
        clamped::entry(100).set(1).await.unwrap();
    }
    let told = lines.take("::clamped");
    assert!(told.len() == 1 && told[0].contains("`retention`"), "{told:?}");
    assert_eq!(clamped(100).await, 1);
}
