//! What the server says, in the protocol's own types.

use arqon_grammar::Span;
use lsp_types::{
    CodeActionKind, CodeActionOptions, CodeActionProviderCapability, CompletionItem,
    CompletionItemKind, CompletionOptions, CompletionTextEdit, DocumentLinkOptions, DocumentSymbol,
    FoldingRange, FoldingRangeKind, FoldingRangeProviderCapability, HoverProviderCapability,
    InitializeResult, Location, OneOf, ParameterInformation, ParameterLabel, Position, Range,
    RenameOptions, SelectionRange, SelectionRangeProviderCapability, SemanticToken,
    SemanticTokenModifier, SemanticTokenType, SemanticTokens, SemanticTokensFullOptions,
    SemanticTokensLegend, SemanticTokensOptions, ServerCapabilities, ServerInfo, SignatureHelp,
    SignatureHelpOptions, SignatureInformation, SymbolKind, TextDocumentSyncCapability,
    TextDocumentSyncKind, TextEdit, Uri, WorkDoneProgressOptions, WorkspaceEdit, WorkspaceSymbol,
};
use serde_json::Value;

use crate::calls::Signature;
use crate::completion;
use crate::documents::Document;
use crate::folding::Fold;
use crate::outline::{Entry, Picture};
use crate::symbols::Symbol;
use crate::text::{Lines, range_of};
use crate::tokens::{LEGEND, MODIFIERS, Token};

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
        workspace_symbol_provider: Some(OneOf::Left(true)),
        document_formatting_provider: Some(OneOf::Left(true)),
        code_action_provider: Some(CodeActionProviderCapability::Options(fixes)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        })),
        inlay_hint_provider: Some(OneOf::Left(true)),
        folding_range_provider: Some(FoldingRangeProviderCapability::Simple(true)),
        selection_range_provider: Some(SelectionRangeProviderCapability::Simple(true)),
        document_link_provider: Some(DocumentLinkOptions {
            resolve_provider: Some(false),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        }),
        signature_help_provider: Some(SignatureHelpOptions {
            trigger_characters: Some(vec!["(".to_owned(), ",".to_owned()]),
            ..SignatureHelpOptions::default()
        }),
        semantic_tokens_provider: Some(
            SemanticTokensOptions {
                legend: SemanticTokensLegend {
                    token_types: LEGEND.map(SemanticTokenType::new).to_vec(),
                    token_modifiers: MODIFIERS.map(SemanticTokenModifier::new).to_vec(),
                },
                range: Some(true),
                full: Some(SemanticTokensFullOptions::Bool(true)),
                ..SemanticTokensOptions::default()
            }
            .into(),
        ),
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
        completion::Kind::File => CompletionItemKind::FILE,
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

/// A declaration somewhere in the workspace.
pub(crate) fn workspace_symbol(it: Symbol) -> WorkspaceSymbol {
    let range = range_of(&Lines::new(&it.text), &it.text, it.span);
    WorkspaceSymbol {
        name: it.name,
        kind: symbol_kind(it.picture),
        tags: None,
        container_name: it.within,
        location: OneOf::Left(Location { uri: it.uri, range }),
        data: None,
    }
}

fn symbol_kind(picture: Picture) -> SymbolKind {
    match picture {
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
    }
}

/// An entry of the outline with its parts.
#[expect(deprecated, reason = "the field is part of the struct, and empty")]
pub(crate) fn symbol(document: &Document, entry: Entry) -> DocumentSymbol {
    let range = |span: Span| range_of(&document.lines, &document.text, span);
    let parts: Vec<DocumentSymbol> =
        entry.parts.into_iter().map(|part| symbol(document, part)).collect();
    DocumentSymbol {
        name: entry.name,
        detail: entry.detail,
        kind: symbol_kind(entry.picture),
        tags: None,
        deprecated: None,
        range: range(entry.span),
        selection_range: range(entry.name_span),
        children: (!parts.is_empty()).then_some(parts),
    }
}

/// A fold.
pub(crate) fn folding_range(fold: Fold) -> FoldingRange {
    let line = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    FoldingRange {
        start_line: line(fold.first),
        end_line: line(fold.last),
        kind: fold.is_comment.then_some(FoldingRangeKind::Comment),
        ..FoldingRange::default()
    }
}

/// Places that grow around a position; the first one is the smallest.
pub(crate) fn selection_range(document: &Document, around: &[Span]) -> Option<SelectionRange> {
    around.iter().rev().fold(None, |parent: Option<SelectionRange>, span| {
        let range = range_of(&document.lines, &document.text, *span);
        Some(SelectionRange { range, parent: parent.map(Box::new) })
    })
}

/// The signature of a call; columns of a label count as in texts.
pub(crate) fn signature_help(found: &Signature) -> SignatureHelp {
    let units = |byte: usize| {
        let n = found.label[..byte].chars().map(char::len_utf16).sum::<usize>();
        u32::try_from(n).unwrap_or(u32::MAX)
    };
    let parameter = |(start, end): &(usize, usize)| ParameterInformation {
        label: ParameterLabel::LabelOffsets([units(*start), units(*end)]),
        documentation: None,
    };
    SignatureHelp {
        signatures: vec![SignatureInformation {
            label: found.label.clone(),
            documentation: None,
            parameters: Some(found.parameters.iter().map(parameter).collect()),
            active_parameter: None,
        }],
        active_signature: Some(0),
        active_parameter: u32::try_from(found.active).ok(),
    }
}

/// Tokens as the protocol counts them: each from the one before, and none over the end of a line.
pub(crate) fn semantic_tokens(document: &Document, tokens: &[Token]) -> SemanticTokens {
    let mut data = Vec::with_capacity(tokens.len());
    let mut before = Position::new(0, 0);
    for token in tokens {
        let mut start = token.span.start as usize;
        for line in token.span.slice(&document.text).split_inclusive('\n') {
            let word = line.trim_end();
            let place = document.lines.position(&document.text, start);
            start += line.len();
            if word.trim_start().is_empty() {
                continue;
            }
            let is_same_line = place.line == before.line;
            let length: usize = word.chars().map(char::len_utf16).sum();
            data.push(SemanticToken {
                delta_line: place.line - before.line,
                delta_start: place.character - if is_same_line { before.character } else { 0 },
                length: u32::try_from(length).unwrap_or(u32::MAX),
                token_type: token.meaning as u32,
                token_modifiers_bitset: u32::from(token.is_declaration),
            });
            before = place;
        }
    }
    SemanticTokens { result_id: None, data }
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
