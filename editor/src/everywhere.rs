//! What is named in several circuits: a file that they import may declare it, or be where it is
//! used.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use arqon_grammar::diagnostic::Severity;
use arqon_grammar::{Diagnostic, Span};
use lsp_types::Uri;

use crate::analysis::Analysis;
use crate::documents::{Document, Documents};
use crate::names::{Kind, Occurrence};
use crate::rename::{self, Refusal, Replacement};
use crate::uri::path_of;
use crate::workspace::Workspace;

/// The open documents, and the files in the folders that the editor works on.
pub(crate) struct Everywhere<'d> {
    pub(crate) documents: &'d Documents,
    pub(crate) workspace: &'d dyn Workspace,
    pub(crate) folders: &'d [PathBuf],
}

/// A place in a file where something is named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The file.
    pub(crate) uri: String,
    /// The place in it.
    pub(crate) span: Span,
    /// Whether it is declared there.
    pub(crate) is_declaration: bool,
    kind: Kind,
}

/// A circuit that names it.
struct Circuit<'d> {
    document: Held<'d>,
    /// One occurrence of each name that stands for it there.
    names: Vec<Occurrence>,
}

enum Held<'d> {
    Open(&'d Document),
    Read(Box<Document>),
}

impl Deref for Held<'_> {
    type Target = Document;

    fn deref(&self) -> &Document {
        match self {
            Self::Open(document) => document,
            Self::Read(document) => document,
        }
    }
}

/// All files that change, by URI, each with its text.
pub(crate) type Edits = BTreeMap<String, (Rc<str>, Vec<Replacement>)>;

impl Everywhere<'_> {
    /// All places where what stands at an offset of an analysed document is named.
    pub(crate) fn places(&self, document: &Document, found: &Occurrence) -> BTreeSet<Place> {
        self.circuits(document, found).1
    }

    /// All circuit files of the folders, and the open documents, with their texts.
    pub(crate) fn texts(&self) -> Vec<(Uri, Rc<str>)> {
        let mut found: BTreeMap<String, (Uri, Rc<str>)> = BTreeMap::new();
        for (path, text) in self.folders.iter().flat_map(|it| self.workspace.circuits(it)) {
            if let Some(uri) = crate::uri::uri_of(&path) {
                found.insert(uri.as_str().to_owned(), (uri, Rc::from(text)));
            }
        }
        for open in self.documents.all() {
            found.insert(open.uri.as_str().to_owned(), (open.uri.clone(), Rc::clone(&open.text)));
        }
        found.into_values().collect()
    }

    /// The text of a file of a document's circuit, of an open document or of a circuit file.
    pub(crate) fn text(&self, document: &Document, uri: &Uri) -> Option<Rc<str>> {
        if let Some(open) = self.documents.get(uri) {
            return Some(Rc::clone(&open.text));
        }
        let sources = &document.analysis()?.compiled.sources;
        let file =
            sources.files().iter().find(|it| document.uri_of(&it.name).as_ref() == Some(uri));
        if let Some(file) = file {
            return Some(Rc::from(sources.text_of(file)));
        }
        self.others(document).into_iter().find(|(other, _)| other == uri).map(|(_, text)| text)
    }

    /// What changes where it gets another name, in all circuits that know it. It is tried out: no
    /// circuit may have a fault more, and the new name has to mean the same everywhere.
    pub(crate) fn rename(
        &self,
        document: &Document,
        offset: u32,
        new_name: &str,
    ) -> Result<Edits, Refusal> {
        let analysis = document.analysis().ok_or_else(|| Refusal("nothing is known".to_owned()))?;
        let found = rename::renamable(analysis, offset)?;
        let (circuits, _) = self.circuits(document, found);
        let mut edits = Edits::new();
        for Circuit { document, names } in &circuits {
            let Some(analysis) = document.analysis() else { continue };
            for name in names {
                rename::check(analysis, name, new_name)?;
                for replacement in rename::replacements(analysis, name, new_name) {
                    let sources = &analysis.compiled.sources;
                    let file = sources.file(replacement.span);
                    let Some(uri) = document.uri_of(&file.name) else { continue };
                    let span = within(replacement.span, file.span);
                    let (_, all) = edits
                        .entry(uri.as_str().to_owned())
                        .or_insert_with(|| (Rc::from(sources.text_of(file)), Vec::new()));
                    all.push(Replacement { span, ..replacement });
                }
            }
        }
        for (_, all) in edits.values_mut() {
            all.sort_by_key(|it| it.span);
            all.dedup();
            if all.windows(2).any(|pair| pair[1].span.start < pair[0].span.end) {
                return Err(Refusal("two names would change at one place".to_owned()));
            }
        }
        for circuit in &circuits {
            self.try_out(circuit, &edits, new_name)?;
        }
        Ok(edits)
    }

    /// The circuits that name it, the document's own first, and all the places.
    fn circuits<'c>(
        &'c self,
        document: &'c Document,
        found: &Occurrence,
    ) -> (Vec<Circuit<'c>>, BTreeSet<Place>) {
        let own = Circuit { document: Held::Open(document), names: vec![found.clone()] };
        let mut places = BTreeSet::new();
        own.add_places(found, &mut places);
        let mut circuits = vec![own];
        let mut others = self.others(document);
        loop {
            let n_before = (circuits.len(), places.len());
            let files: BTreeSet<String> = places.iter().map(|it| it.uri.clone()).collect();
            let (near, rest): (Vec<_>, Vec<_>) =
                others.into_iter().partition(|(_, text)| mentions(text, &files));
            others = rest;
            for (uri, text) in near {
                let mut other = Document::new(uri, 0, &text);
                let analysis = self.documents.examine(&other, self.workspace, &BTreeMap::new());
                other.know(analysis);
                let document = Held::Read(Box::new(other));
                circuits.push(Circuit { document, names: Vec::new() });
            }
            for circuit in &mut circuits {
                circuit.add_names(&mut places);
            }
            if n_before == (circuits.len(), places.len()) {
                circuits.retain(|it| !it.names.is_empty());
                return (circuits, places);
            }
        }
    }

    /// Circuit files that may import others, apart from the document itself, with their texts.
    fn others(&self, document: &Document) -> Vec<(Uri, Rc<str>)> {
        let mut found: BTreeMap<String, (Uri, Rc<str>)> = BTreeMap::new();
        let own = path_of(&document.uri);
        let beside = own.as_deref().and_then(Path::parent).map(Path::to_owned);
        let folders = self
            .folders
            .iter()
            .filter(|folder| own.as_ref().is_some_and(|own| own.starts_with(folder)));
        let folders: BTreeSet<PathBuf> = folders.cloned().chain(beside).collect();
        for (path, text) in folders.iter().flat_map(|it| self.workspace.circuits(it)) {
            if let Some(uri) = crate::uri::uri_of(&path) {
                found.insert(uri.as_str().to_owned(), (uri, Rc::from(text)));
            }
        }
        for open in self.documents.all() {
            found.insert(open.uri.as_str().to_owned(), (open.uri.clone(), Rc::clone(&open.text)));
        }
        found.remove(document.uri.as_str());
        found.into_values().filter(|(_, text)| text.contains("import")).collect()
    }

    /// Compiles a circuit with the new texts.
    fn try_out(&self, circuit: &Circuit<'_>, edits: &Edits, new_name: &str) -> Result<(), Refusal> {
        let Some(before) = circuit.document.analysis() else { return Ok(()) };
        let texts: BTreeMap<String, Rc<str>> = edits
            .iter()
            .map(|(uri, (text, all))| (uri.clone(), Rc::from(applied(text, all))))
            .collect();
        let uri = circuit.document.uri.as_str();
        let text = texts.get(uri).unwrap_or(&circuit.document.text);
        let after = Document::new(circuit.document.uri.clone(), 0, text);
        let by_path = texts
            .iter()
            .filter_map(|(uri, text)| Some((path_of(&uri.parse().ok()?)?, Rc::clone(text))))
            .collect();
        let analysis = self.documents.examine(&after, self.workspace, &by_path);
        if let Some(fault) = more_faults(before, &analysis) {
            return Err(Refusal(format!("with the name `{new_name}` {fault}")));
        }
        for name in &circuit.names {
            let expected = moved(&circuit.document, before, name, edits);
            let first = expected.iter().next();
            let now = first.and_then(|first| {
                let all = analysis.everything().iter();
                all.map(|it| (place_of(&after, &analysis, it), it))
                    .find(|(place, _)| place.as_ref() == Some(first))
                    .map(|(_, it)| it)
            });
            let found: BTreeSet<Place> = now
                .iter()
                .flat_map(|now| analysis.everything().iter().filter(|it| it.is_same(now)))
                .filter_map(|it| place_of(&after, &analysis, it))
                .collect();
            if found != expected {
                return Err(Refusal(format!("`{new_name}` means something else already here")));
            }
        }
        Ok(())
    }
}

impl Circuit<'_> {
    /// All places of what an occurrence names.
    fn add_places(&self, found: &Occurrence, places: &mut BTreeSet<Place>) {
        let Some(analysis) = self.document.analysis() else { return };
        let all = analysis.everything().iter().filter(|it| it.is_same(found));
        places.extend(all.filter_map(|it| place_of(&self.document, analysis, it)));
    }

    /// The names that stand at known places here, and the places that come with them.
    fn add_names(&mut self, places: &mut BTreeSet<Place>) {
        let Some(analysis) = self.document.analysis() else { return };
        let mut names = Vec::new();
        for it in analysis.everything() {
            let is_known =
                place_of(&self.document, analysis, it).is_some_and(|it| places.contains(&it));
            if is_known
                && !self.names.iter().chain(&names).any(|known: &Occurrence| known.is_same(it))
            {
                names.push(it.clone());
            }
        }
        for name in &names {
            self.add_places(name, places);
        }
        self.names.append(&mut names);
    }
}

/// The place of an occurrence, in its file.
fn place_of(document: &Document, analysis: &Analysis, it: &Occurrence) -> Option<Place> {
    let file = analysis.compiled.sources.file(it.span);
    let uri = document.uri_of(&file.name)?.as_str().to_owned();
    let span = within(it.span, file.span);
    Some(Place { uri, span, is_declaration: it.is_declaration, kind: it.kind })
}

fn within(span: Span, file: Span) -> Span {
    Span::new(span.start.saturating_sub(file.start), span.end.saturating_sub(file.start))
}

/// Whether a text names one of the files; one that does not cannot import it.
fn mentions(text: &str, files: &BTreeSet<String>) -> bool {
    files.iter().any(|uri| {
        let path = uri.parse().ok().and_then(|uri| path_of(&uri));
        let name = path.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
        name.is_some_and(|name| text.contains(name))
    })
}

/// A text after all replacements, which stand in order.
fn applied(text: &str, all: &[Replacement]) -> String {
    let mut now = String::with_capacity(text.len());
    let mut at = 0;
    for Replacement { span, text: new, .. } in all {
        now.push_str(&text[at..span.start as usize]);
        now.push_str(new);
        at = span.end as usize;
    }
    now.push_str(&text[at..]);
    now
}

/// Where the places of a name are after the edits.
fn moved(
    document: &Document,
    analysis: &Analysis,
    name: &Occurrence,
    edits: &Edits,
) -> BTreeSet<Place> {
    let all = analysis.everything().iter().filter(|it| it.is_same(name));
    let after = |place: Place| {
        let (_, all) = edits.get(&place.uri)?;
        let mut shift = 0_i64;
        for it in all {
            if it.span.start <= place.span.start && place.span.end <= it.span.end {
                let start = i64::from(it.span.start) + shift + i64::from(it.name_at);
                let start = u32::try_from(start).ok()?;
                let length = new_length(it);
                return Some(Place { span: Span::new(start, start + length), ..place });
            }
            shift += i64::try_from(it.text.len()).ok()? - i64::from(it.span.len());
        }
        None
    };
    all.filter_map(|it| place_of(document, analysis, it)).filter_map(after).collect()
}

/// The length of the new name within a replacement.
fn new_length(it: &Replacement) -> u32 {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    let rest = &it.text[it.name_at as usize..];
    let length = if it.text.starts_with('{') { rest.find(|c| !is_name(c)) } else { None };
    u32::try_from(length.unwrap_or(rest.len())).unwrap_or(0)
}

/// The first error that a circuit did not have before.
fn more_faults(before: &Analysis, after: &Analysis) -> Option<String> {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for fault in errors(before) {
        *known.entry(fault.code.id()).or_default() += 1;
    }
    let fault = errors(after).find(|fault| {
        let left = known.entry(fault.code.id()).or_default();
        let is_new = *left == 0;
        *left = left.saturating_sub(1);
        is_new
    })?;
    let place = after.compiled.sources.lines().place(fault.primary.span);
    Some(format!(
        "the circuit would have a fault: {} at {place}: {}",
        fault.code.id(),
        fault.message
    ))
}

fn errors(analysis: &Analysis) -> impl Iterator<Item = &Diagnostic> {
    analysis.diagnostics.iter().filter(|fault| fault.severity == Severity::Error)
}
