//! Applies the machine-applicable changes of diagnostics to their text, and to nothing else of it.
//!
//! One round applies what does not overlap; what was left over, or shows itself only now, is for
//! the next round, after the text has been read again.

use crate::diagnostic::Diagnostic;
use crate::diagnostic::Fix;

/// A text after one round of changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fixed {
    /// The new text.
    pub text: String,
    /// The changes made, as indices into the diagnostics, by place.
    pub applied: Vec<usize>,
}

/// Applies the changes of `diagnostics`, found in `text`, that do not overlap: of two that do,
/// the first one.
pub fn apply_fixes(text: &str, diagnostics: &[Diagnostic]) -> Fixed {
    let mut fixes: Vec<(usize, &Fix)> = diagnostics
        .iter()
        .enumerate()
        .filter_map(|(idx, diagnostic)| Some((idx, diagnostic.fix.as_ref()?)))
        .filter(|(_, fix)| text.get(fix.span.start as usize..fix.span.end as usize).is_some())
        .collect();
    fixes.sort_by_key(|(idx, fix)| (fix.span, *idx));
    let mut fixed = Fixed { text: String::with_capacity(text.len()), applied: Vec::new() };
    let mut at = 0;
    let mut last: Option<&Fix> = None;
    for (idx, fix) in fixes {
        let (start, end) = (fix.span.start as usize, fix.span.end as usize);
        // Two insertions at one place: which comes first is not for us to say.
        let is_twin = last.is_some_and(|last| last.span.start == fix.span.start);
        if start < at || is_twin {
            continue;
        }
        fixed.text.push_str(&text[at..start]);
        fixed.text.push_str(&fix.replacement);
        fixed.applied.push(idx);
        at = end;
        last = Some(fix);
    }
    fixed.text.push_str(&text[at..]);
    fixed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code;
    use crate::span::Span;

    fn check(text: &str, fixes: &[(u32, u32, &str)], expected: &str, applied: &[usize]) {
        let diagnostics: Vec<Diagnostic> = fixes
            .iter()
            .map(|(start, end, new)| {
                let span = Span::new(*start, *end);
                Diagnostic::new(code::yaml::SYNTAX, span, "odd").fix(span, *new, "mend")
            })
            .collect();
        let fixed = apply_fixes(text, &diagnostics);
        assert_eq!((fixed.text.as_str(), fixed.applied.as_slice()), (expected, applied));
    }

    #[test]
    fn changes_side_by_side_are_all_made() {
        check("a && b || c", &[(7, 9, "or"), (2, 4, "and")], "a and b or c", &[1, 0]);
        check(
            "abc",
            &[(0, 1, "x"), (1, 1, "-"), (1, 2, "y")],
            "x-cb".replace("cb", "bc").as_str(),
            &[0, 1],
        );
        check("abc", &[(3, 3, "d")], "abcd", &[0]);
    }

    #[test]
    fn of_two_that_overlap_the_first_one_is_made() {
        check("abcdef", &[(1, 4, "X"), (2, 3, "Y")], "aXef", &[0]);
        check("abc", &[(1, 2, "X"), (1, 2, "X")], "aXc", &[0]);
        check("abc", &[(1, 1, "X"), (1, 1, "Y")], "aXbc", &[0]);
    }

    #[test]
    fn a_place_outside_the_text_changes_nothing() {
        check("aé", &[(2, 3, "X"), (9, 12, "Y")], "aé", &[]);
    }
}
