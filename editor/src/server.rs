//! The language server: one message after another, diagnostics when nothing else waits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, BufRead, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::rc::Rc;
use std::str::FromStr;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use arqon_grammar::Span;
use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, CompletionList,
    CompletionParams, DidChangeTextDocumentParams, DidCloseTextDocumentParams,
    DidOpenTextDocumentParams, DocumentFormattingParams, DocumentHighlight, DocumentLink,
    DocumentLinkParams, DocumentSymbol, DocumentSymbolParams, FoldingRangeParams,
    GotoDefinitionParams, Hover, HoverContents, HoverParams, InlayHint, InlayHintLabel,
    InlayHintParams, InlayHintTooltip, Location, MarkupContent, MarkupKind, PrepareRenameResponse,
    PublishDiagnosticsParams, Range, ReferenceParams, RenameParams, SelectionRangeParams,
    SemanticTokensParams, SemanticTokensRangeParams, SignatureHelpParams,
    TextDocumentPositionParams, TextEdit, Uri, WorkspaceEdit, WorkspaceSymbolParams,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::actions;
use crate::analysis::Analysis;
use crate::calls::signature;
use crate::completion::complete;
use crate::diagnostics::{Places, by_file, convert};
use crate::documents::{Document, Documents};
use crate::everywhere::Everywhere;
use crate::folding::folds;
use crate::hints::hints;
use crate::hover::hover;
use crate::layout::{difference, formatted};
use crate::names;
use crate::navigation::{definition, imports, references};
use crate::outline::outline;
use crate::protocol::{
    completion_item, edit_of, folding_range, initialized, selection_range, semantic_tokens,
    signature_help, span_of, symbol, to_value, workspace_symbol,
};
use crate::rename::{self, Replacement};
use crate::rpc::{self, Fault, Incoming};
use crate::selection::around;
use crate::symbols::symbols;
use crate::text::{Lines, changed, range_of};
use crate::tokens::tokens;
use crate::uri::path_of;
use crate::workspace::Workspace;

/// How the server has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// After `shutdown`.
    Asked,
    /// By `exit` or the end of its input, without `shutdown`.
    Abrupt,
}

/// Answers an editor until it says `exit` or its messages end.
///
/// # Errors
/// If the output cannot be written.
pub fn serve(
    mut input: impl BufRead + Send + 'static,
    output: impl Write,
    workspace: &dyn Workspace,
) -> io::Result<Ending> {
    let (sender, receiver) = sync_channel(QUEUED_MESSAGES_MAX);
    thread::spawn(move || {
        while let Ok(Some(message)) = rpc::read(&mut input) {
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    let mut server = Server {
        workspace,
        output,
        receiver,
        queue: VecDeque::new(),
        documents: Documents::default(),
        published: BTreeMap::new(),
        folders: Vec::new(),
        phase: Phase::Starting,
    };
    server.run()
}

/// Messages that wait; an editor that sends more has to.
const QUEUED_MESSAGES_MAX: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Running,
    ShutDown,
}

struct Server<'w, W> {
    workspace: &'w dyn Workspace,
    output: W,
    receiver: Receiver<Incoming>,
    /// Messages that have arrived and wait.
    queue: VecDeque<Incoming>,
    documents: Documents,
    /// The files that were last shown with diagnostics of each document's circuit.
    published: BTreeMap<String, BTreeSet<String>>,
    /// The folders that the editor works on.
    folders: Vec<PathBuf>,
    phase: Phase,
}

type Answer = Result<Value, Fault>;

impl<W: Write> Server<'_, W> {
    fn run(&mut self) -> io::Result<Ending> {
        loop {
            self.drain();
            let message = match self.queue.pop_front() {
                Some(message) => message,
                None if self.publish_next()? => continue,
                None => {
                    self.documents.discard_outdated();
                    match self.receiver.recv() {
                        Ok(message) => message,
                        Err(_) => return Ok(self.ending()),
                    }
                }
            };
            match message {
                Incoming::Notification { method, .. } if method == "exit" => {
                    return Ok(self.ending());
                }
                Incoming::Notification { method, params } => self.told(&method, params)?,
                Incoming::Request { id, method, params } => {
                    let answer = self.asked(&method, params);
                    self.answer(&id, answer)?;
                }
                Incoming::Malformed { fault, id } => self.answer(&id, Err(fault))?,
                Incoming::Answer => {}
            }
        }
    }

    fn ending(&self) -> Ending {
        if self.phase == Phase::ShutDown { Ending::Asked } else { Ending::Abrupt }
    }

    /// Takes in all that has arrived, so that what is cancelled or outdated is known before it is
    /// worked on.
    fn drain(&mut self) {
        self.queue.extend(self.receiver.try_iter());
    }

    fn answer(&mut self, id: &Value, answer: Answer) -> io::Result<()> {
        let message = match answer {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            Err(Fault { code, message }) => json!({
                "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message },
            }),
        };
        rpc::write(&mut self.output, &message)
    }

    fn tell(&mut self, method: &str, params: &Value) -> io::Result<()> {
        let message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        rpc::write(&mut self.output, &message)
    }

    fn told(&mut self, method: &str, params: Value) -> io::Result<()> {
        if method == "$/cancelRequest" {
            return self.cancel(&params["id"]);
        }
        if self.phase != Phase::Running {
            return Ok(());
        }
        match method {
            "textDocument/didOpen" => {
                if let Ok(it) = serde_json::from_value::<DidOpenTextDocumentParams>(params) {
                    let document = it.text_document;
                    self.documents.open(&document.uri, document.version, &document.text);
                }
            }
            "textDocument/didChange" => {
                if let Ok(it) = serde_json::from_value::<DidChangeTextDocumentParams>(params) {
                    self.change(&it);
                }
            }
            "textDocument/didClose" => {
                if let Ok(it) = serde_json::from_value::<DidCloseTextDocumentParams>(params) {
                    let uri = it.text_document.uri;
                    self.documents.close(&uri);
                    self.show(&uri, None, BTreeMap::new())?;
                }
            }
            "workspace/didChangeWatchedFiles" | "workspace/didChangeConfiguration" => {
                self.documents.forget_all();
            }
            _ => {}
        }
        Ok(())
    }

    fn change(&mut self, params: &DidChangeTextDocumentParams) {
        let Some(document) = self.documents.get(&params.text_document.uri) else { return };
        let mut text = document.text.to_string();
        for change in &params.content_changes {
            text = changed(&text, change);
        }
        let id = &params.text_document;
        self.documents.change(&id.uri, id.version, &text);
    }

    /// Answers a request that waits, since nobody waits for it any more.
    fn cancel(&mut self, cancelled: &Value) -> io::Result<()> {
        let waits = |it: &Incoming| matches!(it, Incoming::Request { id, .. } if id == cancelled);
        if let Some(at) = self.queue.iter().position(waits) {
            self.queue.remove(at);
            self.answer(cancelled, Err(Fault::new(rpc::CANCELLED, "cancelled")))?;
        }
        Ok(())
    }

    /// Whether a request is cancelled, or a text changes, by what has arrived after it.
    fn is_outdated(&self, uri: &Uri) -> bool {
        self.queue.iter().any(|message| match message {
            Incoming::Notification { method, params } => {
                method == "textDocument/didChange"
                    && params["textDocument"]["uri"].as_str() == Some(uri.as_str())
            }
            Incoming::Request { .. } | Incoming::Answer | Incoming::Malformed { .. } => false,
        })
    }

    fn asked(&mut self, method: &str, params: Value) -> Answer {
        match (self.phase, method) {
            (Phase::Starting, "initialize") => {
                self.phase = Phase::Running;
                self.folders = folders(&params);
                return Ok(initialized());
            }
            (Phase::Starting, _) => {
                return Err(Fault::new(rpc::NOT_INITIALIZED, "`initialize` comes first"));
            }
            (_, "initialize") => {
                return Err(Fault::new(rpc::INVALID_REQUEST, "initialized already"));
            }
            (Phase::ShutDown, _) => {
                return Err(Fault::new(rpc::INVALID_REQUEST, "shut down"));
            }
            (Phase::Running, "shutdown") => {
                self.phase = Phase::ShutDown;
                return Ok(Value::Null);
            }
            (Phase::Running, _) => {}
        }
        // A fault of ours costs this answer, and not the editor's session.
        panic::catch_unwind(AssertUnwindSafe(|| self.respond(method, params))).unwrap_or_else(
            |_| {
                Err(Fault::new(
                    rpc::INTERNAL_ERROR,
                    format!("a fault in arqon itself in `{method}`"),
                ))
            },
        )
    }

    fn respond(&mut self, method: &str, params: Value) -> Answer {
        match method {
            "textDocument/hover" => self.with(params, |it: HoverParams, server| {
                server.hover(&it.text_document_position_params)
            }),
            "textDocument/completion" => self.with(params, |it: CompletionParams, server| {
                server.completion(&it.text_document_position)
            }),
            "textDocument/definition" => self.with(params, |it: GotoDefinitionParams, server| {
                server.definition(&it.text_document_position_params)
            }),
            "textDocument/references" => {
                self.with(params, |it: ReferenceParams, server| server.references(&it))
            }
            "textDocument/documentHighlight" => {
                self.with(params, |it: lsp_types::DocumentHighlightParams, server| {
                    server.highlight(&it.text_document_position_params)
                })
            }
            "textDocument/prepareRename" => self
                .with(params, |it: TextDocumentPositionParams, server| server.prepare_rename(&it)),
            "textDocument/rename" => {
                self.with(params, |it: RenameParams, server| server.rename(&it))
            }
            "textDocument/inlayHint" => {
                self.with(params, |it: InlayHintParams, server| server.inlay_hints(&it))
            }
            "textDocument/codeAction" => {
                self.with(params, |it: CodeActionParams, server| server.code_actions(&it))
            }
            "textDocument/formatting" => {
                self.with(params, |it: DocumentFormattingParams, server| {
                    let document = server.document(&it.text_document.uri)?;
                    formatted(&document.text).map(|edits| to_value(&edits)).ok_or_else(|| {
                        Fault::new(rpc::REQUEST_FAILED, "a circuit with faults has no layout")
                    })
                })
            }
            "textDocument/foldingRange" => self.with(params, |it: FoldingRangeParams, server| {
                let uri = &it.text_document.uri;
                let document = server.documents.get(uri).ok_or_else(|| not_open(uri))?;
                let folds = folds(&document.text).into_iter().map(folding_range);
                Ok(to_value(&folds.collect::<Vec<_>>()))
            }),
            "textDocument/selectionRange" => {
                self.with(params, |it: SelectionRangeParams, server| server.selections(&it))
            }
            "textDocument/documentLink" => {
                self.with(params, |it: DocumentLinkParams, server| server.links(&it))
            }
            "textDocument/signatureHelp" => self.with(params, |it: SignatureHelpParams, server| {
                server.signature(&it.text_document_position_params)
            }),
            "textDocument/semanticTokens/full" => {
                self.with(params, |it: SemanticTokensParams, server| {
                    let (document, analysis) = server.known(&it.text_document.uri)?;
                    let all = tokens(analysis, Span::new(0, u32::MAX));
                    Ok(to_value(&semantic_tokens(document, &all)))
                })
            }
            "textDocument/semanticTokens/range" => {
                self.with(params, |it: SemanticTokensRangeParams, server| {
                    let (document, analysis) = server.known(&it.text_document.uri)?;
                    let some = tokens(analysis, span_of(document, it.range));
                    Ok(to_value(&semantic_tokens(document, &some)))
                })
            }
            "textDocument/documentSymbol" => {
                self.with(params, |it: DocumentSymbolParams, server| server.symbols(&it))
            }
            "workspace/symbol" => self.with(params, |it: WorkspaceSymbolParams, server| {
                let found = symbols(&it.query, server.everywhere().texts());
                Ok(to_value(&found.into_iter().map(workspace_symbol).collect::<Vec<_>>()))
            }),
            _ => Err(Fault::new(rpc::METHOD_NOT_FOUND, format!("no method `{method}`"))),
        }
    }

    fn with<P: DeserializeOwned>(
        &mut self,
        params: Value,
        respond: impl FnOnce(P, &mut Self) -> Answer,
    ) -> Answer {
        match serde_json::from_value(params) {
            Ok(params) => respond(params, self),
            Err(error) => Err(Fault::new(rpc::INVALID_PARAMS, error.to_string())),
        }
    }

    /// The document of that URI, analysed.
    fn document(&mut self, uri: &Uri) -> Result<&Document, Fault> {
        self.documents.analyse(uri, self.workspace);
        self.documents.get(uri).ok_or_else(|| not_open(uri))
    }

    /// A document with its analysis, unless its text could not be read at all or has changed
    /// since.
    fn known(&mut self, uri: &Uri) -> Result<(&Document, &Analysis), Fault> {
        if self.is_outdated(uri) {
            return Err(Fault::new(rpc::CONTENT_MODIFIED, "the text has changed"));
        }
        let document = self.document(uri)?;
        let analysis = document
            .analysis()
            .ok_or_else(|| Fault::new(rpc::INTERNAL_ERROR, "the text has not been analysed"))?;
        Ok((document, analysis))
    }

    fn at(&mut self, place: &TextDocumentPositionParams) -> Result<At<'_>, Fault> {
        self.document(&place.text_document.uri)?;
        self.at_known(place)
    }

    /// A place in a document that has been analysed.
    fn at_known(&self, place: &TextDocumentPositionParams) -> Result<At<'_>, Fault> {
        let uri = &place.text_document.uri;
        let document = self.documents.get(uri).ok_or_else(|| not_open(uri))?;
        let offset = document.lines.offset(&document.text, place.position);
        let analysis = document
            .analysis()
            .ok_or_else(|| Fault::new(rpc::INTERNAL_ERROR, "the text has not been analysed"))?;
        Ok(At { document, analysis, offset: u32::try_from(offset).unwrap_or(u32::MAX) })
    }

    fn everywhere(&self) -> Everywhere<'_> {
        let Self { documents, workspace, folders, .. } = self;
        Everywhere { documents, workspace: *workspace, folders }
    }

    fn hover(&mut self, place: &TextDocumentPositionParams) -> Answer {
        let at = self.at(place)?;
        let Some((span, value)) = hover(at.analysis, at.offset) else { return Ok(Value::Null) };
        let contents = HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value });
        Ok(to_value(&Hover { contents, range: Some(at.range(span)) }))
    }

    fn completion(&mut self, place: &TextDocumentPositionParams) -> Answer {
        let uri = &place.text_document.uri;
        // What was known a letter ago will do: the editor waits for this with every letter.
        let is_known = self.documents.get(uri).is_some_and(|it| it.readable().is_some());
        if !is_known {
            self.document(uri)?;
        }
        let document = self.documents.get(uri).ok_or_else(|| not_open(uri))?;
        let text = &document.text;
        let offset = document.lines.offset(text, place.position);
        let files = || path_of(uri).map(|path| self.workspace.importable(&path));
        let files = || files().unwrap_or_default();
        let (start, candidates) = complete(text, offset, document.readable(), &files);
        let range = document.lines.range(text, start, offset);
        let has_colon = text[offset..].trim_start_matches(' ').starts_with(':');
        let items = candidates
            .into_iter()
            .enumerate()
            .map(|(rank, it)| completion_item(it, rank, range, has_colon))
            .collect();
        Ok(to_value(&CompletionList { is_incomplete: false, items }))
    }

    fn definition(&mut self, place: &TextDocumentPositionParams) -> Answer {
        let at = self.at(place)?;
        let found = definition(at.analysis, at.offset);
        Ok(found.and_then(|span| at.location(span)).map_or(Value::Null, |it| to_value(&it)))
    }

    fn references(&mut self, params: &ReferenceParams) -> Answer {
        self.at(&params.text_document_position)?;
        let at = self.at_known(&params.text_document_position)?;
        let Some(found) = names::at(at.analysis.everything(), at.offset) else {
            return Ok(json!([]));
        };
        let everywhere = self.everywhere();
        let mut lines: BTreeMap<String, Option<(Uri, Rc<str>, Lines)>> = BTreeMap::new();
        let mut locations: Vec<Location> = Vec::new();
        for place in everywhere.places(at.document, found) {
            if place.is_declaration && !params.context.include_declaration {
                continue;
            }
            let text = lines.entry(place.uri.clone()).or_insert_with(|| {
                let uri = Uri::from_str(&place.uri).ok()?;
                let text = everywhere.text(at.document, &uri)?;
                let lines = Lines::new(&text);
                Some((uri, text, lines))
            });
            if let Some((uri, text, lines)) = text {
                let range = range_of(lines, text, place.span);
                locations.push(Location { uri: uri.clone(), range });
            }
        }
        locations.dedup();
        Ok(to_value(&locations))
    }

    fn highlight(&mut self, place: &TextDocumentPositionParams) -> Answer {
        let at = self.at(place)?;
        let found: Vec<DocumentHighlight> = references(at.analysis, at.offset)
            .into_iter()
            .filter(|it| at.analysis.compiled.sources.is_main(it.span))
            .map(|it| DocumentHighlight { range: at.range(it.span), kind: None })
            .collect();
        Ok(to_value(&found))
    }

    fn prepare_rename(&mut self, place: &TextDocumentPositionParams) -> Answer {
        let at = self.at(place)?;
        let (span, placeholder) = rename::prepare(at.analysis, at.offset).map_err(refused)?;
        let range = at.range(span);
        Ok(to_value(&PrepareRenameResponse::RangeWithPlaceholder { range, placeholder }))
    }

    fn rename(&mut self, params: &RenameParams) -> Answer {
        self.at(&params.text_document_position)?;
        let at = self.at_known(&params.text_document_position)?;
        let edits =
            self.everywhere().rename(at.document, at.offset, &params.new_name).map_err(refused)?;
        let edits = edits.into_iter().filter_map(|(uri, (text, all))| {
            let lines = Lines::new(&text);
            let edit = |it: Replacement| TextEdit {
                range: range_of(&lines, &text, it.span),
                new_text: it.text,
            };
            Some((Uri::from_str(&uri).ok()?, all.into_iter().map(edit).collect()))
        });
        Ok(to_value(&WorkspaceEdit { changes: Some(edits.collect()), ..WorkspaceEdit::default() }))
    }

    fn inlay_hints(&mut self, params: &InlayHintParams) -> Answer {
        let (document, analysis) = self.known(&params.text_document.uri)?;
        let Span { start, end } = span_of(document, params.range);
        let found: Vec<InlayHint> = hints(analysis, start, end)
            .into_iter()
            .filter(|hint| analysis.compiled.sources.is_main(Span::empty(hint.offset)))
            .map(|hint| {
                let line_end = document.lines.line_end(&document.text, hint.offset as usize);
                let tooltip = MarkupContent { kind: MarkupKind::Markdown, value: hint.tooltip };
                InlayHint {
                    position: document.lines.position(&document.text, line_end),
                    label: InlayHintLabel::String(hint.label),
                    kind: None,
                    text_edits: None,
                    tooltip: Some(InlayHintTooltip::MarkupContent(tooltip)),
                    padding_left: Some(true),
                    padding_right: None,
                    data: None,
                }
            })
            .collect();
        Ok(to_value(&found))
    }

    fn code_actions(&mut self, params: &CodeActionParams) -> Answer {
        let (document, analysis) = self.known(&params.text_document.uri)?;
        let wanted = |kind: &CodeActionKind| {
            let only = params.context.only.as_ref();
            only.is_none_or(|only| only.iter().any(|it| kind.as_str().starts_with(it.as_str())))
        };
        let range = span_of(document, params.range);
        let uri_of = |name: &str| document.uri_of(name);
        let places = Places::new(&analysis.compiled.sources, &uri_of);
        let mut found: Vec<CodeActionOrCommand> = Vec::new();
        if wanted(&CodeActionKind::QUICKFIX) {
            found.extend(actions::fixes(analysis, range).map(|(diagnostic, fix)| {
                let range = range_of(&document.lines, &document.text, fix.span);
                let edit = TextEdit { range, new_text: fix.replacement.clone() };
                CodeActionOrCommand::CodeAction(CodeAction {
                    title: fix.title.clone(),
                    kind: Some(CodeActionKind::QUICKFIX),
                    diagnostics: convert(diagnostic, &places).map(|(_, it)| vec![it]),
                    edit: Some(edit_of(&document.uri, vec![edit])),
                    is_preferred: Some(true),
                    ..CodeAction::default()
                })
            }));
        }
        if wanted(&CodeActionKind::SOURCE_FIX_ALL)
            && let Some(fixed) = actions::fix_all(analysis, &document.text)
        {
            let edits = difference(&document.text, &fixed);
            found.push(CodeActionOrCommand::CodeAction(CodeAction {
                title: "mend all that is certain".to_owned(),
                kind: Some(CodeActionKind::SOURCE_FIX_ALL),
                edit: Some(edit_of(&document.uri, edits)),
                ..CodeAction::default()
            }));
        }
        Ok(to_value(&found))
    }

    fn selections(&mut self, params: &SelectionRangeParams) -> Answer {
        let (document, analysis) = self.known(&params.text_document.uri)?;
        let selection = |position: &lsp_types::Position| {
            let offset = document.lines.offset(&document.text, *position);
            let around = around(analysis, u32::try_from(offset).unwrap_or(u32::MAX));
            selection_range(document, &around)
        };
        Ok(to_value(&params.positions.iter().map(selection).collect::<Vec<_>>()))
    }

    /// The files that a circuit imports.
    fn links(&mut self, params: &DocumentLinkParams) -> Answer {
        let (document, analysis) = self.known(&params.text_document.uri)?;
        let uri_of = |name: &str| document.uri_of(name);
        let places = Places::new(&analysis.compiled.sources, &uri_of);
        let link = |(import, file): (Span, Span)| {
            Some(DocumentLink {
                range: range_of(&document.lines, &document.text, import),
                target: Some(places.location(file)?.uri),
                tooltip: None,
                data: None,
            })
        };
        Ok(to_value(&imports(analysis).into_iter().filter_map(link).collect::<Vec<_>>()))
    }

    fn signature(&self, place: &TextDocumentPositionParams) -> Answer {
        let uri = &place.text_document.uri;
        let document = self.documents.get(uri).ok_or_else(|| not_open(uri))?;
        let offset = document.lines.offset(&document.text, place.position);
        let found = signature(&document.text, offset, document.readable());
        Ok(found.map_or(Value::Null, |it| to_value(&signature_help(&it))))
    }

    fn symbols(&mut self, params: &DocumentSymbolParams) -> Answer {
        let (document, analysis) = self.known(&params.text_document.uri)?;
        let found: Vec<DocumentSymbol> =
            outline(analysis).into_iter().map(|entry| symbol(document, entry)).collect();
        Ok(to_value(&found))
    }

    /// Shows what was found in one document that has changed; false if there is none.
    fn publish_next(&mut self) -> io::Result<bool> {
        let Some(uri) = self.documents.untold() else { return Ok(false) };
        self.documents.told(&uri);
        let analysed = panic::catch_unwind(AssertUnwindSafe(|| {
            self.documents.analyse(&uri, self.workspace);
        }));
        if analysed.is_err() {
            // Not again and again: the next change may do better.
            self.documents.give_up(&uri);
        }
        self.publish(&uri)?;
        Ok(true)
    }

    fn publish(&mut self, uri: &Uri) -> io::Result<()> {
        let Some(document) = self.documents.get(uri) else { return Ok(()) };
        let Some(analysis) = document.analysis() else { return Ok(()) };
        let uri_of = |name: &str| document.uri_of(name);
        let places = Places::new(&analysis.compiled.sources, &uri_of);
        let mut files = by_file(&analysis.diagnostics, &places);
        // Another open document says itself what is wrong with it.
        files.retain(|file, _| {
            file == uri.as_str()
                || Uri::from_str(file).is_ok_and(|file| self.documents.get(&file).is_none())
        });
        let version = document.version;
        self.show(uri, Some(version), files)
    }

    /// Shows the diagnostics of a document's circuit, by file, and takes back those that were
    /// shown before.
    fn show(
        &mut self,
        uri: &Uri,
        version: Option<i32>,
        mut files: BTreeMap<String, Vec<lsp_types::Diagnostic>>,
    ) -> io::Result<()> {
        files.entry(uri.as_str().to_owned()).or_default();
        let before = self.published.remove(uri.as_str()).unwrap_or_default();
        for gone in before {
            files.entry(gone).or_default();
        }
        let shown = files.iter().filter(|(_, found)| !found.is_empty());
        self.published
            .insert(uri.as_str().to_owned(), shown.map(|(file, _)| file.clone()).collect());
        for (file, diagnostics) in files {
            let Ok(file_uri) = Uri::from_str(&file) else { continue };
            let version = version.filter(|_| file_uri == *uri);
            let params = PublishDiagnosticsParams { uri: file_uri, diagnostics, version };
            self.tell("textDocument/publishDiagnostics", &to_value(&params))?;
        }
        Ok(())
    }
}

/// A place in an analysed document.
struct At<'d> {
    document: &'d Document,
    analysis: &'d Analysis,
    offset: u32,
}

impl At<'_> {
    /// The range of a place in the document itself.
    fn range(&self, span: Span) -> Range {
        range_of(&self.document.lines, &self.document.text, span)
    }

    fn location(&self, span: Span) -> Option<Location> {
        let uri_of = |name: &str| self.document.uri_of(name);
        Places::new(&self.analysis.compiled.sources, &uri_of).location(span)
    }
}

/// The folders that the editor has said it works on.
fn folders(params: &Value) -> Vec<PathBuf> {
    let listed = params["workspaceFolders"].as_array().into_iter().flatten();
    let listed = listed.map(|folder| &folder["uri"]).chain(std::iter::once(&params["rootUri"]));
    let paths = listed.filter_map(|uri| path_of(&Uri::from_str(uri.as_str()?).ok()?));
    let mut folders: Vec<PathBuf> = paths.collect();
    folders.dedup();
    folders
}

fn not_open(uri: &Uri) -> Fault {
    Fault::new(rpc::INVALID_PARAMS, format!("`{}` is not open", uri.as_str()))
}

fn refused(rename::Refusal(message): rename::Refusal) -> Fault {
    Fault::new(rpc::REQUEST_FAILED, message)
}
