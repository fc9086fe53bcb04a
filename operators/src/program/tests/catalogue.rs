//! Every function of the catalogue, on columns and row by row. The calls are found by typing all
//! that could be written with some columns and constants, so that no function can be forgotten.

use super::*;
use crate::signature::{Callee, find_function, function_names};

/// What an argument may be.
#[derive(Clone)]
enum Argument {
    Value(Expr),
    /// `x -> x`
    Identity,
    /// `x -> x == x`
    Equality,
}

fn place(column: u32) -> Place {
    Place { line: 1, column }
}

/// Columns of every type, lists made of them, and constants that mean something somewhere.
fn arguments() -> Vec<Argument> {
    let columns = schema();
    let column = |ty: &Type| {
        let idx = columns.iter().position(|known| known == ty).expect("a column of the schema");
        Expr::column(idx, ty.clone())
    };
    let text = |text: &str| Expr::literal(Value::string(text), Type::String);
    let number = |n| Expr::literal(Value::Int(n), Type::Int64);
    let function = |name: &str, args: Vec<Expr>| {
        call(name, args.into_iter().map(Arg::Value).collect(), place(1)).expect("a typed call")
    };
    let list = |items: Vec<Expr>| typing::list(items, None, place(1)).expect("items of one type");
    let mut values: Vec<Expr> =
        columns.iter().enumerate().map(|(idx, ty)| Expr::column(idx, ty.clone())).collect();
    values.extend([
        function("split", vec![column(&Type::String), text("b")]),
        list(vec![column(&Type::Bool), Expr::literal(Value::Bool(true), Type::Bool)]),
        list(vec![column(&Type::Float64), Expr::literal(Value::float(0.1), Type::Float64)]),
        list(vec![column(&decimal(2)), column(&decimal(4))]),
        list(vec![column(&Type::Int64.optional()), number(1)]),
        list(vec![column(&Type::String.optional())]),
        list(vec![number(1), number(2)]),
    ]);
    values.extend([-1, 0, 1, 2].map(number));
    let texts = ["month", "%Y-%m-%d", "(a|b)+", "(", "a%", "", "$1{}", "true", "12", "f64"];
    values.extend(texts.map(text));
    values.push(Expr::literal(Value::None, Type::String.optional()));
    values.push(Expr::literal(Value::Duration(3_600_000_000_000), Type::Duration));
    let lambdas = [Argument::Identity, Argument::Equality];
    values.into_iter().map(Argument::Value).chain(lambdas).collect()
}

fn typed(name: &str, arguments: &[&Argument]) -> Typed {
    let local = |ty: &Type| Expr { kind: ExprKind::Local(0), ty: ty.clone(), place: place(3) };
    let mut identity = |types: &[Type]| Ok(local(&types[0]));
    let mut equality = |types: &[Type]| {
        typing::binary(BinaryOp::Equal, local(&types[0]), local(&types[0]), place(4))
    };
    let mut lambda: Option<Arg<'_>> = match arguments.iter().find(|it| !is_value(it)) {
        Some(Argument::Identity) => {
            Some(Arg::Lambda { n_params: 1, place: place(3), body: &mut identity })
        }
        Some(_) => Some(Arg::Lambda { n_params: 1, place: place(4), body: &mut equality }),
        None => None,
    };
    let args = arguments.iter().filter_map(|argument| match argument {
        Argument::Value(expr) => Some(Arg::Value(expr.clone())),
        Argument::Identity | Argument::Equality => lambda.take(),
    });
    call(name, args.collect(), place(2))
}

fn is_value(argument: &Argument) -> bool {
    matches!(argument, Argument::Value(_))
}

/// All typed calls of a function with so many arguments.
fn calls(name: &str, n_args: usize, arguments: &[Argument]) -> Vec<Expr> {
    let mut found = Vec::new();
    let mut chosen = vec![0; n_args];
    loop {
        let picked: Vec<&Argument> = chosen.iter().map(|idx| &arguments[*idx]).collect();
        if picked.iter().filter(|argument| !is_value(argument)).count() <= 1
            && let Ok(expr) = typed(name, &picked)
        {
            found.push(expr);
        }
        let Some(at) = chosen.iter().rposition(|idx| idx + 1 < arguments.len()) else {
            return found;
        };
        chosen[at] += 1;
        chosen[at + 1..].fill(0);
    }
}

#[test]
fn every_function_gives_on_columns_what_it_gives_on_rows() {
    let arguments = arguments();
    let rows = random_rows(20_261_125, 40);
    // The compiler puts a column in its place.
    for name in function_names().filter(|name| *name != "epoch_time") {
        let signature = find_function(name).expect("a name of the catalogue");
        let n_args_max = match signature.callee {
            Callee::Format => 2,
            Callee::Function(_) | Callee::Cast(_) | Callee::Try => signature.parameters.len(),
        };
        let found: Vec<Expr> = (signature.n_required..=n_args_max)
            .flat_map(|n_args| calls(name, n_args, &arguments))
            .collect();
        let step = found.len().div_ceil(CALLS_MAX).max(1);
        let mut n_values = 0;
        for (number, expr) in found.iter().enumerate().filter(|(at, _)| at % step == 0) {
            let few = &rows[number % (rows.len() - ROWS)..][..ROWS];
            check(expr, few);
            n_values += few.iter().filter(|row| eval(expr, row).is_ok()).count();
        }
        assert!(n_values > 0, "`{name}` has no value for any row, or no typed call");
    }
}

/// Calls of a function that are checked at most.
const CALLS_MAX: usize = 400;

/// Rows that each call is checked on.
const ROWS: usize = 9;
