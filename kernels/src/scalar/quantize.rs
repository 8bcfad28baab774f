//! Activations to integers, as ggml's reference quantizers do it; scales and sums stay singles.

use crate::{
    activations::{ActRowsMut, ActType},
    block::{QK, QK_K},
};

/// Fills `out` from `x`, which holds as many numbers.
pub fn quantize(x: &[f32], out: &mut ActRowsMut<'_>) {
    match out.ty {
        ActType::F32 | ActType::BF16 => {}
        ActType::Q8_0 | ActType::Q8_1 => blocks_of_32(x, out),
        ActType::Q8_K => super_blocks(x, out),
    }
}

/// `d = max|x| / 127`; `q = round(x / d)`, ties away from zero; `s = d Σq`.
fn blocks_of_32(x: &[f32], out: &mut ActRowsMut<'_>) {
    let (x, _) = x.as_chunks::<QK>();
    let (qs, _) = out.qs.as_chunks_mut::<QK>();
    for (i, (x, qs)) in x.iter().zip(qs).enumerate() {
        let max = x.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        let d = max / 127.0;
        let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
        let mut sum = 0i16;
        for (q, x) in qs.iter_mut().zip(x) {
            *q = ((x * inverse).round() as i8).max(-127);
            sum += i16::from(*q);
        }
        out.d[i] = d;
        out.sums[i] = sum;
        if let Some(s) = out.s.get_mut(i) {
            *s = f32::from(sum) * d;
        }
    }
}

/// `d = -max / 127` for the `max` of largest magnitude; `q = round(x / d)`, ties to even.
fn super_blocks(x: &[f32], out: &mut ActRowsMut<'_>) {
    let (x, _) = x.as_chunks::<QK_K>();
    let (qs, _) = out.qs.as_chunks_mut::<QK_K>();
    let (sums, _) = out.sums.as_chunks_mut::<{ QK_K / 16 }>();
    for (i, (x, qs)) in x.iter().zip(qs).enumerate() {
        let max = x
            .iter()
            .fold(0.0f32, |m, &x| if x.abs() > m.abs() { x } else { m });
        let inverse = if max == 0.0 { 0.0 } else { -127.0 / max };
        for (q, x) in qs.iter_mut().zip(x) {
            *q = ((x * inverse).round_ties_even() as i8).max(-127);
        }
        for (sum, qs) in sums[i].iter_mut().zip(qs.as_chunks::<16>().0) {
            *sum = qs.iter().map(|&q| i16::from(q)).sum();
        }
        out.d[i] = if inverse == 0.0 { 0.0 } else { 1.0 / inverse };
    }
}
