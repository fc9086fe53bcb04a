//! The edges and roots that are there, and which of them a change brings or takes.

use std::hint::black_box;
use std::ops::Range;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::kernel::DeltaError;
use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};
use crate::threads::share_work;

use super::end::End;
use super::index::{Found, Index, OPENED_AT_ONCE, Places, hash};
use super::lists::{Keep, Lists};
use super::meter::Meter;
use super::rows::{EdgeChange, EdgeColumns, RootChange};
use super::vertices::Vertices;
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
    fn hash(self) -> u64 {
        hash([self.src, self.dst, self.code])
    }

    /// As its start knows it.
    pub(super) fn to(self) -> End {
        End::new(self.dst, self.code)
    }

    /// As its end knows it.
    pub(super) fn from(self) -> End {
        End::new(self.src, self.code)
    }
}

/// Where an edge stands from now on in the row of its end, or no edge does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moved {
    pub(super) dst: u32,
    pub(super) place: u32,
    pub(super) src: Option<u32>,
}

/// An index that is being filled.
#[derive(Debug)]
struct Fresh {
    index: Index,
    is_open: bool,
    /// Up to which vertex it has been filled.
    filled_to: usize,
    /// How many ends of each start it has, where the index before has nothing.
    n_out: Vec<u32>,
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
    /// Where edges stand in both lists.
    index: Index,
    /// Whether the index has nothing of what is there: it is filled when it is needed. The rows of
    /// starts have their ends in the order in which those of ends have them then.
    is_stale: bool,
    fresh: Option<Fresh>,
    /// What moved in rows of ends that are swept, until it is taken.
    pub(super) moved: Vec<Moved>,
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
            index: Index::new(0),
            is_stale: false,
            fresh: None,
            moved: Vec::new(),
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

    /// Whether the index is to be filled before single edges are looked for.
    pub(super) fn is_stale(&self) -> bool {
        self.is_stale
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

    /// Whether the changes, of different edges, can be taken. The index is not stale.
    pub(super) fn check_edges(&self, changes: &EdgeColumns) -> Result<(), DeltaError> {
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
        // Of several faults the first.
        checked.into_iter().collect()
    }

    fn check_some(&self, changes: &EdgeColumns, some: &[usize]) -> Result<(), DeltaError> {
        let edges: Vec<Option<Edge>> = some.iter().map(|at| self.edge(&changes.at(*at))).collect();
        let known: Vec<Edge> = edges.iter().flatten().copied().collect();
        self.touch(&known);
        for (at, edge) in some.iter().zip(edges) {
            let n_copies = edge.map_or(0, |edge| self.copies(edge, self.place_into(edge)));
            let change = changes.at(*at);
            check_count(n_copies, change.diff, ["edge from", "edge"], change.src)?;
        }
        Ok(())
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

    /// The index' entry of an edge that is there. Entries that look alike, and whose places are not
    /// kept, are as good as each other.
    fn find(&self, edge: Edge) -> Option<Found> {
        self.index.find(edge.hash(), |found| {
            let is_out = match found.places[0] {
                Some(place) => self.out.is_at(edge.src, place, edge.to()),
                None => self.out.place_of(edge.src, edge.to()).is_some(),
            };
            self.is_into(edge, found) && (is_out || !self.out.has_ends())
        })
    }

    /// Where an edge stands in the row of its end.
    fn place_into(&self, edge: Edge) -> Option<u32> {
        let found = self.index.find(edge.hash(), |found| self.is_into(edge, found))?;
        found.places[1].or_else(|| self.into.place_of(edge.dst, edge.from()))
    }

    fn is_into(&self, edge: Edge, found: Found) -> bool {
        match found.places[1] {
            Some(place) => self.into.is_at(edge.dst, place, edge.from()),
            None => self.into.place_of(edge.dst, edge.from()).is_some(),
        }
    }

    /// Whether the change can be taken.
    pub(super) fn check_root(&self, change: &RootChange) -> Result<(), DeltaError> {
        let slot = self.vertices.slot(change.id);
        let n_copies = slot.map_or(0, |slot| self.roots[slot as usize]);
        check_count(n_copies, change.diff, ["root", "root"], change.id)
    }

    /// How often an edge lies there that stands at this place in the row of its end.
    fn copies(&self, edge: Edge, into: Option<u32>) -> i64 {
        let end = into.map(|into| self.into.row(edge.dst)[into as usize]);
        end.map_or(0, |end| self.times(edge, end))
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
    /// flips.
    pub(super) fn change_edges(
        &mut self,
        changes: &EdgeColumns,
        places: Range<usize>,
        flips: &mut Vec<Flip>,
    ) {
        let mut edges = [Edge::default(); TAKEN_AT_ONCE];
        for (edge, at) in edges.iter_mut().zip(places.clone()) {
            let change = changes.at(at);
            *edge = self.hold(&change);
        }
        self.grow();
        let edges = &edges[..places.len()];
        let diffs = &changes.diff[places];
        self.touch(edges);
        for (edge, diff) in edges.iter().zip(diffs) {
            flips.extend(self.change_edge(*edge, *diff));
        }
    }

    /// Reads what changes of these edges will read, in loops that are so short that memory answers
    /// many reads at a time, and not one after another.
    fn touch(&self, edges: &[Edge]) {
        let mut hashes = [0; TAKEN_AT_ONCE];
        hashes.iter_mut().zip(edges).for_each(|(hash, edge)| *hash = edge.hash());
        let hashes = &hashes[..edges.len()];
        black_box(self.index.touch(hashes));
        black_box(self.out.touch_rows(edges.iter().map(|edge| edge.src)));
        black_box(self.into.touch_rows(edges.iter().map(|edge| edge.dst)));
        let (mut outs, mut intos) = ([0; TAKEN_AT_ONCE], [0; TAKEN_AT_ONCE]);
        for (at, (edge, hash)) in edges.iter().zip(hashes).enumerate() {
            let [out, into] = self.index.guess(*hash);
            outs[at] = self.out.word(edge.src, out);
            intos[at] = self.into.word(edge.dst, into);
        }
        black_box(self.out.touch_words(&outs[..edges.len()]));
        black_box(self.into.touch_words(&intos[..edges.len()]));
    }

    fn change_edge(&mut self, edge: Edge, diff: i64) -> Option<Flip> {
        let found = self.find(edge);
        let places = found.map(|found| self.places(edge, found));
        let before = self.copies(edge, places.map(|places| places.into));
        let after = before.checked_add(diff).filter(|copies| *copies >= 0);
        let after = after.expect("the change was checked");
        self.note_copies(edge, [before, after]);
        match (found.zip(places), after > 0) {
            (Some((_, places)), true) => {
                self.into.set_times(edge.dst, places.into, after);
                None
            }
            (None, true) => {
                let out = self.out.insert(edge.src, edge.to());
                let into = self.into.insert(edge.dst, edge.from().times(after));
                self.index.insert(edge.hash(), Places { out, into });
                self.note(edge, into, Some(edge.src));
                self.len += 1;
                Some(Flip::EdgeCame(edge))
            }
            (Some((found, places)), false) => {
                self.out.remove(edge.src, places.out);
                self.into.remove(edge.dst, places.into);
                self.index.remove(found);
                self.note(edge, places.into, None);
                self.len -= 1;
                Some(Flip::EdgeWent(edge))
            }
            (None, false) => None,
        }
    }

    /// Where an edge stands that was found.
    fn places(&self, edge: Edge, found: Found) -> Places {
        let known = "both rows have what the index has";
        let out = match found.places[0] {
            _ if !self.out.has_ends() => 0,
            Some(place) => place,
            None => self.out.place_of(edge.src, edge.to()).expect(known),
        };
        let into = match found.places[1] {
            Some(place) => place,
            None => self.into.place_of(edge.dst, edge.from()).expect(known),
        };
        Places { out, into }
    }

    fn note(&mut self, edge: Edge, place: u32, src: Option<u32>) {
        if !self.out.has_ends() {
            self.moved.push(Moved { dst: edge.dst, place, src });
        }
    }

    /// Makes the index large enough for so many more edges; true when that is done.
    pub(super) fn make_room(&mut self, n_coming: usize, meter: &mut Meter) -> bool {
        let has_room = !self.is_stale && self.index.has_room(self.len + n_coming);
        if self.fresh.is_none() && has_room {
            return true;
        }
        let mut fresh = self.fresh.take().unwrap_or_else(|| Fresh {
            index: Index::closed(self.len + n_coming),
            is_open: false,
            filled_to: 0,
            n_out: if self.is_stale { vec![0; self.vertices.n_slots()] } else { Vec::new() },
        });
        while !fresh.is_open && !meter.is_out() {
            fresh.is_open = fresh.index.open();
            meter.spend(8 * OPENED_AT_ONCE);
        }
        while fresh.filled_to < self.vertices.n_slots() && !meter.is_out() {
            let dst = u32::try_from(fresh.filled_to).expect("slots have 32 bits");
            self.fill_row(dst, &mut fresh);
            meter.spend(1 + FILL_WORK * self.into.degree(dst));
            fresh.filled_to += 1;
        }
        if fresh.filled_to < self.vertices.n_slots() || !fresh.is_open {
            self.fresh = Some(fresh);
            return false;
        }
        self.index = fresh.index;
        self.is_stale = false;
        true
    }

    /// Fills an index with the edges that end at a vertex, some at a time, so that memory answers
    /// many reads together.
    fn fill_row(&self, dst: u32, fresh: &mut Fresh) {
        let (mut hashes, mut edges) = ([0; TAKEN_AT_ONCE], [(Edge::default(), 0); TAKEN_AT_ONCE]);
        let mut row = (0..).zip(self.into.row(dst)).filter(|(_, end)| !end.is_hole());
        loop {
            let mut n = 0;
            for (into, start) in row.by_ref().take(TAKEN_AT_ONCE) {
                edges[n] = (Edge { src: start.vertex(), dst, code: start.code() }, into);
                hashes[n] = edges[n].0.hash();
                n += 1;
            }
            if n == 0 {
                return;
            }
            black_box(fresh.index.touch(&hashes[..n]));
            if fresh.n_out.is_empty() {
                black_box(self.index.touch(&hashes[..n]));
            }
            for ((edge, into), hash) in edges.into_iter().zip(hashes).take(n) {
                let places = if let Some(n_out) = fresh.n_out.get_mut(edge.src as usize) {
                    // Rows of starts have their ends in this order.
                    *n_out += 1;
                    Places { out: *n_out - 1, into }
                } else {
                    let found = self.find(edge).expect("the index has all edges");
                    self.places(edge, found)
                };
                fresh.index.insert(hash, places);
            }
        }
    }

    /// Work to make room for so many changes, about, beside taking them.
    pub(super) fn room_work(&self, n_changes: usize) -> usize {
        let is_full = self.is_stale || !self.index.has_room(self.len + n_changes);
        if is_full { self.vertices.n_slots() + 2 * FILL_WORK * self.len } else { 0 }
    }

    /// The index has nothing of what is there.
    pub(super) fn forget_places(&mut self) {
        (self.index, self.fresh, self.is_stale) = (Index::new(0), None, true);
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

    /// Lays rows out anew if about as many edges come as there are.
    pub(super) fn lay_out(&mut self, changes: &EdgeColumns) {
        let coming = (0..changes.src.len()).filter(|at| changes.diff[*at] > 0);
        if changes.src.len() < 1024 || coming.clone().count() < self.len / 2 {
            return;
        }
        let (mut out, mut into) = (Vec::new(), Vec::new());
        for at in coming {
            let ends = [(&mut out, changes.src[at]), (&mut into, changes.dst[at])];
            for (more, id) in ends {
                let slot = self.vertices.hold(id) as usize;
                if more.len() <= slot {
                    more.resize(slot + 1, 0);
                }
                more[slot] += 1;
            }
        }
        self.out.make_room(&out);
        self.into.make_room(&into);
        self.grow();
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
        let maps = maps + self.index.state_bytes();
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
        let has_times = |list: &Lists| {
            list.has_ends().then(|| {
                slots()
                    .map(|slot| list.ends(slot).filter(|end| end.is_many()).count())
                    .sum::<usize>()
            })
        };
        let is_whole = has_codes(&into)
            && (!out.has_ends() || has_codes(&out))
            && has_times(&out).unwrap_or(0) == 0;
        if count(&into) != n_edges || !is_whole || !slots().all(is_held) {
            return damaged("ends");
        }
        let copied: Vec<u32> = input.numbers("copied")?;
        let n_copies: Vec<i64> = input.array("copies", copied.len() / 3)?;
        if has_times(&into) != Some(n_copies.len()) {
            return damaged("copies");
        }
        let roots: Vec<i64> = input.array("roots", n_slots)?;
        let n_roots = roots.iter().filter(|copies| **copies > 0).count();
        let new = Self::new(keep);
        let mut edges = Self { vertices, weights, out, into, len: n_edges, roots, n_roots, ..new };
        if !edges.find_places() {
            return damaged("ends");
        }
        for (words, n_copies) in copied.chunks_exact(3).zip(n_copies) {
            let edge = Edge { src: words[0], dst: words[1], code: words[2] };
            let is_edge = (edge.src.max(edge.dst) as usize) < n_slots && edges.has(edge);
            if !is_edge || n_copies < 2 {
                return damaged("copies");
            }
            edges.note_copies(edge, [1, n_copies]);
        }
        Ok(edges)
    }

    /// Whether an edge is there more than once, of which it is not known how often.
    fn has(&self, edge: Edge) -> bool {
        let place = self.place_into(edge);
        let is_many = |place: u32| self.into.row(edge.dst)[place as usize].is_many();
        !self.copies.contains_key(&edge) && place.is_some_and(is_many)
    }

    /// Fills the index; false if the lists do not have the same edges.
    fn find_places(&mut self) -> bool {
        self.index = Index::new(self.len);
        let slots = || 0..u32::try_from(self.vertices.n_slots()).expect("slots have 32 bits");
        for dst in slots() {
            for (into, start) in (0..).zip(self.into.row(dst)).filter(|(_, end)| !end.is_hole()) {
                let edge = Edge { src: start.vertex(), dst, code: start.code() };
                // As one whose place outward is not kept, until it is known.
                let out = if self.out.has_ends() { u32::MAX } else { 0 };
                self.index.insert(edge.hash(), Places { out, into });
            }
        }
        for src in slots().filter(|_| self.out.has_ends()) {
            for (out, end) in (0..).zip(self.out.row(src)).filter(|(_, end)| !end.is_hole()) {
                let edge = Edge { src, dst: end.vertex(), code: end.code() };
                let is_new = |found: Found| found.places[0].is_none() && self.is_into(edge, found);
                let Some(found) = self.index.find(edge.hash(), is_new) else { return false };
                self.index.place_out(found, out);
            }
        }
        true
    }
}

/// Work to put an edge into the index.
const FILL_WORK: usize = 16;

/// What looking for an edge takes, as so many operations: it waits for memory.
const CHECK_OPERATIONS: usize = 512;

/// Changes that are taken at a time: as many as the nearest cache has room for the lists of.
pub(super) const TAKEN_AT_ONCE: usize = 64;

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
