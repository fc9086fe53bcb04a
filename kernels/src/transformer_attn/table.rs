//! Keyed rows in slots: a key keeps its slot while it is there, and a slot that was left is taken
//! again.

use std::collections::BTreeMap;
use std::io;

use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};

/// Rows of one or two vectors and a place.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// Where the row of a key is.
    pub(super) index: BTreeMap<i64, usize>,
    /// The key of each slot; what stood in an empty one is of no meaning.
    pub(super) keys: Vec<i64>,
    pub(super) is_live: Vec<bool>,
    /// Empty slots, the last one is taken first.
    free: Vec<usize>,
    widths: [usize; 2],
    /// `[n_slots, widths[0]]` and `[n_slots, widths[1]]`.
    vectors: [Vec<f32>; 2],
    pub(super) places: Vec<i64>,
}

/// One row's numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) vectors: [&'a [f32]; 2],
    pub(super) place: i64,
}

impl Row<'_> {
    /// Whether both have the same bits.
    pub(super) fn is_same(&self, other: &Row<'_>) -> bool {
        let same = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
        self.place == other.place
            && same(self.vectors[0], other.vectors[0])
            && same(self.vectors[1], other.vectors[1])
    }
}

impl Table {
    pub(super) fn new(widths: [usize; 2]) -> Self {
        Self { widths, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn n_slots(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn row(&self, slot: usize) -> Row<'_> {
        let [a, b] = self.widths;
        Row {
            vectors: [
                &self.vectors[0][slot * a..(slot + 1) * a],
                &self.vectors[1][slot * b..(slot + 1) * b],
            ],
            place: self.places[slot],
        }
    }

    pub(super) fn get(&self, key: i64) -> Option<Row<'_>> {
        self.index.get(&key).map(|slot| self.row(*slot))
    }

    /// Live slots in order.
    pub(super) fn live(&self) -> impl Iterator<Item = usize> {
        self.is_live.iter().enumerate().filter_map(|(slot, is_live)| is_live.then_some(slot))
    }

    /// Puts a row under its key; gives its slot.
    pub(super) fn set(&mut self, key: i64, row: Row<'_>) -> usize {
        let slot = match self.index.get(&key) {
            Some(slot) => *slot,
            None => self.take_slot(key),
        };
        for (at, width) in self.widths.into_iter().enumerate() {
            self.vectors[at][slot * width..(slot + 1) * width].copy_from_slice(row.vectors[at]);
        }
        self.places[slot] = row.place;
        slot
    }

    /// Takes a row away; gives the slot where it was.
    pub(super) fn remove(&mut self, key: i64) -> Option<usize> {
        let slot = self.index.remove(&key)?;
        self.is_live[slot] = false;
        self.free.push(slot);
        Some(slot)
    }

    fn take_slot(&mut self, key: i64) -> usize {
        let slot = self.free.pop().unwrap_or(self.keys.len());
        if slot == self.keys.len() {
            self.keys.push(key);
            self.is_live.push(true);
            self.places.push(0);
            for (vectors, width) in self.vectors.iter_mut().zip(self.widths) {
                vectors.resize(vectors.len() + width, 0.0);
            }
        }
        self.keys[slot] = key;
        self.is_live[slot] = true;
        self.index.insert(key, slot);
        slot
    }

    pub(super) fn bytes(&self) -> usize {
        let numbers = self.vectors.iter().map(Vec::len).sum::<usize>();
        // A slot has a key, a place and an entry of the index.
        numbers * size_of::<f32>() + self.keys.len() * 48
    }

    pub(super) fn save(&self, out: &mut SnapshotWriter<'_>, names: &Names) -> io::Result<()> {
        out.numbers(names.keys, self.keys.iter().copied())?;
        out.numbers(names.live, self.is_live.iter().map(|is_live| u8::from(*is_live)))?;
        out.numbers(names.free, self.free.iter().map(|slot| *slot as u64))?;
        out.numbers(names.places, self.places.iter().copied())?;
        out.numbers(names.first, self.vectors[0].iter().copied())?;
        out.numbers(names.second, self.vectors[1].iter().copied())
    }

    pub(super) fn load(
        input: &mut SnapshotReader<'_>,
        widths: [usize; 2],
        names: &Names,
    ) -> Result<Self, LoadError> {
        let keys: Vec<i64> = input.numbers(names.keys)?;
        let n_slots = keys.len();
        let is_live: Vec<u8> = input.array(names.live, n_slots)?;
        let free: Vec<u64> = input.numbers(names.free)?;
        let places = input.array(names.places, n_slots)?;
        let first = input.array(names.first, n_slots * widths[0])?;
        let second = input.array(names.second, n_slots * widths[1])?;
        let damaged = LoadError::Damaged { section: names.free };
        let is_live: Vec<bool> = is_live.into_iter().map(|is_live| is_live != 0).collect();
        let mut taken = is_live.clone();
        let mut slots = Vec::with_capacity(free.len());
        for slot in free {
            let slot = usize::try_from(slot).ok().filter(|slot| taken.get(*slot) == Some(&false));
            let Some(slot) = slot else { return Err(damaged) };
            taken[slot] = true;
            slots.push(slot);
        }
        let live = keys.iter().enumerate().filter(|(slot, _)| is_live[*slot]);
        let index: BTreeMap<i64, usize> = live.map(|(slot, key)| (*key, slot)).collect();
        if index.len() + slots.len() != n_slots {
            return Err(damaged);
        }
        Ok(Self { index, keys, is_live, free: slots, widths, vectors: [first, second], places })
    }
}

/// What the sections of a table are called.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) keys: &'static str,
    pub(super) live: &'static str,
    pub(super) free: &'static str,
    pub(super) places: &'static str,
    pub(super) first: &'static str,
    pub(super) second: &'static str,
}
