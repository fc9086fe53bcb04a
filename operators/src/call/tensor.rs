//! Typing of the functions of tensors: dimensions are computed here, and where two must agree,
//! both sides get them. Such a change of dimensions is a cast, which checks the shape of a row
//! where it is not known, and tells the compiler that two symbols are one.

use arqon_types::{Dimension, ElementType, TENSOR_ELEMENTS_MAX, TensorType, Type, Value};

use super::{Call, Class};
use crate::conversion::retype;
use crate::expr::{Expr, ExprKind};
use crate::fault::{FaultKind, TypeFault, Typed};
use crate::function::{Function, TensorFunction};

pub(super) const TENSOR: Class = ("a tensor", |ty| matches!(ty, Type::Tensor(_)));
const NUMERIC: Class = (
    "a tensor of numbers",
    |ty| matches!(ty, Type::Tensor(tensor) if tensor.element != ElementType::Bool),
);

impl Call<'_, '_> {
    /// The function of tensors that shares its name with `function`, if the first argument is one.
    pub(super) fn over_tensor(&self, function: Function) -> Option<TensorFunction> {
        let super::Arg::Value(first) = &self.args.last()?.1 else { return None };
        let Type::Tensor(_) = first.ty.required() else { return None };
        match function {
            Function::Sum => Some(TensorFunction::Sum),
            Function::Slice => Some(TensorFunction::Slice),
            _ => None,
        }
    }

    pub(super) fn of_tensor(&mut self, function: TensorFunction) -> Typed<(Vec<Expr>, Type)> {
        use TensorFunction as T;
        Ok(match function {
            T::Tensor => self.tensor()?,
            T::Shape => (vec![self.of_class(TENSOR)?], Type::List(Box::new(Type::Int64))),
            T::Dot => {
                let a = self.numeric_of_rank(1, "a vector, tensor<_x…>")?;
                let b = self.numeric_of_rank(1, "a vector, tensor<_x…>")?;
                let dims = self.agreed(&a, 0, &b, 0)?;
                let (left, right) = self.same_elements(&a, &b, false)?;
                let ty = total(left.max(right));
                (vec![with_dims(a, vec![dims.clone()]), with_dims(b, vec![dims])], ty)
            }
            T::Norm | T::Rms | T::Mean => (vec![self.of_class(NUMERIC)?], Type::Float64),
            T::Sum => {
                let x = self.of_class(NUMERIC)?;
                let ty = total(tensor_of(&x).element);
                (vec![x], ty)
            }
            T::Matmul => self.matmul()?,
            T::Concat => self.concat()?,
            T::Slice => self.slice()?,
            T::Reshape => self.reshape()?,
            T::Cast => self.cast_elements()?,
            T::Item => unreachable!("`[…]` is typed by itself"),
        })
    }

    /// `tensor(list)`, `tensor(list, "f32")`
    fn tensor(&mut self) -> Typed<(Vec<Expr>, Type)> {
        let (idx, items) = self.value()?;
        let mut inner = items.ty.clone();
        let mut dims = Vec::new();
        let mut literals = vec![&items];
        while let Type::List(item) = inner {
            dims.push(self.length_of(&mut literals, items.place)?);
            inner = *item;
        }
        let element = match inner {
            Type::Float32 => ElementType::F32,
            Type::Float64 => ElementType::F64,
            Type::Int64 => ElementType::I64,
            Type::Bool => ElementType::Bool,
            _ => {
                let wants = "a list of numbers or bools, or of such lists";
                return Err(TypeFault::mismatch(&items, idx, self.what(), wants));
            }
        };
        if dims.is_empty() {
            let wants = "a list of numbers or bools, or of such lists";
            return Err(TypeFault::mismatch(&items, idx, self.what(), wants));
        }
        let ty = Type::Tensor(TensorType { dims, element });
        Ok((vec![items], ty))
    }

    /// How long the lists of one depth are, where they are all written out; `literals` becomes
    /// the lists below.
    fn length_of(&self, literals: &mut Vec<&Expr>, place: crate::expr::Place) -> Typed<Dimension> {
        let mut length = None;
        let mut below = Vec::new();
        let mut all_written = !literals.is_empty();
        for list in literals.iter() {
            let (n, items) = match &list.kind {
                ExprKind::List(items) => (items.len(), Some(items)),
                ExprKind::Literal(Value::List(items)) => (items.len(), None),
                _ => {
                    all_written = false;
                    continue;
                }
            };
            below.extend(items.into_iter().flatten());
            match length.replace(n) {
                Some(first) if first != n => {
                    let message = format!(
                        "`{}` of lists of {first} and of {n} items beside each other",
                        self.name
                    );
                    return Err(TypeFault::new(FaultKind::Shape, place, message)
                        .at_operand(0)
                        .with_help("all lists of one depth are as long as each other"));
                }
                _ => {}
            }
        }
        *literals = below;
        Ok(match length {
            Some(n) if all_written => Dimension::Fixed(n as u64),
            _ => Dimension::Unknown,
        })
    }

    fn matmul(&mut self) -> Typed<(Vec<Expr>, Type)> {
        let a = self.numeric_of_rank(2, "a matrix, tensor<_x_x…>")?;
        let idx = self.args.last().map_or(1, |(idx, _)| *idx);
        let b = self.of_class(NUMERIC)?;
        if !matches!(tensor_of(&b).dims.len(), 1 | 2) {
            let wants = "a matrix or a vector";
            return Err(TypeFault::mismatch(&b, idx, self.what(), wants));
        }
        let (element, _) = self.same_elements(&a, &b, true)?;
        if element == ElementType::U8 {
            return Err(TypeFault::mismatch(&a, 0, self.what(), "elements of f32, f64 or i64")
                .with_help("widen them: cast(x, \"i64\")"));
        }
        let inner = self.agreed(&a, 1, &b, 0)?;
        let (outer_a, outer_b) =
            (tensor_of(&a).dims[0].clone(), tensor_of(&b).dims.get(1).cloned());
        let dims = std::iter::once(outer_a.clone()).chain(outer_b.clone()).collect();
        let b_dims = std::iter::once(inner.clone()).chain(outer_b).collect();
        let args = vec![with_dims(a, vec![outer_a, inner]), with_dims(b, b_dims)];
        Ok((args, Type::Tensor(TensorType { dims, element })))
    }

    fn concat(&mut self) -> Typed<(Vec<Expr>, Type)> {
        let a = self.of_rank_from_1().map_err(|fault| match &fault.found {
            Some(Type::String) => fault.with_help("texts are joined with `++`"),
            Some(Type::List(_)) => fault.with_help("lists are joined with `++`"),
            _ => fault,
        })?;
        let idx = self.args.last().map_or(1, |(idx, _)| *idx);
        let b = self.of_rank_from_1()?;
        let rank = tensor_of(&a).dims.len();
        if tensor_of(&b).dims.len() != rank {
            let wants = format!("{rank} dimensions on both sides");
            return Err(TypeFault::mismatch(&b, idx, self.what(), wants));
        }
        let (element, _) = self.same_elements(&a, &b, true)?;
        let mut a_dims = vec![tensor_of(&a).dims[0].clone()];
        let mut b_dims = vec![tensor_of(&b).dims[0].clone()];
        let mut dims = vec![match (&a_dims[0], &b_dims[0]) {
            (Dimension::Fixed(a), Dimension::Fixed(b)) => Dimension::Fixed(a.saturating_add(*b)),
            _ => Dimension::Unknown,
        }];
        for axis in 1..rank {
            let dim = self.agreed(&a, axis, &b, axis)?;
            a_dims.push(dim.clone());
            b_dims.push(dim.clone());
            dims.push(dim);
        }
        let args = vec![with_dims(a, a_dims), with_dims(b, b_dims)];
        Ok((args, Type::Tensor(TensorType { dims, element })))
    }

    fn slice(&mut self) -> Typed<(Vec<Expr>, Type)> {
        let of = self.of_rank_from_1()?;
        let mut args = vec![of];
        while !self.args.is_empty() {
            args.push(self.of_type(&Type::Int64)?);
        }
        let mut ty = tensor_of(&args[0]).clone();
        let constant = |arg: Option<&Expr>| match arg.map(|arg| &arg.kind) {
            Some(ExprKind::Literal(Value::Int(number))) => u64::try_from(*number).ok(),
            _ => None,
        };
        ty.dims[0] = match (&ty.dims[0], constant(args.get(1)), args.get(2)) {
            (Dimension::Fixed(size), Some(start @ 1..), length) => {
                let rest = size.saturating_sub(start - 1);
                match (length, constant(length)) {
                    (None, _) => Dimension::Fixed(rest),
                    (Some(_), Some(length)) => Dimension::Fixed(rest.min(length)),
                    (Some(_), None) => Dimension::Unknown,
                }
            }
            (same, Some(1), None) => same.clone(),
            _ => Dimension::Unknown,
        };
        Ok((args, Type::Tensor(ty)))
    }

    fn reshape(&mut self) -> Typed<(Vec<Expr>, Type)> {
        let of = self.of_class(TENSOR)?;
        let idx = self.args.last().map_or(1, |(idx, _)| *idx);
        let sizes = self.of_type(&Type::List(Box::new(Type::Int64)))?;
        let ExprKind::List(items) = &sizes.kind else {
            let fault = TypeFault::mismatch(&sizes, idx, self.what(), "the sizes written out");
            return Err(fault.with_help("for example reshape(x, [2, 3])"));
        };
        let dims: Vec<Dimension> = items
            .iter()
            .map(|item| match &item.kind {
                ExprKind::Literal(Value::Int(size)) => match u64::try_from(*size) {
                    Ok(size) if size <= TENSOR_ELEMENTS_MAX as u64 => Ok(Dimension::Fixed(size)),
                    _ => {
                        let message =
                            format!("a size is from 0 to {TENSOR_ELEMENTS_MAX}, found {size}");
                        let fault = TypeFault::new(FaultKind::OutOfRange, item.place, message);
                        Err(fault.at_operand(idx))
                    }
                },
                _ => Ok(Dimension::Unknown),
            })
            .collect::<Result<_, _>>()?;
        let element = tensor_of(&of).element;
        if let (Some(has), Some(wants)) = (n_elements(&tensor_of(&of).dims), n_elements(&dims))
            && has != wants
        {
            let message = format!("`reshape` of {has} elements to {wants}");
            return Err(TypeFault::new(FaultKind::Shape, sizes.place, message)
                .at_operand(idx)
                .with_help(format!("the sizes multiply to {has}")));
        }
        Ok((vec![of, sizes], Type::Tensor(TensorType { dims, element })))
    }

    /// `cast(t, "f32")`; the name goes into the type.
    fn cast_elements(&mut self) -> Typed<(Vec<Expr>, Type)> {
        let of = self.of_class(TENSOR)?;
        let (idx, name) = self.value()?;
        let known = ["f32", "f64", "i64", "u8"];
        let element = match (&name.ty, &name.kind) {
            (Type::String, ExprKind::Literal(Value::String(text))) => {
                let element = ElementType::parse(text).filter(|_| known.contains(&text.as_ref()));
                element.ok_or_else(|| {
                    let message = format!("`{text}` is no type that elements can be cast to");
                    TypeFault::new(FaultKind::OutOfRange, name.place, message)
                        .at_operand(idx)
                        .with_help(format!("the element types are {}", known.join(", ")))
                        .with_candidates(text, known.map(str::to_owned).to_vec())
                })?
            }
            (Type::String, _) => return Err(self.not_constant(idx, name.place)),
            _ => {
                let wants = "the name of an element type, \"f32\"";
                return Err(TypeFault::mismatch(&name, idx, self.what(), wants));
            }
        };
        let dims = tensor_of(&of).dims.clone();
        Ok((vec![of], Type::Tensor(TensorType { dims, element })))
    }

    fn numeric_of_rank(&mut self, rank: usize, wants: &str) -> Typed {
        let idx = self.args.last().map_or(0, |(idx, _)| *idx);
        let x = self.of_class(NUMERIC)?;
        if tensor_of(&x).dims.len() == rank {
            return Ok(x);
        }
        Err(TypeFault::mismatch(&x, idx, self.what(), wants))
    }

    fn of_rank_from_1(&mut self) -> Typed {
        let idx = self.args.last().map_or(0, |(idx, _)| *idx);
        let x = self.of_class(TENSOR)?;
        if tensor_of(&x).dims.is_empty() {
            return Err(TypeFault::mismatch(&x, idx, self.what(), "a tensor with dimensions"));
        }
        Ok(x)
    }

    /// The elements of both; integers beside floats, or `exact` others, want a cast.
    fn same_elements(&self, a: &Expr, b: &Expr, exact: bool) -> Typed<(ElementType, ElementType)> {
        let (left, right) = (tensor_of(a).element, tensor_of(b).element);
        let is_float = |ty| matches!(ty, ElementType::F32 | ElementType::F64);
        let fits = if exact { left == right } else { is_float(left) == is_float(right) };
        if fits {
            return Ok((left, right));
        }
        let wants = format!("elements of {}", left.name());
        Err(TypeFault::mismatch(b, 1, self.what(), wants)
            .with_help(format!("convert them: cast(x, \"{}\")", left.name())))
    }

    /// The dimension that axis `left` of `a` and axis `right` of `b` have both.
    fn agreed(&self, a: &Expr, left: usize, b: &Expr, right: usize) -> Typed<Dimension> {
        let (a_dim, b_dim) = (&tensor_of(a).dims[left], &tensor_of(b).dims[right]);
        match (a_dim, b_dim) {
            (Dimension::Fixed(x), Dimension::Fixed(y)) if x != y => {
                let message = format!(
                    "`{}` wants equal dimensions, found {x} in {} and {y} in {}",
                    self.name,
                    a.ty.required(),
                    b.ty.required()
                );
                let mut fault = TypeFault::new(FaultKind::Shape, b.place, message).at_operand(1);
                fault.found = Some(b.ty.clone());
                Err(fault.with_help(match self.name {
                    "matmul" => "the inner dimensions are equal: matmul(a, b) of NxK and KxM",
                    _ => "change one of the declarations, or take a part with slice(t, start, length)",
                }))
            }
            (Dimension::Unknown, other) | (other @ Dimension::Fixed(_), _) => Ok(other.clone()),
            (_, other @ Dimension::Fixed(_)) => Ok(other.clone()),
            (symbol @ Dimension::Symbol(_), _) => Ok(symbol.clone()),
        }
    }
}

/// What a sum of elements is.
fn total(element: ElementType) -> Type {
    match element {
        ElementType::F32 | ElementType::F64 => Type::Float64,
        ElementType::I64 | ElementType::U8 | ElementType::Bool => Type::Int64,
    }
}

fn tensor_of(expr: &Expr) -> &TensorType {
    match expr.ty.required() {
        Type::Tensor(tensor) => tensor,
        other => unreachable!("{other} was checked to be a tensor"),
    }
}

fn with_dims(expr: Expr, dims: Vec<Dimension>) -> Expr {
    let element = tensor_of(&expr).element;
    retype(expr, &Type::Tensor(TensorType { dims, element }))
}

/// How many elements a shape holds, if all of it is known.
fn n_elements(dims: &[Dimension]) -> Option<u64> {
    dims.iter().try_fold(1_u64, |product, dim| match dim {
        Dimension::Fixed(size) => product.checked_mul(*size),
        Dimension::Symbol(_) | Dimension::Unknown => None,
    })
}
