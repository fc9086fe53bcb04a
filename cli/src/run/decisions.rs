//! `arqon run --decisions FILE`: the journal of how kernels followed their inputs.
//!
//! A line for each step of a kernel, `{"epoch":2,"kernel":"answers[0]","mode":"itmd",…}`. Steps
//! that the file has are taken in that mode again; those after it are chosen, and written down
//! before anyone sees what they led to.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arqon_engine::{Decided, Journal};
use arqon_kernels::{Decision, MODES, REASONS, Refresh};
use serde_json::{Value, json};

use super::kept::{Kept, Wanted};
use crate::exit::Failure;

/// The decisions of kernels, kept in a file.
#[derive(Debug)]
pub(crate) struct Decisions {
    kept: Kept,
    journal: Journal,
}

impl Decisions {
    /// Reads what the file has; there need be none.
    ///
    /// # Errors
    /// A [`Failure`] if it cannot be read or written, or has a line that is no decision.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let (kept, known) = Kept::open(path, entry, WANTED)?;
        let mut seen = BTreeSet::new();
        for (Decided { epoch, kernel, .. }, number) in known.iter().zip(1..) {
            if !seen.insert((*epoch, Arc::clone(kernel))) {
                let text = format!("`{kernel}` has two decisions for epoch {epoch}");
                return Err(Failure::errors(format!("{}:{number}: {text}", path.display())));
            }
        }
        Ok(Self { kept, journal: Journal::of(known) })
    }

    /// Where kernels find and leave their decisions.
    pub(crate) fn journal(&self) -> Journal {
        self.journal.clone()
    }

    /// Writes down what was decided since the last call.
    ///
    /// # Errors
    /// A [`Failure`] if the file cannot be written, or if it is of another run.
    pub(crate) fn write(&mut self) -> Result<(), Failure> {
        let path = self.kept.path.display();
        if let Some((epoch, kernel)) = self.journal.stray() {
            let text = format!("`{path}` has no decision of `{kernel}` for epoch {epoch}");
            return Err(Failure::errors(text).help(
                "it was written by a run of other inputs, other epochs or another circuit: name a \
                 new file",
            ));
        }
        let decided = self.journal.drain();
        if decided.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = decided.iter().map(|decided| line(decided).to_string()).collect();
        let written = self.kept.add(&(lines.join("\n") + "\n"));
        let path = self.kept.path.display();
        written.map_err(|error| Failure::unwritable(path, error))
    }
}

const WANTED: Wanted = Wanted {
    fault: "no decision of a kernel",
    example: "{\"epoch\":2,\"kernel\":\"answers[0]\",\"mode\":\"itmd\",\"reason\":\"cheapest\",\
              \"refresh\":false,\"violated\":false}",
};

fn line(Decided { epoch, kernel, decision }: &Decided) -> Value {
    json!({
        "epoch": epoch,
        "kernel": **kernel,
        "mode": decision.mode.name(),
        "reason": decision.reason.name(),
        "refresh": decision.refresh == Refresh::Share,
        "violated": decision.is_violated,
    })
}

fn entry(line: &str) -> Option<Decided> {
    let entry: Value = serde_json::from_str(line).ok()?;
    let mode = entry["mode"].as_str()?;
    let reason = entry["reason"].as_str()?;
    let refresh = if entry["refresh"].as_bool()? { Refresh::Share } else { Refresh::None };
    let decision = Decision {
        mode: MODES.into_iter().find(|known| known.name() == mode)?,
        reason: REASONS.into_iter().find(|known| known.name() == reason)?,
        refresh,
        is_violated: entry["violated"].as_bool()?,
    };
    Some(Decided {
        epoch: entry["epoch"].as_u64()?,
        kernel: Arc::from(entry["kernel"].as_str()?),
        decision,
    })
}
