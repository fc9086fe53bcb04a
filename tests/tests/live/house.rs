//! A server on loopback whose circuits come and go, and clients of it, with a deadline.

use std::collections::BTreeMap;
use std::time::Duration;

use arqon_client::{
    AckMode, Client, Delivery, Message, SessionError, Subscribe, Subscription, Table, connect,
};
use arqon_compiler::{Options, compile};
use arqon_engine::{EngineOptions, RowOutput};
use arqon_plan::{Artifact, DataflowPlan};
use arqon_server::{
    Addition, Change, ChangeError, Changed, EdgeOptions, EpochClock, Idle, Replacing, Server,
    ServerOptions, random_secret,
};
use arqon_shield::Settings;
use arqon_tests::oracle::Collection;
use arqon_types::{Epoch, Row, Value};
use tokio::runtime::Runtime;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(30);

/// A server without circuits, and a runtime for its clients.
pub(crate) struct House {
    pub(crate) server: Server,
    runtime: Runtime,
}

impl House {
    pub(crate) fn new(n_workers: usize) -> Self {
        Self::with_clock(n_workers, None)
    }

    pub(crate) fn with_clock(n_workers: usize, clock: Option<Box<dyn EpochClock>>) -> Self {
        let edge = EdgeOptions {
            listen: "127.0.0.1:0".parse().unwrap(),
            settings: Settings::default(),
            secret: random_secret().unwrap(),
        };
        let engine = EngineOptions { n_workers, ..EngineOptions::default() };
        let options = ServerOptions { engine, edge: Some(edge), clock, idle: Idle::Tick };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        Self { server: Server::open(options).unwrap(), runtime }
    }

    pub(crate) fn install(&self, text: &str) -> Result<Changed, ChangeError> {
        self.put(text, Replacing::Never, |_| {})
    }

    pub(crate) fn replace(&self, text: &str) -> Result<Changed, ChangeError> {
        self.put(text, Replacing::Compatibly, |_| {})
    }

    pub(crate) fn put(
        &self,
        text: &str,
        replacing: Replacing,
        on_output: impl FnMut(&RowOutput) + Send + 'static,
    ) -> Result<Changed, ChangeError> {
        self.put_artifact(artifact(text), replacing, on_output)
    }

    pub(crate) fn put_artifact(
        &self,
        artifact: Artifact,
        replacing: Replacing,
        on_output: impl FnMut(&RowOutput) + Send + 'static,
    ) -> Result<Changed, ChangeError> {
        let on_output = Box::new(on_output);
        let addition = Box::new(Addition { artifact, replacing, on_output });
        self.server.change(Change::Install(addition))
    }

    pub(crate) fn drop(&self, name: &str) -> Result<Changed, ChangeError> {
        self.server.change(Change::Drop(name.to_owned()))
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        let in_time = async { timeout(DEADLINE, work).await };
        self.runtime.block_on(in_time).expect("an answer comes in time")
    }

    pub(crate) fn pause(&self) {
        self.wait(tokio::time::sleep(Duration::from_millis(20)));
    }

    pub(crate) fn client(&self) -> Client {
        let url = format!("ws://{}", self.server.address().unwrap());
        let token = self.server.token().unwrap().to_owned();
        self.wait(async move { connect(&url, &token).await }).unwrap()
    }

    pub(crate) fn publish(&self, client: &Client, message: Message) -> Result<Epoch, SessionError> {
        self.wait(client.publish(message.with_ack(AckMode::Applied))).map(|ack| ack.epoch)
    }

    pub(crate) fn subscribe(
        &self,
        client: &Client,
        request: Subscribe,
    ) -> Result<Follower, SessionError> {
        let subscription = self.wait(client.subscribe(request))?;
        Ok(Follower { subscription, table: Table::default() })
    }

    /// The rows of a topic after an epoch, as a follower of it sees them.
    pub(crate) fn rows(&self, follower: &mut Follower, epoch: Epoch) -> Vec<(String, i64)> {
        let Follower { subscription, table } = follower;
        self.wait(table.until(subscription, epoch)).unwrap();
        table.rows().map(|(row, n)| (row.to_owned(), n)).collect()
    }

    /// How a subscription ends.
    pub(crate) fn end(&self, follower: &mut Follower) -> Option<SessionError> {
        loop {
            match self.wait(follower.subscription.next())? {
                Ok(_) => {}
                Err(error) => return Some(error),
            }
        }
    }

    /// The next events of a topic.
    pub(crate) fn events(&self, follower: &mut Follower, n: usize) -> Vec<String> {
        let mut rows = Vec::new();
        while rows.len() < n {
            let delivery = self.wait(follower.subscription.next()).unwrap().unwrap();
            if let Delivery::Event { row, .. } = delivery {
                rows.push(row);
            }
        }
        rows
    }

    /// The changes of the next frame of a pattern, with their topics.
    pub(crate) fn next_rows(&self, follower: &mut Follower) -> Vec<(String, i64, String)> {
        match self.wait(follower.subscription.next()).unwrap().unwrap() {
            Delivery::Delta { topic, changes, .. } => {
                changes.into_iter().map(|it| (topic.to_string(), it.diff, it.row)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The next changes that a subscription brings, in one frame.
    pub(crate) fn changes(&self, follower: &mut Follower) -> Vec<(u64, i64, String)> {
        loop {
            let delivery = self.wait(follower.subscription.next()).unwrap().unwrap();
            follower.table.apply(&delivery).unwrap();
            if let Delivery::Delta { changes, .. } = delivery {
                let change = |it: arqon_client::Change| (it.epoch.0, it.diff, it.row);
                return changes.into_iter().map(change).collect();
            }
        }
    }
}

/// A subscription with what it came to.
pub(crate) struct Follower {
    subscription: Subscription,
    table: Table,
}

/// Rows of `{ k, n, s }`, all `int64`, as the wire has them.
pub(crate) fn sums(rows: &Collection) -> BTreeMap<String, i64> {
    let text = |row: &Row| {
        let [k, n, s] = [0, 1, 2].map(|at: usize| match row[at] {
            Value::Int(number) => number,
            ref other => panic!("{other:?} is no int64"),
        });
        format!(r#"{{"k":{k},"n":{n},"s":{s}}}"#)
    };
    rows.iter().map(|(row, n)| (text(row), *n)).collect()
}

pub(crate) fn artifact(text: &str) -> Artifact {
    let compiled = compile(text, "circuit.yaml", &Options::default());
    let (Some(plan), Some(dataflow)) = (compiled.plan, compiled.dataflow) else {
        panic!("{:?}\n{text}", compiled.diagnostics)
    };
    Artifact { plan, dataflow }
}

pub(crate) fn plan(text: &str) -> DataflowPlan {
    artifact(text).dataflow
}
