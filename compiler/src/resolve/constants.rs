//! Parameters with their overrides, and functions without recursion.

use std::collections::BTreeSet;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_grammar::code::yaml;
use arqon_grammar::expr;
use arqon_types::format_duration;
use indexmap::IndexMap;

use crate::options::Options;
use crate::order::dependency_order;
use crate::report::Report;

/// A parameter's value, and where it comes from.
#[derive(Debug, Clone)]
pub(crate) struct Param {
    /// The value.
    pub(crate) value: expr::Literal,
    /// Where it is declared.
    pub(crate) span: Span,
}

/// The parameters by name.
pub(crate) type Params<'a> = IndexMap<&'a str, Param>;

/// A function that may be put in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Function<'a> {
    /// As written.
    pub(crate) ast: &'a ast::Function,
    /// Whether it stands in a circle of calls; using it is silent.
    pub(crate) recursive: bool,
}

/// The functions by name.
pub(crate) type Functions<'a> = IndexMap<&'a str, Function<'a>>;

/// The parameters, with the values that the profile and then `--set` give them.
///
/// `anchor` is where faults of the command line are shown.
pub(crate) fn resolve_params<'a>(
    circuit: &'a ast::Circuit,
    profile: Option<&'a ast::Profile>,
    options: &Options,
    anchor: Span,
    report: &mut Report,
) -> Params<'a> {
    let mut params: Params<'a> = circuit
        .params
        .iter()
        .map(|param| {
            let value = param.value.node.clone();
            (param.name.as_str(), Param { value, span: param.name.span })
        })
        .collect();
    // Every profile is checked against what the circuit declares; one at most applies.
    let mut chosen = Vec::new();
    for other in &circuit.profiles {
        let applies = profile.is_some_and(|profile| profile.name == other.name);
        for param in &other.params {
            let value = &param.value.node;
            if may_override(&params, &param.name, (value, None), report) && applies {
                chosen.push((param.name.node.clone(), value.clone()));
            }
        }
    }
    for (name, text) in &options.set {
        let declared = params.get(name.as_str()).map(|param| &param.value);
        let value = read_literal(text, declared);
        let place = ast::Name::new(name.clone(), anchor);
        if may_override(&params, &place, (&value, Some(text)), report) {
            chosen.push((name.clone(), value));
        }
    }
    for (name, value) in chosen {
        if let Some(param) = params.get_mut(name.as_str()) {
            param.value = value;
        }
    }
    params
}

/// Whether a parameter of that name may have that value, and how that stands on the command line
/// if it comes from there; reports why not.
fn may_override(
    params: &Params<'_>,
    name: &ast::Name,
    (value, given): (&expr::Literal, Option<&String>),
    report: &mut Report,
) -> bool {
    let Some(param) = params.get(name.as_str()) else {
        let known: Vec<&str> = params.keys().copied().collect();
        report.unknown(
            names::UNKNOWN_PARAM,
            name.span,
            format!("the circuit has no parameter `{}`", name.node),
            name.as_str(),
            known,
        );
        return false;
    };
    if kind_of(&param.value) == kind_of(value) || number_for_number(&param.value, value) {
        return true;
    }
    let found = match (&param.value, value) {
        (expr::Literal::Integer(_), expr::Literal::Number(_)) => "one with a point",
        _ => kind_of(value),
    };
    let wanted = kind_of(&param.value);
    let message = format!("parameter `{}` is {wanted}, not {found}", name.node);
    let fault = Diagnostic::new(names::WRONG_TYPE, name.span, message)
        .secondary(param.span, "declared here");
    report.push(match given {
        Some(text) => fault.help(format!("the command line says `--set {}={text}`", name.node)),
        None => fault,
    });
    false
}

/// A number with a point may be replaced by one without.
fn number_for_number(old: &expr::Literal, new: &expr::Literal) -> bool {
    matches!((old, new), (expr::Literal::Number(_), expr::Literal::Integer(_)))
}

fn kind_of(literal: &expr::Literal) -> &'static str {
    match literal {
        expr::Literal::Integer(_) => "a whole number",
        expr::Literal::Number(_) => "a number",
        expr::Literal::String(_) => "a text",
        expr::Literal::Bool(_) => "true or false",
        expr::Literal::None => "none",
        expr::Literal::Duration(_) => "a duration",
        expr::Literal::Date(_) => "a date",
        expr::Literal::Time(_) => "a time",
    }
}

/// The value of `--set name=value`, read as the value of a parameter is; texts, dates and times
/// may come without their quotes, since the parameter says what they are.
fn read_literal(text: &str, declared: Option<&expr::Literal>) -> expr::Literal {
    let as_written = || expr::Literal::String(text.to_owned());
    let literal = literal(text);
    match (declared, literal) {
        (Some(expr::Literal::String(_)), Some(expr::Literal::String(text))) => {
            expr::Literal::String(text)
        }
        (Some(expr::Literal::String(_)), _) => as_written(),
        (Some(expr::Literal::Date(_)), None) => {
            self::literal(&format!("d\"{text}\"")).unwrap_or_else(as_written)
        }
        (Some(expr::Literal::Time(_)), None) => {
            self::literal(&format!("t\"{text}\"")).unwrap_or_else(as_written)
        }
        (_, literal) => literal.unwrap_or_else(as_written),
    }
}

/// A text that is one literal, perhaps negative.
fn literal(text: &str) -> Option<expr::Literal> {
    let (parsed, faults) = arqon_grammar::parse_expression(text);
    if !faults.is_empty() {
        return None;
    }
    match parsed.kind {
        expr::ExprKind::Literal(literal) => Some(literal),
        expr::ExprKind::Unary { operator, operand }
            if operator.node == expr::UnaryOperator::Negate =>
        {
            match operand.kind {
                expr::ExprKind::Literal(expr::Literal::Integer(value)) => {
                    Some(expr::Literal::Integer(-value))
                }
                expr::ExprKind::Literal(expr::Literal::Number(digits)) => {
                    Some(expr::Literal::Number(format!("-{digits}")))
                }
                expr::ExprKind::Literal(expr::Literal::Duration(nanos)) => {
                    Some(expr::Literal::Duration(-nanos))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// The nanoseconds of a length of time that is written, or that a parameter has; `what` wants one.
/// Never below zero. `also` says what else may stand there.
pub(crate) fn nanoseconds(
    length: &expr::Expr,
    (what, also): (&str, &str),
    params: &Params<'_>,
    report: &mut Report,
) -> Option<i64> {
    let name = match &length.kind {
        expr::ExprKind::Literal(expr::Literal::Duration(nanos)) => return Some(*nanos),
        expr::ExprKind::Name(name) => name,
        _ => return None,
    };
    let Some(param) = params.get(name.as_str()) else {
        let is_duration = |param: &Param| matches!(param.value, expr::Literal::Duration(_));
        let known = params.iter().filter(|(_, param)| is_duration(param)).map(|(name, _)| *name);
        report.unknown(
            yaml::QUANTITY,
            length.span,
            format!("`{name}` is not a duration, as in `500ms` or `1h30m`, {also}nor a parameter"),
            name,
            known.collect::<Vec<_>>(),
        );
        return None;
    };
    let fault = match &param.value {
        expr::Literal::Duration(nanos) if 0 <= *nanos => return Some(*nanos),
        expr::Literal::Duration(nanos) => Diagnostic::new(
            names::CONSTANT,
            length.span,
            format!("{what} is never below zero, and `{name}` is {}", format_duration(*nanos)),
        ),
        other => Diagnostic::new(
            names::WRONG_TYPE,
            length.span,
            format!("{what} wants a duration, and parameter `{name}` is {}", kind_of(other)),
        ),
    };
    report.push(fault.secondary(param.span, "declared here"));
    None
}

/// The functions; those that call themselves are reported and marked.
pub(crate) fn resolve_functions<'a>(
    circuit: &'a ast::Circuit,
    report: &mut Report,
) -> Functions<'a> {
    let ids: IndexMap<&str, usize> = circuit
        .functions
        .iter()
        .enumerate()
        .map(|(id, function)| (function.name.as_str(), id))
        .collect();
    let calls: Vec<Vec<(usize, Span)>> = circuit
        .functions
        .iter()
        .map(|function| {
            let mut called = Vec::new();
            called_functions(&function.body, &ids, &mut called);
            called
        })
        .collect();
    let needs: Vec<Vec<usize>> =
        calls.iter().map(|called| called.iter().map(|(id, _)| *id).collect()).collect();
    let mut recursive = BTreeSet::new();
    for cycle in dependency_order(&needs).cycles {
        let function = &circuit.functions[cycle[0]];
        let next = cycle[1 % cycle.len()];
        let span = calls[cycle[0]]
            .iter()
            .find(|(id, _)| *id == next)
            .map_or(function.name.span, |(_, span)| *span);
        let path: Vec<String> =
            cycle.iter().map(|&id| format!("`{}`", circuit.functions[id].name.node)).collect();
        report.push(
            Diagnostic::new(
                names::RECURSIVE_FUNCTION,
                span,
                format!("function `{}` calls itself", function.name.node),
            )
            .secondary(
                function.name.span,
                format!("{} -> `{}`", path.join(" -> "), function.name.node),
            ),
        );
        recursive.extend(cycle);
    }
    circuit
        .functions
        .iter()
        .enumerate()
        .map(|(id, function)| {
            let entry = Function { ast: function, recursive: recursive.contains(&id) };
            (function.name.as_str(), entry)
        })
        .collect()
}

/// The functions that `body` calls, with the places of their names.
fn called_functions(
    body: &expr::Expr,
    ids: &IndexMap<&str, usize>,
    called: &mut Vec<(usize, Span)>,
) {
    match &body.kind {
        expr::ExprKind::Call { function, arguments } => {
            if let Some(&id) = ids.get(function.as_str()) {
                called.push((id, function.span));
            }
            for argument in arguments {
                called_functions(&argument.value, ids, called);
            }
        }
        expr::ExprKind::Field { base, .. } => called_functions(base, ids, called),
        expr::ExprKind::Index { base, index } => {
            called_functions(base, ids, called);
            called_functions(index, ids, called);
        }
        expr::ExprKind::Lambda { body, .. } => called_functions(body, ids, called),
        expr::ExprKind::List(items) => {
            for item in items {
                called_functions(item, ids, called);
            }
        }
        expr::ExprKind::Unary { operand, .. } => called_functions(operand, ids, called),
        expr::ExprKind::Binary { left, right, .. } => {
            called_functions(left, ids, called);
            called_functions(right, ids, called);
        }
        expr::ExprKind::If { condition, consequence, alternative } => {
            called_functions(condition, ids, called);
            called_functions(consequence, ids, called);
            called_functions(alternative, ids, called);
        }
        expr::ExprKind::Literal(_) | expr::ExprKind::Name(_) | expr::ExprKind::Error => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_value_is_read_as_what_the_parameter_is() {
        let read = |text: &str, declared: &str| {
            let declared = literal(declared).expect("a literal");
            read_literal(text, Some(&declared))
        };
        let text = |text: &str| expr::Literal::String(text.to_owned());
        for (given, wanted) in [("13", "13"), ("MED BOX", "MED BOX"), ("none", "none")] {
            assert_eq!(read(given, "\"x\""), text(wanted));
        }
        assert_eq!(read("\"a b\"", "\"x\""), text("a b"));
        assert_eq!(read("1996-02-29", "d\"1995-01-01\""), literal("d\"1996-02-29\"").unwrap());
        assert_eq!(read("1996-02-30", "d\"1995-01-01\""), text("1996-02-30"));
        let time = "t\"2026-01-01T00:00:00Z\"";
        assert_eq!(read("2026-01-01T00:00:00Z", time), literal(time).unwrap());
        assert_eq!(read("-7", "1"), expr::Literal::Integer(-7));
        assert_eq!(read("seven", "1"), text("seven"));
    }
}
