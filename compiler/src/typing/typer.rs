//! The state of typing expressions: what they may refer to, and how large they have become.

use std::collections::BTreeSet;
use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_operators::Expr;

use super::symbols::Symbols;
use crate::facts::Notes;
use crate::places::Places;
use crate::report::Report;
use crate::resolve::{Functions, Params};
use crate::row_type::RowType;
use crate::walk::measure;

/// Types the expressions of one circuit, one after another.
#[derive(Debug)]
pub(crate) struct Typer<'a> {
    pub(super) functions: &'a Functions<'a>,
    pub(super) params: &'a Params<'a>,
    pub(super) places: &'a Places<'a>,
    /// What was found wrong.
    pub(crate) report: &'a mut Report,
    /// What has been found out about dimensions of tensors.
    pub(crate) symbols: Symbols,
    /// Variables of the lambdas around the place that is being typed.
    pub(super) n_locals: usize,
    /// Bodies of functions around it.
    pub(super) n_bodies: usize,
    /// Where the outermost of these functions is called.
    pub(super) outer_call: Span,
    /// Parts that functions have put into the expression so far.
    pub(super) n_parts: usize,
    /// What editors ask for; noted only where it is asked for.
    pub(crate) notes: Option<Notes>,
    /// Whether rows come in here, so that `epoch_time()` is known, and where it was asked for.
    pub(crate) arrival: Arrival,
    /// Functions that some expression calls.
    pub(crate) used_functions: BTreeSet<String>,
    /// Parameters that some expression names.
    pub(crate) used_params: BTreeSet<String>,
}

/// What `epoch_time()` means at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Outside of flows.
    Nowhere,
    /// In a step that does not take rows one by one.
    Past,
    /// In a loop.
    Repeated,
    /// In a step that takes rows one by one.
    Here,
    /// There, and it was asked for.
    Asked(Span),
}

impl<'a> Typer<'a> {
    /// A typer for expressions that know these functions and parameters.
    pub(crate) fn new(
        functions: &'a Functions<'a>,
        params: &'a Params<'a>,
        places: &'a Places<'a>,
        report: &'a mut Report,
    ) -> Self {
        Self {
            functions,
            params,
            places,
            report,
            symbols: Symbols::default(),
            n_locals: 0,
            n_bodies: 0,
            outer_call: Span::default(),
            n_parts: 0,
            notes: None,
            arrival: Arrival::Nowhere,
            used_functions: BTreeSet::new(),
            used_params: BTreeSet::new(),
        }
    }

    /// A field that is named without an expression around it.
    pub(super) fn note_field(&mut self, name: &ast::Name, row: &RowType) {
        if let Some(notes) = &mut self.notes {
            notes.field(name, row);
        }
    }

    /// The fields of a job are those of its operator's contract.
    pub(super) fn note_job(&mut self, call: &ast::Call, rows: Option<&[Arc<RowType>; 2]>) {
        if let (Some(notes), Some([job, _])) = (&mut self.notes, rows) {
            notes.entries(&call.job, job);
        }
    }

    /// The rows of two places are one collection.
    pub(super) fn note_same(&mut self, one: &RowType, other: &RowType) {
        if let Some(notes) = &mut self.notes {
            notes.same_rows(one, other);
        }
    }

    /// Where the step that has been typed asks for `epoch_time()`.
    pub(super) fn take_arrival(&mut self) -> Option<Span> {
        match std::mem::replace(&mut self.arrival, Arrival::Past) {
            Arrival::Asked(span) => Some(span),
            Arrival::Nowhere | Arrival::Past | Arrival::Repeated | Arrival::Here => None,
        }
    }

    /// The text of a place, as the user wrote it.
    pub(crate) fn text(&self, span: Span) -> &'a str {
        self.places.slice(span)
    }

    /// The text of a place for a message: on one line, however it was laid out.
    pub(crate) fn line(&self, span: Span) -> String {
        self.text(span).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The expression that a function's body has become, unless it has grown too large.
    pub(super) fn bounded(&mut self, expr: Expr) -> Option<Expr> {
        let (n_parts, depth) = measure(&expr);
        self.n_parts = self.n_parts.saturating_add(n_parts);
        if self.n_parts <= PARTS_MAX && depth <= DEPTH_MAX {
            return Some(expr);
        }
        self.too_large();
        None
    }

    /// Says that the functions make too large an expression.
    pub(super) fn too_large(&mut self) {
        self.report.push(Diagnostic::new(
            names::EXPANSION,
            self.outer_call,
            format!(
                "with its functions put in, the expression has more than {PARTS_MAX} parts or \
                 is nested deeper than {DEPTH_MAX}"
            ),
        ));
    }
}

/// Most parts that functions may put into one expression.
pub(super) const PARTS_MAX: usize = 20_000;

/// Deepest nesting of an expression with its functions put in.
pub(super) const DEPTH_MAX: usize = 256;

/// Deepest nesting of functions that call functions.
pub(super) const BODIES_MAX: usize = 64;
