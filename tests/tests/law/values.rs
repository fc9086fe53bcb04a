//! Loops that keep the best row of each node: those that walk a graph, which are one operator, and
//! others.

use arqon_engine::BackendChoice;
use arqon_plan::{DataflowPlan, LoopId};
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

/// Circuits, and whether their loop is a walk.
fn circuits() -> Vec<(Circuit, bool)> {
    let rounds = "        rounds: 9\n";
    let last = "        rounds: 3\n        exact: true\n";
    vec![
        (Circuit { end: rounds, ..PLAIN }, true),
        (Circuit { end: last, ..PLAIN }, true),
        (Circuit { end: last, merge: "max", ..PLAIN }, true),
        (Circuit { id: "string", end: rounds, ..PLAIN }, true),
        (Circuit { length: "float64", end: rounds, ..PLAIN }, true),
        (Circuit { id: "string", length: "float64", end: last, merge: "max", ..PLAIN }, true),
        // The value stays what it is.
        (Circuit { hop: "- select: { id: road.dst, length: length }", ..PLAIN }, true),
        (
            Circuit {
                hop: "- select: { id: road.dst, length: length }",
                merge: "max",
                id: "string",
                ..PLAIN
            },
            true,
        ),
        // Some pairs fail.
        (
            Circuit {
                hop: "- select: { id: road.dst, length: '60 % road.length + length' }",
                end: last,
                ..PLAIN
            },
            true,
        ),
        // The edge says all, so that its own value is taken off each row first.
        (Circuit { hop: "- select: { id: road.dst, length: road.length }", ..PLAIN }, false),
        // Where it leads is no field of the edge, or stays.
        (
            Circuit {
                hop: "- select: { id: 'road.dst % 7', length: length + road.length }",
                end: last,
                ..PLAIN
            },
            false,
        ),
        (Circuit { hop: "- select: { id: id, length: road.length }", ..PLAIN }, false),
        (
            Circuit {
                hop: "- select: { id: road.dst, length: length + road.length + road.src }",
                end: last,
                ..PLAIN
            },
            false,
        ),
        // Some rows go along no edge, and some fail before.
        (
            Circuit {
                hop: "- select: { id: road.dst, length: length + road.length }",
                before: "- where: '40 % length != 1 and length < 9'\n          ",
                end: last,
                ..PLAIN
            },
            true,
        ),
        (
            Circuit {
                id: "string",
                hop: "- select: { id: road.dst, length: length }",
                before: "- where: length > 0\n          ",
                merge: "max",
                ..PLAIN
            },
            true,
        ),
        // Some pairs do not count; what hangs on one side alone is asked of that before.
        (
            Circuit {
                hop: "- where: road.length > 0 and length < 12\n          \
                      - select: { id: road.dst, length: length + road.length }",
                ..PLAIN
            },
            true,
        ),
        (
            Circuit {
                hop: "- where: road.length != id\n          \
                      - select: { id: road.dst, length: id + length }",
                end: last,
                ..PLAIN
            },
            true,
        ),
    ]
}

#[test]
fn loops_keep_the_best_of_each_node() {
    for seed in seeds(CASES) {
        let mut random = Random::new(seed);
        for (circuit, is_walk) in circuits() {
            let text = circuit.text();
            let plan = planned(seed, &text);
            assert_eq!(plan.traversals().contains_key(&LoopId(0)), is_walk, "{text}");
            let epochs = graph_changes(&mut random, &plan);
            for backend in [BackendChoice::Hash, BackendChoice::Arrangements] {
                let n_workers = *random.pick(&[1, 2, 4]);
                check(seed, &text, &plan, &epochs, backend, n_workers);
            }
        }
    }
}

/// Places and roads that come and go, between few nodes; some lengths are at the end of numbers.
fn graph_changes(random: &mut Random, plan: &DataflowPlan) -> Epochs {
    let mut held: Vec<Message> = Vec::new();
    let mut change = |random: &mut Random| {
        if random.chance(40) && !held.is_empty() {
            return take_back(random, &mut held);
        }
        let topic = &plan.topics[usize::from(random.chance(75))];
        held.push((topic.name.clone(), Change::Diff { row: row(random, &topic.schema), diff: 1 }));
        held[held.len() - 1].clone()
    };
    let mut epoch = |random: &mut Random| -> Vec<Message> {
        (0..random.below(9)).map(|_| change(random)).collect()
    };
    (0..25).map(|_| epoch(random)).collect()
}

fn row(random: &mut Random, schema: &Schema) -> Row {
    let is_length = |name: &str| name == "length";
    let value = |(name, ty): (&str, &Type), random: &mut Random| {
        let number = match is_length(name) {
            true if random.chance(3) => *random.pick(&[i64::MIN, i64::MAX]),
            true => *random.pick(&[-1, 0, 1, 1, 2, 3, 5, 8]),
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
