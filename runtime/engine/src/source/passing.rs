//! Which rows are read by anybody at all.

use arqon_types::ColumnBatch;

use crate::evaluate::{Faults, Formula};

/// Which rows of a batch some reader lets through.
pub(crate) struct Passing(pub(crate) Vec<bool>);

impl Passing {
    /// None if all are.
    pub(crate) fn of(batch: &ColumnBatch, readers: &[Vec<Formula>]) -> Option<Self> {
        if readers.is_empty() {
            return None;
        }
        let mut passing = vec![false; batch.len()];
        for conditions in readers {
            let mut own = vec![0_usize; batch.len()];
            for condition in conditions {
                let mut faults = Faults::new();
                for at in condition.select(batch, &mut faults) {
                    own[at as usize] += 1;
                }
                assert!(faults.is_empty(), "a condition that may fail is asked of no source");
            }
            for (passes, n) in passing.iter_mut().zip(own) {
                *passes |= n == conditions.len();
            }
        }
        Some(Self(passing))
    }

    /// Whether a row passes.
    pub(crate) fn has(&self, row_idx: usize) -> bool {
        self.0[row_idx]
    }

    /// Of the first rows those that pass.
    pub(crate) fn up_to(&self, n_rows: usize) -> Vec<u32> {
        first_rows(n_rows).into_iter().filter(|at| self.0[*at as usize]).collect()
    }
}

/// The first rows of a batch.
pub(crate) fn first_rows(n_rows: usize) -> Vec<u32> {
    (0..u32::try_from(n_rows).expect("a batch has fewer than 2^32 rows")).collect()
}
