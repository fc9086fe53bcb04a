//! Linear attention over random features, in several heads, kept up to date while queries and
//! tokens come, change and go.
//!
//! With features `phi` whose products stand for the softmax kernel, `phi(q) phi(k) ~ exp(q k /
//! sqrt d)`, the output of a query is `sum_j (phi(q) phi(k_j)) v_j / sum_j phi(q) phi(k_j)`. That
//! needs of the tokens only `S = sum_j phi(k_j) v_j^T` and `z = sum_j phi(k_j)`, so a changed token
//! is `S += phi(k') v'^T - phi(k) v^T`, whatever the number of tokens.
//!
//! The error bounds are against exact arithmetic *of the same random features*. How far these are
//! from softmax attention itself is a property of their number, and not measured here.
//!
//! Inputs and outputs are `f32`; between them everything is `f64`, so that what is left of the
//! error is the rounding of the output, until much more has cancelled than is left.

mod spec;
mod features;
mod sums;
mod order;
mod prefix;
mod lanes;
mod moved;
mod reduce;
mod follow;
mod delta;
mod head;
mod step;
mod rows;
mod save;

use std::io;
use std::task::Poll;

use crate::churn::Churn;
use crate::emit::Emit;
use crate::kernel::{
    DeltaError, Kernel, Measured, Prediction, Probe, Report, Sample, SpecError, Step,
};
use crate::keyed::{Change, Table, churn};
use crate::mode::Mode;
use crate::outcome::Outcome;
use crate::prepared::Address;
use crate::said::Said;
use crate::snapshot::LoadError;
use crate::threads::share;
use crate::version::Version;
use head::{Answers, Group, Head, Part, Reach};
use moved::Terms;
use order::Order;
use step::{Running, each_head};

pub use delta::{AttentionDelta, AttentionRows, QueryRows, TokenRows};
pub use spec::{AttentionSpec, Causality, FeatureMap};

/// The state of attention.
///
/// Memory: tokens and queries as they are, and for each head `[m, e + 3]` numbers of `f64`, twice
/// for each 128 tokens where it is causal; under [`Emit::All`] and [`Emit::Eps`] also what was last
/// said.
#[derive(Debug, Clone)]
pub struct TransformerAttn {
    spec: AttentionSpec,
    tokens: Table,
    queries: Table,
    /// Where attention is causal.
    order: Order,
    heads: Vec<Head>,
    /// The largest entry of a value since the sums were last computed anew.
    value_max: f64,
    /// Tokens that came or went since then.
    n_events: u64,
    said: Option<Said<f32>>,
    /// Outputs of all queries, `[n_slots, n_value]` in whole blocks, where they are kept to follow
    /// changes. Under [`Emit::All`] they are what was said, and stand for the values in `said`.
    outputs: Vec<f32>,
    /// The bound that was told with the last step.
    error_max: f64,
    running: Option<Box<Running>>,
    version: Version,
    /// The head that is computed anew next.
    refresh_next: usize,
}

/// What measuring finds of a change: which keys really change.
#[derive(Debug)]
pub struct AttentionFound {
    queries: Vec<Change>,
    tokens: Vec<Change>,
}

/// What becomes of answers beside that they are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// Queries follow changes from there.
    Yes,
    /// Nothing.
    No,
}

/// Output rows of a block, all heads together.
#[derive(Debug, Clone, Default)]
struct RowBlock {
    /// `[n_rows, n_value]`.
    values: Vec<f32>,
    bounds: Vec<f64>,
    outcomes: Vec<Outcome>,
}

impl TransformerAttn {
    /// The frequencies that the features of this head are made of, `[n_frequencies, d]`: as many as
    /// features, or half as many under [`FeatureMap::Rff`].
    pub fn frequencies(&self, head: usize) -> Vec<Vec<f64>> {
        let features = &self.heads[head].features;
        let d = features.shape.d;
        let n = features.frequencies.len() / d;
        (0..n).map(|at| (0..d).map(|i| features.frequencies[i * n + at]).collect()).collect()
    }

    /// Tokens computed at a time, over all heads.
    fn block(&self) -> usize {
        self.spec.block()
    }

    /// Work of one token or row over all heads.
    fn row_work(&self) -> u64 {
        self.spec.head().row_work() * self.spec.n_heads as u64
    }

    /// Answers to the queries in these slots, of all heads. What is kept of them is all but the
    /// outputs.
    fn answer(&mut self, slots: &[usize], keep: Keep) -> RowBlock {
        let (queries, tokens, order) = (&self.queries, &self.tokens, &self.order);
        let (shape, is_causal) = (self.spec.head(), self.spec.causality == Causality::Causal);
        let of_head = |at: usize, head: &mut Head| {
            let mut answers = Answers::default();
            let part = Part { head: at };
            if is_causal {
                for group in groups(order, queries, slots) {
                    let n_most = group.n_seen.iter().copied().max().unwrap_or(0);
                    let spots = order.runs.get(group.run).map_or(&[][..], |run| &run[..n_most]);
                    let seen = spots.iter().map(|spot| tokens.row(spot.2));
                    head.answer_run(part, &group, seen, &mut answers);
                }
            } else {
                let rows = slots.iter().map(|slot| queries.row(*slot));
                head.answer(part, rows, &mut answers);
                if keep == Keep::Yes {
                    head.keep(slots, &answers);
                }
            }
            answers
        };
        let heads: Vec<Answers> = share(&mut self.heads, of_head);
        let mut block = RowBlock::new(slots.len(), self.spec.n_value);
        for (at, slot) in slots.iter().enumerate() {
            let row = &mut block.values[at * self.spec.n_value..(at + 1) * self.spec.n_value];
            for (answers, out) in heads.iter().zip(row.chunks_exact_mut(shape.e)) {
                out.copy_from_slice(&answers.values[at * shape.e..(at + 1) * shape.e]);
                block.bounds[at] = block.bounds[at].max(answers.bounds[at]);
                if answers.outcomes[at] != Outcome::Value {
                    block.outcomes[at] = answers.outcomes[at];
                }
            }
            if block.outcomes[at] != Outcome::Value {
                row.fill(0.0);
                block.bounds[at] = 0.0;
                if keep == Keep::Yes {
                    self.forget(*slot);
                }
            }
        }
        block
    }

    /// What is kept of the query in this slot holds no more.
    fn forget(&mut self, slot: usize) {
        for head in &mut self.heads {
            if let Some(followed) = &mut head.followed {
                followed.errors[slot] = f64::INFINITY;
            }
        }
    }

    /// Computes the sums of this head anew.
    fn rebuild((tokens, order): (&Table, &Order), part: Part, head: &mut Head, block: usize) {
        head.clear();
        if head.prefix.is_kept {
            head.prefix.clear(head.shape(), order.runs.len());
            for (at, run) in order.runs.iter().enumerate() {
                let tokens = run.iter().map(|spot| (tokens.row(spot.2), 1.0));
                head.change_run(part, (at, Reach::Anew), tokens);
            }
            head.prefix.plant();
            head.fresh_level = head.level();
            return;
        }
        let slots: Vec<usize> = tokens.live().collect();
        for slots in slots.chunks(block) {
            head.absorb(part, slots.iter().map(|slot| (tokens.row(*slot), 1.0)));
        }
        head.fresh_level = head.level();
    }

    /// What an output may be off by after a step, if nothing cancels.
    fn error_ahead(&self, churn: &Churn) -> f64 {
        let value_max = self.value_max + churn.delta_max;
        let factor = self.heads.iter().map(Head::error_factor).fold(0.0, f64::max);
        if self.heads.iter().any(Head::can_cancel) {
            return self.error_max.max(value_max * f64::from(f32::EPSILON));
        }
        value_max * (f64::from(f32::EPSILON) + 8.0 * factor)
    }
}

impl Kernel for TransformerAttn {
    type Spec = AttentionSpec;
    type Delta = AttentionDelta;
    type Found = AttentionFound;
    type Keys = Vec<i64>;
    type Output = AttentionRows;

    /// Draws the features. Cost: O(heads m d min(m, d)).
    fn compile(spec: &AttentionSpec) -> Result<Self, SpecError> {
        spec.check()?;
        Ok(Self {
            spec: *spec,
            tokens: Table::new([spec.n_key, spec.n_value]),
            queries: Table::new([spec.n_key, 0]),
            order: Order::new(spec.run()),
            heads: (0..spec.n_heads).map(|head| Head::draw(spec, head)).collect(),
            value_max: 0.0,
            n_events: 0,
            said: None,
            outputs: Vec::new(),
            error_max: 0.0,
            running: None,
            version: Version::default(),
            refresh_next: 0,
        })
    }

    fn prepared(&self) -> Option<Address> {
        Some(Address::of_parts(self.heads.iter().map(|head| head.features.frequencies.address())))
    }

    fn measure(&self, delta: AttentionDelta) -> Result<Measured<Self>, DeltaError> {
        let found = self.look(&delta)?;
        Ok(Measured::new(delta, found, &self.version))
    }

    /// Features with denominators that can cancel have no bound ahead of a step: then the error is
    /// that of the last one.
    fn predict(&self, mode: Mode, churn: &Churn, emit: Emit) -> Option<Prediction> {
        let n_rows = match emit {
            Emit::Changed => churn.n_changed.min(self.queries.len()),
            Emit::Pull => 0,
            Emit::Eps(_) | Emit::All => self.queries.len(),
        };
        let row_work = match mode {
            Mode::Rr if !self.can_reduce(emit) => return None,
            Mode::Rr => self.follow_work(Terms::Directions, 0),
            Mode::Pass | Mode::Itmd => self.row_work(),
        };
        let n_tokens = match mode {
            Mode::Pass => self.tokens.len(),
            Mode::Itmd | Mode::Rr => 2 * churn.n_changed,
        };
        let work = n_rows as u64 * row_work + n_tokens as u64 * self.row_work();
        Some(Prediction { work, error_max: self.error_ahead(churn) })
    }

    fn begin(&mut self, step: Step<Measured<Self>>) {
        self.start(step);
    }

    fn advance(&mut self, work: u64, output: &mut AttentionRows) -> Poll<Report> {
        self.go_on(work, output)
    }

    fn read(&mut self, keys: &Vec<i64>, output: &mut AttentionRows) -> f64 {
        let keys = self.queries.slots_of(keys);
        let mut error_max = 0.0_f64;
        for keys in keys.chunks(self.block()) {
            let slots: Vec<usize> = keys.iter().map(|(_, slot)| *slot).collect();
            let block = self.answer(&slots, Keep::No);
            output.keys.extend(keys.iter().map(|(key, _)| *key));
            output.outcomes.extend(&block.outcomes);
            output.values.extend(&block.values);
            error_max = block.bounds.iter().fold(error_max, |most, bound| most.max(*bound));
        }
        error_max
    }

    fn keys(&self) -> Vec<i64> {
        self.queries.index.keys().copied().collect()
    }

    /// Computes the sums anew in a copy, and answers of both. Cost: that of `pass` over all tokens.
    fn certify(&self, sample: Sample) -> Probe {
        let slots = self.queries.sample(sample);
        let mut kept = self.clone();
        let mut fresh = self.clone();
        let (tokens, block) = ((&self.tokens, &self.order), self.block());
        each_head(&mut fresh.heads, |part, head| Self::rebuild(tokens, part, head, block));
        let (mut error, mut error_max) = (0.0_f64, 0.0_f64);
        for slots in slots.chunks(block) {
            let (ours, theirs) = (kept.answer(slots, Keep::No), fresh.answer(slots, Keep::No));
            let values = ours.values.chunks_exact(self.spec.n_value);
            for (at, row) in values.enumerate() {
                let is_both = [&ours, &theirs].iter().all(|it| it.outcomes[at] == Outcome::Value);
                error_max = error_max.max(ours.bounds[at]);
                if is_both {
                    let wanted = &theirs.values[at * row.len()..(at + 1) * row.len()];
                    let off = row.iter().zip(wanted).fold(0.0_f64, |most, (a, b)| {
                        most.max((f64::from(*a) - f64::from(*b)).abs())
                    });
                    // What was computed anew is off itself.
                    error = error.max(off - theirs.bounds[at]);
                }
            }
        }
        Probe { n_rows: slots.len(), error, error_max }
    }

    /// Heads are computed anew one after another.
    fn refresh(&mut self, share: f64) -> Report {
        assert!(self.running.is_none(), "a step is under way");
        let n_heads = self.heads.len();
        let wanted = (1..n_heads).find(|n| share <= head::share(*n, n_heads)).unwrap_or(n_heads);
        let block = self.block();
        for _ in 0..wanted {
            let at = self.refresh_next % n_heads;
            Self::rebuild(
                (&self.tokens, &self.order),
                Part { head: at },
                &mut self.heads[at],
                block,
            );
            self.refresh_next = (at + 1) % n_heads;
        }
        let per_head = self.spec.head().row_work() * self.tokens.len() as u64;
        Report {
            mode: Mode::Pass,
            churn: Churn { n_changed: 0, n_total: self.n_inputs(), delta_max: 0.0 },
            error_max: self.error_max,
            n_emitted: 0,
            work: per_head * wanted as u64,
            reuse: None,
            is_refreshed: true,
        }
    }

    fn state_bytes(&self) -> usize {
        let heads: usize = self.heads.iter().map(Head::bytes).sum();
        let said = self.said.as_ref().map_or(0, Said::bytes);
        let outputs = self.outputs.len() * size_of::<f32>();
        heads + said + outputs + self.tokens.bytes() + self.queries.bytes()
    }

    fn save(&self, out: &mut dyn io::Write) -> io::Result<()> {
        assert!(self.running.is_none(), "a step is under way");
        self.write(out)
    }

    fn load(input: &mut dyn io::Read) -> Result<Self, LoadError> {
        Self::read_from(input)
    }
}

impl TransformerAttn {
    fn look(&self, delta: &AttentionDelta) -> Result<(Churn, AttentionFound), DeltaError> {
        let sides =
            [(delta.queries(&self.spec), &self.queries), (delta.tokens(&self.spec), &self.tokens)];
        let (churn, [queries, tokens]) = churn(&sides)?;
        Ok((churn, AttentionFound { queries, tokens }))
    }

    fn n_inputs(&self) -> usize {
        self.queries.len() + self.tokens.len()
    }
}

impl RowBlock {
    fn new(n_rows: usize, n_value: usize) -> Self {
        Self {
            values: vec![0.0; n_rows * n_value],
            bounds: vec![0.0; n_rows],
            outcomes: vec![Outcome::Value; n_rows],
        }
    }

    /// The row at this place.
    fn row(&self, at: usize) -> &[f32] {
        let width = self.values.len() / self.outcomes.len().max(1);
        &self.values[at * width..(at + 1) * width]
    }
}

/// Queries that follow one another and stand before the same run.
fn groups<'a>(order: &Order, queries: &'a Table, slots: &[usize]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for slot in slots {
        let (run, n_seen) = order.seen(queries.places[*slot]);
        let query = queries.row(*slot);
        match groups.last_mut() {
            Some(last) if last.run == run => {
                last.queries.push(query);
                last.n_seen.push(n_seen);
            }
            _ => groups.push(Group { run, queries: vec![query], n_seen: vec![n_seen] }),
        }
    }
    groups
}
