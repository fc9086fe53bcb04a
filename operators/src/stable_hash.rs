//! `hash(seed, key)`: the same number on every machine, in every version.
//!
//! The key's value is a sequence of 64-bit words: a tag for the kind, then the content (a text,
//! list, map or shape is preceded by its length; bytes are taken eight at a time, least first,
//! zero-filled).
//! Each word is xored into the state, and the state is mixed by `SplitMix64`: add the golden gamma,
//! then two rounds of xor-shift and multiply. Not for secrets.

use arqon_types::{Elements, Float, Tensor, Value};

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(state: u64, word: u64) -> u64 {
    let mut z = (state ^ word).wrapping_add(GAMMA);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The hash of `key` under `seed`.
pub(crate) fn stable_hash(seed: i64, key: &Value) -> i64 {
    absorb(mix(0, seed.cast_unsigned()), key).cast_signed()
}

/// What an integer key gives, without a [`Value`] around it.
pub(crate) fn stable_hash_int(seed: i64, key: i64) -> i64 {
    mix(mix(mix(0, seed.cast_unsigned()), 2), key.cast_unsigned()).cast_signed()
}

fn absorb(state: u64, value: &Value) -> u64 {
    match value {
        Value::None => mix(state, 0),
        Value::Bool(value) => mix(mix(state, 1), u64::from(*value)),
        Value::Int(value) => mix(mix(state, 2), value.cast_unsigned()),
        Value::Float(value) => mix(mix(state, 3), value.to_sortable()),
        Value::Decimal(units) => absorb_wide(mix(state, 4), units.cast_unsigned()),
        Value::String(text) => absorb_bytes(mix(state, 5), text.as_bytes()),
        Value::Bytes(bytes) => absorb_bytes(mix(state, 13), bytes),
        Value::Map(entries) => {
            entries.iter().fold(mix(mix(state, 14), entries.len() as u64), |state, (key, value)| {
                absorb(absorb_bytes(state, key.as_bytes()), value)
            })
        }
        Value::Tensor(tensor) => absorb_tensor(mix(state, 15), tensor),
        Value::Timestamp(value) => mix(mix(state, 6), value.cast_unsigned()),
        Value::Date(days) => mix(mix(state, 7), i64::from(*days).cast_unsigned()),
        Value::Duration(value) => mix(mix(state, 8), value.cast_unsigned()),
        Value::Uuid(bits) => absorb_wide(mix(state, 9), *bits),
        Value::Enum(idx) => mix(mix(state, 10), u64::from(*idx)),
        Value::List(items) => items.iter().fold(mix(mix(state, 11), items.len() as u64), absorb),
        Value::Struct(values) => {
            values.iter().fold(mix(mix(state, 12), values.len() as u64), absorb)
        }
    }
}

fn absorb_bytes(state: u64, bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(mix(state, bytes.len() as u64), |state, chunk| {
        let mut eight = [0; 8];
        eight[..chunk.len()].copy_from_slice(chunk);
        mix(state, u64::from_le_bytes(eight))
    })
}

/// The sizes, then one word for each element.
fn absorb_tensor(state: u64, tensor: &Tensor) -> u64 {
    let shape = tensor.shape();
    let state = shape
        .iter()
        .fold(mix(state, shape.len() as u64), |state, size| mix(state, u64::from(*size)));
    let float = |state, x: f64| mix(state, Float::new(x).to_sortable());
    match tensor.elements() {
        Elements::F32(values) => values.iter().fold(state, |s, x| float(s, f64::from(*x))),
        Elements::F64(values) => values.iter().fold(state, |s, x| float(s, *x)),
        Elements::I64(values) => values.iter().fold(state, |s, x| mix(s, x.cast_unsigned())),
        Elements::U8(values) => values.iter().fold(state, |s, x| mix(s, u64::from(*x))),
        Elements::Bool(values) => values.iter().fold(state, |s, x| mix(s, u64::from(*x))),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low word is what is asked for")]
fn absorb_wide(state: u64, bits: u128) -> u64 {
    mix(mix(state, bits as u64), (bits >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_never_change() {
        let cases = [
            (0, Value::Int(0), stable_hash_int(0, 0)),
            (7, Value::Int(-5), stable_hash_int(7, -5)),
        ];
        for (seed, key, expected) in cases {
            assert_eq!(stable_hash(seed, &key), expected);
        }
        let fixed = [
            stable_hash(1, &Value::string("arqon")),
            stable_hash(1, &Value::None),
            stable_hash(2, &Value::List(vec![Value::Bool(true), Value::Decimal(-1)].into())),
        ];
        assert_eq!(
            fixed,
            [-234_223_424_240_792_403, 6_791_897_765_849_424_158, -2_834_190_913_762_615_848]
        );
    }
}
