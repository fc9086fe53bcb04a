//! One head: its features, the reference of its exponents, and what it keeps of tokens.

use std::collections::BTreeMap;

use super::features::{Block, Features, as_float};
use super::follow::Followed;
use super::moved::{Moved, Terms};
use super::prefix::{Prefix, see_tokens};
use super::reduce::{self, Reduced};
use super::spec::{AttentionSpec, Causality, FeatureMap, Shape};
use super::sums::{Quotients, Sums};
use crate::keyed::Row;
use crate::outcome::Outcome;
use crate::random::Draw;

/// The state of one head.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) features: Features,
    /// What is taken from exponents of keys; stays while keys come and go.
    pub(super) reference: f64,
    /// How many tokens have their largest exponent in which run of [`RUN`].
    pub(super) scales: BTreeMap<i32, u32>,
    pub(super) sums: Sums,
    /// In the place of the sums where attention is causal.
    pub(super) prefix: Prefix,
    /// The error per denominator when the sums were last computed anew.
    pub(super) fresh_level: f64,
    /// What is kept of queries so that all can follow a small change.
    pub(super) followed: Option<Followed>,
    /// The tokens of a step that queries will follow.
    pub(super) moved: Option<Moved>,
    /// What a step adds to the sums, where it is of many tokens or of `rr`: apart from them until
    /// it is whole.
    pub(super) change: Option<Sums>,
    scratch: Scratch,
}

/// What is computed again and again, kept for its memory.
#[derive(Debug, Clone, Default)]
struct Scratch {
    rows: Vec<f64>,
    values: Vec<f64>,
    block: Block,
    keys: Block,
    quotients: Quotients,
}

/// Queries that see all runs before this one, and of it the first so many tokens.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) run: usize,
    pub(super) queries: Vec<Row<'a>>,
    pub(super) n_seen: Vec<usize>,
}

/// What a change of a run goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// It is all that the run has.
    Anew,
    /// To the run; the tree is computed anew.
    Run,
    /// To the run and the tree.
    Tree,
}

/// What a head answers to a block of rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Answers {
    /// `[n_rows, e]`.
    pub(super) values: Vec<f32>,
    pub(super) bounds: Vec<f64>,
    pub(super) outcomes: Vec<Outcome>,
}

/// Which part of the vectors is this head's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) head: usize,
}

impl Head {
    pub(super) fn draw(spec: &AttentionSpec, head: usize) -> Self {
        let draw = Draw::new(spec.seed, head as u64);
        let mut head = Self::of(Features::draw(spec.feature_map, spec.head(), draw));
        head.prefix.is_kept = spec.causality == Causality::Causal;
        head
    }

    /// Without tokens.
    pub(super) fn of(features: Features) -> Self {
        let sums = Sums::new(features.shape);
        Self {
            features,
            reference: 0.0,
            scales: BTreeMap::new(),
            sums,
            prefix: Prefix::default(),
            fresh_level: 0.0,
            followed: None,
            moved: None,
            change: None,
            scratch: Scratch::default(),
        }
    }

    pub(super) fn shape(&self) -> Shape {
        self.features.shape
    }

    /// Counts a token that comes.
    pub(super) fn count(&mut self, part: Part, token: &Row<'_>) {
        *self.scales.entry(self.run(part, token)).or_default() += 1;
    }

    /// Counts a token that goes.
    pub(super) fn discount(&mut self, part: Part, token: &Row<'_>) {
        let run = self.run(part, token);
        let n_left = self.scales.get(&run).map_or(0, |n| n - 1);
        if n_left == 0 {
            self.scales.remove(&run);
        } else {
            self.scales.insert(run, n_left);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "it is clamped")]
    fn run(&self, part: Part, token: &Row<'_>) -> i32 {
        let scale = self.features.scale(piece(token.vectors[0], part, self.shape().d));
        (scale / RUN).floor().clamp(-1e9, 1e9) as i32
    }

    /// The reference that the largest exponent asks for, if the present one is too far away.
    pub(super) fn better_reference(&self) -> Option<f64> {
        let top = self.scales.keys().next_back()?;
        let top = f64::from(*top) * RUN + RUN;
        (AWAY_MAX < (top - self.reference).abs()).then_some(top)
    }

    /// Forgets all tokens, and moves the reference if it has to.
    pub(super) fn clear(&mut self) {
        self.sums.clear();
        self.reference = self.better_reference().unwrap_or(self.reference);
    }

    /// Starts to note what a step does, for queries to follow.
    pub(super) fn note(&mut self, by: Option<Terms>) {
        self.moved = (by == Some(Terms::Tokens)).then(Moved::default);
        let is_apart = matches!(by, Some(Terms::Directions | Terms::Sums));
        self.change = is_apart.then(|| Sums::new(self.shape()));
    }

    /// The sums have the whole step, and queries know what they follow.
    pub(super) fn end_note(&mut self, by: Option<Terms>) {
        let shape = self.shape();
        if let Some(moved) = &mut self.moved {
            moved.seal(shape);
        }
        let Some(change) = self.change.take() else { return };
        self.sums.add(&change);
        if by == Some(Terms::Sums) {
            self.moved = Some(Moved::of_sums(shape, &change));
            return;
        }
        let reduced = self.followed.as_ref().and_then(|followed| followed.reduced.as_ref());
        self.moved = reduced.map(|reduced| reduced.moved(shape, &change));
    }

    /// Makes a basis of these queries if there is none, or if as many queries changed since as
    /// would make half of it another. Gives its work.
    pub(super) fn learn(&mut self, slots: &[usize]) -> u64 {
        let shape = self.shape();
        let Some(followed) = &mut self.followed else { return 0 };
        let is_old = |reduced: &Reduced| (slots.len() as u64) < 2 * reduced.n_changed;
        if followed.reduced.as_ref().is_some_and(|reduced| !is_old(reduced)) {
            return 0;
        }
        let ones = self.sums.table.chunks_exact(shape.width()).map(|row| row[shape.e]);
        followed.learn(shape, &ones.collect::<Vec<f64>>(), slots);
        reduce::learn_work(shape)
    }

    /// Adds tokens, each with its sign.
    pub(super) fn absorb<'a>(&mut self, part: Part, tokens: impl Iterator<Item = (Row<'a>, f64)>) {
        let shape = self.shape();
        let Scratch { rows, values, block, .. } = &mut self.scratch;
        rows.clear();
        values.clear();
        for (token, sign) in tokens {
            rows.extend(piece(token.vectors[0], part, shape.d).iter().copied().map(f64::from));
            let value = piece(token.vectors[1], part, shape.e);
            values.extend(value.iter().map(|v| sign * f64::from(*v)));
            values.push(sign);
        }
        self.features.keys(rows, self.reference, block);
        self.change.as_mut().unwrap_or(&mut self.sums).absorb(shape, block, values);
        if let Some(moved) = &mut self.moved {
            moved.extend(shape, block, values);
        }
    }

    /// Changes a run by tokens, each with its sign.
    pub(super) fn change_run<'a>(
        &mut self,
        part: Part,
        (run, reach): (usize, Reach),
        tokens: impl Iterator<Item = (Row<'a>, f64)>,
    ) {
        let shape = self.shape();
        self.sums = Sums::new(shape);
        self.absorb(part, tokens);
        let change = std::mem::replace(&mut self.sums, Sums::empty());
        match reach {
            Reach::Anew => self.prefix.runs[run] = change,
            Reach::Run => self.prefix.runs[run].add(&change),
            Reach::Tree => self.prefix.add(run, &change),
        }
    }

    /// What is kept of tokens.
    fn all_sums(&self) -> impl Iterator<Item = &Sums> {
        let sums = (!self.prefix.is_kept).then_some(&self.sums);
        sums.into_iter().chain(&self.prefix.runs).chain(&self.prefix.nodes)
    }

    /// Whether what cancelled in the sums shows, so that they should be computed anew.
    pub(super) fn has_drifted(&self) -> bool {
        self.all_sums().any(|sums| sums.has_drifted(self.shape(), self.features.map))
    }

    /// The error of a numerator per denominator.
    pub(super) fn level(&self) -> f64 {
        let level = |sums: &Sums| sums.level(self.shape(), self.features.map);
        self.all_sums().map(level).fold(0.0, f64::max)
    }

    /// Whether computing the sums anew would help to keep this error.
    pub(super) fn is_above(&self, error_max: f64) -> bool {
        let level = self.level();
        4.0 * level > error_max && level > 4.0 * self.fresh_level
    }

    /// Answers to queries.
    pub(super) fn answer<'a>(
        &mut self,
        part: Part,
        queries: impl Iterator<Item = Row<'a>>,
        answers: &mut Answers,
    ) {
        let shape = self.shape();
        let Scratch { rows, block, quotients, .. } = &mut self.scratch;
        rows.clear();
        for query in queries {
            rows.extend(piece(query.vectors[0], part, shape.d).iter().copied().map(f64::from));
        }
        self.features.queries(rows, block);
        quotients.start(shape, block.n_rows);
        let is_empty = self.scales.is_empty();
        if !is_empty {
            self.sums.see(&self.features, block, quotients);
        }
        answers.extend(shape, quotients, |_| is_empty);
    }

    /// Keeps what was just answered to the queries in these slots, for them to follow from there.
    pub(super) fn keep(&mut self, slots: &[usize], answers: &Answers) {
        let shape = self.shape();
        let Some(followed) = &mut self.followed else { return };
        let Scratch { block, quotients, .. } = &self.scratch;
        for (at, slot) in slots.iter().enumerate() {
            let denominator = quotients.sums[(at + 1) * shape.width() - 1];
            followed.denominators[*slot] = denominator;
            followed.slack[*slot] = quotients.error_1[at] / denominator;
            let is_there = answers.outcomes[at] == Outcome::Value;
            followed.errors[*slot] = if is_there { answers.bounds[at] } else { f64::INFINITY };
            followed.keep(*slot, &block.features[at * shape.m..(at + 1) * shape.m]);
        }
    }

    /// Answers to queries that see all runs before one, and of that one each so many tokens.
    pub(super) fn answer_run<'a>(
        &mut self,
        part: Part,
        group: &Group<'a>,
        tokens: impl Iterator<Item = Row<'a>>,
        answers: &mut Answers,
    ) {
        let shape = self.shape();
        let Scratch { rows, values, block, keys, quotients } = &mut self.scratch;
        rows.clear();
        for query in &group.queries {
            rows.extend(piece(query.vectors[0], part, shape.d).iter().copied().map(f64::from));
        }
        self.features.queries(rows, block);
        quotients.start(shape, block.n_rows);
        self.prefix.see(group.run, &self.features, block, quotients);
        rows.clear();
        values.clear();
        for token in tokens {
            rows.extend(piece(token.vectors[0], part, shape.d).iter().copied().map(f64::from));
            values.extend(piece(token.vectors[1], part, shape.e).iter().copied().map(f64::from));
            values.push(1.0);
        }
        if !values.is_empty() {
            self.features.keys(rows, self.reference, keys);
            see_tokens(shape, (block, &group.n_seen), (keys, values), quotients);
        }
        // Only the first run has nothing before it.
        answers.extend(shape, quotients, |at| group.run == 0 && group.n_seen[at] == 0);
    }

    /// The relative error of sums and features, of queries about as long as keys.
    pub(super) fn error_factor(&self) -> f64 {
        let factor = |sums: &Sums| 2.0 * (2.0 * sums.feature_error + sums.rounding);
        self.all_sums().map(factor).fold(0.0, f64::max)
    }

    pub(super) fn bytes(&self) -> usize {
        let shape = self.shape();
        let sums = self.all_sums().count() * shape.m * (shape.width() + 2);
        let followed = self.followed.as_ref().map_or(0, Followed::bytes);
        size_of::<f64>() * (self.features.frequencies.len() + sums) + followed
    }

    /// Whether denominators can come out near zero.
    pub(super) fn can_cancel(&self) -> bool {
        self.features.map == FeatureMap::Rff
    }
}

impl Answers {
    /// Appends the outputs of a block of rows.
    fn extend(&mut self, shape: Shape, rows: &Quotients, is_empty: impl Fn(usize) -> bool) {
        for at in 0..rows.mass.len() {
            let start = self.values.len();
            self.values.resize(start + shape.e, 0.0);
            if is_empty(at) {
                self.bounds.push(0.0);
                self.outcomes.push(Outcome::Empty);
                continue;
            }
            let bound = rows.output(shape, at, &mut self.values[start..]);
            self.bounds.push(bound.unwrap_or(0.0));
            self.outcomes.push(if bound.is_some() { Outcome::Value } else { Outcome::Lost });
        }
    }
}

/// This head's part of a vector.
fn piece(vector: &[f32], part: Part, width: usize) -> &[f32] {
    &vector[part.head * width..(part.head + 1) * width]
}

/// Exponents are counted by runs of this.
const RUN: f64 = 64.0;

/// How far the reference may be from the largest exponent: `exp` of it, times a sum of many values,
/// is far from the end of `f64`, and so is its inverse.
const AWAY_MAX: f64 = 300.0;

/// The share of something, for counts.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    as_float(part) / as_float(whole.max(1))
}
