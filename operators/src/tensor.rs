//! What the functions of tensors compute.
//!
//! Sums run over the elements in row-major order and are accumulated in `f64` for floats, in 128
//! bits for integers; the result is rounded once. So equal inputs give equal bits everywhere.
//! Typing knows most shapes; what it cannot know is checked here, and a misfit fails the row.

use arqon_types::{
    ElementType, Elements, Float, TENSOR_ELEMENTS_MAX, Tensor, Type, Value, shape_text,
};

use crate::eval_error::{EvalCode, Failure};
use crate::function::TensorFunction;

/// The function's value on arguments that are all present; `result` is the call's type.
pub(crate) fn invoke(
    function: TensorFunction,
    args: &[Value],
    result: &Type,
) -> Result<Value, Failure> {
    use TensorFunction as T;
    Ok(match function {
        T::Tensor => from_list(&args[0], result)?,
        T::Shape => {
            let sizes = tensor(&args[0]).shape().iter().map(|size| Value::Int(i64::from(*size)));
            Value::List(sizes.collect())
        }
        T::Dot => dot(tensor(&args[0]), tensor(&args[1]))?,
        T::Norm => Value::float(squares(tensor(&args[0])).sqrt()),
        T::Rms => {
            let of = tensor(&args[0]);
            Value::float((squares(of) / some_elements("rms", of)?).sqrt())
        }
        T::Mean => {
            let of = tensor(&args[0]);
            let n = some_elements("mean", of)?;
            Value::float(floats(of).sum::<f64>() / n)
        }
        T::Sum => sum(tensor(&args[0]))?,
        T::Matmul => matmul(tensor(&args[0]), tensor(&args[1]))?,
        T::Concat => concat(tensor(&args[0]), tensor(&args[1]))?,
        T::Slice => slice(tensor(&args[0]), &args[1..])?,
        T::Item => item(tensor(&args[0]), int(&args[1]))?,
        T::Reshape => reshape(tensor(&args[0]), &args[1])?,
        T::Cast => cast(tensor(&args[0]), element_of(result))?,
    })
}

fn tensor(value: &Value) -> &Tensor {
    match value {
        Value::Tensor(tensor) => tensor,
        other => unreachable!("typing lets no {other:?} be a tensor"),
    }
}

fn int(value: &Value) -> i64 {
    match value {
        Value::Int(number) => *number,
        other => unreachable!("typing lets no {other:?} be an integer"),
    }
}

fn element_of(ty: &Type) -> ElementType {
    match ty.required() {
        Type::Tensor(tensor) => tensor.element,
        other => unreachable!("{other} is no tensor"),
    }
}

fn made(shape: Vec<u32>, elements: Elements) -> Result<Value, Failure> {
    Tensor::try_new(shape, elements)
        .map(|tensor| Value::Tensor(tensor.into()))
        .map_err(|error| Failure::argument(error.to_string()))
}

/// The elements as floats; an `i64` as the nearest one.
fn floats(tensor: &Tensor) -> Box<dyn Iterator<Item = f64> + '_> {
    match tensor.elements() {
        Elements::F32(values) => Box::new(values.iter().map(|x| f64::from(*x))),
        Elements::F64(values) => Box::new(values.iter().copied()),
        Elements::I64(values) => Box::new(values.iter().map(|x| crate::scalar::int_to_float(*x))),
        Elements::U8(values) => Box::new(values.iter().map(|x| f64::from(*x))),
        Elements::Bool(values) => Box::new(values.iter().map(|x| f64::from(u8::from(*x)))),
    }
}

/// The elements as integers; none for floats.
fn ints(tensor: &Tensor) -> Option<Box<dyn Iterator<Item = i128> + '_>> {
    match tensor.elements() {
        Elements::I64(values) => Some(Box::new(values.iter().map(|x| i128::from(*x)))),
        Elements::U8(values) => Some(Box::new(values.iter().map(|x| i128::from(*x)))),
        Elements::F32(_) | Elements::F64(_) | Elements::Bool(_) => None,
    }
}

fn squares(tensor: &Tensor) -> f64 {
    floats(tensor).map(|x| x * x).sum()
}

/// How many elements, as a divisor.
#[expect(clippy::cast_precision_loss, reason = "a tensor has at most 2^24 elements")]
fn some_elements(name: &str, of: &Tensor) -> Result<f64, Failure> {
    match of.elements().len() {
        0 => Err(Failure::argument(format!("`{name}` of no elements"))),
        n => Ok(n as f64),
    }
}

/// A sum that has not left 128 bits, and fits 64.
fn whole(name: &str, sum: Option<i128>) -> Result<i64, Failure> {
    sum.and_then(|sum| i64::try_from(sum).ok())
        .ok_or_else(|| Failure::overflow(&format!("`{name}`"), Type::Int64))
}

fn sum(of: &Tensor) -> Result<Value, Failure> {
    match ints(of) {
        Some(values) => Ok(Value::Int(whole("sum", Some(values.sum()))?)),
        None => Ok(Value::float(floats(of).sum())),
    }
}

fn dot(a: &Tensor, b: &Tensor) -> Result<Value, Failure> {
    if a.shape() != b.shape() {
        let (a, b) = (shape_text(a.shape()), shape_text(b.shape()));
        return Err(Failure::argument(format!("`dot` of {a} and {b} elements")));
    }
    if let (Some(a), Some(b)) = (ints(a), ints(b)) {
        let sum = a.zip(b).try_fold(0_i128, |sum, (a, b)| sum.checked_add(a * b));
        return Ok(Value::Int(whole("dot", sum)?));
    }
    Ok(Value::float(floats(a).zip(floats(b)).map(|(a, b)| a * b).sum()))
}

/// `[N, K]` by `[K, M]` or by `[K]`. Cost: N·K·M multiplications.
fn matmul(left: &Tensor, right: &Tensor) -> Result<Value, Failure> {
    let size = |tensor: &Tensor, axis: usize| tensor.shape().get(axis).map_or(1, |n| *n as usize);
    let sizes = Sizes { rows: size(left, 0), inner: size(left, 1), columns: size(right, 1) };
    if size(right, 0) != sizes.inner {
        let (left, right) = (shape_text(left.shape()), shape_text(right.shape()));
        return Err(Failure::argument(format!("`matmul` of {left} and {right}")));
    }
    if sizes.rows.saturating_mul(sizes.columns) > TENSOR_ELEMENTS_MAX {
        let Sizes { rows, columns, .. } = sizes;
        return Err(Failure::argument(format!(
            "`matmul` would have {rows}x{columns} elements, a tensor has at most \
             {TENSOR_ELEMENTS_MAX}"
        )));
    }
    let mut shape = left.shape()[..1].to_vec();
    shape.extend_from_slice(&right.shape()[1..]);
    let elements = match (left.elements(), right.elements()) {
        (Elements::F32(a), Elements::F32(b)) => {
            let sums = products(&sizes, (a, b), 0.0, |sum, a, b| sum + f64::from(a) * f64::from(b));
            Elements::F32(sums.into_iter().map(|x| Float::new(x).to_f32()).collect())
        }
        (Elements::F64(a), Elements::F64(b)) => {
            Elements::F64(products(&sizes, (a, b), 0.0, |sum, a, b| sum + a * b))
        }
        (Elements::I64(a), Elements::I64(b)) => {
            let sums = products(&sizes, (a, b), Some(0_i128), |sum, a, b| {
                sum?.checked_add(i128::from(a) * i128::from(b))
            });
            let sums: Result<Vec<i64>, Failure> =
                sums.into_iter().map(|sum| whole("matmul", sum)).collect();
            Elements::I64(sums?)
        }
        (a, b) => unreachable!("typing lets no {:?} meet {:?}", a.ty(), b.ty()),
    };
    made(shape, elements)
}

/// Of a product of matrices.
struct Sizes {
    rows: usize,
    inner: usize,
    columns: usize,
}

/// One running sum for each element of a row of the result, so that the right side is read in
/// its order, and each sum in the order of the inner dimension.
fn products<T: Copy, S: Copy>(
    sizes: &Sizes,
    (left, right): (&[T], &[T]),
    zero: S,
    add: impl Fn(S, T, T) -> S,
) -> Vec<S> {
    let mut sums = vec![zero; sizes.rows * sizes.columns];
    for row in 0..sizes.rows {
        let out = &mut sums[row * sizes.columns..(row + 1) * sizes.columns];
        for inner in 0..sizes.inner {
            let factor = left[row * sizes.inner + inner];
            for (sum, x) in out.iter_mut().zip(&right[inner * sizes.columns..]) {
                *sum = add(*sum, factor, *x);
            }
        }
    }
    sums
}

/// The elements of these rows of the first dimension.
fn picked(elements: &Elements, from: usize, to: usize) -> Elements {
    match elements {
        Elements::F32(values) => Elements::F32(values[from..to].to_vec()),
        Elements::F64(values) => Elements::F64(values[from..to].to_vec()),
        Elements::I64(values) => Elements::I64(values[from..to].to_vec()),
        Elements::U8(values) => Elements::U8(values[from..to].to_vec()),
        Elements::Bool(values) => Elements::Bool(values[from..to].to_vec()),
    }
}

/// One after the other along the first dimension.
fn concat(a: &Tensor, b: &Tensor) -> Result<Value, Failure> {
    if a.shape()[1..] != b.shape()[1..] {
        let (a, b) = (shape_text(a.shape()), shape_text(b.shape()));
        return Err(Failure::argument(format!("`concat` of {a} and {b}")));
    }
    let elements = match (a.elements(), b.elements()) {
        (Elements::F32(a), Elements::F32(b)) => Elements::F32([a.as_slice(), b].concat()),
        (Elements::F64(a), Elements::F64(b)) => Elements::F64([a.as_slice(), b].concat()),
        (Elements::I64(a), Elements::I64(b)) => Elements::I64([a.as_slice(), b].concat()),
        (Elements::U8(a), Elements::U8(b)) => Elements::U8([a.as_slice(), b].concat()),
        (Elements::Bool(a), Elements::Bool(b)) => Elements::Bool([a.as_slice(), b].concat()),
        (a, b) => unreachable!("typing lets no {:?} meet {:?}", a.ty(), b.ty()),
    };
    let mut shape = a.shape().to_vec();
    shape[0] = shape[0].saturating_add(b.shape()[0]);
    made(shape, elements)
}

/// Positions count along the first dimension from 1; what lies beyond its end is empty.
fn slice(of: &Tensor, range: &[Value]) -> Result<Value, Failure> {
    let start = int(&range[0]);
    if start < 1 {
        return Err(Failure::argument(format!("`slice` counts from 1, found {start}")));
    }
    let size = i64::from(of.shape()[0]);
    let first = (start - 1).min(size);
    let last = match range.get(1).map(int) {
        Some(n) if n < 0 => {
            return Err(Failure::argument(format!("`slice` wants a length from 0, found {n}")));
        }
        Some(n) => first.saturating_add(n).min(size),
        None => size,
    };
    let at = |place: i64| usize::try_from(place).expect("between 0 and the size");
    let step: usize = of.shape()[1..].iter().map(|size| *size as usize).product();
    let mut shape = of.shape().to_vec();
    shape[0] = u32::try_from(last - first).expect("at most the size");
    made(shape, picked(of.elements(), at(first) * step, at(last) * step))
}

/// `tensor[n]`: an element of a tensor of one dimension, else the tensor below.
fn item(of: &Tensor, position: i64) -> Result<Value, Failure> {
    let size = of.shape()[0] as usize;
    let at = crate::index::place(position, size)?;
    if of.shape().len() > 1 {
        let step: usize = of.shape()[1..].iter().map(|size| *size as usize).product();
        let elements = picked(of.elements(), at * step, (at + 1) * step);
        return made(of.shape()[1..].to_vec(), elements);
    }
    Ok(match of.elements() {
        Elements::F32(values) => Value::float32(values[at]),
        Elements::F64(values) => Value::float(values[at]),
        Elements::I64(values) => Value::Int(values[at]),
        Elements::U8(values) => Value::Int(i64::from(values[at])),
        Elements::Bool(values) => Value::Bool(values[at]),
    })
}

fn reshape(of: &Tensor, sizes: &Value) -> Result<Value, Failure> {
    let Value::List(sizes) = sizes else { unreachable!("typing lets no {sizes:?} be sizes") };
    let size = |value: &Value| {
        let size = int(value);
        u32::try_from(size)
            .map_err(|_| Failure::argument(format!("`reshape` wants sizes from 0, found {size}")))
    };
    let shape: Vec<u32> = sizes.iter().map(size).collect::<Result<_, _>>()?;
    if arqon_types::count(&shape) != Some(of.elements().len()) {
        return Err(Failure::argument(format!(
            "`reshape` of {} elements to {}",
            of.elements().len(),
            shape_text(&shape)
        )));
    }
    made(shape, of.elements().clone())
}

/// Between floats rounded; to an integer truncated, where it holds the number.
fn cast(of: &Tensor, to: ElementType) -> Result<Value, Failure> {
    let misfit = |shown: String| {
        Failure::new(EvalCode::Conversion, format!("`{shown}` is no {}", to.name()))
    };
    let elements = match to {
        ElementType::F32 => Elements::F32(floats(of).map(|x| Float::new(x).to_f32()).collect()),
        ElementType::F64 => Elements::F64(floats(of).collect()),
        ElementType::I64 | ElementType::U8 => {
            let whole: Vec<i64> = match of.elements() {
                Elements::I64(values) => values.clone(),
                _ => floats(of)
                    .map(|x| crate::scalar::float_to_int(x).ok_or_else(|| misfit(format!("{x:?}"))))
                    .collect::<Result<_, _>>()?,
            };
            if to == ElementType::I64 {
                Elements::I64(whole)
            } else {
                let small = whole
                    .into_iter()
                    .map(|x| u8::try_from(x).map_err(|_| misfit(x.to_string())))
                    .collect::<Result<_, _>>()?;
                Elements::U8(small)
            }
        }
        ElementType::Bool => of.elements().clone(),
    };
    made(of.shape().to_vec(), elements)
}

/// A tensor of the numbers in nested lists, all lists of one depth as long as each other.
fn from_list(list: &Value, ty: &Type) -> Result<Value, Failure> {
    let Type::Tensor(ty) = ty.required() else { unreachable!("{ty} is no tensor") };
    let mut sizes = vec![None; ty.dims.len()];
    let mut elements = Elements::with_capacity(ty.element, 0);
    gather(list, 0, &mut sizes, &mut elements)?;
    let shape: Vec<u32> = sizes.into_iter().map(|size| size.unwrap_or(0)).collect();
    made(shape, elements)
}

fn gather(
    value: &Value,
    axis: usize,
    sizes: &mut [Option<u32>],
    elements: &mut Elements,
) -> Result<(), Failure> {
    match (value, elements) {
        (Value::List(items), elements) => {
            let n = u32::try_from(items.len())
                .map_err(|_| Failure::argument("a list is too long for a tensor"))?;
            match sizes[axis].replace(n) {
                Some(first) if first != n => {
                    return Err(Failure::argument(format!(
                        "`tensor` of lists of {first} and of {n} items beside each other"
                    )));
                }
                _ => {}
            }
            for item in items.iter() {
                gather(item, axis + 1, sizes, elements)?;
            }
        }
        (Value::Float(x), Elements::F32(values)) => values.push(x.to_f32()),
        (Value::Float(x), Elements::F64(values)) => values.push(x.get()),
        (Value::Int(x), Elements::I64(values)) => values.push(*x),
        (Value::Bool(x), Elements::Bool(values)) => values.push(*x),
        (other, elements) => unreachable!("typing lets no {other:?} be {:?}", elements.ty()),
    }
    Ok(())
}
