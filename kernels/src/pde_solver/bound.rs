//! How far cells are off by rounding, step by step.

use super::grid::{Equation, PdeSpec, float};

/// The unit roundoff of `f64`.
pub(super) const ROUNDOFF: f64 = f64::EPSILON / 2.0;

/// How far cells may be off by rounding.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bound {
    /// The largest value that ever was.
    pub(super) size: f64,
    /// How far now.
    pub(super) off: f64,
    /// How much more they may be off after each step of a wave.
    pub(super) speed: f64,
}

impl Bound {
    /// So many cells are set.
    pub(super) fn set(&mut self, equation: Equation, n_cells: usize) {
        if equation == Equation::Wave && n_cells > 0 {
            self.speed += 2.0 * self.off;
            self.off += self.off;
        }
    }

    /// The scheme does a step.
    pub(super) fn step(&mut self, spec: &PdeSpec) {
        // The last one is for numbers too small to be rounded relatively.
        let once = ROUNDOFF * self.size + f64::MIN_POSITIVE;
        match spec.equation {
            Equation::Heat => self.off += 16.0 * once,
            Equation::Burgers => self.off += 32.0 * once * float(spec.n_cells()),
            Equation::Wave => {
                self.speed += 48.0 * once * float(spec.n_cells()).sqrt();
                self.off += self.speed;
            }
        }
    }
}
