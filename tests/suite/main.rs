//! The contract, rule by rule: each test is on a paused runtime of its own, with caches of its own.

mod support;

mod abandoned;
mod auto_traits;
mod blanket;
mod bodies;
mod borrowing_keys;
mod bound;
mod breaker;
mod caches;
mod catalogue;
mod clock;
mod configure;
mod empty;
mod executor;
mod failure;
mod faults;
mod floods;
mod forms;
mod generics;
mod handles;
mod isolation;
mod logs;
mod methods;
mod metrics;
mod misuse;
mod objects;
mod options;
mod serde;
mod shutdown;
mod single_flight;
mod states;
mod traps;
mod values;
mod writes;
