//! `puna perplexity`: how well a model foresees a text, by llama-perplexity's method.
//!
//! The text is cut into chunks of `ctx` tokens, each seen alone; a model that begins texts with BOS
//! gets it in the place of each chunk's first token. Of each chunk the second half is scored, so that
//! every scored token has at least half a context before it.

use std::{num::NonZeroUsize, path::PathBuf};

use anyhow::{Result, bail};
use puna_core::{
    cancel::Cancel,
    tokenizer::{EncodeOptions, TokenId},
};
use serde::Serialize;

use crate::{
    args::ComputeArgs,
    output::{Out, say},
    progress, prompt,
};

/// Arguments of `puna perplexity`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: a GGUF file, or a name of the store
    #[arg(short, long, value_name = "FILE", value_parser = crate::args::model_file())]
    model: PathBuf,
    /// The text; `-`: stdin
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Tokens of a chunk
    #[arg(short, long, value_name = "N", default_value_t = 512, value_parser = n_ctx)]
    ctx: usize,
    /// Stops after so many chunks [default: the whole text]
    #[arg(long, value_name = "N")]
    chunks: Option<NonZeroUsize>,
    /// Prints JSON: {"perplexity", "stderr", "n_chunks", "n_ctx", "tokens"}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: ComputeArgs,
}

/// The second half of a chunk must hold a token and the one before it.
fn n_ctx(text: &str) -> Result<usize, &'static str> {
    text.parse()
        .ok()
        .filter(|&n| n >= 4)
        .ok_or("wanted a number of tokens, at least 4")
}

#[derive(Serialize)]
struct Report {
    perplexity: f64,
    /// Standard error of `perplexity`.
    stderr: f64,
    n_chunks: usize,
    n_ctx: usize,
    /// Tokens of the whole text.
    tokens: usize,
}

/// Prints the perplexity of a text.
pub fn run(args: &Args, out: &mut Out) -> Result<()> {
    let model = args.compute.model(&args.model)?;
    let tokenizer = model.tokenizer();
    let text = prompt::read(&args.file)?;
    // llama-perplexity does not count the newline that an editor puts at a file's end.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let options = EncodeOptions {
        add_special: true,
        parse_special: false,
    };
    let tokens = tokenizer.encode(text, options);
    if tokens.len() < 2 * args.ctx {
        bail!(
            "the text has {} tokens, wanted at least {}: two chunks of {}",
            tokens.len(),
            2 * args.ctx,
            args.ctx
        );
    }
    let n_chunks = (tokens.len() / args.ctx).min(args.chunks.map_or(usize::MAX, NonZeroUsize::get));
    let mut session = args.compute.session(&model, Some(args.ctx))?;
    let bos = tokenizer.bos().filter(|_| tokenizer.add_bos());
    let bar = progress::steps(n_chunks, "perplexity");
    let mut score = Score::default();
    for (i, chunk) in tokens.chunks_exact(args.ctx).take(n_chunks).enumerate() {
        let mut fed = chunk.to_vec();
        if let Some(bos) = bos {
            fed[0] = bos;
        }
        session.truncate(0);
        session.score(&fed, args.ctx / 2, &Cancel::new(), |at, logits| {
            if let Some(&next) = chunk.get(at + 1) {
                score.add(logits, next);
            }
        })?;
        if bar.is_hidden() {
            say(&format!("[{}] {:.4}", i + 1, score.perplexity()));
        }
        bar.set_message(format!("perplexity {:.4}", score.perplexity()));
        bar.inc(1);
    }
    bar.finish_and_clear();
    let report = Report {
        perplexity: score.perplexity(),
        stderr: score.standard_error(),
        n_chunks,
        n_ctx: args.ctx,
        tokens: tokens.len(),
    };
    if args.json {
        return out.json(&report);
    }
    out.line(&format!(
        "perplexity {:.4} ± {:.4} over {n_chunks} chunks of {} tokens",
        report.perplexity, report.stderr, report.n_ctx
    ))
}

/// Sums of the negative log-likelihoods of the scored tokens.
#[derive(Debug, Default)]
struct Score {
    n: usize,
    sum: f64,
    sum_of_squares: f64,
}

impl Score {
    /// Counts how surprised `logits` are by `next`.
    fn add(&mut self, logits: &[f32], next: TokenId) {
        let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|&l| f64::from((l - best).exp())).sum();
        let nll = sum.ln() - f64::from(logits[next.0 as usize] - best);
        self.n += 1;
        self.sum += nll;
        self.sum_of_squares += nll * nll;
    }

    fn mean(&self) -> f64 {
        self.sum / self.n as f64
    }

    fn perplexity(&self) -> f64 {
        self.mean().exp()
    }

    /// By the delta method: the error of the mean times the derivative of `exp`.
    fn standard_error(&self) -> f64 {
        let variance = self.sum_of_squares / self.n as f64 - self.mean() * self.mean();
        let of_mean = (variance.max(0.0) / (self.n as f64 - 1.0).max(1.0)).sqrt();
        of_mean * self.perplexity()
    }
}
