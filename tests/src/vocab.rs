//! Vocabularies of real models and the ids that other programs make of texts.

use std::io::Read;
use std::path::PathBuf;
use std::sync::OnceLock;

use puna_core::gguf::Gguf;
use puna_core::tokenizer::{TokenId, Tokenizer};

/// The vocabularies in `data/vocab`, taken from the models without their weights.
pub const NAMES: [&str; 12] = [
    "smollm2",
    "gpt-2",
    "llama-spm",
    "phi-3",
    "llama-bpe",
    "qwen2",
    "falcon",
    "deepseek-llm",
    "deepseek-coder",
    "starcoder",
    "refact",
    "gpt-neox",
];

fn path(file: &str) -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.join("data/vocab").join(file)
}

fn read(file: &str) -> Vec<u8> {
    let path = path(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The metadata of a model, see [`NAMES`].
///
/// # Panics
/// If there is no such file.
#[must_use]
pub fn gguf(name: &str) -> Gguf {
    let mut bytes = Vec::new();
    let packed = read(&format!("{name}.gguf.gz"));
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_end(&mut bytes)
        .expect("a gzip file");
    Gguf::from_bytes(bytes).expect("a GGUF file")
}

/// The tokenizer of a model, see [`NAMES`]. It is built once for all tests of a program.
///
/// # Panics
/// If there is no such file.
#[must_use]
pub fn tokenizer(name: &str) -> &'static Tokenizer {
    static BUILT: [OnceLock<Tokenizer>; NAMES.len()] = [const { OnceLock::new() }; NAMES.len()];
    let number = NAMES.iter().position(|&other| other == name);
    let built = &BUILT[number.expect("a name of NAMES")];
    built.get_or_init(|| Tokenizer::from_gguf(&gguf(name)).expect("a vocabulary"))
}

/// The texts of `data/vocab/{set}.inp` (blocks that each end with a separator, as llama.cpp keeps
/// them) and their ids in a vocabulary (a line each in `{name}.{set}.out`).
///
/// # Panics
/// If the files do not exist or do not go together.
#[must_use]
pub fn cases(name: &str, set: &str) -> Vec<(String, Vec<TokenId>)> {
    let separator = "\n__ggml_vocab_test__\n";
    let texts = String::from_utf8(read(&format!("{set}.inp"))).expect("UTF-8");
    let texts = texts
        .strip_suffix(separator)
        .expect("a separator at the end");
    let texts: Vec<&str> = texts.split(separator).collect();
    let ids = String::from_utf8(read(&format!("{name}.{set}.out"))).expect("UTF-8");
    let ids: Vec<Vec<TokenId>> = ids.lines().map(line_of_ids).collect();
    assert_eq!(texts.len(), ids.len(), "texts and lines of ids");
    texts.into_iter().map(str::to_owned).zip(ids).collect()
}

fn line_of_ids(line: &str) -> Vec<TokenId> {
    let ids = line.split_whitespace().map(|id| id.parse().expect("an id"));
    ids.map(TokenId).collect()
}
