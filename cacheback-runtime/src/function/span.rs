//! The type of an option that is a time, if it is an expression.

use std::time::Duration;

/// A duration as the expression of an option gives it. An expression of another type gets the error of [`Span`], which
/// says what to write; for that reason the parameter is no plain `Duration`.
pub fn span(span: impl Span) -> Duration {
    span.duration()
}

/// A [`Duration`], and nothing else: a bare number could be anything.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a duration",
    label = "expected a `Duration`",
    note = "write `Duration::from_secs(..)` around it; a literal that is all of an option is seconds: `lifetime = 3600`, or `\"1h\"`"
)]
pub trait Span {
    /// Itself.
    fn duration(self) -> Duration;
}
impl Span for Duration {
    fn duration(self) -> Duration {
        self
    }
}
