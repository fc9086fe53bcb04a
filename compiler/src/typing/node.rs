//! Nodes and routes: their sources, their steps one after another, their sinks.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_plan as plan;
use arqon_types::error_schema;

use super::kernel::PortRows;
use super::scope::Scope;
use super::sink::bypassed;
use super::step::Made;
use super::typer::Typer;
use super::window::{Timed, time_after};
use crate::order::dependency_order;
use crate::resolve::{Resolved, discipline, route_labels};
use crate::row_type::{Origin, OriginKind, RowType};
use crate::typed::{
    EventTime, Input, LocalId, NodeId, NodeLoop, Owner, StepLoop, TypedNode, TypedPort, TypedSink,
    TypedSource, TypedStep, TypedVariable, Verb,
};

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
    /// The named ports, in the place of sources.
    ports: Vec<(ast::Name, Reads)>,
    /// The other side of each join, also of those in loops, in the order of the file.
    joined: Vec<Option<Input>>,
    /// A loop in the place of sources.
    repeated: Option<LoopReads>,
}

/// What a loop reads.
#[derive(Debug, Default)]
struct LoopReads {
    /// Each variable: where it starts, and what it is in the next round.
    variables: Vec<(LocalId, [Reads; 2])>,
    nodes: Vec<(LocalId, Reads)>,
}

impl Reads {
    /// Everything that is read, also within loops.
    fn all(&self) -> Vec<Input> {
        let mut all: Vec<Input> = self.sources.iter().map(|(input, _)| *input).collect();
        all.extend(self.ports.iter().flat_map(|(_, reads)| reads.all()));
        all.extend(self.joined.iter().copied().flatten());
        if let Some(repeated) = &self.repeated {
            let variables = repeated.variables.iter().flat_map(|(_, reads)| reads);
            let nodes = repeated.nodes.iter().map(|(_, reads)| reads);
            all.extend(variables.chain(nodes).flat_map(Reads::all));
        }
        all
    }
}

/// The names that a node may read: those of the circuit, and of the loops around it.
struct Names<'r, 'a> {
    resolved: &'r Resolved<'a>,
    locals: Vec<(String, LocalId)>,
    n_locals: usize,
}

/// Types all nodes and routes of a circuit.
pub(crate) fn type_flow(resolved: &Resolved<'_>, typer: &mut Typer<'_>) -> Flow {
    let circuit = resolved.circuit;
    let mut names = Names { resolved, locals: Vec::new(), n_locals: 0 };
    let reads: Vec<Reads> =
        circuit.flow.iter().map(|node| read_names(node, &mut names, typer)).collect();
    let needs: Vec<Vec<usize>> =
        reads.iter().map(|reads| reads.all().into_iter().filter_map(node_of).collect()).collect();
    let mut typed: Vec<Option<TypedNode>> = circuit.flow.iter().map(|_| None).collect();
    for id in dependency_order(&needs).order {
        let rows = Rows { resolved, typed: &typed, locals: RefCell::default() };
        let node = &circuit.flow[id];
        let place = NodePlace { name: &node.name.node, owner: &node.name.node };
        let node = type_node(node, &reads[id], place, &rows, typer);
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
    /// Of the loops around the present place.
    locals: RefCell<BTreeMap<LocalId, Arc<RowType>>>,
}

/// How a node is called.
#[derive(Clone, Copy)]
struct NodePlace<'n> {
    /// Its own name, for addresses.
    name: &'n str,
    /// The node of the circuit, whose errors its own are.
    owner: &'n str,
}

impl Rows<'_, '_> {
    fn row(&self, input: Input) -> Arc<RowType> {
        match input {
            Input::Topic(id) => Arc::clone(&self.resolved.topic(id).row),
            Input::Operator(_) => RowType::unknown(),
            Input::Errors(owner) => error_row(owner, self.resolved),
            Input::Local(id) => {
                self.locals.borrow().get(&id).map_or_else(RowType::unknown, Arc::clone)
            }
            Input::Node(NodeId(id)) | Input::Label(NodeId(id), _) => {
                self.typed[id].as_ref().map_or_else(RowType::unknown, |node| Arc::clone(&node.row))
            }
            Input::Late(NodeId(id)) => {
                let before = |node: &TypedNode| {
                    node.judging_step().map(|step| Arc::clone(node.row_before(step)))
                };
                self.typed[id].as_ref().and_then(before).unwrap_or_else(RowType::unknown)
            }
        }
    }

    fn time(&self, input: Input) -> EventTime {
        match input {
            Input::Topic(id) => {
                self.resolved.topic(id).time.map_or(EventTime::Missing, EventTime::At)
            }
            Input::Operator(_) => EventTime::Unknown,
            Input::Node(NodeId(id)) | Input::Label(NodeId(id), _) => {
                self.typed[id].as_ref().map_or(EventTime::Unknown, |node| node.time)
            }
            Input::Late(_) | Input::Errors(_) | Input::Local(_) => EventTime::Missing,
        }
    }

    /// The event time of a union: the one that all sources have at the same place.
    fn time_of_all(&self, sources: &[TypedSource]) -> EventTime {
        let mut times =
            sources.iter().map(|source| match (self.time(source.input), &source.columns) {
                (EventTime::At(at), Some(columns)) => {
                    let place = columns.iter().position(|column| *column == at);
                    place.map_or(EventTime::Missing, EventTime::At)
                }
                (time, _) => time,
            });
        let Some(first) = times.next() else { return EventTime::Unknown };
        times.fold(first, |one, other| match (one, other) {
            (EventTime::Unknown, _) | (_, EventTime::Unknown) => EventTime::Unknown,
            _ if one == other => one,
            _ => EventTime::Missing,
        })
    }

    /// The name of a topic among the sources that has no event time.
    fn untimed(&self, sources: &[TypedSource]) -> Option<&str> {
        sources.iter().find_map(|source| match source.input {
            Input::Topic(id) if self.resolved.topic(id).time.is_none() => {
                Some(self.resolved.topic(id).name.as_str())
            }
            _ => None,
        })
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
        Input::Topic(_) | Input::Errors(Owner::Topic(_)) | Input::Operator(_) | Input::Local(_) => {
            None
        }
        Input::Errors(Owner::Node(NodeId(id))) => Some(id),
        Input::Node(NodeId(id)) | Input::Label(NodeId(id), _) | Input::Late(NodeId(id)) => Some(id),
    }
}

fn read_names(node: &ast::Node, names: &mut Names<'_, '_>, typer: &mut Typer<'_>) -> Reads {
    let reader = format!("node `{}`", node.name.node);
    let mut reads = Reads { complete: node.from.is_some(), ..Reads::default() };
    if let Some(repeated) = &node.repeated {
        reads.repeated = Some(loop_names(repeated, &reader, names, typer));
    }
    let read = |name: &ast::Name, typer: &mut Typer<'_>| read_one(name, &reader, names, typer);
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
            for port in ports {
                let mut of = Reads::default();
                of.sources.extend(
                    port.sources.iter().filter_map(|name| Some((read(name, typer)?, name.span))),
                );
                of.complete = of.sources.len() == port.sources.len();
                reads.ports.push((port.name.clone(), of));
            }
            reads.complete = false;
            if !takes_ports(node) {
                reads.ports.clear();
                no_ports(node, typer);
            }
        }
    }
    joined_names(&node.steps, &mut |name| reads.joined.push(read(name, typer)));
    reads
}

/// Whether the first step reads named ports, or could not be read.
fn takes_ports(node: &ast::Node) -> bool {
    let first = node.steps.first().map(|step| &step.kind);
    matches!(first, Some(ast::StepKind::Kernel(_) | ast::StepKind::Error))
}

/// Reports ports that no step takes.
fn no_ports(node: &ast::Node, typer: &mut Typer<'_>) {
    let span = node.from.as_ref().map_or(node.name.span, |from| from.span);
    let kernel = node.steps.iter().find(|step| matches!(step.kind, ast::StepKind::Kernel(_)));
    typer.report.push(match kernel {
        Some(kernel) => Diagnostic::new(
            names::PORTS,
            kernel.verb,
            "a `kernel` takes named ports as the first step of its node only",
        )
        .secondary(span, "the ports")
        .help("let nodes of their own prepare the rows, and name those nodes at the ports"),
        None => Diagnostic::new(
            names::PORTS,
            span,
            format!("no step of node `{}` takes named ports", node.name.node),
        )
        .help("name one source or a union `[a, b]`, and bring in the other with `join`"),
    });
}

/// Calls `read` for the other side of each join.
fn joined_names(steps: &[ast::Step], read: &mut impl FnMut(&ast::Name)) {
    for step in steps {
        match &step.kind {
            ast::StepKind::Join(join) => read(&join.source),
            ast::StepKind::Loop(repeated) => joined_names(&repeated.body, read),
            _ => {}
        }
    }
}

fn read_one(
    name: &ast::Name,
    reader: &str,
    names: &Names<'_, '_>,
    typer: &mut Typer<'_>,
) -> Option<Input> {
    let input = names.resolved.input(name, &names.locals, reader, typer.report)?;
    whole_output(input, name, names.resolved, typer).then_some(input)
}

/// What a loop reads. Its names are known within it, and hide none from outside.
fn loop_names(
    repeated: &ast::NodeLoop,
    reader: &str,
    names: &mut Names<'_, '_>,
    typer: &mut Typer<'_>,
) -> LoopReads {
    let union = |sources: &[ast::Name], names: &Names<'_, '_>, typer: &mut Typer<'_>| {
        let mut reads = Reads { complete: !sources.is_empty(), ..Reads::default() };
        for name in sources {
            match read_one(name, reader, names, typer) {
                Some(input) => reads.sources.push((input, name.span)),
                None => reads.complete = false,
            }
        }
        reads
    };
    let starts: Vec<Reads> =
        repeated.variables.iter().map(|it| union(&it.start, names, typer)).collect();
    let n_around = names.locals.len();
    let variables: Vec<LocalId> =
        repeated.variables.iter().map(|it| names.declare(&it.name, typer)).collect();
    let nodes: Vec<LocalId> =
        repeated.flow.iter().map(|it| names.declare(&it.name, typer)).collect();
    let reads = LoopReads {
        nodes: repeated
            .flow
            .iter()
            .zip(nodes)
            .map(|(node, id)| (id, read_names(node, names, typer)))
            .collect(),
        variables: repeated
            .variables
            .iter()
            .zip(starts)
            .zip(variables)
            .map(|((it, start), id)| (id, [start, union(&it.next, names, typer)]))
            .collect(),
    };
    names.locals.truncate(n_around);
    reads
}

impl Names<'_, '_> {
    /// A name of a loop that is being read.
    fn declare(&mut self, name: &ast::Name, typer: &mut Typer<'_>) -> LocalId {
        let is_local = self.locals.iter().any(|(known, _)| *known == name.node);
        if is_local || self.resolved.is_taken(name.as_str()) {
            typer.report.push(
                Diagnostic::new(
                    names::DUPLICATE_NAME,
                    name.span,
                    format!("`{}` is a name already", name.node),
                )
                .help("a name within a loop is unlike all names that can be read there"),
            );
        }
        let id = LocalId(self.n_locals);
        self.n_locals += 1;
        self.locals.push((name.node.clone(), id));
        id
    }
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
    TypedNode {
        name: place.name.to_owned(),
        owner: place.owner.to_owned(),
        span: node.name.span,
        errors_of: place.owner.to_owned(),
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

/// The variables, nodes and rounds of a loop, and the rows that it goes on with.
fn type_loop(
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
    let position = |input: Input| match input {
        Input::Local(id) => reads.nodes.iter().position(|(known, _)| *known == id),
        Input::Topic(_)
        | Input::Node(_)
        | Input::Label(..)
        | Input::Errors(_)
        | Input::Late(_)
        | Input::Operator(_) => None,
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
fn round_columns(
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
        for (idx, step) in self.ast.iter().enumerate() {
            let address = format!("{}[{idx}]", self.address);
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
                Arc::new(RowType { columns: after.columns.clone(), open: true })
            } else {
                after
            };
            row = Arc::clone(&after);
            steps.push(TypedStep { address, span: step.verb, verb, operator, row: after });
        }
        (steps, row, time)
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
    (Verb::Loop(StepLoop { body, columns, merge, rounds }), Arc::clone(row))
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

fn plain_sources(sources: &[(Input, Span)]) -> Vec<TypedSource> {
    sources
        .iter()
        .map(|(input, span)| TypedSource { input: *input, span: *span, columns: None })
        .collect()
}

/// What is read as one collection: all sources have the fields of the first one.
fn union(
    reads: &Reads,
    rows: &Rows<'_, '_>,
    typer: &mut Typer<'_>,
) -> (Vec<TypedSource>, Arc<RowType>) {
    let sources = &reads.sources;
    let mut typed = plain_sources(sources);
    let Some((first, first_span)) = sources.first().filter(|_| reads.complete) else {
        return (typed, RowType::unknown());
    };
    let mut row = rows.row(*first);
    let mut complete = true;
    for (source, (input, span)) in typed.iter_mut().zip(sources).skip(1) {
        let other = rows.row(*input);
        if row.open || other.open {
            complete = false;
            continue;
        }
        match same_fields(&row, &other) {
            Ok(columns) => {
                for (column, at) in row.columns.iter().zip(&columns) {
                    let found = &other.columns[*at];
                    if let (Some(ty), Some(other_ty)) = (&column.ty, &found.ty) {
                        let places = [found.origin, column.origin].map(|it| it.map(|it| it.span));
                        typer.meet(other_ty, ty, *span, places);
                    }
                }
                row = in_common(row, &other, &columns);
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

/// The row with what is known of its tensors on both sides; `columns` are those of `other`.
fn in_common(mut row: Arc<RowType>, other: &RowType, columns: &[usize]) -> Arc<RowType> {
    for (at, other_at) in columns.iter().enumerate() {
        if let (Some(ty), Some(other_ty)) = (&row.columns[at].ty, &other.columns[*other_at].ty)
            && ty != other_ty
            && let Some(common) = arqon_operators::common_type(ty, other_ty)
        {
            Arc::make_mut(&mut row).columns[at].ty = Some(common);
        }
    }
    row
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
            && !ty.may_be(other_ty)
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
            .input(from, &[], &reader, typer.report)
            .filter(|input| whole_output(*input, from, resolved, typer));
        let row = match input {
            None | Some(Input::Operator(_) | Input::Local(_)) => RowType::unknown(),
            Some(Input::Errors(owner)) => error_row(owner, resolved),
            Some(Input::Late(NodeId(id))) => {
                let before = |node: &TypedNode| {
                    node.judging_step().map(|step| Arc::clone(node.row_before(step)))
                };
                flow.nodes.get(id).and_then(before).unwrap_or_else(RowType::unknown)
            }
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
                .map_or(Verb::Unknown, |it| Verb::Where(it.into()));
            let step_address = address.clone();
            let span = condition.span;
            steps.push(TypedStep {
                address: step_address,
                span,
                verb,
                operator: None,
                row: Arc::clone(&row),
            });
        }
        let sinks = topic
            .and_then(|topic| {
                let fields = typer.fit(&writer, &row, resolved.topic(topic), to.span)?;
                Some(TypedSink { topic, label: None, fields: fields.0, span: to.span })
            })
            .into_iter()
            .collect();
        flow.nodes.push(TypedNode {
            name: address.clone(),
            owner: address,
            span: from.span,
            errors_of: to.node.clone(),
            sources: input
                .map(|input| TypedSource { input, span: from.span, columns: None })
                .into_iter()
                .collect(),
            repeated: None,
            ports: Vec::new(),
            row_in: Arc::clone(&row),
            steps,
            time: chain_time(input, resolved, flow),
            row,
            labels: Vec::new(),
            sinks,
            bypasses: bypass.map(|operator| (operator, to.span)).into_iter().collect(),
        });
    }
}

/// The event time of the rows that an arrow carries.
fn chain_time(input: Option<Input>, resolved: &Resolved<'_>, flow: &Flow) -> EventTime {
    match input {
        None | Some(Input::Operator(_)) => EventTime::Unknown,
        Some(Input::Topic(id)) => resolved.topic(id).time.map_or(EventTime::Missing, EventTime::At),
        Some(Input::Node(NodeId(id)) | Input::Label(NodeId(id), _)) => {
            flow.nodes.get(id).map_or(EventTime::Unknown, |node| node.time)
        }
        Some(Input::Late(_) | Input::Errors(_) | Input::Local(_)) => EventTime::Missing,
    }
}

/// `routes[0]`, or `routes[0][1]` for the second arrow of a longer chain.
fn route_address(idx: usize, hop: usize, n_stops: usize) -> String {
    if n_stops <= 2 { format!("routes[{idx}]") } else { format!("routes[{idx}][{hop}]") }
}
