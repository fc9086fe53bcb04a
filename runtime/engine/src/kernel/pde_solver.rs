//! Cells that are set as rows, and the cells of the whole grid as rows.

use std::io;
use std::ops::Range;

use arqon_kernels::{
    Equation, Kernel, LoadError, PdeDelta, PdeKeys, PdeRows, PdeSolver, PdeSpec, SnapshotReader,
    SnapshotWriter,
};
use arqon_plan::{KernelColumn, KernelPlan};
use arqon_types::{PackedRow, Row, Schema, Type, Value};

use super::driver::{Adapter, Driven};
use super::fields::{PortFields, PortRow, Refusal};
use super::{Prepared, count_argument, float_argument};
use crate::deltas::Delta;
use crate::emitter::Emitter;
use crate::packed::{WORD_BYTES, int, int_behind};

/// What the kernel is compiled of.
pub(super) fn spec(plan: &KernelPlan) -> PdeSpec {
    PdeSpec {
        equation: match plan.named().value("equation") {
            Some(Value::Enum(1)) => Equation::Wave,
            Some(Value::Enum(2)) => Equation::Burgers,
            _ => Equation::Heat,
        },
        width: count_argument(plan, "width"),
        height: count_argument(plan, "height"),
        dt: float_argument(plan, "dt"),
        dx: float_argument(plan, "dx"),
        coefficient: float_argument(plan, "coefficient"),
        n_steps: count_argument(plan, "steps"),
    }
}

/// A grid over rows.
///
/// # Errors
/// Why the kernel cannot be compiled of its arguments.
pub(super) fn driver(plan: &KernelPlan, inputs: &[&Schema], output: &Schema) -> Prepared {
    let spec = spec(plan);
    let kernel = PdeSolver::compile(&spec)?;
    let adapter = Cells {
        fields: PortFields::new(&plan.ports[0], inputs[0]),
        columns: plan.columns.clone(),
        types: output.types(),
        shape: [spec.width, spec.height],
        value_max: spec.value_max(),
        delta: PdeDelta::default(),
        has_changed: false,
        has_begun: false,
        said: Vec::new(),
    };
    Ok(Box::new(Driven::new(kernel, adapter)))
}

/// The rows around the kernel.
struct Cells {
    fields: PortFields,
    columns: Vec<KernelColumn>,
    types: Vec<Type>,
    /// Width and height.
    shape: [usize; 2],
    /// How far from 0 a cell may be set, so that the scheme stays stable.
    value_max: f64,
    delta: PdeDelta,
    /// Whether the epoch has changes of cells, with which time goes on.
    has_changed: bool,
    /// Whether time has gone on at all.
    has_begun: bool,
    /// What was last said of each cell, row by row; empty before anything was.
    said: Vec<Option<f64>>,
}

impl Cells {
    fn row(&self, [x, y]: [i64; 2], u: f64) -> PackedRow {
        let value = |column: &KernelColumn| match column {
            KernelColumn::Made(0) => Value::Int(x),
            KernelColumn::Made(1) => Value::Int(y),
            KernelColumn::Made(_) | KernelColumn::Along(_) => Value::float(u),
        };
        let row: Vec<Value> = self.columns.iter().map(value).collect();
        PackedRow::pack(&Row::from(row), &self.types)
    }
}

impl Cells {
    /// The changes of a cell that the kernel can read.
    fn sound(&self, rows: &[Delta], out: &Emitter) -> Vec<(PortRow, i64)> {
        let fault = |row: &PortRow| {
            let [x, y] = place_of(row);
            if self.place([x, y]).is_none() {
                let [width, height] = self.shape;
                let message =
                    format!("cell ({x}, {y}) lies outside of a grid of {width} x {height}");
                return Some(Refusal { code: "out_of_range", message });
            }
            let u = row.number(2);
            if !u.is_finite() {
                return Some(Refusal::not_finite("u"));
            }
            let message =
                || format!("`u` is {u}, and steps of time are stable up to {}", self.value_max);
            let is_beyond = self.value_max < u.abs();
            is_beyond.then(|| Refusal { code: "out_of_range", message: message() })
        };
        self.fields.sound(rows, out, fault)
    }

    /// Where a cell is among all, row by row; none outside of the grid.
    fn place(&self, [x, y]: [i64; 2]) -> Option<usize> {
        let [width, height] = self.shape;
        let x = usize::try_from(x).ok().filter(|x| *x < width)?;
        let y = usize::try_from(y).ok().filter(|y| *y < height)?;
        Some(y * width + x)
    }
}

/// The cell that a key is of.
fn cell_of(key: &PackedRow) -> [i64; 2] {
    [int(key), int_behind(key, WORD_BYTES)]
}

impl Adapter for Cells {
    type Kernel = PdeSolver;

    fn change(&mut self, _port: usize, _key: &PackedRow, rows: &[Delta], out: &mut Emitter) {
        for (row, diff) in self.sound(rows, out) {
            self.has_changed = true;
            // A cell that is no longer set stays as it has become.
            if 0 < diff {
                self.delta.push(place_of(&row), row.number(2));
            }
        }
    }

    fn reread(&self, _port: usize, rows: &[Delta], out: &mut Emitter) {
        self.sound(rows, out);
    }

    fn say_again(&self, out: &mut Emitter) {
        let [width, _] = self.shape;
        for (place, u) in self.said.iter().enumerate() {
            let at = |place: usize| i64::try_from(place).expect("a grid has fewer cells");
            if let Some(u) = u {
                out.row(&self.row([at(place % width), at(place / width)], *u), 1);
            }
        }
    }

    fn save(&self, out: &mut SnapshotWriter<'_>) -> io::Result<()> {
        out.number("has begun", u8::from(self.has_begun))?;
        out.numbers("is said", self.said.iter().map(|u| u8::from(u.is_some())))?;
        out.numbers("said", self.said.iter().map(|u| u.unwrap_or_default()))
    }

    fn load(&mut self, input: &mut SnapshotReader<'_>) -> Result<(), LoadError> {
        self.has_begun = input.number::<u8>("has begun")? != 0;
        let is_said: Vec<u8> = input.numbers("is said")?;
        let said: Vec<f64> = input.array("said", is_said.len())?;
        let [width, height] = self.shape;
        if !is_said.is_empty() && is_said.len() != width * height {
            return Err(LoadError::Damaged { section: "is said" });
        }
        let said = is_said.into_iter().zip(said);
        self.said = said.map(|(is_said, u)| (is_said != 0).then_some(u)).collect();
        Ok(())
    }

    fn has_changed(&self) -> bool {
        self.has_changed
    }

    fn take(&mut self) -> PdeDelta {
        self.has_changed = false;
        self.has_begun = true;
        std::mem::take(&mut self.delta)
    }

    /// Before the first step nothing is said of the grid.
    fn keys_of(&self, keys: &[PackedRow]) -> PdeKeys {
        let mut found = PdeKeys { x: Vec::new(), y: Vec::new() };
        for [x, y] in keys.iter().filter(|_| self.has_begun).map(cell_of) {
            found.x.push(x);
            found.y.push(y);
        }
        found
    }

    fn hush(&mut self, key: &PackedRow, out: &mut Emitter) {
        let [x, y] = cell_of(key);
        let Some(place) = self.place([x, y]) else { return };
        if let Some(u) = self.said.get_mut(place).and_then(Option::take) {
            out.row(&self.row([x, y], u), -1);
        }
    }

    fn n_rows(output: &PdeRows) -> usize {
        output.u.len()
    }

    fn say(&mut self, output: &PdeRows, rows: Range<usize>, out: &mut Emitter) {
        let [width, height] = self.shape;
        self.said.resize(width * height, None);
        for at in rows {
            let (x, y, u) = (output.x[at], output.y[at], output.u[at]);
            let place = self.place([x, y]).expect("a kernel says cells of its grid");
            let before = self.said[place].replace(u);
            if before.is_some_and(|before| before.to_bits() == u.to_bits()) {
                continue;
            }
            if let Some(before) = before {
                out.row(&self.row([x, y], before), -1);
            }
            out.row(&self.row([x, y], u), 1);
        }
    }

    fn state_bytes(&self) -> usize {
        self.said.capacity() * size_of::<Option<f64>>()
    }
}

fn place_of(row: &PortRow) -> [i64; 2] {
    [0, 1].map(|field| row.integer(field).expect("the plan was verified: a cell has a place"))
}
