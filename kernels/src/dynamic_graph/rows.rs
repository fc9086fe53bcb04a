//! What goes into a graph and what comes out of it, in columns.

use crate::kernel::{DeltaError, SpecError};

/// What is computed of a graph.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Algorithm {
    /// The roots, and what a way leads to from one of them.
    Reachability,
    /// The length of the shortest way from any root. Ways longer than `i64::MAX` are none.
    ShortestPaths,
    /// The least id of those that a vertex hangs together with, whatever way its edges point.
    Components,
    /// How much of a random walk comes by.
    PageRank(PageRank),
}

/// The walk: it follows an edge of its vertex, each alike, or starts anew at any vertex, each
/// alike. Where no edge leads on, it always starts anew. Ranks add up to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PageRank {
    /// The chance to follow an edge, between 0 and 1.
    pub damping: f64,
    /// How far a rank may be off, absolutely; also all ranks together, in what is held.
    pub tolerance: f64,
}

/// What a graph is compiled of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GraphSpec {
    /// What to compute.
    pub algorithm: Algorithm,
}

/// Changes of edges and roots. Both are multisets: what lies there several times is gone when the
/// last one is, and counts once while it is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GraphDelta {
    /// Changes of edges.
    pub edges: EdgeColumns,
    /// Changes of roots.
    pub roots: RootColumns,
}

/// Edges from a vertex to a vertex, in columns of one length. Edges of the same ends and different
/// weights are different edges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EdgeColumns {
    /// Where they start.
    pub src: Vec<i64>,
    /// Where they end.
    pub dst: Vec<i64>,
    /// Their lengths, at least 0; only shortest paths look at them.
    pub weight: Vec<i64>,
    /// How many more of them there are.
    pub diff: Vec<i64>,
}

/// Roots, in columns of one length. They are vertices also where no edge touches them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RootColumns {
    /// Their vertices.
    pub id: Vec<i64>,
    /// How many more of them there are.
    pub diff: Vec<i64>,
}

/// Answers, in columns: of each id its new value, and the ids that have none any more.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GraphRows {
    /// Ids that have a new value.
    pub ids: Vec<i64>,
    /// Their distances or components; empty for other algorithms.
    pub numbers: Vec<i64>,
    /// Their ranks; empty for other algorithms.
    pub ranks: Vec<f64>,
    /// Ids that have no value any more.
    pub gone: Vec<i64>,
}

/// Changes of one edge, added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EdgeChange {
    pub(super) src: i64,
    pub(super) dst: i64,
    pub(super) weight: i64,
    pub(super) diff: i64,
}

/// Changes of one root, added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RootChange {
    pub(super) id: i64,
    pub(super) diff: i64,
}

impl GraphSpec {
    /// Whether a kernel can be compiled of it. Cost: O(1).
    ///
    /// # Errors
    /// [`SpecError`] with the first that is not.
    pub fn check(&self) -> Result<(), SpecError> {
        let Algorithm::PageRank(PageRank { damping, tolerance }) = self.algorithm else {
            return Ok(());
        };
        let fault = |name, found, wanted| Err(SpecError::Argument { name, found, wanted });
        if !(damping > 0.0 && damping < 1.0) {
            return fault("damping", damping, "between 0 and 1");
        }
        if !(tolerance >= TOLERANCE_MIN && tolerance.is_finite()) {
            return fault("tolerance", tolerance, "at least 1e-10");
        }
        Ok(())
    }
}

/// Below this the rounding of `f64` has its say.
const TOLERANCE_MIN: f64 = 1e-10;

impl EdgeColumns {
    /// Appends a change of one edge.
    pub fn push(&mut self, [src, dst, weight]: [i64; 3], diff: i64) {
        self.src.push(src);
        self.dst.push(dst);
        self.weight.push(weight);
        self.diff.push(diff);
    }

    /// The change that stands at a place.
    pub(super) fn at(&self, at: usize) -> EdgeChange {
        let [src, dst, weight, diff] =
            [&self.src, &self.dst, &self.weight, &self.diff].map(|it| it[at]);
        EdgeChange { src, dst, weight, diff }
    }

    /// The changes added up for each edge, without those that come to nothing; none if they are so
    /// as they stand.
    pub(super) fn added_up(&self) -> Result<Option<Self>, DeltaError> {
        self.check()?;
        let n_edges = self.src.len();
        let suspects = self.suspects();
        let mut changes: Vec<EdgeChange> = suspects.iter().map(|at| self.at(*at)).collect();
        let edge = |change: &EdgeChange| (change.src, change.dst, change.weight);
        changes.sort_unstable();
        add_up(&mut changes, |one, other| edge(one) == edge(other), |one| &mut one.diff)?;
        if changes.len() == suspects.len() {
            return Ok(None);
        }
        let mut added = Self::default();
        let mut suspects = suspects.into_iter().peekable();
        let others = (0..n_edges).filter(|at| suspects.next_if_eq(at).is_none());
        for change in others.map(|at| self.at(at)).chain(changes) {
            added.push([change.src, change.dst, change.weight], change.diff);
        }
        Ok(Some(added))
    }

    /// Whether all columns are as long, and no weight is below 0.
    fn check(&self) -> Result<(), DeltaError> {
        let columns = [("dst", &self.dst), ("weight", &self.weight), ("diff", &self.diff)];
        for (what, column) in columns {
            check_length(what, column.len(), self.src.len())?;
        }
        if self.weight.iter().fold(0, |all, weight| all | weight) < 0 {
            return Err(DeltaError::Range { what: "weight", wanted: "at least 0" });
        }
        Ok(())
    }

    /// The changes as they may be added up in any order: none if those that stand here are so.
    pub(super) fn narrow(&self) -> Result<Option<Self>, DeltaError> {
        self.check()?;
        let sizes = self.diff.iter().fold(0, |all, diff| all | (diff ^ diff >> 63));
        if sizes < 1 << 30 { Ok(None) } else { self.added_up() }
    }

    /// Where changes stand that may have the edge of another one, or come to nothing: a filter of
    /// sixteen bits for each change, which is read without waiting, takes much less time than
    /// sorting all of them.
    fn suspects(&self) -> Vec<usize> {
        let n_edges = self.src.len();
        let n_bits = (16 * n_edges.max(4)).next_power_of_two() as u64;
        let bit = |at: usize| {
            let [src, dst, weight] =
                [self.src[at], self.dst[at], self.weight[at]].map(i64::cast_unsigned);
            let mixed = src.wrapping_mul(MIX[0]) ^ dst.wrapping_mul(MIX[1]).rotate_left(32);
            let mixed = (mixed ^ weight.wrapping_mul(MIX[2])).wrapping_mul(MIX[3]);
            let bit = mixed >> 20 & (n_bits - 1);
            (usize::try_from(bit / 64).expect("memory has addresses"), 1_u64 << (bit % 64))
        };
        let n_words = usize::try_from(n_bits / 64).expect("memory has addresses");
        let (mut once, mut twice) = (vec![0_u64; n_words], vec![0_u64; n_words]);
        for at in 0..n_edges {
            let (word, bit) = bit(at);
            twice[word] |= once[word] & bit;
            once[word] |= bit;
        }
        let is_suspect = |at: &usize| {
            let (word, bit) = bit(*at);
            twice[word] & bit != 0 || self.diff[*at] == 0
        };
        (0..n_edges).filter(is_suspect).collect()
    }

    /// Where changes stand, of different edges, in the order of edges.
    pub(super) fn order(&self) -> Vec<u32> {
        // By their starts first, which is all that most of them need.
        let mut order: Vec<(i64, u32)> = self.src.iter().copied().zip(0..).collect();
        order.sort_unstable();
        let edge = |at: u32| (self.dst[at as usize], self.weight[at as usize]);
        for run in order.chunk_by_mut(|one, other| one.0 == other.0) {
            run.sort_unstable_by_key(|(_, at)| edge(*at));
        }
        order.into_iter().map(|(_, at)| at).collect()
    }

    /// The changes that stand there, in turn.
    pub(super) fn ordered(&self, order: &[u32]) -> Self {
        let [src, dst, weight, diff] =
            [&self.src, &self.dst, &self.weight, &self.diff].map(|column| gather(column, order));
        Self { src, dst, weight, diff }
    }
}

/// What stands at these places.
pub(super) fn gather<T: Copy>(column: &[T], places: &[u32]) -> Vec<T> {
    places.iter().map(|at| column[*at as usize]).collect()
}

/// Odd numbers without a pattern.
const MIX: [u64; 4] =
    [0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0xD6E8_FEB8_6659_FD93];

impl RootColumns {
    /// Appends a change of one root.
    pub fn push(&mut self, id: i64, diff: i64) {
        self.id.push(id);
        self.diff.push(diff);
    }

    /// The changes added up for each root, in the order of ids, without those that come to nothing.
    pub(super) fn added_up(&self) -> Result<Vec<RootChange>, DeltaError> {
        check_length("diff", self.diff.len(), self.id.len())?;
        let columns = self.id.iter().zip(&self.diff);
        let mut changes: Vec<RootChange> =
            columns.map(|(id, diff)| RootChange { id: *id, diff: *diff }).collect();
        changes.sort_unstable_by_key(|change| change.id);
        add_up(&mut changes, |one, other| one.id == other.id, |one| &mut one.diff)?;
        Ok(changes)
    }
}

fn check_length(what: &'static str, found: usize, wanted: usize) -> Result<(), DeltaError> {
    if found == wanted { Ok(()) } else { Err(DeltaError::Shape { what, found, wanted }) }
}

/// Makes one of neighbours that are the same, and drops those whose changes come to nothing.
fn add_up<T: Copy>(
    changes: &mut Vec<T>,
    is_same: impl Fn(&T, &T) -> bool,
    diff: impl Fn(&mut T) -> &mut i64,
) -> Result<(), DeltaError> {
    let (mut to, mut from) = (0, 0);
    while from < changes.len() {
        let mut first = changes[from];
        let mut sum = i128::from(*diff(&mut first));
        from += 1;
        while from < changes.len() && is_same(&first, &changes[from]) {
            sum += i128::from(*diff(&mut changes[from]));
            from += 1;
        }
        let Ok(sum) = i64::try_from(sum) else {
            return Err(DeltaError::Range { what: "diff", wanted: "a count below 2^63" });
        };
        if sum != 0 {
            *diff(&mut first) = sum;
            changes[to] = first;
            to += 1;
        }
    }
    changes.truncate(to);
    Ok(())
}
