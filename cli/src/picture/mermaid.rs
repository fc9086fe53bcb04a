//! The sketch in Mermaid's language.

use super::sketch::{ShapeKind, Sketch};

/// A `flowchart`, from left to right.
pub(crate) fn draw(sketch: &Sketch) -> String {
    let mut lines = vec!["---".to_owned(), format!("title: {}", sketch.title), "---".to_owned()];
    lines.push("flowchart LR".to_owned());
    for (idx, shape) in sketch.shapes.iter().enumerate() {
        let mut text = vec![format!("<b>{}</b>", escaped(&shape.title))];
        text.extend(shape.lines.iter().map(|line| escaped(line)));
        let text = text.join("<br/>");
        let (open, close, class) = match shape.kind {
            ShapeKind::ClientIn | ShapeKind::ClientOut => ("([\"", "\"])", "clients"),
            ShapeKind::EdgeTopic => ("[(\"", "\")]", "edge"),
            ShapeKind::InnerTopic => ("[(\"", "\")]", "inner"),
            ShapeKind::Node => ("[\"", "\"]", "node"),
            ShapeKind::Kernel => ("{{\"", "\"}}", "kernel"),
            ShapeKind::Operator => ("[[\"", "\"]]", "operator"),
        };
        lines.push(format!("  n{idx}{open}{text}{close}:::{class}"));
    }
    for arrow in &sketch.arrows {
        let line = if arrow.delayed { "-.->" } else { "-->" };
        lines.push(format!(
            "  n{} {line}|\"{}\"| n{}",
            arrow.from,
            escaped(&arrow.text()),
            arrow.to
        ));
    }
    for (class, fill, line) in [
        ("clients", "#ede9fe", "#8b5cf6"),
        ("edge", "#e0f2fe", "#0284c7"),
        ("inner", "#f1f5f9", "#94a3b8"),
        ("node", "#ffffff", "#6b7280"),
        ("kernel", "#dcfce7", "#16a34a"),
        ("operator", "#ffedd5", "#ea580c"),
    ] {
        lines.push(format!("  classDef {class} fill:{fill},stroke:{line},color:#111827"));
    }
    lines.join("\n") + "\n"
}

/// What Mermaid would take for its own.
fn escaped(text: &str) -> String {
    text.replace('&', "#amp;").replace('"', "#quot;").replace('<', "#lt;").replace('>', "#gt;")
}
