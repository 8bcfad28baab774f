//! Eight rows side by side, as in [`rows`](super::rows), of the types with super-blocks.

use core::arch::x86_64::*;

use super::rows::{
    ROWS, gather_dwords, gather_halves, high_nibbles, levels, low_nibbles, nibbles, split_halves,
    transpose,
};
use crate::block::{BlockIq4Xs, BlockQ2K, BlockQ3K, BlockQ4K, BlockQ5K, BlockQ6K};

/// One super-block of each of eight rows.
#[derive(Clone, Copy)]
pub(in crate::x86_64) struct Rows256 {
    /// Weights `32 j + 4 k ..` of every row in `w[j][k]`.
    pub w: [[__m256i; 8]; 8],
    /// Scales of the 8 or 16 sub-blocks, each twice in a lane as 16 bits.
    pub scale: [__m256i; 16],
    /// What meets `Σx` of the two halves of every 32: minimums, or scales to take an offset off.
    pub pair: [__m256i; 8],
    /// Scales of the scales.
    pub d: __m256,
    /// Scales of the minimums; unused by the types without.
    pub dmin: __m256,
}

impl Rows256 {
    /// All zero.
    #[target_feature(enable = "avx2")]
    pub(in crate::x86_64) fn empty() -> Self {
        let zero = _mm256_setzero_si256();
        Self {
            w: [[zero; 8]; 8],
            scale: [zero; 16],
            pair: [zero; 8],
            d: _mm256_setzero_ps(),
            dmin: _mm256_setzero_ps(),
        }
    }

    /// For types with 16 scales and an offset: the offset is taken off by the scales themselves.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn pair_scales(&mut self) {
        let (scales, _) = self.scale.as_chunks::<2>();
        for (pair, [low, high]) in self.pair.iter_mut().zip(scales) {
            *pair = _mm256_blend_epi16::<0b1010_1010>(*low, *high);
        }
    }
}

/// 32 bytes of eight rows, from 16 times `at` on.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose_32<const L: usize>(rows: [&[[u8; 16]; L]; ROWS], at: usize) -> [__m256i; 8] {
    let [a, b, c, d] = transpose(rows.map(|r| &r[at]));
    let [e, f, g, h] = transpose(rows.map(|r| &r[at + 1]));
    [a, b, c, d, e, f, g, h]
}

/// Bytes `low` and `high` of each dword as two 16-bit numbers.
#[inline]
#[target_feature(enable = "avx2")]
fn widen(v: __m256i, low: u8, high: u8) -> __m256i {
    let dword = |d: u32| (d * 4 * 0x0001_0001 + u32::from(low) + (u32::from(high) << 16)) as i32;
    // The upper byte of each number is to be 0: an index with its top bit set.
    let zero = 0x8000_8000_u32 as i32;
    let [a, b, c, d] = [0, 1, 2, 3].map(|d| dword(d) | zero);
    _mm256_shuffle_epi8(v, _mm256_setr_epi32(a, b, c, d, a, b, c, d))
}

/// Byte `b` of each dword, twice.
#[inline]
#[target_feature(enable = "avx2")]
fn twice(v: __m256i, b: u8) -> __m256i {
    widen(v, b, b)
}

/// `nibbles`, topped by the upper two bits of `top`.
#[inline]
#[target_feature(enable = "avx2")]
fn join(nibbles: __m256i, top: __m256i) -> __m256i {
    let top = _mm256_and_si256(_mm256_srli_epi16::<2>(top), _mm256_set1_epi8(0x30));
    _mm256_or_si256(nibbles, top)
}

/// Header of `Q4_K` and `Q5_K`: `d`, `dmin`, and 12 bytes as in
/// [`scale_min_k4`](crate::block::scale_min_k4).
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn header_k4(u: &mut Rows256, header: [&[u8; 16]; ROWS]) {
    let [dm, a, b, c] = transpose(header);
    (u.d, u.dmin) = split_halves(dm);
    let six = _mm256_set1_epi8(63);
    let scales = [_mm256_and_si256(a, six), join(low_nibbles(c), a)];
    let mins = [_mm256_and_si256(b, six), join(high_nibbles(c), b)];
    for j in 0..8 {
        u.scale[j] = twice(scales[j / 4], j as u8 % 4);
        u.pair[j] = twice(mins[j / 4], j as u8 % 4);
    }
}

/// `Q4_K`: nibbles; minimums in `pair`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn rows_q4_k(u: &mut Rows256, b: [&BlockQ4K; ROWS]) {
    let b = b.map(bytemuck::cast_ref::<BlockQ4K, [[u8; 16]; 9]>);
    header_k4(u, b.map(|b| &b[0]));
    for p in 0..4 {
        let q = transpose_32(b, 1 + 2 * p);
        u.w[2 * p] = q.map(|q| low_nibbles(q));
        u.w[2 * p + 1] = q.map(|q| high_nibbles(q));
    }
}

/// `Q5_K`: five bits; minimums in `pair`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn rows_q5_k(u: &mut Rows256, b: [&BlockQ5K; ROWS]) {
    let b = b.map(bytemuck::cast_ref::<BlockQ5K, [[u8; 16]; 11]>);
    header_k4(u, b.map(|b| &b[0]));
    let mut fifth = transpose_32(b, 1);
    for p in 0..4 {
        let q = transpose_32(b, 3 + 2 * p);
        u.w[2 * p] = add_bits::<4>(q.map(|q| low_nibbles(q)), &mut fifth);
        u.w[2 * p + 1] = add_bits::<4>(q.map(|q| high_nibbles(q)), &mut fifth);
    }
}

/// Puts the lowest bit of every byte of `bits` at bit `AT` of `w`, and moves `bits` on by one.
#[inline]
#[target_feature(enable = "avx2")]
fn add_bits<const AT: i32>(mut w: [__m256i; 8], bits: &mut [__m256i; 8]) -> [__m256i; 8] {
    let one = _mm256_set1_epi8(1 << AT);
    for (w, bits) in w.iter_mut().zip(bits) {
        let bit = _mm256_and_si256(_mm256_slli_epi16::<AT>(*bits), one);
        *w = _mm256_or_si256(*w, bit);
        *bits = _mm256_srli_epi16::<1>(*bits);
    }
    w
}

/// `Q6_K`: six bits, without the offset of 32.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn rows_q6_k(u: &mut Rows256, b: [&BlockQ6K; ROWS]) {
    u.d = gather_halves(b.map(|b| b.d));
    let scales = transpose(b.map(|b| bytemuck::cast_ref(&b.scales)));
    for (j, scale) in u.scale.iter_mut().enumerate() {
        // Signed: up to the upper byte, and down again with the sign.
        let upper = _mm256_slli_epi16::<8>(twice(scales[j / 4], j as u8 % 4));
        *scale = _mm256_srai_epi16::<8>(upper);
    }
    u.pair_scales();
    let low = b.map(|b| bytemuck::cast_ref::<_, [[u8; 16]; 8]>(&b.ql));
    let high = b.map(|b| bytemuck::cast_ref::<_, [[u8; 16]; 4]>(&b.qh));
    let two = _mm256_set1_epi8(0x30);
    for h in 0..2 {
        let (a, b) = (transpose_32(low, 4 * h), transpose_32(low, 4 * h + 2));
        let top = transpose_32(high, 2 * h);
        for k in 0..8 {
            let tops = [
                _mm256_slli_epi16::<4>(top[k]),
                _mm256_slli_epi16::<2>(top[k]),
                top[k],
                _mm256_srli_epi16::<2>(top[k]),
            ];
            let nibbles = [
                low_nibbles(a[k]),
                low_nibbles(b[k]),
                high_nibbles(a[k]),
                high_nibbles(b[k]),
            ];
            for (s, (top, nibbles)) in tops.into_iter().zip(nibbles).enumerate() {
                u.w[4 * h + s][k] = _mm256_or_si256(nibbles, _mm256_and_si256(top, two));
            }
        }
    }
}

/// The two-bit numbers of `Q2_K` and `Q3_K`.
#[inline]
#[target_feature(enable = "avx2")]
fn two_bits(u: &mut Rows256, qs: [&[[u8; 16]; 4]; ROWS]) {
    let two = _mm256_set1_epi8(3);
    for h in 0..2 {
        let mut q = transpose_32(qs, 2 * h);
        for w in &mut u.w[4 * h..4 * h + 4] {
            for (w, q) in w.iter_mut().zip(&mut q) {
                *w = _mm256_and_si256(*q, two);
                *q = _mm256_srli_epi16::<2>(*q);
            }
        }
    }
}

/// `Q2_K`: two bits; minimums in `pair`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn rows_q2_k(u: &mut Rows256, b: [&BlockQ2K; ROWS]) {
    let dm = gather_dwords(b.map(|b| [b.d.0[0], b.d.0[1], b.dmin.0[0], b.dmin.0[1]]));
    (u.d, u.dmin) = split_halves(dm);
    let both = transpose(b.map(|b| &b.scales));
    let (scales, mins) = (both.map(|v| low_nibbles(v)), both.map(|v| high_nibbles(v)));
    for (j, scale) in u.scale.iter_mut().enumerate() {
        *scale = twice(scales[j / 4], j as u8 % 4);
    }
    for (j, pair) in u.pair.iter_mut().enumerate() {
        let low = 2 * (j as u8 % 2);
        *pair = widen(mins[j / 2], low, low + 1);
    }
    two_bits(u, b.map(|b| bytemuck::cast_ref(&b.qs)));
}

/// `Q3_K`: three bits, without the offset of 4.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn rows_q3_k(u: &mut Rows256, b: [&BlockQ3K; ROWS]) {
    u.d = gather_halves(b.map(|b| b.d));
    let [low, mid, top] = [0, 1, 2].map(|i| gather_dwords(b.map(|b| b.scales.as_chunks().0[i])));
    // Scales 4 g .. 4 g + 4 have bits 2 g of the last four bytes on top of their nibbles.
    let tops = [
        _mm256_slli_epi16::<4>(top),
        _mm256_slli_epi16::<2>(top),
        top,
        _mm256_srli_epi16::<2>(top),
    ];
    let nibbles = [
        low_nibbles(low),
        low_nibbles(mid),
        high_nibbles(low),
        high_nibbles(mid),
    ];
    let two = _mm256_set1_epi8(0x30);
    for (j, scale) in u.scale.iter_mut().enumerate() {
        let six = _mm256_or_si256(nibbles[j / 4], _mm256_and_si256(tops[j / 4], two));
        *scale = _mm256_sub_epi16(twice(six, j as u8 % 4), _mm256_set1_epi16(32));
    }
    u.pair_scales();
    two_bits(u, b.map(|b| bytemuck::cast_ref(&b.qs)));
    let mut third = transpose_32(
        b.map(|b| bytemuck::cast_ref::<_, [[u8; 16]; 2]>(&b.hmask)),
        0,
    );
    for w in &mut u.w {
        *w = add_bits::<2>(*w, &mut third);
    }
}

/// `IQ4_XS`: the levels, signed.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn rows_iq4_xs(u: &mut Rows256, b: [&BlockIq4Xs; ROWS]) {
    u.d = gather_halves(b.map(|b| b.d));
    let low = gather_dwords(b.map(|b| b.scales_l));
    let high = gather_dwords(b.map(|b| [b.scales_h[0], b.scales_h[1], 0, 0]));
    let two = _mm256_set1_epi16(0x30);
    for j in 0..8u8 {
        let byte = twice(low, j / 2);
        let nibble = if j % 2 == 0 {
            byte
        } else {
            _mm256_srli_epi16::<4>(byte)
        };
        let nibble = _mm256_and_si256(nibble, _mm256_set1_epi16(15));
        // Bits 2 (j % 4) of byte j / 4, moved to bit 4.
        let top = twice(high, j / 4);
        let top = match j % 4 {
            0 => _mm256_slli_epi16::<4>(top),
            1 => _mm256_slli_epi16::<2>(top),
            2 => top,
            _ => _mm256_srli_epi16::<2>(top),
        };
        let six = _mm256_or_si256(nibble, _mm256_and_si256(top, two));
        u.scale[usize::from(j)] = _mm256_sub_epi16(six, _mm256_set1_epi16(32));
    }
    for (j, w) in u.w.iter_mut().enumerate() {
        *w = nibbles(b.map(|b| &b.qs.as_chunks().0[j])).map(|w| levels(w));
    }
}
