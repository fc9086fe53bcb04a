//! Tensors: numbers in a regular shape, and the types that say which shapes are wanted.
//!
//! Elements stand in row-major order, floats normalised as everywhere (one NaN, one zero). The
//! order of tensors is the order of their shapes, then of their elements.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::float::Float;

/// Most elements of a tensor.
pub const TENSOR_ELEMENTS_MAX: usize = 1 << 24;

/// What a tensor's elements are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ElementType {
    /// IEEE 754 single.
    F32,
    /// IEEE 754 double.
    F64,
    /// 64-bit signed integer.
    I64,
    /// 0 to 255.
    U8,
    /// True or false.
    Bool,
}

/// One dimension of a tensor's type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// This many.
    Fixed(u64),
    /// A name for a number that nothing fixes; within one value it is the same number.
    Symbol(String),
    /// `_`: any number.
    Unknown,
}

/// `tensor<NxDxf32>`
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TensorType {
    /// Outermost first; none for a single element.
    pub dims: Vec<Dimension>,
    /// Of the elements.
    pub element: ElementType,
}

/// Elements in row-major order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Elements {
    /// `f32`
    F32(Vec<f32>),
    /// `f64`
    F64(Vec<f64>),
    /// `i64`
    I64(Vec<i64>),
    /// `u8`
    U8(Vec<u8>),
    /// `bool`
    Bool(Vec<bool>),
}

/// A value of a tensor type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Tensor {
    shape: Vec<u32>,
    elements: Elements,
}

/// Why shape and elements make no tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    /// The shape holds another number of elements.
    #[error("the shape does not hold {0} elements")]
    Count(usize),
    /// More than [`TENSOR_ELEMENTS_MAX`].
    #[error("a tensor has at most {TENSOR_ELEMENTS_MAX} elements")]
    TooLarge,
}

#[derive(Serialize, Deserialize)]
struct Parts {
    shape: Vec<u32>,
    elements: Elements,
}

impl TryFrom<Parts> for Tensor {
    type Error = TensorError;

    fn try_from(parts: Parts) -> Result<Self, TensorError> {
        Self::try_new(parts.shape, parts.elements)
    }
}

impl From<Tensor> for Parts {
    fn from(tensor: Tensor) -> Self {
        Self { shape: tensor.shape, elements: tensor.elements }
    }
}

impl Tensor {
    /// A tensor of these elements in row-major order; floats are normalised.
    ///
    /// # Errors
    /// [`TensorError`] if the shape does not hold that many, or they are too many.
    pub fn try_new(shape: Vec<u32>, mut elements: Elements) -> Result<Self, TensorError> {
        match count(&shape) {
            None => return Err(TensorError::TooLarge),
            Some(n) if n != elements.len() => return Err(TensorError::Count(elements.len())),
            Some(_) => {}
        }
        match &mut elements {
            Elements::F32(values) => values.iter_mut().for_each(|x| *x = normal_f32(*x)),
            Elements::F64(values) => values.iter_mut().for_each(|x| *x = Float::new(*x).get()),
            Elements::I64(_) | Elements::U8(_) | Elements::Bool(_) => {}
        }
        Ok(Self { shape, elements })
    }

    /// A tensor of one dimension.
    ///
    /// # Errors
    /// [`TensorError::TooLarge`] for too many elements.
    pub fn vector(elements: Elements) -> Result<Self, TensorError> {
        let n = u32::try_from(elements.len()).map_err(|_| TensorError::TooLarge)?;
        Self::try_new(vec![n], elements)
    }

    /// The size of each dimension, outermost first.
    pub fn shape(&self) -> &[u32] {
        &self.shape
    }

    /// The elements in row-major order.
    pub fn elements(&self) -> &Elements {
        &self.elements
    }

    /// Whether the tensor may stand where `ty` is declared.
    pub fn fits(&self, ty: &TensorType) -> bool {
        self.elements.ty() == ty.element && ty.has_shape(&self.shape)
    }

    /// The elements as they are written, nested by dimension: `[[1.0, 2.0], [3.0, 4.0]]`.
    pub fn write(&self, out: &mut String, element: &mut dyn FnMut(&Elements, usize, &mut String)) {
        self.write_from(0, 0, out, element);
    }

    fn write_from(
        &self,
        axis: usize,
        first: usize,
        out: &mut String,
        element: &mut dyn FnMut(&Elements, usize, &mut String),
    ) {
        let Some(size) = self.shape.get(axis) else { return element(&self.elements, first, out) };
        let step: usize = self.shape[axis + 1..].iter().map(|size| *size as usize).product();
        out.push('[');
        for at in 0..*size as usize {
            if at > 0 {
                out.push_str(", ");
            }
            self.write_from(axis + 1, first + at * step, out, element);
        }
        out.push(']');
    }
}

/// How many elements a shape holds, up to [`TENSOR_ELEMENTS_MAX`].
pub fn count(shape: &[u32]) -> Option<usize> {
    let mut n = 1_usize;
    for size in shape {
        n = n.checked_mul(*size as usize)?;
    }
    (n <= TENSOR_ELEMENTS_MAX).then_some(n)
}

/// `2x3`, or `a single element` for the shape of no dimension.
pub fn shape_text(shape: &[u32]) -> String {
    if shape.is_empty() {
        return "a single element".to_owned();
    }
    shape.iter().map(u32::to_string).collect::<Vec<_>>().join("x")
}

/// One zero and one NaN.
pub(crate) fn normal_f32(x: f32) -> f32 {
    if x.is_nan() { f32::NAN } else { x + 0.0 }
}

/// Bits whose unsigned order is the order of the numbers, NaN last.
pub(crate) fn sortable_f32(x: f32) -> u32 {
    const SIGN: u32 = 1 << 31;
    let bits = normal_f32(x).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// The inverse of [`sortable_f32`].
pub(crate) fn from_sortable_f32(key: u32) -> f32 {
    const SIGN: u32 = 1 << 31;
    f32::from_bits(if key & SIGN == 0 { !key } else { key & !SIGN })
}

impl TensorType {
    /// Whether a value of that shape is one of the type: a symbol is one number within a value.
    pub fn has_shape(&self, shape: &[u32]) -> bool {
        let mut symbols: Vec<(&str, u32)> = Vec::new();
        self.dims.len() == shape.len()
            && self.dims.iter().zip(shape).all(|(dim, size)| match dim {
                Dimension::Fixed(wanted) => u64::from(*size) == *wanted,
                Dimension::Unknown => true,
                Dimension::Symbol(name) => {
                    let known = symbols.iter().find(|(known, _)| known == name).copied();
                    if known.is_none() {
                        symbols.push((name, *size));
                    }
                    known.is_none_or(|(_, known)| known == *size)
                }
            })
    }

    /// How long a vector of the type is; none where that is no number, or the rank is another.
    pub fn vector_length(&self) -> Option<u64> {
        match self.dims.as_slice() {
            [Dimension::Fixed(length)] => Some(*length),
            _ => None,
        }
    }

    /// Whether a value of this type may be one of `other`: rank and elements are the same, and no
    /// dimension is known to differ.
    pub fn may_be(&self, other: &Self) -> bool {
        self.element == other.element
            && self.dims.len() == other.dims.len()
            && self.dims.iter().zip(&other.dims).all(|pair| match pair {
                (Dimension::Fixed(a), Dimension::Fixed(b)) => a == b,
                (Dimension::Symbol(_) | Dimension::Unknown, _)
                | (_, Dimension::Symbol(_) | Dimension::Unknown) => true,
            })
    }
}

impl ElementType {
    /// As types have it: `f32`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::I64 => "i64",
            Self::U8 => "u8",
            Self::Bool => "bool",
        }
    }

    /// The element type of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::F32, Self::F64, Self::I64, Self::U8, Self::Bool]
            .into_iter()
            .find(|element| element.name() == name)
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Symbol(name) => f.write_str(name),
            Self::Unknown => f.write_str("_"),
        }
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tensor<")?;
        for dim in &self.dims {
            write!(f, "{dim}x")?;
        }
        write!(f, "{}>", self.element.name())
    }
}

impl Elements {
    /// No elements of that type, with room for `n`.
    pub fn with_capacity(ty: ElementType, n: usize) -> Self {
        match ty {
            ElementType::F32 => Self::F32(Vec::with_capacity(n)),
            ElementType::F64 => Self::F64(Vec::with_capacity(n)),
            ElementType::I64 => Self::I64(Vec::with_capacity(n)),
            ElementType::U8 => Self::U8(Vec::with_capacity(n)),
            ElementType::Bool => Self::Bool(Vec::with_capacity(n)),
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::I64(values) => values.len(),
            Self::U8(values) => values.len(),
            Self::Bool(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What they take of the memory.
    pub fn n_bytes(&self) -> usize {
        match self {
            Self::F32(values) => size_of_val(values.as_slice()),
            Self::F64(values) => size_of_val(values.as_slice()),
            Self::I64(values) => size_of_val(values.as_slice()),
            Self::U8(values) => values.len(),
            Self::Bool(values) => values.len(),
        }
    }

    /// What they are.
    pub fn ty(&self) -> ElementType {
        match self {
            Self::F32(_) => ElementType::F32,
            Self::F64(_) => ElementType::F64,
            Self::I64(_) => ElementType::I64,
            Self::U8(_) => ElementType::U8,
            Self::Bool(_) => ElementType::Bool,
        }
    }
}

impl PartialEq for Elements {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Elements {}

impl PartialOrd for Elements {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Elements {
    fn cmp(&self, other: &Self) -> Ordering {
        fn keys<T: Copy, K: Ord>(a: &[T], b: &[T], key: impl Fn(T) -> K) -> Ordering {
            a.iter().map(|x| key(*x)).cmp(b.iter().map(|x| key(*x)))
        }
        match (self, other) {
            (Self::F32(a), Self::F32(b)) => keys(a, b, sortable_f32),
            (Self::F64(a), Self::F64(b)) => keys(a, b, |x| Float::new(x).to_sortable()),
            (Self::I64(a), Self::I64(b)) => a.cmp(b),
            (Self::U8(a), Self::U8(b)) => a.cmp(b),
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (a, b) => a.ty().cmp(&b.ty()),
        }
    }
}

impl Hash for Elements {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::F32(values) => {
                for x in values {
                    state.write_u32(sortable_f32(*x));
                }
            }
            Self::F64(values) => {
                for x in values {
                    state.write_u64(Float::new(*x).to_sortable());
                }
            }
            Self::I64(values) => values.hash(state),
            Self::U8(values) => values.hash(state),
            Self::Bool(values) => values.hash(state),
        }
    }
}

impl PartialOrd for Tensor {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Tensor {
    fn cmp(&self, other: &Self) -> Ordering {
        self.shape.cmp(&other.shape).then_with(|| self.elements.cmp(&other.elements))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ty(dims: &[Dimension]) -> TensorType {
        TensorType { dims: dims.to_vec(), element: ElementType::F32 }
    }

    #[test]
    fn shape_and_elements_agree() {
        let of = |shape: &[u32], n| Tensor::try_new(shape.to_vec(), Elements::U8(vec![0; n]));
        assert!(of(&[2, 3], 6).is_ok());
        assert!(of(&[], 1).is_ok());
        assert!(of(&[0, 5], 0).is_ok());
        assert_eq!(of(&[2, 3], 5), Err(TensorError::Count(5)));
        assert_eq!(of(&[u32::MAX, u32::MAX, u32::MAX], 0), Err(TensorError::TooLarge));
    }

    #[test]
    fn a_symbol_is_one_number_within_a_value() {
        let n = || Dimension::Symbol("N".to_owned());
        let square = ty(&[n(), n()]);
        assert!(square.has_shape(&[2, 2]));
        assert!(!square.has_shape(&[2, 3]));
        assert!(!square.has_shape(&[2]));
        let wide = ty(&[Dimension::Fixed(2), Dimension::Unknown]);
        assert!(wide.has_shape(&[2, 9]) && !wide.has_shape(&[3, 9]));
        assert!(square.may_be(&wide) && !wide.may_be(&ty(&[Dimension::Fixed(3), n()])));
        assert_eq!(square.to_string(), "tensor<NxNxf32>");
        assert_eq!(ty(&[]).to_string(), "tensor<f32>");
    }

    #[test]
    fn floats_are_one_nan_and_one_zero() {
        let odd = Tensor::vector(Elements::F32(vec![-0.0, -f32::NAN])).unwrap();
        let plain = Tensor::vector(Elements::F32(vec![0.0, f32::NAN])).unwrap();
        assert_eq!(odd, plain);
        let above = Tensor::vector(Elements::F32(vec![0.0, f32::INFINITY])).unwrap();
        assert!(above < plain);
    }
}
