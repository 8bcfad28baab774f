//! Root-mean-square normalisation (Zhang and Sennrich 2019).

use super::reduce;

/// `y[i] = x[i] / sqrt(mean(x²) + eps) * w[i]`.
pub fn rms_norm(x: &[f32], w: &[f32], eps: f32, y: &mut [f32]) {
    let mean = reduce::dot(x.iter().map(|&x| (x, x))) / x.len() as f32;
    let scale = 1.0 / (mean + eps).sqrt();
    for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
        *y = x * scale * w;
    }
}
