//! Topics, those that nodes write by themselves, and who stands at the edge.

use std::sync::Arc;

use arqon_grammar::ast;
use arqon_plan as plan;
use arqon_plan::{Port, VertexId};
use arqon_types::{Discipline, Edge, Schema, TopicName, error_schema};

use super::{Building, range};
use crate::resolve::{Resolved, Topic, TopicOrigin};
use crate::row_type::RowType;
use crate::typed::{NodeId, OperatorId, Owner, TypedNode};

impl<'r> Building<'r, '_> {
    pub(super) fn topics(&mut self) {
        let resolved = self.resolved;
        for topic in &resolved.topics {
            let schema = self.schema(&topic.row, &topic.schema_name);
            let vertex = self.builder.topic(topic_vertex(topic, schema, resolved));
            self.topics.push(vertex);
        }
        // The errors of a node are a topic; it stands in the plan where somebody may read it.
        let grants = resolved.circuit.access.iter().flat_map(|role| &role.subscribe);
        for grant in grants {
            let Some(owner) = grant.target.node.strip_suffix(".errors") else { continue };
            if resolved.node_id(owner).is_some() {
                self.error_topic(owner);
            }
        }
        let grants = resolved.circuit.access.iter().flat_map(|role| &role.subscribe);
        for grant in grants {
            if let Some((node, before)) = self.granted_late(&grant.target.node)
                && !self.late_topics.contains_key(&*node.name)
                && let Ok(name) = TopicName::parse(&grant.target.node)
            {
                let schema = self.schema(before, &node.name);
                let vertex = self.late_topic(name, &node.name, schema);
                self.late_topics.insert(&node.name, vertex);
            }
        }
        for owner in self
            .flow
            .nodes
            .iter()
            .flat_map(TypedNode::reads)
            .filter_map(|(input, _)| input.owner_of_errors())
        {
            self.error_topic(resolved.owner_name(owner));
            if let (Owner::Topic(id), Some(errors)) =
                (owner, self.errors.get(resolved.owner_name(owner)))
            {
                let topic = resolved.topic(id);
                let schema = Arc::new(error_schema());
                let ends = (self.topics[id.0], *errors);
                self.builder.wire(ends, Port::Errors, &schema, range(topic.span));
            }
        }
    }

    /// The node whose late rows a grant names, and the rows before its window.
    pub(super) fn granted_late(&self, target: &str) -> Option<(&'r TypedNode, &'r Arc<RowType>)> {
        let NodeId(id) = self.resolved.node_id(target.strip_suffix(".late")?)?;
        let node = &self.flow.nodes[id];
        Some((node, node.row_before(node.judging_step()?)))
    }

    pub(super) fn late_topic(
        &mut self,
        name: TopicName,
        node: &str,
        schema: Arc<Schema>,
    ) -> VertexId {
        let origin = plan::TopicOrigin::Late { node: node.to_owned() };
        self.builder.topic(made_topic(name, origin, schema, Discipline::Events))
    }

    pub(super) fn error_topic(&mut self, node: &str) {
        if self.errors.contains_key(node) {
            return;
        }
        let Ok(name) = TopicName::parse(&format!("{node}.errors")) else { return };
        let origin = plan::TopicOrigin::Errors { node: node.to_owned() };
        let schema = Arc::new(error_schema());
        let vertex = self.builder.topic(made_topic(name, origin, schema, Discipline::Delta));
        self.errors.insert(node.to_owned(), vertex);
    }

    pub(super) fn endpoints(&mut self) {
        let resolved = self.resolved;
        for (id, operator) in resolved.operators.iter().enumerate() {
            let vias = operator
                .ast
                .via
                .iter()
                .map(|via| plan::Via {
                    name: via.name.node.clone(),
                    transport: via
                        .transport
                        .as_ref()
                        .map_or_else(String::new, |transport| transport_text(&transport.node)),
                })
                .collect();
            let vertex = self.builder.endpoint(plan::Endpoint {
                name: operator.ast.name.node.clone(),
                contract: operator.contract_name.clone(),
                vias,
                selected: operator.selected,
                limited: operator.ast.limits.is_some(),
                declared: true,
                range: range(operator.ast.name.span),
            });
            self.endpoints.push(vertex);
            for topic_id in &resolved.operator_topics[id] {
                let topic = resolved.topic(*topic_id);
                let vertex_of = self.topics[topic_id.0];
                let schema = self.schema(&topic.row, &topic.schema_name);
                let span = range(operator.ast.name.span);
                match topic.origin {
                    TopicOrigin::Jobs(_) => {
                        self.builder.wire((vertex_of, vertex), Port::Jobs, &schema, span);
                    }
                    TopicOrigin::Results(_) => {
                        self.builder.wire((vertex, vertex_of), Port::Results, &schema, span);
                    }
                    TopicOrigin::Declared(_) => {}
                }
            }
        }
    }

    pub(super) fn roles(&mut self) {
        for role in &self.resolved.circuit.access {
            let rights = [
                (plan::Right::Publish, &role.publish),
                (plan::Right::Subscribe, &role.subscribe),
                (plan::Right::Execute, &role.execute),
            ];
            let grants = rights
                .into_iter()
                .flat_map(|(right, grants)| {
                    grants.iter().map(move |grant| plan::Grant {
                        right,
                        target: grant.target.node.clone(),
                        range: range(grant.target.span),
                    })
                })
                .collect();
            self.builder.role(plan::Role {
                name: role.name.node.clone(),
                range: range(role.name.span),
                grants,
            });
        }
    }
}

/// A topic that is there for a node, without being declared.
pub(super) fn made_topic(
    name: TopicName,
    origin: plan::TopicOrigin,
    schema: Arc<Schema>,
    discipline: Discipline,
) -> plan::Topic {
    plan::Topic {
        name,
        origin,
        schema,
        discipline,
        key: Vec::new(),
        time: None,
        late: 0,
        edge: Edge::None,
        retain: None,
        control: false,
        shared: false,
        verified: true,
        ranges: plan::TopicRanges::default(),
    }
}

pub(super) fn topic_vertex(
    topic: &Topic<'_>,
    schema: Arc<Schema>,
    resolved: &Resolved<'_>,
) -> plan::Topic {
    let ast = topic.ast();
    let operator = |id: OperatorId| resolved.operator(id).ast.name.node.clone();
    let is_set = |flag: Option<&arqon_grammar::Spanned<bool>>| flag.is_some_and(|flag| flag.node);
    plan::Topic {
        name: topic.name.clone(),
        origin: match topic.origin {
            TopicOrigin::Declared(_) => plan::TopicOrigin::Declared,
            TopicOrigin::Jobs(id) => plan::TopicOrigin::Jobs { operator: operator(id) },
            TopicOrigin::Results(id) => plan::TopicOrigin::Results { operator: operator(id) },
        },
        key: plan_key(topic),
        schema,
        discipline: topic.discipline,
        time: topic.time,
        late: topic.late,
        edge: topic.edge,
        retain: topic.retain,
        control: is_set(ast.and_then(|ast| ast.control.as_ref())),
        shared: is_set(ast.and_then(|ast| ast.shared.as_ref())),
        verified: ast.is_none_or(|ast| ast.unchecked.is_none()),
        ranges: plan::TopicRanges {
            name: range(topic.span),
            schema: ast.and_then(|ast| ast.schema.as_ref()).map(|it| range(it.span)),
            carries: ast.and_then(|ast| ast.carries.as_ref()).map(|it| range(it.span)),
            key: ast.and_then(|ast| ast.key.as_ref()).map(|it| range(it.span)),
            edge: ast.and_then(|ast| ast.edge.as_ref()).map(|it| range(it.span)),
            retain: ast.and_then(|ast| ast.retain.as_ref()).map(|it| range(it.span)),
        },
    }
}

/// The key over the fields that are known; nothing if one of the key's has no type.
pub(super) fn plan_key(topic: &Topic<'_>) -> Vec<usize> {
    let known_before =
        |at: usize| topic.row.columns[..at].iter().filter(|column| column.ty.is_some()).count();
    let is_known = topic.key.iter().all(|&at| topic.row.columns[at].ty.is_some());
    if is_known { topic.key.iter().map(|&at| known_before(at)).collect() } else { Vec::new() }
}

pub(super) fn transport_text(transport: &ast::Transport) -> String {
    match transport {
        ast::Transport::Builtin(name) => format!("builtin {}", name.node),
        ast::Transport::Remote(wanted) => {
            let parts: Vec<String> = wanted
                .iter()
                .map(|(name, value)| match &value.kind {
                    ast::ValueKind::Scalar { text, .. } => format!("{}={text}", name.node),
                    _ => name.node.clone(),
                })
                .collect();
            format!("remote {}", parts.join(" "))
        }
        ast::Transport::Http { url, .. } => {
            format!("http {}", url.as_ref().map_or("", |url| url.node.as_str()))
        }
        ast::Transport::Process { command, .. } => {
            let words: Vec<&str> = command.iter().map(|word| word.node.as_str()).collect();
            format!("process {}", words.join(" "))
        }
    }
}
