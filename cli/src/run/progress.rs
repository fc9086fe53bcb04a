//! A progress bar over the bytes of all input files, for people who wait.

use std::time::Duration;

use arqon_formats::BytesRead;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::durations::number_text;
use crate::console::Console;

/// How far the reading is.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    files: Vec<BytesRead>,
    n_records: u64,
}

impl Progress {
    /// A bar over these files, if a person watches and all of them have an end.
    pub(crate) fn new(console: Console, files: Vec<BytesRead>) -> Self {
        let total: Option<u64> = files.iter().map(BytesRead::total).sum();
        let bar = match total {
            Some(total) if total > 0 && console.shows_progress() => {
                ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10))
            }
            Some(_) | None => ProgressBar::hidden(),
        };
        let style = ProgressStyle::with_template("  {bar:32} {percent:>3} %  {msg}")
            .expect("the template is well formed")
            .progress_chars("━╸─");
        bar.set_style(style);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, files, n_records: 0 }
    }

    /// Some more records were read.
    pub(crate) fn add(&mut self, n_records: u64) {
        self.n_records += n_records;
        if !self.bar.is_hidden() {
            self.bar.set_position(self.files.iter().map(BytesRead::so_far).sum());
            self.bar.set_message(format!("{} rows", number_text(self.n_records)));
        }
    }

    /// How many records were read in all.
    pub(crate) fn n_records(&self) -> u64 {
        self.n_records
    }

    /// Writes `text` above the bar.
    pub(crate) fn above(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }

    /// Takes the bar off the screen.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
