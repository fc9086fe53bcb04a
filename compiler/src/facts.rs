//! What is known of the places of a text, for editors: the types of expressions, and where the
//! names in them are declared. Noted while expressions are typed, and only when asked for.

use std::sync::Arc;

use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::expr;
use arqon_types::Type;

use crate::resolve::Resolved;
use crate::row_type::{Column, Origin, RowType};

/// What is known of a circuit's places.
#[derive(Debug, Default)]
pub struct Facts {
    /// What the text says; none if it has no readable structure.
    pub circuit: Option<ast::Circuit>,
    types: Vec<(Span, Type)>,
    names: Vec<(Span, Span)>,
    equals: Vec<(Span, Span)>,
    enums: Vec<(Span, Span)>,
}

/// What is noted while expressions are typed.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    types: Vec<(Span, Type)>,
    names: Vec<(Span, Span)>,
    equals: Vec<(Span, Span)>,
    enums: Vec<(Span, Span)>,
}

impl Notes {
    /// An expression has this type, which comes from `origin`; a name in it is declared at
    /// `named`.
    pub(crate) fn expression(
        &mut self,
        expr: &expr::Expr,
        ty: &Type,
        origin: Option<Origin>,
        named: Option<Span>,
    ) {
        self.types.push((expr.span, ty.clone()));
        if let (Type::Enum(_), Some(origin)) = (ty.required(), origin) {
            self.enums.push((expr.span, origin.span));
        }
        let name = match &expr.kind {
            expr::ExprKind::Name(_) => expr.span,
            expr::ExprKind::Field { field, .. } => field.span,
            expr::ExprKind::Literal(_)
            | expr::ExprKind::Index { .. }
            | expr::ExprKind::Call { .. }
            | expr::ExprKind::Lambda { .. }
            | expr::ExprKind::List(_)
            | expr::ExprKind::Unary { .. }
            | expr::ExprKind::Binary { .. }
            | expr::ExprKind::If { .. }
            | expr::ExprKind::Error => return,
        };
        if let Some(named) = named {
            self.name(name, named);
        }
    }

    /// What stands at `place` has this type.
    pub(crate) fn typed(&mut self, place: Span, ty: &Type) {
        self.types.push((place, ty.clone()));
    }

    /// The name at `place` is declared at `at`.
    pub(crate) fn name(&mut self, place: Span, at: Span) {
        self.names.push((place, at));
    }

    /// A field of a row, by its name alone.
    pub(crate) fn field(&mut self, name: &ast::Name, row: &RowType) {
        if let Some(named) = row.position(name.as_str()).and_then(|at| row.columns[at].named) {
            self.name(name.span, named);
        }
    }

    /// What topics name of their own rows.
    pub(crate) fn topics(&mut self, resolved: &Resolved<'_>) {
        for topic in &resolved.topics {
            let Some(ast) = topic.ast() else { continue };
            for name in ast.key.iter().flat_map(|key| &key.node).chain(&ast.time) {
                self.field(name, &topic.row);
            }
            for length in ast.lengths() {
                if let expr::ExprKind::Name(name) = &length.kind
                    && let Some(param) = resolved.params.get(name.as_str())
                {
                    self.name(length.span, param.span);
                }
            }
        }
    }

    /// Rows that become one collection: their fields have the same names.
    pub(crate) fn same_rows(&mut self, one: &RowType, other: &RowType) {
        for column in &one.columns {
            let Some(at) = other.position(&column.name) else { continue };
            self.same_columns(column, &other.columns[at]);
        }
    }

    fn same_columns(&mut self, one: &Column, other: &Column) {
        if let (Some(one), Some(other)) = (one.named, other.named)
            && one != other
        {
            self.equals.push((one, other));
        }
        if let (Some(one), Some(other)) = (&one.parts, &other.parts)
            && !Arc::ptr_eq(one, other)
        {
            self.same_rows(one, other);
        }
    }

    /// A value that is written out, as a row or as a part of one.
    pub(crate) fn value(&mut self, value: &ast::Value, row: &RowType) {
        match &value.kind {
            ast::ValueKind::Map(entries) => self.entries(entries, row),
            ast::ValueKind::List(items) => items.iter().for_each(|item| self.value(item, row)),
            ast::ValueKind::Scalar { .. } | ast::ValueKind::Computed(_) | ast::ValueKind::Error => {
            }
        }
    }

    /// The fields of a row that are written out.
    pub(crate) fn entries(&mut self, entries: &[(ast::Name, ast::Value)], row: &RowType) {
        for (name, value) in entries {
            let Some(at) = row.position(name.as_str()) else { continue };
            let column = &row.columns[at];
            if let Some(named) = column.named {
                self.name(name.span, named);
            }
            let Some(ty) = &column.ty else { continue };
            if let (Type::Enum(_), Some(origin)) = (ty.required(), column.origin) {
                self.enums.push((value.span, origin.span));
            }
            match (ty.required(), &column.parts) {
                // The keys of a map are values.
                (Type::Map(_), Some(parts)) => {
                    if let ast::ValueKind::Map(entries) = &value.kind {
                        for (_, value) in entries {
                            self.value(value, parts);
                        }
                    }
                }
                (_, Some(parts)) => self.value(value, parts),
                (_, None) => {}
            }
        }
    }
}

impl Facts {
    /// The facts of a circuit. Of a place that was typed several times, such as one in the body
    /// of a function, the first type counts.
    pub(crate) fn new(circuit: ast::Circuit, notes: Notes) -> Self {
        let Notes { mut types, mut names, equals, mut enums } = notes;
        types.sort_by_key(|(span, _)| *span);
        types.dedup_by_key(|(span, _)| *span);
        names.sort_unstable();
        names.dedup();
        enums.sort_unstable();
        enums.dedup();
        Self { circuit: Some(circuit), types, names, equals, enums }
    }

    /// The smallest expression around an offset whose type is known.
    pub fn expression_at(&self, offset: u32) -> Option<(Span, &Type)> {
        let before = self.types.partition_point(|(span, _)| span.start <= offset);
        self.types[..before]
            .iter()
            .filter(|(span, _)| offset <= span.end)
            .min_by_key(|(span, _)| span.len())
            .map(|(span, ty)| (*span, ty))
    }

    /// The type of the expression at exactly this place.
    pub fn type_of(&self, span: Span) -> Option<&Type> {
        let at = self.types.binary_search_by_key(&span, |(span, _)| *span).ok()?;
        Some(&self.types[at].1)
    }

    /// All names of fields, parameters and functions in use, each with the place of its
    /// declaration, by place. A name in the body of a function has as many as the function has
    /// callers. A declaration that is itself such a place, as in `select: [amount]`, is a field
    /// that is called like the one that it takes.
    pub fn names(&self) -> &[(Span, Span)] {
        &self.names
    }

    /// Pairs of declarations that have one name, since the rows of the one flow into the other.
    pub fn equals(&self) -> &[(Span, Span)] {
        &self.equals
    }

    /// Expressions and values of an enumeration, by place, each with the place of the schema's
    /// field that has it.
    pub fn enums(&self) -> &[(Span, Span)] {
        &self.enums
    }
}
