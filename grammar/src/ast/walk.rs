//! Walks over the parts of a circuit that are the same everywhere: its nodes, steps, expressions.

use super::BranchCondition;
use super::Circuit;
use super::NamedExpr;
use super::Node;
use super::Retain;
use super::Step;
use super::StepKind;
use super::Topic;
use super::TypeExpr;
use super::Value;
use super::ValueKind;
use super::WindowKind;
use crate::expr::Expr;

impl Circuit {
    /// Hands each node of the flow to `visit`, and after it those within its loop.
    pub fn for_each_node<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        self.flow.iter().for_each(|node| node.for_each_node(visit));
    }

    /// Hands every whole expression of the circuit to `visit`: those of topics, functions, steps
    /// and routes, in the order of the file within each.
    pub fn for_each_expression<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        for topic in &self.topics {
            topic.lengths().for_each(&mut *visit);
        }
        for function in &self.functions {
            visit(&function.body);
        }
        for node in &self.flow {
            node.for_each_expression(visit);
        }
        for condition in self.routes.iter().filter_map(|chain| chain.condition.as_ref()) {
            visit(condition);
        }
    }
}

impl Topic {
    /// The lengths of time that it names: how late its rows may come, how long they stay.
    pub fn lengths(&self) -> impl Iterator<Item = &Expr> {
        let retained = self.retain.as_ref().and_then(|retain| match &retain.node {
            Retain::Time(length) => Some(length),
            Retain::Bytes(_) | Retain::Nothing => None,
        });
        self.late.iter().chain(retained)
    }
}

impl Circuit {
    /// What the capsules of its flow return, as far as they say so.
    pub fn returned_types(&self) -> impl Iterator<Item = &TypeExpr> {
        let steps = self.flow.iter().flat_map(|node| &node.steps);
        steps.filter_map(|step| match &step.kind {
            StepKind::Wasm(wasm) => wasm.returns.as_ref(),
            _ => None,
        })
    }
}

impl Node {
    fn for_each_node<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        visit(self);
        for node in self.repeated.iter().flat_map(|repeated| &repeated.flow) {
            node.for_each_node(visit);
        }
    }

    /// Hands each step to `visit`, and after it those within its loop; not those of nodes within
    /// this one.
    pub fn for_each_step<'a>(&'a self, visit: &mut dyn FnMut(&'a Step)) {
        self.steps.iter().for_each(|step| step.for_each_step(visit));
    }

    /// Hands every whole expression of the node to `visit`, those of its loop first.
    pub fn for_each_expression<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        let Self { name: _, from: _, repeated, steps, to: _, span: _ } = self;
        if let Some(repeated) = repeated {
            for node in &repeated.flow {
                node.for_each_expression(visit);
            }
            repeated.bounds.rounds.iter().for_each(&mut *visit);
        }
        for step in steps {
            step.for_each_expression(visit);
        }
    }
}

impl Step {
    fn for_each_step<'a>(&'a self, visit: &mut dyn FnMut(&'a Step)) {
        visit(self);
        if let StepKind::Loop(looped) = &self.kind {
            looped.body.iter().for_each(|step| step.for_each_step(visit));
        }
    }

    /// Hands every whole expression of the step to `visit`.
    pub fn for_each_expression<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        match &self.kind {
            StepKind::Where(condition) => visit(condition),
            StepKind::Select(fields) | StepKind::With(fields) => values(fields, visit),
            StepKind::Unnest(field) => visit(&field.value),
            StepKind::Distinct(fields) => values(fields.as_deref().unwrap_or_default(), visit),
            StepKind::Join(join) => {
                for pair in join.pairs.iter().flat_map(|pairs| &pairs.node) {
                    visit(&pair.left);
                    visit(&pair.right);
                }
                join.condition.iter().for_each(&mut *visit);
                if let Some(asof) = &join.asof {
                    visit(&asof.time);
                    visit(&asof.of);
                    asof.within.iter().for_each(visit);
                }
            }
            StepKind::Group(group) => {
                values(&group.keys, visit);
                values(&group.aggregates, visit);
                group.condition.iter().for_each(visit);
            }
            StepKind::Top(top) => {
                visit(&top.count);
                top.by.iter().map(|key| &key.value).for_each(&mut *visit);
                top.per.iter().chain(&top.offset).for_each(visit);
            }
            StepKind::Over(over) => {
                over.by.iter().flatten().map(|key| &key.value).for_each(&mut *visit);
                over.per.iter().for_each(&mut *visit);
                values(&over.fields, visit);
            }
            StepKind::Loop(looped) => {
                looped.body.iter().for_each(|step| step.for_each_expression(visit));
                looped.bounds.rounds.iter().for_each(visit);
            }
            StepKind::Window(window) => {
                window.time.iter().for_each(&mut *visit);
                match &window.kind.node {
                    WindowKind::Session { gap, per } => {
                        visit(gap);
                        per.iter().for_each(visit);
                    }
                    WindowKind::Tumble { size } => visit(size),
                    WindowKind::Hop { size, every } => {
                        visit(size);
                        visit(every);
                    }
                }
            }
            StepKind::Within(within) => {
                visit(&within.last);
                within.time.iter().for_each(visit);
            }
            StepKind::Route(branches) => {
                for branch in branches {
                    match &branch.condition {
                        BranchCondition::When(condition) => visit(condition),
                        BranchCondition::Else(_) => {}
                    }
                }
            }
            StepKind::Call(call) => {
                call.job.iter().for_each(|(_, value)| computed(value, visit));
                values(&call.keep, visit);
            }
            StepKind::Kernel(kernel) => {
                kernel.args.iter().for_each(|(_, value)| computed(value, visit));
            }
            StepKind::Drop(_) | StepKind::Wasm(_) | StepKind::Carries(_) | StepKind::Error => {}
        }
    }
}

fn values<'a>(fields: &'a [NamedExpr], visit: &mut dyn FnMut(&'a Expr)) {
    fields.iter().map(|field| &field.value).for_each(visit);
}

/// The expressions within a raw value.
fn computed<'a>(value: &'a Value, visit: &mut dyn FnMut(&'a Expr)) {
    match &value.kind {
        ValueKind::Computed(expr) => visit(expr),
        ValueKind::List(items) => items.iter().for_each(|item| computed(item, visit)),
        ValueKind::Map(entries) => entries.iter().for_each(|(_, value)| computed(value, visit)),
        ValueKind::Scalar { .. } | ValueKind::Error => {}
    }
}
