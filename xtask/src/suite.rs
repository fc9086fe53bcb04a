//! `cargo xtask test`: every test of the house, in steps, with a closing table.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use crate::nexmark;
use crate::python;
use crate::readme;
use crate::step::{self, Count, Report, Tally, say};
use crate::tpch;

/// Events that the oracle tests read, and those of the long run.
const ORACLE_EVENTS: usize = 20_000;
const TORTURE_EVENTS: usize = 200_000;
/// Events in a second of their own time, so that windows of ten seconds close.
const ORACLE_RATE: usize = 200;

/// Scale factor of the tables that the oracle tests read.
const ORACLE_SCALE: f64 = 0.01;

/// What to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Run only these steps; may be repeated or hold several names with commas.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Step>,
    /// Leave these steps out.
    #[arg(long, value_enum, value_delimiter = ',')]
    skip: Vec<Step>,
    /// Run circuits, oracles and the README with the release build of `arqon`.
    #[arg(long)]
    release: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    /// `cargo fmt --check`.
    Format,
    /// `cargo clippy` with warnings denied.
    Lint,
    /// `cargo test` over the workspace.
    Rust,
    /// Golden circuits through the built command: `arqon check` and `arqon test`.
    Circuits,
    /// The Python SDK, by itself and against a running circuit.
    Python,
    /// Answers held against `DuckDB`.
    Oracle,
    /// The README's commands.
    Readme,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Lint => "lint",
            Self::Rust => "rust",
            Self::Circuits => "circuits",
            Self::Python => "python",
            Self::Oracle => "oracle",
            Self::Readme => "readme",
        }
    }

    fn needs_arqon(self) -> bool {
        match self {
            Self::Format | Self::Lint | Self::Rust => false,
            Self::Circuits | Self::Python | Self::Oracle | Self::Readme => true,
        }
    }

    fn needs_python(self) -> bool {
        match self {
            Self::Format | Self::Lint | Self::Rust | Self::Circuits => false,
            Self::Python | Self::Oracle | Self::Readme => true,
        }
    }
}

/// Runs the chosen steps, all of them even when one fails; true when everything passed.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<bool, String> {
    let chosen = |step: &Step| {
        (arguments.only.is_empty() || arguments.only.contains(step))
            && !arguments.skip.contains(step)
    };
    let steps: Vec<Step> = Step::value_variants().iter().copied().filter(chosen).collect();
    let announcement = if steps.iter().any(|step| step.needs_python()) {
        python::announcement(root, &python::TESTS)
    } else {
        None
    };
    say(announcement.as_deref().unwrap_or("This installs nothing."));

    let mut reports = Vec::new();
    let arqon = arqon_path(arguments.release)?;
    for step in steps.iter().filter(|step| !step.needs_arqon()) {
        reports.push(step::timed(step.name(), || house_step(root, *step)));
    }
    let mut usable = true;
    if steps.iter().any(|step| step.needs_arqon()) {
        reports.push(step::timed("build", || build_arqon(root, arguments.release)));
        usable &= succeeded(&reports);
    }
    let mut interpreter = Err("no step needs Python".to_owned());
    if steps.iter().any(|step| step.needs_python()) {
        reports.push(step::timed("venv", || {
            interpreter = python::ensure(root, &python::TESTS);
            interpreter.clone().map(|_| Tally::one(true))
        }));
        usable &= succeeded(&reports);
    }
    for step in steps.iter().filter(|step| step.needs_arqon()) {
        let tools = Tools { root, arqon: &arqon, python: interpreter.as_deref().ok() };
        reports.push(step::timed(step.name(), || {
            if usable { tools.run(*step) } else { Err("not run: see above".to_owned()) }
        }));
    }
    let (table, passed) = step::closing_table(&reports);
    say(&format!("\n{table}"));
    Ok(passed)
}

/// `cargo xtask proto`: the test that compares the wire code writes it anew when asked to.
pub(crate) fn write_wire_code(root: &Path) -> Result<bool, String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--quiet", "-p", "arqon-proto", "--test", "generated"]);
    cargo.env("UPDATE_EXPECT", "1");
    Ok(counted(root, &mut cargo, Count::Libtest)?.n_failed == 0)
}

/// Files of `tests/oracle` with the release build and other settings; true if all passed.
pub(crate) fn torture_oracle(
    root: &Path,
    files: &[&str],
    settings: &[(&str, OsString)],
) -> Result<bool, String> {
    say(python::announcement(root, &python::TESTS).as_deref().unwrap_or("This installs nothing."));
    let python = python::ensure(root, &python::TESTS)?;
    if build_arqon(root, true)?.n_failed > 0 {
        return Ok(false);
    }
    let arqon = arqon_path(true)?;
    let tools = Tools { root, arqon: &arqon, python: Some(&python) };
    let targets: Vec<String> = files.iter().map(|file| format!("tests/oracle/{file}")).collect();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    Ok(tools.oracle(&targets, TORTURE_EVENTS, settings)?.n_failed == 0)
}

fn succeeded(reports: &[Report]) -> bool {
    reports.last().is_none_or(|report| report.fault.is_none())
}

/// Steps that need nothing but cargo.
fn house_step(root: &Path, step: Step) -> Result<Tally, String> {
    let (arguments, count) = match step {
        Step::Format => (&["fmt", "--all", "--check"][..], Count::One),
        Step::Lint => (
            &["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"][..],
            Count::One,
        ),
        Step::Rust => (&["test", "--quiet", "--workspace", "--no-fail-fast"][..], Count::Libtest),
        Step::Circuits | Step::Python | Step::Oracle | Step::Readme => {
            return Err("this step runs the built command".to_owned());
        }
    };
    let mut cargo = Command::new("cargo");
    // Goldens are compared here, never rewritten.
    cargo.args(arguments).env_remove("UPDATE_EXPECT").env("INSTA_UPDATE", "no");
    counted(root, &mut cargo, count)
}

fn build_arqon(root: &Path, release: bool) -> Result<Tally, String> {
    let mut cargo = Command::new("cargo");
    // The whole workspace's commands at once: the same features as the tests, nothing built twice.
    cargo.args(["build", "--quiet", "--workspace", "--bins"]);
    if release {
        cargo.arg("--release");
    }
    counted(root, &mut cargo, Count::One)
}

/// Where cargo puts `arqon`: beside this program, or in the release folder next to that.
fn arqon_path(release: bool) -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("own path: {error}"))?;
    let profile = own.parent().ok_or("own path has no folder")?;
    let target = profile.parent().ok_or("own folder has no parent")?;
    let folder = if release { target.join("release") } else { profile.to_path_buf() };
    Ok(folder.join("arqon"))
}

/// What the later steps work with.
struct Tools<'a> {
    root: &'a Path,
    arqon: &'a Path,
    python: Option<&'a Path>,
}

impl Tools<'_> {
    fn run(&self, step: Step) -> Result<Tally, String> {
        match step {
            Step::Format | Step::Lint | Step::Rust => house_step(self.root, step),
            Step::Circuits => self.circuits(),
            Step::Python => self.pytest(&["sdk/python"], &[]),
            Step::Oracle => self.oracle(&["tests/oracle"], ORACLE_EVENTS, &[]),
            Step::Readme => readme::run(self.root, self.arqon),
        }
    }

    fn circuits(&self) -> Result<Tally, String> {
        let mut tally = Tally::default();
        for (verb, folders, more) in [
            ("check", &["circuits/ok", "circuits/demo", "circuits/bench/tpch"][..], &[][..]),
            // Nexmark's queries keep what is known of an auction or a person for good.
            ("check", &["circuits/bench/nexmark"], &["--allow", "unbounded"]),
            ("test", &["circuits/ok", "circuits/demo"], &[]),
        ] {
            for folder in folders {
                self.present(folder)?;
            }
            let mut arqon = Command::new(self.arqon);
            arqon.arg(verb).args(folders).args(more);
            tally.add(counted(self.root, &mut arqon, Count::One)?);
        }
        Ok(tally)
    }

    /// Tests that hold answers against `DuckDB`, after their data is written.
    fn oracle(
        &self,
        targets: &[&str],
        n_events: usize,
        settings: &[(&str, OsString)],
    ) -> Result<Tally, String> {
        let tables = self.root.join("target/tpch").join(ORACLE_SCALE.to_string());
        tpch::write_tables(ORACLE_SCALE, &tables)
            .map_err(|error| format!("{}: {error}", tables.display()))?;
        let events = self.root.join("target/nexmark").join(n_events.to_string());
        nexmark::write_events(n_events, ORACLE_RATE, &events)
            .map_err(|error| format!("{}: {error}", events.display()))?;
        let mut all = settings.to_vec();
        all.push(("ARQON_TPCH", tables.into()));
        all.push(("ARQON_NEXMARK", events.into()));
        self.pytest(targets, &all)
    }

    fn pytest(&self, targets: &[&str], more: &[(&str, OsString)]) -> Result<Tally, String> {
        for target in targets {
            self.present(target)?;
        }
        let mut python = Command::new(self.python.ok_or("there is no Python environment")?);
        python
            .args(["-m", "pytest", "-q", "-p", "no:cacheprovider"])
            .args(targets)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("ARQON_BIN", self.arqon)
            .envs(more.iter().map(|(name, value)| (name, value)));
        counted(self.root, &mut python, Count::Summary)
    }

    fn present(&self, part: &str) -> Result<(), String> {
        if self.root.join(part).exists() { Ok(()) } else { Err(format!("{part} is not here")) }
    }
}

fn counted(root: &Path, command: &mut Command, count: Count) -> Result<Tally, String> {
    let shown = command.get_program().to_string_lossy().into_owned();
    step::run_counted(root, command, count).map_err(|error| format!("{shown}: {error}"))
}
