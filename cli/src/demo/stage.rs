//! How the demo looks: calm lines for people, one document for programs.

use std::time::Duration;

use arqon_plan::DataflowPlan;
use serde_json::json;

use crate::console::{Console, Style};
use crate::exit::Failure;
use crate::run::durations::{Durations, duration_text, number_text};
use crate::run::summary::rate;

/// The tables as they were loaded.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    /// Rows of each table.
    pub(super) tables: Vec<(String, u64)>,
    /// From the first row read until the client had all answers.
    pub(super) elapsed: Duration,
    /// What computing everything from scratch touches.
    pub(super) rows_touched: u64,
}

/// One correction and what it cost.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) title: String,
    pub(super) n_changed: u64,
    pub(super) n_batches: u64,
    pub(super) n_rows: u64,
    pub(super) rows_touched: u64,
    pub(super) rows_touched_from_scratch: u64,
    pub(super) deltas_out: u64,
    pub(super) times: Durations,
}

/// One answer against its recomputation.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) topic: &'static str,
    pub(super) n_rows: usize,
    pub(super) is_equal: bool,
    pub(super) first_difference: Option<String>,
}

impl Step {
    /// Changed rows of an epoch, as a share of all rows.
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    fn churn(&self) -> f64 {
        self.n_changed as f64 / self.n_batches as f64 / self.n_rows as f64
    }

    /// Rows touched, as a share of what recomputing after each epoch would touch.
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    fn share(&self) -> f64 {
        self.rows_touched as f64 / (self.rows_touched_from_scratch * self.n_batches) as f64
    }
}

/// Where the story is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage {
    console: Console,
}

const TITLE_WIDTH: usize = 46;

impl Stage {
    pub(super) fn new(console: Console) -> Self {
        Self { console }
    }

    pub(super) fn open(self) -> Result<(), Failure> {
        let title = self
            .console
            .paint_out(Style::Bold, "A year of flights, kept up to date by differences");
        self.say(&format!("\n  {title}\n\n"))
    }

    pub(super) fn compiled(self, plan: &DataflowPlan, took: Duration) -> Result<(), Failure> {
        self.line(
            "compiled",
            &format!(
                "{}, {} topics, {} steps, in {}",
                plan.file,
                plan.topics.len(),
                plan.steps.len(),
                duration_text(took)
            ),
        )
    }

    pub(super) fn serving(self, url: &str, workers: usize) -> Result<(), Failure> {
        let threads =
            if workers == 1 { "1 worker".to_owned() } else { format!("{workers} workers") };
        let url = self.console.paint_out(Style::Cyan, url);
        self.line("serving", &format!("{url}, {threads}; one client subscribes to five answers"))
    }

    pub(super) fn loaded(self, loaded: &Loaded) -> Result<(), Failure> {
        let n_rows: u64 = loaded.tables.iter().map(|(_, n_rows)| n_rows).sum();
        let tables: Vec<String> = loaded
            .tables
            .iter()
            .map(|(name, n_rows)| format!("{} {name}", number_text(*n_rows)))
            .collect();
        let rate = rate(n_rows, loaded.elapsed)
            .map(|rate| format!(", {} rows/s", number_text(rate)))
            .unwrap_or_default();
        self.line("loaded", &tables.join(", "))?;
        self.line(
            "",
            &format!(
                "in {}{rate}; {} rows touched",
                duration_text(loaded.elapsed),
                number_text(loaded.rows_touched)
            ),
        )
    }

    pub(super) fn correcting(self) -> Result<(), Failure> {
        let head = format!(
            "\n  {:<TITLE_WIDTH$}{:>8}{:>11}{:>10}{:>12}{:>8}{:>10}{:>10}\n",
            "then, through the websocket:",
            "rows",
            "churn p",
            "touched",
            "of scratch",
            "deltas",
            "p50",
            "p99"
        );
        self.say(&self.console.paint_out(Style::Dim, &head))
    }

    pub(super) fn step(self, step: &Step) -> Result<(), Failure> {
        let quantile =
            |per_mille| step.times.quantile(per_mille).map_or(String::new(), duration_text);
        let p99 = if step.n_batches > 1 { quantile(990) } else { String::new() };
        self.say(&format!(
            "  {:<TITLE_WIDTH$}{:>8}{:>11}{:>10}{:>12}{:>8}{:>10}{:>10}\n",
            step.title,
            number_text(step.n_changed),
            percent(step.churn()),
            number_text(step.rows_touched),
            percent(step.share()),
            number_text(step.deltas_out),
            quantile(500),
            p99
        ))
    }

    pub(super) fn judged(self, verdicts: &[Verdict]) -> Result<(), Failure> {
        self.say("\n")?;
        for (at, verdict) in verdicts.iter().enumerate() {
            let word = if verdict.is_equal {
                self.console.paint_out(Style::Green, "equal")
            } else {
                self.console.paint_out(Style::Red, "DIFFERENT")
            };
            let title = if at == 0 { "checked" } else { "" };
            self.line(title, &format!("{:<16}{:>4} rows  {word}", verdict.topic, verdict.n_rows))?;
            if let Some(difference) = &verdict.first_difference {
                self.line("", &format!("  {difference}"))?;
            }
        }
        Ok(())
    }

    pub(super) fn close(
        self,
        loaded: &Loaded,
        steps: &[Step],
        verdicts: &[Verdict],
        took: Duration,
    ) -> Result<(), Failure> {
        if !self.console.is_human() {
            return self.console.out(&document(loaded, steps, verdicts, took));
        }
        let n_changed: u64 = steps.iter().map(|step| step.n_changed).sum();
        let n_touched: u64 = steps.iter().map(|step| step.rows_touched).sum();
        let text = if verdicts.iter().all(|verdict| verdict.is_equal) {
            let text = format!(
                "{} corrections, {} rows touched: the summed deltas of all {} answers equal a \
                 recomputation from scratch",
                number_text(n_changed),
                number_text(n_touched),
                verdicts.len()
            );
            self.console.paint_out(Style::Green, &text)
        } else {
            self.console.paint_out(Style::Red, "the answers differ from a recomputation")
        };
        self.say(&format!("\n  {text}\n  in {} altogether\n\n", duration_text(took)))
    }

    pub(super) fn keep(self, url: &str, token: &str) -> Result<(), Failure> {
        if !self.console.is_human() {
            return self.console.out(&format!("{}\n", json!({ "ws": url, "token": token })));
        }
        self.say(&format!(
            "  still serving; Ctrl-C ends it. In another terminal:\n\n    \
             export ARQON_URL={url}\n    export ARQON_TOKEN={token}\n    \
             arqon sub carrier_delays\n    \
             arqon pub airlines '{{\"carrier\":\"B6\",\"name\":\"JetBlue Airways\"}}'\n\n"
        ))
    }

    fn line(self, title: &str, text: &str) -> Result<(), Failure> {
        self.say(&format!(
            "  {} {text}\n",
            self.console.paint_out(Style::Dim, &format!("{title:<10}"))
        ))
    }

    fn say(self, text: &str) -> Result<(), Failure> {
        if self.console.is_human() { self.console.out(text) } else { Ok(()) }
    }
}

/// `0.0003 %`: two digits that say something.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let digits = if percent >= 10.0 {
        0
    } else if percent >= 1.0 {
        1
    } else if percent >= 0.1 {
        2
    } else if percent >= 0.01 {
        3
    } else {
        4
    };
    format!("{percent:.digits$} %")
}

fn document(loaded: &Loaded, steps: &[Step], verdicts: &[Verdict], took: Duration) -> String {
    let micros = |times: &Durations, per_mille| {
        times.quantile(per_mille).map(|time| time.as_secs_f64() * 1e6)
    };
    let steps: Vec<_> = steps
        .iter()
        .map(|step| {
            json!({
                "title": step.title,
                "rows": step.n_changed,
                "epochs": step.n_batches,
                "churn": step.churn(),
                "rows_touched": step.rows_touched,
                "share_of_recomputation": step.share(),
                "deltas_out": step.deltas_out,
                "p50_us": micros(&step.times, 500),
                "p99_us": micros(&step.times, 990),
            })
        })
        .collect();
    let verdicts: Vec<_> = verdicts
        .iter()
        .map(|verdict| {
            json!({ "topic": verdict.topic, "rows": verdict.n_rows, "equal": verdict.is_equal })
        })
        .collect();
    let tables: serde_json::Map<String, serde_json::Value> =
        loaded.tables.iter().map(|(name, n_rows)| (name.clone(), json!(n_rows))).collect();
    let document = json!({
        "loaded": {
            "tables": tables,
            "elapsed_s": loaded.elapsed.as_secs_f64(),
            "rows_touched": loaded.rows_touched,
        },
        "steps": steps,
        "answers": verdicts,
        "elapsed_s": took.as_secs_f64(),
    });
    format!("{document:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_keep_two_digits() {
        assert_eq!(percent(0.000_003), "0.0003 %");
        assert_eq!(percent(0.002_71), "0.27 %");
        assert_eq!(percent(0.5), "50 %");
    }
}
