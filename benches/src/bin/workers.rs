//! What a second worker is worth: how fast one and two of them load.
//!
//! `cargo xtask bench workers [--repeat N]`: the circuits of the *aggregate* and the *join* workload
//! of `bench engine`, beside hand-written dataflows and, for *aggregate*, plain loops that share
//! nothing. Each run is a process of its own; one and two workers run in turn. Printed are medians,
//! and of the ratios of a round the least and the greatest too. The thread that feeds has no core of
//! its own where there are two.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::path::Path;
use std::process::ExitCode;

use arqon_bench_report::{Aim, Meant, Table, spread};
use arqon_benches::settings::{Outcome, exit};
use arqon_benches::side::{Figures, Peers, Side, Work};

const WORKS: [Work; 2] = [Work::Aggregate, Work::Join];
const N_WORKERS: [usize; 2] = [1, 2];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let n_repeats = match args.as_slice() {
        [] => Some(3),
        [flag, number] if flag == "--repeat" => number.parse().ok().filter(|n| *n > 0),
        _ => None,
    };
    let Some(n_repeats) = n_repeats else {
        println!("usage: workers [--repeat N]");
        return ExitCode::from(2);
    };
    exit(print_all(n_repeats))
}

fn print_all(n_repeats: usize) -> Outcome<()> {
    let mut table = Table::begin(
        format!("workers: loading with one and two, {n_repeats} runs each, in turn"),
        &["work", "side", "1 worker, Mrows/s", "2 workers", "times as fast"],
    );
    for work in WORKS {
        for side in work.sides().iter().filter(|side| is_there(side)) {
            let mut runs = N_WORKERS.map(|_| Vec::new());
            for _ in 0..n_repeats {
                for (n_workers, runs) in N_WORKERS.into_iter().zip(&mut runs) {
                    // No peer that reads files is among the sides.
                    let size = work.size(100, 0, n_workers);
                    runs.push(side.run(work, size, &Peers::default(), Path::new(""))?);
                }
            }
            let pairs = runs[0].iter().zip(&runs[1]);
            let ratios: Vec<f64> =
                pairs.map(|(one, two)| two.mrows_per_s / one.mrows_per_s).collect();
            let speed = |runs| Figures::middle(runs, |run| run.mrows_per_s);
            table.row(&[
                &work.name(),
                &side.name,
                &format_args!("{:.2}", speed(&runs[0])),
                &format_args!("{:.2}", speed(&runs[1])),
                &spread(&ratios),
            ]);
            if side.is_circuit() {
                let what = format!("workers: {}, {}, two as fast as one", work.name(), side.name);
                table.aim(Aim::times(what, Meant::AtLeast(1.7), ratios));
            }
        }
    }
    table.end();
    Ok(())
}

/// Whether the side runs without peers from outside, on any number of workers.
fn is_there(side: &Side) -> bool {
    N_WORKERS.iter().all(|n_workers| side.is_there(&Peers::default(), *n_workers))
}
