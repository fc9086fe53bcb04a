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
    /// `contains(s, part)` of a string, `contains(list, item)` of a list
    Contains,
    /// `starts_with(s, prefix)`
    StartsWith,
    /// `ends_with(s, suffix)`
    EndsWith,
    /// `like(s, "%a_")`
    Like,
    /// `substr(s, start, length)`: positions count characters from 1
    Substr,
    /// `len(s)` in characters, `len(list)`
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
}
