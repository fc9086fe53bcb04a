//! What kernel regression does with hostile data: landmarks that say the same, values that cancel,
//! rows that all go. The laws are in `laws`.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use std::task::Poll;

use arqon_kernels::{
    DataRows, DeltaError, Emit, Kernel, Mode, Nystrom, NystromDelta, NystromRows, NystromSpec,
    Outcome, PointRows, Report, Sample, Similarity, Step,
};

const SPEC: NystromSpec = NystromSpec {
    n_entries: 2,
    n_landmarks: 24,
    similarity: Similarity::Gaussian,
    gamma: 0.5,
    lambda: 1e-2,
    seed: 5,
};

/// What torture sets.
#[expect(clippy::disallowed_methods, reason = "the long runs are told by the environment")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn data(rows: &[(i64, [f64; 2], f64)]) -> NystromDelta {
    let mut data = DataRows::default();
    for (key, x, y) in rows {
        data.keys.push(*key);
        data.x.extend(x);
        data.y.push(*y);
    }
    NystromDelta { data, ..NystromDelta::default() }
}

fn gone(keys: &[i64]) -> NystromDelta {
    NystromDelta { data_gone: keys.to_vec(), ..NystromDelta::default() }
}

fn queries(points: &[[f64; 2]]) -> NystromDelta {
    let keys = (0..).take(points.len()).collect();
    let queries = PointRows { keys, x: points.concat() };
    NystromDelta { queries, ..NystromDelta::default() }
}

fn follow(kernel: &mut Nystrom, delta: NystromDelta) -> (Report, NystromRows) {
    follow_with(kernel, delta, Emit::All)
}

fn follow_with(kernel: &mut Nystrom, delta: NystromDelta, emit: Emit) -> (Report, NystromRows) {
    let mut rows = NystromRows::default();
    let delta = kernel.measure(delta).unwrap();
    kernel.begin(Step { delta, mode: Mode::Itmd, emit, error_max: 1e-6 });
    loop {
        if let Poll::Ready(report) = kernel.advance(u64::MAX, &mut rows) {
            return (report, rows);
        }
    }
}

fn read(kernel: &mut Nystrom) -> (NystromRows, f64) {
    let (keys, mut rows) = (kernel.keys(), NystromRows::default());
    let bound = kernel.read(&keys, &mut rows);
    (rows, bound)
}

fn draws(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(state >> 32).unwrap()) / f64::from(1_u32 << 31) - 1.0
    }
}

/// A kernel with 100 data rows and some queries.
fn usual() -> Nystrom {
    let mut draw = draws(9);
    let mut kernel = Nystrom::compile(&SPEC).unwrap();
    follow(&mut kernel, queries(&[[0.0, 0.0], [0.5, -0.5], [3.0, 3.0]]));
    let rows: Vec<_> = (0..100).map(|key| (key, [2.0 * draw(), 2.0 * draw()], draw())).collect();
    follow(&mut kernel, data(&rows));
    kernel
}

fn assert_near(kernel: &mut Nystrom) {
    let (rows, bound) = read(kernel);
    let mut fresh = kernel.clone();
    fresh.refresh(1.0);
    let (wanted, fresh_bound) = read(&mut fresh);
    assert_eq!(rows.outcomes, wanted.outcomes);
    for (found, wanted) in rows.y.iter().zip(&wanted.y) {
        assert!((found - wanted).abs() <= bound + fresh_bound, "{found} {wanted} {bound:e}");
    }
    let probe = kernel.certify(Sample { n_rows: 10, seed: 1 });
    assert!(probe.error <= probe.error_max, "{probe:?}");
}

#[test]
fn landmarks_that_say_the_same_break_nothing() {
    let mut kernel = Nystrom::compile(&SPEC).unwrap();
    follow(&mut kernel, queries(&[[0.0, 0.0], [1.0, 1.0]]));
    // Points that differ in the last bits, so that the likeness of all is one.
    let rows: Vec<_> = (0..40_u8)
        .map(|n| (i64::from(n), [1.0 + f64::from(n) * f64::EPSILON, 1.0], f64::from(n % 3)))
        .collect();
    let (_, rows) = follow(&mut kernel, data(&rows));
    assert!(rows.outcomes.iter().all(|outcome| *outcome == Outcome::Value), "{rows:?}");
    assert!((rows.y[1] - 39.0 / 40.0).abs() < 0.01, "about the mean: {rows:?}");
    assert_near(&mut kernel);
    for key in 0..40 {
        follow(&mut kernel, gone(&[key]));
        assert_near(&mut kernel);
    }
}

/// What stands as said is off by a difference, whose rounding can be all that the bound lacks.
#[test]
fn the_bound_of_what_stands_as_said_is_not_rounded_down() {
    let emit = Emit::Eps(1.0);
    let mut draw = draws(3);
    for _ in 0..200 {
        let mut kernel = Nystrom::compile(&SPEC).unwrap();
        follow_with(&mut kernel, queries(&[[0.0, 0.0]]), emit);
        let (_, rows) = follow_with(&mut kernel, data(&[(1, [0.0, 0.0], 0.5 * draw())]), emit);
        let said = rows.y[0];
        let (report, rows) = follow_with(&mut kernel, data(&[(1, [0.0, 0.0], 1e-9)]), emit);
        assert!(rows.keys.is_empty(), "it is near enough: {rows:?}");
        // The difference without rounding (Knuth, *The Art of Computer Programming*, 4.2.2).
        let now = read(&mut kernel).0.y[0];
        let off = said - now;
        let back = said - off;
        let lost = (said - (off + back)) + (back - now);
        let lost = if off < 0.0 { -lost } else { lost };
        assert!(lost <= report.error_max - off.abs(), "{said} {now}: {:e}", report.error_max);
    }
}

#[test]
fn a_huge_value_that_comes_and_goes_leaves_its_bound_true() {
    for size in [1e8, 1e100, 1e300] {
        let mut kernel = usual();
        follow(&mut kernel, data(&[(200, [0.1, 0.1], size)]));
        assert_near(&mut kernel);
        follow(&mut kernel, gone(&[200]));
        assert_near(&mut kernel);
        let before = read(&mut usual()).0.y;
        kernel.refresh(1.0);
        let (rows, bound) = read(&mut kernel);
        for (found, wanted) in rows.y.iter().zip(before) {
            assert!((found - wanted).abs() <= 2.0 * bound, "computed anew");
        }
    }
}

#[test]
fn when_all_rows_go_nothing_is_left() {
    let mut kernel = usual();
    let (_, rows) = follow(&mut kernel, gone(&(0..100).collect::<Vec<_>>()));
    assert_eq!(rows.outcomes, [Outcome::Empty; 3]);
    assert_eq!(rows.y, [0.0; 3]);
    let (_, rows) = follow(&mut kernel, data(&[(1, [0.0, 0.0], 0.0)]));
    assert_eq!(rows.y, [0.0; 3]);
}

#[test]
fn rows_far_from_zero_and_far_apart_are_finite() {
    for size in [1e-300, 1e-10, 1e3, 1e10, 1e150, 1e300] {
        let mut kernel = usual();
        follow(&mut kernel, data(&[(300, [size, -size], 1.0), (301, [-size, size], 2.0)]));
        follow(&mut kernel, queries(&[[size, -size], [0.0, 0.0]]));
        assert_near(&mut kernel);
        let (rows, bound) = read(&mut kernel);
        assert!(bound.is_finite() && rows.y.iter().all(|y| y.is_finite()), "{size}: {rows:?}");
    }
}

#[test]
fn a_key_twice_in_a_delta_has_its_last_value() {
    let mut twice = usual();
    follow(&mut twice, data(&[(1, [9.0, 9.0], 9.0), (1, [0.2, 0.3], 0.5)]));
    let mut once = usual();
    follow(&mut once, data(&[(1, [0.2, 0.3], 0.5)]));
    assert_eq!(read(&mut twice), read(&mut once));
}

#[test]
fn what_does_not_fit_is_refused_and_loses_nothing() {
    let mut kernel = usual();
    let before = read(&mut kernel);
    let nan = data(&[(5, [0.0, f64::NAN], 1.0)]);
    assert_eq!(kernel.measure(nan).err(), Some(DeltaError::NotFinite { what: "`x`" }));
    let infinite = data(&[(5, [0.0, 0.0], f64::INFINITY)]);
    assert_eq!(kernel.measure(infinite).err(), Some(DeltaError::NotFinite { what: "`y`" }));
    let not_there = DeltaError::NotThere { what: "data row", found: 700 };
    assert_eq!(kernel.measure(gone(&[700])).err(), Some(not_there));
    assert_eq!(read(&mut kernel), before);
    for spec in [
        NystromSpec { gamma: 0.0, ..SPEC },
        NystromSpec { lambda: -1.0, ..SPEC },
        NystromSpec { n_landmarks: 0, ..SPEC },
        NystromSpec { n_landmarks: 701, ..SPEC },
        NystromSpec { gamma: f64::NAN, ..SPEC },
    ] {
        assert!(Nystrom::compile(&spec).is_err(), "{spec:?}");
    }
}

/// 10,000 steps, or as many as `ARQON_CASES` says: rows change and are put back.
#[test]
fn a_long_walk_stays_within_its_bound() {
    let n_steps = setting("ARQON_CASES").unwrap_or(10_000);
    let mut draw = draws(setting("ARQON_SEED").unwrap_or(1));
    let mut kernel = usual();
    let mut before = (0, [0.0, 0.0], 0.0);
    for step in 0..n_steps {
        let key = i64::try_from(step % 100).unwrap();
        let row = (key, [2.0 * draw(), 2.0 * draw()], draw());
        let delta = if step % 3 == 1 { data(&[before]) } else { data(&[row]) };
        before = row;
        follow(&mut kernel, delta);
        if step % 500 == 499 {
            assert_near(&mut kernel);
            let mut fresh = kernel.clone();
            fresh.refresh(1.0);
            let ((_, bound), (_, anew)) = (read(&mut kernel), read(&mut fresh));
            assert!(bound <= 16.0 * anew, "step {step}: {bound:e}, and anew {anew:e}");
        }
    }
    assert_near(&mut kernel);
}
