//! From the expression behind one option to its value: literals are checked here, anything else is left to the
//! type system.

use std::time::Duration;

use parse_size::{ByteSuffix, Config};
use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Block, Expr, ExprLit, ExprUnary, Ident, Lit, LitFloat, LitInt, LitStr, Path, Stmt, UnOp};

use crate::error::refuse;
use crate::error::text::nearest;

/// A literal, known here, or an expression, known when it runs.
#[derive(Clone)]
pub(crate) enum Value<T> {
    Fixed(T, Span),
    Computed(Expr),
}

impl<T: Copy> Value<T> {
    /// The literal, if it is one.
    pub(crate) fn fixed(&self) -> Option<T> {
        match self {
            Value::Fixed(value, _) => Some(*value),
            Value::Computed(_) => None,
        }
    }
}

/// When a caller waits for a missing value.
#[derive(Clone)]
pub(crate) enum Condition {
    Always(Span),
    Never(Span),
    When(Expr),
}

/// What `handle` was set to.
#[derive(Clone)]
pub(crate) enum Handle {
    Off,
    Named(Ident),
}

/// Which values are dropped first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Eviction {
    Lru,
    TinyLfu,
}

pub(super) fn duration(name: &Ident, expr: Expr) -> syn::Result<Value<Duration>> {
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

pub(super) fn count(name: &Ident, expr: Expr) -> syn::Result<Value<u64>> {
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
    if value == 0 && name == "max_refreshes" {
        return refuse(
            span,
            "with `max_refreshes = 0` nothing could be refreshed\nwrite 1 or more, or leave `max_refreshes` out",
        );
    }
    Ok(Value::Fixed(value, span))
}

pub(super) fn bytes(name: &Ident, expr: Expr) -> syn::Result<Value<u64>> {
    let span = expr.span();
    let (text, unit) = match literal(&expr) {
        None => return Ok(Value::Computed(expr)),
        Some((Lit::Int(int), false)) if int.suffix().is_empty() => return count(name, expr),
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

pub(super) fn eviction(expr: &Expr) -> syn::Result<Eviction> {
    let Some((Lit::Str(text), false)) = literal(expr) else {
        return refuse(
            expr.span(),
            "`eviction` takes a string literal\nwrite `eviction = \"lru\"` or `eviction = \"tiny_lfu\"`",
        );
    };
    let text = text.value();
    // As others spell it: `TinyLFU`, `w-tinylfu`, `LFU`.
    let letters = text.to_lowercase().replace(|char: char| !char.is_alphanumeric(), "");
    match text.as_str() {
        "lru" => Ok(Eviction::Lru),
        "tiny_lfu" => Ok(Eviction::TinyLfu),
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

pub(super) fn fraction(name: &Ident, expr: Expr) -> syn::Result<Value<f64>> {
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

pub(super) fn condition(name: &Ident, expr: Expr) -> syn::Result<Condition> {
    let span = expr.span();
    match literal(&expr) {
        None => Ok(Condition::When(expr)),
        Some((Lit::Bool(bool), _)) if bool.value => Ok(Condition::Always(span)),
        Some((Lit::Bool(_), _)) => Ok(Condition::Never(span)),
        Some(_) if name == "breaker" => refuse(span, "`breaker` takes a `bool`\nwrite `breaker = false`"),
        Some(_) => refuse(span, format!("`{name}` is a flag or takes a `bool`\nwrite `{name}`")),
    }
}

pub(super) fn closure(name: &Ident, example: &str, expr: Expr) -> syn::Result<Expr> {
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

pub(super) fn text(name: &Ident, expr: &Expr) -> syn::Result<LitStr> {
    match literal(expr) {
        Some((Lit::Str(text), false)) if !text.value().trim().is_empty() && text.suffix().is_empty() => {
            Ok(text.clone())
        }
        Some((Lit::Str(_), false)) => {
            refuse(expr.span(), "a name cannot be empty\nwrite what logs and metrics shall call it")
        }
        _ => refuse(expr.span(), format!("`{name}` takes a string literal\nwrite `{name} = \"users\"`")),
    }
}

pub(super) fn handle(expr: &Expr) -> syn::Result<Handle> {
    match peel(expr) {
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

pub(super) fn path(name: &Ident, expr: &Expr) -> syn::Result<Path> {
    match peel(expr) {
        Expr::Path(path) if path.qself.is_none() => Ok(path.path.clone()),
        _ => refuse(expr.span(), format!("`{name}` takes a path\nwrite `{name} = ::my_crate::cacheback`")),
    }
}

/// `expr` without parentheses and the invisible groups of `macro_rules!`.
pub(crate) fn peel(mut expr: &Expr) -> &Expr {
    loop {
        expr = match expr {
            Expr::Group(group) if group.attrs.is_empty() => &group.expr,
            Expr::Paren(paren) if paren.attrs.is_empty() => &paren.expr,
            _ => return expr,
        }
    }
}

/// Whether the type of `expr` is its own, whatever is expected of it. What is called may return anything (`into`, `parse`).
pub(crate) fn has_own_type(expr: &Expr) -> bool {
    match peel(expr) {
        Expr::Lit(_) | Expr::Path(_) | Expr::Field(_) | Expr::Cast(_) => true,
        Expr::Unary(unary) => has_own_type(&unary.expr),
        Expr::Binary(binary) => has_own_type(&binary.left) && has_own_type(&binary.right),
        Expr::Block(block) => ends_in_own_type(&block.block),
        Expr::If(branches) => {
            let (then, otherwise) = (&branches.then_branch, &branches.else_branch);
            ends_in_own_type(then) && otherwise.as_ref().is_some_and(|(_, otherwise)| has_own_type(otherwise))
        }
        Expr::Match(arms) => arms.arms.iter().all(|arm| has_own_type(&arm.body)),
        _ => false,
    }
}

fn ends_in_own_type(block: &Block) -> bool {
    matches!(block.stmts.last(), Some(Stmt::Expr(last, None)) if has_own_type(last))
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
