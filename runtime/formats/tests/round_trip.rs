//! What is written is read back: deltas and snapshots, all types, every awkward value.

#![expect(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

use arqon_formats::{InputFile, InputOptions, InputRows, Location, OutputFile, OutputKind};
use arqon_proto::BodyCodec;
use arqon_types::{
    Change, DeltaBatch, Dimension, Discipline, ElementType, Elements, Epoch, Field, Row, Schema,
    Tensor, TensorType, TopicName, Type, Update, Value, consolidate,
};
use proptest::prelude::*;

/// One field of each type, the compound ones with parts.
fn schema() -> Schema {
    let types = [
        Type::Bool,
        Type::Int64,
        Type::Float64,
        Type::Decimal(2),
        Type::String,
        Type::Timestamp,
        Type::Date,
        Type::Duration,
        Type::Uuid,
        Type::Enum(vec!["open".into(), "paid".into()].into()),
        Type::List(Box::new(Type::Float64.optional())),
        Type::Struct(vec![
            Field::new("a", Type::String),
            Field::new("b", Type::List(Box::new(Type::Decimal(3)))),
        ]),
        Type::Int64.optional(),
        Type::Timestamp.optional(),
        Type::Struct(vec![Field::new("x", Type::String.optional())]).optional(),
        Type::Float32,
        Type::Float32.optional(),
        Type::Bytes,
        Type::List(Box::new(Type::Bytes.optional())),
        Type::Map(Box::new(Type::Float32.optional())),
        Type::Map(Box::new(Type::List(Box::new(Type::String)))).optional(),
        tensor(ElementType::F32),
        tensor(ElementType::F64).optional(),
        tensor(ElementType::I64),
        tensor(ElementType::U8),
        Type::List(Box::new(tensor(ElementType::Bool))),
    ];
    let field = |(at, ty)| Field::new(format!("f{at}"), ty);
    Schema::new("All", types.into_iter().enumerate().map(field).collect())
}

fn tensor(element: ElementType) -> Type {
    let dims = vec![Dimension::Symbol("N".to_owned()), Dimension::Fixed(2)];
    Type::Tensor(TensorType { dims, element })
}

/// A tensor of up to two rows of two elements.
fn any_tensor(element: ElementType) -> BoxedStrategy<Value> {
    let elements = move |n: usize| match element {
        ElementType::F32 => {
            proptest::collection::vec(any::<f32>(), n).prop_map(Elements::F32).boxed()
        }
        ElementType::F64 => {
            proptest::collection::vec(any::<f64>(), n).prop_map(Elements::F64).boxed()
        }
        ElementType::I64 => {
            proptest::collection::vec(any::<i64>(), n).prop_map(Elements::I64).boxed()
        }
        ElementType::U8 => proptest::collection::vec(any::<u8>(), n).prop_map(Elements::U8).boxed(),
        ElementType::Bool => {
            proptest::collection::vec(any::<bool>(), n).prop_map(Elements::Bool).boxed()
        }
    };
    (0_u32..3)
        .prop_flat_map(move |n| {
            elements(n as usize * 2).prop_map(move |elements| {
                Value::Tensor(Tensor::try_new(vec![n, 2], elements).unwrap().into())
            })
        })
        .boxed()
}

fn any_value(ty: &Type) -> BoxedStrategy<Value> {
    match ty {
        Type::Float32 => prop_oneof![any::<f32>(), Just(f32::NAN), Just(1e-45), Just(0.1)]
            .prop_map(Value::float32)
            .boxed(),
        Type::Bytes => proptest::collection::vec(any::<u8>(), 0..6)
            .prop_map(|bytes| Value::Bytes(bytes.into()))
            .boxed(),
        Type::Map(inner) => proptest::collection::vec((".{0,3}", any_value(inner)), 0..3)
            .prop_map(|entries| {
                Value::map(entries.into_iter().map(|(key, value)| (key.into(), value)))
            })
            .boxed(),
        Type::Tensor(tensor) => any_tensor(tensor.element),
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Int64 => {
            prop_oneof![any::<i64>(), Just(i64::MIN), -9i64..9].prop_map(Value::Int).boxed()
        }
        Type::Float64 => prop_oneof![
            any::<f64>(),
            Just(f64::NAN),
            Just(f64::INFINITY),
            Just(f64::NEG_INFINITY),
            Just(-0.0),
            Just(1e300),
            Just(5e-324),
            (-9i32..9).prop_map(f64::from),
        ]
        .prop_map(Value::float)
        .boxed(),
        Type::Decimal(_) => prop_oneof![any::<i64>().prop_map(i128::from), Just(i128::MAX)]
            .prop_map(Value::Decimal)
            .boxed(),
        Type::String => prop_oneof![
            ".*",
            "[\",\\r\\n\\\\ \u{0}-\u{1f}]{0,5}",
            Just("NaN".to_owned()),
            Just("é\"\n\r\n,\u{2028}😀\r".to_owned()),
        ]
        .prop_map(|text: String| Value::string(&text))
        .boxed(),
        Type::Timestamp => any::<i64>().prop_map(Value::Timestamp).boxed(),
        Type::Date => (-900_000..900_000).prop_map(Value::Date).boxed(),
        Type::Duration => (i64::MIN + 1..=i64::MAX).prop_map(Value::Duration).boxed(),
        Type::Uuid => any::<u128>().prop_map(Value::Uuid).boxed(),
        Type::Enum(labels) => {
            let n_labels = u32::try_from(labels.len()).unwrap();
            (0..n_labels).prop_map(Value::Enum).boxed()
        }
        Type::List(inner) => proptest::collection::vec(any_value(inner), 0..3)
            .prop_map(|items| Value::List(items.into()))
            .boxed(),
        Type::Struct(fields) => fields
            .iter()
            .map(|field| any_value(&field.ty))
            .collect::<Vec<_>>()
            .prop_map(|values| Value::Struct(values.into()))
            .boxed(),
        Type::Option(inner) => prop_oneof![Just(Value::None), any_value(inner)].boxed(),
    }
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    let values: Vec<_> = schema().fields.iter().map(|field| any_value(&field.ty)).collect();
    proptest::collection::vec(values.prop_map(Row::from), 0..8)
}

fn delta(updates: Vec<Update>) -> DeltaBatch {
    let topic = TopicName::parse("all").unwrap();
    DeltaBatch { topic, lower: Epoch(1), upper: Epoch(9), updates }
}

fn write(name: &str, kind: OutputKind, updates: Vec<Update>) -> (tempfile::TempDir, Location) {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::parse(directory.path().join(name).to_str().unwrap()).unwrap();
    let mut output = OutputFile::create(&location, &schema(), kind).unwrap();
    output.write(&delta(updates)).unwrap();
    assert_eq!(output.finish().unwrap(), 0);
    (directory, location)
}

fn read(location: &Location, discipline: Discipline) -> Vec<Change> {
    let codec = BodyCodec::new(schema(), discipline, &[]);
    let mut input = InputFile::open(location, &codec, InputOptions::default()).unwrap();
    let mut all = Vec::new();
    while let Some(batch) = input.next_batch(4).unwrap() {
        assert_eq!(batch.faults, []);
        match batch.rows {
            InputRows::Columns(columns) => all.extend((0..columns.len()).map(|at| {
                let row = columns.row(at, &schema().types());
                codec.change_of(row)
            })),
            InputRows::Changes(changes) => all.extend(changes),
        }
    }
    all
}

fn copies(rows: &[Row]) -> Vec<Update> {
    rows.iter()
        .enumerate()
        .map(|(at, row)| Update {
            row: row.clone(),
            epoch: Epoch(1),
            diff: i64::try_from(at % 3).unwrap() + 1,
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn deltas_are_read_back(
        rows in any_rows(),
        signs in proptest::collection::vec(any::<bool>(), 8),
    ) {
        let mut updates = copies(&rows);
        for (update, keep) in updates.iter_mut().zip(signs) {
            update.diff = if keep { update.diff } else { -update.diff };
        }
        consolidate(&mut updates);
        let expected: Vec<Change> = updates
            .iter()
            .map(|update| Change::Diff { row: update.row.clone(), diff: update.diff })
            .collect();
        for name in ["all.ndjson", "all.ndjson.gz", "all.ndjson.zst"] {
            let (_directory, location) = write(name, OutputKind::Deltas, updates.clone());
            prop_assert_eq!(&read(&location, Discipline::Delta), &expected);
        }
    }

    #[test]
    fn snapshots_are_read_back_in_order(rows in any_rows()) {
        let updates = copies(&rows);
        let mut expected: Vec<Row> = updates
            .iter()
            .flat_map(|update| (0..update.diff).map(|_| update.row.clone()))
            .collect();
        expected.sort();
        let expected: Vec<Change> = expected.into_iter().map(Change::Insert).collect();
        for name in ["all.ndjson", "all.csv", "all.csv.gz", "all.csv.zst", "all.parquet"] {
            let (_directory, location) = write(name, OutputKind::Snapshot, updates.clone());
            prop_assert_eq!(&read(&location, Discipline::Events), &expected, "{}", name);
        }
    }
}

#[test]
fn deltas_are_written_as_documented() {
    let schema = Schema::new(
        "R",
        vec![Field::new("region", Type::String), Field::new("revenue", Type::Decimal(2))],
    );
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.ndjson");
    let location = Location::parse(path.to_str().unwrap()).unwrap();
    let mut output = OutputFile::create(&location, &schema, OutputKind::Deltas).unwrap();
    let row = |units| vec![Value::string("EU"), Value::Decimal(units)].into();
    let updates = vec![
        Update { row: row(4200), epoch: Epoch(7), diff: -1 },
        Update { row: row(1200), epoch: Epoch(7), diff: 1 },
    ];
    output.write(&delta(updates)).unwrap();
    output.finish().unwrap();
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        "{\"$epoch\":7,\"$diff\":-1,\"$row\":{\"region\":\"EU\",\"revenue\":\"42.00\"}}\n\
         {\"$epoch\":7,\"$diff\":1,\"$row\":{\"region\":\"EU\",\"revenue\":\"12.00\"}}\n"
    );
}
