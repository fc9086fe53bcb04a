//! Bytes to values.

use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};

use super::{CodecError, NESTING_MAX};

/// The value that these bytes are, all of them.
///
/// # Errors
/// Says what is wrong with the bytes.
pub(crate) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let mut reader = Reader { bytes, depth: 0 };
    let value = T::deserialize(&mut reader)?;
    match reader.bytes.len() {
        0 => Ok(value),
        rest => Err(CodecError::Rest(rest)),
    }
}

struct Reader<'de> {
    bytes: &'de [u8],
    depth: usize,
}

impl<'de> Reader<'de> {
    fn take(&mut self, n_bytes: usize) -> Result<&'de [u8], CodecError> {
        let (taken, rest) = self.bytes.split_at_checked(n_bytes).ok_or(CodecError::End)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, CodecError> {
        Ok(self.take(1)?[0])
    }

    fn unsigned(&mut self) -> Result<u128, CodecError> {
        let mut number: u128 = 0;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            let low = u128::from(byte & 0x7F);
            let part = low << shift;
            if part >> shift != low {
                return Err(CodecError::Number);
            }
            number |= part;
            if byte & 0x80 == 0 {
                // One number has one form: no empty last byte.
                return if byte == 0 && 0 < shift { Err(CodecError::Number) } else { Ok(number) };
            }
        }
        Err(CodecError::Number)
    }

    fn signed(&mut self) -> Result<i128, CodecError> {
        let folded = self.unsigned()?;
        Ok((folded >> 1).cast_signed() ^ -((folded & 1).cast_signed()))
    }

    fn length(&mut self) -> Result<usize, CodecError> {
        usize::try_from(self.unsigned()?).map_err(|_| CodecError::Number)
    }

    /// The length of a list, whose every item takes at least a byte unless it is empty.
    fn n_items(&mut self) -> Result<usize, CodecError> {
        let n_items = self.length()?;
        if self.bytes.len() < n_items { Err(CodecError::End) } else { Ok(n_items) }
    }

    fn flag(&mut self) -> Result<bool, CodecError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(CodecError::Content),
        }
    }

    fn text(&mut self) -> Result<&'de str, CodecError> {
        let n_bytes = self.length()?;
        std::str::from_utf8(self.take(n_bytes)?).map_err(|_| CodecError::Content)
    }

    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, CodecError>,
    ) -> Result<T, CodecError> {
        if NESTING_MAX <= self.depth {
            return Err(CodecError::Nesting);
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn items<V: Visitor<'de>>(&mut self, left: usize, visitor: V) -> Result<V::Value, CodecError> {
        self.nested(|reader| visitor.visit_seq(Items { reader, left }))
    }
}

macro_rules! numbers {
    ($($method:ident => $visit:ident, $reader:ident;)*) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
                let number = self.$reader()?;
                visitor.$visit(number.try_into().map_err(|_| CodecError::Number)?)
            }
        )*
    };
}

impl<'de> de::Deserializer<'de> for &mut Reader<'de> {
    type Error = CodecError;

    numbers! {
        deserialize_i8 => visit_i8, signed;
        deserialize_i16 => visit_i16, signed;
        deserialize_i32 => visit_i32, signed;
        deserialize_i64 => visit_i64, signed;
        deserialize_u8 => visit_u8, unsigned;
        deserialize_u16 => visit_u16, unsigned;
        deserialize_u32 => visit_u32, unsigned;
        deserialize_u64 => visit_u64, unsigned;
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_i128(self.signed()?)
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_u128(self.unsigned()?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_bool(self.flag()?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let bytes = self.take(4)?.try_into().map_err(|_| CodecError::End)?;
        visitor.visit_f32(f32::from_bits(u32::from_le_bytes(bytes)))
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let bytes = self.take(8)?.try_into().map_err(|_| CodecError::End)?;
        visitor.visit_f64(f64::from_bits(u64::from_le_bytes(bytes)))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let number = u32::try_from(self.unsigned()?).map_err(|_| CodecError::Number)?;
        visitor.visit_char(char::from_u32(number).ok_or(CodecError::Content)?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let n_bytes = self.length()?;
        visitor.visit_borrowed_bytes(self.take(n_bytes)?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        if self.flag()? {
            self.nested(|reader| visitor.visit_some(reader))
        } else {
            visitor.visit_none()
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.nested(|reader| visitor.visit_newtype_struct(reader))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let n_items = self.n_items()?;
        self.items(n_items, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.items(length, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.items(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let left = self.n_items()?;
        self.nested(|reader| visitor.visit_map(Items { reader, left }))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.items(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.nested(|reader| visitor.visit_enum(Variant { reader }))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, CodecError> {
        Err(CodecError::Form("a value of unknown type"))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, CodecError> {
        Err(CodecError::Form("a name of a field"))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, CodecError> {
        Err(CodecError::Form("a value of unknown type"))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// What is left of a list, tuple, struct or map.
struct Items<'a, 'de> {
    reader: &'a mut Reader<'de>,
    left: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'_, 'de> {
    type Error = CodecError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, CodecError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> de::MapAccess<'de> for Items<'_, 'de> {
    type Error = CodecError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, CodecError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, CodecError> {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// A variant: its number, then its content.
struct Variant<'a, 'de> {
    reader: &'a mut Reader<'de>,
}

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = CodecError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), CodecError> {
        let idx = u32::try_from(self.reader.unsigned()?).map_err(|_| CodecError::Number)?;
        let which = seed.deserialize(IntoDeserializer::<CodecError>::into_deserializer(idx))?;
        Ok((which, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = CodecError;

    fn unit_variant(self) -> Result<(), CodecError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, CodecError> {
        seed.deserialize(self.reader)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.reader.items(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.reader.items(fields.len(), visitor)
    }
}
