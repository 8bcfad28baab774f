//! Files that are valid GGUF, but whose model lies, and a few odd ones that must run.

mod config;
mod tensors;
mod vocab;

use puna_kernels::WeightType;

use super::Case;
use crate::tiny::{Shape, Tiny};

/// The model that the cases spoil: two layers, four query heads on two key heads.
#[must_use]
pub fn valid() -> Tiny {
    Tiny::new(Shape {
        n_embd: 64,
        n_ff: 96,
        head_dim: 16,
        rope_dim: 16,
        ..Shape::of(WeightType::Q8_0).heads(4, 2)
    })
}

/// Every case.
#[must_use]
pub fn cases() -> Vec<Case> {
    [config::cases(), vocab::cases(), tensors::cases()].concat()
}

/// [`valid`] after a change.
fn spoiled(change: impl FnOnce(&mut Tiny)) -> Vec<u8> {
    let mut tiny = valid();
    change(&mut tiny);
    tiny.bytes()
}

/// [`valid`] with another value of a key.
fn with(key: &str, value: impl Into<puna_core::gguf::OwnedValue>) -> Vec<u8> {
    spoiled(|tiny| {
        tiny.set(key, value);
    })
}

/// [`valid`] without a key or tensor.
fn without(name: &str) -> Vec<u8> {
    spoiled(|tiny| {
        tiny.remove(name);
    })
}
