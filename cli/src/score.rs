//! `puna score`: how likely given texts are after a prompt.

use std::path::PathBuf;

use anyhow::{Result, bail};
use puna_core::{cancel::Cancel, score};
use serde::Serialize;

use crate::{
    args::{ComputeArgs, ContextArgs, numbers},
    failure::Usage,
    output::{Out, shortened},
    progress,
    prompt::{SpecialArgs, TextArgs},
};

/// Arguments of `puna score`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model, a GGUF file
    #[arg(short, long, value_name = "FILE")]
    model: PathBuf,
    #[command(flatten)]
    prompt: TextArgs,
    /// What may follow the prompt, as it would stand there: most often with a space before it
    #[arg(value_name = "CONTINUATION", required = true)]
    continuations: Vec<String>,
    #[command(flatten)]
    special: SpecialArgs,
    /// Prints JSON: {"prompt_tokens", "scores": [{"text", "tokens", "log_probs", "sum", "mean"}]}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    context: ContextArgs,
    #[command(flatten)]
    compute: ComputeArgs,
}

#[derive(Serialize)]
struct Report {
    /// Those that all have in common.
    prompt_tokens: Vec<u32>,
    /// As given.
    scores: Vec<Score>,
}

#[derive(Serialize)]
struct Score {
    text: String,
    tokens: Vec<u32>,
    log_probs: Vec<f64>,
    sum: f64,
    /// The sum by the number of tokens.
    mean: f64,
}

/// Prints the scores: for a person the likeliest first.
pub fn run(args: &Args, out: &mut Out) -> Result<()> {
    if args.continuations.iter().any(String::is_empty) {
        return Err(Usage("a continuation is empty".to_owned()).into());
    }
    let text = args.prompt.text()?;
    let model = args.compute.model(&args.model)?;
    let texts: Vec<&str> = args.continuations.iter().map(String::as_str).collect();
    let encode = args.special.options();
    let (prompt, tokens) = score::encode(model.tokenizer(), &text, &texts, encode);
    if prompt.is_empty() {
        bail!("the prompt and its continuations have no first token in common");
    }
    let mut session = args.compute.session(&model, args.context.n_ctx(&model))?;
    let bar = progress::spinner("computing");
    let scores = score::score(&mut session, &prompt, &tokens, &Cancel::new())?;
    bar.finish_and_clear();
    let of_text = |((text, tokens), score): ((&&str, &Vec<_>), &score::Score)| Score {
        text: (*text).to_owned(),
        tokens: numbers(tokens),
        sum: score.sum(),
        mean: score.mean(),
        log_probs: score.log_probs.clone(),
    };
    let mut report = Report {
        prompt_tokens: numbers(&prompt),
        scores: texts
            .iter()
            .zip(&tokens)
            .zip(&scores)
            .map(of_text)
            .collect(),
    };
    if args.json {
        return out.json(&report);
    }
    report.scores.sort_by(|a, b| b.sum.total_cmp(&a.sum));
    out.line("     sum  a token  text")?;
    for score in &report.scores {
        let text = shortened(&score.text, usize::MAX);
        out.line(&format!("{:>8.3} {:>8.3}  '{text}'", score.sum, score.mean))?;
    }
    Ok(())
}
