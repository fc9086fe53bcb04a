//! Readers that are at different changes see the rows as of their own.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Reader, lock};
use crate::deltas::{Delta, consolidate_deltas};

/// Keys, rows and how often each is there.
type Model = BTreeMap<(u64, u64), i64>;

fn apply(model: &mut Model, deltas: &[Delta<u64, u64>]) {
    for (row, diff) in deltas {
        *model.entry(*row).or_insert(0) += diff;
    }
    model.retain(|_, n| *n != 0);
}

fn of_key(model: &Model, key: u64) -> Vec<(u64, i64)> {
    model.range((key, 0)..=(key, u64::MAX)).map(|((_, row), n)| (*row, *n)).collect()
}

/// One epoch of a reader: the rows of each key before and after its changes.
fn epoch(reader: &mut Reader<u64, u64>, deltas: &[Delta<u64, u64>]) -> [Model; 2] {
    let common = reader.common();
    let mut guard = lock(&common);
    reader.take(&mut guard);
    reader.begin(deltas);
    let mut seen = [Model::new(), Model::new()];
    for key in 0..KEYS {
        let own: Vec<Delta<u64, u64>> =
            deltas.iter().filter(|delta| delta.0.0 == key).copied().collect();
        reader.update(&key, &own, |rows| {
            let see = |into: &mut Model, rows: &super::Rows<u64>| {
                rows.for_each(|row, n| {
                    let row = u64::from_be_bytes(row.try_into().expect("eight bytes"));
                    into.insert((key, row), n);
                });
            };
            see(&mut seen[0], rows);
            for ((_, row), diff) in &own {
                rows.add(row, *diff);
            }
            see(&mut seen[1], rows);
        });
    }
    reader.put_back(&mut guard);
    seen
}

const KEYS: u64 = 4;

fn changes() -> impl Strategy<Value = Vec<Delta<u64, u64>>> {
    let change = ((0..KEYS, 0_u64..40), prop_oneof![Just(1_i64), Just(-1), Just(3)]);
    prop::collection::vec(change, 0..24).prop_map(|mut deltas| {
        consolidate_deltas(&mut deltas);
        deltas
    })
}

proptest! {
    /// Readers take turns at random, so that each may be far ahead of the others; one goes midway.
    #[test]
    fn each_sees_the_rows_as_of_its_own_change(
        all in prop::collection::vec(changes(), 1..12),
        turns in prop::collection::vec(0_usize..3, 0..40),
        gone_after in 0_usize..40,
    ) {
        let first = Reader::first(0);
        let mut readers = [(); 3].map(|()| Some(first.another()));
        drop(first);
        let mut models = vec![Model::new(); 3];
        let mut at = [0_usize; 3];
        let rest = (0..3).flat_map(|reader| std::iter::repeat_n(reader, all.len()));
        for (turn, which) in turns.into_iter().chain(rest).enumerate() {
            if turn == gone_after {
                readers[0] = None;
            }
            let (Some(reader), Some(deltas)) = (&mut readers[which], all.get(at[which])) else {
                continue;
            };
            let [before, after] = epoch(reader, deltas);
            prop_assert_eq!(&before, &models[which]);
            apply(&mut models[which], deltas);
            prop_assert_eq!(&after, &models[which]);
            at[which] += 1;
        }
        let last = readers[2].as_mut().expect("it stays");
        prop_assert_eq!(of_key(&models[2], 1), of_key(&models[1], 1));
        // A turn of all that are left, and nothing is kept twice.
        epoch(last, &[]);
        let common = lock(&last.common).take().expect("nobody is at work");
        prop_assert_eq!((common.recent.len(), common.recent_bytes), (0, 0));
    }
}

#[test]
fn one_of_the_readers_counts_what_all_hold() {
    let first = Reader::<u64, u64>::first(0);
    let (mut one, mut other) = (first.another(), first.another());
    drop(first);
    let deltas: Vec<Delta<u64, u64>> = (0..100).map(|row| ((row % KEYS, row), 1)).collect();
    let mut deltas = deltas;
    consolidate_deltas(&mut deltas);
    for reader in [&mut one, &mut other] {
        epoch(reader, &deltas);
    }
    assert_eq!(one.n_bytes(), 0);
    assert!(other.n_bytes() > 1000, "{}", other.n_bytes());
    drop(other);
    epoch(&mut one, &[]);
    assert!(one.n_bytes() > 1000, "{}", one.n_bytes());
}

#[test]
fn who_comes_behind_a_failure_fails_loudly() {
    let first = Reader::<u64, u64>::first(0);
    let (one, mut other) = (first.another(), first.another());
    drop(first);
    let failed = std::thread::spawn(move || {
        let common = one.common();
        let _guard = lock(&common);
        panic!("in the midst of an epoch");
    });
    assert!(failed.join().is_err());
    let failed = std::thread::spawn(move || epoch(&mut other, &[])).join();
    let said = failed.expect_err("what both hold is of no use any more");
    let said = said.downcast_ref::<&str>().expect("a panic says why");
    assert_eq!(*said, "another join failed while it changed what both hold");
}
