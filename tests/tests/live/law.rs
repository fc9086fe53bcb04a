//! The law of the house while circuits come and go: what subscribers fold is the recomputation,
//! whenever they came.
//!
//! Two circuits have the same topics, in one of several ways each. What the topics hold lives as
//! long as some circuit has them; the model here forgets likewise.
//!
//! `cargo xtask torture live --cases SERVERS --seed SEED` is the long run.

use std::collections::BTreeMap;

use arqon_client::{Client, ErrorCode, Message, Subscribe};
use arqon_plan::DataflowPlan;
use arqon_server::Replacing;
use arqon_tests::oracle::{Inputs, evaluate};
use arqon_tests::random::Random;
use arqon_tests::setting::setting;
use arqon_types::{Change, Epoch, Row, TopicName, Value};

use crate::house::{Follower, House, plan, sums};
use crate::refusal;

const CASES: u64 = 30;
const STEPS: usize = 40;

/// Ways to come to the same fields.
const FLOWS: [&str; 5] = [
    "
    from: orders
    do:
      - group: [k]
        agg: { n: count(), s: sum(n) }",
    "
    from: orders
    do:
      - where: n > 2
      - join: moves
        match: { k: k }
        as: m
      - group: [k]
        agg: { n: count(), s: sum(m.n) }",
    "
    from: moves
    do:
      - group: [k]
        agg: { n: count(), s: sum(n) }",
    "
    from: orders
    do:
      - join: moves
        match: { k: k }
        kind: anti
      - group: [k]
        agg: { n: count(), s: max(n) }",
    "
    from: moves
    do:
      - top: 1
        per: [k]
        by: [n desc]
      - select: [k, { n: 1 }, { s: n }]",
];

fn circuit(name: &str, flow: usize) -> String {
    let body = FLOWS[flow];
    format!(
        "
arqon: 1
circuit: {name}
namespace: law
schemas:
  Order: {{ id: int64, k: int64, n: int64 }}
  Move:  {{ k: int64, n: int64 }}
  Sum:   {{ k: int64, n: int64, s: int64 }}
topics:
  orders: {{ schema: Order, carries: full, key: id, edge: in }}
  moves:  {{ schema: Move, carries: delta, edge: in }}
  {name}.sums: {{ schema: Sum, carries: delta, edge: out }}
flow:
  sums:{body}
    to: {name}.sums
access:
  all: {{ publish: [orders, moves], subscribe: [{name}.sums] }}
"
    )
}

/// What the server should be in.
struct Model {
    seed: u64,
    /// The circuits that run, each in its way.
    running: BTreeMap<&'static str, (usize, DataflowPlan)>,
    /// What has come for topics since some circuit has them.
    log: Vec<(TopicName, Change)>,
    followers: Vec<(&'static str, Follower)>,
    epoch: Epoch,
}

#[test]
fn subscribers_fold_the_recomputation_while_circuits_come_and_go() {
    let first = setting("ARQON_SEED", 0);
    for seed in first..first + setting("ARQON_CASES", CASES) {
        let house = House::new([1, 2, 4][usize::try_from(seed % 3).unwrap()]);
        let client = house.client();
        let mut random = Random::new(seed);
        let (running, log, followers) = Default::default();
        let mut model = Model { seed, running, log, followers, epoch: Epoch(0) };
        for _ in 0..STEPS {
            model.step(&house, &client, &mut random);
            model.compare(&house);
        }
        house.server.finish(1001).unwrap();
    }
}

impl Model {
    fn step(&mut self, house: &House, client: &Client, random: &mut Random) {
        let name = *random.pick(&["alpha", "beta"]);
        let flow = random.below(FLOWS.len());
        match (random.below(10), self.running.contains_key(name)) {
            (0 | 1, _) => {
                let text = circuit(name, flow);
                let changed = house.put(&text, Replacing::Compatibly, |_| {});
                self.epoch = changed.unwrap_or_else(|error| panic!("{error:?}\n{text}")).epoch;
                if self.running.is_empty() {
                    self.log.clear();
                }
                self.running.insert(name, (flow, plan(&text)));
            }
            (2, true) => {
                self.epoch = house.drop(name).unwrap().epoch;
                self.running.remove(name);
                let (gone, stay): (Vec<_>, Vec<_>) =
                    std::mem::take(&mut self.followers).into_iter().partition(|it| it.0 == name);
                self.followers = stay;
                for (_, mut follower) in gone {
                    assert_eq!(refusal(house.end(&mut follower)).0, ErrorCode::Gone);
                }
            }
            (3 | 4, true) => {
                let topic = format!("{name}.sums");
                let follower = house.subscribe(client, Subscribe::to(topic)).unwrap();
                self.followers.push((name, follower));
            }
            (2..=4, false) => {}
            _ if self.running.is_empty() => {}
            _ => self.publish(house, client, random),
        }
    }

    fn publish(&mut self, house: &House, client: &Client, random: &mut Random) {
        let [id, k, n] = [random.between(1, 6), random.between(1, 3), random.between(0, 5)];
        let row = |fields: &[i64]| -> Row { fields.iter().map(|n| Value::Int(*n)).collect() };
        let (topic, message, change) = match random.below(4) {
            0 => {
                let message = Message::delete("orders", format!(r#"{{"id":{id}}}"#));
                ("orders", message, Change::Delete(row(&[id])))
            }
            1 => {
                let text = format!(r#"{{"id":{id},"k":{k},"n":{n}}}"#);
                ("orders", Message::row("orders", text), Change::Upsert(row(&[id, k, n])))
            }
            // Some take back what is not there, which changes nothing.
            _ => {
                let diff = *random.pick(&[1, 1, -1, 2]);
                let text = format!(r#"{{"k":{k},"n":{n}}}"#);
                let message = Message::changes("moves", [(diff, text.as_str())]);
                ("moves", message, Change::Diff { row: row(&[k, n]), diff })
            }
        };
        self.epoch = house.publish(client, message).unwrap();
        self.log.push((TopicName::parse(topic).unwrap(), change));
    }

    fn compare(&mut self, house: &House) {
        for (name, follower) in &mut self.followers {
            let (flow, plan) = &self.running[name];
            let mut inputs = Inputs::default();
            for (topic, change) in &self.log {
                inputs.apply(plan, topic, change);
            }
            let answer = evaluate(plan, &inputs);
            let expected = sums(&answer.topics[&format!("{name}.sums")]);
            let found: BTreeMap<String, i64> =
                house.rows(follower, self.epoch).into_iter().collect();
            assert_eq!(found, expected, "seed {}, circuit {name}, flow {flow}", self.seed);
        }
    }
}
