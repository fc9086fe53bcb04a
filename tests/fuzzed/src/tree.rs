//! The places of a syntax tree: each lies inside the text, between two characters.

use arqon_grammar::Span;
use arqon_grammar::ast::{Circuit, Node, Step, StepKind};
use arqon_grammar::expr::{Expr, ExprKind};

/// Walks the flow of a circuit.
///
/// # Panics
/// If a place lies outside the text.
pub(crate) fn assert_flow_places(text: &str, circuit: &Circuit) {
    Places(text).flow(&circuit.flow);
}

/// Walks an expression.
///
/// # Panics
/// If a place lies outside the text.
pub(crate) fn assert_expression_places(text: &str, expr: &Expr) {
    Places(text).expression(expr);
}

#[derive(Clone, Copy)]
struct Places<'t>(&'t str);

impl Places<'_> {
    fn assert(self, span: Span) {
        let range = span.start as usize..span.end as usize;
        assert!(self.0.get(range).is_some(), "outside the text: {span:?}");
    }

    fn flow(self, flow: &[Node]) {
        for node in flow {
            self.assert(node.span);
            self.assert(node.name.span);
            self.steps(&node.steps);
            if let Some(repeated) = &node.repeated {
                self.assert(repeated.span);
                self.flow(&repeated.flow);
            }
        }
    }

    fn steps(self, steps: &[Step]) {
        for step in steps {
            self.assert(step.span);
            self.assert(step.verb);
            self.step(&step.kind);
        }
    }

    fn step(self, kind: &StepKind) {
        match kind {
            StepKind::Where(condition) => self.expression(condition),
            StepKind::Unnest(field) => self.expression(&field.value),
            StepKind::Select(fields) | StepKind::With(fields) => {
                self.expressions(fields.iter().map(|field| &field.value));
            }
            StepKind::Window(window) => {
                self.assert(window.kind.span);
                self.expressions(&window.time);
            }
            StepKind::Within(within) => {
                self.assert(within.last.span);
                self.expressions(&within.time);
            }
            StepKind::Group(group) => {
                self.expressions(group.aggregates.iter().map(|field| &field.value));
            }
            StepKind::Over(over) => {
                self.expressions(over.fields.iter().map(|field| &field.value));
            }
            StepKind::Loop(repeated) => self.steps(&repeated.body),
            StepKind::Kernel(kernel) => {
                self.assert(kernel.name.span);
                self.assert(kernel.args_span);
            }
            StepKind::Wasm(wasm) => self.assert(wasm.capsule.span),
            StepKind::Drop(_)
            | StepKind::Join(_)
            | StepKind::Distinct(_)
            | StepKind::Top(_)
            | StepKind::Route(_)
            | StepKind::Carries(_)
            | StepKind::Call(_)
            | StepKind::Error => {}
        }
    }

    fn expressions<'e>(self, all: impl IntoIterator<Item = &'e Expr>) {
        for expr in all {
            self.expression(expr);
        }
    }

    fn expression(self, expr: &Expr) {
        self.assert(expr.span);
        match &expr.kind {
            ExprKind::Field { field, .. } => self.assert(field.span),
            ExprKind::Call { function, .. } => self.assert(function.span),
            ExprKind::Unary { operator, .. } => self.assert(operator.span),
            ExprKind::Binary { operator, .. } => self.assert(operator.span),
            ExprKind::Literal(_)
            | ExprKind::Name(_)
            | ExprKind::Index { .. }
            | ExprKind::Lambda { .. }
            | ExprKind::List(_)
            | ExprKind::If { .. }
            | ExprKind::Error => {}
        }
        expr.for_each_child(&mut |child| self.expression(child));
    }
}
