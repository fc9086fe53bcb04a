//! The engine beside hand-written differential dataflow: load and latency of small deltas.
//!
//! `cargo xtask bench engine [--rows N] [--rounds N] [--repeat N] [--work TEXT] [--side TEXT]`. Sides run in turn,
//! one worker each; printed are medians, and for the ratios the least and the greatest of a round.
//! `--work` and `--side` leave the tables and sides whose name has TEXT, as under a profiler.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::process::ExitCode;

use arqon_benches::data::{group_text, key_text};
use arqon_benches::handwritten::{self, Size};
use arqon_benches::product::{self, KeyKind};
use arqon_benches::sample::{Sample, median};
use arqon_engine::BackendChoice;

/// A side of a comparison: its name, and how it runs.
type Side = (&'static str, fn(Size) -> Sample);

const AGGREGATE: &[Side] = &[
    ("hand-written, text keys", |size| handwritten::aggregate(size, key_text)),
    ("hand-written, number keys", |size| handwritten::aggregate(size, |number| number)),
    ("circuit, text keys", |size| product::aggregate(size, KeyKind::Text, BackendChoice::Hash)),
    ("circuit, number keys", |size| product::aggregate(size, KeyKind::Number, BackendChoice::Hash)),
    ("circuit, text keys, arrangements", |size| {
        product::aggregate(size, KeyKind::Text, BackendChoice::Arrangements)
    }),
];

const JOIN: &[Side] = &[
    ("hand-written, text keys", |size| handwritten::join(size, key_text, group_text)),
    ("hand-written, number keys", |size| handwritten::join(size, |number| number, |number| number)),
    ("circuit, text keys", |size| product::join(size, KeyKind::Text, BackendChoice::Hash)),
    ("circuit, number keys", |size| product::join(size, KeyKind::Number, BackendChoice::Hash)),
    ("circuit, text keys, arrangements", |size| {
        product::join(size, KeyKind::Text, BackendChoice::Arrangements)
    }),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some(Settings { n_rows, n_rounds, n_repeats, work, side }) = settings(&args) else {
        println!("usage: engine [--rows N] [--rounds N] [--repeat N] [--work TEXT] [--side TEXT]");
        return ExitCode::from(2);
    };
    let aggregate = Size { n_rows, epoch_rows: 65_536, n_rounds };
    let join = Size { n_rows: n_rows / 2, epoch_rows: 32_768, n_rounds };
    let sides = |all: &[Side]| -> Vec<Side> {
        all.iter().filter(|(name, _)| name.contains(&side)).copied().collect()
    };
    let tables = [("aggregate", AGGREGATE, aggregate), ("join and aggregate", JOIN, join)];
    let wanted = tables.into_iter().filter(|(title, ..)| title.starts_with(&work));
    let good: Vec<bool> =
        wanted.map(|(title, all, size)| table(title, &sides(all), size, n_repeats)).collect();
    if good.iter().all(|good| *good) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Settings {
    n_rows: u64,
    n_rounds: u64,
    n_repeats: usize,
    /// How the title of a table begins.
    work: String,
    /// What the name of a side contains.
    side: String,
}

fn settings(args: &[String]) -> Option<Settings> {
    let mut settings = Settings {
        n_rows: 1_000_000,
        n_rounds: 400,
        n_repeats: 5,
        work: String::new(),
        side: String::new(),
    };
    for pair in args.chunks(2) {
        match pair {
            [name, value] if name == "--rows" => settings.n_rows = value.parse().ok()?,
            [name, value] if name == "--rounds" => settings.n_rounds = value.parse().ok()?,
            [name, value] if name == "--repeat" => settings.n_repeats = value.parse().ok()?,
            [name, value] if name == "--work" => settings.work.clone_from(value),
            [name, value] if name == "--side" => settings.side.clone_from(value),
            _ => return None,
        }
    }
    let is_known = AGGREGATE.iter().any(|(name, _)| name.contains(&settings.side));
    (settings.n_rows >= 10_000 && settings.n_repeats > 0 && is_known).then_some(settings)
}

/// Runs all sides in turn and prints their figures; false if their answers differ.
fn table(title: &str, sides: &[Side], size: Size, n_repeats: usize) -> bool {
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); sides.len()];
    for _ in 0..n_repeats {
        for (side, samples) in sides.iter().zip(&mut samples) {
            samples.push(side.1(size));
        }
    }
    println!("## {title}: {} rows, {n_repeats} runs each, in turn", samples[0][0].n_rows);
    println!();
    println!("| side | load Mrows/s | p50 us | p99 us | load vs first | p50 vs first |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for (side, runs) in sides.iter().zip(&samples) {
        let of = |figure: fn(&Sample) -> f64| -> f64 {
            median(&runs.iter().map(figure).collect::<Vec<f64>>())
        };
        let ratios = |figure: fn(&Sample) -> f64| -> Vec<f64> {
            runs.iter().zip(&samples[0]).map(|(run, base)| figure(run) / figure(base)).collect()
        };
        println!(
            "| {} | {:.2} | {:.0} | {:.0} | {} | {} |",
            side.0,
            of(Sample::mrows_per_s),
            of(|run| run.percentile_us(50)),
            of(|run| run.percentile_us(99)),
            spread(&ratios(Sample::mrows_per_s)),
            spread(&ratios(|run| run.percentile_us(50))),
        );
    }
    println!();
    agree(sides, &samples)
}

fn spread(ratios: &[f64]) -> String {
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = ratios.iter().copied().fold(0.0, f64::max);
    format!("{:.2} ({least:.2} to {greatest:.2})", median(ratios))
}

fn agree(sides: &[Side], samples: &[Vec<Sample>]) -> bool {
    let wanted = samples[0][0].checksum;
    let mut good = true;
    for (side, runs) in sides.iter().zip(samples) {
        if let Some(other) = runs.iter().find(|run| run.checksum != wanted) {
            println!("{}: the answer sums to {}, not {wanted}", side.0, other.checksum);
            good = false;
        }
    }
    good
}
