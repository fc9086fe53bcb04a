//! Sides of a comparison: what each workload is done by, each run in a process of its own.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use arqon_bench_report::median;
use arqon_engine::BackendChoice;
use serde::Deserialize;

use crate::data::{Name, Size, left, reading, right};
use crate::running::{Build, KeyKind};
use crate::sample::Sample;
use crate::{floor, handwritten, product};

/// One of the workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A: filter and change events.
    Stateless,
    /// A, of events that are columns in memory.
    Decoded,
    /// B: count, sum and max per key.
    Aggregate,
    /// C: join, then count and sum per group.
    Join,
    /// D: what three roots reach in a graph.
    Reach,
    /// The same with how far it is, over edges that have lengths.
    Paths,
    /// Which nodes of the graph hang together.
    Components,
}

impl Work {
    /// All, in the order of the report.
    pub const ALL: [Self; 7] = [
        Self::Stateless,
        Self::Decoded,
        Self::Aggregate,
        Self::Join,
        Self::Reach,
        Self::Paths,
        Self::Components,
    ];

    /// The word for it on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stateless => "stateless",
            Self::Decoded => "decoded",
            Self::Aggregate => "aggregate",
            Self::Join => "join",
            Self::Reach => "reach",
            Self::Paths => "paths",
            Self::Components => "components",
        }
    }

    /// So many percent of all rows, and so many rounds where it has any.
    pub fn size(self, percent: u64, n_rounds: u64, n_workers: usize) -> Size {
        let (n_rows, epoch_rows, n_rounds) = match self {
            Self::Stateless | Self::Decoded => (5_000_000, 8_192, 0),
            Self::Aggregate => (2_000_000, 65_536, n_rounds),
            Self::Join => (1_000_000, 32_768, n_rounds),
            Self::Reach | Self::Paths | Self::Components => (1_000_000, 1_000_000, n_rounds),
        };
        Size { n_rows: n_rows * percent / 100, epoch_rows, n_rounds, n_workers }
    }

    /// What does it; the first two that are circuits have text keys and number keys.
    pub fn sides(self) -> Vec<Side> {
        let circuit = |name, run: fn(Size, Build) -> Sample, keys, backend| Side {
            name,
            program: Program::Circuit(run, Build { keys, backend, n_ahead: 0 }),
        };
        // Fed as `arqon run` feeds it: while an epoch is worked on, the next ones are made.
        let ahead = |name, run: fn(Size, Build) -> Sample, keys| {
            let build = Build { keys, backend: BackendChoice::Auto, n_ahead: EPOCHS_AHEAD };
            Side { name, program: Program::Circuit(run, build) }
        };
        let own = |name, run| Side { name, program: Program::Own(run) };
        let (text, number) = (KeyKind::Text, KeyKind::Number);
        let (auto, arrangements) = (BackendChoice::Auto, BackendChoice::Arrangements);
        let dbsp = [
            Side { name: "dbsp, text keys", program: Program::Dbsp("epochs") },
            Side { name: "dbsp, text keys, one transaction", program: Program::Dbsp("once") },
        ];
        let pathway = Side { name: "Pathway, text keys", program: Program::Python("pathway") };
        let bytewax = Side { name: "Bytewax, text keys", program: Program::Python("bytewax") };
        match self {
            Self::Stateless => vec![
                ahead(TEXT, product::stateless, text),
                circuit(WAITING, product::stateless, text, auto),
                own("hand-written, text keys", handwritten::stateless),
                dbsp[0].clone(),
                dbsp[1].clone(),
                own(FLOOR, floor::stateless),
            ],
            Self::Decoded => vec![
                ahead(TEXT, product::decoded, text),
                circuit(WAITING, product::decoded, text, auto),
                own("hand-written, text keys", handwritten::decoded),
            ],
            Self::Aggregate => vec![
                circuit(TEXT, product::aggregate, text, auto),
                circuit(NUMBER, product::aggregate, number, auto),
                ahead(TEXT_AHEAD, product::aggregate, text),
                ahead(NUMBER_AHEAD, product::aggregate, number),
                circuit(ARRANGED, product::aggregate, text, arrangements),
                own("hand-written, text keys", handwritten::aggregate::<String>),
                own("hand-written, number keys", handwritten::aggregate::<u64>),
                dbsp[0].clone(),
                dbsp[1].clone(),
                pathway,
                bytewax,
                own(FLOOR_OF_EACH, floor::aggregate),
            ],
            Self::Join => vec![
                circuit(TEXT, product::join, text, auto),
                circuit(NUMBER, product::join, number, auto),
                circuit(ARRANGED, product::join, text, arrangements),
                own("hand-written, text keys", handwritten::join::<String>),
                own("hand-written, number keys", handwritten::join::<u64>),
                dbsp[0].clone(),
                dbsp[1].clone(),
                pathway,
                own(FLOOR, floor::join),
            ],
            Self::Reach => vec![
                circuit(NUMBER, product::reach, number, auto),
                own("hand-written, number keys", handwritten::reach),
                Side { name: "dbsp, number keys", program: Program::Dbsp("epochs") },
                own(FLOOR, floor::reach),
            ],
            Self::Paths => vec![
                circuit(NUMBER, product::paths, number, auto),
                circuit(ROUNDS, product::paths, number, arrangements),
                own("hand-written, number keys", handwritten::paths),
                own(FLOOR, floor::paths),
            ],
            Self::Components => vec![
                circuit(NUMBER, product::components, number, auto),
                own("hand-written, number keys", handwritten::components),
                own(FLOOR, floor::components),
            ],
        }
    }
}

const TEXT: &str = "circuit, text keys";
const WAITING: &str = "circuit, text keys, an epoch at a time";
const NUMBER: &str = "circuit, number keys";
const TEXT_AHEAD: &str = "circuit, text keys, epochs ahead";
const NUMBER_AHEAD: &str = "circuit, number keys, epochs ahead";
const ARRANGED: &str = "circuit, text keys, arrangements";
const ROUNDS: &str = "circuit, number keys, arrangements";
const FLOOR: &str = "the floor: plain loops, number keys";
const FLOOR_OF_EACH: &str = "the floor: a plain loop on each worker, number keys";

/// Epochs of a workload that are under way at a time, where it is fed ahead.
const EPOCHS_AHEAD: usize = 8;

/// Who does a workload.
#[derive(Debug, Clone)]
pub struct Side {
    /// What the report calls it.
    pub name: &'static str,
    program: Program,
}

#[derive(Debug, Clone, Copy)]
enum Program {
    Circuit(fn(Size, Build) -> Sample, Build),
    Own(fn(Size) -> Sample),
    /// How its load is cut into transactions.
    Dbsp(&'static str),
    /// The script without its ending.
    Python(&'static str),
}

/// Where peers are that are no part of this program; what is not there is left out.
#[derive(Debug, Default)]
pub struct Peers {
    /// The program built in `benches/peers`.
    pub dbsp: Option<PathBuf>,
    /// The interpreter that has Pathway and Bytewax.
    pub python: Option<PathBuf>,
}

/// What a run has printed.
#[derive(Debug, Clone, Deserialize)]
pub struct Figures {
    /// Million rows loaded a second.
    pub mrows_per_s: f64,
    /// The middle round; 0 without rounds.
    pub p50_us: f64,
    /// The round that one in a hundred passes.
    pub p99_us: f64,
    /// The most memory that the process had.
    pub peak_mib: f64,
    /// The answer after loading.
    pub loaded: String,
    /// The answer after the rounds.
    pub finished: String,
}

impl Side {
    /// The circuit among `sides` that it is compared with: that of like keys, if there is one.
    pub fn beside(&self, sides: &[Self]) -> Option<usize> {
        let place = |name: &str| sides.iter().position(|side| side.name == name);
        let [first, second] =
            if self.name.contains("number") { [NUMBER, TEXT] } else { [TEXT, NUMBER] };
        place(first).or_else(|| place(second))
    }

    /// Whether it is a circuit on what the planner chooses.
    pub fn is_circuit(&self) -> bool {
        matches!(self.program, Program::Circuit(_, build) if build.backend == BackendChoice::Auto)
    }

    /// Whether it can run here, with so many workers.
    pub fn is_there(&self, peers: &Peers, n_workers: usize) -> bool {
        match self.program {
            // Neither is there to be fast with more workers.
            Program::Circuit(..) | Program::Own(_) => {
                n_workers == 1 || ![ARRANGED, ROUNDS, FLOOR].contains(&self.name)
            }
            Program::Dbsp(_) => peers.dbsp.is_some(),
            Program::Python(_) => peers.python.is_some(),
        }
    }

    /// Does the work in this process.
    ///
    /// # Panics
    /// If it is no part of this program.
    pub fn run_here(&self, size: Size) -> Sample {
        match self.program {
            Program::Circuit(run, build) => run(size, build),
            Program::Own(run) => run(size),
            Program::Dbsp(_) | Program::Python(_) => panic!("{} is another program", self.name),
        }
    }

    /// Does the work in a process of its own.
    ///
    /// # Errors
    /// If the process does not start, does not end well or prints no figures.
    pub fn run(
        &self,
        work: Work,
        size: Size,
        peers: &Peers,
        rows: &Path,
    ) -> Result<Figures, String> {
        let numbers = [size.n_workers as u64, size.n_rows, size.epoch_rows, size.n_rounds];
        let numbers = numbers.map(|number| number.to_string());
        let missing = || format!("{} is not here", self.name);
        let mut command = match self.program {
            Program::Circuit(..) | Program::Own(_) => {
                let this = std::env::current_exe().map_err(|error| error.to_string())?;
                let mut command = Command::new(this.with_file_name("engine"));
                command.args(["--one", work.name(), self.name]).args(numbers);
                command
            }
            Program::Dbsp(cut) => {
                let mut command = Command::new(peers.dbsp.as_ref().ok_or_else(missing)?);
                command.args([work.name(), cut]).args(numbers);
                command
            }
            Program::Python(script) => {
                let mut command = Command::new(peers.python.as_ref().ok_or_else(missing)?);
                command.arg(format!("benches/peers/{script}_peer.py")).arg(work.name());
                command.arg(&numbers[0]).arg(rows).env("PATHWAY_THREADS", &numbers[0]);
                command
            }
        };
        Figures::printed_by(self.name, &mut command)
    }
}

impl Figures {
    /// Those of a run that is a process of its own, which `name` is said of.
    ///
    /// # Errors
    /// If the process does not start, does not end well or prints no figures.
    pub fn printed_by(name: &str, command: &mut Command) -> Result<Self, String> {
        let output = command.output();
        let output = output.map_err(|error| {
            format!("{name}: {}: {error}", Path::new(command.get_program()).display())
        })?;
        let said = String::from_utf8_lossy(&output.stdout);
        let line = said.lines().rev().find(|line| line.starts_with('{'));
        let figures = line.and_then(|line| serde_json::from_str(line).ok());
        figures.filter(|_| output.status.success()).ok_or_else(|| {
            let fault = String::from_utf8_lossy(&output.stderr);
            format!("{name}: {}\n{said}{fault}", output.status)
        })
    }

    /// The middle of one of the figures of runs, of which there are some.
    pub fn middle(runs: &[Self], figure: fn(&Self) -> f64) -> f64 {
        median(&runs.iter().map(figure).collect::<Vec<f64>>())
    }
}

/// Writes the rows of a workload for peers that read files.
///
/// # Errors
/// If the files cannot be written.
pub fn write_rows(work: Work, size: Size, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let file = |name: &str| fs::File::create(folder.join(name)).map(BufWriter::new);
    match work {
        Work::Aggregate => {
            let mut readings = file("readings.csv")?;
            writeln!(readings, "key,value")?;
            for (key, value) in (0..size.n_rows).map(reading) {
                writeln!(readings, "{},{value}", Name::of(key).as_str())?;
            }
            readings.flush()
        }
        Work::Join => {
            let (mut lefts, mut rights) = (file("left.csv")?, file("right.csv")?);
            writeln!(lefts, "key,amount")?;
            writeln!(rights, "key,label")?;
            for idx in 0..size.n_rows {
                let (key, amount) = left(idx, size.join_keys());
                writeln!(lefts, "{},{amount}", Name::of(key).as_str())?;
                let (key, group) = right(idx, size.join_keys());
                writeln!(rights, "{},{}", Name::of(key).as_str(), Name::of(group).as_str())?;
            }
            lefts.flush()?;
            rights.flush()
        }
        Work::Stateless | Work::Decoded | Work::Reach | Work::Paths | Work::Components => Ok(()),
    }
}
