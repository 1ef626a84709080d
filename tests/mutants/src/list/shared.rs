//! Mutations of the second tier.

use super::Mutation;
use crate::run::Target::{Fleet, Suite};

pub(crate) const SHARED: &[Mutation] = &[
    Mutation {
        name: "refused-store",
        breaks: "shared: a value that the tier has refused is not stored here either",
        core: true,
        file: "engine/shared/lease.rs",
        at: "*origin = Origin::Refused;",
        original: "*origin = Origin::Refused;",
        mutated: "let _ = origin;",
        killed_by: &[(Suite, "shared::a_fetch_never_overwrites_the_write_of_another_process")],
    },
    Mutation {
        name: "lapsed-lease",
        breaks: "shared: the lease of a body that hangs is given back when its claim lapses",
        core: false,
        file: "engine/shared/lease.rs",
        at: "shared.tier.release(&shared.key, *token, Release::Free);",
        original: "shared.tier.release(&shared.key, *token, Release::Free)",
        mutated: "drop((shared, token))",
        killed_by: &[(Suite, "shared::a_body_that_hangs_keeps_nobody_else_off")],
    },
    Mutation {
        name: "forced-refresh",
        breaks: "shared: `refresh` takes no value that was there before",
        core: false,
        file: "engine/shared/lease.rs",
        at: "let mut ahead = (self.demand != Demand::Fetched)",
        original: "(self.demand != Demand::Fetched).then_some(policy.refresh_ahead)",
        mutated: "Some(policy.refresh_ahead)",
        killed_by: &[(Suite, "shared::refresh_runs_the_body")],
    },
    Mutation {
        name: "joined-refresh",
        breaks: "shared: `refresh` joins a fetch, and takes no value that it has merely found",
        core: false,
        file: "engine/shared/lease.rs",
        at: "found.is_just_fetched = has_waited;",
        original: "has_waited",
        mutated: "(has_waited, true).1",
        killed_by: &[(Suite, "shared::a_refresh_that_joins_a_take_over_runs_the_body")],
    },
    Mutation {
        name: "shared-back-off",
        breaks: "shared: after a failure the other processes keep off",
        core: false,
        file: "engine/shared/lease.rs",
        at: "lease.end(match backoff {",
        original: "backoff",
        mutated: "backoff.filter(|_| false)",
        killed_by: &[(Suite, "shared::a_failure_keeps_the_other_processes_off")],
    },
    Mutation {
        name: "whole-keys",
        breaks: "shared: a key that is not encoded whole stays in its process",
        core: true,
        file: "tier/wire_key.rs",
        at: "return Err(NotCanonical::Merged);",
        original: "return Err(NotCanonical::Merged);",
        mutated: "{}",
        killed_by: &[(Suite, "shared::a_key_that_is_not_encoded_whole_stays_in_its_process")],
    },
    Mutation {
        name: "invalidation-runs-the-body",
        breaks: "shared: the refresh of an invalidation takes a value that was set after it",
        core: true,
        file: "engine/write.rs",
        at: "(admission == Admission::Trial, Demand::Fresh, links)",
        original: "Demand::Fresh",
        mutated: "Demand::Fetched",
        killed_by: &[(Suite, "coherence::the_refresh_of_an_invalidation_takes_what_was_set_after_it")],
    },
    Mutation {
        name: "no-fence",
        breaks: "shared: a fetch never overwrites what another process has written since it began",
        core: false,
        file: "tier/redis/scripts.rs",
        at: "store: on_one_key!(\"scripts/store.lua\"),",
        original: "on_one_key!(\"scripts/store.lua\")",
        mutated: "Script::new(Box::leak(concat!(include_str!(\"scripts/prelude.lua\"), include_str!(\"scripts/store.lua\"))\
                  .replace(\"if is_held or is_outdated or is_changed then\", \"if false then\").into_boxed_str()))",
        killed_by: &[(Fleet, "60 --seed 1")],
    },
    Mutation {
        name: "no-tombstone",
        breaks: "shared: a removed key leaves a tombstone, for those who were cut off",
        core: false,
        file: "tier/redis/scripts.rs",
        at: "set: on_one_key!(\"scripts/set.lua\"),",
        original: "on_one_key!(\"scripts/set.lua\")",
        mutated: "Script::new(Box::leak(concat!(include_str!(\"scripts/prelude.lua\"), include_str!(\"scripts/set.lua\"))\
                  .replace(\"\\nput(ARGV[7], next_id, left)\", \
                  \"\\nif is_tombstone then redis.call('DEL', KEYS[1]) else put(ARGV[7], next_id, left) end\")\
                  .into_boxed_str()))",
        killed_by: &[(Fleet, "60 --seed 1")],
    },
    Mutation {
        name: "newer-left-there",
        breaks: "shared: a newer value is taken over, although it is stale there too",
        core: false,
        file: "engine/shared/lease.rs",
        at: "self.take_over(&found, policy)",
        original: "self.take_over(&found, policy)",
        mutated: "drop(found)",
        killed_by: &[
            (Suite, "shared::stale_here_and_stale_there_but_newer"),
            (Suite, "shared::stale_here_and_stale_there_but_newer_as_the_body_fails"),
        ],
    },
];
