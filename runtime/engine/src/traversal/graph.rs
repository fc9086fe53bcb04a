//! The nodes that a traversal knows of: in which rounds they are reached, and where edges lead.
//!
//! A node's derivations are counted by round. It is reached in a round if those of the rounds up to
//! it come to more than none, and what changes of that goes along its edges to the next round. So a
//! node whose last derivation went away from under it is not held up by a circle that it is in
//! itself: what the circle had of it goes, round after round, before anything is derived anew.
//! All rounds of an epoch are over before the next epoch begins, so that of the past only the
//! counts are left.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use smallvec::SmallVec;

use crate::memory::table_bytes;

use super::counts::{Derivations, View};
use super::nodes::{AHEAD, Nodes, Place, UNTOUCHED};
use super::{Changes, Limits, NO_ROUND, Outcome};

/// A node as it was before the epoch.
#[derive(Debug)]
struct Touched {
    at: Place,
    was: Derivations,
    /// By how much the start has changed at the node.
    start: i64,
    /// The round in which it was looked at last.
    round: u32,
}

/// What a round begins with.
#[derive(Debug, Default)]
struct Round {
    /// Changes of derivations.
    changes: Vec<(Place, i64)>,
    /// Nodes to look at though nothing of this round changes, by their place among the touched.
    again: Vec<u32>,
}

/// The graph, with what is reached in it.
#[derive(Debug)]
pub(super) struct Graph {
    limits: Limits,
    nodes: Nodes<u64, Place, Derivations>,
    /// Rows of the variable's start, which few nodes are.
    starts: HashMap<Place, i64, FixedState>,
    /// What derivations have elsewhere in memory.
    n_listed: i64,
    n_bytes: i64,
    touched: Vec<Touched>,
    rounds: BTreeMap<u32, Round>,
}

impl Graph {
    /// Without nodes.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            nodes: Nodes::default(),
            starts: HashMap::default(),
            n_listed: 0,
            n_bytes: 0,
            touched: Vec::new(),
            rounds: BTreeMap::new(),
        }
    }

    /// Takes in an epoch: two looks into a table for each edge that changes, and a few words for
    /// each edge of a node that is reached in another round than before.
    pub(super) fn change(&mut self, changes: Changes<u64, (u64, u64)>) -> Outcome<u64> {
        let mut outcome = Outcome::default();
        // While nodes are still reached as they were.
        let mut edges = changes.edges.into_iter();
        while !edges.as_slice().is_empty() {
            let near = edges.as_slice().iter().take(AHEAD);
            self.nodes.read_ahead_of(near.flat_map(|((from, to), _)| [from, to]));
            for ((from, to), diff) in edges.by_ref().take(AHEAD) {
                if diff != 0 {
                    let (from, to) = (self.nodes.place(from), self.nodes.place(to));
                    self.change_edge((from, to), diff, &mut outcome);
                }
            }
        }
        for (row, diff) in changes.starts.into_iter().filter(|(_, diff)| *diff != 0) {
            let at = self.nodes.place(row);
            outcome.variable.add(diff);
            self.follow(at, 0, diff, &mut outcome);
            let touched = self.touch(at);
            self.touched[touched as usize].start += diff;
            self.change_start(at, diff);
            self.round(0).again.push(touched);
            self.nodes.may_go(at);
        }
        for (row, diff) in changes.seeds {
            let at = self.nodes.place(row);
            outcome.derived.add(diff);
            self.round(0).changes.push((at, diff));
        }
        while let Some((round, begun)) = self.rounds.pop_first() {
            self.run(round, begun, &mut outcome);
        }
        outcome.led = outcome.variable;
        outcome.derived.merge(outcome.pairs);
        self.close(&mut outcome);
        outcome
    }

    /// All nodes of the result.
    pub(super) fn rows(&self) -> Vec<u64> {
        let all = self.nodes.iter();
        let reached = all.filter(|(_, node)| 0 < node.state.up_to(self.limits.result));
        reached.map(|(_, node)| node.row).collect()
    }

    /// How many nodes are known.
    #[cfg(test)]
    pub(super) fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    fn round(&mut self, round: u32) -> &mut Round {
        self.rounds.entry(round).or_default()
    }

    /// Changes an edge, and what it made of the node's rows in the rounds of the epoch before.
    fn change_edge(&mut self, (from, to): (Place, Place), diff: i64, outcome: &mut Outcome<u64>) {
        for (round, change) in self.turns(from) {
            outcome.pairs.add(change * diff);
            self.round(round).changes.push((to, change * diff));
        }
        self.nodes.change_edge(from, (to, to), diff);
    }

    /// In which rounds a node's rows came to the variable and went, as it was before the epoch.
    /// What is derived in a round is in the variable in the next one, and its start in the first.
    fn turns(&self, at: Place) -> SmallVec<[(u32, i64); 2]> {
        let derived = &self.nodes[at].state;
        let start = self.starts.get(&at).copied().unwrap_or_default();
        let mut turns = SmallVec::new();
        if start == 0 && derived.is_empty() {
            return turns;
        }
        let mut last = 0;
        let mut turn = |round: u32, now: i64| {
            if now != last && round <= self.limits.rounds {
                turns.push((round, now - last));
            }
            last = now;
        };
        turn(0, start);
        turn(1, i64::from(derived.up_to(0) > 0));
        for (round, n) in derived.sums().filter(|(round, _)| *round > 0) {
            turn(round + 1, i64::from(n > 0));
        }
        turns
    }

    fn change_start(&mut self, at: Place, diff: i64) {
        match self.starts.entry(at) {
            Entry::Occupied(mut start) => {
                *start.get_mut() += diff;
                if *start.get() == 0 {
                    start.remove();
                }
            }
            Entry::Vacant(room) => {
                room.insert(diff);
            }
        }
    }

    /// Remembers how a node is derived before the epoch changes it.
    fn touch(&mut self, at: Place) -> u32 {
        let node = &mut self.nodes[at];
        if node.touched == UNTOUCHED {
            node.touched = u32::try_from(self.touched.len()).expect("there are fewer nodes");
            let was = node.state.clone();
            self.touched.push(Touched { at, was, start: 0, round: NO_ROUND });
        }
        node.touched
    }

    /// A round of the epoch: what it derives, and what that leads to.
    fn run(&mut self, round: u32, Round { changes, mut again }: Round, outcome: &mut Outcome<u64>) {
        for changes in changes.chunks(AHEAD) {
            for (at, _) in changes {
                self.nodes.read_ahead(*at);
            }
            for (at, diff) in changes {
                let touched = self.touch(*at);
                let derived = &mut self.nodes[*at].state;
                let listed = derived.bytes();
                derived.change(round, *diff);
                self.n_listed += derived.bytes() - listed;
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

    /// Looks at a node whose derivations up to this round may come to something else than before.
    fn look(&mut self, touched: u32, round: u32, outcome: &mut Outcome<u64>) {
        let Touched { at, was, start, .. } = &self.touched[touched as usize];
        let (at, start) = (*at, *start);
        let node = &self.nodes[at];
        let (was, now) = (was.view(round), node.state.view(round));
        let is_there = |n: i64| i64::from(0 < n);
        let change = |view: View| is_there(view.now) - is_there(view.before);
        let diff = change(now) - change(was);
        if diff != 0 {
            outcome.reached.add(diff);
        }
        if round == self.limits.rounds {
            if diff != 0 {
                outcome.overruns.push((node.row, diff));
            }
        } else {
            // The start of the variable is in it in the first round alone.
            let diff = if round == 0 { diff - start } else { diff };
            if diff != 0 {
                outcome.variable.add(diff);
                self.follow(at, round + 1, diff, outcome);
            }
        }
        let stays = 0 < was.now && was.only_grows && 0 < now.now && now.only_grows;
        let next = was.next.into_iter().chain(now.next).min();
        if let Some(next) = next.filter(|_| was.now != now.now && !stays) {
            self.round(next).again.push(touched);
        }
    }

    /// Goes along a node's edges.
    fn follow(&mut self, at: Place, round: u32, diff: i64, outcome: &mut Outcome<u64>) {
        let edges = &self.nodes[at].edges;
        if edges.is_empty() {
            return;
        }
        let changes = &mut self.rounds.entry(round).or_default().changes;
        for (to, n) in edges.iter() {
            outcome.pairs.add(diff * n);
            changes.push((to, diff * n));
        }
    }

    /// Says what has changed, and lets go of nodes that are nothing any more.
    fn close(&mut self, outcome: &mut Outcome<u64>) {
        for Touched { at, was, .. } in std::mem::take(&mut self.touched) {
            let node = &mut self.nodes[at];
            node.touched = UNTOUCHED;
            let is_there = |derived: &Derivations| 0 < derived.up_to(self.limits.result);
            match (is_there(&was), is_there(&node.state)) {
                (false, true) => outcome.rows.push((node.row, 1)),
                (true, false) => outcome.rows.push((node.row, -1)),
                (false, false) | (true, true) => {}
            }
            if node.state.is_empty() {
                self.nodes.may_go(at);
            }
        }
        let starts = &self.starts;
        self.nodes.let_go(|at, derived| derived.is_empty() && !starts.contains_key(&at));
        let bytes = self.n_listed + table_bytes(&self.starts) + self.nodes.bytes();
        outcome.bytes = bytes - self.n_bytes;
        self.n_bytes = bytes;
    }
}
