//! The rows of a snapshot as a Parquet file: types as other programs know them, pages in snappy.
//!
//! Where Parquet has no type for one of ours: durations are nanoseconds in an INT64, tensors and
//! structs without fields are JSON.

use std::io::{self, Write};
use std::sync::Arc;

use arqon_proto::encode_value;
use arqon_types::{Column, ColumnBatch, Schema, Type};
use bytes::Bytes;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type as FileType, TypePtr};

use crate::snapshot::Snapshot;

/// Rows of a row group.
const GROUP_ROWS_MAX: usize = 1 << 16;

/// Digits of a decimal: as many as the format has for 16 bytes.
const DECIMAL_DIGITS: i32 = 38;

pub(crate) fn write_parquet(
    snapshot: &Snapshot,
    schema: &Schema,
    sink: &mut (impl Write + Send),
) -> io::Result<()> {
    write(snapshot, schema, sink).map_err(io::Error::other)
}

fn write(snapshot: &Snapshot, schema: &Schema, sink: &mut (impl Write + Send)) -> Result<()> {
    let fields = schema.fields.iter().map(|field| file_type(&field.name, &field.ty));
    let root = FileType::group_type_builder(&schema.name)
        .with_fields(fields.collect::<Result<_>>()?)
        .build()?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(sink, Arc::new(root), Arc::new(properties))?;
    let types = schema.types();
    let mut batch = ColumnBatch::empty(&types);
    for (row, count) in snapshot.rows() {
        for _ in 0..count {
            batch.push(&row, 1);
            if batch.len() == GROUP_ROWS_MAX {
                write_group(
                    &mut writer,
                    &std::mem::replace(&mut batch, ColumnBatch::empty(&types)),
                    &types,
                )?;
            }
        }
    }
    if !batch.is_empty() {
        write_group(&mut writer, &batch, &types)?;
    }
    writer.close().map(drop)
}

/// Whether values of the type are written as JSON.
fn is_json(ty: &Type) -> bool {
    match ty {
        Type::Tensor(_) => true,
        Type::Struct(fields) => fields.is_empty(),
        _ => false,
    }
}

/// A column of a file for values of `ty`.
fn file_type(name: &str, ty: &Type) -> Result<TypePtr> {
    let repetition = if ty.is_option() { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    let leaf = |physical, logical: Option<LogicalType>| {
        FileType::primitive_type_builder(name, physical)
            .with_logical_type(logical)
            .with_repetition(repetition)
    };
    let group = |logical, fields| {
        FileType::group_type_builder(name)
            .with_logical_type(logical)
            .with_repetition(repetition)
            .with_fields(fields)
            .build()
    };
    let repeated = |name, fields| {
        FileType::group_type_builder(name)
            .with_repetition(Repetition::REPEATED)
            .with_fields(fields)
            .build()
    };
    let built = match ty.required() {
        ty if is_json(ty) => leaf(Physical::BYTE_ARRAY, Some(LogicalType::Json)).build(),
        Type::Bool => leaf(Physical::BOOLEAN, None).build(),
        Type::Int64 | Type::Duration => leaf(Physical::INT64, None).build(),
        Type::Float32 => leaf(Physical::FLOAT, None).build(),
        Type::Float64 => leaf(Physical::DOUBLE, None).build(),
        Type::Decimal(scale) => {
            let scale = i32::from(*scale);
            leaf(Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::decimal(scale, DECIMAL_DIGITS)))
                .with_length(16)
                .with_precision(DECIMAL_DIGITS)
                .with_scale(scale)
                .build()
        }
        Type::String | Type::Enum(_) => {
            leaf(Physical::BYTE_ARRAY, Some(LogicalType::String)).build()
        }
        Type::Bytes => leaf(Physical::BYTE_ARRAY, None).build(),
        Type::Timestamp => {
            leaf(Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::NANOS))).build()
        }
        Type::Date => leaf(Physical::INT32, Some(LogicalType::Date)).build(),
        Type::Uuid => {
            leaf(Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid)).with_length(16).build()
        }
        Type::List(inner) => {
            let items = repeated("list", vec![file_type("element", inner)?])?;
            group(Some(LogicalType::List), vec![Arc::new(items)])
        }
        Type::Map(inner) => {
            let entry = vec![file_type("key", &Type::String)?, file_type("value", inner)?];
            group(Some(LogicalType::Map), vec![Arc::new(repeated("key_value", entry)?)])
        }
        Type::Struct(fields) => {
            let fields = fields.iter().map(|field| file_type(&field.name, &field.ty));
            group(None, fields.collect::<Result<_>>()?)
        }
        Type::Tensor(_) | Type::Option(_) => panic!("{ty} has been taken apart above"),
    };
    built.map(Arc::new)
}

fn write_group(
    writer: &mut SerializedFileWriter<impl Write + Send>,
    batch: &ColumnBatch,
    types: &[Type],
) -> Result<()> {
    let mut leaves = Vec::new();
    for (column, ty) in batch.columns.iter().zip(types) {
        let start = leaves.len();
        add_leaves(ty, &mut leaves);
        let levels = Levels::default();
        for row_idx in 0..batch.len() {
            shred(column, ty, row_idx, levels, &mut leaves[start..]);
        }
    }
    let mut group = writer.next_row_group()?;
    for leaf in leaves {
        let mut column = group.next_column()?.expect("there is a column for each leaf");
        leaf.write(column.untyped())?;
        column.close()?;
    }
    group.close().map(drop)
}

/// What is written of a leaf column.
struct Leaf {
    values: Values,
    defs: Vec<i16>,
    reps: Vec<i16>,
}

enum Values {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Single(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
}

impl Leaf {
    fn write(self, writer: &mut ColumnWriter<'_>) -> Result<()> {
        let (defs, reps) = (Some(&self.defs[..]), Some(&self.reps[..]));
        match (self.values, writer) {
            (Values::Bool(values), ColumnWriter::BoolColumnWriter(writer)) => {
                writer.write_batch(&values, defs, reps)
            }
            (Values::Int32(values), ColumnWriter::Int32ColumnWriter(writer)) => {
                writer.write_batch(&values, defs, reps)
            }
            (Values::Int64(values), ColumnWriter::Int64ColumnWriter(writer)) => {
                writer.write_batch(&values, defs, reps)
            }
            (Values::Single(values), ColumnWriter::FloatColumnWriter(writer)) => {
                writer.write_batch(&values, defs, reps)
            }
            (Values::Double(values), ColumnWriter::DoubleColumnWriter(writer)) => {
                writer.write_batch(&values, defs, reps)
            }
            (Values::Bytes(values), ColumnWriter::ByteArrayColumnWriter(writer)) => {
                writer.write_batch(&values, defs, reps)
            }
            (Values::Fixed(values), ColumnWriter::FixedLenByteArrayColumnWriter(writer)) => {
                writer.write_batch(&values, defs, reps)
            }
            _ => panic!("the file's schema was made of the same types"),
        }
        .map(drop)
    }
}

/// Adds the leaves of a type, in the order in which its parts stand in the file.
fn add_leaves(ty: &Type, leaves: &mut Vec<Leaf>) {
    let mut add = |values| leaves.push(Leaf { values, defs: Vec::new(), reps: Vec::new() });
    match ty.required() {
        ty if is_json(ty) => add(Values::Bytes(Vec::new())),
        Type::Bool => add(Values::Bool(Vec::new())),
        Type::Int64 | Type::Timestamp | Type::Duration => add(Values::Int64(Vec::new())),
        Type::Date => add(Values::Int32(Vec::new())),
        Type::Float32 => add(Values::Single(Vec::new())),
        Type::Float64 => add(Values::Double(Vec::new())),
        Type::Decimal(_) | Type::Uuid => add(Values::Fixed(Vec::new())),
        Type::String | Type::Bytes | Type::Enum(_) => add(Values::Bytes(Vec::new())),
        Type::List(inner) => add_leaves(inner, leaves),
        Type::Map(inner) => {
            add_leaves(&Type::String, leaves);
            add_leaves(inner, leaves);
        }
        Type::Struct(fields) => fields.iter().for_each(|field| add_leaves(&field.ty, leaves)),
        Type::Tensor(_) | Type::Option(_) => panic!("{ty} has been taken apart above"),
    }
}

/// How many leaves a type has.
fn n_leaves(ty: &Type) -> usize {
    match ty.required() {
        ty if is_json(ty) => 1,
        Type::List(inner) => n_leaves(inner),
        Type::Map(inner) => 1 + n_leaves(inner),
        Type::Struct(fields) => fields.iter().map(|field| n_leaves(&field.ty)).sum(),
        _ => 1,
    }
}

/// Where on its way down a value is.
#[derive(Debug, Clone, Copy, Default)]
struct Levels {
    /// How many options and lists above are there.
    def: i16,
    /// Which list goes on.
    rep: i16,
    /// How many lists are above.
    depth: i16,
}

/// Adds a value to the leaves of its type.
fn shred(column: &Column, ty: &Type, row_idx: usize, levels: Levels, leaves: &mut [Leaf]) {
    let absent = |leaves: &mut [Leaf]| {
        for leaf in leaves {
            leaf.defs.push(levels.def);
            leaf.reps.push(levels.rep);
        }
    };
    let below = |levels: Levels| Levels { def: levels.def + 1, ..levels };
    match (column, ty) {
        (Column::Option { present, values }, Type::Option(inner)) => {
            if present[row_idx] {
                shred(values, inner, row_idx, below(levels), leaves);
            } else {
                absent(leaves);
            }
        }
        (column, ty) if is_json(ty) => {
            let mut json = Vec::new();
            encode_value(&column.value(row_idx, ty), ty, &mut json);
            leaves[0].push(levels, |values| push_bytes(values, json));
        }
        (Column::List { ends, items }, Type::List(_) | Type::Map(_)) => {
            let start = if row_idx == 0 { 0 } else { ends[row_idx - 1] as usize };
            let range = start..ends[row_idx] as usize;
            if range.is_empty() {
                return absent(leaves);
            }
            let depth = levels.depth + 1;
            for at in range {
                let rep = if at == start { levels.rep } else { depth };
                let levels = Levels { def: levels.def + 1, rep, depth };
                match (&**items, ty) {
                    (items, Type::List(inner)) => shred(items, inner, at, levels, leaves),
                    (Column::Struct { fields, .. }, Type::Map(inner)) => {
                        let (key, value) = leaves.split_at_mut(1);
                        shred(&fields[0], &Type::String, at, levels, key);
                        shred(&fields[1], inner, at, levels, value);
                    }
                    (items, ty) => panic!("{items:?} are not the items of {ty}"),
                }
            }
        }
        (Column::Struct { fields, .. }, Type::Struct(types)) => {
            let mut rest = leaves;
            for (field, of) in fields.iter().zip(types) {
                let (own, behind) = rest.split_at_mut(n_leaves(&of.ty));
                shred(field, &of.ty, row_idx, levels, own);
                rest = behind;
            }
        }
        (column, ty) => leaves[0].push(levels, |values| push_value(values, column, ty, row_idx)),
    }
}

impl Leaf {
    fn push(&mut self, levels: Levels, push: impl FnOnce(&mut Values)) {
        self.defs.push(levels.def);
        self.reps.push(levels.rep);
        push(&mut self.values);
    }
}

fn push_bytes(values: &mut Values, bytes: Vec<u8>) {
    match values {
        Values::Bytes(values) => values.push(Bytes::from(bytes).into()),
        Values::Fixed(values) => values.push(bytes.into()),
        Values::Bool(_)
        | Values::Int32(_)
        | Values::Int64(_)
        | Values::Single(_)
        | Values::Double(_) => panic!("byte strings go to a leaf of such"),
    }
}

fn push_value(values: &mut Values, column: &Column, ty: &Type, row_idx: usize) {
    match (values, column, ty) {
        (Values::Bool(to), Column::Bool(from), _) => to.push(from[row_idx]),
        (Values::Int64(to), Column::Int(from), _) => to.push(from[row_idx]),
        (Values::Int32(to), Column::Int(from), _) => {
            to.push(i32::try_from(from[row_idx]).expect("days were pushed as i32"));
        }
        (Values::Double(to), Column::Float(from), _) => to.push(from[row_idx]),
        (Values::Single(to), Column::Float(from), _) => {
            to.push(arqon_types::Float::new(from[row_idx]).to_f32());
        }
        (values, Column::Int(from), Type::Enum(labels)) => {
            let label = usize::try_from(from[row_idx]).expect("a label has a place");
            push_bytes(values, labels[label].clone().into_bytes());
        }
        (values, Column::Decimal(from), _) => {
            push_bytes(values, from[row_idx].to_be_bytes().to_vec());
        }
        (values, Column::Uuid(from), _) => push_bytes(values, from[row_idx].to_be_bytes().to_vec()),
        (values, Column::String(from), _) => push_bytes(values, from.bytes(row_idx).to_vec()),
        (values, Column::Bytes(from), _) => push_bytes(values, from.get(row_idx).to_vec()),
        (_, column, ty) => panic!("{column:?} does not hold {ty}"),
    }
}
