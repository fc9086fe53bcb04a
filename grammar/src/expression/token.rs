//! An expression's text cut into tokens, also where it is no expression.

/// One token by its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TokenKind {
    /// Letters, digits and `_`, not beginning with a digit.
    Word,
    /// Digits and what hangs on them: `5`, `1.5e3`, `5m`, `5min`.
    Number,
    /// A double-quoted text, with its `d` or `t`.
    Text,
    /// The beginning of a double-quoted text without end.
    OpenText,
    /// A single-quoted text.
    SingleQuoted,
    /// `(` or `[`.
    Open,
    /// `)` or `]`.
    Close,
    /// `,`.
    Comma,
    /// One or two characters of an operator.
    Symbol,
    /// A character that no expression has outside texts.
    Unknown,
}

impl TokenKind {
    /// By how much what follows is deeper in brackets.
    pub(crate) fn nesting(self) -> isize {
        match self {
            Self::Open => 1,
            Self::Close => -1,
            Self::Word
            | Self::Number
            | Self::Text
            | Self::OpenText
            | Self::SingleQuoted
            | Self::Comma
            | Self::Symbol
            | Self::Unknown => 0,
        }
    }
}

/// Cuts a text into tokens, white space left out.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(text.len() / 3);
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        if character.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (kind, len) = token(&text[at..], character);
        tokens.push(Token { kind, start: at, end: at + len });
        at += len;
    }
    tokens
}

fn token(rest: &str, first: char) -> (TokenKind, usize) {
    let bytes = rest.as_bytes();
    match first {
        'd' | 't' if bytes.get(1) == Some(&b'"') => {
            let (kind, len) = quoted(&rest[1..]);
            (kind, len + 1)
        }
        'a'..='z' | 'A'..='Z' | '_' => (TokenKind::Word, word_len(bytes)),
        '0'..='9' => (TokenKind::Number, number_len(bytes)),
        '"' => quoted(rest),
        '\'' => match rest[1..].find('\'') {
            Some(len) => (TokenKind::SingleQuoted, len + 2),
            None => (TokenKind::SingleQuoted, rest.trim_end().len()),
        },
        '(' | '[' => (TokenKind::Open, 1),
        ')' | ']' => (TokenKind::Close, 1),
        ',' => (TokenKind::Comma, 1),
        '=' | '!' if rest[1..].starts_with("==") => (TokenKind::Symbol, 3),
        '=' | '!' | '<' | '>' | '&' | '|' | '/' | '+' | '-' | '?' | '*' | '%' | '.' | ':' => {
            let two = rest.get(..2).unwrap_or("");
            let is_two = TWO_CHARACTER_SYMBOLS.contains(&two);
            (TokenKind::Symbol, if is_two { 2 } else { 1 })
        }
        _ => (TokenKind::Unknown, first.len_utf8()),
    }
}

const TWO_CHARACTER_SYMBOLS: [&str; 16] = [
    "==", "!=", "<=", ">=", "<>", "&&", "||", "//", "++", "->", "??", "=<", "=>", "::", "|>", "?:",
];

fn word_len(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count()
}

/// Digits, then a fraction, then an exponent or whatever letters hang on.
fn number_len(bytes: &[u8]) -> usize {
    let mut len = word_len(bytes);
    let has_exponent_sign = |len: usize| {
        matches!(bytes[len - 1], b'e' | b'E')
            && matches!(bytes.get(len), Some(b'+' | b'-'))
            && bytes.get(len + 1).is_some_and(u8::is_ascii_digit)
            && bytes[..len - 1].iter().all(|b| b.is_ascii_digit() || matches!(b, b'_' | b'.'))
    };
    if bytes.get(len) == Some(&b'.') && bytes.get(len + 1).is_some_and(u8::is_ascii_digit) {
        len += 1 + word_len(&bytes[len + 1..]);
    }
    if has_exponent_sign(len) {
        len += 1 + word_len(&bytes[len + 1..]);
    }
    len
}

/// A double-quoted text at the beginning of `rest`.
fn quoted(rest: &str) -> (TokenKind, usize) {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return (TokenKind::Text, at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    (TokenKind::OpenText, bytes.len())
}
