//! `wasm`: a pure capsule over rows. What it returns is declared, since the compiler does not look
//! into it.

use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Spanned;
use arqon_grammar::ast;
use arqon_grammar::code::{operators, warnings};
use arqon_plan as plan;

use super::step::Made;
use super::typer::Typer;
use crate::resolve::Resolved;
use crate::row_type::RowType;
use crate::typed::Verb;

impl Typer<'_> {
    /// `wasm`
    pub(super) fn wasm_step(
        &mut self,
        step: &ast::Wasm,
        row: &Arc<RowType>,
        resolved: &Resolved<'_>,
    ) -> Made {
        let after = match &step.returns {
            None => Arc::clone(row),
            Some(returns) => resolved.returned(returns),
        };
        if step.limits.is_none() {
            self.report.push(
                Diagnostic::new(
                    warnings::CAPSULE_LIMITS,
                    step.capsule.span,
                    format!("capsule `{}` has no `limits`", step.capsule.node),
                )
                .help("say what one row may cost, as in `limits: { fuel: 10M, memory: 16MiB }`"),
            );
        }
        let limits = step.limits.unwrap_or_default();
        self.some_of(limits.fuel, "fuel", 1);
        self.some_of(limits.memory, "memory", WASM_PAGE_BYTES);
        self.some_of(limits.output, "output", 1);
        let time = limits.time.map(|it| it.map(|nanos| u64::try_from(nanos).unwrap_or(0)));
        self.some_of(time, "time", 1);
        let verb = Verb::Wasm(plan::WasmStep {
            capsule: step.capsule.node.clone(),
            fuel: limits.fuel.map(|it| it.node),
            memory_bytes: limits.memory.map(|it| it.node),
            time_nanos: limits.time.map(|it| it.node),
            output_bytes: limits.output.map(|it| it.node),
        });
        (verb, after)
    }

    /// Reports a limit under which no capsule runs.
    fn some_of(&mut self, limit: Option<Spanned<u64>>, what: &str, least: u64) {
        let Some(limit) = limit.filter(|limit| limit.node < least) else { return };
        let (message, help) = match least {
            WASM_PAGE_BYTES => (
                "no capsule runs in less `memory` than one page".to_owned(),
                "a page is `64KiB`".to_owned(),
            ),
            _ => (format!("no capsule runs without `{what}`"), format!("allow some `{what}`")),
        };
        self.report.push(
            Diagnostic::new(operators::CAPSULE_LIMIT, limit.span, message)
                .help(format!("{help}, or leave the limit away")),
        );
    }
}

/// The least memory of a WebAssembly program.
const WASM_PAGE_BYTES: u64 = 64 * 1024;
