//! Shortest ways from the roots, and with edges that count 1, what can be reached.
//!
//! An answer hangs in a tree: each vertex keeps the one that it was reached from. When edges go,
//! vertices that hung on them are looked at in the order of their distances; one that another
//! neighbour reaches as fast stays where it is, and only the others lose their answers, with all
//! that hangs on them (G. Ramalingam and T. Reps, *An Incremental Algorithm for a Generalization of
//! the Shortest-Path Problem*, 1996, where we depart in that edges of weight 0 are allowed: over
//! them no replacement is looked for, since it could hang on the vertex itself). Then these are
//! reached anew from what is left, together with what new edges bring nearer, by Dijkstra's
//! algorithm. Everything is whole, so nothing drifts.

use crate::pages::Pages;
use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};
use crate::vector::Ahead;

use super::dirty::Dirty;
use super::edges::{Edges, Flip, TAKEN_AT_ONCE};
use super::lists::Lists;
use super::meter::{Meter, SLICE};
use super::queue::Queue;
use super::vertices::NOBODY;

/// What an edge adds to a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lengths {
    /// 1.
    Hops,
    /// Its weight.
    Weights,
}

impl Lengths {
    #[inline]
    fn of(self, edges: &Edges, code: u32) -> u64 {
        match self {
            Self::Hops => 1,
            Self::Weights => edges.weights.length(code),
        }
    }
}

/// The distance of each vertex, and the vertex before it.
#[derive(Debug)]
pub(super) struct Paths {
    lengths: Lengths,
    distances: Pages<u64>,
    parents: Pages<u32>,
    queue: Queue,
    /// Those that lost their distance in this step.
    lost: Vec<u32>,
    /// Those that came into the queue of late.
    near: Vec<u32>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No step is under way.
    Rest,
    /// All distances go, from this slot on.
    Forget(usize),
    /// What hung on things that went, from this flip on.
    Cut(usize),
    /// Vertices without a hold, in the order of their distances; of one, its children from some on.
    Trim(Option<(u32, usize)>),
    /// Those that lost their distance are reached anew, from this one on.
    Seed(usize),
    /// What new edges and roots bring nearer, from this flip on.
    Join(usize),
    /// Distances spread; of a vertex, over its edges from some on.
    Relax(Option<(u32, usize)>),
}

/// No way leads there. All other distances are at most [`FAR`].
const NOWHERE: u64 = u64::MAX;

/// The longest way that counts.
const FAR: u64 = i64::MAX.unsigned_abs();

impl Paths {
    pub(super) fn new(lengths: Lengths) -> Self {
        Self {
            lengths,
            distances: Pages::default(),
            parents: Pages::default(),
            queue: Queue::default(),
            lost: Vec::new(),
            near: Vec::new(),
            stage: Stage::Rest,
        }
    }

    /// The distance of a vertex, if a way leads there.
    pub(super) fn answer(&self, slot: u32) -> Option<i64> {
        i64::try_from(self.distances[slot as usize]).ok()
    }

    pub(super) fn grow(&mut self, n_slots: usize) {
        if self.distances.len() < n_slots {
            self.distances.resize(n_slots, NOWHERE);
            self.parents.resize(n_slots, NOBODY);
        }
    }

    /// All distances are computed anew.
    pub(super) fn begin_pass(&mut self) {
        self.stage = Stage::Forget(0);
    }

    /// Distances follow what flipped.
    pub(super) fn begin_itmd(&mut self) {
        self.stage = Stage::Cut(0);
    }

    /// Goes on; true when the distances are those of the edges.
    pub(super) fn advance(
        &mut self,
        edges: &Edges,
        flips: &[Flip],
        dirty: &mut Dirty,
        meter: &mut Meter,
    ) -> bool {
        while !meter.is_out() {
            self.stage = match self.stage {
                Stage::Rest => return true,
                Stage::Forget(at) => self.forget(at, edges, meter),
                Stage::Cut(at) => self.cut(at, edges, flips, meter),
                Stage::Trim(open) => self.trim(open, edges, dirty, meter),
                Stage::Seed(at) => self.seed(at, edges, meter),
                Stage::Join(at) => self.join(at, (edges, flips), dirty, meter),
                Stage::Relax(open) => self.relax(open, edges, dirty, meter),
            };
        }
        self.stage == Stage::Rest
    }

    fn length(&self, edges: &Edges, code: u32) -> u64 {
        self.lengths.of(edges, code)
    }

    fn forget(&mut self, from: usize, edges: &Edges, meter: &mut Meter) -> Stage {
        let to = self.distances.len().min(from + SLICE);
        self.distances[from..to].fill(NOWHERE);
        self.parents[from..to].fill(NOBODY);
        if from == 0 {
            self.queue.restart();
        }
        for at in from..to {
            let slot = slot_at(at);
            if edges.is_root(slot) {
                self.distances[at] = 0;
                self.queue.push(0, slot);
            }
        }
        meter.spend(3 * (to - from));
        if to == self.distances.len() { Stage::Relax(None) } else { Stage::Forget(to) }
    }

    fn cut(&mut self, from: usize, edges: &Edges, flips: &[Flip], meter: &mut Meter) -> Stage {
        if from == 0 {
            self.queue.restart();
            self.lost.clear();
        }
        let to = flips.len().min(from + SLICE);
        let (distances, parents) = (&self.distances[..], &mut self.parents[..]);
        for flip in &flips[from..to] {
            let hanging = match *flip {
                Flip::EdgeWent(edge) if parents[edge.dst as usize] == edge.src => {
                    let way = distances[edge.src as usize] + self.lengths.of(edges, edge.code);
                    (way == distances[edge.dst as usize]).then_some(edge.dst)
                }
                Flip::RootWent(slot) if parents[slot as usize] == NOBODY => Some(slot),
                _ => None,
            };
            if let Some(slot) = hanging {
                parents[slot as usize] = NOBODY;
                self.queue.push(distances[slot as usize], slot);
                self.near.push(slot);
            }
        }
        self.fetch(&[&edges.into, &edges.out]);
        meter.spend(4 * (to - from));
        if to == flips.len() { Stage::Trim(None) } else { Stage::Cut(to) }
    }

    fn trim(
        &mut self,
        open: Option<(u32, usize)>,
        edges: &Edges,
        dirty: &mut Dirty,
        meter: &mut Meter,
    ) -> Stage {
        if let Some((slot, from)) = open {
            return Stage::Trim(self.drop_children((slot, from), edges, meter));
        }
        let Some((distance, slot)) = self.queue.pop() else {
            return Stage::Seed(0);
        };
        if edges.is_root(slot) {
            return Stage::Trim(None);
        }
        let (holder, n_seen) = self.holder(slot, distance, edges);
        meter.spend(4 + 2 * n_seen);
        if let Some(holder) = holder {
            self.parents[slot as usize] = holder;
            return Stage::Trim(None);
        }
        self.distances[slot as usize] = NOWHERE;
        self.lost.push(slot);
        dirty.mark(slot);
        Stage::Trim(Some((slot, 0)))
    }

    /// A neighbour that reaches the vertex at this distance, and cannot hang on it: it is nearer,
    /// and what is nearer has been looked at.
    fn holder(&self, slot: u32, distance: u64, edges: &Edges) -> (Option<u32>, usize) {
        let distances = &self.distances[..];
        for (n_seen, end) in edges.into.ends(slot).enumerate() {
            let before = distances[end.vertex() as usize];
            if before < distance && before + self.length(edges, end.code()) == distance {
                return (Some(end.vertex()), n_seen);
            }
        }
        (None, edges.into.degree(slot))
    }

    fn drop_children(
        &mut self,
        (slot, from): (u32, usize),
        edges: &Edges,
        meter: &mut Meter,
    ) -> Option<(u32, usize)> {
        let (parents, distances) = (&mut self.parents[..], &self.distances[..]);
        let queue = &mut self.queue;
        let next = edges.out.each_part(slot, from, |end| {
            let child = end.vertex() as usize;
            if parents[child] == slot {
                parents[child] = NOBODY;
                queue.push(distances[child], end.vertex());
            }
        });
        meter.spend(2 * edges.out.part_words(slot, from));
        next.map(|next| (slot, next))
    }

    fn seed(&mut self, from: usize, edges: &Edges, meter: &mut Meter) -> Stage {
        if from == 0 {
            self.queue.restart();
        }
        let Some(slot) = self.lost.get(from).copied() else {
            return Stage::Join(0);
        };
        let (mut best, mut holder) = (NOWHERE, NOBODY);
        let distances = &self.distances[..];
        edges.into.each(slot, |end| {
            let before = distances[end.vertex() as usize];
            if before != NOWHERE {
                let way = before + self.length(edges, end.code());
                if way < best && way <= FAR {
                    (best, holder) = (way, end.vertex());
                }
            }
        });
        if holder != NOBODY {
            self.distances[slot as usize] = best;
            self.parents[slot as usize] = holder;
            self.queue.push(best, slot);
        }
        meter.spend(4 + 2 * edges.into.degree(slot));
        Stage::Seed(from + 1)
    }

    fn join(
        &mut self,
        from: usize,
        (edges, flips): (&Edges, &[Flip]),
        dirty: &mut Dirty,
        meter: &mut Meter,
    ) -> Stage {
        let to = flips.len().min(from + SLICE);
        for flip in &flips[from..to] {
            match *flip {
                Flip::EdgeCame(edge) => {
                    let before = self.distances[edge.src as usize];
                    if before != NOWHERE {
                        let way = before + self.length(edges, edge.code);
                        self.come(edge.dst, (way, edge.src), dirty);
                    }
                }
                Flip::RootCame(slot) => self.come(slot, (0, NOBODY), dirty),
                Flip::EdgeWent(_) | Flip::RootWent(_) => {}
            }
        }
        self.fetch(&[&edges.out]);
        meter.spend(4 * (to - from));
        if to == flips.len() { Stage::Relax(None) } else { Stage::Join(to) }
    }

    /// A way leads to the vertex; it may be a shorter one.
    fn come(&mut self, slot: u32, (way, from): (u64, u32), dirty: &mut Dirty) {
        if way < self.distances[slot as usize] && way <= FAR {
            self.distances[slot as usize] = way;
            self.parents[slot as usize] = from;
            self.queue.push(way, slot);
            self.near.push(slot);
            dirty.mark(slot);
        }
    }

    /// Asks for the rows that will be looked at one after another.
    fn fetch(&mut self, lists: &[&Lists]) {
        let ahead = Ahead::new();
        for near in self.near.chunks(TAKEN_AT_ONCE) {
            for list in lists {
                for slot in near {
                    list.fetch_row(ahead, *slot);
                }
            }
            for list in lists {
                for slot in near {
                    list.fetch_first(ahead, *slot);
                }
            }
        }
        self.near.clear();
    }

    fn relax(
        &mut self,
        open: Option<(u32, usize)>,
        edges: &Edges,
        dirty: &mut Dirty,
        meter: &mut Meter,
    ) -> Stage {
        let (mut open, ahead) = (open, Ahead::new());
        while !meter.is_out() {
            let (slot, from) = match open.take() {
                Some(open) => open,
                None => match self.queue.pop() {
                    Some((way, slot)) if way == self.distances[slot as usize] => (slot, 0),
                    Some(_) => continue,
                    None => return Stage::Rest,
                },
            };
            if let Some(next) = self.queue.peek() {
                edges.out.fetch_first(ahead, next);
            }
            let (parents, distances) = (&mut self.parents[..], &mut self.distances[..]);
            let (way, lengths, queue) = (distances[slot as usize], self.lengths, &mut self.queue);
            let next = edges.out.each_part(slot, from, |end| {
                let child = end.vertex() as usize;
                let there = way + lengths.of(edges, end.code());
                if there < distances[child] && there <= FAR {
                    distances[child] = there;
                    parents[child] = slot;
                    queue.push(there, end.vertex());
                    edges.out.fetch_row(ahead, end.vertex());
                    if !dirty.is_all {
                        dirty.mark(end.vertex());
                    }
                }
            });
            meter.spend(4 + 2 * edges.out.part_words(slot, from));
            open = next.map(|next| (slot, next));
        }
        Stage::Relax(open)
    }

    /// Bytes that it takes.
    pub(super) fn state_bytes(&self) -> usize {
        let lists = self.distances.state_bytes() + self.parents.state_bytes();
        lists + self.queue.state_bytes() + (self.lost.capacity() + self.near.capacity()) * 4
    }

    pub(super) fn save(&self, out: &mut SnapshotWriter<'_>) -> std::io::Result<()> {
        out.numbers("distances", self.distances.iter().copied())?;
        out.numbers("parents", self.parents.iter().copied())
    }

    pub(super) fn load(
        lengths: Lengths,
        input: &mut SnapshotReader<'_>,
        n_slots: usize,
    ) -> Result<Self, LoadError> {
        let distances: Vec<u64> = input.array("distances", n_slots)?;
        let parents: Vec<u32> = input.array("parents", n_slots)?;
        if !distances.iter().all(|way| *way <= FAR || *way == NOWHERE) {
            return Err(LoadError::Damaged { section: "distances" });
        }
        if !parents.iter().all(|slot| *slot == NOBODY || (*slot as usize) < n_slots) {
            return Err(LoadError::Damaged { section: "parents" });
        }
        let (distances, parents) = (Pages::from(&distances[..]), Pages::from(&parents[..]));
        Ok(Self { distances, parents, ..Self::new(lengths) })
    }
}

fn slot_at(at: usize) -> u32 {
    u32::try_from(at).expect("slots have 32 bits")
}
