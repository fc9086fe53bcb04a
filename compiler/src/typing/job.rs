//! `call`: the fields of a job as the contract has them, and the row that comes back.

use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_grammar::code::operators;
use arqon_operators::Expr;
use arqon_types::{TimeUnits, Type, error_schema};

use super::fault::Operand;
use super::scope::Scope;
use super::step::Made;
use super::typer::Typer;
use crate::contract::Contract;
use crate::raw::{Wanted, typed_value};
use crate::resolve::Resolved;
use crate::row_type::{Column, RowType};
use crate::typed::{TopicId, TypedCall, Verb};

impl Typer<'_> {
    /// `call`
    pub(super) fn call_step(
        &mut self,
        call: &ast::Call,
        row: &Arc<RowType>,
        resolved: &Resolved<'_>,
    ) -> Made {
        let (RowType { mut columns, open, .. }, keep) = self.fields(&call.keep, row, None);
        for column in &columns {
            if matches!(&*column.name, "result" | "job") {
                let span = call
                    .keep
                    .iter()
                    .find(|kept| *kept.name.node == *column.name)
                    .map_or(call.operator.span, |kept| kept.name.span);
                self.report.push(Diagnostic::new(
                    names::FIELD_CLASH,
                    span,
                    format!("`call` itself adds a field `{}`", column.name),
                ));
            }
        }
        let errors = call.errors.as_ref().map(|name| self.failures(call, name, resolved));
        let Some(id) = resolved.operator_id(call.operator.as_str()) else {
            self.report.unknown(
                operators::UNKNOWN_OPERATOR,
                call.operator.span,
                format!("the circuit has no operator `{}`", call.operator.node),
                call.operator.as_str(),
                resolved.operators.iter().map(|operator| operator.ast.name.as_str()),
            );
            return (Verb::Unknown, Arc::new(RowType::new(columns, true)));
        };
        let operator = resolved.operator(id);
        let Some(contract) = operator.contract.clone() else {
            return (Verb::Unknown, Arc::new(RowType::new(columns, true)));
        };
        let job = self.job(call, &contract, row);
        let origin = Some(operator.origin());
        self.note_job(call, operator.rows.as_ref());
        let mut result = Column::new("result", Some(Type::Struct(contract.result.clone())), origin);
        result.parts = operator.rows.as_ref().map(|[_, result]| Arc::clone(result));
        columns.push(result);
        columns.push(Column::new("job", Some(Type::String), origin));
        let row = Arc::new(RowType::new(columns, open));
        let verb = match (job, keep, errors) {
            (Some(job), Some(keep), errors) if !matches!(errors, Some(None)) => {
                Verb::Call(TypedCall {
                    operator: id,
                    span: call.operator.span,
                    place: self.places.place(call.operator.span),
                    job,
                    keep,
                    errors: errors.flatten(),
                })
            }
            _ => Verb::Unknown,
        };
        (verb, row)
    }

    /// The topic for failed jobs, whose rows are error rows.
    fn failures(
        &mut self,
        call: &ast::Call,
        name: &ast::Name,
        resolved: &Resolved<'_>,
    ) -> Option<TopicId> {
        let id = resolved.written_topic(name, "`errors` names", self.report)?;
        let row = RowType::from_fields(&error_schema().fields, None);
        let writer = format!("failed jobs of `{}`", call.operator.node);
        self.fit(&writer, &row, resolved.topic(id), name.span).map(|_| id)
    }

    /// The job's fields in the order of the contract.
    fn job(&mut self, call: &ast::Call, contract: &Contract, row: &RowType) -> Option<Vec<Expr>> {
        let Contract { job: fields, job_units: units, .. } = contract;
        let mut values: Vec<Option<Expr>> = vec![None; fields.len()];
        let mut complete = true;
        let mut misspelt = Vec::new();
        for (name, value) in &call.job {
            let Some(at) = fields.iter().position(|field| *field.name == *name.node) else {
                self.report.unknown(
                    operators::JOB_FIELD,
                    name.span,
                    format!(
                        "a job of operator `{}` has no field `{}`",
                        call.operator.node, name.node
                    ),
                    name.as_str(),
                    fields.iter().map(|field| &*field.name),
                );
                let names = fields.iter().map(|field| &*field.name);
                misspelt.extend(self.report.suggestion(name.as_str(), names));
                complete = false;
                continue;
            };
            values[at] =
                self.job_value(name, value, (&fields[at].ty, units.field(name.as_str())), row);
            complete &= values[at].is_some();
        }
        let missing: Vec<String> = fields
            .iter()
            .filter(|field| !field.ty.is_option() && !misspelt.contains(&&*field.name))
            .filter(|field| !call.job.iter().any(|(name, _)| *name.node == *field.name))
            .map(|field| format!("`{}`", field.name))
            .collect();
        if !missing.is_empty() {
            self.report.push(Diagnostic::new(
                operators::JOB_FIELD,
                call.job_span,
                format!("a job of operator `{}` lacks {}", call.operator.node, missing.join(", ")),
            ));
            complete = false;
        }
        if !complete {
            return None;
        }
        for (field, value) in fields.iter().zip(&mut values) {
            if value.is_none() {
                *value = Some(Expr::literal(arqon_types::Value::None, field.ty.clone()));
            }
        }
        values.into_iter().collect()
    }

    fn job_value(
        &mut self,
        name: &ast::Name,
        value: &ast::Value,
        (ty, units): (&Type, &TimeUnits),
        row: &RowType,
    ) -> Option<Expr> {
        let ast::ValueKind::Computed(ast) = &value.kind else {
            let wanted = Wanted { ty, units, what: &format!("`{}`", name.node) };
            let literal = typed_value(value, wanted, self.report)?;
            let place = self.places.place(value.span);
            return Some(Expr { place, ..Expr::literal(literal, ty.clone()) });
        };
        let typed = self.expression(ast, &Scope::Row(row), Some(ty))?;
        let operand = Operand::new(ast.span, &typed);
        match arqon_operators::coerce(typed.expr, ty) {
            Ok(expr) => Some(expr),
            Err(mut fault) => {
                fault.message = format!("`{}` of the job: {}", name.node, fault.message);
                fault.operand = Some(0);
                self.type_fault(&fault, ast.span, &[operand]);
                None
            }
        }
    }
}
