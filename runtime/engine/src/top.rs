//! The first rows of each group in an order.

use arqon_plan::{SortKey, Ties, Top};
use arqon_types::{PackedRow, Type, Value};

use crate::deltas::{Delta, consolidate_deltas};
use crate::emitter::Emitter;
use crate::evaluate::Formula;
use crate::keyed::PackValue;
use crate::open::OpenKeys;
use crate::ordered::{pack_ordered, split_order};
use crate::sorted::SortedRows;
use crate::source::PackedMap;
use crate::stateful::KeyLogic;

/// What both back ends need to know about a top step.
#[derive(Debug, Clone)]
pub(crate) struct TopShape {
    n: u64,
    offset: u64,
    by: Vec<SortKey>,
    ties: Ties,
    rank: bool,
    types: Vec<Type>,
}

impl TopShape {
    /// The shape of `top` over rows of `types`.
    pub(crate) fn new(top: &Top, types: Vec<Type>) -> Self {
        Self {
            n: top.n,
            offset: top.offset,
            by: top.by.clone(),
            ties: top.ties,
            rank: top.rank,
            types,
        }
    }

    /// Packs rows in the step's order: by its keys, then by all fields.
    pub(crate) fn pack_value(&self) -> PackValue {
        let by = self.by.iter().map(|key| (Formula::new(&key.expr), key.order)).collect();
        pack_ordered(by, (0..self.types.len()).collect(), self.types.clone())
    }

    /// The chosen rows of one group, whose rows come in the step's order.
    pub(crate) fn choose<'a>(
        &self,
        rows: impl Iterator<Item = (&'a PackedRow, i64)>,
    ) -> Vec<(PackedRow, i64)> {
        let mut chosen = Vec::new();
        if self.n == 0 {
            return chosen;
        }
        let end = self.offset.saturating_add(self.n);
        // Rows before this one, and before the first one that is equal to it in `by`.
        let mut n_before: u64 = 0;
        let mut n_before_tie: u64 = 0;
        let mut last_order: &[u8] = &[];
        for (packed, multiplicity) in rows {
            let Ok(multiplicity) = u64::try_from(multiplicity) else { continue };
            let (order, row) = split_order(packed);
            if n_before == 0 || order != last_order {
                n_before_tie = n_before;
                last_order = order;
            }
            let is_tied_in = self.ties == Ties::All && n_before_tie < end;
            if n_before >= end && !is_tied_in {
                break;
            }
            let first = n_before.max(self.offset);
            let last = n_before + multiplicity;
            let last = if is_tied_in { last } else { last.min(end) };
            n_before += multiplicity;
            if first >= last {
                continue;
            }
            match (self.rank, self.ties) {
                (false, _) => chosen.push((ranked(row, None), signed(last - first))),
                (true, Ties::All) => {
                    chosen.push((ranked(row, Some(n_before_tie + 1)), signed(last - first)));
                }
                (true, Ties::Cut) => {
                    chosen.extend((first..last).map(|at| (ranked(row, Some(at + 1)), 1)));
                }
            }
        }
        chosen
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).expect("multiplicities are below 2^63")
}

fn ranked(row: &[u8], rank: Option<u64>) -> PackedRow {
    let mut packed = PackedRow::new();
    packed.push_bytes(row);
    if let Some(rank) = rank {
        packed.push_value(&Value::Int(signed(rank)), &Type::Int64);
    }
    packed
}

/// The first rows as a hash operator.
#[derive(Debug)]
pub(crate) struct TopLogic {
    shape: TopShape,
    groups: PackedMap<SortedRows>,
    open: OpenKeys,
}

impl TopLogic {
    /// No groups; `open` are those that go when their windows close.
    pub(crate) fn new(shape: TopShape, open: OpenKeys) -> Self {
        Self { shape, groups: PackedMap::default(), open }
    }
}

/// Sends the difference between two collections of rows.
pub(crate) fn emit_difference(
    before: Vec<(PackedRow, i64)>,
    now: Vec<(PackedRow, i64)>,
    mut emit: impl FnMut(&PackedRow, i64),
) {
    let mut rows: Vec<Delta> = before
        .into_iter()
        .map(|(row, n)| (row, -n))
        .chain(now)
        .map(|(row, n)| ((row, PackedRow::new()), n))
        .collect();
    consolidate_deltas(&mut rows);
    for ((row, _), diff) in &rows {
        emit(row, *diff);
    }
}

impl KeyLogic<1> for TopLogic {
    fn update(&mut self, key: &PackedRow, [deltas]: [&[Delta]; 1], out: &mut Emitter) {
        let mut rows = self.groups.remove(key).unwrap_or_default();
        let before = self.shape.choose(rows.iter());
        out.counts.held += rows.change(deltas);
        let now = self.shape.choose(rows.iter());
        out.counts.touched += (before.len() + now.len()) as u64;
        emit_difference(before, now, |row, diff| out.row(row, diff));
        if !rows.is_empty() {
            self.open.add(key);
            self.groups.insert(key.clone(), rows);
        }
    }

    fn advance(&mut self, mark: i64, out: &mut Emitter) {
        for key in self.open.close(mark) {
            out.release(self.groups.remove(&key).map_or(0, |rows| rows.n()));
        }
    }
}
