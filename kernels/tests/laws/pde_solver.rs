//! The laws of grids, of each equation in turn.

#[path = "../../src/pde_solver/tests/oracle.rs"]
mod oracle;

use std::collections::BTreeMap;

use arqon_kernels::{Equation, PdeDelta, PdeRows, PdeSolver, PdeSpec};

use crate::harness::{Subject, try_in_time};
use crate::random::Random;
use oracle::Model;

#[derive(Clone)]
struct Grid {
    model: Model,
    error_max: f64,
}

impl Subject for Grid {
    type Kernel = PdeSolver;
    type Key = (i64, i64);

    fn new(random: &mut Random) -> Self {
        let equation = [Equation::Heat, Equation::Wave, Equation::Burgers][random.below(3)];
        let spec = PdeSpec {
            equation,
            width: 1 + random.below(140),
            height: 1 + random.below(70),
            dt: 0.2,
            dx: 1.0,
            coefficient: 0.5,
            n_steps: 1 + random.below(3),
        };
        // Others than heat leave nothing, and the bound of waves may be of no use.
        let error_max = match equation {
            Equation::Heat => [1e-9, 0.05][random.below(2)],
            Equation::Wave | Equation::Burgers => f64::MAX,
        };
        Self { model: Model::new(spec), error_max }
    }

    fn spec(&self) -> PdeSpec {
        self.model.spec
    }

    fn change(&mut self, random: &mut Random) -> PdeDelta {
        let mut delta = PdeDelta::default();
        for _ in 0..random.below(4) {
            let mut place = |n: usize| i64::try_from(random.below(n)).unwrap();
            let cell = [place(self.model.spec.width), place(self.model.spec.height)];
            delta.push(cell, random.unit() - 0.5);
        }
        self.model.take(&delta);
        delta
    }

    fn since(&self, _before: &Self) -> PdeDelta {
        unreachable!("a grid moves on with every step")
    }

    fn answer(&self) -> BTreeMap<(i64, i64), Vec<f64>> {
        let mut rows = BTreeMap::new();
        for (y, row) in (0..).zip(&self.model.now) {
            rows.extend((0..).zip(row).map(|(x, u)| ((x, y), vec![*u])));
        }
        rows
    }

    fn rows(output: &PdeRows) -> BTreeMap<(i64, i64), Vec<f64>> {
        let keys = output.x.iter().copied().zip(output.y.iter().copied());
        keys.zip(&output.u).map(|(key, u)| (key, vec![*u])).collect()
    }

    fn error_max(&self) -> f64 {
        self.error_max
    }

    /// The error of a grid is rounding alone, of which the definition commits the same, being the
    /// same expression in `f64`: it cannot be told how far the bound lies above it.
    fn looseness(&self) -> f64 {
        f64::INFINITY
    }
}

#[test]
fn grids_obey_the_laws_that_hold_in_time() {
    try_in_time::<Grid>(6);
}
