//! The answer that a caller gets while nothing is cached.

use super::expression::{Expression, Names};
use crate::error::Errors;
use crate::options::{Given, Options, Value};

/// The answer that a caller gets while nothing is cached.
pub(crate) enum Empty {
    Default,
    Written(Expression),
    /// No caller ever sees it.
    Never,
}

/// The empty answer under `options`.
pub(super) fn choose(options: &Options, names: &Names, errors: &mut Errors) -> Empty {
    match &options.empty {
        Some(empty) => Empty::Written(names.read(&empty.value, errors)),
        None if always_waits(options) => Empty::Never,
        None => Empty::Default,
    }
}

/// Whether a caller who finds nothing always gets the fetch's outcome.
pub(super) fn always_waits(options: &Options) -> bool {
    let always = matches!(&options.fetch_on_miss, Some(Given { value: Value::Fixed(true, _), .. }));
    always && options.wait.is_none()
}
