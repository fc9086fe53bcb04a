//! The layered drawing as SVG: columns from clients on the left to clients on the right.
//!
//! Written by hand, since the columns, ports and labels of a circuit are its own: one label for
//! the rows that leave a shape, colours for disciplines, and no overlapping lines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use arqon_types::Discipline;

use super::layout::{Layout, layout, to_f64};
use super::sketch::{Arrow, Shape, ShapeKind, Sketch};
use crate::console::character_columns;

/// The drawing, complete in itself.
pub(crate) fn draw(sketch: &Sketch) -> String {
    let heights: Vec<f64> = sketch.shapes.iter().map(shape_height).collect();
    let layout = layout(sketch, &heights, ROW_GAP);
    let frame = Frame::new(sketch, &layout);
    let width = frame.width;
    let height = TITLE_HEIGHT + layout.height + LEGEND_HEIGHT;
    let mut out = String::new();
    head(&mut out, &sketch.title, (width, height));
    for (idx, arrow) in sketch.arrows.iter().enumerate() {
        arrow_path(&mut out, sketch, &layout, &frame, (idx, arrow));
    }
    for (idx, shape) in sketch.shapes.iter().enumerate() {
        shape_box(&mut out, shape, &frame.rect(&layout, &heights, idx));
    }
    labels(&mut out, sketch, &layout, &frame);
    legend(&mut out, sketch, TITLE_HEIGHT + layout.height + 14.0);
    out.push_str("</svg>\n");
    out
}

/// Whether the topic that a client writes has readers: then its rows are named behind it.
fn is_told_behind(sketch: &Sketch, arrow: &Arrow) -> bool {
    sketch.arrows.iter().any(|other| other.from == arrow.to && other.text() == arrow.text())
}

/// Where columns stand.
struct Frame {
    lefts: Vec<f64>,
    widths: Vec<f64>,
    width: f64,
    /// For each arrow, where it leaves and arrives: heights.
    ends: Vec<(f64, f64)>,
}

struct Rect {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Frame {
    fn new(sketch: &Sketch, layout: &Layout) -> Self {
        let mut widths = vec![0.0_f64; layout.n_columns];
        for (shape, column) in sketch.shapes.iter().zip(&layout.columns) {
            widths[*column] = widths[*column].max(shape_width(shape));
        }
        let mut gaps = vec![COLUMN_GAP; layout.n_columns];
        // What goes back from the last column needs room beside it.
        let mut overhang = 0.0_f64;
        for arrow in &sketch.arrows {
            let column = match sketch.shapes[arrow.from].kind {
                ShapeKind::ClientIn if is_told_behind(sketch, arrow) => continue,
                ShapeKind::ClientIn => layout.columns[arrow.to].saturating_sub(1),
                ShapeKind::ClientOut
                | ShapeKind::EdgeTopic
                | ShapeKind::InnerTopic
                | ShapeKind::Node
                | ShapeKind::Kernel
                | ShapeKind::Operator => layout.columns[arrow.from],
            };
            let label = text_width(&arrow.text(), LABEL_SIZE) + LABEL_MARGIN;
            gaps[column] = gaps[column].max(label);
            if layout.columns[arrow.to] <= layout.columns[arrow.from] {
                overhang = overhang.max(label);
            }
        }
        let mut lefts = Vec::with_capacity(layout.n_columns);
        let mut x = MARGIN;
        for column in 0..layout.n_columns {
            lefts.push(x);
            x += widths[column] + gaps[column];
        }
        let last_gap = gaps.last().copied().unwrap_or(0.0);
        let ends = arrow_ends(sketch, layout);
        Self { lefts, widths, width: (x - last_gap + MARGIN + overhang).max(WIDTH_MIN), ends }
    }

    fn left(&self, layout: &Layout, shape: usize) -> f64 {
        self.lefts[layout.columns[shape]]
    }

    fn right(&self, layout: &Layout, shape: usize) -> f64 {
        let column = layout.columns[shape];
        self.lefts[column] + self.widths[column]
    }

    fn rect(&self, layout: &Layout, heights: &[f64], shape: usize) -> Rect {
        let height = heights[shape];
        Rect {
            x: self.left(layout, shape),
            y: TITLE_HEIGHT + layout.middles[shape] - height / 2.0,
            width: self.widths[layout.columns[shape]],
            height,
        }
    }
}

/// Arrows leave a shape at its middle and arrive spread over its side, in the order of where
/// they come from, so that they do not cross before it.
fn arrow_ends(sketch: &Sketch, layout: &Layout) -> Vec<(f64, f64)> {
    let mut arriving: BTreeMap<usize, Vec<(f64, usize)>> = BTreeMap::new();
    for (idx, arrow) in sketch.arrows.iter().enumerate() {
        let near = layout.waypoints[idx].last().map_or(layout.middles[arrow.from], |it| it.1);
        arriving.entry(arrow.to).or_default().push((near, idx));
    }
    let mut ends: Vec<(f64, f64)> = sketch
        .arrows
        .iter()
        .map(|arrow| (layout.middles[arrow.from], layout.middles[arrow.to]))
        .collect();
    for (shape, mut arrows) in arriving {
        arrows.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let spread = (shape_height(&sketch.shapes[shape]) - 16.0).max(0.0);
        let step = (spread / to_f64(arrows.len().max(2) - 1)).min(PORT_GAP);
        let start = layout.middles[shape] - step * to_f64(arrows.len() - 1) / 2.0;
        for (place, (_, idx)) in arrows.into_iter().enumerate() {
            ends[idx].1 = start + step * to_f64(place);
        }
    }
    // What is told of arrows that leave one shape stands one below the other, as they part.
    let mut leaving: BTreeMap<usize, Vec<(String, f64, usize)>> = BTreeMap::new();
    for (idx, arrow) in sketch.arrows.iter().enumerate() {
        if sketch.shapes[arrow.from].kind != ShapeKind::ClientIn {
            let next = layout.waypoints[idx].first().map_or(layout.middles[arrow.to], |it| it.1);
            leaving.entry(arrow.from).or_default().push((arrow.text(), next, idx));
        }
    }
    for (shape, mut arrows) in leaving {
        arrows.sort_by(|one, other| one.1.total_cmp(&other.1).then(one.2.cmp(&other.2)));
        let mut told: Vec<&str> = Vec::new();
        for (text, ..) in &arrows {
            if !told.contains(&text.as_str()) {
                told.push(text);
            }
        }
        let start = layout.middles[shape] - TOLD_GAP * to_f64(told.len() - 1) / 2.0;
        for (text, _, idx) in &arrows {
            let place = told.iter().position(|it| it == text).unwrap_or(0);
            ends[*idx].0 = start + TOLD_GAP * to_f64(place);
        }
    }
    ends
}

fn head(out: &mut String, title: &str, (width, height): (f64, f64)) {
    put(
        out,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"{FONT}\" role=\"img\">\n\
             <title>{0}</title>\n<defs>\n",
            escaped(title)
        ),
    );
    for discipline in DISCIPLINES {
        put(
            out,
            format_args!(
                "<marker id=\"{discipline}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" \
                 markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
                 <path d=\"M0 0.5 L8 4 L0 7.5 z\" fill=\"{}\"/></marker>\n",
                line_colour(discipline)
            ),
        );
    }
    put(
        out,
        format_args!(
            "</defs>\n<rect width=\"100%\" height=\"100%\" rx=\"10\" fill=\"#ffffff\"/>\n\
             <text x=\"{MARGIN}\" y=\"31\" font-size=\"17\" font-weight=\"700\" \
             fill=\"#1f2937\">{}</text>\n",
            escaped(title)
        ),
    );
}

fn arrow_path(
    out: &mut String,
    sketch: &Sketch,
    layout: &Layout,
    frame: &Frame,
    (idx, arrow): (usize, &Arrow),
) {
    let (start_y, end_y) = frame.ends[idx];
    let (mut x, mut y) = (frame.right(layout, arrow.from), start_y + TITLE_HEIGHT);
    let mut path = format!("M{x:.1} {y:.1}");
    let goes_right = layout.columns[arrow.from] < layout.columns[arrow.to];
    let label = text_width(&arrow.text(), LABEL_SIZE) + 8.0;
    let by_client = sketch.shapes[arrow.from].kind == ShapeKind::ClientIn;
    if !by_client {
        // Straight under its label, so that lines do not cross the text.
        x += label;
        put(&mut path, format_args!(" L{x:.1} {y:.1}"));
    }
    if goes_right {
        for (column, middle) in &layout.waypoints[idx] {
            let left = frame.lefts[*column];
            curve(&mut path, (x, y), (left, middle + TITLE_HEIGHT));
            (x, y) = (left + frame.widths[*column], middle + TITLE_HEIGHT);
            put(&mut path, format_args!(" L{x:.1} {y:.1}"));
        }
        let (end_x, end_y) = (frame.left(layout, arrow.to), end_y + TITLE_HEIGHT);
        let is_labelled = by_client && !is_told_behind(sketch, arrow);
        let bend_x = if is_labelled { end_x - label } else { end_x };
        curve(&mut path, (x, y), (bend_x, end_y));
        put(&mut path, format_args!(" L{end_x:.1} {end_y:.1}"));
    } else {
        // What comes back goes below both shapes.
        let heights = [arrow.from, arrow.to]
            .map(|it| layout.middles[it] + shape_height(&sketch.shapes[it]) / 2.0);
        let low = heights[0].max(heights[1]) + TITLE_HEIGHT + ROW_GAP * 0.6;
        let end = (frame.left(layout, arrow.to), end_y + TITLE_HEIGHT);
        put(
            &mut path,
            format_args!(
                " C{:.1} {y:.1} {:.1} {low:.1} {x:.1} {low:.1} L{:.1} {low:.1} \
                 C{:.1} {low:.1} {:.1} {:.1} {:.1} {:.1}",
                x + 36.0,
                x + 36.0,
                end.0,
                end.0 - 36.0,
                end.0 - 36.0,
                end.1,
                end.0,
                end.1
            ),
        );
    }
    let dashes = if arrow.delayed { " stroke-dasharray=\"5 4\"" } else { "" };
    let tip = arrow.text();
    put(
        out,
        format_args!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\"{dashes} \
             marker-end=\"url(#{})\"><title>{} → {}: {}</title></path>\n",
            line_colour(arrow.discipline),
            arrow.discipline,
            escaped(&sketch.shapes[arrow.from].title),
            escaped(&sketch.shapes[arrow.to].title),
            escaped(&tip)
        ),
    );
}

fn curve(path: &mut String, (x, y): (f64, f64), (to_x, to_y): (f64, f64)) {
    let bend = (to_x - x) * 0.5;
    put(
        path,
        format_args!(" C{:.1} {y:.1} {:.1} {to_y:.1} {to_x:.1} {to_y:.1}", x + bend, to_x - bend),
    );
}

fn shape_box(out: &mut String, shape: &Shape, rect: &Rect) {
    let look = look(shape.kind);
    let Rect { x, y, width, height } = *rect;
    let round = match shape.kind {
        ShapeKind::ClientIn | ShapeKind::ClientOut => height / 2.0,
        ShapeKind::EdgeTopic | ShapeKind::InnerTopic => 9.0,
        ShapeKind::Kernel => 1.0,
        ShapeKind::Node | ShapeKind::Operator => 4.0,
    };
    put(
        out,
        format_args!(
            "<g><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             rx=\"{round:.1}\" fill=\"{}\" stroke=\"{}\" stroke-width=\"1.4\"/>\n",
            look.fill, look.line
        ),
    );
    let centred = matches!(shape.kind, ShapeKind::ClientIn | ShapeKind::ClientOut);
    let (anchor, text_x) =
        if centred { ("middle", x + width / 2.0) } else { ("start", x + PADDING) };
    let title_y = y + if shape.lines.is_empty() { height / 2.0 + 4.5 } else { 18.0 };
    put(
        out,
        format_args!(
            "<text x=\"{text_x:.1}\" y=\"{title_y:.1}\" text-anchor=\"{anchor}\" \
             font-size=\"{TITLE_SIZE}\" font-weight=\"600\" fill=\"{}\">{}</text>\n",
            look.text,
            escaped(&shape.title)
        ),
    );
    for (place, line) in shape.lines.iter().enumerate() {
        let line_y = title_y + LINE_HEIGHT * to_f64(place + 1);
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let is_node = shape.kind == ShapeKind::Node;
        let weight = if is_node { " font-weight=\"600\"" } else { "" };
        put(
            out,
            format_args!(
                "<text x=\"{text_x:.1}\" y=\"{line_y:.1}\" font-size=\"{LINE_SIZE}\" \
                 fill=\"#4b5563\"><tspan{weight}>{}</tspan> {}</text>\n",
                escaped(verb),
                escaped(rest)
            ),
        );
    }
    out.push_str("</g>\n");
}

/// What the rows are: once where they leave a shape; for clients where they arrive, unless the
/// topic's readers say it.
fn labels(out: &mut String, sketch: &Sketch, layout: &Layout, frame: &Frame) {
    let mut told: Vec<(usize, String)> = Vec::new();
    for (idx, arrow) in sketch.arrows.iter().enumerate() {
        let text = arrow.text();
        let (start_y, end_y) = frame.ends[idx];
        let by_client = sketch.shapes[arrow.from].kind == ShapeKind::ClientIn;
        if by_client && is_told_behind(sketch, arrow) {
            continue;
        }
        let (anchor, x, y) = if by_client {
            ("end", frame.left(layout, arrow.to) - 12.0, end_y)
        } else {
            ("start", frame.right(layout, arrow.from) + 6.0, start_y)
        };
        let key = (if by_client { arrow.to } else { arrow.from }, text.clone());
        if told.iter().rev().take(64).any(|known| *known == key) {
            continue;
        }
        told.push(key);
        put(
            out,
            format_args!(
                "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" \
                 font-size=\"{LABEL_SIZE}\" fill=\"{}\" stroke=\"#ffffff\" stroke-width=\"3\" \
                 paint-order=\"stroke\">{}</text>\n",
                y + TITLE_HEIGHT - 5.0,
                label_colour(arrow.discipline),
                escaped(&text)
            ),
        );
    }
}

fn legend(out: &mut String, sketch: &Sketch, y: f64) {
    let mut x = MARGIN;
    let kinds = [
        (ShapeKind::ClientIn, "clients"),
        (ShapeKind::EdgeTopic, "edge topic"),
        (ShapeKind::InnerTopic, "inner topic"),
        (ShapeKind::Node, "node"),
        (ShapeKind::Kernel, "kernel"),
        (ShapeKind::Operator, "operator"),
    ];
    for (kind, name) in kinds {
        let is_there = |shape: &Shape| {
            shape.kind == kind
                || (kind == ShapeKind::ClientIn && shape.kind == ShapeKind::ClientOut)
        };
        if !sketch.shapes.iter().any(is_there) {
            continue;
        }
        let look = look(kind);
        put(
            out,
            format_args!(
                "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"14\" height=\"10\" rx=\"3\" \
                 fill=\"{}\" stroke=\"{}\"/>",
                y - 9.0,
                look.fill,
                look.line
            ),
        );
        x = legend_text(out, (x + 20.0, y), name);
    }
    for discipline in DISCIPLINES {
        if !sketch.arrows.iter().any(|arrow| arrow.discipline == discipline) {
            continue;
        }
        put(
            out,
            format_args!(
                "<path d=\"M{x:.1} {0:.1} h20\" stroke=\"{1}\" stroke-width=\"2\"/>",
                y - 4.0,
                line_colour(discipline)
            ),
        );
        x = legend_text(out, (x + 26.0, y), &discipline.to_string());
    }
}

fn legend_text(out: &mut String, (x, y): (f64, f64), text: &str) -> f64 {
    put(
        out,
        format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{LABEL_SIZE}\" fill=\"#6b7280\">{text}</text>\n"
        ),
    );
    x + text_width(text, LABEL_SIZE) + 20.0
}

struct Look {
    fill: &'static str,
    line: &'static str,
    text: &'static str,
}

fn look(kind: ShapeKind) -> Look {
    let (fill, line, text) = match kind {
        ShapeKind::ClientIn | ShapeKind::ClientOut => ("#ede9fe", "#8b5cf6", "#4c1d95"),
        ShapeKind::EdgeTopic => ("#e0f2fe", "#0284c7", "#0c4a6e"),
        ShapeKind::InnerTopic => ("#f1f5f9", "#94a3b8", "#334155"),
        ShapeKind::Node => ("#ffffff", "#6b7280", "#111827"),
        ShapeKind::Kernel => ("#dcfce7", "#16a34a", "#14532d"),
        ShapeKind::Operator => ("#ffedd5", "#ea580c", "#7c2d12"),
    };
    Look { fill, line, text }
}

fn line_colour(discipline: Discipline) -> &'static str {
    match discipline {
        Discipline::Events => "#9ca3af",
        Discipline::Full => "#60a5fa",
        Discipline::Delta => "#34b37e",
    }
}

fn label_colour(discipline: Discipline) -> &'static str {
    match discipline {
        Discipline::Events => "#6b7280",
        Discipline::Full => "#2563eb",
        Discipline::Delta => "#047857",
    }
}

fn shape_height(shape: &Shape) -> f64 {
    match shape.lines.len() {
        0 => 30.0,
        n_lines => 26.0 + LINE_HEIGHT * to_f64(n_lines),
    }
}

fn shape_width(shape: &Shape) -> f64 {
    let lines = shape.lines.iter().map(|line| text_width(line, LINE_SIZE));
    let widest = lines.fold(text_width(&shape.title, TITLE_SIZE) * 1.06, f64::max);
    (widest + 2.4 * PADDING).max(70.0)
}

/// A little more than the usual sans-serif takes.
fn text_width(text: &str, size: f64) -> f64 {
    let units: f64 = text
        .chars()
        .map(|character| match character {
            'i' | 'j' | 'l' | 't' | 'f' | '.' | ',' | ' ' | '\'' | '|' | '·' | 'I' => 0.34,
            'm' | 'w' | 'M' | 'W' | '…' => 0.88,
            'A'..='Z' => 0.69,
            _ => 0.575 * to_f64(character_columns(character)),
        })
        .sum();
    units * size
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn put(out: &mut String, content: std::fmt::Arguments<'_>) {
    out.write_fmt(content).expect("writing to a String cannot fail");
}

const DISCIPLINES: [Discipline; 3] = [Discipline::Events, Discipline::Full, Discipline::Delta];
const FONT: &str = "Inter, 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif";
const MARGIN: f64 = 22.0;
const PADDING: f64 = 10.0;
const TITLE_HEIGHT: f64 = 34.0;
const LEGEND_HEIGHT: f64 = 30.0;
const WIDTH_MIN: f64 = 420.0;
const ROW_GAP: f64 = 20.0;
const COLUMN_GAP: f64 = 64.0;
const LABEL_MARGIN: f64 = 62.0;
const PORT_GAP: f64 = 14.0;

/// Between two arrows that leave one shape, each under what is told of it.
const TOLD_GAP: f64 = 18.0;
const LINE_HEIGHT: f64 = 14.5;
const TITLE_SIZE: f64 = 13.0;
const LINE_SIZE: f64 = 11.0;
const LABEL_SIZE: f64 = 10.5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_two_arrows_stands_apart() {
        let shape = |kind, title: &str| Shape { kind, title: title.to_owned(), lines: Vec::new() };
        let arrow = |to, discipline| Arrow {
            from: 0,
            to,
            label: String::new(),
            schema: String::new(),
            discipline,
            delayed: false,
        };
        let sketch = Sketch {
            title: "t".to_owned(),
            shapes: vec![
                shape(ShapeKind::Node, "n"),
                shape(ShapeKind::EdgeTopic, "a"),
                shape(ShapeKind::EdgeTopic, "b"),
                shape(ShapeKind::EdgeTopic, "c"),
            ],
            arrows: vec![
                arrow(1, Discipline::Delta),
                arrow(2, Discipline::Events),
                arrow(3, Discipline::Delta),
            ],
        };
        let ends = arrow_ends(&sketch, &layout(&sketch, &[30.0; 4], ROW_GAP));
        let leaves: Vec<f64> = ends.iter().map(|(start, _)| *start).collect();
        assert!((leaves[0] - leaves[2]).abs() < 0.1 && 15.0 < (leaves[0] - leaves[1]).abs());
    }
}
