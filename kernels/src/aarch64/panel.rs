//! Four rows of weights unpacked once, for the many vectors of a GEMM to pass by.
//!
//! A panel holds 256 weights of each row as plain integers, four of a row beside four of the next:
//! 16 bytes are what one `sdot` by element takes, and its four lanes are the four rows. A row of
//! blocks of 32 need not fill its last panel.

use core::arch::aarch64::{
    int8x16_t, vget_low_s8, vget_low_s16, vmovl_high_s8, vmovl_high_s16, vmovl_s8, vmovl_s16,
};

use super::{lanes, load};
use crate::block::{Block, Half, QK, QK_K};

/// Rows of a panel.
pub(super) const ROWS: usize = 4;
/// Blocks of 32 of a panel.
pub(super) const BLOCKS: usize = QK_K / QK;

/// One number of each row.
type Lanes<T> = [T; ROWS];

/// 256 weights of four rows.
#[derive(Clone)]
pub(super) struct Panel {
    /// Group `g` has weights `4 g .. 4 g + 4` of each row.
    pub ints: [[i8; 4 * ROWS]; QK_K / 4],
    /// Scale of each block; of a super-block `[0]`.
    pub d: [Lanes<f32>; BLOCKS],
    /// Minimum of each block, or scale of the minimums of a super-block.
    pub m: [Lanes<f32>; BLOCKS],
    /// Scale of each sub-block of a super-block.
    pub scales: [Lanes<i32>; QK_K / 16],
    /// Minimum of each sub-block of a super-block.
    pub mins: [Lanes<i16>; QK_K / 16],
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

impl Panel {
    /// Room for a panel.
    pub const EMPTY: Self = Self {
        ints: [[0; 4 * ROWS]; QK_K / 4],
        d: [[0.0; ROWS]; BLOCKS],
        m: [[0.0; ROWS]; BLOCKS],
        scales: [[0; ROWS]; QK_K / 16],
        mins: [[0; ROWS]; QK_K / 16],
    };

    /// Takes at most [`BLOCKS`] blocks of 32 of each row; `ints` unpacks one.
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn fill_blocks<B: Block>(&mut self, w: [&[B]; ROWS], ints: impl Fn(&B) -> [int8x16_t; 2]) {
        let n = w[0].len();
        let w = w.map(|w| &w[..n]);
        let (groups, _) = self.ints.as_chunks_mut::<4>();
        let (groups, _) = groups.as_chunks_mut::<2>();
        for (i, ((groups, d), m)) in groups
            .iter_mut()
            .zip(&mut self.d)
            .zip(&mut self.m)
            .take(n)
            .enumerate()
        {
            let [a, b, c, e] = w.map(|w| ints(&w[i]));
            load::put_rows(&mut groups[0], [a[0], b[0], c[0], e[0]]);
            load::put_rows(&mut groups[1], [a[1], b[1], c[1], e[1]]);
            let heads = lanes::heads(w, i);
            load::put_f32x4(d, heads[0]);
            load::put_f32x4(m, heads[1]);
        }
    }

    /// Takes one super-block of each row; `unpack` gives its integers, and its two scales.
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn fill_super_block<B: Block>(
        &mut self,
        w: [&B; ROWS],
        unpack: impl Fn(&B) -> (Unpacked, Half, Half),
    ) {
        let [a, b, c, d] = w.map(|w| unpack(w));
        self.d[0] = [a.1, b.1, c.1, d.1].map(|h| load::half(h));
        self.m[0] = [a.2, b.2, c.2, d.2].map(|h| load::half(h));
        let [a, b, c, d] = [a.0, b.0, c.0, d.0];
        let (groups, _) = self.ints.as_chunks_mut::<4>();
        for (i, groups) in groups.iter_mut().enumerate() {
            load::put_rows(groups, [a.ints[i], b.ints[i], c.ints[i], d.ints[i]]);
        }
        let mut bytes = [[0; 16]; ROWS];
        load::put_columns(&mut bytes, [a.scales, b.scales, c.scales, d.scales]);
        for (bytes, to) in bytes.iter().zip(self.scales.as_chunks_mut::<4>().0) {
            let v = load::i8x16(bytes);
            let (low, high) = (vmovl_s8(vget_low_s8(v)), vmovl_high_s8(v));
            load::put_i32x4(&mut to[0], vmovl_s16(vget_low_s16(low)));
            load::put_i32x4(&mut to[1], vmovl_high_s16(low));
            load::put_i32x4(&mut to[2], vmovl_s16(vget_low_s16(high)));
            load::put_i32x4(&mut to[3], vmovl_high_s16(high));
        }
        load::put_columns(&mut bytes, [a.mins, b.mins, c.mins, d.mins]);
        for (mins, byte) in self
            .mins
            .as_flattened_mut()
            .iter_mut()
            .zip(bytes.as_flattened())
        {
            *mins = i16::from(*byte);
        }
    }
}
