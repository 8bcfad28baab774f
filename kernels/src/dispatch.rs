//! The table of operations, chosen once for the CPU at hand.
//!
//! A table starts all scalar; each tier then overwrites what it has (`tier::install`). Building a
//! table for a tier is the proof that this CPU runs it, so the calls below need no further check
//! than their lengths.

use crate::{
    activations::{ActRow, ActRows, ActRowsMut, ActType},
    block::{
        self, BlockBf16, BlockF16, BlockF32, BlockIq4Nl, BlockIq4Xs, BlockQ2K, BlockQ3K, BlockQ4_0,
        BlockQ4_1, BlockQ4K, BlockQ5_0, BlockQ5_1, BlockQ5K, BlockQ6K, BlockQ8_0,
    },
    isa::{Isa, UnavailableIsa},
    race, scalar,
    tile::TileMut,
    weight_type::WeightType,
};

/// Vectors from which on a tier may take them in another form, for weights of floats and of blocks: with fewer,
/// unpacking the weights to bfloat16 takes longer than it saves.
const MANY: [usize; 2] = [32, 64];

/// One row times one vector.
pub(crate) type Dot = unsafe fn(w: &[u8], x: ActRow<'_>) -> f32;
/// Rows times one vector.
pub(crate) type Gemv = unsafe fn(w: &[u8], x: ActRow<'_>, y: &mut [f32]);
/// Rows times several vectors.
pub(crate) type Gemm = unsafe fn(w: &[u8], x: ActRows<'_>, y: &mut TileMut<'_>);
/// Rows mixed by weights.
pub(crate) type Mix = unsafe fn(v: &[u8], p: &[f32], out: &mut [f32]);

/// Rows mixed by several rows of weights, `len` each.
pub(crate) type MixMany = unsafe fn(v: &[u8], p: &[f32], len: usize, out: &mut [f32]);

/// The matrix operations of one weight type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MatKernels {
    pub dot: Dot,
    pub gemv: Gemv,
    pub gemm: Gemm,
}

/// One entry per operation, all of them runnable on this CPU.
#[derive(Clone, Debug)]
pub struct Kernels {
    isa: Isa,
    pub(crate) mat: [MatKernels; WeightType::ALL.len()],
    /// GEMM with activations of form `BF16`, where the tier has it.
    pub(crate) tiled: [Option<Gemm>; WeightType::ALL.len()],
    pub(crate) mix_f32: Mix,
    pub(crate) mix_f16: Mix,
    pub(crate) mix_q8_0: Mix,
    pub(crate) mix_q4_0: Mix,
    /// Some rows of weights at once with the bits of `mix_f16`, where the tier has it; of widths of 16.
    pub(crate) mix_rows_f16: Option<MixMany>,
    /// As above, of `mix_q8_0`.
    pub(crate) mix_rows_q8_0: Option<MixMany>,
    /// As above, of `mix_q4_0`.
    pub(crate) mix_rows_q4_0: Option<MixMany>,
    /// Many rows of weights at once, where the tier has it; of widths of 32.
    pub(crate) mix_many_f16: Option<MixMany>,
    pub(crate) mix_many_q8_0: Option<MixMany>,
    pub(crate) mix_many_q4_0: Option<MixMany>,
    pub(crate) quantize: unsafe fn(&[f32], &mut ActRowsMut<'_>),
    pub(crate) rms_norm: unsafe fn(&[f32], &[f32], f32, &mut [f32]),
    pub(crate) rope: unsafe fn(&mut [f32], &[f32], &[f32]),
    pub(crate) hadamard: unsafe fn(&mut [f32]),
    pub(crate) softmax_part: unsafe fn(&mut [f32]) -> (f32, f32),
    pub(crate) swiglu: unsafe fn(&mut [f32], &[f32]),
    pub(crate) add: unsafe fn(&mut [f32], &[f32]),
    pub(crate) scale_and_add: unsafe fn(&mut [f32], f32, &[f32], f32),
}

/// The three matrix operations of a type from its dot product alone.
macro_rules! mat_from_dot {
    ($block:ty, $dot:path) => {
        MatKernels {
            dot: |w, x| $dot(block::cast::<$block>(w), x),
            gemv: |w, x, y| scalar::gemv::gemv(block::cast::<$block>(w), x, y, |w, x| $dot(w, x)),
            gemm: |w, x, y| scalar::gemm::gemm(block::cast::<$block>(w), x, y, |w, x| $dot(w, x)),
        }
    };
}

impl Kernels {
    /// The definitions.
    fn scalar() -> Self {
        use scalar::dot::{
            dot_bf16_f32, dot_f16_f32, dot_f32_f32, dot_iq4_nl_q8_0, dot_q4_0_q8_0, dot_q4_1_q8_1,
            dot_q5_0_q8_0, dot_q5_1_q8_1, dot_q8_0_q8_0, dot_super_q8_k,
        };
        let mat = WeightType::ALL.map(|ty| match ty {
            WeightType::F32 => mat_from_dot!(BlockF32, dot_f32_f32),
            WeightType::F16 => mat_from_dot!(BlockF16, dot_f16_f32),
            WeightType::BF16 => mat_from_dot!(BlockBf16, dot_bf16_f32),
            WeightType::Q4_0 => mat_from_dot!(BlockQ4_0, dot_q4_0_q8_0),
            WeightType::Q4_1 => mat_from_dot!(BlockQ4_1, dot_q4_1_q8_1),
            WeightType::Q5_0 => mat_from_dot!(BlockQ5_0, dot_q5_0_q8_0),
            WeightType::Q5_1 => mat_from_dot!(BlockQ5_1, dot_q5_1_q8_1),
            WeightType::Q8_0 => mat_from_dot!(BlockQ8_0, dot_q8_0_q8_0),
            WeightType::Q2_K => mat_from_dot!(BlockQ2K, dot_super_q8_k),
            WeightType::Q3_K => mat_from_dot!(BlockQ3K, dot_super_q8_k),
            WeightType::Q4_K => mat_from_dot!(BlockQ4K, dot_super_q8_k),
            WeightType::Q5_K => mat_from_dot!(BlockQ5K, dot_super_q8_k),
            WeightType::Q6_K => mat_from_dot!(BlockQ6K, dot_super_q8_k),
            WeightType::IQ4_NL => mat_from_dot!(BlockIq4Nl, dot_iq4_nl_q8_0),
            WeightType::IQ4_XS => mat_from_dot!(BlockIq4Xs, dot_super_q8_k),
        });
        Self {
            isa: Isa::Scalar,
            mat,
            tiled: [None; WeightType::ALL.len()],
            mix_f32: |v, p, out| scalar::mix::mix_f32(block::cast(v), p, out),
            mix_f16: |v, p, out| scalar::mix::mix_f16(block::cast(v), p, out),
            mix_q8_0: |v, p, out| scalar::mix::mix_q8_0(block::cast(v), p, out),
            mix_q4_0: |v, p, out| scalar::mix::mix_q4_0(block::cast(v), p, out),
            mix_rows_f16: None,
            mix_rows_q8_0: None,
            mix_rows_q4_0: None,
            mix_many_f16: None,
            mix_many_q8_0: None,
            mix_many_q4_0: None,
            quantize: scalar::quantize::quantize,
            rms_norm: scalar::rms_norm::rms_norm,
            rope: scalar::rope::rope,
            hadamard: scalar::hadamard::hadamard,
            softmax_part: scalar::softmax::softmax_part,
            swiglu: scalar::swiglu::swiglu,
            add: scalar::add,
            scale_and_add: scalar::scale_and_add,
        }
    }

    /// The table of tier `isa`, or `None` when this CPU cannot run it.
    #[must_use]
    pub fn for_isa(isa: Isa) -> Option<Self> {
        if !isa.is_available() {
            return None;
        }
        let mut table = Self::scalar();
        table.isa = isa;
        match isa {
            Isa::Scalar => {}
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => crate::aarch64::neon::install(&mut table),
            #[cfg(target_arch = "aarch64")]
            Isa::Dotprod => {
                crate::aarch64::neon::install(&mut table);
                crate::aarch64::dotprod::install(&mut table);
            }
            #[cfg(target_arch = "aarch64")]
            Isa::I8mm => {
                crate::aarch64::neon::install(&mut table);
                crate::aarch64::dotprod::install(&mut table);
                crate::aarch64::i8mm::install(&mut table);
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => crate::x86_64::avx2::install(&mut table),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => {
                crate::x86_64::avx2::install(&mut table);
                crate::x86_64::avxvnni::install(&mut table);
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni => {
                crate::x86_64::avx2::install(&mut table);
                crate::x86_64::avx512vnni::install(&mut table);
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => {
                crate::x86_64::avx2::install(&mut table);
                crate::x86_64::avx512vnni::install(&mut table);
                crate::x86_64::amx::install(&mut table);
            }
            #[cfg(target_arch = "x86_64")]
            Isa::AmxBf16 => {
                crate::x86_64::avx2::install(&mut table);
                crate::x86_64::avx512vnni::install(&mut table);
                crate::x86_64::amx::install(&mut table);
                crate::x86_64::amx_bf16::install(&mut table);
            }
            #[allow(unreachable_patterns, reason = "the other architecture's tiers")]
            _ => return None,
        }
        Some(table)
    }

    /// Every table that this CPU runs, best first; scalar is the last.
    #[must_use]
    pub fn available() -> Vec<Self> {
        Isa::ALL.into_iter().filter_map(Self::for_isa).collect()
    }

    /// The best table for this CPU: one with bits of its own where there is one, as these are not to hang on a
    /// measurement, else [`best_exact`](Self::best_exact).
    #[must_use]
    pub fn best() -> Self {
        let mut others = Isa::ALL.into_iter().filter(|isa| !isa.is_exact());
        others
            .find_map(Self::for_isa)
            .unwrap_or_else(Self::best_exact)
    }

    /// The best table for this CPU whose every result has the bits of the scalar definitions: the winner of
    /// the [`race`], which the first call in a process holds, for at most some 10 ms.
    #[must_use]
    pub fn best_exact() -> Self {
        let won = race::winner(race::times()).and_then(Self::for_isa);
        let mut exact = Isa::ALL.into_iter().filter(|isa| isa.is_exact());
        won.or_else(|| exact.find_map(Self::for_isa))
            .unwrap_or_else(Self::scalar)
    }

    /// The table named `name`, as in the environment variable `PUNA_ISA`.
    ///
    /// # Errors
    /// [`UnavailableIsa`] when there is no such tier here.
    pub fn named(name: &str) -> Result<Self, UnavailableIsa> {
        let found = Isa::ALL.into_iter().find(|isa| isa.name() == name);
        found.and_then(Self::for_isa).ok_or_else(|| UnavailableIsa {
            wanted: name.to_owned(),
            available: Self::available().iter().map(|k| k.isa.name()).collect(),
        })
    }

    /// Which tier this is.
    #[must_use]
    pub const fn isa(&self) -> Isa {
        self.isa
    }

    /// The form in which `n` vectors of `k` meet a matrix of type `ty`: that of the type, or, where this
    /// tier multiplies many vectors at once in another way, `BF16`.
    #[must_use]
    pub const fn act_type(&self, ty: WeightType, n: usize, k: usize) -> ActType {
        let tiles = k.is_multiple_of(ActType::BF16.block_len());
        let many = MANY[!matches!(ty.act_type(), ActType::F32) as usize];
        if n >= many && tiles && self.tiled[ty as usize].is_some() {
            ActType::BF16
        } else {
            ty.act_type()
        }
    }

    /// The forms that [`act_type`](Self::act_type) names for few and for many vectors; they may be the same.
    #[must_use]
    pub const fn act_types(&self, ty: WeightType, k: usize) -> [ActType; 2] {
        [ty.act_type(), self.act_type(ty, usize::MAX, k)]
    }

    /// Whether every result has the bits of the scalar definitions.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        self.isa.is_exact()
    }

    /// Quantizes `x` into `out`, which has room for exactly as many numbers.
    ///
    /// # Panics
    /// If the lengths differ, or for a form that this tier never asks for.
    pub fn quantize(&self, x: &[f32], out: &mut ActRowsMut<'_>) {
        assert_eq!(x.len(), out.n * out.k, "quantize: lengths differ");
        assert!(
            out.ty != ActType::BF16 || !self.is_exact(),
            "quantize: {:?} has no tiles of bfloat16",
            self.isa
        );
        // SAFETY: only `for_isa` builds a table, after checking that the CPU runs the tier.
        unsafe { (self.quantize)(x, out) }
    }

    /// One row of `x.k()` weights of type `ty` times the first vector of `x`.
    ///
    /// # Panics
    /// If `w` is not one row, or `x` is of another form than `ty.act_type()`.
    #[must_use]
    pub fn dot(&self, ty: WeightType, w: &[u8], x: ActRows<'_>) -> f32 {
        check("dot", ty, w, &x, 1, false);
        // SAFETY: as in `quantize`.
        unsafe { (self.mat[ty as usize].dot)(w, x.row(0)) }
    }

    /// `y[t][r] = row r · x[t]`: GEMV for one vector, GEMM for several.
    ///
    /// `w` is `y.m()` rows of `x.k()` weights of type `ty`, `x` has `y.n()` vectors. The bits of each
    /// result do not depend on how rows or vectors are grouped into calls.
    ///
    /// # Panics
    /// If the shapes differ, or `x` is of another form than [`act_type`](Self::act_type) says.
    pub fn matmul(&self, ty: WeightType, w: &[u8], x: ActRows<'_>, y: &mut TileMut<'_>) {
        let tiled = self.tiled[ty as usize].is_some() && x.act_type() == ActType::BF16;
        check("matmul", ty, w, &x, y.m(), tiled);
        assert_eq!(x.n(), y.n(), "matmul: vectors and outputs differ");
        let mat = &self.mat[ty as usize];
        if let (ActType::BF16, Some(gemm)) = (x.act_type(), self.tiled[ty as usize]) {
            // SAFETY: as in `quantize`.
            unsafe { gemm(w, x, y) }
        } else if x.n() == 1 {
            // SAFETY: as in `quantize`.
            unsafe { (mat.gemv)(w, x.row(0), y.row(0)) }
        } else if x.n() > 1 {
            // SAFETY: as in `quantize`.
            unsafe { (mat.gemm)(w, x, y) }
        }
    }

    /// `out[i] += Σ_j p[j] * v[j][i]`: `v` is `p.len()` rows of `out.len()` numbers of type `ty`,
    /// one of `F32`, `F16`, `Q8_0` and `Q4_0`.
    ///
    /// # Panics
    /// If the shapes differ, or for another type.
    pub fn mix(&self, ty: WeightType, v: &[u8], p: &[f32], out: &mut [f32]) {
        assert_eq!(
            v.len(),
            p.len() * ty.row_bytes(out.len()),
            "mix: shapes differ"
        );
        let mix = match ty {
            WeightType::F32 => self.mix_f32,
            WeightType::F16 => self.mix_f16,
            WeightType::Q8_0 => self.mix_q8_0,
            WeightType::Q4_0 => self.mix_q4_0,
            other => panic!("mix: no kernel for {other}"),
        };
        // SAFETY: as in `quantize`.
        unsafe { mix(v, p, out) }
    }

    /// [`mix`](Self::mix) for `seen.len()` rows of weights, which came of vectors of form `form`: `p` has shape `(seen.len(), len)`, `out`
    /// `(seen.len(), width)`, and `v` is `len` rows of `width` numbers of type `ty`. Of row `r` of `p` the first
    /// `seen[r]` weights count; the others are overwritten.
    ///
    /// # Panics
    /// As [`mix`](Self::mix), if a row has seen more than `len`, and if `form` is not that of `width` numbers.
    pub fn mix_many(
        &self,
        ty: WeightType,
        v: &[u8],
        form: ActType,
        p: &mut [f32],
        seen: &[usize],
        out: &mut [f32],
    ) {
        let rows = seen.len();
        if rows == 0 || p.is_empty() {
            return;
        }
        let (len, width) = (p.len() / rows, out.len() / rows);
        assert!(
            p.len() == rows * len && out.len() == rows * width,
            "mix: shapes differ"
        );
        assert_eq!(v.len(), len * ty.row_bytes(width), "mix: shapes differ");
        let (some, many) = match ty {
            WeightType::F16 => (self.mix_rows_f16, self.mix_many_f16),
            WeightType::Q8_0 => (self.mix_rows_q8_0, self.mix_many_q8_0),
            WeightType::Q4_0 => (self.mix_rows_q4_0, self.mix_many_q4_0),
            _ => (None, None),
        };
        if let Some(mix) = some
            && form != ActType::BF16
            && width.is_multiple_of(16)
            && seen.iter().all(|&seen| seen == len)
        {
            // SAFETY: as in `quantize`.
            return unsafe { mix(v, p, len, out) };
        }
        let pairs = p.chunks_exact_mut(len).zip(seen);
        if let (Some(mix), ActType::BF16) = (many, form) {
            assert!(width.is_multiple_of(form.block_len()), "mix: {width} wide");
            pairs.for_each(|(p, &seen)| p[seen..].fill(0.0));
            // SAFETY: as in `quantize`.
            unsafe { mix(v, p, len, out) }
        } else {
            for ((p, &seen), out) in pairs.zip(out.chunks_exact_mut(width)) {
                self.mix(ty, &v[..seen * ty.row_bytes(width)], &p[..seen], out);
            }
        }
    }

    /// `y[i] = x[i] / sqrt(mean(x²) + eps) * w[i]`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn rms_norm(&self, x: &[f32], w: &[f32], eps: f32, y: &mut [f32]) {
        assert!(
            x.len() == w.len() && x.len() == y.len(),
            "rms_norm: lengths differ"
        );
        // SAFETY: as in `quantize`.
        unsafe { (self.rms_norm)(x, w, eps, y) }
    }

    /// Rotates the neighbouring pairs of one head; `cos` and `sin` have one entry a pair.
    ///
    /// # Panics
    /// If `cos` and `sin` differ in length or are longer than the pairs.
    pub fn rope(&self, x: &mut [f32], cos: &[f32], sin: &[f32]) {
        assert!(
            cos.len() == sin.len() && cos.len() * 2 <= x.len(),
            "rope: lengths differ"
        );
        // SAFETY: as in `quantize`.
        unsafe { (self.rope)(x, cos, sin) }
    }

    /// `x = H x`, `H` the symmetric Hadamard matrix that is its own inverse; see
    /// [`scalar::hadamard`](scalar::hadamard::hadamard).
    ///
    /// # Panics
    /// If `x` is not a power of two, and at least 8, long.
    pub fn hadamard(&self, x: &mut [f32]) {
        assert!(
            x.len().is_power_of_two() && x.len() >= 8,
            "hadamard: {} numbers",
            x.len()
        );
        // SAFETY: as in `quantize`.
        unsafe { (self.hadamard)(x) }
    }

    /// `x[i] = e^(x[i] - max)` in place; returns `(max, Σ)`, which is what merging parts of a row needs.
    #[must_use]
    pub fn softmax_part(&self, x: &mut [f32]) -> (f32, f32) {
        // SAFETY: as in `quantize`.
        unsafe { (self.softmax_part)(x) }
    }

    /// `gate[i] = silu(gate[i]) * up[i]`, in place.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn swiglu(&self, gate: &mut [f32], up: &[f32]) {
        assert_eq!(gate.len(), up.len(), "swiglu: lengths differ");
        // SAFETY: as in `quantize`.
        unsafe { (self.swiglu)(gate, up) }
    }

    /// `x[i] += y[i]`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn add(&self, x: &mut [f32], y: &[f32]) {
        assert_eq!(x.len(), y.len(), "add: lengths differ");
        // SAFETY: as in `quantize`.
        unsafe { (self.add)(x, y) }
    }

    /// `x[i] = x[i] * a + y[i] * b`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn scale_and_add(&self, x: &mut [f32], a: f32, y: &[f32], b: f32) {
        assert_eq!(x.len(), y.len(), "scale_and_add: lengths differ");
        // SAFETY: as in `quantize`.
        unsafe { (self.scale_and_add)(x, a, y, b) }
    }
}

fn check(op: &str, ty: WeightType, w: &[u8], x: &ActRows<'_>, rows: usize, tiled: bool) {
    assert!(
        tiled || x.act_type() == ty.act_type(),
        "{op}: {ty} does not take {:?}",
        x.act_type()
    );
    assert_eq!(
        w.len(),
        rows * ty.row_bytes(x.k()),
        "{op}: weights are not {rows} rows of {}",
        x.k()
    );
}
