//! Workers and caches that cannot work say why.

use std::future::Future;

use cacheback::{Cache, ErrorKind, Worker, worker};

use super::{HERE, Origin, Shop, not_queued, nothing, report};
use crate::fleet::fleet;

#[test]
fn an_object_that_no_worker_could_serve_is_not_built() {
    let told = |built: Result<Cache<u8, u8>, cacheback::Error>| built.unwrap_err().to_string();
    let without_a_tier = Cache::builder().name("a").queue().fetcher(|key| async move { key }).build();
    assert!(
        told(without_a_tier).contains("option `queue`: the queue is in the second tier: say `shared` too")
    );
    let without_a_fetcher = Cache::<u8, u8>::builder().name("b").shared().queue().build();
    assert!(
        told(without_a_fetcher).contains("option `queue`: a worker fetches with the fetcher of its cache")
    );
}

/// All mistakes at once, before the first job.
#[test]
fn a_worker_that_cannot_run_says_why() {
    let (_memory, processes @ [_]) = fleet();
    let [back] = &processes;
    let told = |worker: Worker| {
        let error = back.run(|| worker.run(async {})).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.to_string()
    };
    assert_eq!(back.run(|| not_queued(1)), 1);
    let missing = told(worker().serve(report::cache()).serve(Shop::orders_cache()));
    let lacks = |function: &str, argument: &str, type_name: &str| {
        format!(
            "`{HERE}::{function}` skips `{argument}`, and nobody provides it: call `.provide(..)` with a `{type_name}`",
        )
    };
    let origin = lacks("report", "origin", std::any::type_name::<Origin>());
    let shop = lacks("Shop::orders", "self", std::any::type_name::<Shop>());
    assert_eq!(missing, format!("the worker cannot start: {origin}; {shop}"));
    for (worker, told_is) in [
        (worker(), "it serves nothing: call `.serve(..)` with the handle of each function"),
        (
            worker().serve(nothing::cache()).concurrency(0),
            "`concurrency(0)` would let no job run: write at least 1",
        ),
        (
            worker().serve(not_queued::cache()),
            &format!(
                "`{HERE}::not_queued` has no queue: it needs the option `queue`, and a second tier, which `configure` \
                 sets before"
            ),
        ),
        (
            worker().serve(nothing::cache()).serve(nothing::cache()),
            &format!("`{HERE}::nothing` is served twice"),
        ),
    ] {
        assert_eq!(told(worker), format!("the worker cannot start: {told_is}"));
    }
}

/// What `run` returns can be spawned.
#[test]
fn a_running_worker_is_send() {
    fn send(future: impl Future + Send) {
        drop(future);
    }
    send(worker().run(async {}));
}
