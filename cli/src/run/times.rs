//! `arqon run --times FILE`: the journal of what `epoch_time()` said.
//!
//! A line for each epoch, `{"epoch":1,"time":"2026-01-01T00:00:00Z"}`. Epochs that the file has
//! take their time from it; those after it read the clock, and are written down before they run.
//! An epoch that an idle server made by itself has `"tick":true`, and is made again in its turn. So
//! the same inputs, cut into the same epochs, give the same outputs again.

use std::collections::BTreeMap;
use std::path::Path;

use arqon_server::{Cause, EpochClock, Recorded, UnixClock};
use arqon_types::{Epoch, format_timestamp, parse_timestamp};
use serde_json::{Value, json};

use super::kept::{Kept, Wanted};
use crate::exit::Failure;

/// The times of epochs, kept in a file.
#[derive(Debug)]
pub(crate) struct Times {
    kept: Kept,
    known: BTreeMap<u64, (i64, Cause)>,
    clock: UnixClock,
}

impl Times {
    /// Reads what the file has; there need be none.
    ///
    /// # Errors
    /// A [`Failure`] if it cannot be read or written, or has a line that is no epoch's time.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let (kept, entries) = Kept::open(path, entry, WANTED)?;
        let mut known = BTreeMap::new();
        for ((epoch, known_epoch), number) in entries.into_iter().zip(1..) {
            if known.insert(epoch, known_epoch).is_some() {
                let text = format!("{}:{number}: epoch {epoch} stands twice", path.display());
                return Err(Failure::errors(text));
            }
        }
        Ok(Self { kept, known, clock: UnixClock::default() })
    }
}

const WANTED: Wanted = Wanted {
    fault: "no time of an epoch",
    example: "{\"epoch\":1,\"time\":\"2026-01-01T00:00:00Z\"}",
};

fn entry(line: &str) -> Option<(u64, (i64, Cause))> {
    let entry: Value = serde_json::from_str(line).ok()?;
    let is_tick = entry.get("tick").map_or(Some(false), Value::as_bool)?;
    let cause = if is_tick { Cause::Tick } else { Cause::Input };
    Some((entry["epoch"].as_u64()?, (parse_timestamp(entry["time"].as_str()?).ok()?, cause)))
}

impl EpochClock for Times {
    fn time(&mut self, epoch: Epoch, cause: Cause) -> Result<i64, String> {
        if let Some((known, _)) = self.known.get(&epoch.0) {
            return Ok(*known);
        }
        let time = self.clock.time(epoch, cause)?;
        let mut line = json!({ "epoch": epoch.0, "time": format_timestamp(time) });
        if cause == Cause::Tick {
            line["tick"] = Value::Bool(true);
        }
        self.kept.add(&format!("{line}\n")).map_err(|error| {
            let path = self.kept.path.display();
            format!("the time of epoch {epoch} is not written to `{path}`: {error}")
        })?;
        Ok(time)
    }

    fn recorded(&self, epoch: Epoch) -> Recorded {
        match self.known.range(epoch.0..).next() {
            Some((at, (_, Cause::Tick))) if *at == epoch.0 => Recorded::Tick,
            Some(_) => Recorded::Other,
            None => Recorded::Nothing,
        }
    }
}
