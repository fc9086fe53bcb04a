//! From an applied epoch to frames: whole epochs, in order, as far as credit and outbox allow.

use std::collections::{BTreeMap, VecDeque};

use arqon_proto::{
    Ack, As, Control, CountedRow, Delta, Envelope, Gap, Headers, Part, Payload, Progress,
    RowChange, Snapshot, Upsert, Upserts,
};
use arqon_types::{DeltaBatch, Epoch, Update, Value, consolidate};
use bytes::Bytes;

use crate::machine::{Bus, ClosedEpoch, Observed, Output, SessionId, TopicInput};
use crate::subscription::{Pending, pass_events};
use crate::topic::{Event, Happening, RowForm, Topic};

impl Bus {
    /// Closes the open epoch, if anything waits for it.
    pub fn close_epoch(&mut self) -> Option<ClosedEpoch> {
        if self.queue.is_empty() {
            return None;
        }
        let epoch = self.open_epoch;
        self.open_epoch = epoch.next();
        self.queue_rows = 0;
        let mut inputs = Vec::new();
        let first_offsets = std::mem::take(&mut self.first_offsets);
        for (at, changes) in std::mem::take(&mut self.queue) {
            let topic = &self.topics[at];
            if topic.is_observed_input() {
                let observed = self.observed.entry(epoch).or_default();
                if let Some(known) = observed.iter_mut().find(|known| known.topic == at) {
                    known.changes.extend(changes.iter().cloned());
                } else {
                    let first_offset = first_offsets.get(&at).copied().unwrap_or(topic.offset + 1);
                    let changes = changes.clone();
                    observed.push(Observed { topic: at, first_offset, changes });
                }
            }
            inputs.push(TopicInput { topic: topic.spec.name.clone(), changes });
        }
        Some(ClosedEpoch { epoch, inputs })
    }

    /// Mints an epoch for input that does not come from a session, such as a batch of a file.
    ///
    /// The caller closes the open epoch first, so that log order is epoch order. `inputs` need
    /// only name topics that clients may also subscribe to; others are not looked at.
    ///
    /// # Panics
    /// If messages still wait for the open epoch.
    pub fn mint_epoch(&mut self, inputs: &[TopicInput]) -> Epoch {
        assert!(self.queue.is_empty(), "the open epoch is closed before another is minted");
        let epoch = self.open_epoch;
        self.open_epoch = epoch.next();
        for input in inputs {
            let Some(at) = self.by_name.get(&input.topic).copied() else { continue };
            let topic = &mut self.topics[at];
            if topic.is_observed_input() {
                let first_offset = topic.offset + 1;
                topic.offset += input.changes.len() as u64;
                let changes = input.changes.clone();
                let observed = Observed { topic: at, first_offset, changes };
                self.observed.entry(epoch).or_default().push(observed);
            }
        }
        epoch
    }

    /// Whether clients may subscribe to an input topic, so that its file rows must be named.
    pub fn is_observed(&self, topic: &arqon_types::TopicName) -> bool {
        self.by_name.get(topic).is_some_and(|at| self.topics[*at].is_observed_input())
    }

    /// Takes the effects of an epoch and sends what they mean to subscribers and publishers.
    ///
    /// # Panics
    /// If epochs come out of order: the engine delivers each once, in order.
    pub fn apply(&mut self, epoch: Epoch, deltas: Vec<DeltaBatch>, now: i64) -> Vec<Output> {
        assert_eq!(epoch, self.applied.next(), "epochs are applied in order");
        self.now = now;
        self.applied = epoch;
        let mut happened: Vec<(usize, Happening)> = Vec::new();
        for observed in self.observed.remove(&epoch).unwrap_or_default() {
            let topic = &mut self.topics[observed.topic];
            let mut updates = Vec::new();
            for change in &observed.changes {
                updates.extend(topic.derive(change, epoch));
            }
            if !topic.is_events() {
                consolidate(&mut updates);
            }
            let first = Some(observed.first_offset);
            let happening = topic.happen(epoch, updates, first, self.limits.history_rows_max);
            happened.push((observed.topic, happening));
        }
        for delta in deltas {
            let Some(at) = self.by_name.get(&delta.topic).copied() else { continue };
            if self.topics[at].is_observed_input() {
                continue;
            }
            let topic = &mut self.topics[at];
            happened
                .push((at, topic.happen(epoch, delta.updates, None, self.limits.history_rows_max)));
        }
        self.distribute(epoch, &happened);
        for ack in self.waiting.remove(&epoch).unwrap_or_default() {
            let frame =
                Ack { id: ack.id, offset: ack.offset, epoch: epoch.0, durable: ack.durable };
            self.tell(ack.session, Control::Ack(frame));
        }
        let sessions: Vec<SessionId> = self.sessions.keys().copied().collect();
        for session in sessions {
            self.pump(session);
        }
        self.take_outputs()
    }

    /// Notes that a frame has left for a session, which may let more follow.
    pub fn sent(&mut self, session: SessionId, n_bytes: usize, now: i64) -> Vec<Output> {
        self.now = now;
        if let Some(state) = self.sessions.get_mut(&session) {
            state.outbox_bytes = state.outbox_bytes.saturating_sub(n_bytes);
            self.pump(session);
        }
        self.take_outputs()
    }

    fn distribute(&mut self, epoch: Epoch, happened: &[(usize, Happening)]) {
        let rows_max = self.limits.pending_rows_max;
        // What was asked for once is not followed by what comes later.
        let subscriptions = self
            .sessions
            .values_mut()
            .flat_map(|session| session.subscriptions.values_mut())
            .filter(|subscription| subscription.form != As::Snapshot);
        for feed in subscriptions.flat_map(|subscription| subscription.feeds.iter_mut()) {
            for (topic, happening) in happened {
                if *topic != feed.topic {
                    continue;
                }
                let happening = happening.clone();
                let item = Pending { epoch: epoch.0, is_snapshot: false, happening };
                feed.push(item, rows_max);
            }
        }
    }

    /// Sends what waits for a session, as far as credit and outbox allow.
    pub(crate) fn pump(&mut self, session: SessionId) {
        let Some(state) = self.sessions.get(&session) else { return };
        let subs: Vec<u64> = state.subscriptions.keys().copied().collect();
        for sub in subs {
            self.pump_subscription(session, sub);
        }
    }

    fn pump_subscription(&mut self, session: SessionId, sub: u64) {
        loop {
            let Some(state) = self.sessions.get_mut(&session) else { return };
            let has_room = state.outbox_bytes < self.limits.outbox_bytes_max;
            let rows = RowForm { encoding: state.encoding, int64: state.int64 };
            let Some(subscription) = state.subscriptions.get_mut(&sub) else { return };
            if !subscription.begun.is_empty() {
                if !has_room {
                    return;
                }
                if let Some(frame) = subscription.begun.pop_front() {
                    self.send(session, frame);
                }
                continue;
            }
            // The oldest epoch goes first, whichever topic of a pattern it belongs to.
            let next = subscription
                .feeds
                .iter()
                .enumerate()
                .filter_map(|(at, feed)| Some((feed.pending.front()?.epoch, at)))
                .min();
            let Some((_, feed_idx)) = next else { break };
            // A snapshot without rows costs nothing.
            let is_free = subscription.feeds[feed_idx].has_no_rows();
            if !has_room || !(is_free || subscription.has_credit()) {
                return;
            }
            let form = subscription.form;
            let feed = &mut subscription.feeds[feed_idx];
            let Some(item) = feed.pop() else { break };
            let topic = &self.topics[feed.topic];
            let lower = feed.lower;
            feed.lower = item.epoch + 1;
            subscription.begun = match &item.happening {
                Happening::Events(events) => {
                    let gap = pass_events(feed, events);
                    subscription.spend(events.len());
                    let gap = gap.map(|(after, next)| Gap { sub, after, next });
                    let gap = gap.map(|gap| Envelope::control(Control::Gap(gap)));
                    gap.into_iter().chain(event_frames(topic, sub, events, rows)).collect()
                }
                Happening::Changes(updates) => {
                    let bounds = Bounds { sub, lower, upper: item.epoch + 1, rows };
                    let frames_max = self.limits.frame_bytes_max;
                    subscription.spend(updates.len());
                    match form {
                        As::Deltas => delta_frames(topic, &bounds, updates, frames_max),
                        As::Upserts => upsert_frames(topic, &bounds, updates, frames_max),
                        As::Snapshot => snapshot_frames(topic, &bounds, updates, frames_max),
                    }
                }
            };
        }
        self.finish_subscription(session, sub);
    }

    /// Everything is sent: marks progress, or ends what was asked for once.
    fn finish_subscription(&mut self, session: SessionId, sub: u64) {
        let Some(state) = self.sessions.get_mut(&session) else { return };
        let Some(subscription) = state.subscriptions.get_mut(&sub) else { return };
        if subscription.form == As::Snapshot {
            state.subscriptions.remove(&sub);
            return;
        }
        let upper = self.applied.0 + 1;
        // A mark covers those before it: one who reads slowly gets fewer.
        let has_room = state.outbox_bytes < self.limits.outbox_bytes_max;
        if has_room && subscription.progress < upper {
            subscription.progress = upper;
            self.tell(session, Control::Progress(Progress { sub, upper }));
        }
    }
}

/// What the frames of one epoch have in common.
struct Bounds {
    sub: u64,
    lower: u64,
    upper: u64,
    rows: RowForm,
}

fn delta_frames(
    topic: &Topic,
    bounds: &Bounds,
    updates: &[Update],
    frame_bytes_max: usize,
) -> VecDeque<Envelope> {
    let changes = updates.iter().map(|update| RowChange {
        epoch: Some(update.epoch.0),
        diff: update.diff,
        row: topic.encode_row(&update.row, bounds.rows),
    });
    let parts = split(changes, |change| change.row.len() + 40, frame_bytes_max);
    number(parts, |part, changes| {
        Payload::Delta(Delta {
            sub: Some(bounds.sub),
            lower: Some(bounds.lower),
            upper: Some(bounds.upper),
            part,
            changes,
        })
    })
    .map(|payload| Envelope::event(topic.spec.name.as_str(), payload))
    .collect()
}

fn snapshot_frames(
    topic: &Topic,
    bounds: &Bounds,
    updates: &[Update],
    frame_bytes_max: usize,
) -> VecDeque<Envelope> {
    let rows = updates.iter().filter_map(|update| {
        let count = u64::try_from(update.diff).ok()?;
        Some(CountedRow { row: topic.encode_row(&update.row, bounds.rows), count })
    });
    let parts = split(rows, |counted| counted.row.len() + 24, frame_bytes_max);
    number(parts, |part, rows| {
        Payload::Snapshot(Snapshot { sub: bounds.sub, epoch: bounds.upper - 1, part, rows })
    })
    .map(|payload| Envelope::event(topic.spec.name.as_str(), payload))
    .collect()
}

fn upsert_frames(
    topic: &Topic,
    bounds: &Bounds,
    updates: &[Update],
    frame_bytes_max: usize,
) -> VecDeque<Envelope> {
    // Within an epoch the row that comes wins over the row that goes.
    let mut newest: BTreeMap<(Epoch, Vec<&Value>), &Update> = BTreeMap::new();
    for update in updates {
        let key = topic.key.iter().map(|place| &update.row[*place]).collect();
        let entry = newest.entry((update.epoch, key)).or_insert(update);
        if update.diff > 0 {
            *entry = update;
        }
    }
    let upserts = newest.into_values().map(|update| Upsert {
        epoch: update.epoch.0,
        key: topic.encode_key(&update.row, bounds.rows),
        row: (update.diff > 0).then(|| topic.encode_row(&update.row, bounds.rows)),
    });
    let bytes = |upsert: &Upsert| upsert.key.len() + upsert.row.as_ref().map_or(4, Bytes::len) + 40;
    let parts = split(upserts, bytes, frame_bytes_max);
    number(parts, |part, upserts| {
        let Bounds { sub, lower, upper, .. } = *bounds;
        Payload::Upserts(Upserts { sub, lower, upper, part, upserts })
    })
    .map(|payload| Envelope::event(topic.spec.name.as_str(), payload))
    .collect()
}

fn event_frames(
    topic: &Topic,
    sub: u64,
    events: &[Event],
    rows: RowForm,
) -> impl Iterator<Item = Envelope> {
    events.iter().map(move |event| {
        let payload = Payload::Row(topic.encode_row(&event.row, rows));
        Envelope {
            schema: Some(topic.spec.schema_id.clone()),
            headers: Headers { sub: Some(sub), offset: Some(event.offset), ..Headers::default() },
            ..Envelope::event(topic.spec.name.as_str(), payload)
        }
    })
}

/// Cuts items into parts of about `bytes_max`; there is always one part, if only an empty one.
fn split<T>(
    items: impl Iterator<Item = T>,
    bytes: impl Fn(&T) -> usize,
    bytes_max: usize,
) -> Vec<Vec<T>> {
    let mut parts = vec![Vec::new()];
    let mut part_bytes = 0;
    for item in items {
        let item_bytes = bytes(&item);
        if part_bytes + item_bytes > bytes_max && part_bytes > 0 {
            parts.push(Vec::new());
            part_bytes = 0;
        }
        part_bytes += item_bytes;
        parts.last_mut().expect("there is always a part").push(item);
    }
    parts
}

/// Numbers the parts, if there are several.
fn number<T>(
    parts: Vec<Vec<T>>,
    payload: impl Fn(Option<Part>, Vec<T>) -> Payload,
) -> impl Iterator<Item = Payload> {
    let n_parts = u32::try_from(parts.len()).expect("an epoch has fewer parts than rows");
    parts.into_iter().zip(1..).map(move |(items, part)| {
        payload((n_parts > 1).then_some(Part { part, parts: n_parts }), items)
    })
}
