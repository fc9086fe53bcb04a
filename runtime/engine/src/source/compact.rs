//! Columns as they are kept: numbers in as few bytes as they need, texts of few kinds by place.
//!
//! Rows that were loaded together are near each other: their numbers lie within a small span, so
//! that what they are above the least of them fits in one, two or four bytes.

use arqon_types::{Column, PackedRow, StringColumn, Type, Value};

use crate::kinds::{kinds, texts};

/// A column that is only read.
#[derive(Debug)]
pub(crate) enum Compact {
    /// Integers, and all that travels as one.
    Int { least: i64, above: Above },
    /// Decimals.
    Decimal { least: i128, above: Above },
    /// Texts of few kinds.
    Kinds { kinds: Column, places: Vec<u8> },
    /// Any of these that may be absent.
    Option { present: Vec<bool>, values: Box<Self> },
    /// As it came.
    Plain(Column),
}

/// What numbers are above the least of them.
#[derive(Debug)]
pub(crate) enum Above {
    /// Nothing: all are equal.
    Nothing,
    One(Vec<u8>),
    Two(Vec<u16>),
    Four(Vec<u32>),
    Eight(Vec<u64>),
}

impl Above {
    /// Of numbers up to `greatest`.
    fn new(greatest: u64, numbers: impl Iterator<Item = u64>) -> Self {
        if greatest == 0 {
            return Self::Nothing;
        }
        // The bytes that are left out are zeros.
        let bytes = numbers.map(u64::to_le_bytes);
        match greatest {
            0..=0xFF => Self::One(bytes.map(|it| it[0]).collect()),
            0x100..=0xFFFF => {
                Self::Two(bytes.map(|it| u16::from_le_bytes([it[0], it[1]])).collect())
            }
            0x1_0000..=0xFFFF_FFFF => {
                let four = |it: [u8; 8]| u32::from_le_bytes([it[0], it[1], it[2], it[3]]);
                Self::Four(bytes.map(four).collect())
            }
            _ => Self::Eight(bytes.map(u64::from_le_bytes).collect()),
        }
    }

    fn get(&self, row_idx: usize) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::One(numbers) => numbers[row_idx].into(),
            Self::Two(numbers) => numbers[row_idx].into(),
            Self::Four(numbers) => numbers[row_idx].into(),
            Self::Eight(numbers) => numbers[row_idx],
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::One(numbers) => numbers.capacity(),
            Self::Two(numbers) => 2 * numbers.capacity(),
            Self::Four(numbers) => 4 * numbers.capacity(),
            Self::Eight(numbers) => 8 * numbers.capacity(),
        }
    }
}

impl Compact {
    /// A copy of a column, in less room.
    pub(crate) fn new(column: &Column) -> Self {
        match column {
            Column::Int(values) => ints(values),
            Column::Decimal(values) => decimals(values),
            Column::String(texts) => few_kinds(texts),
            Column::Option { present, values } => {
                Self::Option { present: present.clone(), values: Box::new(Self::new(values)) }
            }
            Column::Bool(_)
            | Column::Float(_)
            | Column::Uuid(_)
            | Column::Bytes(_)
            | Column::Tensor(_)
            | Column::List { .. }
            | Column::Struct { .. } => Self::Plain(column.clone()),
        }
    }

    /// Packs the value of a row, as [`PackedRow::push_cell`] would have before.
    pub(crate) fn pack(&self, packed: &mut PackedRow, row_idx: usize, ty: &Type) {
        match self {
            Self::Int { least, above } => {
                let value = least.wrapping_add_unsigned(above.get(row_idx));
                packed.push_value(&Value::of_integer(value, ty), ty);
            }
            Self::Decimal { least, above } => {
                let units = least + i128::from(above.get(row_idx));
                packed.push_value(&Value::Decimal(units), ty);
            }
            Self::Kinds { kinds, places } => packed.push_cell(kinds, places[row_idx].into(), ty),
            Self::Option { present, values } => {
                packed.push_bytes(&[u8::from(present[row_idx])]);
                if present[row_idx] {
                    values.pack(packed, row_idx, ty.required());
                }
            }
            Self::Plain(column) => packed.push_cell(column, row_idx, ty),
        }
    }

    /// What it takes of the memory beside itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Int { above, .. } | Self::Decimal { above, .. } => above.heap_bytes(),
            Self::Kinds { kinds, places } => kinds.heap_bytes() + places.capacity(),
            Self::Option { present, values } => {
                present.capacity() + size_of::<Self>() + values.heap_bytes()
            }
            Self::Plain(column) => column.heap_bytes(),
        }
    }
}

fn ints(values: &[i64]) -> Compact {
    let (least, greatest) = span(values);
    let above = |value: &i64| value.wrapping_sub(least).cast_unsigned();
    Compact::Int { least, above: Above::new(above(&greatest), values.iter().map(above)) }
}

fn decimals(values: &[i128]) -> Compact {
    let (least, greatest) = span(values);
    let above = |value: &i128| value.wrapping_sub(least).cast_unsigned();
    match u64::try_from(above(&greatest)) {
        Ok(greatest) => {
            let low = |units: &i128| u64::try_from(above(units)).unwrap_or(greatest);
            Compact::Decimal { least, above: Above::new(greatest, values.iter().map(low)) }
        }
        Err(_) => Compact::Plain(Column::Decimal(values.to_vec())),
    }
}

/// The least and the greatest; zeros of none.
fn span<T: Copy + Ord + Default>(values: &[T]) -> (T, T) {
    let first = values.first().copied().unwrap_or_default();
    values
        .iter()
        .fold((first, first), |(least, greatest), value| (least.min(*value), greatest.max(*value)))
}

fn few_kinds(column: &StringColumn) -> Compact {
    let Some((kinds, places)) = kinds(texts(column)) else {
        return Compact::Plain(Column::String(column.clone()));
    };
    let mut all = StringColumn::default();
    for text in kinds {
        all.push(std::str::from_utf8(text.bytes()).expect("texts of a column are whole"));
    }
    Compact::Kinds { kinds: Column::String(all), places }
}
