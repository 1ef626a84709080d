//! How arguments, keys and versions come into a job, and out of it.

use std::sync::Arc;

use cacheback::shared::{QueueStatus, queues};
use cacheback::{Cache, cacheback, worker};

use super::{Log, Origin, Shop, nothing, only_line, serves, start, worked};
use crate::fleet::{fleet, hear, wait};
use crate::support::{Source, advance, secs};

#[test]
fn arguments_reach_the_worker_as_they_were_and_skipped_ones_are_its_own() {
    let (_memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::open());
    let shop = Shop { origin: Arc::clone(&here), tenant: 1 };
    let worker = worker()
        .serve(Shop::orders_cache())
        .serve(Shop::trimmed_cache())
        .serve(nothing::cache())
        .provide(Shop { origin: Arc::clone(&there), tenant: 1 });
    let running = start(back, worker);
    web.run(|| shop.orders(&["a", "b"], Some(3)));
    web.run(|| Shop::trimmed(" x "));
    web.run(nothing);
    for _ in 0..4 {
        hear(&processes);
    }
    assert_eq!(web.run(|| shop.orders(&["a", "b"], Some(3))), ["[\"a\", \"b\"] Some(3) 1"]);
    assert_eq!(web.run(|| Shop::trimmed("x")), "< x >", "with the argument of the caller who was first");
    assert_eq!(web.run(nothing), 7);
    assert_eq!((here.runs(), there.runs()), (0, 1));
    assert_eq!(running.stop(back), worked(3, 0, 0));
}

#[test]
fn a_key_that_is_another_in_the_worker_is_told() {
    let (log, _guard) = Log::capture();
    let (_memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::open());
    let shop = Shop { origin: Arc::clone(&here), tenant: 1 };
    let worker = worker().serve(Shop::order_cache()).provide(Shop { origin: Arc::clone(&there), tenant: 2 });
    let running = start(back, worker);
    web.run(|| shop.order(1));
    hear(&processes);
    assert_eq!((here.runs(), there.runs()), (0, 0));
    assert_eq!(log.count("a job cannot be run, and was dropped"), 1);
    assert_eq!(log.count("its arguments make another key in this process"), 1, "{}", log.text());
    let dead = &only_line(web).dead;
    assert_eq!(dead[0].error, "its arguments make another key in this process");
    assert_eq!(running.stop(back), worked(0, 0, 1));
    // Its lease is free again.
    wait(&processes, 1);
    web.run(|| shop.order(1));
    assert_eq!(here.runs(), 1);
}

mod other {
    use super::{Origin, cacheback};

    #[cacheback(name = "changed", shared, queue, lifetime = 10)]
    pub(super) async fn of_a_number(key: u64) -> u64 {
        key
    }

    #[cacheback(name = "changed", shared, queue, lifetime = 10)]
    pub(super) async fn of_a_text(key: &str) -> u64 {
        key.len() as u64
    }

    #[cacheback(name = "versioned", shared, version = 1, queue, lifetime = 10, skip(origin))]
    pub(super) async fn first(origin: &Origin, key: u64) -> u64 {
        origin.number().await + key
    }

    #[cacheback(name = "versioned", shared, version = 2, queue, lifetime = 10, skip(origin))]
    pub(super) async fn second(origin: &Origin, key: u64) -> u64 {
        origin.number().await + key
    }
}

#[test]
fn an_argument_that_does_not_decode_is_told_and_not_shown() {
    let (log, _guard) = Log::capture();
    let (_memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let running = start(back, worker().serve(other::of_a_text::cache()).serve(nothing::cache()));
    web.run(|| other::of_a_number(987_654_321));
    hear(&processes);
    let told = "its argument `key` does not decode: its `Deserialize` has not accepted the bytes";
    assert_eq!(log.count(told), 1, "{}", log.text());
    assert_eq!(log.count("987654321") + log.count("987_654_321"), 0);
    // The worker goes on.
    web.run(nothing);
    hear(&processes);
    assert_eq!(running.stop(back), worked(1, 0, 1));
}

/// It is never taken and put back. Refreshes run where they are asked for.
#[test]
fn a_job_of_another_version_waits_for_a_worker_of_its_own() {
    let (log, _guard) = Log::capture();
    let (_memory, processes @ [_, _, _]) = fleet();
    let [web, back, next] = &processes;
    let (here, there) = (Source::open(), Source::open());
    let first = start(back, serves(other::first::cache(), &there));
    web.run(|| other::first(&here, 1));
    // The worker is stopped before it has come to the job. There is one of the next version.
    let second = start(next, serves(other::second::cache(), &there));
    for process in [web, next] {
        process.run(|| advance(secs(16)));
    }
    let lines = web.run(queues).unwrap();
    let shown = |line: &QueueStatus| (line.function.clone(), line.version, line.length, line.workers);
    let shown: Vec<_> = lines.iter().map(shown).collect();
    assert_eq!(shown, [("versioned".to_owned(), 1, 1, 0), ("versioned".to_owned(), 2, 0, 1)]);
    assert_eq!((here.runs(), there.runs()), (0, 0));
    web.run(|| other::first(&here, 1));
    assert_eq!((here.runs(), there.runs()), (1, 0), "refreshed here, as nobody serves it");
    assert_eq!(log.count("the workers of its queue serve another version of it"), 1, "{}", log.text());
    assert_eq!(second.stop(next), worked(0, 0, 0));
    assert_eq!(first.stop(back), worked(0, 0, 1));
}

#[test]
fn an_object_is_served_with_the_fetcher_of_the_worker() {
    let (_memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let cache = |answer: &'static str| -> Cache<String, String> {
        let builder = Cache::builder().name("greetings").lifetime(secs(10)).shared().queue_as("greetings");
        builder.fetcher(move |name| async move { format!("{answer} {name}") }).build().unwrap()
    };
    let own = web.run(|| async { cache("here,") });
    let served = back.run(|| async { cache("there,") });
    let running = start(back, worker().serve(&served));
    assert_eq!(web.run(|| own.get("Ada")), "");
    hear(&processes);
    assert_eq!(web.run(|| own.get("Ada")), "there, Ada");
    assert_eq!(only_line(web).queue, "greetings");
    assert_eq!(running.stop(back), worked(1, 0, 0));
}
