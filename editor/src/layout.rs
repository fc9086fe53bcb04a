//! The canonical form as edits: only the lines that differ.

use std::panic::{self, AssertUnwindSafe};

use arqon_grammar::format_circuit;
use lsp_types::TextEdit;

use crate::text::Lines;

/// What formatting changes; none for a text that cannot be read.
pub(crate) fn formatted(text: &str) -> Option<Vec<TextEdit>> {
    // A layout that would change the text's meaning panics, and nothing is changed.
    let formatted = panic::catch_unwind(AssertUnwindSafe(|| format_circuit(text))).ok()?.ok()?;
    Some(difference(text, &formatted))
}

/// One edit over the lines between the equal ones at both ends.
pub(crate) fn difference(before: &str, after: &str) -> Vec<TextEdit> {
    if before == after {
        return Vec::new();
    }
    let (old, new): (Vec<&str>, Vec<&str>) =
        (before.split_inclusive('\n').collect(), after.split_inclusive('\n').collect());
    let n_first = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let rest = old.len().min(new.len()) - n_first;
    let n_last = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take(rest)
        .take_while(|(old, new)| old == new)
        .count();
    let start: usize = old[..n_first].iter().map(|line| line.len()).sum();
    let end = before.len() - old[old.len() - n_last..].iter().map(|it| it.len()).sum::<usize>();
    let range = Lines::new(before).range(before, start, end);
    vec![TextEdit { range, new_text: new[n_first..new.len() - n_last].concat() }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_that_differ_are_touched() {
        let check = |before: &str, after: &str, lines: (u32, u32), text: &str| {
            let edits = difference(before, after);
            let range = edits[0].range;
            assert_eq!((range.start.line, range.end.line), lines);
            assert_eq!(edits[0].new_text, text);
        };
        check("a\nb\nc\n", "a\nB\nc\n", (1, 2), "B\n");
        check("a\nc\n", "a\nb\nc\n", (1, 1), "b\n");
        check("a\nb\nb\n", "a\nb\n", (2, 3), "");
        assert!(difference("a\n", "a\n").is_empty());
    }
}
