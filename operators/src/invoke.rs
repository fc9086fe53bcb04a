//! What the functions of the catalogue compute, on values that are all present.
//!
//! Positions count characters or items from 1; a position below 1 and a length below 0 are errors,
//! and what lies beyond the end is empty. `sqrt`, `exp`, `ln`, `log10` and `pow` are those of the
//! platform, with NaN and infinities as IEEE 754 has them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arqon_types::{
    DAYS_RANGE, Float, Type, Value, format_base64, format_hex, parse_base64, parse_hex,
};

use crate::civil::{self, Civil, DAY};
use crate::eval_error::{EvalCode, Failure};
use crate::exact::ExactSum;
use crate::function::Function;
use crate::index;
use crate::pattern;
use crate::scalar;
use crate::sha256::sha256;
use crate::stable_hash::stable_hash;
use crate::tensor;
use crate::time_format;

/// Whether a `none` among the arguments reaches the function instead of being the result.
pub(crate) fn looks_at_options(function: Function, arg_idx: usize, types: &[&Type]) -> bool {
    match function {
        Function::IsSome | Function::Hash => true,
        Function::Contains => {
            arg_idx == 1 && matches!(types[0].required(), Type::List(item) if item.is_option())
        }
        _ => false,
    }
}

/// The function's value; `types` are those of the arguments and `result` the call's, options
/// included. Functions that take lambdas are the evaluator's.
pub(crate) fn invoke(
    function: Function,
    args: &[Value],
    types: &[&Type],
    result: &Type,
) -> Result<Value, Failure> {
    use Function as F;
    Ok(match function {
        F::Lower => Value::string(&text(&args[0]).to_lowercase()),
        F::Upper => Value::string(&text(&args[0]).to_uppercase()),
        F::Trim => Value::string(text(&args[0]).trim()),
        F::Split => split(text(&args[0]), text(&args[1])),
        F::Join => {
            let items: Vec<&str> = items(&args[0]).iter().map(text).collect();
            Value::string(&items.join(text(&args[1])))
        }
        F::Replace => {
            let [of, from, to] = [0, 1, 2].map(|idx| text(&args[idx]));
            Value::string(&pattern::replace(of, from, to)?)
        }
        F::Contains => Value::Bool(match &args[0] {
            Value::List(items) => items.contains(&args[1]),
            Value::Map(entries) => Value::entry(entries, text(&args[1])).is_some(),
            of => text(of).contains(text(&args[1])),
        }),
        F::StartsWith => Value::Bool(text(&args[0]).starts_with(text(&args[1]))),
        F::EndsWith => Value::Bool(text(&args[0]).ends_with(text(&args[1]))),
        F::Like if !pattern::is_like_pattern(text(&args[1])) => {
            let most = pattern::LIKE_BYTES_MAX;
            return Err(Failure::argument(format!("a pattern of `like` has at most {most} bytes")));
        }
        F::Like => Value::Bool(pattern::like(text(&args[0]), text(&args[1]))),
        F::Matches => {
            let of = text(&args[0]);
            Value::Bool(pattern::with_regex(text(&args[1]), |regex| regex.is_match(of))?)
        }
        F::RegexExtract => {
            let group = args.get(2).map_or(0, int);
            let found = pattern::extract(text(&args[0]), text(&args[1]), group)?;
            found.map_or(Value::None, |found| Value::string(&found))
        }
        F::RegexReplace => {
            let [of, pattern, to] = [0, 1, 2].map(|idx| text(&args[idx]));
            Value::string(&pattern::replace_matches(of, pattern, to)?)
        }
        F::Position => {
            let of = text(&args[0]);
            of.find(text(&args[1]))
                .map_or(Value::None, |at| Value::Int(length(of[..at].chars().count()) + 1))
        }
        F::Substr => {
            let (skip, take) = range("substr", args)?;
            let picked: String = text(&args[0]).chars().skip(skip).take(take).collect();
            Value::string(&picked)
        }
        F::Slice => {
            let (skip, take) = range("slice", args)?;
            Value::List(items(&args[0]).iter().skip(skip).take(take).cloned().collect())
        }
        F::Len => Value::Int(length(match &args[0] {
            Value::List(items) => items.len(),
            Value::Map(entries) => entries.len(),
            Value::Bytes(bytes) => bytes.len(),
            of => text(of).chars().count(),
        })),
        F::Abs => match &args[0] {
            Value::Float(x) => Value::float(x.get().abs()),
            x if is_negative(x) => {
                scalar::negate(x).map_err(|_| Failure::overflow("`abs`", types[0].required()))?
            }
            x => x.clone(),
        },
        F::Sign => Value::Int(sign(&args[0])),
        F::Min if args.len() == 1 => items(&args[0]).iter().min().cloned().unwrap_or(Value::None),
        F::Max if args.len() == 1 => items(&args[0]).iter().max().cloned().unwrap_or(Value::None),
        F::Min => args.iter().min().expect("two arguments").clone(),
        F::Max => args.iter().max().expect("two arguments").clone(),
        F::Clamp if args[1] > args[2] => {
            return Err(Failure::argument("`clamp` wants low at most high"));
        }
        F::Clamp => (&args[0]).max(&args[1]).min(&args[2]).clone(),
        F::Round => round(args, types[0].required(), result.required())?,
        F::Floor => whole(&args[0], types[0].required(), f64::floor, Ordering::Less),
        F::Ceil => whole(&args[0], types[0].required(), f64::ceil, Ordering::Greater),
        F::Sqrt => Value::float(float(&args[0]).sqrt()),
        F::Exp => Value::float(float(&args[0]).exp()),
        F::Ln => Value::float(float(&args[0]).ln()),
        F::Log10 => Value::float(float(&args[0]).log10()),
        F::Pow => Value::float(float(&args[0]).powf(float(&args[1]))),
        F::Div => match (int(&args[0]), int(&args[1])) {
            (_, 0) => return Err(scalar::by_zero("div")),
            (a, b) => {
                let quotient = a.checked_div(b);
                Value::Int(quotient.ok_or_else(|| Failure::overflow("`div`", Type::Int64))?)
            }
        },
        F::Trunc => trunc(&args[0], &args[1])?,
        F::AddMonths => add_months(&args[0], int(&args[1]))?,
        F::Year => Value::Int(date_of(&args[0]).year),
        F::Month => Value::Int(date_of(&args[0]).month),
        F::Day => Value::Int(date_of(&args[0]).day),
        F::Hour => Value::Int(of_day(&args[0]) / (DAY / 24)),
        F::Minute => Value::Int(of_day(&args[0]) / (DAY / 1440) % 60),
        F::Second => Value::Int(of_day(&args[0]) / (DAY / 86_400) % 60),
        F::JobFailed => {
            return Err(Failure::new(EvalCode::JobFailed, text(&args[0]).to_owned()));
        }
        F::EpochTime => {
            return Err(Failure::argument("`epoch_time()` is known only where rows come in"));
        }
        F::Weekday => Value::Int(civil::weekday(instant(&args[0]).0)),
        F::Quarter => Value::Int((date_of(&args[0]).month - 1) / 3 + 1),
        F::Diff => diff(&args[0], &args[1], text(&args[2]))?,
        F::ParseTime => Value::Timestamp(time_format::parse_time(text(&args[0]), text(&args[1]))?),
        F::FormatTime => Value::string(&time_format::format_time(&args[0], text(&args[1]))?),
        F::IsSome => Value::Bool(args[0] != Value::None),
        F::Hash => Value::Int(stable_hash(int(&args[0]), &args[1])),
        F::Any => Value::Bool(items(&args[0]).contains(&Value::Bool(true))),
        F::All => Value::Bool(!items(&args[0]).contains(&Value::Bool(false))),
        F::Sum => sum(items(&args[0]), result.required())?,
        F::Sort => {
            let mut sorted = items(&args[0]).to_vec();
            sorted.sort();
            Value::List(sorted.into())
        }
        F::First => items(&args[0]).first().cloned().unwrap_or(Value::None),
        F::Last => items(&args[0]).last().cloned().unwrap_or(Value::None),
        F::Distinct => {
            let mut seen = BTreeSet::new();
            Value::List(items(&args[0]).iter().filter(|item| seen.insert(*item)).cloned().collect())
        }
        F::Item => match &args[0] {
            Value::Map(entries) => {
                Value::entry(entries, text(&args[1])).cloned().unwrap_or(Value::None)
            }
            list => {
                let items = items(list);
                items[index::place(int(&args[1]), items.len())?].clone()
            }
        },
        F::MapOf => map_of(items(&args[0]), items(&args[1]))?,
        F::Keys => {
            let keys = entries(&args[0]).iter().map(|(key, _)| Value::String(Arc::clone(key)));
            Value::List(keys.collect())
        }
        F::Values => {
            Value::List(entries(&args[0]).iter().map(|(_, value)| value.clone()).collect())
        }
        F::Base64 => Value::string(&format_base64(bytes(&args[0]))),
        F::Hex => Value::string(&format_hex(bytes(&args[0]))),
        F::FromBase64 => parsed(parse_base64(text(&args[0])), &args[0], "base64")?,
        F::FromHex => parsed(parse_hex(text(&args[0])), &args[0], "hexadecimal")?,
        F::Sha256 => {
            let digest = match &args[0] {
                Value::String(text) => sha256(text.as_bytes()),
                of => sha256(bytes(of)),
            };
            Value::Bytes(digest.as_slice().into())
        }
        F::OfTensor(function) => tensor::invoke(function, args, result)?,
        F::Filter | F::Map => unreachable!("typing gives {function:?} a lambda"),
    })
}

fn text(value: &Value) -> &str {
    match value {
        Value::String(text) => text,
        other => unreachable!("typing lets no {other:?} be a text"),
    }
}

fn int(value: &Value) -> i64 {
    match value {
        Value::Int(number) => *number,
        other => unreachable!("typing lets no {other:?} be an integer"),
    }
}

fn float(value: &Value) -> f64 {
    match value {
        Value::Float(number) => number.get(),
        other => unreachable!("typing lets no {other:?} be a float"),
    }
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        other => unreachable!("typing lets no {other:?} be a list"),
    }
}

fn entries(value: &Value) -> &[(Arc<str>, Value)] {
    match value {
        Value::Map(entries) => entries,
        other => unreachable!("typing lets no {other:?} be a map"),
    }
}

fn bytes(value: &Value) -> &[u8] {
    match value {
        Value::Bytes(bytes) => bytes,
        other => unreachable!("typing lets no {other:?} be bytes"),
    }
}

fn parsed(bytes: Option<Vec<u8>>, of: &Value, form: &str) -> Result<Value, Failure> {
    bytes
        .map(|bytes| Value::Bytes(bytes.into()))
        .ok_or_else(|| Failure::new(EvalCode::Conversion, format!("`{}` is no {form}", text(of))))
}

fn length(n: usize) -> i64 {
    i64::try_from(n).expect("lengths fit 63 bits")
}

fn is_negative(value: &Value) -> bool {
    match value {
        Value::Int(x) | Value::Duration(x) => *x < 0,
        Value::Decimal(x) => *x < 0,
        _ => false,
    }
}

/// -1, 0 or 1; NaN is greatest, and so above 0.
fn sign(value: &Value) -> i64 {
    match value {
        Value::Int(x) | Value::Duration(x) => x.signum(),
        Value::Decimal(x) => i64::from(*x > 0) - i64::from(*x < 0),
        Value::Float(x) => i64::from(x.get() > 0.0 || x.get().is_nan()) - i64::from(x.get() < 0.0),
        other => unreachable!("typing lets no {other:?} have a sign"),
    }
}

/// A map of keys with their values, each key once.
fn map_of(keys: &[Value], values: &[Value]) -> Result<Value, Failure> {
    if keys.len() != values.len() {
        let (n_keys, n_values) = (keys.len(), values.len());
        let message = format!("`map_of` of {n_keys} keys and {n_values} values");
        return Err(Failure::argument(message));
    }
    let mut entries: BTreeMap<Arc<str>, Value> = BTreeMap::new();
    for (key, value) in keys.iter().map(text).zip(values) {
        if entries.insert(key.into(), value.clone()).is_some() {
            return Err(Failure::argument(format!("`map_of` with the key {key:?} twice")));
        }
    }
    Ok(Value::Map(entries.into_iter().collect()))
}

fn split(text: &str, separator: &str) -> Value {
    if separator.is_empty() {
        return Value::List(vec![Value::string(text)].into());
    }
    Value::List(text.split(separator).map(Value::string).collect())
}

/// How many to skip and to take for a start from 1 and an optional length.
fn range(name: &str, args: &[Value]) -> Result<(usize, usize), Failure> {
    let start = int(&args[1]);
    if start < 1 {
        return Err(Failure::argument(format!("`{name}` counts from 1, found {start}")));
    }
    let skip = usize::try_from(start - 1).unwrap_or(usize::MAX);
    let Some(n) = args.get(2).map(int) else { return Ok((skip, usize::MAX)) };
    if n < 0 {
        return Err(Failure::argument(format!("`{name}` wants a length from 0, found {n}")));
    }
    Ok((skip, usize::try_from(n).unwrap_or(usize::MAX)))
}

fn round(args: &[Value], ty: &Type, result: &Type) -> Result<Value, Failure> {
    Ok(match (&args[0], ty, result) {
        (Value::Decimal(units), Type::Decimal(from), Type::Decimal(to)) => {
            Value::Decimal(scalar::round_decimal(*units, *from, *to)?)
        }
        (Value::Float(x), _, Type::Float32) => {
            Value::float32(Float::new(rounded(x.get(), args.get(1))).to_f32())
        }
        (Value::Float(x), _, _) => Value::float(rounded(x.get(), args.get(1))),
        (Value::Int(x), _, _) => Value::Int(match args.get(1) {
            None => *x,
            Some(digits) => round_int(*x, int(digits))?,
        }),
        (other, ..) => unreachable!("typing lets no {other:?} be rounded"),
    })
}

fn rounded(x: f64, digits: Option<&Value>) -> f64 {
    match digits {
        None => x.round_ties_even(),
        Some(digits) => round_float(x, int(digits)),
    }
}

/// The float nearest to the exact value rounded half to even at that many digits.
fn round_float(x: f64, digits: i64) -> f64 {
    // No float below 2^1024 has more than 1074 digits after the point or 309 before it.
    if !x.is_finite() || digits > 1074 {
        return x;
    }
    if digits < -309 {
        return 0.0;
    }
    match usize::try_from(digits) {
        Ok(digits) => format!("{x:.digits$}").parse().expect("a float's text is a number"),
        Err(_) => round_before_point(x, usize::try_from(-digits).expect("309 at most")),
    }
}

/// The same where the last `n` digits before the point go. Dividing by the power of ten would round
/// once more, and make halves of what is none.
fn round_before_point(x: f64, n: usize) -> f64 {
    let whole = format!("{:.0}", x.abs().trunc());
    let Some(n_kept) = whole.len().checked_sub(n) else { return 0.0 };
    let (kept, gone) = whole.split_at(n_kept);
    let has_rest = gone[1..].bytes().any(|digit| digit != b'0') || x.fract() != 0.0;
    let is_odd = kept.bytes().last().is_some_and(|digit| digit % 2 == 1);
    let goes_up = match gone.as_bytes()[0] {
        b'5' => has_rest || is_odd,
        first => first > b'5',
    };
    let mut digits = format!("0{kept}").into_bytes();
    if goes_up {
        let n_nines = digits.iter().rev().take_while(|digit| **digit == b'9').count();
        let carried = digits.len() - n_nines;
        digits[carried - 1] += 1;
        digits[carried..].fill(b'0');
    }
    digits.resize(digits.len() + n, b'0');
    let digits = String::from_utf8(digits).expect("digits are text");
    let rounded: f64 = digits.parse().expect("digits are a number");
    rounded.copysign(x)
}

fn round_int(x: i64, digits: i64) -> Result<i64, Failure> {
    if digits >= 0 {
        return Ok(x);
    }
    // 10^19 is above twice the greatest integer's nines; beyond it everything rounds to 0.
    let Some(power) = u32::try_from(digits.unsigned_abs()).ok().filter(|n| *n <= 20) else {
        return Ok(0);
    };
    let power = 10_i128.pow(power);
    let rounded = scalar::divide_half_even(i128::from(x), power) * power;
    i64::try_from(rounded).map_err(|_| Failure::overflow("`round`", Type::Int64))
}

/// The next whole number in one direction.
fn whole(value: &Value, ty: &Type, of_float: fn(f64) -> f64, towards: Ordering) -> Value {
    match (value, ty) {
        (Value::Float(x), _) => Value::float(of_float(x.get())),
        (Value::Decimal(units), Type::Decimal(scale)) => {
            let divisor = arqon_types::pow10(u32::from(*scale)).expect("38 digits at most");
            let down = units.div_euclid(divisor);
            let is_up = towards == Ordering::Greater && units.rem_euclid(divisor) != 0;
            Value::Decimal(down + i128::from(is_up))
        }
        (other, _) => other.clone(),
    }
}

fn trunc(at: &Value, unit: &Value) -> Result<Value, Failure> {
    let out_of_range = || Failure::overflow("`trunc`", Type::Timestamp);
    match (at, unit) {
        (Value::Timestamp(at), Value::Duration(step)) if *step <= 0 => {
            let _ = at;
            Err(Failure::argument("`trunc` wants a duration above 0"))
        }
        (Value::Timestamp(at), Value::Duration(step)) => {
            let cut = at.checked_sub(at.rem_euclid(*step)).ok_or_else(out_of_range)?;
            Ok(Value::Timestamp(cut))
        }
        (Value::Timestamp(at), Value::String(unit)) => {
            let step = match unit.as_ref() {
                "hour" => DAY / 24,
                "minute" => DAY / 1440,
                "second" => DAY / 86_400,
                unit => {
                    let days = civil::trunc_days(at.div_euclid(DAY), unit)
                        .ok_or_else(|| Failure::argument(format!("`{unit}` is no unit")))?;
                    return days.checked_mul(DAY).map(Value::Timestamp).ok_or_else(out_of_range);
                }
            };
            let cut = at.checked_sub(at.rem_euclid(step)).ok_or_else(out_of_range)?;
            Ok(Value::Timestamp(cut))
        }
        (Value::Date(days), Value::String(unit)) => {
            let cut = civil::trunc_days(i64::from(*days), unit)
                .ok_or_else(|| Failure::argument(format!("`{unit}` is no unit")))?;
            date(cut, "trunc")
        }
        (at, unit) => unreachable!("typing lets no {at:?} be cut to {unit:?}"),
    }
}

fn date(days: i64, name: &str) -> Result<Value, Failure> {
    i32::try_from(days)
        .ok()
        .filter(|_| DAYS_RANGE.contains(&days))
        .map(Value::Date)
        .ok_or_else(|| Failure::overflow(&format!("`{name}`"), Type::Date))
}

fn add_months(at: &Value, n: i64) -> Result<Value, Failure> {
    let overflow = |ty: Type| Failure::overflow("`add_months`", ty);
    let moved = |ty: Type| {
        civil::add_months(date_of(at), n).map(civil::to_days).ok_or_else(|| overflow(ty))
    };
    match at {
        Value::Date(_) => date(moved(Type::Date)?, "add_months"),
        Value::Timestamp(nanoseconds) => moved(Type::Timestamp)?
            .checked_mul(DAY)
            .and_then(|at| at.checked_add(nanoseconds.rem_euclid(DAY)))
            .map(Value::Timestamp)
            .ok_or_else(|| overflow(Type::Timestamp)),
        other => unreachable!("typing lets no {other:?} have months"),
    }
}

fn date_of(value: &Value) -> Civil {
    civil::from_days(instant(value).0)
}

/// The day, and the nanoseconds since it began.
fn instant(value: &Value) -> (i64, i64) {
    match value {
        Value::Date(days) => (i64::from(*days), 0),
        Value::Timestamp(at) => (at.div_euclid(DAY), at.rem_euclid(DAY)),
        other => unreachable!("typing lets no {other:?} be a date"),
    }
}

/// The nanoseconds since the day began.
fn of_day(value: &Value) -> i64 {
    instant(value).1
}

/// Whole units from `from` to `to`, cut towards 0.
fn diff(to: &Value, from: &Value, unit: &str) -> Result<Value, Failure> {
    let (to, from) = (instant(to), instant(from));
    let step = match unit {
        "year" => return Ok(Value::Int(civil::months_between(from, to) / 12)),
        "quarter" => return Ok(Value::Int(civil::months_between(from, to) / 3)),
        "month" => return Ok(Value::Int(civil::months_between(from, to))),
        "week" => 7 * DAY,
        "day" => DAY,
        "hour" => DAY / 24,
        "minute" => DAY / 1440,
        "second" => DAY / 86_400,
        unit => return Err(Failure::argument(format!("`{unit}` is no unit"))),
    };
    let passed = i128::from(to.0 - from.0) * i128::from(DAY) + i128::from(to.1 - from.1);
    let n_units = i64::try_from(passed / i128::from(step));
    Ok(Value::Int(n_units.expect("seconds between two dates of 32 bits fit 64 bits")))
}

/// Exact, floats rounded once; a sum of decimals has to fit 128 bits at every step.
fn sum(items: &[Value], ty: &Type) -> Result<Value, Failure> {
    let overflow = || Failure::overflow("`sum`", ty);
    let mut total: i128 = 0;
    let mut floats = ExactSum::default();
    let mut specials = 0.0;
    for item in items {
        match item {
            Value::Int(x) | Value::Duration(x) => total += i128::from(*x),
            Value::Decimal(x) => total = total.checked_add(*x).ok_or_else(overflow)?,
            Value::Float(x) if x.get().is_finite() => floats.add_float(x.get(), 1),
            Value::Float(x) => specials += x.get(),
            other => unreachable!("typing lets no {other:?} be summed"),
        }
    }
    Ok(match ty {
        Type::Int64 => Value::Int(i64::try_from(total).map_err(|_| overflow())?),
        Type::Duration => Value::Duration(i64::try_from(total).map_err(|_| overflow())?),
        Type::Decimal(_) => Value::Decimal(total),
        _ if specials != 0.0 => Value::float(specials),
        _ => Value::float(floats.to_float()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "rounded values are exact")]
    fn rounding_is_half_to_even_of_the_exact_value() {
        assert_eq!(round_float(2.675, 2), 2.67);
        assert_eq!(round_float(0.125, 2), 0.12);
        assert_eq!(round_float(1234.0, -2), 1200.0);
        assert_eq!(round_float(-1250.0, -2), -1200.0);
        assert_eq!(round_float(1250.25, -2), 1300.0);
        assert_eq!(round_float(-996.0, -1), -1000.0);
        assert_eq!(round_float(49.5, -2), 0.0);
        assert_eq!(round_float(0.7, -1), 0.0);
        assert_eq!(round_float(6.0, -1), 10.0);
        // Its tenth is no float: the nearest one is a half.
        assert_eq!(round_float(18_014_398_509_481_914.0, -1), 18_014_398_509_481_910.0);
        assert_eq!(round_float(f64::MAX, -308), f64::INFINITY);
        assert_eq!(round_float(1.0, -309), 0.0);
        assert_eq!(round_float(f64::INFINITY, 2), f64::INFINITY);
        assert_eq!(round_int(1250, -2), Ok(1200));
        assert_eq!(round_int(1350, -2), Ok(1400));
        assert_eq!(round_int(5, -40), Ok(0));
        assert_eq!(round_int(5, i64::MIN), Ok(0));
        assert!(round_int(i64::MAX, -18).is_ok());
        assert!(round_int(i64::MAX, -19).is_err());
    }
}
