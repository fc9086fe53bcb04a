//! Functions that SQL and other languages have, and what does their work here.

/// What to write instead of a function that is known elsewhere.
pub(super) fn habit(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let (_, help) = HABITS.iter().find(|(names, _)| names.split(' ').any(|known| known == name))?;
    Some(help)
}

const HABITS: &[(&str, &str)] = &[
    ("length char_length character_length size strlen", "the length is `len(x)`"),
    ("substring mid left right", "a part of a text is `substr(s, start, length)`"),
    ("lcase to_lower tolower downcase", "it is `lower(s)`"),
    ("ucase to_upper toupper upcase", "it is `upper(s)`"),
    ("strip ltrim rtrim btrim", "it is `trim(s)`"),
    ("strpos instr locate charindex index_of indexof find", "it is `position(s, part)`, an option"),
    ("concat_ws", "it is `join(items, separator)`"),
    ("printf sprintf", "it is `format(\"{} of {}\", a, b)`"),
    ("string_split regexp_split_to_array", "it is `split(s, separator)`"),
    ("regexp_matches regexp_match regexp_like rlike regexp", "it is `matches(s, pattern)`"),
    ("regexp_extract regexp_substr", "it is `regex_extract(s, pattern, group)`"),
    ("regexp_replace", "it is `regex_replace(s, pattern, to)`"),
    ("ceiling", "it is `ceil(x)`"),
    ("power", "it is `pow(x, y)`"),
    ("log", "it is `ln(x)` or `log10(x)`"),
    ("mod", "the remainder is `a % b`"),
    ("coalesce ifnull nvl", "it is `x // default`"),
    ("isnull is_null is_none", "it is `x == none`"),
    ("isnotnull is_not_null exists defined", "it is `is_some(x)`"),
    ("nullif", "it is `if x == y then none else x`"),
    ("iif iff", "it is `if c then x else y`"),
    ("greatest", "it is `max(a, b)`"),
    ("least", "it is `min(a, b)`"),
    ("convert try_cast", "a cast is named by its type: `int64(x)`, `decimal(x, 2)`, `string(x)`"),
    ("int integer bigint to_int parse_int toint", "it is `int64(x)`"),
    ("float double real to_float parse_float tofloat number", "it is `float64(x)`"),
    ("numeric", "it is `decimal(x, 2)`"),
    ("str text varchar to_string tostring", "it is `string(x)`"),
    ("date_trunc time_bucket", "it is `trunc(at, \"month\")` or `trunc(at, 15m)`"),
    ("date_diff datediff timestampdiff", "it is `diff(to, from, \"month\")`, or `to - from`"),
    ("date_add dateadd date_sub", "a time moves by `at + 5m`, or `add_months(at, n)`"),
    ("extract date_part datepart", "it is `year(at)`, `month(at)`, `day(at)`, `hour(at)`"),
    ("dayofweek day_of_week isodow dow", "it is `weekday(at)`, 1 for Monday"),
    ("dayofmonth day_of_month", "it is `day(at)`"),
    ("strftime date_format to_char", "it is `format_time(at, format)`"),
    ("strptime to_timestamp to_date str_to_date parse_timestamp", "it is `parse_time(s, format)`"),
    (
        "now current_timestamp current_date current_time today getdate sysdate utcnow",
        "an expression has no clock, so that a run can be repeated: use a field of the row",
    ),
    (
        "rand random uuid4 newid gen_random_uuid",
        "an expression has no chance, so that a run can be repeated: `hash(seed, key)`",
    ),
    ("md5 sha1 crc32", "a number for any value is `hash(seed, key)`"),
    ("array_length cardinality list_length", "it is `len(items)`"),
    ("array_contains list_contains includes", "it is `item in items`"),
    ("element_at list_extract nth", "it is `items[n]`, counting from 1"),
    ("array_agg list_agg string_agg group_concat", "in `agg:` it is `list(x)`"),
    ("count_distinct approx_count_distinct nunique", "in `agg:` it is `distinct_count(x)`"),
    ("average", "in `agg:` it is `avg(x)`"),
    ("median percentile percentile_cont percentile_disc", "in `agg:` it is `quantile(x, 0.5)`"),
    ("std stdev stddev_samp", "in `agg:` it is `stddev(x)`"),
    ("var var_samp", "in `agg:` it is `variance(x)`"),
    ("first_value arg_min", "in `agg:` it is `first(x, by)`"),
    ("last_value arg_max latest", "in `agg:` it is `last(x, by)`"),
    ("reduce fold", "over a list there are `sum`, `min`, `max`, `any`, `all`, `map` and `filter`"),
];
