//! Where edges stand in their rows: found by hash, in one line of memory mostly.
//!
//! A line has eight entries of 64 bits: a tag of the hash, and the places in both rows. Keys are
//! not kept; whoever looks compares what stands at the places. Nothing iterates it.

use std::hint::select_unpredictable;

/// A line of memory.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Line([u64; 8]);

/// Places by edges.
#[derive(Debug)]
pub(super) struct Index {
    lines: Vec<Line>,
    /// Lines that there are when all are opened.
    n_lines: usize,
    /// Entries that something left.
    n_left: usize,
}

/// What an entry that is in use has.
const USED: u64 = 1 << 63;

/// The lowest bit of a tag.
const TAG: u64 = 1 << 48;

/// Where an edge stands in the rows of both its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) out: u32,
    pub(super) into: u32,
}

/// Lines that are opened at a time: 256 KiB.
pub(super) const OPENED_AT_ONCE: usize = 1 << 12;

/// Nothing was there yet.
const FREE: u64 = 0;

/// Something was, and others may have gone on to the next line.
const LEFT: u64 = 1;

/// Places from here on are not kept, but looked for in the row.
const FAR: u32 = (1 << 24) - 1;

impl Index {
    /// Room for so many edges.
    pub(super) fn new(n_edges: usize) -> Self {
        let mut index = Self::closed(n_edges);
        while !index.open() {}
        index
    }

    /// The same when [`Self::open`] has opened all of it.
    pub(super) fn closed(n_edges: usize) -> Self {
        let n_lines = (n_edges / FILLED + 1).next_power_of_two();
        Self { lines: Vec::with_capacity(n_lines), n_lines, n_left: 0 }
    }

    /// Opens up to [`OPENED_AT_ONCE`] lines; true when all are open. Fresh memory is slow to write.
    pub(super) fn open(&mut self) -> bool {
        let to = self.n_lines.min(self.lines.len() + OPENED_AT_ONCE);
        self.lines.resize(to, Line([FREE; 8]));
        to == self.n_lines
    }

    /// Whether there is room for so many edges, and little that was left.
    pub(super) fn has_room(&self, n_edges: usize) -> bool {
        n_edges / FILLED < self.lines.len() && self.n_left <= self.lines.len() / 2
    }

    fn line(&self, hash: u64) -> usize {
        // Below the number of lines, which memory holds.
        usize::try_from(hash & (self.lines.len() as u64 - 1)).expect("see above")
    }

    /// Reads where the places of these edges are; the number is of no use.
    pub(super) fn touch(&self, hashes: &[u64]) -> u64 {
        hashes.iter().fold(0, |sum, hash| sum ^ self.lines[self.line(*hash)].0[0])
    }

    /// What may be the places of the edge with this hash, or of another.
    pub(super) fn guess(&self, hash: u64) -> [Option<u32>; 2] {
        let Line(words) = &self.lines[self.line(hash)];
        let matches = match_bits(words, tag_of(hash));
        // What is no entry has no places that are kept.
        let word = words[matches.trailing_zeros() as usize % 8];
        places_of(select_unpredictable(matches == 0, u64::MAX, word))
    }

    /// The entry with this hash that is the one; none where it is not known.
    pub(super) fn find(&self, hash: u64, mut is_it: impl FnMut(Found) -> bool) -> Option<Found> {
        let (mut line, tag) = (self.line(hash), tag_of(hash));
        for _ in 0..self.lines.len() {
            let Line(words) = &self.lines[line];
            let mut matches = match_bits(words, tag);
            while matches != 0 {
                let at = matches.trailing_zeros() as usize;
                let found = Found { line, at, places: places_of(words[at]) };
                if is_it(found) {
                    return Some(found);
                }
                matches &= matches - 1;
            }
            if words.contains(&FREE) {
                return None;
            }
            line = (line + 1) & (self.lines.len() - 1);
        }
        None
    }

    /// Notes where an edge stands that is not known.
    pub(super) fn insert(&mut self, hash: u64, places: Places) -> Found {
        let mut line = self.line(hash);
        let word = word_of(tag_of(hash), places);
        loop {
            let Line(words) = &mut self.lines[line];
            if let Some(at) = words.iter().position(|word| *word <= LEFT) {
                self.n_left -= usize::from(words[at] == LEFT);
                words[at] = word;
                return Found { line, at, places: places_of(word) };
            }
            line = (line + 1) & (self.lines.len() - 1);
        }
    }

    /// Forgets what was found.
    pub(super) fn remove(&mut self, found: Found) {
        let Line(words) = &mut self.lines[found.line];
        let is_last = words.contains(&FREE);
        words[found.at] = if is_last { FREE } else { LEFT };
        self.n_left += usize::from(!is_last);
    }

    /// It is known where the edge stands outward.
    pub(super) fn place_out(&mut self, found: Found, out: u32) {
        let word = &mut self.lines[found.line].0[found.at];
        *word = *word & !(u64::from(FAR) << 24) | u64::from(out.min(FAR)) << 24;
    }

    /// Bytes that it takes.
    pub(super) fn state_bytes(&self) -> usize {
        self.lines.len() * size_of::<Line>()
    }
}

/// An entry, and the places that it tells; those that are not kept are [`None`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    line: usize,
    at: usize,
    pub(super) places: [Option<u32>; 2],
}

/// Entries of a line that are used on average at most, of eight.
const FILLED: usize = 4;

/// Bits that did not choose the line.
fn tag_of(hash: u64) -> u64 {
    (hash | USED) & !(TAG - 1)
}

/// In the order of outward and inward.
fn places_of(word: u64) -> [Option<u32>; 2] {
    let place = |bits: u64| u32::try_from(bits & u64::from(FAR)).ok().filter(|place| *place < FAR);
    [place(word >> 24), place(word)]
}

fn word_of(tag: u64, places: Places) -> u64 {
    tag | u64::from(places.out.min(FAR)) << 24 | u64::from(places.into.min(FAR))
}

/// A bit for each word with the tag.
fn match_bits(words: &[u64; 8], tag: u64) -> u32 {
    let bits = words.iter().enumerate().map(|(at, word)| u32::from(word & !(TAG - 1) == tag) << at);
    bits.fold(0, |all, bit| all | bit)
}

/// A hash of all 64 bits.
pub(super) fn hash([src, dst, code]: [u32; 3]) -> u64 {
    let ends = u64::from(src) << 32 | u64::from(dst);
    fold(fold(ends ^ SALT[0], SALT[1]) ^ u64::from(code), SALT[2])
}

/// Both halves of a product in one.
#[expect(clippy::cast_possible_truncation, reason = "halves are taken")]
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64
}

/// Odd numbers without a pattern.
const SALT: [u64; 3] = [0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F, 0xD6E8_FEB8_6659_FD93];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Keys are told apart by their places, which are keys here; hashes meet.
        #[test]
        fn an_index_is_a_map(changes in prop::collection::vec((0_u32..40, 0_u64..3), 0..300)) {
            let (mut index, mut wanted) = (Index::new(40), BTreeMap::new());
            for (key, salt) in changes {
                let hash = u64::from(key % 5) | salt << 60;
                let find = |index: &Index, hash| {
                    index.find(hash, |found| found.places[1] == Some(key))
                };
                if let Some(hash) = wanted.remove(&key) {
                    let found = find(&index, hash).unwrap();
                    index.remove(found);
                    prop_assert!(find(&index, hash).is_none());
                } else {
                    prop_assert!(find(&index, hash).is_none());
                    wanted.insert(key, hash);
                    index.insert(hash, Places { out: FAR + 9, into: key });
                    let found = find(&index, hash).unwrap();
                    prop_assert_eq!(found.places, [None, Some(key)]);
                    index.place_out(found, key + 1);
                }
                for (key, hash) in &wanted {
                    let found = index.find(*hash, |found| found.places[1] == Some(*key));
                    prop_assert_eq!(found.unwrap().places, [Some(*key + 1), Some(*key)]);
                }
            }
        }
    }
}
