//! Expressions that have been read before, found again by their text.
//!
//! Circuits repeat themselves: the same condition stands at many nodes, the same sum under many
//! keys. A text that was read without a fault gives the same tree wherever it stands; only the
//! places differ, and they differ by one distance.

use std::collections::BTreeMap;

use super::Source;
use crate::expr::Expr;
use crate::expr::ExprKind;
use crate::span::Span;
use crate::yaml::Offsets;

/// Trees by their text, each with the offset in the file at which it was read.
#[derive(Debug, Default)]
pub(crate) struct Known {
    trees: BTreeMap<String, (u32, Expr)>,
}

impl Known {
    /// The tree of this text, if it has been read before.
    pub(super) fn get(&self, source: Source<'_>) -> Option<Expr> {
        let start = start(source)?;
        let (first, tree) = self.trees.get(source.own())?;
        let mut tree = tree.clone();
        // Both ways by one addition: 32 bits wrap around.
        shift(&mut tree, start.wrapping_sub(*first));
        Some(tree)
    }

    /// Keeps a tree that was read here.
    pub(super) fn keep(&mut self, source: Source<'_>, tree: &Expr) {
        if let Some(start) = start(source)
            && !tree.is_error()
        {
            self.trees.insert(source.own().to_owned(), (start, tree.clone()));
        }
    }
}

/// Longer texts seldom stand twice, and are not kept.
const KNOWN_BYTES_MAX: usize = 64;

/// Where a text begins that may be kept; none if its bytes are not side by side in the file.
fn start(source: Source<'_>) -> Option<u32> {
    match source.offsets {
        Offsets::Shifted(_) if source.own().len() <= KNOWN_BYTES_MAX => {
            Some(source.span(0, 0).start)
        }
        Offsets::Shifted(_) | Offsets::Table(..) => None,
    }
}

/// Moves a tree to another place in the file.
fn shift(expr: &mut Expr, by: u32) {
    move_span(&mut expr.span, by);
    match &mut expr.kind {
        ExprKind::Literal(_) | ExprKind::Name(_) | ExprKind::Error => {}
        ExprKind::Field { base, field } => {
            shift(base, by);
            move_span(&mut field.span, by);
        }
        ExprKind::Index { base, index } => {
            shift(base, by);
            shift(index, by);
        }
        ExprKind::Call { function, arguments } => {
            move_span(&mut function.span, by);
            for argument in arguments {
                if let Some(name) = &mut argument.name {
                    move_span(&mut name.span, by);
                }
                shift(&mut argument.value, by);
            }
        }
        ExprKind::Lambda { params, body } => {
            for param in params {
                move_span(&mut param.span, by);
            }
            shift(body, by);
        }
        ExprKind::List(items) => {
            for item in items {
                shift(item, by);
            }
        }
        ExprKind::Unary { operator, operand } => {
            move_span(&mut operator.span, by);
            shift(operand, by);
        }
        ExprKind::Binary { operator, left, right } => {
            move_span(&mut operator.span, by);
            shift(left, by);
            shift(right, by);
        }
        ExprKind::If { condition, consequence, alternative } => {
            shift(condition, by);
            shift(consequence, by);
            shift(alternative, by);
        }
    }
}

fn move_span(span: &mut Span, by: u32) {
    span.start = span.start.wrapping_add(by);
    span.end = span.end.wrapping_add(by);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Collector;
    use crate::expression::parse;

    #[test]
    fn a_known_text_gives_the_tree_that_reading_gives() {
        let texts = [
            "a + 1",
            "not (a.b > 2 and c in [1, 2]) or d == \"x\"",
            "any(xs, x -> -x < y, where=q[0] // 1 > 0)",
            "if a then b * 2 else 1h30m",
        ];
        for text in texts {
            let mut known = Known::default();
            let read = |at: u32, known: &mut Known| {
                let offsets = Offsets::Shifted(at);
                let source = Source { text, start: 0, offsets: &offsets, rest: "" };
                let mut diagnostics = Collector::default();
                let expr = parse(source, known, &mut diagnostics);
                assert_eq!(diagnostics.len(), 0, "{text}");
                expr
            };
            read(100, &mut known);
            for at in [7, 100, 4_000] {
                let offsets = Offsets::Shifted(at);
                let source = Source { text, start: 0, offsets: &offsets, rest: "" };
                let fresh = read(at, &mut Known::default());
                assert_eq!(known.get(source), Some(fresh), "{text} at {at}");
            }
        }
    }

    #[test]
    fn a_text_with_a_fault_is_read_and_reported_each_time() {
        let mut known = Known::default();
        let mut diagnostics = Collector::default();
        for at in [0, 50] {
            let offsets = Offsets::Shifted(at);
            let source = Source { text: "a + + b", start: 0, offsets: &offsets, rest: "" };
            assert!(parse(source, &mut known, &mut diagnostics).is_error());
        }
        assert_eq!(diagnostics.len(), 2);
    }
}
