//! The nodes that a traversal knows of, each settled with its best value, the best ones first.
//!
//! Where no edge makes a value better, and a better value never comes to a worse one, nodes can be
//! settled in the order of their values, and among equal ones of the edges that these came along: a
//! node's value hangs on such only as are settled before it, so it is gone along its edges once,
//! where rounds go along them with each value that it has on the way (Dijkstra 1959). A change goes
//! through the nodes in the same order: one whose value has lost its last derivation takes the next
//! one only when the turn of that comes, and by then whatever hung on itself is gone
//! (Ramalingam and Reps 1996). Candidates come and go at once; what waits for its turn is to look
//! at a node whose first candidate has become another.
//!
//! **Invariant:** between epochs a node's candidates are its seeds, in round 0, and what the
//! settled values of other nodes come to along edges, each of the round after; and it is settled
//! with the first of them. What does not fit is told by [`Unfit`], and then all there is can be
//! handed over to be gone through by rounds.

use std::hint::black_box;

use crate::packed::Packed;

use super::candidates::{Candidates, Rank};
use super::nodes::{AHEAD, Nodes, Place, UNTOUCHED};
use super::queue::Queue;
use super::relax::{Diffs, Edge, Pair, Relax, TOGETHER, Valued, Way};
use super::{Changes, Limits, Outcome};

/// Pairs that are looked at together: what they lead to is near, and stays so until it is changed.
const NEAR: usize = 1024;

/// What is known of a node.
#[derive(Debug, Default)]
struct Known {
    candidates: Candidates,
    /// The one with which it is settled, and which has gone along its edges.
    settled: Option<Rank>,
}

/// A node as it was before the epoch.
#[derive(Debug)]
struct Touched {
    at: Place,
    was: Option<u64>,
}

/// A value that comes to a node's edges, or goes from there.
#[derive(Debug, Clone, Copy)]
struct Leaving {
    from: Place,
    rank: Rank,
    n: i64,
}

/// Nodes cannot be settled in order: an edge makes a value better, a value is derived less than not
/// at all, a row fails, or rounds may not be enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unfit;

/// What a graph leaves that is given up.
#[derive(Debug)]
pub(super) struct Remains<K> {
    /// The rows that were there before the epoch.
    pub(super) rows: Vec<Valued<K>>,
    /// All that it is made of, the epoch's changes included.
    pub(super) all: Changes<Valued<K>, Edge<K>>,
}

/// The graph, with the best value of each node in it.
#[derive(Debug)]
pub(super) struct OrderedGraph<K: Packed> {
    limits: Limits,
    /// Whether something does not fit; then nothing is settled any more.
    is_unfit: bool,
    nodes: Nodes<K, Way, Known>,
    /// What is known of nodes elsewhere in memory.
    n_listed: i64,
    n_bytes: i64,
    touched: Vec<Touched>,
    /// Candidates of which less was there than nothing when they changed last.
    owed: Vec<(Place, Rank)>,
    queue: Queue,
}

impl<K: Packed> OrderedGraph<K> {
    /// Without nodes.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            is_unfit: false,
            nodes: Nodes::default(),
            n_listed: 0,
            n_bytes: 0,
            touched: Vec::new(),
            owed: Vec::new(),
            queue: Queue::default(),
        }
    }

    /// Takes in an epoch, whose starts are among its seeds: two looks into a table for each edge
    /// that changes, and a few words for each edge of a node that gets another value. What it came
    /// to is added to `outcome`.
    ///
    /// # Errors
    /// If something does not fit. Then the epoch is taken in, no rows are said to have changed, and
    /// the graph can only be given up.
    pub(super) fn change(
        &mut self,
        changes: Changes<Valued<K>, Edge<K>>,
        relax: &mut impl Relax<K>,
        outcome: &mut Outcome<Valued<K>>,
    ) -> Result<(), Unfit> {
        self.queue.begin();
        // While nodes are still settled as they were.
        let recalled = self.change_edges(changes.edges);
        for recalled in recalled.chunks(TOGETHER) {
            self.recall(recalled, relax, outcome);
        }
        for ((row, value), n) in changes.seeds.into_iter().filter(|(_, n)| *n != 0) {
            let at = self.nodes.place(row);
            outcome.derived.add(n);
            self.derive(at, Rank { value, round: 0 }, n);
        }
        let mut due = Vec::new();
        while !self.is_unfit
            && let Some(rank) = self.next(&mut due)
        {
            self.settle(rank, &due, relax, outcome);
        }
        let owed = std::mem::take(&mut self.owed);
        let is_owed = |(at, rank): &(Place, Rank)| self.nodes[*at].state.candidates.n(*rank) < 0;
        if self.is_unfit || owed.iter().any(is_owed) {
            return Err(Unfit);
        }
        self.close(outcome);
        Ok(())
    }

    /// How many nodes are known.
    #[cfg(test)]
    pub(super) fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    /// How many rounds there may be, one for each edge that a value comes along.
    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// What it takes in memory, as of the last epoch.
    pub(super) fn n_bytes(&self) -> i64 {
        self.n_bytes
    }

    /// Changes edges. Returns the settled values that come to them, or go from them.
    fn change_edges(&mut self, edges: Vec<(Edge<K>, i64)>) -> Vec<(Pair, u32)> {
        let mut recalled = Vec::new();
        let mut edges = edges.into_iter();
        while !edges.as_slice().is_empty() {
            let near = edges.as_slice().iter().take(AHEAD);
            self.nodes.read_ahead_of(near.flat_map(|((from, to, _), _)| [from, to]));
            for ((from, to, beside), n) in edges.by_ref().take(AHEAD) {
                if n != 0 {
                    let (from, to) = (self.nodes.place(from), self.nodes.place(to));
                    let way = Way { to, beside };
                    let settled = self.nodes[from].state.settled;
                    recalled.extend(
                        settled.map(|Rank { value, round }| (Pair { from, way, value, n }, round)),
                    );
                    self.nodes.change_edge(from, (way, to), n);
                }
            }
        }
        recalled
    }

    /// Has settled values go along edges that change, if they do so.
    fn recall(
        &mut self,
        recalled: &[(Pair, u32)],
        relax: &mut impl Relax<K>,
        outcome: &mut Outcome<Valued<K>>,
    ) {
        let mut pairs = Vec::new();
        if relax.has_sieve() {
            let rows = recalled
                .iter()
                .map(|(Pair { from, value, n, .. }, _)| (&self.nodes[*from].row, *value, *n));
            let found = relax.sieve(rows, true);
            pairs.extend(found.into_iter().map(|idx| recalled[idx as usize]));
        } else {
            pairs.extend_from_slice(recalled);
        }
        self.lead(&mut pairs, relax, outcome);
    }

    /// Changes a candidate. If the first one is another then, the node is to be looked at in the
    /// turn of the better one of both.
    fn derive(&mut self, at: Place, rank: Rank, n: i64) {
        let candidates = &mut self.nodes[at].state.candidates;
        let (listed, before) = (candidates.bytes(), candidates.first());
        if candidates.change(rank, n) < 0 {
            self.owed.push((at, rank));
        }
        self.n_listed += candidates.bytes() - listed;
        let now = candidates.first();
        if now.is_none() {
            self.nodes.may_go(at);
        }
        if before != now && !self.is_unfit {
            let first = before.into_iter().chain(now).min().expect("one of them is there");
            self.queue.push(first, at);
        }
    }

    /// Who is to be looked at next. A node that was settled with a better value than the next ones
    /// stays so: most of those that have a value to start with are.
    fn next(&mut self, due: &mut Vec<Place>) -> Option<Rank> {
        let nodes = &self.nodes;
        self.queue.pop(due, |at, value| {
            nodes[at].state.settled.is_some_and(|settled| settled.value < value)
        })
    }

    /// Looks at the nodes that are due at a rank.
    fn settle(
        &mut self,
        rank: Rank,
        due: &[Place],
        relax: &mut impl Relax<K>,
        outcome: &mut Outcome<Valued<K>>,
    ) {
        let mut leaving = Vec::new();
        for due in due.chunks(AHEAD) {
            for at in due {
                self.nodes.read_ahead(*at);
            }
            for at in due {
                self.look(*at, rank, &mut leaving);
            }
        }
        self.leave(&leaving, relax, outcome);
    }

    /// Remembers which value a node has before the epoch changes it.
    fn touch(&mut self, at: Place) {
        let node = &mut self.nodes[at];
        if node.touched == UNTOUCHED {
            node.touched = u32::try_from(self.touched.len()).expect("there are fewer nodes");
            let was = node.state.settled.map(|rank| rank.value);
            self.touched.push(Touched { at, was });
        }
    }

    /// Settles a node anew, if the candidates up to this rank come to something else than before.
    fn look(&mut self, from: Place, rank: Rank, leaving: &mut Vec<Leaving>) {
        let Known { candidates, settled } = &self.nodes[from].state;
        let (first, settled) = (candidates.first(), *settled);
        if first == settled {
            return;
        }
        self.touch(from);
        let now = first.filter(|first| *first <= rank);
        leaving.extend(settled.map(|rank| Leaving { from, rank, n: -1 }));
        leaving.extend(now.map(|rank| Leaving { from, rank, n: 1 }));
        self.nodes[from].state.settled = now;
        self.is_unfit |= now.is_some_and(|now| now.round > self.limits.rounds);
        if let Some(later) = first.filter(|first| *first > rank) {
            self.queue.push(later, from);
        }
    }

    /// Has values go along their nodes' edges.
    fn leave(
        &mut self,
        leaving: &[Leaving],
        relax: &mut impl Relax<K>,
        outcome: &mut Outcome<Valued<K>>,
    ) {
        let mut pairs = Vec::new();
        for leaving in leaving.chunks(TOGETHER) {
            let passing = relax.has_sieve().then(|| {
                let rows = leaving.iter();
                let rows = rows.map(|it| (&self.nodes[it.from].row, it.rank.value, it.n));
                relax.sieve(rows, false)
            });
            for Leaving { n, .. } in leaving {
                outcome.variable.add(*n);
                outcome.reached.add(*n);
            }
            self.is_unfit |= relax.has_failed();
            let passing = passing.unwrap_or_else(|| (0..).take(leaving.len()).collect());
            for passing in passing.chunks(AHEAD) {
                for idx in passing {
                    black_box(self.nodes[leaving[*idx as usize].from].edges.iter().next());
                }
                for idx in passing {
                    let Leaving { from, rank: Rank { value, round }, n } = leaving[*idx as usize];
                    outcome.led.add(n);
                    for (way, n_edges) in self.nodes[from].edges.iter() {
                        pairs.push((Pair { from, way, value, n: n * n_edges }, round));
                    }
                    if NEAR <= pairs.len() {
                        self.lead(&mut pairs, relax, outcome);
                    }
                }
            }
        }
        self.lead(&mut pairs, relax, outcome);
    }

    /// Has values go along edges: each derives a node, in the round after.
    fn lead(
        &mut self,
        pairs: &mut Vec<(Pair, u32)>,
        relax: &mut impl Relax<K>,
        outcome: &mut Outcome<Valued<K>>,
    ) {
        for (pair, _) in &*pairs {
            outcome.pairs.add(pair.n);
            black_box(self.nodes[pair.way.to].state.candidates.first());
        }
        if relax.is_plain() {
            for (Pair { way, value, n, .. }, round) in pairs.drain(..) {
                outcome.derived.add(n);
                self.derive(way.to, Rank { value, round: round + 1 }, n);
            }
            return;
        }
        if pairs.is_empty() {
            return;
        }
        let found = relax.relax(pairs.iter().map(|(pair, _)| pair.lead(&self.nodes)));
        let is_better = |(idx, value): &(u32, u64)| *value < pairs[*idx as usize].0.value;
        self.is_unfit |= relax.has_failed() || found.iter().any(is_better);
        for (idx, value) in found {
            let (Pair { way, n, .. }, round) = pairs[idx as usize];
            outcome.derived.add(n);
            self.derive(way.to, Rank { value, round: round + 1 }, n);
        }
        pairs.clear();
    }

    /// Says what has changed, and lets go of nodes that are nothing any more.
    fn close(&mut self, outcome: &mut Outcome<Valued<K>>) {
        for Touched { at, was } in std::mem::take(&mut self.touched) {
            let node = &mut self.nodes[at];
            node.touched = UNTOUCHED;
            let now = node.state.settled.map(|rank| rank.value);
            let change = Diffs::of([(was, -1), (now, 1)]);
            let rows = change.0.into_iter().map(|(value, n)| ((node.row.clone(), value), n));
            outcome.rows.extend(rows);
        }
        self.nodes.let_go(|_, known| known.candidates.is_empty());
        let bytes = self.n_listed + self.nodes.bytes();
        outcome.bytes += bytes - self.n_bytes;
        self.n_bytes = bytes;
    }

    /// Takes back all that settled values came to, and leaves the graph to be gone through anew.
    pub(super) fn give_up(
        &mut self,
        relax: &mut impl Relax<K>,
        outcome: &mut Outcome<Valued<K>>,
    ) -> Remains<K> {
        self.is_unfit = true;
        let mut rows = Vec::new();
        let mut leaving = Vec::new();
        for (from, node) in self.nodes.iter() {
            let was = match node.touched {
                UNTOUCHED => node.state.settled.map(|rank| rank.value),
                touched => self.touched[touched as usize].was,
            };
            rows.extend(was.map(|value| (node.row.clone(), value)));
            leaving.extend(node.state.settled.map(|rank| Leaving { from, rank, n: -1 }));
        }
        self.leave(&leaving, relax, outcome);
        let mut all = Changes::default();
        for (_, node) in self.nodes.iter() {
            let seeds = || node.state.candidates.iter().map(|(rank, n)| (rank.value, n));
            let start = seeds().find(|(_, n)| *n > 0);
            all.starts.extend(start.map(|(value, _)| ((node.row.clone(), value), 1)));
            all.seeds.extend(seeds().map(|(value, n)| ((node.row.clone(), value), n)));
            all.edges.extend(node.edges.iter().map(|(way, n)| {
                ((node.row.clone(), self.nodes[way.to].row.clone(), way.beside), n)
            }));
        }
        Remains { rows, all }
    }
}
