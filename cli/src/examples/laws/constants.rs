//! The constants that a circuit compares with, so that generated rows pass its conditions.
//!
//! They are read from the plan's text, where parameters stand with their values. A number too
//! many, such as a step's, does no harm.

use arqon_plan::{DataflowPlan, dataflow_text};
use arqon_types::{parse_date, parse_duration, parse_timestamp};

/// Constants by kind.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Constants {
    /// `"EU"`; of a pattern also what it matches.
    pub(super) texts: Vec<String>,
    /// `42`, `0.05`, as written.
    pub(super) numbers: Vec<String>,
    /// `d"1995-03-15"`, as days.
    pub(super) dates: Vec<i32>,
    /// `t"2026-01-01T00:00:00Z"`, as nanoseconds.
    pub(super) times: Vec<i64>,
    /// `5m`, as nanoseconds.
    pub(super) durations: Vec<i64>,
}

impl Constants {
    /// The constants of a plan's steps.
    pub(super) fn of(plan: &DataflowPlan) -> Self {
        let text = dataflow_text(plan);
        let mut constants = Self::default();
        // What stands before the first step are topics and their types.
        for line in text.lines().skip_while(|line| !line.starts_with('#')) {
            constants.read(line);
        }
        constants.texts.sort();
        constants.texts.dedup();
        constants.numbers.sort();
        constants.numbers.dedup();
        constants
    }

    fn read(&mut self, line: &str) {
        let mut rest = line;
        let mut before = ' ';
        while let Some(first) = rest.chars().next() {
            let n_bytes = match first {
                '"' => self.quoted(before, rest),
                '0'..='9' if !before.is_alphanumeric() && !"_#<[.$".contains(before) => {
                    self.number(rest)
                }
                other => other.len_utf8(),
            };
            before = rest[..n_bytes].chars().next_back().unwrap_or(' ');
            rest = &rest[n_bytes..];
        }
    }

    /// A text with its quotes; what stands before says whether it is a date or a time.
    fn quoted(&mut self, before: char, rest: &str) -> usize {
        let mut escaped = false;
        let end = rest[1..].find(|character| {
            let ends = character == '"' && !escaped;
            escaped = character == '\\' && !escaped;
            ends
        });
        let Some(end) = end else { return rest.len() };
        let text = &rest[1..=end];
        match before {
            'd' => self.dates.extend(parse_date(text)),
            't' => self.times.extend(parse_timestamp(text)),
            _ => self.text(text),
        }
        end + 2
    }

    fn text(&mut self, text: &str) {
        self.texts.push(text.to_owned());
        if text.contains(['%', '_']) {
            self.texts.push(text.replace('%', "").replace('_', "x"));
            self.texts.push(text.replace('%', " x ").replace('_', "y"));
        }
    }

    fn number(&mut self, rest: &str) -> usize {
        let of_number = |character: char| character.is_ascii_alphanumeric() || character == '.';
        let end = rest.find(|character| !of_number(character)).unwrap_or(rest.len());
        let word = rest[..end].trim_end_matches('.');
        if word.contains(|character: char| character.is_ascii_alphabetic()) {
            self.durations.extend(parse_duration(word));
        } else {
            self.numbers.push(word.to_owned());
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_read_from_the_text_of_a_step() {
        let mut constants = Constants::default();
        constants.read("a[1]  where status == \"paid\" and amount > 0.05 and at < d\"1995-03-15\"");
        constants.read("b[2]  where like(s, \"%special%\") and x2 in [1, 13] and w >= 1h30m of #7");
        assert_eq!(constants.texts, ["paid", "%special%", "special", " x special x "]);
        assert_eq!(constants.numbers, ["0.05", "13"]);
        assert_eq!(constants.dates, [9204]);
        assert_eq!(constants.durations, [5_400_000_000_000]);
    }
}
