//! One step of a task: a command that runs, is timed, and whose tests are counted.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Tests that passed, failed and did not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "`n_` marks a count throughout the house")]
pub(crate) struct Tally {
    pub(crate) n_passed: u64,
    pub(crate) n_failed: u64,
    pub(crate) n_ignored: u64,
}

impl Tally {
    /// A step that is one check by itself.
    pub(crate) fn one(passed: bool) -> Self {
        Self { n_passed: u64::from(passed), n_failed: u64::from(!passed), n_ignored: 0 }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.n_passed += other.n_passed;
        self.n_failed += other.n_failed;
        self.n_ignored += other.n_ignored;
    }
}

/// How a step's output is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// The command is one check.
    One,
    /// Lines `test result: ok. 3 passed; 0 failed; 1 ignored; …` of Rust's test harness.
    Libtest,
    /// The closing line `12 passed, 1 skipped in 0.50s` of pytest or of `arqon test`.
    Summary,
}

/// What a step came to.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) took: Duration,
    pub(crate) tally: Tally,
    /// Why the step failed, in a few words.
    pub(crate) fault: Option<String>,
}

/// Runs a command in `folder`; its output goes on to ours, line by line, while it is counted.
pub(crate) fn run_counted(folder: &Path, command: &mut Command, count: Count) -> io::Result<Tally> {
    let mut tally = Tally::default();
    let status = run_told(command.current_dir(folder).stdin(Stdio::null()), |line| {
        tally.add(match count {
            Count::One => Tally::default(),
            Count::Libtest => libtest_line(line).unwrap_or_default(),
            Count::Summary => summary_line(line).unwrap_or_default(),
        });
    })?;
    if count == Count::One {
        tally = Tally::one(status.success());
    } else if !status.success() && tally.n_failed == 0 {
        // The command fell over before or beside its tests, for example while compiling them.
        tally.n_failed = 1;
    } else if status.success() && tally.n_passed == 0 {
        // A suite that runs nothing must not look like one that passes.
        tally.n_failed = 1;
    }
    Ok(tally)
}

/// Runs a command; its output goes on to ours, line by line, and each line is told.
pub(crate) fn run_told(
    command: &mut Command,
    mut tell: impl FnMut(&str),
) -> io::Result<ExitStatus> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().expect("the child's output is piped");
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        say(&line);
        tell(&line);
    }
    child.wait()
}

/// Times one step and prints its head line.
#[expect(clippy::disallowed_methods, reason = "a task times its steps")]
pub(crate) fn timed(name: &str, work: impl FnOnce() -> Result<Tally, String>) -> Report {
    say(&format!("\n== {name}"));
    let start = Instant::now();
    let outcome = work();
    let took = start.elapsed();
    let (tally, fault) = match outcome {
        Ok(tally) if tally.n_failed == 0 => (tally, None),
        Ok(tally) => (tally, Some(format!("{} failed", tally.n_failed))),
        Err(fault) => (Tally::one(false), Some(fault)),
    };
    if let Some(fault) = &fault {
        say(&format!("-- {name}: {fault}"));
    }
    Report { name: name.to_owned(), took, tally, fault }
}

/// The closing table, and as its last line the totals.
pub(crate) fn closing_table(reports: &[Report]) -> (String, bool) {
    let mut total = Tally::default();
    let mut lines = vec![format!(
        "{:<10} {:>8} {:>8} {:>8} {:>9}",
        "step", "passed", "failed", "ignored", "seconds"
    )];
    for Report { name, took, tally, fault } in reports {
        let Tally { n_passed, n_failed, n_ignored } = *tally;
        total.add(*tally);
        let seconds = took.as_secs_f64();
        let fault = fault.as_deref().map(|fault| format!("  {fault}")).unwrap_or_default();
        lines.push(format!(
            "{name:<10} {n_passed:>8} {n_failed:>8} {n_ignored:>8} {seconds:>9.1}{fault}"
        ));
    }
    lines.push(format!("{} passed, {} failed", total.n_passed, total.n_failed));
    (lines.join("\n"), total.n_failed == 0)
}

#[expect(clippy::print_stdout, reason = "a command's own voice")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

fn libtest_line(line: &str) -> Option<Tally> {
    let counts = line.trim().strip_prefix("test result: ")?.split_once(". ")?.1;
    Some(Tally {
        n_passed: count_before(counts, "passed")?,
        n_failed: count_before(counts, "failed")?,
        n_ignored: count_before(counts, "ignored")?,
    })
}

/// `2 failed, 10 passed, 1 skipped in 3.21s`, perhaps between `=` signs.
fn summary_line(line: &str) -> Option<Tally> {
    let line = line.trim_matches(['=', ' ']);
    let known = ["passed", "failed", "skipped", "error", "errors"];
    let counts = line.split(" in ").next()?;
    let is_summary = counts.split(", ").all(|part| {
        let mut words = part.split(' ');
        let number = words.next().is_some_and(|word| word.parse::<u64>().is_ok());
        let named = words.next().is_some_and(|word| known.contains(&word) || word == "warnings");
        number && named && words.next().is_none()
    });
    if !is_summary {
        return None;
    }
    let of = |word| count_before(counts, word).unwrap_or(0);
    Some(Tally {
        n_passed: of("passed"),
        n_failed: of("failed") + of("error") + of("errors"),
        n_ignored: of("skipped"),
    })
}

fn count_before(counts: &str, word: &str) -> Option<u64> {
    counts
        .split([',', ';'])
        .map(str::trim)
        .find_map(|part| part.strip_suffix(word)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(n_passed: u64, n_failed: u64, n_ignored: u64) -> Tally {
        Tally { n_passed, n_failed, n_ignored }
    }

    #[test]
    fn result_lines_are_counted() {
        let line = "test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out";
        assert_eq!(libtest_line(line), Some(tally(3, 1, 2)));
        assert_eq!(libtest_line("test a_test ... ok"), None);
    }

    #[test]
    fn summaries_are_counted() {
        let line = "===== 2 failed, 10 passed, 1 skipped in 3.21s =====";
        assert_eq!(summary_line(line), Some(tally(10, 2, 1)));
        assert_eq!(summary_line("12 passed in 0.50s"), Some(tally(12, 0, 0)));
        assert_eq!(summary_line("1 passed, 1 error in 0.50s"), Some(tally(1, 1, 0)));
        assert_eq!(summary_line("7 passed, 0 failed"), Some(tally(7, 0, 0)));
        assert_eq!(summary_line("all 7 passed the door"), None);
        assert_eq!(summary_line(""), None);
    }

    #[test]
    fn the_last_line_of_the_table_is_the_total() {
        let report = |name: &str, tally, fault| Report {
            name: name.to_owned(),
            took: Duration::from_millis(1500),
            tally,
            fault,
        };
        let reports = [
            report("rust", tally(40, 0, 1), None),
            report("python", tally(2, 1, 0), Some("1 failed".to_owned())),
        ];
        let (table, passed) = closing_table(&reports);
        assert_eq!(table.lines().last(), Some("42 passed, 1 failed"));
        assert!(!passed);
    }

    #[test]
    fn a_suite_that_runs_nothing_fails() {
        let mut nothing = Command::new("true");
        let tally = run_counted(Path::new("."), &mut nothing, Count::Libtest).unwrap();
        assert_eq!(tally.n_failed, 1);
    }
}
