//! The time of epochs: what `epoch_time()` of their rows is.
//!
//! It is read once for each epoch, before the engine is fed. Whoever wants to repeat a run keeps
//! what was read, and gives a clock that says it again.

use std::fmt::Debug;

use arqon_types::Epoch;

/// Says the time of each epoch.
pub trait EpochClock: Debug + Send {
    /// Nanoseconds since 1970. Asked once for each epoch with rows, in order.
    ///
    /// # Errors
    /// Why there is none, which stops the circuit.
    fn time(&mut self, epoch: Epoch) -> Result<i64, String>;
}

/// The clock of the machine, which never goes back: where that is set back, time stands still.
#[derive(Debug, Default)]
pub struct UnixClock {
    last: Option<i64>,
}

impl EpochClock for UnixClock {
    fn time(&mut self, _: Epoch) -> Result<i64, String> {
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
