//! Rust client of the bus: connect, publish, subscribe, fold deltas.
