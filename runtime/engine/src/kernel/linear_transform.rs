//! Vectors and the rows of a matrix as rows of ports, and products as rows.

use std::ops::Range;
use std::sync::Arc;

use arqon_kernels::{
    Kernel, Layout, LinearDelta, LinearOutput, LinearSpec, LinearTransform, Precision,
};
use arqon_plan::KernelPlan;
use arqon_types::{Elements, PackedRow, Schema, Tensor, Value};

use super::driver::{Adapter, Driven};
use super::fields::{PortFields, PortRow, Refusal, is_finite, length_of, singles};
use super::slots::Slots;
use super::{Prepared, count_argument};
use crate::deltas::Delta;
use crate::stateful::Emitter;

/// A linear map over rows.
///
/// # Errors
/// Why the kernel cannot be compiled of its arguments.
pub(super) fn driver(plan: &KernelPlan, inputs: &[&Schema], output: &Schema) -> Prepared {
    let ports = || plan.ports.iter().zip(inputs);
    let n_rows = count_argument(plan, "rows");
    let (port, vectors) =
        ports().find(|(port, _)| port.name == "x").expect("a kernel has its ports");
    let n_columns = length_of(port, 0, vectors).unwrap_or_default();
    let layout = match plan.named().value("layout") {
        Some(Value::Enum(1)) => Layout::Sparse,
        _ => Layout::Dense,
    };
    let kernel = LinearTransform::compile(&LinearSpec {
        n_rows,
        n_columns,
        layout,
        precision: Precision::Double,
        rank: count_argument(plan, "rank"),
    })?;
    let adapter = Vectors {
        ports: ports()
            .map(|(port, schema)| (port.name == "x", PortFields::new(port, schema)))
            .collect(),
        n_rows,
        n_columns,
        delta: LinearDelta::default(),
        slots: Slots::new(vectors, &plan.columns, output.types()),
    };
    Ok(Box::new(Driven::new(kernel, adapter)))
}

/// The rows around the kernel.
struct Vectors {
    /// Of each port whether it has the vectors, or else the matrix.
    ports: Vec<(bool, PortFields)>,
    n_rows: usize,
    n_columns: usize,
    delta: LinearDelta,
    slots: Slots,
}

impl Vectors {
    fn vector(&mut self, key: &PackedRow, row: Option<PortRow>, out: &mut Emitter) {
        let Some(row) = row else {
            self.delta.removed.extend(self.slots.remove(key, out));
            return;
        };
        let vector = singles(row.vector(0));
        let number = self.slots.put(key, row.into_row(), out);
        self.delta.keys.push(number);
        self.delta.vectors.extend(vector);
    }

    fn weights(&mut self, rows: &[(PortRow, i64)]) {
        for (row, _) in rows.iter().filter(|(_, diff)| *diff < 0) {
            // Unless it is only replaced: then what comes wins.
            self.delta.rows.push(place_of(row));
            self.delta.weights.extend(std::iter::repeat_n(0.0, self.n_columns));
        }
        for (row, _) in rows.iter().filter(|(_, diff)| *diff > 0) {
            self.delta.rows.push(place_of(row));
            self.delta.weights.extend(singles(row.vector(1)));
        }
    }
}

fn place_of(row: &PortRow) -> usize {
    let place = row.integer(0).and_then(|place| usize::try_from(place).ok());
    place.expect("a row of the matrix lies in it")
}

impl Adapter for Vectors {
    type Kernel = LinearTransform;

    fn change(&mut self, port: usize, key: &PackedRow, rows: &[Delta], out: &mut Emitter) {
        let (has_vectors, fields) = &self.ports[port];
        let n_rows = self.n_rows;
        if *has_vectors {
            let fault =
                |row: &PortRow| (!is_finite(row.vector(0))).then(|| Refusal::not_finite("x"));
            let there = fields.present(rows, out, fault);
            return self.vector(key, there, out);
        }
        let fault = |row: &PortRow| {
            let place = row.integer(0)?;
            if usize::try_from(place).is_ok_and(|place| place < n_rows) {
                return (!is_finite(row.vector(1))).then(|| Refusal::not_finite("weights"));
            }
            let message = format!("row {place} lies outside of a matrix of {n_rows} rows");
            Some(Refusal { code: "out_of_range", message })
        };
        let rows = fields.sound(rows, out, fault);
        self.weights(&rows);
    }

    fn has_changed(&self) -> bool {
        let LinearDelta { rows, removed, keys, .. } = &self.delta;
        !(rows.is_empty() && removed.is_empty() && keys.is_empty())
    }

    fn take(&mut self) -> LinearDelta {
        std::mem::take(&mut self.delta)
    }

    fn n_rows(output: &LinearOutput) -> usize {
        output.keys.len()
    }

    fn width(&self) -> usize {
        self.n_rows
    }

    fn say(&mut self, output: &LinearOutput, rows: Range<usize>, out: &mut Emitter) {
        for at in rows {
            let (number, values) = (output.keys[at], &output.values[at * self.n_rows..]);
            let values = &values[..self.n_rows];
            #[expect(clippy::cast_possible_truncation, reason = "outputs are declared `f32`")]
            let values = values.iter().map(|value| *value as f32).collect();
            let tensor =
                Tensor::vector(Elements::F32(values)).expect("it is as long as the matrix");
            self.slots.say(number, &Value::Tensor(Arc::new(tensor)), out);
        }
    }

    fn settle(&mut self) {
        self.slots.settle();
    }

    fn state_bytes(&self) -> usize {
        self.slots.state_bytes()
    }
}
