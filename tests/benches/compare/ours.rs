//! Our side of a pair: what the runtime does for one product, from floats to floats.

use super::plan::Matrix;
use super::stats::nanoseconds;
use puna_core::pool::Pool;
use puna_kernels::{ActRows, ActType, Activations, Kernels};
use std::time::Instant;

/// Copies of a matrix, and what a product with one of them needs.
pub struct Ours {
    kernels: Kernels,
    pools: Vec<Pool>,
    matrix: Option<Matrix>,
    weights: Vec<u8>,
    acts: Activations,
    x: Vec<f32>,
    y: Vec<f32>,
    /// Index in `pools`.
    pool: usize,
    /// Products in a sample.
    products: usize,
    /// The copy whose turn is next, and where the turns begin anew.
    next: usize,
    copies: usize,
}

impl Ours {
    /// A pool for each of these numbers of threads.
    ///
    /// # Panics
    /// When the system gives no threads.
    pub fn new(kernels: Kernels, threads: &[usize]) -> Self {
        let pools = threads.iter().map(|n| Pool::new(*n).expect("threads"));
        Self {
            kernels,
            pools: pools.collect(),
            matrix: None,
            weights: Vec::new(),
            acts: Activations::default(),
            x: Vec::new(),
            y: Vec::new(),
            pool: 0,
            products: 0,
            next: 0,
            copies: 0,
        }
    }

    /// Takes copies of a matrix of these bytes.
    pub fn load(&mut self, matrix: Matrix, bytes: &[u8], copies: usize) {
        self.weights.clear();
        self.weights.reserve_exact(copies * bytes.len());
        for _ in 0..copies {
            self.weights.extend_from_slice(bytes);
        }
        self.matrix = Some(matrix);
    }

    /// Gets ready for vectors `x` on the pool of this index, with so many products in a sample and turns over
    /// so many copies.
    ///
    /// # Panics
    /// If no matrix was loaded.
    pub fn prepare(&mut self, x: &[f32], pool: usize, products: usize, copies: usize) {
        let shape = self.matrix.as_ref().expect("loaded").shape;
        let n = x.len() / shape.k;
        self.x = x.to_vec();
        self.y.clear();
        self.y.resize(products * n * shape.rows, 0.0);
        (self.pool, self.products, self.copies, self.next) = (pool, products, copies, 0);
    }

    /// The nanoseconds that the products of a sample take, each with the next copy, into a result of its own.
    ///
    /// # Panics
    /// If no matrix was loaded.
    pub fn sample(&mut self) -> u64 {
        let start = Instant::now();
        for result in 0..self.products {
            self.product(result);
            self.next = (self.next + 1) % self.copies;
        }
        nanoseconds(start)
    }

    /// What the last product gave, shape `(n, rows)`.
    pub fn output(&self) -> Vec<f32> {
        let len = self.y.len() / self.products;
        self.y[self.y.len() - len..].to_vec()
    }

    /// The form that the vectors take.
    ///
    /// # Panics
    /// If no matrix was loaded.
    pub fn form(&self) -> ActType {
        let matrix = self.matrix.as_ref().expect("loaded");
        let n = self.x.len() / matrix.shape.k;
        self.kernels.act_type(matrix.ty, n, matrix.shape.k)
    }

    /// As `Machine::project` of puna-core: quantizes on all threads, shares out the rows, and looks for
    /// what quantizing hides.
    fn product(&mut self, result: usize) {
        let matrix = self.matrix.as_ref().expect("loaded");
        let (ty, shape, pool) = (matrix.ty, matrix.shape, &self.pools[self.pool]);
        let (k, kernels, x) = (shape.k, &self.kernels, &self.x);
        let n = x.len() / k;
        let form = self.form();
        if form != ActType::F32 {
            let step = n.div_ceil(4 * pool.n_threads()).max(1);
            let step = step.next_multiple_of(form.group());
            let pieces = self.acts.pieces_mut(form, n, k, step);
            let fill = |(first, mut piece): (usize, _)| {
                kernels.quantize(&x[first * k..(first + step).min(n) * k], &mut piece);
            };
            if n == 1 {
                pieces.for_each(fill);
            } else {
                pool.for_each(pieces, |_, item| fill(item));
            }
        }
        let acts = match form {
            ActType::F32 => ActRows::from_f32(x, k),
            form => self.acts.rows(form, n, k),
        };
        let weights = &self.weights[self.next * matrix.bytes()..][..matrix.bytes()];
        let row = ty.row_bytes(k);
        let y = &mut self.y[result * n * shape.rows..][..n * shape.rows];
        pool.for_columns([([&mut *y], shape.rows)], |_, _, first, [mut tile]| {
            let rows = &weights[first * row..(first + tile.m()) * row];
            kernels.matmul(ty, rows, acts, &mut tile);
        });
        for (x, y) in x.chunks(k).zip(y.chunks_mut(shape.rows)) {
            if x.iter().fold(false, |any, x| any | x.is_nan()) {
                y.fill(f32::NAN);
            }
        }
    }
}
