//! How much a change would change, and whether it fits.

use std::ops::Range;

use super::PdeSolver;
use super::grid::PdeDelta;
use super::runs::{largest, most_apart, run_at};
use crate::churn::Churn;
use crate::kernel::DeltaError;
use crate::threads::share_work;
use crate::vector::wide;

/// Cells that are looked at, or set, at a time.
pub(super) const SLICE: usize = 1 << 14;

/// Cells that are checked at a time.
const BLOCK: usize = 1 << 10;

impl PdeSolver {
    /// How much would change.
    pub(super) fn look(&self, delta: &PdeDelta) -> Result<(Churn, ()), DeltaError> {
        let PdeDelta { x, y, u } = delta;
        for (what, found) in [("y", y.len()), ("u", u.len())] {
            if found != x.len() {
                return Err(DeltaError::Shape { what, found, wanted: x.len() });
            }
        }
        let churn = self.churn(delta).ok_or_else(|| self.fault(delta))?;
        Ok((churn, ()))
    }

    /// What is wrong with a change that does not fit.
    fn fault(&self, PdeDelta { x, y, u }: &PdeDelta) -> DeltaError {
        for (what, places, n_keys) in [("x", x, self.spec.width), ("y", y, self.spec.height)] {
            let is_in = |at: &i64| usize::try_from(*at).is_ok_and(|at| at < n_keys);
            if let Some(found) = places.iter().find(|at| !is_in(at)).copied() {
                return DeltaError::Key { what, found, n_keys };
            }
        }
        if !u.iter().all(|u| u.is_finite()) {
            return DeltaError::NotFinite { what: "u" };
        }
        DeltaError::Range { what: "u", wanted: "small enough for `dt`" }
    }

    /// Whether so many cells are set that what they were is not looked at: then `delta_max` is what
    /// they are and no value exceeded before, together.
    pub(super) fn is_bulk(&self, n_changed: usize) -> bool {
        8 * n_changed >= self.spec.n_cells()
    }

    /// How much would change; none if something does not fit. Threads share the cells.
    fn churn(&self, delta: &PdeDelta) -> Option<Churn> {
        let n_changed = delta.u.len();
        let is_bulk = self.is_bulk(n_changed);
        let starts = (0..n_changed).step_by(SLICE);
        let parts = share_work(4 * n_changed, starts, |_, from| {
            self.most_changed(delta, from..n_changed.min(from + SLICE))
        });
        let delta_max = parts.into_iter().try_fold(0.0, |most: f64, part| Some(most.max(part?)))?;
        let before = if is_bulk { self.bound.size } else { 0.0 };
        let delta_max = before + delta_max;
        Some(Churn { n_changed, n_total: self.spec.n_cells(), delta_max })
    }

    /// The largest change of some cells, or where so many change that it does not matter their
    /// largest size; none if something does not fit. In blocks that the nearest cache holds, each
    /// checked and then compared. What is below 0 is far beyond any side as well, and no
    /// comparison holds for what is no number.
    fn most_changed(&self, delta: &PdeDelta, cells: Range<usize>) -> Option<f64> {
        let PdeDelta { x, y, u } = delta;
        let is_bulk = self.is_bulk(u.len());
        let (width, height, value_max) =
            (self.spec.width as u64, self.spec.height as u64, self.spec.value_max());
        wide(
            #[inline(always)]
            || {
                let mut most = 0.0_f64;
                for from in cells.clone().step_by(BLOCK) {
                    let to = cells.end.min(from + BLOCK);
                    let cells = x[from..to].iter().zip(&y[from..to]).zip(&u[from..to]);
                    let is_fine = cells.fold(true, |is_fine, ((x, y), u)| {
                        let is_in = (x.cast_unsigned() < width) & (y.cast_unsigned() < height);
                        is_fine & is_in & (u.abs() <= value_max)
                    });
                    if !is_fine {
                        return None;
                    }
                    if is_bulk {
                        most = most.max(largest(&u[from..to]));
                        continue;
                    }
                    let mut at = from;
                    while at < to {
                        let (word, len) = run_at(delta, at..to, self.layout);
                        let now = &self.now[word..word + len];
                        most = most.max(most_apart(now, &u[at..at + len]));
                        at += len;
                    }
                }
                Some(most)
            },
        )
    }
}
