//! Changes that an editor may offer: the fix of a diagnostic, and all fixes of a file.

use arqon_grammar::diagnostic::Fix;
use arqon_grammar::{Diagnostic, Span, apply_fixes};

use crate::analysis::Analysis;

/// The diagnostics with a fix in the circuit itself that touch a range.
pub(crate) fn fixes(analysis: &Analysis, range: Span) -> impl Iterator<Item = (&Diagnostic, &Fix)> {
    let touches = move |span: Span| span.start <= range.end && range.start <= span.end;
    analysis.diagnostics.iter().filter_map(move |diagnostic| {
        let fix = diagnostic.fix.as_ref()?;
        let is_near = touches(diagnostic.primary.span) || touches(fix.span);
        (is_near && analysis.compiled.sources.is_main(fix.span)).then_some((diagnostic, fix))
    })
}

/// The text after all fixes that do not overlap; none if there are fewer than two.
pub(crate) fn fix_all(analysis: &Analysis, text: &str) -> Option<String> {
    let fixed = apply_fixes(text, &analysis.diagnostics);
    (1 < fixed.applied.len()).then_some(fixed.text)
}
