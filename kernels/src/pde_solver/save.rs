//! The state as bytes.

use std::io;

use super::PdeSolver;
use super::bound::Bound;
use super::grid::{Equation, PdeSpec};
use super::layout::Layout;
use crate::kernel::Kernel;
use crate::pages::Pages;
use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};

/// What a snapshot is of.
const NAME: &str = "pde_solver.4";

impl PdeSolver {
    pub(super) fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let mut out = SnapshotWriter::new(out, NAME)?;
        let PdeSpec { equation, width, height, dt, dx, coefficient, n_steps } = self.spec;
        out.number("equation", equation as u8)?;
        out.numbers("shape", [width as u64, height as u64, n_steps as u64])?;
        out.numbers("arguments", [dt, dx, coefficient])?;
        out.numbers("now", self.now.iter().copied())?;
        out.numbers("before", self.before.iter().copied())?;
        let tiles = &self.tiles;
        out.numbers("moved", tiles.moved.iter().copied())?;
        out.numbers("along", tiles.along.iter().flatten().copied())?;
        let flags = tiles.moved_before.iter().chain(&tiles.owes).chain(&self.is_dirty);
        out.numbers("flags", flags.map(|flag| u8::from(*flag)))?;
        out.numbers("rest", tiles.rest.iter().copied())?;
        let Bound { size, off, speed } = self.bound;
        out.numbers("bound", [tiles.off, size, off, speed, tiles.spread])?;
        out.number("is_said", u8::from(self.said.is_some()))?;
        out.numbers("said", self.said.iter().flat_map(|said| said.iter().copied()))
    }

    pub(super) fn read_from(input: &mut dyn io::Read) -> Result<Self, LoadError> {
        let damaged = |section| LoadError::Damaged { section };
        let mut input = SnapshotReader::new(input, NAME)?;
        let equation = match input.number::<u8>("equation")? {
            0 => Equation::Heat,
            1 => Equation::Wave,
            2 => Equation::Burgers,
            _ => return Err(damaged("equation")),
        };
        let shape: Vec<u64> = input.array("shape", 3)?;
        let side = |at: usize| usize::try_from(shape[at]).map_err(|_| damaged("shape"));
        let (width, height, n_steps) = (side(0)?, side(1)?, side(2)?);
        let arguments: Vec<f64> = input.array("arguments", 3)?;
        let (dt, dx, coefficient) = (arguments[0], arguments[1], arguments[2]);
        let spec = PdeSpec { equation, width, height, dt, dx, coefficient, n_steps };
        spec.check().map_err(|_| damaged("arguments"))?;
        let n_words = Layout::new(&spec).n_words();
        let n_before = if equation == Equation::Wave { n_words } else { 0 };
        // Read before the grid is made: a damaged shape costs no memory.
        let now: Vec<f64> = input.array("now", n_words)?;
        let before: Vec<f64> = input.array("before", n_before)?;
        let mut kernel = Self::compile(&spec).map_err(|_| damaged("arguments"))?;
        let n_tiles = kernel.tiles.len();
        (kernel.now, kernel.before) = (Pages::from(&now[..]), Pages::from(&before[..]));
        kernel.tiles.moved = input.array("moved", n_tiles)?;
        let along: Vec<f64> = input.array("along", 4 * n_tiles)?;
        kernel.tiles.along = along.as_chunks().0.to_vec();
        let flags: Vec<u8> = input.array("flags", 3 * n_tiles)?;
        let flags: Vec<bool> = flags.into_iter().map(|flag| flag != 0).collect();
        kernel.tiles.moved_before = flags[..n_tiles].to_vec();
        kernel.tiles.owes = flags[n_tiles..2 * n_tiles].to_vec();
        kernel.is_dirty = flags[2 * n_tiles..].to_vec();
        kernel.tiles.rest = input.array("rest", n_tiles)?;
        let bound: Vec<f64> = input.array("bound", 5)?;
        (kernel.tiles.off, kernel.tiles.spread) = (bound[0], bound[4]);
        kernel.bound = Bound { size: bound[1], off: bound[2], speed: bound[3] };
        let is_said: u8 = input.number("is_said")?;
        let said: Vec<f64> = input.array("said", if is_said == 0 { 0 } else { n_words })?;
        kernel.said = (is_said != 0).then(|| Pages::from(&said[..]));
        kernel.tiles.find_live();
        Ok(kernel)
    }
}
