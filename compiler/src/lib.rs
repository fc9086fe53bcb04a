//! Circuit text to a typed plan and a verified dataflow plan, with all diagnostics of one run.
//!
//! [`compile`] is the whole way: `resolve` turns names into ids, `typing` gives every expression
//! and row its type, `build` makes the plan, `checks` decide on it, `lower` makes steps of the
//! nodes, and the passes `reorder`, `push`, `share`, `reuse`, `prune`,
//! `fuse` and `release` make them cheaper.
//!
//! **Invariant:** no IO, no clock, and equal text gives equal plans; the engine is never seen.

mod options;
mod report;
mod misspelt;
mod order;
mod places;
mod walk;
mod contract;
mod row_type;
mod typed;
mod resolve;
mod facts;
mod quotas;
mod raw;
mod typing;
mod keys;
mod feeds;
mod marks;
mod mocks;
mod placed;
mod lower;
mod total;
mod reorder;
mod push;
mod share;
mod needs;
mod prune;
mod reuse;
mod release;
mod fuse;
mod cost;
mod example;
mod runnable;
mod build;
mod checks;
mod compile;
mod profiles;
mod filter;

pub use checks::{Unbounded, no_bypass_proof, plan_errors, plan_warnings};
pub use compile::{Compiled, Pass, Rehearsal, compile, compile_with};
pub use contract::CONTRACT_NAMES;
pub use cost::{Backing, Cost, ELEMENTS, KEPT, MATCHED, ROUNDS, ROWS_PER_KEY, TOPIC_ROWS};
pub use example::{Law, NamedLaw, TestExample, TestInput, TestOutput, TestPlan};
pub use facts::Facts;
pub use filter::{compile_aggregate, compile_expression, compile_filter};
pub use mocks::{ANSWERS, FAILURES, Unanswered};
pub use options::{Options, Purpose};
pub use profiles::with_profiles;
pub use runnable::NotRunnable;
pub use share::Twin;
