//! Rows mixed by weights: the second half of attention.

use crate::block::{Block, BlockF16, BlockF32, BlockQ4_0, BlockQ8_0, QK};

/// `out[i] += Σ_j p[j] * v[j][i]`, rows taken in order by fused multiply-add.
///
/// `v` holds `p.len()` rows of `out.len()` numbers.
pub fn mix_f32(v: &[BlockF32], p: &[f32], out: &mut [f32]) {
    mix(v, p, out, |v, p, out| {
        out[0] = p.mul_add(v.to_f32(), out[0])
    });
}

/// As [`mix_f32`], of half-precision rows.
pub fn mix_f16(v: &[BlockF16], p: &[f32], out: &mut [f32]) {
    mix(v, p, out, |v, p, out| {
        out[0] = p.mul_add(v.to_f32(), out[0])
    });
}

/// As [`mix_f32`], of `Q8_0` rows: a number is `d * q`, which is exact in `f32`.
pub fn mix_q8_0(v: &[BlockQ8_0], p: &[f32], out: &mut [f32]) {
    mix(v, p, out, |v, p, out: &mut [f32]| {
        let d = v.d.to_f32();
        for (o, q) in out.iter_mut().zip(v.qs) {
            *o = p.mul_add(d * f32::from(q), *o);
        }
    });
}

/// As [`mix_q8_0`], of `Q4_0` rows.
pub fn mix_q4_0(v: &[BlockQ4_0], p: &[f32], out: &mut [f32]) {
    mix(v, p, out, |v, p, out: &mut [f32]| {
        let d = v.d.to_f32();
        for (o, q) in out.iter_mut().zip(v.ints()) {
            *o = p.mul_add(d * f32::from(q), *o);
        }
    });
}

fn mix<B: Block>(v: &[B], p: &[f32], out: &mut [f32], add: impl Fn(&B, f32, &mut [f32])) {
    debug_assert!(B::LEN == 1 || B::LEN == QK);
    for (v, &p) in v.chunks_exact(out.len() / B::LEN).zip(p) {
        for (v, out) in v.iter().zip(out.chunks_exact_mut(B::LEN)) {
            add(v, p, out);
        }
    }
}
