//! What holds for any text and any tokens.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use puna_core::gguf::{Gguf, Writer};
use puna_core::tokenizer::{EncodeOptions, Fragment, TokenId, Tokenizer};
use puna_tests::vocab;

const PLAIN: EncodeOptions = EncodeOptions {
    add_special: false,
    parse_special: false,
};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Text of all scripts, with more than its share of what tokenizers stumble over.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        "[a-zA-Z]{1,8}",
        "[0-9]{1,7}",
        "[ \t\r\n\u{a0}\u{3000}]{1,6}",
        "['!-/<|>]{1,4}",
        prop::sample::select(vec![
            "'s",
            "'LL",
            " the",
            "👩‍👩‍👧‍👦",
            "🇩🇪",
            "é",
            "e\u{301}",
            "中文",
            "\0",
            "</s>",
            "<|im_end|>",
            "<s>",
            "<0x0A>",
            "õ",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Vocabularies that can spell every byte.
const COMPLETE: [&str; 6] = [
    "gpt-2",
    "llama-bpe",
    "qwen2",
    "deepseek-llm",
    "deepseek-coder",
    "llama-spm",
];

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn text_survives(text in text(), name in prop::sample::select(COMPLETE.to_vec())) {
        let tokenizer = vocab::tokenizer(name);
        // SentencePiece cannot tell this sign from a space.
        let text = text.replace('▁', "_");
        let ids = tokenizer.encode(&text, PLAIN);
        prop_assert_eq!(tokenizer.detokenize(&ids, false), text.clone());

        let ids = tokenizer.encode(&text, EncodeOptions { add_special: false, parse_special: true });
        prop_assert_eq!(tokenizer.detokenize(&ids, true), text);
    }

    #[test]
    fn a_stream_says_the_same_in_whole_characters(
        text in text(),
        name in prop::sample::select(COMPLETE.to_vec()),
    ) {
        let tokenizer = vocab::tokenizer(name);
        let text = text.replace(['▁', '\u{FFFD}'], "_");
        let mut stream = tokenizer.stream();
        let mut streamed = String::new();
        for id in tokenizer.encode(&text, PLAIN) {
            let piece = stream.push(id);
            prop_assert!(!piece.contains('\u{FFFD}'), "a character was cut");
            streamed.push_str(piece);
        }
        prop_assert_eq!(stream.finish(), "");
        prop_assert_eq!(streamed, text);
    }

    #[test]
    fn any_ids_make_the_text_of_their_bytes(
        ids in prop::collection::vec(0u32..60_000, 0..40),
        name in prop::sample::select(vec!["gpt-2", "smollm2", "starcoder"]),
    ) {
        let tokenizer = vocab::tokenizer(name);
        let ids: Vec<TokenId> = ids.into_iter().map(TokenId).collect();
        let bytes: Vec<u8> = ids
            .iter()
            .filter(|&&id| !tokenizer.is_control(id))
            .filter_map(|&id| tokenizer.token_bytes(id))
            .flat_map(|bytes| bytes.into_owned())
            .collect();
        prop_assert_eq!(tokenizer.detokenize(&ids, false), String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn fragments_are_one_text(
        parts in prop::collection::vec(text(), 0..4),
        name in prop::sample::select(vec!["gpt-2", "llama-spm", "llama-bpe"]),
    ) {
        let tokenizer = vocab::tokenizer(name);
        let fragments = parts.iter().map(|part| Fragment::Text(part));
        prop_assert_eq!(
            tokenizer.encode_fragments(fragments, false),
            tokenizer.encode(&parts.concat(), PLAIN)
        );
    }

    /// The definition of both algorithms, word for word, on vocabularies of chance.
    #[test]
    fn joins_are_those_of_the_definition(
        tokens in prop::collection::vec("[abc]{2,4}", 1..24),
        ranks in prop::collection::vec(0u8..6, 27),
        splits in prop::collection::vec(1usize..4, 24),
        text in "[abc]{0,40}",
    ) {
        let mut names: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        for token in tokens {
            if !names.contains(&token) {
                names.push(token);
            }
        }
        let scores: Vec<f32> = std::iter::zip(&names, &ranks).map(|(_, &r)| -f32::from(r)).collect();
        let spm = tokenizer(&[("model", "llama")], &names, |file| {
            file.kv("tokenizer.ggml.scores", scores.clone());
            file.kv("tokenizer.ggml.add_space_prefix", false);
            file.kv("tokenizer.ggml.add_bos_token", false);
        });
        let merges: Vec<(&str, &str)> = std::iter::zip(&names[3..], splits)
            .map(|(name, at)| name.split_at(at.min(name.len() - 1)))
            .filter(|&(left, right)| [left, right].iter().all(|s| names.iter().any(|n| n == s)))
            .collect();
        let bpe = tokenizer(&[("model", "gpt2"), ("pre", "gpt-2")], &names, |file| {
            let lines = merges.iter().map(|(left, right)| format!("{left} {right}"));
            file.kv("tokenizer.ggml.merges", lines.collect::<Vec<String>>());
        });

        let by_score = |left: &str, right: &str| {
            let id = names.iter().position(|name| *name == format!("{left}{right}"))?;
            Some(i64::from(ranks[id]))
        };
        prop_assert_eq!(texts(&spm, &text), joined(&text, by_score));
        let by_merge = |left: &str, right: &str| {
            merges.iter().position(|&merge| merge == (left, right)).map(|rank| rank as i64)
        };
        prop_assert_eq!(texts(&bpe, &text), joined(&text, by_merge));
    }
}

fn tokenizer(keys: &[(&str, &str)], names: &[String], more: impl Fn(&mut Writer)) -> Tokenizer {
    let mut file = Writer::new();
    for &(key, value) in keys {
        file.kv(format!("tokenizer.ggml.{key}"), value);
    }
    file.kv("tokenizer.ggml.tokens", names);
    more(&mut file);
    let gguf = Gguf::from_bytes(file.to_bytes()).expect("a GGUF file");
    Tokenizer::from_gguf(&gguf).expect("a tokenizer")
}

fn texts(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
    let ids = tokenizer.encode(text, PLAIN).into_iter();
    ids.map(|id| tokenizer.token_text(id).expect("a token").to_owned())
        .collect()
}

/// Joins the pair of the lowest rank, the leftmost of equals, until none has a rank.
fn joined(text: &str, rank: impl Fn(&str, &str) -> Option<i64>) -> Vec<String> {
    let mut parts: Vec<String> = text.chars().map(String::from).collect();
    loop {
        let ranks = parts.windows(2).enumerate();
        let best = ranks
            .filter_map(|(i, pair)| Some((rank(&pair[0], &pair[1])?, i)))
            .min();
        let Some((_, i)) = best else {
            return parts;
        };
        let right = parts.remove(i + 1);
        parts[i].push_str(&right);
    }
}

#[test]
fn a_character_may_come_byte_by_byte() {
    let tokenizer = vocab::tokenizer("llama-spm");
    let byte = |b: u8| {
        tokenizer
            .token_to_id(&format!("<0x{b:02X}>"))
            .expect("a byte")
    };
    let mut stream = tokenizer.stream();
    let pieces: Vec<String> = "🦀"
        .bytes()
        .map(|b| stream.push(byte(b)).to_owned())
        .collect();
    assert_eq!(pieces, ["", "", "", "🦀"]);
    // A character that something else breaks off, and one that the end breaks off.
    for b in [0xF0, 0x9F] {
        assert_eq!(stream.push(byte(b)), "");
    }
    assert_eq!(stream.push(byte(b'x')), "\u{FFFD}x");
    assert_eq!(stream.push(byte(0xE2)), "");
    assert_eq!(stream.finish(), "\u{FFFD}");
    assert_eq!(stream.finish(), "");
}

#[test]
fn the_space_of_sentencepiece() {
    let tokenizer = vocab::tokenizer("llama-spm");
    let options = EncodeOptions {
        add_special: true,
        parse_special: true,
    };
    let ids = tokenizer.encode("Hello</s> world", options);
    assert_eq!(tokenizer.detokenize(&ids, false), "Hello world");
    assert_eq!(tokenizer.detokenize(&ids, true), "<s>Hello</s> world");
    let hello = tokenizer.encode("Hello", PLAIN);
    assert_eq!(hello.len(), 1);
    assert_eq!(tokenizer.stream().push(hello[0]), "Hello");
    assert_eq!(tokenizer.stream().continuing().push(hello[0]), " Hello");
}
