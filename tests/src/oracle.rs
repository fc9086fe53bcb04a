//! The oracle: a dataflow plan evaluated from scratch over whole collections, the obvious way.
//!
//! Nothing is incremental here and nothing is fast: each operator is its definition, a few loops
//! over sorted maps. Scalar expressions are evaluated row by row with the reference evaluator;
//! aggregates are computed here a second time, from all the rows of a group.

mod graph;

use std::collections::{BTreeMap, BTreeSet};

use arqon_operators::{Aggregate, AggregateFunction, Expr, ExprKind, eval};
use arqon_plan::{
    Asof, Closing, DataflowPlan, FLOW_PLACE, Frame, Group, Join, JoinKind, JoinOutput, Latest,
    LoopId, Operator, Order, Over, OverKind, Retention, RetentionRule, Route, Session, SortKey,
    Stage, StageKind, Step, Ties, Top, TopicPlan, Window, is_hidden,
};
use arqon_types::{Change, Discipline, Row, Schema, TopicName, Type, Value};

use crate::float_total::FloatTotal;

/// Rows with their multiplicities; none is 0.
pub type Collection = BTreeMap<Row, i64>;

/// Errors by node and code.
pub type Errors = BTreeMap<(String, String), i64>;

/// What the inputs hold after all changes so far.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    collections: BTreeMap<String, Collection>,
    /// Of each topic, what happened to its rows, with the place in the log: of events the events.
    logs: BTreeMap<String, Collection>,
    n_changes: i64,
    errors: Errors,
    /// Of topics whose rows carry marks: every change so far, with its mark as a last field.
    marked: BTreeMap<String, Collection>,
    /// How far each of these topics has come.
    marks: BTreeMap<String, i64>,
    /// Whether event time has come to its end, which closes all windows.
    has_ended: bool,
    /// What the flow wrote to each control topic in the epoch before.
    written: BTreeMap<String, Collection>,
    /// The time of the epoch whose changes come.
    time: i64,
    /// The greatest of these so far.
    clock: Option<i64>,
    /// Of each step that lets go of rows, what it read in each epoch so far, and the clock then.
    read: BTreeMap<usize, Vec<(i64, Collection)>>,
}

/// What all topics hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Output topics by name.
    pub topics: BTreeMap<String, Collection>,
    /// Error collections, summed by node and code.
    pub errors: Errors,
}

fn add(collection: &mut Collection, row: Row, diff: i64) {
    let count = collection.entry(row).or_insert(0);
    *count += diff;
    if *count == 0 {
        collection.retain(|_, count| *count != 0);
    }
}

fn project(row: &Row, positions: &[usize]) -> Row {
    positions.iter().map(|at| row[*at].clone()).collect()
}

impl Inputs {
    /// Applies one change in log order, as the bus promises to.
    ///
    /// # Panics
    /// If the change does not belong on a topic of that discipline.
    pub fn apply(&mut self, plan: &DataflowPlan, topic: &TopicName, change: &Change) {
        let spec =
            plan.topics.iter().find(|spec| spec.name == *topic).expect("the topic is planned");
        let arrived = spec.arrival.then(|| self.arrived(change));
        let change = arrived.as_ref().unwrap_or(change);
        if let Some(late) = spec.lateness {
            self.log(spec, topic, change, late);
        }
        self.n_changes += 1;
        if plan.has_log(topic) && spec.discipline != Discipline::Events {
            self.place(spec, topic, change);
        }
        let held = self.collections.entry(topic.to_string()).or_default();
        match (change, spec.discipline) {
            (Change::Insert(row), Discipline::Events) => {
                add(held, row.clone(), 1);
                let mark = spec.lateness.map(|_| signed(self.mark_now(topic), 1));
                let place = Value::Int(self.n_changes);
                let placed = row.iter().cloned().chain(mark).chain([place]).collect();
                add(self.logs.entry(topic.to_string()).or_default(), placed, 1);
            }
            (Change::Upsert(row), Discipline::Full) => {
                let key = project(row, &spec.key);
                held.retain(|old, _| project(old, &spec.key) != key);
                add(held, row.clone(), 1);
            }
            (Change::Delete(key), Discipline::Full) => {
                held.retain(|old, _| project(old, &spec.key) != *key);
            }
            (Change::Diff { row, diff }, Discipline::Delta) => {
                if held.get(row).copied().unwrap_or(0) + diff < 0 {
                    *self
                        .errors
                        .entry((topic.to_string(), "unknown_row".to_owned()))
                        .or_insert(0) += 1;
                } else {
                    add(held, row.clone(), *diff);
                }
            }
            (change, discipline) => panic!("{change:?} on a topic that carries {discipline}"),
        }
    }
}

/// Control topics: what the flow wrote to one in an epoch, less what it wrote in the epoch before,
/// are messages of the next epoch, before all others.
impl Inputs {
    /// Ends an epoch: takes what the flow writes to its control topics now, and gives what that
    /// changes, in the order of its log: what goes first, then by rows.
    pub fn write_back(&mut self, plan: &DataflowPlan) -> Vec<(TopicName, Change)> {
        let evaluation = evaluation(plan, self);
        let now = self.now();
        for (idx, step) in plan.steps.iter().enumerate() {
            if let Operator::Retain(_) = step.operator {
                let rows = evaluation.outputs[step.inputs[0].index()].clone();
                self.read.entry(idx).or_default().push((now, rows));
            }
        }
        let mut messages = Vec::new();
        for feedback in &plan.feedbacks {
            let now = evaluation.outputs[feedback.step.index()].clone();
            let before =
                self.written.insert(feedback.topic.to_string(), now.clone()).unwrap_or_default();
            let mut changed = now;
            for (row, n) in before {
                add(&mut changed, row, -n);
            }
            let spec = plan.topics.iter().find(|spec| spec.name == feedback.topic);
            let spec = spec.expect("the topic is planned");
            let (gone, there): (Vec<_>, Vec<_>) =
                changed.into_iter().partition(|(_, diff)| *diff < 0);
            let key = |row: &Row| project(row, &spec.key);
            let keys: BTreeSet<Row> = there.iter().map(|(row, _)| key(row)).collect();
            for (row, diff) in gone.into_iter().chain(there) {
                let changes = match spec.discipline {
                    Discipline::Events => {
                        let n = usize::try_from(diff).expect("facts are not taken back");
                        vec![Change::Insert(row); n]
                    }
                    Discipline::Delta => vec![Change::Diff { row, diff }],
                    Discipline::Full if 0 < diff => vec![Change::Upsert(row)],
                    Discipline::Full if keys.contains(&key(&row)) => Vec::new(),
                    Discipline::Full => vec![Change::Delete(key(&row))],
                };
                messages.extend(changes.into_iter().map(|it| (feedback.topic.clone(), it)));
            }
        }
        messages
    }
}

/// The time of epochs.
impl Inputs {
    /// Says when the changes come that follow.
    pub fn set_time(&mut self, time: i64) {
        self.time = time;
        self.clock = self.clock.max(Some(time));
    }

    fn now(&self) -> i64 {
        self.clock.unwrap_or(i64::MIN)
    }

    /// The change with the time at which it comes, which its row keeps.
    fn arrived(&self, change: &Change) -> Change {
        let with_time =
            |row: &Row| row.iter().cloned().chain([Value::Timestamp(self.time)]).collect();
        match change {
            Change::Insert(row) => Change::Insert(with_time(row)),
            Change::Upsert(row) => Change::Upsert(with_time(row)),
            Change::Delete(key) => Change::Delete(key.clone()),
            Change::Diff { .. } => panic!("a retraction does not say when its row came"),
        }
    }
}

/// Event time.
impl Inputs {
    /// Says that the time of all topics has come to its end.
    pub fn end_time(&mut self) {
        self.has_ended = true;
    }

    /// Writes a change down with its place in the log: what it replaces and what it says, also where
    /// that is the same.
    fn place(&mut self, spec: &TopicPlan, topic: &TopicName, change: &Change) {
        let mut changes = self.effects(spec, topic, change);
        if let (Change::Upsert(row), true) = (change, changes.is_empty()) {
            changes = vec![(row.clone(), -1), (row.clone(), 1)];
        }
        let mark = spec.lateness.map(|_| self.mark_now(topic));
        let log = self.logs.entry(topic.to_string()).or_default();
        for (row, diff) in changes {
            let mark = mark.map(|mark| signed(mark, diff));
            let place = signed(self.n_changes, diff);
            add(log, row.iter().cloned().chain(mark).chain([place]).collect(), diff);
        }
    }

    /// What a change does to the rows of its topic.
    fn effects(&self, spec: &TopicPlan, topic: &TopicName, change: &Change) -> Vec<(Row, i64)> {
        let held = self.collections.get(topic.as_str()).cloned().unwrap_or_default();
        let key_of = |row: &Row| project(row, &spec.key);
        match change {
            Change::Insert(row) => vec![(row.clone(), 1)],
            Change::Upsert(row) => {
                let old = held.keys().find(|old| key_of(old) == key_of(row));
                if old == Some(row) {
                    Vec::new()
                } else {
                    old.map(|old| (old.clone(), -1)).into_iter().chain([(row.clone(), 1)]).collect()
                }
            }
            Change::Delete(key) => {
                held.keys().filter(|old| key_of(old) == *key).map(|old| (old.clone(), -1)).collect()
            }
            Change::Diff { row, diff } => {
                let n = held.get(row).copied().unwrap_or(0) + diff;
                if n < 0 { Vec::new() } else { vec![(row.clone(), *diff)] }
            }
        }
    }

    /// Writes a change down with the mark at its place in the log.
    fn log(&mut self, spec: &TopicPlan, topic: &TopicName, change: &Change, late: i64) {
        let changes = self.effects(spec, topic, change);
        let mark = self.marks.entry(topic.to_string()).or_insert(i64::MIN);
        let seen = match change {
            Change::Insert(row) | Change::Upsert(row) => Some(row),
            Change::Diff { row, diff } if *diff > 0 => Some(row),
            Change::Delete(_) | Change::Diff { .. } => None,
        };
        if let (Some(row), Some(at), false) = (seen, spec.time, self.has_ended) {
            *mark = (*mark).max(timestamp(&row[at]) - late);
        }
        let mark = self.mark_now(topic);
        let log = self.marked.entry(topic.to_string()).or_default();
        for (row, diff) in changes {
            // With its sign, so that what comes and what goes at one mark is not netted.
            let marked = row.iter().cloned().chain([signed(mark, diff)]).collect();
            add(log, marked, diff);
        }
    }

    /// The mark of a row that comes now: what comes back after the end of time is late everywhere.
    fn mark_now(&self, topic: &TopicName) -> i64 {
        if self.has_ended { i64::MAX } else { self.marks[topic.as_str()] }
    }

    fn least_mark(&self, topics: &[TopicName]) -> i64 {
        let mark = |topic: &TopicName| self.marks.get(topic.as_str()).copied().unwrap_or(i64::MIN);
        topics.iter().map(mark).min().expect("windows are closed by some topic")
    }
}

fn timestamp(value: &Value) -> i64 {
    match value {
        Value::Timestamp(time) => *time,
        other => panic!("{other:?} is no timestamp"),
    }
}

/// A mark with the sign of its change.
fn signed(mark: i64, diff: i64) -> Value {
    Value::Struct(vec![Value::Int(mark), Value::Int(diff.signum())].into())
}

fn mark_of(mark: &Value) -> i64 {
    match mark {
        Value::Struct(parts) => match parts[0] {
            Value::Int(mark) => mark,
            ref other => panic!("{other:?} is no mark"),
        },
        other => panic!("{other:?} is no mark"),
    }
}

/// The windows that a time lies in, as beginning and end, the earliest first.
fn frames(frame: Frame, time: i64) -> Vec<(i64, i64)> {
    match frame {
        Frame::Own { length } => vec![(time, time + length)],
        Frame::Aligned { size, every } => {
            let mut start = time.div_euclid(every) * every;
            let mut windows = Vec::new();
            while time < start + size {
                windows.insert(0, (start, start + size));
                start -= every;
            }
            windows
        }
    }
}

/// Evaluates the whole plan over `inputs`.
///
/// # Panics
/// If the plan is not one that the verifier accepts.
pub fn evaluate(plan: &DataflowPlan, inputs: &Inputs) -> Answer {
    let mut evaluation = evaluation(plan, inputs);
    let topics = plan
        .outputs
        .iter()
        .map(|output| (output.topic.to_string(), evaluation.outputs[output.step.index()].clone()))
        .collect();
    evaluation.errors.retain(|_, count| *count != 0);
    Answer { topics, errors: evaluation.errors }
}

fn evaluation(plan: &DataflowPlan, inputs: &Inputs) -> Evaluation {
    let mut evaluation = Evaluation {
        errors: inputs.errors.clone(),
        outputs: vec![Collection::new(); plan.steps.len()],
        routes: Vec::new(),
        regions: plan.regions(),
        unfinished: BTreeSet::new(),
    };
    for (idx, step) in plan.steps.iter().enumerate() {
        match (&step.operator, evaluation.regions[idx]) {
            (_, Some(_)) => {}
            (Operator::Leave(of), None) => {
                evaluation.unfinished.clear();
                evaluation.repeat(plan, idx, *of, inputs);
                // A loop that does not come to its end, or one within it, gives nothing.
                if !evaluation.unfinished.is_empty() {
                    evaluation.outputs[idx].clear();
                }
            }
            (_, None) => evaluation.outputs[idx] = evaluation.step(plan, idx, step, inputs),
        }
    }
    evaluation
}

struct Evaluation {
    errors: Errors,
    /// The output of each step so far.
    outputs: Vec<Collection>,
    /// The innermost loop of each step.
    regions: Vec<Option<LoopId>>,
    /// The loops that ran out of rounds.
    unfinished: BTreeSet<LoopId>,
    /// Per route step, the collection of each arm.
    routes: Vec<(usize, Vec<Collection>)>,
}

impl Evaluation {
    fn fail(&mut self, node: &str, code: &str, diff: i64) {
        *self.errors.entry((node.to_owned(), code.to_owned())).or_insert(0) += diff;
    }

    /// The values of `exprs` over `row`; an error is counted `diff` times and gives none.
    fn values(&mut self, node: &str, exprs: &[Expr], row: &Row, diff: i64) -> Option<Row> {
        let mut values = Vec::with_capacity(exprs.len());
        for expr in exprs {
            match eval(expr, row) {
                Ok(value) => values.push(value),
                Err(error) => {
                    self.fail(node, error.code.as_str(), diff);
                    return None;
                }
            }
        }
        Some(values.into())
    }

    fn holds(&mut self, node: &str, condition: &Expr, row: &Row, diff: i64) -> Option<bool> {
        self.values(node, std::slice::from_ref(condition), row, diff)
            .map(|values| values[0] == Value::Bool(true))
    }

    /// Round after round from the start, until nothing changes or the rounds are over. Only the
    /// faults of the last round count: the others are of rows that were on their way.
    fn repeat(&mut self, plan: &DataflowPlan, leave: usize, of: LoopId, inputs: &Inputs) {
        let steps: Vec<(usize, &Step)> = plan.steps.iter().enumerate().take(leave).collect();
        let mut turns: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
        for (idx, step) in &steps {
            match step.operator {
                Operator::Variable(it) if it.of == of => {
                    turns.insert(it.idx, (*idx, *idx));
                    self.outputs[*idx] = self.outputs[step.inputs[0].index()].clone();
                }
                Operator::Next(it) if it.of == of => {
                    turns.get_mut(&it.idx).expect("it has started").1 = *idx;
                }
                _ => {}
            }
        }
        let before = (self.errors.clone(), self.unfinished.clone());
        for round in 0.. {
            (self.errors, self.unfinished) = before.clone();
            for (idx, step) in &steps {
                let region = self.regions[*idx];
                match &step.operator {
                    Operator::Variable(it) if it.of == of => {}
                    Operator::Leave(inner) if region == Some(of) => {
                        self.repeat(plan, *idx, *inner, inputs);
                    }
                    _ if region == Some(of) => {
                        self.outputs[*idx] = self.step(plan, *idx, step, inputs);
                    }
                    _ => {}
                }
            }
            let at_rest =
                turns.values().all(|(now, next)| self.outputs[*now] == self.outputs[*next]);
            if at_rest {
                break;
            }
            let it = &plan.loops[of.index()];
            if round == it.rounds {
                if !it.exact {
                    self.unfinished.insert(of);
                    self.fail(&it.node, "rounds", 1);
                }
                break;
            }
            for (now, next) in turns.values() {
                self.outputs[*now] = self.outputs[*next].clone();
            }
        }
        self.outputs[leave] = self.outputs[plan.steps[leave].inputs[0].index()].clone();
    }

    fn step(
        &mut self,
        plan: &DataflowPlan,
        idx: usize,
        step: &Step,
        inputs: &Inputs,
    ) -> Collection {
        let input = |at: usize| self.outputs[step.inputs[at].index()].clone();
        let node = &*step.node;
        match &step.operator {
            Operator::Source(topic) => {
                let is_marked =
                    plan.topics.iter().any(|spec| spec.name == *topic && spec.lateness.is_some());
                let held = if is_marked { &inputs.marked } else { &inputs.collections };
                held.get(topic.as_str()).cloned().unwrap_or_default()
            }
            Operator::Log(topic) => inputs.logs.get(topic.as_str()).cloned().unwrap_or_default(),
            Operator::Map(map) => {
                let mut rows = input(0);
                for stage in &map.stages {
                    rows = self.stage(node, stage, &rows);
                }
                rows
            }
            Operator::Union => {
                let mut sum = Collection::new();
                for at in 0..step.inputs.len() {
                    for (row, diff) in input(at) {
                        add(&mut sum, row, diff);
                    }
                }
                sum
            }
            Operator::Route(route) => {
                let rows = input(0);
                let arms = self.route(node, route, &rows);
                self.routes.push((idx, arms));
                rows
            }
            Operator::Arm(arm) => {
                let route = step.inputs[0].index();
                let (_, arms) =
                    self.routes.iter().find(|(at, _)| *at == route).expect("an arm reads a route");
                arms[arm.idx].clone()
            }
            Operator::Join(join) => {
                let widths = [0, 1].map(|at| {
                    let side: &Step = &plan.steps[step.inputs[at].index()];
                    side.schema.fields.len()
                });
                self.join(node, join, [&input(0), &input(1)], widths)
            }
            Operator::Group(group) => self.group(node, group, &input(0)),
            Operator::Distinct => {
                input(0).into_iter().filter(|(_, n)| *n > 0).map(|(row, _)| (row, 1)).collect()
            }
            Operator::Top(top) => self.top(node, top, &input(0)),
            Operator::Over(over) => self.over(node, over, &input(0)),
            Operator::Latest(latest) => last_rows(latest, &input(0)),
            Operator::Next(_) => input(0),
            Operator::Variable(_) | Operator::Leave(_) => panic!("a loop is repeated as a whole"),
            Operator::Unique { key } => self.unique(node, key, &input(0)),
            Operator::Errors(owner) => self.errors_of(owner),
            Operator::Window(window) => self.window(node, window, &input(0)),
            Operator::Late(window) => late(window, &input(0)),
            Operator::Session(session) => self.session(node, session, &input(0)),
            Operator::Final(closing) => self.closed(node, closing, &input(0), inputs, true),
            Operator::Within(closing) => self.closed(node, closing, &input(0), inputs, false),
            Operator::Retain(retention) => {
                let before = inputs.read.get(&idx).cloned().unwrap_or_default();
                let epochs = before.into_iter().chain([(inputs.now(), input(0))]);
                retained(*retention, &step.schema, epochs)
            }
            Operator::Kernel(kernel) => {
                let inputs: Vec<Collection> = (0..step.inputs.len()).map(input).collect();
                let (rows, n_refused) = graph::answers(kernel, &inputs);
                let code = (node.to_owned(), "negative_weight".to_owned());
                *self.errors.entry(code).or_insert(0) += n_refused;
                rows
            }
            Operator::Measured(_) => panic!("what a step costs is no answer"),
        }
    }

    /// What a node or topic refuses: who and why; how it is worded is not computed a second time.
    fn errors_of(&self, owner: &str) -> Collection {
        let of_owner = self.errors.iter().filter(|((node, _), _)| node == owner);
        let row = |node: &str, code: &str| {
            [node, "", code, "", "", ""].into_iter().map(Value::string).collect()
        };
        of_owner.map(|((node, code), n)| (row(node, code), *n)).filter(|it| it.1 != 0).collect()
    }

    fn time(&mut self, node: &str, time: &Expr, row: &Row, diff: i64) -> Option<i64> {
        self.values(node, std::slice::from_ref(time), row, diff).map(|it| timestamp(&it[0]))
    }

    fn window(&mut self, node: &str, window: &Window, rows: &Collection) -> Collection {
        let mut output = Collection::new();
        for (row, diff) in rows {
            let Some(time) = self.time(node, &window.time, row, *diff) else { continue };
            let (mark, row) = row.split_last().expect("the mark is the last field");
            let at = mark_of(mark);
            let windows = frames(window.frame, time);
            if windows.iter().all(|(_, end)| *end <= at) && *diff < 0 && window.keeps_rows {
                self.fail(node, "closed_window", -diff);
            }
            for (start, end) in windows {
                if end <= at {
                    continue;
                }
                let mut values = row.to_vec();
                if let Frame::Aligned { .. } = window.frame {
                    values.extend([Value::Timestamp(start), Value::Timestamp(end)]);
                }
                if window.keeps_mark {
                    values.push(mark.clone());
                }
                add(&mut output, values.into(), *diff);
            }
        }
        output
    }

    fn session(&mut self, node: &str, session: &Session, rows: &Collection) -> Collection {
        let mut keys: BTreeMap<Row, Vec<(i64, Row, i64)>> = BTreeMap::new();
        for (key, row, diff) in self.keyed(node, &session.per, rows) {
            if let Some(time) = self.time(node, &session.time, &row, diff) {
                keys.entry(key).or_default().push((time, row, diff));
            }
        }
        let mut output = Collection::new();
        for mut rows in keys.into_values() {
            rows.sort();
            let mut sessions: Vec<Vec<(i64, Row, i64)>> = Vec::new();
            for row in rows {
                match sessions.last_mut() {
                    Some(session_rows)
                        if session_rows.last().is_some_and(|it| row.0 - it.0 < session.gap) =>
                    {
                        session_rows.push(row);
                    }
                    _ => sessions.push(vec![row]),
                }
            }
            for rows in sessions {
                let start = rows[0].0;
                let end = rows[rows.len() - 1].0 + session.gap;
                for (_, row, diff) in rows {
                    let bounds = [Value::Timestamp(start), Value::Timestamp(end)];
                    add(&mut output, row.iter().cloned().chain(bounds).collect(), diff);
                }
            }
        }
        output
    }

    /// The rows whose time has come, or those whose time has not.
    fn closed(
        &mut self,
        node: &str,
        closing: &Closing,
        rows: &Collection,
        inputs: &Inputs,
        wanted: bool,
    ) -> Collection {
        let mark = inputs.least_mark(&closing.topics);
        let mut output = Collection::new();
        for (row, diff) in rows {
            let Some(time) = self.time(node, &closing.time, row, *diff) else { continue };
            let is_closed = time + closing.slack <= mark || (wanted && inputs.has_ended);
            if is_closed == wanted {
                add(&mut output, row.clone(), *diff);
            }
        }
        output
    }

    fn stage(&mut self, node: &str, stage: &Stage, rows: &Collection) -> Collection {
        let mut output = Collection::new();
        for (row, diff) in rows {
            match &stage.kind {
                StageKind::Filter(condition) => {
                    if self.holds(node, condition, row, *diff) == Some(true) {
                        add(&mut output, row.clone(), *diff);
                    }
                }
                StageKind::Project(exprs) => {
                    if let Some(values) = self.values(node, exprs, row, *diff) {
                        add(&mut output, values, *diff);
                    }
                }
                StageKind::Unnest(list) => {
                    let Some(values) = self.values(node, std::slice::from_ref(list), row, *diff)
                    else {
                        continue;
                    };
                    let Value::List(elements) = &values[0] else { continue };
                    for (position, element) in (0..).zip(elements.iter()) {
                        let more = [Value::Int(position), element.clone()];
                        add(&mut output, row.iter().cloned().chain(more).collect(), *diff);
                    }
                }
            }
        }
        output
    }

    fn route(&mut self, node: &str, route: &Route, rows: &Collection) -> Vec<Collection> {
        let n_arms = route.conditions.len() + usize::from(route.has_rest);
        let mut arms = vec![Collection::new(); n_arms];
        for (row, diff) in rows {
            let mut taken = route.has_rest.then_some(route.conditions.len());
            for (idx, condition) in route.conditions.iter().enumerate() {
                match self.holds(node, condition, row, *diff) {
                    Some(false) => {}
                    Some(true) => {
                        taken = Some(idx);
                        break;
                    }
                    None => {
                        taken = None;
                        break;
                    }
                }
            }
            if let Some(idx) = taken {
                add(&mut arms[idx], row.clone(), *diff);
            }
        }
        arms
    }

    fn keyed(&mut self, node: &str, key: &[Expr], rows: &Collection) -> Vec<(Row, Row, i64)> {
        rows.iter()
            .filter_map(|(row, diff)| {
                self.values(node, key, row, *diff).map(|key| (key, row.clone(), *diff))
            })
            .collect()
    }

    fn join(
        &mut self,
        node: &str,
        join: &Join,
        [left, right]: [&Collection; 2],
        [n_left, n_right]: [usize; 2],
    ) -> Collection {
        let left = self.keyed(node, &join.left_key, left);
        let right = self.keyed(node, &join.right_key, right);
        let left = self.timed(node, join.asof.as_ref().map(|asof| &asof.left), left);
        let right = self.timed(node, join.asof.as_ref().map(|asof| &asof.right), right);
        let mut output = Collection::new();
        let mut right_matched = vec![false; right.len()];
        for (time, (left_key, left_row, left_diff)) in &left {
            // Right rows that match, with their times.
            let mut hits: Vec<(&Value, &Row, i64)> = Vec::new();
            for (at, (of, (right_key, right_row, right_diff))) in right.iter().enumerate() {
                let both: Row = left_row.iter().chain(right_row.iter()).cloned().collect();
                let hit = left_key == right_key
                    && !left_key.contains(&Value::None)
                    && join.asof.as_ref().is_none_or(|asof| is_before(asof, of, time))
                    && join.residual.as_ref().is_none_or(|residual| {
                        self.holds(node, residual, &both, left_diff * right_diff) == Some(true)
                    });
                if hit {
                    right_matched[at] = true;
                    hits.push((of, right_row, *right_diff));
                }
            }
            let matched = !hits.is_empty();
            if join.asof.is_some() {
                let last = hits.iter().max_by_key(|(of, row, _)| (*of, *row)).copied();
                hits = last.map(|(of, row, _)| (of, row, 1)).into_iter().collect();
            }
            for (_, right_row, right_diff) in hits.iter().filter(|_| join.kind.pairs_up()) {
                let row = joined(join.output, left_row, Some(right_row), n_right);
                add(&mut output, row, left_diff * right_diff);
            }
            let comes_alone = match join.kind {
                JoinKind::Inner => false,
                JoinKind::Left | JoinKind::Full | JoinKind::Anti => !matched,
                JoinKind::Semi => matched,
            };
            if comes_alone {
                add(&mut output, joined(join.output, left_row, None, n_right), *left_diff);
            }
        }
        for ((_, (_, row, diff)), matched) in right.iter().zip(right_matched) {
            if join.kind == JoinKind::Full && !matched {
                let nones: Row = std::iter::repeat_n(Value::None, n_left).collect();
                add(&mut output, joined(join.output, &nones, Some(row), n_right), *diff);
            }
        }
        output
    }

    /// The rows with their times; those whose time fails are errors.
    fn timed(
        &mut self,
        node: &str,
        time: Option<&Expr>,
        rows: Vec<(Row, Row, i64)>,
    ) -> Vec<(Value, (Row, Row, i64))> {
        let mut timed = Vec::new();
        for (key, row, diff) in rows {
            let exprs: Vec<Expr> = time.cloned().into_iter().collect();
            let Some(values) = self.values(node, &exprs, &row, diff) else { continue };
            timed.push((values.first().cloned().unwrap_or(Value::None), (key, row, diff)));
        }
        timed
    }

    fn group(&mut self, node: &str, group: &Group, rows: &Collection) -> Collection {
        let mut groups: BTreeMap<Row, Vec<(Row, i64)>> = BTreeMap::new();
        if group.keys.is_empty() {
            groups.insert(Row::default(), Vec::new());
        }
        for (key, row, diff) in self.keyed(node, &group.keys, rows) {
            groups.entry(key).or_default().push((row, diff));
        }
        let mut output = Collection::new();
        for (key, members) in groups {
            let aggregates = &group.aggregates;
            let new = aggregates.iter().map(|aggregate| aggregated(aggregate, &members));
            self.completed(node, &key, new, &mut output);
        }
        output
    }

    /// Adds the row with its new values, or its first fault.
    fn completed(
        &mut self,
        node: &str,
        row: &Row,
        new: impl Iterator<Item = Result<Value, String>>,
        output: &mut Collection,
    ) {
        let mut values = row.to_vec();
        let mut fault = None;
        for value in new {
            match value {
                Ok(value) => values.push(value),
                Err(code) => fault = fault.or(Some(code)),
            }
        }
        match fault {
            None => add(output, values.into(), 1),
            Some(code) => self.fail(node, &code, 1),
        }
    }

    fn top(&mut self, node: &str, top: &Top, rows: &Collection) -> Collection {
        let mut groups: BTreeMap<Row, Vec<(Row, Row, i64)>> = BTreeMap::new();
        let by: Vec<Expr> = top.by.iter().map(|key| key.expr.clone()).collect();
        for (group, row, diff) in self.keyed(node, &top.per, rows) {
            if let Some(order) = self.values(node, &by, &row, diff) {
                groups.entry(group).or_default().push((order, row, diff));
            }
        }
        let mut output = Collection::new();
        for mut members in groups.into_values() {
            members.sort_by(|a, b| compare(&top.by, &a.0, &b.0).then_with(|| a.1.cmp(&b.1)));
            let copies: Vec<(&Row, &Row)> = members
                .iter()
                .flat_map(|(order, row, diff)| (0..(*diff).max(0)).map(move |_| (order, row)))
                .collect();
            let offset = usize::try_from(top.offset).expect("a small offset");
            let n = usize::try_from(top.n).expect("a small count");
            let cut = offset.saturating_add(n);
            // As SQL's `OFFSET … FETCH FIRST … WITH TIES`: places are counted by row, and the rows
            // equal to the last one taken come along.
            let last = cut.checked_sub(1).and_then(|at| copies.get(at)).map(|(order, _)| *order);
            for (at, (order, row)) in copies.iter().enumerate() {
                let tied = top.ties == Ties::All && last == Some(*order);
                if at >= offset && (at < cut || tied) {
                    let rank = match top.ties {
                        Ties::Cut => at,
                        Ties::All => {
                            copies.iter().position(|(other, _)| other == order).expect("itself")
                        }
                    };
                    let mut values = row.to_vec();
                    if top.rank {
                        values.push(Value::Int(i64::try_from(rank + 1).expect("a small rank")));
                    }
                    add(&mut output, values.into(), 1);
                }
            }
        }
        output
    }

    fn over(&mut self, node: &str, over: &Over, rows: &Collection) -> Collection {
        let mut groups: BTreeMap<Row, Vec<(Row, Row, i64)>> = BTreeMap::new();
        let by: Vec<Expr> = over.by.iter().map(|key| key.expr.clone()).collect();
        for (group, row, diff) in self.keyed(node, &over.per, rows) {
            let Some(order) = self.values(node, &by, &row, diff) else { continue };
            // A row of which something cannot be computed is no part of the order.
            let is_sound = over.functions.iter().all(|function| {
                let (filter, exprs) = match &function.kind {
                    OverKind::Aggregate { aggregate, .. } => {
                        (aggregate.filter.as_ref(), counted_of(aggregate))
                    }
                    other => (None, other.exprs()),
                };
                let counts = filter.map_or(Some(true), |it| self.holds(node, it, &row, diff));
                let exprs: Vec<Expr> = exprs.into_iter().cloned().collect();
                match counts {
                    Some(true) => self.values(node, &exprs, &row, diff).is_some(),
                    Some(false) => true,
                    None => false,
                }
            });
            if is_sound {
                groups.entry(group).or_default().push((order, row, diff));
            }
        }
        let mut output = Collection::new();
        for mut members in groups.into_values() {
            members.sort_by(|a, b| compare(&over.by, &a.0, &b.0).then_with(|| a.1.cmp(&b.1)));
            let copies: Vec<(&Row, &Row)> = members
                .iter()
                .flat_map(|(order, row, diff)| (0..(*diff).max(0)).map(move |_| (order, row)))
                .collect();
            for (at, (_, row)) in copies.iter().enumerate() {
                let is_whole = over.by.is_empty();
                let new = over.functions.iter().map(|it| along(&it.kind, is_whole, &copies, at));
                self.completed(node, row, new, &mut output);
            }
        }
        output
    }

    fn unique(&mut self, node: &str, key: &[usize], rows: &Collection) -> Collection {
        let mut least: BTreeMap<Row, Row> = BTreeMap::new();
        let mut output = Collection::new();
        for (row, diff) in rows.iter().filter(|(_, diff)| **diff > 0) {
            let first = least.entry(project(row, key)).or_insert_with(|| row.clone());
            let passes = i64::from(first == row);
            if passes > 0 {
                add(&mut output, row.clone(), 1);
            }
            if *diff > passes {
                self.fail(node, "duplicate_key", diff - passes);
            }
        }
        output
    }
}

fn last_rows(latest: &Latest, rows: &Collection) -> Collection {
    let mut last: BTreeMap<Row, (Row, Row)> = BTreeMap::new();
    for row in rows.keys() {
        let (rest, place) = row.split_at(row.len() - latest.n_places);
        let candidate: (Row, Row) = (place.to_vec().into(), rest.to_vec().into());
        let held = last.entry(project(row, &latest.key)).or_insert_with(|| candidate.clone());
        if *held < candidate {
            *held = candidate;
        }
    }
    last.into_values().map(|(_, row)| (row, 1)).collect()
}

/// What a topic retains: its log is gone through from the beginning, change by change, epoch by
/// epoch. `epochs` are all of its rows after each, and the time.
fn retained(
    Retention { rule, order }: Retention,
    schema: &Schema,
    epochs: impl Iterator<Item = (i64, Collection)>,
) -> Collection {
    // The oldest copies first, each with the time by which it goes.
    let mut kept: Vec<(Row, i64)> = Vec::new();
    let mut before = Collection::new();
    let mut clock = i64::MIN;
    for (now, rows) in epochs {
        let mut changes = rows.clone();
        for (row, n) in std::mem::replace(&mut before, rows) {
            add(&mut changes, row, -n);
        }
        let mut changes: Vec<((i64, bool, Row), i64)> = changes
            .into_iter()
            .map(|(row, diff)| {
                let (row, place) = row.split_at(row.len() - order.n_places());
                let place = place.first().map_or(FLOW_PLACE, place_of);
                ((place, 0 < diff, row.to_vec().into()), diff)
            })
            .collect();
        changes.sort();
        if let RetentionRule::Arrival(_) = rule {
            clock = now;
        }
        for ((_, _, row), diff) in changes {
            for _ in diff..0 {
                if let Some(newest) = kept.iter().rposition(|(copy, _)| *copy == row) {
                    kept.remove(newest);
                }
            }
            for _ in 0..diff {
                let moment = match rule {
                    RetentionRule::Bytes(_) => 0,
                    RetentionRule::Arrival(_) => now,
                    RetentionRule::Time { field, .. } => timestamp(&row[field]),
                };
                if let RetentionRule::Time { .. } = rule {
                    clock = clock.max(moment);
                }
                if !is_over(rule, moment, clock) {
                    kept.push((row.clone(), moment));
                }
                while let RetentionRule::Bytes(most) = rule
                    && most < kept.iter().map(|(row, _)| row_bytes(row, schema)).sum()
                {
                    kept.remove(0);
                }
            }
        }
        kept.retain(|(_, moment)| !is_over(rule, *moment, clock));
    }
    let mut output = Collection::new();
    for (row, _) in kept {
        add(&mut output, row, 1);
    }
    output
}

fn place_of(place: &Value) -> i64 {
    match place {
        Value::Int(place) => *place,
        signed => mark_of(signed),
    }
}

fn is_over(rule: RetentionRule, moment: i64, clock: i64) -> bool {
    match rule {
        RetentionRule::Bytes(_) => false,
        RetentionRule::Arrival(length) => moment.saturating_add(length) <= clock,
        RetentionRule::Time { length, late, .. } => moment + length + late <= clock,
    }
}

/// The bytes of a row, as the reference has them.
fn row_bytes(row: &Row, schema: &Schema) -> u64 {
    let fields = schema.fields.iter().zip(row.iter()).filter(|(field, _)| !is_hidden(field));
    fields.map(|(field, value)| value_bytes(value, &field.ty)).sum()
}

fn value_bytes(value: &Value, ty: &Type) -> u64 {
    // A zero byte within a text counts twice, and its end is two bytes.
    let text =
        |bytes: &[u8]| bytes.iter().map(|byte| if *byte == 0 { 2 } else { 1 }).sum::<u64>() + 2;
    match (value, ty) {
        (Value::None, _) => 1,
        (value, Type::Option(inner)) => 1 + value_bytes(value, inner),
        (Value::Bool(_), _) => 1,
        (Value::Enum(_), _) => 2,
        (Value::Date(_), _) | (Value::Float(_), Type::Float32) => 4,
        (Value::Int(_) | Value::Timestamp(_) | Value::Duration(_) | Value::Float(_), _) => 8,
        (Value::Uuid(_), _) => 16,
        (Value::Decimal(units), _) => {
            let magnitude = if *units < 0 { -(units + 1) } else { *units };
            let mut n_bytes = 0;
            while n_bytes < 16 && 0 < magnitude >> (8 * n_bytes) {
                n_bytes += 1;
            }
            1 + n_bytes
        }
        (Value::String(string), _) => text(string.as_bytes()),
        (Value::Bytes(bytes), _) => text(bytes),
        (Value::List(items), Type::List(inner)) => {
            items.iter().map(|item| 1 + value_bytes(item, inner)).sum::<u64>() + 1
        }
        (Value::Map(entries), Type::Map(inner)) => {
            let entry = |(key, value): &(std::sync::Arc<str>, Value)| {
                1 + text(key.as_bytes()) + value_bytes(value, inner)
            };
            entries.iter().map(entry).sum::<u64>() + 1
        }
        (Value::Struct(values), Type::Struct(fields)) => {
            values.iter().zip(fields).map(|(value, field)| value_bytes(value, &field.ty)).sum()
        }
        (Value::Tensor(tensor), Type::Tensor(_)) => {
            let n_sizes = tensor.shape().len() as u64;
            let n_elements: u64 = tensor.shape().iter().map(|size| u64::from(*size)).product();
            4 * n_sizes + n_elements * 4
        }
        (value, ty) => panic!("{value:?} is not of type {ty}"),
    }
}

/// What came after all windows of its own had closed.
fn late(window: &Window, rows: &Collection) -> Collection {
    let mut output = Collection::new();
    for (row, diff) in rows {
        let Ok(time) = eval(&window.time, row) else { continue };
        let (mark, row) = row.split_last().expect("the mark is the last field");
        let is_open = |(_, end): &(i64, i64)| mark_of(mark) < *end;
        if *diff > 0 && !frames(window.frame, timestamp(&time)).iter().any(is_open) {
            add(&mut output, row.iter().cloned().collect(), *diff);
        }
    }
    output
}

fn compare(by: &[SortKey], a: &Row, b: &Row) -> std::cmp::Ordering {
    for (idx, key) in by.iter().enumerate() {
        let order = a[idx].cmp(&b[idx]);
        let order = match key.order {
            Order::Ascending => order,
            Order::Descending => order.reverse(),
        };
        if order.is_ne() {
            return order;
        }
    }
    std::cmp::Ordering::Equal
}

/// Whether a right row of the time `of` may be the latest at `time`.
fn is_before(asof: &Asof, of: &Value, time: &Value) -> bool {
    let distance = match (of, time) {
        (Value::None, _) | (_, Value::None) => return false,
        (Value::Timestamp(of), Value::Timestamp(time)) => i128::from(*time) - i128::from(*of),
        (Value::Date(of), Value::Date(time)) => {
            (i128::from(*time) - i128::from(*of)) * 86_400_000_000_000
        }
        (of, time) => return of <= time,
    };
    distance >= 0 && asof.within.is_none_or(|within| distance <= i128::from(within))
}

/// The value of a field along the order, at one of the copies.
fn along(
    kind: &OverKind,
    is_unordered: bool,
    copies: &[(&Row, &Row)],
    at: usize,
) -> Result<Value, String> {
    let place = |n: usize| Value::Int(i64::try_from(n).expect("a small place"));
    let distance = |n: &u64| usize::try_from(*n).expect("a small distance");
    let value = |of: &Expr, at: Option<usize>| {
        let copy = at.and_then(|at| copies.get(at));
        copy.map_or(Value::None, |(_, row)| eval(of, row).expect("it was computed before"))
    };
    let orders = || copies[..=at].iter().map(|(order, _)| *order);
    let first =
        |rows: &Option<u64>| rows.map_or(0, |rows| (at + 1).saturating_sub(distance(&rows)));
    Ok(match kind {
        OverKind::Lag { of, n } => value(of, at.checked_sub(distance(n))),
        OverKind::Lead { of, n } => value(of, at.checked_add(distance(n))),
        OverKind::First { of, rows } => value(of, Some(first(rows))),
        OverKind::RowNumber => place(at + 1),
        OverKind::Rank => {
            place(1 + orders().position(|order| order == copies[at].0).expect("itself"))
        }
        OverKind::DenseRank => place(orders().collect::<BTreeSet<&Row>>().len()),
        OverKind::Aggregate { aggregate, rows } => {
            let frame = if is_unordered { copies } else { &copies[first(rows)..=at] };
            let members: Vec<(Row, i64)> =
                frame.iter().map(|(_, row)| ((*row).clone(), 1)).collect();
            return aggregated(aggregate, &members);
        }
    })
}

/// What is computed of each row for an aggregate: its arguments, where its filter lets the row
/// count.
fn counted_of(aggregate: &Aggregate) -> Vec<&Expr> {
    use AggregateFunction as F;
    match (aggregate.function, aggregate.args.as_slice()) {
        (F::First | F::Last, [x, by]) => vec![by, x],
        (_, args) => args.iter().take(1).collect(),
    }
}

fn joined(output: JoinOutput, left: &Row, right: Option<&Row>, n_right: usize) -> Row {
    let mut values = left.to_vec();
    match (output, right) {
        (JoinOutput::LeftOnly, _) => {}
        (JoinOutput::Flat, Some(right)) => values.extend_from_slice(right),
        (JoinOutput::Flat, None) => values.extend(std::iter::repeat_n(Value::None, n_right)),
        (JoinOutput::Nested, Some(right)) => values.push(Value::Struct(right.to_vec().into())),
        (JoinOutput::Nested, None) => values.push(Value::None),
    }
    values.into()
}

/// All values of the aggregate's argument that count, with multiplicities.
fn counted(aggregate: &Aggregate, members: &[(Row, i64)]) -> Result<Vec<(Row, i64)>, String> {
    let mut values = Vec::new();
    for (row, diff) in members {
        let code = |error: arqon_operators::EvalError| error.code.as_str().to_owned();
        if let Some(filter) = &aggregate.filter
            && eval(filter, row).map_err(code)? != Value::Bool(true)
        {
            continue;
        }
        let args: Result<Row, _> = aggregate.args.iter().map(|arg| eval(arg, row)).collect();
        let args = args.map_err(code)?;
        if args.first() != Some(&Value::None) {
            values.push((args, *diff));
        }
    }
    values.sort();
    Ok(values)
}

fn aggregated(aggregate: &Aggregate, members: &[(Row, i64)]) -> Result<Value, String> {
    use AggregateFunction as F;
    let values = counted(aggregate, members)?;
    let n: i64 = values.iter().map(|(_, diff)| diff).sum();
    let some = |value: Option<Value>| value.unwrap_or(Value::None);
    let first_arg = |(args, _): &(Row, i64)| args[0].clone();
    Ok(match aggregate.function {
        F::Count => Value::Int(n),
        F::Sum => return sum(aggregate, &values, n),
        F::Average => {
            if n == 0 {
                Value::None
            } else {
                average(aggregate, &values, n)
            }
        }
        F::Min => some(values.first().map(first_arg)),
        F::Max => some(values.last().map(first_arg)),
        F::First => some(values.iter().min_by_key(|(args, _)| (&args[1], &args[0])).map(first_arg)),
        F::Last => some(values.iter().max_by_key(|(args, _)| (&args[1], &args[0])).map(first_arg)),
        F::Any => Value::Bool(values.iter().any(|(args, _)| args[0] == Value::Bool(true))),
        F::All => Value::Bool(values.iter().all(|(args, _)| args[0] == Value::Bool(true))),
        F::DistinctCount => {
            let mut distinct: Vec<Value> = values.iter().map(first_arg).collect();
            distinct.dedup();
            Value::Int(i64::try_from(distinct.len()).expect("a small group"))
        }
        F::List => Value::List(
            values.iter().flat_map(|(args, diff)| (0..*diff).map(|_| args[0].clone())).collect(),
        ),
        F::Top => {
            let items = values.iter().rev();
            let items = items.flat_map(|(args, diff)| (0..*diff).map(|_| args[0].clone()));
            Value::List(items.take(constant_int(aggregate)).collect())
        }
        F::Quantile => some(quantile(&values, n, aggregate)),
        F::Variance => some(variance(&values, n).map(Value::float)),
        F::StandardDeviation => some(variance(&values, n).map(|found| Value::float(found.sqrt()))),
    })
}

fn constant_int(aggregate: &Aggregate) -> usize {
    match &aggregate.args[1].kind {
        ExprKind::Literal(Value::Int(n)) => usize::try_from(*n).expect("a small count"),
        other => panic!("{other:?} is no constant"),
    }
}

/// The least value that at least this share of the values do not exceed.
fn quantile(values: &[(Row, i64)], n: i64, aggregate: &Aggregate) -> Option<Value> {
    let ExprKind::Literal(Value::Float(share)) = &aggregate.args[1].kind else {
        panic!("{:?} is no constant", aggregate.args[1])
    };
    let wanted = share.get() * small(n);
    let mut seen = 0;
    values.iter().find_map(|(args, diff)| {
        seen += diff;
        (small(seen) >= wanted).then(|| args[0].clone())
    })
}

/// Of the sample: `(n Σx² - (Σx)²) / (n (n - 1))`, all in integers up to the one division.
fn variance(values: &[(Row, i64)], n: i64) -> Option<f64> {
    let total = |power: u32| -> i128 {
        let term = |(args, diff): &(Row, i64)| match &args[0] {
            Value::Int(number) => i128::from(*number).pow(power) * i128::from(*diff),
            other => panic!("{other:?} is no integer"),
        };
        values.iter().map(term).sum()
    };
    let n_wide = i128::from(n);
    let numerator = n_wide * total(2) - total(1) * total(1);
    assert!(numerator < 1 << 53, "generated numbers are small");
    #[expect(clippy::cast_precision_loss, reason = "both are below 2^53")]
    (n > 1).then(|| numerator as f64 / (n_wide * (n_wide - 1)) as f64)
}

fn sum(aggregate: &Aggregate, values: &[(Row, i64)], n: i64) -> Result<Value, String> {
    let overflow = || "overflow".to_owned();
    if n == 0 && aggregate.ty.is_option() {
        return Ok(Value::None);
    }
    let whole = |unit: fn(&Value) -> i128| -> i128 {
        values.iter().map(|(args, diff)| unit(&args[0]) * i128::from(*diff)).sum()
    };
    let units = |value: &Value| match value {
        Value::Int(number) | Value::Duration(number) => i128::from(*number),
        Value::Decimal(units) => *units,
        other => panic!("{other:?} has no exact sum"),
    };
    Ok(match aggregate.ty.required() {
        Type::Float64 => Value::float(float_total(values).over(1)),
        Type::Decimal(_) => Value::Decimal(whole(units)),
        Type::Duration => Value::Duration(i64::try_from(whole(units)).map_err(|_| overflow())?),
        _ => Value::Int(i64::try_from(whole(units)).map_err(|_| overflow())?),
    })
}

fn float_total(values: &[(Row, i64)]) -> FloatTotal {
    FloatTotal::of(values.iter().map(|(args, diff)| match &args[0] {
        Value::Float(float) => (*float, *diff),
        other => panic!("{other:?} is no float"),
    }))
}

fn small(number: i64) -> f64 {
    f64::from(i32::try_from(number).expect("generated numbers are small"))
}

fn average(aggregate: &Aggregate, values: &[(Row, i64)], n: i64) -> Value {
    let sum = |unit: fn(&Value) -> i128| -> i128 {
        values.iter().map(|(args, diff)| unit(&args[0]) * i128::from(*diff)).sum()
    };
    let whole = |units: i128| small(i64::try_from(units).expect("generated numbers are small"));
    Value::float(match aggregate.args[0].ty.required() {
        Type::Float64 => float_total(values).over(n),
        Type::Decimal(scale) => {
            let units = sum(|value| match value {
                Value::Decimal(units) => *units,
                other => panic!("{other:?} is no decimal"),
            });
            // One rounding in all: the divisor is exact.
            whole(units) / (small(n) * 10_f64.powi(i32::from(*scale)))
        }
        _ => {
            let total = sum(|value| match value {
                Value::Int(number) => i128::from(*number),
                other => panic!("{other:?} is no integer"),
            });
            whole(total) / small(n)
        }
    })
}
