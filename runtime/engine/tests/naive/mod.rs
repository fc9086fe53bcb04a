//! The slow obvious way: every step recomputed from whole collections, for comparison.

#![allow(dead_code, reason = "each test crate uses a part")]
#![expect(clippy::unwrap_used, reason = "a test may fail so")]
#![expect(clippy::needless_pass_by_value, reason = "rows are handed over")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::channel;

use arqon_engine::{
    BackendChoice, Changes, Dataflow, EngineOptions, EpochInput, Keep, Pace, RowOutput, TopicInput,
};
use arqon_operators::{Aggregate, AggregateFunction, BinaryOp, Expr, ExprKind, GroupPlan, Place};
use arqon_plan::{
    DataflowPlan, Group, History, Join, JoinKind, JoinOutput, Operator, Order, Output, StageKind,
    Step, StepId, Ties, Top, TopicPlan,
};
use arqon_types::{
    Change, Discipline, Edge, Epoch, ErrorRow, Field, Row, Schema, TopicName, Type, Value,
};

/// Rows with multiplicities.
pub(crate) type Relation = BTreeMap<Row, i64>;

pub(crate) fn topic_name(text: &str) -> TopicName {
    TopicName::parse(text).unwrap()
}

/// A topic with a schema.
pub(crate) fn topic(
    name: &str,
    schema: &Schema,
    discipline: Discipline,
    key: &[usize],
) -> TopicPlan {
    TopicPlan {
        name: topic_name(name),
        schema: schema.clone(),
        discipline,
        key: key.to_vec(),
        time: None,
        edge: Edge::Both,
        verified: true,
        lateness: None,
        arrival: false,
        history: History::All,
    }
}

/// A plan that grows step by step.
pub(crate) struct PlanBuilder(pub(crate) DataflowPlan);

impl PlanBuilder {
    pub(crate) fn new() -> Self {
        Self(DataflowPlan {
            circuit: "test".to_owned(),
            namespace: "test".to_owned(),
            file: "test.yaml".to_owned(),
            topics: Vec::new(),
            loops: Vec::new(),
            steps: Vec::new(),
            outputs: Vec::new(),
            feedbacks: Vec::new(),
            arrangements: Vec::new(),
            releases: Vec::new(),
            state_bytes_max: None,
        })
    }

    pub(crate) fn source(&mut self, topic: TopicPlan) -> StepId {
        let operator = Operator::Source(topic.name.clone());
        let schema = topic.schema.clone();
        let node = topic.name.as_str().to_owned();
        self.0.topics.push(topic);
        self.push(&node, &node, operator, &[], schema)
    }

    pub(crate) fn step(
        &mut self,
        node: &str,
        operator: Operator,
        inputs: &[StepId],
        schema: Schema,
    ) -> StepId {
        self.push(node, &format!("{node}[0]"), operator, inputs, schema)
    }

    fn push(
        &mut self,
        node: &str,
        address: &str,
        operator: Operator,
        inputs: &[StepId],
        schema: Schema,
    ) -> StepId {
        self.0.steps.push(Step {
            node: node.into(),
            address: address.into(),
            operator,
            inputs: inputs.to_vec(),
            schema: schema.into(),
        });
        StepId(u32::try_from(self.0.steps.len() - 1).unwrap())
    }

    pub(crate) fn output(&mut self, name: &str, step: StepId) {
        let schema = self.0.steps[step.index()].schema.clone();
        self.0.topics.push(topic(name, &schema, Discipline::Delta, &[]));
        self.0.outputs.push(Output { topic: topic_name(name), step });
    }

    pub(crate) fn build(self) -> DataflowPlan {
        self.0
    }
}

pub(crate) fn int(value: i64) -> Value {
    Value::Int(value)
}

pub(crate) fn row(values: &[Value]) -> Row {
    values.to_vec().into()
}

pub(crate) fn column(idx: usize, ty: Type) -> Expr {
    Expr::column(idx, ty)
}

pub(crate) fn binary(op: BinaryOp, left: Expr, right: Expr, ty: Type) -> Expr {
    Expr {
        kind: ExprKind::Binary(op, Box::new(left), Box::new(right)),
        ty,
        place: Place { line: 7, column: 9 },
    }
}

pub(crate) fn literal(value: i64) -> Expr {
    Expr::literal(Value::Int(value), Type::Int64)
}

pub(crate) fn aggregate(function: AggregateFunction, args: &[Expr], ty: Type) -> Aggregate {
    Aggregate {
        function,
        args: args.to_vec(),
        filter: None,
        ty,
        place: Place { line: 8, column: 3 },
    }
}

pub(crate) fn schema(fields: &[(&str, Type)]) -> Schema {
    Schema::new("Row", fields.iter().map(|(name, ty)| Field::new(*name, ty.clone())).collect())
}

pub(crate) fn rows_input(topic: &str, changes: Vec<Change>) -> TopicInput {
    TopicInput { topic: topic_name(topic), changes: Changes::Rows(changes) }
}

/// Runs a plan over epochs and gives all that came out.
pub(crate) fn run(
    plan: &DataflowPlan,
    n_workers: usize,
    backend: BackendChoice,
    epochs: &[EpochInput],
) -> Vec<RowOutput> {
    let (sender, outputs) = channel();
    // What is kept of topics changes no answer.
    let keep = if n_workers == 2 { Keep::Read } else { Keep::Rows };
    let options = EngineOptions { n_workers, backend, keep, pace: Pace::default() };
    let dataflow = Dataflow::start(plan.clone(), options, move |output| {
        sender.send(output.into_rows()).unwrap();
    })
    .unwrap();
    for epoch in epochs {
        dataflow.feed(epoch.clone()).unwrap();
    }
    dataflow.finish().unwrap();
    outputs.iter().collect()
}

/// Adds an output's deltas to the collections they belong to.
pub(crate) fn fold(collections: &mut BTreeMap<TopicName, Relation>, output: &RowOutput) {
    for delta in &output.deltas {
        assert_eq!((delta.lower, delta.upper), (output.epoch, output.epoch.next()));
        assert!(!delta.updates.is_empty());
        let order: Vec<(bool, &Row)> =
            delta.updates.iter().map(|update| (update.diff > 0, &update.row)).collect();
        assert!(order.windows(2).all(|pair| pair[0] < pair[1]), "canonical order: {delta:?}");
        let relation = collections.entry(delta.topic.clone()).or_default();
        for update in &delta.updates {
            assert!(update.diff != 0 && update.epoch == output.epoch);
            add(relation, update.row.clone(), update.diff);
        }
    }
    collections.retain(|_, relation| !relation.is_empty());
}

pub(crate) fn add(relation: &mut Relation, row: Row, diff: i64) {
    let n = relation.entry(row.clone()).or_insert(0);
    *n += diff;
    if *n == 0 {
        relation.remove(&row);
    }
}

/// The whole collections of input topics, by the rules of their disciplines.
#[derive(Default)]
pub(crate) struct Inputs {
    relations: BTreeMap<TopicName, Relation>,
    n_refused: BTreeMap<TopicName, i64>,
}

impl Inputs {
    pub(crate) fn apply(&mut self, plan: &DataflowPlan, epoch: &EpochInput) {
        for input in &epoch.topics {
            let topic = plan.topics.iter().find(|topic| topic.name == input.topic).unwrap();
            let relation = self.relations.entry(input.topic.clone()).or_default();
            let Changes::Rows(changes) = &input.changes else { panic!("rows only") };
            for change in changes {
                match change {
                    Change::Insert(row) => add(relation, row.clone(), 1),
                    Change::Upsert(row) => {
                        let key: Vec<Value> = topic.key.iter().map(|at| row[*at].clone()).collect();
                        delete(relation, &topic.key, &key);
                        add(relation, row.clone(), 1);
                    }
                    Change::Delete(key) => delete(relation, &topic.key, key),
                    Change::Diff { row, diff } => {
                        if relation.get(row).copied().unwrap_or(0) + diff < 0 {
                            *self.n_refused.entry(input.topic.clone()).or_insert(0) += 1;
                        } else {
                            add(relation, row.clone(), *diff);
                        }
                    }
                }
            }
        }
    }
}

fn delete(relation: &mut Relation, key: &[usize], values: &[Value]) {
    relation.retain(|row, _| !key.iter().zip(values).all(|(at, value)| row[*at] == *value));
}

/// What went wrong with a row.
pub(crate) type Fault = (&'static str, Place);

pub(crate) fn eval(expr: &Expr, row: &[Value]) -> Result<Value, Fault> {
    arqon_operators::eval(expr, row).map_err(|error| (error.code.as_str(), error.place))
}

/// Collections of all outputs and of all nodes' errors.
pub(crate) fn recompute(plan: &DataflowPlan, inputs: &Inputs) -> BTreeMap<TopicName, Relation> {
    let mut oracle = Oracle { plan, inputs, done: Vec::new(), errors: BTreeMap::new() };
    for step in &plan.steps {
        let arms = oracle.step(step);
        oracle.done.push(arms);
    }
    let mut collections = BTreeMap::new();
    for output in &plan.outputs {
        collections.insert(output.topic.clone(), oracle.done[output.step.index()][0].clone());
    }
    for (node, relation) in oracle.errors {
        collections.insert(topic_name(&format!("{node}.errors")), relation);
    }
    collections.retain(|_, relation| !relation.is_empty());
    collections
}

/// Leaves some fields of error rows out: messages are for people and not compared.
pub(crate) fn without_fields(collections: &mut BTreeMap<TopicName, Relation>, fields: &[usize]) {
    for (name, relation) in collections.iter_mut() {
        if name.as_str().ends_with(".errors") {
            let mut bare = Relation::new();
            for (row, n) in std::mem::take(relation) {
                let mut values: Vec<Value> = row.to_vec();
                for field in fields {
                    values[*field] = Value::string("");
                }
                add(&mut bare, values.into(), n);
            }
            *relation = bare;
        }
    }
}

struct Oracle<'a> {
    plan: &'a DataflowPlan,
    inputs: &'a Inputs,
    /// One relation per step, several for a route.
    done: Vec<Vec<Relation>>,
    errors: BTreeMap<String, Relation>,
}

impl Oracle<'_> {
    fn input(&self, step: &Step, idx: usize) -> Relation {
        self.done[step.inputs[idx].index()][0].clone()
    }

    fn schema(&self, step: &Step, idx: usize) -> &Schema {
        &self.plan.steps[step.inputs[idx].index()].schema
    }

    fn fault(&mut self, node: &str, step: &str, fault: Fault, text: String, n: i64) {
        let place = match fault.1 {
            Place { line: 0, .. } => self.plan.file.clone(),
            Place { line, column } => format!("{}:{line}:{column}", self.plan.file),
        };
        let error = ErrorRow {
            node: node.to_owned(),
            step: step.to_owned(),
            code: fault.0.to_owned(),
            message: String::new(),
            place,
            row: text,
        };
        add(self.errors.entry(node.to_owned()).or_default(), error.to_row(), n);
    }

    fn step(&mut self, step: &Step) -> Vec<Relation> {
        vec![match &step.operator {
            Operator::Source(topic) => {
                self.inputs.relations.get(topic).cloned().unwrap_or_default()
            }
            Operator::Map(map) => {
                let mut rows = Relation::new();
                'rows: for (origin, n) in self.input(step, 0) {
                    let mut row = origin.clone();
                    for stage in &map.stages {
                        let result: Result<Option<Row>, Fault> = match &stage.kind {
                            StageKind::Filter(condition) => eval(condition, &row)
                                .map(|truth| (truth == Value::Bool(true)).then(|| row.clone())),
                            StageKind::Project(exprs) => exprs
                                .iter()
                                .map(|expr| eval(expr, &row))
                                .collect::<Result<_, _>>()
                                .map(Some),
                            StageKind::Unnest(_) => panic!("a row stays one row here"),
                        };
                        match result {
                            Ok(Some(next)) => row = next,
                            Ok(None) => continue 'rows,
                            Err(fault) => {
                                let text = text(self.schema(step, 0), &origin);
                                self.fault(&step.node, &stage.address, fault, text, n);
                                continue 'rows;
                            }
                        }
                    }
                    add(&mut rows, row, n);
                }
                rows
            }
            Operator::Union => {
                let mut rows = Relation::new();
                for idx in 0..step.inputs.len() {
                    for (row, n) in self.input(step, idx) {
                        add(&mut rows, row, n);
                    }
                }
                rows
            }
            Operator::Route(route) => {
                let mut arms = vec![Relation::new(); route.conditions.len() + 1];
                'rows: for (row, n) in self.input(step, 0) {
                    for (idx, condition) in route.conditions.iter().enumerate() {
                        match eval(condition, &row) {
                            Ok(Value::Bool(true)) => {
                                add(&mut arms[idx], row, n);
                                continue 'rows;
                            }
                            Ok(_) => {}
                            Err(fault) => {
                                let text = text(self.schema(step, 0), &row);
                                self.fault(&step.node, &step.address, fault, text, n);
                                continue 'rows;
                            }
                        }
                    }
                    add(arms.last_mut().unwrap(), row, n);
                }
                return arms;
            }
            Operator::Arm(arm) => self.done[step.inputs[0].index()][arm.idx].clone(),
            Operator::Join(join) => self.join(step, join),
            Operator::Group(group) => self.group(step, group),
            Operator::Errors(node) => self.errors.get(node).cloned().unwrap_or_default(),
            Operator::Distinct => self.input(step, 0).into_keys().map(|row| (row, 1)).collect(),
            Operator::Top(top) => self.top(step, top),
            Operator::Log(_) | Operator::Latest(_) | Operator::Over(_) => {
                panic!("the law of the house tests what depends on an order")
            }
            Operator::Variable(_) | Operator::Next(_) | Operator::Leave(_) => {
                panic!("loops are held to the oracle of the laws")
            }
            Operator::Window(_)
            | Operator::Late(_)
            | Operator::Session(_)
            | Operator::Final(_)
            | Operator::Within(_)
            | Operator::Retain(_)
            | Operator::Kernel(_)
            | Operator::Measured(_) => panic!("these have their oracle in tests/src/oracle.rs"),
            Operator::Unique { key } => {
                let mut rows = Relation::new();
                let mut last: BTreeSet<Vec<Value>> = BTreeSet::new();
                for (row, n) in self.input(step, 0) {
                    let key: Vec<Value> = key.iter().map(|at| row[*at].clone()).collect();
                    let text = text(self.schema(step, 0), &row);
                    let n_others = if last.insert(key) {
                        add(&mut rows, row, 1);
                        n - 1
                    } else {
                        n
                    };
                    let fault = ("duplicate_key", Place::default());
                    self.fault(&step.node, &step.address, fault, text, n_others);
                }
                rows
            }
        }]
    }

    fn keyed(&mut self, step: &Step, idx: usize, exprs: &[Expr]) -> Vec<(Vec<Value>, Row, i64)> {
        let mut keyed = Vec::new();
        for (row, n) in self.input(step, idx) {
            match exprs.iter().map(|expr| eval(expr, &row)).collect() {
                Ok(key) => keyed.push((key, row, n)),
                Err(fault) => {
                    let text = text(self.schema(step, idx), &row);
                    self.fault(&step.node, &step.address, fault, text, n);
                }
            }
        }
        keyed
    }

    fn join(&mut self, step: &Step, join: &Join) -> Relation {
        let left = self.keyed(step, 0, &join.left_key);
        let right = self.keyed(step, 1, &join.right_key);
        let mut pair_schema = self.schema(step, 0).clone();
        pair_schema.fields.extend(self.schema(step, 1).fields.iter().cloned());
        let n_right = self.schema(step, 1).fields.len();
        let nones = |n: usize| (0..n).map(|_| Value::None);
        assert_eq!(join.asof, None, "times are tested by the law of the house");
        let mut right_has_match = vec![false; right.len()];
        let mut rows = Relation::new();
        for (left_key, left_row, n_left) in &left {
            let mut has_match = false;
            for (at, (right_key, right_row, n)) in right.iter().enumerate() {
                if left_key != right_key || left_key.contains(&Value::None) {
                    continue;
                }
                let pair: Row = left_row.iter().chain(right_row.iter()).cloned().collect();
                match join.residual.as_ref().map_or(Ok(Value::Bool(true)), |on| eval(on, &pair)) {
                    Ok(Value::Bool(true)) => {}
                    Ok(_) => continue,
                    Err(fault) => {
                        let text = text(&pair_schema, &pair);
                        self.fault(&step.node, &step.address, fault, text, n_left * n);
                        continue;
                    }
                }
                has_match = true;
                right_has_match[at] = true;
                if join.kind.pairs_up() {
                    let joined = match join.output {
                        JoinOutput::Flat => pair,
                        JoinOutput::Nested => {
                            let nested = Value::Struct(right_row.to_vec().into());
                            left_row.iter().cloned().chain([nested]).collect()
                        }
                        JoinOutput::LeftOnly => panic!("pairs have two sides"),
                    };
                    add(&mut rows, joined, n_left * n);
                }
            }
            match (join.kind, has_match) {
                (JoinKind::Semi, true) | (JoinKind::Anti, false) => {
                    add(&mut rows, left_row.clone(), *n_left);
                }
                (JoinKind::Left | JoinKind::Full, false) => {
                    let n_none = if join.output == JoinOutput::Flat { n_right } else { 1 };
                    let alone = left_row.iter().cloned().chain(nones(n_none)).collect();
                    add(&mut rows, alone, *n_left);
                }
                (JoinKind::Inner, _)
                | (JoinKind::Semi, false)
                | (JoinKind::Anti | JoinKind::Left | JoinKind::Full, true) => {}
            }
        }
        let n_left = self.schema(step, 0).fields.len();
        for ((_, row, n), has_match) in right.iter().zip(right_has_match) {
            if join.kind == JoinKind::Full && !has_match {
                let row = match join.output {
                    JoinOutput::Nested => vec![Value::Struct(row.to_vec().into())],
                    JoinOutput::Flat | JoinOutput::LeftOnly => row.to_vec(),
                };
                add(&mut rows, nones(n_left).chain(row).collect(), *n);
            }
        }
        rows
    }

    fn group(&mut self, step: &Step, group: &Group) -> Relation {
        type Members = Vec<(Vec<Option<Vec<Value>>>, i64)>;
        let mut groups: BTreeMap<Vec<Value>, Members> = BTreeMap::new();
        if group.keys.is_empty() {
            groups.insert(Vec::new(), Vec::new());
        }
        let keyed = self.keyed(step, 0, &group.keys);
        'rows: for (key, row, n) in keyed {
            let mut args = Vec::new();
            for aggregate in &group.aggregates {
                let passes = match aggregate.filter.as_ref().map(|filter| eval(filter, &row)) {
                    None => true,
                    Some(Ok(truth)) => truth == Value::Bool(true),
                    Some(Err(_)) => panic!("filters in these tests do not fail"),
                };
                let values: Result<Vec<Value>, Fault> =
                    aggregate.args.iter().map(|arg| eval(arg, &row)).collect();
                match (passes, values) {
                    (false, _) => args.push(None),
                    (true, Ok(values)) => args.push(Some(values)),
                    (true, Err(fault)) => {
                        let text = text(self.schema(step, 0), &row);
                        self.fault(&step.node, &step.address, fault, text, n);
                        continue 'rows;
                    }
                }
            }
            groups.entry(key).or_default().push((args, n));
        }
        let mut rows = Relation::new();
        for (key, members) in groups {
            let values: Result<Vec<Value>, Fault> = (0..)
                .zip(&group.aggregates)
                .map(|(idx, aggregate): (usize, _)| {
                    let args: Vec<(&[Value], i64)> = members
                        .iter()
                        .filter_map(|(args, n)| Some((args[idx].as_deref()?, *n)))
                        .collect();
                    naive_aggregate(aggregate, &args)
                })
                .collect();
            match values {
                Ok(values) => add(&mut rows, key.into_iter().chain(values).collect(), 1),
                Err(fault) => {
                    let fields = step.schema.fields[..key.len()].to_vec();
                    let text = text(&Schema::new("key", fields), &key);
                    self.fault(&step.node, &step.address, fault, text, 1);
                }
            }
        }
        rows
    }

    fn top(&mut self, step: &Step, top: &Top) -> Relation {
        let mut groups: BTreeMap<Vec<Value>, Vec<(Vec<Value>, Row)>> = BTreeMap::new();
        for (key, row, n) in self.keyed(step, 0, &top.per) {
            let by: Vec<Value> = top.by.iter().map(|key| eval(&key.expr, &row).unwrap()).collect();
            for _ in 0..n {
                groups.entry(key.clone()).or_default().push((by.clone(), row.clone()));
            }
        }
        let mut rows = Relation::new();
        let (offset, n) = (usize::try_from(top.offset).unwrap(), usize::try_from(top.n).unwrap());
        for mut members in groups.into_values() {
            members.sort_by(|(by_a, row_a), (by_b, row_b)| {
                for ((a, b), key) in by_a.iter().zip(by_b).zip(&top.by) {
                    let order = match key.order {
                        Order::Ascending => a.cmp(b),
                        Order::Descending => b.cmp(a),
                    };
                    if order.is_ne() {
                        return order;
                    }
                }
                row_a.cmp(row_b)
            });
            let last = members.get((offset + n).min(members.len()).wrapping_sub(1)).cloned();
            for (place, (by, row)) in members.iter().enumerate() {
                let ties = top.ties == Ties::All
                    && n > 0
                    && last.as_ref().is_some_and(|last| last.0 == *by);
                if place < offset || (place >= offset + n && !ties) {
                    continue;
                }
                let rank = match top.ties {
                    Ties::Cut => place + 1,
                    Ties::All => members.iter().position(|other| other.0 == *by).unwrap() + 1,
                };
                let rank = top.rank.then(|| Value::Int(i64::try_from(rank).unwrap()));
                add(&mut rows, row.iter().cloned().chain(rank).collect(), 1);
            }
        }
        rows
    }
}

fn naive_aggregate(aggregate: &Aggregate, args: &[(&[Value], i64)]) -> Result<Value, Fault> {
    let n: i64 = args.iter().map(|(_, n)| n).sum();
    Ok(match aggregate.function {
        AggregateFunction::Count => Value::Int(n),
        AggregateFunction::Sum if aggregate.ty == Type::Int64 => {
            let sum: i128 = args
                .iter()
                .map(|(args, n)| match args[0] {
                    Value::Int(value) => i128::from(value) * i128::from(*n),
                    _ => panic!("integers only"),
                })
                .sum();
            Value::Int(i64::try_from(sum).map_err(|_| ("overflow", aggregate.place))?)
        }
        AggregateFunction::Min => args.iter().map(|a| a.0[0].clone()).min().unwrap_or(Value::None),
        AggregateFunction::Max => args.iter().map(|a| a.0[0].clone()).max().unwrap_or(Value::None),
        // The other functions are computed from scratch by the accumulators, which have an
        // independent check of their own.
        _ => {
            let plan = GroupPlan::new(std::slice::from_ref(aggregate));
            let mut state = plan.new_state();
            let n_args = aggregate.args.len();
            for (values, n) in args {
                let row: Vec<Value> = values[..n_args].to_vec();
                let inputs = plan.inputs().iter().map(|input| match &input.kind {
                    ExprKind::Column(at) => {
                        let place = aggregate.args.iter().position(
                            |arg| matches!(&arg.kind, ExprKind::Column(column) if column == at),
                        );
                        row[place.unwrap()].clone()
                    }
                    other => panic!("mere columns only, not {other:?}"),
                });
                state.update_values(&plan, &inputs.collect::<Vec<_>>(), *n);
            }
            let values = state.finish(&plan).map_err(|e| (e.code.as_str(), e.place))?;
            values.into_iter().next().unwrap()
        }
    })
}

fn text(schema: &Schema, row: &[Value]) -> String {
    let parts: Vec<String> = schema
        .fields
        .iter()
        .zip(row)
        .map(|(field, value)| format!("{}: {}", field.name, value.display(&field.ty)))
        .collect();
    format!("{{ {} }}", parts.join(", "))
}

/// The message of an error row.
pub(crate) const MESSAGE: usize = 3;
/// The text of the row in an error row.
pub(crate) const ROW_TEXT: usize = 5;

/// Checks every epoch's folded outputs against recomputation, and conservation at every step;
/// `left_out` of error rows is not compared.
pub(crate) fn check(
    plan: &DataflowPlan,
    backend: BackendChoice,
    n_workers: usize,
    epochs: &[EpochInput],
    left_out: &[usize],
) {
    let outputs = run(plan, n_workers, backend, epochs);
    assert_eq!(outputs.len(), epochs.len(), "one output per epoch");
    let mut inputs = Inputs::default();
    let mut collections = BTreeMap::new();
    for (epoch, output) in epochs.iter().zip(&outputs) {
        assert_eq!(output.epoch, epoch.epoch);
        inputs.apply(plan, epoch);
        fold(&mut collections, output);
        let mut seen = collections.clone();
        for (topic, n) in &inputs.n_refused {
            let errors = seen.remove(&topic_name(&format!("{topic}.errors"))).unwrap_or_default();
            assert_eq!(errors.values().sum::<i64>(), *n, "refused rows of {topic}");
        }
        without_fields(&mut seen, left_out);
        let mut wanted = recompute(plan, &inputs);
        without_fields(&mut wanted, left_out);
        assert_eq!(seen, wanted, "{backend:?}, {n_workers} workers, epoch {}", output.epoch);
        conserved(plan, output);
    }
}

/// At stateless steps what came in went out, was filtered or erred, with signs.
pub(crate) fn conserved(plan: &DataflowPlan, output: &RowOutput) {
    for step in &plan.steps {
        let addresses: Vec<&str> = match &step.operator {
            Operator::Map(map) => map.stages.iter().map(|stage| &*stage.address).collect(),
            Operator::Route(_) | Operator::Union => vec![&step.address],
            _ => continue,
        };
        for address in addresses {
            let node = output.stats.nodes.iter().find(|node| &*node.address == address).unwrap();
            let counts = &node.counts;
            assert_eq!(
                counts.input.net,
                counts.output.net + counts.filtered.net + counts.errors.net,
                "net at {address}"
            );
            assert_eq!(
                counts.input.changes,
                counts.output.changes + counts.filtered.changes + counts.errors.changes,
                "changes at {address}"
            );
        }
    }
}

/// Numbered epochs from lists of topic inputs.
pub(crate) fn epochs(inputs: Vec<Vec<TopicInput>>) -> Vec<EpochInput> {
    (1..)
        .zip(inputs)
        .map(|(epoch, topics)| EpochInput { epoch: Epoch(epoch), time: 0, topics })
        .collect()
}
