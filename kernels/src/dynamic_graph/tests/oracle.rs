//! The definitions, in plain loops over all edges.

use std::collections::BTreeMap;

use super::{Algorithm, GraphDelta};

/// How often each edge and root is there.
#[derive(Debug, Default, Clone)]
pub(super) struct Model {
    pub(super) edges: BTreeMap<[i64; 3], i64>,
    pub(super) roots: BTreeMap<i64, i64>,
}

impl Model {
    pub(super) fn take(&mut self, delta: &GraphDelta) {
        let columns = &delta.edges;
        for at in 0..columns.src.len() {
            let edge = [columns.src[at], columns.dst[at], columns.weight[at]];
            *self.edges.entry(edge).or_default() += columns.diff[at];
        }
        for (id, diff) in delta.roots.id.iter().zip(&delta.roots.diff) {
            *self.roots.entry(*id).or_default() += diff;
        }
        self.edges.retain(|_, copies| *copies != 0);
        self.roots.retain(|_, copies| *copies != 0);
    }

    pub(super) fn answers(&self, algorithm: Algorithm) -> BTreeMap<i64, f64> {
        let whole = |rows: BTreeMap<i64, i64>| rows.into_iter().map(|(id, n)| (id, n as f64));
        match algorithm {
            Algorithm::Reachability => {
                self.distances(|_| 0).into_keys().map(|id| (id, 0.0)).collect()
            }
            Algorithm::ShortestPaths => whole(self.distances(|weight| weight)).collect(),
            Algorithm::Components => whole(self.components()).collect(),
            Algorithm::PageRank(spec) => self.ranks(spec.damping),
        }
    }

    /// Bellman and Ford; ways beyond `i64::MAX` are none.
    fn distances(&self, length: impl Fn(i64) -> i64) -> BTreeMap<i64, i64> {
        let mut distances: BTreeMap<i64, i64> = self.roots.keys().map(|id| (*id, 0)).collect();
        let mut is_new = true;
        while is_new {
            is_new = false;
            for [src, dst, weight] in self.edges.keys() {
                let Some(before) = distances.get(src) else { continue };
                let Some(way) = before.checked_add(length(*weight)) else { continue };
                if distances.get(dst).is_none_or(|there| way < *there) {
                    distances.insert(*dst, way);
                    is_new = true;
                }
            }
        }
        distances
    }

    fn vertices(&self) -> Vec<i64> {
        let ends = self.edges.keys().flat_map(|[src, dst, _]| [*src, *dst]);
        let mut all: Vec<i64> = ends.chain(self.roots.keys().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn components(&self) -> BTreeMap<i64, i64> {
        let mut least: BTreeMap<i64, i64> =
            self.vertices().into_iter().map(|id| (id, id)).collect();
        let mut is_new = true;
        while is_new {
            is_new = false;
            for [src, dst, _] in self.edges.keys() {
                let both = least[src].min(least[dst]);
                is_new |= least.insert(*src, both) != Some(both);
                is_new |= least.insert(*dst, both) != Some(both);
            }
        }
        least
    }

    /// The walk, as often as it takes to forget where it started.
    fn ranks(&self, damping: f64) -> BTreeMap<i64, f64> {
        let vertices = self.vertices();
        let n = vertices.len() as f64;
        let at = |id: &i64| vertices.binary_search(id).unwrap();
        let mut degrees = vec![0.0; vertices.len()];
        self.edges.keys().for_each(|[src, ..]| degrees[at(src)] += 1.0);
        let mut ranks = vec![1.0 / n; vertices.len()];
        for _ in 0..400 {
            let lost: f64 =
                ranks.iter().zip(&degrees).filter(|(_, d)| **d == 0.0).map(|(rank, _)| rank).sum();
            let mut next = vec![(1.0 - damping) / n + damping * lost / n; vertices.len()];
            for [src, dst, _] in self.edges.keys() {
                next[at(dst)] += damping * ranks[at(src)] / degrees[at(src)];
            }
            let off: f64 = ranks.iter().zip(&next).map(|(one, other)| (one - other).abs()).sum();
            ranks = next;
            if off < 1e-15 {
                break;
            }
        }
        vertices.into_iter().zip(ranks).collect()
    }
}
