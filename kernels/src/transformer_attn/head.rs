//! One head: its features, the reference of its exponents, and what it keeps of tokens.

use std::collections::BTreeMap;

use super::draw::Draw;
use super::features::{Block, Features, as_float};
use super::spec::{AttentionSpec, FeatureMap, Shape};
use super::sums::{Quotients, Sums};
use super::table::Row;
use crate::transformer_attn::delta::Outcome;

/// The state of one head.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) features: Features,
    /// What is taken from exponents of keys; stays while keys come and go.
    pub(super) reference: f64,
    /// How many tokens have their largest exponent in which run of [`RUN`].
    pub(super) scales: BTreeMap<i32, u32>,
    pub(super) sums: Sums,
    /// The sum of the weights of Fourier features.
    pub(super) live: f64,
    /// The error per denominator when the sums were last computed anew.
    pub(super) fresh_level: f64,
    scratch: Scratch,
}

/// What is computed again and again, kept for its memory.
#[derive(Debug, Clone, Default)]
struct Scratch {
    rows: Vec<f64>,
    values: Vec<f64>,
    block: Block,
    quotients: Quotients,
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
        Self::of(Features::draw(spec.feature_map, spec.head(), draw))
    }

    /// Without tokens.
    pub(super) fn of(features: Features) -> Self {
        let sums = Sums::new(features.shape);
        Self {
            features,
            reference: 0.0,
            scales: BTreeMap::new(),
            sums,
            live: 0.0,
            fresh_level: 0.0,
            scratch: Scratch::default(),
        }
    }

    fn shape(&self) -> Shape {
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
        self.live = 0.0;
        self.reference = self.better_reference().unwrap_or(self.reference);
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
        self.sums.absorb(shape, block, values);
        let signs = values.chunks_exact(shape.width()).map(|row| row[shape.e]);
        self.live += block.magnitudes.iter().zip(signs).map(|(w, sign)| w * sign).sum::<f64>();
    }

    /// Whether what cancelled in the sums shows, so that they should be computed anew.
    pub(super) fn has_drifted(&self) -> bool {
        self.sums.has_drifted(self.shape(), self.features.map, self.live)
    }

    /// The error of a numerator per denominator.
    pub(super) fn level(&self) -> f64 {
        self.sums.level(self.shape(), self.features.map, self.live)
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
        answers.start(shape, block.n_rows);
        if is_empty {
            return;
        }
        for at in 0..block.n_rows {
            let out = &mut answers.values[at * shape.e..(at + 1) * shape.e];
            let bound = quotients.output(shape, at, out);
            answers.bounds[at] = bound.unwrap_or(0.0);
            answers.outcomes[at] = if bound.is_some() { Outcome::Value } else { Outcome::Lost };
        }
    }

    /// The relative error of sums and features, of queries about as long as keys.
    pub(super) fn error_factor(&self) -> f64 {
        2.0 * (2.0 * self.sums.feature_error + self.sums.rounding)
    }

    pub(super) fn bytes(&self) -> usize {
        let shape = self.shape();
        size_of::<f64>() * (self.features.frequencies.len() + shape.m * (shape.width() + 2))
    }

    /// Whether denominators can come out near zero.
    pub(super) fn can_cancel(&self) -> bool {
        self.features.map == FeatureMap::Rff
    }
}

impl Answers {
    fn start(&mut self, shape: Shape, n_rows: usize) {
        self.values.clear();
        self.values.resize(n_rows * shape.e, 0.0);
        self.bounds.clear();
        self.bounds.resize(n_rows, 0.0);
        self.outcomes.clear();
        self.outcomes.resize(n_rows, Outcome::Empty);
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
