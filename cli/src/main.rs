//! The `arqon` command.

fn main() {}
