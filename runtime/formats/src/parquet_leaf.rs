//! The values of one leaf column: read as they are stored, decoded into a column of ours.
//!
//! Values stand close together, without what is absent; [`LeafValues`] has their levels beside
//! them. A value that is none of the type's leaves a default in the column and a reason beside it.

use arqon_proto::{decode_value, parse_text};
use arqon_types::{
    Column, DAYS_RANGE, Float, StringColumn, TimeUnit, Type, Value, format_decimal, rescale,
};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{AsBytes, ByteArray, DataType, FixedLenByteArray, Int96};
use parquet::errors::{ParquetError, Result};

use crate::parquet_schema::Leaf;
use crate::parquet_type::{Decode, Stored};
use crate::stream::RECORD_BYTES_MAX;

/// Bytes that the texts of a column may have in one batch; more ends the reading of the file.
const TEXT_BYTES_MAX: usize = 1 << 30;

/// Nanoseconds of a day.
const DAY: i64 = 86_400_000_000_000;

/// What a leaf holds of some rows.
#[derive(Debug)]
pub(crate) struct LeafValues {
    /// The values that are there.
    pub(crate) values: Column,
    /// Of each value or gap, how much of the way to it is there; empty if always all.
    pub(crate) defs: Vec<i16>,
    /// Which list goes on; empty outside of lists.
    pub(crate) reps: Vec<i16>,
    /// Values and gaps.
    pub(crate) n_levels: usize,
    /// Values that are none of the type, in order.
    pub(crate) faults: Vec<(usize, String)>,
}

impl LeafValues {
    /// Reads the leaf's part of the next `n_rows` rows.
    pub(crate) fn read(leaf: &Leaf, reader: &mut ColumnReader, n_rows: usize) -> Result<Self> {
        let (mut defs, mut reps) = (Vec::new(), Vec::new());
        let (raw, n_read, n_levels) = Raw::read(reader, n_rows, &mut defs, &mut reps)?;
        if n_read != n_rows {
            return Err(early(n_rows - n_read));
        }
        let mut decoding = Decoding { leaf, faults: Vec::new() };
        let values = decoding.column(raw)?;
        Ok(Self { values, defs, reps, n_levels, faults: decoding.faults })
    }
}

/// Passes the leaf's part of the next `n_rows` rows; pages that lie in them whole are not unpacked.
pub(crate) fn skip(reader: &mut ColumnReader, n_rows: usize) -> Result<()> {
    let n_passed = match reader {
        ColumnReader::BoolColumnReader(reader) => reader.skip_records(n_rows)?,
        ColumnReader::Int32ColumnReader(reader) => reader.skip_records(n_rows)?,
        ColumnReader::Int64ColumnReader(reader) => reader.skip_records(n_rows)?,
        ColumnReader::Int96ColumnReader(reader) => reader.skip_records(n_rows)?,
        ColumnReader::FloatColumnReader(reader) => reader.skip_records(n_rows)?,
        ColumnReader::DoubleColumnReader(reader) => reader.skip_records(n_rows)?,
        ColumnReader::ByteArrayColumnReader(reader) => reader.skip_records(n_rows)?,
        ColumnReader::FixedLenByteArrayColumnReader(reader) => reader.skip_records(n_rows)?,
    };
    if n_passed == n_rows { Ok(()) } else { Err(early(n_rows - n_passed)) }
}

/// Values as they are stored.
enum Raw {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Int96(Vec<Int96>),
    Single(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
}

impl Raw {
    /// The values with the numbers of rows and of levels.
    fn read(
        reader: &mut ColumnReader,
        n_rows: usize,
        defs: &mut Vec<i16>,
        reps: &mut Vec<i16>,
    ) -> Result<(Self, usize, usize)> {
        fn read<T: DataType>(
            reader: &mut ColumnReaderImpl<T>,
            n_rows: usize,
            (defs, reps): (&mut Vec<i16>, &mut Vec<i16>),
        ) -> Result<(Vec<T::T>, usize, usize)> {
            let mut values = Vec::with_capacity(n_rows);
            let (n_read, _, n_levels) =
                reader.read_records(n_rows, Some(defs), Some(reps), &mut values)?;
            Ok((values, n_read, n_levels))
        }
        let levels = (defs, reps);
        Ok(match reader {
            ColumnReader::BoolColumnReader(reader) => {
                let (values, n_read, n_levels) = read(reader, n_rows, levels)?;
                (Self::Bool(values), n_read, n_levels)
            }
            ColumnReader::Int32ColumnReader(reader) => {
                let (values, n_read, n_levels) = read(reader, n_rows, levels)?;
                (Self::Int32(values), n_read, n_levels)
            }
            ColumnReader::Int64ColumnReader(reader) => {
                let (values, n_read, n_levels) = read(reader, n_rows, levels)?;
                (Self::Int64(values), n_read, n_levels)
            }
            ColumnReader::Int96ColumnReader(reader) => {
                let (values, n_read, n_levels) = read(reader, n_rows, levels)?;
                (Self::Int96(values), n_read, n_levels)
            }
            ColumnReader::FloatColumnReader(reader) => {
                let (values, n_read, n_levels) = read(reader, n_rows, levels)?;
                (Self::Single(values), n_read, n_levels)
            }
            ColumnReader::DoubleColumnReader(reader) => {
                let (values, n_read, n_levels) = read(reader, n_rows, levels)?;
                (Self::Double(values), n_read, n_levels)
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                let (values, n_read, n_levels) = read(reader, n_rows, levels)?;
                (Self::Bytes(values), n_read, n_levels)
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                let (values, n_read, n_levels) = read(reader, n_rows, levels)?;
                (Self::Fixed(values), n_read, n_levels)
            }
        })
    }

    /// Byte strings of either kind.
    fn bytes(&self) -> Result<Vec<&[u8]>> {
        let bytes: Vec<&[u8]> = match self {
            Self::Bytes(values) => values.iter().map(AsBytes::as_bytes).collect(),
            Self::Fixed(values) => values.iter().map(AsBytes::as_bytes).collect(),
            _ => return Err(unlike()),
        };
        let n_bytes: usize = bytes.iter().map(|bytes| bytes.len()).sum();
        if n_bytes > TEXT_BYTES_MAX {
            return Err(ParquetError::General(format!(
                "the texts of {} rows have more than 1 GiB; take fewer at once with --epoch-rows",
                bytes.len()
            )));
        }
        Ok(bytes)
    }
}

/// A row group that has fewer rows than it says.
fn early(n_rows: usize) -> ParquetError {
    ParquetError::EOF(format!("a row group ends {n_rows} rows early"))
}

/// A column chunk that is not of the type that the file's schema says.
fn unlike() -> ParquetError {
    ParquetError::General("the values of a column are not of its type".to_owned())
}

struct Decoding<'l> {
    leaf: &'l Leaf,
    faults: Vec<(usize, String)>,
}

impl Decoding<'_> {
    fn column(&mut self, raw: Raw) -> Result<Column> {
        let ty = &self.leaf.ty;
        Ok(match self.leaf.decode {
            Decode::Bool => match raw {
                Raw::Bool(values) => Column::Bool(values),
                _ => return Err(unlike()),
            },
            Decode::Int => Column::Int(self.integers(raw)?),
            Decode::IntAsFloat => {
                let integers = self.integers(raw)?;
                let is_single = *ty == Type::Float32;
                Column::Float(self.each(&integers, |number| exact_float(*number, is_single)))
            }
            Decode::IntAsDecimal => {
                let integers = self.integers(raw)?;
                self.decimals(integers.into_iter().map(i128::from).collect(), 0)
            }
            Decode::Units(TimeUnit::Nanoseconds) => Column::Int(self.integers(raw)?),
            Decode::Units(unit) => {
                let integers = self.integers(raw)?;
                Column::Int(self.each(&integers, |number| {
                    let fits = unit.nanoseconds(*number);
                    fits.ok_or_else(|| format!("is {number} {unit}, out of the range of {ty}"))
                }))
            }
            Decode::Int96 => match raw {
                Raw::Int96(values) => Column::Int(self.each(&values, |value| {
                    julian(value.data()).ok_or_else(|| format!("is out of the range of {ty}"))
                })),
                _ => return Err(unlike()),
            },
            Decode::Date => {
                let days = self.integers(raw)?;
                Column::Int(self.each(&days, |days| {
                    let fits = Some(*days).filter(|days| DAYS_RANGE.contains(days));
                    fits.ok_or_else(|| format!("is day {days} of 1970, out of the range of {ty}"))
                }))
            }
            Decode::Half => {
                let halves = raw.bytes()?;
                let floats = halves.iter().map(|bytes| half(bytes).ok_or_else(unlike));
                Column::Float(floats.collect::<Result<_>>()?)
            }
            Decode::Float => Column::Float(match raw {
                Raw::Single(values) => {
                    values.into_iter().map(|number| Float::new(number.into()).get()).collect()
                }
                Raw::Double(values) => {
                    values.into_iter().map(|number| Float::new(number).get()).collect()
                }
                _ => return Err(unlike()),
            }),
            Decode::Decimal(scale) => {
                let units = self.units(&raw)?;
                self.decimals(units, scale)
            }
            Decode::DecimalAsInt(scale) => {
                let units = self.units(&raw)?;
                Column::Int(self.each(&units, |units| {
                    let whole = rescale(*units, scale, 0).and_then(|it| i64::try_from(it).ok());
                    whole.ok_or_else(|| format!("is {}, no int64", format_decimal(*units, scale)))
                }))
            }
            Decode::Text => self.texts(&raw)?,
            Decode::Parsed => self.parsed(&raw, |text, leaf| {
                parse_text(text, &leaf.ty, &leaf.units).map_err(|error| error.reason)
            })?,
            Decode::Json => self.parsed(&raw, |text, leaf| {
                decode_value(text, &leaf.ty, &leaf.units).map_err(|error| error.reason)
            })?,
            Decode::Bytes => {
                let mut column = arqon_types::BytesColumn::default();
                for (at, bytes) in raw.bytes()?.into_iter().enumerate() {
                    column.push(self.short(at, bytes));
                }
                Column::Bytes(column)
            }
            Decode::Uuid => {
                let bits = |bytes: &[u8]| bytes.try_into().map(u128::from_be_bytes);
                let uuids = raw.bytes()?.into_iter().map(|bytes| bits(bytes).map_err(|_| unlike()));
                Column::Uuid(uuids.collect::<Result<_>>()?)
            }
            Decode::Interval => {
                let intervals = raw.bytes()?;
                Column::Int(self.each(&intervals, |bytes| interval(bytes)))
            }
        })
    }

    /// Each value as `decode` says, a default and a reason where it is none.
    fn each<T, R: Default>(
        &mut self,
        values: &[T],
        decode: impl Fn(&T) -> std::result::Result<R, String>,
    ) -> Vec<R> {
        let mut decoded = Vec::with_capacity(values.len());
        for (at, value) in values.iter().enumerate() {
            decoded.push(decode(value).unwrap_or_else(|reason| {
                self.faults.push((at, reason));
                R::default()
            }));
        }
        decoded
    }

    /// Whole numbers of either width, with a sign or without.
    fn integers(&mut self, raw: Raw) -> Result<Vec<i64>> {
        let is_unsigned = self.leaf.stored == Stored::Unsigned;
        Ok(match raw {
            Raw::Int32(values) if is_unsigned => {
                values.into_iter().map(|number| i64::from(number.cast_unsigned())).collect()
            }
            Raw::Int32(values) => values.into_iter().map(i64::from).collect(),
            Raw::Int64(values) if is_unsigned => self.each(&values, |number| {
                let number = number.cast_unsigned();
                i64::try_from(number).map_err(|_| format!("is {number}, out of the range of int64"))
            }),
            Raw::Int64(values) => values,
            _ => return Err(unlike()),
        })
    }

    /// The units of decimals, in any of the ways that they are stored.
    fn units(&mut self, raw: &Raw) -> Result<Vec<i128>> {
        Ok(match raw {
            Raw::Int32(values) => values.iter().map(|units| i128::from(*units)).collect(),
            Raw::Int64(values) => values.iter().map(|units| i128::from(*units)).collect(),
            raw => {
                let bytes = raw.bytes()?;
                self.each(&bytes, |bytes| {
                    big_endian(bytes).ok_or_else(|| "has more than 38 digits".to_owned())
                })
            }
        })
    }

    fn decimals(&mut self, units: Vec<i128>, from: u8) -> Column {
        let Type::Decimal(to) = self.leaf.ty else { panic!("{} is no decimal", self.leaf.ty) };
        if from == to {
            return Column::Decimal(units);
        }
        Column::Decimal(self.each(&units, |units| {
            let fits = rescale(*units, from, to);
            fits.ok_or_else(|| format!("is {}, no decimal<{to}>", format_decimal(*units, from)))
        }))
    }

    fn texts(&mut self, raw: &Raw) -> Result<Column> {
        let plain = match raw {
            Raw::Bytes(values) => plain_texts(values),
            Raw::Fixed(values) => plain_texts(values),
            _ => return Err(unlike()),
        };
        if let Some(column) = plain {
            return Ok(Column::String(column));
        }
        let mut column = StringColumn::default();
        for (at, bytes) in raw.bytes()?.into_iter().enumerate() {
            column.push(self.text(at, bytes));
        }
        Ok(Column::String(column))
    }

    fn parsed(
        &mut self,
        raw: &Raw,
        parse: impl Fn(&str, &Leaf) -> std::result::Result<Value, String>,
    ) -> Result<Column> {
        let mut column = Column::empty(&self.leaf.ty);
        for (at, bytes) in raw.bytes()?.into_iter().enumerate() {
            let n_faults = self.faults.len();
            let text = self.text(at, bytes);
            let value = parse(text, self.leaf);
            match value {
                _ if self.faults.len() > n_faults => column.push_default(),
                Ok(value) => column.push(&value),
                Err(reason) => {
                    self.faults.push((at, reason));
                    column.push_default();
                }
            }
        }
        Ok(column)
    }

    fn text<'b>(&mut self, at: usize, bytes: &'b [u8]) -> &'b str {
        std::str::from_utf8(self.short(at, bytes)).unwrap_or_else(|_| {
            self.faults.push((at, "is not UTF-8".to_owned()));
            ""
        })
    }

    /// The bytes, if they are no more than a record may have.
    fn short<'b>(&mut self, at: usize, bytes: &'b [u8]) -> &'b [u8] {
        if bytes.len() as u64 <= RECORD_BYTES_MAX {
            return bytes;
        }
        self.faults.push((at, format!("has more than {} MiB", RECORD_BYTES_MAX >> 20)));
        &[]
    }
}

/// All texts at once, where there is nothing to say of any of them.
fn plain_texts(values: &[impl AsBytes]) -> Option<StringColumn> {
    let mut ends = Vec::with_capacity(values.len());
    let mut heap = Vec::with_capacity(2 * values.len());
    for value in values {
        match value.as_bytes() {
            // One letter is what flags mostly are, and to copy it by a call takes longer.
            [letter] => heap.push(*letter),
            bytes if bytes.len() as u64 <= RECORD_BYTES_MAX => heap.extend_from_slice(bytes),
            _ => return None,
        }
        ends.push(u32::try_from(heap.len()).ok()?);
        if heap.len() > TEXT_BYTES_MAX {
            return None;
        }
    }
    StringColumn::from_ends(ends, String::from_utf8(heap).ok()?)
}

fn exact_float(number: i64, is_single: bool) -> std::result::Result<f64, String> {
    #[expect(clippy::cast_precision_loss, reason = "what is lost is seen below")]
    let float = if is_single { f64::from(number as f32) } else { number as f64 };
    #[expect(clippy::cast_possible_truncation, reason = "the float is a whole number")]
    let back = float as i128;
    if back == i128::from(number) {
        return Ok(float);
    }
    Err(format!(
        "is {number}, which is not exact as a {}",
        if is_single { "float32" } else { "float64" }
    ))
}

/// A number of at most 16 bytes that count, in two's complement.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let is_negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let fill = if is_negative { 0xFF } else { 0 };
    let n_extra = bytes.len().saturating_sub(16);
    let (extra, rest) = bytes.split_at(n_extra);
    let mut whole = [fill; 16];
    whole[16 - rest.len()..].copy_from_slice(rest);
    let number = i128::from_be_bytes(whole);
    let is_whole = extra.iter().all(|byte| *byte == fill) && (number < 0) == is_negative;
    is_whole.then_some(number)
}

/// Nanoseconds since 1970 of nanoseconds of a day and a Julian day.
fn julian(words: &[u32]) -> Option<i64> {
    const DAY_OF_1970: i64 = 2_440_588;
    let [low, high, day] = *words else { return None };
    let nanoseconds = i64::from(low) | i64::from(high) << 32;
    let days = i64::from(day.cast_signed()) - DAY_OF_1970;
    days.checked_mul(DAY)?.checked_add(nanoseconds)
}

/// Months, days and milliseconds as nanoseconds; a month is no duration.
fn interval(bytes: &[u8]) -> std::result::Result<i64, String> {
    let word = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let (Some(months), Some(days), Some(milliseconds)) = (word(0), word(4), word(8)) else {
        return Err("is no interval of 12 bytes".to_owned());
    };
    if months != 0 {
        return Err(format!("has {months} months, which are no duration"));
    }
    // 2^32 days are more than an int64 of nanoseconds holds.
    let days = i64::from(days).checked_mul(DAY);
    let sum = days.and_then(|days| days.checked_add(i64::from(milliseconds) * 1_000_000));
    sum.ok_or_else(|| "is out of the range of duration".to_owned())
}

/// IEEE 754 half precision, little endian; each is exact as a double.
fn half(bytes: &[u8]) -> Option<f64> {
    let bits = u16::from_le_bytes(bytes.try_into().ok()?);
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1F);
    let fraction = f64::from(bits & 0x3FF) / 1024.0;
    let number = match exponent {
        0 => fraction * 2.0_f64.powi(-14),
        0x1F if fraction == 0.0 => f64::INFINITY,
        0x1F => f64::NAN,
        exponent => (1.0 + fraction) * 2.0_f64.powi(exponent - 15),
    };
    Some(Float::new(sign * number).get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_length_are_read_if_they_fit() {
        for (bytes, number) in [
            (&[][..], Some(0)),
            (&[0xFF], Some(-1)),
            (&[0x01, 0x00], Some(256)),
            (&[0x80; 1], Some(-128)),
            (&[0; 20], Some(0)),
            (&[0xFF; 20], Some(-1)),
        ] {
            assert_eq!(big_endian(bytes), number, "{bytes:?}");
        }
        let mut large = [0; 17];
        large[1] = 0x80;
        assert_eq!(big_endian(&large), None, "2^127 is beyond");
        large[0] = 0xFF;
        assert_eq!(big_endian(&large), Some(i128::MIN));
    }

    #[test]
    fn halves_are_exact() {
        let check = |bits: u16| half(&bits.to_le_bytes());
        assert_eq!(check(0x3C00), Some(1.0));
        assert_eq!(check(0xC000), Some(-2.0));
        assert_eq!(check(0x0001), Some(2.0_f64.powi(-24)));
        assert_eq!(check(0x7BFF), Some(65504.0));
        assert_eq!(check(0x7C00), Some(f64::INFINITY));
        assert!(check(0x7E00).is_some_and(f64::is_nan));
        assert_eq!(half(&[0]), None);
    }

    #[test]
    fn julian_days_are_times() {
        assert_eq!(julian(&[0, 0, 2_440_588]), Some(0));
        assert_eq!(julian(&[5, 0, 2_440_587]), Some(5 - DAY));
        assert_eq!(julian(&[0, 0, 0]), None, "4713 BC is beyond 64 bits of nanoseconds");
    }

    #[test]
    fn intervals_without_months_are_durations() {
        let bytes = |words: [u32; 3]| words.map(u32::to_le_bytes).concat();
        assert_eq!(interval(&bytes([0, 1, 2])), Ok(DAY + 2_000_000));
        assert!(interval(&bytes([1, 0, 0])).is_err());
        assert!(interval(&bytes([0, u32::MAX, 0])).is_err());
    }
}
