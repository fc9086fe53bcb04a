//! What the circuit declares beside its graph: parameters, functions and operators that are used.

use std::collections::BTreeSet;

use arqon_grammar::Sources;
use arqon_grammar::ast;
use arqon_grammar::expr as syntax;
use arqon_plan as plan;

use super::{Building, Used, range};

impl Building<'_, '_> {
    pub(super) fn declarations(&mut self, used: &Used, sources: &Sources) {
        let circuit = self.resolved.circuit;
        let mut schemas = BTreeSet::new();
        let mut symbols = BTreeSet::new();
        let types = circuit
            .topics
            .iter()
            .filter_map(|topic| topic.schema.as_ref())
            .chain(circuit.schemas.iter().flat_map(|it| &it.fields).map(|field| &field.ty))
            .chain(circuit.operators.iter().flat_map(contract_types))
            .chain(circuit.returned_types());
        for part in types.flat_map(ast::TypeExpr::parts) {
            if let ast::TypeKind::Named(name) = &part.kind {
                schemas.insert(name.as_str());
            }
            if let ast::TypeKind::Tensor { dims, .. } = &part.kind {
                symbols.extend(dims.iter().filter_map(|dim| match &dim.node {
                    ast::Dimension::Symbol(symbol) => Some(symbol.as_str()),
                    ast::Dimension::Fixed(_) | ast::Dimension::Unknown => None,
                }));
            }
        }
        // What is declared for others is used by them.
        let is_offered = |name: &ast::Name| circuit.is_library || !sources.is_main(name.span);
        let mut add = |kind, name: &ast::Name, used: bool| {
            self.builder.declaration(plan::Declaration {
                kind,
                name: name.node.clone(),
                range: range(name.span),
                used: used || is_offered(name),
            });
        };
        for schema in &circuit.schemas {
            let is_used = schemas.contains(schema.name.as_str());
            add(plan::DeclarationKind::Schema, &schema.name, is_used);
        }
        for function in &circuit.functions {
            let is_used = used.functions.contains(function.name.as_str());
            add(plan::DeclarationKind::Function, &function.name, is_used);
        }
        let mut in_functions = BTreeSet::new();
        for function in &circuit.functions {
            names_in(&function.body, &mut in_functions);
        }
        for param in &circuit.params {
            let name = param.name.as_str();
            let is_used =
                used.params.contains(name) || symbols.contains(name) || in_functions.contains(name);
            add(plan::DeclarationKind::Param, &param.name, is_used);
        }
    }
}

pub(super) fn contract_types(operator: &ast::Operator) -> Vec<&ast::TypeExpr> {
    match operator.contract.as_ref().map(|contract| &contract.node) {
        Some(ast::Contract::Own { job, result }) => job.iter().chain(result.iter()).collect(),
        Some(ast::Contract::Named { .. }) | None => Vec::new(),
    }
}

/// The names that an expression reads, those of its own lambdas too.
pub(super) fn names_in<'e>(expr: &'e syntax::Expr, found: &mut BTreeSet<&'e str>) {
    match &expr.kind {
        syntax::ExprKind::Name(name) => {
            found.insert(name);
        }
        syntax::ExprKind::Literal(_) | syntax::ExprKind::Error => {}
        syntax::ExprKind::Field { base, .. } => names_in(base, found),
        syntax::ExprKind::Index { base, index } => {
            names_in(base, found);
            names_in(index, found);
        }
        syntax::ExprKind::Call { arguments, .. } => {
            for argument in arguments {
                names_in(&argument.value, found);
            }
        }
        syntax::ExprKind::Lambda { body, .. } => names_in(body, found),
        syntax::ExprKind::List(items) => {
            for item in items {
                names_in(item, found);
            }
        }
        syntax::ExprKind::Unary { operand, .. } => names_in(operand, found),
        syntax::ExprKind::Binary { left, right, .. } => {
            names_in(left, found);
            names_in(right, found);
        }
        syntax::ExprKind::If { condition, consequence, alternative } => {
            for part in [condition, consequence, alternative] {
                names_in(part, found);
            }
        }
    }
}
