//! Matrix products as llama.cpp has ggml compute them: a graph, and a thread pool that stays.

use crate::raw;
use crate::tiles;
use crate::types::{self, Type};
use crate::weights::{Weights, context, matrix};
use std::ffi::c_int;
use std::marker::PhantomData;

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
    /// A backend of `n_threads` threads, the caller's included. Between graphs they sleep at once: whoever
    /// computes with ggml has other work for the cores then, which threads that look for work would take
    /// away for milliseconds.
    ///
    /// # Panics
    /// If `n_threads` is 0 or ggml cannot make one.
    #[must_use]
    pub fn new(n_threads: usize) -> Self {
        Self::with_poll(n_threads, Some(0))
    }

    /// As [`new`](Self::new), with threads that look for work for a while after each graph, as in
    /// llama.cpp; [`pause`](Self::pause) ends that.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    #[must_use]
    pub fn polling(n_threads: usize) -> Self {
        Self::with_poll(n_threads, None)
    }

    /// Polls as long as `poll` says, or as ggml likes.
    fn with_poll(n_threads: usize, poll: Option<u32>) -> Self {
        types::init();
        let n = c_int::try_from(n_threads).expect("few threads");
        assert!(n > 0, "at least one thread");
        // SAFETY: plain constructors; the backend is told of a pool that lives as long as it does.
        unsafe {
            let backend = raw::ggml_backend_cpu_init();
            assert!(!backend.is_null(), "ggml has a CPU backend");
            let mut params = raw::ggml_threadpool_params_default(n);
            params.poll = poll.unwrap_or(params.poll);
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

    /// Puts the other threads to sleep. The next graph wakes them.
    pub fn pause(&mut self) {
        // SAFETY: the pool lives, and no graph runs: that would borrow the engine.
        unsafe { raw::ggml_threadpool_pause(self.pool) };
    }

    /// Prepares `y = W x` for each of `outs`: `x` has shape `(n, k)`, each `y` `(n, rows)`.
    ///
    /// # Panics
    /// If there is no product, or the shapes do not agree.
    #[must_use]
    pub fn graph<'a>(
        &'a mut self,
        x: &'a [f32],
        outs: &'a mut [(&'a Weights<'a>, &'a mut [f32])],
    ) -> Graph<'a> {
        let k = outs.first().expect("a product").0.k();
        let n = x.len() / k;
        assert_eq!(x.len(), n * k, "whole vectors");
        for (w, y) in &*outs {
            assert_eq!((w.k(), y.len()), (k, n * w.rows()), "shapes");
        }
        let tiled = outs.iter().any(|(w, _)| w.in_tiles());
        // SAFETY: the context has room for what is made in it. The tensors get the caller's slices as
        // data, which have their sizes, as just checked; ggml reads weights and `x` and writes each `y`,
        // all of which are borrowed as long as the graph lives. Its kernels need no more alignment of
        // singles than Rust gives.
        unsafe {
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
            Graph {
                backend: self.backend,
                context,
                graph,
                tiled,
                empty: n == 0,
                borrowed: PhantomData,
            }
        }
    }

    /// Computes `y = W x` for each of `outs`; see [`graph`](Self::graph).
    ///
    /// # Panics
    /// If the shapes do not agree, or ggml says that it could not compute.
    pub fn products<'a>(
        &'a mut self,
        x: &'a [f32],
        outs: &'a mut [(&'a Weights<'a>, &'a mut [f32])],
    ) {
        if !outs.is_empty() {
            self.graph(x, outs).compute();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // SAFETY: made by `with_poll`, freed once, the user of the pool first.
        unsafe {
            raw::ggml_backend_free(self.backend);
            raw::ggml_threadpool_free(self.pool);
        }
    }
}

/// Products, ready to run on an engine.
#[derive(Debug)]
pub struct Graph<'a> {
    backend: raw::ggml_backend_t,
    context: *mut raw::ggml_context,
    graph: *mut raw::ggml_cgraph,
    /// Some of the weights lie in tiles.
    tiled: bool,
    /// There are no vectors.
    empty: bool,
    /// The engine, the weights and the vectors.
    borrowed: PhantomData<&'a mut [f32]>,
}

impl Graph<'_> {
    /// Computes the products, one after the other.
    ///
    /// # Panics
    /// If ggml says that it could not.
    pub fn compute(&mut self) {
        if self.empty {
            return;
        }
        if self.tiled {
            tiles::restore();
        }
        // SAFETY: the graph and its tensors live in the context; their data and the backend are borrowed.
        let status = unsafe { raw::ggml_backend_graph_compute(self.backend, self.graph) };
        if self.tiled {
            // SAFETY: ggml has offered such a buffer.
            unsafe { tiles::note() };
        }
        assert_eq!(status, raw::GGML_STATUS_SUCCESS, "ggml computes the graph");
    }
}

impl Drop for Graph<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `Engine::graph`, freed once.
        unsafe { raw::ggml_free(self.context) };
    }
}
