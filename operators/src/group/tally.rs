//! States that add up: what many rows of a group come to, as bytes that another state takes in.
//!
//! Where all that a group remembers are counts and sums, so is what rows that have not met the
//! group yet come to. It is packed as numbers of eight bytes, the number of rows first.

use arqon_types::{Column, PackedRow};

use super::{GroupPlan, GroupState};
use crate::accumulate::{Cells, DecimalSum, Slot, SlotKind};

/// Rows of several groups.
#[derive(Debug, Clone, Copy)]
pub struct TallyRows<'r> {
    /// What the aggregates read, one column for each of [`GroupPlan::inputs`].
    pub columns: &'r [&'r Column],
    /// How many times each row is there.
    pub diffs: &'r [i64],
    /// Which group each row is of.
    pub groups: &'r [u32],
}

impl GroupPlan {
    /// Whether states of this plan can be packed: all they remember are counts, and sums of
    /// integers and decimals.
    pub fn adds_up(&self) -> bool {
        self.slots.iter().all(|slot| match slot.kind {
            SlotKind::Present | SlotKind::Truth | SlotKind::Ints | SlotKind::Decimals => true,
            SlotKind::Floats | SlotKind::Moments | SlotKind::Values | SlotKind::Ends => false,
        })
    }

    /// The states of so many groups, each with the place of its first row; none of those that no
    /// row is of. As [`GroupState::update`] row by row, but one aggregate after another.
    pub fn tally(&self, rows: TallyRows<'_>, n_groups: usize) -> Vec<Option<(usize, GroupState)>> {
        let mut states: Vec<Option<(usize, GroupState)>> = vec![None; n_groups];
        for (row_idx, (group, diff)) in rows.groups.iter().zip(rows.diffs).enumerate() {
            let state = &mut states[*group as usize];
            let (_, state) = state.get_or_insert_with(|| (row_idx, self.new_state()));
            state.n_rows += diff;
        }
        for (slot_idx, slot) in self.slots.iter().enumerate() {
            let input = slot.inputs.last().map(|(idx, _)| rows.columns[*idx]);
            let mut of_group: Vec<Option<&mut Slot>> = states
                .iter_mut()
                .map(|state| state.as_mut().map(|(_, state)| &mut state.slots[slot_idx]))
                .collect();
            if let (SlotKind::Decimals, Some(Column::Decimal(units))) = (&slot.kind, input) {
                add_decimals(&mut of_group, rows, units);
                continue;
            }
            for (row_idx, (group, diff)) in rows.groups.iter().zip(rows.diffs).enumerate() {
                if let Some(state) = &mut of_group[*group as usize] {
                    let cells = Cells { columns: rows.columns, row_idx };
                    state.update(&cells, &slot.inputs, *diff);
                }
            }
        }
        states
    }
}

/// Adds decimals to the sums of their groups: those of 64 bits in two words first, where as many as
/// a batch has do not pass 128 bits.
fn add_decimals(of_group: &mut [Option<&mut Slot>], rows: TallyRows<'_>, units: &[i128]) {
    let mut sums = vec![(0_i128, 0_i64); of_group.len()];
    for ((group, diff), units) in rows.groups.iter().zip(rows.diffs).zip(units) {
        let group = *group as usize;
        match (i64::try_from(*units), i32::try_from(*diff)) {
            (Ok(small), Ok(times)) => {
                let (sum, n) = &mut sums[group];
                *sum += i128::from(small) * i128::from(times);
                *n += diff;
            }
            _ => {
                if let Some(Slot::Decimals(sum)) = &mut of_group[group] {
                    sum.add(*units, *diff);
                }
            }
        }
    }
    for (slot, (units, n)) in of_group.iter_mut().zip(sums) {
        if let Some(Slot::Decimals(sum)) = slot {
            sum.add(units, 1);
            sum.n += n - 1;
        }
    }
}

impl GroupState {
    /// Appends what was seen.
    ///
    /// # Panics
    /// If states of the plan do not add up.
    pub fn pack(&self, into: &mut PackedRow) {
        let mut push = |word: u64| into.push_bytes(&word.to_be_bytes());
        push(self.n_rows.cast_unsigned());
        for slot in &self.slots {
            match slot {
                Slot::Present(n) => push(n.cast_unsigned()),
                Slot::Truth { n_true, n } => {
                    push(n_true.cast_unsigned());
                    push(n.cast_unsigned());
                }
                Slot::Ints { low, high, n } => {
                    push(*low);
                    push(high.cast_unsigned());
                    push(n.cast_unsigned());
                }
                Slot::Decimals(sum) => {
                    sum.words.into_iter().for_each(&mut push);
                    push(sum.n.cast_unsigned());
                }
                other => unreachable!("{other:?} does not add up"),
            }
        }
    }

    /// Adds what another state of the same plan has seen, and says how many rows that were.
    ///
    /// # Panics
    /// If the bytes are no such state.
    pub fn merge_packed(&mut self, mut bytes: &[u8]) -> i64 {
        let mut next = || {
            let (word, rest) = bytes.split_first_chunk().expect("a state has all its numbers");
            bytes = rest;
            u64::from_be_bytes(*word)
        };
        let n_rows = next().cast_signed();
        let slots = self.slots.iter().map(|slot| match slot {
            Slot::Present(_) => Slot::Present(next().cast_signed()),
            Slot::Truth { .. } => {
                Slot::Truth { n_true: next().cast_signed(), n: next().cast_signed() }
            }
            Slot::Ints { .. } => {
                Slot::Ints { low: next(), high: next().cast_signed(), n: next().cast_signed() }
            }
            Slot::Decimals(_) => {
                let words = [next(), next(), next()];
                Slot::Decimals(Box::new(DecimalSum { words, n: next().cast_signed() }))
            }
            other => unreachable!("{other:?} does not add up"),
        });
        let seen = Self { n_rows, slots: slots.collect() };
        self.merge(&seen);
        n_rows
    }
}
