//! Every operator over random updates, random epoch cuts and one, two or four workers: after each
//! epoch the summed deltas equal a recomputation from scratch.

mod naive;

use proptest::prelude::*;

use arqon_engine::{BackendChoice, EpochInput};
use arqon_operators::{AggregateFunction, AggregateFunction as A, BinaryOp, Expr, ExprKind, Place};
use arqon_plan::{
    Arm, DataflowPlan, Group, Join, JoinKind, JoinOutput, Map, Operator, Order, Route, SortKey,
    Stage, StageKind, Ties, Top,
};
use arqon_types::{Change, Discipline, Field, Row, Schema, Type, Value, error_schema};

use naive::{
    MESSAGE, PlanBuilder, ROW_TEXT, aggregate, binary, check, column, epochs, int, literal, row,
    rows_input, schema, topic,
};

/// `{ id: int64, k: option<int64>, v: int64, s: string }`
fn row_schema() -> Schema {
    schema(&[
        ("id", Type::Int64),
        ("k", Type::Int64.optional()),
        ("v", Type::Int64),
        ("s", Type::String),
    ])
}

fn plan_of(
    build: impl FnOnce(&mut PlanBuilder, arqon_plan::StepId, arqon_plan::StepId),
) -> DataflowPlan {
    let mut plan = PlanBuilder::new();
    let left = plan.source(topic("left", &row_schema(), Discipline::Delta, &[]));
    let right = plan.source(topic("right", &row_schema(), Discipline::Full, &[0]));
    build(&mut plan, left, right);
    plan.build()
}

fn some_row() -> impl Strategy<Value = Row> {
    let value = prop_oneof![8 => -3_i64..4, 1 => Just(i64::MAX), 1 => Just(i64::MIN)];
    (0_i64..6, prop::option::of(0_i64..3), value, "[ab]{0,2}").prop_map(|(id, k, v, s)| {
        row(&[int(id), k.map_or(Value::None, int), int(v), Value::string(&s)])
    })
}

fn some_change() -> impl Strategy<Value = (bool, Change)> {
    prop_oneof![
        3 => (some_row(), 1_i64..3).prop_map(|(row, diff)| (true, Change::Diff { row, diff })),
        3 => (some_row(), -2_i64..0).prop_map(|(row, diff)| (true, Change::Diff { row, diff })),
        3 => some_row().prop_map(|row| (false, Change::Upsert(row))),
        1 => (0_i64..6).prop_map(|id| (false, Change::Delete(row(&[int(id)])))),
    ]
}

/// Random changes cut into random epochs; some of the retractions take back what was inserted.
fn some_epochs() -> impl Strategy<Value = Vec<EpochInput>> {
    let epoch = prop::collection::vec((some_change(), any::<prop::sample::Index>()), 0..12);
    prop::collection::vec(epoch, 1..6).prop_map(|cut| {
        let mut inserted: Vec<Row> = Vec::new();
        let mut inputs = Vec::new();
        for changes in cut {
            let (mut left, mut right) = (Vec::new(), Vec::new());
            for ((is_left, mut change), index) in changes {
                if let Change::Diff { row, diff } = &mut change {
                    if *diff > 0 {
                        inserted.push(row.clone());
                    } else if !inserted.is_empty() {
                        *row = inserted[index.index(inserted.len())].clone();
                    }
                }
                if is_left { left.push(change) } else { right.push(change) }
            }
            inputs.push(vec![rows_input("left", left), rows_input("right", right)]);
        }
        epochs(inputs)
    })
}

fn check_all(plan: &DataflowPlan, epochs: &[EpochInput]) {
    for backend in [BackendChoice::Hash, BackendChoice::Arrangements] {
        for n_workers in [1, 2, 4] {
            check(plan, backend, n_workers, epochs, &[MESSAGE]);
        }
    }
}

fn v_times_v() -> Expr {
    binary(BinaryOp::Multiply, column(2, Type::Int64), column(2, Type::Int64), Type::Int64)
}

fn greater(idx: usize, than: i64) -> Expr {
    binary(BinaryOp::Greater, column(idx, Type::Int64), literal(than), Type::Bool)
}

fn map_plan() -> DataflowPlan {
    plan_of(|plan, left, right| {
        let union = plan.step("both", Operator::Union, &[left, right], row_schema());
        plan.output("out.both", union);
        let stage = |idx: usize, kind| Stage { address: format!("mapped[{idx}]").into(), kind };
        let stages = vec![
            stage(0, StageKind::Filter(greater(0, 0))),
            stage(1, StageKind::Project(vec![column(3, Type::String), v_times_v()])),
            stage(2, StageKind::Filter(greater(1, 1))),
        ];
        let out = schema(&[("s", Type::String), ("squared", Type::Int64)]);
        let map = plan.step("mapped", Operator::Map(Map { stages }), &[union], out);
        plan.output("out.mapped", map);
        let only = Route { conditions: vec![greater(0, 4)], has_rest: false };
        let only = plan.step("only", Operator::Route(only), &[left], row_schema());
        let arm = Operator::Arm(Arm { idx: 0 });
        let arm = plan.step("arm_only", arm, &[only], row_schema());
        plan.output("out.only", arm);
        let overflow = binary(BinaryOp::Greater, v_times_v(), literal(3), Type::Bool);
        let route = Route { conditions: vec![greater(0, 3), overflow], has_rest: true };
        let route = plan.step("routed", Operator::Route(route), &[union], row_schema());
        for (idx, name) in ["high", "square", "rest"].into_iter().enumerate() {
            let arm = Operator::Arm(Arm { idx });
            let arm = plan.step(&format!("arm_{name}"), arm, &[route], row_schema());
            plan.output(&format!("out.{name}"), arm);
        }
    })
}

fn join_plan(kind: JoinKind, output: JoinOutput, residual: bool, keyed: bool) -> DataflowPlan {
    plan_of(|plan, left, right| {
        let (left_key, right_key) = if keyed {
            (vec![column(0, Type::Int64)], vec![column(1, Type::Int64.optional())])
        } else {
            (Vec::new(), Vec::new())
        };
        let sum =
            binary(BinaryOp::Add, column(2, Type::Int64), column(6, Type::Int64), Type::Int64);
        let residual = residual.then(|| binary(BinaryOp::Greater, sum, literal(0), Type::Bool));
        let join = Join { kind, left_key, right_key, residual, asof: None, output };
        let right_fields = row_schema().fields;
        let mut out = row_schema();
        let [misses_left, misses_right] = kind.may_miss();
        let side = |ty: Type, may_miss: bool| if may_miss { ty.optional() } else { ty };
        for field in &mut out.fields {
            field.ty = side(field.ty.clone(), misses_left);
        }
        match output {
            JoinOutput::LeftOnly => {}
            JoinOutput::Flat => {
                for field in right_fields {
                    let ty = side(field.ty, misses_right);
                    out.fields.push(Field::new(format!("right_{}", field.name), ty));
                }
            }
            JoinOutput::Nested => {
                let ty = side(Type::Struct(right_fields), misses_right);
                out.fields.push(Field::new("right", ty));
            }
        }
        let join = plan.step("joined", Operator::Join(join), &[left, right], out);
        plan.output("out.joined", join);
    })
}

fn group_plan(keyed: bool) -> DataflowPlan {
    plan_of(|plan, left, right| {
        let union = plan.step("both", Operator::Union, &[left, right], row_schema());
        let v = || column(2, Type::Int64);
        let mut filtered =
            aggregate(AggregateFunction::Max, &[v_times_v()], Type::Int64.optional());
        let small = binary(BinaryOp::Less, v(), literal(3), Type::Bool);
        filtered.filter = Some(small);
        let aggregates = vec![
            aggregate(AggregateFunction::Count, &[], Type::Int64),
            aggregate(AggregateFunction::Sum, &[v()], Type::Int64),
            aggregate(AggregateFunction::Min, &[column(3, Type::String)], Type::String.optional()),
            filtered,
        ];
        let mut fields = vec![
            ("n", Type::Int64),
            ("sum", Type::Int64),
            ("least", Type::String.optional()),
            ("greatest", Type::Int64.optional()),
        ];
        let mut keys = Vec::new();
        if keyed {
            keys.push(column(1, Type::Int64.optional()));
            fields.insert(0, ("k", Type::Int64.optional()));
        }
        let group = Group { keys, aggregates };
        let group = plan.step("grouped", Operator::Group(group), &[union], schema(&fields));
        plan.output("out.grouped", group);
    })
}

fn top_plan(n: u64, offset: u64, ties: Ties, rank: bool, per: bool) -> DataflowPlan {
    plan_of(|plan, left, right| {
        let union = plan.step("both", Operator::Union, &[left, right], row_schema());
        let mut out = row_schema();
        if rank {
            out.fields.push(Field::new("rank", Type::Int64));
        }
        let by = vec![
            SortKey { expr: column(3, Type::String), order: Order::Descending },
            SortKey { expr: column(1, Type::Int64.optional()), order: Order::Ascending },
        ];
        let per = if per { vec![column(0, Type::Int64)] } else { Vec::new() };
        let top = Top { n, offset, per, by, ties, rank };
        let top = plan.step("first", Operator::Top(top), &[union], out);
        plan.output("out.first", top);
    })
}

fn set_plan() -> DataflowPlan {
    plan_of(|plan, left, right| {
        let union = plan.step("both", Operator::Union, &[left, right], row_schema());
        let distinct = plan.step("set", Operator::Distinct, &[union], row_schema());
        plan.output("out.set", distinct);
        let unique = plan.step("one", Operator::Unique { key: vec![1] }, &[union], row_schema());
        plan.output("out.one", unique);
    })
}

/// Errors of maps and of unique keys that a node reads and groups, and errors of its own.
fn errors_plan() -> DataflowPlan {
    plan_of(|plan, left, right| {
        let union = plan.step("both", Operator::Union, &[left, right], row_schema());
        let stages = vec![Stage {
            address: "squares[0]".into(),
            kind: StageKind::Project(vec![v_times_v()]),
        }];
        let squares = Operator::Map(Map { stages });
        plan.step("squares", squares, &[union], schema(&[("squared", Type::Int64)]));
        plan.step("one", Operator::Unique { key: vec![1] }, &[union], row_schema());
        let of_map = plan.step("a", Operator::Errors("squares".into()), &[], error_schema());
        let of_unique = plan.step("b", Operator::Errors("one".into()), &[], error_schema());
        let all = plan.step("all", Operator::Union, &[of_map, of_unique], error_schema());
        let keys = [0, 2, 5].map(|at| column(at, Type::String)).to_vec();
        let out = schema(&[
            ("node", Type::String),
            ("code", Type::String),
            ("row", Type::String),
            ("n", Type::Int64),
        ]);
        let aggregates = vec![aggregate(A::Count, &[], Type::Int64)];
        let count = Operator::Group(Group { keys, aggregates });
        let count = plan.step("count", count, &[all], out);
        plan.output("out.count", count);
        let n = column(3, Type::Int64);
        let far = binary(BinaryOp::Multiply, n, literal(i64::MAX), Type::Int64);
        let stages = vec![Stage { address: "far[0]".into(), kind: StageKind::Project(vec![far]) }];
        let far = plan.step(
            "far",
            Operator::Map(Map { stages }),
            &[count],
            schema(&[("n", Type::Int64)]),
        );
        plan.output("out.far", far);
        let again = plan.step("c", Operator::Errors("far".into()), &[], error_schema());
        let again = plan.step("again", Operator::Distinct, &[again], error_schema());
        let names = Group { keys: vec![column(0, Type::String)], aggregates: Vec::new() };
        let names =
            plan.step("names", Operator::Group(names), &[again], schema(&[("node", Type::String)]));
        plan.output("out.names", names);
    })
}

/// Field `idx` of the struct in column `at`.
fn field(at: usize, nested: &Type, idx: usize, ty: Type) -> Expr {
    let of = Box::new(column(at, nested.clone()));
    Expr { kind: ExprKind::Field { of, idx }, ty, place: Place::default() }
}

/// Joins, maps and groups in a row, of which only some columns are read in the end.
fn chain_plan(kind: JoinKind, second: JoinOutput) -> DataflowPlan {
    plan_of(|plan, left, right| {
        let is_left = kind == JoinKind::Left;
        let optional = |ty: Type| if is_left { ty.optional() } else { ty };
        let nested = optional(Type::Struct(row_schema().fields));
        let mut out = row_schema();
        out.fields.push(Field::new("c", nested.clone()));
        let residual = binary(
            BinaryOp::NotEqual,
            column(3, Type::String),
            column(7, Type::String),
            Type::Bool,
        );
        let first = Join {
            kind,
            left_key: vec![column(1, Type::Int64.optional())],
            right_key: vec![column(0, Type::Int64)],
            residual: Some(residual),
            asof: None,
            output: JoinOutput::Nested,
        };
        let first = plan.step("first", Operator::Join(first), &[left, right], out.clone());
        // All columns go on, one of them computed from the struct, one that may fail unread.
        let v = optional(Type::Int64);
        let mut exprs: Vec<Expr> =
            (0..).zip(&out.fields).map(|(at, field)| column(at, field.ty.clone())).collect();
        exprs.push(field(4, &nested, 2, v.clone()));
        exprs.push(v_times_v());
        out.fields.push(Field::new("cv", v.clone()));
        out.fields.push(Field::new("unread", Type::Int64));
        let stages = vec![
            Stage { address: "wide[0]".into(), kind: StageKind::Project(exprs) },
            Stage { address: "wide[1]".into(), kind: StageKind::Filter(greater(0, 0)) },
        ];
        let wide = plan.step("wide", Operator::Map(Map { stages }), &[first], out.clone());
        let again = Join {
            kind: JoinKind::Inner,
            left_key: vec![column(0, Type::Int64)],
            right_key: vec![column(0, Type::Int64)],
            residual: None,
            asof: None,
            output: second,
        };
        let right_fields = row_schema().fields;
        let mut joined = out.clone();
        match second {
            JoinOutput::Flat => joined.fields.extend(right_fields.clone()),
            JoinOutput::Nested | JoinOutput::LeftOnly => {
                joined.fields.push(Field::new("d", Type::Struct(right_fields.clone())));
            }
        }
        let again = plan.step("again", Operator::Join(again), &[wide, right], joined.clone());
        let text = match second {
            JoinOutput::Flat => column(10, Type::String),
            JoinOutput::Nested | JoinOutput::LeftOnly => {
                field(7, &Type::Struct(right_fields), 3, Type::String)
            }
        };
        let group = Group {
            keys: vec![field(4, &nested, 3, optional(Type::String))],
            aggregates: vec![
                aggregate(AggregateFunction::Count, &[], Type::Int64),
                aggregate(AggregateFunction::Max, &[column(5, v.clone())], v.clone().optional()),
                aggregate(AggregateFunction::Min, &[text], Type::String),
            ],
        };
        let fields = [
            ("cs", optional(Type::String)),
            ("n", Type::Int64),
            ("greatest", v.optional()),
            ("least", Type::String),
        ];
        let group = plan.step("grouped", Operator::Group(group), &[again], schema(&fields));
        plan.output("out.grouped", group);
    })
}

/// Every aggregate over floats that do not add up exactly in 53 bits.
fn float_plan() -> DataflowPlan {
    let mut plan = PlanBuilder::new();
    let fields = schema(&[("k", Type::Int64), ("x", Type::Float64), ("at", Type::Int64)]);
    let source = plan.source(topic("floats", &fields, Discipline::Delta, &[]));
    let x = || column(1, Type::Float64);
    let at = || column(2, Type::Int64);
    let float = || Type::Float64;
    let list = || Type::List(Box::new(Type::Float64));
    let aggregates = vec![
        ("sum", aggregate(A::Sum, &[x()], float())),
        ("average", aggregate(A::Average, &[x()], float().optional())),
        ("variance", aggregate(A::Variance, &[x()], float().optional())),
        ("first", aggregate(A::First, &[x(), at()], float().optional())),
        ("last", aggregate(A::Last, &[x(), at()], float().optional())),
        ("different", aggregate(A::DistinctCount, &[x()], Type::Int64)),
        ("list", aggregate(A::List, &[x()], list())),
    ];
    let mut out = schema(&[("k", Type::Int64)]);
    out.fields.extend(aggregates.iter().map(|(name, a)| Field::new(*name, a.ty.clone())));
    let aggregates = aggregates.into_iter().map(|(_, aggregate)| aggregate).collect();
    let group = Group { keys: vec![column(0, Type::Int64)], aggregates };
    let group = plan.step("grouped", Operator::Group(group), &[source], out);
    plan.output("out.grouped", group);
    plan.build()
}

/// Inserts, and retractions of what is there.
fn float_epochs() -> impl Strategy<Value = Vec<EpochInput>> {
    let x = prop_oneof![
        Just(1e16),
        Just(-1e16),
        Just(0.1),
        Just(1e-300),
        Just(f64::INFINITY),
        Just(f64::NAN),
        any::<f64>(),
    ];
    let change = (0_i64..2, x, 0_i64..3, any::<prop::sample::Index>(), any::<bool>());
    prop::collection::vec(prop::collection::vec(change, 0..8), 1..8).prop_map(|cut| {
        let mut held: Vec<Row> = Vec::new();
        let mut inputs = Vec::new();
        for changes in cut {
            let mut rows = Vec::new();
            for (k, x, at, index, retracts) in changes {
                if retracts && !held.is_empty() {
                    let row = held.swap_remove(index.index(held.len()));
                    rows.push(Change::Diff { row, diff: -1 });
                } else {
                    let row = row(&[int(k), Value::float(x), int(at)]);
                    held.push(row.clone());
                    rows.push(Change::Insert(row));
                }
            }
            inputs.push(vec![rows_input("floats", rows)]);
        }
        epochs(inputs)
    })
}

/// The join keeps no key column, so the left rows of epoch 2 are one row under two keys.
#[test]
fn equal_left_rows_under_different_keys_have_their_own_matches() {
    let input = |id, k: Option<i64>, s: &str| {
        row(&[int(id), k.map_or(Value::None, int), int(-2), Value::string(s)])
    };
    let insert = |row| Change::Diff { row, diff: 1 };
    let epochs = epochs(vec![
        vec![rows_input("left", vec![insert(input(4, None, ""))])],
        vec![
            rows_input("left", vec![insert(input(4, Some(2), ""))]),
            rows_input(
                "right",
                vec![Change::Upsert(input(2, None, "a")), Change::Upsert(input(4, None, ""))],
            ),
        ],
    ]);
    check_all(&chain_plan(JoinKind::Left, JoinOutput::Flat), &epochs);
}

const CASES: u32 = 24;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn maps_unions_and_routes(epochs in some_epochs()) {
        check_all(&map_plan(), &epochs);
    }

    #[test]
    fn joins(
        epochs in some_epochs(),
        shape in prop_oneof![
            Just((JoinKind::Inner, JoinOutput::Flat)),
            Just((JoinKind::Inner, JoinOutput::Nested)),
            Just((JoinKind::Left, JoinOutput::Flat)),
            Just((JoinKind::Left, JoinOutput::Nested)),
            Just((JoinKind::Full, JoinOutput::Flat)),
            Just((JoinKind::Full, JoinOutput::Nested)),
            Just((JoinKind::Semi, JoinOutput::LeftOnly)),
            Just((JoinKind::Anti, JoinOutput::LeftOnly)),
        ],
        residual in any::<bool>(),
        keyed in prop::bool::weighted(0.8),
    ) {
        check_all(&join_plan(shape.0, shape.1, residual, keyed), &epochs);
    }

    #[test]
    fn chains_of_joins_that_keep_what_is_read(
        epochs in some_epochs(),
        kind in prop_oneof![Just(JoinKind::Inner), Just(JoinKind::Left)],
        second in prop_oneof![Just(JoinOutput::Flat), Just(JoinOutput::Nested)],
    ) {
        let plan = chain_plan(kind, second);
        for backend in [BackendChoice::Hash, BackendChoice::Arrangements] {
            for n_workers in [1, 2] {
                check(&plan, backend, n_workers, &epochs, &[MESSAGE, ROW_TEXT]);
            }
        }
    }

    #[test]
    fn groups(epochs in some_epochs(), keyed in any::<bool>()) {
        check_all(&group_plan(keyed), &epochs);
    }

    #[test]
    fn aggregates_of_floats_forget_exactly(epochs in float_epochs()) {
        check_all(&float_plan(), &epochs);
    }

    #[test]
    fn first_rows(
        epochs in some_epochs(),
        n in 0_u64..4,
        offset in 0_u64..3,
        ties in prop_oneof![Just(Ties::Cut), Just(Ties::All)],
        rank in any::<bool>(),
        per in any::<bool>(),
    ) {
        check_all(&top_plan(n, offset, ties, rank, per), &epochs);
    }

    #[test]
    fn errors_that_are_read(epochs in some_epochs()) {
        check_all(&errors_plan(), &epochs);
    }

    #[test]
    fn sets_and_unique_keys(epochs in some_epochs()) {
        check_all(&set_plan(), &epochs);
    }
}
