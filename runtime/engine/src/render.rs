//! From plan to dataflow: a straight walk over the steps, without analysis.

mod joins;
mod kernels;
mod loops;
mod sessions;

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use timely::container::NoopBuilder;
use timely::dataflow::operators::Probe;
use timely::dataflow::operators::core::Concat;
use timely::dataflow::operators::vec::Map as _;
use timely::dataflow::{InputHandle, ProbeHandle, Scope, Stream};

use arqon_plan::{
    Closing, DataflowPlan, LoopId, Operator, Release, Retention, RetentionRule, Step, StepId,
};
use arqon_types::{PackedRow, TopicName};

use crate::along::OverShape;
use crate::arrangement::{
    reduce_distinct, reduce_groups, reduce_latest, reduce_over, reduce_top, reduce_unique,
};
use crate::batch::{Batch, Batches, Keyed, KeyedRows};
use crate::counters::Counters;
use crate::distinct::DistinctLogic;
use crate::error_feed::ErrorFeed;
use crate::evaluate::Formula;
use crate::form::Ended;
use crate::group::{GroupLogic, GroupShape};
use crate::hold::{HoldLogic, Shown, pack_time};
use crate::joined::{Joined, joined};
use crate::kernel::{Means, Stead};
use crate::keyed::{Incoming, KeyShape, PackValue, Packer, pack_nothing, pack_whole};
use crate::latest::{LatestLogic, LatestShape};
use crate::looped::members;
use crate::map::{Stages, render_map, unite};
use crate::mark::Marks;
use crate::narrow::NarrowPlan;
use crate::open::OpenKeys;
use crate::over::OverLogic;
use crate::packed::Packed;
use crate::recorder::{CounterId, Meter, Recorder};
use crate::retain::{RetainLogic, pack_changes};
use crate::route::render_route;
use crate::session::{GroupedSessions, grouped_sessions};
use crate::sink::render_sink;
use crate::slot::Slot;
use crate::stateful::{KeyLogic, MarkStream, Operation, Placement, render_leased, render_stateful};
use crate::top::{TopLogic, TopShape};
use crate::unique::UniqueLogic;
use crate::whole::{pack_keys, unpack};
use crate::window::{render_late, render_window};

/// What the stateful steps are made of; all choices give the same answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackendChoice {
    /// The engine chooses; today hash operators everywhere.
    #[default]
    Auto,
    /// Differential arrangements.
    Arrangements,
    /// Hash operators over totally ordered epochs.
    Hash,
}

/// What a choice comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backend {
    Arrangements,
    Hash,
}

impl BackendChoice {
    /// For stateful steps outside of loops, where epochs are totally ordered, so that the hash
    /// operators are right for all of them. Within a loop there are arrangements only.
    fn backend(self) -> Backend {
        match self {
            Self::Arrangements => Backend::Arrangements,
            Self::Auto | Self::Hash => Backend::Hash,
        }
    }
}

/// Where rows go in.
pub(crate) type Inlet = InputHandle<u64, NoopBuilder<Batch>>;

/// Where an input topic's rows go in; each where a step reads them so.
#[derive(Default)]
pub(crate) struct Inlets {
    /// The rows.
    pub(crate) rows: Option<Inlet>,
    /// The rows, each with its place in the log.
    pub(crate) log: Option<Inlet>,
}

impl Inlets {
    /// Both.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Inlet> {
        self.rows.iter_mut().chain(&mut self.log)
    }
}

/// What a worker holds of its dataflow.
pub(crate) struct Rendered {
    /// The inlets of each input topic.
    pub(crate) inputs: BTreeMap<TopicName, Inlets>,
    /// Where groups without keys learn of the first epoch.
    pub(crate) ticks: InputHandle<u64, NoopBuilder<Vec<u64>>>,
    /// Where errors that steps read come back, in the order of the steps.
    pub(crate) errors: Vec<ErrorFeed>,
    /// Where steps learn how far the topics have come.
    pub(crate) marks: InputHandle<u64, NoopBuilder<Vec<(u64, Marks)>>>,
    /// Knows which epochs are complete.
    pub(crate) probe: ProbeHandle<u64>,
    /// The steps of kernels.
    pub(crate) steads: Vec<Rc<RefCell<Stead>>>,
    /// The steps whose state others may have in common, by place in the plan.
    pub(crate) slots: BTreeMap<usize, Slot>,
}

/// What a step's readers see.
enum Collection<'scope> {
    Rows(Batches<'scope>),
    Arms(Vec<Batches<'scope>>),
    /// The step is rendered with another one: that which leaves a loop, or a group by session.
    Within,
}

/// The walk's state.
struct Walk<'scope, 'a> {
    scope: Scope<'scope, u64>,
    narrow: &'a NarrowPlan,
    plan: &'a DataflowPlan,
    /// The steps of each outermost loop.
    loops: &'a BTreeMap<LoopId, Vec<usize>>,
    probe: ProbeHandle<u64>,
    backend: Backend,
    means: &'a Means,
    counters: &'a Counters,
    recorder: Rc<RefCell<Recorder>>,
    file: Arc<str>,
    ticks: KeyedRows<'scope>,
    inputs: BTreeMap<TopicName, Inlets>,
    marks: Stream<'scope, u64, Vec<(u64, Marks)>>,
    errors: Vec<ErrorFeed>,
    /// What steps send beside their rows, until its reader comes.
    asides: BTreeMap<StepId, Batches<'scope>>,
    /// The steps of kernels.
    steads: Vec<Rc<RefCell<Stead>>>,
    /// The steps whose state others may have in common.
    slots: RefCell<BTreeMap<usize, Slot>>,
    /// What joins hold.
    joined: BTreeMap<StepId, Joined>,
    /// Of each arrangement a first reader, until all have theirs.
    readers: RefCell<BTreeMap<usize, Box<dyn Any>>>,
    /// Ends within loops that lead nowhere.
    loop_ends: Vec<LoopEnd<'scope>>,
    /// Groups by session that are one operator with their window.
    grouped: BTreeMap<usize, GroupedSessions>,
    done: Vec<Collection<'scope>>,
}

/// An end within a loop, with the node that it belongs to.
type LoopEnd<'scope> = (Arc<str>, Ended<'scope>);

/// Builds the dataflow of a verified plan in `scope`.
pub(crate) fn render(
    scope: Scope<'_, u64>,
    narrow: &NarrowPlan,
    (choice, means): (BackendChoice, &Means),
    counters: &Counters,
    recorder: &Rc<RefCell<Recorder>>,
) -> Rendered {
    let plan = &narrow.plan;
    let probe = ProbeHandle::new();
    let mut ticks = InputHandle::<u64, NoopBuilder<Vec<u64>>>::new_with_builder();
    let tick_stream = ticks.to_stream(scope);
    tick_stream.clone().probe_with(&probe);
    let tick_rows = tick_stream
        .map(|epoch: u64| -> Keyed { ((PackedRow::new(), GroupShape::tick()), epoch, 1) });
    let loops = members(plan);
    let within: BTreeSet<usize> = loops.values().flatten().copied().collect();
    let mut marks = InputHandle::<u64, NoopBuilder<Vec<(u64, Marks)>>>::new_with_builder();
    let mark_stream = marks.to_stream(scope);
    mark_stream.clone().probe_with(&probe);
    let grouped = match choice.backend() {
        Backend::Hash => grouped_sessions(plan),
        Backend::Arrangements => BTreeMap::new(),
    };
    let before_groups: BTreeSet<usize> =
        grouped.values().flat_map(GroupedSessions::within).map(StepId::index).collect();
    let mut walk = Walk {
        scope,
        narrow,
        plan,
        loops: &loops,
        probe: probe.clone(),
        backend: choice.backend(),
        means,
        counters,
        recorder: Rc::clone(recorder),
        file: Arc::from(plan.file.as_str()),
        ticks: tick_rows,
        inputs: BTreeMap::new(),
        marks: mark_stream,
        errors: Vec::new(),
        asides: BTreeMap::new(),
        steads: Vec::new(),
        slots: RefCell::default(),
        joined: joined(narrow),
        readers: RefCell::default(),
        loop_ends: Vec::new(),
        grouped,
        done: Vec::new(),
    };
    for (idx, step) in plan.steps.iter().enumerate() {
        let collection = match &step.operator {
            _ if within.contains(&idx) || before_groups.contains(&idx) => Collection::Within,
            Operator::Leave(of) => Collection::Rows(walk.looped(idx, step, *of)),
            _ => walk.step(idx, step),
        };
        walk.done.push(collection);
    }
    // What goes back is collected like an output, behind those of the topics.
    for (output_idx, (_, step)) in plan.ends().enumerate() {
        render_sink(walk.rows(step), output_idx, Rc::clone(recorder), &probe);
    }
    // Steps that nobody reads still count and err, so the probe waits for them too.
    let is_read: BTreeSet<StepId> =
        (plan.steps.iter().flat_map(|step| step.inputs.iter().copied()))
            .chain(plan.ends().map(|(_, step)| step))
            .collect();
    for (collection, id) in std::mem::take(&mut walk.done).into_iter().zip((0_u32..).map(StepId)) {
        match collection {
            Collection::Within => {}
            Collection::Rows(_) if is_read.contains(&id) => {}
            Collection::Rows(stream) => {
                stream.probe_with(&probe);
            }
            Collection::Arms(arms) => {
                for arm in arms {
                    arm.probe_with(&probe);
                }
            }
        }
    }
    let Walk { inputs, errors, steads, slots, .. } = walk;
    let slots = slots.into_inner();
    Rendered { inputs, ticks, errors, marks, probe, steads, slots }
}

impl<'scope> Walk<'scope, '_> {
    fn rows(&self, step: StepId) -> Batches<'scope> {
        match &self.done[step.index()] {
            Collection::Rows(stream) => stream.clone(),
            Collection::Arms(_) => panic!("a route is read through its arms only"),
            Collection::Within => {
                panic!("what is within another step is read through that one only")
            }
        }
    }

    fn meter(&self, step: &Step, counter: CounterId) -> Meter {
        let address = Arc::clone(&self.counters.layout.counters[counter.0].1);
        Meter {
            recorder: Rc::clone(&self.recorder),
            counter,
            node: Arc::from(&*step.node),
            address,
            file: Arc::clone(&self.file),
        }
    }

    fn inlet(&self) -> (Inlet, Batches<'scope>) {
        let mut inlet = Inlet::new_with_builder();
        let rows = inlet.to_stream(self.scope);
        (inlet, rows)
    }

    fn meters(&self, idx: usize) -> Vec<Meter> {
        let step = &self.plan.steps[idx];
        self.counters.steps[idx].iter().map(|counter| self.meter(step, *counter)).collect()
    }

    fn step(&mut self, idx: usize, step: &Step) -> Collection<'scope> {
        let meters = self.meters(idx);
        let inputs: Vec<&Step> =
            step.inputs.iter().map(|input| &self.plan.steps[input.index()]).collect();
        let only_meter = || meters[0].clone();
        Collection::Rows(match &step.operator {
            Operator::Source(topic) => {
                let (inlet, rows) = self.inlet();
                self.inputs.entry(topic.clone()).or_default().rows = Some(inlet);
                rows
            }
            Operator::Log(topic) => {
                let (inlet, rows) = self.inlet();
                self.inputs.entry(topic.clone()).or_default().log = Some(inlet);
                rows
            }
            Operator::Map(map) => {
                let stages = Stages::new(map, inputs[0].schema.clone(), meters);
                render_map(self.rows(step.inputs[0]), stages)
            }
            Operator::Union => self.union(step, &only_meter()),
            Operator::Route(route) => {
                return Collection::Arms(render_route(
                    self.rows(step.inputs[0]),
                    inputs[0].schema.clone(),
                    route,
                    only_meter(),
                ));
            }
            Operator::Arm(arm) => match &self.done[step.inputs[0].index()] {
                Collection::Arms(arms) => arms[arm.idx].clone(),
                Collection::Rows(_) | Collection::Within => panic!("an arm reads a route"),
            },
            Operator::Errors(node) => self.errors(node, only_meter()),
            Operator::Join(join) => self.join(idx, step, join, only_meter()),
            Operator::Group(group) => {
                if let Some(grouped) = self.grouped.remove(&idx) {
                    return Collection::Rows(self.session_groups(step, &grouped, only_meter()));
                }
                let shape = GroupShape::new(group, &step.schema);
                let key = KeyShape::plain(&group.keys);
                if self.backend == Backend::Hash && !shape.is_keyless() {
                    return Collection::Rows(match (key.is_word(), shape.reads_word()) {
                        (true, true) => self.group::<u64, u64>(idx, key, shape, only_meter()),
                        (true, false) => {
                            self.group::<u64, PackedRow>(idx, key, shape.tallying(), only_meter())
                        }
                        (false, _) => {
                            let shape = shape.tallying();
                            self.group::<PackedRow, PackedRow>(idx, key, shape, only_meter())
                        }
                    });
                }
                let open = self.open_keys(idx, &key);
                let mut rows = self.key(step, 0, key, shape.pack_value(), &only_meter());
                if shape.is_keyless() {
                    rows = Incoming::Packed(rows.packed().concat(self.ticks.clone()));
                }
                match self.backend {
                    Backend::Arrangements => {
                        reduce_groups(rows.packed(), shape, step.schema.types(), only_meter())
                    }
                    Backend::Hash => {
                        let logic = GroupLogic::new(shape, open);
                        self.leased(idx, "Group", [rows], logic, only_meter())
                    }
                }
            }
            Operator::Distinct => {
                let types = inputs[0].schema.types();
                let fields: Vec<usize> = (0..types.len()).collect();
                let key = KeyShape::fields(&fields, &types);
                let open = self.open_keys(idx, &key);
                match self.backend {
                    Backend::Arrangements => {
                        let rows = self.rows(step.inputs[0]);
                        let keys = pack_keys(rows, types.clone(), only_meter());
                        let rows = reduce_distinct::<u64, PackedRow>(keys, only_meter());
                        unpack(rows, types, |_, _| {})
                    }
                    Backend::Hash => {
                        let rows = self.key(step, 0, key, pack_nothing(), &only_meter());
                        let logic = DistinctLogic::new(open);
                        self.leased(idx, "Distinct", [rows], logic, only_meter())
                    }
                }
            }
            Operator::Top(top) => {
                let shape = TopShape::new(top, inputs[0].schema.types());
                let key = KeyShape::plain(&top.per);
                let open = self.open_keys(idx, &key);
                let rows = self.key(step, 0, key, shape.pack_value(), &only_meter());
                match self.backend {
                    Backend::Arrangements => {
                        reduce_top(rows.packed(), shape, step.schema.types(), only_meter())
                    }
                    Backend::Hash => {
                        let logic = TopLogic::new(shape, open);
                        self.leased(idx, "Top", [rows], logic, only_meter())
                    }
                }
            }
            Operator::Over(over) => {
                let shape = OverShape::new(over, inputs[0].schema.clone());
                let key = KeyShape::plain(&over.per);
                let open = self.open_keys(idx, &key);
                let rows = self.key(step, 0, key, shape.pack_value(), &only_meter());
                match self.backend {
                    Backend::Arrangements => {
                        reduce_over(rows.packed(), shape, step.schema.types(), only_meter())
                    }
                    Backend::Hash => {
                        let logic = OverLogic::new(shape, open);
                        self.stateful(idx, "Over", [rows], logic, only_meter())
                    }
                }
            }
            Operator::Latest(latest) => {
                let types = inputs[0].schema.types();
                let key = KeyShape::fields(&latest.key, &types);
                let shape = LatestShape::new(latest, types);
                let rows = self.key(step, 0, key, shape.pack_value(), &only_meter());
                match self.backend {
                    Backend::Arrangements => {
                        reduce_latest(rows.packed(), shape, step.schema.types(), only_meter())
                    }
                    Backend::Hash => {
                        let logic = LatestLogic::new(shape);
                        self.stateful(idx, "Latest", [rows], logic, only_meter())
                    }
                }
            }
            Operator::Variable(_) | Operator::Next(_) | Operator::Leave(_) => {
                panic!("`{}` stands in a loop", step.address)
            }
            Operator::Unique { key } => {
                let types = inputs[0].schema.types();
                let key = KeyShape::fields(key, &types);
                let open = self.open_keys(idx, &key);
                let rows = self.key(step, 0, key, pack_whole(types), &only_meter());
                let schema = inputs[0].schema.clone();
                match self.backend {
                    Backend::Arrangements => reduce_unique(rows.packed(), schema, only_meter()),
                    Backend::Hash => {
                        let logic = UniqueLogic::new(schema, open);
                        self.stateful(idx, "Unique", [rows], logic, only_meter())
                    }
                }
            }
            Operator::Window(window) => {
                let schema = inputs[0].schema.clone();
                render_window(self.rows(step.inputs[0]), schema, window, only_meter())
            }
            Operator::Late(window) => render_late(self.rows(step.inputs[0]), window, only_meter()),
            Operator::Session(session) => self.sessions(step, session, only_meter()),
            Operator::Final(closing) => self.hold(step, closing, Shown::After, only_meter()),
            Operator::Within(closing) => self.hold(step, closing, Shown::Before, only_meter()),
            Operator::Retain(retention) => self.retain(step, *retention, only_meter()),
            Operator::Kernel(kernel) => self.kernel(idx, step, kernel, only_meter()),
            Operator::Measured(_) => {
                let told = self.asides.remove(&step.inputs[0]);
                let told = told.expect("a kernel that is measured sends what its steps came to");
                unite(self.scope, vec![told], only_meter())
            }
        })
    }

    /// The errors of a node, fed back once all of its steps are done with an epoch.
    fn errors(&mut self, node: &str, meter: Meter) -> Batches<'scope> {
        let (feed, stream) = ErrorFeed::new(self.scope, node, meter);
        let steps = self.plan.steps.iter().zip(&self.done);
        for (_, collection) in steps.filter(|(step, _)| *step.node == *node) {
            match collection {
                Collection::Rows(rows) => feed.wait_for(rows.clone()),
                Collection::Arms(arms) => arms.iter().for_each(|arm| feed.wait_for(arm.clone())),
                // Its end stands for all of a loop that leads there; the rest has its own ends.
                Collection::Within => {}
            }
        }
        for (_, end) in self.loop_ends.iter().filter(|(of, _)| **of == *node) {
            feed.wait_for(end.clone());
        }
        self.errors.push(feed);
        stream
    }

    /// Aggregation on hash operators whose keys and values have these forms.
    fn group<K: Packed, V: Packed>(
        &self,
        idx: usize,
        key: KeyShape,
        shape: GroupShape,
        meter: Meter,
    ) -> Batches<'scope> {
        let open = self.open_keys(idx, &key);
        let (value, add_up) = (shape.pack_value::<V>(), shape.add_up());
        let input = self.plan.steps[idx].inputs[0];
        let schema = self.plan.steps[input.index()].schema.clone();
        let packer = Packer::<K, V>::new(schema, key, value, meter.clone()).adding_up(add_up);
        let rows = Incoming::Columns(self.rows(input), packer);
        self.leased(idx, "Group", [rows], GroupLogic::new(shape, open), meter)
    }

    fn key<K: Packed, V: Packed>(
        &self,
        step: &Step,
        input: usize,
        key: KeyShape,
        value: PackValue<V>,
        meter: &Meter,
    ) -> Incoming<'scope, K, V> {
        let schema = self.plan.steps[step.inputs[input].index()].schema.clone();
        let packer = Packer::new(schema, key, value, meter.clone());
        Incoming::Columns(self.rows(step.inputs[input]), packer)
    }

    fn stateful<const N: usize, K: Packed, V: Packed>(
        &self,
        idx: usize,
        name: &str,
        rows: [Incoming<'scope, K, V>; N],
        logic: impl KeyLogic<N, K, V>,
        meter: Meter,
    ) -> Batches<'scope> {
        let marks = self.release(idx).map(|release| self.marks_of(&release.topics));
        let types = self.plan.steps[idx].schema.types();
        render_stateful(
            self.scope,
            rows,
            Operation { name, types, meter, marks, placement: Placement::ByKey, aside: None },
            logic,
        )
    }

    /// A step whose state other dataflows may have in common, unless it lets go of its keys.
    fn leased<const N: usize, K: Packed, V: Packed>(
        &self,
        idx: usize,
        name: &str,
        rows: [Incoming<'scope, K, V>; N],
        logic: impl KeyLogic<N, K, V> + Send,
        meter: Meter,
    ) -> Batches<'scope> {
        if self.release(idx).is_some() {
            return self.stateful(idx, name, rows, logic, meter);
        }
        let types = self.plan.steps[idx].schema.types();
        let (placement, marks, aside) = (Placement::ByKey, None, None);
        let operation = Operation { name, types, meter, marks, placement, aside };
        let (rows, slot) = render_leased(self.scope, rows, operation, logic);
        self.slots.borrow_mut().insert(idx, slot);
        rows
    }

    /// When a step lets go of its keys, if it does.
    fn release(&self, idx: usize) -> Option<&Release> {
        self.plan.releases.iter().find(|release| release.step.index() == idx)
    }

    fn open_keys(&self, idx: usize, key: &KeyShape) -> OpenKeys {
        OpenKeys::new(self.release(idx), key.types.clone())
    }

    fn marks_of(&self, topics: &[TopicName]) -> MarkStream<'scope> {
        let place = |name: &TopicName| {
            let place = self.plan.topics.iter().position(|topic| topic.name == *name);
            place.expect("the plan was verified: its marks are those of its topics")
        };
        MarkStream { stream: self.marks.clone(), topics: topics.iter().map(place).collect() }
    }

    /// Held rows belong to no arrangement: both back ends have the one operator.
    fn hold(&self, step: &Step, closing: &Closing, shown: Shown, meter: Meter) -> Batches<'scope> {
        let types = step.schema.types();
        let fields: Vec<usize> = (0..types.len()).collect();
        let key = KeyShape::fields(&fields, &types);
        let rows = self.key(step, 0, key, pack_time(Formula::new(&closing.time)), &meter);
        let marks = Some(self.marks_of(&closing.topics));
        let name = match shown {
            Shown::After => "Final",
            Shown::Before => "Within",
        };
        let operation =
            Operation { name, types, meter, marks, placement: Placement::ByKey, aside: None };
        render_stateful(self.scope, [rows], operation, HoldLogic::new(shown, closing.slack))
    }

    /// What is retained hangs on all rows of a topic, so one worker has them, on both back ends.
    fn retain(&self, step: &Step, retention: Retention, meter: Meter) -> Batches<'scope> {
        let types = step.schema.types();
        let value = pack_changes(types.clone(), retention);
        let rows = self.key(step, 0, KeyShape::plain(&[]), value, &meter);
        let n_topics = self.plan.topics.len();
        let marks = match retention.rule {
            RetentionRule::Arrival(_) => {
                Some(MarkStream { stream: self.marks.clone(), topics: vec![n_topics] })
            }
            RetentionRule::Bytes(_) | RetentionRule::Time { .. } => None,
        };
        let logic = RetainLogic::new(retention, &step.schema);
        let operation = Operation {
            name: "Retain",
            types,
            meter,
            marks,
            placement: Placement::ByKey,
            aside: None,
        };
        render_stateful(self.scope, [rows], operation, logic)
    }

    fn union(&self, step: &Step, meter: &Meter) -> Batches<'scope> {
        let streams: Vec<Batches<'scope>> =
            step.inputs.iter().map(|input| self.rows(*input)).collect();
        unite(self.scope, streams, meter.clone())
    }
}
