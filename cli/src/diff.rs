//! What would change in a file, as a unified diff that `patch` and `git apply` take.

use similar::TextDiff;

use crate::console::{Style, paint};

/// The difference between two texts of a file; empty if there is none.
pub(crate) fn unified(file: &str, before: &str, after: &str, colored: bool) -> String {
    let (old, new) = (format!("a/{file}"), format!("b/{file}"));
    let diff = TextDiff::from_lines(before, after);
    let plain = diff.unified_diff().context_radius(3).header(&old, &new).to_string();
    if !colored {
        return plain;
    }
    plain.split_inclusive('\n').map(painted).collect()
}

fn painted(line: &str) -> String {
    let (text, end) = line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n"));
    let style = match text.as_bytes().first() {
        _ if text.starts_with("---") || text.starts_with("+++") => Style::Bold,
        Some(b'-') => Style::Red,
        Some(b'+') => Style::Green,
        Some(b'@') => Style::Cyan,
        Some(_) | None => return line.to_owned(),
    };
    format!("{}{end}", paint(true, style, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_has_its_lines_and_its_places() {
        let found = unified("x.yaml", "a\nb\nc\n", "a\nB\nc\n", false);
        assert_eq!(found, "--- a/x.yaml\n+++ b/x.yaml\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
        assert_eq!(unified("x.yaml", "a\n", "a\n", true), "");
        assert!(unified("x.yaml", "a\n", "b\n", true).contains("\u{1b}[32m+b\u{1b}[0m\n"));
    }
}
