//! Where shapes stand: in columns from left to right, so that arrows are short and seldom cross.
//!
//! The usual four moves (Sugiyama, Tagawa and Toda 1981): columns by longest way, long arrows cut
//! by waypoints, order within a column by the mean place of the neighbours, and places by least
//! squares under that order.

use super::sketch::{ShapeKind, Sketch};

/// A sketch with places, in abstract units.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Column of each shape.
    pub(crate) columns: Vec<usize>,
    /// Number of columns.
    pub(crate) n_columns: usize,
    /// Vertical middle of each shape.
    pub(crate) middles: Vec<f64>,
    /// For each arrow the waypoints between its ends.
    pub(crate) waypoints: Vec<Waypoints>,
    /// Height of the whole.
    pub(crate) height: f64,
}

/// Places on the way of an arrow, each a column and a height.
pub(crate) type Waypoints = Vec<(usize, f64)>;

/// Lays out a sketch whose shapes have these heights, `gap` apart.
pub(crate) fn layout(sketch: &Sketch, heights: &[f64], gap: f64) -> Layout {
    let columns = assign_columns(sketch);
    let n_columns = columns.iter().max().map_or(0, |last| last + 1);
    let mut grid = Grid::new(sketch, &columns, n_columns, heights);
    grid.order();
    grid.place(gap);
    let (middles, waypoints, height) = grid.into_places(sketch, gap);
    Layout { columns, n_columns, middles, waypoints, height }
}

/// Sources stand left; everything else as far right as what reads it allows, so that what is
/// alike stands in one column.
fn assign_columns(sketch: &Sketch) -> Vec<usize> {
    let order = walk(sketch);
    let mut rank = vec![0; sketch.shapes.len()];
    for (at, shape) in order.iter().enumerate() {
        rank[*shape] = at;
    }
    let forward: Vec<(usize, usize)> = sketch
        .arrows
        .iter()
        .filter(|arrow| !arrow.delayed && rank[arrow.from] < rank[arrow.to])
        .map(|arrow| (arrow.from, arrow.to))
        .collect();
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); sketch.shapes.len()];
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); sketch.shapes.len()];
    for (from, to) in forward {
        before[to].push(from);
        after[from].push(to);
    }
    let mut early = vec![0_usize; sketch.shapes.len()];
    for &shape in &order {
        early[shape] = before[shape].iter().map(|it| early[*it] + 1).max().unwrap_or(0);
    }
    // Topics that clients write stand beside their clients, also when nobody publishes yet.
    let last = early.iter().copied().max().unwrap_or(0);
    let mut late = early.clone();
    for &shape in order.iter().rev() {
        let is_source =
            before[shape].iter().all(|it| sketch.shapes[*it].kind == ShapeKind::ClientIn);
        late[shape] = match sketch.shapes[shape].kind {
            ShapeKind::ClientOut => last,
            ShapeKind::ClientIn => 0,
            ShapeKind::EdgeTopic | ShapeKind::InnerTopic if is_source => early[shape],
            ShapeKind::EdgeTopic
            | ShapeKind::InnerTopic
            | ShapeKind::Node
            | ShapeKind::Kernel
            | ShapeKind::Operator => after[shape]
                .iter()
                .map(|it| late[*it].saturating_sub(1))
                .min()
                .map_or(early[shape], |bound| bound.max(early[shape])),
        };
    }
    late
}

/// Shapes such that sources stand before what reads them; on a cycle, the first comes first.
fn walk(sketch: &Sketch) -> Vec<usize> {
    let n_shapes = sketch.shapes.len();
    let mut waiting = vec![0_usize; n_shapes];
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); n_shapes];
    for arrow in sketch.arrows.iter().filter(|arrow| !arrow.delayed) {
        waiting[arrow.to] += 1;
        after[arrow.from].push(arrow.to);
    }
    let mut ready: std::collections::BTreeSet<usize> =
        (0..n_shapes).filter(|shape| waiting[*shape] == 0).collect();
    let mut rest: std::collections::BTreeSet<usize> =
        (0..n_shapes).filter(|shape| waiting[*shape] != 0).collect();
    let mut order = Vec::with_capacity(n_shapes);
    while let Some(next) = ready.pop_first().or_else(|| rest.pop_first()) {
        order.push(next);
        for &to in &after[next] {
            waiting[to] = waiting[to].saturating_sub(1);
            if waiting[to] == 0 && rest.remove(&to) {
                ready.insert(to);
            }
        }
    }
    order
}

/// Shapes and waypoints, column by column.
struct Grid {
    columns: Vec<Vec<usize>>,
    /// Neighbours in the column before, and in the one after.
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
    heights: Vec<f64>,
    middles: Vec<f64>,
    /// The waypoints of each arrow, as members.
    ways: Vec<Vec<usize>>,
    column_of: Vec<usize>,
    n_shapes: usize,
}

impl Grid {
    fn new(sketch: &Sketch, columns: &[usize], n_columns: usize, heights: &[f64]) -> Self {
        let n_shapes = sketch.shapes.len();
        let mut grid = Self {
            columns: vec![Vec::new(); n_columns],
            before: vec![Vec::new(); n_shapes],
            after: vec![Vec::new(); n_shapes],
            heights: heights.to_vec(),
            middles: vec![0.0; n_shapes],
            ways: Vec::with_capacity(sketch.arrows.len()),
            column_of: columns.to_vec(),
            n_shapes,
        };
        for (shape, column) in columns.iter().enumerate() {
            grid.columns[*column].push(shape);
        }
        for arrow in &sketch.arrows {
            let (start, end) = (columns[arrow.from], columns[arrow.to]);
            let mut way = Vec::new();
            if start < end {
                let mut at = arrow.from;
                for column in start + 1..end {
                    let member = grid.waypoint(column);
                    grid.join(at, member);
                    way.push(member);
                    at = member;
                }
                grid.join(at, arrow.to);
            }
            grid.ways.push(way);
        }
        grid
    }

    fn waypoint(&mut self, column: usize) -> usize {
        let member = self.heights.len();
        self.columns[column].push(member);
        self.before.push(Vec::new());
        self.after.push(Vec::new());
        self.heights.push(WAYPOINT_HEIGHT);
        self.middles.push(0.0);
        self.column_of.push(column);
        member
    }

    fn join(&mut self, from: usize, to: usize) {
        self.after[from].push(to);
        self.before[to].push(from);
    }

    /// Orders each column by the mean place of its neighbours, back and forth, and keeps the
    /// order with the fewest crossings.
    fn order(&mut self) {
        let mut best = (self.n_crossings(), self.columns.clone());
        for sweep in 0..SWEEPS {
            let forth = sweep % 2 == 0;
            let n_columns = self.columns.len();
            for step in 1..n_columns {
                let column = if forth { step } else { n_columns - 1 - step };
                self.sort_column(column, forth);
            }
            let n_crossings = self.n_crossings();
            if n_crossings < best.0 {
                best = (n_crossings, self.columns.clone());
            }
        }
        self.columns = best.1;
    }

    fn sort_column(&mut self, column: usize, forth: bool) {
        let beside = if forth { column.checked_sub(1) } else { Some(column + 1) };
        let Some(places) = beside.and_then(|beside| self.columns.get(beside)) else { return };
        let mut place_of = std::collections::BTreeMap::new();
        for (place, member) in places.iter().enumerate() {
            place_of.insert(*member, to_f64(place));
        }
        let neighbours = if forth { &self.before } else { &self.after };
        let mut members: Vec<(f64, usize)> = self.columns[column]
            .iter()
            .enumerate()
            .map(|(place, member)| {
                let near: Vec<f64> =
                    neighbours[*member].iter().filter_map(|it| place_of.get(it).copied()).collect();
                let own = to_f64(place);
                (if near.is_empty() { own } else { mean(&near) }, *member)
            })
            .collect();
        members.sort_by(|one, other| one.0.total_cmp(&other.0));
        self.columns[column] = members.into_iter().map(|(_, member)| member).collect();
    }

    fn n_crossings(&self) -> usize {
        let mut place = vec![0_usize; self.heights.len()];
        for column in &self.columns {
            for (at, member) in column.iter().enumerate() {
                place[*member] = at;
            }
        }
        let mut crossings = 0;
        for column in &self.columns {
            let mut ends: Vec<(usize, usize)> = column
                .iter()
                .flat_map(|from| self.after[*from].iter().map(|to| (place[*from], place[*to])))
                .collect();
            ends.sort_unstable();
            // For very wide columns counting pairs would cost more than it gives.
            ends.truncate(PAIRS_MAX);
            for (at, one) in ends.iter().enumerate() {
                crossings += ends[at + 1..]
                    .iter()
                    .filter(|other| one.0 < other.0 && other.1 < one.1)
                    .count();
            }
        }
        crossings
    }

    /// Moves members towards their neighbours, as near as order and gaps allow.
    fn place(&mut self, gap: f64) {
        for column in 0..self.columns.len() {
            let start: Vec<f64> = vec![0.0; self.columns[column].len()];
            self.settle(column, &start, gap);
        }
        for sweep in 0..SWEEPS {
            let forth = sweep % 2 == 0;
            let n_columns = self.columns.len();
            for step in 0..n_columns {
                let column = if forth { step } else { n_columns - 1 - step };
                let wanted: Vec<f64> = self.columns[column]
                    .iter()
                    .map(|member| {
                        let near: Vec<f64> = self.before[*member]
                            .iter()
                            .chain(&self.after[*member])
                            .map(|it| self.middles[*it])
                            .collect();
                        if near.is_empty() { self.middles[*member] } else { mean(&near) }
                    })
                    .collect();
                self.settle(column, &wanted, gap);
            }
        }
    }

    /// Least squares under the column's order: neighbours that would overlap form a block, and
    /// each block stands at the mean of what its members want.
    fn settle(&mut self, column: usize, wanted: &[f64], gap: f64) {
        let members = &self.columns[column];
        let mut offsets = Vec::with_capacity(members.len());
        let mut offset = 0.0;
        for (at, member) in members.iter().enumerate() {
            if 0 < at {
                let between = f64::midpoint(self.heights[members[at - 1]], self.heights[*member]);
                offset += between + gap;
            }
            offsets.push(offset);
        }
        let mut blocks: Vec<(f64, usize)> = Vec::new();
        for (want, offset) in wanted.iter().zip(&offsets) {
            let mut block = (want - offset, 1_usize);
            while let Some(last) = blocks.pop() {
                if last.0 <= block.0 {
                    blocks.push(last);
                    break;
                }
                let n_members = last.1 + block.1;
                let sum = last.0 * to_f64(last.1) + block.0 * to_f64(block.1);
                block = (sum / to_f64(n_members), n_members);
            }
            blocks.push(block);
        }
        let mut at = 0;
        for (place, n_members) in blocks {
            for _ in 0..n_members {
                let member = self.columns[column][at];
                self.middles[member] = place + offsets[at];
                at += 1;
            }
        }
    }

    fn into_places(mut self, sketch: &Sketch, gap: f64) -> (Vec<f64>, Vec<Waypoints>, f64) {
        let tops = self.middles.iter().zip(&self.heights).map(|(y, height)| y - height / 2.0);
        let top = tops.fold(f64::INFINITY, f64::min);
        let top = if top.is_finite() { top } else { 0.0 };
        for middle in &mut self.middles {
            *middle = *middle - top + gap;
        }
        let bottoms = self.middles.iter().zip(&self.heights).map(|(y, height)| y + height / 2.0);
        let height = bottoms.fold(0.0, f64::max) + gap;
        let ways = self.ways[..sketch.arrows.len()]
            .iter()
            .map(|way| way.iter().map(|it| (self.column_of[*it], self.middles[*it])).collect())
            .collect();
        self.middles.truncate(self.n_shapes);
        (self.middles, ways, height)
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / to_f64(values.len())
}

/// Counts of shapes are far below 2^32.
pub(crate) fn to_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Times each column is ordered and placed.
const SWEEPS: usize = 24;

/// Height that a waypoint keeps free.
const WAYPOINT_HEIGHT: f64 = 6.0;

/// Most arrows between two columns whose crossings are counted.
const PAIRS_MAX: usize = 2_000;
