//! What keeps a kernel within its bounds: its modes, and which rows it puts out.

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::Spanned;
use arqon_grammar::ast;
use arqon_grammar::code::operators;
use arqon_operators::{KERNEL_MODES, Kernel, KernelMode};
use arqon_types::Value;

use super::quoted;
use crate::typing::typer::Typer;

impl Typer<'_> {
    /// The modes that the kernel may take, the plainest first where they are not written.
    pub(super) fn kernel_modes(
        &mut self,
        step: &ast::Kernel,
        kernel: Kernel,
        arguments: &[Value],
    ) -> Option<Vec<KernelMode>> {
        let is_bounded = step.error_bound.is_some();
        let n_before = self.report.n_errors();
        let modes = match &step.modes {
            None => KERNEL_MODES
                .into_iter()
                .filter(|mode| kernel.has_mode(*mode, arguments).is_ok())
                .filter(|mode| is_bounded || *mode != KernelMode::Rr)
                .collect(),
            Some(written) => {
                for mode in &written.node {
                    self.written_mode(mode, (kernel, arguments), is_bounded);
                }
                self.reduced_alone(written);
                written.node.iter().map(|mode| kernel_mode(mode.node)).collect()
            }
        };
        // One bound would mend both.
        if is_bounded || self.report.n_errors() == n_before {
            self.staleness(step, kernel, arguments);
        }
        self.bounds(step, kernel, arguments);
        (self.report.n_errors() == n_before).then_some(modes)
    }

    fn written_mode(
        &mut self,
        mode: &Spanned<ast::Mode>,
        (kernel, arguments): (Kernel, &[Value]),
        is_bounded: bool,
    ) {
        let wanted = kernel_mode(mode.node);
        if let Err(reason) = kernel.has_mode(wanted, arguments) {
            let is_there = |mode: &KernelMode| kernel.has_mode(*mode, arguments).is_ok();
            let has = KERNEL_MODES.into_iter().filter(is_there);
            self.report.push(
                Diagnostic::new(
                    operators::KERNEL_MODE,
                    mode.span,
                    format!("kernel `{}` has no mode `{}`", kernel.name(), wanted.name()),
                )
                .help(format!("it has {}", quoted(has.map(KernelMode::name))))
                .note(reason),
            );
        } else if wanted == KernelMode::Rr && !is_bounded {
            self.report.push(needs_bound(mode.span, "`rr`"));
        }
    }

    /// `rr` reuses what another mode has left.
    fn reduced_alone(&mut self, written: &Spanned<Vec<Spanned<ast::Mode>>>) {
        if let [Spanned { node: ast::Mode::Rr, span }] = written.node.as_slice() {
            self.report.push(
                Diagnostic::new(
                    operators::KERNEL_MODE,
                    *span,
                    "`rr` reuses what a full application has left, so it does not stand alone",
                )
                .help("write `modes: [pass, rr]`"),
            );
        }
    }

    /// `eps`: what outputs may be off by before they are put out.
    fn staleness(&mut self, step: &ast::Kernel, kernel: Kernel, arguments: &[Value]) {
        let Some(Spanned { node: ast::Emit::Eps(eps), span }) = &step.emit else { return };
        if kernel.is_exact(arguments) {
            self.report.push(
                Diagnostic::new(
                    operators::KERNEL_BOUNDS,
                    *span,
                    format!("answers of kernel `{}` are exact here, and have no `eps`", {
                        kernel.name()
                    }),
                )
                .help("write `emit: changed`"),
            );
            return;
        }
        match &step.error_bound {
            None => self.report.push(needs_bound(*span, "`emit: { eps: … }`")),
            Some(bound) if bound.node < *eps => {
                self.report.push(
                    Diagnostic::new(
                        operators::KERNEL_BOUNDS,
                        *span,
                        format!("outputs may be off by {eps}, and the bound is {}", bound.node),
                    )
                    .secondary(bound.span, "the bound")
                    .help("lower `eps`, or raise the bound"),
                );
            }
            Some(_) => {}
        }
    }

    /// Bounds that no mode can keep.
    fn bounds(&mut self, step: &ast::Kernel, kernel: Kernel, arguments: &[Value]) {
        if let Some(latency) = step.latency_bound.as_ref().filter(|latency| latency.node < 1) {
            self.report.push(
                Diagnostic::new(operators::KERNEL_BOUNDS, latency.span, "no step takes no time")
                    .help("give a step some time, as in `latency: 5ms`"),
            );
        }
        let Some(bound) = &step.error_bound else { return };
        let Some(tolerance) = kernel.tolerance(arguments).filter(|it| bound.node < *it) else {
            return;
        };
        let written = step.args.iter().find(|(name, _)| name.node == "tolerance");
        let mut fault = Diagnostic::new(
            operators::KERNEL_BOUNDS,
            bound.span,
            format!("no mode keeps this bound: answers may be off by {tolerance} in each of them"),
        );
        if let Some((_, value)) = written {
            fault = fault.secondary(value.span, "said here");
        }
        self.report.push(fault.help(format!("write `tolerance: {}` or less", bound.node)));
    }
}

fn needs_bound(place: Span, what: &str) -> Diagnostic {
    Diagnostic::new(
        operators::KERNEL_MODE,
        place,
        format!("{what} is inexact, and nothing says by how much it may be"),
    )
    .help("add `bounds: { error: 0.001 }`, or whatever error may pass")
}

fn kernel_mode(mode: ast::Mode) -> KernelMode {
    match mode {
        ast::Mode::Pass => KernelMode::Pass,
        ast::Mode::Itmd => KernelMode::Itmd,
        ast::Mode::Rr => KernelMode::Rr,
    }
}
