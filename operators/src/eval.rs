//! Evaluation of one expression on one row: the reference for what expressions mean.
//!
//! Total: a typed expression gives a value of its type or an [`EvalError`], and never panics.
//! Operands are evaluated from left to right, and the first failure is the row's; `and`, `or`,
//! `if`, `//`, `any` and `all` evaluate only what they need.

use std::cmp::Ordering;

use arqon_types::{Type, Value, compare_decimals};

use crate::eval_error::EvalError;
use crate::expr::{BinaryOp, Expr, ExprKind, UnaryOp};
use crate::function::Function;
use crate::invoke::{invoke, looks_at_options};
use crate::scalar;

/// The value of `expr` for the row with these columns.
///
/// # Errors
/// [`EvalError`] if the row has no value: overflow, division by zero, a failed cast or a bad
/// argument.
///
/// # Panics
/// If the row is not of the types that `expr` was typed with.
pub fn eval(expr: &Expr, row: &[Value]) -> Result<Value, EvalError> {
    Scope { row, locals: Vec::new() }.eval(expr)
}

struct Scope<'a> {
    row: &'a [Value],
    /// Parameters of the enclosing lambdas, innermost last.
    locals: Vec<Value>,
}

impl Scope<'_> {
    fn eval(&mut self, expr: &Expr) -> Result<Value, EvalError> {
        match &expr.kind {
            ExprKind::Column(idx) => Ok(self.row[*idx].clone()),
            ExprKind::Local(depth) => Ok(self.locals[self.locals.len() - 1 - depth].clone()),
            ExprKind::Literal(value) => Ok(value.clone()),
            ExprKind::Field { of, idx } => Ok(match self.eval(of)? {
                Value::Struct(values) => values[*idx].clone(),
                _ => Value::None,
            }),
            ExprKind::Unary(op, operand) => {
                let value = self.eval(operand)?;
                match (op, value) {
                    (_, Value::None) => Ok(Value::None),
                    (UnaryOp::Not, value) => Ok(Value::Bool(!is_true(&value))),
                    (UnaryOp::Negate, value) => {
                        scalar::negate(&value).map_err(|failure| failure.at(expr.place))
                    }
                }
            }
            ExprKind::Binary(op, left, right) => {
                let types = (&left.ty, &right.ty);
                let (left, right) = (self.eval(left)?, self.eval(right)?);
                binary(*op, (&left, &right), types).map_err(|failure| failure.at(expr.place))
            }
            ExprKind::And(operands) => {
                for operand in operands {
                    if !is_true(&self.eval(operand)?) {
                        return Ok(Value::Bool(false));
                    }
                }
                Ok(Value::Bool(true))
            }
            ExprKind::Or(operands) => {
                for operand in operands {
                    if is_true(&self.eval(operand)?) {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            }
            ExprKind::If { condition, then, otherwise } => {
                let taken = if is_true(&self.eval(condition)?) { then } else { otherwise };
                self.eval(taken)
            }
            ExprKind::In { of, items } => {
                let value = self.eval(of)?;
                let mut found = false;
                for item in items {
                    let types = (&of.ty, &item.ty);
                    found |= order((&value, &self.eval(item)?), types).is_eq();
                }
                Ok(Value::Bool(found))
            }
            ExprKind::Default { of, otherwise } => match self.eval(of)? {
                Value::None => self.eval(otherwise),
                value => Ok(value),
            },
            ExprKind::Try(of) => Ok(self.eval(of).unwrap_or(Value::None)),
            ExprKind::Cast(of) => match self.eval(of)? {
                Value::None => Ok(Value::None),
                value => scalar::cast(&value, of.ty.required(), expr.ty.required())
                    .map_err(|failure| failure.at(expr.place)),
            },
            ExprKind::Call { function, args } => self.call(expr, *function, args),
            ExprKind::List(items) => Ok(Value::List(self.all(items)?.into())),
            ExprKind::Struct(fields) => Ok(Value::Struct(self.all(fields)?.into())),
            ExprKind::Lambda { .. } => unreachable!("lambdas are arguments only"),
        }
    }

    fn all(&mut self, exprs: &[Expr]) -> Result<Vec<Value>, EvalError> {
        exprs.iter().map(|expr| self.eval(expr)).collect()
    }

    fn call(&mut self, expr: &Expr, function: Function, args: &[Expr]) -> Result<Value, EvalError> {
        if let [items, Expr { kind: ExprKind::Lambda { body, .. }, .. }] = args {
            return match self.eval(items)? {
                Value::List(items) => self.over_items(function, &items, body),
                _ => Ok(Value::None),
            };
        }
        let values = self.all(args)?;
        let types: Vec<&Type> = args.iter().map(|arg| &arg.ty).collect();
        let absent = values
            .iter()
            .enumerate()
            .any(|(idx, value)| *value == Value::None && !looks_at_options(function, idx, &types));
        if absent {
            return Ok(Value::None);
        }
        invoke(function, &values, &types, &expr.ty).map_err(|failure| failure.at(expr.place))
    }

    fn over_items(
        &mut self,
        function: Function,
        items: &[Value],
        body: &Expr,
    ) -> Result<Value, EvalError> {
        let mut kept = Vec::new();
        for item in items {
            self.locals.push(item.clone());
            let value = self.eval(body);
            self.locals.pop();
            let value = value?;
            match function {
                Function::Map => kept.push(value),
                Function::Filter if is_true(&value) => kept.push(item.clone()),
                Function::Any if is_true(&value) => return Ok(Value::Bool(true)),
                Function::All if !is_true(&value) => return Ok(Value::Bool(false)),
                _ => {}
            }
        }
        Ok(match function {
            Function::Any => Value::Bool(false),
            Function::All => Value::Bool(true),
            _ => Value::List(kept.into()),
        })
    }
}

fn is_true(value: &Value) -> bool {
    *value == Value::Bool(true)
}

/// A binary operator on two values, options included.
fn binary(
    op: BinaryOp,
    (left, right): (&Value, &Value),
    types: (&Type, &Type),
) -> Result<Value, crate::eval_error::Failure> {
    let order = || order((left, right), types);
    match op {
        BinaryOp::Equal => return Ok(Value::Bool(order().is_eq())),
        BinaryOp::NotEqual => return Ok(Value::Bool(order().is_ne())),
        _ => {}
    }
    if *left == Value::None || *right == Value::None {
        return Ok(Value::None);
    }
    Ok(match op {
        BinaryOp::Less => Value::Bool(order().is_lt()),
        BinaryOp::LessEqual => Value::Bool(order().is_le()),
        BinaryOp::Greater => Value::Bool(order().is_gt()),
        BinaryOp::GreaterEqual => Value::Bool(order().is_ge()),
        BinaryOp::Concat => concat(left, right),
        BinaryOp::Add
        | BinaryOp::Subtract
        | BinaryOp::Multiply
        | BinaryOp::Divide
        | BinaryOp::Remainder => return scalar::arithmetic(op, left, right),
        BinaryOp::Equal | BinaryOp::NotEqual => unreachable!("answered above"),
    })
}

/// The order of two values of one type, or of two decimal types.
fn order((left, right): (&Value, &Value), types: (&Type, &Type)) -> Ordering {
    match (left, right, types.0.required(), types.1.required()) {
        (Value::Decimal(a), Value::Decimal(b), Type::Decimal(a_scale), Type::Decimal(b_scale)) => {
            compare_decimals((*a, *a_scale), (*b, *b_scale))
        }
        _ => left.cmp(right),
    }
}

pub(crate) fn concat(left: &Value, right: &Value) -> Value {
    match (left, right) {
        (Value::String(a), Value::String(b)) => Value::String([a.as_ref(), b].concat().into()),
        (Value::Bytes(a), Value::Bytes(b)) => Value::Bytes([a.as_ref(), b].concat().into()),
        (Value::List(a), Value::List(b)) => Value::List([a.as_ref(), b].concat().into()),
        (left, right) => unreachable!("typing lets no {left:?} meet {right:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Arg, call};
    use crate::expr::Place;
    use crate::literal::number;
    use crate::typing;

    fn num(text: &str) -> Expr {
        number(text, Place::default()).unwrap()
    }

    fn lit(value: Value, ty: Type) -> Expr {
        Expr::literal(value, ty)
    }

    fn text(text: &str) -> Expr {
        lit(Value::string(text), Type::String)
    }

    fn none(ty: Type) -> Expr {
        lit(Value::None, ty.optional())
    }

    fn op(op: BinaryOp, left: Expr, right: Expr) -> Expr {
        typing::binary(op, left, right, Place { line: 1, column: 2 }).unwrap()
    }

    fn func(name: &str, args: Vec<Expr>) -> Expr {
        call(name, args.into_iter().map(Arg::Value).collect(), Place::default()).unwrap()
    }

    /// The value as text, or the code of the failure.
    fn check(expr: &Expr, expected: &str) {
        let found = match eval(expr, &[]) {
            Ok(value) => {
                assert!(value.fits(&expr.ty), "{value:?} is no {}", expr.ty);
                value.display(&expr.ty)
            }
            Err(error) => error.code.as_str().to_owned(),
        };
        assert_eq!(found, expected, "{expr:?}");
    }

    #[test]
    fn arithmetic_is_total() {
        use BinaryOp::{Add, Divide, Multiply, Remainder, Subtract};
        let cents = |units| lit(Value::Decimal(units), Type::Decimal(2));
        let date = |days| lit(Value::Date(days), Type::Date);
        let days = |n: i64| lit(Value::Duration(n * crate::civil::DAY), Type::Duration);
        let max = || num("9223372036854775807");
        check(&op(Add, num("1"), num("2")), "3");
        check(&op(Add, max(), num("1")), "overflow");
        check(&op(Divide, num("7"), num("2")), "3.5");
        check(&op(Divide, num("7"), num("0")), "division_by_zero");
        check(&op(Divide, num("7.0"), num("0.0")), "division_by_zero");
        check(&op(Remainder, num("-7"), num("2")), "-1");
        check(&op(Remainder, num("7"), num("0")), "division_by_zero");
        check(&op(Multiply, cents(150), cents(-200)), "-3.0000");
        check(
            &op(Multiply, lit(Value::Decimal(i128::MAX), Type::Decimal(2)), cents(200)),
            "overflow",
        );
        check(&op(Divide, cents(100), cents(300)), "0.3333333333333333");
        check(&op(Subtract, num("1"), cents(5)), "0.95");
        check(&op(Subtract, date(9204), days(90)), "1994-12-15");
        check(&op(Subtract, date(3), date(1)), "2d");
        check(&op(Add, date(1), lit(Value::Duration(1), Type::Duration)), "argument");
        check(&op(Add, none(Type::Int64), num("1")), "none");
        check(&func("div", vec![num("-7"), num("2")]), "-3");
        check(&func("try", vec![op(Divide, num("7"), num("0"))]), "none");
        let error = eval(&op(Add, max(), num("1")), &[]).unwrap_err();
        assert_eq!(error.message, "`+` overflows int64");
        assert_eq!(error.place, Place { line: 1, column: 2 });
    }

    #[test]
    fn lazy_forms_take_only_what_they_need() {
        let at = Place::default();
        let fails = || op(BinaryOp::Greater, op(BinaryOp::Divide, num("1"), num("0")), num("1.0"));
        let truth = |b| lit(Value::Bool(b), Type::Bool);
        check(&typing::and(vec![truth(false), fails()], at).unwrap(), "false");
        check(&typing::and(vec![truth(true), fails()], at).unwrap(), "division_by_zero");
        check(&typing::or(vec![truth(true), fails()], at).unwrap(), "true");
        check(&typing::if_else(truth(true), truth(false), fails(), at).unwrap(), "false");
        check(&typing::default(none(Type::Bool), fails(), at).unwrap(), "division_by_zero");
        let some = lit(Value::Bool(true), Type::Bool.optional());
        check(&typing::default(some, fails(), at).unwrap(), "true");
        check(&op(BinaryOp::Equal, none(Type::Int64), none(Type::Int64)), "true");
        check(&op(BinaryOp::Less, none(Type::Int64), num("1")), "none");
        let huge = || lit(Value::Decimal(i128::MAX), Type::Decimal(0));
        let fine = || lit(Value::Decimal(1), Type::Decimal(38));
        check(&op(BinaryOp::Equal, huge(), fine()), "false");
        check(&op(BinaryOp::Less, fine(), huge()), "true");
        check(&typing::in_list(fine(), vec![huge(), fine()], Place::default()).unwrap(), "true");
        check(&op(BinaryOp::Equal, huge(), none(Type::Decimal(38))), "false");
        check(&typing::in_list(num("2"), vec![num("1"), num("2")], at).unwrap(), "true");
    }

    #[test]
    fn functions_are_as_documented() {
        let stamp = |s: &str| {
            lit(Value::Timestamp(arqon_types::parse_timestamp(s).unwrap()), Type::Timestamp)
        };
        let at = || stamp("2013-05-17T13:45:30Z");
        check(&func("upper", vec![text("straße")]), "STRASSE");
        check(&func("split", vec![text("a,b"), text(",")]), "[a, b]");
        check(&func("substr", vec![text("héllo"), num("2"), num("3")]), "éll");
        check(&func("substr", vec![text("abc"), num("0"), num("1")]), "argument");
        check(&func("substr", vec![text("abc"), num("9")]), "");
        check(&func("len", vec![text("é")]), "1");
        check(&func("replace", vec![text("aa"), text(""), text("b")]), "aa");
        check(
            &func("round", vec![lit(Value::Decimal(12345), Type::Decimal(3)), num("2")]),
            "12.34",
        );
        check(&func("ceil", vec![lit(Value::Decimal(-12345), Type::Decimal(3))]), "-12");
        check(&func("abs", vec![lit(Value::Int(i64::MIN), Type::Int64)]), "overflow");
        check(&func("clamp", vec![num("5"), num("1"), num("3")]), "3");
        check(&func("trunc", vec![at(), text("hour")]), "2013-05-17T13:00:00Z");
        check(&func("trunc", vec![at(), text("quarter")]), "2013-04-01T00:00:00Z");
        check(
            &func("trunc", vec![lit(Value::Timestamp(i64::MIN), Type::Timestamp), text("day")]),
            "overflow",
        );
        check(&func("add_months", vec![at(), num("-15")]), "2012-02-17T13:45:30Z");
        check(&func("hour", vec![at()]), "13");
        check(&func("decimal", vec![num("2.5"), num("0")]), "2");
        check(&func("int64", vec![text("x")]), "conversion");
        let list = typing::list(vec![num("3"), num("1")], None, Place::default()).unwrap();
        check(&func("sort", vec![list.clone()]), "[1, 3]");
        check(&func("sum", vec![list.clone()]), "4");
        check(&func("first", vec![list.clone()]), "3");
        check(&func("slice", vec![list.clone(), num("2")]), "[1]");
        let mut body = |types: &[Type]| {
            let x =
                Expr { kind: ExprKind::Local(0), ty: types[0].clone(), place: Place::default() };
            typing::binary(BinaryOp::Greater, x, num("1"), Place::default())
        };
        let lambda = Arg::Lambda { n_params: 1, place: Place::default(), body: &mut body };
        let kept = call("filter", vec![Arg::Value(list), lambda], Place::default()).unwrap();
        check(&kept, "[3]");
    }
}
