//! One timely worker: takes epochs from its queue, steps the dataflow, reports what is complete.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};

use timely::worker::Worker;

use crate::batch::Batch;
use crate::collector::Reports;
use crate::cone::Made;
use crate::counters::Counters;
use crate::evaluate::Formula;
use crate::forget::Forgetting;
use crate::kernel::{Means, SavedKernel};
use crate::mark::{Marks, NO_MARK};
use crate::narrow::{NarrowPlan, conditions};
use crate::recorder::{CounterId, Recorder};
use crate::render::{BackendChoice, Inlets, Rendered, render};
use crate::shared::{Shared, panic_text};
use crate::slot::Lent;
use crate::source::{Applied, HeldRow, Leased, Part, ReadAs, Reading, Source};
use crate::spin::Spin;

/// An epoch's changes for one worker: topics by their place in the plan.
#[derive(Debug)]
pub(crate) struct Feed {
    /// The epoch.
    pub(crate) epoch: u64,
    /// In log order.
    pub(crate) parts: Vec<(usize, Part)>,
    /// How far each topic has come after it.
    pub(crate) marks: Marks,
}

/// What a worker is told, in order.
#[derive(Debug)]
pub(crate) enum Order {
    /// Take an epoch.
    Feed(Feed),
    /// Say what the input topics hold after all epochs before.
    Tell(Sender<Holding>),
    /// Give out another lease of a topic's table, by place in the plan, and say on which worker.
    Lend(usize, Sender<(usize, Leased)>),
    /// Have a topic's table in common with others from now on, which holds the same.
    MoveTo(usize, Leased),
    /// Say whether all epochs before are complete.
    AtRest(Sender<bool>),
    /// Give out another lease of each of these steps' states, and say on which worker; none of a
    /// step that has none to give.
    LendSteps(Arc<[Made]>, Sender<(usize, Vec<Option<Lent>>)>),
    /// Have a step's state in common with others from now on, which hold the same.
    MoveStepTo(Made, Lent),
    /// Say what the kernels hold once all epochs before are complete.
    Save(Sender<Vec<SavedKernel>>),
}

/// What the input topics hold on one worker, by place in the plan; none where nothing is held.
pub(crate) type Holding = Vec<Option<Vec<HeldRow>>>;

/// All that a worker needs.
#[derive(Debug)]
pub(crate) struct Setup {
    /// The plan, the same for all workers.
    pub(crate) plan: Arc<NarrowPlan>,
    /// Its counters.
    pub(crate) counters: Arc<Counters>,
    /// What stateful steps are made of.
    pub(crate) backend: BackendChoice,
    /// By what means kernels step.
    pub(crate) means: Means,
    /// Epochs, in order; the end of the channel is the end of the input.
    pub(crate) orders: Receiver<Order>,
    /// To the collector.
    pub(crate) reports: Reports,
    /// Told once the dataflow stands, or cannot.
    pub(crate) ready: Sender<()>,
    /// Progress and failure.
    pub(crate) shared: Arc<Shared>,
}

/// Runs a worker until its input ends or the dataflow fails. Never unwinds.
pub(crate) fn run(worker: &mut Worker, setup: &Setup) {
    setup.shared.join_in();
    let outcome = catch_unwind(AssertUnwindSafe(|| drive(worker, setup)));
    if let Err(payload) = outcome {
        setup.shared.fail(panic_text(payload.as_ref()));
    }
    // What is left after a failure would never complete, and would keep the thread alive.
    for dataflow in worker.installed_dataflows() {
        let dropped = catch_unwind(AssertUnwindSafe(|| worker.drop_dataflow(dataflow)));
        if let Err(payload) = dropped {
            setup.shared.fail(panic_text(payload.as_ref()));
        }
    }
}

fn drive(worker: &mut Worker, setup: &Setup) {
    let recorder = Rc::new(RefCell::new(Recorder::new(&setup.counters.layout)));
    let mut rendered = worker.dataflow::<u64, _, _>(|scope| {
        let options = (setup.backend, &setup.means);
        render(scope, &setup.plan, options, &setup.counters, &recorder)
    });
    let mut errors = std::mem::take(&mut rendered.errors);
    let steads = std::mem::take(&mut rendered.steads);
    let mut saving: Option<Sender<Vec<SavedKernel>>> = None;
    let sources = sources(setup);
    let is_first = worker.index() == 0;
    let probe = rendered.probe.clone();
    let mut input = Some(Input {
        rendered,
        sources,
        recorder: Rc::clone(&recorder),
        tick: is_first,
        marks: None,
    });
    let mut in_flight = VecDeque::new();
    let (mut spin, mut awaited) = (Spin::default(), None);
    // The receiver may be gone if another worker could not start; then `has_failed` holds.
    let _ = setup.ready.send(());
    while !setup.shared.has_failed() {
        while let Some(open) = &mut input {
            match awaited.take().map_or_else(|| setup.orders.try_recv(), Ok) {
                Ok(Order::Feed(feed)) => {
                    spin.fed();
                    in_flight.push_back(feed.epoch);
                    open.feed(feed);
                }
                Ok(Order::Tell(reply)) => {
                    // One who no longer waits for the answer has gone.
                    let _ = reply.send(open.holding());
                }
                Ok(Order::Lend(topic, reply)) => {
                    let lease = open.sources[topic].as_ref().map(|(_, source)| source.another());
                    if let Some(lease) = lease {
                        let _ = reply.send((worker.index(), lease));
                    }
                }
                Ok(Order::MoveTo(topic, lease)) => {
                    if let Some((_, source)) = &mut open.sources[topic] {
                        source.move_to(lease);
                    }
                }
                Ok(Order::AtRest(reply)) => {
                    let _ = reply.send(in_flight.is_empty());
                }
                Ok(Order::LendSteps(steps, reply)) => {
                    let slots = &open.rendered.slots;
                    let lend = |it: &Made| Some(slots.get(&it.at)?.lend(&it.places));
                    let _ = reply.send((worker.index(), steps.iter().map(lend).collect()));
                }
                Ok(Order::MoveStepTo(Made { at, places }, lent)) => {
                    if let Some(slot) = open.rendered.slots.get(&at) {
                        slot.move_to(lent, places);
                    }
                }
                Ok(Order::Save(reply)) => {
                    // Whoever asks feeds nothing until it is answered.
                    saving = Some(reply);
                    break;
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => input = None,
            }
        }
        for feed in &mut errors {
            feed.feed(in_flight.iter().copied());
        }
        while let Some(epoch) = in_flight.front().copied() {
            if probe.less_equal(&epoch) {
                break;
            }
            in_flight.pop_front();
            let record = recorder.borrow_mut().take(epoch);
            setup.reports.send(epoch, record, in_flight.len());
        }
        if in_flight.is_empty()
            && let Some(reply) = saving.take()
        {
            let saved = steads.iter().filter_map(|stead| stead.borrow().save()).collect();
            let _ = reply.send(saved);
        }
        if input.is_none() && in_flight.is_empty() {
            // No error can come any more, and who reads them is to learn of it.
            errors.clear();
            if !worker.has_dataflows() {
                return;
            }
        }
        if input.is_some() && in_flight.is_empty() {
            // What an epoch leaves to be tidied up is not kept waiting.
            worker.step();
            awaited = spin.wait(&setup.orders);
        }
        if awaited.is_none() {
            worker.step_or_park(None);
        }
    }
}

/// The topics' states with their counters, by place in the plan; none for topics that a step
/// writes.
fn sources(setup: &Setup) -> Vec<Option<(CounterId, Leased)>> {
    let NarrowPlan { plan, keep, .. } = &*setup.plan;
    let topics = plan.topics.iter().zip(&setup.counters.topics);
    topics
        .map(|(topic, counter)| {
            let reading = Reading::of(plan, &topic.name);
            let passing = conditions(plan, topic, *keep);
            let passing = passing.into_iter().map(Formula::all).collect();
            let forgetting = Forgetting::of(plan, topic);
            let source = Source::new(topic.clone(), (reading, *keep, passing), forgetting);
            Some(((*counter)?, Leased::new(source)))
        })
        .collect()
}

/// The open end of a worker's dataflow.
struct Input {
    rendered: Rendered,
    sources: Vec<Option<(CounterId, Leased)>>,
    recorder: Rc<RefCell<Recorder>>,
    /// Whether this worker still has to announce the first epoch.
    tick: bool,
    /// The marks that were announced last.
    marks: Option<Marks>,
}

impl Input {
    fn holding(&self) -> Holding {
        let held = |source: &Option<(CounterId, Leased)>| source.as_ref()?.1.held();
        self.sources.iter().map(held).collect()
    }

    fn feed(&mut self, Feed { epoch, parts, marks }: Feed) {
        self.recorder.borrow_mut().epoch(epoch);
        self.advance_to(epoch);
        if std::mem::take(&mut self.tick) {
            self.rendered.ticks.send_batch(&mut vec![epoch]);
        }
        if self.marks.as_ref() != Some(&marks) {
            self.rendered.marks.send_batch(&mut vec![(epoch, Marks::clone(&marks))]);
            self.marks = Some(Marks::clone(&marks));
        }
        let mut by_topic: Vec<Vec<Part>> = self.sources.iter().map(|_| Vec::new()).collect();
        for (topic, part) in parts {
            by_topic[topic].push(part);
        }
        for (topic, (source, parts)) in self.sources.iter_mut().zip(by_topic).enumerate() {
            let Some((counter, source)) = source else { continue };
            // Behind the marks of the topics stands the time of epochs.
            let now = match source.forgetting() {
                Forgetting::Never if parts.is_empty() => continue,
                Forgetting::Never => NO_MARK,
                Forgetting::Marked { .. } => marks[topic],
                Forgetting::Arrival(_) => *marks.last().expect("rows go by the time of epochs"),
            };
            let Applied { batches, counts, errors, .. } = source.apply(parts, now);
            let mut recorder = self.recorder.borrow_mut();
            let record = recorder.epoch(epoch);
            record.counts[counter.0].merge(&counts);
            record.errors.extend(errors.into_iter().map(|error| (error, 1)));
            drop(recorder);
            let Some(inlets) = self.rendered.inputs.get_mut(source.name()) else { continue };
            for fed in batches {
                if let (Some(log), ReadAs::Both | ReadAs::Log) = (&mut inlets.log, fed.read_as) {
                    log.send_batch(&mut Batch { time: epoch, rows: Rc::new(fed.placed()) });
                }
                if let (Some(rows), ReadAs::Both | ReadAs::Rows) = (&mut inlets.rows, fed.read_as) {
                    rows.send_batch(&mut Batch { time: epoch, rows: Rc::new(fed.rows) });
                }
            }
        }
        self.advance_to(epoch + 1);
    }

    fn advance_to(&mut self, epoch: u64) {
        for inlet in self.rendered.inputs.values_mut().flat_map(Inlets::iter_mut) {
            inlet.advance_to(epoch);
        }
        self.rendered.ticks.advance_to(epoch);
        self.rendered.marks.advance_to(epoch);
    }
}
