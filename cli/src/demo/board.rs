//! The client's side of the answers: one table per topic, each kept up to date by its deltas.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arqon_client::{Client, Delivery, Subscribe, Subscription, Table};
use arqon_plan::DataflowPlan;
use arqon_proto::RowCodec;
use arqon_types::Epoch;
use tokio::sync::watch;

use super::recompute::Relation;
use super::tables::find;
use crate::bus::client_failure;
use crate::exit::Failure;

/// The tables, and how far each of them is.
pub(super) struct Board {
    tables: BTreeMap<&'static str, (RowCodec, Arc<Mutex<Table>>)>,
    /// Per topic the epoch before which all is in, or why nothing more will come.
    marks: Vec<watch::Receiver<Result<u64, Failure>>>,
}

impl Board {
    /// Subscribes to the topics and follows them in tasks of the current runtime.
    pub(super) async fn open(
        client: &Client,
        plan: &DataflowPlan,
        topics: &[&'static str],
    ) -> Result<Self, Failure> {
        let mut board = Self { tables: BTreeMap::new(), marks: Vec::new() };
        for topic in topics {
            let codec = RowCodec::new(find(&plan.topics, topic).schema.clone());
            let table = Arc::new(Mutex::new(Table::default()));
            let subscription = client
                .subscribe(Subscribe::to(*topic))
                .await
                .map_err(|error| client_failure(&error))?;
            let (mark, marks) = watch::channel(Ok(0));
            tokio::spawn(follow(subscription, Arc::clone(&table), mark));
            board.tables.insert(topic, (codec, table));
            board.marks.push(marks);
        }
        Ok(board)
    }

    /// Waits until all changes of `epoch` are in, in every table.
    pub(super) async fn has_seen(&self, epoch: Epoch) -> Result<(), Failure> {
        for mark in &self.marks {
            let mut mark = mark.clone();
            let reached = mark
                .wait_for(|upper| upper.as_ref().map_or(true, |upper| epoch.0 < *upper))
                .await
                .map_err(|_| Failure::internal("a subscription has ended without a word"))?;
            reached.clone()?;
        }
        Ok(())
    }

    /// The rows of a table with their multiplicities.
    ///
    /// # Errors
    /// A [`Failure`] if a row is not of the topic's schema.
    pub(super) fn rows(&self, topic: &str) -> Result<Relation, Failure> {
        let (codec, table) = &self.tables[topic];
        let table = table.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = table.rows().map(|(text, count)| Ok((codec.decode(text)?, count)));
        rows.collect::<Result<Relation, arqon_proto::RowError>>()
            .map_err(|error| Failure::internal(format!("`{topic}`: {error}")))
    }
}

async fn follow(
    mut subscription: Subscription,
    table: Arc<Mutex<Table>>,
    mark: watch::Sender<Result<u64, Failure>>,
) {
    loop {
        let upper = match subscription.next().await {
            Some(Ok(delivery)) => take(&table, &delivery),
            Some(Err(error)) => Err(client_failure(&error)),
            None => Err(Failure::unreachable("the subscription has ended")),
        };
        let is_over = upper.is_err();
        // Who waits for nothing has dropped the board.
        let is_dropped = mark.send(upper).is_err();
        if is_over || is_dropped {
            return;
        }
    }
}

fn take(table: &Mutex<Table>, delivery: &Delivery) -> Result<u64, Failure> {
    let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
    table.apply(delivery).map_err(|error| Failure::internal(Failure::chain(&error)))?;
    Ok(table.upper().0)
}
