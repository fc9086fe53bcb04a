//! The edges and roots that are there, and which of them a change brings or takes.

use std::ops::Range;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::kernel::DeltaError;
use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};
use crate::threads::share_work;
use crate::vector::Ahead;

use super::end::End;
use super::lists::{Keep, Lists, Spot};
use super::rows::{EdgeChange, EdgeColumns, RootChange};
use super::vertices::{NOBODY, Vertices};
use super::weights::Weights;

/// An edge that came or went, or a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flip {
    EdgeCame(Edge),
    EdgeWent(Edge),
    RootCame(u32),
    RootWent(u32),
}

/// An edge by slots, and the code of its weight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Edge {
    pub(super) src: u32,
    pub(super) dst: u32,
    pub(super) code: u32,
}

impl Edge {
    /// One whose ends are not known.
    pub(super) const UNKNOWN: Self = Self { src: NOBODY, dst: NOBODY, code: 0 };

    /// As its start knows it.
    pub(super) fn to(self) -> End {
        End::new(self.dst, self.code)
    }

    /// As its end knows it.
    pub(super) fn from(self) -> End {
        End::new(self.src, self.code)
    }
}

/// A multiset of edges and one of roots.
#[derive(Debug)]
pub(super) struct Edges {
    pub(super) vertices: Vertices,
    pub(super) weights: Weights,
    /// Ends of the edges that start at a vertex.
    pub(super) out: Lists,
    /// Starts of the edges that end at it.
    pub(super) into: Lists,
    pub(super) len: usize,
    /// How often edges lie there that do so more than once. Nothing iterates it but what saves it,
    /// which sorts.
    copies: HashMap<Edge, i64, FixedState>,
    /// At least how often any edge lies there.
    copies_max: i64,
    /// How often each vertex is a root.
    roots: Vec<i64>,
    n_roots: usize,
}

impl Edges {
    /// None; `keep` says whether it is asked where edges lead, or only where they come from.
    pub(super) fn new(keep: Keep) -> Self {
        Self {
            vertices: Vertices::default(),
            weights: Weights::default(),
            out: Lists::new(keep),
            into: Lists::new(Keep::Ends),
            len: 0,
            copies: HashMap::default(),
            copies_max: 1,
            roots: Vec::new(),
            n_roots: 0,
        }
    }

    /// How many edges there are, copies counted once.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many roots there are, copies counted once.
    pub(super) fn n_roots(&self) -> usize {
        self.n_roots
    }

    /// Whether the vertex is a root.
    pub(super) fn is_root(&self, slot: u32) -> bool {
        self.roots[slot as usize] > 0
    }

    /// Whether an edge or a root names the vertex.
    pub(super) fn is_named(&self, slot: u32) -> bool {
        self.out.degree(slot) > 0 || self.into.degree(slot) > 0 || self.is_root(slot)
    }

    /// Whether an edge of any weight leads from the one to the other.
    pub(super) fn leads(&self, src: u32, dst: u32) -> bool {
        if self.out.degree(src) <= self.into.degree(dst) {
            self.out.leads(src, dst)
        } else {
            self.into.leads(dst, src)
        }
    }

    /// Whether the changes, of different edges, can be taken; gives those that were looked for,
    /// each at the place of its change, or nothing if there are none.
    pub(super) fn check_edges(&self, changes: &EdgeColumns) -> Result<Vec<Edge>, DeltaError> {
        // What comes cannot come too often while no edge lies there nearly too often.
        let may_fail = |at: &usize| {
            let diff = changes.diff[*at];
            diff < 0 || self.copies_max.checked_add(diff).is_none()
        };
        let places: Vec<usize> = (0..changes.src.len()).filter(may_fail).collect();
        let n_operations = CHECK_OPERATIONS * places.len();
        let checked = share_work(n_operations, places.chunks(TAKEN_AT_ONCE), |_, some| {
            self.check_some(changes, some)
        });
        let n_known = if places.is_empty() { 0 } else { changes.src.len() };
        let mut known = vec![Edge::UNKNOWN; n_known];
        for (some, places) in checked.into_iter().zip(places.chunks(TAKEN_AT_ONCE)) {
            // Of several faults the first.
            for (edge, at) in some?.into_iter().zip(places) {
                known[*at] = edge;
            }
        }
        Ok(known)
    }

    fn check_some(
        &self,
        changes: &EdgeColumns,
        some: &[usize],
    ) -> Result<[Edge; TAKEN_AT_ONCE], DeltaError> {
        let (mut edges, ahead) = ([Edge::UNKNOWN; TAKEN_AT_ONCE], Ahead::new());
        let n = some.len();
        // In stages, as changes are taken.
        for at in 0..n + 3 * STAGE {
            if let Some(at) = some.get(at) {
                self.vertices.fetch(ahead, changes.src[*at]);
                self.vertices.fetch(ahead, changes.dst[*at]);
            }
            if let Some(at) = at.checked_sub(STAGE).filter(|at| *at < n)
                && let Some(edge) = self.edge(&changes.at(some[at]))
            {
                edges[at] = edge;
                self.into.fetch_row(ahead, edge.dst);
            }
            if let Some(at) = at.checked_sub(2 * STAGE).filter(|at| *at < n)
                && edges[at] != Edge::UNKNOWN
            {
                self.into.fetch_end(ahead, edges[at].dst, edges[at].from());
            }
            if let Some(at) = at.checked_sub(3 * STAGE) {
                let edge = edges[at];
                let is_known = edge != Edge::UNKNOWN;
                let n_copies = if is_known { self.copies(edge, self.spot(edge)) } else { 0 };
                let (diff, src) = (changes.diff[some[at]], changes.src[some[at]]);
                check_count(n_copies, diff, ["edge from", "edge"], src)?;
            }
        }
        Ok(edges)
    }

    /// The edge, if its vertices and its weight are there.
    pub(super) fn edge(&self, change: &EdgeChange) -> Option<Edge> {
        let (src, dst) = (self.vertices.slot(change.src)?, self.vertices.slot(change.dst)?);
        Some(Edge { src, dst, code: self.weights.code(change.weight)? })
    }

    /// The edge; its vertices and its weight are there from now on.
    pub(super) fn hold(&mut self, change: &EdgeChange) -> Edge {
        let (src, dst) = (self.vertices.hold(change.src), self.vertices.hold(change.dst));
        Edge { src, dst, code: self.weights.give(change.weight) }
    }

    /// Where an edge stands in the row of its end.
    fn spot(&self, edge: Edge) -> Option<Spot> {
        self.into.find(edge.dst, edge.from())
    }

    /// Whether the change can be taken.
    pub(super) fn check_root(&self, change: &RootChange) -> Result<(), DeltaError> {
        let slot = self.vertices.slot(change.id);
        let n_copies = slot.map_or(0, |slot| self.roots[slot as usize]);
        check_count(n_copies, change.diff, ["root", "root"], change.id)
    }

    /// How often an edge lies there that stands there in the row of its end.
    fn copies(&self, edge: Edge, spot: Option<Spot>) -> i64 {
        match spot {
            Some(spot) if self.into.is_many(spot) => self.copies.get(&edge).copied().unwrap_or(1),
            Some(_) => 1,
            None => 0,
        }
    }

    /// How often an edge lies there, of which this is the end.
    pub(super) fn times(&self, edge: Edge, end: End) -> i64 {
        if end.is_many() { self.copies.get(&edge).copied().unwrap_or(1) } else { 1 }
    }

    /// Notes how often an edge lies there, and did before.
    pub(super) fn note_copies(&mut self, edge: Edge, [before, after]: [i64; 2]) {
        if after > 1 {
            self.copies.insert(edge, after);
            self.copies_max = self.copies_max.max(after);
        } else if before > 1 {
            self.copies.remove(&edge);
        }
    }

    /// Takes changes of up to [`TAKEN_AT_ONCE`] different edges, which were checked; tells what
    /// flips. `known` are those of all changes that were looked for, or none.
    pub(super) fn change_edges(
        &mut self,
        (changes, known): (&EdgeColumns, &[Edge]),
        places: Range<usize>,
        flips: &mut Vec<Flip>,
    ) {
        let (mut edges, ahead) = ([Edge::UNKNOWN; TAKEN_AT_ONCE], Ahead::new());
        let (from, n) = (places.start, places.len());
        let known = |at: usize| known.get(from + at).filter(|edge| **edge != Edge::UNKNOWN);
        // Each change goes through four stages, of which all but the last ask for what the next one
        // reads, so memory answers for those behind while one is taken.
        for at in 0..n + 3 * STAGE {
            if at < n && known(at).is_none() {
                self.vertices.fetch(ahead, changes.src[from + at]);
                self.vertices.fetch(ahead, changes.dst[from + at]);
            }
            if let Some(at) = at.checked_sub(STAGE).filter(|at| *at < n) {
                let edge = match known(at) {
                    Some(edge) => *edge,
                    None => self.hold(&changes.at(from + at)),
                };
                edges[at] = edge;
                self.grow();
                self.into.fetch_row(ahead, edge.dst);
                self.out.fetch_row(ahead, edge.src);
            }
            if let Some(at) = at.checked_sub(2 * STAGE).filter(|at| *at < n) {
                let edge = edges[at];
                self.into.fetch_end(ahead, edge.dst, edge.from());
                self.out.fetch_end(ahead, edge.src, edge.to());
            }
            if let Some(at) = at.checked_sub(3 * STAGE) {
                flips.extend(self.change_edge(edges[at], changes.diff[from + at]));
            }
        }
    }

    fn change_edge(&mut self, edge: Edge, diff: i64) -> Option<Flip> {
        let spot = self.spot(edge);
        let before = self.copies(edge, spot);
        let after = before.checked_add(diff).filter(|copies| *copies >= 0);
        let after = after.expect("the change was checked");
        self.note_copies(edge, [before, after]);
        match (spot, after > 0) {
            (Some(spot), true) => {
                self.into.set_times(spot, after);
                None
            }
            (None, true) => {
                self.into.insert(edge.dst, edge.from().times(after));
                self.out.insert(edge.src, edge.to());
                self.len += 1;
                Some(Flip::EdgeCame(edge))
            }
            (Some(spot), false) => {
                self.into.remove(edge.dst, edge.from(), spot);
                if self.out.has_ends() {
                    let known = "both rows have the edge";
                    let spot = self.out.find(edge.src, edge.to()).expect(known);
                    self.out.remove(edge.src, edge.to(), spot);
                } else {
                    self.out.remove_one(edge.src);
                }
                self.len -= 1;
                Some(Flip::EdgeWent(edge))
            }
            (None, false) => None,
        }
    }

    /// Takes a change that was checked; gives what flips.
    pub(super) fn change_root(&mut self, change: &RootChange) -> Option<Flip> {
        let slot = self.vertices.hold(change.id);
        self.grow();
        let before = self.roots[slot as usize];
        let after = before.checked_add(change.diff).filter(|copies| *copies >= 0);
        let after = after.expect("the change was checked");
        self.roots[slot as usize] = after;
        match (before > 0, after > 0) {
            (false, true) => {
                self.n_roots += 1;
                Some(Flip::RootCame(slot))
            }
            (true, false) => {
                self.n_roots -= 1;
                Some(Flip::RootWent(slot))
            }
            _ => None,
        }
    }

    pub(super) fn grow(&mut self) {
        let n_slots = self.vertices.n_slots();
        if self.roots.len() < n_slots {
            self.roots.resize(n_slots, 0);
            self.out.grow(n_slots);
            self.into.grow(n_slots);
        }
    }

    /// Bytes that it takes.
    pub(super) fn state_bytes(&self) -> usize {
        let maps = self.copies.allocation_size() + self.weights.state_bytes();
        let lists = self.out.state_bytes() + self.into.state_bytes() + self.roots.capacity() * 8;
        self.vertices.state_bytes() + maps + lists
    }

    pub(super) fn save(&self, out: &mut SnapshotWriter<'_>) -> std::io::Result<()> {
        self.vertices.save(out)?;
        out.numbers("weights", self.weights.large().iter().copied())?;
        self.out.save(out)?;
        self.into.save(out)?;
        let copies = self.sorted_copies();
        out.numbers("copied", copies.iter().flat_map(|(edge, _)| [edge.src, edge.dst, edge.code]))?;
        out.numbers("copies", copies.iter().map(|(_, copies)| *copies))?;
        out.numbers("roots", self.roots.iter().copied())
    }

    fn sorted_copies(&self) -> Vec<(Edge, i64)> {
        let mut copies = Vec::with_capacity(self.copies.len());
        for (edge, n_copies) in &self.copies {
            copies.push((*edge, *n_copies));
        }
        copies.sort_unstable();
        copies
    }

    pub(super) fn load(keep: Keep, input: &mut SnapshotReader<'_>) -> Result<Self, LoadError> {
        let damaged = |section| Err(LoadError::Damaged { section });
        let vertices = Vertices::load(input)?;
        let n_slots = vertices.n_slots();
        let mut weights = Weights::default();
        for weight in input.numbers("weights")? {
            if weights.code(weight).is_some() || weight < 0 {
                return damaged("weights");
            }
            weights.give(weight);
        }
        let out = Lists::load(keep, input, n_slots)?;
        let into = Lists::load(Keep::Ends, input, n_slots)?;
        let slots = || 0..u32::try_from(n_slots).expect("slots have 32 bits");
        let count = |list: &Lists| slots().map(|slot| list.degree(slot)).sum::<usize>();
        let has_codes =
            |list: &Lists| slots().all(|slot| list.ends(slot).all(|end| weights.has(end.code())));
        let n_edges = count(&out);
        let is_held = |slot| vertices.is_held(slot) || out.degree(slot) + into.degree(slot) == 0;
        let is_whole = has_codes(&into) && (!out.has_ends() || has_codes(&out));
        if count(&into) != n_edges || !is_whole || !slots().all(is_held) {
            return damaged("ends");
        }
        let copied: Vec<u32> = input.numbers("copied")?;
        let n_copies: Vec<i64> = input.array("copies", copied.len() / 3)?;
        let roots: Vec<i64> = input.array("roots", n_slots)?;
        let n_roots = roots.iter().filter(|copies| **copies > 0).count();
        let new = Self::new(keep);
        let mut edges = Self { vertices, weights, out, into, len: n_edges, roots, n_roots, ..new };
        if !edges.are_alike() {
            return damaged("ends");
        }
        for (words, n_copies) in copied.chunks_exact(3).zip(n_copies) {
            let edge = Edge { src: words[0], dst: words[1], code: words[2] };
            let is_there = (edge.src.max(edge.dst) as usize) < n_slots;
            let spot = if is_there { edges.spot(edge) } else { None };
            let Some(spot) = spot.filter(|spot| !edges.into.is_many(*spot) && n_copies > 1) else {
                return damaged("copies");
            };
            edges.into.set_times(spot, n_copies);
            edges.note_copies(edge, [1, n_copies]);
        }
        Ok(edges)
    }

    /// Whether both lists have the same edges, if they have as many.
    fn are_alike(&self) -> bool {
        let slots = || 0..u32::try_from(self.vertices.n_slots()).expect("slots have 32 bits");
        let mut degrees = vec![0; self.vertices.n_slots()];
        for dst in slots() {
            for start in self.into.ends(dst) {
                degrees[start.vertex() as usize] += 1;
                let end = End::new(dst, start.code());
                if self.out.has_ends() && self.out.find(start.vertex(), end).is_none() {
                    return false;
                }
            }
        }
        slots().zip(degrees).all(|(slot, degree)| self.out.degree(slot) == degree)
    }
}

/// What looking for an edge takes, as so many operations: it waits for memory.
const CHECK_OPERATIONS: usize = 512;

/// Changes that are taken at a time: as many as the second cache has room for the lists of, and as
/// take some tens of microseconds.
pub(super) const TAKEN_AT_ONCE: usize = 256;

/// How many changes a stage of looking for them, or of taking them, is behind the one before: about
/// what memory takes to answer.
const STAGE: usize = 6;

pub(super) fn check_count(
    before: i64,
    diff: i64,
    what: [&'static str; 2],
    id: i64,
) -> Result<(), DeltaError> {
    match before.checked_add(diff) {
        Some(after) if after >= 0 => Ok(()),
        Some(_) => Err(DeltaError::NotThere { what: what[0], found: id }),
        None => Err(DeltaError::Range { what: what[1], wanted: "there fewer than 2^63 times" }),
    }
}
