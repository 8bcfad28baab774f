//! Matrix products as llama.cpp has ggml compute them: a graph, and a thread pool that stays.

use crate::raw;
use crate::tiles;
use crate::types::{self, Type};
use crate::weights::{Weights, context, matrix};
use std::ffi::c_int;

/// ggml's CPU backend with its own threads.
#[derive(Debug)]
pub struct Engine {
    backend: raw::ggml_backend_t,
    pool: raw::ggml_threadpool_t,
    n_threads: usize,
}

// SAFETY: the backend is used by one thread at a time (`&mut self`), and does not care which.
unsafe impl Send for Engine {}

impl Engine {
    /// A backend of `n_threads` threads, the caller's included.
    ///
    /// # Panics
    /// If `n_threads` is 0 or ggml cannot make one.
    #[must_use]
    pub fn new(n_threads: usize) -> Self {
        types::init();
        let n = c_int::try_from(n_threads).expect("few threads");
        assert!(n > 0, "at least one thread");
        // SAFETY: plain constructors; the backend is told of a pool that lives as long as it does.
        unsafe {
            let backend = raw::ggml_backend_cpu_init();
            assert!(!backend.is_null(), "ggml has a CPU backend");
            let mut params = raw::ggml_threadpool_params_default(n);
            // Between graphs ggml's threads sleep at once: whoever computes with it has other work for
            // the cores then, which threads that poll would take away for milliseconds.
            params.poll = 0;
            let pool = raw::ggml_threadpool_new(&raw mut params);
            assert!(!pool.is_null(), "ggml makes {n} threads");
            raw::ggml_backend_cpu_set_n_threads(backend, n);
            raw::ggml_backend_cpu_set_threadpool(backend, pool);
            Self {
                backend,
                pool,
                n_threads,
            }
        }
    }

    /// Threads, the caller's included.
    #[must_use]
    pub const fn n_threads(&self) -> usize {
        self.n_threads
    }

    /// `y = W x` for each of `outs`: `x` has shape `(n, k)`, each `y` `(n, rows)`.
    ///
    /// # Panics
    /// If the shapes do not agree, or ggml says that it could not compute.
    pub fn products(&mut self, x: &[f32], outs: &mut [(&Weights<'_>, &mut [f32])]) {
        let Some(k) = outs.first().map(|(w, _)| w.k()) else {
            return;
        };
        let n = x.len() / k;
        assert_eq!(x.len(), n * k, "whole vectors");
        for (w, y) in &*outs {
            assert_eq!((w.k(), y.len()), (k, n * w.rows()), "shapes");
        }
        if n == 0 {
            return;
        }
        let tiled = outs.iter().any(|(w, _)| w.in_tiles());
        if tiled {
            tiles::restore();
        }
        // SAFETY: the context has room for what is made in it, and is freed after its last use. The
        // tensors get the caller's slices as data, which have their sizes, as just checked; ggml reads
        // weights and `x` and writes each `y`, all of which are borrowed until it is done. Its kernels
        // need no more alignment of singles than Rust gives.
        let status = unsafe {
            let n_graph = 2 * outs.len() + 1;
            let context = context(n_graph, n_graph);
            let x_tensor = matrix(context, Type::F32, n, k);
            (*x_tensor).data = x.as_ptr().cast_mut().cast();
            let graph = raw::ggml_new_graph_custom(context, n_graph, false);
            for (w, y) in outs {
                let product = raw::ggml_mul_mat(context, w.describe(context), x_tensor);
                (*product).data = y.as_mut_ptr().cast();
                raw::ggml_build_forward_expand(graph, product);
            }
            let status = raw::ggml_backend_graph_compute(self.backend, graph);
            raw::ggml_free(context);
            status
        };
        if tiled {
            // SAFETY: ggml has just offered such a buffer.
            unsafe { tiles::note() };
        }
        assert_eq!(status, raw::GGML_STATUS_SUCCESS, "ggml computes the graph");
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // SAFETY: made by `new`, freed once, the user of the pool first.
        unsafe {
            raw::ggml_backend_free(self.backend);
            raw::ggml_threadpool_free(self.pool);
        }
    }
}
