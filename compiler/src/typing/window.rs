//! `window` and `within`: the event time of the rows, and the bounds that are added.

use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::Spanned;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_grammar::expr as syntax;
use arqon_operators::{Expr, ExprKind};
use arqon_plan::{WindowFrame, WindowStep, WithinStep};
use arqon_types::{Type, format_duration};

use super::scope::Scope;
use super::step::Made;
use super::typer::Typer;
use crate::row_type::{Column, Origin, OriginKind, RowType};
use crate::typed::{EventTime, Verb};

/// The rows that a window sees, and where their event time is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timed<'a> {
    /// The rows.
    pub(super) row: &'a Arc<RowType>,
    /// Their event time.
    pub(super) time: EventTime,
    /// A topic that the node reads and that has none.
    pub(super) untimed: Option<&'a str>,
}

impl Typer<'_> {
    /// `window`
    pub(super) fn window_step(
        &mut self,
        window: &ast::Window,
        verb: Span,
        input: Timed<'_>,
    ) -> Made {
        let time = self.event_time(window.time.as_ref(), "`window`", verb, input);
        let frame = self.frame(&window.kind, input.row);
        let mut columns = input.row.columns.clone();
        let mut has_clash = false;
        for name in ["window_start", "window_end"] {
            if let Some(at) = input.row.position(name) {
                has_clash = true;
                self.bound_clash(name, verb, input.row.columns[at].origin);
                continue;
            }
            let origin = Origin { span: verb, kind: OriginKind::Computed };
            columns.push(Column::new(name, Some(Type::Timestamp), Some(origin)));
        }
        let made = match (time, frame) {
            (Some(time), Some(frame)) if !has_clash => Verb::Window(Box::new(WindowStep {
                frame,
                time,
                is_final: window.is_final.as_ref().is_some_and(|is_final| is_final.node),
                topics: Vec::new(),
            })),
            _ => Verb::Unknown,
        };
        (made, Arc::new(RowType::new(columns, input.row.open)))
    }

    fn bound_clash(&mut self, name: &str, verb: Span, origin: Option<Origin>) {
        let mut fault = Diagnostic::new(
            names::FIELD_CLASH,
            verb,
            format!("`window` adds `{name}`, and the row has a field of that name already"),
        );
        if let Some(origin) = origin {
            fault = fault.secondary(origin.span, "this one");
        }
        self.report.push(fault.help("drop or rename the field before"));
    }

    /// `within`
    pub(super) fn within_step(
        &mut self,
        within: &ast::Within,
        verb: Span,
        input: Timed<'_>,
    ) -> Made {
        let time = self.event_time(within.time.as_ref(), "`within`", verb, input);
        let last = self.length(&within.last, "`last`");
        let made = match (time, last) {
            (Some(time), Some(last)) => Verb::Within(WithinStep { time, last, topics: Vec::new() }),
            _ => Verb::Unknown,
        };
        (made, Arc::clone(input.row))
    }

    /// The event time that a step names, or that the rows bring.
    fn event_time(
        &mut self,
        written: Option<&syntax::Expr>,
        what: &str,
        verb: Span,
        input: Timed<'_>,
    ) -> Option<Expr> {
        let Some(written) = written else {
            return match input.time {
                EventTime::At(at) => Some(Expr::column(at, Type::Timestamp)),
                EventTime::Unknown => None,
                EventTime::Missing => {
                    self.no_event_time(what, verb, input);
                    None
                }
            };
        };
        let typed = self.expression(written, &Scope::Row(input.row), None)?;
        if typed.expr.ty == Type::Timestamp {
            return Some(typed.expr);
        }
        let mut fault = Diagnostic::new(
            names::WRONG_TYPE,
            written.span,
            format!("`time` of {what} wants a timestamp, found `{}`", typed.expr.ty),
        );
        if let Some(origin) = typed.origin {
            let text = self.text(written.span);
            fault = fault.secondary(origin.span, format!("`{text}` {} here", origin.kind.words()));
        }
        self.report.push(fault);
        None
    }

    fn no_event_time(&mut self, what: &str, verb: Span, input: Timed<'_>) {
        if input.row.open {
            return;
        }
        let fault = Diagnostic::new(names::NO_EVENT_TIME, verb, {
            format!("{what} has no event time to go by")
        });
        let candidate = |column: &&Column| column.ty == Some(Type::Timestamp);
        let field = input.row.columns.iter().find(candidate).map(|column| &*column.name);
        self.report.push(match (input.untimed, field) {
            (Some(topic), Some(field)) => fault
                .label(format!("topic `{topic}` declares no `time`"))
                .help(format!("declare `time: {field}` on topic `{topic}`")),
            (Some(topic), None) => fault.label(format!("topic `{topic}` declares no `time`")).help(
                "give its rows a field of type `timestamp`, and name it as the topic's `time`",
            ),
            (None, _) => fault
                .label("the rows have lost it on the way")
                .help("keep the field, or name another one here, as in `time: at`"),
        });
    }

    fn frame(&mut self, kind: &Spanned<ast::WindowKind>, row: &RowType) -> Option<WindowFrame> {
        match &kind.node {
            ast::WindowKind::Tumble { size } => {
                let size = self.length(size, "`tumble`")?;
                Some(WindowFrame::Aligned { size, every: size })
            }
            ast::WindowKind::Hop { size, every } => {
                let (length, step) = (self.length(size, "`hop`"), self.length(every, "`every`"));
                let (length, step) = (length?, step?);
                let n_windows = length.div_euclid(step) + i64::from(length.rem_euclid(step) != 0);
                let fault = if length < step {
                    Some(format!(
                        "windows of {} that begin every {} leave rows between them out",
                        format_duration(length),
                        format_duration(step)
                    ))
                } else {
                    (WINDOWS_MAX < n_windows)
                        .then(|| format!("each row falls into {n_windows} windows"))
                };
                if let Some(message) = fault {
                    self.report.push(
                        Diagnostic::new(names::WINDOW, every.span, message)
                            .secondary(size.span, "the length of the windows")
                            .help(format!(
                                "`every` lies between {} and {}",
                                format_duration((length / WINDOWS_MAX).max(1)),
                                format_duration(length)
                            )),
                    );
                    return None;
                }
                Some(WindowFrame::Aligned { size: length, every: step })
            }
            ast::WindowKind::Session { gap, per } => {
                let gap = self.length(gap, "`session`");
                let mut keys = Some(Vec::with_capacity(per.len()));
                for key in per {
                    let typed = self.expression(key, &Scope::Row(row), None);
                    keys = keys.zip(typed).map(|(mut keys, typed)| {
                        keys.push(typed.expr);
                        keys
                    });
                }
                Some(WindowFrame::Session { gap: gap?, per: keys? })
            }
        }
    }

    /// A length of time above zero.
    fn length(&mut self, length: &syntax::Expr, what: &str) -> Option<i64> {
        let nanos = self.nanoseconds(length, what)?;
        if 0 < nanos {
            return Some(nanos);
        }
        self.report.push(
            Diagnostic::new(
                names::WINDOW,
                length.span,
                format!("{what} wants a length above zero, found `{}`", self.text(length.span)),
            )
            .help("write a duration, as in `1m`"),
        );
        None
    }
}

/// Where the event time is after a step.
pub(super) fn time_after(time: EventTime, verb: &Verb) -> EventTime {
    let EventTime::At(at) = time else { return time };
    let copied = |exprs: &[Expr]| {
        let place = exprs.iter().position(|expr| expr.kind == ExprKind::Column(at));
        place.map_or(EventTime::Missing, EventTime::At)
    };
    match verb {
        Verb::Project(_, exprs) | Verb::Distinct { fields: Some(exprs) } => copied(exprs),
        Verb::Group { group, .. } => copied(&group.keys),
        Verb::Call(call) => copied(&call.keep),
        Verb::Unnest(unnest) if unnest.field == at => EventTime::Missing,
        // The fields of a row that may be missing are options.
        Verb::Join { join, .. } if join.kind.may_miss()[0] => EventTime::Missing,
        Verb::Where(_)
        | Verb::Unnest(_)
        | Verb::Join { .. }
        | Verb::Distinct { fields: None }
        | Verb::Top(_)
        | Verb::Over(_)
        | Verb::Window(_)
        | Verb::Within(_)
        | Verb::Loop(_)
        | Verb::Route(_)
        | Verb::Carries(_) => time,
        // The kernel says what its rows are, whatever came in.
        Verb::Kernel(_) => EventTime::Missing,
        Verb::Wasm(_) | Verb::Unknown => EventTime::Unknown,
    }
}

/// Most windows that one row falls into.
const WINDOWS_MAX: i64 = 1_000;
