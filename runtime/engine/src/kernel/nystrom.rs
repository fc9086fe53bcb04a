//! Data and queries as rows, and what a regression says of the queries as rows.

use std::ops::Range;

use arqon_kernels::{Kernel, Nystrom, NystromDelta, NystromRows, NystromSpec, Outcome, Similarity};
use arqon_plan::KernelPlan;
use arqon_types::{PackedRow, Schema, Value};

use super::driver::{Adapter, Driven};
use super::fields::{PortFields, PortRow, Refusal, doubles, is_finite, length_of};
use super::slots::{Numbers, Slots};
use super::{Prepared, count_argument, float_argument, integer_argument};
use crate::deltas::Delta;
use crate::stateful::Emitter;

/// A regression over rows.
///
/// # Errors
/// Why the kernel cannot be compiled of its arguments.
pub(super) fn driver(plan: &KernelPlan, inputs: &[&Schema], output: &Schema) -> Prepared {
    let ports = || plan.ports.iter().zip(inputs);
    let (port, queries) =
        ports().find(|(port, _)| port.name == "query").expect("a kernel has its ports");
    let kernel = Nystrom::compile(&NystromSpec {
        n_entries: length_of(port, 0, queries).unwrap_or_default(),
        n_landmarks: count_argument(plan, "landmarks"),
        similarity: match plan.named().value("kernel") {
            Some(Value::Enum(1)) => Similarity::Laplace,
            _ => Similarity::Gaussian,
        },
        gamma: float_argument(plan, "gamma"),
        lambda: float_argument(plan, "lambda"),
        seed: integer_argument(plan, "seed").cast_unsigned(),
    })?;
    let adapter = Regression {
        ports: ports()
            .map(|(port, schema)| (port.name == "query", PortFields::new(port, schema)))
            .collect(),
        delta: NystromDelta::default(),
        slots: Slots::new(queries, &plan.columns, output.types()),
        data: Numbers::default(),
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
}

impl Regression {
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
        let (is_queries, fields) = &self.ports[port];
        let is_queries = *is_queries;
        let there = fields.present(rows, out, |row| {
            if !is_finite(row.vector(0)) {
                return Some(Refusal::not_finite("x"));
            }
            (!is_queries && !row.number(1).is_finite()).then(|| Refusal::not_finite("y"))
        });
        if is_queries {
            self.query(key, there, out);
        } else {
            self.datum(key, there.as_ref());
        }
    }

    fn has_changed(&self) -> bool {
        let NystromDelta { data, data_gone, queries, queries_gone } = &self.delta;
        let (data, queries) = (&data.keys, &queries.keys);
        [data, data_gone, queries, queries_gone].iter().any(|keys| !keys.is_empty())
    }

    fn take(&mut self) -> NystromDelta {
        std::mem::take(&mut self.delta)
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
                    let refusal = Refusal { code: "no_value", message };
                    self.slots.say_nothing(number, Some(refusal), out);
                }
            }
        }
    }

    fn settle(&mut self) {
        self.slots.settle();
        self.data.settle();
    }

    fn state_bytes(&self) -> usize {
        self.slots.state_bytes() + self.data.state_bytes()
    }
}
