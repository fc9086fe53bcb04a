//! Changes that are about as many as the edges: sorted by where edges end, and joined with each row
//! there in one go. A change costs some reads of what the nearest caches hold, and not, as one that
//! comes alone, a line of memory for each of its places. All that is done to see whether the
//! changes fit, when they are measured; what is joined then becomes the graph. Lists of ends are
//! the joined ones turned around.
//!
//! Changes of vertices side by side make a part; of a part they are sorted by vertex. Of a row, a
//! stamp for each start tells where it stands, so that neither the row nor its changes are sorted.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::kernel::DeltaError;
use crate::vector::Ahead;

use super::edges::{Edge, Edges, TAKEN_AT_ONCE, check_count};
use super::end::End;
use super::lists::{Keep, Lists};
use super::meter::{Meter, SLICE};
use super::rows::{EdgeChange, EdgeColumns};
use super::vertices::Vertices;
use super::weights::Weights;

/// A change of one edge that is known by its slots.
#[derive(Debug, Clone, Copy)]
struct Change {
    edge: Edge,
    diff: Diff,
}

/// A number that is added, or where it stands among those that are too large.
#[derive(Debug, Clone, Copy)]
struct Diff(i32);

/// Changes by where their edges end. Those of a part lie in blocks that are taken as they are
/// needed, so that all parts grow together in one array.
#[derive(Debug)]
struct Parts {
    /// Vertices of a part have all but so many low bits in common.
    bits: u32,
    changes: Vec<Change>,
    /// The blocks of each part, in turn, and where its next change comes; at the end of a block
    /// there is none yet.
    blocks: Vec<Vec<u32>>,
    next: Vec<u32>,
    /// Numbers that have more than 30 bits.
    wide: Vec<i64>,
    /// The part that is sorted, and where the changes of each of its vertices end.
    sorted: Vec<Change>,
    ends: Vec<u32>,
}

/// Changes in a block.
const BLOCK: u32 = 256;

/// An edge of one row, and what is added to how often it lies there.
#[derive(Debug, Clone, Copy)]
struct Entry {
    end: End,
    diff: i64,
}

/// One row and its changes.
#[derive(Debug, Default)]
struct Join {
    entries: Vec<Entry>,
    /// Entries from here on were not in the row.
    n_there: usize,
    /// For each start, which entry is the first that has it: counted on from row to row, so that
    /// what an earlier row left is below `base`, and nothing has to be wiped.
    stamps: Vec<u32>,
    base: u32,
    /// Entries whose start has another one before. Nothing iterates it.
    others: HashMap<End, u32, FixedState>,
    /// The row as it will be.
    row: Vec<End>,
}

/// A change in bulk: joined with all rows when it is measured, then taken.
#[derive(Debug)]
pub(super) struct Bulk {
    /// Those that there will be.
    vertices: Vertices,
    weights: Weights,
    /// Rows of starts as they will be.
    into: Lists,
    /// How many ends each start will have.
    degrees: Vec<u32>,
    /// Edges that lie there more than once, before or after, and how often they do.
    copies: Vec<(Edge, [i64; 2])>,
    n_edges: usize,
    stage: Stage,
    /// Edges that will lie there more or less often.
    pub(super) n_changed: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Vertices and rows are to become those that were joined.
    Install,
    /// It is noted how often edges lie there, from this one on.
    Copies(usize),
    /// Rows of starts are opened, from this one on.
    Open(usize),
    /// Rows from this one on are turned around.
    Turn(usize),
    Done,
}

impl Parts {
    /// None yet, of so many, of about this many vertices.
    fn new(n_changes: usize, n_slots: usize) -> Self {
        let bits = n_slots.checked_ilog2().map_or(0, |bits| bits.saturating_sub(8)).max(9);
        let n_parts = (n_slots >> bits) + 1;
        Self {
            bits,
            changes: Vec::with_capacity(n_changes + n_parts * BLOCK as usize),
            blocks: vec![Vec::new(); n_parts],
            next: vec![0; n_parts],
            wide: Vec::new(),
            sorted: Vec::new(),
            ends: vec![0; 1 << bits],
        }
    }

    #[inline]
    fn push(&mut self, edge: Edge, diff: i64) {
        let part = (edge.dst >> self.bits) as usize;
        let diff = Diff::new(diff, &mut self.wide);
        if self.next.get(part).is_none_or(|next| next.is_multiple_of(BLOCK)) {
            self.take_block(part);
        }
        let next = &mut self.next[part];
        self.changes[*next as usize] = Change { edge, diff };
        *next += 1;
    }

    #[cold]
    fn take_block(&mut self, part: usize) {
        if self.next.len() <= part {
            self.next.resize(part + 1, 0);
            self.blocks.resize(part + 1, Vec::new());
        }
        let start = slot_at(self.changes.len());
        let none = Change { edge: Edge::default(), diff: Diff(0) };
        self.changes.resize(self.changes.len() + BLOCK as usize, none);
        self.blocks[part].push(start);
        self.next[part] = start;
    }

    fn n_changes(&self, part: usize) -> usize {
        let Some(blocks) = self.blocks.get(part) else { return 0 };
        let Some(last) = blocks.last() else { return 0 };
        (blocks.len() - 1) * BLOCK as usize + (self.next[part] - last) as usize
    }

    /// The part's vertex at a place.
    fn vertex(&self, part: usize, at: usize) -> u32 {
        slot_at(part << self.bits | at)
    }

    /// Sorts a part by vertices.
    fn sort(&mut self, part: usize) {
        let (n_changes, mask) = (self.n_changes(part), (1 << self.bits) - 1);
        let block = |at: usize| {
            let start = self.blocks[part][at / BLOCK as usize] as usize;
            &self.changes[start..start + (n_changes - at).min(BLOCK as usize)]
        };
        self.ends.fill(0);
        for at in (0..n_changes).step_by(BLOCK as usize) {
            for change in block(at) {
                self.ends[change.edge.dst as usize & mask] += 1;
            }
        }
        let mut sum = 0;
        for end in &mut self.ends {
            // Where they start; each that is put there moves it on.
            sum += std::mem::replace(end, sum);
        }
        let none = Change { edge: Edge::default(), diff: Diff(0) };
        if self.sorted.len() < n_changes {
            self.sorted.resize(n_changes, none);
        }
        for at in (0..n_changes).step_by(BLOCK as usize) {
            for change in block(at) {
                let end = &mut self.ends[change.edge.dst as usize & mask];
                self.sorted[*end as usize] = *change;
                *end += 1;
            }
        }
    }

    /// The sorted changes of the part's vertex at a place.
    fn of(&self, at: usize) -> &[Change] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.sorted[start as usize..self.ends[at] as usize]
    }
}

impl Join {
    /// Takes the row of a vertex, and the changes of its edges.
    fn take(&mut self, row: Option<(&Edges, u32)>, changes: &[Change], wide: &[i64]) {
        let degree = row.map_or(0, |(edges, dst)| edges.into.degree(dst));
        self.start_row(degree + changes.len());
        if let Some((edges, dst)) = row {
            edges.into.each(dst, |end| {
                self.enter(end);
            });
        }
        self.n_there = self.entries.len();
        for change in changes {
            let end = change.edge.from();
            let at = self.find(end).unwrap_or_else(|| self.enter(end));
            self.entries[at].diff += change.diff.get(wide);
        }
    }

    /// A row of so many entries at most comes.
    fn start_row(&mut self, n_entries: usize) {
        let base = self.base + slot_at(self.entries.len());
        self.entries.clear();
        if !self.others.is_empty() {
            self.others.clear();
        }
        // Stamps of all rows are above 0.
        let is_full = slot_at(n_entries).checked_add(base).is_none();
        self.base = if is_full || base == 0 { 1 } else { base };
        if is_full {
            self.stamps.fill(0);
        }
    }

    #[inline]
    fn find(&self, end: End) -> Option<usize> {
        let first = self.stamps[end.vertex() as usize].checked_sub(self.base)? as usize;
        if self.entries[first].end.is_same(end) {
            return Some(first);
        }
        self.others.get(&end).map(|at| *at as usize)
    }

    #[inline]
    fn enter(&mut self, end: End) -> usize {
        let at = self.entries.len();
        let stamp = &mut self.stamps[end.vertex() as usize];
        if *stamp < self.base {
            *stamp = self.base + slot_at(at);
        } else {
            self.others.insert(end.times(1), slot_at(at));
        }
        self.entries.push(Entry { end, diff: 0 });
        at
    }
}

impl Edges {
    /// Whether the changes are so many that all rows are looked at: from a quarter on that costs
    /// less than to take them one by one (measured: from a fifth on of ranks, a third of paths).
    pub(super) fn is_bulk(&self, n_changes: usize) -> bool {
        n_changes > 0 && 4 * n_changes >= self.len + self.vertices.n_slots()
    }
}

impl Bulk {
    /// The changes joined with all rows, if they can be taken. Cost: O(vertices + edges + changes).
    pub(super) fn new(edges: &Edges, changes: &EdgeColumns) -> Result<Self, DeltaError> {
        let added_up = changes.narrow()?;
        let changes = added_up.as_ref().unwrap_or(changes);
        let mut bulk = Self {
            vertices: edges.vertices.clone(),
            weights: edges.weights.clone(),
            into: Lists::new(Keep::Ends),
            degrees: Vec::new(),
            copies: Vec::new(),
            n_edges: edges.len,
            stage: Stage::Install,
            n_changed: 0,
        };
        let mut parts = bulk.part(edges, changes);
        let n_slots = bulk.vertices.n_slots();
        bulk.degrees = vec![0; n_slots];
        bulk.into.grow(n_slots);
        bulk.into.reserve(n_slots, edges.len.max(changes.src.len()));
        let mut join = Join { stamps: vec![0; n_slots], ..Join::default() };
        for part in 0..n_slots.div_ceil(1 << parts.bits) {
            parts.sort(part);
            for at in 0..parts.ends.len() {
                let dst = parts.vertex(part, at);
                if (dst as usize) < n_slots {
                    bulk.join(edges, dst, (&parts, at), &mut join)?;
                    bulk.put(dst, &join.row);
                }
            }
        }
        Ok(bulk)
    }

    /// Changes find their parts, with the vertices that come.
    fn part(&mut self, edges: &Edges, changes: &EdgeColumns) -> Parts {
        let n_changes = changes.src.len();
        let mut parts = Parts::new(n_changes, edges.vertices.n_slots().max(n_changes / 8));
        for from in (0..n_changes).step_by(TAKEN_AT_ONCE) {
            let places = from..n_changes.min(from + TAKEN_AT_ONCE);
            let mut some = [Edge::default(); TAKEN_AT_ONCE];
            for (edge, at) in some.iter_mut().zip(places.clone()) {
                let EdgeChange { src, dst, weight, .. } = changes.at(at);
                let (src, dst) = (self.vertices.hold(src), self.vertices.hold(dst));
                *edge = Edge { src, dst, code: self.weights.give(weight) };
            }
            for (edge, at) in some.into_iter().zip(places) {
                parts.push(edge, changes.diff[at]);
            }
        }
        parts
    }

    /// Joins a row with its changes.
    fn join(
        &mut self,
        edges: &Edges,
        dst: u32,
        (parts, at): (&Parts, usize),
        join: &mut Join,
    ) -> Result<(), DeltaError> {
        let is_old = (dst as usize) < edges.vertices.n_slots();
        let changes = parts.of(at);
        join.row.clear();
        if changes.is_empty() {
            if is_old {
                edges.into.each(dst, |end| join.row.push(end));
            }
            return Ok(());
        }
        join.take(is_old.then_some((edges, dst)), changes, &parts.wide);
        join.row.resize(join.entries.len(), End::default());
        let mut len = 0;
        for (at, entry) in join.entries.iter().enumerate() {
            let (mut end, is_changed) = (entry.end, entry.diff != 0);
            // Mostly each lies there once or not at all, and so it will.
            let mut after = entry.diff.wrapping_add(i64::from(at < join.n_there));
            self.n_changed += usize::from(is_changed);
            if is_changed && (end.is_many() || !(0..=1).contains(&after)) {
                let edge = Edge { src: end.vertex(), dst, code: end.code() };
                let before = if at < join.n_there { edges.times(edge, end) } else { 0 };
                let id = self.vertices.id(edge.src);
                check_count(before, entry.diff, ["edge from", "edge"], id)?;
                after = before + entry.diff;
                self.copies.push((edge, [before, after]));
                end = end.times(after);
            }
            // Those that go are written over.
            join.row[len] = end;
            len += usize::from(after > 0);
        }
        join.row.truncate(len);
        self.n_edges = self.n_edges + len - join.n_there;
        Ok(())
    }

    /// The row is the vertex' from now on.
    fn put(&mut self, dst: u32, row: &[End]) {
        self.into.open(dst, slot_at(row.len()));
        for start in row {
            self.degrees[start.vertex() as usize] += 1;
            self.into.put_opened(dst, *start);
        }
    }

    /// Goes on; true when the changes are taken by the edges that they were joined with.
    pub(super) fn advance(&mut self, edges: &mut Edges, meter: &mut Meter) -> bool {
        while self.stage != Stage::Done && !meter.is_out() {
            self.stage = match self.stage {
                Stage::Install => self.install(edges, meter),
                Stage::Copies(at) => self.note_copies(at, edges, meter),
                Stage::Open(at) => self.open(at, edges, meter),
                Stage::Turn(at) => self.turn(at, edges, meter),
                Stage::Done => Stage::Done,
            };
        }
        self.stage == Stage::Done
    }

    fn install(&mut self, edges: &mut Edges, meter: &mut Meter) -> Stage {
        edges.vertices = std::mem::take(&mut self.vertices);
        edges.weights = std::mem::take(&mut self.weights);
        edges.grow();
        edges.len = self.n_edges;
        edges.into = std::mem::replace(&mut self.into, Lists::new(Keep::Ends));
        edges.out.close_all();
        edges.out.reserve(edges.vertices.n_slots(), edges.len);
        meter.spend(1);
        Stage::Copies(0)
    }

    fn note_copies(&self, from: usize, edges: &mut Edges, meter: &mut Meter) -> Stage {
        let to = self.copies.len().min(from + SLICE);
        for (edge, copies) in &self.copies[from..to] {
            edges.note_copies(*edge, *copies);
        }
        meter.spend(8 * (to - from));
        if to < self.copies.len() { Stage::Copies(to) } else { Stage::Open(0) }
    }

    fn open(&self, from: usize, edges: &mut Edges, meter: &mut Meter) -> Stage {
        let to = self.degrees.len().min(from + SLICE);
        for at in from..to {
            edges.out.open(slot_at(at), self.degrees[at]);
        }
        meter.spend(4 * (to - from));
        if to < self.degrees.len() {
            return Stage::Open(to);
        }
        if edges.out.has_ends() { Stage::Turn(0) } else { Stage::Done }
    }

    fn turn(&self, from: usize, edges: &mut Edges, meter: &mut Meter) -> Stage {
        let (mut at, ahead) = (from, Ahead::new());
        while at < self.degrees.len() && !meter.is_out() {
            let dst = slot_at(at);
            let mut row = edges.into.ends(dst);
            loop {
                let mut starts = [End::default(); TAKEN_AT_ONCE];
                let mut n = 0;
                for start in row.by_ref().take(TAKEN_AT_ONCE) {
                    starts[n] = start;
                    n += 1;
                }
                if n == 0 {
                    break;
                }
                let ends = starts[..n].iter().map(|it| (it.vertex(), End::new(dst, it.code())));
                ends.clone().for_each(|(src, _)| edges.out.fetch_row(ahead, src));
                ends.clone().for_each(|(src, end)| edges.out.fetch_end(ahead, src, end));
                ends.for_each(|(src, end)| edges.out.put_opened(src, end));
            }
            drop(row);
            meter.spend(1 + 2 * edges.into.degree(dst));
            at += 1;
        }
        if at < self.degrees.len() { Stage::Turn(at) } else { Stage::Done }
    }
}

impl Diff {
    fn new(diff: i64, wide: &mut Vec<i64>) -> Self {
        match i32::try_from(diff) {
            Ok(diff) if diff > WIDE => Self(diff),
            _ => {
                wide.push(diff);
                let at = i32::try_from(wide.len() - 1).expect("fewer than 2^30 large numbers");
                Self(i32::MIN + at)
            }
        }
    }

    fn get(self, wide: &[i64]) -> i64 {
        if self.0 > WIDE {
            return self.0.into();
        }
        let at = self.0.abs_diff(i32::MIN) as usize;
        wide[at]
    }
}

/// Up to here a number says where another one stands.
const WIDE: i32 = i32::MIN / 2;

fn slot_at(at: usize) -> u32 {
    u32::try_from(at).expect("slots have 32 bits")
}
