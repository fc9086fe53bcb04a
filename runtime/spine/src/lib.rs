//! The bus as a pure state machine: topics, subscriptions, grants, epochs.
