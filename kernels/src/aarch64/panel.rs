//! Four rows of weights unpacked once, for the many vectors of a GEMM to pass by.
//!
//! A panel holds 256 weights of each row as plain integers, laid as an instruction takes them, in `Q`
//! registers a step: with one, `sdot` by element, four weights of a row beside four of the next; with
//! two, `smmla`, eight weights of a row beside eight of the next, two rows in a register. A row of blocks
//! of 32 need not fill its last panel.

use core::arch::aarch64::{
    float32x4_t, int8x16_t, int32x4_t, vandq_s16, vdupq_n_s16, vdupq_n_s32, vget_low_s8,
    vget_low_s16, vmovl_high_s8, vmovl_high_s16, vmovl_s8, vmovl_s16, vmovn_high_s16, vmovn_s16,
    vpaddq_s16, vreinterpretq_f32_s32, vreinterpretq_s8_s32, vreinterpretq_s32_f32,
    vreinterpretq_s32_s8, vshrq_n_s16,
};

use super::{lanes, load};
use crate::block::{Block, Half, QK, QK_K, SuperBlock};

/// Rows of a panel.
pub(super) const ROWS: usize = 4;
/// Blocks of 32 of a panel.
pub(super) const BLOCKS: usize = QK_K / QK;

/// 16 integers of each row.
type Sixteen = [[i8; 16]; ROWS];
/// One number of each row; with two registers, those of rows 0 1 0 1 and of rows 2 3 2 3.
type Lanes<T, const Q: usize> = [[T; ROWS]; Q];

/// 256 weights of four rows.
#[derive(Clone)]
pub(super) struct Panel<const Q: usize> {
    pub blocks: [PanelBlock<Q>; BLOCKS],
    /// Scale of a super-block.
    pub d: Lanes<f32, Q>,
    /// Scale of the minimums of a super-block.
    pub dmin: Lanes<f32, Q>,
    /// Minimum of each sub-block of a super-block, laid as weights are.
    pub mins: Sixteen,
}

/// 32 weights of four rows.
#[derive(Clone)]
#[repr(C)]
pub(super) struct PanelBlock<const Q: usize> {
    /// The weights, sixteen of each row after sixteen.
    pub ints: [Sixteen; 2],
    /// The bits of scale and minimum; of a super-block the scales of one or two sub-blocks, as integers.
    pub heads: [Lanes<i32, Q>; 2],
}

/// A super-block of one row, unpacked.
pub(super) struct Unpacked {
    /// The 256 integers.
    pub ints: [int8x16_t; 16],
    /// Scale of each sub-block.
    pub scales: int8x16_t,
    /// Minimum of each sub-block, 0 if the type has none.
    pub mins: int8x16_t,
}

impl<const Q: usize> Panel<Q> {
    /// Room for a panel.
    pub const EMPTY: Self = Self {
        blocks: [const {
            PanelBlock {
                ints: [[[0; 16]; ROWS]; 2],
                heads: [[[0; ROWS]; Q]; 2],
            }
        }; BLOCKS],
        d: [[0.0; ROWS]; Q],
        dmin: [[0.0; ROWS]; Q],
        mins: [[0; 16]; ROWS],
    };

    /// Takes at most [`BLOCKS`] blocks of 32 of each row; `ints` unpacks one.
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn fill_blocks<B: Block>(&mut self, w: [&[B]; ROWS], ints: impl Fn(&B) -> [int8x16_t; 2]) {
        let n = w[0].len();
        let w = w.map(|w| &w[..n]);
        for (i, to) in self.blocks.iter_mut().take(n).enumerate() {
            let [a, b, c, e] = w.map(|w| ints(&w[i]));
            put_ints::<Q>(&mut to.ints[0], [a[0], b[0], c[0], e[0]]);
            put_ints::<Q>(&mut to.ints[1], [a[1], b[1], c[1], e[1]]);
            let heads = lanes::heads(w, i);
            put_words(&mut to.heads[0], vreinterpretq_s32_f32(heads[0]));
            put_words(&mut to.heads[1], vreinterpretq_s32_f32(heads[1]));
        }
    }

    /// Takes one super-block of each row; `unpack` gives its integers, and its two scales.
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn fill_super_block<B: SuperBlock>(
        &mut self,
        w: [&B; ROWS],
        unpack: impl Fn(&B) -> (Unpacked, Half, Half),
    ) {
        let [a, b, c, d] = w.map(|w| unpack(w));
        put_floats(&mut self.d, lanes::halves([a.1, b.1, c.1, d.1]));
        put_floats(&mut self.dmin, lanes::halves([a.2, b.2, c.2, d.2]));
        let [a, b, c, d] = [a.0, b.0, c.0, d.0];
        let ints = self.blocks.iter_mut().flat_map(|block| &mut block.ints);
        for (i, to) in ints.enumerate() {
            put_ints::<Q>(to, [a.ints[i], b.ints[i], c.ints[i], d.ints[i]]);
        }
        put_ints::<Q>(&mut self.mins, [a.mins, b.mins, c.mins, d.mins]);
        let mut bytes = [[0; 16]; ROWS];
        load::put_columns(&mut bytes, [a.scales, b.scales, c.scales, d.scales]);
        let scales = self
            .blocks
            .iter_mut()
            .flat_map(|block| block.heads.iter_mut().step_by(B::SUB / 16));
        let mut words = [vdupq_n_s32(0); 16];
        for (bytes, words) in bytes.iter().zip(words.as_chunks_mut::<4>().0) {
            let v = load::i8x16(bytes);
            let (low, high) = (vmovl_s8(vget_low_s8(v)), vmovl_high_s8(v));
            *words = [
                vmovl_s16(vget_low_s16(low)),
                vmovl_high_s16(low),
                vmovl_s16(vget_low_s16(high)),
                vmovl_high_s16(high),
            ];
        }
        for (to, words) in scales.zip(words) {
            put_words(to, words);
        }
    }
}

/// Bits of a sum of activations that the low half of [`split`] has.
pub(super) const SPLIT: i32 = 7;

/// The sums of a super-block's activations, one for each sub-block of `B`, for products with minimums:
/// in bytes, high and low, `2^SPLIT high + low`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn split<B: SuperBlock>(sums: &[i16; QK_K / 16]) -> [int8x16_t; 2] {
    let (sums, _) = sums.as_chunks::<8>();
    let [mut a, mut b] = [load::i16x8(&sums[0]), load::i16x8(&sums[1])];
    if B::SUB == 32 {
        [a, b] = [vpaddq_s16(a, b), vdupq_n_s16(0)];
    }
    let low = vdupq_n_s16((1 << SPLIT) - 1);
    [
        vmovn_high_s16(vmovn_s16(vshrq_n_s16::<SPLIT>(a)), vshrq_n_s16::<SPLIT>(b)),
        vmovn_high_s16(vmovn_s16(vandq_s16(a, low)), vandq_s16(b, low)),
    ]
}

/// Lays 16 integers of each row.
#[inline]
#[target_feature(enable = "neon")]
fn put_ints<const Q: usize>(to: &mut Sixteen, rows: [int8x16_t; ROWS]) {
    let laid = if Q == 1 {
        lanes::transposed(rows.map(|v| vreinterpretq_s32_s8(v))).map(|v| vreinterpretq_s8_s32(v))
    } else {
        let [a, b, c, d] = rows;
        let ([ab, ab_high], [cd, cd_high]) = (lanes::pairs(a, b), lanes::pairs(c, d));
        [ab, cd, ab_high, cd_high]
    };
    for (to, v) in to.iter_mut().zip(laid) {
        load::put_i8x16(to, v);
    }
}

/// Lays one number of each row.
#[inline]
#[target_feature(enable = "neon")]
fn put_words<const Q: usize>(to: &mut Lanes<i32, Q>, row: int32x4_t) {
    for (to, v) in to.iter_mut().zip(lanes::laid::<Q>(row)) {
        load::put_i32x4(to, v);
    }
}

/// Lays one number of each row.
#[inline]
#[target_feature(enable = "neon")]
fn put_floats<const Q: usize>(to: &mut Lanes<f32, Q>, row: float32x4_t) {
    let laid = lanes::laid::<Q>(vreinterpretq_s32_f32(row));
    for (to, v) in to.iter_mut().zip(laid) {
        load::put_f32x4(to, vreinterpretq_f32_s32(v));
    }
}
