//! From file to answer: `arqon run` over TPC-H tables beside one answer of `DuckDB`.
//!
//! `cargo xtask bench files [--scale N] [--repeat N] [--threads N]… [--query N]…`. Each run is a whole
//! process that reads its files and ends; the sides run in turn. The circuit stays incremental: it
//! holds what it needs to take any row back, where `DuckDB` keeps nothing. The floors are the bytes
//! of the files, and reading them alone as `arqon run` would, into columns that nobody takes.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use arqon_bench_report::{Aim, Meant, Table, median, spread};
use arqon_compiler::{Options, compile};
use arqon_engine::columns_kept;
use arqon_formats::{InputFile, InputOptions, Location};
use arqon_plan::DataflowPlan;
use arqon_proto::BodyCodec;

const USAGE: &str =
    "usage: files --tables FOLDER --python FILE [--repeat N] [--threads N]… [--query N]…";

/// Queries with the tables that they read.
const QUERIES: [(u32, &[&str]); 3] =
    [(1, &["lineitem"]), (3, &["customer", "orders", "lineitem"]), (6, &["lineitem"])];

fn main() -> ExitCode {
    let Some(settings) = Settings::read() else {
        println!("{USAGE}");
        return ExitCode::from(2);
    };
    match table(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            println!("{fault}");
            ExitCode::FAILURE
        }
    }
}

struct Settings {
    tables: PathBuf,
    python: PathBuf,
    arqon: PathBuf,
    root: PathBuf,
    n_rounds: usize,
    threads: Vec<usize>,
    queries: Vec<u32>,
}

impl Settings {
    fn read() -> Option<Self> {
        let mut args = std::env::args().skip(1);
        let (mut tables, mut python) = (None, None);
        let (mut n_rounds, mut threads, mut queries) = (3, Vec::new(), Vec::new());
        while let Some(flag) = args.next() {
            let value = args.next()?;
            match flag.as_str() {
                "--tables" => tables = Some(PathBuf::from(value)),
                "--python" => python = Some(PathBuf::from(value)),
                "--repeat" => n_rounds = value.parse().ok().filter(|n| *n > 0)?,
                "--threads" => threads.push(value.parse().ok()?),
                "--query" => queries.push(value.parse().ok()?),
                _ => return None,
            }
        }
        if threads.is_empty() {
            threads = vec![1, 2];
        }
        let arqon = std::env::current_exe().ok()?.with_file_name("arqon");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.to_path_buf();
        let (tables, python) = (tables?, python?);
        Some(Self { tables, python, arqon, root, n_rounds, threads, queries })
    }
}

fn table(settings: &Settings) -> Result<(), String> {
    let title = format!("files: TPC-H, {} runs each, in turn", settings.n_rounds);
    let columns = [
        "query",
        "files",
        "MB",
        "threads",
        "arqon s",
        "DuckDB s",
        "arqon takes, times as long",
        "arqon peak MiB",
        "reading alone s",
        "MB/s",
    ];
    let mut table = Table::begin(title, &columns);
    for (query, tables) in QUERIES {
        if !settings.queries.is_empty() && !settings.queries.contains(&query) {
            continue;
        }
        for format in ["csv", "parquet"] {
            for n_threads in &settings.threads {
                Cell { settings, query, tables, format, n_threads: *n_threads }
                    .print(&mut table)?;
            }
        }
    }
    table.end();
    Ok(())
}

/// One line of the table.
struct Cell<'s> {
    settings: &'s Settings,
    query: u32,
    tables: &'s [&'s str],
    format: &'s str,
    n_threads: usize,
}

impl Cell<'_> {
    fn print(&self, table: &mut Table) -> Result<(), String> {
        let n_bytes: u64 = self
            .tables
            .iter()
            .map(|table| fs::metadata(self.file(table)).map(|file| file.len()))
            .sum::<Result<_, _>>()
            .map_err(|error| format!("{}: {error}", self.settings.tables.display()))?;
        let result = std::env::temp_dir().join(format!("arqon-files-{}.csv", std::process::id()));
        let checked = self.measure(n_bytes, &result, table);
        // It is ours, and gone if nothing was written.
        let _ = fs::remove_file(&result);
        checked
    }

    fn measure(&self, n_bytes: u64, result: &Path, table: &mut Table) -> Result<(), String> {
        let (mut own, mut duckdb, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        let (mut reading, mut peak) = (Vec::new(), 0.0_f64);
        for _ in 0..self.settings.n_rounds {
            let (seconds, mebibytes) = self.run_arqon(result)?;
            let peer = time(&mut self.duckdb())?;
            ratios.push(seconds / peer);
            own.push(seconds);
            duckdb.push(peer);
            peak = peak.max(mebibytes);
            reading.push(self.read()?);
        }
        let mut check = self.duckdb();
        if !check.arg("--check").arg(result).status().is_ok_and(|status| status.success()) {
            return Err(format!("query {} from {} has another answer", self.query, self.format));
        }
        #[expect(clippy::cast_precision_loss, reason = "megabytes for people")]
        let megabytes = n_bytes as f64 / 1e6;
        table.row(&[
            &self.query,
            &self.format,
            &format_args!("{megabytes:.0}"),
            &self.n_threads,
            &format_args!("{:.2}", median(&own)),
            &format_args!("{:.2}", median(&duckdb)),
            &spread(&ratios),
            &format_args!("{peak:.0}"),
            &format_args!("{:.2}", median(&reading)),
            &format_args!("{:.0}", megabytes / median(&reading)),
        ]);
        let most = match self.query {
            1 | 6 => 3.0,
            3 => 6.0,
            _ => return Ok(()),
        };
        let threads = if self.n_threads == 1 { "thread" } else { "threads" };
        let what = format!(
            "files: Q{} from {}, {} {threads}, times as long as DuckDB",
            self.query, self.format, self.n_threads
        );
        table.aim(Aim::times(what, Meant::AtMost(most), ratios));
        Ok(())
    }

    fn file(&self, table: &str) -> PathBuf {
        self.settings.tables.join(format!("{table}.{}", self.format))
    }

    fn circuit(&self) -> PathBuf {
        self.settings.root.join(format!("circuits/bench/tpch/q{:02}.yaml", self.query))
    }

    /// Seconds and MiB of one run of the circuit.
    fn run_arqon(&self, result: &Path) -> Result<(f64, f64), String> {
        let mut command = Command::new(&self.settings.arqon);
        command.arg("run").arg(self.circuit());
        for table in self.tables {
            command.arg("--input").arg(format!("{table}={}", self.file(table).display()));
        }
        command.arg("--output").arg(format!("result={}", result.display()));
        command.args(["--until-idle", "--format", "json", "--workers"]);
        command.arg(self.n_threads.to_string()).stderr(Stdio::inherit());
        let start = Instant::now();
        let output = command.output().map_err(|error| format!("arqon: {error}"))?;
        let seconds = start.elapsed().as_secs_f64();
        if !output.status.success() {
            return Err(format!("arqon ended with {}", output.status));
        }
        let said = String::from_utf8_lossy(&output.stdout);
        let summary = said.lines().filter_map(|line| serde_json::from_str(line).ok());
        let mut peak = summary
            .filter_map(|line: serde_json::Value| line["summary"]["peak_memory_bytes"].as_f64());
        Ok((seconds, peak.next_back().unwrap_or(0.0) / f64::from(1 << 20)))
    }

    fn duckdb(&self) -> Command {
        let mut command = Command::new(&self.settings.python);
        command.arg(self.settings.root.join("benches/peers/duckdb_peer.py"));
        command.arg(&self.settings.tables).args([&self.query.to_string(), self.format]);
        command.arg(self.n_threads.to_string());
        command
    }

    /// Seconds that reading takes when nobody takes what is read.
    fn read(&self) -> Result<f64, String> {
        let plan = plan_of(&self.circuit())?;
        let kept = columns_kept(&plan);
        let start = Instant::now();
        for table in self.tables {
            let topic = plan.topics.iter().find(|topic| topic.name.as_str() == *table);
            let topic = topic.ok_or_else(|| format!("no topic `{table}`"))?;
            let key: Vec<String> =
                topic.key.iter().map(|at| topic.schema.fields[*at].name.to_string()).collect();
            let codec = BodyCodec::new(topic.schema.clone(), topic.discipline, &key);
            let path = self.file(table);
            let location = Location::parse(&path.display().to_string());
            let location = location.map_err(|error| error.to_string())?;
            let input = InputFile::open(&location, &codec, InputOptions::default());
            let mut input = input.map_err(|error| error.to_string())?;
            if let Some(fields) = kept.get(&topic.name) {
                input.read_only(fields);
            }
            while input.next_batch(1 << 14).map_err(|error| error.to_string())?.is_some() {}
        }
        Ok(start.elapsed().as_secs_f64())
    }
}

fn plan_of(circuit: &Path) -> Result<DataflowPlan, String> {
    let text = fs::read_to_string(circuit).map_err(|error| error.to_string())?;
    let compiled = compile(&text, &circuit.display().to_string(), &Options::default());
    compiled.dataflow.ok_or_else(|| format!("{} has errors", circuit.display()))
}

fn time(command: &mut Command) -> Result<f64, String> {
    let start = Instant::now();
    let status = command.status().map_err(|error| format!("DuckDB: {error}"))?;
    let seconds = start.elapsed().as_secs_f64();
    if status.success() { Ok(seconds) } else { Err(format!("DuckDB ended with {status}")) }
}
