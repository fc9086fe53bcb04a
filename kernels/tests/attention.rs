//! What attention does with hostile numbers: sums that cancel, exponents that overflow, denominators
//! near zero. The laws are in `laws`.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::BTreeMap;
use std::task::Poll;

use arqon_kernels::{
    AttentionDelta, AttentionRows, AttentionSpec, Causality, DeltaError, Emit, FeatureMap, Kernel,
    Mode, Outcome, QueryRows, Report, Sample, Step, TokenRows, TransformerAttn,
};

const SPEC: AttentionSpec = AttentionSpec {
    n_heads: 1,
    n_key: 4,
    n_value: 2,
    n_features: 32,
    feature_map: FeatureMap::FavorPlus,
    causality: Causality::Plain,
    seed: 3,
};

/// What torture sets.
#[expect(clippy::disallowed_methods, reason = "the long runs are told by the environment")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
fn narrow(x: f64) -> f32 {
    x as f32
}

fn tokens(rows: &[(i64, [f32; 4], [f32; 2])]) -> AttentionDelta {
    let mut tokens = TokenRows::default();
    for (key, k, v) in rows {
        tokens.keys.push(*key);
        tokens.k.extend(k);
        tokens.v.extend(v);
    }
    AttentionDelta { tokens, ..AttentionDelta::default() }
}

fn gone(keys: &[i64]) -> AttentionDelta {
    AttentionDelta { tokens_gone: keys.to_vec(), ..AttentionDelta::default() }
}

fn query(q: [f32; 4]) -> AttentionDelta {
    let queries = QueryRows { keys: vec![0], q: q.to_vec(), places: Vec::new() };
    AttentionDelta { queries, ..AttentionDelta::default() }
}

/// Tokens at the places that their keys say, and queries behind all of them.
fn placed(mut delta: AttentionDelta) -> AttentionDelta {
    delta.tokens.places.clone_from(&delta.tokens.keys);
    delta.queries.places = vec![i64::MAX; delta.queries.keys.len()];
    delta
}

fn follow(kernel: &mut TransformerAttn, delta: AttentionDelta) -> (Report, AttentionRows) {
    let mut rows = AttentionRows::default();
    let delta = kernel.measure(delta).unwrap();
    kernel.begin(Step { delta, mode: Mode::Itmd, emit: Emit::All, error_max: 1e-3 });
    loop {
        if let Poll::Ready(report) = kernel.advance(u64::MAX, &mut rows) {
            return (report, rows);
        }
    }
}

fn read(kernel: &mut TransformerAttn) -> (AttentionRows, f64) {
    let (keys, mut rows) = (kernel.keys(), AttentionRows::default());
    let bound = kernel.read(&keys, &mut rows);
    (rows, bound)
}

/// A kernel with a query and two tokens of usual size.
fn usual(spec: &AttentionSpec) -> TransformerAttn {
    let mut kernel = TransformerAttn::compile(spec).unwrap();
    follow(&mut kernel, query([0.5, -0.2, 0.1, 0.9]));
    follow(
        &mut kernel,
        tokens(&[(1, [0.1, 0.2, -0.3, 0.4], [1.0, -2.0]), (2, [0.5, -0.1, 0.2, 0.0], [3.0, 0.5])]),
    );
    kernel
}

/// What the rows are when the sums are computed anew.
fn anew(kernel: &TransformerAttn) -> (AttentionRows, f64) {
    let mut fresh = kernel.clone();
    fresh.refresh(1.0);
    read(&mut fresh)
}

fn assert_near(kernel: &mut TransformerAttn) {
    let ((rows, bound), (wanted, fresh_bound)) = (read(kernel), anew(kernel));
    assert_eq!(rows.outcomes, wanted.outcomes);
    for (found, wanted) in rows.values.iter().zip(&wanted.values) {
        let off = f64::from(found - wanted).abs();
        assert!(off <= bound + fresh_bound, "{found} and not {wanted}: {bound:e}");
    }
    let probe = kernel.certify(Sample { n_rows: 10, seed: 1 });
    assert!(probe.error <= probe.error_max, "{probe:?}");
}

#[test]
fn a_huge_value_that_comes_and_goes_leaves_its_bound_true() {
    for size in [1e8, 1e20, 3e38] {
        let mut kernel = usual(&SPEC);
        let (before, _) = read(&mut kernel);
        follow(&mut kernel, tokens(&[(3, [0.3, 0.1, 0.0, 0.2], [size, -size])]));
        assert_near(&mut kernel);
        follow(&mut kernel, gone(&[3]));
        assert_near(&mut kernel);
        kernel.refresh(1.0);
        assert_eq!(read(&mut kernel).0, before, "computed anew");
    }
}

#[test]
fn sums_that_cancelled_too_far_are_computed_anew_within_the_step() {
    let mut kernel = usual(&SPEC);
    let (before, _) = read(&mut kernel);
    // A key along a frequency has a feature that is larger by far than all others.
    let frequency: Vec<f32> = kernel.frequencies(0)[0].iter().map(|w| narrow(4.0 * w)).collect();
    let key = [frequency[0], frequency[1], frequency[2], frequency[3]];
    let mut refreshed = false;
    for n in 0..200_i16 {
        let scale = f32::from(n) / 100.0;
        let (report, _) = follow(&mut kernel, tokens(&[(3, key.map(|x| x * scale), [1e9, 1.0])]));
        refreshed |= report.is_refreshed;
        assert_near(&mut kernel);
    }
    let (report, _) = follow(&mut kernel, gone(&[3]));
    refreshed |= report.is_refreshed;
    assert!(refreshed);
    assert!(read(&mut kernel).1 < 1e-3);
    assert_near(&mut kernel);
    kernel.refresh(1.0);
    assert_eq!(read(&mut kernel).0, before, "computed anew");
}

#[test]
fn an_exponent_beyond_the_reference_forces_a_pass_with_another() {
    let spec = AttentionSpec { feature_map: FeatureMap::Rff, ..SPEC };
    let mut kernel = usual(&spec);
    // The weight of this key is `exp(40^2)`, which `f64` does not hold.
    let (report, rows) = follow(&mut kernel, tokens(&[(3, [80.0, 0.0, 0.0, 0.0], [5.0, 6.0])]));
    assert_eq!((report.mode, report.is_refreshed), (Mode::Pass, true));
    assert!(rows.values.iter().all(|x| x.is_finite()), "{rows:?}");
    assert_near(&mut kernel);
    // And back again.
    let (report, _) = follow(&mut kernel, gone(&[3]));
    assert_eq!((report.mode, report.is_refreshed), (Mode::Pass, true));
    assert_near(&mut kernel);
    let ((rows, _), (usual, _)) = (read(&mut kernel), read(&mut usual(&spec)));
    assert_eq!(rows.outcomes, usual.outcomes);
}

#[test]
fn keys_of_any_finite_size_give_numbers_or_are_lost() {
    for map in [FeatureMap::FavorPlus, FeatureMap::Rff] {
        for size in [1e-45, 1e-38, 1e-20, 1.0, 10.0, 100.0, 1e3, 1e6, 1e12, 1e20, f32::MAX] {
            let mut kernel = usual(&AttentionSpec { feature_map: map, ..SPEC });
            follow(&mut kernel, tokens(&[(3, [size, -size, size, 0.0], [1.0, 1.0])]));
            assert_near(&mut kernel);
            follow(&mut kernel, query([size, 0.0, size, 1.0]));
            assert_near(&mut kernel);
            follow(&mut kernel, gone(&[1, 2]));
            assert_near(&mut kernel);
            let (rows, bound) = read(&mut kernel);
            assert!(bound.is_finite() && rows.values.iter().all(|x| x.is_finite()), "{size}");
            follow(&mut kernel, gone(&[3]));
            assert_eq!(read(&mut kernel).0.outcomes, [Outcome::Empty]);
        }
    }
}

#[test]
fn a_causal_step_ends_whatever_the_size_of_keys() {
    let spec = |map| AttentionSpec { feature_map: map, causality: Causality::Causal, ..SPEC };
    for map in [FeatureMap::FavorPlus, FeatureMap::Rff] {
        for size in [1e-45, 1.0, 1e3, 1e6, 1e10, 1e20, f32::MAX] {
            let mut kernel = TransformerAttn::compile(&spec(map)).unwrap();
            follow(&mut kernel, placed(tokens(&[(1, [0.1, 0.2, -0.3, 0.4], [1.0, -2.0])])));
            // The second of these steps changes a run whose sums are beyond any bound.
            follow(&mut kernel, placed(tokens(&[(3, [size, -size, size, 0.0], [1.0, 1.0])])));
            follow(&mut kernel, placed(query([size, 0.0, size, 1.0])));
            assert_near(&mut kernel);
            let (report, _) = follow(&mut kernel, gone(&[3]));
            assert!(report.error_max.is_finite());
            assert_near(&mut kernel);
        }
    }
}

#[test]
fn one_token_is_what_every_query_gets() {
    let mut kernel = usual(&SPEC);
    let (report, rows) = follow(&mut kernel, gone(&[1]));
    assert_eq!(rows.outcomes, [Outcome::Value]);
    for (found, wanted) in rows.values.iter().zip([3.0_f32, 0.5]) {
        assert!(f64::from(found - wanted).abs() <= report.error_max.min(1e-6), "{found}");
    }
    let (_, rows) = follow(&mut kernel, gone(&[2]));
    assert_eq!(
        (rows.outcomes.as_slice(), rows.values.as_slice()),
        (&[Outcome::Empty][..], &[0.0, 0.0][..])
    );
    // Nothing is left, not even rounding.
    let (_, rows) = follow(&mut kernel, tokens(&[(9, [0.0; 4], [0.25, 0.75])]));
    assert_eq!(rows.values, [0.25, 0.75]);
}

#[test]
fn a_row_that_follows_and_is_answered_anew_after_all_is_put_out() {
    // Two heads see the same numbers: one of them may follow to the very bits of the answer while
    // the bound of the row is too large to keep it.
    let spec = AttentionSpec { n_heads: 2, ..SPEC };
    for trial in 0..300_u16 {
        let number = |at: u16| f32::from(at % 101 * 37 % 101) / 50.0 - 1.0;
        let vector = |at: u16| [number(at), number(at + 1), number(at + 2), number(at + 3)];
        let mut kernel = TransformerAttn::compile(&spec).unwrap();
        let keys: Vec<i64> = (0..8).collect();
        let q = (0..8).flat_map(|at| vector(trial + 5 * at)).collect();
        let queries = QueryRows { keys, q, places: Vec::new() };
        let mut said = BTreeMap::new();
        let mut hear = |rows: &AttentionRows| {
            for (key, value) in rows.keys.iter().zip(rows.values.chunks_exact(spec.n_value)) {
                said.insert(*key, value.to_vec());
            }
            said.clone()
        };
        hear(&follow(&mut kernel, AttentionDelta { queries, ..AttentionDelta::default() }).1);
        for step in 0..6 {
            let value = [number(trial * 7 + step), 0.0];
            let token = (i64::from(step % 3), vector(trial * 3 + step), value);
            let (report, rows) = follow(&mut kernel, tokens(&[token]));
            let said = hear(&rows);
            let (now, bound) = read(&mut kernel);
            for (key, wanted) in now.keys.iter().zip(now.values.chunks_exact(spec.n_value)) {
                for (said, wanted) in said[key].iter().zip(wanted) {
                    let off = f64::from(said - wanted).abs();
                    let bound = bound + report.error_max;
                    assert!(off <= bound, "{trial} {step}: {said} and not {wanted}: {bound:e}");
                }
            }
        }
    }
}

#[test]
fn denominators_of_fourier_features_that_cancel_are_lost_and_never_nan() {
    let spec = AttentionSpec { feature_map: FeatureMap::Rff, n_features: 8, ..SPEC };
    let (mut lost, mut there) = (0, 0);
    for n in 0..60_i8 {
        let x = f32::from(n) / 4.0;
        let mut kernel = TransformerAttn::compile(&spec).unwrap();
        follow(&mut kernel, query([x, -x, 0.5 * x, x]));
        follow(&mut kernel, tokens(&[(1, [0.0; 4], [1.0, 2.0])]));
        let (rows, bound) = read(&mut kernel);
        assert!(bound.is_finite() && rows.values.iter().all(|x| x.is_finite()));
        match rows.outcomes[0] {
            Outcome::Lost => lost += 1,
            Outcome::Value => there += 1,
            Outcome::Empty => panic!("there is a token"),
        }
    }
    assert!(0 < lost && 0 < there, "{lost} lost, {there} there");
}

#[test]
fn a_key_twice_in_a_delta_has_its_last_value() {
    let mut twice = usual(&SPEC);
    let mut delta = tokens(&[(1, [9.0; 4], [7.0, 7.0]), (1, [0.4, 0.3, 0.2, 0.1], [1.5, 2.5])]);
    delta.tokens_gone = vec![1];
    follow(&mut twice, delta);
    let mut once = usual(&SPEC);
    follow(&mut once, tokens(&[(1, [0.4, 0.3, 0.2, 0.1], [1.5, 2.5])]));
    assert_eq!(read(&mut twice), read(&mut once));
}

#[test]
fn what_does_not_fit_is_refused_and_loses_nothing() {
    let mut kernel = usual(&SPEC);
    let before = read(&mut kernel);
    let nan = tokens(&[(5, [0.0, f32::NAN, 0.0, 0.0], [1.0, 1.0])]);
    assert_eq!(kernel.measure(nan).err(), Some(DeltaError::NotFinite { what: "`k`" }));
    let infinite = tokens(&[(5, [0.0; 4], [f32::INFINITY, 1.0])]);
    assert_eq!(kernel.measure(infinite).err(), Some(DeltaError::NotFinite { what: "`v`" }));
    let not_there = DeltaError::NotThere { what: "token", found: 7 };
    assert_eq!(kernel.measure(gone(&[7])).err(), Some(not_there));
    assert!(kernel.measure(gone(&[1, 1])).is_err(), "taken back twice");
    let mut short = tokens(&[(5, [0.0; 4], [1.0, 1.0])]);
    short.tokens.v.pop();
    let wanted = DeltaError::Shape { what: "`v`", found: 1, wanted: 2 };
    assert_eq!(kernel.measure(short).err(), Some(wanted));
    assert_eq!(read(&mut kernel), before);
}

#[test]
fn specs_out_of_range_are_refused_by_name() {
    let refused = |spec| TransformerAttn::compile(&spec).unwrap_err().to_string();
    assert!(refused(AttentionSpec { n_heads: 3, ..SPEC }).contains("multiple of the heads"));
    assert!(refused(AttentionSpec { n_heads: 0, ..SPEC }).contains("heads"));
    let odd = AttentionSpec { feature_map: FeatureMap::Rff, n_features: 7, ..SPEC };
    assert!(refused(odd).contains("even"));
}

/// 10,000 steps, or as many as `ARQON_CASES` says: tokens change and are put back, and the bound of
/// what is read stays both true and near.
#[test]
fn a_long_walk_stays_within_its_bound() {
    let n_steps = setting("ARQON_CASES").unwrap_or(10_000);
    let mut state = setting("ARQON_SEED").unwrap_or(1);
    let mut draw = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        narrow(f64::from(u32::try_from(state >> 32).unwrap()) / f64::from(1_u32 << 31) - 1.0)
    };
    let mut kernel = usual(&SPEC);
    let mut last = Vec::new();
    for step in 0..n_steps {
        let key = i64::try_from(step % 40).unwrap();
        let size = if step % 997 == 0 { 1e6 } else { 1.0 };
        let row = (key, [draw(), draw(), draw(), draw()], [size * draw(), draw()]);
        let delta = match step % 3 {
            // The row before is put back.
            1 if last.len() == 1 => tokens(&last),
            _ => {
                last = vec![row];
                tokens(&last)
            }
        };
        follow(&mut kernel, delta);
        if step % 500 == 499 {
            assert_near(&mut kernel);
            let ((_, bound), (_, fresh)) = (read(&mut kernel), anew(&kernel));
            // A step lets no more stand than it was allowed, if computing anew helps.
            assert!(bound <= 1e-3 + 2.0 * fresh, "step {step}: {bound:e} and {fresh:e}");
        }
    }
    assert_near(&mut kernel);
}
