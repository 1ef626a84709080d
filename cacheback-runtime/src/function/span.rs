//! What an option of time may be, as an expression.

use std::time::Duration;

/// A duration as an option gives it. That its type is none is told here, with what to write: so nothing here says which
/// type is expected.
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
