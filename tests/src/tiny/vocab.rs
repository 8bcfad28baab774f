//! A SentencePiece vocabulary of any size.

use puna_core::gguf::OwnedValue;

/// `<unk>`, `<s>`, `</s>`, the 256 bytes, pieces of English, and as many more as make `n_vocab`, at least
/// 295; GGUF's keys for them.
pub fn keys(n_vocab: usize) -> Vec<(String, OwnedValue)> {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(str::to_owned).to_vec();
    tokens.extend((0..=255).map(|byte| format!("<0x{byte:02X}>")));
    let mut types = vec![2i32, 3, 3];
    types.resize(tokens.len(), 6);
    tokens.extend(["▁", "▁t", "he", "▁the", "in", "er", "an", "▁a", "on", "re"].map(str::to_owned));
    tokens.extend(('a'..='z').map(String::from));
    tokens.extend((tokens.len()..n_vocab).map(|i| format!("▁piece{i}")));
    types.resize(n_vocab, 1);
    let scores: Vec<f32> = (0..n_vocab)
        .map(|i| if i < 259 { 0.0 } else { -(i as f32) })
        .collect();
    let key = |name: &str, value: OwnedValue| (format!("tokenizer.ggml.{name}"), value);
    vec![
        key("model", "llama".into()),
        key("tokens", tokens.into()),
        key("scores", scores.into()),
        key("token_type", types.into()),
        key("bos_token_id", 1u32.into()),
        key("eos_token_id", 2u32.into()),
        key("unknown_token_id", 0u32.into()),
    ]
}
