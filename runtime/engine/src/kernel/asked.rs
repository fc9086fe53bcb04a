//! Keys whose answers are asked for, under `emit: pull`.

use std::collections::BTreeMap;

use arqon_types::PackedRow;

use crate::deltas::Delta;

/// Which answers are to be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Questions {
    /// All that are asked for: a step may have changed any of them.
    All,
    /// Those that are asked for since the last step.
    New,
}

/// The keys, each as long as a row asks for it.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// How many rows ask.
    n_rows: BTreeMap<PackedRow, i64>,
    new: Vec<PackedRow>,
    n_bytes: usize,
}

impl Asked {
    /// Takes the changes of the rows that ask for a key; whether none asks any more.
    pub(crate) fn change(&mut self, key: &PackedRow, rows: &[Delta]) -> bool {
        let before = self.n_rows.get(key).copied().unwrap_or(0);
        let after = before + rows.iter().map(|(_, diff)| diff).sum::<i64>();
        let n_bytes = size_of::<(PackedRow, i64)>() + key.heap_bytes();
        if after == 0 {
            self.n_rows.remove(key);
        } else {
            self.n_rows.insert(key.clone(), after);
        }
        if before <= 0 && 0 < after {
            self.new.push(key.clone());
            self.n_bytes += n_bytes;
        }
        let has_ended = 0 < before && after <= 0;
        if has_ended {
            self.n_bytes = self.n_bytes.saturating_sub(n_bytes);
        }
        has_ended
    }

    /// Whether anything is asked for since the last step.
    pub(crate) fn has_new(&self) -> bool {
        !self.new.is_empty()
    }

    /// How many keys that are at most.
    pub(crate) fn len(&self, which: Questions) -> usize {
        match which {
            Questions::All => self.n_rows.len(),
            Questions::New => self.new.len(),
        }
    }

    /// The keys, in ascending order; what was new is so no more.
    pub(crate) fn take(&mut self, which: Questions) -> Vec<PackedRow> {
        let new = std::mem::take(&mut self.new);
        match which {
            Questions::All => {
                let there = self.n_rows.iter().filter(|(_, n)| 0 < **n);
                there.map(|(key, _)| key.clone()).collect()
            }
            Questions::New => new,
        }
    }

    /// What they take of the memory.
    pub(crate) fn state_bytes(&self) -> usize {
        self.n_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> PackedRow {
        let mut row = PackedRow::new();
        row.push_bytes(&[byte]);
        row
    }

    fn rows(key: &PackedRow, diff: i64) -> Vec<Delta> {
        vec![((key.clone(), PackedRow::new()), diff)]
    }

    #[test]
    fn a_key_is_asked_for_as_long_as_a_row_asks() {
        let mut asked = Asked::default();
        let (one, two) = (key(1), key(2));
        assert!(!asked.change(&one, &rows(&one, 2)));
        assert!(!asked.change(&two, &rows(&two, 1)));
        assert_eq!(asked.take(Questions::New), vec![one.clone(), two.clone()]);
        assert!(!asked.change(&one, &rows(&one, -1)));
        assert!(!asked.has_new());
        assert!(asked.change(&one, &rows(&one, -1)));
        assert_eq!(asked.take(Questions::All), vec![two.clone()]);
        assert!(asked.change(&two, &rows(&two, -1)));
        assert_eq!((asked.take(Questions::All), asked.state_bytes()), (Vec::new(), 0));
    }
}
