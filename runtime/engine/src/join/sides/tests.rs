//! The table beside maps, under changes in any order.

use std::collections::BTreeMap;

use proptest::prelude::*;

use arqon_types::PackedRow;

use super::*;

type Model<V> = BTreeMap<u8, [BTreeMap<V, i64>; 2]>;

/// A change of a key on a side: of how many of its rows, from which one on, and by how much.
type Step = (u8, bool, u8, u8, i64);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let diff = prop::sample::select(vec![1_i64, 1, 1, -1, -1, 2, 100, -1_000_000]);
    prop::collection::vec((0_u8..6, any::<bool>(), 1_u8..24, 0_u8..30, diff), 0..80)
}

fn rows<V: Packed>(rows: &Rows<V>) -> BTreeMap<V, i64> {
    let mut all = BTreeMap::new();
    rows.for_each(|row, n| {
        assert_eq!(all.insert(V::from_bytes(row), n), None, "each row is there in one place");
    });
    assert_eq!((rows.len(), rows.n()), (all.len(), all.values().sum()));
    all
}

fn agree<K: Packed, V: Packed>(steps: Vec<Step>, key: fn(u8) -> K, row: fn(u8) -> V) {
    let (mut table, mut model) = (SidesTable::<K, V>::default(), Model::<V>::new());
    let empty = table.n_bytes();
    for (of, is_left, n_rows, first, diff) in steps {
        let known = model.contains_key(&of);
        let of_key = model.entry(of).or_default();
        let side = &mut of_key[usize::from(is_left)];
        let changed: Vec<V> = (first..first + n_rows).map(row).collect();
        for row in &changed {
            let n = side.entry(row.clone()).or_insert(0);
            *n += diff;
            if *n == 0 {
                side.remove(row);
            }
        }
        table.look_ahead(&key(of));
        let was = table.update(&key(of), |sides| {
            let side = if is_left { &mut sides.left } else { &mut sides.right };
            for row in &changed {
                let n = side.multiplicity(row);
                side.add(row, diff);
                assert_eq!(side.multiplicity(row), n + diff);
            }
            assert_eq!(rows(&sides.right), of_key[0]);
            assert_eq!(rows(&sides.left), of_key[1]);
        });
        assert_eq!(was, if known { Key::Known } else { Key::New });
        if of_key.iter().all(BTreeMap::is_empty) {
            model.remove(&of);
        }
    }
    for (of, [right, left]) in model {
        let n = table.remove(&key(of));
        assert_eq!(n, left.values().chain(right.values()).sum::<i64>());
    }
    assert_eq!(table.n_bytes(), table.table_bytes(), "what goes takes its bytes along");
    assert!(empty <= table.n_bytes());
}

fn packed(seed: u8) -> PackedRow {
    let mut row = PackedRow::new();
    row.push_bytes(&[seed; 70][..usize::from(seed) % 70]);
    row.push_bytes(&[seed]);
    row
}

proptest! {
    #[test]
    fn packed_rows_are_there_as_often_as_they_came(steps in steps()) {
        agree::<PackedRow, PackedRow>(steps, packed, packed);
    }

    #[test]
    fn numbers_are_there_as_often_as_they_came(steps in steps()) {
        agree::<u64, u64>(steps, u64::from, |seed| u64::from(seed) << 40);
    }

    #[test]
    fn numbers_are_read_as_they_were_written(number: u64, shift in 0_u32..64) {
        let (mut bytes, number) = (Vec::new(), number >> shift);
        push_number(&mut bytes, number);
        let mut rest = bytes.as_slice();
        prop_assert_eq!((take_number(&mut rest), rest.len()), (number, 0));
    }
}
