//! What runs on a server, for those who look after it.

use std::collections::BTreeMap;

use arqon_spine::{SessionReport, TopicReport};
use arqon_types::{Epoch, TopicName};

use crate::tally::Tally;

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
    /// Input topics whose tables it has in common with other circuits, and with which.
    pub shares: BTreeMap<TopicName, Vec<String>>,
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
