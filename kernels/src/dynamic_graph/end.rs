//! Ends of edges, and the holes that they leave.

/// The other end of an edge, in one word: the vertex above, the code of the weight below. A hole
/// has the uppermost bit, and a number below.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End(pub(super) u64);

/// What marks a hole.
const HOLE_BIT: u64 = 1 << 63;

impl End {
    pub(super) fn new(vertex: u32, code: u32) -> Self {
        Self(u64::from(vertex) << 32 | u64::from(code))
    }

    /// A hole with a number.
    pub(super) fn hole(number: u32) -> Self {
        Self(HOLE_BIT | u64::from(number))
    }

    pub(super) fn is_hole(self) -> bool {
        self.0 & HOLE_BIT != 0
    }

    /// The vertex, of which there are fewer than 2^31; of a hole, 0.
    pub(super) fn vertex(self) -> u32 {
        ((self.0 & !HOLE_BIT) >> 32) as u32
    }

    /// The code, or the number of a hole.
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is the code")]
    pub(super) fn code(self) -> u32 {
        self.0 as u32
    }
}
