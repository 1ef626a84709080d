//! From the tokens behind one option to its value: literals are checked here, anything else is left to the type
//! system.

use std::time::Duration;

use parse_size::{ByteSuffix, Config};
use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, ExprUnary, Ident, Lit, LitFloat, LitInt, LitStr, Path, Token, UnOp};

use super::raw::Form;
use super::value::{Eviction, Handle, Value, peel};
use crate::error::refuse;
use crate::error::text::nearest;

pub(super) fn duration(name: &Ident, form: Form) -> syn::Result<Value<Duration>> {
    let expr = form.expr(name)?;
    let span = expr.span();
    let Some((lit, negative)) = literal(&expr) else { return Ok(Value::Computed(expr)) };
    if negative {
        return refuse(
            span,
            format!("a duration cannot be negative\nwrite `{name} = 600` or `{name} = \"10m\"`"),
        );
    }
    let value = match lit {
        Lit::Int(int) => seconds(name, int)?,
        Lit::Str(text) => humantime::parse_duration(&text.value()).map_err(|error| {
            let text = text.value();
            syn::Error::new(
                span,
                format!("`{text}` is not a duration: {error}\nwrite for example `{name} = \"1h 30m\"`"),
            )
        })?,
        Lit::Float(float) => {
            let text = milliseconds(float).unwrap_or_else(|| "1500ms".to_owned());
            return refuse(span, format!("a duration is in whole seconds\nwrite \"{text}\""));
        }
        _ => {
            return refuse(
                span,
                format!(
                    "`{name}` takes a duration\n\
                     write whole seconds, a string such as \"10m\", or a `Duration` expression"
                ),
            );
        }
    };
    Ok(Value::Fixed(value, span))
}

pub(super) fn count(name: &Ident, form: Form) -> syn::Result<Value<u64>> {
    let expr = form.expr(name)?;
    let span = expr.span();
    let int = match literal(&expr) {
        None => return Ok(Value::Computed(expr)),
        Some((Lit::Int(int), false)) => int,
        Some(_) => {
            return refuse(span, format!("`{name}` takes a whole number\nwrite for example `{name} = 100`"));
        }
    };
    if !int.suffix().is_empty() {
        let digits = int.base10_digits();
        return refuse(span, format!("`{name}` takes a number without a suffix\nwrite `{name} = {digits}`"));
    }
    let value = int
        .base10_parse()
        .map_err(|_| syn::Error::new(span, format!("`{int}` is too large for `{name}`")))?;
    Ok(Value::Fixed(value, span))
}

/// How many things may happen: not zero.
pub(super) fn positive(name: &Ident, form: Form) -> syn::Result<Value<u64>> {
    match count(name, form)? {
        Value::Fixed(0, span) => refuse(
            span,
            format!("with `{name} = 0` nothing could be refreshed\nwrite 1 or more, or leave `{name}` out"),
        ),
        value => Ok(value),
    }
}

pub(super) fn bytes(name: &Ident, form: Form) -> syn::Result<Value<u64>> {
    let expr = form.expr(name)?;
    let span = expr.span();
    let (text, unit) = match literal(&expr) {
        None => return Ok(Value::Computed(expr)),
        Some((Lit::Int(int), false)) if int.suffix().is_empty() => return count(name, Form::Expr(expr)),
        Some((Lit::Int(int), false)) => (format!("{}{}", int.base10_digits(), int.suffix()), int.suffix()),
        Some((Lit::Float(float), false)) => {
            (format!("{}{}", float.base10_digits(), float.suffix()), float.suffix())
        }
        Some((Lit::Str(text), false)) => return size(name, &text.value(), span),
        Some(_) => {
            return refuse(
                span,
                format!(
                    "`{name}` takes a number of bytes\n\
                     write a whole number, a string such as \"64MiB\", or a `u64` expression"
                ),
            );
        }
    };
    if size(name, &text, span).is_ok() {
        return refuse(
            span,
            format!("a number of bytes with a unit is a string\nwrite `{name} = \"{text}\"`"),
        );
    }
    match text.strip_suffix(unit) {
        Some(digits) if !unit.is_empty() && !digits.contains('.') => {
            refuse(span, format!("whole bytes have no suffix\nwrite `{name} = {digits}`"))
        }
        _ => refuse(span, format!("bytes are whole\nwrite for example `{name} = \"1.5MiB\"`")),
    }
}

/// A number of bytes with its unit. The unit ends with `B`: whether `64M` means 1,000s or 1,024s is anyone's guess.
fn size(name: &Ident, text: &str, span: Span) -> syn::Result<Value<u64>> {
    match Config::new().with_byte_suffix(ByteSuffix::Require).parse_size(text) {
        Ok(bytes) => Ok(Value::Fixed(bytes, span)),
        Err(parse_size::Error::PosOverflow) => refuse(span, format!("`{text}` is too large for `{name}`")),
        Err(_) => refuse(
            span,
            format!(
                "`{text}` is not a number of bytes with its unit (kB, MB, GB for 1000s; KiB, MiB, GiB for 1024s)\n\
                 write for example `{name} = \"64MiB\"`"
            ),
        ),
    }
}

pub(super) fn eviction(name: &Ident, form: Form) -> syn::Result<Value<Eviction>> {
    let expr = form.expr(name)?;
    let Some((Lit::Str(text), false)) = literal(&expr) else {
        return refuse(
            expr.span(),
            "`eviction` takes a string literal\nwrite `eviction = \"lru\"` or `eviction = \"tiny_lfu\"`",
        );
    };
    let text = text.value();
    // As others spell it: `TinyLFU`, `w-tinylfu`, `LFU`.
    let letters = text.to_lowercase().replace(|char: char| !char.is_alphanumeric(), "");
    match text.as_str() {
        "lru" => Ok(Value::Fixed(Eviction::Lru, expr.span())),
        "tiny_lfu" => Ok(Value::Fixed(Eviction::TinyLfu, expr.span())),
        _ => {
            let near = match nearest(&letters, ["lru", "lfu", "tinylfu", "wtinylfu"].into_iter()) {
                Some("lru") => Some("lru"),
                other => other.map(|_| "tiny_lfu"),
            };
            let advice = match near {
                Some(near) => format!("did you mean `eviction = \"{near}\"`?"),
                None => "write `eviction = \"lru\"` or `eviction = \"tiny_lfu\"`".to_owned(),
            };
            refuse(expr.span(), format!("`{text}` is not a way to choose what is dropped\n{advice}"))
        }
    }
}

pub(super) fn fraction(name: &Ident, form: Form) -> syn::Result<Value<f64>> {
    let expr = form.expr(name)?;
    let span = expr.span();
    let value = match literal(&expr) {
        None => return Ok(Value::Computed(expr)),
        Some((Lit::Float(float), negative)) if matches!(float.suffix(), "" | "f64") => {
            float.base10_parse::<f64>().ok().map(|value| if negative { -value } else { value })
        }
        Some((Lit::Int(int), negative)) if int.suffix().is_empty() => {
            int.base10_parse::<f64>().ok().map(|value| if negative { -value } else { value })
        }
        Some(_) => None,
    };
    match value {
        Some(value) if (0.0..=1.0).contains(&value) => Ok(Value::Fixed(value, span)),
        _ => refuse(
            span,
            format!("`{name}` takes a share between 0.0 and 1.0\nwrite for example `{name} = 0.1`"),
        ),
    }
}

/// A flag, or whether it is set.
pub(super) fn switch(name: &Ident, form: Form) -> syn::Result<Value<bool>> {
    if let Form::Flag = form {
        return Ok(Value::Fixed(true, name.span()));
    }
    let advice = format!("`{name}` is a flag or takes a `bool`\nwrite `{name}`");
    bool_or(&advice, form.expr(name)?)
}

pub(super) fn boolean(name: &Ident, form: Form) -> syn::Result<Value<bool>> {
    bool_or(&format!("`{name}` takes a `bool`\nwrite `{name} = false`"), form.expr(name)?)
}

fn bool_or(refusal: &str, expr: Expr) -> syn::Result<Value<bool>> {
    match literal(&expr) {
        None => Ok(Value::Computed(expr)),
        Some((Lit::Bool(bool), _)) => Ok(Value::Fixed(bool.value, expr.span())),
        Some(_) => refuse(expr.span(), refusal),
    }
}

/// An expression of which nothing is asked here.
pub(super) fn expr(name: &Ident, form: Form) -> syn::Result<Expr> {
    form.expr(name)
}

/// A closure that gives a value a time of its own.
pub(super) fn span_of_value(name: &Ident, form: Form) -> syn::Result<Expr> {
    closure(name, form, "|value| Duration::from_secs(60)")
}

/// A closure that counts the bytes of a value.
pub(super) fn bytes_of_value(name: &Ident, form: Form) -> syn::Result<Expr> {
    closure(name, form, "|value| value.len()")
}

/// A closure that makes another of an error.
pub(super) fn copy_of_error(name: &Ident, form: Form) -> syn::Result<Expr> {
    closure(name, form, "|error: &MyError| MyError::new(error.to_string())")
}

/// A closure that says something of an error.
pub(super) fn test_of_error(name: &Ident, form: Form) -> syn::Result<Expr> {
    closure(name, form, "|error| !error.is_not_found()")
}

fn closure(name: &Ident, form: Form, example: &str) -> syn::Result<Expr> {
    let expr = form.expr(name)?;
    let fits = match peel(&expr) {
        Expr::Closure(closure) => closure.inputs.len() == 1 && closure.asyncness.is_none(),
        Expr::Lit(_) => false,
        _ => true,
    };
    if fits {
        return Ok(expr);
    }
    refuse(
        expr.span(),
        format!("`{name}` takes a closure of one argument that is not `async`\nwrite `{name} = {example}`"),
    )
}

pub(super) fn text(name: &Ident, form: Form) -> syn::Result<LitStr> {
    let expr = form.expr(name)?;
    match literal(&expr) {
        Some((Lit::Str(text), false)) if !text.value().trim().is_empty() && text.suffix().is_empty() => {
            Ok(text.clone())
        }
        Some((Lit::Str(_), false)) => {
            refuse(expr.span(), "a name cannot be empty\nwrite what logs and metrics shall call it")
        }
        _ => refuse(expr.span(), format!("`{name}` takes a string literal\nwrite `{name} = \"users\"`")),
    }
}

/// Whether the crate was built for a runtime that has a second tier.
const HAS_SECOND_TIER: bool = cfg!(feature = "shared");

/// A flag, or the name of a tier.
pub(super) fn shared(name: &Ident, form: Form) -> syn::Result<Option<LitStr>> {
    shared_if(HAS_SECOND_TIER, name, form)
}

/// A flag, or the name of a queue.
pub(super) fn queue(name: &Ident, form: Form) -> syn::Result<Option<LitStr>> {
    if let Form::Flag = form {
        return Ok(None);
    }
    let expr = form.expr(name)?;
    match literal(&expr) {
        Some((Lit::Str(text), false)) if !text.value().trim().is_empty() && text.suffix().is_empty() => {
            Ok(Some(text.clone()))
        }
        Some((Lit::Str(_), false)) => refuse(
            expr.span(),
            format!("the name of a queue cannot be empty\nwrite just `{name}` for the queue `default`"),
        ),
        _ => refuse(
            expr.span(),
            format!(
                "`{name}` is a flag or takes the name of a queue\nwrite `{name}`, or `{name} = \"reports\"`"
            ),
        ),
    }
}

pub(super) fn shared_if(has_second_tier: bool, name: &Ident, form: Form) -> syn::Result<Option<LitStr>> {
    if !has_second_tier {
        return refuse(
            name.span(),
            format!(
                "`{name}` needs a second tier\n\
                 enable the feature `redis` or `sqlite` of `cacheback` (for tests, `test-util` brings one in memory), or leave \
                 `{name}` out"
            ),
        );
    }
    if let Form::Flag = form {
        return Ok(None);
    }
    let expr = form.expr(name)?;
    match literal(&expr) {
        Some((Lit::Str(text), false)) if !text.value().trim().is_empty() && text.suffix().is_empty() => {
            Ok(Some(text.clone()))
        }
        Some((Lit::Str(_), false)) => refuse(
            expr.span(),
            format!("the name of a tier cannot be empty\nwrite just `{name}` for the tier without a name"),
        ),
        _ => refuse(
            expr.span(),
            format!(
                "`{name}` is a flag or takes the name of a tier\nwrite `{name}`, or `{name} = \"sessions\"`"
            ),
        ),
    }
}

pub(super) fn handle(name: &Ident, form: Form) -> syn::Result<Handle> {
    let expr = form.expr(name)?;
    match peel(&expr) {
        Expr::Lit(ExprLit { lit: Lit::Bool(bool), .. }) if !bool.value => Ok(Handle::Off),
        Expr::Path(path) if path.qself.is_none() => match path.path.get_ident() {
            Some(ident) if !matches!(ident.to_string().as_str(), "self" | "Self" | "super" | "crate") => {
                Ok(Handle::Named(ident.clone()))
            }
            _ => refuse(expr.span(), "the handle is one new identifier\nwrite `handle = users_cache`"),
        },
        _ => refuse(
            expr.span(),
            "`handle` is on unless it is `false`\nwrite `handle = false`, or `handle = other_name`, or leave it out",
        ),
    }
}

pub(super) fn path(name: &Ident, form: Form) -> syn::Result<Path> {
    let expr = form.expr(name)?;
    match peel(&expr) {
        Expr::Path(path) if path.qself.is_none() => Ok(path.path.clone()),
        _ => refuse(expr.span(), format!("`{name}` takes a path\nwrite `{name} = ::my_crate::cacheback`")),
    }
}

/// A flag that is set or left out.
pub(super) fn flag(name: &Ident, form: Form) -> syn::Result<()> {
    match form {
        Form::Flag => Ok(()),
        _ => refuse(name.span(), format!("`{name}` is a flag\nwrite just `{name}`, or leave it out")),
    }
}

/// The names of arguments.
pub(super) fn arguments(name: &Ident, form: Form) -> syn::Result<Vec<Ident>> {
    let Form::List(tokens) = form else {
        return refuse(name.span(), format!("`{name}` takes the names of arguments\nwrite `{name}(db)`"));
    };
    let list =
        |input: ParseStream| Punctuated::<Ident, Token![,]>::parse_terminated_with(input, Ident::parse_any);
    match list.parse2(tokens) {
        Ok(list) if !list.is_empty() => Ok(list.into_iter().collect()),
        _ => refuse(
            name.span(),
            format!("`{name}` takes the names of arguments, with commas between\nwrite `{name}(db, log)`"),
        ),
    }
}

/// A literal, and whether a minus stands before it.
fn literal(expr: &Expr) -> Option<(&Lit, bool)> {
    match peel(expr) {
        Expr::Lit(ExprLit { lit, .. }) => Some((lit, false)),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => match peel(expr) {
            Expr::Lit(ExprLit { lit, .. }) => Some((lit, true)),
            _ => None,
        },
        _ => None,
    }
}

fn seconds(name: &Ident, int: &LitInt) -> syn::Result<Duration> {
    let digits = int.base10_digits();
    if !int.suffix().is_empty() {
        let text = format!("{digits}{}", int.suffix());
        return match humantime::parse_duration(&text) {
            Ok(_) => {
                refuse(int.span(), format!("a duration with a unit is a string\nwrite `{name} = \"{text}\"`"))
            }
            Err(_) => refuse(int.span(), format!("whole seconds have no suffix\nwrite `{name} = {digits}`")),
        };
    }
    match int.base10_parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => refuse(int.span(), format!("`{int}` seconds are too long for a `Duration`")),
    }
}

/// `1.5` as `1500ms`.
fn milliseconds(float: &LitFloat) -> Option<String> {
    let seconds = float.base10_parse::<f64>().ok()?;
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    Some(format!("{}ms", duration.as_millis().max(1)))
}
