//! The tables of keys and words by which a circuit file is read.

pub(crate) use super::CIRCUIT_KEYS;
pub(crate) use super::example::CAPSULE_MOCK_KEYS;
pub(crate) use super::example::COST_KEYS;
pub(crate) use super::example::JOB_MOCK_KEYS;
pub(crate) use super::example::STEP_KEYS as TEST_STEP_KEYS;
pub(crate) use super::flow::NODE_KEYS;
pub(crate) use super::join::ASOF_KEYS;
pub(crate) use super::join::JOIN_KINDS;
pub(crate) use super::kernel::BOUND_KEYS;
pub(crate) use super::kernel::CAPSULE_LIMITS;
pub(crate) use super::kernel::EMITS;
pub(crate) use super::kernel::EPS_KEYS;
pub(crate) use super::kernel::MODES;
pub(crate) use super::kernel::PULL_KEYS;
pub(crate) use super::looped::MERGE_WORDS;
pub(crate) use super::looped::NEXT_KEYS;
pub(crate) use super::looped::NODE_KEYS as NODE_LOOP_KEYS;
pub(crate) use super::looped::STEP_KEYS as STEP_LOOP_KEYS;
pub(crate) use super::operator::CIRCUIT_LIMITS;
pub(crate) use super::operator::JOB_CAPS;
pub(crate) use super::operator::MESSAGE_CAPS;
pub(crate) use super::operator::OPERATOR_KEYS;
pub(crate) use super::operator::OPERATOR_LIMITS;
pub(crate) use super::operator::PROFILE_KEYS;
pub(crate) use super::operator::RETRY_KEYS;
pub(crate) use super::operator::RETRY_REASONS;
pub(crate) use super::operator::ROLE_KEYS;
pub(crate) use super::operator::TRANSPORT_KEYS;
pub(crate) use super::over::OVER_KEYS;
pub(crate) use super::step::TIES;
pub(crate) use super::topic::DISCIPLINES;
pub(crate) use super::topic::EDGES;
pub(crate) use super::topic::QUEUE_FULL;
pub(crate) use super::topic::QUEUE_KEYS;
pub(crate) use super::topic::TOPIC_KEYS;
pub(crate) use super::verb::verbs;
pub(crate) use super::window::WINDOW_KEYS;
pub(crate) use super::window::WITHIN_KEYS;

/// The words of a closed set.
pub(crate) fn words<T>(table: &[(&'static str, T)]) -> Vec<&'static str> {
    table.iter().map(|(word, _)| *word).collect()
}
