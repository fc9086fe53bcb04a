//! Between edge, bus and engine: one loop that owns the bus.
//!
//! Epochs close as soon as the engine has room, so that a lone message is not kept waiting and a
//! crowd of them shares an epoch. **Invariant:** at most [`EPOCHS_UNDER_WAY_MAX`] epochs are in
//! the engine, fewer than the channel of its outputs holds; so neither ever waits for the other.
//! Of a circuit that writes to control topics it is one: each begins with what the one before left.
//!
//! Where nothing comes, rows that are due to go because of when they came still go: by a tick, an
//! epoch without input. A record of the epochs of a run says which were ticks, so that they come
//! again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use arqon_engine::{Changes, Dataflow, EpochInput, Feedback, RowOutput, TopicInput};
use arqon_plan::DataflowPlan;
use arqon_shield::{ShutdownHandle, ToBus, ToClient};
use arqon_spine::{
    AppliedEpoch, Bus, Output, SessionId, StateFull, TopicInput as BusInput, adds_rows,
};
use arqon_types::{Change, Epoch, TopicName, Type};
use tokio::sync::{mpsc, oneshot};

use crate::clock::{Cause, EpochClock, Recorded, unix_nanoseconds};

/// Epochs that the engine may have at once.
pub(crate) const EPOCHS_UNDER_WAY_MAX: usize = 8;
/// Of these, those that close by themselves; more would be small ones.
const EPOCHS_OF_MESSAGES_MAX: usize = 2;
/// Outputs that may wait for the hub.
pub(crate) const OUTPUTS_MAX: usize = 2 * EPOCHS_UNDER_WAY_MAX;
/// Frames that are handled before epochs are looked at again.
const FRAMES_PER_TURN: usize = 256;

/// Nanoseconds between ticks, at least: on an idle server a row goes so much later at most.
const TICK_INTERVAL: i64 = 100_000_000;
/// How long the hub sleeps at most before it looks at the clock again, which may have been set.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// What a server does while nothing comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// Nothing: rows go with the next epoch. So a run of files has the same epochs at any speed.
    Rest,
    /// It makes an epoch when a row is due to go because of when it came.
    Tick,
}

/// Why changes are not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// The circuit reads no such topic.
    #[error("`{0}` is no input of the circuit")]
    NotAnInput(TopicName),
    /// The state of the circuit has come to its limit.
    #[error("{0}")]
    StateFull(StateFull),
    /// The engine stopped, or the server has ended.
    #[error("the circuit has stopped: {0}")]
    Stopped(String),
}

/// Whether changes may make the state grow; errors of lines that were not read are not held.
fn adds(input: &TopicInput) -> bool {
    match &input.changes {
        Changes::Rows(changes) => adds_rows(changes),
        Changes::Columns(rows) => rows.diffs.iter().any(|diff| *diff > 0),
        Changes::Errors(_) => false,
    }
}

/// What the owner of the server asks.
pub(crate) enum Command {
    /// Take these changes as one epoch.
    Feed { topics: Vec<TopicInput>, reply: oneshot::Sender<Result<Epoch, FeedError>> },
    /// Close all windows, in an epoch of their own.
    EndTime { reply: oneshot::Sender<Result<Epoch, FeedError>> },
    /// From now on, whenever nothing else is there, let what the flow has written to control
    /// topics go back; answers when nothing does, with the topics that go on changing.
    Settle { reply: oneshot::Sender<Result<Vec<TopicName>, FeedError>> },
    /// Take no more, bring out what is under way, and close the sessions with `code`.
    Finish { code: u16 },
}

/// The three ears of the hub.
pub(crate) struct Ears {
    pub(crate) edge: mpsc::Receiver<ToBus>,
    pub(crate) outputs: mpsc::Receiver<RowOutput>,
    pub(crate) commands: mpsc::Receiver<Command>,
}

/// What a hub is made of, beside what it joins.
pub(crate) struct HubOptions {
    pub(crate) shutdown: Option<ShutdownHandle>,
    pub(crate) clock: Box<dyn EpochClock>,
    pub(crate) idle: Idle,
}

pub(crate) struct Hub {
    bus: Bus,
    dataflow: Dataflow,
    engine_inputs: BTreeSet<TopicName>,
    types: BTreeMap<TopicName, Vec<Type>>,
    outboxes: BTreeMap<SessionId, mpsc::Sender<ToClient>>,
    shutdown: Option<ShutdownHandle>,
    clock: Box<dyn EpochClock>,
    /// What the state of the circuit takes, and may take.
    state_bytes: i64,
    state_bytes_max: Option<u64>,
    idle: Idle,
    /// When the last epoch came that the clock was asked for.
    time: i64,
    /// When the epochs under way came, the oldest first.
    under_way: VecDeque<i64>,
    /// At most so many.
    n_under_way_max: usize,
    /// When the engine lets go of a row, as of the last epoch that came out.
    due: Option<i64>,
    /// Before this there is no other tick.
    no_tick_before: i64,
    /// Whether the last epoch that came out leaves something to go back.
    feedback: Feedback,
    /// Whether that makes epochs by itself.
    settles: bool,
    /// Who waits until nothing goes back.
    waiting: Vec<oneshot::Sender<Result<Vec<TopicName>, FeedError>>>,
    ending: Option<u16>,
    /// The engine has stopped with these words; nothing is fed any more.
    failure: Option<String>,
}

impl Hub {
    pub(crate) fn new(
        bus: Bus,
        dataflow: Dataflow,
        plan: &DataflowPlan,
        HubOptions { shutdown, clock, idle }: HubOptions,
    ) -> Self {
        let types = plan.topics.iter().map(|topic| (topic.name.clone(), topic.schema.types()));
        Self {
            bus,
            dataflow,
            engine_inputs: crate::topics::engine_inputs(plan),
            types: types.collect(),
            outboxes: BTreeMap::new(),
            shutdown,
            clock,
            state_bytes: 0,
            state_bytes_max: plan.state_bytes_max,
            idle,
            time: 0,
            under_way: VecDeque::new(),
            due: None,
            no_tick_before: i64::MIN,
            n_under_way_max: if plan.feedbacks.is_empty() { EPOCHS_UNDER_WAY_MAX } else { 1 },
            feedback: Feedback::Settled,
            settles: false,
            waiting: Vec::new(),
            ending: None,
            failure: None,
        }
    }

    /// Runs until the server ends, and hands the engine back.
    pub(crate) async fn run(mut self, mut ears: Ears) -> Dataflow {
        let mut frames = Vec::with_capacity(FRAMES_PER_TURN);
        let (mut has_edge, mut has_engine) = (true, true);
        loop {
            self.close_epochs();
            self.settle();
            self.tick();
            if self.is_done() {
                if let Some(shutdown) = self.shutdown.take() {
                    shutdown.shut_down(self.ending.unwrap_or(1011));
                }
                if !has_edge && self.ending.is_some() {
                    return self.dataflow;
                }
            }
            let takes_commands = self.ending.is_none()
                && (self.failure.is_some()
                    || self.under_way.len() < self.n_under_way_max && !self.repeats_tick());
            let sleep = self.sleep();
            tokio::select! {
                biased;
                output = ears.outputs.recv(), if has_engine => {
                    has_engine = output.is_some();
                    self.applied(output);
                }
                n_frames = ears.edge.recv_many(&mut frames, FRAMES_PER_TURN), if has_edge => {
                    has_edge = n_frames > 0;
                    for frame in frames.drain(..) {
                        self.hear(frame);
                    }
                }
                command = ears.commands.recv(), if takes_commands => match command {
                    Some(Command::Feed { topics, reply }) => {
                        // One who no longer waits for the answer has gone.
                        let _ = reply.send(self.feed(topics));
                    }
                    Some(Command::EndTime { reply }) => {
                        let _ = reply.send(self.end_time());
                    }
                    Some(Command::Settle { reply }) => {
                        self.settles = true;
                        self.waiting.push(reply);
                    }
                    Some(Command::Finish { code }) => self.ending = Some(code),
                    None => self.ending = Some(1001),
                },
                () = tokio::time::sleep(sleep.unwrap_or_default()), if sleep.is_some() => {}
            }
        }
    }

    fn is_done(&self) -> bool {
        self.failure.is_some()
            || self.ending.is_some()
                && self.under_way.is_empty()
                && !self.bus.has_input()
                && !self.goes_on()
    }

    /// Lets go back what waits for it, if nothing else makes an epoch; answers who waits.
    fn settle(&mut self) {
        if self.failure.is_none() {
            if !self.under_way.is_empty() || !self.settles || self.repeats_tick() {
                return;
            }
            if self.feedback == Feedback::Pending {
                let epoch = self.bus.mint_epoch(&[]);
                let taken = self.dataflow.feed_back(epoch);
                // A failure is kept, and told below.
                let _ = self.taken(taken);
            }
        }
        let answer = match (&self.failure, &self.feedback, self.state_full()) {
            (Some(reason), ..) => Err(FeedError::Stopped(reason.clone())),
            (None, Feedback::Pending, _) => return,
            (None, _, Some(full)) => Err(FeedError::StateFull(full)),
            (None, Feedback::Settled, None) => Ok(Vec::new()),
            (None, Feedback::Endless(topics), None) => Ok(topics.clone()),
        };
        for reply in self.waiting.drain(..) {
            let _ = reply.send(answer.clone());
        }
    }

    /// Whether another epoch will make itself.
    fn goes_on(&self) -> bool {
        self.settles && self.feedback == Feedback::Pending
    }

    /// Whether the next epoch is one that came by itself in the run that is repeated.
    fn repeats_tick(&self) -> bool {
        // A message that waits has the epoch for its own: then another run is repeated.
        self.failure.is_none()
            && !self.bus.has_input()
            && self.clock.recorded(self.bus.next_epoch()) == Recorded::Tick
    }

    /// When a tick is due, if nothing comes before.
    fn next_tick(&self) -> Option<i64> {
        let is_idle = self.idle == Idle::Tick
            && self.failure.is_none()
            && self.ending.is_none()
            && self.under_way.is_empty()
            && !self.bus.has_input()
            && self.feedback != Feedback::Pending
            && self.clock.recorded(self.bus.next_epoch()) == Recorded::Nothing;
        let due = self.due.into_iter().chain(self.bus.next_due()).min();
        due.filter(|_| is_idle).map(|due| due.max(self.no_tick_before))
    }

    /// How long there is nothing to do, if that ends by itself.
    fn sleep(&self) -> Option<Duration> {
        let nanoseconds = self.next_tick()?.saturating_sub(self.clock.now());
        Some(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0)).min(SLEEP_MAX))
    }

    /// Makes an epoch without input, if one is due.
    fn tick(&mut self) {
        let now = self.clock.now();
        let is_repeated = self.repeats_tick() && self.under_way.len() < self.n_under_way_max;
        if is_repeated || self.next_tick().is_some_and(|due| due <= now) {
            self.no_tick_before = now.saturating_add(TICK_INTERVAL);
            let epoch = self.bus.mint_epoch(&[]);
            // A failure is kept and told to whoever feeds next.
            let _ = self.feed_engine(epoch, Cause::Tick, Vec::new());
        }
    }

    fn hear(&mut self, message: ToBus) {
        let now = unix_nanoseconds();
        let outputs = match message {
            ToBus::Open { session, principal, encoding, int64, outbox } => {
                self.outboxes.insert(session, outbox);
                let outputs = self.bus.open(session, principal, encoding, now);
                self.bus.write_int64_as(session, int64);
                outputs
            }
            // What comes after the end is not acknowledged; the close code says why.
            ToBus::Frame { .. } if self.ending.is_some() || self.failure.is_some() => Vec::new(),
            ToBus::Frame { session, bytes } => self.bus.handle(session, &bytes, now),
            ToBus::Sent { session, n_bytes } => self.bus.sent(session, n_bytes, now),
            ToBus::Closed { session } => {
                self.outboxes.remove(&session);
                self.bus.close(session);
                Vec::new()
            }
        };
        self.deliver(outputs);
    }

    fn deliver(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            let (session, item) = match output {
                Output::Frame { session, bytes } => (session, ToClient::Frame(bytes)),
                Output::Close { session, code, reason } => {
                    (session, ToClient::Close { code, reason })
                }
            };
            let is_close = matches!(item, ToClient::Close { .. });
            let is_stuck =
                self.outboxes.get(&session).is_some_and(|outbox| outbox.try_send(item).is_err());
            if is_stuck || is_close {
                // Without an outbox the edge ends the session by itself.
                self.outboxes.remove(&session);
                self.bus.close(session);
            }
        }
    }

    fn applied(&mut self, output: Option<RowOutput>) {
        let Some(output) = output else {
            self.failure.get_or_insert_with(|| "the engine has ended".to_owned());
            return;
        };
        let time = self.under_way.pop_front().expect("what comes out was under way");
        self.due = output.due;
        if let Feedback::Endless(topics) = &output.feedback {
            let names: Vec<&str> = topics.iter().map(TopicName::as_str).collect();
            tracing::warn!(topics = names.join(", "), "control topics do not settle");
        }
        self.feedback = output.feedback.clone();
        self.state_bytes += output.stats.state_grown;
        self.bus.limit_state(self.state_full());
        let applied = AppliedEpoch { epoch: output.epoch, time, deltas: output.deltas };
        let frames = self.bus.apply(applied, unix_nanoseconds());
        self.deliver(frames);
    }

    /// Closes the open epoch while the engine has room.
    fn close_epochs(&mut self) {
        let n_max = EPOCHS_OF_MESSAGES_MAX.min(self.n_under_way_max);
        if self.under_way.len() >= n_max || self.failure.is_some() {
            return;
        }
        if let Some(closed) = self.bus.close_epoch() {
            let rows = |input: BusInput| TopicInput {
                topic: input.topic,
                changes: Changes::Rows(input.changes),
            };
            let topics = closed.inputs.into_iter().map(rows).collect();
            // A failure is kept and told to whoever feeds next.
            let _ = self.feed_engine(closed.epoch, Cause::Input, topics);
        }
    }

    /// What the state takes, if that is more than it may.
    fn state_full(&self) -> Option<StateFull> {
        let n_bytes = u64::try_from(self.state_bytes).unwrap_or(0);
        let n_bytes_max = self.state_bytes_max.filter(|max| *max < n_bytes)?;
        Some(StateFull { n_bytes, n_bytes_max })
    }

    fn feed(&mut self, topics: Vec<TopicInput>) -> Result<Epoch, FeedError> {
        if let Some(full) = self.state_full().filter(|_| topics.iter().any(adds)) {
            return Err(FeedError::StateFull(full));
        }
        self.feed_open_epoch()?;
        for input in &topics {
            if !self.engine_inputs.contains(&input.topic) && !self.bus.orders(&input.topic) {
                return Err(FeedError::NotAnInput(input.topic.clone()));
            }
        }
        let events: Vec<BusInput> = topics
            .iter()
            .filter(|input| self.bus.orders(&input.topic))
            .map(|input| BusInput {
                topic: input.topic.clone(),
                changes: self.rows_of(&input.topic, &input.changes),
            })
            .collect();
        let epoch = self.bus.mint_epoch(&events);
        self.feed_engine(epoch, Cause::Input, topics)?;
        Ok(epoch)
    }

    /// Messages that came before are an epoch before.
    fn feed_open_epoch(&mut self) -> Result<(), FeedError> {
        let Some(closed) = self.bus.close_epoch() else { return Ok(()) };
        let rows = |input: BusInput| TopicInput {
            topic: input.topic,
            changes: Changes::Rows(input.changes),
        };
        let topics = closed.inputs.into_iter().map(rows).collect();
        self.feed_engine(closed.epoch, Cause::Input, topics)
    }

    fn end_time(&mut self) -> Result<Epoch, FeedError> {
        self.feed_open_epoch()?;
        if let Some(reason) = &self.failure {
            return Err(FeedError::Stopped(reason.clone()));
        }
        let epoch = self.bus.mint_epoch(&[]);
        let taken = self.dataflow.end_time(epoch);
        self.taken(taken).map(|()| epoch)
    }

    fn feed_engine(
        &mut self,
        epoch: Epoch,
        cause: Cause,
        topics: Vec<TopicInput>,
    ) -> Result<(), FeedError> {
        if let Some(reason) = &self.failure {
            return Err(FeedError::Stopped(reason.clone()));
        }
        let topics =
            topics.into_iter().filter(|input| self.engine_inputs.contains(&input.topic)).collect();
        let taken = match self.clock.time(epoch, cause) {
            Ok(time) => {
                self.time = time;
                self.dataflow.feed(EpochInput { epoch, time, topics })
            }
            Err(reason) => Err(arqon_engine::FeedError::Stopped(reason)),
        };
        self.taken(taken)
    }

    /// Counts an epoch that the engine has taken, or stops.
    fn taken(&mut self, taken: Result<(), arqon_engine::FeedError>) -> Result<(), FeedError> {
        match taken {
            Ok(()) => {
                self.under_way.push_back(self.time);
                Ok(())
            }
            Err(error) => {
                // The bus has minted an epoch that will never be applied: this cannot go on.
                let reason = error.to_string();
                tracing::error!(%reason, "the circuit has stopped");
                self.failure = Some(reason.clone());
                Err(FeedError::Stopped(reason))
            }
        }
    }

    /// Events one by one, for a topic in which the bus says where they stand.
    fn rows_of(&self, topic: &TopicName, changes: &Changes) -> Vec<Change> {
        match changes {
            Changes::Rows(changes) => changes.clone(),
            Changes::Errors(_) => Vec::new(),
            Changes::Columns(batch) => {
                let types = &self.types[topic];
                (0..batch.len()).map(|at| Change::Insert(batch.row(at, types))).collect()
            }
        }
    }
}
