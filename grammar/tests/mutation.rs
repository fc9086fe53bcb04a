//! Circuits changed at random: reading never panics, and every place lies inside the text.

use arqon_grammar::ParseOptions;
use arqon_grammar::Span;
use arqon_grammar::ast::{Node, Step, StepKind};
use arqon_grammar::expr::Expr;
use arqon_grammar::expr::ExprKind;
use arqon_grammar::parse_circuit;
use arqon_grammar::parse_expression;
use proptest::prelude::*;

const REVENUE: &str = include_str!("circuits/revenue.yaml");

/// Pieces that mean something to YAML or to expressions.
const PIECES: &[&str] = &[
    "",
    " ",
    "\n",
    "\r\n",
    "\t",
    ":",
    ": ",
    ",",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "'",
    "\"",
    "#",
    " #",
    "&",
    "&a",
    "*a",
    "!",
    "!x",
    "!!int",
    "|",
    "|\n",
    ">",
    ">-\n",
    "-",
    "- ",
    "?",
    "? ",
    "%",
    "@",
    "`",
    "<<",
    "==",
    "=",
    "&&",
    "||",
    "->",
    "//",
    "not ",
    "and ",
    " or ",
    "in",
    "if",
    "then",
    "null",
    "none",
    "5m",
    "1.5h",
    "1e",
    "\\",
    "\\x",
    "\\u",
    "${",
    "${A}",
    "µ",
    "\u{feff}",
    "\u{202e}",
    "\0",
    "---\n",
    "...\n",
    "<",
    "é\u{301}",
    "🦀",
    "0",
    "9999999999999999999999999999999999999999",
];

fn changed() -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), 0usize..12, 0..PIECES.len());
    prop::collection::vec(change, 1..6).prop_map(|changes| {
        let mut text: Vec<char> = REVENUE.chars().collect();
        for (place, n_removed, piece) in changes {
            let start = place.index(text.len());
            let end = (start + n_removed).min(text.len());
            text.splice(start..end, PIECES[piece].chars());
        }
        text.into_iter().collect()
    })
}

fn fits(text: &str, span: Span) -> bool {
    span.start <= span.end && text.get(span.start as usize..span.end as usize).is_some()
}

fn check_expression(text: &str, expr: &Expr) {
    assert!(fits(text, expr.span), "{expr} at {:?}", expr.span);
    match &expr.kind {
        ExprKind::Field { base, field } => {
            assert!(fits(text, field.span));
            check_expression(text, base);
        }
        ExprKind::Index { base, index } => {
            check_expression(text, base);
            check_expression(text, index);
        }
        ExprKind::Call { function, arguments } => {
            assert!(fits(text, function.span));
            for argument in arguments {
                check_expression(text, &argument.value);
            }
        }
        ExprKind::Lambda { body, .. } => check_expression(text, body),
        ExprKind::List(items) => {
            for item in items {
                check_expression(text, item);
            }
        }
        ExprKind::Unary { operator, operand } => {
            assert!(fits(text, operator.span));
            check_expression(text, operand);
        }
        ExprKind::Binary { operator, left, right } => {
            assert!(fits(text, operator.span));
            check_expression(text, left);
            check_expression(text, right);
        }
        ExprKind::If { condition, consequence, alternative } => {
            check_expression(text, condition);
            check_expression(text, consequence);
            check_expression(text, alternative);
        }
        ExprKind::Literal(_) | ExprKind::Name(_) | ExprKind::Error => {}
    }
}

fn check_circuit(text: &str) {
    let (circuit, diagnostics) = parse_circuit(text, &ParseOptions::default());
    assert!(circuit.is_some() || diagnostics.iter().any(arqon_grammar::Diagnostic::is_error));
    for found in &diagnostics {
        assert!(fits(text, found.primary.span), "{found:?}");
        found.secondary.iter().for_each(|label| assert!(fits(text, label.span), "{found:?}"));
        found.fix.iter().for_each(|fix| assert!(fits(text, fix.span), "{found:?}"));
        assert!(!found.brief(text).is_empty());
    }
    check_flow(text, circuit.as_ref().map_or(&[], |circuit| &circuit.flow));
}

fn check_flow(text: &str, flow: &[Node]) {
    for node in flow {
        assert!(fits(text, node.span) && fits(text, node.name.span));
        check_steps(text, &node.steps);
        if let Some(repeated) = &node.repeated {
            assert!(fits(text, repeated.span));
            check_flow(text, &repeated.flow);
        }
    }
}

fn check_steps(text: &str, steps: &[Step]) {
    for step in steps {
        assert!(fits(text, step.span) && fits(text, step.verb));
        match &step.kind {
            StepKind::Where(condition) => check_expression(text, condition),
            StepKind::Unnest(field) => check_expression(text, &field.value),
            StepKind::Select(fields) | StepKind::With(fields) => {
                for field in fields {
                    check_expression(text, &field.value);
                }
            }
            StepKind::Window(window) => {
                assert!(fits(text, window.kind.span));
                window.time.iter().for_each(|time| check_expression(text, time));
            }
            StepKind::Within(within) => {
                assert!(fits(text, within.last.span));
                within.time.iter().for_each(|time| check_expression(text, time));
            }
            StepKind::Group(group) => {
                for field in &group.aggregates {
                    check_expression(text, &field.value);
                }
            }
            StepKind::Over(over) => {
                for field in &over.fields {
                    check_expression(text, &field.value);
                }
            }
            StepKind::Loop(repeated) => check_steps(text, &repeated.body),
            StepKind::Kernel(kernel) => {
                assert!(fits(text, kernel.name.span) && fits(text, kernel.args_span));
            }
            StepKind::Wasm(wasm) => assert!(fits(text, wasm.capsule.span)),
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
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_circuits_are_read_or_refused(text in changed()) {
        check_circuit(&text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        check_circuit(&text);
    }

    #[test]
    fn any_pieces_are_an_expression_or_a_fault(
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..12),
    ) {
        let text = pieces.concat();
        let (expr, diagnostics) = parse_expression(&text);
        check_expression(&text, &expr);
        prop_assert_eq!(expr.is_error(), !diagnostics.is_empty());
        for found in &diagnostics {
            prop_assert!(fits(&text, found.primary.span), "{:?}", found);
        }
    }
}
