//! The rows that could not be computed: those of a node, and of an input, as collections.

use std::collections::BTreeSet;
use std::sync::Arc;

use arqon_plan::{History, Operator, Output, Step, StepId, TopicPlan};
use arqon_types::{Discipline, Edge, TopicName, error_schema};

use super::Lowering;
use crate::feeds::is_control;
use crate::typed::Owner;

impl Lowering<'_, '_> {
    /// The errors of a topic or node, which all of its readers share.
    pub(super) fn errors(&mut self, owner: Owner) -> Option<StepId> {
        if let Some(known) = self.errors.get(&owner) {
            return Some(*known);
        }
        if let Owner::Topic(id) = owner
            && is_control(self.resolved, id)
        {
            // Its steps stand before what reads their errors.
            self.control(id)?;
        }
        let name = self.resolved.owner_name(owner);
        let address: Arc<str> = format!("{name}.errors").into();
        let step = self.push(Step {
            node: address.clone(),
            address,
            operator: Operator::Errors(name.to_owned()),
            inputs: Vec::new(),
            schema: Arc::new(error_schema()),
        });
        self.errors.insert(owner, step);
        Some(step)
    }

    /// The errors that a role may subscribe to: outputs like any other, as far as clients see.
    pub(super) fn granted_errors(&mut self) -> Option<Vec<TopicPlan>> {
        let resolved = self.resolved;
        let grants = resolved.circuit.access.iter().flat_map(|role| &role.subscribe);
        let mut granted: Vec<TopicPlan> = Vec::new();
        let mut known = BTreeSet::new();
        for grant in grants {
            let owner = grant.target.node.strip_suffix(".errors").and_then(|it| resolved.owner(it));
            let (Some(owner), Ok(name)) = (owner, TopicName::parse(&grant.target.node)) else {
                continue;
            };
            if !known.insert(name.clone()) {
                continue;
            }
            let step = self.errors(owner)?;
            self.outputs.push(Output { topic: name.clone(), step });
            granted.push(TopicPlan {
                name,
                schema: error_schema(),
                discipline: Discipline::Delta,
                key: Vec::new(),
                time: None,
                edge: Edge::Out,
                verified: true,
                lateness: None,
                arrival: false,
                history: History::All,
            });
        }
        Some(granted)
    }
}
