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
    /// Stores the key, `head_dim` numbers, of the `t`-th position of the room.
    ///
    /// # Panics
    /// If the room has fewer positions.
    pub fn store_key(&mut self, t: usize, key: &[f32]) {
        store(self.ty, key, &mut self.keys[t * self.row..][..self.row]);
    }

    /// Stores the value, as [`store_key`](Self::store_key) does the key.
    ///
    /// # Panics
    /// If the room has fewer positions.
    pub fn store_value(&mut self, t: usize, value: &[f32]) {
        store(self.ty, value, &mut self.values[t * self.row..][..self.row]);
    }
}

/// Rounds `numbers` to a row.
pub(super) fn store(ty: WeightType, numbers: &[f32], row: &mut [u8]) {
    let stored = quantize_row(ty, numbers, row);
    debug_assert!(stored, "every cache type has a quantizer");
}
