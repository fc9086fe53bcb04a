//! How the engine grows: latency of small changes against what it holds, and the speed of a load
//! against how it is cut into epochs.
//!
//! `cargo xtask bench growth [--repeat N] [--most ROWS]`: circuits of the *aggregate* and the *join*
//! workload of `bench engine`, on one worker. Each run is a process of its own; all sizes run in
//! turn. Printed are medians, with the least and the greatest ratio of a round, and both tables are
//! drawn into `docs/measured/`.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::path::Path;
use std::process::ExitCode;

use arqon_bench_report::{Aim, Meant, Table, picture, spread};
use arqon_benches::data::Size;
use arqon_benches::settings::{Outcome, exit};
use arqon_benches::side::{Figures, Peers, Side, Work};
use arqon_plot::{Labels, Line};

/// Rows held at which the latency of others is a multiple.
const BASE_ROWS: u64 = 1_000_000;
/// Rows that are loaded whatever the epochs.
const LOADED_ROWS: u64 = 1_000_000;
const EPOCHS: [u64; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];
const SIDES: [&str; 2] = ["circuit, text keys", "circuit, number keys"];
const WORKS: [Work; 2] = [Work::Aggregate, Work::Join];
const N_ROUNDS: u64 = 4_000;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (mut n_repeats, mut most) = (3, 10_000_000);
    for pair in args.chunks(2) {
        match pair {
            [flag, number] if flag == "--repeat" => n_repeats = number.parse().unwrap_or(0),
            [flag, number] if flag == "--most" => most = number.parse().unwrap_or(0),
            _ => n_repeats = 0,
        }
    }
    if n_repeats == 0 || most < BASE_ROWS {
        println!("usage: growth [--repeat N] [--most ROWS], at least {BASE_ROWS} rows");
        return ExitCode::from(2);
    }
    exit(latency(n_repeats, most).and_then(|()| throughput(n_repeats)))
}

/// The circuits, each with its workload.
fn circuits() -> impl Iterator<Item = (Work, Side)> {
    let chosen = |work: Work| work.sides().into_iter().filter(|side| SIDES.contains(&side.name));
    WORKS.into_iter().flat_map(move |work| chosen(work).map(move |side| (work, side)))
}

fn called(work: Work, side: &Side) -> String {
    format!("{}, {}", work.name(), side.name.trim_start_matches("circuit, "))
}

/// One run. No peer that reads files is among the circuits.
fn run(work: Work, side: &Side, size: Size) -> Outcome<Figures> {
    Ok(side.run(work, size, &Peers::default(), Path::new(""))?)
}

/// The middle round of 100 changes, by how many rows of each input are held.
fn latency(n_repeats: usize, most: u64) -> Outcome<()> {
    let sizes: Vec<u64> =
        [100_000, 1_000_000, 10_000_000].into_iter().filter(|n| *n <= most).collect();
    let mut table = Table::begin(
        format!(
            "growth: a round of 100 changes, by rows of each input, {n_repeats} runs each, in turn"
        ),
        &["circuit", "rows", "p50 us", "p99 us", "peak MiB", "its p50, times that at 1 M rows"],
    );
    let mut lines = Vec::new();
    for (work, side) in circuits() {
        let mut runs: Vec<Vec<Figures>> = vec![Vec::new(); sizes.len()];
        for _ in 0..n_repeats {
            for (n_rows, runs) in sizes.iter().zip(&mut runs) {
                let size = Size { n_rows: *n_rows, n_rounds: N_ROUNDS, ..work.size(100, 0, 1) };
                runs.push(run(work, &side, size)?);
            }
        }
        let base = sizes.iter().position(|n_rows| *n_rows == BASE_ROWS).ok_or("no base")?;
        let mut points = Vec::new();
        for (n_rows, figures) in sizes.iter().zip(&runs) {
            let ratios: Vec<f64> = figures
                .iter()
                .zip(&runs[base])
                .map(|(run, base)| run.p50_us / base.p50_us)
                .collect();
            let p50 = Figures::middle(figures, |run| run.p50_us);
            table.row(&[
                &called(work, &side),
                n_rows,
                &format_args!("{p50:.0}"),
                &format_args!("{:.0}", Figures::middle(figures, |run| run.p99_us)),
                &format_args!("{:.0}", Figures::middle(figures, |run| run.peak_mib)),
                &spread(&ratios),
            ]);
            if *n_rows == 10 * BASE_ROWS {
                let what = format!(
                    "growth: {}, p50 with 10 M rows, times that with 1 M",
                    called(work, &side)
                );
                table.aim(Aim::times(what, Meant::AtMost(1.3), ratios));
            }
            points.push((rows(*n_rows), p50));
        }
        lines.push(Line { name: called(work, &side), points });
    }
    table.end();
    let labels = Labels {
        title: "Latency against what is held",
        x: "rows of each input",
        y: "p50 of 100 changes, us",
    };
    picture("latency.svg", labels, &lines)
}

/// How fast rows are loaded, by how many of each input are an epoch.
fn throughput(n_repeats: usize) -> Outcome<()> {
    let table = Table::begin(
        format!(
            "growth: loading {LOADED_ROWS} rows, by rows per epoch, {n_repeats} runs each, in turn"
        ),
        &["circuit", "rows per epoch", "load Mrows/s"],
    );
    let mut lines = Vec::new();
    for (work, side) in circuits() {
        let mut runs: Vec<Vec<Figures>> = vec![Vec::new(); EPOCHS.len()];
        for _ in 0..n_repeats {
            for (epoch_rows, runs) in EPOCHS.into_iter().zip(&mut runs) {
                let size = Size { n_rows: LOADED_ROWS, epoch_rows, n_rounds: 0, n_workers: 1 };
                runs.push(run(work, &side, size)?);
            }
        }
        let mut points = Vec::new();
        for (epoch_rows, figures) in EPOCHS.into_iter().zip(&runs) {
            let speed = Figures::middle(figures, |run| run.mrows_per_s);
            table.row(&[&called(work, &side), &epoch_rows, &format_args!("{speed:.2}")]);
            points.push((rows(epoch_rows), speed));
        }
        lines.push(Line { name: called(work, &side), points });
    }
    table.end();
    let labels = Labels {
        title: "Throughput against rows per epoch",
        x: "rows of each input in an epoch",
        y: "Mrows/s",
    };
    picture("throughput.svg", labels, &lines)
}

#[expect(clippy::cast_precision_loss, reason = "a place on an axis")]
fn rows(n_rows: u64) -> f64 {
    n_rows as f64
}
