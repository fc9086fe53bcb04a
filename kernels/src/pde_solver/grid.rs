//! What a grid is compiled of, what goes into it and what comes out, in columns.

use crate::kernel::SpecError;

/// What the cells obey. Around the grid lie cells that are always 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Equation {
    /// `u_t = k (u_xx + u_yy)`, where the coefficient is the diffusivity `k`.
    Heat,
    /// `u_tt = c^2 (u_xx + u_yy)`, where the coefficient is the speed `c`. A cell that is set is at
    /// rest.
    Wave,
    /// `u_t + (u^2/2)_x + (u^2/2)_y = v (u_xx + u_yy)`, where the coefficient is the viscosity `v`.
    Burgers,
}

/// What a grid is compiled of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PdeSpec {
    /// What the cells obey.
    pub equation: Equation,
    /// Cells in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Time that passes in a step of the scheme.
    pub dt: f64,
    /// Distance between neighbours.
    pub dx: f64,
    /// The equation's coefficient.
    pub coefficient: f64,
    /// Steps of the scheme in a step of the kernel.
    pub n_steps: usize,
}

/// Cells that are set before the grid moves on, in columns of one length; of a cell that stands
/// there twice the last one counts. What is taken back changes nothing: the grid has moved on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PdeDelta {
    /// Their places in the row, from 0.
    pub x: Vec<i64>,
    /// Their rows, from 0.
    pub y: Vec<i64>,
    /// Their values.
    pub u: Vec<f64>,
}

/// Places of cells, in columns of one length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PdeKeys {
    /// Their places in the row, from 0.
    pub x: Vec<i64>,
    /// Their rows, from 0.
    pub y: Vec<i64>,
}

/// Cells, in columns of one length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PdeRows {
    /// Their places in the row, from 0.
    pub x: Vec<i64>,
    /// Their rows, from 0.
    pub y: Vec<i64>,
    /// Their values.
    pub u: Vec<f64>,
}

impl PdeDelta {
    /// Appends a cell.
    pub fn push(&mut self, [x, y]: [i64; 2], u: f64) {
        self.x.push(x);
        self.y.push(y);
        self.u.push(u);
    }
}

impl PdeRows {
    /// Appends a cell.
    pub(super) fn push(&mut self, [x, y]: [usize; 2], u: f64) {
        let place = |at: usize| i64::try_from(at).expect("a grid is smaller than 2^63");
        self.x.push(place(x));
        self.y.push(place(y));
        self.u.push(u);
    }
}

impl PdeSpec {
    /// How many cells there are.
    pub(super) fn n_cells(&self) -> usize {
        self.width * self.height
    }

    /// Whether a kernel can be compiled of it: whether the scheme is stable, too. Cost: O(1).
    ///
    /// # Errors
    /// [`SpecError`] with the first that is not.
    pub fn check(&self) -> Result<(), SpecError> {
        let fault = |name, found, wanted| Err(SpecError::Argument { name, found, wanted });
        let sides = [("width", self.width), ("height", self.height), ("steps", self.n_steps)];
        for (name, count) in sides {
            if !(1..=SIDE_MAX).contains(&count) {
                return fault(name, float(count), "from 1 to 65536");
            }
        }
        if self.n_cells() > CELLS_MAX {
            return fault("height", float(self.height), "such that there are at most 2^27 cells");
        }
        let numbers = [("dt", self.dt), ("dx", self.dx), ("coefficient", self.coefficient)];
        for (name, number) in numbers {
            if !(number > 0.0 && number.is_finite()) {
                return fault(name, number, "above 0");
            }
        }
        let weight = self.weight();
        let (is_stable, wanted) = match self.equation {
            Equation::Heat => (weight <= 0.25, "at most dx^2 / (4 coefficient)"),
            Equation::Wave => (weight <= 0.5, "at most dx / (coefficient sqrt(2))"),
            Equation::Burgers => (weight <= 0.24, "at most 0.24 dx^2 / coefficient"),
        };
        // A weight that underflows says nothing about the equation any more.
        if is_stable && weight >= f64::MIN_POSITIVE { Ok(()) } else { fault("dt", self.dt, wanted) }
    }

    /// The weight of a neighbour's difference: `k dt / dx^2`, or `(c dt / dx)^2`.
    pub(super) fn weight(&self) -> f64 {
        match self.equation {
            Equation::Heat | Equation::Burgers => self.coefficient * self.dt / (self.dx * self.dx),
            Equation::Wave => {
                let courant = self.coefficient * self.dt / self.dx;
                courant * courant
            }
        }
    }

    /// The largest value that a cell may be set to: beyond, the scheme for Burgers' equation is not
    /// stable. Values do not grow by themselves, so what is set is all that matters.
    pub fn value_max(&self) -> f64 {
        match self.equation {
            Equation::Heat | Equation::Wave => VALUE_MAX,
            Equation::Burgers => {
                let speed = (1.0 - 4.0 * self.weight()) * self.dx / (2.0 * self.dt);
                (speed * (1.0 - 1e-9)).min(VALUE_MAX)
            }
        }
    }
}

/// Cells in a row, rows, and steps at most.
const SIDE_MAX: usize = 1 << 16;

/// Cells at most: a gibibyte for each level of time.
const CELLS_MAX: usize = 1 << 27;

/// Values at most, so that nothing overflows.
const VALUE_MAX: f64 = 1e150;

/// A count as a float; counts are far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(super) fn float(count: usize) -> f64 {
    count as f64
}
