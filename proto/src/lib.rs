//! Wire messages of ArqonBus: rows as JSON text, and later in this file's order the frames.
//!
//! **Invariant:** pure. No socket, clock or randomness; bytes from the network never panic here.

mod row_error;
mod scalar;
mod row_read;
mod row_write;
mod body;

pub use body::BodyCodec;
pub use row_error::RowError;
pub use row_read::{RowCodec, decode_value};
pub use row_write::encode_value;
pub use scalar::parse_text;
