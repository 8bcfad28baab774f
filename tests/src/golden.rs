//! The default model's answers by Hugging Face transformers in f32 (`data/smollm2`).

use puna_core::tokenizer::TokenId;
use serde_json::Value;

/// The prompts.
pub const PROMPTS: [&str; 3] = ["p1", "p2", "p3"];

/// What transformers makes of a prompt, in f32.
#[derive(Clone, Debug)]
pub struct Golden {
    /// The prompt.
    pub ids: Vec<TokenId>,
    /// The logits after it.
    pub logits: Vec<f32>,
    /// The 24 tokens that follow, the most likely each time.
    pub greedy: Vec<TokenId>,
}

fn data(file: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/smollm2/");
    std::fs::read(format!("{path}{file}")).unwrap()
}

/// One of [`PROMPTS`].
///
/// # Panics
/// If there is no such prompt.
#[must_use]
pub fn golden(prompt: &str) -> Golden {
    let json: Value = serde_json::from_slice(&data("smollm2_golden.json")).unwrap();
    let ids = |key: &str| {
        let ids = json[prompt][key].as_array().unwrap();
        ids.iter()
            .map(|id| TokenId(id.as_u64().unwrap() as u32))
            .collect()
    };
    let raw = data(&format!("smollm2_{prompt}_last_logits.f32"));
    let logits = raw
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| f32::from_le_bytes(*b))
        .collect();
    Golden {
        ids: ids("ids"),
        logits,
        greedy: ids("greedy24_ids"),
    }
}
