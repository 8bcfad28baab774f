//! Files of random weights: they open, and their answers are sound numbers.

use puna_core::cancel::Cancel;
use puna_core::gguf::{GgmlType, Gguf};
use puna_core::model::Model;
use puna_core::session::{Session, SessionOptions};
use puna_core::tokenizer::TokenId;
use puna_tests::synth::{SHAPES, Shape, write};

#[test]
fn a_made_model_computes() {
    let shape = Shape {
        name: "small",
        n_layer: 3,
        n_embd: 256,
        n_head: 4,
        n_head_kv: 2,
        n_ff: 512,
        n_vocab: 400,
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.gguf");
    let mut bytes = Vec::new();
    write(&shape, &mut bytes).unwrap();
    std::fs::write(&path, &bytes).unwrap();

    let model = Model::open(&path).unwrap();
    assert_eq!(model.config().n_vocab, 400);
    let mut session = Session::new(&model, &SessionOptions::default()).unwrap();
    let tokens: Vec<TokenId> = (0..40).map(|i| TokenId(i * 7 % 400)).collect();
    session.prefill(&tokens, &Cancel::new()).unwrap();
    let logits = session.decode(TokenId(5), &Cancel::new()).unwrap();
    let n = logits.len() as f32;
    let rms = (logits.iter().map(|l| l * l).sum::<f32>() / n).sqrt();
    assert!(rms > 0.3 && rms < 3.0, "{rms}");

    let mut again = Vec::new();
    write(&shape, &mut again).unwrap();
    assert_eq!(bytes, again, "the same bytes each time");
}

#[test]
fn types_are_those_of_llama_cpps_quantizer() {
    let small = Shape {
        n_layer: 1,
        n_embd: 256,
        n_head: 2,
        n_head_kv: 1,
        n_ff: 256,
        n_vocab: 300,
        ..SHAPES[0]
    };
    let mut bytes = Vec::new();
    write(&small, &mut bytes).unwrap();
    let file = Gguf::from_bytes(bytes).unwrap();
    let ty = |name: &str| {
        let tensor = file.tensors().find(|t| t.name() == name);
        tensor.unwrap_or_else(|| panic!("{name}")).ty()
    };
    assert_eq!(ty("token_embd.weight"), GgmlType::Q4_0);
    assert_eq!(ty("blk.0.ffn_down.weight"), GgmlType::Q4_0);
    assert_eq!(ty("blk.0.attn_norm.weight"), GgmlType::F32);
    assert_eq!(ty("output.weight"), GgmlType::Q6_K);
    assert_eq!(file.tensors().count(), 1 + 9 + 2);
}
