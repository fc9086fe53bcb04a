//! Sessions: the rows of a key, parted where there is a gap between one and the next.
//!
//! A session closes a gap after its end. A row that is on time came less than a gap before the
//! mark, so it can extend no session that has closed: sessions are those of the rows on time,
//! whatever the order in which they came.

mod grouped;
mod groups;

use std::collections::{BTreeMap, BTreeSet};

use arqon_types::{PackedRow, Type, Value};

use crate::deltas::Delta;
use crate::emitter::Emitter;
use crate::evaluate::Formula;
use crate::keyed::PackValue;
use crate::packed::{WORD_BYTES, int};
use crate::source::PackedMap;
use crate::stateful::KeyLogic;
use crate::top::emit_difference;

pub(crate) use self::grouped::{GroupedSessions, grouped_sessions};
pub(crate) use self::groups::{Meters, SessionGroupLogic, SessionGroupShape};

/// What both back ends need to know about sessions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionShape {
    gap: i64,
}

/// A row after its time, as [`SessionShape::pack_value`] packs it.
type TimedRow = (i64, PackedRow);

impl SessionShape {
    /// Sessions that end `gap` after their last row.
    pub(crate) fn new(gap: i64) -> Self {
        Self { gap }
    }

    /// What is kept of a row after its time, so that the order of the bytes is that of the times.
    pub(crate) fn pack_value(time: Formula, kept: PackValue) -> PackValue {
        Box::new(move |batch, faults| {
            let times = time.column(batch, faults);
            let rows = kept(batch, faults);
            let pack = |(row_idx, row): (usize, PackedRow)| {
                let mut packed = PackedRow::new();
                packed.push_cell(&times, row_idx, &Type::Timestamp);
                packed.push_bytes(row.as_bytes());
                packed
            };
            rows.into_iter().enumerate().map(pack).collect()
        })
    }

    /// Whether a session that ends with the first of these times goes on with the second.
    fn is_linked(self, one: i64, other: i64) -> bool {
        other.saturating_sub(one) < self.gap
    }

    /// When a session ends whose last row is at this time.
    fn end_of(self, last: i64) -> i64 {
        // The judge has refused rows whose own window has no end.
        last.saturating_add(self.gap)
    }

    /// When a session closes whose last row is at this time: no row on time extends it then.
    fn close_of(self, last: i64) -> i64 {
        self.end_of(last).saturating_add(self.gap)
    }

    /// The rows with the bounds of their sessions; they come in the order of their times.
    pub(crate) fn rows<'a>(
        self,
        rows: impl Iterator<Item = (&'a PackedRow, i64)>,
    ) -> Vec<(PackedRow, i64)> {
        let timed = rows.filter(|(_, n)| *n > 0).map(|(packed, n)| {
            let (time, row) = split(packed);
            ((time, row), n)
        });
        let mut output: Vec<(PackedRow, i64)> = Vec::new();
        let mut session: Vec<(TimedRow, i64)> = Vec::new();
        for (row, n) in timed {
            if session.last().is_some_and(|((last, _), _)| !self.is_linked(*last, row.0)) {
                self.finish(&mut session, &mut output);
            }
            session.push((row, n));
        }
        self.finish(&mut session, &mut output);
        output
    }

    fn finish(self, session: &mut Vec<(TimedRow, i64)>, output: &mut Vec<(PackedRow, i64)>) {
        let (Some(first), Some(last)) = (session.first(), session.last()) else { return };
        let start = first.0.0;
        let end = self.end_of(last.0.0);
        for ((_, mut row), n) in session.drain(..) {
            for bound in [start, end] {
                row.push_value(&Value::Timestamp(bound), &Type::Timestamp);
            }
            output.push((row, n));
        }
    }
}

fn split(packed: &PackedRow) -> TimedRow {
    let mut row = PackedRow::new();
    row.push_bytes(&packed.as_bytes()[WORD_BYTES..]);
    (int(packed), row)
}

/// The rows of one key that are in open sessions, by time.
#[derive(Debug, Default)]
struct Key {
    rows: BTreeMap<PackedRow, i64>,
    /// When the key is to be looked at next.
    due: Option<i64>,
}

/// Sessions as a hash operator.
#[derive(Debug)]
pub(crate) struct SessionLogic {
    shape: SessionShape,
    keys: PackedMap<Key>,
    /// Keys by the moment at which their first session may have closed.
    due: BTreeMap<i64, BTreeSet<PackedRow>>,
    /// Whether sessions close at all.
    closes: bool,
}

impl SessionLogic {
    /// No rows.
    pub(crate) fn new(shape: SessionShape, closes: bool) -> Self {
        Self { shape, keys: PackedMap::default(), due: BTreeMap::new(), closes }
    }

    /// The part of `rows` that one row at `time` may belong with: from the first to the last row
    /// that is linked to it by steps below the gap.
    fn reach(&self, rows: &BTreeMap<PackedRow, i64>, time: &PackedRow) -> (PackedRow, PackedRow) {
        let is_linked =
            |one: &PackedRow, other: &PackedRow| self.shape.is_linked(int(one), int(other));
        let mut first = time.clone();
        for (row, _) in rows.range(..time.clone()).rev() {
            if !is_linked(row, &first) {
                break;
            }
            first.clone_from(row);
        }
        let mut last = time.clone();
        for (row, _) in rows.range(time.clone()..) {
            if !is_linked(&last, row) {
                break;
            }
            last.clone_from(row);
        }
        (first, last)
    }

    /// The time of the last row of a key's first session.
    fn first_last(&self, rows: &BTreeMap<PackedRow, i64>) -> Option<i64> {
        let mut times = rows.keys().map(int);
        let mut last = times.next()?;
        for time in times {
            if !self.shape.is_linked(last, time) {
                break;
            }
            last = time;
        }
        Some(last)
    }

    fn schedule(&mut self, key: &PackedRow, held: &mut Key) {
        if !self.closes {
            return;
        }
        let Some(close) = self.first_last(&held.rows).map(|last| self.shape.close_of(last)) else {
            return;
        };
        if held.due.is_none_or(|due| close < due) {
            held.due = Some(close);
            self.due.entry(close).or_default().insert(key.clone());
        }
    }
}

impl KeyLogic<1> for SessionLogic {
    fn update(&mut self, key: &PackedRow, [deltas]: [&[Delta]; 1], out: &mut Emitter) {
        let mut held = self.keys.remove(key).unwrap_or_default();
        // Both what was and what will be linked: rows that come stand there with 0 for a moment.
        for ((_, row), _) in deltas {
            held.rows.entry(row.clone()).or_insert(0);
        }
        let mut parts: Vec<(PackedRow, PackedRow)> = Vec::new();
        for ((_, row), _) in deltas {
            if parts.last().is_none_or(|(_, last)| last < row) {
                parts.push(self.reach(&held.rows, row));
            }
        }
        let within = |rows: &BTreeMap<PackedRow, i64>| -> Vec<(PackedRow, i64)> {
            let of = |(first, last): &(PackedRow, PackedRow)| {
                let rows = rows.range(first.clone()..=last.clone()).map(|(row, n)| (row, *n));
                self.shape.rows(rows)
            };
            parts.iter().flat_map(of).collect()
        };
        let before = within(&held.rows);
        for ((_, row), diff) in deltas {
            let multiplicity = held.rows.entry(row.clone()).or_insert(0);
            *multiplicity += diff;
            if *multiplicity == 0 {
                held.rows.remove(row);
            }
            out.counts.held += diff;
        }
        let now = within(&held.rows);
        out.counts.touched += (before.len() + now.len()) as u64;
        emit_difference(before, now, |row, diff| out.row(row, diff));
        self.schedule(key, &mut held);
        if !held.rows.is_empty() || held.due.is_some() {
            self.keys.insert(key.clone(), held);
        }
    }

    fn advance(&mut self, mark: i64, out: &mut Emitter) {
        while let Some(first) = self.due.first_entry() {
            if mark < *first.key() {
                break;
            }
            let (moment, keys) = first.remove_entry();
            for key in keys {
                let Some(mut held) = self.keys.remove(&key) else { continue };
                if held.due != Some(moment) {
                    // It became due earlier, and was looked at then.
                    self.keys.insert(key, held);
                    continue;
                }
                held.due = None;
                while let Some(last) = self.first_last(&held.rows) {
                    if mark < self.shape.close_of(last) {
                        break;
                    }
                    while let Some(row) = held.rows.first_entry() {
                        if last < int(row.key()) {
                            break;
                        }
                        out.release(row.remove());
                    }
                }
                self.schedule(&key, &mut held);
                if !held.rows.is_empty() {
                    self.keys.insert(key, held);
                }
            }
        }
    }
}
