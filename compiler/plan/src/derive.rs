//! How facts follow from facts: one walk along the wires.
//!
//! Every rule errs on the safe side: a key that cannot be proved is no key, a bound that cannot
//! be proved is none. Where a step could not be typed nothing is known, and nobody reports a
//! second fault because of the first.

mod keys;
pub(crate) mod extent;
mod repeated;
mod windows;

use std::sync::Arc;

use arqon_operators::OutputRows;
use arqon_types::{Discipline, Schema, Value};
use smallvec::{SmallVec, smallvec};

use crate::dataflow::JoinKind;
use crate::facts::{Extent, Facts, Held, Key, Keys, State, whole_columns};
use crate::graph::{Plan, WireRef};
use crate::vertex::{FlowStep, KernelStep, Port, Topic, Verb, Vertex, VertexId};

impl Plan {
    /// What is known of a vertex and of the rows that leave it.
    pub fn facts(&self, id: VertexId) -> &Facts {
        &self.facts[id.index()]
    }

    /// The columns by which a `carries: full` step tells the states of one thing from another's:
    /// a proven key, else the declared key of the events it reads, else the key of the topic
    /// that it writes.
    pub fn carries_key(&self, id: VertexId) -> Option<Vec<usize>> {
        self.facts(id).key()
    }

    /// The key of the topic that a step writes, in the step's own rows.
    fn sink_key(&self, id: VertexId) -> Option<Vec<usize>> {
        self.outputs(id).find_map(|output| match self.vertex(output.to) {
            Vertex::Topic(topic) if !topic.key.is_empty() => topic
                .key
                .iter()
                .map(|column| {
                    let field = topic.schema.fields.get(*column)?;
                    output.wire.schema.position(&field.name)
                })
                .collect(),
            Vertex::Topic(_) | Vertex::Client(_) | Vertex::Step(_) | Vertex::Endpoint(_) => None,
        })
    }

    /// Fills in the facts of all vertices, and with them the discipline and key of all wires.
    pub(crate) fn derive(&mut self) {
        let mut known: Vec<Option<Facts>> = vec![None; self.n_vertices()];
        let loops = self.loops();
        for id in self.walk() {
            let facts = match self.vertex(id) {
                Vertex::Topic(topic) => self.topic_facts(id, topic, &known),
                Vertex::Step(FlowStep { verb: Verb::Variable(variable), .. }) => {
                    repeated::facts(self, id, &loops[&variable.of], &known)
                }
                Vertex::Step(step) => self.step_facts(id, step, &known),
                Vertex::Client(_) | Vertex::Endpoint(_) => {
                    let discipline = Some(Discipline::Events);
                    Facts { discipline, state: State::Stateless, ..Facts::unknown() }
                }
            };
            known[id.index()] = Some(facts);
        }
        self.know_control_topics(&mut known);
        self.facts = known.into_iter().map(|facts| facts.unwrap_or_else(Facts::unknown)).collect();
        self.type_wires();
    }

    /// What goes round by a control topic is known only at the end: whether there is an end to it.
    fn know_control_topics(&self, known: &mut [Option<Facts>]) {
        for (id, vertex) in self.vertices() {
            let Vertex::Topic(topic) = vertex else { continue };
            if !topic.control || topic.discipline != Discipline::Delta {
                continue;
            }
            let extent = self.written_extent(id, known);
            if let (Extent::Unbounded(source), Some(facts)) = (extent, &mut known[id.index()]) {
                facts.state = State::Unbounded { topic: source, held: Held::Topic };
                if topic.retained_text().is_none() {
                    facts.extent = Extent::Unbounded(source);
                }
            }
        }
    }

    fn type_wires(&mut self) {
        let mut typed = Vec::with_capacity(self.graph.edge_count());
        for wire in self.wires() {
            let facts = self.facts(wire.from);
            let discipline = facts.discipline.unwrap_or(Discipline::Delta);
            typed.push(match wire.wire.port {
                Port::Errors => (Discipline::Delta, Vec::new()),
                Port::Metrics => (Discipline::Events, Vec::new()),
                Port::Publish => match self.vertex(wire.to) {
                    Vertex::Topic(topic) => (topic.discipline, topic.key.clone()),
                    Vertex::Client(_) | Vertex::Step(_) | Vertex::Endpoint(_) => {
                        (Discipline::Events, Vec::new())
                    }
                },
                Port::Main
                | Port::Next
                | Port::Right
                | Port::Named(_)
                | Port::Jobs
                | Port::Results
                | Port::Control
                | Port::Asked
                | Port::Subscribe => (discipline, facts.key().unwrap_or_default()),
            });
        }
        for (wire, (discipline, key)) in self.graph.edge_weights_mut().zip(typed) {
            wire.discipline = discipline;
            wire.key = key;
        }
    }

    fn topic_facts(&self, id: VertexId, topic: &Topic, known: &[Option<Facts>]) -> Facts {
        let key: Key = topic.key.iter().map(|column| smallvec![*column]).collect();
        let extent = self.topic_extent(id, topic, known);
        let written_by_clients = topic.edge.admits();
        let is_keyed = !key.is_empty();
        let (keys, declared_key) = match topic.discipline {
            Discipline::Full if is_keyed => (smallvec![key], None),
            // Only what the dataflow itself has written is known to keep to its key.
            Discipline::Delta if is_keyed && !written_by_clients => (smallvec![key], None),
            Discipline::Events if is_keyed => (Keys::new(), Some((id, key))),
            Discipline::Full | Discipline::Delta | Discipline::Events => (Keys::new(), None),
        };
        let state = match (topic.discipline, &extent) {
            // For who only listens nothing goes, so nothing is held for it.
            (Discipline::Events, Extent::Bounded(rows)) if self.is_read(id) => {
                State::Bounded(Arc::clone(rows))
            }
            (Discipline::Events, _) => State::Stateless,
            (Discipline::Full, _) => {
                State::Bounded(format!("1 row per key ({})", topic.key_names()).into())
            }
            (Discipline::Delta, Extent::Unbounded(source)) => {
                State::Unbounded { topic: *source, held: Held::Topic }
            }
            (Discipline::Delta, Extent::Rows(_) | Extent::Bounded(_)) if written_by_clients => {
                State::Bounded("the rows that its producers have not retracted".into())
            }
            (Discipline::Delta, Extent::Rows(_) | Extent::Bounded(_)) if topic.control => {
                State::Bounded(extent.text())
            }
            (Discipline::Delta, Extent::Bounded(rows)) if topic.retained_text().is_some() => {
                State::Bounded(Arc::clone(rows))
            }
            (Discipline::Delta, Extent::Rows(_) | Extent::Bounded(_)) => {
                State::Bounded(self.written_extent(id, known).text())
            }
            (Discipline::Delta, Extent::Unknown) => State::Unknown,
        };
        let windows = windows::topic(self, id, known);
        Facts { discipline: Some(topic.discipline), keys, declared_key, extent, state, windows }
    }

    /// Whether a step of the flow reads the vertex.
    fn is_read(&self, id: VertexId) -> bool {
        self.outputs(id).any(|output| matches!(self.vertex(output.to), Vertex::Step(_)))
    }

    fn topic_extent(&self, id: VertexId, topic: &Topic, known: &[Option<Facts>]) -> Extent {
        match topic.retained_text() {
            Some(retained) => {
                Extent::Bounded(format!("rows({}, last {retained})", topic.name).into())
            }
            None => self.whole_extent(id, topic, known),
        }
    }

    /// How many rows a topic has that lets none go.
    fn whole_extent(&self, id: VertexId, topic: &Topic, known: &[Option<Facts>]) -> Extent {
        let own_rows = || Extent::Bounded(format!("rows({})", topic.name).into());
        match topic.discipline {
            Discipline::Full => own_rows(),
            Discipline::Events => Extent::Unbounded(id),
            Discipline::Delta if topic.edge.admits() => own_rows(),
            Discipline::Delta => match self.written_extent(id, known) {
                Extent::Unbounded(source) => Extent::Unbounded(source),
                // Its writers may wait for it, and are not known yet.
                Extent::Rows(_) if topic.control => own_rows(),
                Extent::Rows(n) => Extent::Rows(n),
                Extent::Bounded(_) | Extent::Unknown => own_rows(),
            },
        }
    }

    /// How many rows the writers of a topic that is not a client's can put there. A writer on
    /// the topic's own cycle counts as bounded: the cycle itself is a fault of its own.
    fn written_extent(&self, id: VertexId, known: &[Option<Facts>]) -> Extent {
        let extents = self
            .inputs(id)
            .filter(|wire| wire.wire.port != Port::Publish)
            .filter_map(|wire| known[wire.from.index()].as_ref())
            .map(|facts| facts.extent.clone());
        Extent::sum(extents, self.label(id))
    }

    fn step_facts(&self, id: VertexId, step: &FlowStep, known: &[Option<Facts>]) -> Facts {
        let unknown = Facts::unknown();
        let at = |port: &Port| {
            self.inputs(id)
                .find(|wire| wire.wire.port == *port)
                .map(|wire| known[wire.from.index()].as_ref().unwrap_or(&unknown))
        };
        let input = at(&Port::Main).unwrap_or(&unknown);
        if input.discipline.is_none() && !matches!(step.verb, Verb::From | Verb::Kernel(_)) {
            return Facts::unknown();
        }
        let same = || Facts { state: State::Stateless, ..input.clone() };
        match &step.verb {
            // A variable needs to know its whole loop.
            Verb::Variable(_) | Verb::Unknown => Facts::unknown(),
            Verb::From => self.union_facts(id, step, known),
            Verb::Where(_) | Verb::Route(_) | Verb::Arm(_) => same(),
            Verb::Window(window) => windows::window(self, window, input, step),
            Verb::Within(within) => windows::within(self, within, input),
            Verb::Late(topics) => windows::late(self, topics, input),
            Verb::Project(projection) => Facts {
                windows: windows::project(input, &projection.fields),
                keys: keys::project(&input.keys, &projection.fields),
                declared_key: keys::project_declared(input, &projection.fields),
                ..same()
            },
            Verb::Unnest(unnest) => Facts {
                keys: Keys::new(),
                declared_key: keys::unnest_declared(input, unnest.field),
                extent: extent::unnest(&input.extent),
                ..same()
            },
            Verb::Call(call) => Facts {
                windows: windows::project(input, &call.keep),
                keys: keys::project(&input.keys, &call.keep),
                declared_key: keys::project_declared(input, &call.keep),
                ..same()
            },
            Verb::Leave { .. } => same(),
            // A capsule may put out any rows for one, and takes back what it put out.
            Verb::Wasm(_) => Facts {
                keys: Keys::new(),
                declared_key: None,
                extent: extent::capsule(&input.extent, &step.address),
                windows: None,
                ..same()
            },
            Verb::Kernel(kernel) => self.kernel_facts(id, step, kernel, known),
            Verb::Carries(discipline) => self.carries_facts(id, *discipline, input, &step.address),
            Verb::Join(join) => {
                let right = at(&Port::Right).unwrap_or(&unknown);
                if right.discipline.is_none() {
                    return Facts::unknown();
                }
                let n_left = self
                    .inputs(id)
                    .find(|wire| wire.wire.port == Port::Main)
                    .map_or(0, |wire| wire.wire.schema.fields.len());
                let unique = keys::UniqueSides::of(join, input, right);
                // The latest right row of an asof join may be replaced by a later one.
                let grows =
                    matches!(join.kind, JoinKind::Inner | JoinKind::Semi) && join.asof.is_none();
                let [misses_left, _] = join.kind.may_miss();
                let (state, windows) =
                    match windows::join(join, (input, right), n_left, &step.address) {
                        Some((state, windows)) => (state, Some(windows)),
                        None => (extent::join_state(input, right), None),
                    };
                Facts {
                    discipline: Some(match &windows {
                        Some(windows) if windows.at_once => Discipline::Events,
                        Some(_) | None => appended_only(&[input, right], grows),
                    }),
                    keys: keys::join(join, (&input.keys, &right.keys), unique, n_left),
                    declared_key: input.declared_key.clone().filter(|_| !misses_left),
                    extent: extent::join(join.kind, (input, right), unique, &step.address),
                    state,
                    windows,
                }
            }
            Verb::Group(group) => {
                let (extent, state) = extent::group(self, group, input, &step.schema);
                let windows = windows::among(input, &group.keys);
                Facts {
                    discipline: Some(windows::said_once(windows.as_ref())),
                    keys: smallvec![
                        (0..group.keys.len()).map(|column| smallvec![column]).collect()
                    ],
                    declared_key: None,
                    extent,
                    state,
                    windows,
                }
            }
            Verb::Distinct => {
                let (extent, state) = extent::distinct(self, input, &step.schema);
                let all = (0..step.schema.fields.len()).map(|column| smallvec![column]).collect();
                let mut keys = input.keys.clone();
                keys.push(all);
                Facts {
                    discipline: Some(appended_only(&[input], true)),
                    keys: keys::capped(keys),
                    declared_key: input.declared_key.clone(),
                    extent,
                    state,
                    windows: input.windows.clone(),
                }
            }
            Verb::Over(over) => {
                let windows = windows::among(input, &over.per).and(input.windows.clone());
                Facts {
                    discipline: Some(windows::said_once(windows.as_ref())),
                    keys: keys::over(over, &input.keys, step.schema.fields.len()),
                    declared_key: input.declared_key.clone(),
                    extent: input.extent.clone(),
                    state: extent::all_rows_per(&over.per, input, Held::Over),
                    windows,
                }
            }
            Verb::Top(top) => {
                let (extent, state) = extent::top(top, input);
                let windows = windows::among(input, &top.per).and(input.windows.clone());
                Facts {
                    discipline: Some(windows::said_once(windows.as_ref())),
                    keys: keys::top(top, &input.keys, step.schema.fields.len()),
                    declared_key: None,
                    extent,
                    state,
                    windows,
                }
            }
        }
    }

    /// What a node sees of a vertex that it reads: of a topic what it retains, unless rows go on to
    /// a window.
    fn read_facts(&self, id: VertexId, from: VertexId, known: &[Option<Facts>]) -> Facts {
        let facts = known[from.index()].clone().unwrap_or_else(Facts::unknown);
        match self.vertex(from) {
            Vertex::Topic(topic)
                if topic.retained_text().is_some() && windows::are_led_to(self, id) =>
            {
                Facts { extent: self.whole_extent(from, topic, known), ..facts }
            }
            Vertex::Topic(_) | Vertex::Step(_) | Vertex::Client(_) | Vertex::Endpoint(_) => facts,
        }
    }

    fn union_facts(&self, id: VertexId, step: &FlowStep, known: &[Option<Facts>]) -> Facts {
        let mut read: SmallVec<[Facts; 1]> =
            self.inputs(id).map(|wire| self.read_facts(id, wire.from, known)).collect();
        if read.len() == 1
            && let Some(one) = read.pop()
        {
            return match one.discipline {
                Some(carried) => Facts {
                    discipline: Some(read_as(carried, &one.extent)),
                    state: State::Stateless,
                    ..one
                },
                None => Facts::unknown(),
            };
        }
        let inputs: Vec<&Facts> = read.iter().collect();
        if inputs.is_empty() || inputs.iter().any(|input| input.discipline.is_none()) {
            return Facts::unknown();
        }
        let is_events = |input: &&Facts| {
            let carried = input.discipline.map(|carried| read_as(carried, &input.extent));
            carried == Some(Discipline::Events)
        };
        let all_events = inputs.iter().all(is_events);
        Facts {
            discipline: Some(if all_events { Discipline::Events } else { Discipline::Delta }),
            keys: Keys::new(),
            declared_key: None,
            extent: Extent::sum(inputs.iter().map(|input| input.extent.clone()), &step.address),
            state: State::Stateless,
            windows: windows::union(&inputs),
        }
    }

    /// A kernel holds something of every row of its ports, and puts out rows with the key of the
    /// port whose fields come along.
    fn kernel_facts(
        &self,
        id: VertexId,
        step: &FlowStep,
        kernel: &KernelStep,
        known: &[Option<Facts>],
    ) -> Facts {
        let unknown = Facts::unknown();
        let facts = |wire: &WireRef<'_>| known[wire.from.index()].as_ref().unwrap_or(&unknown);
        let ports: Vec<(&str, VertexId, &Facts)> = self
            .inputs(id)
            .filter_map(|wire| match &wire.wire.port {
                Port::Named(name) => Some((name.as_str(), wire.from, facts(&wire))),
                _ => None,
            })
            .collect();
        let asked = self.inputs(id).find(|wire| wire.wire.port == Port::Asked);
        if asked.is_some_and(|wire| facts(&wire).discipline.is_none()) {
            return Facts::unknown();
        }
        if ports.is_empty() || ports.iter().any(|(_, _, facts)| facts.discipline.is_none()) {
            return Facts::unknown();
        }
        let values: Vec<Value> = kernel.arguments.iter().map(|(_, value)| value.clone()).collect();
        let output = kernel.kernel.output(&values);
        let along = ports.iter().find(|(name, ..)| Some(*name) == output.along);
        let keys = if let Some((_, from, facts)) = along {
            keys::by_name(&facts.keys, &self.schema_of(*from), &step.schema)
        } else {
            // Of a graph's answers the vertex is the key, of a grid's the place.
            let places = output.places().filter_map(|name| step.schema.position(name));
            smallvec![places.map(|column| smallvec![column]).collect()]
        };
        let held = |name: &str| Held::Kernel(name.to_owned());
        let asking = asked.map(|wire| ("pull", facts(&wire)));
        let holding = ports.iter().map(|(name, _, facts)| (*name, *facts)).chain(asking);
        let unbounded = holding.into_iter().find_map(|(name, facts)| match facts.extent {
            Extent::Unbounded(topic) => Some(State::Unbounded { topic, held: held(name) }),
            _ => None,
        });
        let extents = ports.iter().map(|(_, _, facts)| facts.extent.clone());
        let all = Extent::sum(extents, &step.address);
        let extent = match (kernel.kernel.rows(&values), along) {
            (_, Some((_, _, facts))) => facts.extent.clone(),
            (OutputRows::Exactly(n_rows), None) => Extent::Rows(n_rows),
            (OutputRows::PerInput(1), None) => all.clone(),
            (OutputRows::PerInput(times), None) => {
                let factors = [Extent::Rows(times), all.clone()];
                Extent::product(factors.into_iter(), &step.address)
            }
        };
        let state = unbounded.unwrap_or_else(|| match (&all, &extent) {
            (Extent::Unknown, _) => State::Unknown,
            // A grid is held whole, whichever of its cells were written.
            (_, Extent::Rows(n_rows)) => State::Bounded(format!("{n_rows} rows").into()),
            _ => State::Bounded(all.text()),
        });
        Facts {
            discipline: Some(Discipline::Delta),
            keys,
            declared_key: None,
            extent,
            state,
            windows: None,
        }
    }

    fn schema_of(&self, id: VertexId) -> Arc<Schema> {
        match self.vertex(id) {
            Vertex::Step(step) => Arc::clone(&step.schema),
            Vertex::Topic(topic) => Arc::clone(&topic.schema),
            Vertex::Client(_) | Vertex::Endpoint(_) => Arc::new(Schema::new("", Vec::new())),
        }
    }

    fn carries_facts(
        &self,
        id: VertexId,
        discipline: Discipline,
        input: &Facts,
        address: &str,
    ) -> Facts {
        let facts = Facts { discipline: Some(discipline), ..input.clone() };
        match discipline {
            Discipline::Events | Discipline::Delta => Facts { state: State::Stateless, ..facts },
            Discipline::Full => {
                let declared = || whole_columns(&input.declared_key.as_ref()?.1);
                let key = input.key().or_else(declared).or_else(|| self.sink_key(id));
                let is_keyed = key.is_some();
                let mut keys = input.keys.clone();
                if let Some(key) = key {
                    keys.push(key.into_iter().map(|column| smallvec![column]).collect());
                }
                let extent = match &input.extent {
                    Extent::Unbounded(_) if is_keyed => {
                        Extent::Bounded(format!("keys({address})").into())
                    }
                    other => other.clone(),
                };
                let state = State::Bounded("1 row per key".into());
                Facts { keys: keys::capped(keys), declared_key: None, extent, state, ..facts }
            }
        }
    }
}

/// What a node makes of what it reads: the states of a `full` topic become changes, and so do
/// events that go after a time (`retain`).
fn read_as(carried: Discipline, extent: &Extent) -> Discipline {
    match (carried, extent) {
        (Discipline::Events, Extent::Unbounded(_) | Extent::Unknown) => Discipline::Events,
        (Discipline::Events, Extent::Rows(_) | Extent::Bounded(_))
        | (Discipline::Full | Discipline::Delta, _) => Discipline::Delta,
    }
}

/// Events stay events through a step that only adds rows, as long as no row ever leaves: an
/// input that expires (`retain`) takes back what it had brought.
fn appended_only(inputs: &[&Facts], grows: bool) -> Discipline {
    let is_appended = |facts: &&Facts| {
        facts.discipline == Some(Discipline::Events) && matches!(facts.extent, Extent::Unbounded(_))
    };
    if grows && inputs.iter().all(is_appended) { Discipline::Events } else { Discipline::Delta }
}
