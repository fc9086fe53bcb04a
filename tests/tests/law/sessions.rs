//! Groups by session, most of which are one operator with their window.

use std::collections::BTreeSet;

use arqon_engine::BackendChoice;
use arqon_plan::{DataflowPlan, Operator};
use arqon_tests::random::Random;
use arqon_tests::updates::Message;
use arqon_types::{Change, TopicName, Value};

use crate::runs::{planned, run, seeds, take_back};
use crate::{Epochs, check, check_counts};

const CASES: u64 = 10;
const SECOND: i64 = 1_000_000_000;

/// A circuit that groups sessions of rows of a user, whose topic and steps are these.
fn circuit(topic: &str, window: &str, group: &str) -> String {
    format!(
        "arqon: 1\ncircuit: law.sessions\nschemas:\n  \
         Row: {{ user: 'option<string>', v: int64, at: timestamp }}\n  \
         Sum: {{ n: int64, total: int64, most: int64, kinds: int64, few: 'option<int64>' }}\n\
         topics:\n  rows: {{ schema: Row, carries: delta, shared: true, edge: in{topic} }}\n  \
         sums: {{ schema: Sum, carries: delta, shared: true, edge: out }}\nflow:\n  count:\n    \
         from: rows\n    do:\n      - window: {{ session: 5s, {window} }}\n      - group: {group}\n        \
         agg:\n          n: count()\n          total: sum(v)\n          most: max(v)\n          \
         kinds: distinct_count(v)\n          few: min(v, where=v > 3)\n      \
         - select: [n, total, most, kinds, few]\n    to: sums\n"
    )
}

/// The same of sessions that are told of when they close.
fn finally(topic: &str, group: &str, between: &str) -> String {
    let text = circuit(topic, "per: [user]", group);
    text.replace("per: [user] }", &format!("per: [user] }}\n        final: true{between}"))
}

/// Circuits, and whether window and group are one operator.
fn circuits() -> Vec<(String, bool)> {
    let timed = ", time: at";
    let late = ", time: at, late: 8s";
    let by_session = "[user, window_start, window_end]";
    vec![
        (circuit(timed, "per: [user]", by_session), true),
        (circuit(late, "per: [user]", by_session), true),
        (circuit("", "per: [user], time: at", by_session), true),
        (circuit(late, "per: [user]", "[window_end, user]"), true),
        (circuit(late, "per: [v, user]", "[user, window_end, v]"), true),
        (finally(timed, by_session, ""), true),
        (finally(late, "[window_end, user]", ""), true),
        (finally(late, by_session, "\n      - where: v != 2"), false),
        (circuit(late, "per: [user]", by_session).replace("sum(v)", "sum(v * 9)"), false),
        (circuit("", "per: [user], time: at", "[user, window_start]"), false),
        (circuit("", "per: [user], time: at", "[window_end]"), false),
        (circuit("", "per: [user], time: at", "[user, window_end, v]"), false),
    ]
}

#[test]
fn groups_by_session_are_groups() {
    for seed in seeds(CASES) {
        let mut random = Random::new(seed);
        for (text, _) in circuits() {
            let plan = planned(seed, &text);
            let epochs = changes(&mut random, &plan.topics[0].name);
            for backend in [BackendChoice::Hash, BackendChoice::Arrangements] {
                let n_workers = *random.pick(&[1, 2, 4]);
                check(seed, &text, &plan, &epochs, backend, n_workers);
            }
        }
    }
}

/// A row that comes to a long session is all that is touched, where window and group are one.
#[test]
fn a_row_more_costs_a_row() {
    for (text, is_one) in circuits() {
        let plan = planned(0, &text);
        let topic = &plan.topics[0].name;
        let row = |at: i64| {
            let row = vec![Value::string("a"), Value::Int(1), Value::Timestamp(at * SECOND)].into();
            (topic.clone(), Change::Diff { row, diff: 1 })
        };
        let epochs: Epochs = (0..300).map(|at| vec![row(at)]).collect();
        let outputs = run(&plan, &epochs, BackendChoice::Hash, 1);
        let (_, last) = &outputs[epochs.len() - 1];
        assert_eq!(last.stats.rows_touched < 50, is_one, "{}\n{text}", last.stats.rows_touched);
        let outputs: Vec<_> = outputs.into_iter().map(|(_, output)| output).collect();
        check_counts(0, &text, &plan, &outputs);
        assert_eq!(n_holding(&plan, &outputs), BTreeSet::from([true]), "{text}");
    }
}

/// Whether the windows have held something at some time.
fn n_holding(plan: &DataflowPlan, outputs: &[arqon_engine::RowOutput]) -> BTreeSet<bool> {
    let windows = plan.steps.iter().filter(|it| matches!(it.operator, Operator::Session(_)));
    let holds = |address: &str| {
        let all = outputs.iter().flat_map(|output| &output.stats.nodes);
        all.filter(|node| *node.address == *address).any(|node| node.counts.held > 0)
    };
    windows.map(|it| holds(&it.address)).collect()
}

/// Rows of few users at few times that come and go, mostly later and later.
fn changes(random: &mut Random, topic: &TopicName) -> Epochs {
    let mut held: Vec<Message> = Vec::new();
    let mut now = 0;
    let mut epoch = |random: &mut Random| -> Vec<Message> {
        now += random.between(0, 6);
        let changes = 0..random.below(8);
        let change = |_| {
            if random.chance(35) && !held.is_empty() {
                return take_back(random, &mut held);
            }
            let user = *random.pick(&["a", "a", "b", ""]);
            let user = if user.is_empty() { Value::None } else { Value::string(user) };
            let at = (now - random.between(0, 14)) * SECOND + random.between(0, 2);
            let row = vec![user, Value::Int(random.between(0, 6)), Value::Timestamp(at)].into();
            let diff = if random.chance(15) { 2 } else { 1 };
            held.push((topic.clone(), Change::Diff { row, diff }));
            held[held.len() - 1].clone()
        };
        changes.map(change).collect()
    };
    (0..40).map(|_| epoch(random)).collect()
}
