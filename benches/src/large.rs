//! A circuit as large as wanted, for what compiles, checks and edits circuits.

use std::fmt::Write as _;

/// Chains of nodes over one table: every node reads the one before or the table, every tenth
/// joins, every hundredth writes a topic.
pub fn circuit(n_nodes: usize) -> String {
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
