//! What each word of a circuit is, so that an editor can colour it: names by what they name, verbs,
//! and the parts of expressions.

use arqon_grammar::Span;
use arqon_grammar::expr::{Expr, ExprKind, Literal};

use crate::analysis::Analysis;
use crate::names::Kind;

/// What a token is; its place in [`LEGEND`] is its number on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Meaning {
    Keyword,
    Type,
    Property,
    EnumMember,
    Function,
    Parameter,
    Variable,
    Event,
    Class,
    Namespace,
    Interface,
    String,
    Number,
    Operator,
}

/// The names of the meanings in the protocol, in their order.
pub(crate) const LEGEND: [&str; 14] = [
    "keyword",
    "type",
    "property",
    "enumMember",
    "function",
    "parameter",
    "variable",
    "event",
    "class",
    "namespace",
    "interface",
    "string",
    "number",
    "operator",
];

/// The names of the modifiers: whether it is declared there.
pub(crate) const MODIFIERS: [&str; 1] = ["declaration"];

/// A word with its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Token {
    /// Its place.
    pub(crate) span: Span,
    /// What it is.
    pub(crate) meaning: Meaning,
    /// Whether it is declared there.
    pub(crate) is_declaration: bool,
}

/// The tokens of the circuit itself within a range, by place; none lie over one another.
pub(crate) fn tokens(analysis: &Analysis, range: Span) -> Vec<Token> {
    let Some(circuit) = &analysis.facts.circuit else { return Vec::new() };
    let is_wanted =
        |span: Span| span.start < range.end && range.start < span.end && !span.is_empty();
    let mut found: Vec<Token> = Vec::new();
    let everything = analysis.everything();
    for it in everything.iter().filter(|it| is_wanted(it.span)) {
        let (span, is_declaration) = (it.span, it.is_declaration);
        found.push(Token { span, meaning: meaning(it.kind), is_declaration });
    }
    let mut push = |span: Span, meaning: Meaning| {
        if is_wanted(span) {
            found.push(Token { span, meaning, is_declaration: false });
        }
    };
    circuit.for_each_node(&mut |node| {
        node.repeated.iter().for_each(|repeated| push(repeated.span, Meaning::Keyword));
        node.for_each_step(&mut |step| {
            if step.verb != step.span {
                push(step.verb, Meaning::Keyword);
            }
        });
    });
    let text = analysis.compiled.sources.text();
    circuit.for_each_expression(&mut |expr| {
        if is_wanted(expr.span) {
            expr.for_each(&mut |part| part_of(part, text, &mut push));
        }
    });
    let sources = &analysis.compiled.sources;
    found.retain(|it| sources.is_main(it.span));
    // Of several at one place the use of a name says most: it stands last among the names.
    found.sort_by_key(|it| (it.span.start, it.span.end, it.is_declaration));
    let mut end = 0;
    found.retain(|it| {
        let is_free = end <= it.span.start;
        if is_free {
            end = it.span.end;
        }
        is_free
    });
    found
}

fn meaning(kind: Kind) -> Meaning {
    match kind {
        Kind::Topic => Meaning::Event,
        Kind::Node | Kind::Local => Meaning::Class,
        Kind::Schema => Meaning::Type,
        Kind::Function => Meaning::Function,
        Kind::Param | Kind::Variable => Meaning::Variable,
        Kind::Operator | Kind::Implementation => Meaning::Interface,
        Kind::Label | Kind::Variant => Meaning::EnumMember,
        Kind::Field => Meaning::Property,
        Kind::Argument | Kind::Port => Meaning::Parameter,
        Kind::Profile | Kind::Role => Meaning::Namespace,
        Kind::Test => Meaning::String,
    }
}

fn part_of(part: &Expr, text: &str, push: &mut impl FnMut(Span, Meaning)) {
    match &part.kind {
        ExprKind::Literal(literal) => {
            let meaning = match literal {
                Literal::String(_) | Literal::Date(_) | Literal::Time(_) => Meaning::String,
                Literal::Integer(_) | Literal::Number(_) | Literal::Duration(_) => Meaning::Number,
                Literal::Bool(_) | Literal::None => Meaning::Keyword,
            };
            push(part.span, meaning);
        }
        ExprKind::Call { function, .. } => push(function.span, Meaning::Function),
        ExprKind::Unary { operator, .. } => push(operator.span, operator_of(operator.span, text)),
        ExprKind::Binary { operator, .. } => push(operator.span, operator_of(operator.span, text)),
        ExprKind::Name(_)
        | ExprKind::Field { .. }
        | ExprKind::Index { .. }
        | ExprKind::Lambda { .. }
        | ExprKind::List(_)
        | ExprKind::If { .. }
        | ExprKind::Error => {}
    }
}

/// `and` is a word, `<=` is not.
fn operator_of(span: Span, text: &str) -> Meaning {
    let is_word = span.slice(text).starts_with(|c: char| c.is_ascii_alphabetic());
    if is_word { Meaning::Keyword } else { Meaning::Operator }
}
