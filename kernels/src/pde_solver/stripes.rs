//! Stripes of bands of tiles, which are stepped side by side: each has its own piece of the cells,
//! and of what lies beyond it two rows of cells as they were before the step. So a tile finds the
//! same numbers around it wherever the grid is cut, and computes the same bits.

use super::layout::{Layout, TILE_CELLS, TILE_HEIGHT, TILE_WIDTH};

/// What tiles that were stepped in place were before, where later ones look at it.
#[derive(Debug, Clone)]
pub(super) struct Seams {
    last: Last,
    /// Tiles that were stepped.
    is_stepped: Vec<bool>,
}

/// The last cells of tiles that were stepped, as they were before.
#[derive(Debug, Clone, Default)]
pub(super) struct Last {
    /// Of each column of tiles, the last row of the one that was stepped last.
    pub(super) rows: Vec<f64>,
    /// The last column of the tile that was stepped last.
    pub(super) column: [f64; TILE_HEIGHT],
}

/// Cells of some bands, which one thread steps.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    /// The first tile.
    pub(super) start: usize,
    /// Those that are stepped, in their order.
    pub(super) tiles: &'a [usize],
    pub(super) cells: &'a mut [f64],
}

/// Tiles of some bands, which one thread steps in place.
#[derive(Debug)]
pub(super) struct Stripe<'a> {
    pub(super) piece: Piece<'a>,
    pub(super) last: Last,
    pub(super) is_stepped: &'a mut [bool],
    /// The rows of cells above and below, as they were; none at the edges of the grid.
    above: Vec<f64>,
    below: Vec<f64>,
}

/// What a tile can see before it is stepped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    /// The first tile of the cells.
    start: usize,
    cells: &'a [f64],
    /// None where tiles are not stepped in place.
    stepped: Option<(&'a Last, &'a [bool])>,
    above: &'a [f64],
    below: &'a [f64],
}

/// Which tiles to step, and where bands begin that are cut from those before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut<'a> {
    pub(super) layout: Layout,
    /// In their order.
    pub(super) tiles: &'a [usize],
    /// Stripes at most.
    pub(super) n_most: usize,
}

impl Last {
    fn new(layout: Layout) -> Self {
        Self { rows: vec![0.0; layout.n_across * TILE_WIDTH], column: [0.0; TILE_HEIGHT] }
    }

    /// The last row of the tile that was stepped last in this column of tiles.
    pub(super) fn row(&self, column: usize) -> &[f64] {
        &self.rows[column * TILE_WIDTH..][..TILE_WIDTH]
    }
}

impl Seams {
    pub(super) fn new(layout: Layout) -> Self {
        Self { last: Last::new(layout), is_stepped: vec![false; layout.n_tiles()] }
    }

    /// The tile has ended its step, as have all others.
    pub(super) fn forget(&mut self, tile: usize) {
        self.is_stepped[tile] = false;
    }

    /// The grid in stripes that have about as many tiles to step each. All bands are in one of
    /// them.
    pub(super) fn stripes<'a>(&'a mut self, cells: &'a mut [f64], cut: Cut<'a>) -> Vec<Stripe<'a>> {
        let layout = cut.layout;
        let bands = cut.bands();
        let edges = bands.iter().map(|band| self.rows_around(cells, cut, *band));
        let (mut above, mut below): (Vec<_>, Vec<_>) = edges.unzip();
        below.push(Vec::new());
        let mut is_stepped = self.is_stepped.as_mut_slice();
        let mut stripes = Vec::with_capacity(bands.len());
        for (at, piece) in cut.pieces(cells).into_iter().enumerate() {
            let n_tiles = piece.cells.len() / TILE_CELLS;
            // The first goes on with what was stepped before, the others see it in their edges.
            let last = if at == 0 { std::mem::take(&mut self.last) } else { Last::new(layout) };
            stripes.push(Stripe {
                piece,
                is_stepped: is_stepped.split_off_mut(..n_tiles).expect("each tile is in a piece"),
                last,
                above: std::mem::take(&mut above[at]),
                below: std::mem::take(&mut below[at + 1]),
            });
        }
        stripes
    }

    /// The last row of cells above a band as it was before the step, and the first of the band,
    /// of which no tile was stepped, where tiles that are to be stepped see them; nothing above the
    /// first band.
    fn rows_around(&self, cells: &[f64], cut: Cut<'_>, band: usize) -> (Vec<f64>, Vec<f64>) {
        let n_across = cut.layout.n_across;
        if band == 0 {
            return (Vec::new(), Vec::new());
        }
        let width = n_across * TILE_WIDTH;
        let (mut above, mut below) = (vec![0.0; width], vec![0.0; width]);
        for tile in cut.tiles_of(band) {
            let (column, other) = (tile % n_across, tile - n_across);
            let first = other * TILE_CELLS + (TILE_HEIGHT - 1) * TILE_WIDTH;
            above[column * TILE_WIDTH..][..TILE_WIDTH].copy_from_slice(if self.is_stepped[other] {
                self.last.row(column)
            } else {
                &cells[first..first + TILE_WIDTH]
            });
        }
        for other in cut.tiles_of(band - 1) {
            let (column, tile) = (other % n_across, other + n_across);
            below[column * TILE_WIDTH..][..TILE_WIDTH]
                .copy_from_slice(&cells[tile * TILE_CELLS..][..TILE_WIDTH]);
        }
        (above, below)
    }

    /// Takes back what stripes know of their last tiles, in their order.
    pub(super) fn join(&mut self, cut: Cut<'_>, ended: Vec<Last>) {
        let n_across = cut.layout.n_across;
        let bands = cut.bands();
        let ends = bands[1..].iter().map(|band| band * n_across).chain([usize::MAX]);
        let mut rest = cut.tiles;
        for (at, (end, last)) in ends.zip(ended).enumerate() {
            let (tiles, after) = rest.split_at(rest.partition_point(|tile| *tile < end));
            rest = after;
            if at == 0 {
                self.last = last;
                continue;
            }
            let Some(end) = tiles.last() else { continue };
            // Others are above no tile that is still to be stepped.
            for tile in tiles.iter().rev().take_while(|tile| end - *tile < n_across) {
                let column = tile % n_across;
                let row = column * TILE_WIDTH..(column + 1) * TILE_WIDTH;
                self.last.rows[row].copy_from_slice(last.row(column));
            }
            self.last.column = last.column;
        }
    }
}

impl<'a> Cut<'a> {
    /// The cells of all bands in as many pieces.
    pub(super) fn pieces<'c>(self, cells: &'c mut [f64]) -> Vec<Piece<'c>>
    where
        'a: 'c,
    {
        let Self { layout, mut tiles, .. } = self;
        let (mut cells, bands) = (cells, self.bands());
        let ends = bands[1..].iter().copied().chain([layout.n_down]);
        let piece = |(band, end): (&usize, usize)| {
            let [start, end] = [*band, end].map(|band| band * layout.n_across);
            let (here, rest) = tiles.split_at(tiles.partition_point(|tile| *tile < end));
            tiles = rest;
            let n_words = (end - start) * TILE_CELLS;
            let cells = cells.split_off_mut(..n_words).expect("the bands are there");
            Piece { start, tiles: here, cells }
        };
        bands.iter().zip(ends).map(piece).collect()
    }

    /// Those that are stepped of a band.
    fn tiles_of(&self, band: usize) -> &'a [usize] {
        let place =
            |band: usize| self.tiles.partition_point(|tile| *tile < band * self.layout.n_across);
        &self.tiles[place(band)..place(band + 1)]
    }

    /// The first bands of the stripes.
    fn bands(&self) -> Vec<usize> {
        let (n_tiles, n_most) = (self.tiles.len(), self.n_most.max(1));
        let mut bands = vec![0];
        for at in 1..n_most {
            let Some(tile) = self.tiles.get(at * n_tiles / n_most) else { continue };
            let band = tile / self.layout.n_across;
            // A band of which some tiles were stepped earlier is not cut off.
            let is_begun = band == self.tiles[0] / self.layout.n_across;
            if band > *bands.last().expect("the first is there") && !is_begun {
                bands.push(band);
            }
        }
        bands
    }
}

impl Stripe<'_> {
    /// What its tiles see.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    pub(super) fn around(&self) -> Around<'_> {
        Around {
            start: self.piece.start,
            cells: self.piece.cells,
            stepped: Some((&self.last, self.is_stepped)),
            above: &self.above,
            below: &self.below,
        }
    }
}

impl<'a> Around<'a> {
    /// The whole grid, which is not stepped in place.
    pub(super) fn whole(cells: &'a [f64]) -> Self {
        Self { start: 0, cells, stepped: None, above: &[], below: &[] }
    }

    /// Where the tile lies among the cells.
    pub(super) fn place(self, tile: usize) -> usize {
        (tile - self.start) * TILE_CELLS
    }

    fn cells(self, tile: usize) -> &'a [f64] {
        &self.cells[self.place(tile)..][..TILE_CELLS]
    }

    fn last(self, tile: usize) -> Option<&'a Last> {
        self.stepped.filter(|(_, is_stepped)| is_stepped[tile - self.start]).map(|(last, _)| last)
    }

    /// The last row of the tile above, which is there.
    pub(super) fn north(self, tile: usize, n_across: usize) -> &'a [f64] {
        let column = tile % n_across;
        if tile - self.start < n_across {
            return &self.above[column * TILE_WIDTH..][..TILE_WIDTH];
        }
        let other = tile - n_across;
        match self.last(other) {
            Some(last) => last.row(column),
            None => &self.cells(other)[(TILE_HEIGHT - 1) * TILE_WIDTH..],
        }
    }

    /// The first row of the tile below, which is there.
    pub(super) fn south(self, tile: usize, n_across: usize) -> &'a [f64] {
        let other = tile + n_across;
        if self.place(other) < self.cells.len() {
            return &self.cells(other)[..TILE_WIDTH];
        }
        &self.below[tile % n_across * TILE_WIDTH..][..TILE_WIDTH]
    }

    /// The last column of the tile to the left, which is there.
    pub(super) fn west(self, tile: usize, column: &mut [f64]) {
        if let Some(last) = self.last(tile - 1) {
            column.copy_from_slice(&last.column);
            return;
        }
        let rows = self.cells(tile - 1).chunks_exact(TILE_WIDTH);
        column.iter_mut().zip(rows).for_each(|(west, row)| *west = row[TILE_WIDTH - 1]);
    }

    /// The first column of the tile to the right, which is there.
    pub(super) fn east(self, tile: usize, column: &mut [f64]) {
        let rows = self.cells(tile + 1).chunks_exact(TILE_WIDTH);
        column.iter_mut().zip(rows).for_each(|(east, row)| *east = row[0]);
    }
}
