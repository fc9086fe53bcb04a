//! Names and fields in expressions: what they stand for, and what was meant.

use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::code::expression;
use arqon_grammar::code::names;
use arqon_grammar::expr as syntax;
use arqon_grammar::suggest::suggest;
use arqon_operators::{Arg, Expr, ExprKind};

use crate::row_type::RowType;
use crate::typing::fault::Operand;
use crate::typing::habit::habit;
use crate::typing::scope::{Scope, TypedExpr, Variable};
use crate::typing::typer::Typer;
use crate::walk::shift_locals;

impl Typer<'_> {
    /// A bare name, or nothing after a fault.
    pub(super) fn name(&mut self, name: &str, span: Span, scope: &Scope<'_>) -> Option<TypedExpr> {
        match self.lookup(name, span, scope) {
            Lookup::Found(typed) => return Some(typed),
            Lookup::Silent => return None,
            Lookup::Missing => {}
        }
        if let Some(param) = self.params.get(name) {
            self.used_params.insert(name.to_owned());
            if let Some(notes) = &mut self.notes {
                notes.name(span, param.span);
            }
            return self.literal(&param.value.clone(), span);
        }
        let candidates =
            self.report.candidates(scope.names().into_iter().chain(self.params.keys().copied()));
        let near = suggest(name, candidates.iter().copied());
        if let Some(fault) = meant_name(name, span, scope) {
            self.report.push(fault);
            return None;
        }
        if near.is_none() && self.places.is_quoted(span) {
            let whole = Span::new(span.start - 1, span.end + 1);
            self.report.push(
                Diagnostic::new(
                    expression::UNQUOTED_TEXT,
                    span,
                    format!("YAML's quotes make no text of `{name}`, and no field has the name"),
                )
                .fix(whole, format!("'\"{name}\"'"), "write a text"),
            );
            return None;
        }
        let is_function = self.functions.contains_key(name)
            || arqon_operators::function_names().any(|known| known == name);
        if near.is_none() && is_function {
            let message = format!("`{name}` is a function, and no field has the name");
            let fault = Diagnostic::new(names::UNKNOWN_FIELD, span, message);
            self.report.push(if name == "all" {
                fault
                    .help("all fields pass where no `select` names some")
                    .help("all rows are one group in `group: []`")
            } else {
                fault.help(format!("call it: `{name}(…)`"))
            });
            return None;
        }
        let message = match scope.function() {
            Some(function) => format!("function `{function}` has no parameter `{name}`"),
            None => format!("unknown field `{name}`"),
        };
        let mut fault = Diagnostic::new(names::UNKNOWN_FIELD, span, message)
            .did_you_mean(near)
            .fix_name(span, name, near, candidates.iter().copied());
        if near.is_none() {
            if scope.function().is_some() {
                fault = fault.help(
                    "a function sees its own parameters and those of the circuit; pass the value",
                );
            } else if !candidates.is_empty() && candidates.len() <= NAMES_SHOWN_MAX {
                fault = fault.help(format!("known here: `{}`", candidates.join("`, `")));
            }
        }
        self.report.push(fault);
        None
    }

    pub(super) fn lookup(&mut self, name: &str, span: Span, scope: &Scope<'_>) -> Lookup {
        let place = self.places.place(span);
        let column = |row: &RowType, first: usize| {
            let Some(at) = row.position(name) else {
                return if row.open { Lookup::Silent } else { Lookup::Missing };
            };
            let column = &row.columns[at];
            let Some(ty) = &column.ty else { return Lookup::Silent };
            Lookup::Found(TypedExpr {
                expr: Expr { place, ..Expr::column(first + at, ty.clone()) },
                origin: column.origin,
                named: column.named,
                parts: column.parts.clone(),
            })
        };
        match scope {
            Scope::Row(row) => column(row, 0),
            Scope::Match { left, right, alias: Some(alias) } => {
                if alias.node == name {
                    whole_row(right, left.columns.len(), alias.span, place)
                } else {
                    column(left, 0)
                }
            }
            Scope::Match { left, right, alias: None } => {
                let n_left = left.columns.len();
                match (left.position(name), right.position(name)) {
                    (Some(_), Some(_)) => {
                        self.report.push(
                            Diagnostic::new(
                                names::FIELD_CLASH,
                                span,
                                format!("both sides of the join have a field `{name}`"),
                            )
                            .help("give the other side a name, as in `as: c`, and write `c.…`"),
                        );
                        Lookup::Silent
                    }
                    (_, Some(_)) => column(right, n_left),
                    (Some(_), None) => column(left, 0),
                    (None, None) if right.open => Lookup::Silent,
                    (None, None) => column(left, 0),
                }
            }
            Scope::Function { arguments, n_locals, .. } => {
                match arguments.iter().find(|(known, _)| *known == name) {
                    Some((_, Some(argument))) => {
                        let mut argument = argument.clone();
                        shift_locals(&mut argument.expr, self.n_locals - n_locals);
                        match self.bounded(argument.expr) {
                            Some(expr) => {
                                let argument = TypedExpr { expr, named: None, ..argument };
                                Lookup::Found(argument)
                            }
                            None => Lookup::Silent,
                        }
                    }
                    Some((_, None)) => Lookup::Silent,
                    None => Lookup::Missing,
                }
            }
            Scope::Lambda { outer, variables, n_locals } => {
                let Some(at) = variables.iter().position(|known| known.name == name) else {
                    return self.lookup(name, span, outer);
                };
                let Variable { ty, parts, .. } = variables[at].clone();
                let level = n_locals + at;
                let kind = ExprKind::Local(self.n_locals - level - 1);
                let typed = TypedExpr::plain(Expr { kind, ty, place });
                Lookup::Found(TypedExpr { parts, ..typed })
            }
        }
    }

    pub(super) fn field(
        &mut self,
        base: &syntax::Expr,
        field: &arqon_grammar::Spanned<String>,
        scope: &Scope<'_>,
    ) -> Option<TypedExpr> {
        if let (syntax::ExprKind::Name(name), Scope::Match { left, right, alias: Some(alias) }) =
            (&base.kind, scope)
            && *name == alias.node
        {
            if let Some(notes) = &mut self.notes {
                notes.name(base.span, alias.span);
            }
            return self.right_field(field, left.columns.len(), right);
        }
        if let Some(fault) = self.needless_base(base, field, scope) {
            self.report.push(fault);
            return None;
        }
        let of = self.infer(base, scope, None)?;
        let operand = Operand::new(base.span, &of);
        let place = self.places.place(base.span);
        let part = of
            .parts
            .as_ref()
            .and_then(|parts| parts.position(&field.node).map(|at| parts.columns[at].clone()));
        match arqon_operators::field(of.expr, &field.node, place) {
            Ok(expr) => Some(TypedExpr {
                expr,
                origin: part.as_ref().and_then(|part| part.origin),
                named: part.as_ref().and_then(|part| part.named),
                parts: part.and_then(|part| part.parts),
            }),
            Err(fault) if fault.kind == arqon_operators::FaultKind::UnknownField => {
                let message = format!("`{}` has no field `{}`", self.text(base.span), field.node);
                let candidates: Vec<&str> = fault.candidates.iter().map(String::as_str).collect();
                self.report.unknown(
                    names::UNKNOWN_FIELD,
                    field.span,
                    message,
                    &field.node,
                    candidates,
                );
                None
            }
            Err(fault) => {
                self.type_fault(&fault, base.span, &[operand]);
                None
            }
        }
    }

    /// `orders.amount`, `this.amount` or `params.rate` for `amount` and `rate`, and `customers.id`
    /// for `c.id`: a base that nothing is named by, before a name that is known.
    pub(super) fn needless_base(
        &self,
        base: &syntax::Expr,
        field: &arqon_grammar::Spanned<String>,
        scope: &Scope<'_>,
    ) -> Option<Diagnostic> {
        let syntax::ExprKind::Name(name) = &base.kind else { return None };
        let is_known = |name: &str| scope.names().contains(&name) || self.params.contains_key(name);
        if scope.is_open() || is_known(name) {
            return None;
        }
        let fault =
            Diagnostic::new(names::UNKNOWN_FIELD, base.span, format!("unknown field `{name}`"));
        if let Some(holder) = scope.holder(&field.node) {
            let title = format!("write `{holder}`");
            return Some(fault.did_you_mean(Some(holder)).fix(base.span, holder, title));
        }
        if !is_known(&field.node) {
            return None;
        }
        let whole = Span::new(base.span.start, field.span.start);
        let title = format!("write `{}`", field.node);
        Some(
            fault
                .help(format!("fields and parameters stand bare: `{}`", field.node))
                .fix(whole, "", title),
        )
    }

    /// `items[n]`
    pub(super) fn index(
        &mut self,
        [base, index]: [&syntax::Expr; 2],
        span: Span,
        scope: &Scope<'_>,
    ) -> Option<TypedExpr> {
        let of = self.infer(base, scope, None);
        let position = self.infer(index, scope, None);
        let (of, position) = (of?, position?);
        let operands = [Operand::new(base.span, &of), Operand::new(index.span, &position)];
        let place = self.places.place(span);
        let args = [of.expr, position.expr].map(Arg::Value).into();
        let made = self.made(arqon_operators::call("item", args, place), span, &operands)?;
        Some(TypedExpr { parts: of.parts, ..made })
    }

    /// Two values become one: their fields have the same names.
    pub(super) fn same_parts(&mut self, one: Option<&Arc<RowType>>, other: Option<&Arc<RowType>>) {
        if let (Some(notes), Some(one), Some(other)) = (&mut self.notes, one, other) {
            notes.same_rows(one, other);
        }
    }

    pub(super) fn right_field(
        &mut self,
        field: &arqon_grammar::Spanned<String>,
        n_left: usize,
        right: &RowType,
    ) -> Option<TypedExpr> {
        match self.lookup(&field.node, field.span, &Scope::Row(right)) {
            Lookup::Found(mut typed) => {
                if let ExprKind::Column(at) = &mut typed.expr.kind {
                    *at += n_left;
                }
                Some(typed)
            }
            Lookup::Silent => None,
            Lookup::Missing => {
                self.report.unknown(
                    names::UNKNOWN_FIELD,
                    field.span,
                    format!("the other side of the join has no field `{}`", field.node),
                    &field.node,
                    right.names(),
                );
                None
            }
        }
    }
}

/// What a name was found to be.
pub(super) enum Lookup {
    Found(TypedExpr),
    /// Something with a fault.
    Silent,
    Missing,
}

/// The fault of a name that stands for nothing, where it is plain what is meant: a word of another
/// language, or a field of a struct.
pub(super) fn meant_name(name: &str, span: Span, scope: &Scope<'_>) -> Option<Diagnostic> {
    let fault = Diagnostic::new(names::UNKNOWN_FIELD, span, format!("unknown field `{name}`"));
    let word = match name {
        "True" | "TRUE" => Some("true"),
        "False" | "FALSE" => Some("false"),
        "None" | "NONE" | "nil" | "undefined" => Some("none"),
        "NaN" | "nan" | "NAN" => Some("float64(\"NaN\")"),
        "Infinity" | "inf" => Some("float64(\"Infinity\")"),
        _ => None,
    };
    if let Some(word) = word {
        return Some(fault.help(format!("it is `{word}`")).fix(
            span,
            word,
            format!("write `{word}`"),
        ));
    }
    if let Some(help) = habit(name).filter(|_| name.starts_with("current_")) {
        return Some(fault.help(help));
    }
    let holder = scope.holder(name)?;
    let path = format!("{holder}.{name}");
    let title = format!("write `{path}`");
    Some(fault.did_you_mean(Some(&path)).fix(span, path, title))
}

/// The right row of a join as one struct.
pub(super) fn whole_row(
    row: &RowType,
    first: usize,
    alias: Span,
    place: arqon_operators::Place,
) -> Lookup {
    let Some(fields) = row.fields() else { return Lookup::Silent };
    let columns = fields
        .into_iter()
        .enumerate()
        .map(|(at, field)| (field.name, Expr::column(first + at, field.ty)))
        .collect();
    let expr = arqon_operators::structure(columns, place);
    Lookup::Found(TypedExpr {
        expr,
        origin: None,
        named: Some(alias),
        parts: Some(Arc::new(row.clone())),
    })
}

/// More names than this are not listed in a diagnostic's help.
const NAMES_SHOWN_MAX: usize = 12;
