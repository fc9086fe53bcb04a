//! What a program was asked for.

/// The word at that place of the command line, if options (`--python PATH`) begin only behind it.
pub fn word(place: usize) -> Option<String> {
    std::env::args().take_while(|word| !word.starts_with("--")).nth(place)
}
