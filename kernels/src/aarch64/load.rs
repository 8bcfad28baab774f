//! Loads and stores of sized arrays: the `unsafe` of these tiers, with `asm!` the only one.

use core::arch::aarch64::{
    float32x4_t, float32x4x2_t, int8x16_t, int8x16x4_t, int16x8_t, int32x4_t, uint8x8_t,
    uint8x16_t, vcreate_u16, vcvt_f32_f16, vgetq_lane_f32, vld1_u8, vld1q_f32, vld1q_s8, vld1q_s16,
    vld1q_u8, vld2q_f32, vreinterpret_f16_u16, vreinterpret_f16_u32, vreinterpret_u16_u8,
    vreinterpret_u32_u16, vst1q_f32, vst1q_s8, vst1q_s32, vst2q_f32, vst4q_s8, vzip1_u16,
    vzip1_u32, vzip2_u32,
};

use crate::block::Half;

/// One load or store instruction a function: name, intrinsic, array, register.
macro_rules! loads {
    ($($name:ident = $intrinsic:ident([$element:ty; $n:literal]) -> $vector:ty;)*) => {$(
        #[inline]
        #[target_feature(enable = "neon")]
        pub(super) fn $name(v: &[$element; $n]) -> $vector {
            // SAFETY: the array is as many readable bytes as the register; no alignment is asked.
            unsafe { $intrinsic(v.as_ptr()) }
        }
    )*};
}
macro_rules! stores {
    ($($name:ident = $intrinsic:ident([$element:ty; $n:literal], $vector:ty);)*) => {$(
        #[inline]
        #[target_feature(enable = "neon")]
        pub(super) fn $name(to: &mut [$element; $n], v: $vector) {
            // SAFETY: the array is as many writable bytes as the register; no alignment is asked.
            unsafe { $intrinsic(to.as_mut_ptr(), v) }
        }
    )*};
}

loads! {
    u8x8 = vld1_u8([u8; 8]) -> uint8x8_t;
    u8x16 = vld1q_u8([u8; 16]) -> uint8x16_t;
    i8x16 = vld1q_s8([i8; 16]) -> int8x16_t;
    i16x8 = vld1q_s16([i16; 8]) -> int16x8_t;
    f32x4 = vld1q_f32([f32; 4]) -> float32x4_t;
    f32_pairs = vld2q_f32([f32; 8]) -> float32x4x2_t;
}
stores! {
    put_i8x16 = vst1q_s8([i8; 16], int8x16_t);
    put_i32x4 = vst1q_s32([i32; 4], int32x4_t);
    put_f32x4 = vst1q_f32([f32; 4], float32x4_t);
    put_f32_pairs = vst2q_f32([f32; 8], float32x4x2_t);
}

/// Writes a byte of the first row, of the second, third, fourth, then the next byte of the first.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn put_columns(to: &mut [[i8; 16]; 4], [a, b, c, d]: [int8x16_t; 4]) {
    // SAFETY: the array is 64 writable bytes; no alignment is asked.
    unsafe { vst4q_s8(to.as_mut_ptr().cast(), int8x16x4_t(a, b, c, d)) }
}

/// 32 numbers in two registers.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn i8x32(v: &[i8; 32]) -> [int8x16_t; 2] {
    let (v, _) = v.as_chunks::<16>();
    [i8x16(&v[0]), i8x16(&v[1])]
}

/// 16 numbers in four registers.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn f32x16(v: &[f32; 16]) -> [float32x4_t; 4] {
    let (v, _) = v.as_chunks::<4>();
    [f32x4(&v[0]), f32x4(&v[1]), f32x4(&v[2]), f32x4(&v[3])]
}

/// Writes 16 numbers from four registers.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn put_f32x16(to: &mut [f32; 16], v: [float32x4_t; 4]) {
    for (to, v) in to.as_chunks_mut::<4>().0.iter_mut().zip(v) {
        put_f32x4(to, v);
    }
}

/// The first two halves of four blocks, converted: lane `r` is of block `r`.
///
/// Eight bytes a block and three zips: loads into single lanes would wait for each other.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn heads(blocks: [&[u8; 8]; 4]) -> [float32x4_t; 2] {
    let [a, b, c, d] = blocks.map(|b| vreinterpret_u16_u8(u8x8(b)));
    let (low, high) = (vzip1_u16(a, b), vzip1_u16(c, d));
    let (low, high) = (vreinterpret_u32_u16(low), vreinterpret_u32_u16(high));
    [vzip1_u32(low, high), vzip2_u32(low, high)].map(|h| vcvt_f32_f16(vreinterpret_f16_u32(h)))
}

/// One half, converted.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn half(h: Half) -> f32 {
    let h = vcreate_u16(u64::from(u16::from_le_bytes(h.0)));
    vgetq_lane_f32::<0>(vcvt_f32_f16(vreinterpret_f16_u16(h)))
}
