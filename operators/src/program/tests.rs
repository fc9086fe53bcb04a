//! The law of vectorised evaluation: it gives what row-wise evaluation gives, failures included.

mod catalogue;

use arqon_types::{ColumnBatch, Dimension, ElementType, Elements, Field, Row, Tensor, TensorType};
use proptest::prelude::*;

use super::*;
use crate::call::{Arg, call};
use crate::conversion;
use crate::expr::{ExprKind, Place};
use crate::fault::Typed;
use crate::index::item;
use crate::typing;

fn decimal(scale: u8) -> Type {
    Type::Decimal(scale)
}

fn ints() -> Type {
    Type::List(Box::new(Type::Int64))
}

fn status() -> Type {
    Type::Enum(vec!["open".into(), "paid".into(), "void".into()].into())
}

fn plane() -> Type {
    Type::Struct(vec![
        Field::new("year", Type::Int64.optional()),
        Field::new("maker", Type::String),
    ])
}

fn counts() -> Type {
    Type::Map(Box::new(Type::Int64))
}

fn tensor(n_dims: usize, element: ElementType) -> Type {
    Type::Tensor(TensorType { dims: vec![Dimension::Unknown; n_dims], element })
}

fn vector() -> Type {
    tensor(1, ElementType::F64)
}

fn matrix() -> Type {
    tensor(2, ElementType::I64)
}

const N_PLAIN: u32 = 18;
const N_TYPES: u32 = 2 * N_PLAIN;

/// Every plain type, and then an option of each.
fn schema() -> Vec<Type> {
    let plain = [
        Type::Int64,
        Type::Float64,
        decimal(2),
        decimal(4),
        Type::Bool,
        Type::String,
        Type::Timestamp,
        Type::Date,
        Type::Duration,
        Type::Uuid,
        status(),
        ints(),
        plane(),
        Type::Float32,
        Type::Bytes,
        counts(),
        vector(),
        matrix(),
    ];
    let options: Vec<Type> = plain.iter().cloned().map(Type::optional).collect();
    plain.into_iter().chain(options).collect()
}

/// Decisions taken from a list of numbers; 0 when they are used up.
struct Choices<'a> {
    numbers: &'a [u32],
    at: usize,
}

impl Choices<'_> {
    fn below(&mut self, n: u32) -> u32 {
        let number = self.numbers.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        number % n
    }

    fn place(&self) -> Place {
        Place { line: 1, column: u32::try_from(self.at).unwrap() }
    }

    fn value(&mut self, ty: &Type) -> Value {
        let pick = self.below(12);
        match ty {
            Type::Int64 => Value::Int(
                [0, 1, -1, 2, 3, 7, -12, 100, 1 << 40, i64::MAX, i64::MIN, 5][pick as usize],
            ),
            Type::Float64 => Value::float(
                [
                    0.0,
                    -0.0,
                    1.5,
                    -2.25,
                    0.1,
                    1e300,
                    1e-300,
                    f64::NAN,
                    f64::INFINITY,
                    2.0,
                    2.5,
                    -7.0,
                ][pick as usize],
            ),
            Type::Float32 => Value::float32(
                [0.0, -0.0, 1.5, -2.25, 0.1, 1e38, 1e-45, f32::NAN, f32::INFINITY, 2.0, 3.3, -7.0]
                    [pick as usize],
            ),
            Type::Bytes => Value::Bytes(
                [&b""[..], b"a", b"ab", b"\0", b"\0\xFF", b"\xC3"][pick as usize % 6].into(),
            ),
            Type::Map(inner) => Value::map((0..pick % 3).map(|_| {
                let key = ["", "a", "b"][self.below(3) as usize];
                (key.into(), self.value(inner))
            })),
            Type::Tensor(ty) => {
                let shape: Vec<u32> = ty.dims.iter().map(|_| self.below(3)).collect();
                let n: u32 = shape.iter().product();
                let elements = if ty.element == ElementType::I64 {
                    let numbers = [0, 1, -2, i64::MAX];
                    Elements::I64((0..n).map(|_| numbers[self.below(4) as usize]).collect())
                } else {
                    let numbers = [0.0, 1.5, -2.0, 1e300, f64::NAN];
                    Elements::F64((0..n).map(|_| numbers[self.below(5) as usize]).collect())
                };
                Value::Tensor(Tensor::try_new(shape, elements).unwrap().into())
            }
            Type::Decimal(_) => Value::Decimal(
                [0, 1, -1, 250, 12345, -12355, 1 << 70, i128::MAX, i128::MIN, 100, 50, 99]
                    [pick as usize],
            ),
            Type::Bool => Value::Bool(pick.is_multiple_of(2)),
            Type::String => Value::string(
                ["", "a", "b", "ab", "12", "1.5", "é%", "true", "2026-01-31", "5m", "a b ", "x\0y"]
                    [pick as usize],
            ),
            Type::Timestamp => Value::Timestamp(
                [0, -1, 1_700_000_000_000_000_000, i64::MAX, i64::MIN, 86_400_000_000_000]
                    [pick as usize % 6],
            ),
            Type::Date => {
                Value::Date([0, -1, 19_000, i32::MAX, i32::MIN, 11_016][pick as usize % 6])
            }
            Type::Duration => Value::Duration(
                [0, 1, 86_400_000_000_000, -86_400_000_000_000 * 30, i64::MAX, i64::MIN]
                    [pick as usize % 6],
            ),
            Type::Uuid => Value::Uuid(u128::from(pick)),
            Type::Enum(labels) => Value::Enum(pick % u32::try_from(labels.len()).unwrap()),
            Type::List(inner) => Value::List((0..pick % 4).map(|_| self.value(inner)).collect()),
            Type::Struct(fields) => {
                Value::Struct(fields.iter().map(|field| self.value(&field.ty)).collect())
            }
            Type::Option(_) if pick.is_multiple_of(3) => Value::None,
            Type::Option(inner) => self.value(inner),
        }
    }

    fn leaf(&mut self, ty: &Type) -> Expr {
        let place = self.place();
        let column = schema().iter().position(|known| known == ty);
        match column {
            Some(idx) if self.below(3) > 0 => {
                Expr { kind: ExprKind::Column(idx), ty: ty.clone(), place }
            }
            _ => {
                let value = self.value(ty);
                Expr { kind: ExprKind::Literal(value), ty: ty.clone(), place }
            }
        }
    }

    /// An expression of exactly this type.
    fn expr(&mut self, ty: &Type, depth: u32) -> Expr {
        if depth == 0 {
            return self.leaf(ty);
        }
        match self.production(ty, depth - 1) {
            Ok(expr) if expr.ty == *ty => expr,
            Ok(_) | Err(_) => self.leaf(ty),
        }
    }

    fn production(&mut self, ty: &Type, depth: u32) -> Typed {
        let at = self.place();
        match self.below(9) {
            0 => return Ok(self.leaf(ty)),
            1 => {
                let condition = self.expr(&Type::Bool, depth);
                let (then, otherwise) = (self.expr(ty, depth), self.expr(ty, depth));
                return typing::if_else(condition, then, otherwise, at);
            }
            2 => {
                let of = self.expr(&ty.clone().optional(), depth);
                return typing::default(of, self.expr(ty, depth), at);
            }
            _ => {}
        }
        match ty {
            Type::Option(inner) => self.option(inner, depth, at),
            Type::Int64 => self.int(depth, at),
            Type::Float64 => self.float(depth, at),
            Type::Decimal(scale) => self.decimal(*scale, depth, at),
            Type::Bool => self.truth(depth, at),
            Type::String => self.string(depth, at),
            Type::Timestamp | Type::Date | Type::Duration => self.time(ty, depth, at),
            Type::List(_) => self.list(depth, at),
            Type::Struct(_) => {
                let year = self.expr(&Type::Int64.optional(), depth);
                let maker = self.expr(&Type::String, depth);
                Ok(typing::structure(vec![("year".into(), year), ("maker".into(), maker)], at))
            }
            Type::Uuid => self.call("uuid", &[Type::String], depth, at),
            Type::Float32 => self.single(depth, at),
            Type::Bytes => self.bytes(depth, at),
            Type::Tensor(ty) if ty.dims.len() == 1 => self.vector(depth, at),
            Type::Tensor(_) => self.matrix(depth, at),
            Type::Map(_) => Ok(self.leaf(ty)),
            Type::Enum(_) => Ok(self.leaf(ty)),
        }
    }

    fn call(&mut self, name: &str, types: &[Type], depth: u32, at: Place) -> Typed {
        let args = types.iter().map(|ty| Arg::Value(self.expr(ty, depth))).collect();
        call(name, args, at)
    }

    fn binary(&mut self, op: BinaryOp, left: &Type, right: &Type, depth: u32, at: Place) -> Typed {
        let (left, right) = (self.expr(left, depth), self.expr(right, depth));
        typing::binary(op, left, right, at)
    }

    fn arithmetic_op(&mut self) -> BinaryOp {
        use BinaryOp::{Add, Multiply, Remainder, Subtract};
        [Add, Subtract, Multiply, Remainder][self.below(4) as usize]
    }

    fn option(&mut self, inner: &Type, depth: u32, at: Place) -> Typed {
        let plain = self.below(2) == 0;
        let operand = if plain { inner.clone() } else { inner.clone().optional() };
        match self.below(4) {
            0 => self.call("try", &[operand], depth, at),
            1 => conversion::coerce(self.expr(inner, depth), &inner.clone().optional()),
            2 if *inner == Type::Bool => {
                let left = schema()[self.below(N_TYPES) as usize].clone();
                self.binary(BinaryOp::Less, &left.clone().optional(), left.required(), depth, at)
            }
            2 if *inner == Type::String => {
                let name = ["lower", "upper", "trim"][self.below(3) as usize];
                self.call(name, &[inner.clone().optional()], depth, at)
            }
            2 => {
                let op = self.arithmetic_op();
                self.binary(op, inner, &inner.clone().optional(), depth, at)
            }
            _ if *inner == Type::Int64 && plain => self.item(&counts(), &Type::String, depth, at),
            _ if *inner == Type::Int64 => {
                let of = self.expr(&plane().optional(), depth);
                typing::field(of, "year", at)
            }
            _ if *inner == Type::String => {
                let of = self.expr(&plane().optional(), depth);
                typing::field(of, "maker", at)
            }
            _ => {
                let of = self.expr(&inner.clone().optional(), depth);
                typing::unary(UnaryOp::Negate, of, at)
            }
        }
    }

    /// `of[index]`
    fn item(&mut self, of: &Type, index: &Type, depth: u32, at: Place) -> Typed {
        let (of, index) = (self.expr(of, depth), self.expr(index, depth));
        item(of, index, at)
    }

    fn single(&mut self, depth: u32, at: Place) -> Typed {
        use Type::{Float32, Float64, Int64, String};
        match self.below(6) {
            0 => {
                let from = [Int64, Float64, decimal(4), String, Float32];
                let from = from[self.below(5) as usize].clone();
                self.call("float32", &[from], depth, at)
            }
            1 => {
                let name = ["floor", "ceil", "round", "abs"][self.below(4) as usize];
                self.call(name, &[Float32], depth, at)
            }
            2 => self.call("round", &[Float32, Int64], depth, at),
            3 => self.call("max", &[Float32, Float32], depth, at),
            4 => self.binary(BinaryOp::Divide, &Float32, &Float32, depth, at),
            _ => {
                let op = self.arithmetic_op();
                self.binary(op, &Float32, &Float32, depth, at)
            }
        }
    }

    fn bytes(&mut self, depth: u32, at: Place) -> Typed {
        use Type::{Bytes, String};
        match self.below(4) {
            0 => {
                let name = ["bytes", "from_hex", "from_base64"][self.below(3) as usize];
                self.call(name, &[String], depth, at)
            }
            1 => self.call("sha256", &[Bytes], depth, at),
            _ => self.binary(BinaryOp::Concat, &Bytes, &Bytes, depth, at),
        }
    }

    fn vector(&mut self, depth: u32, at: Place) -> Typed {
        match self.below(5) {
            0 => self.call("slice", &[vector(), Type::Int64, Type::Int64], depth, at),
            1 => self.call("concat", &[vector(), vector()], depth, at),
            2 => {
                let row = self.item(&matrix(), &Type::Int64, depth, at)?;
                as_floats(row, at)
            }
            3 => {
                let matrix = self.expr(&matrix(), depth);
                let matrix = as_floats(matrix, at)?;
                let vector = Arg::Value(self.expr(&vector(), depth));
                call("matmul", vec![Arg::Value(matrix), vector], at)
            }
            _ => self.call("tensor", &[Type::List(Box::new(Type::Float64))], depth, at),
        }
    }

    fn matrix(&mut self, depth: u32, at: Place) -> Typed {
        match self.below(4) {
            0 => self.call("slice", &[matrix(), Type::Int64], depth, at),
            1 => self.call("concat", &[matrix(), matrix()], depth, at),
            2 => {
                let sizes = [1, 2].map(|n| Expr::literal(Value::Int(n), Type::Int64));
                let sizes = typing::list(sizes.into(), None, at)?;
                let to = tensor(2, ElementType::I64);
                let of = Arg::Value(self.expr(&matrix(), depth));
                conversion::coerce(call("reshape", vec![of, Arg::Value(sizes)], at)?, &to)
            }
            _ => self.call("matmul", &[matrix(), matrix()], depth, at),
        }
    }

    fn int(&mut self, depth: u32, at: Place) -> Typed {
        use Type::{Bool, Bytes, Date, Duration, Float64, Int64, String, Timestamp};
        match self.below(12) {
            9 => {
                let of = [Bytes, counts()][self.below(2) as usize].clone();
                self.call("len", &[of], depth, at)
            }
            10 => self.call("sum", &[matrix()], depth, at),
            11 => self.item(&ints(), &Int64, depth, at),
            0 => self.call("len", &[String], depth, at),
            1 => self.call("div", &[Int64, Int64], depth, at),
            2 => {
                let name = ["year", "month", "day"][self.below(3) as usize];
                let of = if self.below(2) == 0 { Date } else { Timestamp };
                self.call(name, &[of], depth, at)
            }
            3 => {
                let from = [Bool, Float64, decimal(2), String, Timestamp, Date, Duration];
                let from = from[self.below(7) as usize].clone();
                self.call("int64", &[from], depth, at)
            }
            4 => {
                let name = ["min", "max"][self.below(2) as usize];
                self.call(name, &[Int64, Int64], depth, at)
            }
            5 => {
                let key = schema()[self.below(N_TYPES) as usize].clone();
                self.call("hash", &[Int64, key], depth, at)
            }
            6 => self.call("sum", &[ints()], depth, at),
            7 => self.call("abs", &[Int64], depth, at),
            _ => {
                let op = self.arithmetic_op();
                self.binary(op, &Int64, &Int64, depth, at)
            }
        }
    }

    fn float(&mut self, depth: u32, at: Place) -> Typed {
        use Type::{Duration, Float64, Int64};
        match self.below(10) {
            7 => {
                let name = ["norm", "rms", "mean", "sum"][self.below(4) as usize];
                self.call(name, &[vector()], depth, at)
            }
            8 => self.call("dot", &[vector(), vector()], depth, at),
            9 => self.item(&vector(), &Int64, depth, at),
            0 => {
                let of = [Int64, Float64, decimal(2), decimal(4), Duration];
                let of = of[self.below(5) as usize].clone();
                self.binary(BinaryOp::Divide, &of, &of, depth, at)
            }
            1 => {
                let from = [Int64, decimal(4), Type::String, Type::Float32];
                let from = from[self.below(4) as usize].clone();
                self.call("float64", &[from], depth, at)
            }
            2 => {
                let name = ["sqrt", "floor", "ceil", "round", "abs", "ln"][self.below(6) as usize];
                self.call(name, &[Float64], depth, at)
            }
            3 => self.call("round", &[Float64, Int64], depth, at),
            4 => self.call("clamp", &[Float64, Float64, Float64], depth, at),
            _ => {
                let op = self.arithmetic_op();
                self.binary(op, &Float64, &Float64, depth, at)
            }
        }
    }

    fn decimal(&mut self, scale: u8, depth: u32, at: Place) -> Typed {
        let number = |scale: u8| Expr::literal(Value::Int(i64::from(scale)), Type::Int64);
        match self.below(6) {
            0 if scale == 4 => self.binary(BinaryOp::Multiply, &decimal(2), &decimal(2), depth, at),
            1 => {
                let of = Arg::Value(self.expr(&decimal(4), depth));
                call("round", vec![of, Arg::Value(number(scale))], at)
            }
            2 => {
                let from = [Type::Int64, Type::Float64, decimal(2), decimal(4), Type::String];
                let from = from[self.below(5) as usize].clone();
                let of = Arg::Value(self.expr(&from, depth));
                call("decimal", vec![of, Arg::Value(number(scale))], at)
            }
            3 => typing::unary(UnaryOp::Negate, self.expr(&decimal(scale), depth), at),
            _ => {
                let op = [BinaryOp::Add, BinaryOp::Subtract, BinaryOp::Remainder];
                let op = op[self.below(3) as usize];
                self.binary(op, &decimal(2), &decimal(scale), depth, at)
            }
        }
    }

    fn truth(&mut self, depth: u32, at: Place) -> Typed {
        use BinaryOp::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
        match self.below(10) {
            9 => self.call("contains", &[counts(), Type::String], depth, at),
            0 | 1 => {
                let n = 2 + self.below(2);
                let operands = (0..n).map(|_| self.expr(&Type::Bool, depth)).collect();
                if self.below(2) == 0 {
                    typing::and(operands, at)
                } else {
                    typing::or(operands, at)
                }
            }
            2 => typing::unary(UnaryOp::Not, self.expr(&Type::Bool, depth), at),
            3 => {
                let of = schema()[self.below(N_TYPES) as usize].clone();
                let items = (0..self.below(4)).map(|_| self.expr(&of, depth)).collect();
                typing::in_list(self.expr(&of, depth), items, at)
            }
            4 => {
                let name = ["like", "contains", "starts_with", "ends_with"];
                let name = name[self.below(4) as usize];
                self.call(name, &[Type::String, Type::String], depth, at)
            }
            5 => {
                let of = schema()[(N_PLAIN + self.below(N_PLAIN)) as usize].clone();
                self.call("is_some", &[of], depth, at)
            }
            6 => {
                let op = [Equal, NotEqual][self.below(2) as usize];
                let of = schema()[self.below(N_TYPES) as usize].clone();
                self.binary(op, &of, &of.clone().optional(), depth, at)
            }
            7 => {
                let name = ["any", "all"][self.below(2) as usize];
                let items = Arg::Value(self.expr(&ints(), depth));
                let bound = self.expr(&Type::Int64, 0);
                let mut body = |types: &[Type]| quotient_above(types, bound.clone(), at);
                call(name, vec![items, Arg::Lambda { n_params: 1, place: at, body: &mut body }], at)
            }
            _ => {
                let op = [Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual];
                let op = op[self.below(6) as usize];
                let of = schema()[self.below(N_PLAIN) as usize].clone();
                // Decimals of any scales are compared.
                let other = if of == decimal(2) { decimal(4) } else { of.clone() };
                self.binary(op, &of, &other, depth, at)
            }
        }
    }

    fn string(&mut self, depth: u32, at: Place) -> Typed {
        use Type::{Bytes, Float32, Int64, String};
        match self.below(7) {
            5 => {
                let from = [Bytes, Float32][self.below(2) as usize].clone();
                self.call("string", &[from], depth, at)
            }
            6 => {
                let name = ["hex", "base64"][self.below(2) as usize];
                self.call(name, &[Bytes], depth, at)
            }
            0 => self.call("substr", &[String, Int64, Int64], depth, at),
            1 => {
                let from = schema()[self.below(11) as usize].clone();
                self.call("string", &[from], depth, at)
            }
            2 => self.call("replace", &[String, String, String], depth, at),
            3 => {
                let name = ["lower", "upper", "trim"][self.below(3) as usize];
                self.call(name, &[String], depth, at)
            }
            _ => self.binary(BinaryOp::Concat, &String, &String, depth, at),
        }
    }

    fn time(&mut self, ty: &Type, depth: u32, at: Place) -> Typed {
        use Type::{Date, Duration, Int64, Timestamp};
        let op = [BinaryOp::Add, BinaryOp::Subtract][self.below(2) as usize];
        match (self.below(3), ty) {
            (0, Duration) => self.binary(BinaryOp::Subtract, &Date, &Date, depth, at),
            (1, Duration) => self.binary(BinaryOp::Subtract, &Timestamp, &Timestamp, depth, at),
            (_, Duration) => self.binary(BinaryOp::Multiply, &Duration, &Int64, depth, at),
            (0, _) => self.call("add_months", &[ty.clone(), Int64], depth, at),
            (1, Timestamp) => self.call("trunc", &[Timestamp, Duration], depth, at),
            (1, _) => {
                let unit = ["year", "quarter", "month", "week", "day"][self.below(5) as usize];
                let unit = Expr::literal(Value::string(unit), Type::String);
                let of = self.expr(ty, depth);
                call("trunc", vec![Arg::Value(of), Arg::Value(unit)], at)
            }
            _ => self.binary(op, ty, &Duration, depth, at),
        }
    }

    fn list(&mut self, depth: u32, at: Place) -> Typed {
        match self.below(5) {
            0 => {
                let items = (0..self.below(3)).map(|_| self.expr(&Type::Int64, depth)).collect();
                typing::list(items, Some(&ints()), at)
            }
            1 => self.call("slice", &[ints(), Type::Int64, Type::Int64], depth, at),
            2 => self.call("sort", &[ints()], depth, at),
            3 => {
                let items = Arg::Value(self.expr(&ints(), depth));
                let bound = self.expr(&Type::Int64, 0);
                let mut body = |types: &[Type]| quotient_above(types, bound.clone(), at);
                let lambda = Arg::Lambda { n_params: 1, place: at, body: &mut body };
                call("filter", vec![items, lambda], at)
            }
            _ => self.binary(BinaryOp::Concat, &ints(), &ints(), depth, at),
        }
    }
}

/// `cast(of, "f64")`
fn as_floats(of: Expr, at: Place) -> Typed {
    let element = Expr::literal(Value::string("f64"), Type::String);
    call("cast", vec![Arg::Value(of), Arg::Value(element)], at)
}

/// `x -> 100 / x > bound`, which may fail.
fn quotient_above(types: &[Type], bound: Expr, at: Place) -> Typed {
    let x = Expr { kind: ExprKind::Local(0), ty: types[0].clone(), place: at };
    let hundred = Expr::literal(Value::Int(100), Type::Int64);
    let quotient = call("div", vec![Arg::Value(hundred), Arg::Value(x)], at)?;
    typing::binary(BinaryOp::Greater, quotient, bound, at)
}

fn random_rows(seed: u64, n_rows: usize) -> Vec<Row> {
    let mut state = seed;
    let numbers: Vec<u32> = (0..n_rows * 150)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            u32::try_from(state >> 33).unwrap()
        })
        .collect();
    let mut choices = Choices { numbers: &numbers, at: 0 };
    (0..n_rows).map(|_| schema().iter().map(|ty| choices.value(ty)).collect()).collect()
}

/// Vectorised and row by row, over all rows and over a selection.
fn check(expr: &Expr, rows: &[Row]) {
    let types = schema();
    let mut batch = ColumnBatch::empty(&types);
    for row in rows {
        batch.push(row, 1);
    }
    let program = Program::new(expr);
    let all: Vec<u32> = (0..rows.len()).map(index).collect();
    let some: Vec<u32> = all.iter().rev().step_by(2).copied().collect();
    for (evaluated, selection) in [
        (program.evaluate(Rows::all(&batch)), all),
        (program.evaluate(Rows::selected(&batch, &some)), some.clone()),
    ] {
        assert_eq!(evaluated.column.len(), selection.len());
        let mut errors = evaluated.errors.iter().peekable();
        for (position, row_idx) in selection.iter().enumerate() {
            let failed = errors.next_if(|(at, _)| *at == position);
            let found = match failed {
                Some((_, error)) => Err(error.clone()),
                None => Ok(evaluated.column.value(position, &expr.ty)),
            };
            let expected = eval(expr, &rows[*row_idx as usize]);
            if let Ok(value) = &expected {
                assert!(value.fits(&expr.ty), "{value:?} is no {}", expr.ty);
            }
            assert_eq!(found, expected, "{expr:#?}\n{:?}", rows[*row_idx as usize]);
        }
        assert_eq!(errors.next(), None);
        assert!(program.can_fail() || evaluated.errors.is_empty());
    }
    if expr.ty == Type::Bool {
        let truth = |row: &Row| eval(expr, row) == Ok(Value::Bool(true));
        let expected: Vec<u32> =
            some.iter().filter(|idx| truth(&rows[**idx as usize])).copied().collect();
        assert_eq!(program.select(Rows::selected(&batch, &some)).selection, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn columns_give_what_rows_give(
        shape in prop::collection::vec(any::<u32>(), 1..120),
        seed in any::<u64>(),
        n_rows in 0_usize..12,
        ty in 0..N_TYPES as usize,
        depth in 1_u32..5,
    ) {
        let rows = random_rows(seed, n_rows);
        let expr = Choices { numbers: &shape, at: 0 }.expr(&schema()[ty], depth);
        check(&expr, &rows);
    }
}

#[test]
fn narrow_branches_report_only_rows_that_take_them() {
    let at = Place::default();
    let column = |idx: usize| Expr::column(idx, schema()[idx].clone());
    let number = |n| Expr::literal(Value::Int(n), Type::Int64);
    let quotient = call("div", vec![Arg::Value(number(10)), Arg::Value(column(0))], at).unwrap();
    let nonzero = typing::binary(BinaryOp::NotEqual, column(0), number(0), at).unwrap();
    let large = typing::binary(BinaryOp::Greater, quotient.clone(), number(1), at).unwrap();
    let guarded = typing::and(vec![nonzero.clone(), large.clone()], at).unwrap();
    let chosen = typing::if_else(nonzero, quotient, number(0), at).unwrap();
    let rows = random_rows(7, 12);
    for expr in [&guarded, &chosen, &large] {
        check(expr, &rows);
    }
    let mut batch = ColumnBatch::empty(&schema());
    for row in &rows {
        batch.push(row, 1);
    }
    assert!(Program::new(&guarded).evaluate(Rows::all(&batch)).errors.is_empty());
}
