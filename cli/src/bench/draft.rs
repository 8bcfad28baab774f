//! What guesses at the next tokens save: the same texts made with and without them, in turn.
//!
//! Two tasks show the range: an edit, whose answer repeats most of the prompt, and prose, whose answer does
//! not. The edit's first sentence is given, or a small model would not begin at all. The likeliest tokens are
//! taken, so both ways make the same text, which is checked.

use anyhow::{Result, bail};
use puna_core::{
    cancel::Cancel,
    chat::{ChatTemplate, Message},
    draft::Draft,
    generate::{GenerateOptions, Generator, Timings},
    model::{Backend, Model},
    sampler::SamplerParams,
    session::Session,
    tokenizer::{EncodeOptions, TokenId},
};
use serde::Serialize;

use super::{Args, spread::Spread};
use crate::{draft::Source, output::Out, progress};

/// What is asked for.
struct Asked {
    name: &'static str,
    text: &'static str,
    /// How the answer begins.
    begun: &'static str,
}

const TASKS: [Asked; 2] = [
    Asked {
        name: "edit",
        text: "Copy the following text, but write Maria instead of Anna.\n\nAnna lived in a small house by the \
               harbour. Every morning she walked down to the water and watched the boats come in. The \
               fishermen knew her well, and they often gave her a fish or two for her breakfast. One day an \
               old captain asked her whether she would like to sail with him to the islands in the north. \
               Anna thought about it for a long time. Then she packed a bag, locked the door of her house, \
               and went on board. The journey took nine days, and on the tenth day they saw the white cliffs \
               of the first island.",
        begun: "Maria lived in a small house by the harbour.",
    },
    Asked {
        name: "prose",
        text: "Write a story about an old lighthouse keeper who finds a letter in a bottle.",
        begun: "",
    },
];

/// One task, made in both ways.
#[derive(Debug, Serialize)]
struct Report {
    task: &'static str,
    /// Tokens of the answer at most.
    n_gen: usize,
    n_prompt: usize,
    /// Tokens of the answer.
    n_tokens: usize,
    /// Tokens per second after the first.
    plain_ts: Option<Spread>,
    draft_ts: Option<Spread>,
    /// Round by round: above 1 guesses save time.
    ratio: Option<Spread>,
    /// Guesses that were computed in the last round, and those that were right.
    drafted: usize,
    accepted: usize,
}

/// Makes every task's text, `-r` times in each way.
pub fn run(args: &Args, source: &Source, out: &mut Out) -> Result<()> {
    let model = args.compute.model(&args.model)?;
    let most = args.n_gen.iter().copied().max().unwrap_or(0);
    let tasks: Vec<_> = TASKS
        .iter()
        .map(|asked| Ok((asked.name, prompt(&model, asked)?)))
        .collect::<Result<_>>()?;
    let longest = tasks.iter().map(|(_, prompt)| prompt.len()).max();
    let n_ctx = (longest.unwrap_or(0) + most).min(model.config().n_ctx_train);
    let draft = source.open(&args.compute, &model, Some(n_ctx))?;
    let mut session = args.compute.session(&model, Some(n_ctx))?;
    let rounds = args.repetitions.get() + usize::from(!args.no_warmup);
    let bar = progress::steps(tasks.len() * args.n_gen.len() * rounds, "bench");
    let mut reports = Vec::new();
    for (name, prompt) in &tasks {
        for &n_gen in args.n_gen.iter().filter(|&&n| n > 0) {
            let mut task = Task {
                session: &mut session,
                prompt,
                n_gen,
                draft: &draft,
            };
            let mut samples = Vec::new();
            for round in 0..rounds {
                samples.push(task.round(round % 2 == 1, model.backend())?);
                bar.inc(1);
            }
            if !args.no_warmup {
                samples.remove(0);
            }
            reports.push(report(name, &task, &samples));
        }
    }
    bar.finish_and_clear();
    if args.json {
        return out.json(&reports);
    }
    table(out, &source.name(), &reports)
}

/// What is asked, by the model's template where it has one, and what the answer begins with.
fn prompt(model: &Model, asked: &Asked) -> Result<Vec<TokenId>> {
    let tokenizer = model.tokenizer();
    let plain = |text: &str, add_special| {
        let options = EncodeOptions {
            add_special,
            parse_special: false,
        };
        tokenizer.encode(text, options)
    };
    let mut tokens = match ChatTemplate::from_gguf(model.gguf(), tokenizer) {
        Ok(template) => template
            .render(&[Message::user(asked.text)], true)?
            .encode(tokenizer),
        Err(_) => plain(&format!("{}\n\n", asked.text), true),
    };
    tokens.extend(plain(asked.begun, false));
    Ok(tokens)
}

/// A text to be made.
struct Task<'a> {
    session: &'a mut Session,
    prompt: &'a [TokenId],
    n_gen: usize,
    draft: &'a Draft,
}

/// One text made twice: without guesses and with them.
struct Sample {
    n_tokens: usize,
    plain: Timings,
    draft: Timings,
}

impl Task<'_> {
    fn round(&mut self, draft_first: bool, backend: Backend) -> Result<Sample> {
        let guessing = Some(self.draft.clone());
        let (plain, draft) = if draft_first {
            let draft = self.make(guessing)?;
            (self.make(None)?, draft)
        } else {
            (self.make(None)?, self.make(guessing)?)
        };
        // Other backends have other bits in a batch.
        if plain.0 != draft.0 && backend == Backend::Puna {
            bail!("the text differs with guesses, which must not be");
        }
        Ok(Sample {
            n_tokens: plain.0.len(),
            plain: plain.1,
            draft: draft.1,
        })
    }

    fn make(&mut self, draft: Option<Draft>) -> Result<(Vec<TokenId>, Timings)> {
        let cancel = Cancel::new();
        self.session.prefill_to(self.prompt, &cancel)?;
        let options = GenerateOptions {
            max_tokens: Some(self.n_gen),
            sampler: SamplerParams::greedy(),
            draft,
            ..GenerateOptions::default()
        };
        let mut generator = Generator::new(self.session, &options, true)?;
        while generator.step(self.session, &cancel)?.is_some() {}
        Ok((generator.tokens().to_vec(), generator.timings()))
    }
}

fn report(task: &'static str, made: &Task<'_>, samples: &[Sample]) -> Report {
    let seconds = |t: &Timings| t.decode.as_secs_f64();
    let last = samples.last();
    Report {
        task,
        n_gen: made.n_gen,
        n_prompt: made.prompt.len(),
        n_tokens: last.map_or(0, |s| s.n_tokens),
        plain_ts: Spread::of(samples.iter().map(|s| s.plain.decode_tps())),
        draft_ts: Spread::of(samples.iter().map(|s| s.draft.decode_tps())),
        ratio: Spread::of(
            samples
                .iter()
                .map(|s| seconds(&s.plain) / seconds(&s.draft)),
        ),
        drafted: last.map_or(0, |s| s.draft.drafted),
        accepted: last.map_or(0, |s| s.draft.accepted),
    }
}

fn table(out: &mut Out, draft: &str, reports: &[Report]) -> Result<()> {
    out.line("| task | draft | prompt | tokens | t/s without | t/s with | ratio (quarters) | right of guessed |")?;
    out.line("|---|---|---:|---:|---:|---:|---|---:|")?;
    for r in reports {
        let median = |spread: Option<Spread>| spread.map_or(0.0, |s| s.median);
        let ratio = r.ratio.map_or(String::new(), |s| {
            format!("{:.2} ({:.2} to {:.2})", s.median, s.low, s.high)
        });
        out.line(&format!(
            "| {} | {draft} | {} | {} | {:.2} | {:.2} | {ratio} | {} of {} |",
            r.task,
            r.n_prompt,
            r.n_tokens,
            median(r.plain_ts),
            median(r.draft_ts),
            r.accepted,
            r.drafted
        ))?;
    }
    Ok(())
}
