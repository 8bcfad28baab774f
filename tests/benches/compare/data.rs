//! The bytes and vectors that both sides get, and the check that their answers agree.

use super::common::{Range, Rng, weights};
use puna_kernels::{ActType, Activations, Kernels, WeightType};
use puna_tests::ggml::{bound, exact_floats, magnitudes};

/// Different rows of weights, and different vectors: primes, so that a product of the wrong row or vector,
/// a tile's width off, is another one. They repeat, in memory of their own.
const ROWS: usize = 127;
const VECTORS: usize = 13;

/// Random rows and vectors of one length, and how far their products may be apart.
pub struct Data {
    row_bytes: usize,
    k: usize,
    rows: Vec<u8>,
    vectors: Vec<f32>,
    /// Of each row and vector.
    bounds: Vec<[f64; VECTORS]>,
    /// The same where our tier rounds weights to bfloat16.
    bfloat_bounds: Vec<[f64; VECTORS]>,
}

impl Data {
    /// Rows of `k` weights.
    pub fn new(ty: WeightType, k: usize) -> Self {
        let mut rng = Rng::new(k as u64);
        let row_bytes = ty.row_bytes(k);
        let rows = weights(&mut rng, ty, ROWS * k / ty.block_len(), Range::Tame);
        let vectors = exact_floats(|below| rng.below(below), VECTORS * k);
        let mut acts = Activations::default();
        let acts = acts.quantize(&Kernels::best(), ty.act_type(), &vectors, k);
        let bounds_of = |row| {
            let magnitudes = magnitudes(ty, row, k);
            let bounds: [f64; VECTORS] =
                std::array::from_fn(|vector| bound(ty, &magnitudes, &acts.row(vector)));
            // The vectors are exact in 8 bits of mantissa; a weight is off by at most 2^-8 of it.
            let rounding = |vector: usize| -> f64 {
                let x = &vectors[vector * k..][..k];
                let terms = magnitudes.iter().zip(x);
                terms.map(|(w, x)| w * f64::from(x.abs()) / 256.0).sum()
            };
            let rounded = std::array::from_fn(|vector| bounds[vector] + rounding(vector));
            (bounds, rounded)
        };
        let (bounds, bfloat_bounds) = rows.chunks_exact(row_bytes).map(bounds_of).unzip();
        Self {
            row_bytes,
            k,
            rows,
            vectors,
            bounds,
            bfloat_bounds,
        }
    }

    /// A matrix of so many rows.
    pub fn matrix(&self, rows: usize) -> Vec<u8> {
        repeat(&self.rows, rows * self.row_bytes)
    }

    /// So many vectors.
    pub fn vectors(&self, n: usize) -> Vec<f32> {
        repeat(&self.vectors, n * self.k)
    }

    /// Whether two products of shape `(n, rows)` agree in every number, where ours had vectors of the form
    /// `ours_form`.
    ///
    /// # Errors
    /// The first difference that is too large.
    pub fn check(
        &self,
        ours: &[f32],
        theirs: &[f32],
        rows: usize,
        ours_form: ActType,
    ) -> Result<(), String> {
        let bounds = match ours_form {
            ActType::BF16 => &self.bfloat_bounds,
            _ => &self.bounds,
        };
        if ours.len() != theirs.len() || ours.is_empty() {
            return Err(format!("{} numbers and {}", ours.len(), theirs.len()));
        }
        for (at, (our, their)) in ours.iter().zip(theirs).enumerate() {
            let (vector, row) = (at / rows, at % rows);
            let bound = bounds[row % ROWS][vector % VECTORS];
            let apart = f64::from(*our) - f64::from(*their);
            // A NaN is no agreement either.
            if !matches!(apart.abs().partial_cmp(&bound), Some(order) if order.is_le()) {
                return Err(format!(
                    "row {row}, vector {vector}: ours {our}, ggml's {their}, bound {bound:e}"
                ));
            }
        }
        Ok(())
    }
}

/// `pattern` again and again, `len` in all.
fn repeat<T: Copy>(pattern: &[T], len: usize) -> Vec<T> {
    let mut all = Vec::with_capacity(len);
    while all.len() < len {
        all.extend_from_slice(&pattern[..pattern.len().min(len - all.len())]);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use puna_kernels::TileMut;

    const FORM: ActType = ActType::Q8_0;

    #[test]
    fn a_wrong_row_vector_or_number_is_seen() {
        let (rows, n, k) = (130, 14, 64);
        let data = Data::new(WeightType::Q8_0, k);
        let kernels = Kernels::named("scalar").expect("everywhere");
        let product = |x: &[f32]| {
            let mut y = vec![0.0; n * rows];
            let mut acts = Activations::default();
            let x = acts.quantize(&kernels, WeightType::Q8_0.act_type(), x, k);
            let tile = &mut TileMut::new(&mut y, rows);
            kernels.matmul(WeightType::Q8_0, &data.matrix(rows), x, tile);
            y
        };
        let x = data.vectors(n);
        let good = product(&x);
        assert_eq!(data.check(&good, &good, rows, FORM), Ok(()));
        let mut other = x;
        other[..k].reverse();
        assert!(
            data.check(&good, &product(&other), rows, FORM).is_err(),
            "vector"
        );
        for broken in [f32::NAN, f32::INFINITY, good[5] * 1.01] {
            let mut bad = good.clone();
            bad[5] = broken;
            assert!(data.check(&bad, &good, rows, FORM).is_err(), "{broken}");
            assert!(data.check(&good, &bad, rows, FORM).is_err(), "{broken}");
        }
        let mut turned = good.clone();
        turned[..16].rotate_left(1);
        assert!(data.check(&turned, &good, rows, FORM).is_err(), "rows");
        assert!(data.check(&good[1..], &good, rows, FORM).is_err(), "length");
    }
}
