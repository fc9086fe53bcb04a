//! What it takes that several circuits read one topic: with its table in common, as on a server, and
//! each with its own.
//!
//! `cargo xtask bench sharing [--repeat N] [--workers N] [--rows N]`: a `full` topic, keyed, and
//! circuits that each add it up. Rows come in no order, as columns in epochs of 8,192, and go to
//! all circuits; then come 400 rounds of 100 upserts. An epoch is over when all circuits have
//! answered. Each run is a process of its own, all run in turn, and the command fails unless each
//! circuit comes to the same answer.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::process::{Command, ExitCode};

use arqon_bench_report::{Table, spread};
use arqon_benches::data::{Size, signed};
use arqon_benches::running::{Build, KeyKind, Running, inserts, int, now};
use arqon_benches::sample::{Answer, Sample, sums_weight};
use arqon_benches::settings::{Outcome, Settings, run};
use arqon_benches::side::Figures;
use arqon_benches::workers;
use arqon_engine::{BackendChoice, Changes, TopicInput};
use arqon_types::{Change, Column, Row, TopicName, Value};

const ORDERS: &str = "\
arqon: 1
circuit: bench.orders
schemas:
  Order: { id: int64, region: int64, amount: int64, note: string }
  Sums: { region: int64, n: int64, total: int64 }
topics:
  orders: { schema: Order, carries: full, key: id, edge: in }
  sums: { schema: Sums, carries: delta, key: region, edge: out }
flow:
  sum:
    from: orders
    do:
      - group: [region]
        agg: { n: count(), total: sum(amount) }
    to: sums
";

const CIRCUITS: [usize; 4] = [1, 2, 4, 8];
const EPOCH_ROWS: u64 = 8_192;
const N_ROUNDS: u64 = 400;
const ROUND_ROWS: u64 = 100;
const REGIONS: u64 = 1_000;

/// Whose the table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// And the states of steps that do the same.
    WithSteps,
    InCommon,
    Own,
}

impl Held {
    const ALL: [Self; 3] = [Self::WithSteps, Self::InCommon, Self::Own];

    fn has_steps(self) -> bool {
        self == Self::WithSteps
    }

    fn name(self) -> &'static str {
        match self {
            Self::WithSteps => "and groups in common",
            Self::InCommon => "in common",
            Self::Own => "its own",
        }
    }
}

fn main() -> ExitCode {
    run("sharing", 3, one_run, print_all)
}

fn print_all(settings: Settings) -> Outcome<()> {
    let sides: Vec<(usize, Held)> =
        CIRCUITS.iter().flat_map(|n| Held::ALL.map(|table| (*n, table))).collect();
    let mut runs: Vec<Vec<Figures>> = vec![Vec::new(); sides.len()];
    for _ in 0..settings.repeat {
        for ((n_circuits, table), runs) in sides.iter().zip(&mut runs) {
            runs.push(start(settings, *n_circuits, *table)?);
        }
    }
    let Settings { rows, workers: n_workers, repeat } = settings;
    let of = workers(n_workers);
    let printed = Table::begin(
        format!(
            "sharing: {rows} rows of one topic, {of} of each circuit, {repeat} runs each, in turn"
        ),
        &[
            "circuits",
            "table",
            "load Mrows/s",
            "p50 us",
            "p99 us",
            "peak MiB",
            "its own, times the peak",
        ],
    );
    for (at, ((n_circuits, table), figures)) in sides.iter().zip(&runs).enumerate() {
        let own = sides.iter().position(|side| *side == (*n_circuits, Held::Own));
        let times = own.filter(|own| *own != at).map(|own| {
            let own = &runs[own];
            let pairs = own.iter().zip(figures).map(|(own, it)| own.peak_mib / it.peak_mib);
            spread(&pairs.collect::<Vec<_>>())
        });
        let middle = |figure| Figures::middle(figures, figure);
        printed.row(&[
            n_circuits,
            &table.name(),
            &format_args!("{:.2}", middle(|run| run.mrows_per_s)),
            &format_args!("{:.0}", middle(|run| run.p50_us)),
            &format_args!("{:.0}", middle(|run| run.p99_us)),
            &format_args!("{:.0}", middle(|run| run.peak_mib)),
            &times.unwrap_or_default(),
        ]);
    }
    printed.end();
    let mut all = runs.iter().flatten();
    let first = all.next().ok_or("nothing ran")?;
    match all.find(|run| run.finished != first.finished) {
        Some(run) => Err(format!("answers differ: {} and {}", first.finished, run.finished).into()),
        None => Ok(()),
    }
}

/// One run, in a process of its own.
fn start(settings: Settings, n_circuits: usize, table: Held) -> Outcome<Figures> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--one", table.name(), &n_circuits.to_string()]);
    command.args([settings.rows.to_string(), settings.workers.to_string()]);
    Ok(Figures::printed_by(table.name(), &mut command)?)
}

/// One run, in this process.
fn one_run(words: &[String]) -> Outcome<()> {
    let [table, n_circuits, n_rows, n_workers] = words else {
        return Err("which table, and how many circuits, rows and workers?".into());
    };
    let table =
        Held::ALL.into_iter().find(|it| it.name() == table).ok_or("no such kind of table")?;
    let size = Size {
        n_rows: n_rows.parse()?,
        epoch_rows: EPOCH_ROWS,
        n_rounds: N_ROUNDS,
        n_workers: n_workers.parse()?,
    };
    println!("{}", measure(size, n_circuits.parse()?, table)?.line());
    Ok(())
}

fn measure(size: Size, n_circuits: usize, table: Held) -> Outcome<Sample> {
    let build = Build { keys: KeyKind::Number, backend: BackendChoice::Auto, n_ahead: 0 };
    let circuit = || {
        Running::start(ORDERS, size, build, |row, at| {
            let region = u64::try_from(int(&row[0], at)).expect("regions are not negative");
            sums_weight(region, int(&row[1], at), int(&row[2], at), 0)
        })
    };
    let mut circuits: Vec<Running> = (0..n_circuits).map(|_| circuit()).collect();
    if let Some((first, others)) = circuits.split_first().filter(|_| table != Held::Own) {
        for other in others {
            let (n_tables, n_steps) = other.have_in_common(first, "orders", table.has_steps());
            if (n_tables, n_steps > 0) != (1, table.has_steps()) {
                return Err("what was to be in common is each circuit's own".into());
            }
        }
    }
    let start = now();
    for from in (0..size.n_rows).step_by(usize::try_from(size.epoch_rows)?) {
        let rows = from..(from + size.epoch_rows).min(size.n_rows);
        answered(&mut circuits, &columns(rows, size.n_rows));
    }
    let (load, loaded) = (start.elapsed(), same(&circuits)?);
    let mut rounds = Vec::new();
    for round in 0..size.n_rounds {
        let changes = upserts(round, size.n_rows);
        let begun = now();
        answered(&mut circuits, &changes);
        rounds.push(begun.elapsed());
    }
    let finished = same(&circuits)?;
    Ok(Sample { n_rows: size.n_rows, load, loaded, rounds, finished })
}

/// Feeds all circuits, and waits for all of them.
fn answered(circuits: &mut [Running], input: &TopicInput) {
    for circuit in circuits.iter_mut() {
        circuit.begin(vec![input.clone()]);
    }
    circuits.iter_mut().for_each(Running::settle);
}

/// The answer that each circuit has come to.
fn same(circuits: &[Running]) -> Outcome<Answer> {
    let answer = circuits.first().ok_or("no circuit")?.answer;
    let is_same = circuits.iter().all(|circuit| circuit.answer == answer);
    is_same.then_some(answer).ok_or_else(|| "the circuits answer differently".into())
}

/// The key of a row: each number below `n_rows` comes once, in no order that helps.
fn id(at: u64, n_rows: u64) -> u64 {
    at.wrapping_mul(7_919) % n_rows
}

fn columns(rows: std::ops::Range<u64>, n_rows: u64) -> TopicInput {
    let ids = || rows.clone().map(|at| id(at, n_rows));
    let mut notes = Column::with_capacity(&arqon_types::Type::String, 0);
    if let Column::String(texts) = &mut notes {
        ids().for_each(|id| texts.push(&note(id)));
    }
    let columns = vec![
        Column::Int(ids().map(signed).collect()),
        Column::Int(ids().map(|id| signed(id % REGIONS)).collect()),
        Column::Int(ids().map(|id| signed(id % 97)).collect()),
        notes,
    ];
    inserts("orders", columns)
}

fn note(id: u64) -> String {
    format!("order {id:08} of the bench")
}

fn upserts(round: u64, n_rows: u64) -> TopicInput {
    let row = |at: u64| -> Row {
        let id = id(round * ROUND_ROWS + at * 31, n_rows);
        let values = [id, id % REGIONS, round].map(|number| Value::Int(signed(number)));
        values.into_iter().chain([Value::string(&note(id))]).collect()
    };
    let changes = Changes::Rows((0..ROUND_ROWS).map(row).map(Change::Upsert).collect());
    let topic = TopicName::parse("orders").expect("a well-formed name");
    TopicInput { topic, changes }
}
