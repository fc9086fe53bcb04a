//! Asof joins: each left row with the latest right row at or before its time.
//!
//! Both sides stand in the order of their times, right rows of one time in the order of their
//! fields, so the latest is the last one before a place. A right row that comes or goes changes
//! the match of those left rows only that stand between it and the next right row; with a
//! residual, of all that stand behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use arqon_plan::{Asof, Join, JoinKind, Order};
use arqon_types::{PackedRow, Type, Value};

use crate::batch::BATCH_ROWS;
use crate::deltas::Delta;
use crate::emitter::Emitter;
use crate::evaluate::Formula;
use crate::join::{JoinShape, Pairs};
use crate::keyed::{PackValue, pack_fields};
use crate::open::OpenKeys;
use crate::ordered::{after_order, pack_ordered, packed, split_order};
use crate::recorder::Fault;
use crate::sorted::change_tree;
use crate::source::PackedMap;
use crate::stateful::KeyLogic;

/// Nanoseconds of a day.
const DAY_NANOS: i128 = 86_400_000_000_000;

/// What both back ends need to know about the times.
#[derive(Debug, Clone)]
pub(crate) struct AsofShape {
    /// An option.
    ty: Type,
    within: Option<i64>,
}

impl AsofShape {
    /// The shape of `asof`.
    pub(crate) fn new(asof: &Asof) -> Self {
        Self { ty: asof.left.ty.clone(), within: asof.within }
    }

    /// Whether the right value is at or before the time of the left one, within the bound.
    pub(crate) fn admits(&self, left: &PackedRow, right: &PackedRow) -> bool {
        let (left, right) = (split_order(left).0, split_order(right).0);
        right <= left && self.is_within(left, right)
    }

    /// Whether these times exist and are not too far apart.
    fn is_within(&self, left: &[u8], right: &[u8]) -> bool {
        let nanos = |time: &[u8]| {
            let values = packed(time).unpack(std::slice::from_ref(&self.ty));
            match values.first() {
                Some(Value::Timestamp(nanos)) => Some(i128::from(*nanos)),
                Some(Value::Date(days)) => Some(i128::from(*days) * DAY_NANOS),
                _ => None,
            }
        };
        match self.within {
            None => is_there(left) && is_there(right),
            Some(within) => match (nanos(left), nanos(right)) {
                (Some(left), Some(right)) => left - right <= i128::from(within),
                _ => false,
            },
        }
    }
}

/// How the rows of both sides of a join are packed: these fields, after the time if there is one.
pub(crate) fn pack_sides(join: &Join, sides: [(Vec<usize>, Vec<Type>); 2]) -> [PackValue; 2] {
    let Some(asof) = &join.asof else {
        return sides.map(|(fields, types)| pack_fields(fields, types));
    };
    let by = |time| vec![(Formula::new(time), Order::Ascending)];
    let [left, right] = sides;
    [pack_ordered(by(&asof.left), left.0, left.1), pack_ordered(by(&asof.right), right.0, right.1)]
}

/// Whether the time, a packed option, is not `none`.
fn is_there(time: &[u8]) -> bool {
    time.first().is_some_and(|tag| *tag != 0)
}

/// The rows of a key, each side in the order of its times.
#[derive(Debug, Default)]
struct Sides {
    left: BTreeMap<PackedRow, i64>,
    right: BTreeMap<PackedRow, i64>,
}

/// What a left row has found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// The latest right row.
    latest: Option<PackedRow>,
    /// Pairs that the residual could not judge, each with the right row's multiplicity.
    faults: Vec<(Fault, String, i64)>,
}

/// The asof join as a hash operator.
#[derive(Debug)]
pub(crate) struct AsofLogic {
    keys: PackedMap<Sides>,
    work: AsofWork,
    open: OpenKeys,
}

#[derive(Debug)]
struct AsofWork {
    shape: JoinShape,
    asof: AsofShape,
    /// Rows on their way out.
    pairs: Pairs,
}

impl AsofLogic {
    /// The empty join; `open` are the keys that go when their windows close.
    pub(crate) fn new((shape, asof): (JoinShape, AsofShape), open: OpenKeys) -> Self {
        let pairs = shape.no_pairs();
        Self { keys: PackedMap::default(), work: AsofWork { shape, asof, pairs }, open }
    }
}

impl AsofWork {
    /// The left rows whose match a changed right row may change.
    fn affected(&self, sides: &Sides, right: &PackedRow, affected: &mut BTreeSet<PackedRow>) {
        let (time, _) = split_order(right);
        if !is_there(time) {
            return;
        }
        let later = (Bound::Excluded(right), Bound::Unbounded);
        let next = sides.right.range::<PackedRow, _>(later).next().map(|(next, _)| next);
        let end = match next {
            Some(next) if !self.shape.has_residual() => {
                Bound::Excluded(packed(split_order(next).0))
            }
            _ => Bound::Unbounded,
        };
        let start = packed(time);
        if matches!(&end, Bound::Excluded(end) if *end <= start) {
            // The next one has the same time: this one is nobody's latest.
            return;
        }
        for (left, _) in sides.left.range((Bound::Included(start), end)) {
            if !self.asof.is_within(split_order(left).0, time) {
                // Times only grow from here on.
                break;
            }
            affected.insert(left.clone());
        }
    }

    fn find(&self, left: &PackedRow, rights: &BTreeMap<PackedRow, i64>) -> Found {
        let (time, row) = split_order(left);
        if !is_there(time) {
            return Found::default();
        }
        let end = after_order(time).map_or(Bound::Unbounded, Bound::Excluded);
        let before = rights.range((Bound::Unbounded, end)).rev();
        let mut admitted =
            before.take_while(|(right, _)| self.asof.is_within(time, split_order(right).0));
        if !self.shape.has_residual() {
            let latest = admitted.next().map(|(right, _)| right.clone());
            return Found { latest, faults: Vec::new() };
        }
        let mut pairs = self.shape.no_pairs();
        let mut candidates = Vec::new();
        for (right, n) in admitted {
            self.shape.push(&mut pairs, Some(row), Some(split_order(right).1), *n);
            candidates.push(right);
        }
        let mut faults = Vec::new();
        let selected = self.shape.judge(&pairs, |fault, row, n| {
            faults.push((fault.clone(), row, n));
        });
        let first = selected.iter().flatten().next();
        Found { latest: first.map(|at| candidates[*at as usize].clone()), faults }
    }

    fn say(&mut self, left: &PackedRow, found: &Found, diff: i64, out: &mut Emitter) {
        if diff == 0 {
            return;
        }
        for (fault, row, n) in &found.faults {
            out.fault(fault, row.clone(), crate::join::product(*n, diff));
        }
        if found.latest.is_none() && self.shape.kind() == JoinKind::Inner {
            return;
        }
        let right = found.latest.as_ref().map(|right| split_order(right).1);
        self.shape.push(&mut self.pairs, Some(split_order(left).1), right, diff);
        if self.pairs.len() >= BATCH_ROWS {
            self.flush(out);
        }
    }

    fn flush(&mut self, out: &mut Emitter) {
        let pairs = std::mem::replace(&mut self.pairs, self.shape.no_pairs());
        out.batch(self.shape.finish(pairs));
    }
}

impl KeyLogic<2> for AsofLogic {
    fn update(&mut self, key: &PackedRow, [left, right]: [&[Delta]; 2], out: &mut Emitter) {
        let mut sides = self.keys.remove(key).unwrap_or_else(|| {
            self.open.add(key);
            Sides::default()
        });
        let work = &mut self.work;
        let mut affected: BTreeSet<PackedRow> =
            left.iter().map(|((_, row), _)| row.clone()).collect();
        for ((_, right), _) in right {
            work.affected(&sides, right, &mut affected);
        }
        let multiplicity =
            |rows: &BTreeMap<PackedRow, i64>, row| rows.get(row).copied().unwrap_or(0);
        let before: Vec<(i64, Found)> = affected
            .iter()
            .map(|row| (multiplicity(&sides.left, row), work.find(row, &sides.right)))
            .collect();
        out.counts.held += change_tree(&mut sides.left, left);
        out.counts.held += change_tree(&mut sides.right, right);
        out.counts.touched += affected.len() as u64;
        for (row, (n_before, found_before)) in affected.iter().zip(before) {
            let n_now = multiplicity(&sides.left, row);
            let found = work.find(row, &sides.right);
            if found == found_before {
                work.say(row, &found, n_now - n_before, out);
            } else {
                work.say(row, &found_before, -n_before, out);
                work.say(row, &found, n_now, out);
            }
        }
        if !sides.left.is_empty() || !sides.right.is_empty() {
            self.keys.insert(key.clone(), sides);
        }
    }

    fn advance(&mut self, mark: i64, out: &mut Emitter) {
        for key in self.open.close(mark) {
            let Some(sides) = self.keys.remove(&key) else { continue };
            let n_rows = sides.left.values().chain(sides.right.values()).sum();
            out.release(n_rows);
        }
    }

    fn close(&mut self, out: &mut Emitter) {
        self.work.flush(out);
    }
}
