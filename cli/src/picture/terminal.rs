//! The sketch with box characters: a box per node and operator, what it reads on its left, what
//! it writes on its right, in the order in which rows pass. As wide as the terminal, from 80
//! columns on.

use std::collections::BTreeSet;

use super::sketch::{Arrow, Shape, ShapeKind, Sketch};
use crate::console::{character_columns, columns};

/// How wide the parts of a line are.
#[derive(Debug, Clone, Copy)]
struct Widths {
    whole: usize,
    /// Left of the boxes.
    left: usize,
    /// Within a box, at most.
    inner: usize,
}

impl Widths {
    fn of(columns: usize) -> Self {
        let whole = columns.clamp(COLUMNS_MIN, COLUMNS_MAX);
        let left = if whole < COLUMNS_DEFAULT { 24 } else { 30 };
        let inner = if whole < COLUMNS_DEFAULT { 26 } else { 34 };
        Self { whole, left, inner }
    }
}

/// The drawing, in so many columns.
pub(crate) fn draw(sketch: &Sketch, columns: usize) -> String {
    let widths = Widths::of(columns);
    let mut lines = vec![sketch.title.clone(), String::new()];
    clients(sketch, ShapeKind::ClientIn, widths.whole, &mut lines);
    for idx in in_order(sketch) {
        block(sketch, idx, widths, &mut lines);
    }
    clients(sketch, ShapeKind::ClientOut, widths.whole, &mut lines);
    let trimmed: Vec<String> = lines.iter().map(|line| line.trim_end().to_owned()).collect();
    trimmed.join("\n").trim_end().to_owned() + "\n"
}

/// Nodes and operators, each after what it reads, else as they stand in the plan.
fn in_order(sketch: &Sketch) -> Vec<usize> {
    let depths = super::layout::layout(sketch, &vec![1.0; sketch.shapes.len()], 1.0).columns;
    let mut n_waiting = vec![0_usize; sketch.shapes.len()];
    let mut readers = vec![Vec::new(); sketch.shapes.len()];
    // What comes back from further on is not waited for.
    for arrow in sketch.arrows.iter().filter(|it| depths[it.from] < depths[it.to]) {
        n_waiting[arrow.to] += 1;
        readers[arrow.from].push(arrow.to);
    }
    let mut ready: BTreeSet<usize> =
        (0..sketch.shapes.len()).filter(|idx| n_waiting[*idx] == 0).collect();
    let mut order = Vec::new();
    while let Some(idx) = ready.pop_first() {
        if matches!(
            sketch.shapes[idx].kind,
            ShapeKind::Node | ShapeKind::Kernel | ShapeKind::Operator
        ) {
            order.push(idx);
        }
        for reader in &readers[idx] {
            n_waiting[*reader] -= 1;
            if n_waiting[*reader] == 0 {
                ready.insert(*reader);
            }
        }
    }
    order
}

/// Who publishes what, or who subscribes to what.
fn clients(sketch: &Sketch, kind: ShapeKind, width: usize, lines: &mut Vec<String>) {
    for (idx, shape) in sketch.shapes.iter().enumerate().filter(|(_, it)| it.kind == kind) {
        let names: Vec<&str> = sketch
            .arrows
            .iter()
            .filter_map(|arrow| match kind {
                ShapeKind::ClientOut if arrow.to == idx => Some(arrow.from),
                ShapeKind::ClientIn if arrow.from == idx => Some(arrow.to),
                _ => None,
            })
            .map(|other| sketch.shapes[other].title.as_str())
            .collect();
        let verb = if kind == ShapeKind::ClientIn { "▶ publishes" } else { "◀ subscribes to" };
        let head = format!("({}) {verb} ", shape.title);
        let indent = " ".repeat(head.chars().count());
        let mut line = head;
        for (place, name) in names.iter().enumerate() {
            let comma = if place + 1 < names.len() { ", " } else { "" };
            if width < line.chars().count() + name.chars().count() + comma.len() {
                lines.push(std::mem::replace(&mut line, indent.clone()));
            }
            line.push_str(name);
            line.push_str(comma);
        }
        lines.push(line);
    }
    if sketch.shapes.iter().any(|shape| shape.kind == kind) {
        lines.push(String::new());
    }
}

/// One box with its arrows.
fn block(sketch: &Sketch, idx: usize, widths: Widths, lines: &mut Vec<String>) {
    let left_width = widths.left;
    let shape = &sketch.shapes[idx];
    let inputs: Vec<&Arrow> = sketch.arrows.iter().filter(|arrow| arrow.to == idx).collect();
    let outputs: Vec<&Arrow> = sketch.arrows.iter().filter(|arrow| arrow.from == idx).collect();
    let content = std::iter::once(&shape.title).chain(&shape.lines);
    let inner = content.map(|line| columns(line)).max().unwrap_or(0).clamp(16, widths.inner);
    let n_rows = (1 + shape.lines.len()).max(inputs.len()).max(outputs.len());
    let edges = match shape.kind {
        ShapeKind::Operator => HEAVY,
        ShapeKind::Kernel => DOUBLE,
        ShapeKind::ClientIn
        | ShapeKind::EdgeTopic
        | ShapeKind::InnerTopic
        | ShapeKind::Node
        | ShapeKind::ClientOut => LIGHT,
    };
    let [top_left, top_right, low_left, low_right, flat, upright] = edges;
    let bar = flat.to_string().repeat(inner + 2);
    lines.push(format!("{:left_width$}{top_left}{bar}{top_right}", ""));
    for row in 0..n_rows {
        let text = match row.checked_sub(1) {
            None => shape.title.clone(),
            Some(line) => shape.lines.get(line).cloned().unwrap_or_default(),
        };
        let text = cut(&text, inner);
        let left = inputs.get(row).map_or_else(
            || format!("{:left_width$}{upright}", ""),
            |arrow| {
                let name = titled(&sketch.shapes[arrow.from]);
                format!("{}▶", arrow_text(&name, arrow, left_width - 1, true))
            },
        );
        // The arrowhead takes the place of the box's own side.
        let left = if left.ends_with('▶') {
            let mut cut: String = left.chars().take(left_width).collect();
            cut.pop();
            format!("{cut}▶{upright}")
        } else {
            left
        };
        let right = outputs.get(row).map_or_else(String::new, |arrow| {
            let name = titled(&sketch.shapes[arrow.to]);
            let room = widths.whole.saturating_sub(left_width + inner + 4);
            arrow_text(&name, arrow, room, false)
        });
        let padding = " ".repeat(inner - columns(&text));
        lines.push(format!("{left} {text}{padding} {upright}{right}"));
    }
    lines.push(format!("{:left_width$}{low_left}{bar}{low_right}", ""));
}

/// `flights ──full──` or `──delta──▶ fleet`, in exactly or at most this many columns.
fn arrow_text(name: &str, arrow: &Arrow, room: usize, comes_in: bool) -> String {
    let line = if arrow.delayed { '╌' } else { '─' };
    let label = if arrow.label.is_empty() {
        arrow.discipline.to_string()
    } else {
        format!("{}: {}", arrow.label, arrow.discipline)
    };
    if comes_in {
        let name = cut(name, room.saturating_sub(label.chars().count() + 5));
        let used = name.chars().count() + label.chars().count() + 3;
        let rest: String = std::iter::repeat_n(line, room.saturating_sub(used).max(1)).collect();
        format!("{name} {line}{label}{line}{rest}")
    } else {
        let name = cut(name, room.saturating_sub(label.chars().count() + 6));
        format!("{line}{line}{label}{line}{line}▶ {name}")
    }
}

/// Topics that clients may touch are marked.
fn titled(shape: &Shape) -> String {
    match shape.kind {
        ShapeKind::EdgeTopic => format!("◉ {}", shape.title),
        ShapeKind::InnerTopic => format!("○ {}", shape.title),
        ShapeKind::ClientIn | ShapeKind::ClientOut => format!("({})", shape.title),
        ShapeKind::Node | ShapeKind::Kernel | ShapeKind::Operator => format!("▢ {}", shape.title),
    }
}

fn cut(text: &str, room: usize) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let mut left = room.saturating_sub(1);
    let fits = |character: &char| {
        let rest = left.checked_sub(character_columns(*character));
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.push('…');
    short
}

/// Columns of a line where nothing says how many there are.
pub(crate) const COLUMNS_DEFAULT: usize = 100;

/// Narrower terminals wrap.
const COLUMNS_MIN: usize = 80;

/// Wider ones have room to spare.
const COLUMNS_MAX: usize = 160;

/// Corners, then the flat and the upright line.
const LIGHT: [char; 6] = ['╭', '╮', '╰', '╯', '─', '│'];
const DOUBLE: [char; 6] = ['╔', '╗', '╚', '╝', '═', '║'];
const HEAVY: [char; 6] = ['┏', '┓', '┗', '┛', '━', '┃'];
