//! Blocks of ends in one array, mostly each of a power of two of words, with room to grow. A block
//! that grows moves, and leaves its place to others of its size.

use super::end::End;
use super::vertices::NOBODY;

/// Where ends lie: `len` of `room` words.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Block {
    start: u32,
    /// How many words are in use.
    pub(super) len: u32,
    room: u32,
}

/// The array, and what is free of it.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    ends: Vec<End>,
    /// For each power of two, where blocks of at least so many words are free.
    free: Vec<Vec<u32>>,
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

    /// Appends an end. Cost: O(1), but for a block that is full.
    pub(super) fn push(&mut self, block: &mut Block, end: End) {
        if block.len == block.room {
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
            (block.start, block.room) = (start, room_for(wanted));
            ends.resize((start + block.room) as usize, NO_END);
        }
        self.ends = ends;
        self.free.clear();
    }

    fn widen(&mut self, block: &mut Block) {
        let old = *block;
        let room = room_for(old.room + 1);
        let free = self.free.get_mut(room.ilog2() as usize).and_then(Vec::pop);
        let start = free.unwrap_or_else(|| {
            let start = place(self.ends.len());
            self.ends.resize((start + room) as usize, NO_END);
            start
        });
        let from = old.start as usize;
        self.ends.copy_within(from..from + old.len as usize, start as usize);
        *block = Block { start, room, ..old };
        if let Some(power) = old.room.checked_ilog2() {
            if self.free.len() <= power as usize {
                self.free.resize(power as usize + 1, Vec::new());
            }
            self.free[power as usize].push(old.start);
        }
    }

    /// Bytes that it takes.
    pub(super) fn state_bytes(&self) -> usize {
        let free: usize = self.free.iter().map(Vec::capacity).sum();
        self.ends.capacity() * 8 + free * 4
    }
}

/// What stands where no end is.
const NO_END: End = End(u64::MAX);

/// A place in the array.
pub(super) fn place(at: usize) -> u32 {
    let at = u32::try_from(at).expect("fewer ends than 2^32");
    assert!(at < NOBODY, "a graph has at most {NOBODY} ends");
    at
}

/// A power of two of words, at least two; none for none.
fn room_for(len: u32) -> u32 {
    if len == 0 { 0 } else { len.next_power_of_two().max(2) }
}
