//! The checks on the typed graph: what a circuit that holds together may still not do.
//!
//! Each check is a function of the plan alone. They decide on vertices and wires, never on the
//! text, so what they accept is what runs.

mod paths;
mod cycles;
mod rounds;
mod discipline;
mod bounds;
mod kernels;
mod topology;
mod access;
mod products;
mod unused;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_plan::{Plan, TextRange};

pub(crate) use cycles::node_cycles;
pub use topology::no_bypass_proof;

/// What may pass although it is refused otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unbounded {
    /// State without a bound is an error.
    #[default]
    Refused,
    /// `--allow unbounded`.
    Allowed,
}

/// All errors that the plan itself shows: disciplines, state, cycles, loops, topology, access.
pub fn plan_errors(plan: &Plan, unbounded: Unbounded) -> Vec<Diagnostic> {
    let mut found = cycles::check(plan);
    found.extend(rounds::check(plan));
    found.extend(discipline::check(plan));
    if unbounded == Unbounded::Refused {
        found.extend(bounds::check(plan));
    }
    found.extend(kernels::check(plan));
    found.extend(topology::check(plan));
    found.extend(access::check(plan));
    found
}

/// What is allowed and probably not meant. Meaningful only for a circuit without errors, since
/// what could not be typed counts as unused.
pub fn plan_warnings(plan: &Plan) -> Vec<Diagnostic> {
    let mut found = bounds::growing_topics(plan);
    found.extend(products::check(plan));
    found.extend(access::warnings(plan));
    found.extend(unused::check(plan));
    found
}

fn span(range: TextRange) -> Span {
    Span::new(range.start, range.end)
}
