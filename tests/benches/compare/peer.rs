//! ggml's side of a pair: graphs of products, as llama.cpp would compute them.

use super::plan::Matrix;
use super::stats::nanoseconds;
use puna_ggml_sys::{Engine, MatMul, Weights};
use puna_tests::ggml::ggml_type;
use std::time::Instant;

/// Copies of a matrix in ggml's buffer, and products with them.
pub struct Peer {
    engines: Vec<Engine>,
    weights: Option<Weights>,
    matmul: Option<MatMul>,
    /// Index in `engines`.
    engine: usize,
    next: usize,
}

impl Peer {
    /// An engine for each of these numbers of threads.
    pub fn new(threads: &[usize]) -> Self {
        Self {
            engines: threads.iter().map(|n| Engine::new(*n)).collect(),
            weights: None,
            matmul: None,
            engine: 0,
            next: 0,
        }
    }

    /// Takes copies of a matrix of these bytes; returns the buffer that ggml chose.
    pub fn load(&mut self, matrix: &Matrix, bytes: &[u8], copies: usize) -> String {
        self.unload();
        let (rows, k) = (matrix.shape.rows, matrix.shape.k);
        let weights = self.engines[0].weights(ggml_type(matrix.ty.name()), bytes, rows, k, copies);
        let buffer = weights.buffer();
        self.weights = Some(weights);
        buffer
    }

    /// Gives back the memory of the matrix.
    pub fn unload(&mut self) {
        self.matmul = None;
        self.weights = None;
    }

    /// Gets ready for `n` vectors `x` on the engine of this index, with so many products in a sample.
    ///
    /// # Panics
    /// If no matrix was loaded.
    pub fn prepare(&mut self, x: &[f32], n: usize, engine: usize, products: usize) {
        let weights = self.weights.as_ref().expect("loaded");
        let mut matmul = self.engines[engine].matmul(weights, n, products);
        matmul.set_input(x);
        self.matmul = Some(matmul);
        (self.engine, self.next) = (engine, 0);
    }

    /// The nanoseconds that the next graph takes.
    ///
    /// # Panics
    /// If nothing was prepared.
    pub fn sample(&mut self) -> u64 {
        let matmul = self.matmul.as_mut().expect("prepared");
        let start = Instant::now();
        matmul.compute(self.next);
        let time = nanoseconds(start);
        self.engines[self.engine].pause();
        self.next = (self.next + 1) % matmul.graphs();
        time
    }

    /// What the last product gave, `len` floats, shape `(n, rows)`.
    ///
    /// # Panics
    /// If nothing was prepared, or it has another length.
    pub fn output(&self, len: usize) -> Vec<f32> {
        let mut y = vec![0.0; len];
        self.matmul.as_ref().expect("prepared").output(&mut y);
        y
    }
}
