//! Loops whose rows are numbers, near each other and not: those that walk a graph, which are one
//! operator, and others.

use std::collections::BTreeMap;

use arqon_engine::BackendChoice;
use arqon_plan::{DataflowPlan, LoopId};
use arqon_tests::random::Random;
use arqon_tests::updates::Message;
use arqon_types::{Change, Value};

use crate::runs::{planned, run, seeds, take_back};
use crate::{Epochs, check};

const CASES: u64 = 12;

/// A circuit with a loop from roots along edges.
fn circuit(flow: &str) -> String {
    format!(
        "arqon: 1\ncircuit: law.numbers\nschemas:\n  Node: {{ id: int64 }}\n  \
         Edge: {{ src: int64, dst: int64 }}\ntopics:\n  \
         roots: {{ schema: Node, carries: delta, shared: true, edge: in }}\n  \
         edges: {{ schema: Edge, carries: delta, shared: true, edge: in }}\n  \
         reached: {{ schema: Node, carries: delta, shared: true, edge: out }}\nflow:\n{flow}"
    )
}

/// A node that repeats a join with the edges and these steps.
fn steps(steps: &str, end: &str) -> String {
    circuit(&format!(
        "  reach:\n    from: roots\n    do:\n      - loop:\n          \
         - join: edges\n            match: {{ id: src }}\n            as: e\n          {steps}\n        \
         merge: distinct\n{end}    to: reached\n"
    ))
}

/// A node with a variable that becomes this, by way of its own.
fn variable(next: &str, end: &str) -> String {
    circuit(&format!(
        "  reach:\n    loop:\n      let: {{ at: roots }}\n      flow:\n        hop:\n          \
         from: at\n          do:\n            - join: edges\n              match: {{ id: src }}\n              \
         as: e\n            - select: {{ id: e.dst }}\n      \
         next: {{ at: {{ from: {next}, merge: distinct }} }}\n{end}    out: at\n    to: reached\n"
    ))
}

const FEW_ROUNDS: &str = "        rounds: 3\n";
const LAST_ROUND: &str = "        rounds: 3\n        exact: true\n";

/// Circuits, and whether their loop is a walk.
fn circuits() -> Vec<(String, bool)> {
    let exact = |rounds: u32| format!("      rounds: {rounds}\n      exact: true\n");
    vec![
        (steps("- select: { id: e.dst }", ""), true),
        (steps("- select: { id: e.dst }", FEW_ROUNDS), true),
        (steps("- select: { id: e.dst }", LAST_ROUND), true),
        (steps("- select: { id: id }", ""), true),
        (variable("[roots, hop]", ""), true),
        (variable("[roots, hop]", &exact(1)), true),
        // A start that is no set, and is forgotten.
        (variable("hop", &exact(2)), true),
        (variable("hop", &exact(5)), true),
        (variable("[hop, edges_of]", &exact(4)).replace("flow:\n  reach", ENDS), true),
        (steps("- where: e.dst % 3 != 1\n          - select: { id: e.dst }", ""), false),
        (steps("- where: e.dst != id\n          - select: { id: 'div(e.dst, 2)' }", ""), false),
    ]
}

/// Where edges end, as often as they do.
const ENDS: &str = "\
flow:
  edges_of:
    from: edges
    do:
      - select: { id: dst }
  reach";

#[test]
fn loops_over_numbers_are_loops() {
    for seed in seeds(CASES) {
        let mut random = Random::new(seed);
        for (text, is_walk) in circuits() {
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

/// Of a walk only the join holds something, and the distinct in the loop nothing of its own.
#[test]
fn the_engine_takes_walks_for_what_they_are() {
    let text = steps("- select: { id: e.dst }", "");
    let plan = planned(0, &text);
    let epochs = graph_changes(&mut Random::new(1), &plan);
    let n_holding = |backend| {
        let mut held: BTreeMap<usize, i64> = BTreeMap::new();
        for (_, output) in run(&plan, &epochs, backend, 1) {
            for (idx, node) in output.stats.nodes.iter().enumerate() {
                *held.entry(idx).or_default() += node.counts.bytes;
            }
        }
        held.values().filter(|bytes| **bytes != 0).count()
    };
    assert_eq!(n_holding(BackendChoice::Hash) + 1, n_holding(BackendChoice::Arrangements));
}

/// Roots and edges that come and go, between few nodes, some of them far from the others.
fn graph_changes(random: &mut Random, plan: &DataflowPlan) -> Epochs {
    let nodes: Vec<i64> = (0..12).chain([1 << 40, (1 << 40) + 1, i64::MIN, i64::MAX]).collect();
    let mut held: Vec<Message> = Vec::new();
    let mut epoch = |random: &mut Random| -> Vec<Message> {
        let changes = 0..random.below(9);
        let change = |_| {
            if random.chance(40) && !held.is_empty() {
                return take_back(random, &mut held);
            }
            let node = |random: &mut Random| Value::Int(*random.pick(&nodes));
            let is_root = random.chance(15);
            let row = if is_root { vec![node(random)] } else { vec![node(random), node(random)] };
            let topic = plan.topics.iter().find(|topic| topic.schema.fields.len() == row.len());
            let topic = topic.expect("one topic has nodes, the other edges").name.clone();
            held.push((topic, Change::Diff { row: row.into(), diff: 1 }));
            held[held.len() - 1].clone()
        };
        changes.map(change).collect()
    };
    (0..30).map(|_| epoch(random)).collect()
}
