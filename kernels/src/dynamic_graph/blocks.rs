//! Blocks of ends in one array, each of a power of two of words, with room to grow. A block that
//! grows moves, and leaves its place to others of its size.

use super::end::End;
use super::vertices::NOBODY;

/// Where ends lie: `len` of `1 << class` words; none is of class 0.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Block {
    start: u32,
    /// How many words are in use.
    pub(super) len: u32,
    class: u32,
}

/// The array, and what is free of it.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    ends: Vec<End>,
    /// For each class, where blocks are free.
    free: Vec<Vec<u32>>,
}

impl Block {
    /// Where a place of the block stands in the array.
    pub(super) fn word(self, place: u32) -> u32 {
        self.start + place
    }
}

impl Blocks {
    /// The words of a block that are in use.
    #[inline]
    pub(super) fn ends(&self, block: Block) -> &[End] {
        &self.ends[block.start as usize..block.start as usize + block.len as usize]
    }

    /// The same, to be changed.
    pub(super) fn ends_mut(&mut self, block: Block) -> &mut [End] {
        &mut self.ends[block.start as usize..block.start as usize + block.len as usize]
    }

    /// A word of the array; none beyond it.
    pub(super) fn word(&self, at: u32) -> Option<End> {
        self.ends.get(at as usize).copied()
    }

    /// Appends an end. Cost: O(1), but for a block that is full.
    pub(super) fn push(&mut self, block: &mut Block, end: End) {
        if block.class == 0 || block.len == 1 << block.class {
            self.widen(block);
        }
        self.ends[(block.start + block.len) as usize] = end;
        block.len += 1;
    }

    /// Lays all blocks out in this order, with room for so many words each.
    /// Cost: O(blocks + ends).
    pub(super) fn lay_out<'b>(&mut self, blocks: impl Iterator<Item = (&'b mut Block, u32)>) {
        let mut ends = Vec::with_capacity(self.ends.len());
        for (block, wanted) in blocks {
            let start = place(ends.len());
            ends.extend_from_slice(self.ends(*block));
            (block.start, block.class) = (start, class_of(wanted));
            ends.resize(start as usize + words(block.class), HOLE);
        }
        self.ends = ends;
        self.free.clear();
    }

    /// None, and room for so many words.
    pub(super) fn with_room(n_words: usize) -> Self {
        Self { ends: Vec::with_capacity(n_words), free: Vec::new() }
    }

    /// Words of all blocks.
    pub(super) fn n_words(&self) -> usize {
        self.ends.len()
    }

    /// A block behind all others, of these ends.
    pub(super) fn append(&mut self, ends: &[End]) -> Block {
        let (start, len) = (place(self.ends.len()), place(ends.len()));
        let class = class_of(len);
        self.ends.extend_from_slice(ends);
        self.ends.resize(start as usize + words(class), HOLE);
        Block { start, len, class }
    }

    /// A block behind all others, of so many words in use that are holes.
    pub(super) fn open(&mut self, len: u32) -> Block {
        let class = class_of(len);
        let start = place(self.ends.len());
        self.ends.resize(start as usize + words(class), HOLE);
        Block { start, len, class }
    }

    /// Puts an end at a word of the array.
    pub(super) fn put(&mut self, at: u32, end: End) {
        self.ends[at as usize] = end;
    }

    fn widen(&mut self, block: &mut Block) {
        let old = *block;
        let class = old.class + 1;
        let free = self.free.get_mut(class as usize).and_then(Vec::pop);
        let start = free.unwrap_or_else(|| self.open(1 << class).start);
        let from = old.start as usize;
        self.ends.copy_within(from..from + old.len as usize, start as usize);
        *block = Block { start, class, ..old };
        if old.class > 0 {
            if self.free.len() <= old.class as usize {
                self.free.resize(old.class as usize + 1, Vec::new());
            }
            self.free[old.class as usize].push(old.start);
        }
    }

    /// Bytes that it takes.
    pub(super) fn state_bytes(&self) -> usize {
        let free: usize = self.free.iter().map(Vec::capacity).sum();
        self.ends.capacity() * 8 + free * 4
    }
}

/// What stands where no end is.
const HOLE: End = End(u64::MAX);

/// A place in the array.
pub(super) fn place(at: usize) -> u32 {
    let at = u32::try_from(at).expect("fewer ends than 2^32");
    assert!(at < NOBODY, "a graph has at most {NOBODY} ends");
    at
}

fn words(class: u32) -> usize {
    if class == 0 { 0 } else { 1 << class }
}

fn class_of(len: u32) -> u32 {
    if len == 0 { 0 } else { len.next_power_of_two().trailing_zeros().max(1) }
}
