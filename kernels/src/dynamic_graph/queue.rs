//! A queue of vertices by whole numbers that never fall below the last one that came out.
//!
//! Near keys lie in a ring of buckets (Dial, *Algorithm 360*, 1969), far ones in a heap, so that
//! small weights cost O(1) and large ones O(log n).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Buckets in the ring: keys that are less than this above the last one are near.
const NEAR: u64 = 256;

/// Vertices by their keys. Equal keys come out in any, but always the same, order.
#[derive(Debug)]
pub(super) struct Queue {
    ring: Vec<Vec<u32>>,
    /// A bit for each bucket that is not empty.
    filled: [u64; 4],
    far: BinaryHeap<Reverse<(u64, u32)>>,
    /// The key that came out last.
    last: u64,
}

impl Default for Queue {
    fn default() -> Self {
        let ring = vec![Vec::new(); 256];
        Self { ring, filled: [0; 4], far: BinaryHeap::new(), last: 0 }
    }
}

impl Queue {
    /// Any key may come next. The queue is empty.
    pub(super) fn restart(&mut self) {
        assert!(self.filled == [0; 4] && self.far.is_empty(), "the queue is empty");
        self.last = 0;
    }

    /// Puts a vertex in; the key is not below the last one that came out.
    pub(super) fn push(&mut self, key: u64, vertex: u32) {
        if key - self.last < NEAR {
            self.put_near(key, vertex);
        } else {
            self.far.push(Reverse((key, vertex)));
        }
    }

    /// Takes a vertex with the least key out.
    pub(super) fn pop(&mut self) -> Option<(u64, u32)> {
        if self.filled == [0; 4] {
            self.last = self.far.peek()?.0.0;
            self.fetch();
        }
        let at = self.next_filled();
        let start = self.last % NEAR;
        let ahead = (at + NEAR - start) % NEAR;
        if ahead > 0 {
            self.last += ahead;
            self.fetch();
        }
        let bucket = &mut self.ring[usize::try_from(at).expect("a bucket is below 256")];
        let vertex = bucket.pop().expect("the bucket is filled");
        if bucket.is_empty() {
            self.filled[word(at)] &= !(1 << (at % 64));
        }
        Some((self.last, vertex))
    }

    /// What comes out next if it has the same key, and none comes before.
    pub(super) fn peek(&self) -> Option<u32> {
        let at = usize::try_from(self.last % NEAR).expect("a bucket is below 256");
        self.ring[at].last().copied()
    }

    /// Those that have become near go to the ring.
    fn fetch(&mut self) {
        while let Some(Reverse((key, vertex))) = self.far.peek().copied() {
            if key - self.last >= NEAR {
                break;
            }
            self.far.pop();
            self.put_near(key, vertex);
        }
    }

    fn put_near(&mut self, key: u64, vertex: u32) {
        let at = key % NEAR;
        self.ring[usize::try_from(at).expect("a bucket is below 256")].push(vertex);
        self.filled[word(at)] |= 1 << (at % 64);
    }

    /// The first filled bucket from that of the last key on, around the ring.
    fn next_filled(&self) -> u64 {
        let start = self.last % NEAR;
        let first = self.filled[word(start)] >> (start % 64);
        if first != 0 {
            return start + u64::from(first.trailing_zeros());
        }
        for step in 1..=4 {
            let at = (start / 64 + step) % 4;
            let bits = self.filled[word(at * 64)];
            if bits != 0 {
                return at * 64 + u64::from(bits.trailing_zeros());
            }
        }
        unreachable!("a bucket is filled")
    }

    /// Bytes that it takes.
    pub(super) fn state_bytes(&self) -> usize {
        let ring: usize = self.ring.iter().map(|bucket| bucket.capacity() * 4).sum();
        ring + self.far.capacity() * 16
    }
}

fn word(at: u64) -> usize {
    usize::try_from(at / 64).expect("a word is below 4")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_come_out_in_order(
            seeds in prop::collection::vec((0_u64..2_000, 0_u64..600), 0..60),
            large in prop::collection::vec(0_u64..u64::MAX / 2, 0..5),
        ) {
            let (mut queue, mut wanted) = (Queue::default(), BinaryHeap::new());
            let put = |queue: &mut Queue, wanted: &mut BinaryHeap<Reverse<u64>>, key| {
                queue.push(key, 7);
                wanted.push(Reverse(key));
            };
            for key in seeds.iter().map(|(key, _)| key).chain(&large) {
                put(&mut queue, &mut wanted, *key);
            }
            let mut more = seeds.iter().map(|(_, more)| *more);
            while let Some((key, vertex)) = queue.pop() {
                prop_assert_eq!((key, vertex), (wanted.pop().unwrap().0, 7));
                if let Some(more) = more.next() {
                    put(&mut queue, &mut wanted, key + more);
                }
            }
            prop_assert!(wanted.is_empty());
        }
    }
}
