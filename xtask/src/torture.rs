//! `cargo xtask torture`: long runs of tests whose everyday form is short, with a seed and a count.

use std::path::Path;
use std::process::Command;

use crate::step::say;
use crate::suite;

/// What to run, and how much of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The run; without it, all are listed.
    name: Option<String>,
    /// How many cases.
    #[arg(long, visible_alias = "count")]
    cases: Option<u64>,
    /// The first seed; a failure prints the seed to come back to.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// A long run: a test that reads `ARQON_CASES` and `ARQON_SEED`, or proptest's names for them.
struct Run {
    name: &'static str,
    about: &'static str,
    cases: u64,
    package: &'static str,
    target: &'static str,
    test: &'static str,
}

/// A long run of files in `tests/oracle`, which read the same settings.
struct OracleRun {
    name: &'static str,
    about: &'static str,
    cases: u64,
    files: &'static [&'static str],
}

/// The target of tests that stand beside the code of their package.
const LIBRARY: &str = "";

const ORACLE_RUNS: &[OracleRun] = &[
    OracleRun {
        name: "answers",
        about: "`nexmark`, `tpch` and `graphs`, one after another",
        cases: 20,
        files: &["test_nexmark.py", "test_tpch.py", "test_graphs.py"],
    },
    OracleRun {
        name: "nexmark",
        about: "the Nexmark queries on both back ends over 200,000 events: as loaded, each case a \
            random split into epochs, and every fourth one in which 5 % of the events go and come \
            back: DuckDB's answers",
        cases: 20,
        files: &["test_nexmark.py"],
    },
    OracleRun {
        name: "tpch",
        about: "the 22 TPC-H queries on both back ends: as loaded, each case a random split into \
            epochs in which 5 % of the rows go and come back, and after rows changed: DuckDB's \
            answers",
        cases: 20,
        files: &["test_tpch.py"],
    },
    OracleRun {
        name: "graphs",
        about: "reachability, components and shortest paths, by loops on both back ends and by \
            kernels, each case a random graph that changes 1,000 times: after each change \
            networkx's answers",
        cases: 20,
        files: &["test_graphs.py"],
    },
];

const RUNS: &[Run] = &[
    Run {
        name: "B01",
        about: "random circuits and updates: the sum of the deltas is the recomputation, on both \
                back ends and 1, 2 or 4 workers",
        cases: 20_000,
        package: "arqon-tests",
        target: "law",
        test: "the_sum_of_the_deltas_is_the_recomputation",
    },
    Run {
        name: "bypass",
        about: "plans and circuits with one bypass put in: found under its code, at its place, with a \
                way that is there; and no alarm without one",
        cases: 1_000,
        package: "arqon-tests",
        target: "bypass",
        test: "every_seeded_bypass_is_found",
    },
    Run {
        name: "B02",
        about: "random circuits with windows over late and out-of-order rows: as B01, and no cut into \
                epochs, worker or back end has a say in who is late",
        cases: 2_000,
        package: "arqon-tests",
        target: "law",
        test: "late_rows_are_late_however_epochs_are_cut",
    },
    Run {
        name: "soak",
        about: "streams without end, so many epochs: no step holds more than its printed formula, and \
                the memory stays where it was",
        cases: 100_000,
        package: "arqon-tests",
        target: "soak",
        test: "state_stays_within_its_printed_bound",
    },
    Run {
        name: "chain",
        about: "circuits that read what others write, and come, change and go: each epoch of each is the \
                recomputation",
        cases: 500,
        package: "arqon-tests",
        target: "live",
        test: "chain::the_end_of_a_chain_is_the_recomputation_at_every_epoch",
    },
    Run {
        name: "live",
        about: "circuits over the same topics come, change and go: what subscribers fold is the \
                recomputation, whenever they came",
        cases: 500,
        package: "arqon-tests",
        target: "live",
        test: "law::subscribers_fold_the_recomputation_while_circuits_come_and_go",
    },
    Run {
        name: "B03",
        about: "random circuits and updates: the same deltas, byte for byte, from 1, 2 and 4 workers on \
                both back ends",
        cases: 500,
        package: "arqon-tests",
        target: "law",
        test: "workers::any_number_of_workers_gives_the_same_deltas",
    },
    Run {
        name: "B04",
        about: "subscribers that join at every epoch: snapshot and deltas are the state, without gap or \
                overlap",
        cases: 5_000,
        package: "arqon-spine",
        target: LIBRARY,
        test: "bus_tests::snapshot_and_deltas_are_the_state",
    },
    Run {
        name: "B05",
        about: "random circuits with retractions of rows that are not there: an error row each, and all \
                else as without them",
        cases: 2_000,
        package: "arqon-tests",
        target: "law",
        test: "unknown::retractions_of_unknown_rows_change_nothing",
    },
    Run {
        name: "B06",
        about: "linear transforms, steps of `itmd`: within their bound and 1e-9 of the largest \
                output",
        cases: 1_000_000,
        package: "arqon-kernels",
        target: "laws",
        test: "walks::itmd_does_not_drift_away",
    },
    Run {
        name: "B07",
        about: "linear transforms, steps of `rr`: never further off than they say",
        cases: 100_000,
        package: "arqon-kernels",
        target: "laws",
        test: "walks::rr_is_never_further_off_than_it_says",
    },
    Run {
        name: "B08",
        about: "linear transforms whose mode and policy change at random: no change is lost",
        cases: 10_000,
        package: "arqon-kernels",
        target: "laws",
        test: "controller::a_thousand_random_switches_lose_no_change",
    },
    Run {
        name: "B09",
        about: "as B01, while floats are NaN, infinite, -0, denormal or enormous",
        cases: 2_000,
        package: "arqon-tests",
        target: "law",
        test: "odd_floats_are_values_like_others",
    },
    Run {
        name: "B12",
        about: "random circuits in which a node comes to read itself: the cycle is named",
        cases: 5_000,
        package: "arqon-tests",
        target: "law",
        test: "cycles::a_cycle_without_delay_is_named",
    },
    Run {
        name: "B14",
        about: "rows for which an expression has no value, over a websocket: an error row and a count \
                each, and the server, the session and all other rows go on",
        cases: 10_000,
        package: "arqon-tests",
        target: "sockets",
        test: "poison::poison_is_an_error_row_and_everything_else_goes_on",
    },
    Run {
        name: "fuzz-yaml",
        about: "texts made of the corpus by seeded damage: a circuit with its canonical form and \
                artifact, or told why not",
        cases: 20_000,
        package: "arqon-tests",
        target: "fuzzed",
        test: "any_text_is_a_circuit_or_told_why_not",
    },
    Run {
        name: "fuzz-expression",
        about: "expressions likewise: typed and computed over two rows, or told why not",
        cases: 1_000_000,
        package: "arqon-tests",
        target: "fuzzed",
        test: "any_text_is_an_expression_or_told_why_not",
    },
    Run {
        name: "fuzz-artifact",
        about: "bodies of artifacts likewise, under a right hash: read and written the same, or \
                refused",
        cases: 100_000,
        package: "arqon-tests",
        target: "fuzzed",
        test: "any_bytes_are_an_artifact_or_told_why_not",
    },
    Run {
        name: "H01",
        about: "aliases that multiply, behind circuits of the corpus: refused within 50 ms",
        cases: 1_000,
        package: "arqon-tests",
        target: "hostile",
        test: "aliases_do_not_multiply",
    },
    Run {
        name: "H02",
        about: "nesting up to 100,000 deep, on a stack of 512 KiB: refused within half a \
                second",
        cases: 1_000,
        package: "arqon-tests",
        target: "hostile",
        test: "nesting_ends_at_its_limit",
    },
    Run {
        name: "H03",
        about: "circuits of so many megabytes, of many shapes: each is checked in under 3 s, or \
                refused by a named limit",
        cases: 10,
        package: "arqon",
        target: "large",
        test: "ten_megabytes_of_any_shape_are_answered_in_time",
    },
    Run {
        name: "H04",
        about: "doubled keys, unknown fields, tags, merges, keys that are no names, and \
                scalars that YAML guesses at: refused with the code of the fault",
        cases: 2_000,
        package: "arqon-tests",
        target: "hostile",
        test: "what_yaml_would_guess_is_refused",
    },
    Run {
        name: "H05",
        about: "control characters, turns of direction, lone surrogates and UTF-16 anywhere \
                in circuits: refused with the code of the fault",
        cases: 2_000,
        package: "arqon-tests",
        target: "hostile",
        test: "odd_characters_are_refused_where_they_stand",
    },
    Run {
        name: "H06",
        about: "expressions of great depth, length and numbers: refused within 50 ms",
        cases: 1_000,
        package: "arqon-tests",
        target: "hostile",
        test: "expressions_end_at_their_limits",
    },
    Run {
        name: "H07",
        about: "patterns that would explode: refused by their limit",
        cases: 1_000,
        package: "arqon-tests",
        target: "hostile",
        test: "patterns_end_at_their_limits",
    },
    Run {
        name: "H08",
        about: "imports that leave the folder, and files that import each other: nothing \
                outside is loaded, each cycle is named",
        cases: 10_000,
        package: "arqon-tests",
        target: "hostile",
        test: "imports_stay_within_and_end",
    },
    Run {
        name: "H09",
        about: "deep, wide, doubling and circular schemas: refused by a named limit",
        cases: 1_000,
        package: "arqon-tests",
        target: "hostile",
        test: "types_end_at_their_limits",
    },
    Run {
        name: "H14",
        about: "every code is explained by an example that has the fault; no more than that \
                to run",
        cases: 1,
        package: "arqon-tests",
        target: "explained",
        test: "every_code_is_explained_by_an_example_that_has_the_fault",
    },
    Run {
        name: "H15",
        about: "circuits of the corpus with one token deleted, misspelt, renamed, swapped or \
                duplicated: the same meaning, another one, or an error at the changed line in 90 %",
        cases: 5_000,
        package: "arqon-tests",
        target: "mutants",
        test: "one_changed_token_is_told_at_its_line",
    },
    Run {
        name: "attention",
        about: "one walk of so many steps of attention, in which tokens change, some to a million, \
                and are put back: true within the bound, and the bound within what was allowed",
        cases: 200_000,
        package: "arqon-kernels",
        target: "attention",
        test: "a_long_walk_stays_within_its_bound",
    },
    Run {
        name: "nystrom",
        about: "one walk of so many steps of kernel regression, in which rows change and are put back: \
                true within the bound, and the bound near",
        cases: 100_000,
        package: "arqon-kernels",
        target: "nystrom",
        test: "a_long_walk_stays_within_its_bound",
    },
    Run {
        name: "C03",
        about: "frames without a mask, of any kind, after and in pieces of any length: closed with \
                1002, and others are served on",
        cases: 5_000,
        package: "arqon-shield",
        target: "hostile",
        test: "violations::frames_without_a_mask_close_with_1002",
    },
    Run {
        name: "C04",
        about: "frame headers that claim 2^63 bytes: closed with 1009, memory grows by less than \
                1 MiB",
        cases: 2_000,
        package: "arqon",
        target: "floods",
        test: "a_frame_that_claims_2_to_the_63_bytes_costs_no_memory",
    },
    Run {
        name: "C05",
        about: "messages of 1,000,000 fragments of 1 KiB: closed with 1009, memory grows by less \
                than the limit and 2 MiB",
        cases: 50,
        package: "arqon",
        target: "floods",
        test: "a_message_without_end_costs_no_more_than_its_limit",
    },
    Run {
        name: "C06",
        about: "floods of pings, pongs and empty fragments: closed with 1008, the p99 of another \
                client's publishes stays below twice its quiet one",
        cases: 20,
        package: "arqon",
        target: "floods",
        test: "a_flood_without_messages_does_not_hold_up_others",
    },
    Run {
        name: "C07",
        about: "text that is not UTF-8, reserved bits, unknown opcodes and frames out of place: \
                closed with 1007 or 1002, and others are served on",
        cases: 5_000,
        package: "arqon-shield",
        target: "hostile",
        test: "violations::no_text_and_no_frame_close_with_1007_and_1002",
    },
    Run {
        name: "kernel-graphs",
        about: "steps of graphs that change at random, in every algorithm and mode: the answers of \
                the definition after each, within the bound",
        cases: 100_000,
        package: "arqon-kernels",
        target: LIBRARY,
        test: "dynamic_graph::tests::walks::answers_are_those_of_the_definition_after_every_step",
    },
    Run {
        name: "kernel-grids",
        about: "steps of grids whose cells are set at random, in every equation: `itmd` agrees with \
                `pass` in every bit, and all with plain loops, within the bound",
        cases: 100_000,
        package: "arqon-kernels",
        target: LIBRARY,
        test: "pde_solver::tests::modes_agree_in_every_bit_and_with_the_oracle",
    },
];

/// Runs the named test in release; true if it passed.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<bool, String> {
    let Some(name) = &arguments.name else {
        for run in RUNS {
            say(&format!("{}  {} ({} cases)", run.name, run.about, run.cases));
        }
        for run in ORACLE_RUNS {
            say(&format!("{}  {} ({} cases)", run.name, run.about, run.cases));
        }
        return Ok(true);
    };
    if let Some(run) = ORACLE_RUNS.iter().find(|run| run.name.eq_ignore_ascii_case(name)) {
        return oracle(root, run, arguments);
    }
    let run = RUNS
        .iter()
        .find(|run| run.name.eq_ignore_ascii_case(name))
        .ok_or_else(|| format!("no run `{name}`; `cargo xtask torture` lists them"))?;
    let cases = arguments.cases.unwrap_or(run.cases);
    say(&format!("{}: {cases} cases from seed {}", run.name, arguments.seed));
    let target = if run.target == LIBRARY { vec!["--lib"] } else { vec!["--test", run.target] };
    let (n_cases, seed) = (cases.to_string(), arguments.seed.to_string());
    let status = Command::new("cargo")
        .args(["test", "--release", "-p", run.package])
        .args(target)
        .args(["--", "--exact", run.test, "--nocapture"])
        .envs([("ARQON_CASES", &n_cases), ("PROPTEST_CASES", &n_cases)])
        .envs([("ARQON_SEED", &seed), ("PROPTEST_RNG_SEED", &seed)])
        .current_dir(root)
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    Ok(status.success())
}

fn oracle(root: &Path, run: &OracleRun, arguments: &Arguments) -> Result<bool, String> {
    let cases = arguments.cases.unwrap_or(run.cases);
    say(&format!("{}: {cases} cases from seed {}", run.name, arguments.seed));
    let settings = [
        ("ARQON_CASES", cases.to_string().into()),
        ("ARQON_SEED", arguments.seed.to_string().into()),
        ("ARQON_BACKENDS", "hash,arrangements".into()),
        // A line for each test, since they are long.
        ("PYTEST_ADDOPTS", "-vv".into()),
    ];
    suite::torture_oracle(root, run.files, &settings)
}
