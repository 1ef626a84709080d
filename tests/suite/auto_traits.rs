//! Every public type, and the future of a call, can be sent, shared and carried over a panic.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use cacheback::{
    Cache, CacheBuilder, CacheRef, Configure, Entry, EntryInner, Error, Eviction, FetchError, FetchErrorKind,
    Lookup, Policy, Shutdown, Snapshot, Stats, Status, cacheback, testing,
};

fn sent<T: Send>(_: &T) {}
fn unwind_safe<T: UnwindSafe>(_: &T) {}

const fn all<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}
const fn built<T: Send + Unpin>() {}

/// `Sync`, but neither kind of unwind safe.
struct Shaky(#[allow(dead_code)] Box<dyn Fn() + Send + Sync>);

const _: () = {
    // Whatever the value and the key are.
    all::<Cache<u64, Shaky>>();
    all::<Cache<String, Result<Vec<u8>, Shaky>>>();
    all::<Entry<Shaky>>();
    all::<Entry<Result<u64, Shaky>>>();
    all::<EntryInner<Shaky>>();
    all::<CacheRef>();
    all::<Error>();
    all::<FetchError>();
    all::<FetchErrorKind>();
    all::<Lookup<u64>>();
    all::<Snapshot<u64>>();
    all::<Policy>();
    all::<Eviction>();
    all::<Stats>();
    all::<Status>();
    all::<Shutdown>();
    all::<cacheback::shared::ServerStatus>();
    all::<cacheback::shared::TierStatus>();
    built::<CacheBuilder<u64, u64>>();
    built::<Configure>();
    built::<testing::Isolated>();
};

#[cacheback(fetch_on_miss)]
async fn cached(id: u64) -> Result<u64, Arc<std::io::Error>> {
    Ok(id)
}

#[cacheback(fetch_on_miss, skip(_shaky))]
async fn by_reference(name: &str, _shaky: Arc<Shaky>) -> usize {
    name.len()
}

#[derive(Clone)]
struct Repo;

impl Repo {
    #[cacheback(fetch_on_miss, skip(self))]
    async fn row(&self, id: u64) -> u64 {
        id
    }

    #[cacheback(fetch_on_miss, skip(self), handle = false, key = id + 1)]
    async fn alone(&self, id: u64) -> Vec<u64> {
        vec![id]
    }
}

/// The futures of a call, of an entry and of a cache can be sent, and carried over a panic if their arguments can. They
/// need not be `Sync`.
#[tokio::test(start_paused = true)]
async fn futures_are_send_and_unwind_safe_if_their_arguments_are() {
    macro_rules! check {
        ($($future:expr),* $(,)?) => {$({
            let future = $future;
            sent(&future);
            unwind_safe(&future);
        })*};
    }
    let _own = testing::isolate();
    let (entry, cache) = (cached::entry(1), cached::cache());
    let objects: Cache<String, u64> = Cache::builder().empty(|_: &String| 0).build().unwrap();
    check! {
        cached(1), Repo.row(1), Repo.alone(1),
        entry.lookup(), entry.get_or_fetch(), entry.refresh(), entry.peek(), entry.set(1), entry.invalidate(),
        entry.remove(), Repo.row_entry(1).peek(), Repo.row_entry(1).set(1), cache.clear(),
        objects.get("a"), objects.get_or_fetch("a", || async { 1 }), objects.peek("a"), objects.set("a", 1),
        objects.invalidate("a"), objects.remove("a"), objects.clear(),
    }
    sent(&by_reference("a", Arc::new(Shaky(Box::new(|| ())))));
}

/// A value may be anything but unwind safe, and the future still is.
#[tokio::test(start_paused = true)]
async fn a_value_need_not_be_unwind_safe() {
    #[derive(Clone)]
    struct Counted(#[allow(dead_code)] Arc<dyn Fn() + Send + Sync>);
    #[cacheback(fetch_on_miss)]
    async fn counted(_id: u64) -> Counted {
        Counted(Arc::new(|| ()))
    }
    let _own = testing::isolate();
    let future = counted(1);
    sent(&future);
    unwind_safe(&future);
}
