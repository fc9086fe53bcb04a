//! Weights as codes of 32 bits: small ones are their own codes, others stand in a table.

use std::collections::BTreeMap;

/// From here on a code is a place in the table.
const TABLE: u32 = 1 << 31;

/// The weights that are too large to be their own codes. Those that no edge has any more stay until
/// the graph is loaded anew, since few graphs have many of them.
#[derive(Debug, Default, Clone)]
pub(super) struct Weights {
    large: Vec<i64>,
    codes: BTreeMap<i64, u32>,
}

impl Weights {
    /// The code of a weight, if it has one.
    pub(super) fn code(&self, weight: i64) -> Option<u32> {
        match u32::try_from(weight) {
            Ok(code) if code < TABLE => Some(code),
            _ => self.codes.get(&weight).copied(),
        }
    }

    /// The code of a weight, which it has from now on.
    ///
    /// # Panics
    /// Beyond 2^31 large weights.
    pub(super) fn give(&mut self, weight: i64) -> u32 {
        if let Some(code) = self.code(weight) {
            return code;
        }
        let at = u32::try_from(self.large.len()).expect("fewer weights than 2^31");
        assert!(at < TABLE, "a graph has at most 2^31 large weights");
        self.large.push(weight);
        self.codes.insert(weight, TABLE | at);
        TABLE | at
    }

    /// The weight of a code.
    pub(super) fn length(&self, code: u32) -> u64 {
        if code < TABLE {
            u64::from(code)
        } else {
            self.large[(code ^ TABLE) as usize].unsigned_abs()
        }
    }

    /// The large weights, in the order of their codes.
    pub(super) fn large(&self) -> &[i64] {
        &self.large
    }

    /// Bytes that it takes.
    pub(super) fn state_bytes(&self) -> usize {
        self.large.capacity() * 8 + self.codes.len() * 16
    }

    /// Whether an edge may have the code.
    pub(super) fn has(&self, code: u32) -> bool {
        code < TABLE || ((code ^ TABLE) as usize) < self.large.len()
    }
}
