//! The inner loops of the GEMM, in assembly: nearly all registers are in use, and compilers spill some.
//!
//! v0 to v7 hold 32 weights of each row, rows 0 and 1 in the even ones; v8 to v11 32 activations of two
//! vectors; v16 to v23 what each pair of vectors has so far, with rows 0 and 1 in the even ones; v24 to v27
//! the integers of a pair.

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
    block::SuperBlock,
};

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

/// 32 activations of two vectors, from an offset on.
macro_rules! acts {
    ($at:literal) => {
        concat!(
            "ldr q8, [{x}, #",
            $at,
            "]
             ldr q9, [{x}, #",
            $at,
            " + 16]
             ldr q10, [{x}, #",
            $at,
            " + 32]
             ldr q11, [{x}, #",
            $at,
            " + 48]
            ",
        )
    };
}

/// 16 weights of each row with 16 activations of two vectors, added to the sums of the two pairs of rows.
macro_rules! half {
    ($s:literal $t:literal, $x:literal $y:literal, $a:literal $b:literal $c:literal $d:literal) => {
        concat!(
            "smmla ",
            $s,
            ".4s, ",
            $x,
            ".16b, ",
            $a,
            ".16b
             smmla ",
            $t,
            ".4s, ",
            $x,
            ".16b, ",
            $b,
            ".16b
             smmla ",
            $s,
            ".4s, ",
            $y,
            ".16b, ",
            $c,
            ".16b
             smmla ",
            $t,
            ".4s, ",
            $y,
            ".16b, ",
            $d,
            ".16b
            ",
        )
    };
}

/// A block of two vectors: their results, and the register of their scales.
macro_rules! block {
    ($at:literal, $acc:literal $bcc:literal, $d:literal) => {
        concat!(
            acts!($at),
            "dup v24.4s, {ones:w}
             dup v25.4s, {ones:w}
            ",
            half!("v24" "v25", "v8" "v9", "v0" "v1" "v2" "v3"),
            half!("v24" "v25", "v10" "v11", "v4" "v5" "v6" "v7"),
            "fmul v26.4s, v28.4s, ", $d, ".4s
             fmul v27.4s, v29.4s, ", $d, ".4s
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
    ($at:literal, $acc:literal $bcc:literal, $s:literal) => {
        concat!(
            "fmla v",
            $acc,
            ".4s, v28.4s, ",
            $s,
            ".4s
             fmla v",
            $bcc,
            ".4s, v29.4s, ",
            $s,
            ".4s
            ",
        )
    };
}

/// A sub-block of 32 of two vectors.
macro_rules! sub_32 {
    ($at:literal, $acc:literal $bcc:literal, $d:literal) => {
        concat!(
            acts!($at),
            "movi v24.2d, #0
             movi v25.2d, #0
            ",
            half!("v24" "v25", "v8" "v9", "v0" "v1" "v2" "v3"),
            half!("v24" "v25", "v10" "v11", "v4" "v5" "v6" "v7"),
            "mla v", $acc, ".4s, v24.4s, v28.4s
             mla v", $bcc, ".4s, v25.4s, v29.4s
            ",
        )
    };
}

/// Two sub-blocks of 16 of two vectors.
macro_rules! sub_16 {
    ($at:literal, $acc:literal $bcc:literal, $d:literal) => {
        concat!(
            acts!($at),
            "movi v24.2d, #0
             movi v25.2d, #0
             movi v26.2d, #0
             movi v27.2d, #0
            ",
            half!("v24" "v25", "v8" "v9", "v0" "v1" "v2" "v3"),
            half!("v26" "v27", "v10" "v11", "v4" "v5" "v6" "v7"),
            "mla v", $acc, ".4s, v24.4s, v28.4s
             mla v", $bcc, ".4s, v25.4s, v29.4s
             mla v", $acc, ".4s, v26.4s, v30.4s
             mla v", $bcc, ".4s, v27.4s, v31.4s
            ",
        )
    };
}

/// Loads what two vectors have so far.
macro_rules! get {
    ($at:literal, $acc:literal $bcc:literal, $d:literal) => {
        concat!(
            "ldr q",
            $acc,
            ", [{y",
            $acc,
            "}, {at}]\nldr q",
            $bcc,
            ", [{y",
            $bcc,
            "}, {at}]\n"
        )
    };
}

/// Stores it.
macro_rules! put {
    ($at:literal, $acc:literal $bcc:literal, $d:literal) => {
        concat!(
            "str q",
            $acc,
            ", [{y",
            $acc,
            "}, {at}]\nstr q",
            $bcc,
            ", [{y",
            $bcc,
            "}, {at}]\n"
        )
    };
}

/// A macro for each of 4, 2 or 1 pairs of vectors: where their results are, and their scales.
macro_rules! pairs {
    ($each:ident 4) => {
        concat!(
            pairs!($each 2),
            $each!("128", 20 21, "v14"),
            $each!("192", 22 23, "v15"),
        )
    };
    ($each:ident 2) => {
        concat!(pairs!($each 1), $each!("64", 18 19, "v13"))
    };
    ($each:ident 1) => {
        $each!("0", 16 17, "v12")
    };
}

/// Scales of 4, 2 or 1 pairs of vectors, from an offset on.
macro_rules! scales {
    ($at:literal 4) => {
        concat!(
            scales!($at 2),
            "ldr q14, [{x}, #", $at, " + 32]
             ldr q15, [{x}, #", $at, " + 48]
            ",
        )
    };
    ($at:literal 2) => {
        concat!(scales!($at 1), "ldr q13, [{x}, #", $at, " + 16]\n")
    };
    ($at:literal 1) => {
        concat!("ldr q12, [{x}, #", $at, "]\n")
    };
}

/// Runs a loop over `$n` blocks of `$panel` and `$slab`.
macro_rules! blocks {
    ($panel:ident $slab:ident $n:expr, $before:expr, $block:expr, $after:expr; $($operands:tt)*) => {
        asm!(
            $before,
            "2:",
            weights!(),
            $block,
            "add {w}, {w}, #{w_step}",
            "add {x}, {x}, #{x_step}",
            "subs {n}, {n}, #1",
            "b.ne 2b",
            $after,
            w = inout(reg) $panel.blocks.as_ptr() => _,
            w_step = const size_of::<PanelBlock<2>>(),
            x = inout(reg) $slab.as_ptr() => _,
            x_step = const size_of::<SlabBlock>(),
            n = inout(reg) $n => _,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
            out("v6") _, out("v7") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _,
            out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _,
            $($operands)*
        )
    };
}

/// Adds the products of `n` blocks of a panel and of `P` pairs of vectors to `y`.
#[inline]
#[target_feature(enable = "neon,i8mm")]
pub(super) fn blocks<const P: usize, const MIN: bool>(
    panel: &Panel<2>,
    slab: &[SlabBlock; BLOCKS],
    n: usize,
    y: &mut Outputs<'_>,
    p: usize,
) {
    assert!((1..=BLOCKS).contains(&n));
    let (y, at) = y.places(p);
    macro_rules! run {
        ($pairs:tt, $minimums:expr) => {
            // SAFETY: panel and slab have at least as much of everything as `n` blocks read, and `y` gives
            // the places of four floats of each vector.
            unsafe {
                blocks!(
                    panel slab n,
                    pairs!(get $pairs),
                    concat!(
                        "ldr q28, [{w}, #128]
                         ldr q29, [{w}, #144]
                        ",
                        scales!("256" $pairs),
                        pairs!(block $pairs),
                        $minimums,
                    ),
                    // Fewer vectors leave some.
                    concat!(pairs!(put $pairs), "// {y16} {y17} {y18} {y19} {y20} {y21} {y22} {y23}");
                    ones = in(reg) ONES.to_bits(),
                    y16 = in(reg) y[0], y17 = in(reg) y[1], y18 = in(reg) y[2], y19 = in(reg) y[3],
                    y20 = in(reg) y[4], y21 = in(reg) y[5], y22 = in(reg) y[6], y23 = in(reg) y[7],
                    at = in(reg) at,
                    in("v31") vdupq_n_f32(ONES),
                    out("v12") _, out("v13") _, out("v14") _, out("v15") _,
                    out("v16") _, out("v17") _, out("v18") _, out("v19") _,
                    out("v20") _, out("v21") _, out("v22") _, out("v23") _,
                    options(nostack),
                );
            }
        };
        (min $pairs:tt) => {
            run!($pairs, concat!(
                "ldr q28, [{w}, #160]
                 ldr q29, [{w}, #176]
                ",
                scales!("320" $pairs),
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
#[target_feature(enable = "neon,i8mm")]
pub(super) fn super_block<const P: usize, B: SuperBlock>(
    panel: &Panel<2>,
    slab: &[SlabBlock; BLOCKS],
) -> [int32x4_t; VECTORS] {
    let mut acc = [vdupq_n_s32(0); VECTORS];
    macro_rules! run {
        ($block:expr) => {
            // SAFETY: panel and slab have as much as a super-block reads.
            unsafe {
                blocks!(
                    panel slab BLOCKS,
                    "",
                    concat!("ldr q28, [{w}, #128]\nldr q29, [{w}, #144]\n", $block),
                    "";
                    inout("v16") acc[0], inout("v17") acc[1], inout("v18") acc[2], inout("v19") acc[3],
                    inout("v20") acc[4], inout("v21") acc[5], inout("v22") acc[6], inout("v23") acc[7],
                    out("v30") _, out("v31") _,
                    options(pure, readonly, nostack),
                );
            }
        };
        (both $pairs:tt) => {
            if B::SUB == 32 {
                run!(pairs!(sub_32 $pairs));
            } else {
                run!(concat!("ldr q30, [{w}, #160]\nldr q31, [{w}, #176]\n", pairs!(sub_16 $pairs)));
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
