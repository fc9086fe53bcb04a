//! House rules, checked as an ordinary test. Law: floors, homes, absences, reading order, headers,
//! columns, no `should_panic`, no bare `ignore`. Advice, only printed: long files and functions.

mod manifests;
mod order;
mod sources;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use manifests::Manifest;
use manifests::Rules;

/// Crate folder and the floor it stands on. A crate may depend only on lower floors.
const FLOORS: &[(&str, u32)] = &[
    ("types", 0),
    ("grammar", 1),
    ("proto", 1),
    ("kernels", 1),
    ("operators", 1),
    ("plot", 1),
    ("benches/report", 2),
    ("compiler/plan", 2),
    ("sdk/rust", 2),
    ("runtime/spine", 2),
    ("runtime/formats", 2),
    ("compiler", 3),
    ("runtime/engine", 3),
    ("runtime/shield", 3),
    ("runtime/server", 4),
    ("editor", 4),
    ("cli", 5),
    ("tests/fuzzed", 5),
    ("tests", 6),
    ("benches", 6),
    ("benches/kernels", 6),
    ("xtask", 6),
];

/// A foreign crate and the only folders whose production code may name it.
const HOMES: &[(&str, &[&str])] = &[
    ("timely", &["runtime/engine", "benches"]),
    ("differential-dataflow", &["runtime/engine", "benches"]),
    ("petgraph", &["compiler/plan", "compiler"]),
    ("pest", &["grammar"]),
    ("pest_derive", &["grammar"]),
    ("granit-parser", &["grammar"]),
    ("protox", &["grammar", "xtask"]),
    ("miette", &["grammar"]),
    ("annotate-snippets", &["cli"]),
    ("unicode-width", &["cli"]),
    ("prost", &["proto"]),
    ("prost-types", &["proto"]),
    ("prost-reflect", &["proto"]),
    ("prost-build", &["xtask"]),
    ("ndarray", &["kernels", "benches/kernels"]),
    ("faer", &["kernels", "benches/kernels"]),
    ("pulp", &["kernels", "benches/kernels"]),
    ("bytemuck", &["kernels"]),
    ("memmap2", &["kernels"]),
    ("rayon", &["kernels", "benches/kernels", "runtime/engine"]),
    ("tokio", &["runtime/shield", "runtime/server", "sdk/rust", "cli", "benches"]),
    ("tokio-tungstenite", &["runtime/shield", "sdk/rust", "benches"]),
    ("jsonwebtoken", &["runtime/shield"]),
    ("serde_yaml", &["runtime/server", "tests"]),
    ("regex", &["operators"]),
    ("regex-syntax", &["operators"]),
    ("csv", &["runtime/formats"]),
    ("memchr", &["runtime/formats"]),
    ("flate2", &["runtime/formats"]),
    ("zstd", &["runtime/formats"]),
    ("parquet", &["runtime/formats"]),
    ("clap", &["cli", "xtask"]),
    ("layout-rs", &["cli"]),
    ("similar", &["cli"]),
    ("lsp-types", &["editor"]),
    ("tpchgen", &["xtask"]),
    ("nexmark", &["xtask"]),
    ("plotters", &["plot"]),
];

/// What a crate must not reach, directly or through anything it depends on.
const ABSENCES: &[(&str, &[&str])] = &[
    ("types", &["tokio", "timely"]),
    ("grammar", &["arqon-types", "tokio", "timely"]),
    ("kernels", &["tokio", "timely"]),
    ("proto", &["tokio", "timely"]),
    ("compiler/plan", &["tokio", "timely", "pest", "granit-parser"]),
    ("compiler", &["tokio", "timely", "differential-dataflow", "arqon-engine"]),
    ("runtime/engine", &["tokio", "tokio-tungstenite", "pest", "granit-parser", "arqon-proto"]),
    ("runtime/spine", &["tokio", "tokio-tungstenite", "timely", "petgraph"]),
    ("runtime/shield", &["arqon-plan", "arqon-engine", "arqon-compiler", "petgraph", "timely"]),
    ("sdk/rust", &["arqon-spine", "arqon-shield", "arqon-engine", "arqon-plan", "timely"]),
];

/// Parts of the standard library that a pure room does not name.
const PURE: &[(&str, &[&str])] = &[
    ("types", OUTSIDE_WORLD),
    ("grammar", OUTSIDE_WORLD),
    ("proto", OUTSIDE_WORLD),
    ("kernels", OUTSIDE_WORLD),
    ("operators", OUTSIDE_WORLD),
    ("compiler/plan", OUTSIDE_WORLD),
    ("compiler", OUTSIDE_WORLD),
    ("runtime/spine", OUTSIDE_WORLD),
    ("runtime/engine", &["fs", "net", "process", "env"]),
];

const OUTSIDE_WORLD: &[&str] = &["fs", "net", "process", "env", "thread"];

#[test]
fn crates_stand_on_their_floors() {
    let root = root();
    let manifests = read_manifests(&root);
    let lock = manifests::parse_lock(&read(&root.join("Cargo.lock")));
    let renames = manifests::parse_renames(&read(&root.join("Cargo.toml")));
    let rules =
        Rules { floors: FLOORS, homes: HOMES, absences: ABSENCES, lock: &lock, renames: &renames };
    let mut faults = manifests::check(&manifests, &rules);
    faults.extend(manifests::check_members(&read(&root.join("Cargo.toml")), FLOORS));
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn modules_stand_in_reading_order() {
    let root = root();
    let mut faults = Vec::new();
    for (folder, _) in FLOORS {
        let src = root.join(folder).join("src");
        let top = ["lib.rs", "main.rs"].map(|name| src.join(name)).into_iter().find(|p| p.exists());
        let top = top.unwrap_or_else(|| panic!("{folder} has neither lib.rs nor main.rs"));
        let order = order::reading_order(&read(&top)).expect("a crate root parses");
        let pure = PURE.iter().find(|(name, _)| name == folder).map_or(&[][..], |(_, not)| *not);
        for path in rust_files(&src) {
            let name = shown(&root, &path);
            let inner = path.strip_prefix(&src).expect("the file is under src");
            if order::is_test_module(inner) {
                continue;
            }
            let own = order::module_of(inner);
            faults.extend(order::check(&name, &own, &read(&path), &order));
            faults.extend(order::check_purity(&name, &read(&path), pure));
        }
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
#[expect(clippy::print_stderr, reason = "lengths are advice: shown, never failing")]
fn files_are_tidy() {
    let root = root();
    let mut faults = Vec::new();
    let mut warnings = Vec::new();
    for (folder, _) in FLOORS {
        for inner in ["src", "tests", "benches", "examples"] {
            for path in rust_files(&root.join(folder).join(inner)) {
                let (name, text) = (shown(&root, &path), read(&path));
                faults.extend(sources::check(&name, &text));
                warnings.extend(sources::lengths(&name, &text));
            }
        }
    }
    for warning in &warnings {
        eprintln!("advice: {warning}");
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests crate stands in the checkout").to_path_buf()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read_manifests(root: &Path) -> BTreeMap<&'static str, Manifest> {
    FLOORS
        .iter()
        .map(|(folder, _)| {
            (*folder, manifests::parse(&read(&root.join(folder).join("Cargo.toml"))))
        })
        .collect()
}

fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).expect("the file is in the checkout").display().to_string()
}

/// Every `.rs` file below a folder, in name order; none when the folder is not there.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut stack = vec![folder.to_path_buf()];
    while let Some(folder) = stack.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                stack.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
