//! Dimensions of tensors meet where types do: what is a name here and a number there is that
//! number everywhere in the circuit, and two names that meet are one.
//!
//! Types hold symbols while they are typed. What the edges tell of them is collected here, and the
//! circuit is then typed once more with the symbols put in.

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::code::names;
use arqon_operators::{Expr, ExprKind};
use arqon_types::{Dimension, Type};
use smallvec::{SmallVec, smallvec};

use super::fault::Operand;
use super::typer::Typer;

impl Typer<'_> {
    /// Values of type `found` go at `span` where `wanted` is declared; `places` are where the two
    /// types come from, if that is known.
    pub(crate) fn meet(
        &mut self,
        found: &Type,
        wanted: &Type,
        span: Span,
        places: [Option<Span>; 2],
    ) {
        match (found.required(), wanted.required()) {
            (Type::Tensor(found), Type::Tensor(wanted)) => {
                for (a, b) in found.dims.iter().zip(&wanted.dims) {
                    self.equate(a, b, span, places);
                }
            }
            (Type::List(found), Type::List(wanted)) | (Type::Map(found), Type::Map(wanted)) => {
                self.meet(found, wanted, span, places);
            }
            (Type::Struct(found), Type::Struct(wanted)) => {
                for (found, wanted) in found.iter().zip(wanted) {
                    self.meet(&found.ty, &wanted.ty, span, places);
                }
            }
            _ => {}
        }
    }

    /// The operands of `expr` that it takes under other dimensions than they have.
    pub(super) fn meet_operands(&mut self, expr: &Expr, span: Span, operands: &[Operand]) {
        let parts: SmallVec<[&Expr; 4]> = match &expr.kind {
            ExprKind::Binary(_, left, right) => smallvec![&**left, &**right],
            ExprKind::Default { of, otherwise } => smallvec![&**of, &**otherwise],
            ExprKind::If { condition, then, otherwise } => {
                smallvec![&**condition, &**then, &**otherwise]
            }
            ExprKind::In { of, items } => std::iter::once(&**of).chain(items).collect(),
            ExprKind::Call { args, .. } | ExprKind::List(args) => args.iter().collect(),
            _ => SmallVec::new(),
        };
        // Where there are two sides, the other one's type is the reason.
        let origin = |operand: &Operand| operand.origin.map(|origin| origin.span);
        let places = match operands {
            [.., a, b] => [origin(a), origin(b)],
            _ => [None, None],
        };
        for (at, part) in parts.into_iter().enumerate() {
            if let ExprKind::Cast(of) = &part.kind {
                let place = operands.get(at).map_or(span, |operand| operand.span);
                self.meet(&of.ty, &part.ty, place, places);
            }
        }
    }

    fn equate(&mut self, a: &Dimension, b: &Dimension, span: Span, places: [Option<Span>; 2]) {
        let ((a_now, a_place), (b_now, b_place)) =
            (self.symbols.resolve(a), self.symbols.resolve(b));
        match (a_now, b_now) {
            (Dimension::Unknown, _) | (_, Dimension::Unknown) => {}
            (a_now, b_now) if a_now == b_now => {}
            (Dimension::Symbol(name), other) | (other, Dimension::Symbol(name)) => {
                self.symbols.bound.insert(name, (other, span));
            }
            (Dimension::Fixed(x), Dimension::Fixed(y)) => {
                let (name, here, there, first) = match (a, b) {
                    (Dimension::Symbol(name), _) => (name, y, x, a_place),
                    (_, Dimension::Symbol(name)) => (name, x, y, b_place),
                    _ => unreachable!("types that are known to differ have been refused"),
                };
                let mut fault = Diagnostic::new(
                    names::DIMENSIONS,
                    span,
                    format!("the dimension `{name}` is {there} elsewhere, and {here} here"),
                )
                .label(format!("`{name}` is {here} here"));
                if let Some(first) = first {
                    fault = fault.secondary(first, format!("`{name}` is {there} since here"));
                }
                for place in places.into_iter().flatten() {
                    fault = fault.secondary(place, "declared or computed here");
                }
                self.report.push(fault.help(
                    "a name in capitals is one number in the whole circuit; use another name, or \
                     `_` for any",
                ));
            }
        }
    }

    /// The parameters that the text of a type names, each with what it is: the reason why a
    /// dimension has its number.
    pub(super) fn dimension_params(&self, span: Span) -> Vec<(Span, String)> {
        let text = self.text(span);
        let Some(at) = text.find("tensor<") else { return Vec::new() };
        let named = |name: &str| {
            let word = |c: char| c.is_ascii_alphanumeric() && c != 'x' || c == '_';
            text[at..].split(|c| !word(c)).any(|part| part == name)
        };
        self.params
            .iter()
            .filter(|(name, _)| named(name))
            .filter_map(|(name, param)| match &param.value {
                arqon_grammar::expr::Literal::Integer(value) => {
                    Some((param.span, format!("`{name}` is {value}")))
                }
                _ => None,
            })
            .collect()
    }
}
