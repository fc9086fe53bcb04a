//! Values along an order as a hash operator: a change reaches as far as its functions see.
//!
//! The rows of a key stand in their order. A change is said anew from the first row that sees it
//! to the last one: for `lag` and `lead` a few rows, for what counts or adds up all rows behind.
//! What all rows of the key come to is kept, and taken back row by row to where the change is, so
//! that a row at the end costs the same however many there are before it.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};

use arqon_types::PackedRow;

use crate::along::{Copied, OverShape, Reach, Said, Standing};
use crate::deltas::Delta;
use crate::emitter::Emitter;
use crate::open::OpenKeys;
use crate::ordered::packed;
use crate::sorted::change_tree;
use crate::source::PackedMap;
use crate::stateful::KeyLogic;

/// Rows with their multiplicities, in order.
type Rows = BTreeMap<PackedRow, i64>;

/// Values along an order as a hash operator.
#[derive(Debug)]
pub(crate) struct OverLogic {
    shape: OverShape,
    reach: Reach,
    groups: PackedMap<Group>,
    open: OpenKeys,
}

/// The rows of a key.
#[derive(Debug)]
struct Group {
    rows: Rows,
    /// What they come to; unused where no change reaches to the end.
    total: Standing,
}

/// The rows that a change reaches, among those that they look at.
struct Reached<'a> {
    copies: Vec<Copied<'a>>,
    wanted: Range<usize>,
    /// How many rows before the first wanted one have the order of the last one before it.
    n_ties: usize,
    /// The first row of the key, however far away.
    first: Option<Copied<'a>>,
}

impl OverLogic {
    /// No rows; `open` are the keys that go when their windows close.
    pub(crate) fn new(shape: OverShape, open: OpenKeys) -> Self {
        let reach = shape.reach();
        Self { shape, reach, groups: PackedMap::default(), open }
    }

    /// What changes between two rows reach.
    fn reached<'a>(&self, rows: &'a Rows, from: &PackedRow, to: &PackedRow) -> Reached<'a> {
        let Reach { before, behind } = self.reach;
        // One row more than is looked at, since it is told by its neighbour whether orders differ.
        let n_looked = self.shape.n_looked_back().max(1);
        let n_ahead = before.unwrap_or(0);
        let ahead: Bound<&PackedRow> = Bound::Excluded(to);
        let mut entries = nearest(
            rows.range::<PackedRow, _>(..from).rev(),
            before.map(|n| n.saturating_add(n_looked)),
        );
        entries.reverse();
        let n_back = n_copies(entries.iter().copied());
        entries.extend(rows.range::<PackedRow, _>(from..=to).map(|(row, n)| (row, *n)));
        let n_to = n_copies(entries.iter().copied());
        entries.extend(nearest(
            rows.range::<PackedRow, _>((ahead, Bound::Unbounded)),
            behind.map(|n| n.saturating_add(n_ahead)),
        ));
        let copies = self.shape.copies(entries.into_iter());
        let start = before.map_or(0, |n| n_back.saturating_sub(n));
        let end = behind.map_or(copies.len(), |n| n_to.saturating_add(n).min(copies.len()));
        let n_ties = start.checked_sub(1).map_or(0, |last| {
            let order = packed(copies[last].order());
            let tied = rows.range::<PackedRow, _>(&order..from).map(|(row, n)| (row, *n));
            n_copies(tied) - (n_back - start)
        });
        let first = rows.iter().map(|(row, n)| (row, *n)).find(|(_, n)| *n > 0);
        let first = self.shape.copies(first.into_iter()).into_iter().next();
        Reached { copies, wanted: start..end, n_ties, first }
    }

    /// What is said of the reached rows; the standing goes on to the end of them.
    fn say(&self, reached: &Reached<'_>, standing: &mut Standing) -> BTreeMap<Said, i64> {
        let Reached { copies, wanted, first, .. } = reached;
        self.shape.say(copies, wanted.clone(), first.as_ref(), standing)
    }

    /// Takes the standing at the end back to the first reached row.
    fn go_back(&self, reached: &Reached<'_>, standing: &mut Standing) {
        if self.reach.behind.is_none() {
            let Reached { copies, wanted, n_ties, .. } = reached;
            standing.go_back(&self.shape, copies, wanted.start, *n_ties);
        }
    }
}

/// The first of these rows, as many copies of them at least.
fn nearest<'a>(
    rows: impl Iterator<Item = (&'a PackedRow, &'a i64)>,
    n_wanted: Option<usize>,
) -> Vec<(&'a PackedRow, i64)> {
    let mut taken = Vec::new();
    let mut n_taken = 0;
    for (row, n) in rows {
        if n_wanted.is_some_and(|wanted| wanted <= n_taken) {
            break;
        }
        n_taken += n_copies(std::iter::once((row, *n)));
        taken.push((row, *n));
    }
    taken
}

/// How many rows these are; what is below zero is none.
fn n_copies<'a>(rows: impl Iterator<Item = (&'a PackedRow, i64)>) -> usize {
    rows.map(|(_, n)| usize::try_from(n).unwrap_or(0)).sum()
}

impl KeyLogic<1> for OverLogic {
    fn update(&mut self, key: &PackedRow, [deltas]: [&[Delta]; 1], out: &mut Emitter) {
        let (Some(((_, from), _)), Some(((_, to), _))) = (deltas.first(), deltas.last()) else {
            return;
        };
        let group = self.groups.remove(key);
        let Group { mut rows, mut total } =
            group.unwrap_or_else(|| Group { rows: Rows::new(), total: self.shape.no_rows() });
        let before = self.reached(&rows, from, to);
        self.go_back(&before, &mut total);
        let said_before = self.say(&before, &mut total);
        self.go_back(&before, &mut total);
        let n_before = before.wanted.len();
        out.counts.held += change_tree(&mut rows, deltas);
        let now = self.reached(&rows, from, to);
        let mut changes = self.say(&now, &mut total);
        out.counts.touched += (n_before + now.wanted.len()) as u64;
        for (said, n) in said_before {
            *changes.entry(said).or_insert(0) -= n;
        }
        for (said, diff) in changes.into_iter().filter(|(_, diff)| *diff != 0) {
            match said {
                Said::Row(row) => out.row(&row, diff),
                Said::Fault(fault, row) => out.fault(&fault, row, diff),
            }
        }
        if !rows.is_empty() {
            self.open.add(key);
            self.groups.insert(key.clone(), Group { rows, total });
        }
    }

    fn advance(&mut self, mark: i64, out: &mut Emitter) {
        for key in self.open.close(mark) {
            let group = self.groups.remove(&key);
            out.release(group.iter().flat_map(|group| group.rows.values()).sum());
        }
    }
}
