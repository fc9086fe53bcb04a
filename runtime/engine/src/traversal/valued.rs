//! Loops that keep the best row of each node: what a value becomes along an edge, and how rows are
//! taken apart.

use std::rc::Rc;

use arqon_operators::ExprKind;
use arqon_plan::{Best, Operator, Order, Traversal, edge_field, projected};
use arqon_types::{Column, ColumnBatch, PackedRow, Schema, Type, skip_packed, sortable_int};

use crate::deltas::consolidate_deltas;
use crate::join::{JoinShape, pick};
use crate::looped::{Left, Whole};
use crate::map::{Stages, Traced};
use crate::packed::Packed;
use crate::source::push_packed;

use super::best::BestGraph;
use super::ordered::{OrderedGraph, Remains};
use super::relax::{Edge, Lead, Relax, Valued};
use super::{Changes, Inputs, Limits, Meters, Outcome, Site, Walked};

/// Rows of nodes whose values are packed to eight bytes, each of which keeps its best.
pub(super) fn render_best<'scope, K: Packed>(site: Site<'scope, '_>, best: Best) -> Left<'scope> {
    let Traversal { start, ref seeds, keeper, .. } = *site.traversal;
    let rows = RowShape::new(&site.step(keeper).schema, best);
    let hop = Hop::new(site, best);
    let inputs = Inputs {
        starts: site.whole::<PackedRow>(start),
        seeds: seeds.iter().map(|id| site.whole(*id)).collect(),
        edges: site.edges::<K, PackedRow>(&hop.edge_fields(site)),
    };
    let mut meters = site.meters();
    let relaxing =
        Relaxing { hop, sieve: sieve(site), rows: rows.clone(), epoch: 0, has_failed: false };
    if !relaxing.is_plain_hop() {
        meters.map.clear();
    }
    let (shape, node) = (rows.clone(), relaxing.hop.node.clone());
    let read = (
        move |row: PackedRow| shape.take::<K>(&row),
        move |(from, row): (K, PackedRow)| edge(&node, from, &row),
    );
    let graph = Walk::<K>::new(best, site.limits());
    let walk = ValuedWalk { graph, relaxing, rows, meters };
    let (rows, overruns) = site.operate(inputs, read, walk);
    Left { rows: Whole::Rows(rows), are_settled: true, overruns, ends: Vec::new() }
}

/// A walk that keeps the best value of each node.
struct ValuedWalk<K: Packed> {
    graph: Walk<K>,
    relaxing: Relaxing,
    rows: RowShape,
    meters: Meters,
}

impl<K: Packed> Walked<Valued<K>, Edge<K>, PackedRow> for ValuedWalk<K> {
    fn change(&mut self, epoch: u64, changes: Changes<Valued<K>, Edge<K>>) -> Outcome<PackedRow> {
        (self.relaxing.epoch, self.relaxing.has_failed) = (epoch, false);
        let outcome = self.graph.change(changes, &mut self.relaxing);
        self.meters.count(epoch, &outcome);
        let packed = |of: Vec<(Valued<K>, i64)>| -> Vec<(PackedRow, i64)> {
            of.into_iter().map(|(row, diff)| (self.rows.pack(&row), diff)).collect()
        };
        let Outcome { rows, overruns, variable, led, pairs, derived, reached, bytes } = outcome;
        let (rows, overruns) = (packed(rows), packed(overruns));
        Outcome { rows, overruns, variable, led, pairs, derived, reached, bytes }
    }

    fn rows(&self) -> Vec<PackedRow> {
        let rows = match &self.graph {
            Walk::ByValue(_) => unreachable!("what is settled in order rests"),
            Walk::ByRounds(graph) => graph.rows(),
        };
        rows.iter().map(|row| self.rows.pack(row)).collect()
    }
}

/// In which order nodes come to their values.
#[derive(Debug)]
pub(super) enum Walk<K: Packed> {
    /// The best ones first, until something does not fit.
    ByValue(Box<OrderedGraph<K>>),
    /// Round by round.
    ByRounds(BestGraph<K>),
}

impl<K: Packed> Walk<K> {
    /// Without nodes.
    pub(super) fn new(best: Best, limits: Limits) -> Self {
        if best.in_order {
            Self::ByValue(Box::new(OrderedGraph::new(limits)))
        } else {
            Self::ByRounds(BestGraph::new(limits))
        }
    }

    /// Takes in an epoch. The first one in which something does not fit the order of values costs
    /// what all of the graph would cost anew.
    pub(super) fn change(
        &mut self,
        changes: Changes<Valued<K>, Edge<K>>,
        relax: &mut impl Relax<K>,
    ) -> Outcome<Valued<K>> {
        let ordered = match self {
            Self::ByRounds(graph) => return graph.change(changes, relax),
            Self::ByValue(graph) => graph,
        };
        let mut outcome = Outcome::default();
        if let Ok(()) = ordered.change(changes, relax, &mut outcome) {
            return outcome;
        }
        let Remains { rows, all } = ordered.give_up(relax, &mut outcome);
        let mut graph = BestGraph::new(ordered.limits());
        let mut anew = graph.change(all, relax);
        anew.bytes -= ordered.n_bytes();
        anew.rows.extend(rows.into_iter().map(|row| (row, -1)));
        consolidate_deltas(&mut anew.rows);
        anew.count_also(&outcome);
        *self = Self::ByRounds(graph);
        anew
    }
}

#[cfg(test)]
impl<K: Packed> Walk<K> {
    /// How many nodes are known.
    pub(super) fn n_nodes(&self) -> usize {
        match self {
            Self::ByValue(graph) => graph.n_nodes(),
            Self::ByRounds(graph) => graph.n_nodes(),
        }
    }
}

/// How rows of a node and a value are packed.
#[derive(Debug, Clone)]
struct RowShape {
    best: Best,
    types: Vec<Type>,
    /// Turns the order of values, where the greatest is best.
    flip: u64,
}

impl RowShape {
    fn new(schema: &Schema, best: Best) -> Self {
        let flip = match best.order {
            Order::Ascending => 0,
            Order::Descending => u64::MAX,
        };
        Self { best, types: schema.types(), flip }
    }

    fn take<K: Packed>(&self, row: &PackedRow) -> Valued<K> {
        let mut bytes = row.as_bytes();
        let parts = [0, 1].map(|at| take_bytes(&mut bytes, &self.types[at]));
        let value = word(parts[self.best.value]) ^ self.flip;
        (K::from_bytes(parts[self.best.node]), value)
    }

    fn pack<K: Packed>(&self, (node, value): &Valued<K>) -> PackedRow {
        let value = (value ^ self.flip).to_be_bytes();
        let mut row = PackedRow::new();
        node.with_bytes(|node| {
            let parts = if self.best.node == 0 { [node, &value] } else { [&value, node] };
            for part in parts {
                row.push_bytes(part);
            }
        });
        row
    }
}

/// Takes the bytes of a packed value off those of its row.
fn take_bytes<'b>(bytes: &mut &'b [u8], ty: &Type) -> &'b [u8] {
    let all = *bytes;
    skip_packed(bytes, ty);
    &all[..all.len() - bytes.len()]
}

/// Eight packed bytes as a number that sorts as they do.
fn word(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().expect("a value is packed to eight bytes"))
}

/// A column of a pair, by what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    From,
    Value,
    To,
    Beside,
}

/// What a value becomes along an edge.
struct Hop {
    /// What stands in each column of the left and of the right row.
    left: Vec<Part>,
    right: Vec<Part>,
    /// The type of a node.
    node: Type,
    shape: JoinShape,
    /// None if the value stays what it is.
    stages: Option<Stages>,
    /// The column of the value in what the stages put out.
    value: usize,
}

impl Hop {
    fn new(site: Site<'_, '_>, best: Best) -> Self {
        let (step, join) = site.join();
        let around = site.around;
        let [left, right] = &around.narrow.joins[&site.traversal.join];
        let of_left = |field: &usize| if *field == best.node { Part::From } else { Part::Value };
        let left_parts: Vec<Part> = left.iter().map(of_left).collect();
        let map = site.step(site.traversal.map);
        let Operator::Map(stages) = &map.operator else { panic!("`{}` is no map", map.address) };
        let (exprs, conditions) = projected(stages).expect("a hop ends in a projection");
        let to = edge_field(join, left.len(), &exprs[best.node]).expect("a hop leads to a node");
        let of_right = |at: usize| if at == to { Part::To } else { Part::Beside };
        let is_plain = conditions.is_empty()
            && matches!(exprs[best.value].kind, ExprKind::Column(at)
                if left_parts.get(at) == Some(&Part::Value));
        let schema = |input: usize| &site.step(step.inputs[input]).schema;
        let meters = (around.meters)(site.traversal.map.index());
        let stages = Stages::new(stages, step.schema.clone(), meters);
        Self {
            left: left_parts,
            right: (0..right.len()).map(of_right).collect(),
            node: exprs[best.node].ty.clone(),
            shape: JoinShape::new(join, &pick(schema(0), left), &pick(schema(1), right)),
            stages: (!is_plain).then_some(stages),
            value: best.value,
        }
    }

    /// The columns of an edge: the node to which it leads, and what stands beside it.
    fn edge_fields(&self, site: Site<'_, '_>) -> Vec<usize> {
        let fields = self.right.iter().zip(site.edge_fields());
        let (to, beside): (Vec<_>, Vec<_>) = fields.partition(|(part, _)| **part == Part::To);
        to.into_iter().chain(beside).map(|(_, field)| *field).collect()
    }
}

/// An edge from a node to one of this type; a second field stands beside it.
fn edge<K: Packed>(node: &Type, from: K, edge: &PackedRow) -> Edge<K> {
    let mut bytes = edge.as_bytes();
    let to = K::from_bytes(take_bytes(&mut bytes, node));
    (from, to, if bytes.is_empty() { 0 } else { word(bytes) })
}

/// What chooses the rows that go along edges, if not all do.
fn sieve(site: Site<'_, '_>) -> Option<Stages> {
    let id = site.traversal.sieve?;
    let step = site.step(id);
    let Operator::Map(map) = &step.operator else { panic!("`{}` is no map", step.address) };
    Some(Stages::new(map, step.schema.clone(), (site.around.meters)(id.index())))
}

/// What values become along edges in an epoch.
struct Relaxing {
    hop: Hop,
    /// None if all rows go along edges.
    sieve: Option<Stages>,
    rows: RowShape,
    epoch: u64,
    /// Whether something failed in this epoch.
    has_failed: bool,
}

impl Relaxing {
    fn is_plain_hop(&self) -> bool {
        self.hop.stages.is_none()
    }
}

impl<K: Packed> Relax<K> for Relaxing {
    fn is_plain(&self) -> bool {
        self.is_plain_hop()
    }

    fn has_sieve(&self) -> bool {
        self.sieve.is_some()
    }

    fn sieve<'g>(
        &mut self,
        rows: impl Iterator<Item = (&'g K, u64, i64)>,
        is_recalled: bool,
    ) -> Vec<u32>
    where
        K: 'g,
    {
        let Some(sieve) = &self.sieve else { unreachable!("all rows go along edges") };
        let mut batch = ColumnBatch::empty(&self.rows.types);
        for (node, value, diff) in rows {
            let row = self.rows.pack(&(node.clone(), value));
            push_packed(&mut batch, &row, &self.rows.types, diff);
        }
        if is_recalled {
            return sieve.passing(&batch);
        }
        let Traced { rows, origin, has_failed } = sieve.trace(self.epoch, Rc::new(batch));
        self.has_failed |= has_failed;
        origin.unwrap_or_else(|| (0..).take(rows.len()).collect())
    }

    fn relax<'g>(&mut self, pairs: impl Iterator<Item = Lead<'g, K>>) -> Vec<(u32, u64)>
    where
        K: 'g,
    {
        let Some(stages) = &self.hop.stages else { unreachable!("values stay what they are") };
        let mut joined = self.hop.shape.no_pairs();
        let [mut left, mut right] = [Vec::new(), Vec::new()];
        for Lead { from, value, to, beside, n } in pairs {
            for (bytes, parts) in [(&mut left, &self.hop.left), (&mut right, &self.hop.right)] {
                bytes.clear();
                for part in parts {
                    match part {
                        Part::From => from.with_bytes(|from| bytes.extend_from_slice(from)),
                        Part::Value => {
                            bytes.extend_from_slice(&(value ^ self.rows.flip).to_be_bytes());
                        }
                        Part::To => to.with_bytes(|to| bytes.extend_from_slice(to)),
                        Part::Beside => bytes.extend_from_slice(&beside.to_be_bytes()),
                    }
                }
            }
            self.hop.shape.push(&mut joined, Some(&left), Some(&right), n);
        }
        let rows = Rc::new(self.hop.shape.finish(joined));
        let Traced { rows, origin, has_failed } = stages.trace(self.epoch, rows);
        let column = &rows.columns[self.hop.value];
        self.has_failed |= has_failed || has_nan(column);
        let values = words(column);
        let values = values.into_iter().map(|value| value ^ self.rows.flip);
        match origin {
            Some(origin) => origin.into_iter().zip(values).collect(),
            None => (0..).zip(values).collect(),
        }
    }

    fn has_failed(&self) -> bool {
        self.has_failed
    }
}

/// Whether a value is no number, which sums of infinities come to.
fn has_nan(column: &Column) -> bool {
    matches!(column, Column::Float(values) if values.iter().any(|value| value.is_nan()))
}

/// Values that are packed to eight bytes, as numbers that sort as they do.
fn words(column: &Column) -> Vec<u64> {
    match column {
        Column::Int(values) => values.iter().map(|value| sortable_int(*value)).collect(),
        other => (0..other.len())
            .map(|row_idx| {
                let mut packed = PackedRow::new();
                packed.push_cell(other, row_idx, &Type::Float64);
                packed.prefix()
            })
            .collect(),
    }
}
