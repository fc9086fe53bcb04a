//! The running circuit behind the files: takes epochs in order, hands what comes out to the
//! collector.

use arqon_engine::{BackendChoice, Dataflow, EngineOptions, EpochInput, TopicInput};
use arqon_plan::DataflowPlan;
use arqon_types::Epoch;

use super::collector::Collector;
use crate::exit::Failure;

/// A circuit in this process.
#[derive(Debug)]
pub(crate) struct Host {
    dataflow: Dataflow,
    collector: Collector,
    last_fed: Epoch,
}

impl Host {
    /// Starts the circuit on `n_workers` threads.
    ///
    /// # Errors
    /// A [`Failure`] if it cannot start.
    pub(crate) fn start(
        plan: DataflowPlan,
        n_workers: usize,
        collector: &Collector,
    ) -> Result<Self, Failure> {
        let options = EngineOptions { n_workers, backend: BackendChoice::Auto };
        let sink = collector.clone();
        let dataflow = Dataflow::start(plan, options, move |output| sink.out(&output))
            .map_err(|error| Failure::internal(Failure::chain(&error)))?;
        Ok(Self { dataflow, collector: collector.clone(), last_fed: Epoch::ZERO })
    }

    /// Feeds one epoch; waits while too much is under way.
    ///
    /// # Errors
    /// A [`Failure`] if the circuit has stopped, or an output cannot be written.
    pub(crate) fn feed(&mut self, topics: Vec<TopicInput>) -> Result<Epoch, Failure> {
        if let Some(failure) = self.collector.failure() {
            return Err(failure);
        }
        let epoch = self.last_fed.next();
        self.collector.fed();
        self.dataflow
            .feed(EpochInput { epoch, topics })
            .map_err(|error| Failure::internal(Failure::chain(&error)))?;
        self.last_fed = epoch;
        Ok(epoch)
    }

    /// The newest epoch that was fed.
    pub(crate) fn last_fed(&self) -> Epoch {
        self.last_fed
    }

    /// Waits for all epochs and stops the threads.
    ///
    /// # Errors
    /// A [`Failure`] if the circuit has stopped before.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        self.dataflow.finish().map(drop).map_err(|error| Failure::internal(Failure::chain(&error)))
    }
}
