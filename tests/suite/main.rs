//! The contract, rule by rule. Each test has a paused runtime and caches of its own.

#[macro_use]
#[path = "../support/assert_stats.rs"]
mod assert_stats;
#[macro_use]
mod fleet;
mod support;

mod assertions;
mod auto_traits;
mod blanket_traits;
mod bodies;
mod borrowing_keys;
mod breaker;
mod capacity;
mod catalogue;
mod clock;
mod coherence;
mod coming_from_elsewhere;
mod configure;
mod contradicting_options;
mod cooperation;
mod distinct_keys_and_names;
mod dropped_calls;
mod empty_answers;
mod executor;
mod failure;
mod floods;
mod function_forms;
mod generics;
mod handles;
mod hostile_code;
mod imports;
mod isolation;
mod list_of_caches;
mod logs;
mod methods;
mod metrics;
mod objects;
mod options;
mod pauses;
mod recovery;
mod serde;
mod shared;
mod shared_errors;
mod shared_forms;
mod shared_status;
mod shutdown;
mod single_flight;
mod states;
mod workers;
mod writes;
