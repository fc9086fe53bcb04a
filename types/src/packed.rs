//! Packed rows: one byte string per row whose `memcmp` order is the order of the values.
//!
//! Rows exist in this form only at stateful operators, projected to what they need there. Up to
//! 24 bytes stand inline. The encoding is self-delimiting given the types:
//!
//! | type | bytes |
//! | --- | --- |
//! | bool | 1 |
//! | enum | 2, big-endian place |
//! | date | 4, big-endian, sign flipped |
//! | int64, timestamp, duration | 8, big-endian, sign flipped |
//! | float32 | 4, sortable bits |
//! | float64 | 8, sortable bits |
//! | decimal | 1 (length and sign) and as many bytes as the number needs |
//! | uuid | 16 |
//! | string, bytes | bytes with 00 written 00 FF, closed by 00 01 |
//! | option | 0, or 1 and the value |
//! | list | 1 before each item, closed by 0 |
//! | map | 1 before each key and value, closed by 0 |
//! | tensor | 4 for each size, big-endian, then the elements as their types have them |
//! | struct | its fields |

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::column::{Column, StringColumn};
use crate::float::Float;
use crate::row::Row;
use crate::tensor::{ElementType, Elements, Tensor, from_sortable_f32, sortable_f32};
use crate::ty::Type;
use crate::value::Value;

/// A row as ordered bytes; see the module's table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PackedRow(SmallVec<[u8; 24]>);

const FLIP: u64 = 1 << 63;

/// An integer as the number that its eight bytes are: negative ones sort before the others.
pub fn sortable_int(value: i64) -> u64 {
    value.cast_unsigned() ^ FLIP
}

/// The first eight bytes as a number, with zeros behind fewer.
#[inline]
pub(crate) fn prefix_of(bytes: &[u8]) -> u64 {
    let whole = bytes.first_chunk().copied();
    u64::from_be_bytes(whole.unwrap_or_else(|| {
        let mut short = [0; 8];
        short[..bytes.len()].copy_from_slice(bytes);
        short
    }))
}

/// The inverse of [`sortable_int`].
pub fn from_sortable_int(key: u64) -> i64 {
    (key ^ FLIP).cast_signed()
}

impl PackedRow {
    /// A row of no bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The first eight bytes as a number, with zeros behind a shorter row: of two rows with
    /// different prefixes the lesser is the one with the lesser prefix.
    #[inline]
    pub fn prefix(&self) -> u64 {
        self.prefix_behind(0)
    }

    /// The same of what stands behind the first `start` bytes.
    #[inline]
    pub fn prefix_behind(&self, start: usize) -> u64 {
        prefix_of(self.as_bytes().get(start..).unwrap_or_default())
    }

    /// Empties the row and keeps its allocation.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that do not fit in place and are elsewhere in memory.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        if self.0.spilled() { self.0.capacity() } else { 0 }
    }

    /// Appends bytes that were packed elsewhere.
    #[inline]
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Turns every bit from byte `start` on, which reverses the order of what stands there.
    pub fn complement_from(&mut self, start: usize) {
        for byte in &mut self.0[start..] {
            *byte = !*byte;
        }
    }

    /// Packs all of `row`, whose values are of `types`.
    pub fn pack(row: &Row, types: &[Type]) -> Self {
        let mut packed = Self::new();
        for (value, ty) in row.iter().zip(types) {
            packed.push_value(value, ty);
        }
        packed
    }

    /// The row again.
    ///
    /// # Panics
    /// If the bytes were not packed from these types.
    pub fn unpack(&self, types: &[Type]) -> Row {
        let mut bytes = self.as_bytes();
        types.iter().map(|ty| take_value(&mut bytes, ty)).collect()
    }

    /// Appends one value of `ty`.
    pub fn push_value(&mut self, value: &Value, ty: &Type) {
        match (value, ty) {
            (Value::None, _) => self.0.push(0),
            (value, Type::Option(inner)) => {
                self.0.push(1);
                self.push_value(value, inner);
            }
            (Value::Bool(value), _) => self.0.push(u8::from(*value)),
            (Value::Int(value) | Value::Timestamp(value) | Value::Duration(value), _) => {
                self.push_int(*value);
            }
            (Value::Date(days), _) => self.push_date(*days),
            (Value::Enum(idx), _) => self.push_enum(*idx),
            (Value::Float(value), Type::Float32) => self.push_single(value.to_f32()),
            (Value::Float(value), _) => {
                self.0.extend_from_slice(&value.to_sortable().to_be_bytes());
            }
            (Value::Decimal(units), _) => self.push_decimal(*units),
            (Value::Uuid(bits), _) => self.0.extend_from_slice(&bits.to_be_bytes()),
            (Value::String(text), _) => self.push_text(text.as_bytes()),
            (Value::Bytes(bytes), _) => self.push_text(bytes),
            (Value::Map(entries), Type::Map(inner)) => {
                for (key, value) in entries.iter() {
                    self.0.push(1);
                    self.push_text(key.as_bytes());
                    self.push_value(value, inner);
                }
                self.0.push(0);
            }
            (Value::Tensor(tensor), _) => self.push_tensor(tensor),
            (Value::List(items), Type::List(inner)) => {
                for item in items.iter() {
                    self.0.push(1);
                    self.push_value(item, inner);
                }
                self.0.push(0);
            }
            (Value::Struct(values), Type::Struct(fields)) => {
                for (value, field) in values.iter().zip(fields) {
                    self.push_value(value, &field.ty);
                }
            }
            (value, ty) => panic!("{value:?} is not of type {ty}"),
        }
    }

    /// Appends row `row_idx` of a column of `ty`, as [`PackedRow::push_value`] would.
    #[inline]
    pub fn push_cell(&mut self, column: &Column, row_idx: usize, ty: &Type) {
        match (column, ty) {
            (Column::Int(values), Type::Date) => {
                self.push_date(i32::try_from(values[row_idx]).expect("days were pushed as i32"));
            }
            (Column::Int(values), Type::Enum(_)) => {
                self.push_enum(u32::try_from(values[row_idx]).expect("labels were pushed as u32"));
            }
            (Column::Int(values), _) => self.push_int(values[row_idx]),
            (Column::String(values), _) => self.push_text(values.bytes(row_idx)),
            (Column::Float(values), Type::Float32) => {
                self.push_single(Float::new(values[row_idx]).to_f32());
            }
            (Column::Bytes(values), _) => self.push_text(values.get(row_idx)),
            (Column::Tensor(values), _) => self.push_tensor(&values[row_idx]),
            (Column::Float(values), _) => {
                let key = Float::new(values[row_idx]).to_sortable();
                self.0.extend_from_slice(&key.to_be_bytes());
            }
            (Column::Decimal(values), _) => self.push_decimal(values[row_idx]),
            (Column::Bool(values), _) => self.0.push(u8::from(values[row_idx])),
            (Column::Uuid(values), _) => self.0.extend_from_slice(&values[row_idx].to_be_bytes()),
            (Column::Option { present, values }, ty) => {
                if present[row_idx] {
                    self.0.push(1);
                    self.push_cell(values, row_idx, ty.required());
                } else {
                    self.0.push(0);
                }
            }
            (Column::List { ends, items }, Type::List(inner)) => {
                let start = if row_idx == 0 { 0 } else { ends[row_idx - 1] as usize };
                for at in start..ends[row_idx] as usize {
                    self.0.push(1);
                    self.push_cell(items, at, inner);
                }
                self.0.push(0);
            }
            (Column::List { ends, items }, Type::Map(inner)) => {
                let start = if row_idx == 0 { 0 } else { ends[row_idx - 1] as usize };
                let (keys, values) = items.entries();
                for at in start..ends[row_idx] as usize {
                    self.0.push(1);
                    self.push_text(keys.bytes(at));
                    self.push_cell(values, at, inner);
                }
                self.0.push(0);
            }
            (Column::Struct { fields, .. }, Type::Struct(types)) => {
                for (field, ty) in fields.iter().zip(types) {
                    self.push_cell(field, row_idx, &ty.ty);
                }
            }
            (column, ty) => panic!("{column:?} does not hold {ty}"),
        }
    }

    #[inline]
    fn push_int(&mut self, value: i64) {
        self.0.extend_from_slice(&sortable_int(value).to_be_bytes());
    }

    fn push_date(&mut self, days: i32) {
        self.0.extend_from_slice(&(days.cast_unsigned() ^ (1 << 31)).to_be_bytes());
    }

    fn push_single(&mut self, number: f32) {
        self.0.extend_from_slice(&sortable_f32(number).to_be_bytes());
    }

    fn push_tensor(&mut self, tensor: &Tensor) {
        for size in tensor.shape() {
            self.0.extend_from_slice(&size.to_be_bytes());
        }
        match tensor.elements() {
            Elements::F32(values) => values.iter().for_each(|x| self.push_single(*x)),
            Elements::F64(values) => {
                for x in values {
                    self.0.extend_from_slice(&Float::new(*x).to_sortable().to_be_bytes());
                }
            }
            Elements::I64(values) => values.iter().for_each(|x| self.push_int(*x)),
            Elements::U8(values) => self.0.extend_from_slice(values),
            Elements::Bool(values) => self.0.extend(values.iter().map(|x| u8::from(*x))),
        }
    }

    fn push_enum(&mut self, idx: u32) {
        let idx = u16::try_from(idx).expect("an enum has at most 65,536 labels");
        self.0.extend_from_slice(&idx.to_be_bytes());
    }

    fn push_decimal(&mut self, units: i128) {
        let magnitude = if units < 0 { !units } else { units };
        let n_bytes = (128 - magnitude.leading_zeros()).div_ceil(8);
        let n_bytes = u8::try_from(n_bytes).expect("16 bytes at most");
        self.0.push(if units < 0 { 0x7F - n_bytes } else { 0x80 + n_bytes });
        self.0.extend_from_slice(&units.to_be_bytes()[16 - usize::from(n_bytes)..]);
    }

    #[inline]
    fn push_text(&mut self, text: &[u8]) {
        if text.contains(&0) {
            for byte in text {
                self.0.push(*byte);
                if *byte == 0 {
                    self.0.push(0xFF);
                }
            }
        } else {
            self.0.extend_from_slice(text);
        }
        self.0.extend_from_slice(&[0, 1]);
    }
}

fn take<'a>(bytes: &mut &'a [u8], n_bytes: usize) -> &'a [u8] {
    let (head, rest) = bytes.split_at(n_bytes);
    *bytes = rest;
    head
}

fn take_array<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    take(bytes, N).try_into().expect("N bytes were taken")
}

fn take_int(bytes: &mut &[u8]) -> i64 {
    from_sortable_int(u64::from_be_bytes(take_array(bytes)))
}

fn take_date(bytes: &mut &[u8]) -> i32 {
    (u32::from_be_bytes(take_array(bytes)) ^ (1 << 31)).cast_signed()
}

fn take_enum(bytes: &mut &[u8]) -> u32 {
    u32::from(u16::from_be_bytes(take_array(bytes)))
}

fn take_float(bytes: &mut &[u8]) -> Float {
    Float::from_sortable(u64::from_be_bytes(take_array(bytes)))
}

fn take_single(bytes: &mut &[u8]) -> f32 {
    from_sortable_f32(u32::from_be_bytes(take_array(bytes)))
}

fn take_tensor(bytes: &mut &[u8], n_dims: usize, element: ElementType) -> Tensor {
    let shape: Vec<u32> = (0..n_dims).map(|_| u32::from_be_bytes(take_array(bytes))).collect();
    let n = shape.iter().map(|size| *size as usize).product();
    let elements = match element {
        ElementType::F32 => Elements::F32((0..n).map(|_| take_single(bytes)).collect()),
        ElementType::F64 => Elements::F64((0..n).map(|_| take_float(bytes).get()).collect()),
        ElementType::I64 => Elements::I64((0..n).map(|_| take_int(bytes)).collect()),
        ElementType::U8 => Elements::U8(take(bytes, n).to_vec()),
        ElementType::Bool => Elements::Bool(take(bytes, n).iter().map(|x| *x == 1).collect()),
    };
    Tensor::try_new(shape, elements).expect("it was a tensor when it was packed")
}

fn take_decimal(bytes: &mut &[u8]) -> i128 {
    let header = take(bytes, 1)[0];
    let (fill, n_bytes) = if header >= 0x80 { (0, header - 0x80) } else { (0xFF, 0x7F - header) };
    let mut units = [fill; 16];
    units[16 - usize::from(n_bytes)..].copy_from_slice(take(bytes, usize::from(n_bytes)));
    i128::from_be_bytes(units)
}

/// Calls `with` once with the bytes; copies only where they hold a NUL.
fn take_bytes<R>(bytes: &mut &[u8], with: impl FnOnce(&[u8]) -> R) -> R {
    let end = bytes.iter().position(|b| *b == 0).expect("a packed text is closed");
    if bytes[end + 1] == 1 {
        let text = take(bytes, end);
        take(bytes, 2);
        return with(text);
    }
    let mut text = Vec::new();
    loop {
        let end = bytes.iter().position(|b| *b == 0).expect("a packed text is closed");
        text.extend_from_slice(take(bytes, end));
        if take(bytes, 2)[1] == 1 {
            return with(&text);
        }
        text.push(0);
    }
}

/// As [`take_bytes`], of a text.
fn take_text<R>(bytes: &mut &[u8], with: impl FnOnce(&str) -> R) -> R {
    take_bytes(bytes, |text| with(std::str::from_utf8(text).expect("texts were UTF-8 when packed")))
}

fn take_value(bytes: &mut &[u8], ty: &Type) -> Value {
    match ty {
        Type::Bool => Value::Bool(take(bytes, 1)[0] == 1),
        Type::Int64 => Value::Int(take_int(bytes)),
        Type::Timestamp => Value::Timestamp(take_int(bytes)),
        Type::Duration => Value::Duration(take_int(bytes)),
        Type::Date => Value::Date(take_date(bytes)),
        Type::Enum(_) => Value::Enum(take_enum(bytes)),
        Type::Float32 => Value::float32(take_single(bytes)),
        Type::Float64 => Value::Float(take_float(bytes)),
        Type::Decimal(_) => Value::Decimal(take_decimal(bytes)),
        Type::Uuid => Value::Uuid(u128::from_be_bytes(take_array(bytes))),
        Type::String => take_text(bytes, Value::string),
        Type::Bytes => Value::Bytes(take_bytes(bytes, |found| found.into())),
        Type::Map(inner) => {
            let mut entries = Vec::new();
            while take(bytes, 1)[0] == 1 {
                entries.push((take_text(bytes, |key| key.into()), take_value(bytes, inner)));
            }
            Value::Map(entries.into())
        }
        Type::Tensor(tensor) => {
            Value::Tensor(take_tensor(bytes, tensor.dims.len(), tensor.element).into())
        }
        Type::Option(inner) => {
            if take(bytes, 1)[0] == 0 {
                Value::None
            } else {
                take_value(bytes, inner)
            }
        }
        Type::List(inner) => {
            let mut items = Vec::new();
            while take(bytes, 1)[0] == 1 {
                items.push(take_value(bytes, inner));
            }
            Value::List(items.into())
        }
        Type::Struct(fields) => {
            Value::Struct(fields.iter().map(|field| take_value(bytes, &field.ty)).collect())
        }
    }
}

/// Whether rows of these types pack to eight bytes, as columns of integers.
pub fn is_word(types: &[Type]) -> bool {
    matches!(types, [Type::Int64 | Type::Timestamp | Type::Duration])
}

/// Takes one packed value of `ty` off `bytes`, and makes nothing of it.
///
/// # Panics
/// If the bytes are of another type.
pub fn skip_packed(bytes: &mut &[u8], ty: &Type) {
    match ty {
        Type::Int64 | Type::Timestamp | Type::Duration | Type::Float64 => {
            take(bytes, 8);
        }
        Type::String | Type::Bytes => take_bytes(bytes, |_| ()),
        Type::Option(inner) => {
            if take(bytes, 1)[0] == 1 {
                skip_packed(bytes, inner);
            }
        }
        _ => drop(take_value(bytes, ty)),
    }
}

impl Column {
    /// Takes one packed value of `ty` off `bytes` and appends it, without building a [`Value`].
    ///
    /// # Panics
    /// If the bytes or the column are of another type.
    pub fn push_packed(&mut self, bytes: &mut &[u8], ty: &Type) {
        match (self, ty) {
            (Self::Bool(values), _) => values.push(take(bytes, 1)[0] == 1),
            (Self::Int(values), Type::Date) => values.push(i64::from(take_date(bytes))),
            (Self::Int(values), Type::Enum(_)) => values.push(i64::from(take_enum(bytes))),
            (Self::Int(values), _) => values.push(take_int(bytes)),
            (Self::Float(values), Type::Float32) => values.push(f64::from(take_single(bytes))),
            (Self::Float(values), _) => values.push(take_float(bytes).get()),
            (Self::Bytes(values), _) => take_bytes(bytes, |found| values.push(found)),
            (Self::Tensor(values), Type::Tensor(tensor)) => {
                values.push(take_tensor(bytes, tensor.dims.len(), tensor.element).into());
            }
            (Self::List { ends, items }, Type::Map(inner)) => {
                while take(bytes, 1)[0] == 1 {
                    let (keys, values) = items.next_entry();
                    take_text(bytes, |key| keys.push(key));
                    values.push_packed(bytes, inner);
                }
                ends.push(u32::try_from(items.len()).expect("a batch's lists are bounded"));
            }
            (Self::Decimal(values), _) => values.push(take_decimal(bytes)),
            (Self::Uuid(values), _) => values.push(u128::from_be_bytes(take_array(bytes))),
            (Self::String(values), _) => {
                take_text(bytes, |text| StringColumn::push(values, text));
            }
            (Self::Option { present, values }, ty) => {
                let is_some = take(bytes, 1)[0] == 1;
                present.push(is_some);
                if is_some {
                    values.push_packed(bytes, ty.required());
                } else {
                    values.push_default();
                }
            }
            (Self::List { ends, items }, Type::List(inner)) => {
                while take(bytes, 1)[0] == 1 {
                    items.push_packed(bytes, inner);
                }
                ends.push(u32::try_from(items.len()).expect("a batch's lists are bounded"));
            }
            (Self::Struct { len, fields }, Type::Struct(types)) => {
                *len += 1;
                for (field, ty) in fields.iter_mut().zip(types) {
                    field.push_packed(bytes, &ty.ty);
                }
            }
            (column, ty) => panic!("{column:?} does not hold {ty}"),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tensor::{Dimension, TensorType};
    use crate::ty::Field;

    pub(crate) fn value_of(ty: &Type) -> BoxedStrategy<Value> {
        match ty {
            Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
            Type::Int64 => any::<i64>().prop_map(Value::Int).boxed(),
            Type::Timestamp => any::<i64>().prop_map(Value::Timestamp).boxed(),
            Type::Duration => any::<i64>().prop_map(Value::Duration).boxed(),
            Type::Date => any::<i32>().prop_map(Value::Date).boxed(),
            Type::Float32 => any::<f32>().prop_map(Value::float32).boxed(),
            Type::Float64 => any::<f64>().prop_map(Value::float).boxed(),
            Type::Decimal(_) => prop_oneof![
                (-300_i128..300).prop_map(Value::Decimal),
                any::<i128>().prop_map(Value::Decimal)
            ]
            .boxed(),
            Type::Uuid => any::<u128>().prop_map(Value::Uuid).boxed(),
            Type::Enum(labels) => {
                (0..u32::try_from(labels.len()).unwrap()).prop_map(Value::Enum).boxed()
            }
            Type::String => "[a\0é]{0,4}".prop_map(|s| Value::string(&s)).boxed(),
            Type::Bytes => prop::collection::vec(0_u8..3, 0..4)
                .prop_map(|bytes| Value::Bytes(bytes.into()))
                .boxed(),
            Type::Map(inner) => prop::collection::vec(("[a\0b]{0,2}", value_of(inner)), 0..3)
                .prop_map(|entries| {
                    Value::map(entries.into_iter().map(|(key, value)| (key.into(), value)))
                })
                .boxed(),
            Type::Tensor(tensor) => tensor_of(tensor.element),
            Type::Option(inner) => prop_oneof![Just(Value::None), value_of(inner)].boxed(),
            Type::List(inner) => prop::collection::vec(value_of(inner), 0..3)
                .prop_map(|items| Value::List(items.into()))
                .boxed(),
            Type::Struct(fields) => {
                let parts: Vec<_> = fields.iter().map(|field| value_of(&field.ty)).collect();
                parts.prop_map(|values| Value::Struct(values.into())).boxed()
            }
        }
    }

    /// A tensor of two dimensions, whose elements are made of few bits.
    fn tensor_of(element: ElementType) -> BoxedStrategy<Value> {
        let elements = move |n: usize| match element {
            ElementType::F32 => prop::collection::vec(prop_oneof![any::<f32>(), Just(0.0)], n)
                .prop_map(Elements::F32)
                .boxed(),
            ElementType::F64 => {
                prop::collection::vec(any::<f64>(), n).prop_map(Elements::F64).boxed()
            }
            ElementType::I64 => prop::collection::vec(-1_i64..2, n).prop_map(Elements::I64).boxed(),
            ElementType::U8 => prop::collection::vec(0_u8..2, n).prop_map(Elements::U8).boxed(),
            ElementType::Bool => {
                prop::collection::vec(any::<bool>(), n).prop_map(Elements::Bool).boxed()
            }
        };
        (0_u32..3, 0_u32..3)
            .prop_flat_map(move |(rows, columns)| {
                elements((rows * columns) as usize).prop_map(move |elements| {
                    let tensor = Tensor::try_new(vec![rows, columns], elements).unwrap();
                    Value::Tensor(tensor.into())
                })
            })
            .boxed()
    }

    fn tensor_type(element: ElementType) -> Type {
        Type::Tensor(TensorType { dims: vec![Dimension::Unknown; 2], element })
    }

    pub(crate) fn all_types() -> Vec<Type> {
        let pair = vec![Field::new("a", Type::String), Field::new("b", Type::Int64.optional())];
        vec![
            Type::Bool,
            Type::Int64,
            Type::Timestamp,
            Type::Duration,
            Type::Date,
            Type::Float64,
            Type::Decimal(2),
            Type::Uuid,
            Type::Enum(vec!["x".into(), "y".into(), "z".into()].into()),
            Type::String,
            Type::String.optional(),
            Type::List(Box::new(Type::String)),
            Type::Float32,
            Type::Bytes,
            Type::Bytes.optional(),
            Type::Map(Box::new(Type::Int64)),
            Type::Map(Box::new(Type::Map(Box::new(Type::Bytes)))),
            tensor_type(ElementType::F32),
            tensor_type(ElementType::F64).optional(),
            tensor_type(ElementType::I64),
            tensor_type(ElementType::U8),
            tensor_type(ElementType::Bool),
            Type::List(Box::new(tensor_type(ElementType::U8))),
            Type::Struct(pair.clone()),
            Type::Struct(pair).optional(),
        ]
    }

    fn two_rows() -> impl Strategy<Value = (Row, Row)> {
        let row = || {
            let parts: Vec<_> = all_types().iter().map(value_of).collect();
            parts.prop_map(Row::from)
        };
        (row(), row())
    }

    proptest! {
        #[test]
        fn different_prefixes_order_rows(
            left in proptest::collection::vec(0_u8..4, 0..12),
            right in proptest::collection::vec(0_u8..4, 0..12),
        ) {
            let row = |bytes: &[u8]| {
                let mut row = PackedRow::new();
                row.push_bytes(bytes);
                row
            };
            let (left, right) = (row(&left), row(&right));
            let by_prefix = left.prefix().cmp(&right.prefix());
            prop_assert!(by_prefix.is_eq() || by_prefix == left.cmp(&right));
        }

        #[test]
        fn bytes_order_as_values_and_come_back((a, b) in two_rows()) {
            let types = all_types();
            prop_assert!(a.iter().zip(&types).all(|(value, ty)| value.fits(ty)));
            let (packed_a, packed_b) = (PackedRow::pack(&a, &types), PackedRow::pack(&b, &types));
            prop_assert_eq!(packed_a.cmp(&packed_b), a.cmp(&b));
            prop_assert_eq!(&packed_a.unpack(&types), &a);
            for ((x, y), ty) in a.iter().zip(b.iter()).zip(&types) {
                let one = |value: &Value| {
                    PackedRow::pack(&vec![value.clone()].into(), std::slice::from_ref(ty))
                };
                prop_assert_eq!(one(x).cmp(&one(y)), x.cmp(y));
            }
        }

        #[test]
        fn columns_keep_values_and_pack_alike((a, b) in two_rows()) {
            let types = all_types();
            let mut batch = crate::column::ColumnBatch::empty(&types);
            batch.push(&a, 1);
            batch.push(&b, -1);
            prop_assert_eq!(batch.row(1, &types), b.clone());
            prop_assert_eq!(batch.gather(&[1, 0]).row(1, &types), a.clone());
            let mut twice = batch.clone();
            twice.append(&batch);
            prop_assert_eq!(twice.row(3, &types), b.clone());
            let mut packed = PackedRow::new();
            for (column, ty) in batch.columns.iter().zip(&types) {
                packed.push_cell(column, 1, ty);
            }
            prop_assert_eq!(&packed, &PackedRow::pack(&b, &types));
            let mut bytes = packed.as_bytes();
            let mut again = crate::column::ColumnBatch::empty(&types);
            for (column, ty) in again.columns.iter_mut().zip(&types) {
                column.push_packed(&mut bytes, ty);
            }
            again.diffs.push(1);
            prop_assert!(bytes.is_empty());
            prop_assert_eq!(again.row(0, &types), b);
        }
    }
}
