//! Bytes as text: base64 as files and JSON carry them, hexadecimal as people compare them.
//!
//! Base64 is RFC 4648 with the standard alphabet and padding; reading wants exactly that form, so
//! that a value has one text. Hexadecimal is written in lower case and read in either.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The bytes in base64, padded.
pub fn format_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for digit in 0..4 {
            let place = (bits >> (18 - 6 * digit)) & 63;
            text.push(if digit <= chunk.len() {
                char::from(ALPHABET[place as usize])
            } else {
                '='
            });
        }
    }
    text
}

/// The bytes that a base64 text stands for; none for any other text.
pub fn parse_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(4) {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3);
    let n_groups = digits.len() / 4;
    for (at, group) in digits.chunks(4).enumerate() {
        let n_padding = group.iter().rev().take_while(|digit| **digit == b'=').count();
        if n_padding > 2 || n_padding > 0 && at + 1 < n_groups {
            return None;
        }
        let mut bits = 0;
        for digit in &group[..4 - n_padding] {
            bits = bits << 6 | sextet(*digit)?;
        }
        bits <<= 6 * n_padding;
        let three = &bits.to_be_bytes()[1..];
        let (kept, dropped) = three.split_at(3 - n_padding);
        if dropped.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(kept);
    }
    Some(bytes)
}

fn sextet(digit: u8) -> Option<u32> {
    let place = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(place))
}

/// The bytes as pairs of hexadecimal digits.
pub fn format_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// The bytes that pairs of hexadecimal digits stand for; none for any other text.
pub fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let nibble = |digit: u8| char::from(digit).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => u8::try_from(nibble(*high)? << 4 | nibble(*low)?).ok(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648() {
        let vectors = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (n_bytes, text) in vectors.into_iter().enumerate() {
            let bytes = &b"foobar"[..n_bytes];
            assert_eq!(format_base64(bytes), text);
            assert_eq!(parse_base64(text).as_deref(), Some(bytes));
        }
        assert_eq!(format_base64(&[0xFB, 0xFF]), "+/8=");
    }

    #[test]
    fn a_value_has_one_text() {
        for odd in ["Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "Z g=", "Zg=a", "====", "-_8="] {
            assert_eq!(parse_base64(odd), None, "{odd}");
        }
        assert_eq!(parse_hex("00fF"), Some(vec![0, 255]));
        assert_eq!(format_hex(&[0, 255]), "00ff");
        for odd in ["0", "0g", "+1", "é"] {
            assert_eq!(parse_hex(odd), None, "{odd}");
        }
    }
}
