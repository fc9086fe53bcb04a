//! What each node reads: its sources, ports, joins and loops, before any row is known.

use std::fmt;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::code::names;

use super::typer::Typer;
use crate::resolve::{Resolved, route_labels};
use crate::typed::{Input, LocalId, NodeId};

/// What a node reads, before its rows are known.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// The sources that are known, with their places.
    pub(super) sources: Vec<(Input, Span)>,
    /// Whether all of them are known.
    pub(super) complete: bool,
    /// The named ports, in the place of sources.
    pub(super) ports: Vec<(ast::Name, Reads)>,
    /// The other side of each join, also of those in loops, in the order of the file.
    pub(super) joined: Vec<Option<Input>>,
    /// A loop in the place of sources.
    pub(super) repeated: Option<LoopReads>,
}

/// What a loop reads.
#[derive(Debug, Default)]
pub(super) struct LoopReads {
    /// Each variable: where it starts, and what it is in the next round.
    pub(super) variables: Vec<(LocalId, [Reads; 2])>,
    pub(super) nodes: Vec<(LocalId, Reads)>,
}

impl Reads {
    /// Everything that is read, also within loops.
    pub(super) fn all(&self) -> Vec<Input> {
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
pub(super) struct Names<'r, 'a> {
    resolved: &'r Resolved<'a>,
    locals: Vec<(String, LocalId)>,
    n_locals: usize,
}

pub(super) fn read_names(
    node: &ast::Node,
    names: &mut Names<'_, '_>,
    typer: &mut Typer<'_>,
) -> Reads {
    let reader = format_args!("node `{}`", node.name.node);
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
    reader: &dyn fmt::Display,
    names: &Names<'_, '_>,
    typer: &mut Typer<'_>,
) -> Option<Input> {
    let input = names.resolved.input(name, &names.locals, reader, typer.report)?;
    whole_output(input, name, names.resolved, typer).then_some(input)
}

/// What a loop reads. Its names are known within it, and hide none from outside.
fn loop_names(
    repeated: &ast::NodeLoop,
    reader: &dyn fmt::Display,
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

impl<'r, 'a> Names<'r, 'a> {
    /// The names outside of all loops.
    pub(super) fn of(resolved: &'r Resolved<'a>) -> Self {
        Self { resolved, locals: Vec::new(), n_locals: 0 }
    }

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
pub(super) fn whole_output(
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
