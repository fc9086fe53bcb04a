//! Values follow edges that came and went, without a sweep.

use super::{ROUNDOFF, Ranks, Stage, inverse, slot_at};
use crate::dynamic_graph::dirty::Dirty;
use crate::dynamic_graph::edges::{Edges, Flip};
use crate::dynamic_graph::meter::{Meter, SLICE, float};
use crate::dynamic_graph::rounds::Rounds;

impl Ranks {
    /// Counts edges that flipped, where they do not lead to later rounds.
    pub(super) fn recount(&mut self, from: usize, flips: &[Flip], meter: &mut Meter) -> Stage {
        let to = flips.len().min(from + SLICE);
        for flip in &flips[from..to] {
            self.count_flip(*flip);
        }
        meter.spend(2 * (to - from));
        if to < flips.len() { Stage::Recount(to) } else { Stage::Renew { at: 0, is_counted: true } }
    }

    /// Counts an edge that does not lead to a later round, or no longer.
    fn count_flip(&mut self, flip: Flip) {
        match flip {
            Flip::EdgeCame(edge) if edge.dst < self.rounds.end(edge.src) => {
                self.backward[edge.src as usize] += 1;
            }
            Flip::EdgeWent(edge) if edge.dst < self.rounds.end(edge.src) => {
                self.backward[edge.src as usize] -= 1;
            }
            Flip::EdgeCame(_) | Flip::EdgeWent(_) | Flip::RootCame(_) | Flip::RootWent(_) => {}
        }
    }

    /// Vertices come and go, and hand on what they have over the edges that they have now. What
    /// residual that leaves is not known, and a sweep follows.
    pub(super) fn renew_shares(&mut self, from: usize, edges: &Edges, meter: &mut Meter) -> usize {
        let mut at = from;
        while at < self.values.len() && !meter.is_out() {
            let slot = slot_at(at);
            let was_there = std::mem::replace(&mut self.is_there[at], edges.is_named(slot));
            self.values[at] = match (was_there, self.is_there[at]) {
                (true, true) => self.values[at],
                (false, true) => 1.0 - self.spec.damping,
                (_, false) => 0.0,
            };
            self.inverses[at] = inverse(edges.out.degree(slot));
            self.shares[at] = self.spec.damping * self.values[at] * self.inverses[at];
            meter.spend(4);
            at += 1;
        }
        at
    }

    /// Makes rounds anew, and counts the edges that do not lead to later ones.
    pub(super) fn count(&mut self, from: usize, edges: &Edges, meter: &mut Meter) -> Stage {
        if from == 0 {
            self.rounds = Rounds::of(edges);
            self.backward.fill(0);
        }
        let mut at = from;
        while at < self.values.len() && !meter.is_out() {
            self.rounds.count_into(slot_at(at), edges, &mut self.backward);
            meter.spend(1 + edges.into.degree(slot_at(at)));
            at += 1;
        }
        if at == self.values.len() { Stage::Gather } else { Stage::Count(at) }
    }

    /// Vertices come with what flipped.
    pub(super) fn come_in(
        &mut self,
        from: usize,
        flips: &[Flip],
        dirty: &mut Dirty,
        meter: &mut Meter,
    ) -> Stage {
        let to = flips.len().min(from + SLICE);
        meter.spend(4 * (to - from));
        for flip in &flips[from..to] {
            match *flip {
                Flip::EdgeCame(edge) => {
                    self.come(edge.src, dirty);
                    self.come(edge.dst, dirty);
                }
                Flip::RootCame(slot) => self.come(slot, dirty),
                Flip::EdgeWent(_) | Flip::RootWent(_) => {}
            }
        }
        if to == flips.len() { Stage::Follow(0) } else { Stage::Come(to) }
    }

    /// Values and shares follow what flipped.
    pub(super) fn follow(
        &mut self,
        from: usize,
        (edges, flips): (&Edges, &[Flip]),
        dirty: &mut Dirty,
        meter: &mut Meter,
    ) -> Stage {
        let src = |flip: &Flip| match *flip {
            Flip::EdgeCame(edge) | Flip::EdgeWent(edge) => Some(edge.src),
            Flip::RootCame(_) | Flip::RootWent(_) => None,
        };
        let mut at = from;
        for group in flips[from..].chunk_by(|one, other| src(one) == src(other)) {
            if meter.is_out() {
                return Stage::Follow(at);
            }
            if let Some(slot) = src(&group[0]) {
                self.follow_edges_of(slot, group, edges, dirty);
            }
            meter.spend(16 + 2 * group.len());
            at += group.len();
        }
        Stage::Go(0)
    }

    /// Vertices go with what flipped; gives up to which flip.
    pub(super) fn go_out(
        &mut self,
        from: usize,
        (edges, flips): (&Edges, &[Flip]),
        dirty: &mut Dirty,
        meter: &mut Meter,
    ) -> usize {
        let to = flips.len().min(from + SLICE);
        meter.spend(4 * (to - from));
        for flip in &flips[from..to] {
            match *flip {
                Flip::EdgeWent(edge) => {
                    self.go(edge.src, edges, dirty);
                    self.go(edge.dst, edges, dirty);
                }
                Flip::RootWent(slot) => self.go(slot, edges, dirty),
                Flip::EdgeCame(_) | Flip::RootCame(_) => {}
            }
        }
        to
    }

    /// A vertex that was not there has what a walk brings that starts there. What others hand to it
    /// comes with their edges, so it has no residual yet.
    fn come(&mut self, slot: u32, dirty: &mut Dirty) {
        if !std::mem::replace(&mut self.is_there[slot as usize], true) {
            self.set_value(slot, 1.0 - self.spec.damping);
            dirty.mark(slot);
        }
    }

    /// A vertex that nothing names any more hands nothing on, and is none. The residual of the
    /// others is what it was.
    fn go(&mut self, slot: u32, edges: &Edges, dirty: &mut Dirty) {
        if self.is_there[slot as usize] && !edges.is_named(slot) {
            self.is_there[slot as usize] = false;
            self.set_value(slot, 0.0);
            self.shares[slot as usize] = 0.0;
            dirty.mark(slot);
        }
    }

    /// Edges of one vertex that came and went.
    fn follow_edges_of(&mut self, slot: u32, flips: &[Flip], edges: &Edges, dirty: &mut Dirty) {
        let n_came = flips.iter().filter(|flip| matches!(flip, Flip::EdgeCame(_))).count();
        let n_after = edges.out.degree(slot);
        let n_before = n_after + (flips.len() - n_came) - n_came;
        let (at, damping) = (slot as usize, self.spec.damping);
        let value = self.values[at];
        if n_before > 0 && n_after > 0 {
            // The share stays, and the value follows.
            let scaled = value * (float(n_after) / float(n_before));
            self.set_value(slot, scaled);
            self.add_residual((value - scaled).abs());
            self.add_residual(8.0 * ROUNDOFF * (value + scaled));
        } else {
            let n_edges = if n_after > 0 { n_after } else { n_before };
            self.shares[at] = damping * value / float(n_edges);
            self.add_residual(4.0 * ROUNDOFF * value);
        }
        self.add_residual(self.shares[at] * float(flips.len()));
        if n_after == 0 {
            self.shares[at] = 0.0;
        }
        self.inverses[at] = inverse(n_after);
        for flip in flips {
            self.count_flip(*flip);
        }
        dirty.mark(slot);
    }

    fn set_value(&mut self, slot: u32, value: f64) {
        let before = std::mem::replace(&mut self.values[slot as usize], value);
        self.sum += value - before;
        self.sum_drift += 2.0 * ROUNDOFF * (self.sum + value + before);
    }

    fn add_residual(&mut self, more: f64) {
        // Rounded up, so that many small ones are not lost.
        self.residual = (self.residual + more) * (1.0 + 2.0 * ROUNDOFF);
        self.refreshed.moved += more / self.spec.damping * (1.0 + 4.0 * ROUNDOFF);
    }
}
