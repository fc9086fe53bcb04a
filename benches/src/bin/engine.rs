//! The engine beside hand-written dataflows and its peers: load, latency of small changes, memory.
//!
//! `cargo xtask bench peers [WORK…] [--workers N] [--repeat N] [--percent N] [--rounds N] [--side
//! TEXT]`; `bench engine` leaves out the peers that other workspaces and languages bring. Each run is
//! a process of its own. Sides run in turn; printed are medians, and of the ratios of a round the
//! least and the greatest too. `--percent` is of the rows, `--side` leaves the sides whose name has
//! TEXT, as under a profiler.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::path::PathBuf;
use std::process::ExitCode;

use arqon_bench_report::{Table, spread};
use arqon_benches::aims::{Figure, aims};
use arqon_benches::data::Size;
use arqon_benches::side::{Figures, Peers, Side, Work, write_rows};
use arqon_benches::workers;

const USAGE: &str = "usage: engine [stateless|decoded|aggregate|join|reach|paths|components]… \
                     [--workers N] [--repeat N] [--percent N] [--rounds N] [--side TEXT] \
                     [--dbsp FILE] [--python FILE]";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|first| first == "--one") {
        return one(&args[1..]);
    }
    let Some(settings) = Settings::read(&args) else {
        println!("{USAGE}");
        return ExitCode::from(2);
    };
    let mut good = true;
    for work in &settings.works {
        for n_workers in &settings.n_workers {
            match table(&settings, *work, *n_workers) {
                Ok(()) => {}
                Err(fault) => {
                    println!("{fault}\n");
                    good = false;
                }
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One run of one side, in this process.
fn one(args: &[String]) -> ExitCode {
    let side = args.get(1).and_then(|name| {
        let work = Work::ALL.into_iter().find(|work| *work.name() == args[0])?;
        work.sides().into_iter().find(|side| side.name == *name)
    });
    let numbers: Vec<u64> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let (Some(side), [n_workers, n_rows, epoch_rows, n_rounds]) = (side, numbers.as_slice()) else {
        println!("{USAGE}");
        return ExitCode::from(2);
    };
    let n_workers = usize::try_from(*n_workers).expect("a few workers");
    let (n_rows, epoch_rows, n_rounds) = (*n_rows, *epoch_rows, *n_rounds);
    println!("{}", side.run_here(Size { n_rows, epoch_rows, n_rounds, n_workers }).line());
    ExitCode::SUCCESS
}

struct Settings {
    works: Vec<Work>,
    n_workers: Vec<usize>,
    n_repeats: usize,
    /// Of the full number of rows.
    percent: u64,
    /// Rounds of changes, where a workload has them.
    n_rounds: u64,
    /// What the name of a side contains.
    side: String,
    peers: Peers,
}

impl Settings {
    fn read(args: &[String]) -> Option<Self> {
        let mut settings = Self {
            works: Vec::new(),
            n_workers: vec![1, 2],
            n_repeats: 5,
            percent: 100,
            n_rounds: 400,
            side: String::new(),
            peers: Peers::default(),
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if let Some(work) = Work::ALL.into_iter().find(|work| work.name() == arg) {
                settings.works.push(work);
                continue;
            }
            let value = args.next()?;
            match arg.as_str() {
                "--workers" => settings.n_workers = vec![value.parse().ok().filter(|n| *n > 0)?],
                "--repeat" => settings.n_repeats = value.parse().ok().filter(|n| *n > 0)?,
                "--percent" => settings.percent = value.parse().ok().filter(|n| *n > 0)?,
                "--rounds" => settings.n_rounds = value.parse().ok()?,
                "--side" => settings.side.clone_from(value),
                "--dbsp" => settings.peers.dbsp = Some(PathBuf::from(value)),
                "--python" => settings.peers.python = Some(PathBuf::from(value)),
                _ => return None,
            }
        }
        if settings.works.is_empty() {
            settings.works = Work::ALL.to_vec();
        }
        Some(settings)
    }
}

/// Runs all sides in turn and prints their figures; a fault if one fails or their answers differ.
fn table(settings: &Settings, work: Work, n_workers: usize) -> Result<(), String> {
    let size = work.size(settings.percent, settings.n_rounds, n_workers);
    let sides: Vec<Side> = work
        .sides()
        .into_iter()
        .filter(|side| side.is_there(&settings.peers, n_workers))
        .filter(|side| side.name.contains(&settings.side))
        .collect();
    let rows = PathBuf::from("target/peers/rows");
    if settings.peers.python.is_some() {
        write_rows(work, size, &rows).map_err(|error| format!("{}: {error}", rows.display()))?;
    }
    let mut runs: Vec<Vec<Figures>> = vec![Vec::new(); sides.len()];
    for _ in 0..settings.n_repeats {
        for (side, runs) in sides.iter().zip(&mut runs) {
            runs.push(side.run(work, size, &settings.peers, &rows)?);
        }
    }
    // Files of rows are large, and made anew in no time.
    let _ = std::fs::remove_dir_all(&rows);
    let (n_rows, n_repeats) = (size.n_rows, settings.n_repeats);
    let (name, of) = (work.name(), workers(n_workers));
    let mut table = Table::begin(
        format!("{name}: {n_rows} rows, {of}, {n_repeats} runs each, in turn"),
        &[
            "side",
            "load Mrows/s",
            "p50 us",
            "p99 us",
            "peak MiB",
            "circuit loads, times as fast",
            "its p50, times lower",
            "its peak, times",
        ],
    );
    for (at, (side, figures)) in sides.iter().zip(&runs).enumerate() {
        let beside = side.beside(&sides).filter(|circuit| *circuit != at);
        line(&table, side, figures, beside.map(|circuit| runs[circuit].as_slice()));
    }
    if n_workers == 1 {
        for aim in aims(work, &sides, &runs) {
            table.aim(aim);
        }
    }
    table.end();
    agree(&sides, &runs)
}

/// A side's figures, and beside them those of the circuit of like keys.
fn line(table: &Table, side: &Side, runs: &[Figures], circuit: Option<&[Figures]>) {
    let middle = |figure| Figures::middle(runs, figure);
    let ratio = |figure: Figure| -> String {
        let pairs = circuit.into_iter().flatten().zip(runs);
        let ratios: Vec<f64> = pairs.map(|(circuit, run)| figure.ratio(circuit, run)).collect();
        if ratios.is_empty() { String::new() } else { spread(&ratios) }
    };
    let has_rounds = runs.iter().all(|run| run.p50_us > 0.0);
    let rounds = |text: String| if has_rounds { text } else { String::new() };
    table.row(&[
        &side.name,
        &format_args!("{:.2}", middle(|run| run.mrows_per_s)),
        &rounds(format!("{:.0}", middle(|run| run.p50_us))),
        &rounds(format!("{:.0}", middle(|run| run.p99_us))),
        &format_args!("{:.0}", middle(|run| run.peak_mib)),
        &ratio(Figure::Load),
        &rounds(ratio(Figure::P50)),
        &ratio(Figure::Peak),
    ]);
}

/// A fault if the sides have come to different answers.
fn agree(sides: &[Side], runs: &[Vec<Figures>]) -> Result<(), String> {
    let all =
        || sides.iter().zip(runs).flat_map(|(side, runs)| runs.iter().map(move |run| (side, run)));
    let Some((_, first)) = all().next() else {
        return Err("no side has that in its name".to_owned());
    };
    if let Some((side, run)) = all().find(|(_, run)| run.loaded != first.loaded) {
        return Err(format!("{}: the answer is {}, not {}", side.name, run.loaded, first.loaded));
    }
    let mut changed = all().filter(|(_, run)| run.p50_us > 0.0);
    let Some((_, first)) = changed.next() else { return Ok(()) };
    match changed.find(|(_, run)| run.finished != first.finished) {
        Some((side, run)) => {
            Err(format!("{}: the answer is {}, not {}", side.name, run.finished, first.finished))
        }
        None => Ok(()),
    }
}
