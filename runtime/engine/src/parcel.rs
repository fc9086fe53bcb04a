//! Packed rows on their way to the workers that have their keys: of each batch one message for each
//! worker, which takes the rows out as they are.

use timely::Accountable;
use timely::bytes::arc::Bytes;
use timely::communication::Push;
use timely::container::NoopBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::channels::pushers::exchange::Distributor;
use timely::dataflow::channels::{ContainerBytes, Message};
use timely::dataflow::operators::generic::operator::Operator;
use timely::progress::Stamp;

use crate::batch::Batches;
use crate::deltas::Delta;
use crate::keyed::Packer;
use crate::packed::Packed;

/// Rows of one epoch for one worker.
#[derive(Debug, Clone)]
pub(crate) struct Parcel<K, V> {
    /// The epoch.
    pub(crate) time: u64,
    /// The worker.
    to: usize,
    /// The rows.
    pub(crate) rows: Vec<Delta<K, V>>,
}

impl<K, V> Default for Parcel<K, V> {
    fn default() -> Self {
        Self { time: 0, to: 0, rows: Vec::new() }
    }
}

impl<K, V> Accountable for Parcel<K, V> {
    fn record_count(&self) -> i64 {
        i64::try_from(self.rows.len()).expect("a batch has fewer than 2^63 rows")
    }
}

/// Workers are threads of one process, and nothing between them is ever written as bytes.
impl<K, V> ContainerBytes for Parcel<K, V> {
    fn from_bytes(_bytes: Bytes) -> Self {
        unreachable!("a parcel stays in its process")
    }

    fn length_in_bytes(&self) -> usize {
        unreachable!("a parcel stays in its process")
    }

    fn into_bytes<W: std::io::Write>(&self, _writer: &mut W) {
        unreachable!("a parcel stays in its process")
    }
}

/// Hands parcels to their workers.
#[derive(Debug)]
pub(crate) struct Carrier;

impl<K, V> Distributor<Parcel<K, V>> for Carrier {
    fn partition<T: Clone, P: Push<Message<T, Parcel<K, V>>>>(
        &mut self,
        parcel: &mut Parcel<K, V>,
        stamp: &Stamp<T>,
        workers: &mut [P],
    ) {
        let worker = &mut workers[parcel.to];
        Message::push_at(parcel, stamp.clone(), worker);
        *parcel = Parcel::default();
    }

    fn flush<T: Clone, P: Push<Message<T, Parcel<K, V>>>>(
        &mut self,
        _stamp: &Stamp<T>,
        _workers: &mut [P],
    ) {
        // Nothing waits.
    }
}

/// Packs rows, and puts those of each worker together; `place` modulo the number of workers says
/// which worker has a key.
pub(crate) fn parcels<K: Packed, V: Packed>(
    rows: Batches<'_>,
    packer: Packer<K, V>,
    place: impl Fn(&K) -> u64 + 'static,
) -> Stream<'_, u64, Parcel<K, V>> {
    let n_workers = rows.scope().peers();
    rows.unary::<NoopBuilder<Parcel<K, V>>, _, _, _>(Pipeline, "Parcels", move |_, _| {
        move |input, output| {
            input.for_each(|capability, batch| {
                let batch = std::mem::take(batch);
                let capability = capability.delayed(&batch.time, 0);
                let n_rows = batch.rows.len();
                // A little more than an even share: keys are not even.
                let room = (n_rows / n_workers + n_rows / 16).min(n_rows);
                let mut shares: Vec<Vec<Delta<K, V>>> =
                    (0..n_workers).map(|_| Vec::with_capacity(room)).collect();
                packer.pack(batch.time, &batch.rows, |row, diff| {
                    let worker = place(&row.0) % n_workers as u64;
                    let worker = usize::try_from(worker).expect("it is below their number");
                    shares[worker].push((row, diff));
                });
                for (to, mut rows) in shares.into_iter().enumerate().filter(|it| !it.1.is_empty()) {
                    if rows.len() < rows.capacity() / 4 {
                        // They were added up.
                        rows.shrink_to_fit();
                    }
                    let mut parcel = Parcel { time: batch.time, to, rows };
                    output.session_with_builder(&capability).give_container(&mut parcel);
                }
            });
        }
    })
}
