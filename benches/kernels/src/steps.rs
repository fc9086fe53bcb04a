//! Tables of steps beside the best full recomputation.

use std::fmt::Display;

use arqon_bench_report::{Aim, Meant, Table, shown};

use crate::clock::CacheState;

/// A full recomputation: by whom, and the seconds it takes.
#[derive(Debug, Clone)]
pub struct Full {
    /// By whom.
    pub name: String,
    /// Of one.
    pub seconds: f64,
}

impl Full {
    /// What `name` takes.
    pub fn new(name: impl Into<String>, seconds: f64) -> Self {
        Self { name: name.into(), seconds }
    }

    /// The fastest of itself and `others`.
    #[must_use]
    pub fn or_faster(self, others: &[Self]) -> Self {
        let all = others.iter().cloned().chain([self.clone()]);
        all.min_by(|a, b| a.seconds.total_cmp(&b.seconds)).unwrap_or(self)
    }
}

/// One figure: what, against what, and what was meant.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// The figure's name.
    pub name: String,
    /// Seconds of one step of ours.
    pub seconds: f64,
    /// The best full recomputation.
    pub best: &'a Full,
    /// How many times as fast a step was meant to be.
    pub target: Option<f64>,
    /// In what state the caches were.
    pub cache: CacheState,
}

/// A table of steps. What stands in its last column, if it has one, is each line's own.
#[derive(Debug)]
#[must_use = "its aims are printed at the end"]
pub struct Steps {
    title: String,
    table: Table,
    n_columns: usize,
}

/// The columns of all tables.
const COLUMNS: [&str; 5] = ["step", "time", "full recomputation", "times as fast", "caches"];

impl Steps {
    /// Prints the head; `more` is what the last column has, if there is one.
    pub fn begin(title: &str, more: Option<&str>) -> Self {
        let columns: Vec<&str> = COLUMNS.into_iter().chain(more).collect();
        let table = Table::begin(title, &columns);
        Self { title: title.to_owned(), table, n_columns: columns.len() }
    }

    /// Prints a line, with nothing in a last column, and keeps its aim.
    pub fn line(&mut self, line: Line<'_>) {
        self.line_with(line, "");
    }

    /// Prints a line with this in the last column, and keeps its aim.
    pub fn line_with(&mut self, line: Line<'_>, more: impl Display) {
        let Line { name, seconds, best, target, cache } = line;
        let ratio = best.seconds / seconds;
        let full = format!("{}, {}", best.name, time(best.seconds));
        let times = format!("{}x", shown(ratio));
        self.row([&name, &time(seconds), &full, &times, &cache.name(), &more]);
        if let Some(target) = target {
            let what = format!("{}: {name}, {}", self.title, cache.name());
            self.table.aim(Aim::times(what, Meant::AtLeast(target), vec![ratio]));
        }
    }

    /// Prints what full recomputations take.
    pub fn fulls(&self, fulls: &[Full]) {
        for Full { name, seconds } in fulls {
            self.row([name, &time(*seconds), &"", &"", &"", &""]);
        }
    }

    fn row(&self, cells: [&dyn Display; COLUMNS.len() + 1]) {
        self.table.row(&cells[..self.n_columns]);
    }

    /// Keeps a sentence for the end.
    pub fn remark(&mut self, text: impl Into<String>) {
        self.table.remark(text);
    }

    /// Keeps an aim for the end that no line has.
    pub fn aim(&mut self, aim: Aim) {
        self.table.aim(aim);
    }

    /// Prints remarks and aims.
    pub fn end(self) {
        self.table.end();
    }
}

/// Seconds as people say them.
pub fn time(seconds: f64) -> String {
    let (number, unit) = if seconds < 1e-3 { (seconds * 1e6, "us") } else { (seconds * 1e3, "ms") };
    format!("{} {unit}", shown(number))
}

/// A share or an error as people say it: `1e-3`, and 0 and 1 as they are.
pub fn rough(number: f64) -> String {
    if number > 0.0 && number < 1.0 { format!("{number:.0e}") } else { format!("{number}") }
}
