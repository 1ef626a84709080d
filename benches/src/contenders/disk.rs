//! Caches that keep their values on a disk, for the load `disk`. Each has a file or a folder of its own.

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ::foyer::{BlockEngineConfig, DeviceBuilder as _, FsDeviceBuilder, HybridCache, HybridCachePolicy};
use cacheback::cacheback;
use cacheback::shared::Sqlite;
use cached::macros::concurrent_cached;
use cached::{ConcurrentCachedAsync as _, RedbCache};
use futures_util::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::OURS;
use super::shared::{Calls, DAY, Page, ROOM, calls};
use crate::process;

/// Written by hand with the library that ours uses. Ratios are relative to it.
pub(crate) const PLAIN: &str = "no cache: SELECT, REPLACE by hand";
const CACHED: &str = "cached, #[concurrent_cached] redb";
const CACHED_LAZY: &str = "cached, #[concurrent_cached] redb, durable(false)";
const FOYER: &str = "foyer, hybrid";

/// The room on the disk of caches that are bounded: several times what they are filled with.
const DISK: usize = 256 << 20;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// The value is on the disk, and not in the process.
    Read,
    /// A value takes the place of an older one.
    Write,
}

impl Case {
    pub(crate) const ALL: [Self; 2] = [Self::Read, Self::Write];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Completes when all that was written is on the disk.
type Settles = Box<dyn Fn() -> BoxFuture<'static, ()>>;

pub(crate) struct Subject {
    pub(crate) name: &'static str,
    /// Calls the function with each key.
    pub(crate) read: Calls,
    /// Stores a value under each key.
    pub(crate) write: Calls,
    /// If writes are carried out later.
    pub(crate) settle: Option<Settles>,
    /// What went wrong so far, if the cache hides it from its callers.
    pub(crate) errors: Option<fn() -> u64>,
}

impl Subject {
    fn of(name: &'static str, read: Calls, write: Calls) -> Self {
        Self { name, read, write, settle: None, errors: None }
    }

    pub(crate) fn calls(&self, case: Case) -> &Calls {
        match case {
            Case::Read => &self.read,
            Case::Write => &self.write,
        }
    }
}

/// How many bodies have run: none does while what is on the disk is read.
static BODIES: AtomicU64 = AtomicU64::new(0);

pub(crate) fn bodies() -> u64 {
    BODIES.load(Ordering::Relaxed)
}

/// The body of every function.
async fn body(key: u64) -> Page {
    BODIES.fetch_add(1, Ordering::Relaxed);
    super::shared::page(key).await
}

/// The contenders. Call it on the runtime on which they work.
pub(crate) async fn subjects(folder: &Path) -> Vec<Subject> {
    let mut all = vec![plain(&folder.join("by-hand.sqlite"))];
    let takes_part = |name| {
        process::works(name);
        process::takes_part(name)
    };
    if takes_part(OURS) {
        all.push(ours(&folder.join("ours.sqlite")));
    }
    FOLDER.set(folder.join("redb")).expect("the only folder");
    if takes_part(CACHED) {
        all.push(cached().await);
    }
    if takes_part(CACHED_LAZY) {
        all.push(cached_lazy().await);
    }
    if takes_part(FOYER) {
        all.push(foyer(&folder.join("foyer")).await);
    }
    process::nobody_works();
    all
}

fn plain(path: &Path) -> Subject {
    let connection = Connection::open(path).expect("a file");
    let set_up = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
        CREATE TABLE pages (key INTEGER PRIMARY KEY, value BLOB NOT NULL)";
    connection.execute_batch(set_up).expect("a table");
    let connection = Arc::new(Mutex::new(connection));
    let reading = Arc::clone(&connection);
    let read = move |key: u64| {
        let reading = Arc::clone(&reading);
        async move {
            let found: Option<Vec<u8>> = {
                let connection = reading.lock().unwrap_or_else(PoisonError::into_inner);
                let mut select =
                    connection.prepare_cached("SELECT value FROM pages WHERE key = ?1").expect("a table");
                select.query_row([key as i64], |row| row.get(0)).optional().expect("a row")
            };
            match found {
                Some(bytes) => rmp_serde::from_slice(&bytes).expect("what was stored"),
                None => body(key).await,
            }
        }
    };
    let write = move |key: u64| {
        let connection = Arc::clone(&connection);
        async move {
            let page = super::shared::page(key).await;
            let bytes = rmp_serde::to_vec(&page).expect("bytes");
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let mut replace =
                connection.prepare_cached("REPLACE INTO pages VALUES (?1, ?2)").expect("a table");
            replace.execute(params![key as i64, bytes]).expect("a row");
            page
        }
    };
    Subject::of(PLAIN, calls(read), calls(write))
}

#[cacheback(lifetime = DAY, capacity = ROOM, fetch_on_miss, shared)]
async fn kept(key: u64) -> Page {
    body(key).await
}

fn ours(path: &Path) -> Subject {
    // A slow disk is to be measured, and not to be given up.
    let file = Sqlite::open(path).expect("a path").max_bytes(DISK as u64).timeout(Duration::from_secs(5));
    cacheback::configure().shared(file).apply().expect("the first configuration");
    let write = |key| async move {
        let page = super::shared::page(key).await;
        kept::entry(key).set(page.clone()).await.expect("a file that is written to");
        page
    };
    let errors = || {
        let stats = kept::cache().stats();
        stats.shared_errors + stats.leases_lost
    };
    Subject { errors: Some(errors), ..Subject::of(OURS, calls(kept), calls(write)) }
}

/// The folder of the functions of `cached`.
static FOLDER: OnceLock<PathBuf> = OnceLock::new();

fn store(name: &str, durable: bool) -> RedbCache<u64, Page> {
    let folder = FOLDER.get().expect("a folder");
    RedbCache::builder(name).ttl(DAY).disk_dir(folder).durable(durable).build().expect("a file")
}

#[concurrent_cached(
    map_error = |error| format!("{error:?}"),
    ty = "RedbCache<u64, Page>",
    create = r#"{ store("durable", true) }"#
)]
async fn durable(key: u64) -> Result<Page, String> {
    Ok(body(key).await)
}

#[concurrent_cached(
    map_error = |error| format!("{error:?}"),
    ty = "RedbCache<u64, Page>",
    create = r#"{ store("lazy", false) }"#
)]
async fn lazy(key: u64) -> Result<Page, String> {
    Ok(body(key).await)
}

async fn cached() -> Subject {
    // The first call makes the store.
    durable(u64::MAX).await.expect("a value");
    let write = |key| async move {
        let page = super::shared::page(key).await;
        DURABLE.get().expect("a store").async_cache_set(key, page.clone()).await.expect("a file");
        page
    };
    Subject::of(CACHED, calls(|key| async move { durable(key).await.expect("a value") }), calls(write))
}

async fn cached_lazy() -> Subject {
    lazy(u64::MAX).await.expect("a value");
    let write = |key| async move {
        let page = super::shared::page(key).await;
        LAZY.get().expect("a store").async_cache_set(key, page.clone()).await.expect("a file");
        page
    };
    Subject::of(CACHED_LAZY, calls(|key| async move { lazy(key).await.expect("a value") }), calls(write))
}

async fn foyer(folder: &Path) -> Subject {
    fs::create_dir_all(folder).expect("a folder");
    let device = FsDeviceBuilder::new(folder).with_capacity(DISK).build().expect("a device");
    let cache: HybridCache<u64, Page> = HybridCache::builder()
        .with_policy(HybridCachePolicy::WriteOnInsertion)
        .memory(ROOM as usize)
        .storage()
        .with_engine_config(BlockEngineConfig::new(device))
        .build()
        .await
        .expect("a cache");
    let (reading, writing) = (cache.clone(), cache.clone());
    let read = move |key: u64| {
        let cache = reading.clone();
        async move {
            let fetch = || async move { Ok::<_, Infallible>(body(key).await) };
            cache.get_or_fetch(&key, fetch).await.expect("a value").value().clone()
        }
    };
    let write = move |key: u64| {
        let cache = writing.clone();
        async move {
            let page = super::shared::page(key).await;
            cache.insert(key, page.clone());
            page
        }
    };
    let settle: Settles = Box::new(move || {
        let cache = cache.clone();
        Box::pin(async move { cache.storage().wait().await })
    });
    Subject { settle: Some(settle), ..Subject::of(FOYER, calls(read), calls(write)) }
}
