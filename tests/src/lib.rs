//! What only the whole house can show: corpus, oracle, laws, sockets, tidiness.
//!
//! This library holds the slow, obvious truths that the tests compare the fast engine with.

pub mod random;
pub mod setting;
pub mod float_total;
pub mod oracle;
pub mod generator;
pub mod topologies;
pub mod corpus;
pub mod mutation;
pub mod token;
pub mod updates;
