//! `circuit.arqon`: a compiled circuit as bytes.
//!
//! ```text
//! 8 bytes   "ARQON\r\n\x1a"
//! 4 bytes   version, little-endian
//! 8 bytes   length of the body, little-endian
//! 32 bytes  blake3 over version and body: the circuit's content hash
//! …         body: the plan and the dataflow plan, in canonical bytes
//! ```
//! Equal circuits give equal bytes. Reading is bounded and total: other versions, damaged or
//! hostile bytes are refused with a reason, and what is read has passed the verifier.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codec::{CodecError, from_bytes, to_bytes};
use crate::dataflow::DataflowPlan;
use crate::graph::Plan;
use crate::verify::{VerifyError, verify};

/// A compiled circuit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Artifact {
    /// The typed graph, for pictures and checks.
    pub plan: Plan,
    /// What runs.
    pub dataflow: DataflowPlan,
}

/// The content hash of a circuit: equal for equal circuits, and for them only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub(crate) [u8; 32]);

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a compiled circuit could not be written.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The plan breaks its invariants.
    #[error("the plan does not hold together")]
    Plan(#[source] VerifyError),
    /// More than [`ARTIFACT_BYTES_MAX`].
    #[error("{0} bytes, at most {ARTIFACT_BYTES_MAX}")]
    TooLong(usize),
    /// A value without canonical bytes.
    #[error("the plan has no canonical bytes")]
    Codec(#[source] CodecError),
}

/// Why bytes are no compiled circuit.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// Another kind of file.
    #[error("this is not a compiled circuit")]
    Kind,
    /// Another version.
    #[error(
        "compiled with artifact version {0}, this program reads version {ARTIFACT_VERSION}; \
         compile the circuit again"
    )]
    Version(u32),
    /// Cut short, or with bytes behind its end.
    #[error("{found} bytes where the header announces {announced}")]
    Length {
        /// What the header says.
        announced: u64,
        /// What there is, without the header.
        found: u64,
    },
    /// More than [`ARTIFACT_BYTES_MAX`].
    #[error("{0} bytes, at most {ARTIFACT_BYTES_MAX}")]
    TooLong(usize),
    /// The content is not what was written.
    #[error("the content hash does not match; the file is damaged")]
    Hash,
    /// The bytes are no plan, though their hash is right.
    #[error("the content is no plan")]
    Content(#[source] CodecError),
    /// The plan breaks its invariants.
    #[error("the plan does not hold together")]
    Plan(#[source] VerifyError),
}

/// The bytes of a compiled circuit.
///
/// # Errors
/// If the plan breaks its invariants or is too long; for a plan of the compiler that is a fault
/// of the compiler.
pub fn encode(artifact: &Artifact) -> Result<Vec<u8>, EncodeError> {
    verify(&artifact.dataflow).map_err(EncodeError::Plan)?;
    let body = to_bytes(artifact).map_err(EncodeError::Codec)?;
    if ARTIFACT_BYTES_MAX < body.len() + HEADER_BYTES {
        return Err(EncodeError::TooLong(body.len() + HEADER_BYTES));
    }
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&ARTIFACT_VERSION.to_le_bytes());
    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&hash(ARTIFACT_VERSION, &body).0);
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// The compiled circuit that these bytes are.
///
/// # Errors
/// Says what is wrong with the bytes. No bytes make it panic.
pub fn decode(bytes: &[u8]) -> Result<Artifact, ArtifactError> {
    let (_, body) = open(bytes)?;
    let artifact: Artifact = from_bytes(body).map_err(ArtifactError::Content)?;
    verify(&artifact.dataflow).map_err(ArtifactError::Plan)?;
    Ok(artifact)
}

/// The content hash of a compiled circuit, which is checked against its content.
///
/// # Errors
/// Says what is wrong with the bytes.
pub fn content_hash(bytes: &[u8]) -> Result<ContentHash, ArtifactError> {
    open(bytes).map(|(hash, _)| hash)
}

/// The hash of a dataflow plan: equal for equal plans of one version, and for them only.
///
/// # Errors
/// [`EncodeError::Codec`] if it has no canonical bytes.
pub fn plan_hash(plan: &DataflowPlan) -> Result<ContentHash, EncodeError> {
    let body = to_bytes(plan).map_err(EncodeError::Codec)?;
    Ok(hash(ARTIFACT_VERSION, &body))
}

/// Whether bytes begin like a compiled circuit, whatever its version.
pub fn is_artifact(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

fn open(bytes: &[u8]) -> Result<(ContentHash, &[u8]), ArtifactError> {
    if ARTIFACT_BYTES_MAX < bytes.len() {
        return Err(ArtifactError::TooLong(bytes.len()));
    }
    let rest = bytes.strip_prefix(&MAGIC).ok_or(ArtifactError::Kind)?;
    let (version, rest) = rest.split_first_chunk().ok_or(ArtifactError::Kind)?;
    let version = u32::from_le_bytes(*version);
    if version != ARTIFACT_VERSION {
        return Err(ArtifactError::Version(version));
    }
    let (announced, rest) = rest.split_first_chunk().ok_or(ArtifactError::Kind)?;
    let announced = u64::from_le_bytes(*announced);
    let (expected, body) = rest.split_first_chunk::<32>().ok_or(ArtifactError::Kind)?;
    let found = body.len() as u64;
    if announced != found {
        return Err(ArtifactError::Length { announced, found });
    }
    let actual = hash(version, body);
    if actual.0 == *expected { Ok((actual, body)) } else { Err(ArtifactError::Hash) }
}

fn hash(version: u32, body: &[u8]) -> ContentHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&version.to_le_bytes());
    hasher.update(body);
    ContentHash(*hasher.finalize().as_bytes())
}

/// Raised whenever a plan's canonical bytes change their meaning.
pub const ARTIFACT_VERSION: u32 = 10;

/// Longest artifact that is written or read.
pub const ARTIFACT_BYTES_MAX: usize = 256 << 20;

const MAGIC: [u8; 8] = *b"ARQON\r\n\x1a";

const HEADER_BYTES: usize = 8 + 4 + 8 + 32;
