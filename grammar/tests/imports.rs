//! Imports through a loader that holds its files in memory: paths, circles, limits, protobuf.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use arqon_grammar::ast::{Circuit, TypeKind};
use arqon_grammar::limits::{IMPORT_BYTES_MAX, IMPORT_DEPTH_MAX, IMPORT_FILES_MAX};
use arqon_grammar::{
    LoadFault, Loader, Main, NoFiles, ParseOptions, Reading, Spanned, read_circuit,
};

/// Files by their paths, and how often each was asked for.
#[derive(Default)]
struct Files {
    texts: BTreeMap<String, String>,
    asked: BTreeMap<String, usize>,
}

impl Files {
    fn with(mut self, path: &str, text: &str) -> Self {
        self.texts.insert(path.to_owned(), text.to_owned());
        self
    }
}

impl Loader for Files {
    fn load(&mut self, path: &str) -> Result<String, LoadFault> {
        *self.asked.entry(path.to_owned()).or_default() += 1;
        self.texts.get(path).cloned().ok_or(LoadFault::Missing { near: Vec::new() })
    }
}

fn read(text: &str, files: &mut dyn Loader) -> Reading {
    let main = Main { name: "here/a.yaml", text, path: "a.yaml", root: "here" };
    read_circuit(main, files, &ParseOptions::default())
}

/// The diagnostics as `file:line:column code message`.
fn faults(reading: &Reading) -> Vec<String> {
    let lines = reading.sources.lines();
    let line = |found: &arqon_grammar::Diagnostic| {
        format!("{} {} {}", lines.place(found.primary.span), found.code, found.message)
    };
    reading.diagnostics.iter().map(line).collect()
}

fn circuit(reading: Reading) -> Circuit {
    assert_eq!(faults(&reading), Vec::<String>::new());
    reading.circuit.expect("the circuit is readable")
}

const MAIN: &str = "arqon: 1\ncircuit: a\nimport: [x.yaml, y.yaml]\nschemas:\n  A: { id: int64 }\n";

#[test]
fn a_file_is_read_once_however_often_it_is_named() {
    let mut files = Files::default()
        .with("x.yaml", "arqon: 1\nimport: lib/z.yaml\nschemas: { X: { z: Z } }\n")
        .with("y.yaml", "arqon: 1\nimport: [./lib/z.yaml, x.yaml]\nfunctions: { f(a): a }\n")
        .with("lib/z.yaml", "arqon: 1\nschemas: { Z: { id: int64 } }\nparams: { n: 1 }\n");
    let found = circuit(read(MAIN, &mut files));
    let names: Vec<&str> = found.schemas.iter().map(|schema| schema.name.as_str()).collect();
    assert_eq!(names, ["A", "Z", "X"]);
    assert_eq!((found.functions.len(), found.params.len()), (1, 1));
    assert!(files.asked.values().all(|count| *count == 1), "{:?}", files.asked);
}

#[test]
fn faults_are_placed_in_the_file_that_has_them() {
    let mut files = Files::default()
        .with("x.yaml", "\u{feff}arqon: 1\nschemas:\n  X: { µ: int64, b: lis<int64> }\n")
        .with("y.yaml", "arqon: 1\nschemas: { A: { id: int64 }\n");
    let reading = read(MAIN, &mut files);
    let found = faults(&reading);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].starts_with("here/x.yaml:3:8 E0016"), "{found:#?}");
    assert!(found[1].starts_with("here/x.yaml:3:21 E0021"), "{found:#?}");
    assert!(found[2].starts_with("here/y.yaml:2:10 E0001"), "{found:#?}");
    assert!(reading.circuit.expect("the circuit itself is readable").is_incomplete);
}

#[test]
fn a_circuit_in_memory_imports_nothing() {
    let found = faults(&read(MAIN, &mut NoFiles));
    assert_eq!(found[0], "here/a.yaml:3:10 E0030 `x.yaml` cannot be read from here");
    assert_eq!(found.len(), 2);
}

#[test]
fn messages_of_arqonbus_are_there_without_a_file() {
    let text = "arqon: 1\ncircuit: a\nimport: arqonbus/itmd/v1/result.proto\n";
    let names: Vec<String> = circuit(read(text, &mut NoFiles))
        .schemas
        .into_iter()
        .map(|schema| schema.name.node)
        .collect();
    for name in ["ItmdJob", "ItmdResult", "ItmdMetrics"] {
        assert!(names.iter().any(|known| known == name), "{name} is not among {names:?}");
    }
    let misspelt = "arqon: 1\ncircuit: a\nimport: arqonbus/itmd/v1/metric.proto\n";
    let found = faults(&read(misspelt, &mut Files::default()));
    assert!(found[0].starts_with("here/a.yaml:3:9 E0030"), "{found:?}");
}

#[test]
fn a_chain_and_a_number_of_files_end_at_their_limits() {
    let mut files = Files::default();
    for at in 0..=IMPORT_DEPTH_MAX {
        let text = format!("arqon: 1\nimport: [n{}.yaml]\n", at + 1);
        files = files.with(&format!("n{at}.yaml"), &text);
    }
    let found = faults(&read("arqon: 1\ncircuit: a\nimport: n0.yaml\n", &mut files));
    let end = format!("here/n{}.yaml:2:10 E0034", IMPORT_DEPTH_MAX - 1);
    assert!(found.len() == 1 && found[0].starts_with(&end), "{found:#?}");

    let mut files = Files::default();
    let mut text = "arqon: 1\ncircuit: a\nimport:\n".to_owned();
    for at in 0..=IMPORT_FILES_MAX {
        writeln!(text, "  - m{at}.yaml").expect("a string takes all");
        files = files.with(&format!("m{at}.yaml"), "arqon: 1\nschemas: {}\n");
    }
    let found = faults(&read(&text, &mut files));
    assert!(found.len() == 1 && found[0].contains(" E0034 "), "{found:#?}");
    assert!(found[0].starts_with(&format!("here/a.yaml:{}:5", IMPORT_FILES_MAX + 4)), "{found:#?}");
}

#[test]
fn a_large_text_is_not_taken() {
    let large = format!("arqon: 1\nschemas: {{}}\n# {}\n", "x".repeat(IMPORT_BYTES_MAX / 4 - 64));
    let mut files = Files::default();
    let mut text = "arqon: 1\ncircuit: a\nimport:\n".to_owned();
    for at in 0..5 {
        writeln!(text, "  - m{at}.yaml").expect("a string takes all");
        files = files.with(&format!("m{at}.yaml"), &large);
    }
    let found = faults(&read(&text, &mut files));
    assert!(found.len() == 1 && found[0].starts_with("here/a.yaml:8:5 E0034"), "{found:#?}");
}

/// The fields of a message as `name: type`.
fn fields(found: &Circuit, schema: &str) -> Vec<String> {
    let schema = found.schemas.iter().find(|one| one.name.node == schema).expect("it is there");
    let field = |field: &arqon_grammar::ast::Field| {
        format!("{}: {}", field.name.node, written(&field.ty.kind))
    };
    schema.fields.iter().map(field).collect()
}

fn written(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Option(inner) => format!("option<{}>", written(&inner.kind)),
        TypeKind::List(inner) => format!("list<{}>", written(&inner.kind)),
        TypeKind::Map(inner) => format!("map<{}>", written(&inner.kind)),
        TypeKind::Enum(names) => {
            let names: Vec<&str> = names.iter().map(Spanned::as_str).collect();
            format!("enum<{}>", names.join("|"))
        }
        TypeKind::Named(name) => name.clone(),
        other => format!("{other:?}").to_lowercase(),
    }
}

#[test]
fn messages_are_schemas() {
    let proto3 = r#"
        syntax = "proto3";
        package lab.v1;
        import "lab/units.proto";
        import public "more.proto";
        message Frame {
          int32 a = 1; sfixed64 b = 2; float c = 3; bytes d = 4;
          map<string, Unit> units = 5;
          map<string, bytes> raws = 6;
          repeated Unit list = 7;
          oneof one { string e = 8; Inner f = 9; }
          message Inner { optional double x = 1; Deep deep = 2; message Deep { bool y = 1; } }
          lab.v1.Frame.Inner.Deep g = 10;
          google.protobuf.Duration h = 11;
          repeated google.protobuf.Int64Value i = 12;
          More j = 13;
        }
    "#;
    let units = "syntax = \"proto3\"; package lab; enum Unit { A = 0; B = 1; }";
    let more = "message More { required int64 a = 1; optional int64 b = 2; repeated int64 c = 3; }";
    let mut files = Files::default()
        .with("lab/frames.proto", proto3)
        .with("lab/units.proto", units)
        .with("lab/more.proto", more);
    let found = circuit(read("arqon: 1\ncircuit: a\nimport: [lab/frames.proto]\n", &mut files));
    let wanted = [
        "a: int64",
        "b: int64",
        "c: float32",
        "d: bytes",
        "units: map<enum<A|B>>",
        "raws: map<bytes>",
        "list: list<enum<A|B>>",
        "e: option<string>",
        "f: option<Frame_Inner>",
        "g: Frame_Inner_Deep",
        "h: duration",
        "i: list<option<int64>>",
        "j: More",
    ];
    assert_eq!(fields(&found, "Frame"), wanted);
    assert_eq!(fields(&found, "Frame_Inner"), ["x: option<float64>", "deep: Frame_Inner_Deep"]);
    assert_eq!(fields(&found, "More"), ["a: int64", "b: option<int64>", "c: list<int64>"]);
}

#[test]
fn protobuf_files_end_at_their_limits_too() {
    let deep =
        format!("syntax = \"proto3\"; {}{}", "message M {".repeat(20_000), "}".repeat(20_000));
    let comment = format!("/* {}", "/* ".repeat(20_000));
    let quotes = "syntax = \"".to_owned();
    let many: String = (1..=1_001).fold("message M {".to_owned(), |mut text, n| {
        write!(text, "required bool f{n} = {n};").expect("a string takes all");
        text
    }) + "}";
    for (text, code) in [(deep, "E0035"), (comment, "E0035"), (quotes, "E0035"), (many, "E0022")] {
        let mut files = Files::default().with("x.proto", &text);
        let found = faults(&read("arqon: 1\ncircuit: a\nimport: [x.proto]\n", &mut files));
        assert!(found[0].starts_with("here/x.proto:1:"), "{found:#?}");
        assert!(found[0].contains(code), "{found:#?}");
    }
    let mut files = Files::default()
        .with("x.proto", "import \"y.proto\";")
        .with("y.proto", "import \"x.proto\";");
    let found = faults(&read("arqon: 1\ncircuit: a\nimport: [x.proto]\n", &mut files));
    assert!(found[0].starts_with("here/y.proto:1:9 E0033"), "{found:#?}");
}
