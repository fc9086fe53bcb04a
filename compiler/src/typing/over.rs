//! `over`: values along an order, each one call.

use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Spanned;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_grammar::expr as syntax;
use arqon_plan as plan;
use arqon_plan::OverKind;
use arqon_types::Type;

use super::scope::Scope;
use super::step::Made;
use super::typer::Typer;
use crate::row_type::RowType;
use crate::typed::Verb;

/// What other languages call the functions along an order.
const HABITS: [(&str, &str); 6] = [
    ("first_value", "it is `first(x)`, of the rows up to this one"),
    ("last_value nth_value", "the value of the row n before is `lag(x, n)`, n after `lead(x, n)`"),
    ("prev previous prior", "the value of the row before is `lag(x)`"),
    ("next following", "the value of the row after is `lead(x)`"),
    (
        "cumsum cumulative_sum running_sum running_total",
        "it is `sum(x)`, of the rows up to this one",
    ),
    ("rownum row_num rownumber ordinal", "it is `row_number()`"),
];

impl Typer<'_> {
    /// `over`
    pub(super) fn over_step(&mut self, over: &ast::Over, row: &Arc<RowType>) -> Made {
        let scope = Scope::Row(row);
        let by = match &over.by {
            Some(by) => self.order(by, &scope),
            None => Some(Vec::new()),
        };
        let per = self.expressions(&over.per, &scope);
        let mut functions = Some(Vec::with_capacity(over.fields.len()));
        let mut result = Arc::clone(row);
        for field in &over.fields {
            let function = self.along_order(&field.value, &scope).filter(|function| {
                let has_order = over.by.is_some() || !function.kind.needs_order();
                if !has_order {
                    self.lacks_order(&field.value);
                }
                has_order
            });
            let ty = function.as_ref().map(|function| function.ty.clone());
            match self.added(&field.name, ty, field.value.span, &result) {
                Some(row) => result = row,
                None => functions = None,
            }
            functions = functions.zip(function).map(|(mut functions, function)| {
                functions.push(function);
                functions
            });
        }
        let verb = match (by, per, functions) {
            (Some(by), Some(per), Some(functions)) if row.fields().is_some() => {
                Verb::Over(plan::Over { per, by, functions })
            }
            _ => Verb::Unknown,
        };
        (verb, result)
    }

    /// One entry of `with:`.
    fn along_order(&mut self, ast: &syntax::Expr, scope: &Scope<'_>) -> Option<plan::OverFunction> {
        let syntax::ExprKind::Call { function, arguments } = &ast.kind else {
            if !ast.is_error() {
                self.no_call_along_order(ast);
            }
            return None;
        };
        let kind = match function.as_str() {
            "lag" | "lead" => self.at_distance(function, arguments, scope)?,
            "row_number" => self.bare(function, arguments, OverKind::RowNumber)?,
            "rank" => self.bare(function, arguments, OverKind::Rank)?,
            "dense_rank" => self.bare(function, arguments, OverKind::DenseRank)?,
            name if arqon_operators::aggregate_parameters(name).is_some() => {
                self.of_rows(ast, function, arguments, scope)?
            }
            _ => {
                self.not_along_order(ast, function);
                return None;
            }
        };
        let ty = match &kind {
            OverKind::Lag { of, .. } | OverKind::Lead { of, .. } => of.ty.clone().optional(),
            OverKind::First { of, .. } => of.ty.clone(),
            OverKind::RowNumber | OverKind::Rank | OverKind::DenseRank => Type::Int64,
            OverKind::Aggregate { aggregate, .. } => aggregate.ty.clone(),
        };
        Some(plan::OverFunction { kind, ty })
    }

    /// `first(x)` or an aggregate, each with `rows=n` or without.
    fn of_rows(
        &mut self,
        ast: &syntax::Expr,
        function: &Spanned<String>,
        arguments: &[syntax::Argument],
        scope: &Scope<'_>,
    ) -> Option<OverKind> {
        let is_rows = |argument: &&syntax::Argument| {
            argument.name.as_ref().is_some_and(|name| name.node == "rows")
        };
        self.known_arguments(function, arguments)?;
        let rows = match arguments.iter().find(is_rows) {
            Some(rows) => Some(self.n_rows(&rows.value)?),
            None => None,
        };
        // A second `rows` is left, for the complaint that there is no such argument.
        let mut arguments = arguments.to_vec();
        if let Some(at) = arguments.iter().position(|argument| is_rows(&argument)) {
            arguments.remove(at);
        }
        match (function.as_str(), arguments.as_slice()) {
            ("first", [x]) => {
                let of = self.expression(&x.value, scope, None)?.expr;
                Some(OverKind::First { of, rows })
            }
            ("last", [_]) => {
                let message = "`last` of the rows up to a row is the value of the row itself";
                self.report
                    .push(Diagnostic::new(names::NOT_ALONG_ORDER, function.span, message).help(
                        "the value of the next row is `lead(x)`, of the one before `lag(x)`",
                    ));
                None
            }
            _ => {
                let function = function.clone();
                let call = syntax::ExprKind::Call { function, arguments };
                let call = syntax::Expr { kind: call, span: ast.span };
                let aggregate = self.aggregate(&call, scope, false)?;
                Some(OverKind::Aggregate { aggregate, rows })
            }
        }
    }

    /// Whether all named arguments are those of the aggregate, `where` or `rows`.
    fn known_arguments(
        &mut self,
        function: &Spanned<String>,
        arguments: &[syntax::Argument],
    ) -> Option<()> {
        let parameters = arqon_operators::aggregate_parameters(function.as_str())?;
        let known = || parameters.iter().copied().chain(["where", "rows"]);
        let mut given = arguments.iter().filter_map(|argument| argument.name.as_ref());
        let Some(name) = given.find(|name| known().all(|known| known != name.as_str())) else {
            return Some(());
        };
        let message = format!("`{}` has no argument `{}`", function.node, name.node);
        let code = names::WRONG_ARGUMENTS;
        self.report.unknown(code, name.span, message, name.as_str(), known());
        None
    }

    /// `rows=`: how many rows count.
    fn n_rows(&mut self, ast: &syntax::Expr) -> Option<u64> {
        let n = self.whole_number(ast, "`rows`")?;
        if n == 0 {
            let message = "no row counts, not even the row itself";
            self.report.push(
                Diagnostic::new(names::WRONG_ARGUMENTS, ast.span, message)
                    .help("`rows=1` is the row itself, `rows=2` it and the row before"),
            );
            return None;
        }
        Some(n)
    }

    /// A call that is no value along an order.
    fn not_along_order(&mut self, ast: &syntax::Expr, function: &Spanned<String>) {
        let name = function.as_str();
        let is_function = self.functions.contains_key(name)
            || arqon_operators::function_names().any(|known| known == name);
        if is_function {
            self.no_call_along_order(ast);
            return;
        }
        let message = format!("unknown function `{name}`");
        if let Some((_, help)) =
            HABITS.iter().find(|(names, _)| names.split(' ').any(|known| known == name))
        {
            let fault = Diagnostic::new(names::UNKNOWN_FUNCTION, function.span, message);
            self.report.push(fault.help(*help));
            return;
        }
        self.report.unknown(
            names::UNKNOWN_FUNCTION,
            function.span,
            message,
            name,
            arqon_operators::along_order_names().chain(arqon_operators::aggregate_names()),
        );
    }

    /// `lag(x, n)` and `lead(x, n)`.
    fn at_distance(
        &mut self,
        function: &Spanned<String>,
        arguments: &[syntax::Argument],
        scope: &Scope<'_>,
    ) -> Option<OverKind> {
        let ordered = self.ordered(function, arguments, &["x", "n"])?;
        let (x, n) = match ordered.as_slice() {
            [x] => (*x, None),
            [x, n] => (*x, Some(*n)),
            _ => {
                self.wrong_count(function, ordered.len());
                return None;
            }
        };
        let of = self.expression(x, scope, None).map(|typed| typed.expr);
        let n = match n {
            None => Some(1),
            Some(n) => self.whole_number(n, &format!("`{}`", function.node)),
        };
        let (of, n) = (of?, n?);
        Some(match function.as_str() {
            "lag" => OverKind::Lag { of, n },
            _ => OverKind::Lead { of, n },
        })
    }

    /// A call without arguments.
    fn bare(
        &mut self,
        function: &Spanned<String>,
        arguments: &[syntax::Argument],
        kind: OverKind,
    ) -> Option<OverKind> {
        if !arguments.is_empty() {
            self.wrong_count(function, arguments.len());
            return None;
        }
        Some(kind)
    }

    fn wrong_count(&mut self, function: &Spanned<String>, n_found: usize) {
        let arguments = if n_found == 1 { "argument" } else { "arguments" };
        let message = format!("`{}` is given {n_found} {arguments}", function.node);
        let mut fault = Diagnostic::new(names::WRONG_ARGUMENTS, function.span, message);
        fault.help.extend(
            arqon_operators::along_order_signature_text(function.as_str())
                .map(|text| format!("it is {text}")),
        );
        self.report.push(fault);
    }

    fn no_call_along_order(&mut self, ast: &syntax::Expr) {
        let message = format!("`{}` is no value along an order", self.line(ast.span));
        self.report.push(Diagnostic::new(names::NOT_ALONG_ORDER, ast.span, message).help(
            "an entry of `with:` in an `over` is one call such as `lag(x)`, `row_number()` or \
             `sum(x)`; compute with its result in a `with` step after it",
        ));
    }

    /// A value along an order in an `over` that has none.
    fn lacks_order(&mut self, ast: &syntax::Expr) {
        let message = format!("`{}` wants an order of the rows", self.line(ast.span));
        self.report.push(
            Diagnostic::new(names::NO_ORDER, ast.span, message)
                .help("say the order beside `with:`, as in `by: [at]`"),
        );
    }

    /// A function along an order that stands where there is none.
    pub(super) fn no_order(&mut self, function: &Spanned<String>) {
        let message = format!("`{}` has no meaning for a single row", function.node);
        self.report.push(
            Diagnostic::new(names::NO_ORDER, function.span, message)
                .help("it stands in `with:` of an `over`, whose `by:` says the order of the rows"),
        );
    }
}
