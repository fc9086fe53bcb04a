//! Tensors from JSON: nested lists, whose shape is read off and checked against the type.
//!
//! The text has been parsed as JSON before, so that only numbers, words and brackets are told
//! apart here. A list without items leaves the sizes below it open: they are the type's where it
//! fixes them, and 0 elsewhere.

use arqon_types::{
    Dimension, ElementType, Elements, TENSOR_ELEMENTS_MAX, Tensor, TensorType, shape_text,
};

use crate::scalar::{float_from_digits, special_float};

/// Reads a JSON text as a tensor of `ty`.
pub(crate) fn read_tensor(json: &str, ty: &TensorType) -> Result<Tensor, String> {
    let mut reader = Reader {
        rest: json.trim_start(),
        sizes: vec![None; ty.dims.len()],
        elements: Elements::with_capacity(ty.element, 0),
        ty,
    };
    reader.level(0)?;
    let shape: Vec<u32> = reader
        .sizes
        .iter()
        .zip(&ty.dims)
        .map(|(size, dim)| match (size, dim) {
            (Some(size), _) => *size,
            (None, Dimension::Fixed(size)) => u32::try_from(*size).unwrap_or(u32::MAX),
            (None, Dimension::Symbol(_) | Dimension::Unknown) => 0,
        })
        .collect();
    if !ty.has_shape(&shape) {
        return Err(format!("expects {ty}, found the shape {}", shape_text(&shape)));
    }
    Tensor::try_new(shape, reader.elements).map_err(|error| format!("does not fit: {error}"))
}

struct Reader<'a> {
    rest: &'a str,
    /// The size of each dimension, once a list of it has been read.
    sizes: Vec<Option<u32>>,
    elements: Elements,
    ty: &'a TensorType,
}

impl Reader<'_> {
    fn level(&mut self, axis: usize) -> Result<(), String> {
        if axis == self.sizes.len() {
            return self.element();
        }
        if !self.rest.starts_with('[') {
            let found = self.rest.split([',', ']']).next().unwrap_or("").trim_end();
            return Err(format!("expects {}, found {found} where a list is wanted", self.ty));
        }
        self.skip(1);
        let mut n = 0_u32;
        if self.rest.starts_with(']') {
            self.skip(1);
        } else {
            loop {
                self.level(axis + 1)?;
                n = n.checked_add(1).ok_or("has too many items")?;
                let is_last = self.rest.starts_with(']');
                self.skip(1);
                if is_last {
                    break;
                }
            }
        }
        match self.sizes[axis].replace(n) {
            Some(first) if first != n => Err(format!(
                "expects {}, found lists of {first} and of {n} items beside each other",
                self.ty
            )),
            _ => Ok(()),
        }
    }

    fn skip(&mut self, n_bytes: usize) {
        self.rest = self.rest[n_bytes..].trim_start();
    }

    fn element(&mut self) -> Result<(), String> {
        let end = self.rest.find([',', ']']).unwrap_or(self.rest.len());
        let text = self.rest[..end].trim_end();
        let ty = self.ty;
        let odd = || format!("expects {ty}, found {text} among its elements");
        if self.elements.len() == TENSOR_ELEMENTS_MAX {
            return Err(format!(
                "does not fit: a tensor has at most {TENSOR_ELEMENTS_MAX} elements"
            ));
        }
        if text.starts_with('[') {
            return Err(format!("expects {ty}, found a list among its elements"));
        }
        let float = || match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(word) => special_float(word).ok_or_else(odd),
            None => float_from_digits(text, ty.element.name()),
        };
        match &mut self.elements {
            Elements::F64(values) => values.push(float()?),
            Elements::F32(values) => values.push(match text.parse::<f32>() {
                // Read as a single at once: by way of a double it might be rounded twice.
                Ok(number) if number.is_finite() => number,
                _ => single(float()?)
                    .ok_or_else(|| format!("does not fit: {text} is out of the range of f32"))?,
            }),
            Elements::I64(values) => values.push(text.parse().map_err(|_| odd())?),
            Elements::U8(values) => values.push(text.parse().map_err(|_| odd())?),
            Elements::Bool(values) => values.push(match text {
                "true" => true,
                "false" => false,
                _ => return Err(odd()),
            }),
        }
        self.rest = self.rest[end..].trim_start();
        Ok(())
    }
}

/// What is no finite single: NaN and the infinities as they are, and nothing else.
fn single(number: f64) -> Option<f32> {
    (!number.is_finite()).then(|| arqon_types::Float::new(number).to_f32())
}

/// The elements of a tensor as little-endian bytes, as protobuf messages carry them.
pub(crate) fn elements_to_bytes(elements: &Elements) -> Vec<u8> {
    match elements {
        Elements::F32(values) => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Elements::F64(values) => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Elements::I64(values) => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Elements::U8(values) => values.clone(),
        Elements::Bool(values) => values.iter().map(|x| u8::from(*x)).collect(),
    }
}

/// The elements again; none if the bytes are not a whole number of them.
pub(crate) fn elements_from_bytes(bytes: &[u8], ty: ElementType) -> Option<Elements> {
    fn chunks<const N: usize, T>(bytes: &[u8], read: fn([u8; N]) -> T) -> Option<Vec<T>> {
        let (chunks, rest) = bytes.as_chunks::<N>();
        rest.is_empty().then(|| chunks.iter().map(|chunk| read(*chunk)).collect())
    }
    Some(match ty {
        ElementType::F32 => Elements::F32(chunks(bytes, f32::from_le_bytes)?),
        ElementType::F64 => Elements::F64(chunks(bytes, f64::from_le_bytes)?),
        ElementType::I64 => Elements::I64(chunks(bytes, i64::from_le_bytes)?),
        ElementType::U8 => Elements::U8(bytes.to_vec()),
        ElementType::Bool => {
            let flags = bytes.iter().all(|byte| *byte <= 1);
            Elements::Bool(flags.then(|| bytes.iter().map(|byte| *byte == 1).collect())?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str, dims: &[Dimension], element: ElementType) -> Result<String, String> {
        let ty = TensorType { dims: dims.to_vec(), element };
        read_tensor(json, &ty).map(|tensor| {
            assert!(tensor.fits(&ty));
            format!("{} {:?}", shape_text(tensor.shape()), tensor.elements())
        })
    }

    #[test]
    fn nested_lists_have_a_shape() {
        use Dimension::{Fixed, Unknown};
        let any = &[Unknown, Unknown];
        assert_eq!(
            read("[[1, 2.5],[ 3e0 ,\"NaN\"] ]", any, ElementType::F32).unwrap(),
            "2x2 F32([1.0, 2.5, 3.0, NaN])"
        );
        assert_eq!(read("[[], []]", any, ElementType::U8).unwrap(), "2x0 U8([])");
        assert_eq!(read("[]", &[Unknown, Fixed(3)], ElementType::I64).unwrap(), "0x3 I64([])");
        assert_eq!(read("7", &[], ElementType::I64).unwrap(), "a single element I64([7])");
        assert_eq!(
            read("[true,false]", &[Fixed(2)], ElementType::Bool).unwrap(),
            "2 Bool([true, false])"
        );
    }

    #[test]
    fn what_is_no_such_tensor_says_why() {
        use Dimension::{Fixed, Unknown};
        let any = [Unknown, Unknown];
        for (json, dims, element, reason) in [
            ("[[1],[2,3]]", &any[..], ElementType::F64, "found lists of 1 and of 2 items"),
            ("[1,2]", &any, ElementType::F64, "found 1 where a list"),
            ("[[[1]]]", &any, ElementType::F64, "found a list among"),
            (
                "[[1,2]]",
                &[Fixed(1), Fixed(3)],
                ElementType::F64,
                "expects tensor<1x3xf64>, found the shape 1x2",
            ),
            ("[[1.5]]", &any, ElementType::I64, "found 1.5 among its elements"),
            ("[[256]]", &any, ElementType::U8, "found 256 among its elements"),
            ("[[1e39]]", &any, ElementType::F32, "out of the range of f32"),
            ("[[null]]", &any, ElementType::F32, "expects f32, found \"null\""),
            ("[[\"inf\"]]", &any, ElementType::F32, "among its elements"),
            ("null", &any, ElementType::F32, "found null where a list"),
            ("{\"a\":1}", &any, ElementType::F32, "where a list is wanted"),
        ] {
            let found = read(json, dims, element).unwrap_err();
            assert!(found.contains(reason), "{json}: {found}");
        }
    }
}
