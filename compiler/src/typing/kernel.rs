//! `kernel`: a numerical kernel against its signature, and the rows that come out.

mod ports;
mod bounds;
mod topics;

use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::Spanned;
use arqon_grammar::ast;
use arqon_grammar::code::operators;
use arqon_operators::{FieldKind, FieldSignature, KERNELS, Kernel, OutputKind, Unfit};
use arqon_plan as plan;
use arqon_types::{Dimension, ElementType, Float, TensorType, TimeUnits, Type, Value};

use super::scope::Scope;
use super::step::Made;
use super::typer::Typer;
use crate::raw::{Wanted, typed_value};
use crate::resolve::Resolved;
use crate::row_type::{Column, Origin, OriginKind, RowType};
use crate::typed::{TopicId, TypedKernel, Verb};

/// What a kernel reads by one port.
#[derive(Debug, Clone)]
pub(super) struct PortRows {
    /// The port's name; none for the rows that come down the node.
    pub(super) name: Option<ast::Name>,
    /// Where the node names all that it reads.
    pub(super) from: Span,
    /// Where the source is named.
    pub(super) span: Span,
    /// Its rows.
    pub(super) row: Arc<RowType>,
}

impl Typer<'_> {
    /// `kernel`
    pub(super) fn kernel_step(
        &mut self,
        step: &ast::Kernel,
        ports: &[PortRows],
        resolved: &Resolved<'_>,
    ) -> Made {
        let unknown = || (Verb::Unknown, RowType::unknown());
        let Some(kernel) = Kernel::parse(step.name.as_str()) else {
            self.report.unknown(
                operators::UNKNOWN_KERNEL,
                step.name.span,
                format!("there is no kernel `{}`", step.name.node),
                step.name.as_str(),
                KERNELS.map(Kernel::name),
            );
            return unknown();
        };
        let arguments = self.kernel_arguments(step, kernel);
        let values = arguments.clone().unwrap_or_default();
        let read = self.kernel_ports(step, kernel, ports, &values);
        let modes = self.kernel_modes(step, kernel, &values);
        let emit = self.emission(step.emit.as_ref(), resolved);
        let control = step.control.as_ref().map(|name| self.control_topic(name, resolved));
        let metrics = step.metrics.as_ref().map(|name| self.metrics_topic(name, resolved));
        let (Some(arguments), Some(read), Some((emit, asked))) = (arguments, read, emit) else {
            return unknown();
        };
        if self.check_heads(step, kernel, ports, &arguments) {
            self.check_fit(step, kernel, ports, &arguments);
        }
        let row = output_row(step, kernel, ports, &arguments);
        let (Some(modes), Some(row)) = (modes, row) else { return unknown() };
        if matches!(control, Some(None)) || matches!(metrics, Some(None)) {
            return (Verb::Unknown, row);
        }
        let names = kernel.arguments().into_iter().map(|argument| argument.name.to_owned());
        let verb = Verb::Kernel(Box::new(TypedKernel {
            step: plan::KernelStep {
                kernel,
                arguments: names.zip(arguments).collect(),
                ports: read,
                modes,
                emit,
                error_bound: step.error_bound.as_ref().map(|bound| Float::new(bound.node)),
                latency_nanos: step.latency_bound.as_ref().map(|bound| bound.node),
            },
            span: step.name.span,
            asked,
            control: control.flatten().zip(step.control.as_ref().map(|name| name.span)),
            metrics: metrics.flatten().zip(step.metrics.as_ref().map(|name| name.span)),
        }));
        (verb, row)
    }

    /// Which rows are put out, and who asks for them; none if that topic is none to ask in.
    fn emission(
        &mut self,
        emit: Option<&Spanned<ast::Emit>>,
        resolved: &Resolved<'_>,
    ) -> Option<(plan::Emit, Option<(TopicId, Span)>)> {
        Some(match emit.map(|emit| &emit.node) {
            None | Some(ast::Emit::Changed) => (plan::Emit::Changed, None),
            Some(ast::Emit::Pull(name)) => {
                let topic = self.asking_topic(name, resolved)?;
                (plan::Emit::Pull, Some((topic, name.span)))
            }
            Some(ast::Emit::All) => (plan::Emit::All, None),
            Some(ast::Emit::Eps(eps)) => (plan::Emit::Eps(Float::new(*eps)), None),
        })
    }

    /// The values of all arguments, in the order of the signature.
    fn kernel_arguments(&mut self, step: &ast::Kernel, kernel: Kernel) -> Option<Vec<Value>> {
        let signature = kernel.arguments();
        let mut values: Vec<Option<Value>> =
            signature.iter().map(|argument| argument.default.clone()).collect();
        let mut complete = true;
        let mut misspelt = Vec::new();
        for (name, value) in &step.args {
            let Some(at) = signature.iter().position(|argument| argument.name == name.node) else {
                let names = || signature.iter().map(|argument| argument.name);
                misspelt.extend(self.report.suggestion(name.as_str(), names()));
                self.report.unknown(
                    operators::KERNEL_ARGUMENT,
                    name.span,
                    format!("kernel `{}` has no argument `{}`", kernel.name(), name.node),
                    name.as_str(),
                    names(),
                );
                complete = false;
                continue;
            };
            let argument = &signature[at];
            values[at] = self.kernel_argument(name, value, &argument.ty);
            let fault = values[at].as_ref().and_then(|it| kernel.argument_fault(argument.name, it));
            if let Some(fault) = fault {
                let mut diagnostic = Diagnostic::new(
                    operators::KERNEL_ARGUMENT,
                    value.span,
                    format!("`{}` of kernel `{}` {fault}", name.node, kernel.name()),
                );
                if let Some(default) = &argument.default {
                    let usual = default.display(&argument.ty);
                    diagnostic = diagnostic.help(format!("without the argument it is {usual}"));
                } else {
                    diagnostic = diagnostic.help("say how many, from 1");
                }
                self.report.push(diagnostic);
                complete = false;
            }
            complete &= values[at].is_some();
        }
        let missing: Vec<&str> = signature
            .iter()
            .filter(|argument| argument.default.is_none() && !misspelt.contains(&argument.name))
            .map(|argument| argument.name)
            .filter(|name| !step.args.iter().any(|(written, _)| written.node == *name))
            .collect();
        if !missing.is_empty() {
            self.report.push(
                Diagnostic::new(
                    operators::KERNEL_ARGUMENT,
                    step.args_span,
                    format!("kernel `{}` needs {}", kernel.name(), quoted(missing.iter().copied())),
                )
                .help(format!("write `args: {{ {}: … }}`", missing.join(": …, "))),
            );
            complete = false;
        }
        if complete { values.into_iter().collect() } else { None }
    }

    /// Arguments go together, and with the lengths of the vectors: what is told here would
    /// otherwise be told by the kernel, when the circuit starts.
    fn check_fit(
        &mut self,
        step: &ast::Kernel,
        kernel: Kernel,
        ports: &[PortRows],
        arguments: &[Value],
    ) {
        let length = |name: &str| vector_length(kernel, ports, name);
        let Some(Unfit { argument, wanted }) = kernel.unfit(arguments, length) else { return };
        let Some(found) = kernel.argument(argument, arguments) else { return };
        let written = step.args.iter().find(|(name, _)| name.node == argument);
        let signature = kernel.arguments();
        let Some(known) = signature.iter().find(|known| known.name == argument) else { return };
        let found = found.display(&known.ty);
        let mut fault = Diagnostic::new(
            operators::KERNEL_ARGUMENT,
            written.map_or(step.args_span, |(_, value)| value.span),
            format!("kernel `{}` cannot be prepared: `{argument}` is {found}", kernel.name()),
        );
        if written.is_none() {
            fault = fault.note(format!("{found} is what `{argument}` is without being written"));
        }
        self.report.push(fault.help(format!("let it be {wanted}")));
    }

    fn kernel_argument(
        &mut self,
        name: &ast::Name,
        value: &ast::Value,
        ty: &Type,
    ) -> Option<Value> {
        let ast::ValueKind::Computed(computed) = &value.kind else {
            let what = format!("`{}`", name.node);
            let wanted = Wanted { ty, units: TimeUnits::none(), what: &what };
            return typed_value(value, wanted, self.report);
        };
        let nothing = RowType::default();
        let typed = self.expression(computed, &Scope::Row(&nothing), Some(ty))?;
        let found = typed.expr.ty.clone();
        let Ok(expr) = arqon_operators::coerce(typed.expr, ty) else {
            self.report.push(
                Diagnostic::new(
                    operators::KERNEL_ARGUMENT,
                    computed.span,
                    format!("`{}` wants `{ty}`, found `{found}`", name.node),
                )
                .help(format!("compute a value of type `{ty}`")),
            );
            return None;
        };
        match arqon_operators::eval(&expr, &[]) {
            Ok(value) => Some(value),
            Err(error) => {
                self.report.push(
                    Diagnostic::new(
                        operators::KERNEL_ARGUMENT,
                        computed.span,
                        format!("`{}` cannot be computed: {}", name.node, error.message),
                    )
                    .help("a kernel is prepared once: its arguments are computed of `params` only"),
                );
                None
            }
        }
    }
}

fn given<'p>(ports: &'p [PortRows], name: &str) -> Option<&'p PortRows> {
    ports.iter().find(|port| port.name.as_ref().is_some_and(|it| it.node == name))
}

/// How long the vectors are that the signature has this name for, if that is a number.
fn vector_length(kernel: Kernel, ports: &[PortRows], name: &str) -> Option<u64> {
    kernel.ports().iter().find_map(|port| {
        let rows = given(ports, port.name).or_else(|| ports.iter().find(|it| it.name.is_none()))?;
        let is_named = |field: &&FieldSignature| {
            matches!(field.kind, FieldKind::Vector(length) if length == name)
        };
        let field = port.fields.iter().find(is_named)?;
        let Some(Type::Tensor(tensor)) = &rows.row.columns[rows.row.position(field.name)?].ty else {
            return None;
        };
        tensor.vector_length()
    })
}

/// The rows that come out; none where something that they are made of is not known.
fn output_row(
    step: &ast::Kernel,
    kernel: Kernel,
    ports: &[PortRows],
    arguments: &[Value],
) -> Option<Arc<RowType>> {
    let output = kernel.output(arguments);
    let signature = kernel.ports();
    let rows =
        |name: &str| given(ports, name).or_else(|| ports.iter().find(|it| it.name.is_none()));
    let mut columns: Vec<Column> = Vec::new();
    if let Some(along) = output.along {
        let port = signature.iter().find(|port| port.name == along)?;
        let rows = rows(along)?;
        if rows.row.open {
            return None;
        }
        let is_vector = |field: &FieldSignature| matches!(field.kind, FieldKind::Vector(_));
        let is_used = |name: &str| port.fields.iter().any(|it| is_vector(it) && it.name == name);
        let stays = |column: &&Column| !is_used(&column.name);
        columns.extend(rows.row.columns.iter().filter(stays).cloned());
    }
    let origin = Origin { span: step.name.span, kind: OriginKind::Computed };
    for (name, kind) in output.fields {
        let ty = match kind {
            OutputKind::Int64 => Type::Int64,
            OutputKind::Float64 => Type::Float64,
            OutputKind::Like(port, field) => {
                let row = &rows(port)?.row;
                row.columns[row.position(field)?].ty.clone()?
            }
            OutputKind::Sized(argument) => {
                let at = kernel.arguments().iter().position(|it| it.name == argument)?;
                let Value::Int(length) = arguments.get(at)? else { return None };
                Type::Tensor(TensorType {
                    dims: vec![Dimension::Fixed(u64::try_from(*length).ok()?)],
                    element: ElementType::F32,
                })
            }
        };
        columns.retain(|column| &*column.name != name);
        columns.push(Column::new(name, Some(ty), Some(origin)));
    }
    Some(Arc::new(RowType::new(columns, false)))
}

fn quoted<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
