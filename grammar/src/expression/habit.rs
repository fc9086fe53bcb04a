//! What SQL, Python and others write between two values or before one, and how it is written here.

use super::Source;
use super::token::Token;
use super::token::TokenKind;
use crate::name::EXPRESSION_WORDS;
use crate::span::Span;

/// A fault at one token of an expression, with the tokens around it.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) source: Source<'a>,
    pub(super) tokens: &'a [Token],
    /// The token that stands where none of its kind can.
    pub(super) index: usize,
}

impl<'a> Found<'a> {
    /// What people write between two values, as it is written here: `x is none`, `s like "a%"`.
    /// Only where it is plain which values belong to it.
    pub(super) fn rewritten(self) -> Option<(Span, String)> {
        let word = self.word(self.index).to_ascii_lowercase();
        let own = |written: &str| Some((self.span(self.index, self.index), written.to_owned()));
        match word.as_str() {
            "mod" => own("%"),
            "elif" | "elsif" | "elseif" => own("else if"),
            "end" if self.index + 1 == self.tokens.len() => {
                let start = self.tokens[self.index.checked_sub(1)?].end;
                Some((self.source.span(start, self.tokens[self.index].end), String::new()))
            }
            "is" => self.is_none(),
            "as" => self.cast(),
            "::" => self.cast_behind(),
            "from" => self.extract(),
            "between" => self.between(),
            "like" | "contains" | "matches" | "div" | "not" => self.call_between(&word),
            _ => None,
        }
    }

    /// `x is none`.
    fn is_none(self) -> Option<(Span, String)> {
        let (last, operator) = match self.word(self.index + 1) {
            "not" => (self.index + 2, "!="),
            _ => (self.index + 1, "=="),
        };
        let is_none = self.word(last) == "none";
        is_none.then(|| (self.span(self.index, last), format!("{operator} none")))
    }

    /// `cast(x as bigint)`, `cast(x as numeric(10, 2))`.
    fn cast(self) -> Option<(Span, String)> {
        let open = self.bracket()?;
        let is_cast =
            ["cast", "try_cast"].iter().any(|it| it.eq_ignore_ascii_case(self.before(open)));
        let inner = self.text_of(open + 1, self.index.checked_sub(1)?)?;
        let (written, close) = match caster(self.word(self.index + 1))? {
            "decimal" => {
                let argument = |at| self.word(self.index + at);
                let is_scale = argument(2) == "(" && argument(4) == "," && argument(6) == ")";
                let scale = is_scale.then(|| argument(5))?;
                (format!("decimal({inner}, {scale})"), self.index + 7)
            }
            name => (format!("{name}({inner})"), self.index + 2),
        };
        let is_whole = is_cast && self.word(close) == ")";
        let written = match self.before(open) {
            name if name.eq_ignore_ascii_case("try_cast") => format!("try({written})"),
            _ => written,
        };
        is_whole.then(|| (self.span(open - 1, close), written))
    }

    /// `x::bigint`.
    fn cast_behind(self) -> Option<(Span, String)> {
        let name = caster(self.word(self.index + 1)).filter(|name| *name != "decimal")?;
        let (first, path) = self.path()?;
        Some((self.span(first, self.index + 1), format!("{name}({path})")))
    }

    /// `extract(year from x)`.
    fn extract(self) -> Option<(Span, String)> {
        let open = self.bracket()?;
        let is_extract = "extract".eq_ignore_ascii_case(self.before(open));
        let unit = self.word(self.index.checked_sub(1)?).to_ascii_lowercase();
        let units = ["year", "quarter", "month", "day", "hour", "minute", "second"];
        if !is_extract || open + 2 != self.index || !units.contains(&unit.as_str()) {
            return None;
        }
        let mut depth = 0;
        let close = (self.index..self.tokens.len()).find(|at| {
            depth += self.tokens[*at].kind.nesting();
            depth < 0
        })?;
        let inner = self.text_of(self.index + 1, close - 1)?;
        Some((self.span(open - 1, close), format!("{unit}({inner})")))
    }

    /// `x between 1 and 2`.
    fn between(self) -> Option<(Span, String)> {
        let (first, path) = self.path()?;
        let (low, high) = (self.index + 1, self.index + 3);
        let is_range = self.word(self.index + 2).eq_ignore_ascii_case("and");
        let is_alone = self.begins(first) && self.before(first) != "not" && self.ends(high + 1);
        if !is_range || !is_alone || !self.is_value(low) || !self.is_value(high) {
            return None;
        }
        let [from, to] = [low, high].map(|at| self.word(at));
        Some((self.span(first, high), format!("{from} <= {path} and {path} <= {to}")))
    }

    /// `s like "a%"`, `s not like "a%"`.
    fn call_between(self, word: &str) -> Option<(Span, String)> {
        let (name, value, not) = match word {
            "not" => (self.word(self.index + 1).to_ascii_lowercase(), self.index + 2, "not "),
            _ => (word.to_owned(), self.index + 1, ""),
        };
        let (first, path) = self.path()?;
        let is_call = matches!(name.as_str(), "like" | "contains" | "matches" | "div");
        if !is_call || !self.begins(first) || !self.is_value(value) || !self.ends(value + 1) {
            return None;
        }
        let written = format!("{not}{name}({path}, {})", self.word(value));
        Some((self.span(first, value), written))
    }

    /// The names with dots between them that stand before the token, and the first of them.
    fn path(self) -> Option<(usize, &'a str)> {
        let is_part =
            |at: &usize| self.tokens[*at].kind == TokenKind::Word || self.word(*at) == ".";
        let n_parts = (0..self.index).rev().take_while(is_part).count();
        let first = (self.index - n_parts..self.index)
            .rev()
            .find(|at| EXPRESSION_WORDS.contains(&self.word(*at)))
            .map_or(self.index - n_parts, |word| word + 1);
        let is_path = (first..self.index).enumerate().all(|(idx, at)| {
            let is_name = self.tokens[at].kind == TokenKind::Word;
            is_name == idx.is_multiple_of(2)
        });
        let path = self.text_of(first, self.index.checked_sub(1)?)?;
        (is_path && first < self.index).then_some((first, path))
    }

    /// Whether an operand of a comparison may begin with a token.
    fn begins(self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else { return true };
        matches!(self.tokens[before].kind, TokenKind::Open | TokenKind::Comma)
            || matches!(self.word(before), "and" | "or" | "not" | "if" | "then" | "else" | "->")
    }

    /// Whether an operand of a comparison has ended before a token.
    fn ends(self, at: usize) -> bool {
        let Some(after) = self.tokens.get(at) else { return true };
        matches!(after.kind, TokenKind::Close | TokenKind::Comma)
            || matches!(
                self.word(at).to_ascii_lowercase().as_str(),
                "and" | "or" | "then" | "else" | "&&" | "||"
            )
    }

    /// Whether a token is a value by itself.
    fn is_value(self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| {
            matches!(token.kind, TokenKind::Text | TokenKind::Number)
                || (token.kind == TokenKind::Word && !EXPRESSION_WORDS.contains(&self.word(at)))
        })
    }

    /// The bracket that is open at the token.
    fn bracket(self) -> Option<usize> {
        let mut depth = 0;
        (0..self.index).rev().find(|at| {
            depth += self.tokens[*at].kind.nesting();
            depth > 0
        })
    }

    /// For what people write between two values.
    pub(super) fn operator_help(self) -> Option<&'static str> {
        let word = self.word(self.index).to_ascii_lowercase();
        let is_glued = self.index.checked_sub(1).is_some_and(|before| {
            self.tokens[before].end == self.tokens[self.index].start
                && self.tokens[self.index].kind == TokenKind::Text
        });
        match self.before(self.index).to_ascii_lowercase().as_str() {
            "lambda" => return Some("a function of an item is written `x -> x + 1`"),
            "interval" => return Some("durations are written `5m`, `1h30m`, `1d`"),
            "select" => {
                return Some("a subquery is a node of its own, and its rows are joined");
            }
            "f" if is_glued => {
                return Some("values are put into a text by `format(\"{} of {}\", a, b)`");
            }
            _ => {}
        }
        match word.as_str() {
            "is" => Some("whether an option holds a value is `is_some(x)`, or `x == none`"),
            "like" => Some("patterns are a function: `like(s, \"%a%\")`"),
            "between" => Some("write `low <= x and x <= high`"),
            "contains" => Some("it is a function: `contains(s, part)`"),
            "matches" => Some("it is a function: `matches(s, pattern)`"),
            "div" => Some("it is a function: `div(a, b)`"),
            "mod" => Some("the remainder is `a % b`"),
            "not" => Some("`not` stands before the whole: `not like(s, \"%a%\")`"),
            "if" | "then" | "else" | "when" | "elif" | "elsif" | "elseif" => {
                Some("a choice is `if c then x else y`")
            }
            "end" => Some("a choice ends with its last value"),
            "as" => {
                Some("a name is a key, `{ name: expression }`; a cast is a function, `float64(x)`")
            }
            "::" => Some("a cast is a function: `float64(x)`"),
            "over" => {
                Some("values along an order are a step of their own: `over`, with `per` and `by`")
            }
            "filter" | "where" => {
                Some("which rows count is said in the call: `sum(x, where=amount > 0)`")
            }
            "for" => Some("a list is made of another by `map(items, x -> x + 1)`"),
            "asc" | "desc" => Some("directions stand in the `by` of `top` only"),
            ":" if self.bracket().is_some_and(|open| self.word(open) == "[") => {
                Some("a part of a list is `slice(items, start, length)`, counting from 1")
            }
            ":" => Some("a choice is `if c then x else y`"),
            "=>" => Some("a lambda is `x -> x + 1`"),
            "->" => Some("a lambda stands as an argument of a call only"),
            _ => None,
        }
    }

    /// For what people write in front of a value.
    pub(super) fn operand_help(self) -> Option<&'static str> {
        match self.word(self.index) {
            "+" => Some("numbers take no `+` sign"),
            "*" if self.before(self.index) == "*" => Some("a power is `pow(x, y)`"),
            "*" => Some(
                "no sign stands for all fields: they are there unless `select` leaves them out",
            ),
            "then" | "else" => Some("a choice is `if c then x else y`"),
            ")" | "]" => Some("is a value missing before it, or a comma too many?"),
            "." if self.is_before(TokenKind::Word) => {
                Some("a field is named without a point before it")
            }
            "." => Some("numbers begin with a digit: `0.5`"),
            _ => None,
        }
    }

    /// Whether a token of this kind follows without a blank.
    pub(super) fn is_before(self, kind: TokenKind) -> bool {
        let next = self.tokens.get(self.index + 1);
        next.is_some_and(|it| it.kind == kind && it.start == self.tokens[self.index].end)
    }

    /// The text of a token; empty behind the last one.
    fn word(self, at: usize) -> &'a str {
        let source: Source<'a> = self.source;
        self.tokens.get(at).map_or("", |token| &source.own()[token.start..token.end])
    }

    /// The text of the token before one.
    fn before(self, at: usize) -> &'a str {
        at.checked_sub(1).map_or("", |before| self.word(before))
    }

    /// The text from one token to another.
    fn text_of(self, first: usize, last: usize) -> Option<&'a str> {
        let (first, last) = (self.tokens.get(first)?, self.tokens.get(last)?);
        let source: Source<'a> = self.source;
        source.own().get(first.start..last.end)
    }

    fn span(self, first: usize, last: usize) -> Span {
        self.source.span(self.tokens[first].start, self.tokens[last].end)
    }
}

/// `AND` for `and`.
pub(super) fn upper_case_word(word: &str) -> Option<&'static str> {
    ["and", "or", "not", "in", "then", "else"]
        .into_iter()
        .find(|written| *written != word && written.eq_ignore_ascii_case(word))
}

/// The function that casts to a type of SQL or Python.
fn caster(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "int" | "integer" | "bigint" | "smallint" | "int8" | "int4" | "int64" | "long" => "int64",
        "float" | "double" | "real" | "float8" | "float64" => "float64",
        "text" | "varchar" | "char" | "string" | "str" => "string",
        "bool" | "boolean" => "bool",
        "date" => "date",
        "timestamp" | "timestamptz" | "datetime" => "timestamp",
        "uuid" => "uuid",
        "numeric" | "decimal" => "decimal",
        _ => return None,
    })
}
