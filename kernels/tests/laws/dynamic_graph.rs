//! The laws of graphs, of each algorithm in turn.
#![expect(clippy::cast_precision_loss, reason = "the oracle answers in floats")]

#[path = "../../src/dynamic_graph/tests/oracle.rs"]
mod oracle;

use std::collections::BTreeMap;

use arqon_kernels::{Algorithm, DynamicGraph, GraphDelta, GraphRows, GraphSpec, PageRank};

use crate::harness::{Subject, try_all};
use crate::random::Random;
use oracle::Model;

#[derive(Clone)]
struct Graph {
    algorithm: Algorithm,
    n_vertices: usize,
    model: Model,
}

impl Subject for Graph {
    type Kernel = DynamicGraph;
    type Key = i64;

    fn new(random: &mut Random) -> Self {
        let algorithm = match random.below(4) {
            0 => Algorithm::Reachability,
            1 => Algorithm::ShortestPaths,
            2 => Algorithm::Components,
            _ => Algorithm::PageRank(PageRank { damping: 0.85, tolerance: 1e-5 }),
        };
        Self { algorithm, n_vertices: 4 + random.below(20), model: Model::default() }
    }

    fn spec(&self) -> GraphSpec {
        GraphSpec { algorithm: self.algorithm }
    }

    fn change(&mut self, random: &mut Random) -> GraphDelta {
        let before = self.clone();
        let id = |random: &mut Random| i64::try_from(random.below(self.n_vertices)).unwrap() - 3;
        for _ in 0..=random.below(5) {
            let n_there = self.model.edges.len();
            if random.below(3 * self.n_vertices) < n_there {
                let edge = *self.model.edges.keys().nth(random.below(n_there)).unwrap();
                self.model.edges.remove(&edge);
            } else {
                let weight = i64::try_from(random.below(6)).unwrap();
                let edge = [id(random), id(random), weight];
                *self.model.edges.entry(edge).or_default() += 1;
            }
        }
        let root = id(random);
        if random.happens(0.2) && self.model.roots.remove(&root).is_none() {
            self.model.roots.insert(root, 1);
        }
        let delta = self.since(&before);
        let mut model = before.model;
        model.take(&delta);
        assert_eq!(
            (model.edges, model.roots),
            (self.model.edges.clone(), self.model.roots.clone())
        );
        delta
    }

    fn since(&self, before: &Self) -> GraphDelta {
        let mut delta = GraphDelta::default();
        let (now, then) = (&self.model, &before.model);
        let gone = then.edges.keys().filter(|edge| !now.edges.contains_key(*edge));
        for edge in now.edges.keys().chain(gone) {
            let count = |model: &Model| model.edges.get(edge).copied().unwrap_or(0);
            delta.edges.push(*edge, count(now) - count(then));
        }
        let gone = then.roots.keys().filter(|root| !now.roots.contains_key(*root));
        for root in now.roots.keys().chain(gone) {
            let count = |model: &Model| model.roots.get(root).copied().unwrap_or(0);
            delta.roots.push(*root, count(now) - count(then));
        }
        delta
    }

    fn answer(&self) -> BTreeMap<i64, Vec<f64>> {
        let answers = self.model.answers(self.algorithm);
        answers.into_iter().map(|(id, value)| (id, vec![value])).collect()
    }

    /// Ids that have gone are rows without an entry.
    fn rows(output: &GraphRows) -> BTreeMap<i64, Vec<f64>> {
        let mut rows: BTreeMap<i64, Vec<f64>> =
            output.gone.iter().map(|id| (*id, Vec::new())).collect();
        for (at, id) in output.ids.iter().enumerate() {
            let number = output.numbers.get(at).map(|number| to_float(*number));
            let value = number.or(output.ranks.get(at).copied()).unwrap_or(0.0);
            assert!(rows.insert(*id, vec![value]).is_none(), "{id} is said twice");
        }
        rows
    }

    fn slack(&self, _size: f64) -> f64 {
        if matches!(self.algorithm, Algorithm::PageRank(_)) { 1e-12 } else { 0.0 }
    }
}

fn to_float(number: i64) -> f64 {
    f64::from(i32::try_from(number).unwrap())
}

#[test]
fn graphs_obey_the_laws() {
    try_all::<Graph>(24);
}
