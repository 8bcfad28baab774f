//! Blocks to integers in registers, in the order of the weights.
//!
//! What a type adds to every weight (−8 of `Q4_0`, −32 of `Q6_K`) is left out where it is cheaper
//! taken from the sum, `Σ (q + bias) x = Σ q x + bias Σ x`, by the sums that the activations carry.

use core::arch::aarch64::{
    int8x16_t, uint8x16_t, vandq_u8, vcombine_s8, vcreate_s8, vdupq_n_s8, vdupq_n_u8, vdupq_n_u32,
    vmvnq_u8, vqtbl1q_s8, vqtbl1q_u8, vreinterpretq_s8_u8, vreinterpretq_u8_u32, vshrq_n_u8,
    vsliq_n_u8, vsriq_n_u8, vsubq_s8, vtstq_u8,
};

use super::load;
use crate::block::{BlockQ3K, BlockQ5K, BlockQ6K, KVALUES_IQ4NL};

/// Low nibbles, then high nibbles: 16 bytes of `Q4_0` or `Q4_1` in order.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn nibbles(qs: &[u8; 16]) -> [int8x16_t; 2] {
    let [low, high] = split(qs);
    [signed(low), signed(high)]
}

/// The levels that the nibbles of `IQ4_NL` select.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn levels(qs: &[u8; 16]) -> [int8x16_t; 2] {
    let table = load::i8x16(&KVALUES_IQ4NL);
    let [low, high] = split(qs);
    [vqtbl1q_s8(table, low), vqtbl1q_s8(table, high)]
}

/// The five-bit numbers of `Q5_0` or `Q5_1`, less 16.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn fives(qs: &[u8; 16], qh: [u8; 4]) -> [int8x16_t; 2] {
    const SPREAD: [[u8; 16]; 2] = [
        [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1],
        [2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3],
    ];
    const BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
    let bits = load::u8x16(&BITS);
    let clear = vreinterpretq_u8_u32(vdupq_n_u32(!u32::from_le_bytes(qh)));
    let [low, high] = split(qs);
    let low_clear = vtstq_u8(vqtbl1q_u8(clear, load::u8x16(&SPREAD[0])), bits);
    let high_clear = vtstq_u8(vqtbl1q_u8(clear, load::u8x16(&SPREAD[1])), bits);
    [minus::<4>(low, low_clear), minus::<4>(high, high_clear)]
}

/// Sub-blocks `2 p` and `2 p + 1` of `Q4_K` from their 32 bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn nibbles_k(qs: &[u8; 32]) -> [[int8x16_t; 2]; 2] {
    let (qs, _) = qs.as_chunks::<16>();
    let ([a, c], [b, d]) = (nibbles(&qs[0]), nibbles(&qs[1]));
    [[a, b], [c, d]]
}

/// Sub-blocks `2 P` and `2 P + 1` of `Q5_K`, less 16.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn fives_k(w: &BlockQ5K, p: usize) -> [[int8x16_t; 2]; 2] {
    let (qs, _) = w.qs.as_chunks::<16>();
    let (qh, _) = w.qh.as_chunks::<16>();
    let clear = [vmvnq_u8(load::u8x16(&qh[0])), vmvnq_u8(load::u8x16(&qh[1]))];
    let bits = [vdupq_n_u8(1 << (2 * p)), vdupq_n_u8(2 << (2 * p))];
    let (a, b) = (split(&qs[2 * p]), split(&qs[2 * p + 1]));
    let five = |half: usize| {
        [
            minus::<4>(a[half], vtstq_u8(clear[0], bits[half])),
            minus::<4>(b[half], vtstq_u8(clear[1], bits[half])),
        ]
    };
    [five(0), five(1)]
}

/// Weights `128 h + 16 l + 32 s + (0..16)` of `Q6_K` for each `s`, plus 32.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn sixes(w: &BlockQ6K, h: usize, l: usize) -> [int8x16_t; 4] {
    let (ql, _) = w.ql.as_chunks::<16>();
    let (qh, _) = w.qh.as_chunks::<16>();
    let (a, b) = (load::u8x16(&ql[4 * h + l]), load::u8x16(&ql[4 * h + 2 + l]));
    let high = load::u8x16(&qh[2 * h + l]);
    let shifted = vshrq_n_u8::<2>(high);
    let (low, top) = (vdupq_n_u8(3), vdupq_n_u8(0x30));
    // Bits 4.. of a low nibble are replaced, bits ..4 of a high one: no nibble is masked or shifted.
    [
        signed(vsliq_n_u8::<4>(a, vandq_u8(high, low))),
        signed(vsliq_n_u8::<4>(b, vandq_u8(shifted, low))),
        signed(vsriq_n_u8::<4>(vandq_u8(high, top), a)),
        signed(vsriq_n_u8::<4>(vandq_u8(shifted, top), b)),
    ]
}

/// Weights `128 h + 16 l + 32 s + (0..16)` of `Q2_K` for each `s`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn twos(qs: &[u8; 64], h: usize, l: usize) -> [int8x16_t; 4] {
    pairs(qs, h, l).map(|q| signed(q))
}

/// Weights `128 h + 16 l + 32 s + (0..16)` of `Q3_K` for each `s`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn threes(w: &BlockQ3K, h: usize, l: usize) -> [int8x16_t; 4] {
    let (hmask, _) = w.hmask.as_chunks::<16>();
    let clear = vmvnq_u8(load::u8x16(&hmask[l]));
    let [a, b, c, d] = pairs(&w.qs, h, l);
    let bit = |s: usize| vtstq_u8(clear, vdupq_n_u8(1 << (4 * h + s)));
    [
        minus::<2>(a, bit(0)),
        minus::<2>(b, bit(1)),
        minus::<2>(c, bit(2)),
        minus::<2>(d, bit(3)),
    ]
}

/// The eight scales and eight minimums of `Q4_K` and `Q5_K`, a byte each, the first lowest:
/// [`crate::block::scale_min_k4`] of four at once.
#[inline]
pub(super) fn scales_mins_k4(bytes: &[u8; 12]) -> [u64; 2] {
    let [a, b, c] = words(bytes);
    let high = |low: u32, top: u32| u64::from(low & 0x0f0f_0f0f | (top >> 2) & 0x3030_3030) << 32;
    [
        u64::from(a & 0x3f3f_3f3f) | high(c, a),
        u64::from(b & 0x3f3f_3f3f) | high(c >> 4, b),
    ]
}

/// The sixteen scales of `Q3_K`, −32..=31.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn scales_q3_k(bytes: &[u8; 12]) -> int8x16_t {
    let [a, b, c] = words(bytes);
    let six = |low: u32, top: u32| u64::from(low & 0x0f0f_0f0f | top & 0x3030_3030);
    let low = vcreate_s8(six(a, c << 4) | six(b, c << 2) << 32);
    let high = vcreate_s8(six(a >> 4, c) | six(b >> 4, c >> 2) << 32);
    vsubq_s8(vcombine_s8(low, high), vdupq_n_s8(32))
}

fn words(bytes: &[u8; 12]) -> [u32; 3] {
    let (words, _) = bytes.as_chunks::<4>();
    [words[0], words[1], words[2]].map(u32::from_le_bytes)
}

/// The four pairs of bits of 16 bytes, lowest first.
#[inline]
#[target_feature(enable = "neon")]
fn pairs(qs: &[u8; 64], h: usize, l: usize) -> [uint8x16_t; 4] {
    let (qs, _) = qs.as_chunks::<16>();
    let q = load::u8x16(&qs[2 * h + l]);
    let three = vdupq_n_u8(3);
    [
        vandq_u8(q, three),
        vandq_u8(vshrq_n_u8::<2>(q), three),
        vandq_u8(vshrq_n_u8::<4>(q), three),
        vshrq_n_u8::<6>(q),
    ]
}

#[inline]
#[target_feature(enable = "neon")]
fn split(qs: &[u8; 16]) -> [uint8x16_t; 2] {
    let q = load::u8x16(qs);
    [vandq_u8(q, vdupq_n_u8(15)), vshrq_n_u8::<4>(q)]
}

/// `q - 2^BITS` where `mask` is all ones, `q` where it is 0; `q < 2^BITS`.
#[inline]
#[target_feature(enable = "neon")]
fn minus<const BITS: i32>(q: uint8x16_t, mask: uint8x16_t) -> int8x16_t {
    signed(vsliq_n_u8::<BITS>(q, mask))
}

#[inline]
#[target_feature(enable = "neon")]
fn signed(v: uint8x16_t) -> int8x16_t {
    vreinterpretq_s8_u8(v)
}
