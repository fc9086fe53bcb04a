//! Many values in ascending order, in blocks of some hundreds.
//!
//! A change reads the greatest values of the blocks, which lie side by side, and then one block: of
//! a tree of as many values it would read node after node, each in another place of the memory and
//! each waiting for the one before.

use std::hint::black_box;

use crate::ints::{Key, Values, touch};

/// Bytes of a block: its values, of which some are moved with every change.
const BLOCK_BYTES: usize = 512;

/// Values in ascending order, each there once at least.
#[derive(Debug, Clone)]
pub(crate) struct Blocks<K: Key> {
    /// The greatest value of each block.
    greatest: Vec<K>,
    parts: Vec<Block<K>>,
    /// What the blocks have elsewhere in memory, so that nobody has to ask all of them.
    n_bytes: usize,
}

/// In one line of the memory, if it is of numbers.
#[derive(Debug, Clone)]
#[repr(align(64))]
struct Block<K: Key> {
    /// Different ones, ascending.
    values: K::Values,
    /// How often each is there; nothing where each is there once.
    counts: Vec<u32>,
}

impl<K: Key> Default for Block<K> {
    fn default() -> Self {
        Self { values: K::Values::default(), counts: Vec::new() }
    }
}

impl<K: Key> Default for Blocks<K> {
    fn default() -> Self {
        Self { greatest: Vec::new(), parts: Vec::new(), n_bytes: 0 }
    }
}

impl<K: Key> Block<K> {
    /// Values up to which they are one block.
    const N_MAX: usize = BLOCK_BYTES / size_of::<K>();

    /// Where a value is, or else would be.
    fn place(&self, key: &K) -> Result<usize, usize> {
        let at = self.values.n_less(key);
        if at < self.values.len() && self.values.get(at) == *key { Ok(at) } else { Err(at) }
    }

    fn count(&self, at: usize) -> u32 {
        self.counts.get(at).copied().unwrap_or(1)
    }

    fn set(&mut self, at: usize, count: u32) {
        if self.counts.is_empty() && count != 1 {
            self.counts = vec![1; self.values.len()];
        }
        if let Some(place) = self.counts.get_mut(at) {
            *place = count;
        }
    }

    fn insert(&mut self, at: usize, key: &K, count: u32) {
        self.values.insert(at, key);
        if !self.counts.is_empty() {
            self.counts.insert(at, 1);
        }
        self.set(at, count);
    }

    fn remove(&mut self, at: usize) {
        self.values.remove(at);
        if !self.counts.is_empty() {
            self.counts.remove(at);
        }
        if self.values.len() < self.values.capacity() / 4 {
            self.values.shrink_to(2 * self.values.len());
            self.counts.shrink_to(2 * self.values.len());
        }
    }

    /// Bytes that it has elsewhere in memory.
    fn heap_bytes(&self) -> usize {
        self.values.heap_bytes() + 4 * self.counts.len()
    }

    /// The upper half of its values.
    fn split(&mut self) -> Self {
        let at = self.values.len() / 2;
        let values = self.values.split_off(at);
        let counts = if self.counts.is_empty() { Vec::new() } else { self.counts.split_off(at) };
        self.values.shrink_to(at);
        self.counts.shrink_to(at);
        Self { values, counts }
    }
}

impl<K: Key> Blocks<K> {
    /// How many blocks there are.
    pub(crate) fn n_blocks(&self) -> usize {
        self.parts.len()
    }

    /// The least value.
    pub(crate) fn least(&self) -> Option<K> {
        self.parts.first().map(|block| block.values.get(0))
    }

    /// The greatest value.
    pub(crate) fn greatest(&self) -> Option<K> {
        self.greatest.last().cloned()
    }

    /// Makes a change; or none, and says so, where a value would be there less than never or more
    /// often than 2^32 times.
    pub(crate) fn add(&mut self, key: &K, diff: i64) -> bool {
        let n_blocks = self.parts.len();
        let idx = self.block_of(key);
        let at = match self.parts.get(idx).map(|block| block.place(key)) {
            Some(Ok(at)) => at,
            none => {
                let Ok(count) = u32::try_from(diff) else { return false };
                if count > 0 && n_blocks == 0 {
                    let mut block = Block::default();
                    block.insert(0, key, count);
                    self.n_bytes = block.heap_bytes();
                    self.parts.push(block);
                    self.greatest.push(key.clone());
                } else if let (Some(Err(at)), 1..) = (none, count) {
                    self.insert(idx, at, (key, count));
                }
                return true;
            }
        };
        let count = i64::from(self.parts[idx].count(at)).checked_add(diff);
        let Some(Ok(count)) = count.map(u32::try_from) else { return false };
        if count == 0 {
            self.remove(idx, at);
        } else {
            self.n_bytes -= self.parts[idx].heap_bytes();
            self.parts[idx].set(at, count);
            self.n_bytes += self.parts[idx].heap_bytes();
        }
        true
    }

    /// The block in which a value is or goes; the last one has all that is greater.
    fn block_of(&self, key: &K) -> usize {
        let idx = self.greatest.partition_point(|greatest| greatest < key);
        idx.min(self.greatest.len().saturating_sub(1))
    }

    fn insert(&mut self, idx: usize, at: usize, (key, count): (&K, u32)) {
        let block = &mut self.parts[idx];
        self.n_bytes -= block.heap_bytes();
        block.insert(at, key, count);
        if self.greatest[idx] < *key {
            self.greatest[idx] = key.clone();
        }
        let upper = (block.values.len() > Block::<K>::N_MAX).then(|| block.split());
        self.n_bytes += block.heap_bytes();
        if let Some(upper) = upper {
            self.n_bytes += upper.heap_bytes();
            let lower_greatest = block.values.get(block.values.len() - 1);
            let greatest = std::mem::replace(&mut self.greatest[idx], lower_greatest);
            self.parts.insert(idx + 1, upper);
            self.greatest.insert(idx + 1, greatest);
        }
    }

    fn remove(&mut self, idx: usize, at: usize) {
        let block = &mut self.parts[idx];
        self.n_bytes -= block.heap_bytes();
        block.remove(at);
        self.n_bytes += block.heap_bytes();
        let n_values = block.values.len();
        if n_values == 0 {
            self.n_bytes -= block.heap_bytes();
            self.parts.remove(idx);
            self.greatest.remove(idx);
            return;
        }
        if at == n_values {
            self.greatest[idx] = block.values.get(n_values - 1);
        }
        self.join(idx);
    }

    /// Puts a block that has become small into the one behind it, if both are.
    fn join(&mut self, idx: usize) {
        let n_small = Block::<K>::N_MAX / 4;
        let is_small = |at: usize| self.parts.get(at).is_some_and(|it| it.values.len() < n_small);
        if !is_small(idx) || !is_small(idx + 1) {
            return;
        }
        let next = self.parts.remove(idx + 1);
        self.greatest.remove(idx);
        let block = &mut self.parts[idx];
        self.n_bytes -= block.heap_bytes() + next.heap_bytes();
        for at in 0..next.values.len() {
            block.insert(block.values.len(), &next.values.get(at), next.count(at));
        }
        self.n_bytes += block.heap_bytes();
    }

    /// Whether what it says of its memory is what its blocks have.
    #[cfg(test)]
    pub(crate) fn is_weighed(&self) -> bool {
        self.n_bytes == self.parts.iter().map(Block::heap_bytes).sum::<usize>()
    }

    /// Reads what changes of these values will: what they need lies behind pointers, which are
    /// followed one at a time for all of them.
    pub(crate) fn read_ahead<'k>(&self, keys: &(impl Iterator<Item = &'k K> + Clone))
    where
        K: 'k,
    {
        touch(&self.greatest, |greatest| *greatest == self.greatest[0]);
        let blocks = || keys.clone().filter_map(|key| self.parts.get(self.block_of(key)));
        for block in blocks() {
            black_box(block.values.len());
        }
        for block in blocks() {
            block.values.touch();
        }
    }

    /// The values from the least, each with how often it is there.
    pub(crate) fn ascending(&self) -> impl Iterator<Item = (K, i64)> {
        self.parts.iter().flat_map(|block| {
            (0..block.values.len()).map(|at| (block.values.get(at), i64::from(block.count(at))))
        })
    }

    /// Bytes that it has elsewhere in memory.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.parts.len() * (size_of::<Block<K>>() + size_of::<K>()) + self.n_bytes
    }
}
