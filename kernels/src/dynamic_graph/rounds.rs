//! Which vertices are swept at once: each from what the others handed on before their round, so
//! that threads may share them, and from what earlier rounds hand on already. Where rounds and
//! their parts end hangs on the graph alone, and not on who sweeps it.
//!
//! Of a large graph a round is a sixteenth: then a sweep takes off nearly as much as one in which
//! each vertex sees all before it. Small graphs, and vertices that came since rounds were made, are
//! swept one by one.

use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};

use super::edges::Edges;

/// Rounds over slots, from the first on.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// Where each part ends, [`PARTS`] to a round.
    ends: Vec<u32>,
    /// Where the round of each slot ends.
    round_ends: Vec<u32>,
    /// How many edges there were when they were made.
    n_edges: u64,
}

/// Parts of a round: more than there are threads, since some have longer rows than others.
const PARTS: usize = 8;

/// Rounds at least.
const ROUNDS: u64 = 16;

/// Work of a part at least, and at most: a round is some 10 us, and some 600.
const PART_WORK: [u64; 2] = [1 << 11, 1 << 17];

/// Work of a sweep from which on there are rounds: some 80 us.
const SWEEP_WORK_MIN: u64 = 1 << 17;

impl Rounds {
    /// Whether the graph is no longer of the size that they were made for.
    pub(super) fn are_stale(&self, edges: &Edges) -> bool {
        let n_edges = edges.len() as u64;
        let is_near = self.n_edges / 2 <= n_edges && n_edges <= 2 * self.n_edges;
        !is_near && (!self.ends.is_empty() || SWEEP_WORK_MIN <= sweep_work(edges))
    }

    /// Rounds of this graph. Cost: O(vertices).
    pub(super) fn of(edges: &Edges) -> Self {
        let mut rounds = Self { n_edges: edges.len() as u64, ..Self::default() };
        let whole = sweep_work(edges);
        if whole < SWEEP_WORK_MIN {
            return rounds;
        }
        let [least, most] = PART_WORK;
        let wanted = (whole / (ROUNDS * PARTS as u64)).clamp(least, most);
        let (mut work, n_slots) = (0, slot_at(edges.vertices.n_slots()));
        for slot in 0..n_slots {
            work += slot_work(edges.into.degree(slot));
            if wanted <= work || slot + 1 == n_slots {
                rounds.ends.push(slot + 1);
                work = 0;
            }
        }
        rounds.find_round_ends();
        rounds
    }

    fn find_round_ends(&mut self) {
        self.round_ends.clear();
        for parts in self.ends.chunks(PARTS) {
            let end = parts[parts.len() - 1];
            self.round_ends.resize(end as usize, end);
        }
    }

    /// Where the round of a vertex ends: those before there do not see what it hands on anew.
    pub(super) fn end(&self, slot: u32) -> u32 {
        self.round_ends.get(slot as usize).copied().unwrap_or(slot + 1)
    }

    /// Where the parts of a round end that begins there; none where vertices are swept one by one.
    pub(super) fn parts(&self, from: usize) -> &[u32] {
        let at = self.ends.partition_point(|end| *end as usize <= from);
        &self.ends[at..self.ends.len().min(at + PARTS)]
    }

    /// How many edges of each vertex lead to those before the end of its round. Cost: O(edges).
    pub(super) fn backward(&self, edges: &Edges) -> Vec<u32> {
        let mut backward = vec![0; edges.vertices.n_slots()];
        (0..slot_at(backward.len())).for_each(|slot| self.count_into(slot, edges, &mut backward));
        backward
    }

    /// Adds those that lead to this vertex.
    pub(super) fn count_into(&self, slot: u32, edges: &Edges, backward: &mut [u32]) {
        edges.into.each(slot, |start| {
            let start = start.vertex();
            backward[start as usize] += u32::from(slot < self.end(start));
        });
    }

    /// Bytes that it takes.
    pub(super) fn state_bytes(&self) -> usize {
        (self.ends.capacity() + self.round_ends.capacity()) * 4
    }

    pub(super) fn save(&self, out: &mut SnapshotWriter<'_>) -> std::io::Result<()> {
        out.numbers("rounds", self.ends.iter().copied())?;
        out.number("round_edges", self.n_edges)
    }

    pub(super) fn load(input: &mut SnapshotReader<'_>, n_slots: usize) -> Result<Self, LoadError> {
        let ends: Vec<u32> = input.numbers("rounds")?;
        let is_in = ends.last().is_none_or(|end| *end as usize <= n_slots);
        if !is_in || !ends.is_sorted_by(|one, other| one < other) || ends.first() == Some(&0) {
            return Err(LoadError::Damaged { section: "rounds" });
        }
        let mut rounds = Self { ends, n_edges: input.number("round_edges")?, ..Self::default() };
        rounds.find_round_ends();
        Ok(rounds)
    }
}

/// What sweeping all vertices is.
pub(super) fn sweep_work(edges: &Edges) -> u64 {
    (4 * edges.vertices.n_slots() + 2 * edges.len()) as u64
}

/// What sweeping a vertex with a row so long is.
pub(super) fn slot_work(n_starts: usize) -> u64 {
    4 + 2 * n_starts as u64
}

fn slot_at(at: usize) -> u32 {
    u32::try_from(at).expect("slots have 32 bits")
}
