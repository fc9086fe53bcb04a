//! The documentation is true: every circuit, step and value in docs/CIRCUITS.md is compiled and
//! computed, every function and aggregate of the catalogue is there, and docs/DIAGNOSTICS.md lists exactly the codes there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use arqon_compiler::{Compiled, Options, compile_aggregate, compile_expression, compile_with};
use arqon_grammar::vocabulary::{Shape, circuit_file};
use arqon_grammar::{LoadFault, Loader, Main};
use arqon_operators::{GroupPlan, eval};
use arqon_tests::corpus::errors;
use arqon_types::{Field, Row, Schema, Type, Value};
use serde_json::Value as Json;

fn page(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent");
    fs::read_to_string(root.join("docs").join(name)).expect("the page is there")
}

/// The fenced blocks of a page: what stands behind the fence, and the text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(kind), None) => open = Some((kind.to_owned(), String::new())),
            (Some(_), Some(_)) => found.extend(open.take()),
            (None, Some((_, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    found
}

fn of_kind(blocks: &[(String, String)], wanted: &str) -> Vec<String> {
    let found: Vec<String> =
        blocks.iter().filter(|(kind, _)| kind == wanted).map(|(_, text)| text.clone()).collect();
    assert!(!found.is_empty(), "no block of kind `{wanted}`");
    found
}

/// The files that the page shows: `yaml file lab/schemas.yaml` behind the fence.
struct Files(Vec<(String, String)>);

impl Loader for Files {
    fn load(&mut self, path: &str) -> Result<String, LoadFault> {
        let is_it = |kind: &str| kind.split_once(" file ").is_some_and(|(_, name)| name == path);
        let found = self.0.iter().find(|(kind, _)| is_it(kind));
        found.map(|(_, text)| text.clone()).ok_or(LoadFault::Missing { near: Vec::new() })
    }
}

fn compiled(text: &str) -> Compiled {
    let mut files = Files(blocks(&page("CIRCUITS.md")));
    let main = Main::alone("docs.yaml", text);
    let compiled = compile_with(main, &mut files, &Options::default());
    let faults = errors(&compiled);
    assert!(faults.is_empty(), "{faults:#?}\n{text}");
    compiled
}

fn indented(text: &str, by: usize) -> String {
    let margin = " ".repeat(by);
    text.lines().flat_map(|line| [margin.as_str(), line, "\n"]).collect()
}

#[test]
fn circuits_on_the_page_compile() {
    for text in of_kind(&blocks(&page("CIRCUITS.md")), "yaml circuit") {
        let compiled = compiled(&text);
        // What does not run in this version says so, and is planned all the same.
        assert!(compiled.plan.is_some(), "{text}");
        assert!(compiled.dataflow.is_some() || !compiled.not_runnable.is_empty(), "{text}");
    }
}

#[test]
fn steps_on_the_page_compile() {
    let blocks = blocks(&page("CIRCUITS.md"));
    let tables = of_kind(&blocks, "yaml tables").concat();
    let schemas = tables.replace("orders:", "Order:").replace("customers:", "Customer:");
    for steps in of_kind(&blocks, "yaml step") {
        compiled(&format!(
            "arqon: 1\ncircuit: docs.step\nschemas:\n{}topics:\n  \
             orders: {{ schema: Order, carries: full, key: id, edge: in }}\n  \
             customers: {{ schema: Customer, carries: full, key: id, edge: in }}\n\
             flow:\n  node:\n    from: orders\n    do:\n{}",
            indented(&schemas, 2),
            indented(&steps, 6),
        ));
    }
}

#[test]
fn timed_steps_on_the_page_compile() {
    let blocks = blocks(&page("CIRCUITS.md"));
    let table = of_kind(&blocks, "yaml timed").concat().replace("bids:", "Bid:");
    for steps in of_kind(&blocks, "yaml timed step") {
        compiled(&format!(
            "arqon: 1\ncircuit: docs.step\nschemas:\n{}topics:\n  \
             bids: {{ schema: Bid, time: at, edge: in }}\nflow:\n  node:\n    from: bids\n    \
             do:\n{}",
            indented(&table, 2),
            indented(&steps, 6),
        ));
    }
}

/// The value of an expression without any field, as the page writes values.
fn value(expression: &str) -> String {
    let nothing = Schema::new("Nothing", Vec::new());
    let expr = match compile_expression(expression, &nothing) {
        Ok(expr) => expr,
        // It has a value in a step of a flow only.
        Err(faults) if faults.iter().all(|fault| fault.code.id() == "E0243") => {
            return "no value here".to_owned();
        }
        Err(faults) => {
            let faults: Vec<String> = faults.iter().map(|fault| fault.brief(expression)).collect();
            panic!("{expression}\n{}", faults.join("\n"))
        }
    };
    match eval(&expr, &[]) {
        Ok(value) => value.display(&expr.ty),
        Err(error) => format!("error {}", error.code.as_str()),
    }
}

/// `expression => value`
fn example(line: &str) -> (&str, &str) {
    let (expression, wanted) = line.rsplit_once("=>").expect("`expression => value`");
    (expression.trim(), wanted.trim())
}

/// The examples that have another value, each with the value that it has.
fn wrong(lines: &[String], value: impl Fn(&str) -> String) -> Vec<String> {
    let check = |line: &String| {
        let (expression, wanted) = example(line);
        let found = value(expression);
        (found != wanted).then(|| format!("{line}, but found {found}"))
    };
    lines.iter().filter_map(check).collect()
}

#[test]
fn values_on_the_page_are_computed() {
    let mut n_values = 0;
    for block in of_kind(&blocks(&page("CIRCUITS.md")), "values") {
        let lines: Vec<String> = block.lines().map(str::to_owned).collect();
        assert_eq!(wrong(&lines, value), [""; 0]);
        n_values += lines.len();
    }
    assert!(n_values > 10, "{n_values} values");
}

/// The entries of the blocks of a kind: a signature, and indented beneath it its examples. Each
/// entry of the catalogue must be there, as the catalogue has it, with an example that calls it.
fn entries(
    kind: &str,
    catalogue: impl Iterator<Item = (&'static str, &'static str)>,
) -> Vec<String> {
    let text = of_kind(&blocks(&page("CIRCUITS.md")), kind).concat();
    let mut examples: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("  "), examples.last_mut()) {
            (None, _) => examples.push((line, Vec::new())),
            (Some(example), Some((_, of))) => of.push(example),
            (Some(example), None) => panic!("`{example}` stands under no signature"),
        }
    }
    let mut rest = examples.clone();
    for (name, signature) in catalogue {
        let at = rest.iter().position(|(written, _)| *written == signature);
        let at = at
            .unwrap_or_else(|| panic!("docs/CIRCUITS.md lacks, in a `{kind}` block:\n{signature}"));
        let (_, of) = rest.swap_remove(at);
        let is_called = |example: &&str| example.contains(&format!("{name}("));
        assert!(of.iter().any(is_called), "`{name}` has no example in docs/CIRCUITS.md");
    }
    assert_eq!(rest, [], "signatures that the catalogue does not have");
    examples.into_iter().flat_map(|(_, of)| of).map(str::to_owned).collect()
}

#[test]
fn every_function_is_on_the_page_and_does_what_it_says() {
    let catalogue = arqon_operators::function_names().map(|name| {
        (name, arqon_operators::signature_text(name).expect("a name of the catalogue"))
    });
    let lines = entries("functions", catalogue);
    assert_eq!(wrong(&lines, value), [""; 0]);
}

#[test]
fn every_aggregate_is_on_the_page_and_does_what_it_says() {
    let catalogue = arqon_operators::aggregate_names().map(|name| {
        let text = arqon_operators::aggregate_signature_text(name);
        (name, text.expect("a name of the catalogue"))
    });
    let (schema, rows) = rows();
    let lines = entries("aggregates", catalogue);
    assert_eq!(wrong(&lines, |expression| aggregated(expression, &schema, &rows)), [""; 0]);
}

/// The rows that the aggregates of the page are over: a header with types, and a row a line.
fn rows() -> (Schema, Vec<Row>) {
    let text = of_kind(&blocks(&page("CIRCUITS.md")), "rows").concat();
    let (header, lines) = text.split_once('\n').expect("a header and rows");
    let field = |field: &str| match field.trim().split_once(": ") {
        Some((name, "int64")) => Field::new(name, Type::Int64),
        Some((name, "float64")) => Field::new(name, Type::Float64),
        Some((name, "bool")) => Field::new(name, Type::Bool),
        Some((name, "option<string>")) => Field::new(name, Type::String.optional()),
        other => panic!("a field of rows: {other:?}"),
    };
    let schema = Schema::new("Rows", header.split(',').map(field).collect());
    let cell = |(text, field): (&str, &Field)| match &field.ty {
        Type::Int64 => Value::Int(text.parse().expect("an integer")),
        Type::Float64 => Value::float(text.parse().expect("a number")),
        Type::Bool => Value::Bool(text.parse().expect("a truth value")),
        _ if text == "none" => Value::None,
        _ => Value::string(text),
    };
    let row = |line: &str| line.split_whitespace().zip(&schema.fields).map(cell).collect();
    let rows = lines.lines().map(row).collect();
    (schema, rows)
}

/// The value of an aggregate over a group of these rows.
fn aggregated(expression: &str, schema: &Schema, rows: &[Row]) -> String {
    let aggregate = compile_aggregate(expression, schema).unwrap_or_else(|faults| {
        let faults: Vec<String> = faults.iter().map(|fault| fault.brief(expression)).collect();
        panic!("{expression}\n{}", faults.join("\n"))
    });
    let ty = aggregate.ty.clone();
    let plan = GroupPlan::new(&[aggregate]);
    let mut state = plan.new_state();
    for row in rows {
        let values: Result<Vec<Value>, _> =
            plan.inputs().iter().map(|input| eval(input, row)).collect();
        state.update_values(&plan, &values.expect("no row fails"), 1);
    }
    match state.finish(&plan) {
        Ok(values) => values[0].display(&ty),
        Err(error) => format!("error {}", error.code.as_str()),
    }
}

#[test]
fn the_list_of_diagnostics_is_the_registry() {
    let listed: Vec<String> = page("DIAGNOSTICS.md")
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|title| title.chars().take(5).collect())
        .collect();
    let registered: Vec<String> =
        arqon_grammar::code::all().map(|code| code.id().to_owned()).collect();
    assert_eq!(listed, registered, "write it anew with `arqon explain --list --markdown`");
}

/// Every key at its place in the vocabulary of circuits, as far as the vocabulary goes.
fn keys_of(shape: &Shape, path: &str, found: &mut BTreeSet<String>) {
    match shape {
        Shape::List(item) => keys_of(item, path, found),
        Shape::Map(_, value) => keys_of(value, path, found),
        Shape::Either(forms) => forms.iter().for_each(|form| keys_of(form, path, found)),
        Shape::Object { about, keys, .. } => {
            for (key, shape) in keys {
                let path = format!("{about}: {key}");
                keys_of(shape, &path, found);
                found.insert(path);
            }
        }
        Shape::Words(words) => found.extend(words.iter().map(|word| format!("{path}={word}"))),
        Shape::Any | Shape::Nothing | Shape::Scalar(_) | Shape::Pattern(..) => {}
    }
}

/// Those of them that a text uses.
fn used_keys(shape: &Shape, text: &Json, path: &str, used: &mut BTreeSet<String>) {
    match shape {
        Shape::List(item) => {
            let items = text.as_array().into_iter().flatten();
            items.for_each(|value| used_keys(item, value, path, used));
        }
        Shape::Map(_, value) => {
            let values = text.as_object().into_iter().flatten();
            values.for_each(|(_, text)| used_keys(value, text, path, used));
        }
        Shape::Either(forms) => forms.iter().for_each(|form| used_keys(form, text, path, used)),
        Shape::Object { about, keys, required } => {
            let Some(entries) = text.as_object() else { return };
            if required.iter().any(|key| !entries.contains_key(*key)) {
                return;
            }
            for (key, shape) in keys {
                if let Some(value) = entries.get(*key) {
                    let path = format!("{about}: {key}");
                    used_keys(shape, value, &path, used);
                    used.insert(path);
                }
            }
        }
        Shape::Words(_) => {
            let word = match text {
                Json::String(word) => word.clone(),
                other => other.to_string(),
            };
            used.insert(format!("{path}={word}"));
        }
        Shape::Any | Shape::Nothing | Shape::Scalar(_) | Shape::Pattern(..) => {}
    }
}

#[test]
fn every_key_and_word_of_the_language_stands_in_a_circuit_that_compiles() {
    let blocks = blocks(&page("CIRCUITS.md"));
    let mut texts = of_kind(&blocks, "yaml circuit");
    for kind in ["yaml step", "yaml timed step"] {
        let steps = of_kind(&blocks, kind);
        texts
            .extend(steps.iter().map(|it| format!("flow:\n  node:\n    do:\n{}", indented(it, 6))));
    }
    let shape = circuit_file();
    let (mut known, mut used) = (BTreeSet::new(), BTreeSet::new());
    keys_of(&shape, "", &mut known);
    for text in texts {
        let tree: Json =
            serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        // The library that a circuit imports begins with `arqon: 1` as well.
        let whole = if text.starts_with("arqon") { tree } else { with_version(tree) };
        used_keys(&shape, &whole, "", &mut used);
    }
    // Of truth values the key is enough, and of what a kernel emits the list.
    known.retain(|it| !it.ends_with("=true") && !it.ends_with("=false") && !it.contains("emit="));
    let missing: Vec<&String> = known.difference(&used).collect();
    assert!(missing.is_empty(), "docs/CIRCUITS.md shows no use of {missing:#?}");
}

fn with_version(mut tree: Json) -> Json {
    if let Some(entries) = tree.as_object_mut() {
        entries.insert("arqon".to_owned(), Json::from(1));
    }
    tree
}
