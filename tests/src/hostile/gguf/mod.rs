//! What a GGUF reader must refuse, and a few odd files that it must read.

mod metadata;
mod raw;
mod tensors;

use puna_core::gguf::{GgmlType, OwnedValue, ValueType, Writer};

use super::Case;
use raw::{Raw, array, string, with_pair, with_tensor};

const F32: u32 = GgmlType::F32.number();

/// A small file with everything that a header can have, as the start of mutants.
#[must_use]
pub fn valid() -> Vec<u8> {
    let nested = OwnedValue::Array(ValueType::Array, vec![vec![1u8].into(), vec!["x"].into()]);
    let mut file = Writer::new();
    file.kv("general.architecture", "llama")
        .kv("general.alignment", 32u32)
        .kv("llama.block_count", 1u64)
        .kv("llama.rope.freq_base", 1e4f32)
        .kv("llama.rope.scale", 1e4f64)
        .kv("tokenizer.ggml.tokens", vec!["<unk>", "<s>", "</s>", "ü"])
        .kv("tokenizer.ggml.scores", vec![0.0f32, -1.0, -2.0, -3.0])
        .kv("tokenizer.ggml.token_type", vec![2i32, 3, 3, 1])
        .kv("tokenizer.ggml.add_bos_token", true)
        .kv("bools", vec![true, false])
        .kv("small", vec![-1i8, 2])
        .kv("nested", nested)
        .tensor("token_embd.weight", GgmlType::Q4_0, &[32, 4], vec![3; 72])
        .tensor("output_norm.weight", GgmlType::F32, &[32], vec![0; 128]);
    file.to_bytes()
}

/// Every case, from the first field of a file to the last.
#[must_use]
pub fn cases() -> Vec<Case> {
    let sections = [
        metadata::cases(),
        tensors::cases(),
        splits(),
        odd_but_fine(),
    ];
    sections.into_iter().flatten().collect()
}

fn splits() -> Vec<Case> {
    let shard = |no: u64, count: u64| {
        let file = Raw::new().pair(b"split.no", 10, &no.to_le_bytes());
        file.pair(b"split.count", 10, &count.to_le_bytes()).bytes()
    };
    vec![
        Case::refused(
            "split.count 2^64-1",
            shard(0, u64::MAX),
            "`split.count` at byte 75 is 18446744073709551615, wanted u16",
        ),
        Case::refused(
            "split.no 2^64-1",
            shard(u64::MAX, 2),
            "`split.no` at byte 44 is 18446744073709551615, wanted u16",
        ),
        Case::refused(
            "split.no without others",
            shard(0, 65_535),
            "`split.count` is 65535, 1 shards given",
        ),
        Case::refused(
            "not the first shard",
            shard(2, 3),
            "`split.no` is 2: open the first shard of 3",
        ),
        Case::refused(
            "split.count a string",
            with_pair(b"split.count", ValueType::Str, &string(b"2")),
            "is str, wanted u16",
        ),
        Case::refused(
            "split.no absent",
            with_pair(b"split.count", ValueType::U16, &[2, 0]),
            "`split.no` is missing",
        ),
        Case::loads("split.count 1", shard(0, 1)),
    ]
}

fn odd_but_fine() -> Vec<Case> {
    let mut many_keys = Raw::new();
    for i in 0..65_536u32 {
        many_keys = many_keys.pair(format!("{i:x}").as_bytes(), 7, &[1]);
    }
    let mut many_tensors = Raw {
        alignment: 32,
        ..Raw::new()
    };
    for i in 0..65_536u64 {
        let ty = GgmlType::I8.number();
        many_tensors = many_tensors.tensor(format!("{i:x}").as_bytes(), &[1], ty, 32 * i);
    }
    let strings = array(ValueType::Str, 1 << 20, &vec![0; 8 << 20]);
    let context = with_pair(b"llama.context_length", ValueType::U32, &[0xff; 4]);
    let backwards = Raw::new()
        .tensor(b"b", &[8], F32, 32)
        .tensor(b"a", &[8], F32, 0);
    let long_key = with_pair(&[b'k'; 65_535], ValueType::Bool, &[0]);
    vec![
        Case::loads("no tensors, no keys", Raw::new().bytes()),
        Case::loads(
            "version 2",
            Raw {
                version: 2,
                ..Raw::new()
            }
            .bytes(),
        ),
        Case::loads("65,536 keys", many_keys.bytes()),
        Case::loads("65,536 tensors", many_tensors.data(32 << 16).bytes()),
        Case::loads(
            "a million empty strings",
            with_pair(b"k", ValueType::Array, &strings),
        ),
        Case::loads("key of 65,535 bytes", long_key),
        Case::loads("context of 2^32-1", context),
        Case::loads("tensors in another order", backwards.data(64).bytes()),
        Case::loads(
            "bytes behind the last tensor",
            with_tensor(b"t", &[8], F32, 0, 1000),
        ),
    ]
}
