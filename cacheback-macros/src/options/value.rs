//! The value of an option: a literal that was checked, or an expression that is left to the type system.

use std::time::Duration;

use proc_macro2::Span;
use syn::{Block, Expr, Ident, LitStr, Path, Stmt};

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

/// A value of any type, for code that writes it down without looking at it.
pub(crate) enum AnyValue {
    Fixed(Literal, Span),
    /// `is_duration`: it has to be one.
    Computed {
        expr: Expr,
        is_duration: bool,
    },
}

/// A literal of any type.
#[derive(Clone, Copy)]
pub(crate) enum Literal {
    Duration(Duration),
    Count(u64),
    Fraction(f64),
    Flag(bool),
    Eviction(Eviction),
}

/// A type that has literals.
pub(super) trait HasLiterals: Copy {
    /// Whether it is that of durations.
    const IS_DURATION: bool = false;
    fn literal(self) -> Literal;
}
impl HasLiterals for Duration {
    const IS_DURATION: bool = true;
    fn literal(self) -> Literal {
        Literal::Duration(self)
    }
}
impl HasLiterals for u64 {
    fn literal(self) -> Literal {
        Literal::Count(self)
    }
}
impl HasLiterals for f64 {
    fn literal(self) -> Literal {
        Literal::Fraction(self)
    }
}
impl HasLiterals for bool {
    fn literal(self) -> Literal {
        Literal::Flag(self)
    }
}
impl HasLiterals for Eviction {
    fn literal(self) -> Literal {
        Literal::Eviction(self)
    }
}

/// The value of an option, apart from its type.
pub(super) trait IntoAny {
    /// `None` if it cannot be written down without looking at it.
    fn to_any(&self) -> Option<AnyValue> {
        None
    }
}
impl<T: HasLiterals> IntoAny for Value<T> {
    fn to_any(&self) -> Option<AnyValue> {
        Some(match self {
            Value::Fixed(value, span) => AnyValue::Fixed(value.literal(), *span),
            Value::Computed(expr) => AnyValue::Computed { expr: expr.clone(), is_duration: T::IS_DURATION },
        })
    }
}
impl IntoAny for Expr {
    fn to_any(&self) -> Option<AnyValue> {
        Some(AnyValue::Computed { expr: self.clone(), is_duration: false })
    }
}
impl IntoAny for LitStr {}
impl IntoAny for Option<LitStr> {}
impl IntoAny for Vec<Ident> {}
impl IntoAny for Handle {}
impl IntoAny for Path {}
impl IntoAny for () {}

/// The value of `handle`.
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

/// Whether `expr` has the same type whatever type is expected of it. A call may return any type (`into`, `parse`).
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
