//! Rows whose keys came in ascending order: kept as columns, without a table.
//!
//! Files mostly have their rows in the order of their keys. Then nothing needs to be looked up as
//! they come, and a key is found later by halving. Rows are in blocks; those of a block that go are
//! marked, and a block of which few are left is given up.

use std::cmp::Ordering;

use arqon_types::{Column, ColumnBatch, PackedRow};

use super::compact::Compact;
use super::shape::Shape;

/// Rows and bytes from which on a block takes no more rows, and is made compact.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockSize {
    /// Rows.
    pub(crate) n_rows: usize,
    /// Bytes.
    pub(crate) n_bytes: usize,
}

impl Default for BlockSize {
    fn default() -> Self {
        Self { n_rows: 4096, n_bytes: 1 << 20 }
    }
}

/// Rows with ascending keys.
#[derive(Debug, Default)]
pub(crate) struct Run {
    size: BlockSize,
    blocks: Vec<Block>,
    n_bytes: usize,
}

/// Some rows of a run.
#[derive(Debug)]
pub(crate) struct Block {
    /// One for each field.
    columns: Vec<Compact>,
    n_rows: usize,
    first: PackedRow,
    last: PackedRow,
    /// Which rows have gone; empty while none has.
    gone: Vec<bool>,
    n_gone: usize,
    n_bytes: usize,
}

impl Run {
    /// No rows, in blocks of such a size.
    #[cfg(test)]
    pub(crate) fn new(size: BlockSize) -> Self {
        Self { size, blocks: Vec::new(), n_bytes: 0 }
    }

    /// No key that was appended is greater.
    pub(crate) fn last(&self) -> Option<&PackedRow> {
        self.blocks.last().map(|block| &block.last)
    }

    /// Appends rows whose keys ascend and are greater than all before.
    pub(crate) fn append(&mut self, shape: &Shape, batch: &ColumnBatch) {
        if batch.is_empty() {
            return;
        }
        let is_large = self.size.is_reached(batch.len(), bytes_of(&batch.columns));
        match self.blocks.last_mut() {
            Some(open) if !is_large && !open.is_full(self.size) => {
                self.n_bytes -= open.n_bytes;
                open.append(shape, batch);
                if open.is_full(self.size) {
                    open.make_compact();
                }
                self.n_bytes += open.n_bytes;
            }
            open => {
                if let Some(open) = open.filter(|open| !open.is_full(self.size)) {
                    self.n_bytes -= open.n_bytes;
                    open.make_compact();
                    self.n_bytes += open.n_bytes;
                }
                let block = Block::new(shape, batch, is_large);
                self.n_bytes += block.n_bytes;
                self.blocks.push(block);
            }
        }
    }

    /// Whether a key has a row.
    pub(crate) fn has(&self, shape: &Shape, key: &PackedRow) -> bool {
        self.find(shape, key).is_some()
    }

    /// The row of a key.
    pub(crate) fn get(&self, shape: &Shape, key: &PackedRow) -> Option<PackedRow> {
        let (block, row_idx) = self.find(shape, key)?;
        Some(self.blocks[block].row(shape, row_idx))
    }

    /// Takes the row of a key out, and with it the rest of its block if that has few rows left.
    pub(crate) fn take(
        &mut self,
        shape: &Shape,
        key: &PackedRow,
    ) -> Option<(PackedRow, Option<Block>)> {
        let (at, row_idx) = self.find(shape, key)?;
        let block = &mut self.blocks[at];
        let row = block.row(shape, row_idx);
        self.n_bytes -= block.n_bytes;
        block.mark(row_idx);
        if 4 * block.n_gone >= 3 * block.n_rows {
            return Some((row, Some(self.blocks.remove(at))));
        }
        self.n_bytes += block.n_bytes;
        Some((row, None))
    }

    /// All keys with their rows.
    pub(crate) fn rows(&self, shape: &Shape) -> impl Iterator<Item = (PackedRow, PackedRow)> {
        self.blocks.iter().flat_map(|block| block.rows(shape))
    }

    /// What it takes of the memory.
    pub(crate) fn n_bytes(&self) -> usize {
        self.n_bytes + self.blocks.capacity() * size_of::<Block>()
    }

    fn find(&self, shape: &Shape, key: &PackedRow) -> Option<(usize, usize)> {
        let at = self.blocks.partition_point(|block| block.first <= *key).checked_sub(1)?;
        Some((at, self.blocks[at].find(shape, key)?))
    }
}

impl BlockSize {
    fn is_reached(self, n_rows: usize, n_bytes: usize) -> bool {
        n_rows >= self.n_rows || n_bytes >= self.n_bytes
    }
}

impl Block {
    fn new(shape: &Shape, batch: &ColumnBatch, is_large: bool) -> Self {
        let column = |column: &Column| {
            if is_large { Compact::new(column) } else { Compact::Plain(column.clone()) }
        };
        let mut block = Self {
            columns: batch.columns.iter().map(column).collect(),
            n_rows: batch.len(),
            first: shape.key_in(batch, 0),
            last: shape.key_in(batch, batch.len() - 1),
            gone: Vec::new(),
            n_gone: 0,
            n_bytes: 0,
        };
        block.measure();
        block
    }

    /// Whether it takes no more rows.
    fn is_full(&self, size: BlockSize) -> bool {
        let is_plain = |column: &Compact| matches!(column, Compact::Plain(_));
        size.is_reached(self.n_rows, self.n_bytes) || !self.columns.iter().all(is_plain)
    }

    fn append(&mut self, shape: &Shape, batch: &ColumnBatch) {
        for (column, more) in self.columns.iter_mut().zip(&batch.columns) {
            if let Compact::Plain(column) = column {
                column.append(more);
            }
        }
        self.n_rows += batch.len();
        self.last = shape.key_in(batch, batch.len() - 1);
        if self.n_gone > 0 {
            self.gone.resize(self.n_rows, false);
        }
        self.measure();
    }

    fn make_compact(&mut self) {
        for column in &mut self.columns {
            if let Compact::Plain(plain) = column {
                *column = Compact::new(plain);
            }
        }
        self.measure();
    }

    fn mark(&mut self, row_idx: usize) {
        self.n_bytes -= self.gone.capacity();
        self.gone.resize(self.n_rows, false);
        self.n_bytes += self.gone.capacity();
        self.gone[row_idx] = true;
        self.n_gone += 1;
    }

    fn measure(&mut self) {
        let columns: usize = self.columns.iter().map(Compact::heap_bytes).sum();
        self.n_bytes = columns
            + self.columns.capacity() * size_of::<Compact>()
            + self.first.heap_bytes()
            + self.last.heap_bytes()
            + self.gone.capacity();
    }

    fn is_gone(&self, row_idx: usize) -> bool {
        self.n_gone > 0 && self.gone[row_idx]
    }

    fn find(&self, shape: &Shape, key: &PackedRow) -> Option<usize> {
        if *key > self.last {
            return None;
        }
        let mut here = PackedRow::new();
        let (mut start, mut end) = (0, self.n_rows);
        while start < end {
            let middle = usize::midpoint(start, end);
            here.clear();
            self.pack_key(shape, middle, &mut here);
            match here.cmp(key) {
                Ordering::Equal => return (!self.is_gone(middle)).then_some(middle),
                Ordering::Less => start = middle + 1,
                Ordering::Greater => end = middle,
            }
        }
        None
    }

    fn pack_key(&self, shape: &Shape, row_idx: usize, packed: &mut PackedRow) {
        for at in &shape.topic.key {
            self.columns[*at].pack(packed, row_idx, &shape.types[*at]);
        }
    }

    fn row(&self, shape: &Shape, row_idx: usize) -> PackedRow {
        let mut row = PackedRow::new();
        for at in &shape.packed {
            self.columns[*at].pack(&mut row, row_idx, &shape.types[*at]);
        }
        row
    }

    /// All keys with their rows.
    pub(crate) fn rows(&self, shape: &Shape) -> impl Iterator<Item = (PackedRow, PackedRow)> {
        (0..self.n_rows).filter(|row_idx| !self.is_gone(*row_idx)).map(|row_idx| {
            let mut key = PackedRow::new();
            self.pack_key(shape, row_idx, &mut key);
            (key, self.row(shape, row_idx))
        })
    }
}

fn bytes_of(columns: &[Column]) -> usize {
    columns.iter().map(Column::heap_bytes).sum()
}
