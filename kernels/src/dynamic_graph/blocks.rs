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

/// Whether a block has many more words than ends, or few, and is read faster.
#[derive(Debug, Clone, Copy)]
pub(super) enum Room {
    ToGrow,
    Tight,
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
            ends.resize((start + block.room) as usize, HOLE);
        }
        self.ends = ends;
        self.free.clear();
    }

    /// None, and room for so many words.
    pub(super) fn with_room(n_words: usize) -> Self {
        Self { ends: Vec::with_capacity(n_words), ..Self::default() }
    }

    /// Words of all blocks.
    pub(super) fn n_words(&self) -> usize {
        self.ends.len()
    }

    /// A block behind all others, of these ends.
    pub(super) fn append(&mut self, ends: &[End], room: Room) -> Block {
        let (start, len) = (place(self.ends.len()), place(ends.len()));
        let room = match room {
            Room::ToGrow => room_for(len),
            Room::Tight => len + len / 8,
        };
        self.ends.extend_from_slice(ends);
        self.ends.resize((start + room) as usize, HOLE);
        Block { start, len, room }
    }

    /// A block behind all others, of so many words in use that are holes.
    pub(super) fn open(&mut self, len: u32) -> Block {
        let (start, room) = (place(self.ends.len()), room_for(len));
        self.ends.resize((start + room) as usize, HOLE);
        Block { start, len, room }
    }

    /// Puts an end at a word of the array.
    pub(super) fn put(&mut self, at: u32, end: End) {
        self.ends[at as usize] = end;
    }

    fn widen(&mut self, block: &mut Block) {
        let old = *block;
        let room = room_for(old.room + 1);
        let free = self.free.get_mut(room.ilog2() as usize).and_then(Vec::pop);
        let start = free.unwrap_or_else(|| self.open(room).start);
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
const HOLE: End = End(u64::MAX);

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
