//! The `tests:` of a circuit, typed: what is sent, what is expected, what it may cost.

mod mocks;

use std::collections::BTreeSet;

use arqon_grammar::Diagnostic;
use arqon_grammar::Spanned;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_operators::Place;
use arqon_types::{
    Change, Discipline, Float, Row, Schema, TopicName, error_schema, parse_timestamp,
};

use self::mocks::{Said, first_unanswered};
use crate::facts::Notes;
use crate::feeds::is_fed_from_outside;
use crate::places::Places;
use crate::raw::{Wanted, typed_fields};
use crate::report::Report;
use crate::resolve::{Resolved, TopicOrigin};
use crate::row_type::RowType;
use crate::typed::{NodeId, TopicId, TypedCall, Verb};
use crate::typing::Flow;

/// What holds for every circuit, whatever its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// Many epochs come to what one epoch comes to.
    Batch,
    /// Wherever the epochs are cut, the state after the same messages is the same.
    Split,
    /// The number of workers and the back end change nothing, epoch by epoch.
    Workers,
    /// What is inserted and deleted leaves nothing, neither in topics nor in state.
    Delete,
    /// Beginning again with the recorded input changes nothing that comes after.
    Restart,
    /// Every row that comes in goes out, is filtered, or is an error row.
    Conservation,
}

impl Law {
    /// All laws, in the order in which they are checked.
    pub const ALL: [Self; 6] =
        [Self::Batch, Self::Split, Self::Workers, Self::Delete, Self::Restart, Self::Conservation];

    /// As it is written in a test.
    pub fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Split => "split",
            Self::Workers => "workers",
            Self::Delete => "delete",
            Self::Restart => "restart",
            Self::Conservation => "conservation",
        }
    }
}

/// One named test; its examples run one after another on the same state, an epoch each.
#[derive(Debug, Clone, PartialEq)]
pub struct TestPlan {
    /// What it shows, in words.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// In order.
    pub examples: Vec<TestExample>,
    /// What is to hold for generated inputs.
    pub laws: Vec<NamedLaw>,
}

/// A law that a test names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NamedLaw {
    /// The law.
    pub law: Law,
    /// Where it is named.
    pub place: Place,
    /// How far apart floats may be where it compares rows.
    pub within: Float,
}

/// One epoch of a test.
#[derive(Debug, Clone, PartialEq)]
pub struct TestExample {
    /// When it comes, in nanoseconds since 1970; as the step before where it is not said.
    pub time: Option<i64>,
    /// Where it stands.
    pub place: Place,
    /// What is sent, in order.
    pub send: Vec<TestInput>,
    /// All changes that each topic named here makes in this epoch.
    pub expect: Vec<TestOutput>,
    /// How many updates the circuit may handle in this epoch.
    pub updates: Option<ast::Bound>,
    /// How far apart floats may be.
    pub within: Float,
}

/// Changes sent to one topic.
#[derive(Debug, Clone, PartialEq)]
pub struct TestInput {
    /// The topic.
    pub topic: TopicName,
    /// In order.
    pub changes: Vec<Change>,
}

/// Changes expected of one topic, in no order.
#[derive(Debug, Clone, PartialEq)]
pub struct TestOutput {
    /// The topic; `<node>.errors` for the errors of a node.
    pub topic: TopicName,
    /// What of its rows is compared: all fields, or of error rows those that the test names.
    pub schema: Schema,
    /// Which columns of its rows these are.
    pub columns: Vec<usize>,
    /// Where the topic is named.
    pub place: Place,
    /// Each row with its change of multiplicity.
    pub updates: Vec<(Row, i64)>,
}

/// Types all tests of a circuit; those with a fault are reported and left out.
pub(crate) fn type_tests(
    resolved: &Resolved<'_>,
    flow: &Flow,
    places: &Places<'_>,
    (report, notes): (&mut Report, Option<&mut Notes>),
) -> Vec<TestPlan> {
    let mut n_writers = vec![0_usize; resolved.topics.len()];
    for sink in flow.nodes.iter().flat_map(|node| &node.sinks) {
        n_writers[sink.topic.0] += 1;
    }
    for step in flow.nodes.iter().flat_map(|node| &node.steps) {
        if let Verb::Call(TypedCall { errors: Some(topic), .. }) = &step.verb {
            n_writers[topic.0] += 1;
        }
    }
    let mut tests = Tests { resolved, flow, places, report, notes, n_writers };
    let typed: Vec<Option<TestPlan>> =
        resolved.circuit.tests.iter().map(|test| tests.test(test)).collect();
    typed.into_iter().flatten().collect()
}

struct Tests<'r, 'a> {
    resolved: &'r Resolved<'a>,
    flow: &'r Flow,
    places: &'r Places<'r>,
    report: &'r mut Report,
    notes: Option<&'r mut Notes>,
    n_writers: Vec<usize>,
}

impl Tests<'_, '_> {
    fn test(&mut self, test: &ast::Test) -> Option<TestPlan> {
        let mut examples = Some(Vec::with_capacity(test.steps.len()));
        let mut laws = Vec::new();
        let mut said = Said::default();
        for step in &test.steps {
            let typed = match step {
                ast::TestStep::Example(example) => self.example(example, &mut said),
                ast::TestStep::Law(check) => {
                    laws.extend(self.law(check));
                    continue;
                }
            };
            examples = examples.zip(typed).map(|(mut examples, typed)| {
                examples.push(typed);
                examples
            });
        }
        Some(TestPlan {
            name: test.name.node.clone(),
            place: self.places.place(test.name.span),
            examples: examples?,
            laws,
        })
    }

    fn law(&mut self, check: &ast::LawCheck) -> Option<NamedLaw> {
        let within = check.within.as_ref().map_or(Some(Float::new(0.0)), |it| self.tolerance(it));
        let name = &check.law;
        let law = Law::ALL.into_iter().find(|law| law.name() == name.as_str());
        if law.is_none() {
            self.report.unknown(
                names::UNKNOWN_LAW,
                name.span,
                format!("there is no law `{}`", name.node),
                name.as_str(),
                Law::ALL.map(Law::name).to_vec(),
            );
        }
        if let (Some(Law::Conservation), Some(within)) = (law, &check.within) {
            let message = "`conservation` counts rows, and measures no distance between them";
            let fault = Diagnostic::new(names::LAW_TOLERANCE, within.span, message);
            self.report.push(fault.help("leave `within` away"));
        }
        let unanswered = first_unanswered(self);
        if let Some(first) = unanswered.filter(|_| law.is_some()) {
            self.report.push(
                Diagnostic::new(
                    names::LAW_OF_MOCKS,
                    name.span,
                    format!("nothing answers `{first}` when inputs are generated"),
                )
                .help("give examples with `mocks` instead"),
            );
            return None;
        }
        Some(NamedLaw { law: law?, place: self.places.place(name.span), within: within? })
    }

    /// How far apart floats may be.
    fn tolerance(&mut self, written: &Spanned<String>) -> Option<Float> {
        let read = written.node.parse().ok().filter(|it: &f64| it.is_finite() && *it >= 0.0);
        if read.is_none() {
            let message =
                format!("`within` wants a number that is not below 0, found `{}`", written.node);
            self.report.push(
                Diagnostic::new(names::VALUE, written.span, message)
                    .help("it is how far apart floats may be, as in `within: 0.001`"),
            );
        }
        read.map(Float::new)
    }

    /// When a step comes.
    fn time(&mut self, written: &Spanned<String>) -> Option<i64> {
        parse_timestamp(&written.node)
            .map_err(|error| {
                self.report.push(
                    Diagnostic::new(
                        names::VALUE,
                        written.span,
                        format!("`time` wants timestamp, found `{}`", written.node),
                    )
                    .note(error.to_string()),
                );
            })
            .ok()
    }

    fn example(&mut self, example: &ast::Example, said: &mut Said) -> Option<TestExample> {
        let mocks = self.mocks(&example.mocks, said);
        let send: Vec<Option<TestInput>> =
            example.send.iter().map(|(topic, rows)| self.input(topic, rows)).collect();
        let expect: Vec<Option<TestOutput>> =
            example.expect.iter().map(|(topic, rows)| self.output(topic, rows)).collect();
        let time = example.time.as_ref().and_then(|time| self.time(time));
        let within = example.within.as_ref().map_or(Some(Float::new(0.0)), |it| self.tolerance(it));
        Some(TestExample {
            time,
            place: self.places.place(example.span),
            send: mocks?.into_iter().map(Some).chain(send).collect::<Option<_>>()?,
            expect: expect.into_iter().collect::<Option<_>>()?,
            updates: example
                .cost
                .as_ref()
                .and_then(|cost| cost.updates.as_ref())
                .map(|bound| bound.node),
            within: within?,
        })
    }

    fn input(&mut self, name: &ast::Name, rows: &[ast::TestRow]) -> Option<TestInput> {
        let id = self.resolved.written_topic(name, "the test names", self.report)?;
        let topic = self.resolved.topic(id);
        if !is_fed_from_outside(self.resolved, id, self.n_writers[id.0]) {
            self.report.push(
                Diagnostic::new(
                    names::TEST_CHANGE,
                    name.span,
                    format!(
                        "the flow writes topic `{}`, so nobody else may send to it",
                        topic.name
                    ),
                )
                .help("send to the topics that the flow reads"),
            );
            return None;
        }
        self.note(rows, &topic.row);
        let schema = topic.schema()?;
        let changes: Vec<Option<Change>> =
            rows.iter().map(|row| self.change(id, row, &schema)).collect();
        Some(TestInput {
            topic: topic.name.clone(),
            changes: changes.into_iter().collect::<Option<_>>()?,
        })
    }

    fn change(&mut self, id: TopicId, row: &ast::TestRow, schema: &Schema) -> Option<Change> {
        let topic = self.resolved.topic(id);
        let mut wrong = |message: String, help: &str| {
            self.report.push(Diagnostic::new(names::TEST_CHANGE, row.span, message).help(help));
        };
        match (topic.discipline, row.change) {
            (Discipline::Events | Discipline::Full, ast::TestChange::Signed(_)) => {
                wrong(
                    format!("topic `{}` carries {}, not signed rows", topic.name, topic.discipline),
                    "write the row alone, `{ … }`",
                );
                None
            }
            (Discipline::Events | Discipline::Delta, ast::TestChange::Delete) => {
                wrong(
                    format!(
                        "topic `{}` carries {}, which have no keys to delete",
                        topic.name, topic.discipline
                    ),
                    "only topics that carry `full` take `$delete`",
                );
                None
            }
            (Discipline::Events, ast::TestChange::Plain) => {
                self.row(row, schema, id).map(Change::Insert)
            }
            (Discipline::Full, ast::TestChange::Plain) => {
                self.row(row, schema, id).map(Change::Upsert)
            }
            (Discipline::Full, ast::TestChange::Delete) => {
                let key = topic.key.iter().filter_map(|&at| schema.fields.get(at).cloned());
                let key = Schema { fields: key.collect(), ..schema.clone() };
                self.row(row, &key, id).map(Change::Delete)
            }
            (Discipline::Delta, ast::TestChange::Plain) => {
                self.row(row, schema, id).map(|row| Change::Diff { row, diff: 1 })
            }
            (Discipline::Delta, ast::TestChange::Signed(0)) => {
                wrong("a change of 0 changes nothing".to_owned(), "leave the row away");
                None
            }
            (Discipline::Delta, ast::TestChange::Signed(diff)) => {
                self.row(row, schema, id).map(|row| Change::Diff { row, diff })
            }
        }
    }

    fn row(&mut self, row: &ast::TestRow, schema: &Schema, id: TopicId) -> Option<Row> {
        let what = format!("a row of `{}`", self.resolved.topic(id).name);
        self.named_row(row, schema, &what)
    }

    fn named_row(&mut self, row: &ast::TestRow, schema: &Schema, what: &str) -> Option<Row> {
        match &row.row.kind {
            ast::ValueKind::Map(entries) => {
                let wanted = Wanted { ty: &*schema.fields, units: &schema.units, what };
                typed_fields(entries, wanted, row.row.span, self.report).map(Row::from)
            }
            ast::ValueKind::Error => None,
            ast::ValueKind::Scalar { .. }
            | ast::ValueKind::List(_)
            | ast::ValueKind::Computed(_) => {
                self.report.push(
                    Diagnostic::new(
                        names::VALUE,
                        row.row.span,
                        format!("{what} is a map of its fields"),
                    )
                    .help("write `{ field: value }`"),
                );
                None
            }
        }
    }

    fn output(&mut self, name: &ast::Name, rows: &[ast::TestRow]) -> Option<TestOutput> {
        let (schema, columns) = compared(self.output_schema(name, rows)?, rows);
        let what = format!("a row of `{}`", name.node);
        let mut updates = Some(Vec::with_capacity(rows.len()));
        for row in rows {
            let diff = match row.change {
                ast::TestChange::Plain => 1,
                ast::TestChange::Signed(diff) if diff != 0 => diff,
                ast::TestChange::Signed(_) | ast::TestChange::Delete => {
                    self.report.push(
                        Diagnostic::new(
                            names::TEST_CHANGE,
                            row.span,
                            "what is expected are signed rows",
                        )
                        .help("write `[+1, { … }]` for a row that comes, `[-1, { … }]` for one that goes"),
                    );
                    updates = None;
                    continue;
                }
            };
            let typed = self.named_row(row, &schema, &what);
            updates = updates.zip(typed).map(|(mut updates, row)| {
                updates.push((row, diff));
                updates
            });
        }
        Some(TestOutput {
            topic: TopicName::parse(name.as_str()).ok()?,
            schema,
            columns,
            place: self.places.place(name.span),
            updates: updates?,
        })
    }

    fn output_schema(&mut self, name: &ast::Name, rows: &[ast::TestRow]) -> Option<Schema> {
        if self.resolved.topic_id(name.as_str()).is_none()
            && let Some(owner) = name.node.strip_suffix(".errors")
            && (self.resolved.node_id(owner).is_some() || self.resolved.topic_id(owner).is_some())
        {
            return Some(error_schema());
        }
        if self.resolved.topic_id(name.as_str()).is_none()
            && let Some(owner) = name.node.strip_suffix(".late")
            && let Some(NodeId(id)) = self.resolved.node_id(owner)
            && let Some(step) = self.flow.nodes[id].judging_step()
        {
            let row = self.flow.nodes[id].row_before(step);
            self.note(rows, row);
            let fields = row.fields()?;
            return Some(Schema::new(name.as_str(), fields));
        }
        let id = self.resolved.written_topic(name, "the test names", self.report)?;
        let topic = self.resolved.topic(id);
        let is_written = self.n_writers[id.0] > 0
            || topic.edge.emits()
            || !matches!(topic.origin, TopicOrigin::Declared(_));
        if !is_written {
            self.report.push(
                Diagnostic::new(
                    names::TEST_CHANGE,
                    name.span,
                    format!("nothing in the circuit writes topic `{}`", topic.name),
                )
                .help("expect changes of a topic that a node writes"),
            );
            return None;
        }
        self.note(rows, &topic.row);
        topic.schema()
    }

    /// Rows that are written out are of this type.
    fn note(&mut self, rows: &[ast::TestRow], row: &RowType) {
        if let Some(notes) = &mut self.notes {
            for written in rows {
                notes.value(&written.row, row);
            }
        }
    }
}

/// The fields that are compared, and their columns: of error rows, whose words and places change
/// with the file, only what one of the expected rows names.
fn compared(schema: Schema, rows: &[ast::TestRow]) -> (Schema, Vec<usize>) {
    let named = rows.iter().flat_map(|row| match &row.row.kind {
        ast::ValueKind::Map(entries) => entries.as_slice(),
        ast::ValueKind::Scalar { .. }
        | ast::ValueKind::List(_)
        | ast::ValueKind::Computed(_)
        | ast::ValueKind::Error => &[],
    });
    let named: BTreeSet<&str> = named.map(|(name, _)| name.as_str()).collect();
    let is_known = |name: &str| schema.fields.iter().any(|field| *field.name == *name);
    let all = 0..schema.fields.len();
    let is_partial = schema.fields == error_schema().fields
        && !named.is_empty()
        && named.iter().all(|name| is_known(name));
    if !is_partial {
        return (schema, all.collect());
    }
    let columns: Vec<usize> = all.filter(|at| named.contains(&*schema.fields[*at].name)).collect();
    let fields = columns.iter().map(|at| schema.fields[*at].clone()).collect();
    (Schema { fields, ..schema }, columns)
}
