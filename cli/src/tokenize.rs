//! `puna tokenize` and `puna detokenize`: text to token ids and back.

use std::path::PathBuf;

use anyhow::{Result, bail};
use puna_core::tokenizer::{TokenId, Tokenizer};
use serde_json::json;

use crate::{
    args::{Tokens, numbers, vocabulary},
    output::{Out, shortened},
    prompt::{SpecialArgs, TextArgs},
};

/// Arguments of `puna tokenize`.
#[derive(Debug, clap::Args)]
pub struct TokenizeArgs {
    /// The model, a GGUF file; one with only a vocabulary will do
    #[arg(short, long, value_name = "FILE", value_parser = crate::args::model_file())]
    model: PathBuf,
    #[command(flatten)]
    text: TextArgs,
    #[command(flatten)]
    special: SpecialArgs,
    /// Prints JSON: {"tokens": […]}
    #[arg(long)]
    json: bool,
}

/// Arguments of `puna detokenize`.
#[derive(Debug, clap::Args)]
pub struct DetokenizeArgs {
    /// The model, a GGUF file; one with only a vocabulary will do
    #[arg(short, long, value_name = "FILE", value_parser = crate::args::model_file())]
    model: PathBuf,
    /// The token ids
    #[arg(long, value_name = "1,2,3", required = true)]
    tokens: Tokens,
    /// Leaves special tokens out
    #[arg(long)]
    no_special: bool,
    /// Prints JSON: {"text": "…"}
    #[arg(long)]
    json: bool,
}

/// Prints the tokens of a text.
pub fn tokenize(args: &TokenizeArgs, out: &mut Out) -> Result<()> {
    let (_, tokenizer) = vocabulary(&args.model)?;
    let tokens = args.special.encode(&tokenizer, &args.text.text()?);
    if args.json {
        return out.json(&json!({ "tokens": numbers(&tokens) }));
    }
    for &token in &tokens {
        let bytes = tokenizer.token_bytes(token).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        out.line(&format!(
            "{:>6}  '{}'",
            token.0,
            shortened(&text, usize::MAX)
        ))?;
    }
    Ok(())
}

/// Prints the text of tokens.
pub fn detokenize(args: &DetokenizeArgs, out: &mut Out) -> Result<()> {
    let (_, tokenizer) = vocabulary(&args.model)?;
    let n_vocab = tokenizer.n_vocab();
    let tokens = args.tokens.0.as_slice();
    if let Some(token) = tokens.iter().find(|token| token.0 as usize >= n_vocab) {
        bail!("token {} is not in the vocabulary of {n_vocab}", token.0);
    }
    let text = tokenizer.detokenize(without_added(&tokenizer, tokens), !args.no_special);
    if args.json {
        return out.json(&json!({ "text": text }));
    }
    out.show(&text)?;
    if out.is_terminal() {
        out.line("")?;
    }
    Ok(())
}

/// `tokens` without the BOS and EOS that the tokenizer itself adds to a text, so that this is the way
/// back of `puna tokenize`.
fn without_added<'t>(tokenizer: &Tokenizer, tokens: &'t [TokenId]) -> &'t [TokenId] {
    let mut rest = tokens;
    if tokenizer.add_bos()
        && let Some((first, others)) = rest.split_first()
        && Some(*first) == tokenizer.bos()
    {
        rest = others;
    }
    if tokenizer.add_eos()
        && let Some((last, others)) = rest.split_last()
        && Some(*last) == tokenizer.eos()
    {
        rest = others;
    }
    rest
}
