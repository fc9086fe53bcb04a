//! Changes that are about as many as the edges: sorted by where edges end, and joined with each row
//! there in one go. A change costs some reads of what the nearest caches hold, and not, as one that
//! comes alone, a line of memory for each of its places. The rows of starts are then those of ends
//! turned around, and the index is left stale.
//!
//! Changes of vertices side by side make a part; of a part they are sorted by vertex. Of a row, a
//! stamp for each start tells where it stands, so that neither the row nor its changes are sorted.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::kernel::DeltaError;

use super::blocks::{Blocks, Room};
use super::edges::{Edge, Edges, TAKEN_AT_ONCE, check_count};
use super::end::End;
use super::meter::{Meter, SLICE};
use super::rows::EdgeColumns;

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
}

/// A change in bulk under way.
#[derive(Debug)]
pub(super) struct Bulk {
    parts: Parts,
    join: Join,
    row: Vec<End>,
    /// Rows that were joined, in their order.
    rows: Blocks,
    /// Of each start, how many ends it has; then where the next one is put.
    starts: Vec<u32>,
    stage: Stage,
    /// Edges that lie there more or less often than before.
    pub(super) n_changed: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Changes from this one on find their parts.
    Part(usize),
    /// A part is sorted, from this one of its changes on.
    Sort(usize, usize),
    /// Rows of a part are joined, from this one of its vertices on.
    Join(usize, usize),
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

    /// Sorts some of a part by vertices, from a change on; gives how many are done.
    fn sort(&mut self, part: usize, from: usize) -> usize {
        let (n_changes, mask) = (self.n_changes(part), (1 << self.bits) - 1);
        let block = |at: usize, to: usize| {
            let start = self.blocks[part][at / BLOCK as usize] as usize;
            &self.changes[start..start + (to - at).min(BLOCK as usize)]
        };
        if from == 0 {
            self.ends.fill(0);
            for at in (0..n_changes).step_by(BLOCK as usize) {
                for change in block(at, n_changes) {
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
        }
        let to = n_changes.min(from + SLICE);
        for at in (from..to).step_by(BLOCK as usize) {
            for change in block(at, to) {
                let end = &mut self.ends[change.edge.dst as usize & mask];
                self.sorted[*end as usize] = *change;
                *end += 1;
            }
        }
        to
    }

    /// The sorted changes of the part's vertex at a place.
    fn of(&self, at: usize) -> &[Change] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.sorted[start as usize..self.ends[at] as usize]
    }
}

impl Join {
    /// Takes the row of a vertex, and the changes of its edges.
    fn take(&mut self, row: &[End], changes: &[Change], wide: &[i64]) {
        self.start_row(row.len() + changes.len());
        for end in row.iter().filter(|end| !end.is_hole()) {
            self.enter(*end);
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
    /// Whether the changes are so many that all rows are looked at.
    pub(super) fn is_bulk(&self, n_changes: usize) -> bool {
        n_changes > 0 && 8 * n_changes >= self.len + self.vertices.n_slots()
    }

    /// How many edges would lie there more or less often, if the changes can be taken. Cost:
    /// O(changes + rows of their ends).
    pub(super) fn measure_bulk(&self, changes: &EdgeColumns) -> Result<usize, DeltaError> {
        let added_up = changes.narrow()?;
        let changes = added_up.as_ref().unwrap_or(changes);
        let n_slots = self.vertices.n_slots();
        let n_changes = changes.src.len();
        let mut parts = Parts::new(n_changes, n_slots);
        let mut strangers = EdgeColumns::default();
        for from in (0..n_changes).step_by(TAKEN_AT_ONCE) {
            let places = from..n_changes.min(from + TAKEN_AT_ONCE);
            let mut edges = [None; TAKEN_AT_ONCE];
            for (edge, at) in edges.iter_mut().zip(places.clone()) {
                *edge = self.edge(&changes.at(at));
            }
            for (edge, at) in edges.into_iter().zip(places) {
                let change = changes.at(at);
                match edge {
                    Some(edge) => parts.push(edge, change.diff),
                    None => strangers.push([change.src, change.dst, change.weight], change.diff),
                }
            }
        }
        let mut n_changed = 0;
        let mut join = Join { stamps: vec![0; n_slots], ..Join::default() };
        for part in 0..parts.blocks.len() {
            let mut sorted = 0;
            while sorted < parts.n_changes(part) {
                sorted = parts.sort(part, sorted);
            }
            if sorted == 0 {
                continue;
            }
            for at in 0..parts.ends.len() {
                let changes = parts.of(at);
                if changes.is_empty() {
                    continue;
                }
                let dst = parts.vertex(part, at);
                join.take(self.into.row(dst), changes, &parts.wide);
                n_changed += self.check_row(dst, &join)?;
            }
        }
        let strangers = strangers.added_up()?.unwrap_or(strangers);
        for at in 0..strangers.src.len() {
            let change = strangers.at(at);
            check_count(0, change.diff, ["edge from", "edge"], change.src)?;
        }
        Ok(n_changed + strangers.src.len())
    }

    /// How many edges of a row would lie there more or less often.
    fn check_row(&self, dst: u32, join: &Join) -> Result<usize, DeltaError> {
        // Mostly each lies there once or not at all, and so it will: that is seen without a branch.
        let (mut n_changed, mut is_odd) = (0, false);
        for (at, entry) in join.entries.iter().enumerate() {
            let after = entry.diff.wrapping_add(i64::from(at < join.n_there));
            n_changed += usize::from(entry.diff != 0);
            is_odd |= entry.end.is_many() | !(0..=1).contains(&after);
        }
        if !is_odd {
            return Ok(n_changed);
        }
        for (at, entry) in join.entries.iter().enumerate().filter(|(_, entry)| entry.diff != 0) {
            let before = self.times_before(dst, (at, join));
            let id = self.vertices.id(entry.end.vertex());
            check_count(before, entry.diff, ["edge from", "edge"], id)?;
        }
        Ok(n_changed)
    }

    fn times_before(&self, dst: u32, (at, join): (usize, &Join)) -> i64 {
        let end = join.entries[at].end;
        let edge = Edge { src: end.vertex(), dst, code: end.code() };
        if at < join.n_there { self.times(edge, end) } else { 0 }
    }
}

impl Bulk {
    /// Of so many changes, none of which is taken yet.
    pub(super) fn new(n_changes: usize, edges: &Edges) -> Self {
        Self {
            parts: Parts::new(n_changes, edges.vertices.n_slots().max(n_changes / 8)),
            join: Join::default(),
            row: Vec::new(),
            rows: Blocks::with_room(edges.into.n_words() + n_changes),
            starts: Vec::new(),
            stage: Stage::Part(0),
            n_changed: 0,
        }
    }

    /// Goes on; true when the changes, which were checked, are taken. None is too large.
    pub(super) fn advance(
        &mut self,
        edges: &mut Edges,
        changes: &EdgeColumns,
        meter: &mut Meter,
    ) -> bool {
        while self.stage != Stage::Done && !meter.is_out() {
            self.stage = match self.stage {
                Stage::Part(at) => self.part(at, edges, changes, meter),
                Stage::Sort(part, at) => self.sort(part, at, meter),
                Stage::Join(part, at) => self.join(part, at, edges, meter),
                Stage::Open(at) => self.open(at, edges, meter),
                Stage::Turn(at) => self.turn(at, edges, meter),
                Stage::Done => Stage::Done,
            };
        }
        self.stage == Stage::Done
    }

    fn part(
        &mut self,
        from: usize,
        edges: &mut Edges,
        changes: &EdgeColumns,
        meter: &mut Meter,
    ) -> Stage {
        let to = changes.src.len().min(from + SLICE);
        for from in (from..to).step_by(TAKEN_AT_ONCE) {
            let places = from..to.min(from + TAKEN_AT_ONCE);
            let mut some = [Edge::default(); TAKEN_AT_ONCE];
            for (edge, at) in some.iter_mut().zip(places.clone()) {
                let change = changes.at(at);
                *edge = edges.edge(&change).unwrap_or_else(|| edges.hold(&change));
            }
            for (edge, at) in some.into_iter().zip(places) {
                self.parts.push(edge, changes.diff[at]);
            }
        }
        meter.spend(4 * (to - from));
        if to < changes.src.len() {
            return Stage::Part(to);
        }
        edges.grow();
        // What the index knew is not so any more.
        edges.forget_places();
        let n_slots = edges.vertices.n_slots();
        (self.join.stamps, self.starts) = (vec![0; n_slots], vec![0; n_slots]);
        Stage::Sort(0, 0)
    }

    fn sort(&mut self, part: usize, from: usize, meter: &mut Meter) -> Stage {
        if self.parts.n_changes(part) == 0 {
            self.parts.ends.fill(0);
            meter.spend(1);
            return Stage::Join(part, 0);
        }
        let to = self.parts.sort(part, from);
        meter.spend(2 * (to - from));
        if to == self.parts.n_changes(part) { Stage::Join(part, 0) } else { Stage::Sort(part, to) }
    }

    fn join(&mut self, part: usize, from: usize, edges: &mut Edges, meter: &mut Meter) -> Stage {
        let (n_slots, mut at) = (edges.vertices.n_slots(), from);
        // Rows that are read again and again, and others that are changed.
        let room = if edges.out.has_ends() { Room::ToGrow } else { Room::Tight };
        while at < self.parts.ends.len() && !meter.is_out() {
            let dst = self.parts.vertex(part, at);
            if dst as usize >= n_slots {
                edges.into.take_rows(std::mem::take(&mut self.rows));
                edges.out.close_all();
                return Stage::Open(0);
            }
            let n_changes = self.parts.of(at).len();
            meter.spend(2 + edges.into.row(dst).len() + 2 * n_changes);
            if n_changes > 0 {
                self.join_row(dst, at, edges);
            } else {
                self.row.clear();
                self.row.extend(edges.into.ends(dst));
            }
            for start in &self.row {
                self.starts[start.vertex() as usize] += 1;
            }
            edges.into.move_row(dst, self.rows.append(&self.row, room));
            at += 1;
        }
        if at < self.parts.ends.len() {
            return Stage::Join(part, at);
        }
        Stage::Sort(part + 1, 0)
    }

    fn join_row(&mut self, dst: u32, at: usize, edges: &mut Edges) {
        let before = edges.into.degree(dst);
        self.join.take(edges.into.row(dst), self.parts.of(at), &self.parts.wide);
        self.row.clear();
        self.row.resize(self.join.entries.len(), End::default());
        let mut len = 0;
        for (at, entry) in self.join.entries.iter().enumerate() {
            let (mut end, is_changed) = (entry.end, entry.diff != 0);
            let mut after = entry.diff.wrapping_add(i64::from(at < self.join.n_there));
            self.n_changed += usize::from(is_changed);
            if is_changed && (end.is_many() || !(0..=1).contains(&after)) {
                let edge = Edge { src: end.vertex(), dst, code: end.code() };
                let before = edges.times_before(dst, (at, &self.join));
                let copies = before.checked_add(entry.diff).filter(|copies| *copies >= 0);
                after = copies.expect("the change was checked");
                edges.note_copies(edge, [before, after]);
                end = end.times(after);
            }
            // Those that go are written over.
            self.row[len] = end;
            len += usize::from(after > 0);
        }
        self.row.truncate(len);
        edges.len = edges.len - before + self.row.len();
    }

    fn open(&mut self, from: usize, edges: &mut Edges, meter: &mut Meter) -> Stage {
        let to = self.starts.len().min(from + SLICE);
        for at in from..to {
            self.starts[at] = edges.out.open(slot_at(at), self.starts[at]);
        }
        meter.spend(4 * (to - from));
        if to < self.starts.len() {
            return Stage::Open(to);
        }
        if edges.out.has_ends() { Stage::Turn(0) } else { Stage::Done }
    }

    fn turn(&mut self, from: usize, edges: &mut Edges, meter: &mut Meter) -> Stage {
        let mut at = from;
        while at < self.starts.len() && !meter.is_out() {
            let dst = slot_at(at);
            for start in edges.into.ends(dst) {
                let word = &mut self.starts[start.vertex() as usize];
                edges.out.put(*word, End::new(dst, start.code()));
                *word += 1;
            }
            meter.spend(1 + 2 * edges.into.degree(dst));
            at += 1;
        }
        if at < self.starts.len() { Stage::Turn(at) } else { Stage::Done }
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
