//! Matrix products of the forward pass, shared out over the threads.

use std::sync::{Mutex, MutexGuard, PoisonError};

use puna_kernels::{ActRows, ActType, Kernels, TileMut, WeightType, dequantize, tiles};

use super::{
    scratch::{ActSet, EXACT_ROWS, Worker},
    weights::Linear,
};
use crate::{cancel::Cancel, gguf::Gguf, pool::Pool};

/// What every product needs.
#[derive(Clone, Copy)]
pub(super) struct Machine<'a> {
    pub gguf: &'a Gguf,
    pub kernels: &'a Kernels,
    pub pool: &'a Pool,
    pub workers: &'a [Mutex<Worker>],
    pub cancel: &'a Cancel,
    /// Weights as `f32`, activations as they are.
    pub exact: bool,
}

/// The buffers of the thread that calls.
pub(super) fn lock(worker: &Mutex<Worker>) -> MutexGuard<'_, Worker> {
    worker.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at every number, so that the loop needs no branches.
fn any_nan(x: &[f32]) -> bool {
    x.iter().fold(false, |any, x| any | x.is_nan())
}

impl Machine<'_> {
    /// `y = W x + b` for each of `outs`: `x` has shape `(n, k)`, each `y` `(n, n_out)`.
    ///
    /// `x` is quantized once in each form that the matrices take. When cancelled, what `y` holds is
    /// unspecified.
    pub fn project<const N: usize>(
        &self,
        acts: &mut ActSet,
        x: &[f32],
        mut outs: [(&Linear, &mut [f32]); N],
    ) {
        let k = outs[0].0.weight.n_cols();
        if !self.exact {
            let mut done = [ActType::F32; N];
            for (i, (linear, _)) in outs.iter().enumerate() {
                let ty = linear.weight.ty().act_type();
                if ty != ActType::F32 && !done[..i].contains(&ty) {
                    self.quantize(acts, ty, x, k);
                }
                done[i] = ty;
            }
        }
        let n = x.len() / k;
        let acts = &*acts;
        let parts = outs.iter_mut().flat_map(|(linear, y)| {
            let linear = *linear;
            let n_out = linear.weight.n_rows();
            let step = if self.exact {
                EXACT_ROWS
            } else {
                self.step(n_out)
            };
            tiles(y, n_out, step).map(move |(first, tile)| (linear, first, tile))
        });
        self.pool
            .for_each(parts, |worker, (linear, first, mut tile)| {
                if self.cancel.is_cancelled() {
                    return;
                }
                let ty = linear.weight.ty();
                let rows = linear.weight.rows(self.gguf, first..first + tile.m());
                if self.exact {
                    self.exact_product(worker, ty, rows, x, k, &mut tile);
                } else {
                    let x = match ty.act_type() {
                        ActType::F32 => ActRows::from_f32(x, k),
                        form => acts.get(form).rows(form, n, k),
                    };
                    self.kernels.matmul(ty, rows, x, &mut tile);
                }
                if let Some(bias) = &linear.bias {
                    let bias = &bias[first..first + tile.m()];
                    for t in 0..tile.n() {
                        self.kernels.add(tile.row(t), bias);
                    }
                }
            });
        // Integers cannot say NaN: what quantizing hid is put back, so that broken weights show.
        for (t, _) in x.chunks(k).enumerate().filter(|(_, x)| any_nan(x)) {
            for (linear, y) in &mut outs {
                let n_out = linear.weight.n_rows();
                y[t * n_out..(t + 1) * n_out].fill(f32::NAN);
            }
        }
    }

    /// `x`, shape `(n, k)`, into form `ty`.
    pub fn quantize(&self, acts: &mut ActSet, ty: ActType, x: &[f32], k: usize) {
        let n = x.len() / k;
        let step = n.div_ceil(4 * self.pool.n_threads()).max(1);
        let pieces = acts.get_mut(ty).pieces_mut(ty, n, k, step);
        let fill = |(first, mut piece): (usize, _)| {
            let x = &x[first * k..(first + step).min(n) * k];
            self.kernels.quantize(x, &mut piece);
        };
        if n == 1 {
            pieces.for_each(fill);
        } else {
            self.pool.for_each(pieces, |_, item| fill(item));
        }
    }

    fn exact_product(
        &self,
        worker: usize,
        ty: WeightType,
        rows: &[u8],
        x: &[f32],
        k: usize,
        tile: &mut TileMut<'_>,
    ) {
        let mut worker = lock(&self.workers[worker]);
        let weights = &mut worker.weights;
        weights.resize(EXACT_ROWS * k, 0.0);
        let weights = &mut weights[..tile.m() * k];
        dequantize(ty, rows, weights);
        let x = ActRows::from_f32(x, k);
        self.kernels
            .matmul(WeightType::F32, bytemuck::cast_slice(weights), x, tile);
    }

    /// Rows of a matrix that a thread takes at a time: a few turns each, whole register tiles.
    fn step(&self, n_out: usize) -> usize {
        n_out
            .div_ceil(4 * self.pool.n_threads())
            .next_multiple_of(16)
            .min(256)
    }
}
