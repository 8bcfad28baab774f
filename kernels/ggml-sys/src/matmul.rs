//! Matrix products as llama.cpp has ggml compute them: a graph, a thread pool that stays, and weights
//! in the buffer that ggml likes best for them (repacked, or tiles for AMX).

use crate::raw;
use crate::types::{self, Type};
use crate::weights::preferred;
use std::ffi::{CStr, c_int};
use std::ptr;
use std::rc::Rc;

/// ggml's CPU backend with its own threads; clones are the same one.
#[derive(Clone, Debug)]
pub struct Engine(Rc<Threads>);

#[derive(Debug)]
struct Threads {
    backend: raw::ggml_backend_t,
    pool: raw::ggml_threadpool_t,
}

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
            let pool = raw::ggml_threadpool_new(&raw mut params);
            assert!(!pool.is_null(), "ggml makes {n} threads");
            raw::ggml_backend_cpu_set_n_threads(backend, n);
            raw::ggml_backend_cpu_set_threadpool(backend, pool);
            Self(Rc::new(Threads { backend, pool }))
        }
    }

    /// Puts the other threads to sleep, which else look for work for a while after each graph. The next
    /// one wakes them.
    pub fn pause(&self) {
        // SAFETY: the pool lives, and no graph runs: that would take this thread.
        unsafe { raw::ggml_threadpool_pause(self.0.pool) };
    }

    /// Some copies of the same matrix, `rows` rows of `k` weights, each where ggml computes with it best.
    ///
    /// # Panics
    /// If `w` is not such a matrix, there are no copies, or ggml has no memory.
    #[must_use]
    pub fn weights(&self, ty: Type, w: &[u8], rows: usize, k: usize, copies: usize) -> Weights {
        assert_eq!(w.len(), rows * ty.row_bytes(k), "{}", ty.name());
        assert!(copies > 0, "at least one matrix");
        // SAFETY: contexts hold only descriptions (`no_alloc`) and have room for those made here; the
        // buffer is freed after the one that describes it; `w` has the tensors' size, as just checked.
        unsafe {
            let context = Context::new(copies, &[]);
            let tensors: Vec<_> = (0..copies)
                .map(|_| raw::ggml_new_tensor_2d(context.0, ty.raw(), count(k), count(rows)))
                .collect();
            let chosen = preferred(tensors[0]);
            let buffer = raw::ggml_backend_alloc_ctx_tensors_from_buft(context.0, chosen);
            assert!(!buffer.is_null(), "memory");
            let usage = raw::GGML_BACKEND_BUFFER_USAGE_WEIGHTS;
            raw::ggml_backend_buffer_set_usage(buffer, usage);
            for tensor in &tensors {
                raw::ggml_backend_tensor_set(*tensor, w.as_ptr().cast(), 0, w.len());
            }
            Weights(Rc::new(Matrices {
                _context: context,
                buffer: Buffer(buffer),
                tensors,
                rows,
                k,
            }))
        }
    }

    /// Prepares `y = W x` for `n` vectors and every copy of the weights, in graphs of `per_graph` products
    /// each; copies that do not fill a graph are left out.
    ///
    /// # Panics
    /// If there are fewer copies than a graph takes, or ggml has no memory.
    #[must_use]
    pub fn matmul(&self, weights: &Weights, n: usize, per_graph: usize) -> MatMul {
        let w = &*weights.0;
        let n_graphs = w.tensors.len() / per_graph;
        assert!(n_graphs > 0, "{per_graph} of {} matrices", w.tensors.len());
        // A graph counts its inputs apart from its results.
        let size = per_graph + 1;
        // SAFETY: as in `weights`; every result lies at the start of the same buffer, which is as large as
        // one, and nothing reads one while a graph runs.
        unsafe {
            let io = Context::new(2, &[]);
            let x = raw::ggml_new_tensor_2d(io.0, raw::GGML_TYPE_F32, count(w.k), count(n));
            let y = raw::ggml_new_tensor_2d(io.0, raw::GGML_TYPE_F32, count(w.rows), count(n));
            let buffer = raw::ggml_backend_alloc_ctx_tensors(io.0, self.0.backend);
            assert!(!buffer.is_null(), "memory");
            let context = Context::new(n_graphs * per_graph, &vec![size; n_graphs]);
            let graphs = w.tensors.chunks_exact(per_graph).map(|tensors| {
                let graph = raw::ggml_new_graph_custom(context.0, size, false);
                for tensor in tensors {
                    let result = raw::ggml_mul_mat(context.0, *tensor, x);
                    let status = raw::ggml_backend_tensor_alloc(buffer, result, (*y).data);
                    assert_eq!(status, raw::GGML_STATUS_SUCCESS, "room for a result");
                    raw::ggml_build_forward_expand(graph, result);
                }
                graph
            });
            let graphs = graphs.collect();
            MatMul {
                engine: self.clone(),
                weights: weights.clone(),
                _contexts: [context, io],
                _buffer: Buffer(buffer),
                graphs,
                x,
                y,
                n,
            }
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // SAFETY: made by `new`, freed once, the user of the pool first.
        unsafe {
            raw::ggml_backend_free(self.backend);
            raw::ggml_threadpool_free(self.pool);
        }
    }
}

/// A length as C counts.
fn count(n: usize) -> i64 {
    i64::try_from(n).expect("a matrix in memory")
}

/// Descriptions of tensors and graphs, without their data.
#[derive(Debug)]
struct Context(*mut raw::ggml_context);

impl Context {
    /// Room for some tensors, and for graphs of these sizes.
    fn new(tensors: usize, graphs: &[usize]) -> Self {
        // SAFETY: plain sizes; a null buffer makes ggml allocate its own.
        unsafe {
            let graphs = graphs.iter();
            let graphs = graphs.map(|size| raw::ggml_graph_overhead_custom(*size, false));
            let params = raw::ggml_init_params {
                mem_size: tensors * raw::ggml_tensor_overhead() + graphs.sum::<usize>(),
                mem_buffer: ptr::null_mut(),
                no_alloc: true,
            };
            let context = raw::ggml_init(params);
            assert!(!context.is_null(), "memory");
            Self(context)
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made by `new`, freed once.
        unsafe { raw::ggml_free(self.0) };
    }
}

/// Memory of tensors.
#[derive(Debug)]
struct Buffer(raw::ggml_backend_buffer_t);

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: ggml has given it to whoever made this, and nobody else frees it.
        unsafe { raw::ggml_backend_buffer_free(self.0) };
    }
}

/// Copies of a matrix, in a buffer of ggml's choice; clones are the same ones.
#[derive(Clone, Debug)]
pub struct Weights(Rc<Matrices>);

#[derive(Debug)]
struct Matrices {
    _context: Context,
    buffer: Buffer,
    tensors: Vec<*mut raw::ggml_tensor>,
    rows: usize,
    k: usize,
}

impl Weights {
    /// The buffer that ggml chose, such as `"CPU_REPACK"` or `"AMX"`.
    #[must_use]
    pub fn buffer(&self) -> String {
        // SAFETY: the buffer lives; its name is a C string that outlives this call.
        let name = unsafe { CStr::from_ptr(raw::ggml_backend_buffer_name(self.0.buffer.0)) };
        name.to_string_lossy().into_owned()
    }
}

/// Products, ready to run: weights `(rows, k)`, input `(n, k)`, output `(n, rows)`.
#[derive(Debug)]
pub struct MatMul {
    engine: Engine,
    /// Keeps them alive, and knows their shape.
    weights: Weights,
    _contexts: [Context; 2],
    _buffer: Buffer,
    graphs: Vec<*mut raw::ggml_cgraph>,
    x: *mut raw::ggml_tensor,
    y: *mut raw::ggml_tensor,
    n: usize,
}

impl MatMul {
    /// How many graphs there are.
    #[must_use]
    pub fn graphs(&self) -> usize {
        self.graphs.len()
    }

    /// Sets the input of all, shape `(n, k)`.
    ///
    /// # Panics
    /// If it is not that long.
    pub fn set_input(&mut self, x: &[f32]) {
        assert_eq!(x.len(), self.n * self.weights.0.k);
        // SAFETY: the tensor has this many floats and a buffer.
        unsafe { raw::ggml_backend_tensor_set(self.x, x.as_ptr().cast(), 0, size_of_val(x)) };
    }

    /// Computes the products of one graph, one after the other into the same output.
    ///
    /// # Panics
    /// If there is no such graph, or ggml says that it could not.
    pub fn compute(&mut self, graph: usize) {
        let (backend, graph) = (self.engine.0.backend, self.graphs[graph]);
        // SAFETY: the graph and all its tensors live and have buffers.
        let status = unsafe { raw::ggml_backend_graph_compute(backend, graph) };
        assert_eq!(status, raw::GGML_STATUS_SUCCESS, "ggml computes the graph");
    }

    /// Copies the output, shape `(n, rows)`.
    ///
    /// # Panics
    /// If `y` is not that long.
    pub fn output(&self, y: &mut [f32]) {
        assert_eq!(y.len(), self.n * self.weights.0.rows);
        // SAFETY: the tensor has this many floats and a buffer.
        unsafe { raw::ggml_backend_tensor_get(self.y, y.as_mut_ptr().cast(), 0, size_of_val(y)) };
    }
}
