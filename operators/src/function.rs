//! The functions that expressions may call.

use serde::{Deserialize, Serialize};

/// The closed set of functions; their names in circuits are the snake-case names here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// `lower(s)`
    Lower,
    /// `upper(s)`
    Upper,
    /// `trim(s)`
    Trim,
    /// `split(s, separator)`
    Split,
    /// `join(list, separator)`
    Join,
    /// `replace(s, from, to)`
    Replace,
    /// `contains(s, part)` of a string, `contains(list, item)` of a list, `contains(map, key)`
    Contains,
    /// `starts_with(s, prefix)`
    StartsWith,
    /// `ends_with(s, suffix)`
    EndsWith,
    /// `like(s, "%a_")`
    Like,
    /// `substr(s, start, length)`: positions count characters from 1
    Substr,
    /// `len(s)` in characters, `len(list)`, `len(map)`, `len(bytes)`
    Len,
    /// `abs(x)`
    Abs,
    /// `min(a, b)`
    Min,
    /// `max(a, b)`
    Max,
    /// `clamp(x, low, high)`
    Clamp,
    /// `round(x)`, `round(x, digits)`: half to even
    Round,
    /// `floor(x)`
    Floor,
    /// `ceil(x)`
    Ceil,
    /// `sqrt(x)`
    Sqrt,
    /// `exp(x)`
    Exp,
    /// `ln(x)`
    Ln,
    /// `pow(x, y)`
    Pow,
    /// `div(a, b)`: truncating integer division
    Div,
    /// `trunc(at, 1h)`, `trunc(at, "month")`
    Trunc,
    /// `add_months(date, n)`
    AddMonths,
    /// `year(at)`
    Year,
    /// `month(at)`
    Month,
    /// `day(at)`
    Day,
    /// `hour(at)`
    Hour,
    /// `is_some(x)`
    IsSome,
    /// `hash(seed, key)`: the same number everywhere and always; options are hashed, not lifted
    Hash,
    /// `filter(list, x -> bool)`
    Filter,
    /// `map(list, x -> y)`
    Map,
    /// `any(list, x -> bool)`, `any(list<bool>)`
    Any,
    /// `all(list, x -> bool)`, `all(list<bool>)`
    All,
    /// `sum(list)`; 0 of an empty list
    Sum,
    /// `sort(list)`, least first
    Sort,
    /// `first(list)`: an option
    First,
    /// `slice(list, start, length)`: positions count from 1
    Slice,
    /// `matches(s, pattern)`: anywhere in the text
    Matches,
    /// `regex_extract(s, pattern, group)`: an option
    RegexExtract,
    /// `regex_replace(s, pattern, to)`: all matches
    RegexReplace,
    /// `position(s, part)`: an option; characters count from 1
    Position,
    /// `log10(x)`
    Log10,
    /// `sign(x)`: -1, 0 or 1
    Sign,
    /// `minute(at)`
    Minute,
    /// `second(at)`
    Second,
    /// `weekday(at)`: 1 for Monday to 7 for Sunday
    Weekday,
    /// `quarter(at)`
    Quarter,
    /// `diff(to, from, "month")`: whole units
    Diff,
    /// `parse_time(s, format)`
    ParseTime,
    /// `format_time(at, format)`
    FormatTime,
    /// `last(list)`: an option
    Last,
    /// `distinct(list)`: the first of equal items stays
    Distinct,
    /// `item(list, n)`, `list[n]`: positions count from 1
    Item,
    /// `map_of(keys, values)`
    MapOf,
    /// `keys(map)`, ascending
    Keys,
    /// `values(map)`, by key
    Values,
    /// `base64(bytes)`
    Base64,
    /// `hex(bytes)`
    Hex,
    /// `from_base64(s)`
    FromBase64,
    /// `from_hex(s)`
    FromHex,
    /// `sha256(bytes)`, `sha256(s)`
    Sha256,
    /// No value, with the words that are its argument: a job that has failed. Not in the catalogue
    JobFailed,
    /// `epoch_time()`: when the row came in; the compiler puts the column that says so in its place
    EpochTime,
    /// A function of tensors
    OfTensor(TensorFunction),
}

/// The functions of tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TensorFunction {
    /// `tensor(list)` of nested lists
    Tensor,
    /// `shape(t)`
    Shape,
    /// `dot(a, b)` of two vectors
    Dot,
    /// `norm(t)`: the root of the sum of squares
    Norm,
    /// `rms(t)`: the root of the mean of squares
    Rms,
    /// `mean(t)`
    Mean,
    /// `sum(t)`
    Sum,
    /// `matmul(a, b)`
    Matmul,
    /// `concat(a, b)` along the first dimension
    Concat,
    /// `slice(t, start, length)` along the first dimension, from 1
    Slice,
    /// `t[n]`: along the first dimension, from 1
    Item,
    /// `reshape(t, [2, 3])`
    Reshape,
    /// `cast(t, "f32")`
    Cast,
}
