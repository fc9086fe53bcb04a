//! Rows for as long as their topic retains them; what it lets go is taken back.
//!
//! The changes of an epoch take effect one after another: those of the topic's log in its order,
//! and behind them what the flow has written, so that neither worker nor back end has a say. Of
//! rows from the log nothing is netted before, or a row that another one has pushed out would come
//! back. Held are the rows that are retained, and nothing else: whoever takes back a row that has
//! been let go changes nothing, and is counted.

use std::collections::{BTreeMap, BTreeSet};

use arqon_plan::{FLOW_PLACE, Retention, RetentionRule, is_hidden};
use arqon_types::{Column, PackedRow, Schema, Type, Value};

use crate::deltas::Delta;
use crate::emitter::Emitter;
use crate::keyed::PackValue;
use crate::packed::{WORD_BYTES, int, int_behind};
use crate::source::hash_packed;
use crate::stateful::KeyLogic;

/// Where the sign of a change stands, behind its place.
const SIGN_AT: usize = WORD_BYTES;

/// Packs each change so that its order is that in which it takes effect: its place, for one from
/// the log whether it comes (what it replaces goes first), its time where that counts, its row.
pub(crate) fn pack_changes(types: Vec<Type>, retention: Retention) -> PackValue {
    let has_places = retention.order.n_places() == 1;
    Box::new(move |batch, _| {
        let places = match batch.columns.get(types.len()) {
            Some(Column::Int(places)) if has_places => Some(places),
            None if !has_places => None,
            other => panic!("{other:?} is no place in the log"),
        };
        let pack = |row_idx: usize| {
            let place = places.map_or(FLOW_PLACE, |places| places[row_idx]);
            let comes = place != FLOW_PLACE && batch.diffs[row_idx] > 0;
            let mut packed = PackedRow::new();
            packed.push_value(&Value::Int(place), &Type::Int64);
            packed.push_value(&Value::Bool(comes), &Type::Bool);
            if let RetentionRule::Time { field, .. } = retention.rule {
                packed.push_cell(&batch.columns[field], row_idx, &Type::Timestamp);
            }
            for (column, ty) in batch.columns.iter().zip(&types) {
                packed.push_cell(column, row_idx, ty);
            }
            packed
        };
        (0..batch.len()).map(pack).collect()
    })
}

/// Where a row stands among all, the oldest first: its moment, and its turn.
type Age = (i64, u64);

/// Copies of a row that came together.
#[derive(Debug)]
struct Kept {
    row: PackedRow,
    n: i64,
}

/// The rows that a topic retains.
#[derive(Debug)]
pub(crate) struct RetainLogic {
    rule: RetentionRule,
    /// Bytes of a row that are none of the circuit's.
    hidden_bytes: usize,
    kept: BTreeMap<Age, Kept>,
    /// The ages of the rows of each hash.
    ages: BTreeSet<(u64, Age)>,
    /// Of all that is kept.
    n_bytes: u128,
    /// By arrival the time of epochs, by time that of rows: the greatest so far.
    clock: i64,
    next_turn: u64,
}

impl RetainLogic {
    /// No rows, of `schema`.
    pub(crate) fn new(retention: Retention, schema: &Schema) -> Self {
        let n_hidden = schema.fields.iter().filter(|field| is_hidden(field)).count();
        Self {
            rule: retention.rule,
            hidden_bytes: n_hidden * WORD_BYTES,
            kept: BTreeMap::new(),
            ages: BTreeSet::new(),
            n_bytes: 0,
            clock: i64::MIN,
            next_turn: 0,
        }
    }

    /// Bytes of so many copies.
    fn size(&self, row: &PackedRow, n: i64) -> u128 {
        let n = u128::try_from(n).expect("copies are counted");
        n * (row.len() - self.hidden_bytes) as u128
    }

    fn change(&mut self, value: &PackedRow, diff: i64, out: &mut Emitter) {
        let mut bytes = &value.as_bytes()[SIGN_AT + 1..];
        let moment = match self.rule {
            RetentionRule::Bytes(_) => 0,
            RetentionRule::Arrival(_) => self.clock,
            RetentionRule::Time { .. } => {
                bytes = &bytes[WORD_BYTES..];
                int_behind(value, SIGN_AT + 1)
            }
        };
        let mut row = PackedRow::new();
        row.push_bytes(bytes);
        if diff < 0 {
            self.take_back(&row, -diff, out);
        } else {
            self.take_in(row, diff, moment, out);
        }
    }

    fn take_in(&mut self, row: PackedRow, n: i64, moment: i64, out: &mut Emitter) {
        if let RetentionRule::Time { .. } = self.rule {
            self.clock = self.clock.max(moment);
        }
        if self.is_over(moment) {
            out.counts.late.add(n);
            return;
        }
        out.row(&row, n);
        out.counts.held += n;
        self.n_bytes += self.size(&row, n);
        let age = (moment, self.next_turn);
        self.next_turn += 1;
        self.ages.insert((hash_packed(&row), age));
        self.kept.insert(age, Kept { row, n });
        if let RetentionRule::Bytes(bytes_max) = self.rule {
            self.make_room(u128::from(bytes_max), out);
        }
    }

    /// Takes the newest copies that are there.
    fn take_back(&mut self, row: &PackedRow, n: i64, out: &mut Emitter) {
        let hash = hash_packed(row);
        let mut n_left = n;
        while 0 < n_left {
            let ages = self.ages.range((hash, (i64::MIN, 0))..=(hash, (i64::MAX, u64::MAX)));
            let newest = ages.rev().map(|(_, age)| *age).find(|age| self.kept[age].row == *row);
            let Some(age) = newest else { break };
            n_left -= self.remove(age, n_left);
        }
        if n_left < n {
            out.row(row, n_left - n);
            out.counts.held -= n - n_left;
        }
        if 0 < n_left {
            out.counts.late.add(-n_left);
        }
    }

    /// Takes at most so many copies away, and says how many.
    fn remove(&mut self, age: Age, n_max: i64) -> i64 {
        let kept = self.kept.get_mut(&age).expect("what has an age is kept");
        let n = kept.n.min(n_max);
        kept.n -= n;
        let is_gone = kept.n == 0;
        let (hash, row_bytes) = (hash_packed(&kept.row), kept.row.len() - self.hidden_bytes);
        self.n_bytes -= u128::try_from(n).expect("copies are counted") * row_bytes as u128;
        if is_gone {
            self.kept.remove(&age);
            self.ages.remove(&(hash, age));
        }
        n
    }

    /// Lets the oldest copies go until all have at most so many bytes.
    fn make_room(&mut self, bytes_max: u128, out: &mut Emitter) {
        while bytes_max < self.n_bytes {
            let (age, oldest) = self.kept.first_key_value().expect("something has these bytes");
            let (age, row) = (*age, oldest.row.clone());
            let wanted = (self.n_bytes - bytes_max).div_ceil(self.size(&row, 1));
            let n = self.remove(age, i64::try_from(wanted).unwrap_or(i64::MAX));
            let_go(&row, n, out);
        }
    }

    /// Whether a row of this moment is retained no more.
    fn is_over(&self, moment: i64) -> bool {
        let length = match self.rule {
            RetentionRule::Bytes(_) => return false,
            RetentionRule::Arrival(length) => i128::from(length),
            RetentionRule::Time { length, late, .. } => i128::from(length) + i128::from(late),
        };
        i128::from(moment) + length <= i128::from(self.clock)
    }
}

fn let_go(row: &PackedRow, n: i64, out: &mut Emitter) {
    out.row(row, -n);
    out.release(n);
    out.counts.touched += 1;
}

impl KeyLogic<1> for RetainLogic {
    fn open(&mut self, _: [&[Delta]; 1], mark: Option<i64>) {
        self.clock = self.clock.max(mark.unwrap_or(i64::MIN));
    }

    fn update(&mut self, _: &PackedRow, [deltas]: [&[Delta]; 1], out: &mut Emitter) {
        let is_logged = |((_, value), _): &Delta| int(value) != FLOW_PLACE;
        let (logged, written) = deltas.split_at(deltas.partition_point(is_logged));
        let (gone, come): (Vec<&Delta>, Vec<&Delta>) =
            written.iter().partition(|(_, diff)| *diff < 0);
        for ((_, value), diff) in logged.iter().chain(gone).chain(come) {
            self.change(value, *diff, out);
        }
    }

    fn close(&mut self, out: &mut Emitter) {
        while let Some((age, _)) = self.kept.first_key_value() {
            let age = *age;
            if !self.is_over(age.0) {
                break;
            }
            let row = self.kept[&age].row.clone();
            let n = self.remove(age, i64::MAX);
            let_go(&row, n, out);
        }
        if let RetentionRule::Arrival(length) = self.rule {
            let oldest = self.kept.first_key_value();
            out.due(oldest.map(|((moment, _), _)| moment.saturating_add(length)));
        }
    }
}
