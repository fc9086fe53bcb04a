//! Rows from JSON text, driven by the schema: straight into values or into columns.
//!
//! Numbers of decimals and floats are read from their own digits, so that nothing is rounded twice.
//! Nesting is bounded by the JSON reader (128 levels); a refused row leaves a batch as it was.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arqon_types::{Column, ColumnBatch, Field, Row, Schema, TimeUnits, Type, Value};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::row_error::{PathStep, ReadContext, RowError};
use crate::scalar::{Scalar, scalar_from_digits, scalar_from_string, timestamp_from_integer};
use crate::tensor_read::read_tensor;

/// Reads and writes rows of one schema as JSON objects.
#[derive(Debug, Clone)]
pub struct RowCodec {
    schema: Schema,
    types: Vec<Type>,
}

impl RowCodec {
    /// A codec for rows of `schema`.
    pub fn new(schema: Schema) -> Self {
        let types = schema.types();
        Self { schema, types }
    }

    /// The schema of the rows.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The types of the fields, in order.
    pub fn types(&self) -> &[Type] {
        &self.types
    }

    /// Reads one JSON object as a row.
    ///
    /// # Errors
    /// [`RowError`] names the field and the reason.
    pub fn decode(&self, json: &str) -> Result<Row, RowError> {
        let ctx = ReadContext::new(&self.schema.units);
        run(json, self.seed(&ctx)).map(Row::from).map_err(|error| ctx.into_error(&error))
    }

    /// Reads one JSON object and appends it to `batch` with `diff`.
    ///
    /// # Errors
    /// [`RowError`] names the field and the reason; `batch` is then as it was.
    pub fn decode_into(
        &self,
        json: &str,
        diff: i64,
        batch: &mut ColumnBatch,
    ) -> Result<(), RowError> {
        let n_rows = batch.len();
        let ctx = ReadContext::new(&self.schema.units);
        let cells = RowCells { schema: &self.schema, columns: &mut batch.columns, n_rows };
        match run(json, CellsSeed { cells, ctx: &ctx }) {
            Ok(()) => {
                batch.diffs.push(diff);
                Ok(())
            }
            Err(error) => {
                batch.columns.iter_mut().for_each(|column| column.truncate(n_rows));
                Err(ctx.into_error(&error))
            }
        }
    }

    pub(crate) fn seed<'c, 's>(&'s self, ctx: &'c ReadContext<'s>) -> StructSeed<'c, 's> {
        StructSeed { name: &self.schema.name, fields: &self.schema.fields, ctx }
    }
}

/// Reads one JSON text as a value of `ty`, for instance a list in a CSV cell; its timestamps may be
/// integers in these units.
///
/// # Errors
/// [`RowError`] with the path below the value.
pub fn decode_value(json: &str, ty: &Type, units: &TimeUnits) -> Result<Value, RowError> {
    let ctx = ReadContext::new(units);
    run(json, ValueSeed { ty, ctx: &ctx }).map_err(|error| ctx.into_error(&error))
}

/// Runs a seed over the whole of `json`; anything after the value is a fault.
pub(crate) fn run<'de, S: DeserializeSeed<'de>>(
    json: &'de str,
    seed: S,
) -> Result<S::Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let value = seed.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// A value of any type.
struct ValueSeed<'c, 's> {
    ty: &'s Type,
    ctx: &'c ReadContext<'s>,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        let Self { ty, ctx } = self;
        match ty {
            Type::Option(inner) => reader.deserialize_option(OptionVisitor { ty: inner, ctx }),
            Type::List(inner) => reader.deserialize_any(ListVisitor { ty: inner, ctx }),
            Type::Map(inner) => reader.deserialize_any(MapVisitor { ty: inner, ctx }),
            Type::Tensor(tensor) => {
                let raw = <&RawValue>::deserialize(reader)?.get();
                let tensor = read_tensor(raw, tensor).map_err(|reason| ctx.fail(reason))?;
                Ok(Value::Tensor(tensor.into()))
            }
            Type::Struct(fields) => StructSeed { name: "the struct", fields, ctx }
                .deserialize(reader)
                .map(|values| Value::Struct(values.into())),
            _ => ScalarSeed { ty, ctx }.deserialize(reader).map(Scalar::into_value),
        }
    }
}

struct OptionVisitor<'c, 's> {
    ty: &'s Type,
    ctx: &'c ReadContext<'s>,
}

impl<'de> Visitor<'de> for OptionVisitor<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} or null", self.ty)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::None)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::None)
    }

    fn visit_some<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        ValueSeed { ty: self.ty, ctx: self.ctx }.deserialize(reader)
    }
}

struct ListVisitor<'c, 's> {
    ty: &'s Type,
    ctx: &'c ReadContext<'s>,
}

impl<'de> Visitor<'de> for ListVisitor<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "list<{}>", self.ty)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            self.ctx.enter(PathStep::Item(items.len()));
            match seq.next_element_seed(ValueSeed { ty: self.ty, ctx: self.ctx })? {
                Some(item) => items.push(item),
                None => break,
            }
            self.ctx.leave();
        }
        self.ctx.leave();
        Ok(Value::List(items.into()))
    }
}

struct MapVisitor<'c, 's> {
    ty: &'s Type,
    ctx: &'c ReadContext<'s>,
}

impl<'de> Visitor<'de> for MapVisitor<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "map<{}>", self.ty)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries: BTreeMap<Arc<str>, Value> = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            self.ctx.enter(PathStep::Key(key.clone()));
            if entries.contains_key(key.as_str()) {
                return Err(self.ctx.fail("stands twice"));
            }
            let value = map.next_value_seed(ValueSeed { ty: self.ty, ctx: self.ctx })?;
            entries.insert(key.into(), value);
            self.ctx.leave();
        }
        Ok(Value::Map(entries.into_iter().collect()))
    }
}

/// The fields of a row or struct as values, in order.
pub(crate) struct StructSeed<'c, 's> {
    name: &'s str,
    fields: &'s [Field],
    ctx: &'c ReadContext<'s>,
}

impl<'de> DeserializeSeed<'de> for StructSeed<'_, '_> {
    type Value = Vec<Value>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Vec<Value>, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StructSeed<'_, '_> {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the fields of {}", self.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<Value>, A::Error> {
        self.finish(map, None)
    }
}

impl StructSeed<'_, '_> {
    /// Reads the fields, the name of the first of which may have been taken already.
    pub(crate) fn finish<'de, A: MapAccess<'de>>(
        self,
        mut map: A,
        first: Option<usize>,
    ) -> Result<Vec<Value>, A::Error> {
        let Self { name, fields, ctx } = self;
        let mut values: Vec<Option<Value>> = vec![None; fields.len()];
        let mut next = first;
        let mut hint = 0;
        loop {
            let field_idx = match next.take() {
                Some(field_idx) => field_idx,
                None => match map.next_key_seed(FieldSeed { name, fields, hint, ctx })? {
                    Some(field_idx) => field_idx,
                    None => break,
                },
            };
            let Field { name, ty } = &fields[field_idx];
            if values[field_idx].is_some() {
                return Err(ctx.fail_at(name, "stands twice"));
            }
            ctx.enter(PathStep::Field(name));
            values[field_idx] = Some(map.next_value_seed(ValueSeed { ty, ctx })?);
            ctx.leave();
            hint = field_idx + 1;
        }
        let absent = |(value, field): (Option<Value>, &Field)| match value {
            Some(value) => Ok(value),
            None if field.ty.is_option() => Ok(Value::None),
            None => Err(ctx.fail_at(&field.name, "is missing")),
        };
        values.into_iter().zip(fields).map(absent).collect()
    }
}

/// The columns that one row is appended to, each with `n_rows` before it.
pub(crate) struct RowCells<'b, 's> {
    pub(crate) schema: &'s Schema,
    pub(crate) columns: &'b mut [Column],
    pub(crate) n_rows: usize,
}

impl<'s> RowCells<'_, 's> {
    /// As [`StructSeed::finish`], with columns for values.
    pub(crate) fn finish<'de, A: MapAccess<'de>>(
        self,
        mut map: A,
        first: Option<usize>,
        ctx: &ReadContext<'s>,
    ) -> Result<(), A::Error> {
        let Self { schema, columns, n_rows } = self;
        let fields = schema.fields.as_slice();
        let mut next = first;
        let mut hint = 0;
        loop {
            let field_idx = match next.take() {
                Some(field_idx) => field_idx,
                None => {
                    match map.next_key_seed(FieldSeed { name: &schema.name, fields, hint, ctx })? {
                        Some(field_idx) => field_idx,
                        None => break,
                    }
                }
            };
            let Field { name, ty } = &fields[field_idx];
            let column = &mut columns[field_idx];
            if column.len() > n_rows {
                return Err(ctx.fail_at(name, "stands twice"));
            }
            ctx.enter(PathStep::Field(name));
            map.next_value_seed(CellSeed { ty, column, ctx })?;
            ctx.leave();
            hint = field_idx + 1;
        }
        for (column, field) in columns.iter_mut().zip(fields) {
            if column.len() == n_rows {
                if !field.ty.is_option() {
                    return Err(ctx.fail_at(&field.name, "is missing"));
                }
                column.push_default();
            }
        }
        Ok(())
    }
}

/// A row as one more cell of each column.
struct CellsSeed<'c, 'b, 's> {
    cells: RowCells<'b, 's>,
    ctx: &'c ReadContext<'s>,
}

impl<'de> DeserializeSeed<'de> for CellsSeed<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CellsSeed<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the fields of {}", self.cells.schema.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.cells.finish(map, None, self.ctx)
    }
}

/// One value as a cell of a column; scalars go there without becoming values first.
struct CellSeed<'c, 'b, 's> {
    ty: &'s Type,
    column: &'b mut Column,
    ctx: &'c ReadContext<'s>,
}

impl<'de> DeserializeSeed<'de> for CellSeed<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        let Self { ty, column, ctx } = self;
        match ty {
            Type::Option(_) => reader.deserialize_option(CellVisitor(Self { ty, column, ctx })),
            Type::List(_) | Type::Map(_) | Type::Tensor(_) | Type::Struct(_) => {
                column.push(&ValueSeed { ty, ctx }.deserialize(reader)?);
                Ok(())
            }
            _ => {
                ScalarSeed { ty, ctx }.deserialize(reader)?.push_to(column);
                Ok(())
            }
        }
    }
}

struct CellVisitor<'c, 'b, 's>(CellSeed<'c, 'b, 's>);

impl<'de> Visitor<'de> for CellVisitor<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} or null", self.0.ty.required())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        self.0.column.push_default();
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.column.push_default();
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        let CellSeed { ty, column, ctx } = self.0;
        match ty.required() {
            inner @ (Type::List(_) | Type::Map(_) | Type::Tensor(_) | Type::Struct(_)) => {
                column.push(&ValueSeed { ty: inner, ctx }.deserialize(reader)?);
            }
            inner => ScalarSeed { ty: inner, ctx }.deserialize(reader)?.push_to(column),
        }
        Ok(())
    }
}

/// The name of a field, as its place.
pub(crate) struct FieldSeed<'c, 's> {
    pub(crate) name: &'s str,
    pub(crate) fields: &'s [Field],
    /// Where the next field stands if the producer keeps the schema's order.
    pub(crate) hint: usize,
    pub(crate) ctx: &'c ReadContext<'s>,
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_, '_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<usize, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for FieldSeed<'_, '_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<usize, E> {
        if self.fields.get(self.hint).is_some_and(|field| *field.name == *name) {
            return Ok(self.hint);
        }
        if let Some(field_idx) = self.fields.iter().position(|field| *field.name == *name) {
            return Ok(field_idx);
        }
        let names = self.fields.iter().map(|field| &*field.name);
        let help = nearest(name, names)
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Err(self.ctx.fail_at(name, format!("is not a field of {}{help}", self.name)))
    }
}

/// A value without parts.
struct ScalarSeed<'c, 's> {
    ty: &'s Type,
    ctx: &'c ReadContext<'s>,
}

impl<'de> DeserializeSeed<'de> for ScalarSeed<'_, '_> {
    type Value = Scalar<'de>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Scalar<'de>, D::Error> {
        match self.ty {
            Type::Decimal(_) | Type::Float32 | Type::Float64 => {
                let raw = <&RawValue>::deserialize(reader)?.get();
                self.scalar_from_raw(raw).map_err(|reason| self.ctx.fail(reason))
            }
            _ => reader.deserialize_any(self),
        }
    }
}

impl ScalarSeed<'_, '_> {
    /// Reads the content of a JSON string.
    fn scalar_from_text<'de, E: serde::de::Error>(
        &self,
        text: Cow<'de, str>,
    ) -> Result<Scalar<'de>, E> {
        let unit = if *self.ty == Type::Timestamp { self.ctx.unit() } else { None };
        scalar_from_string(text, self.ty, unit).map_err(|reason| self.ctx.fail(reason))
    }

    /// Reads a number, or a string that holds one, from its JSON text.
    fn scalar_from_raw<'de>(&self, raw: &'de str) -> Result<Scalar<'de>, String> {
        match raw.as_bytes().first() {
            Some(b'"') if !raw.contains('\\') => {
                scalar_from_string(Cow::Borrowed(&raw[1..raw.len() - 1]), self.ty, None)
            }
            Some(b'"') => {
                let text: String = serde_json::from_str(raw).map_err(|error| error.to_string())?;
                scalar_from_string(Cow::Owned(text), self.ty, None)
            }
            Some(b'0'..=b'9' | b'-') => scalar_from_digits(raw, self.ty),
            Some(b'{') => Err(format!("expects {}, found an object", self.ty)),
            Some(b'[') => Err(format!("expects {}, found a list", self.ty)),
            _ => Err(format!("expects {}, found {raw}", self.ty)),
        }
    }
}

impl<'de> Visitor<'de> for ScalarSeed<'_, '_> {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.ty, f)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Self::Value, E> {
        match self.ty {
            Type::Bool => Ok(Scalar::Bool(value)),
            _ => Err(E::invalid_type(serde::de::Unexpected::Bool(value), &self)),
        }
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Self::Value, E> {
        match self.ty {
            Type::Int64 => Ok(Scalar::Int(number)),
            Type::Timestamp => timestamp_from_integer(number, self.ctx.unit())
                .map_err(|reason| self.ctx.fail(reason)),
            _ => Err(E::invalid_type(serde::de::Unexpected::Signed(number), &self)),
        }
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
        match (self.ty, i64::try_from(number)) {
            (Type::Int64, Ok(number)) => Ok(Scalar::Int(number)),
            (Type::Timestamp, Ok(number)) => self.visit_i64(number),
            (ty @ (Type::Int64 | Type::Timestamp), Err(_)) => {
                Err(self.ctx.fail(format!("does not fit: {number} is out of the range of {ty}")))
            }
            _ => Err(E::invalid_type(serde::de::Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        self.scalar_from_text(Cow::Borrowed(text))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Self::Value, E> {
        self.scalar_from_text(Cow::Owned(text))
    }
}

/// The name closest to `wanted`, if it is close enough to be a slip.
fn nearest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let slips_max = wanted.len().div_ceil(3).min(3);
    names
        .map(|name| (edit_distance(wanted, name), name))
        .filter(|(distance, _)| *distance <= slips_max)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein's distance in bytes, of the first 64 of each.
fn edit_distance(left: &str, right: &str) -> usize {
    let left = &left.as_bytes()[..left.len().min(64)];
    let right = &right.as_bytes()[..right.len().min(64)];
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (left_idx, left_byte) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = left_idx + 1;
        for (right_idx, right_byte) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(left_byte != right_byte);
            diagonal = row[right_idx + 1];
            row[right_idx + 1] = replaced.min(diagonal + 1).min(row[right_idx] + 1);
        }
    }
    row[right.len()]
}
