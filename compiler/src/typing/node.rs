//! Nodes and routes: their sources, their steps one after another, their sinks.

use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_types::error_schema;

use super::scope::Scope;
use super::sink::bypassed;
use super::step::Made;
use super::typer::Typer;
use crate::order::dependency_order;
use crate::resolve::{Resolved, discipline, route_labels};
use crate::row_type::{Origin, OriginKind, RowType};
use crate::typed::{Input, NodeId, Owner, TypedNode, TypedSink, TypedSource, TypedStep, Verb};

/// The nodes of a circuit, typed.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// In the order of the file, then the arrows of the routes.
    pub(crate) nodes: Vec<TypedNode>,
}

/// What a node reads, before its rows are known.
#[derive(Debug, Default)]
struct Reads {
    /// The sources that are known, with their places.
    sources: Vec<(Input, Span)>,
    /// Whether all of them are known.
    complete: bool,
    /// The other side of each step that is a join.
    joined: Vec<Option<Input>>,
}

/// Types all nodes and routes of a circuit.
pub(crate) fn type_flow(resolved: &Resolved<'_>, typer: &mut Typer<'_>) -> Flow {
    let circuit = resolved.circuit;
    let reads: Vec<Reads> =
        circuit.flow.iter().map(|node| read_names(node, resolved, typer)).collect();
    let needs: Vec<Vec<usize>> = reads
        .iter()
        .map(|reads| {
            let sources = reads.sources.iter().map(|(input, _)| *input);
            sources.chain(reads.joined.iter().copied().flatten()).filter_map(node_of).collect()
        })
        .collect();
    let mut typed: Vec<Option<TypedNode>> = circuit.flow.iter().map(|_| None).collect();
    for id in dependency_order(&needs).order {
        let rows = Rows { resolved, typed: &typed };
        let node = type_node(&circuit.flow[id], &reads[id], &rows, typer);
        typed[id] = Some(node);
    }
    let mut flow = Flow { nodes: typed.into_iter().flatten().collect() };
    for (idx, chain) in circuit.routes.iter().enumerate() {
        type_chain(idx, chain, resolved, typer, &mut flow);
    }
    flow
}

/// The rows of everything that a node may read. Of a node in a circle nothing is known yet; the
/// circle is reported where the plan's cycles are checked.
struct Rows<'r, 'a> {
    resolved: &'r Resolved<'a>,
    typed: &'r [Option<TypedNode>],
}

impl Rows<'_, '_> {
    fn row(&self, input: Input) -> Arc<RowType> {
        match input {
            Input::Topic(id) => Arc::clone(&self.resolved.topic(id).row),
            Input::Operator(_) => RowType::unknown(),
            Input::Errors(owner) => error_row(owner, self.resolved),
            Input::Node(NodeId(id)) | Input::Label(NodeId(id), _) => {
                self.typed[id].as_ref().map_or_else(RowType::unknown, |node| Arc::clone(&node.row))
            }
        }
    }
}

/// The fields of an error, which come with the topic or node.
fn error_row(owner: Owner, resolved: &Resolved<'_>) -> Arc<RowType> {
    let span = match owner {
        Owner::Topic(id) => resolved.topic(id).span,
        Owner::Node(NodeId(id)) => resolved.circuit.flow[id].name.span,
    };
    let origin = Origin { span, kind: OriginKind::Errors };
    Arc::new(RowType::from_fields(&error_schema().fields, Some(origin)))
}

fn node_of(input: Input) -> Option<usize> {
    match input {
        Input::Topic(_) | Input::Errors(Owner::Topic(_)) | Input::Operator(_) => None,
        Input::Errors(Owner::Node(NodeId(id))) => Some(id),
        Input::Node(NodeId(id)) | Input::Label(NodeId(id), _) => Some(id),
    }
}

fn read_names(node: &ast::Node, resolved: &Resolved<'_>, typer: &mut Typer<'_>) -> Reads {
    let reader = format!("node `{}`", node.name.node);
    let mut reads = Reads { complete: node.from.is_some(), ..Reads::default() };
    let read = |name: &ast::Name, typer: &mut Typer<'_>| {
        let input = resolved.input(name, &reader, typer.report)?;
        whole_output(input, name, resolved, typer).then_some(input)
    };
    match node.from.as_ref().map(|from| &from.node) {
        None => {}
        Some(ast::Source::One(name)) => match read(name, typer) {
            Some(input) => reads.sources.push((input, name.span)),
            None => reads.complete = false,
        },
        Some(ast::Source::Union(all)) => {
            for name in all {
                match read(name, typer) {
                    Some(input) => reads.sources.push((input, name.span)),
                    None => reads.complete = false,
                }
            }
        }
        Some(ast::Source::Ports(ports)) => {
            for name in ports.iter().flat_map(|port| &port.sources) {
                let _ = read(name, typer);
            }
            let span = node.from.as_ref().map_or(node.name.span, |from| from.span);
            typer.report.push(
                Diagnostic::new(
                    names::PORTS,
                    span,
                    format!("no step of node `{}` takes named ports", node.name.node),
                )
                .help("name one source or a union `[a, b]`, and bring in the other with `join`"),
            );
            reads.complete = false;
        }
    }
    for step in &node.steps {
        let joined = match &step.kind {
            ast::StepKind::Join(join) => read(&join.source, typer),
            _ => None,
        };
        reads.joined.push(joined);
    }
    reads
}

/// Whether the name reads one output; a node with labels has several.
fn whole_output(
    input: Input,
    name: &ast::Name,
    resolved: &Resolved<'_>,
    typer: &mut Typer<'_>,
) -> bool {
    let Input::Node(NodeId(id)) = input else { return true };
    let labels = route_labels(&resolved.circuit.flow[id]);
    if labels.is_empty() {
        return true;
    }
    let written: Vec<String> =
        labels.iter().map(|label| format!("`{}.{}`", name.node, label.node)).collect();
    typer.report.push(
        Diagnostic::new(
            names::ROUTE_PLACE,
            name.span,
            format!("node `{}` ends in a `route`, so it has an output per label", name.node),
        )
        .help(format!("read {}", written.join(" or "))),
    );
    false
}

fn type_node(
    node: &ast::Node,
    reads: &Reads,
    rows: &Rows<'_, '_>,
    typer: &mut Typer<'_>,
) -> TypedNode {
    let (sources, row_in) = if reads.complete {
        union(&reads.sources, rows, typer)
    } else {
        (plain_sources(&reads.sources), RowType::unknown())
    };
    let target = target_topic(node, rows.resolved);
    let n_target_from = first_step_towards_sink(node);
    let mut row = Arc::clone(&row_in);
    let mut steps = Vec::with_capacity(node.steps.len());
    for (idx, step) in node.steps.iter().enumerate() {
        let wanted = target.as_deref().filter(|_| n_target_from <= idx);
        let (verb, after) = type_step(step, reads.joined[idx], &row, wanted, rows, typer);
        if matches!(step.kind, ast::StepKind::Route(_)) && idx + 1 < node.steps.len() {
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
            Arc::new(RowType { columns: after.columns.clone(), open: true })
        } else {
            after
        };
        row = Arc::clone(&after);
        let address = format!("{}[{idx}]", node.name.node);
        steps.push(TypedStep { address, span: step.verb, verb, row: after });
    }
    let labels = route_labels(node);
    let (sinks, bypasses) = typer.sinks(node, &labels, &row, rows.resolved);
    TypedNode {
        name: node.name.node.clone(),
        span: node.name.span,
        errors_of: node.name.node.clone(),
        sources,
        row_in,
        steps,
        row,
        labels,
        sinks,
        bypasses,
    }
}

fn type_step(
    step: &ast::Step,
    joined: Option<Input>,
    row: &Arc<RowType>,
    target: Option<&RowType>,
    rows: &Rows<'_, '_>,
    typer: &mut Typer<'_>,
) -> Made {
    match &step.kind {
        ast::StepKind::Where(condition) => typer.where_step(condition, row),
        ast::StepKind::Select(fields) => typer.select_step(fields, row, target),
        ast::StepKind::With(fields) => typer.with_step(fields, row, target),
        ast::StepKind::Drop(fields) => typer.drop_step(fields, row),
        ast::StepKind::Join(join) => {
            let right = joined.map_or_else(RowType::unknown, |input| rows.row(input));
            typer.join_step(join, joined, row, &right)
        }
        ast::StepKind::Group(group) => typer.group_step(group, row),
        ast::StepKind::Distinct(fields) => typer.distinct_step(fields.as_deref(), row),
        ast::StepKind::Top(top) => typer.top_step(top, row),
        ast::StepKind::Route(branches) => typer.route_step(branches, row),
        ast::StepKind::Carries(carried) => {
            (Verb::Carries(discipline(carried.node)), Arc::clone(row))
        }
        ast::StepKind::Call(call) => typer.call_step(call, row, rows.resolved),
        ast::StepKind::Error => (Verb::Unknown, RowType::unknown()),
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
fn first_step_towards_sink(node: &ast::Node) -> usize {
    let keeps_fields = |step: &ast::Step| match &step.kind {
        ast::StepKind::Where(_)
        | ast::StepKind::Carries(_)
        | ast::StepKind::Top(_)
        | ast::StepKind::Drop(_)
        | ast::StepKind::Distinct(None) => true,
        ast::StepKind::Select(_)
        | ast::StepKind::With(_)
        | ast::StepKind::Join(_)
        | ast::StepKind::Group(_)
        | ast::StepKind::Distinct(Some(_))
        | ast::StepKind::Route(_)
        | ast::StepKind::Call(_)
        | ast::StepKind::Error => false,
    };
    let n_kept = node.steps.iter().rev().take_while(|step| keeps_fields(step)).count();
    (node.steps.len() - n_kept).saturating_sub(1)
}

fn plain_sources(sources: &[(Input, Span)]) -> Vec<TypedSource> {
    sources
        .iter()
        .map(|(input, span)| TypedSource { input: *input, span: *span, columns: None })
        .collect()
}

/// The sources of a node as one collection: all have the fields of the first one.
fn union(
    sources: &[(Input, Span)],
    rows: &Rows<'_, '_>,
    typer: &mut Typer<'_>,
) -> (Vec<TypedSource>, Arc<RowType>) {
    let mut typed = plain_sources(sources);
    let Some((first, first_span)) = sources.first() else {
        return (typed, RowType::unknown());
    };
    let row = rows.row(*first);
    let mut complete = true;
    for (source, (input, span)) in typed.iter_mut().zip(sources).skip(1) {
        let other = rows.row(*input);
        if row.open || other.open {
            complete = false;
            continue;
        }
        match same_fields(&row, &other) {
            Ok(columns) => {
                let in_order = columns.iter().enumerate().all(|(at, column)| at == *column);
                source.columns = if in_order { None } else { Some(columns) };
            }
            Err(difference) => {
                let first_text = typer.text(*first_span);
                let mut fault = Diagnostic::new(
                    names::UNION_MISMATCH,
                    *span,
                    format!(
                        "`{}` and `{first_text}` have different rows: {}",
                        typer.text(*span),
                        difference.words
                    ),
                )
                .secondary(*first_span, "the fields of this one are wanted");
                for place in difference.places {
                    fault = fault.secondary(place, "declared or computed here");
                }
                typer.report.push(fault);
                complete = false;
            }
        }
    }
    (typed, if complete { row } else { RowType::unknown() })
}

struct Difference {
    words: String,
    places: Vec<Span>,
}

/// Which column of `other` stands for each column of `row`.
fn same_fields(row: &RowType, other: &RowType) -> Result<Vec<usize>, Difference> {
    let mut columns = Vec::with_capacity(row.columns.len());
    for column in &row.columns {
        let Some(at) = other.position(&column.name) else {
            return Err(Difference {
                words: format!("`{}` is missing", column.name),
                places: column.origin.iter().map(|origin| origin.span).collect(),
            });
        };
        let found = &other.columns[at];
        if let (Some(ty), Some(other_ty)) = (&column.ty, &found.ty)
            && ty != other_ty
        {
            let origins = [column.origin, found.origin];
            return Err(Difference {
                words: format!("`{}` is `{other_ty}`, not `{ty}`", column.name),
                places: origins.iter().flatten().map(|origin| origin.span).collect(),
            });
        }
        columns.push(at);
    }
    match other.columns.iter().find(|column| row.position(&column.name).is_none()) {
        Some(extra) => Err(Difference {
            words: format!("`{}` is too much", extra.name),
            places: extra.origin.iter().map(|origin| origin.span).collect(),
        }),
        None => Ok(columns),
    }
}

/// Each arrow of `a -> b -> c when condition` is a node of its own, under the same condition.
fn type_chain(
    idx: usize,
    chain: &ast::RouteChain,
    resolved: &Resolved<'_>,
    typer: &mut Typer<'_>,
    flow: &mut Flow,
) {
    for (hop, pair) in chain.stops.windows(2).enumerate() {
        let (from, to) = (&pair[0], &pair[1]);
        let reader = format!("the route to `{}`", to.node);
        let input = resolved
            .input(from, &reader, typer.report)
            .filter(|input| whole_output(*input, from, resolved, typer));
        let row = match input {
            None | Some(Input::Operator(_)) => RowType::unknown(),
            Some(Input::Errors(owner)) => error_row(owner, resolved),
            Some(Input::Topic(id)) => Arc::clone(&resolved.topic(id).row),
            Some(Input::Node(NodeId(id)) | Input::Label(NodeId(id), _)) => {
                flow.nodes.get(id).map_or_else(RowType::unknown, |node| Arc::clone(&node.row))
            }
        };
        let writer = format!("the route from `{}`", from.node);
        let bypass = bypassed(to, resolved);
        let topic = match bypass {
            None => resolved.written_topic(to, &format!("{writer} writes"), typer.report),
            Some(_) => None,
        };
        let address = route_address(idx, hop, chain.stops.len());
        let mut steps = Vec::new();
        if let Some(condition) = &chain.condition {
            let verb = typer
                .condition(condition, &Scope::Row(&row), "`when`")
                .map_or(Verb::Unknown, Verb::Where);
            let step_address = address.clone();
            let span = condition.span;
            steps.push(TypedStep { address: step_address, span, verb, row: Arc::clone(&row) });
        }
        let sinks = topic
            .and_then(|topic| {
                let fields = typer.fit(&writer, &row, resolved.topic(topic), to.span)?;
                Some(TypedSink { topic, label: None, fields: fields.0, span: to.span })
            })
            .into_iter()
            .collect();
        flow.nodes.push(TypedNode {
            name: address,
            span: from.span,
            errors_of: to.node.clone(),
            sources: input
                .map(|input| TypedSource { input, span: from.span, columns: None })
                .into_iter()
                .collect(),
            row_in: Arc::clone(&row),
            steps,
            row,
            labels: Vec::new(),
            sinks,
            bypasses: bypass.map(|operator| (operator, to.span)).into_iter().collect(),
        });
    }
}

/// `routes[0]`, or `routes[0][1]` for the second arrow of a longer chain.
fn route_address(idx: usize, hop: usize, n_stops: usize) -> String {
    if n_stops <= 2 { format!("routes[{idx}]") } else { format!("routes[{idx}][{hop}]") }
}
