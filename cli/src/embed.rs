//! `puna embed`: texts as vectors, for search and comparison.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use puna_core::{
    cancel::Cancel,
    embed::{self, EmbedOptions, Embedder},
};
use serde::Serialize;

use crate::{
    args::{ComputeArgs, ContextArgs},
    output::Out,
    progress, prompt,
};

/// Arguments of `puna embed`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model, a GGUF file
    #[arg(short, long, value_name = "FILE")]
    model: PathBuf,
    /// The texts
    #[arg(value_name = "TEXT", required_unless_present = "file")]
    texts: Vec<String>,
    /// A file with a text on each line; `-`: stdin. Lines of white space are passed over
    #[arg(short, long, value_name = "FILE", conflicts_with = "texts")]
    file: Option<PathBuf>,
    /// What becomes of the states of a text's tokens [default: what the file says, else mean]
    #[arg(long, value_enum, value_name = "HOW")]
    pooling: Option<Pooling>,
    /// Leaves vectors as long as they are, instead of scaling them to length 1
    #[arg(long)]
    no_normalize: bool,
    /// Prints JSON: {"pooling", "normalized", "n_embd", "embeddings": [{"text", "tokens", "embedding"}]}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    context: ContextArgs,
    #[command(flatten)]
    compute: ComputeArgs,
}

/// [`embed::Pooling`] by name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Pooling {
    /// The mean of all
    Mean,
    /// The first
    Cls,
    /// The last
    Last,
}

impl From<Pooling> for embed::Pooling {
    fn from(pooling: Pooling) -> Self {
        match pooling {
            Pooling::Mean => Self::Mean,
            Pooling::Cls => Self::Cls,
            Pooling::Last => Self::Last,
        }
    }
}

#[derive(Serialize)]
struct Report {
    pooling: &'static str,
    normalized: bool,
    n_embd: usize,
    embeddings: Vec<Embedding>,
}

#[derive(Serialize)]
struct Embedding {
    text: String,
    /// How many it has.
    tokens: usize,
    embedding: Vec<f32>,
}

/// Prints the vector of each text: without `--json` a line of numbers each.
pub fn run(args: &Args, out: &mut Out) -> Result<()> {
    let texts = texts(args)?;
    let model = args.compute.model(&args.model)?;
    let options = EmbedOptions {
        pooling: args.pooling.map(Into::into),
        normalize: !args.no_normalize,
        session: args.compute.options(args.context.n_ctx(&model)),
    };
    let mut embedder = Embedder::new(&model, &options)?;
    let bar = progress::steps(texts.len(), "embed");
    let mut embeddings = Vec::new();
    for (i, text) in texts.into_iter().enumerate() {
        let tokens = embedder.tokens(&text);
        let embedding = embedder
            .embed_tokens(&tokens, &Cancel::new())
            .with_context(|| format!("text {}", i + 1))?;
        bar.inc(1);
        if args.json {
            embeddings.push(Embedding {
                text,
                tokens: tokens.len(),
                embedding,
            });
        } else {
            let numbers: Vec<String> = embedding.iter().map(f32::to_string).collect();
            bar.suspend(|| out.line(&numbers.join(" ")))?;
        }
    }
    bar.finish_and_clear();
    if args.json {
        out.json(&Report {
            pooling: embedder.pooling().name(),
            normalized: options.normalize,
            n_embd: model.config().n_embd,
            embeddings,
        })?;
    }
    Ok(())
}

fn texts(args: &Args) -> Result<Vec<String>> {
    let Some(file) = &args.file else {
        return Ok(args.texts.clone());
    };
    let text = prompt::read(file)?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let texts: Vec<_> = lines.map(str::to_owned).collect();
    if texts.is_empty() {
        bail!("{} has no line of text", file.display());
    }
    Ok(texts)
}
