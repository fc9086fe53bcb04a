//! YAML text to a spanned tree, in an arena.
//!
//! An adapter over an event parser: what circuits do without (anchors, aliases, tags, merge keys,
//! second documents, keys that are not texts, keys that stand twice) is reported and left out
//! here, so that the rooms after it see maps with unique text keys. Nothing recurses: the depth
//! of a file costs heap, never stack.

mod characters;
mod lines;
mod fault;
mod offsets;
mod split;

pub(crate) use characters::check_characters;
pub use characters::decode;
pub(crate) use offsets::Offsets;
pub(crate) use split::quote;

use std::borrow::Cow;
use std::collections::BTreeMap;

use granit_parser::Event;
use granit_parser::Parser;
use granit_parser::ScalarStyle;
use granit_parser::StructureStyle;

use crate::code;
use crate::diagnostic::Collector;
use crate::diagnostic::Diagnostic;
use crate::limits::YAML_DEPTH_MAX;
use crate::limits::YAML_NODES_MAX;
use crate::span::Span;

/// A file's tree. Nodes refer to each other by [`NodeId`].
#[derive(Debug)]
pub(crate) struct Document<'a> {
    nodes: Vec<YamlNode<'a>>,
    /// The top node; none in an empty file.
    pub(crate) root: Option<NodeId>,
}

/// Index of a node in its document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NodeId(u32);

/// One scalar, list or map.
#[derive(Debug)]
pub(crate) struct YamlNode<'a> {
    /// Its place; of a block list or map, from its first entry to the end of its last.
    pub(crate) span: Span,
    /// What it is.
    pub(crate) content: Content<'a>,
}

/// What a node is.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    /// A text.
    Scalar(Scalar<'a>),
    /// A list.
    List(Vec<NodeId>),
    /// A map with unique text keys.
    Map(Vec<Entry>),
    /// An unquoted text behind a tag, `!x and y`: in an expression's place a negation gone wrong.
    Tagged {
        /// The tag.
        tag: Span,
    },
    /// Refused; a diagnostic has been made.
    Refused,
}

/// A text and how it was written.
#[derive(Clone, Debug)]
pub(crate) struct Scalar<'a> {
    /// The text, escapes resolved and lines folded. Empty when nothing was written.
    pub(crate) text: Cow<'a, str>,
    /// Its notation.
    pub(crate) style: ScalarStyle,
}

/// One entry of a map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The key, always a scalar.
    pub(crate) key: NodeId,
    /// The value.
    pub(crate) value: NodeId,
}

const KEY_HELP: &str = "a key is a name; a list or map stands behind its `:`";

impl<'a> Document<'a> {
    /// The node with this id.
    pub(crate) fn node(&self, id: NodeId) -> &YamlNode<'a> {
        &self.nodes[id.0 as usize]
    }

    /// The text of a key.
    pub(crate) fn key(&self, entry: Entry) -> &str {
        match &self.node(entry.key).content {
            Content::Scalar(scalar) => &scalar.text,
            Content::List(_) | Content::Map(_) | Content::Tagged { .. } | Content::Refused => "",
        }
    }

    /// All texts that are written, with their places.
    pub(crate) fn scalars(&self) -> impl Iterator<Item = (Span, &Scalar<'a>)> {
        self.nodes.iter().filter_map(|node| match &node.content {
            Content::Scalar(scalar) if !node.span.is_empty() => Some((node.span, scalar)),
            Content::Scalar(_)
            | Content::List(_)
            | Content::Map(_)
            | Content::Tagged { .. }
            | Content::Refused => None,
        })
    }

    fn add(&mut self, content: Content<'a>, span: Span) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).expect("at most YAML_NODES_MAX nodes"));
        self.nodes.push(YamlNode { span, content });
        id
    }
}

/// Whether a text is written as a block below its key.
pub(crate) fn is_block_scalar(scalar: &Scalar<'_>) -> bool {
    matches!(scalar.style, ScalarStyle::Literal | ScalarStyle::Folded)
}

/// Reads the file that begins at `start` of a text and ends with it. None when its structure
/// could not be read; the diagnostics say why.
pub(crate) fn read<'a>(
    text: &'a str,
    start: u32,
    diagnostics: &mut Collector,
) -> Option<Document<'a>> {
    let mut options = granit_parser::options! {
        disallow_directives: true,
        emit_unresolved_aliases: true,
        flow_nesting_limit: YAML_DEPTH_MAX,
        block_nesting_limit: YAML_DEPTH_MAX
    };
    options.set_emit_comments(false);
    let own = &text[start as usize..];
    let mut parser = Parser::new_from_str_with_options(own, options);
    let mut builder = Builder {
        text,
        document: Document { nodes: Vec::with_capacity(own.len() / 16), root: None },
        open: Vec::new(),
        spare: Vec::new(),
        n_documents: 0,
        diagnostics,
    };
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => {
                let span = byte_span(&span, start);
                if !builder.take(event, span) {
                    return None;
                }
                if 1 < builder.n_documents {
                    break;
                }
            }
            Err(error) => {
                builder.diagnostics.push(fault::describe(text, start, &error));
                return None;
            }
        }
    }
    let document = builder.document;
    if document.root.is_none() {
        diagnostics.push(
            Diagnostic::new(code::yaml::DOCUMENTS, Span::empty(start), "the file holds no circuit")
                .help("a circuit begins with `arqon: 1` and `circuit: name`"),
        );
        return None;
    }
    Some(document)
}

fn byte_span(span: &granit_parser::Span, start: u32) -> Span {
    // A parser over `&str` always knows byte offsets, and files are far below 4 GB.
    let offset = |marker: granit_parser::Marker| {
        let at = u32::try_from(marker.byte_offset().unwrap_or_default()).unwrap_or(u32::MAX);
        at.saturating_add(start)
    };
    Span::new(offset(span.start), offset(span.end))
}

/// A list or map whose end has not been seen.
struct Open {
    id: NodeId,
    is_map: bool,
    is_flow: bool,
    /// Items, or keys and values in turn.
    children: Vec<NodeId>,
}

struct Builder<'a, 'd> {
    text: &'a str,
    document: Document<'a>,
    open: Vec<Open>,
    /// Emptied lists of children, for the next list or map.
    spare: Vec<Vec<NodeId>>,
    n_documents: usize,
    diagnostics: &'d mut Collector,
}

impl<'a> Builder<'a, '_> {
    /// Takes one event; false when reading must end.
    fn take(&mut self, event: Event<'a>, span: Span) -> bool {
        match event {
            Event::DocumentStart(..) => {
                self.n_documents += 1;
                if 1 < self.n_documents {
                    self.diagnostics.push(
                        Diagnostic::new(
                            code::yaml::DOCUMENTS,
                            span,
                            "a second document begins here",
                        )
                        .help("a file holds one circuit; move the second one into its own file"),
                    );
                }
                true
            }
            Event::Scalar(text, style, anchor, tag) => {
                // An empty value is reported as `~`, with an empty place.
                let text = if span.is_empty() && style == ScalarStyle::Plain {
                    Cow::Borrowed("")
                } else {
                    text
                };
                self.refuse_anchor(anchor, span);
                let content = match tag {
                    Some(tag) => self.tagged(&tag, span, Scalar { text, style }),
                    None => Content::Scalar(Scalar { text, style }),
                };
                self.add(content, span).is_some()
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.start(Content::List(Vec::new()), style, (anchor, tag.is_some()), span)
            }
            Event::MappingStart(style, anchor, tag) => {
                self.start(Content::Map(Vec::new()), style, (anchor, tag.is_some()), span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.end(span);
                true
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.diagnostics.push(
                    Diagnostic::new(
                        code::yaml::ANCHOR,
                        span,
                        format!(
                            "the alias `{}` is not part of the language",
                            span.slice(self.text)
                        ),
                    )
                    .help("write the value out, or give it a name in `params` or `schemas`"),
                );
                self.add(Content::Refused, span).is_some()
            }
            // Stream marks, and events that only other options or later versions emit.
            _ => true,
        }
    }

    /// Adds a node to the list or map that is open; none when there are too many.
    fn add(&mut self, content: Content<'a>, span: Span) -> Option<NodeId> {
        if self.document.nodes.len() == YAML_NODES_MAX {
            self.diagnostics.push(Diagnostic::new(
                code::yaml::TOO_LARGE,
                span,
                format!("the file has more than {YAML_NODES_MAX} YAML nodes"),
            ));
            return None;
        }
        let id = self.document.add(content, span);
        match self.open.last_mut() {
            Some(open) => open.children.push(id),
            None if self.document.root.is_none() => self.document.root = Some(id),
            None => {}
        }
        Some(id)
    }

    fn start(
        &mut self,
        content: Content<'a>,
        style: StructureStyle,
        (anchor, has_tag): (usize, bool),
        span: Span,
    ) -> bool {
        if self.open.len() == YAML_DEPTH_MAX {
            self.diagnostics.push(fault::too_deep(span));
            return false;
        }
        self.refuse_anchor(anchor, span);
        if has_tag {
            self.diagnostics.push(Diagnostic::new(
                code::yaml::TAG,
                span,
                "a tag before a list or map is not part of the language",
            ));
        }
        let is_map = matches!(content, Content::Map(_));
        let Some(id) = self.add(content, span) else { return false };
        let is_flow = style == StructureStyle::Flow;
        let children = self.spare.pop().unwrap_or_default();
        self.open.push(Open { id, is_map, is_flow, children });
        true
    }

    fn end(&mut self, span: Span) {
        let Some(mut open) = self.open.pop() else { return };
        let last_end = open.children.last().map(|id| self.document.node(*id).span.end);
        if open.is_flow {
            self.mend_splits(&mut open);
        }
        let content = if open.is_map {
            Content::Map(self.entries(&open.children))
        } else {
            Content::List(open.children.clone())
        };
        open.children.clear();
        self.spare.push(open.children);
        let node = &mut self.document.nodes[open.id.0 as usize];
        node.span.end = if open.is_flow { span.end } else { last_end.unwrap_or(span.end) };
        node.content = content;
    }

    /// The entries of a map, without those whose key is no text, is `<<`, or stands twice.
    fn entries(&mut self, children: &[NodeId]) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::with_capacity(children.len() / 2);
        // Small maps are searched; for large ones an index keeps the cost near linear.
        let mut index: Option<BTreeMap<String, Span>> =
            (2 * SEARCHED_ENTRIES_MAX < children.len()).then(BTreeMap::new);
        for pair in children.chunks_exact(2) {
            let entry = Entry { key: pair[0], value: pair[1] };
            if !self.check_key(entry) {
                continue;
            }
            let key = self.document.key(entry);
            let key_span = self.document.node(entry.key).span;
            let first = match &mut index {
                Some(index) => index.get(key).copied(),
                None => entries
                    .iter()
                    .find(|other| self.document.key(**other) == key)
                    .map(|other| self.document.node(other.key).span),
            };
            if let Some(first) = first {
                self.diagnostics.push(
                    Diagnostic::new(
                        code::yaml::DUPLICATE_KEY,
                        key_span,
                        format!("`{key}` stands twice in one map"),
                    )
                    .label("the second one")
                    .secondary(first, "the first one"),
                );
                continue;
            }
            if let Some(index) = &mut index {
                index.insert(key.to_owned(), key_span);
            }
            entries.push(entry);
        }
        entries
    }

    /// Whether an entry's key is a text; reports when it is not.
    fn check_key(&mut self, entry: Entry) -> bool {
        let key = self.document.node(entry.key);
        let value = self.document.node(entry.value);
        let (code, span, message, help) = match &key.content {
            Content::Scalar(scalar)
                if scalar.text == "<<" && scalar.style == ScalarStyle::Plain =>
            {
                (
                    code::yaml::ANCHOR,
                    key.span,
                    "the merge key `<<` is not part of the language",
                    "write the entries out that it would bring",
                )
            }
            Content::Scalar(_) if !key.span.is_empty() => return true,
            Content::Scalar(_) => (
                code::yaml::KEY_SHAPE,
                value.span,
                "a value without a key",
                "an entry is `key: value`",
            ),
            Content::List(_) => {
                (code::yaml::KEY_SHAPE, key.span, "a list cannot be a key", KEY_HELP)
            }
            Content::Map(_) if self.text[..key.span.start as usize].ends_with('{') => {
                let fault = template(self.text, key.span);
                self.diagnostics.push(fault);
                return false;
            }
            Content::Map(_) => (code::yaml::KEY_SHAPE, key.span, "a map cannot be a key", KEY_HELP),
            Content::Tagged { tag } => (
                code::yaml::TAG,
                *tag,
                "a tag before a key is not part of the language",
                "leave it out; every key is a text",
            ),
            Content::Refused => return false,
        };
        self.diagnostics.push(Diagnostic::new(code, span, message).help(help));
        false
    }

    fn refuse_anchor(&mut self, anchor: usize, span: Span) {
        if anchor == 0 {
            return;
        }
        // The anchor stands before its value, behind white space and perhaps a tag.
        let before = &self.text[..span.start as usize];
        let start = before.rfind('&').unwrap_or(before.len());
        let name = before[start..].split([' ', '\t', '\r', '\n']).next().unwrap_or("");
        let at = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        let place = Span::new(at(start), at(start + name.len()));
        self.diagnostics.push(
            Diagnostic::new(
                code::yaml::ANCHOR,
                place,
                format!("the anchor `{name}` is not part of the language"),
            )
            .help("give the value a name in `params`, `schemas` or `functions`, and use the name"),
        );
    }

    /// What a tagged scalar is: refused, or left to the place where it stands to judge.
    fn tagged(&mut self, tag: &granit_parser::Tag, span: Span, scalar: Scalar<'a>) -> Content<'a> {
        // The tag stands before its value (an empty value follows it at once).
        let before = &self.text[..span.start as usize];
        let start =
            before.trim_end().rfind([' ', '\t', '\n', '[', '{', ',']).map_or(0, |at| at + 1);
        let start = u32::try_from(start).unwrap_or(u32::MAX);
        let written = Span::new(start, span.start).slice(self.text).trim_end();
        let tag_span = Span::new(start, start + u32::try_from(written.len()).unwrap_or(0));
        if tag.original_handle() == "!" && scalar.style == ScalarStyle::Plain {
            return Content::Tagged { tag: tag_span };
        }
        self.diagnostics.push(
            Diagnostic::new(
                code::yaml::TAG,
                tag_span,
                format!("the tag `{written}` is not part of the language"),
            )
            .help("leave it out; the schema says how a value is read")
            .fix(Span::new(tag_span.start, span.start), "", "leave the tag out"),
        );
        Content::Scalar(scalar)
    }
}

/// Maps of at most this many entries are searched for duplicate keys one by one.
const SEARCHED_ENTRIES_MAX: usize = 12;

/// `{{ name }}`, which YAML reads as a map whose key is a map; `inner` is the inner one.
fn template(text: &str, inner: Span) -> Diagnostic {
    let written = inner.slice(text);
    let name = written.trim_start_matches('{').trim_end_matches('}').trim();
    let rest = &text[inner.end as usize..];
    let n_blanks = rest.len() - rest.trim_start_matches(' ').len();
    let is_closed = rest[n_blanks..].starts_with('}');
    let n_after = if is_closed { n_blanks + 1 } else { 0 };
    let end = inner.end + u32::try_from(n_after).unwrap_or_default();
    let whole = Span::new(inner.start.saturating_sub(1), end);
    let fault =
        Diagnostic::new(code::yaml::KEY_SHAPE, whole, "there are no templates in double braces")
            .help("names stand bare; what differs from place to place is a parameter in `params:`");
    let is_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    if is_closed && !name.is_empty() && name.chars().all(is_path) {
        return fault.fix(whole, name, format!("write `{name}`"));
    }
    fault
}

#[cfg(test)]
mod tests;
