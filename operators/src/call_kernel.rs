//! Functions of the catalogue on columns: loops of their own for the common ones, and for all
//! others the scalar meaning, cell by cell.

use arqon_types::{Column, StringColumn, Type, Value};

use crate::cells::{Cells, Output, Presence, RowErrors, Texts, View, merge_errors, with_presence};
use crate::civil::{self, DAY};
use crate::function::Function;
use crate::invoke::{invoke, looks_at_options};
use crate::kernel::{Frame, normal, zip};
use crate::pattern;
use crate::stable_hash::stable_hash_int;

/// A call on columns; the arguments stand with their types.
pub(crate) fn call<'a>(
    function: Function,
    args: Vec<Output<'_>>,
    types: &[&Type],
    frame: &Frame<'_>,
) -> Output<'a> {
    let mut errors = RowErrors::new();
    let mut cells = Vec::with_capacity(args.len());
    for arg in args {
        errors = merge_errors(errors, arg.errors);
        cells.push(arg.cells);
    }
    let parts: Vec<(Presence<'_>, View<'_>)> = cells.iter().map(Cells::split).collect();
    if function == Function::IsSome {
        let found = (0..frame.n_rows).map(|at| parts[0].0.at(at)).collect();
        return Output::of(Column::Bool(found), errors);
    }
    let mut present: Option<Vec<bool>> = None;
    for (idx, (presence, _)) in parts.iter().enumerate() {
        if looks_at_options(function, idx, types) {
            continue;
        }
        if matches!(presence, Presence::Nowhere) {
            return Output::constant(Value::None, errors);
        }
        let so_far = present.as_deref().map_or(Presence::All, Presence::Mask);
        present = so_far.and(*presence, frame.n_rows);
    }
    let views: Vec<View<'_>> = parts.iter().map(|(_, view)| *view).collect();
    let looks = (0..views.len()).any(|idx| looks_at_options(function, idx, types));
    let plain = parts.iter().all(|(presence, _)| matches!(presence, Presence::All));
    if (!looks || plain)
        && let Some(values) = fast(function, &views, types, frame)
    {
        return Output::of(with_presence(values, present, frame.ty), errors);
    }
    // Cell by cell; a function may yield an option itself, and then `none` is its own.
    let mut column = Column::with_capacity(frame.ty, frame.n_rows);
    let mut own = RowErrors::new();
    let mut failed = errors.iter().map(|(position, _)| *position).peekable();
    let mut values: Vec<Value> = Vec::with_capacity(cells.len());
    for position in 0..frame.n_rows {
        if failed.next_if_eq(&position).is_some() {
            column.push_default();
            continue;
        }
        if present.as_ref().is_some_and(|present| !present[position]) {
            column.push(&Value::None);
            continue;
        }
        values.clear();
        values.extend(cells.iter().zip(types).map(|(cells, ty)| cells.value(position, ty)));
        match invoke(function, &values, types, frame.ty) {
            Ok(value) => column.push(&value),
            Err(failure) => {
                column.push_default();
                own.push((position, failure.at(frame.place)));
            }
        }
    }
    drop(failed);
    Output::of(column, merge_errors(errors, own))
}

/// The plain values of functions for which there is a loop, as long as none of them fails.
fn fast(
    function: Function,
    views: &[View<'_>],
    types: &[&Type],
    frame: &Frame<'_>,
) -> Option<Column> {
    use Function as F;
    let n_rows = frame.n_rows;
    let float = |f: fn(f64) -> f64| {
        let x = views[0].floats()?;
        Some(Column::Float((0..n_rows).map(|at| normal(f(x.at(at)))).collect()))
    };
    let texts = |f: fn(&str, &str) -> bool| {
        let (a, b) = (views[0].texts()?, views[1].texts()?);
        Some(Column::Bool((0..n_rows).map(|at| f(a.text(at), b.text(at))).collect()))
    };
    let mapped = |f: fn(&str, &mut StringColumn)| {
        let s = views[0].texts()?;
        let mut column = StringColumn::default();
        (0..n_rows).for_each(|at| f(s.text(at), &mut column));
        Some(Column::String(column))
    };
    let civil = |f: fn(i64) -> i64| {
        let x = views[0].ints()?;
        let scale = if *types[0].required() == Type::Date { 1 } else { DAY };
        Some(Column::Int((0..n_rows).map(|at| f(x.at(at).div_euclid(scale))).collect()))
    };
    let of_day = |f: fn(i64) -> i64| {
        let x = views[0].ints()?;
        Some(Column::Int((0..n_rows).map(|at| f(x.at(at).rem_euclid(DAY))).collect()))
    };
    match function {
        F::Div => quotients(views, n_rows),
        F::Abs => float(f64::abs),
        F::Round if views.len() == 1 => float(f64::round_ties_even),
        F::Floor => float(f64::floor),
        F::Ceil => float(f64::ceil),
        F::Sqrt => float(f64::sqrt),
        F::Exp => float(f64::exp),
        F::Ln => float(f64::ln),
        F::Log10 => float(f64::log10),
        F::Contains => texts(|s, part| s.contains(part)),
        F::StartsWith => texts(|s, part| s.starts_with(part)),
        F::EndsWith => texts(|s, part| s.ends_with(part)),
        F::Like => match views[1].texts()? {
            Texts::Constant(pattern) if pattern::is_like_pattern(pattern) => texts(pattern::like),
            Texts::Constant(_) | Texts::Column(_) => None,
        },
        F::Matches => {
            let (s, Texts::Constant(wanted)) = (views[0].texts()?, views[1].texts()?) else {
                return None;
            };
            let found = pattern::with_regex(wanted, |regex| {
                (0..n_rows).map(|at| regex.is_match(s.text(at))).collect()
            });
            found.ok().map(Column::Bool)
        }
        F::Trim => mapped(|s, to| to.push(s.trim())),
        F::Lower => mapped(|s, to| to.push(&s.to_lowercase())),
        F::Upper => mapped(|s, to| to.push(&s.to_uppercase())),
        F::Len => {
            let s = views[0].texts()?;
            let length = |at| i64::try_from(s.text(at).chars().count()).expect("63 bits");
            Some(Column::Int((0..n_rows).map(length).collect()))
        }
        F::Year => civil(|days| civil::from_days(days).year),
        F::Month => civil(|days| civil::from_days(days).month),
        F::Day => civil(|days| civil::from_days(days).day),
        F::Quarter => civil(|days| (civil::from_days(days).month - 1) / 3 + 1),
        F::Weekday => civil(civil::weekday),
        F::Hour => of_day(|at| at / (DAY / 24)),
        F::Minute => of_day(|at| at / (DAY / 1440) % 60),
        F::Second => of_day(|at| at / (DAY / 86_400) % 60),
        F::Min | F::Max if views.len() == 2 => extreme(function, views, n_rows),
        F::Hash if *types[1] == Type::Int64 => {
            let (seed, key) = (views[0].ints()?, views[1].ints()?);
            let hash = |at| stable_hash_int(seed.at(at), key.at(at));
            Some(Column::Int((0..n_rows).map(hash).collect()))
        }
        _ => None,
    }
}

/// Truncated quotients, if all of them exist.
fn quotients(views: &[View<'_>], n_rows: usize) -> Option<Column> {
    let (a, b) = (views[0].ints()?, views[1].ints()?);
    if let Some(b) = b.divisor() {
        return Some(Column::Int(zip(n_rows, a, b, |a, b| b.quotient(a))));
    }
    let quotients = (0..n_rows).map(|at| a.at(at).checked_div(b.at(at)));
    quotients.collect::<Option<Vec<i64>>>().map(Column::Int)
}

fn extreme(function: Function, views: &[View<'_>], n_rows: usize) -> Option<Column> {
    fn pick<T: Ord>(function: Function, a: T, b: T) -> T {
        if function == Function::Min { a.min(b) } else { a.max(b) }
    }
    if let (Some(a), Some(b)) = (views[0].ints(), views[1].ints()) {
        let values = (0..n_rows).map(|at| pick(function, a.at(at), b.at(at)));
        return Some(Column::Int(values.collect()));
    }
    let (a, b) = (views[0].decimals()?, views[1].decimals()?);
    Some(Column::Decimal((0..n_rows).map(|at| pick(function, a.at(at), b.at(at))).collect()))
}
