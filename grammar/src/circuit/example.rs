//! `tests:`: examples and laws.

use super::reader::Item;
use super::reader::ROW_COUNT;
use super::reader::Reader;
use super::value::Computing;
use crate::ast::Bound;
use crate::ast::BoundComparison;
use crate::ast::Cost;
use crate::ast::Example;
use crate::ast::LawCheck;
use crate::ast::Mock;
use crate::ast::Name;
use crate::ast::Test;
use crate::ast::TestChange;
use crate::ast::TestRow;
use crate::ast::TestStep;
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::name::NameRule;
use crate::quantity;
use crate::span::Spanned;
use crate::yaml::NodeId;

pub(crate) const STEP_KEYS: &[&str] = &["send", "expect", "cost", "law", "within", "mocks", "time"];
pub(crate) const COST_KEYS: &[&str] = &["updates"];
/// What an operator answers, in a test.
pub(crate) const JOB_MOCK_KEYS: &[&str] = &["job", "result", "fail", "id"];
/// What a capsule answers, in a test.
pub(crate) const CAPSULE_MOCK_KEYS: &[&str] = &["row", "returns"];

impl<'a> Reader<'a> {
    /// `tests:`.
    pub(crate) fn tests(&mut self, id: NodeId) -> Vec<Test> {
        let items = self.expect_map(id, "a map of tests").unwrap_or_default();
        let mut tests = Vec::with_capacity(items.len());
        for item in items {
            if self.map(item.value).is_none() {
                self.expect_list(item.value, "a list of test steps");
            }
            let steps = self.steps_of(item.value);
            let steps: Vec<TestStep> =
                steps.into_iter().filter_map(|step| self.test_step(step, item)).collect();
            let name = Spanned::new(item.key.to_owned(), item.span);
            tests.push(Test { name, steps });
        }
        tests
    }

    /// The steps of a test; a single map is one step, anything else has been reported.
    fn steps_of(&self, id: NodeId) -> Vec<NodeId> {
        let is_map = self.map(id).is_some();
        if is_map { vec![id] } else { self.list(id).unwrap_or_default().to_vec() }
    }

    fn test_step(&mut self, id: NodeId, test: Item<'a>) -> Option<TestStep> {
        // A step has no key of its own: what it lacks is shown at its first one.
        let first = self.map(id).and_then(|items| items.first().copied());
        let owner = first.map_or(test.span, |item| item.span);
        let fields = self.fields(id, "a test step", owner, STEP_KEYS)?;
        let within = fields.value("within").and_then(|value| {
            self.expect_text(value, "a tolerance").map(|text| text.map(str::to_owned))
        });
        if let Some(law) = fields.get("law") {
            for key in ["send", "expect", "cost", "mocks", "time"] {
                if let Some(other) = fields.get(key) {
                    self.report(
                        Diagnostic::new(
                            code::yaml::UNKNOWN_KEY,
                            other.span,
                            format!("a law has no `{key}`"),
                        )
                        .help("its inputs are generated; put an example in a step of its own"),
                    );
                }
            }
            let law = self.name(law.value, NameRule::Plain, "law")?;
            return Some(TestStep::Law(LawCheck { law, within, span: fields.span }));
        }
        let mocks = fields.value("mocks").map(|value| self.mocks(value)).unwrap_or_default();
        let keys = ["send", "expect", "mocks"];
        if keys.iter().all(|key| fields.get(key).is_none()) {
            self.require(&fields, "send");
        }
        let send = fields.value("send").map(|value| self.rows_by_topic(value)).unwrap_or_default();
        let expect =
            fields.value("expect").map(|value| self.rows_by_topic(value)).unwrap_or_default();
        let cost = fields.get("cost").and_then(|item| {
            let fields = self.fields(item.value, "a cost", item.span, COST_KEYS)?;
            let updates = fields
                .value("updates")
                .and_then(|value| self.quantity(value, "a bound, as in `\"<= 8\"`", bound));
            Some(Cost { updates })
        });
        let time = fields.value("time").and_then(|value| {
            self.expect_text(value, "a time").map(|text| text.map(str::to_owned))
        });
        let span = fields.span;
        Some(TestStep::Example(Example { mocks, time, send, expect, cost, within, span }))
    }

    fn mocks(&mut self, id: NodeId) -> Vec<Mock> {
        let what = "a map of operators, kernels and capsules, and what they answer";
        let items = self.expect_map(id, what).unwrap_or_default();
        let mut mocks = Vec::with_capacity(items.len());
        for item in items {
            let entries = self.expect_list(item.value, "a list of answers").unwrap_or_default();
            let entries = entries.iter().filter_map(|entry| {
                self.expect_map(*entry, "an answer, as in `{ job: { … }, result: { … } }`")?;
                Some(self.value(*entry, Computing::NotHere))
            });
            let entries = entries.collect();
            mocks.push(Mock { name: Spanned::new(item.key.to_owned(), item.span), entries });
        }
        mocks
    }

    fn rows_by_topic(&mut self, id: NodeId) -> Vec<(Name, Vec<TestRow>)> {
        let items = self.expect_map(id, "a map of topics and their rows").unwrap_or_default();
        let mut topics = Vec::with_capacity(items.len());
        for item in items {
            let name = self.key_name(item, NameRule::Dotted, "topic");
            let rows = self.expect_list(item.value, "a list of rows").unwrap_or_default();
            let rows: Vec<TestRow> = rows.iter().filter_map(|row| self.test_row(*row)).collect();
            topics.extend(name.map(|name| (name, rows)));
        }
        topics
    }

    /// `{ … }`, `[+1, { … }]` or `{ $delete: { … } }`.
    fn test_row(&mut self, id: NodeId) -> Option<TestRow> {
        let span = self.span(id);
        if let Some([sign, row]) = self.list(id) {
            let count = self
                .quantity(*sign, ROW_COUNT, |text| text.parse().ok().filter(|count| *count != 0))?;
            let row = self.row(*row)?;
            return Some(TestRow { change: TestChange::Signed(count.node), row, span });
        }
        if self.list(id).is_some() {
            self.wrong_shape(id, "a row `{ … }`, or a change `[+1, { … }]`");
            return None;
        }
        if let Some([item]) = self.map(id).as_deref()
            && item.key == "$delete"
        {
            let row = self.value(item.value, Computing::NotHere);
            return Some(TestRow { change: TestChange::Delete, row, span });
        }
        let row = self.row(id)?;
        Some(TestRow { change: TestChange::Plain, row, span })
    }

    fn row(&mut self, id: NodeId) -> Option<crate::ast::Value> {
        self.expect_map(id, "a row `{ … }`, or a change `[+1, { … }]`")?;
        Some(self.value(id, Computing::NotHere))
    }
}

/// `<= 8`.
fn bound(text: &str) -> Option<Bound> {
    let n_symbols = text.bytes().take_while(|b| matches!(b, b'<' | b'=' | b'>')).count();
    let comparison = match &text[..n_symbols] {
        "<" => BoundComparison::Less,
        "<=" => BoundComparison::AtMost,
        "==" | "" => BoundComparison::Exactly,
        ">=" => BoundComparison::AtLeast,
        ">" => BoundComparison::More,
        _ => return None,
    };
    Some(Bound { comparison, value: quantity::whole(text[n_symbols..].trim())? })
}
