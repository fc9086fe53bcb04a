//! The log of a topic of events: where each stands, and which are kept for those who come later.
//!
//! **Invariant:** the events of a topic have the offsets 1, 2, 3, … in the order in which
//! subscribers see them. What is kept is bounded by what the topic retains and by the bus.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arqon_types::{PackedRow, Row, Type, Value};

/// Which events are kept for those who come later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All.
    All,
    /// None.
    Nothing,
    /// The newest that have so many bytes together; a row's are those of its packed form.
    Bytes(u64),
    /// So many nanoseconds after they came, by the greatest time of epochs so far.
    Arrival(i64),
    /// So long after their own time, by the greatest time among the events so far.
    Time {
        /// The field with an event's time, a timestamp.
        field: usize,
        /// In nanoseconds.
        length: i64,
        /// How much later than that, in nanoseconds, since events may come late.
        late: i64,
    },
}

/// An event with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) offset: u64,
    pub(crate) row: Arc<Row>,
}

/// When events are said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Saying {
    pub(crate) epoch: u64,
    /// The greatest time of epochs so far.
    pub(crate) clock: i64,
    /// Events that are kept at most, whatever the topic retains.
    pub(crate) n_max: usize,
}

#[derive(Debug)]
struct Kept {
    epoch: u64,
    row: Arc<Row>,
    /// When it came, or its own time: what its end is counted from.
    moment: i64,
    n_bytes: u64,
}

/// Events that somebody who comes later gets, each run of them without a hole.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Replay {
    /// Runs of one epoch each, in order.
    pub(crate) runs: Vec<Run>,
    /// Whether something is missing behind the last of them.
    pub(crate) is_cut: bool,
}

/// Events of one epoch that follow one another.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) epoch: u64,
    pub(crate) events: Vec<Event>,
    /// Whether something is missing before the first.
    pub(crate) is_after_gap: bool,
}

#[derive(Debug)]
pub(crate) struct EventLog {
    keep: Keep,
    types: Vec<Type>,
    /// The offset of the last event that was said.
    last: u64,
    kept: BTreeMap<u64, Kept>,
    /// The kept events by their own time, where they go by it.
    by_time: BTreeSet<(i64, u64)>,
    n_bytes: u64,
    /// The greatest own time so far.
    time: i64,
    /// All events of later epochs are kept.
    whole_after: u64,
    /// The last event that the topic would have retained, and for which the bus had no room.
    cut: u64,
}

impl EventLog {
    /// An empty log of rows of `types`, of the epochs after this one.
    pub(crate) fn new(keep: Keep, types: Vec<Type>, after: u64) -> Self {
        Self {
            keep,
            types,
            last: 0,
            kept: BTreeMap::new(),
            by_time: BTreeSet::new(),
            n_bytes: 0,
            time: i64::MIN,
            whole_after: after,
            cut: 0,
        }
    }

    /// The rule by which events are kept.
    pub(crate) fn keep(&self) -> Keep {
        self.keep
    }

    /// Goes on behind an offset, no smaller than the last.
    pub(crate) fn resume(&mut self, last: u64) {
        self.last = self.last.max(last);
    }

    /// The offset of the last event that was said.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// All events of epochs after this one are kept.
    pub(crate) fn whole_after(&self) -> u64 {
        self.whole_after
    }

    /// When the next event goes because of when it came.
    pub(crate) fn next_due(&self) -> Option<i64> {
        let Keep::Arrival(length) = self.keep else { return None };
        self.kept.values().next().map(|oldest| oldest.moment.saturating_add(length))
    }

    /// Gives the events of an epoch their offsets, and keeps them as far as the topic retains them.
    pub(crate) fn say(&mut self, rows: Vec<Row>, saying: Saying) -> Arc<Vec<Event>> {
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            self.last += 1;
            let event = Event { offset: self.last, row: Arc::new(row) };
            self.remember(&event, saying);
            events.push(event);
        }
        self.let_go(saying.clock);
        Arc::new(events)
    }

    fn remember(&mut self, Event { offset, row }: &Event, saying: Saying) {
        let moment = match self.keep {
            Keep::Nothing => {
                self.whole_after = saying.epoch;
                return;
            }
            Keep::All | Keep::Bytes(_) => 0,
            Keep::Arrival(_) => saying.clock,
            Keep::Time { field, .. } => match row[field] {
                Value::Timestamp(time) => time,
                ref other => panic!("an event's time is a timestamp, not {other:?}"),
            },
        };
        let n_bytes = match self.keep {
            Keep::Bytes(_) => PackedRow::pack(row, &self.types).len() as u64,
            Keep::All | Keep::Nothing | Keep::Arrival(_) | Keep::Time { .. } => 0,
        };
        self.n_bytes += n_bytes;
        let kept = Kept { epoch: saying.epoch, row: Arc::clone(row), moment, n_bytes };
        self.kept.insert(*offset, kept);
        match self.keep {
            Keep::Bytes(n_bytes_max) => {
                while n_bytes_max < self.n_bytes {
                    self.forget_oldest();
                }
            }
            Keep::Time { .. } => {
                self.time = self.time.max(moment);
                self.by_time.insert((moment, *offset));
            }
            Keep::All | Keep::Nothing | Keep::Arrival(_) => {}
        }
        if saying.n_max < self.kept.len() {
            self.cut = self.forget_oldest();
        }
    }

    /// Lets go of what is over.
    pub(crate) fn let_go(&mut self, clock: i64) {
        match self.keep {
            Keep::All | Keep::Nothing | Keep::Bytes(_) => {}
            Keep::Arrival(length) => {
                let is_over =
                    |kept: &Kept| i128::from(kept.moment) + i128::from(length) <= i128::from(clock);
                while self.kept.values().next().is_some_and(is_over) {
                    self.forget_oldest();
                }
            }
            Keep::Time { length, late, .. } => {
                let slack = i128::from(length) + i128::from(late);
                while let Some((moment, offset)) = self.by_time.first().copied() {
                    if i128::from(self.time) < i128::from(moment) + slack {
                        break;
                    }
                    self.forget(offset);
                }
            }
        }
    }

    fn forget_oldest(&mut self) -> u64 {
        let (oldest, _) = self.kept.first_key_value().expect("something is kept");
        let oldest = *oldest;
        self.forget(oldest);
        oldest
    }

    fn forget(&mut self, offset: u64) {
        let gone = self.kept.remove(&offset).expect("what goes was kept");
        self.n_bytes -= gone.n_bytes;
        self.by_time.remove(&(gone.moment, offset));
        self.whole_after = self.whole_after.max(gone.epoch);
    }

    /// What the topic retains now, and the offset behind which it begins. What it has let go is not
    /// missing; what the bus had no room for is.
    pub(crate) fn snapshot(&self) -> (u64, Replay) {
        let first = self.kept.first_key_value().map_or(self.last + 1, |(offset, _)| *offset);
        let is_cut = 0 < self.cut && self.cut + 1 == first;
        let mut replay = self.runs(0, |_, _| false);
        match replay.runs.first_mut() {
            Some(first) => first.is_after_gap = is_cut,
            None => replay.is_cut = is_cut,
        }
        (if is_cut { 0 } else { first - 1 }, replay)
    }

    /// What is kept behind an offset; whatever else was said behind it is missing.
    pub(crate) fn after(&self, offset: u64) -> Replay {
        self.runs(offset, |before, next| before + 1 < next)
    }

    /// The offset behind which the epochs after this one begin, if they are all kept.
    pub(crate) fn end_of(&self, epoch: u64) -> u64 {
        // Of later epochs nothing is gone, so that the first of their events is kept.
        let later = self.kept.iter().find(|(_, kept)| epoch < kept.epoch);
        later.map_or(self.last, |(offset, _)| offset - 1)
    }

    fn runs(&self, after: u64, is_gap: impl Fn(u64, u64) -> bool) -> Replay {
        let mut runs: Vec<Run> = Vec::new();
        let mut before = after;
        for (offset, kept) in self.kept.range(after + 1..) {
            let event = Event { offset: *offset, row: Arc::clone(&kept.row) };
            let is_after_gap = is_gap(before, *offset);
            before = *offset;
            match runs.last_mut() {
                Some(run) if run.epoch == kept.epoch && !is_after_gap => run.events.push(event),
                Some(_) | None => {
                    runs.push(Run { epoch: kept.epoch, events: vec![event], is_after_gap });
                }
            }
        }
        Replay { runs, is_cut: is_gap(before, self.last + 1) }
    }

    #[cfg(test)]
    pub(crate) fn n_kept(&self) -> usize {
        assert!(self.by_time.len() <= self.kept.len(), "each time belongs to a kept event");
        self.kept.len()
    }
}

/// What an epoch said in a topic that the circuit writes as well: what came from outside in the
/// order in which it came, and what the circuit wrote in the order of deltas. `all` has both.
pub(crate) fn written(outside: &[Row], all: Vec<arqon_types::Update>) -> Vec<Row> {
    let mut known: BTreeMap<&Row, i64> = BTreeMap::new();
    for row in outside {
        *known.entry(row).or_default() += 1;
    }
    let mut rows = Vec::new();
    for update in all {
        let n = update.diff - known.remove(&update.row).unwrap_or(0);
        rows.extend((0..n).map(|_| update.row.clone()));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(keep: Keep) -> EventLog {
        EventLog::new(keep, vec![Type::Int64, Type::Timestamp], 0)
    }

    fn row(n: i64, time: i64) -> Row {
        vec![Value::Int(n), Value::Timestamp(time)].into()
    }

    /// Says one event in an epoch of its own.
    fn say(log: &mut EventLog, epoch: u64, (clock, time): (i64, i64)) {
        log.say(vec![row(1, time)], Saying { epoch, clock, n_max: 100 });
    }

    fn offsets(replay: &Replay) -> Vec<(u64, bool)> {
        let one = |run: &Run| {
            let is_after = |at: usize| at == 0 && run.is_after_gap;
            let events = run.events.iter().enumerate();
            events.map(|(at, event)| (event.offset, is_after(at))).collect::<Vec<_>>()
        };
        replay.runs.iter().flat_map(one).collect()
    }

    #[test]
    fn by_arrival_events_go_in_the_order_in_which_they_came() {
        let mut log = log(Keep::Arrival(10));
        for (epoch, clock) in [(1, 100), (2, 105), (3, 108)] {
            say(&mut log, epoch, (clock, 0));
        }
        assert_eq!(log.next_due(), Some(110));
        log.let_go(109);
        assert_eq!(log.n_kept(), 3);
        log.let_go(115);
        assert_eq!((log.next_due(), log.whole_after(), log.last()), (Some(118), 2, 3));
        let (behind, replay) = log.snapshot();
        assert_eq!((behind, offsets(&replay)), (2, vec![(3, false)]));
        assert_eq!(offsets(&log.after(0)), vec![(3, true)]);
        assert_eq!(log.end_of(2), 2);
        log.let_go(118);
        assert_eq!((log.n_kept(), log.next_due(), log.end_of(3)), (0, None, 3));
        assert_eq!(log.after(1), Replay { runs: Vec::new(), is_cut: true });
        assert_eq!(log.after(3), Replay::default());
        assert_eq!(log.snapshot(), (3, Replay::default()));
    }

    #[test]
    fn by_their_own_time_events_leave_holes() {
        let mut log = log(Keep::Time { field: 1, length: 10, late: 2 });
        for (epoch, time) in [(1, 100), (2, 94), (3, 103), (4, 106)] {
            say(&mut log, epoch, (0, time));
        }
        let (behind, replay) = log.snapshot();
        assert_eq!((behind, offsets(&replay)), (0, vec![(1, false), (3, false), (4, false)]));
        assert_eq!(offsets(&log.after(0)), vec![(1, false), (3, true), (4, false)]);
        assert_eq!(log.whole_after(), 2);
        // It is over when it comes: said, and not kept.
        say(&mut log, 5, (0, 94));
        assert_eq!((log.last(), log.n_kept()), (5, 3));
        assert!(log.after(4).is_cut);
    }

    #[test]
    fn by_size_the_newest_stay_and_one_that_is_too_large_goes_with_them() {
        let mut log = log(Keep::Bytes(40));
        for epoch in 1..=4 {
            say(&mut log, epoch, (0, 0));
        }
        assert_eq!(offsets(&log.snapshot().1), vec![(3, false), (4, false)]);
        let mut small = EventLog::new(Keep::Bytes(15), vec![Type::Int64, Type::Timestamp], 0);
        say(&mut small, 1, (0, 0));
        assert_eq!((small.last(), small.n_kept(), small.whole_after()), (1, 0, 1));
    }

    #[test]
    fn what_the_bus_has_no_room_for_is_missing_and_what_is_let_go_is_not() {
        let mut log = log(Keep::Arrival(10));
        for epoch in 1..=5 {
            log.say(vec![row(1, 0)], Saying { epoch, clock: 5 * epoch.cast_signed(), n_max: 2 });
        }
        assert_eq!(log.snapshot().0, 0);
        assert_eq!(offsets(&log.snapshot().1), vec![(4, true), (5, false)]);
        log.let_go(30);
        assert_eq!(log.snapshot().0, 4);
        assert_eq!(offsets(&log.snapshot().1), vec![(5, false)]);
    }
}
