//! The client's side of the answers: one table per topic, each kept up to date by its deltas.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arqon_client::{Client, ClientError, Delivery, Request, Subscription, Table};
use arqon_plan::DataflowPlan;
use arqon_types::Epoch;
use tokio::sync::watch;

use super::recompute::Relation;
use super::tables::find;
use crate::bus::client_failure;
use crate::exit::Failure;

/// The tables, and how far each of them is.
pub(super) struct Board {
    tables: BTreeMap<&'static str, Arc<Mutex<Table>>>,
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
            let schema = find(&plan.topics, topic).schema.clone();
            let table = Arc::new(Mutex::new(Table::new(schema)));
            let subscription = client
                .subscribe(Request::table(*topic))
                .await
                .map_err(|error| client_failure(&error))?;
            let (mark, marks) = watch::channel(Ok(0));
            tokio::spawn(follow(subscription, Arc::clone(&table), mark));
            board.tables.insert(topic, table);
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
    pub(super) fn rows(&self, topic: &str) -> Relation {
        self.tables[topic].lock().unwrap_or_else(PoisonError::into_inner).rows().clone()
    }
}

async fn follow(
    mut subscription: Subscription,
    table: Arc<Mutex<Table>>,
    mark: watch::Sender<Result<u64, Failure>>,
) {
    loop {
        let upper = match subscription.next().await {
            Ok(delivery) => take(&table, &delivery),
            Err(ClientError::Closed(why)) => Err(Failure::unreachable(why)),
            Err(error) => Err(client_failure(&error)),
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
    match delivery {
        Delivery::Delta(delta) => {
            table.apply(delta).map_err(|error| Failure::internal(error.to_string()))?;
        }
        Delivery::Progress(upper) => table.reach(*upper),
        Delivery::Snapshot(_) | Delivery::Upserts(_) | Delivery::Event(_) | Delivery::Gap(_) => {
            return Err(Failure::internal("a subscription to deltas brought something else"));
        }
    }
    Ok(table.upper())
}
