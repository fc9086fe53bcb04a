//! Message bodies of a topic: a plain row, `{"$delete": {key}}` or `{"$diff": -1, "$row": {…}}`.

use std::fmt;

use arqon_types::{Change, ColumnBatch, Discipline, Row, Schema};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::limits::DIFF_MAX;
use crate::row_error::{ReadContext, RowError};
use crate::row_read::{FieldSeed, RowCells, RowCodec, run};

/// Reads bodies of one topic.
#[derive(Debug, Clone)]
pub struct BodyCodec {
    rows: RowCodec,
    keys: RowCodec,
    discipline: Discipline,
}

impl BodyCodec {
    /// A codec for a topic of `schema`, `discipline` and `key` (empty if it has none).
    ///
    /// # Panics
    /// If a key field is not in the schema: the compiler has checked that it is.
    pub fn new(schema: Schema, discipline: Discipline, key: &[String]) -> Self {
        let field = |name: &String| {
            let place = schema.position(name).expect("the key's fields are in the schema");
            schema.fields[place].clone()
        };
        let key_schema =
            Schema::new(format!("the key of {}", schema.name), key.iter().map(field).collect())
                .with_units(schema.units.clone());
        Self { keys: RowCodec::new(key_schema), rows: RowCodec::new(schema), discipline }
    }

    /// The codec of whole rows.
    pub fn rows(&self) -> &RowCodec {
        &self.rows
    }

    /// The codec of keys: the key's fields in the order the topic declares.
    pub fn keys(&self) -> &RowCodec {
        &self.keys
    }

    /// What a message of the topic is.
    pub fn discipline(&self) -> Discipline {
        self.discipline
    }

    /// The change that a plain row means on this topic.
    pub fn change_of(&self, row: Row) -> Change {
        match self.discipline {
            Discipline::Events => Change::Insert(row),
            Discipline::Full => Change::Upsert(row),
            Discipline::Delta => Change::Diff { row, diff: 1 },
        }
    }

    /// Reads one body.
    ///
    /// # Errors
    /// [`RowError`] names the field and the reason.
    pub fn decode(&self, json: &str) -> Result<Change, RowError> {
        let ctx = ReadContext::new(&self.rows.schema().units);
        match run(json, BodySeed { codec: self, batch: None, ctx: &ctx }) {
            Ok(body) => Ok(body.expect("without a batch every body is returned")),
            Err(error) => Err(ctx.into_error(&error)),
        }
    }

    /// Reads one body; a plain row goes to `batch` with diff 1, anything else is returned.
    ///
    /// # Errors
    /// [`RowError`] names the field and the reason; `batch` is then as it was.
    pub fn decode_into(
        &self,
        json: &str,
        batch: &mut ColumnBatch,
    ) -> Result<Option<Change>, RowError> {
        let n_rows = batch.len();
        let ctx = ReadContext::new(&self.rows.schema().units);
        let read = run(json, BodySeed { codec: self, batch: Some(&mut *batch), ctx: &ctx });
        read.map_err(|error| {
            batch.columns.iter_mut().for_each(|column| column.truncate(n_rows));
            ctx.into_error(&error)
        })
    }
}

struct BodySeed<'c, 'b, 's> {
    codec: &'s BodyCodec,
    batch: Option<&'b mut ColumnBatch>,
    ctx: &'c ReadContext<'s>,
}

impl<'de> DeserializeSeed<'de> for BodySeed<'_, '_, '_> {
    type Value = Option<Change>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for BodySeed<'_, '_, '_> {
    type Value = Option<Change>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the fields of {}", self.codec.rows.schema().name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { codec, batch, ctx } = self;
        let first = match map.next_key_seed(KeySeed { codec, ctx })? {
            None => None,
            Some(BodyKey::Field(field_idx)) => Some(field_idx),
            Some(BodyKey::Delete) => return read_delete(codec, map, ctx).map(Some),
            Some(first @ (BodyKey::Diff | BodyKey::Row | BodyKey::Epoch)) => {
                return read_diff(codec, map, first, ctx).map(Some);
            }
        };
        if let Some(batch) = batch {
            let n_rows = batch.len();
            let schema = codec.rows.schema();
            RowCells { schema, columns: &mut batch.columns, n_rows }.finish(map, first, ctx)?;
            batch.diffs.push(1);
            return Ok(None);
        }
        let values = codec.rows.seed(ctx).finish(map, first)?;
        Ok(Some(codec.change_of(values.into())))
    }
}

fn read_delete<'de, 's, A: MapAccess<'de>>(
    codec: &'s BodyCodec,
    mut map: A,
    ctx: &ReadContext<'s>,
) -> Result<Change, A::Error> {
    if codec.discipline != Discipline::Full {
        let reason = format!(
            "deletes a key, which only a full topic has; this one carries {}",
            codec.discipline
        );
        return Err(ctx.fail_at("$delete", reason));
    }
    let key = map.next_value_seed(codec.keys.seed(ctx))?;
    match map.next_key_seed(KeySeed { codec, ctx })? {
        None => Ok(Change::Delete(key.into())),
        Some(_) => Err(ctx.fail_at("$delete", "stands alone in its object")),
    }
}

fn read_diff<'de, 's, A: MapAccess<'de>>(
    codec: &'s BodyCodec,
    mut map: A,
    first: BodyKey,
    ctx: &ReadContext<'s>,
) -> Result<Change, A::Error> {
    let mut diff: Option<i64> = None;
    let mut row: Option<Row> = None;
    let mut key = Some(first);
    while let Some(at) = key {
        match at {
            BodyKey::Diff if diff.is_some() => return Err(ctx.fail_at("$diff", "stands twice")),
            BodyKey::Diff => {
                diff = Some(map.next_value::<i64>().map_err(|_| {
                    ctx.fail_at::<A::Error>("$diff", "expects an int64 that is not 0")
                })?);
            }
            BodyKey::Row if row.is_some() => return Err(ctx.fail_at("$row", "stands twice")),
            BodyKey::Row => row = Some(map.next_value_seed(codec.rows.seed(ctx))?.into()),
            // What was written as deltas can be read back; the epoch is minted anew.
            BodyKey::Epoch => {
                map.next_value::<IgnoredAny>()?;
            }
            BodyKey::Delete => return Err(ctx.fail_at("$delete", "stands alone in its object")),
            BodyKey::Field(field_idx) => {
                let name = &codec.rows.schema().fields[field_idx].name;
                return Err(ctx.fail_at(name, "stands beside `$diff`; it belongs into `$row`"));
            }
        }
        key = map.next_key_seed(KeySeed { codec, ctx })?;
    }
    let diff = diff.ok_or_else(|| ctx.fail_at::<A::Error>("$diff", "is missing"))?;
    let row = row.ok_or_else(|| ctx.fail_at::<A::Error>("$row", "is missing"))?;
    match (codec.discipline, diff) {
        (_, 0) => Err(ctx.fail_at("$diff", "is 0 and changes nothing")),
        (Discipline::Delta, diff) if !(-DIFF_MAX..=DIFF_MAX).contains(&diff) => {
            Err(ctx.fail_at("$diff", format!("is beyond {DIFF_MAX} copies at a time")))
        }
        (Discipline::Delta, diff) => Ok(Change::Diff { row, diff }),
        (Discipline::Events | Discipline::Full, 1) => Ok(codec.change_of(row)),
        (Discipline::Events, _) => {
            Err(ctx.fail_at("$diff", "retracts or repeats, which an events topic does not"))
        }
        (Discipline::Full, _) => {
            Err(ctx.fail_at("$diff", "is signed; a full topic deletes with `$delete`"))
        }
    }
}

/// The name that a body begins with.
#[derive(Debug, Clone, Copy)]
enum BodyKey {
    Field(usize),
    Delete,
    Diff,
    Row,
    Epoch,
}

struct KeySeed<'c, 's> {
    codec: &'s BodyCodec,
    ctx: &'c ReadContext<'s>,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_, '_> {
    type Value = BodyKey;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<BodyKey, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_, '_> {
    type Value = BodyKey;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<BodyKey, E> {
        match name {
            "$delete" => Ok(BodyKey::Delete),
            "$diff" => Ok(BodyKey::Diff),
            "$row" => Ok(BodyKey::Row),
            "$epoch" => Ok(BodyKey::Epoch),
            _ => {
                let Schema { name: schema, fields, .. } = self.codec.rows.schema();
                FieldSeed { name: schema, fields, hint: 0, ctx: self.ctx }
                    .visit_str(name)
                    .map(BodyKey::Field)
            }
        }
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
