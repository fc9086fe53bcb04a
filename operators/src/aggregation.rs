//! Typing of the aggregates of a `group` step.

use arqon_types::{Type, Value};

use crate::aggregate::{Aggregate, AggregateFunction};
use crate::call::{Class, NUMBER, SUMMABLE, check_count};
use crate::conversion::retype;
use crate::expr::{Expr, ExprKind, Place};
use crate::fault::{FaultKind, TypeFault, Typed};
use crate::literal::adapt_literal;
use crate::signature::{aggregate_names, find_aggregate};
use crate::typing::want_bool;

/// An aggregate of a `group` step. `empty_group` says that the group is `[]`, which has its row
/// also over nothing.
///
/// Where there may be no value, the type is an option: `min max avg first last quantile` over an
/// option, with a filter or in the empty group; `sum any all` over an option; `stddev` and
/// `variance` always. Counts and lists never are.
///
/// # Errors
/// [`FaultKind::UnknownAggregate`], [`FaultKind::ArgumentCount`], or what is wrong with an
/// argument.
pub fn aggregate(
    name: &str,
    args: Vec<Expr>,
    filter: Option<Expr>,
    empty_group: bool,
    place: Place,
) -> Typed<Aggregate> {
    let Some(signature) = find_aggregate(name) else {
        let message = format!("unknown aggregate `{name}`");
        return Err(TypeFault::new(FaultKind::UnknownAggregate, place, message)
            .with_candidates(name, aggregate_names().map(str::to_owned).collect()));
    };
    check_count(name, args.len(), signature.n_required, signature.parameters, place)?;
    if let Some(filter) = &filter {
        want_bool(filter, signature.parameters.len(), "`where`")?;
    }
    let may_be_empty = empty_group || filter.is_some();
    let mut args = args;
    let ty = aggregate_type(name, signature.function, &mut args, may_be_empty)?;
    Ok(Aggregate { function: signature.function, args, filter, ty, place })
}

fn aggregate_type(
    name: &str,
    function: AggregateFunction,
    args: &mut [Expr],
    may_be_empty: bool,
) -> Typed<Type> {
    use AggregateFunction as A;
    let of_class = |x: &Expr, class: Class| {
        if class.1(x.ty.required()) {
            Ok(())
        } else {
            Err(TypeFault::mismatch(x, 0, format!("`{name}`"), class.0))
        }
    };
    // Singles are added up and averaged as doubles.
    if matches!(function, A::Sum | A::Average | A::StandardDeviation | A::Variance)
        && *args[0].ty.required() == Type::Float32
    {
        args[0] = retype(args[0].clone(), &Type::Float64);
    }
    let option_if = |ty: Type, is_option: bool| if is_option { ty.optional() } else { ty };
    let over_option = args.first().is_some_and(|x| x.ty.is_option());
    let first_type = || args.first().map_or(Type::Bool, |x| x.ty.required().clone());
    Ok(match function {
        A::Count | A::DistinctCount => Type::Int64,
        A::Sum => {
            of_class(&args[0], SUMMABLE)?;
            option_if(first_type(), over_option)
        }
        A::Average => {
            of_class(&args[0], NUMBER)?;
            option_if(Type::Float64, over_option || may_be_empty)
        }
        A::Min | A::Max | A::First | A::Last => {
            option_if(first_type(), over_option || may_be_empty)
        }
        A::Any | A::All => {
            of_class(&args[0], ("bool", |ty| *ty == Type::Bool))?;
            option_if(Type::Bool, over_option)
        }
        A::List => Type::List(Box::new(first_type())),
        A::StandardDeviation | A::Variance => {
            of_class(&args[0], NUMBER)?;
            Type::Float64.optional()
        }
        A::Quantile => {
            let ty = option_if(first_type(), over_option || may_be_empty);
            args[1] = constant_between_0_and_1(name, &args[1])?;
            ty
        }
        A::Top => {
            let ty = Type::List(Box::new(first_type()));
            match &args[1].kind {
                ExprKind::Literal(Value::Int(n)) if *n >= 0 => ty,
                ExprKind::Literal(Value::Int(_)) => {
                    let message = "`top` wants a count of 0 or more".to_owned();
                    return Err(
                        TypeFault::new(FaultKind::OutOfRange, args[1].place, message).at_operand(1)
                    );
                }
                _ if args[1].ty == Type::Int64 => {
                    return Err(not_constant(name, &args[1]));
                }
                _ => {
                    return Err(TypeFault::mismatch(&args[1], 1, format!("`{name}`"), "int64"));
                }
            }
        }
    })
}

fn not_constant(name: &str, expr: &Expr) -> Box<TypeFault> {
    let message = format!("`{name}` wants a constant here");
    TypeFault::new(FaultKind::NotConstant, expr.place, message).at_operand(1)
}

fn constant_between_0_and_1(name: &str, expr: &Expr) -> Typed {
    let expr = adapt_literal(expr.clone(), &Type::Float64).map_err(|fault| fault.at_operand(1))?;
    match &expr.kind {
        ExprKind::Literal(Value::Float(q)) if (0.0..=1.0).contains(&q.get()) => Ok(expr),
        ExprKind::Literal(Value::Float(_)) => {
            let message = format!("`{name}` wants a constant from 0 to 1");
            Err(TypeFault::new(FaultKind::OutOfRange, expr.place, message).at_operand(1))
        }
        _ if expr.ty == Type::Float64 => Err(not_constant(name, &expr)),
        _ => Err(TypeFault::mismatch(&expr, 1, format!("`{name}`"), "float64")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::literal::number;

    fn col(ty: Type) -> Expr {
        Expr::column(0, ty)
    }

    fn num(text: &str) -> Expr {
        number(text, Place::default()).unwrap()
    }

    fn outcome(typed: Typed<Type>) -> String {
        match typed {
            Ok(ty) => ty.to_string(),
            Err(fault) => format!("{:?}: {}", fault.operand, fault.message),
        }
    }

    #[test]
    fn aggregates_are_options_where_there_may_be_no_value() {
        let at = Place::default();
        let truth = || Some(col(Type::Bool));
        let maybe = || col(Type::Int64.optional());
        let check =
            |name: &str, args: Vec<Expr>, filter: Option<Expr>, empty: bool, expected: &str| {
                let typed = aggregate(name, args, filter, empty, at).map(|aggregate| aggregate.ty);
                assert_eq!(outcome(typed), expected, "{name}");
            };
        check("count", vec![maybe()], truth(), true, "int64");
        check("sum", vec![col(Type::Decimal(2))], truth(), true, "decimal<2>");
        check("sum", vec![maybe()], None, false, "option<int64>");
        check("avg", vec![col(Type::Int64)], None, false, "float64");
        check("avg", vec![col(Type::Int64)], truth(), false, "option<float64>");
        check("min", vec![col(Type::String)], None, true, "option<string>");
        check("last", vec![col(Type::String), col(Type::Timestamp)], None, false, "string");
        check("list", vec![maybe()], None, false, "list<int64>");
        check("variance", vec![col(Type::Float64)], None, false, "option<float64>");
        check("quantile", vec![col(Type::Int64), num("1")], None, false, "int64");
        check(
            "quantile",
            vec![col(Type::Int64), num("1.5")],
            None,
            false,
            "Some(1): `quantile` wants a constant from 0 to 1",
        );
        check("top", vec![maybe(), num("3")], None, false, "list<int64>");
        check(
            "top",
            vec![maybe(), maybe()],
            None,
            false,
            "Some(1): `top` wants int64, found option<int64>",
        );
        check(
            "sum",
            vec![col(Type::String)],
            None,
            false,
            "Some(0): `sum` wants a number or duration, found string",
        );
        check("any", vec![col(Type::Int64)], None, false, "Some(0): `any` wants bool, found int64");
        assert_eq!(
            aggregate("averge", vec![], None, false, at).unwrap_err().kind,
            FaultKind::UnknownAggregate
        );
    }
}
