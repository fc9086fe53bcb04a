//! Civil calendar by day numbers: the proleptic Gregorian calendar for any day an `i32` holds.

/// Nanoseconds of a day.
pub(crate) const DAY: i64 = 86_400_000_000_000;

/// A date in the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    /// 1 to 12
    pub(crate) month: i64,
    /// 1 to 31
    pub(crate) day: i64,
}

// Years are counted from 1 March, so that the leap day is the last of its year, in cycles of 400
// years; day 0 of the cycle count is 0000-03-01.
const CYCLE_DAYS: i64 = 146_097;
const DAYS_TO_1970: i64 = 719_468;

/// The date of a day number (0 is 1970-01-01).
pub(crate) fn from_days(days: i64) -> Civil {
    let shifted = days + DAYS_TO_1970;
    let cycle = shifted.div_euclid(CYCLE_DAYS);
    let in_cycle = shifted.rem_euclid(CYCLE_DAYS);
    let year = (in_cycle - in_cycle / 1460 + in_cycle / 36_524 - in_cycle / 146_096) / 365;
    let in_year = in_cycle - (365 * year + year / 4 - year / 100);
    let from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    Civil { year: year + 400 * cycle + i64::from(month <= 2), month, day }
}

/// The day number of a date.
pub(crate) fn to_days(date: Civil) -> i64 {
    let year = date.year - i64::from(date.month <= 2);
    let cycle = year.div_euclid(400);
    let in_cycle = year.rem_euclid(400);
    let from_march = (date.month + 9) % 12;
    let in_year = (153 * from_march + 2) / 5 + date.day - 1;
    cycle * CYCLE_DAYS + in_cycle * 365 + in_cycle / 4 - in_cycle / 100 + in_year - DAYS_TO_1970
}

/// `months` later; the day is cut to the month's last. None beyond 64 bits.
pub(crate) fn add_months(date: Civil, months: i64) -> Option<Civil> {
    let count = date.year.checked_mul(12)?.checked_add(date.month - 1)?.checked_add(months)?;
    // Far beyond any date that a column holds, and still far from overflow in day numbers.
    if count.unsigned_abs() > 1 << 40 {
        return None;
    }
    let (year, month) = (count.div_euclid(12), count.rem_euclid(12) + 1);
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let first = to_days(Civil { year, month, day: 1 });
    let length = to_days(Civil { year: next_year, month: next_month, day: 1 }) - first;
    Some(Civil { year, month, day: date.day.min(length) })
}

/// Whole months from `from` to `to`, each with its nanoseconds of the day: the greatest number that
/// [`add_months`] may go without passing `to`; backward it is the same with the sign turned.
pub(crate) fn months_between(from: (i64, i64), to: (i64, i64)) -> i64 {
    if to < from {
        return -months_between(to, from);
    }
    let (first, last) = (from_days(from.0), from_days(to.0));
    let months = (last.year - first.year) * 12 + last.month - first.month;
    let reached = add_months(first, months).map_or(i64::MAX, to_days);
    if (reached, from.1) > to { months - 1 } else { months }
}

/// 1 for Monday to 7 for Sunday.
pub(crate) fn weekday(days: i64) -> i64 {
    // Day 0 was a Thursday.
    (days + 3).rem_euclid(7) + 1
}

/// The first day of the year, quarter, month, week (Monday) or day; none for another unit.
pub(crate) fn trunc_days(days: i64, unit: &str) -> Option<i64> {
    let date = from_days(days);
    Some(match unit {
        "year" => to_days(Civil { month: 1, day: 1, ..date }),
        "quarter" => to_days(Civil { month: (date.month - 1) / 3 * 3 + 1, day: 1, ..date }),
        "month" => to_days(Civil { day: 1, ..date }),
        // Day 0 was a Thursday.
        "week" => days - (days + 3).rem_euclid(7),
        "day" => days,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use arqon_types::parse_date;
    use proptest::prelude::*;

    use super::*;

    fn days(text: &str) -> i64 {
        i64::from(parse_date(text).unwrap())
    }

    #[test]
    fn months_are_cut_at_their_end() {
        for (from, months, to) in [
            ("2024-01-31", 1, "2024-02-29"),
            ("2023-01-31", 1, "2023-02-28"),
            ("2023-11-30", 3, "2024-02-29"),
            ("2024-03-31", -1, "2024-02-29"),
            ("2024-12-15", 1, "2025-01-15"),
        ] {
            let moved = add_months(from_days(days(from)), months).unwrap();
            assert_eq!(to_days(moved), days(to), "{from} {months}");
        }
        assert_eq!(add_months(from_days(0), i64::MAX), None);
    }

    #[test]
    fn units_are_cut_down() {
        for (unit, to) in [
            ("year", "2024-01-01"),
            ("quarter", "2024-04-01"),
            ("month", "2024-05-01"),
            ("week", "2024-05-13"),
            ("day", "2024-05-17"),
        ] {
            assert_eq!(trunc_days(days("2024-05-17"), unit), Some(days(to)), "{unit}");
        }
    }

    #[test]
    fn months_are_whole() {
        for (from, to, months) in [
            ("2024-01-31", "2024-02-28", 0),
            ("2024-01-31", "2024-02-29", 1),
            ("2024-01-15", "2025-01-14", 11),
            ("2024-01-15", "2025-01-15", 12),
            ("2025-01-15", "2024-01-15", -12),
        ] {
            assert_eq!(months_between((days(from), 0), (days(to), 0)), months, "{from} {to}");
        }
        assert_eq!(months_between((days("2024-01-15"), 5), (days("2024-02-15"), 4)), 0);
        assert_eq!(weekday(days("2024-05-13")), 1);
        assert_eq!(weekday(days("1969-12-28")), 7);
    }

    proptest! {
        #[test]
        fn the_difference_in_months_is_the_most_that_fits(
            from in -700_000_i32..700_000,
            step in 0_i32..100_000,
        ) {
            let (from, to) = (i64::from(from), i64::from(from + step));
            let months = months_between((from, 0), (to, 0));
            let after = |n| to_days(add_months(from_days(from), n).unwrap());
            prop_assert!(after(months) <= to && to < after(months + 1));
        }

        #[test]
        fn days_come_back(day in any::<i32>()) {
            let date = from_days(i64::from(day));
            prop_assert_eq!(to_days(date), i64::from(day));
        }

        #[test]
        fn dates_are_those_of_their_texts(day in -3_000_000_i32..2_000_000) {
            let date = from_days(i64::from(day));
            prop_assume!((0..=9999).contains(&date.year));
            let text = format!("{:04}-{:02}-{:02}", date.year, date.month, date.day);
            prop_assert_eq!(parse_date(&text), Ok(day));
        }
    }
}
