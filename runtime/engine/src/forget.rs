//! What the source of a `full` topic may forget: keys whose row the topic has let go.
//!
//! A source holds the present row of each key, to take it back when another one comes. To take back
//! a row that has been let go changes nothing; so where nobody but the topic's retention reads the
//! source, such a row is forgotten. It is so at the end of the same epoch on any worker, since it
//! hangs on the time of epochs, or on the topic's mark, alone.
//!
//! Left out on purpose: what goes by size, or by the greatest time of rows of which the flow writes
//! some, is decided where all rows of the topic meet, on one worker and later than the source is
//! fed; so such a source holds a row for each key that was not deleted. And the source of a `delta`
//! topic that is verified holds every row that was not taken back, since it is there that taking
//! back a row that has been let go, which is late, differs from taking back one that never was,
//! which is an error.

use std::collections::{BTreeMap, BTreeSet};

use arqon_operators::ExprKind;
use arqon_plan::{
    DataflowPlan, Frame, Operator, Retention, RetentionRule, Step, StepId, TopicPlan, Window,
};
use arqon_types::{Discipline, PackedRow};

use crate::memory::row_bytes;

/// When the source of a topic forgets a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forgetting {
    /// When it is replaced or deleted.
    Never,
    /// So long after it came, by the time of epochs.
    Arrival(i64),
    /// So long after its own time, a field, by the topic's mark.
    Marked {
        /// The field.
        field: usize,
        /// In nanoseconds.
        length: i64,
    },
}

impl Forgetting {
    /// When the source of the topic does.
    pub(crate) fn of(plan: &DataflowPlan, topic: &TopicPlan) -> Self {
        if topic.discipline != Discipline::Full {
            return Self::Never;
        }
        let ids = || (0..).map(StepId).zip(&plan.steps);
        let is_source = |step: &Step| step.operator.source() == Some(&topic.name);
        let mut ahead: Vec<StepId> =
            ids().filter(|(_, step)| is_source(step)).map(|(id, _)| id).collect();
        let mut found = None;
        while let Some(at) = ahead.pop() {
            if plan.ends().any(|(_, end)| end == at) {
                return Self::Never;
            }
            for (id, reader) in ids().filter(|(_, step)| step.inputs.contains(&at)) {
                match Self::by(reader, topic) {
                    Reader::HandsOn => ahead.push(id),
                    Reader::LetsGo(rule) if found.is_none_or(|known| known == rule) => {
                        found = Some(rule);
                    }
                    Reader::LetsGo(_) | Reader::Sees => return Self::Never,
                }
            }
        }
        found.unwrap_or(Self::Never)
    }

    fn by(reader: &Step, topic: &TopicPlan) -> Reader {
        // A step of a node may say something of a row that stands after the row has gone.
        if *reader.node != *topic.name.as_str() {
            return Reader::Sees;
        }
        match (&reader.operator, topic.time) {
            (Operator::Map(_) | Operator::Union, _) => Reader::HandsOn,
            (Operator::Retain(Retention { rule: RetentionRule::Arrival(length), .. }), _) => {
                Reader::LetsGo(Self::Arrival(*length))
            }
            (
                Operator::Window(Window { frame: Frame::Own { length }, time, keeps_rows, .. }),
                Some(field),
            ) if !keeps_rows && matches!(time.kind, ExprKind::Column(at) if at == field) => {
                Reader::LetsGo(Self::Marked { field, length: *length })
            }
            (_, _) => Reader::Sees,
        }
    }
}

/// Whether what the source of a topic holds is all that its collection hangs on: not where rows
/// have gone that the source still holds, and it cannot be said which, because they went by their
/// size, or because of when they came.
pub(crate) fn holds_the_past(plan: &DataflowPlan, topic: &TopicPlan) -> bool {
    plan.steps.iter().filter(|step| *step.node == *topic.name.as_str()).all(|step| {
        match &step.operator {
            Operator::Retain(Retention { rule: RetentionRule::Bytes(_), .. }) => false,
            Operator::Retain(Retention { rule: RetentionRule::Arrival(_), .. }) => {
                topic.arrival || matches!(Forgetting::of(plan, topic), Forgetting::Arrival(_))
            }
            _ => true,
        }
    })
}

/// What a step does with the rows of a source.
enum Reader {
    /// It hands them on.
    HandsOn,
    /// It lets go of them.
    LetsGo(Forgetting),
    /// Something else.
    Sees,
}

/// The keys of a source by the moment from which their row's end is counted.
#[derive(Debug)]
pub(crate) struct Ages {
    length: i64,
    by_moment: BTreeSet<(i64, PackedRow)>,
    moments: BTreeMap<PackedRow, i64>,
    /// What the keys take, once.
    n_bytes: i64,
}

impl Ages {
    /// No keys; none at all, if nothing is forgotten.
    pub(crate) fn new(forgetting: Forgetting) -> Option<Self> {
        let length = match forgetting {
            Forgetting::Never => return None,
            Forgetting::Arrival(length) | Forgetting::Marked { length, .. } => length,
        };
        Some(Self { length, by_moment: BTreeSet::new(), moments: BTreeMap::new(), n_bytes: 0 })
    }

    /// Notes that a key has another row; none if it has been deleted.
    pub(crate) fn renew(&mut self, key: &PackedRow, moment: Option<i64>) {
        let before = match moment {
            Some(moment) => self.moments.insert(key.clone(), moment),
            None => self.moments.remove(key),
        };
        if let Some(before) = before {
            self.by_moment.remove(&(before, key.clone()));
            self.n_bytes -= row_bytes(key, &0_u64);
        }
        if let Some(moment) = moment {
            self.by_moment.insert((moment, key.clone()));
            self.n_bytes += row_bytes(key, &0_u64);
        }
    }

    /// The moment from which the end of a key's row is counted.
    pub(crate) fn moment(&self, key: &PackedRow) -> Option<i64> {
        self.moments.get(key).copied()
    }

    /// What it takes of the memory: each key stands here twice.
    pub(crate) fn n_bytes(&self) -> i64 {
        2 * self.n_bytes
    }

    /// Takes out the next key whose row is over.
    pub(crate) fn next_over(&mut self, now: i64) -> Option<PackedRow> {
        let (moment, _) = self.by_moment.first()?;
        moment.checked_add(self.length).filter(|end| *end <= now)?;
        let (_, key) = self.by_moment.pop_first()?;
        self.moments.remove(&key);
        self.n_bytes -= row_bytes(&key, &0_u64);
        Some(key)
    }
}
