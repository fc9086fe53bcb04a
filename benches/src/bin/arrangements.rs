//! What it takes that several joins of a circuit look up the same rows: held once, as the compiler
//! plans it, and each with its own.
//!
//! `cargo xtask bench arrangements [--repeat N] [--workers N] [--rows N]`: a keyed `full` topic of
//! customers, and nodes that each join a topic of events of its own with it. Customers come in no
//! order, as columns in epochs of 8,192, and as many events for each node as there are customers by
//! four; then come 400 rounds of 100 customers that change and 25 events of each node. Each run is
//! a process of its own, all run in turn, and the command fails unless both sides come to the same
//! answer.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::fmt::Write as _;
use std::process::{Command, ExitCode};

use arqon_bench_report::{Table, spread};
use arqon_benches::data::{Size, signed};
use arqon_benches::running::{Build, KeyKind, Running, inserts, int, now};
use arqon_benches::sample::{Sample, sums_weight};
use arqon_benches::settings::{Outcome, Settings, run};
use arqon_benches::side::Figures;
use arqon_benches::workers;
use arqon_compiler::{Options, compile};
use arqon_engine::{BackendChoice, Changes, TopicInput};
use arqon_plan::DataflowPlan;
use arqon_types::{Change, Column, Row, TopicName, Type, Value};

const NODES: [usize; 3] = [1, 2, 4];
const EPOCH_ROWS: u64 = 8_192;
const N_ROUNDS: u64 = 400;
const ROUND_ROWS: u64 = 100;
const ROUND_EVENTS: u64 = 25;
const REGIONS: u64 = 1_000;
/// Customers for each event of a node.
const PER_EVENT: u64 = 4;

/// How joins hold the customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Once,
    Each,
}

impl Held {
    const ALL: [Self; 2] = [Self::Once, Self::Each];

    fn name(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Each => "by each join",
        }
    }
}

fn main() -> ExitCode {
    run("arrangements", 3, one_run, print_all)
}

fn print_all(settings: Settings) -> Outcome<()> {
    let sides: Vec<(usize, Held)> =
        NODES.iter().flat_map(|n| Held::ALL.map(|held| (*n, held))).collect();
    let mut runs: Vec<Vec<Figures>> = vec![Vec::new(); sides.len()];
    for _ in 0..settings.repeat {
        for ((n_nodes, held), runs) in sides.iter().zip(&mut runs) {
            runs.push(start(settings, *n_nodes, *held)?);
        }
    }
    let Settings { rows, workers: n_workers, repeat } = settings;
    let of = workers(n_workers);
    let table = Table::begin(
        format!("arrangements: {rows} customers, {of}, {repeat} runs each, in turn"),
        &[
            "joins",
            "customers held",
            "load Mrows/s",
            "p50 us",
            "p99 us",
            "peak MiB",
            "once, of that",
        ],
    );
    for ((n_nodes, held), figures) in sides.iter().zip(&runs) {
        let once = sides.iter().position(|side| *side == (*n_nodes, Held::Once));
        let part = once.filter(|_| *held == Held::Each).map(|once| {
            let pairs =
                runs[once].iter().zip(figures).map(|(once, it)| once.peak_mib / it.peak_mib);
            spread(&pairs.collect::<Vec<_>>())
        });
        let middle = |figure| Figures::middle(figures, figure);
        table.row(&[
            n_nodes,
            &held.name(),
            &format_args!("{:.2}", middle(|run| run.mrows_per_s)),
            &format_args!("{:.0}", middle(|run| run.p50_us)),
            &format_args!("{:.0}", middle(|run| run.p99_us)),
            &format_args!("{:.0}", middle(|run| run.peak_mib)),
            &part.unwrap_or_default(),
        ]);
    }
    table.end();
    for runs in runs.chunks(Held::ALL.len()) {
        let mut all = runs.iter().flatten();
        let first = all.next().ok_or("nothing ran")?;
        if let Some(run) = all.find(|run| run.finished != first.finished) {
            return Err(format!("answers differ: {} and {}", first.finished, run.finished).into());
        }
    }
    Ok(())
}

/// One run, in a process of its own.
fn start(settings: Settings, n_nodes: usize, held: Held) -> Outcome<Figures> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--one", held.name(), &n_nodes.to_string()]);
    command.args([settings.rows.to_string(), settings.workers.to_string()]);
    Ok(Figures::printed_by(held.name(), &mut command)?)
}

/// One run, in this process.
fn one_run(words: &[String]) -> Outcome<()> {
    let [held, n_nodes, n_rows, n_workers] = words else {
        return Err("how held, and how many nodes, rows and workers?".into());
    };
    let held = Held::ALL.into_iter().find(|it| it.name() == held).ok_or("held in no such way")?;
    let size = Size {
        n_rows: n_rows.parse()?,
        epoch_rows: EPOCH_ROWS,
        n_rounds: N_ROUNDS,
        n_workers: n_workers.parse()?,
    };
    println!("{}", measure(size, n_nodes.parse()?, held)?.line());
    Ok(())
}

/// Nodes that each join events of their own with customers.
fn circuit(n_nodes: usize) -> String {
    let mut text = "\
arqon: 1
circuit: bench.customers
schemas:
  Customer: { id: int64, region: int64, name: string }
  Event: { customer: int64, amount: int64 }
  Sums: { region: int64, n: int64, total: int64 }
topics:
  customers: { schema: Customer, carries: full, key: id, edge: in }
"
    .to_owned();
    for node in 0..n_nodes {
        let _ = writeln!(text, "  events{node}: {{ schema: Event, carries: delta, edge: in }}");
        let _ = writeln!(
            text,
            "  sums{node}: {{ schema: Sums, carries: delta, key: region, edge: out }}"
        );
    }
    text.push_str("flow:\n");
    for node in 0..n_nodes {
        // All rows go through, and since the condition is about both sides it stands in the join.
        let _ = write!(
            text,
            "  sum{node}:
    from: events{node}
    do:
      - join: customers
        match: {{ customer: id }}
        as: c
        where: amount >= 0 or c.name == \"{node}\"
      - group: {{ region: c.region }}
        agg: {{ n: count(), total: sum(amount) }}
    to: sums{node}
"
        );
    }
    text
}

/// The circuit's plan, with what its joins hold as wanted.
fn plan(n_nodes: usize, held: Held) -> Outcome<DataflowPlan> {
    let compiled = compile(&circuit(n_nodes), "bench.yaml", &Options::default());
    let mut plan = compiled.dataflow.ok_or("the bench's circuit does not compile")?;
    let n_readers: usize = plan.arrangements.iter().map(|it| it.readers.len()).sum();
    if n_nodes > 1 && n_readers != n_nodes {
        return Err(format!("{n_readers} of {n_nodes} joins hold customers together").into());
    }
    if held == Held::Each {
        plan.arrangements.clear();
    }
    Ok(plan)
}

fn measure(size: Size, n_nodes: usize, held: Held) -> Outcome<Sample> {
    let build = Build { keys: KeyKind::Number, backend: BackendChoice::Hash, n_ahead: 0 };
    let mut running = Running::of_plan(plan(n_nodes, held)?, size, build, |row, at| {
        let region = u64::try_from(int(&row[0], at)).expect("regions are not negative");
        sums_weight(region, int(&row[1], at), int(&row[2], at), 0)
    });
    let n_events = size.n_rows / PER_EVENT;
    let start = now();
    for from in (0..size.n_rows).step_by(usize::try_from(size.epoch_rows)?) {
        running
            .close(vec![customers(from..(from + size.epoch_rows).min(size.n_rows), size.n_rows)]);
    }
    for from in (0..n_events).step_by(usize::try_from(size.epoch_rows)?) {
        let rows = from..(from + size.epoch_rows).min(n_events);
        running.close((0..n_nodes).map(|node| events(node, rows.clone(), size.n_rows)).collect());
    }
    let (load, loaded) = (start.elapsed(), running.answer);
    let mut rounds = Vec::new();
    for round in 0..size.n_rounds {
        let from = n_events + round * ROUND_EVENTS;
        let mut changes = vec![changed(round, size.n_rows)];
        let events = |node| events(node, from..from + ROUND_EVENTS, size.n_rows);
        changes.extend((0..n_nodes).map(events));
        let begun = now();
        running.close(changes);
        rounds.push(begun.elapsed());
    }
    let n_rows = size.n_rows + n_events * n_nodes as u64;
    Ok(running.finish(n_rows, load, loaded, rounds))
}

/// The key of a row: each number below `n_rows` comes once, in no order that helps.
fn id(at: u64, n_rows: u64) -> u64 {
    at.wrapping_mul(7_919) % n_rows
}

fn name(id: u64) -> String {
    format!("customer {id:08} of the bench")
}

fn customers(rows: std::ops::Range<u64>, n_rows: u64) -> TopicInput {
    let ids = || rows.clone().map(|at| id(at, n_rows));
    let mut names = Column::with_capacity(&Type::String, 0);
    if let Column::String(texts) = &mut names {
        ids().for_each(|id| texts.push(&name(id)));
    }
    let numbers = |of: fn(u64) -> u64| Column::Int(ids().map(|id| signed(of(id))).collect());
    inserts("customers", vec![numbers(|id| id), numbers(|id| id % REGIONS), names])
}

fn events(node: usize, rows: std::ops::Range<u64>, n_customers: u64) -> TopicInput {
    let customers = rows.clone().map(|at| signed(id(at * 13 + node as u64, n_customers)));
    let amounts = rows.map(|at| signed(at % 97));
    let columns = vec![Column::Int(customers.collect()), Column::Int(amounts.collect())];
    inserts(&format!("events{node}"), columns)
}

/// Customers that move to another region.
fn changed(round: u64, n_rows: u64) -> TopicInput {
    let row = |at: u64| -> Row {
        let id = id(round * ROUND_ROWS + at * 31, n_rows);
        let numbers = [id, (id + round) % REGIONS].map(|number| Value::Int(signed(number)));
        numbers.into_iter().chain([Value::string(&name(id))]).collect()
    };
    let changes = Changes::Rows((0..ROUND_ROWS).map(row).map(Change::Upsert).collect());
    TopicInput { topic: TopicName::parse("customers").expect("a well-formed name"), changes }
}
