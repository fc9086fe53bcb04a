//! Attention: queries and tokens that come, change and go, and the definition in plain loops.

use std::collections::BTreeMap;
use std::task::Poll;

use arqon_kernels::{
    AttentionDelta, AttentionRows, AttentionSpec, Causality, Emit, FeatureMap, Kernel, Mode,
    Outcome, Reuse, Step, TransformerAttn,
};

use crate::harness::{Subject, difference, try_all};
use crate::random::Random;

/// A query and its place.
pub(crate) type Query = (Vec<f32>, i64);

/// A key, a value and their place.
pub(crate) type Token = (Vec<f32>, Vec<f32>, i64);

/// The inputs of attention.
#[derive(Clone)]
pub(crate) struct Attention {
    pub(crate) spec: AttentionSpec,
    pub(crate) queries: BTreeMap<i64, Query>,
    pub(crate) tokens: BTreeMap<i64, Token>,
    /// How long the vectors are.
    pub(crate) length: f32,
}

impl Attention {
    pub(crate) fn of(spec: AttentionSpec, length: f32) -> Self {
        Self { spec, queries: BTreeMap::new(), tokens: BTreeMap::new(), length }
    }

    pub(crate) fn vector(&self, random: &mut Random, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.length * random.normal32()).collect()
    }

    pub(crate) fn token(&self, random: &mut Random) -> Token {
        let k = self.vector(random, self.spec.n_key);
        (k, (0..self.spec.n_value).map(|_| random.normal32()).collect(), place(random))
    }

    /// The definition: head by head, row by row, feature by feature.
    pub(crate) fn define(&self, frequencies: &[Vec<Vec<f64>>]) -> BTreeMap<i64, Vec<f64>> {
        let (d, e) = (self.spec.n_key / self.spec.n_heads, self.spec.n_value / self.spec.n_heads);
        let is_rff = self.spec.feature_map == FeatureMap::Rff;
        let half = 0.5 / f64::from(u32::try_from(d).unwrap()).sqrt();
        let mut rows = BTreeMap::new();
        for (key, (q, place)) in &self.queries {
            let seen: Vec<&Token> = self
                .tokens
                .values()
                .filter(|token| self.spec.causality == Causality::Plain || token.2 <= *place)
                .collect();
            let mut row = Vec::new();
            let mut outcome = if seen.is_empty() { 1.0 } else { 0.0 };
            for (head, frequencies) in frequencies.iter().enumerate() {
                let part = |x: &[f32]| -> Vec<f64> {
                    x[head * d..(head + 1) * d].iter().copied().map(f64::from).collect()
                };
                let dot = |w: &[f64], x: &[f64]| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
                let q = part(q);
                let angles: Vec<f64> = frequencies.iter().map(|w| dot(w, &q)).collect();
                let most = angles.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let (mut sums, mut total, mut mass) = (vec![0.0; e], 0.0, 0.0);
                for (k, v, _) in &seen {
                    let k = part(k);
                    let size = half * dot(&k, &k);
                    let (mut weight, mut terms) = (0.0_f64, 0.0_f64);
                    for (w, angle) in frequencies.iter().zip(&angles) {
                        if is_rff {
                            weight += size.exp() * (angle - dot(w, &k)).cos();
                            terms += 2.0 * size.exp();
                        } else {
                            weight += (angle - most).exp() * (dot(w, &k) - size).exp();
                        }
                    }
                    (total, mass) = (total + weight, mass + terms);
                    for (sum, v) in sums.iter_mut().zip(&v[head * e..(head + 1) * e]) {
                        *sum += weight * f64::from(*v);
                    }
                }
                if !seen.is_empty() && total <= mass / 1_048_576.0 {
                    outcome = 2.0;
                }
                row.extend(sums.iter().map(|sum| sum / total));
            }
            if outcome != 0.0 {
                row.fill(0.0);
            }
            row.push(outcome);
            rows.insert(*key, row);
        }
        rows
    }
}

pub(crate) fn place(random: &mut Random) -> i64 {
    i64::try_from(random.below(60)).unwrap() - 20
}

/// All frequencies of the features.
pub(crate) fn frequencies(spec: &AttentionSpec) -> Vec<Vec<Vec<f64>>> {
    let kernel = TransformerAttn::compile(spec).unwrap();
    (0..spec.n_heads).map(|head| kernel.frequencies(head)).collect()
}

/// A delta of these changes; what is none goes.
pub(crate) fn delta(
    spec: &AttentionSpec,
    queries: impl IntoIterator<Item = (i64, Option<Query>)>,
    tokens: impl IntoIterator<Item = (i64, Option<Token>)>,
) -> AttentionDelta {
    let is_causal = spec.causality == Causality::Causal;
    let mut delta = AttentionDelta::default();
    for (key, query) in queries {
        let Some((q, place)) = query else {
            delta.queries_gone.push(key);
            continue;
        };
        delta.queries.keys.push(key);
        delta.queries.q.extend(q);
        delta.queries.places.extend(is_causal.then_some(place));
    }
    for (key, token) in tokens {
        let Some((k, v, place)) = token else {
            delta.tokens_gone.push(key);
            continue;
        };
        delta.tokens.keys.push(key);
        delta.tokens.k.extend(k);
        delta.tokens.v.extend(v);
        delta.tokens.places.extend(is_causal.then_some(place));
    }
    delta
}

/// What turns `before` into `after`.
fn between<T: Clone + PartialEq>(
    before: &BTreeMap<i64, T>,
    after: &BTreeMap<i64, T>,
) -> Vec<(i64, Option<T>)> {
    let gone = before.keys().filter(|key| !after.contains_key(key)).map(|key| (*key, None));
    let came = after.iter().filter(|(key, row)| before.get(key) != Some(row));
    gone.chain(came.map(|(key, row)| (*key, Some(row.clone())))).collect()
}

impl Subject for Attention {
    type Kernel = TransformerAttn;
    type Key = i64;

    fn new(random: &mut Random) -> Self {
        let n_heads = 1 + random.below(3);
        let is_rff = random.happens(0.3);
        let spec = AttentionSpec {
            n_heads,
            n_key: n_heads * (1 + random.below(9)),
            n_value: n_heads * (1 + random.below(5)),
            n_features: 2 * (4 + random.below(30)),
            feature_map: if is_rff { FeatureMap::Rff } else { FeatureMap::FavorPlus },
            causality: if random.happens(0.5) { Causality::Causal } else { Causality::Plain },
            seed: random.bits(),
        };
        Self::of(spec, if is_rff { 0.4 } else { 1.0 })
    }

    fn spec(&self) -> AttentionSpec {
        self.spec
    }

    fn change(&mut self, random: &mut Random) -> AttentionDelta {
        let before = self.clone();
        if random.happens(0.05) {
            self.tokens.clear();
        }
        let n_most = if random.happens(0.2) { 80 } else { 12 };
        for _ in 0..random.below(n_most) {
            let key = i64::try_from(random.below(50)).unwrap();
            match random.below(5) {
                0 => drop(self.tokens.remove(&key)),
                1 => drop(self.queries.remove(&key)),
                2 => {
                    let query = (self.vector(random, self.spec.n_key), place(random));
                    self.queries.insert(key, query);
                }
                _ => {
                    let token = self.token(random);
                    self.tokens.insert(key, token);
                }
            }
        }
        self.since(&before)
    }

    fn since(&self, before: &Self) -> AttentionDelta {
        let queries = between(&before.queries, &self.queries);
        delta(&self.spec, queries, between(&before.tokens, &self.tokens))
    }

    fn answer(&self) -> BTreeMap<i64, Vec<f64>> {
        self.define(&frequencies(&self.spec))
    }

    /// A row has its outcome as one more entry.
    fn rows(output: &AttentionRows) -> BTreeMap<i64, Vec<f64>> {
        let n_value = output.values.len() / output.keys.len().max(1);
        let row = |at: usize| {
            let values = output.values[at * n_value..(at + 1) * n_value].iter();
            let outcome = match output.outcomes[at] {
                Outcome::Value => 0.0,
                Outcome::Empty => 1.0,
                Outcome::Lost => 2.0,
            };
            values.copied().map(f64::from).chain([outcome]).collect()
        };
        output.keys.iter().enumerate().map(|(at, key)| (*key, row(at))).collect()
    }
}

#[test]
fn attention_keeps_the_laws() {
    try_all::<Attention>(20);
}

/// Queries near some points, so that a basis finds most of them; and what is left of them counts.
#[test]
fn a_basis_moves_all_rows_within_their_bounds() {
    let (mut n_hits, mut error_most) = (0, 0.0_f64);
    for seed in 1..=2 {
        let mut random = Random(seed);
        let spec = AttentionSpec {
            n_heads: 2,
            n_key: 24,
            n_value: 6,
            n_features: 96,
            feature_map: FeatureMap::FavorPlus,
            causality: Causality::Plain,
            seed,
        };
        let mut model = Attention::of(spec, 0.5);
        let points: Vec<Vec<f32>> = (0..12).map(|_| model.vector(&mut random, 24)).collect();
        let near = |random: &mut Random| -> Query {
            let point = &points[random.below(points.len())];
            (point.iter().map(|x| x + 0.02 * random.normal32()).collect(), 0)
        };
        for key in 0..60 {
            model.queries.insert(key, near(&mut random));
            let token = model.token(&mut random);
            model.tokens.insert(key, token);
        }
        let frequencies = frequencies(&spec);
        let mut kernel = TransformerAttn::compile(&spec).unwrap();
        let mut before = Attention::of(spec, 0.5);
        for step in 0..10 {
            let mode = if step == 0 { Mode::Pass } else { Mode::Rr };
            let delta = model.since(&before);
            let delta = kernel.measure(delta).unwrap();
            assert!(kernel.predict(mode, delta.churn(), Emit::All).is_some());
            kernel.begin(Step { delta, mode, emit: Emit::All, error_max: 0.02 });
            let mut output = AttentionRows::default();
            let report = loop {
                if let Poll::Ready(report) = kernel.advance(u64::MAX, &mut output) {
                    break report;
                }
            };
            n_hits += u32::from(report.reuse == Some(Reuse::Hit));
            let (found, wanted) = (Attention::rows(&output), model.define(&frequencies));
            assert_eq!(report.mode, mode);
            assert!(report.error_max <= 0.02, "{report:?}");
            for (key, row) in &found {
                for (found, wanted) in row.iter().zip(&wanted[key]) {
                    let off = (found - wanted).abs();
                    assert!(off <= report.error_max, "seed {seed}, step {step}: {off:e}");
                    error_most = error_most.max(off);
                }
            }
            before = model.clone();
            for _ in 0..2 {
                let key = i64::try_from(random.below(60)).unwrap();
                model.tokens.insert(key, model.token(&mut random));
            }
            if step % 3 == 0 {
                model.queries.insert(7, near(&mut random));
            }
        }
    }
    // What lies outside of the basis is more than rounding, or the trial would show nothing.
    assert!(n_hits >= 3 && 1e-5 < error_most, "{n_hits} hits, off by {error_most:e}");
}

/// Few tokens that change, each of which all queries follow, and many, of which they follow what
/// these add to the sums; under policies that take turns, so that what was said is now what is
/// kept and now apart from it. Whoever folds what is put out is within the bound, and the bound is
/// of use.
#[test]
fn queries_follow_few_tokens_and_many_under_policies_that_take_turns() {
    let spec = AttentionSpec {
        n_heads: 2,
        n_key: 24,
        n_value: 40,
        n_features: 60,
        feature_map: FeatureMap::FavorPlus,
        causality: Causality::Plain,
        seed: 5,
    };
    let frequencies = frequencies(&spec);
    let mut n_stand = 0;
    for (seed, n_changed, n_tight) in [(1, 3, 12), (2, 30, 4)] {
        let mut random = Random(seed);
        let mut model = Attention::of(spec, 0.7);
        for key in 0..300 {
            if key < 70 {
                model.queries.insert(key, (model.vector(&mut random, 24), 0));
            }
            let token = model.token(&mut random);
            model.tokens.insert(key, token);
        }
        let (mut kernel, mut before) =
            (TransformerAttn::compile(&spec).unwrap(), Attention::of(spec, 0.7));
        let mut said: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        let (mut error_most, mut bound_most) = (0.0_f64, 0.0_f64);
        for step in 0..16 {
            let law = format!("{n_changed} tokens, step {step}");
            let emit = [Emit::All, Emit::All, Emit::Eps(0.3), Emit::Eps(0.3)][step % 4];
            let delta = kernel.measure(model.since(&before)).unwrap();
            let predicted = kernel.predict(Mode::Itmd, delta.churn(), emit).unwrap();
            let mode = if step == 0 { Mode::Pass } else { Mode::Itmd };
            kernel.begin(Step { delta, mode, emit, error_max: 0.01 });
            let mut output = AttentionRows::default();
            let report = loop {
                if let Poll::Ready(report) = kernel.advance(1 << 16, &mut output) {
                    break report;
                }
            };
            assert_eq!(report.mode, mode, "{law}");
            // Later some rows are answered anew, when their bounds have grown.
            assert!(step != 1 || report.work < predicted.work, "{law}: {report:?}");
            let wanted = model.define(&frequencies);
            said.retain(|key, _| wanted.contains_key(key));
            n_stand += wanted.len() - output.keys.len();
            said.extend(Attention::rows(&output));
            let (error, _) = difference(&said, &wanted);
            assert!(error <= report.error_max, "{law}: off by {error:e}, {report:?}");
            // A bound grows with each step, and sooner where more moves.
            if emit == Emit::All && step < n_tight {
                (error_most, bound_most) =
                    (error_most.max(error), bound_most.max(report.error_max));
            }
            // What is read is answered, and moves nothing.
            let mut read = AttentionRows::default();
            let bound = kernel.read(&vec![7, 33, 64], &mut read);
            for (key, row) in Attention::rows(&read) {
                assert!(
                    difference(&[(key, row)].into(), &[(key, wanted[&key].clone())].into()).0
                        <= bound
                );
            }
            before = model.clone();
            if step % 8 == 3 {
                // Nothing moves, and what stood under `eps` does no longer.
                continue;
            }
            for _ in 0..n_changed {
                let key = i64::try_from(random.below(300)).unwrap();
                model.tokens.insert(key, model.token(&mut random));
            }
            let key = i64::try_from(random.below(70)).unwrap();
            if step % 3 == 0 {
                model.queries.remove(&key);
            } else {
                model.queries.insert(key, (model.vector(&mut random, 24), 0));
            }
        }
        assert!(bound_most <= 100.0 * error_most, "{n_changed}: {bound_most:e} of {error_most:e}");
    }
    assert!(0 < n_stand, "under `eps` something stands");
}
