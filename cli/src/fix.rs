//! `arqon check --fix`: what is certain is mended, round after round, until nothing is left.

use arqon_grammar::apply_fixes;

use crate::circuit::{Circuit, CompileOptions, compile_source};
use crate::exit::Failure;
use crate::source::Source;

/// A circuit after all changes that a machine may make.
#[derive(Debug)]
pub(crate) struct Mended {
    /// The circuit as it is now.
    pub(crate) circuit: Circuit,
    /// The text as it was; none if nothing was changed.
    pub(crate) before: Option<String>,
    /// Each change in a line, in the order in which they were made.
    pub(crate) changes: Vec<String>,
}

/// Compiles a source, and mends and compiles it again while there is something to mend. Files
/// that it imports are left alone.
///
/// # Errors
/// A [`Failure`] if the root of its imports is no folder that holds it.
pub(crate) fn mend(mut source: Source, options: &CompileOptions) -> Result<Mended, Failure> {
    let circuit = compile_source(&source, options)?;
    let mut mended = Mended { circuit, before: None, changes: Vec::new() };
    for _ in 0..ROUNDS_MAX {
        let findings = &mended.circuit.findings;
        // The text of a file that is not UTF-8 is not the file.
        if source.encoding.is_some() {
            break;
        }
        let fixed = apply_fixes(&source.text, &findings.diagnostics);
        if fixed.applied.is_empty() || fixed.text == source.text {
            break;
        }
        let lines = findings.sources.lines();
        for idx in &fixed.applied {
            let diagnostic = &findings.diagnostics[*idx];
            let Some(fix) = &diagnostic.fix else { continue };
            let place = lines.place(fix.span);
            mended.changes.push(format!("{place}: {}: {}", diagnostic.code, fix.title));
        }
        let before = std::mem::replace(&mut source.text, fixed.text);
        mended.before.get_or_insert(before);
        mended.circuit = compile_source(&source, options)?;
    }
    Ok(mended)
}

/// A text that still asks for changes after so many rounds turns in a circle.
const ROUNDS_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_itself_only_after_a_round_is_mended_too() {
        let text = "arqon: 1\ncircuit: shop\nschemas:\n  A: { x: int }\n\
            topics:\n  a: { schema: A, edge: in }\n  b: { schema: A, edge: out }\n\
            flow:\n  n:\n    from: a\n    do:\n      - where: x > 0 ? true : x === 1\n    to: b\n";
        let source = Source::from_text("a.yaml", text);
        let mended = mend(source, &CompileOptions::default()).unwrap();
        let now = mended.circuit.findings.sources.main_text();
        assert!(now.contains("x: int64"), "{now}");
        assert!(now.contains("'if x > 0 then true else x == 1'"), "{now}");
        assert!(!mended.circuit.findings.has_errors(), "{:?}", mended.circuit.findings.diagnostics);
        assert_eq!(mended.before.as_deref(), Some(text));
        assert!(mended.changes[0].starts_with("a.yaml:12:16: E0119: "), "{:?}", mended.changes);
    }

    #[test]
    fn a_text_without_changes_is_left_alone() {
        let source = Source::from_text("a.yaml", "arqon: 1\ncircuit: s\n");
        let mended = mend(source, &CompileOptions::default()).unwrap();
        assert_eq!(mended.before, None);
        assert!(mended.changes.is_empty());
    }
}
