//! What the measured kernels share: clocks, random numbers, what the machine could do at most, and
//! lines of figures.
//!
//! A ratio is that of two sides that were run in turn, each taken at its median; the first round is
//! thrown away. Each line says in what state the caches were.

mod clock;
mod peers;
mod picture;
mod random;
mod reads;
mod roofline;

pub use clock::{CacheState, Evict, Line, median, seconds, sides};
pub use peers::peers;
pub use picture::speedups;
pub use random::Random;
pub use reads::{Reads, reads};
pub use roofline::{Roofline, roofline};
