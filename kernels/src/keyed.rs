//! Keyed rows in slots, and changes of them: a key keeps its slot while it is there, and a slot
//! that was left is taken again.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::churn::Churn;
use crate::kernel::{DeltaError, Sample};
use crate::random::Draw;
use crate::snapshot::{LoadError, Number, SnapshotReader, SnapshotWriter};
use crate::threads::share_work;
use crate::vector::wide;

/// Rows of one or two vectors and a place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table<T = f32> {
    /// Where the row of a key is.
    pub(crate) index: BTreeMap<i64, usize>,
    /// The key of each slot; what stood in an empty one is of no meaning.
    pub(crate) keys: Vec<i64>,
    pub(crate) is_live: Vec<bool>,
    /// Empty slots, the last one is taken first.
    free: Vec<usize>,
    widths: [usize; 2],
    /// `[n_slots, widths[0]]` and `[n_slots, widths[1]]`.
    vectors: [Vec<T>; 2],
    pub(crate) places: Vec<i64>,
}

/// One row's numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a, T = f32> {
    pub(crate) vectors: [&'a [T]; 2],
    pub(crate) place: i64,
}

/// A number that a row holds.
pub(crate) trait Cell: Number + Default + Into<f64> + Send + Sync {}

impl Cell for f32 {}
impl Cell for f64 {}

impl<T: Cell> Row<'_, T> {
    /// Whether both have the same bits.
    pub(crate) fn is_same(&self, other: &Row<'_, T>) -> bool {
        let bits = |x: T| -> u64 { x.into().to_bits() };
        let same = |a: &[T], b: &[T]| a.iter().zip(b).all(|(a, b)| bits(*a) == bits(*b));
        self.place == other.place
            && same(self.vectors[0], other.vectors[0])
            && same(self.vectors[1], other.vectors[1])
    }
}

impl<T: Cell> Table<T> {
    pub(crate) fn new(widths: [usize; 2]) -> Self {
        Self {
            index: BTreeMap::new(),
            keys: Vec::new(),
            is_live: Vec::new(),
            free: Vec::new(),
            widths,
            vectors: [Vec::new(), Vec::new()],
            places: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn n_slots(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn row(&self, slot: usize) -> Row<'_, T> {
        let [a, b] = self.widths;
        Row {
            vectors: [
                &self.vectors[0][slot * a..(slot + 1) * a],
                &self.vectors[1][slot * b..(slot + 1) * b],
            ],
            place: self.places[slot],
        }
    }

    /// Live slots in order.
    pub(crate) fn live(&self) -> impl Iterator<Item = usize> {
        self.is_live.iter().enumerate().filter_map(|(slot, is_live)| is_live.then_some(slot))
    }

    /// Where the rows of those keys are that are there.
    pub(crate) fn slots_of(&self, keys: &[i64]) -> Vec<(i64, usize)> {
        keys.iter().filter_map(|key| Some((*key, *self.index.get(key)?))).collect()
    }

    /// Some slots by chance, each at most once.
    pub(crate) fn sample(&self, sample: Sample) -> Vec<usize> {
        let mut draw = Draw::new(sample.seed, 0);
        let mut slots: Vec<usize> = self.live().collect();
        for at in 0..slots.len().min(sample.n_rows) {
            let other = at + draw.below(slots.len() - at);
            slots.swap(at, other);
        }
        slots.truncate(sample.n_rows);
        slots
    }

    /// Takes the changes of keys alone: the slot of each, none where it goes. Rows stay as they
    /// were, also of what goes, until [`Side::fill`].
    pub(crate) fn place(&mut self, changes: &[Change]) -> Vec<Option<usize>> {
        // What goes goes first, so that its slots are taken again.
        for change in changes.iter().filter(|change| change.row.is_none()) {
            self.remove(change.key);
        }
        let slot = |change: &Change| {
            change.row.map(|_| change.slot.unwrap_or_else(|| self.take_slot(change.key)))
        };
        changes.iter().map(slot).collect()
    }

    /// Puts rows of a side into these slots, which ascend: pairs of a slot and a row.
    pub(crate) fn fill(&mut self, side: &Side<'_, T>, places: &[(usize, usize)]) {
        for (slot, row) in places {
            self.places[*slot] = side.places.map_or(0, |places| places[*row]);
        }
        for (at, width) in self.widths.into_iter().enumerate().filter(|(_, width)| 0 < *width) {
            let blocks = self.vectors[at].chunks_mut(CHANGES_AT_ONCE * width).enumerate();
            let mut rest = places;
            let parts = blocks.filter_map(|(block, vectors)| {
                let first = block * CHANGES_AT_ONCE;
                let n = rest.partition_point(|(slot, _)| *slot < first + CHANGES_AT_ONCE);
                let (mine, others) = rest.split_at(n);
                rest = others;
                (!mine.is_empty()).then_some((first, vectors, mine))
            });
            share_work(places.len() * width, parts, |_, (first, vectors, mine)| {
                for (slot, row) in mine {
                    let to = &mut vectors[(slot - first) * width..(slot - first + 1) * width];
                    to.copy_from_slice(side.row(*row).vectors[at]);
                }
            });
        }
    }

    /// Takes a row away; gives the slot where it was.
    pub(crate) fn remove(&mut self, key: i64) -> Option<usize> {
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
                vectors.resize(vectors.len() + width, T::default());
            }
        }
        self.keys[slot] = key;
        self.is_live[slot] = true;
        self.index.insert(key, slot);
        slot
    }

    pub(crate) fn bytes(&self) -> usize {
        let numbers = self.vectors.iter().map(Vec::len).sum::<usize>();
        // A slot has a key, a place and an entry of the index.
        numbers * T::BYTES + self.keys.len() * 48
    }

    pub(crate) fn save(&self, out: &mut SnapshotWriter<'_>, names: &Names) -> io::Result<()> {
        out.numbers(names.keys, self.keys.iter().copied())?;
        out.numbers(names.live, self.is_live.iter().map(|is_live| u8::from(*is_live)))?;
        out.numbers(names.free, self.free.iter().map(|slot| *slot as u64))?;
        out.numbers(names.places, self.places.iter().copied())?;
        out.numbers(names.first, self.vectors[0].iter().copied())?;
        out.numbers(names.second, self.vectors[1].iter().copied())
    }

    pub(crate) fn load(
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
pub(crate) struct Names {
    pub(crate) keys: &'static str,
    pub(crate) live: &'static str,
    pub(crate) free: &'static str,
    pub(crate) places: &'static str,
    pub(crate) first: &'static str,
    pub(crate) second: &'static str,
}

/// One side of a delta: rows that came or changed, and keys that went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side<'a, T = f32> {
    pub(crate) what: &'static str,
    pub(crate) keys: &'a [i64],
    pub(crate) vectors: [&'a [T]; 2],
    pub(crate) names: [&'static str; 2],
    pub(crate) widths: [usize; 2],
    /// None where rows have no places.
    pub(crate) places: Option<&'a [i64]>,
    pub(crate) gone: &'a [i64],
}

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) key: i64,
    /// Where it is, if it is there.
    pub(crate) slot: Option<usize>,
    /// Which row of the side it comes to have; none if it goes.
    pub(crate) row: Option<usize>,
}

impl<'a, T: Cell> Side<'a, T> {
    /// Whether it fits what is there.
    pub(crate) fn check(&self, table: &Table<T>) -> Result<(), DeltaError> {
        let n = self.keys.len();
        for (at, what) in self.names.into_iter().enumerate() {
            let (found, wanted) = (self.vectors[at].len(), n * self.widths[at]);
            if found != wanted {
                return Err(DeltaError::Shape { what, found, wanted });
            }
            let parts = self.vectors[at].chunks(FINITE_AT_ONCE);
            let is_finite = share_work(found, parts, |_, part| are_finite(part));
            if is_finite.contains(&false) {
                return Err(DeltaError::NotFinite { what });
            }
        }
        if let Some(places) = self.places
            && places.len() != n
        {
            return Err(DeltaError::Shape { what: "`pos`", found: places.len(), wanted: n });
        }
        let mut seen = BTreeSet::new();
        for key in self.gone {
            if !table.index.contains_key(key) || !seen.insert(*key) {
                return Err(DeltaError::NotThere { what: self.what, found: *key });
            }
        }
        Ok(())
    }

    /// The row at this place.
    pub(crate) fn row(&self, at: usize) -> Row<'a, T> {
        let [a, b] = self.widths;
        Row {
            vectors: [
                &self.vectors[0][at * a..(at + 1) * a],
                &self.vectors[1][at * b..(at + 1) * b],
            ],
            place: self.places.map_or(0, |places| places[at]),
        }
    }

    /// What really changes of what is there, by ascending keys, each once.
    pub(crate) fn changes(&self, table: &Table<T>) -> Vec<Change> {
        let last: Vec<(i64, Option<usize>)> =
            if self.gone.is_empty() && self.keys.is_sorted_by(|a, b| a < b) {
                self.keys.iter().enumerate().map(|(at, key)| (*key, Some(at))).collect()
            } else {
                let mut last: BTreeMap<i64, Option<usize>> =
                    self.gone.iter().map(|key| (*key, None)).collect();
                last.extend(self.keys.iter().enumerate().map(|(at, key)| (*key, Some(at))));
                last.into_iter().collect()
            };
        let n_operations = last.len() * (self.widths[0] + self.widths[1]);
        let changes = share_work(n_operations, last.chunks(CHANGES_AT_ONCE), |_, part| {
            let change = |(key, row): &(i64, Option<usize>)| {
                let slot = table.index.get(key).copied();
                let is_same = match (*row, slot) {
                    (Some(row), Some(slot)) => self.row(row).is_same(&table.row(slot)),
                    _ => false,
                };
                (!is_same).then_some(Change { key: *key, slot, row: *row })
            };
            part.iter().filter_map(change).collect::<Vec<Change>>()
        });
        changes.into_iter().flatten().collect()
    }

    /// Takes these changes into the table; gives the slots of what came or changed, in order.
    pub(crate) fn take_into(&self, table: &mut Table<T>, changes: &[Change]) -> Vec<usize> {
        let slots = table.place(changes);
        self.fill(table, changes, &slots)
    }

    /// Fills the slots that [`Table::place`] gave; gives them in order.
    pub(crate) fn fill(
        &self,
        table: &mut Table<T>,
        changes: &[Change],
        slots: &[Option<usize>],
    ) -> Vec<usize> {
        let pairs = changes.iter().zip(slots);
        let mut rows: Vec<(usize, usize)> =
            pairs.filter_map(|(change, slot)| Some(((*slot)?, change.row?))).collect();
        rows.sort_unstable();
        table.fill(self, &rows);
        rows.into_iter().map(|(slot, _)| slot).collect()
    }
}

/// How much of two tables would change, and what.
pub(crate) fn churn<T: Cell>(
    sides: &[(Side<'_, T>, &Table<T>); 2],
) -> Result<(Churn, [Vec<Change>; 2]), DeltaError> {
    for (side, table) in sides {
        side.check(table)?;
    }
    let mut churn = Churn { n_changed: 0, n_total: 0, delta_max: 0.0 };
    let mut all = [Vec::new(), Vec::new()];
    for ((side, table), found) in sides.iter().zip(&mut all) {
        let changes = side.changes(table);
        let n_new = changes.iter().filter(|change| change.slot.is_none()).count();
        churn.n_changed += changes.len();
        churn.n_total += table.len() + n_new;
        churn.delta_max = churn.delta_max.max(delta_max(side, &changes, table));
        *found = changes;
    }
    Ok((churn, all))
}

/// By how much the changes move an entry at most; a row that comes or goes moves by its size.
fn delta_max<T: Cell>(side: &Side<'_, T>, changes: &[Change], table: &Table<T>) -> f64 {
    let n_operations = changes.len() * (side.widths[0] + side.widths[1]);
    let most = share_work(n_operations, changes.chunks(CHANGES_AT_ONCE), |_, part| {
        let mut most = 0.0_f64;
        for change in part {
            let old = change.slot.map(|slot| table.row(slot).vectors);
            let new = change.row.map(|row| side.row(row).vectors);
            for at in 0..2 {
                let by = match (new, old) {
                    (Some(new), old) => apart(new[at], old.map(|old| old[at])),
                    (None, Some(old)) => apart(old[at], None),
                    (None, None) => 0.0,
                };
                most = most.max(by);
            }
        }
        most
    });
    most.into_iter().fold(0.0, f64::max)
}

/// The largest difference of two rows of one length, or of one to zero.
fn apart<T: Cell>(row: &[T], other: Option<&[T]>) -> f64 {
    wide(
        #[inline(always)]
        || {
            let mut lanes = [0.0_f64; 8];
            let (whole, rest) = row.as_chunks::<8>();
            let (others, others_rest) = other.unwrap_or_default().as_chunks::<8>();
            for (at, row) in whole.iter().enumerate() {
                let other = others.get(at).copied().unwrap_or_default();
                for lane in 0..8 {
                    let off = (Into::<f64>::into(row[lane]) - other[lane].into()).abs();
                    lanes[lane] = if lanes[lane] < off { off } else { lanes[lane] };
                }
            }
            let rest = rest.iter().enumerate().map(|(at, x)| {
                let other = others_rest.get(at).copied().unwrap_or_default();
                (Into::<f64>::into(*x) - other.into()).abs()
            });
            lanes.into_iter().chain(rest).fold(0.0, f64::max)
        },
    )
}

/// Whether all are: what is not is no number, times zero.
fn are_finite<T: Cell>(numbers: &[T]) -> bool {
    wide(
        #[inline(always)]
        || {
            let mut lanes = [0.0_f64; 8];
            let (whole, rest) = numbers.as_chunks::<8>();
            for numbers in whole {
                for lane in 0..8 {
                    let number: f64 = numbers[lane].into();
                    lanes[lane] += 0.0 * number;
                }
            }
            let is_zero = |sum: &f64| *sum == 0.0;
            lanes.iter().all(is_zero) && rest.iter().all(|x| Into::<f64>::into(*x).is_finite())
        },
    )
}

/// Changes that one thread looks at at a time.
const CHANGES_AT_ONCE: usize = 256;

/// Numbers that one thread looks at at a time.
const FINITE_AT_ONCE: usize = 1 << 16;
