//! Values side by side, integers in half the room where they are near each other.

use std::hint::black_box;

use arqon_types::PackedRow;

/// A value of an ordered multiset, and where many of its kind lie side by side.
pub(crate) trait Key: Ord + Clone {
    /// Such values one after another.
    type Values: Values<Self>;
}

/// Values one after another.
pub(crate) trait Values<K>: Default + Clone + std::fmt::Debug {
    /// How many.
    fn len(&self) -> usize;

    /// The value at a place.
    fn get(&self, at: usize) -> K;

    /// Puts a value at a place, and those behind it one further.
    fn insert(&mut self, at: usize, value: &K);

    /// Takes a value out, and those behind it one back.
    fn remove(&mut self, at: usize);

    /// Takes a value out, and puts the last one in its place.
    fn swap_remove(&mut self, at: usize);

    /// The first place of a value.
    fn find(&self, value: &K) -> Option<usize>;

    /// How many values are less, where they ascend.
    fn n_less(&self, value: &K) -> usize;

    /// Takes out the values from a place on.
    fn split_off(&mut self, at: usize) -> Self;

    /// Takes out all, and keeps the room.
    fn clear(&mut self);

    /// Keeps room for so many.
    fn shrink_to(&mut self, n_values: usize);

    /// Bytes that they have elsewhere in memory.
    fn heap_bytes(&self) -> usize;

    /// How many there is room for.
    fn capacity(&self) -> usize;

    /// Reads a word of each line of the memory that they lie in.
    fn touch(&self);
}

/// Bytes that come from the memory at once.
const LINE_BYTES: usize = 64;

/// Reads a word of each line.
pub(crate) fn touch<T>(values: &[T], read: impl Fn(&T) -> bool) {
    for value in values.iter().step_by((LINE_BYTES / size_of::<T>()).max(1)) {
        black_box(read(value));
    }
    black_box(values.last().is_some_and(read));
}

/// Integers one after another.
#[derive(Debug, Clone)]
pub(crate) enum Ints {
    /// Those that are above a base by less than 2^32.
    Near { base: i64, above: Vec<u32> },
    /// Any.
    Wide(Vec<i64>),
}

impl Default for Ints {
    fn default() -> Self {
        Self::Near { base: 0, above: Vec::new() }
    }
}

impl Key for i64 {
    type Values = Ints;
}

impl Key for PackedRow {
    type Values = Vec<Self>;
}

/// What a value is above the base, if it is near.
fn above(base: i64, value: i64) -> Option<u32> {
    value.checked_sub(base).and_then(|above| u32::try_from(above).ok())
}

impl Values<i64> for Ints {
    fn len(&self) -> usize {
        match self {
            Self::Near { above, .. } => above.len(),
            Self::Wide(values) => values.len(),
        }
    }

    #[inline]
    fn get(&self, at: usize) -> i64 {
        match self {
            Self::Near { base, above } => base + i64::from(above[at]),
            Self::Wide(values) => values[at],
        }
    }

    fn insert(&mut self, at: usize, value: &i64) {
        if let Self::Near { base, above: places } = self {
            if places.is_empty() {
                // As much room below the first value as above it.
                *base = value.saturating_sub(1 << 31);
            }
            if let Some(above) = above(*base, *value) {
                reserve(places);
                places.insert(at, above);
                return;
            }
            let mut wide = Vec::with_capacity(places.len() + 1);
            wide.extend(places.iter().map(|above| *base + i64::from(*above)));
            *self = Self::Wide(wide);
        }
        if let Self::Wide(values) = self {
            reserve(values);
            values.insert(at, *value);
        }
    }

    fn remove(&mut self, at: usize) {
        match self {
            Self::Near { above, .. } => {
                above.remove(at);
            }
            Self::Wide(values) => {
                values.remove(at);
            }
        }
    }

    fn swap_remove(&mut self, at: usize) {
        match self {
            Self::Near { above, .. } => {
                above.swap_remove(at);
            }
            Self::Wide(values) => {
                values.swap_remove(at);
            }
        }
    }

    fn find(&self, value: &i64) -> Option<usize> {
        match self {
            Self::Near { base, above: places } => {
                let above = above(*base, *value)?;
                places.iter().position(|it| *it == above)
            }
            Self::Wide(values) => values.iter().position(|it| it == value),
        }
    }

    fn n_less(&self, value: &i64) -> usize {
        match self {
            Self::Near { base, above: places } => match above(*base, *value) {
                Some(above) => places.partition_point(|it| *it < above),
                None if value < base => 0,
                None => places.len(),
            },
            Self::Wide(values) => values.partition_point(|it| it < value),
        }
    }

    fn split_off(&mut self, at: usize) -> Self {
        match self {
            Self::Near { base, above } => Self::Near { base: *base, above: above.split_off(at) },
            Self::Wide(values) => Self::Wide(values.split_off(at)),
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Near { above, .. } => above.clear(),
            Self::Wide(values) => values.clear(),
        }
    }

    fn shrink_to(&mut self, n_values: usize) {
        match self {
            Self::Near { above, .. } => above.shrink_to(n_values),
            Self::Wide(values) => values.shrink_to(n_values),
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Near { above, .. } => above.capacity() * size_of::<u32>(),
            Self::Wide(values) => values.capacity() * size_of::<i64>(),
        }
    }

    fn capacity(&self) -> usize {
        match self {
            Self::Near { above, .. } => above.capacity(),
            Self::Wide(values) => values.capacity(),
        }
    }

    fn touch(&self) {
        match self {
            Self::Near { above, .. } => touch(above, |it| *it == 0),
            Self::Wide(values) => touch(values, |it| *it == 0),
        }
    }
}

impl Values<PackedRow> for Vec<PackedRow> {
    fn len(&self) -> usize {
        Self::len(self)
    }

    fn get(&self, at: usize) -> PackedRow {
        self[at].clone()
    }

    fn insert(&mut self, at: usize, value: &PackedRow) {
        reserve(self);
        Self::insert(self, at, value.clone());
    }

    fn remove(&mut self, at: usize) {
        Self::remove(self, at);
    }

    fn swap_remove(&mut self, at: usize) {
        Self::swap_remove(self, at);
    }

    fn find(&self, value: &PackedRow) -> Option<usize> {
        self.iter().position(|it| it == value)
    }

    fn n_less(&self, value: &PackedRow) -> usize {
        self.partition_point(|it| it < value)
    }

    fn split_off(&mut self, at: usize) -> Self {
        Self::split_off(self, at)
    }

    fn clear(&mut self) {
        Self::clear(self);
    }

    fn shrink_to(&mut self, n_values: usize) {
        Self::shrink_to(self, n_values);
    }

    fn heap_bytes(&self) -> usize {
        self.capacity() * size_of::<PackedRow>()
    }

    fn capacity(&self) -> usize {
        Self::capacity(self)
    }

    fn touch(&self) {
        touch(self, |row| row.heap_bytes() == 0);
    }
}

/// Makes room for one more: a quarter, where doubling would leave half of it unused.
fn reserve<T>(values: &mut Vec<T>) {
    if values.len() == values.capacity() {
        values.reserve_exact((values.len() / 4).max(4));
    }
}
