//! The command `puna`: language models on this machine, offline.
//!
//! Answers go to stdout, everything else to stderr. Exit codes: 0 done, 1 an error, in one line, 2 a
//! wrong command line, 130 stopped by Ctrl-C. Each command is a file of its own.

mod args;
mod bench;
mod chat;
mod draft;
mod editor;
mod embed;
mod failure;
mod fetch;
mod inspect;
mod interrupt;
mod licence;
mod logits;
mod models;
mod on_full;
mod output;
mod perplexity;
mod progress;
mod prompt;
mod run;
mod sampling;
mod score;
mod stats;
mod template;
mod tokenize;

use std::process::ExitCode;

use clap::{ArgAction, Parser, Subcommand};
use log::LevelFilter;
use output::Out;

/// Language models on this machine, offline.
#[derive(Parser)]
#[command(name = "puna", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Says more on stderr; twice: even more. RUST_LOG=… chooses finer
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Subcommand)]
enum Command {
    /// Talk with a model; without -m, with one that is fetched once
    Chat(chat::Args),
    /// Go on with a text, without a chat template
    Run(run::Args),
    /// Turn text into token ids
    Tokenize(tokenize::TokenizeArgs),
    /// Turn token ids into text
    Detokenize(tokenize::DetokenizeArgs),
    /// Show what a model expects after some tokens
    Logits(logits::Args),
    /// Turn texts into vectors, for search and comparison
    Embed(embed::Args),
    /// Show how likely given texts are after a prompt
    Score(score::Args),
    /// Measure how well a model foresees a text
    Perplexity(perplexity::Args),
    /// Measure speed, as llama-bench does
    Bench(bench::Args),
    /// Show the prompt that a chat would feed to the model
    Template(template::Args),
    /// Show what is in a GGUF file, and the memory it needs
    Inspect(inspect::Args),
    /// Fetch a model, once, and print its path
    Fetch(fetch::Args),
    /// List, verify or remove the models that were fetched
    Models(models::Args),
}

fn main() -> ExitCode {
    // What a panic says may quote the text that it was about.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(String::new, |at| format!(" at {at}"));
        output::say(&format!(
            "error: a fault of this program{place}; please report it"
        ));
    }));
    let cli = Cli::parse();
    let level = match cli.verbose {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        _ => LevelFilter::Debug,
    };
    env_logger::Builder::new()
        .filter_level(level)
        .parse_default_env()
        .init();
    let out = &mut Out::stdout();
    let result = match &cli.command {
        Command::Chat(args) => chat::run(args, cli.verbose > 0, out),
        Command::Run(args) => run::run(args, cli.verbose > 0, out),
        Command::Tokenize(args) => tokenize::tokenize(args, out),
        Command::Detokenize(args) => tokenize::detokenize(args, out),
        Command::Logits(args) => logits::run(args, out),
        Command::Embed(args) => embed::run(args, out),
        Command::Score(args) => score::run(args, out),
        Command::Perplexity(args) => perplexity::run(args, out),
        Command::Bench(args) => bench::run(args, out),
        Command::Template(args) => template::run(args, out),
        Command::Inspect(args) => inspect::run(args, out),
        Command::Fetch(args) => fetch::run(args, out),
        Command::Models(args) => models::run(args, out),
    };
    match result.and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}
