//! The model of a linear transform: a matrix and vectors in plain arrays.

use std::collections::BTreeMap;

use arqon_kernels::{
    EntryChange, Layout, LinearDelta, LinearOutput, LinearSpec, LinearTransform, Precision,
};

use crate::harness::Subject;
use crate::random::Random;

/// Rows of the matrix, and the vectors by key.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    spec: LinearSpec,
    matrix: Vec<Vec<f32>>,
    vectors: BTreeMap<i64, Vec<f32>>,
    /// Directions that vectors are near to, so that `rr` has something to find.
    span: Vec<Vec<f32>>,
}

/// The same with every choice of layout and precision.
macro_rules! linear {
    ($name:ident, $layout:ident, $precision:ident, $floor:expr) => {
        #[derive(Debug, Clone)]
        pub(crate) struct $name(Linear);

        impl Subject for $name {
            type Kernel = LinearTransform;
            type Key = i64;

            fn new(random: &mut Random) -> Self {
                Self(Linear::new(random, Layout::$layout, Precision::$precision))
            }

            fn spec(&self) -> LinearSpec {
                self.0.spec
            }

            fn change(&mut self, random: &mut Random) -> LinearDelta {
                self.0.change(random)
            }

            fn since(&self, before: &Self) -> LinearDelta {
                self.0.since(&before.0)
            }

            fn floor(&self, size: f64) -> f64 {
                $floor * size
            }

            fn answer(&self) -> BTreeMap<i64, Vec<f64>> {
                self.0.answer()
            }

            fn rows(output: &LinearOutput) -> BTreeMap<i64, Vec<f64>> {
                let m = output.values.len() / output.keys.len().max(1);
                output
                    .keys
                    .iter()
                    .copied()
                    .zip(output.values.chunks(m.max(1)).map(<[f64]>::to_vec))
                    .collect()
            }
        }
    };
}

linear!(DenseDouble, Dense, Double, 4.0 * f64::EPSILON);
// One rounding of outputs in `f32`.
linear!(DenseSingle, Dense, Single, f64::from(f32::EPSILON) / 2.0);
linear!(SparseDouble, Sparse, Double, 4.0 * f64::EPSILON);
linear!(SparseSingle, Sparse, Single, f64::from(f32::EPSILON) / 2.0);

impl Linear {
    fn new(random: &mut Random, layout: Layout, precision: Precision) -> Self {
        let (m, n) = (1 + random.below(40), 1 + random.below(70));
        let spec = LinearSpec { n_rows: m, n_columns: n, layout, precision, rank: random.below(6) };
        let span = (0..3).map(|_| (0..n).map(|_| random.normal32()).collect()).collect();
        Self { spec, matrix: vec![vec![0.0; n]; m], vectors: BTreeMap::new(), span }
    }

    fn row(&self, random: &mut Random) -> Vec<f32> {
        let density = if self.spec.layout == Layout::Sparse { 0.2 } else { 1.0 };
        let entry =
            |random: &mut Random| if random.happens(density) { random.normal32() } else { 0.0 };
        (0..self.spec.n_columns).map(|_| entry(random)).collect()
    }

    fn vector(&self, random: &mut Random) -> Vec<f32> {
        let noise = if random.happens(0.7) { 1e-4 } else { 1.0 };
        let factors: Vec<f32> = self.span.iter().map(|_| random.normal32()).collect();
        (0..self.spec.n_columns)
            .map(|at| {
                let sum: f32 = self.span.iter().zip(&factors).map(|(q, a)| q[at] * a).sum();
                sum + noise * random.normal32()
            })
            .collect()
    }

    fn change(&mut self, random: &mut Random) -> LinearDelta {
        let (m, n) = (self.spec.n_rows, self.spec.n_columns);
        let mut delta = LinearDelta::default();
        let is_empty = self.vectors.is_empty();
        if is_empty || random.happens(0.2) {
            let n_rows = if is_empty { m } else { 1 + random.below(3) };
            delta.rows =
                (0..n_rows).map(|at| if is_empty { at } else { random.below(m) }).collect();
            delta.rows.sort_unstable();
            delta.rows.dedup();
            for row in &delta.rows {
                self.matrix[*row] = self.row(random);
                delta.weights.extend(&self.matrix[*row]);
            }
        }
        if random.happens(0.1) {
            let rank = 1 + random.below(2);
            delta.low_rank_left = (0..rank * m).map(|_| random.normal32()).collect();
            delta.low_rank_right = (0..rank * n).map(|_| random.normal32()).collect();
            self.add_low_rank(&delta);
        }
        if !is_empty && random.happens(0.2) {
            let keys: Vec<i64> = self.vectors.keys().copied().collect();
            delta.removed.push(keys[random.below(keys.len())]);
            delta.removed.iter().for_each(|key| drop(self.vectors.remove(key)));
        }
        if is_empty || random.happens(0.4) {
            let n_keys = if is_empty { 12 } else { 1 + random.below(2) };
            for _ in 0..n_keys {
                let key = i64::try_from(random.below(20)).unwrap() - 3;
                let vector = self.vector(random);
                delta.keys.push(key);
                delta.vectors.extend(&vector);
                self.vectors.insert(key, vector);
            }
        }
        if random.happens(0.4) {
            for _ in 0..=random.below(12) {
                let at = random.below(n);
                delta.coordinates.push(at);
                for vector in self.vectors.values_mut() {
                    vector[at] = random.normal32();
                    delta.coordinate_values.push(vector[at]);
                }
            }
        }
        if !self.vectors.is_empty() && random.happens(0.5) {
            let keys: Vec<i64> = self.vectors.keys().copied().collect();
            for _ in 0..=random.below(6) {
                let (key, at) = (keys[random.below(keys.len())], random.below(n));
                let value = random.normal32();
                delta.entries.push(EntryChange { key, at, value });
                self.vectors.get_mut(&key).unwrap()[at] = value;
            }
        }
        delta
    }

    #[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
    fn add_low_rank(&mut self, delta: &LinearDelta) {
        let (m, n) = (self.spec.n_rows, self.spec.n_columns);
        for (row, entries) in self.matrix.iter_mut().enumerate() {
            for (column, entry) in entries.iter_mut().enumerate() {
                let mut sum = f64::from(*entry);
                for k in 0..delta.low_rank_left.len() / m {
                    let left = f64::from(delta.low_rank_left[k * m + row]);
                    sum += left * f64::from(delta.low_rank_right[k * n + column]);
                }
                *entry = sum as f32;
            }
        }
    }

    fn since(&self, before: &Self) -> LinearDelta {
        let mut delta = LinearDelta::default();
        for (row, (new, old)) in self.matrix.iter().zip(&before.matrix).enumerate() {
            if new != old {
                delta.rows.push(row);
                delta.weights.extend(new);
            }
        }
        delta.removed =
            before.vectors.keys().filter(|key| !self.vectors.contains_key(key)).copied().collect();
        for (key, vector) in &self.vectors {
            if before.vectors.get(key) != Some(vector) {
                delta.keys.push(*key);
                delta.vectors.extend(vector);
            }
        }
        delta
    }

    fn answer(&self) -> BTreeMap<i64, Vec<f64>> {
        let dot = |row: &Vec<f32>, x: &Vec<f32>| -> f64 {
            row.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum()
        };
        let output = |x: &Vec<f32>| self.matrix.iter().map(|row| dot(row, x)).collect();
        self.vectors.iter().map(|(key, x)| (*key, output(x))).collect()
    }
}
