//! Messages about numerical kernels: `arqonbus.itmd.job.v1`, its result, metrics and modes.
//!
//! The `.proto` files in `arqonbus/itmd/v1` say what each field is. Circuits import the same files
//! by their paths, so that `schema: ItmdMetrics` is the same message, on the wire and in JSON.

#[rustfmt::skip]
#[expect(clippy::pedantic, missing_docs, reason = "generated code")]
mod wire;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage as _, SerializeOptions};
use serde::de::DeserializeSeed as _;

pub use wire::*;

use crate::DESCRIPTOR;

/// Why a job cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {fault}")]
pub struct JobFault {
    /// The field, as in `delta_payload[1].rows`.
    pub field: String,
    /// What is wrong with it.
    pub fault: String,
}

/// Why a text is no job.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// It is no JSON, or not of this message.
    #[error("this is no `arqonbus.itmd.job.v1`: {0}")]
    Json(#[from] serde_json::Error),
    /// It is of the message, and cannot be taken.
    #[error("the job cannot be taken: {0}")]
    Fault(#[from] JobFault),
}

impl ItmdJob {
    /// What the payload of an envelope is called that has a job.
    pub const SCHEMA: &str = "arqonbus.itmd.job.v1";

    /// Whether the job can be taken: it says whose it is, which kernel, and nothing that
    /// contradicts itself. That the kernel can be prepared of it is the kernel's to say.
    ///
    /// # Errors
    /// The first field that is at fault.
    pub fn validate(&self) -> Result<(), JobFault> {
        if self.job_id.is_empty() {
            return fault("job_id", "is empty");
        }
        self.validate_kernel()?;
        for (field, reference) in
            [("precompute_ref", &self.precompute_ref), ("input_state_ref", &self.input_state_ref)]
        {
            if !(reference.is_empty() || is_content_hash(reference)) {
                return fault(field, "is not `blake3:` and 64 hexadecimal digits");
            }
        }
        if itmd_job::DeltaMode::try_from(self.delta_mode).is_err() {
            return fault("delta_mode", "is neither `full_state` nor `delta_only`");
        }
        if self.epoch < self.base_epoch {
            return fault("epoch", "lies before `base_epoch`");
        }
        for (at, ItmdPortDelta { diffs, rows, .. }) in self.delta_payload.iter().enumerate() {
            if diffs.len() != rows.len() {
                let lengths = format!("has {} rows for {} diffs", rows.len(), diffs.len());
                return fault(format!("delta_payload[{at}].rows"), lengths);
            }
        }
        self.validate_limits()
    }

    fn validate_kernel(&self) -> Result<(), JobFault> {
        use itmd_job::{KernelSpec, Workload};
        let Ok(workload) = Workload::try_from(self.workload_type) else {
            return fault("workload_type", "is no kernel");
        };
        let is_its = match &self.kernel_spec {
            Some(KernelSpec::Attention(_)) => workload == Workload::TransformerAttn,
            Some(KernelSpec::NystromModel(_)) => workload == Workload::Nystrom,
            Some(KernelSpec::Graph(_)) => workload == Workload::DynamicGraph,
            Some(KernelSpec::Grid(_)) => workload == Workload::PdeSolver,
            Some(KernelSpec::Linear(_)) => workload == Workload::LinearTransform,
            None => false,
        };
        let name = workload.as_str_name();
        if is_its { Ok(()) } else { fault("kernel_spec", format!("is not that of `{name}`")) }
    }

    fn validate_limits(&self) -> Result<(), JobFault> {
        if let Some(ItmdConstraints { max_latency, error_tolerance }) = &self.constraints {
            if max_latency.is_some_and(|nanos| nanos <= 0) {
                return fault("constraints.max_latency", "is not above 0");
            }
            if error_tolerance.is_some_and(|error| !(error.is_finite() && 0.0 <= error)) {
                return fault("constraints.error_tolerance", "is no finite number from 0 on");
            }
        }
        if let Some(ItmdEmit { policy, threshold }) = &self.emit {
            let policy = itmd_emit::Policy::try_from(*policy);
            let is_eps = policy == Ok(itmd_emit::Policy::Eps);
            if policy.is_err() {
                return fault("emit.policy", "is no policy");
            }
            if !threshold.is_finite() || *threshold < 0.0 || (!is_eps && *threshold != 0.0) {
                return fault(
                    "emit.threshold",
                    "is no finite number from 0 on, or not one of `eps`",
                );
            }
        }
        let mut seen = BTreeSet::new();
        for mode in &self.modes {
            if itmd_job::Mode::try_from(*mode).is_err() || !seen.insert(*mode) {
                return fault("modes", "has a mode that is unknown, or named twice");
            }
        }
        Ok(())
    }

    /// The job as JSON, with the names of the `.proto` file; fields without a value stand there,
    /// too.
    pub fn to_json(&self) -> serde_json::Value {
        let options = SerializeOptions::new()
            .use_proto_field_name(true)
            .skip_default_fields(false)
            .stringify_64_bit_integers(false);
        let message = message(&self.encode_to_vec());
        message
            .serialize_with_options(serde_json::value::Serializer, &options)
            .expect("a message of known fields is JSON")
    }

    /// A job from JSON, by the rules of protobuf: names of fields as in the `.proto` file or in
    /// camel case, bytes in base64.
    ///
    /// # Errors
    /// [`JobError`] if the text is no job, or one that cannot be taken.
    pub fn from_json(text: &str) -> Result<Self, JobError> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = message(&[]).descriptor().deserialize(&mut reader)?;
        reader.end()?;
        let job = read.transcode_to::<Self>().expect("the descriptor is that of the message");
        job.validate()?;
        Ok(job)
    }
}

/// A job with these bytes, by its descriptor.
fn message(bytes: &[u8]) -> DynamicMessage {
    let descriptor = POOL
        .get_message_by_name("arqonbus.itmd.v1.ItmdJob")
        .expect("the descriptors have all messages");
    DynamicMessage::decode(descriptor, bytes).expect("what was encoded can be decoded")
}

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTOR).expect("descriptors are committed whole"));

fn is_content_hash(text: &str) -> bool {
    let digits = text.strip_prefix("blake3:");
    digits.is_some_and(|digits| {
        digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

fn fault(field: impl Into<String>, fault: impl Into<String>) -> Result<(), JobFault> {
    Err(JobFault { field: field.into(), fault: fault.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> ItmdJob {
        let hash = format!("blake3:{}", "0f".repeat(32));
        ItmdJob {
            job_id: "demo.attention/answers[0]".to_owned(),
            workload_type: itmd_job::Workload::TransformerAttn.into(),
            kernel_spec: Some(itmd_job::KernelSpec::Attention(ItmdAttention {
                features: 64,
                heads: 1,
                key_length: 4,
                value_length: 4,
                ..ItmdAttention::default()
            })),
            precompute_ref: hash,
            delta_mode: itmd_job::DeltaMode::DeltaOnly.into(),
            epoch: 3,
            delta_payload: vec![ItmdPortDelta {
                port: "kv".to_owned(),
                diffs: vec![-1, 1],
                rows: vec![vec![8, 1].into(), vec![8, 2].into()],
            }],
            constraints: Some(ItmdConstraints { error_tolerance: Some(0.01), max_latency: None }),
            ..ItmdJob::default()
        }
    }

    #[test]
    fn json_and_back_is_the_same_job() {
        let text = job().to_json().to_string();
        assert!(text.contains(r#""workload_type":"transformer_attn""#), "{text}");
        assert_eq!(ItmdJob::from_json(&text).unwrap(), job());
    }

    #[test]
    fn faults_name_their_field() {
        type Spoil = fn(&mut ItmdJob);
        let cases: [(&str, Spoil); 10] = [
            ("job_id", |job| job.job_id.clear()),
            ("workload_type", |job| job.workload_type = 9),
            ("kernel_spec", |job| job.workload_type = 1),
            ("kernel_spec", |job| job.kernel_spec = None),
            ("precompute_ref", |job| job.precompute_ref = "sha256:00".to_owned()),
            ("input_state_ref", |job| job.input_state_ref = "blake3:xyz".to_owned()),
            ("epoch", |job| job.base_epoch = 4),
            ("delta_payload[0].rows", |job| job.delta_payload[0].rows.truncate(1)),
            ("constraints.error_tolerance", |job| {
                job.constraints =
                    Some(ItmdConstraints { error_tolerance: Some(f64::NAN), max_latency: None });
            }),
            ("modes", |job| job.modes = vec![1; 2]),
        ];
        assert_eq!(job().validate(), Ok(()));
        for (field, spoil) in cases {
            let mut job = job();
            spoil(&mut job);
            assert_eq!(job.validate().unwrap_err().field, field);
        }
    }

    #[test]
    fn what_is_no_job_is_told() {
        for text in ["", "[]", r#"{"job":1}"#, r#"{"job_id":1}"#, r#"{"job_id":"a"} {}"#] {
            assert!(matches!(ItmdJob::from_json(text), Err(JobError::Json(_))), "{text}");
        }
        assert!(matches!(ItmdJob::from_json("{}"), Err(JobError::Fault(_))));
    }
}
