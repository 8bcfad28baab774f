//! Vocabularies that are wrong on purpose: a typed error of one line, or a tokenizer that works.

use puna_core::gguf::{Gguf, OwnedValue, Writer};
use puna_core::tokenizer::{EncodeOptions, TokenId, Tokenizer, TokenizerError};

const ALL: EncodeOptions = EncodeOptions {
    add_special: true,
    parse_special: true,
};

/// A vocabulary as a list of keys, each of which a test may change.
struct Keys(Vec<(&'static str, OwnedValue)>);

impl Keys {
    /// `<unk> <s> </s> <0x61> ▁ a aa`
    fn spm() -> Self {
        Self(vec![
            ("tokenizer.ggml.model", "llama".into()),
            (
                "tokenizer.ggml.tokens",
                vec!["<unk>", "<s>", "</s>", "<0x61>", "▁", "a", "aa"].into(),
            ),
            (
                "tokenizer.ggml.scores",
                vec![0f32, 0.0, 0.0, 0.0, -1.0, -2.0, -3.0].into(),
            ),
            (
                "tokenizer.ggml.token_type",
                vec![2i32, 3, 3, 6, 1, 1, 1].into(),
            ),
        ])
    }

    /// `<|endoftext|> a b ab Ġ`
    fn bpe() -> Self {
        Self(vec![
            ("tokenizer.ggml.model", "gpt2".into()),
            ("tokenizer.ggml.pre", "gpt-2".into()),
            (
                "tokenizer.ggml.tokens",
                vec!["<|endoftext|>", "a", "b", "ab", "Ġ"].into(),
            ),
            ("tokenizer.ggml.token_type", vec![3i32, 1, 1, 1, 1].into()),
            ("tokenizer.ggml.merges", vec!["a b"].into()),
            ("tokenizer.ggml.eos_token_id", 0u32.into()),
        ])
    }

    fn without(mut self, key: &str) -> Self {
        self.0.retain(|(other, _)| *other != key);
        self
    }

    fn with(self, key: &'static str, value: impl Into<OwnedValue>) -> Self {
        let mut keys = self.without(key);
        keys.0.push((key, value.into()));
        keys
    }

    fn build(self) -> Result<Tokenizer, TokenizerError> {
        let mut file = Writer::new();
        for (key, value) in self.0 {
            file.kv(key, value);
        }
        Tokenizer::from_gguf(&Gguf::from_bytes(file.to_bytes()).expect("a GGUF file"))
    }

    fn error(self) -> String {
        let error = self.build().expect_err("an error").to_string();
        assert!(!error.contains('\n') && error.len() < 300, "{error}");
        error
    }
}

fn ids(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    let ids = tokenizer.encode(text, ALL);
    ids.into_iter().map(|id| id.0).collect()
}

#[test]
fn the_unchanged_ones_work() {
    let spm = Keys::spm().build().expect("a tokenizer");
    assert_eq!(ids(&spm, "aaa"), [1, 4, 6, 5]);
    let bpe = Keys::bpe().build().expect("a tokenizer");
    assert_eq!(ids(&bpe, "ab a<|endoftext|>"), [3, 4, 1, 0]);
}

#[test]
fn errors_name_the_field() {
    let names = vec!["x"; 7];
    let cases: Vec<(Keys, &str)> = vec![
        (
            Keys::spm().without("tokenizer.ggml.model"),
            "tokenizer.ggml.model",
        ),
        (Keys::spm().with("tokenizer.ggml.model", "bert"), "\"bert\""),
        (
            Keys::spm().with("tokenizer.ggml.model", 1u32),
            "tokenizer.ggml.model",
        ),
        (
            Keys::spm().without("tokenizer.ggml.tokens"),
            "tokenizer.ggml.tokens",
        ),
        (
            Keys::spm().with("tokenizer.ggml.tokens", vec![1u32]),
            "tokenizer.ggml.tokens",
        ),
        (
            Keys::spm().with("tokenizer.ggml.tokens", Vec::<&str>::new()),
            "tokenizer.ggml.tokens is empty",
        ),
        (
            Keys::spm().without("tokenizer.ggml.scores"),
            "tokenizer.ggml.scores",
        ),
        (
            Keys::spm().with("tokenizer.ggml.scores", vec![0f32; 6]),
            "tokenizer.ggml.scores has 6 elements, wanted 7",
        ),
        (
            Keys::spm().with("tokenizer.ggml.scores", names),
            "tokenizer.ggml.scores",
        ),
        (
            Keys::spm().with("tokenizer.ggml.token_type", vec![1i32; 6]),
            "tokenizer.ggml.token_type has 6 elements, wanted 7",
        ),
        (
            Keys::spm().with("tokenizer.ggml.token_type", vec![1f32; 7]),
            "tokenizer.ggml.token_type",
        ),
        (
            Keys::spm().with("tokenizer.ggml.eos_token_id", 7u32),
            "tokenizer.ggml.eos_token_id is 7, but there are only 7 tokens",
        ),
        (
            Keys::spm().with("tokenizer.ggml.bos_token_id", u32::MAX),
            "tokenizer.ggml.bos_token_id is 4294967295",
        ),
        (
            Keys::spm().with("tokenizer.ggml.add_bos_token", 1u32),
            "tokenizer.ggml.add_bos_token",
        ),
        (Keys::bpe().with("tokenizer.ggml.pre", "gpt-9"), "\"gpt-9\""),
        (
            Keys::bpe().with("tokenizer.ggml.pre", "x\ny".repeat(1000)),
            "\"x\\nyx",
        ),
        (
            Keys::bpe().without("tokenizer.ggml.merges"),
            "tokenizer.ggml.merges",
        ),
        (
            Keys::bpe().with("tokenizer.ggml.merges", vec![0u8]),
            "tokenizer.ggml.merges",
        ),
    ];
    for (keys, wanted) in cases {
        let error = keys.error();
        assert!(error.contains(wanted), "{error} should say {wanted}");
    }
}

#[test]
fn malformed_byte_tokens() {
    for name in [
        "<0x-1>", "<0xZZ>", "<0x1>", "<0x001>", "<0x", "a", "", "<0x+1>",
    ] {
        let tokens = vec!["<unk>", "<s>", "</s>", name, "▁", "b", "c"];
        let error = Keys::spm().with("tokenizer.ggml.tokens", tokens).error();
        assert!(error.contains("token 3 is typed as a byte"), "{error}");
    }
}

#[test]
fn no_byte_tokens_fall_back_to_unknown() {
    let types = vec![2i32, 3, 3, 1, 1, 1, 1];
    let tokens = vec!["<unk>", "<s>", "</s>", "x", "▁", "a", "aa"];
    let keys = Keys::spm().with("tokenizer.ggml.tokens", tokens);
    let spm = keys
        .with("tokenizer.ggml.token_type", types)
        .build()
        .expect("a tokenizer");
    assert_eq!(ids(&spm, "a🦀a"), [1, 4, 5, 0, 5]);
    // Without an unknown token that plain text may become, the character is lost.
    let bpe = Keys::bpe().with("tokenizer.ggml.unknown_token_id", 0u32);
    assert_eq!(ids(&bpe.build().expect("a tokenizer"), "a🦀a\u{4}"), [1, 1]);
}

#[test]
fn one_token_and_default_ids_beyond_it() {
    let spm = Keys::spm()
        .with("tokenizer.ggml.tokens", vec!["a"])
        .without("tokenizer.ggml.token_type");
    let spm = spm.build().expect("a tokenizer");
    assert_eq!(
        (spm.bos(), spm.eos(), spm.unk()),
        (None, None, Some(TokenId(0)))
    );
    assert!(!spm.add_bos());
    assert_eq!(ids(&spm, "aa"), [0, 0, 0]);
    assert_eq!(
        spm.detokenize(&[TokenId(0), TokenId(1), TokenId(u32::MAX)], true),
        "a"
    );
    assert_eq!(spm.token_bytes(TokenId(1)), None);
    assert_eq!(spm.token_text(TokenId(u32::MAX)), None);
}

#[test]
fn empty_and_duplicate_tokens() {
    let tokens = vec!["", "a", "a", "", "b", "ab", "ab"];
    let keys = Keys::bpe()
        .with("tokenizer.ggml.tokens", tokens.clone())
        .without("tokenizer.ggml.token_type");
    let bpe = keys.build().expect("a tokenizer");
    assert_eq!(ids(&bpe, "aab"), [1, 5]);
    assert_eq!(bpe.token_to_id(""), None);
    let all: Vec<TokenId> = (0..7).map(TokenId).collect();
    assert_eq!(bpe.detokenize(&all, true), "aababab");

    let types = vec![3i32, 3, 4, 3, 4, 2, 3];
    let keys = Keys::spm().with("tokenizer.ggml.tokens", tokens);
    let spm = keys
        .with("tokenizer.ggml.token_type", types)
        .build()
        .expect("a tokenizer");
    assert_eq!(ids(&spm, "aab"), [1, 1, 5]);
}

#[test]
fn merges_that_name_nothing() {
    let merges = vec![
        "", " ", "a", "a ", " a", "x y", "a x", "b a", "a b c", "a b", "a b",
    ];
    let bpe = Keys::bpe()
        .with("tokenizer.ggml.merges", merges)
        .build()
        .expect("a tokenizer");
    assert_eq!(ids(&bpe, "abba"), [3, 2, 1]);
}

#[test]
fn scores_that_are_no_numbers() {
    let odd = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        -0.0,
        f32::MAX,
        f32::NAN,
        -f32::NAN,
    ];
    let spm = Keys::spm()
        .with("tokenizer.ggml.scores", odd.to_vec())
        .build();
    assert_eq!(ids(&spm.expect("a tokenizer"), "aaaa"), [1, 4, 6, 6]);
}

#[test]
fn a_space_that_joins_everything() {
    // Tokens in which a space follows a letter: words touch each other.
    let tokens = vec!["<unk>", "<s>", "</s>", "▁", "a", "▁a", "▁a▁a"];
    let keys = Keys::spm().with("tokenizer.ggml.tokens", tokens);
    let keys = keys.with("tokenizer.ggml.token_type", vec![2i32, 3, 3, 1, 1, 1, 1]);
    assert_eq!(ids(&keys.build().expect("a tokenizer"), "a a a"), [1, 6, 5]);
}

/// Quadratic algorithms would take minutes here.
#[test]
fn long_texts_and_nested_names_take_no_time() {
    let nested: Vec<String> = (1..300).map(|n| "<".repeat(n)).collect();
    let n_vocab = nested.len() + 3;
    let mut tokens = vec!["a".to_owned(), "aa".to_owned(), "▁".to_owned()];
    tokens.extend(nested);
    let mut types = vec![4i32; n_vocab];
    types[..3].fill(1);
    let keys = Keys::spm()
        .with("tokenizer.ggml.tokens", tokens.clone())
        .with("tokenizer.ggml.token_type", types.clone())
        .with("tokenizer.ggml.scores", vec![0f32; n_vocab])
        .with("tokenizer.ggml.add_bos_token", false);
    let spm = keys.build().expect("a tokenizer");
    let keys = Keys::bpe()
        .with("tokenizer.ggml.tokens", tokens)
        .with("tokenizer.ggml.token_type", types)
        .with("tokenizer.ggml.merges", vec!["a a"]);
    let bpe = keys.build().expect("a tokenizer");
    for tokenizer in [spm, bpe] {
        for text in ["a", " ", "\n", "'", "\r\n ", "1"] {
            ids(&tokenizer, &text.repeat(100_000 / text.len()));
        }
        // The longest name that is looked for has 128 bytes.
        assert_eq!(ids(&tokenizer, &"<".repeat(12_800)), vec![130; 100]);
    }
}
