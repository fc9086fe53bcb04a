//! Files that every circuit can import, whatever its root: the messages of ArqonBus itself, as
//! `google/protobuf` has those of protobuf.

/// The text at a well-known path; none for any other.
pub(super) fn text(path: &str) -> Option<&'static str> {
    FILES.iter().find_map(|(known, text)| (*known == path).then_some(*text))
}

/// All well-known paths.
pub(super) fn paths() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(known, _)| *known)
}

const FILES: &[(&str, &str)] = &[
    ("arqonbus/itmd/v1/job.proto", include_str!("../../../proto/arqonbus/itmd/v1/job.proto")),
    (
        "arqonbus/itmd/v1/metrics.proto",
        include_str!("../../../proto/arqonbus/itmd/v1/metrics.proto"),
    ),
    ("arqonbus/itmd/v1/mode.proto", include_str!("../../../proto/arqonbus/itmd/v1/mode.proto")),
    ("arqonbus/itmd/v1/result.proto", include_str!("../../../proto/arqonbus/itmd/v1/result.proto")),
];
