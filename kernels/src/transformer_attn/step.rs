//! One step: tokens first, then the rows that are put out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use super::TransformerAttn;
use super::delta::{AttentionDelta, AttentionRows};
use super::head::{Head, Part, Reach};
use super::lanes::ROWS;
use super::moved::Terms;
use super::order::Origin;
use super::reduce::learn_work;
use super::spec::{Causality, FeatureMap};
use crate::churn::Churn;
use crate::emit::Emit;
use crate::kernel::{Measured, Report, Reuse, Step, WORK_GRAIN};
use crate::keyed::{Change, Row};
use crate::mode::Mode;
use crate::said::Said;
use crate::threads::{share, share_work};
use crate::vector::wide;

/// A step that is under way.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) mode: Mode,
    pub(super) emit: Emit,
    pub(super) churn: Churn,
    stage: Stage,
    /// Heads, tokens or rows of the stage that are done.
    pub(super) n_done: usize,
    pub(super) events: Events,
    /// Slots of the tokens of a pass.
    slots: Vec<usize>,
    /// What is to be done where attention is causal.
    jobs: Vec<Job>,
    /// Slots of the queries whose rows are computed.
    pub(super) rows: Vec<usize>,
    pub(super) work: u64,
    pub(super) n_emitted: usize,
    /// What the step may be off by.
    pub(super) error_allowed: f64,
    /// What it is off by so far.
    pub(super) error_max: f64,
    pub(super) is_refreshed: bool,
    /// What queries follow, each by itself; none if they are answered.
    pub(super) follows: Option<Terms>,
    /// Slots of those that could not follow, and are to be answered then.
    pub(super) due: Vec<usize>,
    pub(super) reuse: Option<Reuse>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A basis is made, if there is none.
    Learn,
    /// What goes and what comes is added to the sums.
    Events,
    /// The sums are computed anew.
    Tokens,
    /// Runs and their tree follow.
    Runs,
    /// Runs and their tree are computed anew.
    RunsAnew,
    Rows,
}

/// One part of what causal attention does of a change.
#[derive(Debug, Clone)]
enum Job {
    /// These events of a run.
    Change { run: usize, reach: Reach, events: Vec<usize> },
    /// The run is computed anew.
    Anew { run: usize },
    /// The tree of this head is computed anew.
    Plant { head: usize },
}

/// Tokens that go and come, each with its sign.
#[derive(Debug, Clone, Default)]
pub(super) struct Events {
    pub(super) signs: Vec<f64>,
    /// The run of each, where attention is causal.
    runs: Vec<usize>,
    k: Vec<f32>,
    v: Vec<f32>,
}

impl Running {
    /// Rows are answered, and do not follow: if a basis was to be of use, it was not.
    pub(super) fn miss(&mut self) {
        if self.reuse.is_some() && !self.rows.is_empty() {
            self.reuse = Some(Reuse::Miss);
        }
    }
}

impl Events {
    fn push(&mut self, token: &Row<'_>, sign: f64) {
        self.signs.push(sign);
        self.k.extend(token.vectors[0]);
        self.v.extend(token.vectors[1]);
    }

    fn row(&self, at: usize) -> (Row<'_>, f64) {
        let n = self.signs.len();
        let (d, e) = (self.k.len() / n, self.v.len() / n);
        let vectors = [&self.k[at * d..(at + 1) * d], &self.v[at * e..(at + 1) * e]];
        (Row { vectors, place: 0 }, self.signs[at])
    }
}

impl TransformerAttn {
    /// Takes the change into the tables and plans the step.
    pub(super) fn start(&mut self, step: Step<Measured<Self>>) {
        assert!(self.running.is_none(), "a step is under way");
        let (delta, churn, found) = step.delta.known(&self.version, |delta| self.look(delta));
        self.version.end();
        let is_causal = self.spec.causality == Causality::Causal;
        // Without runs there is nothing to change.
        let can_follow = !is_causal || !self.order.runs.is_empty();
        let can = can_follow && (step.mode != Mode::Rr || self.can_reduce(step.emit));
        let mode = if can { step.mode } else { Mode::Pass };
        let events = self.take_tokens(&delta, &found.tokens, mode);
        let changed = delta.queries(&self.spec).take_into(&mut self.queries, &found.queries);
        let n_changed = changed.len();
        let width = self.said_apart(step.emit);
        let is_kept = self.keep_queries(step.emit, &changed);
        let of = (&self.queries, width);
        let mut rows = Said::rows(&mut self.said, (step.emit, changed), of);
        if is_causal {
            // Those of one run follow one another.
            rows.sort_by_key(|slot| self.queries.places[*slot]);
        }
        let is_out = self.heads.iter().any(|head| head.better_reference().is_some());
        let is_delta = mode != Mode::Pass && !is_out && 0 < self.tokens.len();
        let mut running = Running {
            mode: if is_delta { mode } else { Mode::Pass },
            emit: step.emit,
            churn,
            stage: Stage::Events,
            n_done: 0,
            events,
            slots: Vec::new(),
            jobs: Vec::new(),
            rows,
            work: 0,
            n_emitted: 0,
            error_allowed: step.error_max,
            error_max: 0.0,
            is_refreshed: is_out,
            follows: None,
            due: Vec::new(),
            reuse: (is_delta && mode == Mode::Rr).then_some(Reuse::Hit),
        };
        running.follows = self.follows(&running, (is_kept, n_changed));
        if running.follows.is_none() {
            running.miss();
        }
        for head in &mut self.heads {
            head.note(running.follows);
        }
        if !is_delta {
            self.start_over(&mut running);
        } else if is_causal {
            self.start_runs(&mut running);
        } else if running.follows == Some(Terms::Directions) {
            running.stage = Stage::Learn;
        }
        self.running = Some(Box::new(running));
    }

    /// Whether outputs that are kept stand for what was said. Under other policies they do not,
    /// since what was said may be off from what is.
    pub(super) fn says_outputs(&self, emit: Emit) -> bool {
        emit == Emit::All && self.can_reduce(emit)
    }

    /// Keeps the values that were said apart from outputs, or no longer apart, as this policy has
    /// it; as many entries as are to be kept apart of each.
    fn said_apart(&mut self, emit: Emit) -> usize {
        let n_value = self.spec.n_value;
        let is_same = self.says_outputs(emit);
        let Some(said) = &mut self.said else { return if is_same { 0 } else { n_value } };
        let slots = 0..said.values.len().max(self.outputs.len()) / n_value;
        if is_same && !said.values.is_empty() {
            for slot in slots {
                let row = slot * n_value..(slot + 1) * n_value;
                if said.values.get(row.clone()) != self.outputs.get(row) {
                    said.forget(slot);
                }
            }
            said.values = Vec::new();
        } else if !is_same && said.values.is_empty() {
            said.values.clone_from(&self.outputs);
            said.fit(n_value);
        }
        if is_same { 0 } else { n_value }
    }

    /// Keeps what queries need to follow, under policies that say all of them; tells whether it was
    /// kept before, so that it is true of the state before the step.
    fn keep_queries(&mut self, emit: Emit, changed: &[usize]) -> bool {
        let is_kept = self.heads.iter().all(|head| head.followed.is_some());
        let can = self.can_reduce(emit);
        let n_slots = self.queries.n_slots();
        if can {
            self.outputs.resize(n_slots.next_multiple_of(ROWS) * self.spec.n_value, 0.0);
        } else {
            self.outputs = Vec::new();
        }
        for head in &mut self.heads {
            if !can {
                head.followed = None;
                continue;
            }
            let shape = head.shape();
            let followed = head.followed.get_or_insert_default();
            followed.resize(shape, n_slots);
            for slot in changed {
                followed.forget(*slot);
            }
        }
        can && is_kept
    }

    /// Whether there are queries to follow by a basis: those of positive features that see all
    /// tokens, under policies that say all of them.
    pub(super) fn can_reduce(&self, emit: Emit) -> bool {
        matches!(emit, Emit::All | Emit::Eps(_))
            && self.spec.causality == Causality::Plain
            && self.spec.feature_map == FeatureMap::FavorPlus
    }

    /// What queries can follow by themselves.
    fn follows(&self, running: &Running, (is_kept, n_changed): (bool, usize)) -> Option<Terms> {
        let nothing = Churn { n_changed: 0, n_total: 0, delta_max: 0.0 };
        // Where less is allowed than a few fresh bounds, all would be answered anew in the end.
        let pays = is_kept && 8.0 * self.error_ahead(&nothing) < running.error_allowed;
        match running.mode {
            Mode::Itmd if pays && running.events.signs.len() <= TOKENS_MAX => Some(Terms::Tokens),
            // Queries that changed are answered anyway, and bounds grow with what moves.
            Mode::Itmd
                if pays
                    && 2 * n_changed < self.queries.len()
                    && 2 * running.events.signs.len() < self.tokens.len() =>
            {
                Some(Terms::Sums)
            }
            Mode::Rr if pays => Some(Terms::Directions),
            Mode::Pass | Mode::Itmd | Mode::Rr => None,
        }
    }

    /// The sums are computed anew from here on.
    fn start_over(&mut self, running: &mut Running) {
        running.follows = None;
        running.miss();
        each_head(&mut self.heads, |_, head| {
            head.clear();
            head.note(None);
        });
        self.n_events = 0;
        let (tokens, live) = (&self.tokens, self.tokens.live().collect::<Vec<usize>>());
        let sizes = share_work(live.len() * self.spec.n_value, live.chunks(256), |_, part| {
            part.iter().fold(0.0, |most: f64, slot| most.max(size(tokens.row(*slot).vectors[1])))
        });
        self.value_max = sizes.into_iter().fold(0.0, f64::max);
        running.n_done = 0;
        if self.spec.causality == Causality::Plain {
            running.slots = self.tokens.live().collect();
            running.stage = Stage::Tokens;
            return;
        }
        self.order.rebuild(&self.tokens);
        let n_runs = self.order.runs.len();
        each_head(&mut self.heads, |_, head| head.prefix.clear(head.shape(), n_runs));
        running.stage = Stage::RunsAnew;
        running.jobs = (0..n_runs).map(|run| Job::Anew { run }).collect();
        running.jobs.extend((0..self.heads.len()).map(|head| Job::Plant { head }));
    }

    /// Plans what causal attention does of the events.
    fn start_runs(&mut self, running: &mut Running) {
        running.stage = Stage::Runs;
        let mut by_run: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, run) in running.events.runs.iter().enumerate() {
            by_run.entry(*run).or_default().push(at);
        }
        let Some(origins) = self.order.tidy() else {
            let jobs = by_run.into_iter();
            let job = |(run, events)| Job::Change { run, reach: Reach::Tree, events };
            running.jobs = jobs.map(job).collect();
            return;
        };
        each_head(&mut self.heads, |_, head| head.prefix.rearrange(head.shape(), &origins));
        for (run, origin) in origins.into_iter().enumerate() {
            match origin {
                Origin::Cut => running.jobs.push(Job::Anew { run }),
                Origin::Kept(before) => {
                    if let Some(events) = by_run.remove(&before) {
                        running.jobs.push(Job::Change { run, reach: Reach::Run, events });
                    }
                }
            }
        }
        running.jobs.extend((0..self.heads.len()).map(|head| Job::Plant { head }));
    }

    fn advance_runs(&mut self, running: &mut Running) {
        if let Some(job) = running.jobs.get(running.n_done).cloned() {
            running.work += 1 + self.work_off(job, &running.events);
            running.n_done += 1;
        }
        if running.n_done < running.jobs.len() {
            return;
        }
        if running.stage == Stage::RunsAnew {
            each_head(&mut self.heads, |_, head| head.fresh_level = head.level());
            (running.stage, running.n_done) = (Stage::Rows, 0);
        } else {
            self.end_events(running);
        }
    }

    /// Does one job; gives its work.
    fn work_off(&mut self, job: Job, events: &Events) -> u64 {
        let (tokens, row_work) = (&self.tokens, self.row_work());
        match job {
            Job::Change { run, reach, events: those } => {
                // One more than there are, for the nodes that hold the run.
                let n = those.len() as u64 + 16;
                each_head(&mut self.heads, |part, head| {
                    head.change_run(part, (run, reach), those.iter().map(|at| events.row(*at)));
                });
                n * row_work
            }
            Job::Anew { run } => {
                let spots = &self.order.runs[run];
                let n = spots.len() as u64;
                each_head(&mut self.heads, |part, head| {
                    let tokens = spots.iter().map(|spot| (tokens.row(spot.2), 1.0));
                    head.change_run(part, (run, Reach::Anew), tokens);
                });
                n * row_work
            }
            Job::Plant { head } => {
                self.heads[head].prefix.plant();
                let shape = self.spec.head();
                (2 * self.order.runs.len() * shape.m * shape.width()) as u64
            }
        }
    }

    fn take_tokens(&mut self, delta: &AttentionDelta, changes: &[Change], mode: Mode) -> Events {
        let is_causal = self.spec.causality == Causality::Causal;
        let side = delta.tokens(&self.spec);
        let tokens = &self.tokens;
        each_head(&mut self.heads, |part, head| {
            for change in changes {
                if let Some(slot) = change.slot {
                    head.discount(part, &tokens.row(slot));
                }
                if let Some(row) = change.row {
                    head.count(part, &side.row(row));
                }
            }
        });
        let slots = self.tokens.place(changes);
        let mut events = Events::default();
        // A pass asks for neither.
        let wanted = if mode == Mode::Pass { &[] } else { changes };
        for (change, slot) in wanted.iter().zip(&slots) {
            if let Some(slot) = change.slot {
                let old = self.tokens.row(slot);
                events.push(&old, -1.0);
                if is_causal {
                    events.runs.push(self.order.remove(old.place, change.key));
                }
            }
            if let (Some(row), Some(slot)) = (change.row, slot) {
                let new = side.row(row);
                events.push(&new, 1.0);
                self.value_max = self.value_max.max(size(new.vectors[1]));
                if is_causal {
                    events.runs.push(self.order.insert((new.place, change.key, *slot)));
                }
            }
        }
        side.fill(&mut self.tokens, changes, &slots);
        events
    }

    /// Goes on with the step until it ends or this much work is done.
    pub(super) fn go_on(&mut self, work: u64, output: &mut AttentionRows) -> Poll<Report> {
        let Some(mut running) = self.running.take() else { panic!("no step is under way") };
        let end = running.work.saturating_add(work.max(1));
        while running.work < end {
            match running.stage {
                Stage::Learn => self.advance_learning(&mut running),
                Stage::Events => self.advance_events(&mut running),
                Stage::Tokens => self.advance_tokens(&mut running),
                Stage::Runs | Stage::RunsAnew => self.advance_runs(&mut running),
                Stage::Rows => self.advance_rows(&mut running, end, output),
            }
            if running.stage == Stage::Rows && running.n_done == running.rows.len() {
                self.version.end();
                return Poll::Ready(self.finish(&running));
            }
        }
        self.running = Some(running);
        Poll::Pending
    }

    /// The next heads make their bases.
    fn advance_learning(&mut self, running: &mut Running) {
        let n_now = usize::try_from(WORK_GRAIN / learn_work(self.spec.head())).unwrap_or(1).max(1);
        let until = (running.n_done + n_now).min(self.heads.len());
        let learnt = AtomicU64::new(1);
        each_head(&mut self.heads[running.n_done..until], |_, head| {
            learnt.fetch_add(head.learn(&running.rows), Ordering::Relaxed);
        });
        running.work += learnt.into_inner();
        running.n_done = until;
        if until == self.heads.len() {
            (running.stage, running.n_done) = (Stage::Events, 0);
        }
    }

    fn advance_events(&mut self, running: &mut Running) {
        let until = (running.n_done + self.block()).min(running.events.signs.len());
        let range = running.n_done..until;
        running.work += 1 + range.len() as u64 * self.row_work();
        if !range.is_empty() {
            let events = &running.events;
            each_head(&mut self.heads, |part, head| {
                head.absorb(part, range.clone().map(|at| events.row(at)));
            });
        }
        running.n_done = until;
        if until == running.events.signs.len() {
            self.end_events(running);
        }
    }

    /// Goes on with rows, or computes the sums anew if that has come to be needed.
    fn end_events(&mut self, running: &mut Running) {
        self.n_events += running.events.signs.len() as u64;
        each_head(&mut self.heads, |_, head| head.end_note(running.follows));
        // Once for as many events as pay for it.
        let pays = (self.tokens.len() as u64) < 8 * self.n_events;
        let is_off =
            |head: &Head| head.has_drifted() || pays && head.is_above(running.error_allowed);
        if self.heads.iter().any(is_off) {
            running.is_refreshed = true;
            self.start_over(running);
        } else {
            (running.stage, running.n_done) = (Stage::Rows, 0);
        }
    }

    fn advance_tokens(&mut self, running: &mut Running) {
        let until = (running.n_done + self.block()).min(running.slots.len());
        let slots = &running.slots[running.n_done..until];
        running.work += 1 + slots.len() as u64 * self.row_work();
        if !slots.is_empty() {
            let tokens = &self.tokens;
            each_head(&mut self.heads, |part, head| {
                head.absorb(part, slots.iter().map(|slot| (tokens.row(*slot), 1.0)));
            });
        }
        running.n_done = until;
        if until == running.slots.len() {
            each_head(&mut self.heads, |_, head| head.fresh_level = head.level());
            (running.stage, running.n_done) = (Stage::Rows, 0);
        }
    }
}

/// Tokens that go and come which queries follow one by one, at most: of more, what they add to the
/// sums is cheaper to follow.
const TOKENS_MAX: usize = 48;

/// The largest magnitude.
fn size(numbers: &[f32]) -> f64 {
    let most = wide(
        #[inline(always)]
        || {
            let mut lanes = [0.0_f32; 16];
            let (whole, rest) = numbers.as_chunks::<16>();
            for numbers in whole {
                for at in 0..16 {
                    let size = numbers[at].abs();
                    lanes[at] = if lanes[at] < size { size } else { lanes[at] };
                }
            }
            lanes.into_iter().chain(rest.iter().map(|x| x.abs())).fold(0.0, f32::max)
        },
    );
    f64::from(most)
}

/// Two heads do not look at each other, so the bits do not depend on how many work at a time.
pub(super) fn each_head(heads: &mut [Head], run: impl Fn(Part, &mut Head) + Sync) {
    share(heads, |at, head| run(Part { head: at }, head));
}
