//! The rows of both sides of a join, by key.
//!
//! The few rows that most keys have stand one after another, behind the key, in one piece of
//! memory: pieces take a fraction of what keys with lists do, and all that a change of a key needs
//! is in one place. Keys with many rows have trees.
//!
//! A piece is numbers, in as few bytes as they need, and packed bytes: how many bytes the key has,
//! the key, how many bytes the left rows take, they, and the right rows. A row is twice its length,
//! one more if it is there more or less often than once, how often then, and its bytes.
//!
//! The table is in parts, by some bits of the hash: one that grows is copied, so that few of all
//! keys are there twice for a while, and no change waits for more than a part.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Known;
use std::hint::black_box;
use std::ops::Range;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;

use crate::memory::signed;
use crate::packed::{Packed, is_same};
use crate::source::hash_packed;

/// Rows up to which those of a side stand one after another.
const FEW_ROWS_MAX: usize = 16;
/// Bytes of them up to which they do: they are copied with every change.
const FEW_BYTES_MAX: usize = 1024;
/// Parts of a table, a power of two.
const N_PARTS: usize = 16;

/// Rows with multiplicities; negative ones are kept.
#[derive(Debug)]
pub(crate) struct Rows<V> {
    held: Held<V>,
    /// How many different rows.
    len: usize,
    /// The sum of the multiplicities.
    n: i64,
}

#[derive(Debug)]
enum Held<V> {
    /// One after another in any order, as in a piece.
    Few(Vec<u8>),
    /// By row, and what they take beside the tree.
    Many(BTreeMap<V, i64>, usize),
}

/// Both sides of a key.
#[derive(Debug)]
pub(crate) struct Sides<V> {
    /// The rows of the left side.
    pub(crate) left: Rows<V>,
    /// The rows of the right side.
    pub(crate) right: Rows<V>,
}

/// Whether a key had rows before a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// It had none.
    New,
    /// It had some.
    Known,
}

/// Both sides of all keys that have rows.
#[derive(Debug)]
pub(crate) struct SidesTable<K, V> {
    parts: [HashTable<Entry<K, V>>; N_PARTS],
    /// What pieces and trees take beside the tables.
    n_bytes: i64,
    /// Room for the key at hand, and for its piece.
    room: Sides<V>,
    piece: Vec<u8>,
}

#[derive(Debug)]
enum Entry<K, V> {
    Few(Box<[u8]>),
    Many(Box<(K, Sides<V>)>),
}

/// A number in seven bits a byte, the lowest first; all but the last have the eighth bit.
fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn take_number(bytes: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (byte, rest) = bytes.split_first().expect("a piece has whole numbers");
        *bytes = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if *byte < 0x80 {
            return number;
        }
        shift += 7;
    }
}

fn push_length(bytes: &mut Vec<u8>, length: usize) {
    push_number(bytes, length as u64);
}

fn take_length(bytes: &mut &[u8]) -> usize {
    usize::try_from(take_number(bytes)).expect("it was the length of what is there")
}

fn take<'a>(bytes: &mut &'a [u8], n_bytes: usize) -> &'a [u8] {
    let (head, rest) = bytes.split_at(n_bytes);
    *bytes = rest;
    head
}

fn push_row(bytes: &mut Vec<u8>, row: &[u8], n: i64) {
    push_length(bytes, 2 * row.len() + usize::from(n != 1));
    if n != 1 {
        // Numbers near zero are small, whatever their sign.
        push_number(bytes, ((n << 1) ^ (n >> 63)).cast_unsigned());
    }
    bytes.extend_from_slice(row);
}

/// The rows that stand one after another.
struct Walk<'a>(&'a [u8]);

impl<'a> Iterator for Walk<'a> {
    type Item = (&'a [u8], i64);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let length = take_length(&mut self.0);
        let n = if length.is_multiple_of(2) {
            1
        } else {
            let number = take_number(&mut self.0);
            (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
        };
        Some((take(&mut self.0, length / 2), n))
    }
}

impl<V> Default for Rows<V> {
    fn default() -> Self {
        Self { held: Held::Few(Vec::new()), len: 0, n: 0 }
    }
}

impl<V> Default for Sides<V> {
    fn default() -> Self {
        Self { left: Rows::default(), right: Rows::default() }
    }
}

impl<V: Packed> Rows<V> {
    /// Whether no row is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many different rows.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The sum of the multiplicities.
    pub(crate) fn n(&self) -> i64 {
        self.n
    }

    /// Calls `visit` for each row; what is made of it may not depend on the order.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&[u8], i64)) {
        match &self.held {
            Held::Few(bytes) => Walk(bytes).for_each(|(row, n)| visit(row, n)),
            Held::Many(rows, _) => {
                for (row, n) in rows {
                    row.with_bytes(|row| visit(row, *n));
                }
            }
        }
    }

    /// How often `row` is there.
    pub(crate) fn multiplicity(&self, row: &V) -> i64 {
        match &self.held {
            Held::Few(bytes) => row.with_bytes(|row| find(bytes, row).map_or(0, |found| found.1)),
            Held::Many(rows, _) => rows.get(row).copied().unwrap_or(0),
        }
    }

    /// Changes the multiplicity of `row`.
    pub(crate) fn add(&mut self, row: &V, diff: i64) {
        self.n += diff;
        match &mut self.held {
            Held::Few(bytes) => {
                let is_in = row.with_bytes(|row| {
                    let found = find(bytes, row);
                    let is_small =
                        self.len < FEW_ROWS_MAX && bytes.len() + row.len() < FEW_BYTES_MAX;
                    let n = if let Some((at, n)) = found {
                        bytes.drain(at);
                        self.len -= 1;
                        n + diff
                    } else if is_small {
                        diff
                    } else {
                        return false;
                    };
                    if n != 0 {
                        push_row(bytes, row, n);
                        self.len += 1;
                    }
                    true
                });
                if !is_in {
                    let few = Walk(bytes).map(|(row, n)| (V::from_bytes(row), n));
                    let many: BTreeMap<V, i64> = few.chain([(row.clone(), diff)]).collect();
                    let heap_bytes = many.keys().map(V::heap_bytes).sum();
                    self.len = many.len();
                    self.held = Held::Many(many, heap_bytes);
                }
            }
            Held::Many(rows, heap_bytes) => {
                match rows.entry(row.clone()) {
                    Known::Vacant(place) => {
                        *heap_bytes += place.key().heap_bytes();
                        place.insert(diff);
                    }
                    Known::Occupied(mut place) => {
                        *place.get_mut() += diff;
                        if *place.get() == 0 {
                            *heap_bytes -= place.remove_entry().0.heap_bytes();
                        }
                    }
                }
                self.len = rows.len();
            }
        }
    }

    /// Takes the rows that stand one after another there.
    fn load(&mut self, from: &[u8]) {
        let Held::Few(bytes) = &mut self.held else { panic!("the room is for few rows") };
        bytes.clear();
        bytes.extend_from_slice(from);
        (self.len, self.n) = Walk(bytes).fold((0, 0), |(len, sum), (_, n)| (len + 1, sum + n));
    }

    /// What a tree takes: its nodes are two thirds full.
    fn n_bytes(&self) -> usize {
        match &self.held {
            Held::Few(bytes) => bytes.capacity(),
            Held::Many(rows, heap_bytes) => heap_bytes + rows.len() * size_of::<(V, i64)>() * 3 / 2,
        }
    }
}

/// Where a row stands, and how often it is there.
fn find(bytes: &[u8], row: &[u8]) -> Option<(Range<usize>, i64)> {
    let mut walk = Walk(bytes);
    loop {
        let start = bytes.len() - walk.0.len();
        let (found, n) = walk.next()?;
        if is_same(found, row) {
            return Some((start..bytes.len() - walk.0.len(), n));
        }
    }
}

impl<V: Packed> Sides<V> {
    fn is_empty(&self) -> bool {
        self.left.is_empty() && self.right.is_empty()
    }

    fn load(&mut self, piece: &[u8]) {
        let mut rest = piece;
        let n_key = take_length(&mut rest);
        take(&mut rest, n_key);
        let n_left = take_length(&mut rest);
        self.left.load(take(&mut rest, n_left));
        self.right.load(rest);
    }

    /// Leaves no rows, and the room of few.
    fn clear(&mut self) {
        for Rows { held, len, n } in [&mut self.left, &mut self.right] {
            (*len, *n) = (0, 0);
            match held {
                Held::Few(bytes) => bytes.clear(),
                Held::Many(..) => *held = Held::Few(Vec::new()),
            }
        }
    }

    /// Writes the piece of a key, if its rows are few.
    fn write(&self, key: &[u8], piece: &mut Vec<u8>) -> bool {
        let (Held::Few(left), Held::Few(right)) = (&self.left.held, &self.right.held) else {
            return false;
        };
        piece.clear();
        push_length(piece, key.len());
        piece.extend_from_slice(key);
        push_length(piece, left.len());
        piece.extend_from_slice(left);
        piece.extend_from_slice(right);
        true
    }
}

/// The bits of a hash that choose among workers are the same for all keys of one: others choose the
/// place in a table, and yet others the part.
fn hash_of(key: &[u8]) -> u64 {
    hash_packed(&key).rotate_left(32)
}

fn part_of(hash: u64) -> usize {
    usize::try_from((hash >> 36) % N_PARTS as u64).expect("there are few parts")
}

fn key_of(mut piece: &[u8]) -> &[u8] {
    let n_key = take_length(&mut piece);
    take(&mut piece, n_key)
}

impl<K: Packed, V: Packed> Entry<K, V> {
    fn is_of(&self, key: &[u8]) -> bool {
        match self {
            Self::Few(piece) => is_same(key_of(piece), key),
            Self::Many(many) => many.0.with_bytes(|of| of == key),
        }
    }

    fn hash(&self) -> u64 {
        match self {
            Self::Few(piece) => hash_of(key_of(piece)),
            Self::Many(many) => many.0.with_bytes(hash_of),
        }
    }

    /// The sides of a key of which one has many rows; taken out of there.
    fn many(key: &K, sides: &mut Sides<V>) -> Self {
        Self::Many(Box::new((key.clone(), std::mem::take(sides))))
    }

    fn n_bytes(&self) -> i64 {
        signed(match self {
            Self::Few(piece) => piece.len(),
            Self::Many(many) => {
                let (key, Sides { left, right }) = &**many;
                size_of_val(&**many) + key.heap_bytes() + left.n_bytes() + right.n_bytes()
            }
        })
    }
}

impl<K: Packed, V: Packed> Default for SidesTable<K, V> {
    fn default() -> Self {
        Self {
            parts: std::array::from_fn(|_| HashTable::new()),
            n_bytes: 0,
            room: Sides::default(),
            piece: Vec::new(),
        }
    }
}

impl<K: Packed, V: Packed> SidesTable<K, V> {
    /// Changes the sides of a key; it goes when it has no rows.
    pub(crate) fn update(&mut self, key: &K, change: impl FnOnce(&mut Sides<V>)) -> Key {
        key.with_bytes(|bytes| {
            let hash = hash_of(bytes);
            let part = &mut self.parts[part_of(hash)];
            let room = &mut self.room;
            match part.entry(hash, |entry| entry.is_of(bytes), Entry::hash) {
                Place::Vacant(place) => {
                    room.clear();
                    change(room);
                    if !room.is_empty() {
                        let entry = if room.write(bytes, &mut self.piece) {
                            Entry::Few(self.piece.as_slice().into())
                        } else {
                            Entry::many(key, room)
                        };
                        self.n_bytes += entry.n_bytes();
                        place.insert(entry);
                    }
                    Key::New
                }
                Place::Occupied(mut place) => {
                    let entry = place.get_mut();
                    self.n_bytes -= entry.n_bytes();
                    let is_empty = match entry {
                        Entry::Many(many) => {
                            change(&mut many.1);
                            many.1.is_empty()
                        }
                        Entry::Few(piece) => {
                            room.load(piece);
                            change(room);
                            let is_empty = room.is_empty();
                            if !room.write(bytes, &mut self.piece) {
                                *entry = Entry::many(key, room);
                            } else if piece.len() == self.piece.len() {
                                piece.copy_from_slice(&self.piece);
                            } else {
                                *piece = self.piece.as_slice().into();
                            }
                            is_empty
                        }
                    };
                    if is_empty {
                        place.remove();
                    } else {
                        self.n_bytes += place.get().n_bytes();
                    }
                    Key::Known
                }
            }
        })
    }

    /// Removes a key; how many rows it had.
    pub(crate) fn remove(&mut self, key: &K) -> i64 {
        let mut n = 0;
        self.update(key, |sides| {
            n = sides.left.n() + sides.right.n();
            sides.clear();
        });
        n
    }

    /// Reads what the change of a key will, and changes nothing.
    pub(crate) fn look_ahead(&self, key: &K) {
        key.with_bytes(|bytes| {
            let hash = hash_of(bytes);
            let found = self.parts[part_of(hash)].find(hash, |entry| entry.is_of(bytes));
            if let Some(Entry::Few(piece)) = found {
                black_box(piece.last());
            }
        });
    }

    /// What it takes of the memory.
    pub(crate) fn n_bytes(&self) -> i64 {
        self.table_bytes() + self.n_bytes
    }

    fn table_bytes(&self) -> i64 {
        signed(self.parts.iter().map(HashTable::allocation_size).sum())
    }
}

#[cfg(test)]
mod tests;
