//! Holders of a lease, each at its own pace, beside sources of their own.

use proptest::prelude::*;

use arqon_plan::{History, TopicPlan};
use arqon_types::{Change, Discipline, Edge, Field, Row, Schema, Type, Value};

use super::*;
use crate::narrow::Keep;
use crate::source::{Changes, Places, Reading};
use crate::stats::Counts;

fn source(discipline: Discipline) -> Source {
    let fields = vec![Field::new("id", Type::Int64), Field::new("n", Type::Int64)];
    let topic = TopicPlan {
        name: TopicName::parse("t").unwrap(),
        schema: Schema::new("T", fields),
        discipline,
        key: if discipline == Discipline::Full { vec![0] } else { Vec::new() },
        time: None,
        edge: Edge::In,
        verified: true,
        lateness: None,
        arrival: false,
        history: History::All,
    };
    Source::new(topic, (Reading::Rows, Keep::Rows, Vec::new()), Forgetting::Never)
}

/// An epoch's changes: ids, numbers, and whether rows come.
type Epoch = Vec<(i64, i64, bool)>;

fn parts(discipline: Discipline, epoch: &Epoch) -> Vec<Part> {
    let change = |(id, n, comes): &(i64, i64, bool)| {
        let row: Row = vec![Value::Int(*id), Value::Int(*n)].into();
        match (discipline, comes) {
            (Discipline::Full, true) => Change::Upsert(row),
            (Discipline::Full, false) => Change::Delete(vec![Value::Int(*id)].into()),
            (_, comes) => Change::Diff { row, diff: if *comes { 1 } else { -1 } },
        }
    };
    let changes = Changes::Rows(epoch.iter().map(change).collect());
    vec![Part { changes, places: Places::From(0), marks: Vec::new() }]
}

/// All that a holder hears of an epoch, but how much more it counts of the bytes: that begins where
/// it came.
fn heard(applied: &Applied) -> String {
    let Applied { batches, counts, errors, n_bytes } = applied;
    let rows: Vec<_> = batches.iter().map(|fed| (&fed.rows, fed.read_as)).collect();
    let counts = Counts { bytes: 0, ..*counts };
    format!("{rows:?} {counts:?} {errors:?} {n_bytes}")
}

/// What is held, in order.
fn sorted(lease: &Leased) -> Vec<HeldRow> {
    let mut held = lease.held().unwrap();
    held.sort();
    held
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whoever comes first and however far ahead, each hears what it would hear alone; what is
    /// left for others goes when the last has it, or has left.
    #[test]
    fn each_holder_hears_what_it_would_hear_alone(
        is_full in any::<bool>(),
        epochs in prop::collection::vec(
            prop::collection::vec((0_i64..5, 0_i64..3, any::<bool>()), 1..6),
            1..24,
        ),
        paces in prop::collection::vec(0_usize..3, 24 * 3),
        enters in 0_usize..24,
        leaves in 0_usize..24,
    ) {
        let discipline = if is_full { Discipline::Full } else { Discipline::Delta };
        let enters = enters % epochs.len();
        let lease = || Leased::new(source(discipline));
        let (mut first, mut newcomer, mut alone) = (lease(), lease(), lease());
        let (mut expected, mut n_bytes) = (Vec::new(), [0; 3]);
        for (at, epoch) in epochs.iter().enumerate() {
            expected.push(heard(&alone.apply(parts(discipline, epoch), 0)));
            if at < enters {
                let applied = first.apply(parts(discipline, epoch), 0);
                prop_assert_eq!(&heard(&applied), &expected[at]);
                n_bytes[0] += applied.counts.bytes;
                n_bytes[1] += newcomer.apply(parts(discipline, epoch), 0).counts.bytes;
            }
        }
        newcomer.move_to(first.another());
        let third = first.another();
        prop_assert_eq!(sorted(&newcomer), sorted(&first));
        let mut holders = [Some((first, enters)), Some((newcomer, enters)), Some((third, enters))];
        for (turn, who) in paces.into_iter().chain((0..3).cycle().take(72)).enumerate() {
            if turn == leaves {
                holders[2] = None;
            }
            let Some((lease, at)) = &mut holders[who] else { continue };
            if let Some(epoch) = epochs.get(*at) {
                let applied = lease.apply(parts(discipline, epoch), 0);
                prop_assert_eq!(&heard(&applied), &expected[*at]);
                n_bytes[who] += applied.counts.bytes;
                prop_assert_eq!(n_bytes[who], applied.n_bytes);
                *at += 1;
            }
        }
        for (lease, at) in holders.iter().flatten() {
            prop_assert_eq!(*at, epochs.len());
            prop_assert_eq!(sorted(lease), sorted(&alone));
            prop_assert!(lease.lease.is_settled(), "all have taken all");
        }
    }
}
