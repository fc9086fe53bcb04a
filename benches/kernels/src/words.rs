//! What a program was asked for.

/// The word at that place of the command line, if options (`--python PATH`) begin only behind it.
pub fn word(place: usize) -> Option<String> {
    std::env::args().take_while(|word| !word.starts_with("--")).nth(place)
}

/// What stands behind an option.
pub fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|word| word != name).nth(1)
}
