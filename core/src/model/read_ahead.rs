//! Reading ahead in the order of the layers, so that one is read from storage while another computes.

use std::{
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use super::Weights;
use crate::gguf::Gguf;

/// Layers that are asked for ahead of the one that computes: two, so that one is whole when it is wanted.
const AHEAD: usize = 2;

/// How far the system was told to read. Each layer is asked for once as long as its pages stay in
/// memory.
#[derive(Debug, Default)]
pub(crate) struct ReadAhead {
    /// The first layer that was not asked for; one past the layers stands for the output matrix.
    next: AtomicUsize,
}

impl ReadAhead {
    /// Layer `i` is about to be computed: asks for it and for what comes after it.
    pub fn at(&self, i: usize, weights: &Weights, gguf: &Gguf) {
        for part in self.wanted(i, weights.layers.len()) {
            match weights.layers.get(part) {
                Some(layer) => layer
                    .matrices()
                    .for_each(|m| m.weight.advise_willneed(gguf)),
                None => weights.output.weight.advise_willneed(gguf),
            }
        }
    }

    /// The weights have left memory: they are asked for again.
    pub fn forget(&self) {
        self.next.store(0, Relaxed);
    }

    /// What is to be asked for at layer `i` of `n`, and was not yet. Two sessions may be here at once: one of
    /// them gets each part.
    fn wanted(&self, i: usize, n: usize) -> Range<usize> {
        let end = (i + AHEAD).min(n) + 1;
        let asked = self.next.load(Relaxed);
        if asked < end {
            self.next.fetch_max(end, Relaxed)..end
        } else {
            end..end
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_is_asked_for_once_and_in_order() {
        let (ahead, n) = (ReadAhead::default(), 5);
        let mut asked = Vec::new();
        for _ in 0..2 {
            for i in 0..n {
                asked.extend(ahead.wanted(i, n));
            }
        }
        assert_eq!(asked, [0, 1, 2, 3, 4, 5]);
        ahead.forget();
        assert_eq!(ahead.wanted(0, n), 0..3);
    }
}
