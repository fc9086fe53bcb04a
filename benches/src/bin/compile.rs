//! How long a large circuit takes to compile: text to checked plan.
//!
//! `cargo xtask bench compile [NODES]`: a generated circuit, compiled 15 times; printed are the
//! median, the least and the greatest time.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Instant;

use arqon_benches::sample::median;
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
    let least = times.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = times.iter().copied().fold(0.0, f64::max);
    println!("## compile: {n_nodes} nodes, {} KB of YAML", text.len() / 1024);
    println!();
    println!("| median ms | least ms | greatest ms |");
    println!("| --- | --- | --- |");
    println!("| {:.0} | {least:.0} | {greatest:.0} |", median(&times));
    println!();
    ExitCode::SUCCESS
}

/// Chains of nodes over one table: every node reads the one before or the table, every tenth
/// joins, every hundredth writes a topic.
fn circuit(n_nodes: usize) -> String {
    let mut topics = String::new();
    let mut flow = String::new();
    for idx in 0..n_nodes {
        let from = if idx % 100 == 0 { "orders".to_owned() } else { format!("node_{}", idx - 1) };
        let _ = writeln!(flow, "  node_{idx}:\n    from: {from}\n    do:");
        if idx % 10 == 5 {
            let _ = writeln!(
                flow,
                "      - join: customers\n        match: {{ customer: id }}\n        as: c\n        \
                 kind: semi"
            );
        } else {
            let _ = writeln!(flow, "      - where: amount > {idx} and status != \"void\"");
        }
        let _ = writeln!(flow, "      - with:\n          amount: amount + 1");
        if idx % 100 == 99 {
            let _ = writeln!(flow, "    to: out_{idx}");
            let _ = writeln!(topics, "  out_{idx}: {{ schema: Order, carries: delta, edge: out }}");
        }
    }
    format!(
        "arqon: 1\ncircuit: bench.large\nschemas:\n  Customer: {{ id: int64, region: string }}\n  \
         Order: {{ id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid|void> }}\n\
         topics:\n  customers: {{ schema: Customer, carries: full, key: id, edge: in }}\n  \
         orders: {{ schema: Order, carries: full, key: id, edge: in }}\n{topics}flow:\n{flow}"
    )
}
