//! `puna logits`: what a model expects after some tokens.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use puna_core::{cancel::Cancel, model::Model, tokenizer::TokenId};
use serde::Serialize;

use crate::{
    args::{ComputeArgs, ContextArgs, numbers},
    output::{Out, shortened},
    progress,
    prompt::{PromptArgs, SpecialArgs},
};

/// Arguments of `puna logits`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: a GGUF file, or a name of the store
    #[arg(short, long, value_name = "FILE", value_parser = crate::args::model_file())]
    model: PathBuf,
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    special: SpecialArgs,
    /// How many of the most likely tokens to print
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// Writes all logits of the last position there, as little-endian f32
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Prints JSON: {"prompt_tokens", "n_vocab", "top": [{"token", "text", "logit", "prob"}]}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    context: ContextArgs,
    #[command(flatten)]
    compute: ComputeArgs,
}

#[derive(Serialize)]
struct Report {
    prompt_tokens: Vec<u32>,
    n_vocab: usize,
    top: Vec<Candidate>,
}

#[derive(Serialize)]
struct Candidate {
    token: u32,
    text: String,
    logit: f32,
    prob: f64,
}

/// Prints the most likely next tokens.
pub fn run(args: &Args, out: &mut Out) -> Result<()> {
    let model = args.compute.model(&args.model)?;
    let prompt = args.prompt.tokens(model.tokenizer(), &args.special)?;
    let mut session = args.compute.session(&model, args.context.n_ctx(&model))?;
    let bar = progress::spinner("computing");
    session.prefill(&prompt, &Cancel::new())?;
    bar.finish_and_clear();
    let logits = session.logits();
    if let Some(path) = &args.out {
        write(path, logits)?;
    }
    let report = Report {
        prompt_tokens: numbers(&prompt),
        n_vocab: logits.len(),
        top: top(&model, logits, args.top),
    };
    if args.json {
        return out.json(&report);
    }
    out.line(" token     logit   prob  text")?;
    for c in &report.top {
        let text = shortened(&c.text, usize::MAX);
        out.line(&format!(
            "{:>6}  {:>8.4}  {:.3}  '{text}'",
            c.token, c.logit, c.prob
        ))?;
    }
    Ok(())
}

fn write(path: &Path, logits: &[f32]) -> Result<()> {
    let bytes: Vec<u8> = logits.iter().flat_map(|l| l.to_le_bytes()).collect();
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// The `n` most likely tokens, the lowest id first of equals.
fn top(model: &Model, logits: &[f32], n: usize) -> Vec<Candidate> {
    let mut ids: Vec<u32> = (0..logits.len() as u32).collect();
    ids.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]));
    let best = ids
        .first()
        .map_or(0.0, |&id| f64::from(logits[id as usize]));
    let sum: f64 = logits.iter().map(|&l| (f64::from(l) - best).exp()).sum();
    let candidate = |&id: &u32| {
        let bytes = model
            .tokenizer()
            .token_bytes(TokenId(id))
            .unwrap_or_default();
        Candidate {
            token: id,
            text: String::from_utf8_lossy(&bytes).into_owned(),
            logit: logits[id as usize],
            prob: (f64::from(logits[id as usize]) - best).exp() / sum,
        }
    };
    ids.iter().take(n).map(candidate).collect()
}
