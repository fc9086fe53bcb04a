//! What a graph says of an epoch against all rounds gone through anew.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use arqon_plan::{Best, Order};

use super::graph::Graph;
use super::relax::{Edge, Lead, Relax, Valued};
use super::valued::Walk;
use super::{Changes, Limits, Rest};

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

#[test]
fn a_walk_says_nothing_while_it_does_not_rest() {
    let mut rest = Rest(BTreeMap::new());
    let mut say = |rows: &[(u64, i64)], overruns: &[(u64, i64)], all: &[u64]| {
        rest.say(rows.to_vec(), overruns, || all.to_vec())
    };
    assert_eq!(say(&[(1, 1), (2, 1)], &[], &[1, 2]), [(1, 1), (2, 1)]);
    // It had 1 and 2, and would have 2 and 3.
    assert_eq!(say(&[(1, -1), (3, 1)], &[(3, 1), (4, 1)], &[2, 3]), [(1, -1), (2, -1)]);
    assert_eq!(say(&[(4, 1)], &[(3, -1)], &[2, 3, 4]), []);
    assert_eq!(say(&[(2, -1)], &[(4, -1)], &[3, 4]), [(3, 1), (4, 1)]);
    assert_eq!(say(&[(3, -1)], &[], &[4]), [(3, -1)]);
}

/// What values become along edges.
#[derive(Debug, Clone, Copy)]
struct Rule {
    /// Whether a node's value goes along edges.
    is_going: fn(u64, u64) -> bool,
    /// What a value becomes along an edge, if anything.
    hop: fn(u64, u64) -> Option<u64>,
    is_plain: bool,
    /// Whether a better value never comes to a worse one.
    in_order: bool,
}

/// Values grow by what stands beside an edge, and those that grow too much go nowhere; from some
/// nodes some values do not go at all.
const SUM: Rule = Rule {
    is_going: |node, value| !(node + value).is_multiple_of(5),
    hop: |value, beside| Some(value + beside).filter(|sum| *sum <= 12),
    is_plain: false,
    in_order: false,
};

/// The same, where all that is better than what goes somewhere goes there as well.
const ORDERLY: Rule = Rule { is_going: |_, value| value < 9, in_order: true, ..SUM };

/// Some edges make a value better, as far as it goes: a better one never comes to a worse one.
const BACKWARD: Rule = Rule {
    hop: |value, beside| match beside {
        3 => Some(value.saturating_sub(1)),
        _ => Some(value + beside),
    },
    ..ORDERLY
};

const PLAIN: Rule =
    Rule { is_going: |_, _| true, hop: |value, _| Some(value), is_plain: true, in_order: true };

/// The greatest of what stands beside edges and of where the way begins.
const WORST: Rule = Rule { hop: |value, beside| Some(value.max(2 * beside)), ..ORDERLY };

impl Relax<u64> for Rule {
    fn is_plain(&self) -> bool {
        self.is_plain
    }

    fn has_sieve(&self) -> bool {
        !self.is_plain
    }

    fn sieve<'g>(
        &mut self,
        rows: impl Iterator<Item = (&'g u64, u64, i64)>,
        _is_recalled: bool,
    ) -> Vec<u32> {
        let going = (0..).zip(rows).filter(|(_, (node, value, _))| (self.is_going)(**node, *value));
        going.map(|(idx, _)| idx).collect()
    }

    fn relax<'g>(&mut self, pairs: impl Iterator<Item = Lead<'g, u64>>) -> Vec<(u32, u64)> {
        let hops = (0..).zip(pairs.map(|pair| (self.hop)(pair.value, pair.beside)));
        hops.filter_map(|(idx, value)| Some((idx, value?))).collect()
    }

    fn has_failed(&self) -> bool {
        false
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
fn valued_rounds(inputs: &ValuedInputs, last: u32, rule: Rule) -> [Rows<Valued<u64>>; 2] {
    let mut variable = least(&inputs.starts);
    for round in 0.. {
        let mut derived = inputs.seeds.clone();
        for ((from, to, beside), n) in &inputs.edges {
            let going = variable
                .iter()
                .filter(|((at, value), _)| at == from && (rule.is_going)(*at, *value));
            for ((_, value), m) in going {
                if let Some(value) = (rule.hop)(*value, *beside) {
                    add(&mut derived, &[((*to, value), n * m)]);
                }
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

/// Returns whether nodes were settled in the order of values to the end.
fn check_valued(
    epochs: Vec<ValuedEpoch>,
    limits: Limits,
    mut rule: Rule,
) -> Result<bool, TestCaseError> {
    let best = Best { node: 0, value: 1, order: Order::Ascending, in_order: rule.in_order };
    let mut graph = Walk::new(best, limits);
    let mut inputs = ValuedInputs::default();
    let [mut result, mut over] = [Rows::new(), Rows::new()];
    for (starts, seeds, edges) in epochs {
        // In order of values the variable starts with what comes in any case.
        let seeds = if rule.in_order { starts.clone() } else { seeds };
        let before = least(&inputs.starts);
        add(&mut inputs.starts, &starts);
        add(&mut inputs.seeds, &seeds);
        add(&mut inputs.edges, &edges);
        let gone = before.into_iter().map(|(row, n)| (row, -n));
        let starts = least(&inputs.starts).into_iter().chain(gone).collect();
        let outcome = graph.change(Changes { starts, seeds, edges }, &mut rule);
        add(&mut result, &outcome.rows);
        add(&mut over, &outcome.overruns);
        let [variable, beyond] = valued_rounds(&inputs, limits.rounds, rule);
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
    graph.change(Changes { starts, seeds: back(&inputs.seeds), edges }, &mut rule);
    prop_assert_eq!(graph.n_nodes(), 0);
    Ok(matches!(graph, Walk::ByValue(_)))
}

/// Without what is there less than not at all: each row goes only where it has come.
fn without_debts(epochs: Vec<ValuedEpoch>) -> Vec<ValuedEpoch> {
    fn paid<R: Ord + Copy>(held: &mut Rows<R>, rows: Vec<(R, i64)>) -> Vec<(R, i64)> {
        let mut paid = Vec::new();
        for (row, n) in rows {
            let n = n.max(-held.get(&row).copied().unwrap_or_default());
            add(held, &[(row, n)]);
            paid.push((row, n));
        }
        paid
    }
    let mut held = ValuedInputs::default();
    let pay = |(starts, seeds, edges): ValuedEpoch| {
        let (starts, seeds) = (paid(&mut held.starts, starts), paid(&mut held.seeds, seeds));
        (starts, seeds, paid(&mut held.edges, edges))
    };
    epochs.into_iter().map(pay).collect()
}

fn rules() -> impl Strategy<Value = Rule> {
    prop_oneof![Just(SUM), Just(ORDERLY), Just(BACKWARD), Just(PLAIN), Just(WORST)]
}

proptest! {
    #[test]
    fn deltas_of_values_are_what_all_rounds_come_to(
        epochs in valued_epochs(7),
        has_debts in any::<bool>(),
        rounds in 1..7_u32,
        last in 0..2_u32,
        rule in rules(),
    ) {
        let epochs = if has_debts { epochs } else { without_debts(epochs) };
        check_valued(epochs, Limits { rounds, result: rounds - last }, rule)?;
    }

    #[test]
    fn so_they_are_where_values_come_to_rest(
        epochs in valued_epochs(20),
        has_debts in any::<bool>(),
        last in 0..2_u32,
        rule in rules(),
    ) {
        let epochs = if has_debts { epochs } else { without_debts(epochs) };
        check_valued(epochs, Limits { rounds: 100, result: 100 - last }, rule)?;
    }

    #[test]
    fn nodes_are_settled_in_order_where_all_fits(
        epochs in valued_epochs(12),
        rule in prop_oneof![Just(ORDERLY), Just(PLAIN), Just(WORST)],
    ) {
        let epochs = without_debts(epochs);
        let limits = Limits { rounds: 100, result: 99 };
        let is_in_order = check_valued(epochs, limits, rule)?;
        prop_assert!(is_in_order);
    }
}

#[test]
fn a_circle_does_not_hold_its_values_up() {
    let limits = Limits { rounds: 1000, result: 999 };
    let best = Best { node: 0, value: 1, order: Order::Ascending, in_order: true };
    for mut rule in [Rule { is_going: |_, _| true, ..ORDERLY }, PLAIN] {
        let mut graph = Walk::new(best, limits);
        let edges = |edges: &[Edge<u64>], n: i64| Changes {
            edges: edges.iter().map(|edge| (*edge, n)).collect(),
            ..Changes::default()
        };
        let circle = [(1, 2, 1), (2, 3, 0), (3, 4, 0), (4, 2, 0), (9, 3, 1)];
        let seeds = vec![((1, 0), 1), ((9, 5), 1)];
        let root = Changes { starts: seeds.clone(), seeds, ..edges(&circle, 1) };
        assert_eq!(graph.change(root, &mut rule).rows.len(), 5);
        let gone = graph.change(edges(&[(1, 2, 1)], -1), &mut rule);
        // All three have the other root's value now, and had none between.
        assert_eq!((gone.rows.len(), gone.reached.changes), (6, 6));
        assert!(matches!(graph, Walk::ByValue(_)));
    }
}
