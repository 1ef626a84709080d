//! The attribute's own tokens: from `lifetime = 600, skip(db)` to one raw, spanned value an option. Nothing here
//! looks at the function, and no rule here looks at two options; that is `plan`.

mod foreign;
mod names;
#[cfg(test)]
mod tests;
mod value;

use std::time::Duration;

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, Lit, LitStr, Path, Token, token};

use crate::error::text::{nearest, readable};
use crate::error::{Errors, refuse};
pub(crate) use value::{Condition, Eviction, Handle, Value, has_own_type, peel};

/// An option as the user gave it.
#[derive(Clone)]
pub(crate) struct Given<T> {
    /// The option's name, where errors about it belong.
    pub(crate) name: Ident,
    pub(crate) value: T,
}

/// Every option that the user wrote.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) lifetime: Option<Given<Value<Duration>>>,
    pub(crate) max_stale: Option<Given<Value<Duration>>>,
    pub(crate) retention: Option<Given<Value<Duration>>>,
    pub(crate) refresh_ahead: Option<Given<Value<Duration>>>,
    pub(crate) fetch_on_miss: Option<Given<Condition>>,
    pub(crate) empty: Option<Given<Expr>>,
    pub(crate) wait: Option<Given<Value<Duration>>>,
    pub(crate) refresh_timeout: Option<Given<Value<Duration>>>,
    pub(crate) max_backoff: Option<Given<Value<Duration>>>,
    pub(crate) breaker: Option<Given<Condition>>,
    pub(crate) max_refreshes: Option<Given<Value<u64>>>,
    pub(crate) lifetime_for: Option<Given<Expr>>,
    pub(crate) retention_for: Option<Given<Expr>>,
    pub(crate) cache_err: Option<Given<Value<Duration>>>,
    pub(crate) share_err: Option<Given<Expr>>,
    pub(crate) is_outage: Option<Given<Expr>>,
    pub(crate) jitter: Option<Given<Value<f64>>>,
    pub(crate) key: Option<Given<Expr>>,
    pub(crate) skip: Option<Given<Vec<Ident>>>,
    pub(crate) capacity: Option<Given<Value<u64>>>,
    pub(crate) max_bytes: Option<Given<Value<u64>>>,
    pub(crate) weigh: Option<Given<Expr>>,
    pub(crate) eviction: Option<Given<Eviction>>,
    pub(crate) name: Option<Given<LitStr>>,
    pub(crate) in_impl: Option<Given<()>>,
    pub(crate) handle: Option<Given<Handle>>,
    pub(crate) krate: Option<Given<Path>>,
    /// Some option could not be read: what is absent here may not be absent there.
    pub(crate) incomplete: bool,
    /// The names of those, if they have one.
    unread: Vec<Option<String>>,
}

/// Reads the attribute. What is wrong with one option does not hide what is wrong with the next.
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
                    if let Err(error) = options.take(raw) {
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

/// An option whose value nobody has looked at.
struct Raw {
    name: Ident,
    value: RawValue,
}

enum RawValue {
    /// `name`
    Flag,
    /// `name = expression`
    Expr(Expr),
    /// `name(..)`
    List(TokenStream),
}

impl RawValue {
    /// A value as a user would write it again: not a closure, which takes other arguments elsewhere.
    fn written(&self) -> Option<String> {
        match self {
            RawValue::Flag | RawValue::Expr(Expr::Closure(_)) => None,
            RawValue::Expr(expr) => Some(readable(expr)),
            RawValue::List(tokens) => Some(readable(tokens)).filter(|text| !text.is_empty()),
        }
    }
}

fn parse_option(input: ParseStream) -> syn::Result<Raw> {
    if input.peek(Lit) {
        let lit: Lit = input.parse()?;
        let shown = quote::quote!(#lit).to_string();
        return Err(syn::Error::new(lit.span(), format!("options have names\nwrite `lifetime = {shown}`")));
    }
    let name = Ident::parse_any(input).map_err(|error| {
        syn::Error::new(error.span(), "expected an option\nwrite for example `lifetime = 600`")
    })?;
    let value = if input.peek(Token![=]) {
        let equals: Token![=] = input.parse()?;
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new(equals.span, format!("`{name}` has no value\nwrite `{name} = ..`")));
        }
        RawValue::Expr(input.parse()?)
    } else if input.peek(Token![:]) {
        return Err(input.error(format_args!("an option takes its value after `=`\nwrite `{name} = ..`")));
    } else if input.peek(token::Paren) {
        let content;
        syn::parenthesized!(content in input);
        RawValue::List(content.parse()?)
    } else {
        RawValue::Flag
    };
    Ok(Raw { name, value })
}

fn parse_comma(input: ParseStream) -> syn::Result<()> {
    match input.parse::<Token![,]>() {
        Ok(_) => Ok(()),
        Err(_) => Err(input.error("expected `,` between two options, or `=` before a value")),
    }
}

/// Skips what could not be read, up to the next thing that looks like an option.
fn recover(input: ParseStream) {
    while !input.is_empty() && !at_option(input) {
        let comma = input.peek(Token![,]);
        if input.parse::<TokenTree>().is_err() || (comma && at_option(input)) {
            return;
        }
    }
}

fn at_option(input: ParseStream) -> bool {
    let next = |peek2: bool| input.peek(Ident::peek_any) && peek2;
    next(input.peek2(Token![=]) && !input.peek2(Token![==])) || next(input.peek2(token::Paren))
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

    /// Puts one option in its place.
    fn take(&mut self, raw: Raw) -> syn::Result<()> {
        let Raw { name, value } = raw;
        match name.unraw().to_string().as_str() {
            "lifetime" => give(&mut self.lifetime, name, value, value::duration),
            "max_stale" => give(&mut self.max_stale, name, value, value::duration),
            "retention" => give(&mut self.retention, name, value, value::duration),
            "refresh_ahead" => give(&mut self.refresh_ahead, name, value, value::duration),
            "wait" => give(&mut self.wait, name, value, value::duration),
            "refresh_timeout" => give(&mut self.refresh_timeout, name, value, value::duration),
            "max_backoff" => give(&mut self.max_backoff, name, value, value::duration),
            "cache_err" => give(&mut self.cache_err, name, value, value::duration),
            "breaker" => give(&mut self.breaker, name, value, value::condition),
            "max_refreshes" => give(&mut self.max_refreshes, name, value, value::count),
            "capacity" => give(&mut self.capacity, name, value, value::count),
            "max_bytes" => give(&mut self.max_bytes, name, value, value::bytes),
            "eviction" => give(&mut self.eviction, name, value, |_, expr| value::eviction(&expr)),
            "jitter" => give(&mut self.jitter, name, value, value::fraction),
            "empty" => give(&mut self.empty, name, value, |_, expr| Ok(expr)),
            "key" => give(&mut self.key, name, value, |_, expr| Ok(expr)),
            "name" => give(&mut self.name, name, value, |name, expr| value::text(name, &expr)),
            "handle" => give(&mut self.handle, name, value, |_, expr| value::handle(&expr)),
            "crate" => give(&mut self.krate, name, value, |name, expr| value::path(name, &expr)),
            "lifetime_for" => give(&mut self.lifetime_for, name, value, |name, expr| {
                value::closure(name, "|value| Duration::from_secs(60)", expr)
            }),
            "retention_for" => give(&mut self.retention_for, name, value, |name, expr| {
                value::closure(name, "|value| Duration::from_secs(60)", expr)
            }),
            "weigh" => give(&mut self.weigh, name, value, |name, expr| {
                value::closure(name, "|value| value.len()", expr)
            }),
            "share_err" => give(&mut self.share_err, name, value, |name, expr| {
                value::closure(name, "|error: &MyError| MyError::new(error.to_string())", expr)
            }),
            "is_outage" => give(&mut self.is_outage, name, value, |name, expr| {
                value::closure(name, "|error| !error.is_not_found()", expr)
            }),
            "fetch_on_miss" if matches!(value, RawValue::Flag) => {
                self.fetch_on_miss = Some(Given { value: Condition::Always(name.span()), name });
                Ok(())
            }
            "fetch_on_miss" => give(&mut self.fetch_on_miss, name, value, value::condition),
            "skip" => {
                let value = parse_skip(&name, value)?;
                self.skip = Some(Given { name, value });
                Ok(())
            }
            "in_impl" => {
                parse_flag(&name, &value)?;
                self.in_impl = Some(Given { name, value: () });
                Ok(())
            }
            _ => refuse(name.span(), names::unknown(&name, value.written().as_deref())),
        }
    }
}

/// An option of the form `name = expression`.
fn give<T>(
    place: &mut Option<Given<T>>,
    name: Ident,
    value: RawValue,
    read: impl FnOnce(&Ident, Expr) -> syn::Result<T>,
) -> syn::Result<()> {
    let expr = match value {
        RawValue::Expr(expr) => expr,
        RawValue::List(tokens) if !tokens.is_empty() => {
            return refuse(
                name.span(),
                format!("`{name}` takes its value after `=`\nwrite `{name} = {tokens}`"),
            );
        }
        _ => return refuse(name.span(), format!("`{name}` has no value\nwrite `{name} = ..`")),
    };
    let value = read(&name, expr)?;
    *place = Some(Given { name, value });
    Ok(())
}

fn parse_flag(name: &Ident, value: &RawValue) -> syn::Result<()> {
    match value {
        RawValue::Flag => Ok(()),
        _ => refuse(name.span(), format!("`{name}` is a flag\nwrite just `{name}`, or leave it out")),
    }
}

fn parse_skip(name: &Ident, value: RawValue) -> syn::Result<Vec<Ident>> {
    let RawValue::List(tokens) = value else {
        return refuse(name.span(), "`skip` takes the names of arguments\nwrite `skip(db)`");
    };
    let list =
        |input: ParseStream| Punctuated::<Ident, Token![,]>::parse_terminated_with(input, Ident::parse_any);
    match list.parse2(tokens) {
        Ok(list) if !list.is_empty() => Ok(list.into_iter().collect()),
        _ => refuse(
            name.span(),
            "`skip` takes the names of arguments, with commas between\nwrite `skip(db, log)`",
        ),
    }
}
