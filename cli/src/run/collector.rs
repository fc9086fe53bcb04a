//! What comes out of the dataflow: into the output files, the totals.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arqon_engine::RowOutput;
use arqon_formats::OutputFile;
use arqon_types::{Epoch, TopicName};

use super::decisions::Decisions;
use super::totals::Totals;
use crate::exit::Failure;

/// Shared between the thread that feeds and the one on which epochs come out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Collector {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    outputs: Vec<(TopicName, OutputFile)>,
    decisions: Option<Decisions>,
    totals: Totals,
    failure: Option<Failure>,
}

impl Collector {
    /// Writes to these files, after the decisions of kernels.
    pub(crate) fn new(outputs: Vec<(TopicName, OutputFile)>, decisions: Option<Decisions>) -> Self {
        let collector = Self::default();
        let mut state = collector.lock();
        (state.outputs, state.decisions) = (outputs, decisions);
        drop(state);
        collector
    }

    /// Says that rows are fed now; [`Collector::fed`] follows.
    #[expect(clippy::disallowed_methods, reason = "the command reads the clock for its summary")]
    pub(crate) fn feed(&self) {
        self.lock().totals.feed(Instant::now());
    }

    /// Says which epoch they went into.
    pub(crate) fn fed(&self, epoch: Epoch) {
        self.lock().totals.fed(epoch);
    }

    /// Takes what an epoch came to.
    #[expect(clippy::disallowed_methods, reason = "the command reads the clock for its summary")]
    pub(crate) fn out(&self, output: &RowOutput) {
        let mut state = self.lock();
        state.totals.out(&output.stats, Instant::now());
        let State { outputs, decisions, .. } = &mut *state;
        let decided = decisions.as_mut().map_or(Ok(()), Decisions::write);
        if let Err(failure) = decided.and_then(|()| write(outputs, output)) {
            state.failure.get_or_insert(failure);
        }
    }

    /// Why an output could not be written, if it could not.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.lock().failure.clone()
    }

    /// The totals so far.
    pub(crate) fn totals(&self) -> Totals {
        self.lock().totals.clone()
    }

    /// Writes the snapshots and closes all files; returns remarks for people.
    ///
    /// # Errors
    /// A [`Failure`] if one cannot be written.
    pub(crate) fn finish(&self) -> Result<Vec<String>, Failure> {
        let mut state = self.lock();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        let mut remarks = Vec::new();
        for (topic, file) in state.outputs.drain(..) {
            let n_negative = file.finish().map_err(|error| write_failure(&error))?;
            if n_negative > 0 {
                remarks.push(format!(
                    "`{topic}`: {n_negative} rows were retracted more often than inserted, \
                     and no file can show them"
                ));
            }
        }
        Ok(remarks)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(outputs: &mut [(TopicName, OutputFile)], epoch: &RowOutput) -> Result<(), Failure> {
    for (topic, file) in outputs {
        for delta in epoch.deltas.iter().filter(|delta| delta.topic == *topic) {
            file.write(delta).and_then(|()| file.flush()).map_err(|error| write_failure(&error))?;
        }
    }
    Ok(())
}

fn write_failure(error: &arqon_formats::WriteError) -> Failure {
    if error.source.kind() == std::io::ErrorKind::BrokenPipe {
        Failure::silent()
    } else {
        Failure::unreachable(Failure::chain(error))
    }
}
