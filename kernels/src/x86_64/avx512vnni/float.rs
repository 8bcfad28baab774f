//! Weights that are floats, with `f32` activations: a register is the 16 strided lanes of
//! [`scalar::reduce`](crate::scalar::reduce) of one result.

use core::arch::x86_64::*;

use super::load::{load_ps, store_ps, store_ps_128};
use crate::{activations::ActRows, scalar::reduce::LANES, tile::TileMut};

/// Rows, and vectors, of a tile.
pub(super) const SIDE: usize = 4;

/// Rows of a GEMV that run side by side.
pub(super) const ROWS: usize = SIDE * SIDE;

/// `y[r] = row r · x`: `w` holds `y.len()` rows, whole sixteens of them, of a length that is a multiple of 16. `load`
/// loads weights.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) fn gemv<B>(w: &[B], x: &[f32], y: &mut [f32], load: impl Fn(&[B; LANES]) -> __m512) {
    let (k, x) = (x.len(), x.as_chunks::<LANES>().0);
    let (y, _) = y.as_chunks_mut::<ROWS>();
    for (w, y) in w.chunks_exact(ROWS * k).zip(y) {
        let rows: [_; ROWS] = std::array::from_fn(|r| w[r * k..][..k].as_chunks::<LANES>().0);
        let mut acc = [[_mm512_setzero_ps(); SIDE]; SIDE];
        for (s, x) in x.iter().enumerate() {
            let x = load_ps(x);
            // Lane `4 v + r` of the sums is row `4 v + r` here.
            for (r, acc) in acc.iter_mut().enumerate() {
                for (v, acc) in acc.iter_mut().enumerate() {
                    *acc = _mm512_fmadd_ps(load(&rows[SIDE * v + r][s]), x, *acc);
                }
            }
        }
        store_ps(y, reduce(acc));
    }
}

/// `y[t][r] = row r · x[t]`: `w` holds `y.m()` rows, whole fours of them, and `x` holds `y.n()` vectors, of a
/// length that is a multiple of 16. `load` loads weights.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) fn gemm<B>(
    w: &[B],
    x: ActRows<'_>,
    y: &mut TileMut<'_>,
    load: impl Fn(&[B; LANES]) -> __m512,
) {
    let k = x.k();
    for (i, w) in w.chunks_exact(SIDE * k).enumerate() {
        let rows: [_; SIDE] = std::array::from_fn(|r| w[r * k..][..k].as_chunks::<LANES>().0);
        for (j, x) in x.all.f.chunks(SIDE * k).enumerate() {
            // Where vectors are missing in the last four, its last one again.
            let n = x.len() / k;
            let x: [_; SIDE] =
                std::array::from_fn(|v| x[v.min(n - 1) * k..][..k].as_chunks::<LANES>().0);
            let mut acc = [[_mm512_setzero_ps(); SIDE]; SIDE];
            for s in 0..k / LANES {
                let w = rows.map(|w| load(&w[s]));
                let x = x.map(|x| load_ps(&x[s]));
                for (acc, w) in acc.iter_mut().zip(w) {
                    for (acc, x) in acc.iter_mut().zip(x) {
                        *acc = _mm512_fmadd_ps(w, x, *acc);
                    }
                }
            }
            let sums = reduce(acc);
            let parts = [
                _mm512_castps512_ps128(sums),
                _mm512_extractf32x4_ps::<1>(sums),
                _mm512_extractf32x4_ps::<2>(sums),
                _mm512_extractf32x4_ps::<3>(sums),
            ];
            for (v, part) in parts.into_iter().take(n).enumerate() {
                let y = &mut y.row(j * SIDE + v)[i * SIDE..];
                store_ps_128(&mut y.as_chunks_mut().0[0], part);
            }
        }
    }
}

/// Twin of [`scalar::reduce::reduce`](crate::scalar::reduce::reduce) for the sixteen results of a tile
/// at once: lane `4 v + r` is row `r` by vector `v`.
#[inline]
#[target_feature(enable = "avx512f")]
fn reduce(acc: [[__m512; SIDE]; SIDE]) -> __m512 {
    let rows = acc.map(|[a, b, c, d]| {
        let [ab, cd] = [(a, b), (c, d)].map(|(a, b)| {
            let low = _mm512_shuffle_f32x4::<0b01_00_01_00>(a, b);
            _mm512_add_ps(low, _mm512_shuffle_f32x4::<0b11_10_11_10>(a, b))
        });
        // Four lanes each of a, b, c and d.
        let even = _mm512_shuffle_f32x4::<0b10_00_10_00>(ab, cd);
        _mm512_add_ps(even, _mm512_shuffle_f32x4::<0b11_01_11_01>(ab, cd))
    });
    let [p, q] = [(rows[0], rows[1]), (rows[2], rows[3])].map(|(p, q)| {
        let (p, q) = (_mm512_castps_pd(p), _mm512_castps_pd(q));
        let low = _mm512_castpd_ps(_mm512_unpacklo_pd(p, q));
        _mm512_add_ps(low, _mm512_castpd_ps(_mm512_unpackhi_pd(p, q)))
    });
    let even = _mm512_shuffle_ps::<0b10_00_10_00>(p, q);
    _mm512_add_ps(even, _mm512_shuffle_ps::<0b11_01_11_01>(p, q))
}
