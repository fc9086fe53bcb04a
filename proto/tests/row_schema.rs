//! The protobuf file of a schema and the rows on the wire are one: a protobuf library that knows the
//! file alone reads every row, finds no field that it does not know, and writes the same bytes.

#![allow(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

use std::sync::Arc;

use arqon_proto::{MessageOf, RowCodec, proto_file};
use arqon_types::{Field, Row, Schema, Type, Value};
use protox::prost_reflect::prost::Message as _;
use protox::prost_reflect::{DescriptorPool, DynamicMessage};

fn list(ty: Type) -> Type {
    Type::List(Box::new(ty))
}

fn map(ty: Type) -> Type {
    Type::Map(Box::new(ty))
}

fn schema() -> Schema {
    let labels = || Type::Enum(["open", "paid"].map(str::to_owned).to_vec().into());
    let line = Type::Struct(vec![
        Field::new("item", Type::String),
        Field::new("price", Type::Decimal(2)),
        Field::new("state", labels()),
    ]);
    let fields = [
        ("id", Type::Int64),
        ("is_new", Type::Bool),
        ("weight", Type::Float32),
        ("height", Type::Float64),
        ("price", Type::Decimal(3)),
        ("text", Type::String),
        ("raw", Type::Bytes),
        ("at", Type::Timestamp),
        ("day", Type::Date),
        ("took", Type::Duration),
        ("key", Type::Uuid),
        ("state", labels()),
        ("line", line.clone()),
        ("lines", list(line.clone())),
        ("numbers", list(Type::Int64)),
        ("states", list(labels())),
        ("table", list(list(Type::Date))),
        ("holes", list(Type::String.optional())),
        ("by_name", map(Type::Int64)),
        ("lines_by_name", map(line.clone())),
        ("lists_by_name", map(list(Type::String))),
        ("note", Type::String.optional()),
        ("perhaps", line.optional()),
        ("tags", list(Type::String).optional()),
        ("dict", map(Type::Bool).optional()),
    ];
    Schema::new("Row", fields.map(|(name, ty)| Field::new(name, ty)).to_vec())
}

fn items(values: impl IntoIterator<Item = Value>) -> Value {
    Value::List(values.into_iter().collect())
}

fn entries(values: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::Map(values.into_iter().map(|(key, value)| (Arc::from(key), value)).collect())
}

fn rows() -> Vec<Row> {
    let line = |state| {
        Value::Struct([Value::string("tea"), Value::Decimal(-250), Value::Enum(state)].into())
    };
    let full: Vec<Value> = vec![
        Value::Int(-7),
        Value::Bool(true),
        Value::float(0.5),
        Value::float(-1e300),
        Value::Decimal(1_234_567),
        Value::string("µ"),
        Value::Bytes(Arc::from([0, 255].as_slice())),
        Value::Timestamp(-1),
        Value::Date(-30_000),
        Value::Duration(86_400_000_000_000),
        Value::Uuid(u128::MAX - 5),
        Value::Enum(1),
        line(0),
        items([line(1), line(0)]),
        items([Value::Int(3), Value::Int(0), Value::Int(-3)]),
        items([Value::Enum(1), Value::Enum(0)]),
        items([items([Value::Date(1), Value::Date(-1)]), items([])]),
        items([Value::None, Value::string(""), Value::string("x")]),
        entries([("a", Value::Int(1)), ("b", Value::Int(-2))]),
        entries([("a", line(1))]),
        entries([("a", items([Value::string("x"), Value::string("y")]))]),
        Value::string("here"),
        line(1),
        items([Value::string("t")]),
        entries([("yes", Value::Bool(true))]),
    ];
    let mut spare = full.clone();
    for none in &mut spare[21..] {
        *none = Value::None;
    }
    vec![full.into(), spare.into()]
}

#[test]
fn a_protobuf_library_reads_the_rows() {
    let schema = schema();
    let about = "shop.rows";
    let text = proto_file("shop", &[MessageOf { name: "Row", schema: &schema, about }]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rows.proto"), &text).unwrap();
    let files = protox::compile(["rows.proto"], [folder.path()])
        .unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    let pool = DescriptorPool::from_file_descriptor_set(files).unwrap();
    let descriptor = pool.get_message_by_name("shop.Row").unwrap();
    let codec = RowCodec::new(schema);
    for row in rows() {
        let mut bytes = Vec::new();
        codec.encode_proto(&row, &mut bytes);
        let read = DynamicMessage::decode(descriptor.clone(), bytes.as_slice())
            .unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_known(&read, &text);
        assert_eq!(codec.decode_proto(&read.encode_to_vec()).unwrap(), row, "{text}");
    }
}

/// No field anywhere that the file does not declare.
fn assert_known(message: &DynamicMessage, text: &str) {
    use protox::prost_reflect::Value as Read;

    assert_eq!(message.unknown_fields().count(), 0, "{message:?}\n{text}");
    let mut open: Vec<&Read> = Vec::new();
    let fields: Vec<_> = message.fields().map(|(_, value)| value.clone()).collect();
    open.extend(&fields);
    while let Some(value) = open.pop() {
        match value {
            Read::Message(inner) => assert_known(inner, text),
            Read::List(items) => open.extend(items),
            Read::Map(entries) => open.extend(entries.values()),
            _ => {}
        }
    }
}
