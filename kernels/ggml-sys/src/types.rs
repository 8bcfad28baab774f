//! What ggml knows of a tensor type: sizes, its reference conversions, its dot product on this CPU.

use crate::raw;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Once;

/// A tensor type that ggml defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type(raw::ggml_type);

/// Bytes at the alignment that ggml's blocks want; a slice of bytes promises none.
struct Aligned(Vec<u64>);

impl Aligned {
    fn zeroed(len: usize) -> Self {
        Self(vec![0; len.div_ceil(8)])
    }

    fn copy(bytes: &[u8]) -> Self {
        let mut copy = Self::zeroed(bytes.len());
        let words = copy.0.iter_mut().zip(bytes.chunks(8));
        for (word, bytes) in words {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_ne_bytes(whole);
        }
        copy
    }

    fn copy_to(&self, bytes: &mut [u8]) {
        for (word, bytes) in self.0.iter().zip(bytes.chunks_mut(8)) {
            bytes.copy_from_slice(&word.to_ne_bytes()[..bytes.len()]);
        }
    }

    fn ptr(&self) -> *const c_void {
        self.0.as_ptr().cast()
    }

    fn ptr_mut(&mut self) -> *mut c_void {
        self.0.as_mut_ptr().cast()
    }
}

/// Takes ggml's messages and drops all but warnings and errors.
unsafe extern "C" fn log(level: raw::ggml_log_level, text: *const c_char, _: *mut c_void) {
    if level == raw::GGML_LOG_LEVEL_WARN || level == raw::GGML_LOG_LEVEL_ERROR {
        // SAFETY: ggml passes a C string that lives during the call.
        eprint!("{}", unsafe { CStr::from_ptr(text) }.to_string_lossy());
    }
}

/// Fills ggml's tables, once.
pub(crate) fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: called once, before any use of what it fills; `log` has the callback's type.
        unsafe {
            raw::ggml_log_set(Some(log), std::ptr::null_mut());
            raw::ggml_cpu_init();
        }
    });
}

/// The length of a row as C counts.
fn count(k: usize) -> i64 {
    i64::try_from(k).expect("a row fits in memory")
}

impl Type {
    /// Singles.
    pub const F32: Self = Self(raw::GGML_TYPE_F32);

    /// The type of a number in a GGUF file; `None` if ggml has removed it or never had it.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        let ty = Self(raw::ggml_type::from(number));
        (number < raw::GGML_TYPE_COUNT && ty.traits().blck_size > 0).then_some(ty)
    }

    /// Every type, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..raw::GGML_TYPE_COUNT).filter_map(Self::from_number)
    }

    /// The number in a GGUF file.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    pub(crate) const fn raw(self) -> raw::ggml_type {
        self.0
    }

    fn traits(self) -> &'static raw::ggml_type_traits {
        // SAFETY: the number is below GGML_TYPE_COUNT, so this points into a constant table.
        unsafe { &*raw::ggml_get_type_traits(self.0) }
    }

    fn traits_cpu(self) -> &'static raw::ggml_type_traits_cpu {
        init();
        // SAFETY: as above.
        unsafe { &*raw::ggml_get_type_traits_cpu(self.0) }
    }

    /// ggml's name, such as `"q4_0"`.
    #[must_use]
    pub fn name(self) -> &'static str {
        // SAFETY: a string constant of the table.
        let name = unsafe { CStr::from_ptr(self.traits().type_name) };
        name.to_str().unwrap_or("?")
    }

    /// Elements per block.
    #[must_use]
    pub fn block_len(self) -> usize {
        usize::try_from(self.traits().blck_size).unwrap_or(0)
    }

    /// Bytes per block.
    #[must_use]
    pub fn block_bytes(self) -> usize {
        self.traits().type_size
    }

    /// Bytes of a row of `k` elements.
    ///
    /// # Panics
    /// If these are not whole blocks.
    #[must_use]
    pub fn row_bytes(self, k: usize) -> usize {
        let (name, len) = (self.name(), self.block_len());
        assert!(k.is_multiple_of(len), "{name}: {k} is not whole blocks");
        k / len * self.block_bytes()
    }

    /// The row `w` in `f32`, by ggml's reference function; false if ggml has none (`F32` itself).
    ///
    /// # Panics
    /// If the lengths do not agree.
    pub fn dequantize(self, w: &[u8], out: &mut [f32]) -> bool {
        assert_eq!(w.len(), self.row_bytes(out.len()), "{}", self.name());
        let Some(to_float) = self.traits().to_float else {
            return false;
        };
        let w = Aligned::copy(w);
        // SAFETY: `w` holds the bytes of `out.len()` elements, aligned.
        unsafe { to_float(w.ptr(), out.as_mut_ptr(), count(out.len())) };
        true
    }

    /// The row `x` in blocks, by ggml's reference function; false if ggml has none.
    ///
    /// # Panics
    /// If the lengths do not agree.
    pub fn quantize(self, x: &[f32], out: &mut [u8]) -> bool {
        let Some(from_float) = self.traits().from_float_ref else {
            return false;
        };
        // SAFETY: a type's number; it fills tables that some types search.
        unsafe { raw::ggml_quantize_init(self.0) };
        self.convert(from_float, x, out);
        true
    }

    /// Rows of `k` floats in blocks, as llama.cpp's files are made: by a search where the type has one, all
    /// columns being of equal importance. False if it is no type for weights.
    ///
    /// # Panics
    /// If the lengths do not agree.
    pub fn quantize_rows(self, x: &[f32], k: usize, out: &mut [u8]) -> bool {
        if self.act_type().is_none() {
            return false;
        }
        let n_rows = x.len() / k;
        assert_eq!(x.len(), n_rows * k, "whole rows");
        assert_eq!(out.len(), n_rows * self.row_bytes(k), "{}", self.name());
        let mut blocks = Aligned::zeroed(out.len());
        let importance = vec![1.0f32; k];
        // SAFETY: `blocks` has room for the rows, aligned; there is an importance for each column.
        unsafe {
            raw::ggml_quantize_chunk(
                self.0,
                x.as_ptr(),
                blocks.ptr_mut(),
                0,
                count(n_rows),
                count(k),
                importance.as_ptr(),
            )
        };
        blocks.copy_to(out);
        true
    }

    /// The type that activations take to meet this one on this CPU; `None` if ggml has no dot product
    /// for it.
    #[must_use]
    pub fn act_type(self) -> Option<Self> {
        let traits = self.traits_cpu();
        traits.vec_dot?;
        Some(Self(traits.vec_dot_type))
    }

    /// The row `x` in blocks of this type, as this CPU's matrix products quantize activations; false if
    /// ggml has no function for it.
    ///
    /// # Panics
    /// If the lengths do not agree.
    pub fn quantize_activations(self, x: &[f32], out: &mut [u8]) -> bool {
        let Some(from_float) = self.traits_cpu().from_float else {
            return false;
        };
        self.convert(from_float, x, out);
        true
    }

    fn convert(
        self,
        from_float: unsafe extern "C" fn(*const f32, *mut c_void, i64),
        x: &[f32],
        out: &mut [u8],
    ) {
        assert_eq!(out.len(), self.row_bytes(x.len()), "{}", self.name());
        let mut blocks = Aligned::zeroed(out.len());
        // SAFETY: `blocks` has room for `x.len()` elements, aligned.
        unsafe { from_float(x.as_ptr(), blocks.ptr_mut(), count(x.len())) };
        blocks.copy_to(out);
    }

    /// The dot product of `k` weights of this type with `k` activations of [`act_type`](Self::act_type),
    /// by this CPU's best function; `None` if ggml has none.
    ///
    /// # Panics
    /// If the lengths do not agree.
    #[must_use]
    pub fn dot(self, w: &[u8], x: &[u8], k: usize) -> Option<f32> {
        let act_type = self.act_type()?;
        let vec_dot = self.traits_cpu().vec_dot?;
        assert_eq!(w.len(), self.row_bytes(k), "{}", self.name());
        assert_eq!(x.len(), act_type.row_bytes(k), "{}", act_type.name());
        let (w, x) = (Aligned::copy(w), Aligned::copy(x));
        let n = c_int::try_from(k).expect("a row's length fits an int");
        let mut sum = 0.0;
        // SAFETY: both rows hold `n` elements, aligned; one row (`nrc`), so no stride is used.
        unsafe { vec_dot(n, &raw mut sum, 0, w.ptr(), 0, x.ptr(), 0, 1) };
        Some(sum)
    }
}
