//! How the counters are published: as series for the recorder of the `metrics` crate.

use super::Stats;

/// A series, of one number a cache or one for each value of a label.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) about: &'static str,
    pub(crate) rows: &'static [Row],
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Only grows.
    Counter,
    Gauge,
}

/// One number of a series.
pub(crate) struct Row {
    /// Name and value, beside the label `cache`.
    pub(crate) label: Option<(&'static str, &'static str)>,
    pub(crate) count: fn(&Stats) -> u64,
}

impl Series {
    pub(super) const fn counter(name: &'static str, about: &'static str, rows: &'static [Row]) -> Self {
        Self { name, kind: Kind::Counter, about, rows }
    }

    pub(super) const fn gauge(name: &'static str, about: &'static str, rows: &'static [Row]) -> Self {
        Self { name, kind: Kind::Gauge, about, rows }
    }
}
