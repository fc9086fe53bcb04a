//! Which keys of a state belong to windows that are open, so that they go when they close.

use std::collections::BTreeMap;

use arqon_plan::Release;
use arqon_types::{PackedRow, Type, Value};

use crate::packed::Packed;
use crate::source::PackedMap;

/// The keys of a state, by the end of their window; nothing where no window closes.
#[derive(Debug, Default)]
pub(crate) struct OpenKeys {
    rule: Option<Rule>,
    ends: BTreeMap<i64, PackedMap<()>>,
}

#[derive(Debug)]
struct Rule {
    types: Vec<Type>,
    part: usize,
    slack: i64,
}

impl OpenKeys {
    /// For keys packed from these types, of which the release names a part.
    pub(crate) fn new(release: Option<&Release>, types: Vec<Type>) -> Self {
        let rule = release.map(|it| Rule { types, part: it.key, slack: it.slack });
        Self { rule, ends: BTreeMap::new() }
    }

    /// Remembers a key that has come.
    pub(crate) fn add(&mut self, key: &impl Packed) {
        let Some(rule) = &self.rule else { return };
        let key = key.to_row();
        let end = match &key.unpack(&rule.types)[rule.part] {
            Value::Timestamp(bound) => bound.saturating_add(rule.slack),
            other => panic!("a window's bound is a timestamp, not {other:?}"),
        };
        self.ends.entry(end).or_default().insert(key, ());
    }

    /// Takes out the keys whose windows have closed.
    pub(crate) fn close(&mut self, mark: i64) -> Vec<PackedRow> {
        let mut closed = Vec::new();
        while let Some(first) = self.ends.first_entry() {
            if mark < *first.key() {
                break;
            }
            closed.extend(first.remove().into_keys());
        }
        closed
    }
}
