//! Between edge, bus and engines: the bus, the circuits, and what is under way.
//!
//! One thread at a time is in here: whoever brings something, or the hub's own (`entrance`).
//!
//! Epochs close as soon as the engines have room, so that a lone message is not kept waiting and a
//! crowd of them shares an epoch. All circuits share one clock of epochs; an epoch is fed to those
//! that have a topic in it, and is out when all of them are done. **Invariant:** at most
//! [`EPOCHS_UNDER_WAY_MAX`] epochs are in the engines. With a circuit that writes to control topics
//! it is one: each begins with what the one before left.
//!
//! Where nothing comes, rows that are due to go because of when they came still go: by a tick, an
//! epoch without input. A record of the epochs of a run says which were ticks, so that they come
//! again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use arqon_engine::{Changes, Dataflow, EngineOptions, Feedback, TopicInput};
use arqon_shield::{ShutdownHandle, ToBus, ToClient};
use arqon_spine::{Bus, Output, SessionId, adds_rows};
use arqon_types::{DeltaBatch, Epoch, Row, TopicName};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::arrival::Arriving;
use crate::circuit::{Circuit, CircuitId, EngineLine, Told};
use crate::clock::{Cause, EpochClock, Recorded, unix_nanoseconds};
use crate::command::{Change, ChangeReply, Command, FeedError, SettleReply};
use crate::portion::Portion;
use crate::pulse::pulse_spec;

/// Epochs that the engines may have at once.
pub(crate) const EPOCHS_UNDER_WAY_MAX: usize = 8;

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

/// What becomes of a server whose circuit stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is there for this one circuit, and ends with it.
    EndsWithIt,
    /// It goes on with the others.
    GoesOn,
}

/// Whether changes may make the state grow; errors of lines that were not read are not held.
pub(crate) fn adds(input: &TopicInput) -> bool {
    match &input.changes {
        Changes::Rows(changes) => adds_rows(changes),
        Changes::Columns(rows) => rows.diffs.iter().any(|diff| *diff > 0),
        Changes::Errors(_) => false,
    }
}

/// What a hub is made of, beside the bus.
pub(crate) struct HubOptions {
    pub(crate) shutdown: Option<ShutdownHandle>,
    pub(crate) clock: Box<dyn EpochClock>,
    pub(crate) idle: Idle,
    pub(crate) fate: Fate,
    pub(crate) engine: EngineOptions,
    /// The line on which engines tell what epochs come to.
    pub(crate) line: EngineLine,
    /// Where what takes long is done aside.
    pub(crate) aside: Handle,
}

/// An epoch that is not out yet.
pub(crate) struct UnderWay {
    pub(crate) epoch: Epoch,
    /// When it came: what `epoch_time()` of its rows is.
    pub(crate) time: i64,
    pub(crate) begun: Instant,
    /// What circuits are to be given of it when those before them are done.
    pub(crate) held_back: BTreeMap<CircuitId, Portion>,
    /// Circuits that were given their portion, and are not done with it.
    pub(crate) waits_for: BTreeSet<CircuitId>,
    pub(crate) deltas: Vec<DeltaBatch>,
    /// What the circuits say of it that are done.
    pub(crate) pulses: Vec<Row>,
}

pub(crate) struct Hub {
    pub(crate) bus: Bus,
    pub(crate) circuits: BTreeMap<CircuitId, Circuit>,
    /// The circuit whose deltas of a topic are the bus's: one of those that read it, or the one
    /// that writes it.
    pub(crate) owners: BTreeMap<TopicName, CircuitId>,
    pub(crate) n_circuits: u64,
    /// States of steps that circuits have in common, or had.
    pub(crate) n_states_shared: u64,
    pub(crate) engine: EngineOptions,
    pub(crate) line: EngineLine,
    pub(crate) aside: Handle,
    outboxes: BTreeMap<SessionId, mpsc::Sender<ToClient>>,
    pub(crate) shutdown: Option<ShutdownHandle>,
    pub(crate) clock: Box<dyn EpochClock>,
    idle: Idle,
    pub(crate) fate: Fate,
    /// When the last epoch came that the clock was asked for.
    pub(crate) time: i64,
    /// The oldest first, one for each epoch that was minted.
    pub(crate) under_way: VecDeque<UnderWay>,
    /// Before this there is no other tick.
    no_tick_before: i64,
    /// Whether what goes back makes epochs by itself.
    settles: bool,
    waiting: Vec<SettleReply>,
    /// A circuit on its way in.
    pub(crate) arriving: Option<Arriving>,
    /// Changes that wait until it has come.
    pub(crate) changes: VecDeque<(Change, ChangeReply)>,
    pub(crate) ending: Option<u16>,
    /// The server's own circuit has stopped with these words; nothing is fed any more.
    pub(crate) failure: Option<String>,
}

impl Hub {
    pub(crate) fn new(bus: Bus, options: HubOptions) -> Self {
        let HubOptions { shutdown, clock, idle, fate, engine, line, aside } = options;
        let mut bus = bus;
        if fate == Fate::GoesOn {
            bus.add_topic(pulse_spec());
        }
        Self {
            bus,
            circuits: BTreeMap::new(),
            owners: BTreeMap::new(),
            n_circuits: 0,
            n_states_shared: 0,
            engine,
            line,
            aside,
            outboxes: BTreeMap::new(),
            shutdown,
            clock,
            idle,
            fate,
            time: 0,
            under_way: VecDeque::new(),
            no_tick_before: i64::MIN,
            // Files that are to be fed in order are fed to the server's own circuit.
            settles: fate == Fate::GoesOn,
            waiting: Vec::new(),
            arriving: None,
            changes: VecDeque::new(),
            ending: None,
            failure: None,
        }
    }

    /// Does all that may be done now.
    pub(crate) fn go_on(&mut self) {
        self.close_epochs();
        self.settle();
        self.tick();
        self.pass_on();
        self.bring_out();
    }

    pub(crate) async fn obey(
        &mut self,
        command: Command,
        engines: &mut mpsc::UnboundedReceiver<Told>,
    ) {
        // Of all answers: one who no longer waits for it has gone.
        match command {
            Command::Feed { topics, reply } => drop(reply.send(self.feed(topics))),
            Command::EndTime { reply } => drop(reply.send(self.end_time())),
            Command::Settle { reply } => {
                self.settles = true;
                self.waiting.push(reply);
            }
            Command::Change { change, reply } => {
                self.changes.push_back((change, reply));
                self.welcome(engines).await;
            }
            Command::Compare { artifact, reply } => drop(reply.send(self.compare(&artifact.plan))),
            Command::Report { reply } => drop(reply.send(self.report())),
            Command::Finish { code } => self.ending = Some(code),
        }
    }

    /// With a circuit that writes to control topics there is one epoch at a time.
    pub(crate) fn n_under_way_max(&self) -> usize {
        let mut running = self.circuits.values().filter(|circuit| circuit.running().is_some());
        let goes_back = running.any(|circuit| !circuit.plan.feedbacks.is_empty());
        if goes_back { 1 } else { EPOCHS_UNDER_WAY_MAX }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.failure.is_some()
            || self.ending.is_some()
                && self.under_way.is_empty()
                && !self.bus.has_input()
                && !self.goes_on()
    }

    /// Lets go back what waits for it, if nothing else makes an epoch; answers who waits.
    pub(crate) fn settle(&mut self) {
        if self.failure.is_none() {
            if !self.under_way.is_empty() || !self.settles || self.repeats_tick() {
                return;
            }
            self.feed_back();
        }
        let feedbacks = || self.circuits.values().map(|circuit| &circuit.feedback);
        let endless = feedbacks().filter_map(|feedback| match feedback {
            Feedback::Endless(topics) => Some(topics.clone()),
            Feedback::Pending | Feedback::Settled => None,
        });
        let answer = match (&self.failure, self.state_full()) {
            (Some(reason), _) => Err(FeedError::Stopped(reason.clone())),
            (None, _) if self.has_pending() => return,
            (None, Some(full)) => Err(FeedError::StateFull(full)),
            (None, None) => Ok(endless.flatten().collect()),
        };
        for reply in self.waiting.drain(..) {
            let _ = reply.send(answer.clone());
        }
    }

    /// Whether something waits to go back.
    pub(crate) fn has_pending(&self) -> bool {
        let mut running = self.circuits.values().filter(|circuit| circuit.running().is_some());
        running.any(|circuit| circuit.feedback == Feedback::Pending)
    }

    /// Whether the server takes what comes, and has not begun to end.
    pub(crate) fn is_open(&self) -> bool {
        self.ending.is_none() && self.failure.is_none()
    }

    /// Whether a command may be obeyed now.
    pub(crate) fn takes_commands(&self) -> bool {
        self.ending.is_none()
            && (self.failure.is_some()
                || self.under_way.len() < self.n_under_way_max() && !self.repeats_tick())
    }

    /// Whether what waits to go back, or somebody who waits until nothing does, is to be seen to.
    pub(crate) fn awaits_feedback(&self) -> bool {
        self.under_way.is_empty() && (!self.waiting.is_empty() || self.goes_on())
    }

    /// The engines, which end elsewhere.
    pub(crate) fn give_up_engines(&mut self) -> Vec<Dataflow> {
        let circuits = std::mem::take(&mut self.circuits).into_values();
        circuits.filter_map(|circuit| circuit.dataflow).collect()
    }

    /// Whether another epoch will make itself.
    fn goes_on(&self) -> bool {
        self.settles && self.has_pending()
    }

    /// Whether the next epoch is one that came by itself in the run that is repeated.
    pub(crate) fn repeats_tick(&self) -> bool {
        // A message that waits has the epoch for its own: then another run is repeated.
        self.failure.is_none()
            && !self.bus.has_input()
            && self.clock.recorded(self.bus.next_epoch()) == Recorded::Tick
    }

    /// When a tick is due, if nothing comes before.
    pub(crate) fn next_tick(&self) -> Option<i64> {
        let is_idle = self.idle == Idle::Tick
            && self.failure.is_none()
            && self.ending.is_none()
            && self.under_way.is_empty()
            && !self.bus.has_input()
            && !self.has_pending()
            && self.clock.recorded(self.bus.next_epoch()) == Recorded::Nothing;
        let of_circuits = self.circuits.values().filter_map(|circuit| circuit.due);
        let due = of_circuits.chain(self.bus.next_due()).min();
        due.filter(|_| is_idle).map(|due| due.max(self.no_tick_before))
    }

    /// How long there is nothing to do, if that ends by itself.
    pub(crate) fn sleep(&self) -> Option<Duration> {
        let nanoseconds = self.next_tick()?.saturating_sub(self.clock.now());
        Some(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0)).min(SLEEP_MAX))
    }

    /// Makes an epoch without input, if one is due.
    pub(crate) fn tick(&mut self) {
        let now = self.clock.now();
        let is_repeated = self.repeats_tick() && self.under_way.len() < self.n_under_way_max();
        if is_repeated || self.next_tick().is_some_and(|due| due <= now) {
            self.no_tick_before = now.saturating_add(TICK_INTERVAL);
            let epoch = self.bus.mint_epoch(&[]);
            // A failure is kept and told to whoever feeds next.
            let _ = self.feed_engines(epoch, Cause::Tick, Vec::new());
        }
    }

    pub(crate) fn hear(&mut self, message: ToBus) {
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

    /// Puts frames into the outboxes; what a session gets at once comes together, so that its
    /// thread is woken once.
    pub(crate) fn deliver(&mut self, outputs: Vec<Output>) {
        let mut outputs = outputs.into_iter().peekable();
        while let Some(output) = outputs.next() {
            let (session, item) = match output {
                Output::Frame { session, bytes } => {
                    let mut frames = vec![bytes];
                    while let Some(Output::Frame { bytes, .. }) =
                        outputs.next_if(|next| next.is_frame_of(session))
                    {
                        frames.push(bytes);
                    }
                    (session, ToClient::Frames(frames))
                }
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
}
