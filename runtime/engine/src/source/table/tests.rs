//! The table beside a map, under rows in any order.

use std::collections::BTreeMap;

use proptest::prelude::*;

use arqon_plan::{History, TopicPlan};
use arqon_types::{Discipline, Edge, Field, Row, Schema, TopicName, Type, Value};

use super::*;
use crate::forget::Forgetting;
use crate::narrow::Keep;
use crate::source::divider::Reading;
use crate::source::run::BlockSize;

type Model = BTreeMap<PackedRow, PackedRow>;

/// Topics with keys of one and of two fields, and fields of all kinds in which columns differ.
fn shapes() -> Vec<Shape> {
    let kinds = |types: &[Type], key: &[usize]| {
        let name = |at| format!("f{at}");
        let fields = types.iter().enumerate().map(|(at, ty)| Field::new(name(at), ty.clone()));
        let topic = TopicPlan {
            name: TopicName::parse("t").unwrap(),
            schema: Schema::new("T", fields.collect()),
            discipline: Discipline::Full,
            key: key.to_vec(),
            time: None,
            edge: Edge::None,
            verified: true,
            lateness: None,
            arrival: false,
            history: History::All,
        };
        let keep = if key.len() == 1 { Keep::Read } else { Keep::Rows };
        Shape::new(topic, (Reading::Rows, keep, Vec::new()), Forgetting::Never)
    };
    let labels = Type::Enum(vec!["x".into(), "y".into(), "z".into()].into());
    vec![
        kinds(&[Type::Int64, Type::Decimal(2), Type::String, Type::String.optional()], &[0]),
        kinds(&[Type::Date, Type::String, labels, Type::Float64], &[1, 0]),
        kinds(&[Type::Decimal(1), Type::Bool, Type::Uuid, Type::Int64.optional()], &[3, 0]),
        kinds(&[Type::Float64, Type::Timestamp, Type::Bytes, Type::Duration], &[0, 2]),
    ]
}

/// A value that is greater for a greater number.
fn value(ty: &Type, n: i64) -> Value {
    let far = |n: i64| i128::from(n) * (1 << 70);
    match ty {
        Type::Bool => Value::Bool(n > 50),
        // Numbers that need one, two, four and eight bytes, and those beyond.
        Type::Int64 | Type::Duration => Value::Int(n * n * n * n * n),
        Type::Timestamp => Value::Timestamp(if n > 90 { i64::MAX } else { i64::MIN + n }),
        Type::Date => Value::Date(i32::try_from(n).unwrap() - 50),
        Type::Enum(_) => Value::Enum(u32::try_from(n % 3).unwrap()),
        Type::Float64 => Value::float(n.try_into().map_or(0.0, |n: i32| f64::from(n) / 4.0)),
        Type::Decimal(_) if n > 80 => Value::Decimal(far(n)),
        Type::Decimal(_) => Value::Decimal((n - 40).into()),
        Type::Uuid => Value::Uuid(n.unsigned_abs().into()),
        Type::String if n < 60 => Value::string(&format!("few {}", n / 10)),
        Type::String => Value::string(&format!("text {n:03}")),
        Type::Bytes => Value::Bytes(vec![u8::try_from(n).unwrap(), 0, 7].into()),
        Type::Option(_) if n < 10 => Value::None,
        Type::Option(inner) => value(inner, n),
        other => panic!("no value of {other}"),
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// Rows of keys and others, some of which nobody lets through.
    Batch(Vec<(i64, i64, bool)>),
    /// The same in the order of their keys, which are there once.
    Ascending(Vec<(i64, i64, bool)>),
    Set(i64, i64),
    Delete(i64),
    /// Keys from one to another.
    DeleteAll(i64, i64),
}

fn step() -> impl Strategy<Value = Step> {
    let rows = |n_max: usize| {
        let passes = prop::bool::weighted(0.8);
        prop::collection::vec((0_i64..100, 0_i64..100, passes), 0..n_max)
    };
    prop_oneof![
        2 => rows(6).prop_map(Step::Batch),
        1 => rows(90).prop_map(Step::Batch),
        3 => rows(90).prop_map(Step::Ascending),
        3 => rows(8).prop_map(Step::Ascending),
        2 => (0_i64..100, 0_i64..100).prop_map(|(key, other)| Step::Set(key, other)),
        2 => (0_i64..100).prop_map(Step::Delete),
        1 => (0_i64..100, 0_i64..100).prop_map(|(from, to)| Step::DeleteAll(from, to)),
    ]
}

fn row(shape: &Shape, key: i64, other: i64) -> Row {
    let cells = shape.types.iter().enumerate();
    let n = |at| if shape.topic.key.contains(&at) { key } else { other };
    cells
        .map(|(at, ty)| match (ty, value(ty, n(at))) {
            (Type::Duration, Value::Int(value)) => Value::Duration(value),
            (_, value) => value,
        })
        .collect()
}

/// The table and the map that it is to equal.
struct Pair<'s> {
    shape: &'s Shape,
    table: Table,
    model: Model,
}

impl Pair<'_> {
    fn set(&mut self, row: &Row, is_there: bool) {
        let (key, packed) = (self.shape.key_of(row), self.shape.row_of(row));
        let before = if is_there {
            self.model.insert(key.clone(), packed.clone())
        } else {
            self.model.remove(&key)
        };
        let packed = is_there.then_some(packed);
        assert_eq!(self.table.set(self.shape, &key, packed), before);
    }

    fn insert(&mut self, rows: &[(i64, i64, bool)], passes_all: bool) {
        let mut batch = ColumnBatch::empty(&self.shape.types);
        let rows: Vec<(Row, bool)> = rows
            .iter()
            .map(|(key, other, passes)| (row(self.shape, *key, *other), passes_all || *passes))
            .collect();
        let mut expected = ColumnBatch::empty(&self.shape.types);
        let mut n_new = 0;
        for (row, passes) in &rows {
            batch.push(row, 1);
            let key = self.shape.key_of(row);
            if n_new + 1 < batch.len() || self.model.contains_key(&key) {
                continue;
            }
            n_new += 1;
            if *passes {
                expected.push(row, 1);
                self.model.insert(key, self.shape.row_of(row));
            }
        }
        let passing = Passing(rows.iter().map(|(_, passes)| *passes).collect());
        let passing = (!passes_all).then_some(passing);
        let inserted = self.table.insert_new(self.shape, batch.clone(), passing.as_ref());
        assert_eq!((inserted.n_new, &inserted.rows), (n_new, &expected));
        assert_eq!(inserted.batch, (n_new < batch.len()).then_some(batch));
        for (row, passes) in &rows[n_new..] {
            self.set(row, *passes);
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Batch(rows) => self.insert(rows, rows.len().is_multiple_of(2)),
            Step::Ascending(rows) => {
                let key = |n: &i64| self.shape.key_of(&row(self.shape, *n, 0));
                let mut rows = rows.clone();
                rows.sort_by_key(|(n, ..)| key(n));
                rows.dedup_by_key(|(n, ..)| key(n));
                self.insert(&rows, rows.len().is_multiple_of(2));
            }
            Step::Set(key, other) => self.set(&row(self.shape, *key, *other), true),
            Step::Delete(key) => self.set(&row(self.shape, *key, 0), false),
            Step::DeleteAll(from, to) => {
                (*from..*to).for_each(|key| self.set(&row(self.shape, key, 0), false));
            }
        }
    }

    fn compare(&self) {
        let mut rows: Vec<_> = self.table.rows(self.shape).collect();
        rows.sort();
        let all: Model = rows
            .iter()
            .map(|(key, row)| (key.clone().into_owned(), row.clone().into_owned()))
            .collect();
        assert_eq!(rows.len(), all.len(), "a key has one row");
        assert_eq!(all, self.model);
        for key in 0..100 {
            let key = self.shape.key_of(&row(self.shape, key, 0));
            assert_eq!(self.table.get(self.shape, &key).as_deref(), self.model.get(&key));
            assert_eq!(self.table.has(self.shape, &key), self.model.contains_key(&key));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn a_table_is_a_map(
        steps in prop::collection::vec(step(), 0..24),
        n_rows in 1_usize..60,
        at in 0_usize..4,
    ) {
        let shape = &shapes()[at];
        let run = Run::new(BlockSize { n_rows, n_bytes: 1 << 20 });
        let table = Table { run, ..Table::default() };
        let mut pair = Pair { shape, table, model: Model::new() };
        for step in &steps {
            pair.step(step);
            pair.compare();
        }
        for key in 0..100 {
            pair.set(&row(shape, key, 0), false);
        }
        pair.compare();
        let empty = signed(pair.table.run.n_bytes()) - pair.table.n_bytes();
        prop_assert_eq!(empty, -table_bytes(&pair.table.apart), "no byte is counted for no row");
        prop_assert!(pair.table.run.last().is_none(), "blocks without rows have gone");
    }
}

#[test]
fn rows_of_a_file_in_order_take_little_room() {
    let shape = &shapes()[0];
    let mut table = Table::default();
    for first in (0..100_000).step_by(10_000) {
        let mut batch = ColumnBatch::empty(&shape.types);
        for key in first..first + 10_000 {
            let flag = if key % 3 == 0 { "A" } else { "N" };
            let comment = Value::string(flag);
            let values = vec![
                Value::Int(key),
                Value::Decimal((key % 5_000).into()),
                Value::string(flag),
                comment,
            ];
            batch.push(&values.into(), 1);
        }
        let inserted = table.insert_new(shape, batch, None);
        assert_eq!(inserted.n_new, 10_000);
    }
    assert!(table.apart.is_empty());
    // Two bytes for the key, two for the amount, and one for each text, and whether it is there.
    let n_bytes = table.n_bytes();
    assert!((700_000..800_000).contains(&n_bytes), "{n_bytes}");
}
