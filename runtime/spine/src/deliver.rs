//! From an applied epoch to frames: whole epochs, in order, as far as credit and outbox allow.

use std::collections::{BTreeMap, VecDeque};

use arqon_proto::{
    Ack, As, Control, CountedRow, Delta, Envelope, Gap, Headers, Part, Payload, Progress,
    RowChange, Snapshot, Upsert, Upserts,
};
use arqon_types::{Change, DeltaBatch, Epoch, Row, TopicName, Update, Value};
use bytes::Bytes;

use crate::log::{Event, Saying};
use crate::machine::{AppliedEpoch, Bus, ClosedEpoch, Output, SessionId, TopicInput, WaitingAck};
use crate::subscription::{Pending, pass_events};
use crate::topic::{Happening, RowForm, Topic};

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
        for (at, changes) in std::mem::take(&mut self.queue) {
            self.topics[at].close_epoch();
            self.note(epoch, at, &changes);
            let topic = self.topics[at].spec.name.clone();
            inputs.push(TopicInput { topic, changes });
        }
        Some(ClosedEpoch { epoch, inputs })
    }

    /// Mints an epoch for input that does not come from a session, such as a batch of a file.
    ///
    /// The caller closes the open epoch first, so that log order is epoch order. `inputs` need
    /// only name topics that [`Bus::orders`]; others are not looked at.
    ///
    /// # Panics
    /// If messages still wait for the open epoch.
    pub fn mint_epoch(&mut self, inputs: &[TopicInput]) -> Epoch {
        assert!(self.queue.is_empty(), "the open epoch is closed before another is minted");
        let epoch = self.open_epoch;
        self.open_epoch = epoch.next();
        for input in inputs {
            let Some(at) = self.topics.place(&input.topic) else { continue };
            if self.topics[at].is_ordered_here() {
                self.topics[at].place(input.changes.len());
                self.topics[at].close_epoch();
                self.note(epoch, at, &input.changes);
            }
        }
        epoch
    }

    /// Keeps what comes from outside until it is known what the circuit says beside it.
    fn note(&mut self, epoch: Epoch, at: usize, changes: &[Change]) {
        if !self.topics[at].is_ordered_here() {
            return;
        }
        let rows = self.under_way.entry(epoch).or_default().entry(at).or_default();
        rows.extend(changes.iter().filter_map(|change| match change {
            Change::Insert(row) => Some(row.clone()),
            // No door lets them into a topic of events.
            Change::Upsert(_) | Change::Delete(_) | Change::Diff { .. } => None,
        }));
    }

    /// Whether the bus needs the rows that files bring to a topic, to say in which order they are.
    pub fn orders(&self, topic: &TopicName) -> bool {
        self.topics.get(topic).is_some_and(Topic::is_ordered_here)
    }

    /// When, at the earliest, an event goes because of when it came.
    pub fn next_due(&self) -> Option<i64> {
        self.topics.iter().filter_map(|(_, topic)| topic.log.next_due()).min()
    }

    /// Takes the effects of an epoch and sends what they mean to subscribers and publishers.
    ///
    /// # Panics
    /// If epochs come out of order: the engine delivers each once, in order.
    pub fn apply(&mut self, applied: AppliedEpoch, now: i64) -> Vec<Output> {
        let AppliedEpoch { epoch, time, deltas } = applied;
        assert_eq!(epoch, self.applied.next(), "epochs are applied in order");
        self.now = now;
        self.applied = epoch;
        self.clock = self.clock.max(time);
        let happened = self.happen(epoch, deltas);
        for topic in self.topics.values_mut() {
            topic.log.let_go(self.clock);
        }
        self.distribute(epoch, &happened);
        self.send_acks(epoch);
        let sessions: Vec<SessionId> = self.sessions.keys().copied().collect();
        for session in sessions {
            self.pump(session);
        }
        self.take_outputs()
    }

    /// Puts what an epoch came to into the topics.
    fn happen(&mut self, epoch: Epoch, deltas: Vec<DeltaBatch>) -> Vec<(usize, Happening)> {
        let n_max = self.limits.history_rows_max;
        let saying = Saying { epoch: epoch.0, clock: self.clock, n_max };
        let mut happened = Vec::new();
        let outside = self.under_way.remove(&epoch).unwrap_or_default();
        let mut said: BTreeMap<usize, (Vec<Row>, Vec<Update>)> =
            outside.into_iter().map(|(at, rows)| (at, (rows, Vec::new()))).collect();
        for delta in deltas {
            let Some(at) = self.topics.place(&delta.topic) else { continue };
            let topic = &mut self.topics[at];
            if topic.is_events() {
                said.entry(at).or_default().1 = delta.updates;
            } else if topic.spec.edge.emits() {
                let updates = topic.change(epoch, delta.updates, n_max);
                happened.push((at, Happening::Changes(updates)));
            }
        }
        for (at, (outside, all)) in said {
            let events = self.topics[at].say(outside, all, saying);
            happened.push((at, Happening::Events(events)));
        }
        happened
    }

    /// Sends the acks that waited for the epoch, and those of the next that need no more than to
    /// know where it begins.
    fn send_acks(&mut self, epoch: Epoch) {
        for ack in self.waiting.remove(&epoch).unwrap_or_default() {
            let offset = self.topics[ack.topic].settled(ack.offset);
            let WaitingAck { session, id, durable, .. } = ack;
            self.tell(session, Control::Ack(Ack { id, offset, epoch: epoch.0, durable }));
        }
        let next = epoch.next();
        let mut waiting = Vec::new();
        for ack in self.waiting.remove(&next).unwrap_or_default() {
            match self.topics[ack.topic].known(ack.offset, next.0, epoch) {
                Some(offset) if !ack.is_applied => {
                    let WaitingAck { session, id, durable, .. } = ack;
                    self.tell(session, Control::Ack(Ack { id, offset, epoch: next.0, durable }));
                }
                Some(_) | None => waiting.push(ack),
            }
        }
        if !waiting.is_empty() {
            self.waiting.insert(next, waiting);
        }
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
                feed.push(Pending::new(epoch.0, happening), rows_max);
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
                    let gap = pass_events(feed, item.is_after_gap, events);
                    subscription.spend(events.len());
                    let gap = gap.map(|(after, next)| Gap { sub, after, next });
                    let gap = gap.map(|gap| Envelope::control(Control::Gap(gap)));
                    gap.into_iter().chain(event_frames(topic, sub, events, rows)).collect()
                }
                Happening::Changes(updates) => {
                    let bounds = Bounds { sub, lower, upper: item.epoch + 1, rows };
                    let frames_max = self.limits.frame_bytes_max;
                    // What is sent is spent, so that a client can grant again what it got.
                    let (n_sent, frames) = match form {
                        As::Deltas => {
                            (updates.len(), delta_frames(topic, &bounds, updates, frames_max))
                        }
                        As::Upserts => {
                            let newest = newest(topic, updates);
                            (newest.len(), upsert_frames(topic, &bounds, newest, frames_max))
                        }
                        As::Snapshot => {
                            (updates.len(), snapshot_frames(topic, &bounds, updates, frames_max))
                        }
                    };
                    subscription.spend(n_sent);
                    frames
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

/// One update of each key that changed in an epoch: the row that comes wins over the row that goes.
fn newest<'a>(topic: &Topic, updates: &'a [Update]) -> Vec<&'a Update> {
    let mut newest: BTreeMap<(Epoch, Vec<&Value>), &Update> = BTreeMap::new();
    for update in updates {
        let key = topic.key.iter().map(|place| &update.row[*place]).collect();
        let entry = newest.entry((update.epoch, key)).or_insert(update);
        if update.diff > 0 {
            *entry = update;
        }
    }
    newest.into_values().collect()
}

fn upsert_frames(
    topic: &Topic,
    bounds: &Bounds,
    newest: Vec<&Update>,
    frame_bytes_max: usize,
) -> VecDeque<Envelope> {
    let upserts = newest.into_iter().map(|update| Upsert {
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
