//! Cuts text into the words that byte-level BPE works on.
//!
//! Tokenizers define this by a list of regular expressions, each of which cuts the pieces that the
//! one before left. Here each expression is a scanner written by hand: it needs no regex engine and
//! its time is linear. Where engines differ in detail (white space, Unicode versions) the scanners
//! do as llama.cpp does.

use super::deepseek;
use super::error::{TokenizerError, shown};
use super::scanners::{self, Run, digit, letter, line_break, number, punctuation, symbol};

/// One regular expression.
enum Step {
    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
    Gpt2,
    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,k}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
    Llama3 {
        /// The longest group of digits, `k`.
        digits: usize,
    },
    /// Runs of one class of characters become pieces; what is between them stays whole.
    Isolate(Run),
    /// `\s+$`
    TrailingSpace,
}

/// How a model's text is cut into words.
#[derive(Clone, Copy)]
pub(super) struct Pretokenizer {
    steps: &'static [Step],
    /// A word that is a token is taken whole, whatever the merges say.
    whole_words: bool,
}

const GPT2: &[Step] = &[Step::Gpt2];
const STARCODER: &[Step] = &[Step::Isolate(Run::each(number)), Step::Gpt2];
const LLAMA3: &[Step] = &[Step::Llama3 { digits: 3 }];
const QWEN2: &[Step] = &[Step::Llama3 { digits: 1 }];
const FALCON: &[Step] = &[
    Step::Isolate(Run::many(|c| punctuation(c) || symbol(c) || c == '`')),
    Step::Gpt2,
    Step::Isolate(Run::three(digit)),
];
const DEFAULT: &[Step] = &[
    Step::Isolate(Run::many(|c| punctuation(c) || symbol(c))),
    Step::Gpt2,
    Step::Isolate(Run::many(number)),
    Step::Isolate(Run::three(digit)),
];
const DEEPSEEK_LLM: &[Step] = &[
    Step::Isolate(Run::each(line_break)),
    Step::Isolate(Run::many(deepseek::cased_letter).after_space()),
    Step::Isolate(Run::many(deepseek::sign).after_space()),
    Step::TrailingSpace,
    Step::Isolate(Run::many(deepseek::east_asian)),
    Step::Isolate(Run::many(number)),
];
const DEEPSEEK_CODER: &[Step] = &[
    Step::Isolate(Run::each(line_break)),
    Step::Isolate(Run::many(letter).after_space()),
    Step::Isolate(Run::many(punctuation).after_space()),
    Step::Isolate(Run::many(deepseek::east_asian)),
    Step::Isolate(Run::each(number)),
];

impl Pretokenizer {
    /// The pre-tokenizer of the file's `tokenizer.ggml.pre`.
    ///
    /// Old files have no such key; they get `default`, with a warning, as in llama.cpp.
    pub(super) fn named(name: Option<&str>) -> Result<Self, TokenizerError> {
        let (steps, whole_words) = match name.unwrap_or("") {
            "gpt-2" | "phi-2" | "mpt" | "olmo" | "jais" | "trillion" | "granite-docling"
            | "exaone4" | "gigachat" | "a.x-4.0" | "mellum" => (GPT2, false),
            "starcoder" | "refact" | "command-r" | "smollm" | "codeshell" | "exaone"
            | "minerva-7b" | "mellum2" => (STARCODER, false),
            "llama-bpe" | "llama3" | "llama-v3" | "falcon3" | "falcon-h1" | "pixtral"
            | "midm-2.0" | "lfm2" => (LLAMA3, true),
            "dbrx" | "smaug-bpe" => (LLAMA3, false),
            "qwen2" | "deepseek-r1-qwen" | "stablelm2" | "hunyuan" | "megrez" | "kormo"
            | "f2llmv2" | "grok-2" => (QWEN2, false),
            "falcon" => (FALCON, false),
            "deepseek-llm" => (DEEPSEEK_LLM, false),
            "deepseek-coder" => (DEEPSEEK_CODER, false),
            "default" => (DEFAULT, false),
            "" => {
                log::warn!("tokenizer: the file names no pre-tokenizer, taking \"default\"");
                (DEFAULT, false)
            }
            name => return Err(TokenizerError::UnknownPre { name: shown(name) }),
        };
        Ok(Self { steps, whole_words })
    }

    /// Whether the model expects BOS unless the file says otherwise. That and whole words are what
    /// sets Llama 3's family apart.
    pub(super) fn add_bos(&self) -> bool {
        self.whole_words
    }

    /// Whether a word that is a token is taken whole, whatever the merges say.
    pub(super) fn whole_words(&self) -> bool {
        self.whole_words
    }

    /// Hands the words of `text` to `each`, in order.
    pub(super) fn split(&self, text: &str, each: &mut dyn FnMut(&str)) {
        apply(self.steps, text, each);
    }
}

/// Cuts by the first step, and its pieces by the others.
fn apply(steps: &[Step], text: &str, each: &mut dyn FnMut(&str)) {
    let Some((step, rest)) = steps.split_first() else {
        each(text);
        return;
    };
    let mut then = |piece: &str| apply(rest, piece, each);
    match step {
        Step::Gpt2 => scanners::gpt2(text, &mut then),
        Step::Llama3 { digits } => scanners::llama3(text, *digits, &mut then),
        Step::Isolate(run) => run.isolate(text, &mut then),
        Step::TrailingSpace => scanners::trailing_space(text, &mut then),
    }
}

impl std::fmt::Debug for Pretokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pretokenizer")
            .field("whole_words", &self.whole_words)
            .finish()
    }
}
