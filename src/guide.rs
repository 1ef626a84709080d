//! A guide, page by page. Each has code that runs.
//!
//! 1. [The first call](first_call)
//! 2. [What a caller gets while nothing is cached](misses)
//! 3. [How old a value may be, and what happens where the origin fails](staleness)
//! 4. [What callers get when a fetch fails](errors)
//! 5. [What tells one entry from another](keys)
//! 6. [Tests of code that calls cached functions](testing)
//! 7. [Limits, numbers, logs, and the end of the process](operations)
//! 8. [When not to use it](when_not)

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

#[doc = include_str!("guide/testing.md")]
pub mod testing {}

#[doc = include_str!("guide/operations.md")]
pub mod operations {}

#[doc = include_str!("guide/when_not.md")]
pub mod when_not {}
