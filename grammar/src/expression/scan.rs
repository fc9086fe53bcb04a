//! One walk over an expression's text before it is parsed: strings, numbers, brackets, depth,
//! and the habits from other languages, each with the right way to write it.

use super::Source;
use super::literal;
use super::sql;
use super::token::Token;
use super::token::TokenKind;
use super::token::tokens;
use crate::code;
use crate::code::Code;
use crate::diagnostic::Collector;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::is_unseen;
use crate::limits::EXPRESSION_DEPTH_MAX;
use crate::name::EXPRESSION_WORDS;

/// Reports what the grammar could not read, or could read only as something else.
pub(super) fn check(source: Source<'_>, diagnostics: &mut Collector) {
    let tokens = tokens(source.own());
    Scan { source, tokens: &tokens, at: 0, open: Vec::new(), levels: 0, diagnostics }.run();
}

/// A bracket that is open.
struct Bracket {
    token: Token,
    /// Whether it opens the arguments of a call.
    is_call: bool,
    /// Levels counted within it since the last comma.
    inner: usize,
}

struct Scan<'a, 'd> {
    source: Source<'a>,
    tokens: &'a [Token],
    at: usize,
    open: Vec<Bracket>,
    /// Levels of the tree that are open here: brackets, `if`s, lambdas and `//`s, which all nest
    /// to the right.
    levels: usize,
    diagnostics: &'d mut Collector,
}

impl<'a> Scan<'a, '_> {
    fn run(&mut self) {
        // `not not not x` nests as well; the run ends with its operand.
        let mut n_prefixes = 0;
        while let Some(token) = self.tokens.get(self.at).copied() {
            n_prefixes = if self.is_prefix(token) { n_prefixes + 1 } else { 0 };
            self.count_levels(token);
            if EXPRESSION_DEPTH_MAX < self.levels + n_prefixes {
                self.push(
                    code::expression::TOO_DEEP,
                    token,
                    format!("the expression nests more than {EXPRESSION_DEPTH_MAX} deep here"),
                );
                return;
            }
            self.judge(token);
            self.at += 1;
        }
        // A text that is not closed swallows the brackets after it.
        let is_open_text = self.tokens.iter().any(|token| token.kind == TokenKind::OpenText);
        if let Some(bracket) = self.open.pop().filter(|_| !is_open_text) {
            let message = format!("the bracket `{}` is never closed", self.text(bracket.token));
            self.push(code::expression::SYNTAX, bracket.token, message);
        }
    }

    /// Keeps account of brackets and of what else nests.
    fn count_levels(&mut self, token: Token) {
        let text = self.text(token);
        match token.kind {
            TokenKind::Open => {
                let is_call =
                    text == "(" && self.before(1).is_some_and(|before| self.is_name(before));
                self.open.push(Bracket { token, is_call, inner: 0 });
                self.levels += 1;
            }
            TokenKind::Close => self.close(token),
            TokenKind::Comma => {
                if let Some(bracket) = self.open.last_mut() {
                    self.levels -= std::mem::take(&mut bracket.inner);
                }
            }
            TokenKind::Word | TokenKind::Symbol if matches!(text, "if" | "->" | "//") => {
                self.levels += 1;
                if let Some(bracket) = self.open.last_mut() {
                    bracket.inner += 1;
                }
            }
            TokenKind::Word
            | TokenKind::Symbol
            | TokenKind::Number
            | TokenKind::Text
            | TokenKind::OpenText
            | TokenKind::SingleQuoted
            | TokenKind::Unknown => {}
        }
    }

    fn close(&mut self, token: Token) {
        let closing = self.text(token);
        let Some(bracket) = self.open.pop() else {
            let message = format!("`{closing}` closes no bracket");
            self.push(code::expression::SYNTAX, token, message);
            return;
        };
        self.levels -= bracket.inner + 1;
        let opening = self.text(bracket.token);
        if (opening == "(") != (closing == ")") {
            let diagnostic = Diagnostic::new(
                code::expression::SYNTAX,
                self.source.span(token.start, token.end),
                format!("`{opening}` is closed by `{closing}`"),
            )
            .secondary(self.source.span(bracket.token.start, bracket.token.end), "opened here");
            self.diagnostics.push(diagnostic);
        }
    }

    /// Reports what is wrong with a token by itself.
    fn judge(&mut self, token: Token) {
        match token.kind {
            TokenKind::Word => self.judge_word(token),
            TokenKind::Number => self.judge_number(token),
            TokenKind::Text => self.judge_text(token),
            TokenKind::OpenText => self.judge_open_text(token),
            TokenKind::SingleQuoted => self.judge_single_quoted(token),
            TokenKind::Symbol => self.judge_symbol(token),
            TokenKind::Unknown if self.skip_variable(token) => {}
            TokenKind::Unknown if self.text(token).contains(is_unseen) => {
                let message = format!("`{}` is no plain space", self.text(token));
                let is_blank = self.text(token).contains(char::is_whitespace);
                let span = self.source.span(token.start, token.end);
                let fault = Diagnostic::new(code::expression::SYNTAX, span, message);
                self.diagnostics.push(fault.label("this character does not show").fix(
                    span,
                    if is_blank { " " } else { "" },
                    if is_blank { "write a space" } else { "remove it" },
                ));
            }
            TokenKind::Unknown if self.skip_template() || self.judge_sigil(token) => {}
            TokenKind::Unknown => {
                let message = format!("`{}` has no meaning in an expression", self.text(token));
                let help = match self.text(token) {
                    ";" => Some("leave it away: an expression ends with its line"),
                    "@" => Some("tensors are multiplied by `matmul(a, b)`"),
                    "^" => Some("a power is `pow(x, y)`"),
                    "{" | "}" => Some("there are no blocks; a choice is `if c then x else y`"),
                    _ => None,
                };
                let span = self.source.span(token.start, token.end);
                let mut fault = Diagnostic::new(code::expression::SYNTAX, span, message);
                fault.help.extend(help.map(str::to_owned));
                self.diagnostics.push(fault);
            }
            TokenKind::Open | TokenKind::Close | TokenKind::Comma => {}
        }
    }

    /// `{{ x }}`; its tokens are passed over.
    fn skip_template(&mut self) -> bool {
        let own = self.source.own();
        let start = self.tokens[self.at].start;
        if !own[start..].starts_with("{{") {
            return false;
        }
        let Some(len) = own[start..].find("}}") else { return false };
        let end = start + len + 2;
        let inner = own[start + 2..end - 2].trim();
        let fault = Diagnostic::new(
            code::expression::SYNTAX,
            self.source.span(start, end),
            "an expression has no templates in double braces",
        );
        self.diagnostics.push(if inner.is_empty() {
            fault.help("names stand bare")
        } else {
            let title = format!("write `{}`", shorten(inner));
            fault.help("names stand bare").fix(self.source.span(start, end), inner, title)
        });
        let n_tokens = self.tokens[self.at..].iter().take_while(|it| it.start < end).count();
        self.at += n_tokens.saturating_sub(1);
        true
    }

    /// `$x`, `$.x`, `@x` where a value begins: a name with a sign before it.
    fn judge_sigil(&mut self, token: Token) -> bool {
        if !matches!(self.text(token), "$" | "@") || self.before(1).is_some_and(|it| self.ends(it))
        {
            return false;
        }
        let point = self.after(1).filter(|next| self.text(*next) == ".");
        let name = self.after(if point.is_some() { 2 } else { 1 });
        let sign = Token { end: point.map_or(token.end, |point| point.end), ..token };
        let Some(name) = name.filter(|it| it.kind == TokenKind::Word && it.start == sign.end)
        else {
            return false;
        };
        let (sign_text, name) = (self.text(sign), self.text(name));
        let span = self.source.span(sign.start, sign.end);
        self.diagnostics.push(
            Diagnostic::new(
                code::expression::SYNTAX,
                span,
                format!("`{sign_text}` has no meaning before a name"),
            )
            .help("fields and parameters are named without a sign")
            .fix(span, "", format!("write `{name}`")),
        );
        self.at += usize::from(point.is_some());
        true
    }

    /// Whether a value may end with a token.
    fn ends(&self, token: Token) -> bool {
        matches!(token.kind, TokenKind::Number | TokenKind::Text | TokenKind::Close)
            || self.is_name(token)
    }

    fn judge_word(&mut self, token: Token) {
        if self.is_word(token, "null") {
            let message = format!("`{}` is written `none`", self.text(token));
            self.push_fix(code::expression::NULL, token, message, "none");
        } else if self.is_word(token, "is") {
            self.judge_is(token);
        } else if self.is_word(token, "in") {
            self.judge_in();
        } else if self.is_word(token, "case")
            && sql::is_case(self.source.own(), self.tokens, self.at)
        {
            self.judge_case(token);
        }
    }

    /// `case when c then x else y end`.
    fn judge_case(&mut self, case: Token) {
        let choice = sql::choice(self.source.own(), self.tokens, self.at);
        let fault = Diagnostic::new(
            code::expression::SQL,
            self.source.span(case.start, case.end),
            "a choice is written `if c then x else y`",
        );
        self.diagnostics.push(match choice {
            Some(choice) => fault.fix(
                self.source.span(case.start, choice.end),
                choice.written,
                "write `if … then … else …`",
            ),
            None => fault.help("a choice has an `else`: SQL gives null there, `else none`"),
        });
    }

    /// `x is null`, `x is not null`.
    fn judge_is(&mut self, is: Token) {
        let is_not = self.after(1).is_some_and(|next| self.is_word(next, "not"));
        let n_words = if is_not { 2 } else { 1 };
        let Some(last) = self.after(n_words) else { return };
        if !self.is_word(last, "null") && !self.is_word(last, "none") {
            return;
        }
        let whole = Token { end: last.end, ..is };
        let written = if is_not { "!= none" } else { "== none" };
        let message = format!("`{}` is written `{written}`", self.text(whole));
        self.push_fix(code::expression::SQL, whole, message, written);
        self.at += n_words;
    }

    /// `x in (a, b)`. One value in brackets may be a list that is computed, unless it is written
    /// out.
    fn judge_in(&mut self) {
        let Some(open) = self.after(1).filter(|next| self.text(*next) == "(") else { return };
        let rest = &self.tokens[self.at + 1..];
        let mut depth = 0;
        let mut has_comma = false;
        let close = rest.iter().position(|token| {
            depth += token.kind.nesting();
            has_comma |= depth == 1 && token.kind == TokenKind::Comma;
            depth == 0
        });
        let Some(n_tokens) = close else { return };
        let is_literal =
            n_tokens == 2 && matches!(rest[1].kind, TokenKind::Text | TokenKind::Number);
        if has_comma || is_literal {
            let end = rest[n_tokens].end;
            let inner = self.text(Token { start: open.end, end: end - 1, ..open });
            let diagnostic = Diagnostic::new(
                code::expression::ROUND_LIST,
                self.source.span(open.start, open.end),
                "a list stands in square brackets",
            )
            .fix(
                self.source.span(open.start, end),
                format!("[{inner}]"),
                "write a list",
            );
            self.diagnostics.push(diagnostic);
        }
    }

    /// `${NAME}` outside of texts; its tokens are passed over.
    fn skip_variable(&mut self, token: Token) -> bool {
        let rest = &self.tokens[self.at..];
        let is_open = rest.len() > 2 && self.text(token) == "$" && self.text(rest[1]) == "{";
        if !is_open {
            return false;
        }
        let Some(n_tokens) = rest.iter().position(|token| self.text(*token) == "}") else {
            return false;
        };
        self.variable(token.start, rest[n_tokens].end);
        self.at += n_tokens;
        true
    }

    fn variable(&mut self, start: usize, end: usize) {
        let written = self.text(Token { kind: TokenKind::Unknown, start, end });
        let name = written.trim_start_matches("${").trim_end_matches('}').trim();
        let diagnostic = Diagnostic::new(
            code::expression::VARIABLE,
            self.source.span(start, end),
            format!("`{written}` is not replaced in an expression"),
        )
        .help(format!("declare `{name}` in `params:` and use its name; `--set {name}=…` sets it"));
        self.diagnostics.push(diagnostic);
    }

    fn judge_number(&mut self, token: Token) {
        let text = self.text(token);
        let is_plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
        let is_based = text.len() > 2
            && text.starts_with('0')
            && text[1..].starts_with(['x', 'X', 'b', 'B', 'o', 'O']);
        let fault = if is_based {
            Some("numbers are written in decimal digits")
        } else if is_plain {
            literal::integer(text).is_none().then_some("a whole number has at most 38 digits")
        } else if is_number(text) || literal::duration(text).is_some() {
            None
        } else if text.contains('.') {
            Some("numbers with a point take no unit; durations are written `1h30m`, `500ms`")
        } else {
            Some("durations are whole numbers with ns, us, ms, s, m, h or d, at most 292 years")
        };
        let number = literal::without_zeros(text);
        if let Some((start, end)) = self.date_around(token) {
            if token.end == end {
                self.date_of_numbers(start, end);
            }
        } else if self.is_group_of_digits(token) {
            let span = self.source.span(token.start - 1, token.start);
            self.diagnostics.push(
                Diagnostic::new(
                    code::expression::LITERAL,
                    self.source.span(token.start, token.end),
                    format!("`{text}` begins with a zero"),
                )
                .help("the digits of a number are grouped by `_`: `1_000`")
                .fix(span, "_", "write `_`"),
            );
        } else if let Some(meant) = number.filter(|_| is_plain) {
            let message = format!("`{}` begins with a zero", shorten(text));
            let span = self.source.span(token.start, token.end);
            let diagnostic = Diagnostic::new(code::expression::LITERAL, span, message)
                .help(literal::ZERO_HELP)
                .fix(span, meant, format!("write `{}`", shorten(meant)));
            self.diagnostics.push(diagnostic);
        } else if let Some(help) = fault {
            let diagnostic = Diagnostic::new(
                code::expression::LITERAL,
                self.source.span(token.start, token.end),
                format!("`{}` is neither a number nor a duration", shorten(text)),
            )
            .help(help);
            self.diagnostics.push(diagnostic);
        }
    }

    /// Whether three digits follow the comma of `1,000`, which no list of ours has: a number does
    /// not begin with a zero.
    fn is_group_of_digits(&self, token: Token) -> bool {
        let text = self.text(token);
        let comma = self.before(1).filter(|it| it.kind == TokenKind::Comma);
        let number = self.before(2).filter(|it| it.kind == TokenKind::Number);
        text.len() == 3
            && text.starts_with('0')
            && text.bytes().all(|b| b.is_ascii_digit())
            && comma.is_some_and(|comma| comma.end == token.start)
            && number.is_some_and(|number| number.end + 1 == token.start)
    }

    /// Where the date stands whose year, month or day a number is, as in `2026-01-01`.
    fn date_around(&self, token: Token) -> Option<(usize, usize)> {
        let text = self.source.own();
        let is_part = |c: char| c == '-' || c.is_ascii_digit();
        let start = text[..token.start].trim_end_matches(is_part).len();
        let rest = text[token.end..].trim_start_matches(is_part);
        let end = text.len() - rest.len();
        literal::is_date(&text[start..end]).then_some((start, end))
    }

    /// Three numbers that look like a date are two subtractions.
    fn date_of_numbers(&mut self, start: usize, end: usize) {
        let date = &self.source.own()[start..end];
        let message = format!("`{date}` is no date, but a number less two others");
        let help = format!(
            "a date is written d\"{date}\", a time t\"{date}T00:00:00Z\"; a subtraction has spaces"
        );
        self.diagnostics.push(
            Diagnostic::new(code::expression::LITERAL, self.source.span(start, end), message)
                .help(help),
        );
    }

    fn judge_text(&mut self, token: Token) {
        let text = self.text(token);
        let mut at = text.find('"').unwrap_or_default() + 1;
        while let Some(found) = text[at..].find('\\') {
            at += found;
            if let Some((_, len)) = literal::escape(&text[at..]) {
                at += len;
                continue;
            }
            let len = 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8);
            let diagnostic = Diagnostic::new(
                code::expression::UNCLOSED_STRING,
                self.source.span(token.start + at, token.start + at + len),
                format!("`{}` is not an escape", &text[at..at + len]),
            )
            .help("the escapes are \\\", \\\\, \\n, \\r, \\t and \\u{e9}; a backslash is `\\\\`");
            self.diagnostics.push(diagnostic);
            at += len;
        }
        if let Some(at) = text.find("${")
            && let Some(len) = text[at..].find('}')
            && is_variable(&text[at + 2..at + len])
        {
            self.variable(token.start + at, token.start + at + len + 1);
        }
        let inner = text.get(2..text.len() - 1).unwrap_or("");
        let fault = match text.as_bytes()[0] {
            b'd' if !literal::is_date(inner) => Some(("date", "d\"1995-03-15\"")),
            b't' if !literal::is_time(inner) => Some(("time", "t\"2026-01-01T00:00:00Z\"")),
            _ => None,
        };
        if let Some((kind, example)) = fault {
            let diagnostic = Diagnostic::new(
                code::expression::LITERAL,
                self.source.span(token.start, token.end),
                format!("`{}` is not a {kind} of the calendar", shorten(inner)),
            )
            .help(format!("a {kind} is written `{example}`"));
            self.diagnostics.push(diagnostic);
        }
    }

    fn judge_open_text(&mut self, token: Token) {
        let comment = self.source.comment();
        if comment.is_empty() {
            let quote = Token { end: token.start + 1, ..token };
            let span = self.source.span(quote.start, quote.end);
            self.diagnostics.push(
                Diagnostic::new(
                    code::expression::UNCLOSED_STRING,
                    span,
                    "this text has no closing `\"`",
                )
                .help("a text ends with `\"`; within it a quote is written `\\\"`"),
            );
            return;
        }
        let whole = self.source.span(0, self.source.own().len());
        // Behind the text's end a comment may well be meant as one.
        let written = format!("{}{comment}", self.source.own());
        let is_outside = |at: &usize| written[..*at].matches('"').count() % 2 == 0;
        let comment_at = written.match_indices(" #").map(|(at, _)| at).find(is_outside);
        let mended = written[..comment_at.unwrap_or(written.len())].trim_end();
        let comment = &comment[..mended.len() - self.source.own().len()];
        let end = whole.end + u32::try_from(comment.len()).unwrap_or(0);
        let hash = whole.end + u32::try_from(comment.find('#').unwrap_or(0)).unwrap_or(0);
        let diagnostic = Diagnostic::new(
            code::expression::CUT_COMMENT,
            crate::span::Span::new(hash, end),
            "` #` begins a comment, which cuts the expression",
        )
        .secondary(self.source.span(token.start, token.end), "this text goes on behind it")
        .help("put the whole expression in single quotes")
        .fix(
            crate::span::Span::new(whole.start, end),
            crate::yaml::quote(mended),
            "quote the expression",
        );
        self.diagnostics.push(diagnostic);
    }

    fn judge_single_quoted(&mut self, token: Token) {
        let text = self.text(token);
        let inner = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
        let message = "texts stand in double quotes".to_owned();
        match inner {
            Some(inner) if !inner.contains(['"', '\\']) => {
                let replacement = format!("\"{inner}\"");
                self.push_fix(code::expression::SINGLE_QUOTES, token, message, &replacement);
            }
            _ => self.push(code::expression::SINGLE_QUOTES, token, message),
        }
    }

    fn judge_symbol(&mut self, token: Token) {
        match self.text(token) {
            "&&" | "&" => self.habit(code::expression::AMPERSANDS, token, "and"),
            "||" if self.joins_texts() => {
                let message = "`||` joins texts in SQL, and is written `++`".to_owned();
                self.push_fix(code::expression::BARS, token, message, "++");
            }
            "||" | "|" => self.habit(code::expression::BARS, token, "or"),
            "|>" => {
                let span = self.source.span(token.start, token.end);
                let fault = Diagnostic::new(
                    code::expression::BARS,
                    span,
                    "`|>` has no meaning in an expression",
                );
                let help = match self.after(1).filter(|next| self.is_name(*next)) {
                    Some(name) => {
                        format!("a function stands around its argument: `{}(x)`", self.text(name))
                    }
                    None => "a function stands around its argument: `f(x)`".to_owned(),
                };
                self.diagnostics.push(fault.help(help));
            }
            "<>" => self.habit(code::expression::ANGLES, token, "!="),
            "===" => self.habit(code::expression::SINGLE_EQUALS, token, "=="),
            "!==" => self.habit(code::expression::SINGLE_EQUALS, token, "!="),
            "=<" => self.habit(code::expression::SINGLE_EQUALS, token, "<="),
            "=>" if self.names_argument() => {
                self.habit(code::expression::SINGLE_EQUALS, token, "->");
            }
            "=>" => self.habit(code::expression::SINGLE_EQUALS, token, ">="),
            "??" | "?:" => self.habit(code::expression::QUESTION_MARK, token, "//"),
            "=" if !self.names_argument() => self.judge_equals(token),
            "!" if self.before(1).is_some_and(|it| self.is_name(it) && it.end == token.start) => {
                self.diagnostics.push(
                    Diagnostic::new(
                        code::expression::BANG,
                        self.source.span(token.start, token.end),
                        "`!` has no meaning behind a name",
                    )
                    .help("what fails makes an error row of its row; `try(x)` makes it an option"),
                );
            }
            "!" => {
                let blanks = self.source.own()[token.end..].len()
                    - self.source.own()[token.end..].trim_start().len();
                let wide = Token { end: token.end + blanks, ..token };
                let message = "`!` is written `not`".to_owned();
                let fix = self.source.span(wide.start, wide.end);
                let diagnostic = Diagnostic::new(
                    code::expression::BANG,
                    self.source.span(token.start, token.end),
                    message,
                )
                .fix(fix, "not ", "write `not`");
                self.diagnostics.push(diagnostic);
            }
            "?" => self.question_mark(token),
            _ => {}
        }
    }

    /// `a = b`, `= a`, `a += b`.
    fn judge_equals(&mut self, token: Token) {
        let span = self.source.span(token.start, token.end);
        let before = self.before(1);
        if before.is_none() {
            self.diagnostics.push(
                Diagnostic::new(
                    code::expression::SINGLE_EQUALS,
                    span,
                    "no `=` stands before an expression here",
                )
                .help("it does so in `job` and `args` only, where a value is no expression")
                .fix(span, "", "leave the sign out"),
            );
        } else if let Some(sign) = before.filter(|it| {
            it.end == token.start && matches!(self.text(*it), "+" | "-" | "*" | "/" | "%" | "++")
        }) {
            let sign = self.text(sign);
            self.diagnostics.push(
                Diagnostic::new(
                    code::expression::SINGLE_EQUALS,
                    span,
                    format!("`{sign}=` has no meaning: an expression changes nothing"),
                )
                .help(format!("a field gets a new value by `with`: `- with: {{ x: x {sign} 1 }}`")),
            );
        } else {
            self.habit(code::expression::SINGLE_EQUALS, token, "==");
        }
    }

    /// Whether a text stands beside the `||` here that is no side of a comparison.
    fn joins_texts(&self) -> bool {
        let is_text = |token: Option<Token>| {
            token.is_some_and(|it| matches!(it.kind, TokenKind::Text | TokenKind::SingleQuoted))
        };
        let compares = |token: Option<Token>| {
            token.is_some_and(|it| {
                let text = self.text(it);
                it.kind == TokenKind::Symbol && text.contains(['=', '<', '>'])
                    || text.eq_ignore_ascii_case("like")
                    || text.eq_ignore_ascii_case("in")
            })
        };
        (is_text(self.before(1)) && !compares(self.before(2)))
            || (is_text(self.after(1)) && !compares(self.after(2)))
    }

    fn question_mark(&mut self, token: Token) {
        let diagnostic = Diagnostic::new(
            code::expression::QUESTION_MARK,
            self.source.span(token.start, token.end),
            "a choice is written `if c then x else y`",
        );
        // One choice outside all brackets can be rewritten as a whole.
        let own = self.source.own();
        let symbols = |wanted: &'static str| {
            self.tokens.iter().filter(move |t| &own[t.start..t.end] == wanted)
        };
        // Only as far as the second of each, for a text may have thousands.
        let is_single = symbols("?").take(2).count() == 1 && symbols(":").take(2).count() == 1;
        let colon = is_single.then(|| symbols(":").next()).flatten();
        let colon = colon.filter(|colon| token.end <= colon.start);
        let diagnostic = match colon {
            Some(colon) if self.open.is_empty() => {
                let parts = [
                    own[..token.start].trim(),
                    own[token.end..colon.start].trim(),
                    own[colon.end..].trim(),
                ];
                diagnostic.fix(
                    self.source.whole(),
                    format!("if {} then {} else {}", parts[0], parts[1], parts[2]),
                    "write `if … then … else …`",
                )
            }
            _ => diagnostic.help("write `if c then x else y`"),
        };
        self.diagnostics.push(diagnostic);
    }

    /// Whether the `=` here stands behind the name of an argument.
    fn names_argument(&self) -> bool {
        self.open.last().is_some_and(|bracket| bracket.is_call)
            && self.before(1).is_some_and(|token| token.kind == TokenKind::Word)
            && self
                .before(2)
                .is_some_and(|token| matches!(token.kind, TokenKind::Open | TokenKind::Comma))
    }

    /// `not` and `-` where an operand may begin.
    fn is_prefix(&self, token: Token) -> bool {
        matches!(self.text(token), "not" | "-")
            && !self.before(1).is_some_and(|before| {
                matches!(before.kind, TokenKind::Number | TokenKind::Text | TokenKind::Close)
                    || self.is_name(before)
            })
    }

    fn is_name(&self, token: Token) -> bool {
        token.kind == TokenKind::Word && !EXPRESSION_WORDS.contains(&self.text(token))
    }

    fn text(&self, token: Token) -> &'a str {
        let source: Source<'a> = self.source;
        &source.text[source.start + token.start..source.start + token.end]
    }

    fn is_word(&self, token: Token, word: &str) -> bool {
        token.kind == TokenKind::Word && self.text(token).eq_ignore_ascii_case(word)
    }

    fn after(&self, ahead: usize) -> Option<Token> {
        self.tokens.get(self.at + ahead).copied()
    }

    fn before(&self, back: usize) -> Option<Token> {
        self.at.checked_sub(back).map(|at| self.tokens[at])
    }

    fn habit(&mut self, code: Code, token: Token, written: &str) {
        let message = format!("`{}` is written `{written}`", self.text(token));
        self.push_fix(code, token, message, written);
    }

    fn push_fix(&mut self, code: Code, token: Token, message: String, written: &str) {
        let span = self.source.span(token.start, token.end);
        let title = format!("write `{written}`");
        self.diagnostics.push(Diagnostic::new(code, span, message).fix(span, written, title));
    }

    fn push(&mut self, code: Code, token: Token, message: String) {
        let span = self.source.span(token.start, token.end);
        self.diagnostics.push(Diagnostic::new(code, span, message));
    }
}

/// Whether variables of the environment are named so.
fn is_variable(name: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    // `${1}` is a group of a regular expression.
    !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty() && name.bytes().all(is_part)
}

/// `1.5`, `1e-3`, `1_000.25`.
fn is_number(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let is_digits = |digits: &str| {
        digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.bytes().all(|b| b.is_ascii_digit() || b == b'_')
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    });
    exponent_fits && mantissa.split('.').count() <= 2 && mantissa.split('.').all(is_digits)
}

/// A text short enough for a message.
fn shorten(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARACTERS_MAX {
        return text.to_owned();
    }
    let head: String = text.chars().take(SHOWN_CHARACTERS_MAX).collect();
    format!("{head}…")
}

/// Longer texts are cut in messages.
const SHOWN_CHARACTERS_MAX: usize = 40;
