//! Rows that several joins look up: whether what they look up is the same.

use arqon_operators::{Expr, ExprKind};
use arqon_types::Type;

use super::Verifier;
use crate::dataflow::{Arrangement, Join, JoinReader, NoneInKey, Operator, StepId};

/// What makes two sides of joins hold the same rows under the same keys.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lookup {
    of: StepId,
    key: Vec<usize>,
    types: Vec<Type>,
    /// Where a key may be `none`.
    none: Option<NoneInKey>,
}

impl Verifier<'_> {
    pub(super) fn arrangements(&mut self) {
        let mut all: Vec<JoinReader> = Vec::new();
        for arrangement in &self.plan.arrangements {
            self.place = "an arrangement";
            self.arrangement(arrangement);
            all.extend(&arrangement.readers);
        }
        let n_readers = all.len();
        all.sort_unstable();
        all.dedup();
        self.require(all.len() == n_readers, || "a side of a join reads two arrangements".into());
    }

    fn arrangement(&mut self, Arrangement { readers }: &Arrangement) {
        self.require(readers.len() > 1, || "an arrangement for one reader".into());
        self.require(readers.is_sorted_by(|a, b| a.join < b.join), || {
            "the readers of an arrangement stand in no order, or one reads it twice".into()
        });
        let regions = self.plan.regions();
        let mut first = None;
        for reader in readers {
            let Some(step) = self.plan.steps.get(reader.join.index()) else {
                self.require(false, || format!("step {} is not there", reader.join.0));
                continue;
            };
            self.place = &step.address;
            let Operator::Join(join) = &step.operator else {
                self.require(false, || "only joins read arrangements".into());
                continue;
            };
            let is_released = self.plan.releases.iter().any(|it| it.step == reader.join);
            let is_plain = join.asof.is_none() && regions[reader.join.index()].is_none();
            self.require(is_plain && !is_released, || {
                "a join that looks up what no other does: by time, in a loop, or until it closes"
                    .into()
            });
            let lookup = lookup(join, *reader, step.inputs[reader.side.index()]);
            self.require(lookup.is_some(), || "a key that is no columns".into());
            let first = first.get_or_insert_with(|| lookup.clone());
            let is_same = *first == lookup;
            self.require(is_same, || {
                format!("its {} side is not what others look up", reader.side.name())
            });
        }
    }
}

/// What a side of a join looks up, if its key is columns.
fn lookup(join: &Join, reader: JoinReader, of: StepId) -> Option<Lookup> {
    let column = |key: &Expr| match key.kind {
        ExprKind::Column(at) => Some(at),
        _ => None,
    };
    let key: Option<Vec<usize>> = join.key(reader.side).iter().map(column).collect();
    let types = join.key_types();
    let has_none = types.iter().any(Type::is_option);
    let none = has_none.then(|| join.none_in_key(reader.side));
    Some(Lookup { of, key: key?, types, none })
}
