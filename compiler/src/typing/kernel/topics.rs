//! The topics beside a kernel: rows are asked for by that of `pull`, modes come from `control`, and
//! what steps cost goes to `metrics`.

use arqon_grammar::Diagnostic;
use arqon_grammar::ast;
use arqon_grammar::code::operators;
use arqon_plan::METRICS;
use arqon_types::{Discipline, Type};

use crate::resolve::Resolved;
use crate::typed::TopicId;
use crate::typing::typer::Typer;

impl Typer<'_> {
    /// The topic whose rows ask for answers. That it has their key is checked where that is known.
    pub(super) fn asking_topic(
        &mut self,
        name: &ast::Name,
        resolved: &Resolved<'_>,
    ) -> Option<TopicId> {
        let id = resolved.written_topic(name, "`pull` names", self.report)?;
        let topic = resolved.topic(id);
        if topic.discipline != Discipline::Events {
            return Some(id);
        }
        self.report.push(
            Diagnostic::new(
                operators::KERNEL_TOPIC,
                name.span,
                format!("topic `{}` carries `events`, which never end", name.node),
            )
            .label("what is asked for here would be asked for ever")
            .secondary(topic.span, "declared here")
            .help("let it carry `full` with the key of the answers, or `delta`"),
        );
        None
    }

    /// The topic through which modes are asked for.
    pub(super) fn control_topic(
        &mut self,
        name: &ast::Name,
        resolved: &Resolved<'_>,
    ) -> Option<TopicId> {
        let id = resolved.written_topic(name, "`control` names", self.report)?;
        let row = &resolved.topic(id).row;
        if row.open {
            return None;
        }
        let mode = row.position("mode").and_then(|at| row.columns[at].ty.as_ref());
        let fits = matches!(mode, Some(Type::Enum(labels))
            if labels.iter().all(|label| MODE_WORDS.contains(&label.as_str())));
        if !fits {
            self.report.push(
                Diagnostic::new(
                    operators::KERNEL_TOPIC,
                    name.span,
                    format!("topic `{}` does not ask for modes", name.node),
                )
                .secondary(resolved.topic(id).span, "declared here")
                .help(format!("its rows need a field `mode: enum<{}>`", MODE_WORDS.join("|"))),
            );
            return None;
        }
        Some(id)
    }

    /// The topic for what each step cost: its fields are among those that kernels tell.
    pub(super) fn metrics_topic(
        &mut self,
        name: &ast::Name,
        resolved: &Resolved<'_>,
    ) -> Option<TopicId> {
        let id = resolved.written_topic(name, "`metrics` names", self.report)?;
        let row = &resolved.topic(id).row;
        if row.open {
            return None;
        }
        if resolved.topic(id).discipline == Discipline::Delta {
            self.report.push(
                Diagnostic::new(
                    operators::KERNEL_TOPIC,
                    name.span,
                    format!("topic `{}` carries `delta`, and metrics are facts", name.node),
                )
                .secondary(resolved.topic(id).span, "declared here")
                .help("let it carry `events`, or `full` with a key"),
            );
            return None;
        }
        let known = METRICS.map(|metric| (metric.name(), metric.ty()));
        for column in &row.columns {
            let wanted = known.iter().find(|(known, _)| *known == &*column.name);
            if wanted.is_some_and(|(_, ty)| column.ty.as_ref().is_none_or(|found| found == ty)) {
                continue;
            }
            let mut fault = Diagnostic::new(
                operators::KERNEL_TOPIC,
                name.span,
                match wanted {
                    Some((field, ty)) => format!("`{field}` of a kernel's metrics is `{ty}`"),
                    None => format!("a kernel's metrics have no `{}`", column.name),
                },
            );
            if let Some(origin) = column.origin {
                fault = fault.secondary(origin.span, "declared here");
            }
            let all: Vec<String> = known.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
            self.report.push(fault.help(format!("metrics are {}", all.join(", "))));
            return None;
        }
        Some(id)
    }
}

/// What a meta-controller may ask for.
const MODE_WORDS: [&str; 4] = ["auto", "pass", "itmd", "rr"];
