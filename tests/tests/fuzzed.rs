//! The fuzz targets on a stable toolchain: seeded mutations of what is in the house.
//!
//! `ARQON_CASES` and `ARQON_SEED` choose how many and from which seed; `cargo xtask torture
//! fuzz-yaml`, `fuzz-expression` and `fuzz-artifact` set them for long runs. A failure prints the
//! seed and the bytes.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use arqon_plan::Artifact;
use arqon_tests::mutation::{mutated, pieces};
use arqon_tests::random::Random;
use arqon_tests::setting::setting;
use arqon_tests::{corpus, generator};

/// Longest time of one case, in the development build and beside other work: it catches what is
/// endless or quadratic, not what is slow.
const CASE_TIME_MAX: Duration = Duration::from_secs(20);

/// How many cases are made of pieces alone, and of how many pieces.
const PIECES_PERCENT: usize = 5;
const PIECES_MAX: usize = 12;

/// Says which case it was when a body panics.
struct Case<'b> {
    seed: u64,
    bytes: &'b [u8],
}

impl Drop for Case<'_> {
    #[expect(clippy::print_stderr, reason = "the case of a failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = String::from_utf8_lossy(self.bytes);
            eprintln!("ARQON_SEED={}\n{text}\n{:?}", self.seed, text.get(..400));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the test measures real time")]
fn drive(cases: u64, seeds: &[Vec<u8>], body: fn(&[u8])) {
    for bytes in seeds {
        body(bytes);
    }
    let first = setting("ARQON_SEED", 1);
    for seed in first..first + setting("ARQON_CASES", cases) {
        let mut random = Random::new(seed);
        let (one, other) = (random.pick(seeds), random.pick(seeds));
        let bytes = if random.chance(PIECES_PERCENT) {
            pieces(&mut random, PIECES_MAX).into_bytes()
        } else {
            mutated(&mut random, one, other)
        };
        let case = Case { seed, bytes: &bytes };
        let start = Instant::now();
        body(&bytes);
        let time = start.elapsed();
        assert!(time < CASE_TIME_MAX, "{time:?}");
        drop(case);
    }
}

/// Circuits of the corpus and some of the law's.
fn circuits() -> Vec<Vec<u8>> {
    let corpus = corpus::circuits().into_iter().map(|circuit| circuit.text);
    let random = (1..30).map(|seed| generator::circuit(&mut Random::new(seed)));
    corpus.chain(random).map(String::into_bytes).collect()
}

/// What stands behind a colon in the circuits of the corpus, and expressions with every function.
fn expressions() -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    for circuit in corpus::circuits() {
        let lines = circuit.text.lines().filter_map(|line| line.split_once(": "));
        found.extend(lines.map(|(_, value)| value.trim_matches('\'').as_bytes().to_vec()));
    }
    let page = include_str!("../../docs/CIRCUITS.md");
    found.extend(page.split('`').skip(1).step_by(2).map(|code| code.as_bytes().to_vec()));
    found.sort();
    found.dedup();
    found
}

/// The bodies of compiled circuits.
fn artifacts() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for circuit in corpus::circuits() {
        let compiled = circuit.compile(&circuit.text);
        if let Some((plan, dataflow)) = compiled.plan.zip(compiled.dataflow) {
            let bytes =
                arqon_plan::encode(&Artifact { plan, dataflow }).expect("it holds together");
            let sealed = arqon_fuzzed::sealed(&[]);
            found.push(bytes[sealed.len()..].to_vec());
        }
    }
    assert!(found.len() > 30, "{} artifacts", found.len());
    found
}

#[test]
fn any_text_is_a_circuit_or_told_why_not() {
    drive(600, &circuits(), arqon_fuzzed::circuit);
}

#[test]
fn any_text_is_an_expression_or_told_why_not() {
    let seeds = expressions();
    assert!(seeds.len() > 500, "{} expressions", seeds.len());
    drive(20_000, &seeds, arqon_fuzzed::expression);
}

#[test]
fn any_bytes_are_an_artifact_or_told_why_not() {
    drive(2_000, &artifacts(), arqon_fuzzed::artifact);
}

/// The workspace of the fuzz targets has one for each body, and is not part of the house.
#[test]
fn the_targets_of_cargo_fuzz_are_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).expect("the manifest");
    let mut expected = String::new();
    for (target, body) in
        [("yaml", "circuit"), ("expression", "expression"), ("artifact", "artifact")]
    {
        let path = format!("fuzz_targets/{target}.rs");
        let text = std::fs::read_to_string(root.join(&path)).expect("the target");
        assert!(text.contains(&format!("arqon_fuzzed::{body}(bytes)")), "{text}");
        let _ = write!(
            expected,
            "\n[[bin]]\nname = \"{target}\"\npath = \"{path}\"\ntest = false\ndoc = false\n\
             bench = false\n"
        );
    }
    assert!(manifest.ends_with(&expected), "{manifest}");
}
