//! Bytes as a circuit file: the whole compiler, the canonical form and the artifact.

use arqon_compiler::{Compiled, Options, compile};
use arqon_grammar::{Diagnostic, ParseOptions, decode, format_circuit, parse_circuit};
use arqon_plan::Artifact;

use crate::tree::assert_flow_places;

/// Reads the bytes as `arqon check`, `fmt` and `compile` do.
///
/// # Panics
/// If a place lies outside the text, a refused circuit has no reason, the canonical form is not
/// its own canonical form or means something else, or an artifact does not come back as it went.
pub fn circuit(bytes: &[u8]) {
    let (text, faults) = decode(bytes);
    assert_places(&text, &faults);
    if !faults.is_empty() {
        return;
    }
    let (tree, faults) = parse_circuit(&text, &ParseOptions::default());
    assert_places(&text, &faults);
    match tree {
        Some(tree) => assert_flow_places(&text, &tree),
        None => assert!(faults.iter().any(Diagnostic::is_error), "neither a tree nor a reason"),
    }
    let compiled = compile(&text, "fuzzed.yaml", &options());
    assert_places(compiled.sources.text(), &compiled.diagnostics);
    assert!(compiled.plan.is_some() || compiled.has_errors(), "neither a plan nor a reason");
    let lines = compiled.sources.lines();
    for fault in &compiled.diagnostics {
        let (file, start, end) = lines.range(fault.primary.span);
        assert!(file == "fuzzed.yaml" && 1 <= start.line && 1 <= start.column, "{fault:?}");
        assert!((start.line, start.column) <= (end.line, end.column), "{fault:?}");
        assert!(!fault.brief(&text).is_empty());
    }
    let bytes = artifact_of(compiled);
    if let Ok(canonical) = format_circuit(&text) {
        let again = format_circuit(&canonical);
        assert_eq!(again.as_ref(), Ok(&canonical), "the canonical form of its own");
        let other = compile(&canonical, "fuzzed.yaml", &options());
        let is_same = bytes.is_some() == artifact_of(other).is_some();
        assert!(is_same, "the canonical form means something else:\n{canonical}");
    }
}

fn options() -> Options {
    Options { allow_unbounded: true, ..Options::default() }
}

/// The bytes of the artifact, if the circuit runs.
fn artifact_of(compiled: Compiled) -> Option<Vec<u8>> {
    let (plan, dataflow) = compiled.plan.zip(compiled.dataflow)?;
    let bytes = match arqon_plan::encode(&Artifact { plan, dataflow }) {
        Ok(bytes) => bytes,
        Err(arqon_plan::EncodeError::TooLong(_)) => return None,
        Err(error) => panic!("the compiler's own plan: {error:?}"),
    };
    let back = arqon_plan::decode(&bytes).expect("what was written can be read");
    assert_eq!(arqon_plan::encode(&back).ok().as_ref(), Some(&bytes), "read and written again");
    Some(bytes)
}

pub(crate) fn assert_places(text: &str, faults: &[Diagnostic]) {
    for fault in faults {
        let secondary = fault.secondary.iter().map(|label| label.span);
        let fix = fault.fix.iter().map(|fix| fix.span);
        for span in std::iter::once(fault.primary.span).chain(secondary).chain(fix) {
            let range = span.start as usize..span.end as usize;
            assert!(text.get(range).is_some(), "outside the text: {fault:?}");
        }
    }
}
