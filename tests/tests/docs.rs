//! The documentation is true: every circuit, step and value in docs/CIRCUITS.md is compiled and
//! computed, and docs/DIAGNOSTICS.md lists exactly the codes there are.

use std::fs;
use std::path::Path;

use arqon_compiler::{Compiled, Options, compile_with};
use arqon_grammar::{LoadFault, Loader, Main};
use arqon_operators::eval;
use arqon_plan::{Operator, StageKind};
use arqon_types::Row;

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
    let faults: Vec<String> = compiled
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.is_error())
        .map(|diagnostic| format!("{}: {}", diagnostic.code, diagnostic.message))
        .collect();
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
        assert!(compiled.dataflow.is_some());
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

/// The value of an expression without any field, as the page writes values.
fn value(expression: &str) -> String {
    let compiled = compiled(&format!(
        "arqon: 1\ncircuit: docs.value\nschemas:\n  One: {{ one: int64 }}\ntopics:\n  \
         one: {{ schema: One, carries: full, key: one, edge: in }}\n\
         flow:\n  node:\n    from: one\n    do:\n      - select:\n          value: '{}'\n",
        expression.replace('\'', "''"),
    ));
    let plan = compiled.dataflow.expect("the circuit compiles");
    let projected = plan.steps.iter().find_map(|step| match &step.operator {
        Operator::Map(map) => map.stages.iter().find_map(|stage| match &stage.kind {
            StageKind::Project(exprs) => exprs.first(),
            StageKind::Filter(_) => None,
        }),
        _ => None,
    });
    let expr = projected.expect("a select is a projection");
    let row = Row::from(vec![arqon_types::Value::Int(1)]);
    match eval(expr, &row) {
        Ok(value) => value.display(&expr.ty),
        Err(error) => format!("error {}", error.code.as_str()),
    }
}

#[test]
fn values_on_the_page_are_computed() {
    let mut n_values = 0;
    for block in of_kind(&blocks(&page("CIRCUITS.md")), "values") {
        for line in block.lines() {
            let (expression, wanted) = line.split_once("=>").expect("`expression => value`");
            assert_eq!(value(expression.trim()), wanted.trim(), "{line}");
            n_values += 1;
        }
    }
    assert!(n_values > 30, "{n_values} values");
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
