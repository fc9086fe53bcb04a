//! How long a large circuit takes to compile: text to checked plan.
//!
//! `cargo xtask bench compile [NODES]`: a generated circuit, compiled 15 times; printed are the
//! median, the least and the greatest time.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::process::ExitCode;
use std::time::Instant;

use arqon_bench_report::{Table, median, range};
use arqon_benches::large::circuit;
use arqon_compiler::{Options, compile};

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn main() -> ExitCode {
    let n_nodes: usize =
        std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let text = circuit(n_nodes);
    let mut times = Vec::new();
    for _ in 0..15 {
        let start = Instant::now();
        let compiled = compile(&text, "large.yaml", &Options::default());
        times.push(start.elapsed().as_secs_f64() * 1e3);
        if compiled.dataflow.is_none() {
            println!("the generated circuit does not compile: {:?}", compiled.diagnostics.first());
            return ExitCode::FAILURE;
        }
    }
    let (least, greatest) = range(&times);
    let title = format!("compile: {n_nodes} nodes, {} KB of YAML", text.len() / 1024);
    let table = Table::begin(title, &["median ms", "least ms", "greatest ms"]);
    table.row(&[
        &format_args!("{:.0}", median(&times)),
        &format_args!("{least:.0}"),
        &format_args!("{greatest:.0}"),
    ]);
    table.end();
    ExitCode::SUCCESS
}
