//! What the machine needs at the least: one pass over numbers in memory, with the hash operations
//! that no way round them is known, and nothing kept for later changes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::thread;
use std::time::Instant;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::data::{
    Event, GROUPS, LEAST_FAHRENHEIT, Name, ROOTS, Size, edge, event, left, length, reading, right,
};
use crate::sample::{Answer, Sample, distance_weight, event_weight, node_weight, sums_weight};

type Table<V> = HashMap<u64, V, FixedState>;
/// Count, sum and max of each key.
type Sums = Table<(i64, i64, i64)>;

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn timed(n_rows: u64, work: impl FnOnce() -> Answer) -> Sample {
    let start = Instant::now();
    let loaded = work();
    Sample { n_rows, load: start.elapsed(), loaded, rounds: Vec::new(), finished: loaded }
}

/// Every event is read once, every kept one is written once.
pub fn stateless(size: Size) -> Sample {
    let events: Vec<Event> = (0..size.n_rows).map(event).collect();
    let mut kept = Vec::with_capacity(events.len());
    let sample = timed(size.n_rows, || {
        kept.extend(events.iter().filter_map(|event| {
            let value = event.value * 1.8 + 32.0;
            let is_kept = value > LEAST_FAHRENHEIT && event.at % 3 != 0;
            is_kept.then_some(Event { value, at: event.at / 1000, ..*event })
        }));
        Answer::default()
    });
    let mut answer = Answer::default();
    for row in kept {
        let word = Name::word(Name::of(row.key).as_str().as_bytes());
        answer.add(event_weight(row.id, word, row.value, row.at), 1);
    }
    Sample { loaded: answer, finished: answer, ..sample }
}

/// One hash operation a row, on as many threads as there are workers: each has its share of the
/// rows and a table of its own. They go through them several times, so that what a second thread is
/// worth on this machine can be told.
pub fn aggregate(size: Size) -> Sample {
    let rows: Vec<(u64, i64)> = (0..size.n_rows).map(reading).collect();
    let share = rows.len().div_ceil(size.n_workers);
    timed(size.n_rows * PASSES, || {
        let parts: Vec<Sums> = thread::scope(|scope| {
            let pass = |rows: &[(u64, i64)]| (0..PASSES).fold(Sums::default(), |_, _| sums(rows));
            let start = |rows| scope.spawn(move || pass(rows));
            let threads: Vec<_> = rows.chunks(share).map(start).collect();
            threads.into_iter().map(|it| it.join().expect("a loop comes to its end")).collect()
        });
        let mut all = Sums::default();
        for (key, (n, total, most)) in parts.into_iter().flatten() {
            let sum = all.entry(key).or_insert((0, 0, i64::MIN));
            *sum = (sum.0 + n, sum.1 + total, sum.2.max(most));
        }
        let mut answer = Answer::default();
        for (key, (n, total, most)) in &all {
            answer.add(sums_weight(*key, *n, *total, *most), 1);
        }
        answer
    })
}

/// How often the rows of *aggregate* are gone through.
const PASSES: u64 = 20;

fn sums(rows: &[(u64, i64)]) -> Sums {
    let mut sums = Sums::default();
    for (key, value) in rows {
        let (n, total, most) = sums.entry(*key).or_insert((0, 0, i64::MIN));
        *n += 1;
        *total += value;
        *most = (*most).max(*value);
    }
    sums
}

/// One hash operation a row, and one addition a pair of rows that match.
pub fn join(size: Size) -> Sample {
    let n_keys = size.join_keys();
    let lefts: Vec<(u64, i64)> = (0..size.n_rows).map(|idx| left(idx, n_keys)).collect();
    let rights: Vec<(u64, u64)> = (0..size.n_rows).map(|idx| right(idx, n_keys)).collect();
    timed(2 * size.n_rows, || {
        // Rows of one key are a chain: the table has its last row, and each row the one before.
        let mut last: Table<usize> = Table::default();
        let before: Vec<Option<usize>> =
            rights.iter().enumerate().map(|(at, (key, _))| last.insert(*key, at)).collect();
        let mut sums = vec![(0_i64, 0_i64); usize::try_from(GROUPS).expect("a small number")];
        for (key, amount) in &lefts {
            let mut next = last.get(key).copied();
            while let Some(at) = next {
                let (n, total) = &mut sums[usize::try_from(rights[at].1).expect("a group")];
                *n += 1;
                *total += amount;
                next = before[at];
            }
        }
        let mut answer = Answer::default();
        for (group, (n, total)) in (0..).zip(&sums).filter(|(_, (n, _))| *n > 0) {
            answer.add(sums_weight(group, *n, *total, 0), 1);
        }
        answer
    })
}

/// Edges are put in order of their source, and each reached one is followed once.
pub fn reach(size: Size) -> Sample {
    let edges = edges(size);
    timed(size.n_rows, || {
        let (ends, targets) = by_source(size, &edges);
        let mut is_reached = vec![false; ends.len() - 1];
        let mut open: Vec<usize> = ROOTS.into_iter().map(place).collect();
        let mut answer = Answer::default();
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut is_reached[node], true) {
                answer.add(node_weight(node as u64), 1);
                let followed = &targets[ends[node]..ends[node + 1]];
                open.extend(followed.iter().map(|(to, _)| *to));
            }
        }
        answer
    })
}

/// Dijkstra's algorithm with a binary heap, over edges in order of their source.
pub fn paths(size: Size) -> Sample {
    let edges = edges(size);
    timed(size.n_rows, || {
        let (ends, targets) = by_source(size, &edges);
        let mut is_done = vec![false; ends.len() - 1];
        let roots = ROOTS.into_iter().map(|root| Reverse((0, place(root))));
        let mut open: BinaryHeap<Reverse<(i64, usize)>> = roots.collect();
        let mut answer = Answer::default();
        while let Some(Reverse((far, node))) = open.pop() {
            if !std::mem::replace(&mut is_done[node], true) {
                answer.add(distance_weight(node as u64, far), 1);
                let followed = &targets[ends[node]..ends[node + 1]];
                open.extend(followed.iter().map(|(to, length)| Reverse((far + length, *to))));
            }
        }
        answer
    })
}

/// Each edge joins the trees of its ends in a forest whose roots are the least of their nodes.
pub fn components(size: Size) -> Sample {
    let edges = edges(size);
    timed(size.n_rows, || {
        let mut parents: Vec<usize> = (0..place(size.nodes())).collect();
        for (from, (to, _)) in &edges {
            let [one, two] = [*from, *to].map(|node| root(&mut parents, node));
            parents[one.max(two)] = one.min(two);
        }
        let mut answer = Answer::default();
        for node in 0..parents.len() {
            let least = i64::try_from(root(&mut parents, node)).expect("a node");
            answer.add(distance_weight(node as u64, least), 1);
        }
        answer
    })
}

/// The root of a node's tree, to which the way is half as long then.
fn root(parents: &mut [usize], mut node: usize) -> usize {
    while parents[node] != node {
        parents[node] = parents[parents[node]];
        node = parents[node];
    }
    node
}

fn place(number: u64) -> usize {
    usize::try_from(number).expect("a node")
}

/// The edges of the graph: from, and to which node how far.
fn edges(size: Size) -> Vec<(usize, (usize, i64))> {
    let of = |idx| {
        let (from, to) = edge(idx, size.nodes());
        (place(from), (place(to), length(idx)))
    };
    (0..size.n_rows).map(of).collect()
}

/// Where those of each node begin and end, and the edges in this order.
fn by_source(size: Size, edges: &[(usize, (usize, i64))]) -> (Vec<usize>, Vec<(usize, i64)>) {
    let mut ends = vec![0; place(size.nodes()) + 1];
    for (from, _) in edges {
        ends[from + 1] += 1;
    }
    for at in 1..ends.len() {
        ends[at] += ends[at - 1];
    }
    let (mut next, mut targets) = (ends.clone(), vec![(0, 0); edges.len()]);
    for (from, target) in edges {
        targets[next[*from]] = *target;
        next[*from] += 1;
    }
    (ends, targets)
}
