//! Ends of edges.

/// The other end of an edge, in one word: the vertex above, the code of the weight below, and a bit
/// for edges that lie there more than once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct End(pub(super) u64);

/// What marks an edge that lies there more than once, where edges are known by where they end.
const MANY_BIT: u64 = 1 << 62;

impl End {
    #[inline]
    pub(super) fn new(vertex: u32, code: u32) -> Self {
        Self(u64::from(vertex) << 32 | u64::from(code))
    }

    /// Whether the edge lies there more than once.
    #[inline]
    pub(super) fn is_many(self) -> bool {
        self.0 & MANY_BIT != 0
    }

    /// The end of an edge that lies there so often.
    #[inline]
    pub(super) fn times(self, copies: i64) -> Self {
        let bit = if copies > 1 { MANY_BIT } else { 0 };
        Self(self.0 & !MANY_BIT | bit)
    }

    /// Whether both are ends of one edge, however often that lies there.
    #[inline]
    pub(super) fn is_same(self, other: Self) -> bool {
        (self.0 ^ other.0) & !MANY_BIT == 0
    }

    /// The vertex, of which there are fewer than 2^30.
    #[inline]
    pub(super) fn vertex(self) -> u32 {
        ((self.0 & !MANY_BIT) >> 32) as u32
    }

    /// The code.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is the code")]
    pub(super) fn code(self) -> u32 {
        self.0 as u32
    }
}
