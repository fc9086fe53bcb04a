//! Plans as text, for people and for golden files: one line per step, nothing that depends on
//! the machine or the day.

mod expression;
mod window;
mod kernel;

use arqon_operators::{Expr, ExprKind};
use arqon_types::{Edge, Field, Schema, format_duration};

use crate::dataflow::{
    Arrangement, DataflowPlan, Group, History, Join, JoinKind, JoinOutput, JoinReader, JoinSide,
    LogOrder, LoopId, Operator, Order, Over, OverFunction, OverKind, Retention, RetentionRule,
    SortKey, Stage, StageKind, Step, StepId, Ties, Top,
};
use crate::derive::extent::bytes_text;
use crate::facts::{Held, State};
use crate::graph::{FlowNode, Plan};
use crate::vertex::{
    Endpoint, FlowStep, Merge, Port, Projection, ProjectionWord, Right, Topic, TopicOrigin, Verb,
    Vertex, VertexId, WasmStep,
};

pub use expression::expression_text;
use kernel::{kernel_plan_text, kernel_text};
use window::{
    closing_text, release_text, session_text, window_step_text, window_text, within_step_text,
};

/// The plan: topics, operators, nodes with their steps, roles; each with schema, discipline and
/// the bound of what it holds.
pub fn plan_text(plan: &Plan) -> String {
    let mut out = Lines::default();
    out.line(0, format!("circuit {}", plan.circuit));
    out.line(0, format!("namespace {}", plan.namespace));
    for (id, topic) in plan.topics() {
        out.blank();
        topic_lines(plan, id, topic, &mut out);
    }
    for (id, endpoint) in plan.endpoints() {
        out.blank();
        endpoint_lines(plan, id, endpoint, &mut out);
    }
    for node in plan.nodes() {
        out.blank();
        node_lines(plan, &node, &mut out);
    }
    if !plan.roles.is_empty() {
        out.blank();
    }
    for role in &plan.roles {
        let grants: Vec<String> = role
            .grants
            .iter()
            .map(|grant| {
                let right = match grant.right {
                    Right::Publish => "publish",
                    Right::Subscribe => "subscribe",
                    Right::Execute => "execute",
                };
                format!("{right} {}", grant.target)
            })
            .collect();
        out.line(0, format!("role {}: {}", role.name, grants.join(", ")));
    }
    out.text
}

/// The dataflow plan: topics, steps by number with their inputs, outputs.
pub fn dataflow_text(plan: &DataflowPlan) -> String {
    let mut out = Lines::default();
    out.line(0, format!("dataflow of {}", plan.circuit));
    if let Some(max) = plan.state_bytes_max {
        out.line(0, format!("state at most {max} bytes"));
    }
    for topic in &plan.topics {
        let mut words = vec![format!("topic {} {}", topic.name, topic.discipline)];
        if !topic.key.is_empty() {
            words.push(format!("key ({})", named(&topic.schema, &topic.key)));
        }
        if topic.edge != Edge::None {
            words.push(format!("edge {}", topic.edge));
        }
        if !topic.verified {
            words.push("unverified".to_owned());
        }
        if topic.arrival {
            words.push("with arrival".to_owned());
        }
        if let Some(late) = topic.lateness {
            words.push(format!("marked late {}", format_duration(late)));
        }
        match topic.history {
            History::All => {}
            History::Nothing => words.push("without history".to_owned()),
            History::Ruled(rule) => {
                words.push(format!("with history {}", rule_text(rule, &topic.schema)));
            }
        }
        words.push(schema_text(&topic.schema));
        out.line(0, words.join(" "));
    }
    out.blank();
    for (idx, step) in plan.steps.iter().enumerate() {
        step_lines(plan, idx, step, &numbered, &mut out);
    }
    out.blank();
    for output in &plan.outputs {
        out.line(0, format!("output {} = #{}", output.topic, output.step.0));
    }
    for feedback in &plan.feedbacks {
        out.line(0, format!("next epoch {} takes #{}", feedback.topic, feedback.step.0));
    }
    out.text
}

/// One step of a dataflow plan, as [`dataflow_text`] has it, where steps are called as `name` says.
pub fn step_text(plan: &DataflowPlan, id: StepId, name: &dyn Fn(StepId) -> String) -> String {
    let mut out = Lines::default();
    if let Some(step) = plan.steps.get(id.index()) {
        step_lines(plan, id.index(), step, name, &mut out);
    }
    out.text
}

/// A step's name by its place.
fn numbered(StepId(id): StepId) -> String {
    format!("#{id}")
}

/// `Revenue { region: string, orders: int64 }`
pub fn schema_text(schema: &Schema) -> String {
    let units = schema.units.paths().into_iter();
    let units: Vec<String> = units.map(|(path, unit)| format!("{path} in {unit}")).collect();
    let integers = if units.is_empty() { "" } else { ", integers of " };
    let fields = fields_text(&schema.fields);
    format!("{} {fields}{integers}{}", schema.name, units.join(", "))
}

/// What a vertex holds, as people read it: `stateless`, or a formula.
pub fn state_text(plan: &Plan, state: &State) -> String {
    match state {
        State::Stateless => "stateless".to_owned(),
        State::Bounded(text) => text.to_string(),
        State::Unbounded { topic, held } => {
            let topic = plan.label(*topic);
            match held {
                Held::JoinLeft
                | Held::JoinRight
                | Held::Top
                | Held::Over
                | Held::Distinct
                | Held::Loop
                | Held::Sessions
                | Held::Kernel(_)
                | Held::Topic => format!("every row of {topic}, without bound"),
                Held::Groups(keys) => {
                    format!("a group for every {} of {topic}, without bound", keys.join(", "))
                }
                Held::Values(aggregates) => {
                    format!("every value of {topic} for {}, without bound", aggregates.join(", "))
                }
            }
        }
        State::Unknown => "unknown".to_owned(),
    }
}

/// A step in one line, nearly as it is written in the circuit; `names` are the columns of the
/// rows that come in.
pub fn verb_text(plan: &Plan, id: VertexId, step: &FlowStep) -> String {
    let input = input_columns(plan, id, &Port::Main);
    match &step.verb {
        Verb::From => {
            let names: Vec<&str> = plan.inputs(id).map(|wire| plan.label(wire.from)).collect();
            format!("from {}", names.join(", "))
        }
        Verb::Where(condition) => format!("where {}", expression_text(condition, &input)),
        Verb::Project(projection) => projection_text(projection, &input, &step.schema),
        Verb::Unnest(unnest) => {
            let name = step.schema.fields.get(unnest.field).map_or("?", |it| &*it.name);
            format!("unnest {}", computed(name, &expression_text(&unnest.list, &input)))
        }
        Verb::Join(join) => {
            let right = plan.inputs(id).find(|wire| wire.wire.port == Port::Right);
            let other = right.map_or("nothing", |wire| plan.label(wire.from));
            let right = input_columns(plan, id, &Port::Right);
            join_text(join, other, (&input, &right), &step.schema)
        }
        Verb::Group(group) => group_text(group, &input, &step.schema),
        Verb::Distinct => "distinct".to_owned(),
        Verb::Top(top) => top_text(top, &input, &step.schema),
        Verb::Over(over) => over_text(over, &input, &step.schema),
        Verb::Window(window) => window_step_text(window, &input),
        Verb::Within(within) => within_step_text(within, &input),
        Verb::Late(_) => "rows that came too late".to_owned(),
        Verb::Route(route) => {
            let branches: Vec<String> = route
                .branches
                .iter()
                .map(|(label, condition)| match condition {
                    Some(condition) => format!("{label}: {}", expression_text(condition, &input)),
                    None => format!("{label}: else"),
                })
                .collect();
            format!("route {}", branches.join(", "))
        }
        Verb::Arm(_) => "takes its rows of the route".to_owned(),
        Verb::Carries(discipline) => format!("carries {discipline}"),
        Verb::Variable(variable) => {
            let next: Vec<&str> = plan
                .inputs(id)
                .filter(|wire| wire.wire.port == Port::Next)
                .map(|wire| plan.label(wire.from))
                .collect();
            let merge = merge_text(&variable.merge, &step.schema);
            let rounds = if variable.exact { "exactly" } else { "at most" };
            format!(
                "loop merge {merge}, {rounds} {} rounds, again with {}",
                variable.rounds,
                next.join(", ")
            )
        }
        Verb::Leave { .. } => "when nothing changes".to_owned(),
        Verb::Call(call) => {
            let job: Vec<String> = call
                .job
                .iter()
                .map(|(name, value)| format!("{name}: {}", expression_text(value, &input)))
                .collect();
            let keep: Vec<String> =
                call.keep.iter().map(|kept| expression_text(kept, &input)).collect();
            let keep =
                if keep.is_empty() { String::new() } else { format!(" keep {}", keep.join(", ")) };
            format!("call {} {{ {} }}{keep}", call.operator, job.join(", "))
        }
        Verb::Kernel(kernel) => kernel_text(kernel),
        Verb::Wasm(wasm) => wasm_text(wasm),
        Verb::Unknown => "could not be typed".to_owned(),
    }
}

fn wasm_text(step: &WasmStep) -> String {
    let limits = [
        step.fuel.map(|fuel| format!("fuel {fuel}")),
        step.memory_bytes.map(|bytes| format!("memory {}", bytes_text(bytes))),
        step.time_nanos.map(|nanos| format!("time {}", format_duration(nanos))),
        step.output_bytes.map(|bytes| format!("output {}", bytes_text(bytes))),
    ];
    let limits = limits.into_iter().flatten();
    let words = [format!("wasm {}", step.capsule)].into_iter().chain(limits);
    words.collect::<Vec<_>>().join(" ")
}

#[derive(Default)]
struct Lines {
    text: String,
}

impl Lines {
    fn line(&mut self, indent: usize, content: impl AsRef<str>) {
        for _ in 0..indent {
            self.text.push_str("  ");
        }
        self.text.push_str(content.as_ref());
        self.text.push('\n');
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }
}

fn topic_lines(plan: &Plan, id: VertexId, topic: &Topic, out: &mut Lines) {
    let mut words = vec![format!("topic {}", topic.name), topic.discipline.to_string()];
    if !topic.key.is_empty() {
        words.push(format!("key ({})", topic.key_names()));
    }
    if topic.edge != Edge::None {
        words.push(format!("edge {}", topic.edge));
    }
    match &topic.origin {
        TopicOrigin::Declared => {}
        TopicOrigin::Errors { node } => words.push(format!("errors of {node}")),
        TopicOrigin::Late { node } => words.push(format!("late for {node}")),
        TopicOrigin::Jobs { operator } => words.push(format!("jobs of {operator}")),
        TopicOrigin::Results { operator } => words.push(format!("results of {operator}")),
    }
    if let Some(retain) = topic.retain_text() {
        words.push(format!("retain {retain}"));
    }
    if let Some(time) = topic.time {
        words.push(format!("time {}", named(&topic.schema, &[time])));
    }
    if topic.late != 0 {
        words.push(format!("late {}", format_duration(topic.late)));
    }
    let flags =
        [(topic.control, "control"), (topic.shared, "shared"), (!topic.verified, "unverified")];
    words.extend(flags.iter().filter(|(is_set, _)| *is_set).map(|(_, word)| (*word).to_owned()));
    out.line(0, words.join(" "));
    out.line(1, schema_text(&topic.schema));
    held_line(plan, id, out);
    let writers = names(plan.inputs(id).map(|wire| plan.label(wire.from)));
    let readers = names(plan.outputs(id).map(|wire| plan.label(wire.to)));
    out.line(1, format!("from {writers}; to {readers}"));
}

fn names<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut known: Vec<&str> = Vec::new();
    for name in names {
        if !known.contains(&name) {
            known.push(name);
        }
    }
    if known.is_empty() { "nobody".to_owned() } else { known.join(", ") }
}

fn held_line(plan: &Plan, id: VertexId, out: &mut Lines) {
    let state = &plan.facts(id).state;
    if *state != State::Stateless {
        out.line(1, format!("holds {}", state_text(plan, state)));
    }
}

fn endpoint_lines(plan: &Plan, id: VertexId, endpoint: &Endpoint, out: &mut Lines) {
    let contract =
        if endpoint.contract.is_empty() { "its own contract" } else { &endpoint.contract };
    out.line(0, format!("operator {} {contract}", endpoint.name));
    for (idx, via) in endpoint.vias.iter().enumerate() {
        let used = if endpoint.selected == Some(idx) { " (in use)" } else { "" };
        out.line(1, format!("via {}: {}{used}", via.name, via.transport));
    }
    let reads = names(plan.inputs(id).map(|wire| plan.label(wire.from)));
    let writes = names(plan.outputs(id).map(|wire| plan.label(wire.to)));
    out.line(1, format!("reads {reads}; writes {writes}"));
}

fn node_lines(plan: &Plan, node: &FlowNode<'_>, out: &mut Lines) {
    out.line(0, format!("node {}", node.name));
    let mut before: Option<&Schema> = None;
    for id in &node.steps {
        let Vertex::Step(step) = plan.vertex(*id) else { continue };
        out.line(1, format!("{}  {}", step.address, verb_text(plan, *id, step)));
        let facts = plan.facts(*id);
        let rows = if before.is_some_and(|before| before.fields == step.schema.fields) {
            None
        } else {
            Some(fields_text(&step.schema.fields))
        };
        let discipline = facts.discipline.map_or("unknown".to_owned(), |it| it.to_string());
        if let Some(rows) = rows {
            out.line(2, format!("{discipline} {rows}"));
        }
        if facts.state != State::Stateless {
            out.line(2, format!("holds {}", state_text(plan, &facts.state)));
        }
        for wire in plan.outputs(*id) {
            if let (Vertex::Topic(topic), Port::Main) = (plan.vertex(wire.to), &wire.wire.port) {
                out.line(2, format!("to {}", topic.name));
            }
        }
        before = Some(&step.schema);
    }
}

/// `{ region: string, orders: int64 }`
pub fn fields_text(fields: &[Field]) -> String {
    let fields: Vec<String> =
        fields.iter().map(|field| format!("{}: {}", field.name, field.ty)).collect();
    if fields.is_empty() { "{ }".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
}

fn input_columns(plan: &Plan, id: VertexId, port: &Port) -> Vec<String> {
    let wire = plan.inputs(id).find(|wire| wire.wire.port == *port);
    wire.map_or_else(Vec::new, |wire| columns(&wire.wire.schema))
}

fn columns(schema: &Schema) -> Vec<String> {
    schema.fields.iter().map(|field| field.name.to_string()).collect()
}

fn named(schema: &Schema, columns: &[usize]) -> String {
    named_of(&self::columns(schema), columns)
}

fn named_of(names: &[String], columns: &[usize]) -> String {
    let names: Vec<&str> =
        columns.iter().map(|column| names.get(*column).map_or("?", String::as_str)).collect();
    names.join(", ")
}

/// `name: expression`, or the expression alone where it is a path that ends in the name.
fn computed(name: &str, text: &str) -> String {
    let last = text.rsplit('.').next().unwrap_or(text);
    if last == name { text.to_owned() } else { format!("{name}: {text}") }
}

fn projection_text(projection: &Projection, input: &[String], schema: &Schema) -> String {
    let fields = schema.fields.iter().zip(projection.fields.iter());
    let text =
        |(field, expr): (&Field, &Expr)| computed(&field.name, &expression_text(expr, input));
    match projection.word {
        ProjectionWord::Select | ProjectionWord::Distinct => {
            format!("select {}", fields.map(text).collect::<Vec<_>>().join(", "))
        }
        ProjectionWord::With => {
            let new: Vec<String> = fields
                .filter(|(field, expr)| expression_text(expr, input) != *field.name)
                .map(text)
                .collect();
            format!("with {}", new.join(", "))
        }
        ProjectionWord::Drop => {
            let kept: Vec<&str> = schema.fields.iter().map(|field| &*field.name).collect();
            let gone: Vec<&str> =
                input.iter().map(String::as_str).filter(|name| !kept.contains(name)).collect();
            format!("drop {}", gone.join(", "))
        }
    }
}

fn join_text(
    join: &Join,
    other: &str,
    (left, right): (&[String], &[String]),
    schema: &Schema,
) -> String {
    let kind = match join.kind {
        JoinKind::Inner => "join",
        JoinKind::Left => "left join",
        JoinKind::Full => "full join",
        JoinKind::Semi => "semi join",
        JoinKind::Anti => "anti join",
    };
    let pairs: Vec<String> = join
        .left_key
        .iter()
        .zip(&join.right_key)
        .map(|(one, other)| {
            format!("{} = {}", expression_text(one, left), expression_text(other, right))
        })
        .collect();
    let on = if pairs.is_empty() { "crossed".to_owned() } else { pairs.join(", ") };
    let alias = match join.output {
        JoinOutput::Nested => schema.fields.last().map(|field| &*field.name),
        JoinOutput::Flat | JoinOutput::LeftOnly => None,
    };
    let prefix = alias.map_or_else(|| format!("{other}."), |alias| format!("{alias}."));
    let named = alias.map_or_else(String::new, |alias| format!(" as {alias}"));
    let asof = join.asof.as_ref().map_or_else(String::new, |asof| {
        let at = expression_text(unlifted(&asof.left), left);
        let of = expression_text(unlifted(&asof.right), right);
        let within = asof
            .within
            .map_or_else(String::new, |nanos| format!(" within {}", format_duration(nanos)));
        format!(" asof {of} at {at}{within}")
    });
    let residual = join.residual.as_ref().map_or_else(String::new, |residual| {
        let both: Vec<String> = left
            .iter()
            .cloned()
            .chain(right.iter().map(|name| format!("{prefix}{name}")))
            .collect();
        format!(" where {}", expression_text(residual, &both))
    });
    format!("{kind} {other}{named} on {on}{asof}{residual}")
}

/// The value that an expression only makes an option of.
fn unlifted(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Cast(of) if of.ty == *expr.ty.required() => of,
        _ => expr,
    }
}

fn group_text(group: &Group, input: &[String], schema: &Schema) -> String {
    let name = |idx: usize| schema.fields.get(idx).map_or("?", |field| &*field.name);
    let keys: Vec<String> = group
        .keys
        .iter()
        .enumerate()
        .map(|(idx, key)| computed(name(idx), &expression_text(key, input)))
        .collect();
    let aggregates: Vec<String> = group
        .aggregates
        .iter()
        .enumerate()
        .map(|(idx, aggregate)| {
            let text = expression::aggregate_text(aggregate, input);
            format!("{}: {text}", name(group.keys.len() + idx))
        })
        .collect();
    let by =
        if keys.is_empty() { "all rows".to_owned() } else { format!("by {}", keys.join(", ")) };
    if aggregates.is_empty() {
        format!("group {by}")
    } else {
        format!("group {by} agg {}", aggregates.join(", "))
    }
}

fn top_text(top: &Top, input: &[String], schema: &Schema) -> String {
    let by = order_text(&top.by, input);
    let mut text = format!("top {} by {by}", top.n);
    if !top.per.is_empty() {
        let per: Vec<String> = top.per.iter().map(|per| expression_text(per, input)).collect();
        text = format!("{text} per {}", per.join(", "));
    }
    if top.offset != 0 {
        text = format!("{text} offset {}", top.offset);
    }
    if top.ties == Ties::All {
        text.push_str(" ties all");
    }
    if let (true, Some(field)) = (top.rank, schema.fields.last()) {
        text = format!("{text} rank {}", field.name);
    }
    text
}

fn merge_text(merge: &Merge, schema: &Schema) -> String {
    match merge {
        Merge::Distinct => "distinct".to_owned(),
        Merge::Best { order, field, by } => {
            let word = match order {
                Order::Ascending => "min",
                Order::Descending => "max",
            };
            format!("{word} {} by {}", named(schema, &[*field]), named(schema, by))
        }
    }
}

fn loop_text(plan: &DataflowPlan, of: LoopId) -> String {
    plan.loops.get(of.index()).map_or_else(String::new, |it| {
        let rounds = if it.exact { "exactly" } else { "at most" };
        format!("{}, {rounds} {} rounds", it.address, it.rounds)
    })
}

fn order_text(by: &[SortKey], input: &[String]) -> String {
    let key = |key: &SortKey| {
        let text = expression_text(&key.expr, input);
        match key.order {
            Order::Ascending => text,
            Order::Descending => format!("{text} desc"),
        }
    };
    by.iter().map(key).collect::<Vec<_>>().join(", ")
}

fn over_text(over: &Over, input: &[String], schema: &Schema) -> String {
    let name = |idx: usize| schema.fields.get(idx).map_or("?", |field| &*field.name);
    let function = |(idx, function): (usize, &OverFunction)| {
        let text = |expr: &Expr| expression_text(expr, input);
        let text = match &function.kind {
            OverKind::Lag { of, n } => format!("lag({}, {n})", text(of)),
            OverKind::Lead { of, n } => format!("lead({}, {n})", text(of)),
            OverKind::First { of, rows } => last_rows(&format!("first({})", text(of)), *rows),
            OverKind::RowNumber => "row_number()".to_owned(),
            OverKind::Rank => "rank()".to_owned(),
            OverKind::DenseRank => "dense_rank()".to_owned(),
            OverKind::Aggregate { aggregate, rows } => {
                last_rows(&expression::aggregate_text(aggregate, input), *rows)
            }
        };
        format!("{}: {text}", name(input.len() + idx))
    };
    let functions: Vec<String> = over.functions.iter().enumerate().map(function).collect();
    let per: Vec<String> = over.per.iter().map(|per| expression_text(per, input)).collect();
    let per = if per.is_empty() { String::new() } else { format!(" per {}", per.join(", ")) };
    let by = order_text(&over.by, input);
    let by = if by.is_empty() { by } else { format!(" by {by}") };
    format!("over{per}{by} with {}", functions.join(", "))
}

/// A call with one more argument: how many rows count.
fn last_rows(call: &str, rows: Option<u64>) -> String {
    match (rows, call.strip_suffix("()"), call.strip_suffix(')')) {
        (Some(rows), Some(function), _) => format!("{function}(rows={rows})"),
        (Some(rows), None, Some(call)) => format!("{call}, rows={rows})"),
        (None, ..) | (Some(_), None, None) => call.to_owned(),
    }
}

fn step_lines(
    plan: &DataflowPlan,
    idx: usize,
    step: &Step,
    name: &dyn Fn(StepId) -> String,
    out: &mut Lines,
) {
    let at = |place: usize| {
        let input = step.inputs.get(place).and_then(|id| plan.steps.get(id.index()));
        input.map_or_else(Vec::new, |input| columns(&input.schema))
    };
    let inputs: Vec<String> = step.inputs.iter().map(|id| name(*id)).collect();
    let inputs =
        if inputs.is_empty() { String::new() } else { format!(" of {}", inputs.join(", ")) };
    let text = match &step.operator {
        Operator::Source(topic) => format!("source {topic}"),
        Operator::Log(topic) => format!("log {topic}"),
        Operator::Map(_) => "map".to_owned(),
        Operator::Union => "union".to_owned(),
        Operator::Route(route) => {
            let names = at(0);
            let conditions: Vec<String> =
                route.conditions.iter().map(|it| expression_text(it, &names)).collect();
            let rest = if route.has_rest { ", else" } else { "" };
            format!("route {}{rest}", conditions.join(", "))
        }
        Operator::Arm(arm) => format!("arm {}", arm.idx),
        Operator::Join(join) => {
            let other = step.inputs.get(1).map_or_else(String::new, |id| name(*id));
            join_text(join, &other, (&at(0), &at(1)), &step.schema)
        }
        Operator::Group(group) => group_text(group, &at(0), &step.schema),
        Operator::Distinct => "distinct".to_owned(),
        Operator::Top(top) => top_text(top, &at(0), &step.schema),
        Operator::Over(over) => over_text(over, &at(0), &step.schema),
        Operator::Latest(latest) => format!("latest ({})", named(&step.schema, &latest.key)),
        Operator::Unique { key } => format!("unique ({})", named(&step.schema, key)),
        Operator::Errors(node) => format!("errors of {node}"),
        Operator::Variable(it) => {
            format!("variable {}.{} ({})", it.of.0, it.idx, loop_text(plan, it.of))
        }
        Operator::Next(it) => format!("next {}.{}", it.of.0, it.idx),
        Operator::Leave(of) => format!("leave {}", of.0),
        Operator::Window(window) => format!("window {}", window_text(window, &at(0))),
        Operator::Late(window) => format!("late for {}", window_text(window, &at(0))),
        Operator::Session(session) => session_text(session, &at(0)),
        Operator::Final(closing) => format!("final at {}", closing_text(closing, &at(0))),
        Operator::Within(closing) => format!("within until {}", closing_text(closing, &at(0))),
        Operator::Retain(retention) => {
            format!("retain {}", retention_text(*retention, &step.schema))
        }
        Operator::Kernel(kernel) => {
            let names = |place: usize, columns: &[usize]| named_of(&at(place), columns);
            kernel_plan_text(kernel, &names)
        }
        Operator::Measured(measured) => match measured.key.as_slice() {
            [] => "measured".to_owned(),
            key => format!("measured, the last of each ({})", named(&step.schema, key)),
        },
    };
    out.line(0, format!("{} {}  {text}{inputs}", name(StepId::at(idx)), step.address));
    if let Operator::Map(map) = &step.operator {
        stage_lines(&map.stages, at(0), &step.schema, out);
    }
    for arrangement in &plan.arrangements {
        let own = arrangement.readers.iter().find(|reader| reader.join.index() == idx);
        if let Some(own) = own {
            out.line(2, arrangement_text(plan, arrangement, own.side));
        }
    }
    for release in plan.releases.iter().filter(|release| release.step.index() == idx) {
        out.line(2, release_text(release, &key_names(step, &at(0))));
    }
    out.line(2, fields_text(&step.schema.fields));
}

/// Which joins look up what a side of a join does.
fn arrangement_text(plan: &DataflowPlan, of: &Arrangement, side: JoinSide) -> String {
    let address = |reader: &JoinReader| &*plan.steps[reader.join.index()].address;
    let readers: Vec<&str> = of.readers.iter().map(address).collect();
    format!("holds its {} rows once for {}", side.name(), readers.join(", "))
}

/// When a topic lets go of rows, for people.
fn retention_text(Retention { rule, order }: Retention, schema: &Schema) -> String {
    let order = match order {
        LogOrder::Log => "in log order",
        LogOrder::Flow => "as written",
        LogOrder::Both => "in log order, then as written",
    };
    format!("{}, {order}", rule_text(rule, schema))
}

fn rule_text(rule: RetentionRule, schema: &Schema) -> String {
    match rule {
        RetentionRule::Bytes(bytes) => format!("the newest {}", bytes_text(bytes)),
        RetentionRule::Arrival(length) => format!("for {} from coming", format_duration(length)),
        RetentionRule::Time { field, length, late } => {
            let late =
                if late == 0 { String::new() } else { format!(" + {}", format_duration(late)) };
            format!("for {}{late} of {}", format_duration(length), named(schema, &[field]))
        }
    }
}

/// The parts of a stateful step's key, as people read them.
fn key_names(step: &Step, input: &[String]) -> Vec<String> {
    let texts = |exprs: &[Expr]| -> Vec<String> {
        exprs.iter().map(|expr| expression_text(expr, input)).collect()
    };
    match &step.operator {
        Operator::Join(join) => texts(&join.left_key),
        Operator::Group(group) => texts(&group.keys),
        Operator::Top(top) => texts(&top.per),
        Operator::Over(over) => texts(&over.per),
        Operator::Distinct => columns(&step.schema),
        Operator::Unique { key } => {
            key.iter().map(|column| named(&step.schema, &[*column])).collect()
        }
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
        | Operator::Measured(_) => Vec::new(),
    }
}

fn stage_lines(stages: &[Stage], mut names: Vec<String>, schema: &Schema, out: &mut Lines) {
    for (idx, stage) in stages.iter().enumerate() {
        let text = match &stage.kind {
            StageKind::Filter(condition) => format!("where {}", expression_text(condition, &names)),
            StageKind::Project(fields) => {
                // Only the last projection's names are the schema's; between them stand numbers.
                let is_last =
                    stages[idx + 1..].iter().all(|it| matches!(it.kind, StageKind::Filter(_)));
                let new: Vec<String> = (0..fields.len())
                    .map(|column| match schema.fields.get(column) {
                        Some(field) if is_last => field.name.to_string(),
                        _ => format!("${column}"),
                    })
                    .collect();
                let parts: Vec<String> = fields
                    .iter()
                    .zip(&new)
                    .map(|(field, name)| computed(name, &expression_text(field, &names)))
                    .collect();
                names = new;
                format!("select {}", parts.join(", "))
            }
            StageKind::Unnest(list) => {
                let text = format!("unnest {}", expression_text(list, &names));
                names.extend(["$position".to_owned(), "$element".to_owned()]);
                text
            }
        };
        out.line(1, format!("{}  {text}", stage.address));
    }
}
