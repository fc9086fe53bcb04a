//! What becomes a value of another type: by itself where that type is declared, and by a cast where
//! one is written.

use arqon_types::{Dimension, TensorType, Type};

use crate::expr::{Expr, ExprKind};
use crate::fault::{FaultKind, TypeFault, Typed};
use crate::literal::{adapt_literal, is_literal, literal_help};

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

/// How two number types that do not mix are made to.
pub(crate) fn conversion_help(left: &Type, right: &Type) -> Option<String> {
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
        (Type::String, other) | (other, Type::String) => literal_help(other, "…"),
        (Type::Timestamp, Type::Date) | (Type::Date, Type::Timestamp) => {
            Some("convert one of them: date(x), or timestamp(x)".to_owned())
        }
        _ => None,
    }
}

/// How a value becomes what is wanted in its place.
fn cast_help(wanted: &Type, found: &Type, is_literal: bool) -> Option<String> {
    if is_literal && let Some(help) = literal_help(wanted, "…") {
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
