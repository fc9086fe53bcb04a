//! The neighbours of each vertex, in a row with room to grow. An end keeps its place in its row as
//! long as it is there, so that an index can tell where it is; what goes leaves a hole, and what
//! comes fills one. A row that grows moves, and leaves its room to others.

use std::hint::select_unpredictable;

use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};

use super::blocks::{Block, Blocks, place};
use super::end::End;
use super::meter::SLICE;

/// Whether ends are kept, or no more than how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Ends,
    Degrees,
}

/// Where a row lies, how many of its places are no holes, and which hole is filled next.
#[derive(Debug, Clone, Copy)]
struct Row {
    block: Block,
    degree: u32,
    hole: u32,
}

/// No hole, or no place.
const NONE: u32 = u32::MAX;

/// Lists of ends, by vertices.
#[derive(Debug)]
pub(super) struct Lists {
    keep: Keep,
    rows: Vec<Row>,
    blocks: Blocks,
}

impl Default for Row {
    fn default() -> Self {
        Self { block: Block::default(), degree: 0, hole: NONE }
    }
}

impl Lists {
    pub(super) fn new(keep: Keep) -> Self {
        Self { keep, rows: Vec::new(), blocks: Blocks::default() }
    }

    /// Whether more than degrees are kept.
    pub(super) fn has_ends(&self) -> bool {
        self.keep == Keep::Ends
    }

    /// There are at least this many vertices.
    pub(super) fn grow(&mut self, n_slots: usize) {
        if self.rows.len() < n_slots {
            self.rows.resize(n_slots, Row::default());
        }
    }

    /// How many ends a vertex has.
    pub(super) fn degree(&self, vertex: u32) -> usize {
        self.rows[vertex as usize].degree as usize
    }

    /// Its row, with the holes in it.
    pub(super) fn row(&self, vertex: u32) -> &[End] {
        self.blocks.ends(self.rows[vertex as usize].block)
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
        self.row(vertex).get(place as usize).is_some_and(|one| one.is_same(end))
    }

    /// Where the end stands. Cost: O(length of the row).
    pub(super) fn place_of(&self, vertex: u32, end: End) -> Option<u32> {
        let place = self.row(vertex).iter().position(|one| one.is_same(end));
        place.map(|place| u32::try_from(place).expect("places have 32 bits"))
    }

    /// The edge whose end stands there lies there so often.
    pub(super) fn set_times(&mut self, vertex: u32, place: u32, copies: i64) {
        let ends = self.blocks.ends_mut(self.rows[vertex as usize].block);
        ends[place as usize] = ends[place as usize].times(copies);
    }

    /// Words of all rows, with their room.
    pub(super) fn n_words(&self) -> usize {
        self.blocks.n_words()
    }

    /// The row lies in this block, without holes, as soon as all are taken.
    pub(super) fn move_row(&mut self, vertex: u32, block: Block) {
        self.rows[vertex as usize] = Row { block, degree: block.len, hole: NONE };
    }

    /// All rows were moved there.
    pub(super) fn take_rows(&mut self, blocks: Blocks) {
        self.blocks = blocks;
    }

    /// All rows are to be told anew by [`Self::open`].
    pub(super) fn close_all(&mut self) {
        self.blocks = Blocks::default();
    }

    /// The row has so many ends from now on, which are put into it one by one; gives the word of
    /// the first. Rows are opened in the order in which they are to lie.
    pub(super) fn open(&mut self, vertex: u32, degree: u32) -> u32 {
        let row = &mut self.rows[vertex as usize];
        (row.degree, row.hole) = (degree, NONE);
        if self.keep == Keep::Ends {
            row.block = self.blocks.open(degree);
        }
        row.block.word(0)
    }

    /// Puts an end into a row that was opened.
    pub(super) fn put(&mut self, word: u32, end: End) {
        self.blocks.put(word, end);
    }

    /// Reads where these rows lie; the number is of no use.
    pub(super) fn touch_rows(&self, vertices: impl Iterator<Item = u32>) -> u32 {
        vertices.fold(0, |sum, vertex| sum ^ self.rows[vertex as usize].block.len)
    }

    /// Where an end stands, or the next one will.
    pub(super) fn word(&self, vertex: u32, place: Option<u32>) -> u32 {
        let Row { block, hole, .. } = self.rows[vertex as usize];
        let next = select_unpredictable(hole == NONE, block.len, hole);
        block.word(select_unpredictable(place.is_some(), place.unwrap_or_default(), next))
    }

    /// Reads these words; the number is of no use.
    pub(super) fn touch_words(&self, words: &[u32]) -> u64 {
        let word = |at: &u32| self.blocks.word(*at).map_or(0, |end| end.0);
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
            let hole = &mut self.blocks.ends_mut(row.block)[place as usize];
            row.hole = hole.code();
            *hole = end;
            return place;
        }
        self.blocks.push(&mut row.block, end);
        row.block.len - 1
    }

    /// Leaves a hole at a place.
    pub(super) fn remove(&mut self, vertex: u32, place: u32) {
        let row = &mut self.rows[vertex as usize];
        row.degree -= 1;
        if self.keep == Keep::Ends {
            self.blocks.ends_mut(row.block)[place as usize] = End::hole(row.hole);
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
        let more = more.iter().copied().chain(std::iter::repeat(0));
        let rows = self.rows.iter_mut().zip(more);
        self.blocks.lay_out(rows.map(|(row, more)| {
            let wanted = row.degree.max(row.block.len) + more;
            (&mut row.block, wanted)
        }));
    }

    /// Bytes that it takes.
    pub(super) fn state_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row>() + self.blocks.state_bytes()
    }

    pub(super) fn save(&self, out: &mut SnapshotWriter<'_>) -> std::io::Result<()> {
        if !self.has_ends() {
            return out.numbers("degrees", self.rows.iter().map(|row| row.degree));
        }
        out.numbers("lengths", self.rows.iter().map(|row| row.block.len))?;
        out.numbers("holes", self.rows.iter().map(|row| row.hole))?;
        let vertices = 0..place(self.rows.len());
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
            lists.rows =
                degrees.into_iter().map(|degree| Row { degree, ..Row::default() }).collect();
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
            row.block.len = len;
            let ends = lists.blocks.ends_mut(row.block);
            ends.iter_mut().zip(&mut rest).for_each(|(end, saved)| *end = saved);
            if ends.iter().any(|end| !end.is_hole() && end.vertex() as usize >= n_slots) {
                return Err(damaged());
            }
            let there = ends.iter().filter(|end| !end.is_hole());
            let mut sorted: Vec<End> = there.map(|end| end.times(1)).collect();
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
            (row.hole, row.degree) = (hole, len - place(n_holes));
        }
        Ok(lists)
    }
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
