//! The arrows of `routes`.

use std::sync::Arc;

use arqon_grammar::ast;

use super::node::Flow;
use super::reads::whole_output;
use super::rows::error_row;
use super::scope::Scope;
use super::sink::bypassed;
use super::typer::{Arrival, Typer};
use crate::resolve::Resolved;
use crate::row_type::RowType;
use crate::typed::{EventTime, Input, NodeId, TypedNode, TypedSink, TypedSource, TypedStep, Verb};

/// Each arrow of `a -> b -> c when condition` is a node of its own, under the same condition.
pub(super) fn type_chain(
    idx: usize,
    chain: &ast::RouteChain,
    resolved: &Resolved<'_>,
    typer: &mut Typer<'_>,
    flow: &mut Flow,
) {
    for (hop, pair) in chain.stops.windows(2).enumerate() {
        let (from, to) = (&pair[0], &pair[1]);
        let reader = format!("the route to `{}`", to.node);
        let input = resolved
            .input(from, &[], &reader, typer.report)
            .filter(|input| whole_output(*input, from, resolved, typer));
        let row = match input {
            None | Some(Input::Operator(_) | Input::Local(_)) => RowType::unknown(),
            Some(Input::Errors(owner)) => error_row(owner, resolved),
            Some(Input::Late(NodeId(id))) => {
                let before = |node: &TypedNode| {
                    node.judging_step().map(|step| Arc::clone(node.row_before(step)))
                };
                flow.nodes.get(id).and_then(before).unwrap_or_else(RowType::unknown)
            }
            Some(Input::Topic(id)) => Arc::clone(&resolved.topic(id).row),
            Some(Input::Node(NodeId(id)) | Input::Label(NodeId(id), _)) => {
                flow.nodes.get(id).map_or_else(RowType::unknown, |node| Arc::clone(&node.row))
            }
        };
        let writer = format!("the route from `{}`", from.node);
        let bypass = bypassed(to, resolved);
        let topic = match bypass {
            None => resolved.written_topic(to, &format!("{writer} writes"), typer.report),
            Some(_) => None,
        };
        let address: Arc<str> = route_address(idx, hop, chain.stops.len()).into();
        let mut steps = Vec::new();
        if let Some(condition) = &chain.condition {
            typer.arrival = Arrival::Here;
            let verb = typer
                .condition(condition, &Scope::Row(&row), "`when`")
                .map_or(Verb::Unknown, |it| Verb::Where(it.into()));
            let step_address = address.clone();
            let span = condition.span;
            steps.push(TypedStep {
                address: step_address,
                span,
                verb,
                operator: None,
                row: Arc::clone(&row),
                asks_arrival: typer.take_arrival(),
            });
        }
        let sinks = topic
            .and_then(|topic| {
                let fields = typer.fit(&writer, &row, resolved.topic(topic), to.span)?;
                Some(TypedSink { topic, label: None, fields: fields.0, span: to.span })
            })
            .into_iter()
            .collect();
        flow.nodes.push(TypedNode {
            name: address.clone(),
            owner: address,
            span: from.span,
            errors_of: to.node.as_str().into(),
            sources: input
                .map(|input| TypedSource { input, span: from.span, columns: None })
                .into_iter()
                .collect(),
            repeated: None,
            ports: Vec::new(),
            row_in: Arc::clone(&row),
            steps,
            time: chain_time(input, resolved, flow),
            row,
            labels: Vec::new(),
            sinks,
            bypasses: bypass.map(|operator| (operator, to.span)).into_iter().collect(),
        });
    }
}

/// The event time of the rows that an arrow carries.
fn chain_time(input: Option<Input>, resolved: &Resolved<'_>, flow: &Flow) -> EventTime {
    match input {
        None | Some(Input::Operator(_)) => EventTime::Unknown,
        Some(Input::Topic(id)) => resolved.topic(id).time.map_or(EventTime::Missing, EventTime::At),
        Some(Input::Node(NodeId(id)) | Input::Label(NodeId(id), _)) => {
            flow.nodes.get(id).map_or(EventTime::Unknown, |node| node.time)
        }
        Some(Input::Late(_) | Input::Errors(_) | Input::Local(_)) => EventTime::Missing,
    }
}

/// `routes[0]`, or `routes[0][1]` for the second arrow of a longer chain.
fn route_address(idx: usize, hop: usize, n_stops: usize) -> String {
    if n_stops <= 2 { format!("routes[{idx}]") } else { format!("routes[{idx}][{hop}]") }
}
