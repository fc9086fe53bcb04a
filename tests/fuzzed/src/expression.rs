//! Bytes as an expression: read, typed, and computed over two rows.

use std::sync::{Arc, LazyLock};

use arqon_compiler::{compile_aggregate, compile_expression};
use arqon_grammar::parse_expression;
use arqon_operators::eval;
use arqon_types::{
    Dimension, ElementType, Elements, Field, Schema, Tensor, TensorType, Type, Value,
};

use crate::circuit::assert_places;
use crate::tree::assert_expression_places;

/// Reads the bytes as an expression over a row with a field of every type.
///
/// # Panics
/// If a place lies outside the text, a refused expression has no reason, or computing it does not
/// end in a value or an error.
pub fn expression(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (expr, faults) = parse_expression(&text);
    assert_places(&text, &faults);
    assert_expression_places(&text, &expr);
    assert_eq!(expr.is_error(), !faults.is_empty(), "refused with a reason, or read");
    if !faults.is_empty() {
        return;
    }
    let schema = &*SCHEMA;
    match compile_expression(&text, schema) {
        Err(faults) => {
            assert!(!faults.is_empty(), "refused without a reason");
            assert_places(&text, &faults);
        }
        Ok(expr) => {
            for row in [plain(), extreme()] {
                // A value or an error, and the same one twice.
                assert_eq!(eval(&expr, &row), eval(&expr, &row));
            }
        }
    }
    if let Err(faults) = compile_aggregate(&text, schema) {
        assert_places(&text, &faults);
    }
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let labels = ["open", "paid", "void"].map(str::to_owned).to_vec();
    let customer =
        vec![Field::new("name", Type::String), Field::new("age", Type::Int64.optional())];
    let tensor = TensorType { dims: vec![Dimension::Fixed(3)], element: ElementType::F64 };
    let fields = [
        ("id", Type::Int64),
        ("k", Type::Int64.optional()),
        ("s", Type::String),
        ("o", Type::String.optional()),
        ("d", Type::Decimal(2)),
        ("f", Type::Float64),
        ("g", Type::Float32),
        ("b", Type::Bool),
        ("status", Type::Enum(labels.into())),
        ("at", Type::Timestamp),
        ("day", Type::Date),
        ("span", Type::Duration),
        ("u", Type::Uuid),
        ("y", Type::Bytes),
        ("l", Type::List(Box::new(Type::Int64))),
        ("m", Type::Map(Box::new(Type::Int64))),
        ("t", Type::Tensor(tensor)),
        ("c", Type::Struct(customer)),
    ];
    Schema::new("Row", fields.map(|(name, ty)| Field::new(name, ty)).to_vec())
});

fn plain() -> Vec<Value> {
    vec![
        Value::Int(7),
        Value::Int(3),
        Value::string("a word, and more"),
        Value::string("2026-01-01"),
        Value::Decimal(1_250),
        Value::float(2.5),
        Value::float(0.5),
        Value::Bool(true),
        Value::Enum(1),
        Value::Timestamp(1_767_225_600_000_000_000),
        Value::Date(20_454),
        Value::Duration(60_000_000_000),
        Value::Uuid(1 << 100),
        Value::Bytes(Arc::from(&b"bytes"[..])),
        Value::List([2, 3, 5].map(Value::Int).to_vec().into()),
        Value::map([(Arc::from("a"), Value::Int(1))]),
        tensor([1.0, 2.0, 4.0]),
        Value::Struct(vec![Value::string("Ada"), Value::Int(36)].into()),
    ]
}

/// The ends of every type, and what is absent or empty.
fn extreme() -> Vec<Value> {
    vec![
        Value::Int(i64::MIN),
        Value::None,
        Value::string(""),
        Value::None,
        Value::Decimal(-(10_i128.pow(38) - 1)),
        Value::float(f64::NAN),
        Value::float(f64::from(f32::MAX)),
        Value::Bool(false),
        Value::Enum(2),
        Value::Timestamp(i64::MAX),
        Value::Date(i32::MIN),
        Value::Duration(i64::MIN),
        Value::Uuid(u128::MAX),
        Value::Bytes(Arc::from(&b""[..])),
        Value::List(Vec::new().into()),
        Value::map([]),
        tensor([f64::INFINITY, f64::NAN, f64::MIN]),
        Value::Struct(vec![Value::string("\u{1F980}e\u{301}"), Value::None].into()),
    ]
}

fn tensor(numbers: [f64; 3]) -> Value {
    let elements = Elements::F64(numbers.to_vec());
    Value::Tensor(Tensor::vector(elements).expect("three elements").into())
}
