//! Loops to steps: a variable from where it starts, the steps of a round, what comes next, the end.
//!
//! Start and round are merged by steps that are there anyway: `distinct`, or the first row of each
//! key.

use std::sync::Arc;

use arqon_operators::Expr;
use arqon_plan::{Loop, LoopId, Merge, Operator, SortKey, Step, StepId, Ties, Top, Variable};
use arqon_types::Schema;
use smallvec::smallvec;

use super::{Lowering, node_schema, project};
use crate::typed::{NodeLoop, Rounds, StepLoop, TypedNode, TypedStep};

impl Lowering<'_, '_> {
    /// A loop in the place of sources.
    pub(super) fn node_loop(&mut self, node: &TypedNode, repeated: &NodeLoop) -> Option<StepId> {
        let of = self.open_loop(node, &node.name, repeated.rounds, repeated.variables.len());
        let mut turns = Vec::with_capacity(repeated.variables.len());
        for (variable, idx) in repeated.variables.iter().zip(0..) {
            let turn = Turn {
                address: format!("{}.{}", node.name, variable.name.node).into(),
                variable: Variable { of, idx },
                merge: &variable.merge,
                schema: node_schema(node, &variable.row)?,
            };
            let start = self.plain_sources(node, &variable.start, &variable.row)?;
            let at = self.start(node, &turn, start);
            self.locals.insert(variable.id, at);
            turns.push(turn);
        }
        for (id, body) in &repeated.nodes {
            let mut at = match &body.repeated {
                Some(repeated) => self.node_loop(body, repeated)?,
                None => self.plain_sources(body, &body.sources, &body.row_in)?,
            };
            let mut row = Arc::clone(&body.row_in);
            for step in &body.steps {
                at = self.step(body, step, at, &row)?;
                row = Arc::clone(&step.row);
            }
            self.locals.insert(*id, at);
        }
        for (variable, turn) in repeated.variables.iter().zip(&turns) {
            let next = self.plain_sources(node, &variable.next, &variable.row)?;
            self.next(node, turn, next);
        }
        let out = &repeated.variables[repeated.out.0];
        let rows = *self.locals.get(&out.id)?;
        let schema = node_schema(node, &out.row)?;
        Some(self.leave(node, &node.name, rows, schema))
    }

    /// A `loop` step over the rows so far.
    pub(super) fn step_loop(
        &mut self,
        node: &TypedNode,
        step: &TypedStep,
        repeated: &StepLoop,
        before: StepId,
    ) -> Option<StepId> {
        let of = self.open_loop(node, &step.address, repeated.rounds, 1);
        let turn = Turn {
            address: step.address.clone(),
            variable: Variable { of, idx: 0 },
            merge: &repeated.merge,
            schema: node_schema(node, &step.row)?,
        };
        let mut at = self.start(node, &turn, before);
        let variable = at;
        let mut row = Arc::clone(&step.row);
        for step in &repeated.body {
            at = self.step(node, step, at, &row)?;
            row = Arc::clone(&step.row);
        }
        if let Some(columns) = &repeated.columns {
            let fields = &self.steps[at.index()].schema.fields;
            let exprs = columns.iter().map(|&at| Expr::column(at, fields[at].ty.clone())).collect();
            at = self.push(turn.step(node, project(&step.address, exprs), vec![at]));
        }
        let both = self.push(turn.step(node, Operator::Union, vec![before, at]));
        self.next(node, &turn, both);
        Some(self.leave(node, &step.address, variable, turn.schema))
    }

    fn open_loop(
        &mut self,
        node: &TypedNode,
        address: &Arc<str>,
        rounds: Rounds,
        n_variables: usize,
    ) -> LoopId {
        let of = LoopId(u32::try_from(self.loops.len()).expect("a file has fewer loops"));
        self.loops.push(Loop {
            node: node.errors_of.clone(),
            address: Arc::clone(address),
            place: rounds.place,
            n_variables: u32::try_from(n_variables).expect("a file has fewer variables"),
            rounds: rounds.max,
            exact: rounds.exact,
            outer: self.around.last().copied(),
        });
        self.around.push(of);
        of
    }

    /// The variable, from where it starts.
    fn start(&mut self, node: &TypedNode, turn: &Turn<'_>, start: StepId) -> StepId {
        let start = self.merged(node, turn, start);
        let at = self.push(turn.step(node, Operator::Variable(turn.variable), vec![start]));
        let key = match turn.merge {
            Merge::Distinct => (0..turn.schema.fields.len()).collect(),
            Merge::Best { by, .. } => by.iter().copied().collect(),
        };
        self.keys[at.index()] = smallvec![key];
        at
    }

    fn next(&mut self, node: &TypedNode, turn: &Turn<'_>, next: StepId) {
        let next = self.merged(node, turn, next);
        self.push(turn.step(node, Operator::Next(turn.variable), vec![next]));
    }

    /// The end of the innermost loop.
    fn leave(
        &mut self,
        node: &TypedNode,
        address: &Arc<str>,
        rows: StepId,
        schema: Arc<Schema>,
    ) -> StepId {
        let of = self.around.pop().expect("a loop was opened");
        self.push(Step {
            node: node.errors_of.clone(),
            address: Arc::clone(address),
            operator: Operator::Leave(of),
            inputs: vec![rows],
            schema,
        })
    }

    /// Every row once, or the best one for each value of a key.
    fn merged(&mut self, node: &TypedNode, turn: &Turn<'_>, rows: StepId) -> StepId {
        let fields = &turn.schema.fields;
        let column = |at: usize| Expr::column(at, fields[at].ty.clone());
        let operator = match turn.merge {
            Merge::Distinct => Operator::Distinct,
            Merge::Best { order, field, by } => Operator::Top(Top {
                n: 1,
                offset: 0,
                per: by.iter().map(|at| column(*at)).collect(),
                by: vec![SortKey { expr: column(*field), order: *order }],
                ties: Ties::Cut,
                rank: false,
            }),
        };
        self.push(turn.step(node, operator, vec![rows]))
    }
}

/// A variable of a loop that is being lowered.
struct Turn<'t> {
    address: Arc<str>,
    variable: Variable,
    merge: &'t Merge,
    schema: Arc<Schema>,
}

impl Turn<'_> {
    fn step(&self, node: &TypedNode, operator: Operator, inputs: Vec<StepId>) -> Step {
        Step {
            node: node.errors_of.clone(),
            address: self.address.clone(),
            operator,
            inputs,
            schema: Arc::clone(&self.schema),
        }
    }
}
