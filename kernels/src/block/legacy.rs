//! Blocks of 32 weights with one scale: `Q4_0`, `Q4_1`, `Q5_0`, `Q5_1`, `Q8_0`.

use super::{Block, Half, QK};

/// 32 four-bit weights sharing one scale: `w[i] = d * (nibble[i] - 8)`.
///
/// Byte `j` of `qs` holds weight `j` in its low nibble and weight `j + 16` in its high one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct BlockQ4_0 {
    /// Scale.
    pub d: Half,
    /// Packed nibbles.
    pub qs: [u8; QK / 2],
}
const _: () = assert!(size_of::<BlockQ4_0>() == 18);

/// 32 four-bit weights with a scale and a minimum: `w[i] = d * nibble[i] + m`.
///
/// Nibbles are packed as in [`BlockQ4_0`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct BlockQ4_1 {
    /// Scale.
    pub d: Half,
    /// Minimum.
    pub m: Half,
    /// Packed nibbles.
    pub qs: [u8; QK / 2],
}
const _: () = assert!(size_of::<BlockQ4_1>() == 20);

/// 32 five-bit weights sharing one scale: `w[i] = d * (q[i] - 16)`.
///
/// Low four bits as in [`BlockQ4_0`]; bit `i` of `qh` (little-endian) is the fifth bit of weight `i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct BlockQ5_0 {
    /// Scale.
    pub d: Half,
    /// Fifth bits.
    pub qh: [u8; 4],
    /// Packed low nibbles.
    pub qs: [u8; QK / 2],
}
const _: () = assert!(size_of::<BlockQ5_0>() == 22);

/// 32 five-bit weights with a scale and a minimum: `w[i] = d * q[i] + m`.
///
/// Packed as in [`BlockQ5_0`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct BlockQ5_1 {
    /// Scale.
    pub d: Half,
    /// Minimum.
    pub m: Half,
    /// Fifth bits.
    pub qh: [u8; 4],
    /// Packed low nibbles.
    pub qs: [u8; QK / 2],
}
const _: () = assert!(size_of::<BlockQ5_1>() == 24);

/// 32 eight-bit weights sharing one scale: `w[i] = d * qs[i]`.
///
/// A file may hold −128, though quantizers never write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct BlockQ8_0 {
    /// Scale.
    pub d: Half,
    /// Quantized values.
    pub qs: [i8; QK],
}
const _: () = assert!(size_of::<BlockQ8_0>() == 34);

impl BlockQ4_0 {
    /// The integers `nibble[i] - 8`, −8..=7.
    #[must_use]
    #[inline]
    pub fn ints(&self) -> [i8; QK] {
        nibbles(&self.qs).map(|q| q as i8 - 8)
    }
}

impl BlockQ4_1 {
    /// The integers `nibble[i]`, 0..=15.
    #[must_use]
    #[inline]
    pub fn ints(&self) -> [i8; QK] {
        nibbles(&self.qs).map(|q| q as i8)
    }
}

impl BlockQ5_0 {
    /// The integers `q[i] - 16`, −16..=15.
    #[must_use]
    #[inline]
    pub fn ints(&self) -> [i8; QK] {
        fives(&self.qs, self.qh).map(|q| q as i8 - 16)
    }
}

impl BlockQ5_1 {
    /// The integers `q[i]`, 0..=31.
    #[must_use]
    #[inline]
    pub fn ints(&self) -> [i8; QK] {
        fives(&self.qs, self.qh).map(|q| q as i8)
    }
}

/// The 32 nibbles of `qs` in the order of the weights.
fn nibbles(qs: &[u8; QK / 2]) -> [u8; QK] {
    std::array::from_fn(|i| {
        if i < QK / 2 {
            qs[i] & 15
        } else {
            qs[i - QK / 2] >> 4
        }
    })
}

/// The 32 five-bit numbers of `qs` and `qh` in the order of the weights.
fn fives(qs: &[u8; QK / 2], qh: [u8; 4]) -> [u8; QK] {
    let qh = u32::from_le_bytes(qh);
    let low = nibbles(qs);
    std::array::from_fn(|i| low[i] | (((qh >> i) & 1) as u8) << 4)
}

impl Block for BlockQ4_0 {
    const LEN: usize = QK;
    fn dequantize(&self, out: &mut [f32]) {
        let d = self.d.to_f32();
        write(out, self.ints(), |q| q * d);
    }
}

impl Block for BlockQ4_1 {
    const LEN: usize = QK;
    fn dequantize(&self, out: &mut [f32]) {
        let (d, m) = (self.d.to_f32(), self.m.to_f32());
        write(out, self.ints(), |q| q * d + m);
    }
}

impl Block for BlockQ5_0 {
    const LEN: usize = QK;
    fn dequantize(&self, out: &mut [f32]) {
        let d = self.d.to_f32();
        write(out, self.ints(), |q| q * d);
    }
}

impl Block for BlockQ5_1 {
    const LEN: usize = QK;
    fn dequantize(&self, out: &mut [f32]) {
        let (d, m) = (self.d.to_f32(), self.m.to_f32());
        write(out, self.ints(), |q| q * d + m);
    }
}

impl Block for BlockQ8_0 {
    const LEN: usize = QK;
    fn dequantize(&self, out: &mut [f32]) {
        let d = self.d.to_f32();
        write(out, self.qs, |q| q * d);
    }
}

fn write(out: &mut [f32], ints: [i8; QK], weight: impl Fn(f32) -> f32) {
    assert_eq!(out.len(), QK, "dequantize: a block holds {QK} weights");
    for (o, q) in out.iter_mut().zip(ints) {
        *o = weight(f32::from(q));
    }
}
