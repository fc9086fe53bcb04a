//! Loops that keep the best row of each node: those that walk a graph, which are one operator, and
//! others.

use arqon_engine::BackendChoice;
use arqon_plan::{DataflowPlan, Kept, LoopId};
use arqon_tests::random::Random;
use arqon_tests::updates::Message;
use arqon_types::{Change, Row, Schema, Type, Value};

use crate::runs::{planned, seeds, take_back};
use crate::{Epochs, check};

const CASES: u64 = 12;

/// A loop from places along roads, whose ids and lengths have these types.
#[derive(Debug, Clone, Copy)]
struct Circuit {
    id: &'static str,
    length: &'static str,
    /// What is done to places before roads are looked up.
    before: &'static str,
    /// What is done to the pairs of a place and a road.
    hop: &'static str,
    merge: &'static str,
    /// What stands beside the merge.
    end: &'static str,
}

const PLAIN: Circuit = Circuit {
    id: "int64",
    length: "int64",
    before: "",
    hop: "- select: { id: road.dst, length: length + road.length }",
    merge: "min",
    end: "",
};

impl Circuit {
    fn text(self) -> String {
        let Self { id, length, before, hop, merge, end } = self;
        format!(
            "arqon: 1\ncircuit: law.values\nschemas:\n  \
             Place: {{ id: {id}, length: {length} }}\n  \
             Road: {{ src: {id}, dst: {id}, length: {length} }}\ntopics:\n  \
             places: {{ schema: Place, carries: delta, shared: true, edge: in }}\n  \
             roads: {{ schema: Road, carries: delta, shared: true, edge: in }}\n  \
             reached: {{ schema: Place, carries: delta, shared: true, edge: out }}\nflow:\n  \
             reach:\n    from: places\n    do:\n      - loop:\n          {before}- join: roads\n            \
             match: {{ id: src }}\n            as: road\n          {hop}\n        \
             merge: {{ {merge}: length, by: id }}\n{end}    to: reached\n"
        )
    }
}

/// How a loop runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runs {
    /// As a scope of rounds.
    Scope,
    /// As a walk, round by round.
    ByRounds,
    /// As a walk, the best values first.
    ByValue,
}

/// Circuits, and how their loop runs.
fn circuits() -> Vec<(Circuit, Runs)> {
    use Runs::{ByRounds, ByValue, Scope};
    let rounds = "        rounds: 9\n";
    let last = "        rounds: 3\n        exact: true\n";
    vec![
        (Circuit { end: rounds, ..PLAIN }, ByValue),
        (Circuit { end: last, ..PLAIN }, ByRounds),
        (Circuit { end: last, merge: "max", ..PLAIN }, ByRounds),
        (Circuit { id: "string", end: rounds, ..PLAIN }, ByValue),
        (Circuit { length: "float64", end: rounds, ..PLAIN }, ByValue),
        (Circuit { id: "string", length: "float64", end: last, merge: "max", ..PLAIN }, ByRounds),
        // The value stays what it is.
        (Circuit { hop: "- select: { id: road.dst, length: length }", ..PLAIN }, ByValue),
        (
            Circuit {
                hop: "- select: { id: road.dst, length: length }",
                merge: "max",
                id: "string",
                ..PLAIN
            },
            ByValue,
        ),
        // The widest way is as wide as its narrowest road; what is left gets less.
        (
            Circuit {
                hop: "- select: { id: road.dst, length: 'min(length, road.length)' }",
                merge: "max",
                ..PLAIN
            },
            ByValue,
        ),
        (
            Circuit {
                length: "float64",
                hop: "- select: { id: road.dst, length: 'max(length - 1.0, road.length)' }",
                end: rounds,
                ..PLAIN
            },
            ByValue,
        ),
        (
            Circuit {
                hop: "- where: length - road.length > -4\n          \
                      - select: { id: road.dst, length: length - road.length }",
                before: "- where: 'length > -9 and (id != 3 or length >= 0)'\n          ",
                merge: "max",
                end: rounds,
                ..PLAIN
            },
            ByValue,
        ),
        // As many as have come so far, not less, go on.
        (Circuit { before: "- where: length >= 2\n          ", end: rounds, ..PLAIN }, ByRounds),
        // Some pairs fail.
        (
            Circuit {
                hop: "- select: { id: road.dst, length: '60 % road.length + length' }",
                end: last,
                ..PLAIN
            },
            ByRounds,
        ),
        // The edge says all, so that its own value is taken off each row first.
        (Circuit { hop: "- select: { id: road.dst, length: road.length }", ..PLAIN }, Scope),
        // Where it leads is no field of the edge, or stays.
        (
            Circuit {
                hop: "- select: { id: 'road.dst % 7', length: length + road.length }",
                end: last,
                ..PLAIN
            },
            Scope,
        ),
        (Circuit { hop: "- select: { id: id, length: road.length }", ..PLAIN }, Scope),
        (
            Circuit {
                hop: "- select: { id: road.dst, length: length + road.length + road.src }",
                end: last,
                ..PLAIN
            },
            Scope,
        ),
        // Some rows go along no edge, and some fail before.
        (
            Circuit {
                hop: "- select: { id: road.dst, length: length + road.length }",
                before: "- where: '40 % length != 1 and length < 9'\n          ",
                end: last,
                ..PLAIN
            },
            ByRounds,
        ),
        (
            Circuit {
                id: "string",
                hop: "- select: { id: road.dst, length: length }",
                before: "- where: length > 0\n          ",
                merge: "max",
                ..PLAIN
            },
            ByValue,
        ),
        // Some pairs do not count; what hangs on one side alone is asked of that before.
        (
            Circuit {
                hop: "- where: road.length > 0 and length < 12\n          \
                      - select: { id: road.dst, length: length + road.length }",
                ..PLAIN
            },
            ByValue,
        ),
        (
            Circuit {
                hop: "- where: road.length != id\n          \
                      - select: { id: road.dst, length: id + length }",
                end: last,
                ..PLAIN
            },
            ByRounds,
        ),
    ]
}

#[test]
fn loops_keep_the_best_of_each_node() {
    for seed in seeds(CASES) {
        let mut random = Random::new(seed);
        for (circuit, runs) in circuits() {
            let text = circuit.text();
            let plan = planned(seed, &text);
            let found = match plan.traversals().get(&LoopId(0)).map(|walk| walk.kept) {
                None => Runs::Scope,
                Some(Kept::Best(best)) if best.in_order => Runs::ByValue,
                Some(Kept::Best(_) | Kept::Once(_)) => Runs::ByRounds,
            };
            assert_eq!(found, runs, "{text}");
            let lengths = if random.chance(50) { NO_LESS } else { ANY };
            let epochs = graph_changes(&mut random, &plan, lengths);
            for backend in [BackendChoice::Hash, BackendChoice::Arrangements] {
                let n_workers = *random.pick(&[1, 2, 4]);
                check(seed, &text, &plan, &epochs, backend, n_workers);
            }
        }
    }
}

/// Lengths of roads, by which no way gets shorter.
const NO_LESS: &[i64] = &[0, 1, 1, 2, 3, 5, 8];

/// Those that may be anything: now and then they are at an end of numbers.
const ANY: &[i64] = &[-1, 0, 1, 1, 2, 3, 5, 8];

/// Places and roads that come and go, between few nodes.
fn graph_changes(random: &mut Random, plan: &DataflowPlan, lengths: &[i64]) -> Epochs {
    let mut held: Vec<Message> = Vec::new();
    let mut change = |random: &mut Random| {
        if random.chance(40) && !held.is_empty() {
            return take_back(random, &mut held);
        }
        let topic = &plan.topics[usize::from(random.chance(75))];
        held.push((
            topic.name.clone(),
            Change::Diff { row: row(random, &topic.schema, lengths), diff: 1 },
        ));
        held[held.len() - 1].clone()
    };
    let mut epoch = |random: &mut Random| -> Vec<Message> {
        (0..random.below(9)).map(|_| change(random)).collect()
    };
    (0..25).map(|_| epoch(random)).collect()
}

fn row(random: &mut Random, schema: &Schema, lengths: &[i64]) -> Row {
    let is_length = |name: &str| name == "length";
    let value = |(name, ty): (&str, &Type), random: &mut Random| {
        let number = match is_length(name) {
            true if lengths == ANY && random.chance(3) => *random.pick(&[i64::MIN, i64::MAX]),
            true => *random.pick(lengths),
            false => *random.pick(&[0, 1, 2, 3, 4, 5, 6, 7]),
        };
        match ty {
            Type::Int64 => Value::Int(number),
            Type::Float64 if number == i64::MIN => Value::float(f64::NAN),
            #[expect(clippy::cast_precision_loss, reason = "any float does")]
            Type::Float64 => Value::float(number as f64 * 0.5),
            _ => Value::string(&format!("a place of number {number}")),
        }
    };
    let fields = schema.fields.iter().map(|field| (&*field.name, &field.ty));
    fields.map(|field| value(field, random)).collect::<Vec<_>>().into()
}
