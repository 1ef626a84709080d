//! The attribute's own tokens: from `lifetime = 600, skip(db)` to one raw, spanned value an option. Nothing here
//! looks at the function, and no rule here looks at two options; that is `plan`.

mod foreign;
mod names;
mod raw;
mod read;
mod table;
#[cfg(test)]
mod tests;
mod value;

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};

use self::raw::{Raw, parse_comma, parse_option, recover};
pub(crate) use self::table::{Field, Given, Kind, Options, Returns, default_duration};
pub(crate) use self::value::{AnyValue, Eviction, Handle, Literal, Value, has_own_type, peel};
use crate::error::text::nearest;
use crate::error::{Errors, refuse};

/// Reads the attribute. An error in one option does not hide an error in the next.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Options {
    let mut options = Options::default();
    let all = |input: ParseStream| {
        let mut seen = Vec::new();
        while !input.is_empty() {
            match parse_option(input) {
                Ok(raw) if seen.contains(&raw.name) => {
                    let name = &raw.name;
                    errors.on(name, format_args!("`{name}` is given twice\nremove one of them"));
                }
                Ok(raw) => {
                    seen.push(raw.name.clone());
                    let name = raw.name.unraw().to_string();
                    if let Err(error) = take(&mut options, raw) {
                        errors.push(error);
                        options.unread.push(Some(name));
                    }
                }
                Err(error) => {
                    errors.push(error);
                    options.unread.push(None);
                    recover(input);
                    continue;
                }
            }
            if input.is_empty() {
                break;
            }
            if let Err(error) = parse_comma(input) {
                errors.push(error);
                recover(input);
            }
        }
        Ok(())
    };
    if let Err(error) = all.parse2(tokens) {
        errors.push(error);
    }
    options.incomplete = !errors.is_empty();
    options
}

/// Puts one option in its place.
fn take(options: &mut Options, raw: Raw) -> syn::Result<()> {
    let Raw { name, form } = raw;
    let written = form.written();
    match options.read(&name, form) {
        Some(read) => read,
        None => refuse(name.span(), names::unknown(&name, written.as_deref())),
    }
}

impl Options {
    /// Whether an option that could not be read may be one of these.
    pub(crate) fn may_mean(&self, names: &[&str]) -> bool {
        let may_mean = |unread: &Option<String>| match unread {
            Some(unread) => nearest(unread, names.iter().copied()).is_some(),
            None => true,
        };
        self.unread.iter().any(may_mean)
    }
}
