//! What the server says, in the protocol's own types.

use arqon_grammar::Span;
use lsp_types::{
    CodeActionKind, CodeActionOptions, CodeActionProviderCapability, CompletionItem,
    CompletionItemKind, CompletionOptions, CompletionTextEdit, DocumentSymbol,
    HoverProviderCapability, InitializeResult, OneOf, Position, Range, RenameOptions,
    ServerCapabilities, ServerInfo, SymbolKind, TextDocumentSyncCapability, TextDocumentSyncKind,
    TextEdit, Uri, WorkspaceEdit,
};
use serde_json::Value;

use crate::completion;
use crate::documents::Document;
use crate::outline::{Entry, Picture};
use crate::text::range_of;

/// What the server can do.
pub(crate) fn initialized() -> Value {
    let letters = [".", ":", " ", "{", "[", ",", "-"].map(str::to_owned);
    let fixes = CodeActionOptions {
        code_action_kinds: Some(vec![CodeActionKind::QUICKFIX, CodeActionKind::SOURCE_FIX_ALL]),
        ..CodeActionOptions::default()
    };
    let capabilities = ServerCapabilities {
        text_document_sync: Some(TextDocumentSyncCapability::Kind(
            TextDocumentSyncKind::INCREMENTAL,
        )),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(letters.to_vec()),
            ..CompletionOptions::default()
        }),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        document_highlight_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        document_formatting_provider: Some(OneOf::Left(true)),
        code_action_provider: Some(CodeActionProviderCapability::Options(fixes)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: lsp_types::WorkDoneProgressOptions::default(),
        })),
        inlay_hint_provider: Some(OneOf::Left(true)),
        ..ServerCapabilities::default()
    };
    to_value(&InitializeResult {
        capabilities,
        server_info: Some(ServerInfo {
            name: "arqon".to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }),
    })
}

/// A candidate at its place in the list.
pub(crate) fn completion_item(
    it: completion::Candidate,
    rank: usize,
    range: Range,
    has_colon: bool,
) -> CompletionItem {
    let kind = match it.kind {
        completion::Kind::Key => CompletionItemKind::PROPERTY,
        completion::Kind::Word => CompletionItemKind::KEYWORD,
        completion::Kind::Topic => CompletionItemKind::EVENT,
        completion::Kind::Node => CompletionItemKind::MODULE,
        completion::Kind::Schema => CompletionItemKind::STRUCT,
        completion::Kind::Type => CompletionItemKind::CLASS,
        completion::Kind::Field => CompletionItemKind::FIELD,
        completion::Kind::Function => CompletionItemKind::FUNCTION,
        completion::Kind::Constant => CompletionItemKind::CONSTANT,
        completion::Kind::Operator => CompletionItemKind::INTERFACE,
    };
    let is_key = it.kind == completion::Kind::Key && !has_colon;
    let new_text = if is_key { format!("{}: ", it.label) } else { it.label.clone() };
    CompletionItem {
        kind: Some(kind),
        detail: it.detail,
        // Editors sort by letters; what is nearest to the place stands first here.
        sort_text: Some(format!("{rank:05}")),
        text_edit: Some(CompletionTextEdit::Edit(TextEdit { range, new_text })),
        label: it.label,
        ..CompletionItem::default()
    }
}

/// An entry of the outline with its parts.
#[expect(deprecated, reason = "the field is part of the struct, and empty")]
pub(crate) fn symbol(document: &Document, entry: Entry) -> DocumentSymbol {
    let kind = match entry.picture {
        Picture::Section => SymbolKind::NAMESPACE,
        Picture::Constant => SymbolKind::CONSTANT,
        Picture::Schema => SymbolKind::STRUCT,
        Picture::Field => SymbolKind::FIELD,
        Picture::Function => SymbolKind::FUNCTION,
        Picture::Topic => SymbolKind::EVENT,
        Picture::Operator => SymbolKind::INTERFACE,
        Picture::Node => SymbolKind::MODULE,
        Picture::Step => SymbolKind::METHOD,
        Picture::Role => SymbolKind::KEY,
        Picture::Test => SymbolKind::BOOLEAN,
    };
    let range = |span: Span| range_of(&document.lines, &document.text, span);
    let parts: Vec<DocumentSymbol> =
        entry.parts.into_iter().map(|part| symbol(document, part)).collect();
    DocumentSymbol {
        name: entry.name,
        detail: entry.detail,
        kind,
        tags: None,
        deprecated: None,
        range: range(entry.span),
        selection_range: range(entry.name_span),
        children: (!parts.is_empty()).then_some(parts),
    }
}

/// An editor's range as a place in the text.
pub(crate) fn span_of(document: &Document, range: Range) -> Span {
    let offset = |place: Position| {
        u32::try_from(document.lines.offset(&document.text, place)).unwrap_or(u32::MAX)
    };
    Span::new(offset(range.start), offset(range.end))
}

/// Edits of one document.
pub(crate) fn edit_of(uri: &Uri, edits: Vec<TextEdit>) -> WorkspaceEdit {
    WorkspaceEdit {
        changes: Some(std::iter::once((uri.clone(), edits)).collect()),
        ..WorkspaceEdit::default()
    }
}

/// The JSON of a message's part.
pub(crate) fn to_value(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("the protocol's types are always JSON")
}
