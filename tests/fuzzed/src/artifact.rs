//! Bytes as a compiled circuit, as they are and as the body of one whose hash is right.

use arqon_plan::{ARTIFACT_VERSION, decode, encode, is_artifact};

/// Reads the bytes as a compiled circuit.
///
/// # Panics
/// If what is read cannot be written again, or comes back as something else.
pub fn artifact(bytes: &[u8]) {
    read(bytes);
    read(&sealed(bytes));
}

/// A file with this body: its length and its hash are right, whatever the body is.
pub fn sealed(body: &[u8]) -> Vec<u8> {
    let version = ARTIFACT_VERSION.to_le_bytes();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&version);
    hasher.update(body);
    let mut bytes = b"ARQON\r\n\x1a".to_vec();
    bytes.extend_from_slice(&version);
    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(hasher.finalize().as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn read(bytes: &[u8]) {
    let Ok(artifact) = decode(bytes) else { return };
    assert!(is_artifact(bytes));
    let written = encode(&artifact).expect("what was read can be written");
    let again = decode(&written).expect("and read again");
    assert_eq!(encode(&again).ok(), Some(written), "and is the same");
}
