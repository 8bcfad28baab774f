//! AMX tiles of bytes: server CPUs since Sapphire Rapids. What it does not overwrite stays AVX-512's.

mod gemm;
mod pack;
mod tile;
mod types;

use crate::dispatch::Kernels;

pub(in crate::x86_64) use tile::Config;
pub(crate) use tile::is_available;

/// Puts this tier's kernels into `table`, which has those of AVX-512. The caller has checked that the
/// CPU runs them.
pub(crate) fn install(table: &mut Kernels) {
    types::install(&mut table.mat);
}
