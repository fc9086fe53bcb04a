//! What may be called, and how: names, parameters and the lines that help texts show.

use crate::aggregate::AggregateFunction;
use crate::function::{Function, TensorFunction};

/// What a name in call position stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Callee {
    Function(Function),
    /// `format`: a constant template, and as many values as it has places.
    Format,
    Cast(CastTarget),
    Try,
}

/// Target of a cast that users write; decimals take their scale from the second argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CastTarget {
    Bool,
    Int64,
    Float32,
    Float64,
    Decimal,
    String,
    Bytes,
    Timestamp,
    Date,
    Duration,
    Uuid,
}

pub(crate) struct Signature {
    pub(crate) name: &'static str,
    pub(crate) callee: Callee,
    pub(crate) parameters: &'static [&'static str],
    /// How many of the parameters must be given.
    pub(crate) n_required: usize,
    text: &'static str,
}

pub(crate) struct AggregateSignature {
    pub(crate) name: &'static str,
    pub(crate) function: AggregateFunction,
    pub(crate) parameters: &'static [&'static str],
    pub(crate) n_required: usize,
    text: &'static str,
}

const fn call(
    name: &'static str,
    function: Function,
    parameters: &'static [&'static str],
    n_required: usize,
    text: &'static str,
) -> Signature {
    Signature { name, callee: Callee::Function(function), parameters, n_required, text }
}

const fn cast(name: &'static str, target: CastTarget, text: &'static str) -> Signature {
    Signature { name, callee: Callee::Cast(target), parameters: &["x"], n_required: 1, text }
}

use Function as F;
use TensorFunction as T;

const FUNCTIONS: &[Signature] = &[
    call("lower", F::Lower, &["s"], 1, "lower(s: string) -> string"),
    call("upper", F::Upper, &["s"], 1, "upper(s: string) -> string"),
    call("trim", F::Trim, &["s"], 1, "trim(s: string) -> string"),
    call(
        "split",
        F::Split,
        &["s", "separator"],
        2,
        "split(s: string, separator: string) -> list<string>",
    ),
    call(
        "join",
        F::Join,
        &["items", "separator"],
        2,
        "join(items: list<string>, separator: string) -> string",
    ),
    call(
        "replace",
        F::Replace,
        &["s", "from", "to"],
        3,
        "replace(s: string, from: string, to: string) -> string",
    ),
    call(
        "contains",
        F::Contains,
        &["of", "part"],
        2,
        "contains(s: string, part: string), contains(items: list<T>, item: T) or \
         contains(m: map<T>, key: string) -> bool",
    ),
    call(
        "starts_with",
        F::StartsWith,
        &["s", "prefix"],
        2,
        "starts_with(s: string, prefix: string) -> bool",
    ),
    call(
        "ends_with",
        F::EndsWith,
        &["s", "suffix"],
        2,
        "ends_with(s: string, suffix: string) -> bool",
    ),
    call(
        "like",
        F::Like,
        &["s", "pattern"],
        2,
        "like(s: string, pattern: string) -> bool, % for any text, _ for one character",
    ),
    call(
        "substr",
        F::Substr,
        &["s", "start", "length"],
        2,
        "substr(s: string, start: int64, length: int64) -> string, counting characters from 1",
    ),
    call(
        "position",
        F::Position,
        &["s", "part"],
        2,
        "position(s: string, part: string) -> option<int64>, counting characters from 1",
    ),
    call(
        "matches",
        F::Matches,
        &["s", "pattern"],
        2,
        "matches(s: string, pattern: string) -> bool, whether a regular expression matches anywhere",
    ),
    call(
        "regex_extract",
        F::RegexExtract,
        &["s", "pattern", "group"],
        2,
        "regex_extract(s: string, pattern: string, group: int64) -> option<string>, group 0 is all",
    ),
    call(
        "regex_replace",
        F::RegexReplace,
        &["s", "pattern", "to"],
        3,
        "regex_replace(s: string, pattern: string, to: string) -> string, $1 is a group",
    ),
    Signature {
        name: "format",
        callee: Callee::Format,
        parameters: &["template"],
        n_required: 1,
        text: "format(template, values…) -> string; the template is a constant with a {} for each",
    },
    call("len", F::Len, &["x"], 1, "len(x) -> int64, of a string, list, map or bytes"),
    call("abs", F::Abs, &["x"], 1, "abs(x) -> the type of x, a number or duration"),
    call("sign", F::Sign, &["x"], 1, "sign(x) -> int64: -1, 0 or 1, of a number or duration"),
    call(
        "min",
        F::Min,
        &["a", "b"],
        1,
        "min(a: T, b: T) -> T, or min(items: list<T>) -> option<T>",
    ),
    call(
        "max",
        F::Max,
        &["a", "b"],
        1,
        "max(a: T, b: T) -> T, or max(items: list<T>) -> option<T>",
    ),
    call("clamp", F::Clamp, &["x", "low", "high"], 3, "clamp(x: T, low: T, high: T) -> T"),
    call(
        "round",
        F::Round,
        &["x", "digits"],
        1,
        "round(x, digits) -> x rounded half to even; a decimal has that many digits then",
    ),
    call("floor", F::Floor, &["x"], 1, "floor(x) -> the next whole number down"),
    call("ceil", F::Ceil, &["x"], 1, "ceil(x) -> the next whole number up"),
    call("sqrt", F::Sqrt, &["x"], 1, "sqrt(x: float64) -> float64"),
    call("exp", F::Exp, &["x"], 1, "exp(x: float64) -> float64"),
    call("ln", F::Ln, &["x"], 1, "ln(x: float64) -> float64"),
    call("log10", F::Log10, &["x"], 1, "log10(x: float64) -> float64"),
    call("pow", F::Pow, &["x", "y"], 2, "pow(x: float64, y: float64) -> float64"),
    call("div", F::Div, &["a", "b"], 2, "div(a: int64, b: int64) -> int64, truncated"),
    call(
        "trunc",
        F::Trunc,
        &["at", "unit"],
        2,
        "trunc(at: timestamp, unit: duration) or trunc(at: timestamp or date, \"month\")",
    ),
    call(
        "add_months",
        F::AddMonths,
        &["at", "n"],
        2,
        "add_months(at: date or timestamp, n: int64) -> the type of at",
    ),
    call("year", F::Year, &["at"], 1, "year(at: date or timestamp) -> int64"),
    call("month", F::Month, &["at"], 1, "month(at: date or timestamp) -> int64"),
    call("day", F::Day, &["at"], 1, "day(at: date or timestamp) -> int64"),
    call("hour", F::Hour, &["at"], 1, "hour(at: timestamp) -> int64"),
    call("minute", F::Minute, &["at"], 1, "minute(at: timestamp) -> int64"),
    call("second", F::Second, &["at"], 1, "second(at: timestamp) -> int64"),
    call("epoch_time", F::EpochTime, &[], 0, "epoch_time() -> timestamp, when the row came in"),
    call(
        "weekday",
        F::Weekday,
        &["at"],
        1,
        "weekday(at: date or timestamp) -> int64, 1 for Monday to 7 for Sunday",
    ),
    call("quarter", F::Quarter, &["at"], 1, "quarter(at: date or timestamp) -> int64"),
    call(
        "diff",
        F::Diff,
        &["to", "from", "unit"],
        3,
        "diff(to, from, \"month\") -> int64, whole units from the second date or timestamp to the \
         first",
    ),
    call(
        "parse_time",
        F::ParseTime,
        &["s", "format"],
        2,
        "parse_time(s: string, format: string) -> timestamp; \"%d.%m.%Y %H:%M\", UTC without %z",
    ),
    call(
        "format_time",
        F::FormatTime,
        &["at", "format"],
        2,
        "format_time(at: date or timestamp, format: string) -> string, in UTC",
    ),
    call("is_some", F::IsSome, &["x"], 1, "is_some(x: option<T>) -> bool"),
    call("hash", F::Hash, &["seed", "key"], 2, "hash(seed: int64, key: any type) -> int64"),
    call(
        "filter",
        F::Filter,
        &["items", "keep"],
        2,
        "filter(items: list<T>, x -> bool) -> list<T>",
    ),
    call("map", F::Map, &["items", "to"], 2, "map(items: list<T>, x -> U) -> list<U>"),
    call("any", F::Any, &["items", "test"], 1, "any(items: list<T>, x -> bool) -> bool"),
    call("all", F::All, &["items", "test"], 1, "all(items: list<T>, x -> bool) -> bool"),
    call("sum", F::Sum, &["items"], 1, "sum(items: list or tensor of numbers) -> a number"),
    call("sort", F::Sort, &["items"], 1, "sort(items: list<T>) -> list<T>"),
    call("first", F::First, &["items"], 1, "first(items: list<T>) -> option<T>"),
    call("last", F::Last, &["items"], 1, "last(items: list<T>) -> option<T>"),
    call(
        "distinct",
        F::Distinct,
        &["items"],
        1,
        "distinct(items: list<T>) -> list<T>, the first of equal items stays",
    ),
    call(
        "item",
        F::Item,
        &["of", "at"],
        2,
        "item(of, at) -> the item of a list or tensor, counting from 1, or the value under a key of a \
         map as an option; of[at] is the same",
    ),
    call(
        "slice",
        F::Slice,
        &["items", "start", "length"],
        2,
        "slice(items: list<T>, start: int64, length: int64) -> list<T>, counting from 1; of a \
         tensor along its first dimension",
    ),
    call(
        "map_of",
        F::MapOf,
        &["keys", "values"],
        2,
        "map_of(keys: list<string>, values: list<T>) -> map<T>, each key once",
    ),
    call("keys", F::Keys, &["m"], 1, "keys(m: map<T>) -> list<string>, ascending"),
    call("values", F::Values, &["m"], 1, "values(m: map<T>) -> list<T>, by key"),
    call("base64", F::Base64, &["x"], 1, "base64(x: bytes) -> string"),
    call("hex", F::Hex, &["x"], 1, "hex(x: bytes) -> string"),
    call("from_base64", F::FromBase64, &["s"], 1, "from_base64(s: string) -> bytes"),
    call("from_hex", F::FromHex, &["s"], 1, "from_hex(s: string) -> bytes"),
    call("sha256", F::Sha256, &["x"], 1, "sha256(x: bytes or string) -> bytes, 32 of them"),
    call(
        "tensor",
        F::OfTensor(T::Tensor),
        &["items"],
        1,
        "tensor(items: list of numbers or bools, or of such lists) -> tensor",
    ),
    call("shape", F::OfTensor(T::Shape), &["t"], 1, "shape(t: tensor) -> list<int64>"),
    call(
        "dot",
        F::OfTensor(T::Dot),
        &["a", "b"],
        2,
        "dot(a: tensor<Nx…>, b: tensor<Nx…>) -> float64, or int64 of integers",
    ),
    call("norm", F::OfTensor(T::Norm), &["t"], 1, "norm(t: tensor) -> float64"),
    call("rms", F::OfTensor(T::Rms), &["t"], 1, "rms(t: tensor) -> float64"),
    call("mean", F::OfTensor(T::Mean), &["t"], 1, "mean(t: tensor) -> float64"),
    call(
        "matmul",
        F::OfTensor(T::Matmul),
        &["a", "b"],
        2,
        "matmul(a: tensor<NxKx…>, b: tensor<KxMx…> or tensor<Kx…>) -> tensor<NxMx…>",
    ),
    call(
        "concat",
        F::OfTensor(T::Concat),
        &["a", "b"],
        2,
        "concat(a: tensor, b: tensor) -> tensor, along the first dimension",
    ),
    call(
        "reshape",
        F::OfTensor(T::Reshape),
        &["t", "sizes"],
        2,
        "reshape(t: tensor, sizes) -> tensor, for example reshape(t, [2, 3])",
    ),
    call(
        "cast",
        F::OfTensor(T::Cast),
        &["t", "element"],
        2,
        "cast(t: tensor, element) -> tensor of \"f32\", \"f64\", \"i64\" or \"u8\"",
    ),
    cast("bool", CastTarget::Bool, "bool(x: string) -> bool"),
    cast(
        "int64",
        CastTarget::Int64,
        "int64(x) -> int64, of a number (truncated), string, bool, timestamp, duration or date",
    ),
    cast("float32", CastTarget::Float32, "float32(x) -> float32, of a number or string"),
    cast("float64", CastTarget::Float64, "float64(x) -> float64, of a number or string"),
    Signature {
        name: "decimal",
        callee: Callee::Cast(CastTarget::Decimal),
        parameters: &["x", "scale"],
        n_required: 2,
        text: "decimal(x, scale) -> decimal<scale>, of a number or string",
    },
    cast("string", CastTarget::String, "string(x) -> string, of any scalar; bytes are UTF-8"),
    cast("bytes", CastTarget::Bytes, "bytes(x: string) -> bytes, its UTF-8"),
    cast("timestamp", CastTarget::Timestamp, "timestamp(x) -> timestamp, of a string or date"),
    cast("date", CastTarget::Date, "date(x) -> date, of a string or timestamp"),
    cast("duration", CastTarget::Duration, "duration(x: string) -> duration"),
    cast("uuid", CastTarget::Uuid, "uuid(x: string) -> uuid"),
    Signature {
        name: "try",
        callee: Callee::Try,
        parameters: &["x"],
        n_required: 1,
        text: "try(x: T) -> option<T>, none where x fails",
    },
];

const fn aggregate(
    name: &'static str,
    function: AggregateFunction,
    parameters: &'static [&'static str],
    n_required: usize,
    text: &'static str,
) -> AggregateSignature {
    AggregateSignature { name, function, parameters, n_required, text }
}

use AggregateFunction as A;

const AGGREGATES: &[AggregateSignature] = &[
    aggregate("count", A::Count, &["x"], 0, "count() or count(x) -> int64"),
    aggregate("sum", A::Sum, &["x"], 1, "sum(x) -> the type of x, a number or duration"),
    aggregate("avg", A::Average, &["x"], 1, "avg(x) -> float64"),
    aggregate("min", A::Min, &["x"], 1, "min(x) -> the type of x"),
    aggregate("max", A::Max, &["x"], 1, "max(x) -> the type of x"),
    aggregate("first", A::First, &["x", "by"], 2, "first(x, by) -> the type of x"),
    aggregate("last", A::Last, &["x", "by"], 2, "last(x, by) -> the type of x"),
    aggregate("any", A::Any, &["x"], 1, "any(x: bool) -> bool"),
    aggregate("all", A::All, &["x"], 1, "all(x: bool) -> bool"),
    aggregate("distinct_count", A::DistinctCount, &["x"], 1, "distinct_count(x) -> int64"),
    aggregate("list", A::List, &["x"], 1, "list(x: T) -> list<T>, sorted"),
    aggregate("stddev", A::StandardDeviation, &["x"], 1, "stddev(x) -> option<float64>"),
    aggregate("variance", A::Variance, &["x"], 1, "variance(x) -> option<float64>"),
    aggregate(
        "quantile",
        A::Quantile,
        &["x", "q"],
        2,
        "quantile(x, q) -> the type of x; q is a constant from 0 to 1",
    ),
    aggregate("top", A::Top, &["x", "n"], 2, "top(x: T, n) -> list<T>; n is a constant"),
];

/// What has a meaning along an order of rows only, and how it is called.
const ALONG_ORDER: &[(&str, &str)] = &[
    ("lag", "lag(x: T, n) -> option<T>, the value n rows before; n is 1 unless given"),
    ("lead", "lead(x: T, n) -> option<T>, the value n rows after; n is 1 unless given"),
    ("row_number", "row_number() -> int64, from 1; no two rows have the same"),
    ("rank", "rank() -> int64, the first row_number of the rows that are equal in `by`"),
    ("dense_rank", "dense_rank() -> int64, how many different values of `by` there are so far"),
];

pub(crate) fn find_function(name: &str) -> Option<&'static Signature> {
    FUNCTIONS.iter().find(|signature| signature.name == name)
}

pub(crate) fn find_aggregate(name: &str) -> Option<&'static AggregateSignature> {
    AGGREGATES.iter().find(|signature| signature.name == name)
}

/// The names of all functions, casts and `try`.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|signature| signature.name)
}

/// The names of all aggregates.
pub fn aggregate_names() -> impl Iterator<Item = &'static str> {
    AGGREGATES.iter().map(|signature| signature.name)
}

/// One line on how a function is called.
pub fn signature_text(name: &str) -> Option<&'static str> {
    find_function(name).map(|signature| signature.text)
}

/// One line on how an aggregate is called.
pub fn aggregate_signature_text(name: &str) -> Option<&'static str> {
    find_aggregate(name).map(|signature| signature.text)
}

/// The names of the functions along an order of rows.
pub fn along_order_names() -> impl Iterator<Item = &'static str> {
    ALONG_ORDER.iter().map(|(name, _)| *name)
}

/// One line on how a function along an order is called.
pub fn along_order_signature_text(name: &str) -> Option<&'static str> {
    ALONG_ORDER.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The parameters of a function by name, so that named arguments find their place.
pub fn function_parameters(name: &str) -> Option<&'static [&'static str]> {
    find_function(name).map(|signature| signature.parameters)
}

/// The parameters of an aggregate by name, without `where`.
pub fn aggregate_parameters(name: &str) -> Option<&'static [&'static str]> {
    find_aggregate(name).map(|signature| signature.parameters)
}
