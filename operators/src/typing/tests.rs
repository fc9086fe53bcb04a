//! Which operators take what, and what is said where they do not.

use super::*;
use crate::conversion::coerce;
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
    check(or(vec![col(Type::Bool), maybe()], at), "Some(1): `or` wants bool, found option<bool>");
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
