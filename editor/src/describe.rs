//! Rows, topics and steps in words.

use std::fmt::Write as _;

use arqon_plan::{Plan, Topic, Vertex, VertexId, state_text};
use arqon_types::{Field, Type};

/// The fields in braces, cut where they would pass `characters`.
pub(crate) fn row(fields: &[Field], characters: usize) -> String {
    let mut text = String::from("{");
    for (at, field) in fields.iter().enumerate() {
        let part = format!("{} {}: {}", if at == 0 { "" } else { "," }, field.name, field.ty);
        if text.chars().count() + part.chars().count() > characters && 0 < at {
            text.push_str(", …");
            break;
        }
        text.push_str(&part);
    }
    text.push_str(if fields.is_empty() { "}" } else { " }" });
    text
}

/// One field a line, each behind `indent`.
fn lines(fields: &[Field], indent: &str) -> String {
    let mut text = String::new();
    for field in fields {
        let _ = writeln!(text, "{indent}{}: {}", field.name, field.ty);
    }
    text
}

/// A text as code in Markdown.
pub(crate) fn code(text: &str) -> String {
    format!("```yaml\n{}\n```", text.trim_end())
}

/// A topic: what it carries, its key, its edge and its fields.
pub(crate) fn topic(plan: &Plan, id: VertexId, topic: &Topic) -> String {
    let mut facts = vec![format!("carries `{}`", topic.discipline)];
    if !topic.key.is_empty() {
        facts.push(format!("key `{}`", topic.key_names()));
    }
    facts.push(format!("edge `{}`", topic.edge));
    let held = state_text(plan, &plan.facts(id).state);
    format!(
        "**topic** `{}`: {}\n\n{}\n\nholds {held}",
        topic.name.as_str(),
        facts.join(", "),
        code(&format!("{}:\n{}", topic.schema.name, lines(&topic.schema.fields, "  ")))
    )
}

/// What leaves a step: discipline, keys, row and what is held.
pub(crate) fn step(plan: &Plan, id: VertexId) -> String {
    let Vertex::Step(step) = plan.vertex(id) else { return String::new() };
    let facts = plan.facts(id);
    let carried = match facts.discipline {
        Some(discipline) => format!("`{discipline}`"),
        None => "rows that are not known yet".to_owned(),
    };
    let name = |at: &usize| step.schema.fields.get(*at).map(|field| &*field.name);
    let key: Vec<&str> = facts.key().iter().flatten().filter_map(name).collect();
    let key = match (facts.key(), key.is_empty()) {
        (Some(_), false) => format!(", one row for each `{}`", key.join(", ")),
        (Some(_), true) => ", one row at most".to_owned(),
        (None, _) => String::new(),
    };
    format!(
        "`{}` gives {carried}{key}\n\n{}\n\nholds {}",
        step.address,
        code(&lines(&step.schema.fields, "")),
        state_text(plan, &facts.state)
    )
}

/// The type of a value; the fields of a struct one a line.
pub(crate) fn ty(name: &str, ty: &Type) -> String {
    match ty.required() {
        Type::Struct(inner) if ty.to_string().chars().count() > 60 => {
            let kind = if ty.is_option() { " option of" } else { "" };
            code(&format!("{name}:{kind}\n{}", lines(inner, "  ")))
        }
        _ => code(&format!("{name}: {ty}")),
    }
}
