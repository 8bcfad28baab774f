//! Tests of speed in this process: what is timed, how, and what is told of it.

use std::{
    path::Path,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use indicatif::DecimalBytes;
use puna_core::{
    cancel::Cancel,
    model::Model,
    sampler::rng::Pcg32,
    session::{Session, SessionError},
    tokenizer::TokenId,
};
use serde::Serialize;

use super::Args;
use crate::output::Out;

/// What to time: a prompt or, if `n_prompt` is 0, the making of tokens.
#[derive(Clone, Copy, Debug)]
pub struct Test {
    pub n_prompt: usize,
    pub n_gen: usize,
    pub n_depth: usize,
}

impl Test {
    /// Tokens that are timed.
    pub const fn n_tokens(&self) -> usize {
        self.n_prompt + self.n_gen
    }

    /// As llama-bench calls it: `pp512 @ d2048`.
    pub fn name(&self) -> String {
        match (self.n_prompt, self.n_depth) {
            (0, 0) => format!("tg{}", self.n_gen),
            (0, depth) => format!("tg{} @ d{depth}", self.n_gen),
            (n, 0) => format!("pp{n}"),
            (n, depth) => format!("pp{n} @ d{depth}"),
        }
    }
}

/// Every combination that the arguments ask for.
pub fn plan(args: &Args) -> Vec<Test> {
    let mut plan = Vec::new();
    for &n_depth in &args.n_depth {
        let test = |n_prompt, n_gen| Test {
            n_prompt,
            n_gen,
            n_depth,
        };
        let wanted = |n: &&usize| **n > 0;
        plan.extend(args.n_prompt.iter().filter(wanted).map(|&n| test(n, 0)));
        plan.extend(args.n_gen.iter().filter(wanted).map(|&n| test(0, n)));
    }
    plan
}

/// One test and its times, by llama-bench's keys, `backend` and `isa`.
#[derive(Debug, Serialize)]
pub struct Report {
    model_filename: String,
    model_type: String,
    model_size: u64,
    model_n_params: u64,
    backend: &'static str,
    isa: &'static str,
    n_batch: usize,
    n_threads: usize,
    type_k: &'static str,
    type_v: &'static str,
    n_prompt: usize,
    n_gen: usize,
    n_depth: usize,
    /// Seconds since 1970.
    test_time: u64,
    avg_ns: f64,
    stddev_ns: f64,
    avg_ts: f64,
    stddev_ts: f64,
    samples_ns: Vec<u64>,
    samples_ts: Vec<f64>,
}

/// Times a test; `done` is told of each step, the warm-up too.
pub fn measure(args: &Args, model: &Model, test: &Test, mut done: impl FnMut()) -> Result<Report> {
    let n = test.n_tokens();
    let mut tokens = RandomTokens::new(model);
    let mut session = at_depth(args, model, test, &mut tokens)?;
    if !args.no_warmup {
        // As llama-bench warms up: the whole prompt, but only one token.
        let tokens = tokens.take(test.n_prompt + test.n_gen.min(1));
        compute(&mut session, &tokens, test, &Cancel::new())?;
        done();
    }
    let mut samples_ns = Vec::new();
    for _ in 0..args.repetitions.get() {
        session.truncate(test.n_depth);
        let tokens = tokens.take(n);
        let started = Instant::now();
        compute(&mut session, &tokens, test, &Cancel::new())?;
        samples_ns.push(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
        done();
    }
    let times: Vec<f64> = samples_ns.iter().map(|&ns| ns as f64).collect();
    let samples_ts: Vec<f64> = times
        .iter()
        .map(|ns| n as f64 * 1e9 / ns.max(1.0))
        .collect();
    let (avg_ns, stddev_ns) = mean_and_deviation(&times);
    let (avg_ts, stddev_ts) = mean_and_deviation(&samples_ts);
    let kv = args.compute.kv().name();
    let gguf = model.gguf();
    Ok(Report {
        model_filename: args.model.display().to_string(),
        model_type: model_type(model, &args.model),
        model_size: gguf.tensor_bytes(),
        model_n_params: gguf.tensors().map(|t| t.n_elements()).sum(),
        backend: model.backend().name(),
        isa: model.kernels().isa().name(),
        n_batch: args.compute.batch.get(),
        n_threads: session.n_threads(),
        type_k: kv,
        type_v: kv,
        n_prompt: test.n_prompt,
        n_gen: test.n_gen,
        n_depth: test.n_depth,
        test_time: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |t| t.as_secs()),
        avg_ns,
        stddev_ns,
        avg_ts,
        stddev_ts,
        samples_ns,
        samples_ts,
    })
}

/// A session that holds as many tokens as the test's depth, computed or restored.
fn at_depth(args: &Args, model: &Model, test: &Test, tokens: &mut RandomTokens) -> Result<Session> {
    let options = args.compute.options(Some(test.n_depth + test.n_tokens()));
    if let Some(path) = args.prewarmed.as_ref().filter(|path| path.exists()) {
        return Ok(Session::restore(model, path, &options)?);
    }
    let mut session = Session::new(model, &options)?;
    if test.n_depth > 0 {
        session.prefill(&tokens.take(test.n_depth), &Cancel::new())?;
    }
    if let Some(path) = &args.prewarmed {
        session.save(path)?;
    }
    Ok(session)
}

/// All `tokens` at once, or one by one where the test makes tokens.
pub fn compute(
    session: &mut Session,
    tokens: &[TokenId],
    test: &Test,
    cancel: &Cancel,
) -> Result<(), SessionError> {
    if test.n_gen == 0 {
        return session.prefill(tokens, cancel);
    }
    tokens
        .iter()
        .try_for_each(|&token| session.decode(token, cancel).map(|_| ()))
}

/// Tokens that nothing can be learned from, the same at every run.
pub struct RandomTokens {
    rng: Pcg32,
    n_vocab: u32,
}

impl RandomTokens {
    /// For a model's vocabulary.
    pub fn new(model: &Model) -> Self {
        Self {
            rng: Pcg32::new(0),
            n_vocab: u32::try_from(model.config().n_vocab).unwrap_or(u32::MAX),
        }
    }

    /// The next `n`.
    pub fn take(&mut self, n: usize) -> Vec<TokenId> {
        (0..n)
            .map(|_| TokenId(self.rng.next_u32() % self.n_vocab))
            .collect()
    }
}

/// The mean and the standard deviation of a sample; 0 of a single number.
fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    (mean, (squares / (n - 1.0).max(1.0)).sqrt())
}

/// The type that most bytes of the model have, after its name.
fn model_type(model: &Model, path: &Path) -> String {
    let gguf = model.gguf();
    let name = gguf.str("general.name").ok().flatten();
    let stem = || {
        path.file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let name = name.map_or_else(stem, |name| crate::output::shortened(name, 40));
    let mut types: Vec<_> = gguf.tensors().map(|t| t.ty()).collect();
    let bytes = |ty| -> u64 {
        let of_type = gguf.tensors().filter(|t| t.ty() == ty);
        of_type.map(|t| t.byte_len()).sum()
    };
    types.sort_unstable_by_key(|ty| ty.number());
    types.dedup();
    match types.into_iter().max_by_key(|&ty| bytes(ty)) {
        Some(ty) => format!("{name} {ty}"),
        None => name,
    }
}

/// The columns of the table of tests.
const COLUMNS: &str = "| model | size | params | backend | isa | threads | kv | test | t/s |";

/// The first lines of the table.
pub fn heading(out: &mut Out) -> Result<()> {
    out.line(COLUMNS)?;
    out.line("|---|---:|---:|---|---|---:|---|---:|---:|")
}

/// A line of the table.
pub fn row(out: &mut Out, r: &Report) -> Result<()> {
    let test = Test {
        n_prompt: r.n_prompt,
        n_gen: r.n_gen,
        n_depth: r.n_depth,
    };
    out.line(&format!(
        "| {} | {} | {:.2} M | {} | {} | {} | {} | {} | {:.2} ± {:.2} |",
        r.model_type,
        DecimalBytes(r.model_size),
        r.model_n_params as f64 / 1e6,
        r.backend,
        r.isa,
        r.n_threads,
        r.type_k,
        test.name(),
        r.avg_ts,
        r.stddev_ts
    ))?;
    out.flush()
}
