//! The units in which integers stand for timestamps, and which fields of a schema have one.
//!
//! A unit is a matter of reading: the type stays `timestamp`, the value nanoseconds, and what is
//! written is RFC 3339. So two rows that differ in units alone are of one type.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// `s`
    Seconds,
    /// `ms`
    Milliseconds,
    /// `us`
    Microseconds,
    /// `ns`
    Nanoseconds,
}

impl TimeUnit {
    /// The coarsest first.
    pub const ALL: [Self; 4] =
        [Self::Seconds, Self::Milliseconds, Self::Microseconds, Self::Nanoseconds];

    /// As circuits write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::Nanoseconds => "ns",
        }
    }

    /// Nanoseconds since 1970 of `count` units since then; none beyond what 64 bits hold.
    pub fn nanoseconds(self, count: i64) -> Option<i64> {
        count.checked_mul(match self {
            Self::Seconds => 1_000_000_000,
            Self::Milliseconds => 1_000_000,
            Self::Microseconds => 1_000,
            Self::Nanoseconds => 1,
        })
    }

    /// The unit in which `count` is a time near ours (1973 to 5138 for seconds, and so on).
    pub fn guess(count: i64) -> Self {
        match count.unsigned_abs() {
            0..100_000_000_000 => Self::Seconds,
            100_000_000_000..100_000_000_000_000 => Self::Milliseconds,
            100_000_000_000_000..100_000_000_000_000_000 => Self::Microseconds,
            _ => Self::Nanoseconds,
        }
    }
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The units of the timestamps in a value, by the names of the fields that lead there. Lists, maps
/// and options add no step: their items have the unit of the whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct TimeUnits {
    own: Option<TimeUnit>,
    fields: BTreeMap<String, TimeUnits>,
}

static NO_UNITS: TimeUnits = TimeUnits { own: None, fields: BTreeMap::new() };

impl TimeUnits {
    /// Where no integer stands for a timestamp.
    pub fn none() -> &'static Self {
        &NO_UNITS
    }

    /// A timestamp, or a list, map or option of them, in `unit`.
    pub fn of(unit: TimeUnit) -> Self {
        Self { own: Some(unit), fields: BTreeMap::new() }
    }

    /// Adds the units within a field.
    pub fn insert(&mut self, field: &str, units: Self) {
        if !units.is_empty() {
            self.fields.insert(field.to_owned(), units);
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.own.is_none() && self.fields.is_empty()
    }

    /// The unit of the value itself.
    pub fn own(&self) -> Option<TimeUnit> {
        self.own
    }

    /// The units within a field.
    pub fn field(&self, name: &str) -> &Self {
        self.fields.get(name).unwrap_or(&NO_UNITS)
    }

    /// The fields that have one, by their paths in order: `sent.at`.
    pub fn paths(&self) -> Vec<(String, TimeUnit)> {
        let mut found = Vec::new();
        self.collect(String::new(), &mut found);
        found
    }

    fn collect(&self, path: String, found: &mut Vec<(String, TimeUnit)>) {
        for (name, inner) in &self.fields {
            let dot = if path.is_empty() { "" } else { "." };
            inner.collect(format!("{path}{dot}{name}"), found);
        }
        if let Some(unit) = self.own {
            found.push((path, unit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_found_by_path() {
        let mut sent = TimeUnits::default();
        sent.insert("at", TimeUnits::of(TimeUnit::Seconds));
        sent.insert("by", TimeUnits::default());
        let mut row = TimeUnits::default();
        row.insert("sent", sent);
        row.insert("at", TimeUnits::of(TimeUnit::Milliseconds));
        assert_eq!(row.field("sent").field("at").own(), Some(TimeUnit::Seconds));
        assert!(row.field("sent").field("by").is_empty());
        assert!(row.field("nowhere").field("at").is_empty());
        let paths: Vec<String> =
            row.paths().into_iter().map(|(path, unit)| format!("{path} {unit}")).collect();
        assert_eq!(paths, ["at ms", "sent.at s"]);
    }

    #[test]
    fn a_count_beyond_64_bits_of_nanoseconds_is_no_time() {
        assert_eq!(TimeUnit::Milliseconds.nanoseconds(-1), Some(-1_000_000));
        assert_eq!(TimeUnit::Seconds.nanoseconds(9_223_372_036), Some(9_223_372_036_000_000_000));
        assert_eq!(TimeUnit::Seconds.nanoseconds(9_223_372_037), None);
        assert_eq!(TimeUnit::Nanoseconds.nanoseconds(i64::MIN), Some(i64::MIN));
    }

    #[test]
    fn the_size_of_a_number_tells_its_unit() {
        let now = 1_767_225_600_000_000_000_i64;
        let units = [now / 1_000_000_000, now / 1_000_000, now / 1000, now].map(TimeUnit::guess);
        assert_eq!(units, TimeUnit::ALL);
    }
}
