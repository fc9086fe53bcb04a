//! Queries and tokens as rows, and what queries attend to as rows.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use arqon_kernels::{
    AttentionDelta, AttentionRows, AttentionSpec, Causality, FeatureMap, Kernel, LoadError,
    Outcome, SnapshotReader, SnapshotWriter, TransformerAttn,
};
use arqon_plan::KernelPlan;
use arqon_types::{ElementType, Elements, PackedRow, Schema, Tensor, Value};

use super::driver::{Adapter, Driven};
use super::fields::{PortFields, PortRow, Refusal, is_finite, length_of, made_element, singles};
use super::slots::{NO_VALUE, Numbers, Slots};
use super::{Prepared, count_argument, integer_argument, port_of};
use crate::deltas::Delta;
use crate::emitter::Emitter;

/// What the kernel is compiled of.
pub(super) fn spec(plan: &KernelPlan, inputs: &[&Schema]) -> AttentionSpec {
    let (queries, query_rows) = port_of(plan, inputs, "q");
    let (tokens, token_rows) = port_of(plan, inputs, "kv");
    AttentionSpec {
        n_heads: count_argument(plan, "heads"),
        n_key: length_of(queries, 0, query_rows).unwrap_or_default(),
        n_value: length_of(tokens, 1, token_rows).unwrap_or_default(),
        n_features: count_argument(plan, "features"),
        feature_map: match plan.named().value("feature_map") {
            Some(Value::Enum(1)) => FeatureMap::Rff,
            _ => FeatureMap::FavorPlus,
        },
        causality: match plan.named().value("causal") {
            Some(Value::Bool(true)) => Causality::Causal,
            _ => Causality::Plain,
        },
        seed: integer_argument(plan, "seed").cast_unsigned(),
    }
}

/// Attention over rows.
///
/// # Errors
/// Why the kernel cannot be compiled of its arguments.
pub(super) fn driver(plan: &KernelPlan, inputs: &[&Schema], output: &Schema) -> Prepared {
    let spec = spec(plan, inputs);
    let kernel = TransformerAttn::compile(&spec)?;
    let AttentionSpec { n_heads, n_key, n_value, n_features, causality, .. } = spec;
    let (_, query_rows) = port_of(plan, inputs, "q");
    let ports = plan.ports.iter().zip(inputs);
    let adapter = Attention {
        ports: ports
            .map(|(port, schema)| (port.name == "q", PortFields::new(port, schema)))
            .collect(),
        causality,
        n_value,
        element: made_element(plan, output),
        delta: AttentionDelta::default(),
        slots: Slots::new(query_rows, &plan.columns, output.types()),
        tokens: Numbers::default(),
        answer_work: 2 * (n_features * (n_key + n_value + n_heads)) as u64,
    };
    Ok(Box::new(Driven::new(kernel, adapter)))
}

/// The rows around the kernel.
struct Attention {
    /// Of each port whether it has the queries, or else the tokens.
    ports: Vec<(bool, PortFields)>,
    causality: Causality,
    n_value: usize,
    element: ElementType,
    delta: AttentionDelta,
    slots: Slots,
    tokens: Numbers,
    answer_work: u64,
}

impl Attention {
    /// The row that a key has after these changes, if the kernel can read it.
    fn present(&self, port: usize, rows: &[Delta], out: &Emitter) -> Option<PortRow> {
        let (is_queries, fields) = &self.ports[port];
        let names: &[&str] = if *is_queries { &["q"] } else { &["k", "v"] };
        fields.present(rows, out, |row| {
            let at = (0..names.len()).find(|at| !is_finite(row.vector(*at)))?;
            Some(Refusal::not_finite(names[at]))
        })
    }

    fn query(&mut self, key: &PackedRow, row: Option<PortRow>, out: &mut Emitter) {
        let Some(row) = row else {
            self.delta.queries_gone.extend(self.slots.remove(key, out));
            return;
        };
        let queries = &mut self.delta.queries;
        queries.q.extend(singles(row.vector(0)));
        if self.causality == Causality::Causal {
            queries.places.extend(row.integer(1));
        }
        queries.keys.push(self.slots.put(key, row.into_row(), out));
    }

    fn token(&mut self, key: &PackedRow, row: Option<&PortRow>) {
        let Some(row) = row else {
            self.delta.tokens_gone.extend(self.tokens.remove(key));
            return;
        };
        let tokens = &mut self.delta.tokens;
        tokens.k.extend(singles(row.vector(0)));
        tokens.v.extend(singles(row.vector(1)));
        if self.causality == Causality::Causal {
            tokens.places.extend(row.integer(2));
        }
        tokens.keys.push(self.tokens.put(key).0);
    }
}

impl Adapter for Attention {
    type Kernel = TransformerAttn;

    fn change(&mut self, port: usize, key: &PackedRow, rows: &[Delta], out: &mut Emitter) {
        let there = self.present(port, rows, out);
        if self.ports[port].0 {
            self.query(key, there, out);
        } else {
            self.token(key, there.as_ref());
        }
    }

    fn reread(&self, port: usize, rows: &[Delta], out: &mut Emitter) {
        self.present(port, rows, out);
    }

    fn has_changed(&self) -> bool {
        let AttentionDelta { queries, queries_gone, tokens, tokens_gone } = &self.delta;
        let (queries, tokens) = (&queries.keys, &tokens.keys);
        [queries, queries_gone, tokens, tokens_gone].iter().any(|keys| !keys.is_empty())
    }

    fn take(&mut self) -> AttentionDelta {
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

    fn n_rows(output: &AttentionRows) -> usize {
        output.keys.len()
    }

    fn width(&self) -> usize {
        self.n_value
    }

    fn say(&mut self, output: &AttentionRows, rows: Range<usize>, out: &mut Emitter) {
        let n_value = self.n_value;
        for at in rows {
            let (number, values) = (output.keys[at], &output.values[at * n_value..][..n_value]);
            match output.outcomes[at] {
                Outcome::Value => {
                    let elements = match self.element {
                        ElementType::F64 => {
                            Elements::F64(values.iter().map(|it| f64::from(*it)).collect())
                        }
                        _ => Elements::F32(values.to_vec()),
                    };
                    let tensor = Tensor::vector(elements).expect("it is as long as the values");
                    self.slots.say(number, &Value::Tensor(Arc::new(tensor)), out);
                }
                // Who sees no token has no output.
                Outcome::Empty => self.slots.say_nothing(number, None, out),
                Outcome::Lost => {
                    let message = "the features of its tokens cancel: the weights add up to zero, \
                                   as far as can be told"
                        .to_owned();
                    let refusal = Refusal { code: NO_VALUE, message };
                    self.slots.say_nothing(number, Some(refusal), out);
                }
            }
        }
    }

    fn settle(&mut self) {
        self.slots.settle();
        self.tokens.settle();
    }

    fn say_again(&self, out: &mut Emitter) {
        self.slots.say_again(out);
    }

    fn save(&self, out: &mut SnapshotWriter<'_>) -> io::Result<()> {
        self.slots.save(out)?;
        self.tokens.save(out)
    }

    fn load(&mut self, input: &mut SnapshotReader<'_>) -> Result<(), LoadError> {
        self.slots.load(input)?;
        self.tokens = Numbers::load(input)?;
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        self.slots.state_bytes() + self.tokens.state_bytes()
    }
}
