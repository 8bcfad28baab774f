//! `puna bench`: speed, in llama-bench's terms.
//!
//! `pp512` is the time to compute 512 prompt tokens at once, `tg128` to make 128 tokens one by one;
//! `@ d2048` is either after 2,048 tokens that are not timed. The tokens are random, so nothing is
//! sampled or printed; each test is warmed up first.
//!
//! With `--draft`, two tasks are timed with and without guesses ([`draft`]).
//!
//! Alone, all tests run in this process ([`trial`]). Beside another program ([`rounds`]), and for the time to
//! the first token ([`start`]), every sample is a process of its own.

mod cache;
mod cancel;
mod draft;
mod llama;
mod memory;
mod ours;
mod prewarm;
mod process;
mod rounds;
mod spread;
mod start;
mod table;
mod trial;

use std::{num::NonZeroUsize, path::PathBuf};

use anyhow::Result;

use crate::{args::ComputeArgs, draft::DraftArgs, failure::Usage, output::Out, progress};
use llama::LlamaBench;
use trial::Test;

/// Arguments of `puna bench`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: a GGUF file, or a name of the store
    #[arg(short, long, value_name = "FILE", value_parser = crate::args::model_file())]
    model: PathBuf,
    /// Prompt tokens; 0: no such test; several: 128,512
    #[arg(
        short = 'p',
        long,
        value_name = "N",
        value_delimiter = ',',
        default_value = "512"
    )]
    n_prompt: Vec<usize>,
    /// Tokens to make; 0: no such test
    #[arg(
        short,
        long,
        value_name = "N",
        value_delimiter = ',',
        default_value = "128"
    )]
    n_gen: Vec<usize>,
    /// Tokens that are already in the context
    #[arg(
        short = 'd',
        long,
        value_name = "N",
        value_delimiter = ',',
        default_value = "0"
    )]
    n_depth: Vec<usize>,
    /// Times that each test is run
    #[arg(short, long, value_name = "N", default_value = "5")]
    repetitions: NonZeroUsize,
    /// Times each test without an untimed run before
    #[arg(long)]
    no_warmup: bool,
    /// Runs another program's tests in turn with ours: llama-bench=PATH
    #[arg(long, value_name = "NAME=PATH", value_parser = llama::parse, conflicts_with = "no_warmup")]
    compare: Option<LlamaBench>,
    /// Times whole processes too, for 16 prompt tokens and 1 more, with the file in the page cache and not; and
    /// after 256 tokens, computed or kept on disk
    #[arg(long, conflicts_with = "no_warmup")]
    start: bool,
    /// Measures how soon a cancel ends each test, -r times at moments spread over it
    #[arg(long, conflicts_with_all = ["compare", "start", "no_warmup", "draft"])]
    cancel: bool,
    /// Measures the peak memory of a process that fills a context of -p tokens
    #[arg(long, conflicts_with_all = ["compare", "start", "no_warmup", "draft", "cancel"])]
    memory: bool,
    /// Where the tokens of the depth are kept: restored if the file is there, else saved to it
    #[arg(long, value_name = "FILE", hide = true)]
    prewarmed: Option<PathBuf>,
    /// Prints JSON: a list of tests with "n_prompt", "n_gen", "n_depth", "avg_ts", "samples_ts", …; with
    /// --compare or --start one object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: ComputeArgs,
    #[command(flatten)]
    draft: DraftArgs,
}

/// Times every combination.
pub fn run(args: &Args, out: &mut Out) -> Result<()> {
    if let Some(source) = &args.draft.draft {
        if args.compare.is_some() || args.start {
            return Err(Usage(
                "--draft has tests of its own: neither --compare nor --start".to_owned(),
            )
            .into());
        }
        return draft::run(args, source, out);
    }
    let plan = trial::plan(args);
    if plan.is_empty() && !args.start {
        return Err(Usage("nothing to measure: -p and -n are 0".to_owned()).into());
    }
    if args.memory {
        memory::run(args, out)
    } else if args.cancel {
        cancel::run(args, &plan, out)
    } else if args.compare.is_some() || args.start {
        rounds::run(args, &plan, out)
    } else {
        alone(args, &plan, out)
    }
}

/// Every test in this process, with one opened model.
fn alone(args: &Args, plan: &[Test], out: &mut Out) -> Result<()> {
    let model = args.compute.model(&args.model)?;
    let runs = args.repetitions.get() + usize::from(!args.no_warmup);
    let bar = progress::steps(plan.len() * runs, "bench");
    if !args.json {
        trial::heading(out)?;
    }
    let mut reports = Vec::new();
    for test in plan {
        let report = trial::measure(args, &model, test, || bar.inc(1))?;
        if !args.json {
            bar.suspend(|| trial::row(out, &report))?;
        }
        reports.push(report);
    }
    bar.finish_and_clear();
    if args.json {
        out.json(&reports)?;
    }
    Ok(())
}
