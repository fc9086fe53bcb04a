//! Tasks of the house: test, bench, proto, tpch.

fn main() {}
