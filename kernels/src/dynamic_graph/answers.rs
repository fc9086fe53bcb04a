//! What an algorithm says of each vertex, whichever algorithm it is.

use std::io;

use super::components::Components;
use super::dirty::Dirty;
use super::edges::{Edges, Flip};
use super::lists::Keep;
use super::meter::{Meter, words};
use super::paths::{Lengths, Paths};
use super::ranks::Ranks;
use super::rows::Algorithm;
use super::said::Answer;
use crate::mode::Mode;
use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};

/// The answers of one algorithm.
#[derive(Debug)]
pub(super) enum Answers {
    Paths(Paths),
    Components(Components),
    Ranks(Box<Ranks>),
}

impl Answers {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Reachability => Self::Paths(Paths::new(Lengths::Hops)),
            Algorithm::ShortestPaths => Self::Paths(Paths::new(Lengths::Weights)),
            Algorithm::Components => Self::Components(Components::default()),
            Algorithm::PageRank(spec) => Self::Ranks(Box::new(Ranks::new(spec))),
        }
    }

    pub(super) fn grow(&mut self, n_slots: usize) {
        match self {
            Self::Paths(paths) => paths.grow(n_slots),
            Self::Components(components) => components.grow(n_slots),
            Self::Ranks(ranks) => ranks.grow(n_slots),
        }
    }

    pub(super) fn begin(&mut self, mode: Mode) {
        match (self, mode) {
            (Self::Paths(paths), Mode::Pass) => paths.begin_pass(),
            (Self::Paths(paths), _) => paths.begin_itmd(),
            (Self::Components(components), Mode::Pass) => components.begin_pass(),
            (Self::Components(components), _) => components.begin_itmd(),
            (Self::Ranks(ranks), _) => ranks.begin(),
        }
    }

    pub(super) fn of(&self, slot: u32, algorithm: Algorithm) -> Option<Answer> {
        match self {
            Self::Paths(paths) if algorithm == Algorithm::Reachability => {
                paths.answer(slot).map(|_| Answer::Reached)
            }
            Self::Paths(paths) => paths.answer(slot).map(Answer::Number),
            Self::Components(components) => components.answer(slot).map(Answer::Number),
            Self::Ranks(ranks) => ranks.answer(slot).map(Answer::Rank),
        }
    }

    pub(super) fn error_max(&self) -> f64 {
        match self {
            Self::Ranks(ranks) => ranks.error_max(),
            Self::Paths(_) | Self::Components(_) => 0.0,
        }
    }

    /// Follows edges that came or went, or goes through all in a pass; whether it has ended.
    pub(super) fn advance(
        &mut self,
        edges: &Edges,
        (flips, is_pass): (&[Flip], bool),
        dirty: &mut Dirty,
        meter: &mut Meter,
    ) -> bool {
        match self {
            Self::Paths(paths) => paths.advance(edges, flips, dirty, meter),
            Self::Components(components) => components.advance(edges, flips, dirty, meter),
            Self::Ranks(ranks) => ranks.advance(edges, (flips, is_pass), dirty, meter),
        }
    }

    pub(super) fn state_bytes(&self) -> usize {
        match self {
            Self::Paths(paths) => paths.state_bytes(),
            Self::Components(components) => components.state_bytes(),
            Self::Ranks(ranks) => ranks.state_bytes(),
        }
    }

    pub(super) fn save(&self, out: &mut SnapshotWriter<'_>) -> io::Result<()> {
        match self {
            Self::Paths(paths) => paths.save(out),
            Self::Components(components) => components.save(out),
            Self::Ranks(ranks) => ranks.save(out),
        }
    }

    pub(super) fn load(
        algorithm: Algorithm,
        input: &mut SnapshotReader<'_>,
        edges: &Edges,
    ) -> Result<Self, LoadError> {
        let n_slots = edges.vertices.n_slots();
        let answers = match algorithm {
            Algorithm::Reachability => Self::Paths(Paths::load(Lengths::Hops, input, n_slots)?),
            Algorithm::ShortestPaths => Self::Paths(Paths::load(Lengths::Weights, input, n_slots)?),
            Algorithm::Components => Self::Components(Components::load(input, n_slots)?),
            Algorithm::PageRank(spec) => Self::Ranks(Box::new(Ranks::load(spec, input, edges)?)),
        };
        Ok(answers)
    }
}

/// Sums over what hands ranks on need no list of whom it is handed to.
pub(super) fn keep(algorithm: Algorithm) -> Keep {
    match algorithm {
        Algorithm::PageRank(_) => Keep::Degrees,
        Algorithm::Reachability | Algorithm::ShortestPaths | Algorithm::Components => Keep::Ends,
    }
}

/// How far two answers are apart; infinitely if only one is there.
pub(super) fn difference(one: Option<Answer>, other: Option<Answer>) -> f64 {
    match (one, other) {
        (Some(Answer::Number(one)), Some(Answer::Number(other))) => words(one.abs_diff(other)),
        (Some(Answer::Rank(one)), Some(Answer::Rank(other))) => (one - other).abs(),
        (one, other) if one == other => 0.0,
        _ => f64::INFINITY,
    }
}
