//! Eight rows side by side: lane `r` of a register belongs to row `r`.
//!
//! The rows stay as the file has them. Of one block a row, four bytes at a time are transposed, so
//! that a register holds the same four weights of eight rows; activations then come as broadcasts,
//! and one conversion, one multiplication by the scales and one fused step serve eight results.
//! Weights are kept unsigned where the products leave room (`u8 * i8` multiplies saturate at 16
//! bits), and the offset is taken off by the activations' own sums.

use core::arch::x86_64::*;

use super::load::{load_2x128, load_128};
use crate::block::{
    BlockIq4Nl, BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_0, Half, KVALUES_IQ4NL, QK,
};

/// Rows that are computed together.
pub(in crate::x86_64) const ROWS: usize = 8;

/// One block of 32 weights of each of eight rows.
#[derive(Clone, Copy)]
pub(in crate::x86_64) struct Rows32 {
    /// Weights `4 j .. 4 j + 4` of every row.
    pub w: [__m256i; 8],
    /// Scales.
    pub d: __m256,
    /// Minimums; unused by the types without.
    pub m: __m256,
}

/// Rows `first .. first + 8` of `w`, whose rows are `blocks` long.
///
/// The assertion repeats what slicing has done; it spares the loops a check a row and block.
#[inline(always)]
pub(in crate::x86_64) fn eight_rows<B>(w: &[B], first: usize, blocks: usize) -> [&[B]; ROWS] {
    let rows = [0, 1, 2, 3, 4, 5, 6, 7].map(|r| &w[(first + r) * blocks..][..blocks]);
    assert!(rows.iter().all(|row| row.len() == blocks));
    rows
}

impl Rows32 {
    /// All zero.
    #[target_feature(enable = "avx2")]
    pub(in crate::x86_64) fn empty() -> Self {
        Self {
            w: [_mm256_setzero_si256(); 8],
            d: _mm256_setzero_ps(),
            m: _mm256_setzero_ps(),
        }
    }
}

/// Dwords 0..4 of eight rows' 16 bytes: register `j` has dword `j` of every row.
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn transpose(rows: [&[u8; 16]; ROWS]) -> [__m256i; 4] {
    let [a, b, c, d] = [0, 1, 2, 3].map(|r| load_2x128(rows[r], rows[r + 4]));
    let (ab0, ab2) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let (cd0, cd2) = (_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
    [
        _mm256_unpacklo_epi64(ab0, cd0),
        _mm256_unpackhi_epi64(ab0, cd0),
        _mm256_unpacklo_epi64(ab2, cd2),
        _mm256_unpackhi_epi64(ab2, cd2),
    ]
}

/// The low nibble of every byte.
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn low_nibbles(v: __m256i) -> __m256i {
    _mm256_and_si256(v, _mm256_set1_epi8(0x0f))
}

/// The high nibble of every byte.
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn high_nibbles(v: __m256i) -> __m256i {
    low_nibbles(_mm256_srli_epi16::<4>(v))
}

/// Eight halves from eight places as singles.
#[inline]
#[target_feature(enable = "avx2,f16c")]
pub(in crate::x86_64) fn gather_halves(h: [Half; ROWS]) -> __m256 {
    low_halves(gather_dwords(h.map(|h| [h.0[0], h.0[1], 0, 0])))
}

/// The lower halves of dwords as singles. Where a half begins a block, a dword that holds it costs less than the half
/// alone: a register takes four from memory, one by one.
#[inline]
#[target_feature(enable = "avx2,f16c")]
pub(in crate::x86_64) fn low_halves(v: __m256i) -> __m256 {
    let d = _mm256_and_si256(v, _mm256_set1_epi32(0xffff));
    // Packing works per 128-bit lane: d0..4 d0..4 | d4..8 d4..8.
    let packed = _mm256_permute4x64_epi64::<0b10_00>(_mm256_packus_epi32(d, d));
    _mm256_cvtph_ps(_mm256_castsi256_si128(packed))
}

/// Eight dwords from eight places.
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn gather_dwords(v: [[u8; 4]; ROWS]) -> __m256i {
    let [a, b, c, d, e, f, g, h] = v.map(i32::from_le_bytes);
    _mm256_setr_epi32(a, b, c, d, e, f, g, h)
}

/// Dwords `(d, m)` of two halves each: all the `d`, all the `m`, as singles.
#[inline]
#[target_feature(enable = "avx2,f16c")]
pub(in crate::x86_64) fn split_halves(dm: __m256i) -> (__m256, __m256) {
    let d = _mm256_and_si256(dm, _mm256_set1_epi32(0xffff));
    let m = _mm256_srli_epi32::<16>(dm);
    // Packing works per 128-bit lane: d0..4 m0..4 | d4..8 m4..8.
    let packed = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(d, m));
    (
        _mm256_cvtph_ps(_mm256_castsi256_si128(packed)),
        _mm256_cvtph_ps(_mm256_extracti128_si256::<1>(packed)),
    )
}

/// The 32 nibbles of eight rows, in the packing of [`BlockQ4_0::qs`].
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn nibbles(rows: [&[u8; QK / 2]; ROWS]) -> [__m256i; 8] {
    let [a, b, c, d] = transpose(rows);
    let low = [a, b, c, d].map(|v| low_nibbles(v));
    let high = [a, b, c, d].map(|v| high_nibbles(v));
    [
        low[0], low[1], low[2], low[3], high[0], high[1], high[2], high[3],
    ]
}

/// Puts bit `4 j + b` of a row's dword of `qh` into bit 4 of byte `b` of its weights `w[j]`.
#[inline]
#[target_feature(enable = "avx2")]
fn add_fifth_bits(w: [__m256i; 8], qh: __m256i) -> [__m256i; 8] {
    let mut w = w;
    for (j, w) in w.iter_mut().enumerate() {
        let byte = (j / 2) as i32 * 0x0101_0101;
        // Byte `j / 2` of each dword, four times; a 128-bit lane has dwords at 0, 4, 8 and 12.
        let from = _mm256_add_epi32(
            _mm256_set1_epi32(byte),
            _mm256_setr_epi32(
                0,
                0x0404_0404,
                0x0808_0808,
                0x0c0c_0c0c,
                0,
                0x0404_0404,
                0x0808_0808,
                0x0c0c_0c0c,
            ),
        );
        let bits = _mm256_set1_epi32(if j % 2 == 0 {
            0x0804_0201
        } else {
            0x8040_2010u32 as i32
        });
        let have = _mm256_and_si256(_mm256_shuffle_epi8(qh, from), bits);
        let set = _mm256_cmpeq_epi8(have, bits);
        *w = _mm256_or_si256(*w, _mm256_and_si256(set, _mm256_set1_epi8(16)));
    }
    w
}

/// `Q4_0`: nibbles, without the offset of 8.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn rows_q4_0(b: [&BlockQ4_0; ROWS]) -> Rows32 {
    Rows32 {
        w: nibbles(b.map(|b| &b.qs)),
        d: low_halves(gather_dwords(
            b.map(|b| [b.d.0[0], b.d.0[1], b.qs[0], b.qs[1]]),
        )),
        m: _mm256_setzero_ps(),
    }
}

/// `Q4_1`: nibbles.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn rows_q4_1(b: [&BlockQ4_1; ROWS]) -> Rows32 {
    let dm = gather_dwords(b.map(|b| [b.d.0[0], b.d.0[1], b.m.0[0], b.m.0[1]]));
    let (d, m) = split_halves(dm);
    Rows32 {
        w: nibbles(b.map(|b| &b.qs)),
        d,
        m,
    }
}

/// `Q5_0`: five bits, without the offset of 16.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn rows_q5_0(b: [&BlockQ5_0; ROWS]) -> Rows32 {
    let w = nibbles(b.map(|b| &b.qs));
    Rows32 {
        w: add_fifth_bits(w, gather_dwords(b.map(|b| b.qh))),
        d: low_halves(gather_dwords(
            b.map(|b| [b.d.0[0], b.d.0[1], b.qh[0], b.qh[1]]),
        )),
        m: _mm256_setzero_ps(),
    }
}

/// `Q5_1`: five bits.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn rows_q5_1(b: [&BlockQ5_1; ROWS]) -> Rows32 {
    let dm = gather_dwords(b.map(|b| [b.d.0[0], b.d.0[1], b.m.0[0], b.m.0[1]]));
    let (d, m) = split_halves(dm);
    let w = nibbles(b.map(|b| &b.qs));
    Rows32 {
        w: add_fifth_bits(w, gather_dwords(b.map(|b| b.qh))),
        d,
        m,
    }
}

/// `Q8_0`: signed bytes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn rows_q8_0(b: [&BlockQ8_0; ROWS]) -> Rows32 {
    let halves = b.map(|b| bytemuck::cast_ref::<[i8; 32], [[u8; 16]; 2]>(&b.qs));
    let [w0, w1, w2, w3] = transpose(halves.map(|h| &h[0]));
    let [w4, w5, w6, w7] = transpose(halves.map(|h| &h[1]));
    Rows32 {
        w: [w0, w1, w2, w3, w4, w5, w6, w7],
        d: low_halves(gather_dwords(
            b.map(|b| [b.d.0[0], b.d.0[1], b.qs[0] as u8, b.qs[1] as u8]),
        )),
        m: _mm256_setzero_ps(),
    }
}

/// `IQ4_NL`: the levels, signed.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn rows_iq4_nl(b: [&BlockIq4Nl; ROWS]) -> Rows32 {
    Rows32 {
        w: nibbles(b.map(|b| &b.qs)).map(|w| levels(w)),
        d: low_halves(gather_dwords(
            b.map(|b| [b.d.0[0], b.d.0[1], b.qs[0], b.qs[1]]),
        )),
        m: _mm256_setzero_ps(),
    }
}

/// The levels that nibbles select.
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn levels(nibbles: __m256i) -> __m256i {
    let table = load_128(bytemuck::cast_ref(&KVALUES_IQ4NL));
    _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), nibbles)
}
