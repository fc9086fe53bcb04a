//! What the columns of a Parquet file hold, and which types of ours they are read as.
//!
//! A column is read as a type where each of its values is one of the type's, or where a single
//! value may be none, as text may be no date: then that row is at fault. No value is rounded.

use arqon_types::{Field, TimeUnit, TimeUnits, Type};
use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::schema::types::Type as FileType;

/// What the values of a leaf mean, whatever bytes they stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    Bool,
    Signed,
    Unsigned,
    Half,
    Single,
    Double,
    Decimal(u8),
    Text,
    Json,
    Binary,
    Uuid,
    Timestamp(TimeUnit),
    /// The timestamps of old Spark, Hive and Impala.
    Int96,
    Date,
    Time(TimeUnit),
    Interval,
    /// What no type of ours is.
    Other,
}

/// How the values of a leaf become values of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decode {
    Bool,
    Int,
    IntAsFloat,
    IntAsDecimal,
    /// Integers that count units since 1970, or a duration.
    Units(TimeUnit),
    Int96,
    Date,
    Half,
    Float,
    /// Of so many digits after the point.
    Decimal(u8),
    DecimalAsInt(u8),
    Text,
    /// Text as CSV cells have it.
    Parsed,
    Json,
    Bytes,
    Uuid,
    Interval,
}

/// What a leaf of a file holds.
pub(crate) fn stored(leaf: &FileType) -> Stored {
    let info = leaf.get_basic_info();
    let physical = leaf.get_physical_type();
    let Some(logical) = info.logical_type_ref() else {
        return converted(leaf, physical, info.converted_type());
    };
    match (physical, logical) {
        (_, LogicalType::Decimal(decimal)) => decimal_of(decimal.scale),
        (Physical::INT32 | Physical::INT64, LogicalType::Integer(int)) => {
            if int.is_signed {
                Stored::Signed
            } else {
                Stored::Unsigned
            }
        }
        (Physical::INT64, LogicalType::Timestamp(timestamp)) => {
            Stored::Timestamp(unit_of(timestamp.unit))
        }
        (Physical::INT32 | Physical::INT64, LogicalType::Time(time)) => {
            Stored::Time(unit_of(time.unit))
        }
        (Physical::INT32, LogicalType::Date) => Stored::Date,
        (Physical::BYTE_ARRAY, LogicalType::String | LogicalType::Enum) => Stored::Text,
        (Physical::BYTE_ARRAY, LogicalType::Json) => Stored::Json,
        (Physical::FIXED_LEN_BYTE_ARRAY, LogicalType::Uuid) => Stored::Uuid,
        (Physical::FIXED_LEN_BYTE_ARRAY, LogicalType::Float16) => Stored::Half,
        _ => Stored::Other,
    }
}

fn unit_of(unit: parquet::basic::TimeUnit) -> TimeUnit {
    match unit {
        parquet::basic::TimeUnit::MILLIS => TimeUnit::Milliseconds,
        parquet::basic::TimeUnit::MICROS => TimeUnit::Microseconds,
        parquet::basic::TimeUnit::NANOS => TimeUnit::Nanoseconds,
    }
}

fn decimal_of(scale: i32) -> Stored {
    // A scale beyond 38 leaves no digit before the point of any number that we hold.
    u8::try_from(scale).ok().filter(|scale| *scale <= 38).map_or(Stored::Other, Stored::Decimal)
}

/// What a leaf without a logical type holds: files of old writers have the older annotation.
fn converted(leaf: &FileType, physical: Physical, converted: ConvertedType) -> Stored {
    match (physical, converted) {
        (_, ConvertedType::DECIMAL) => decimal_of(leaf.get_scale()),
        (
            Physical::INT32 | Physical::INT64,
            ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64,
        ) => Stored::Unsigned,
        (Physical::INT32, ConvertedType::DATE) => Stored::Date,
        (Physical::INT32, ConvertedType::TIME_MILLIS) => Stored::Time(TimeUnit::Milliseconds),
        (Physical::INT64, ConvertedType::TIME_MICROS) => Stored::Time(TimeUnit::Microseconds),
        (Physical::INT64, ConvertedType::TIMESTAMP_MILLIS) => {
            Stored::Timestamp(TimeUnit::Milliseconds)
        }
        (Physical::INT64, ConvertedType::TIMESTAMP_MICROS) => {
            Stored::Timestamp(TimeUnit::Microseconds)
        }
        (Physical::BYTE_ARRAY, ConvertedType::UTF8 | ConvertedType::ENUM) => Stored::Text,
        (Physical::BYTE_ARRAY, ConvertedType::JSON) => Stored::Json,
        (Physical::FIXED_LEN_BYTE_ARRAY, ConvertedType::INTERVAL) => Stored::Interval,
        (Physical::BOOLEAN, _) => Stored::Bool,
        (Physical::INT32 | Physical::INT64, _) => Stored::Signed,
        (Physical::INT96, _) => Stored::Int96,
        (Physical::FLOAT, _) => Stored::Single,
        (Physical::DOUBLE, _) => Stored::Double,
        (Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY, _) => Stored::Binary,
    }
}

/// How what is stored is read as `ty`, which is no option; none if it is not.
pub(crate) fn decode(stored: Stored, ty: &Type, units: &TimeUnits) -> Option<Decode> {
    match (stored, ty) {
        (Stored::Bool, Type::Bool) => Some(Decode::Bool),
        (Stored::Signed | Stored::Unsigned, Type::Int64) => Some(Decode::Int),
        (Stored::Signed | Stored::Unsigned, Type::Float32 | Type::Float64) => {
            Some(Decode::IntAsFloat)
        }
        (Stored::Signed | Stored::Unsigned, Type::Decimal(_)) => Some(Decode::IntAsDecimal),
        (Stored::Signed, Type::Timestamp) => units.own().map(Decode::Units),
        // What we write, since Parquet has no type for it.
        (Stored::Signed, Type::Duration) => Some(Decode::Units(TimeUnit::Nanoseconds)),
        (Stored::Timestamp(unit), Type::Timestamp) | (Stored::Time(unit), Type::Duration) => {
            Some(Decode::Units(unit))
        }
        (Stored::Int96, Type::Timestamp) => Some(Decode::Int96),
        (Stored::Date, Type::Date) => Some(Decode::Date),
        (Stored::Interval, Type::Duration) => Some(Decode::Interval),
        (Stored::Half, Type::Float32 | Type::Float64) => Some(Decode::Half),
        (Stored::Single, Type::Float32 | Type::Float64) | (Stored::Double, Type::Float64) => {
            Some(Decode::Float)
        }
        (Stored::Decimal(scale), Type::Decimal(_)) => Some(Decode::Decimal(scale)),
        (Stored::Decimal(scale), Type::Int64) => Some(Decode::DecimalAsInt(scale)),
        (Stored::Text | Stored::Json | Stored::Binary, Type::String) => Some(Decode::Text),
        (
            Stored::Text,
            Type::Enum(_) | Type::Uuid | Type::Duration | Type::Timestamp | Type::Date,
        ) => Some(Decode::Parsed),
        (
            Stored::Text | Stored::Json,
            Type::List(_) | Type::Map(_) | Type::Tensor(_) | Type::Struct(_),
        ) => Some(Decode::Json),
        (Stored::Binary, Type::Bytes) => Some(Decode::Bytes),
        (Stored::Uuid, Type::Uuid) => Some(Decode::Uuid),
        _ => None,
    }
}

/// The type of ours that a column of a file is most like; none if it is like none.
pub(crate) fn likely(file: &FileType) -> Option<Type> {
    let ty = if let Some(element) = element_of(file) {
        Type::List(Box::new(likely(element)?))
    } else if let Some((_, value)) = entry_of(file) {
        Type::Map(Box::new(likely(value)?))
    } else if file.is_group() {
        let field = |field: &FileType| Some(Field::new(field.name(), likely(field)?));
        Type::Struct(file.get_fields().iter().map(|of| field(of)).collect::<Option<_>>()?)
    } else {
        match stored(file) {
            Stored::Bool => Type::Bool,
            Stored::Signed | Stored::Unsigned => Type::Int64,
            Stored::Half | Stored::Single => Type::Float32,
            Stored::Double => Type::Float64,
            Stored::Decimal(scale) => Type::Decimal(scale),
            Stored::Text | Stored::Json => Type::String,
            Stored::Binary => Type::Bytes,
            Stored::Uuid => Type::Uuid,
            Stored::Timestamp(_) | Stored::Int96 => Type::Timestamp,
            Stored::Date => Type::Date,
            Stored::Time(_) | Stored::Interval => Type::Duration,
            Stored::Other => return None,
        }
    };
    Some(if repetition(file) == Repetition::OPTIONAL { ty.optional() } else { ty })
}

/// The type as people who know Parquet write it.
pub(crate) fn described(file: &FileType) -> String {
    if let Some(element) = element_of(file) {
        return format!("LIST<{}>", described(element));
    }
    if let Some((key, value)) = entry_of(file) {
        return format!("MAP<{}, {}>", described(key), described(value));
    }
    if file.is_group() {
        let field = |field: &FileType| format!("{} {}", field.name(), described(field));
        let fields: Vec<String> = file.get_fields().iter().map(|of| field(of)).collect();
        return format!("STRUCT<{}>", fields.join(", "));
    }
    let physical = file.get_physical_type();
    match stored(file) {
        Stored::Unsigned => format!("UNSIGNED {physical}"),
        Stored::Decimal(scale) => format!("DECIMAL({}, {scale})", file.get_precision()),
        Stored::Text => "STRING".to_owned(),
        Stored::Json => "JSON".to_owned(),
        Stored::Uuid => "UUID".to_owned(),
        Stored::Half => "FLOAT16".to_owned(),
        Stored::Timestamp(unit) => format!("TIMESTAMP({unit})"),
        Stored::Date => "DATE".to_owned(),
        Stored::Time(unit) => format!("TIME({unit})"),
        Stored::Interval => "INTERVAL".to_owned(),
        Stored::Other => match file.get_basic_info().logical_type_ref() {
            Some(logical) => format!("{logical:?}"),
            None => physical.to_string(),
        },
        Stored::Bool
        | Stored::Signed
        | Stored::Single
        | Stored::Double
        | Stored::Binary
        | Stored::Int96 => physical.to_string(),
    }
}

/// Whether a column may be absent or repeated.
pub(crate) fn repetition(file: &FileType) -> Repetition {
    let info = file.get_basic_info();
    if info.has_repetition() { info.repetition() } else { Repetition::REQUIRED }
}

/// Of a list: what its repeated group holds, or the repeated field itself in files of old writers.
pub(crate) fn element_of(file: &FileType) -> Option<&FileType> {
    let info = file.get_basic_info();
    let is_list = matches!(info.logical_type_ref(), Some(LogicalType::List))
        || info.converted_type() == ConvertedType::LIST;
    let repeated = only_repeated(file).filter(|_| is_list)?;
    if !repeated.is_group() {
        return Some(repeated);
    }
    let is_old = repeated.name() == "array"
        || repeated.name().strip_suffix("_tuple").is_some_and(|name| name == file.name());
    match repeated.get_fields() {
        [element] if !is_old => Some(element),
        _ => Some(repeated),
    }
}

/// Of a map: its keys and its values.
pub(crate) fn entry_of(file: &FileType) -> Option<(&FileType, &FileType)> {
    let info = file.get_basic_info();
    let is_map = matches!(info.logical_type_ref(), Some(LogicalType::Map))
        || matches!(info.converted_type(), ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE);
    let repeated = only_repeated(file).filter(|repeated| is_map && repeated.is_group())?;
    match repeated.get_fields() {
        [key, value] => Some((key, value)),
        _ => None,
    }
}

/// The one field of a group, if it is repeated.
pub(crate) fn only_repeated(file: &FileType) -> Option<&FileType> {
    if !file.is_group() {
        return None;
    }
    match file.get_fields() {
        [only] if repetition(only) == Repetition::REPEATED => Some(only),
        _ => None,
    }
}
