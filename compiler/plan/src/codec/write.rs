//! Values to bytes.

use serde::ser::{self, Serialize};

use super::CodecError;

/// The canonical bytes of a value.
///
/// # Errors
/// If the value has a list or map of unknown length.
pub(crate) fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    let mut writer = Writer { bytes: Vec::new() };
    value.serialize(&mut writer)?;
    Ok(writer.bytes)
}

struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn unsigned(&mut self, mut number: u128) {
        while 0x80 <= number {
            self.bytes.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.bytes.push(number.to_le_bytes()[0]);
    }

    fn signed(&mut self, number: i128) {
        self.unsigned(((number << 1) ^ (number >> 127)).cast_unsigned());
    }

    fn length(&mut self, length: Option<usize>) -> Result<(), CodecError> {
        self.unsigned(length.ok_or(CodecError::Form("a list of unknown length"))? as u128);
        Ok(())
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.unsigned(bytes.len() as u128);
        self.bytes.extend_from_slice(bytes);
    }
}

macro_rules! numbers {
    ($($method:ident($ty:ty) => $writer:ident,)*) => {
        $(
            fn $method(self, value: $ty) -> Result<(), CodecError> {
                self.$writer(value.into());
                Ok(())
            }
        )*
    };
}

impl ser::Serializer for &mut Writer {
    type Ok = ();
    type Error = CodecError;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    numbers! {
        serialize_i8(i8) => signed,
        serialize_i16(i16) => signed,
        serialize_i32(i32) => signed,
        serialize_i64(i64) => signed,
        serialize_i128(i128) => signed,
        serialize_u8(u8) => unsigned,
        serialize_u16(u16) => unsigned,
        serialize_u32(u32) => unsigned,
        serialize_u64(u64) => unsigned,
        serialize_u128(u128) => unsigned,
    }

    fn serialize_bool(self, value: bool) -> Result<(), CodecError> {
        self.bytes.push(u8::from(value));
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), CodecError> {
        self.bytes.extend_from_slice(&value.to_bits().to_le_bytes());
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), CodecError> {
        self.bytes.extend_from_slice(&value.to_bits().to_le_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), CodecError> {
        self.unsigned(u128::from(u32::from(value)));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), CodecError> {
        self.raw(value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), CodecError> {
        self.raw(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), CodecError> {
        self.bytes.push(0);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), CodecError> {
        self.bytes.push(1);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), CodecError> {
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), CodecError> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        idx: u32,
        _variant: &'static str,
    ) -> Result<(), CodecError> {
        self.unsigned(u128::from(idx));
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), CodecError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        idx: u32,
        _variant: &'static str,
        value: &T,
    ) -> Result<(), CodecError> {
        self.unsigned(u128::from(idx));
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self, CodecError> {
        self.length(length)?;
        Ok(self)
    }

    fn serialize_tuple(self, _length: usize) -> Result<Self, CodecError> {
        Ok(self)
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Self, CodecError> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        idx: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self, CodecError> {
        self.unsigned(u128::from(idx));
        Ok(self)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self, CodecError> {
        self.length(length)?;
        Ok(self)
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Self, CodecError> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        idx: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self, CodecError> {
        self.unsigned(u128::from(idx));
        Ok(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

macro_rules! parts {
    ($($part:ident, $method:ident($($name:ident)?);)*) => {
        $(
            impl ser::$part for &mut Writer {
                type Ok = ();
                type Error = CodecError;

                fn $method<T: Serialize + ?Sized>(
                    &mut self,
                    $($name: &'static str,)?
                    value: &T,
                ) -> Result<(), CodecError> {
                    value.serialize(&mut **self)
                }

                fn end(self) -> Result<(), CodecError> {
                    Ok(())
                }
            }
        )*
    };
}

parts! {
    SerializeSeq, serialize_element();
    SerializeTuple, serialize_element();
    SerializeTupleStruct, serialize_field();
    SerializeTupleVariant, serialize_field();
    SerializeStruct, serialize_field(_name);
    SerializeStructVariant, serialize_field(_name);
}

impl ser::SerializeMap for &mut Writer {
    type Ok = ();
    type Error = CodecError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CodecError> {
        key.serialize(&mut **self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), CodecError> {
        Ok(())
    }
}
