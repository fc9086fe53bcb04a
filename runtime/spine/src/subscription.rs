//! What a session waits for: one feed per topic, with what is pending for it.

use std::collections::VecDeque;
use std::sync::Arc;

use arqon_proto::{As, Envelope, Subscribe};
use arqon_types::{Epoch, Row, Schema, Update, consolidate};
use uuid::Uuid;

use crate::log::Event;
use crate::topic::Happening;

/// A checked expression over a topic's rows.
pub type Filter = Arc<dyn Fn(&Row) -> bool + Send + Sync>;

/// Turns the text of a filter into a checked expression over rows of a schema.
///
/// The bus knows no expressions: whoever joins it with the compiler hands this in.
pub type FilterCompiler = Box<dyn Fn(&str, &Schema) -> Result<Filter, String> + Send>;

/// One item that waits to be sent whole.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) epoch: u64,
    /// The state at the subscription's begin: its frame has `lower` 0, and it is never merged.
    pub(crate) is_snapshot: bool,
    /// Events are missing before it.
    pub(crate) is_after_gap: bool,
    pub(crate) happening: Happening,
}

impl Pending {
    /// What happened in an epoch.
    pub(crate) fn new(epoch: u64, happening: Happening) -> Self {
        Self { epoch, is_snapshot: false, is_after_gap: false, happening }
    }
}

/// One topic of a subscription.
pub(crate) struct Feed {
    pub(crate) topic: usize,
    pub(crate) filter: Option<Filter>,
    /// The upper bound of the last frame.
    pub(crate) lower: u64,
    /// The last offset that was sent, dropped or passed over.
    pub(crate) offset: u64,
    /// Events are missing behind all that is pending.
    pub(crate) is_cut: bool,
    pub(crate) pending: VecDeque<Pending>,
    pending_rows: usize,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed")
            .field("topic", &self.topic)
            .field("lower", &self.lower)
            .field("pending_rows", &self.pending_rows)
            .finish_non_exhaustive()
    }
}

impl Feed {
    pub(crate) fn new(topic: usize, filter: Option<Filter>, lower: u64, offset: u64) -> Self {
        Self {
            topic,
            filter,
            lower,
            offset,
            is_cut: false,
            pending: VecDeque::new(),
            pending_rows: 0,
        }
    }

    /// Queues what happened in an epoch, as far as the filter lets it through.
    pub(crate) fn push(&mut self, mut item: Pending, pending_rows_max: usize) {
        if let Some(filter) = &self.filter {
            item.happening = match &item.happening {
                Happening::Changes(updates) => Happening::Changes(Arc::new(
                    updates.iter().filter(|update| filter(&update.row)).cloned().collect(),
                )),
                Happening::Events(events) => Happening::Events(Arc::new(
                    events.iter().filter(|event| filter(&event.row)).cloned().collect(),
                )),
            };
        }
        item.is_after_gap |= std::mem::take(&mut self.is_cut);
        if item.happening.n_rows() == 0 && !item.is_snapshot {
            // What the filter holds back is no gap, and hides none.
            self.is_cut = item.is_after_gap;
            return;
        }
        self.pending_rows += item.happening.n_rows();
        self.pending.push_back(item);
        if self.pending_rows > pending_rows_max {
            self.shrink(pending_rows_max);
        }
    }

    /// Whether what is next has no rows.
    pub(crate) fn has_no_rows(&self) -> bool {
        self.pending.front().is_some_and(|item| item.happening.n_rows() == 0)
    }

    pub(crate) fn pop(&mut self) -> Option<Pending> {
        let item = self.pending.pop_front()?;
        self.pending_rows -= item.happening.n_rows();
        Some(item)
    }

    /// Changes are merged, so that nothing is lost; of events the oldest are dropped.
    fn shrink(&mut self, pending_rows_max: usize) {
        let is_events = |item: &Pending| matches!(item.happening, Happening::Events(_));
        if self.pending.iter().all(is_events) {
            while self.pending_rows > pending_rows_max && self.pending.len() > 1 {
                self.pop();
                if let Some(next) = self.pending.front_mut() {
                    next.is_after_gap = true;
                }
            }
            return;
        }
        let begin = usize::from(self.pending.front().is_some_and(|item| item.is_snapshot));
        let Some(epoch) = self.pending.back().map(|item| item.epoch) else { return };
        let mut merged: Vec<Update> = Vec::new();
        for item in self.pending.drain(begin..) {
            self.pending_rows -= item.happening.n_rows();
            if let Happening::Changes(updates) = item.happening {
                let at_last = |update: &Update| Update { epoch: Epoch(epoch), ..update.clone() };
                merged.extend(updates.iter().map(at_last));
            }
        }
        consolidate(&mut merged);
        if !merged.is_empty() {
            self.pending_rows += merged.len();
            let happening = Happening::Changes(Arc::new(merged));
            self.pending.push_back(Pending::new(epoch, happening));
        }
    }
}

/// Where a feed stands after it sent an item of `events`, and the hole before them.
pub(crate) fn pass_events(
    feed: &mut Feed,
    is_after_gap: bool,
    events: &[Event],
) -> Option<(u64, u64)> {
    let (first, last) = (events.first()?.offset, events.last()?.offset);
    let gap = is_after_gap.then_some((feed.offset, first));
    feed.offset = last;
    gap
}

/// A session's request for one or more topics.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// The frame that asked for it: its end names it.
    pub(crate) asked: Option<Uuid>,
    pub(crate) request: Subscribe,
    pub(crate) form: As,
    pub(crate) feeds: Vec<Feed>,
    /// Frames of an epoch that has begun, and is finished before anything else.
    pub(crate) begun: VecDeque<Envelope>,
    /// Changes that may still be sent; an epoch that has begun may take it below 0.
    pub(crate) credit: Option<i64>,
    /// The last progress mark.
    pub(crate) progress: u64,
}

impl Subscription {
    pub(crate) fn has_credit(&self) -> bool {
        self.credit.is_none_or(|credit| credit > 0)
    }

    pub(crate) fn spend(&mut self, n_rows: usize) {
        if let Some(credit) = &mut self.credit {
            *credit = credit.saturating_sub(i64::try_from(n_rows).unwrap_or(i64::MAX));
        }
    }
}
