//! Matrix products of the forward pass, shared out over the threads.

use std::{
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

use puna_kernels::{ActRows, ActType, Kernels, TileMut, WeightType, tiles};

use super::{
    scratch::{ActSet, EXACT_ROWS, Worker},
    weights::Linear,
};
use crate::{cancel::Cancel, ggml, gguf::Gguf, pool::Pool};

/// What every product needs.
#[derive(Clone, Copy)]
pub(super) struct Machine<'a> {
    pub gguf: &'a Gguf,
    pub kernels: &'a Kernels,
    pub pool: &'a Pool,
    pub workers: &'a [Mutex<Worker>],
    pub cancel: &'a Cancel,
    /// Multiplies matrices instead of our kernels; never the exact ones.
    pub engine: Option<&'a ggml::Engine>,
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
    /// When cancelled, what `y` holds is unspecified.
    pub fn project<const N: usize>(
        &self,
        acts: &mut ActSet,
        x: &[f32],
        mut outs: [(&Linear, &mut [f32]); N],
    ) {
        let k = outs[0].0.weight.n_cols();
        match self.engine {
            Some(engine) => self.project_by(engine, x, &mut outs),
            None => self.project_here(acts, x, k, &mut outs),
        }
        // Integers cannot say NaN: what quantizing hid is put back, so that broken weights show.
        for (t, _) in x.chunks(k).enumerate().filter(|(_, x)| any_nan(x)) {
            for (linear, y) in &mut outs {
                let n_out = linear.weight.n_rows();
                y[t * n_out..(t + 1) * n_out].fill(f32::NAN);
            }
        }
    }

    /// [`project`](Self::project) with ggml's kernels and threads, all matrices in one graph: its threads
    /// wake once. They sleep otherwise, and ours sleep meanwhile.
    fn project_by<const N: usize>(
        &self,
        engine: &ggml::Engine,
        x: &[f32],
        outs: &mut [(&Linear, &mut [f32]); N],
    ) {
        if self.cancel.is_cancelled() {
            return;
        }
        let products = outs.each_mut().map(|(linear, y)| {
            let matrix = linear.ggml.as_ref();
            let matrix = matrix.expect("every matrix of Backend::Ggml is prepared");
            let bytes = linear.weight.rows(self.gguf, 0..linear.weight.n_rows());
            (matrix, bytes, &mut **y)
        });
        engine.products(x, products);
        for (linear, y) in outs {
            if let Some(bias) = &linear.bias {
                for y in y.chunks_exact_mut(bias.len()) {
                    self.kernels.add(y, bias);
                }
            }
        }
    }

    /// [`project`](Self::project) with our kernels: `x` is quantized once in each form that the matrices
    /// take.
    fn project_here<const N: usize>(
        &self,
        acts: &mut ActSet,
        x: &[f32],
        k: usize,
        outs: &mut [(&Linear, &mut [f32]); N],
    ) {
        let n = x.len() / k;
        if !self.exact {
            let mut done = [ActType::F32; N];
            for (i, (linear, _)) in outs.iter().enumerate() {
                let ty = self.kernels.act_type(linear.weight_type(), n, k);
                if ty != ActType::F32 && !done[..i].contains(&ty) {
                    self.quantize(acts, ty, x, k);
                }
                done[i] = ty;
            }
        }
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
                let rows = first..first + tile.m();
                if self.exact {
                    self.exact_product(worker, linear, rows, x, &mut tile);
                } else {
                    let ty = linear.weight_type();
                    let rows = linear.weight.rows(self.gguf, rows);
                    let x = match self.kernels.act_type(ty, n, k) {
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
    }

    /// `x`, shape `(n, k)`, into form `ty`.
    pub fn quantize(&self, acts: &mut ActSet, ty: ActType, x: &[f32], k: usize) {
        let n = x.len() / k;
        let step = n.div_ceil(4 * self.pool.n_threads()).max(1);
        let step = step.next_multiple_of(ty.group());
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
        linear: &Linear,
        rows: Range<usize>,
        x: &[f32],
        tile: &mut TileMut<'_>,
    ) {
        let k = linear.weight.n_cols();
        let mut worker = lock(&self.workers[worker]);
        let weights = &mut worker.weights;
        weights.resize(EXACT_ROWS * k, 0.0);
        let weights = &mut weights[..tile.m() * k];
        linear.weight.dequantize(self.gguf, rows, weights);
        let x = ActRows::from_f32(x, k);
        self.kernels
            .matmul(WeightType::F32, bytemuck::cast_slice(weights), x, tile);
    }

    /// Rows of a matrix that a thread takes at a time: a few turns each, whole register tiles.
    fn step(&self, n_out: usize) -> usize {
        n_out
            .div_ceil(4 * self.pool.n_threads())
            .next_multiple_of(32)
            .min(256)
    }
}
