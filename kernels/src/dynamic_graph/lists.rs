//! The neighbours of each vertex, in a row with room to grow. An end keeps its place in its row as
//! long as it is there, so that an index can tell where it is; what goes leaves a hole, and what
//! comes fills one. A row that grows moves, and leaves its room to others.

use std::hint::select_unpredictable;

use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};

use super::adjacency::End;
use super::meter::SLICE;

/// Whether ends are kept, or no more than how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Ends,
    Degrees,
}

/// Where a row lies: `len` of `1 << class` words, and none of class 0; how many of its places are
/// no holes; and which hole is filled next.
#[derive(Debug, Clone, Copy)]
struct Row {
    start: u32,
    len: u32,
    degree: u32,
    hole: u32,
    class: u32,
}

/// No hole, or no place.
const NONE: u32 = u32::MAX;

const EMPTY: Row = Row { start: 0, len: 0, degree: 0, hole: NONE, class: 0 };

/// Lists of ends, by vertices.
#[derive(Debug)]
pub(super) struct Lists {
    keep: Keep,
    rows: Vec<Row>,
    ends: Vec<End>,
    /// For each class, where rows may lie.
    free: Vec<Vec<u32>>,
}

impl Lists {
    pub(super) fn new(keep: Keep) -> Self {
        Self { keep, rows: Vec::new(), ends: Vec::new(), free: Vec::new() }
    }

    /// Whether more than degrees are kept.
    pub(super) fn has_ends(&self) -> bool {
        self.keep == Keep::Ends
    }

    /// There are at least this many vertices.
    pub(super) fn grow(&mut self, n_slots: usize) {
        if self.rows.len() < n_slots {
            self.rows.resize(n_slots, EMPTY);
        }
    }

    /// How many ends a vertex has.
    pub(super) fn degree(&self, vertex: u32) -> usize {
        self.rows[vertex as usize].degree as usize
    }

    /// Its row, with the holes in it.
    pub(super) fn row(&self, vertex: u32) -> &[End] {
        let Row { start, len, .. } = self.rows[vertex as usize];
        &self.ends[start as usize..start as usize + len as usize]
    }

    /// All ends that are there, always in the same order.
    pub(super) fn ends(&self, vertex: u32) -> impl Iterator<Item = End> + '_ {
        self.row(vertex).iter().copied().filter(|end| !end.is_hole())
    }

    /// Some of the row from a place on, and where it goes on.
    pub(super) fn part(&self, vertex: u32, from: usize) -> (&[End], Option<usize>) {
        let row = self.row(vertex);
        let to = row.len().min(from + SLICE);
        (&row[from..to], (to < row.len()).then_some(to))
    }

    /// Whether an end of any weight leads there.
    pub(super) fn leads(&self, vertex: u32, other: u32) -> bool {
        self.ends(vertex).any(|end| end.vertex() == other)
    }

    /// Whether the end stands at this place.
    pub(super) fn is_at(&self, vertex: u32, place: u32, end: End) -> bool {
        let Row { start, len, .. } = self.rows[vertex as usize];
        place < len && self.ends[(start + place) as usize] == end
    }

    /// Reads where these rows lie; the number is of no use.
    pub(super) fn touch_rows(&self, vertices: impl Iterator<Item = u32>) -> u32 {
        vertices.fold(0, |sum, vertex| sum ^ self.rows[vertex as usize].len)
    }

    /// Where an end stands, or the next one will.
    pub(super) fn word(&self, vertex: u32, place: Option<u32>) -> u32 {
        let Row { start, len, hole, .. } = self.rows[vertex as usize];
        let next = select_unpredictable(hole == NONE, len, hole);
        start + select_unpredictable(place.is_some(), place.unwrap_or_default(), next)
    }

    /// Reads these words; the number is of no use.
    pub(super) fn touch_words(&self, words: &[u32]) -> u64 {
        let word = |at: &u32| self.ends.get(*at as usize).map_or(0, |end| end.0);
        words.iter().map(word).fold(0, |sum, word| sum ^ word)
    }

    /// Puts an end into a row; gives its place there.
    pub(super) fn insert(&mut self, vertex: u32, end: End) -> u32 {
        let row = &mut self.rows[vertex as usize];
        row.degree += 1;
        if self.keep == Keep::Degrees {
            return 0;
        }
        if row.hole != NONE {
            let place = row.hole;
            let hole = &mut self.ends[(row.start + place) as usize];
            row.hole = hole.code();
            *hole = end;
            return place;
        }
        if row.class == 0 || row.len == 1 << row.class {
            let class = row.class + 1;
            self.widen(vertex, class);
        }
        let row = &mut self.rows[vertex as usize];
        self.ends[(row.start + row.len) as usize] = end;
        row.len += 1;
        row.len - 1
    }

    /// Leaves a hole at a place.
    pub(super) fn remove(&mut self, vertex: u32, place: u32) {
        let row = &mut self.rows[vertex as usize];
        row.degree -= 1;
        if self.keep == Keep::Ends {
            self.ends[(row.start + place) as usize] = End::hole(row.hole);
            row.hole = place;
        }
    }

    /// Lays all rows out in the order of vertices, with room for so many more ends of each; places
    /// stay. Cost: O(vertices + ends).
    pub(super) fn make_room(&mut self, more: &[u32]) {
        self.grow(more.len());
        if self.keep == Keep::Degrees {
            return;
        }
        let mut ends = Vec::with_capacity(self.ends.len());
        let more = more.iter().copied().chain(std::iter::repeat(0));
        for (row, more) in self.rows.iter_mut().zip(more) {
            let from = row.start as usize..row.start as usize + row.len as usize;
            row.start = place_of(ends.len());
            row.class = class_of(row.degree.max(row.len) + more);
            ends.extend_from_slice(&self.ends[from]);
            ends.resize(row.start as usize + words(row.class), End::hole(NONE));
        }
        self.ends = ends;
        self.free.clear();
    }

    fn widen(&mut self, vertex: u32, class: u32) {
        let old = self.rows[vertex as usize];
        let free = self.free.get_mut(class as usize).and_then(Vec::pop);
        let start = free.unwrap_or_else(|| {
            let start = place_of(self.ends.len());
            self.ends.resize(start as usize + words(class), End::hole(NONE));
            start
        });
        let from = old.start as usize;
        self.ends.copy_within(from..from + old.len as usize, start as usize);
        self.rows[vertex as usize] = Row { start, class, ..old };
        if old.class > 0 {
            if self.free.len() <= old.class as usize {
                self.free.resize(old.class as usize + 1, Vec::new());
            }
            self.free[old.class as usize].push(old.start);
        }
    }

    /// Bytes that it takes.
    pub(super) fn state_bytes(&self) -> usize {
        let free: usize = self.free.iter().map(Vec::capacity).sum();
        self.rows.capacity() * size_of::<Row>() + self.ends.capacity() * 8 + free * 4
    }

    pub(super) fn save(&self, out: &mut SnapshotWriter<'_>) -> std::io::Result<()> {
        if !self.has_ends() {
            return out.numbers("degrees", self.rows.iter().map(|row| row.degree));
        }
        out.numbers("lengths", self.rows.iter().map(|row| row.len))?;
        out.numbers("holes", self.rows.iter().map(|row| row.hole))?;
        let vertices = 0..place_of(self.rows.len());
        out.numbers("ends", vertices.flat_map(|vertex| self.row(vertex).iter().map(|end| end.0)))
    }

    pub(super) fn load(
        keep: Keep,
        input: &mut SnapshotReader<'_>,
        n_slots: usize,
    ) -> Result<Self, LoadError> {
        let damaged = || LoadError::Damaged { section: "ends" };
        let mut lists = Self::new(keep);
        if keep == Keep::Degrees {
            let degrees: Vec<u32> = input.array("degrees", n_slots)?;
            lists.rows = degrees.into_iter().map(|degree| Row { degree, ..EMPTY }).collect();
            return Ok(lists);
        }
        let lengths: Vec<u32> = input.array("lengths", n_slots)?;
        let holes: Vec<u32> = input.array("holes", n_slots)?;
        let words: Vec<u64> = input.numbers("ends")?;
        let n_ends: u64 = lengths.iter().map(|len| u64::from(*len)).sum();
        if n_ends != words.len() as u64 || u32::try_from(words.len()).is_err() {
            return Err(damaged());
        }
        let mut rest = words.into_iter().map(End);
        lists.grow(n_slots);
        lists.make_room(&lengths);
        for (row, (len, hole)) in lists.rows.iter_mut().zip(lengths.into_iter().zip(holes)) {
            let ends = &mut lists.ends[row.start as usize..][..len as usize];
            ends.iter_mut().zip(&mut rest).for_each(|(end, saved)| *end = saved);
            if ends.iter().any(|end| !end.is_hole() && end.vertex() as usize >= n_slots) {
                return Err(damaged());
            }
            let mut sorted: Vec<End> = ends.iter().copied().filter(|end| !end.is_hole()).collect();
            sorted.sort_unstable();
            if !sorted.is_sorted_by(|one, other| one < other) {
                return Err(damaged());
            }
            let n_holes = ends.len() - sorted.len();
            // Each hole names the next one.
            let (mut at, mut n_named) = (hole, 0);
            while at != NONE && n_named <= n_holes {
                let next = ends.get(at as usize).filter(|end| end.is_hole());
                (at, n_named) = (next.ok_or_else(damaged)?.code(), n_named + 1);
            }
            if n_named != n_holes {
                return Err(damaged());
            }
            (row.len, row.hole, row.degree) = (len, hole, len - place_of(n_holes));
        }
        Ok(lists)
    }
}

fn place_of(at: usize) -> u32 {
    let at = u32::try_from(at).expect("fewer ends than 2^32");
    assert!(at < NONE, "a graph has at most {NONE} ends");
    at
}

fn words(class: u32) -> usize {
    if class == 0 { 0 } else { 1 << class }
}

fn class_of(len: u32) -> u32 {
    if len == 0 { 0 } else { len.next_power_of_two().trailing_zeros().max(1) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ends_keep_their_places(
            changes in prop::collection::vec((0_u32..5, 0_u32..12, 0_u32..9), 0..200),
        ) {
            let (mut lists, mut places) = (Lists::new(Keep::Ends), BTreeMap::new());
            lists.grow(5);
            for (vertex, other, chance) in changes {
                let end = End::new(other, 7);
                if let Some(place) = places.remove(&(vertex, end)) {
                    lists.remove(vertex, place);
                } else {
                    places.insert((vertex, end), lists.insert(vertex, end));
                }
                if chance == 0 {
                    lists.make_room(&[1, 0, 5]);
                }
                for vertex in 0..5 {
                    let start = |vertex| (vertex, End::default());
                    let theirs = places.range(start(vertex)..start(vertex + 1));
                    let mut wanted = Vec::new();
                    for ((_, end), place) in theirs {
                        prop_assert!(lists.is_at(vertex, *place, *end));
                        wanted.push(*end);
                    }
                    let mut ends: Vec<End> = lists.ends(vertex).collect();
                    prop_assert_eq!(ends.len(), lists.degree(vertex));
                    ends.sort_unstable();
                    prop_assert_eq!(&ends, &wanted);
                    let leads = ends.iter().any(|end| end.vertex() == other);
                    prop_assert_eq!(lists.leads(vertex, other), leads);
                }
            }
        }
    }
}
