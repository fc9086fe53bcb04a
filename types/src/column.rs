//! Columns: how rows travel between stateless steps.
//!
//! A batch of rows is one vector per field. Few physical kinds carry all types: dates, enums,
//! timestamps and durations are integers here, and only the [`Type`] beside a column tells them
//! apart. An absent option holds a default in `values`, so that kernels may run over all rows.

use std::sync::Arc;

use crate::float::Float;
use crate::row::Row;
use crate::tensor::{Elements, Tensor};
use crate::ty::Type;
use crate::value::Value;

/// Byte strings of a column in one heap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BytesColumn {
    ends: Vec<u32>,
    heap: Vec<u8>,
}

impl BytesColumn {
    fn with_capacity(n_rows: usize) -> Self {
        Self { ends: Vec::with_capacity(n_rows), heap: Vec::with_capacity(n_rows * 8) }
    }

    /// Appends a byte string. Panics if the heap would pass 4 GiB; batches are bounded far below.
    pub fn push(&mut self, bytes: &[u8]) {
        self.heap.extend_from_slice(bytes);
        self.ends.push(u32::try_from(self.heap.len()).expect("a batch's heap is below 4 GiB"));
    }

    /// Drops all byte strings from `n_rows` on.
    pub fn truncate(&mut self, n_rows: usize) {
        self.ends.truncate(n_rows);
        self.heap.truncate(self.ends.last().map_or(0, |end| *end as usize));
    }

    /// The byte string at `row_idx`.
    #[inline]
    pub fn get(&self, row_idx: usize) -> &[u8] {
        let start = if row_idx == 0 { 0 } else { self.ends[row_idx - 1] as usize };
        &self.heap[start..self.ends[row_idx] as usize]
    }

    /// How many byte strings.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn heap_bytes(&self) -> usize {
        self.ends.capacity() * size_of::<u32>() + self.heap.capacity()
    }

    fn append(&mut self, other: &Self) {
        let start = u32::try_from(self.heap.len()).expect("a batch's heap is below 4 GiB");
        self.heap.extend_from_slice(&other.heap);
        u32::try_from(self.heap.len()).expect("a batch's heap is below 4 GiB");
        self.ends.extend(other.ends.iter().map(|end| start + end));
    }

    fn split_off(&mut self, row_idx: usize) -> Self {
        let start = row_idx.checked_sub(1).map_or(0, |last| self.ends[last]);
        let heap = self.heap.split_off(start as usize);
        let mut ends = self.ends.split_off(row_idx);
        for end in &mut ends {
            *end -= start;
        }
        Self { ends, heap }
    }

    fn gather(&self, selection: &[u32]) -> Self {
        let mut picked = Self {
            ends: Vec::with_capacity(selection.len()),
            heap: Vec::with_capacity(self.heap.len().min(selection.len() * 16)),
        };
        for at in selection {
            picked.push(self.get(*at as usize));
        }
        picked
    }
}

/// Texts of a column in one heap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StringColumn(BytesColumn);

impl StringColumn {
    /// The texts that stand one after another in `heap`, each up to its end: the layout of Arrow,
    /// without its first 0. None unless the ends ascend, stand between letters, and the last one is
    /// the heap's.
    pub fn from_ends(ends: Vec<u32>, heap: String) -> Option<Self> {
        let last = ends.last().map_or(0, |end| *end as usize);
        let is_sound = last == heap.len()
            && ends.is_sorted()
            && ends.iter().all(|end| heap.is_char_boundary(*end as usize));
        is_sound.then(|| Self(BytesColumn { ends, heap: heap.into_bytes() }))
    }

    /// Appends a text. Panics if the heap would pass 4 GiB; batches are bounded far below.
    pub fn push(&mut self, text: &str) {
        self.0.push(text.as_bytes());
    }

    /// Drops all texts from `n_rows` on.
    pub fn truncate(&mut self, n_rows: usize) {
        self.0.truncate(n_rows);
    }

    /// The bytes of text `row_idx`, valid UTF-8.
    #[inline]
    pub fn bytes(&self, row_idx: usize) -> &[u8] {
        self.0.get(row_idx)
    }

    /// The text at `row_idx`.
    pub fn get(&self, row_idx: usize) -> &str {
        std::str::from_utf8(self.bytes(row_idx)).expect("only whole texts are pushed")
    }

    /// All texts as bytes.
    pub(crate) fn as_bytes(&self) -> &BytesColumn {
        &self.0
    }

    /// How many texts.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One field of many rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// `bool`
    Bool(Vec<bool>),
    /// `int64`, `timestamp`, `duration`, `date` (days), `enum` (place of the label)
    Int(Vec<i64>),
    /// `float64`, normalised as [`Float`] does, and `float32` as the double of the same value
    Float(Vec<f64>),
    /// `decimal<S>`, units of 10^-S
    Decimal(Vec<i128>),
    /// `uuid`
    Uuid(Vec<u128>),
    /// `string`
    String(StringColumn),
    /// `bytes`
    Bytes(BytesColumn),
    /// `tensor<…>`: each value is large, so that a pointer a row costs nothing
    Tensor(Vec<Arc<Tensor>>),
    /// `option<T>`: `values` has a default where `present` is false
    Option {
        /// Whether the row has a value.
        present: Vec<bool>,
        /// The values, defaults included.
        values: Box<Column>,
    },
    /// `list<T>`: row i has the items from `ends[i - 1]` up to `ends[i]`; `map<T>` as a list of
    /// structs of key and value
    List {
        /// Where each row's items end.
        ends: Vec<u32>,
        /// All items of all rows.
        items: Box<Column>,
    },
    /// A struct: its fields, each as long as the column
    Struct {
        /// Rows of the column; a struct may have no field.
        len: usize,
        /// One column per field.
        fields: Vec<Column>,
    },
}

impl Column {
    /// A column of no rows for values of `ty`.
    pub fn empty(ty: &Type) -> Self {
        Self::with_capacity(ty, 0)
    }

    /// A column of no rows with room for `n_rows`.
    pub fn with_capacity(ty: &Type, n_rows: usize) -> Self {
        match ty {
            Type::Bool => Self::Bool(Vec::with_capacity(n_rows)),
            Type::Int64 | Type::Timestamp | Type::Duration | Type::Date | Type::Enum(_) => {
                Self::Int(Vec::with_capacity(n_rows))
            }
            Type::Float32 | Type::Float64 => Self::Float(Vec::with_capacity(n_rows)),
            Type::Decimal(_) => Self::Decimal(Vec::with_capacity(n_rows)),
            Type::Uuid => Self::Uuid(Vec::with_capacity(n_rows)),
            Type::String => Self::String(StringColumn(BytesColumn::with_capacity(n_rows))),
            Type::Bytes => Self::Bytes(BytesColumn::with_capacity(n_rows)),
            Type::Tensor(_) => Self::Tensor(Vec::with_capacity(n_rows)),
            Type::Option(inner) => Self::Option {
                present: Vec::with_capacity(n_rows),
                values: Box::new(Self::with_capacity(inner, n_rows)),
            },
            Type::List(inner) => {
                Self::List { ends: Vec::with_capacity(n_rows), items: Box::new(Self::empty(inner)) }
            }
            Type::Map(inner) => {
                let fields = vec![Self::empty(&Type::String), Self::empty(inner)];
                let items = Box::new(Self::Struct { len: 0, fields });
                Self::List { ends: Vec::with_capacity(n_rows), items }
            }
            Type::Struct(fields) => Self::Struct {
                len: 0,
                fields: fields.iter().map(|f| Self::with_capacity(&f.ty, n_rows)).collect(),
            },
        }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Bool(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Decimal(values) => values.len(),
            Self::Uuid(values) => values.len(),
            Self::String(values) => values.len(),
            Self::Bytes(values) => values.len(),
            Self::Tensor(values) => values.len(),
            Self::Option { present, .. } => present.len(),
            Self::List { ends, .. } => ends.len(),
            Self::Struct { len, .. } => *len,
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it takes of the memory beside itself; of tensors, which others may share, the elements.
    pub fn heap_bytes(&self) -> usize {
        fn of<T>(values: &Vec<T>) -> usize {
            values.capacity() * size_of::<T>()
        }
        match self {
            Self::Bool(values) => of(values),
            Self::Int(values) => of(values),
            Self::Float(values) => of(values),
            Self::Decimal(values) => of(values),
            Self::Uuid(values) => of(values),
            Self::String(values) => values.0.heap_bytes(),
            Self::Bytes(values) => values.heap_bytes(),
            Self::Tensor(values) => {
                of(values) + values.iter().map(|tensor| tensor.elements().n_bytes()).sum::<usize>()
            }
            Self::Option { present, values } => {
                of(present) + size_of::<Self>() + values.heap_bytes()
            }
            Self::List { ends, items } => of(ends) + size_of::<Self>() + items.heap_bytes(),
            Self::Struct { fields, .. } => {
                of(fields) + fields.iter().map(Self::heap_bytes).sum::<usize>()
            }
        }
    }

    /// Appends a value of the column's type.
    ///
    /// # Panics
    /// If the value is of another type: the caller has checked it with [`Value::fits`].
    pub fn push(&mut self, value: &Value) {
        match (self, value) {
            (Self::Option { present, values }, Value::None) => {
                present.push(false);
                values.push_default();
            }
            (Self::Option { present, values }, value) => {
                present.push(true);
                values.push(value);
            }
            (Self::Bool(values), Value::Bool(value)) => values.push(*value),
            (
                Self::Int(values),
                Value::Int(value) | Value::Timestamp(value) | Value::Duration(value),
            ) => values.push(*value),
            (Self::Int(values), Value::Date(days)) => values.push(i64::from(*days)),
            (Self::Int(values), Value::Enum(idx)) => values.push(i64::from(*idx)),
            (Self::Float(values), Value::Float(value)) => values.push(value.get()),
            (Self::Decimal(values), Value::Decimal(units)) => values.push(*units),
            (Self::Uuid(values), Value::Uuid(bits)) => values.push(*bits),
            (Self::String(values), Value::String(text)) => values.push(text),
            (Self::Bytes(values), Value::Bytes(bytes)) => values.push(bytes),
            (Self::Tensor(values), Value::Tensor(tensor)) => values.push(Arc::clone(tensor)),
            (Self::List { ends, items }, Value::Map(entries)) => {
                for (key, value) in entries.iter() {
                    let (keys, values) = items.next_entry();
                    keys.push(key);
                    values.push(value);
                }
                ends.push(u32::try_from(items.len()).expect("a batch's lists are bounded"));
            }
            (Self::List { ends, items }, Value::List(values)) => {
                for value in values.iter() {
                    items.push(value);
                }
                ends.push(u32::try_from(items.len()).expect("a batch's lists are bounded"));
            }
            (Self::Struct { len, fields }, Value::Struct(values)) => {
                assert_eq!(fields.len(), values.len(), "a struct has the type's fields");
                for (field, value) in fields.iter_mut().zip(values.iter()) {
                    field.push(value);
                }
                *len += 1;
            }
            (column, value) => panic!("{value:?} does not fit into {column:?}"),
        }
    }

    /// Where the key and the value of one more entry of a map go; `self` holds the entries.
    pub(crate) fn next_entry(&mut self) -> (&mut StringColumn, &mut Self) {
        let Self::Struct { len, fields } = self else { panic!("{self:?} holds no entries") };
        *len += 1;
        match fields.as_mut_slice() {
            [Self::String(keys), values] => (keys, values),
            other => panic!("{other:?} are not the keys and values of a map"),
        }
    }

    /// The keys and values of all entries of a map; `self` holds the entries.
    pub(crate) fn entries(&self) -> (&StringColumn, &Self) {
        match self {
            Self::Struct { fields, .. } => match fields.as_slice() {
                [Self::String(keys), values] => (keys, values),
                other => panic!("{other:?} are not the keys and values of a map"),
            },
            other => panic!("{other:?} holds no entries of a map"),
        }
    }

    /// Drops all rows from `n_rows` on.
    pub fn truncate(&mut self, n_rows: usize) {
        match self {
            Self::Bool(values) => values.truncate(n_rows),
            Self::Int(values) => values.truncate(n_rows),
            Self::Float(values) => values.truncate(n_rows),
            Self::Decimal(values) => values.truncate(n_rows),
            Self::Uuid(values) => values.truncate(n_rows),
            Self::String(values) => values.truncate(n_rows),
            Self::Bytes(values) => values.truncate(n_rows),
            Self::Tensor(values) => values.truncate(n_rows),
            Self::Option { present, values } => {
                present.truncate(n_rows);
                values.truncate(n_rows);
            }
            Self::List { ends, items } => {
                ends.truncate(n_rows);
                items.truncate(ends.last().map_or(0, |end| *end as usize));
            }
            Self::Struct { len, fields } => {
                *len = n_rows.min(*len);
                for field in fields {
                    field.truncate(n_rows);
                }
            }
        }
    }

    /// Appends what stands in place of an absent value.
    pub fn push_default(&mut self) {
        match self {
            Self::Bool(values) => values.push(false),
            Self::Int(values) => values.push(0),
            Self::Float(values) => values.push(0.0),
            Self::Decimal(values) => values.push(0),
            Self::Uuid(values) => values.push(0),
            Self::String(values) => values.push(""),
            Self::Bytes(values) => values.push(&[]),
            Self::Tensor(values) => {
                let empty = Tensor::vector(Elements::U8(Vec::new())).expect("it has no element");
                values.push(Arc::new(empty));
            }
            Self::Option { present, values } => {
                present.push(false);
                values.push_default();
            }
            Self::List { ends, .. } => ends.push(ends.last().copied().unwrap_or(0)),
            Self::Struct { len, fields } => {
                *len += 1;
                fields.iter_mut().for_each(Self::push_default);
            }
        }
    }

    /// The value at `row_idx`, read as `ty`.
    ///
    /// # Panics
    /// If `ty` is not the type the column was made for.
    pub fn value(&self, row_idx: usize, ty: &Type) -> Value {
        match (self, ty) {
            (Self::Option { present, values }, ty) => {
                if present[row_idx] {
                    values.value(row_idx, ty.required())
                } else {
                    Value::None
                }
            }
            (Self::Bool(values), Type::Bool) => Value::Bool(values[row_idx]),
            (Self::Int(values), _) => Value::of_integer(values[row_idx], ty),
            (Self::Float(values), Type::Float32 | Type::Float64) => {
                Value::Float(Float::new(values[row_idx]))
            }
            (Self::Decimal(values), Type::Decimal(_)) => Value::Decimal(values[row_idx]),
            (Self::Uuid(values), Type::Uuid) => Value::Uuid(values[row_idx]),
            (Self::String(values), Type::String) => Value::string(values.get(row_idx)),
            (Self::Bytes(values), Type::Bytes) => Value::Bytes(values.get(row_idx).into()),
            (Self::Tensor(values), Type::Tensor(_)) => Value::Tensor(Arc::clone(&values[row_idx])),
            (Self::List { ends, items }, Type::List(inner)) => {
                let start = if row_idx == 0 { 0 } else { ends[row_idx - 1] as usize };
                let range = start..ends[row_idx] as usize;
                Value::List(range.map(|at| items.value(at, inner)).collect())
            }
            (Self::List { ends, items }, Type::Map(inner)) => {
                let start = if row_idx == 0 { 0 } else { ends[row_idx - 1] as usize };
                let range = start..ends[row_idx] as usize;
                let (keys, values) = items.entries();
                Value::Map(range.map(|at| (keys.get(at).into(), values.value(at, inner))).collect())
            }
            (Self::Struct { fields, .. }, Type::Struct(types)) => Value::Struct(
                fields.iter().zip(types).map(|(f, ty)| f.value(row_idx, &ty.ty)).collect(),
            ),
            (column, ty) => panic!("{column:?} does not hold {ty}"),
        }
    }

    /// Appends row `row_idx` of a column of the same kind.
    ///
    /// # Panics
    /// If the kinds differ.
    pub fn push_from(&mut self, other: &Self, row_idx: usize) {
        match (self, other) {
            (Self::Bool(to), Self::Bool(from)) => to.push(from[row_idx]),
            (Self::Int(to), Self::Int(from)) => to.push(from[row_idx]),
            (Self::Float(to), Self::Float(from)) => to.push(from[row_idx]),
            (Self::Decimal(to), Self::Decimal(from)) => to.push(from[row_idx]),
            (Self::Uuid(to), Self::Uuid(from)) => to.push(from[row_idx]),
            (Self::String(to), Self::String(from)) => to.0.push(from.bytes(row_idx)),
            (Self::Bytes(to), Self::Bytes(from)) => to.push(from.get(row_idx)),
            (Self::Tensor(to), Self::Tensor(from)) => to.push(Arc::clone(&from[row_idx])),
            (
                Self::Option { present, values },
                Self::Option { present: other_present, values: other_values },
            ) => {
                present.push(other_present[row_idx]);
                values.push_from(other_values, row_idx);
            }
            (Self::List { ends, items }, Self::List { ends: other_ends, items: other_items }) => {
                let start = if row_idx == 0 { 0 } else { other_ends[row_idx - 1] };
                for at in start..other_ends[row_idx] {
                    items.push_from(other_items, at as usize);
                }
                ends.push(u32::try_from(items.len()).expect("a batch's lists are bounded"));
            }
            (Self::Struct { len, fields }, Self::Struct { fields: other_fields, .. }) => {
                *len += 1;
                for (to, from) in fields.iter_mut().zip(other_fields) {
                    to.push_from(from, row_idx);
                }
            }
            (to, from) => panic!("{from:?} is not of the kind of {to:?}"),
        }
    }

    /// The rows named by `selection`, in its order.
    #[must_use]
    pub fn gather(&self, selection: &[u32]) -> Self {
        fn pick<T: Copy>(values: &[T], selection: &[u32]) -> Vec<T> {
            selection.iter().map(|at| values[*at as usize]).collect()
        }
        match self {
            Self::Bool(values) => Self::Bool(pick(values, selection)),
            Self::Int(values) => Self::Int(pick(values, selection)),
            Self::Float(values) => Self::Float(pick(values, selection)),
            Self::Decimal(values) => Self::Decimal(pick(values, selection)),
            Self::Uuid(values) => Self::Uuid(pick(values, selection)),
            Self::String(values) => Self::String(StringColumn(values.0.gather(selection))),
            Self::Bytes(values) => Self::Bytes(values.gather(selection)),
            Self::Tensor(values) => {
                Self::Tensor(selection.iter().map(|at| Arc::clone(&values[*at as usize])).collect())
            }
            Self::Option { present, values } => Self::Option {
                present: pick(present, selection),
                values: Box::new(values.gather(selection)),
            },
            Self::List { items, .. } => {
                let mut picked =
                    Self::List { ends: Vec::new(), items: Box::new(items.gather(&[])) };
                for at in selection {
                    picked.push_from(self, *at as usize);
                }
                picked
            }
            Self::Struct { fields, .. } => Self::Struct {
                len: selection.len(),
                fields: fields.iter().map(|field| field.gather(selection)).collect(),
            },
        }
    }

    /// Takes the rows from `row_idx` on out of the column, which keeps those before.
    ///
    /// # Panics
    /// If the column has fewer than `row_idx` rows.
    #[must_use]
    pub fn split_off(&mut self, row_idx: usize) -> Self {
        match self {
            Self::Bool(values) => Self::Bool(values.split_off(row_idx)),
            Self::Int(values) => Self::Int(values.split_off(row_idx)),
            Self::Float(values) => Self::Float(values.split_off(row_idx)),
            Self::Decimal(values) => Self::Decimal(values.split_off(row_idx)),
            Self::Uuid(values) => Self::Uuid(values.split_off(row_idx)),
            Self::String(values) => Self::String(StringColumn(values.0.split_off(row_idx))),
            Self::Bytes(values) => Self::Bytes(values.split_off(row_idx)),
            Self::Tensor(values) => Self::Tensor(values.split_off(row_idx)),
            Self::Option { present, values } => Self::Option {
                present: present.split_off(row_idx),
                values: Box::new(values.split_off(row_idx)),
            },
            Self::List { ends, items } => {
                let start = row_idx.checked_sub(1).map_or(0, |last| ends[last]);
                let items = Box::new(items.split_off(start as usize));
                let mut ends = ends.split_off(row_idx);
                for end in &mut ends {
                    *end -= start;
                }
                Self::List { ends, items }
            }
            Self::Struct { len, fields } => {
                let n_left = len.checked_sub(row_idx).expect("a column is split within");
                *len = row_idx;
                let fields = fields.iter_mut().map(|field| field.split_off(row_idx)).collect();
                Self::Struct { len: n_left, fields }
            }
        }
    }

    /// Appends all rows of a column of the same kind.
    ///
    /// # Panics
    /// If the kinds differ.
    pub fn append(&mut self, other: &Self) {
        match (self, other) {
            (Self::Bool(to), Self::Bool(from)) => to.extend_from_slice(from),
            (Self::Int(to), Self::Int(from)) => to.extend_from_slice(from),
            (Self::Float(to), Self::Float(from)) => to.extend_from_slice(from),
            (Self::Decimal(to), Self::Decimal(from)) => to.extend_from_slice(from),
            (Self::Uuid(to), Self::Uuid(from)) => to.extend_from_slice(from),
            (Self::String(to), Self::String(from)) => to.0.append(&from.0),
            (Self::Bytes(to), Self::Bytes(from)) => to.append(from),
            (
                Self::Option { present, values },
                Self::Option { present: other_present, values: other_values },
            ) => {
                present.extend_from_slice(other_present);
                values.append(other_values);
            }
            (to, from) => {
                for row_idx in 0..from.len() {
                    to.push_from(from, row_idx);
                }
            }
        }
    }
}

/// Rows as columns, each row with its diff.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ColumnBatch {
    /// One column per field of the schema, all as long as `diffs`.
    pub columns: Vec<Column>,
    /// The signed multiplicity of each row; not 0.
    pub diffs: Vec<i64>,
}

impl ColumnBatch {
    /// A batch of no rows for rows of `types`.
    pub fn empty(types: &[Type]) -> Self {
        Self { columns: types.iter().map(Column::empty).collect(), diffs: Vec::new() }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.diffs.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.diffs.is_empty()
    }

    /// Appends one row.
    ///
    /// # Panics
    /// If the row is not of the batch's types.
    pub fn push(&mut self, row: &Row, diff: i64) {
        assert_eq!(row.len(), self.columns.len(), "a row has the schema's fields");
        for (column, value) in self.columns.iter_mut().zip(row.iter()) {
            column.push(value);
        }
        self.diffs.push(diff);
    }

    /// The row at `row_idx`, read as `types`.
    pub fn row(&self, row_idx: usize, types: &[Type]) -> Row {
        self.columns.iter().zip(types).map(|(column, ty)| column.value(row_idx, ty)).collect()
    }

    /// The rows named by `selection`, in its order.
    #[must_use]
    pub fn gather(&self, selection: &[u32]) -> Self {
        Self {
            columns: self.columns.iter().map(|column| column.gather(selection)).collect(),
            diffs: selection.iter().map(|at| self.diffs[*at as usize]).collect(),
        }
    }

    /// Takes the rows from `row_idx` on out of the batch, which keeps those before.
    ///
    /// # Panics
    /// If the batch has fewer than `row_idx` rows.
    #[must_use]
    pub fn split_off(&mut self, row_idx: usize) -> Self {
        let columns = self.columns.iter_mut().map(|column| column.split_off(row_idx)).collect();
        Self { columns, diffs: self.diffs.split_off(row_idx) }
    }

    /// Appends all rows of a batch of the same types.
    pub fn append(&mut self, other: &Self) {
        for (to, from) in self.columns.iter_mut().zip(&other.columns) {
            to.append(from);
        }
        self.diffs.extend_from_slice(&other.diffs);
    }
}
