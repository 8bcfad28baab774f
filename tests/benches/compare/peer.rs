//! ggml's side of a pair: graphs of products, as llama.cpp would compute them.

use super::plan::Matrix;
use super::stats::nanoseconds;
use puna_ggml_sys::{Engine, Weights};
use puna_tests::ggml::ggml_type;
use std::time::Instant;

/// Copies of a matrix, each where ggml computes with it best, and products with them.
pub struct Peer {
    engines: Vec<Engine>,
    weights: Vec<Weights<'static>>,
    x: Vec<f32>,
    /// A result for each product of a sample.
    y: Vec<f32>,
    /// Index in `engines`.
    engine: usize,
    /// Products in a sample.
    products: usize,
    /// The sample whose turn is next: each takes other copies, until all had theirs.
    next: usize,
}

impl Peer {
    /// An engine for each of these numbers of threads.
    pub fn new(threads: &[usize]) -> Self {
        Self {
            engines: threads.iter().map(|n| Engine::polling(*n)).collect(),
            weights: Vec::new(),
            x: Vec::new(),
            y: Vec::new(),
            engine: 0,
            products: 0,
            next: 0,
        }
    }

    /// Takes copies of a matrix of these bytes; returns the buffer that ggml chose.
    ///
    /// # Panics
    /// When there is no memory.
    pub fn load(&mut self, matrix: &Matrix, bytes: &[u8], copies: usize) -> String {
        self.unload();
        let (rows, k) = (matrix.shape.rows, matrix.shape.k);
        let ty = ggml_type(matrix.ty.name());
        let copy = || Weights::new(ty, bytes, rows, k).expect("memory");
        self.weights = std::iter::repeat_with(copy).take(copies).collect();
        let buffer = self.weights.first().and_then(Weights::buffer);
        buffer.unwrap_or_default().to_owned()
    }

    /// Gives back the memory of the matrix.
    pub fn unload(&mut self) {
        self.weights = Vec::new();
    }

    /// Gets ready for `n` vectors `x` on the engine of this index, with so many products in a sample.
    ///
    /// # Panics
    /// If no matrix was loaded.
    pub fn prepare(&mut self, x: &[f32], n: usize, engine: usize, products: usize) {
        let rows = self.weights.first().expect("loaded").rows();
        self.x = x.to_vec();
        self.y.clear();
        self.y.resize(products * n * rows, 0.0);
        (self.engine, self.products, self.next) = (engine, products, 0);
    }

    /// The nanoseconds that the next graph takes, made beforehand.
    ///
    /// # Panics
    /// If nothing was prepared.
    pub fn sample(&mut self) -> u64 {
        let engine = &mut self.engines[self.engine];
        let copies = self.weights[self.next * self.products..].iter();
        let len = self.y.len() / self.products;
        let results = self.y.chunks_exact_mut(len);
        let mut outs: Vec<_> = copies.zip(results).collect();
        let mut graph = engine.graph(&self.x, &mut outs);
        let start = Instant::now();
        graph.compute();
        let time = nanoseconds(start);
        drop(graph);
        engine.pause();
        self.next = (self.next + 1) % (self.weights.len() / self.products);
        time
    }

    /// What the last product gave, `len` floats, shape `(n, rows)`.
    ///
    /// # Panics
    /// If nothing was prepared, or it has another length.
    pub fn output(&self, len: usize) -> Vec<f32> {
        assert_eq!(len * self.products, self.y.len(), "the length of a result");
        self.y[self.y.len() - len..].to_vec()
    }
}
