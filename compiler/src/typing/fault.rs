//! Faults of typing become diagnostics: the operand that is wrong, and where types come from.

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::code::Code;
use arqon_grammar::code::names;
use arqon_grammar::suggest::suggest;
use arqon_operators::{FaultKind, TypeFault};
use arqon_types::Type;

use super::scope::TypedExpr;
use super::typer::Typer;
use crate::row_type::Origin;

/// What a fault may have to say of an operand.
#[derive(Debug, Clone)]
pub(crate) struct Operand {
    /// Where it stands.
    pub(crate) span: Span,
    /// Its type, for remarks.
    pub(crate) ty: Option<Type>,
    /// Where its type comes from.
    pub(crate) origin: Option<Origin>,
}

impl Operand {
    /// What is to be known of a typed operand at `span`.
    pub(crate) fn new(span: Span, typed: &TypedExpr) -> Self {
        Self { span, ty: Some(typed.expr.ty.clone()), origin: typed.origin }
    }

    /// An operand that has no type of its own, such as a lambda.
    pub(crate) fn untyped(span: Span) -> Self {
        Self { span, ty: None, origin: None }
    }
}

/// The fault that stands for one that has been reported already.
pub(super) fn reported(place: arqon_operators::Place) -> Box<TypeFault> {
    TypeFault::new(FaultKind::Mismatch, place, "")
}

impl Typer<'_> {
    /// Reports `fault` of the operator or call at `span` with these operands.
    pub(crate) fn type_fault(&mut self, fault: &TypeFault, span: Span, operands: &[Operand]) {
        if fault.message.is_empty() {
            return;
        }
        let wrong = fault.operand.and_then(|operand| operands.get(operand));
        let primary = wrong.map_or(span, |operand| operand.span);
        let narrow = self.part_of_text(fault, primary).unwrap_or(primary);
        let mut diagnostic = Diagnostic::new(fault_code(fault), narrow, fault.message.clone());
        if let Some(ty) = wrong.and_then(|operand| operand.ty.as_ref())
            && matches!(fault.kind, FaultKind::Mismatch)
        {
            diagnostic = diagnostic.label(format!("this is `{ty}`"));
        }
        // The other side first: it says what would have been right.
        let others = operands.iter().enumerate().filter(|(at, _)| Some(*at) != fault.operand);
        for operand in others.map(|(_, operand)| operand).chain(wrong) {
            let Some(ty) = &operand.ty else { continue };
            if let Some(origin) = operand.origin {
                let words = origin.kind.words();
                let text = self.text(operand.span);
                diagnostic = diagnostic.secondary(origin.span, format!("`{text}` {words} `{ty}`"));
            } else if fault.operand.is_some() && operands.len() == 2 && operand.span != primary {
                diagnostic = diagnostic.secondary(operand.span, format!("this is `{ty}`"));
            }
        }
        if self.n_bodies > 0 {
            diagnostic = diagnostic.secondary(self.outer_call, "in this call");
        }
        if matches!(fault.kind, FaultKind::Shape | FaultKind::Mismatch) {
            let origins: Vec<Span> =
                operands.iter().filter_map(|operand| Some(operand.origin?.span)).collect();
            for (place, words) in origins.iter().flat_map(|origin| self.dimension_params(*origin)) {
                diagnostic = diagnostic.secondary(place, words);
            }
        }
        if let Some(help) = &fault.help {
            diagnostic = diagnostic.help(help.clone());
        }
        if let Some(unknown) = &fault.unknown {
            let candidates = self.report.candidates(fault.candidates.iter().map(String::as_str));
            let near = suggest(unknown, candidates.iter().copied());
            let place = self.name_at(primary, unknown);
            diagnostic = diagnostic.did_you_mean(near).fix_name(place, unknown, near, candidates);
        }
        self.report.push(diagnostic);
    }

    /// The bytes at fault within a constant text, if it stands here as it is written.
    fn part_of_text(&self, fault: &TypeFault, span: Span) -> Option<Span> {
        let (value, part) = fault.within.as_ref()?;
        let part = arqon_grammar::bytes_of_text(self.text(span), value, part.clone())?;
        let [start, end] = [part.start, part.end].map(|at| u32::try_from(at).unwrap_or(u32::MAX));
        Some(Span::new(span.start.saturating_add(start), span.start.saturating_add(end)))
    }
}

impl Typer<'_> {
    /// The place of a name within `span`, where it may stand in double quotes.
    fn name_at(&self, span: Span, name: &str) -> Span {
        let is_quoted = self.text(span).strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        if is_quoted == Some(name) { Span::new(span.start + 1, span.end - 1) } else { span }
    }
}

fn fault_code(fault: &TypeFault) -> Code {
    match fault.kind {
        FaultKind::Mismatch if fault.expected.as_deref() == Some("bool") => names::NOT_BOOL,
        FaultKind::Mismatch => names::WRONG_TYPE,
        FaultKind::UnknownFunction | FaultKind::UnknownAggregate => names::UNKNOWN_FUNCTION,
        FaultKind::UnknownField => names::UNKNOWN_FIELD,
        FaultKind::UnknownLabel => names::UNKNOWN_VARIANT,
        FaultKind::ArgumentCount => names::WRONG_ARGUMENTS,
        FaultKind::NotConstant => names::CONSTANT,
        FaultKind::Shape => names::DIMENSIONS,
        FaultKind::OutOfRange => names::LITERAL_RANGE,
        FaultKind::Pattern => names::PATTERN,
        FaultKind::Format => names::FORMAT,
    }
}
