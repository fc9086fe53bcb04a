//! Landmarks: which points stand for all, and how alike a point is to each.
//!
//! They are the first `n` distinct points in an order that the seed shuffles, so they depend on the
//! points that are there and on nothing else: not on when they came, and not on their keys. A point
//! that comes or goes moves a landmark with probability `n_landmarks / n_points`.

use std::collections::BTreeMap;
use std::slice::from_mut;

use super::double::{DOUBLE_ERROR, Double, TWICE};
use super::spec::{NystromSpec, Similarity, as_float};
use crate::vector::{self, EXP_SUM_ERROR, ROUNDOFF, TINY, wide};

/// A point's place in the shuffled order: a hash, then its bits.
type Place = (u64, Vec<u64>);

/// Rows that have one point.
#[derive(Debug, Clone, Copy)]
struct Group {
    n_rows: u32,
    /// What their values come to.
    sum: Double,
}

impl Group {
    /// `S^2 / m`, within three units in the last place.
    fn square(&self) -> f64 {
        self.sum.high * (self.sum.high / f64::from(self.n_rows))
    }
}

/// How far a likeness `c` may be off: by `relative c + absolute`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct LikenessError {
    pub(super) relative: f64,
    pub(super) absolute: f64,
    /// The same of one in twice the precision, absolutely.
    pub(super) doubly: f64,
}

impl LikenessError {
    /// How far any likeness may be off, none being above 1.
    pub(super) fn most(&self) -> f64 {
        self.relative + self.absolute
    }
}

/// The values of all rows, each taken as the mean over its point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values {
    /// The sum of their squares.
    pub(super) square: Double,
    /// What that may be off by, and its root besides.
    pub(super) rounded: f64,
    pub(super) lost: f64,
}

/// The points that are there, and which of them are landmarks.
#[derive(Debug, Clone)]
pub(super) struct Landmarks {
    spec: NystromSpec,
    points: BTreeMap<Place, Group>,
    /// `sum_g S^2 / m` over the points that are there, `m` rows of values `S` together each.
    square: Double,
    /// What `square` is off by, beside three units of itself, and its root by what sums have lost.
    rounded: f64,
    lost: f64,
    /// The landmark of each column; the order is that in which they came.
    columns: Vec<Place>,
    /// `[n_entries, n_columns]`.
    entries: Vec<f64>,
}

impl Landmarks {
    pub(super) fn new(spec: NystromSpec) -> Self {
        Self {
            spec,
            points: BTreeMap::new(),
            square: Double::ZERO,
            rounded: 0.0,
            lost: 0.0,
            columns: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    fn place(&self, point: &[f64]) -> Place {
        // Both zeros are one point.
        let bits: Vec<u64> = point.iter().map(|x| (x + 0.0).to_bits()).collect();
        let mut hash = self.spec.seed ^ 0x9E37_79B9_7F4A_7C15;
        for word in &bits {
            hash = (hash ^ word).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            hash = (hash ^ (hash >> 29)).wrapping_mul(0x94D0_49BB_1331_11EB);
            hash ^= hash >> 32;
        }
        (hash, bits)
    }

    /// A row with this point and value comes.
    pub(super) fn count(&mut self, point: &[f64], value: f64) {
        let group = self.points.entry(self.place(point));
        let group = group.or_insert(Group { n_rows: 0, sum: Double::ZERO });
        let before = if group.n_rows == 0 { 0.0 } else { group.square() };
        (group.n_rows, group.sum) = (group.n_rows + 1, group.sum.plus(Double::of(value)));
        let (after, sum) = (group.square(), group.sum.high);
        self.follow([before, after], [value, sum]);
    }

    /// A row with this point and value goes.
    pub(super) fn discount(&mut self, point: &[f64], value: f64) {
        let place = self.place(point);
        let Some(group) = self.points.get_mut(&place) else { return };
        let before = group.square();
        (group.n_rows, group.sum) = (group.n_rows - 1, group.sum.plus(Double::of(-value)));
        let (mut after, sum) = (0.0, group.sum.high);
        if group.n_rows == 0 {
            self.points.remove(&place);
        } else {
            after = group.square();
        }
        self.follow([before, after], [value, sum]);
    }

    fn follow(&mut self, [before, after]: [f64; 2], [value, sum]: [f64; 2]) {
        self.square = self.square.plus(Double::of(after)).plus(Double::of(-before));
        self.rounded += TWICE * (before + after + self.square.high.abs());
        self.lost += TWICE * (value.abs() + sum.abs());
    }

    /// Sums are added up anew if that would help; else they are what they are. `rows`: points and
    /// values of all rows.
    pub(super) fn renew<'a>(&mut self, rows: impl Iterator<Item = (&'a [f64], f64)>) {
        let lost = self.rounded + self.lost * self.lost;
        if lost <= 1e-12 * self.square.high {
            return;
        }
        self.points.clear();
        (self.square, self.rounded, self.lost) = (Double::ZERO, 0.0, 0.0);
        for (point, value) in rows {
            self.count(point, value);
        }
    }

    /// `sum_g S^2 / m`: the squares of values when each is the mean over its point.
    pub(super) fn values(&self) -> Values {
        let rounded = 4.0 * ROUNDOFF * self.square.high.abs() + self.rounded;
        Values { square: self.square, rounded, lost: self.lost }
    }

    /// Sums by point, and what they come to.
    pub(super) fn sums(&self) -> Vec<f64> {
        let of_all = [self.square.high, self.square.low, self.rounded, self.lost];
        let of_points = self.points.values().flat_map(|group| [group.sum.high, group.sum.low]);
        of_points.chain(of_all).collect()
    }

    /// Goes back to sums that were there when these rows were; tells if they are of as many points.
    pub(super) fn restore_sums(&mut self, sums: &[f64]) -> bool {
        if sums.len() != 2 * self.points.len() + 4 {
            return false;
        }
        let (of_points, of_all) = sums.split_at(2 * self.points.len());
        for (group, sum) in self.points.values_mut().zip(of_points.chunks_exact(2)) {
            group.sum = Double { high: sum[0], low: sum[1] };
        }
        self.square = Double { high: of_all[0], low: of_all[1] };
        (self.rounded, self.lost) = (of_all[2], of_all[3]);
        true
    }

    /// Chooses anew. Gives the columns that changed; none if there are more or fewer columns than
    /// before, and then all have to be computed anew. Cost: O(`n_landmarks`) and what changes.
    pub(super) fn choose(&mut self) -> Option<Vec<usize>> {
        let chosen: Vec<&Place> = self.points.keys().take(self.spec.n_landmarks).collect();
        let n_before = self.columns.len();
        if chosen.len() != n_before {
            self.columns = chosen.into_iter().cloned().collect();
            self.fill_entries();
            return None;
        }
        let stays: Vec<bool> =
            self.columns.iter().map(|place| chosen.binary_search(&place).is_ok()).collect();
        let mut kept: Vec<&Place> = self.columns.iter().collect();
        kept.sort_unstable();
        let came = chosen.iter().filter(|place| kept.binary_search(place).is_err());
        let came: Vec<Place> = came.map(|place| (*place).clone()).collect();
        let free = stays.iter().enumerate().filter(|(_, stays)| !**stays).map(|(at, _)| at);
        let changed: Vec<usize> = free.collect();
        for (column, place) in changed.iter().zip(came) {
            self.columns[*column] = place;
        }
        if !changed.is_empty() {
            self.fill_entries();
        }
        Some(changed)
    }

    fn fill_entries(&mut self) {
        let n = self.columns.len();
        self.entries.clear();
        self.entries.resize(self.spec.n_entries * n, 0.0);
        for (column, (_, bits)) in self.columns.iter().enumerate() {
            for (entry, bits) in bits.iter().enumerate() {
                self.entries[entry * n + column] = f64::from_bits(*bits);
            }
        }
    }

    /// The point of a column.
    pub(super) fn point(&self, column: usize) -> Vec<f64> {
        self.columns[column].1.iter().map(|bits| f64::from_bits(*bits)).collect()
    }

    /// The points of all columns, one after another.
    pub(super) fn all_points(&self) -> Vec<f64> {
        (0..self.len()).flat_map(|column| self.point(column)).collect()
    }

    /// How alike a point is to each landmark, into `out`, `[n_columns]`. Cost: O(entries columns).
    /// Distances are summed over differences, not expanded, so that points far from zero lose
    /// nothing, and in two parts, so that a likeness is rounded about once.
    pub(super) fn likeness(&self, point: &[f64], out: &mut [f64]) {
        let n = self.len();
        let mut low = vec![0.0; n];
        out.fill(0.0);
        for (entry, x) in point.iter().enumerate() {
            let landmarks = &self.entries[entry * n..(entry + 1) * n];
            add_distances((out, &mut low), landmarks, *x, self.spec.similarity);
        }
        scale_sums(out, &mut low, -self.spec.gamma);
        vector::exp_sums(out, &low);
    }

    /// How alike a point is to these columns alone; the bits are those of [`Self::likeness`].
    pub(super) fn likeness_of(&self, columns: &[usize], point: &[f64], out: &mut [f64]) {
        let n = self.len();
        let mut low = vec![0.0; columns.len()];
        out.fill(0.0);
        for (entry, x) in point.iter().enumerate() {
            let row = &self.entries[entry * n..(entry + 1) * n];
            for ((high, low), column) in out.iter_mut().zip(&mut low).zip(columns) {
                let sum = (from_mut(high), from_mut(low));
                add_distances(sum, &row[*column..=*column], *x, self.spec.similarity);
            }
        }
        scale_sums(out, &mut low, -self.spec.gamma);
        vector::exp_sums(out, &low);
    }

    /// How alike a point is to each landmark, in twice the precision, into `out`, `[n_columns]`.
    pub(super) fn likeness_doubly(&self, point: &[f64], out: &mut [Double]) {
        let n = self.len();
        out.fill(Double::ZERO);
        for (entry, x) in point.iter().enumerate() {
            for (sum, landmark) in out.iter_mut().zip(&self.entries[entry * n..(entry + 1) * n]) {
                let apart = Double::difference(*x, *landmark);
                let term = match self.spec.similarity {
                    Similarity::Gaussian => apart.times(apart),
                    Similarity::Laplace => apart.abs(),
                };
                *sum = sum.plus(term);
            }
        }
        for sum in out {
            *sum = sum.scaled(-self.spec.gamma).exp();
        }
    }

    /// How far a likeness may be off. With a relative error `s` of its exponent `t` that is
    /// `t s exp(-t)`, and `t exp(-t)` is at most `1 / e`; each term of `t` was rounded in the
    /// square of the roundoff when it was taken, and once for each that was added.
    pub(super) fn error(&self) -> LikenessError {
        let exponent = as_float(self.spec.n_entries + 8) * ROUNDOFF;
        let absolute = exponent * exponent + TINY;
        LikenessError {
            relative: EXP_SUM_ERROR * (1.0 + 1e-9),
            absolute,
            doubly: DOUBLE_ERROR + absolute,
        }
    }

    /// Goes back to these points, of which some are landmarks in this order of columns.
    pub(super) fn restore(&mut self, columns: &[f64]) {
        self.columns =
            columns.chunks_exact(self.spec.n_entries).map(|point| self.place(point)).collect();
        self.fill_entries();
    }

    pub(super) fn bytes(&self) -> usize {
        (self.points.len() + 2 * self.columns.len()) * self.spec.n_entries * size_of::<f64>()
    }
}

/// Adds what each landmark lies apart in one entry to sums in two parts.
fn add_distances(
    (high, low): (&mut [f64], &mut [f64]),
    landmarks: &[f64],
    x: f64,
    similarity: Similarity,
) {
    wide(
        #[inline(always)]
        || {
            let sums = high.iter_mut().zip(low).zip(landmarks);
            match similarity {
                Similarity::Gaussian => {
                    for ((high, low), landmark) in sums {
                        let apart = Double::difference(x, *landmark);
                        let square = Double::product(apart.high, apart.high);
                        let sum = Double::sum(*high, square.high);
                        *low += sum.low + (2.0 * apart.high).mul_add(apart.low, square.low);
                        *high = sum.high;
                    }
                }
                Similarity::Laplace => {
                    for ((high, low), landmark) in sums {
                        let apart = Double::difference(x, *landmark);
                        let sum = Double::sum(*high, apart.high.abs());
                        *low += sum.low + apart.low * 1.0_f64.copysign(apart.high);
                        *high = sum.high;
                    }
                }
            }
        },
    );
}

/// Sums in two parts times a number.
fn scale_sums(high: &mut [f64], low: &mut [f64], factor: f64) {
    wide(
        #[inline(always)]
        || {
            for (high, low) in high.iter_mut().zip(low) {
                let product = Double::product(factor, *high);
                *low = factor.mul_add(*low, product.low);
                *high = product.high;
            }
        },
    );
}
