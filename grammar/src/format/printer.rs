//! The tree of a file, walked in the order of its text, with the comments between its parts.

use super::LINE_CHARACTERS_MAX;
use super::align;
use super::align::Cell;
use super::align::Inline;
use super::align::Row;
use super::align::Stand;
use super::align::width;
use super::comments::Comment;
use super::comments::comments;
use super::layout::Line;
use super::layout::Trailing;
use super::layout::render;
use super::scalar::BlockIndent;
use super::scalar::Written;
use super::scalar::block_lines;
use crate::ast::Circuit;
use crate::circuit::CIRCUIT_KEYS;
use crate::span::Span;
use crate::yaml::Content;
use crate::yaml::Document;
use crate::yaml::NodeId;
use crate::yaml::is_block_scalar;

/// Prints one file.
pub(super) struct Printer<'a> {
    text: &'a str,
    document: &'a Document<'a>,
    /// Where expressions begin, sorted.
    expressions: Vec<u32>,
    /// Where the lines of the file begin.
    line_starts: Vec<usize>,
    comments: Vec<Comment<'a>>,
    /// Which comments have found their line.
    is_taken: Vec<bool>,
    /// All comments before this one are taken.
    next: usize,
    /// The end of what was printed last, in the file.
    last: usize,
    /// Whether a block of text keeps the empty lines at its end, so that none may be added.
    keeps_blanks: bool,
}

/// An entry of a map or list.
struct Entry {
    /// Comments before it.
    leading: Vec<Line>,
    /// Whether an empty line stands before it.
    has_blank: bool,
    body: Body,
    /// A comment behind its first line.
    comment: Option<Trailing>,
}

enum Body {
    OneLine(Row),
    /// A line, and what stands below it.
    Below(String, Vec<Line>),
    /// Lines of which the first one stands behind a dash.
    Dashed(Vec<Line>),
}

/// The beginning of an entry: a key or a dash.
struct Head {
    text: String,
    /// The byte after its `:` or `-`.
    end: usize,
    /// Its column in the file.
    column: usize,
    is_dash: bool,
}

impl<'a> Printer<'a> {
    pub(super) fn new(text: &'a str, document: &'a Document<'a>, circuit: &Circuit) -> Self {
        let mut expressions: Vec<u32> = Vec::new();
        circuit.for_each_expression(&mut |expr| expressions.push(expr.span.start));
        expressions.extend(circuit.functions.iter().map(|function| function.name.span.start));
        expressions.extend(circuit.routes.iter().map(|chain| chain.span.start));
        expressions.sort_unstable();
        let mut scalars: Vec<Span> = document.scalars().map(|(span, _)| span).collect();
        scalars.sort_unstable();
        let comments = comments(text, &scalars);
        let keeps_blanks = document.scalars().any(|(span, scalar)| {
            let header = text[..span.start as usize].trim_end().rsplit(char::is_whitespace).next();
            is_block_scalar(scalar) && header.is_some_and(|header| header.contains('+'))
        });
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            document,
            expressions,
            line_starts: std::iter::once(0).chain(breaks).collect(),
            is_taken: vec![false; comments.len()],
            comments,
            next: 0,
            last: 0,
            keeps_blanks,
        }
    }

    /// The whole text.
    pub(super) fn print(mut self) -> String {
        let Some(root) = self.document.root else { return String::new() };
        let start = self.document.node(root).span.start as usize;
        let mut lines = self.mark("---", start);
        let mut entries = self.map(root, 0);
        let end = self.last;
        entries.sort_by_key(|(key, _)| CIRCUIT_KEYS.iter().position(|known| known == key));
        let mut entries: Vec<Entry> = entries.into_iter().map(|(_, entry)| entry).collect();
        self.part_sections(&mut entries);
        lines.extend(layout(entries, 0));
        self.last = end;
        lines.extend(self.mark("...", self.text.len()));
        lines.extend(self.flush(self.text.len(), 0));
        assert!(self.is_taken.iter().all(|is_taken| *is_taken), "every comment has its line");
        let mark = if self.text.starts_with('\u{feff}') { "\u{feff}" } else { "" };
        format!("{mark}{}", render(&lines))
    }

    /// The line of a document mark before `end`, with the comments before it.
    fn mark(&mut self, mark: &str, end: usize) -> Vec<Line> {
        let gap = &self.text[self.last..end];
        let at = gap.match_indices(mark).map(|(at, _)| self.last + at).find(|at| {
            let is_first = *at == 0 || matches!(self.text.as_bytes()[at - 1], b'\n' | 0xBF);
            is_first && !self.comments.iter().any(|it| it.start <= *at && *at < it.end)
        });
        let Some(at) = at else { return Vec::new() };
        let mut lines = self.flush(at, 0);
        let has_blank = self.has_blank(at);
        self.last = at + mark.len();
        let comment = self.trailing(self.last);
        lines.push(Line { comment, has_blank, ..Line::new(0, mark) });
        lines
    }

    /// An empty line around every section with lines of its own.
    fn part_sections(&self, entries: &mut [Entry]) {
        if self.keeps_blanks {
            return;
        }
        let is_section = |entry: &Entry| matches!(entry.body, Body::Below(..));
        for at in 1..entries.len() {
            let is_parted =
                entries[at].has_blank || entries[at].leading.iter().any(|line| line.has_blank);
            if !is_parted && (is_section(&entries[at]) || is_section(&entries[at - 1])) {
                match entries[at].leading.first_mut() {
                    Some(line) => line.has_blank = true,
                    None => entries[at].has_blank = true,
                }
            }
        }
    }

    /// The entries of a map with their keys.
    fn map(&mut self, id: NodeId, indent: usize) -> Vec<(&'a str, Entry)> {
        let document = self.document;
        let Content::Map(entries) = &document.node(id).content else { return Vec::new() };
        let mut made = Vec::with_capacity(entries.len());
        for entry in entries {
            let span = document.node(entry.key).span;
            let (start, end) = (span.start as usize, span.end as usize);
            let leading = self.flush(start, indent);
            let has_blank = self.has_blank(start);
            let text = format!("{}:", self.key(entry.key));
            let head = Head {
                text,
                end: self.after_colon(end),
                column: self.column(start),
                is_dash: false,
            };
            self.last = head.end;
            made.push((
                document.key(*entry),
                self.entry(leading, has_blank, head, entry.value, indent),
            ));
        }
        made
    }

    /// The items of a list.
    fn list(&mut self, id: NodeId, indent: usize, is_flow: bool) -> Vec<Entry> {
        let document = self.document;
        let Content::List(items) = &document.node(id).content else { return Vec::new() };
        let mut made = Vec::with_capacity(items.len());
        for item in items {
            let start = document.node(*item).span.start as usize;
            let dash = if is_flow { None } else { self.dash(start) };
            let at = dash.unwrap_or(start);
            let leading = self.flush(at, indent);
            let has_blank = self.has_blank(at);
            let end = dash.map_or(start, |dash| dash + 1);
            let head = Head { text: "-".to_owned(), end, column: self.column(at), is_dash: true };
            self.last = end;
            made.push(self.entry(leading, has_blank, head, *item, indent));
        }
        made
    }

    fn entry(
        &mut self,
        mut leading: Vec<Line>,
        has_blank: bool,
        head: Head,
        value: NodeId,
        indent: usize,
    ) -> Entry {
        let document = self.document;
        let node = document.node(value);
        let (start, end) = (node.span.start as usize, node.span.end as usize);
        let (body, comment) = match &node.content {
            Content::Scalar(scalar) if is_block_scalar(scalar) => {
                self.block_of_text(&head, node.span, indent)
            }
            Content::Scalar(_) if node.span.is_empty() => {
                let comment = self.trailing(head.end);
                (one_line(head, Inline::default(), None), comment)
            }
            Content::Scalar(_) => {
                // A comment between key and value has no place of its own there.
                let mut comment = self.trailing(head.end);
                leading.extend(self.flush(start, indent));
                self.last = end;
                comment = comment.or_else(|| self.trailing(end));
                self.scalar(head, value, indent, comment)
            }
            Content::List(_) | Content::Map(_) => self.collection(head, value, indent),
            Content::Tagged { .. } | Content::Refused => (Body::Below(head.text, Vec::new()), None),
        };
        Entry { leading, has_blank, body, comment }
    }

    /// A scalar, and the comment that is left for its first line.
    fn scalar(
        &self,
        head: Head,
        value: NodeId,
        indent: usize,
        comment: Option<Trailing>,
    ) -> (Body, Option<Trailing>) {
        let Some(written) = self.written(value) else {
            return (Body::Below(head.text, Vec::new()), comment);
        };
        let start = self.document.node(value).span.start as usize;
        let before = &self.text[head.end..start];
        let is_below = before.contains('\n') && !head.is_dash;
        let below = indent + 2;
        let Some(text) = written.inline(false) else {
            let (first, mut rest) = written.lines(below);
            if is_below {
                rest.insert(0, Line::new(below, first));
                return (Body::Below(head.text, rest), comment);
            }
            // Behind the first line of a text it would end the text there.
            if let Some(last) = rest.last_mut() {
                last.comment = comment;
            }
            return (Body::Below(format!("{} {first}", head.text), rest), None);
        };
        let is_long = LINE_CHARACTERS_MAX < indent + width(&head.text) + 1 + width(&text);
        if is_below && is_long {
            return (Body::Below(head.text, vec![Line::new(below, text)]), comment);
        }
        let stands = self.stands(before, start);
        (one_line(head, Inline { text, cells: Vec::new() }, stands), comment)
    }

    fn block_of_text(
        &mut self,
        head: &Head,
        span: Span,
        indent: usize,
    ) -> (Body, Option<Trailing>) {
        let is_header = |c: char| matches!(c, '|' | '>' | '+' | '-') || c.is_ascii_digit();
        let rest = &self.text[head.end..];
        let lead = rest.len() - rest.trim_start().len();
        let header: String = rest[lead..].chars().take_while(|c| is_header(*c)).collect();
        let header_end = head.end + lead + header.len();
        let line_end =
            self.text[header_end..].find('\n').map_or(self.text.len(), |at| header_end + at + 1);
        let content_end = (span.end as usize).max(line_end);
        let comment = self.trailing(header_end);
        let content = &self.text[line_end..content_end];
        let lines =
            block_lines(&header, content, BlockIndent { before: head.column, after: indent });
        // Empty lines at the end part what follows, unless they belong to the text.
        let written = if header.contains('+') { content } else { content.trim_end() };
        self.last = line_end + written.len();
        (Body::Below(format!("{} {header}", head.text), lines), comment)
    }

    fn collection(&mut self, head: Head, value: NodeId, indent: usize) -> (Body, Option<Trailing>) {
        let span = self.document.node(value).span;
        let (start, end) = (span.start as usize, span.end as usize);
        let is_flow = matches!(self.text.as_bytes().get(start), Some(b'{' | b'['));
        if let Some(inline) = self.inline_collection(value).filter(|_| is_flow)
            && (indent + width(&head.text) + 1 + width(&inline.text) <= LINE_CHARACTERS_MAX
                || self.is_empty(value))
        {
            let before = &self.text[head.end..start];
            let stands = self.stands(before, start);
            // A comment between key and value goes behind both.
            let comment = self.trailing(head.end);
            self.last = end;
            let comment = comment.or_else(|| self.trailing(end));
            return (one_line(head, inline, stands), comment);
        }
        // Behind a dash the comment stands before the first entry, on the line of the dash.
        let mut comment = if head.is_dash { None } else { self.trailing(head.end) };
        if is_flow {
            if !head.is_dash {
                comment = comment.or_else(|| self.trailing(end));
            }
            self.last = self.last.max(start + 1);
        }
        let below = indent + 2;
        let column = self.first_column(value);
        let is_map = matches!(self.document.node(value).content, Content::Map(_));
        let entries = if is_map {
            self.map(value, below).into_iter().map(|(_, entry)| entry).collect()
        } else {
            self.list(value, below, is_flow)
        };
        let mut lines = layout(entries, below);
        if is_flow {
            lines.extend(self.flush(end, below));
            self.last = self.last.max(end);
            if let Some(last) = lines.last_mut().filter(|last| last.comment.is_none()) {
                last.comment = self.trailing(end);
            }
        } else {
            lines.extend(self.closing(column, below));
        }
        if head.is_dash {
            (Body::Dashed(lines), comment)
        } else {
            (Body::Below(head.text, lines), comment)
        }
    }

    /// A list or map in brackets on one line; none if that cannot be.
    fn inline_collection(&self, id: NodeId) -> Option<Inline> {
        let span = self.document.node(id).span;
        let first = self.comments.partition_point(|it| it.start < span.start as usize);
        let mut inner = (first..self.comments.len())
            .take_while(|at| self.comments[*at].start < span.end as usize);
        if inner.any(|at| !self.is_taken[at]) {
            return None;
        }
        let text = self.inline(id).filter(|text| width(text) <= LINE_CHARACTERS_MAX)?;
        let Content::Map(entries) = &self.document.node(id).content else {
            return Some(Inline { text, cells: Vec::new() });
        };
        let mut cells = Vec::with_capacity(entries.len());
        for entry in entries {
            let start = self.document.node(entry.key).span.start as usize;
            let before = &self.text[..start];
            cells.push(Cell {
                key: self.document.key(*entry).to_owned(),
                text: self.pair(entry.key, entry.value)?,
                stands: Stand {
                    column: self.column(start),
                    gap: before.len() - before.trim_end_matches(' ').len(),
                },
            });
        }
        Some(Inline { text, cells })
    }

    fn inline(&self, id: NodeId) -> Option<String> {
        match &self.document.node(id).content {
            Content::Scalar(_) if self.document.node(id).span.is_empty() => Some(String::new()),
            Content::Scalar(_) => self.written(id)?.inline(true),
            Content::List(items) => {
                let items: Option<Vec<String>> = items.iter().map(|it| self.inline(*it)).collect();
                Some(format!("[{}]", items?.join(", ")))
            }
            Content::Map(entries) if entries.is_empty() => Some("{}".to_owned()),
            Content::Map(entries) => {
                let entries: Option<Vec<String>> =
                    entries.iter().map(|entry| self.pair(entry.key, entry.value)).collect();
                Some(format!("{{ {} }}", entries?.join(", ")))
            }
            Content::Tagged { .. } | Content::Refused => None,
        }
    }

    fn pair(&self, key: NodeId, value: NodeId) -> Option<String> {
        let (key, value) = (self.key(key), self.inline(value)?);
        Some(if value.is_empty() { format!("{key}:") } else { format!("{key}: {value}") })
    }

    fn key(&self, id: NodeId) -> String {
        let inline = self.written(id).and_then(|written| written.inline(true));
        inline.unwrap_or_else(|| self.document.node(id).span.slice(self.text).to_owned())
    }

    fn written(&self, id: NodeId) -> Option<Written<'a>> {
        let node = self.document.node(id);
        let Content::Scalar(scalar) = &node.content else { return None };
        let first = self.expressions.partition_point(|start| *start < node.span.start);
        let is_expression = self.expressions.get(first).is_some_and(|start| *start < node.span.end);
        Some(Written { text: node.span.slice(self.text), scalar, is_expression })
    }

    fn is_empty(&self, id: NodeId) -> bool {
        match &self.document.node(id).content {
            Content::List(items) => items.is_empty(),
            Content::Map(entries) => entries.is_empty(),
            Content::Scalar(_) | Content::Tagged { .. } | Content::Refused => false,
        }
    }

    /// The column of the first entry of a block map or list.
    fn first_column(&self, id: NodeId) -> usize {
        match &self.document.node(id).content {
            Content::Map(entries) => entries
                .first()
                .map_or(0, |entry| self.column(self.document.node(entry.key).span.start as usize)),
            Content::List(items) => items.first().map_or(0, |item| {
                let start = self.document.node(*item).span.start as usize;
                self.column(self.dash(start).unwrap_or(start))
            }),
            Content::Scalar(_) | Content::Tagged { .. } | Content::Refused => 0,
        }
    }

    /// The first dash between what was printed last and an item.
    fn dash(&self, item: usize) -> Option<usize> {
        let mut at = self.last;
        while at < item {
            if let Some(comment) = self.comment_at(at) {
                at = comment.end;
            } else if self.text.as_bytes()[at] == b'-' {
                return Some(at);
            } else {
                at += 1;
            }
        }
        None
    }

    fn comment_at(&self, at: usize) -> Option<Comment<'a>> {
        let found = self.comments.partition_point(|comment| comment.start < at);
        self.comments.get(found).copied().filter(|comment| comment.start == at)
    }

    /// The byte after the `:` of a key; after the key itself where it has none.
    fn after_colon(&self, key_end: usize) -> usize {
        let rest = &self.text[key_end..];
        let lead = rest.len() - rest.trim_start().len();
        if rest[lead..].starts_with(':') { key_end + lead + 1 } else { key_end }
    }

    /// The column of a byte, from 0, in characters.
    fn column(&self, at: usize) -> usize {
        let line = self.line_starts.partition_point(|start| *start <= at).max(1);
        let before = &self.text[self.line_starts[line - 1]..at];
        // No column of a line that is kept is that far to the right.
        if before.len() > 8 * LINE_CHARACTERS_MAX {
            return before.len();
        }
        width(before.trim_start_matches('\u{feff}'))
    }

    /// Where a value stands, behind the blanks between it and its key.
    fn stands(&self, before: &str, start: usize) -> Option<Stand> {
        let is_beside = !before.contains('\n');
        is_beside.then(|| Stand { column: self.column(start), gap: before.len() })
    }

    /// Whether an empty line stands just above `start`, behind what was printed last.
    fn has_blank(&self, start: usize) -> bool {
        let mut lines = self.text[self.last.min(start)..start].rsplit('\n').skip(1);
        match (lines.next(), lines.next()) {
            (Some(above), Some(_)) => above.trim().is_empty(),
            _ => false,
        }
    }

    /// The comments before `end` that have no line yet, each on a line of its own.
    fn flush(&mut self, end: usize, indent: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        while let Some(comment) = self.comments.get(self.next).copied().filter(|it| it.start < end)
        {
            if !std::mem::replace(&mut self.is_taken[self.next], true) {
                let has_blank = self.has_blank(comment.start);
                lines.push(Line { has_blank, ..Line::new(indent, comment.text) });
                self.last = comment.end;
            }
            self.next += 1;
        }
        lines
    }

    /// The comment on the line that ends at `from`, brackets and commas aside.
    fn trailing(&mut self, from: usize) -> Option<Trailing> {
        let at = self.comments.partition_point(|comment| comment.start < from);
        let comment = *self.comments.get(at).filter(|_| !self.is_taken[at])?;
        let is_near = |c: char| matches!(c, ' ' | '\t' | ',' | '{' | '}' | '[' | ']');
        if !self.text[from..comment.start].chars().all(is_near) {
            return None;
        }
        self.is_taken[at] = true;
        self.last = self.last.max(comment.end);
        Some(Trailing { text: comment.text.to_owned(), column: self.column(comment.start) })
    }

    /// Comments behind the last entry that are indented like it.
    fn closing(&mut self, column: usize, indent: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        while let Some(comment) = self.comments.get(self.next).copied() {
            let is_next = self.is_taken[self.next]
                || (comment.is_alone
                    && self.last <= comment.start
                    && self.text[self.last..comment.start].trim().is_empty()
                    && column <= self.column(comment.start));
            if !is_next {
                break;
            }
            lines.extend(self.flush(comment.start + 1, indent));
        }
        lines
    }
}

fn one_line(head: Head, value: Inline, stands: Option<Stand>) -> Body {
    let stands = stands.filter(|_| !head.is_dash);
    Body::OneLine(Row { head: head.text, value, stands })
}

/// The lines of entries one below the other; what stands together on one line each is aligned.
fn layout(entries: Vec<Entry>, indent: usize) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut run: Vec<(Row, bool, Option<Trailing>)> = Vec::new();
    for entry in entries {
        if entry.has_blank || !entry.leading.is_empty() {
            lines.extend(aligned(std::mem::take(&mut run), indent));
        }
        lines.extend(entry.leading);
        let (has_blank, comment) = (entry.has_blank, entry.comment);
        match entry.body {
            Body::OneLine(row) => run.push((row, has_blank, comment)),
            Body::Below(text, below) => {
                lines.extend(aligned(std::mem::take(&mut run), indent));
                lines.push(Line { comment, has_blank, ..Line::new(indent, text) });
                lines.extend(without_blank(below));
            }
            Body::Dashed(below) => {
                lines.extend(aligned(std::mem::take(&mut run), indent));
                let mut below = below.into_iter();
                let first = below.next().unwrap_or_default();
                let comment = first.comment.or(comment);
                let text = format!("- {}", first.text);
                lines.push(Line { indent, text, comment, has_blank });
                lines.extend(below);
            }
        }
    }
    lines.extend(aligned(run, indent));
    lines
}

/// No empty line stands between a key and what is below it.
fn without_blank(mut lines: Vec<Line>) -> Vec<Line> {
    if let Some(first) = lines.first_mut() {
        first.has_blank = false;
    }
    lines
}

fn aligned(run: Vec<(Row, bool, Option<Trailing>)>, indent: usize) -> Vec<Line> {
    let (rows, rest): (Vec<Row>, Vec<_>) =
        run.into_iter().map(|(row, has_blank, comment)| (row, (has_blank, comment))).unzip();
    align::lines(&rows, indent)
        .into_iter()
        .zip(rest)
        .map(|(text, (has_blank, comment))| Line { indent, text, comment, has_blank })
        .collect()
}
