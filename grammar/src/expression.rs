//! Expression text to expression tree.
//!
//! Three steps: `scan` walks the text once and finds what would mislead a parser (strings without
//! end, unbalanced brackets, habits from other languages, too much depth); the pest grammar
//! `expr.pest` reads the structure; `build` gives operators their precedence and makes the tree.
//! `known` spares the steps for a text that has been read before.
//!
//! **Invariant:** the grammar sees only text of bounded depth, so its recursion is bounded too.

mod literal;
mod token;
mod sql;
mod scan;
mod habit;
mod fault;
mod build;
mod known;

pub(crate) use known::Known;
pub use literal::ZERO_HELP;
pub use literal::bytes_of_text;
pub(crate) use literal::duration;
pub use literal::without_zeros;
pub(crate) use token::Token;
pub(crate) use token::TokenKind;
pub(crate) use token::tokens;

use pest::Parser as _;

use crate::ast::Direction;
use crate::code;
use crate::diagnostic::Collector;
use crate::diagnostic::Diagnostic;
use crate::expr::Expr;
use crate::expr::ExprKind;
use crate::limits::EXPRESSION_BYTES_MAX;
use crate::name::EXPRESSION_WORDS;
use crate::name::is_identifier;
use crate::span::Span;
use crate::span::Spanned;
use crate::yaml::Offsets;

/// The text of an expression, and how its offsets become places in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// The whole text of the scalar.
    pub(crate) text: &'a str,
    /// Where in it the expression begins.
    pub(crate) start: usize,
    /// Places in the file.
    pub(crate) offsets: &'a Offsets,
    /// The rest of the line behind an unquoted scalar, where a comment may have cut it.
    pub(crate) rest: &'a str,
}

/// Reads one expression, such as a subscriber's filter; spans are offsets in `text`.
///
/// The tree is always there: what could not be read is [`ExprKind::Error`], and then the
/// diagnostics say why.
pub fn parse_expression(text: &str) -> (Expr, Vec<Diagnostic>) {
    let mut diagnostics = Collector::default();
    let offsets = Offsets::Shifted(0);
    let source = Source { text, start: 0, offsets: &offsets, rest: "" };
    let expr = parse(source, &mut Known::default(), &mut diagnostics);
    (expr, diagnostics.finish())
}

/// Reads an expression out of a circuit.
pub(crate) fn parse(source: Source<'_>, known: &mut Known, diagnostics: &mut Collector) -> Expr {
    if let Some(expr) = bare_path(source).or_else(|| known.get(source)) {
        return expr;
    }
    let expr = read(source, Rule::expression, diagnostics).0;
    known.keep(source, &expr);
    expr
}

/// Reads `expression`, `expression asc` or `expression desc`.
pub(crate) fn parse_order(source: Source<'_>, diagnostics: &mut Collector) -> (Expr, Direction) {
    match bare_path(source) {
        Some(path) => (path, Direction::Ascending),
        None => read(source, Rule::order, diagnostics),
    }
}

/// Reads a value out of `params`: a literal, perhaps negated. None for any other text.
pub(crate) fn parse_literal(text: &str) -> Option<crate::expr::Literal> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (expr, diagnostics) = parse_expression(digits);
    let ExprKind::Literal(literal) = expr.kind else { return None };
    if !diagnostics.is_empty() {
        return None;
    }
    if negative { literal::negate(literal) } else { Some(literal) }
}

#[derive(pest_derive::Parser)]
#[grammar = "expr.pest"]
struct Grammar;

impl<'a> Source<'a> {
    /// The expression's own text.
    fn own(&self) -> &'a str {
        &self.text[self.start..]
    }

    /// The place in the file of a range of the expression's own text.
    fn span(&self, start: usize, end: usize) -> Span {
        self.offsets.span(self.start + start, self.start + end)
    }

    /// The text at a place of the file, where the expression stands in the file as it is.
    fn written(&self, span: Span) -> Option<&'a str> {
        match self.offsets {
            Offsets::Shifted(shift) => {
                let at = |offset: u32| offset.checked_sub(*shift).map(|at| at as usize);
                self.text.get(at(span.start)?..at(span.end)?)
            }
            Offsets::Table(..) => None,
        }
    }

    /// The comment behind the expression with the blanks before it; empty when there is none.
    fn comment(&self) -> &'a str {
        let has_blank = self.rest.starts_with([' ', '\t']);
        let is_comment = has_blank && self.rest.trim_start().starts_with('#');
        if is_comment { self.rest } else { "" }
    }

    /// The place of the whole, white space aside.
    fn whole(&self) -> Span {
        let own = self.own();
        let start = own.len() - own.trim_start().len();
        self.span(start, own.trim_end().len().max(start))
    }
}

fn read(source: Source<'_>, rule: Rule, diagnostics: &mut Collector) -> (Expr, Direction) {
    let failed = (Expr::error(source.whole()), Direction::Ascending);
    if EXPRESSION_BYTES_MAX < source.own().len() {
        diagnostics.push(Diagnostic::new(
            code::expression::TOO_LONG,
            Span::empty(source.whole().start),
            format!(
                "the expression has {} bytes, at most {EXPRESSION_BYTES_MAX} are read",
                source.own().len()
            ),
        ));
        return failed;
    }
    let found = diagnostics.len();
    scan::check(source, diagnostics);
    if found < diagnostics.len() {
        return failed;
    }
    match Grammar::parse(rule, source.own()) {
        Ok(pairs) => build::order(source, pairs, diagnostics),
        Err(error) => {
            diagnostics.push(fault::describe(source, rule, &error));
            failed
        }
    }
}

/// `name` or `name.field`, by far the most frequent expressions, without the grammar's cost.
fn bare_path(source: Source<'_>) -> Option<Expr> {
    let own = source.own();
    let leading = own.len() - own.trim_start().len();
    let mut expr: Option<Expr> = None;
    let mut start = leading;
    for part in own.trim().split('.') {
        if !is_identifier(part) {
            return None;
        }
        let span = source.span(start, start + part.len());
        expr = Some(match expr {
            // `NULL` is left to the scan, which knows what was meant.
            None if EXPRESSION_WORDS.contains(&part) || part.eq_ignore_ascii_case("null") => {
                return None;
            }
            None => Expr::new(ExprKind::Name(part.to_owned()), span),
            Some(base) => {
                let whole = base.span.to(span);
                let field = Spanned::new(part.to_owned(), span);
                Expr::new(ExprKind::Field { base: Box::new(base), field }, whole)
            }
        });
        start += part.len() + 1;
        if PATH_PARTS_MAX < start - leading {
            return None;
        }
    }
    expr
}

/// Longest path read without the grammar, in bytes; it bounds the depth of the tree.
const PATH_PARTS_MAX: usize = 200;

#[cfg(test)]
mod tests;
