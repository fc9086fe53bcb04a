//! Mutants: a circuit or a plan without a bypass, and one put into it.

use std::sync::Arc;

use arqon_plan::{
    Endpoint, FlowStep, Plan, PlanBuilder, Port, Side, TextRange, Topic, TopicOrigin, Verb, Vertex,
    VertexId,
};
use arqon_tests::random::Random;
use arqon_tests::topologies::Topology;
use arqon_types::Schema;

/// Where the wires that are put into plans stand, far behind any text.
const SEEDED_AT: u32 = 1 << 30;

/// A plan with a bypass, and what must be said about it.
pub(crate) struct Mutant {
    pub(crate) plan: Plan,
    /// What was done.
    pub(crate) about: String,
    /// The place and the code of each seeded fault.
    pub(crate) seeded: Vec<(TextRange, &'static str)>,
}

/// The ways in which a wire may lead past the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    ClientToNode,
    NodeToClient,
    ClientToClosedTopic,
    ClosedTopicToClient,
    ClientToClient,
    ClientToOperator,
    OperatorToClient,
    NodeToOperator,
    TopicToOperator,
    OperatorToNode,
    OperatorToTopic,
    OperatorToOperator,
    /// Operator, a new node, operator.
    OperatorsOverNode,
    /// Client, a new node, operator.
    ClientOverNode,
    SecondWriter,
    UndeclaredOperator,
    /// A topic loses the edge through which clients reach it.
    EdgeTaken,
}

pub(crate) const KINDS: &[Kind] = &[
    Kind::ClientToNode,
    Kind::NodeToClient,
    Kind::ClientToClosedTopic,
    Kind::ClosedTopicToClient,
    Kind::ClientToClient,
    Kind::ClientToOperator,
    Kind::OperatorToClient,
    Kind::NodeToOperator,
    Kind::TopicToOperator,
    Kind::OperatorToNode,
    Kind::OperatorToTopic,
    Kind::OperatorToOperator,
    Kind::OperatorsOverNode,
    Kind::ClientOverNode,
    Kind::SecondWriter,
    Kind::UndeclaredOperator,
    Kind::EdgeTaken,
];

/// A mutant of that kind, if the plan has what it needs.
pub(crate) fn mutate(plan: &Plan, kind: Kind, random: &mut Random) -> Option<Mutant> {
    let clients = |side: Side| move |vertex: &Vertex| matches!(vertex, Vertex::Client(client) if client.side == side);
    let is_step = |vertex: &Vertex| matches!(vertex, Vertex::Step(_));
    let is_operator = |vertex: &Vertex| matches!(vertex, Vertex::Endpoint(_));
    let is_closed_in =
        |vertex: &Vertex| matches!(vertex, Vertex::Topic(topic) if !topic.admits_clients());
    let is_closed_out =
        |vertex: &Vertex| matches!(vertex, Vertex::Topic(topic) if !topic.emits_to_clients());
    let mut pick = |wanted: &dyn Fn(&Vertex) -> bool| {
        let found: Vec<VertexId> =
            plan.vertices().filter(|(_, vertex)| wanted(vertex)).map(|(id, _)| id).collect();
        (!found.is_empty()).then(|| *random.pick(&found))
    };
    let mut seeds = Seeds::of(plan);
    match kind {
        Kind::ClientToNode => {
            seeds.wire(pick(&clients(Side::In))?, pick(&is_step)?, Port::Publish, "E0401");
        }
        Kind::NodeToClient => {
            seeds.wire(pick(&is_step)?, pick(&clients(Side::Out))?, Port::Subscribe, "E0401");
        }
        Kind::ClientToClosedTopic => {
            seeds.wire(pick(&clients(Side::In))?, pick(&is_closed_in)?, Port::Publish, "E0401");
        }
        Kind::ClosedTopicToClient => {
            seeds.wire(pick(&is_closed_out)?, pick(&clients(Side::Out))?, Port::Subscribe, "E0401");
        }
        Kind::ClientToClient => {
            let ends = (pick(&clients(Side::In))?, pick(&clients(Side::Out))?);
            seeds.wire(ends.0, ends.1, Port::Publish, "E0401");
        }
        Kind::ClientToOperator => {
            seeds.wire(pick(&clients(Side::In))?, pick(&is_operator)?, Port::Publish, "E0402");
        }
        Kind::OperatorToClient => {
            seeds.wire(pick(&is_operator)?, pick(&clients(Side::Out))?, Port::Subscribe, "E0402");
        }
        Kind::NodeToOperator => {
            seeds.wire(pick(&is_step)?, pick(&is_operator)?, Port::Jobs, "E0403");
        }
        Kind::TopicToOperator => {
            let operator = pick(&is_operator)?;
            let own = TopicOrigin::Jobs { operator: plan.label(operator).to_owned() };
            let from =
                pick(&|vertex| matches!(vertex, Vertex::Topic(topic) if topic.origin != own));
            seeds.wire(from?, operator, Port::Jobs, "E0403");
        }
        Kind::OperatorToNode => {
            seeds.wire(pick(&is_operator)?, pick(&is_step)?, Port::Results, "E0403");
        }
        Kind::OperatorToTopic => {
            let operator = pick(&is_operator)?;
            let own = TopicOrigin::Results { operator: plan.label(operator).to_owned() };
            let to = pick(&|vertex| matches!(vertex, Vertex::Topic(topic) if topic.origin != own));
            seeds.wire(operator, to?, Port::Results, "E0403");
        }
        Kind::OperatorToOperator => {
            seeds.wire(pick(&is_operator)?, pick(&is_operator)?, Port::Jobs, "E0404");
        }
        Kind::OperatorsOverNode => {
            let (one, other) = (pick(&is_operator)?, pick(&is_operator)?);
            let between = seeds.node();
            // One fault with two places: it names the end, and points at the beginning.
            seeds.wire(one, between, Port::Results, "E0404");
            seeds.wire(between, other, Port::Jobs, "E0404");
        }
        Kind::ClientOverNode => {
            let (client, operator) = (pick(&clients(Side::In))?, pick(&is_operator)?);
            let between = seeds.node();
            seeds.wire(client, between, Port::Publish, "E0401");
            seeds.wire(between, operator, Port::Jobs, "E0403");
        }
        Kind::SecondWriter => {
            let to = pick(&|vertex| matches!(vertex, Vertex::Topic(topic) if has_owner(topic)))?;
            plan.inputs(to).next()?;
            let between = seeds.node();
            seeds.wire(between, to, Port::Main, "E0406");
        }
        Kind::UndeclaredOperator => {
            let client = pick(&clients(Side::In))?;
            let ghost = seeds.ghost();
            seeds.wire(client, ghost, Port::Publish, "E0405");
        }
        Kind::EdgeTaken => return edge_taken(plan, random),
    }
    let about = format!("{kind:?}: {}", seeds.about.join(", "));
    Some(Mutant { plan: seeds.builder.finish(), about, seeded: seeds.seeded })
}

/// A topic that only one may write.
fn has_owner(topic: &Topic) -> bool {
    match topic.origin {
        TopicOrigin::Declared => !topic.shared,
        TopicOrigin::Results { .. } => true,
        TopicOrigin::Jobs { .. } | TopicOrigin::Errors { .. } | TopicOrigin::Late { .. } => false,
    }
}

/// A plan in the making, and what was put into it.
struct Seeds<'p> {
    of: &'p Plan,
    builder: PlanBuilder,
    about: Vec<String>,
    seeded: Vec<(TextRange, &'static str)>,
}

impl<'p> Seeds<'p> {
    fn of(plan: &'p Plan) -> Self {
        let builder = PlanBuilder::from(plan.clone());
        Self { of: plan, builder, about: Vec::new(), seeded: Vec::new() }
    }

    fn place(&self) -> TextRange {
        let start = SEEDED_AT + 10 * u32::try_from(self.seeded.len()).expect("few");
        TextRange { start, end: start + 5 }
    }

    fn wire(&mut self, from: VertexId, to: VertexId, port: Port, code: &'static str) {
        let range = self.place();
        let plan = self.builder.plan();
        let schema = match (plan.vertex(from), plan.vertex(to)) {
            (Vertex::Step(step), _) | (_, Vertex::Step(step)) => Arc::clone(&step.schema),
            (Vertex::Topic(topic), _) | (_, Vertex::Topic(topic)) => Arc::clone(&topic.schema),
            (Vertex::Client(_) | Vertex::Endpoint(_), Vertex::Client(_) | Vertex::Endpoint(_)) => {
                Arc::new(Schema::new("Nothing", Vec::new()))
            }
        };
        self.about.push(format!("{} -> {}", plan.label(from), plan.label(to)));
        self.builder.wire((from, to), port, &schema, range);
        self.seeded.push((range, code));
    }

    /// A node of its own that reads and writes nothing yet.
    fn node(&mut self) -> VertexId {
        let known = self.of.topics().next().map(|(_, topic)| Arc::clone(&topic.schema));
        let schema = known.unwrap_or_else(|| Arc::new(Schema::new("Nothing", Vec::new())));
        let (node, range): (Arc<str>, _) = ("smuggler".into(), TextRange::default());
        self.builder.step(FlowStep {
            address: Arc::clone(&node),
            node,
            verb: Verb::From,
            schema,
            range,
        })
    }

    fn ghost(&mut self) -> VertexId {
        self.builder.endpoint(Endpoint {
            name: "ghost".to_owned(),
            contract: String::new(),
            vias: Vec::new(),
            selected: None,
            limited: false,
            declared: false,
            range: self.place(),
        })
    }
}

/// The plan, but one topic that clients reach has no edge any more. This is no wire more but a
/// right less, so it is done to the plan's written form.
fn edge_taken(plan: &Plan, random: &mut Random) -> Option<Mutant> {
    let is_reached = |id: VertexId| {
        let mut wires = plan.inputs(id).chain(plan.outputs(id));
        wires.any(|wire| matches!(wire.wire.port, Port::Publish | Port::Subscribe))
    };
    let found: Vec<(VertexId, &Topic)> = plan
        .topics()
        .filter(|(id, topic)| topic.origin == TopicOrigin::Declared && is_reached(*id))
        .collect();
    let (id, topic) = *(!found.is_empty()).then(|| random.pick(&found))?;
    let mut parts = serde_json::to_value(plan).expect("a plan can be written");
    parts["vertices"][id.index()]["topic"]["edge"] = serde_json::json!("none");
    let is_client = |id: VertexId| matches!(plan.vertex(id), Vertex::Client(_));
    let wires = plan.inputs(id).chain(plan.outputs(id));
    let seeded = wires
        .filter(|wire| is_client(wire.from) || is_client(wire.to))
        .map(|wire| (wire.wire.range, "E0401"))
        .collect();
    let about = format!("EdgeTaken: {}", topic.name);
    Some(Mutant { plan: serde_json::from_value(parts).expect("still a plan"), about, seeded })
}

/// A circuit's text with a bypass: what is said of it, and the text at whose place.
pub(crate) struct TextMutant {
    pub(crate) text: String,
    pub(crate) seeded: Vec<(TextRange, &'static str)>,
}

/// One of the bypasses that people write. The `«` and `»` of a line stand around what is at fault.
pub(crate) fn mutate_text(topology: &Topology, random: &mut Random) -> TextMutant {
    let input = random.pick(&topology.inputs).clone();
    let inner = random.pick(&topology.inner).clone();
    let output = random.pick(&topology.outputs).clone();
    let node = random.pick(&topology.nodes).clone();
    let operator = random.pick(&topology.operators).clone();
    // An operator that feeds itself is a cycle as well, which is another story.
    let others: Vec<&String> = topology.operators.iter().filter(|it| **it != operator).collect();
    let other = (!others.is_empty()).then(|| (*random.pick(&others)).clone());
    let role = |rights: String| ("access:\n", format!("  intruder: {{ {rights} }}\n"));
    let smuggler = |body: String| ("flow:\n", format!("  smuggler:\n{body}"));
    let route = |chain: String| ("routes:\n", format!("  - {chain}\n"));
    let (codes, (section, line)): (&[&str], _) = match (random.below(23), other) {
        (0, _) => (&["E0401"], role(format!("publish: [«{node}»]"))),
        (1, _) => (&["E0401"], role(format!("subscribe: [«{node}»]"))),
        (2, _) => {
            (&["E0401", "E0401"], role(format!("publish: [«{node}»], subscribe: [«{node}»]")))
        }
        (3, _) => (&["E0402"], role(format!("publish: [«{operator}»]"))),
        (4, _) => (&["E0402"], role(format!("subscribe: [«{operator}»]"))),
        (5, _) => {
            let both = format!("publish: [«{operator}»], subscribe: [«{operator}»]");
            (&["E0402", "E0402"], role(both))
        }
        (6, _) => (&["E0401"], role(format!("publish: [«{inner}»]"))),
        (7, _) => (&["E0401"], role(format!("subscribe: [«{inner}»]"))),
        (8, _) => (&["E0405"], role("execute: [«ghost»]".to_owned())),
        (9, _) => (&["E0405"], role(format!("publish: [{input}], execute: [{operator}, «ghost»]"))),
        (10, _) => (&["E0403"], route(format!("{input} -> «{operator}»"))),
        (11, _) => (&["E0403"], route(format!("{input} -> «{operator}» when level > 1.0"))),
        (12, _) => (&["E0403"], route(format!("«{operator}» -> common"))),
        (13, Some(other)) => (&["E0404", "E0404"], route(format!("«{operator}» -> «{other}»"))),
        (14, _) => (&["E0403"], smuggler(format!("    from: {input}\n    to: «{operator}»\n"))),
        (15, _) => {
            let body = format!(
                "    from: {input}\n    do:\n      - join: «{operator}»\n        \
                                match: {{ id: id }}\n        as: r\n"
            );
            (&["E0403"], smuggler(body))
        }
        (16, Some(other)) => {
            let body = format!("    from: «{operator}»\n    to: «{other}»\n");
            (&["E0404", "E0404"], smuggler(body))
        }
        (18, _) => {
            let body = format!(
                "    from: {input}\n    do:\n      - join: «{operator}»\n        \
                                match: {{ id: id }}\n        kind: semi\n"
            );
            (&["E0403"], smuggler(body))
        }
        (19, _) => (&["E0403"], smuggler(format!("    from: [{input}, «{operator}»]\n"))),
        (20, _) => {
            let body = format!(
                "    from: {input}\n    do:\n      - loop:\n          do:\n            \
                                - join: «{operator}»\n              match: {{ id: id }}\n              \
                                as: r\n            - select: [id, level]\n          \
                                merge: distinct\n"
            );
            (&["E0403"], smuggler(body))
        }
        (21, _) => (&["E0403"], smuggler(format!("    from: {node}\n    to: «{operator}»\n"))),
        (17, _) => (&["E0406"], smuggler(format!("    from: {input}\n    to: «{output}»\n"))),
        _ => (&["E0406"], route(format!("{input} -> «{inner}»"))),
    };
    inserted(&topology.text, section, &line, codes)
}

fn inserted(text: &str, section: &str, line: &str, codes: &[&'static str]) -> TextMutant {
    let at = text.find(section).expect("the section is there");
    // Behind the last line of the section: before the next word that begins a line.
    let body = at + section.len();
    let rest = &text[body..];
    let end = rest
        .match_indices('\n')
        .map(|(at, _)| at + 1)
        .find(|at| !rest[*at..].starts_with(' '))
        .unwrap_or(rest.len());
    let mut made = text[..body + end].to_owned();
    let (mut seeded, mut start) = (Vec::new(), 0);
    for character in line.chars() {
        let here = u32::try_from(made.len()).expect("a small text");
        match character {
            '«' => start = here,
            '»' => seeded.push((TextRange { start, end: here }, codes[seeded.len()])),
            other => made.push(other),
        }
    }
    made.push_str(&text[body + end..]);
    TextMutant { text: made, seeded }
}
