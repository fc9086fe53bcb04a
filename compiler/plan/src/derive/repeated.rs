//! What is known of a loop's variable, whose rounds read it before they are known themselves.
//!
//! What comes round is of three kinds: copies of values from outside, of which there are no more
//! than there were; values computed anew, of which each round may bring more; and rows of which
//! the merge keeps one for each value of its key.

use std::collections::BTreeSet;

use arqon_operators::{Expr, ExprKind};
use arqon_types::Discipline;
use smallvec::smallvec;

use super::keys::path_of;
use crate::dataflow::JoinOutput;
use crate::facts::{ColumnPath, Extent, Facts, Held, Key, State};
use crate::graph::{Plan, WireRef};
use crate::vertex::{FlowStep, Merge, Port, Verb, Vertex, VertexId};

/// The facts of a variable; those of all that its loop, which has these members, reads from
/// outside are known.
pub(crate) fn facts(
    plan: &Plan,
    id: VertexId,
    members: &BTreeSet<VertexId>,
    known: &[Option<Facts>],
) -> Facts {
    let Vertex::Step(step) = plan.vertex(id) else { return Facts::unknown() };
    let Verb::Variable(variable) = &step.verb else { return Facts::unknown() };
    let mut outside: Vec<&Facts> = Vec::new();
    for wire in members.iter().flat_map(|id| plan.inputs(*id)) {
        if members.contains(&wire.from) {
            continue;
        }
        match known[wire.from.index()].as_ref().filter(|facts| facts.discipline.is_some()) {
            Some(facts) => outside.push(facts),
            None => return Facts::unknown(),
        }
    }
    let deciding: Vec<usize> = match &variable.merge {
        Merge::Distinct => (0..step.schema.fields.len()).collect(),
        Merge::Best { by, .. } => by.clone(),
    };
    let endless = outside.iter().find_map(|facts| match facts.extent {
        Extent::Unbounded(topic) => Some(topic),
        Extent::Rows(_) | Extent::Bounded(_) | Extent::Unknown => None,
    });
    let (extent, state) = if let Some(topic) = endless {
        (Extent::Unbounded(topic), State::Unbounded { topic, held: Held::Loop })
    } else {
        let extent = bound(plan, id, step, &deciding, members, known).unwrap_or_else(|| {
            let text = format!("rows({}, {} rounds)", step.address, variable.rounds);
            Extent::Bounded(text.into())
        });
        let state = State::Bounded(extent.text());
        (extent, state)
    };
    let key: Key = deciding.iter().map(|column| smallvec![*column]).collect();
    Facts {
        discipline: Some(Discipline::Delta),
        keys: smallvec![key],
        declared_key: None,
        extent,
        state,
        windows: None,
    }
}

/// How many values the deciding columns can have together; none if one of them is computed.
fn bound(
    plan: &Plan,
    id: VertexId,
    step: &FlowStep,
    deciding: &[usize],
    members: &BTreeSet<VertexId>,
    known: &[Option<Facts>],
) -> Option<Extent> {
    let mut values = Vec::with_capacity(deciding.len());
    for column in deciding {
        let mut origins = Origins { plan, members, seen: BTreeSet::new(), found: BTreeSet::new() };
        origins.trace(id, smallvec![*column])?;
        let extents = origins.found.iter().filter_map(|id| known[id.index()].as_ref());
        let extents: Vec<Extent> = extents.map(|facts| facts.extent.clone()).collect();
        values.push(match extents.as_slice() {
            [] => Extent::Rows(1),
            _ => Extent::sum(extents.into_iter(), &step.address),
        });
    }
    Some(match values.as_slice() {
        [] => Extent::Rows(1),
        _ => Extent::product(values.into_iter(), &step.address),
    })
}

/// Where the values of a column come from.
struct Origins<'a> {
    plan: &'a Plan,
    members: &'a BTreeSet<VertexId>,
    seen: BTreeSet<(VertexId, ColumnPath)>,
    /// Vertices outside of the loop.
    found: BTreeSet<VertexId>,
}

impl Origins<'_> {
    /// Follows a column backward; none if its values are computed within the loop.
    fn trace(&mut self, at: VertexId, path: ColumnPath) -> Option<()> {
        if !self.members.contains(&at) {
            self.found.insert(self.read_by(at));
            return Some(());
        }
        if !self.seen.insert((at, path.clone())) {
            return Some(());
        }
        let Vertex::Step(step) = self.plan.vertex(at) else { return None };
        match &step.verb {
            Verb::From | Verb::Variable(_) => {
                let (first, rest) = path.split_first()?;
                let name = &step.schema.fields.get(*first)?.name;
                let wires: Vec<WireRef<'_>> = self.plan.inputs(at).collect();
                for wire in wires {
                    let mut path: ColumnPath = smallvec![wire.wire.schema.position(name)?];
                    path.extend_from_slice(rest);
                    self.trace(wire.from, path)?;
                }
                Some(())
            }
            Verb::Where(_)
            | Verb::Distinct
            | Verb::Within(_)
            | Verb::Leave { .. }
            | Verb::Carries(_) => self.trace(self.input(at, &Port::Main)?.from, path),
            Verb::Project(projection) => {
                let (first, rest) = path.split_first()?;
                self.computed(at, projection.fields.get(*first)?, rest)
            }
            Verb::Unnest(unnest) => {
                let is_element = *path.first()? == unnest.field;
                if is_element { None } else { self.trace(self.input(at, &Port::Main)?.from, path) }
            }
            Verb::Group(group) => {
                let (first, rest) = path.split_first()?;
                self.computed(at, group.keys.get(*first)?, rest)
            }
            // These do not stand in loops, and what they yield is computed.
            Verb::Window(_) | Verb::Late(_) | Verb::Kernel(_) | Verb::Wasm(_) => None,
            Verb::Top(_) => {
                let input = self.input(at, &Port::Main)?;
                let is_rank = path.first().is_none_or(|at| input.wire.schema.fields.len() <= *at);
                if is_rank { None } else { self.trace(input.from, path) }
            }
            Verb::Over(over) => {
                let input = self.input(at, &Port::Main)?;
                let n_before = step.schema.fields.len() - over.functions.len();
                let is_added = path.first().is_none_or(|at| n_before <= *at);
                if is_added { None } else { self.trace(input.from, path) }
            }
            Verb::Join(join) => {
                let left = self.input(at, &Port::Main)?;
                let n_left = left.wire.schema.fields.len();
                let (first, rest) = path.split_first()?;
                if *first < n_left {
                    return self.trace(left.from, path);
                }
                let right = self.input(at, &Port::Right)?;
                let path = match join.output {
                    JoinOutput::Nested => ColumnPath::from(rest),
                    JoinOutput::Flat | JoinOutput::LeftOnly => {
                        std::iter::once(first - n_left).chain(rest.iter().copied()).collect()
                    }
                };
                self.trace(right.from, path)
            }
            Verb::Route(_) | Verb::Arm(_) | Verb::Call(_) | Verb::Unknown => None,
        }
    }

    /// What a vertex outside only reads.
    fn read_by(&self, mut at: VertexId) -> VertexId {
        while let Vertex::Step(FlowStep { verb: Verb::From, .. }) = self.plan.vertex(at)
            && let [one] = self.plan.inputs(at).collect::<Vec<_>>().as_slice()
        {
            at = one.from;
        }
        at
    }

    fn computed(&mut self, at: VertexId, expr: &Expr, rest: &[usize]) -> Option<()> {
        if matches!(expr.kind, ExprKind::Literal(_)) {
            return Some(());
        }
        let mut path = path_of(expr)?;
        path.extend_from_slice(rest);
        self.trace(self.input(at, &Port::Main)?.from, path)
    }

    fn input(&self, at: VertexId, port: &Port) -> Option<WireRef<'_>> {
        self.plan.inputs(at).find(|wire| wire.wire.port == *port)
    }
}
