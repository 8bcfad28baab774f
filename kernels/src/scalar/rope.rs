//! Rotary position embedding (Su et al. 2021), on neighbouring pairs as GGUF's `llama` stores them.

/// Rotates the pairs `(x[2i], x[2i + 1])` of one head by the angle whose cosine and sine are given.
///
/// `cos` and `sin` have one entry a pair; pairs beyond them are left as they are.
#[inline]
pub fn rope(x: &mut [f32], cos: &[f32], sin: &[f32]) {
    for ((x, c), s) in x.as_chunks_mut::<2>().0.iter_mut().zip(cos).zip(sin) {
        let [a, b] = *x;
        *x = [a.mul_add(*c, -(b * s)), a.mul_add(*s, b * c)];
    }
}
