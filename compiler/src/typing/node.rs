//! Nodes: their steps one after another, and where they go.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_plan as plan;

use super::chain::type_chain;
use super::kernel::PortRows;
use super::looped::{round_columns, type_loop};
use super::reads::{Names, Reads, read_names};
use super::rows::{Rows, union};
use super::step::Made;
use super::typer::{Arrival, Typer};
use super::window::{Timed, time_after};
use crate::order::dependency_order;
use crate::resolve::{Resolved, discipline, route_labels};
use crate::row_type::RowType;
use crate::typed::{
    EventTime, Input, NodeId, Owner, StepLoop, TypedNode, TypedPort, TypedStep, Verb,
};

/// The nodes of a circuit, typed.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// In the order of the file, then the arrows of the routes.
    pub(crate) nodes: Vec<TypedNode>,
    /// Nodes that read each other in a circle, each the next one, by their place in the file.
    pub(crate) cycles: Vec<Vec<usize>>,
}

/// Types all nodes and routes of a circuit.
pub(crate) fn type_flow(resolved: &Resolved<'_>, typer: &mut Typer<'_>) -> Flow {
    let circuit = resolved.circuit;
    let mut names = Names::of(resolved);
    let reads: Vec<Reads> =
        circuit.flow.iter().map(|node| read_names(node, &mut names, typer)).collect();
    let needs: Vec<Vec<usize>> =
        reads.iter().map(|reads| reads.all().into_iter().filter_map(node_of).collect()).collect();
    let mut typed: Vec<Option<TypedNode>> = circuit.flow.iter().map(|_| None).collect();
    let found = dependency_order(&needs);
    for id in found.order {
        let rows = Rows { resolved, typed: &typed, locals: RefCell::default() };
        let node = &circuit.flow[id];
        let place = NodePlace { name: &node.name.node, owner: &node.name.node };
        let node = type_node(node, &reads[id], place, &rows, typer);
        typed[id] = Some(node);
    }
    let mut flow = Flow { nodes: typed.into_iter().flatten().collect(), cycles: found.cycles };
    for (idx, chain) in circuit.routes.iter().enumerate() {
        type_chain(idx, chain, resolved, typer, &mut flow);
    }
    flow
}

/// How a node is called.
#[derive(Clone, Copy)]
pub(super) struct NodePlace<'n> {
    /// Its own name, for addresses.
    pub(super) name: &'n str,
    /// The node of the circuit, whose errors its own are.
    pub(super) owner: &'n str,
}

fn node_of(input: Input) -> Option<usize> {
    match input {
        Input::Topic(_) | Input::Errors(Owner::Topic(_)) | Input::Operator(_) | Input::Local(_) => {
            None
        }
        Input::Errors(Owner::Node(NodeId(id))) => Some(id),
        Input::Node(NodeId(id)) | Input::Label(NodeId(id), _) | Input::Late(NodeId(id)) => Some(id),
    }
}

pub(super) fn type_node(
    node: &ast::Node,
    reads: &Reads,
    place: NodePlace<'_>,
    rows: &Rows<'_, '_>,
    typer: &mut Typer<'_>,
) -> TypedNode {
    let mut repeated = None;
    let (sources, row_in) = match (&node.repeated, &reads.repeated) {
        (Some(ast), Some(reads)) => {
            let (typed, row) = type_loop(ast, reads, place, rows, typer);
            repeated = typed;
            (Vec::new(), row)
        }
        _ => union(reads, rows, typer),
    };
    let typed_port = |(name, of): &(ast::Name, Reads), typer: &mut Typer<'_>| {
        let (sources, row) = union(of, rows, typer);
        TypedPort { name: name.clone(), sources, row }
    };
    let ports: Vec<TypedPort> = reads.ports.iter().map(|port| typed_port(port, typer)).collect();
    let target = target_topic(node, rows.resolved);
    let steps = Steps {
        ast: &node.steps,
        address: place.name,
        target: target.as_deref(),
        is_repeated: place.name != place.owner,
        ports: &ports,
        from: node.from.as_ref().map_or(node.name.span, |from| from.span),
        time: rows.time_of_all(&sources),
        untimed: rows.untimed(&sources),
    };
    let (steps, row, time) = steps.typed(&row_in, &mut reads.joined.iter().copied(), rows, typer);
    let labels = route_labels(node);
    let (sinks, bypasses) = if place.name == place.owner {
        typer.sinks(node, &labels, &row, rows.resolved)
    } else {
        typer.no_sink(node);
        (Vec::new(), Vec::new())
    };
    let owner: Arc<str> = place.owner.into();
    let name = if place.name == place.owner { Arc::clone(&owner) } else { place.name.into() };
    TypedNode {
        name,
        owner: Arc::clone(&owner),
        span: node.name.span,
        errors_of: owner,
        sources,
        repeated,
        ports,
        row_in,
        steps,
        row,
        time,
        labels,
        sinks,
        bypasses,
    }
}

/// Steps one after another, of a node or of a loop in it.
#[derive(Clone, Copy)]
struct Steps<'s> {
    ast: &'s [ast::Step],
    /// What stands before the index in each address.
    address: &'s str,
    /// The row that the steps lead to, where it is known.
    target: Option<&'s RowType>,
    is_repeated: bool,
    /// The named ports that the first of them reads.
    ports: &'s [TypedPort],
    /// Where the node names what it reads.
    from: Span,
    /// The event time of the rows that come.
    time: EventTime,
    /// A topic that is read and has none.
    untimed: Option<&'s str>,
}

impl Steps<'_> {
    fn typed(
        self,
        row_in: &Arc<RowType>,
        joined: &mut dyn Iterator<Item = Option<Input>>,
        rows: &Rows<'_, '_>,
        typer: &mut Typer<'_>,
    ) -> (Vec<TypedStep>, Arc<RowType>, EventTime) {
        let n_target_from = first_step_towards_sink(self.ast);
        let mut row = Arc::clone(row_in);
        let mut time = self.time;
        let mut steps = Vec::with_capacity(self.ast.len());
        let mut text = String::with_capacity(self.address.len() + 4);
        text.push_str(self.address);
        for (idx, step) in self.ast.iter().enumerate() {
            text.truncate(self.address.len());
            let _ = write!(text, "[{idx}]");
            let address: Arc<str> = text.as_str().into();
            let wanted = self.target.filter(|_| n_target_from <= idx);
            let mut operator = None;
            let other = match &step.kind {
                ast::StepKind::Join(join) => {
                    let other = joined.next().flatten();
                    if let Some(Input::Operator(id)) = other {
                        operator = Some((id, join.source.span));
                    }
                    other
                }
                _ => None,
            };
            typer.arrival = arrival_at(step, self.is_repeated);
            let (verb, after) = match &step.kind {
                _ if self.is_repeated && !typer.may_repeat(step) => {
                    (Verb::Unknown, RowType::unknown())
                }
                ast::StepKind::Loop(repeated) => {
                    type_step_loop(repeated, step.verb, &address, &row, joined, rows, typer)
                }
                ast::StepKind::Join(join) => type_join(join, other, &row, rows, typer),
                ast::StepKind::Kernel(kernel) => {
                    let ports = if idx == 0 { self.ports } else { &[] };
                    typer.kernel_step(kernel, &port_rows(ports, self.from, &row), rows.resolved)
                }
                _ => {
                    let timed = Timed { row: &row, time, untimed: self.untimed };
                    type_step(step, timed, wanted, rows, typer)
                }
            };
            let asks_arrival = typer.take_arrival();
            time = time_after(time, &verb);
            if matches!(step.kind, ast::StepKind::Route(_)) && idx + 1 < self.ast.len() {
                typer.report.push(
                    Diagnostic::new(
                        names::ROUTE_PLACE,
                        step.verb,
                        "`route` is not the last step of its node",
                    )
                    .help("go on in another node, which reads `node.label`"),
                );
            }
            // What could not be read may have named further fields.
            let after = if typer.report.is_unreadable(step.span) && !after.open {
                Arc::new(RowType::new(after.columns.clone(), true))
            } else {
                after
            };
            row = Arc::clone(&after);
            let span = step.verb;
            steps.push(TypedStep { address, span, verb, operator, row: after, asks_arrival });
        }
        (steps, row, time)
    }
}

/// Whether `epoch_time()` is known in a step.
fn arrival_at(step: &ast::Step, is_repeated: bool) -> Arrival {
    match &step.kind {
        _ if is_repeated => Arrival::Repeated,
        ast::StepKind::Where(_)
        | ast::StepKind::Select(_)
        | ast::StepKind::With(_)
        | ast::StepKind::Unnest(_)
        | ast::StepKind::Route(_) => Arrival::Here,
        ast::StepKind::Drop(_)
        | ast::StepKind::Join(_)
        | ast::StepKind::Group(_)
        | ast::StepKind::Distinct(_)
        | ast::StepKind::Top(_)
        | ast::StepKind::Over(_)
        | ast::StepKind::Loop(_)
        | ast::StepKind::Window(_)
        | ast::StepKind::Within(_)
        | ast::StepKind::Carries(_)
        | ast::StepKind::Call(_)
        | ast::StepKind::Kernel(_)
        | ast::StepKind::Wasm(_)
        | ast::StepKind::Error => Arrival::Past,
    }
}

fn type_step_loop(
    repeated: &ast::Loop,
    span: Span,
    address: &str,
    row: &Arc<RowType>,
    joined: &mut dyn Iterator<Item = Option<Input>>,
    rows: &Rows<'_, '_>,
    typer: &mut Typer<'_>,
) -> Made {
    let steps = Steps {
        ast: &repeated.body,
        address,
        target: Some(row),
        is_repeated: true,
        ports: &[],
        from: span,
        time: EventTime::Unknown,
        untimed: None,
    };
    let (body, round, _) = steps.typed(row, joined, rows, typer);
    let columns = round_columns(
        "a round",
        repeated.body.last().map_or(span, |step| step.verb),
        row,
        &round,
        ("the loop".to_owned(), span),
        typer,
    );
    let merge = typer.merge(&repeated.merge, row).unwrap_or(plan::Merge::Distinct);
    let rounds = typer.rounds(&repeated.bounds, span);
    (Verb::Loop(Box::new(StepLoop { body, columns, merge, rounds })), Arc::clone(row))
}

fn type_join(
    join: &ast::Join,
    joined: Option<Input>,
    row: &Arc<RowType>,
    rows: &Rows<'_, '_>,
    typer: &mut Typer<'_>,
) -> Made {
    let right = joined.map_or_else(RowType::unknown, |input| rows.row(input));
    typer.join_step(join, joined, row, &right)
}

/// What a kernel reads: its named ports, or the rows that come down the node.
fn port_rows(ports: &[TypedPort], from: Span, row: &Arc<RowType>) -> Vec<PortRows> {
    if ports.is_empty() {
        return vec![PortRows { name: None, from, span: from, row: Arc::clone(row) }];
    }
    let named = |port: &TypedPort| PortRows {
        name: Some(port.name.clone()),
        from,
        span: port.sources.first().map_or(port.name.span, |source| source.span),
        row: Arc::clone(&port.row),
    };
    ports.iter().map(named).collect()
}

fn type_step(
    step: &ast::Step,
    input: Timed<'_>,
    target: Option<&RowType>,
    rows: &Rows<'_, '_>,
    typer: &mut Typer<'_>,
) -> Made {
    let row = input.row;
    match &step.kind {
        ast::StepKind::Where(condition) => typer.where_step(condition, row),
        ast::StepKind::Select(fields) => typer.select_step(fields, row, target),
        ast::StepKind::With(fields) => typer.with_step(fields, row, target),
        ast::StepKind::Drop(fields) => typer.drop_step(fields, row),
        ast::StepKind::Unnest(field) => typer.unnest_step(field, row),
        ast::StepKind::Group(group) => typer.group_step(group, row),
        ast::StepKind::Distinct(fields) => typer.distinct_step(fields.as_deref(), row),
        ast::StepKind::Top(top) => typer.top_step(top, row),
        ast::StepKind::Over(over) => typer.over_step(over, row),
        ast::StepKind::Window(window) => typer.window_step(window, step.verb, input),
        ast::StepKind::Within(within) => typer.within_step(within, step.verb, input),
        ast::StepKind::Route(branches) => typer.route_step(branches, row),
        ast::StepKind::Carries(carried) => {
            (Verb::Carries(discipline(carried.node)), Arc::clone(row))
        }
        ast::StepKind::Call(call) => typer.call_step(call, row, rows.resolved),
        ast::StepKind::Wasm(wasm) => typer.wasm_step(wasm, row, rows.resolved),
        // These are typed where they stand, with the names that they read.
        ast::StepKind::Join(_)
        | ast::StepKind::Loop(_)
        | ast::StepKind::Kernel(_)
        | ast::StepKind::Error => (Verb::Unknown, RowType::unknown()),
    }
}

/// The row of the one topic that the node writes.
fn target_topic(node: &ast::Node, resolved: &Resolved<'_>) -> Option<Arc<RowType>> {
    match &node.to.as_ref()?.node {
        ast::Sink::Topic(name) => {
            resolved.topic_id(name.as_str()).map(|id| Arc::clone(&resolved.topic(id).row))
        }
        ast::Sink::Labels(_) => None,
    }
}

/// The first step from which on fields keep their names and types up to the sink, so that the
/// sink says what a literal means.
fn first_step_towards_sink(steps: &[ast::Step]) -> usize {
    let keeps_fields = |step: &ast::Step| match &step.kind {
        ast::StepKind::Where(_)
        | ast::StepKind::Carries(_)
        | ast::StepKind::Top(_)
        | ast::StepKind::Drop(_)
        | ast::StepKind::Window(_)
        | ast::StepKind::Within(_)
        | ast::StepKind::Distinct(None) => true,
        ast::StepKind::Select(_)
        | ast::StepKind::With(_)
        | ast::StepKind::Unnest(_)
        | ast::StepKind::Join(_)
        | ast::StepKind::Group(_)
        | ast::StepKind::Loop(_)
        | ast::StepKind::Over(_)
        | ast::StepKind::Distinct(Some(_))
        | ast::StepKind::Route(_)
        | ast::StepKind::Call(_)
        | ast::StepKind::Kernel(_)
        | ast::StepKind::Wasm(_)
        | ast::StepKind::Error => false,
    };
    let n_kept = steps.iter().rev().take_while(|step| keeps_fields(step)).count();
    (steps.len() - n_kept).saturating_sub(1)
}
