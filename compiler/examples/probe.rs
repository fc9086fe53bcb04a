//! Prints what becomes of a circuit.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::unwrap_used, reason = "probe")]
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
        println!("{:#?}", compiled.dataflow);
    }
    println!("{time:?} dataflow {:?}", compiled.dataflow.map(|it| it.steps.len()));
}
