//! AMX tiles of bfloat16, for many vectors at a time: what it does not overwrite stays that of the tiles
//! of bytes.
//!
//! Weights and activations are both rounded to bfloat16, which keeps more of an activation than 8 bits
//! with a common scale do, and a tile adds products in singles: no scales need to be applied on the way.
//! The results are therefore **not** those of the scalar definitions; docs/adr says what that means.

mod gemm;
mod load;
mod mix;
mod pack;
mod tile;
mod types;
mod unpack;

use crate::{
    activations::{ActRowsMut, ActType},
    dispatch::Kernels,
    x86_64::avx2::quantize,
};

pub(crate) use tile::is_available;

/// Puts this tier's kernels into `table`, which has those of AMX. The caller has checked that the CPU
/// runs them.
pub(crate) fn install(table: &mut Kernels) {
    types::install(table);
    table.quantize = quantize_or_pack;
}

/// Twin of `scalar::quantize::quantize` that also lays out tiles.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c")]
fn quantize_or_pack(x: &[f32], out: &mut ActRowsMut<'_>) {
    if out.ty == ActType::BF16 {
        pack::pack(x, out);
    } else {
        quantize::quantize(x, out);
    }
}
