//! `puna run`: goes on with a text, without a chat template.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Result;
use puna_core::{
    cancel::Cancel,
    generate::{GenerateError, GenerateOptions, Generator, StopReason},
    session::Session,
    tokenizer::TokenId,
};
use serde::Serialize;

use crate::{
    args::{ComputeArgs, ContextArgs, DeadlineArgs, numbers},
    draft::DraftArgs,
    failure::DeadlinePassed,
    interrupt,
    on_full::OnFullArgs,
    output::{Out, say},
    progress,
    prompt::{PromptArgs, SpecialArgs},
    sampling::{Defaults, SamplingArgs},
    stats::{self, End, Memory, Timings},
};

/// llama.cpp's.
const DEFAULTS: Defaults = Defaults {
    temperature: 0.8,
    repeat_penalty: 1.0,
};

/// Arguments of `puna run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: a GGUF file, or a name of the store
    #[arg(short, long, value_name = "FILE", value_parser = crate::args::model_file())]
    model: PathBuf,
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    special: SpecialArgs,
    /// Tokens to make at most; -1: until the model ends or the context is full
    #[arg(short, long, value_name = "N", default_value_t = 256)]
    #[arg(value_parser = clap::value_parser!(i64).range(-1..), allow_negative_numbers = true)]
    n_predict: i64,
    /// Prints JSON: {"prompt_tokens", "tokens", "text", "stop", "timings", "memory"}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    full: OnFullArgs,
    /// With --on-full shift: the first tokens, which stay. The first few take much of every later token's
    /// attention, whatever they say (Xiao et al. 2024)
    #[arg(long, value_name = "N", default_value_t = 4)]
    #[arg(help_heading = "Computation")]
    keep: usize,
    #[command(flatten)]
    context: ContextArgs,
    #[command(flatten)]
    deadline: DeadlineArgs,
    #[command(flatten)]
    compute: ComputeArgs,
    #[command(flatten)]
    draft: DraftArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
}

/// The JSON of a text.
#[derive(Serialize)]
struct Report {
    prompt_tokens: Vec<u32>,
    tokens: Vec<u32>,
    text: String,
    stop: &'static str,
    timings: Timings,
    memory: Memory,
}

/// Prints what the model goes on with.
pub fn run(args: &Args, verbose: bool, out: &mut Out) -> Result<()> {
    let max_tokens = usize::try_from(args.n_predict).ok();
    let mut options = args.sampling.options(max_tokens, &DEFAULTS)?;
    options.on_full = args.full.choice(args.keep);
    let started = Instant::now();
    let model = args.compute.model(&args.model)?;
    let n_ctx = args.context.n_ctx(&model);
    let mut session = args.compute.session(&model, n_ctx)?;
    options.draft = args.draft.open(&args.compute, &model, n_ctx)?;
    let load = started.elapsed();
    options.sampler.validate(model.config().n_vocab)?;
    let prompt = args.prompt.tokens(model.tokenizer(), &args.special)?;

    interrupt::install()?;
    let mut text = String::new();
    let made = interrupt::during(|cancel| {
        let cancel = args.deadline.limit(cancel);
        generate(&mut session, &prompt, &options, &cancel, |piece| {
            text.push_str(piece);
            if args.json {
                Ok(())
            } else {
                out.show_made(piece)
            }
        })
    })?;
    let timings = Timings::new(load, &made.timings);
    let memory = Memory::from(&session);
    if args.json {
        out.json(&Report {
            prompt_tokens: numbers(&prompt),
            tokens: numbers(&made.tokens),
            text,
            stop: made.end.name(),
            timings,
            memory,
        })?;
    } else {
        out.line("")?;
        if made.end == End::Made(StopReason::ContextFull) {
            out.flush()?;
            say(&format!(
                "(cut off: the context of {} tokens is full; -c N has room for more, --on-full shift drops the oldest tokens)",
                session.n_ctx()
            ));
        }
        if verbose {
            say(&stats::line(&timings, &memory));
        }
    }
    match made.end {
        End::Deadline => Err(DeadlinePassed.into()),
        _ => Ok(()),
    }
}

/// A text that is done.
struct Made {
    tokens: Vec<TokenId>,
    end: End,
    timings: puna_core::generate::Timings,
}

/// Computes `prompt` and hands the text that follows to `show`, piece by piece; what there is, when it
/// is stopped.
fn generate(
    session: &mut Session,
    prompt: &[TokenId],
    options: &GenerateOptions,
    cancel: &Cancel,
    mut show: impl FnMut(&str) -> Result<()>,
) -> Result<Made> {
    let started = Instant::now();
    let bar = progress::spinner("reading the prompt");
    let prefill = session.prefill(prompt, cancel);
    bar.finish_and_clear();
    let (n_computed, took) = match prefill {
        Ok(()) => (prompt.len(), started.elapsed()),
        Err(error) if error.is_stop() => (0, Duration::ZERO),
        Err(error) => return Err(error.into()),
    };
    let mut generator = Generator::new(session, options, true)?;
    generator.note_prefill(n_computed, took);
    log::info!("read {n_computed} tokens in {took:.1?}");
    let end = loop {
        match generator.step(session, cancel) {
            Ok(Some(piece)) => show(&piece)?,
            Ok(None) => break generator.stop_reason().map_or(End::Cancelled, End::Made),
            Err(GenerateError::Session(error)) => break End::of(error)?,
            Err(error) => return Err(error.into()),
        }
    };
    Ok(Made {
        tokens: generator.tokens().to_vec(),
        end,
        timings: generator.timings(),
    })
}
