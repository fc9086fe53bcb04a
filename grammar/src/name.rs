//! The rule for names, by what is named.

use crate::code;
use crate::diagnostic::Diagnostic;
use crate::limits::NAME_BYTES_MAX;
use crate::span::Span;

/// What a name may look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NameRule {
    /// `shop.orders`: parts of small letters, digits and `_`.
    Dotted,
    /// `orders`: one such part.
    Plain,
    /// `Order`, `amount`, `D`: letters of both cases, and no word of the expression language.
    Identifier,
}

/// Words that an expression reads as its own.
pub(crate) const EXPRESSION_WORDS: &[&str] =
    &["and", "or", "not", "in", "if", "then", "else", "true", "false", "none", "null"];

/// Nothing when `name` keeps to the rule, else what is wrong with it. `what` says what is named.
pub(crate) fn check(
    rule: NameRule,
    what: &str,
    name: &str,
    span: Span,
) -> Result<(), Box<Diagnostic>> {
    let diagnostic =
        |message: String| Err(Box::new(Diagnostic::new(code::yaml::NAME_SHAPE, span, message)));
    if NAME_BYTES_MAX < name.len() {
        let n_chars = name.chars().count();
        return diagnostic(format!(
            "the {what} has a name of {n_chars} characters, at most {NAME_BYTES_MAX} are allowed"
        ));
    }
    let parts_fit = match rule {
        NameRule::Dotted => name.split('.').all(is_plain),
        NameRule::Plain => is_plain(name),
        NameRule::Identifier => is_identifier(name),
    };
    if !parts_fit {
        let fault =
            Diagnostic::new(code::yaml::NAME_SHAPE, span, format!("`{name}` cannot name a {what}"))
                .help(rule_in_words(rule));
        let mended = mend(rule, name);
        return Err(Box::new(if mended == name || mended.is_empty() {
            fault
        } else {
            let fault = fault.help(format!("write `{mended}`"));
            // Only where all that name it are mended the same way: fields stand in expressions
            // too, and the dots of a node's name are right where something else is named.
            let is_mended_everywhere = match rule {
                NameRule::Dotted => true,
                NameRule::Plain => !name.contains('.'),
                NameRule::Identifier => false,
            };
            if is_mended_everywhere && span.len() as usize == name.len() {
                fault.fix(span, mended.clone(), format!("write `{mended}`"))
            } else {
                fault
            }
        }));
    }
    let is_word = EXPRESSION_WORDS.contains(&name);
    if is_word && rule == NameRule::Identifier {
        return diagnostic(format!(
            "`{name}` is a word of the expression language and cannot name a {what}"
        ));
    }
    Ok(())
}

/// Whether a name belongs to the bus itself.
pub(crate) fn is_reserved(name: &str) -> bool {
    name == "system" || name.starts_with("system.")
}

/// `[a-z][a-z0-9_]*`.
fn is_plain(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_lowercase())
        && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// `[A-Za-z_][A-Za-z0-9_]*`.
pub(crate) fn is_identifier(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn rule_in_words(rule: NameRule) -> &'static str {
    match rule {
        NameRule::Dotted => {
            "its parts, with dots between them, begin with a small letter and go on with small \
             letters, digits and `_`"
        }
        NameRule::Plain => {
            "it begins with a small letter and goes on with small letters, digits and `_`, \
             without dots"
        }
        NameRule::Identifier => "it begins with a letter and goes on with letters, digits and `_`",
    }
}

/// The name that was probably meant, when a simple change of letters gives one.
fn mend(rule: NameRule, name: &str) -> String {
    let small = matches!(rule, NameRule::Dotted | NameRule::Plain);
    let keeps_dots = rule == NameRule::Dotted;
    let mended: String = name
        .chars()
        .map(|c| match c {
            '-' | ' ' | '/' => '_',
            '.' if !keeps_dots => '_',
            c if small => c.to_ascii_lowercase(),
            c => c,
        })
        .collect();
    let fits = match rule {
        NameRule::Dotted => mended.split('.').all(is_plain),
        NameRule::Plain => is_plain(&mended),
        NameRule::Identifier => is_identifier(&mended),
    };
    if fits { mended } else { String::new() }
}
