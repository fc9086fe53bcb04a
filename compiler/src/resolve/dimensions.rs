//! What the capitals in tensors stand for: parameters of the circuit, or numbers that its edges
//! have told.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use arqon_grammar::Diagnostic;
use arqon_grammar::Spanned;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_grammar::expr;
use arqon_types::{Dimension, ElementType, TENSOR_ELEMENTS_MAX, TensorType};

use super::constants::Params;
use crate::report::Report;

/// Symbols that are no parameters, with what was found out about them by typing the circuit.
pub(crate) type Found = BTreeMap<String, Dimension>;

/// What symbols stand for.
#[derive(Debug)]
pub(crate) struct Dimensions<'a> {
    params: &'a Params<'a>,
    found: &'a Found,
    used: RefCell<BTreeSet<String>>,
}

impl<'a> Dimensions<'a> {
    pub(crate) fn new(params: &'a Params<'a>, found: &'a Found) -> Self {
        Self { params, found, used: RefCell::default() }
    }

    /// The parameters that some type names.
    pub(crate) fn used(self) -> BTreeSet<String> {
        self.used.into_inner()
    }

    /// The type with its symbols put in; none after a fault.
    pub(crate) fn put_in(
        &self,
        dims: &[Spanned<ast::Dimension>],
        element: ast::TensorElement,
        report: &mut Report,
    ) -> Option<TensorType> {
        let dims: Vec<Option<Dimension>> = dims
            .iter()
            .map(|dim| match &dim.node {
                ast::Dimension::Fixed(size) => size_of(*size, dim, report),
                ast::Dimension::Unknown => Some(Dimension::Unknown),
                ast::Dimension::Symbol(name) => self.symbol(name, dim, report),
            })
            .collect();
        let element = match element {
            ast::TensorElement::F32 => ElementType::F32,
            ast::TensorElement::F64 => ElementType::F64,
            ast::TensorElement::I64 => ElementType::I64,
            ast::TensorElement::U8 => ElementType::U8,
            ast::TensorElement::Bool => ElementType::Bool,
        };
        Some(TensorType { dims: dims.into_iter().collect::<Option<_>>()?, element })
    }

    fn symbol(
        &self,
        name: &str,
        dim: &Spanned<ast::Dimension>,
        report: &mut Report,
    ) -> Option<Dimension> {
        let Some(param) = self.params.get(name) else {
            let mut dimension = Dimension::Symbol(name.to_owned());
            while let Dimension::Symbol(name) = &dimension
                && let Some(known) = self.found.get(name)
            {
                dimension = known.clone();
            }
            return Some(dimension);
        };
        self.used.borrow_mut().insert(name.to_owned());
        if let expr::Literal::Integer(value) = &param.value
            && let Ok(size) = u64::try_from(*value)
        {
            return size_of(size, dim, report);
        }
        report.push(
            Diagnostic::new(
                names::DIMENSION,
                param.span,
                format!("the parameter `{name}` is no size of a tensor"),
            )
            .secondary(dim.span, "a size of this tensor")
            .help(format!("a size is a whole number from 0 to {TENSOR_ELEMENTS_MAX}")),
        );
        None
    }
}

/// A size that a tensor may have.
fn size_of(size: u64, dim: &Spanned<ast::Dimension>, report: &mut Report) -> Option<Dimension> {
    if size <= TENSOR_ELEMENTS_MAX as u64 {
        return Some(Dimension::Fixed(size));
    }
    report.push(
        Diagnostic::new(
            names::DIMENSION,
            dim.span,
            format!("a tensor with {size} rows has too many elements"),
        )
        .help(format!("a tensor has at most {TENSOR_ELEMENTS_MAX} elements")),
    );
    None
}
