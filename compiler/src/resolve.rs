//! Every name becomes an id: schemas, parameters, functions, operators, topics and nodes.

mod constants;
mod dimensions;
mod schemas;
mod implementations;
mod operators;
mod topics;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::Spanned;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_grammar::expr;
use arqon_grammar::suggest::is_misspelt;
use arqon_types::{Discipline, Edge, TopicName, Type};
use indexmap::IndexMap;

pub(crate) use constants::{Function, Functions, Params, nanoseconds};
use dimensions::Dimensions;
pub(crate) use dimensions::Found;
pub(crate) use operators::Operator;
pub(crate) use topics::{Topic, TopicOrigin, discipline};

use schemas::Schemas;

use crate::options::Options;
use crate::report::Report;
use crate::row_type::{Origin, OriginKind, RowType};
use crate::typed::{Input, LocalId, NodeId, OperatorId, Owner, TopicId};

/// A circuit whose names are all known.
#[derive(Debug)]
pub(crate) struct Resolved<'a> {
    /// The syntax tree.
    pub(crate) circuit: &'a ast::Circuit,
    /// The circuit's name; empty if it has none.
    pub(crate) name: String,
    /// Its isolation domain.
    pub(crate) namespace: String,
    /// What `limits` allow the state of the circuit; a profile's limit stands before the circuit's.
    pub(crate) state_bytes_max: Option<u64>,
    /// Parameters by name.
    pub(crate) params: Params<'a>,
    /// Parameters that types name as dimensions.
    pub(crate) declared_params: BTreeSet<String>,
    /// Functions by name.
    pub(crate) functions: Functions<'a>,
    /// In the order of the file.
    pub(crate) operators: Vec<Operator<'a>>,
    /// In the order of the file, then those of the operators.
    pub(crate) topics: Vec<Topic<'a>>,
    /// The topics of each operator: jobs, results.
    pub(crate) operator_topics: Vec<Vec<TopicId>>,
    operator_ids: IndexMap<&'a str, OperatorId>,
    names: IndexMap<String, Named>,
    returned: BTreeMap<Span, Arc<RowType>>,
}

/// What a name of topics and nodes stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Topic(TopicId),
    Node(NodeId),
}

/// What capsules of the flow return: types that stand in steps.
fn returned_rows(
    circuit: &ast::Circuit,
    schemas: &Schemas<'_>,
    report: &mut Report,
) -> BTreeMap<Span, Arc<RowType>> {
    let mut rows = BTreeMap::new();
    for ty in circuit.returned_types() {
        let put = schemas::resolve_type(ty, schemas, report);
        if let Some(other) = put.ty.as_ref().filter(|ty| !matches!(ty, Type::Struct(_))) {
            report.push(
                Diagnostic::new(
                    names::WRONG_TYPE,
                    ty.span,
                    format!("rows are of a schema, found `{other}`"),
                )
                .help("name a schema, or write the fields: `{ name: type }`"),
            );
        }
        let origin = Origin { span: ty.span, kind: OriginKind::Declared };
        let row = schemas::struct_row(put)
            .map_or_else(RowType::unknown, |row| Arc::new(row.spoken_of(origin)));
        rows.insert(ty.span, row);
    }
    rows
}

/// Looks up all declarations of a circuit. `found` is what is known of dimensions of tensors.
pub(crate) fn resolve<'a>(
    circuit: &'a ast::Circuit,
    options: &Options,
    found: &Found,
    report: &mut Report,
) -> Resolved<'a> {
    // What the command line says, it says of circuits, not of files that they import.
    let of_library = circuit.is_library.then(|| Options {
        set: Vec::new(),
        profile: None,
        uses: Vec::new(),
        ..options.clone()
    });
    let options = of_library.as_ref().unwrap_or(options);
    let name = circuit.name.as_ref().map_or(String::new(), |name| name.node.clone());
    let anchor = circuit.name.as_ref().map_or(Span::default(), |name| name.span);
    report.options_at = Some(anchor);
    let profile = options.profile.as_deref().and_then(|wanted| {
        let profile = circuit.profiles.iter().find(|profile| profile.name.node == wanted);
        if profile.is_none() {
            report.unknown(
                names::UNKNOWN_PROFILE,
                anchor,
                format!("the circuit has no profile `{wanted}`"),
                wanted,
                circuit.profiles.iter().map(|profile| profile.name.as_str()),
            );
        }
        profile
    });
    let params = constants::resolve_params(circuit, profile, options, anchor, report);
    let dimensions = Dimensions::new(&params, found);
    let schemas = schemas::resolve_schemas(circuit, dimensions, report);
    let functions = constants::resolve_functions(circuit, report);
    for function in functions.values() {
        let name = &function.ast.name;
        if arqon_operators::function_names()
            .chain(arqon_operators::aggregate_names())
            .any(|known| known == name.node)
        {
            report.push(
                Diagnostic::new(
                    names::DUPLICATE_NAME,
                    name.span,
                    format!("the language has a function `{}` already", name.node),
                )
                .help("give the circuit's function another name"),
            );
        }
    }
    let operators =
        operators::resolve_operators(circuit, &schemas, profile, options, anchor, report);
    let operator_ids = operators
        .iter()
        .enumerate()
        .map(|(id, operator)| (operator.ast.name.as_str(), OperatorId(id)))
        .collect();
    let mut topics: Vec<Topic<'a>> = circuit
        .topics
        .iter()
        .filter_map(|topic| topics::declared_topic(topic, &schemas, &params, report))
        .collect();
    let mut all_names: IndexMap<String, Named> = topics
        .iter()
        .enumerate()
        .map(|(id, topic)| (topic.name.as_str().to_owned(), Named::Topic(TopicId(id))))
        .collect();
    let mut operator_topics: Vec<Vec<TopicId>> = vec![Vec::new(); operators.len()];
    for (id, operator) in operators.iter().enumerate() {
        for topic in topics_of(OperatorId(id), operator) {
            let name = topic.name.as_str().to_owned();
            if let Some(Named::Topic(TopicId(known))) = all_names.get(&name) {
                report.push(
                    Diagnostic::new(
                        names::DUPLICATE_NAME,
                        topics[*known].span,
                        format!(
                            "the topic `{name}` comes with operator `{}` and its contract",
                            operator.ast.name.node
                        ),
                    )
                    .secondary(operator.ast.name.span, "the operator")
                    .help("leave the declaration of the topic away"),
                );
                continue;
            }
            operator_topics[id].push(TopicId(topics.len()));
            all_names.insert(name, Named::Topic(TopicId(topics.len())));
            topics.push(topic);
        }
    }
    for (id, node) in circuit.flow.iter().enumerate() {
        if let Some(Named::Topic(TopicId(known))) = all_names.get(&node.name.node) {
            report.push(
                Diagnostic::new(
                    names::DUPLICATE_NAME,
                    node.name.span,
                    format!("`{}` is a topic already", node.name.node),
                )
                .secondary(topics[*known].span, "the topic")
                .help("topics and nodes share one namespace; rename the node"),
            );
            continue;
        }
        all_names.insert(node.name.node.clone(), Named::Node(NodeId(id)));
        report_late_topic(node, &topics, report);
    }
    let namespace =
        circuit.namespace.as_ref().map_or_else(|| name.clone(), |name| name.node.clone());
    let limits = profile.and_then(|profile| profile.limits.as_ref());
    let states = limits.into_iter().chain(&circuit.limits).filter_map(|it| it.state.as_ref());
    let state_bytes_max = states.map(|state| state.node).next();
    let returned = returned_rows(circuit, &schemas, report);
    let mut declared_params = schemas.used_params();
    let lengths = circuit.topics.iter().flat_map(ast::Topic::lengths);
    declared_params.extend(lengths.filter_map(|length| match &length.kind {
        expr::ExprKind::Name(name) => Some(name.clone()),
        _ => None,
    }));
    Resolved {
        circuit,
        name,
        namespace,
        state_bytes_max,
        params,
        declared_params,
        functions,
        operators,
        topics,
        operator_topics,
        operator_ids,
        names: all_names,
        returned,
    }
}

/// A topic that has the name of a node's rows that came too late.
fn report_late_topic(node: &ast::Node, topics: &[Topic<'_>], report: &mut Report) {
    let Some(step) = node.steps.iter().find(|step| judges(step)) else { return };
    let name = format!("{}.late", node.name.node);
    let Some(topic) = topics.iter().find(|topic| topic.name.as_str() == name) else { return };
    report.push(
        Diagnostic::new(
            names::DUPLICATE_NAME,
            topic.span,
            format!("`{name}` is where rows go that come too late for node `{}`", node.name.node),
        )
        .secondary(step.verb, "by this step")
        .help("rename the topic, or leave its declaration away"),
    );
}

/// Whether a step judges rows by their event time.
fn judges(step: &ast::Step) -> bool {
    matches!(step.kind, ast::StepKind::Window(_) | ast::StepKind::Within(_))
}

/// `<operator>.jobs` and `<operator>.results`.
fn topics_of<'a>(id: OperatorId, operator: &Operator<'a>) -> Vec<Topic<'a>> {
    let [jobs, results] = operator.rows_on_bus();
    let topic = |suffix: &str, row: Option<RowType>, topic_origin: TopicOrigin<'a>| {
        let name = TopicName::parse(&format!("{}.{suffix}", operator.ast.name.node)).ok()?;
        let row = row.map_or_else(RowType::unknown, Arc::new);
        Some(Topic {
            schema_name: name.as_str().to_owned(),
            name,
            span: operator.ast.name.span,
            row,
            discipline: Discipline::Events,
            key: Vec::new(),
            time: None,
            late: 0,
            retain: None,
            edge: Edge::None,
            origin: topic_origin,
        })
    };
    [
        topic("jobs", jobs, TopicOrigin::Jobs(id)),
        topic("results", results, TopicOrigin::Results(id)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl<'a> Resolved<'a> {
    /// The topic of that name.
    pub(crate) fn topic_id(&self, name: &str) -> Option<TopicId> {
        match self.names.get(name)? {
            Named::Topic(id) => Some(*id),
            Named::Node(_) => None,
        }
    }

    /// The topic of that id.
    pub(crate) fn topic(&self, id: TopicId) -> &Topic<'a> {
        &self.topics[id.0]
    }

    /// The operator of that name.
    pub(crate) fn operator_id(&self, name: &str) -> Option<OperatorId> {
        self.operator_ids.get(name).copied()
    }

    /// The operator of that id.
    pub(crate) fn operator(&self, id: OperatorId) -> &Operator<'a> {
        &self.operators[id.0]
    }

    /// What a name after `from:` or `join:` reads; `reader` says who asks: ``node `revenue` ``.
    /// `locals` are the names of the loops around.
    pub(crate) fn input(
        &self,
        name: &ast::Name,
        locals: &[(String, LocalId)],
        reader: &dyn fmt::Display,
        report: &mut Report,
    ) -> Option<Input> {
        if let Some((_, local)) = locals.iter().find(|(known, _)| *known == name.node) {
            return Some(Input::Local(*local));
        }
        match self.names.get(name.as_str()) {
            Some(Named::Topic(id)) => return Some(Input::Topic(*id)),
            Some(Named::Node(id)) => return Some(Input::Node(*id)),
            None => {}
        }
        if let Some(id) = self.operator_id(name.as_str()) {
            return Some(Input::Operator(id));
        }
        if let Some((owner, part)) = name.node.rsplit_once('.') {
            match (self.names.get(owner), part) {
                (Some(_), "errors") => return self.owner(owner).map(Input::Errors),
                (Some(Named::Node(id)), "late") if self.judges(*id) => {
                    return Some(Input::Late(*id));
                }
                (Some(Named::Node(id)), label) if !self.is_near_a_topic(*id, name) => {
                    return self.label(*id, label, name.span, report);
                }
                (Some(_) | None, _) => {}
            }
        }
        let message = format!("{reader} reads unknown {} `{}`", kind_word(name), name.node);
        let late = self.late_topics(name);
        let known = self.names.keys().chain(locals.iter().map(|(known, _)| known)).chain(&late);
        let known = known.map(String::as_str);
        report.unknown(names::UNKNOWN_SOURCE, name.span, message, name.as_str(), known);
        None
    }

    /// The topics of late rows, if the name could be meant to be one of them.
    fn late_topics(&self, name: &ast::Name) -> Vec<String> {
        if !name.node.contains('.') {
            return Vec::new();
        }
        let nodes = self.circuit.flow.iter().filter(|node| node.steps.iter().any(judges));
        nodes.map(|node| format!("{}.late", node.name.node)).collect()
    }

    /// Whether the name is a topic's or a node's.
    pub(crate) fn is_taken(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Whether a topic is misspelt that begins as a node without labels is called.
    fn is_near_a_topic(&self, NodeId(id): NodeId, name: &ast::Name) -> bool {
        route_labels(&self.circuit.flow[id]).is_empty()
            && self.topics.iter().any(|topic| is_misspelt(name.as_str(), topic.name.as_str()))
    }

    fn label(&self, id: NodeId, label: &str, span: Span, report: &mut Report) -> Option<Input> {
        let node = &self.circuit.flow[id.0];
        let labels = route_labels(node);
        if let Some(idx) = labels.iter().position(|known| known.node == label) {
            return Some(Input::Label(id, idx));
        }
        if node.steps.iter().any(|step| matches!(step.kind, ast::StepKind::Error)) {
            return None;
        }
        let message = if label == "late" {
            format!("node `{}` has no `late`, since it has no `window`", node.name.node)
        } else if labels.is_empty() {
            format!("node `{}` has no label `{label}`, since it has no `route`", node.name.node)
        } else {
            format!("the `route` of node `{}` has no label `{label}`", node.name.node)
        };
        // The label alone is what must change: the part after the node's name and its dot.
        let length = u32::try_from(label.len()).unwrap_or(span.len());
        let span = Span::new(span.end.saturating_sub(length).max(span.start), span.end);
        report.unknown(
            names::UNKNOWN_LABEL,
            span,
            message,
            label,
            labels.iter().map(Spanned::as_str).chain(self.judges(id).then_some("late")),
        );
        None
    }

    /// The topic that a node, a route or a test names; `writer` says who, with its verb:
    /// ``node `revenue` writes``.
    pub(crate) fn written_topic(
        &self,
        name: &ast::Name,
        writer: &str,
        report: &mut Report,
    ) -> Option<TopicId> {
        let known = self.topic_id(name.as_str());
        if known.is_none() {
            let message = match self.names.get(name.as_str()) {
                Some(_) => format!("{writer} `{}`, which is a node, not a topic", name.node),
                None => format!("{writer} unknown topic `{}`", name.node),
            };
            let topics = self.topics.iter().map(|topic| topic.name.as_str());
            report.unknown(names::UNKNOWN_TOPIC, name.span, message, name.as_str(), topics);
        }
        known
    }

    /// The rows that a capsule returns, by where their type is written.
    pub(crate) fn returned(&self, ty: &ast::TypeExpr) -> Arc<RowType> {
        self.returned.get(&ty.span).map_or_else(RowType::unknown, Arc::clone)
    }

    /// The topic or node of that name, as the owner of its errors.
    pub(crate) fn owner(&self, name: &str) -> Option<Owner> {
        match self.names.get(name)? {
            Named::Topic(id) => Some(Owner::Topic(*id)),
            Named::Node(id) => Some(Owner::Node(*id)),
        }
    }

    /// The name of a topic or node, whose errors are `name.errors`.
    pub(crate) fn owner_name(&self, owner: Owner) -> &str {
        match owner {
            Owner::Topic(id) => self.topic(id).name.as_str(),
            Owner::Node(NodeId(id)) => self.circuit.flow[id].name.as_str(),
        }
    }

    /// Whether a step of the node judges rows by their event time, so that some come too late.
    pub(crate) fn judges(&self, NodeId(id): NodeId) -> bool {
        self.circuit.flow[id].steps.iter().any(judges)
    }

    /// The node of that name.
    pub(crate) fn node_id(&self, name: &str) -> Option<NodeId> {
        match self.names.get(name)? {
            Named::Node(id) => Some(*id),
            Named::Topic(_) => None,
        }
    }
}

/// The labels of a node whose last step is a `route`.
pub(crate) fn route_labels(node: &ast::Node) -> Vec<ast::Name> {
    match node.steps.last().map(|step| &step.kind) {
        Some(ast::StepKind::Route(branches)) => {
            branches.iter().map(|branch| branch.label.clone()).collect()
        }
        _ => Vec::new(),
    }
}

/// Topics usually have a dot, nodes never.
fn kind_word(name: &ast::Name) -> &'static str {
    if name.node.contains('.') { "topic" } else { "topic or node" }
}
