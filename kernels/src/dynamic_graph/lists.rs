//! The neighbours of each vertex. A row is some lines of memory, of twelve ends each, and the hash
//! of an end tells on which line it stands: so a change reads the head of a row and mostly one line
//! of it, whether the row is a hub's or not. Where a line is full, what comes goes on to the next
//! one, and the line counts how many did, so that whoever looks knows when to stop.
//!
//! A line keeps the lowest eight bits of codes; all of them are kept beside, once one has more.
//! A row that grows moves, and leaves its lines to others.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use crate::pages::Pages;
use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};
use crate::vector::Ahead;

use super::end::End;
use super::meter::SLICE;
use super::vertices::NOBODY;

/// Whether ends are kept, or no more than how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Ends,
    Degrees,
}

/// Ends of a line.
const ENDS: usize = 12;

/// A line of memory.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line {
    /// Upper halves of ends, or [`HOLE`].
    ids: [u32; ENDS],
    /// The lowest bits of their codes.
    codes: [u8; ENDS],
    /// A bit for each end that is there.
    there: u16,
    /// How many ends would stand here or before if there had been room. What is too much to be
    /// counted stays so until the row moves.
    passed: u16,
}

/// Where a row lies, and how many ends are in it.
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
#[repr(C, align(16))]
struct Row {
    first: u32,
    n_lines: u32,
    degree: u32,
    /// Nothing: so that no row lies on two lines of memory.
    rest: u32,
}

/// Where an end stands, until its row changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    line: u32,
    at: u32,
}

/// Lists of ends, by vertices.
#[derive(Debug)]
pub(super) struct Lists {
    keep: Keep,
    rows: Pages<Row>,
    lines: Pages<Line>,
    /// The codes of each line, if one has more than eight bits.
    codes: Option<Pages<[u32; ENDS]>>,
    /// Where lines are free, by [`size_class`] of how many lie side by side.
    free: Vec<Vec<u32>>,
}

/// No end.
const HOLE: u32 = NOBODY;

const EMPTY: Line = Line { ids: [HOLE; ENDS], codes: [0; ENDS], there: 0, passed: 0 };

impl Lists {
    pub(super) fn new(keep: Keep) -> Self {
        let (rows, lines) = (Pages::default(), Pages::default());
        Self { keep, rows, lines, codes: None, free: Vec::new() }
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
    #[inline]
    pub(super) fn degree(&self, vertex: u32) -> usize {
        self.rows[vertex as usize].degree as usize
    }

    /// All ends that are there, always in the same order.
    #[inline]
    pub(super) fn ends(&self, vertex: u32) -> impl Iterator<Item = End> + '_ {
        self.rows[vertex as usize].lines().flat_map(|line| self.ends_of(line))
    }

    /// Calls it with all of them, in that order; faster than going on from one to the next.
    #[inline]
    pub(super) fn each(&self, vertex: u32, see: impl FnMut(End)) {
        self.each_of(self.rows[vertex as usize].lines(), see);
    }

    /// The same from a line of the row on, for some lines; tells where it goes on.
    #[inline]
    pub(super) fn each_part(
        &self,
        vertex: u32,
        from: usize,
        see: impl FnMut(End),
    ) -> Option<usize> {
        let row = self.rows[vertex as usize];
        let to = (row.n_lines as usize).min(from + SLICE / ENDS);
        let first = row.first as usize;
        self.each_of(first + from..first + to, see);
        (to < row.n_lines as usize).then_some(to)
    }

    #[inline]
    fn each_of(&self, lines: Range<usize>, mut see: impl FnMut(End)) {
        let codes = self.codes.as_ref().map(|codes| &codes[lines.clone()]);
        for (number, line) in self.lines[lines].iter().enumerate() {
            let mut there = line.there;
            while there != 0 {
                let at = there.trailing_zeros() as usize;
                let code = codes.map_or(u32::from(line.codes[at]), |codes| codes[number][at]);
                see(line.end(at, code));
                there &= there - 1;
            }
        }
    }

    /// How many words are looked at for that, with holes.
    pub(super) fn part_words(&self, vertex: u32, from: usize) -> usize {
        (ENDS * (self.rows[vertex as usize].n_lines as usize - from)).min(SLICE)
    }

    /// The vertices of the ends, in the same order.
    pub(super) fn copy_vertices(&self, vertex: u32, to: &mut Vec<u32>) {
        let lines = &self.lines[self.rows[vertex as usize].lines()];
        let mut len = to.len();
        to.resize(len + ENDS * lines.len(), HOLE);
        for line in lines {
            let (here, _) = to[len..].split_first_chunk_mut().expect("there is room for each line");
            len += line.copy_vertices(here);
        }
        to.truncate(len);
    }

    #[inline]
    fn ends_of(&self, line: usize) -> impl Iterator<Item = End> + '_ {
        let it = &self.lines[line];
        let codes = self.codes.as_ref().map(|codes| &codes[line]);
        let mut there = it.there;
        std::iter::from_fn(move || {
            if there == 0 {
                return None;
            }
            let at = there.trailing_zeros() as usize;
            there &= there - 1;
            let code = codes.map_or(u32::from(it.codes[at]), |codes| codes[at]);
            Some(it.end(at, code))
        })
    }

    /// Whether an end of any weight leads there. Cost: O(length of the row).
    pub(super) fn leads(&self, vertex: u32, other: u32) -> bool {
        let lines = &self.lines[self.rows[vertex as usize].lines()];
        lines.iter().any(|line| line.matches(other) != 0)
    }

    /// Asks for the head of a row.
    #[inline]
    pub(super) fn fetch_row(&self, ahead: Ahead, vertex: u32) {
        if let Some(row) = self.rows.get(vertex as usize) {
            ahead.fetch(std::slice::from_ref(row));
        }
    }

    /// Asks for the first line of a row, whose head is near.
    #[inline]
    pub(super) fn fetch_first(&self, ahead: Ahead, vertex: u32) {
        self.fetch_line(ahead, self.rows[vertex as usize].first);
    }

    /// Asks for the line on which an end stands, or would; the head of the row is near.
    #[inline]
    pub(super) fn fetch_end(&self, ahead: Ahead, vertex: u32, end: End) {
        let row = self.rows[vertex as usize];
        self.fetch_line(ahead, row.first + row.home(end));
    }

    #[inline]
    fn fetch_line(&self, ahead: Ahead, line: u32) {
        // There is none where no row has any.
        if let Some(line) = self.lines.get(line as usize) {
            ahead.fetch(std::slice::from_ref(line));
        }
    }

    /// Where the end stands.
    #[inline]
    pub(super) fn find(&self, vertex: u32, end: End) -> Option<Spot> {
        let (row, lines) = (self.rows[vertex as usize], &self.lines[..]);
        let mut at_line = row.home(end);
        for _ in 0..row.n_lines {
            let line = &lines[row.line(at_line)];
            let mut matches = line.matches(end.vertex());
            while matches != 0 {
                let spot = Spot { line: row.first + at_line, at: matches.trailing_zeros() };
                if self.code(line, spot) == end.code() {
                    return Some(spot);
                }
                matches &= matches - 1;
            }
            if line.passed == 0 {
                return None;
            }
            at_line = row.after(at_line);
        }
        None
    }

    /// The code of the end that stands there, on this line.
    #[inline]
    fn code(&self, line: &Line, spot: Spot) -> u32 {
        match &self.codes {
            Some(codes) => codes[spot.line as usize][spot.at as usize],
            None => u32::from(line.codes[spot.at as usize]),
        }
    }

    /// Whether the edge whose end stands there lies there more than once.
    pub(super) fn is_many(&self, spot: Spot) -> bool {
        self.lines[spot.line as usize].ids[spot.at as usize] & MANY != 0
    }

    /// The edge whose end stands there lies there so often.
    pub(super) fn set_times(&mut self, spot: Spot, copies: i64) {
        let id = &mut self.lines[spot.line as usize].ids[spot.at as usize];
        *id = if copies > 1 { *id | MANY } else { *id & !MANY };
    }

    /// Puts an end into a row that does not have it.
    #[inline]
    pub(super) fn insert(&mut self, vertex: u32, end: End) {
        let row = &mut self.rows[vertex as usize];
        row.degree += 1;
        let mut row = *row;
        if self.keep == Keep::Degrees {
            return;
        }
        if row.degree > ends_max(row.n_lines) {
            row = self.move_row(vertex, n_lines_after(row.n_lines));
        }
        if end.code() > u32::from(u8::MAX) {
            self.keep_codes();
        }
        self.put(row, end);
    }

    /// Puts an end on the first line from its own on that has a hole.
    #[inline]
    fn put(&mut self, row: Row, end: End) {
        let (mut at_line, lines) = (row.home(end), &mut self.lines[..]);
        loop {
            let line = row.line(at_line);
            let it = &mut lines[line];
            let at = it.there.trailing_ones() as usize;
            if at < ENDS {
                it.set(at, end);
                if let Some(codes) = &mut self.codes {
                    codes[line][at] = end.code();
                }
                return;
            }
            it.passed = it.passed.saturating_add(1);
            at_line = row.after(at_line);
        }
    }

    /// Takes an end out that stands there.
    #[inline]
    pub(super) fn remove(&mut self, vertex: u32, end: End, spot: Spot) {
        let row = &mut self.rows[vertex as usize];
        row.degree -= 1;
        let (row, lines) = (*row, &mut self.lines[..]);
        let mut at_line = row.home(end);
        while row.first + at_line != spot.line {
            let passed = &mut lines[row.line(at_line)].passed;
            *passed -= u16::from(*passed < u16::MAX);
            at_line = row.after(at_line);
        }
        let it = &mut lines[spot.line as usize];
        it.ids[spot.at as usize] = HOLE;
        it.there &= !(1 << spot.at);
    }

    /// One end less, where no more than degrees are kept.
    pub(super) fn remove_one(&mut self, vertex: u32) {
        self.rows[vertex as usize].degree -= 1;
    }

    /// The row of a vertex without ends has so many, which are put into it by [`Self::put_opened`],
    /// or are not kept.
    pub(super) fn open(&mut self, vertex: u32, degree: u32) {
        let n_lines = if self.has_ends() { n_lines_for(degree) } else { 0 };
        let first = self.take_lines(n_lines);
        self.rows[vertex as usize] = Row { first, n_lines, degree, rest: 0 };
    }

    /// Puts an end into a row that was opened for it.
    #[inline]
    pub(super) fn put_opened(&mut self, vertex: u32, end: End) {
        if end.code() > u32::from(u8::MAX) {
            self.keep_codes();
        }
        self.put(self.rows[vertex as usize], end);
    }

    /// There is room for rows of so many ends, about.
    pub(super) fn reserve(&mut self, n_vertices: usize, n_ends: usize) {
        if self.has_ends() {
            // Half of the vertices have a line that is nearly empty, and others are filled to
            // three quarters.
            self.lines.reserve(n_vertices / 2 + n_ends / 8);
        }
    }

    /// All rows are to be told anew by [`Self::open`].
    pub(super) fn close_all(&mut self) {
        self.lines.clear();
        self.codes = None;
        self.free.clear();
    }

    #[cold]
    fn move_row(&mut self, vertex: u32, n_lines: u32) -> Row {
        let old = self.rows[vertex as usize];
        let row = Row { first: self.take_lines(n_lines), n_lines, ..old };
        for line in old.lines() {
            let mut ends = [None; ENDS];
            ends.iter_mut().zip(self.ends_of(line)).for_each(|(to, end)| *to = Some(end));
            ends.into_iter().flatten().for_each(|end| self.put(row, end));
            self.lines[line] = EMPTY;
        }
        self.rows[vertex as usize] = row;
        if old.n_lines > 0 {
            let class = size_class(old.n_lines);
            if self.free.len() <= class {
                self.free.resize(class + 1, Vec::new());
            }
            self.free[class].push(old.first);
        }
        row
    }

    /// So many empty lines side by side.
    fn take_lines(&mut self, n_lines: u32) -> u32 {
        if n_lines == 0 {
            return 0;
        }
        if let Some(first) = self.free.get_mut(size_class(n_lines)).and_then(Vec::pop) {
            return first;
        }
        let first = self.lines.len();
        let to = first + n_lines as usize;
        assert!(u32::try_from(to).is_ok(), "rows of a graph have fewer than 2^32 lines");
        self.lines.resize(to, EMPTY);
        if let Some(codes) = &mut self.codes {
            codes.resize(to, [0; ENDS]);
        }
        u32::try_from(first).expect("see above")
    }

    /// Codes have more than eight bits from now on.
    fn keep_codes(&mut self) {
        if self.codes.is_none() {
            let mut codes = Pages::default();
            codes.resize(self.lines.len(), [0; ENDS]);
            let lines = codes.iter_mut().zip(self.lines.iter());
            lines.for_each(|(codes, line)| *codes = line.codes.map(u32::from));
            self.codes = Some(codes);
        }
    }

    /// Bytes that it takes.
    pub(super) fn state_bytes(&self) -> usize {
        let codes = self.codes.as_ref().map_or(0, Pages::state_bytes);
        let free: usize = self.free.iter().map(Vec::capacity).sum();
        self.rows.state_bytes() + self.lines.state_bytes() + codes + free * 4
    }

    pub(super) fn save(&self, out: &mut SnapshotWriter<'_>) -> std::io::Result<()> {
        if !self.has_ends() {
            return out.numbers("degrees", self.rows.iter().map(|row| row.degree));
        }
        out.numbers("lengths", self.rows.iter().map(|row| row.n_lines))?;
        let lines = || self.rows.iter().flat_map(|row| row.lines());
        let id = |id: u32| if id == HOLE { HOLE } else { id & !MANY };
        out.numbers("ends", lines().flat_map(|line| self.lines[line].ids.map(id)))?;
        out.numbers("codes", lines().flat_map(|line| self.ends_of(line).map(End::code)))
    }

    /// What was saved; no edge lies there more than once.
    pub(super) fn load(
        keep: Keep,
        input: &mut SnapshotReader<'_>,
        n_slots: usize,
    ) -> Result<Self, LoadError> {
        let damaged = || LoadError::Damaged { section: "ends" };
        let mut lists = Self::new(keep);
        lists.grow(n_slots);
        if keep == Keep::Degrees {
            let degrees: Vec<u32> = input.array("degrees", n_slots)?;
            (0..).zip(degrees).for_each(|(vertex, degree)| lists.open(vertex, degree));
            return Ok(lists);
        }
        let lengths: Vec<u32> = input.array("lengths", n_slots)?;
        let ids: Vec<u32> = input.numbers("ends")?;
        let codes: Vec<u32> = input.numbers("codes")?;
        let n_lines: u64 = lengths.iter().map(|len| u64::from(*len)).sum();
        let is_size = |len: &u32| *len == 0 || n_lines_of(size_class(*len)) == Some(*len);
        let n_there = ids.iter().filter(|id| **id != HOLE).count();
        if n_lines * ENDS as u64 != ids.len() as u64
            || !lengths.iter().all(is_size)
            || n_there != codes.len()
        {
            return Err(damaged());
        }
        if codes.iter().any(|code| *code > u32::from(u8::MAX)) {
            lists.keep_codes();
        }
        let (mut ids, mut codes) = (ids.as_chunks::<ENDS>().0.iter(), codes.into_iter());
        let mut ends = Vec::new();
        for (vertex, n_lines) in (0_u32..).zip(lengths) {
            let first = lists.take_lines(n_lines);
            let row = Row { first, n_lines, ..Row::default() };
            ends.clear();
            for (line, ids) in row.lines().zip(&mut ids) {
                for (at, id) in ids.iter().enumerate().filter(|(_, id)| **id != HOLE) {
                    let code = codes.next().ok_or_else(damaged)?;
                    let is_vertex = (*id as usize) < n_slots;
                    let end = is_vertex.then(|| End::new(*id, code)).ok_or_else(damaged)?;
                    lists.set(row, (line, at), end);
                    ends.push(end);
                }
            }
            ends.sort_unstable();
            if !ends.is_sorted_by(|one, other| one < other) {
                return Err(damaged());
            }
            let degree = u32::try_from(ends.len()).map_err(|_| damaged())?;
            lists.rows[vertex as usize] = Row { degree, ..row };
        }
        Ok(lists)
    }

    /// The end stands there.
    fn set(&mut self, row: Row, (line, at): (usize, usize), end: End) {
        let mut at_line = row.home(end);
        while row.line(at_line) != line {
            let passed = &mut self.lines[row.line(at_line)].passed;
            *passed = passed.saturating_add(1);
            at_line = row.after(at_line);
        }
        self.lines[line].set(at, end);
        if let Some(codes) = &mut self.codes {
            codes[line][at] = end.code();
        }
    }
}

impl Row {
    fn lines(self) -> Range<usize> {
        self.first as usize..self.first as usize + self.n_lines as usize
    }

    /// On which of its lines an end stands if there is room.
    #[inline]
    fn home(self, end: End) -> u32 {
        ((hash(end) * u64::from(self.n_lines)) >> 32) as u32
    }

    #[inline]
    fn line(self, at_line: u32) -> usize {
        self.first as usize + at_line as usize
    }

    /// The next one, around the row.
    #[inline]
    fn after(self, at_line: u32) -> u32 {
        if at_line + 1 == self.n_lines { 0 } else { at_line + 1 }
    }
}

/// What marks the upper half of an end whose edge lies there more than once.
const MANY: u32 = 1 << 30;

impl Line {
    /// The end that stands at a place.
    #[inline]
    fn end(&self, at: usize, code: u32) -> End {
        End(u64::from(self.ids[at]) << 32 | u64::from(code))
    }

    #[inline]
    fn set(&mut self, at: usize, end: End) {
        self.ids[at] = (end.0 >> 32) as u32;
        self.codes[at] = low_bits(end.code());
        self.there |= 1 << at;
    }

    /// Puts the vertices of its ends there, side by side; gives how many they are.
    #[inline]
    fn copy_vertices(&self, to: &mut [u32; ENDS]) -> usize {
        let n_ends = self.there.count_ones() as usize;
        if self.there & (self.there + 1) == 0 {
            // No hole is before an end: mostly so, since what comes fills the first one.
            *to = self.ids.map(|id| id & !MANY);
            return n_ends;
        }
        let mut len = 0;
        for id in self.ids {
            // Holes are written as well, and then over.
            to[len] = id & !MANY;
            len += usize::from(id != HOLE);
        }
        n_ends
    }

    /// A bit for each end that leads there.
    #[inline]
    fn matches(&self, vertex: u32) -> u32 {
        let is_it = self.ids.map(|id| id & !MANY == vertex);
        let bit = |(at, is_it): (usize, &bool)| u32::from(*is_it) << at;
        is_it.iter().enumerate().map(bit).fold(0, |all, bit| all | bit)
    }
}

/// A hash of 32 bits.
#[inline]
fn hash(end: End) -> u64 {
    let end = u64::from(end.vertex()) << 32 | u64::from(end.code());
    let product = u128::from(end ^ SALT[0]) * u128::from(SALT[1]);
    #[expect(clippy::cast_possible_truncation, reason = "halves are taken")]
    let both = product as u64 ^ (product >> 64) as u64;
    both >> 32
}

/// Odd numbers without a pattern.
const SALT: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xD6E8_FEB8_6659_FD93];

/// Ends that a row of so many lines has at most: of several lines some holes are left, so that few
/// ends have to go on to the next one.
fn ends_max(n_lines: u32) -> u32 {
    if n_lines == 1 { 12 } else { n_lines.saturating_mul(10) }
}

/// Lines of a row of so many ends.
fn n_lines_for(degree: u32) -> u32 {
    let mut n_lines = u32::from(degree != 0);
    if ends_max(n_lines) < degree {
        // From half of it on; the next sizes are near.
        n_lines = (degree / 20).max(1).next_power_of_two();
    }
    while ends_max(n_lines) < degree {
        n_lines = n_lines_after(n_lines);
    }
    n_lines
}

/// Sizes of rows: powers of two, and what is half as much more.
fn n_lines_after(n_lines: u32) -> u32 {
    match n_lines {
        0 => 1,
        1 => 2,
        _ if n_lines.is_power_of_two() => n_lines + n_lines / 2,
        _ => n_lines + n_lines / 3,
    }
}

fn size_class(n_lines: u32) -> usize {
    2 * n_lines.ilog2() as usize + usize::from(!n_lines.is_power_of_two())
}

/// The size of a class; none of classes that have none.
fn n_lines_of(class: usize) -> Option<u32> {
    let power = 1_u32.checked_shl(u32::try_from(class / 2).ok()?)?;
    if class.is_multiple_of(2) { Some(power) } else { (power > 1).then(|| power + power / 2) }
}

#[expect(clippy::cast_possible_truncation, reason = "the lowest bits are taken")]
fn low_bits(code: u32) -> u8 {
    code as u8
}

#[cfg(test)]
mod tests;
