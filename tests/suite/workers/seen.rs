//! What is seen of queues and jobs from outside.

use std::sync::{Arc, Mutex};

use cacheback::shared::Memory;
use cacheback::{cacheback, metrics::record};
use metrics::set_default_local_recorder;
use metrics_exporter_prometheus::PrometheusBuilder;
use tracing::Span;

use super::{Log, Origin, report, serves, start, worked};
use crate::fleet::{Process, fleet, hear, wait};
use crate::support::Source;

#[cacheback(shared, queue = "seen", version = 7, lifetime = 10, name = "shop::seen", skip(origin))]
async fn seen(origin: &Origin, key: u64) -> Result<u64, String> {
    let _ = key;
    origin.run().await
}

#[test]
fn a_worker_publishes_the_state_of_its_queues() {
    let recorder = PrometheusBuilder::new().set_buckets(&[1.0]).unwrap().build_recorder();
    let prometheus = recorder.handle();
    let _guard = set_default_local_recorder(&recorder);
    let page = || {
        record();
        let labels = r#"tier="default",queue="seen",cache="shop::seen",version="7""#;
        let page = prometheus.render();
        let lines = page.lines().filter(|line| line.contains(labels));
        let mut lines: Vec<_> = lines.map(|line| line.replace(labels, "")).collect();
        lines.sort();
        lines
    };
    let (_memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::gated());
    let running = start(back, serves(seen::cache(), &there).concurrency(1));
    for key in 1..=3 {
        let _ = web.run(|| seen(&here, key));
    }
    hear(&processes);
    back.run(|| there.started(1));
    wait(&processes, 6);
    let ended = |done, failed| {
        [("done", done), ("dropped", 0), ("failed", failed)]
            .map(|(outcome, jobs)| format!("cacheback_queue_jobs_total{{,outcome=\"{outcome}\"}} {jobs}"))
    };
    // How long jobs have waited: those that have started, those for a second at most, and the sum of all.
    let waited = |lines: &[String]| {
        let wait = |line: &String| line.strip_prefix("cacheback_queue_wait_seconds_").map(str::to_owned);
        let [started, at_once, _, sum] = &lines.iter().filter_map(wait).collect::<Vec<_>>()[..] else {
            panic!("{lines:?}")
        };
        let number = |line: &str, of: &str| line.strip_prefix(of).unwrap().parse::<f64>().unwrap();
        let jobs = [number(started, r#"bucket{,le="+Inf"} "#), number(at_once, r#"bucket{,le="1"} "#)]
            .map(|jobs| jobs as u64);
        (jobs, number(sum, "sum{} "))
    };
    let lines = page();
    assert_eq!(lines[..3], ended(0, 0));
    let (jobs, sum) = waited(&lines);
    assert_eq!(jobs, [1, 1]);
    assert!(sum < 1.0, "it was taken at once: {sum}");
    let [length, oldest, under_way, .., workers] = &lines[3..] else { panic!("{lines:?}") };
    assert_eq!(length, "cacheback_queue_length{} 2");
    let oldest = oldest.strip_prefix("cacheback_queue_oldest_seconds{} ").unwrap().parse::<f64>().unwrap();
    assert!((4.0..=7.0).contains(&oldest), "{oldest}");
    assert_eq!([under_way, workers], ["cacheback_queue_under_way{} 1", "cacheback_queue_workers{} 1"]);
    there.release(1);
    hear(&processes);
    there.fail(true);
    there.release_all();
    hear(&processes);
    wait(&processes, 6);
    let lines = page();
    assert_eq!(lines[..3], ended(1, 2));
    assert_eq!(lines[3..5], ["cacheback_queue_length{} 0", "cacheback_queue_oldest_seconds{} 0"]);
    let (jobs, sum) = waited(&lines);
    assert_eq!(jobs, [3, 1]);
    assert!((8.0..=14.0).contains(&sum), "two of them have waited as long as the oldest: {sum}");
    assert_eq!(running.stop(back), worked(1, 2, 0));
}

/// What a layer of OpenTelemetry would do: here the context is the name of the span, with that of its process.
#[test]
fn the_trace_of_a_refresh_goes_on_in_the_worker() {
    let (_log, _guard) = Log::capture();
    let memory = Memory::new();
    let followed = Arc::new(Mutex::new(Vec::new()));
    let process = |name: &'static str| {
        let followed = Arc::clone(&followed);
        let context = move |span: &Span| Some(format!("{name} {}", span.metadata()?.name()));
        let follow = move |span: &Span, context: &str| {
            let own = span.metadata().map(tracing::Metadata::name);
            followed.lock().unwrap().push(format!("{name} {} after {context}", own.unwrap_or_default()));
        };
        Process::new(|configure| configure.shared(memory.clone()).trace_jobs(context, follow))
    };
    let [web, back] = ["web", "back"].map(process);
    let (here, there) = (Source::open(), Source::open());
    let running = start(&back, serves(report::cache(), &there));
    web.run(|| report(&here, 1)).unwrap();
    back.run(|| async {});
    assert_eq!(there.runs(), 1);
    assert_eq!(*followed.lock().unwrap(), ["back fetch after web fetch"]);
    // A fetch that stays where it is needs no context.
    web.run(|| report::entry(&here, 2).refresh()).unwrap();
    assert_eq!(followed.lock().unwrap().len(), 1);
    assert_eq!(running.stop(&back), worked(1, 0, 0));
}

#[test]
fn a_trace_that_panics_or_is_too_long_stops_no_job() {
    let (_log, _guard) = Log::capture();
    for long in [true, false] {
        let memory = Memory::new();
        let process = |context: fn(&Span) -> Option<String>| {
            Process::new(|configure| {
                let follow = |_: &Span, context: &str| panic!("of {} bytes", context.len());
                configure.shared(memory.clone()).trace_jobs(context, follow)
            })
        };
        let web = match long {
            true => process(|_| Some("x".repeat(1_025))),
            false => process(|_| panic!("in a layer")),
        };
        let short = process(|_| Some("x".to_owned()));
        let (here, there) = (Source::open(), Source::open());
        let running = start(&short, serves(report::cache(), &there));
        web.run(|| report(&here, 1)).unwrap();
        short.run(|| report(&here, 2)).unwrap();
        short.run(|| async {});
        assert_eq!((here.runs(), there.runs()), (0, 2), "long: {long}");
        assert_eq!(running.stop(&short), worked(2, 0, 0));
    }
}
