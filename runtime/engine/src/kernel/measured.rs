//! What the steps of a kernel came to, as rows: a row for each step, in the epoch of the step.

use std::collections::BTreeMap;

use arqon_kernels::{Churn, MODES, Mode};
use arqon_plan::{Measured, Metric};
use arqon_types::{PackedRow, Row, Type, Value};

use crate::emitter::Emitter;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) epoch: u64,
    pub(crate) mode: Mode,
    pub(crate) churn: Churn,
    pub(crate) n_emitted: usize,
    pub(crate) error_max: f64,
    pub(crate) latency_nanos: i64,
    pub(crate) is_refreshed: bool,
    pub(crate) is_violated: bool,
}

/// Tells what steps came to.
#[derive(Debug)]
pub(crate) struct Teller {
    measured: Measured,
    types: Vec<Type>,
    /// Of metrics with a key, the row that stands.
    last: BTreeMap<Row, PackedRow>,
}

impl Teller {
    /// Rows of these fields.
    pub(crate) fn new(measured: Measured, types: Vec<Type>) -> Self {
        Self { measured, types, last: BTreeMap::new() }
    }

    /// The rows that stand, of metrics with a key.
    pub(crate) fn standing(&self) -> Vec<&PackedRow> {
        self.last.values().collect()
    }

    /// Goes on from these.
    pub(crate) fn take(&mut self, standing: Vec<PackedRow>) {
        for packed in standing {
            self.last.insert(self.key(&packed.unpack(&self.types)), packed);
        }
    }

    /// Tells again what stands.
    pub(crate) fn tell_again(&self, out: &mut Emitter) {
        self.last.values().for_each(|row| out.aside(row, 1));
    }

    fn key(&self, row: &Row) -> Row {
        Row::from(self.measured.key.iter().map(|at| row.0[*at].clone()).collect::<Vec<_>>())
    }

    /// Tells of a step.
    pub(crate) fn tell(&mut self, outcome: &Outcome, out: &mut Emitter) {
        let values = self.measured.metrics.iter().map(|metric| outcome.value(*metric));
        let row = Row::from(values.collect::<Vec<_>>());
        let packed = PackedRow::pack(&row, &self.types);
        if !self.measured.key.is_empty()
            && let Some(gone) = self.last.insert(self.key(&row), packed.clone())
        {
            out.aside(&gone, -1);
        }
        out.aside(&packed, 1);
    }
}

impl Outcome {
    fn value(&self, metric: Metric) -> Value {
        let count = |n: usize| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        match metric {
            Metric::Epoch => Value::Int(i64::try_from(self.epoch).unwrap_or(i64::MAX)),
            // The compiler declares the labels in the order of all modes.
            Metric::Mode => Value::Enum(
                (0..)
                    .zip(MODES)
                    .find_map(|(label, mode)| (mode == self.mode).then_some(label))
                    .unwrap_or(0),
            ),
            Metric::Churn => Value::float(self.churn.share()),
            Metric::Changed => count(self.churn.n_changed),
            Metric::Emitted => count(self.n_emitted),
            Metric::ErrorBound => Value::float(self.error_max),
            Metric::Latency => Value::Duration(self.latency_nanos),
            Metric::Refreshed => Value::Bool(self.is_refreshed),
            Metric::Violated => Value::Bool(self.is_violated),
        }
    }
}
