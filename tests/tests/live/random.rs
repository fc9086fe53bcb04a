//! Any circuit in the place of any other: what it comes to is the recomputation over what the
//! topics held, in the order of their event times, and all that came afterwards.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arqon_client::{As, Subscribe};
use arqon_compiler::{Options, compile};
use arqon_engine::{Changes, RowOutput, TopicInput};
use arqon_plan::{Artifact, DataflowPlan};
use arqon_server::{Cause, EpochClock, Replacing};
use arqon_tests::generator;
use arqon_tests::oracle::{Inputs, evaluate};
use arqon_tests::random::Random;
use arqon_tests::updates::{self, Message};
use arqon_types::{Change, Discipline, Epoch, Row, Value};

use crate::house::House;

const CASES: u64 = 40;
/// When all epochs come.
const NOW: i64 = 1_000_000_000;

/// A clock that stands.
#[derive(Debug)]
struct Still;

impl EpochClock for Still {
    fn time(&mut self, _: Epoch, _: Cause) -> Result<i64, String> {
        Ok(NOW)
    }

    fn now(&self) -> i64 {
        NOW
    }
}

/// A random circuit that writes no control topic.
fn circuit(random: &mut Random, is_wanted: impl Fn(&str) -> bool) -> (String, Artifact) {
    let mut texts = std::iter::repeat_with(|| generator::circuit(random));
    let text = texts
        .find(|text| !text.contains(&format!("  {}: {{", generator::CONTROL)) && is_wanted(text))
        .unwrap();
    let options = Options { allow_unbounded: true, ..Options::default() };
    let compiled = compile(&text, "law.yaml", &options);
    let (plan, dataflow) = (compiled.plan.unwrap(), compiled.dataflow.unwrap());
    (text, Artifact { plan, dataflow })
}

/// Whether the input topics of a circuit hold all that was not taken back.
fn retains_all(text: &str) -> bool {
    let inputs = ["  left:", "  right:"];
    let mut lines = text.lines().filter(|line| inputs.iter().any(|name| line.starts_with(name)));
    lines.all(|line| !line.contains("retain"))
}

/// What the topics hold.
#[derive(Default)]
struct Held {
    left: BTreeMap<Value, Row>,
    right: BTreeMap<Row, i64>,
}

impl Held {
    fn apply(&mut self, (topic, change): &Message) {
        match (topic.as_str(), change) {
            ("left", Change::Upsert(row)) => drop(self.left.insert(row[0].clone(), row.clone())),
            ("left", Change::Delete(key)) => drop(self.left.remove(&key[0])),
            ("right", Change::Insert(row)) => *self.right.entry(row.clone()).or_default() += 1,
            ("right", Change::Diff { row, diff }) => {
                let n = self.right.get(row).copied().unwrap_or(0) + diff;
                if n > 0 {
                    self.right.insert(row.clone(), n);
                } else if n == 0 {
                    self.right.remove(row);
                }
            }
            _ => {}
        }
    }

    /// As epochs for a circuit: each topic's rows in the order of their event times.
    fn epochs(&self, plan: &DataflowPlan) -> Vec<Vec<Message>> {
        let in_order = |name: &str, mut changes: Vec<(Row, Change)>| -> Vec<Message> {
            let topic = plan.topics.iter().find(|topic| topic.name.as_str() == name).unwrap();
            changes.sort_by(|one, other| one.0.cmp(&other.0));
            if let Some(at) = topic.time {
                changes.sort_by(|one, other| one.0[at].cmp(&other.0[at]));
            }
            changes.into_iter().map(|(_, change)| (topic.name.clone(), change)).collect()
        };
        let left = self.left.values().map(|row| (row.clone(), Change::Upsert(row.clone())));
        let right = self
            .right
            .iter()
            .map(|(row, diff)| (row.clone(), Change::Diff { row: row.clone(), diff: *diff }));
        vec![in_order("left", left.collect()), in_order("right", right.collect())]
    }
}

type Sums = BTreeMap<String, BTreeMap<Row, i64>>;

fn fold(sums: &mut Sums, output: &RowOutput) {
    let deltas = output.deltas.iter().filter(|it| !it.topic.as_str().ends_with(".errors"));
    for delta in deltas {
        let rows = sums.entry(delta.topic.to_string()).or_default();
        for update in &delta.updates {
            *rows.entry(update.row.clone()).or_default() += update.diff;
        }
        rows.retain(|_, n| *n != 0);
    }
    sums.retain(|_, rows| !rows.is_empty());
}

#[test]
fn any_circuit_takes_the_place_of_any_other() {
    for seed in 1..=CASES {
        case(seed);
    }
}

fn case(seed: u64) {
    let mut random = Random::new(seed);
    let (before, first) = circuit(&mut random, retains_all);
    let (after, second) = circuit(&mut random, |_| true);
    let n_workers = *random.pick(&[1, 1, 2, 4]);
    let house = House::with_clock(n_workers, Some(Box::new(Still)));
    house.put_artifact(first, Replacing::Never, |_| {}).unwrap();
    let mut held = Held::default();
    for messages in updates::epochs(&mut random) {
        for message in &messages {
            held.apply(message);
        }
        feed(&house, &messages);
    }

    let sums = Arc::new(Mutex::new(Sums::new()));
    let told = Arc::clone(&sums);
    let plan = second.dataflow.clone();
    let on_output = move |output: &RowOutput| fold(&mut told.lock().unwrap(), output);
    house.put_artifact(second, Replacing::Whatever, on_output).unwrap();
    let mut inputs = Inputs::default();
    let mut apply = |messages: &[Message]| {
        inputs.set_time(NOW);
        for (topic, change) in messages {
            inputs.apply(&plan, topic, change);
        }
        inputs.write_back(&plan);
    };
    for messages in held.epochs(&plan) {
        apply(&messages);
    }
    for messages in updates::epochs(&mut random) {
        feed(&house, &messages);
        apply(&messages);
    }
    house.server.settle().unwrap();
    let mut expected = evaluate(&plan, &inputs).topics;
    expected.retain(|_, rows| !rows.is_empty());
    // All that was fed is out for clients once what they publish would be.
    let client = house.client();
    for topic in plan.topics.iter().filter(|topic| topic.edge.emits()) {
        if topic.discipline == Discipline::Events {
            continue;
        }
        let name = topic.name.as_str();
        let request = Subscribe::to(name).deliver(As::Snapshot);
        let mut snapshot = house.subscribe(&client, request).unwrap();
        let rows = house.rows(&mut snapshot, house.server.report().unwrap().epoch);
        let wanted = expected.get(name).map_or((0, 0), |it| (it.len(), it.values().sum()));
        let found = (rows.len(), rows.iter().map(|(_, n)| n).sum::<i64>());
        assert_eq!(found, wanted, "seed {seed}, topic {name}\n{before}\n{after}");
    }
    house.server.finish(1001).unwrap();
    let sums = sums.lock().unwrap();
    let without_facts = |sums: &Sums| -> Sums {
        let is_state = |name: &str| {
            let mut topics = plan.topics.iter().filter(|topic| topic.name.as_str() == name);
            topics.any(|topic| topic.discipline != Discipline::Events)
        };
        sums.iter()
            .filter(|(name, _)| is_state(name))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    };
    assert_eq!(without_facts(&sums), without_facts(&expected), "seed {seed}\n{before}\n{after}");
}

fn feed(house: &House, messages: &[Message]) {
    let input = |(topic, change): &Message| TopicInput {
        topic: topic.clone(),
        changes: Changes::Rows(vec![change.clone()]),
    };
    house.server.feed(messages.iter().map(input).collect()).unwrap();
}
