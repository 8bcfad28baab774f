//! AVX-512 with VNNI: servers and laptops since Ice Lake, desktops since Zen 4. What it does not
//! overwrite stays AVX2's.

mod few;
mod float;
mod gemm;
pub(super) mod load;
pub(super) mod rows;
mod rows_k;
mod sums;
pub(super) mod types;

use crate::dispatch::Kernels;

/// Puts this tier's kernels into `table`, which has those of AVX2. The caller has checked that the CPU
/// runs them.
pub(crate) fn install(table: &mut Kernels) {
    types::install(&mut table.mat);
}
