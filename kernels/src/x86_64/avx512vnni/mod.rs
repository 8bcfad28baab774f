//! AVX-512 with VNNI: servers and laptops since Ice Lake, desktops since Zen 4. What it does not
//! overwrite stays AVX2's.

mod add;
mod exp;
mod few;
mod float;
mod gemm;
pub(super) mod load;
pub(super) mod mix;
pub(super) mod rows;
mod rows_k;
mod softmax;
mod sums;
mod swiglu;
pub(super) mod types;

use crate::dispatch::Kernels;

/// Puts this tier's kernels into `table`, which has those of AVX2. The caller has checked that the CPU
/// runs them.
pub(crate) fn install(table: &mut Kernels) {
    types::install(&mut table.mat);
    table.mix_rows_f16 = Some(mix::mix_f16);
    table.mix_rows_q8_0 = Some(mix::mix_q8_0);
    table.mix_rows_q4_0 = Some(mix::mix_q4_0);
    table.softmax_part = softmax::softmax_part;
    table.swiglu = swiglu::swiglu;
    table.add = add::add;
    table.scale_and_add = add::scale_and_add;
}
