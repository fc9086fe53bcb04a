//! What a kernel last said of each query, by its slot, so that a step puts out what is no longer
//! so.

use std::io;
use std::ops::Range;

use crate::emit::Emit;
use crate::keyed::{Cell, Table};
use crate::outcome::{Outcome, code, decode};
use crate::snapshot::{LoadError, Number, SnapshotReader, SnapshotWriter};
use crate::vector::ROUNDOFF;

/// What was last said of each query.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said<T> {
    /// `[n_slots, width]`.
    pub(crate) values: Vec<T>,
    /// Whether anything was said; what a query that went was answered is not.
    outcomes: Vec<Option<Outcome>>,
}

/// What was said of some slots, which follow one another.
pub(crate) struct SaidPart<'a, T> {
    first: usize,
    values: &'a mut [T],
    outcomes: &'a mut [Option<Outcome>],
}

impl<T: Copy> SaidPart<'_, T> {
    /// What was said of a slot.
    pub(crate) fn row(&self, slot: usize) -> &[T] {
        let width = self.values.len() / self.outcomes.len();
        &self.values[(slot - self.first) * width..(slot - self.first + 1) * width]
    }

    /// As [`Said::stands`].
    pub(crate) fn stands(&self, emit: Emit, slot: usize, now: (Outcome, f64)) -> bool {
        stands(emit, self.outcomes[slot - self.first], now)
    }

    /// As [`Said::set`].
    pub(crate) fn set(&mut self, slot: usize, outcome: Outcome, row: &[T]) {
        let at = slot - self.first;
        self.outcomes[at] = Some(outcome);
        self.values[at * row.len()..(at + 1) * row.len()].copy_from_slice(row);
    }

    /// As [`Said::forget`].
    pub(crate) fn forget(&mut self, slot: usize) {
        self.outcomes[slot - self.first] = None;
    }
}

/// Whether what was said may stand, where the answer is off by this much.
fn stands(emit: Emit, said: Option<Outcome>, (outcome, off): (Outcome, f64)) -> bool {
    let is_near = match emit {
        Emit::Eps(eps) => off <= eps,
        Emit::All => off == 0.0,
        Emit::Changed | Emit::Pull => false,
    };
    is_near && said == Some(outcome)
}

/// How far off is what stands as said, by `off` from an answer with this bound. Both the difference
/// and the sum may have been rounded down.
pub(crate) fn error_standing(bound: f64, off: f64) -> f64 {
    if off == 0.0 { bound } else { (bound + off) * (1.0 + 4.0 * ROUNDOFF) }
}

impl<T: Number + Default> Said<T> {
    /// The slots of the queries whose rows are computed under this policy; `changed` are those that
    /// came or changed. What was said is kept only under policies that compare with it.
    pub(crate) fn rows(
        said: &mut Option<Self>,
        (emit, changed): (Emit, Vec<usize>),
        (queries, width): (&Table<impl Cell>, usize),
    ) -> Vec<usize> {
        match emit {
            Emit::Changed => {
                *said = None;
                changed
            }
            Emit::Pull => {
                *said = None;
                Vec::new()
            }
            Emit::Eps(_) | Emit::All => {
                let said = said.get_or_insert_default();
                said.values.resize(queries.n_slots() * width, T::default());
                said.outcomes.resize(queries.n_slots(), None);
                // A slot's answer is that of the query that has it now.
                for (outcome, is_live) in said.outcomes.iter_mut().zip(&queries.is_live) {
                    *outcome = outcome.filter(|_| *is_live);
                }
                for slot in &changed {
                    said.outcomes[*slot] = None;
                }
                queries.live().collect()
            }
        }
    }

    /// Whether what was said of a query may stand, where its answer is off by this much.
    pub(crate) fn stands(&self, emit: Emit, slot: usize, now: (Outcome, f64)) -> bool {
        stands(emit, self.outcomes[slot], now)
    }

    /// What was said of these slots, whose ranges ascend, cut so that several can be at it.
    pub(crate) fn cut(&mut self, ranges: &[Range<usize>], width: usize) -> Vec<SaidPart<'_, T>> {
        let (mut values, mut outcomes) = (&mut self.values[..], &mut self.outcomes[..]);
        let (mut at, mut parts) = (0, Vec::with_capacity(ranges.len()));
        for range in ranges {
            let (_, rest) = std::mem::take(&mut values).split_at_mut((range.start - at) * width);
            let (_, rest_outcomes) = std::mem::take(&mut outcomes).split_at_mut(range.start - at);
            let (mine, rest) = rest.split_at_mut(range.len() * width);
            let (my_outcomes, rest_outcomes) = rest_outcomes.split_at_mut(range.len());
            parts.push(SaidPart { first: range.start, values: mine, outcomes: my_outcomes });
            (values, outcomes, at) = (rest, rest_outcomes, range.end);
        }
        parts
    }

    /// What was said in this slot counts no more.
    pub(crate) fn forget(&mut self, slot: usize) {
        if let Some(outcome) = self.outcomes.get_mut(slot) {
            *outcome = None;
        }
    }

    /// Cuts values to those of the slots that there are, with zeros where none was said.
    pub(crate) fn fit(&mut self, width: usize) {
        self.values.resize(self.outcomes.len() * width, T::default());
        for (row, outcome) in self.values.chunks_exact_mut(width).zip(&self.outcomes) {
            if *outcome != Some(Outcome::Value) {
                row.fill(T::default());
            }
        }
    }

    /// Notes what is said of a query.
    pub(crate) fn set(&mut self, slot: usize, outcome: Outcome, row: &[T]) {
        self.outcomes[slot] = Some(outcome);
        self.values[slot * row.len()..(slot + 1) * row.len()].copy_from_slice(row);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.values.len() * T::BYTES + self.outcomes.len()
    }

    pub(crate) fn save(said: Option<&Self>, out: &mut SnapshotWriter<'_>) -> io::Result<()> {
        out.number("has said", u8::from(said.is_some()))?;
        let Some(said) = said else { return Ok(()) };
        out.numbers("said", said.values.iter().copied())?;
        out.numbers("outcomes", said.outcomes.iter().map(|outcome| code(*outcome)))
    }

    pub(crate) fn load(
        input: &mut SnapshotReader<'_>,
        (queries, width): (&Table<impl Cell>, usize),
    ) -> Result<Option<Self>, LoadError> {
        if input.number::<u8>("has said")? == 0 {
            return Ok(None);
        }
        let values: Vec<T> = input.numbers("said")?;
        let outcomes: Vec<u8> = input.numbers("outcomes")?;
        if values.len() != outcomes.len() * width || queries.n_slots() < outcomes.len() {
            return Err(LoadError::Damaged { section: "said" });
        }
        let outcomes = outcomes.into_iter().map(decode).collect();
        Ok(Some(Self { values, outcomes }))
    }
}
