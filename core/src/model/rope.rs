//! The angles of rotary position embedding.

use super::Config;

/// Writes cosine and sine of positions `pos ..`, shape `(n, rope_dim / 2)` each.
///
/// The angle of pair `i` at position `p` is `p * scale * base^(-2 i / rope_dim) / freqs[i]`, taken in
/// `f64` so that every platform rounds to the same singles.
pub(crate) fn angles(
    config: &Config,
    freqs: Option<&[f32]>,
    pos: usize,
    cos: &mut [f32],
    sin: &mut [f32],
) {
    let pairs = config.rope_dim / 2;
    let (base, scale) = (f64::from(config.rope_base), f64::from(config.rope_scale));
    for i in 0..pairs {
        let divisor = freqs.map_or(1.0, |f| f64::from(f[i]));
        let frequency = scale * base.powf(-((2 * i) as f64) / config.rope_dim as f64) / divisor;
        let column = cos.iter_mut().zip(sin.iter_mut()).skip(i).step_by(pairs);
        for (t, (c, s)) in column.enumerate() {
            let (sine, cosine) = ((pos + t) as f64 * frequency).sin_cos();
            (*c, *s) = (cosine as f32, sine as f32);
        }
    }
}
