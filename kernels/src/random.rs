//! Random numbers by a seed: the frequencies of features.

use crate::vector::dot;

/// A generator of 64-bit numbers (Steele, Lea and Flood, *Fast Splittable Pseudorandom Number
/// Generators*, `SplitMix64`).
#[derive(Debug, Clone)]
pub(crate) struct Draw(u64);

impl Draw {
    /// One for each stream of a seed.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut draw = Self(seed);
        draw.0 = draw.next() ^ stream.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        draw
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let wide = u128::from(self.next()) * n as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// Above 0, at most 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Of the normal distribution (Box and Muller).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// `n` vectors of `d` normal entries, one after another; those of each run of `d` are
    /// orthogonal to each other, and each is as long as a normal vector of its own would be
    /// (Yu et al., *Orthogonal Random Features*).
    pub(crate) fn orthogonal(&mut self, n: usize, d: usize) -> Vec<f64> {
        let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(n);
        for at in 0..n {
            let before = at / d * d;
            let length = norm(&self.normals(d));
            let mut vector = self.normals(d);
            // Twice, so that rounding leaves nothing of the others (Giraud et al.).
            for _ in 0..2 {
                for other in &vectors[before..] {
                    let part = dot(&vector, other) / dot(other, other);
                    vector.iter_mut().zip(other).for_each(|(x, o)| *x -= part * o);
                }
            }
            let scale = length / norm(&vector);
            vectors.push(vector.into_iter().map(|x| x * scale).collect());
        }
        vectors.concat()
    }

    fn normals(&mut self, d: usize) -> Vec<f64> {
        (0..d).map(|_| self.normal()).collect()
    }
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_a_run_are_orthogonal_and_as_long_as_normal_ones() {
        let (n, d) = (640, 16);
        let vectors = Draw::new(7, 0).orthogonal(n, d);
        let vector = |at: usize| &vectors[at * d..(at + 1) * d];
        for at in 0..n {
            for other in at / d * d..at {
                let cosine =
                    dot(vector(at), vector(other)) / norm(vector(at)) / norm(vector(other));
                assert!(cosine.abs() < 1e-12, "{at} and {other}");
            }
        }
        let mean = dot(&vectors, &vectors) / f64::from(u32::try_from(n).unwrap());
        assert!((mean / 16.0 - 1.0).abs() < 0.1, "mean square length {mean}");
        assert_ne!(vectors, Draw::new(8, 0).orthogonal(n, d));
        assert_ne!(vectors, Draw::new(7, 1).orthogonal(n, d));
    }
}
