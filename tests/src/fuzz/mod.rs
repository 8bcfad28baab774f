//! What the fuzz targets do with bytes, and the bytes that they begin with.
//!
//! The targets in `fuzz/` are these functions under libFuzzer; `tests/fuzz_seeds.rs` runs them on the seeds
//! with every build.

mod saved;

use std::str;

pub use saved::{journal, state};

use puna_core::{
    chat::{ChatTemplate, Message, Role, SpecialTokens},
    gguf::{Gguf, Value},
    model::Config,
    tokenizer::{EncodeOptions, TokenId, Tokenizer},
};

use crate::{hostile, vocab};

/// A fuzz target.
pub struct Target {
    /// Its name, and that of the folder of its seeds.
    pub name: &'static str,
    /// Takes any bytes; panics where something is wrong.
    pub run: fn(&[u8]),
    /// What it begins with, by name.
    pub seeds: fn() -> Vec<(String, Vec<u8>)>,
}

/// All of them.
pub const TARGETS: [Target; 6] = [
    Target {
        name: "gguf",
        run: gguf,
        seeds: gguf_seeds,
    },
    Target {
        name: "tokenizer",
        run: tokenizer,
        seeds: text_seeds,
    },
    Target {
        name: "template",
        run: template,
        seeds: template_seeds,
    },
    Target {
        name: "stream",
        run: stream,
        seeds: stream_seeds,
    },
    Target {
        name: "state",
        run: state,
        seeds: saved::state_seeds,
    },
    Target {
        name: "journal",
        run: journal,
        seeds: saved::journal_seeds,
    },
];

/// Vocabularies that can spell every byte.
const VOCABULARIES: [&str; 2] = ["gpt-2", "llama-spm"];
/// Text as text.
const PLAIN: EncodeOptions = EncodeOptions {
    add_special: false,
    parse_special: false,
};
/// Longer files are left out of the seeds.
const LONGEST_SEED: usize = 1024;

/// Bytes as a file: read, and all that it says.
///
/// # Panics
/// When an error is no line, or a tensor has other bytes than it says.
pub fn gguf(bytes: &[u8]) {
    fn walk(value: Value<'_>) -> usize {
        match value {
            Value::Array(array) => array.iter().map(walk).sum(),
            Value::Str(text) => text.len(),
            _ => 1,
        }
    }
    let gguf = match Gguf::from_bytes(bytes.to_vec()) {
        Ok(gguf) => gguf,
        Err(error) => return one_line(&error.to_string()),
    };
    std::hint::black_box(gguf.keys().map(|(_, value)| walk(value)).sum::<usize>());
    for tensor in gguf.tensors() {
        assert_eq!(gguf.bytes(tensor).len() as u64, tensor.byte_len());
    }
    if let Err(error) = Config::from_gguf(&gguf) {
        one_line(&error.to_string());
    }
    match Tokenizer::from_gguf(&gguf) {
        Ok(tokenizer) => {
            let ids = tokenizer.encode("the hen in <s> ▁ 🐔\n", PLAIN);
            std::hint::black_box(tokenizer.detokenize(&ids, true));
            if let Err(error) = ChatTemplate::from_gguf(&gguf, &tokenizer) {
                one_line(&error.to_string());
            }
        }
        Err(error) => one_line(&error.to_string()),
    }
}

fn one_line(error: &str) {
    assert!(!error.contains(char::is_control), "{error:?}");
    assert!(error.len() < 2_000, "an error of {} bytes", error.len());
}

/// The first byte picks a vocabulary, the rest is text: ids of it make the same text again.
///
/// # Panics
/// When they make another one.
pub fn tokenizer(bytes: &[u8]) {
    let Some((&pick, rest)) = bytes.split_first() else {
        return;
    };
    let tokenizer = vocab::tokenizer(VOCABULARIES[usize::from(pick) % VOCABULARIES.len()]);
    // SentencePiece cannot tell this sign from a space.
    let text = String::from_utf8_lossy(rest).replace('▁', "_");
    for parse_special in [false, true] {
        let options = EncodeOptions {
            add_special: false,
            parse_special,
        };
        let ids = tokenizer.encode(&text, options);
        assert_eq!(tokenizer.detokenize(&ids, parse_special), text);
    }
}

/// A template, a NUL, and what a user says.
pub fn template(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (source, said) = text.split_once('\0').unwrap_or((&text, "Hello"));
    let tokens = SpecialTokens {
        bos: "<s>".to_owned(),
        eos: "</s>".to_owned(),
        ..SpecialTokens::default()
    };
    let template = match ChatTemplate::with_special_tokens(source, tokens) {
        Ok(template) => template.at_time(0),
        Err(error) => return one_line(&error.to_string()),
    };
    let messages = [
        Message::new(Role::User, said),
        Message::new(Role::Assistant, said),
    ];
    for n in 1..=messages.len() {
        if let Err(error) = template.render(&messages[..n], true) {
            one_line(&error.to_string());
        }
    }
}

/// The first byte picks a vocabulary, each two of the rest a token: in pieces they make the text that they make
/// at once.
///
/// # Panics
/// When it is another one.
pub fn stream(bytes: &[u8]) {
    let Some((&pick, rest)) = bytes.split_first() else {
        return;
    };
    let tokenizer = vocab::tokenizer(VOCABULARIES[usize::from(pick) % VOCABULARIES.len()]);
    let ids = rest
        .chunks_exact(2)
        .map(|two| TokenId(u16::from_le_bytes([two[0], two[1]]).into()));
    let ids: Vec<TokenId> = ids.collect();
    let mut stream = tokenizer.stream();
    let mut text = String::new();
    for &id in &ids {
        text.push_str(stream.push(id));
    }
    text.push_str(stream.finish());
    assert_eq!(text, tokenizer.detokenize(&ids, false));
}

fn gguf_seeds() -> Vec<(String, Vec<u8>)> {
    let cases = hostile::gguf::cases().into_iter();
    let small = cases.filter(|case| case.bytes.len() <= LONGEST_SEED);
    let mut seeds: Vec<(String, Vec<u8>)> =
        small.map(|case| (slug(&case.name), case.bytes)).collect();
    seeds.push(("valid".to_owned(), hostile::gguf::valid()));
    seeds
}

/// A name for a file.
fn slug(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    name.chars().map(plain).collect()
}

const TEXTS: [(&str, &str); 6] = [
    ("words", "The quick brown fox, 12345 times; it's we'LL"),
    ("spaces", "  two\t\ttabs\r\n\n\u{a0}\u{3000} "),
    ("special", "</s><s><0x0A><|endoftext|>[INST]"),
    ("emoji", "👩‍👩‍👧‍👦🇩🇪e\u{301}"),
    ("scripts", "中文 العربية हिन्दी ไทย"),
    ("empty", ""),
];

fn text_seeds() -> Vec<(String, Vec<u8>)> {
    let seed = |pick: u8| {
        TEXTS.map(|(name, text)| {
            let bytes = [&[pick], text.as_bytes()].concat();
            (format!("{name}-{}", VOCABULARIES[usize::from(pick)]), bytes)
        })
    };
    [0, 1].map(seed).concat()
}

fn stream_seeds() -> Vec<(String, Vec<u8>)> {
    let seed = |pick: u8| {
        let name = VOCABULARIES[usize::from(pick)];
        TEXTS.map(|(text_name, text)| {
            let ids = vocab::tokenizer(name).encode(text, PLAIN);
            let ids = ids.iter().flat_map(|id| (id.0 as u16).to_le_bytes());
            (
                format!("{text_name}-{name}"),
                [pick].into_iter().chain(ids).collect(),
            )
        })
    };
    [0, 1].map(seed).concat()
}

fn template_seeds() -> Vec<(String, Vec<u8>)> {
    let seeds = [
        (
            "chatml",
            "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n{% endfor %}\0Hi <|im_end|>",
        ),
        (
            "raise",
            "{{ raise_exception('no: ' + messages[0]['content']) }}\0secret",
        ),
        ("range", "{% for i in range(1000000000) %}x{% endfor %}"),
        (
            "double",
            "{% set ns = namespace(s='x') %}{% for i in range(64) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}",
        ),
        (
            "macro",
            "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
        ),
        (
            "attributes",
            "{{ ''.__class__.__mro__ }}{{ messages.__init__ }}",
        ),
        ("parentheses", "{{ ((((((((((((((((1)))))))))))))))) }}"),
        (
            "slices",
            "{{ messages[::-1][0].content[1:-1] | upper }}{{ '%s' | format(bos_token) }}",
        ),
        (
            "date",
            "{{ strftime_now('%d %b %Y') }}{{ messages | tojson(indent=2) }}",
        ),
    ];
    seeds
        .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
        .to_vec()
}
