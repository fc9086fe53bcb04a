//! The changes of an epoch, in the order in which operators take them, and added up.
//!
//! The order is that of keys and then of values, as bytes. Many rows are sorted by digits: the
//! bytes in which keys, and then values, differ at all are few for numbers and for texts that
//! begin alike, and each costs one pass without a comparison. What the digits leave equal is
//! compared. Where rows come in parts, each part is sorted by itself, and the parts are merged as
//! they are taken.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::vec::IntoIter;

use arqon_types::PackedRow;

use crate::packed::{Packed, WORD_BYTES};

/// A row's change within an epoch, beside its key.
pub(crate) type Delta<K = PackedRow, V = PackedRow> = ((K, V), i64);

/// What the row of a change takes.
pub(crate) fn delta_bytes<K: Packed, V: Packed>(((key, value), _): &Delta<K, V>) -> usize {
    size_of::<Delta<K, V>>() + key.heap_bytes() + value.heap_bytes()
}

/// Rows from which digits are cheaper than comparisons.
const DIGITS_ROWS_MIN: usize = 192;

/// Rows up to which digits are: they take room of their own.
const DIGITS_ROWS_MAX: usize = 1 << 20;

/// What is sorted in a row's place: digits of its key and of its value, and where it stood.
#[derive(Debug, Clone, Copy, Default)]
struct Digits {
    key: u64,
    value: u64,
    at: u32,
}

/// Sorts, adds up equal rows and drops what cancels.
pub(crate) fn consolidate_deltas<K: Packed, V: Packed>(rows: &mut Vec<Delta<K, V>>) {
    consolidate_from(rows, 0);
}

/// The same of the rows from `start` on.
fn consolidate_from<K: Packed, V: Packed>(rows: &mut Vec<Delta<K, V>>, start: usize) {
    if rows.len() > start + 1 {
        sort_deltas(&mut rows[start..]);
        let mut kept = start;
        for at in start + 1..rows.len() {
            let (row, last) = (&rows[at].0, &rows[kept].0);
            if row.0.is_same(&last.0) && row.1.is_same(&last.1) {
                rows[kept].1 += rows[at].1;
            } else {
                if rows[kept].1 != 0 {
                    kept += 1;
                }
                if kept < at {
                    rows.swap(kept, at);
                }
            }
        }
        rows.truncate(kept + 1);
    }
    if start < rows.len() && rows.last().is_some_and(|last| last.1 == 0) {
        rows.pop();
    }
}

/// The next change of a run. What is greatest in a heap is taken first, so less is greater here.
struct Head<K, V> {
    next: Delta<K, V>,
    run: usize,
}

impl<K: Packed, V> Ord for Head<K, V> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.next.0.0.compare(&self.next.0.0)
    }
}

impl<K: Packed, V> PartialOrd for Head<K, V> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Packed, V> PartialEq for Head<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<K: Packed, V> Eq for Head<K, V> {}

/// Changes of `N` inputs in runs, each of which is consolidated, merged in bounded parts.
pub(crate) struct Merge<const N: usize, K, V> {
    /// Each run with its input, without its head.
    runs: Vec<(usize, IntoIter<Delta<K, V>>)>,
    /// Those of runs that are not at their end.
    heads: BinaryHeap<Head<K, V>>,
}

impl<const N: usize, K: Packed, V: Packed> Merge<N, K, V> {
    /// Of these runs of each input.
    pub(crate) fn new(runs: [Vec<Vec<Delta<K, V>>>; N]) -> Self {
        let each = runs.into_iter().enumerate();
        let mut runs: Vec<_> = each
            .flat_map(|(input, runs)| runs.into_iter().map(move |run| (input, run.into_iter())))
            .collect();
        let heads = runs.iter_mut().enumerate();
        let heads = heads.filter_map(|(run, (_, rows))| Some(Head { next: rows.next()?, run }));
        Self { heads: heads.collect(), runs }
    }

    /// Whether nothing is left.
    pub(crate) fn is_done(&self) -> bool {
        self.heads.is_empty()
    }

    /// Appends to `rows`, which are empty, all changes of the next keys, consolidated, about as
    /// many as have so many bytes.
    pub(crate) fn next(&mut self, rows: &mut [Vec<Delta<K, V>>; N], n_bytes_most: usize) {
        let mut n_bytes = 0;
        while n_bytes < n_bytes_most
            && let Some((input, first)) = self.pop()
        {
            let starts: [usize; N] = std::array::from_fn(|input| rows[input].len());
            n_bytes += delta_bytes(&first);
            rows[input].push(first);
            while self.head().is_some_and(|key| key.is_same(&rows[input][starts[input]].0.0))
                && let Some((input, next)) = self.pop()
            {
                n_bytes += delta_bytes(&next);
                rows[input].push(next);
            }
            for (rows, start) in rows.iter_mut().zip(starts) {
                consolidate_from(rows, start);
            }
        }
    }

    /// The least key that is left.
    fn head(&self) -> Option<&K> {
        self.heads.peek().map(|head| &head.next.0.0)
    }

    /// A change of the least key, with its input.
    fn pop(&mut self) -> Option<(usize, Delta<K, V>)> {
        let mut head = self.heads.peek_mut()?;
        let (input, rows) = &mut self.runs[head.run];
        let delta = match rows.next() {
            Some(next) => std::mem::replace(&mut head.next, next),
            None => PeekMut::pop(head).next,
        };
        Some((*input, delta))
    }
}

/// Sorts by key and value.
fn sort_deltas<K: Packed, V: Packed>(rows: &mut [Delta<K, V>]) {
    // What was held comes back in order, and what has none shows it within a few rows.
    if rows.is_sorted_by(|a, b| order(a, b).is_le()) {
        return;
    }
    if !(DIGITS_ROWS_MIN..=DIGITS_ROWS_MAX).contains(&rows.len()) {
        compare(rows);
        return;
    }
    let mut digits = sorted_digits(rows);
    arrange(rows, &mut digits);
    let mut rest = rows;
    for run in digits.chunk_by(|a, b| a.key == b.key) {
        let (mut same, others) = rest.split_at_mut(run.len());
        rest = others;
        let key = &same[0].0.0;
        if same.iter().any(|row| !row.0.0.is_same(key)) {
            compare(same);
            continue;
        }
        for run in run.chunk_by(|a, b| a.value == b.value) {
            let (equal, others) = same.split_at_mut(run.len());
            same = others;
            compare(equal);
        }
    }
}

/// Moves each row to where its digits stand.
fn arrange<R>(rows: &mut [R], digits: &mut [Digits]) {
    for start in 0..rows.len() {
        // A row makes room for another one, whose place the next one takes, until one goes to where
        // the first was.
        let mut at = start;
        loop {
            let from = std::mem::replace(&mut digits[at].at, position(at)) as usize;
            if from == start {
                break;
            }
            rows.swap(at, from);
            at = from;
        }
    }
}

fn position(at: usize) -> u32 {
    u32::try_from(at).expect("so many rows are sorted in another way")
}

fn compare<K: Packed, V: Packed>(rows: &mut [Delta<K, V>]) {
    rows.sort_unstable_by(order);
}

fn order<K: Packed, V: Packed>(
    ((a, a_value), _): &Delta<K, V>,
    ((b, b_value), _): &Delta<K, V>,
) -> Ordering {
    a.compare(b).then_with(|| a_value.compare(b_value))
}

/// The digits of all rows in order. Rows with equal digits stand in any order.
fn sorted_digits<K: Packed, V: Packed>(rows: &[Delta<K, V>]) -> Vec<Digits> {
    let ((first_key, first_value), _) = &rows[0];
    let shared = (usize::MAX, usize::MAX);
    let (n_key, n_value) = rows.iter().fold(shared, |(n_key, n_value), ((key, value), _)| {
        (key.n_shared(first_key, n_key), value.n_shared(first_value, n_value))
    });
    let mut digits: Vec<Digits> = (0..)
        .zip(rows)
        .map(|(at, ((key, value), _))| Digits {
            key: key.digits(n_key),
            value: value.digits(n_value),
            at,
        })
        .collect();
    let mut room = vec![Digits::default(); digits.len()];
    for part in [|it: &Digits| it.value, |it: &Digits| it.key] {
        let first = part(&digits[0]);
        let varying = digits.iter().fold(0, |bits, it| bits | (part(it) ^ first));
        let varying = varying.to_be_bytes();
        for place in (0..WORD_BYTES).rev().filter(|place| varying[*place] != 0) {
            pass(&digits, &mut room, |it| usize::from(part(it).to_be_bytes()[place]));
            std::mem::swap(&mut digits, &mut room);
        }
    }
    digits
}

/// One stable pass by a digit.
fn pass(from: &[Digits], to: &mut [Digits], digit: impl Fn(&Digits) -> usize) {
    let mut places = [0_usize; 256];
    for it in from {
        places[digit(it)] += 1;
    }
    let mut before = 0;
    for place in &mut places {
        before += std::mem::replace(place, before);
    }
    for it in from {
        let place = &mut places[digit(it)];
        to[*place] = *it;
        *place += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Rows that begin alike, end early, and differ late.
    fn rows() -> impl Strategy<Value = Vec<Delta>> {
        let packed = || {
            let ends = prop::collection::vec(prop::sample::select(vec![0, 1, 0x80, 0xFF]), 0..12);
            (0_usize..3, ends).prop_map(|(n_same, ends)| {
                let mut row = PackedRow::new();
                row.push_bytes(&b"customer"[..4 * n_same]);
                row.push_bytes(&ends);
                row
            })
        };
        prop::collection::vec(((packed(), packed()), -2_i64..3), 0..3 * DIGITS_ROWS_MIN)
    }

    proptest! {
        #[test]
        fn digits_and_comparisons_agree(rows in rows()) {
            let mut compared = rows.clone();
            compared.sort_by(|a, b| a.0.cmp(&b.0));
            let mut sorted = rows;
            sort_deltas(&mut sorted);
            let pairs = |rows: &[Delta]| rows.iter().map(|row| row.0.clone()).collect::<Vec<_>>();
            prop_assert_eq!(pairs(&sorted), pairs(&compared));
            let once = pairs(&sorted);
            sort_deltas(&mut sorted);
            prop_assert_eq!(pairs(&sorted), once, "what is in order stays so");
        }
    }

    proptest! {
        #[test]
        fn runs_that_are_merged_in_parts_are_what_all_rows_are(
            inputs in [rows(), rows()], cuts in prop::collection::vec(1_usize..200, 1..6),
            n_bytes_most in 1_usize..4096,
        ) {
            let mut runs: [Vec<Vec<Delta>>; 2] = Default::default();
            let mut whole = inputs.clone();
            for ((runs, rows), whole) in runs.iter_mut().zip(inputs).zip(&mut whole) {
                let mut cuts = cuts.iter().cycle();
                let mut rows = rows.as_slice();
                while let Some((run, rest)) = rows.split_at_checked(*cuts.next().unwrap()) {
                    runs.push(run.to_vec());
                    rows = rest;
                }
                runs.push(rows.to_vec());
                runs.iter_mut().for_each(consolidate_deltas);
                consolidate_deltas(whole);
            }
            let mut merge = Merge::new(runs);
            let mut merged: [Vec<Delta>; 2] = Default::default();
            let mut last = None;
            while !merge.is_done() {
                let mut rows: [Vec<Delta>; 2] = Default::default();
                merge.next(&mut rows, n_bytes_most);
                let keys = || rows.iter().flatten().map(|delta| delta.0.0.clone());
                prop_assert!(keys().min().is_none_or(|key| last < Some(key)), "a key is cut");
                last = keys().max().max(last);
                for (all, rows) in merged.iter_mut().zip(rows) {
                    all.extend(rows);
                }
            }
            prop_assert_eq!(merged, whole);
        }
    }

    fn byte(byte: u8) -> PackedRow {
        let mut row = PackedRow::new();
        row.push_bytes(&[byte]);
        row
    }

    #[test]
    fn consolidation_adds_and_drops() {
        let delta = |key, value, diff| ((byte(key), byte(value)), diff);
        let mut rows = vec![
            delta(2, 0, 1),
            delta(1, 1, -1),
            delta(1, 0, 1),
            delta(1, 1, 1),
            delta(2, 0, 1),
            delta(3, 0, 1),
            delta(3, 0, -1),
        ];
        consolidate_deltas(&mut rows);
        assert_eq!(rows, vec![delta(1, 0, 1), delta(2, 0, 2)]);
    }
}
