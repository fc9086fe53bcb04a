//! What runs on a server, for those who look after it.

use std::collections::BTreeMap;

use arqon_spine::{SessionReport, TopicReport};
use arqon_types::{Epoch, TopicName};

use crate::tally::Tally;

/// What is in memory once, for several circuits.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InCommon {
    /// Tables of input topics, and the other circuits that have them.
    pub tables: BTreeMap<TopicName, Vec<String>>,
    /// States of steps, by address, and the other circuits that have them.
    pub steps: BTreeMap<String, Vec<String>>,
}

/// A circuit as the server tells of it.
#[derive(Debug, Clone, PartialEq)]
pub struct CircuitReport {
    /// Its name.
    pub name: String,
    /// Its isolation domain.
    pub namespace: String,
    /// The file it was compiled from.
    pub file: String,
    /// The epoch with which it began.
    pub since: Epoch,
    /// Why it has stopped, if it has.
    pub stopped: Option<String>,
    /// Its topics.
    pub topics: Vec<TopicName>,
    /// What it has in common with other circuits.
    pub in_common: InCommon,
    /// What its state may take, in bytes.
    pub state_bytes_max: Option<u64>,
    /// What it has done.
    pub tally: Tally,
}

/// A server as it tells of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerReport {
    /// The newest epoch that is out.
    pub epoch: Epoch,
    /// By name.
    pub circuits: Vec<CircuitReport>,
    /// By name.
    pub topics: Vec<TopicReport>,
    /// Those that are open.
    pub sessions: Vec<SessionReport>,
}
