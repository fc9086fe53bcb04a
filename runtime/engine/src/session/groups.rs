//! Sessions that are only added up: a `group` by session, and the session window before it, as one
//! operator.
//!
//! Every row of a session has its bounds, so that whoever reads the rows is told all of them anew
//! when one more extends it. A group by session reads none of that: a row that comes or goes is one
//! change of the session's state, two sessions that a row joins are two states merged, and where a
//! row parts one, the smaller part is added up anew.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use arqon_operators::GroupState;
use arqon_plan::Session;
use arqon_types::{PackedRow, Row, Type, Value};

use super::grouped::{GroupedSessions, KeyPart};
use super::{SessionShape, split};
use crate::deltas::Delta;
use crate::emitter::Emitter;
use crate::evaluate::Formula;
use crate::group::{GroupRow, GroupShape};
use crate::keyed::PackValue;
use crate::memory::{row_bytes, signed, table_bytes};
use crate::packed::int;
use crate::recorder::{Fault, Meter};
use crate::source::PackedMap;
use crate::stateful::KeyLogic;
use crate::stats::Count;
use crate::top::emit_difference;

/// What is known of a group by session.
#[derive(Debug)]
pub(crate) struct SessionGroupShape {
    sessions: SessionShape,
    group: GroupShape,
    key: Vec<KeyPart>,
    per: Vec<Type>,
    closes: bool,
    /// Whether a session is told of when it closes, and not before.
    is_final: bool,
}

impl SessionGroupShape {
    /// Of these two steps.
    pub(crate) fn new(grouped: &GroupedSessions, session: &Session, group: GroupShape) -> Self {
        Self {
            sessions: SessionShape::new(session.gap),
            key: grouped.key.clone(),
            per: session.per.iter().map(|it| it.ty.clone()).collect(),
            group,
            closes: !session.topics.is_empty(),
            is_final: grouped.hold.is_some(),
        }
    }

    /// What the aggregates read of a row, after its time.
    pub(crate) fn pack_value(&self, time: Formula) -> PackValue {
        SessionShape::pack_value(time, self.group.pack_value())
    }

    fn values(&self, row: &PackedRow) -> Row {
        split(row).1.unpack(self.group.input_types())
    }

    /// The key of the group of a session, whose window's key has these values.
    fn group_key(&self, per: &Row, start: i64, last: i64) -> PackedRow {
        let mut key = PackedRow::new();
        let mut push = |value: &Value, ty: &Type| key.push_value(value, ty);
        for part in &self.key {
            match part {
                KeyPart::Per(idx) => push(&per[*idx], &self.per[*idx]),
                KeyPart::Start => push(&Value::Timestamp(start), &Type::Timestamp),
                KeyPart::End => {
                    push(&Value::Timestamp(self.sessions.end_of(last)), &Type::Timestamp);
                }
            }
        }
        key
    }
}

/// A session, by its start.
#[derive(Debug)]
struct Open {
    /// The time of its last row.
    last: i64,
    state: GroupState,
    said: Option<Said>,
}

/// What was last said of a session.
type Said = Result<PackedRow, Box<(Fault, String)>>;

impl Open {
    fn n_bytes(&self) -> i64 {
        let said = match &self.said {
            Some(Ok(row)) => row.heap_bytes(),
            Some(Err(said)) => size_of::<(Fault, String)>() + said.1.len(),
            None => 0,
        };
        signed(size_of::<(i64, Self)>() + self.state.heap_bytes() + said)
    }
}

/// The rows of one key that are in open sessions, and these.
#[derive(Debug, Default)]
struct Key {
    /// By time, each with how often it is there.
    rows: BTreeMap<PackedRow, i64>,
    /// Sessions of the rows that are there at least once, by start.
    sessions: BTreeMap<i64, Open>,
    /// Starts of those of which something new is to be said.
    changed: BTreeSet<i64>,
    /// What was said of sessions that are no more.
    gone: Vec<Said>,
    /// When the key is to be looked at next.
    due: Option<i64>,
    n_bytes: i64,
}

impl Key {
    fn take(&mut self, start: i64) -> Open {
        let open = self.sessions.remove(&start).expect("a session is taken by its start");
        self.n_bytes -= open.n_bytes();
        self.changed.remove(&start);
        open
    }

    fn put(&mut self, start: i64, open: Open) {
        self.n_bytes += open.n_bytes();
        self.sessions.insert(start, open);
        self.changed.insert(start);
    }

    /// Changes how often a row is there; by how much that counts.
    fn change(&mut self, row: &PackedRow, diff: i64) -> i64 {
        let n_bytes = row_bytes(&PackedRow::new(), row);
        let before = self.rows.get(row).copied().unwrap_or(0);
        let after = before + diff;
        if before == 0 {
            self.n_bytes += n_bytes;
        }
        if after == 0 {
            self.rows.remove(row);
            self.n_bytes -= n_bytes;
        } else {
            self.rows.insert(row.clone(), after);
        }
        after.max(0) - before.max(0)
    }

    /// The rows that are there at these times.
    fn rows(
        &self,
        from: Bound<i64>,
        to: Bound<i64>,
    ) -> impl DoubleEndedIterator<Item = (&PackedRow, i64)> + Clone {
        // What is packed of a time alone is less than every row of that time.
        let from = match from {
            Bound::Excluded(time) => time.checked_add(1).map_or(Bound::Unbounded, Bound::Included),
            other => other,
        };
        let to = match to {
            Bound::Included(time) => time.checked_add(1).map_or(Bound::Unbounded, Bound::Excluded),
            other => other,
        };
        let rows = self.rows.range((from.map(packed), to.map(packed)));
        rows.filter(|(_, n)| 0 < **n).map(|(row, n)| (row, *n))
    }

    /// Takes in a row that is there so many times more.
    fn come(&mut self, shape: &SessionGroupShape, row: &PackedRow, n: i64) {
        let time = int(row);
        let left = self.sessions.range(..=time).next_back();
        let left = left.filter(|(_, it)| shape.sessions.is_linked(it.last, time)).map(|it| *it.0);
        let right = self.sessions.range((Bound::Excluded(time), Bound::Unbounded)).next();
        let right = right.filter(|it| shape.sessions.is_linked(time, *it.0)).map(|it| *it.0);
        let mut open = match (left, right) {
            (None, None) => Open { last: time, state: shape.group.empty(), said: None },
            (Some(one), None) | (None, Some(one)) => self.take(one),
            (Some(left), Some(right)) => {
                let (mut one, mut other) = (self.take(left), self.take(right));
                if one.state.n_rows() < other.state.n_rows() {
                    std::mem::swap(&mut one.state, &mut other.state);
                }
                one.state.merge(&other.state);
                self.gone.extend(other.said);
                Open { last: other.last, ..one }
            }
        };
        open.last = open.last.max(time);
        shape.group.add(&mut open.state, &shape.values(row), n);
        self.put(left.unwrap_or(time), open);
    }

    /// Takes out a row that is there so many times less. How many rows it looked at beside.
    fn go(&mut self, shape: &SessionGroupShape, row: &PackedRow, n: i64) -> u64 {
        let time = int(row);
        let at = self.sessions.range(..=time).next_back().map(|it| *it.0);
        let mut start = at.expect("a row that is there is in a session");
        let mut open = self.take(start);
        shape.group.add(&mut open.state, &shape.values(row), -n);
        let mut n_moved = 0;
        if self.rows(Bound::Included(time), Bound::Included(time)).next().is_none() {
            let before = self.rows(Bound::Included(start), Bound::Excluded(time)).next_back();
            let behind = self.rows(Bound::Excluded(time), Bound::Included(open.last)).next();
            match (before.map(|(row, _)| int(row)), behind.map(|(row, _)| int(row))) {
                (None, None) => {
                    self.gone.extend(open.said);
                    return 0;
                }
                (None, Some(next)) => start = next,
                (Some(previous), None) => open.last = previous,
                (Some(previous), Some(next)) if !shape.sessions.is_linked(previous, next) => {
                    let right = self.part(shape, (start, &mut open), (previous, next));
                    n_moved = open.state.n_rows().min(right.state.n_rows()).unsigned_abs();
                    self.put(next, right);
                }
                (Some(_), Some(_)) => {}
            }
        }
        self.put(start, open);
        n_moved
    }

    /// Parts a session behind a row of one time; what begins with the next one.
    fn part(
        &self,
        shape: &SessionGroupShape,
        (start, open): (i64, &mut Open),
        (previous, next): (i64, i64),
    ) -> Open {
        let left = self.rows(Bound::Included(start), Bound::Included(previous));
        let right = self.rows(Bound::Included(next), Bound::Included(open.last));
        let n_both = left.clone().zip(right.clone()).count();
        let is_left_smaller = left.clone().nth(n_both).is_none();
        let mut part = shape.group.empty();
        let mut add = |(row, n): (&PackedRow, i64)| {
            let values = shape.values(row);
            shape.group.add(&mut part, &values, n);
            shape.group.add(&mut open.state, &values, -n);
        };
        if is_left_smaller {
            left.for_each(&mut add);
            std::mem::swap(&mut part, &mut open.state);
        } else {
            right.for_each(&mut add);
        }
        let last = std::mem::replace(&mut open.last, previous);
        Open { last, state: part, said: None }
    }

    /// Says what has changed.
    fn say(&mut self, shape: &SessionGroupShape, key: &PackedRow, out: &mut Emitter) {
        let per = key.unpack(&shape.per);
        let mut before = std::mem::take(&mut self.gone);
        let mut now = Vec::new();
        for start in std::mem::take(&mut self.changed) {
            let open = self.sessions.get_mut(&start).expect("a session that changed is there");
            let key = shape.group_key(&per, start, open.last);
            let row: GroupRow = shape.group.finish(&key, &open.state);
            let said = row.map_err(|fault| Box::new((fault, shape.group.key_text(&key))));
            if open.said.as_ref() == Some(&said) {
                continue;
            }
            self.n_bytes -= open.n_bytes();
            now.push(said.clone());
            before.extend(open.said.replace(said));
            self.n_bytes += open.n_bytes();
        }
        let (mut rows, mut faults) = ([Vec::new(), Vec::new()], BTreeMap::new());
        for (at, (said, diff)) in [(before, -1), (now, 1)].into_iter().enumerate() {
            for said in said {
                match said {
                    Ok(row) => rows[at].push((row, 1)),
                    Err(fault) => *faults.entry(*fault).or_insert(0) += diff,
                }
            }
        }
        let [before, now] = rows;
        emit_difference(before, now, |row, diff| out.row(row, diff));
        for ((fault, text), diff) in faults {
            if diff != 0 {
                out.fault(&fault, text, diff);
            }
        }
    }

    /// The time of the first row, if it is in no session: it is there never or less.
    fn first_alone(&self) -> Option<i64> {
        let time = int(self.rows.first_key_value()?.0);
        self.sessions.first_key_value().is_none_or(|(start, _)| time < *start).then_some(time)
    }
}

fn packed(time: i64) -> PackedRow {
    let mut packed = PackedRow::new();
    packed.push_value(&Value::Timestamp(time), &Type::Timestamp);
    packed
}

/// Groups by session as a hash operator.
pub(crate) struct SessionGroupLogic {
    shape: SessionGroupShape,
    keys: PackedMap<Key>,
    /// Keys by the moment at which their first session may have closed.
    due: BTreeMap<i64, BTreeSet<PackedRow>>,
    n_bytes: i64,
    meters: Meters,
}

/// What counts for the steps before the group. Their rows are counted as if they came one by one,
/// and did not change when another one extends their session.
#[derive(Debug)]
pub(crate) struct Meters {
    pub(crate) window: Meter,
    pub(crate) choice: Option<Meter>,
    pub(crate) hold: Option<Meter>,
}

impl SessionGroupLogic {
    /// No rows.
    pub(crate) fn new(shape: SessionGroupShape, meters: Meters) -> Self {
        Self { shape, keys: PackedMap::default(), due: BTreeMap::new(), n_bytes: 0, meters }
    }

    /// Puts a key back, and remembers when to look at it.
    fn keep(&mut self, key: &PackedRow, mut held: Key) {
        let first = held.sessions.first_key_value().map(|(_, open)| open.last);
        let close = first
            .into_iter()
            .chain(held.first_alone())
            .map(|last| self.shape.sessions.close_of(last));
        if let Some(close) = close.min().filter(|_| self.shape.closes)
            && held.due.is_none_or(|due| close < due)
        {
            held.due = Some(close);
            self.due.entry(close).or_default().insert(key.clone());
        }
        if !held.rows.is_empty() || held.due.is_some() {
            self.n_bytes += held.n_bytes + signed(key.heap_bytes());
            self.keys.insert(key.clone(), held);
        }
    }

    fn get(&mut self, key: &PackedRow) -> Option<Key> {
        let held = self.keys.remove(key)?;
        self.n_bytes -= held.n_bytes + signed(key.heap_bytes());
        Some(held)
    }

    /// Lets go of what has closed of a key.
    fn release(&self, key: &PackedRow, held: &mut Key, mark: i64, out: &mut Emitter) {
        let is_closed = |last: i64| self.shape.sessions.close_of(last) <= mark;
        loop {
            let first = held.sessions.first_key_value().map(|(start, open)| (*start, open.last));
            let last = if let Some((start, last)) = first.filter(|(_, last)| is_closed(*last)) {
                self.close(key, (start, held.take(start)), out);
                last
            } else if let Some(alone) = held.first_alone().filter(|time| is_closed(*time)) {
                alone
            } else {
                return;
            };
            let mut n_rows = 0;
            while let Some(row) = held.rows.first_entry().filter(|row| int(row.key()) <= last) {
                held.n_bytes -= row_bytes(&PackedRow::new(), row.key());
                n_rows += row.remove();
            }
            self.meters.window.count(out.epoch(), |counts| {
                counts.held -= n_rows;
                counts.released += n_rows;
            });
        }
    }

    /// Lets go of a session that has closed, and tells of it if it is final.
    fn close(&self, key: &PackedRow, (start, open): (i64, Open), out: &mut Emitter) {
        let n_rows = open.state.n_rows();
        let Some(meter) = &self.meters.hold else { return out.release(n_rows) };
        let rows = Count { changes: 1, net: n_rows };
        meter.count(out.epoch(), |counts| {
            counts.held -= n_rows;
            counts.released += n_rows;
            counts.put_out(rows);
        });
        out.counts.input.merge(rows);
        out.counts.released += n_rows;
        let key = self.shape.group_key(&key.unpack(&self.shape.per), start, open.last);
        match self.shape.group.finish(&key, &open.state) {
            Ok(row) => out.row(&row, 1),
            Err(fault) => out.fault(&fault, self.shape.group.key_text(&key), 1),
        }
    }

    /// Counts what a key's changes come to, and rows that it looked at beside.
    fn count(&self, n_held: i64, passed: Count, n_touched: u64, out: &mut Emitter) {
        let epoch = out.epoch();
        self.meters.window.count(epoch, |counts| {
            counts.held += n_held;
            counts.touched += n_touched;
            counts.output.merge(passed);
        });
        if let Some(meter) = &self.meters.choice {
            meter.count(epoch, |counts| counts.pass(passed));
        }
        if let Some(meter) = &self.meters.hold {
            meter.count(epoch, |counts| {
                counts.input.merge(passed);
                counts.held += passed.net;
            });
        } else {
            out.counts.input.merge(passed);
            out.counts.held += passed.net;
        }
    }
}

impl KeyLogic<1> for SessionGroupLogic {
    fn update(&mut self, key: &PackedRow, [deltas]: [&[Delta]; 1], out: &mut Emitter) {
        let mut held = self.get(key).unwrap_or_default();
        let (mut passed, mut n_moved) = (Count::default(), 0);
        // Rows that come are first, so that none that goes parts what they hold together.
        let come = deltas.iter().filter(|(_, diff)| 0 < *diff);
        for ((_, row), diff) in come.chain(deltas.iter().filter(|(_, diff)| *diff < 0)) {
            let n = held.change(row, *diff);
            if n == 0 {
                continue;
            }
            passed.add(n);
            if 0 < n {
                held.come(&self.shape, row, n);
            } else {
                n_moved += held.go(&self.shape, row, -n);
            }
        }
        if self.shape.is_final {
            held.changed.clear();
        } else {
            held.say(&self.shape, key, out);
        }
        out.counts.touched += n_moved;
        let n_held = deltas.iter().map(|(_, diff)| diff).sum();
        self.count(n_held, passed, deltas.len() as u64 + n_moved, out);
        self.keep(key, held);
    }

    fn advance(&mut self, mark: i64, out: &mut Emitter) {
        while let Some(first) = self.due.first_entry().filter(|first| *first.key() <= mark) {
            let (moment, keys) = first.remove_entry();
            for key in keys {
                let Some(mut held) = self.get(&key) else { continue };
                // Else it became due earlier, and was looked at then.
                if held.due == Some(moment) {
                    held.due = None;
                    self.release(&key, &mut held, mark, out);
                }
                self.keep(&key, held);
            }
        }
    }

    fn state_bytes(&self) -> Option<i64> {
        Some(table_bytes(&self.keys) + self.n_bytes)
    }
}
