//! Cells in the order of tiles: each tile lies in one piece, row by row, so that a tile among
//! others that rest is read from memory as one run. Of tiles at the right and the lower edge some
//! cells lie outside of the grid; they are always 0.

use super::grid::PdeSpec;

/// Cells in a row of a tile.
pub(super) const TILE_WIDTH: usize = 32;

/// Rows of a tile.
pub(super) const TILE_HEIGHT: usize = 32;

/// Cells of a tile.
pub(super) const TILE_CELLS: usize = TILE_WIDTH * TILE_HEIGHT;

/// Where cells lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    width: usize,
    height: usize,
    /// Tiles in a band.
    pub(super) n_across: usize,
    /// Bands of tiles.
    pub(super) n_down: usize,
}

impl Layout {
    pub(super) fn new(spec: &PdeSpec) -> Self {
        let (n_across, n_down) =
            (spec.width.div_ceil(TILE_WIDTH), spec.height.div_ceil(TILE_HEIGHT));
        Self { width: spec.width, height: spec.height, n_across, n_down }
    }

    pub(super) fn n_tiles(self) -> usize {
        self.n_across * self.n_down
    }

    /// Words that hold all cells.
    pub(super) fn n_words(self) -> usize {
        self.n_tiles() * TILE_CELLS
    }

    /// The word of a cell.
    pub(super) fn word(self, [x, y]: [usize; 2]) -> usize {
        let tile = y / TILE_HEIGHT * self.n_across + x / TILE_WIDTH;
        tile * TILE_CELLS + y % TILE_HEIGHT * TILE_WIDTH + x % TILE_WIDTH
    }

    /// The columns of a tile.
    pub(super) fn columns(self, tile: usize) -> std::ops::Range<usize> {
        let start = tile % self.n_across * TILE_WIDTH;
        start..self.width.min(start + TILE_WIDTH)
    }

    /// The rows of a tile.
    pub(super) fn rows(self, tile: usize) -> std::ops::Range<usize> {
        let start = tile / self.n_across * TILE_HEIGHT;
        start..self.height.min(start + TILE_HEIGHT)
    }
}
