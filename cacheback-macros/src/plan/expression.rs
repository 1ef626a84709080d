//! An expression in an option: the arguments that it uses, and whether it is generic.

use syn::{Expr, Ident};

use super::instances::Parameter;
use super::{free_vars, rename_self};
use crate::error::Errors;
use crate::function::signature::Argument;
use crate::options;

/// An expression, and the arguments that it needs.
#[derive(Clone)]
pub(crate) struct Expression {
    pub(crate) expr: Expr,
    pub(crate) uses: Vec<usize>,
    /// Whether it mentions `Self` or a type parameter, which no static can.
    pub(crate) generic: bool,
    /// Whether a duration is expected and the expression has a type of its own: if that is another type, the error says what
    /// to write.
    pub(crate) is_span: bool,
}

impl Expression {
    /// An expression that was not analysed.
    pub(super) fn plain(expr: &Expr) -> Self {
        Self { expr: expr.clone(), uses: Vec::new(), generic: false, is_span: false }
    }

    /// Whether it is known before the first call.
    pub(crate) fn is_constant(&self) -> bool {
        self.uses.is_empty() && !self.generic
    }
}

/// The names that an option's expression can mention.
pub(super) struct Names<'a> {
    pub(super) arguments: &'a [Argument],
    pub(super) parameters: &'a [Parameter],
}

impl Names<'_> {
    /// An expression that is evaluated for an entry, away from its call.
    pub(super) fn read(&self, expr: &Expr, errors: &mut Errors) -> Expression {
        let uses = free_vars::arguments(expr, self.arguments, errors);
        let generic = self.is_generic(expr);
        let expr = if uses.iter().any(|index| self.arguments[*index].is_receiver()) {
            rename_self::in_expr(expr.clone(), errors)
        } else {
            expr.clone()
        };
        Expression { expr, uses, generic, is_span: false }
    }

    /// An expression for a duration.
    pub(super) fn read_span(&self, expr: &Expr, errors: &mut Errors) -> Expression {
        Expression { is_span: options::has_own_type(expr), ..self.read(expr, errors) }
    }

    pub(super) fn is_generic(&self, expr: &Expr) -> bool {
        let names: Vec<Ident> = self.parameters.iter().filter_map(Parameter::name).cloned().collect();
        free_vars::generics(expr, &names)
    }
}
