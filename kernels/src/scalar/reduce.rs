//! Sums of `f32` in the one order that every tier follows.

/// Strided accumulators of every `f32` sum: element `i` goes to lane `i % LANES`.
///
/// 16 fill one AVX-512 register, two AVX2 ones and four NEON ones.
pub const LANES: usize = 16;

/// Folds the lanes by halves: `l` with `l + 8`, then `+ 4`, `+ 2`, `+ 1`.
#[must_use]
#[inline]
pub fn reduce(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            lanes[l] += lanes[l + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// `Σ a[i] * b[i]` by fused multiply-add into the strided lanes, then [`reduce`].
#[must_use]
#[inline]
pub fn dot(pairs: impl Iterator<Item = (f32, f32)>) -> f32 {
    let mut lanes = [0.0; LANES];
    for (i, (a, b)) in pairs.enumerate() {
        let lane = &mut lanes[i % LANES];
        *lane = a.mul_add(b, *lane);
    }
    reduce(lanes)
}

/// `Σ x[i]` in the strided lanes, then [`reduce`].
#[must_use]
#[inline]
pub fn sum(x: impl Iterator<Item = f32>) -> f32 {
    let mut lanes = [0.0; LANES];
    for (i, x) in x.enumerate() {
        lanes[i % LANES] += x;
    }
    reduce(lanes)
}
