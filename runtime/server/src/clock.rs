//! The time of epochs: what `epoch_time()` of their rows is, and when rows go on an idle server.
//!
//! It is read once for each epoch, before the engine is fed. Whoever wants to repeat a run keeps
//! what was read, and which epochs came by themselves, and gives a clock that says it again.

use std::fmt::Debug;

use arqon_types::Epoch;

/// Why there is an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Something came from outside.
    Input,
    /// Nothing came, and a row was due to go.
    Tick,
}

/// What a record of epochs has of one that is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It came by itself, and so it is to come again.
    Tick,
    /// It is another, or one that is not kept: none is to come by itself.
    Other,
    /// The record has ended before; what comes is new.
    Nothing,
}

/// Says the time of each epoch.
pub trait EpochClock: Debug + Send {
    /// Nanoseconds since 1970. Asked once for each epoch with rows and for each tick, in order.
    ///
    /// # Errors
    /// Why there is none, which stops the circuit.
    fn time(&mut self, epoch: Epoch, cause: Cause) -> Result<i64, String>;

    /// What is recorded of an epoch that is to come.
    fn recorded(&self, _: Epoch) -> Recorded {
        Recorded::Nothing
    }

    /// The time of the machine, by which a server sleeps until a row is due to go.
    fn now(&self) -> i64 {
        unix_nanoseconds()
    }
}

/// The clock of the machine, which never goes back: where that is set back, time stands still.
#[derive(Debug, Default)]
pub struct UnixClock {
    last: Option<i64>,
}

impl EpochClock for UnixClock {
    fn time(&mut self, _: Epoch, _: Cause) -> Result<i64, String> {
        let now = unix_nanoseconds();
        let time = self.last.map_or(now, |last| last.max(now));
        self.last = Some(time);
        Ok(time)
    }
}

#[expect(clippy::disallowed_methods, reason = "the server reads the clock for bus and epochs")]
pub(crate) fn unix_nanoseconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
