//! Where the text comes from.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use puna_core::tokenizer::{EncodeOptions, TokenId, Tokenizer};

use crate::args::Tokens;

/// A text or a file of it.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct TextArgs {
    /// The text
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Option<String>,
    /// A file with the text; `-`: stdin
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl TextArgs {
    /// The text, to its last byte.
    pub fn text(&self) -> Result<String> {
        match (&self.prompt, &self.file) {
            (Some(text), _) => Ok(text.clone()),
            (None, Some(path)) => read(path),
            (None, None) => bail!("no text"),
        }
    }
}

/// A text, a file of it, or token ids.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct PromptArgs {
    /// The prompt
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Option<String>,
    /// A file with the prompt; `-`: stdin
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The prompt's token ids, fed to the model as they are
    #[arg(long, value_name = "1,2,3")]
    tokens: Option<Tokens>,
}

/// What becomes of special tokens.
#[derive(Debug, clap::Args)]
pub struct SpecialArgs {
    /// Takes names of special tokens, like `<|im_end|>`, for plain text
    #[arg(long)]
    pub no_special: bool,
    /// Adds neither BOS nor EOS, also where the model wants them
    #[arg(long)]
    pub no_bos: bool,
}

impl SpecialArgs {
    /// How text becomes tokens.
    pub const fn options(&self) -> EncodeOptions {
        EncodeOptions {
            add_special: !self.no_bos,
            parse_special: !self.no_special,
        }
    }

    /// The tokens of `text`.
    pub fn encode(&self, tokenizer: &Tokenizer, text: &str) -> Vec<TokenId> {
        tokenizer.encode(text, self.options())
    }
}

impl PromptArgs {
    /// The prompt's tokens, at least one.
    pub fn tokens(&self, tokenizer: &Tokenizer, special: &SpecialArgs) -> Result<Vec<TokenId>> {
        let tokens = match (&self.tokens, &self.prompt, &self.file) {
            (Some(tokens), _, _) => tokens.0.clone(),
            (None, Some(text), _) => special.encode(tokenizer, text),
            (None, None, Some(path)) => special.encode(tokenizer, &read(path)?),
            (None, None, None) => Vec::new(),
        };
        if tokens.is_empty() {
            bail!("the prompt is empty, and this model begins no text by itself");
        }
        Ok(tokens)
    }
}

/// The text of a file; of `-`, of stdin.
pub fn read(path: &Path) -> Result<String> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin()
            .read_to_end(&mut bytes)
            .context("cannot read stdin")?;
        bytes
    } else {
        std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?
    };
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        anyhow::anyhow!("{} is not UTF-8 at byte {at}", path.display())
    })
}
