//! Typing of calls: functions, casts, `try` and lambdas.

mod tensor;
mod text;

use arqon_types::{SCALE_MAX, Type, Value};

use crate::conversion::{coerce, common_type, has_cast, retype};
use crate::expr::{Expr, ExprKind, Place};
use crate::fault::{FaultKind, TypeFault, Typed};
use crate::function::Function;
use crate::index::item;
use crate::invoke::looks_at_options;
use crate::literal::adapt_literal;
use crate::signature::{Callee, CastTarget, find_function, function_names};
use crate::typing::want_bool;

/// An argument of a call.
pub enum Arg<'a> {
    /// An expression.
    Value(Expr),
    /// `x -> body`: given the types of its parameters, the compiler types the body, in which the
    /// last parameter is `Local(0)`.
    Lambda {
        /// How many parameters the text has.
        n_params: usize,
        /// Where it stands.
        place: Place,
        /// Types the body.
        body: &'a mut dyn FnMut(&[Type]) -> Typed,
    },
}

impl std::fmt::Debug for Arg<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value(expr) => f.debug_tuple("Value").field(expr).finish(),
            Self::Lambda { n_params, place, .. } => f
                .debug_struct("Lambda")
                .field("n_params", n_params)
                .field("place", place)
                .finish_non_exhaustive(),
        }
    }
}

/// Units that `trunc` takes as a text.
pub(crate) const TRUNC_UNITS: [&str; 8] =
    ["year", "quarter", "month", "week", "day", "hour", "minute", "second"];

/// A call of the function, cast or `try` of that name.
///
/// # Errors
/// [`FaultKind::UnknownFunction`], [`FaultKind::ArgumentCount`], or what is wrong with an argument.
pub fn call(name: &str, args: Vec<Arg<'_>>, place: Place) -> Typed {
    let Some(signature) = find_function(name) else {
        let message = format!("unknown function `{name}`");
        return Err(TypeFault::new(FaultKind::UnknownFunction, place, message)
            .with_candidates(name, function_names().map(str::to_owned).collect()));
    };
    if signature.callee != Callee::Format || args.is_empty() {
        check_count(name, args.len(), signature.n_required, signature.parameters, place)?;
    }
    let mut call = Call { name, place, args: args.into_iter().enumerate().collect() };
    call.args.reverse();
    match signature.callee {
        Callee::Function(function) => call.function(function),
        Callee::Format => call.format(),
        Callee::Cast(target) => call.cast(target),
        Callee::Try => {
            let (_, x) = call.value()?;
            let ty = x.ty.clone().optional();
            Ok(Expr { kind: ExprKind::Try(Box::new(x)), ty, place })
        }
    }
}

pub(crate) fn check_count(
    name: &str,
    n_args: usize,
    n_required: usize,
    parameters: &[&str],
    place: Place,
) -> Typed<()> {
    if (n_required..=parameters.len()).contains(&n_args) {
        return Ok(());
    }
    let wants = match (n_required, parameters.len()) {
        (0, 0) => "no argument".to_owned(),
        (least, most) if least == most => format!("{most} argument{}", plural(most)),
        (least, most) => format!("{least} to {most} arguments"),
    };
    let message = format!("`{name}` takes {wants}, found {n_args}");
    let text = crate::signature::signature_text(name)
        .or_else(|| crate::signature::aggregate_signature_text(name));
    let fault = TypeFault::new(FaultKind::ArgumentCount, place, message);
    Err(match text {
        Some(text) => fault.with_help(text),
        None => fault,
    })
}

fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

/// The arguments still to be typed, last first, and their places in the call.
struct Call<'n, 'a> {
    name: &'n str,
    place: Place,
    args: Vec<(usize, Arg<'a>)>,
}

/// What a class of types is called, and which it holds.
pub(crate) type Class = (&'static str, fn(&Type) -> bool);

pub(crate) const NUMBER: Class =
    ("a number", |ty| matches!(ty, Type::Int64 | Type::Float32 | Type::Float64 | Type::Decimal(_)));
pub(crate) const SUMMABLE: Class = ("a number or duration", |ty| {
    matches!(ty, Type::Int64 | Type::Float32 | Type::Float64 | Type::Decimal(_) | Type::Duration)
});
const HAS_PARTS: Class =
    ("a string, a list or a map", |ty| matches!(ty, Type::String | Type::List(_) | Type::Map(_)));
const HAS_LENGTH: Class = ("a string, a list, a map or bytes", |ty| {
    matches!(ty, Type::String | Type::List(_) | Type::Map(_) | Type::Bytes)
});
const MAP: Class = ("a map", |ty| matches!(ty, Type::Map(_)));
const BYTES_OR_STRING: Class = ("bytes or a string", |ty| matches!(ty, Type::Bytes | Type::String));
const LIST: Class = ("a list", |ty| matches!(ty, Type::List(_)));
const CIVIL: Class = ("a date or timestamp", |ty| matches!(ty, Type::Date | Type::Timestamp));

impl Call<'_, '_> {
    fn value(&mut self) -> Typed<(usize, Expr)> {
        match self.args.pop().expect("the number of arguments was checked") {
            (idx, Arg::Value(expr)) => Ok((idx, expr)),
            (idx, Arg::Lambda { place, .. }) => {
                let message = format!("`{}` takes no function here", self.name);
                let mut fault = TypeFault::new(FaultKind::Mismatch, place, message).at_operand(idx);
                fault.help = Some(format!(
                    "the function comes behind the list: `{}(list, x -> …)`",
                    self.name
                ));
                Err(fault)
            }
        }
    }

    fn what(&self) -> String {
        format!("`{}`", self.name)
    }

    /// The next argument, of `ty` or an option of it.
    fn of_type(&mut self, ty: &Type) -> Typed {
        let (idx, expr) = self.value()?;
        let expr = adapt_literal(expr, ty).map_err(|fault| fault.at_operand(idx))?;
        if common_type(expr.ty.required(), ty).as_ref() == Some(ty) {
            Ok(retype(expr, ty))
        } else {
            let fault = TypeFault::mismatch(&expr, idx, self.what(), ty.to_string());
            Err(match (ty, expr.ty.required()) {
                (Type::Float64, Type::Int64 | Type::Decimal(_)) => {
                    fault.with_help("convert it: float64(x)")
                }
                (Type::String, Type::Map(_) | Type::Tensor(_) | Type::List(_)) => fault,
                (Type::String, _) => fault.with_help("convert it: string(x)"),
                (Type::Bytes, Type::String) => fault.with_help("convert it: bytes(x)"),
                _ => fault,
            })
        }
    }

    fn of_class(&mut self, class: Class) -> Typed {
        let (idx, expr) = self.value()?;
        if class.1(expr.ty.required()) {
            Ok(expr)
        } else {
            Err(TypeFault::mismatch(&expr, idx, self.what(), class.0))
        }
    }

    /// The next argument, an integer constant in a range.
    fn constant_int(&mut self, least: i64, most: i64) -> Typed<(i64, Expr)> {
        let (idx, expr) = self.value()?;
        if expr.ty != Type::Int64 {
            return Err(TypeFault::mismatch(&expr, idx, self.what(), "int64"));
        }
        let ExprKind::Literal(Value::Int(number)) = expr.kind else {
            return Err(self.not_constant(idx, expr.place));
        };
        if !(least..=most).contains(&number) {
            let message = format!("`{}` takes {least} to {most} here, found {number}", self.name);
            return Err(TypeFault::new(FaultKind::OutOfRange, expr.place, message).at_operand(idx));
        }
        Ok((number, expr))
    }

    fn not_constant(&self, idx: usize, place: Place) -> Box<TypeFault> {
        let message = format!("`{}` wants a constant here", self.name);
        TypeFault::new(FaultKind::NotConstant, place, message).at_operand(idx)
    }

    /// All arguments as one type; a literal adapts to the others.
    fn of_one_type(&mut self) -> Typed<(Vec<Expr>, Type)> {
        let mut args = Vec::new();
        while !self.args.is_empty() {
            args.push(self.value()?);
        }
        let is_literal = |expr: &Expr| matches!(expr.kind, ExprKind::Literal(_));
        let guide = args
            .iter()
            .find(|(_, expr)| !is_literal(expr))
            .or_else(|| args.iter().find(|(_, expr)| expr.ty == Type::Float64))
            .or(args.first());
        let mut ty = guide.map_or(Type::Bool, |(_, expr)| expr.ty.required().clone());
        let mut adapted = Vec::with_capacity(args.len());
        for (idx, expr) in args {
            let expr = adapt_literal(expr, &ty).map_err(|fault| fault.at_operand(idx))?;
            let Some(common) = common_type(expr.ty.required(), &ty) else {
                return Err(TypeFault::mismatch(&expr, idx, self.what(), ty.to_string()));
            };
            ty = common;
            adapted.push(expr);
        }
        let args = adapted.into_iter().map(|expr| retype(expr, &ty)).collect();
        Ok((args, ty))
    }

    /// The next argument, a function of one `item`.
    fn lambda(&mut self, item: &Type) -> Typed {
        let (idx, arg) = self.args.pop().expect("the number of arguments was checked");
        match arg {
            Arg::Lambda { n_params: 1, place, body } => {
                let body = body(std::slice::from_ref(item))?;
                let ty = body.ty.clone();
                Ok(Expr { kind: ExprKind::Lambda { n_params: 1, body: Box::new(body) }, ty, place })
            }
            Arg::Lambda { n_params, place, .. } => {
                let message =
                    format!("`{}` wants a function of 1 parameter, found {n_params}", self.name);
                Err(TypeFault::new(FaultKind::Mismatch, place, message).at_operand(idx))
            }
            Arg::Value(expr) => Err(TypeFault::mismatch(&expr, idx, self.what(), "a function")
                .with_help("a function is written x -> x + 1")),
        }
    }

    /// The call itself: `ty`, or its option if an argument is one.
    fn build(self, function: Function, args: Vec<Expr>, ty: Type) -> Expr {
        let types: Vec<&Type> = args.iter().map(|arg| &arg.ty).collect();
        let lifted = args.iter().enumerate().any(|(idx, arg)| {
            arg.ty.is_option()
                && !matches!(arg.kind, ExprKind::Lambda { .. })
                && !looks_at_options(function, idx, &types)
        });
        let ty = if lifted { ty.optional() } else { ty };
        Expr { kind: ExprKind::Call { function, args }, ty, place: self.place }
    }

    fn function(mut self, function: Function) -> Typed {
        use Function as F;
        let function = self.over_tensor(function).map_or(function, F::OfTensor);
        let (args, ty) = match function {
            F::Lower | F::Upper | F::Trim => (vec![self.of_type(&Type::String)?], Type::String),
            F::Split => {
                let args = vec![self.of_type(&Type::String)?, self.of_type(&Type::String)?];
                (args, Type::List(Box::new(Type::String)))
            }
            F::Join => {
                let items = self.of_type(&Type::List(Box::new(Type::String)))?;
                (vec![items, self.of_type(&Type::String)?], Type::String)
            }
            F::Replace => {
                let s = self.of_type(&Type::String)?;
                (vec![s, self.of_type(&Type::String)?, self.of_type(&Type::String)?], Type::String)
            }
            F::Contains => self.contains()?,
            F::Like => self.like()?,
            F::Matches | F::RegexExtract | F::RegexReplace => self.with_pattern(function)?,
            F::Position => {
                let args = vec![self.of_type(&Type::String)?, self.of_type(&Type::String)?];
                (args, Type::Int64.optional())
            }
            F::StartsWith | F::EndsWith => {
                (vec![self.of_type(&Type::String)?, self.of_type(&Type::String)?], Type::Bool)
            }
            F::Substr => {
                let mut args = vec![self.of_type(&Type::String)?];
                while !self.args.is_empty() {
                    args.push(self.of_type(&Type::Int64)?);
                }
                (args, Type::String)
            }
            F::Len => (vec![self.length()?], Type::Int64),
            F::Abs => {
                let x = self.of_class(SUMMABLE)?;
                let ty = x.ty.required().clone();
                (vec![x], ty)
            }
            F::Sign => (vec![self.of_class(SUMMABLE)?], Type::Int64),
            F::Min | F::Max if self.args.len() == 1 => self.item_of_list()?,
            F::Min | F::Max | F::Clamp => self.of_one_type()?,
            F::Round => self.round()?,
            F::Floor | F::Ceil => {
                let x = self.of_class(NUMBER)?;
                let ty = match x.ty.required() {
                    Type::Decimal(_) => Type::Decimal(0),
                    other => other.clone(),
                };
                (vec![x], ty)
            }
            F::Sqrt | F::Exp | F::Ln | F::Log10 => {
                (vec![self.of_type(&Type::Float64)?], Type::Float64)
            }
            F::Pow => {
                (vec![self.of_type(&Type::Float64)?, self.of_type(&Type::Float64)?], Type::Float64)
            }
            F::Div => (vec![self.of_type(&Type::Int64)?, self.of_type(&Type::Int64)?], Type::Int64),
            F::Trunc => self.trunc()?,
            F::AddMonths => {
                let at = self.of_class(CIVIL)?;
                let ty = at.ty.required().clone();
                (vec![at, self.of_type(&Type::Int64)?], ty)
            }
            F::Diff => self.diff()?,
            F::ParseTime => self.parse_time()?,
            F::FormatTime => self.format_time()?,
            F::Year | F::Quarter | F::Month | F::Day | F::Weekday => {
                (vec![self.of_class(CIVIL)?], Type::Int64)
            }
            F::EpochTime => (Vec::new(), Type::Timestamp),
            F::JobFailed => unreachable!("no name stands for it"),
            F::Hour | F::Minute | F::Second => (vec![self.of_type(&Type::Timestamp)?], Type::Int64),
            F::IsSome => return self.presence(),
            F::Hash => return self.hash(),
            F::Filter | F::Map | F::Any | F::All => self.over_items(function)?,
            F::Sum => {
                let items = self.of_class(LIST)?;
                let item = item_type(&items);
                if !SUMMABLE.1(&item) {
                    let fault = TypeFault::mismatch(&items, 0, self.what(), "a list of numbers");
                    return Err(fault);
                }
                // Singles are added up as doubles.
                let ty = if item == Type::Float32 { Type::Float64 } else { item };
                (vec![items], ty)
            }
            F::Sort | F::Distinct => {
                let items = self.of_class(LIST)?;
                let ty = items.ty.required().clone();
                (vec![items], ty)
            }
            F::First | F::Last => self.item_of_list()?,
            F::Item => {
                let ((_, of), (_, index)) = (self.value()?, self.value()?);
                return item(of, index, self.place);
            }
            F::MapOf => {
                let keys = self.of_type(&Type::List(Box::new(Type::String)))?;
                let values = self.of_class(LIST)?;
                let ty = Type::Map(Box::new(item_type(&values)));
                (vec![keys, values], ty)
            }
            F::Slice => {
                let mut args = vec![self.of_class(LIST)?];
                let ty = args[0].ty.required().clone();
                while !self.args.is_empty() {
                    args.push(self.of_type(&Type::Int64)?);
                }
                (args, ty)
            }
            F::Keys => (vec![self.of_class(MAP)?], Type::List(Box::new(Type::String))),
            F::Values => {
                let map = self.of_class(MAP)?;
                let Type::Map(inner) = map.ty.required() else { unreachable!("it is a map") };
                let ty = Type::List(inner.clone());
                (vec![map], ty)
            }
            F::Base64 | F::Hex => (vec![self.of_type(&Type::Bytes)?], Type::String),
            F::FromBase64 | F::FromHex => (vec![self.of_type(&Type::String)?], Type::Bytes),
            F::Sha256 => (vec![self.of_class(BYTES_OR_STRING)?], Type::Bytes),
            F::OfTensor(function) => self.of_tensor(function)?,
        };
        Ok(self.build(function, args, ty))
    }

    /// One item of a list, or none of an empty one.
    fn item_of_list(&mut self) -> Typed<(Vec<Expr>, Type)> {
        let items = self.of_class(LIST)?;
        let ty = item_type(&items).optional();
        Ok((vec![items], ty))
    }

    fn length(&mut self) -> Typed {
        self.of_class(HAS_LENGTH).map_err(|fault| match fault.found.as_ref().map(Type::required) {
            Some(Type::Tensor(_)) => {
                fault.with_help("its sizes are shape(t), the first shape(t)[1]")
            }
            _ => fault,
        })
    }

    fn contains(&mut self) -> Typed<(Vec<Expr>, Type)> {
        let of = self.of_class(HAS_PARTS)?;
        let part = match of.ty.required() {
            Type::List(inner) if inner.is_option() => {
                let (idx, item) = self.value()?;
                coerce(item, inner).map_err(|fault| fault.at_operand(idx))?
            }
            Type::List(inner) => {
                let inner = inner.as_ref().clone();
                self.of_type(&inner)?
            }
            _ => self.of_type(&Type::String)?,
        };
        Ok((vec![of, part], Type::Bool))
    }

    fn round(&mut self) -> Typed<(Vec<Expr>, Type)> {
        let x = self.of_class(NUMBER)?;
        if self.args.is_empty() {
            let ty = match x.ty.required() {
                Type::Decimal(_) => Type::Decimal(0),
                other => other.clone(),
            };
            return Ok((vec![x], ty));
        }
        if let Type::Decimal(_) = x.ty.required() {
            let (digits, literal) = self.constant_int(0, i64::from(SCALE_MAX))?;
            let scale = u8::try_from(digits).expect("38 at most");
            return Ok((vec![x, literal], Type::Decimal(scale)));
        }
        let ty = x.ty.required().clone();
        Ok((vec![x, self.of_type(&Type::Int64)?], ty))
    }

    fn trunc(&mut self) -> Typed<(Vec<Expr>, Type)> {
        let at = self.of_class(CIVIL)?;
        let ty = at.ty.required().clone();
        let (idx, unit) = self.value()?;
        match (&unit.ty, &unit.kind) {
            (Type::String, ExprKind::Literal(Value::String(text))) => {
                let known = if ty == Type::Date { &TRUNC_UNITS[..5] } else { &TRUNC_UNITS[..] };
                if !known.contains(&text.as_ref()) {
                    let message = format!("`{text}` is no unit of trunc({ty}, …)");
                    return Err(TypeFault::new(FaultKind::OutOfRange, unit.place, message)
                        .at_operand(idx)
                        .with_help(format!("the units are {}", known.join(", ")))
                        .with_candidates(text, known.iter().map(|s| (*s).to_owned()).collect()));
                }
            }
            (Type::String, _) => return Err(self.not_constant(idx, unit.place)),
            (Type::Duration, ExprKind::Literal(Value::Duration(step))) if *step <= 0 => {
                let message = "`trunc` wants a duration above 0".to_owned();
                return Err(
                    TypeFault::new(FaultKind::OutOfRange, unit.place, message).at_operand(idx)
                );
            }
            (unit_ty, _) if *unit_ty.required() == Type::Duration && ty == Type::Timestamp => {}
            _ => {
                let wants =
                    if ty == Type::Date { "a unit like \"month\"" } else { "a duration or a unit" };
                return Err(TypeFault::mismatch(&unit, idx, self.what(), wants));
            }
        }
        if ty == Type::Date && unit.ty != Type::String {
            return Err(TypeFault::mismatch(&unit, idx, self.what(), "a unit like \"month\""));
        }
        Ok((vec![at, unit], ty))
    }

    fn presence(mut self) -> Typed {
        let (idx, x) = self.value()?;
        if !x.ty.is_option() {
            return Err(TypeFault::mismatch(&x, idx, self.what(), "an option")
                .with_help("it always has a value"));
        }
        let kind = ExprKind::Call { function: Function::IsSome, args: vec![x] };
        Ok(Expr { kind, ty: Type::Bool, place: self.place })
    }

    fn hash(mut self) -> Typed {
        let (idx, seed) = self.value()?;
        if seed.ty != Type::Int64 {
            return Err(TypeFault::mismatch(&seed, idx, self.what(), "int64"));
        }
        let (_, key) = self.value()?;
        let kind = ExprKind::Call { function: Function::Hash, args: vec![seed, key] };
        Ok(Expr { kind, ty: Type::Int64, place: self.place })
    }

    fn over_items(&mut self, function: Function) -> Typed<(Vec<Expr>, Type)> {
        let items = self.of_class(LIST)?;
        let item = item_type(&items);
        if self.args.is_empty() {
            if item != Type::Bool {
                return Err(TypeFault::mismatch(&items, 0, self.what(), "list<bool>")
                    .with_help("say what to test: any(items, x -> x > 0)"));
            }
            return Ok((vec![items], Type::Bool));
        }
        let lambda = self.lambda(&item)?;
        let ty = match function {
            Function::Map => Type::List(Box::new(lambda.ty.clone())),
            Function::Filter => items.ty.required().clone(),
            _ => Type::Bool,
        };
        if function != Function::Map
            && let ExprKind::Lambda { body, .. } = &lambda.kind
        {
            want_bool(body, 1, &format!("the function in `{}`", self.name))?;
        }
        Ok((vec![items, lambda], ty))
    }

    fn cast(mut self, target: CastTarget) -> Typed {
        let (idx, x) = self.value()?;
        let target = match target {
            CastTarget::Bool => Type::Bool,
            CastTarget::Int64 => Type::Int64,
            CastTarget::Float32 => Type::Float32,
            CastTarget::Float64 => Type::Float64,
            CastTarget::String => Type::String,
            CastTarget::Bytes => Type::Bytes,
            CastTarget::Timestamp => Type::Timestamp,
            CastTarget::Date => Type::Date,
            CastTarget::Duration => Type::Duration,
            CastTarget::Uuid => Type::Uuid,
            CastTarget::Decimal => {
                let (scale, _) = self.constant_int(0, i64::from(SCALE_MAX))?;
                Type::Decimal(u8::try_from(scale).expect("38 at most"))
            }
        };
        if !has_cast(x.ty.required(), &target) {
            let message = format!("there is no conversion of {} to {target}", x.ty.required());
            let mut fault = TypeFault::new(FaultKind::Mismatch, x.place, message).at_operand(idx);
            fault.found = Some(x.ty);
            fault.help = crate::signature::signature_text(self.name).map(str::to_owned);
            return Err(fault);
        }
        let mut cast = retype(x, &target);
        cast.place = self.place;
        Ok(cast)
    }
}

fn item_type(list: &Expr) -> Type {
    match list.ty.required() {
        Type::List(inner) => inner.as_ref().clone(),
        other => unreachable!("{other} was checked to be a list"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::BinaryOp;
    use crate::literal::number;
    use crate::typing::binary;

    fn col(ty: Type) -> Expr {
        Expr::column(0, ty)
    }

    fn num(text: &str) -> Expr {
        number(text, Place::default()).unwrap()
    }

    fn text(text: &str) -> Expr {
        Expr::literal(Value::string(text), Type::String)
    }

    fn list_of(ty: Type) -> Type {
        Type::List(Box::new(ty))
    }

    fn outcome(typed: Typed<Type>) -> String {
        match typed {
            Ok(ty) => ty.to_string(),
            Err(fault) => format!("{:?}: {}", fault.operand, fault.message),
        }
    }

    fn check(name: &str, args: Vec<Expr>, expected: &str) {
        let args = args.into_iter().map(Arg::Value).collect();
        let typed = call(name, args, Place::default()).map(|expr| expr.ty);
        assert_eq!(outcome(typed), expected, "{name}");
    }

    #[test]
    fn functions_have_their_types() {
        let civil = || col(Type::Timestamp);
        check("lower", vec![col(Type::String.optional())], "option<string>");
        check("split", vec![col(Type::String), text(",")], "list<string>");
        check("min", vec![col(Type::Decimal(2)), num("0.005")], "decimal<3>");
        check("clamp", vec![col(Type::Float64), num("0"), num("1")], "float64");
        check("round", vec![col(Type::Decimal(4)), num("2")], "decimal<2>");
        check("round", vec![col(Type::Float64)], "float64");
        check("sqrt", vec![num("2")], "float64");
        check("sqrt", vec![col(Type::Int64)], "Some(0): `sqrt` wants float64, found int64");
        check("trunc", vec![civil(), text("month")], "timestamp");
        check("trunc", vec![civil(), col(Type::Duration)], "timestamp");
        check(
            "trunc",
            vec![civil(), text("moon")],
            "Some(1): `moon` is no unit of trunc(timestamp, …)",
        );
        check(
            "trunc",
            vec![col(Type::Date), text("hour")],
            "Some(1): `hour` is no unit of trunc(date, …)",
        );
        check("year", vec![col(Type::Date.optional())], "option<int64>");
        check("is_some", vec![col(Type::Int64.optional())], "bool");
        check("is_some", vec![col(Type::Int64)], "Some(0): `is_some` wants an option, found int64");
        check("hash", vec![num("1"), col(Type::String.optional())], "int64");
        check("contains", vec![col(list_of(Type::Int64)), num("1")], "bool");
        check("first", vec![col(list_of(Type::Int64))], "option<int64>");
        check("try", vec![col(Type::Int64)], "option<int64>");
        check("decimal", vec![col(Type::Int64), num("2")], "decimal<2>");
        check(
            "decimal",
            vec![col(Type::Int64), col(Type::Int64)],
            "Some(1): `decimal` wants a constant here",
        );
        check("date", vec![col(Type::Int64)], "Some(0): there is no conversion of int64 to date");
        check("len", vec![], "None: `len` takes 1 argument, found 0");
        let fault = call("lenght", vec![], Place::default()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::UnknownFunction);
        assert!(fault.candidates.contains(&"len".to_owned()));
    }

    #[test]
    fn lambdas_are_typed_by_the_compiler() {
        let mut body = |params: &[Type]| {
            let x =
                Expr { kind: ExprKind::Local(0), ty: params[0].clone(), place: Place::default() };
            binary(BinaryOp::Greater, x, num("0"), Place::default())
        };
        let lambda = Arg::Lambda { n_params: 1, place: Place::default(), body: &mut body };
        let items = Arg::Value(col(list_of(Type::Decimal(2)).optional()));
        let typed = call("map", vec![items, lambda], Place::default());
        assert_eq!(outcome(typed.map(|expr| expr.ty)), "option<list<bool>>");
        check("any", vec![col(list_of(Type::Bool))], "bool");
        check(
            "any",
            vec![col(list_of(Type::Int64))],
            "Some(0): `any` wants list<bool>, found list<int64>",
        );
        check(
            "filter",
            vec![col(list_of(Type::Int64)), num("1")],
            "Some(1): `filter` wants a function, found int64",
        );
    }
}
