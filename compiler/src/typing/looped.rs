//! What a loop says beside its steps: how rows are merged, how the rounds end, what may repeat.

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_plan as plan;

use super::typer::Typer;
use crate::row_type::RowType;
use crate::typed::Rounds;

impl Typer<'_> {
    /// `merge`, over the rows of the loop; nothing after a fault.
    pub(super) fn merge(&mut self, merge: &ast::Merge, row: &RowType) -> Option<plan::Merge> {
        match merge {
            ast::Merge::Distinct => Some(plan::Merge::Distinct),
            ast::Merge::Best { direction, field, by } => {
                let order = match direction {
                    ast::Direction::Ascending => plan::Order::Ascending,
                    ast::Direction::Descending => plan::Order::Descending,
                };
                let field = self.merge_field(field, row);
                let by: Vec<Option<usize>> =
                    by.iter().map(|name| self.merge_field(name, row)).collect();
                let by = by.into_iter().collect::<Option<_>>();
                Some(plan::Merge::Best { order, field: field?, by: by? })
            }
        }
    }

    fn merge_field(&mut self, name: &ast::Name, row: &RowType) -> Option<usize> {
        let at = row.position(name.as_str());
        if at.is_none() && !row.open {
            self.report.unknown(
                names::UNKNOWN_FIELD,
                name.span,
                format!("unknown field `{}`", name.node),
                name.as_str(),
                row.names(),
            );
        }
        at
    }

    /// `rounds` and `exact`; what the language has where nothing is written.
    pub(super) fn rounds(&mut self, bounds: &ast::LoopBounds, span: Span) -> Rounds {
        let written = bounds.rounds.as_ref().and_then(|rounds| {
            let max = self.whole_number(rounds, "`rounds`")?;
            if max == 0 {
                self.report.push(
                    Diagnostic::new(names::CONSTANT, rounds.span, "a loop has at least one round")
                        .help("leave the loop away, or write `rounds: 1`"),
                );
            }
            Some(max.max(1))
        });
        Rounds {
            span,
            place: self.places.place(span),
            max: written.unwrap_or(ROUNDS_DEFAULT),
            exact: bounds.exact.as_ref().is_some_and(|exact| exact.node),
        }
    }

    /// Whether a step may stand in a loop; reports one that may not.
    pub(super) fn may_repeat(&mut self, step: &ast::Step) -> bool {
        let word = match &step.kind {
            ast::StepKind::Where(_)
            | ast::StepKind::Select(_)
            | ast::StepKind::With(_)
            | ast::StepKind::Drop(_)
            | ast::StepKind::Unnest(_)
            | ast::StepKind::Join(_)
            | ast::StepKind::Group(_)
            | ast::StepKind::Distinct(_)
            | ast::StepKind::Top(_)
            | ast::StepKind::Loop(_)
            | ast::StepKind::Error => return true,
            ast::StepKind::Window(_) => "window",
            ast::StepKind::Within(_) => "within",
            ast::StepKind::Route(_) => "route",
            ast::StepKind::Carries(_) => "carries",
            ast::StepKind::Over(_) => "over",
            ast::StepKind::Call(_) => "call",
            ast::StepKind::Kernel(_) => "kernel",
            ast::StepKind::Wasm(_) => "wasm",
        };
        self.report.push(
            Diagnostic::new(
                names::LOOP_STEP,
                step.verb,
                format!("`{word}` cannot stand in a loop"),
            )
            .help("let it stand before the loop, or after it"),
        );
        false
    }

    /// Reports a node within a loop that would write a topic.
    pub(super) fn no_sink(&mut self, node: &ast::Node) {
        if let Some(to) = &node.to {
            self.report.push(
                Diagnostic::new(
                    names::LOOP_STEP,
                    to.span,
                    format!("node `{}` is repeated, and writes a topic", node.name.node),
                )
                .help("write `to:` at the node of the loop, beside its `out`"),
            );
        }
    }
}

/// Rounds of a loop that does not say how many it may have.
const ROUNDS_DEFAULT: u64 = 10_000;
