//! What is known of the symbols in tensors, while types meet.

use std::collections::BTreeMap;

use arqon_grammar::Span;
use arqon_types::Dimension;

use crate::resolve::Found;

/// What has been found out about symbols, and where.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    pub(super) bound: BTreeMap<String, (Dimension, Span)>,
}

impl Symbols {
    /// What each symbol stands for: a number, or another symbol.
    pub(crate) fn found(&self) -> Found {
        self.bound.iter().map(|(name, (dimension, _))| (name.clone(), dimension.clone())).collect()
    }

    /// What the dimension stands for, and where its number was found.
    pub(super) fn resolve(&self, dimension: &Dimension) -> (Dimension, Option<Span>) {
        let (mut dimension, mut place) = (dimension.clone(), None);
        while let Dimension::Symbol(name) = &dimension
            && let Some((known, span)) = self.bound.get(name)
        {
            (dimension, place) = (known.clone(), Some(*span));
        }
        (dimension, place)
    }
}
