//! What a graph says of an epoch against all rounds gone through anew.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::best::{BestGraph, Edge, Lead, Relax, Valued};
use super::graph::Graph;
use super::{Changes, Limits};

/// Rows with their multiplicities.
type Rows<R = u64> = BTreeMap<R, i64>;

fn add<R: Ord + Copy>(rows: &mut Rows<R>, changes: &[(R, i64)]) {
    for (row, diff) in changes {
        *rows.entry(*row).or_default() += diff;
    }
    rows.retain(|_, n| *n != 0);
}

/// What a loop reads.
#[derive(Debug, Default)]
struct Inputs {
    starts: Rows,
    seeds: Rows,
    edges: Rows<(u64, u64)>,
}

/// The nodes that the variable has in its last round, and what would come and go in the next one:
/// round by round, each from all of the one before.
fn rounds(inputs: &Inputs, last: u32) -> [Rows; 2] {
    let mut variable = inputs.starts.clone();
    for round in 0.. {
        let mut derived = inputs.seeds.clone();
        for ((from, to), n) in &inputs.edges {
            let n = n * variable.get(from).copied().unwrap_or_default();
            add(&mut derived, &[(*to, n)]);
        }
        let next: Rows =
            derived.into_iter().filter(|(_, n)| *n > 0).map(|(at, _)| (at, 1)).collect();
        if round == last {
            let mut over = next;
            let gone: Vec<(u64, i64)> = variable.iter().map(|(at, n)| (*at, -n)).collect();
            add(&mut over, &gone);
            return [variable, over];
        }
        variable = next;
    }
    unreachable!("the last round comes")
}

/// Epochs of changes: of the start, of seeds, and of edges.
type Epoch = (Vec<(u64, i64)>, Vec<(u64, i64)>, Vec<((u64, u64), i64)>);

fn epochs(n_nodes: u64) -> impl Strategy<Value = Vec<Epoch>> {
    let diff = prop_oneof![6 => Just(1_i64), 5 => Just(-1), 1 => -2..3_i64];
    let node = 0..n_nodes;
    let rows = vec((node.clone(), diff.clone()), 0..3);
    let edges = vec(((node.clone(), node), diff), 0..12);
    vec((rows.clone(), rows, edges), 1..12)
}

fn check(epochs: Vec<Epoch>, limits: Limits) -> Result<(), TestCaseError> {
    let mut graph = Graph::new(limits);
    let mut inputs = Inputs::default();
    let [mut result, mut over] = [Rows::new(), Rows::new()];
    for (starts, seeds, edges) in epochs {
        add(&mut inputs.starts, &starts);
        add(&mut inputs.seeds, &seeds);
        add(&mut inputs.edges, &edges);
        let outcome = graph.change(Changes { starts, seeds, edges });
        add(&mut result, &outcome.rows);
        add(&mut over, &outcome.overruns);
        let [variable, beyond] = rounds(&inputs, limits.rounds);
        let mut last = variable.clone();
        if limits.result == limits.rounds {
            add(&mut last, &beyond.iter().map(|(at, n)| (*at, *n)).collect::<Vec<_>>());
        }
        prop_assert_eq!(&result, &last);
        prop_assert_eq!(&over, &beyond);
    }
    // Take all back: nothing is left, and no room of it.
    let back = |rows: &Rows| rows.iter().map(|(at, n)| (*at, -n)).collect::<Vec<_>>();
    let edges = inputs.edges.iter().map(|(edge, n)| (*edge, -n)).collect();
    graph.change(Changes { starts: back(&inputs.starts), seeds: back(&inputs.seeds), edges });
    prop_assert_eq!(graph.n_nodes(), 0);
    Ok(())
}

proptest! {
    #[test]
    fn deltas_are_what_all_rounds_come_to(
        epochs in epochs(9),
        rounds in 1..7_u32,
        last in 0..2_u32,
    ) {
        check(epochs, Limits { rounds, result: rounds - last })?;
    }

    #[test]
    fn so_they_are_where_the_loop_comes_to_rest(epochs in epochs(30), last in 0..2_u32) {
        check(epochs, Limits { rounds: 100, result: 100 - last })?;
    }
}

#[test]
fn a_circle_does_not_hold_itself_up() {
    let limits = Limits { rounds: 1000, result: 999 };
    let mut graph = Graph::new(limits);
    let edges = |edges: &[(u64, u64)], diff: i64| Changes {
        edges: edges.iter().map(|edge| (*edge, diff)).collect(),
        ..Changes::default()
    };
    let circle = [(1, 2), (2, 3), (3, 4), (4, 2)];
    let root = Changes { starts: vec![(1, 1)], seeds: vec![(1, 1)], ..edges(&circle, 1) };
    assert_eq!(graph.change(root).rows.len(), 4);
    let mut gone = graph.change(edges(&[(1, 2)], -1));
    gone.rows.sort_unstable();
    assert_eq!(gone.rows, [(2, -1), (3, -1), (4, -1)]);
    // Nothing of the rounds before the circle fell apart is left to be gone through.
    assert_eq!(gone.reached.changes, 3);
}

/// Values grow by what stands beside an edge, and those that grow too much go nowhere; from some
/// nodes some values do not go at all.
struct Sum;

fn is_going(node: u64, value: u64) -> bool {
    !(node + value).is_multiple_of(5)
}

const SUM_MAX: u64 = 12;

impl Relax<u64> for Sum {
    fn is_plain(&self) -> bool {
        false
    }

    fn has_sieve(&self) -> bool {
        true
    }

    fn sieve<'g>(
        &mut self,
        rows: impl Iterator<Item = (&'g u64, u64, i64)>,
        _is_recalled: bool,
    ) -> Vec<u32> {
        let going = (0..).zip(rows).filter(|(_, (node, value, _))| is_going(**node, *value));
        going.map(|(idx, _)| idx).collect()
    }

    fn relax<'g>(&mut self, pairs: impl Iterator<Item = Lead<'g, u64>>) -> Vec<(u32, u64)> {
        let sums = (0..).zip(pairs.map(|pair| pair.value + pair.beside));
        sums.filter(|(_, sum)| *sum <= SUM_MAX).collect()
    }
}

/// The least value of each node that is there.
fn least(rows: &Rows<Valued<u64>>) -> Rows<Valued<u64>> {
    let mut least: BTreeMap<u64, u64> = BTreeMap::new();
    for (at, value) in rows.iter().filter(|(_, n)| **n > 0).map(|(row, _)| *row) {
        least.entry(at).and_modify(|least| *least = value.min(*least)).or_insert(value);
    }
    least.into_iter().map(|row| (row, 1)).collect()
}

/// What a loop of values reads; it starts with the least of `starts`.
#[derive(Debug, Default)]
struct ValuedInputs {
    starts: Rows<Valued<u64>>,
    seeds: Rows<Valued<u64>>,
    edges: Rows<Edge<u64>>,
}

/// As [`rounds`], of values.
fn valued_rounds(inputs: &ValuedInputs, last: u32) -> [Rows<Valued<u64>>; 2] {
    let mut variable = least(&inputs.starts);
    for round in 0.. {
        let mut derived = inputs.seeds.clone();
        for ((from, to, beside), n) in &inputs.edges {
            let leads = variable.iter().filter(|((at, value), _)| {
                at == from && is_going(*at, *value) && value + beside <= SUM_MAX
            });
            for ((_, value), m) in leads {
                add(&mut derived, &[((*to, value + beside), n * m)]);
            }
        }
        let next = least(&derived);
        if round == last {
            let mut over = next;
            let gone: Vec<_> = variable.iter().map(|(row, n)| (*row, -n)).collect();
            add(&mut over, &gone);
            return [variable, over];
        }
        variable = next;
    }
    unreachable!("the last round comes")
}

/// Epochs of changes: of rows that a start is chosen of, of seeds, and of edges.
type ValuedEpoch = (Vec<(Valued<u64>, i64)>, Vec<(Valued<u64>, i64)>, Vec<(Edge<u64>, i64)>);

fn valued_epochs(n_nodes: u64) -> impl Strategy<Value = Vec<ValuedEpoch>> {
    let diff = prop_oneof![6 => Just(1_i64), 5 => Just(-1), 1 => -2..3_i64];
    let node = 0..n_nodes;
    let rows = vec(((node.clone(), 0..6_u64), diff.clone()), 0..3);
    let edges = vec(((node.clone(), node, 0..4_u64), diff), 0..12);
    vec((rows.clone(), rows, edges), 1..12)
}

fn check_valued(epochs: Vec<ValuedEpoch>, limits: Limits) -> Result<(), TestCaseError> {
    let mut graph = BestGraph::new(limits);
    let mut inputs = ValuedInputs::default();
    let [mut result, mut over] = [Rows::new(), Rows::new()];
    for (starts, seeds, edges) in epochs {
        let before = least(&inputs.starts);
        add(&mut inputs.starts, &starts);
        add(&mut inputs.seeds, &seeds);
        add(&mut inputs.edges, &edges);
        let gone = before.into_iter().map(|(row, n)| (row, -n));
        let starts = least(&inputs.starts).into_iter().chain(gone).collect();
        let outcome = graph.change(Changes { starts, seeds, edges }, &mut Sum);
        add(&mut result, &outcome.rows);
        add(&mut over, &outcome.overruns);
        let [variable, beyond] = valued_rounds(&inputs, limits.rounds);
        let mut last = variable;
        if limits.result == limits.rounds {
            add(&mut last, &beyond.iter().map(|(row, n)| (*row, *n)).collect::<Vec<_>>());
        }
        prop_assert_eq!(&result, &last);
        prop_assert_eq!(&over, &beyond);
    }
    // Take all back: nothing is left, and no room of it.
    let back = |rows: &Rows<Valued<u64>>| rows.iter().map(|(at, n)| (*at, -n)).collect();
    let edges = inputs.edges.iter().map(|(edge, n)| (*edge, -n)).collect();
    let starts = back(&least(&inputs.starts));
    graph.change(Changes { starts, seeds: back(&inputs.seeds), edges }, &mut Sum);
    prop_assert_eq!(graph.n_nodes(), 0);
    Ok(())
}

proptest! {
    #[test]
    fn deltas_of_values_are_what_all_rounds_come_to(
        epochs in valued_epochs(7),
        rounds in 1..7_u32,
        last in 0..2_u32,
    ) {
        check_valued(epochs, Limits { rounds, result: rounds - last })?;
    }

    #[test]
    fn so_they_are_where_values_come_to_rest(epochs in valued_epochs(20), last in 0..2_u32) {
        check_valued(epochs, Limits { rounds: 100, result: 100 - last })?;
    }
}
