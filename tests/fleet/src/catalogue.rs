//! The functions of a process, as far as the rules have to know them.

use crate::events::{MILLISECOND, Micros, SECOND};

/// The time-out of an operation of the second tier.
pub(crate) const TIMEOUT: Micros = 500 * MILLISECOND;

/// A cached function, which is one of those in `functions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) keys: u32,
    pub(crate) lifetime: Micros,
    /// A call may take so long, whatever happens.
    pub(crate) limit: Micros,
    /// Each key is read by one process alone, until the end: what another one has removed, nobody puts back in the meantime.
    pub(crate) is_private: bool,
    /// It is written as a whole.
    pub(crate) is_cleared: bool,
}

/// Whoever waits for a fetch waits no longer than this (`wait`).
pub(crate) const WAIT: Micros = 2 * SECOND;
/// A look, and then either a fetch, or another look. The rest is for a busy machine.
const WAITING: Micros = 2 * TIMEOUT + WAIT + SECOND;
/// A look. The rest is for a busy machine.
const AT_ONCE: Micros = 2 * TIMEOUT + SECOND;
/// A write tells the tier, at most twice, and removes what could not be replaced.
pub(crate) const WRITE_LIMIT: Micros = 3 * TIMEOUT + SECOND;

const fn function(name: &'static str, keys: u32, lifetime: Micros) -> Function {
    Function { name, keys, lifetime, limit: WAITING, is_private: false, is_cleared: false }
}

pub(crate) const FUNCTIONS: [Function; 5] = [
    function("short", 24, 2 * SECOND),
    function("long", 40, 600 * SECOND),
    Function { is_private: true, ..function("rare", 96, 600 * SECOND) },
    Function { limit: AT_ONCE, ..function("at_once", 12, 2 * SECOND) },
    Function { is_cleared: true, ..function("cleared", 12, 600 * SECOND) },
];

/// The function of a key: `long:7` is one of `long`.
pub(crate) fn function_of(key: &str) -> Option<&'static Function> {
    let name = key.split(':').next()?;
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// All keys of a function.
pub(crate) fn keys_of(function: &Function) -> impl Iterator<Item = String> + use<> {
    let Function { name, keys, .. } = *function;
    (0..keys).map(move |key| format!("{name}:{key}"))
}
