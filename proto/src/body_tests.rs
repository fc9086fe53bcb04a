//! Rows and bodies from JSON and back.

use arqon_types::{
    Change, ColumnBatch, Dimension, Discipline, ElementType, Elements, Field, Row, Schema, Tensor,
    TensorType, TimeUnit, TimeUnits, Type, Value,
};
use proptest::prelude::*;

use super::BodyCodec;
use crate::row_read::{RowCodec, decode_value};

fn order_schema() -> Schema {
    let labels = ["open", "paid", "void"].map(str::to_owned).to_vec();
    Schema::new(
        "Order",
        vec![
            Field::new("id", Type::Int64),
            Field::new("amount", Type::Decimal(2)),
            Field::new("status", Type::Enum(labels.into())),
            Field::new("note", Type::String.optional()),
            Field::new("tags", Type::List(Box::new(Type::Float64))),
            Field::new(
                "place",
                Type::Struct(vec![
                    Field::new("at", Type::Timestamp),
                    Field::new("day", Type::Date),
                ])
                .optional(),
            ),
        ],
    )
}

const FULL: &str = r#"{"id":9223372036854775807,"amount":"170141183460469231731687303715884105.72","status":"paid","note":"a\"b","tags":[1.5,"NaN"],"place":{"at":"2026-01-01T00:00:00.5Z","day":"2026-01-31"}}"#;

#[test]
fn rows_are_read_and_written_with_all_digits() {
    let codec = RowCodec::new(order_schema());
    let row = codec.decode(FULL).unwrap();
    assert_eq!(codec.to_json(&row), FULL);
    let mut batch = ColumnBatch::empty(codec.types());
    codec.decode_into(FULL, 1, &mut batch).unwrap();
    assert_eq!(batch.row(0, codec.types()), row);
    let mut out = Vec::new();
    codec.encode_row_of(&batch, 0, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), FULL);
}

#[test]
fn numbers_and_strings_are_both_accepted_and_exact() {
    let decimal = |json| decode_value(json, &Type::Decimal(2), TimeUnits::none()).unwrap();
    assert_eq!(decimal("30"), Value::Decimal(3000));
    assert_eq!(decimal("0.1"), Value::Decimal(10));
    assert_eq!(decimal("90071992547409.93"), Value::Decimal(9_007_199_254_740_993));
    assert_eq!(decimal("\"1.5e1\""), Value::Decimal(1500));
    assert_eq!(decode_value("\"-7\"", &Type::Int64, TimeUnits::none()), Ok(Value::Int(-7)));
    assert_eq!(decode_value("3", &Type::Float64, TimeUnits::none()), Ok(Value::float(3.0)));
    assert_eq!(decode_value("0.1", &Type::Float64, TimeUnits::none()), Ok(Value::float(0.1)));
}

#[test]
fn faults_name_the_field_and_the_reason() {
    let cases = [
        (r#"{"id":1.5}"#, "id", "expects int64, found floating point `1.5`"),
        (
            r#"{"id":9223372036854775808}"#,
            "id",
            "does not fit: 9223372036854775808 is out of the range of int64",
        ),
        (
            r#"{"id":"9223372036854775808"}"#,
            "id",
            "does not fit: 9223372036854775808 is out of the range of int64",
        ),
        (r#"{"id":null}"#, "id", "expects int64, found null"),
        (
            r#"{"id":1,"amount":"1.005"}"#,
            "amount",
            "does not fit: `1.005` has 3 digits after the point, the type holds 2",
        ),
        (r#"{"id":1,"amount":true}"#, "amount", "expects decimal<2>, found true"),
        (
            r#"{"id":1,"status":"lost"}"#,
            "status",
            "expects one of open, paid, void, found \"lost\"",
        ),
        (
            r#"{"id":1,"tags":[1,1e400]}"#,
            "tags[1]",
            "does not fit: 1e400 is out of the range of float64",
        ),
        (
            r#"{"id":1,"place":{"at":"2026-01-01T00:00:00"}}"#,
            "place.at",
            "does not fit: `2026-01-01T00:00:00` is not a timestamp; write it as 2026-01-01T00:00:00Z",
        ),
        (
            r#"{"id":1,"place":{"att":1}}"#,
            "place.att",
            "is not a field of the struct; did you mean `at`?",
        ),
        (r#"{"id":1,"amonut":"1"}"#, "amonut", "is not a field of Order; did you mean `amount`?"),
        (r#"{"id":1,"id":2}"#, "id", "stands twice"),
        (r#"{"id":1}"#, "amount", "is missing"),
        (r#"{"id":1,"tags":7}"#, "tags", "expects list<float64>, found integer `7`"),
        ("[1]", "", "expects an object with the fields of Order, found sequence"),
        ("{\"id\":1", "", "is not JSON: EOF while parsing an object (column 7)"),
    ];
    let codec = RowCodec::new(order_schema());
    let mut batch = ColumnBatch::empty(codec.types());
    let body = BodyCodec::new(order_schema(), Discipline::Full, &["id".to_owned()]);
    for (json, field, reason) in cases {
        let fault = codec.decode(json).unwrap_err();
        assert_eq!((fault.field.as_str(), fault.reason.as_str()), (field, reason), "{json}");
        assert_eq!(codec.decode_into(json, 1, &mut batch), Err(fault.clone()), "{json}");
        assert_eq!(body.decode(json), Err(fault.clone()), "{json}");
        assert_eq!(body.decode_into(json, &mut batch), Err(fault), "{json}");
        assert_eq!(batch, ColumnBatch::empty(codec.types()), "{json}");
    }
}

#[test]
fn deep_nesting_is_refused() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let fault = decode_value(&deep, &Type::Float64, TimeUnits::none()).unwrap_err();
    assert_eq!(fault.reason, "expects float64, found a list");
    let fault = decode_value(&deep, &Type::Int64, TimeUnits::none()).unwrap_err();
    assert_eq!(fault.reason, "expects int64, found sequence");
    let codec = RowCodec::new(order_schema());
    for field in ["id", "tags", "place", "$row"] {
        assert!(codec.decode(&format!("{{\"{field}\":{deep}}}")).is_err(), "{field}");
    }
    let endless = "{\"place\":".repeat(10_000);
    assert!(codec.decode(&endless).is_err());
}

#[test]
fn bodies_mean_changes_by_discipline() {
    let schema =
        Schema::new("S", vec![Field::new("id", Type::Int64), Field::new("n", Type::Int64)]);
    let key = ["id".to_owned()];
    let codec = |discipline| BodyCodec::new(schema.clone(), discipline, &key);
    let row = || Row::from(vec![Value::Int(1), Value::Int(2)]);
    let plain = r#"{"n":2,"id":1}"#;
    assert_eq!(codec(Discipline::Events).decode(plain), Ok(Change::Insert(row())));
    assert_eq!(codec(Discipline::Full).decode(plain), Ok(Change::Upsert(row())));
    assert_eq!(codec(Discipline::Delta).decode(plain), Ok(Change::Diff { row: row(), diff: 1 }));
    let delete = r#"{"$delete":{"id":1}}"#;
    let gone = Change::Delete(vec![Value::Int(1)].into());
    assert_eq!(codec(Discipline::Full).decode(delete), Ok(gone));
    assert_eq!(codec(Discipline::Delta).decode(delete).unwrap_err().field, "$delete");
    let signed = r#"{"$epoch":7,"$diff":-2,"$row":{"id":1,"n":2}}"#;
    let taken = Change::Diff { row: row(), diff: -2 };
    assert_eq!(codec(Discipline::Delta).decode(signed), Ok(taken.clone()));
    let swapped = r#"{"$row":{"id":1,"n":2},"$diff":-2}"#;
    assert_eq!(codec(Discipline::Delta).decode(swapped), Ok(taken.clone()));
    assert_eq!(codec(Discipline::Events).decode(signed).unwrap_err().field, "$diff");
    assert_eq!(codec(Discipline::Full).decode(signed).unwrap_err().field, "$diff");
    let mut batch = ColumnBatch::empty(codec(Discipline::Delta).rows().types());
    assert_eq!(codec(Discipline::Delta).decode_into(plain, &mut batch), Ok(None));
    assert_eq!(codec(Discipline::Delta).decode_into(signed, &mut batch), Ok(Some(taken)));
    assert_eq!((batch.row(0, &[Type::Int64, Type::Int64]), batch.diffs), (row(), vec![1]));
    for (odd, field) in [
        (r#"{"$diff":0,"$row":{"id":1,"n":2}}"#, "$diff"),
        (r#"{"$diff":1}"#, "$row"),
        (r#"{"$diff":1,"n":2}"#, "n"),
        (r#"{"$delete":{"id":1},"n":2}"#, "$delete"),
        (r#"{"$diff":1,"$row":{"id":1}}"#, "n"),
        (r#"{"$row":{"id":1,"n":2}}"#, "$diff"),
    ] {
        let codec =
            codec(if odd.contains("delete") { Discipline::Full } else { Discipline::Delta });
        assert_eq!(codec.decode(odd).unwrap_err().field, field, "{odd}");
    }
}

fn any_value(ty: &Type) -> BoxedStrategy<Value> {
    match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Int64 => any::<i64>().prop_map(Value::Int).boxed(),
        Type::Float32 => any::<f32>().prop_map(Value::float32).boxed(),
        Type::Float64 => any::<f64>().prop_map(Value::float).boxed(),
        Type::Bytes => proptest::collection::vec(any::<u8>(), 0..5)
            .prop_map(|bytes| Value::Bytes(bytes.into()))
            .boxed(),
        Type::Map(inner) => proptest::collection::vec((".{0,3}", any_value(inner)), 0..3)
            .prop_map(|entries| {
                Value::map(entries.into_iter().map(|(key, value)| (key.into(), value)))
            })
            .boxed(),
        Type::Tensor(tensor) => any_tensor(tensor.element),
        // The least i128 has no negation, and no decimal text leads to it.
        Type::Decimal(_) => (i128::MIN + 1..=i128::MAX).prop_map(Value::Decimal).boxed(),
        Type::String => ".*".prop_map(|text| Value::string(&text)).boxed(),
        Type::Timestamp => any::<i64>().prop_map(Value::Timestamp).boxed(),
        Type::Date => (-700_000..2_900_000_i32).prop_map(Value::Date).boxed(),
        Type::Duration => (i64::MIN + 1..=i64::MAX).prop_map(Value::Duration).boxed(),
        Type::Uuid => any::<u128>().prop_map(Value::Uuid).boxed(),
        Type::Enum(labels) => {
            (0..u32::try_from(labels.len()).unwrap()).prop_map(Value::Enum).boxed()
        }
        Type::Option(inner) => prop_oneof![Just(Value::None), any_value(inner)].boxed(),
        Type::List(inner) => proptest::collection::vec(any_value(inner), 0..4)
            .prop_map(|items| Value::List(items.into()))
            .boxed(),
        Type::Struct(fields) => fields
            .iter()
            .map(|field| any_value(&field.ty))
            .collect::<Vec<_>>()
            .prop_map(|values| Value::Struct(values.into()))
            .boxed(),
    }
}

/// A tensor of two dimensions, the second of which is 3.
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
            elements(n as usize * 3).prop_map(move |elements| {
                Value::Tensor(Tensor::try_new(vec![n, 3], elements).unwrap().into())
            })
        })
        .boxed()
}

fn tensor(element: ElementType) -> Type {
    let dims = vec![Dimension::Symbol("N".to_owned()), Dimension::Fixed(3)];
    Type::Tensor(TensorType { dims, element })
}

fn every_type() -> Schema {
    let mut schema = order_schema();
    schema.fields.extend([
        Field::new("u", Type::Uuid),
        Field::new("d", Type::Duration),
        Field::new("t", Type::Timestamp),
        Field::new("b", Type::Bool.optional()),
        Field::new("f", Type::Float64.optional()),
        Field::new("l", Type::List(Box::new(Type::Decimal(9).optional())).optional()),
        Field::new("f32", Type::Float32),
        Field::new("f32s", Type::List(Box::new(Type::Float32)).optional()),
        Field::new("bytes", Type::Bytes),
        Field::new("blobs", Type::List(Box::new(Type::Bytes.optional()))),
        Field::new("m", Type::Map(Box::new(Type::Int64))),
        Field::new(
            "mm",
            Type::Map(Box::new(Type::Map(Box::new(Type::Bytes)).optional())).optional(),
        ),
        Field::new(
            "ml",
            Type::List(Box::new(Type::Map(Box::new(Type::List(Box::new(Type::Bool)))))),
        ),
        Field::new("tf32", tensor(ElementType::F32)),
        Field::new("tf64", tensor(ElementType::F64).optional()),
        Field::new("ti64", Type::List(Box::new(tensor(ElementType::I64)))),
        Field::new("tu8", tensor(ElementType::U8)),
        Field::new("tbool", Type::Map(Box::new(tensor(ElementType::Bool)))),
    ]);
    schema
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(row in any_value(&Type::Struct(every_type().fields))) {
        let codec = RowCodec::new(every_type());
        let Value::Struct(values) = row else { unreachable!("a struct was asked for") };
        let json = codec.to_json(&values);
        let read = codec.decode(&json).unwrap();
        prop_assert_eq!(read.as_ref(), values.as_ref());
        let mut batch = ColumnBatch::empty(codec.types());
        codec.decode_into(&json, 1, &mut batch).unwrap();
        let row = batch.row(0, codec.types());
        prop_assert_eq!(row.as_ref(), values.as_ref());
        let mut out = Vec::new();
        codec.encode_row_of(&batch, 0, &mut out);
        prop_assert_eq!(out, json.into_bytes());
        let mut message = Vec::new();
        codec.encode_proto(&values, &mut message);
        let read = codec.decode_proto(&message).unwrap();
        prop_assert_eq!(read.as_ref(), values.as_ref());
    }

    #[test]
    fn no_bytes_make_the_proto_reader_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let codec = RowCodec::new(every_type());
        if let Ok(row) = codec.decode_proto(&bytes) {
            prop_assert_eq!(row.len(), every_type().fields.len());
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(json in "[{\\[\"a-z$:,0-9.eE\\]}\\\\ -]{0,60}") {
        let codec = BodyCodec::new(every_type(), Discipline::Delta, &["id".to_owned()]);
        if let Ok(change) = codec.decode(&json) {
            panic!("{json} has not all fields, yet is {change:?}");
        }
    }
}

#[test]
fn integers_are_times_where_the_field_says_what_they_count() {
    let inner = Type::Struct(vec![Field::new("at", Type::Timestamp)]);
    let fields = vec![
        Field::new("at", Type::Timestamp),
        Field::new("plain", Type::Timestamp.optional()),
        Field::new("parts", Type::List(Box::new(inner))),
    ];
    let mut units = TimeUnits::default();
    let mut within = TimeUnits::default();
    within.insert("at", TimeUnits::of(TimeUnit::Seconds));
    units.insert("at", TimeUnits::of(TimeUnit::Milliseconds));
    units.insert("parts", within);
    let schema = Schema::new("Tick", fields).with_units(units);
    let codec = BodyCodec::new(schema, Discipline::Full, &["at".to_owned()]);

    let written = r#"{"at":1500,"parts":[{"at":1},{"at":"2"},{"at":"1970-01-01T00:00:03Z"}]}"#;
    let row = codec.rows().decode(written).unwrap();
    let text = r#"{"at":"1970-01-01T00:00:01.5Z","plain":null,"parts":[{"at":"1970-01-01T00:00:01Z"},{"at":"1970-01-01T00:00:02Z"},{"at":"1970-01-01T00:00:03Z"}]}"#;
    assert_eq!(codec.rows().to_json(&row), text);
    assert_eq!(codec.decode(written), Ok(Change::Upsert(row.clone())));
    let mut batch = ColumnBatch::empty(codec.rows().types());
    assert_eq!(codec.decode_into(written, &mut batch), Ok(None));
    assert_eq!(batch.row(0, codec.rows().types()), row);
    let key = Row::from(vec![Value::Timestamp(1_500_000_000)]);
    assert_eq!(codec.decode(r#"{"$delete":{"at":1500}}"#), Ok(Change::Delete(key)));

    let reason = |json: &str| codec.decode(json).unwrap_err().to_string();
    assert_eq!(
        reason(r#"{"at":1,"plain":1767225600000,"parts":[]}"#),
        "field `plain` expects timestamp, found the integer 1767225600000; write it as \
         2026-01-01T00:00:00Z, or declare the field as { type: timestamp, unit: ms }"
    );
    for (at, why) in [
        (
            "9223372036855",
            "field `at` does not fit: 9223372036855 ms is out of the range of timestamp",
        ),
        (
            "18446744073709551615",
            "field `at` does not fit: 18446744073709551615 is out of the range of timestamp",
        ),
        ("1.5", "field `at` expects timestamp, found floating point `1.5`"),
    ] {
        assert_eq!(reason(&format!(r#"{{"at":{at},"parts":[]}}"#)), why);
    }
}
