//! Matrix products of the forward pass, shared out over the threads.

use std::{
    ops::Range,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use puna_kernels::{ActRows, ActType, Isa, Kernels, TileMut, WeightType};

use super::{
    scratch::{ActSet, EXACT_ROWS, Worker},
    weights::Linear,
};
use crate::{cancel::Watch, ggml, gguf::Gguf, pool::Pool};

/// What every product needs.
#[derive(Clone, Copy)]
pub(super) struct Machine<'a> {
    pub gguf: &'a Gguf,
    pub kernels: &'a Kernels,
    pub pool: &'a Pool,
    pub workers: &'a [Mutex<Worker>],
    pub watch: &'a Watch<'a>,
    /// Multiplies matrices instead of our kernels; never the exact ones.
    pub engine: Option<&'a ggml::Engine>,
    /// Weights as `f32`, activations as they are.
    pub exact: bool,
}

/// Rows that are not torn apart: kernels take as many at a time, at most.
const LEAST_ROWS: usize = 32;

/// The buffers of the thread that calls.
pub(super) fn lock(worker: &Mutex<Worker>) -> MutexGuard<'_, Worker> {
    worker.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at every number, so that the loop needs no branches.
fn any_nan(x: &[f32]) -> bool {
    x.iter().fold(false, |any, x| any | x.is_nan())
}

/// What becomes of the products, column by column, while they are in the cache.
type Finish<const Z: usize> = fn(&Kernels, &mut [TileMut<'_>; Z]);

/// Matrices that meet the same vectors, and the outputs that belong together: `outs[i]` takes the products of
/// `linears[i]`, one without a matrix is only finished.
struct Group<'a, const Z: usize> {
    linears: [Option<&'a Linear>; Z],
    outs: [&'a mut [f32]; Z],
}

impl Machine<'_> {
    /// `y = W x + b` for each of `outs`: `x` has shape `(n, k)`, each `y` `(n, n_out)`.
    ///
    /// When cancelled, what `y` holds is unspecified.
    pub fn project<const N: usize>(
        &self,
        acts: &mut ActSet,
        x: &[f32],
        outs: [(&Linear, &mut [f32]); N],
    ) {
        let groups = outs.map(|(linear, y)| Group {
            linears: [Some(linear)],
            outs: [y],
        });
        self.products(acts, x, groups, |_, _| {});
    }

    /// `sum += W x + b`; `y` is used on the way. Shapes are those of [`project`](Self::project).
    pub fn project_and_add(
        &self,
        acts: &mut ActSet,
        x: &[f32],
        linear: &Linear,
        y: &mut [f32],
        sum: &mut [f32],
    ) {
        let group = Group {
            linears: [Some(linear), None],
            outs: [y, sum],
        };
        self.products(acts, x, [group], |kernels, [y, sum]| {
            for t in 0..y.n() {
                kernels.add(sum.row(t), y.row(t));
            }
        });
    }

    /// `g = silu(W_g x + b_g) * (W_u x + b_u)`, each of `gate` and `up` a matrix and room for its products, of
    /// which that of `gate` takes the result. Shapes are those of [`project`](Self::project).
    pub fn project_gated(
        &self,
        acts: &mut ActSet,
        x: &[f32],
        (gate, g): (&Linear, &mut [f32]),
        (up, u): (&Linear, &mut [f32]),
    ) {
        let group = Group {
            linears: [Some(gate), Some(up)],
            outs: [g, u],
        };
        self.products(acts, x, [group], |kernels, [g, u]| {
            for t in 0..g.n() {
                kernels.swiglu(g.row(t), u.row(t));
            }
        });
    }

    /// The products of all groups, finished.
    fn products<const N: usize, const Z: usize>(
        &self,
        acts: &mut ActSet,
        x: &[f32],
        mut groups: [Group<'_, Z>; N],
        finish: Finish<Z>,
    ) {
        let first = groups[0].linears[0].expect("a group starts with a matrix");
        let k = first.weight.n_cols();
        let hides_nan = match self.engine {
            Some(engine) => {
                self.products_by(engine, x, &mut groups, finish);
                any_nan(x)
            }
            None => self.products_here(acts, x, k, &mut groups, finish),
        };
        if !hides_nan {
            return;
        }
        // Integers cannot say NaN: what quantizing hid is put back, so that broken weights show.
        for (t, _) in x.chunks(k).enumerate().filter(|(_, x)| any_nan(x)) {
            for y in groups.iter_mut().flat_map(|group| &mut group.outs) {
                let n_out = y.len() / (x.len() / k);
                y[t * n_out..(t + 1) * n_out].fill(f32::NAN);
            }
        }
    }

    /// [`products`](Self::products) with ggml's kernels and threads, all matrices in one graph: its threads
    /// wake once. They sleep otherwise, and ours sleep meanwhile.
    fn products_by<const N: usize, const Z: usize>(
        &self,
        engine: &ggml::Engine,
        x: &[f32],
        groups: &mut [Group<'_, Z>; N],
        finish: Finish<Z>,
    ) {
        if self.watch.stops() {
            return;
        }
        let products = groups.iter_mut().flat_map(|group| {
            let outs = group.linears.iter().zip(&mut group.outs);
            outs.filter_map(|(linear, y)| Some(((*linear)?, &mut **y)))
        });
        let products = products.map(|(linear, y)| {
            let matrix = linear.ggml.as_ref();
            let matrix = matrix.expect("every matrix of Backend::Ggml is prepared");
            let bytes = linear.weight.rows(self.gguf, 0..linear.weight.n_rows());
            (matrix, bytes, y)
        });
        engine.products(x, products.collect());
        for group in groups {
            for (linear, y) in group.linears.iter().zip(&mut group.outs) {
                if let Some(bias) = linear.and_then(|linear| linear.bias.as_ref()) {
                    for y in y.chunks_exact_mut(bias.len()) {
                        self.kernels.add(y, bias);
                    }
                }
            }
            let m = group.n_out();
            let mut tiles = group.outs.each_mut().map(|y| TileMut::new(y, m));
            finish(self.kernels, &mut tiles);
        }
    }

    /// [`products`](Self::products) with our kernels: `x` is quantized once in each form that the matrices
    /// take. Whether that hid a NaN.
    fn products_here<const N: usize, const Z: usize>(
        &self,
        acts: &mut ActSet,
        x: &[f32],
        k: usize,
        groups: &mut [Group<'_, Z>; N],
        finish: Finish<Z>,
    ) -> bool {
        let n = x.len() / k;
        let mut hides_nan = false;
        let linears = groups.each_ref().map(|group| group.linears);
        if !self.exact {
            // A group has two matrices at most, and there are three groups at most.
            let mut done = [ActType::F32; 6];
            for (i, linear) in linears.iter().flatten().flatten().enumerate() {
                let ty = self.kernels.act_type(linear.weight_type(), n, k);
                if ty != ActType::F32 && !done[..i].contains(&ty) {
                    hides_nan |= self.quantize(acts, ty, x, k);
                }
                done[i] = ty;
            }
        }
        let acts = &*acts;
        let outs = groups.each_mut().map(|group| {
            let m = group.n_out();
            (group.outs.each_mut().map(|y| &mut **y), m)
        });
        self.pool
            .for_columns(outs, |worker, group, first, mut tiles| {
                let m = tiles[0].m();
                let step = rows_between_looks(self.kernels.isa(), n, k);
                for start in (0..m).step_by(step) {
                    if self.watch.stops() {
                        return;
                    }
                    let len = step.min(m - start);
                    let mut tiles = tiles.each_mut().map(|tile| tile.columns(start, len));
                    for (linear, tile) in linears[group].iter().zip(&mut tiles) {
                        if let Some(linear) = linear {
                            self.product(worker, linear, first + start, x, acts, tile);
                        }
                    }
                    finish(self.kernels, &mut tiles);
                }
            });
        hides_nan
    }

    /// [`Pool::for_each`], which hands out nothing more once the work is to stop.
    pub fn for_each<T: Send>(
        &self,
        items: impl Iterator<Item = T> + Send,
        f: impl Fn(usize, T) + Sync,
    ) {
        self.pool
            .for_each(items.take_while(|_| !self.watch.stops()), f);
    }

    /// The rows of a matrix from `first` on, as many as `tile` has columns, times all vectors.
    fn product(
        &self,
        worker: usize,
        linear: &Linear,
        first: usize,
        x: &[f32],
        acts: &ActSet,
        tile: &mut TileMut<'_>,
    ) {
        let (k, rows) = (linear.weight.n_cols(), first..first + tile.m());
        if self.exact {
            self.exact_product(worker, linear, rows, x, tile);
        } else {
            let ty = linear.weight_type();
            let rows = linear.weight.rows(self.gguf, rows);
            let n = x.len() / k;
            let x = match self.kernels.act_type(ty, n, k) {
                ActType::F32 => ActRows::from_f32(x, k),
                form => acts.get(form).rows(form, n, k),
            };
            self.kernels.matmul(ty, rows, x, tile);
        }
        if let Some(bias) = &linear.bias {
            let bias = &bias[first..first + tile.m()];
            for t in 0..tile.n() {
                self.kernels.add(tile.row(t), bias);
            }
        }
    }

    /// `x`, shape `(n, k)`, into form `ty`; whether `x` has a NaN, which integers cannot say.
    fn quantize(&self, acts: &mut ActSet, ty: ActType, x: &[f32], k: usize) -> bool {
        let n = x.len() / k;
        let step = n.div_ceil(4 * self.pool.n_threads()).max(1);
        let step = step.next_multiple_of(ty.group());
        let pieces = acts.get_mut(ty).pieces_mut(ty, n, k, step);
        let found = AtomicBool::new(false);
        let fill = |(first, mut piece): (usize, _)| {
            let x = &x[first * k..(first + step).min(n) * k];
            self.kernels.quantize(x, &mut piece);
            if any_nan(x) {
                found.store(true, Relaxed);
            }
        };
        if n == 1 {
            pieces.for_each(fill);
        } else {
            self.for_each(pieces, |_, item| fill(item));
        }
        found.into_inner()
    }

    /// [`product`](Self::product) of the exact path.
    fn exact_product(
        &self,
        worker: usize,
        linear: &Linear,
        rows: Range<usize>,
        x: &[f32],
        tile: &mut TileMut<'_>,
    ) {
        let k = linear.weight.n_cols();
        let x = ActRows::from_f32(x, k);
        let mut worker = lock(&self.workers[worker]);
        let weights = &mut worker.weights;
        for first in rows.clone().step_by(EXACT_ROWS) {
            let some = first..(first + EXACT_ROWS).min(rows.end);
            let mut tile = tile.columns(first - rows.start, some.len());
            let weights = &mut weights[..some.len() * k];
            linear.weight.dequantize(self.gguf, some, weights);
            let weights = bytemuck::cast_slice(weights);
            self.kernels.matmul(WeightType::F32, weights, x, &mut tile);
        }
    }
}

/// Rows of `k` weights that may meet `n` vectors between two looks at the flag: some tens of milliseconds' work for
/// a phone's core, in whole units of 32 rows.
fn rows_between_looks(isa: Isa, n: usize, k: usize) -> usize {
    let products = match (n, isa) {
        // One vector is soon done, but waits for storage where the weights are not in memory yet.
        (1, _) => 1 << 21,
        // Many times as fast as others, and each call packs all vectors anew.
        (_, Isa::Amx | Isa::AmxBf16) => 1 << 31,
        _ => 1 << 28,
    };
    (products / (n * k)).max(LEAST_ROWS) / LEAST_ROWS * LEAST_ROWS
}

impl<const Z: usize> Group<'_, Z> {
    /// Columns of each output.
    fn n_out(&self) -> usize {
        self.linears[0].map_or(0, |linear| linear.weight.n_rows())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_between_two_looks_is_bounded_whatever_the_model_and_the_prompt() {
        for k in [64, 576, 4_096, 11_008, 28_672] {
            for n in [1, 2, 8, 512, 2_048, 1 << 20] {
                let rows = rows_between_looks(Isa::Neon, n, k);
                assert_eq!(rows % LEAST_ROWS, 0);
                assert!(rows * n * k <= 1 << 28 || rows == LEAST_ROWS, "{rows}");
                assert!(n > 1 || rows * k <= 1 << 21, "{rows}");
            }
        }
    }
}
