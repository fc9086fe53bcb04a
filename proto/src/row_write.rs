//! Rows to JSON text: fields in schema order, every digit of a decimal, shortest floats.

use arqon_types::{
    Column, ColumnBatch, Elements, Field, Float, Tensor, Type, Value, format_base64, format_date,
    format_decimal, format_duration, format_timestamp,
};
use serde::{Deserialize, Serialize};

use crate::row_read::RowCodec;

/// How the JSON view writes int64 values of rows; either is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Int64Form {
    /// As numbers.
    #[default]
    Number,
    /// As strings, for readers whose numbers are floats.
    String,
}

impl Int64Form {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
    pub(crate) fn is_number(&self) -> bool {
        *self == Self::Number
    }
}

impl RowCodec {
    /// Appends the row as a JSON object to `out`.
    ///
    /// # Panics
    /// If the values are not of the schema.
    pub fn encode(&self, row: &[Value], out: &mut Vec<u8>) {
        self.encode_as(row, Int64Form::Number, out);
    }

    /// Appends the row as a JSON object to `out`, with int64 values as `int64` says.
    ///
    /// # Panics
    /// If the values are not of the schema.
    pub fn encode_as(&self, row: &[Value], int64: Int64Form, out: &mut Vec<u8>) {
        write_struct(row, &self.schema().fields, int64, out);
    }

    /// Appends the row at `row_idx` of a batch of this schema as a JSON object to `out`.
    ///
    /// # Panics
    /// If the batch is not of the schema.
    pub fn encode_row_of(&self, batch: &ColumnBatch, row_idx: usize, out: &mut Vec<u8>) {
        out.push(b'{');
        for (field_idx, (field, column)) in
            self.schema().fields.iter().zip(&batch.columns).enumerate()
        {
            write_name(field_idx, &field.name, out);
            write_cell(column, row_idx, &field.ty, out);
        }
        out.push(b'}');
    }

    /// The row as JSON text.
    ///
    /// # Panics
    /// If the values are not of the schema.
    pub fn to_json(&self, row: &[Value]) -> String {
        let mut out = Vec::new();
        self.encode(row, &mut out);
        String::from_utf8(out).expect("JSON is written as UTF-8")
    }
}

/// Appends `value` of `ty` as JSON text to `out`.
///
/// # Panics
/// If the value is not of the type.
pub fn encode_value(value: &Value, ty: &Type, out: &mut Vec<u8>) {
    write_value(value, ty, Int64Form::Number, out);
}

fn write_value(value: &Value, ty: &Type, int64: Int64Form, out: &mut Vec<u8>) {
    match (value, ty.required()) {
        (Value::None, _) => out.extend_from_slice(b"null"),
        (Value::Bool(value), _) => write_bool(*value, out),
        (Value::Int(value), _) => match int64 {
            Int64Form::Number => write_json(value, out),
            Int64Form::String => write_plain(&value.to_string(), out),
        },
        (Value::Float(value), Type::Float32) => write_single(value.to_f32(), out),
        (Value::Float(value), _) => write_float(*value, out),
        (Value::Decimal(units), Type::Decimal(scale)) => {
            write_plain(&format_decimal(*units, *scale), out);
        }
        (Value::String(text), _) => write_json(text.as_ref(), out),
        (Value::Bytes(bytes), _) => write_plain(&format_base64(bytes), out),
        (Value::Map(entries), Type::Map(inner)) => {
            out.push(b'{');
            for (entry_idx, (key, value)) in entries.iter().enumerate() {
                if entry_idx > 0 {
                    out.push(b',');
                }
                write_json(key.as_ref(), out);
                out.push(b':');
                write_value(value, inner, int64, out);
            }
            out.push(b'}');
        }
        (Value::Tensor(tensor), _) => write_tensor(tensor, int64, out),
        (Value::Timestamp(nanoseconds), _) => write_plain(&format_timestamp(*nanoseconds), out),
        (Value::Date(days), _) => write_plain(&format_date(*days), out),
        (Value::Duration(nanoseconds), _) => write_plain(&format_duration(*nanoseconds), out),
        (Value::Uuid(bits), _) => write_plain(&uuid::Uuid::from_u128(*bits).to_string(), out),
        (Value::Enum(place), Type::Enum(labels)) => write_json(&labels[*place as usize], out),
        (Value::List(items), Type::List(inner)) => {
            out.push(b'[');
            for (item_idx, item) in items.iter().enumerate() {
                if item_idx > 0 {
                    out.push(b',');
                }
                write_value(item, inner, int64, out);
            }
            out.push(b']');
        }
        (Value::Struct(values), Type::Struct(fields)) => write_struct(values, fields, int64, out),
        (
            Value::Decimal(_) | Value::Enum(_) | Value::List(_) | Value::Map(_) | Value::Struct(_),
            ty,
        ) => {
            panic!("{value:?} is not of type {ty}")
        }
    }
}

fn write_cell(column: &Column, row_idx: usize, ty: &Type, out: &mut Vec<u8>) {
    match (column, ty) {
        (Column::Option { present, values }, ty) => {
            if present[row_idx] {
                write_cell(values, row_idx, ty.required(), out);
            } else {
                out.extend_from_slice(b"null");
            }
        }
        (Column::Int(values), Type::Int64) => write_json(&values[row_idx], out),
        (Column::String(values), _) => write_json(values.get(row_idx), out),
        (Column::Bool(values), _) => write_bool(values[row_idx], out),
        (Column::Float(values), Type::Float64) => write_float(Float::new(values[row_idx]), out),
        (column, ty) => encode_value(&column.value(row_idx, ty), ty, out),
    }
}

fn write_struct(values: &[Value], fields: &[Field], int64: Int64Form, out: &mut Vec<u8>) {
    assert_eq!(values.len(), fields.len(), "a row has the schema's fields");
    out.push(b'{');
    for (field_idx, (value, field)) in values.iter().zip(fields).enumerate() {
        write_name(field_idx, &field.name, out);
        write_value(value, &field.ty, int64, out);
    }
    out.push(b'}');
}

fn write_name(field_idx: usize, name: &str, out: &mut Vec<u8>) {
    if field_idx > 0 {
        out.push(b',');
    }
    write_plain(name, out);
    out.push(b':');
}

/// Writes a text that needs no escape.
fn write_plain(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

fn write_bool(value: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

fn write_float(value: Float, out: &mut Vec<u8>) {
    let number = value.get();
    if number.is_nan() {
        write_plain("NaN", out);
    } else if number == f64::INFINITY {
        write_plain("Infinity", out);
    } else if number == f64::NEG_INFINITY {
        write_plain("-Infinity", out);
    } else {
        write_json(&number, out);
    }
}

fn write_single(number: f32, out: &mut Vec<u8>) {
    if number.is_finite() {
        write_json(&number, out);
    } else {
        write_float(Float::new(f64::from(number)), out);
    }
}

fn write_tensor(tensor: &Tensor, int64: Int64Form, out: &mut Vec<u8>) {
    write_axis(tensor, tensor.shape(), 0, int64, out);
}

/// The elements from `first` on, nested by the sizes that are left of the shape.
fn write_axis(tensor: &Tensor, shape: &[u32], first: usize, int64: Int64Form, out: &mut Vec<u8>) {
    let Some((size, below)) = shape.split_first() else {
        return match tensor.elements() {
            Elements::F32(values) => write_single(values[first], out),
            Elements::F64(values) => write_float(Float::new(values[first]), out),
            Elements::I64(values) => {
                write_value(&Value::Int(values[first]), &Type::Int64, int64, out);
            }
            Elements::U8(values) => write_json(&values[first], out),
            Elements::Bool(values) => write_bool(values[first], out),
        };
    };
    let step: usize = below.iter().map(|size| *size as usize).product();
    out.push(b'[');
    for at in 0..*size as usize {
        if at > 0 {
            out.push(b',');
        }
        write_axis(tensor, below, first + at * step, int64, out);
    }
    out.push(b']');
}

fn write_json<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("writing to memory cannot fail");
}
