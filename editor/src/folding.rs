//! What may be folded away: blocks by their indentation, and comments of several lines.
//!
//! From the lines alone, so that a text that does not parse keeps its folds.

/// A fold over whole lines, from 0; the first one stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fold {
    /// The line that stays.
    pub(crate) first: usize,
    /// The last line that goes.
    pub(crate) last: usize,
    /// Whether it is a comment.
    pub(crate) is_comment: bool,
}

/// The folds of a text, by line.
pub(crate) fn folds(text: &str) -> Vec<Fold> {
    let mut found = Vec::new();
    // Lines that are open, each with its indentation.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut last = 0;
    let mut comments: Option<(usize, usize)> = None;
    for (at, line) in text.lines().enumerate() {
        let content = line.trim_start_matches(' ');
        if content.trim().is_empty() {
            continue;
        }
        let indent = line.len() - content.len();
        if content.starts_with('#') {
            comments = match comments {
                Some((first, before)) if before + 1 == at => Some((first, at)),
                _ => {
                    close_comments(comments, &mut found);
                    Some((at, at))
                }
            };
            continue;
        }
        close_comments(comments.take(), &mut found);
        // A list may stand in the column of its key.
        let rank = indent * 2 + usize::from(content.starts_with("- "));
        close(&mut open, rank, last, &mut found);
        open.push((at, rank));
        last = at;
    }
    close_comments(comments, &mut found);
    close(&mut open, 0, last, &mut found);
    found.sort_unstable();
    found
}

fn close(open: &mut Vec<(usize, usize)>, rank: usize, last: usize, found: &mut Vec<Fold>) {
    while let Some((first, _)) = open.pop_if(|(_, of)| rank <= *of) {
        if first < last {
            found.push(Fold { first, last, is_comment: false });
        }
    }
}

fn close_comments(comments: Option<(usize, usize)>, found: &mut Vec<Fold>) {
    if let Some((first, last)) = comments.filter(|(first, last)| first < last) {
        found.push(Fold { first, last, is_comment: true });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_comments_fold() {
        let text = "a:\n  b: 1\n\n  # one\n  # two\n  c:\n  - x: 1\n    y: 2\n  - z\nd: 1\n";
        let found: Vec<(usize, usize, bool)> =
            folds(text).iter().map(|it| (it.first, it.last, it.is_comment)).collect();
        assert_eq!(found, [(0, 8, false), (3, 4, true), (5, 8, false), (6, 7, false)]);
        assert_eq!(folds(""), []);
    }
}
