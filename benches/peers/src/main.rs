//! The `dbsp` crate at the workloads of `benches`: `dbsp WORK CUT WORKERS ROWS EPOCH_ROWS ROUNDS`.
//!
//! Rows and answers are those of every other side, from the same files. `CUT` is `epochs` for a
//! transaction an epoch, as the other sides load, or `once` for one transaction of all rows, which
//! is how the crate loads best. Outputs are accumulated: an output of one step would lose those of
//! the other steps of a transaction.

#[expect(dead_code, reason = "other sides also take their rows from columns")]
#[path = "../../src/data.rs"]
mod data;
#[path = "../../src/sample.rs"]
mod sample;

use std::time::{Duration, Instant};

use dbsp::algebra::F64;
use dbsp::operator::Max;
use dbsp::typed_batch::{IndexedZSetReader, SpineSnapshot};
use dbsp::utils::{Tup2, Tup4};
use dbsp::{
    NestedCircuit, OrdIndexedZSet, OrdZSet, OutputHandle, Runtime, Stream, ZWeight,
};

use data::{LEAST_FAHRENHEIT, Name, Names, ROOTS, Size, edge, event, left, reading, right};
use sample::{Answer, Sample, event_weight, node_weight, sums_weight};

#[global_allocator]
static ALLOCATOR: dbsp::mimalloc::MiMalloc = dbsp::mimalloc::MiMalloc;

type Changes<K> = Vec<Tup2<K, ZWeight>>;
type Out<B> = OutputHandle<SpineSnapshot<B>>;
type Event = Tup4<i64, String, F64, i64>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [work, cut, numbers @ ..] = arguments.as_slice() else { usage() };
    let numbers: Vec<u64> = numbers.iter().filter_map(|number| number.parse().ok()).collect();
    let [n_workers, n_rows, epoch_rows, n_rounds] = numbers[..] else { usage() };
    let n_workers = usize::try_from(n_workers).expect("a few workers");
    let run = Run {
        size: Size { n_rows, epoch_rows, n_rounds, n_workers },
        is_one_transaction: cut == "once",
    };
    let sample = match work.as_str() {
        "stateless" => stateless(run),
        "aggregate" => aggregate(run),
        "join" => join(run),
        "reach" => reach(run),
        _ => usage(),
    };
    println!("{}", sample.line());
}

fn usage() -> ! {
    eprintln!("usage: dbsp WORK epochs|once WORKERS ROWS EPOCH_ROWS ROUNDS");
    std::process::exit(2)
}

#[derive(Clone, Copy)]
struct Run {
    size: Size,
    is_one_transaction: bool,
}

impl Run {
    /// Loads with `feed`, which takes the rows of an epoch; `close` ends a transaction.
    fn load(
        self,
        mut feed: impl FnMut(std::ops::Range<u64>),
        mut close: impl FnMut(),
    ) -> Duration {
        let start = Instant::now();
        for rows in self.size.epochs() {
            feed(rows);
            if !self.is_one_transaction {
                close();
            }
        }
        if self.is_one_transaction {
            close();
        }
        start.elapsed()
    }
}

fn owned(key: u64) -> String {
    Name::of(key).as_str().to_owned()
}

/// Ends a transaction and adds what comes out to the answer.
macro_rules! close {
    ($circuit:expr, $output:expr, $answer:expr, $weight:expr) => {{
        $circuit.transaction().expect("a transaction ends well");
        for (key, value, diff) in $output.concat().consolidate().iter() {
            $answer.add($weight(key, value), diff);
        }
    }};
}

/// Some events are kept, with other fields.
fn stateless(run: Run) -> Sample {
    let (mut circuit, (input, output)) = Runtime::init_circuit(run.size.n_workers, |circuit| {
        let (events, input) = circuit.add_input_zset::<Event>();
        let kept = events
            .filter(|Tup4(_, _, value, at)| {
                value.into_inner() * 1.8 + 32.0 > LEAST_FAHRENHEIT && at % 3 != 0
            })
            .map(|Tup4(id, key, value, at)| {
                let fahrenheit = F64::new(value.into_inner() * 1.8 + 32.0);
                Tup4(*id, key.clone(), fahrenheit, at / 1000)
            });
        Ok((input, kept.accumulate_output()))
    })
    .expect("the circuit is sound");
    let output: Out<OrdZSet<Event>> = output;
    let mut answer = Answer::default();
    let weight = |Tup4(id, key, value, at): Event, (): ()| {
        event_weight(id, Name::word(key.as_bytes()), value.into_inner(), at)
    };
    let names = Names::all();
    let load = run.load(
        |rows| {
            let mut changes: Changes<Event> = rows
                .map(event)
                .map(|row| {
                    let key = names.of(row.key).to_owned();
                    Tup2(Tup4(row.id, key, F64::new(row.value), row.at), 1)
                })
                .collect();
            input.append(&mut changes);
        },
        || close!(circuit, output, answer, weight),
    );
    circuit.kill().expect("the circuit ends");
    Sample { n_rows: run.size.n_rows, load, loaded: answer, rounds: Vec::new(), finished: answer }
}

/// Count, sum and max per key.
fn aggregate(run: Run) -> Sample {
    let (mut circuit, (input, output)) = Runtime::init_circuit(run.size.n_workers, |circuit| {
        let (readings, input) = circuit.add_input_zset::<Tup2<String, i64>>();
        let by_key = readings.map_index(|Tup2(key, value)| (key.clone(), *value));
        let linear = by_key.aggregate_linear(|value: &i64| Tup2(1_i64, *value));
        let most = by_key.aggregate(Max);
        let sums = linear
            .join_index(&most, |key, sums, most| Some((key.clone(), Tup2(sums.clone(), *most))));
        Ok((input, sums.accumulate_output()))
    })
    .expect("the circuit is sound");
    let output: Out<OrdIndexedZSet<String, Tup2<Tup2<i64, i64>, i64>>> = output;
    let mut answer = Answer::default();
    let weight = |key: String, Tup2(Tup2(n, total), most): Tup2<Tup2<i64, i64>, i64>| {
        sums_weight(Name::number(key.as_bytes()), n, total, most)
    };
    let row = |(idx, diff): (u64, i64)| {
        let (key, value) = reading(idx);
        Tup2(Tup2(owned(key), value), diff)
    };
    let load = run.load(
        |rows| input.append(&mut rows.map(|idx| row((idx, 1))).collect()),
        || close!(circuit, output, answer, weight),
    );
    let loaded = answer;
    let mut rounds = Vec::new();
    for round in 0..run.size.n_rounds {
        let mut changes: Changes<_> = run.size.round(round, 50).map(row).collect();
        let start = Instant::now();
        input.append(&mut changes);
        close!(circuit, output, answer, weight);
        rounds.push(start.elapsed());
    }
    circuit.kill().expect("the circuit ends");
    Sample { n_rows: run.size.n_rows, load, loaded, rounds, finished: answer }
}

/// Join on the key, then count and sum per group.
fn join(run: Run) -> Sample {
    let n_keys = run.size.join_keys();
    let (mut circuit, (lefts, rights, output)) =
        Runtime::init_circuit(run.size.n_workers, |circuit| {
            let (left, lefts) = circuit.add_input_zset::<Tup2<String, i64>>();
            let (right, rights) = circuit.add_input_zset::<Tup2<String, String>>();
            let left = left.map_index(|Tup2(key, amount)| (key.clone(), *amount));
            let right = right.map_index(|Tup2(key, group)| (key.clone(), group.clone()));
            let sums = left
                .join_index(&right, |_key, amount, group| Some((group.clone(), *amount)))
                .aggregate_linear(|amount: &i64| Tup2(1_i64, *amount));
            Ok((lefts, rights, sums.accumulate_output()))
        })
        .expect("the circuit is sound");
    let output: Out<OrdIndexedZSet<String, Tup2<i64, i64>>> = output;
    let mut answer = Answer::default();
    let weight = |group: String, Tup2(n, total): Tup2<i64, i64>| {
        sums_weight(Name::number(group.as_bytes()), n, total, 0)
    };
    let left_row = |(idx, diff): (u64, i64)| {
        let (key, amount) = left(idx, n_keys);
        Tup2(Tup2(owned(key), amount), diff)
    };
    let right_row = |(idx, diff): (u64, i64)| {
        let (key, group) = right(idx, n_keys);
        Tup2(Tup2(owned(key), owned(group)), diff)
    };
    let load = run.load(
        |rows| {
            lefts.append(&mut rows.clone().map(|idx| left_row((idx, 1))).collect());
            rights.append(&mut rows.map(|idx| right_row((idx, 1))).collect());
        },
        || close!(circuit, output, answer, weight),
    );
    let loaded = answer;
    let mut rounds = Vec::new();
    for round in 0..run.size.n_rounds {
        let mut left_changes: Changes<_> = run.size.round(round, 25).map(left_row).collect();
        let mut right_changes: Changes<_> = run.size.round(round, 25).map(right_row).collect();
        let start = Instant::now();
        lefts.append(&mut left_changes);
        rights.append(&mut right_changes);
        close!(circuit, output, answer, weight);
        rounds.push(start.elapsed());
    }
    circuit.kill().expect("the circuit ends");
    Sample { n_rows: 2 * run.size.n_rows, load, loaded, rounds, finished: answer }
}

/// The nodes that the roots reach.
fn reach(run: Run) -> Sample {
    let n_nodes = run.size.nodes();
    let (mut circuit, (edges, roots, output)) =
        Runtime::init_circuit(run.size.n_workers, |circuit| {
            let (edges, edges_in) = circuit.add_input_zset::<Tup2<u32, u32>>();
            let (roots, roots_in) = circuit.add_input_zset::<u32>();
            let edges = edges.map_index(|Tup2(from, to)| (*from, *to));
            let reached =
                circuit.recursive(|child, reached: Stream<NestedCircuit, OrdZSet<u32>>| {
                    let (edges, roots) = (edges.delta0(child), roots.delta0(child));
                    let next = reached.map_index(|node| (*node, ())).join(&edges, |_, (), to| *to);
                    Ok(next.plus(&roots))
                })?;
            Ok((edges_in, roots_in, reached.accumulate_output()))
        })
        .expect("the circuit is sound");
    let output: Out<OrdZSet<u32>> = output;
    let mut answer = Answer::default();
    let weight = |node: u32, (): ()| node_weight(u64::from(node));
    let node = |number: u64| u32::try_from(number).expect("nodes fit in 32 bits");
    let row = |(idx, diff): (u64, i64)| {
        let (from, to) = edge(idx, n_nodes);
        Tup2(Tup2(node(from), node(to)), diff)
    };
    let start = Instant::now();
    roots.append(&mut ROOTS.into_iter().map(|root| Tup2(node(root), 1)).collect());
    edges.append(&mut (0..run.size.n_rows).map(|idx| row((idx, 1))).collect());
    close!(circuit, output, answer, weight);
    let (load, loaded) = (start.elapsed(), answer);
    let mut rounds = Vec::new();
    for round in 0..run.size.n_rounds {
        let mut changes = vec![row(run.size.edge_change(round))];
        let start = Instant::now();
        edges.append(&mut changes);
        close!(circuit, output, answer, weight);
        rounds.push(start.elapsed());
    }
    circuit.kill().expect("the circuit ends");
    Sample { n_rows: run.size.n_rows, load, loaded, rounds, finished: answer }
}
