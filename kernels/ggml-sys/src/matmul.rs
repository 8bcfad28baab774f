//! Matrix products as llama.cpp has ggml compute them: a graph, a thread pool that stays, and weights
//! in the buffer that ggml likes best for them (repacked, or tiles for AMX).

use crate::raw;
use crate::types::{self, Type};
use std::ffi::{CStr, c_int};
use std::ptr;

/// ggml's CPU backend with its own threads.
#[derive(Debug)]
pub struct Engine {
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
            Self { backend, pool }
        }
    }

    /// The buffer types for weights, those that rearrange them first, the plain one last.
    fn buffer_types(&self) -> Vec<raw::ggml_backend_buffer_type_t> {
        let mut types = Vec::new();
        // SAFETY: the backend lives; the function of this name has this type (ggml-backend.h), and
        // returns an array that ends with a null.
        unsafe {
            let device = raw::ggml_backend_get_device(self.backend);
            let registry = raw::ggml_backend_dev_backend_reg(device);
            let name = c"ggml_backend_dev_get_extra_bufts";
            let get = raw::ggml_backend_reg_get_proc_address(registry, name.as_ptr());
            let get: raw::ggml_backend_dev_get_extra_bufts_t = std::mem::transmute(get);
            let mut next = get.map_or(ptr::null_mut(), |get| get(device));
            while !next.is_null() && !(*next).is_null() {
                types.push(*next);
                next = next.add(1);
            }
            types.push(raw::ggml_backend_get_default_buffer_type(self.backend));
        }
        types
    }

    /// Prepares `y = W x`: `w` holds `rows` rows of `k` weights, `x` will have `n` vectors.
    ///
    /// # Panics
    /// If the lengths do not agree, or ggml has no memory.
    #[must_use]
    pub fn matmul(&self, ty: Type, w: &[u8], rows: usize, k: usize, n: usize) -> MatMul<'_> {
        assert_eq!(w.len(), rows * ty.row_bytes(k), "{}", ty.name());
        let [k_, rows_, n_] = [k, rows, n].map(|n| i64::try_from(n).expect("a matrix in memory"));
        // SAFETY: contexts hold only descriptions (`no_alloc`) and have room for those made here; the
        // buffers are freed after them; `w` has the tensor's size, as just checked.
        unsafe {
            let weights = context();
            let others = context();
            let w_tensor = raw::ggml_new_tensor_2d(weights, ty.raw(), k_, rows_);
            let x = raw::ggml_new_tensor_2d(others, raw::GGML_TYPE_F32, k_, n_);
            let y = raw::ggml_mul_mat(others, w_tensor, x);
            let graph = raw::ggml_new_graph(others);
            raw::ggml_build_forward_expand(graph, y);
            let likes =
                |ty: &raw::ggml_backend_buffer_type_t| takes(self.backend, *ty, w_tensor, y);
            let chosen = self.buffer_types().into_iter().find(likes);
            let chosen = chosen.expect("the plain buffer takes every type");
            let w_buffer = raw::ggml_backend_alloc_ctx_tensors_from_buft(weights, chosen);
            let buffer = raw::ggml_backend_alloc_ctx_tensors(others, self.backend);
            assert!(!w_buffer.is_null() && !buffer.is_null(), "memory");
            let usage = raw::GGML_BACKEND_BUFFER_USAGE_WEIGHTS;
            raw::ggml_backend_buffer_set_usage(w_buffer, usage);
            raw::ggml_backend_tensor_set(w_tensor, w.as_ptr().cast(), 0, w.len());
            MatMul {
                engine: self,
                contexts: [weights, others],
                buffers: [w_buffer, buffer],
                graph,
                x,
                y,
                x_len: n * k,
                y_len: n * rows,
            }
        }
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

/// A context for a few tensors and a graph, without their data.
unsafe fn context() -> *mut raw::ggml_context {
    // SAFETY: plain sizes; a null buffer makes ggml allocate its own.
    unsafe {
        let params = raw::ggml_init_params {
            mem_size: 8 * raw::ggml_tensor_overhead() + raw::ggml_graph_overhead(),
            mem_buffer: ptr::null_mut(),
            no_alloc: true,
        };
        let context = raw::ggml_init(params);
        assert!(!context.is_null(), "memory");
        context
    }
}

/// Whether the backend computes `y` with the weights `w` in a buffer of this type. ggml asks with an
/// empty buffer, as llama.cpp does.
unsafe fn takes(
    backend: raw::ggml_backend_t,
    buffer_type: raw::ggml_backend_buffer_type_t,
    w: *mut raw::ggml_tensor,
    y: *mut raw::ggml_tensor,
) -> bool {
    // SAFETY: the caller's pointers live; the buffer is taken from the tensor before it is freed.
    unsafe {
        let empty = raw::ggml_backend_buft_alloc_buffer(buffer_type, 0);
        if empty.is_null() {
            return false;
        }
        (*w).buffer = empty;
        let takes = raw::ggml_backend_supports_op(backend, y);
        (*w).buffer = ptr::null_mut();
        raw::ggml_backend_buffer_free(empty);
        takes
    }
}

/// One product, ready to run: weights `(rows, k)`, input `(n, k)`, output `(n, rows)`.
#[derive(Debug)]
pub struct MatMul<'e> {
    engine: &'e Engine,
    contexts: [*mut raw::ggml_context; 2],
    /// Of the weights, and of input and output.
    buffers: [raw::ggml_backend_buffer_t; 2],
    graph: *mut raw::ggml_cgraph,
    x: *mut raw::ggml_tensor,
    y: *mut raw::ggml_tensor,
    x_len: usize,
    y_len: usize,
}

impl MatMul<'_> {
    /// The buffer that ggml chose for the weights, such as `"CPU_REPACK"` or `"AMX"`.
    #[must_use]
    pub fn buffer(&self) -> String {
        // SAFETY: the buffer lives; its name is a C string that outlives this call.
        let name = unsafe { CStr::from_ptr(raw::ggml_backend_buffer_name(self.buffers[0])) };
        name.to_string_lossy().into_owned()
    }

    /// Sets the input, shape `(n, k)`.
    ///
    /// # Panics
    /// If it is not that long.
    pub fn set_input(&mut self, x: &[f32]) {
        assert_eq!(x.len(), self.x_len);
        // SAFETY: the tensor has this many floats and a buffer.
        unsafe { raw::ggml_backend_tensor_set(self.x, x.as_ptr().cast(), 0, size_of_val(x)) };
    }

    /// Computes the output.
    ///
    /// # Panics
    /// If ggml says that it could not.
    pub fn compute(&mut self) {
        // SAFETY: the graph and all its tensors live and have buffers.
        let status = unsafe { raw::ggml_backend_graph_compute(self.engine.backend, self.graph) };
        assert_eq!(status, raw::GGML_STATUS_SUCCESS, "ggml computes the graph");
    }

    /// Copies the output, shape `(n, rows)`.
    ///
    /// # Panics
    /// If `y` is not that long.
    pub fn output(&self, y: &mut [f32]) {
        assert_eq!(y.len(), self.y_len);
        // SAFETY: the tensor has this many floats and a buffer.
        unsafe { raw::ggml_backend_tensor_get(self.y, y.as_mut_ptr().cast(), 0, size_of_val(y)) };
    }
}

impl Drop for MatMul<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `matmul`, freed once.
        unsafe {
            for buffer in self.buffers {
                raw::ggml_backend_buffer_free(buffer);
            }
            for context in self.contexts {
                raw::ggml_free(context);
            }
        }
    }
}
