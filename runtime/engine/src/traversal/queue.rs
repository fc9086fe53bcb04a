//! Which nodes are due at which rank, in the order of ranks.
//!
//! A radix heap (Ahuja, Mehlhorn, Orlin and Tarjan 1990): nothing is put before what was taken out
//! last, so that nodes need to be told apart only as they come nearer to it.

use std::collections::BTreeMap;

use super::candidates::Rank;
use super::nodes::Place;

/// Nodes by rank, of which none is put before what was taken out last.
#[derive(Debug)]
pub(super) struct Queue {
    /// The value of what was taken out last.
    value: u64,
    /// Who is due at it, by rounds.
    near: BTreeMap<u32, Vec<Place>>,
    /// Who is due later, by the highest bit in which the value is another.
    far: [Vec<(Rank, Place)>; 64],
    /// Room for those of a round.
    spare: Vec<Vec<Place>>,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            value: 0,
            near: BTreeMap::new(),
            far: std::array::from_fn(|_| Vec::new()),
            spare: Vec::new(),
        }
    }
}

impl Queue {
    /// Begins anew, where nothing is left.
    pub(super) fn begin(&mut self) {
        debug_assert!(self.near.is_empty() && self.far.iter().all(Vec::is_empty));
        self.value = 0;
    }

    /// Puts a node where it is due.
    pub(super) fn push(&mut self, rank: Rank, at: Place) {
        debug_assert!(self.value <= rank.value, "nothing is due before what was taken out");
        match (rank.value ^ self.value).checked_ilog2() {
            None => {
                let room = || self.spare.pop().unwrap_or_default();
                self.near.entry(rank.round).or_insert_with(room).push(at);
            }
            Some(bit) => self.far[bit as usize].push((rank, at)),
        }
    }

    /// Takes out all nodes that are due first, in the place of those in `due`. Those of which
    /// nothing will come any more may be left out: `is_over` is told the value that is next.
    pub(super) fn pop(
        &mut self,
        due: &mut Vec<Place>,
        is_over: impl Fn(Place, u64) -> bool,
    ) -> Option<Rank> {
        while self.near.is_empty() {
            self.approach(&is_over)?;
        }
        let (round, now) = self.near.pop_first()?;
        let mut before = std::mem::replace(due, now);
        if self.spare.len() < SPARE_MAX {
            before.clear();
            self.spare.push(before);
        }
        Some(Rank { value: self.value, round })
    }

    /// Goes on to the next value at which something is due, if it is not over.
    fn approach(&mut self, is_over: &impl Fn(Place, u64) -> bool) -> Option<()> {
        let nearest = self.far.iter().position(|far| !far.is_empty())?;
        let mut nodes = std::mem::take(&mut self.far[nearest]);
        self.value = nodes.iter().map(|(rank, _)| rank.value).min()?;
        for (rank, at) in nodes.drain(..) {
            if !is_over(at, self.value) {
                self.push(rank, at);
            }
        }
        // All of them have gone to nearer places.
        self.far[nearest] = nodes;
        Some(())
    }
}

/// Rounds for which there is room at most.
const SPARE_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Ranks that are put in at first, and those that each of them leads to.
        #[test]
        fn ranks_come_in_order(
            first in vec((any::<u64>(), 0..3_u32), 1..20),
            steps in vec((0..5_u64, 1..3_u32), 0..60),
        ) {
            let mut queue = Queue::default();
            let mut all: Vec<(Rank, Place)> = Vec::new();
            let mut steps = steps.into_iter();
            let put = |queue: &mut Queue, all: &mut Vec<(Rank, Place)>, value: u64, round: u32| {
                let at = Place::try_from(all.len()).expect("few are put");
                all.push((Rank { value, round }, at));
                queue.push(Rank { value, round }, at);
            };
            for (value, round) in first {
                put(&mut queue, &mut all, value, round);
            }
            let mut came = Vec::new();
            let mut due = Vec::new();
            while let Some(rank) = queue.pop(&mut due, |_, _| false) {
                came.extend(due.iter().map(|at| (rank, *at)));
                for (further, rounds) in steps.by_ref().take(due.len()) {
                    let value = rank.value.saturating_add(further);
                    put(&mut queue, &mut all, value, rank.round + rounds);
                }
            }
            prop_assert!(came.is_sorted_by_key(|(rank, _)| *rank));
            all.sort_unstable();
            came.sort_unstable();
            prop_assert_eq!(came, all);
            queue.begin();
            for at in 0..20 {
                queue.push(Rank { value: u64::from(at / 3), round: 0 }, at);
            }
            // Those of odd places are over; others stay.
            let mut left = Vec::new();
            while queue.pop(&mut due, |at, _| at % 2 == 1).is_some() {
                left.extend_from_slice(&due);
            }
            prop_assert!((0..20).filter(|at| at % 2 == 0).all(|at| left.contains(&at)));
            prop_assert!(left.len() < 20);
        }
    }
}
