//! Blocks to their very integers, for panels.

use core::arch::aarch64::{
    int8x16_t, vaddq_s8, vandq_u8, vcombine_s8, vcreate_s8, vdupq_n_s8, vdupq_n_u8,
    vreinterpretq_s8_u8, vshrq_n_u8,
};

use super::{load, panel::Unpacked, unpack};
use crate::block::{
    BlockIq4Nl, BlockIq4Xs, BlockQ2K, BlockQ3K, BlockQ4_0, BlockQ4_1, BlockQ4K, BlockQ5_0,
    BlockQ5_1, BlockQ5K, BlockQ6K, BlockQ8_0, Half, QK,
};

/// 32 integers.
type Two = [int8x16_t; 2];

/// The integers of a block of 32: name, block, unpacking without the bias, bias.
macro_rules! blocks {
    ($($name:ident($w:ident: $block:ty) = $raw:expr, $bias:literal;)*) => {$(
        #[inline]
        #[target_feature(enable = "neon")]
        pub(super) fn $name($w: &$block) -> Two {
            biased($raw, $bias)
        }
    )*};
}
blocks! {
    q4_0(w: BlockQ4_0) = unpack::nibbles(&w.qs), -8;
    q4_1(w: BlockQ4_1) = unpack::nibbles(&w.qs), 0;
    q5_0(w: BlockQ5_0) = unpack::fives(&w.qs, w.qh), 0;
    q5_1(w: BlockQ5_1) = unpack::fives(&w.qs, w.qh), 16;
    q8_0(w: BlockQ8_0) = load::i8x32(&w.qs), 0;
    iq4_nl(w: BlockIq4Nl) = unpack::levels(&w.qs), 0;
}

/// `Q2_K`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn q2_k(w: &BlockQ2K) -> (Unpacked, Half, Half) {
    let both = load::u8x16(&w.scales);
    let unpacked = Unpacked {
        ints: by_16(|h, l| unpack::twos(&w.qs, h, l)),
        scales: vreinterpretq_s8_u8(vandq_u8(both, vdupq_n_u8(15))),
        mins: vreinterpretq_s8_u8(vshrq_n_u8::<4>(both)),
    };
    (unpacked, w.d, w.dmin)
}

/// `Q3_K`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn q3_k(w: &BlockQ3K) -> (Unpacked, Half, Half) {
    let unpacked = Unpacked {
        ints: by_16(|h, l| unpack::threes(w, h, l)),
        scales: unpack::scales_q3_k(&w.scales),
        mins: vdupq_n_s8(0),
    };
    (unpacked, w.d, w.d)
}

/// `Q4_K`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn q4_k(w: &BlockQ4K) -> (Unpacked, Half, Half) {
    let [scales, mins] = unpack::scales_mins_k4(&w.scales).map(|s| eight(s));
    let (bytes, _) = w.qs.as_chunks::<QK>();
    let ints = by_32(|p| unpack::nibbles_k(&bytes[p]));
    (Unpacked { ints, scales, mins }, w.d, w.dmin)
}

/// `Q5_K`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn q5_k(w: &BlockQ5K) -> (Unpacked, Half, Half) {
    let [scales, mins] = unpack::scales_mins_k4(&w.scales).map(|s| eight(s));
    let ints = by_32(|p| unpack::fives_k(w, p).map(|v| biased(v, 16)));
    (Unpacked { ints, scales, mins }, w.d, w.dmin)
}

/// `Q6_K`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn q6_k(w: &BlockQ6K) -> (Unpacked, Half, Half) {
    let bias = vdupq_n_s8(-32);
    let unpacked = Unpacked {
        ints: by_16(|h, l| unpack::sixes(w, h, l).map(|v| vaddq_s8(v, bias))),
        scales: load::i8x16(&w.scales),
        mins: vdupq_n_s8(0),
    };
    (unpacked, w.d, w.d)
}

/// `IQ4_XS`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn iq4_xs(w: &BlockIq4Xs) -> (Unpacked, Half, Half) {
    let (bytes, _) = w.qs.as_chunks::<{ QK / 2 }>();
    let scales = std::array::from_fn(|j| w.scale(j) as u8);
    let unpacked = Unpacked {
        ints: by_32(|p| {
            [
                unpack::levels(&bytes[2 * p]),
                unpack::levels(&bytes[2 * p + 1]),
            ]
        }),
        scales: eight(u64::from_le_bytes(scales)),
        mins: vdupq_n_s8(0),
    };
    (unpacked, w.d, w.d)
}

/// The order of the weights from `four(h, l)`, which gives weights `128 h + 16 l + 32 s ..`.
#[inline]
#[target_feature(enable = "neon")]
fn by_16(four: impl Fn(usize, usize) -> [int8x16_t; 4]) -> [int8x16_t; 16] {
    let mut ints = [vdupq_n_s8(0); 16];
    for (h, half) in ints.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        for l in 0..2 {
            for (s, v) in four(h, l).into_iter().enumerate() {
                half[2 * s + l] = v;
            }
        }
    }
    ints
}

/// The order of the weights from `pair(p)`, which gives sub-blocks `2 p` and `2 p + 1`.
#[inline]
#[target_feature(enable = "neon")]
fn by_32(pair: impl Fn(usize) -> [Two; 2]) -> [int8x16_t; 16] {
    let mut ints = [vdupq_n_s8(0); 16];
    for (p, to) in ints.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let [[a, b], [c, d]] = pair(p);
        *to = [a, b, c, d];
    }
    ints
}

#[inline]
#[target_feature(enable = "neon")]
fn biased([a, b]: Two, bias: i8) -> Two {
    let bias = vdupq_n_s8(bias);
    [vaddq_s8(a, bias), vaddq_s8(b, bias)]
}

/// Eight bytes, the lowest first, and eight zeros.
#[inline]
#[target_feature(enable = "neon")]
fn eight(bytes: u64) -> int8x16_t {
    vcombine_s8(vcreate_s8(bytes), vcreate_s8(0))
}
