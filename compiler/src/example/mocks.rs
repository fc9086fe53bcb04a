//! Mocks of a test, typed: what each stands in for, and what it answers.

use std::collections::BTreeMap;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::code::{names, yaml};
use arqon_types::{Change, Field, Row, TimeUnits, TopicName, Type, Value};

use super::{TestInput, Tests};
use crate::contract::Contract;
use crate::mocks::{Mocked, is_mocked};
use crate::raw::{Wanted, typed_fields};
use crate::row_type::RowType;
use crate::typed::{NodeId, OperatorId, TypedNode, Verb};

/// What the mocks of one test have said so far.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Where each question is answered.
    answered: BTreeMap<(TopicName, Value), Span>,
    /// Which mock answers all other jobs of an operator.
    for_all: BTreeMap<TopicName, ForAll>,
    /// What each kernel puts out.
    rows: BTreeMap<TopicName, BTreeMap<Row, i64>>,
}

/// A mock for all jobs that no other answers.
#[derive(Debug, Clone, Copy)]
struct ForAll {
    span: Span,
    /// Whether it came with the step that is being read.
    is_now: bool,
}

/// Whether an answer of an operator names no job.
fn is_for_all(entry: &ast::Value) -> bool {
    let ast::ValueKind::Map(entries) = &entry.kind else { return false };
    let has = |key: &str| entries.iter().any(|(name, _)| name.as_str() == key);
    !has("job") && (has("result") || has("fail"))
}

/// What can be mocked, by the name that a test gives it.
pub(super) fn mocked_names(tests: &Tests<'_, '_>) -> BTreeMap<String, Mocked> {
    let mut found = BTreeMap::new();
    for (id, node) in tests.flow.nodes.iter().enumerate() {
        let computing: Vec<usize> = (0..node.steps.len())
            .filter(|idx| matches!(node.steps[*idx].verb, Verb::Kernel(_) | Verb::Wasm(_)))
            .collect();
        for idx in &computing {
            let mocked = Mocked::Step(NodeId(id), *idx);
            let name = if computing.len() == 1 { &node.name } else { &node.steps[*idx].address };
            found.insert(name.to_string(), mocked);
        }
        for step in &node.steps {
            if let Verb::Call(call) = &step.verb {
                let name = &tests.resolved.operator(call.operator).ast.name.node;
                found.insert(name.clone(), Mocked::Operator(call.operator));
            }
        }
    }
    found
}

/// The name of what generated inputs would ask in vain: all that can be mocked, save kernels that
/// run in earnest.
pub(super) fn first_unanswered(tests: &Tests<'_, '_>) -> Option<String> {
    let is_answered = |mocked: &Mocked| match *mocked {
        Mocked::Operator(_) | Mocked::Rest(_) => false,
        Mocked::Step(NodeId(id), idx) => {
            let node = &tests.flow.nodes[id];
            let step = &node.steps[idx];
            matches!(&step.verb, Verb::Kernel(_))
                && !is_mocked(&tests.resolved.circuit.tests, node, &step.address)
        }
    };
    mocked_names(tests).into_iter().find(|(_, mocked)| !is_answered(mocked)).map(|(name, _)| name)
}

impl Tests<'_, '_> {
    /// The answers that come with a step of a test.
    pub(super) fn mocks(&mut self, mocks: &[ast::Mock], said: &mut Said) -> Option<Vec<TestInput>> {
        said.for_all.values_mut().for_each(|first| first.is_now = false);
        let mut inputs = Some(Vec::with_capacity(mocks.len()));
        for mock in mocks {
            let typed = self.mock(mock, said);
            inputs = inputs.zip(typed).map(|(mut inputs, typed)| {
                inputs.extend(typed);
                inputs
            });
        }
        inputs
    }

    fn mock(&mut self, mock: &ast::Mock, said: &mut Said) -> Option<Vec<TestInput>> {
        let mocked = self.mocked(mock)?;
        let topic = mocked.topic();
        let schema = mocked.answers(self.resolved, self.flow)?;
        let is_kernel = match mocked {
            Mocked::Operator(_) | Mocked::Rest(_) => false,
            Mocked::Step(NodeId(id), idx) => {
                matches!(self.flow.nodes[id].steps[idx].verb, Verb::Kernel(_))
            }
        };
        if let (true, Mocked::Step(NodeId(id), idx)) = (is_kernel, mocked) {
            let row = &self.flow.nodes[id].steps[idx].row;
            mock.entries.iter().for_each(|entry| self.note_value(Some(entry), row));
        }
        let mut rest = Vec::new();
        let changes = if is_kernel {
            let before = said.rows.entry(topic.clone()).or_default();
            self.put_out(mock, &schema.fields, before)?
        } else {
            let mut changes = Some(Vec::with_capacity(mock.entries.len()));
            for (at, entry) in mock.entries.iter().enumerate() {
                if let Mocked::Operator(id) = mocked
                    && is_for_all(entry)
                {
                    let answer = self.answer_to_all(mock, entry, id, said);
                    changes = changes.zip(answer).map(|(changes, answer)| {
                        rest.push(answer);
                        changes
                    });
                    continue;
                }
                let typed = match mocked {
                    Mocked::Operator(id) => self.job_answer((mock, at), entry, id),
                    Mocked::Rest(_) => None,
                    Mocked::Step(node, idx) => {
                        self.capsule_answer((mock, (node, idx)), entry, &schema.fields)
                    }
                };
                let typed = typed.filter(|values| {
                    self.is_first((topic.clone(), values[0].clone()), entry.span, said)
                });
                changes = changes.zip(typed).map(|(mut changes, values)| {
                    changes.push(Change::Diff { row: Row::from(values), diff: 1 });
                    changes
                });
            }
            changes?
        };
        let first = TestInput { topic, changes };
        Some(std::iter::once(first).chain(rest).collect())
    }

    fn mocked(&mut self, mock: &ast::Mock) -> Option<Mocked> {
        let known = mocked_names(self);
        if let Some(mocked) = known.get(mock.name.as_str()) {
            return Some(*mocked);
        }
        // A step that could not be typed has been told of.
        let is_unknown =
            |node: &TypedNode| node.steps.iter().any(|step| matches!(step.verb, Verb::Unknown));
        if self.flow.nodes.iter().any(is_unknown) {
            return None;
        }
        self.report.unknown(
            names::UNKNOWN_MOCK,
            mock.name.span,
            format!("the flow has no call, kernel or capsule `{}`", mock.name.node),
            mock.name.as_str(),
            known.keys().map(String::as_str),
        );
        None
    }

    /// Whether nothing has answered the same before.
    fn is_first(&mut self, asked: (TopicName, Value), span: Span, said: &mut Said) -> bool {
        let for_all = said.for_all.get(&asked.0).copied();
        let first = match (said.answered.insert(asked, span), for_all) {
            (Some(first), _) => first,
            // What comes later may have been answered by the one for all jobs.
            (None, Some(first)) if !first.is_now => first.span,
            (None, _) => return true,
        };
        self.report.push(
            Diagnostic::new(names::MOCK_TWICE, span, "the same is answered before")
                .secondary(first, "by this one")
                .help("leave one of them away: an answer stays as it is for the whole test"),
        );
        false
    }

    /// `{ job: { … }, result: { … }, id: … }`
    fn job_answer(
        &mut self,
        (mock, at): (&ast::Mock, usize),
        entry: &ast::Value,
        OperatorId(id): OperatorId,
    ) -> Option<Vec<Value>> {
        let operator = &self.resolved.operators[id];
        let contract = operator.contract.clone()?;
        let [job, result, fail, name] = self.parts(entry, ["job", "result", "fail", "id"])?;
        let job = self.needed(entry, "job", job);
        for (value, row) in [job, result].into_iter().zip(operator.rows.iter().flatten()) {
            self.note_value(value, row);
        }
        let operator = mock.name.as_str();
        let what = format!("a job of operator `{operator}`");
        let job = self.fields(job?, (&contract.job, &contract.job_units), &what);
        let number = (at + 1).to_string();
        let answer = self.outcome(entry, (result, fail), name, (operator, &number), &contract);
        let mut values = vec![Value::Struct(job?.into())];
        values.extend(answer?);
        Some(values)
    }

    /// `{ result: { … } }`: the answer to all jobs that no other mock answers.
    fn answer_to_all(
        &mut self,
        mock: &ast::Mock,
        entry: &ast::Value,
        id: OperatorId,
        said: &mut Said,
    ) -> Option<TestInput> {
        let contract = self.resolved.operator(id).contract.clone()?;
        let [_, result, fail, name] = self.parts(entry, ["job", "result", "fail", "id"])?;
        if let Some([_, row]) = &self.resolved.operator(id).rows {
            self.note_value(result, row);
        }
        let operator = mock.name.as_str();
        let answer = self.outcome(entry, (result, fail), name, (operator, "any"), &contract);
        let by_job = Mocked::Operator(id).topic();
        if let Some(first) = said.for_all.get(&by_job) {
            self.report.push(
                Diagnostic::new(
                    names::MOCK_TWICE,
                    entry.span,
                    "all other jobs are answered before",
                )
                .secondary(first.span, "by this one")
                .help("name the `job` that it answers, or leave it away"),
            );
            return None;
        }
        said.for_all.insert(by_job, ForAll { span: entry.span, is_now: true });
        let change = Change::Diff { row: Row::from(answer?), diff: 1 };
        Some(TestInput { topic: Mocked::Rest(id).topic(), changes: vec![change] })
    }

    /// The result or why there is none, with the job's id.
    fn outcome(
        &mut self,
        entry: &ast::Value,
        (result, fail): (Option<&ast::Value>, Option<&ast::Value>),
        name: Option<&ast::Value>,
        (operator, number): (&str, &str),
        contract: &Contract,
    ) -> Option<Vec<Value>> {
        let (result, words) = match (result, fail) {
            (Some(_), Some(fail)) => {
                self.report.push(
                    Diagnostic::new(names::VALUE, fail.span, "a job that fails has no result")
                        .help("leave one of `result` and `fail` away"),
                );
                return None;
            }
            (result, None) => {
                let result = self.needed(entry, "result", result)?;
                let what = format!("a result of operator `{operator}`");
                let wanted = (&*contract.result, &contract.result_units);
                (Value::Struct(self.fields(result, wanted, &what)?.into()), String::new())
            }
            (None, Some(fail)) => match &fail.kind {
                ast::ValueKind::Scalar { text, .. } if !text.is_empty() => {
                    (Value::None, text.clone())
                }
                ast::ValueKind::Error => return None,
                ast::ValueKind::Scalar { .. }
                | ast::ValueKind::List(_)
                | ast::ValueKind::Map(_)
                | ast::ValueKind::Computed(_) => {
                    let fault = Diagnostic::new(
                        names::VALUE,
                        fail.span,
                        "what went wrong is told in words",
                    );
                    self.report.push(fault.help("write it as in `fail: out of reach`"));
                    return None;
                }
            },
        };
        let id = match name.map(|name| &name.kind) {
            None => format!("{operator}-{number}"),
            Some(ast::ValueKind::Scalar { text, .. }) => text.clone(),
            Some(_) => {
                self.report.push(
                    Diagnostic::new(names::VALUE, entry.span, "the `id` of a job is a text")
                        .help("write it as in `id: job-1`, or leave it away"),
                );
                return None;
            }
        };
        Some(vec![result, Value::string(&id), Value::string(&words)])
    }

    /// `{ row: { … }, returns: [{ … }] }`
    fn capsule_answer(
        &mut self,
        (mock, step): (&ast::Mock, (NodeId, usize)),
        entry: &ast::Value,
        fields: &[Field],
    ) -> Option<Vec<Value>> {
        let [row, returns] = self.parts(entry, ["row", "returns"])?;
        let (node, idx) = step;
        let node = &self.flow.nodes[node.0];
        self.note_value(row, node.row_before(idx));
        self.note_value(returns, &node.steps[idx].row);
        let (row, returns) =
            (self.needed(entry, "row", row), self.needed(entry, "returns", returns));
        let (Type::Struct(before), Type::List(after)) = (&fields[0].ty, &fields[1].ty) else {
            return None;
        };
        let Type::Struct(after) = after.as_ref() else { return None };
        let row = self.fields(
            row?,
            (before, TimeUnits::none()),
            &format!("a row that comes to `{}`", mock.name.node),
        );
        let what = format!("a row that `{}` returns", mock.name.node);
        let returns = returns?;
        let returned: Vec<Option<Value>> = match &returns.kind {
            ast::ValueKind::List(rows) => rows.iter(),
            _ => std::slice::from_ref(returns).iter(),
        }
        .map(|row| self.fields(row, (after, TimeUnits::none()), &what))
        .map(|row| row.map(|values| Value::Struct(values.into())))
        .collect();
        let returned: Vec<Value> = returned.into_iter().collect::<Option<_>>()?;
        Some(vec![Value::Struct(row?.into()), Value::List(returned.into())])
    }

    /// What a kernel puts out from this step of the test on, as changes of what it did before.
    fn put_out(
        &mut self,
        mock: &ast::Mock,
        fields: &[Field],
        before: &mut BTreeMap<Row, i64>,
    ) -> Option<Vec<Change>> {
        let what = format!("a row that `{}` puts out", mock.name.node);
        let typed: Vec<Option<Vec<Value>>> = mock
            .entries
            .iter()
            .map(|entry| self.fields(entry, (fields, TimeUnits::none()), &what))
            .collect();
        let mut now: BTreeMap<Row, i64> = BTreeMap::new();
        for values in typed.into_iter().collect::<Option<Vec<_>>>()? {
            *now.entry(Row::from(values)).or_insert(0) += 1;
        }
        let mut diffs = now.clone();
        for (row, count) in std::mem::replace(before, now) {
            *diffs.entry(row).or_insert(0) -= count;
        }
        diffs.retain(|_, diff| *diff != 0);
        Some(diffs.into_iter().map(|(row, diff)| Change::Diff { row, diff }).collect())
    }

    /// The values under the keys of a mock.
    fn parts<'v, const N: usize>(
        &mut self,
        entry: &'v ast::Value,
        keys: [&str; N],
    ) -> Option<[Option<&'v ast::Value>; N]> {
        let ast::ValueKind::Map(entries) = &entry.kind else { return None };
        let mut complete = true;
        for (name, _) in entries.iter().filter(|(name, _)| !keys.contains(&name.as_str())) {
            complete = false;
            self.report.unknown(
                yaml::UNKNOWN_KEY,
                name.span,
                format!("a mock has no key `{}` here", name.node),
                name.as_str(),
                keys,
            );
        }
        let value = |key| entries.iter().find(|(name, _)| name.node == key).map(|(_, value)| value);
        complete.then(|| keys.map(value))
    }

    /// A value that is written out is of this type.
    fn note_value(&mut self, value: Option<&ast::Value>, row: &RowType) {
        if let (Some(notes), Some(value)) = (&mut self.notes, value) {
            notes.value(value, row);
        }
    }

    fn needed<'v>(
        &mut self,
        entry: &ast::Value,
        key: &str,
        value: Option<&'v ast::Value>,
    ) -> Option<&'v ast::Value> {
        if value.is_none() {
            self.report.push(
                Diagnostic::new(
                    yaml::MISSING_KEY,
                    entry.span,
                    format!("a mock here needs `{key}`"),
                )
                .help(match key {
                    "job" | "result" => {
                        "a mock of an operator is `{ job: { … }, result: { … } }`, or has `fail: …` in \
                         the place of the result"
                    }
                    _ => "a mock of a capsule is `{ row: { … }, returns: [{ … }] }`",
                }),
            );
        }
        value
    }

    fn fields(
        &mut self,
        value: &ast::Value,
        (ty, units): (&[Field], &TimeUnits),
        what: &str,
    ) -> Option<Vec<Value>> {
        match &value.kind {
            ast::ValueKind::Map(entries) => {
                typed_fields(entries, Wanted { ty, units, what }, value.span, self.report)
            }
            ast::ValueKind::Error => None,
            ast::ValueKind::Scalar { .. }
            | ast::ValueKind::List(_)
            | ast::ValueKind::Computed(_) => {
                self.report.push(
                    Diagnostic::new(
                        names::VALUE,
                        value.span,
                        format!("{what} is a map of its fields"),
                    )
                    .help("write `{ field: value }`"),
                );
                None
            }
        }
    }
}
