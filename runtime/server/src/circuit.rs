//! A circuit that the server runs, or ran until it stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arqon_engine::{Dataflow, Feedback, RowOutput};
use arqon_plan::{DataflowPlan, Plan};
use arqon_spine::{Source, StateFull, TopicSpec};
use arqon_types::{Epoch, TopicName, Type};
use tokio::sync::mpsc;

use crate::tally::Tally;
use crate::topics::{engine_inputs, read_topics, topic_specs};

/// A circuit's number; a replaced one has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CircuitId(pub(crate) u64);

/// What engines tell the hub.
pub(crate) enum Told {
    /// What an epoch came to.
    Epoch(CircuitId, RowOutput),
    /// No epoch will come out any more.
    Ended(CircuitId),
}

/// Called for each epoch of a circuit, in order. A circuit that begins with what its topics hold
/// may take that in as several epochs, and counts them all.
pub type OnOutput = Box<dyn FnMut(&RowOutput) + Send>;

/// The way from engines to the hub.
///
/// It has no bound of its own: an engine has no more to say than the epochs it was fed, and of
/// these the hub has few under way. So neither ever waits for the other.
#[derive(Clone)]
pub(crate) struct EngineLine {
    pub(crate) hub: mpsc::UnboundedSender<Told>,
    /// Rung when something was told, on the thread of whoever told it.
    pub(crate) bell: Arc<dyn Fn() + Send + Sync>,
}

impl EngineLine {
    fn tell(&self, told: Told) {
        // A hub that is gone has ended, and nobody waits for this any more.
        let _ = self.hub.send(told);
        (self.bell)();
    }
}

/// The way from one engine to the hub.
pub(crate) struct Line {
    pub(crate) id: CircuitId,
    pub(crate) line: EngineLine,
}

impl Line {
    /// Tells what an epoch came to.
    pub(crate) fn tell(&self, output: RowOutput) {
        self.line.tell(Told::Epoch(self.id, output));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.line.tell(Told::Ended(self.id));
    }
}

#[derive(Debug)]
pub(crate) struct Circuit {
    /// The typed graph, by which another circuit is compared; none of one that is never replaced.
    pub(crate) graph: Option<Plan>,
    pub(crate) plan: DataflowPlan,
    /// Its topics, as the bus knows them.
    pub(crate) specs: Vec<TopicSpec>,
    pub(crate) topics: BTreeSet<TopicName>,
    /// Those that the engine reads.
    pub(crate) inputs: BTreeSet<TopicName>,
    /// Of these, those whose tables it has in common with other circuits, or had.
    pub(crate) shares: BTreeSet<TopicName>,
    /// Steps whose states it has in common with other circuits, or had: those of one number.
    pub(crate) steps_shared: BTreeMap<Arc<str>, u64>,
    /// Of the inputs, those that it does not write itself.
    pub(crate) reads: BTreeSet<TopicName>,
    /// The circuits that write some of them: in an epoch they come before it.
    pub(crate) stages_before: BTreeSet<CircuitId>,
    types: BTreeMap<TopicName, Vec<Type>>,
    /// None once it has stopped, unless somebody is to learn why.
    pub(crate) dataflow: Option<Dataflow>,
    /// Why it has stopped, if it has.
    pub(crate) stopped: Option<String>,
    /// The epoch with which it began.
    pub(crate) since: Epoch,
    /// Epochs of the engine are so many ahead of those of the bus: it had others before it came.
    ahead: i128,
    /// When the engine lets go of a row, as of the last epoch that came out.
    pub(crate) due: Option<i64>,
    /// Whether the last epoch that came out leaves something to go back.
    pub(crate) feedback: Feedback,
    pub(crate) tally: Tally,
}

impl Circuit {
    /// A circuit that has done nothing yet.
    pub(crate) fn new(
        plan: DataflowPlan,
        graph: Option<Plan>,
        dataflow: Dataflow,
        since: Epoch,
    ) -> Self {
        let types = plan.topics.iter().map(|topic| (topic.name.clone(), topic.schema.types()));
        let (specs, inputs) = (topic_specs(&plan), engine_inputs(&plan));
        Self {
            reads: read_topics(&specs, &inputs),
            shares: BTreeSet::new(),
            steps_shared: BTreeMap::new(),
            stages_before: BTreeSet::new(),
            specs,
            topics: plan.topics.iter().map(|topic| topic.name.clone()).collect(),
            inputs,
            types: types.collect(),
            graph,
            plan,
            dataflow: Some(dataflow),
            stopped: None,
            since,
            ahead: 0,
            due: None,
            feedback: Feedback::Settled,
            tally: Tally::default(),
        }
    }

    /// The engine, as long as it runs.
    pub(crate) fn running(&self) -> Option<&Dataflow> {
        self.dataflow.as_ref().filter(|_| self.stopped.is_none())
    }

    /// Whether its nodes, and nobody else, write the topic.
    pub(crate) fn writes(&self, topic: &TopicName) -> bool {
        let is_it = |spec: &&TopicSpec| spec.name == *topic && spec.source == Source::Circuit;
        self.specs.iter().any(|spec| is_it(&spec))
    }

    /// The types of a topic's fields.
    pub(crate) fn types(&self, topic: &TopicName) -> Option<&[Type]> {
        self.types.get(topic).map(Vec::as_slice)
    }

    /// What the state takes, if that is more than it may.
    pub(crate) fn state_full(&self) -> Option<StateFull> {
        let n_bytes = u64::try_from(self.tally.state_bytes).unwrap_or(0);
        let n_bytes_max = self.plan.state_bytes_max.filter(|max| *max < n_bytes)?;
        Some(StateFull { n_bytes, n_bytes_max })
    }

    /// From now on this epoch of the engine is that one of the bus.
    pub(crate) fn begin_at(&mut self, engine: Epoch, bus: Epoch) {
        self.ahead = i128::from(engine.0) - i128::from(bus.0);
    }

    /// The engine's number of an epoch of the bus.
    pub(crate) fn engine_epoch(&self, epoch: Epoch) -> Epoch {
        let engine = i128::from(epoch.0) + self.ahead;
        Epoch(u64::try_from(engine).expect("an engine has as many epochs as it was fed"))
    }

    /// The output in the epochs of the bus.
    pub(crate) fn in_bus_epochs(&self, mut output: RowOutput) -> RowOutput {
        if self.ahead != 0 {
            let bus = i128::from(output.epoch.0) - self.ahead;
            let epoch = Epoch(u64::try_from(bus).expect("the bus minted what is out"));
            (output.epoch, output.stats.epoch) = (epoch, epoch);
            for delta in &mut output.deltas {
                (delta.lower, delta.upper) = (epoch, epoch.next());
                delta.updates.iter_mut().for_each(|update| update.epoch = epoch);
            }
        }
        output
    }
}
