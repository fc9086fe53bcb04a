//! Names that are known within one expression: the parameters of a function in its body, and the
//! variables of lambdas.

use std::collections::BTreeSet;

use arqon_grammar::Span;
use arqon_grammar::Spanned;
use arqon_grammar::ast;
use arqon_grammar::expr::{Expr, ExprKind};

use crate::names::{Kind, Occurrence};

/// All of a circuit, in no order.
pub(crate) fn locals(circuit: &ast::Circuit) -> Vec<Occurrence> {
    let mut found = Locals { circuit, around: Vec::new(), found: Vec::new() };
    for function in &circuit.functions {
        found.within(Kind::Argument, &function.params, &function.body);
    }
    let bodies: BTreeSet<Span> = circuit.functions.iter().map(|it| it.body.span).collect();
    circuit.for_each_expression(&mut |expr| {
        if !bodies.contains(&expr.span) {
            found.expression(expr);
        }
    });
    found.found
}

struct Locals<'a> {
    circuit: &'a ast::Circuit,
    /// What is known around the place, the innermost last.
    around: Vec<(Kind, &'a Spanned<String>)>,
    found: Vec<Occurrence>,
}

impl<'a> Locals<'a> {
    fn push(&mut self, span: Span, kind: Kind, declared: &Spanned<String>, is_declaration: bool) {
        if span.len() as usize == declared.node.len() {
            let (name, owner) = (declared.node.clone(), declared.span.start);
            self.found.push(Occurrence { span, kind, name, owner, is_declaration });
        }
    }

    fn within(&mut self, kind: Kind, names: &'a [Spanned<String>], body: &'a Expr) {
        let n_around = self.around.len();
        for name in names {
            self.push(name.span, kind, name, true);
            self.around.push((kind, name));
        }
        self.expression(body);
        self.around.truncate(n_around);
    }

    fn expression(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Name(name) => {
                let known = self.around.iter().rev().find(|(_, known)| known.node == *name);
                if let Some((kind, declared)) = known.copied() {
                    self.push(expr.span, kind, declared, false);
                }
            }
            ExprKind::Lambda { params, body } => self.within(Kind::Variable, params, body),
            ExprKind::Call { function, arguments } => {
                let mut functions = self.circuit.functions.iter();
                let called = functions.find(|known| known.name.node == function.node);
                for argument in arguments {
                    if let (Some(called), Some(name)) = (called, &argument.name)
                        && let Some(param) = called.params.iter().find(|it| it.node == name.node)
                    {
                        self.push(name.span, Kind::Argument, param, false);
                    }
                    self.expression(&argument.value);
                }
            }
            ExprKind::Literal(_)
            | ExprKind::Field { .. }
            | ExprKind::Index { .. }
            | ExprKind::List(_)
            | ExprKind::Unary { .. }
            | ExprKind::Binary { .. }
            | ExprKind::If { .. }
            | ExprKind::Error => expr.for_each_child(&mut |child| self.expression(child)),
        }
    }
}
