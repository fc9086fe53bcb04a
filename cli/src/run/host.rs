//! The running circuit: the server with its edge, behind one call that feeds an epoch.

use arqon_engine::{EngineOptions, TopicInput};
use arqon_plan::DataflowPlan;
use arqon_server::{
    EdgeOptions, EpochClock, FeedError, Idle, Server, ServerOptions, StartError, StateFull,
};
use arqon_types::{Epoch, TopicName};

use super::collector::Collector;
use super::durations::bytes_text;
use crate::exit::Failure;

/// Close code of sessions when the server goes: RFC 6455, "going away".
const GOING_AWAY: u16 = 1001;

/// A circuit in this process.
#[derive(Debug)]
pub(crate) struct Host {
    server: Server,
    collector: Collector,
    has_fed: bool,
}

impl Host {
    /// Starts the circuit, with an edge for clients if one is wanted.
    ///
    /// # Errors
    /// A [`Failure`] if it cannot start or listen.
    pub(crate) fn start(
        plan: DataflowPlan,
        engine: EngineOptions,
        edge: Option<EdgeOptions>,
        (collector, clock, idle): (&Collector, Option<Box<dyn EpochClock>>, Idle),
    ) -> Result<Self, Failure> {
        let sink = collector.clone();
        let server =
            Server::start(plan, ServerOptions { engine, edge, clock, idle }, move |output| {
                sink.out(output);
            })
            .map_err(|error| {
                let text = Failure::chain(&error);
                match error {
                    StartError::Listen(_) => Failure::unreachable(text),
                    _ => Failure::internal(text),
                }
            })?;
        Ok(Self { server, collector: collector.clone(), has_fed: false })
    }

    /// Feeds one epoch; waits while too much is under way.
    ///
    /// # Errors
    /// A [`Failure`] if the circuit has stopped, or an output cannot be written.
    pub(crate) fn feed(&mut self, topics: Vec<TopicInput>) -> Result<Epoch, Failure> {
        if let Some(failure) = self.collector.failure() {
            return Err(failure);
        }
        self.has_fed = true;
        self.collector.feed();
        let epoch = self.server.feed(topics).map_err(|error| self.failure(&error))?;
        self.collector.fed(epoch);
        Ok(epoch)
    }

    /// Closes all windows, in an epoch of their own.
    ///
    /// # Errors
    /// A [`Failure`] if the circuit has stopped.
    pub(crate) fn end_time(&self) -> Result<(), Failure> {
        self.collector.feed();
        let ended = self.server.end_time();
        let epoch = ended.map_err(|error| Failure::internal(Failure::chain(&error)))?;
        self.collector.fed(epoch);
        Ok(())
    }

    /// Lets what the flow has written to control topics go back until nothing does; the topics that
    /// go on changing.
    ///
    /// # Errors
    /// A [`Failure`] if the circuit has stopped.
    pub(crate) fn settle(&self) -> Result<Vec<TopicName>, Failure> {
        self.server.settle().map_err(|error| self.failure(&error))
    }

    /// Why the circuit takes no more.
    fn failure(&self, error: &FeedError) -> Failure {
        match error {
            FeedError::StateFull(full) => {
                let totals = self.collector.totals();
                let held = totals.largest_states();
                // Epochs that were on their way have come out since, and count in the steps.
                let n_bytes = full.n_bytes.max(held.iter().map(|(_, n_bytes)| n_bytes).sum());
                let full = StateFull { n_bytes, ..*full };
                let held = held
                    .into_iter()
                    .map(|(step, n_bytes)| format!("{} in `{step}`", bytes_text(n_bytes)));
                Failure::errors(format!("{full}: {}", held.collect::<Vec<_>>().join(", "))).help(
                    "let rows go (`window`, `within`, `retain`, a key that is reused), or raise \
                     `limits: { state: … }`",
                )
            }
            error => Failure::internal(Failure::chain(error)),
        }
    }

    /// Whether anything was fed.
    pub(crate) fn has_fed(&self) -> bool {
        self.has_fed
    }

    /// Where clients connect and with which token, if there is an edge.
    pub(crate) fn address(&self) -> Option<(String, String)> {
        let address = self.server.address()?;
        Some((format!("ws://{address}"), self.server.token()?.to_owned()))
    }

    /// Waits for all epochs, says goodbye to clients and stops the threads.
    ///
    /// # Errors
    /// A [`Failure`] if the circuit has stopped before.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        self.server.finish(GOING_AWAY).map_err(|error| Failure::internal(Failure::chain(&error)))
    }
}
