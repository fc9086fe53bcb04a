//! Where in a circuit a cursor stands, from the text before it alone.
//!
//! A circuit is most often broken just where it is being written, so this reads lines, indentation
//! and brackets, and asks for no more: what it cannot tell it leaves open.

/// A place in a circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The keys and items around the place, from the top.
    pub(crate) path: Vec<Part>,
    /// What may be written there.
    pub(crate) place: Place,
    /// The entries before the place in its own map, with their texts.
    pub(crate) beside: Vec<(String, String)>,
}

/// A step of the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// An entry of a map, with the entries before it.
    Key(String, Vec<(String, String)>),
    /// An item of a list, from 0.
    Item(usize),
}

/// What may be written at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A key.
    Key,
    /// The value of the last key of the path, of which this is written already.
    Value(String),
    /// An item of a list: a value of which this is written already, or the first key of a map.
    Item(String),
    /// Nothing: a comment, or a block of text.
    Nothing,
}

/// The step that a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StepPlace {
    /// What stands before the index in its address: its node, or the loop around it.
    pub(crate) base: String,
    /// Which step of those it is.
    pub(crate) idx: usize,
    /// Where in the path the step's own keys begin.
    pub(crate) behind: usize,
}

impl Cursor {
    /// The address of the innermost node around the place, as it is in plans, and where in the
    /// path its own keys begin.
    pub(crate) fn node(&self) -> Option<(String, usize)> {
        let names = self.names();
        let ["flow", node, ..] = names.as_slice() else { return None };
        let mut address = (*node).to_owned();
        let mut behind = 2;
        while let ["loop", "flow", inner, ..] = &names[behind..] {
            address = format!("{address}.{inner}");
            behind += 3;
        }
        Some((address, behind))
    }

    /// The innermost step around the place.
    pub(crate) fn step(&self) -> Option<StepPlace> {
        let (base, start) = self.node()?;
        let ["do", "-", ..] = self.names()[start..] else { return None };
        let mut step = StepPlace { base, idx: self.item(start + 1)?, behind: start + 2 };
        loop {
            let item = match self.names()[step.behind..] {
                ["loop", "-", ..] => step.behind + 1,
                ["loop", "do", "-", ..] => step.behind + 2,
                _ => return Some(step),
            };
            let base = format!("{}[{}]", step.base, step.idx);
            step = StepPlace { base, idx: self.item(item)?, behind: item + 1 };
        }
    }

    fn item(&self, at: usize) -> Option<usize> {
        match self.path.get(at) {
            Some(Part::Item(idx)) => Some(*idx),
            Some(Part::Key(..)) | None => None,
        }
    }

    /// The names of the path; items are `-`.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.path
            .iter()
            .map(|part| match part {
                Part::Key(name, _) => name.as_str(),
                Part::Item(_) => "-",
            })
            .collect()
    }
}

/// The place at a byte of `text`.
pub(crate) fn cursor(text: &str, offset: usize) -> Cursor {
    let before = &text[..offset];
    let mut scan = Scan { levels: Vec::new(), text_block: None };
    let mut lines = before.split('\n').peekable();
    while let Some(line) = lines.next() {
        let line = line.trim_end_matches('\r');
        let is_last = lines.peek().is_none();
        let place = scan.line(line);
        if is_last {
            return scan.cursor(place);
        }
    }
    scan.cursor(Place::Key)
}

/// A list or map that is open.
#[derive(Debug)]
struct Level {
    /// The column of its entries; of one in brackets none.
    indent: Option<usize>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Map {
        entries: Vec<(String, String)>,
        /// Whether what follows belongs to the value of the last entry.
        in_value: bool,
    },
    List {
        n_items: usize,
    },
}

struct Scan {
    levels: Vec<Level>,
    /// Lines indented deeper than this belong to a block of text.
    text_block: Option<usize>,
}

impl Scan {
    /// Takes a line; what may be written at its end.
    fn line(&mut self, line: &str) -> Place {
        if self.in_brackets() {
            return self.brackets(line);
        }
        let indent = line.len() - line.trim_start_matches(' ').len();
        let rest = &line[indent..];
        if let Some(limit) = self.text_block {
            if rest.is_empty() || limit < indent {
                return if rest.is_empty() { self.blank(indent) } else { Place::Nothing };
            }
            self.text_block = None;
        }
        if rest.starts_with('#') {
            return Place::Nothing;
        }
        if rest.trim().is_empty() {
            return self.blank(indent);
        }
        self.content(rest, indent)
    }

    /// An empty line: its column says which map a key would belong to.
    fn blank(&mut self, indent: usize) -> Place {
        self.close(indent, false);
        Place::Key
    }

    fn content(&mut self, rest: &str, column: usize) -> Place {
        let (mut rest, mut column) = (rest, column);
        // A loop, for one line may open thousands of lists.
        while let Some(item) =
            rest.strip_prefix('-').filter(|it| it.is_empty() || it.starts_with(' '))
        {
            self.close(column, true);
            match self.levels.last_mut() {
                Some(Level { indent: Some(indent), kind: Kind::List { n_items } })
                    if *indent == column =>
                {
                    *n_items += 1;
                }
                _ => self
                    .levels
                    .push(Level { indent: Some(column), kind: Kind::List { n_items: 1 } }),
            }
            let inner = item.trim_start_matches(' ');
            if inner.is_empty() {
                return Place::Item(String::new());
            }
            column += rest.len() - inner.len();
            rest = inner;
        }
        if rest.starts_with(['{', '[']) && self.is_item_at(column) {
            return self.brackets(rest);
        }
        let Some((key, value)) = key_of(rest) else { return self.scalar(rest, column) };
        self.close(column, false);
        let entry = (key.to_owned(), String::new());
        match self.levels.last_mut() {
            Some(Level { indent: Some(indent), kind: Kind::Map { entries, in_value } })
                if *indent == column =>
            {
                entries.push(entry);
                *in_value = true;
            }
            _ => self.levels.push(Level {
                indent: Some(column),
                kind: Kind::Map { entries: vec![entry], in_value: true },
            }),
        }
        self.value(value, column)
    }

    /// The value behind `key:`.
    fn value(&mut self, value: &str, column: usize) -> Place {
        let value = value.trim_start();
        if value.starts_with(['{', '[']) {
            return self.brackets(value);
        }
        if value.starts_with(['|', '>']) {
            self.text_block = Some(column);
            return Place::Nothing;
        }
        let (value, has_comment) = without_comment(value);
        self.set_value(value);
        if has_comment { Place::Nothing } else { Place::Value(value.to_owned()) }
    }

    /// A line that is neither a key nor an item: the beginning of a key, or more of a value.
    fn scalar(&mut self, rest: &str, column: usize) -> Place {
        if self.is_item_at(column) {
            return Place::Item(rest.to_owned());
        }
        let continues =
            self.levels.iter().rev().find_map(|level| match (&level.kind, level.indent) {
                (Kind::Map { entries, .. }, Some(indent)) if indent < column => {
                    Some(entries.last().is_some_and(|(_, value)| !value.is_empty()))
                }
                _ => None,
            });
        let is_sibling = self
            .levels
            .iter()
            .any(|level| level.indent == Some(column) && matches!(level.kind, Kind::Map { .. }));
        if continues == Some(true) && !is_sibling {
            let (rest, _) = without_comment(rest);
            let whole = match self.levels.last() {
                Some(Level { kind: Kind::Map { entries, .. }, .. }) => {
                    entries.last().map(|(_, value)| format!("{value} {rest}")).unwrap_or_default()
                }
                _ => rest.to_owned(),
            };
            self.set_value(&whole);
            return Place::Value(whole);
        }
        self.close(column, false);
        Place::Key
    }

    fn set_value(&mut self, text: &str) {
        if let Some(Level { kind: Kind::Map { entries, .. }, .. }) = self.levels.last_mut()
            && let Some((_, value)) = entries.last_mut()
        {
            text.clone_into(value);
        }
    }

    /// Whether an item of a list begins at this column.
    fn is_item_at(&self, column: usize) -> bool {
        matches!(
            self.levels.last(),
            Some(Level { indent: Some(indent), kind: Kind::List { .. } }) if *indent < column
        )
    }

    fn in_brackets(&self) -> bool {
        self.levels.last().is_some_and(|level| level.indent.is_none())
    }

    /// Closes what an entry at this column does not belong to.
    fn close(&mut self, column: usize, is_item: bool) {
        while let Some(level) = self.levels.last_mut() {
            let Some(indent) = level.indent else { return };
            match &mut level.kind {
                Kind::Map { in_value, .. } if indent == column => {
                    // A list may stand in the column of its key.
                    *in_value = is_item;
                    return;
                }
                Kind::List { .. } if indent == column && is_item => return,
                Kind::Map { .. } | Kind::List { .. } if indent < column => return,
                Kind::Map { .. } | Kind::List { .. } => {
                    self.levels.pop();
                }
            }
        }
    }

    /// Text within brackets, or one that opens them.
    fn brackets(&mut self, text: &str) -> Place {
        let mut part = String::new();
        let mut characters = text.chars().peekable();
        while let Some(c) = characters.next() {
            match c {
                '"' | '\'' => {
                    part.push(c);
                    for inner in characters.by_ref() {
                        part.push(inner);
                        if inner == c {
                            break;
                        }
                    }
                }
                '{' => {
                    let kind = Kind::Map { entries: Vec::new(), in_value: false };
                    self.levels.push(Level { indent: None, kind });
                    part.clear();
                }
                '[' => {
                    self.levels.push(Level { indent: None, kind: Kind::List { n_items: 1 } });
                    part.clear();
                }
                '}' | ']' => {
                    self.set_value(part.trim());
                    self.levels.pop();
                    part.clear();
                    if !self.in_brackets() {
                        self.set_value("…");
                        return Place::Nothing;
                    }
                }
                ',' => {
                    self.next_part(part.trim());
                    part.clear();
                }
                ':' if characters.peek().is_none_or(|next| *next == ' ') => {
                    if let Some(Level { kind: Kind::Map { entries, in_value }, .. }) =
                        self.levels.last_mut()
                        && !*in_value
                    {
                        entries.push((unquoted(part.trim()).to_owned(), String::new()));
                        *in_value = true;
                        part.clear();
                    } else {
                        part.push(c);
                    }
                }
                '#' if part.ends_with(' ') || part.is_empty() => return Place::Nothing,
                _ => part.push(c),
            }
        }
        let written = part.trim_start().to_owned();
        match self.levels.last().map(|level| &level.kind) {
            Some(Kind::Map { in_value: true, .. }) => Place::Value(written),
            Some(Kind::Map { in_value: false, .. }) | None => Place::Key,
            Some(Kind::List { .. }) => Place::Item(written),
        }
    }

    fn next_part(&mut self, part: &str) {
        match self.levels.last_mut().map(|level| &mut level.kind) {
            Some(Kind::Map { entries, in_value }) => {
                if let (true, Some((_, value))) = (*in_value, entries.last_mut()) {
                    part.clone_into(value);
                }
                *in_value = false;
            }
            Some(Kind::List { n_items }) => *n_items += 1,
            None => {}
        }
    }

    fn cursor(mut self, place: Place) -> Cursor {
        // A key at a map's own column is beside its entries, not within the last one.
        let mut beside = Vec::new();
        if place == Place::Key
            && let Some(Level { kind: Kind::Map { entries, in_value: false }, .. }) =
                self.levels.last_mut()
        {
            beside = std::mem::take(entries);
        }
        let path = self
            .levels
            .into_iter()
            .filter_map(|level| match level.kind {
                Kind::Map { mut entries, .. } => {
                    let (key, _) = entries.pop()?;
                    Some(Part::Key(key, entries))
                }
                Kind::List { n_items } => Some(Part::Item(n_items - 1)),
            })
            .collect();
        Cursor { path, place, beside }
    }
}

/// `key: value`, when a line is one.
fn key_of(rest: &str) -> Option<(&str, &str)> {
    if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let end = rest[1..].find(quote)? + 2;
        let value = rest[end..].trim_start().strip_prefix(':')?;
        return Some((unquoted(&rest[..end]), value));
    }
    let at = rest.match_indices(':').map(|(at, _)| at).find(|at| {
        let next = rest[at + 1..].chars().next();
        next.is_none_or(|next| next == ' ' || next == '\t')
    })?;
    (at > 0).then(|| (rest[..at].trim_end(), &rest[at + 1..]))
}

fn unquoted(text: &str) -> &str {
    text.trim_matches(['"', '\''])
}

/// A value without the comment behind it, and whether there is one.
fn without_comment(value: &str) -> (&str, bool) {
    let is_outside = |at: &usize| value[..*at].matches('"').count().is_multiple_of(2);
    match value.match_indices(" #").map(|(at, _)| at).find(is_outside) {
        Some(at) => (value[..at].trim_end(), true),
        None => (value, value.starts_with('#')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The path, `|`, and the place, at the `‸` of a text.
    fn place(text: &str) -> String {
        let offset = text.find('‸').unwrap();
        let found = cursor(&text.replace('‸', ""), offset);
        let beside: Vec<&str> = found.beside.iter().map(|(key, _)| key.as_str()).collect();
        let place = match &found.place {
            Place::Key => format!("key beside {beside:?}"),
            Place::Value(before) => format!("value {before:?}"),
            Place::Item(before) => format!("item {before:?}"),
            Place::Nothing => "nothing".to_owned(),
        };
        format!("{} | {place}", found.names().join(" "))
    }

    #[test]
    fn a_line_may_open_any_number_of_lists() {
        let text = "- ".repeat(50_000);
        assert_eq!(cursor(&text, text.len()).path.len(), 50_000);
        let text = format!("a: {}", "[".repeat(50_000));
        assert_eq!(cursor(&text, text.len()).path.len(), 50_001);
    }

    #[test]
    fn keys_and_values_in_block_form() {
        assert_eq!(place("arqon: 1\nci‸"), " | key beside [\"arqon\"]");
        assert_eq!(place("flow:\n  n:\n    fr‸"), "flow n | key beside []");
        assert_eq!(place("flow:\n  n:\n    from: a.‸"), "flow n from | value \"a.\"");
        assert_eq!(place("flow:\n  n:\n    from: a\n    ‸"), "flow n | key beside [\"from\"]");
        assert_eq!(place("flow:\n  n:\n    from: a\n  ‸"), "flow | key beside [\"n\"]");
        assert_eq!(place("flow:\n  n:\n    from: a  # wh‸"), "flow n from | nothing");
    }

    #[test]
    fn steps_are_items() {
        let steps = "flow:\n  n:\n    from: a\n    do:\n      - where: x > 1\n";
        assert_eq!(place(&format!("{steps}      - ‸")), "flow n do - | item \"\"");
        assert_eq!(place(&format!("{steps}      - jo‸")), "flow n do - | item \"jo\"");
        assert_eq!(
            place(&format!("{steps}      - join: b\n        ma‸")),
            "flow n do - | key beside [\"join\"]"
        );
        assert_eq!(
            place(&format!("{steps}      - join: b\n        match: {{ id: a‸")),
            "flow n do - match id | value \"a\""
        );
        assert_eq!(
            place("flow:\n  n:\n    do:\n    - where: x\n    - wh‸"),
            "flow n do - | item \"wh\""
        );
        let text = format!("{steps}      - with: {{ a: x, b: ");
        let found = cursor(&text, text.len());
        assert_eq!(found.path[3], Part::Item(1));
        assert_eq!(found.place, Place::Value(String::new()));
    }

    #[test]
    fn brackets_may_go_over_lines() {
        assert_eq!(place("access:\n  r: { publish: [a, ‸"), "access r publish - | item \"\"");
        assert_eq!(
            place("access:\n  r: { publish: [a,\n    b], sub‸"),
            "access r | key beside [\"publish\"]"
        );
        assert_eq!(place("topics:\n  t: { schema: S, edge: i‸"), "topics t edge | value \"i\"");
        assert_eq!(place("topics:\n  t: { schema: S }\n  ‸"), "topics | key beside [\"t\"]");
    }

    #[test]
    fn texts_and_long_expressions() {
        assert_eq!(place("description: |\n  some fl‸"), "description | nothing");
        assert_eq!(place("description: |\n  some\nfl‸"), " | key beside [\"description\"]");
        assert_eq!(
            place("flow:\n  n:\n    do:\n      - where: a == 1\n          and b‸"),
            "flow n do - where | value \"a == 1 and b\""
        );
        assert_eq!(
            place("flow:\n  n:\n    do:\n      - where: x == \"a: b‸"),
            "flow n do - where | value \"x == \\\"a: b\""
        );
    }
}
