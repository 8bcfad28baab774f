//! Sixteen rows side by side, as in [`rows`](super::rows), of the types with super-blocks.
//!
//! A super-block of sixteen rows is more than the registers hold. So each type is a function that sets the header and
//! then gives the weights 32 by 32, in an order of its own, to be used at once or to be stored.

use core::arch::x86_64::*;

use super::rows::{LEVELS, ROWS, halves, join, low_halves, split_dm, split_nibbles, transpose};
use crate::{
    block::{BlockIq4Xs, BlockQ2K, BlockQ3K, BlockQ4K, BlockQ5K, BlockQ6K},
    x86_64::avx2::{load::load_128, rows::gather_dwords},
};

/// What a super-block of each of sixteen rows has beside its weights.
#[derive(Clone, Copy)]
pub(super) struct Header {
    /// Scales of the 8 or 16 sub-blocks.
    pub scale: [__m512i; 16],
    /// What meets `Σx` of the two halves of every 32, two 16-bit numbers: minimums, or scales to take
    /// an offset off.
    pub pair: [__m512i; 8],
    /// Scales of the scales.
    pub d: __m512,
    /// Scales of the minimums; unused by the types without.
    pub dmin: __m512,
}

impl Header {
    /// All zero.
    #[target_feature(enable = "avx512f")]
    pub(super) fn empty() -> Self {
        Self {
            scale: [_mm512_setzero_si512(); 16],
            pair: [_mm512_setzero_si512(); 8],
            d: _mm512_setzero_ps(),
            dmin: _mm512_setzero_ps(),
        }
    }

    /// For types with 16 scales and an offset: the offset is taken off by the scales themselves.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn pair_scales(&mut self) {
        let (scales, _) = self.scale.as_chunks::<2>();
        for (pair, [low, high]) in self.pair.iter_mut().zip(scales) {
            *pair = _mm512_mask_blend_epi16(0xaaaa_aaaa, *low, _mm512_slli_epi32::<16>(*high));
        }
    }
}

/// One super-block of each of sixteen rows.
#[derive(Clone, Copy)]
pub(super) struct Rows256 {
    /// Weights `32 j + 4 k ..` of every row in `w[j][k]`; signed ones with 128 added.
    pub w: [[__m512i; 8]; 8],
    /// The rest.
    pub header: Header,
}

impl Rows256 {
    /// All zero.
    #[target_feature(enable = "avx512f")]
    pub(super) fn empty() -> Self {
        Self {
            w: [[_mm512_setzero_si512(); 8]; 8],
            header: Header::empty(),
        }
    }
}

/// 32 bytes of sixteen rows, from 16 times `at` on.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose_32<const L: usize>(rows: [&[[u8; 16]; L]; ROWS], at: usize) -> [__m512i; 8] {
    let [a, b, c, d] = transpose(rows.map(|r| &r[at]));
    let [e, f, g, h] = transpose(rows.map(|r| &r[at + 1]));
    [a, b, c, d, e, f, g, h]
}

/// Dwords of sixteen places.
#[inline]
#[target_feature(enable = "avx512f")]
fn sixteen_dwords(v: [[u8; 4]; ROWS]) -> __m512i {
    let [low, high] = halves(v).map(|v| gather_dwords(v));
    join(low, high)
}

/// Bits `shift ..` of each dword.
#[inline]
#[target_feature(enable = "avx512f")]
fn right(v: __m512i, shift: usize) -> __m512i {
    _mm512_srl_epi32(v, _mm_cvtsi32_si128(shift as i32))
}

/// Bit `from` of each dword at bit `to`, and its neighbours with it.
#[inline]
#[target_feature(enable = "avx512f")]
fn moved(v: __m512i, from: usize, to: usize) -> __m512i {
    if from < to {
        _mm512_sll_epi32(v, _mm_cvtsi32_si128((to - from) as i32))
    } else {
        right(v, from - to)
    }
}

/// The low nibble of every byte.
#[inline]
#[target_feature(enable = "avx512f")]
fn low_nibbles(v: __m512i) -> __m512i {
    _mm512_and_si512(v, _mm512_set1_epi32(0x0f0f_0f0f))
}

/// The high nibble of every byte.
#[inline]
#[target_feature(enable = "avx512f")]
fn high_nibbles(v: __m512i) -> __m512i {
    low_nibbles(_mm512_srli_epi32::<4>(v))
}

/// `v | (bits & mask)`.
#[inline]
#[target_feature(enable = "avx512f")]
fn or_masked(v: __m512i, bits: __m512i, mask: i32) -> __m512i {
    _mm512_ternarylogic_epi32::<0b1111_1000>(v, bits, _mm512_set1_epi32(mask))
}

/// Byte `b` of each dword.
#[inline]
#[target_feature(enable = "avx512f")]
fn byte(v: __m512i, b: usize) -> __m512i {
    _mm512_and_si512(right(v, 8 * b), _mm512_set1_epi32(0xff))
}

/// A number below 2^16 twice in each dword.
#[inline]
#[target_feature(enable = "avx512f")]
fn twice(v: __m512i) -> __m512i {
    _mm512_or_si512(v, _mm512_slli_epi32::<16>(v))
}

/// Header of `Q4_K` and `Q5_K`: `d`, `dmin`, and 12 bytes as in
/// [`scale_min_k4`](crate::block::scale_min_k4).
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn header_k4(u: &mut Header, header: [&[u8; 16]; ROWS]) {
    let [dm, a, b, c] = transpose(header);
    (u.d, u.dmin) = split_dm(dm);
    let six = _mm512_set1_epi32(0x3f3f_3f3f);
    let top = |v| _mm512_srli_epi32::<2>(v);
    let scales = [
        _mm512_and_si512(a, six),
        or_masked(low_nibbles(c), top(a), 0x3030_3030),
    ];
    let mins = [
        _mm512_and_si512(b, six),
        or_masked(high_nibbles(c), top(b), 0x3030_3030),
    ];
    for j in 0..8 {
        u.scale[j] = byte(scales[j / 4], j % 4);
        u.pair[j] = twice(byte(mins[j / 4], j % 4));
    }
}

/// `Q4_K`: nibbles; minimums in `pair`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
pub(super) fn each_q4_k(
    b: [&BlockQ4K; ROWS],
    u: &mut Header,
    mut take: impl FnMut(&Header, usize, &[__m512i; 8]),
) {
    let b = b.map(bytemuck::cast_ref::<BlockQ4K, [[u8; 16]; 9]>);
    header_k4(u, b.map(|b| &b[0]));
    for p in 0..4 {
        let q = transpose_32(b, 1 + 2 * p);
        take(u, 2 * p, &q.map(|q| low_nibbles(q)));
        take(u, 2 * p + 1, &q.map(|q| high_nibbles(q)));
    }
}

/// `Q5_K`: five bits; minimums in `pair`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
pub(super) fn each_q5_k(
    b: [&BlockQ5K; ROWS],
    u: &mut Header,
    mut take: impl FnMut(&Header, usize, &[__m512i; 8]),
) {
    let b = b.map(bytemuck::cast_ref::<BlockQ5K, [[u8; 16]; 11]>);
    header_k4(u, b.map(|b| &b[0]));
    let mut fifth = transpose_32(b, 1);
    for p in 0..4 {
        let q = transpose_32(b, 3 + 2 * p);
        let fifths = [
            fifth.map(|v| _mm512_slli_epi32::<4>(v)),
            fifth.map(|v| _mm512_slli_epi32::<3>(v)),
        ];
        fifth = fifth.map(|v| _mm512_srli_epi32::<2>(v));
        let nibbles = [q.map(|q| low_nibbles(q)), q.map(|q| high_nibbles(q))];
        for (half, (nibbles, fifths)) in nibbles.into_iter().zip(fifths).enumerate() {
            let w = std::array::from_fn(|k| or_masked(nibbles[k], fifths[k], 0x1010_1010));
            take(u, 2 * p + half, &w);
        }
    }
}

/// `Q6_K`: six bits, without the offset of 32.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
pub(super) fn each_q6_k(
    b: [&BlockQ6K; ROWS],
    u: &mut Header,
    mut take: impl FnMut(&Header, usize, &[__m512i; 8]),
) {
    u.d = low_halves(b.map(|b| [b.d.0[0], b.d.0[1], 0, 0]));
    let scales = transpose(b.map(|b| bytemuck::cast_ref(&b.scales)));
    for (j, scale) in u.scale.iter_mut().enumerate() {
        // Signed: up to the upper byte, and down again with the sign.
        let upper = _mm512_slli_epi32::<24>(right(scales[j / 4], 8 * (j % 4)));
        *scale = _mm512_srai_epi32::<24>(upper);
    }
    u.pair_scales();
    let low = b.map(|b| bytemuck::cast_ref::<_, [[u8; 16]; 8]>(&b.ql));
    let high = b.map(|b| bytemuck::cast_ref::<_, [[u8; 16]; 4]>(&b.qh));
    for h in 0..2 {
        let top = transpose_32(high, 2 * h);
        for s in 0..2 {
            let q = transpose_32(low, 4 * h + 2 * s);
            // Bits 2 s of the tops belong to the low nibbles, bits 2 s + 4 to the high ones.
            let low = std::array::from_fn(|k| {
                or_masked(low_nibbles(q[k]), moved(top[k], 2 * s, 4), 0x3030_3030)
            });
            take(u, 4 * h + s, &low);
            let high = std::array::from_fn(|k| {
                or_masked(high_nibbles(q[k]), moved(top[k], 2 * s + 4, 4), 0x3030_3030)
            });
            take(u, 4 * h + s + 2, &high);
        }
    }
}

/// Two bits of every byte, from `2 s` on.
#[inline]
#[target_feature(enable = "avx512f")]
fn two_bits(q: &[__m512i; 8], s: usize) -> [__m512i; 8] {
    q.map(|q| _mm512_and_si512(right(q, 2 * s), _mm512_set1_epi32(0x0303_0303)))
}

/// `Q2_K`: two bits; minimums in `pair`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
pub(super) fn each_q2_k(
    b: [&BlockQ2K; ROWS],
    u: &mut Header,
    mut take: impl FnMut(&Header, usize, &[__m512i; 8]),
) {
    let dm = b.map(|b| [b.d.0[0], b.d.0[1], b.dmin.0[0], b.dmin.0[1]]);
    (u.d, u.dmin) = split_dm(sixteen_dwords(dm));
    let both = transpose(b.map(|b| &b.scales));
    for (j, scale) in u.scale.iter_mut().enumerate() {
        *scale = byte(low_nibbles(both[j / 4]), j % 4);
    }
    for (j, pair) in u.pair.iter_mut().enumerate() {
        let min = |j: usize| byte(high_nibbles(both[j / 4]), j % 4);
        *pair = _mm512_or_si512(min(2 * j), _mm512_slli_epi32::<16>(min(2 * j + 1)));
    }
    let qs = b.map(|b| bytemuck::cast_ref::<_, [[u8; 16]; 4]>(&b.qs));
    for h in 0..2 {
        let q = transpose_32(qs, 2 * h);
        for s in 0..4 {
            take(u, 4 * h + s, &two_bits(&q, s));
        }
    }
}

/// `Q3_K`: three bits, without the offset of 4.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
pub(super) fn each_q3_k(
    b: [&BlockQ3K; ROWS],
    u: &mut Header,
    mut take: impl FnMut(&Header, usize, &[__m512i; 8]),
) {
    u.d = low_halves(b.map(|b| [b.d.0[0], b.d.0[1], 0, 0]));
    let [low, mid, top] = [0, 1, 2].map(|i| sixteen_dwords(b.map(|b| b.scales.as_chunks().0[i])));
    for (j, scale) in u.scale.iter_mut().enumerate() {
        // Scales 4 g .. 4 g + 4 have bits 2 g of the last four bytes on top of their nibbles.
        let g = j / 4;
        let nibbles = low_nibbles(right([low, mid][g % 2], 4 * (g / 2)));
        let six = or_masked(nibbles, moved(top, 2 * g, 4), 0x3030_3030);
        *scale = _mm512_sub_epi32(byte(six, j % 4), _mm512_set1_epi32(32));
    }
    u.pair_scales();
    let qs = b.map(|b| bytemuck::cast_ref::<_, [[u8; 16]; 4]>(&b.qs));
    let third = b.map(|b| bytemuck::cast_ref::<_, [[u8; 16]; 2]>(&b.hmask));
    let third = transpose_32(third, 0);
    for h in 0..2 {
        let q = transpose_32(qs, 2 * h);
        for s in 0..4 {
            let low = two_bits(&q, s);
            let w = std::array::from_fn(|k| {
                or_masked(low[k], moved(third[k], 4 * h + s, 2), 0x0404_0404)
            });
            take(u, 4 * h + s, &w);
        }
    }
}

/// `IQ4_XS`: the levels plus 128.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
pub(super) fn each_iq4_xs(
    b: [&BlockIq4Xs; ROWS],
    u: &mut Header,
    mut take: impl FnMut(&Header, usize, &[__m512i; 8]),
) {
    let first = b.map(|b| [b.d.0[0], b.d.0[1], b.scales_h[0], b.scales_h[1]]);
    u.d = low_halves(first);
    let high = _mm512_srli_epi32::<16>(sixteen_dwords(first));
    let low = sixteen_dwords(b.map(|b| b.scales_l));
    for j in 0..8 {
        let nibble = _mm512_and_si512(right(low, 4 * j), _mm512_set1_epi32(15));
        let six = or_masked(nibble, moved(high, 2 * j, 4), 0x30);
        u.scale[j] = _mm512_sub_epi32(six, _mm512_set1_epi32(32));
        let low = _mm512_and_si512(u.scale[j], _mm512_set1_epi32(0xffff));
        u.pair[j] = twice(low);
    }
    let table = _mm512_broadcast_i32x4(load_128(&LEVELS));
    for j in 0..8 {
        let q = transpose(b.map(|b| &b.qs.as_chunks().0[j]));
        let w = split_nibbles(q).map(|w| _mm512_shuffle_epi8(table, w));
        take(u, j, &w);
    }
}
