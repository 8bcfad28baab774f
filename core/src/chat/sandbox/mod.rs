//! Runs a template that came from an untrusted file.
//!
//! It reaches nothing but the conversation: no files, no clock but the date, no other template. Its time
//! and memory are bounded four ways: steps (fuel), bytes of work ([`meter`]), bytes of output, and nesting
//! (checked tags, a recursion limit, a stack of known size).

mod clock;
mod compile;
mod filters;
mod folding;
mod json;
mod meter;
mod methods;
mod operations;
mod source;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::machinery::{eval, make_string_output};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value, escape_formatter};

use super::error::quote;
use super::{ChatError, Message};
use meter::{Meter, Stop};

pub(super) use clock::now;

/// Stack of the thread a template runs on; pages it does not touch take no memory.
const STACK: usize = 32 << 20;
/// How deep macros and loops may call each other.
const RECURSION: usize = 200;

/// A checked template.
#[derive(Clone, Debug)]
pub(super) struct Sandbox {
    source: Arc<str>,
    literals: Arc<[String]>,
}

/// What a template sees besides the messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variables<'a> {
    pub(super) bos_token: &'a str,
    pub(super) eos_token: &'a str,
    pub(super) add_generation_prompt: bool,
    /// Unix seconds that `strftime_now` tells.
    pub(super) now: i64,
}

impl Sandbox {
    /// Checks and compiles `source` once, so that errors show when the model is opened.
    pub(super) fn new(source: &str) -> Result<Self, ChatError> {
        let source = source::normalize(source)?;
        on_own_stack(|| {
            let literals = source::literals(&source)?;
            compile::compile(&source)?;
            Ok(literals)
        })
        .map(|literals| Self {
            source: source.as_str().into(),
            literals: literals.into(),
        })
    }

    /// The texts that the template's author wrote: between tags, and in strings.
    pub(super) fn literals(&self) -> &[String] {
        &self.literals
    }

    /// The template's source.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Renders `messages`.
    pub(super) fn render(
        &self,
        messages: &[Message],
        variables: Variables<'_>,
    ) -> Result<String, ChatError> {
        on_own_stack(|| self.run(messages, variables))
    }

    fn run(&self, messages: &[Message], variables: Variables<'_>) -> Result<String, ChatError> {
        let limits = Limits::of(messages);
        let meter = Arc::new(Meter::new(limits.work));
        let written = Arc::new(AtomicUsize::new(0));
        let env = environment(&limits, &meter, &written, variables.now);
        let instructions = compile::compile(&self.source)?;
        let blocks = BTreeMap::new();
        let mut out = String::new();
        eval(
            &env,
            &instructions,
            context(messages, variables),
            &blocks,
            &mut make_string_output(&mut out),
            AutoEscape::None,
        )
        .map_err(|error| self.explain(&error, &limits))?;
        Ok(out)
    }

    fn explain(&self, error: &Error, limits: &Limits) -> ChatError {
        let line = error.line().unwrap_or(0);
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(here) = cause {
            match here.downcast_ref::<Stop>() {
                Some(Stop::Work) => return ChatError::OutOfWork { bytes: limits.work },
                Some(Stop::Depth) => return ChatError::TooDeep,
                Some(Stop::Output) => return ChatError::OutputTooLong { max: limits.output },
                Some(Stop::Raised(reason)) => {
                    return ChatError::Refused {
                        reason: self.own_words(reason),
                    };
                }
                None => {}
            }
            if let Some(error) = here.downcast_ref::<Error>() {
                if error.kind() == ErrorKind::OutOfFuel {
                    return ChatError::OutOfSteps { steps: limits.fuel };
                }
                if error
                    .detail()
                    .is_some_and(|what| what.contains("recursion limit"))
                {
                    return ChatError::TooDeep;
                }
            }
            cause = here.source();
        }
        // The detail of a run-time error can quote values; its kind cannot.
        ChatError::Render {
            line,
            kind: error.kind().to_string(),
        }
    }

    /// `reason` as far as it is a literal of the template, so that no word of the conversation is in it.
    fn own_words(&self, reason: &str) -> String {
        let spelled = self
            .literals
            .iter()
            .filter(|literal| !literal.is_empty() && reason.starts_with(literal.as_str()))
            .max_by_key(|literal| literal.len());
        match spelled {
            Some(literal) if literal.len() == reason.len() => quote(reason),
            Some(literal) => quote(literal) + "…",
            None => "…".to_owned(),
        }
    }
}

/// What one rendering may spend; grows with the conversation.
struct Limits {
    fuel: u64,
    work: u64,
    output: usize,
}

impl Limits {
    fn of(messages: &[Message]) -> Self {
        let count = (messages.len() as u64).min(1 << 20);
        let bytes: usize = messages.iter().map(|m| m.content.len() + 64).sum();
        Self {
            fuel: 200_000 + 5_000 * count,
            // Some templates look at all messages for each message.
            work: (8 << 20) + 256 * (bytes as u64 + count * count),
            output: (1 << 20) + 16 * bytes,
        }
    }
}

fn context(messages: &[Message], variables: Variables<'_>) -> Value {
    let messages: Value = messages
        .iter()
        .map(|message| {
            Value::from_pairs([
                ("role", Value::from(message.role.as_str())),
                ("content", Value::from(message.content.as_str())),
            ])
        })
        .collect();
    // As transformers does, what is not given is none, not undefined.
    Value::from_pairs([
        ("messages", messages),
        ("tools", Value::from(())),
        ("documents", Value::from(())),
        ("bos_token", Value::from(variables.bos_token)),
        ("eos_token", Value::from(variables.eos_token)),
        (
            "add_generation_prompt",
            Value::from(variables.add_generation_prompt),
        ),
    ])
}

fn environment(
    limits: &Limits,
    meter: &Arc<Meter>,
    written: &Arc<AtomicUsize>,
    now: i64,
) -> Environment<'static> {
    let mut env = Environment::empty();
    env.set_fuel(Some(limits.fuel));
    env.set_recursion_limit(RECURSION);
    operations::install(&mut env, meter, now);
    filters::install(&mut env, meter);
    let pay = Arc::clone(meter);
    env.set_unknown_method_callback(move |state, value, name, args| {
        methods::call(&pay, state, value, name, args)
    });
    let (pay, written, most) = (Arc::clone(meter), Arc::clone(written), limits.output);
    env.set_formatter(move |out, state, value| {
        let cost = pay.pay_print(value)? as usize;
        let length = value.as_str().map_or(cost, str::len);
        if written.fetch_add(length, Ordering::Relaxed) + length > most {
            return Err(Stop::Output.into());
        }
        escape_formatter(out, state, value)
    });
    env
}

fn syntax_error(error: &Error) -> ChatError {
    ChatError::Syntax {
        line: error.line().unwrap_or(0),
        what: error
            .detail()
            .map_or_else(|| error.kind().to_string(), quote),
    }
}

/// Runs `work` on a thread with a stack for the deepest template that passes the checks.
fn on_own_stack<T: Send>(
    work: impl FnOnce() -> Result<T, ChatError> + Send,
) -> Result<T, ChatError> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("chat-template".into())
            .stack_size(STACK)
            .spawn_scoped(scope, work)
            .map_err(ChatError::Thread)?
            .join()
            .unwrap_or_else(|_| {
                Err(ChatError::Render {
                    line: 0,
                    kind: "the template engine panicked".to_owned(),
                })
            })
    })
}
