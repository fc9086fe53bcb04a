//! Loops: their variables and nodes, how rows are merged, how the rounds end, what may repeat.

use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::code::{names, warnings};
use arqon_plan as plan;

use super::node::{NodePlace, type_node};
use super::reads::{LoopReads, Reads};
use super::rows::{Rows, plain_sources, same_fields, union};
use super::typer::Typer;
use crate::order::dependency_order;
use crate::row_type::RowType;
use crate::typed::{Input, LocalId, NodeLoop, Rounds, TypedNode, TypedSource, TypedVariable};

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
        self.note_field(name, row);
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

/// The variables, nodes and rounds of a loop, and the rows that it goes on with.
pub(super) fn type_loop(
    ast: &ast::NodeLoop,
    reads: &LoopReads,
    place: NodePlace<'_>,
    rows: &Rows<'_, '_>,
    typer: &mut Typer<'_>,
) -> (Option<NodeLoop>, Arc<RowType>) {
    let mut started = Vec::with_capacity(reads.variables.len());
    for (id, [start, _]) in &reads.variables {
        let (start, row) = union(start, rows, typer);
        rows.locals.borrow_mut().insert(*id, Arc::clone(&row));
        started.push((start, row));
    }
    let position = |input: Input| {
        let id = input.local()?;
        reads.nodes.iter().position(|(known, _)| *known == id)
    };
    let needs: Vec<Vec<usize>> = reads
        .nodes
        .iter()
        .map(|(_, reads)| reads.all().into_iter().filter_map(position).collect())
        .collect();
    let mut nodes = Vec::with_capacity(reads.nodes.len());
    for at in dependency_order(&needs).order {
        let (id, reads) = &reads.nodes[at];
        let name = format!("{}.{}", place.name, ast.flow[at].name.node);
        let place = NodePlace { name: &name, owner: place.owner };
        let node = type_node(&ast.flow[at], reads, place, rows, typer);
        rows.locals.borrow_mut().insert(*id, Arc::clone(&node.row));
        nodes.push((*id, node));
    }
    let mut variables = Vec::with_capacity(started.len());
    for ((it, (id, [_, next])), (start, row)) in
        ast.variables.iter().zip(&reads.variables).zip(started)
    {
        let merge = typer.merge(&it.merge, &row).unwrap_or(plan::Merge::Distinct);
        let next = next_sources(it, next, &row, rows, typer);
        variables.push(TypedVariable { id: *id, name: it.name.clone(), row, start, next, merge });
    }
    let rounds = typer.rounds(&ast.bounds, ast.span);
    if !rounds.exact && forgets_start(&variables, &nodes) {
        warn_of_forgotten_start(&ast.variables[0], typer);
    }
    let Some(out) = &ast.out else { return (None, RowType::unknown()) };
    let Some(at) = variables.iter().position(|it| it.name.node == out.node) else {
        typer.report.unknown(
            names::LOOP_VARIABLE,
            out.span,
            format!("the loop has no variable `{}`", out.node),
            out.as_str(),
            variables.iter().map(|it| it.name.as_str()),
        );
        return (None, RowType::unknown());
    };
    let row = Arc::clone(&variables[at].row);
    (Some(NodeLoop { variables, nodes, rounds, out: (at, out.span) }), row)
}

/// Whether no round reads anything from outside, but for the other sides of joins: then rows last
/// only as long as rounds bring them forth.
fn forgets_start(variables: &[TypedVariable], nodes: &[(LocalId, TypedNode)]) -> bool {
    let is_own = |id: LocalId| {
        variables.iter().any(|it| it.id == id) || nodes.iter().any(|(known, _)| *known == id)
    };
    let is_inner = |source: &TypedSource| source.input.local().is_some_and(is_own);
    variables.iter().all(|it| !it.next.is_empty() && it.next.iter().all(is_inner))
        && nodes.iter().all(|(_, it)| it.repeated.is_none() && it.sources.iter().all(is_inner))
}

fn warn_of_forgotten_start(variable: &ast::LoopVariable, typer: &mut Typer<'_>) {
    let (Some(again), Some(start)) = (&variable.again, variable.start.first()) else { return };
    let from: Vec<&str> =
        variable.start.iter().chain(&variable.next).map(ast::Name::as_str).collect();
    let message = format!("the rounds forget where `{}` starts", variable.name.node);
    typer.report.push(
        Diagnostic::new(warnings::FORGOTTEN_START, again.span, message)
            .secondary(start.span, "is gone after the first round")
            .help(format!("bring it in again: `{}: [{}]`", again.node, from.join(", "))),
    );
}

/// What a variable is in the next round, with the fields of the variable.
fn next_sources(
    variable: &ast::LoopVariable,
    reads: &Reads,
    row: &RowType,
    rows: &Rows<'_, '_>,
    typer: &mut Typer<'_>,
) -> Vec<TypedSource> {
    let mut typed = plain_sources(&reads.sources);
    for source in &mut typed {
        let what = format!("`{}`", typer.text(source.span));
        let of = (format!("variable `{}`", variable.name.node), variable.name.span);
        source.columns = round_columns(&what, source.span, row, &rows.row(source.input), of, typer);
    }
    typed
}

/// Which columns of a round's rows stand for those of the loop; `None` when they stand in order,
/// or do not fit, which is reported.
pub(super) fn round_columns(
    what: &str,
    span: Span,
    row: &RowType,
    round: &RowType,
    (of, of_span): (String, Span),
    typer: &mut Typer<'_>,
) -> Option<Vec<usize>> {
    if row.open || round.open {
        return None;
    }
    match same_fields(row, round) {
        Ok(columns) => {
            typer.note_same(row, round);
            let in_order = columns.iter().enumerate().all(|(at, column)| at == *column);
            if in_order { None } else { Some(columns) }
        }
        Err(difference) => {
            let names: Vec<&str> = row.names().collect();
            let mut fault = Diagnostic::new(
                names::LOOP_ROWS,
                span,
                format!("{what} yields other rows than {of}: {}", difference.words),
            )
            .secondary(of_span, "begins here");
            for place in difference.places {
                fault = fault.secondary(place, "declared or computed here");
            }
            typer.report.push(
                fault.help(format!("let each round end with the fields `{}`", names.join("`, `"))),
            );
            None
        }
    }
}
