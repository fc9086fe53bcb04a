//! Named cases: hubs, circles, huge numbers, faults.

use super::*;

/// A step of every algorithm, in turns by each mode.
fn steps(deltas: &[GraphDelta]) {
    for algorithm in ALGORITHMS {
        for modes in [[Mode::Itmd; 2], [Mode::Pass; 2], [Mode::Pass, Mode::Itmd]] {
            let mut pair = Pair::new(algorithm);
            for (at, delta) in deltas.iter().enumerate() {
                pair.step(delta, modes[at % 2], Emit::Changed);
            }
        }
    }
}

#[test]
fn a_hub_goes() {
    let spokes: Vec<([i64; 3], i64)> =
        (1..60).flat_map(|n| [([0, n, n % 3], 1), ([n, n + 100, 1], 1), ([n, 0, 0], 1)]).collect();
    let come = delta(&spokes, &[(0, 1)]);
    let go: Vec<_> = spokes.iter().filter(|(edge, _)| edge[0] == 0 || edge[1] == 0).collect();
    let go: Vec<_> = go.into_iter().map(|(edge, _)| (*edge, -1)).collect();
    steps(&[come, delta(&go, &[]), reversed(&delta(&go, &[])), delta(&[], &[(0, -1)])]);
}

#[test]
fn a_cut_of_the_tree_runs_down_a_long_path() {
    let path: Vec<([i64; 3], i64)> = (0..80).map(|n| ([n, n + 1, 2], 1)).collect();
    let around = delta(&[([0, 60, 500], 1)], &[]);
    let cut = delta(&[([3, 4, 2], -1)], &[]);
    steps(&[
        delta(&path, &[(0, 1)]),
        around.clone(),
        cut.clone(),
        reversed(&around),
        reversed(&cut),
    ]);
}

#[test]
fn a_circle_of_zeros_does_not_hold_itself() {
    let circle = [([1, 2, 0], 1), ([2, 3, 0], 1), ([3, 1, 0], 1), ([3, 3, 0], 1), ([9, 1, 0], 1)];
    let cut = delta(&[([9, 1, 0], -1)], &[]);
    let other = delta(&[([9, 2, 7], 1)], &[]);
    steps(&[delta(&circle, &[(9, 1)]), cut.clone(), other, reversed(&cut)]);
}

#[test]
fn loops_and_doubles_count_once() {
    let come = delta(&[([1, 1, 4], 2), ([1, 2, 4], 3), ([1, 2, 5], 1), ([2, 1, 4], 1)], &[(1, 2)]);
    let fewer = delta(&[([1, 2, 4], -2), ([1, 1, 4], -1)], &[(1, -1)]);
    let gone = delta(&[([1, 2, 4], -1), ([1, 1, 4], -1)], &[(1, -1)]);
    steps(&[come, fewer.clone(), gone, fewer.pushed([1, 2, 4], 5).pushed([1, 1, 4], 2)]);
}

impl GraphDelta {
    fn pushed(mut self, edge: [i64; 3], diff: i64) -> Self {
        self.roots = RootColumns::default();
        self.edges.push(edge, diff);
        self
    }
}

#[test]
fn ids_and_weights_may_be_huge() {
    let most = i64::MAX;
    let come = delta(
        &[
            ([i64::MIN, most, most], 1),
            ([most, 0, 1], 1),
            ([most, 0, 0], 1),
            ([i64::MIN, 0, most - 1], 1),
            ([0, 5, 1], 1),
            ([5, 6, 1], 1),
        ],
        &[(i64::MIN, 1)],
    );
    let cut = delta(&[([i64::MIN, 0, most - 1], -1)], &[]);
    steps(&[come.clone(), cut.clone(), reversed(&cut), reversed(&come)]);
    let mut pair = Pair::new(Algorithm::ShortestPaths);
    pair.step(&come, Mode::Itmd, Emit::Changed);
    assert_eq!(pair.heard.get(&5), Some(&(most as f64)));
    assert!(!pair.heard.contains_key(&6), "a way longer than i64::MAX is none");
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    for algorithm in ALGORITHMS {
        let mut pair = Pair::new(algorithm);
        pair.step(&delta(&[([1, 2, 3], 2)], &[(1, 1)]), Mode::Itmd, Emit::Changed);
        let fault =
            |delta: &GraphDelta| pair.kernel.measure(delta.clone()).unwrap_err().to_string();
        let not_there = "edge from 1 is taken back, and is not there";
        assert_eq!(fault(&delta(&[([1, 2, 3], -3)], &[])), not_there);
        assert_eq!(fault(&delta(&[([1, 2, 3], -2), ([1, 2, 3], -1)], &[])), not_there);
        assert_eq!(fault(&delta(&[([1, 2, 4], -1)], &[])), not_there);
        let root = "root 2 is taken back, and is not there";
        assert_eq!(fault(&delta(&[], &[(2, -1)])), root);
        let negative = "weight has an entry that is not at least 0";
        assert_eq!(fault(&delta(&[([1, 2, -1], 1)], &[])), negative);
        let many = "edge has an entry that is not there fewer than 2^63 times";
        assert_eq!(fault(&delta(&[([1, 2, 3], i64::MAX)], &[])), many);
        let mut short = delta(&[([1, 2, 3], 1)], &[]);
        short.edges.dst.clear();
        assert_eq!(fault(&short), "dst has 0 entries, and not 1");
        let report = pair.step(&GraphDelta::default(), Mode::Itmd, Emit::Changed);
        assert_eq!(report.n_emitted, 0);
    }
    let spec = |damping, tolerance| GraphSpec {
        algorithm: Algorithm::PageRank(PageRank { damping, tolerance }),
    };
    for (damping, tolerance) in [(0.0, 0.1), (1.0, 0.1), (f64::NAN, 0.1), (0.5, 0.0), (0.5, 1e-11)]
    {
        assert!(DynamicGraph::compile(&spec(damping, tolerance)).is_err());
    }
}

#[test]
fn a_damaged_snapshot_is_refused() {
    for algorithm in ALGORITHMS {
        let mut pair = Pair::new(algorithm);
        let come = delta(&[([1, 2, 3], 2), ([2, 3, i64::MAX], 1)], &[(1, 1)]);
        pair.step(&come, Mode::Itmd, Emit::Changed);
        let mut bytes = Vec::new();
        pair.kernel.save(&mut bytes).unwrap();
        for at in (0..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(DynamicGraph::load(&mut damaged.as_slice()).is_err(), "byte {at}");
        }
    }
}

#[test]
fn ranks_are_refreshed_round_robin() {
    let mut pair = Pair::new(ALGORITHMS[3]);
    let ring: Vec<([i64; 3], i64)> = (0..40).map(|n| ([n, (n * 7 + 1) % 40, 1], 1)).collect();
    pair.step(&delta(&ring, &[]), Mode::Itmd, Emit::Changed);
    let is_done: Vec<bool> = (0..4).map(|_| pair.kernel.refresh(0.25).is_refreshed).collect();
    assert_eq!(is_done, [false, false, false, true]);
    pair.step(&delta(&[([0, 5, 1], 1)], &[]), Mode::Itmd, Emit::Changed);
}

/// A row of some thousand lines, of which every second end goes, and then the others.
#[test]
fn a_hub_comes_and_goes() {
    let star = |start: i64, by: usize, diff: i64| {
        let mut delta = GraphDelta::default();
        (start..60_000).step_by(by).for_each(|n| delta.edges.push([0, n, 1], diff));
        delta
    };
    let mut come = star(1, 1, 1);
    come.roots.push(0, 1);
    let spec = GraphSpec { algorithm: Algorithm::Reachability };
    let mut kernel = DynamicGraph::compile(&spec).unwrap();
    let mut heard = BTreeMap::new();
    step(&mut kernel, &come, Mode::Itmd, Emit::Changed, &mut heard);
    let mut bytes = Vec::new();
    kernel.save(&mut bytes).unwrap();
    let mut loaded = DynamicGraph::load(&mut bytes.as_slice()).unwrap();
    for kernel in [&mut kernel, &mut loaded] {
        let mut heard = heard.clone();
        step(kernel, &star(2, 2, -1), Mode::Itmd, Emit::Changed, &mut heard);
        let left: Vec<i64> = [0].into_iter().chain((1..60_000).step_by(2)).collect();
        assert_eq!(heard.keys().copied().collect::<Vec<_>>(), left);
        assert!(kernel.measure(star(2, 2, -1)).is_err());
        step(kernel, &star(1, 2, -1), Mode::Itmd, Emit::Changed, &mut heard);
        assert_eq!(heard.keys().copied().collect::<Vec<_>>(), [0]);
    }
}

/// What is not put out is not looked at, step for step; what goes meanwhile is let go.
#[test]
fn who_only_asks_does_not_pay_for_what_was_not_said() {
    let path: Vec<([i64; 3], i64)> = (0..600).map(|n| ([n, n + 1, 1], 1)).collect();
    for algorithm in &ALGORITHMS[..2] {
        let mut pair = Pair::new(*algorithm);
        pair.step(&delta(&path, &[(0, 1)]), Mode::Pass, Emit::Pull);
        for n in 0..40 {
            let come = delta(&[([599, 1_000 + n, 1], 1)], &[]);
            let report = pair.step(&come, Mode::Itmd, Emit::Pull);
            assert!(report.work < 600, "{report:?}");
            pair.step(&reversed(&come), Mode::Itmd, Emit::Pull);
        }
        assert!(pair.kernel.edges.vertices.n_slots() < 610, "slots are used again");
        let gone = delta(&[([599, 600, 1], -1)], &[]);
        let report = pair.step(&gone, Mode::Itmd, Emit::Changed);
        assert_eq!(report.n_emitted, 600, "all that is there is said now");
        pair.step(&delta(&[([599, 2_000, 1], 1)], &[]), Mode::Itmd, Emit::Pull);
        pair.step(&delta(&[([599, 2_000, 1], -1)], &[]), Mode::Itmd, Emit::Changed);
    }
}
