//! The second tier of a function.

use proc_macro2::Span;
use syn::LitStr;

use super::expression::Names;
use super::settings::{self, Setting};
use crate::error::Errors;
use crate::options::{AnyValue, Literal, Options, Value};

/// The second tier of a function that is shared.
pub(crate) struct Shared {
    /// At the option.
    pub(crate) at: Span,
    /// The name of the tier, if it is another than the one without a name.
    pub(crate) alias: Option<LitStr>,
    pub(crate) version: Option<Setting>,
    pub(crate) queue: Option<Queue>,
}

/// The queue for refreshes that workers run.
pub(crate) struct Queue {
    /// At the option.
    pub(crate) at: Span,
    pub(crate) name: LitStr,
}

impl Queue {
    fn of(options: &Options) -> Option<Self> {
        let queue = options.queue.as_ref()?;
        let at = queue.name.span();
        Some(Self { at, name: queue.value.clone().unwrap_or_else(|| LitStr::new("default", at)) })
    }
}

/// The second tier under `options`, if there is one.
pub(super) fn choose(options: &Options, names: &Names, errors: &mut Errors) -> Option<Shared> {
    let shared = options.shared.as_ref()?;
    let version = options.version.as_ref().map(|version| {
        let value = match &version.value {
            Value::Fixed(number, at) => AnyValue::Fixed(Literal::Count(*number), *at),
            Value::Computed(expr) => AnyValue::Computed { expr: expr.clone(), is_duration: false },
        };
        settings::constant(&version.name, value, names, errors)
    });
    Some(Shared { at: shared.name.span(), alias: shared.value.clone(), version, queue: Queue::of(options) })
}
