//! Typing of operators: typed operands in, a typed expression or a fault out.
//!
//! | operator | takes | gives |
//! | --- | --- | --- |
//! | `+ -` | two int64, float32, float64, durations, or decimals (rescaled up) | the same |
//! | `+ -` | timestamp or date, and duration | timestamp, date |
//! | `-` | two timestamps, two dates | duration |
//! | `*` | two int64, float32, float64; decimals (scales add); duration and int64 | the same |
//! | `/` | two int64, float64, decimals, durations | float64 |
//! | `%` | two int64, float32, float64, decimals, durations | the same |
//! | `++` | two strings, bytes, or lists of one type | the same |
//! | `== !=` | two of one type, options included | bool |
//! | `< <= > >=` | two of one type | bool, lifted |
//!
//! Comparisons take decimals of different scales as they are: they are exact and never fail.
//!
//! `/` of two float32 is a float32. A float32 beside a float64 becomes one, since nothing is lost.
//! A literal takes the type of the other side first. All operators but `==`, `!=`, `in`, `//`,
//! `and` and `or` lift over options.

use std::sync::Arc;

use arqon_types::{Field, SCALE_MAX, Type, Value};

use crate::conversion::{coerced, common_type, conversion_help, retype};
use crate::expr::{BinaryOp, Expr, ExprKind, Place, UnaryOp};
use crate::fault::{FaultKind, TypeFault, Typed};
use crate::literal::{adapt_literal, is_literal};

/// `not x`, `-x`. The negative of a literal is a literal.
///
/// # Errors
/// [`FaultKind::Mismatch`] unless `x` is a bool, or a number or duration.
pub fn unary(op: UnaryOp, operand: Expr, place: Place) -> Typed {
    let ty = operand.ty.clone();
    match (op, ty.required()) {
        (UnaryOp::Not, Type::Bool)
        | (
            UnaryOp::Negate,
            Type::Int64 | Type::Float32 | Type::Float64 | Type::Decimal(_) | Type::Duration,
        ) => {}
        (UnaryOp::Not, _) => return Err(TypeFault::mismatch(&operand, 0, "`not`", "bool")),
        (UnaryOp::Negate, _) => return Err(TypeFault::mismatch(&operand, 0, "`-`", "a number")),
    }
    let negated = match (&operand.kind, op) {
        (ExprKind::Literal(Value::Int(n)), UnaryOp::Negate) => n.checked_neg().map(Value::Int),
        (ExprKind::Literal(Value::Duration(n)), UnaryOp::Negate) => {
            n.checked_neg().map(Value::Duration)
        }
        (ExprKind::Literal(Value::Decimal(n)), UnaryOp::Negate) => {
            n.checked_neg().map(Value::Decimal)
        }
        (ExprKind::Literal(Value::Float(n)), UnaryOp::Negate) => Some(Value::float(-n.get())),
        _ => None,
    };
    let kind = match negated {
        Some(value) => ExprKind::Literal(value),
        None => ExprKind::Unary(op, Box::new(operand)),
    };
    Ok(Expr { kind, ty, place })
}

/// A binary operator over operands that are made of one type first, as far as the language does.
///
/// # Errors
/// [`FaultKind::Mismatch`] if the operator does not take these types, [`FaultKind::OutOfRange`] or
/// [`FaultKind::UnknownLabel`] if a literal does not fit the other side, or a product of decimals
/// would have more than 38 digits after the point.
pub fn binary(op: BinaryOp, left: Expr, right: Expr, place: Place) -> Typed {
    let (left, right) = adapt_pair(left, right)?;
    match op {
        BinaryOp::Equal
        | BinaryOp::NotEqual
        | BinaryOp::Less
        | BinaryOp::LessEqual
        | BinaryOp::Greater
        | BinaryOp::GreaterEqual => comparison(op, left, right, place),
        BinaryOp::Concat => concat(left, right, place),
        BinaryOp::Add
        | BinaryOp::Subtract
        | BinaryOp::Multiply
        | BinaryOp::Divide
        | BinaryOp::Remainder => arithmetic(op, left, right, place),
    }
}

/// A literal takes the other side's type; of two literals the one that says less of its type.
fn adapt_pair(left: Expr, right: Expr) -> Typed<(Expr, Expr)> {
    match (is_literal(&left), is_literal(&right)) {
        (true, true) => {
            let (says, other_says) = (says_of_type(&left), says_of_type(&right));
            if says < other_says || (says == other_says && says < 2) {
                let left = adapt_literal(left, &right.ty).map_err(|f| f.at_operand(0))?;
                Ok((left, right))
            } else {
                let right = adapt_literal(right, &left.ty).map_err(|f| f.at_operand(1))?;
                Ok((left, right))
            }
        }
        (true, false) => {
            let left = adapt_literal(left, &right.ty).map_err(|f| f.at_operand(0))?;
            Ok((left, right))
        }
        (false, true) => {
            let right = adapt_literal(right, &left.ty).map_err(|f| f.at_operand(1))?;
            Ok((left, right))
        }
        (false, false) => Ok((left, right)),
    }
}

/// How much a literal says of its type: `none` nothing, an integer that it is a number.
fn says_of_type(literal: &Expr) -> u8 {
    match &literal.kind {
        ExprKind::Literal(Value::None) => 0,
        ExprKind::Literal(Value::Int(_)) => 1,
        ExprKind::List(items) => items.iter().map(says_of_type).max().unwrap_or(0),
        _ => 2,
    }
}

fn arithmetic(op: BinaryOp, left: Expr, right: Expr, place: Place) -> Typed {
    use BinaryOp::{Add, Divide, Multiply, Remainder, Subtract};
    use Type::{Date, Decimal, Duration, Float32, Float64, Int64, Timestamp};
    let lifted = left.ty.is_option() || right.ty.is_option();
    if *left.ty.required() == Float32 && *right.ty.required() == Float32 {
        return Ok(single_arithmetic(op, left, right, place));
    }
    let (left, right, ty) = match (op, left.ty.required(), right.ty.required()) {
        (Divide, Int64, Int64) => (left, right, Float64),
        (Divide, Duration, Duration) => (left, right, Float64),
        (_, Int64, Int64) => (left, right, Int64),
        (_, Float32 | Float64, Float32 | Float64) => {
            (retype(left, &Float64), retype(right, &Float64), Float64)
        }
        (Multiply, Decimal(a), Decimal(b)) => {
            let scale = a + b;
            if scale > SCALE_MAX {
                let message = format!(
                    "the product of decimal<{a}> and decimal<{b}> would have {scale} digits after \
                     the point, decimals have at most {SCALE_MAX}"
                );
                return Err(TypeFault::new(FaultKind::OutOfRange, place, message)
                    .with_help("round an operand first: round(x, 2)"));
            }
            (left, right, Decimal(scale))
        }
        (_, Decimal(a), Decimal(b)) => {
            let ty = Decimal(*a.max(b));
            let result = if op == Divide { Float64 } else { ty.clone() };
            (retype(left, &ty), retype(right, &ty), result)
        }
        (Add | Subtract | Remainder, Duration, Duration)
        | (Multiply, Duration, Int64)
        | (Multiply, Int64, Duration)
        | (Subtract, Timestamp, Timestamp)
        | (Subtract, Date, Date) => (left, right, Duration),
        (Add | Subtract, Timestamp, Duration) | (Add, Duration, Timestamp) => {
            (left, right, Timestamp)
        }
        (Add | Subtract, Date, Duration) | (Add, Duration, Date) => (left, right, Date),
        _ => return Err(arithmetic_fault(op, &left, &right)),
    };
    let ty = if lifted { ty.optional() } else { ty };
    Ok(Expr { kind: ExprKind::Binary(op, Box::new(left), Box::new(right)), ty, place })
}

/// Operators on singles, computed in doubles and rounded once more: for one operator that is the
/// nearest single, since a double has more than twice the digits.
fn single_arithmetic(op: BinaryOp, left: Expr, right: Expr, place: Place) -> Expr {
    let lifted = left.ty.is_option() || right.ty.is_option();
    let option_if = |ty: Type| if lifted { ty.optional() } else { ty };
    let (left, right) = (retype(left, &Type::Float64), retype(right, &Type::Float64));
    let kind = ExprKind::Binary(op, Box::new(left), Box::new(right));
    coerced(Expr { kind, ty: option_if(Type::Float64), place }, &option_if(Type::Float32))
}

/// Blames the operand that cannot stand there; where each could, the right one.
fn arithmetic_fault(op: BinaryOp, left: &Expr, right: &Expr) -> Box<TypeFault> {
    use Type::{Date, Decimal, Duration, Float32, Float64, Int64, Timestamp};
    let counts = |ty: &Type| {
        matches!(
            ty.required(),
            Int64 | Float32 | Float64 | Decimal(_) | Duration | Timestamp | Date
        )
    };
    let symbol = op.symbol();
    if !counts(&left.ty) || !counts(&right.ty) {
        let (expr, operand) = if counts(&left.ty) { (right, 1) } else { (left, 0) };
        let fault = TypeFault::mismatch(expr, operand, format!("`{symbol}`"), "a number");
        return match expr.ty.required() {
            Type::String if op == BinaryOp::Add => {
                fault.with_help("strings are joined with `++`; a number becomes one by string(x)")
            }
            Type::List(_) if op == BinaryOp::Add => fault.with_help("lists are joined with `++`"),
            Type::String => fault.with_help("a string is read as a number by int64(x), float64(x)"),
            _ => fault,
        };
    }
    let message =
        format!("`{symbol}` does not take {} and {}", left.ty.required(), right.ty.required());
    let mut fault = TypeFault::new(FaultKind::Mismatch, right.place, message).at_operand(1);
    fault.expected = Some(left.ty.required().to_string());
    fault.found = Some(right.ty.clone());
    fault.help = conversion_help(left.ty.required(), right.ty.required());
    fault
}

fn concat(left: Expr, right: Expr, place: Place) -> Typed {
    for (operand, expr) in [&left, &right].into_iter().enumerate() {
        if !matches!(expr.ty.required(), Type::String | Type::Bytes | Type::List(_)) {
            let fault = TypeFault::mismatch(expr, operand, "`++`", "a string or a list");
            return Err(match expr.ty.required() {
                Type::Tensor(_) => fault.with_help("tensors are joined by concat(a, b)"),
                _ => fault.with_help("a scalar becomes a string by string(x)"),
            });
        }
    }
    let lifted = left.ty.is_option() || right.ty.is_option();
    if left.ty.required() != right.ty.required() {
        return Err(mismatch_of_two("`++`", &left, &right));
    }
    let ty = left.ty.required().clone();
    let ty = if lifted { ty.optional() } else { ty };
    let kind = ExprKind::Binary(BinaryOp::Concat, Box::new(left), Box::new(right));
    Ok(Expr { kind, ty, place })
}

fn comparison(op: BinaryOp, left: Expr, right: Expr, place: Place) -> Typed {
    let is_equality = matches!(op, BinaryOp::Equal | BinaryOp::NotEqual);
    let lifted = left.ty.is_option() || right.ty.is_option();
    let Some(common) = common_type(left.ty.required(), right.ty.required()) else {
        return Err(mismatch_of_two(&format!("`{}`", op.symbol()), &left, &right));
    };
    // Equality looks at options itself, so both sides become options if one is; and any comparison
    // looks at the scales of decimals, since rescaling one can overflow.
    let (left, right, ty) = if matches!(common, Type::Decimal(_)) {
        let lifts = lifted && !is_equality;
        (left, right, if lifts { Type::Bool.optional() } else { Type::Bool })
    } else if is_equality && lifted {
        let common = common.optional();
        (coerced(left, &common), coerced(right, &common), Type::Bool)
    } else {
        let ty = if lifted { Type::Bool.optional() } else { Type::Bool };
        (retype(left, &common), retype(right, &common), ty)
    };
    Ok(Expr { kind: ExprKind::Binary(op, Box::new(left), Box::new(right)), ty, place })
}

fn mismatch_of_two(what: &str, left: &Expr, right: &Expr) -> Box<TypeFault> {
    let message =
        format!("{what} wants one type on both sides, found {} and {}", left.ty, right.ty);
    let mut fault = TypeFault::new(FaultKind::Mismatch, right.place, message).at_operand(1);
    fault.expected = Some(left.ty.required().to_string());
    fault.found = Some(right.ty.clone());
    fault.help = conversion_help(left.ty.required(), right.ty.required());
    fault
}

/// `a and b and c`; options are refused, since there is no third truth value.
///
/// # Errors
/// [`FaultKind::Mismatch`] for the first operand that is no bool.
pub fn and(operands: Vec<Expr>, place: Place) -> Typed {
    for (operand, expr) in operands.iter().enumerate() {
        want_bool(expr, operand, "`and`")?;
    }
    Ok(Expr { kind: ExprKind::And(operands), ty: Type::Bool, place })
}

/// `a or b or c`; options are refused, since there is no third truth value.
///
/// # Errors
/// [`FaultKind::Mismatch`] for the first operand that is no bool.
pub fn or(operands: Vec<Expr>, place: Place) -> Typed {
    for (operand, expr) in operands.iter().enumerate() {
        want_bool(expr, operand, "`or`")?;
    }
    Ok(Expr { kind: ExprKind::Or(operands), ty: Type::Bool, place })
}

/// Says so unless `expr` is a plain bool; `what` is who wants it: "`and`", "`where`".
///
/// # Errors
/// [`FaultKind::Mismatch`] with the way out for an `option<bool>`.
pub fn want_bool(expr: &Expr, operand: usize, what: &str) -> Typed<()> {
    match &expr.ty {
        Type::Bool => Ok(()),
        ty if *ty.required() == Type::Bool => Err(TypeFault::mismatch(expr, operand, what, "bool")
            .with_help("say what `none` means: (…) // false")),
        Type::String if what == "`or`" => Err(TypeFault::mismatch(expr, operand, what, "bool")
            .with_help("texts are joined with `++`")),
        _ => Err(TypeFault::mismatch(expr, operand, what, "bool")),
    }
}

/// `if c then x else y`.
///
/// # Errors
/// [`FaultKind::Mismatch`] if `c` is no bool (operand 0) or the branches have no common type
/// (operand 2).
pub fn if_else(condition: Expr, then: Expr, otherwise: Expr, place: Place) -> Typed {
    want_bool(&condition, 0, "`if`")?;
    let (then, otherwise) = adapt_pair(then, otherwise).map_err(fault_one_later)?;
    let Some(ty) = common_type(&then.ty, &otherwise.ty) else {
        return Err(mismatch_of_two("`if`", &then, &otherwise).at_operand(2));
    };
    let kind = ExprKind::If {
        condition: Box::new(condition),
        then: Box::new(coerced(then, &ty)),
        otherwise: Box::new(coerced(otherwise, &ty)),
    };
    Ok(Expr { kind, ty, place })
}

fn fault_one_later(fault: Box<TypeFault>) -> Box<TypeFault> {
    let operand = fault.operand.map_or(0, |operand| operand + 1);
    fault.at_operand(operand)
}

/// `x // y`: the value of `x`, or `y` where there is none.
///
/// # Errors
/// [`FaultKind::Mismatch`] if `x` is no option, or `y` of another type.
pub fn default(of: Expr, otherwise: Expr, place: Place) -> Typed {
    let of = match &of.kind {
        ExprKind::Literal(Value::None) => adapt_literal(of, &otherwise.ty)?,
        _ => of,
    };
    if !of.ty.is_option() {
        let is_number = |ty: &Type| matches!(ty, Type::Int64 | Type::Float64 | Type::Decimal(_));
        let help = if *of.ty.required() == Type::Int64 && is_number(otherwise.ty.required()) {
            "it always has a value, and needs no default; a whole quotient is `div(a, b)`"
        } else {
            "it always has a value; leave `//` and the default away"
        };
        return Err(TypeFault::mismatch(&of, 0, "`//`", "an option").with_help(help));
    }
    let otherwise = adapt_literal(otherwise, &of.ty).map_err(|fault| fault.at_operand(1))?;
    let Some(inner) = common_type(of.ty.required(), otherwise.ty.required()) else {
        return Err(mismatch_of_two("`//`", &of, &otherwise));
    };
    let ty = if otherwise.ty.is_option() { inner.clone().optional() } else { inner.clone() };
    let kind = ExprKind::Default {
        of: Box::new(coerced(of, &inner.optional())),
        otherwise: Box::new(coerced(otherwise, &ty)),
    };
    Ok(Expr { kind, ty, place })
}

/// `x in [a, b]`.
///
/// # Errors
/// As `==` between `x` and each item; operand 0 is `x`, the items count from 1.
pub fn in_list(of: Expr, items: Vec<Expr>, place: Place) -> Typed {
    let mut ty = of.ty.clone();
    let mut adapted = Vec::with_capacity(items.len());
    for (idx, item) in items.into_iter().enumerate() {
        let item = adapt_literal(item, &of.ty).map_err(|fault| fault.at_operand(idx + 1))?;
        let Some(common) = common_type(&ty, &item.ty) else {
            return Err(mismatch_of_two("`in`", &of, &item).at_operand(idx + 1));
        };
        ty = common;
        adapted.push(item);
    }
    let (of, items) = if matches!(ty.required(), Type::Decimal(_)) {
        (of, adapted)
    } else {
        (coerced(of, &ty), adapted.into_iter().map(|item| coerced(item, &ty)).collect())
    };
    let kind = ExprKind::In { of: Box::new(of), items };
    Ok(Expr { kind, ty: Type::Bool, place })
}

/// `x in list`, where the list is an expression.
///
/// # Errors
/// [`FaultKind::Mismatch`] if it is no list, or one of another type.
pub fn in_expression(of: Expr, list: Expr, place: Place) -> Typed {
    if let ExprKind::List(items) = list.kind {
        return in_list(of, items, place);
    }
    let Type::List(inner) = list.ty.clone() else {
        return Err(TypeFault::mismatch(&list, 1, "`in`", "a list"));
    };
    let of = adapt_literal(of, &inner).map_err(|fault| fault.at_operand(0))?;
    if *of.ty.required() != *inner.required() || of.ty.is_option() && !inner.is_option() {
        let expected = inner.to_string();
        return Err(TypeFault::mismatch(&of, 0, "`in`", expected));
    }
    let kind =
        ExprKind::Call { function: crate::function::Function::Contains, args: vec![list, of] };
    Ok(Expr { kind, ty: Type::Bool, place })
}

/// `of.name`; lifts over an optional struct.
///
/// # Errors
/// [`FaultKind::UnknownField`] with the fields there are, [`FaultKind::Mismatch`] if `of` is no
/// struct.
pub fn field(of: Expr, name: &str, place: Place) -> Typed {
    let Type::Struct(fields) = of.ty.required() else {
        let mut fault = TypeFault::mismatch(&of, 0, format!("`.{name}`"), "a struct");
        fault.help = match (of.ty.required(), name) {
            (
                Type::List(_) | Type::String | Type::Map(_) | Type::Bytes,
                "length" | "len" | "size" | "count",
            ) => Some("the length is `len(x)`".to_owned()),
            (Type::Map(_), _) => Some(format!("the value of a key is `x[\"{name}\"]`, an option")),
            (Type::Tensor(_), "shape") => Some("the sizes are `shape(x)`".to_owned()),
            (Type::Timestamp | Type::Date, "year" | "month" | "day" | "hour" | "minute") => {
                Some(format!("it is `{name}(x)`"))
            }
            _ => None,
        };
        return Err(fault);
    };
    let Some(idx) = fields.iter().position(|field| *field.name == *name) else {
        let known: Vec<String> = fields.iter().map(|field| field.name.to_string()).collect();
        let message = format!("no field `{name}` in {}", of.ty.required());
        return Err(
            TypeFault::new(FaultKind::UnknownField, place, message).with_candidates(name, known)
        );
    };
    let ty = fields[idx].ty.clone();
    let ty = if of.ty.is_option() { ty.optional() } else { ty };
    Ok(Expr { kind: ExprKind::Field { of: Box::new(of), idx }, ty, place })
}

/// `[a, b]`: all items of one type. An empty list needs to know its type from elsewhere: `wanted`.
///
/// # Errors
/// [`FaultKind::Mismatch`] for the first item of another type.
pub fn list(items: Vec<Expr>, wanted: Option<&Type>, place: Place) -> Typed {
    let wanted_item = match wanted.map(Type::required) {
        Some(Type::List(inner)) => Some(inner.as_ref().clone()),
        _ => None,
    };
    let guide = wanted_item.or_else(|| {
        let bound = items.iter().find(|item| !is_literal(item));
        let float = items.iter().find(|item| item.ty == Type::Float64);
        let known = items.iter().find(|item| 0 < says_of_type(item));
        bound.or(float).or(known).or(items.first()).map(|item| item.ty.clone())
    });
    let Some(mut ty) = guide else {
        return Err(TypeFault::new(
            FaultKind::Mismatch,
            place,
            "the type of an empty list is not known here",
        ));
    };
    let mut adapted = Vec::with_capacity(items.len());
    for (idx, item) in items.into_iter().enumerate() {
        let item = adapt_literal(item, &ty).map_err(|fault| fault.at_operand(idx))?;
        let Some(common) = common_type(&ty, &item.ty) else {
            return Err(TypeFault::mismatch(&item, idx, "the list", ty.to_string()));
        };
        ty = common;
        adapted.push(item);
    }
    let items = adapted.into_iter().map(|item| coerced(item, &ty)).collect();
    Ok(Expr { kind: ExprKind::List(items), ty: Type::List(Box::new(ty)), place })
}

/// A struct of named fields.
pub fn structure(fields: Vec<(Arc<str>, Expr)>, place: Place) -> Expr {
    let types =
        fields.iter().map(|(name, expr)| Field::new(Arc::clone(name), expr.ty.clone())).collect();
    let values = fields.into_iter().map(|(_, expr)| expr).collect();
    Expr { kind: ExprKind::Struct(values), ty: Type::Struct(types), place }
}

#[cfg(test)]
mod tests;
