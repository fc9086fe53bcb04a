//! `list[n]`, `map["key"]` and `tensor[n]`: typing, and where a position stands.
//!
//! Positions count from 1, as everywhere in the language. A position outside is the row's failure;
//! a key that is not there is `none`, since nothing says which keys a map has.

use arqon_types::{Dimension, ElementType, TensorType, Type, Value};

use crate::eval_error::Failure;
use crate::expr::{Expr, ExprKind, Place};
use crate::fault::{FaultKind, TypeFault, Typed};
use crate::function::{Function, TensorFunction};
use crate::literal::adapt_literal;

/// `of[index]`; lifts over options of either.
///
/// # Errors
/// [`FaultKind::Mismatch`] if `of` has no items or the index is of another type (operand 1),
/// [`FaultKind::OutOfRange`] if a constant position is known to be outside.
pub(crate) fn item(of: Expr, index: Expr, place: Place) -> Typed {
    let (wanted, ty, function, n_items) = match of.ty.required() {
        Type::List(inner) => (Type::Int64, inner.as_ref().clone(), Function::Item, None),
        Type::Map(inner) => (Type::String, inner.as_ref().clone().optional(), Function::Item, None),
        Type::Tensor(tensor) if !tensor.dims.is_empty() => {
            let n_items = match tensor.dims[0] {
                Dimension::Fixed(size) => Some(size),
                Dimension::Symbol(_) | Dimension::Unknown => None,
            };
            (Type::Int64, below(tensor), Function::OfTensor(TensorFunction::Item), n_items)
        }
        _ => return Err(not_indexable(&of)),
    };
    let index = adapt_literal(index, &wanted).map_err(|fault| fault.at_operand(1))?;
    if *index.ty.required() != wanted {
        let what = if wanted == Type::String { "a key" } else { "a position" };
        let fault = TypeFault::mismatch(&index, 1, what, wanted.to_string());
        return Err(match (of.ty.required(), index.ty.required()) {
            (Type::Map(_), Type::Int64) => fault.with_help("a map's keys are strings: m[\"key\"]"),
            _ => fault,
        });
    }
    if let ExprKind::Literal(Value::Int(position)) = &index.kind {
        let inside = u64::try_from(*position)
            .is_ok_and(|position| position >= 1 && n_items.is_none_or(|n| position <= n));
        if !inside {
            let message = match n_items {
                Some(n) => format!("the positions are 1 to {n}, found {position}"),
                None => format!("positions count from 1, found {position}"),
            };
            return Err(TypeFault::new(FaultKind::OutOfRange, index.place, message)
                .at_operand(1)
                .with_help("the first item is at 1"));
        }
    }
    let lifted = of.ty.is_option() || index.ty.is_option();
    let ty = if lifted { ty.optional() } else { ty };
    Ok(Expr { kind: ExprKind::Call { function, args: vec![of, index] }, ty, place })
}

fn not_indexable(of: &Expr) -> Box<TypeFault> {
    let fault = TypeFault::mismatch(of, 0, "`[…]`", "a list, map or tensor");
    match of.ty.required() {
        Type::String => fault.with_help("characters are taken by substr(s, start, length)"),
        Type::Struct(_) => fault.with_help("a field is taken with a point: `row.field`"),
        _ => fault,
    }
}

/// What an item of a tensor is: an element, or the tensor of the dimensions below.
fn below(tensor: &TensorType) -> Type {
    if tensor.dims.len() > 1 {
        let dims = tensor.dims[1..].to_vec();
        return Type::Tensor(TensorType { dims, element: tensor.element });
    }
    match tensor.element {
        ElementType::F32 => Type::Float32,
        ElementType::F64 => Type::Float64,
        ElementType::I64 | ElementType::U8 => Type::Int64,
        ElementType::Bool => Type::Bool,
    }
}

/// The place, from 0, of `position`, from 1, among `n_items`.
pub(crate) fn place(position: i64, n_items: usize) -> Result<usize, Failure> {
    let at = position.checked_sub(1).and_then(|at| usize::try_from(at).ok());
    at.filter(|at| *at < n_items).ok_or_else(|| {
        let message = match n_items {
            0 => format!("there is no item {position}, there are none"),
            n => format!("there is no item {position}, the positions are 1 to {n}"),
        };
        Failure::argument(message)
    })
}
