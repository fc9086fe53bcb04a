//! `arqon eval`: one expression, its value and its type, over no row, one or several.
//!
//! The types of a row are those of `--schema`, or what its JSON looks like: a number with a point
//! or an exponent is `float64`, one without is `int64`, and `null` makes an option.

mod infer;

use std::fs;
use std::io::Read;

use arqon_compiler::{Options, compile, compile_expression};
use arqon_grammar::code::names;
use arqon_grammar::expr::{Expr as SyntaxExpr, ExprKind};
use arqon_grammar::span::LineIndex;
use arqon_grammar::{Diagnostic, Sources, Span, parse_expression};
use arqon_operators::{EvalError, Expr, eval};
use arqon_proto::{RowCodec, encode_value};
use arqon_types::{Row, Schema, Type, Value};
use serde_json::value::RawValue;

use crate::arguments::EvalArguments;
use crate::console::{Console, Style};
use crate::exit::{Exit, Failure};
use crate::report::{Findings, print_as_result};

/// Evaluates the expression for every row.
///
/// # Errors
/// A [`Failure`] if the row cannot be read, or is none of the schema.
pub(crate) fn evaluate(arguments: &EvalArguments, console: Console) -> Result<Exit, Failure> {
    let texts = arguments.row.as_deref().map(row_texts).transpose()?;
    let schema = match &arguments.schema {
        Some(text) => match declared(text) {
            Ok(schema) => schema,
            Err(findings) => {
                print_as_result(console, &[findings])?;
                return Ok(Exit::Errors);
            }
        },
        None => inferred(texts.as_deref().unwrap_or_default())?,
    };
    let text = &arguments.expression;
    let sources = Sources::new("expression", text);
    let expr = match compile_expression(text, &schema) {
        Ok(expr) => expr,
        Err(faults) => {
            let has_row = !schema.fields.is_empty();
            let faults = faults.into_iter().map(|fault| with_help(fault, has_row)).collect();
            print_as_result(console, &[Findings::new(sources, faults)])?;
            return Ok(Exit::Errors);
        }
    };
    let rows = match texts {
        Some(texts) => rows(&texts, &schema)?,
        None if schema.fields.is_empty() => vec![Row::from(Vec::new())],
        None => return show_type(&expr.ty, console).map(|()| Exit::Success),
    };
    let mut exit = Exit::Success;
    for row in &rows {
        match eval(&expr, row) {
            Ok(value) => show(&value, &expr, console)?,
            Err(error) => {
                let fault = no_value(&error, text);
                print_as_result(console, &[Findings::new(sources.clone(), vec![fault])])?;
                exit = Exit::Errors;
            }
        }
    }
    Ok(exit)
}

fn show(value: &Value, expr: &Expr, console: Console) -> Result<(), Failure> {
    if console.is_human() {
        let ty = console.paint_out(Style::Dim, &format!(": {}", expr.ty));
        return console.out(&format!("{} {ty}\n", value.display(&expr.ty)));
    }
    let mut json = Vec::new();
    encode_value(value, &expr.ty, &mut json);
    let value = String::from_utf8(json).expect("JSON is written as UTF-8");
    let ty = serde_json::Value::from(expr.ty.to_string());
    console.out(&format!("{{\"value\":{value},\"type\":{ty}}}\n"))
}

/// Where there are types and no row.
fn show_type(ty: &Type, console: Console) -> Result<(), Failure> {
    if console.is_human() {
        return console.out(&format!("{}\n", console.paint_out(Style::Dim, &format!(": {ty}"))));
    }
    console.out(&format!("{{\"type\":{}}}\n", serde_json::Value::from(ty.to_string())))
}

/// The JSON texts of rows: as given, of stdin for `-`, of a file for `@FILE`.
fn row_texts(given: &str) -> Result<Vec<Box<RawValue>>, Failure> {
    let (name, text) = match given.strip_prefix('@') {
        Some(path) => {
            let text = fs::read_to_string(path)
                .map_err(|error| Failure::unreachable(format!("cannot read `{path}`: {error}")))?;
            (path, text)
        }
        None if given == "-" => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| Failure::unreachable(format!("cannot read stdin: {error}")))?;
            ("stdin", text)
        }
        None => ("--row", given.to_owned()),
    };
    let rows: Result<Vec<Box<RawValue>>, _> =
        serde_json::Deserializer::from_str(&text).into_iter().collect();
    let rows = rows.map_err(|error| {
        Failure::errors(format!("{name} is no JSON: {error}"))
            .help("a row is an object, such as '{\"amount\": 12.5, \"paid\": true}'")
    })?;
    if rows.is_empty() { Err(Failure::errors(format!("{name} holds no row"))) } else { Ok(rows) }
}

/// The schema that `--schema` declares: the fields of a schema, as a circuit has them.
fn declared(text: &str) -> Result<Schema, Findings> {
    // With braces, as it stands in a circuit, or its fields alone.
    let (open, close) = if text.trim_start().starts_with('{') { ("", "") } else { ("{ ", " }") };
    let before = format!("arqon: 1\ncircuit: eval.row\nschemas:\n  Row: {open}");
    let circuit = format!("{before}{text}{close}\ntopics:\n  rows: {{ schema: Row }}\n");
    let compiled = compile(&circuit, "--schema", &Options::default());
    let shift = u32::try_from(before.len()).expect("a short text");
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let moved = |span: &mut Span| {
        let moved = |at: u32| at.saturating_sub(shift).min(length);
        *span = Span::new(moved(span.start), moved(span.end));
    };
    let mut faults: Vec<Diagnostic> =
        compiled.diagnostics.into_iter().filter(Diagnostic::is_error).collect();
    for fault in &mut faults {
        moved(&mut fault.primary.span);
        fault.secondary.iter_mut().for_each(|label| moved(&mut label.span));
        if let Some(fix) = &mut fault.fix {
            moved(&mut fix.span);
        }
    }
    let topic =
        compiled.plan.as_ref().and_then(|plan| plan.topics().map(|(_, topic)| topic).next());
    match topic {
        Some(topic) if faults.is_empty() => {
            Ok(Schema { name: "row".into(), ..(*topic.schema).clone() })
        }
        _ => Err(Findings::new(Sources::new("--schema", text), faults)),
    }
}

fn inferred(rows: &[Box<RawValue>]) -> Result<Schema, Failure> {
    infer::schema(rows.iter().map(|row| row.get())).map_err(|message| {
        Failure::errors(message).help("say the types: --schema 'amount: decimal<2>, at: timestamp'")
    })
}

fn rows(texts: &[Box<RawValue>], schema: &Schema) -> Result<Vec<Row>, Failure> {
    let codec = RowCodec::new(schema.clone());
    let read = |text: &RawValue| {
        codec.decode(text.get()).map_err(|error| Failure::errors(format!("the row: {error}")))
    };
    texts.iter().map(|text| read(text)).collect()
}

/// A name that nothing has means most often that there is no row.
fn with_help(fault: Diagnostic, has_row: bool) -> Diagnostic {
    if fault.code == names::UNKNOWN_FIELD && !has_row && fault.help.is_empty() {
        return fault.help("there is no row; give one: --row '{\"amount\": 12.5}'");
    }
    fault
}

/// The failure of a row as a diagnostic at its place in the expression.
fn no_value(error: &EvalError, text: &str) -> Diagnostic {
    let (ast, _) = parse_expression(text);
    let index = LineIndex::new(text);
    let mut best = Span::default();
    visit(&ast, &mut |part| {
        let position = index.position(text, part.span.start);
        let is_there = (position.line, position.column) == (error.place.line, error.place.column);
        let is_named = operator(part).is_some_and(|name| error.message.contains(&name));
        // The smallest part there that the message names; the smallest at all if it names none.
        let is_simple =
            matches!(part.kind, ExprKind::Literal(_) | ExprKind::Name(_) | ExprKind::List(_));
        if is_there && !is_simple {
            let is_better = best.is_empty() || part.span.len() < best.len();
            if is_named || is_better {
                best = part.span;
            }
        }
    });
    Diagnostic::new(names::NO_VALUE, best, error.message.clone())
        .label(error.code.as_str())
        .help("`try(…)` makes an option of it, and `//` gives the value for none")
}

/// The operator or function of a part, as messages name it.
fn operator(part: &SyntaxExpr) -> Option<String> {
    match &part.kind {
        ExprKind::Binary { operator, .. } => Some(format!("`{}`", operator.node)),
        ExprKind::Unary { operator, .. } => Some(format!("`{}`", operator.node)),
        ExprKind::Call { function, .. } => Some(format!("`{}`", function.node)),
        ExprKind::Literal(_)
        | ExprKind::Name(_)
        | ExprKind::Field { .. }
        | ExprKind::Index { .. }
        | ExprKind::Lambda { .. }
        | ExprKind::List(_)
        | ExprKind::If { .. }
        | ExprKind::Error => None,
    }
}

/// Every part of an expression, outer ones first.
fn visit<'e>(expr: &'e SyntaxExpr, see: &mut impl FnMut(&'e SyntaxExpr)) {
    see(expr);
    match &expr.kind {
        ExprKind::Literal(_) | ExprKind::Name(_) | ExprKind::Error => {}
        ExprKind::Field { base, .. } => visit(base, see),
        ExprKind::Index { base, index } => {
            visit(base, see);
            visit(index, see);
        }
        ExprKind::Call { arguments, .. } => {
            for argument in arguments {
                visit(&argument.value, see);
            }
        }
        ExprKind::Lambda { body, .. } => visit(body, see),
        ExprKind::List(items) => {
            for item in items {
                visit(item, see);
            }
        }
        ExprKind::Unary { operand, .. } => visit(operand, see),
        ExprKind::Binary { left, right, .. } => {
            visit(left, see);
            visit(right, see);
        }
        ExprKind::If { condition, consequence, alternative } => {
            visit(condition, see);
            visit(consequence, see);
            visit(alternative, see);
        }
    }
}
