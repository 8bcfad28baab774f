//! Vocabularies that do not fit the model or themselves.

use puna_core::gguf::{OwnedValue, ValueType};

use super::{spoiled, with, without};
use crate::{hostile::Case, tiny::Tiny};

const TOKENS: &str = "tokenizer.ggml.tokens";
const SCORES: &str = "tokenizer.ggml.scores";
const TYPES: &str = "tokenizer.ggml.token_type";
const MODEL: &str = "tokenizer.ggml.model";

pub(super) fn cases() -> Vec<Case> {
    [tokens(), arrays(), special(), bytes(), byte_level()].concat()
}

/// The elements of an array of the model.
fn elements<'a>(tiny: &'a mut Tiny, key: &str) -> &'a mut Vec<OwnedValue> {
    let found = tiny.keys.iter_mut().find(|(k, _)| k == key);
    match found {
        Some((_, OwnedValue::Array(_, elements))) => elements,
        _ => unreachable!("{key} is an array"),
    }
}

/// The valid model with another token at `id`.
fn with_token(id: usize, text: &str) -> Vec<u8> {
    spoiled(|tiny| elements(tiny, TOKENS)[id] = text.into())
}

/// The valid model with its vocabulary and its matrices cut to `n` tokens.
fn of_tokens(n: usize) -> Vec<u8> {
    spoiled(|tiny| {
        for key in [TOKENS, SCORES, TYPES] {
            elements(tiny, key).truncate(n);
        }
        for name in ["token_embd.weight", "output.weight"] {
            let tensor = tiny.tensor_mut(name);
            tensor.bytes.truncate(tensor.bytes.len() / 300 * n);
            tensor.dims[1] = n as u64;
        }
        for key in ["bos", "eos", "unknown"] {
            tiny.remove(&format!("tokenizer.ggml.{key}_token_id"));
        }
    })
}

fn tokens() -> Vec<Case> {
    vec![
        Case::loads("one token, special ones by default", of_tokens(1)),
        Case::loads("two tokens", of_tokens(2)),
        Case::refused(
            "no tokens key",
            without(TOKENS),
            "`tokenizer.ggml.tokens` is missing",
        ),
        Case::refused("tokens a string", with(TOKENS, "a"), "wanted array of str"),
        Case::refused(
            "tokens numbers",
            with(TOKENS, vec![1u32; 300]),
            "wanted array of str",
        ),
        Case::refused(
            "no tokens in tokens",
            with(TOKENS, OwnedValue::Array(ValueType::Str, vec![])),
            "has shape [64, 300], wanted [64, 0]",
        ),
        Case::refused(
            "a token too many",
            spoiled(|tiny| elements(tiny, TOKENS).push("x".into())),
            "tensor token_embd.weight has shape [64, 300], wanted [64, 301]",
        ),
        Case::loads("an empty token", with_token(260, "")),
        Case::loads("a token twice", with_token(261, "▁the")),
        Case::loads(
            "all tokens alike",
            spoiled(|tiny| {
                tiny.set(TOKENS, vec!["x"; 300]).remove(TYPES);
            }),
        ),
        Case::loads("a token of 1 MiB", with_token(299, &"x".repeat(1 << 20))),
        Case::refused(
            "no tokenizer",
            without(MODEL),
            "`tokenizer.ggml.model` is missing",
        ),
        Case::refused(
            "tokenizer of BERT",
            with(MODEL, "bert"),
            "tokenizer.ggml.model is \"bert\"",
        ),
        Case::refused("tokenizer 5", with(MODEL, 5u32), "is u32, wanted str"),
    ]
}

fn arrays() -> Vec<Case> {
    vec![
        Case::refused(
            "no scores",
            without(SCORES),
            "`tokenizer.ggml.scores` is missing",
        ),
        Case::refused(
            "scores of i32",
            with(SCORES, vec![0i32; 300]),
            "wanted array of f32",
        ),
        Case::refused(
            "scores of strings",
            with(SCORES, vec!["0"; 300]),
            "wanted array of f32",
        ),
        Case::refused(
            "scores a number",
            with(SCORES, 0.0f32),
            "wanted array of f32",
        ),
        Case::refused(
            "a score too few",
            with(SCORES, vec![0.0f32; 299]),
            "tokenizer.ggml.scores has 299 elements, wanted 300",
        ),
        Case::loads("a score too many", with(SCORES, vec![0.0f32; 301])),
        Case::loads("scores NaN", with(SCORES, vec![f32::NAN; 300])),
        Case::loads("scores infinite", with(SCORES, vec![f32::INFINITY; 300])),
        Case::loads("no types", without(TYPES)),
        Case::refused(
            "types of strings",
            with(TYPES, vec!["1"; 300]),
            "wanted array of i32",
        ),
        Case::refused(
            "a type too few",
            with(TYPES, vec![1i32; 299]),
            "tokenizer.ggml.token_type has 299 elements, wanted 300",
        ),
        Case::refused(
            "type 2^32-1",
            with(TYPES, vec![u32::MAX; 300]),
            "is 4294967295, wanted i32",
        ),
        Case::loads("types unheard of", with(TYPES, vec![-77i32; 300])),
    ]
}

fn special() -> Vec<Case> {
    let id = |key: &str, id: u32, says| {
        let key = format!("tokenizer.ggml.{key}_token_id");
        Case::refused(format!("{key} {id}"), with(&key, id), says)
    };
    let eos = "tokenizer.ggml.eos_token_id";
    vec![
        id(
            "bos",
            300,
            "bos_token_id is 300, but there are only 300 tokens",
        ),
        id(
            "eos",
            300,
            "eos_token_id is 300, but there are only 300 tokens",
        ),
        id(
            "eos",
            u32::MAX,
            "eos_token_id is 4294967295, but there are only 300",
        ),
        id("unknown", 1000, "unknown_token_id is 1000, but"),
        id("eot", 301, "eot_token_id is 301, but"),
        id("fim_pre", 300, "fim_pre_token_id is 300, but"),
        Case::refused("eos -1", with(eos, -1i32), "is -1, wanted u32"),
        Case::refused("eos a string", with(eos, "</s>"), "is str, wanted u32"),
        Case::refused(
            "add_bos_token a number",
            with("tokenizer.ggml.add_bos_token", 1u32),
            "is u32, wanted bool",
        ),
        Case::loads("all special tokens the same", {
            spoiled(|tiny| {
                for key in ["bos", "eos", "unknown", "eot", "eom"] {
                    tiny.set(&format!("tokenizer.ggml.{key}_token_id"), 5u32);
                }
            })
        }),
    ]
}

fn bytes() -> Vec<Case> {
    let refused =
        |text: &str, says| Case::refused(format!("byte {text}"), with_token(10, text), says);
    let renamed = spoiled(|tiny| {
        for id in 3..259 {
            elements(tiny, TOKENS)[id] = format!("byte{id}").into();
            elements(tiny, TYPES)[id] = 1i32.into();
        }
    });
    vec![
        refused("<0x-1>", "token 10 is typed as a byte but reads \"<0x-1>\""),
        refused("<0xZZ>", "token 10 is typed as a byte but reads \"<0xZZ>\""),
        refused("<0x100>", "reads \"<0x100>\", wanted \"<0xNN>\""),
        refused("<0x+1>", "reads \"<0x+1>\""),
        refused("<0x>", "reads \"<0x>\""),
        refused("", "reads \"\""),
        refused("\n", "reads \"\\n\""),
        Case::loads("no bytes at all", renamed),
        Case::loads("a byte twice", with_token(10, "<0x00>")),
    ]
}

fn byte_level() -> Vec<Case> {
    let gpt2 = |merges: Vec<&str>, pre: &str| {
        spoiled(|tiny| {
            tiny.set(MODEL, "gpt2").set("tokenizer.ggml.pre", pre);
            tiny.set("tokenizer.ggml.merges", merges);
        })
    };
    vec![
        Case::loads(
            "merges that name unknown tokens",
            gpt2(vec!["q zz", "zz q"], "gpt-2"),
        ),
        Case::loads(
            "merges that are none",
            gpt2(vec!["", " ", "a", "a b c", "\n"], "gpt-2"),
        ),
        Case::loads("a merge twice", gpt2(vec!["h e", "h e"], "gpt-2")),
        Case::refused(
            "pre-tokenizer unknown",
            gpt2(vec![], "nobody"),
            "pre-tokenizer \"nobody\"",
        ),
        Case::refused("no merges", with(MODEL, "gpt2"), "tokenizer.ggml."),
        Case::refused(
            "merges of numbers",
            spoiled(|tiny| {
                tiny.set(MODEL, "gpt2").set("tokenizer.ggml.pre", "gpt-2");
                tiny.set("tokenizer.ggml.merges", vec![1u32, 2]);
            }),
            "`tokenizer.ggml.merges` at byte",
        ),
    ]
}
