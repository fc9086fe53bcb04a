//! Rows as protobuf messages of their schema: field numbers in declaration order, from 1.
//!
//! | type | field |
//! | --- | --- |
//! | bool | `bool` |
//! | int64, timestamp (ns), duration (ns) | `int64` |
//! | date | `int32`, days since 1970-01-01 |
//! | enum | `enum`, labels numbered from 0 |
//! | float32, float64 | `float`, `double` |
//! | decimal, string | `string`; a decimal with all its digits |
//! | uuid, bytes | `bytes`; 16 of them for a uuid |
//! | struct | a message |
//! | `list<T>` | `repeated`, numbers packed; an item that is a list or option stands in field 1 of a message |
//! | `map<T>` | `repeated`, by key: messages with the key in field 1 and the value in field 2 |
//! | `tensor<…>` | a message: the sizes, packed `uint32`, in field 1; the elements in field 2, bytes in row-major order, little-endian |
//! | `option<T>` | `optional`; an optional list or map is a message with it in field 1 |
//!
//! As in proto3, an absent number, text, list or map is its default; an absent decimal, uuid,
//! tensor or struct that is no option is a fault. Unknown fields are a fault: schemas are exact.

use std::sync::Arc;

use arqon_types::{
    Field, Row, Tensor, TensorType, Type, Value, format_decimal, parse_decimal, shape_text,
};
use prost::bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

use crate::row_error::RowError;
use crate::row_read::RowCodec;
use crate::tensor_read::{elements_from_bytes, elements_to_bytes};

/// Lists and structs within each other in one value.
const DEPTH_MAX: u32 = 64;

impl RowCodec {
    /// Appends the row as a protobuf message.
    ///
    /// # Panics
    /// If the values are not of the schema.
    pub fn encode_proto(&self, row: &[Value], out: &mut Vec<u8>) {
        encode_message(row, &self.schema().fields, out);
    }

    /// Reads a protobuf message as a row.
    ///
    /// # Errors
    /// [`RowError`] names the field and the reason.
    pub fn decode_proto(&self, bytes: &[u8]) -> Result<Row, RowError> {
        decode_message(bytes, &self.schema().fields, DEPTH_MAX).map(Row::from)
    }
}

fn encode_message(values: &[Value], fields: &[Field], out: &mut Vec<u8>) {
    assert_eq!(values.len(), fields.len(), "a row has the schema's fields");
    for ((value, field), tag) in values.iter().zip(fields).zip(1..) {
        encode_field(value, &field.ty, tag, out);
    }
}

fn encode_field(value: &Value, ty: &Type, tag: u32, out: &mut Vec<u8>) {
    match (value, ty) {
        (Value::None, _) => {}
        (value, Type::Option(inner)) => match inner.as_ref() {
            Type::List(_) | Type::Map(_) => {
                let mut body = Vec::new();
                encode_field(value, inner, 1, &mut body);
                encode_bytes(&body, tag, out);
            }
            inner => encode_field(value, inner, tag, out),
        },
        (Value::List(items), Type::List(inner)) => encode_items(items, inner, tag, out),
        (Value::Map(entries), Type::Map(inner)) => {
            let fields = entry_fields(inner);
            for (key, value) in entries.iter() {
                let mut body = Vec::new();
                encode_message(
                    &[Value::String(Arc::clone(key)), value.clone()],
                    &fields,
                    &mut body,
                );
                encode_bytes(&body, tag, out);
            }
        }
        (value, ty) => encode_single(value, ty, tag, out),
    }
}

fn encode_items(items: &[Value], inner: &Type, tag: u32, out: &mut Vec<u8>) {
    if items.is_empty() {
        return;
    }
    if is_packed(inner) {
        let mut body = Vec::new();
        for item in items {
            encode_number(item, inner, &mut body);
        }
        return encode_bytes(&body, tag, out);
    }
    for item in items {
        match inner {
            Type::List(_) | Type::Map(_) | Type::Option(_) => {
                let mut body = Vec::new();
                encode_field(item, inner, 1, &mut body);
                encode_bytes(&body, tag, out);
            }
            _ => encode_single(item, inner, tag, out),
        }
    }
}

/// A map's entry as a message.
fn entry_fields(value: &Type) -> [Field; 2] {
    [Field::new("key", Type::String), Field::new("value", value.clone())]
}

/// Writes a value that is neither option, list nor map.
fn encode_single(value: &Value, ty: &Type, tag: u32, out: &mut Vec<u8>) {
    match (value, ty) {
        (Value::String(text), _) => encode_bytes(text.as_bytes(), tag, out),
        (Value::Decimal(units), Type::Decimal(scale)) => {
            encode_bytes(format_decimal(*units, *scale).as_bytes(), tag, out);
        }
        (Value::Uuid(bits), _) => encode_bytes(&bits.to_be_bytes(), tag, out),
        (Value::Bytes(bytes), _) => encode_bytes(bytes, tag, out),
        (Value::Tensor(tensor), _) => {
            let mut sizes = Vec::new();
            tensor.shape().iter().for_each(|size| encode_varint(u64::from(*size), &mut sizes));
            let mut body = Vec::new();
            encode_bytes(&sizes, 1, &mut body);
            encode_bytes(&elements_to_bytes(tensor.elements()), 2, &mut body);
            encode_bytes(&body, tag, out);
        }
        (Value::Float(_), Type::Float32) => {
            encode_key(tag, WireType::ThirtyTwoBit, out);
            encode_number(value, ty, out);
        }
        (Value::Struct(values), Type::Struct(fields)) => {
            let mut body = Vec::new();
            encode_message(values, fields, &mut body);
            encode_bytes(&body, tag, out);
        }
        (Value::Float(_), _) => {
            encode_key(tag, WireType::SixtyFourBit, out);
            encode_number(value, ty, out);
        }
        _ => {
            encode_key(tag, WireType::Varint, out);
            encode_number(value, ty, out);
        }
    }
}

fn encode_number(value: &Value, ty: &Type, out: &mut Vec<u8>) {
    match value {
        Value::Bool(value) => encode_varint(u64::from(*value), out),
        Value::Int(value) | Value::Timestamp(value) | Value::Duration(value) => {
            encode_varint(value.cast_unsigned(), out);
        }
        Value::Date(days) => encode_varint(i64::from(*days).cast_unsigned(), out),
        Value::Enum(place) => encode_varint(u64::from(*place), out),
        Value::Float(value) if *ty == Type::Float32 => {
            out.extend_from_slice(&value.to_f32().to_le_bytes());
        }
        Value::Float(value) => out.extend_from_slice(&value.get().to_le_bytes()),
        other => panic!("{other:?} is not a number of its type"),
    }
}

fn encode_bytes(bytes: &[u8], tag: u32, out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn is_packed(ty: &Type) -> bool {
    match ty {
        Type::Bool
        | Type::Int64
        | Type::Float32
        | Type::Float64
        | Type::Timestamp
        | Type::Date
        | Type::Duration
        | Type::Enum(_) => true,
        Type::Decimal(_)
        | Type::String
        | Type::Bytes
        | Type::Uuid
        | Type::List(_)
        | Type::Map(_)
        | Type::Tensor(_)
        | Type::Struct(_)
        | Type::Option(_) => false,
    }
}

fn decode_message(mut bytes: &[u8], fields: &[Field], depth: u32) -> Result<Vec<Value>, RowError> {
    let mut partial: Vec<Partial> = fields.iter().map(|_| Partial::Absent).collect();
    while !bytes.is_empty() {
        let (tag, wire) =
            decode_key(&mut bytes).map_err(|error| RowError::new("", error.to_string()))?;
        let place = tag as usize - 1;
        let Some(field) = fields.get(place) else {
            return Err(RowError::new(
                "",
                format!("has a field {tag}, the schema has {}", fields.len()),
            ));
        };
        decode_field(&mut bytes, wire, &field.ty, &mut partial[place], depth)
            .map_err(|fault| fault.within(&field.name))?;
    }
    partial
        .into_iter()
        .zip(fields)
        .map(|(partial, field)| {
            partial.finish(&field.ty).map_err(|fault| fault.within(&field.name))
        })
        .collect()
}

/// What has been read of a field so far.
enum Partial {
    Absent,
    One(Value),
    Items(Vec<Value>),
}

impl Partial {
    fn finish(self, ty: &Type) -> Result<Value, RowError> {
        match (self, ty) {
            (Self::One(value), _) => Ok(value),
            (Self::Items(entries), Type::Map(_)) => Ok(map_of(entries)),
            (Self::Items(items), _) => Ok(Value::List(items.into())),
            (Self::Absent, ty) => match ty {
                Type::Option(_) => Ok(Value::None),
                Type::Bool => Ok(Value::Bool(false)),
                Type::Int64 => Ok(Value::Int(0)),
                Type::Float32 | Type::Float64 => Ok(Value::float(0.0)),
                Type::String => Ok(Value::string("")),
                Type::Bytes => Ok(Value::Bytes([].into())),
                Type::Timestamp => Ok(Value::Timestamp(0)),
                Type::Date => Ok(Value::Date(0)),
                Type::Duration => Ok(Value::Duration(0)),
                Type::Enum(_) => Ok(Value::Enum(0)),
                Type::List(_) => Ok(Value::List([].into())),
                Type::Map(_) => Ok(Value::Map([].into())),
                Type::Decimal(_) | Type::Uuid | Type::Tensor(_) | Type::Struct(_) => {
                    Err(RowError::new("", "is missing"))
                }
            },
        }
    }
}

/// The map of these entries, each a struct of key and value.
fn map_of(entries: Vec<Value>) -> Value {
    Value::map(entries.into_iter().map(|entry| match entry {
        Value::Struct(parts) => match parts.as_ref() {
            [Value::String(key), value] => (Arc::clone(key), value.clone()),
            other => unreachable!("{other:?} is no entry"),
        },
        other => unreachable!("{other:?} is no entry"),
    }))
}

fn decode_field(
    bytes: &mut &[u8],
    wire: WireType,
    ty: &Type,
    partial: &mut Partial,
    depth: u32,
) -> Result<(), RowError> {
    let depth = depth.checked_sub(1).ok_or_else(|| RowError::new("", "is nested too deeply"))?;
    match ty {
        Type::Option(inner) => match inner.as_ref() {
            Type::List(_) | Type::Map(_) => {
                *partial = Partial::One(decode_wrapped(bytes, wire, inner, depth)?);
            }
            inner => *partial = Partial::One(decode_single(bytes, wire, inner, depth)?),
        },
        Type::List(inner) => {
            if !matches!(partial, Partial::Items(_)) {
                *partial = Partial::Items(Vec::new());
            }
            let Partial::Items(items) = partial else { unreachable!("set above") };
            match inner.as_ref() {
                Type::List(_) | Type::Map(_) | Type::Option(_) => {
                    items.push(decode_wrapped(bytes, wire, inner, depth)?);
                }
                inner if is_packed(inner) && wire == WireType::LengthDelimited => {
                    let mut packed = take_bytes(bytes, wire)?;
                    let wire = match inner {
                        Type::Float32 => WireType::ThirtyTwoBit,
                        Type::Float64 => WireType::SixtyFourBit,
                        _ => WireType::Varint,
                    };
                    while !packed.is_empty() {
                        items.push(decode_single(&mut packed, wire, inner, depth)?);
                    }
                }
                inner => items.push(decode_single(bytes, wire, inner, depth)?),
            }
        }
        Type::Map(inner) => {
            if !matches!(partial, Partial::Items(_)) {
                *partial = Partial::Items(Vec::new());
            }
            let Partial::Items(entries) = partial else { unreachable!("set above") };
            let body = take_bytes(bytes, wire)?;
            let entry = decode_message(body, &entry_fields(inner), depth)?;
            entries.push(Value::Struct(entry.into()));
        }
        ty => *partial = Partial::One(decode_single(bytes, wire, ty, depth)?),
    }
    Ok(())
}

/// Reads a message whose field 1 is of `ty`.
fn decode_wrapped(
    bytes: &mut &[u8],
    wire: WireType,
    ty: &Type,
    depth: u32,
) -> Result<Value, RowError> {
    let mut body = take_bytes(bytes, wire)?;
    let mut partial = Partial::Absent;
    while !body.is_empty() {
        let (tag, wire) =
            decode_key(&mut body).map_err(|error| RowError::new("", error.to_string()))?;
        if tag != 1 {
            return Err(RowError::new("", format!("has a field {tag} beside its value")));
        }
        decode_field(&mut body, wire, ty, &mut partial, depth)?;
    }
    partial.finish(ty)
}

/// Reads a value that is neither option, list nor map.
fn decode_single(
    bytes: &mut &[u8],
    wire: WireType,
    ty: &Type,
    depth: u32,
) -> Result<Value, RowError> {
    let fault = |reason: String| RowError::new("", reason);
    match ty {
        Type::String => take_text(bytes, wire).map(Value::string),
        Type::Decimal(scale) => parse_decimal(take_text(bytes, wire)?, *scale)
            .map(Value::Decimal)
            .map_err(|error| fault(format!("does not fit: {error}"))),
        Type::Uuid => {
            let raw = take_bytes(bytes, wire)?;
            let bits = <[u8; 16]>::try_from(raw)
                .map_err(|_| fault(format!("has {} bytes, a uuid has 16", raw.len())))?;
            Ok(Value::Uuid(u128::from_be_bytes(bits)))
        }
        Type::Bytes => take_bytes(bytes, wire).map(|found| Value::Bytes(found.into())),
        Type::Tensor(tensor) => decode_tensor(take_bytes(bytes, wire)?, tensor)
            .map(|tensor| Value::Tensor(tensor.into())),
        Type::Float32 => {
            if wire != WireType::ThirtyTwoBit || bytes.remaining() < 4 {
                return Err(fault("is not a float".to_owned()));
            }
            Ok(Value::float32(bytes.get_f32_le()))
        }
        Type::Struct(fields) => {
            let body = take_bytes(bytes, wire)?;
            decode_message(body, fields, depth).map(|values| Value::Struct(values.into()))
        }
        Type::Float64 => {
            if wire != WireType::SixtyFourBit || bytes.remaining() < 8 {
                return Err(fault("is not a double".to_owned()));
            }
            Ok(Value::float(bytes.get_f64_le()))
        }
        Type::Bool => take_int(bytes, wire).map(|number| Value::Bool(number != 0)),
        Type::Int64 => take_int(bytes, wire).map(Value::Int),
        Type::Timestamp => take_int(bytes, wire).map(Value::Timestamp),
        Type::Duration => take_int(bytes, wire).map(Value::Duration),
        Type::Date => i32::try_from(take_int(bytes, wire)?)
            .map(Value::Date)
            .map_err(|_| fault("is out of the range of a date".to_owned())),
        Type::Enum(labels) => {
            let number = take_int(bytes, wire)?;
            u32::try_from(number)
                .ok()
                .filter(|place| (*place as usize) < labels.len())
                .map(Value::Enum)
                .ok_or_else(|| fault(format!("is {number}, of {} labels from 0", labels.len())))
        }
        Type::List(_) | Type::Map(_) | Type::Option(_) => {
            unreachable!("callers take lists, maps and options apart")
        }
    }
}

/// Reads the message of a tensor.
fn decode_tensor(mut body: &[u8], ty: &TensorType) -> Result<Tensor, RowError> {
    let fault = |reason: String| RowError::new("", reason);
    let mut shape = Vec::new();
    let mut elements: &[u8] = &[];
    while !body.is_empty() {
        let (tag, wire) = decode_key(&mut body).map_err(|error| fault(error.to_string()))?;
        let mut content = take_bytes(&mut body, wire)?;
        match tag {
            1 => {
                while !content.is_empty() {
                    let size =
                        decode_varint(&mut content).map_err(|error| fault(error.to_string()))?;
                    let size = u32::try_from(size);
                    shape.push(size.map_err(|_| fault("has a size above 32 bits".to_owned()))?);
                }
            }
            2 => elements = content,
            other => return Err(fault(format!("has a field {other}, a tensor has 2"))),
        }
    }
    if !ty.has_shape(&shape) {
        return Err(fault(format!("expects {ty}, found the shape {}", shape_text(&shape))));
    }
    let elements = elements_from_bytes(elements, ty.element)
        .ok_or_else(|| fault(format!("does not hold elements of {}", ty.element.name())))?;
    Tensor::try_new(shape, elements).map_err(|error| fault(format!("does not fit: {error}")))
}

fn take_int(bytes: &mut &[u8], wire: WireType) -> Result<i64, RowError> {
    if wire != WireType::Varint {
        return Err(RowError::new("", "is not a varint"));
    }
    decode_varint(bytes).map(u64::cast_signed).map_err(|error| RowError::new("", error.to_string()))
}

fn take_bytes<'a>(bytes: &mut &'a [u8], wire: WireType) -> Result<&'a [u8], RowError> {
    if wire != WireType::LengthDelimited {
        return Err(RowError::new("", "is not length-delimited"));
    }
    let length = decode_varint(bytes).map_err(|error| RowError::new("", error.to_string()))?;
    let taken = usize::try_from(length).ok().and_then(|length| bytes.split_at_checked(length));
    let (taken, rest) = taken.ok_or_else(|| RowError::new("", "is longer than its message"))?;
    *bytes = rest;
    Ok(taken)
}

fn take_text<'a>(bytes: &mut &'a [u8], wire: WireType) -> Result<&'a str, RowError> {
    std::str::from_utf8(take_bytes(bytes, wire)?).map_err(|_| RowError::new("", "is not UTF-8"))
}
