//! Accumulators of a group.

use std::collections::BTreeMap;

use arqon_operators::{Aggregate, AggregateFunction, Place};
use arqon_types::{Row, Value};

use crate::recorder::Fault;

/// The aggregates of one group.
#[derive(Debug)]
pub(crate) struct GroupState {
    functions: Vec<(AggregateFunction, Place)>,
    rows: Vec<BTreeMap<Vec<Value>, i64>>,
}

impl GroupState {
    pub(crate) fn new(aggregates: &[Aggregate]) -> Self {
        Self {
            functions: aggregates.iter().map(|a| (a.function, a.place)).collect(),
            rows: vec![BTreeMap::new(); aggregates.len()],
        }
    }

    pub(crate) fn update(&mut self, args: &[Option<Vec<Value>>], diff: i64) {
        for (rows, args) in self.rows.iter_mut().zip(args) {
            if let Some(args) = args {
                *rows.entry(args.clone()).or_insert(0) += diff;
                if rows[args] == 0 {
                    rows.remove(args);
                }
            }
        }
    }

    pub(crate) fn finish(&self) -> Result<Row, Fault> {
        let mut values = Vec::new();
        for ((function, place), rows) in self.functions.iter().zip(&self.rows) {
            let n: i64 = rows.values().sum();
            values.push(match function {
                AggregateFunction::Count => Value::Int(n),
                AggregateFunction::Sum => {
                    let sum: i128 = rows
                        .iter()
                        .map(|(args, n)| match args[0] {
                            Value::Int(value) => i128::from(value) * i128::from(*n),
                            _ => panic!("sums of integers only"),
                        })
                        .sum();
                    Value::Int(i64::try_from(sum).map_err(|_| Fault {
                        code: "overflow".into(),
                        message: "the sum is outside of int64".to_owned(),
                        place: *place,
                    })?)
                }
                AggregateFunction::Min => {
                    rows.keys().next().map_or(Value::None, |args| args[0].clone())
                }
                AggregateFunction::Max => {
                    rows.keys().next_back().map_or(Value::None, |args| args[0].clone())
                }
                other => panic!("{other:?} is not computed here"),
            });
        }
        Ok(values.into())
    }
}
