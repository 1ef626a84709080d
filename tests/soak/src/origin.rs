//! The origin: bodies that are quick, slow, hang, fail and panic, and values that say who made them, and when.

use std::fmt;
use std::future::pending;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use crate::watch::now;

/// The message of a panic that is meant.
pub(crate) const SCRIPTED: &str = "scripted panic";

/// The bytes of a value besides its numbers, so that values that are never dropped show in the size of the process.
const PADDING: usize = 1_000;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) number: u64,
    pub(crate) colliding: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    Fetch,
    Set,
}

#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) cache: &'static str,
    pub(crate) key: u64,
    pub(crate) serial: u64,
    pub(crate) maker: Maker,
    /// When its body began, or just before it was set.
    pub(crate) began: u64,
    /// From when on its age counts at the latest; zero as long as that is not known.
    pub(crate) counts_from: AtomicU64,
    seal: u64,
    _padding: Box<[u8]>,
}

pub(crate) type Value = Arc<Made>;
pub(crate) type Returned = Result<Option<Value>, Fault>;

/// An error, and the key it is about.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) cache: &'static str,
    pub(crate) key: u64,
}

/// The bodies of one cache, and how they ended.
#[derive(Debug)]
pub(crate) struct Origin {
    cache: &'static str,
    /// A body may hang until it is aborted: no caller waits without a limit.
    may_hang_forever: bool,
    /// From here on every body succeeds at once.
    calm: AtomicBool,
    pub(crate) began: AtomicU64,
    pub(crate) running: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) panics: AtomicU64,
}

impl Made {
    pub(crate) fn new(cache: &'static str, key: u64, maker: Maker) -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let (serial, began) = (SERIAL.fetch_add(1, Ordering::Relaxed), now());
        let counts_from = AtomicU64::new(if maker == Maker::Fetch { began } else { 0 });
        let seal = seal(key, serial, began);
        let padding = vec![0xA5; PADDING].into_boxed_slice();
        Self { cache, key, serial, maker, began, counts_from, seal, _padding: padding }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.seal == seal(self.key, self.serial, self.began)
    }
}

fn seal(key: u64, serial: u64, began: u64) -> u64 {
    key.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ serial.rotate_left(32) ^ began
}

impl Origin {
    pub(crate) fn new(cache: &'static str, may_hang_forever: bool) -> Arc<Self> {
        Arc::new(Self {
            cache,
            may_hang_forever,
            calm: AtomicBool::new(false),
            began: AtomicU64::new(0),
            running: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            panics: AtomicU64::new(0),
        })
    }

    pub(crate) fn calm(&self) {
        self.calm.store(true, Ordering::SeqCst);
    }

    /// One run of the body.
    pub(crate) async fn run(self: Arc<Self>, key: u64) -> Returned {
        let made = Made::new(self.cache, key, Maker::Fetch);
        self.began.fetch_add(1, Ordering::Relaxed);
        let _runs = Runs::new(&self.running);
        let chance = if self.calm.load(Ordering::SeqCst) { 0 } else { fastrand::u32(0..100) };
        match chance {
            0..40 => {}
            40..65 => tokio::task::yield_now().await,
            65..85 => sleep(Duration::from_millis(fastrand::u64(1..20))).await,
            // Past its time-out, at times.
            85..88 => sleep(Duration::from_millis(fastrand::u64(20..400))).await,
            88 if self.may_hang_forever => pending().await,
            88 => sleep(Duration::from_secs(2)).await,
            89..98 => {
                tokio::task::yield_now().await;
                self.errors.fetch_add(1, Ordering::Relaxed);
                return Err(Fault { cache: self.cache, key });
            }
            _ => {
                self.panics.fetch_add(1, Ordering::Relaxed);
                panic!("{SCRIPTED} of {} {key}", self.cache);
            }
        }
        Ok(Some(Arc::new(made)))
    }
}

/// A body runs until this is dropped.
struct Runs<'o>(&'o AtomicU64);

impl<'o> Runs<'o> {
    fn new(running: &'o AtomicU64) -> Self {
        running.fetch_add(1, Ordering::SeqCst);
        Self(running)
    }
}

impl Drop for Runs<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Key {}
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Four hashes for all of them.
        state.write_u64(if self.colliding { self.number % 4 } else { self.number });
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} failed", self.cache, self.key)
    }
}
