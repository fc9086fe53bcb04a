//! Joins: on hash operators in the form that their keys and rows allow, alone or with others, and
//! on arrangements.

use arqon_plan::{Join, Step, StepId};
use arqon_types::PackedRow;

use super::{Backend, Walk};
use crate::arrangement;
use crate::asof::{AsofLogic, AsofShape, pack_sides};
use crate::batch::Batches;
use crate::join::{JoinLogic, JoinShape, Reader, pick};
use crate::joined::Joined;
use crate::keyed::{KeyShape, pack_fields};
use crate::packed::Packed;
use crate::recorder::Meter;

impl<'scope> Walk<'scope, '_> {
    pub(super) fn join(
        &self,
        idx: usize,
        step: &Step,
        join: &Join,
        meter: Meter,
    ) -> Batches<'scope> {
        let inputs = [0, 1].map(|at| &*self.plan.steps[step.inputs[at].index()].schema);
        let read = &self.narrow.joins[&StepId::at(idx)];
        let [left, right] = [0, 1].map(|at| pick(inputs[at], &read[at]));
        let shape = JoinShape::new(join, &left, &right);
        let keys: [KeyShape; 2] = JoinShape::keys(join).into();
        if self.backend == Backend::Hash && join.asof.is_none() {
            let joined = &self.joined[&StepId::at(idx)];
            let shape = shape.reading(&joined.sides);
            return match (joined.has_word_keys, joined.is_words) {
                (true, true) => self.hash_join::<u64, u64>(idx, shape, keys, joined, meter),
                (true, false) => self.hash_join::<u64, PackedRow>(idx, shape, keys, joined, meter),
                (false, _) => {
                    self.hash_join::<PackedRow, PackedRow>(idx, shape, keys, joined, meter)
                }
            };
        }
        let open = self.open_keys(idx, &keys[0]);
        let [left_key, right_key] = keys;
        let sides = [(read[0].clone(), left.types()), (read[1].clone(), right.types())];
        let [left_value, right_value] = pack_sides(join, sides);
        let left = self.key(step, 0, left_key, left_value, &meter);
        let right = self.key(step, 1, right_key, right_value, &meter);
        match (join.asof.as_deref().map(AsofShape::new), self.backend) {
            (Some(asof), Backend::Arrangements) => {
                arrangement::join_asof(left.packed(), right.packed(), (&shape, asof), &meter)
            }
            (Some(asof), Backend::Hash) => {
                let logic = AsofLogic::new((shape, asof), open);
                self.stateful(idx, "Asof", [left, right], logic, meter)
            }
            (None, _) => arrangement::join(left.packed(), right.packed(), &shape, &meter),
        }
    }

    /// A join on hash operators whose keys and values have these forms.
    fn hash_join<K: Packed, V: Packed>(
        &self,
        idx: usize,
        shape: JoinShape,
        [left_key, right_key]: [KeyShape; 2],
        joined: &Joined,
        meter: Meter,
    ) -> Batches<'scope> {
        let step = &self.plan.steps[idx];
        let [left, right] = joined
            .sides
            .each_ref()
            .map(|side| pack_fields(side.columns.clone(), side.types.clone()));
        let open = self.open_keys(idx, &left_key);
        let left = self.key::<K, V>(step, 0, left_key, left, &meter);
        let right = self.key::<K, V>(step, 1, right_key, right, &meter);
        let readers =
            joined.sides.each_ref().map(|side| side.arrangement.map(|it| self.reader(it)));
        self.leased(idx, "Join", [left, right], JoinLogic::new(shape, readers, open), meter)
    }

    /// A way to the rows that several joins hold together, in the form that all of them have.
    fn reader<K: Packed, V: Packed>(&self, arrangement: usize) -> Reader<K, V> {
        let mut readers = self.readers.borrow_mut();
        let first = readers
            .entry(arrangement)
            .or_insert_with(|| Box::new(Reader::<K, V>::first(arrangement)));
        let first = first.downcast_ref::<Reader<K, V>>();
        first.expect("all readers have rows in one form").another()
    }
}
