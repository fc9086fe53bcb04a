//! One token of a circuit that is right, deleted, misspelt, renamed, swapped or duplicated: the
//! circuit means the same, or another thing, or is refused at the line of the change.
//!
//! `ARQON_CASES` and `ARQON_SEED` choose how many and from which seed; `cargo xtask torture H15`
//! sets them for long runs, and `--nocapture` shows the table and all that is said elsewhere.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use arqon_compiler::Compiled;
use arqon_tests::corpus::{self, Circuit};
use arqon_tests::random::Random;
use arqon_tests::setting::setting;
use arqon_tests::token::{CHANGES, Change, Mutant, mutant};

/// Longest time of one case, in the development build and beside other work: it catches what is
/// endless or quadratic, not what is slow.
const CASE_TIME_MAX: Duration = Duration::from_secs(20);

/// How far from the changed lines a place may be.
const LINES_OFF_MAX: u32 = 1;

/// What became of the mutants of one kind.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    same: u64,
    other: u64,
    refused: u64,
    /// Refused, and the first error is at the change.
    first: u64,
    /// Refused, and some error is at the change.
    any: u64,
}

/// What a compiled circuit does, whatever line its parts stand on.
fn meaning(compiled: &Compiled) -> String {
    let told = format!("{:?}{:?}{:?}", compiled.plan, compiled.dataflow, compiled.tests);
    let mut parts = told.split("Place { line: ");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('}').map_or(part, |(_, rest)| rest));
    }
    without_ranges(&plain)
}

/// The text without `12..34`.
fn without_ranges(text: &str) -> String {
    let mut parts = text.split("..");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.truncate(plain.trim_end_matches(|last: char| last.is_ascii_digit()).len());
        plain.push_str(part.trim_start_matches(|first: char| first.is_ascii_digit()));
    }
    plain
}

/// Whether each error, in the order in which they are said, is at the changed lines.
fn hits(compiled: &Compiled, circuit: &Circuit, mutant: &Mutant) -> Vec<bool> {
    let lines = compiled.sources.lines();
    let errors = compiled.diagnostics.iter().filter(|fault| fault.is_error());
    errors
        .map(|fault| {
            let (file, start, end) = lines.range(fault.primary.span);
            file == circuit.name
                && start.line <= mutant.lines.1 + LINES_OFF_MAX
                && mutant.lines.0 <= end.line + LINES_OFF_MAX
        })
        .collect()
}

#[derive(Default)]
struct Report {
    tallies: BTreeMap<Change, Tally>,
    /// Mutants that are circuits of another meaning.
    others: Vec<String>,
    /// Mutants whose first error stands elsewhere, with what is said.
    elsewhere: Vec<String>,
}

impl Report {
    #[expect(clippy::disallowed_methods, reason = "the test measures real time")]
    fn judge(&mut self, circuit: &Circuit, unchanged: &str, mutant: &Mutant) {
        let start = Instant::now();
        let compiled = circuit.compile(&mutant.text);
        let time = start.elapsed();
        let Mutant { change, lines, what, .. } = mutant;
        assert!(time < CASE_TIME_MAX, "{}:{} {what}: {time:?}", circuit.name, lines.0);
        let tally = self.tallies.entry(*change).or_default();
        let hits = hits(&compiled, circuit, mutant);
        let Some(first) = hits.first() else {
            if meaning(&compiled) == unchanged {
                tally.same += 1;
            } else {
                tally.other += 1;
                self.others.push(format!("{}:{} {change:?} {what}", circuit.name, lines.0));
            }
            return;
        };
        tally.refused += 1;
        tally.first += u64::from(*first);
        tally.any += u64::from(hits.contains(&true));
        if !first {
            let errors = compiled.diagnostics.iter().filter(|fault| fault.is_error());
            let said: Vec<String> = errors.map(|it| it.brief(compiled.sources.text())).collect();
            let said = said.iter().take(3).map(String::as_str).collect::<Vec<_>>().join("\n");
            let head = format!("{}:{} {change:?} {what}", circuit.name, lines.0);
            self.elsewhere.push(format!("{head}\n{said}\n"));
        }
    }

    fn table(&self) -> String {
        let mut rows = vec![
            "| change | same | other meaning | refused | first error there | any error there |"
                .to_owned(),
            "| --- | --- | --- | --- | --- | --- |".to_owned(),
        ];
        for (change, tally) in &self.tallies {
            let Tally { same, other, refused, first, any } = tally;
            rows.push(format!("| {change:?} | {same} | {other} | {refused} | {first} | {any} |"));
        }
        rows.join("\n")
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "`--nocapture` shows the figures")]
fn one_changed_token_is_told_at_its_line() {
    let circuits = corpus::circuits();
    let mut unchanged: BTreeMap<&str, String> = BTreeMap::new();
    let mut report = Report::default();
    let (first, cases) = (setting("ARQON_SEED", 1), setting("ARQON_CASES", 300));
    for (seed, change) in (first..first + cases).zip(CHANGES.iter().cycle()) {
        let mut random = Random::new(seed);
        let (circuit, mutant) = std::iter::repeat_with(|| {
            let circuit = random.pick(&circuits);
            mutant(&mut random, &circuit.text, *change).map(|mutant| (circuit, mutant))
        })
        .flatten()
        .next()
        .expect("some token can be changed");
        let unchanged = unchanged
            .entry(&circuit.name)
            .or_insert_with(|| meaning(&circuit.compile(&circuit.text)));
        report.judge(circuit, unchanged, &mutant);
    }
    let table = report.table();
    println!("of another meaning:\n{}\n", report.others.join("\n"));
    println!("told elsewhere:\n{}\n{table}", report.elsewhere.join("\n"));
    let sum = |count: fn(&Tally) -> u64| report.tallies.values().map(count).sum::<u64>();
    let (refused, there) = (sum(|tally| tally.refused), sum(|tally| tally.first));
    println!("{there} of {refused} refused at their line");
    assert!(refused * 3 > cases, "most changes are mistakes:\n{table}");
    assert!(there * 100 >= refused * 90, "{there} of {refused} at their line:\n{table}");
}
