//! Where edges come from, by where they end, as sweeps read them: a copy of the rows of edges in 32
//! bits, without weights and with little room, one row after another. It is less than half of
//! what the rows are, and a sweep is as fast as its reads.
//!
//! Each start has the place that it has in its row, so that sums are taken in the same order, and
//! have the same bits, whenever the copy was made.

use super::edges::{Edges, Moved};
use super::meter::Meter;

/// The copy.
#[derive(Debug, Default)]
pub(super) struct Starts {
    spans: Vec<Span>,
    ids: Vec<u32>,
    /// Words that no row uses.
    n_left: usize,
    /// All are copied anew before the next sweep: what there is so far, and of how many rows.
    anew: Option<(Vec<u32>, usize)>,
}

/// Where a row lies.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    from: u32,
    len: u32,
    room: u32,
}

impl Starts {
    /// There are at least this many vertices; rows of new ones are empty.
    pub(super) fn grow(&mut self, n_slots: usize) {
        if self.spans.len() < n_slots {
            self.spans.resize(n_slots, Span::default());
        }
    }

    /// Any row may have changed.
    pub(super) fn forget(&mut self) {
        self.anew = Some((Vec::new(), 0));
    }

    /// An edge came or went.
    pub(super) fn put(&mut self, moved: &Moved) {
        if self.anew.is_some() {
            return;
        }
        let span = &mut self.spans[moved.dst as usize];
        if span.room <= moved.place {
            let (from, len, room) = (span.from as usize, span.len as usize, moved.place + 1);
            self.n_left += span.room as usize;
            let room = room + room / 8 + 1;
            *span = Span { from: word(self.ids.len()), len: span.len, room };
            self.ids.extend_from_within(from..from + len);
            self.ids.resize((span.from + room) as usize, HOLE);
        }
        span.len = span.len.max(moved.place + 1);
        self.ids[(span.from + moved.place) as usize] = moved.src.unwrap_or(HOLE);
        if self.ids.len() < 2 * self.n_left {
            self.forget();
        }
    }

    /// Copies all anew if they are to be; true when they are as they are. What that takes hangs on
    /// what was copied before, which is not saved, so it is no part of the work that is told.
    pub(super) fn follow(&mut self, edges: &Edges, meter: &mut Meter) -> bool {
        let Some((mut ids, mut at)) = self.anew.take() else { return true };
        let before = meter.spent;
        ids.reserve(edges.into.n_words().saturating_sub(ids.len()));
        while at < self.spans.len() && !meter.is_out() {
            let row = edges.into.row(word(at));
            let (from, len) = (word(ids.len()), word(row.len()));
            ids.extend(row.iter().map(|end| if end.is_hole() { HOLE } else { end.vertex() }));
            let room = len + len / 8;
            ids.resize((from + room) as usize, HOLE);
            self.spans[at] = Span { from, len, room };
            meter.spend(2 + row.len());
            at += 1;
        }
        let spent = meter.spent - before;
        *meter = Meter { spent: before, limit: meter.limit.saturating_sub(spent) };
        if at < self.spans.len() {
            self.anew = Some((ids, at));
            return false;
        }
        (self.ids, self.n_left) = (ids, 0);
        true
    }

    /// The starts of the edges that end at a vertex; holes are beyond all vertices.
    #[inline]
    pub(super) fn row(&self, at: usize) -> &[u32] {
        let Span { from, len, .. } = self.spans[at];
        &self.ids[from as usize..][..len as usize]
    }

    /// Bytes that it takes.
    pub(super) fn state_bytes(&self) -> usize {
        self.ids.capacity() * 4 + self.spans.capacity() * size_of::<Span>()
    }
}

/// What stands where no start is.
const HOLE: u32 = u32::MAX;

fn word(at: usize) -> u32 {
    u32::try_from(at).expect("a graph has fewer than 2^32 ends and vertices")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::lists::Keep;
    use super::super::rows::EdgeColumns;
    use super::*;

    proptest! {
        /// Edges come and go, and the copy has the rows, whether it was made anew or followed.
        #[test]
        fn a_copy_has_what_the_rows_have(
            changes in prop::collection::vec((0_i64..6, 0_i64..4, 0_u32..20), 1..200),
        ) {
            let mut edges = Edges::new(Keep::Degrees);
            let (mut starts, mut there) = (Starts::default(), std::collections::BTreeSet::new());
            let whole = || Meter { spent: 0, limit: u64::MAX };
            for (src, dst, chance) in changes {
                let diff = if there.remove(&(src, dst)) { -1 } else { 1 };
                if diff > 0 {
                    there.insert((src, dst));
                }
                let mut change = EdgeColumns::default();
                change.push([src, dst, 1], diff);
                while !edges.make_room(1, &mut whole()) {}
                edges.change_edges(&change, 0..1, &mut Vec::new());
                starts.grow(edges.vertices.n_slots());
                for moved in edges.moved.drain(..) {
                    starts.put(&moved);
                }
                if chance == 0 {
                    starts.forget();
                    while !starts.follow(&edges, &mut Meter { spent: 0, limit: 1 }) {}
                }
                let mut meter = whole();
                prop_assert!(starts.follow(&edges, &mut meter));
                prop_assert_eq!(meter.spent, 0);
                for at in 0..edges.vertices.n_slots() {
                    let row = edges.into.row(word(at)).iter();
                    let wanted: Vec<Option<u32>> =
                        row.map(|end| (!end.is_hole()).then(|| end.vertex())).collect();
                    let found: Vec<Option<u32>> =
                        starts.row(at).iter().map(|id| (*id != HOLE).then_some(*id)).collect();
                    prop_assert_eq!(found, wanted);
                }
            }
        }
    }
}
