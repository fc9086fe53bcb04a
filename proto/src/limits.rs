//! Every maximum of a frame that holds before its topic is known.

/// Headers of one envelope.
pub const HEADERS_MAX: usize = 32;
/// Bytes of one header, name and value.
pub const HEADER_BYTES_MAX: usize = 4096;
/// Largest number of copies that one signed change adds or takes.
pub const DIFF_MAX: i64 = i32::MAX as i64;
