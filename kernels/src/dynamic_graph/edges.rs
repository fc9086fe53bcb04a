//! The edges and roots that are there, and which of them a change brings or takes.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::kernel::DeltaError;
use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};

use super::adjacency::{Adjacency, End};
use super::rows::{EdgeChange, RootChange};
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Edge {
    pub(super) src: u32,
    pub(super) dst: u32,
    pub(super) code: u32,
}

/// A multiset of edges and one of roots.
#[derive(Debug, Default)]
pub(super) struct Edges {
    pub(super) vertices: Vertices,
    pub(super) weights: Weights,
    /// Ends of the edges that start at a vertex.
    pub(super) out: Adjacency,
    /// Starts of the edges that end at it.
    pub(super) into: Adjacency,
    len: usize,
    /// How often edges lie there that do so more than once. Nothing iterates it but what saves it,
    /// which sorts.
    copies: HashMap<Edge, i64, FixedState>,
    /// How often each vertex is a root.
    roots: Vec<i64>,
    n_roots: usize,
}

impl Edges {
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

    /// Whether an edge of any weight leads from the one to the other; looks at the shorter list.
    pub(super) fn leads(&self, src: u32, dst: u32) -> bool {
        if self.out.degree(src) <= self.into.degree(dst) {
            self.out.ends(src).iter().any(|end| end.vertex() == dst)
        } else {
            self.into.ends(dst).iter().any(|end| end.vertex() == src)
        }
    }

    /// Reads where the lists of these changes begin and end, without a branch that depends on what
    /// is read, so that memory answers all of them at a time and not one after another.
    pub(super) fn touch(&self, changes: &[EdgeChange]) {
        let sum = changes.iter().fold(0, |sum: u64, change| {
            let out = self.vertices.slot(change.src).map_or(0, |slot| self.out.touch(slot));
            let into = self.vertices.slot(change.dst).map_or(0, |slot| self.into.touch(slot));
            sum.wrapping_add(out).wrapping_add(into)
        });
        std::hint::black_box(sum);
    }

    /// Whether the change can be taken.
    pub(super) fn check_edge(&self, change: &EdgeChange) -> Result<(), DeltaError> {
        if self.copies.is_empty() && (1..i64::MAX).contains(&change.diff) {
            // At most one is there: no need to look.
            return Ok(());
        }
        let slot = |id| self.vertices.slot(id);
        let edge = slot(change.src).zip(slot(change.dst)).zip(self.weights.code(change.weight));
        let n_copies = edge.map_or(0, |((src, dst), code)| self.copies(Edge { src, dst, code }));
        check_count(n_copies, change.diff, ["edge from", "edge"], change.src)
    }

    /// As [`Self::check_edge`].
    pub(super) fn check_root(&self, change: &RootChange) -> Result<(), DeltaError> {
        let slot = self.vertices.slot(change.id);
        let n_copies = slot.map_or(0, |slot| self.roots[slot as usize]);
        check_count(n_copies, change.diff, ["root", "root"], change.id)
    }

    /// How many edges of each vertex lead to its own slot or one before.
    pub(super) fn backward(&self) -> Vec<u32> {
        let slots = 0..u32::try_from(self.vertices.n_slots()).expect("slots have 32 bits");
        let count =
            |slot| self.out.ends(slot).iter().map(|end| u32::from(end.vertex() <= slot)).sum();
        slots.map(count).collect()
    }

    fn copies(&self, edge: Edge) -> i64 {
        let is_short = self.out.degree(edge.src) <= self.into.degree(edge.dst);
        let is_there = if is_short {
            self.out.has(edge.src, End::new(edge.dst, edge.code))
        } else {
            self.into.has(edge.dst, End::new(edge.src, edge.code))
        };
        let more = || if self.copies.is_empty() { None } else { self.copies.get(&edge).copied() };
        if is_there { more().unwrap_or(1) } else { 0 }
    }

    /// Takes a change that was checked; gives what flips.
    pub(super) fn change_edge(&mut self, change: &EdgeChange) -> Option<Flip> {
        let (src, dst) = (self.vertices.hold(change.src), self.vertices.hold(change.dst));
        self.grow();
        let edge = Edge { src, dst, code: self.weights.give(change.weight) };
        let (end, start) = (End::new(dst, edge.code), End::new(src, edge.code));
        if change.diff == -1 && self.copies.is_empty() {
            // What most changes are: no need to look first.
            let is_gone = self.out.remove(src, end) && self.into.remove(dst, start);
            assert!(is_gone, "an edge from {} is there when it is taken back", change.src);
            self.len -= 1;
            return Some(Flip::EdgeWent(edge));
        }
        let before = self.copies(edge);
        let after = before.checked_add(change.diff).filter(|copies| *copies >= 0);
        let after = after.expect("the change was checked");
        if after > 1 {
            self.copies.insert(edge, after);
        } else if before > 1 {
            self.copies.remove(&edge);
        }
        match (before > 0, after > 0) {
            (false, true) => {
                self.out.insert(src, end);
                self.into.insert(dst, start);
                self.len += 1;
                Some(Flip::EdgeCame(edge))
            }
            (true, false) => {
                let is_gone = self.out.remove(src, end) && self.into.remove(dst, start);
                assert!(is_gone, "both lists have the edge from {}", change.src);
                self.len -= 1;
                Some(Flip::EdgeWent(edge))
            }
            _ => None,
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

    /// Lays the edges out anew if about as many would come as there are.
    pub(super) fn make_room(&mut self, changes: &[EdgeChange]) {
        let coming = changes.iter().filter(|change| change.diff > 0);
        if changes.len() < 1024 || coming.clone().count() < self.len / 2 {
            return;
        }
        let (mut out, mut into) = (Vec::new(), Vec::new());
        for change in coming {
            let ends = [(&mut out, change.src), (&mut into, change.dst)];
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

    fn grow(&mut self) {
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

    pub(super) fn load(input: &mut SnapshotReader<'_>) -> Result<Self, LoadError> {
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
        let out = Adjacency::load(input, n_slots)?;
        let into = Adjacency::load(input, n_slots)?;
        let slots = || 0..u32::try_from(n_slots).expect("slots have 32 bits");
        let count = |list: &Adjacency| slots().map(|slot| list.degree(slot)).sum::<usize>();
        let has_codes = slots().all(|slot| out.ends(slot).iter().all(|it| weights.has(it.code())));
        let n_edges = count(&out);
        let is_held = |slot| vertices.is_held(slot) || out.degree(slot) + into.degree(slot) == 0;
        if count(&into) != n_edges || !has_codes || !slots().all(is_held) {
            return damaged("ends");
        }
        let copied: Vec<u32> = input.numbers("copied")?;
        let n_copies: Vec<i64> = input.array("copies", copied.len() / 3)?;
        let roots: Vec<i64> = input.array("roots", n_slots)?;
        let n_roots = roots.iter().filter(|copies| **copies > 0).count();
        let mut edges =
            Self { vertices, weights, out, into, len: n_edges, roots, n_roots, ..Self::default() };
        for (words, n_copies) in copied.chunks_exact(3).zip(n_copies) {
            let edge = Edge { src: words[0], dst: words[1], code: words[2] };
            let is_edge = (edge.src.max(edge.dst) as usize) < n_slots && edges.copies(edge) == 1;
            if !is_edge || n_copies < 2 {
                return damaged("copies");
            }
            edges.copies.insert(edge, n_copies);
        }
        Ok(edges)
    }
}

fn check_count(before: i64, diff: i64, what: [&'static str; 2], id: i64) -> Result<(), DeltaError> {
    match before.checked_add(diff) {
        Some(after) if after >= 0 => Ok(()),
        Some(_) => Err(DeltaError::NotThere { what: what[0], found: id }),
        None => Err(DeltaError::Range { what: what[1], wanted: "there fewer than 2^63 times" }),
    }
}
