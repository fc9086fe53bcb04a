//! Pairs of the grammar to the expression tree: precedence, depth, balance.

use std::cell::RefCell;
use std::sync::LazyLock;

use pest::iterators::Pair;
use pest::iterators::Pairs;
use pest::pratt_parser::Assoc;
use pest::pratt_parser::Op;
use pest::pratt_parser::PrattParser;

use super::Rule;
use super::Source;
use super::literal;
use crate::ast::Direction;
use crate::code;
use crate::diagnostic::Collector;
use crate::diagnostic::Diagnostic;
use crate::expr::Argument;
use crate::expr::BinaryOperator;
use crate::expr::Expr;
use crate::expr::ExprKind;
use crate::expr::Literal;
use crate::expr::UnaryOperator;
use crate::limits::EXPRESSION_DEPTH_MAX;
use crate::span::Span;
use crate::span::Spanned;

/// Weakest first. `not` stands between `and` and the comparisons, so that `not a == b` means
/// what it reads like.
static PRATT: LazyLock<PrattParser<Rule>> = LazyLock::new(|| {
    let left = |rule| Op::infix(rule, Assoc::Left);
    PrattParser::new()
        .op(left(Rule::or))
        .op(left(Rule::and))
        .op(Op::prefix(Rule::not))
        .op(left(Rule::comparison) | left(Rule::member))
        .op(Op::infix(Rule::default, Assoc::Right))
        .op(left(Rule::additive))
        .op(left(Rule::multiplicative))
        .op(Op::prefix(Rule::negate))
        .op(Op::postfix(Rule::field) | Op::postfix(Rule::index))
});

/// The tree of a whole expression and its direction, ascending when none is written.
pub(super) fn order(
    source: Source<'_>,
    pairs: Pairs<'_, Rule>,
    diagnostics: &mut Collector,
) -> (Expr, Direction) {
    let builder =
        Builder { source, found: RefCell::new(Vec::new()), built: RefCell::new(Vec::new()) };
    let mut direction = Direction::Ascending;
    let mut exprs = Vec::new();
    for pair in pairs.flatten() {
        match pair.as_rule() {
            Rule::expr => exprs.push(pair),
            Rule::descending => direction = Direction::Descending,
            _ => {}
        }
    }
    // Outer ones come first in the list: backwards, each finds its parts already built.
    for pair in exprs.into_iter().rev() {
        builder.build(pair);
    }
    let expr = builder.built.take().pop().map(|(_, built)| built.expr);
    let found = builder.found.into_inner();
    let expr = expr.filter(|_| found.is_empty()).unwrap_or_else(|| Expr::error(source.whole()));
    diagnostics.extend(found);
    (expr, direction)
}

/// A tree under construction.
struct Built {
    expr: Expr,
    depth: usize,
    /// Whether it stands in brackets of its own.
    is_group: bool,
    /// Whether it is a chain of comparisons, which is reported.
    is_refused: bool,
    /// Further operands of a chain of `and` or `or`, each with the operator before it.
    chain: Option<Chain>,
}

struct Chain {
    operator: BinaryOperator,
    operands: Vec<(Span, Built)>,
}

impl Built {
    fn leaf(kind: ExprKind, span: Span) -> Self {
        let expr = Expr::new(kind, span);
        Self { expr, depth: 1, is_group: false, is_refused: false, chain: None }
    }

    /// Folds a chain into a balanced tree, in unchanged order.
    fn finish(mut self) -> Self {
        let Some(mut chain) = self.chain.take() else { return self };
        if chain.operands.len() == 1
            && let Some((between, other)) = chain.operands.pop()
        {
            return binary(Spanned::new(chain.operator, between), self, other);
        }
        let mut operands = vec![(Span::default(), self)];
        operands.extend(chain.operands);
        balance(chain.operator, operands).1
    }
}

/// A balanced tree over operands that each follow an operator; the first one's is not used.
fn balance(operator: BinaryOperator, mut operands: Vec<(Span, Built)>) -> (Span, Built) {
    if operands.len() == 1 {
        return operands.pop().expect("one operand");
    }
    let right = operands.split_off(operands.len() / 2);
    let (before, left) = balance(operator, operands);
    let (between, right) = balance(operator, right);
    (before, binary(Spanned::new(operator, between), left, right))
}

fn binary(operator: Spanned<BinaryOperator>, left: Built, right: Built) -> Built {
    let span = left.expr.span.to(right.expr.span);
    let depth = left.depth.max(right.depth) + 1;
    let kind =
        ExprKind::Binary { operator, left: Box::new(left.expr), right: Box::new(right.expr) };
    Built { depth, ..Built::leaf(kind, span) }
}

/// Builds one `expr` at a time, innermost first, so that nesting costs no stack.
struct Builder<'a> {
    source: Source<'a>,
    /// Filled from the Pratt parser's closures, which all hold the builder.
    found: RefCell<Vec<Diagnostic>>,
    /// What is built and not yet part of anything, with its first byte: no two `expr`s share it.
    /// The part that is wanted next was nearly always built last.
    built: RefCell<Vec<(usize, Built)>>,
}

impl Builder<'_> {
    fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let span = pair.as_span();
        self.source.span(span.start(), span.end())
    }

    fn build(&self, pair: Pair<'_, Rule>) {
        let start = pair.as_span().start();
        let built = PRATT
            .map_primary(|pair| self.primary(pair))
            .map_prefix(|operator, operand| self.prefix(&operator, operand))
            .map_postfix(|base, postfix| self.postfix(base, postfix))
            .map_infix(|left, operator, right| self.infix(left, &operator, right))
            .parse(pair.into_inner())
            .finish();
        self.built.borrow_mut().push((start, built));
    }

    /// A part, which has been built before.
    fn expr(&self, pair: &Pair<'_, Rule>) -> Built {
        let start = pair.as_span().start();
        let mut built = self.built.borrow_mut();
        match built.iter().rposition(|(at, _)| *at == start) {
            Some(index) => built.remove(index).1,
            None => Built::leaf(ExprKind::Error, self.span(pair)),
        }
    }

    /// Watches the depth of what has been built.
    fn bounded(&self, built: Built) -> Built {
        if built.depth <= EXPRESSION_DEPTH_MAX {
            return built;
        }
        let mut found = self.found.borrow_mut();
        if found.is_empty() {
            found.push(
                Diagnostic::new(
                    code::expression::TOO_DEEP,
                    self.source.whole(),
                    format!("more than {EXPRESSION_DEPTH_MAX} operators follow each other"),
                )
                .help("compute parts of it in a `with` step before"),
            );
        }
        // The deep tree ends here, so that nothing ever walks further down than the limit.
        Built::leaf(ExprKind::Error, built.expr.span)
    }

    fn primary(&self, pair: Pair<'_, Rule>) -> Built {
        let span = self.span(&pair);
        let text = pair.as_str();
        let leaf = |literal| Built::leaf(ExprKind::Literal(literal), span);
        match pair.as_rule() {
            Rule::integer => match literal::integer(text) {
                Some(value) => leaf(Literal::Integer(value)),
                None => Built::leaf(ExprKind::Error, span),
            },
            Rule::number => leaf(Literal::Number(text.chars().filter(|c| *c != '_').collect())),
            Rule::duration => match literal::duration(text) {
                Some(nanos) => leaf(Literal::Duration(nanos)),
                None => Built::leaf(ExprKind::Error, span),
            },
            Rule::string => leaf(Literal::String(literal::unescape(text))),
            Rule::date => leaf(Literal::Date(literal::unescape(&text[1..]))),
            Rule::time => leaf(Literal::Time(literal::unescape(&text[1..]))),
            Rule::constant => leaf(match text {
                "true" => Literal::Bool(true),
                "false" => Literal::Bool(false),
                _ => Literal::None,
            }),
            Rule::group => {
                let inner = pair.into_inner().next().map(|inner| self.expr(&inner));
                let mut built = inner.unwrap_or_else(|| Built::leaf(ExprKind::Error, span));
                built.expr.span = span;
                built.is_group = true;
                built
            }
            Rule::list => {
                let items: Vec<Built> = pair.into_inner().map(|item| self.expr(&item)).collect();
                let depth = items.iter().map(|item| item.depth).max().unwrap_or(0) + 1;
                let items = items.into_iter().map(|item| item.expr).collect();
                self.bounded(Built { depth, ..Built::leaf(ExprKind::List(items), span) })
            }
            Rule::choice => self.choice(pair, span),
            Rule::reference => self.reference(pair, span),
            // The grammar gives no other primaries.
            _ => Built::leaf(ExprKind::Error, span),
        }
    }

    fn choice(&self, pair: Pair<'_, Rule>, span: Span) -> Built {
        let mut parts = pair
            .into_inner()
            .filter(|part| part.as_rule() == Rule::expr)
            .map(|part| self.expr(&part));
        let (Some(condition), Some(consequence), Some(alternative)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Built::leaf(ExprKind::Error, span);
        };
        let depth = condition.depth.max(consequence.depth).max(alternative.depth) + 1;
        let kind = ExprKind::If {
            condition: Box::new(condition.expr),
            consequence: Box::new(consequence.expr),
            alternative: Box::new(alternative.expr),
        };
        self.bounded(Built { depth, ..Built::leaf(kind, span) })
    }

    /// A name, or a call.
    fn reference(&self, pair: Pair<'_, Rule>, span: Span) -> Built {
        let mut parts = pair.into_inner();
        let Some(name) = parts.next() else { return Built::leaf(ExprKind::Error, span) };
        let Some(written) = parts.next() else {
            return Built::leaf(ExprKind::Name(name.as_str().to_owned()), self.span(&name));
        };
        let mut depth = 0;
        let mut arguments = Vec::new();
        for argument in written.into_inner().filter_map(|argument| argument.into_inner().next()) {
            let (name, value) = self.argument(argument);
            depth = depth.max(value.depth);
            arguments.push(Argument { name, value: value.expr });
        }
        let kind = ExprKind::Call { function: self.word(&name), arguments };
        self.bounded(Built { depth: depth + 1, ..Built::leaf(kind, span) })
    }

    fn argument(&self, pair: Pair<'_, Rule>) -> (Option<Spanned<String>>, Built) {
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::named => {
                let mut parts = pair.into_inner();
                let name = parts.next().map(|name| self.word(&name));
                let value = parts.next().map(|value| self.expr(&value));
                (name, value.unwrap_or_else(|| Built::leaf(ExprKind::Error, span)))
            }
            Rule::lambda => {
                let mut params = Vec::new();
                let mut body = Built::leaf(ExprKind::Error, span);
                for part in pair.into_inner() {
                    match part.as_rule() {
                        Rule::name => params.push(self.word(&part)),
                        _ => body = self.expr(&part),
                    }
                }
                let depth = body.depth + 1;
                let kind = ExprKind::Lambda { params, body: Box::new(body.expr) };
                (None, self.bounded(Built { depth, ..Built::leaf(kind, span) }))
            }
            _ => (None, self.expr(&pair)),
        }
    }

    fn word(&self, pair: &Pair<'_, Rule>) -> Spanned<String> {
        Spanned::new(pair.as_str().to_owned(), self.span(pair))
    }

    fn prefix(&self, pair: &Pair<'_, Rule>, operand: Built) -> Built {
        let operand = operand.finish();
        let operator = match pair.as_rule() {
            Rule::not => UnaryOperator::Not,
            _ => UnaryOperator::Negate,
        };
        self.unary(Spanned::new(operator, self.span(pair)), operand)
    }

    fn unary(&self, operator: Spanned<UnaryOperator>, operand: Built) -> Built {
        let span = operator.span.to(operand.expr.span);
        let depth = operand.depth + 1;
        let kind = ExprKind::Unary { operator, operand: Box::new(operand.expr) };
        self.bounded(Built { depth, ..Built::leaf(kind, span) })
    }

    fn postfix(&self, base: Built, pair: Pair<'_, Rule>) -> Built {
        let base = base.finish();
        let span = base.expr.span.to(self.span(&pair));
        let is_field = pair.as_rule() == Rule::field;
        let Some(inner) = pair.into_inner().next() else {
            return Built::leaf(ExprKind::Error, span);
        };
        let boxed = Box::new(base.expr);
        let (kind, depth) = if is_field {
            (ExprKind::Field { base: boxed, field: self.word(&inner) }, base.depth)
        } else {
            let index = self.expr(&inner);
            let depth = base.depth.max(index.depth);
            (ExprKind::Index { base: boxed, index: Box::new(index.expr) }, depth)
        };
        self.bounded(Built { depth: depth + 1, ..Built::leaf(kind, span) })
    }

    fn infix(&self, left: Built, pair: &Pair<'_, Rule>, right: Built) -> Built {
        let right = right.finish();
        let span = self.span(pair);
        let is_absent = pair.as_rule() == Rule::member && pair.as_str() != "in";
        let operator = binary_operator(pair.as_rule(), pair.as_str());
        if matches!(operator, BinaryOperator::And | BinaryOperator::Or) {
            return self.bounded(lengthen(operator, span, left, right));
        }
        let left = left.finish();
        // One report for a whole chain: what is right for the first is right for the others.
        let is_refused =
            left.is_refused || (operator.is_comparison() && self.refuse_chain(&left, span));
        let built = self.bounded(binary(Spanned::new(operator, span), left, right));
        let built = Built { is_refused, ..built };
        if is_absent {
            return self.unary(Spanned::new(UnaryOperator::Not, span), built);
        }
        built
    }

    /// `1 < x < 9`: whether the left side is a bare comparison, which is reported.
    fn refuse_chain(&self, left: &Built, second: Span) -> bool {
        let (first, middle) = match &left.expr.kind {
            ExprKind::Binary { operator, right, .. } if !left.is_group => (*operator, right),
            _ => return false,
        };
        if !first.node.is_comparison() {
            return false;
        }
        let diagnostic = Diagnostic::new(
            code::expression::CHAINED_COMPARISON,
            second,
            "comparisons do not chain",
        )
        .secondary(first.span, "the first comparison")
        .help("write both, joined by `and`: `1 < x and x < 9`");
        let repeated = self.source.written(middle.span).filter(|_| is_short(middle));
        self.found.borrow_mut().push(match repeated {
            Some(text) => diagnostic.fix(
                Span::empty(second.start),
                format!("and {text} "),
                "write both comparisons",
            ),
            None => diagnostic,
        });
        true
    }
}

/// Whether an operand may well be written twice: a name, a field or a literal.
fn is_short(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Name(_) | ExprKind::Literal(_) => true,
        ExprKind::Field { base, .. } => is_short(base),
        ExprKind::Index { .. }
        | ExprKind::Call { .. }
        | ExprKind::Lambda { .. }
        | ExprKind::List(_)
        | ExprKind::Unary { .. }
        | ExprKind::Binary { .. }
        | ExprKind::If { .. }
        | ExprKind::Error => false,
    }
}

/// The operator of an infix rule as it is written.
fn binary_operator(rule: Rule, written: &str) -> BinaryOperator {
    match (rule, written) {
        (Rule::or, _) => BinaryOperator::Or,
        (Rule::and, _) => BinaryOperator::And,
        (Rule::member, _) => BinaryOperator::In,
        (Rule::default, _) => BinaryOperator::Default,
        (_, "==") => BinaryOperator::Equal,
        (_, "!=") => BinaryOperator::NotEqual,
        (_, "<") => BinaryOperator::Less,
        (_, "<=") => BinaryOperator::LessOrEqual,
        (_, ">") => BinaryOperator::Greater,
        (_, ">=") => BinaryOperator::GreaterOrEqual,
        (_, "++") => BinaryOperator::Concatenate,
        (_, "+") => BinaryOperator::Add,
        (_, "-") => BinaryOperator::Subtract,
        (_, "*") => BinaryOperator::Multiply,
        (_, "/") => BinaryOperator::Divide,
        // The grammar has no other operator left.
        _ => BinaryOperator::Remainder,
    }
}

/// Adds an operand to a chain of `and` or `or`, or begins one.
fn lengthen(operator: BinaryOperator, span: Span, left: Built, right: Built) -> Built {
    let fits = !left.is_group && left.chain.as_ref().is_none_or(|chain| chain.operator == operator);
    let mut left = if fits { left } else { Built { is_group: false, ..left.finish() } };
    let chain = left.chain.get_or_insert_with(|| Chain { operator, operands: Vec::new() });
    chain.operands.push((span, right));
    left
}
