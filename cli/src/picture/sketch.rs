//! What is drawn: one shape per client, topic, node and operator, and the arrows between them.

use std::collections::{BTreeMap, BTreeSet};

use arqon_plan::{
    FlowStep, JoinKind, Merge, Order, Plan, Port, ProjectionWord, Side, Topic, TopicOrigin, Verb,
    Vertex, VertexId, WindowFrame, WindowStep, WireRef, expression_text,
};
use arqon_types::{Discipline, Edge, format_duration};

/// A circuit as shapes and arrows.
#[derive(Debug, Clone)]
pub(crate) struct Sketch {
    /// The circuit's name.
    pub(crate) title: String,
    /// In the order of the plan, clients of the in side first.
    pub(crate) shapes: Vec<Shape>,
    /// In the order of the plan.
    pub(crate) arrows: Vec<Arrow>,
}

/// One thing that is drawn as a box.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// What it is.
    pub(crate) kind: ShapeKind,
    /// Its name.
    pub(crate) title: String,
    /// What more there is to say, a few short lines.
    pub(crate) lines: Vec<String>,
}

/// What a shape stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ShapeKind {
    /// Clients that publish.
    ClientIn,
    /// A topic that clients may touch.
    EdgeTopic,
    /// A topic within the bus.
    InnerTopic,
    /// A node of the flow.
    Node,
    /// A node that computes by a kernel or a capsule.
    Kernel,
    /// An external operator.
    Operator,
    /// Clients that subscribe.
    ClientOut,
}

/// A way of rows.
#[derive(Debug, Clone)]
pub(crate) struct Arrow {
    /// The shape where rows come from.
    pub(crate) from: usize,
    /// The shape where rows go.
    pub(crate) to: usize,
    /// What the rows are: a schema's name; empty where it is only the node's own.
    pub(crate) schema: String,
    /// What they say.
    pub(crate) discipline: Discipline,
    /// The label of a route; empty otherwise.
    pub(crate) label: String,
    /// Whether it comes later than the epoch: results of an operator, a control topic.
    pub(crate) delayed: bool,
}

impl Arrow {
    /// `Order · full`
    pub(crate) fn text(&self) -> String {
        let rows = if self.schema.is_empty() {
            self.discipline.to_string()
        } else {
            format!("{} · {}", self.schema, self.discipline)
        };
        if self.label.is_empty() { rows } else { format!("{}: {rows}", self.label) }
    }
}

impl Sketch {
    /// The sketch of a plan.
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut sketch =
            Self { title: plan.circuit.clone(), shapes: Vec::new(), arrows: Vec::new() };
        let mut places: BTreeMap<VertexId, usize> = BTreeMap::new();
        let mut nodes: BTreeMap<&str, usize> = BTreeMap::new();
        let mut lines = node_lines(plan);
        let computing = computing_nodes(plan);
        for side in [Some(Side::In), None, Some(Side::Out)] {
            for (id, vertex) in plan.vertices() {
                let shape = match (vertex, side) {
                    (Vertex::Client(client), Some(side)) if client.side == side => Shape {
                        kind: match side {
                            Side::In => ShapeKind::ClientIn,
                            Side::Out => ShapeKind::ClientOut,
                        },
                        title: client.role.clone().unwrap_or_else(|| "clients".to_owned()),
                        lines: Vec::new(),
                    },
                    (Vertex::Topic(topic), None) if is_drawn(plan, id, topic) => topic_shape(topic),
                    (Vertex::Endpoint(endpoint), None) => Shape {
                        kind: ShapeKind::Operator,
                        title: endpoint.name.clone(),
                        lines: endpoint
                            .selected
                            .and_then(|selected| endpoint.vias.get(selected))
                            .map(|via| shortened(&via.transport))
                            .into_iter()
                            .collect(),
                    },
                    (Vertex::Step(step), None) => {
                        if let Some(place) = nodes.get(&*step.node) {
                            places.insert(id, *place);
                            continue;
                        }
                        nodes.insert(&step.node, sketch.shapes.len());
                        Shape {
                            kind: if computing.contains(&*step.node) {
                                ShapeKind::Kernel
                            } else {
                                ShapeKind::Node
                            },
                            title: step.node.to_string(),
                            lines: lines.remove(&*step.node).unwrap_or_default(),
                        }
                    }
                    (Vertex::Client(_) | Vertex::Topic(_), _)
                    | (Vertex::Step(_) | Vertex::Endpoint(_), Some(_)) => continue,
                };
                places.insert(id, sketch.shapes.len());
                sketch.shapes.push(shape);
            }
        }
        sketch.add_arrows(plan, &places);
        sketch
    }

    fn add_arrows(&mut self, plan: &Plan, places: &BTreeMap<VertexId, usize>) {
        for wire in plan.wires() {
            let (Some(from), Some(to)) = (places.get(&wire.from), places.get(&wire.to)) else {
                continue;
            };
            let is_delayed_topic = match plan.vertex(wire.from) {
                Vertex::Topic(topic) => topic.control,
                Vertex::Client(_) | Vertex::Step(_) | Vertex::Endpoint(_) => false,
            };
            let comes_back = matches!(plan.vertex(wire.to), Vertex::Step(_));
            let arrow = Arrow {
                from: *from,
                to: *to,
                schema: if *wire.wire.schema.name == *self.shapes[*from].title {
                    String::new()
                } else {
                    wire.wire.schema.name.to_string()
                },
                discipline: wire.wire.discipline,
                label: port_label(plan, &wire).unwrap_or_else(|| route_label(plan, wire.from)),
                delayed: is_delayed_topic || (wire.wire.port == Port::Results && comes_back),
            };
            let is_known = self.arrows.iter().rev().take(ARROWS_COMPARED).any(|known| {
                (known.from, known.to, &known.label) == (arrow.from, arrow.to, &arrow.label)
            });
            if from != to && !is_known {
                self.arrows.push(arrow);
            }
        }
    }
}

/// The nodes that hold a kernel or a capsule.
fn computing_nodes(plan: &Plan) -> BTreeSet<&str> {
    let steps = plan.steps().map(|(_, step)| step);
    let computing = steps.filter(|step| matches!(step.verb, Verb::Kernel(_) | Verb::Wasm(_)));
    computing.map(|step| &*step.node).collect()
}

/// A topic of errors that nobody reads would only hide the others.
fn is_drawn(plan: &Plan, id: VertexId, topic: &Topic) -> bool {
    !matches!(topic.origin, TopicOrigin::Errors { .. }) || plan.outputs(id).next().is_some()
}

fn topic_shape(topic: &Topic) -> Shape {
    let mut facts = Vec::new();
    if !topic.key.is_empty() {
        facts.push(format!("key {}", topic.key_names()));
    }
    if let Some(retain) = topic.retain_text() {
        facts.push(format!("retain {retain}"));
    }
    let flags = [(topic.control, "control"), (topic.shared, "shared")];
    facts.extend(flags.iter().filter(|(is_set, _)| *is_set).map(|(_, word)| (*word).to_owned()));
    let is_edge = topic.edge != Edge::None;
    Shape {
        kind: if is_edge { ShapeKind::EdgeTopic } else { ShapeKind::InnerTopic },
        title: topic.name.to_string(),
        lines: if facts.is_empty() { Vec::new() } else { vec![shortened(&facts.join(" · "))] },
    }
}

/// The steps of each node, a line for each.
fn node_lines(plan: &Plan) -> BTreeMap<&str, Vec<String>> {
    let mut nodes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (id, step) in plan.steps() {
        let lines = nodes.entry(&step.node).or_default();
        lines.extend(step_line(plan, id, step).map(|line| shortened(&line)));
    }
    for lines in nodes.values_mut().filter(|lines| LINES_MAX < lines.len()) {
        let more = lines.len() - (LINES_MAX - 1);
        lines.truncate(LINES_MAX - 1);
        lines.push(format!("… {more} more steps"));
    }
    nodes
}

/// A step in a few words; none for what the arrows show anyway.
fn step_line(plan: &Plan, id: VertexId, step: &FlowStep) -> Option<String> {
    let names = |from: usize| -> Vec<&str> {
        step.schema.fields.iter().skip(from).map(|field| &*field.name).collect()
    };
    let input: Vec<String> =
        plan.inputs(id).find(|wire| wire.wire.port == Port::Main).map_or_else(Vec::new, |wire| {
            wire.wire.schema.fields.iter().map(|field| field.name.to_string()).collect()
        });
    Some(match &step.verb {
        Verb::From => {
            let n_inputs = plan.inputs(id).count();
            return (1 < n_inputs).then(|| format!("union of {n_inputs}"));
        }
        Verb::Arm(_) | Verb::Late(_) => return None,
        Verb::Where(condition) => format!("where {}", expression_text(condition, &input)),
        Verb::Project(projection) => match projection.word {
            ProjectionWord::Select | ProjectionWord::Distinct => {
                format!("select {}", names(0).join(", "))
            }
            ProjectionWord::With => {
                let known = |name: &&str| !input.iter().any(|old| old == name);
                let new: Vec<&str> = names(0).into_iter().filter(known).collect();
                format!("with {}", new.join(", "))
            }
            ProjectionWord::Drop => {
                let kept = names(0);
                let is_gone = |name: &&String| !kept.contains(&name.as_str());
                let gone: Vec<&str> = input.iter().filter(is_gone).map(String::as_str).collect();
                format!("drop {}", gone.join(", "))
            }
        },
        Verb::Unnest(unnest) => {
            format!("unnest {}", names(0).get(unnest.field).copied().unwrap_or("?"))
        }
        Verb::Join(join) => {
            let right = plan.inputs(id).find(|wire| wire.wire.port == Port::Right);
            let other = right.map_or("nothing", |wire| plan.label(wire.from));
            let other = other.split('[').next().unwrap_or(other);
            match join.kind {
                JoinKind::Inner => format!("join {other}"),
                JoinKind::Left => format!("left join {other}"),
                JoinKind::Full => format!("full join {other}"),
                JoinKind::Semi => format!("semi join {other}"),
                JoinKind::Anti => format!("anti join {other}"),
            }
        }
        Verb::Group(group) => {
            let keys: Vec<&str> = names(0).into_iter().take(group.keys.len()).collect();
            if keys.is_empty() {
                "group all".to_owned()
            } else {
                format!("group {}", keys.join(", "))
            }
        }
        Verb::Distinct => "distinct".to_owned(),
        Verb::Top(top) => format!("top {}", top.n),
        Verb::Over(over) => {
            let first = step.schema.fields.len().saturating_sub(over.functions.len());
            format!("over: {}", names(first).join(", "))
        }
        Verb::Window(window) => window_line(window),
        Verb::Within(within) => format!("within {}", format_duration(within.last)),
        Verb::Route(route) => {
            let labels: Vec<&str> =
                route.branches.iter().map(|(label, _)| label.as_str()).collect();
            format!("route {}", labels.join(", "))
        }
        Verb::Carries(discipline) => format!("carries {discipline}"),
        Verb::Call(call) => format!("call {}", call.operator),
        Verb::Variable(variable) => {
            let name = variable.name.as_ref().map_or(String::new(), |name| format!(" {name}"));
            match &variable.merge {
                Merge::Distinct => format!("loop{name}"),
                Merge::Best { order, field, .. } => {
                    let word = match order {
                        Order::Ascending => "min",
                        Order::Descending => "max",
                    };
                    format!("loop{name} {word} {}", names(*field).first().unwrap_or(&"?"))
                }
            }
        }
        Verb::Leave { .. } => "end of loop".to_owned(),
        Verb::Kernel(kernel) => format!("kernel {}", kernel.kernel.name()),
        Verb::Wasm(wasm) => format!("wasm {}", wasm.capsule),
        Verb::Unknown => "?".to_owned(),
    })
}

fn window_line(window: &WindowStep) -> String {
    let frame = match &window.frame {
        WindowFrame::Aligned { size, every } if size == every => {
            format!("tumble {}", format_duration(*size))
        }
        WindowFrame::Aligned { size, every } => {
            format!("hop {} every {}", format_duration(*size), format_duration(*every))
        }
        WindowFrame::Session { gap, .. } => format!("session {}", format_duration(*gap)),
    };
    if window.is_final { format!("{frame}, final") } else { frame }
}

/// The port of a kernel that a wire ends at or begins at.
fn port_label(plan: &Plan, wire: &WireRef<'_>) -> Option<String> {
    match (&wire.wire.port, plan.vertex(wire.to)) {
        (Port::Control, _) => Some("control".to_owned()),
        (Port::Asked, _) => Some("pull".to_owned()),
        (Port::Metrics, _) => Some("metrics".to_owned()),
        (Port::Main, Vertex::Step(FlowStep { verb: Verb::From, address, node, .. })) => {
            let port = address.strip_prefix(&**node)?.strip_prefix(".from.")?;
            Some(port.to_owned())
        }
        _ => None,
    }
}

fn route_label(plan: &Plan, from: VertexId) -> String {
    match plan.vertex(from) {
        Vertex::Step(step) => match step.verb {
            Verb::Arm(_) => step.address.rsplit('.').next().unwrap_or_default().to_owned(),
            _ => String::new(),
        },
        Vertex::Client(_) | Vertex::Topic(_) | Vertex::Endpoint(_) => String::new(),
    }
}

/// At most [`LINE_CHARS_MAX`] characters.
fn shortened(text: &str) -> String {
    if text.chars().count() <= LINE_CHARS_MAX {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(LINE_CHARS_MAX - 1).collect();
    short.truncate(short.trim_end_matches([' ', ',']).len());
    short.push('…');
    short
}

/// Longest line within a shape.
const LINE_CHARS_MAX: usize = 30;

/// Most lines within a shape.
const LINES_MAX: usize = 9;

/// How far back equal arrows are looked for; equal ones stand close together.
const ARROWS_COMPARED: usize = 64;
