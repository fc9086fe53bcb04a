//! What a figure was meant to be, beside what it is.

use std::fmt;

use crate::numbers::{median, range, spread_in};

/// The first two lines of a table of aims.
pub const HEAD: &str = "| aim | meant | measured | |\n| --- | --- | --- | --- |";

/// On which side of a number a figure is meant to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Meant {
    /// As large at least.
    AtLeast(f64),
    /// As large at most.
    AtMost(f64),
}

impl Meant {
    fn admits(self, number: f64) -> bool {
        match self {
            Self::AtLeast(least) => least <= number,
            Self::AtMost(most) => number <= most,
        }
    }
}

/// A figure that was to be reached. It is a row of a table of aims when it is displayed, and is met
/// if its median is on the right side; it is at the edge if not all measurements say the same.
#[derive(Debug, Clone)]
pub struct Aim {
    /// Of what, in a few words.
    pub what: String,
    /// What was meant.
    pub meant: Meant,
    /// What came, one number for each round.
    pub measured: Vec<f64>,
    /// What stands behind the numbers: `x` for how many times, or a unit with a space before it.
    pub unit: &'static str,
}

impl Aim {
    /// How many times it was meant to be, and was.
    pub fn times(what: impl Into<String>, meant: Meant, measured: Vec<f64>) -> Self {
        Self { what: what.into(), meant, measured, unit: "x" }
    }

    fn verdict(&self) -> &'static str {
        let is_met = self.meant.admits(median(&self.measured));
        let (least, greatest) = range(&self.measured);
        let is_clear = self.meant.admits(least) == self.meant.admits(greatest);
        match (is_met, is_clear) {
            (true, true) => "met",
            (true, false) => "met, at the edge",
            (false, true) => "**missed**",
            (false, false) => "**missed**, at the edge",
        }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, meant, measured, unit } = self;
        let (side, number) = match meant {
            Meant::AtLeast(least) => ("least", least),
            Meant::AtMost(most) => ("most", most),
        };
        let number = (number * 100.0).round() / 100.0;
        let came = spread_in(unit, measured);
        write!(f, "| {what} | at {side} {number}{unit} | {came} | {} |", self.verdict())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(meant: Meant, measured: &[f64]) -> String {
        Aim::times("it", meant, measured.to_vec()).to_string()
    }

    #[test]
    fn the_median_says_whether_an_aim_is_met() {
        assert_eq!(row(Meant::AtLeast(2.0), &[3.0]), "| it | at least 2x | 3.00x | met |");
        let all = [2.5, 3.0, 2.0];
        assert_eq!(
            row(Meant::AtLeast(2.0), &all),
            "| it | at least 2x | 2.50x (2.00 to 3.00) | met |"
        );
        assert_eq!(
            row(Meant::AtMost(1.5), &all),
            "| it | at most 1.5x | 2.50x (2.00 to 3.00) | **missed** |"
        );
    }

    #[test]
    fn rounds_that_say_otherwise_are_told() {
        assert!(row(Meant::AtMost(1.3), &[1.2, 1.1, 1.4]).ends_with("| met, at the edge |"));
        assert!(
            row(Meant::AtLeast(1.3), &[1.2, 1.1, 1.4]).ends_with("| **missed**, at the edge |")
        );
    }

    #[test]
    fn a_figure_that_is_no_number_meets_nothing() {
        assert!(row(Meant::AtLeast(1.0), &[f64::NAN]).contains("missed"));
        assert!(row(Meant::AtMost(1.0), &[f64::NAN]).contains("missed"));
    }
}
