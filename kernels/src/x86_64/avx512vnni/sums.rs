//! Integer sums of sixteen rows' weights times activations, and the steps of the accumulators.

use core::arch::x86_64::*;

use super::{
    load::broadcast_4,
    rows::Rows32,
    rows_k::{Header, Rows256},
};
use crate::{
    block::QK,
    x86_64::view::{View32, View256},
};

/// `sum[t][r] + Σ w[r][i] * x[t][i]` over the `4 * LEN` weights of `w`, exact; `x` starts at four times `FIRST`.
///
/// Each vector's sum is a chain in which every product waits for the one before. With few vectors there are
/// so few chains that the CPU runs out of places for what waits: they are cut in parts.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn products<const N: usize, const FIRST: usize, const LEN: usize>(
    mut sum: [__m512i; N],
    w: &[__m512i; LEN],
    x: [&[i8; QK]; N],
) -> [__m512i; N] {
    const { assert!(FIRST + LEN <= QK / 4) };
    let parts = const { if N < 4 { 4 / N } else { 1 } };
    let mut rest = [[_mm512_setzero_si512(); N]; 3];
    macro_rules! dwords {
        ($($j:literal)*) => {$(
            if $j < LEN {
                let sum = match $j % parts {
                    0 => &mut sum,
                    part => &mut rest[part - 1],
                };
                for (sum, x) in sum.iter_mut().zip(x) {
                    add_products::<FIRST, $j>(sum, w[$j % LEN], x);
                }
            }
        )*};
    }
    dwords!(0 1 2 3 4 5 6 7);
    for rest in &rest[..parts - 1] {
        for (sum, rest) in sum.iter_mut().zip(rest) {
            *sum = _mm512_add_epi32(*sum, *rest);
        }
    }
    sum
}

/// Adds the products of each of sixteen rows' four weights with dword `FIRST + J` of `x`.
///
/// It is assembly for the sake of order: the compiler would put the products of one vector behind each other, each
/// waiting for the one before, where those of the other vectors need not wait.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn add_products<const FIRST: usize, const J: usize>(sum: &mut __m512i, w: __m512i, x: &[i8; QK]) {
    // SAFETY: the instruction reads four bytes from a multiple of four below `QK`.
    unsafe {
        core::arch::asm!(
            "vpdpbusd {sum}, {w}, dword ptr [{x} + {at}]{{1to16}}",
            sum = inout(zmm_reg) *sum,
            w = in(zmm_reg) w,
            x = in(reg) x.as_ptr(),
            at = const 4 * (FIRST + J) % QK,
            options(readonly, nostack, preserves_flags),
        );
    }
}

/// One block of 32: `acc = fma(d_w * d_x, Σ - OFFSET * Σx, acc)`, then, for types with a minimum,
/// `acc = fma(m, s, acc)`.
///
/// `_here` is a closure, `|| ()`, so that every caller has an instance of its own: what is called from one place is
/// always inlined, and else this is too long for it with eight vectors, and they would go through memory.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) fn step_32<const N: usize, const OFFSET: i32, const MIN: bool>(
    acc: [__m512; N],
    w: &Rows32,
    x: &[View32<'_, MIN>; N],
    i: usize,
    _here: impl Fn(),
) -> [__m512; N] {
    let zero = _mm512_setzero_si512();
    let less = x.map(|x| match OFFSET {
        0 => zero,
        offset => _mm512_set1_epi32(-offset * i32::from(x.sums[i])),
    });
    let sum = products::<N, 0, 8>(less, &w.w, x.map(|x| &x.qs[i]));
    let mut acc = acc;
    for ((acc, sum), x) in acc.iter_mut().zip(sum).zip(x) {
        let d = _mm512_mul_ps(w.d, _mm512_set1_ps(x.d[i]));
        *acc = _mm512_fmadd_ps(d, _mm512_cvtepi32_ps(sum), *acc);
        if MIN {
            *acc = _mm512_fmadd_ps(w.m, _mm512_set1_ps(x.s[i]), *acc);
        }
    }
    acc
}

/// `sum[t][r] += Σ scale w[r][i] x[t][i]` over the 32 weights from `32 j` on of a super-block.
///
/// `SUB` is the weights of a sub-block, 16 or 32.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) fn add_sub_blocks<const N: usize, const SUB: usize>(
    sum: &mut [__m512i; N],
    header: &Header,
    (j, w): (usize, &[__m512i; 8]),
    x: &[View256<'_>; N],
    i: usize,
) {
    let x = x.map(|x| &x.qs[i].as_chunks::<QK>().0[j]);
    let mut add = |part: [__m512i; N], c: usize| {
        let scale = header.scale[QK / SUB * j + c];
        for (sum, part) in sum.iter_mut().zip(part) {
            *sum = _mm512_add_epi32(*sum, _mm512_mullo_epi32(part, scale));
        }
    };
    let zero = [_mm512_setzero_si512(); N];
    if SUB == QK {
        add(products::<N, 0, 8>(zero, w, x), 0);
    } else {
        let [low, high] = [0, 4].map(|first| std::array::from_fn(|j| w[first + j]));
        add(products::<N, 0, 4>(zero, &low, x), 0);
        add(products::<N, 4, 4>(zero, &high, x), 1);
    }
}

/// One super-block, whose `sum` is `Σ scale w x`: `acc = fma(d_w * d_x, Σ scale (w - OFFSET) x, acc)`, then, for
/// types with minimums, `acc = fma(-(dmin * d_x), Σ min x, acc)`.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) fn finish_256<const N: usize, const OFFSET: i32, const MIN: bool>(
    mut acc: [__m512; N],
    sum: [__m512i; N],
    header: &Header,
    x: &[View256<'_>; N],
    i: usize,
) -> [__m512; N] {
    for ((acc, sum), x) in acc.iter_mut().zip(sum).zip(x) {
        let sums: &[[i8; 4]; 8] = bytemuck::cast_ref(&x.sums[i]);
        let mut rest = _mm512_setzero_si512();
        if MIN || OFFSET != 0 {
            for (pair, sums) in header.pair.iter().zip(sums) {
                rest = _mm512_dpwssd_epi32(rest, *pair, broadcast_4(sums));
            }
        }
        let d = _mm512_set1_ps(x.d[i]);
        let offset = _mm512_mullo_epi32(rest, _mm512_set1_epi32(OFFSET));
        let sum = _mm512_cvtepi32_ps(_mm512_sub_epi32(sum, offset));
        *acc = _mm512_fmadd_ps(_mm512_mul_ps(header.d, d), sum, *acc);
        if MIN {
            let dmin = _mm512_mul_ps(header.dmin, d);
            *acc = _mm512_fnmadd_ps(dmin, _mm512_cvtepi32_ps(rest), *acc);
        }
    }
    acc
}

/// [`add_sub_blocks`] and [`finish_256`] for a super-block that is unpacked; `_here` as in [`step_32`].
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) fn step_256<const N: usize, const SUB: usize, const OFFSET: i32, const MIN: bool>(
    acc: [__m512; N],
    w: &Rows256,
    x: &[View256<'_>; N],
    i: usize,
    _here: impl Fn(),
) -> [__m512; N] {
    let mut sum = [_mm512_setzero_si512(); N];
    for part in w.w.iter().enumerate() {
        add_sub_blocks::<N, SUB>(&mut sum, &w.header, part, x, i);
    }
    finish_256::<N, OFFSET, MIN>(acc, sum, &w.header, x, i)
}
