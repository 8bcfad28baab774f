//! `puna chat`: a conversation with a model, by its own template.

mod keep;

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use indicatif::DecimalBytes;
use puna_core::{
    cancel::Cancel,
    chat::ChatTemplate,
    conversation::{Conversation, ConversationError, Reply},
    generate::{GenerateOptions, StopReason},
    session::{SessionError, Trim},
};
use serde::Serialize;

use self::keep::KeepArgs;
use crate::{
    args::{ComputeArgs, ContextArgs, DeadlineArgs, numbers},
    draft::DraftArgs,
    editor::{Line, LineEditor},
    failure::{self, DeadlinePassed, StdoutClosed, Usage},
    fetch, interrupt,
    on_full::OnFullArgs,
    output::{Out, say, shortened},
    progress, prompt,
    sampling::{Defaults, SamplingArgs},
    stats::{self, End, Memory, Timings},
};

/// Arguments of `puna chat`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model, a GGUF file [default: SmolLM2-135M-Instruct, fetched once]
    #[arg(short, long, value_name = "FILE", value_parser = crate::args::model_file())]
    model: Option<PathBuf>,
    /// The system message: how the model is to behave [default: the template's own; for the default model
    /// "You are a helpful AI assistant."]
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    system: Option<String>,
    /// Answers this and ends; so does text that is piped in
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Option<String>,
    /// Tokens of an answer at most; -1: until the model ends or the context is full
    #[arg(short, long, value_name = "N", default_value_t = -1)]
    #[arg(value_parser = clap::value_parser!(i64).range(-1..), allow_negative_numbers = true)]
    n_predict: i64,
    /// Prints JSON: {"prompt_tokens", "tokens", "text", "stop", "timings", "memory"}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    keep: KeepArgs,
    #[command(flatten)]
    full: OnFullArgs,
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

/// Small models keep to the point at low temperatures, and repeat themselves unless held back.
const DEFAULTS: Defaults = Defaults {
    temperature: 0.2,
    repeat_penalty: 1.1,
};

/// The system message for the default model where the user gives none. With the one in
/// its own template "What is the capital of France?" is a near tie between English and French, even in f32.
const DEFAULT_SYSTEM: &str = "You are a helpful AI assistant.";

const HELP: &str = "\
/help        shows this
/edit TEXT   says TEXT instead of what you said last
/regenerate  makes another answer to what you said last
/save FILE   saves the conversation, for `puna chat --restore FILE`
/reset       forgets the conversation, but not the system message
/trim LEVEL  gives memory back, which returns by itself: scratch (buffers), or kv (and the conversation's
             keys and values, which go to the disk), or weights (and those)
/exit        ends the chat, as Ctrl-D does
Ctrl-C       ends an answer";

/// The JSON of an answer.
#[derive(Serialize)]
struct Report {
    prompt_tokens: Vec<u32>,
    tokens: Vec<u32>,
    text: String,
    stop: &'static str,
    timings: Timings,
    memory: Memory,
    #[serde(skip)]
    end: End,
}

/// Talks, or answers once.
pub fn run(args: &Args, verbose: bool, out: &mut Out) -> Result<()> {
    let max_tokens = usize::try_from(args.n_predict).ok();
    let mut options = args.sampling.options(max_tokens, &DEFAULTS)?;
    options.on_full = args.full.choice(0);
    let question = question(args)?;
    let path = match &args.model {
        Some(path) => path.clone(),
        None => fetch::default_model()?,
    };
    let started = Instant::now();
    let model = args.compute.model(&path)?;
    options.sampler.validate(model.config().n_vocab)?;
    let template = ChatTemplate::from_gguf(model.gguf(), model.tokenizer())
        .context("cannot chat with this model, only `puna run` it")?;
    let n_ctx = args.context.n_ctx(&model);
    let mut session = args.compute.options(n_ctx);
    session.trim_dir = fetch::folder().ok();
    options.draft = args.draft.open(&args.compute, &model, n_ctx)?;
    let default_system = args.model.is_none().then_some(DEFAULT_SYSTEM);
    let system = args.system.as_deref().or(default_system);
    let mut chat = Chat {
        conversation: args.keep.open(&model, template, system, &session)?,
        options,
        n_again: 0,
        deadline: &args.deadline,
        load: started.elapsed(),
        verbose,
    };
    interrupt::install()?;
    let ended = match question {
        Some(question) if args.json => {
            let report = chat.answer(Ask::Say(&question), |_| Ok(()))?;
            out.json(&report).and_then(|()| in_time(&report))
        }
        Some(question) => chat.show_answer(Ask::Say(&question), out),
        None => {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let name = shortened(&name, 60);
            say(&format!(
                "{name} on this machine, offline. /help helps, Ctrl-D ends."
            ));
            keep::note_resumed(&chat.conversation, system);
            chat.talk(out)
        }
    };
    match ended {
        Err(error) if !error.is::<DeadlinePassed>() => Err(error),
        // What there is of an answer that was cut off belongs to the chat.
        ended => args.keep.save(&chat.conversation).and(ended),
    }
}

/// What is to be answered, unless a person is there to ask.
fn question(args: &Args) -> Result<Option<String>> {
    if let Some(prompt) = &args.prompt {
        return Ok(Some(prompt.clone()));
    }
    if io::stdin().is_terminal() {
        if args.json {
            let wanted = "--json is for one answer: give -p TEXT, or pipe the text in";
            return Err(Usage(wanted.to_owned()).into());
        }
        return Ok(None);
    }
    let text = prompt::read(Path::new("-"))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.trim().is_empty() {
        bail!("nothing to answer: stdin is empty, and there is no -p TEXT");
    }
    Ok(Some(text.to_owned()))
}

/// A conversation and how to go on with it.
struct Chat<'a> {
    conversation: Conversation,
    options: GenerateOptions,
    /// Answers that were made again: each has a seed of its own.
    n_again: u64,
    deadline: &'a DeadlineArgs,
    /// The time to open the model.
    load: Duration,
    verbose: bool,
}

impl Chat<'_> {
    /// Asks and answers until the person leaves.
    fn talk(&mut self, out: &mut Out) -> Result<()> {
        let mut editor = LineEditor::new()?;
        loop {
            let line = match editor.read()? {
                Line::Text(line) => line,
                Line::Interrupt => {
                    say("(Ctrl-D or /exit ends the chat)");
                    continue;
                }
                Line::End => return Ok(()),
            };
            let line = line.trim();
            let (word, rest) = line.split_once([' ', '\n']).unwrap_or((line, ""));
            let rest = rest.trim();
            let done = match (word, rest) {
                ("", _) => Ok(()),
                ("/exit" | "/quit", "") => return Ok(()),
                ("/help", "") => {
                    say(HELP);
                    Ok(())
                }
                ("/reset", "") => self.reset(),
                ("/trim", level) => self.trim(level),
                ("/edit" | "/save", "") => {
                    say(&format!(
                        "({word} takes what to say, or a file; /help shows it)"
                    ));
                    Ok(())
                }
                ("/edit", text) => self.turn(Ask::Edit(text), out),
                ("/regenerate", "") => self.turn(Ask::Again, out),
                ("/save", path) => self.save(Path::new(path)),
                (word, "") if word.starts_with('/') => {
                    let word = shortened(word, 20);
                    say(&format!("({word} is no command; /help lists them)"));
                    Ok(())
                }
                _ => self.turn(Ask::Say(line), out),
            };
            match done {
                Err(error) if error.is::<StdoutClosed>() => return Err(error),
                Err(error) => {
                    failure::report(&error);
                }
                Ok(()) => {}
            }
        }
    }

    /// `/trim LEVEL`: gives memory back, and says how much.
    fn trim(&mut self, name: &str) -> Result<()> {
        let Some(level) = Trim::ALL.into_iter().find(|level| level.name() == name) else {
            let names = Trim::ALL.map(Trim::name).join(", ");
            say(&format!("(/trim takes one of {names}; /help shows them)"));
            return Ok(());
        };
        let before = stats::rss();
        let trimmed = self.conversation.trim(level);
        match before.zip(stats::rss()) {
            Some((before, after)) => say(&format!(
                "({} given back: {} held before, {} now)",
                DecimalBytes(before.saturating_sub(after)),
                DecimalBytes(before),
                DecimalBytes(after)
            )),
            None => say("(memory is given back)"),
        }
        Ok(trimmed?)
    }

    /// Streams an answer, and sets it off from the next line that is typed.
    fn turn(&mut self, ask: Ask<'_>, out: &mut Out) -> Result<()> {
        self.show_answer(ask, out)?;
        out.line("")
    }

    fn reset(&mut self) -> Result<()> {
        self.conversation.reset()?;
        say("(the conversation is forgotten)");
        Ok(())
    }

    fn save(&self, path: &Path) -> Result<()> {
        self.conversation.save(path)?;
        say("(saved)");
        Ok(())
    }

    /// Streams the answer to a person.
    fn show_answer(&mut self, ask: Ask<'_>, out: &mut Out) -> Result<()> {
        let report = self.answer(ask, |piece| out.show_made(piece))?;
        out.line("")?;
        out.flush()?;
        if report.end == End::Made(StopReason::ContextFull) {
            let n_ctx = self.conversation.session().n_ctx();
            say(&format!(
                "(cut off: the context of {n_ctx} tokens is full; {MORE_ROOM})"
            ));
        }
        if self.verbose {
            say(&stats::line(&report.timings, &report.memory));
        }
        in_time(&report)
    }

    /// Answers, handing each piece to `show`. An answer that is cancelled, or whose deadline passes, ends there.
    fn answer(&mut self, ask: Ask<'_>, show: impl FnMut(&str) -> Result<()>) -> Result<Report> {
        let made = interrupt::during(|cancel| {
            let cancel = self.deadline.limit(cancel);
            self.make(ask, &cancel, show)
        })?;
        let session = self.conversation.session();
        // Exact for the first question; later ones build on tokens that were computed before.
        let prompt_end = made.timings.prefill_tokens.min(session.tokens().len());
        Ok(Report {
            prompt_tokens: numbers(&session.tokens()[..prompt_end]),
            tokens: made.tokens,
            text: made.text,
            stop: made.end.name(),
            end: made.end,
            timings: Timings::new(self.load, &made.timings),
            memory: Memory::from(session),
        })
    }

    fn make(
        &mut self,
        ask: Ask<'_>,
        cancel: &Cancel,
        mut show: impl FnMut(&str) -> Result<()>,
    ) -> Result<Made> {
        let bar = progress::spinner("reading");
        let reply = self.begin(ask, cancel);
        bar.finish_and_clear();
        let mut reply = match reply {
            Ok(reply) => reply,
            Err(ConversationError::Session(error)) if error.is_stop() => {
                let end = End::of(error)?;
                return Ok(Made {
                    end,
                    ..Made::default()
                });
            }
            Err(error) => return Err(explained(error)),
        };
        let end = loop {
            match reply.next_piece() {
                Ok(Some(piece)) => show(&piece)?,
                Ok(None) => break reply.stop_reason().map_or(End::Cancelled, End::Made),
                Err(ConversationError::Session(error)) if error.is_stop() => break End::of(error)?,
                Err(error) => return Err(explained(error)),
            }
        };
        let made = Made {
            tokens: numbers(reply.tokens()),
            text: reply.text().to_owned(),
            end,
            timings: reply.timings(),
        };
        if !made.text.is_empty() {
            reply.keep().map_err(explained)?;
        }
        Ok(made)
    }

    fn begin(
        &mut self,
        ask: Ask<'_>,
        cancel: &Cancel,
    ) -> Result<Reply<&mut Conversation>, ConversationError> {
        match ask {
            Ask::Say(text) => self.conversation.send(text, &self.options, cancel),
            Ask::Edit(text) => self.conversation.edit_last(text, &self.options, cancel),
            Ask::Again => {
                self.n_again += 1;
                let mut options = self.options.clone();
                options.sampler.seed = options.sampler.seed.wrapping_add(self.n_again);
                self.conversation.regenerate(&options, cancel)
            }
        }
    }
}

/// What is to be answered.
#[derive(Clone, Copy)]
enum Ask<'a> {
    /// The next words.
    Say(&'a str),
    /// Words instead of the last.
    Edit(&'a str),
    /// The last words again.
    Again,
}

/// What to do about a full context.
const MORE_ROOM: &str = "/reset forgets the conversation, `puna chat -c N` has room for more, --on-full shift forgets the oldest turns";

/// An answer, or as much as there is of it.
#[derive(Default)]
struct Made {
    tokens: Vec<u32>,
    text: String,
    end: End,
    timings: puna_core::generate::Timings,
}

/// An error, if the deadline cut the answer off.
fn in_time(report: &Report) -> Result<()> {
    match report.end {
        End::Deadline => Err(DeadlinePassed.into()),
        _ => Ok(()),
    }
}

/// The error, and what can be done where that is known.
fn explained(error: ConversationError) -> anyhow::Error {
    match error {
        ConversationError::Session(SessionError::ContextFull { .. }) => anyhow::Error::new(error)
            .context(format!(
                "the conversation has no room for this ({MORE_ROOM})"
            )),
        error => error.into(),
    }
}
