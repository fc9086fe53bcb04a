//! The nodes that a traversal knows of, each with the best value that reaches it.
//!
//! A node's candidates are counted by value and round. Its value in a round is the least that
//! those of the rounds up to it come to, and what changes of that goes along its edges to the next
//! round, so that a value whose last derivation went away is not held up by a circle that it went
//! around itself. Beside the candidates stand the values that they came to, which is what an edge
//! that comes or goes has to know of the node from which it leads.

use std::collections::BTreeMap;

use crate::packed::Packed;

use super::candidates::{Candidates, Rank, Turns};
use super::nodes::{AHEAD, Nodes, Place, UNTOUCHED};
use super::relax::{Diffs, Edge, Pair, Relax, TOGETHER, Valued, Way};
use super::{Changes, Limits, NO_ROUND, Outcome};

/// What is known of a node.
#[derive(Debug, Default)]
struct Known {
    candidates: Candidates,
    /// By the rounds of the variable: in round 0 where it starts, then what the candidates of the
    /// round before came to.
    turns: Turns,
}

/// A node as it was before the epoch.
#[derive(Debug)]
struct Touched {
    at: Place,
    was: Turns,
    /// The first round of the variable of which it is not known yet what the node has there.
    open: u32,
    /// The round in which it was looked at last.
    round: u32,
}

/// What a round begins with.
#[derive(Debug, Default)]
struct Round {
    /// Changes of the variable of which it is not known whether they go along edges.
    unsieved: Vec<(Place, u64, i64)>,
    /// Changes whose value is not known yet.
    pairs: Vec<Pair>,
    /// Changes of candidates.
    changes: Vec<(Place, u64, i64)>,
    /// Nodes to look at though nothing of this round changes, by their place among the touched.
    again: Vec<u32>,
}

/// The graph, with the best value of each node in it.
#[derive(Debug)]
pub(super) struct BestGraph<K: Packed> {
    limits: Limits,
    is_plain: bool,
    has_sieve: bool,
    nodes: Nodes<K, Way, Known>,
    /// What is known of nodes elsewhere in memory.
    n_listed: i64,
    n_bytes: i64,
    touched: Vec<Touched>,
    rounds: BTreeMap<u32, Round>,
}

impl<K: Packed> BestGraph<K> {
    /// Without nodes.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            is_plain: false,
            has_sieve: false,
            nodes: Nodes::default(),
            n_listed: 0,
            n_bytes: 0,
            touched: Vec::new(),
            rounds: BTreeMap::new(),
        }
    }

    /// Takes in an epoch: two looks into a table for each edge that changes, and a few words for
    /// each edge of a node that has another value in some round than before.
    pub(super) fn change(
        &mut self,
        changes: Changes<Valued<K>, Edge<K>>,
        relax: &mut impl Relax<K>,
    ) -> Outcome<Valued<K>> {
        (self.is_plain, self.has_sieve) = (relax.is_plain(), relax.has_sieve());
        let mut outcome = Outcome::default();
        // While nodes still have the values that they had.
        let mut recalled = Vec::new();
        let mut edges = changes.edges.into_iter();
        while !edges.as_slice().is_empty() {
            let near = edges.as_slice().iter().take(AHEAD);
            self.nodes.read_ahead_of(near.flat_map(|((from, to, _), _)| [from, to]));
            for ((from, to, beside), diff) in edges.by_ref().take(AHEAD) {
                if diff != 0 {
                    let (from, to) = (self.nodes.place(from), self.nodes.place(to));
                    self.change_edge(from, Way { to, beside }, diff, &mut recalled);
                }
            }
        }
        self.recall(&recalled, relax, &mut outcome);
        self.start(changes.starts, &mut outcome);
        for ((row, value), diff) in changes.seeds {
            let at = self.nodes.place(row);
            outcome.derived.add(diff);
            self.round(0).changes.push((at, value, diff));
        }
        while let Some((round, begun)) = self.rounds.pop_first() {
            self.run(round, begun, relax, &mut outcome);
        }
        self.close(&mut outcome);
        outcome
    }

    /// All rows of the result.
    pub(super) fn rows(&self) -> Vec<Valued<K>> {
        let last = self.limits.result + 1;
        let all = self.nodes.iter();
        let rows = all.map(|(_, node)| Some((node.row.clone(), node.state.turns.at(last)?)));
        rows.flatten().collect()
    }

    /// How many nodes are known.
    #[cfg(test)]
    pub(super) fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    fn round(&mut self, round: u32) -> &mut Round {
        self.rounds.entry(round).or_default()
    }

    /// Changes an edge, and what it made of the node's values in the rounds of the epoch before.
    fn change_edge(&mut self, from: Place, way: Way, diff: i64, recalled: &mut Vec<(u32, Pair)>) {
        let turns = &self.nodes[from].state.turns;
        for (round, [before, now]) in turns.all().filter(|(at, _)| *at <= self.limits.rounds) {
            for (value, n) in [(before, -diff), (now, diff)] {
                recalled.extend(value.map(|value| (round, Pair { from, way, value, n })));
            }
        }
        self.nodes.change_edge(from, (way, way.to), diff);
    }

    /// Has values that nodes had go along edges that change, if they do so.
    fn recall(
        &mut self,
        recalled: &[(u32, Pair)],
        relax: &mut impl Relax<K>,
        outcome: &mut Outcome<Valued<K>>,
    ) {
        for recalled in recalled.chunks(TOGETHER) {
            let mut lead = |(round, pair): (u32, Pair)| {
                outcome.pairs.add(pair.n);
                self.rounds.entry(round).or_default().lead(pair, self.is_plain);
            };
            if self.has_sieve {
                let rows = recalled
                    .iter()
                    .map(|(_, Pair { from, value, n, .. })| (&self.nodes[*from].row, *value, *n));
                let found = relax.sieve(rows, true);
                for idx in found {
                    lead(recalled[idx as usize]);
                }
            } else {
                recalled.iter().copied().for_each(lead);
            }
        }
    }

    /// Changes where the variable starts: it has at most one row of each node there.
    fn start(&mut self, mut starts: Vec<(Valued<K>, i64)>, outcome: &mut Outcome<Valued<K>>) {
        starts.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for of in starts.chunk_by(|((a, _), _), ((b, _), _)| a == b) {
            let at = self.nodes.place(of[0].0.0.clone());
            let touched = self.touch(at);
            let was = self.touched[touched as usize].was.at(0);
            let mut rows = Diffs::of([(was, 1)]);
            for ((_, value), diff) in of {
                rows.add(Some(*value), *diff);
            }
            let now = rows.0.iter().find(|(_, n)| *n > 0).map(|(value, _)| *value);
            self.nodes[at].state.turns.go_on(0, now);
            self.touched[touched as usize].open = 1;
            for (value, diff) in Diffs::of([(was, -1), (now, 1)]).0 {
                outcome.variable.add(diff);
                self.follow(at, 0, value, diff, outcome);
            }
            self.round(0).again.push(touched);
        }
    }

    /// Remembers which values a node has before the epoch changes them.
    fn touch(&mut self, at: Place) -> u32 {
        let node = &mut self.nodes[at];
        if node.touched == UNTOUCHED {
            node.touched = u32::try_from(self.touched.len()).expect("there are fewer nodes");
            self.n_listed -= node.state.turns.bytes();
            let was = std::mem::take(&mut node.state.turns);
            self.touched.push(Touched { at, was, open: 0, round: NO_ROUND });
        }
        node.touched
    }

    /// A round of the epoch: what it derives, and what that leads to.
    fn run(
        &mut self,
        round: u32,
        begun: Round,
        relax: &mut impl Relax<K>,
        outcome: &mut Outcome<Valued<K>>,
    ) {
        let Round { pairs, mut changes, mut again, .. } = self.sieve(begun, relax, outcome);
        for pairs in pairs.chunks(TOGETHER) {
            let found = relax.relax(pairs.iter().map(|pair| pair.lead(&self.nodes)));
            changes.extend(found.into_iter().map(|(idx, value)| {
                let Pair { way, n, .. } = pairs[idx as usize];
                outcome.derived.add(n);
                (way.to, value, n)
            }));
        }
        drop(pairs);
        for changes in changes.chunks(AHEAD) {
            for (at, ..) in changes {
                self.nodes.read_ahead(*at);
            }
            for (at, value, diff) in changes {
                let touched = self.touch(*at);
                let candidates = &mut self.nodes[*at].state.candidates;
                let listed = candidates.bytes();
                candidates.change(Rank { value: *value, round }, *diff);
                self.n_listed += candidates.bytes() - listed;
                again.push(touched);
            }
        }
        for again in again.chunks(AHEAD) {
            for touched in again {
                self.nodes.read_ahead(self.touched[*touched as usize].at);
            }
            for touched in again {
                let it = &mut self.touched[*touched as usize];
                if it.round != round {
                    it.round = round;
                    self.look(*touched, round, outcome);
                }
            }
        }
    }

    /// Has those of the variable's changes go along edges that do so.
    fn sieve(
        &self,
        mut begun: Round,
        relax: &mut impl Relax<K>,
        outcome: &mut Outcome<Valued<K>>,
    ) -> Round {
        let unsieved = std::mem::take(&mut begun.unsieved);
        for unsieved in unsieved.chunks(TOGETHER) {
            let rows = unsieved.iter();
            let rows = rows.map(|(at, value, n)| (&self.nodes[*at].row, *value, *n));
            for idx in relax.sieve(rows, false) {
                let (from, value, diff) = unsieved[idx as usize];
                outcome.led.add(diff);
                for (way, n) in self.nodes[from].edges.iter() {
                    let n = diff * n;
                    outcome.pairs.add(n);
                    begun.lead(Pair { from, way, value, n }, self.is_plain);
                }
            }
        }
        begun
    }

    /// Looks at a node whose candidates up to this round may come to something else than before.
    fn look(&mut self, touched: u32, round: u32, outcome: &mut Outcome<Valued<K>>) {
        let Touched { at, was, open, .. } = &mut self.touched[touched as usize];
        let at = *at;
        let node = &mut self.nodes[at];
        let Known { candidates, turns } = &mut node.state;
        // Since it was looked at last it has gone on as it did before the epoch.
        turns.go_on_as(was, *open, round);
        *open = round + 2;
        let seen = candidates.seen(round);
        let before = [was.at(round), turns.at(round)];
        let now = [was.at(round + 1), seen.best];
        turns.go_on(round + 1, seen.best);
        // A turn of the variable is of the round before.
        let next = was.next(round + 1).map(|at| at - 1).into_iter().chain(seen.next).min();
        let of_keeper = if round == 0 { [None, None] } else { before };
        let change = |before: [Option<u64>; 2]| {
            Diffs::of([(now[1], 1), (before[1], -1), (now[0], -1), (before[0], 1)])
        };
        let kept = change(of_keeper);
        for (_, diff) in &kept.0 {
            outcome.reached.add(*diff);
        }
        if round == self.limits.rounds {
            let over = kept.0.into_iter().map(|(value, diff)| ((node.row.clone(), value), diff));
            outcome.overruns.extend(over);
        } else {
            for (value, diff) in change(before).0 {
                outcome.variable.add(diff);
                self.follow(at, round + 1, value, diff, outcome);
            }
        }
        if let Some(next) = next {
            self.round(next).again.push(touched);
        }
    }

    /// Goes along a node's edges.
    fn follow(
        &mut self,
        from: Place,
        round: u32,
        value: u64,
        diff: i64,
        outcome: &mut Outcome<Valued<K>>,
    ) {
        if self.has_sieve {
            self.round(round).unsieved.push((from, value, diff));
            return;
        }
        outcome.led.add(diff);
        let edges = &self.nodes[from].edges;
        if edges.is_empty() {
            return;
        }
        let round = self.rounds.entry(round).or_default();
        for (way, n) in edges.iter() {
            let n = diff * n;
            outcome.pairs.add(n);
            round.lead(Pair { from, way, value, n }, self.is_plain);
        }
    }

    /// Says what has changed, and lets go of nodes that are nothing any more.
    fn close(&mut self, outcome: &mut Outcome<Valued<K>>) {
        if self.is_plain {
            outcome.derived.merge(outcome.pairs);
        }
        let last = self.limits.result + 1;
        for Touched { at, was, .. } in std::mem::take(&mut self.touched) {
            let node = &mut self.nodes[at];
            node.touched = UNTOUCHED;
            let Known { candidates, turns } = &node.state;
            self.n_listed += turns.bytes();
            let change = Diffs::of([(was.at(last), -1), (turns.at(last), 1)]);
            let rows = change.0.into_iter().map(|(value, diff)| ((node.row.clone(), value), diff));
            outcome.rows.extend(rows);
            if candidates.is_empty() {
                self.nodes.may_go(at);
            }
        }
        self.nodes.let_go(|_, known| known.candidates.is_empty() && known.turns.is_empty());
        let bytes = self.n_listed + self.nodes.bytes();
        outcome.bytes = bytes - self.n_bytes;
        self.n_bytes = bytes;
    }
}

impl Round {
    /// Has a change of a value go along an edge, now if it stays what it is.
    fn lead(&mut self, pair: Pair, is_plain: bool) {
        if is_plain {
            self.changes.push((pair.way.to, pair.value, pair.n));
        } else {
            self.pairs.push(pair);
        }
    }
}
