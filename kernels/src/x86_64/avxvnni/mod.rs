//! AVX-VNNI: laptops and desktops since Alder Lake and Zen 5, which mostly lack AVX-512. Rows lie side by side as in
//! AVX2; only the products are others. What it does not overwrite stays AVX2's.

mod sums;
mod types;

use crate::dispatch::Kernels;

/// Puts this tier's kernels into `table`, which has those of AVX2. The caller has checked that the CPU
/// runs them.
pub(crate) fn install(table: &mut Kernels) {
    types::install(&mut table.mat);
}
