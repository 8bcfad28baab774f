//! How far a product of ours and one of ggml's may be apart.

use puna_ggml_sys::Type;
use puna_kernels::{ActRow, WeightType, dequantize};

/// ggml's type of this name, whatever the case.
///
/// # Panics
/// If it has none.
#[must_use]
pub fn ggml_type(name: &str) -> Type {
    let same = |ty: &Type| ty.name().eq_ignore_ascii_case(name);
    Type::all()
        .find(same)
        .unwrap_or_else(|| panic!("ggml has no {name}"))
}

/// The bytes of a block of `ty` that hold quants, for the types with minimums.
fn quants(ty: WeightType) -> std::ops::Range<usize> {
    match ty {
        WeightType::Q4_1 | WeightType::Q5_1 => 4..ty.block_bytes(),
        WeightType::Q2_K => 16..80,
        WeightType::Q4_K | WeightType::Q5_K => 16..ty.block_bytes(),
        _ => 0..0,
    }
}

/// For each weight of a row, what may cancel in it: `|w - m| + |m|`, where the minimum `m` is what the
/// weight is when its quant is 0.
///
/// # Panics
/// If `row` is not `k` weights.
#[must_use]
pub fn magnitudes(ty: WeightType, row: &[u8], k: usize) -> Vec<f64> {
    let (mut w, mut m) = (vec![0.0; k], vec![0.0; k]);
    dequantize(ty, row, &mut w);
    if !quants(ty).is_empty() {
        let mut row = row.to_vec();
        for block in row.chunks_exact_mut(ty.block_bytes()) {
            block[quants(ty)].fill(0);
        }
        dequantize(ty, &row, &mut m);
    }
    let pairs = w.iter().zip(&m);
    pairs
        .map(|(w, m)| f64::from((w - m).abs()) + f64::from(m.abs()))
        .collect()
}

/// How far our result and ggml's may be apart, for a row of these [`magnitudes`] and activations `x`:
///
/// - ggml rounds activations, or their scales and sums, to halves, so by at most 2^-11 of them, near
///   zero by 2^-25; for BF16 weights it rounds them to bfloats, by at most 2^-8;
/// - singles are summed in any order, at most `k` terms and a few products.
///
/// # Panics
/// If ggml has activations of a form that this does not know.
#[must_use]
pub fn bound(ty: WeightType, magnitudes: &[f64], x: &ActRow<'_>) -> f64 {
    let k = magnitudes.len();
    let act = ggml_type(ty.name()).act_type().map_or("none", Type::name);
    let (relative, absolute) = match act {
        "f32" | "q8_K" => (0.0, 0.0),
        "f16" | "q8_0" | "q8_1" => (2f64.powi(-11), 2f64.powi(-24)),
        "bf16" => (2f64.powi(-8), 0.0),
        other => panic!("{ty} meets {other}"),
    };
    let relative = relative + (k + 16) as f64 * f64::from(f32::EPSILON);
    let per = k / x.d().len().max(1);
    let term = |(i, w): (usize, &f64)| {
        let x = if x.f().is_empty() {
            f64::from(x.d()[i / per]) * f64::from(x.qs()[i])
        } else {
            f64::from(x.f()[i])
        };
        w * (x.abs() * relative + absolute)
    };
    magnitudes.iter().enumerate().map(term).sum()
}

/// Activations that every way of quantizing finds exactly: integers up to ±127, which every block
/// reaches, times a power of two; `random` gives a number below its argument. ggml's fast functions round
/// others differently from its reference.
pub fn exact_floats(mut random: impl FnMut(usize) -> usize, n: usize) -> Vec<f32> {
    let one = |i| match i % 32 {
        0 if random(2) == 0 => -127.0,
        0 => 127.0,
        _ => random(255) as f32 - 127.0,
    };
    (0..n).map(one).map(|q| q / 32.0).collect()
}
