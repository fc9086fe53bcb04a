//! Circuits come, take the place of others, and go, at an epoch of their own.
//!
//! A circuit that comes takes in what its input topics hold beside the others, as if that had come
//! in one epoch. What it then says differs from what the topics had, and that difference is one
//! delta for each topic, at the epoch of the change, when all that came before is out.
//! **Invariant:** a change that fails has changed nothing.

use std::collections::{BTreeMap, BTreeSet};

use arqon_engine::Dataflow;
use arqon_plan::{Artifact, DataflowPlan, Difference, Plan, difference};
use arqon_spine::{Source, TopicSpec};
use arqon_types::{DeltaBatch, Discipline, Epoch, Row, TopicName, Update, consolidate};
use tokio::sync::mpsc;

use crate::arrival::{Arriving, Coming, Newcomer};
use crate::chain::misreads;
use crate::circuit::{Circuit, CircuitId, Line, OnOutput, Told};
use crate::clock::Cause;
use crate::command::{Addition, Change, ChangeError, ChangeReply, Changed, Replacing};
use crate::hub::{Hub, UnderWay};
use crate::past::{parts, rows_of};
use crate::pulse::pulse;
use crate::topics::{schema_hash, topic_specs};

type Engines = mpsc::UnboundedReceiver<Told>;

impl Hub {
    /// Lets a circuit in that has almost caught up, and makes the changes that wait behind it.
    pub(crate) async fn welcome(&mut self, engines: &mut Engines) {
        loop {
            let is_over = self.ending.is_some() || self.failure.is_some();
            match &self.arriving {
                Some(arriving) if is_over || arriving.is_near() => self.let_in(engines).await,
                Some(_) => return,
                None => match self.changes.pop_front() {
                    Some((change, reply)) => self.change(change, reply, engines).await,
                    None => return,
                },
            }
        }
    }

    /// Makes a change, or begins to.
    async fn change(&mut self, change: Change, reply: ChangeReply, engines: &mut Engines) {
        // Of all answers: one who no longer waits for it has gone.
        match change {
            Change::Drop(name) => drop(reply.send(self.drop_circuit(name, engines).await)),
            Change::Install(addition) => match self.install(*addition, engines).await {
                Ok(coming) => self.arriving = Some(Arriving::new(coming, reply)),
                Err(error) => drop(reply.send(Err(error))),
            },
        }
    }

    async fn drop_circuit(
        &mut self,
        name: String,
        engines: &mut Engines,
    ) -> Result<Changed, ChangeError> {
        let Some(id) = self.named(&name) else { return Err(ChangeError::Unknown(name)) };
        if let Some((topic, reader)) = self.read_of(id).next() {
            return Err(ChangeError::Conflict(format!(
                "circuit `{reader}` reads topic `{topic}`, which `{name}` writes; drop `{reader}` \
                 first"
            )));
        }
        self.come_to_rest(engines).await?;
        let words = format!("circuit `{name}` was dropped");
        Ok(self.turn_over(Some(id), None, &words).changed(name))
    }

    /// Lets the newcomer take in the rest, and puts it at its place.
    async fn let_in(&mut self, engines: &mut Engines) {
        let rest = match self.come_to_rest(engines).await {
            Ok(()) => self.catch_up(engines).await.map_err(ChangeError::Stopped),
            Err(error) => Err(error),
        };
        let Some(mut arriving) = self.arriving.take() else { return };
        arriving.arrive(self.bus.next_epoch());
        let Arriving { id, mut newcomer, old, difference, reply, .. } = arriving;
        let name = newcomer.circuit.plan.circuit.clone();
        let outcome = match rest {
            Ok(()) => {
                self.share_state(&mut newcomer.circuit);
                let words = format!("circuit `{name}` was replaced");
                let turned = self.turn_over(old, Some((id, newcomer)), &words);
                Ok(Changed { difference, ..turned.changed(name) })
            }
            Err(error) => {
                self.retire(newcomer.circuit.dataflow.take());
                Err(error)
            }
        };
        let _ = reply.send(outcome);
    }

    /// Waits until the newcomer has taken in all that came for its topics.
    async fn catch_up(&mut self, engines: &mut Engines) -> Result<(), String> {
        self.time = self.clock.time(self.bus.next_epoch(), Cause::Input)?;
        if let Some(arriving) = &mut self.arriving {
            arriving.close(self.time);
        }
        while let Some(arriving) = &self.arriving {
            if arriving.has_caught_up()? {
                break;
            }
            let told = engines.recv().await.ok_or("the server has ended")?;
            self.hear_engine(told);
        }
        Ok(())
    }

    /// Starts a circuit on its own, before anything has come: what `arqon run` does.
    pub(crate) fn begin_with(
        &mut self,
        plan: DataflowPlan,
        on_output: OnOutput,
    ) -> Result<(), arqon_engine::StartError> {
        let id = self.next_id();
        let dataflow = self.start(id, plan.clone(), on_output)?;
        let circuit = Circuit::new(plan, None, dataflow, self.bus.next_epoch());
        for spec in circuit.specs.clone() {
            self.owners.insert(spec.name.clone(), id);
            self.bus.add_topic(spec);
        }
        self.circuits.insert(id, circuit);
        Ok(())
    }

    async fn install(
        &mut self,
        Addition { artifact, replacing, on_output }: Addition,
        engines: &mut Engines,
    ) -> Result<Coming, ChangeError> {
        let Artifact { plan: graph, dataflow: plan } = artifact;
        let name = plan.circuit.clone();
        let old = self.named(&name);
        if old.is_some() && replacing == Replacing::Never {
            return Err(ChangeError::Installed(name));
        }
        if let Some(conflict) = self.conflict(&plan, old) {
            return Err(ChangeError::Conflict(conflict));
        }
        let before = old.and_then(|id| self.circuits[&id].graph.as_ref());
        let difference = before.map(|before| difference(before, &graph));
        if let Some(found) = &difference
            && !found.is_compatible()
            && replacing != Replacing::Whatever
        {
            let difference = Box::new(found.clone());
            return Err(ChangeError::Incompatible { circuit: name, difference });
        }
        self.come_to_rest(engines).await?;
        let (held, starts_without) = self.held(&plan, old);
        let id = self.next_id();
        let dataflow = self.start(id, plan.clone(), on_output)?;
        let newcomer = Newcomer {
            circuit: Circuit::new(plan, Some(graph), dataflow, self.bus.next_epoch()),
            said: BTreeMap::new(),
            n_rows: held.iter().map(|held| rows_of(&held.rows)).sum(),
            starts_without,
        };
        let held = parts(&newcomer.circuit.plan, held, self.time);
        Ok(Coming { id, newcomer, old, difference, held })
    }

    /// What replacing the circuit of this name would change.
    pub(crate) fn compare(&self, graph: &Plan) -> Result<Difference, ChangeError> {
        let unknown = || ChangeError::Unknown(graph.circuit.clone());
        let id = self.named(&graph.circuit).ok_or_else(unknown)?;
        let before = self.circuits[&id].graph.as_ref().ok_or_else(unknown)?;
        Ok(difference(before, graph))
    }

    fn named(&self, name: &str) -> Option<CircuitId> {
        self.circuits.iter().find(|(_, it)| it.plan.circuit == name).map(|(id, _)| *id)
    }

    fn next_id(&mut self) -> CircuitId {
        self.n_circuits += 1;
        CircuitId(self.n_circuits)
    }

    fn start(
        &self,
        id: CircuitId,
        plan: DataflowPlan,
        mut on_output: OnOutput,
    ) -> Result<Dataflow, arqon_engine::StartError> {
        let line = Line { id, line: self.line.clone() };
        Dataflow::start(plan, self.engine.clone(), move |output| {
            let output = output.into_rows();
            on_output(&output);
            line.tell(output);
        })
    }

    /// Why the circuit cannot be beside the others, the one whose place it takes aside.
    fn conflict(&self, plan: &DataflowPlan, old: Option<CircuitId>) -> Option<String> {
        let specs = topic_specs(plan);
        for other in self.circuits.iter().filter(|(id, _)| Some(**id) != old).map(|(_, it)| it) {
            for spec in &specs {
                let Some(known) = other.specs.iter().find(|known| known.name == spec.name) else {
                    continue;
                };
                let (topic, circuit) = (&spec.name, &other.plan.circuit);
                if plan.namespace != other.plan.namespace {
                    let namespace = &other.plan.namespace;
                    return Some(format!(
                        "topic `{topic}` is there in namespace `{namespace}`, for circuit \
                         `{circuit}`; one server keeps no two topics of a name"
                    ));
                }
                let is_ours = old.is_some_and(|old| self.owners.get(topic) == Some(&old));
                let writer = if is_ours { Writer::Stays } else { Writer::Comes };
                if let Some(why) = clash(known, spec, writer) {
                    return Some(format!("topic `{topic}` belongs to circuit `{circuit}`: {why}"));
                }
            }
        }
        self.breaks_chain(plan, &specs, old)
    }

    /// Brings out all that came before.
    async fn come_to_rest(&mut self, engines: &mut Engines) -> Result<(), ChangeError> {
        loop {
            if self.failure.is_some() || self.ending.is_some() {
                return Err(ChangeError::Ended);
            }
            self.close_epochs();
            self.pass_on();
            self.bring_out();
            if self.under_way.is_empty() && !self.bus.has_input() {
                return Ok(());
            }
            if !self.under_way.is_empty() {
                let told = engines.recv().await.ok_or(ChangeError::Ended)?;
                self.hear_engine(told);
            }
        }
    }

    /// Takes one circuit away and puts another in, in an epoch of their own.
    #[expect(clippy::disallowed_methods, reason = "the server says how long epochs take")]
    fn turn_over(
        &mut self,
        old: Option<CircuitId>,
        newcomer: Option<(CircuitId, Newcomer)>,
        words: &str,
    ) -> Turned {
        let epoch = self.bus.mint_epoch(&[]);
        let gone = old.and_then(|id| Some((id, self.circuits.remove(&id)?)));
        let specs = newcomer.as_ref().map_or(Vec::new(), |(_, it)| it.circuit.specs.clone());
        if let Some((old, circuit)) = &gone {
            self.leave_topics((*old, circuit), &specs, words);
        }
        let mut turned = Turned { epoch, ..Turned::default() };
        let (time, begun, waits_for) = (self.time, std::time::Instant::now(), BTreeSet::new());
        let (mut deltas, mut pulses) = (Vec::new(), Vec::new());
        let come: BTreeSet<CircuitId> = newcomer.iter().map(|(id, _)| *id).collect();
        if let Some((id, newcomer)) = newcomer {
            self.take_topics(id, specs);
            pulses.extend(pulse(&newcomer.circuit.plan.circuit, &newcomer.circuit.tally));
            deltas = self.speak_first(id, newcomer, &mut turned);
        }
        self.note_readers();
        // Who comes has had its own: what it says first is for those who read it.
        let held_back = self.held_behind(&come);
        let under_way = UnderWay { epoch, time, begun, held_back, waits_for, deltas, pulses };
        self.under_way.push_back(under_way);
        self.pass_on();
        self.bring_out();
        if let Some((_, mut circuit)) = gone {
            self.retire(circuit.dataflow.take());
        }
        turned
    }

    /// Gives the topics of a circuit that goes to others that have them; what is left stays if the
    /// next circuit keeps its contract, and else goes with these words.
    fn leave_topics(
        &mut self,
        (old, circuit): (CircuitId, &Circuit),
        next: &[TopicSpec],
        words: &str,
    ) {
        for topic in &circuit.topics {
            // Who reads what it wrote says nothing of it.
            if !circuit.writes(topic) && self.hand_over(topic, old) {
                continue;
            }
            self.owners.remove(topic);
            let next = next.iter().find(|spec| spec.name == *topic);
            let breach = match (self.bus.topic(topic), next) {
                (Some(was), Some(next)) => was.breach(next).map(|what| {
                    let hash = schema_hash(&next.schema);
                    format!("{words}, and {what} has changed; the schema is now {hash}")
                }),
                (Some(_), None) => Some(words.to_owned()),
                (None, _) => None,
            };
            if let Some(words) = breach {
                let frames = self.bus.remove_topic(topic, &words);
                self.deliver(frames);
            }
        }
    }

    /// Makes the topics of a circuit that comes its own, those aside that another one says.
    fn take_topics(&mut self, id: CircuitId, specs: Vec<TopicSpec>) {
        for spec in specs {
            let topic = spec.name.clone();
            match self.bus.topic(&topic) {
                None => self.bus.add_topic(spec),
                Some(_) if self.is_owned(&topic) => continue,
                Some(_) => self.bus.renew_topic(spec),
            }
            self.owners.insert(topic, id);
        }
    }

    /// Puts a circuit among the others, and says how what it says differs from what its topics had.
    fn speak_first(
        &mut self,
        id: CircuitId,
        Newcomer { circuit, mut said, n_rows, starts_without }: Newcomer,
        turned: &mut Turned,
    ) -> Vec<DeltaBatch> {
        let (epoch, facts) = (turned.epoch, facts(&circuit));
        let mut deltas = Vec::new();
        for spec in circuit.specs.iter().filter(|spec| self.is_told_by(spec, id)) {
            let said = said.remove(&spec.name).unwrap_or_default();
            let updates = self.changed(spec, said, epoch, facts.contains(&spec.name));
            turned.n_updates += updates.len() as u64;
            if !updates.is_empty() {
                let (topic, upper) = (spec.name.clone(), epoch.next());
                deltas.push(DeltaBatch { topic, lower: epoch, upper, updates });
            }
        }
        (turned.n_rows, turned.starts_without) = (n_rows, starts_without);
        self.circuits.insert(id, circuit);
        deltas
    }

    /// Whether a circuit that runs says what changes in the topic.
    fn is_owned(&self, topic: &TopicName) -> bool {
        let owner = self.owners.get(topic).and_then(|id| self.circuits.get(id));
        owner.is_some_and(|circuit| circuit.running().is_some())
    }

    /// Whether what the circuit says of the topic's collection is what its clients see.
    fn is_told_by(&self, spec: &TopicSpec, id: CircuitId) -> bool {
        spec.edge.emits()
            && spec.discipline != Discipline::Events
            && self.owners.get(&spec.name) == Some(&id)
    }

    /// The way from what a topic has to what its new circuit says.
    fn changed(
        &self,
        spec: &TopicSpec,
        said: BTreeMap<Row, i64>,
        epoch: Epoch,
        keeps_facts: bool,
    ) -> Vec<Update> {
        let had = self.bus.state(&spec.name).unwrap_or_default();
        let gone = had.into_iter().filter(|_| !keeps_facts);
        let gone = gone.map(|(row, n)| Update { row, epoch, diff: -n });
        let come = said.into_iter().map(|(row, diff)| Update { row, epoch, diff });
        let mut updates: Vec<Update> = gone.chain(come).collect();
        consolidate(&mut updates);
        updates
    }
}

/// What a turnover came to.
#[derive(Default)]
struct Turned {
    epoch: Epoch,
    n_rows: u64,
    n_updates: u64,
    starts_without: Vec<TopicName>,
}

impl Turned {
    fn changed(self, circuit: String) -> Changed {
        let Self { epoch, n_rows, n_updates, starts_without } = self;
        let (difference, updates) = (None, n_updates);
        Changed { circuit, epoch, difference, n_rows, starts_without, updates }
    }
}

/// Errors of input topics: what was refused stays refused, whoever reads the topic.
fn facts(circuit: &Circuit) -> BTreeSet<TopicName> {
    let errors = circuit.inputs.iter().map(|topic| TopicName::parse(&format!("{topic}.errors")));
    errors.filter_map(Result::ok).collect()
}

/// Whether the circuit that comes to write a topic takes the place of one that does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writer {
    Comes,
    Stays,
}

/// Why two circuits cannot both have a topic.
fn clash(known: &TopicSpec, spec: &TopicSpec, writer: Writer) -> Option<String> {
    match (known.source, spec.source) {
        (Source::Outside, Source::Outside) => {
            let what = match known.breach(spec) {
                Some(what) => what,
                None if known.edge != spec.edge => "its edge",
                None if known.keep != spec.keep => "what it retains",
                None => return None,
            };
            Some(format!("both read it, but differ in {}", what.trim_start_matches("its ")))
        }
        (_, Source::Outside) => misreads(known, spec),
        (Source::Outside, _) if writer == Writer::Stays => {
            let why = misreads(spec, known)?;
            Some(format!("it reads it, and of this circuit: {why}"))
        }
        (Source::Outside, _) => Some(
            "it reads what this circuit would write, from its clients; drop it, install this one, \
             and then the other again"
                .to_owned(),
        ),
        _ => Some("it writes it, and a topic has one circuit that does".to_owned()),
    }
}
