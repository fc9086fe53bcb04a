//! ITMD kernels on arrays: input, transform, measure, delta. Cost follows the changed share of the
//! input.
//!
//! The first kernel stands here, the dense linear map; circuits cannot name kernels yet.
//! **Invariant:** no file, socket, clock or thread; arrays come in as arguments.

mod mode;
mod churn;
mod linear_transform;

pub use churn::Churn;
pub use linear_transform::{LinearTransform, ShapeError, Step};
pub use mode::Mode;
