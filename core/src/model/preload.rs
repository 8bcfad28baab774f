//! Reading the weights before they are wanted.

use super::Model;
use crate::cancel::{Cancel, Stopped};

/// Bytes that are read between two looks at the flag.
const STEP: usize = 1 << 20;
/// At least one byte of each page of any system.
const PAGE: usize = 4 << 10;

impl Model {
    /// Reads the weights from storage once, so that the first answer does not wait for them, where the system has
    /// the memory to keep them. `progress` hears how many bytes are read, of how many; at the end they are equal.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn preload(
        &self,
        cancel: &Cancel,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<(), Stopped> {
        let gguf = self.gguf();
        let (mut done, total) = (0, gguf.tensor_bytes());
        for tensor in gguf.tensors() {
            gguf.advise_willneed(tensor);
            for piece in gguf.bytes(tensor).chunks(STEP) {
                cancel.check()?;
                let sum = piece
                    .iter()
                    .step_by(PAGE)
                    .fold(0_u8, |sum, byte| sum ^ byte);
                std::hint::black_box(sum);
                done += piece.len() as u64;
                progress(done, total);
            }
        }
        Ok(())
    }
}
