//! The vectors that meet the weights, quantized once and shared by every matrix of the same input.

use crate::{Kernels, block::QK, block::QK_K};

/// The form of activations; the quantized ones follow ggml's blocks of the same name, but keep their
/// scales and sums as singles where ggml rounds them to halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, reason = "GGUF's own spelling")]
pub enum ActType {
    /// As they are.
    F32,
    /// Per 32: `q = round(x / d)`, `d = max|x| / 127`.
    Q8_0,
    /// `Q8_0`, and per 32 the sum `s = d * Σq`.
    Q8_1,
    /// Per 256: `q = round(x / d)`, `d` a single, and `Σq` of every 16.
    Q8_K,
    /// Rounded to bfloat16, in tiles of sixteen vectors by 32.
    BF16,
}

/// 64 bytes of a tile of bfloat16: of each of sixteen vectors two neighbours. One line of the cache, so
/// that no load straddles two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct Line(pub [u16; 32]);

impl Line {
    /// All zero.
    pub(crate) const ZERO: Self = Self([0; 32]);
}

impl ActType {
    /// Activations that are taken together: 1, 32 or 256.
    #[must_use]
    pub const fn block_len(self) -> usize {
        match self {
            Self::F32 => 1,
            Self::Q8_0 | Self::Q8_1 | Self::BF16 => QK,
            Self::Q8_K => QK_K,
        }
    }

    /// Vectors that are laid out together: 1 or 16.
    #[must_use]
    pub const fn group(self) -> usize {
        match self {
            Self::BF16 => 16,
            _ => 1,
        }
    }

    /// Lines of tiles of `n` vectors of `k`.
    const fn lines(self, n: usize, k: usize) -> usize {
        match self {
            Self::BF16 => n.next_multiple_of(self.group()) * k / QK,
            _ => 0,
        }
    }

    /// Activations per entry of `sums`: 32, or 16 for `Q8_K`.
    const fn sum_len(self) -> usize {
        match self {
            Self::Q8_K => 16,
            _ => QK,
        }
    }

    /// Lengths of `qs`, `d`, `s`, `sums` and `tiles` of `n` vectors of `k`.
    const fn lengths(self, n: usize, k: usize) -> [usize; 5] {
        let total = n * k;
        let (d, sums) = (total / self.block_len(), total / self.sum_len());
        match self {
            Self::F32 => [0; 5],
            Self::Q8_0 | Self::Q8_K => [total, d, 0, sums, 0],
            Self::Q8_1 => [total, d, total / QK, sums, 0],
            Self::BF16 => [0, 0, 0, 0, self.lines(n, k)],
        }
    }
}

/// One vector of `k` activations, borrowed.
///
/// Only [`Activations`] makes one, so the fields fit each other and no `qs` is −128.
#[derive(Clone, Copy, Debug)]
pub struct ActRow<'a> {
    /// `ActType::F32`: the `k` values. Else empty.
    pub(crate) f: &'a [f32],
    /// The `k` quantized values, −127..=127. Empty for `F32`.
    pub(crate) qs: &'a [i8],
    /// Scale of each block: `k / 32` or `k / 256`.
    pub(crate) d: &'a [f32],
    /// `Q8_1`: `d * Σq` of each block. Else empty.
    pub(crate) s: &'a [f32],
    /// `Σq`, exact: of each 32 for `Q8_0` and `Q8_1`, of each 16 for `Q8_K`.
    pub(crate) sums: &'a [i16],
    /// `BF16`: sixteens of vectors, `k / 32` tiles of 16 lines each; else empty. Vectors that are missing
    /// in the last sixteen are zeros.
    pub(crate) tiles: &'a [Line],
}

impl ActRow<'_> {
    /// Nothing.
    const EMPTY: Self = Self {
        f: &[],
        qs: &[],
        d: &[],
        s: &[],
        sums: &[],
        tiles: &[],
    };
}

impl<'a> ActRow<'a> {
    /// The `k` values of an `F32` row; else empty.
    #[must_use]
    pub const fn f(&self) -> &'a [f32] {
        self.f
    }

    /// The `k` quantized values, −127..=127; empty for `F32`.
    #[must_use]
    pub const fn qs(&self) -> &'a [i8] {
        self.qs
    }

    /// Scale of each block; empty for `F32`.
    #[must_use]
    pub const fn d(&self) -> &'a [f32] {
        self.d
    }

    /// `Q8_1`: `d * Σq` of each block; else empty.
    #[must_use]
    pub const fn s(&self) -> &'a [f32] {
        self.s
    }

    /// `Σq`: of each 32 for `Q8_0` and `Q8_1`, of each 16 for `Q8_K`; empty for `F32`.
    #[must_use]
    pub const fn sums(&self) -> &'a [i16] {
        self.sums
    }
}

/// `n` vectors of `k` activations each, borrowed: shape `(n, k)`.
#[derive(Clone, Copy, Debug)]
pub struct ActRows<'a> {
    pub(crate) ty: ActType,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) all: ActRow<'a>,
}

impl<'a> ActRows<'a> {
    /// Form of the activations.
    #[must_use]
    pub const fn act_type(&self) -> ActType {
        self.ty
    }

    /// Number of vectors.
    #[must_use]
    pub const fn n(&self) -> usize {
        self.n
    }

    /// Length of each vector.
    #[must_use]
    pub const fn k(&self) -> usize {
        self.k
    }

    /// Plain `f32` vectors, not copied: shape `(x.len() / k, k)`.
    ///
    /// # Panics
    /// If `x` is not whole vectors.
    #[must_use]
    pub fn from_f32(x: &'a [f32], k: usize) -> Self {
        assert!(
            k > 0 && x.len().is_multiple_of(k),
            "activations: {} is not n * {k}",
            x.len()
        );
        let all = ActRow {
            f: x,
            ..ActRow::EMPTY
        };
        Self {
            ty: ActType::F32,
            n: x.len() / k,
            k,
            all,
        }
    }

    /// Vector `i`.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    #[inline]
    pub fn row(&self, i: usize) -> ActRow<'a> {
        self.range(i, 1).all
    }

    /// Vectors `first .. first + n`.
    ///
    /// # Panics
    /// If there are fewer, or, for `BF16`, if `first` is not a multiple of 16.
    #[must_use]
    #[inline]
    pub fn range(&self, first: usize, n: usize) -> Self {
        assert!(
            first + n <= self.n,
            "activations: {first} + {n} of {}",
            self.n
        );
        let cut = |per: usize| first * (self.k / per)..(first + n) * (self.k / per);
        let (block, sum) = (self.ty.block_len(), self.ty.sum_len());
        let a = &self.all;
        let all = match self.ty {
            ActType::F32 => ActRow {
                f: &a.f[cut(1)],
                ..ActRow::EMPTY
            },
            ActType::Q8_1 => ActRow {
                qs: &a.qs[cut(1)],
                d: &a.d[cut(block)],
                s: &a.s[cut(block)],
                sums: &a.sums[cut(sum)],
                ..ActRow::EMPTY
            },
            ActType::Q8_0 | ActType::Q8_K => ActRow {
                qs: &a.qs[cut(1)],
                d: &a.d[cut(block)],
                sums: &a.sums[cut(sum)],
                ..ActRow::EMPTY
            },
            ActType::BF16 => {
                assert!(
                    first.is_multiple_of(self.ty.group()),
                    "activations: tiles from vector {first}"
                );
                let lines = |n: usize| self.ty.lines(n, self.k);
                ActRow {
                    tiles: &a.tiles[lines(first)..lines(first + n)],
                    ..ActRow::EMPTY
                }
            }
        };
        Self { n, all, ..*self }
    }
}

/// Room for quantized vectors; grows once to the largest use and is then reused.
#[derive(Debug, Default)]
pub struct Activations {
    qs: Vec<i8>,
    d: Vec<f32>,
    s: Vec<f32>,
    sums: Vec<i16>,
    tiles: Vec<Line>,
}

/// A few vectors of an [`Activations`], to be written by one thread.
#[derive(Debug)]
pub struct ActRowsMut<'a> {
    pub(crate) ty: ActType,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) qs: &'a mut [i8],
    pub(crate) d: &'a mut [f32],
    /// `Q8_1` only, else empty.
    pub(crate) s: &'a mut [f32],
    pub(crate) sums: &'a mut [i16],
    /// `BF16` only, else empty.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        allow(dead_code, reason = "no tier elsewhere has tiles")
    )]
    pub(crate) tiles: &'a mut [Line],
}

impl Activations {
    /// Makes room for `n` vectors of `k` in form `ty`, so that later uses up to this size allocate
    /// nothing.
    pub fn reserve(&mut self, ty: ActType, n: usize, k: usize) {
        let [qs, d, s, sums, tiles] = ty.lengths(n, k);
        self.qs.resize(qs.max(self.qs.len()), 0);
        self.d.resize(d.max(self.d.len()), 0.0);
        self.s.resize(s.max(self.s.len()), 0.0);
        self.sums.resize(sums.max(self.sums.len()), 0);
        self.tiles.resize(tiles.max(self.tiles.len()), Line::ZERO);
    }

    /// Bytes that are held once room for `n` vectors of `k` was [reserved](Self::reserve) in each of `forms`.
    #[must_use]
    pub fn bytes_for(forms: &[ActType], n: usize, k: usize) -> usize {
        let mut most = [0; 5];
        for form in forms {
            for (most, len) in most.iter_mut().zip(form.lengths(n, k)) {
                *most = len.max(*most);
            }
        }
        let [qs, d, s, sums, tiles] = most;
        qs + 4 * (d + s) + 2 * sums + size_of::<Line>() * tiles
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.qs.len()
            + 4 * (self.d.len() + self.s.len())
            + 2 * self.sums.len()
            + size_of_val(self.tiles.as_slice())
    }

    /// The room for `n` vectors of `k`, cut into pieces of `step` vectors: `(first vector, piece)`.
    /// Each piece is to be filled by [`Kernels::quantize`].
    ///
    /// # Panics
    /// If `k` is not whole blocks of `ty`, or `ty` is `F32`, or `step` is 0 or not whole groups of `ty`.
    pub fn pieces_mut(
        &mut self,
        ty: ActType,
        n: usize,
        k: usize,
        step: usize,
    ) -> impl Iterator<Item = (usize, ActRowsMut<'_>)> + Send {
        assert!(ty != ActType::F32, "F32 activations are not quantized");
        assert!(
            k.is_multiple_of(ty.block_len()),
            "activations: {k} is not whole blocks"
        );
        assert!(
            step.is_multiple_of(ty.group()),
            "activations: {step} is not whole groups"
        );
        self.reserve(ty, n, k);
        let (block, sum) = (ty.block_len(), ty.sum_len());
        let of = |per: usize, there: bool| if there { n * k / per } else { 0 };
        let ints = ty != ActType::BF16;
        let mut qs = self.qs[..of(1, ints)].chunks_mut(step * k);
        let mut d = self.d[..of(block, ints)].chunks_mut(step * k / block);
        let mut sums = self.sums[..of(sum, ints)].chunks_mut(step * k / sum);
        let mut s = self.s[..of(QK, ty == ActType::Q8_1)].chunks_mut(step * k / block);
        let lines = ty.lines(step, k).max(1);
        let mut tiles = self.tiles[..ty.lines(n, k)].chunks_mut(lines);
        (0..n).step_by(step).map(move |first| {
            let piece = ActRowsMut {
                ty,
                n: step.min(n - first),
                k,
                qs: qs.next().unwrap_or_default(),
                d: d.next().unwrap_or_default(),
                s: s.next().unwrap_or_default(),
                sums: sums.next().unwrap_or_default(),
                tiles: tiles.next().unwrap_or_default(),
            };
            (first, piece)
        })
    }

    /// The first `n` vectors of `k`, as written last in form `ty`.
    ///
    /// # Panics
    /// If less was ever written.
    #[must_use]
    pub fn rows(&self, ty: ActType, n: usize, k: usize) -> ActRows<'_> {
        let all = ActRow {
            qs: &self.qs,
            d: &self.d,
            s: &self.s,
            sums: &self.sums,
            tiles: &self.tiles,
            ..ActRow::EMPTY
        };
        ActRows { ty, n, k, all }.range(0, n)
    }

    /// Quantizes `x`, shape `(x.len() / k, k)`, and lends the result. `F32` borrows `x` itself.
    ///
    /// # Panics
    /// If `x` is not whole vectors, or `k` not whole blocks of `ty`.
    #[must_use]
    pub fn quantize<'a>(
        &'a mut self,
        kernels: &Kernels,
        ty: ActType,
        x: &'a [f32],
        k: usize,
    ) -> ActRows<'a> {
        let plain = ActRows::from_f32(x, k);
        if ty == ActType::F32 {
            return plain;
        }
        let n = plain.n();
        for (_, mut piece) in self.pieces_mut(ty, n, k, n.max(1).next_multiple_of(ty.group())) {
            kernels.quantize(x, &mut piece);
        }
        self.rows(ty, n, k)
    }
}
