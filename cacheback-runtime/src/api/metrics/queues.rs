//! The series of the queues, as workers have last seen them.

use std::collections::BTreeMap;

use ::metrics::{Label, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};

use super::TARGET;
use crate::api::shared::QueueStatus;
use crate::base::sync::plain::{Mutex, lock};
use crate::events::Kind;
use crate::events::durations::WAIT;

/// A series, of one number a line or one for each value of a label.
pub(super) struct QueueSeries {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    unit: Unit,
    about: &'static str,
    pub(super) rows: &'static [QueueRow],
}

/// One number of a series.
pub(super) struct QueueRow {
    /// Name and value, beside the labels of the line.
    pub(super) label: Option<(&'static str, &'static str)>,
    number: fn(&QueueStatus) -> f64,
}

pub(super) const SERIES: &[QueueSeries] = &[
    QueueSeries {
        name: "cacheback_queue_length",
        kind: Kind::Gauge,
        unit: Unit::Count,
        about: "Jobs that wait for a worker.",
        rows: &[QueueRow { label: None, number: |line| line.length as f64 }],
    },
    QueueSeries {
        name: "cacheback_queue_oldest_seconds",
        kind: Kind::Gauge,
        unit: Unit::Seconds,
        about: "How long the oldest of the waiting jobs has waited.",
        rows: &[QueueRow { label: None, number: |line| line.oldest.unwrap_or_default().as_secs_f64() }],
    },
    QueueSeries {
        name: "cacheback_queue_under_way",
        kind: Kind::Gauge,
        unit: Unit::Count,
        about: "Jobs that were taken by a worker and have not ended.",
        rows: &[QueueRow { label: None, number: |line| line.under_way as f64 }],
    },
    QueueSeries {
        name: "cacheback_queue_workers",
        kind: Kind::Gauge,
        unit: Unit::Count,
        about: "Workers that serve the function.",
        rows: &[QueueRow { label: None, number: |line| line.workers as f64 }],
    },
    QueueSeries {
        name: "cacheback_queue_jobs_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        about: "Jobs that have ended, by how they have.",
        rows: &[
            QueueRow { label: Some(("outcome", "done")), number: |line| line.done as f64 },
            QueueRow { label: Some(("outcome", "failed")), number: |line| line.failed as f64 },
            QueueRow { label: Some(("outcome", "dropped")), number: |line| line.dropped as f64 },
        ],
    },
];

/// The labels of a line, of the tier with this alias.
pub(crate) fn labels(alias: Option<&str>, queue: &str, cache: &str, version: u64) -> Vec<Label> {
    let tier = alias.unwrap_or("default");
    vec![
        Label::new("tier", tier.to_owned()),
        Label::new("queue", queue.to_owned()),
        Label::new("cache", cache.to_owned()),
        Label::new("version", version.to_string()),
    ]
}

/// What each worker of this process was told last.
static SEEN: Mutex<BTreeMap<Box<str>, Vec<QueueStatus>>> = Mutex::new(BTreeMap::new());

/// The eyes of a worker, until it ends.
pub(crate) struct Watcher(Box<str>);

impl Watcher {
    pub(crate) fn new(worker: &str) -> Self {
        Self(worker.into())
    }

    /// It was told of the queues.
    pub(crate) fn sees(&self, lines: Vec<QueueStatus>) {
        lock(&SEEN).insert(self.0.clone(), lines);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        lock(&SEEN).remove(&self.0);
    }
}

pub(super) fn publish() {
    // A recorder is user code.
    let seen: Vec<QueueStatus> = lock(&SEEN).values().flatten().cloned().collect();
    for line in &seen {
        for series in SERIES {
            for QueueRow { label, number } in series.rows {
                let mut labels = labels(line.tier.as_deref(), &line.queue, &line.function, line.version);
                labels.extend(label.as_ref().map(Label::from));
                match series.kind {
                    Kind::Counter => {
                        counter!(target: TARGET, series.name, labels).absolute(number(line) as u64);
                    }
                    Kind::Gauge => gauge!(target: TARGET, series.name, labels).set(number(line)),
                }
            }
        }
    }
}

pub(super) fn describe() {
    for QueueSeries { name, kind, unit, about, .. } in SERIES {
        match kind {
            Kind::Counter => describe_counter!(*name, *unit, *about),
            Kind::Gauge => describe_gauge!(*name, *unit, *about),
        }
    }
    describe_histogram!(WAIT, Unit::Seconds, "How long jobs have waited for a worker.");
}
