//! Data and queries as rows, and what a regression says of the queries as rows.

use std::io;
use std::ops::Range;

use arqon_kernels::{
    Kernel, LoadError, Nystrom, NystromDelta, NystromRows, NystromSpec, Outcome, Similarity,
    SnapshotReader, SnapshotWriter,
};
use arqon_plan::KernelPlan;
use arqon_types::{PackedRow, Schema, Value};

use super::driver::{Adapter, Driven};
use super::fields::{PortFields, PortRow, Refusal, doubles, is_finite, length_of};
use super::slots::{NO_VALUE, Numbers, Slots};
use super::{Prepared, count_argument, float_argument, integer_argument, port_of};
use crate::deltas::Delta;
use crate::emitter::Emitter;

/// What the kernel is compiled of.
pub(super) fn spec(plan: &KernelPlan, inputs: &[&Schema]) -> NystromSpec {
    let (port, queries) = port_of(plan, inputs, "query");
    NystromSpec {
        n_entries: length_of(port, 0, queries).unwrap_or_default(),
        n_landmarks: count_argument(plan, "landmarks"),
        similarity: match plan.named().value("kernel") {
            Some(Value::Enum(1)) => Similarity::Laplace,
            _ => Similarity::Gaussian,
        },
        gamma: float_argument(plan, "gamma"),
        lambda: float_argument(plan, "lambda"),
        seed: integer_argument(plan, "seed").cast_unsigned(),
    }
}

/// A regression over rows.
///
/// # Errors
/// Why the kernel cannot be compiled of its arguments.
pub(super) fn driver(plan: &KernelPlan, inputs: &[&Schema], output: &Schema) -> Prepared {
    let spec = spec(plan, inputs);
    let kernel = Nystrom::compile(&spec)?;
    let NystromSpec { n_entries, n_landmarks, .. } = spec;
    let (_, queries) = port_of(plan, inputs, "query");
    let ports = plan.ports.iter().zip(inputs);
    let adapter = Regression {
        ports: ports
            .map(|(port, schema)| (port.name == "query", PortFields::new(port, schema)))
            .collect(),
        delta: NystromDelta::default(),
        slots: Slots::new(queries, &plan.columns, output.types()),
        data: Numbers::default(),
        // The bound of an answer solves the system for it.
        answer_work: (2 * n_landmarks * (n_landmarks + n_entries)) as u64,
    };
    Ok(Box::new(Driven::new(kernel, adapter)))
}

/// The rows around the kernel.
struct Regression {
    /// Of each port whether it has the queries, or else the data.
    ports: Vec<(bool, PortFields)>,
    delta: NystromDelta,
    slots: Slots,
    data: Numbers,
    answer_work: u64,
}

impl Regression {
    /// The row that a key has after these changes, if the kernel can read it.
    fn present(&self, port: usize, rows: &[Delta], out: &Emitter) -> Option<PortRow> {
        let (is_queries, fields) = &self.ports[port];
        fields.present(rows, out, |row| {
            if !is_finite(row.vector(0)) {
                return Some(Refusal::not_finite("x"));
            }
            (!is_queries && !row.number(1).is_finite()).then(|| Refusal::not_finite("y"))
        })
    }

    fn query(&mut self, key: &PackedRow, row: Option<PortRow>, out: &mut Emitter) {
        let Some(row) = row else {
            self.delta.queries_gone.extend(self.slots.remove(key, out));
            return;
        };
        self.delta.queries.x.extend(doubles(row.vector(0)));
        self.delta.queries.keys.push(self.slots.put(key, row.into_row(), out));
    }

    fn datum(&mut self, key: &PackedRow, row: Option<&PortRow>) {
        let Some(row) = row else {
            self.delta.data_gone.extend(self.data.remove(key));
            return;
        };
        self.delta.data.x.extend(doubles(row.vector(0)));
        self.delta.data.y.push(row.number(1));
        self.delta.data.keys.push(self.data.put(key).0);
    }
}

impl Adapter for Regression {
    type Kernel = Nystrom;

    fn change(&mut self, port: usize, key: &PackedRow, rows: &[Delta], out: &mut Emitter) {
        let there = self.present(port, rows, out);
        if self.ports[port].0 {
            self.query(key, there, out);
        } else {
            self.datum(key, there.as_ref());
        }
    }

    fn reread(&self, port: usize, rows: &[Delta], out: &mut Emitter) {
        self.present(port, rows, out);
    }

    fn has_changed(&self) -> bool {
        let NystromDelta { data, data_gone, queries, queries_gone } = &self.delta;
        let (data, queries) = (&data.keys, &queries.keys);
        [data, data_gone, queries, queries_gone].iter().any(|keys| !keys.is_empty())
    }

    fn take(&mut self) -> NystromDelta {
        std::mem::take(&mut self.delta)
    }

    fn keys_of(&self, keys: &[PackedRow]) -> Vec<i64> {
        self.slots.numbers(keys)
    }

    fn hush(&mut self, key: &PackedRow, out: &mut Emitter) {
        self.slots.hush(key, out);
    }

    fn answer_work(&self) -> u64 {
        self.answer_work
    }

    fn n_rows(output: &NystromRows) -> usize {
        output.keys.len()
    }

    fn say(&mut self, output: &NystromRows, rows: Range<usize>, out: &mut Emitter) {
        for at in rows {
            let number = output.keys[at];
            match output.outcomes[at] {
                Outcome::Value => self.slots.say(number, &Value::float(output.y[at]), out),
                // Without data there is nothing to say.
                Outcome::Empty => self.slots.say_nothing(number, None, out),
                Outcome::Lost => {
                    let message = "the regression has no solution that can be bounded".to_owned();
                    let refusal = Refusal { code: NO_VALUE, message };
                    self.slots.say_nothing(number, Some(refusal), out);
                }
            }
        }
    }

    fn settle(&mut self) {
        self.slots.settle();
        self.data.settle();
    }

    fn say_again(&self, out: &mut Emitter) {
        self.slots.say_again(out);
    }

    fn save(&self, out: &mut SnapshotWriter<'_>) -> io::Result<()> {
        self.slots.save(out)?;
        self.data.save(out)
    }

    fn load(&mut self, input: &mut SnapshotReader<'_>) -> Result<(), LoadError> {
        self.slots.load(input)?;
        self.data = Numbers::load(input)?;
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        self.slots.state_bytes() + self.data.state_bytes()
    }
}
