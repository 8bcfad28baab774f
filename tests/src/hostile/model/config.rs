//! Hyperparameters that make no sense.

use puna_core::gguf::OwnedValue;

use super::{spoiled, with, without};
use crate::hostile::Case;

pub(super) fn cases() -> Vec<Case> {
    [absent(), heads(), sizes(), numbers(), context()].concat()
}

fn refused(key: &str, value: impl Into<OwnedValue>, says: &'static str) -> Case {
    let value = value.into();
    let name = match &value {
        OwnedValue::Str(text) if text.len() < 40 => format!("{key} = {text:?}"),
        OwnedValue::Str(text) => format!("{key} of {} bytes", text.len()),
        value => format!("{key} = {value:?}"),
    };
    Case::refused(name, with(key, value), says)
}

fn absent() -> Vec<Case> {
    let cases = [
        ("general.architecture", "`general.architecture` is missing"),
        ("llama.context_length", "`llama.context_length` is missing"),
        (
            "llama.embedding_length",
            "`llama.embedding_length` is missing",
        ),
        ("llama.block_count", "`llama.block_count` is missing"),
        (
            "llama.feed_forward_length",
            "`llama.feed_forward_length` is missing",
        ),
        (
            "llama.attention.head_count",
            "`llama.attention.head_count` is missing",
        ),
        (
            "llama.attention.layer_norm_rms_epsilon",
            "`llama.attention.layer_norm_rms_epsilon` is missing",
        ),
    ];
    let absent = |(key, says): (&str, _)| Case::refused(format!("no {key}"), without(key), says);
    cases.map(absent).to_vec()
}

fn heads() -> Vec<Case> {
    let (count, kv) = (
        "llama.attention.head_count",
        "llama.attention.head_count_kv",
    );
    let both = |n: u32| {
        spoiled(|tiny| {
            tiny.set(count, n).set(kv, n);
        })
    };
    vec![
        refused(count, 0u32, "head_count is 0, wanted 1 to 16777216"),
        refused(
            count,
            3u32,
            "head_count_kv is 2, wanted a divisor of head_count 3",
        ),
        Case::refused(
            "3 heads of a width of 64",
            both(3),
            "head_count is 3, wanted a divisor of embedding_length 64",
        ),
        Case::refused(
            "more heads than numbers",
            both(128),
            "head_count is 128, wanted a divisor of embedding_length 64",
        ),
        refused(
            count,
            2u32,
            "tensor blk.0.attn_k.weight has shape [64, 32], wanted [64, 64]",
        ),
        refused(
            count,
            u32::MAX,
            "head_count is 4294967295, wanted 1 to 16777216",
        ),
        refused(count, -4i32, "`llama.attention.head_count` at byte"),
        refused(count, vec![4u32, 4], "array of u32, wanted u32"),
        refused(kv, 0u32, "head_count_kv is 0, wanted 1 to 16777216"),
        refused(
            kv,
            3u32,
            "head_count_kv is 3, wanted a divisor of head_count 4",
        ),
        refused(
            kv,
            8u32,
            "head_count_kv is 8, wanted a divisor of head_count 4",
        ),
        refused(
            "llama.attention.key_length",
            0u32,
            "key_length is 0, wanted 1 to 16777216",
        ),
        refused(
            "llama.attention.key_length",
            u32::MAX,
            "key_length is 4294967295",
        ),
        refused(
            "llama.attention.key_length",
            32u32,
            "has shape [64, 64], wanted [64, 128]",
        ),
        refused(
            "llama.attention.value_length",
            0u32,
            "value_length is 0, wanted 1",
        ),
        refused(
            "llama.attention.value_length",
            8u32,
            "value_length is 8, wanted key_length 16",
        ),
    ]
}

fn sizes() -> Vec<Case> {
    let (layers, width) = ("llama.block_count", "llama.embedding_length");
    vec![
        refused(layers, 0u32, "block_count is 0, wanted 1 to"),
        refused(
            layers,
            1u32,
            "tensor blk.1.attn_norm.weight is not part of the llama architecture",
        ),
        refused(layers, 3u32, "tensor blk.2.attn_norm.weight is missing"),
        refused(layers, 1_024u32, "tensor blk.2.attn_norm.weight is missing"),
        refused(
            layers,
            100_000u32,
            "block_count is 100000, wanted up to 1024",
        ),
        refused(layers, u64::MAX, "is 18446744073709551615, wanted u32"),
        refused(width, 0u32, "embedding_length is 0"),
        refused(
            width,
            65u32,
            "head_count is 4, wanted a divisor of embedding_length 65",
        ),
        refused(
            width,
            32u32,
            "tensor token_embd.weight has shape [64, 300], wanted [32, 300]",
        ),
        refused(width, "64", "`llama.embedding_length` at byte"),
        refused(width, 64.0f32, "is f32, wanted u32"),
        refused(
            "llama.feed_forward_length",
            0u32,
            "feed_forward_length is 0",
        ),
        refused(
            "llama.feed_forward_length",
            95u32,
            "tensor blk.0.ffn_gate.weight has shape [64, 96], wanted [64, 95]",
        ),
        refused("llama.expert_count", 8u32, "expert_count is 8, wanted 0"),
    ]
}

fn numbers() -> Vec<Case> {
    let (eps, base) = (
        "llama.attention.layer_norm_rms_epsilon",
        "llama.rope.freq_base",
    );
    let (factor, dims) = ("llama.rope.scaling.factor", "llama.rope.dimension_count");
    let long = "x\n".repeat(100_000);
    vec![
        refused(
            eps,
            0.0f32,
            "layer_norm_rms_epsilon is 0, wanted a positive number",
        ),
        refused(eps, -1e-5f32, "is -0.00001, wanted a positive number"),
        refused(eps, f32::NAN, "is NaN, wanted a positive number"),
        refused(eps, f64::MAX, "is inf, wanted a positive number"),
        refused(eps, 1u32, "is u32, wanted f32"),
        refused(base, 0.0f32, "freq_base is 0"),
        refused(base, f32::INFINITY, "freq_base is inf"),
        refused(factor, 0.0f32, "factor is 0, wanted a positive number"),
        refused(factor, f32::NAN, "factor is NaN"),
        refused("llama.rope.scale_linear", -2.0f32, "scale_linear is -2"),
        refused(
            "llama.rope.scaling.type",
            "yarn",
            "type is \"yarn\", wanted \"none\" or \"linear\"",
        ),
        refused("llama.rope.scaling.type", 1u32, "is u32, wanted str"),
        refused("llama.rope.scaling.type", long.as_str(), "type is \"x\\n"),
        refused(dims, 0u32, "dimension_count is 0"),
        refused(
            dims,
            15u32,
            "dimension_count is 15, wanted an even number up to the head's 16",
        ),
        refused(dims, 18u32, "dimension_count is 18"),
        refused(
            "general.architecture",
            "gpt2",
            "architecture is \"gpt2\", wanted \"llama\"",
        ),
        refused(
            "general.architecture",
            "lla\nma",
            "architecture is \"lla\\nma\"",
        ),
        refused(
            "general.architecture",
            long.as_str(),
            "architecture is \"x\\n",
        ),
        refused("general.architecture", 7u32, "is u32, wanted str"),
        Case::survives("rope.freq_base 1e-30", with(base, 1e-30f32)),
        Case::survives("rope.scaling.factor 1e-30", with(factor, 1e-30f32)),
        Case::loads("rms_epsilon 1e30", with(eps, 1e30f32)),
    ]
}

fn context() -> Vec<Case> {
    let key = "llama.context_length";
    vec![
        Case::loads("context of 2^32-1", with(key, u32::MAX)),
        refused(key, 1u64 << 32, "is 4294967296, wanted u32"),
        refused(
            key,
            2u32,
            "session: 3 more tokens do not fit: 0 of a context of 2 are used",
        ),
        refused(
            key,
            0u32,
            "session: 3 more tokens do not fit: 0 of a context of 1 are used",
        ),
    ]
}
