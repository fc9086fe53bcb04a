//! Prints what becomes of a circuit.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::unwrap_used, reason = "probe")]
use arqon_plan::*;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let start = std::time::Instant::now();
    let compiled = arqon_compiler::compile(&text, &path, &arqon_compiler::Options::default());
    let time = start.elapsed();
    for fault in compiled.diagnostics.iter().take(100) {
        println!("{}", fault.brief(&text));
    }
    if std::env::args().nth(2).is_some() {
        for (i, step) in compiled.dataflow.iter().flat_map(|it| &it.steps).enumerate() {
            let inputs: Vec<u32> = step.inputs.iter().map(|i| i.0).collect();
            let fields: Vec<String> = step.schema.fields.iter().map(|f| format!("{}: {}", f.name, f.ty)).collect();
            let op = match &step.operator {
                Operator::Map(map) => map.stages.iter().map(|s| match &s.kind { StageKind::Filter(_) => format!("{} filter", s.address), StageKind::Project(e) => format!("{} project {}", s.address, e.len())}).collect::<Vec<_>>().join(", "),
                Operator::Join(j) => format!("join {:?} {:?}", j.kind, j.output),
                Operator::Group(g) => format!("group {} {}", g.keys.len(), g.aggregates.len()),
                other => format!("{other:?}"),
            };
            println!("{i} [{}] {} {inputs:?} {op} -> {{ {} }}", step.node, step.address, fields.join(", "));
        }
    }
    println!("{time:?} dataflow {:?}", compiled.dataflow.map(|it| it.steps.len()));
    println!("{:?}", compiled.not_runnable);
}
