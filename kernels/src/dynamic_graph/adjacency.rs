//! Short lists of neighbours, side by side in one array that can be changed in place.

use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};

use super::blocks::{Block, Blocks, place};
use super::end::End;

/// The ends of each vertex. Cost: O(1) to append, O(length) to find or remove.
#[derive(Debug, Default)]
pub(super) struct Adjacency {
    lists: Vec<Block>,
    blocks: Blocks,
}

impl Adjacency {
    /// There are at least this many vertices.
    pub(super) fn grow(&mut self, n_slots: usize) {
        if self.lists.len() < n_slots {
            self.lists.resize(n_slots, Block::default());
        }
    }

    /// The ends of a vertex, in the order in which they came unless one was removed.
    pub(super) fn ends(&self, vertex: u32) -> &[End] {
        self.blocks.ends(self.lists[vertex as usize])
    }

    pub(super) fn degree(&self, vertex: u32) -> usize {
        self.lists[vertex as usize].len as usize
    }

    /// Whether the end is there.
    pub(super) fn has(&self, vertex: u32, end: End) -> bool {
        position(self.ends(vertex), end).is_some()
    }

    /// Appends an end.
    pub(super) fn insert(&mut self, vertex: u32, end: End) {
        self.blocks.push(&mut self.lists[vertex as usize], end);
    }

    /// Removes an end, in whose place the last one comes; false if it is not there.
    pub(super) fn remove(&mut self, vertex: u32, end: End) -> bool {
        let list = &mut self.lists[vertex as usize];
        let ends = self.blocks.ends_mut(*list);
        let Some(at) = position(ends, end) else {
            return false;
        };
        ends[at] = ends[ends.len() - 1];
        list.len -= 1;
        true
    }

    /// Lays all blocks out in the order of vertices, with room for so many more ends of each.
    /// Cost: O(vertices + ends).
    pub(super) fn make_room(&mut self, more: &[u32]) {
        self.grow(more.len());
        let more = more.iter().copied().chain(std::iter::repeat(0));
        let lists = self.lists.iter_mut().zip(more);
        self.blocks.lay_out(lists.map(|(list, more)| {
            let wanted = list.len + more;
            (list, wanted)
        }));
    }

    /// All ends go; their room stays.
    pub(super) fn clear(&mut self) {
        self.lists.iter_mut().for_each(|list| list.len = 0);
    }

    /// Bytes that it takes.
    pub(super) fn state_bytes(&self) -> usize {
        self.lists.capacity() * size_of::<Block>() + self.blocks.state_bytes()
    }

    pub(super) fn save(&self, out: &mut SnapshotWriter<'_>) -> std::io::Result<()> {
        out.numbers("degrees", self.lists.iter().map(|list| list.len))?;
        let vertices = 0..place(self.lists.len());
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
