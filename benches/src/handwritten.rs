//! The same work written by hand against timely and differential dataflow, as an expert would.
//!
//! Text keys as owned strings, or the key's number itself: the first is what a hand-writer pays
//! for readable keys, the second is the ceiling. Each worker loads its share of the rows; the first
//! one makes the changes of the rounds.

use std::cell::RefCell;
use std::hash::Hash;
use std::rc::Rc;
use std::time::{Duration, Instant};

use differential_dataflow::ExchangeData;
use differential_dataflow::algorithms::graphs::propagate::propagate_at;
use differential_dataflow::input::InputSession;
use differential_dataflow::operators::Iterate;
use timely::dataflow::operators::vec::{Filter, Map};
use timely::dataflow::operators::{Input, Inspect, Probe};
use timely::dataflow::{InputHandle, ProbeHandle};
use timely::worker::Worker;

use crate::data::{
    EventColumns, LEAST_FAHRENHEIT, Name, Names, ROOTS, Size, edge, event, left, length, reading,
    right,
};
use crate::sample::{Answer, Sample, distance_weight, event_weight, node_weight, sums_weight};

/// How a key is held.
pub trait Key: ExchangeData + Hash {
    /// The key of a number.
    fn of(number: u64) -> Self;
    /// The number of the key.
    fn number(&self) -> u64;
}

impl Key for String {
    fn of(number: u64) -> Self {
        Name::of(number).as_str().to_owned()
    }

    fn number(&self) -> u64 {
        Name::number(self.as_bytes())
    }
}

impl Key for u64 {
    fn of(number: u64) -> Self {
        number
    }

    fn number(&self) -> u64 {
        *self
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn now() -> Instant {
    Instant::now()
}

/// What one worker saw.
struct Share {
    load: Duration,
    loaded: Answer,
    rounds: Vec<Duration>,
    finished: Answer,
}

/// A worker, the answer that its part of the dataflow adds to, and when an epoch is complete.
struct Drive<'a> {
    worker: &'a mut Worker,
    answer: Rc<RefCell<Answer>>,
    probe: ProbeHandle<u64>,
    epoch: u64,
}

/// Of the rows every so manieth.
#[derive(Debug, Clone, Copy)]
struct Loader {
    index: u64,
    n_workers: u64,
}

impl Loader {
    fn has(self, idx: u64) -> bool {
        idx % self.n_workers == self.index
    }
}

impl<'a> Drive<'a> {
    fn new(worker: &'a mut Worker) -> Self {
        Self { worker, answer: Rc::default(), probe: ProbeHandle::new(), epoch: 0 }
    }

    /// Which rows this worker is to load.
    fn loader(&self) -> Loader {
        Loader { index: self.worker.index() as u64, n_workers: self.worker.peers() as u64 }
    }

    /// Whether this worker is to load row `idx`.
    fn has(&self, idx: u64) -> bool {
        self.loader().has(idx)
    }

    /// Closes the epoch of all inputs and steps until its answer is out.
    fn close(&mut self, advance: impl FnOnce(u64)) {
        self.epoch += 1;
        advance(self.epoch);
        while self.probe.less_than(&self.epoch) {
            self.worker.step();
        }
    }

    fn answer(&self) -> Answer {
        *self.answer.borrow()
    }
}

/// Runs `work` on every worker and puts the shares together.
fn run(size: Size, n_inputs: u64, work: fn(Size, Drive<'_>) -> Share) -> Sample {
    let config = match size.n_workers {
        1 => timely::Config::thread(),
        more => timely::Config::process(more),
    };
    let workers = timely::execute(config, move |worker| work(size, Drive::new(worker)));
    let shares = workers.expect("threads start").join();
    let shares: Vec<Share> =
        shares.into_iter().map(|share| share.expect("a worker ends well")).collect();
    let sum = |of: fn(&Share) -> Answer| {
        shares.iter().map(of).fold(Answer::default(), |sum, share| Answer {
            n_rows: sum.n_rows + share.n_rows,
            sum: sum.sum + share.sum,
        })
    };
    Sample {
        n_rows: n_inputs * size.n_rows,
        load: shares.iter().map(|share| share.load).max().expect("there is a worker"),
        loaded: sum(|share| share.loaded),
        rounds: shares[0].rounds.clone(),
        finished: sum(|share| share.finished),
    }
}

fn small(diff: isize) -> i64 {
    i64::try_from(diff).expect("64 bits")
}

fn wide(diff: i64) -> isize {
    isize::try_from(diff).expect("64 bits")
}

/// An event as a hand-writer declares it.
#[derive(Debug, Clone)]
struct Event {
    id: i64,
    key: String,
    value: f64,
    at: i64,
}

/// Some events are kept, with other fields.
pub fn stateless(size: Size) -> Sample {
    run(size, 1, |size, drive| {
        let (names, loader) = (Names::all(), drive.loader());
        kept_events(drive, size.epochs(), |rows| {
            rows.filter(|idx| loader.has(*idx)).map(|idx| {
                let event = event(idx);
                let key = names.of(event.key).to_owned();
                Event { id: event.id, key, value: event.value, at: event.at }
            })
        })
    })
}

/// The same of events that are columns in memory.
pub fn decoded(size: Size) -> Sample {
    run(size, 1, |size, drive| {
        let (names, loader) = (Names::all(), drive.loader());
        let epochs: Vec<EventColumns> =
            size.epochs().map(|rows| EventColumns::of(rows, &names)).collect();
        kept_events(drive, &epochs, |columns| {
            let rows = (0..columns.ids.len()).filter(|row_idx| loader.has(*row_idx as u64));
            rows.map(|row_idx| Event {
                id: columns.ids[row_idx],
                key: columns.key(row_idx).to_owned(),
                value: columns.values[row_idx],
                at: columns.times[row_idx],
            })
        })
    })
}

/// Keeps some of the events of each epoch, with other fields.
fn kept_events<E, R: Iterator<Item = Event>>(
    mut drive: Drive<'_>,
    epochs: impl IntoIterator<Item = E>,
    events: impl Fn(E) -> R,
) -> Share {
    let mut input: InputHandle<u64, _> = InputHandle::new();
    let sink = Rc::clone(&drive.answer);
    let probe = drive.probe.clone();
    drive.worker.dataflow::<u64, _, _>(|scope| {
        scope
            .input_from::<timely::container::CapacityContainerBuilder<Vec<Event>>>(&mut input)
            .filter(|event| event.value * 1.8 + 32.0 > LEAST_FAHRENHEIT && event.at % 3 != 0)
            .map(|event| Event { value: event.value * 1.8 + 32.0, at: event.at / 1000, ..event })
            .inspect(move |event| {
                let key = Name::word(event.key.as_bytes());
                let weight = event_weight(event.id, key, event.value, event.at);
                sink.borrow_mut().add(weight, 1);
            })
            .probe_with(&probe);
    });
    let start = now();
    for epoch in epochs {
        for event in events(epoch) {
            input.send(event);
        }
        drive.close(|epoch| input.advance_to(epoch));
    }
    let (load, loaded) = (start.elapsed(), drive.answer());
    Share { load, loaded, rounds: Vec::new(), finished: loaded }
}

/// Count, sum and max per key: one reduce over all values of a key.
pub fn aggregate<K: Key>(size: Size) -> Sample {
    run(size, 1, |size, mut drive| {
        let mut input: InputSession<u64, (K, i64), isize> = InputSession::new();
        let sink = Rc::clone(&drive.answer);
        let probe = drive.probe.clone();
        drive.worker.dataflow::<u64, _, _>(|scope| {
            input
                .to_collection(scope)
                .reduce(|_key, values: &[(&i64, isize)], output| {
                    let (mut count, mut sum) = (0_i64, 0_i64);
                    for (value, diff) in values {
                        count += small(*diff);
                        sum += **value * small(*diff);
                    }
                    let max = values.last().map_or(0, |(value, _)| **value);
                    output.push(((count, sum, max), 1_isize));
                })
                .inner
                .inspect(move |((key, (n, total, most)), _, diff)| {
                    let weight = sums_weight(key.number(), *n, *total, *most);
                    sink.borrow_mut().add(weight, small(*diff));
                })
                .probe_with(&probe);
        });
        let row = |idx: u64| {
            let (key, value) = reading(idx);
            (K::of(key), value)
        };
        let start = now();
        for rows in size.epochs() {
            rows.filter(|idx| drive.has(*idx)).for_each(|idx| input.update(row(idx), 1));
            drive.close(|epoch| advance(&mut input, epoch));
        }
        let (load, loaded) = (start.elapsed(), drive.answer());
        let rounds = (0..size.n_rounds).map(|round| {
            let changes: Vec<_> = size
                .round(round, 50)
                .filter(|_| drive.worker.index() == 0)
                .map(|(idx, diff)| (row(idx), wide(diff)))
                .collect();
            let start = now();
            for (row, diff) in changes {
                input.update(row, diff);
            }
            drive.close(|epoch| advance(&mut input, epoch));
            start.elapsed()
        });
        let rounds = rounds.collect();
        Share { load, loaded, rounds, finished: drive.answer() }
    })
}

fn advance<D: ExchangeData>(input: &mut InputSession<u64, D, isize>, epoch: u64) {
    input.advance_to(epoch);
    input.flush();
}

/// Join on the key, then count and sum per group, both in one reduce.
pub fn join<K: Key>(size: Size) -> Sample {
    run(size, 2, |size, mut drive| {
        let n_keys = size.join_keys();
        let mut lefts: InputSession<u64, (K, i64), isize> = InputSession::new();
        let mut rights: InputSession<u64, (K, K), isize> = InputSession::new();
        let sink = Rc::clone(&drive.answer);
        let probe = drive.probe.clone();
        drive.worker.dataflow::<u64, _, _>(|scope| {
            lefts
                .to_collection(scope)
                .join_map(rights.to_collection(scope), |_key, amount, group| {
                    (group.clone(), *amount)
                })
                .explode(|(group, amount)| {
                    // The sums ride in the difference, so that a change costs O(1) per group.
                    Some((group, (1_isize, wide(amount))))
                })
                .arrange_by_self()
                .reduce_abelian::<_, Builder<K>, Spine<K>, _, _>(
                    "Sums",
                    |_group, sums, output| output.push((sums[0].1, 1_isize)),
                    |vec, key, updates| {
                        vec.clear();
                        vec.extend(updates.drain(..).map(|(v, t, r)| ((key.clone(), v), t, r)));
                    },
                )
                .as_collection(|group, sums| (group.clone(), *sums))
                .inner
                .inspect(move |((group, (n, total)), _, diff)| {
                    let weight = sums_weight(group.number(), small(*n), small(*total), 0);
                    sink.borrow_mut().add(weight, small(*diff));
                })
                .probe_with(&probe);
        });
        let row = |idx: u64| {
            let ((left_key, amount), (right_key, group)) = (left(idx, n_keys), right(idx, n_keys));
            ((K::of(left_key), amount), (K::of(right_key), K::of(group)))
        };
        let start = now();
        for rows in size.epochs() {
            for idx in rows.filter(|idx| drive.has(*idx)).collect::<Vec<u64>>() {
                let (left, right) = row(idx);
                lefts.update(left, 1);
                rights.update(right, 1);
            }
            drive.close(|epoch| {
                advance(&mut lefts, epoch);
                advance(&mut rights, epoch);
            });
        }
        let (load, loaded) = (start.elapsed(), drive.answer());
        let rounds = (0..size.n_rounds).map(|round| {
            let changes: Vec<_> = size
                .round(round, 25)
                .filter(|_| drive.worker.index() == 0)
                .map(|(idx, diff)| (row(idx), wide(diff)))
                .collect();
            let start = now();
            for ((left, right), diff) in changes {
                lefts.update(left, diff);
                rights.update(right, diff);
            }
            drive.close(|epoch| {
                advance(&mut lefts, epoch);
                advance(&mut rights, epoch);
            });
            start.elapsed()
        });
        let rounds = rounds.collect();
        Share { load, loaded, rounds, finished: drive.answer() }
    })
}

type Spine<G> =
    differential_dataflow::trace::implementations::ValSpine<G, (isize, isize), u64, isize>;
type Builder<G> =
    differential_dataflow::trace::implementations::ValBuilder<G, (isize, isize), u64, isize>;

/// The nodes that the roots reach: a loop that ends where nothing new is found.
pub fn reach(size: Size) -> Sample {
    run(size, 1, |size, drive| {
        let mut edges: InputSession<u64, (u32, u32), isize> = InputSession::new();
        let mut roots: InputSession<u64, u32, isize> = InputSession::new();
        let sink = Rc::clone(&drive.answer);
        let probe = drive.probe.clone();
        drive.worker.dataflow::<u64, _, _>(|scope| {
            let edges = edges.to_collection(scope);
            let roots = roots.to_collection(scope);
            roots
                .clone()
                .iterate(|scope, reached| {
                    let (edges, roots) = (edges.enter(scope), roots.enter(scope));
                    reached
                        .map(|node| (node, ()))
                        .join_map(edges, |_from, (), to| *to)
                        .concat(roots)
                        .distinct()
                })
                .inner
                .inspect(move |(node, _, diff)| {
                    sink.borrow_mut().add(node_weight(u64::from(*node)), small(*diff));
                })
                .probe_with(&probe);
        });
        feed(size, drive, edges, roots, ROOTS, |from, to, _| (from, to))
    })
}

/// How far they are: each keeps the least of what is offered to it.
pub fn paths(size: Size) -> Sample {
    run(size, 1, |size, drive| {
        let mut edges: InputSession<u64, (u32, (u32, i64)), isize> = InputSession::new();
        let mut roots: InputSession<u64, u32, isize> = InputSession::new();
        let sink = Rc::clone(&drive.answer);
        let probe = drive.probe.clone();
        drive.worker.dataflow::<u64, _, _>(|scope| {
            let edges = edges.to_collection(scope);
            let roots = roots.to_collection(scope).map(|node| (node, 0));
            roots
                .clone()
                .iterate(|scope, reached| {
                    let (edges, roots) = (edges.enter(scope), roots.enter(scope));
                    reached
                        .join_map(edges, |_from, far, (to, length)| (*to, far + length))
                        .concat(roots)
                        .reduce(|_node, far, least| least.push((*far[0].0, 1)))
                })
                .inner
                .inspect(move |((node, far), _, diff)| {
                    sink.borrow_mut().add(distance_weight(u64::from(*node), *far), small(*diff));
                })
                .probe_with(&probe);
        });
        feed(size, drive, edges, roots, ROOTS, |from, to, idx| (from, (to, length(idx))))
    })
}

/// The least node that each hangs together with, by the library's own propagation of labels, which
/// sends lesser ones first.
pub fn components(size: Size) -> Sample {
    run(size, 1, |size, drive| {
        let mut edges: InputSession<u64, (u32, u32), isize> = InputSession::new();
        let mut nodes: InputSession<u64, u32, isize> = InputSession::new();
        let sink = Rc::clone(&drive.answer);
        let probe = drive.probe.clone();
        drive.worker.dataflow::<u64, _, _>(|scope| {
            let edges = edges.to_collection(scope);
            let nodes = nodes.to_collection(scope).map(|node| (node, node));
            let both = edges.clone().map(|(from, to)| (to, from)).concat(edges);
            propagate_at(both, nodes, |label| u64::from(*label))
                .inner
                .inspect(move |((node, label), _, diff)| {
                    let weight = distance_weight(u64::from(*node), i64::from(*label));
                    sink.borrow_mut().add(weight, small(*diff));
                })
                .probe_with(&probe);
        });
        feed(size, drive, edges, nodes, 0..size.nodes(), |from, to, _| (from, to))
    })
}

/// Loads a graph in one epoch, and has edges come and go one by one; `row` is an edge's.
fn feed<E: ExchangeData>(
    size: Size,
    mut drive: Drive<'_>,
    mut edges: InputSession<u64, E, isize>,
    mut roots: InputSession<u64, u32, isize>,
    root_nodes: impl IntoIterator<Item = u64>,
    row: fn(u32, u32, u64) -> E,
) -> Share {
    let n_nodes = size.nodes();
    let node = |number: u64| u32::try_from(number).expect("nodes fit in 32 bits");
    let of = |idx: u64| {
        let (from, to) = edge(idx, n_nodes);
        row(node(from), node(to), idx)
    };
    let start = now();
    if drive.worker.index() == 0 {
        for root in root_nodes {
            roots.update(node(root), 1);
        }
    }
    (0..size.n_rows).filter(|idx| drive.has(*idx)).for_each(|idx| edges.update(of(idx), 1));
    drive.close(|epoch| {
        advance(&mut edges, epoch);
        advance(&mut roots, epoch);
    });
    let (load, loaded) = (start.elapsed(), drive.answer());
    let rounds = (0..size.n_rounds).map(|round| {
        let (idx, diff) = size.edge_change(round);
        let start = now();
        if drive.worker.index() == 0 {
            edges.update(of(idx), wide(diff));
        }
        drive.close(|epoch| {
            advance(&mut edges, epoch);
            advance(&mut roots, epoch);
        });
        start.elapsed()
    });
    let rounds = rounds.collect();
    Share { load, loaded, rounds, finished: drive.answer() }
}
