//! Where edges come from, by where they end, as sweeps read them: a copy of the rows of edges in
//! 32 bits, without weights, holes and with little room, one row after another. It is less than
//! half of what the rows are, and a sweep is as fast as its reads.
//!
//! An edge that comes is put behind the others, and in the place of one that goes comes the last.
//! Rows so long that an edge would be looked for too long are copied anew instead, before the next
//! sweep. Sums are taken in the order of the copy, so that it is saved.

use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};
use crate::vector::Ahead;

use super::edges::{Edges, Flip};
use super::meter::Meter;
use super::vertices::NOBODY;

/// The copy.
#[derive(Debug, Default)]
pub(super) struct Starts {
    spans: Vec<Span>,
    ids: Vec<u32>,
    /// Words that no row uses.
    n_left: usize,
    /// Rows that are to be copied anew, and whether each is among them.
    stale: Vec<u32>,
    is_stale: Vec<bool>,
    /// All are copied before the next sweep: what there is so far, and of how many rows.
    anew: Option<(Vec<u32>, usize)>,
    source: Source,
    /// A row that is copied.
    row: Vec<u32>,
}

/// Where a row lies.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(16))]
struct Span {
    from: u32,
    len: u32,
    room: u32,
}

/// What all are copied of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Source {
    /// The rows of edges, any of which may have changed.
    Rows,
    /// What there is, to leave out what no row uses.
    #[default]
    Copy,
}

/// Rows up to here are followed edge by edge: to look through one takes less than a microsecond.
const FOLLOWED_MAX: u32 = 1 << 13;

impl Starts {
    /// There are at least this many vertices; rows of new ones are empty.
    pub(super) fn grow(&mut self, n_slots: usize) {
        if self.spans.len() < n_slots {
            self.spans.resize(n_slots, Span::default());
            self.is_stale.resize(n_slots, false);
        }
    }

    /// Any row may have changed.
    pub(super) fn forget(&mut self) {
        (self.anew, self.source) = (Some((Vec::new(), 0)), Source::Rows);
        self.stale.drain(..).for_each(|row| self.is_stale[row as usize] = false);
    }

    /// Edges came and went.
    pub(super) fn take(&mut self, flips: &[Flip]) {
        if self.anew.is_some() {
            return;
        }
        let edge = |flip: &Flip| match *flip {
            Flip::EdgeCame(edge) | Flip::EdgeWent(edge) => Some(edge),
            Flip::RootCame(_) | Flip::RootWent(_) => None,
        };
        let (ahead, edges) = (Ahead::new(), flips.iter().filter_map(edge));
        for edge in edges.clone() {
            ahead.fetch(std::slice::from_ref(&self.spans[edge.dst as usize]));
        }
        for edge in edges {
            let Span { from, len, .. } = self.spans[edge.dst as usize];
            if let Some(next) = self.ids.get((from + len) as usize) {
                ahead.fetch(std::slice::from_ref(next));
            }
        }
        for flip in flips {
            match *flip {
                Flip::EdgeCame(edge) => self.put(edge.dst, edge.src),
                Flip::EdgeWent(edge) => self.remove(edge.dst, edge.src),
                Flip::RootCame(_) | Flip::RootWent(_) => {}
            }
        }
    }

    fn put(&mut self, dst: u32, src: u32) {
        if !self.is_followed(dst) {
            return;
        }
        let span = &mut self.spans[dst as usize];
        if span.len == span.room {
            let Span { from, len, room } = *span;
            self.n_left += room as usize;
            *span = Span { from: word(self.ids.len()), len, room: len + len / 8 + 2 };
            self.ids.extend_from_within(from as usize..(from + len) as usize);
            self.ids.resize((span.from + span.room) as usize, NOBODY);
        }
        self.ids[(span.from + span.len) as usize] = src;
        span.len += 1;
    }

    fn remove(&mut self, dst: u32, src: u32) {
        if !self.is_followed(dst) {
            return;
        }
        let Span { from, len, .. } = self.spans[dst as usize];
        let row = &mut self.ids[from as usize..(from + len) as usize];
        row[position(row, src).expect("the copy has the edge")] = row[row.len() - 1];
        self.spans[dst as usize].len -= 1;
    }

    /// Whether the row follows its edges; else it is among those that are copied anew.
    fn is_followed(&mut self, dst: u32) -> bool {
        let is_stale = &mut self.is_stale[dst as usize];
        if !*is_stale && self.spans[dst as usize].len > FOLLOWED_MAX {
            *is_stale = true;
            self.stale.push(dst);
        }
        !*is_stale
    }

    /// Copies what is to be copied; true when all is as the rows are. What that takes hangs on
    /// where rows lie, which is not saved, so it is no part of the work that is told.
    pub(super) fn follow(&mut self, edges: &Edges, meter: &mut Meter) -> bool {
        let before = meter.spent;
        let is_done = self.copy_stale(edges, meter) && self.copy_all(edges, meter);
        let spent = meter.spent - before;
        *meter = Meter { spent: before, limit: meter.limit.saturating_sub(spent) };
        is_done
    }

    fn copy_stale(&mut self, edges: &Edges, meter: &mut Meter) -> bool {
        while !meter.is_out() {
            let Some(dst) = self.stale.pop() else { break };
            self.is_stale[dst as usize] = false;
            self.row.clear();
            edges.into.copy_vertices(dst, &mut self.row);
            let (span, len) = (&mut self.spans[dst as usize], word(self.row.len()));
            span.len = len;
            if span.room < len {
                self.n_left += span.room as usize;
                (span.from, span.room) = (word(self.ids.len()), len + len / 8 + 2);
                self.ids.resize((span.from + span.room) as usize, NOBODY);
            }
            self.ids[span.from as usize..][..len as usize].copy_from_slice(&self.row);
            meter.spend(2 + self.row.len());
        }
        if self.stale.is_empty() && self.anew.is_none() && self.ids.len() < 2 * self.n_left {
            (self.anew, self.source) = (Some((Vec::new(), 0)), Source::Copy);
        }
        self.stale.is_empty()
    }

    fn copy_all(&mut self, edges: &Edges, meter: &mut Meter) -> bool {
        let Some((mut ids, mut at)) = self.anew.take() else { return true };
        ids.reserve((edges.len() + edges.len() / 8).saturating_sub(ids.len()));
        while at < self.spans.len() && !meter.is_out() {
            let from = word(ids.len());
            match self.source {
                Source::Rows => edges.into.copy_vertices(word(at), &mut ids),
                Source::Copy => ids.extend_from_slice(self.row(at)),
            }
            let len = word(ids.len()) - from;
            let room = len + len / 8;
            ids.resize((from + room) as usize, NOBODY);
            self.spans[at] = Span { from, len, room };
            meter.spend(2 + len as usize);
            at += 1;
        }
        if at < self.spans.len() {
            self.anew = Some((ids, at));
            return false;
        }
        (self.ids, self.n_left) = (ids, 0);
        true
    }

    /// The starts of the edges that end at a vertex.
    #[inline]
    pub(super) fn row(&self, at: usize) -> &[u32] {
        let Span { from, len, .. } = self.spans[at];
        &self.ids[from as usize..][..len as usize]
    }

    /// Bytes that it takes.
    pub(super) fn state_bytes(&self) -> usize {
        let spans = self.spans.capacity() * (size_of::<Span>() + 1);
        (self.ids.capacity() + self.stale.capacity() + self.row.capacity()) * 4 + spans
    }

    pub(super) fn save(&self, out: &mut SnapshotWriter<'_>) -> std::io::Result<()> {
        let is_to_be_made = self.anew.is_some();
        out.number("is_anew", u8::from(is_to_be_made))?;
        let is_saved = |at: &usize| !is_to_be_made && !self.is_stale[*at];
        let rows = (0..self.spans.len()).filter(is_saved);
        out.numbers("starts", rows.flat_map(|at| self.row(at).iter().copied()))?;
        out.numbers("stale", self.is_stale.iter().map(|is_stale| u8::from(*is_stale)))
    }

    pub(super) fn load(input: &mut SnapshotReader<'_>, edges: &Edges) -> Result<Self, LoadError> {
        let damaged = || LoadError::Damaged { section: "starts" };
        let is_to_be_made: u8 = input.number("is_anew")?;
        let mut saved = input.numbers::<u32>("starts")?.into_iter();
        let is_stale: Vec<u8> = input.array("stale", edges.vertices.n_slots())?;
        let mut starts = Self::default();
        starts.grow(edges.vertices.n_slots());
        if is_to_be_made != 0 {
            starts.forget();
            return Ok(starts);
        }
        let mut wanted = Vec::new();
        for (at, is_stale) in is_stale.into_iter().enumerate() {
            if is_stale != 0 {
                starts.is_stale[at] = true;
                starts.stale.push(word(at));
                continue;
            }
            let (from, len) = (starts.ids.len(), edges.into.degree(word(at)));
            starts.ids.extend(saved.by_ref().take(len));
            wanted.clear();
            edges.into.copy_vertices(word(at), &mut wanted);
            let mut found = starts.ids[from..].to_vec();
            wanted.sort_unstable();
            found.sort_unstable();
            if found != wanted {
                return Err(damaged());
            }
            starts.spans[at] = Span { from: word(from), len: word(len), room: word(len) };
        }
        if saved.next().is_some() { Err(damaged()) } else { Ok(starts) }
    }
}

/// Sixteen at a time, since a loop that may end at every word is not vectorised.
fn position(row: &[u32], id: u32) -> Option<usize> {
    let (chunks, rest) = row.as_chunks::<16>();
    for (at, chunk) in chunks.iter().enumerate() {
        if chunk.iter().map(|one| u8::from(*one == id)).sum::<u8>() > 0 {
            return chunk.iter().position(|one| *one == id).map(|inner| at * 16 + inner);
        }
    }
    rest.iter().position(|one| *one == id).map(|inner| row.len() - rest.len() + inner)
}

fn word(at: usize) -> u32 {
    u32::try_from(at).expect("a graph has fewer than 2^32 ends and vertices")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::end::End;
    use super::super::lists::Keep;
    use super::super::rows::EdgeColumns;
    use super::*;

    const WHOLE: Meter = Meter { spent: 0, limit: u64::MAX };

    /// Rows have the same starts, in whatever order.
    fn check(starts: &Starts, edges: &Edges) {
        for at in 0..edges.vertices.n_slots() {
            let mut wanted: Vec<u32> = edges.into.ends(word(at)).map(End::vertex).collect();
            let mut found = starts.row(at).to_vec();
            wanted.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, wanted);
        }
    }

    fn saved_and_loaded(starts: &Starts, edges: &Edges) -> Result<Starts, LoadError> {
        let mut bytes = Vec::new();
        starts.save(&mut SnapshotWriter::new(&mut bytes, "starts").unwrap()).unwrap();
        let mut input = bytes.as_slice();
        Starts::load(&mut SnapshotReader::new(&mut input, "starts").unwrap(), edges)
    }

    proptest! {
        /// Edges come and go, and the copy has the rows, whether it was made anew or followed; one
        /// that was loaded has them in the same order from then on.
        #[test]
        fn a_copy_has_what_the_rows_have(
            changes in prop::collection::vec((0_i64..40, 0_i64..4, 0_u32..40), 1..400),
        ) {
            let mut edges = Edges::new(Keep::Degrees);
            let (mut starts, mut there) = (Starts::default(), std::collections::BTreeSet::new());
            let mut loaded: Option<Starts> = None;
            for (src, dst, chance) in changes {
                let diff = if there.remove(&(src, dst)) { -1 } else { 1 };
                if diff > 0 {
                    there.insert((src, dst));
                }
                let (mut change, mut flips) = (EdgeColumns::default(), Vec::new());
                change.push([src, dst, 1], diff);
                edges.change_edges((&change, &[]), 0..1, &mut flips);
                for starts in loaded.iter_mut().chain([&mut starts]) {
                    starts.grow(edges.vertices.n_slots());
                    starts.take(&flips);
                }
                if chance == 0 {
                    starts.forget();
                    loaded = None;
                }
                if chance == 1 {
                    loaded = Some(saved_and_loaded(&starts, &edges).unwrap());
                }
                if chance % 3 > 0 {
                    continue;
                }
                while !starts.follow(&edges, &mut Meter { spent: 0, limit: 1 }) {}
                let mut meter = WHOLE;
                prop_assert!(starts.follow(&edges, &mut meter));
                prop_assert_eq!(meter.spent, 0);
                check(&starts, &edges);
                if let Some(loaded) = &mut loaded {
                    prop_assert!(loaded.follow(&edges, &mut WHOLE.clone()));
                    for at in 0..edges.vertices.n_slots() {
                        prop_assert_eq!(loaded.row(at), starts.row(at));
                    }
                }
            }
        }
    }

    /// A row that is too long to be looked through is copied anew, also where it was loaded
    /// meanwhile.
    #[test]
    fn a_hub_is_copied_anew() {
        let n = i64::from(FOLLOWED_MAX) + 200;
        let (mut edges, mut starts) = (Edges::new(Keep::Degrees), Starts::default());
        let change =
            |edges: &mut Edges, starts: &mut [&mut Starts], ids: std::ops::Range<i64>, by| {
                for src in ids {
                    let (mut change, mut flips) = (EdgeColumns::default(), Vec::new());
                    change.push([src, 0, 1], by);
                    edges.change_edges((&change, &[]), 0..1, &mut flips);
                    for starts in starts.iter_mut() {
                        starts.grow(edges.vertices.n_slots());
                        starts.take(&flips);
                    }
                }
            };
        change(&mut edges, &mut [&mut starts], 0..n, 1);
        assert_eq!(starts.stale.len(), 1, "it has become too long");
        assert!(starts.follow(&edges, &mut WHOLE.clone()));
        check(&starts, &edges);
        change(&mut edges, &mut [&mut starts], 0..10, -1);
        assert_eq!(starts.stale.len(), 1, "an edge went");
        let mut loaded = saved_and_loaded(&starts, &edges).unwrap();
        change(&mut edges, &mut [&mut starts, &mut loaded], 10..300, -1);
        for starts in [&mut starts, &mut loaded] {
            assert!(starts.follow(&edges, &mut WHOLE.clone()));
        }
        change(&mut edges, &mut [&mut starts, &mut loaded], 300..320, -1);
        assert!(starts.stale.is_empty(), "it is short again");
        check(&starts, &edges);
        let hub = edges.vertices.slot(0).unwrap() as usize;
        assert_eq!(loaded.row(hub), starts.row(hub));
        // Another graph's rows are told.
        change(&mut edges, &mut [], 0..1, 1);
        assert!(saved_and_loaded(&starts, &edges).is_err());
    }
}
