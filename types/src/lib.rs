//! The nouns of ArqonBus: names, types, schemas, values, rows, updates, delta batches, epochs.
//!
//! Everything else is written in these words. Nothing here reads a file, a socket or a clock.

mod name;
mod epoch;
mod float;
mod decimal;
mod time;
mod unit;
mod bytes;
mod tensor;
mod ty;
mod value;
mod row;
mod column;
mod packed;
mod consolidate;
mod discipline;
mod change;
mod delta;
mod error_row;

pub use bytes::{format_base64, format_hex, parse_base64, parse_hex};
pub use change::Change;
pub use column::{BytesColumn, Column, ColumnBatch, StringColumn};
pub use consolidate::consolidate_columns;
pub use decimal::{
    DecimalError, SCALE_MAX, compare_decimals, format_decimal, parse_decimal, pow10, rescale,
};
pub use delta::{ColumnDelta, DeltaBatch, Update, consolidate};
pub use discipline::{Discipline, Edge};
pub use epoch::Epoch;
pub use error_row::{ErrorRow, error_schema};
pub use float::Float;
pub use name::{NAME_CHARS_MAX, NameError, NodeName, TopicName};
pub use packed::{PackedRow, from_sortable_int, is_word, skip_packed, sortable_int};
pub use row::Row;
pub use tensor::{
    Dimension, ElementType, Elements, TENSOR_ELEMENTS_MAX, Tensor, TensorError, TensorType, count,
    shape_text,
};
pub use time::{
    DAYS_RANGE, TimeError, format_date, format_duration, format_timestamp, parse_date,
    parse_duration, parse_timestamp,
};
pub use ty::{Field, Schema, Type};
pub use unit::{TimeUnit, TimeUnits};
pub use value::Value;
