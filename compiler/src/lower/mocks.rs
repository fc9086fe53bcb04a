//! Calls, kernels and capsules of a circuit that is tested. A call is a join of its jobs with the
//! answers of the test, a capsule one of its rows; of a kernel the test says what it puts out. So
//! all of them stay incremental, and take back what is taken back before them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arqon_operators::{Expr, ExprKind, Function};
use arqon_plan::{
    History, Join, JoinKind, JoinOutput, Operator, Output, PLACE_FIELD, StageKind, Step, StepId,
    TopicPlan, n_places,
};
use arqon_types::{Discipline, Edge, Field, Schema, TopicName, Type, Value, error_schema};

use super::with_hidden;
use super::{Label, Lowering, all_columns, hidden_of, n_own, node_schema, project, stage};
use crate::mocks::{Mocked, Unanswered, failures_of, unanswered_topic};
use crate::resolve::TopicOrigin;
use crate::typed::{NodeId, OperatorId, TopicId, TypedCall, TypedNode, Verb};

/// What the tested steps have that others have not.
#[derive(Debug, Default)]
pub(super) struct Mocks {
    pub(super) topics: Vec<TopicPlan>,
    pub(super) unanswered: Vec<Unanswered>,
    sources: BTreeMap<TopicName, StepId>,
}

/// A question that each row asks.
struct Question<'a> {
    mocked: Mocked,
    /// The step that asks.
    place: (NodeId, usize),
    label: Label<'a>,
    /// What goes past the answer, over the row.
    kept: Vec<Expr>,
    /// What these are called.
    names: Vec<String>,
    /// Over the row.
    asks: Expr,
    /// What is asked: `job` or `row`.
    what: &'static str,
}

impl Lowering<'_, '_> {
    /// The answers to a step, as rows. None where no test answers.
    pub(super) fn answers(&mut self, mocked: Mocked) -> Option<StepId> {
        let topic = mocked.topic();
        if let Some(known) = self.mocks.as_ref()?.sources.get(&topic) {
            return Some(*known);
        }
        let schema = mocked.answers(self.resolved, self.flow)?;
        let name: Arc<str> = topic.as_str().into();
        let step = self.push(Step {
            node: Arc::clone(&name),
            address: name,
            operator: Operator::Source(topic.clone()),
            inputs: Vec::new(),
            schema: Arc::new(schema.clone()),
        });
        let mocks = self.mocks.as_mut()?;
        mocks.topics.push(delta_topic(topic.clone(), schema, Edge::In));
        mocks.sources.insert(topic, step);
        Some(step)
    }

    /// `call`: the kept fields, the result, and the job's id.
    pub(super) fn mocked_call(
        &mut self,
        (id, idx): (NodeId, usize),
        call: &TypedCall,
        at: StepId,
    ) -> Option<StepId> {
        let contract = self.resolved.operator(call.operator).contract.clone()?;
        let flow = self.flow;
        let node = &flow.nodes[id.0];
        let label = Label { node: &node.errors_of, address: &node.steps[idx].address };
        let n_kept = call.keep.len();
        let (asked, met) = self.met(
            at,
            Question {
                mocked: Mocked::Operator(call.operator),
                place: (id, idx),
                label,
                kept: call.keep.clone(),
                names: kept_names(node, idx, n_kept),
                asks: structure(call.job.clone(), contract.job.clone()),
                what: "job",
            },
        )?;
        let n_asked = self.steps[asked.index()].schema.fields.len();
        let settled = self.settled(met, n_asked, (call, (id, idx)), label)?;
        let asked = all_columns(&self.steps[met.index()].schema);
        let columns = all_columns(&self.steps[settled.index()].schema);
        let (result, job_id) = (&columns[n_asked], &columns[n_asked + 1]);
        // A job that fails has been sent, too.
        let sides = [
            (met, &asked[n_asked + 2], &asked[n_kept], &contract.job),
            (settled, job_id, result, &contract.result),
        ];
        for (id, side) in self.resolved.operator_topics[call.operator.0].iter().zip(sides) {
            let (from, job_id, of, fields) = side;
            let others = parts(of, fields).into_iter().zip(fields);
            let others = others.filter(|(_, field)| &*field.name != "job_id").map(|(part, _)| part);
            let exprs = std::iter::once(job_id.clone()).chain(others).collect();
            let schema = self.resolved.topic(*id).schema()?;
            let told = step(label, project(label.address, exprs), vec![from], schema.into());
            self.tell(*id, told);
        }
        let mut exprs = columns[..n_kept].to_vec();
        exprs.extend([result.clone(), job_id.clone()]);
        exprs.extend_from_slice(&columns[n_kept + 1..n_asked]);
        let schema = node_schema(node, &node.steps[idx].row)?;
        let schema = with_hidden(schema, &self.steps[at.index()].schema);
        Some(self.push(step(label, project(label.address, exprs), vec![settled], schema)))
    }

    fn tell(&mut self, topic: TopicId, step: Step) {
        let step = self.push(step);
        self.told.entry(topic).or_default().push(step);
    }

    /// What was asked, its result and the job's id; jobs that failed are error rows of the node, or
    /// of the topic that the call names for them.
    fn settled(
        &mut self,
        met: StepId,
        n_asked: usize,
        (call, (id, idx)): (&TypedCall, (NodeId, usize)),
        label: Label<'_>,
    ) -> Option<StepId> {
        let from = Arc::clone(&self.steps[met.index()].schema);
        let columns = all_columns(&from);
        let (result, job_id, fail) = (n_asked + 1, n_asked + 2, n_asked + 3);
        let ty = from.fields.get(result)?.ty.required().clone();
        let place = call.place;
        let words = vec![columns[fail].clone()];
        let failed = ExprKind::Call { function: Function::JobFailed, args: words };
        let failed = Expr { kind: failed, ty: ty.clone(), place };
        let (of, otherwise) = (Box::new(columns[result].clone()), Box::new(failed));
        let outcome = Expr { kind: ExprKind::Default { of, otherwise }, ty: ty.clone(), place };
        let mut exprs = columns[..n_asked].to_vec();
        exprs.extend([outcome, columns[job_id].clone()]);
        let mut fields = from.fields[..n_asked].to_vec();
        fields.extend([Field::new("$result", ty), Field::new("$id", Type::String)]);
        let schema = Schema::new("settled", fields);
        let mut settled = step(label, project(label.address, exprs), vec![met], schema.into());
        let Some(topic) = call.errors else { return Some(self.push(settled)) };
        let node = failures_of(id, idx);
        settled.node = node.as_str().into();
        let failures = Step {
            node: label.node.to_owned(),
            address: label.address.to_owned(),
            operator: Operator::Errors(node),
            inputs: Vec::new(),
            schema: error_schema().into(),
        };
        let settled = self.push(settled);
        let failures = self.push(failures);
        let mut exprs = all_columns(&error_schema());
        exprs[0] = Expr::literal(Value::string(label.node), Type::String);
        let schema = self.resolved.topic(topic).schema()?;
        let failed = step(label, project(label.address, exprs), vec![failures], schema.into());
        self.tell(topic, failed);
        Some(settled)
    }

    /// What the mocks by job leave, answered by the one for all jobs: `met` with those behind it,
    /// and what is left then.
    fn rest(
        &mut self,
        operator: OperatorId,
        (met, missed): (StepId, StepId),
        question: &Expr,
        label: Label<'_>,
    ) -> Option<(StepId, StepId)> {
        let answers = self.answers(Mocked::Rest(operator))?;
        let left = Schema::clone(&self.steps[missed.index()].schema);
        let join = |kind, output| {
            Operator::Join(Join {
                kind,
                left_key: Vec::new(),
                right_key: Vec::new(),
                residual: None,
                asof: None,
                output,
            })
        };
        let mut both = left.clone();
        both.fields.extend(self.steps[answers.index()].schema.fields.iter().cloned());
        let answered = join(JoinKind::Inner, JoinOutput::Flat);
        let answered = self.push(step(label, answered, vec![missed, answers], both.clone().into()));
        let n_asked = left.fields.len();
        let mut exprs = all_columns(&both);
        exprs.insert(n_asked, question.clone());
        let schema = Arc::clone(&self.steps[met.index()].schema);
        let alike = project(label.address, exprs);
        let alike = self.push(step(label, alike, vec![answered], Arc::clone(&schema)));
        let met = self.push(step(label, Operator::Union, vec![met, alike], schema));
        let missed_by_all = join(JoinKind::Anti, JoinOutput::LeftOnly);
        let missed = self.push(step(label, missed_by_all, vec![missed, answers], left.into()));
        Some((met, missed))
    }

    /// `wasm`: the rows that come back of each one.
    pub(super) fn mocked_capsule(
        &mut self,
        (id, idx): (NodeId, usize),
        at: StepId,
    ) -> Option<StepId> {
        let flow = self.flow;
        let node = &flow.nodes[id.0];
        let label = Label { node: &node.errors_of, address: &node.steps[idx].address };
        let from = self.steps[at.index()].schema.clone();
        let n_columns = n_own(&from);
        let row =
            structure(all_columns(&from)[..n_columns].to_vec(), node.row_before(idx).fields()?);
        let (asked, met) = self.met(
            at,
            Question {
                mocked: Mocked::Step(id, idx),
                place: (id, idx),
                label,
                kept: Vec::new(),
                names: Vec::new(),
                asks: row,
                what: "row",
            },
        )?;
        let schema = node_schema(node, &node.steps[idx].row)?;
        let n_asked = self.steps[asked.index()].schema.fields.len();
        let mut unnested = Schema::clone(&self.steps[met.index()].schema);
        let n_met = unnested.fields.len();
        let list = Expr::column(n_asked + 1, unnested.fields[n_asked + 1].ty.clone());
        let element = Type::Struct(schema.fields.clone());
        unnested.fields.push(Field::new("position", Type::Int64));
        unnested.fields.push(Field::new("element", element.clone()));
        let unnest = stage(label.address, StageKind::Unnest(list));
        let unnested = self.push(step(label, unnest, vec![met], unnested.into()));
        let mut exprs = parts(&Expr::column(n_met + 1, element), &schema.fields);
        let hidden = &self.steps[met.index()].schema.fields[1..n_asked];
        exprs.extend((1..).zip(hidden).map(|(at, field)| Expr::column(at, field.ty.clone())));
        let mut schema = with_hidden(schema, &from);
        // Rows of one event follow one another in the log.
        let n_places = n_places(&from);
        if 0 < n_places {
            exprs.push(Expr::column(n_met, Type::Int64));
            let place = Field::new(format!("{PLACE_FIELD}{n_places}"), Type::Int64);
            Arc::make_mut(&mut schema).fields.push(place);
        }
        Some(self.push(step(label, project(label.address, exprs), vec![unnested], schema)))
    }

    /// What is asked, with what goes past it and the hidden columns; and the same with the answer
    /// behind it. What nothing answers is an output of its own.
    fn met(&mut self, at: StepId, question: Question<'_>) -> Option<(StepId, StepId)> {
        let Question { mocked, place: (id, idx), label, kept, names, asks, what } = question;
        let answers = self.answers(mocked)?;
        let n_kept = kept.len();
        let ty = asks.ty.clone();
        let mut exprs = kept;
        exprs.push(asks);
        exprs.extend(hidden_of(&self.steps[at.index()].schema));
        let names: Vec<String> = names.iter().cloned().chain([what.to_owned()]).collect();
        let field = |(at, expr): (usize, &Expr)| {
            let name = names.get(at).cloned().unwrap_or_else(|| format!("$brought{at}"));
            Field::new(name, expr.ty.clone())
        };
        let fields: Vec<Field> = exprs.iter().enumerate().map(field).collect();
        let schema = Schema::new("asked", fields);
        let asked = project(label.address, exprs);
        let asked = self.push(step(label, asked, vec![at], schema.clone().into()));
        let question = Expr::column(n_kept, ty.clone());
        let join = |kind, output| {
            Operator::Join(Join {
                kind,
                left_key: vec![question.clone()],
                right_key: vec![Expr::column(0, ty.clone())],
                residual: None,
                asof: None,
                output,
            })
        };
        let mut both = schema.clone();
        both.fields.extend(self.steps[answers.index()].schema.fields.iter().cloned());
        let met = join(JoinKind::Inner, JoinOutput::Flat);
        let met = self.push(step(label, met, vec![asked, answers], both.into()));
        let missed = join(JoinKind::Anti, JoinOutput::LeftOnly);
        let missed = self.push(step(label, missed, vec![asked, answers], schema.into()));
        let (met, missed) = match mocked {
            Mocked::Operator(operator) => self.rest(operator, (met, missed), &question, label)?,
            Mocked::Rest(_) | Mocked::Step(..) => (met, missed),
        };
        let schema = Schema::new("unanswered", vec![Field::new(what, ty.clone())]);
        let alone = project(label.address, vec![question.clone()]);
        let missed = self.push(step(label, alone, vec![missed], schema.clone().into()));
        let topic = unanswered_topic(id, idx);
        self.outputs.push(Output { topic: topic.clone(), step: missed });
        let mocks = self.mocks.as_mut()?;
        mocks.topics.push(delta_topic(topic.clone(), schema.clone(), Edge::Out));
        mocks.unanswered.push(Unanswered { topic, address: label.address.to_string(), schema });
        Some((asked, met))
    }

    /// Nodes whose calls put rows into a topic, for each topic that has some: jobs, results, or
    /// what failed. Cost: one walk over steps and topics.
    pub(super) fn callers(&self) -> BTreeMap<TopicId, Vec<usize>> {
        let mut of_operators: BTreeMap<OperatorId, Vec<usize>> = BTreeMap::new();
        let mut callers: BTreeMap<TopicId, Vec<usize>> = BTreeMap::new();
        for (at, node) in self.flow.nodes.iter().enumerate() {
            for step in &node.steps {
                let Verb::Call(call) = &step.verb else { continue };
                of_operators.entry(call.operator).or_default().push(at);
                if let Some(errors) = call.errors {
                    callers.entry(errors).or_default().push(at);
                }
            }
        }
        if of_operators.is_empty() {
            return callers;
        }
        for (at, topic) in self.resolved.topics.iter().enumerate() {
            if let TopicOrigin::Jobs(operator) | TopicOrigin::Results(operator) = topic.origin
                && let Some(nodes) = of_operators.get(&operator)
            {
                callers.entry(TopicId(at)).or_default().extend(nodes);
            }
        }
        callers
    }

    /// What calls have put into a topic.
    pub(super) fn told_to(&self, id: TopicId) -> Vec<StepId> {
        self.told.get(&id).cloned().unwrap_or_default()
    }
}

/// What the fields are called that a call keeps.
fn kept_names(node: &TypedNode, idx: usize, n_kept: usize) -> Vec<String> {
    let columns = &node.steps[idx].row.columns;
    columns.iter().take(n_kept).map(|column| column.name.to_string()).collect()
}

fn step(label: Label<'_>, operator: Operator, inputs: Vec<StepId>, schema: Arc<Schema>) -> Step {
    let (node, address) = (Arc::clone(label.node), Arc::clone(label.address));
    Step { node, address, operator, inputs, schema }
}

fn structure(exprs: Vec<Expr>, fields: Vec<Field>) -> Expr {
    let place = exprs.first().map(|expr| expr.place).unwrap_or_default();
    Expr { kind: ExprKind::Struct(exprs), ty: Type::Struct(fields), place }
}

/// The fields of a struct.
fn parts(of: &Expr, fields: &[Field]) -> Vec<Expr> {
    let part = |(idx, field): (usize, &Field)| Expr {
        kind: ExprKind::Field { of: Box::new(of.clone()), idx },
        ty: field.ty.clone(),
        place: of.place,
    };
    fields.iter().enumerate().map(part).collect()
}

/// A topic that only a test sees, whose rows are trusted.
fn delta_topic(name: TopicName, schema: Schema, edge: Edge) -> TopicPlan {
    TopicPlan {
        name,
        schema,
        discipline: Discipline::Delta,
        key: Vec::new(),
        time: None,
        edge,
        verified: false,
        lateness: None,
        arrival: false,
        history: History::All,
    }
}
