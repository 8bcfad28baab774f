//! `puna template`: the prompt that a chat would feed to the model.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use puna_core::chat::{ChatTemplate, Message, Role};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    args::{numbers, vocabulary},
    output::Out,
    prompt,
};

/// Arguments of `puna template`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model, a GGUF file; one with only a vocabulary will do
    #[arg(short, long, value_name = "FILE", value_parser = crate::args::model_file())]
    model: PathBuf,
    /// The conversation: [{"role": "user", "content": "…"}, …]; `-`: stdin
    #[arg(long, value_name = "FILE")]
    messages: PathBuf,
    /// A template to take in place of the model's own
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Ends after the last message instead of where the next answer begins
    #[arg(long)]
    no_generation_prompt: bool,
    /// Prints JSON: {"prompt": "…", "tokens": […]}
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Entry {
    role: String,
    content: String,
}

/// Prints the rendered conversation and its tokens.
pub fn run(args: &Args, out: &mut Out) -> Result<()> {
    let (gguf, tokenizer) = vocabulary(&args.model)?;
    let template = match &args.template {
        Some(path) => ChatTemplate::from_source(&prompt::read(path)?, &tokenizer)?,
        None => ChatTemplate::from_gguf(&gguf, &tokenizer)?,
    };
    let text = prompt::read(&args.messages)?;
    let rendered = template.render(&messages(&text)?, !args.no_generation_prompt)?;
    let tokens = rendered.encode(&tokenizer);
    if args.json {
        return out.json(&json!({ "prompt": rendered.text(), "tokens": numbers(&tokens) }));
    }
    out.line(rendered.text())?;
    let ids: Vec<String> = tokens.iter().map(|token| token.0.to_string()).collect();
    out.line(&format!("\n{} tokens: {}", ids.len(), ids.join(",")))
}

/// The messages of a JSON list, or of an object's field `messages`.
fn messages(json: &str) -> Result<Vec<Message>> {
    let wanted = "--messages: wanted a JSON list of {\"role\", \"content\"}";
    let mut value: Value = serde_json::from_str(json).context(wanted)?;
    if let Some(list) = value.get_mut("messages") {
        value = list.take();
    }
    // Its own words would quote the conversation.
    let entries: Vec<Entry> = serde_json::from_value(value).map_err(|_| anyhow!(wanted))?;
    let message = |entry: Entry| {
        let role = Role::from_name(&entry.role).ok_or_else(|| {
            let names = Role::ALL.map(Role::as_str).join(", ");
            anyhow!("--messages: role {:?}, wanted one of {names}", entry.role)
        })?;
        Ok(Message::new(role, entry.content))
    };
    entries.into_iter().map(message).collect()
}
