//! The sketch in Graphviz's language.

use super::sketch::{ShapeKind, Sketch};

/// A `digraph`, from left to right.
pub(crate) fn draw(sketch: &Sketch) -> String {
    let mut lines = vec![
        format!("digraph {} {{", quoted(&sketch.title)),
        "  rankdir=LR;".to_owned(),
        "  node [fontname=\"Helvetica\", fontsize=11, style=filled];".to_owned(),
        "  edge [fontname=\"Helvetica\", fontsize=9];".to_owned(),
    ];
    for (idx, shape) in sketch.shapes.iter().enumerate() {
        let (form, fill, line) = match shape.kind {
            ShapeKind::ClientIn | ShapeKind::ClientOut => ("oval", "#ede9fe", "#8b5cf6"),
            ShapeKind::EdgeTopic => ("cylinder", "#e0f2fe", "#0284c7"),
            ShapeKind::InnerTopic => ("cylinder", "#f1f5f9", "#94a3b8"),
            ShapeKind::Node => ("box", "#ffffff", "#6b7280"),
            ShapeKind::Kernel => ("hexagon", "#dcfce7", "#16a34a"),
            ShapeKind::Operator => ("component", "#ffedd5", "#ea580c"),
        };
        // `\l` ends a line that stands left.
        let label = if shape.lines.is_empty() {
            quoted(&shape.title)
        } else {
            let text = [std::slice::from_ref(&shape.title), &shape.lines].concat();
            let text: Vec<String> =
                text.iter().map(|line| format!("{}\\l", escaped(line))).collect();
            format!("\"{}\"", text.concat())
        };
        lines.push(format!(
            "  n{idx} [label={label}, shape={form}, fillcolor=\"{fill}\", color=\"{line}\"];"
        ));
    }
    for arrow in &sketch.arrows {
        let style = if arrow.delayed { ", style=dashed, constraint=false" } else { "" };
        lines.push(format!(
            "  n{} -> n{} [label={}{style}];",
            arrow.from,
            arrow.to,
            quoted(&arrow.text())
        ));
    }
    lines.push("}\n".to_owned());
    lines.join("\n")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
