//! A shop's circuit around what a test is about, and its plan.

use arqon_compiler::{Compiled, Options, compile};

/// Orders and customers, with what else there is of schemas and topics; `rest` is what stands behind
/// the topics.
pub(crate) fn shop(schemas: &str, topics: &str, rest: &str) -> String {
    format!(
        "arqon: 1
circuit: shop
schemas:
  Order: {{ id: int64, customer: int64, amount: int64 }}
  Customer: {{ id: int64, region: string, since: int64 }}
{schemas}topics:
  orders: {{ schema: Order, carries: full, key: id, edge: in }}
  customers: {{ schema: Customer, carries: full, key: id, edge: in }}
{topics}{rest}"
    )
}

/// The circuit compiled, with what each pass left.
///
/// # Panics
/// If it has no plan; then with what is wrong.
#[track_caller]
pub(crate) fn planned(text: &str) -> Compiled {
    let options = Options { keep_passes: true, ..Options::default() };
    let compiled = compile(text, "circuit.yaml", &options);
    let faults: Vec<String> = compiled.diagnostics.iter().map(|fault| fault.brief(text)).collect();
    assert!(compiled.dataflow.is_some(), "{}", faults.join("\n"));
    compiled
}
