//! Buffers whose surroundings tell whether a kernel wrote outside.

use puna_kernels::TileMut;

const GUARD: f32 = -1.234_567e-21;
/// Guard columns on either side, and guard rows above and below.
const EDGE: usize = 9;

/// Shape `(n, m)` inside guards.
pub struct Output {
    buffer: Vec<f32>,
    n: usize,
    m: usize,
}

impl Output {
    pub fn new(n: usize, m: usize) -> Self {
        Self {
            buffer: vec![GUARD; (n + 2) * (m + 2 * EDGE)],
            n,
            m,
        }
    }

    /// Calls `f` with the tile in the middle, and returns what it wrote, row by row.
    #[track_caller]
    pub fn fill(mut self, f: impl FnOnce(&mut TileMut<'_>), case: &dyn Fn() -> String) -> Vec<f32> {
        let stride = self.m + 2 * EDGE;
        let inner = &mut self.buffer[stride..(self.n + 1) * stride];
        f(&mut TileMut::new(inner, stride).columns(EDGE, self.m));
        let mut out = Vec::with_capacity(self.n * self.m);
        for (i, &x) in self.buffer.iter().enumerate() {
            let (row, column) = (i / stride, i % stride);
            if (1..=self.n).contains(&row) && (EDGE..EDGE + self.m).contains(&column) {
                out.push(x);
            } else {
                assert!(x.to_bits() == GUARD.to_bits(), "{}: wrote outside", case());
            }
        }
        out
    }
}

/// Calls `f` with a copy of `x` inside guards, and returns what it made of it.
#[track_caller]
pub fn in_place(x: &[f32], f: impl FnOnce(&mut [f32]), case: &dyn Fn() -> String) -> Vec<f32> {
    let fill = |tile: &mut TileMut<'_>| {
        tile.row(0).copy_from_slice(x);
        f(tile.row(0));
    };
    Output::new(1, x.len()).fill(fill, case)
}

/// `bytes` at an odd address: what a mapped file may give.
pub struct Unaligned {
    buffer: Vec<u8>,
    offset: usize,
}

impl Unaligned {
    pub fn new(bytes: &[u8], offset: usize) -> Self {
        let mut buffer = vec![0xa5; offset];
        buffer.extend_from_slice(bytes);
        Self { buffer, offset }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.offset..]
    }
}
