//! Marks: which topics tell a window how far time has come, and which rows carry their mark to it.
//!
//! A row is judged by its place in the log of the topic that it came in by. So from there to the
//! `window` it takes only steps that go row by row, and carries its mark along; where it does not,
//! the window is refused (E0306). A window closes by the marks of all topics that its rows come
//! from; where one of them has no event time, it never does.

use std::collections::{BTreeMap, BTreeSet};

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::code::{discipline, names, warnings};
use arqon_plan::{History, RetentionRule, WindowFrame};
use arqon_types::{Discipline, TopicName};

use crate::feeds::{Expiry, Writers, comes_in, expiry, history, is_control, watched, writers};
use crate::report::Report;
use crate::resolve::Resolved;
use crate::typed::{Input, NodeId, TopicId, TypedNode, Verb};
use crate::typing::Flow;

/// Which rows carry marks.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// Nodes that read rows with marks, with the number of steps that hand them on.
    pub(crate) nodes: BTreeMap<usize, usize>,
    /// Topics whose rows have marks.
    pub(crate) topics: BTreeSet<usize>,
    /// Which rows bring the time at which they came.
    pub(crate) arrivals: Arrivals,
}

/// Which rows bring the time at which they came to an expression that asks for it.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    /// Nodes whose rows do, with the last step before which they do.
    pub(crate) nodes: BTreeMap<usize, usize>,
    /// Topics whose rows do.
    pub(crate) topics: BTreeSet<usize>,
}

/// What a row brings from its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Brought {
    /// Its mark.
    Mark,
    /// The time at which it came.
    Arrival,
}

/// Finds the way of the marks, fills in which topics close each window, and reports windows that
/// cannot be judged.
pub(crate) fn trace_marks(resolved: &Resolved<'_>, flow: &mut Flow, report: &mut Report) -> Marks {
    let mut marks = Marks::default();
    let mut closing: Vec<(usize, usize, Vec<TopicName>)> = Vec::new();
    let writers = writers(resolved, flow);
    // What is refused here is not looked at again.
    let mut refused: Vec<(usize, usize)> = Vec::new();
    for (id, node) in flow.nodes.iter().enumerate() {
        refused.extend(second_window(node, report).map(|step| (id, step)));
        let Some(step) = node.judging_step() else { continue };
        let mut trace = Trace::new(resolved, flow, &writers, Brought::Mark);
        trace.node(NodeId(id), step);
        if let Some(fault) = trace.fault {
            not_judged(node, step, &fault, report);
            refused.push((id, step));
            continue;
        }
        let untimed = trace.fed.iter().find(|topic| resolved.topic(**topic).time.is_none());
        let topics = match untimed {
            Some(topic) => {
                if never_closes(resolved, node, step, *topic, report) {
                    refused.push((id, step));
                }
                Vec::new()
            }
            None => trace.fed.iter().map(|id| resolved.topic(*id).name.clone()).collect(),
        };
        closing.push((id, step, topics));
        extend(&mut marks.nodes, trace.marks.nodes);
        marks.topics.extend(trace.marks.topics);
    }
    for (node, step, topics) in closing {
        match &mut flow.nodes[node].steps[step].verb {
            Verb::Window(window) => window.topics = topics,
            Verb::Within(within) => within.topics = topics,
            _ => {}
        }
    }
    for (id, _) in watched(resolved, flow).into_iter().enumerate().filter(|(_, watched)| *watched) {
        if let Some(Expiry::Marked(_)) = expiry(resolved, TopicId(id), writers[id].len()) {
            marks.topics.insert(id);
        }
    }
    marks.arrivals = arrivals(resolved, flow, &writers, report);
    for (node, step) in refused {
        flow.nodes[node].steps[step].verb = Verb::Unknown;
    }
    idle_late(resolved, flow, &marks, report);
    marks
}

/// Finds the way of rows to the steps that ask when they came, and reports those that cannot know.
fn arrivals(
    resolved: &Resolved<'_>,
    flow: &Flow,
    writers: &Writers,
    report: &mut Report,
) -> Arrivals {
    let mut arrivals = Arrivals::default();
    for (id, node) in flow.nodes.iter().enumerate() {
        for (idx, step) in node.steps.iter().enumerate() {
            let Some(asked) = step.asks_arrival else { continue };
            let mut trace = Trace::new(resolved, flow, writers, Brought::Arrival);
            trace.node(NodeId(id), idx);
            if let Some(fault) = trace.fault {
                not_arrived(&step.address, asked, &fault, report);
                break;
            }
            extend(&mut arrivals.nodes, trace.marks.nodes);
            arrivals.topics.extend(trace.marks.topics);
        }
    }
    arrivals
}

/// Adds nodes with steps; of a node that is known the later step counts.
fn extend(known: &mut BTreeMap<usize, usize>, found: BTreeMap<usize, usize>) {
    for (node, step) in found {
        let last = known.entry(node).or_insert(0);
        *last = (*last).max(step);
    }
}

fn not_arrived(address: &str, asked: Span, fault: &Fault, report: &mut Report) {
    let help = match fault.word.strip_suffix(RETRACTS) {
        Some(_) => "let the topic carry `events` or `full`, or send the time in a field".to_owned(),
        None => {
            "give it a name right behind the topic: `- with: { came: epoch_time() }`".to_owned()
        }
    };
    report.push(
        Diagnostic::new(
            discipline::NOT_ARRIVED,
            asked,
            format!("`epoch_time()` at `{address}` stands behind {}", fault.word),
        )
        .label("when these rows came is not known here")
        .secondary(fault.span, "its rows bring no time along")
        .help(help),
    );
}

/// What is said of topics on which rows are taken back by their fields alone.
const RETRACTS: &str = ", which carries `delta`";

/// A step that hands no marks on.
struct Fault {
    /// Where it stands.
    span: Span,
    /// The word for it.
    word: String,
}

struct Trace<'r, 'a> {
    resolved: &'r Resolved<'a>,
    flow: &'r Flow,
    writers: &'r Writers,
    seen: BTreeSet<(usize, usize)>,
    /// The topics that the rows come in by.
    fed: BTreeSet<TopicId>,
    marks: Marks,
    brought: Brought,
    fault: Option<Fault>,
}

impl<'r, 'a> Trace<'r, 'a> {
    fn new(
        resolved: &'r Resolved<'a>,
        flow: &'r Flow,
        writers: &'r Writers,
        brought: Brought,
    ) -> Self {
        Self {
            resolved,
            flow,
            writers,
            seen: BTreeSet::new(),
            fed: BTreeSet::new(),
            marks: Marks::default(),
            brought,
            fault: None,
        }
    }
}

impl Trace<'_, '_> {
    /// Follows the rows before step `n_steps` of a node upwards.
    fn node(&mut self, NodeId(id): NodeId, n_steps: usize) {
        if !self.seen.insert((id, n_steps)) || self.fault.is_some() {
            return;
        }
        let known = self.marks.nodes.entry(id).or_insert(0);
        *known = (*known).max(n_steps);
        let node = &self.flow.nodes[id];
        if node.repeated.is_some() {
            self.fault.get_or_insert(Fault { span: node.span, word: "a `loop`".to_owned() });
            return;
        }
        for step in &node.steps[..n_steps] {
            if let Some(word) = self.word_of_state(&step.verb) {
                self.fault.get_or_insert(Fault { span: step.span, word });
                return;
            }
        }
        for source in &node.sources {
            match source.input {
                Input::Topic(topic) => self.topic(topic, source.span),
                Input::Node(node) | Input::Label(node, _) => {
                    let n_steps = self.flow.nodes[node.0].steps.len();
                    self.node(node, n_steps);
                }
                Input::Late(NodeId(node)) => {
                    let before = self.flow.nodes[node].judging_step().unwrap_or(0);
                    self.fault.get_or_insert(Fault {
                        span: source.span,
                        word: format!("rows that came too late for `{}`", {
                            &self.flow.nodes[node].steps[before].address
                        }),
                    });
                }
                Input::Errors(owner) => {
                    let name = self.resolved.owner_name(owner);
                    let word = format!("the errors of `{name}`");
                    self.fault.get_or_insert(Fault { span: source.span, word });
                }
                // Within a loop stands no window.
                Input::Local(_) | Input::Operator(_) => {}
            }
        }
    }

    /// What a step is called that does not bring along what is wanted.
    fn word_of_state(&self, verb: &Verb) -> Option<String> {
        match (self.brought, verb) {
            (Brought::Arrival, Verb::Window(_)) => Some("a `window`".to_owned()),
            (Brought::Arrival | Brought::Mark, verb) => word_of_state(verb),
        }
    }

    fn topic(&mut self, id: TopicId, span: Span) {
        let topic = self.resolved.topic(id);
        let writers = &self.writers[id.0];
        self.marks.topics.insert(id.0);
        if self.brought == Brought::Arrival && topic.ast().is_none() {
            let word = format!("topic `{}` of an operator", topic.name);
            self.fault.get_or_insert(Fault { span, word });
            return;
        }
        if self.brought == Brought::Arrival && is_control(self.resolved, id) && !writers.is_empty()
        {
            let word = format!("topic `{}`, which the flow writes back to itself", topic.name);
            self.fault.get_or_insert(Fault { span, word });
            return;
        }
        if comes_in(self.resolved, id, writers.len()) {
            if self.brought == Brought::Arrival && topic.discipline == Discipline::Delta {
                let word = format!("topic `{}`{RETRACTS}", topic.name);
                self.fault.get_or_insert(Fault { span, word });
                return;
            }
            self.fed.insert(id);
        }
        if writers.is_empty() {
            return;
        }
        let one_by_one = match topic.discipline {
            Discipline::Events => true,
            Discipline::Full => is_control(self.resolved, id),
            Discipline::Delta => topic.key.is_empty(),
        };
        if !one_by_one {
            let word = format!("topic `{}`, which has a key", topic.name);
            self.fault.get_or_insert(Fault { span, word });
            return;
        }
        if is_control(self.resolved, id) {
            return;
        }
        for (NodeId(node), _) in writers {
            self.node(NodeId(*node), self.flow.nodes[*node].steps.len());
        }
    }
}

/// What a step is called that does not go row by row; none for those that do.
fn word_of_state(verb: &Verb) -> Option<String> {
    let word = match verb {
        Verb::Where(_)
        | Verb::Project(..)
        | Verb::Unnest(_)
        | Verb::Route(_)
        | Verb::Carries(Discipline::Events | Discipline::Delta)
        | Verb::Unknown => return None,
        Verb::Window(window) => match window.frame {
            WindowFrame::Aligned { .. } if !window.is_final => return None,
            WindowFrame::Aligned { .. } => "a final `window`",
            WindowFrame::Session { .. } => "a `window` of sessions",
        },
        Verb::Within(_) => "`within`",
        Verb::Join { .. } => "`join`",
        Verb::Group { .. } => "`group`",
        Verb::Distinct { .. } => "`distinct`",
        Verb::Top(_) => "`top`",
        Verb::Over(_) => "`over`",
        Verb::Loop(_) => "`loop`",
        Verb::Carries(Discipline::Full) => "`carries: full`",
        Verb::Call(_) => "`call`",
        Verb::Kernel(_) => "`kernel`",
        Verb::Wasm(_) => "`wasm`",
    };
    Some(word.to_owned())
}

/// The word of a step that judges rows.
fn word_of(verb: &Verb) -> &'static str {
    match verb {
        Verb::Within(_) => "within",
        _ => "window",
    }
}

fn not_judged(node: &TypedNode, step: usize, fault: &Fault, report: &mut Report) {
    let step = &node.steps[step];
    let word = word_of(&step.verb);
    report.push(
        Diagnostic::new(
            discipline::NOT_JUDGED,
            step.span,
            format!("`{word}` at `{}` stands behind {}", step.address, fault.word),
        )
        .label("whether a row is late cannot be told here")
        .secondary(fault.span, "its rows have no place in the log of a topic")
        .help(format!(
            "put `{word}` first: between a topic and it stand only steps that take rows one by one"
        )),
    );
}

/// Whether the step waits for an end that never comes.
fn never_closes(
    resolved: &Resolved<'_>,
    node: &TypedNode,
    step: usize,
    topic: TopicId,
    report: &mut Report,
) -> bool {
    let step = &node.steps[step];
    let what = match &step.verb {
        Verb::Window(window) if window.is_final => "a final `window`",
        Verb::Within(_) => "`within`",
        _ => return false,
    };
    let topic = resolved.topic(topic);
    let field =
        topic.row.columns.iter().find(|column| {
            column.ty.as_ref().is_some_and(|ty| *ty == arqon_types::Type::Timestamp)
        });
    let field = field.map_or("at", |column| &*column.name);
    report.push(
        Diagnostic::new(
            discipline::NEVER_CLOSES,
            step.span,
            format!(
                "{what} at `{}` never closes: topic `{}` has no `time`",
                { &step.address },
                topic.name
            ),
        )
        .secondary(topic.span, "nothing here says how far event time has come")
        .help(format!("declare `time: {field}` on topic `{}`", topic.name)),
    );
    true
}

/// A node with two judging steps: `node.late` would have two meanings.
fn second_window(node: &TypedNode, report: &mut Report) -> Option<usize> {
    let mut judging = node
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| matches!(step.verb, Verb::Window(_) | Verb::Within(_)));
    let (_, first) = judging.next()?;
    let (idx, second) = judging.next()?;
    report.push(
        Diagnostic::new(
            names::SECOND_WINDOW,
            second.span,
            format!("node `{}` has a second `{}`", node.name, word_of(&second.verb)),
        )
        .secondary(first.span, "the first one")
        .help("give it a node of its own, which reads this one"),
    );
    Some(idx)
}

/// Topics whose `late` nothing asks for.
fn idle_late(resolved: &Resolved<'_>, flow: &Flow, marks: &Marks, report: &mut Report) {
    if report.has_errors() {
        return;
    }
    let writers = writers(resolved, flow);
    for (id, topic) in resolved.topics.iter().enumerate() {
        let Some(late) = topic.ast().and_then(|ast| ast.late.as_ref()) else { continue };
        let retention = expiry(resolved, TopicId(id), writers[id].len());
        let is_shown = topic.edge.emits() && is_by_time(history(resolved, TopicId(id)));
        if let Some(Expiry::Ruled(RetentionRule::Time { .. })) = retention {
            continue;
        }
        if is_shown {
            continue;
        }
        let why = if topic.time.is_none() {
            "it has no `time`"
        } else if !comes_in(resolved, TopicId(id), writers[id].len()) {
            "its rows come from the flow, and were judged where they came in"
        } else if !marks.topics.contains(&id) {
            match retention {
                Some(Expiry::Ruled(_)) => "no `window` reads it, and its `retain` is a size",
                Some(Expiry::Marked(_)) => "nobody sees its rows, or sees them go",
                None => "no `window` reads it, and it has no `retain`",
            }
        } else {
            continue;
        };
        report.push(Diagnostic::new(
            warnings::IDLE_LATE,
            late.span,
            format!("`late` of topic `{}` has no effect: {why}", topic.name),
        ));
    }
}

/// Whether a subscriber who comes later gets no events whose time was long ago.
fn is_by_time(history: History) -> bool {
    matches!(history, History::Ruled(RetentionRule::Time { .. }))
}
