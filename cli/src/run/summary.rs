//! The table at the end of a run, and the same as JSON.

use std::time::Duration;

use arqon_engine::Count;
use comfy_table::CellAlignment;
use serde_json::{Value, json};

use super::durations::{bytes_text, duration_text, number_text};
use super::totals::{Totals, peak_memory_bytes};
use crate::report::count;
use crate::table::{headed, lines};

/// Where the column of rows stands that came too late.
const LATE_COLUMN: usize = 4;

/// What the table needs besides the engine's counters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// Records of the input files, good and bad.
    pub(crate) n_records: u64,
    /// Bad ones.
    pub(crate) n_faults: u64,
    /// From the first record to the last epoch.
    pub(crate) elapsed: Duration,
}

/// The table for people.
pub(crate) fn table(totals: &Totals, reading: Reading) -> String {
    let mut header =
        vec!["step", "rows in", "filtered", "errors", "deltas out", "rows touched", "rows held"];
    // Only circuits with windows have rows that come too late.
    let has_late = totals.steps.iter().any(|step| step.counts.late.changes > 0);
    if has_late {
        header.insert(LATE_COLUMN, "late");
    }
    let mut table = headed(header);
    for step in &totals.steps {
        let counts = &step.counts;
        let changes = |count: Count| number_text(count.changes);
        let mut row = vec![
            step.address.to_string(),
            changes(counts.input),
            dash(counts.filtered.changes),
            dash(counts.errors.changes),
            changes(counts.output),
            dash(counts.touched),
            dash(counts.held.unsigned_abs()),
        ];
        if has_late {
            row.insert(LATE_COLUMN, dash(counts.late.changes));
        }
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("\n{}\n\n{}\n", lines(&table), footer(totals, reading))
}

fn footer(totals: &Totals, reading: Reading) -> String {
    let quantile =
        |per_mille| totals.times.quantile(per_mille).map_or("n/a".to_owned(), duration_text);
    let memory = peak_memory_bytes().map_or("n/a".to_owned(), bytes_text);
    let rate = rate(totals.rows_in, reading.elapsed)
        .map(|rate| format!(" ({} rows/s)", number_text(rate)))
        .unwrap_or_default();
    let bad = match reading.n_faults {
        0 => String::new(),
        n => format!(", {} refused", number_text(n)),
    };
    format!(
        "{} rows in{bad}, {} deltas out, {} touched, in {}{rate}\n\
         {}: p50 {}, p99 {}; peak memory {memory}",
        number_text(totals.rows_in),
        number_text(totals.deltas_out),
        number_text(totals.rows_touched),
        duration_text(reading.elapsed),
        count(usize::try_from(totals.n_epochs).unwrap_or(usize::MAX), "epoch"),
        quantile(500),
        quantile(990),
    )
}

/// Rows a second, where the time is long enough to say.
pub(crate) fn rate(rows: u64, elapsed: Duration) -> Option<u64> {
    let seconds = elapsed.as_secs_f64();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate for people"
    )]
    (seconds > 0.0 && rows > 0).then(|| (rows as f64 / seconds) as u64)
}

fn dash(number: u64) -> String {
    if number == 0 { "·".to_owned() } else { number_text(number) }
}

/// The table as JSON, on one line.
pub(crate) fn document(totals: &Totals, reading: Reading) -> String {
    let count = |count: Count| json!({ "changes": count.changes, "net": count.net });
    let steps: Vec<Value> = totals
        .steps
        .iter()
        .map(|step| {
            json!({
                "step": &*step.address,
                "in": count(step.counts.input),
                "out": count(step.counts.output),
                "filtered": count(step.counts.filtered),
                "errors": count(step.counts.errors),
                "late": count(step.counts.late),
                "ignored": step.counts.ignored,
                "touched": step.counts.touched,
                "held": step.counts.held,
                "state_bytes": step.counts.bytes,
                "released": step.counts.released,
            })
        })
        .collect();
    let micros =
        |per_mille| totals.times.quantile(per_mille).map(|duration| duration.as_secs_f64() * 1e6);
    let document = json!({ "summary": {
        "records": reading.n_records,
        "refused": reading.n_faults,
        "rows_in": totals.rows_in,
        "deltas_out": totals.deltas_out,
        "errors": totals.errors,
        "rows_touched": totals.rows_touched,
        "epochs": totals.n_epochs,
        "elapsed_s": reading.elapsed.as_secs_f64(),
        "epoch_p50_us": micros(500),
        "epoch_p99_us": micros(990),
        "peak_memory_bytes": peak_memory_bytes(),
        "steps": steps,
    }});
    format!("{document}\n")
}
