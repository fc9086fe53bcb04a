//! Canonical bytes: a small binary form for everything that serde can walk.
//!
//! Integers are little-endian base 128 (signed ones folded so that small ones stay short), floats
//! their eight bytes, texts and lists carry their length, structs are their fields in order, a
//! variant is its number. Equal values give equal bytes. Reading is total: no bytes make it
//! panic, allocate more than a small multiple of their length, or nest deeper than a limit.

mod write;
mod read;

pub(crate) use read::from_bytes;
pub(crate) use write::to_bytes;

/// Why bytes could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The bytes end before the value does.
    #[error("the bytes end too early")]
    End,
    /// Bytes are left over after the value.
    #[error("{0} bytes are left over")]
    Rest(usize),
    /// A number does not fit its type.
    #[error("a number is out of range")]
    Number,
    /// A text is no UTF-8, or a flag is neither 0 nor 1.
    #[error("a text or flag is damaged")]
    Content,
    /// Nesting beyond the limit.
    #[error("the value nests deeper than {NESTING_MAX}")]
    Nesting,
    /// The value has a form that the bytes cannot carry.
    #[error("{0} cannot be carried")]
    Form(&'static str),
    /// A type refused what it read.
    #[error("{0}")]
    Refused(String),
}

impl serde::ser::Error for CodecError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Refused(message.to_string())
    }
}

impl serde::de::Error for CodecError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Refused(message.to_string())
    }
}

/// Deepest nesting of structs, variants and lists that is read.
const NESTING_MAX: usize = 1_600;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Empty,
        One(i64),
        Pair(u8, String),
        Named { wide: i128, deep: Option<Box<Shape>> },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Whole {
        flag: bool,
        number: f64,
        far: u128,
        shapes: Vec<Shape>,
        names: BTreeMap<String, i32>,
        unit: (),
    }

    fn whole() -> Whole {
        Whole {
            flag: true,
            number: -0.5,
            far: u128::MAX,
            shapes: vec![
                Shape::Empty,
                Shape::One(i64::MIN),
                Shape::Pair(255, "µ".into()),
                Shape::Named { wide: i128::MIN, deep: Some(Box::new(Shape::One(-1))) },
                Shape::Named { wide: i128::MAX, deep: None },
            ],
            names: [("a".to_owned(), i32::MIN), ("b".to_owned(), i32::MAX)].into(),
            unit: (),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = to_bytes(&whole()).unwrap();
        assert_eq!(from_bytes::<Whole>(&bytes).unwrap(), whole());
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_answered() {
        let bytes = to_bytes(&whole()).unwrap();
        for end in 0..bytes.len() {
            assert!(from_bytes::<Whole>(&bytes[..end]).is_err(), "cut at {end}");
        }
        for at in 0..bytes.len() {
            for flip in [1_u8, 0x80, 0xFF] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                let _answered = from_bytes::<Whole>(&damaged);
            }
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(from_bytes::<Whole>(&longer), Err(CodecError::Rest(1)));
    }

    #[test]
    fn lengths_are_checked_before_memory_is_taken() {
        let huge = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F];
        assert_eq!(from_bytes::<Vec<()>>(&huge), Err(CodecError::End));
        assert_eq!(from_bytes::<String>(&huge), Err(CodecError::End));
        assert_eq!(from_bytes::<u8>(&[0xFF, 0x7F]), Err(CodecError::Number));
    }
}
