//! Epochs on their way: from the bus into the engines of the circuits, and out again, in order.

use std::collections::{BTreeMap, BTreeSet};

use arqon_engine::{Changes, Dataflow, Feedback, TopicInput};
use arqon_spine::{AppliedEpoch, ClosedEpoch, StateFull, TopicInput as BusInput};
use arqon_types::{Change, DeltaBatch, Epoch, TopicName};

use crate::circuit::{Circuit, CircuitId, Told};
use crate::clock::{Cause, unix_nanoseconds};
use crate::command::FeedError;
use crate::hub::{Fate, Hub, UnderWay, adds};
use crate::portion::{Portion, written_for};
use crate::pulse::{pulse, pulses};

/// Of the epochs under way those that close by themselves; more would be small ones.
const EPOCHS_OF_MESSAGES_MAX: usize = 2;

impl Hub {
    /// Whether there is room for an epoch that closes by itself.
    pub(crate) fn may_close_epoch(&self) -> bool {
        let n_max = EPOCHS_OF_MESSAGES_MAX.min(self.n_under_way_max());
        self.under_way.len() < n_max && self.failure.is_none()
    }

    /// Closes the open epoch while the engines have room.
    pub(crate) fn close_epochs(&mut self) {
        if !self.may_close_epoch() {
            return;
        }
        // A failure is kept and told to whoever feeds next.
        let _ = self.feed_open_epoch();
    }

    /// Messages that came before are an epoch before.
    fn feed_open_epoch(&mut self) -> Result<(), FeedError> {
        let Some(ClosedEpoch { epoch, inputs }) = self.bus.close_epoch() else { return Ok(()) };
        let rows =
            |BusInput { topic, changes }| TopicInput { topic, changes: Changes::Rows(changes) };
        self.feed_engines(epoch, Cause::Input, inputs.into_iter().map(rows).collect())
    }

    pub(crate) fn feed(&mut self, topics: Vec<TopicInput>) -> Result<Epoch, FeedError> {
        if let Some(full) = self.state_full().filter(|_| topics.iter().any(adds)) {
            return Err(FeedError::StateFull(full));
        }
        self.feed_open_epoch()?;
        for input in &topics {
            let is_read = self.circuits.values().any(|it| it.inputs.contains(&input.topic));
            if !is_read && !self.bus.orders(&input.topic) {
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
        self.feed_engines(epoch, Cause::Input, topics)?;
        Ok(epoch)
    }

    pub(crate) fn end_time(&mut self) -> Result<Epoch, FeedError> {
        self.feed_open_epoch()?;
        if let Some(reason) = &self.failure {
            return Err(FeedError::Stopped(reason.clone()));
        }
        let epoch = self.bus.mint_epoch(&[]);
        let all = self.concerned(&[]).into_iter();
        self.begin(epoch, all.map(|id| (id, Portion::EndOfTime)).collect())?;
        Ok(epoch)
    }

    /// Lets go back what waits for it, in an epoch of its own.
    pub(crate) fn feed_back(&mut self) {
        let pending = |circuit: &Circuit| circuit.feedback == Feedback::Pending;
        let all = self.concerned(&[]);
        let those = all.into_iter().filter(|id| pending(&self.circuits[id]));
        let portions: BTreeMap<CircuitId, Portion> =
            those.map(|id| (id, Portion::Feedback)).collect();
        if portions.is_empty() {
            return;
        }
        let epoch = self.bus.mint_epoch(&[]);
        // A failure is kept, and told to whoever waits.
        let _ = self.begin(epoch, portions);
    }

    /// The circuits that have a topic among these; all of them, of an epoch without input.
    fn concerned(&self, topics: &[TopicInput]) -> BTreeSet<CircuitId> {
        let has_one = |circuit: &Circuit| {
            topics.is_empty() || topics.iter().any(|input| circuit.topics.contains(&input.topic))
        };
        let running = self.circuits.iter().filter(|(_, circuit)| circuit.running().is_some());
        running.filter(|(_, circuit)| has_one(circuit)).map(|(id, _)| *id).collect()
    }

    /// The circuits that a tick concerns: those that have something to let go of, or all of them.
    fn ticked(&self) -> BTreeSet<CircuitId> {
        let now = self.time;
        let is_due = |circuit: &Circuit| circuit.due.is_some_and(|due| due <= now);
        let all = self.concerned(&[]);
        let due: BTreeSet<CircuitId> =
            all.iter().copied().filter(|id| is_due(&self.circuits[id])).collect();
        if due.is_empty() { all } else { due }
    }

    /// Feeds an epoch that the bus has minted to the circuits that it concerns.
    pub(crate) fn feed_engines(
        &mut self,
        epoch: Epoch,
        cause: Cause,
        mut topics: Vec<TopicInput>,
    ) -> Result<(), FeedError> {
        if let Some(reason) = &self.failure {
            return Err(FeedError::Stopped(reason.clone()));
        }
        match self.clock.time(epoch, cause) {
            Ok(time) => self.time = time,
            Err(reason) => return self.fail(reason),
        }
        let time = self.time;
        if let Some(arriving) = &mut self.arriving {
            arriving.follow(time, &topics);
        }
        let those = match cause {
            Cause::Input => self.concerned(&topics),
            Cause::Tick => self.ticked(),
        };
        let mut n_left = those.len();
        let portion = |id: CircuitId| {
            n_left -= 1;
            let mut own = if n_left == 0 { std::mem::take(&mut topics) } else { topics.clone() };
            own.retain(|input| self.circuits[&id].inputs.contains(&input.topic));
            (id, Portion::Input(own))
        };
        let portions = those.into_iter().map(portion).collect();
        self.begin(epoch, portions)
    }

    /// Begins an epoch in these circuits and those behind them; one that does not take it stops.
    #[expect(clippy::disallowed_methods, reason = "the server says how long epochs take")]
    fn begin(
        &mut self,
        epoch: Epoch,
        portions: BTreeMap<CircuitId, Portion>,
    ) -> Result<(), FeedError> {
        let (time, begun) = (self.time, std::time::Instant::now());
        let mut held_back = self.held_behind(&portions.keys().copied().collect());
        held_back.extend(portions);
        let waits_for = BTreeSet::new();
        let (deltas, pulses) = (Vec::new(), Vec::new());
        let under_way = UnderWay { epoch, time, begun, held_back, waits_for, deltas, pulses };
        self.under_way.push_back(under_way);
        self.pass_on();
        self.failure.as_ref().map_or(Ok(()), |reason| Err(FeedError::Stopped(reason.clone())))
    }

    /// Takes what an engine has to say.
    pub(crate) fn hear_engine(&mut self, told: Told) {
        match told {
            Told::Ended(id) => {
                if let Some(arriving) = self.arriving.as_mut().filter(|it| it.id == id) {
                    return arriving.end();
                }
                let Some(circuit) = self.circuits.get(&id) else { return };
                let Some(dataflow) = circuit.running() else { return };
                let reason =
                    dataflow.failure().unwrap_or_else(|| "the engine has ended".to_owned());
                self.stop(id, &reason);
            }
            Told::Epoch(id, output) => {
                if let Some(arriving) = self.arriving.as_mut().filter(|it| it.id == id) {
                    return arriving.hear(output);
                }
                // One that has stopped, or is gone, has no more to say.
                let Some(circuit) = self.circuits.get_mut(&id) else { return };
                if circuit.dataflow.is_none() {
                    return;
                }
                let output = circuit.in_bus_epochs(output);
                let first = self.under_way.front().expect("what comes out is under way").epoch;
                let at = usize::try_from(output.epoch.0 - first.0).expect("few are under way");
                let epoch = &mut self.under_way[at];
                epoch.waits_for.remove(&id);
                let is_own = |it: &DeltaBatch| self.owners.get(&it.topic) == Some(&id);
                let own: Vec<DeltaBatch> = output.deltas.into_iter().filter(is_own).collect();
                if let Some(arriving) = &mut self.arriving {
                    let of_others = own.iter().filter(|it| circuit.writes(&it.topic));
                    let written = written_for(&arriving.newcomer.circuit, of_others);
                    arriving.follow(epoch.time, &written);
                }
                epoch.deltas.extend(own);
                circuit.tally.add(&output.stats, epoch.begun.elapsed());
                epoch.pulses.extend(pulse(&circuit.plan.circuit, &circuit.tally));
                circuit.due = output.due;
                if let Feedback::Endless(topics) = &output.feedback {
                    let names: Vec<&str> = topics.iter().map(TopicName::as_str).collect();
                    tracing::warn!(topics = names.join(", "), "control topics do not settle");
                }
                circuit.feedback = output.feedback;
            }
        }
        self.bring_out();
    }

    /// Brings out the oldest epochs, as far as all circuits are done with them.
    pub(crate) fn bring_out(&mut self) {
        let is_done = |epoch: &UnderWay| epoch.waits_for.is_empty() && epoch.held_back.is_empty();
        while self.under_way.front().is_some_and(is_done) {
            let Some(UnderWay { epoch, time, mut deltas, pulses: rows, .. }) =
                self.under_way.pop_front()
            else {
                return;
            };
            if self.fate == Fate::GoesOn && !rows.is_empty() {
                deltas.push(pulses(epoch, rows));
            }
            self.limit_state();
            let applied = AppliedEpoch { epoch, time, deltas };
            let frames = self.bus.apply(applied, unix_nanoseconds());
            self.deliver(frames);
        }
    }

    /// Stops a circuit: the server with it, if it is there for it alone, and else no other circuit.
    pub(crate) fn stop(&mut self, id: CircuitId, reason: &str) {
        let Some(circuit) = self.circuits.get_mut(&id) else { return };
        if circuit.stopped.is_some() {
            return;
        }
        let name = circuit.plan.circuit.clone();
        tracing::error!(circuit = name.as_str(), reason, "the circuit has stopped");
        circuit.stopped = Some(reason.to_owned());
        circuit.due = None;
        if self.fate == Fate::EndsWithIt {
            self.failure.get_or_insert_with(|| reason.to_owned());
            return;
        }
        let dataflow = circuit.dataflow.take();
        self.retire(dataflow);
        for epoch in &mut self.under_way {
            epoch.waits_for.remove(&id);
            epoch.held_back.remove(&id);
        }
        let words = format!("circuit `{name}` has stopped: {reason}");
        for topic in self.circuits[&id].topics.clone() {
            // Who reads what it wrote says nothing of it.
            if self.circuits[&id].writes(&topic) || !self.hand_over(&topic, id) {
                let frames = self.bus.stop_topic(&topic, &words);
                self.deliver(frames);
            }
        }
        self.limit_state();
    }

    /// Ends an engine without waiting for it: its state may be large.
    pub(crate) fn retire(&self, dataflow: Option<Dataflow>) {
        if let Some(dataflow) = dataflow {
            drop(self.aside.spawn_blocking(move || drop(dataflow)));
        }
    }

    /// Gives a topic of a circuit that goes to another one that runs and has it; whether there is
    /// one.
    pub(crate) fn hand_over(&mut self, topic: &TopicName, from: CircuitId) -> bool {
        let mut others = self.circuits.iter().filter(|(id, circuit)| {
            **id != from && circuit.running().is_some() && circuit.topics.contains(topic)
        });
        let Some((next, _)) = others.next() else { return false };
        let next = *next;
        if self.owners.get(topic) == Some(&from) {
            self.owners.insert(topic.clone(), next);
        }
        true
    }

    /// Ends the server with these words.
    fn fail(&mut self, reason: String) -> Result<(), FeedError> {
        tracing::error!(reason = reason.as_str(), "the server cannot go on");
        self.failure.get_or_insert_with(|| reason.clone());
        Err(FeedError::Stopped(reason))
    }

    /// What the state of a circuit takes, if that is more than it may.
    pub(crate) fn state_full(&self) -> Option<StateFull> {
        self.circuits.values().find_map(Circuit::state_full)
    }

    /// Tells the bus which topics take no more, since a circuit that reads them is full.
    pub(crate) fn limit_state(&mut self) {
        let full = self.circuits.iter().filter(|(_, circuit)| circuit.running().is_some());
        let full = full.filter_map(|(id, circuit)| Some((*id, circuit.state_full()?)));
        // What a circuit reads of others grows by what they take.
        let topics = full.flat_map(|(id, full)| {
            let grow = self.before(id).into_iter().filter_map(|id| self.circuits.get(&id));
            grow.flat_map(|circuit| &circuit.topics).map(move |topic| (topic.clone(), full))
        });
        self.bus.limit_state(topics.collect());
    }

    /// Events one by one, for a topic in which the bus says where they stand.
    fn rows_of(&self, topic: &TopicName, changes: &Changes) -> Vec<Change> {
        match changes {
            Changes::Rows(changes) => changes.clone(),
            Changes::Errors(_) => Vec::new(),
            Changes::Columns(batch) => {
                let Some(types) = self.circuits.values().find_map(|it| it.types(topic)) else {
                    return Vec::new();
                };
                (0..batch.len()).map(|at| Change::Insert(batch.row(at, types))).collect()
            }
        }
    }
}
