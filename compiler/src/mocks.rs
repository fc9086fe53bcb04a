//! Mocks: what a test says in the place of operators, kernels and capsules. Their answers come in
//! by topics of their own, which no circuit can name.

use arqon_grammar::ast;
use arqon_types::{Field, Schema, TopicName, Type};

use crate::resolve::Resolved;
use crate::typed::{NodeId, OperatorId, TypedNode, Verb};
use crate::typing::Flow;

/// What a mock stands in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mocked {
    /// All calls of an operator.
    Operator(OperatorId),
    /// The calls of an operator that no other mock answers.
    Rest(OperatorId),
    /// A kernel or capsule: its node, and the place of the step there.
    Step(NodeId, usize),
}

/// Questions that no mock answers: an output of the steps that are tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// The topic of the output.
    pub topic: TopicName,
    /// Who asks: `pulses[1]`.
    pub address: String,
    /// What its rows are: a `job`, or a `row`.
    pub schema: Schema,
}

/// What the names of all topics of answers begin with.
pub const ANSWERS: &str = "system.mocks.";

impl Mocked {
    /// The topic that its answers come in by.
    pub(crate) fn topic(self) -> TopicName {
        named(&match self {
            Self::Operator(OperatorId(id)) => format!("{ANSWERS}o{id}"),
            Self::Rest(OperatorId(id)) => format!("{ANSWERS}o{id}.rest"),
            Self::Step(NodeId(id), step) => format!("{ANSWERS}n{id}.s{step}"),
        })
    }

    /// What the rows of that topic are: a job with its result, its id, and why it has no result; a
    /// row with what a capsule returns of it, or what a kernel puts out. None if it is no such
    /// step.
    pub(crate) fn answers(self, resolved: &Resolved<'_>, flow: &Flow) -> Option<Schema> {
        let fields = match self {
            Self::Operator(id) => {
                let contract = resolved.operator(id).contract.as_ref()?;
                let job = Field::new("$job", Type::Struct(contract.job.clone()));
                std::iter::once(job).chain(answer(&contract.result)).collect()
            }
            Self::Rest(id) => answer(&resolved.operator(id).contract.as_ref()?.result).to_vec(),
            Self::Step(NodeId(id), idx) => {
                let node = &flow.nodes[id];
                let step = node.steps.get(idx)?;
                let after = step.row.fields()?;
                match &step.verb {
                    Verb::Kernel(_) => after,
                    Verb::Wasm(_) => vec![
                        Field::new("$row", Type::Struct(node.row_before(idx).fields()?)),
                        Field::new("$returns", Type::List(Box::new(Type::Struct(after)))),
                    ],
                    _ => return None,
                }
            }
        };
        Some(Schema::new("answers", fields))
    }
}

/// What tests say in the place of operators, kernels and capsules.
pub(crate) fn mocks_of(tests: &[ast::Test]) -> impl Iterator<Item = &ast::Mock> {
    tests.iter().flat_map(|test| &test.steps).flat_map(|step| match step {
        ast::TestStep::Example(example) => example.mocks.as_slice(),
        ast::TestStep::Law(_) => &[],
    })
}

/// Whether a test says what the step puts out; then it says it in all tests of the circuit.
pub(crate) fn is_mocked(tests: &[ast::Test], node: &TypedNode, address: &str) -> bool {
    mocks_of(tests).map(|mock| &mock.name.node).any(|name| *name == *node.name || name == address)
}

/// What an operator answers: the result or else what went wrong, and the job's id.
fn answer(result: &[Field]) -> [Field; 3] {
    [
        Field::new("$result", Type::Struct(result.to_vec()).optional()),
        Field::new("$id", Type::String),
        Field::new("$fail", Type::String),
    ]
}

/// What the names begin with under which jobs fail whose errors go to a topic of the circuit.
pub const FAILURES: &str = "system.failures.";

/// In the place of its node, the name under which the jobs of a call fail: nobody reads its errors
/// but the call itself, which puts them into the topic that it names.
pub(crate) fn failures_of(NodeId(node): NodeId, step: usize) -> String {
    format!("{FAILURES}n{node}.s{step}")
}

/// The topic of what no mock answers a step.
pub(crate) fn unanswered_topic(NodeId(node): NodeId, step: usize) -> TopicName {
    named(&format!("system.unanswered.n{node}.s{step}"))
}

fn named(name: &str) -> TopicName {
    TopicName::parse(name).expect("short, and of letters and digits")
}
