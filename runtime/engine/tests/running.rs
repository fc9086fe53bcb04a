//! Starting, feeding, ending and failing; sources; the same bytes for any number of workers.

mod naive;

use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::time::Duration;

use arqon_engine::{
    BackendChoice, Changes, Dataflow, EngineOptions, EpochInput, FeedError, RowOutput, StartError,
    TopicInput,
};
use arqon_operators::{AggregateFunction, BinaryOp, Expr, ExprKind, Place};
use arqon_plan::{
    DataflowPlan, Group, Join, JoinKind, JoinOutput, Map, Operator, Stage, StageKind,
};
use arqon_types::{Change, ColumnBatch, Discipline, Epoch, ErrorRow, Row, Schema, Type, Value};

use naive::{
    PlanBuilder, Relation, aggregate, binary, column, epochs, fold, int, literal, row, rows_input,
    run, schema, topic, topic_name,
};

fn pair_schema() -> Schema {
    schema(&[("id", Type::Int64), ("v", Type::Int64)])
}

fn pair(id: i64, v: i64) -> Row {
    row(&[int(id), int(v)])
}

/// The input topic as it is.
fn copy_plan(discipline: Discipline, key: &[usize]) -> DataflowPlan {
    let mut plan = PlanBuilder::new();
    let source = plan.source(topic("in", &pair_schema(), discipline, key));
    plan.output("out", source);
    plan.build()
}

/// A condition that is no bool, which no verified plan has.
fn broken_plan() -> DataflowPlan {
    let mut plan = PlanBuilder::new();
    let source = plan.source(topic("in", &pair_schema(), Discipline::Events, &[]));
    let kind = StageKind::Filter(Expr::column(1, Type::Int64));
    let map = Map { stages: vec![Stage { address: "broken[0]".into(), kind }] };
    let step = plan.step("broken", Operator::Map(map), &[source], pair_schema());
    plan.output("out", step);
    plan.build()
}

fn collections(outputs: &[RowOutput]) -> BTreeMap<String, Relation> {
    let mut folded = BTreeMap::new();
    for output in outputs {
        fold(&mut folded, output);
    }
    folded.into_iter().map(|(name, relation)| (name.to_string(), relation)).collect()
}

fn inserts(rows: &[(i64, i64)]) -> Vec<Change> {
    rows.iter().map(|(id, v)| Change::Insert(pair(*id, *v))).collect()
}

#[test]
fn each_epoch_gives_one_output_also_when_nothing_changes() {
    let plan = copy_plan(Discipline::Events, &[]);
    let inputs = epochs(vec![
        vec![rows_input("in", inserts(&[(1, 1), (1, 1)]))],
        Vec::new(),
        vec![rows_input("in", inserts(&[(0, 5)]))],
    ]);
    let outputs = run(&plan, 2, BackendChoice::Auto, &inputs);
    assert_eq!(outputs.iter().map(|output| output.epoch.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(outputs[0].deltas[0].updates[0].diff, 2);
    assert!(outputs[1].deltas.is_empty());
    assert_eq!(outputs[0].stats.rows_in, 2);
    assert_eq!(outputs[0].stats.deltas_out, 1);
}

#[test]
fn the_last_upsert_of_a_key_in_an_epoch_counts() {
    let plan = copy_plan(Discipline::Full, &[0]);
    let upsert = |id, v| Change::Upsert(pair(id, v));
    let inputs = epochs(vec![
        vec![rows_input("in", vec![upsert(1, 1), upsert(2, 2), upsert(1, 3)])],
        vec![rows_input("in", vec![Change::Delete(row(&[int(1)])), upsert(2, 2)])],
        vec![rows_input("in", vec![Change::Delete(row(&[int(7)])), upsert(1, 4)])],
        vec![
            rows_input("in", vec![upsert(1, 5)]),
            rows_input("in", vec![Change::Delete(row(&[int(1)]))]),
        ],
    ]);
    for n_workers in [1, 2, 4] {
        let outputs = run(&plan, n_workers, BackendChoice::Auto, &inputs);
        let updates: Vec<Vec<(Row, i64)>> = outputs
            .iter()
            .map(|output| {
                let updates = output.deltas.iter().flat_map(|delta| &delta.updates);
                updates.map(|update| (update.row.clone(), update.diff)).collect()
            })
            .collect();
        assert_eq!(updates[0], [(pair(1, 3), 1), (pair(2, 2), 1)]);
        assert_eq!(updates[1], [(pair(1, 3), -1)]);
        assert_eq!(updates[2], [(pair(1, 4), 1)]);
        assert_eq!(updates[3], [(pair(1, 4), -1)]);
        let ignored: Vec<u64> =
            outputs.iter().map(|output| output.stats.nodes[0].counts.ignored).collect();
        assert_eq!(ignored, [1, 1, 1, 1], "superseded, repeated, absent, superseded");
    }
}

/// Files of rows in the order of their keys, which are dealt to the workers whole, and then rows of
/// the same keys and of others, one by one and as columns in no order.
#[test]
fn rows_in_the_order_of_their_keys_are_the_same_for_any_number_of_workers() {
    let plan = copy_plan(Discipline::Full, &[0]);
    let columns = |rows: Vec<(i64, i64)>| {
        let mut batch = ColumnBatch::empty(&pair_schema().types());
        for (id, v) in rows {
            batch.push(&pair(id, v), 1);
        }
        TopicInput { topic: topic_name("in"), changes: Changes::Columns(batch) }
    };
    let upsert = |id, v| Change::Upsert(pair(id, v));
    let delete = |id| Change::Delete(row(&[int(id)]));
    // By twos, so that there is room for other keys between.
    let ascending = |start: i64, n: i64| (start..start + n).map(|at| (2 * at, at)).collect();
    let inputs = epochs(vec![
        vec![rows_input("in", vec![upsert(2_001, 0)])],
        vec![columns(ascending(1_100, 1_000))],
        vec![columns(ascending(2_100, 1_000)), columns(ascending(3_100, 40_000))],
        vec![rows_input("in", vec![upsert(2_300, -1), upsert(2_301, -1), delete(4_200)])],
        vec![columns((0..4_000).map(|at| (1_500 + (at * 37) % 4_001, -2)).collect())],
        vec![columns(ascending(1_100, 1_000))],
        vec![rows_input("in", (0..90_000).map(delete).collect())],
    ]);
    let deltas = |n_workers| -> Vec<_> {
        let outputs = run(&plan, n_workers, BackendChoice::Auto, &inputs);
        outputs.into_iter().map(|output| output.deltas).collect()
    };
    let wanted = deltas(1);
    let n_left: i64 =
        wanted.iter().flatten().flat_map(|delta| &delta.updates).map(|update| update.diff).sum();
    assert_eq!(n_left, 0, "all was deleted");
    for n_workers in [2, 3, 4] {
        assert_eq!(deltas(n_workers), wanted, "{n_workers} workers");
    }
}

/// The same upserts as columns and one by one, in epochs of one and of several batches: keys that are
/// new, that come twice, that were there before, in any order.
#[test]
fn upserts_as_columns_are_upserts() {
    let plan = copy_plan(Discipline::Full, &[0]);
    let mut state = 7_u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        i64::try_from((state >> 33) % below).unwrap()
    };
    for round in 0..60 {
        let n_keys = [4, 40, 4_000][round % 3];
        let batches: Vec<Vec<Vec<(i64, i64)>>> = (0..5)
            .map(|_| {
                let mut batch = || (0..next(6)).map(|_| (next(n_keys), next(3))).collect();
                (0..=round % 3).map(|_| batch()).collect()
            })
            .collect();
        let inputs = |changes: fn(&[(i64, i64)]) -> Changes| {
            let input = |rows: &Vec<(i64, i64)>| TopicInput {
                topic: topic_name("in"),
                changes: changes(rows),
            };
            epochs(batches.iter().map(|epoch| epoch.iter().map(input).collect()).collect())
        };
        let one_by_one = inputs(|rows| {
            Changes::Rows(rows.iter().map(|(id, v)| Change::Upsert(pair(*id, *v))).collect())
        });
        let columns = inputs(|rows| {
            let mut batch = ColumnBatch::empty(&pair_schema().types());
            for (id, v) in rows {
                batch.push(&pair(*id, *v), 1);
            }
            Changes::Columns(batch)
        });
        for n_workers in [1, 2] {
            let run = |inputs: &[EpochInput]| {
                let outputs = run(&plan, n_workers, BackendChoice::Auto, inputs);
                let told = outputs.into_iter().map(|output| {
                    let counts = output.stats.nodes[0].counts;
                    (output.deltas, counts.input, counts.output, counts.held, counts.ignored)
                });
                told.collect::<Vec<_>>()
            };
            assert_eq!(run(&columns), run(&one_by_one), "round {round}, {n_workers} workers");
        }
    }
}

/// Rows that no reader lets through are not held; what comes and goes among the others is the same.
#[test]
fn rows_that_nobody_lets_through_are_not_held() {
    let mut plan = PlanBuilder::new();
    let source = plan.source(topic("in", &pair_schema(), Discipline::Full, &[0]));
    let positive = binary(BinaryOp::Greater, column(1, Type::Int64), literal(0), Type::Bool);
    let kind = StageKind::Filter(positive);
    let map = Map { stages: vec![Stage { address: "n[0]".into(), kind }] };
    let step = plan.step("n", Operator::Map(map), &[source], pair_schema());
    plan.output("out", step);
    let plan = plan.build();
    let columns = |rows: &[(i64, i64)]| {
        let mut batch = ColumnBatch::empty(&pair_schema().types());
        for (id, v) in rows {
            batch.push(&pair(*id, *v), 1);
        }
        TopicInput { topic: topic_name("in"), changes: Changes::Columns(batch) }
    };
    let inputs = epochs(vec![
        vec![columns(&[(1, 1), (2, 0), (3, 3), (4, 0)]), columns(&[(5, 0), (6, 6)])],
        // 1 is let through no more, 2 is from now on, 4 comes twice, 7 is new and goes at once.
        vec![columns(&[(7, 7), (1, 0), (2, 2), (4, 4), (4, 0), (7, 0), (8, 8)])],
        vec![rows_input("in", vec![Change::Upsert(pair(9, 0)), Change::Upsert(pair(3, 0))])],
        vec![columns(&[(9, 9), (3, 0), (8, 8)])],
    ]);
    let whole = run(&plan, 1, BackendChoice::Auto, &inputs);
    // Two workers keep only what is read.
    let read = run(&plan, 2, BackendChoice::Auto, &inputs);
    let deltas = |outputs: &[RowOutput]| {
        outputs.iter().map(|output| output.deltas.clone()).collect::<Vec<_>>()
    };
    assert_eq!(deltas(&read), deltas(&whole));
    let held = |outputs: &[RowOutput]| {
        outputs.iter().map(|output| output.stats.nodes[0].counts.held).sum::<i64>()
    };
    assert_eq!((held(&whole), held(&read)), (9, 4), "2, 6, 8 and 9");
}

/// Of an `unnest` each row is one of three: it has elements, has none, or fails, and is counted
/// once.
#[test]
fn a_row_that_fails_in_an_unnest_is_counted_once() {
    let mut plan = PlanBuilder::new();
    let source = plan.source(topic("in", &pair_schema(), Discipline::Delta, &[]));
    let list = Type::List(Box::new(Type::Int64));
    let reciprocal = binary(BinaryOp::Remainder, literal(6), column(1, Type::Int64), Type::Int64);
    let item = |kind| Expr { kind, ty: list.clone(), place: Place::default() };
    let none = item(ExprKind::Literal(Value::List(Vec::new().into())));
    let kind = ExprKind::If {
        condition: Box::new(binary(BinaryOp::Less, column(1, Type::Int64), literal(0), Type::Bool)),
        then: Box::new(none),
        otherwise: Box::new(item(ExprKind::List(vec![reciprocal, literal(7)]))),
    };
    let stage = Stage { address: "n[0]".into(), kind: StageKind::Unnest(item(kind)) };
    let fields =
        [("id", Type::Int64), ("v", Type::Int64), ("at", Type::Int64), ("item", Type::Int64)];
    let map = Operator::Map(Map { stages: vec![stage] });
    let step = plan.step("n", map, &[source], schema(&fields));
    plan.output("out", step);
    let rows = inserts(&[(1, 4), (2, 0), (3, -1)]);
    let outputs =
        run(&plan.build(), 1, BackendChoice::Auto, &epochs(vec![vec![rows_input("in", rows)]]));
    let node = outputs[0].stats.nodes.iter().find(|node| &*node.address == "n[0]").unwrap();
    let counts = [node.counts.input, node.counts.output, node.counts.filtered, node.counts.errors];
    assert_eq!(counts.map(|count| count.changes), [3, 2, 1, 1]);
    assert_eq!(counts.map(|count| count.net), [3, 2, 1, 1]);
}

/// A topic that keeps only what is read answers alike; a row that changes in what is not read does
/// not change.
#[test]
fn what_nobody_reads_is_not_kept() {
    let mut plan = PlanBuilder::new();
    let source = plan.source(topic("in", &pair_schema(), Discipline::Full, &[0]));
    let group = Group {
        keys: Vec::new(),
        aggregates: vec![aggregate(AggregateFunction::Count, &[], Type::Int64)],
    };
    let step = plan.step("n", Operator::Group(group), &[source], schema(&[("n", Type::Int64)]));
    plan.output("out", step);
    let plan = plan.build();
    let upsert = |id, v| Change::Upsert(pair(id, v));
    let inputs = epochs(vec![
        vec![rows_input("in", vec![upsert(1, 1), upsert(2, 2)])],
        vec![rows_input("in", vec![upsert(1, 5)])],
        vec![rows_input("in", vec![Change::Delete(row(&[int(1)]))])],
    ]);
    // Two workers keep only what is read.
    for (n_workers, n_changed) in [(1, [2, 2, 1]), (2, [2, 0, 1])] {
        let outputs = run(&plan, n_workers, BackendChoice::Auto, &inputs);
        let counts = outputs.iter().map(|output| output.stats.nodes[0].counts.output.changes);
        assert_eq!(counts.collect::<Vec<_>>(), n_changed);
        let last = outputs[2].deltas[0].updates.iter().find(|update| update.diff > 0).unwrap();
        assert_eq!(last.row, row(&[int(1)]));
    }
}

#[test]
fn a_retraction_of_an_unknown_row_is_an_error_row_and_changes_nothing() {
    let plan = copy_plan(Discipline::Delta, &[]);
    let diff = |id, diff| Change::Diff { row: pair(id, 0), diff };
    let inputs = epochs(vec![
        vec![rows_input("in", vec![diff(1, -1), diff(1, 1), diff(2, 2)])],
        vec![rows_input("in", vec![diff(2, -3), diff(2, -2), diff(1, -1), diff(1, -1)])],
    ]);
    for n_workers in [1, 2, 4] {
        let outputs = run(&plan, n_workers, BackendChoice::Auto, &inputs);
        let first = collections(&outputs[..1]);
        assert_eq!(first["out"], Relation::from([(pair(1, 0), 1), (pair(2, 0), 2)]));
        let all = collections(&outputs);
        assert!(!all.contains_key("out"), "all rows are gone");
        let errors: Vec<(&Row, &i64)> = all["in.errors"].iter().collect();
        assert_eq!(errors.iter().map(|(_, n)| **n).sum::<i64>(), 3);
        assert!(errors.iter().all(|(row, _)| row[2] == Value::string("unknown_row")));
        assert_eq!(errors[0].0[5], Value::string("{ id: 1, v: 0 }"));
    }
}

#[test]
fn an_unverified_delta_topic_is_trusted() {
    let mut plan = copy_plan(Discipline::Delta, &[]);
    plan.topics[0].verified = false;
    let retract = Change::Diff { row: pair(1, 0), diff: -1 };
    let outputs =
        run(&plan, 2, BackendChoice::Auto, &epochs(vec![vec![rows_input("in", vec![retract])]]));
    assert_eq!(collections(&outputs)["out"], Relation::from([(pair(1, 0), -1)]));
}

#[test]
fn malformed_rows_reach_the_topics_errors() {
    let plan = copy_plan(Discipline::Events, &[]);
    let error = ErrorRow {
        node: "in".to_owned(),
        step: "in".to_owned(),
        code: "malformed".to_owned(),
        message: "`v` is no int64".to_owned(),
        place: "rows.csv:3".to_owned(),
        row: "1,x".to_owned(),
    };
    let changes = Changes::Errors(vec![error.clone()]);
    let inputs = epochs(vec![vec![TopicInput { topic: topic_name("in"), changes }]]);
    let outputs = run(&plan, 2, BackendChoice::Auto, &inputs);
    assert_eq!(collections(&outputs)["in.errors"], Relation::from([(error.to_row(), 1)]));
    assert_eq!(outputs[0].stats.errors, 1);
}

#[test]
fn columns_and_rows_are_the_same_changes() {
    let rows: Vec<(i64, i64)> = (0..3000).map(|n| (n % 700, n % 13)).collect();
    let types = pair_schema().types();
    let mut batch = ColumnBatch::empty(&types);
    for (id, v) in &rows {
        batch.push(&pair(*id, *v), 1);
    }
    for (discipline, key) in
        [(Discipline::Events, vec![]), (Discipline::Full, vec![0]), (Discipline::Delta, vec![])]
    {
        let plan = copy_plan(discipline, &key);
        let changes = match discipline {
            Discipline::Full => rows.iter().map(|(id, v)| Change::Upsert(pair(*id, *v))).collect(),
            Discipline::Events | Discipline::Delta => inserts(&rows),
        };
        let by_row = epochs(vec![vec![rows_input("in", changes)]]);
        let columns = Changes::Columns(batch.clone());
        let by_column =
            epochs(vec![vec![TopicInput { topic: topic_name("in"), changes: columns }]]);
        for n_workers in [1, 2, 4] {
            // Rows that come as columns take less memory; all else is the same.
            let run = |inputs: &[EpochInput]| {
                let mut outputs = run(&plan, n_workers, BackendChoice::Auto, inputs);
                for output in &mut outputs {
                    output.stats.state_grown = 0;
                    output.stats.nodes.iter_mut().for_each(|node| node.counts.bytes = 0);
                }
                outputs
            };
            let (by_row, by_column) = (run(&by_row), run(&by_column));
            assert!(!by_row[0].deltas.is_empty());
            assert_eq!(by_row, by_column);
        }
    }
}

#[test]
fn any_number_of_workers_gives_the_same_deltas() {
    let plan = sum_plan(true);
    let inputs = epochs(
        (0..20)
            .map(|epoch| {
                let rows: Vec<(i64, i64)> =
                    (0..600).map(|n| ((n * 7 + epoch) % 97, n * epoch % 31)).collect();
                vec![rows_input("in", inserts(&rows))]
            })
            .collect(),
    );
    let deltas = |n_workers, backend| {
        let outputs = run(&plan, n_workers, backend, &inputs);
        outputs.into_iter().map(|output| output.deltas).collect::<Vec<_>>()
    };
    let wanted = deltas(1, BackendChoice::Hash);
    for n_workers in [1, 2, 4] {
        assert_eq!(deltas(n_workers, BackendChoice::Hash), wanted);
        assert_eq!(deltas(n_workers, BackendChoice::Arrangements), wanted);
    }
}

/// Sums of `v` by `id`.
fn sum_plan(keyed: bool) -> DataflowPlan {
    let mut plan = PlanBuilder::new();
    let source = plan.source(topic("in", &pair_schema(), Discipline::Delta, &[]));
    let sum = aggregate(AggregateFunction::Sum, &[column(1, Type::Int64)], Type::Int64);
    let (keys, out) = if keyed {
        (vec![column(0, Type::Int64)], pair_schema())
    } else {
        (Vec::new(), schema(&[("sum", Type::Int64)]))
    };
    let group = Group { keys, aggregates: vec![sum] };
    let step = plan.step("grouped", Operator::Group(group), &[source], out);
    plan.output("out", step);
    plan.build()
}

/// Rows of few groups are added up as they come: what groups come to is the same, and so is what
/// they hold, whether rows are upserts that replace others, fail, or have nothing in their key.
#[test]
fn rows_of_few_groups_are_added_up() {
    use AggregateFunction as A;
    let text = Type::String.optional();
    let amount = Type::Decimal(2).optional();
    let input = schema(&[
        ("id", Type::Int64),
        ("kind", text.clone()),
        ("amount", amount.clone()),
        ("n", Type::Int64),
    ]);
    let remainder = binary(BinaryOp::Remainder, literal(7), column(3, Type::Int64), Type::Int64);
    let decimals = vec![
        aggregate(A::Sum, &[column(2, amount.clone())], amount.clone()),
        aggregate(A::Average, &[column(2, amount)], Type::Float64.optional()),
        aggregate(A::Count, &[], Type::Int64),
        aggregate(A::Sum, std::slice::from_ref(&remainder), Type::Int64),
    ];
    let ints = vec![
        aggregate(A::Sum, &[column(0, Type::Int64)], Type::Int64),
        aggregate(A::Sum, &[remainder], Type::Int64),
    ];
    let counts = vec![aggregate(A::Count, &[], Type::Int64)];
    let by_text = vec![column(1, text.clone())];
    let by_both = vec![column(3, Type::Int64), column(1, text)];
    for (keys, aggregates) in [
        (by_text.clone(), decimals),
        (by_text, ints.clone()),
        (vec![column(3, Type::Int64)], ints),
        (by_both, counts),
    ] {
        let fields = keys.iter().map(|key| &key.ty).chain(aggregates.iter().map(|it| &it.ty));
        let names = ["a", "b", "c", "d", "e"];
        let fields: Vec<_> = names.into_iter().zip(fields.cloned()).collect();
        let mut plan = PlanBuilder::new();
        let source = plan.source(topic("in", &input, Discipline::Full, &[0]));
        let group = Operator::Group(Group { keys, aggregates });
        let step = plan.step("grouped", group, &[source], schema(&fields));
        plan.output("out", step);
        let plan = plan.build();
        let batch = |start: i64, n_rows: i64, salt: i64| {
            let mut batch = ColumnBatch::empty(&input.types());
            for id in (start..start + n_rows).map(|n| (n * 7 + salt) % 4_000) {
                let kind = ["a", "b", ""][usize::try_from((id + salt) % 3).unwrap()];
                let amount = Value::Decimal((id * salt - 900).into());
                let values = [
                    int(id),
                    if id % 11 == 0 { Value::None } else { Value::string(kind) },
                    if id % 5 == 0 { Value::None } else { amount },
                    int((id + salt) % 4),
                ];
                batch.push(&row(&values), 1);
            }
            vec![TopicInput { topic: topic_name("in"), changes: Changes::Columns(batch) }]
        };
        let gone = (0..500).map(|id| Change::Delete(row(&[int(id)]))).collect();
        let inputs = epochs(vec![
            batch(0, 1_500, 0),
            // Many rows are replaced, and few come again.
            batch(100, 1_200, 7),
            batch(0, 30, 3),
            vec![rows_input("in", gone)],
            batch(2_000, 700, 1),
        ]);
        let told = |n_workers, backend| {
            let outputs = run(&plan, n_workers, backend, &inputs);
            let held: i64 = outputs.iter().map(|it| it.stats.nodes[1].counts.held).sum();
            (outputs.into_iter().map(|output| output.deltas).collect::<Vec<_>>(), held)
        };
        let (deltas, _) = told(1, BackendChoice::Arrangements);
        let (hashed, held) = told(1, BackendChoice::Hash);
        assert_eq!(hashed, deltas);
        assert!(held > 1_000, "{held}");
        // Two workers keep only what is read, and error rows show what is kept.
        for n_workers in [3, 4] {
            assert_eq!(told(n_workers, BackendChoice::Hash), (deltas.clone(), held));
        }
    }
}

#[test]
fn a_small_change_touches_few_rows() {
    let rows: Vec<(i64, i64)> = (0..5000).map(|n| (n % 100, n)).collect();
    let retract = Change::Diff { row: pair(7, 7), diff: -1 };
    let inputs =
        epochs(vec![vec![rows_input("in", inserts(&rows))], vec![rows_input("in", vec![retract])]]);
    for n_workers in [1, 2] {
        let outputs = run(&sum_plan(true), n_workers, BackendChoice::Hash, &inputs);
        assert_eq!(outputs[0].stats.rows_in, 5000);
        assert!(outputs[0].stats.rows_touched >= 10_000, "the source and the group");
        assert_eq!(outputs[1].stats.rows_touched, 2, "the source and the group, one row each");
        assert_eq!(outputs[1].stats.deltas_out, 2);
        let held: Vec<Vec<i64>> = outputs
            .iter()
            .map(|output| output.stats.nodes.iter().map(|node| node.counts.held).collect())
            .collect();
        assert_eq!(held, [[5000, 5000], [-1, -1]]);
    }
}

#[test]
fn the_group_without_keys_is_there_from_the_first_epoch_on() {
    for backend in [BackendChoice::Hash, BackendChoice::Arrangements] {
        for n_workers in [1, 2, 4] {
            let mut inputs = epochs(vec![Vec::new(), vec![rows_input("in", inserts(&[(1, 5)]))]]);
            for input in &mut inputs {
                input.epoch = Epoch(input.epoch.0 + 40);
            }
            let outputs = run(&sum_plan(false), n_workers, backend, &inputs);
            let updates = |idx: usize| -> Vec<(Row, i64)> {
                let updates = &outputs[idx].deltas[0].updates;
                updates.iter().map(|update| (update.row.clone(), update.diff)).collect()
            };
            assert_eq!(outputs[0].epoch, Epoch(41));
            assert_eq!(updates(0), [(row(&[int(0)]), 1)]);
            assert_eq!(updates(1), [(row(&[int(0)]), -1), (row(&[int(5)]), 1)]);
        }
    }
}

#[test]
fn an_input_that_no_step_reads_is_counted() {
    let mut plan = copy_plan(Discipline::Events, &[]);
    plan.topics.push(topic("idle", &pair_schema(), Discipline::Full, &[0]));
    let upserts = vec![Change::Upsert(pair(1, 1)), Change::Upsert(pair(1, 2))];
    let inputs = epochs(vec![vec![rows_input("idle", upserts)]]);
    let outputs = run(&plan, 2, BackendChoice::Auto, &inputs);
    assert!(outputs[0].deltas.is_empty());
    assert_eq!(outputs[0].stats.rows_in, 2);
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_of_it_is_taken() {
    let plan = copy_plan(Discipline::Events, &[]);
    let (sender, outputs) = channel();
    let dataflow = Dataflow::start(plan, EngineOptions::default(), move |output| {
        sender.send(output.into_rows()).unwrap();
    })
    .unwrap();
    let feed = |epoch, topic: &str, changes| {
        dataflow.feed(EpochInput {
            epoch: Epoch(epoch),
            time: 0,
            topics: vec![rows_input(topic, changes)],
        })
    };
    let misfit = vec![Change::Insert(pair(1, 1)), Change::Insert(row(&[int(1)]))];
    assert_eq!(feed(1, "in", misfit), Err(FeedError::Misfit { topic: topic_name("in"), idx: 1 }));
    assert_eq!(feed(1, "out", Vec::new()), Err(FeedError::NotAnInput(topic_name("out"))));
    assert_eq!(feed(1, "none", Vec::new()), Err(FeedError::NotAnInput(topic_name("none"))));
    assert_eq!(
        feed(0, "in", Vec::new()),
        Err(FeedError::Order { last: Epoch(0), given: Epoch(0) })
    );
    assert_eq!(feed(3, "in", inserts(&[(1, 1)])), Ok(()));
    assert_eq!(
        feed(3, "in", Vec::new()),
        Err(FeedError::Order { last: Epoch(3), given: Epoch(3) })
    );
    dataflow.finish().unwrap();
    let outputs: Vec<RowOutput> = outputs.iter().collect();
    assert_eq!(outputs.len(), 1);
    assert_eq!(outputs[0].deltas[0].updates.len(), 1);
}

#[test]
fn a_dataflow_needs_a_worker() {
    let options =
        EngineOptions { n_workers: 0, backend: BackendChoice::Auto, ..EngineOptions::default() };
    let started = Dataflow::start(copy_plan(Discipline::Events, &[]), options, |_| {});
    assert_eq!(started.map(|_| ()).unwrap_err(), StartError::NoWorker);
}

/// Runs `scenario` on a thread and fails rather than hang.
fn within_a_minute(scenario: impl FnOnce() + Send + 'static) {
    let (done, wait) = channel();
    let thread = std::thread::spawn(move || {
        scenario();
        done.send(()).expect("the test waits");
    });
    let outcome = wait.recv_timeout(Duration::from_secs(60));
    assert!(outcome.is_ok() || thread.is_finished(), "the dataflow hangs");
    thread.join().expect("the scenario passes");
}

#[test]
fn a_panic_in_a_worker_stops_the_dataflow_and_says_why() {
    for n_workers in [1, 2, 4] {
        within_a_minute(move || {
            let options = EngineOptions {
                n_workers,
                backend: BackendChoice::Auto,
                ..EngineOptions::default()
            };
            let dataflow = Dataflow::start(broken_plan(), options, |_| {}).unwrap();
            // One row: one worker fails, the others wait for it.
            let mut outcome = Ok(());
            for epoch in 1..10_000 {
                let topics = vec![rows_input("in", inserts(&[(1, 1)]))];
                outcome = dataflow.feed(EpochInput { epoch: Epoch(epoch), time: 0, topics });
                if outcome.is_err() {
                    break;
                }
            }
            let Err(FeedError::Stopped(reason)) = outcome else { panic!("{outcome:?}") };
            assert!(reason.contains("a condition is a bool"), "{reason}");
            let finished = dataflow.finish().unwrap_err();
            assert_eq!(finished.reason, reason);
        });
    }
}

#[test]
fn more_copies_of_a_row_than_can_be_counted_stop_the_dataflow() {
    let flat = |n: usize| {
        let names: Vec<String> = (0..n).map(|at| format!("f{at}")).collect();
        let fields: Vec<(&str, Type)> = names.iter().map(|it| (&**it, Type::Int64)).collect();
        schema(&fields)
    };
    let mut plan = PlanBuilder::new();
    let source = plan.source(topic("in", &pair_schema(), Discipline::Delta, &[]));
    let key = || vec![column(0, Type::Int64)];
    let beside = || Join {
        kind: JoinKind::Inner,
        left_key: key(),
        right_key: key(),
        residual: None,
        asof: None,
        output: JoinOutput::Flat,
    };
    let twice = plan.step("twice", Operator::Join(beside()), &[source, source], flat(4));
    let thrice = plan.step("thrice", Operator::Join(beside()), &[twice, source], flat(6));
    plan.output("out", thrice);
    let plan = plan.build();
    for backend in [BackendChoice::Hash, BackendChoice::Arrangements] {
        let plan = plan.clone();
        within_a_minute(move || {
            let options = EngineOptions { n_workers: 1, backend, ..EngineOptions::default() };
            let dataflow = Dataflow::start(plan, options, |_| {}).unwrap();
            let copies = vec![Change::Diff { row: pair(1, 1), diff: i64::from(i32::MAX) }];
            let input =
                EpochInput { epoch: Epoch(1), time: 0, topics: vec![rows_input("in", copies)] };
            // The failure may be seen at once or at the end.
            let _ = dataflow.feed(input);
            let reason = dataflow.finish().unwrap_err().reason;
            assert!(reason.contains("copies") || reason.contains("overflow"), "{reason}");
        });
    }
}

#[test]
fn a_plan_that_breaks_its_invariants_does_not_start() {
    let mut plan = broken_plan();
    if let Operator::Map(map) = &mut plan.steps[1].operator {
        map.stages[0].kind = StageKind::Project(vec![Expr::column(99, Type::Int64)]);
    }
    let started = Dataflow::start(plan, EngineOptions::default(), |_| {});
    let Err(StartError::Build(reason)) = started else { panic!("the plan is broken") };
    assert!(reason.contains("index out of bounds"), "{reason}");
}

#[test]
fn a_dataflow_that_failed_can_be_dropped() {
    within_a_minute(|| {
        let options = EngineOptions {
            n_workers: 2,
            backend: BackendChoice::Auto,
            ..EngineOptions::default()
        };
        let dataflow = Dataflow::start(broken_plan(), options, |_| {}).unwrap();
        let topics = vec![rows_input("in", inserts(&[(1, 1)]))];
        let _ = dataflow.feed(EpochInput { epoch: Epoch(1), time: 0, topics });
        drop(dataflow);
    });
}

#[test]
fn a_panic_in_the_callback_stops_the_dataflow() {
    within_a_minute(|| {
        let options = EngineOptions {
            n_workers: 2,
            backend: BackendChoice::Auto,
            ..EngineOptions::default()
        };
        let plan = copy_plan(Discipline::Events, &[]);
        let dataflow = Dataflow::start(plan, options, |_| panic!("the callback gives up")).unwrap();
        let mut outcome = Ok(());
        for epoch in 1..10_000 {
            outcome =
                dataflow.feed(EpochInput { epoch: Epoch(epoch), time: 0, topics: Vec::new() });
            if outcome.is_err() {
                break;
            }
        }
        assert_eq!(outcome, Err(FeedError::Stopped("the callback gives up".to_owned())));
        assert!(dataflow.finish().is_err());
    });
}
