//! What a long run is asked for in the environment: `ARQON_SEED`, `ARQON_CASES`.

/// The number of this name in the environment; `default` without one that can be read.
#[expect(clippy::disallowed_methods, reason = "the long run chooses its seed from outside")]
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
