//! Retractions of rows that are not there: an error row of their topic each, and nothing else.

use std::collections::BTreeMap;

use arqon_engine::{BackendChoice, RowOutput};
use arqon_tests::random::Random;
use arqon_tests::updates::Message;
use arqon_types::{Change, DeltaBatch, Row, TopicName, Value};

use crate::runs::{Case, run, seeds};

const CASES: u64 = 150;

/// The input of signed changes, and its errors.
const TOPIC: &str = "right";
const ERRORS: &str = "right.errors";

#[test]
fn retractions_of_unknown_rows_change_nothing() {
    let mut n_refused = 0;
    for seed in seeds(CASES) {
        let mut random = Random::new(seed);
        let Case { text, plan, epochs } = Case::random(&mut random, seed);
        if text.contains(ERRORS) {
            // A circuit that reads what its input refuses is told of it.
            continue;
        }
        let with = with_unknown(&mut random, &epochs);
        let (without, refused) = without_refused(&with);
        let backend =
            *random.pick(&[BackendChoice::Hash, BackendChoice::Hash, BackendChoice::Arrangements]);
        let n_workers = *random.pick(&[1, 1, 2, 4]);
        let told = |epochs| {
            let outputs = run(&plan, epochs, backend, n_workers);
            outputs.into_iter().map(|(_, output)| output).collect::<Vec<RowOutput>>()
        };
        let (got, wanted) = (told(&with), told(&without));
        let place = format!("seed {seed}, {backend:?}, {n_workers} workers\n{text}");
        assert_eq!(got.len(), wanted.len(), "{place}");
        let mut refused = refused.into_iter();
        for (got, wanted) in got.iter().zip(&wanted) {
            assert_eq!(others(got), others(wanted), "epoch {}, {place}", got.epoch);
            let refused = refused.next().unwrap_or_default();
            n_refused += refused.len();
            assert_eq!(unknown_rows(got), refused, "epoch {}, {place}", got.epoch);
        }
        never_below_zero(&got, &place);
    }
    assert!(n_refused > 0, "cases without an unknown row prove nothing");
}

/// Adds retractions of rows that were never there, and of more copies than there are.
fn with_unknown(random: &mut Random, epochs: &[Vec<Message>]) -> Vec<Vec<Message>> {
    let rows: Vec<Row> = epochs.iter().flatten().filter_map(|it| Some(change(it)?.0)).collect();
    let topic = TopicName::parse(TOPIC).expect("the generator's names are well formed");
    let mut added = epochs.to_vec();
    for messages in &mut added {
        for _ in 0..random.below(3) {
            let Some(row) = (!rows.is_empty()).then(|| random.pick(&rows).clone()) else { break };
            let unknown = Change::Diff { row, diff: -random.between(1, 4) };
            messages.insert(random.below(messages.len() + 1), (topic.clone(), unknown));
        }
    }
    added
}

fn change((topic, change): &Message) -> Option<(Row, i64)> {
    match change {
        Change::Diff { row, diff } if topic.as_str() == TOPIC => Some((row.clone(), *diff)),
        _ => None,
    }
}

/// The messages without the retractions that cannot be, and how many of those each epoch has.
fn without_refused(epochs: &[Vec<Message>]) -> (Vec<Vec<Message>>, Vec<Vec<String>>) {
    let mut held: BTreeMap<Row, i64> = BTreeMap::new();
    let mut refused = Vec::new();
    let mut kept = Vec::new();
    for messages in epochs {
        let mut here = 0;
        let stays = |message: &&Message| {
            let Some((row, diff)) = change(message) else { return true };
            let n = held.entry(row).or_insert(0);
            if *n + diff < 0 {
                here += 1;
                return false;
            }
            *n += diff;
            true
        };
        kept.push(messages.iter().filter(stays).cloned().collect());
        refused.push(vec!["unknown_row".to_owned(); here]);
    }
    (kept, refused)
}

/// What the epoch says of all but the topic's errors.
fn others(output: &RowOutput) -> Vec<&DeltaBatch> {
    output.deltas.iter().filter(|batch| batch.topic.as_str() != ERRORS).collect()
}

/// The codes of the topic's errors, each as often as it came.
fn unknown_rows(output: &RowOutput) -> Vec<String> {
    let mut codes = Vec::new();
    for batch in output.deltas.iter().filter(|batch| batch.topic.as_str() == ERRORS) {
        for update in &batch.updates {
            let Value::String(code) = &update.row[2] else { panic!("a code: {:?}", update.row) };
            let n = usize::try_from(update.diff).expect("an error is not taken back");
            codes.extend(std::iter::repeat_n(code.to_string(), n));
        }
    }
    codes
}

fn never_below_zero(outputs: &[RowOutput], place: &str) {
    let mut sums: BTreeMap<(&TopicName, &Row), i64> = BTreeMap::new();
    for output in outputs {
        for batch in &output.deltas {
            for update in &batch.updates {
                let n = sums.entry((&batch.topic, &update.row)).or_insert(0);
                *n += update.diff;
                assert!(
                    *n >= 0,
                    "epoch {}: {} {:?}, {place}",
                    output.epoch,
                    batch.topic,
                    update.row
                );
            }
        }
    }
}
