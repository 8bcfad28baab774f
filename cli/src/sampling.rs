//! How the next token is picked: llama.cpp's flags for [`SamplerParams`].

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    str::FromStr,
};

use anyhow::Result;
use puna_core::{
    generate::GenerateOptions,
    sampler::{Mirostat2, SamplerParams},
    tokenizer::TokenId,
};

use crate::failure::Usage;

/// What a command takes where the user says nothing.
pub struct Defaults {
    /// See [`SamplerParams::temperature`].
    pub temperature: f32,
    /// See [`SamplerParams::repeat_penalty`]; not for `--temp 0`, which asks for the likeliest token.
    pub repeat_penalty: f32,
}

/// The sampling chain, and what ends a text.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Sampling", allow_negative_numbers = true)]
pub struct SamplingArgs {
    /// Seed: the same one gives the same text; -1 draws one
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: i64,
    /// Temperature; 0 always takes the most likely token [default: 0.8; in a chat 0.2]
    #[arg(long, value_name = "T")]
    temp: Option<f32>,
    /// Keeps the K most likely tokens; 0: all
    #[arg(long, value_name = "K", default_value_t = 40)]
    top_k: u32,
    /// Keeps the most likely tokens up to this probability mass; 1: all
    #[arg(long, value_name = "P", default_value_t = 0.95)]
    top_p: f32,
    /// Keeps tokens at least P times as likely as the best; 0: all
    #[arg(long, value_name = "P", default_value_t = 0.05)]
    min_p: f32,
    /// Keeps the tokens closest to the expected surprise up to this mass; 1: all
    #[arg(long, value_name = "P", default_value_t = 1.0)]
    typical: f32,
    /// Makes tokens seen before less likely; 1: off [default: 1; in a chat 1.1, but with --temp 0]
    #[arg(long, value_name = "X")]
    repeat_penalty: Option<f32>,
    /// How many of the last tokens the penalties look at; 0: none, -1: all
    #[arg(long, value_name = "N", default_value = "64", value_parser = last_n)]
    repeat_last_n: u32,
    /// Subtracted from a token's logit for each time it was seen; 0: off
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    frequency_penalty: f32,
    /// Subtracted from the logit of each token seen; 0: off
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    presence_penalty: f32,
    /// DRY: strength of the penalty on going on with a repetition; 0: off
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    dry_multiplier: f32,
    /// DRY: growth per token of repetition
    #[arg(long, value_name = "X", default_value_t = 1.75)]
    dry_base: f32,
    /// DRY: longest repetition that costs nothing
    #[arg(long, value_name = "N", default_value_t = 2)]
    dry_allowed_length: u32,
    /// DRY: how many of the last tokens it looks at; 0: none, -1: all
    #[arg(long, value_name = "N", default_value = "64", value_parser = last_n)]
    dry_penalty_last_n: u32,
    /// DRY: text that it does not look past; repeatable [default: newline : " *]
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    dry_sequence_breaker: Vec<String>,
    /// XTC: chance that the top choices are excluded at a token; 0: off
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    xtc_probability: f32,
    /// XTC: what counts as a top choice
    #[arg(long, value_name = "P", default_value_t = 0.1)]
    xtc_threshold: f32,
    /// 2: Mirostat 2 in place of the other filters; 0: off
    #[arg(long, value_name = "0|2", default_value = "0", value_parser = ["0", "2"])]
    mirostat: String,
    /// Mirostat: the surprise to aim for, in bits
    #[arg(long, value_name = "X", default_value_t = Mirostat2::default().tau)]
    mirostat_ent: f32,
    /// Mirostat: learning rate
    #[arg(long, value_name = "X", default_value_t = Mirostat2::default().eta)]
    mirostat_lr: f32,
    /// Added to the logit of a token, as in 15043+1 or 15043-inf; repeatable
    #[arg(long, value_name = "TOKEN±BIAS")]
    logit_bias: Vec<LogitBias>,
    /// Text that ends the answer and is not shown; repeatable
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    stop: Vec<String>,
    /// Goes on past the model's end token
    #[arg(long)]
    ignore_eos: bool,
}

/// Where DRY's repetitions end, by llama.cpp's default.
const DRY_BREAKERS: [&str; 4] = ["\n", ":", "\"", "*"];

#[derive(Clone, Copy, Debug)]
struct LogitBias(TokenId, f32);

impl FromStr for LogitBias {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (id, bias) = text.split_at_checked(text.find(['+', '-'])?)?;
            Some(Self(TokenId(id.parse().ok()?), bias.parse().ok()?))
        };
        parse().ok_or("wanted a token id and a signed number, as in 15043+1")
    }
}

/// A number of tokens, of which -1 means all.
fn last_n(text: &str) -> Result<u32, &'static str> {
    match text {
        "-1" => Ok(u32::MAX),
        n => n.parse().map_err(|_| "wanted a number of tokens, or -1"),
    }
}

impl SamplingArgs {
    /// The options of a text of `max_tokens` at most; `temperature` where none is given.
    ///
    /// # Errors
    /// [`Usage`] for a number out of its range.
    pub fn options(
        &self,
        max_tokens: Option<usize>,
        defaults: &Defaults,
    ) -> Result<GenerateOptions> {
        let breakers = match self.dry_sequence_breaker.as_slice() {
            [] => DRY_BREAKERS.map(str::to_owned).to_vec(),
            given => given.to_vec(),
        };
        let sampler = self.params(defaults);
        // The vocabulary is not known yet; the rest can already be judged.
        let without_bias = SamplerParams {
            logit_bias: Vec::new(),
            ..sampler.clone()
        };
        without_bias
            .validate(1)
            .map_err(|error| Usage(error.to_string()))?;
        Ok(GenerateOptions {
            max_tokens,
            sampler,
            stops: self.stop.clone(),
            dry_breakers: breakers,
            ignore_eos: self.ignore_eos,
            ..GenerateOptions::default()
        })
    }

    fn params(&self, defaults: &Defaults) -> SamplerParams {
        let mirostat = Mirostat2 {
            tau: self.mirostat_ent,
            eta: self.mirostat_lr,
        };
        SamplerParams {
            seed: u64::try_from(self.seed).unwrap_or_else(|_| drawn_seed()),
            temperature: self.temp.unwrap_or(defaults.temperature),
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            typical_p: self.typical,
            xtc_probability: self.xtc_probability,
            xtc_threshold: self.xtc_threshold,
            repeat_last_n: self.repeat_last_n,
            repeat_penalty: self.repeat_penalty.unwrap_or(match self.temp {
                Some(0.0) => 1.0,
                _ => defaults.repeat_penalty,
            }),
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            dry_multiplier: self.dry_multiplier,
            dry_base: self.dry_base,
            dry_allowed_length: self.dry_allowed_length,
            dry_penalty_last_n: self.dry_penalty_last_n,
            mirostat: (self.mirostat == "2").then_some(mirostat),
            logit_bias: self.logit_bias.iter().map(|b| (b.0, b.1)).collect(),
            ..SamplerParams::default()
        }
    }
}

/// A seed that nobody can guess: the standard library seeds its hash maps from the system.
fn drawn_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
