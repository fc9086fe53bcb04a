//! Laws of aggregates: retraction restores, order and merging do not matter, and the values are
//! those of a naive recomputation.

use arqon_types::Row;
use proptest::prelude::*;

use super::*;
use crate::aggregation::aggregate;
use crate::eval::eval;
use crate::exact::expansion_sum;

fn schema() -> Vec<Type> {
    let plain = [Type::Int64, Type::Float64, Type::Decimal(2), Type::String, Type::Bool];
    plain.iter().cloned().chain(plain.iter().cloned().map(Type::optional)).collect()
}

fn column(idx: usize) -> Expr {
    Expr::column(idx, schema()[idx].clone())
}

fn call(name: &str, args: Vec<Expr>, filter: Option<Expr>) -> Aggregate {
    aggregate(name, args, filter, false, Place::default()).unwrap()
}

fn constant(value: Value, ty: Type) -> Expr {
    Expr::literal(value, ty)
}

/// Every aggregate over every column that it takes, each also with a filter.
fn all_aggregates() -> Vec<Aggregate> {
    let mut aggregates = vec![call("count", vec![], None), call("count", vec![], Some(column(4)))];
    for idx in 0..10 {
        for filter in [None, Some(column(4))] {
            let one = |name: &str| {
                aggregate(name, vec![column(idx)], filter.clone(), false, Place::default())
            };
            let names = "count sum avg min max any all distinct_count list stddev variance";
            aggregates.extend(names.split(' ').filter_map(|name| one(name).ok()));
            let median = constant(Value::float(0.5), Type::Float64);
            let three = constant(Value::Int(3), Type::Int64);
            aggregates.push(call("quantile", vec![column(idx), median], filter.clone()));
            aggregates.push(call("top", vec![column(idx), three], filter.clone()));
            aggregates.push(call("first", vec![column(idx), column(6)], filter.clone()));
            aggregates.push(call("last", vec![column(idx), column(0)], filter));
        }
    }
    aggregates
}

fn row() -> impl Strategy<Value = Row> {
    fn value(ty: &Type) -> BoxedStrategy<Value> {
        match ty {
            Type::Int64 => prop_oneof![
                9 => (-9_i64..10).prop_map(Value::Int),
                1 => Just(Value::Int(i64::MAX)),
            ]
            .boxed(),
            Type::Float64 => prop_oneof![
                6 => (-1e6_f64..1e6).prop_map(Value::float),
                3 => any::<f64>().prop_map(Value::float),
                1 => Just(Value::float(f64::INFINITY)),
            ]
            .boxed(),
            Type::Decimal(_) => prop_oneof![
                9 => (-999_i128..1000).prop_map(Value::Decimal),
                1 => Just(Value::Decimal(i128::MAX / 2)),
            ]
            .boxed(),
            Type::String => "[ab\0]{0,2}".prop_map(|s| Value::string(&s)).boxed(),
            Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
            Type::Option(inner) => prop_oneof![Just(Value::None), value(inner)].boxed(),
            other => panic!("{other} is not in the schema"),
        }
    }
    let values: Vec<_> = schema().iter().map(value).collect();
    values.prop_map(Row::from)
}

/// The plan's inputs of a row.
fn inputs(plan: &GroupPlan, row: &Row) -> Vec<Value> {
    plan.inputs().iter().map(|input| eval(input, row).unwrap()).collect()
}

fn state_of(plan: &GroupPlan, rows: &[(Row, i64)]) -> GroupState {
    let mut state = plan.new_state();
    for (row, diff) in rows {
        state.update_values(plan, &inputs(plan, row), *diff);
    }
    state
}

/// The slow obvious way, over all rows that are there.
fn naive(aggregate: &Aggregate, rows: &[Row]) -> Result<Value, ()> {
    use AggregateFunction as A;
    let at = |idx: usize, row: &Row| eval(&aggregate.args[idx], row).unwrap();
    let counts = |row: &&Row| {
        aggregate.filter.as_ref().is_none_or(|filter| eval(filter, row) == Ok(Value::Bool(true)))
    };
    let rows: Vec<&Row> = rows.iter().filter(counts).collect();
    if aggregate.args.is_empty() {
        return Ok(Value::Int(i64::try_from(rows.len()).unwrap()));
    }
    let rows: Vec<&Row> = rows.into_iter().filter(|row| at(0, row) != Value::None).collect();
    let mut values: Vec<Value> = rows.iter().map(|row| at(0, row)).collect();
    values.sort();
    let n = values.len();
    let or_none = |found: Option<Value>| {
        found.ok_or(()).or(if aggregate.ty.is_option() { Ok(Value::None) } else { Err(()) })
    };
    let absent = n == 0 && aggregate.ty.is_option();
    match aggregate.function {
        A::Count => Ok(Value::Int(i64::try_from(n).unwrap())),
        A::Sum if absent => Ok(Value::None),
        A::Sum => naive_sum(&values, aggregate.ty.required()),
        A::Min => or_none(values.first().cloned()),
        A::Max => or_none(values.last().cloned()),
        A::Any if absent => Ok(Value::None),
        A::Any => Ok(Value::Bool(values.contains(&Value::Bool(true)))),
        A::All if absent => Ok(Value::None),
        A::All => Ok(Value::Bool(!values.contains(&Value::Bool(false)))),
        A::DistinctCount => {
            values.dedup();
            Ok(Value::Int(i64::try_from(values.len()).unwrap()))
        }
        A::List => Ok(Value::List(values.into())),
        A::Top => Ok(Value::List(values.into_iter().rev().take(3).collect())),
        A::Quantile => or_none(values.get(n.div_ceil(2).max(1) - 1).cloned()),
        A::First => or_none(rows.iter().map(|row| (at(1, row), at(0, row))).min().map(|x| x.1)),
        A::Last => or_none(rows.iter().map(|row| (at(1, row), at(0, row))).max().map(|x| x.1)),
        A::Average | A::StandardDeviation | A::Variance => unreachable!("tested by their own"),
    }
}

fn naive_sum(values: &[Value], ty: &Type) -> Result<Value, ()> {
    let mut total: i128 = 0;
    let mut floats = Vec::new();
    let mut specials = 0.0;
    for value in values {
        match value {
            Value::Int(x) => total += i128::from(*x),
            // The rows are few enough that only the units' own range is left.
            Value::Decimal(x) => total = total.checked_add(*x).ok_or(())?,
            Value::Float(x) if x.get().is_finite() => floats.push(x.get()),
            Value::Float(x) => specials += x.get(),
            other => panic!("{other:?} is no number"),
        }
    }
    match ty {
        Type::Int64 => i64::try_from(total).map(Value::Int).map_err(|_| ()),
        Type::Decimal(_) => Ok(Value::Decimal(total)),
        _ if specials != 0.0 => Ok(Value::float(specials)),
        _ => Ok(Value::float(expansion_sum(&floats))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn what_is_retracted_leaves_no_trace(
        kept in prop::collection::vec((row(), 1_i64..3), 0..8),
        gone in prop::collection::vec((row(), 1_i64..3), 0..8),
    ) {
        let plan = GroupPlan::new(&all_aggregates());
        let mut state = state_of(&plan, &kept);
        let before: Vec<_> = each_value(&state, &plan);
        let taken: Vec<_> = gone.iter().map(|(row, diff)| (row.clone(), -diff)).collect();
        // Retractions first: sums below zero must not stick.
        state.merge(&state_of(&plan, &taken));
        state.merge(&state_of(&plan, &gone));
        prop_assert_eq!(each_value(&state, &plan), before);
        prop_assert_eq!(state.n_rows(), kept.iter().map(|(_, diff)| diff).sum::<i64>());
    }

    #[test]
    fn order_columns_and_merging_do_not_matter(
        rows in prop::collection::vec((row(), -2_i64..3), 0..12),
        cut in 0_usize..12,
    ) {
        let plan = GroupPlan::new(&all_aggregates());
        let expected = each_value(&state_of(&plan, &rows), &plan);
        let reversed: Vec<_> = rows.iter().rev().cloned().collect();
        prop_assert_eq!(&each_value(&state_of(&plan, &reversed), &plan), &expected);
        let (left, right) = rows.split_at(cut.min(rows.len()));
        let mut merged = state_of(&plan, left);
        merged.merge(&state_of(&plan, right));
        prop_assert_eq!(&each_value(&merged, &plan), &expected);
        let mut columns: Vec<Column> =
            plan.inputs().iter().map(|input| Column::empty(&input.ty)).collect();
        let mut state = plan.new_state();
        for (idx, (row, diff)) in rows.iter().enumerate() {
            let values = inputs(&plan, row);
            columns.iter_mut().zip(&values).for_each(|(column, value)| column.push(value));
            let columns: Vec<&Column> = columns.iter().collect();
            state.update(&plan, &columns, idx, *diff);
        }
        prop_assert_eq!(each_value(&state, &plan), expected);
    }

    #[test]
    fn packed_states_are_merged_like_others(
        rows in prop::collection::vec((row(), -2_i64..3), 0..12),
        cut in 0_usize..12,
    ) {
        let plan_of = |it: &Aggregate| GroupPlan::new(std::slice::from_ref(it));
        let adds_up = |aggregate: &Aggregate| plan_of(aggregate).adds_up();
        let aggregates: Vec<Aggregate> = all_aggregates().into_iter().filter(adds_up).collect();
        prop_assert!(aggregates.len() > 20);
        let plan = GroupPlan::new(&aggregates);
        prop_assert!(plan.adds_up());
        let (left, right) = rows.split_at(cut.min(rows.len()));
        let mut packed = PackedRow::new();
        state_of(&plan, right).pack(&mut packed);
        let mut merged = state_of(&plan, left);
        let n_rows = merged.merge_packed(packed.as_bytes());
        prop_assert_eq!(n_rows, right.iter().map(|(_, diff)| diff).sum::<i64>());
        let expected = each_value(&state_of(&plan, &rows), &plan);
        prop_assert_eq!(each_value(&merged, &plan), expected);
    }

    #[test]
    fn rows_of_several_groups_are_added_up_as_one_by_one(
        rows in prop::collection::vec(
            (row(), prop_oneof![-2_i64..3, Just(1_i64 << 40), Just(-(1_i64 << 40))], 0_u32..4),
            0..20,
        ),
    ) {
        let adds_up = |it: &Aggregate| GroupPlan::new(std::slice::from_ref(it)).adds_up();
        let aggregates: Vec<Aggregate> = all_aggregates().into_iter().filter(adds_up).collect();
        let plan = GroupPlan::new(&aggregates);
        let mut columns: Vec<Column> =
            plan.inputs().iter().map(|input| Column::empty(&input.ty)).collect();
        for (row, _, _) in &rows {
            let values = inputs(&plan, row);
            columns.iter_mut().zip(&values).for_each(|(column, value)| column.push(value));
        }
        let columns: Vec<&Column> = columns.iter().collect();
        let diffs: Vec<i64> = rows.iter().map(|(_, diff, _)| *diff).collect();
        let groups: Vec<u32> = rows.iter().map(|(_, _, group)| *group).collect();
        let states = plan.tally(TallyRows { columns: &columns, diffs: &diffs, groups: &groups }, 4);
        for (state, group) in states.iter().zip(0..) {
            let first = groups.iter().position(|it| *it == group);
            prop_assert_eq!(state.as_ref().map(|(row_idx, _)| *row_idx), first);
            let Some((_, state)) = state else { continue };
            let own = rows.iter().filter(|(_, _, it)| *it == group);
            let own: Vec<_> = own.map(|(row, diff, _)| (row.clone(), *diff)).collect();
            let (mut found, mut expected) = (PackedRow::new(), PackedRow::new());
            state.pack(&mut found);
            state_of(&plan, &own).pack(&mut expected);
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn values_are_those_of_a_recomputation(rows in prop::collection::vec(row(), 1..10)) {
        use AggregateFunction as A;
        let aggregates: Vec<Aggregate> = all_aggregates()
            .into_iter()
            .filter(|a| !matches!(a.function, A::Average | A::StandardDeviation | A::Variance))
            .collect();
        let plan = GroupPlan::new(&aggregates);
        let weighted: Vec<_> = rows.iter().map(|row| (row.clone(), 1)).collect();
        let found = each_value(&state_of(&plan, &weighted), &plan);
        for (aggregate, found) in aggregates.iter().zip(found) {
            let found = found.map_err(|_| ());
            if let Ok(value) = &found {
                prop_assert!(value.fits(&aggregate.ty), "{:?} {:?}", aggregate, value);
            }
            prop_assert_eq!(found, naive(aggregate, &rows), "{:?}", aggregate);
        }
    }

    /// Multiples of 1/1024, so that sums and squares are small integers and the quotient of two
    /// floats is rounded once.
    #[test]
    fn averages_and_variances_are_rounded_once(
        units in prop::collection::vec(-30_000_i32..30_000, 2..9)
    ) {
        let n = i64::try_from(units.len()).unwrap();
        let sum: i64 = units.iter().map(|x| i64::from(*x)).sum();
        let squares: i64 = units.iter().map(|x| i64::from(*x) * i64::from(*x)).sum();
        #[expect(clippy::cast_precision_loss, reason = "all are below 2^53")]
        let quotient = |a: i64, b: i64| a as f64 / b as f64;
        let numerator = n * squares - sum * sum;
        let cases = [
            (Type::Int64, 1),
            (Type::Float64, 1024),
            (Type::Decimal(2), 100),
        ];
        for (ty, unit) in cases {
            let x = Expr::column(0, ty.clone());
            let plan = GroupPlan::new(&[
                call("avg", vec![x.clone()], None),
                call("variance", vec![x.clone()], None),
                call("stddev", vec![x], None),
            ]);
            let mut state = plan.new_state();
            for units in &units {
                let value = match ty {
                    Type::Int64 => Value::Int(i64::from(*units)),
                    Type::Decimal(_) => Value::Decimal(i128::from(*units)),
                    _ => Value::float(f64::from(*units) / 1024.0),
                };
                state.update_values(&plan, &[value], 1);
            }
            let variance = quotient(numerator, n * (n - 1) * unit * unit);
            let expected = [quotient(sum, n * unit), variance, variance.sqrt()].map(Value::float);
            prop_assert_eq!(state.finish(&plan).unwrap(), expected);
        }
    }
}

/// Each aggregate's value or failure; [`GroupState::finish`] stops at the first failure.
fn each_value(state: &GroupState, plan: &GroupPlan) -> Vec<Result<Value, Failure>> {
    plan.outputs.iter().map(|output| state.value(plan, output)).collect()
}

#[test]
fn the_empty_group_has_its_row() {
    let at = Place::default();
    let of = |name: &str, args: Vec<Expr>| aggregate(name, args, None, true, at).unwrap();
    let plan = GroupPlan::new(&[
        of("count", vec![]),
        of("sum", vec![column(2)]),
        of("avg", vec![column(0)]),
        of("min", vec![column(3)]),
        of("sum", vec![column(5)]),
        of("any", vec![column(4)]),
        of("list", vec![column(0)]),
        of("variance", vec![column(1)]),
    ]);
    let expected = [
        Value::Int(0),
        Value::Decimal(0),
        Value::None,
        Value::None,
        Value::None,
        Value::Bool(false),
        Value::List([].into()),
        Value::None,
    ];
    assert_eq!(plan.new_state().finish(&plan).unwrap(), expected);
}

#[test]
fn overflow_is_an_error_that_goes_away() {
    let plan = GroupPlan::new(&[call("sum", vec![column(0)], None)]);
    let mut state = plan.new_state();
    let most = [Value::Int(i64::MAX)];
    state.update_values(&plan, &most, 2);
    assert_eq!(state.finish(&plan).unwrap_err().message, "`sum` overflows int64");
    state.update_values(&plan, &most, -1);
    assert_eq!(state.finish(&plan).unwrap(), most);
    let plan = GroupPlan::new(&[call("sum", vec![column(2)], None)]);
    let mut state = plan.new_state();
    state.update_values(&plan, &[Value::Decimal(i128::MAX)], i64::MAX);
    assert_eq!(state.finish(&plan).unwrap_err().code, EvalCode::Overflow);
    state.update_values(&plan, &[Value::Decimal(i128::MAX)], 1 - i64::MAX);
    assert_eq!(state.finish(&plan).unwrap(), [Value::Decimal(i128::MAX)]);
}

#[test]
fn large_averages_are_rounded_once() {
    let plan = GroupPlan::new(&[call("avg", vec![column(0)], None)]);
    let mut state = plan.new_state();
    for x in [i64::MAX, i64::MAX - 2, 3] {
        state.update_values(&plan, &[Value::Int(x)], 1);
    }
    // (2^64 - 1) / 3, which is an integer of 63 bits; its nearest float ends in zeros.
    let exact = 6_148_914_691_236_517_205_i64;
    #[expect(clippy::cast_precision_loss, reason = "the cast rounds half to even")]
    let expected = exact as f64;
    assert_eq!(state.finish(&plan).unwrap(), [Value::float(expected)]);
}

#[test]
fn filters_guard_what_they_filter() {
    let at = Place::default();
    let nonzero = crate::typing::binary(
        crate::expr::BinaryOp::NotEqual,
        column(0),
        constant(Value::Int(0), Type::Int64),
        at,
    );
    let quotient = crate::typing::binary(
        crate::expr::BinaryOp::Divide,
        constant(Value::Int(6), Type::Int64),
        column(0),
        at,
    );
    let plan = GroupPlan::new(&[call("sum", vec![quotient.unwrap()], nonzero.ok())]);
    let mut state = plan.new_state();
    for x in [0, 2, 3] {
        let row: Row = vec![Value::Int(x)].into();
        state.update_values(&plan, &inputs(&plan, &row), 1);
    }
    assert_eq!(state.finish(&plan).unwrap(), [Value::float(5.0)]);
}

#[test]
fn aggregates_over_one_input_share_its_state() {
    let of = |name: &str| call(name, vec![column(0)], None);
    let plan = GroupPlan::new(&[of("sum"), of("avg"), of("min"), of("max"), of("list")]);
    assert_eq!((plan.inputs.len(), plan.slots.len()), (1, 2));
    assert!(size_of::<Slot>() <= 32);
}
