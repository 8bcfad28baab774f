//! Activations as tiles: sixteen vectors side by side, two neighbours of each in one place.

use core::arch::x86_64::*;

use super::{
    load::{round, store, transpose},
    tile::{DEPTH, SIDE},
};
use crate::{activations::ActRowsMut, x86_64::avx512vnni::load::load_ps};

/// Rounds the vectors `x`, each `out.k` long, and lays them out; vectors that are missing in the last
/// sixteen are zeros.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16")]
pub(super) fn pack(x: &[f32], out: &mut ActRowsMut<'_>) {
    let k = out.k;
    let (out, _) = out.tiles.as_chunks_mut::<SIDE>();
    for (x, out) in x.chunks(SIDE * k).zip(out.chunks_mut(k / DEPTH)) {
        for (j, out) in out.iter_mut().enumerate() {
            let mut rows = [_mm512_setzero_si512(); SIDE];
            for (row, x) in rows.iter_mut().zip(x.chunks_exact(k)) {
                let (halves, _) = x[j * DEPTH..][..DEPTH].as_chunks::<16>();
                *row = round(load_ps(&halves[0]), load_ps(&halves[1]));
            }
            transpose(&mut rows);
            for (line, column) in out.iter_mut().zip(rows) {
                store(line, column);
            }
        }
    }
}
