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
//! 12. **Outputs** and **feedbacks**: each names a topic of the plan and a step that is no route;
//!     one per topic; names and types of the rows are those of the topic. A topic to which
//!     something goes back has a source.
//! 13. **Kernels**: ports, fields, key, modes and columns are those of the kernel's signature;
//!     only a kernel is measured, and its metrics are the fields of the row.
//!
//! The engine walks the plan without checking any of this again.

mod kernel;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use arqon_operators::{Aggregate, Expr, ExprKind, UnaryOp};
use arqon_types::{Discipline, Schema, TopicName, Type, error_schema};
use smallvec::SmallVec;

use crate::dataflow::{
    Closing, DataflowPlan, Frame, Group, History, Join, JoinKind, JoinOutput, LoopId, Map,
    Operator, Over, OverKind, Release, Retention, RetentionRule, Session, StageKind, Step, StepId,
    Top, TopicPlan, Variable, Window,
};

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

    fn retention(&mut self, retention: Retention, input: &[Type], schema: &Schema) {
        let (row, places) = input.split_at(input.len().saturating_sub(retention.order.n_places()));
        let has_places = places.len() == retention.order.n_places()
            && places.iter().all(|ty| *ty == Type::Int64);
        self.require(has_places, || "rows without a place in the log".into());
        self.require(is_sound(retention.rule, row), || {
            format!("a retention by {:?}", retention.rule)
        });
        self.yields(row, schema);
    }

    /// The row that a window judges, without its mark.
    fn judged(&mut self, window: &Window, input: &[Type]) -> Option<Vec<Type>> {
        self.time(&window.time, input);
        let is_sound = match window.frame {
            Frame::Aligned { size, every } => 0 < every && every <= size,
            Frame::Own { length } => 0 < length,
        };
        self.require(is_sound, || format!("a frame {:?}", window.frame));
        let marked = input.split_last().filter(|(mark, _)| **mark == Type::Int64);
        self.require(marked.is_some(), || "a window over rows without marks".into());
        marked.map(|(_, row)| row.to_vec())
    }

    fn window(&mut self, window: &Window, input: &[Type], schema: &Schema) {
        let Some(mut types) = self.judged(window, input) else { return };
        match window.frame {
            Frame::Aligned { .. } => types.extend([Type::Timestamp, Type::Timestamp]),
            Frame::Own { .. } => {}
        }
        types.extend(window.keeps_mark.then_some(Type::Int64));
        self.yields(&types, schema);
    }

    fn session(&mut self, session: &Session, input: &[Type], schema: &Schema) {
        self.time(&session.time, input);
        self.require(0 < session.gap, || "a session without a gap".into());
        for per in &session.per {
            self.expression(per, input);
        }
        self.marked(&session.topics);
        let mut types = input.to_vec();
        types.extend([Type::Timestamp, Type::Timestamp]);
        self.yields(&types, schema);
    }

    fn closing(&mut self, closing: &Closing, input: &[Type]) {
        self.time(&closing.time, input);
        self.require(!closing.topics.is_empty(), || "windows that nothing closes".into());
        self.marked(&closing.topics);
    }

    fn time(&mut self, time: &Expr, input: &[Type]) {
        self.expression(time, input);
        self.require(time.ty == Type::Timestamp, || format!("a time is {}", time.ty));
    }

    fn marked(&mut self, topics: &[TopicName]) {
        for name in topics {
            let is_marked = self.topics.get(name).is_some_and(|topic| topic.lateness.is_some());
            self.require(is_marked, || format!("topic `{name}` has no marks"));
        }
    }

    fn releases(&mut self) {
        for release in &self.plan.releases {
            self.place = "a release";
            let Some(step) = self.plan.steps.get(release.step.index()) else {
                self.require(false, || format!("step {} is not there", release.step.0));
                continue;
            };
            self.place = &step.address;
            self.released(release, step);
            self.require(!release.topics.is_empty(), || "windows that nothing closes".into());
            self.marked(&release.topics);
        }
    }

    fn released(&mut self, release: &Release, step: &Step) {
        let of = |exprs: &[Expr]| exprs.get(release.key).map(|expr| expr.ty.clone());
        let column = |at: usize| step.schema.fields.get(at).map(|field| field.ty.clone());
        let ty = match &step.operator {
            Operator::Join(join) => of(&join.left_key),
            Operator::Group(group) => of(&group.keys),
            Operator::Top(top) => of(&top.per),
            Operator::Over(over) => of(&over.per),
            Operator::Distinct => column(release.key),
            Operator::Unique { key } => key.get(release.key).and_then(|at| column(*at)),
            Operator::Source(_)
            | Operator::Log(_)
            | Operator::Latest(_)
            | Operator::Variable(_)
            | Operator::Next(_)
            | Operator::Leave(_)
            | Operator::Errors(_)
            | Operator::Map(_)
            | Operator::Union
            | Operator::Route(_)
            | Operator::Arm(_)
            | Operator::Window(_)
            | Operator::Late(_)
            | Operator::Session(_)
            | Operator::Final(_)
            | Operator::Within(_)
            | Operator::Retain(_)
            | Operator::Kernel(_)
            | Operator::Measured(_) => None,
        };
        self.require(ty == Some(Type::Timestamp), || format!("part {} of its key", release.key));
    }

    fn yields(&mut self, types: &[Type], schema: &Schema) {
        let n_fields = schema.fields.len();
        self.require(types.len() == n_fields, || {
            format!("{} columns where schema `{}` has {n_fields}", types.len(), schema.name)
        });
        for (ty, field) in types.iter().zip(&schema.fields) {
            // A union has in common what is known of its tensors on all sides.
            self.require(ty.may_be(&field.ty), || {
                format!("`{}` is {} in the schema, but {ty} is computed", field.name, field.ty)
            });
        }
    }

    fn map(&mut self, map: &Map, input: &[Type], schema: &Schema) {
        let mut columns = input.to_vec();
        for stage in &map.stages {
            match &stage.kind {
                StageKind::Filter(condition) => self.condition(condition, &columns),
                StageKind::Project(fields) => {
                    for field in fields {
                        self.expression(field, &columns);
                    }
                    columns = fields.iter().map(|field| field.ty.clone()).collect();
                }
                StageKind::Unnest(list) => {
                    self.expression(list, &columns);
                    columns.push(Type::Int64);
                    match list.ty.required() {
                        Type::List(element) => columns.push((**element).clone()),
                        other => self.require(false, || format!("elements of {other}")),
                    }
                }
            }
        }
        self.require(!map.stages.is_empty(), || "a map without stages".into());
        self.yields(&columns, schema);
    }

    fn join(&mut self, join: &Join, [left, right]: [&Step; 2], schema: &Schema) {
        let (left, right) = (&left.schema, &right.schema);
        let (left_types, right_types) = (left.types(), right.types());
        self.require(join.left_key.len() == join.right_key.len(), || {
            format!("{} keys left, {} right", join.left_key.len(), join.right_key.len())
        });
        for key in &join.left_key {
            self.expression(key, &left_types);
        }
        for key in &join.right_key {
            self.expression(key, &right_types);
        }
        for (one, other) in join.left_key.iter().zip(&join.right_key) {
            self.require(one.ty.required() == other.ty.required(), || {
                format!("a key is {} left, {} right", one.ty, other.ty)
            });
        }
        if let Some(residual) = &join.residual {
            let both: Vec<Type> = left_types.iter().chain(&right_types).cloned().collect();
            self.condition(residual, &both);
        }
        if let Some(asof) = &join.asof {
            self.expression(&asof.left, &left_types);
            self.expression(&asof.right, &right_types);
            let (one, other) = (&asof.left.ty, &asof.right.ty);
            self.require(one == other && one.is_option(), || {
                format!("the times of an asof join are {one} and {other}, not one option")
            });
            self.require(matches!(join.kind, JoinKind::Inner | JoinKind::Left), || {
                "asof is for inner and left joins".into()
            });
            let is_bounded = matches!(one.required(), Type::Timestamp | Type::Date);
            self.require(asof.within.is_none() || is_bounded, || {
                format!("`within` bounds times, not {one}")
            });
        }
        let left_only = join.output == JoinOutput::LeftOnly;
        self.require(join.kind.pairs_up() != left_only, || {
            "semi and anti add nothing, the others do".into()
        });
        let [misses_left, misses_right] = join.kind.may_miss();
        let side = |types: Vec<Type>, may_miss: bool| {
            let optional = |ty: Type| if may_miss { ty.optional() } else { ty };
            types.into_iter().map(optional).collect::<Vec<Type>>()
        };
        let mut types = side(left_types, misses_left);
        match join.output {
            JoinOutput::LeftOnly => {}
            JoinOutput::Flat => types.extend(side(right_types, misses_right)),
            JoinOutput::Nested => {
                types.extend(side(vec![Type::Struct(right.fields.clone())], misses_right));
            }
        }
        self.yields(&types, schema);
    }

    fn group(&mut self, group: &Group, input: &[Type], schema: &Schema) {
        let mut types = Vec::with_capacity(group.keys.len() + group.aggregates.len());
        for key in &group.keys {
            self.expression(key, input);
            types.push(key.ty.clone());
        }
        for aggregate in &group.aggregates {
            self.aggregate(aggregate, input);
            types.push(aggregate.ty.clone());
        }
        self.yields(&types, schema);
    }

    fn aggregate(&mut self, aggregate: &Aggregate, input: &[Type]) {
        for arg in &aggregate.args {
            self.expression(arg, input);
        }
        if let Some(filter) = &aggregate.filter {
            self.condition(filter, input);
        }
    }

    fn top(&mut self, top: &Top, input: &[Type], schema: &Schema) {
        for per in &top.per {
            self.expression(per, input);
        }
        for key in &top.by {
            self.expression(&key.expr, input);
        }
        let mut types = input.to_vec();
        if top.rank {
            types.push(Type::Int64);
        }
        self.yields(&types, schema);
    }

    fn over(&mut self, over: &Over, input: &[Type], schema: &Schema) {
        for per in &over.per {
            self.expression(per, input);
        }
        for key in &over.by {
            self.expression(&key.expr, input);
        }
        let mut types = input.to_vec();
        for function in &over.functions {
            let wanted = match &function.kind {
                OverKind::Lag { of, .. } | OverKind::Lead { of, .. } => of.ty.clone().optional(),
                OverKind::First { of, .. } => of.ty.clone(),
                OverKind::RowNumber | OverKind::Rank | OverKind::DenseRank => Type::Int64,
                OverKind::Aggregate { aggregate, .. } => aggregate.ty.clone(),
            };
            self.require(function.ty == wanted, || {
                format!("a value of {} where {wanted} is wanted", function.ty)
            });
            self.require(!over.by.is_empty() || !function.kind.needs_order(), || {
                "a value along an order, where there is no order".into()
            });
            match &function.kind {
                OverKind::Aggregate { aggregate, rows } => {
                    self.aggregate(aggregate, input);
                    self.require(*rows != Some(0), || "an aggregate of no rows".into());
                }
                OverKind::First { of, rows } => {
                    self.expression(of, input);
                    self.require(*rows != Some(0), || "the first of no rows".into());
                }
                OverKind::Lag { of, .. } | OverKind::Lead { of, .. } => self.expression(of, input),
                OverKind::RowNumber | OverKind::Rank | OverKind::DenseRank => {}
            }
            types.push(function.ty.clone());
        }
        self.yields(&types, schema);
    }

    /// Whether all loops that are named are there, so that regions can be told.
    fn loop_ids(&mut self) -> bool {
        let n_loops = self.plan.loops.len();
        for (idx, it) in self.plan.loops.iter().enumerate() {
            self.place = &it.address;
            self.require(it.outer.is_none_or(|outer| outer.index() < idx), || {
                "the loop around stands after it".into()
            });
            self.require(0 < it.rounds, || "a loop without rounds".into());
        }
        for step in &self.plan.steps {
            self.place = &step.address;
            let fits = match &step.operator {
                Operator::Variable(it) | Operator::Next(it) => {
                    self.plan.loops.get(it.of.index()).is_some_and(|of| it.idx < of.n_variables)
                }
                Operator::Leave(of) => of.index() < n_loops,
                Operator::Source(_)
                | Operator::Log(_)
                | Operator::Errors(_)
                | Operator::Map(_)
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
                | Operator::Window(_)
                | Operator::Late(_)
                | Operator::Session(_)
                | Operator::Final(_)
                | Operator::Within(_)
                | Operator::Retain(_) => true,
            };
            self.require(fits, || "a loop or variable that is not in the plan".into());
        }
        self.violations.is_empty()
    }

    fn loops(&mut self) {
        let plan = self.plan;
        let regions = plan.regions();
        let mut starts: BTreeMap<Variable, &Schema> = BTreeMap::new();
        let mut nexts = BTreeSet::new();
        let mut left = BTreeSet::new();
        for (step, region) in plan.steps.iter().zip(&regions) {
            self.place = &step.address;
            let around: Vec<LoopId> = region.iter().flat_map(|it| plan.chain(*it)).collect();
            let mut reach = around.clone();
            match &step.operator {
                Operator::Leave(of) => {
                    let from = regions[step.inputs[0].index()];
                    self.require(from == Some(*of), || "it leaves another loop".into());
                    self.require(left.insert(*of), || "the loop is left twice".into());
                    reach.push(*of);
                }
                Operator::Variable(it) => {
                    let first = starts.insert(*it, &step.schema).is_none();
                    self.require(first, || "the variable starts twice".into());
                    reach.remove(0);
                }
                Operator::Next(it) => {
                    self.require(nexts.insert(*it), || "the variable goes on twice".into());
                    self.require(
                        starts.get(it).is_some_and(|at| at.fields == step.schema.fields),
                        || "the variable has other rows, or stands after it".into(),
                    );
                }
                Operator::Source(_)
                | Operator::Log(_)
                | Operator::Errors(_)
                | Operator::Route(_)
                | Operator::Arm(_)
                | Operator::Over(_)
                | Operator::Latest(_)
                | Operator::Unique { .. }
                | Operator::Kernel(_)
                | Operator::Measured(_)
                | Operator::Window(_)
                | Operator::Late(_)
                | Operator::Session(_)
                | Operator::Final(_)
                | Operator::Within(_)
                | Operator::Retain(_) => {
                    self.require(around.is_empty(), || "it cannot stand in a loop".into());
                }
                Operator::Map(_)
                | Operator::Union
                | Operator::Join(_)
                | Operator::Group(_)
                | Operator::Distinct
                | Operator::Top(_) => {}
            }
            self.require(!around.iter().any(|of| left.contains(of)), || {
                "a step of a loop stands after the loop's end".into()
            });
            for input in &step.inputs {
                let from = regions[input.index()];
                self.require(from.is_none_or(|from| reach.contains(&from)), || {
                    format!("it reads `{}` of another loop", plan.steps[input.index()].address)
                });
            }
        }
        for (idx, it) in plan.loops.iter().enumerate() {
            self.place = &it.address;
            let of = LoopId(u32::try_from(idx).unwrap_or(u32::MAX));
            let all = || (0..it.n_variables).map(|idx| Variable { of, idx });
            self.require(all().all(|it| starts.contains_key(&it) && nexts.contains(&it)), || {
                "a variable has no start or no next".into()
            });
            self.require(left.contains(&of), || "nobody leaves the loop".into());
        }
        for (topic, step) in plan.ends() {
            self.place = topic.as_str();
            self.require(regions[step.index()].is_none(), || {
                "a topic carries a step of a loop".into()
            });
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

    fn condition(&mut self, expr: &Expr, columns: &[Type]) {
        self.expression(expr, columns);
        self.is_bool(expr);
    }

    fn is_bool(&mut self, expr: &Expr) {
        self.require(expr.ty == Type::Bool, || format!("a condition is {}", expr.ty));
    }

    fn expression(&mut self, expr: &Expr, columns: &[Type]) {
        self.nested(expr, columns, Scope { n_locals: 0, depth: 0 });
    }

    fn nested(&mut self, expr: &Expr, columns: &[Type], scope: Scope) {
        if EXPRESSION_DEPTH_MAX < scope.depth {
            self.require(false, || "an expression nests too deep".into());
            return;
        }
        let inner = Scope { depth: scope.depth + 1, ..scope };
        match &expr.kind {
            ExprKind::Column(column) => match columns.get(*column) {
                Some(ty) => self.require(*ty == expr.ty, || {
                    format!("column {column} is {ty}, read as {}", expr.ty)
                }),
                None => self.require(false, || {
                    format!("column {column} of a row with {} columns", columns.len())
                }),
            },
            ExprKind::Local(local) => self.require(*local < scope.n_locals, || {
                format!("local {local} where {} are in scope", scope.n_locals)
            }),
            ExprKind::Literal(value) => {
                self.require(value.fits(&expr.ty), || format!("a literal that is no {}", expr.ty));
            }
            ExprKind::Field { of, idx } => {
                self.nested(of, columns, inner);
                let n_fields = match of.ty.required() {
                    Type::Struct(fields) => fields.len(),
                    _ => 0,
                };
                self.require(*idx < n_fields, || format!("field {idx} of {}", of.ty));
            }
            ExprKind::Unary(op, operand) => {
                self.nested(operand, columns, inner);
                if *op == UnaryOp::Not {
                    self.is_bool(operand);
                }
            }
            ExprKind::Binary(_, left, right) => {
                self.nested(left, columns, inner);
                self.nested(right, columns, inner);
            }
            ExprKind::And(operands) | ExprKind::Or(operands) => {
                for operand in operands {
                    self.nested(operand, columns, inner);
                    self.is_bool(operand);
                }
                self.is_bool(expr);
            }
            ExprKind::If { condition, then, otherwise } => {
                self.nested(condition, columns, inner);
                self.is_bool(condition);
                self.nested(then, columns, inner);
                self.nested(otherwise, columns, inner);
            }
            ExprKind::In { of, items } => {
                self.nested(of, columns, inner);
                for item in items {
                    self.nested(item, columns, inner);
                }
                self.is_bool(expr);
            }
            ExprKind::Default { of, otherwise } => {
                self.nested(of, columns, inner);
                self.nested(otherwise, columns, inner);
            }
            ExprKind::Try(of) | ExprKind::Cast(of) => self.nested(of, columns, inner),
            ExprKind::Call { args: items, .. }
            | ExprKind::List(items)
            | ExprKind::Struct(items) => {
                for item in items {
                    self.nested(item, columns, inner);
                }
            }
            ExprKind::Lambda { n_params, body } => {
                let n_locals = scope.n_locals.saturating_add(*n_params);
                self.nested(body, columns, Scope { n_locals, ..inner });
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Scope {
    n_locals: usize,
    depth: usize,
}

/// Most violations that are reported at once.
const VIOLATIONS_MAX: usize = 20;

/// Whether rows of such types can go by the rule.
fn is_sound(rule: RetentionRule, row: &[Type]) -> bool {
    match rule {
        RetentionRule::Bytes(bytes) => 0 < bytes,
        RetentionRule::Arrival(length) => 0 < length,
        RetentionRule::Time { field, length, late } => {
            0 < length && 0 <= late && row.get(field) == Some(&Type::Timestamp)
        }
    }
}
