//! Ids of real vocabularies, equal to those of other programs.

use puna_core::tokenizer::{EncodeOptions, TokenId};
use puna_tests::vocab;

const PLAIN: EncodeOptions = EncodeOptions {
    add_special: false,
    parse_special: false,
};
const TEMPLATE: EncodeOptions = EncodeOptions {
    add_special: true,
    parse_special: true,
};

/// The texts that llama.cpp keeps with its vocabularies. The ids are Hugging Face's; for GPT-NeoX,
/// whose file names no pre-tokenizer, they are llama.cpp's for `default`.
#[test]
fn ids_of_plain_text() {
    check("plain", PLAIN, 46);
}

/// Templates, names of special tokens whole and cut, and what scanners get wrong. The ids are those
/// of llama.cpp (as in llama-cpp-python 0.3.36), with BOS and special tokens on.
#[test]
fn ids_of_special_tokens() {
    check("special", TEMPLATE, 55);
}

fn check(set: &str, options: EncodeOptions, wanted: usize) {
    for name in vocab::NAMES {
        let tokenizer = vocab::tokenizer(name);
        let cases = vocab::cases(name, set);
        assert_eq!(cases.len(), wanted);
        for (text, ids) in cases {
            assert_eq!(tokenizer.encode(&text, options), ids, "{name}: {text:?}");
        }
    }
}

/// Which tokens begin and end texts, as llama.cpp reports them for the same files.
#[test]
fn special_ids() {
    let wanted: [(&str, u32, u32, bool, &[u32]); 6] = [
        ("smollm2", 1, 2, false, &[0, 2, 4]),
        ("llama-spm", 1, 2, true, &[2]),
        ("phi-3", 1, 32000, true, &[2, 32000, 32007]),
        ("llama-bpe", 128_000, 128_001, true, &[128_001, 128_009]),
        (
            "qwen2",
            151_643,
            151_643,
            false,
            &[128_247, 151_643, 151_645],
        ),
        ("falcon", 11, 11, false, &[11]),
    ];
    for (name, bos, eos, add_bos, eog) in wanted {
        let tokenizer = vocab::tokenizer(name);
        assert_eq!(tokenizer.bos(), Some(TokenId(bos)), "{name}");
        assert_eq!(tokenizer.eos(), Some(TokenId(eos)), "{name}");
        assert_eq!(
            (tokenizer.add_bos(), tokenizer.add_eos()),
            (add_bos, false),
            "{name}"
        );
        let ids = (0..tokenizer.n_vocab() as u32).map(TokenId);
        let ends: Vec<u32> = ids
            .filter(|&id| tokenizer.is_eog(id))
            .map(|id| id.0)
            .collect();
        assert_eq!(ends, eog, "{name}");
    }
}

/// Nobody ends a turn by typing the name of a token.
#[test]
fn plain_text_never_becomes_a_control_token() {
    for name in vocab::NAMES {
        let tokenizer = vocab::tokenizer(name);
        for text in tokenizer.special_texts() {
            let id = tokenizer.token_to_id(text).expect("a token");
            if tokenizer.is_control(id) {
                let ids = tokenizer.encode(text, PLAIN);
                assert!(
                    !ids.iter().any(|&id| tokenizer.is_control(id)),
                    "{name}: {text}"
                );
            }
        }
    }
}
