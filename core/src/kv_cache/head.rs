//! Where a layer stores its keys and values.

use puna_kernels::{WeightType, quantize_row};

/// One head's room of a layer, from some position on.
#[derive(Debug)]
pub struct HeadMut<'a> {
    pub(super) ty: WeightType,
    pub(super) row: usize,
    pub(super) keys: &'a mut [u8],
    pub(super) values: &'a mut [u8],
}

impl HeadMut<'_> {
    /// Stores the key and the value, `head_dim` numbers each, of the `t`-th position of the room.
    ///
    /// # Panics
    /// If the room has fewer positions.
    pub fn store(&mut self, t: usize, k: &[f32], v: &[f32]) {
        let row = t * self.row..(t + 1) * self.row;
        let stored = quantize_row(self.ty, k, &mut self.keys[row.clone()])
            && quantize_row(self.ty, v, &mut self.values[row]);
        debug_assert!(stored, "every cache type has a quantizer");
    }
}
