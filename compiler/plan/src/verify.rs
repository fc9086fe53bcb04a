//! What every dataflow plan keeps to, checked after each pass and after decoding.
//!
//! 1. **Topics**: each is named once; key and time lie within its schema; `full` has a key; no
//!    two fields of a schema share a name.
//! 2. **Order**: the inputs of a step stand before it; their number is the operator's own.
//! 3. **Sources**: a source names a topic of the plan and has its schema; one source per topic. A
//!    log names a topic of events and adds the place; one log per topic. The errors of a node are
//!    read after all of its steps, and have the schema of errors.
//! 4. **Expressions**: a column lies within the rows that come in and has their type; a local
//!    lies within its lambda; a literal is a value of its type; operands of `and`, `or`, `not`
//!    and conditions are `bool`; nothing nests deeper than [`EXPRESSION_DEPTH_MAX`].
//! 5. **Stages**: filters are `bool`; what is unnested is a list; each stage reads what the one
//!    before yields; the last one yields the step's schema.
//! 6. **Routes**: only arms read a route, an arm reads nothing else, and each arm's label exists.
//! 7. **Keys**: both sides of a join have as many keys, of equal types save options; a `unique`
//!    has a key; it, and that of a `latest`, lies within the rows.
//! 8. **Schemas**: a step's schema is what its operator makes of its inputs, type by type.
//! 9. **Loops**: those around stand first; a variable has one start and one next; a step reads
//!    its own loop and those around it; routes, arms and keys to be unique stay outside; a loop is
//!    left once, after all its steps.
//! 10. **Time**: where a topic's rows carry marks, its source has one int64 field more, the last;
//!     windows read it; times are timestamps, lengths lie above 0, and topics whose marks count
//!     are marked ones of the plan.
//! 11. **Releases**: each names a stateful step and a part of its key that is a timestamp.
//! 12. **Arrangements**: readers are sides of joins outside of loops that match by columns, hold no
//!     times and release nothing; those of one read the same step by the same columns, with keys
//!     packed alike; no side reads two, and no join reads one twice.
//! 13. **Outputs** and **feedbacks**: each names a topic of the plan and a step that is no route;
//!     one per topic; names and types of the rows are those of the topic. A topic to which
//!     something goes back has a source.
//! 14. **Kernels**: ports, fields, key, modes and columns are those of the kernel's signature;
//!     only a kernel is measured, and its metrics are the fields of the row.
//!
//! The engine walks the plan without checking any of this again.

mod expressions;
mod windows;
mod operators;
mod kernel;
mod loops;
mod arrangements;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use arqon_types::{Discipline, Schema, TopicName, Type, error_schema};
use smallvec::SmallVec;

use self::windows::is_sound;
use crate::dataflow::{DataflowPlan, History, Operator, Step, StepId, TopicPlan};

/// Deepest nesting of an expression.
pub const EXPRESSION_DEPTH_MAX: usize = 512;

/// A plan that breaks its invariants: a fault of the compiler, or of an artifact's maker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(violations))]
pub struct VerifyError {
    /// What was found, at most [`VIOLATIONS_MAX`] of them.
    pub violations: Vec<Violation>,
}

/// One broken invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The address of the step, or the topic.
    pub place: String,
    /// What does not hold there.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.place, self.what)
    }
}

fn lines(violations: &[Violation]) -> String {
    violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Checks all invariants of the list above. Cost: linear in the size of the plan.
///
/// # Errors
/// Says what is broken and where.
pub fn verify(plan: &DataflowPlan) -> Result<(), VerifyError> {
    let topics = plan.topics.iter().map(|topic| (&topic.name, topic)).collect();
    let mut verifier = Verifier { plan, topics, place: "", violations: Vec::new() };
    verifier.topics();
    if !verifier.loop_ids() {
        return Err(VerifyError { violations: verifier.violations });
    }
    verifier.steps();
    verifier.releases();
    verifier.outputs();
    if verifier.violations.is_empty() {
        verifier.loops();
        verifier.arrangements();
    }
    if verifier.violations.is_empty() {
        Ok(())
    } else {
        Err(VerifyError { violations: verifier.violations })
    }
}

struct Verifier<'a> {
    plan: &'a DataflowPlan,
    topics: BTreeMap<&'a TopicName, &'a TopicPlan>,
    place: &'a str,
    violations: Vec<Violation>,
}

impl<'a> Verifier<'a> {
    fn require(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds && self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(Violation { place: self.place.to_owned(), what: what() });
        }
    }

    fn topics(&mut self) {
        let mut names = BTreeSet::new();
        for topic in &self.plan.topics {
            self.place = topic.name.as_str();
            let n_fields = topic.schema.fields.len();
            self.require(names.insert(&topic.name), || "the topic is named twice".into());
            self.require(topic.key.iter().all(|column| *column < n_fields), || {
                format!("key {:?} lies outside of {n_fields} fields", topic.key)
            });
            self.require(topic.time.is_none_or(|column| column < n_fields), || {
                "the time field lies outside of the schema".into()
            });
            self.require(!topic.arrival || topic.discipline != Discipline::Delta, || {
                "rows that are retracted without their time of arrival".into()
            });
            self.require(topic.lateness.is_none_or(|late| 0 <= late), || {
                "a negative lateness".into()
            });
            self.require(topic.discipline != Discipline::Full || !topic.key.is_empty(), || {
                "a `full` topic has no key".into()
            });
            self.history(topic);
            self.schema(&topic.schema);
        }
    }

    fn history(&mut self, topic: &TopicPlan) {
        let is_sound = match topic.history {
            History::All => true,
            History::Nothing => topic.discipline == Discipline::Events,
            History::Ruled(rule) => {
                topic.discipline == Discipline::Events && is_sound(rule, &topic.schema.types())
            }
        };
        self.require(is_sound, || format!("a history of {:?}", topic.history));
    }

    fn schema(&mut self, schema: &Schema) {
        let mut names = BTreeSet::new();
        for field in &schema.fields {
            self.require(names.insert(&field.name), || {
                format!("field `{}` stands twice in `{}`", field.name, schema.name)
            });
        }
    }

    fn steps(&mut self) {
        let mut sources = BTreeSet::new();
        let mut errors_read = BTreeSet::new();
        for (idx, step) in self.plan.steps.iter().enumerate() {
            self.place = &step.address;
            self.schema(&step.schema);
            let mut inputs: SmallVec<[&Step; 2]> = SmallVec::new();
            for input in &step.inputs {
                if input.index() < idx {
                    inputs.push(&self.plan.steps[input.index()]);
                } else {
                    self.require(false, || format!("input {} stands after it", input.0));
                }
            }
            if inputs.len() == step.inputs.len() && self.arity(step) {
                self.step(step, &inputs);
            }
            // What a topic refuses is told as its rows come in, before any step has them.
            let is_input = matches!(step.operator, Operator::Source(_) | Operator::Log(_));
            self.require(is_input || !errors_read.contains(&*step.node), || {
                format!("the errors of `{}` are read before this step of it", step.node)
            });
            match &step.operator {
                Operator::Source(topic) | Operator::Log(topic) => {
                    let is_log = matches!(step.operator, Operator::Log(_));
                    self.require(sources.insert((topic, is_log)), || {
                        format!("`{topic}` has two sources")
                    });
                }
                Operator::Errors(node) => {
                    errors_read.insert(node.as_str());
                }
                Operator::Map(_)
                | Operator::Union
                | Operator::Route(_)
                | Operator::Arm(_)
                | Operator::Join(_)
                | Operator::Group(_)
                | Operator::Distinct
                | Operator::Top(_)
                | Operator::Over(_)
                | Operator::Latest(_)
                | Operator::Unique { .. }
                | Operator::Kernel(_)
                | Operator::Measured(_)
                | Operator::Variable(_)
                | Operator::Next(_)
                | Operator::Leave(_)
                | Operator::Window(_)
                | Operator::Late(_)
                | Operator::Session(_)
                | Operator::Final(_)
                | Operator::Within(_)
                | Operator::Retain(_) => {}
            }
        }
    }

    fn arity(&mut self, step: &Step) -> bool {
        let n_inputs = step.inputs.len();
        let (fits, wanted) = match &step.operator {
            Operator::Source(_) | Operator::Log(_) | Operator::Errors(_) => {
                (n_inputs == 0, "no input")
            }
            Operator::Union | Operator::Kernel(_) => (0 < n_inputs, "an input"),
            Operator::Join(_) => (n_inputs == 2, "two inputs"),
            Operator::Map(_)
            | Operator::Route(_)
            | Operator::Arm(_)
            | Operator::Group(_)
            | Operator::Distinct
            | Operator::Top(_)
            | Operator::Over(_)
            | Operator::Latest(_)
            | Operator::Unique { .. }
            | Operator::Measured(_)
            | Operator::Variable(_)
            | Operator::Next(_)
            | Operator::Leave(_)
            | Operator::Window(_)
            | Operator::Late(_)
            | Operator::Session(_)
            | Operator::Final(_)
            | Operator::Within(_)
            | Operator::Retain(_) => (n_inputs == 1, "one input"),
        };
        self.require(fits, || format!("{n_inputs} inputs where {wanted} is wanted"));
        fits
    }

    fn step(&mut self, step: &Step, inputs: &[&'a Step]) {
        let is_arm = matches!(step.operator, Operator::Arm(_));
        for input in inputs {
            let is_route = matches!(input.operator, Operator::Route(_));
            self.require(is_route == is_arm, || {
                format!("only arms read a route, and nothing else: input `{}`", input.address)
            });
        }
        let types: SmallVec<[Vec<Type>; 2]> =
            inputs.iter().map(|input| input.schema.types()).collect();
        match &step.operator {
            Operator::Source(name) => match self.topics.get(name).copied() {
                Some(topic) => {
                    let mut types = topic.schema.types();
                    types.extend(topic.arrival.then_some(Type::Timestamp));
                    types.extend(topic.lateness.map(|_| Type::Int64));
                    self.require(types == step.schema.types(), || {
                        format!("the source's schema is not that of topic `{name}`")
                    });
                }
                None => self.require(false, || format!("topic `{name}` is not in the plan")),
            },
            Operator::Log(name) => match self.topics.get(name).copied() {
                Some(topic) => {
                    let mut placed = topic.schema.types();
                    placed.extend(topic.arrival.then_some(Type::Timestamp));
                    placed.extend(topic.lateness.map(|_| Type::Int64));
                    placed.push(Type::Int64);
                    self.yields(&placed, &step.schema);
                }
                None => self.require(false, || format!("topic `{name}` is not in the plan")),
            },
            Operator::Map(map) => self.map(map, &types[0], &step.schema),
            Operator::Union => {
                for input in &types {
                    self.yields(input, &step.schema);
                }
            }
            Operator::Route(route) => {
                for condition in &route.conditions {
                    self.condition(condition, &types[0]);
                }
                self.require(!route.conditions.is_empty(), || "a route without condition".into());
                self.yields(&types[0], &step.schema);
            }
            Operator::Arm(arm) => {
                if let Operator::Route(route) = &inputs[0].operator {
                    let n_labels = route.conditions.len() + usize::from(route.has_rest);
                    self.require(arm.idx < n_labels, || {
                        format!("label {} of a route with {n_labels}", arm.idx)
                    });
                }
                self.yields(&types[0], &step.schema);
            }
            Operator::Join(join) => self.join(join, [inputs[0], inputs[1]], &step.schema),
            Operator::Group(group) => self.group(group, &types[0], &step.schema),
            Operator::Distinct | Operator::Variable(_) | Operator::Next(_) | Operator::Leave(_) => {
                self.yields(&types[0], &step.schema);
            }
            Operator::Top(top) => self.top(top, &types[0], &step.schema),
            Operator::Over(over) => self.over(over, &types[0], &step.schema),
            Operator::Latest(latest) => {
                let n_rest = types[0].len().saturating_sub(latest.n_places);
                let (rest, places) = types[0].split_at(n_rest);
                self.require(
                    !places.is_empty()
                        && places.len() == latest.n_places
                        && places.iter().all(|ty| *ty == Type::Int64),
                    || format!("{} columns of int64 are no place in the log", latest.n_places),
                );
                let is_key = latest.key.iter().all(|at| *at < n_rest);
                self.require(is_key, || {
                    format!("key {:?} lies outside of {n_rest} columns", latest.key)
                });
                self.yields(rest, &step.schema);
            }
            Operator::Unique { key } => {
                self.require(!key.is_empty(), || "a `unique` without key".into());
                self.require(key.iter().all(|column| *column < types[0].len()), || {
                    format!("key {key:?} lies outside of {} columns", types[0].len())
                });
                self.yields(&types[0], &step.schema);
            }
            Operator::Errors(_) => self
                .require(step.schema.fields == error_schema().fields, || {
                    "the schema is not that of errors".into()
                }),
            Operator::Window(window) => self.window(window, &types[0], &step.schema),
            Operator::Late(window) => {
                if let Some(row) = self.judged(window, &types[0]) {
                    self.yields(&row, &step.schema);
                }
            }
            Operator::Session(session) => self.session(session, &types[0], &step.schema),
            Operator::Final(closing) | Operator::Within(closing) => {
                self.closing(closing, &types[0]);
                self.yields(&types[0], &step.schema);
            }
            Operator::Retain(retention) => self.retention(*retention, &types[0], &step.schema),
            Operator::Kernel(kernel) => self.kernel(kernel, &types, &step.schema),
            Operator::Measured(measured) => self.measured(measured, inputs[0], &step.schema),
        }
    }

    fn outputs(&mut self) {
        let plan = self.plan;
        self.carried("output", plan.outputs.iter().map(|output| (&output.topic, output.step)));
        let feedbacks = plan.feedbacks.iter().map(|feedback| (&feedback.topic, feedback.step));
        self.carried("feedback", feedbacks);
        for feedback in &plan.feedbacks {
            self.place = feedback.topic.as_str();
            self.require(plan.has_source(&feedback.topic), || {
                "what goes back to the topic has no source to come from".into()
            });
        }
    }

    /// Topics that carry the rows of a step; `what` says how.
    fn carried(&mut self, what: &str, all: impl Iterator<Item = (&'a TopicName, StepId)>) {
        let mut names = BTreeSet::new();
        for (topic, step) in all {
            self.place = topic.as_str();
            self.require(names.insert(topic), || format!("the topic has two {what}s"));
            let topic = self.topics.get(topic).copied();
            let step = self.plan.steps.get(step.index());
            let (Some(topic), Some(step)) = (topic, step) else {
                self.require(false, || format!("the {what}'s topic or step is not in the plan"));
                continue;
            };
            self.require(!matches!(step.operator, Operator::Route(_)), || {
                format!("`{}` is a route, not one of its arms", step.address)
            });
            self.require(topic.schema.fields == step.schema.fields, || {
                format!("the rows of `{}` are not those of the topic", step.address)
            });
        }
    }
}

/// Most violations that are reported at once.
const VIOLATIONS_MAX: usize = 20;
