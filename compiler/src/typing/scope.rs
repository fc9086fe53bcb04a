//! What a bare name means at one place.

use std::sync::Arc;

use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_operators::Expr;
use arqon_types::Type;

use crate::row_type::{Origin, RowType};

/// An expression with its type, and where the type comes from.
#[derive(Debug, Clone)]
pub(crate) struct TypedExpr {
    /// The expression.
    pub(crate) expr: Expr,
    /// For a field: where it is declared or computed.
    pub(crate) origin: Option<Origin>,
    /// For a name of the text's own: where it gets that name.
    pub(crate) named: Option<Span>,
    /// For a struct with known fields, or a list, map or option of one: the fields.
    pub(crate) parts: Option<Arc<RowType>>,
}

impl TypedExpr {
    /// An expression of which nothing more is known than its type.
    pub(crate) fn plain(expr: Expr) -> Self {
        Self { expr, origin: None, named: None, parts: None }
    }
}

/// A variable of a lambda.
#[derive(Debug, Clone)]
pub(crate) struct Variable<'a> {
    pub(crate) name: &'a str,
    pub(crate) ty: Type,
    /// As of the value whose items it stands for.
    pub(crate) parts: Option<Arc<RowType>>,
}

/// The names that may be used, apart from the circuit's parameters, which may be used anywhere.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// The fields of a row.
    Row(&'a RowType),
    /// The condition of a join: left and right fields.
    Match {
        /// The rows so far; the first columns.
        left: &'a RowType,
        /// The rows of the other side; the columns after.
        right: &'a RowType,
        /// The name that the right row has; without one its fields stand bare.
        alias: Option<&'a ast::Name>,
    },
    /// The body of a function: its parameters only.
    Function {
        /// The function's name.
        name: &'a str,
        /// Its parameters with their values; `None` for a value with a fault.
        arguments: &'a [(&'a str, Option<TypedExpr>)],
        /// How many variables of lambdas stood around the call.
        n_locals: usize,
    },
    /// The body of a lambda.
    Lambda {
        /// What the names outside mean.
        outer: &'a Scope<'a>,
        /// The variables with their types.
        variables: &'a [Variable<'a>],
        /// How many variables of lambdas stood around this one.
        n_locals: usize,
    },
}

impl Scope<'_> {
    /// The names that stand for something here, for suggestions.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Self::Row(row) => row.names().collect(),
            Self::Match { left, right, alias } => {
                let right: Vec<&str> =
                    alias.map_or_else(|| right.names().collect(), |alias| vec![alias.as_str()]);
                left.names().chain(right).collect()
            }
            Self::Function { arguments, .. } => arguments.iter().map(|(name, _)| *name).collect(),
            Self::Lambda { outer, variables, .. } => {
                let mut names = outer.names();
                names.extend(variables.iter().map(|variable| variable.name));
                names
            }
        }
    }

    /// The struct among the values of this scope that has a field of this name, if it is one only.
    pub(crate) fn holder(&self, field: &str) -> Option<&str> {
        let within = |row: &'_ RowType| -> Vec<usize> {
            let has = |parts: &Arc<RowType>| parts.position(field).is_some();
            let columns = row.columns.iter().enumerate();
            columns
                .filter(|(_, column)| column.parts.as_ref().is_some_and(has))
                .filter(|(_, it)| {
                    matches!(it.ty.as_ref().map(Type::required), Some(Type::Struct(_)))
                })
                .map(|(at, _)| at)
                .collect()
        };
        match self {
            Self::Row(row) | Self::Match { left: row, alias: None, .. } => {
                match within(row).as_slice() {
                    [at] => Some(&row.columns[*at].name),
                    _ => None,
                }
            }
            Self::Match { left, right, alias: Some(alias) } => {
                match (right.position(field), within(left).as_slice()) {
                    (Some(_), []) => Some(alias.as_str()),
                    (None, [at]) => Some(&left.columns[*at].name),
                    _ => None,
                }
            }
            Self::Function { .. } => None,
            Self::Lambda { outer, .. } => outer.holder(field),
        }
    }

    /// Whether a name may stand for something that is not known here after a fault.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Row(row) => row.open,
            Self::Match { left, right, .. } => left.open || right.open,
            Self::Function { .. } => false,
            Self::Lambda { outer, .. } => outer.is_open(),
        }
    }

    /// The function whose body this is, if it is one.
    pub(crate) fn function(&self) -> Option<&str> {
        match self {
            Self::Row(_) | Self::Match { .. } => None,
            Self::Function { name, .. } => Some(name),
            Self::Lambda { outer, .. } => outer.function(),
        }
    }
}
