//! Operators: their contracts, and which implementation runs.

use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_grammar::code::operators;
use arqon_types::{Field, Type};

use super::implementations::check_implementations;
use super::schemas::{Schemas, resolve_type, struct_row};
use crate::contract::{CONTRACT_NAMES, Contract, known_contract};
use crate::options::Options;
use crate::report::Report;
use crate::row_type::{Column, Origin, OriginKind, RowType};

/// An operator whose names are all known.
#[derive(Debug)]
pub(crate) struct Operator<'a> {
    /// As written.
    pub(crate) ast: &'a ast::Operator,
    /// What it takes and gives; `None` after a fault.
    pub(crate) contract: Option<Arc<Contract>>,
    /// The rows of the contract, job and result, as it was declared.
    pub(crate) rows: Option<[Arc<RowType>; 2]>,
    /// The contract as people write it; empty for one of the circuit's own.
    pub(crate) contract_name: String,
    /// Which of `via:` runs.
    pub(crate) selected: Option<usize>,
}

impl Operator<'_> {
    /// The rows of jobs and of results on the bus: the job's id, then the contract's fields.
    pub(crate) fn rows_on_bus(&self) -> [Option<RowType>; 2] {
        match &self.rows {
            Some([job, result]) => [Some(self.with_id(job)), Some(self.with_id(result))],
            None => [None, None],
        }
    }

    fn with_id(&self, row: &RowType) -> RowType {
        let mut columns = vec![Column::new("job_id", Some(Type::String), Some(self.origin()))];
        columns.extend(row.columns.iter().filter(|it| &*it.name != "job_id").cloned());
        RowType::new(columns, row.open)
    }

    /// Where the fields of the contract are spoken of.
    pub(crate) fn origin(&self) -> Origin {
        contract_origin(self.ast)
    }
}

fn contract_origin(operator: &ast::Operator) -> Origin {
    let span = operator.contract.as_ref().map_or(operator.name.span, |contract| contract.span);
    Origin { span, kind: OriginKind::Contract }
}

/// The operators, with the implementation that `use:`, the profile and then `--use` choose.
///
/// `anchor` is where faults of the command line are shown.
pub(crate) fn resolve_operators<'a>(
    circuit: &'a ast::Circuit,
    schemas: &Schemas<'_>,
    profile: Option<&'a ast::Profile>,
    options: &Options,
    anchor: Span,
    report: &mut Report,
) -> Vec<Operator<'a>> {
    let mut found: Vec<Operator<'a>> = circuit
        .operators
        .iter()
        .map(|operator| {
            let (rows, contract_name) = resolve_contract(operator, schemas, report);
            let contract = rows.as_ref().and_then(contract_of).map(Arc::new);
            if contract.is_some() {
                check_implementations(operator, report);
            }
            let selected =
                operator.selected.as_ref().and_then(|name| implementation(operator, name, report));
            Operator { ast: operator, contract, rows, contract_name, selected }
        })
        .collect();
    for other in &circuit.profiles {
        let applies = profile.is_some_and(|profile| profile.name == other.name);
        for (operator, via) in &other.uses {
            let choice = choose(&found, operator, via, report);
            if let Some((idx, selected)) = choice.filter(|_| applies) {
                found[idx].selected = Some(selected);
            }
        }
    }
    for (operator, via) in &options.uses {
        let operator = ast::Name::new(operator.clone(), anchor);
        let via = ast::Name::new(via.clone(), anchor);
        if let Some((idx, selected)) = choose(&found, &operator, &via, report) {
            found[idx].selected = Some(selected);
        }
    }
    for operator in &mut found {
        if operator.selected.is_none() && operator.ast.selected.is_none() {
            match operator.ast.via.len() {
                0 => {}
                1 => operator.selected = Some(0),
                _ => report_no_choice(operator.ast, report),
            }
        }
    }
    found
}

fn report_no_choice(operator: &ast::Operator, report: &mut Report) {
    if report.is_unreadable(operator.span) {
        return;
    }
    let vias: Vec<String> =
        operator.via.iter().map(|via| format!("`use: {}`", via.name.node)).collect();
    report.push(
        Diagnostic::new(
            operators::NO_IMPLEMENTATION,
            operator.name.span,
            format!(
                "operator `{}` has {} implementations, and nothing says which one is used",
                operator.name.node,
                operator.via.len()
            ),
        )
        .help(format!("write {}", vias.join(" or "))),
    );
}

fn choose(
    found: &[Operator<'_>],
    operator: &ast::Name,
    via: &ast::Name,
    report: &mut Report,
) -> Option<(usize, usize)> {
    let Some(idx) = found.iter().position(|it| it.ast.name.node == operator.node) else {
        report.unknown(
            operators::UNKNOWN_OPERATOR,
            operator.span,
            format!("the circuit has no operator `{}`", operator.node),
            operator.as_str(),
            found.iter().map(|it| it.ast.name.as_str()),
        );
        return None;
    };
    implementation(found[idx].ast, via, report).map(|selected| (idx, selected))
}

fn implementation(
    operator: &ast::Operator,
    name: &ast::Name,
    report: &mut Report,
) -> Option<usize> {
    let selected = operator.via.iter().position(|via| via.name.node == name.node);
    if selected.is_none() {
        report.unknown(
            operators::UNKNOWN_IMPLEMENTATION,
            name.span,
            format!("operator `{}` has no implementation `{}`", operator.name.node, name.node),
            name.as_str(),
            operator.via.iter().map(|via| via.name.as_str()),
        );
    }
    selected
}

fn resolve_contract(
    operator: &ast::Operator,
    schemas: &Schemas<'_>,
    report: &mut Report,
) -> (Option<[Arc<RowType>; 2]>, String) {
    let origin = contract_origin(operator);
    let Some(written) = &operator.contract else { return (None, String::new()) };
    match &written.node {
        ast::Contract::Named { name, version } => {
            let full = format!("{name}@{version}");
            let contract = known_contract(name, *version);
            if contract.is_none() {
                report.unknown(
                    operators::UNKNOWN_CONTRACT,
                    written.span,
                    format!("there is no contract `{full}`"),
                    &full,
                    CONTRACT_NAMES,
                );
            }
            let row = |fields: &[Field]| Arc::new(RowType::from_fields(fields, Some(origin)));
            (contract.map(|contract| [row(&contract.job), row(&contract.result)]), full)
        }
        ast::Contract::Own { job, result } => {
            let mut side = |ty: &Option<ast::TypeExpr>, what: &str| -> Option<Arc<RowType>> {
                let ty = ty.as_ref()?;
                let put = resolve_type(ty, schemas, report);
                if let Some(other) = put.ty.as_ref().filter(|ty| !matches!(ty, Type::Struct(_))) {
                    report.push(Diagnostic::new(
                        names::WRONG_TYPE,
                        ty.span,
                        format!("the {what} of a contract is a schema, found `{other}`"),
                    ));
                }
                struct_row(put).map(|row| Arc::new(row.spoken_of(origin)))
            };
            let job = side(job, "job");
            let result = side(result, "result");
            (job.zip(result).map(|(job, result)| [job, result]), String::new())
        }
    }
}

fn contract_of([job, result]: &[Arc<RowType>; 2]) -> Option<Contract> {
    Some(Contract {
        job: job.fields()?,
        result: result.fields()?,
        job_units: job.units.clone(),
        result_units: result.units.clone(),
    })
}
