//! The loads. Each part of a load runs in a process of its own, because functions have static caches, and one part must
//! not find the entries of another.

use std::time::Duration;

use crate::figure::Sink;
use crate::plan::Plan;

mod allocations;
pub(crate) mod background;
pub(crate) mod build;
pub(crate) mod callers;
pub(crate) mod counts;
pub(crate) mod disk;
pub(crate) mod fleet;
pub(crate) mod hit_ratio;
pub(crate) mod hits;
pub(crate) mod instructions;
mod memory;
mod misses;
pub(crate) mod shared;
pub(crate) mod stale;
pub(crate) mod tail;
mod waiters;
mod writes;

pub(crate) struct Load {
    pub(crate) name: &'static str,
    pub(crate) parts: fn(&Plan) -> Vec<String>,
    pub(crate) run: fn(&str, &Plan, Sink),
}

impl Load {
    /// A part that prints nothing for so long hangs.
    pub(crate) fn silence(&self) -> Duration {
        // All dependencies are built at once.
        Duration::from_secs(if self.name == build::NAME { 900 } else { 240 })
    }
}

pub(crate) const LOADS: &[Load] = &[
    Load { name: "hits", parts: hits::parts, run: hits::run },
    Load { name: "misses", parts: misses::parts, run: misses::run },
    Load { name: "background", parts: background::parts, run: background::run },
    Load { name: "writes", parts: writes::parts, run: writes::run },
    Load { name: "stale", parts: stale::parts, run: stale::run },
    Load { name: "tail", parts: tail::parts, run: tail::run },
    Load { name: "waiters", parts: waiters::parts, run: waiters::run },
    Load { name: shared::NAME, parts: shared::parts, run: shared::run },
    Load { name: disk::NAME, parts: disk::parts, run: disk::run },
    Load { name: fleet::NAME, parts: fleet::parts, run: fleet::run },
    Load { name: "memory", parts: memory::parts, run: memory::run },
    Load { name: "allocations", parts: allocations::parts, run: allocations::run },
    Load { name: "hit-ratio", parts: hit_ratio::parts, run: hit_ratio::run },
    Load { name: counts::NAME, parts: counts::parts, run: counts::run },
    Load { name: instructions::NAME, parts: instructions::parts, run: instructions::run },
    Load { name: build::NAME, parts: build::parts, run: build::run },
];

pub(crate) fn named(name: &str) -> Option<&'static Load> {
    LOADS.iter().find(|load| load.name == name)
}
