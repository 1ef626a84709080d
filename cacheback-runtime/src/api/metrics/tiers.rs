//! The series of the second tiers.

use std::time::Duration;

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
        name: "cacheback_tier_pending_changes",
        kind: Kind::Gauge,
        unit: Unit::Count,
        about: "Changes that the second tier was not told of yet.",
        rows: &[TierRow { label: None, number: |tier| tier.pending as f64 }],
    },
    TierSeries {
        name: "cacheback_tier_late_changes_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        about: "Changes that the second tier could not be told of when they were made.",
        rows: &[
            TierRow { label: Some(("outcome", "recovered")), number: |tier| tier.recovered as f64 },
            TierRow { label: Some(("outcome", "yielded")), number: |tier| tier.yielded as f64 },
            TierRow { label: Some(("outcome", "overflowed")), number: |tier| tier.overflowed as f64 },
        ],
    },
    TierSeries {
        name: "cacheback_tier_messages_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        about: "Messages of changes that have arrived.",
        rows: &[TierRow { label: None, number: |tier| tier.messages as f64 }],
    },
    TierSeries {
        name: "cacheback_tier_message_losses_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        about: "Times that messages may have been lost, so that all values became suspect.",
        rows: &[TierRow { label: None, number: |tier| tier.losses as f64 }],
    },
    TierSeries {
        name: "cacheback_tier_suspect_entries",
        kind: Kind::Gauge,
        unit: Unit::Count,
        about: "Values that are to be looked at before a hit serves them.",
        rows: &[TierRow { label: None, number: |tier| tier.suspects as f64 }],
    },
    TierSeries {
        name: "cacheback_tier_probed_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        about: "Values that probes have looked at, by what they were found to be.",
        rows: &[
            TierRow {
                label: Some(("found", "current")),
                number: |tier| tier.probed.saturating_sub(tier.outdated) as f64,
            },
            TierRow { label: Some(("found", "outdated")), number: |tier| tier.outdated as f64 },
        ],
    },
    TierSeries {
        name: "cacheback_tier_message_age_seconds",
        kind: Kind::Gauge,
        unit: Unit::Seconds,
        about: "Quantiles of the ages that the messages of the last minute had at their arrival.",
        rows: &[
            TierRow { label: Some(("quantile", "0.5")), number: |tier| of(tier.message_age_p50) },
            TierRow { label: Some(("quantile", "0.99")), number: |tier| of(tier.message_age_p99) },
        ],
    },
    TierSeries {
        name: "cacheback_tier_round_trip_seconds",
        kind: Kind::Gauge,
        unit: Unit::Seconds,
        about: "Quantiles of the second tier's round trips of the last minute.",
        rows: &[
            TierRow { label: Some(("quantile", "0.5")), number: |tier| of(tier.round_trip_p50) },
            TierRow { label: Some(("quantile", "0.99")), number: |tier| of(tier.round_trip_p99) },
        ],
    },
];

/// A time in seconds.
fn of(quantile: Option<Duration>) -> f64 {
    quantile.map_or(f64::NAN, |time| time.as_secs_f64())
}

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
