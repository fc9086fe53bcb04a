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

use arqon_types::{Dimension, Field, SCALE_MAX, TensorType, Type, Value};

use crate::expr::{BinaryOp, Expr, ExprKind, Place, UnaryOp};
use crate::fault::{FaultKind, TypeFault, Typed};
use crate::literal::adapt_literal;

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

fn is_literal(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Literal(_) => true,
        ExprKind::List(items) => items.iter().all(is_literal),
        _ => false,
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

/// How two number types that do not mix are made to.
fn conversion_help(left: &Type, right: &Type) -> Option<String> {
    match (left, right) {
        (Type::Int64, Type::Float64) | (Type::Float64, Type::Int64) => {
            Some("convert the int64: float64(x)".to_owned())
        }
        (Type::Int64, Type::Decimal(scale)) | (Type::Decimal(scale), Type::Int64) => {
            Some(format!("convert the int64: decimal(x, {scale})"))
        }
        (Type::Int64, Type::Float32) | (Type::Float32, Type::Int64) => {
            Some("convert the int64: float32(x)".to_owned())
        }
        (Type::Float32 | Type::Float64, Type::Decimal(scale))
        | (Type::Decimal(scale), Type::Float32 | Type::Float64) => {
            Some(format!("convert one of them: float64(x), or decimal(x, {scale}) which rounds"))
        }
        (Type::String, other) | (other, Type::String)
            if matches!(other, Type::Int64 | Type::Float32 | Type::Float64 | Type::Decimal(_)) =>
        {
            Some(format!("convert one of them: string(x), or {}", cast_text(other)))
        }
        (Type::String, Type::Enum(_)) | (Type::Enum(_), Type::String) => {
            Some("compare the label's text: string(x)".to_owned())
        }
        (Type::String, other) | (other, Type::String) => crate::literal::literal_help(other, "…"),
        (Type::Timestamp, Type::Date) | (Type::Date, Type::Timestamp) => {
            Some("convert one of them: date(x), or timestamp(x)".to_owned())
        }
        _ => None,
    }
}

/// How a value becomes what is wanted in its place.
fn cast_help(wanted: &Type, found: &Type, is_literal: bool) -> Option<String> {
    if is_literal && let Some(help) = crate::literal::literal_help(wanted, "…") {
        return Some(help);
    }
    if !has_cast(found, wanted) {
        return None;
    }
    let loss = match (wanted, found) {
        (Type::Int64, Type::Float32 | Type::Float64 | Type::Decimal(_)) => {
            ", which cuts off the fraction"
        }
        (Type::Decimal(_), Type::Float32 | Type::Float64) | (Type::Float32, _) => ", which rounds",
        _ => "",
    };
    Some(format!("convert it: {}{loss}", cast_text(wanted)))
}

/// The call that makes of the value `name` of one type one of another, where there is one.
pub fn converted(name: &str, found: &Type, wanted: &Type) -> Option<String> {
    let (from, to) = (found.required(), wanted.required());
    if !has_cast(from, to) {
        return None;
    }
    let call = match (from, to) {
        (from, to) if from == to => name.to_owned(),
        (Type::Decimal(from), Type::Decimal(to)) if to < from => format!("round({name}, {to})"),
        (_, Type::Decimal(scale)) => format!("decimal({name}, {scale})"),
        (_, to) => format!("{to}({name})"),
    };
    let is_unwrapped = found.is_option() && !wanted.is_option();
    Some(if is_unwrapped { format!("{call} // …") } else { call })
}

/// Which casts there are.
pub(crate) fn has_cast(from: &Type, to: &Type) -> bool {
    use Type::{
        Bool, Bytes, Date, Decimal, Duration, Float32, Float64, Int64, String, Timestamp, Uuid,
    };
    match (from, to) {
        (from, to) if from == to => true,
        (
            Bool
            | Int64
            | Float32
            | Float64
            | Decimal(_)
            | Bytes
            | Timestamp
            | Date
            | Duration
            | Uuid
            | Type::Enum(_),
            String,
        )
        | (
            String,
            Bool | Int64 | Float32 | Float64 | Decimal(_) | Bytes | Timestamp | Date | Duration
            | Uuid,
        )
        | (Bool | Float32 | Float64 | Decimal(_) | Timestamp | Date | Duration, Int64)
        | (Int64 | Float64 | Decimal(_), Float32)
        | (Int64 | Float32 | Decimal(_), Float64)
        | (Int64 | Float32 | Float64 | Decimal(_), Decimal(_))
        | (Timestamp, Date)
        | (Date, Timestamp) => true,
        _ => false,
    }
}

fn cast_text(ty: &Type) -> String {
    match ty {
        Type::Decimal(scale) => format!("decimal(x, {scale})"),
        other => format!("{other}(x)"),
    }
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

/// `expr` where `ty` is declared: a literal adapts, `T` becomes `option<T>`, and a decimal of a
/// smaller scale grows. Nothing else converts by itself.
///
/// # Errors
/// [`FaultKind::Mismatch`], or the fault of the literal.
pub fn coerce(expr: Expr, ty: &Type) -> Typed {
    let expr = adapt_literal(expr, ty)?;
    let is_literal = is_literal(&expr);
    let reshapes = expr.ty.may_be(ty) || ty.is_option() && expr.ty.may_be(ty.required());
    if reshapes || common_type(&expr.ty, ty).as_ref() == Some(ty) {
        return Ok(coerced(expr, ty));
    }
    let mut fault = TypeFault::new(
        FaultKind::Mismatch,
        expr.place,
        format!("expected {ty}, found {}", expr.ty),
    );
    fault.expected = Some(ty.to_string());
    fault.help = if expr.ty.is_option() && expr.ty.required() == ty.required() {
        Some("give the value for `none`: x // default".to_owned())
    } else {
        match (ty.required(), expr.ty.required()) {
            (Type::Decimal(to), Type::Decimal(_)) => Some(format!("round it: round(x, {to})")),
            (wanted, found) => cast_help(wanted, found, is_literal),
        }
    };
    fault.found = Some(expr.ty);
    Err(fault)
}

/// The type that both become where one is wanted: options win, the greater scale wins.
pub fn common_type(a: &Type, b: &Type) -> Option<Type> {
    match (a, b) {
        (a, b) if a == b => Some(a.clone()),
        (Type::Decimal(a), Type::Decimal(b)) => Some(Type::Decimal(*a.max(b))),
        (Type::Float32, Type::Float64) | (Type::Float64, Type::Float32) => Some(Type::Float64),
        (Type::Tensor(a), Type::Tensor(b)) if a.may_be(b) => {
            let dims = a.dims.iter().zip(&b.dims).map(|(a, b)| common_dimension(a, b)).collect();
            Some(Type::Tensor(TensorType { dims, element: a.element }))
        }
        (Type::Option(_), _) | (_, Type::Option(_)) => {
            common_type(a.required(), b.required()).map(Type::optional)
        }
        _ => None,
    }
}

/// What is known of a dimension that may be either of two: a number, where one of them is a name
/// for it; nothing, where one of them is not known.
fn common_dimension(a: &Dimension, b: &Dimension) -> Dimension {
    match (a, b) {
        (Dimension::Unknown, _) | (_, Dimension::Unknown) => Dimension::Unknown,
        (fixed @ Dimension::Fixed(_), _) | (_, fixed @ Dimension::Fixed(_)) => fixed.clone(),
        (symbol @ Dimension::Symbol(_), Dimension::Symbol(_)) => symbol.clone(),
    }
}

/// `expr` as `ty`, by a cast if it is of another type.
pub(crate) fn coerced(expr: Expr, ty: &Type) -> Expr {
    if expr.ty == *ty {
        return expr;
    }
    let place = expr.place;
    Expr { kind: ExprKind::Cast(Box::new(expr)), ty: ty.clone(), place }
}

/// `expr` with `ty` inside; an option stays an option.
pub(crate) fn retype(expr: Expr, ty: &Type) -> Expr {
    if expr.ty.is_option() { coerced(expr, &ty.clone().optional()) } else { coerced(expr, ty) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::literal::number;

    fn col(ty: Type) -> Expr {
        Expr::column(0, ty)
    }

    fn text(text: &str) -> Expr {
        Expr::literal(Value::string(text), Type::String)
    }

    fn num(text: &str) -> Expr {
        number(text, Place::default()).unwrap()
    }

    /// The result's type, or the fault's operand and message.
    fn check(typed: Typed, expected: &str) {
        let found = match typed {
            Ok(expr) => expr.ty.to_string(),
            Err(fault) => format!("{:?}: {}", fault.operand, fault.message),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn arithmetic_types_are_the_table() {
        use BinaryOp::{Add, Concat, Divide, Multiply, Remainder, Subtract};
        use Type::{Date, Decimal, Duration, Float64, Int64, String, Timestamp};
        let cases = [
            (Add, Int64, Int64, "int64"),
            (Divide, Int64, Int64, "float64"),
            (Divide, Decimal(2), Decimal(3), "float64"),
            (Divide, Duration, Duration, "float64"),
            (Add, Decimal(2), Decimal(3), "decimal<3>"),
            (Multiply, Decimal(2), Decimal(3), "decimal<5>"),
            (Remainder, Duration, Duration, "duration"),
            (Multiply, Int64, Duration, "duration"),
            (Subtract, Timestamp, Timestamp, "duration"),
            (Subtract, Date, Date, "duration"),
            (Subtract, Date, Duration, "date"),
            (Add, Duration, Timestamp, "timestamp"),
            (Add, Int64.optional(), Int64, "option<int64>"),
            (Add, Decimal(1), Decimal(2).optional(), "option<decimal<2>>"),
            (Concat, String, String, "string"),
            (Concat, String.optional(), String, "option<string>"),
            (Add, Int64, Float64, "Some(1): `+` does not take int64 and float64"),
            (Add, Timestamp, Timestamp, "Some(1): `+` does not take timestamp and timestamp"),
            (Add, String, Int64, "Some(0): `+` wants a number, found string"),
            (Add, Int64, String, "Some(1): `+` wants a number, found string"),
            (
                Multiply,
                Decimal(20),
                Decimal(20),
                "None: the product of decimal<20> and decimal<20> would have 40 digits after the \
                 point, decimals have at most 38",
            ),
            (Concat, Int64, String, "Some(0): `++` wants a string or a list, found int64"),
        ];
        for (op, left, right, expected) in cases {
            check(binary(op, col(left), col(right), Place::default()), expected);
        }
    }

    #[test]
    fn comparisons_are_total_for_equality_and_lift_for_order() {
        use BinaryOp::{Equal, Less};
        let status = Type::Enum(vec!["open".into(), "paid".into()].into());
        let other = Type::Enum(vec!["paid".into()].into());
        let at = Place::default();
        check(binary(Equal, col(Type::Int64.optional()), col(Type::Int64), at), "bool");
        check(binary(Less, col(Type::Int64.optional()), col(Type::Int64), at), "option<bool>");
        check(binary(Equal, col(status.clone()), text("paid"), at), "bool");
        check(
            binary(Equal, col(status.clone()), text("payed"), at),
            "Some(1): `payed` is no label of enum<open|paid>",
        );
        check(
            binary(Equal, col(status), col(other), at),
            "Some(1): `==` wants one type on both sides, found enum<open|paid> and enum<paid>",
        );
        check(binary(Less, num("0.05"), col(Type::Decimal(2)), at), "bool");
        let fault = binary(Less, col(Type::Date), text("2026-01-01"), at).unwrap_err();
        assert_eq!(fault.help.as_deref(), Some("a date is written d\"…\""));
    }

    #[test]
    fn literals_take_the_other_sides_type() {
        let at = Place::default();
        let price = || col(Type::Decimal(2));
        check(binary(BinaryOp::Subtract, num("1"), price(), at), "decimal<2>");
        check(binary(BinaryOp::Add, price(), num("0.005"), at), "decimal<3>");
        check(binary(BinaryOp::Multiply, col(Type::Float64), num("2"), at), "float64");
        check(binary(BinaryOp::Add, num("1"), num("2.5"), at), "float64");
        check(binary(BinaryOp::Multiply, col(Type::Duration), num("2"), at), "duration");
        let negative = unary(UnaryOp::Negate, num("3"), at).unwrap();
        assert_eq!(negative.kind, ExprKind::Literal(Value::Int(-3)));
    }

    #[test]
    fn truth_is_two_valued() {
        let at = Place::default();
        let maybe = || col(Type::Bool.optional());
        check(and(vec![col(Type::Bool), col(Type::Bool)], at), "bool");
        check(
            or(vec![col(Type::Bool), maybe()], at),
            "Some(1): `or` wants bool, found option<bool>",
        );
        check(unary(UnaryOp::Not, maybe(), at), "option<bool>");
        let plain = Expr::literal(Value::Bool(false), Type::Bool);
        check(default(maybe(), plain.clone(), at), "bool");
        check(default(plain.clone(), plain, at), "Some(0): `//` wants an option, found bool");
    }

    #[test]
    fn branches_and_lists_find_one_type() {
        let at = Place::default();
        let cond = || col(Type::Bool);
        check(if_else(cond(), col(Type::Int64), col(Type::Int64.optional()), at), "option<int64>");
        check(if_else(cond(), num("1"), col(Type::Decimal(2)), at), "decimal<2>");
        let none = || Expr::literal(Value::None, Type::Bool.optional());
        check(if_else(cond(), num("1"), none(), at), "option<int64>");
        check(if_else(cond(), none(), num("2.5"), at), "option<float64>");
        check(default(none(), num("2"), at), "int64");
        check(
            if_else(cond(), col(Type::Int64), col(Type::String), at),
            "Some(2): `if` wants one type on both sides, found int64 and string",
        );
        check(list(vec![num("1"), num("2.5")], None, at), "list<float64>");
        check(list(vec![], Some(&Type::List(Box::new(Type::Date))), at), "list<date>");
        check(in_list(col(Type::Decimal(2)), vec![num("1"), num("0.5")], at), "bool");
        check(
            in_list(col(Type::Int64), vec![num("1"), text("a")], at),
            "Some(2): `in` wants one type on both sides, found int64 and string",
        );
    }

    #[test]
    fn fields_lift_over_optional_structs() {
        let c = Type::Struct(vec![Field::new("region", Type::String)]);
        let at = Place::default();
        check(field(col(c.clone()), "region", at), "string");
        check(field(col(c.clone().optional()), "region", at), "option<string>");
        let fault = field(col(c), "regoin", at).unwrap_err();
        assert_eq!((fault.kind, fault.candidates.len()), (FaultKind::UnknownField, 1));
        check(field(col(Type::Int64), "x", at), "Some(0): `.x` wants a struct, found int64");
    }

    #[test]
    fn coercion_is_only_upwards() {
        check(coerce(col(Type::Int64), &Type::Int64.optional()), "option<int64>");
        check(coerce(col(Type::Decimal(1)), &Type::Decimal(2)), "decimal<2>");
        check(coerce(num("1"), &Type::Decimal(2).optional()), "option<decimal<2>>");
        let fault = coerce(col(Type::Decimal(3)), &Type::Decimal(2)).unwrap_err();
        assert_eq!(fault.help.as_deref(), Some("round it: round(x, 2)"));
        let fault = coerce(col(Type::Int64.optional()), &Type::Int64).unwrap_err();
        assert_eq!(fault.help.as_deref(), Some("give the value for `none`: x // default"));
    }

    #[test]
    fn a_wrong_type_says_how_to_get_the_wanted_one() {
        let check = |expr: Expr, wanted: Type, expected: Option<&str>| {
            let shown = format!("{} for {wanted}", expr.ty);
            let fault = coerce(expr, &wanted).expect_err(&shown);
            assert_eq!(fault.help.as_deref(), expected, "{shown}");
        };
        let cuts = Some("convert it: int64(x), which cuts off the fraction");
        check(col(Type::Decimal(2)), Type::Int64, cuts);
        check(col(Type::Float64), Type::Int64.optional(), cuts);
        check(col(Type::Int64), Type::Decimal(2), Some("convert it: decimal(x, 2)"));
        let rounds = Some("convert it: decimal(x, 2), which rounds");
        check(col(Type::Float64), Type::Decimal(2), rounds);
        check(col(Type::Decimal(3)), Type::Decimal(2), Some("round it: round(x, 2)"));
        check(col(Type::String), Type::Date, Some("convert it: date(x)"));
        check(text("today"), Type::Date, Some("a date is written d\"…\""));
        check(col(Type::Bool), Type::Float64, None);
        let default = Some("give the value for `none`: x // default");
        check(col(Type::Int64.optional()), Type::Int64, default);
    }
}
