//! Cells that are set as rows, and the cells of the whole grid as rows.

use std::ops::Range;

use arqon_kernels::{Equation, Kernel, PdeDelta, PdeRows, PdeSolver, PdeSpec};
use arqon_plan::{KernelColumn, KernelPlan};
use arqon_types::{PackedRow, Row, Schema, Type, Value};

use super::driver::{Adapter, Driven};
use super::fields::{PortFields, PortRow, Refusal};
use super::{Prepared, count_argument, float_argument};
use crate::deltas::Delta;
use crate::stateful::Emitter;

/// A grid over rows.
///
/// # Errors
/// Why the kernel cannot be compiled of its arguments.
pub(super) fn driver(plan: &KernelPlan, inputs: &[&Schema], output: &Schema) -> Prepared {
    let (width, height) = (count_argument(plan, "width"), count_argument(plan, "height"));
    let kernel = PdeSolver::compile(&PdeSpec {
        equation: match plan.named().value("equation") {
            Some(Value::Enum(1)) => Equation::Wave,
            Some(Value::Enum(2)) => Equation::Burgers,
            _ => Equation::Heat,
        },
        width,
        height,
        dt: float_argument(plan, "dt"),
        dx: float_argument(plan, "dx"),
        coefficient: float_argument(plan, "coefficient"),
        n_steps: count_argument(plan, "steps"),
    })?;
    let adapter = Cells {
        fields: PortFields::new(&plan.ports[0], inputs[0]),
        columns: plan.columns.clone(),
        types: output.types(),
        shape: [width, height],
        delta: PdeDelta::default(),
        has_changed: false,
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
    delta: PdeDelta,
    /// Whether the epoch has changes of cells, with which time goes on.
    has_changed: bool,
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

impl Adapter for Cells {
    type Kernel = PdeSolver;

    fn change(&mut self, _port: usize, _key: &PackedRow, rows: &[Delta], out: &mut Emitter) {
        let [width, height] = self.shape;
        let fault = |row: &PortRow| {
            let place = place_of(row);
            let lies_in = |at: i64, side: usize| usize::try_from(at).is_ok_and(|at| at < side);
            if !lies_in(place[0], width) || !lies_in(place[1], height) {
                let [x, y] = place;
                let message =
                    format!("cell ({x}, {y}) lies outside of a grid of {width} x {height}");
                return Some(Refusal { code: "out_of_range", message });
            }
            (!row.number(2).is_finite()).then(|| Refusal::not_finite("u"))
        };
        for (row, diff) in self.fields.sound(rows, out, fault) {
            self.has_changed = true;
            // A cell that is no longer set stays as it has become.
            if 0 < diff {
                self.delta.push(place_of(&row), row.number(2));
            }
        }
    }

    fn has_changed(&self) -> bool {
        self.has_changed
    }

    fn take(&mut self) -> PdeDelta {
        self.has_changed = false;
        std::mem::take(&mut self.delta)
    }

    fn n_rows(output: &PdeRows) -> usize {
        output.u.len()
    }

    fn say(&mut self, output: &PdeRows, rows: Range<usize>, out: &mut Emitter) {
        let [width, height] = self.shape;
        self.said.resize(width * height, None);
        for at in rows {
            let (x, y, u) = (output.x[at], output.y[at], output.u[at]);
            let place = |at: i64| usize::try_from(at).expect("a kernel says cells of its grid");
            let before = self.said[place(y) * width + place(x)].replace(u);
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
