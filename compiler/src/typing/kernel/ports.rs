//! The ports of a kernel: whether all are there, and whether their rows hold what it reads.

use std::collections::BTreeMap;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::code::{names, operators};
use arqon_operators::{FieldKind, FieldSignature, Kernel, PortSignature};
use arqon_plan as plan;
use arqon_types::{Dimension, TensorType, Type, Value};

use super::{PortRows, given, quoted};
use crate::typing::typer::Typer;

/// A field that a kernel reads of a port.
#[derive(Clone, Copy)]
struct Reading<'a> {
    kernel: Kernel,
    /// The port's name.
    port: &'static str,
    field: &'a FieldSignature,
    is_needed: bool,
    /// Whether it is read where rows have it.
    is_read: bool,
    rows: &'a PortRows,
}

/// Vectors of one length in a signature, the first of which says what the length is.
type Lengths = BTreeMap<&'static str, (Type, Option<Span>)>;

impl Typer<'_> {
    /// Where the fields that the kernel reads stand, port by port.
    pub(super) fn kernel_ports(
        &mut self,
        step: &ast::Kernel,
        kernel: Kernel,
        ports: &[PortRows],
        arguments: &[Value],
    ) -> Option<Vec<plan::KernelPort>> {
        let signature = kernel.ports();
        let mut complete = true;
        for port in ports {
            let Some(name) = &port.name else { continue };
            if !signature.iter().any(|known| known.name == name.node) {
                self.report.unknown(
                    operators::KERNEL_PORT,
                    name.span,
                    format!("kernel `{}` has no port `{}`", kernel.name(), name.node),
                    name.as_str(),
                    signature.iter().map(|port| port.name),
                );
                complete = false;
            }
        }
        let unnamed = ports.iter().any(|port| port.name.is_none());
        let required: Vec<&PortSignature> = signature
            .iter()
            .filter(|port| !port.is_optional || kernel.needs(port.name, arguments))
            .collect();
        if unnamed && required.len() != 1 {
            // What is read could not be read, which has been told of.
            if ports.iter().any(|port| port.row.open) {
                return None;
            }
            let all: Vec<String> =
                required.iter().map(|port| format!("{}: …", port.name)).collect();
            self.report.push(
                Diagnostic::new(
                    operators::KERNEL_PORT,
                    ports.first().map_or(step.name.span, |port| port.from),
                    format!("kernel `{}` reads {} ports by name", kernel.name(), required.len()),
                )
                .secondary(step.name.span, "the kernel")
                .help(format!("write `from: {{ {} }}` and make it the first step", all.join(", "))),
            );
            return None;
        }
        let missing: Vec<&str> = required
            .iter()
            .map(|port| port.name)
            .filter(|name| !unnamed && given(ports, name).is_none())
            .collect();
        // A port that is there under another name has been told of.
        if !missing.is_empty() && complete {
            let place = ports.first().map_or(step.name.span, |port| port.from);
            let all: Vec<String> = missing.iter().map(|name| format!("{name}: …")).collect();
            self.report.push(
                Diagnostic::new(
                    operators::KERNEL_PORT,
                    place,
                    format!(
                        "kernel `{}` lacks its port {}",
                        kernel.name(),
                        quoted(missing.into_iter())
                    ),
                )
                .secondary(step.name.span, "the kernel")
                .help(format!("add `{}` to `from:`", all.join(", "))),
            );
            complete = false;
        }
        let mut lengths = Lengths::new();
        let mut read = Vec::with_capacity(signature.len());
        for port in &signature {
            let rows = if unnamed {
                ports.first().filter(|_| port.name == required[0].name)
            } else {
                given(ports, port.name)
            };
            let Some(rows) = rows else { continue };
            let fields: Vec<Result<Option<usize>, ()>> = port
                .fields
                .iter()
                .map(|field| {
                    let is_needed = !field.is_optional || kernel.needs_field(field.name, arguments);
                    let is_read = is_needed || kernel.reads_field(field.name, arguments);
                    let port = port.name;
                    let reading = Reading { kernel, port, field, is_needed, is_read, rows };
                    self.kernel_field(&reading, &mut lengths)
                })
                .collect();
            let fields: Result<Vec<Option<usize>>, ()> = fields.into_iter().collect();
            complete &= fields.is_ok();
            read.push(plan::KernelPort {
                name: port.name.to_owned(),
                fields: fields.unwrap_or_default(),
            });
        }
        complete.then_some(read)
    }

    /// Where a field stands in the port's rows; `Err` after a fault, `Ok(None)` for a field that is
    /// not needed and not there.
    fn kernel_field(
        &mut self,
        reading: &Reading<'_>,
        lengths: &mut Lengths,
    ) -> Result<Option<usize>, ()> {
        let Reading { kernel, port, field, is_needed, is_read, rows } = *reading;
        let Some(at) = rows.row.position(field.name) else {
            if is_needed && !rows.row.open {
                self.lacking_field(reading);
            }
            return if is_needed { Err(()) } else { Ok(None) };
        };
        let column = &rows.row.columns[at];
        let found = column.ty.clone().ok_or(())?;
        let fits = field.kind.admits(&found);
        let place = column.origin.map(|origin| origin.span);
        if !fits {
            // A field that happens to have the name only comes along.
            if !is_read {
                return Ok(None);
            }
            let wanted = match field.kind {
                FieldKind::Int64 => "int64".to_owned(),
                FieldKind::Float64 => "float64".to_owned(),
                FieldKind::Vector(name) => format!("tensor<{name}xf32>"),
            };
            let mut fault = Diagnostic::new(
                operators::KERNEL_FIELD,
                rows.span,
                format!(
                    "`{}` of port `{port}` is `{found}`, and kernel `{}` reads `{wanted}` there",
                    field.name,
                    kernel.name()
                ),
            );
            if let Some(place) = place {
                fault = fault.secondary(place, format!("`{found}` here"));
            }
            self.report.push(fault.help(match field.kind {
                FieldKind::Vector(_) => format!(
                    "declare `{}` as a tensor of one dimension, or read a node that makes one",
                    field.name
                ),
                FieldKind::Int64 | FieldKind::Float64 if matches!(found, Type::Option(_)) => {
                    format!(
                        "declare `{name}` as `{wanted}`, or read a node with \
                     `with: {{ {name}: {name} // … }}`",
                        name = field.name
                    )
                }
                FieldKind::Int64 | FieldKind::Float64 => format!(
                    "declare `{name}` as `{wanted}`, or read a node with \
                     `with: {{ {name}: {wanted}({name}) }}`",
                    name = field.name
                ),
            }));
            return Err(());
        }
        if let FieldKind::Vector(length) = field.kind {
            self.same_length(reading, (length, &found, place), lengths).ok_or(())?;
        }
        Ok(Some(at))
    }

    fn lacking_field(&mut self, reading: &Reading<'_>) {
        let Reading { kernel, port, field, rows, .. } = *reading;
        let mut fault = Diagnostic::new(
            operators::KERNEL_FIELD,
            rows.span,
            format!(
                "port `{port}` of kernel `{}` reads a field `{}`, which these rows lack",
                kernel.name(),
                field.name
            ),
        );
        fault = match self.report.suggestion(field.name, rows.row.names()) {
            Some(near) => fault.help(format!(
                "is it `{near}`? then read a node with `with: {{ {}: {near} }}`",
                field.name
            )),
            None => fault.help(format!("known here: {}", quoted(rows.row.names()))),
        };
        self.report.push(fault);
    }

    /// Vectors of one name in the signature have one length.
    fn same_length(
        &mut self,
        reading: &Reading<'_>,
        (length, found, place): (&'static str, &Type, Option<Span>),
        lengths: &mut Lengths,
    ) -> Option<()> {
        let Reading { kernel, port, field, rows, .. } = *reading;
        let Some((first, first_place)) = lengths.get(length).cloned() else {
            lengths.insert(length, (found.clone(), place));
            return Some(());
        };
        let same = with_element(found, &first);
        if first.may_be(&same) {
            self.meet(&same, &first, rows.span, [place, first_place]);
            return Some(());
        }
        let mut fault = Diagnostic::new(
            names::DIMENSIONS,
            rows.span,
            format!(
                "`{}` of port `{port}` is `{found}`, and kernel `{}` wants it as long as `{first}`",
                field.name,
                kernel.name()
            ),
        );
        for (place, ty) in [(place, found), (first_place, &first)] {
            if let Some(place) = place {
                fault = fault.secondary(place, format!("`{ty}` here"));
            }
        }
        self.report
            .push(fault.help("give both the same dimension: a number, or one name of `params`"));
        None
    }

    /// Vectors are split evenly over the heads.
    pub(super) fn check_heads(
        &mut self,
        step: &ast::Kernel,
        kernel: Kernel,
        ports: &[PortRows],
        arguments: &[Value],
    ) -> bool {
        let at = kernel.arguments().iter().position(|argument| argument.name == "heads");
        let Some(Value::Int(heads)) = at.and_then(|at| arguments.get(at)) else { return true };
        let Some((_, written)) = step.args.iter().find(|(name, _)| name.node == "heads") else {
            return true;
        };
        for (port, field) in [("q", "q"), ("kv", "v")] {
            let Some(rows) = given(ports, port) else { continue };
            let column = rows.row.position(field).map(|at| &rows.row.columns[at]);
            let Some((column, Some(Type::Tensor(tensor)))) = column.map(|it| (it, &it.ty)) else {
                continue;
            };
            let Some(Dimension::Fixed(length)) = tensor.dims.first() else { continue };
            if u64::try_from(*heads).is_ok_and(|heads| heads != 0 && length.is_multiple_of(heads)) {
                continue;
            }
            let mut fault = Diagnostic::new(
                operators::KERNEL_ARGUMENT,
                written.span,
                format!("{heads} heads do not divide `{field}`, which has {length} elements"),
            );
            if let Some(origin) = column.origin {
                fault = fault.secondary(origin.span, format!("{length} elements"));
            }
            fault = fault.help("each head takes an equal part of every vector");
            self.report.push(fault);
            return false;
        }
        true
    }
}

/// The type with the elements of `other`, so that lengths alone are compared.
fn with_element(ty: &Type, other: &Type) -> Type {
    match (ty, other) {
        (Type::Tensor(tensor), Type::Tensor(other)) => {
            Type::Tensor(TensorType { dims: tensor.dims.clone(), element: other.element })
        }
        (ty, _) => ty.clone(),
    }
}
