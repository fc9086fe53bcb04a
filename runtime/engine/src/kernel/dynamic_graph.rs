//! Edges and roots as rows, and the answers about their vertices.

use std::io;
use std::ops::Range;

use arqon_kernels::{
    Algorithm, DynamicGraph, GraphDelta, GraphRows, GraphSpec, Kernel, LoadError, PageRank,
    SnapshotReader, SnapshotWriter,
};
use arqon_plan::{KernelColumn, KernelPlan};
use arqon_types::{PackedRow, Row, Schema, Type, Value};

use super::driver::{Adapter, Driven, Driver};
use super::fields::{PortFields, PortRow, Refusal};
use super::{Prepared, float_argument};
use crate::deltas::Delta;
use crate::emitter::Emitter;
use crate::packed::int;
use crate::source::PackedMap;

/// What the kernel is compiled of.
pub(super) fn spec(plan: &KernelPlan) -> GraphSpec {
    let algorithm = match plan.named().value("algorithm") {
        Some(Value::Enum(0)) => Algorithm::Reachability,
        Some(Value::Enum(1)) => Algorithm::ShortestPaths,
        Some(Value::Enum(2)) => Algorithm::Components,
        _ => Algorithm::PageRank(PageRank {
            damping: float_argument(plan, "damping"),
            tolerance: float_argument(plan, "tolerance"),
        }),
    };
    GraphSpec { algorithm }
}

/// A graph's kernel over rows.
///
/// # Errors
/// Why the kernel cannot be compiled of its arguments.
pub(super) fn driver(plan: &KernelPlan, inputs: &[&Schema], output: &Schema) -> Prepared {
    let spec = spec(plan);
    let kernel = DynamicGraph::compile(&spec)?;
    let ports = plan.ports.iter().zip(inputs).map(|(port, schema)| Port {
        is_edges: port.name == "edges",
        fields: PortFields::new(port, schema),
    });
    let adapter = GraphRowsOf {
        ports: ports.collect(),
        is_weighted: spec.algorithm == Algorithm::ShortestPaths,
        columns: plan.columns.clone(),
        types: output.types(),
        delta: GraphDelta::default(),
        said: PackedMap::default(),
    };
    Ok(Box::new(Driven::new(kernel, adapter)) as Box<dyn Driver>)
}

/// What a vertex was last said to have.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    /// Being reached is all that there is to say.
    There,
    Number(i64),
    Rank(f64),
}

struct Port {
    is_edges: bool,
    fields: PortFields,
}

/// The rows around the kernel.
struct GraphRowsOf {
    ports: Vec<Port>,
    is_weighted: bool,
    columns: Vec<KernelColumn>,
    types: Vec<Type>,
    delta: GraphDelta,
    said: PackedMap<Answer, i64>,
}

impl GraphRowsOf {
    /// The changes of a key that the kernel can read.
    fn sound(&self, port: usize, rows: &[Delta], out: &Emitter) -> Vec<(PortRow, i64)> {
        let Port { is_edges, fields } = &self.ports[port];
        let is_weighted = self.is_weighted && *is_edges;
        fields.sound(rows, out, |row| {
            let weight = is_weighted.then(|| row.integer(2)).flatten();
            let weight = weight.filter(|weight| *weight < 0)?;
            let message =
                format!("the weight is {weight}, and paths are shortest only over weights from 0");
            Some(Refusal { code: "negative_weight", message })
        })
    }

    /// What was said, by ascending id.
    fn in_order(&self) -> Vec<(i64, Answer)> {
        let mut said: Vec<(i64, Answer)> = self.said.iter().map(|(id, it)| (*id, *it)).collect();
        said.sort_unstable_by_key(|(id, _)| *id);
        said
    }

    fn row(&self, id: i64, answer: Answer) -> PackedRow {
        let value = |column: &KernelColumn| match (column, answer) {
            (KernelColumn::Made(0), _) => Value::Int(id),
            (_, Answer::There) => panic!("a vertex that is reached has nothing but its id"),
            (_, Answer::Number(number)) => Value::Int(number),
            (_, Answer::Rank(rank)) => Value::float(rank),
        };
        let row: Vec<Value> = self.columns.iter().map(value).collect();
        PackedRow::pack(&Row::from(row), &self.types)
    }
}

impl Adapter for GraphRowsOf {
    type Kernel = DynamicGraph;

    fn change(&mut self, port: usize, _key: &PackedRow, rows: &[Delta], out: &mut Emitter) {
        let sound = self.sound(port, rows, out);
        if !self.ports[port].is_edges {
            for (row, diff) in sound {
                self.delta.roots.push(required(&row, 0), diff);
            }
            return;
        }
        let is_weighted = self.is_weighted;
        for (row, diff) in sound {
            // Where lengths do not count, edges of several weights are one.
            let weight = if is_weighted { row.integer(2).unwrap_or(1) } else { 1 };
            self.delta.edges.push([required(&row, 0), required(&row, 1), weight], diff);
        }
    }

    fn reread(&self, port: usize, rows: &[Delta], out: &mut Emitter) {
        self.sound(port, rows, out);
    }

    fn say_again(&self, out: &mut Emitter) {
        for (id, answer) in self.in_order() {
            out.row(&self.row(id, answer), 1);
        }
    }

    fn save(&self, out: &mut SnapshotWriter<'_>) -> io::Result<()> {
        let said = self.in_order();
        out.numbers("ids", said.iter().map(|(id, _)| *id))?;
        let number = |answer: &Answer| match answer {
            Answer::There => 0,
            Answer::Number(number) => *number,
            Answer::Rank(rank) => rank.to_bits().cast_signed(),
        };
        let kind = |answer: &Answer| match answer {
            Answer::There => 0_u8,
            Answer::Number(_) => 1,
            Answer::Rank(_) => 2,
        };
        out.numbers("kinds", said.iter().map(|(_, answer)| kind(answer)))?;
        out.numbers("answers", said.iter().map(|(_, answer)| number(answer)))
    }

    fn load(&mut self, input: &mut SnapshotReader<'_>) -> Result<(), LoadError> {
        let ids: Vec<i64> = input.numbers("ids")?;
        let kinds: Vec<u8> = input.array("kinds", ids.len())?;
        let numbers: Vec<i64> = input.array("answers", ids.len())?;
        self.said = PackedMap::default();
        for ((id, kind), number) in ids.into_iter().zip(kinds).zip(numbers) {
            let answer = match kind {
                0 => Answer::There,
                1 => Answer::Number(number),
                2 => Answer::Rank(f64::from_bits(number.cast_unsigned())),
                _ => return Err(LoadError::Damaged { section: "kinds" }),
            };
            self.said.insert(id, answer);
        }
        Ok(())
    }

    fn has_changed(&self) -> bool {
        !self.delta.edges.src.is_empty() || !self.delta.roots.id.is_empty()
    }

    fn take(&mut self) -> GraphDelta {
        std::mem::take(&mut self.delta)
    }

    fn keys_of(&self, keys: &[PackedRow]) -> Vec<i64> {
        keys.iter().map(int).collect()
    }

    fn hush(&mut self, key: &PackedRow, out: &mut Emitter) {
        let id = int(key);
        if let Some(answer) = self.said.remove(&id) {
            out.row(&self.row(id, answer), -1);
        }
    }

    /// Those that are gone come first.
    fn n_rows(output: &GraphRows) -> usize {
        output.gone.len() + output.ids.len()
    }

    fn say(&mut self, output: &GraphRows, rows: Range<usize>, out: &mut Emitter) {
        for at in rows {
            let Some(at) = at.checked_sub(output.gone.len()) else {
                let id = output.gone[at];
                if let Some(answer) = self.said.remove(&id) {
                    out.row(&self.row(id, answer), -1);
                }
                continue;
            };
            let id = output.ids[at];
            let answer = match (output.numbers.get(at), output.ranks.get(at)) {
                (Some(number), _) => Answer::Number(*number),
                (None, Some(rank)) => Answer::Rank(*rank),
                (None, None) => Answer::There,
            };
            match self.said.insert(id, answer) {
                Some(before) if before == answer => continue,
                Some(before) => out.row(&self.row(id, before), -1),
                None => {}
            }
            out.row(&self.row(id, answer), 1);
        }
    }

    fn state_bytes(&self) -> usize {
        self.said.allocation_size()
    }
}

fn required(row: &PortRow, field: usize) -> i64 {
    row.integer(field).expect("the plan was verified: only a weight may be missing")
}
