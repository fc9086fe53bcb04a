//! Changes that are as many as the edges, of vertices that make several parts.

use super::walks::Random;
use super::*;

const N_VERTICES: usize = 1_500;

/// Half of all edges end at one of three hubs; some have several weights, some come twice.
fn draw(random: &mut Random) -> [i64; 3] {
    let src = random.below(N_VERTICES) as i64;
    let dst = if random.below(2) == 0 { random.below(3) } else { random.below(N_VERTICES) };
    [src * 7 - 100, dst as i64 * 7 - 100, random.below(3) as i64]
}

/// Takes every so many-th edge back, and brings others; some changes cancel out.
fn change(random: &mut Random, model: &Model, every: usize, n_coming: usize) -> GraphDelta {
    let mut delta = GraphDelta::default();
    let start = random.below(every);
    for (edge, copies) in model.edges.iter().skip(start).step_by(every) {
        delta.edges.push(*edge, -copies.min(&2));
    }
    for at in 0..n_coming {
        let edge = draw(random);
        delta.edges.push(edge, 1 + i64::from(at % 50 == 0));
        if at % 9 == 0 {
            delta.edges.push(edge, -1);
        }
    }
    delta
}

#[test]
fn changes_in_bulk_are_those_of_single_ones() {
    for algorithm in ALGORITHMS {
        let (mut random, mut pair) = (Random(5), Pair::new(algorithm));
        let first = change(&mut random, &pair.model, 2, 4_000);
        pair.step(&first, Mode::Pass, Emit::Changed);
        let root = delta(&[], &[(-100, 1)]);
        pair.step(&root, Mode::Pass, Emit::Changed);
        for (every, n_coming) in [(2, 2_000), (400, 5), (3, 1_000), (1, 0), (1, 3_000)] {
            let next = change(&mut random, &pair.model, every, n_coming);
            pair.step(&next, Mode::Pass, Emit::Changed);
            // What came in bulk is found, and goes.
            let few = change(&mut random, &pair.model, 300, 3);
            pair.step(&few, Mode::Itmd, Emit::Changed);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_in_bulk_as_well() {
    let (mut random, mut pair) = (Random(9), Pair::new(Algorithm::Components));
    let first = change(&mut random, &pair.model, 2, 2_000);
    pair.step(&first, Mode::Pass, Emit::Changed);
    let fits = change(&mut random, &pair.model, 2, 500);
    let refused = |edge: [i64; 3], diff: i64| {
        let mut delta = fits.clone();
        delta.edges.push(edge, diff);
        pair.kernel.measure(delta).err()
    };
    let (edge, copies) = pair.model.edges.iter().next_back().unwrap();
    let not_there = |found| Some(DeltaError::NotThere { what: "edge from", found });
    assert_eq!(refused([edge[0], edge[1], 9], -1), not_there(edge[0]), "another weight");
    assert_eq!(refused([77_777, edge[1], 0], -1), not_there(77_777), "no such vertex");
    assert_eq!(refused(*edge, -copies - 4_001), not_there(edge[0]), "more than there are");
    let mut often = change(&mut random, &Model::default(), 1, 500);
    often.edges.push(*edge, i64::MAX);
    let range = |what, wanted| Some(DeltaError::Range { what, wanted });
    let wanted = "there fewer than 2^63 times";
    let fault = |delta: &GraphDelta| pair.kernel.measure(delta.clone()).err();
    assert_eq!(fault(&often), range("edge", wanted), "more than can be counted");
    often.edges.push([1, 1, -1], 1);
    assert_eq!(fault(&often), range("weight", "at least 0"));
    pair.step(&fits, Mode::Pass, Emit::Changed);
}

#[test]
fn single_changes_after_a_bulk_cost_what_they_do() {
    let (mut random, mut pair) = (Random(3), Pair::new(Algorithm::Reachability));
    let first = change(&mut random, &pair.model, 2, 6_000);
    pair.step(&first, Mode::Pass, Emit::Changed);
    let n_edges = pair.kernel.edges.len() as u64;
    let few = change(&mut random, &Model::default(), 1, 5);
    let report = pair.step(&few, Mode::Itmd, Emit::Changed);
    assert!(report.work < n_edges / 4, "{} for {n_edges} edges", report.work);
    pair.step(&reversed(&few), Mode::Itmd, Emit::Changed);
}

/// Ranks of a graph so large that its vertices are swept in rounds, which comes at once, grows and
/// shrinks.
#[test]
fn ranks_that_are_swept_in_rounds_are_within_their_bound() {
    let algorithm = Algorithm::PageRank(PageRank { damping: 0.85, tolerance: 1e-5 });
    let (mut random, mut pair) = (Random(17), Pair::new(algorithm));
    let first = change(&mut random, &pair.model, 2, 130_000);
    pair.step(&first, Mode::Pass, Emit::Pull);
    assert!(rounds::Rounds::of(&pair.kernel.edges).parts(0).len() > 2, "there are rounds");
    let next = change(&mut random, &pair.model, 40, 2_000);
    pair.step(&next, Mode::Itmd, Emit::Changed);
    pair.kernel.refresh(0.4);
    let few = change(&mut random, &pair.model, 30_000, 2);
    pair.step(&few, Mode::Itmd, Emit::Changed);
    let fewer = change(&mut random, &pair.model, 2, 0);
    pair.step(&fewer, Mode::Itmd, Emit::Changed);
}

/// So many changes that what all vertices hand on is renewed, of which some come and some go: what
/// is known of their edges then is what counting finds that is done anew.
#[test]
fn ranks_that_are_renewed_know_their_edges() {
    let algorithm = Algorithm::PageRank(PageRank { damping: 0.85, tolerance: 1e-5 });
    for (every, n_coming, n_first) in [(3, 600, 2_000), (2, 0, 2_000), (40, 300, 130_000)] {
        let (mut random, mut pair) = (Random(31), Pair::new(algorithm));
        let first = change(&mut random, &pair.model, 2, n_first);
        pair.step(&first, Mode::Pass, Emit::Pull);
        for emit in [Emit::Changed, Emit::Pull, Emit::Changed] {
            let next = change(&mut random, &pair.model, every, n_coming);
            pair.step(&next, Mode::Itmd, emit);
            let mut saved = Vec::new();
            pair.kernel.save(&mut saved).unwrap();
            let mut loaded = DynamicGraph::load(&mut saved.as_slice()).unwrap();
            let few = change(&mut random, &pair.model, 300, 3);
            let (heard, mode) = (&mut pair.heard.clone(), Mode::Pass);
            let wanted = step(&mut loaded, &few, mode, Emit::Changed, heard).error_max;
            let found = pair.step(&few, mode, Emit::Changed).error_max;
            assert_eq!(found.to_bits(), wanted.to_bits(), "every {every}, {emit:?}");
        }
    }
}
