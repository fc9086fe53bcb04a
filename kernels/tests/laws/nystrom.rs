//! Kernel regression: data and queries that come, change and go, and the definition in plain loops
//! of twice the precision, since the system may be near singular.

use std::collections::BTreeMap;
use std::ops::{Add, Div, Mul, Sub};
use std::task::Poll;

use arqon_kernels::{
    Emit, Kernel, Mode, Nystrom, NystromDelta, NystromRows, NystromSpec, Outcome, Similarity, Step,
};

use crate::harness::{Subject, try_all};
use crate::random::Random;

/// A number of twice the precision, as a sum (Dekker).
#[derive(Debug, Clone, Copy)]
struct Double(f64, f64);

impl Double {
    fn of(high: f64, low: f64) -> Self {
        let sum = high + low;
        let part = sum - high;
        Self(sum, (high - (sum - part)) + (low - part))
    }

    fn abs(self) -> Self {
        if self.0 < 0.0 { Self(-self.0, -self.1) } else { self }
    }

    /// `exp`, by Taylor's series of a 1024th of it.
    fn exp(self) -> Self {
        let small = self * Self(1.0 / 1024.0, 0.0);
        let (mut sum, mut term) = (Self(1.0, 0.0), Self(1.0, 0.0));
        for n in 1..30 {
            term = term * small / Self(f64::from(n), 0.0);
            sum = sum + term;
        }
        (0..10).fold(sum, |x, _| x * x)
    }
}

impl Add for Double {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let sum = Self::of(self.0, other.0);
        Self::of(sum.0, sum.1 + self.1 + other.1)
    }
}

impl Sub for Double {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + Self(-other.0, -other.1)
    }
}

impl Mul for Double {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let product = self.0 * other.0;
        let rest = self.0.mul_add(other.0, -product);
        Self::of(product, rest + self.0 * other.1 + self.1 * other.0)
    }
}

impl Div for Double {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let first = self.0 / other.0;
        let rest = self - other * Self(first, 0.0);
        Self::of(first, rest.0 / other.0)
    }
}

/// The inputs of kernel regression.
#[derive(Clone)]
struct Regression {
    spec: NystromSpec,
    data: BTreeMap<i64, (Vec<f64>, f64)>,
    queries: BTreeMap<i64, Vec<f64>>,
    /// Points lie on a grid of so many steps, or anywhere.
    grid: Option<f64>,
}

impl Regression {
    fn likeness(&self, a: &[f64], b: &[f64]) -> Double {
        let mut sum = Double(0.0, 0.0);
        for (a, b) in a.iter().zip(b) {
            let apart = Double::of(*a, -*b).abs();
            let term =
                if self.spec.similarity == Similarity::Gaussian { apart * apart } else { apart };
            sum = sum + term;
        }
        (sum * Double(-self.spec.gamma, 0.0)).exp()
    }

    /// The definition, over these landmarks, `[n, n_entries]`.
    fn define(&self, landmarks: &[f64]) -> BTreeMap<i64, Vec<f64>> {
        let landmarks: Vec<&[f64]> = landmarks.chunks_exact(self.spec.n_entries).collect();
        let n = landmarks.len();
        let (lambda, ridge) = (Double(self.spec.lambda, 0.0), Double(1.0 / 1_048_576.0, 0.0));
        // Each row of the system with its right side.
        let mut rows = vec![vec![Double(0.0, 0.0); n + 1]; n];
        for i in 0..n {
            for j in 0..n {
                rows[i][j] = lambda * self.likeness(landmarks[i], landmarks[j]);
            }
            rows[i][i] = rows[i][i] + lambda * ridge;
        }
        for (x, y) in self.data.values() {
            let c: Vec<Double> = landmarks.iter().map(|l| self.likeness(x, l)).collect();
            for i in 0..n {
                for j in 0..n {
                    rows[i][j] = rows[i][j] + c[i] * c[j];
                }
                rows[i][n] = rows[i][n] + c[i] * Double(*y, 0.0);
            }
        }
        for at in 0..n {
            for below in at + 1..n {
                let factor = rows[below][at] / rows[at][at];
                let row = rows[at].clone();
                for (left, above) in rows[below].iter_mut().zip(row).skip(at) {
                    *left = *left - factor * above;
                }
            }
        }
        let mut solution = vec![Double(0.0, 0.0); n];
        for at in (0..n).rev() {
            let known = (at + 1..n).fold(rows[at][n], |sum, j| sum - rows[at][j] * solution[j]);
            solution[at] = known / rows[at][at];
        }
        let answer = |x: &Vec<f64>| {
            let terms = landmarks.iter().zip(&solution);
            let sum = terms.fold(Double(0.0, 0.0), |sum, (l, a)| sum + self.likeness(x, l) * *a);
            vec![sum.0, f64::from(u8::from(n == 0))]
        };
        self.queries.iter().map(|(key, x)| (*key, answer(x))).collect()
    }

    fn point(&self, random: &mut Random) -> Vec<f64> {
        let mut entry = || match self.grid {
            Some(step) => (random.normal() / step).round() * step,
            None => random.normal(),
        };
        (0..self.spec.n_entries).map(|_| entry()).collect()
    }
}

impl Subject for Regression {
    type Kernel = Nystrom;
    type Key = i64;

    fn new(random: &mut Random) -> Self {
        let spec = NystromSpec {
            n_entries: 1 + random.below(4),
            n_landmarks: 1 + random.below(12),
            similarity: if random.happens(0.5) {
                Similarity::Gaussian
            } else {
                Similarity::Laplace
            },
            gamma: [0.1, 1.0, 3.0][random.below(3)],
            lambda: [1e-3, 1e-1, 1.0][random.below(3)],
            seed: random.bits(),
        };
        // On a coarse grid points fall together.
        let grid = random.happens(0.3).then_some(1.0);
        Self { spec, data: BTreeMap::new(), queries: BTreeMap::new(), grid }
    }

    fn spec(&self) -> NystromSpec {
        self.spec
    }

    fn change(&mut self, random: &mut Random) -> NystromDelta {
        let before = self.clone();
        if random.happens(0.05) {
            self.data.clear();
        }
        let n_most = if random.happens(0.2) { 60 } else { 8 };
        for _ in 0..random.below(n_most) {
            let key = i64::try_from(random.below(40)).unwrap();
            match random.below(6) {
                0 => drop(self.data.remove(&key)),
                1 => drop(self.queries.remove(&key)),
                2 => drop(self.queries.insert(key, self.point(random))),
                _ => drop(self.data.insert(key, (self.point(random), random.normal()))),
            }
        }
        self.since(&before)
    }

    fn since(&self, before: &Self) -> NystromDelta {
        let gone = |key: &&i64| !self.data.contains_key(key);
        let query_gone = |key: &&i64| !self.queries.contains_key(key);
        let mut delta = NystromDelta {
            data_gone: before.data.keys().filter(gone).copied().collect(),
            queries_gone: before.queries.keys().filter(query_gone).copied().collect(),
            ..NystromDelta::default()
        };
        for (key, (x, y)) in &self.data {
            if before.data.get(key) != Some(&(x.clone(), *y)) {
                delta.data.keys.push(*key);
                delta.data.x.extend(x);
                delta.data.y.push(*y);
            }
        }
        for (key, x) in &self.queries {
            if before.queries.get(key) != Some(x) {
                delta.queries.keys.push(*key);
                delta.queries.x.extend(x);
            }
        }
        delta
    }

    /// Over the landmarks that a kernel chooses which sees these data for the first time.
    fn answer(&self) -> BTreeMap<i64, Vec<f64>> {
        let mut kernel = Nystrom::compile(&self.spec).unwrap();
        let empty = Self { data: BTreeMap::new(), queries: BTreeMap::new(), ..self.clone() };
        let delta = self.since(&empty);
        let delta = kernel.measure(delta).unwrap();
        kernel.begin(Step { delta, mode: Mode::Pass, emit: Emit::Pull, error_max: 0.0 });
        while kernel.advance(u64::MAX, &mut NystromRows::default()) == Poll::Pending {}
        self.define(&kernel.landmarks())
    }

    /// A row has as one more entry whether there was nothing to compute it of.
    fn rows(output: &NystromRows) -> BTreeMap<i64, Vec<f64>> {
        let row = |at: usize| {
            assert_ne!(output.outcomes[at], Outcome::Lost, "none of these is lost");
            vec![output.y[at], f64::from(u8::from(output.outcomes[at] == Outcome::Empty))]
        };
        output.keys.iter().enumerate().map(|(at, key)| (*key, row(at))).collect()
    }
}

#[test]
fn regression_keeps_the_laws() {
    try_all::<Regression>(20);
}
