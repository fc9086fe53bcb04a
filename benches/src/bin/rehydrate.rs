//! How fast a circuit that starts is given back what it held: from the rows of its topics on disk to
//! the answer.
//!
//! `cargo xtask bench rehydrate [--repeat N] [--workers N] [--rows N]`: the circuit of the *join*
//! workload of `bench engine`. What its topics held lies in Parquet files in the order of the rows,
//! as a snapshot is written: by the key where the key is the first field, and in no order that helps
//! where it is the last. Each run is a process of its own, which opens the files, decodes, feeds
//! both topics in turn by epochs of 16,384 rows, and ends when the answer of the last is there; all
//! sides run in turn. Beside it the files alone, decoded and fed to nobody.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use arqon_bench_report::{Aim, Meant, Table, spread};
use arqon_benches::data::{Size, left, right, signed};
use arqon_benches::product::JOIN;
use arqon_benches::running::{Build, KeyKind, Running, inserts, int, key_number, now};
use arqon_benches::sample::{Answer, Sample, sums_weight};
use arqon_benches::settings::{Outcome, Settings, run};
use arqon_benches::side::Figures;
use arqon_benches::workers;
use arqon_engine::BackendChoice;
use arqon_formats::{InputFile, InputOptions, InputRows, Location, OutputFile, OutputKind};
use arqon_proto::BodyCodec;
use arqon_types::{
    Column, DeltaBatch, Discipline, Epoch, Field, Schema, TopicName, Type, Update, Value,
};

/// Rows of a topic that are read and fed at a time.
const EPOCH_ROWS: usize = 1 << 14;
/// Epochs that are under way at a time, as with `arqon run`.
const EPOCHS_AHEAD: usize = 8;

const SIDES: [Source; 5] = [
    Source { name: "number keys, by key", keys: KeyKind::Number, order: Order::Key, fed: true },
    Source {
        name: "number keys, by others",
        keys: KeyKind::Number,
        order: Order::Other,
        fed: true,
    },
    Source { name: "number keys, read only", keys: KeyKind::Number, order: Order::Key, fed: false },
    Source { name: "text keys, by key", keys: KeyKind::Text, order: Order::Key, fed: true },
    Source { name: "text keys, read only", keys: KeyKind::Text, order: Order::Key, fed: false },
];

/// In what order the rows lie on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Of the key that the join matches.
    Key,
    /// Of the other field.
    Other,
}

/// Rows on disk, and whether they are fed.
#[derive(Debug, Clone, Copy)]
struct Source {
    name: &'static str,
    keys: KeyKind,
    order: Order,
    fed: bool,
}

fn main() -> ExitCode {
    run("rehydrate", 5, one_run, table)
}

/// Writes the files, runs all sides in turn and prints their figures.
fn table(settings: Settings) -> Outcome<()> {
    let folder = PathBuf::from("target/rehydrate");
    fs::create_dir_all(&folder)?;
    for source in SIDES.iter().filter(|source| source.fed) {
        for topic in [Topic::Left, Topic::Right] {
            source.write(topic, settings.rows, &folder)?;
        }
    }
    let mut runs: Vec<Vec<Figures>> = vec![Vec::new(); SIDES.len()];
    for _ in 0..settings.repeat {
        for (source, runs) in SIDES.iter().zip(&mut runs) {
            runs.push(source.run(settings, &folder)?);
        }
    }
    let Settings { rows, workers: n_workers, repeat } = settings;
    let of = workers(n_workers);
    let mut table = Table::begin(
        format!("rehydrate: {rows} rows of each topic, {of}, {repeat} runs each, in turn"),
        &["rows on disk", "bytes a row", "Mrows/s", "peak MiB", "by key, times as fast"],
    );
    for (at, (source, figures)) in SIDES.iter().zip(&runs).enumerate() {
        let sorted = SIDES
            .iter()
            .position(|side| side.keys == source.keys && side.order == Order::Key && side.fed)
            .filter(|sorted| *sorted != at);
        let ratio = sorted.map(|sorted| {
            let pairs = runs[sorted].iter().zip(figures);
            spread(
                &pairs
                    .map(|(by_key, run)| by_key.mrows_per_s / run.mrows_per_s)
                    .collect::<Vec<_>>(),
            )
        });
        let middle = |figure| Figures::middle(figures, figure);
        table.row(&[
            &source.name,
            &format_args!("{:.1}", source.bytes_per_row(rows, &folder)?),
            &format_args!("{:.2}", middle(|run| run.mrows_per_s)),
            &format_args!("{:.0}", middle(|run| run.peak_mib)),
            &ratio.unwrap_or_default(),
        ]);
        if source.order == Order::Key && source.fed && n_workers == 1 {
            table.aim(Aim {
                what: format!("rehydrate: {}, one worker", source.name),
                meant: Meant::AtLeast(3.0),
                measured: figures.iter().map(|run| run.mrows_per_s).collect(),
                unit: " M rows/s",
            });
        }
    }
    table.end();
    fs::remove_dir_all(&folder)?;
    let mut fed =
        SIDES.iter().zip(&runs).filter(|(source, _)| source.fed).flat_map(|(_, runs)| runs);
    let first = fed.next().ok_or("nothing was fed")?;
    match fed.find(|run| run.loaded != first.loaded) {
        Some(run) => Err(format!("the answers differ: {} and {}", first.loaded, run.loaded).into()),
        None => Ok(()),
    }
}

/// One run of one side, in this process.
fn one_run(words: &[String]) -> Outcome<()> {
    let [side, folder, n_rows, n_workers] = words else {
        return Err("which side, where, and how many rows and workers?".into());
    };
    let source = SIDES.iter().find(|source| source.name == side).ok_or("no such side")?;
    let size = Size {
        n_rows: n_rows.parse()?,
        epoch_rows: EPOCH_ROWS as u64,
        n_rounds: 0,
        n_workers: n_workers.parse()?,
    };
    let sample = if source.fed {
        source.rehydrate(size, Path::new(folder))?
    } else {
        source.read(size, Path::new(folder))?
    };
    println!("{}", sample.line());
    Ok(())
}

/// The inputs of the join.
#[derive(Debug, Clone, Copy)]
enum Topic {
    Left,
    Right,
}

impl Topic {
    fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }

    /// As the circuit has it.
    fn schema(self, keys: KeyKind) -> Schema {
        let other = match self {
            Self::Left => Field::new("amount", Type::Int64),
            Self::Right => Field::new("label", keys.ty()),
        };
        Schema::new(self.name(), vec![Field::new("key", keys.ty()), other])
    }

    /// The key of a row, and its other field.
    fn row(self, idx: u64, size: Size, keys: KeyKind) -> [Value; 2] {
        match self {
            Self::Left => {
                let (key, amount) = left(idx, size.join_keys());
                [keys.value(key), Value::Int(amount)]
            }
            Self::Right => {
                let (key, label) = right(idx, size.join_keys());
                [keys.value(key), keys.value(label)]
            }
        }
    }
}

impl Source {
    fn path(&self, topic: Topic, folder: &Path) -> PathBuf {
        folder.join(format!("{}-{:?}-{:?}.parquet", topic.name(), self.keys, self.order))
    }

    fn bytes_per_row(&self, n_rows: u64, folder: &Path) -> Outcome<f64> {
        let mut n_bytes = 0;
        for topic in [Topic::Left, Topic::Right] {
            n_bytes += fs::metadata(self.path(topic, folder))?.len();
        }
        #[expect(clippy::cast_precision_loss, reason = "a mean that is shown")]
        Ok(n_bytes as f64 / (2 * n_rows) as f64)
    }

    /// Writes the rows of a topic as a snapshot.
    fn write(&self, topic: Topic, n_rows: u64, folder: &Path) -> Outcome<()> {
        let mut schema = topic.schema(self.keys);
        if self.order == Order::Other {
            schema.fields.reverse();
        }
        let size = Size { n_rows, epoch_rows: n_rows, n_rounds: 0, n_workers: 1 };
        let location = Location::parse(&self.path(topic, folder).display().to_string())?;
        let mut file = OutputFile::create(&location, &schema, OutputKind::Snapshot)?;
        let updates = (0..n_rows).map(|idx| {
            let mut row = topic.row(idx, size, self.keys);
            if self.order == Order::Other {
                row.reverse();
            }
            Update { row: row.to_vec().into(), epoch: Epoch::ZERO, diff: 1 }
        });
        let updates = updates.collect();
        let (lower, upper) = (Epoch::ZERO, Epoch::ZERO.next());
        file.write(&DeltaBatch { topic: TopicName::parse(topic.name())?, lower, upper, updates })?;
        file.finish()?;
        Ok(())
    }

    fn run(&self, settings: Settings, folder: &Path) -> Outcome<Figures> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--one", self.name]).arg(folder);
        command.args([settings.rows.to_string(), settings.workers.to_string()]);
        Ok(Figures::printed_by(self.name, &mut command)?)
    }

    fn open(&self, topic: Topic, folder: &Path) -> Outcome<InputFile> {
        let codec = BodyCodec::new(topic.schema(self.keys), Discipline::Delta, &[]);
        let location = Location::parse(&self.path(topic, folder).display().to_string())?;
        Ok(InputFile::open(&location, &codec, InputOptions::default())?)
    }

    /// Feeds both files in turn, batch by batch, and waits for the answer of the last epoch.
    fn rehydrate(&self, size: Size, folder: &Path) -> Outcome<Sample> {
        let build = Build { keys: self.keys, backend: BackendChoice::Auto, n_ahead: EPOCHS_AHEAD };
        let start = now();
        let mut run = Running::start(JOIN, size, build, |row, at| {
            sums_weight(key_number(&row[0], at), int(&row[1], at), int(&row[2], at), 0)
        });
        let mut lefts = self.open(Topic::Left, folder)?;
        let mut rights = self.open(Topic::Right, folder)?;
        loop {
            let mut topics = Vec::new();
            for (topic, file) in [(Topic::Left, &mut lefts), (Topic::Right, &mut rights)] {
                topics.extend(columns(file)?.map(|columns| inserts(topic.name(), columns)));
            }
            if topics.is_empty() {
                break;
            }
            run.load(topics);
        }
        run.settle();
        let (load, loaded) = (start.elapsed(), run.answer);
        Ok(run.finish(2 * size.n_rows, load, loaded, Vec::new()))
    }

    /// Reads both files, and adds up the first column so that nothing is left out.
    fn read(&self, size: Size, folder: &Path) -> Outcome<Sample> {
        let start = now();
        let mut answer = Answer::default();
        for topic in [Topic::Left, Topic::Right] {
            let mut file = self.open(topic, folder)?;
            while let Some(columns) = columns(&mut file)? {
                answer.add(1, signed(columns[0].len() as u64));
            }
        }
        let load = start.elapsed();
        let n_rows = 2 * size.n_rows;
        Ok(Sample { n_rows, load, loaded: answer, rounds: Vec::new(), finished: answer })
    }
}

/// The next rows of a file; `None` at its end.
fn columns(file: &mut InputFile) -> Outcome<Option<Vec<Column>>> {
    let Some(batch) = file.next_batch(EPOCH_ROWS)? else { return Ok(None) };
    match batch.rows {
        InputRows::Columns(rows) if batch.faults.is_empty() => Ok(Some(rows.columns)),
        _ => Err(format!("{} is not as it was written", file.name()).into()),
    }
}
