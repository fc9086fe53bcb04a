//! Vectors and the rows of a matrix as rows of ports, and products as rows.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use arqon_kernels::{
    Kernel, Layout, LinearDelta, LinearOutput, LinearSpec, LinearTransform, LoadError, Precision,
    SnapshotReader, SnapshotWriter,
};
use arqon_plan::{Emit, KernelPlan};
use arqon_types::{Elements, PackedRow, Schema, Tensor, Value};

use super::driver::{Adapter, Driven};
use super::fields::{PortFields, PortRow, Refusal, is_finite, length_of, singles};
use super::slots::Slots;
use super::{Prepared, count_argument, port_of};
use crate::deltas::Delta;
use crate::emitter::Emitter;

/// What the kernel is compiled of.
pub(super) fn spec(plan: &KernelPlan, inputs: &[&Schema]) -> LinearSpec {
    let (port, vectors) = port_of(plan, inputs, "x");
    LinearSpec {
        n_rows: count_argument(plan, "rows"),
        n_columns: length_of(port, 0, vectors).unwrap_or_default(),
        layout: match plan.named().value("layout") {
            Some(Value::Enum(1)) => Layout::Sparse,
            _ => Layout::Dense,
        },
        precision: Precision::Double,
        rank: count_argument(plan, "rank"),
    }
}

/// A linear map over rows.
///
/// # Errors
/// Why the kernel cannot be compiled of its arguments.
pub(super) fn driver(plan: &KernelPlan, inputs: &[&Schema], output: &Schema) -> Prepared {
    let spec = spec(plan, inputs);
    let kernel = LinearTransform::compile(&spec)?;
    let LinearSpec { n_rows, n_columns, .. } = spec;
    let (_, vectors) = port_of(plan, inputs, "x");
    let ports = plan.ports.iter().zip(inputs);
    let adapter = Vectors {
        ports: ports
            .map(|(port, schema)| (port.name == "x", PortFields::new(port, schema)))
            .collect(),
        n_rows,
        n_columns,
        delta: LinearDelta::default(),
        slots: Slots::new(vectors, &plan.columns, output.types()),
        sizes: Vec::new(),
        moved: Moved::default(),
        is_lazy: plan.emit == Emit::Pull,
        // A product may wait in as many coordinates.
        answer_work: (64 * n_rows) as u64,
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
    /// The largest entry of what was said of each vector, by its number.
    sizes: Vec<f32>,
    moved: Moved,
    /// Whether products may wait until they are read.
    is_lazy: bool,
    answer_work: u64,
}

/// Where vectors that were there have changed.
#[derive(Debug, Default)]
struct Moved {
    /// So many did.
    n_vectors: usize,
    /// In these entries, up to one more than may wait.
    coordinates: BTreeSet<usize>,
}

/// Coordinates of all vectors that may wait in factored form.
const COORDINATES_MAX: usize = 64;

impl Vectors {
    /// The changes of a key that the kernel can read.
    fn sound(&self, port: usize, rows: &[Delta], out: &Emitter) -> Vec<(PortRow, i64)> {
        let (has_vectors, fields) = &self.ports[port];
        if *has_vectors {
            let fault =
                |row: &PortRow| (!is_finite(row.vector(0))).then(|| Refusal::not_finite("x"));
            return fields.sound(rows, out, fault);
        }
        let n_rows = self.n_rows;
        let fault = |row: &PortRow| {
            let place = row.integer(0)?;
            if usize::try_from(place).is_ok_and(|place| place < n_rows) {
                return (!is_finite(row.vector(1))).then(|| Refusal::not_finite("weights"));
            }
            let message = format!("row {place} lies outside of a matrix of {n_rows} rows");
            Some(Refusal { code: "out_of_range", message })
        };
        fields.sound(rows, out, fault)
    }

    fn vector(&mut self, key: &PackedRow, row: Option<PortRow>, out: &mut Emitter) {
        let Some(row) = row else {
            if let Some(number) = self.slots.remove(key, out) {
                self.forget_size(number);
                self.delta.removed.push(number);
            }
            return;
        };
        let vector = singles(row.vector(0));
        if self.is_lazy {
            self.note_moved(key, &vector);
        }
        let number = self.slots.put(key, row.into_row(), out);
        self.delta.keys.push(number);
        self.delta.vectors.extend(vector);
    }

    /// Nothing is said of a vector any more.
    fn forget_size(&mut self, number: i64) {
        if let Some(size) = self.sizes.get_mut(place_of_number(number)) {
            *size = 0.0;
        }
    }

    /// Notes in which entries a vector that was there changes.
    fn note_moved(&mut self, key: &PackedRow, vector: &[f32]) {
        let number = self.slots.number(key);
        let Some(before) = number.and_then(|number| self.slots.row(number)) else { return };
        let before = singles(self.fields_of_vectors().read_row(before.clone()).vector(0));
        self.moved.n_vectors += 1;
        let differ = before.iter().zip(vector).enumerate();
        let differ = differ.filter(|(_, (a, b))| a.to_bits() != b.to_bits()).map(|(at, _)| at);
        for at in differ {
            if COORDINATES_MAX < self.moved.coordinates.len() {
                break;
            }
            self.moved.coordinates.insert(at);
        }
    }

    fn fields_of_vectors(&self) -> &PortFields {
        let port = self.ports.iter().find(|(has_vectors, _)| *has_vectors);
        &port.expect("a kernel has its ports").1
    }

    /// Where most vectors change in the same few entries, and nothing else does, the change is of
    /// that rank, and products can wait for whoever reads them.
    fn prepare(&mut self) {
        let moved = std::mem::take(&mut self.moved);
        let LinearDelta { rows, removed, keys, .. } = &self.delta;
        let is_alone = rows.is_empty() && removed.is_empty() && keys.len() == moved.n_vectors;
        let are_few = (1..=COORDINATES_MAX).contains(&moved.coordinates.len());
        if !is_alone || !are_few {
            return;
        }
        let n_there = self.slots.live().count();
        if 2 * moved.n_vectors < n_there {
            return;
        }
        let fields = self.fields_of_vectors();
        let mut values = vec![0.0; moved.coordinates.len() * n_there];
        for (place, (_, row)) in self.slots.live().enumerate() {
            let vector = singles(fields.read_row(row.clone()).vector(0));
            for (at, coordinate) in moved.coordinates.iter().enumerate() {
                values[at * n_there + place] = vector[*coordinate];
            }
        }
        self.delta = LinearDelta {
            coordinates: moved.coordinates.into_iter().collect(),
            coordinate_values: values,
            ..LinearDelta::default()
        };
    }

    fn weights(&mut self, rows: &[(PortRow, i64)]) {
        let come = rows.iter().filter(|(_, diff)| *diff > 0).map(|(row, _)| place_of(row));
        let come: BTreeSet<usize> = come.collect();
        for (row, _) in rows.iter().filter(|(_, diff)| *diff < 0) {
            let place = place_of(row);
            // A row that is replaced does not go as well.
            if come.contains(&place) {
                continue;
            }
            self.delta.rows.push(place);
            self.delta.weights.extend(std::iter::repeat_n(0.0, self.n_columns));
        }
        for (row, _) in rows.iter().filter(|(_, diff)| *diff > 0) {
            self.delta.rows.push(place_of(row));
            self.delta.weights.extend(singles(row.vector(1)));
        }
    }
}

fn place_of_number(number: i64) -> usize {
    usize::try_from(number).expect("numbers are places")
}

/// By how much a number that is rounded to `f32`, and is `size` then, may have been another: half
/// a unit in its last place, of which the smallest numbers have no less than this.
fn rounded_off(size: f32) -> f64 {
    const SHARE: f64 = (1.0 + 1e-6) / 16_777_216.0;
    if size == 0.0 { 0.0 } else { f64::from(size) * SHARE + f64::from(f32::from_bits(1)) }
}

fn place_of(row: &PortRow) -> usize {
    let place = row.integer(0).and_then(|place| usize::try_from(place).ok());
    place.expect("a row of the matrix lies in it")
}

#[expect(clippy::cast_possible_truncation, reason = "outputs are declared `f32`")]
fn single(value: f64) -> f32 {
    value as f32
}

impl Adapter for Vectors {
    type Kernel = LinearTransform;

    fn change(&mut self, port: usize, key: &PackedRow, rows: &[Delta], out: &mut Emitter) {
        let sound = self.sound(port, rows, out);
        if self.ports[port].0 {
            let there = sound.into_iter().find_map(|(row, diff)| (0 < diff).then_some(row));
            return self.vector(key, there, out);
        }
        self.weights(&sound);
    }

    fn reread(&self, port: usize, rows: &[Delta], out: &mut Emitter) {
        self.sound(port, rows, out);
    }

    fn has_changed(&self) -> bool {
        let LinearDelta { rows, removed, keys, .. } = &self.delta;
        !(rows.is_empty() && removed.is_empty() && keys.is_empty())
    }

    fn take(&mut self) -> LinearDelta {
        self.prepare();
        std::mem::take(&mut self.delta)
    }

    fn keys_of(&self, keys: &[PackedRow]) -> Vec<i64> {
        self.slots.numbers(keys)
    }

    fn hush(&mut self, key: &PackedRow, out: &mut Emitter) {
        if let Some(number) = self.slots.number(key) {
            self.forget_size(number);
        }
        self.slots.hush(key, out);
    }

    fn rounding(&mut self, output: &LinearOutput) -> f64 {
        for (number, values) in output.keys.iter().zip(output.values.chunks(self.n_rows)) {
            let place = place_of_number(*number);
            if self.sizes.len() <= place {
                self.sizes.resize(place + 1, 0.0);
            }
            // What is too small for `f32` is rounded as well.
            let least = |value: f64| if value == 0.0 { 0.0 } else { f32::from_bits(1) };
            let size = |value: f64| single(value).abs().max(least(value));
            self.sizes[place] = values.iter().map(|value| size(*value)).fold(0.0, f32::max);
        }
        rounded_off(self.sizes.iter().copied().fold(0.0, f32::max))
    }

    fn answer_work(&self) -> u64 {
        self.answer_work
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
            let values = values.iter().map(|value| single(*value)).collect();
            let tensor =
                Tensor::vector(Elements::F32(values)).expect("it is as long as the matrix");
            self.slots.say(number, &Value::Tensor(Arc::new(tensor)), out);
        }
    }

    fn settle(&mut self) {
        self.slots.settle();
    }

    fn say_again(&self, out: &mut Emitter) {
        self.slots.say_again(out);
    }

    fn save(&self, out: &mut SnapshotWriter<'_>) -> io::Result<()> {
        self.slots.save(out)?;
        out.numbers("sizes", self.sizes.iter().copied())
    }

    fn load(&mut self, input: &mut SnapshotReader<'_>) -> Result<(), LoadError> {
        self.slots.load(input)?;
        self.sizes = input.numbers("sizes")?;
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        self.slots.state_bytes() + self.sizes.capacity() * size_of::<f32>()
    }
}
