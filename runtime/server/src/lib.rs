//! Edge, bus and engine joined in one process.
