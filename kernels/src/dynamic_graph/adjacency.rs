//! Short lists of neighbours, side by side in one array that can be changed in place.

use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};

use super::vertices::NOBODY;

/// The other end of an edge, in one word: the vertex above, the code of the weight below. A hole
/// has the uppermost bit, and a number below.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End(pub(super) u64);

/// What marks a hole.
const HOLE_BIT: u64 = 1 << 63;

impl End {
    pub(super) fn new(vertex: u32, code: u32) -> Self {
        Self(u64::from(vertex) << 32 | u64::from(code))
    }

    /// A hole with a number.
    pub(super) fn hole(number: u32) -> Self {
        Self(HOLE_BIT | u64::from(number))
    }

    pub(super) fn is_hole(self) -> bool {
        self.0 & HOLE_BIT != 0
    }

    /// The vertex, of which there are fewer than 2^31; of a hole, 0.
    pub(super) fn vertex(self) -> u32 {
        ((self.0 & !HOLE_BIT) >> 32) as u32
    }

    /// The code, or the number of a hole.
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is the code")]
    pub(super) fn code(self) -> u32 {
        self.0 as u32
    }
}

/// Where the neighbours of a vertex lie: `len` of `1 << class` words; none is of class 0.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    start: u32,
    len: u32,
    class: u32,
}

/// Blocks of ends, each of a power of two, with room to grow. A block that grows moves, and leaves
/// its place to others of its size. Cost: O(1) to append, O(length) to find or remove.
#[derive(Debug, Default)]
pub(super) struct Adjacency {
    blocks: Vec<Block>,
    ends: Vec<End>,
    /// For each class, where blocks are free.
    free: Vec<Vec<u32>>,
}

impl Adjacency {
    /// There are at least this many vertices.
    pub(super) fn grow(&mut self, n_slots: usize) {
        if self.blocks.len() < n_slots {
            self.blocks.resize(n_slots, Block::default());
        }
    }

    /// The ends of a vertex, in the order in which they came unless one was removed.
    pub(super) fn ends(&self, vertex: u32) -> &[End] {
        let Block { start, len, .. } = self.blocks[vertex as usize];
        &self.ends[start as usize..start as usize + len as usize]
    }

    pub(super) fn degree(&self, vertex: u32) -> usize {
        self.blocks[vertex as usize].len as usize
    }

    /// Whether the end is there.
    pub(super) fn has(&self, vertex: u32, end: End) -> bool {
        position(self.ends(vertex), end).is_some()
    }

    /// Appends an end.
    pub(super) fn insert(&mut self, vertex: u32, end: End) {
        let block = self.blocks[vertex as usize];
        if block.class == 0 || block.len == 1 << block.class {
            self.widen(vertex, block.class + 1);
        }
        let block = &mut self.blocks[vertex as usize];
        self.ends[(block.start + block.len) as usize] = end;
        block.len += 1;
    }

    /// Removes an end, in whose place the last one comes; false if it is not there.
    pub(super) fn remove(&mut self, vertex: u32, end: End) -> bool {
        let block = &mut self.blocks[vertex as usize];
        let start = block.start as usize;
        let ends = &mut self.ends[start..start + block.len as usize];
        let Some(at) = position(ends, end) else {
            return false;
        };
        ends[at] = ends[ends.len() - 1];
        block.len -= 1;
        true
    }

    /// Lays all blocks out in the order of vertices, with room for so many more ends of each.
    /// Cost: O(vertices + ends).
    pub(super) fn make_room(&mut self, more: &[u32]) {
        self.grow(more.len());
        let mut ends = Vec::with_capacity(self.ends.len());
        let more = more.iter().copied().chain(std::iter::repeat(0));
        for (block, more) in self.blocks.iter_mut().zip(more) {
            let from = block.start as usize..block.start as usize + block.len as usize;
            block.start = place(ends.len());
            block.class = class_of(block.len + more);
            ends.extend_from_slice(&self.ends[from]);
            ends.resize(block.start as usize + words(block.class), HOLE);
        }
        self.ends = ends;
        self.free.clear();
    }

    /// All ends go; their room stays.
    pub(super) fn clear(&mut self) {
        self.blocks.iter_mut().for_each(|block| block.len = 0);
    }

    fn widen(&mut self, vertex: u32, class: u32) {
        let old = self.blocks[vertex as usize];
        let free = self.free.get_mut(class as usize).and_then(Vec::pop);
        let start = free.unwrap_or_else(|| {
            let start = place(self.ends.len());
            self.ends.resize(start as usize + words(class), HOLE);
            start
        });
        let from = old.start as usize;
        self.ends.copy_within(from..from + old.len as usize, start as usize);
        self.blocks[vertex as usize] = Block { start, class, ..old };
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
        self.blocks.capacity() * size_of::<Block>() + self.ends.capacity() * 8 + free * 4
    }

    pub(super) fn save(&self, out: &mut SnapshotWriter<'_>) -> std::io::Result<()> {
        out.numbers("degrees", self.blocks.iter().map(|block| block.len))?;
        let vertices = 0..place(self.blocks.len());
        out.numbers("ends", vertices.flat_map(|vertex| self.ends(vertex).iter().map(|end| end.0)))
    }

    pub(super) fn load(input: &mut SnapshotReader<'_>, n_slots: usize) -> Result<Self, LoadError> {
        let damaged = || LoadError::Damaged { section: "degrees" };
        let degrees: Vec<u32> = input.numbers("degrees")?;
        let words: Vec<u64> = input.numbers("ends")?;
        let n_ends: u64 = degrees.iter().map(|degree| u64::from(*degree)).sum();
        if n_ends != words.len() as u64 || degrees.len() > n_slots {
            return Err(damaged());
        }
        let mut adjacency = Self::default();
        adjacency.make_room(&degrees);
        let mut rest = words.into_iter().map(End);
        for (vertex, degree) in (0_u32..).zip(degrees) {
            for end in rest.by_ref().take(degree as usize) {
                if end.vertex() as usize >= n_slots {
                    return Err(damaged());
                }
                adjacency.insert(vertex, end);
            }
        }
        adjacency.grow(n_slots);
        Ok(adjacency)
    }
}

/// What stands where no end is.
const HOLE: End = End(u64::MAX);

fn place(at: usize) -> u32 {
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

/// Eight at a time, since a loop that may end at every word is not vectorised.
fn position(ends: &[End], end: End) -> Option<usize> {
    let chunks = ends.chunks_exact(8);
    let rest = chunks.remainder();
    for (at, chunk) in chunks.enumerate() {
        if chunk.iter().map(|one| u8::from(*one == end)).sum::<u8>() > 0 {
            return chunk.iter().position(|one| *one == end).map(|inner| at * 8 + inner);
        }
    }
    let inner = rest.iter().position(|one| *one == end)?;
    Some(ends.len() - rest.len() + inner)
}
