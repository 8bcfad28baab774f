//! The dot products of `Q4_0` and `Q8_0` for four rows, in assembly.
//!
//! What limits this loop is the number of its instructions, and a compiler computes addresses anew for each
//! block.

use core::arch::{
    aarch64::{float32x4_t, int8x16_t, int32x4_t, vdupq_n_f32, vdupq_n_u8},
    asm,
};

use crate::{
    aarch64::{rows, slab::ONES},
    activations::ActRow,
    block::{BlockQ4_0, BlockQ8_0, QK},
};

/// 32 integers.
type Two = [int8x16_t; 2];

/// Rows of `Q4_0`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(in crate::aarch64) fn q4_0<const R: usize>(
    w: [&[BlockQ4_0]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> float32x4_t {
    match w.first_chunk() {
        Some(w) => four_q4_0(*w, x),
        None => rows::q4_0(w, x, dot),
    }
}

/// Rows of `Q8_0`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(in crate::aarch64) fn q8_0<const R: usize>(
    w: [&[BlockQ8_0]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> float32x4_t {
    match w.first_chunk() {
        Some(w) => four_q8_0(*w, x),
        None => rows::q8_0(w, x, dot),
    }
}

/// Products of the nibbles of one row, added to `$sum`.
macro_rules! nibbles {
    ($w:literal $sum:literal, $v:literal $u:literal) => {
        concat!(
            "ldur q",
            $v,
            ", [{",
            $w,
            "}, #2]
             and v",
            $u,
            ".16b, v",
            $v,
            ".16b, {low:v}.16b
             ushr v",
            $v,
            ".16b, v",
            $v,
            ".16b, #4
             sdot v",
            $sum,
            ".4s, v",
            $u,
            ".16b, v0.16b
             sdot v",
            $sum,
            ".4s, v",
            $v,
            ".16b, v1.16b
            ",
        )
    };
}

/// Products of the bytes of one row, added to `$sum`.
macro_rules! bytes {
    ($w:literal $sum:literal, $v:literal $u:literal) => {
        concat!(
            "ldur q",
            $v,
            ", [{",
            $w,
            "}, #2]
             ldur q",
            $u,
            ", [{",
            $w,
            "}, #18]
             sdot v",
            $sum,
            ".4s, v",
            $v,
            ".16b, v0.16b
             sdot v",
            $sum,
            ".4s, v",
            $u,
            ".16b, v1.16b
            ",
        )
    };
}

macro_rules! each_row {
    ($ints:ident) => {
        concat!(
            $ints!("w0" 2, 16 17),
            $ints!("w1" 3, 18 19),
            $ints!("w2" 4, 16 17),
            $ints!("w3" 5, 18 19),
        )
    };
}

/// Runs a loop over the blocks of four rows. `$ints` adds the products of 32 integers of each row with v0 and v1
/// to v2, v3, v4 and v5; `$float` makes floats of the sums in v2.
macro_rules! four {
    ($w:ident $x:ident $block:ty, $ints:expr, $float:literal, $($operands:tt)*) => {{
        let n = $w[0].len();
        assert!($w.iter().all(|w| w.len() == n));
        let (qs, d) = (&$x.qs.as_chunks::<QK>().0[..n], &$x.d[..n]);
        let mut acc = vdupq_n_f32(0.0);
        if n > 0 {
            // SAFETY: each row, the activations, and what the operands point to are `n` blocks.
            unsafe {
                asm!(
                    "2:",
                    "ldr q0, [{x}]",
                    "ldr q1, [{x}, #16]",
                    "movi v2.2d, #0",
                    "movi v3.2d, #0",
                    "movi v4.2d, #0",
                    "movi v5.2d, #0",
                    $ints,
                    // The first halves of four blocks: eight bytes of each, of which two are taken.
                    "ldr d16, [{w0}]",
                    "ldr d17, [{w1}]",
                    "ldr d18, [{w2}]",
                    "ldr d19, [{w3}]",
                    "zip1 v16.4h, v16.4h, v17.4h",
                    "zip1 v18.4h, v18.4h, v19.4h",
                    "addp v2.4s, v2.4s, v3.4s",
                    "addp v4.4s, v4.4s, v5.4s",
                    "zip1 v16.2s, v16.2s, v18.2s",
                    "addp v2.4s, v2.4s, v4.4s",
                    "fcvtl v16.4s, v16.4h",
                    "ldr s17, [{d}, {i}, lsl #2]",
                    "fmul v16.4s, v16.4s, v17.s[0]",
                    $float,
                    "fmla {acc:v}.4s, v2.4s, v16.4s",
                    "add {w0}, {w0}, #{size}",
                    "add {w1}, {w1}, #{size}",
                    "add {w2}, {w2}, #{size}",
                    "add {w3}, {w3}, #{size}",
                    "add {x}, {x}, #32",
                    "add {i}, {i}, #1",
                    "cmp {i}, {n}",
                    "b.ne 2b",
                    w0 = inout(reg) $w[0].as_ptr() => _,
                    w1 = inout(reg) $w[1].as_ptr() => _,
                    w2 = inout(reg) $w[2].as_ptr() => _,
                    w3 = inout(reg) $w[3].as_ptr() => _,
                    size = const size_of::<$block>(),
                    x = inout(reg) qs.as_ptr() => _,
                    d = in(reg) d.as_ptr(),
                    i = inout(reg) 0_usize => _,
                    n = in(reg) n,
                    acc = inout(vreg) acc,
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
                    out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _,
                    $($operands)*
                    options(pure, readonly, nostack),
                );
            }
        }
        acc
    }};
}

#[inline]
#[target_feature(enable = "neon,dotprod")]
fn four_q4_0(w: [&[BlockQ4_0]; 4], x: ActRow<'_>) -> float32x4_t {
    // Less 8 for each weight; and from `ONES` on, so that the sums need no conversion.
    four!(
        w x BlockQ4_0,
        concat!(
            each_row!(nibbles),
            "ldrsh {sum:w}, [{sums}, {i}, lsl #1]
             sub {sum:w}, {ones:w}, {sum:w}, lsl #3
             dup v20.4s, {sum:w}
            ",
        ),
        "add v2.4s, v2.4s, v20.4s
         fsub v2.4s, v2.4s, {ones_f:v}.4s",
        sums = in(reg) x.sums[..w[0].len()].as_ptr(),
        sum = out(reg) _,
        ones = in(reg) ONES.to_bits(),
        ones_f = in(vreg) vdupq_n_f32(ONES),
        low = in(vreg) vdupq_n_u8(15),
    )
}

#[inline]
#[target_feature(enable = "neon,dotprod")]
fn four_q8_0(w: [&[BlockQ8_0]; 4], x: ActRow<'_>) -> float32x4_t {
    four!(
        w x BlockQ8_0,
        each_row!(bytes),
        "scvtf v2.4s, v2.4s",
    )
}
