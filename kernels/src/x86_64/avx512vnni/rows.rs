//! Sixteen rows side by side: twice the eight of [`avx2::rows`](crate::x86_64::avx2::rows), with every
//! weight as an unsigned byte, as `vpdpbusd` wants it.

use core::arch::x86_64::*;

use super::load::{load_4x128, load_i16};
use crate::{
    block::{BlockIq4Nl, BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_0, KVALUES_IQ4NL},
    x86_64::avx2::{
        load::load_128,
        rows::{self as eight, gather_dwords},
    },
};

/// Rows that are computed together.
pub(in crate::x86_64) const ROWS: usize = 16;

/// One block of 32 weights of each of sixteen rows.
#[derive(Clone, Copy)]
pub(in crate::x86_64) struct Rows32 {
    /// Weights `4 j .. 4 j + 4` of every row; signed ones with 128 added.
    pub w: [__m512i; 8],
    /// Scales.
    pub d: __m512,
    /// Minimums; unused by the types without.
    pub m: __m512,
}

impl Rows32 {
    /// All zero.
    #[target_feature(enable = "avx512f")]
    pub(in crate::x86_64) fn empty() -> Self {
        Self {
            w: [_mm512_setzero_si512(); 8],
            d: _mm512_setzero_ps(),
            m: _mm512_setzero_ps(),
        }
    }

    /// Two times eight rows.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn join(low: eight::Rows32, high: eight::Rows32) -> Self {
        Self {
            w: std::array::from_fn(|j| join(low.w[j], high.w[j])),
            d: join_ps(low.d, high.d),
            m: join_ps(low.m, high.m),
        }
    }

    /// With `offset` taken off every weight, which makes them signed.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(in crate::x86_64) fn less(mut self, offset: u8) -> Self {
        let offset = _mm512_set1_epi8(offset as i8);
        self.w = self.w.map(|w| _mm512_sub_epi8(w, offset));
        self
    }
}

/// `Q5_0`: five bits, without the offset of 16.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
pub(in crate::x86_64) fn rows_q5_0(b: [&BlockQ5_0; ROWS]) -> Rows32 {
    let [low, high] = halves(b);
    Rows32::join(eight::rows_q5_0(low), eight::rows_q5_0(high))
}

/// `Q5_1`: five bits.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
pub(in crate::x86_64) fn rows_q5_1(b: [&BlockQ5_1; ROWS]) -> Rows32 {
    let [low, high] = halves(b);
    Rows32::join(eight::rows_q5_1(low), eight::rows_q5_1(high))
}

/// The levels of `IQ4_NL` and `IQ4_XS`, plus 128.
pub(super) const LEVELS: [u8; 16] = {
    let mut levels = [0; 16];
    let mut i = 0;
    while i < 16 {
        levels[i] = (KVALUES_IQ4NL[i] as u8) ^ 128;
        i += 1;
    }
    levels
};

/// `IQ4_NL`: the levels plus 128.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
pub(in crate::x86_64) fn rows_iq4_nl(b: [&BlockIq4Nl; ROWS]) -> Rows32 {
    let levels = _mm512_broadcast_i32x4(load_128(&LEVELS));
    let nibbles = split_nibbles(transpose(b.map(|b| &b.qs)));
    Rows32 {
        w: nibbles.map(|w| _mm512_shuffle_epi8(levels, w)),
        d: low_halves(b.map(|b| [b.d.0[0], b.d.0[1], b.qs[0], b.qs[1]])),
        m: _mm512_setzero_ps(),
    }
}

/// Rows 0..8 and 8..16 as one register.
#[inline]
#[target_feature(enable = "avx512f")]
pub(in crate::x86_64) fn join(low: __m256i, high: __m256i) -> __m512i {
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
}

/// [`join`] of singles.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
pub(in crate::x86_64) fn join_ps(low: __m256, high: __m256) -> __m512 {
    _mm512_insertf32x8::<1>(_mm512_castps256_ps512(low), high)
}

/// Signed bytes plus 128: unsigned ones.
#[inline]
#[target_feature(enable = "avx512f")]
pub(in crate::x86_64) fn flip(w: __m512i) -> __m512i {
    _mm512_xor_si512(w, _mm512_set1_epi32(0x8080_8080_u32 as i32))
}

/// The two halves of sixteen things.
#[inline(always)]
pub(in crate::x86_64) fn halves<T: Copy>(all: [T; ROWS]) -> [[T; 8]; 2] {
    [0, 8].map(|first| std::array::from_fn(|i| all[first + i]))
}

/// Rows `first .. first + 16` of `w`, whose rows are `blocks` long.
///
/// The assertion repeats what slicing has done; it spares the loops a check a row and block.
#[inline(always)]
pub(in crate::x86_64) fn sixteen_rows<B>(w: &[B], first: usize, blocks: usize) -> [&[B]; ROWS] {
    let rows = std::array::from_fn(|r| &w[(first + r) * blocks..][..blocks]);
    assert!(rows.iter().all(|row: &&[B]| row.len() == blocks));
    rows
}

/// Dwords 0..4 of sixteen rows' 16 bytes: register `j` has dword `j` of every row.
#[inline]
#[target_feature(enable = "avx512f")]
pub(in crate::x86_64) fn transpose(rows: [&[u8; 16]; ROWS]) -> [__m512i; 4] {
    let [a, b, c, d] =
        [0, 1, 2, 3].map(|r| load_4x128([rows[r], rows[r + 4], rows[r + 8], rows[r + 12]]));
    let (ab0, ab2) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let (cd0, cd2) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    [
        _mm512_unpacklo_epi64(ab0, cd0),
        _mm512_unpackhi_epi64(ab0, cd0),
        _mm512_unpacklo_epi64(ab2, cd2),
        _mm512_unpackhi_epi64(ab2, cd2),
    ]
}

/// The 32 nibbles of sixteen rows, whose bytes are packed as in [`BlockQ4_0::qs`].
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn split_nibbles(qs: [__m512i; 4]) -> [__m512i; 8] {
    let mask = _mm512_set1_epi32(0x0f0f_0f0f);
    let low = qs.map(|v| _mm512_and_si512(v, mask));
    let high = qs.map(|v| _mm512_and_si512(_mm512_srli_epi32::<4>(v), mask));
    [
        low[0], low[1], low[2], low[3], high[0], high[1], high[2], high[3],
    ]
}

/// The lower halves of sixteen dwords as singles.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn low_halves(v: [[u8; 4]; ROWS]) -> __m512 {
    let [low, high] = halves(v).map(|v| gather_dwords(v));
    _mm512_cvtph_ps(_mm512_cvtepi32_epi16(join(low, high)))
}

/// `Q4_0`: nibbles, without the offset of 8.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
pub(in crate::x86_64) fn rows_q4_0(b: [&BlockQ4_0; ROWS]) -> Rows32 {
    Rows32 {
        w: split_nibbles(transpose(b.map(|b| &b.qs))),
        d: low_halves(b.map(|b| [b.d.0[0], b.d.0[1], b.qs[0], b.qs[1]])),
        m: _mm512_setzero_ps(),
    }
}

/// `Q4_1`: four blocks are five times 16 bytes, so that scales are transposed along with the nibbles.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
pub(super) fn each_q4_1(b: [&[BlockQ4_1; 4]; ROWS], mut take: impl FnMut(usize, Rows32)) {
    let b = b.map(bytemuck::cast_ref::<[BlockQ4_1; 4], [[u8; 16]; 5]>);
    let [dm0, a0, a1, a2] = transpose(b.map(|b| &b[0]));
    let [a3, dm1, b0, b1] = transpose(b.map(|b| &b[1]));
    take(0, with_min(dm0, [a0, a1, a2, a3]));
    let [b2, b3, dm2, c0] = transpose(b.map(|b| &b[2]));
    take(1, with_min(dm1, [b0, b1, b2, b3]));
    let [c1, c2, c3, dm3] = transpose(b.map(|b| &b[3]));
    take(2, with_min(dm2, [c0, c1, c2, c3]));
    let d = transpose(b.map(|b| &b[4]));
    take(3, with_min(dm3, d));
}

/// Nibbles, and dwords of a scale and a minimum.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn with_min(dm: __m512i, qs: [__m512i; 4]) -> Rows32 {
    let (d, m) = split_dm(dm);
    let w = split_nibbles(qs);
    Rows32 { w, d, m }
}

/// Dwords of two halves each: the lower ones and the upper ones, as singles.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn split_dm(dm: __m512i) -> (__m512, __m512) {
    let order = std::array::from_fn(|i| (2 * (i % ROWS) + i / ROWS) as i16);
    let dm = _mm512_permutexvar_epi16(load_i16(&order), dm);
    (
        _mm512_cvtph_ps(_mm512_castsi512_si256(dm)),
        _mm512_cvtph_ps(_mm512_extracti64x4_epi64::<1>(dm)),
    )
}

/// `Q4_1`: nibbles.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
pub(in crate::x86_64) fn rows_q4_1(b: [&BlockQ4_1; ROWS]) -> Rows32 {
    let dm = b.map(|b| [b.d.0[0], b.d.0[1], b.m.0[0], b.m.0[1]]);
    let [low, high] = halves(dm).map(|dm| gather_dwords(dm));
    with_min(join(low, high), transpose(b.map(|b| &b.qs)))
}

/// `Q8_0`: bytes plus 128.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
pub(in crate::x86_64) fn rows_q8_0(b: [&BlockQ8_0; ROWS]) -> Rows32 {
    let parts = b.map(|b| bytemuck::cast_ref::<[i8; 32], [[u8; 16]; 2]>(&b.qs));
    let [w0, w1, w2, w3] = transpose(parts.map(|h| &h[0]));
    let [w4, w5, w6, w7] = transpose(parts.map(|h| &h[1]));
    Rows32 {
        w: [w0, w1, w2, w3, w4, w5, w6, w7].map(|w| flip(w)),
        d: low_halves(b.map(|b| [b.d.0[0], b.d.0[1], b.qs[0] as u8, b.qs[1] as u8])),
        m: _mm512_setzero_ps(),
    }
}

/// A function that unpacks four neighbouring blocks of sixteen rows one after the other.
macro_rules! each_of {
    ($($name:ident, $block:ty, $rows:ident;)*) => {$(
        /// Four times the function for one.
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq")]
        pub(super) fn $name(b: [&[$block; 4]; ROWS], mut take: impl FnMut(usize, Rows32)) {
            for j in 0..4 {
                take(j, $rows(b.map(|b| &b[j])));
            }
        }
    )*};
}
each_of! {
    each_q4_0, BlockQ4_0, rows_q4_0;
    each_q5_0, BlockQ5_0, rows_q5_0;
    each_q5_1, BlockQ5_1, rows_q5_1;
    each_q8_0, BlockQ8_0, rows_q8_0;
    each_iq4_nl, BlockIq4Nl, rows_iq4_nl;
}
