//! Tokens in the order of their places, in runs of neighbours.
//!
//! A run keeps its tokens while they change; one that is empty goes, and one that grew to twice its
//! length is cut. So a token that comes anywhere moves one run and no other, whatever the places
//! are: steps of one, or times.

use crate::keyed::Table;

/// A token in its run: its place, its key and its slot.
pub(super) type Spot = (i64, i64, usize);

/// All tokens in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Order {
    /// Tokens of a run when it is cut.
    length: usize,
    pub(super) runs: Vec<Vec<Spot>>,
    /// What a run begins at, by place and key; what comes before the first is in the first.
    starts: Vec<(i64, i64)>,
}

/// Where a run came from when runs were cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// It was this run.
    Kept(usize),
    /// It was part of one.
    Cut,
}

impl Order {
    pub(super) fn new(length: usize) -> Self {
        Self { length, ..Self::default() }
    }

    /// Cuts all tokens into runs anew.
    pub(super) fn rebuild(&mut self, tokens: &Table) {
        let mut spots: Vec<Spot> =
            tokens.live().map(|slot| (tokens.places[slot], tokens.keys[slot], slot)).collect();
        spots.sort_unstable();
        self.runs = spots.chunks(self.length).map(<[Spot]>::to_vec).collect();
        self.starts = self.runs.iter().map(|run| (run[0].0, run[0].1)).collect();
    }

    /// Goes back to runs of these lengths and starts.
    pub(super) fn restore(&mut self, spots: Vec<Spot>, lengths: &[usize], starts: Vec<(i64, i64)>) {
        let mut spots = spots.into_iter();
        self.runs = lengths.iter().map(|n| spots.by_ref().take(*n).collect()).collect();
        self.starts = starts;
    }

    pub(super) fn starts(&self) -> &[(i64, i64)] {
        &self.starts
    }

    /// The run of this place and key. There must be one.
    pub(super) fn run_of(&self, place: i64, key: i64) -> usize {
        self.starts.partition_point(|start| *start <= (place, key)).saturating_sub(1)
    }

    /// Takes a token in; gives its run.
    pub(super) fn insert(&mut self, spot: Spot) -> usize {
        let at = self.run_of(spot.0, spot.1);
        let run = &mut self.runs[at];
        let place = run.partition_point(|other| *other < spot);
        run.insert(place, spot);
        at
    }

    /// Takes a token out; gives its run.
    pub(super) fn remove(&mut self, place: i64, key: i64) -> usize {
        let at = self.run_of(place, key);
        self.runs[at].retain(|spot| (spot.0, spot.1) != (place, key));
        at
    }

    /// Lets empty runs go and cuts long ones. Gives where each run came from, if any did.
    pub(super) fn tidy(&mut self) -> Option<Vec<Origin>> {
        let is_tidy = |run: &Vec<Spot>| !run.is_empty() && run.len() <= 2 * self.length;
        if self.runs.iter().all(is_tidy) {
            return None;
        }
        let (mut origins, mut starts, mut runs) = (Vec::new(), Vec::new(), Vec::new());
        let before = std::mem::take(&mut self.runs);
        for (at, run) in before.into_iter().enumerate() {
            if run.len() <= 2 * self.length {
                if !run.is_empty() {
                    starts.push(self.starts[at]);
                    origins.push(Origin::Kept(at));
                    runs.push(run);
                }
                continue;
            }
            for part in run.chunks(self.length) {
                starts.push((part[0].0, part[0].1));
                origins.push(Origin::Cut);
                runs.push(part.to_vec());
            }
        }
        (self.runs, self.starts) = (runs, starts);
        Some(origins)
    }

    /// What a query at this place sees: all runs before this one, and so many tokens of it.
    pub(super) fn seen(&self, place: i64) -> (usize, usize) {
        if self.runs.is_empty() {
            return (0, 0);
        }
        let run = self.run_of(place, i64::MAX);
        (run, self.runs[run].partition_point(|spot| spot.0 <= place))
    }
}
