//! Matrices as ggml's products take them.

use crate::raw;
use crate::types::{self, Type};
use std::ffi::CStr;
use std::ptr;

/// `rows` rows of `k` weights: a copy in the buffer that ggml likes best for them (repacked, or tiles for
/// AMX), or somebody's bytes where they lie.
#[derive(Debug)]
pub struct Weights<'a> {
    ty: Type,
    rows: usize,
    k: usize,
    place: Place<'a>,
}

#[derive(Debug)]
enum Place<'a> {
    Kept(Kept),
    Borrowed(&'a [u8]),
}

/// A tensor of its own context and buffer.
#[derive(Debug)]
struct Kept {
    context: *mut raw::ggml_context,
    buffer: raw::ggml_backend_buffer_t,
    tensor: *mut raw::ggml_tensor,
}

// SAFETY: nothing writes to what these point at between `Weights::new` and `drop`; neither ggml's
// allocator nor its buffers belong to a thread.
unsafe impl Send for Kept {}
// SAFETY: as above; graphs get a copy of the tensor's description, so not even that is written to.
unsafe impl Sync for Kept {}

impl Drop for Kept {
    fn drop(&mut self) {
        // SAFETY: made by `Weights::new`, freed once.
        unsafe {
            raw::ggml_backend_buffer_free(self.buffer);
            raw::ggml_free(self.context);
        }
    }
}

/// The bytes that ggml aligns tensors to.
const ALIGNMENT: usize = 32;

impl Weights<'static> {
    /// A copy of `bytes` in the buffer that ggml likes best for them; `None` if there is no memory.
    ///
    /// # Panics
    /// If the lengths do not agree, or ggml does not multiply with the type.
    #[must_use]
    pub fn new(ty: Type, bytes: &[u8], rows: usize, k: usize) -> Option<Self> {
        check(ty, bytes, rows, k);
        // SAFETY: the context holds only descriptions; the tensor has the size of `bytes`, as just
        // checked; the buffer is freed after the last use of the tensor.
        unsafe {
            let context = context(1, 0);
            let tensor = matrix(context, ty, rows, k);
            let buffer_type = preferred(tensor);
            let buffer = raw::ggml_backend_alloc_ctx_tensors_from_buft(context, buffer_type);
            if buffer.is_null() {
                raw::ggml_free(context);
                return None;
            }
            let usage = raw::GGML_BACKEND_BUFFER_USAGE_WEIGHTS;
            raw::ggml_backend_buffer_set_usage(buffer, usage);
            raw::ggml_backend_tensor_set(tensor, bytes.as_ptr().cast(), 0, bytes.len());
            let kept = Kept {
                context,
                buffer,
                tensor,
            };
            Some(Self {
                ty,
                rows,
                k,
                place: Place::Kept(kept),
            })
        }
    }
}

impl<'a> Weights<'a> {
    /// The weights where they lie; `None` if ggml would rather rearrange a copy of them
    /// ([`new`](Weights::new)), or if they do not lie at a multiple of 32.
    ///
    /// # Panics
    /// As [`new`](Weights::new).
    #[must_use]
    pub fn in_place(ty: Type, bytes: &'a [u8], rows: usize, k: usize) -> Option<Self> {
        check(ty, bytes, rows, k);
        if !bytes.as_ptr().addr().is_multiple_of(ALIGNMENT) {
            return None;
        }
        // SAFETY: the context holds only a description, and is freed once.
        let plain = unsafe {
            let context = context(1, 0);
            let preferred = preferred(matrix(context, ty, rows, k));
            raw::ggml_free(context);
            preferred == raw::ggml_backend_cpu_buffer_type()
        };
        plain.then(|| Self::borrowed(ty, bytes, rows, k))
    }

    /// As [`in_place`](Self::in_place), for weights of which it has once said that they can stay.
    ///
    /// # Panics
    /// If the lengths do not agree, or the bytes do not lie at a multiple of 32.
    #[must_use]
    pub fn borrowed(ty: Type, bytes: &'a [u8], rows: usize, k: usize) -> Self {
        check(ty, bytes, rows, k);
        let aligned = bytes.as_ptr().addr().is_multiple_of(ALIGNMENT);
        assert!(aligned, "weights lie at a multiple of {ALIGNMENT}");
        Self {
            ty,
            rows,
            k,
            place: Place::Borrowed(bytes),
        }
    }

    /// Outputs.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Inputs.
    #[must_use]
    pub const fn k(&self) -> usize {
        self.k
    }

    /// The buffer that ggml chose, such as `"CPU_REPACK"` or `"AMX"`; `None` of borrowed bytes.
    #[must_use]
    pub fn buffer(&self) -> Option<&str> {
        let Place::Kept(kept) = &self.place else {
            return None;
        };
        // SAFETY: the buffer lives; its name is a C string constant.
        let name = unsafe { CStr::from_ptr(raw::ggml_backend_buffer_name(kept.buffer)) };
        name.to_str().ok()
    }

    /// Whether ggml multiplies with them in AMX tiles.
    pub(crate) fn in_tiles(&self) -> bool {
        self.buffer() == Some("AMX")
    }

    /// Bytes that are held besides the caller's.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.place {
            // SAFETY: the buffer lives.
            Place::Kept(kept) => unsafe { raw::ggml_backend_buffer_get_size(kept.buffer) },
            Place::Borrowed(_) => 0,
        }
    }

    /// A description of these weights for a graph.
    ///
    /// # Safety
    /// The context lives and has room for a tensor, and nothing is written through the result, which
    /// is not used after these weights.
    pub(crate) unsafe fn describe(&self, context: *mut raw::ggml_context) -> *mut raw::ggml_tensor {
        // SAFETY: by the caller; a kept tensor lives as long as `self`.
        unsafe {
            let tensor = matrix(context, self.ty, self.rows, self.k);
            match &self.place {
                Place::Kept(kept) => {
                    (*tensor).data = (*kept.tensor).data;
                    (*tensor).buffer = (*kept.tensor).buffer;
                    (*tensor).extra = (*kept.tensor).extra;
                }
                Place::Borrowed(bytes) => (*tensor).data = bytes.as_ptr().cast_mut().cast(),
            }
            tensor
        }
    }
}

fn check(ty: Type, bytes: &[u8], rows: usize, k: usize) {
    types::init();
    assert!(ty.act_type().is_some(), "no products with {}", ty.name());
    assert_eq!(bytes.len(), rows * ty.row_bytes(k), "{}", ty.name());
}

/// A context for this many tensors without their data, and a graph of at most `n_graph` of them.
pub(crate) unsafe fn context(n_tensors: usize, n_graph: usize) -> *mut raw::ggml_context {
    // SAFETY: plain sizes; a null buffer makes ggml allocate its own.
    unsafe {
        let params = raw::ggml_init_params {
            mem_size: n_tensors * raw::ggml_tensor_overhead()
                + raw::ggml_graph_overhead_custom(n_graph, false),
            mem_buffer: ptr::null_mut(),
            no_alloc: true,
        };
        let context = raw::ggml_init(params);
        assert!(!context.is_null(), "memory");
        context
    }
}

/// An empty tensor of `rows` rows of `k` elements. The context lives and has room.
pub(crate) unsafe fn matrix(
    context: *mut raw::ggml_context,
    ty: Type,
    rows: usize,
    k: usize,
) -> *mut raw::ggml_tensor {
    let [k, rows] = [k, rows].map(|n| i64::try_from(n).expect("a matrix in memory"));
    // SAFETY: by the caller.
    unsafe { raw::ggml_new_tensor_2d(context, ty.raw(), k, rows) }
}

/// The buffer type that ggml likes best for the weights `w`, of which it is told no more than the shape:
/// the first that it computes a product of 512 vectors with, as llama.cpp asks, of those that rearrange weights; else the plain one.
pub(crate) unsafe fn preferred(w: *mut raw::ggml_tensor) -> raw::ggml_backend_buffer_type_t {
    // SAFETY: the registry and its one device live for ever; the function of this name has this type
    // (ggml-backend.h), and returns an array that ends with a null.
    unsafe {
        let registry = raw::ggml_backend_cpu_reg();
        let device = raw::ggml_backend_reg_dev_get(registry, 0);
        let name = c"ggml_backend_dev_get_extra_bufts";
        let get = raw::ggml_backend_reg_get_proc_address(registry, name.as_ptr());
        let get: raw::ggml_backend_dev_get_extra_bufts_t = std::mem::transmute(get);
        let mut next = get.map_or(ptr::null_mut(), |get| get(device));
        while !next.is_null() && !(*next).is_null() {
            if takes(device, *next, w) {
                return *next;
            }
            next = next.add(1);
        }
        raw::ggml_backend_cpu_buffer_type()
    }
}

/// Whether the device multiplies with the weights `w` in a buffer of this type. ggml asks with an empty
/// buffer, as llama.cpp does.
unsafe fn takes(
    device: raw::ggml_backend_dev_t,
    buffer_type: raw::ggml_backend_buffer_type_t,
    w: *mut raw::ggml_tensor,
) -> bool {
    // SAFETY: the caller's pointers live; the buffer is taken from the tensor before it is freed.
    unsafe {
        let empty = raw::ggml_backend_buft_alloc_buffer(buffer_type, 0);
        if empty.is_null() {
            return false;
        }
        let context = context(2, 0);
        let x = raw::ggml_new_tensor_2d(context, raw::GGML_TYPE_F32, (*w).ne[0], 512);
        let y = raw::ggml_mul_mat(context, w, x);
        (*w).buffer = empty;
        let takes = raw::ggml_backend_dev_supports_op(device, y);
        (*w).buffer = ptr::null_mut();
        raw::ggml_free(context);
        raw::ggml_backend_buffer_free(empty);
        takes
    }
}
