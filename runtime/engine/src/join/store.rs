//! Where a join has its rows: both sides of a key in one place, or each on its own where others
//! look up one of them as well.

use super::common::{Reader, lock};
use super::sides::{Key, Rows, Sides, SidesTable};
use crate::deltas::Delta;
use crate::packed::Packed;

/// The rows of both sides, by key.
#[derive(Debug)]
pub(crate) enum Store<K, V> {
    /// Side by side.
    Together(Box<SidesTable<K, V>>),
    /// The left and the right ones.
    Apart([Half<K, V>; 2]),
}

/// The rows of a side.
#[derive(Debug)]
pub(crate) enum Half<K, V> {
    /// This join alone looks them up; where left rows are.
    Own(Box<SidesTable<K, V>>),
    /// Others do as well.
    Common(Reader<K, V>),
}

impl<K: Packed, V: Packed> Store<K, V> {
    /// Without rows; the readers are those of the sides that others look up.
    pub(crate) fn new(readers: [Option<Reader<K, V>>; 2]) -> Self {
        match readers {
            [None, None] => Self::Together(Box::default()),
            readers => Self::Apart(readers.map(|reader| match reader {
                Some(reader) => Half::Common(reader),
                None => Half::Own(Box::default()),
            })),
        }
    }

    /// Changes the sides of a key by the `deltas` of an epoch; it goes when it has no rows.
    pub(crate) fn update(
        &mut self,
        key: &K,
        [left_deltas, right_deltas]: [&[Delta<K, V>]; 2],
        change: impl FnOnce(&mut Sides<V>),
    ) -> Key {
        let [left, right] = match self {
            Self::Together(table) => return table.update(key, change),
            Self::Apart(halves) => halves,
        };
        left.update(key, left_deltas, |left| {
            right.update(key, right_deltas, |right| {
                let mut sides = Sides { left: std::mem::take(left), right: std::mem::take(right) };
                change(&mut sides);
                (*left, *right) = (sides.left, sides.right);
            });
        });
        // Nothing tells a join that holds rows with others that keys close.
        Key::Known
    }

    /// Removes a key; how many rows it had.
    ///
    /// # Panics
    /// Where others look rows up: they need them still.
    pub(crate) fn remove(&mut self, key: &K) -> i64 {
        match self {
            Self::Together(table) => table.remove(key),
            Self::Apart(_) => panic!("a join that lets go of keys holds all rows by itself"),
        }
    }

    /// Reads what the change of a key will, and changes nothing.
    pub(crate) fn look_ahead(&self, key: &K) {
        match self {
            Self::Together(table) => table.look_ahead(key),
            Self::Apart(halves) => {
                for half in halves {
                    match half {
                        Half::Own(table) => table.look_ahead(key),
                        Half::Common(reader) => reader.look_ahead(key),
                    }
                }
            }
        }
    }

    /// At the beginning of an epoch.
    pub(crate) fn begin(&mut self, deltas: [&[Delta<K, V>]; 2]) {
        let Self::Apart(halves) = self else { return };
        for (half, deltas) in halves.iter_mut().zip(deltas) {
            if let Half::Common(reader) = half {
                reader.begin(deltas);
            }
        }
    }

    /// What it takes of the memory, as of the last epoch.
    pub(crate) fn n_bytes(&self) -> i64 {
        match self {
            Self::Together(table) => table.n_bytes(),
            Self::Apart(halves) => halves
                .iter()
                .map(|half| match half {
                    Half::Own(table) => table.n_bytes(),
                    Half::Common(reader) => reader.n_bytes(),
                })
                .sum(),
        }
    }
}

impl<K: Packed, V: Packed> Half<K, V> {
    fn update(&mut self, key: &K, deltas: &[Delta<K, V>], change: impl FnOnce(&mut Rows<V>)) {
        match self {
            Self::Own(table) => {
                table.update(key, |sides| change(&mut sides.left));
            }
            Self::Common(reader) => reader.update(key, deltas, change),
        }
    }
}

/// Runs an epoch with all that `join` has in common with others at hand; meanwhile these wait.
pub(crate) fn enclose<K: Packed, V: Packed, J>(
    join: &mut J,
    store: impl Fn(&mut J) -> &mut Store<K, V>,
    epoch: &mut dyn FnMut(&mut J),
) {
    let Store::Apart(halves) = store(join) else { return epoch(join) };
    let mut readers: Vec<&mut Reader<K, V>> = halves.iter_mut().filter_map(Half::reader).collect();
    // All joins that need the same two take them in the same order.
    readers.sort_by_key(|reader| reader.arrangement());
    let commons: Vec<_> = readers.iter().map(|reader| reader.common()).collect();
    let mut guards: Vec<_> = commons.iter().map(|common| lock(common)).collect();
    for (reader, guard) in readers.iter_mut().zip(&mut guards) {
        reader.take(guard);
    }
    epoch(join);
    let Store::Apart(halves) = store(join) else { return };
    let mut readers: Vec<&mut Reader<K, V>> = halves.iter_mut().filter_map(Half::reader).collect();
    readers.sort_by_key(|reader| reader.arrangement());
    for (reader, guard) in readers.iter_mut().zip(&mut guards) {
        reader.put_back(guard);
    }
}

impl<K, V> Half<K, V> {
    fn reader(&mut self) -> Option<&mut Reader<K, V>> {
        match self {
            Self::Own(_) => None,
            Self::Common(reader) => Some(reader),
        }
    }
}
