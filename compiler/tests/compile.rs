//! Whole circuits: text in, plans and diagnostics out.

use arqon_compiler::{Compiled, Options, compile};

fn compiled(text: &str) -> Compiled {
    compile(text, "circuit.yaml", &Options::default())
}

/// All diagnostics, one after another, in their brief form.
fn faults(text: &str) -> String {
    let compiled = compiled(text);
    let briefs: Vec<String> = compiled.diagnostics.iter().map(|fault| fault.brief(text)).collect();
    briefs.join("\n")
}

#[test]
fn the_revenue_circuit_compiles() {
    let text = include_str!("circuits/revenue.yaml");
    assert_eq!(faults(text), "");
    let compiled = compiled(text);
    let dataflow = compiled.dataflow.expect("it has no faults");
    println!("{dataflow:#?}");
    println!("{:#?}", compiled.tests);
}
