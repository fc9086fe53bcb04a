//! States that add up: what many rows of a group come to, as bytes that another state takes in.
//!
//! Where all that a group remembers are counts and sums, so is what rows that have not met the
//! group yet come to. It is packed as numbers of eight bytes, the number of rows first.

use arqon_types::PackedRow;

use super::{GroupPlan, GroupState};
use crate::accumulate::{DecimalSum, Slot, SlotKind};

impl GroupPlan {
    /// Whether states of this plan can be packed: all they remember are counts, and sums of
    /// integers and decimals.
    pub fn adds_up(&self) -> bool {
        self.slots.iter().all(|slot| match slot.kind {
            SlotKind::Present | SlotKind::Truth | SlotKind::Ints | SlotKind::Decimals => true,
            SlotKind::Floats | SlotKind::Moments | SlotKind::Values | SlotKind::Ends => false,
        })
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
