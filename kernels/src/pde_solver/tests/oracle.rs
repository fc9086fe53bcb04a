//! The schemes in plain loops, written down once more.

use super::{Equation, PdeDelta, PdeSpec};

/// A grid, and the level of time before.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) spec: PdeSpec,
    pub(super) now: Vec<Vec<f64>>,
    before: Vec<Vec<f64>>,
}

impl Model {
    pub(super) fn new(spec: PdeSpec) -> Self {
        let zeros = vec![vec![0.0; spec.width]; spec.height];
        Self { spec, now: zeros.clone(), before: zeros }
    }

    /// Sets cells and moves on.
    pub(super) fn take(&mut self, delta: &PdeDelta) {
        for (at, u) in delta.u.iter().enumerate() {
            let [x, y] = [delta.x[at], delta.y[at]].map(|at| usize::try_from(at).unwrap());
            self.now[y][x] = *u;
            self.before[y][x] = *u;
        }
        for _ in 0..self.spec.n_steps {
            let next = (0..self.spec.height)
                .map(|y| (0..self.spec.width).map(|x| self.next(x, y)).collect())
                .collect();
            self.before = std::mem::replace(&mut self.now, next);
        }
    }

    fn at(&self, x: usize, y: usize, by: [isize; 2]) -> f64 {
        let (x, y) = (x.checked_add_signed(by[0]), y.checked_add_signed(by[1]));
        x.zip(y).and_then(|(x, y)| self.now.get(y)?.get(x)).copied().unwrap_or(0.0)
    }

    fn next(&self, x: usize, y: usize) -> f64 {
        let PdeSpec { dt, dx, coefficient, .. } = self.spec;
        let u = self.now[y][x];
        let sides = [[-1, 0], [1, 0], [0, -1], [0, 1]].map(|by| self.at(x, y, by));
        let bend = (sides.iter().sum::<f64>() - 4.0 * u) / (dx * dx);
        match self.spec.equation {
            Equation::Heat => u + dt * coefficient * bend,
            Equation::Wave => {
                2.0 * u - self.before[y][x] + dt * dt * coefficient * coefficient * bend
            }
            Equation::Burgers => {
                let flux = |a: f64, b: f64| 0.5 * (a.max(0.0).powi(2) + b.min(0.0).powi(2));
                let [west, east, north, south] = sides;
                let out = flux(u, east) - flux(west, u) + flux(u, south) - flux(north, u);
                u - dt * out / dx + dt * coefficient * bend
            }
        }
    }
}
