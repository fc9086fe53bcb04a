//! The same work written by hand against differential dataflow, as an expert would.
//!
//! Text keys as owned strings, or the key's number itself: the first is what a hand-writer pays
//! for readable keys, the second is the ceiling.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::Hash;
use std::rc::Rc;
use std::time::{Duration, Instant};

use differential_dataflow::ExchangeData;
use differential_dataflow::input::InputSession;
use timely::dataflow::ProbeHandle;
use timely::dataflow::operators::{Inspect, Probe};
use timely::worker::Worker;

use crate::data::{aggregate_row, left_row, right_row};
use crate::sample::Sample;

/// How many rows and rounds a run has.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Rows of each input.
    pub n_rows: u64,
    /// Rows loaded per epoch.
    pub epoch_rows: u64,
    /// Rounds of 100 changes after loading.
    pub n_rounds: u64,
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn now() -> Instant {
    Instant::now()
}

/// Changes of the answer, as they come: key, count, sum and max, diff.
type Deltas<K> = Rc<RefCell<Vec<(K, (i64, i64, i64), isize)>>>;

/// The answer by key, as the deltas have brought it so far.
struct Answer<K>(BTreeMap<K, (i64, i64, i64)>);

impl<K: Ord> Answer<K> {
    /// Takes in what has come. A reader's business, so no clock runs meanwhile, on any side.
    fn fold(&mut self, deltas: &Deltas<K>) {
        for (key, row, diff) in deltas.borrow_mut().drain(..) {
            if diff > 0 {
                self.0.insert(key, row);
            } else if self.0.get(&key) == Some(&row) {
                self.0.remove(&key);
            }
        }
    }

    fn checksum(&self) -> i128 {
        checksum(self.0.values().map(|(a, b, c)| [*a, *b, *c]))
    }
}

struct Rounds<'a> {
    worker: &'a mut Worker,
    probe: ProbeHandle<u64>,
    epoch: u64,
}

impl Rounds<'_> {
    /// Closes the epoch of these inputs and steps until its answer is out.
    fn close<A: ExchangeData, B: ExchangeData>(
        &mut self,
        left: &mut InputSession<u64, A, isize>,
        right: &mut InputSession<u64, B, isize>,
    ) {
        self.epoch += 1;
        left.advance_to(self.epoch);
        left.flush();
        right.advance_to(self.epoch);
        right.flush();
        while self.probe.less_than(&self.epoch) {
            self.worker.step();
        }
    }
}

/// Count, sum and max per key: one reduce over all values of a key.
pub fn aggregate<K: ExchangeData + Hash>(size: Size, key: fn(u64) -> K) -> Sample {
    timely::execute_directly(move |worker| {
        let deltas: Deltas<K> = Rc::default();
        let sink = Rc::clone(&deltas);
        let mut input: InputSession<u64, (K, i64), isize> = InputSession::new();
        let mut idle: InputSession<u64, (), isize> = InputSession::new();
        let probe = ProbeHandle::new();
        worker.dataflow::<u64, _, _>(|scope| {
            idle.to_collection(scope).inner.probe_with(&probe);
            input
                .to_collection(scope)
                .reduce(|_key, values: &[(&i64, isize)], output| {
                    let (mut count, mut sum) = (0_i64, 0_i64);
                    for (value, diff) in values {
                        let diff = i64::try_from(*diff).expect("64 bits");
                        count += diff;
                        sum += **value * diff;
                    }
                    let max = values.last().map_or(0, |(value, _)| **value);
                    output.push(((count, sum, max), 1_isize));
                })
                .inner
                .inspect(move |((key, row), _, diff)| {
                    sink.borrow_mut().push((key.clone(), *row, *diff));
                })
                .probe_with(&probe);
        });
        let mut rounds = Rounds { worker, probe, epoch: 0 };
        let start = now();
        for idx in 0..size.n_rows {
            let (number, value) = aggregate_row(idx);
            input.update((key(number), value), 1);
            if (idx + 1) % size.epoch_rows == 0 {
                rounds.close(&mut input, &mut idle);
            }
        }
        rounds.close(&mut input, &mut idle);
        let load = start.elapsed();
        let mut answer = Answer(BTreeMap::new());
        answer.fold(&deltas);
        let mut times = Vec::new();
        for round in 0..size.n_rounds {
            let start = now();
            for at in 0..50 {
                let (number, value) = aggregate_row(size.n_rows + round * 50 + at);
                input.update((key(number), value), 1);
                let (number, value) = aggregate_row(round * 50 + at);
                input.update((key(number), value), -1);
            }
            rounds.close(&mut input, &mut idle);
            times.push(start.elapsed());
            answer.fold(&deltas);
        }
        let checksum = answer.checksum();
        Sample { n_rows: size.n_rows, load, rounds: times, checksum }
    })
}

/// Join on the key, then count and sum per group, both in one reduce.
pub fn join<K: ExchangeData + Hash, G: ExchangeData + Hash>(
    size: Size,
    key: fn(u64) -> K,
    group: fn(u64) -> G,
) -> Sample {
    timely::execute_directly(move |worker| {
        let n_keys = size.n_rows / 2;
        let deltas: Deltas<G> = Rc::default();
        let sink = Rc::clone(&deltas);
        let mut left: InputSession<u64, (K, i64), isize> = InputSession::new();
        let mut right: InputSession<u64, (K, G), isize> = InputSession::new();
        let probe = ProbeHandle::new();
        worker.dataflow::<u64, _, _>(|scope| {
            left.to_collection(scope)
                .join_map(right.to_collection(scope), |_key, amount, group| {
                    (group.clone(), *amount)
                })
                .explode(|(group, amount)| {
                    // The sums ride in the difference, so that a change costs O(1) per group.
                    Some((group, (1_isize, isize::try_from(amount).expect("64 bits"))))
                })
                .arrange_by_self()
                .reduce_abelian::<_, Builder<G>, Spine<G>, _, _>(
                    "Sums",
                    |_group, sums, output| output.push((sums[0].1, 1_isize)),
                    |vec, key, updates| {
                        vec.clear();
                        vec.extend(updates.drain(..).map(|(v, t, r)| ((key.clone(), v), t, r)));
                    },
                )
                .as_collection(|group, sums| (group.clone(), *sums))
                .inner
                .inspect(move |((group, (count, sum)), _, diff)| {
                    let wide = |number: &isize| i64::try_from(*number).expect("64 bits");
                    let row = (wide(count), wide(sum), 0);
                    sink.borrow_mut().push((group.clone(), row, *diff));
                })
                .probe_with(&probe);
        });
        let mut rounds = Rounds { worker, probe, epoch: 0 };
        let start = now();
        for idx in 0..size.n_rows {
            let (number, amount) = left_row(idx, n_keys);
            left.update((key(number), amount), 1);
            let (number, label) = right_row(idx, n_keys);
            right.update((key(number), group(label)), 1);
            if (idx + 1) % size.epoch_rows == 0 {
                rounds.close(&mut left, &mut right);
            }
        }
        rounds.close(&mut left, &mut right);
        let load = start.elapsed();
        let mut answer = Answer(BTreeMap::new());
        answer.fold(&deltas);
        let mut times: Vec<Duration> = Vec::new();
        for round in 0..size.n_rounds {
            let start = now();
            for at in 0..25 {
                let (new, old) = (size.n_rows + round * 25 + at, round * 25 + at);
                for (idx, diff) in [(new, 1), (old, -1)] {
                    let (number, amount) = left_row(idx, n_keys);
                    left.update((key(number), amount), diff);
                    let (number, label) = right_row(idx, n_keys);
                    right.update((key(number), group(label)), diff);
                }
            }
            rounds.close(&mut left, &mut right);
            times.push(start.elapsed());
            answer.fold(&deltas);
        }
        let checksum = answer.checksum();
        Sample { n_rows: 2 * size.n_rows, load, rounds: times, checksum }
    })
}

type Spine<G> =
    differential_dataflow::trace::implementations::ValSpine<G, (isize, isize), u64, isize>;
type Builder<G> =
    differential_dataflow::trace::implementations::ValBuilder<G, (isize, isize), u64, isize>;

/// A sum over all rows of an answer, the same whatever their order.
pub fn checksum(rows: impl Iterator<Item = [i64; 3]>) -> i128 {
    rows.map(|[a, b, c]| i128::from(a) + 3 * i128::from(b) + 7 * i128::from(c)).sum()
}
