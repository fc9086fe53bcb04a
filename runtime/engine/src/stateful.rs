//! The frame of all hash operators: a totally ordered time lets an epoch be handled as a whole.
//!
//! Rows wait, by their own epoch, until every input's frontier has passed it. Then they are
//! consolidated and handed over key by key, in the keys' order: a retraction that came before its
//! insertion within the epoch is never seen, and the emissions are the same for any arrival.
//!
//! An operator that takes an epoch as a whole may have its state in common with the same operator
//! of other dataflows ([`crate::lease`]).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::{DistributorPact, Exchange, Pipeline};
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::{Capability, InputCapability};
use timely::dataflow::{Scope, Stream};
use timely::scheduling::SyncActivator;

use arqon_types::{ColumnBatch, PackedRow, Type};

use crate::batch::{Batch, Batches, Keyed};
use crate::deltas::{Delta, Merge, consolidate_deltas, delta_bytes};
use crate::emitter::{Aside, Emitter};
use crate::keyed::{Incoming, Packer};
use crate::mark::{Marks, least};
use crate::memory::{self, Held};
use crate::packed::Packed;
use crate::parcel::{Carrier, Parcel, parcels};
use crate::recorder::Meter;
use crate::slot::{LeasedStep, Slot};
use crate::source::hash_packed;

/// What an operator does with the changes of an epoch.
pub(crate) trait KeyLogic<const N: usize, K: Packed = PackedRow, V: Packed = PackedRow>:
    'static
{
    /// Runs an epoch that is taken as a whole, with what the operator has in common with others at
    /// hand.
    fn enclose(&mut self, epoch: &mut dyn FnMut(&mut Self)) {
        epoch(self);
    }

    /// An epoch that is worked on even if nothing comes in it.
    fn opens(&self) -> Option<u64> {
        None
    }

    /// Before the first key of an epoch: all its changes, in the order in which they will come, and
    /// the least mark, if the epoch moved any. An operator that takes its changes in parts does not
    /// see them as a whole.
    fn open(&mut self, _deltas: [&[Delta<K, V>]; N], _mark: Option<i64>) {}

    /// Reads what the operator will need for these changes of an input, which are next, and changes
    /// nothing. What one key needs hangs on nothing that another one does, so the processor fetches
    /// for many keys at once, and the updates find in its caches what they would have waited for
    /// one by one.
    fn look_ahead(&self, _deltas: &[Delta<K, V>]) {}

    /// Takes all changes of one key, consolidated and in the order of values, one slice per input.
    fn update(&mut self, key: &K, deltas: [&[Delta<K, V>]; N], out: &mut Emitter);

    /// After the last key of an epoch that moved the marks: lets go of what has closed.
    fn advance(&mut self, _mark: i64, _out: &mut Emitter) {}

    /// Bytes of changes that are taken before the worker turns to other operators.
    fn bytes_at_once(&self) -> usize {
        usize::MAX
    }

    /// Goes on for a bounded time with what the changes come to. As long as that is pending the
    /// epoch stays open, and the worker turns to other operators until it is woken.
    fn settle(&mut self, _context: &mut Context<'_>, _out: &mut Emitter) -> Poll<()> {
        Poll::Ready(())
    }

    /// At the end of an epoch.
    fn close(&mut self, _out: &mut Emitter) {}

    /// What the state takes of the memory, if it is not the rows that came and have not gone.
    fn state_bytes(&self) -> Option<i64> {
        None
    }
}

/// The right to send in an epoch.
struct Capabilities {
    rows: Capability<u64>,
    /// Of an operator that sends something beside its rows.
    aside: Option<Capability<u64>>,
}

/// Rows of one epoch that wait, one collection per input.
struct Waiting<const N: usize, K, V> {
    capability: Capabilities,
    rows: [Vec<Delta<K, V>>; N],
    /// Those that came before, in runs that are consolidated.
    runs: [Vec<Vec<Delta<K, V>>>; N],
    /// The least mark that counts, if the epoch moved any.
    mark: Option<i64>,
}

impl<const N: usize, K: Packed, V: Packed> Waiting<N, K, V> {
    /// Nothing yet.
    fn new(capability: Capabilities) -> Self {
        let (rows, runs) =
            (std::array::from_fn(|_| Vec::new()), std::array::from_fn(|_| Vec::new()));
        Self { capability, rows, runs, mark: None }
    }

    /// Makes a run of the rows of an input once they are so many.
    fn end_run(&mut self, idx: usize, n_rows: usize) {
        if n_rows <= self.rows[idx].len() {
            let mut run = std::mem::take(&mut self.rows[idx]);
            consolidate_deltas(&mut run);
            self.runs[idx].push(run);
        }
    }
}

/// What has come and waits, by epoch.
struct Inbox<const N: usize, K, V> {
    waiting: BTreeMap<u64, Waiting<N, K, V>>,
    spare: Spare<N, K, V>,
    has_aside: bool,
    /// How many rows make a run.
    run_rows: usize,
}

impl<const N: usize, K: Packed, V: Packed> Inbox<N, K, V> {
    /// What waits of an epoch.
    fn of(&mut self, epoch: u64, capability: &InputCapability<u64>) -> &mut Waiting<N, K, V> {
        self.waiting.entry(epoch).or_insert_with(|| {
            let rows = capability.delayed(&epoch, 0);
            let aside = self.has_aside.then(|| capability.delayed(&epoch, 1));
            let capability = Capabilities { rows, aside };
            let rows = self.spare.rows.each_mut().map(std::mem::take);
            Waiting { rows, ..Waiting::new(capability) }
        })
    }

    /// Takes packed rows of an input.
    fn take(
        &mut self,
        idx: usize,
        capability: &InputCapability<u64>,
        rows: &mut Vec<Keyed<u64, K, V>>,
    ) {
        let mut rows = rows.drain(..).peekable();
        while let Some((_, epoch, _)) = rows.peek() {
            let (epoch, run_rows) = (*epoch, self.run_rows);
            let waiting = self.of(epoch, capability);
            while let Some((row, _, diff)) = rows.next_if(|row| row.1 == epoch) {
                waiting.rows[idx].push((row, diff));
            }
            waiting.end_run(idx, run_rows);
        }
    }

    /// Takes a parcel of packed rows of an input.
    fn open(&mut self, idx: usize, capability: &InputCapability<u64>, parcel: &mut Parcel<K, V>) {
        let Parcel { time, mut rows, .. } = std::mem::take(parcel);
        let run_rows = self.run_rows;
        let waiting = self.of(time, capability);
        waiting.rows[idx].append(&mut rows);
        waiting.end_run(idx, run_rows);
    }

    /// Takes columns of an input, and packs them.
    fn pack(
        &mut self,
        idx: usize,
        capability: &InputCapability<u64>,
        (batch, packer): (&mut Batch, &Packer<K, V>),
    ) {
        let Batch { time, rows } = std::mem::take(batch);
        let run_rows = self.run_rows;
        let waiting = self.of(time, capability);
        let into = &mut waiting.rows[idx];
        into.reserve(rows.len());
        packer.pack(time, &rows, |row, diff| into.push((row, diff)));
        waiting.end_run(idx, run_rows);
    }
}

/// Where rows of an input come in.
type Port<const N: usize, K, V> = Box<dyn FnMut(&mut Inbox<N, K, V>)>;

/// Emptied lists of the last epoch. The pages of a large list cost more than what is put there,
/// so they are handed from epoch to epoch, as long as epochs are large.
struct Spare<const N: usize, K, V> {
    rows: [Vec<Delta<K, V>>; N],
}

impl<const N: usize, K, V> Spare<N, K, V> {
    fn new() -> Self {
        Self { rows: std::array::from_fn(|_| Vec::new()) }
    }

    fn keep(&mut self, used: [Vec<Delta<K, V>>; N]) {
        let n_rows = used.iter().map(Vec::len).max().unwrap_or(0);
        let wanted = n_rows.saturating_mul(SPARE_FACTOR).min(SPARE_ROWS_MAX);
        for (kept, mut rows) in self.rows.iter_mut().zip(used) {
            rows.clear();
            rows.shrink_to(wanted);
            if kept.capacity() < rows.capacity() {
                *kept = rows;
            }
        }
    }
}

/// How many times the rows of an epoch the next one finds room for.
const SPARE_FACTOR: usize = 8;

/// Rows for which an operator keeps room at most, about 9 MB for each of its inputs.
const SPARE_ROWS_MAX: usize = 1 << 17;

/// The marks that an operator goes by: those of some topics, by place in the plan.
pub(crate) struct MarkStream<'scope> {
    /// The marks of all topics, at each epoch that moves them, on every worker.
    pub(crate) stream: Stream<'scope, u64, Vec<(u64, Marks)>>,
    /// Those that count.
    pub(crate) topics: Vec<usize>,
}

/// Which worker has the state of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Each key has its own.
    ByKey,
    /// One has them all, chosen by this number.
    Together(u64),
}

impl Placement {
    /// A number that says which worker has the state of a key.
    fn of(self, key: &impl Packed) -> u64 {
        match self {
            // Tables have their own use for the other half of the hash.
            Self::ByKey => hash_packed(key) >> 32,
            Self::Together(place) => place,
        }
    }
}

/// What an operator is, beside its inputs.
pub(crate) struct Operation<'a, 'scope> {
    /// Its name, for timely's logs.
    pub(crate) name: &'a str,
    /// The types of its output.
    pub(crate) types: Vec<Type>,
    /// Its counters and errors.
    pub(crate) meter: Meter,
    /// What tells it that windows close, if anything does.
    pub(crate) marks: Option<MarkStream<'scope>>,
    /// Where its keys are.
    pub(crate) placement: Placement,
    /// The types of what it sends beside its own rows, if it does.
    pub(crate) aside: Option<Vec<Type>>,
}

/// An epoch that is worked on.
struct Current<const N: usize, K, V> {
    epoch: u64,
    capability: Capabilities,
    /// Those that are taken now.
    rows: [Vec<Delta<K, V>>; N],
    /// Those that come behind them, where rows came in runs.
    merge: Option<Merge<N, K, V>>,
    /// What is left to do before it settles.
    stage: Stage<N>,
}

impl<const N: usize, K: Packed, V: Packed> Current<N, K, V> {
    /// Begins an epoch.
    fn new(
        (epoch, waiting): (u64, Waiting<N, K, V>),
        logic: &mut impl KeyLogic<N, K, V>,
        out: &mut Emitter,
    ) -> Self {
        let Waiting { capability, mut rows, mut runs, mark } = waiting;
        out.begin(epoch);
        rows.iter_mut().for_each(consolidate_deltas);
        let merge = if runs.iter().any(|runs| !runs.is_empty()) {
            for (runs, rows) in runs.iter_mut().zip(&mut rows) {
                runs.push(std::mem::take(rows));
            }
            Some(Merge::new(runs))
        } else {
            out.counts.touched += n_rows(&rows);
            logic.open(std::array::from_fn(|idx| rows[idx].as_slice()), mark);
            None
        };
        Self { epoch, capability, rows, merge, stage: Stage::Taking(Walk::default(), mark) }
    }

    /// Lets go of the rows that were taken, and gets the next ones; whether there are any.
    fn next_rows(&mut self, bytes_most: usize, out: &mut Emitter) -> bool {
        let Some(merge) = self.merge.as_mut().filter(|merge| !merge.is_done()) else {
            return false;
        };
        self.rows.iter_mut().for_each(Vec::clear);
        merge.next(&mut self.rows, bytes_most);
        out.counts.touched += n_rows(&self.rows);
        true
    }
}

fn n_rows<const N: usize, K, V>(rows: &[Vec<Delta<K, V>>; N]) -> u64 {
    rows.iter().map(|rows| rows.len() as u64).sum()
}

/// How far an epoch is.
enum Stage<const N: usize> {
    /// Changes are taken; then the mark counts, if the epoch moved any.
    Taking(Walk<N>, Option<i64>),
    Settling,
}

/// Wakes an operator from any thread.
struct Wakeup(SyncActivator);

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        // A worker that has ended needs not be woken.
        let _ = self.0.activate();
    }
}

/// An operator, and what it holds.
struct Work<L> {
    logic: L,
    held: Held,
    /// What the state takes.
    n_bytes: i64,
}

impl<L> Work<L> {
    fn new(logic: L) -> Self {
        Self { logic, held: Held::default(), n_bytes: 0 }
    }

    /// Ends an epoch; these were its last rows.
    fn close<const N: usize, K: Packed, V: Packed>(
        &mut self,
        rows: &[Vec<Delta<K, V>>; N],
        out: &mut Emitter,
    ) where
        L: KeyLogic<N, K, V>,
    {
        self.logic.close(out);
        let grown = if let Some(now) = self.logic.state_bytes() {
            now - self.n_bytes
        } else {
            let net = rows.iter().flatten().map(|delta| delta.1).sum();
            let grown = rows.iter().map(|rows| memory::grown(rows)).sum();
            self.held.change(net, grown, out.counts.held)
        };
        self.n_bytes += grown;
        out.counts.bytes += grown;
    }
}

/// Renders an operator of `N` inputs that sends nothing beside its rows.
pub(crate) fn render_stateful<'scope, const N: usize, K: Packed, V: Packed>(
    scope: Scope<'scope, u64>,
    inputs: [Incoming<'scope, K, V>; N],
    operation: Operation<'_, 'scope>,
    logic: impl KeyLogic<N, K, V>,
) -> Batches<'scope> {
    render_with_aside(scope, inputs, operation, logic).0
}

/// Renders an operator of `N` inputs; gives its rows, and those that it sends beside them.
pub(crate) fn render_with_aside<'scope, const N: usize, K: Packed, V: Packed>(
    scope: Scope<'scope, u64>,
    inputs: [Incoming<'scope, K, V>; N],
    operation: Operation<'_, 'scope>,
    logic: impl KeyLogic<N, K, V>,
) -> (Batches<'scope>, Option<Batches<'scope>>) {
    render_work(scope, inputs, operation, Whose::Own(Work::new(logic)))
}

/// Renders an operator whose state other dataflows may have in common with this one. It takes an
/// epoch as a whole, and nothing tells it that windows close.
pub(crate) fn render_leased<'scope, const N: usize, K: Packed, V: Packed, L>(
    scope: Scope<'scope, u64>,
    inputs: [Incoming<'scope, K, V>; N],
    operation: Operation<'_, 'scope>,
    logic: L,
) -> (Batches<'scope>, Slot)
where
    L: KeyLogic<N, K, V> + Send,
{
    let step = Rc::new(RefCell::new(LeasedStep::new(Work::new(logic))));
    let (rows, _) = render_work(scope, inputs, operation, Whose::Leased(Rc::clone(&step)));
    (rows, step)
}

/// Whose an operator's state is.
enum Whose<L> {
    Own(Work<L>),
    Leased(Rc<RefCell<LeasedStep<Work<L>>>>),
}

fn render_work<'scope, const N: usize, K: Packed, V: Packed, L: KeyLogic<N, K, V>>(
    scope: Scope<'scope, u64>,
    inputs: [Incoming<'scope, K, V>; N],
    operation: Operation<'_, 'scope>,
    mut whose: Whose<L>,
) -> (Batches<'scope>, Option<Batches<'scope>>) {
    let Operation { name, types, meter, marks, placement, aside } = operation;
    let mut builder = OperatorBuilder::new(name.to_owned(), scope);
    let mut idx = 0..N;
    let mut ports: [Port<N, K, V>; N] = inputs.map(|input| -> Port<N, K, V> {
        let idx = idx.next().expect("there are as many places as inputs");
        match input {
            // With one worker nothing travels: rows are packed where they wait.
            Incoming::Columns(rows, packer) if scope.peers() == 1 => {
                let mut input = builder.new_input(rows, Pipeline);
                Box::new(move |inbox: &mut Inbox<N, K, V>| {
                    input.for_each(|capability, batch| {
                        inbox.pack(idx, &capability, (batch, &packer));
                    });
                })
            }
            Incoming::Columns(rows, packer) => {
                let parcels = parcels(rows, packer, move |key| placement.of(key));
                let mut input = builder.new_input(parcels, DistributorPact(|_| Carrier));
                Box::new(move |inbox: &mut Inbox<N, K, V>| {
                    input.for_each(|capability, parcel| inbox.open(idx, &capability, parcel));
                })
            }
            Incoming::Packed(rows) => {
                let place = move |row: &Keyed<u64, K, V>| placement.of(&row.0.0);
                let mut input = builder.new_input(rows, Exchange::new(place));
                Box::new(move |inbox: &mut Inbox<N, K, V>| {
                    input.for_each(|capability, rows| inbox.take(idx, &capability, rows));
                })
            }
        }
    });
    let mut marks = marks.map(|marks| (builder.new_input(marks.stream, Pipeline), marks.topics));
    let (output, stream) = builder.new_output::<Batch>();
    let mut output = OutputBuilder::<u64, NoopBuilder<Batch>>::from(output);
    let (mut aside_output, aside_stream) = if aside.is_some() {
        let (output, stream) = builder.new_output::<Batch>();
        (Some(OutputBuilder::<u64, NoopBuilder<Batch>>::from(output)), Some(stream))
    } else {
        (None, None)
    };
    let has_aside = aside.is_some();
    let address = builder.operator_info().address;
    let waker = Waker::from(Arc::new(Wakeup(scope.worker().sync_activator_for(address.to_vec()))));
    let activator = scope.activator_for(address);
    let name = name.to_owned();
    builder.build(move |capabilities| {
        let mut waiting = BTreeMap::new();
        let opens = match &whose {
            Whose::Own(work) => work.logic.opens(),
            Whose::Leased(_) => None,
        };
        if let Some(epoch) = opens {
            let aside = capabilities.get(1).map(|capability| capability.delayed(&epoch));
            let capability = Capabilities { rows: capabilities[0].delayed(&epoch), aside };
            waiting.insert(epoch, Waiting::new(capability));
        }
        drop(capabilities);
        let mut current: Option<Current<N, K, V>> = None;
        let bytes_most = match &whose {
            Whose::Own(work) => work.logic.bytes_at_once(),
            Whose::Leased(_) => usize::MAX,
        };
        let run_rows = if bytes_most == usize::MAX { usize::MAX } else { RUN_ROWS };
        let mut inbox = Inbox { waiting, spare: Spare::new(), has_aside, run_rows };
        let mut out = Emitter::new(types, meter);
        out.aside = aside.map(|types| Aside { rows: ColumnBatch::empty(&types), types });
        move |frontiers| {
            // So that whoever listens learns how long an operator holds its worker.
            let _held = tracing::trace_span!("activation", operator = name).entered();
            for port in &mut ports {
                port(&mut inbox);
            }
            if let Some((input, topics)) = &mut marks {
                input.for_each(|capability, marks| {
                    for (epoch, marks) in marks.drain(..) {
                        inbox.of(epoch, &capability).mark = Some(least(&marks, topics));
                    }
                });
            }
            loop {
                if current.is_none() {
                    let Some(entry) = inbox.waiting.first_entry() else { break };
                    if frontiers.iter().any(|frontier| frontier.less_equal(entry.key())) {
                        break;
                    }
                    let (epoch, came) = entry.remove_entry();
                    match &mut whose {
                        Whose::Own(work) => {
                            let now = Current::new((epoch, came), &mut work.logic, &mut out);
                            current = Some(now);
                        }
                        Whose::Leased(step) => {
                            out.begin(epoch);
                            let Waiting { capability, rows, .. } = came;
                            let (rows, batches) = step.borrow_mut().epoch(rows, &mut out);
                            inbox.spare.keep(rows);
                            hand_on(&mut output, (epoch, &capability), batches);
                            continue;
                        }
                    }
                }
                let (Some(now), Whose::Own(work)) = (&mut current, &mut whose) else { break };
                let logic = &mut work.logic;
                if let Stage::Taking(walk, mark) = &mut now.stage {
                    let mark = *mark;
                    let mut is_pending = walk.go_on(&now.rows, logic, &mut out).is_pending();
                    if !is_pending && now.next_rows(bytes_most, &mut out) {
                        now.stage = Stage::Taking(Walk::default(), mark);
                        is_pending = true;
                    }
                    if is_pending {
                        hand_on(&mut output, (now.epoch, &now.capability), out.take_ready());
                        activator.activate();
                        break;
                    }
                    if let Some(mark) = mark {
                        logic.advance(mark, &mut out);
                    }
                    now.stage = Stage::Settling;
                }
                if logic.settle(&mut Context::from_waker(&waker), &mut out).is_pending() {
                    hand_on(&mut output, (now.epoch, &now.capability), out.take_ready());
                    break;
                }
                let Some(mut now) = current.take() else { break };
                work.close(&now.rows, &mut out);
                let no_rows = std::array::from_fn(|_| Vec::new());
                inbox.spare.keep(std::mem::replace(&mut now.rows, no_rows));
                let said = out.take();
                let batches = out.tell(said);
                hand_on(&mut output, (now.epoch, &now.capability), batches);
                if let (Some(output), Some(aside), Some(capability)) =
                    (&mut aside_output, &mut out.aside, &now.capability.aside)
                    && !aside.rows.is_empty()
                {
                    let rows = std::mem::replace(&mut aside.rows, ColumnBatch::empty(&aside.types));
                    output
                        .activate()
                        .session_with_builder(capability)
                        .give_container(&mut Batch { time: now.epoch, rows: rows.into() });
                }
            }
        }
    });
    (stream, aside_stream)
}

/// Sends batches of an epoch on, whether or not more will follow.
fn hand_on(
    output: &mut OutputBuilder<u64, NoopBuilder<Batch>>,
    (epoch, capability): (u64, &Capabilities),
    batches: Vec<ColumnBatch>,
) {
    if batches.is_empty() {
        return;
    }
    let mut output = output.activate();
    for batch in batches {
        output
            .session_with_builder(&capability.rows)
            .give_container(&mut Batch { time: epoch, rows: batch.into() });
    }
}

impl<L> LeasedStep<Work<L>> {
    /// Takes an epoch's changes as a whole, unless another holder has had them before. Gives the
    /// emptied lists back, and what goes on.
    fn epoch<const N: usize, K: Packed, V: Packed>(
        &mut self,
        mut rows: [Vec<Delta<K, V>>; N],
        out: &mut Emitter,
    ) -> ([Vec<Delta<K, V>>; N], Vec<ColumnBatch>)
    where
        L: KeyLogic<N, K, V>,
    {
        // However rows were cut and added up, their sum is the same.
        let sum = rows.iter().flatten().map(|delta| delta.1).fold(0, i64::wrapping_add);
        let said = self.apply(sum, |work| {
            rows.iter_mut().for_each(consolidate_deltas);
            out.counts.touched += n_rows(&rows);
            work.logic.enclose(&mut |logic| {
                logic.open(std::array::from_fn(|idx| rows[idx].as_slice()), None);
                let walked = Walk::default().go_on(&rows, logic, out);
                let settled = logic.settle(&mut Context::from_waker(Waker::noop()), out);
                assert!(walked.is_ready() && settled.is_ready(), "the epoch is taken as a whole");
            });
            work.close(&rows, out);
            (out.take(), work.n_bytes)
        });
        (rows, out.tell(said))
    }
}

/// Rows of an input that are sorted at once by an operator that takes them in parts: some tenths of
/// a millisecond.
const RUN_ROWS: usize = 1 << 12;

/// Rows that are looked at ahead of their turn. Enough to keep the memory busy; few enough that
/// nothing of it has left the caches when its turn comes.
const AHEAD_ROWS: usize = 32;

/// Rows below which an input has nothing to gain from looking ahead.
const AHEAD_ROWS_MIN: usize = 4;

/// Walks several sorted collections key by key.
struct Walk<const N: usize> {
    /// Rows of each that were taken.
    n_taken: [usize; N],
    /// Rows of each that were looked at ahead.
    n_seen: [usize; N],
}

impl<const N: usize> Default for Walk<N> {
    fn default() -> Self {
        Self { n_taken: [0; N], n_seen: [0; N] }
    }
}

impl<const N: usize> Walk<N> {
    /// Goes on until all keys are taken, or as much as the operator takes at once.
    fn go_on<K: Packed, V: Packed>(
        &mut self,
        rows: &[Vec<Delta<K, V>>; N],
        logic: &mut impl KeyLogic<N, K, V>,
        out: &mut Emitter,
    ) -> Poll<()> {
        let bytes_most = logic.bytes_at_once();
        let mut n_bytes = 0;
        let mut rest: [&[Delta<K, V>]; N] =
            std::array::from_fn(|idx| &rows[idx][self.n_taken[idx]..]);
        while let Some(key) = rest.iter().filter_map(|rows| rows.first()).map(|row| &row.0.0).min()
        {
            if bytes_most <= n_bytes {
                self.n_taken = std::array::from_fn(|idx| rows[idx].len() - rest[idx].len());
                return Poll::Pending;
            }
            for ((rows, rest), n_seen) in rows.iter().zip(&rest).zip(&mut self.n_seen) {
                let start = rows.len() - rest.len();
                if rows.len() >= AHEAD_ROWS_MIN && start >= *n_seen && !rest.is_empty() {
                    *n_seen = rows.len().min(start + AHEAD_ROWS);
                    logic.look_ahead(&rows[start..*n_seen]);
                }
            }
            let mut heads: [&[Delta<K, V>]; N] = [&[]; N];
            for (head, rest) in heads.iter_mut().zip(&mut rest) {
                let n_rows = rest.iter().take_while(|row| row.0.0.is_same(key)).count();
                (*head, *rest) = rest.split_at(n_rows);
            }
            if bytes_most != usize::MAX {
                n_bytes += heads.iter().copied().flatten().map(delta_bytes).sum::<usize>();
            }
            logic.update(key, heads, out);
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::{Layout, Recorder};
    use crate::stats::CounterKind;

    fn packed(byte: u8) -> PackedRow {
        let mut row = PackedRow::new();
        row.push_bytes(&[byte]);
        row
    }

    /// Writes down what it is asked.
    #[derive(Default)]
    struct Seen {
        ahead: RefCell<Vec<(u8, usize)>>,
        keys: Vec<(u8, usize, usize)>,
        bytes_at_once: usize,
        n_pauses: usize,
    }

    impl KeyLogic<2> for Seen {
        fn bytes_at_once(&self) -> usize {
            self.bytes_at_once
        }

        fn look_ahead(&self, deltas: &[Delta]) {
            self.ahead.borrow_mut().push((deltas[0].0.0.as_bytes()[0], deltas.len()));
        }

        fn update(&mut self, key: &PackedRow, [left, right]: [&[Delta]; 2], _: &mut Emitter) {
            self.keys.push((key.as_bytes()[0], left.len(), right.len()));
        }
    }

    fn walked(rows: &[Vec<Delta>; 2], bytes_at_once: usize) -> Seen {
        let mut layout = Layout::default();
        let meter = Meter {
            counter: layout.add("n", "n[0]", CounterKind::Stateful),
            recorder: Rc::new(RefCell::new(Recorder::new(&layout))),
            node: "n".into(),
            address: "n[0]".into(),
            file: "circuit.yaml".into(),
        };
        let mut seen = Seen { bytes_at_once, ..Seen::default() };
        let (mut walk, mut out) = (Walk::default(), Emitter::new(Vec::new(), meter));
        while walk.go_on(rows, &mut seen, &mut out).is_pending() {
            seen.n_pauses += 1;
        }
        seen
    }

    fn delta(key: u8, diff: i64) -> Delta {
        ((packed(key), packed(0)), diff)
    }

    #[test]
    fn keys_are_walked_in_order_over_all_inputs() {
        let rows = [vec![delta(1, 1), delta(3, 1)], vec![delta(2, 1), delta(3, 2)]];
        let seen = walked(&rows, usize::MAX);
        assert_eq!(seen.keys, vec![(1, 1, 0), (2, 0, 1), (3, 1, 1)]);
        assert_eq!(*seen.ahead.borrow(), vec![], "two rows are few");
    }

    #[test]
    fn a_walk_that_pauses_sees_the_same() {
        let left: Vec<Delta> = (0..70).map(|key| delta(key, 1)).collect();
        let right: Vec<Delta> = (30..90).map(|key| delta(key, 1)).collect();
        let rows = [left, right];
        let (whole, cut) = (walked(&rows, usize::MAX), walked(&rows, 100));
        assert_eq!((whole.keys, whole.ahead), (cut.keys, cut.ahead));
        assert_eq!((whole.n_pauses, cut.n_pauses > 10), (0, true));
    }

    #[test]
    fn every_row_is_looked_at_once_ahead_of_its_turn() {
        let left = (0..70).map(|key| delta(key, 1)).collect();
        let right = (30..40).map(|key| delta(key, 1)).collect();
        let seen = walked(&[left, right], usize::MAX);
        assert_eq!(*seen.ahead.borrow(), vec![(0, 32), (30, 10), (32, 32), (64, 6)]);
    }
}
