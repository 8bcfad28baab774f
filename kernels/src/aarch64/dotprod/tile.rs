//! The inner loops of the GEMM, in assembly: nearly all registers are in use, and compilers spill some.
//!
//! v0 to v7 hold 32 weights of each row, v8 to v11 32 activations of two vectors, v16 to v23 what each
//! vector has so far with the rows in lanes, v24 to v27 the integers of two vectors.

use core::arch::{
    aarch64::{int32x4_t, vdupq_n_f32, vdupq_n_s32},
    asm,
};

use crate::{
    aarch64::{
        panel::{BLOCKS, Panel, PanelBlock},
        passes::Outputs,
        slab::{ONES, SlabBlock, VECTORS},
    },
    block::{QK, QK_K, SuperBlock},
};

/// 16 weights of each row with 16 activations of two vectors, added to two sums.
macro_rules! half {
    ($s:literal $t:literal, $a:literal $b:literal $c:literal $d:literal, $x:literal $y:literal) => {
        concat!(
            half!(@ $s, $a, $x, "0"), half!(@ $t, $a, $y, "0"),
            half!(@ $s, $b, $x, "1"), half!(@ $t, $b, $y, "1"),
            half!(@ $s, $c, $x, "2"), half!(@ $t, $c, $y, "2"),
            half!(@ $s, $d, $x, "3"), half!(@ $t, $d, $y, "3"),
        )
    };
    (@ $s:literal, $w:literal, $x:literal, $lane:literal) => {
        concat!("sdot ", $s, ".4s, ", $w, ".16b, ", $x, ".4b[", $lane, "]\n")
    };
}

/// 32 weights of each row.
macro_rules! weights {
    () => {
        "ldr q0, [{w}]
         ldr q1, [{w}, #16]
         ldr q2, [{w}, #32]
         ldr q3, [{w}, #48]
         ldr q4, [{w}, #64]
         ldr q5, [{w}, #80]
         ldr q6, [{w}, #96]
         ldr q7, [{w}, #112]
        "
    };
}

/// 32 activations of two vectors.
macro_rules! acts {
    ($x:literal $y:literal) => {
        concat!(
            "ldr q8, [{x",
            $x,
            "}, {low}]
             ldr q9, [{x",
            $x,
            "}, {high}]
             ldr q10, [{x",
            $y,
            "}, {low}]
             ldr q11, [{x",
            $y,
            "}, {high}]
            ",
        )
    };
}

/// A block of two vectors: their results, the register of their scales, and the lanes.
macro_rules! block {
    ($x:literal $y:literal, $acc:literal $bcc:literal, $d:literal $i:literal $j:literal) => {
        concat!(
            acts!($x $y),
            "dup v24.4s, {ones:w}
             dup v25.4s, {ones:w}
            ",
            half!("v24" "v25", "v0" "v1" "v2" "v3", "v8" "v10"),
            half!("v24" "v25", "v4" "v5" "v6" "v7", "v9" "v11"),
            "fmul v26.4s, v28.4s, ", $d, ".s[", $i, "]
             fmul v27.4s, v28.4s, ", $d, ".s[", $j, "]
             fsub v24.4s, v24.4s, v31.4s
             fsub v25.4s, v25.4s, v31.4s
             fmla v", $acc, ".4s, v24.4s, v26.4s
             fmla v", $bcc, ".4s, v25.4s, v27.4s
            ",
        )
    };
}

/// The minimums times the sums, for two vectors.
macro_rules! minimum {
    ($x:literal $y:literal, $acc:literal $bcc:literal, $s:literal $i:literal $j:literal) => {
        concat!(
            "fmla v",
            $acc,
            ".4s, v0.4s, ",
            $s,
            ".s[",
            $i,
            "]
             fmla v",
            $bcc,
            ".4s, v0.4s, ",
            $s,
            ".s[",
            $j,
            "]
            ",
        )
    };
}

/// A sub-block of 32 of two vectors.
macro_rules! sub_32 {
    ($x:literal $y:literal, $acc:literal $bcc:literal, $($scales:literal)*) => {
        concat!(
            acts!($x $y),
            "movi v24.2d, #0
             movi v25.2d, #0
            ",
            half!("v24" "v25", "v0" "v1" "v2" "v3", "v8" "v10"),
            half!("v24" "v25", "v4" "v5" "v6" "v7", "v9" "v11"),
            "mla v", $acc, ".4s, v24.4s, v28.4s
             mla v", $bcc, ".4s, v25.4s, v28.4s
            ",
        )
    };
}

/// Two sub-blocks of 16 of two vectors.
macro_rules! sub_16 {
    ($x:literal $y:literal, $acc:literal $bcc:literal, $($scales:literal)*) => {
        concat!(
            acts!($x $y),
            "movi v24.2d, #0
             movi v25.2d, #0
             movi v26.2d, #0
             movi v27.2d, #0
            ",
            half!("v24" "v25", "v0" "v1" "v2" "v3", "v8" "v10"),
            half!("v26" "v27", "v4" "v5" "v6" "v7", "v9" "v11"),
            "mla v", $acc, ".4s, v24.4s, v28.4s
             mla v", $bcc, ".4s, v25.4s, v28.4s
             mla v", $acc, ".4s, v26.4s, v29.4s
             mla v", $bcc, ".4s, v27.4s, v29.4s
            ",
        )
    };
}

/// Loads what two vectors have so far.
macro_rules! get {
    ($x:literal $y:literal, $acc:literal $bcc:literal, $($scales:literal)*) => {
        concat!(
            "ldr q",
            $acc,
            ", [{y",
            $x,
            "}, {at}]\nldr q",
            $bcc,
            ", [{y",
            $y,
            "}, {at}]\n"
        )
    };
}

/// Stores it.
macro_rules! put {
    ($x:literal $y:literal, $acc:literal $bcc:literal, $($scales:literal)*) => {
        concat!(
            "str q",
            $acc,
            ", [{y",
            $x,
            "}, {at}]\nstr q",
            $bcc,
            ", [{y",
            $y,
            "}, {at}]\n"
        )
    };
}

/// A macro for each of 4, 2 or 1 pairs of vectors: where their results are, and their scales.
macro_rules! pairs {
    ($each:ident 4) => {
        concat!(
            pairs!($each 2),
            $each!(4 5, 20 21, "v30" "0" "1"),
            $each!(6 7, 22 23, "v30" "2" "3"),
        )
    };
    ($each:ident 2) => {
        concat!(pairs!($each 1), $each!(2 3, 18 19, "v29" "2" "3"))
    };
    ($each:ident 1) => {
        $each!(0 1, 16 17, "v29" "0" "1")
    };
}

/// Runs a loop over `$n` blocks of `$panel` and of the vectors `$x`.
macro_rules! blocks {
    ($panel:ident $x:ident $n:expr, $before:expr, $block:expr, $after:expr; $($operands:tt)*) => {
        asm!(
            $before,
            "2:",
            weights!(),
            $block,
            "add {w}, {w}, #{w_step}",
            "add {low}, {low}, #32",
            "add {high}, {high}, #32",
            "subs {n}, {n}, #1",
            "b.ne 2b",
            $after,
            // Fewer vectors leave some.
            "// {x0} {x1} {x2} {x3} {x4} {x5} {x6} {x7}",
            w = inout(reg) $panel.blocks.as_ptr() => _,
            w_step = const size_of::<PanelBlock<1>>(),
            x0 = in(reg) $x[0].as_ptr(), x1 = in(reg) $x[1].as_ptr(),
            x2 = in(reg) $x[2].as_ptr(), x3 = in(reg) $x[3].as_ptr(),
            x4 = in(reg) $x[4].as_ptr(), x5 = in(reg) $x[5].as_ptr(),
            x6 = in(reg) $x[6].as_ptr(), x7 = in(reg) $x[7].as_ptr(),
            low = inout(reg) 0usize => _,
            high = inout(reg) 16usize => _,
            n = inout(reg) $n => _,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
            out("v6") _, out("v7") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _,
            out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _,
            $($operands)*
        )
    };
}

/// Adds the products of all blocks of a panel and of `P` pairs of vectors `x`, whose scales are in `slab`, to `y`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(super) fn blocks<const P: usize, const MIN: bool>(
    panel: &Panel<1>,
    x: [&[[i8; QK]]; VECTORS],
    slab: &[SlabBlock; BLOCKS],
    y: &mut Outputs<'_>,
    p: usize,
) {
    let n = x[0].len();
    assert!((1..=BLOCKS).contains(&n) && x.iter().all(|x| x.len() == n));
    let (y, at) = y.places(p);
    macro_rules! run {
        ($pairs:tt, $minimums:expr) => {
            // SAFETY: panel, vectors and slab have at least as much of everything as `n` blocks read, and
            // `y` gives the places of four floats of each vector.
            unsafe {
                blocks!(
                    panel x n,
                    pairs!(get $pairs),
                    concat!(
                        "ldr q28, [{w}, #128]
                         ldr q29, [{d}]
                         ldr q30, [{d}, #16]
                        ",
                        pairs!(block $pairs),
                        $minimums,
                        "add {d}, {d}, #{d_step}",
                    ),
                    concat!(pairs!(put $pairs), "// {y0} {y1} {y2} {y3} {y4} {y5} {y6} {y7}");
                    d = inout(reg) &raw const slab[0].d => _,
                    d_step = const size_of::<SlabBlock>(),
                    ones = in(reg) ONES.to_bits(),
                    y0 = in(reg) y[0], y1 = in(reg) y[1], y2 = in(reg) y[2], y3 = in(reg) y[3],
                    y4 = in(reg) y[4], y5 = in(reg) y[5], y6 = in(reg) y[6], y7 = in(reg) y[7],
                    at = in(reg) at,
                    in("v31") vdupq_n_f32(ONES),
                    out("v16") _, out("v17") _, out("v18") _, out("v19") _,
                    out("v20") _, out("v21") _, out("v22") _, out("v23") _, out("v30") _,
                    options(nostack),
                );
            }
        };
        (min $pairs:tt) => {
            run!($pairs, concat!(
                "ldr q0, [{w}, #144]
                 ldr q29, [{d}, #64]
                 ldr q30, [{d}, #80]
                ",
                pairs!(minimum $pairs),
            ))
        };
    }
    match (P, MIN) {
        (4, false) => run!(4, ""),
        (2, false) => run!(2, ""),
        (1, false) => run!(1, ""),
        (4, true) => run!(min 4),
        (2, true) => run!(min 2),
        (1, true) => run!(min 1),
        _ => unreachable!(),
    }
}

/// The scaled integers of a super-block, of a panel of `B` and of `P` pairs of vectors.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(super) fn super_block<const P: usize, B: SuperBlock>(
    panel: &Panel<1>,
    x: [&[i8; QK_K]; VECTORS],
) -> [int32x4_t; VECTORS] {
    let mut acc = [vdupq_n_s32(0); VECTORS];
    macro_rules! run {
        ($block:expr) => {
            // SAFETY: panel and vectors have as much as a super-block reads.
            unsafe {
                blocks!(
                    panel x BLOCKS,
                    "",
                    $block,
                    "";
                    inout("v16") acc[0], inout("v17") acc[1], inout("v18") acc[2], inout("v19") acc[3],
                    inout("v20") acc[4], inout("v21") acc[5], inout("v22") acc[6], inout("v23") acc[7],
                    options(pure, readonly, nostack),
                );
            }
        };
        (both $pairs:tt) => {
            if B::SUB == 32 {
                run!(concat!("ldr q28, [{w}, #128]\n", pairs!(sub_32 $pairs)));
            } else {
                run!(concat!("ldr q28, [{w}, #128]\nldr q29, [{w}, #144]\n", pairs!(sub_16 $pairs)));
            }
        };
    }
    match P {
        4 => run!(both 4),
        2 => run!(both 2),
        _ => run!(both 1),
    }
    acc
}
