//! Graphs that change at random, held against the definitions.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    reason = "tests count to some thousands, and the oracle answers in floats"
)]

mod oracle;
mod walks;
mod corners;
mod bulk;

use std::collections::BTreeMap;

use super::ranks::HELD;
use super::*;
use oracle::Model;

const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::Reachability,
    Algorithm::ShortestPaths,
    Algorithm::Components,
    Algorithm::PageRank(PageRank { damping: 0.85, tolerance: 1e-6 }),
];

/// A kernel, the definition beside it, and what a subscriber has heard.
struct Pair {
    kernel: DynamicGraph,
    model: Model,
    heard: BTreeMap<i64, f64>,
    last: Option<Report>,
}

impl Pair {
    fn new(algorithm: Algorithm) -> Self {
        let kernel = DynamicGraph::compile(&GraphSpec { algorithm }).unwrap();
        Self { kernel, model: Model::default(), heard: BTreeMap::new(), last: None }
    }

    /// A step by the kernel, the same by the definition, and all that must hold then.
    fn step(&mut self, delta: &GraphDelta, mode: Mode, emit: Emit) -> Report {
        let report = step(&mut self.kernel, delta, mode, emit, &mut self.heard);
        self.model.take(delta);
        self.check(&report, emit);
        self.last = Some(report);
        report
    }

    fn check(&mut self, report: &Report, emit: Emit) {
        let wanted = self.model.answers(self.kernel.spec.algorithm);
        let (error_read, read) = read(&mut self.kernel);
        assert_near(&read, &wanted, error_read, "what is read");
        if emit != Emit::Pull {
            assert_near(&self.heard, &wanted, report.error_max, "what was said");
        }
        if let Algorithm::PageRank(spec) = self.kernel.spec.algorithm {
            assert!(error_read <= spec.tolerance * HELD, "{error_read} is above tolerance");
        } else {
            assert_eq!((report.error_max, error_read), (0.0, 0.0));
        }
    }
}

/// The oracle's own rounding and rest.
const ORACLE_ERROR: f64 = 1e-12;

fn assert_near(found: &BTreeMap<i64, f64>, wanted: &BTreeMap<i64, f64>, error: f64, what: &str) {
    let ids = |rows: &BTreeMap<i64, f64>| rows.keys().copied().collect::<Vec<_>>();
    assert_eq!(ids(found), ids(wanted), "{what}");
    for ((id, found), wanted) in found.iter().zip(wanted.values()) {
        let off = (found - wanted).abs();
        let slack = if error > 0.0 { error + ORACLE_ERROR } else { 0.0 };
        assert!(off <= slack, "{what}: {id} has {found}, not {wanted}; {error} allowed");
    }
}

fn step(
    kernel: &mut DynamicGraph,
    delta: &GraphDelta,
    mode: Mode,
    emit: Emit,
    heard: &mut BTreeMap<i64, f64>,
) -> Report {
    let delta = kernel.measure(delta.clone()).unwrap();
    let churn = *delta.churn();
    let predicted = kernel.predict(mode, &churn, emit).unwrap();
    assert!(predicted.work > 0 || churn.n_changed == 0);
    kernel.begin(Step { delta, mode, emit, error_max: f64::INFINITY });
    let mut output = GraphRows::default();
    let report = loop {
        match kernel.advance(1 + 977 * churn.n_changed as u64, &mut output) {
            Poll::Ready(report) => break report,
            Poll::Pending => {}
        }
    };
    assert_eq!(report.churn, Churn { n_total: report.churn.n_total, ..churn });
    assert_eq!(report.n_emitted, output.ids.len() + output.gone.len());
    hear(&output, heard);
    report
}

/// A subscriber takes rows: new values, and ids that go; no id is in a step twice.
fn hear(rows: &GraphRows, heard: &mut BTreeMap<i64, f64>) {
    for id in &rows.gone {
        assert!(heard.remove(id).is_some(), "{id} went, and was never there");
    }
    let mut news = BTreeMap::new();
    for (at, id) in rows.ids.iter().enumerate() {
        let number = rows.numbers.get(at).map(|number| *number as f64);
        let value = number.or(rows.ranks.get(at).copied()).unwrap_or(0.0);
        assert!(news.insert(*id, value).is_none(), "{id} is said twice");
        assert!(!rows.gone.contains(id), "{id} came and went");
    }
    heard.extend(news);
}

fn read(kernel: &mut DynamicGraph) -> (f64, BTreeMap<i64, f64>) {
    let keys = kernel.keys();
    let mut output = GraphRows::default();
    let error = kernel.read(&keys, &mut output);
    let mut rows = BTreeMap::new();
    assert!(output.gone.is_empty());
    hear(&output, &mut rows);
    (error, rows)
}

/// Changes of edges without weights, or of roots, by what they add.
fn delta(edges: &[([i64; 3], i64)], roots: &[(i64, i64)]) -> GraphDelta {
    let mut delta = GraphDelta::default();
    for (edge, diff) in edges {
        delta.edges.push(*edge, *diff);
    }
    for (id, diff) in roots {
        delta.roots.push(*id, *diff);
    }
    delta
}

fn reversed(delta: &GraphDelta) -> GraphDelta {
    let mut reversed = delta.clone();
    reversed.edges.diff.iter_mut().chain(&mut reversed.roots.diff).for_each(|diff| *diff = -*diff);
    reversed
}
