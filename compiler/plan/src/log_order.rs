//! Where events become the state of a key: the last one in log order wins.
//!
//! Rows bring their place in the log through steps that work row by row. A step that puts rows
//! together makes rows that have no place of their own; what it yields cannot say which is last.
//! A control topic has a log of its own, to which the flow's rows come back.

use arqon_types::Discipline;

use crate::graph::{Plan, WireRef};
use crate::vertex::{FlowStep, Port, Topic, Verb, Vertex, VertexId};

/// Why nobody can say which event of a key is the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderLoss {
    /// This step puts rows together.
    Step(VertexId),
    /// Besides the events, something else is written to the topic: from this vertex.
    Writer(VertexId),
    /// Besides the events, clients or other circuits write to the topic.
    Outside,
}

impl Plan {
    /// The key by which the last event wins at a `carries: full` step or topic; none where no
    /// events come, or only one for each key.
    pub fn last_event_key(&self, id: VertexId) -> Option<Vec<usize>> {
        match self.vertex(id) {
            Vertex::Step(FlowStep { verb: Verb::Carries(Discipline::Full), .. }) => {
                let input = self.main_inputs(id).next()?;
                let key = self.carries_key(id)?;
                self.brings_events(input.from, &key).then_some(key)
            }
            Vertex::Topic(topic) if topic.discipline == Discipline::Full => self
                .main_inputs(id)
                .any(|wire| {
                    let key = key_in(topic, &wire);
                    key.is_some_and(|key| self.brings_events(wire.from, &key))
                })
                .then(|| topic.key.clone()),
            Vertex::Step(_) | Vertex::Topic(_) | Vertex::Client(_) | Vertex::Endpoint(_) => None,
        }
    }

    /// What makes it impossible to say which event is the last one at such a vertex.
    pub fn order_loss(&self, id: VertexId) -> Option<OrderLoss> {
        if let Vertex::Topic(topic) = self.vertex(id)
            // Else a second writer is a fault of its own.
            && topic.shared
        {
            let changes = |wire: &WireRef<'_>| {
                self.facts(wire.from).discipline.is_some_and(|it| it != Discipline::Events)
            };
            if let Some(wire) = self.main_inputs(id).find(changes) {
                return Some(OrderLoss::Writer(wire.from));
            }
            // What goes back to a control topic stands in its log beside what comes from outside.
            if !topic.control {
                return Some(OrderLoss::Outside);
            }
        }
        let mut seen = vec![false; self.n_vertices()];
        let mut waiting: Vec<VertexId> = self.main_inputs(id).map(|wire| wire.from).collect();
        while let Some(at) = waiting.pop() {
            if std::mem::replace(&mut seen[at.index()], true) {
                continue;
            }
            if let Vertex::Step(step) = self.vertex(at)
                && !keeps_order(&step.verb)
            {
                return Some(OrderLoss::Step(at));
            }
            // What comes back by a control topic has its place in the topic's own log.
            if matches!(self.vertex(at), Vertex::Topic(topic) if topic.control) {
                continue;
            }
            waiting.extend(self.main_inputs(at).map(|wire| wire.from));
        }
        None
    }

    fn main_inputs(&self, id: VertexId) -> impl Iterator<Item = WireRef<'_>> {
        self.inputs(id).filter(|wire| matches!(wire.wire.port, Port::Main | Port::Named(_)))
    }

    /// Whether events come from there, of which several can have one value of the key.
    fn brings_events(&self, from: VertexId, key: &[usize]) -> bool {
        let facts = self.facts(from);
        facts.discipline == Some(Discipline::Events) && !facts.proves_key(key)
    }
}

/// Whether each row that the step yields has the place of one row that came.
fn keeps_order(verb: &Verb) -> bool {
    match verb {
        Verb::From
        | Verb::Where(_)
        | Verb::Project(_)
        | Verb::Unnest(_)
        | Verb::Route(_)
        | Verb::Arm(_)
        | Verb::Carries(_)
        // The results of a call are events with places of their own.
        | Verb::Call(_)
        // So are what a capsule says to one row.
        | Verb::Wasm(_)
        | Verb::Unknown => true,
        Verb::Join(_)
        | Verb::Group(_)
        | Verb::Distinct
        | Verb::Top(_)
        | Verb::Over(_)
        | Verb::Variable(_)
        | Verb::Leave { .. }
        | Verb::Window(_)
        | Verb::Within(_)
        | Verb::Late(_)
        | Verb::Kernel(_) => false,
    }
}

/// The topic's key in the rows of a wire, whose fields may stand in another order.
fn key_in(topic: &Topic, wire: &WireRef<'_>) -> Option<Vec<usize>> {
    let position = |column: &usize| {
        let field = topic.schema.fields.get(*column)?;
        wire.wire.schema.position(&field.name)
    };
    topic.key.iter().map(position).collect()
}
