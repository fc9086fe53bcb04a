//! Windows as text: `tumble 1m of at`, `session 10s per bidder of at`.

use arqon_types::{TopicName, format_duration};

use super::expression::expression_text;
use crate::dataflow::{Closing, Frame, Release, Session, Window};
use crate::vertex::{WindowFrame, WindowStep, WithinStep};

/// A `window` step, nearly as it is written.
pub(super) fn window_step_text(window: &WindowStep, input: &[String]) -> String {
    let per = match &window.frame {
        WindowFrame::Session { per, .. } => listed(" per ", per, input),
        WindowFrame::Aligned { .. } => String::new(),
    };
    let frame = match &window.frame {
        WindowFrame::Aligned { size, every } if size == every => {
            format!("tumble {}", format_duration(*size))
        }
        WindowFrame::Aligned { size, every } => {
            format!("hop {} every {}", format_duration(*size), format_duration(*every))
        }
        WindowFrame::Session { gap, .. } => format!("session {}", format_duration(*gap)),
    };
    let time = expression_text(&window.time, input);
    let is_final = if window.is_final { " final" } else { "" };
    format!("window {frame}{per} of {time}{}{is_final}", marks_text(&window.topics))
}

/// A `within` step.
pub(super) fn within_step_text(within: &WithinStep, input: &[String]) -> String {
    let time = expression_text(&within.time, input);
    let last = format_duration(within.last);
    format!("within last {last} of {time}{}", marks_text(&within.topics))
}

/// How single rows are judged.
pub(super) fn window_text(window: &Window, input: &[String]) -> String {
    let time = expression_text(&window.time, input);
    match window.frame {
        Frame::Aligned { size, every } if size == every => {
            format!("tumble {} of {time}", format_duration(size))
        }
        Frame::Aligned { size, every } => {
            format!("hop {} every {} of {time}", format_duration(size), format_duration(every))
        }
        Frame::Own { length } => format!("{} from {time} on", format_duration(length)),
    }
}

/// Sessions.
pub(super) fn session_text(session: &Session, input: &[String]) -> String {
    let time = expression_text(&session.time, input);
    let per = listed(" per ", &session.per, input);
    let gap = format_duration(session.gap);
    format!("session {gap}{per} of {time}{}", marks_text(&session.topics))
}

/// When a window closes.
pub(super) fn closing_text(closing: &Closing, input: &[String]) -> String {
    let time = expression_text(&closing.time, input);
    format!("{time}{}{}", slack_text(closing.slack), marks_text(&closing.topics))
}

/// Which keys a step lets go of, and when; `names` are its keys.
pub(super) fn release_text(release: &Release, names: &[String]) -> String {
    let name = names.get(release.key).map_or("?", String::as_str);
    format!("releases {name}{}{}", slack_text(release.slack), marks_text(&release.topics))
}

fn slack_text(slack: i64) -> String {
    if slack == 0 { String::new() } else { format!(" + {}", format_duration(slack)) }
}

fn marks_text(topics: &[TopicName]) -> String {
    if topics.is_empty() {
        return " never closing".to_owned();
    }
    let names: Vec<&str> = topics.iter().map(TopicName::as_str).collect();
    format!(" by {}", names.join(", "))
}

fn listed(word: &str, exprs: &[arqon_operators::Expr], input: &[String]) -> String {
    if exprs.is_empty() {
        return String::new();
    }
    let texts: Vec<String> = exprs.iter().map(|expr| expression_text(expr, input)).collect();
    format!("{word}{}", texts.join(", "))
}
