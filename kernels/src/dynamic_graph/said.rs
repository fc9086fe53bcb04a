//! What was last said of each vertex, so that only what is new is said again.

use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};

use super::rows::GraphRows;

/// The last answer that was put out, for each slot.
#[derive(Debug, Default)]
pub(super) struct Said {
    has_answer: Vec<bool>,
    numbers: Vec<i64>,
    ranks: Vec<f64>,
    /// How far ranks may be off what was said, and the sum that they were measured by when all
    /// were looked at.
    pub(super) slack: f64,
    pub(super) sum: f64,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Answer {
    /// That the vertex is reached, and no more.
    Reached,
    /// A distance or a component.
    Number(i64),
    /// A rank.
    Rank(f64),
}

impl Said {
    pub(super) fn grow(&mut self, n_slots: usize) {
        if self.has_answer.len() < n_slots {
            self.has_answer.resize(n_slots, false);
            self.numbers.resize(n_slots, 0);
            self.ranks.resize(n_slots, f64::INFINITY);
        }
    }

    /// Whether something was said of the slot, and not taken back.
    pub(super) fn is_said(&self, slot: u32) -> bool {
        self.has_answer[slot as usize]
    }

    /// Puts out what is new of the slot; gives how many rows.
    pub(super) fn say(
        &mut self,
        (slot, id): (u32, i64),
        answer: Option<Answer>,
        output: &mut GraphRows,
    ) -> usize {
        let at = slot as usize;
        let Some(answer) = answer else {
            let was_said = std::mem::replace(&mut self.has_answer[at], false);
            self.ranks[at] = f64::INFINITY;
            if was_said {
                output.gone.push(id);
            }
            return usize::from(was_said);
        };
        if self.has_answer[at] && self.is_near(at, answer) {
            return 0;
        }
        self.has_answer[at] = true;
        match answer {
            Answer::Reached => {}
            Answer::Number(number) => self.numbers[at] = number,
            Answer::Rank(rank) => self.ranks[at] = rank,
        }
        answer.put(id, output);
        1
    }

    /// The ranks that were last said, infinite where none was.
    pub(super) fn ranks(&self) -> &[f64] {
        &self.ranks
    }

    /// How far a rank may be from what was said when it is looked at.
    pub(super) fn rank_slack(&self) -> f64 {
        LOOKED_AT * self.slack
    }

    /// Whether the answer need not be said again.
    fn is_near(&self, at: usize, answer: Answer) -> bool {
        match answer {
            Answer::Reached => true,
            Answer::Number(number) => self.numbers[at] == number,
            Answer::Rank(rank) => (self.ranks[at] - rank).abs() <= LOOKED_AT * self.slack,
        }
    }

    /// Whether ranks that did not move by themselves may be off by more than they may, since the
    /// sum moved.
    ///
    /// A rank `z / Z` was last compared when the sum was within `s = SCALED * slack` of the one
    /// that is kept, relatively, as is `Z` now; it is at most 1, so it has moved by at most
    /// `2 s / (1 - s)` since, and that and what was let pass then are less than the slack.
    pub(super) fn is_scaled(&self, sum: f64) -> bool {
        let moved = (self.sum / sum - 1.0).abs();
        moved.is_nan() || moved > SCALED * self.slack.min(1.0)
    }

    /// Bytes that it takes.
    pub(super) fn state_bytes(&self) -> usize {
        self.has_answer.capacity() * 17
    }

    pub(super) fn save(&self, out: &mut SnapshotWriter<'_>) -> std::io::Result<()> {
        out.numbers("is_said", self.has_answer.iter().map(|is_said| u8::from(*is_said)))?;
        out.numbers("said_numbers", self.numbers.iter().copied())?;
        out.numbers("said_ranks", self.ranks.iter().copied())?;
        out.numbers("said_by", [self.slack, self.sum])
    }

    pub(super) fn load(input: &mut SnapshotReader<'_>, n_slots: usize) -> Result<Self, LoadError> {
        let is_said: Vec<u8> = input.array("is_said", n_slots)?;
        let numbers = input.array("said_numbers", n_slots)?;
        let ranks = input.array("said_ranks", n_slots)?;
        let by: Vec<f64> = input.array("said_by", 2)?;
        let has_answer = is_said.into_iter().map(|is_said| is_said != 0).collect();
        Ok(Self { has_answer, numbers, ranks, slack: by[0], sum: by[1] })
    }
}

/// The share of the slack that a rank may be off when it is looked at.
const LOOKED_AT: f64 = 0.4;

/// The share that the sum may move before all are looked at.
const SCALED: f64 = 0.2;

impl Answer {
    /// Appends it.
    pub(super) fn put(self, id: i64, output: &mut GraphRows) {
        output.ids.push(id);
        match self {
            Self::Reached => {}
            Self::Number(number) => output.numbers.push(number),
            Self::Rank(rank) => output.ranks.push(rank),
        }
    }
}
