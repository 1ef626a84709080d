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
    Some(Shared { at: shared.name.span(), alias: shared.value.clone(), version })
}
