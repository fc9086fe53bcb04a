//! What the measured kernels share: clocks, random numbers, what the machine could do at most, and
//! lines of figures.
//!
//! A ratio is that of two sides that were run in turn, each taken at its median; the first round is
//! thrown away. Each line says in what state the caches were.

mod clock;
mod steps;
mod words;
mod peers;
mod random;
mod reads;
mod roofline;
mod speedups;

pub use clock::{CacheState, Evict, seconds, sides};
pub use peers::peers;
pub use random::Random;
pub use reads::{Reads, reads};
pub use roofline::{Roofline, roofline, threads};
pub use speedups::speedups;
pub use steps::{Full, Line, Steps, rough, time};
pub use words::{option, word};
