//! Kernels as text: `kernel linear_transform { rows: 2 } modes pass, itmd emit changed`.

use arqon_types::{Float, format_duration};

use crate::kernel::{Emit, KernelPlan};
use crate::vertex::KernelStep;

/// A `kernel` step of the flow.
pub(super) fn kernel_text(step: &KernelStep) -> String {
    let signature = step.kernel.arguments();
    let arguments: Vec<String> = step
        .arguments
        .iter()
        .zip(&signature)
        .map(|((name, value), argument)| format!("{name}: {}", value.display(&argument.ty)))
        .collect();
    let modes: Vec<&str> = step.modes.iter().map(|mode| mode.name()).collect();
    let name = step.kernel.name();
    let (arguments, modes) = (arguments.join(", "), modes.join(", "));
    let mut text = format!("kernel {name} {{ {arguments} }} modes {modes} {}", emit(step.emit));
    text.push_str(&bounds(step.error_bound, step.latency_nanos));
    text
}

/// A kernel of a dataflow plan; `names` gives the columns of an input.
pub(super) fn kernel_plan_text(
    kernel: &KernelPlan,
    names: &dyn Fn(usize, &[usize]) -> String,
) -> String {
    let signature = kernel.kernel.arguments();
    let arguments: Vec<String> = kernel
        .arguments
        .iter()
        .zip(&signature)
        .map(|(value, argument)| format!("{}: {}", argument.name, value.display(&argument.ty)))
        .collect();
    let modes: Vec<&str> = kernel.modes.iter().map(|mode| mode.name()).collect();
    let ports: Vec<String> = kernel
        .ports
        .iter()
        .enumerate()
        .map(|(place, port)| match port.key.as_slice() {
            [] => port.name.clone(),
            key => format!("{} by ({})", port.name, names(place, key)),
        })
        .collect();
    let control = if kernel.control.is_some() { ", under control" } else { "" };
    let asked = kernel
        .asked
        .as_ref()
        .map_or_else(String::new, |key| format!(", asked by ({})", names(kernel.ports.len(), key)));
    format!(
        "kernel {} {{ {} }} over {}{asked}{control} modes {} {}{}",
        kernel.kernel.name(),
        arguments.join(", "),
        ports.join(", "),
        modes.join(", "),
        emit(kernel.emit),
        bounds(kernel.error_bound, kernel.latency_nanos)
    )
}

fn emit(emit: Emit) -> String {
    match emit {
        Emit::Changed => "emit changed".to_owned(),
        Emit::Pull => "emit pull".to_owned(),
        Emit::All => "emit all".to_owned(),
        Emit::Eps(eps) => format!("emit eps {}", eps.get()),
    }
}

fn bounds(error: Option<Float>, latency_nanos: Option<i64>) -> String {
    let error = error.map_or_else(String::new, |bound| format!(" error {}", bound.get()));
    let latency = latency_nanos
        .map_or_else(String::new, |nanos| format!(" latency {}", format_duration(nanos)));
    error + &latency
}
