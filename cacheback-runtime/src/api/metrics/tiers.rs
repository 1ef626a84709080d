//! The series of the second tiers.

use ::metrics::{Label, Unit, counter, describe_counter, describe_gauge, gauge};

use super::TARGET;
use crate::api::shared::{self, TierStatus};
use crate::events::Kind;

/// A series, of one number a tier or one for each value of a label.
pub(super) struct TierSeries {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    unit: Unit,
    about: &'static str,
    pub(super) rows: &'static [TierRow],
}

/// One number of a series.
pub(super) struct TierRow {
    /// Name and value, beside the label `tier`.
    pub(super) label: Option<(&'static str, &'static str)>,
    number: fn(&TierStatus) -> f64,
}

pub(super) const SERIES: &[TierSeries] = &[
    TierSeries {
        name: "cacheback_tier_connected",
        kind: Kind::Gauge,
        unit: Unit::Count,
        about: "Whether there is a connection to the second tier.",
        rows: &[TierRow { label: None, number: |tier| f64::from(u8::from(tier.connected)) }],
    },
    TierSeries {
        name: "cacheback_tier_operations_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        about: "Operations that were asked of the second tier.",
        rows: &[TierRow { label: None, number: |tier| tier.operations as f64 }],
    },
    TierSeries {
        name: "cacheback_tier_failures_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        about: "Operations of the second tier that failed.",
        rows: &[
            TierRow { label: Some(("outcome", "error")), number: |tier| tier.errors as f64 },
            TierRow { label: Some(("outcome", "timeout")), number: |tier| tier.timeouts as f64 },
        ],
    },
    TierSeries {
        name: "cacheback_tier_round_trip_seconds",
        kind: Kind::Gauge,
        unit: Unit::Seconds,
        about: "Quantiles of the second tier's round trips of the last minute.",
        rows: &[
            TierRow {
                label: Some(("quantile", "0.5")),
                number: |tier| tier.round_trip_p50.map_or(f64::NAN, |p50| p50.as_secs_f64()),
            },
            TierRow {
                label: Some(("quantile", "0.99")),
                number: |tier| tier.round_trip_p99.map_or(f64::NAN, |p99| p99.as_secs_f64()),
            },
        ],
    },
];

pub(super) fn publish() {
    for tier in shared::status() {
        let alias = tier.alias.as_deref().unwrap_or("default");
        for series in SERIES {
            for TierRow { label, number } in series.rows {
                let mut labels = vec![Label::new("tier", alias.to_owned())];
                labels.extend(label.as_ref().map(Label::from));
                match series.kind {
                    Kind::Counter => {
                        counter!(target: TARGET, series.name, labels).absolute(number(&tier) as u64);
                    }
                    Kind::Gauge => gauge!(target: TARGET, series.name, labels).set(number(&tier)),
                }
            }
        }
    }
}

pub(super) fn describe() {
    for TierSeries { name, kind, unit, about, .. } in SERIES {
        match kind {
            Kind::Counter => describe_counter!(*name, *unit, *about),
            Kind::Gauge => describe_gauge!(*name, *unit, *about),
        }
    }
}
