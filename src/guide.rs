//! A guide, page by page. The code on each page runs as a test.
//!
//! 1. [The first call](first_call)
//! 2. [Empty answers, and waiting for the first value](misses)
//! 3. [Stale values, and an origin that fails](staleness)
//! 4. [Errors of a fetch, and how callers get them](errors)
//! 5. [The key of an entry](keys)
//! 6. [Functions that can be cached, and their handles](functions)
//! 7. [All options in one table](options)
//! 8. [A cache without the macro](objects)
//! 9. [A web service, with and without the cache](web_service)
//! 10. [Tests of code that calls cached functions](testing)
//! 11. [Operations: limits, numbers, logs and shutdown](operations)
//! 12. [More than one process](several_processes)
//! 13. [One machine: a file as the second tier](one_machine)
//! 14. [Refreshes in worker processes](workers)
//! 15. [How far it goes](how_far)
//! 16. [The cost of a call](costs)
//! 17. [Limits: requirements, and things that the library does not do](limits)
//! 18. [Coming from another cache](coming_from)
//! 19. [When not to use it](when_not)

#[doc = include_str!("guide/first_call.md")]
pub mod first_call {}

#[doc = include_str!("guide/misses.md")]
pub mod misses {}

#[doc = include_str!("guide/staleness.md")]
pub mod staleness {}

#[doc = include_str!("guide/errors.md")]
pub mod errors {}

#[doc = include_str!("guide/keys.md")]
pub mod keys {}

#[doc = include_str!("guide/functions.md")]
pub mod functions {}

#[doc = include_str!("guide/options.md")]
pub mod options {}

#[doc = include_str!("guide/objects.md")]
pub mod objects {}

#[doc = include_str!("guide/web_service.md")]
pub mod web_service {}

#[doc = include_str!("guide/testing.md")]
pub mod testing {}

#[doc = include_str!("guide/operations.md")]
pub mod operations {}

#[doc = include_str!("guide/several_processes.md")]
pub mod several_processes {}

#[doc = include_str!("guide/one_machine.md")]
pub mod one_machine {}
#[doc = include_str!("guide/how_far.md")]
pub mod how_far {}

#[doc = include_str!("guide/workers.md")]
pub mod workers {}

#[doc = include_str!("guide/costs.md")]
pub mod costs {}

#[doc = include_str!("guide/limits.md")]
pub mod limits {}

#[doc = include_str!("guide/coming_from.md")]
pub mod coming_from {}

#[doc = include_str!("guide/when_not.md")]
pub mod when_not {}
