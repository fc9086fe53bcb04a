//! What is known of the places of a text, for editors: the types of expressions, and where the
//! names in them are declared. Noted while expressions are typed, and only when asked for.

use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::expr;
use arqon_types::Type;

use crate::row_type::Origin;

/// What is known of a circuit's places.
#[derive(Debug, Default)]
pub struct Facts {
    /// What the text says; none if it has no readable structure.
    pub circuit: Option<ast::Circuit>,
    types: Vec<(Span, Type)>,
    declarations: Vec<(Span, Span)>,
}

/// What is noted while expressions are typed.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    types: Vec<(Span, Type)>,
    declarations: Vec<(Span, Span)>,
}

impl Notes {
    /// An expression has this type; a name in it comes from `origin`.
    pub(crate) fn expression(&mut self, expr: &expr::Expr, ty: &Type, origin: Option<Origin>) {
        self.types.push((expr.span, ty.clone()));
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
        if let Some(origin) = origin {
            self.declaration(name, origin.span);
        }
    }

    /// What stands at `place` has this type.
    pub(crate) fn typed(&mut self, place: Span, ty: &Type) {
        self.types.push((place, ty.clone()));
    }

    /// The name at `place` is declared at `at`.
    pub(crate) fn declaration(&mut self, place: Span, at: Span) {
        self.declarations.push((place, at));
    }
}

impl Facts {
    /// The facts of a circuit. Of a place that was typed several times, such as one in the body
    /// of a function, the first type counts.
    pub(crate) fn new(circuit: ast::Circuit, notes: Notes) -> Self {
        let Notes { mut types, mut declarations } = notes;
        types.sort_by_key(|(span, _)| *span);
        types.dedup_by_key(|(span, _)| *span);
        declarations.sort_by_key(|(span, _)| *span);
        declarations.dedup_by_key(|(span, _)| *span);
        Self { circuit: Some(circuit), types, declarations }
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

    /// Where the name that stands in an expression at `place` is declared: a field, a parameter or
    /// a function of the circuit.
    pub fn declaration(&self, place: Span) -> Option<Span> {
        let at = self.declarations.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        Some(self.declarations[at].1)
    }

    /// All names in expressions, each with the place of its declaration.
    pub fn declarations(&self) -> impl Iterator<Item = (Span, Span)> {
        self.declarations.iter().copied()
    }
}
